"""Which module of the package imports which: read from their text, without importing anything."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]


@cache
def modules() -> dict[str, Path]:
    """Every module of the package but its tests: `grader.judging.judge` -> its file."""
    named = {}
    for path in sorted(HOME.rglob("*.py")):
        parts = path.relative_to(HOME.parent).with_suffix("").parts
        if "tests" not in parts:
            named[".".join(parts).removesuffix(".__init__")] = path
    return named


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree, but for what only a type checker reads, under `if TYPE_CHECKING:`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        yield node
        # an import is a statement: it stands in no expression
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]


@cache
def imported_by(name: str) -> frozenset[str]:
    """The modules of the package that the module `name` imports when it runs, anywhere in its text.

    `from grader.judging import wire` means the module `grader.judging.wire`, not its folder's `__init__`.
    What it names for the type checker alone, under `if TYPE_CHECKING:`, is not counted.

    >>> sorted(imported_by("grader.judging.picture"))
    ['grader.judging.compare', 'grader.judging.language', 'grader.judging.verdict']
    """
    targets = set()
    for node in _run(ast.parse(modules()[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            targets |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    known = {target for target in targets if target in modules() and target != name}
    return frozenset(t for t in known if not any(other.startswith(t + ".") for other in known))


def closure(names: set[str]) -> list[str]:
    """`names` and all that they import, directly or through others, in alphabetical order."""
    reached, waiting = set(), set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= imported_by(name) - reached
    return sorted(reached)
