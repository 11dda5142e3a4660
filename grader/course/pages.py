"""The parts of README.md and notebooks/README.md that are made from the lessons: counts, and the table of lessons.

A part stands between two comments, `<!-- made: exercises -->` and `<!-- end -->`. Everything else on these
pages is written by hand.
"""

import importlib
import re
from pathlib import Path

from grader.course.build import text_of
from grader.course.lessons import RELEASES, ROOT, exercises, exercises_of, lessons, slug

PAGES = (ROOT / "README.md", RELEASES / "README.md")
PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.S)


def question(lesson: str) -> str:
    """The question that a lesson opens with: the heading of its text."""
    heading = re.search(r"^# # (.*)$", text_of(lesson).read_text(encoding="utf-8"), re.M)
    if heading:
        return heading[1]
    return ""


def topic(lesson: str) -> str:
    """What a lesson's exercises are about: the docstring of their module, behind its colon."""
    module = importlib.import_module(f"grader.exercises.{slug(lesson)}")
    return (module.__doc__ or "").splitlines()[0].partition(": ")[2].rstrip(".")


def counts() -> str:
    """How large the course is, in a sentence."""
    mistakes = sum(len(exercise.mistakes) for exercise in exercises().values())
    return (
        f"{len(lessons())} lessons, {len(exercises())} exercises, {mistakes:,} known mistakes, "
        "each with the sentence that names it.\n"
    )


def exercise_table() -> str:
    """Lesson, question, topic, the names that the learner writes, and the executed notebook to read without
    running anything."""
    lines = ["| lesson | question | what it is about | you write | to read |", "|---|---|---|---|---|"]
    for lesson in lessons():
        names = ", ".join(f"`{name}`" for name in exercises_of(lesson))
        cells = [
            f"[{lesson}]({lesson}/{lesson}.ipynb)",
            question(lesson),
            topic(lesson),
            names,
            f"[read](../solutions/{lesson}/{lesson}.ipynb)",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


PARTS = {"counts": counts, "exercises": exercise_table}


def filled(text: str) -> str:
    """A page with its made parts as the lessons give them now. Raises KeyError for a part that nobody makes.

    >>> filled("<!-- made: counts -->\\nold\\n<!-- end -->").startswith("<!-- made: counts -->")
    True
    """
    return PART.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], text)


def write() -> list[Path]:
    """Fill the pages; returns those that changed."""
    changed = []
    for page in filter(Path.is_file, PAGES):
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            changed.append(page)
    return changed
