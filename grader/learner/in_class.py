"""What a cell does at home that it cannot do where a class is graded: told before it costs points."""

import ast
import functools
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path

from grader.judging.outcome import ELSEWHERE, NO_SHELL
from grader.learner.python import plain_python

LONGEST_NAME = 200  # letters of a text that may name a file
ORDINARY = {"grader", "torch", "numpy", "sklearn", "scipy", "matplotlib", "IPython"}  # found without looking


def differs(source: str, folder: Path) -> list[str]:
    """Sentences about what of a cell does not run in class. folder: the notebook's."""
    plain = plain_python(source)
    try:
        nodes = list(ast.walk(ast.parse(plain)))
    except (SyntaxError, ValueError):
        return []
    said = []
    if NO_SHELL in plain:
        said = [NO_SHELL]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    said += [
        f"`{text}` is a file beside the notebook{ELSEWHERE['FileNotFoundError']}"
        for text in sorted(texts)
        if _is_file(text, folder)
    ]
    calls = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    if "input" in calls:
        said.append("`input()` is called here" + ELSEWHERE["EOFError"])
    for name in sorted(set(_imported(nodes)) - ORDINARY - sys.stdlib_module_names):
        if _is_beside(name, folder) or name not in _of_the_course():
            said.append(f"`{name}` is imported here{ELSEWHERE['ModuleNotFoundError']}")
    return said


def _is_file(text, folder):
    """Is this the name of a file that lies at, or below, the notebook's place?"""
    if not text.strip() or "\n" in text or len(text) > LONGEST_NAME or text.startswith(("/", "~")):
        return False
    try:
        return (folder / text).is_file()
    except (OSError, ValueError):  # too long for this disk, or with a zero in it
        return False


def _imported(nodes):
    """The names of the packages that are imported."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _is_beside(name, folder):
    """Does a module lie beside the notebook?"""
    return (folder / f"{name}.py").exists() or (folder / name).is_dir()


@functools.cache
def _of_the_course():
    """The names that can be imported where exactly what the course needs is installed."""
    todo, needed = ["grader"], set()
    for name in todo:  # it grows as packages are met
        try:
            wanted = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue
        needed.add(name)
        called = [
            re.match(r"[\w.-]+", line)[0].lower().replace("_", "-")
            for line in wanted
            if "extra ==" not in line
        ]
        todo += [other for other in dict.fromkeys(called) if other not in todo]
    provides = importlib.metadata.packages_distributions()
    return {
        module
        for module, names in provides.items()
        if any(name.lower().replace("_", "-") in needed for name in names)
    }
