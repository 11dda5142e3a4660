"""What a text calls and binds, found in its syntax tree without running it. Pure."""

import ast
import re


def scan(source, forbidden):
    """The names out of bounds that a text calls: as `F.softmax`, `z.softmax(…)`, or imported from torch. A function of the
    learner's own with such a name is not torch's."""
    if not source or not forbidden:
        return set()
    tree = _parsed(_without_magics(source))
    if tree is None:
        return set()
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    found, own = set(), {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _plain_name(node.attr) in forbidden and not _is_self(node):
            found.add(_plain_name(node.attr))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            found |= {a.name for a in node.names if a.name in forbidden and (a.asname or a.name) in names}
    return found - {n for n in own if n in found and not _attribute_used(tree, n)}


def written(source):
    """The names that a text binds at its top level, each with the text that binds it last: at home and in class only that is
    scanned, so that a learner may compare with PyTorch beside the answer."""
    source = _without_magics(source)
    tree = _parsed(source)
    if tree is None:
        return dict.fromkeys(
            a or b for a, b in re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", source, flags=re.M)
        )
    found = {}
    for node in tree.body:
        targets = (
            [node.name]
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            else [
                t.id
                for t in getattr(node, "targets", [getattr(node, "target", None)])
                if isinstance(t, ast.Name)
            ]
        )
        found |= dict.fromkeys(targets, ast.get_source_segment(source, node))
    return found


def _without_magics(source):
    """The text without lines like `%time …`, which hide nothing."""
    return source if _parsed(source) else re.sub(r"(?m)^([ \t]*)[%!].*", r"\1pass", source)


def _parsed(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # a text may be anything
        return None


def _plain_name(name):
    return name.strip("_").removeprefix("special_") if not name.startswith("__") else name


def _is_self(node):
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _attribute_used(tree, name):
    return any(
        isinstance(n, ast.Attribute) and _plain_name(n.attr) == name and not _is_self(n)
        for n in ast.walk(tree)
    )
