"""Which answers are the same once names, comments, docstrings, annotations and formatting are gone. Pure.

Equality is a question for a person, never a verdict: the course's solutions are public, and there are few
ways to write a short formula.
"""

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping

SMALLEST = 50  # nodes of a syntax tree: below it, two people write the same without having seen each other's
LARGEST = 20_000  # characters that are parsed


def shape(source: str):
    """(shape, size) of an answer: equal for answers that differ in names alone; None where it does not parse
    or is too long.

    Names that the answer binds itself (functions, arguments, variables, imports' aliases) are numbered by
    scope, in the order in which they come up; names it takes from outside, attributes and constants stay.
    """
    if len(source) > LARGEST:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
        reader = _Reader()
        reader.block(tree.body, [reader.scope(tree.body)])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return " ".join(reader.words), reader.size


def groups(answers: Mapping, references: Mapping | Iterable[tuple] = (), skip: Iterable[str] = ()):
    """The groups of equal answers: lists of keys, largest group first.

    answers: key -> source; references: sources of the course's, each named by a key in its own right; skip:
    sources not to be looked at (stubs). A group has at least two members; one with a key of `references` says
    that a learner's equals the course's.
    """
    references, cache, by_shape = dict(references), {}, defaultdict(list)

    def shape_of(source: str):
        if source not in cache:
            cache[source] = shape(source)
        return cache[source]

    blank = {shape_of(s) for s in skip}
    for key, source in [*references.items(), *answers.items()]:
        seen = shape_of(source)
        if seen and seen[1] >= SMALLEST and seen not in blank:
            by_shape[seen].append(key)
    several = [keys for keys in by_shape.values() if len(keys) > 1 and any(k not in references for k in keys)]
    return sorted(several, key=lambda keys: (-len(keys), str(keys[0])))


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
IGNORED = {"ctx", "returns", "annotation", "type_comment", "type_params", "kind", "type_ignores"}


class _Reader:
    """Writes a tree as words, one pass; `scopes` are dicts name -> number, the innermost last."""

    def __init__(self):
        self.words, self.size, self.count = [], 0, 0

    def scope(self, nodes: Iterable[ast.AST]):
        """The names that these nodes bind, not counting what inner functions and comprehensions bind.
        Numbered when first written."""
        names: dict[str, None] = {}
        outer: set[str] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names[node.name] = None
                continue
            if isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names[node.id] = None
            elif isinstance(node, ast.arg):
                names[node.arg] = None
            elif isinstance(node, ast.alias):
                names[node.asname or node.name.partition(".")[0]] = None
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names[node.name] = None
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                outer |= set(node.names)
            waiting += ast.iter_child_nodes(node)
        return {n: None for n in names if n not in outer}

    def name(self, name: str, scopes: list[dict]):
        for scope in reversed(scopes):
            if name in scope:
                if scope[name] is None:
                    self.count += 1
                    scope[name] = self.count
                return f"${scope[name]}"
        return name

    def block(self, body: Iterable[ast.AST], scopes: list[dict]):
        """Statements without docstrings and other constants that stand alone."""
        for statement in body:
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                self.read(statement, scopes)
        self.words.append(";")

    def read(self, node: ast.AST, scopes: list[dict]):
        self.size += 1
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            node = ast.Assign(targets=[node.target], value=node.value)
        self.words.append(type(node).__name__)
        if isinstance(node, ast.Name):
            self.words.append(self.name(node.id, scopes))
        elif isinstance(node, ast.Constant):
            self.words.append(repr(node.value))
        elif isinstance(node, ast.arg):
            self.words.append(self.name(node.arg, scopes))
        elif isinstance(node, FUNCTIONS):
            self.function(node, scopes)
        elif isinstance(node, ast.ClassDef):
            self.words.append(self.name(node.name, scopes))
            for part in [*node.decorator_list, *node.bases, *node.keywords]:
                self.read(part, scopes)
            self.block(node.body, scopes)
        elif isinstance(node, COMPREHENSIONS):
            inner = [*scopes, self.scope([g.target for g in node.generators])]
            # as Python does: only what comes after sees the comprehension's names
            self.read(node.generators[0].iter, scopes)
            for g in node.generators:
                self.words.append("for")
                for part in [g.target, *([g.iter] if g is not node.generators[0] else []), *g.ifs]:
                    self.read(part, inner)
            for part in (getattr(node, f) for f in ("elt", "key", "value") if hasattr(node, f)):
                self.read(part, inner)
        elif isinstance(node, ast.Call):
            self.call(node, scopes)
        else:
            self.fields(node, scopes)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scopes: list[dict]):
        for part in [
            *getattr(node, "decorator_list", ()),
            *node.args.defaults,
            *filter(None, node.args.kw_defaults),
        ]:
            self.read(part, scopes)
        if not isinstance(node, ast.Lambda):
            # a method's name is an attribute: it stays
            self.words.append(self.name(node.name, scopes))
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        inner = [*scopes, self.scope([node.args, *body])]
        a = node.args
        for kind, parts in (
            ("/", a.posonlyargs),
            (",", a.args),
            ("*", [a.vararg] if a.vararg else []),
            ("k", a.kwonlyargs),
            ("**", [a.kwarg] if a.kwarg else []),
        ):
            for part in parts:
                self.words.append(kind)
                self.read(part, inner)
        self.block(body, inner)

    def call(self, node: ast.Call, scopes: list[dict]):
        """A keyword of a function that the answer itself defines is a name of its own, any other is somebody else's."""
        for part in [node.func, *node.args]:
            self.read(part, scopes)
        local = isinstance(node.func, ast.Name) and any(node.func.id in s for s in scopes)
        self.words.append(f"({len(node.args)}")
        for keyword in node.keywords:
            self.words.append("=" if local else f"{keyword.arg}=")
            self.read(keyword.value, scopes)

    def fields(self, node: ast.AST, scopes: list[dict]):
        for field, value in ast.iter_fields(node):
            if field in IGNORED or value is None:
                continue
            if isinstance(value, ast.AST):
                self.read(value, scopes)
            elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.words.append(field)
                self.block(value, scopes)
            elif isinstance(value, list):
                self.words.append(f"{field}{len(value)}")
                for part in value:
                    self.read(part, scopes) if isinstance(part, ast.AST) else self.words.append(str(part))
            else:
                self.words.append(
                    self.name(value, scopes)
                    if isinstance(node, (ast.alias, ast.ExceptHandler))
                    and field in ("asname", "name")
                    and not (isinstance(node, ast.alias) and field == "name")
                    else str(value)
                )
