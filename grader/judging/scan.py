"""What a text takes from PyTorch and its like, and what it binds, found in its syntax tree without running it. Pure.

The scan is the second watcher. The first is the trace, which sees every call of a torch function while the
answer runs, under whatever name and through whatever object. The scan is for what the trace cannot see: code
that `torch.jit` has compiled, PyTorch's own reimplementations (`torch._refs`, `torch._decomp`), other
libraries. It counts a name only where it is theirs.
"""

import ast
import functools
import re

TORCH = {"torch", "F", "nn"}  # what a lesson imports: theirs in an answer that does not say otherwise
LIBRARIES = TORCH | {
    *("functorch", "torchvision", "torchmetrics", "torchaudio", "kornia", "timm", "transformers"),
    *("numpy", "scipy", "sklearn", "jax", "flax", "optax", "tensorflow", "keras", "autograd", "cupy"),
}
CHAIN = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:[ \t]*\.[ \t]*[A-Za-z_]\w*)+")  # `torch.nn.functional.softmax`
CELL_MAGIC = re.compile(r"\A\s*%%\w.*")  # `%%time`: what stands below it is run
# what stands behind it is run
RUNS = re.compile(r"(?m)^([ \t]*)%(?:time|timeit|prun)[ \t]+(?:-\S+[ \t]+)*(?=\S)")
MAGIC = re.compile(r"(?m)^([ \t]*)(?:[%!?].*|[\w.*%!]+\?{1,2}[ \t]*$)")  # `%who`, `!ls`, `threading?`
ASKED = re.compile(r"(?m)^([ \t]*[\w,. \t]+=)[ \t]*[%!].*")  # `files = !ls`, `_ = %who_ls`
ODD_TEXT = 20_000  # characters of a text that IPython is asked about: it reads all of it again for each magic
IMPORTERS = {"import_module", "__import__"}


def scan(source: str | None, forbidden: frozenset[str], context: str = "") -> set[str]:
    """The names out of bounds that an answer takes from a library.

    source: the answer's own text; context: all that the learner wrote, to see what its names stand for, and
    to follow it into functions that it calls. An attribute counts where its base is `torch`, `F`, `nn`, or
    was imported or bound from a library; a method of a tensor is the trace's business, except where
    `torch.jit` hides it from the trace.

    >>> scan("def f(z): return G.softmax(z, 1) + own.softmax(z)", {"softmax"}, "import torch.nn.functional as G")
    {'softmax'}
    """
    if not source or not forbidden:
        return set()
    try:
        return _read(source, forbidden, context)
    except RecursionError:  # nested deeper than this walks, and yet it may run
        return _chained(source, forbidden)


def _read(source, forbidden, context):
    if _tree(source) is None:
        return _chained(source, forbidden)
    trees = [tree for tree in map(_tree, _reached(source, context)) if tree]
    everything = [*trees, *filter(None, [_tree(context)])]
    taken = _Taken(everything)
    hidden = any(taken.jit(node) for tree in trees for node in _nodes(tree))
    names = set()
    for tree in trees:
        for node in _nodes(tree):
            names |= {plain for n in taken.names(node, hidden) if (plain := _plain_name(n)) in forbidden}
    return names


def _chained(source, forbidden):
    """The names out of bounds in a text that has no syntax tree: those that stand in a chain of dots which
    begins with a library.

    >>> _chained("def f(z): return (F . softmax(z), own.softmax(z)", {"softmax"})
    {'softmax'}
    """
    chains = (re.split(r"\s*\.\s*", chain) for chain in CHAIN.findall(source))
    parts = {_plain_name(part) for base, *rest in chains if base in LIBRARIES for part in rest}
    return parts & forbidden


def _reached(source, context):
    """The answer's text, and the text of everything of the learner's own that it calls, directly or through others."""
    bound, texts, waiting = written(context), [], [source]
    while waiting:
        text = waiting.pop()
        if not text or text in texts:
            continue
        texts.append(text)
        tree = _tree(text)
        if tree:
            waiting += [bound[name] for name in sorted(_free(tree)) if name in bound]
    return texts


