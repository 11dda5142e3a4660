"""A learner's code without what says whose it is: comments, docstrings, the words in it, and names that are
not the course's. Pure."""

import ast
import builtins
import re
import sys
import warnings

LARGEST = 20_000  # characters that are parsed
WITHHELD = "# This code cannot be read by Python, so nobody's name can be erased from it."
WORD = re.compile(r"[A-Za-z_]\w*")
MODULES = {"torch", "nn", "F", "math", "np", "numpy", "plt"}  # as the lessons call them
LONG_NUMBER = 100_000  # from here on a whole number may be somebody's: an id, a date of birth
STRING = "…"


def words_of(sources: list[str]) -> set[str]:
    """The names that stand in the course's own code, and those of its libraries: they say nothing of who uses them."""
    import math

    import numpy
    import torch
    from torch import nn
    from torch.nn import functional

    words = {word for source in sources for word in WORD.findall(source)}
    libraries = (torch, torch.Tensor, nn, functional, math, numpy, numpy.ndarray)
    return words | MODULES | set(dir(builtins)) | {name for library in libraries for name in dir(library)}


def anonymous(source: str, known: set[str]) -> str:
    """The code of an answer as it can be shown to everybody. known: names that may stay.

    >>> anonymous("def f(p):  # Ada's\\n    ada = 'by Ada'\\n    return p + ada", {"f", "p"})
    "def f(p):\\n    name_1 = '…'\\n    return p + name_1"
    """
    if len(source) > LARGEST:
        return WITHHELD
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
        return ast.unparse(ast.fix_missing_locations(_Eraser(known).visit(tree)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return WITHHELD


class _Eraser(ast.NodeTransformer):
    """Numbers every name that is not known, in the order in which they come up, and empties every text that
    is no known word."""

    def __init__(self, known):
        self.known, self.numbered = known, {}

    def name(self, name):
        if name in self.known:
            return name
        return self.numbered.setdefault(name, f"name_{len(self.numbered) + 1}")

    def generic_visit(self, node):
        for field, value in ast.iter_fields(node):
            if isinstance(node, ast.alias):
                continue
            if isinstance(value, str) and field in ("id", "arg", "attr", "name", "rest"):
                setattr(node, field, self.name(value))
            elif field == "names" and isinstance(node, (ast.Global, ast.Nonlocal)):
                node.names = [self.name(name) for name in value]
            elif (
                field in ("returns", "annotation")
                and value is not None
                and not isinstance(node, ast.AnnAssign)
            ):
                setattr(node, field, None)
            elif field == "type_comment":
                node.type_comment = None
            elif field == "kwd_attrs":
                node.kwd_attrs = [self.name(name) for name in value]
            elif field in ("body", "orelse", "finalbody") and isinstance(value, list):
                kept = [statement for statement in value if not _says_nothing(statement)]
                setattr(node, field, kept or ([ast.Pass()] if value and field == "body" else []))
        return super().generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign):
        if node.value is None:
            return ast.Pass()
        return self.visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_alias(self, node: ast.alias):
        roots = self.known | sys.stdlib_module_names
        node.name = ".".join(
            part if part in roots or part == "*" else self.name(part) for part in node.name.split(".")
        )
        if node.asname:
            node.asname = self.name(node.asname)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom):
        if node.module:
            roots = self.known | sys.stdlib_module_names
            node.module = ".".join(p if p in roots else self.name(p) for p in node.module.split("."))
        node.names = [self.visit(alias) for alias in node.names]
        return node

    def visit_Constant(self, node: ast.Constant):
        if isinstance(node.value, (str, bytes)):
            text = ""
            if isinstance(node.value, str):
                text = node.value
            node.value, node.kind = (text if text in self.known else STRING), None
        elif isinstance(node.value, int) and abs(node.value) >= LONG_NUMBER:
            node.value = LONG_NUMBER
        return node


def _says_nothing(statement):
    """A docstring, or another constant that stands alone."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
