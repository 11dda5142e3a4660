"""The house as a drawing: which module imports which. No circles, and no arrow from a lower room to a higher one."""

import doctest
import importlib

import pytest

from grader.course.imports import imported_by, modules

ROOMS = (
    "judging",
    "exercises",
    "course",
    "learner",
    "jail",
    "classroom",
)  # lower ones know nothing of higher ones
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
            found = visit(target)
            if found:
                return found
        path.pop()
        done.add(name)
        return []

    for start in sorted(graph):
        found = visit(start)
        if found:
            return found
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
