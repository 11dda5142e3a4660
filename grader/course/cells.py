"""What nbgrader's metadata says of a cell. `nbgrader.utils` says it too, but imports a database for it: too
slow for a learner's `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names and titles of lessons need no nbformat
    from nbformat import NotebookNode


def marks(cell: NotebookNode | dict) -> dict:
    """nbgrader's metadata of a cell: {"grade_id": "test_bce", "grade": True, "solution": False, "points": 3,
    …}; {} where it has none."""
    return cell["metadata"].get("nbgrader", {})


def grade_id(cell: NotebookNode | dict) -> str:
    """The name under which nbgrader knows a cell, as "bce" or "test_bce"; "" where it has none."""
    return marks(cell).get("grade_id", "")


def is_grade(cell: NotebookNode | dict) -> bool:
    """Does a cell give points: an exercise's check, or an open answer?"""
    return bool(marks(cell).get("grade"))


def is_solution(cell: NotebookNode | dict) -> bool:
    """Is a cell the learner's to fill in: an exercise, or an open answer?"""
    return bool(marks(cell).get("solution"))


def is_check(cell: NotebookNode | dict) -> bool:
    """Does a cell check an exercise? It gives points, and is not the learner's."""
    return is_grade(cell) and not is_solution(cell)


def exercise_name(cell: NotebookNode | dict) -> str:
    """The exercise that a cell asks for, or checks: "bce" for the cells "bce" and "test_bce"."""
    return grade_id(cell).removeprefix("test_")
