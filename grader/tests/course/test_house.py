"""The house as a drawing: which module imports which. No circles, and no arrow from a lower room to a higher one."""

import ast
import doctest
import importlib

import pytest

from grader.course.imports import imported_by, modules

# lower ones know nothing of higher ones
ROOMS = ("judging", "exercises", "course", "learner", "jail", "classroom")
KNOWS = {  # room -> the rooms that it may import from, besides its own
    "judging": (),
    "exercises": ("judging",),
    "course": ("judging",),  # exercises are found by name, through importlib
    "learner": ("judging", "course"),
    "jail": ("judging",),
    "classroom": ("judging", "course", "jail"),
}


MODULES = modules()


def room(name):
    """`judging` for `grader.judging.judge`; "" for what stands at the top."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def circle(graph):
    """The names of a circle in a graph, or an empty list."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        path.append(name)
        for target in sorted(graph.get(name, ())):
            way = visit(target)
            if way:
                return way
        path.pop()
        done.add(name)
        return []

    for start in sorted(graph):
        way = visit(start)
        if way:
            return way
    return []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_imports_go_in_circles():
    assert circle({name: imported_by(name) for name in MODULES}) == []


@pytest.mark.parametrize("name", [n for n in MODULES if room(n)])
def test_a_room_knows_only_lower_rooms(name):
    allowed = {room(name), *KNOWS[room(name)]}
    too_high = {target for target in imported_by(name) if room(target) and room(target) not in allowed}
    assert not too_high, f"{name} may import from {sorted(allowed)} only"


def test_the_drawing_can_be_printed():
    """`pytest -s -k drawing` prints it: room -> the rooms that it imports from."""
    for name in ROOMS:
        targets = {room(t) for module in MODULES if room(module) == name for t in imported_by(module)} - {
            name,
            "",
        }
        print(f"{name:10} -> {', '.join(sorted(targets)) or 'nothing'}")
        assert targets <= set(KNOWS[name])


@pytest.mark.parametrize("name", [name for name, file in MODULES.items() if ">>>" in file.read_text()])
def test_the_examples_of_docstrings_hold(name):
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted
    assert not tried.failed


# ---------------------------------------------------------------- signatures

PRONOUNS = {"of", "own", "mine", "ours", "yours", "theirs", "more", "found", "some", "thing", "told"}
TYPED = 0.95  # of the parameters of public functions, at least


def functions():
    """(module, function) for every function of the machinery; an exercise's and its wrong answers are what a
    learner would write."""
    for name, path in MODULES.items():
        if not name.startswith(("grader.exercises", "grader.site")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                    yield name, node


def parameters(function):
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def test_public_functions_say_what_they_take():
    untyped, count = [], 0
    for module, function in functions():
        if isinstance(function, ast.Lambda) or function.name.startswith("_"):
            continue
        for parameter in parameters(function):
            if parameter.arg in ("self", "cls"):
                continue
            count += 1
            if parameter.annotation is None:
                untyped.append(f"{module}.{function.name}({parameter.arg})")
    assert len(untyped) <= (1 - TYPED) * count, "give these a type:\n" + "\n".join(untyped)


def test_no_function_and_no_parameter_is_called_by_a_pronoun():
    called = []
    for module, function in functions():
        name = getattr(function, "name", "lambda")
        called += [f"{module}.{name}({p.arg})" for p in parameters(function) if p.arg in PRONOUNS]
        if name.strip("_") in PRONOUNS:
            called.append(f"{module}.{name}")
    assert not called, "call these by what they are:\n" + "\n".join(called)