def _free(node, bound=frozenset()):
    """The names that a text takes from outside: a function's parameters and variables are its own, whatever
    else bears their name.

    >>> sorted(_free(ast.parse("def f(z, p): q = z ** p; return g(q)")))
    ['g']
    """
    if isinstance(node, ast.Name):
        return {node.id} - bound
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return set().union(*(_free(child, bound) for child in ast.iter_child_nodes(node)))
    # Decorators and defaults are read where the function is defined.
    outside = [
        *getattr(node, "decorator_list", ()),
        *node.args.defaults,
        *filter(None, node.args.kw_defaults),
    ]
    body = node.body
    if not isinstance(body, list):
        body = [body]
    inside = bound | _variables(node, body)
    return set().union(*(_free(part, bound) for part in outside), *(_free(part, inside) for part in body))


def _variables(function, body):
    """The names of a function's parameters, and those that it binds itself; not those that it declares global."""
    names = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    others = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        names |= _bound_names(node)
        others |= set(node.names) if isinstance(node, ast.Global) else set()
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return names - others


class _Taken:
    """What the names in some texts stand for, where that is something of a library's."""

    def __init__(self, trees):
        nodes = [node for tree in trees for node in _nodes(tree)]
        self.starred = False  # `from torch import *`
        self.modules = {}  # a name -> what it was imported or bound from, as `torch.nn.functional`
        for node in nodes:
            self._imports(node)
        # A lesson's own imports, unless the learner gave the name to something else.
        owned = {name for node in nodes for name in _bound_names(node)}
        for name in (TORCH | {"np"}) - owned:
            self.modules.setdefault(name, "numpy" if name == "np" else name)
        assignments = [node for node in nodes if isinstance(node, ast.Assign)]
        for _ in range(3):  # an alias of an alias of an alias
            for node in assignments:
                self._aliases(node)

    def _imports(self, node):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in LIBRARIES:
                    self.modules[alias.asname or alias.name.split(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            for alias in node.names:
                self.starred |= alias.name == "*"
                self.modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _aliases(self, node):
        """`G = torch.nn.functional`: from there on, G is theirs as well."""
        origin = self.library_name(node.value)
        for target in node.targets if origin else ():
            if isinstance(target, ast.Name):
                self.modules.setdefault(target.id, origin)

    def library_name(self, node: ast.AST):
        """`torch.nn.functional` for an expression that stands for a library's module, function or class; ""
        for any other."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, "")
        if isinstance(node, ast.Attribute):
            base = self.library_name(node.value)
            return base and f"{base}.{node.attr}"
        if isinstance(node, ast.Subscript):  # `torch.__dict__["softmax"]`, `sys.modules["torch"]`
            return self.library_name(node.value) or (
                _text(node.slice) if _last(node.value) == "modules" else ""
            )
        if isinstance(node, ast.Call):
            return self._made(node)
        return ""

    def _made(self, node):
        """Calls that give modules and functions back: `getattr(F, …)`, `vars(F)`, `import_module("torch")`."""
        first = None
        if node.args:
            first = node.args[0]
        if first is None:
            return ""
        if _last(node.func) in IMPORTERS:
            if _text(first).split(".")[0] in LIBRARIES:
                return _text(first)
            return ""
        if _last(node.func) in ("getattr", "vars"):
            base = self.library_name(first)
            if len(node.args) > 1:
                return base and f"{base}.{_text(node.args[1])}"
            return base
        return ""

    def names(self, node: ast.AST, hidden: bool):
        """The names that one node of a syntax tree takes from a library. hidden: methods count, too."""
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            if hidden or self.library_name(node.value):
                return {node.attr}
            return set()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            origin = self.modules.get(node.id, "")
            if origin:
                return {origin.rpartition(".")[2]}
            if self.starred:
                return {node.id}
            return set()
        if isinstance(node, ast.Subscript) and self.library_name(node.value):
            return {_text(node.slice)}
        if isinstance(node, ast.Call) and _last(node.func) == "getattr" and len(node.args) > 1:
            if self.library_name(node):
                return {_text(node.args[1])}
        return set()

    def jit(self, node: ast.AST):
        """Does this node name `torch.jit` or something of it?"""
        return isinstance(node, (ast.Attribute, ast.Name)) and f"{self.library_name(node)}.".startswith(
            "torch.jit."
        )


def _bound_names(node):
    """The names that a node binds to something that is not imported: parameters, targets, functions, classes."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.arg):
        return {node.arg}
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return {node.id}
    return set()


def _last(node):
    """The last part of a dotted name: `import_module` for `importlib.import_module`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def _text(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


def written(source: str) -> dict[str, str | None]:
    """The names that a text binds at its top level, each with the text that binds it last: at home and in
    class only that is scanned, so that a learner may compare with PyTorch beside the answer."""
    source = _without_magics(source)
    tree = _parsed(source)
    if tree is None:
        names = re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", source, flags=re.M)
        return dict.fromkeys(a or b for a, b in names)
    lines = source.splitlines(keepends=True)
    texts: dict[str, str | None] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            targets = [node.name]
        else:
            bound = getattr(node, "targets", [getattr(node, "target", None)])
            targets = [t.id for t in bound if isinstance(t, ast.Name)]
        if targets:  # from its first decorator on: `@torch.jit.script` is a part of it
            first = min(n.lineno for n in (node, *getattr(node, "decorator_list", ())))
            texts |= dict.fromkeys(targets, "".join(lines[first - 1 : node.end_lineno]))
    return texts


def left_below(source: str | None) -> bool:
    """Does a `raise NotImplementedError` stand below statements of an answer, at the end of a function?

    >>> left_below("def f(z):\\n    result = z.exp()\\n    raise NotImplementedError()")
    True
    """
    for node in ast.walk(_tree(source) or ast.Module([], [])):
        if not isinstance(node, ast.FunctionDef) or not isinstance(node.body[-1], ast.Raise):
            continue
        written = [s for s in node.body[:-1] if _computes(s)]
        if written and "NotImplementedError" in ast.unparse(node.body[-1]):
            return True
    return False


def _computes(statement: ast.stmt) -> bool:
    """Is a statement of a function more than a docstring, an import or something shown? It may be a result without its `return`."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, (ast.BinOp, ast.UnaryOp))
    return not isinstance(statement, (ast.Pass, ast.Import, ast.ImportFrom))


def compares_by_is(source: str | None) -> bool:
    """Is text compared with `is`, as in `reduction is "mean"`?"""
    for node in ast.walk(_tree(source) or ast.Module([], [])):
        if isinstance(node, ast.Compare) and any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            if any(_text(side) for side in (node.left, *node.comparators)):
                return True
    return False


def together(cells: list) -> str:
    """The text of several cells, in order; without those that are no Python, of which nothing was run either."""
    texts = [_without_magics(cell) for cell in cells if isinstance(cell, str)]
    return "\n".join(text for text in texts if _parsed(text) is not None)


@functools.lru_cache(maxsize=64)
def _without_magics(source):
    """The text as Python, where it is IPython's: a magic makes way for nothing, or for the code that it runs.

    >>> _without_magics("_ = %who_ls\\nthreading?\\n%time x = 1")
    '_ = None\\npass\\nx = 1'
    """
    if _parsed(source) is not None:
        return source
    text = RUNS.sub(r"\1", CELL_MAGIC.sub("pass", source))
    text = ASKED.sub(r"\1 None", MAGIC.sub(r"\1pass", text))
    if _parsed(text) is not None:
        return text
    return _as_ipython(source)


def _as_ipython(source):
    """What IPython itself makes of a text, for what is written in no usual way; the text as it is where that
    is no Python either."""
    from IPython.core.inputtransformer2 import TransformerManager  # rarely needed, and takes a moment

    if len(source) > ODD_TEXT:
        return source
    try:
        text = TransformerManager().transform_cell(source)
    except (SyntaxError, ValueError, RecursionError):
        return source
    if _parsed(text) is not None:
        return text
    return source


@functools.lru_cache(maxsize=64)
def _nodes(tree):
    """All nodes of a syntax tree, as `ast.walk` gives them, walked once."""
    return tuple(ast.walk(tree))


def _tree(source):
    return _parsed(_without_magics(source or ""))


@functools.lru_cache(maxsize=64)
def _parsed(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a text may be anything
        return None


def _plain_name(name):
    if name.startswith("__"):
        return name
    return name.strip("_").removeprefix("special_")
