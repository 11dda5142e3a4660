"""A learner's own repository scored, as a class's submissions are: `check --all`, for a job of continuous integration or an autograder.

The verdicts are a grading's own, formed behind the walls where the machine has them. They are written as JUnit's XML, as Markdown
(for a job's summary), or as Gradescope's `results.json`. Pure, but for `scored`.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat

from grader.classroom import submission
from grader.classroom.task import Task
from grader.classroom.worker import grade_one
from grader.course.lessons import exercises_of
from grader.judging.language import say
from grader.judging.verdict import MARKS, MISSING, PASSED, number

# what XML 1.0 cannot hold, not even escaped
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
CODE = re.compile(r"`([^`\n]+)`")
PLACES = (
    "{lesson}/{lesson}.ipynb",
    "work/{lesson}/{lesson}.ipynb",
    "notebooks/{lesson}/{lesson}.ipynb",
    "{lesson}.ipynb",
)


@dataclass(frozen=True)
class Score:
    """What an exercise got. `text`: what its author reads, in sentences."""

    lesson: str
    exercise: str
    status: str
    points: float
    max_points: float
    text: str = ""

    @property
    def passed(self) -> bool:
        return self.status == PASSED


@dataclass(frozen=True)
class Total:
    """The sum of some scores.

    >>> Total.of([Score("02_bce", "bce", "passed", 3, 3), Score("02_bce", "bce_grad", "not attempted", 0, 2)]).sentence
    '3 of 5 points, 1 of 2 exercises pass.'
    """

    points: float
    max_points: float
    passed: int
    exercises: int

    @classmethod
    def of(cls, scores: Iterable[Score]) -> "Total":
        scores = list(scores)
        return cls(
            sum(score.points for score in scores),
            sum(score.max_points for score in scores),
            sum(score.passed for score in scores),
            len(scores),
        )

    @property
    def sentence(self) -> str:
        return f"{number(self.points)} of {number(self.max_points)} points, {self.passed} of {self.exercises} exercises pass."


# ---------------------------------------------------------------- scoring


def notebook_in(folder: Path, lesson: str) -> Path | None:
    """The notebook of a lesson in a learner's repository: in a folder of its name, in `work/` or `notebooks/`, or by itself."""
    places = [folder / place.format(lesson=lesson) for place in PLACES]
    return next((place for place in places if place.is_file()), None)


def scored(folder: Path, lesson: str, trust: bool = False) -> Iterator[Score]:
    """Every exercise of a lesson, as a grading scores it; what is missing gets nothing. Raises JailError where there are no walls.

    trust: run the answers without walls; they can do then what this process can.
    """
    path = notebook_in(folder, lesson)
    if path is None:
        for name, exercise in exercises_of(lesson).items():
            yield Score(
                lesson, name, MISSING, 0.0, exercise.points, f"There is no notebook of {lesson} here."
            )
        return
    data, notes = submission.load(path)
    graded = grade_one(Task(lesson, "", data, tuple(notes)), trust)
    verdicts = graded.record.get("verdicts", {})
    told = messages(graded.text) if graded.text else {}
    for name, exercise in exercises_of(lesson).items():
        verdict = verdicts.get(name)
        if verdict is None:
            reason = graded.error or "This exercise was not judged."
            yield Score(lesson, name, MISSING, 0.0, exercise.points, reason)
            continue
        yield Score(
            lesson, name, verdict["status"], verdict["points"], verdict["max_points"], told.get(name, "")
        )


def messages(notebook: str) -> dict[str, str]:
    """What stands in the panels of a graded notebook, by exercise, without the titles."""
    found = {}
    for outputs in (cell.get("outputs", ()) for cell in nbformat.reads(notebook, 4).cells):
        for output in outputs:
            verdict = output.get("metadata", {}).get("grader", {}).get("verdict")
            if verdict:
                found[verdict["exercise"]] = output.data["text/plain"].partition("\n")[2]
    return found


# ---------------------------------------------------------------- writing


def write(scores: list[Score], path: Path) -> None:
    """Write the scores in the format that the file's name asks for. Raises ValueError for a name of no format."""
    if path.suffix not in FORMATS:
        raise ValueError(
            f"{path.name} has no format of its own: name it .xml (JUnit), .md (Markdown) or .json (Gradescope)."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    text = FORMATS[path.suffix](scores)
    path.write_text(text, encoding="utf-8")


def junit(scores: list[Score]) -> str:
    """JUnit's XML: a suite for each lesson, a case for each exercise; what is not attempted is skipped."""
    root = ElementTree.Element("testsuites")
    for lesson in dict.fromkeys(score.lesson for score in scores):
        mine = [score for score in scores if score.lesson == lesson]
        failed = [score for score in mine if not score.passed]
        suite = ElementTree.SubElement(
            root, "testsuite", name=lesson, tests=str(len(mine)), failures=str(len(failed)), errors="0"
        )
        for score in mine:
            case = ElementTree.SubElement(suite, "testcase", classname=lesson, name=score.exercise)
            if not score.passed:
                message = f"{say(score.status)}, {number(score.points)} of {number(score.max_points)} points"
                failure = ElementTree.SubElement(case, "failure", message=message)
                failure.text = NO_XML.sub("\ufffd", score.text)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(scores: list[Score]) -> str:
    """A table of Markdown, in which nothing that a learner wrote is markup."""
    lines = [
        f"**{Total.of(scores).sentence}**",
        "",
        "| lesson | exercise | | points | what was found |",
        "|---|---|---|---|---|",
    ]
    for score in scores:
        points = f"{number(score.points)} of {number(score.max_points)}"
        state = f"{MARKS[score.status]} {say(score.status)}"
        lines.append(f"| {score.lesson} | `{score.exercise}` | {state} | {points} | {cell(score.text)} |")
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """A text for a table's cell: what stands in backticks becomes code, and no other character is markup.

    >>> cell("Use `y`, not |x|.")
    'Use <code>y</code>, not &#124;x&#124;.'
    """
    parts = CODE.split(text)
    shown = [f"<code>{literally(part)}</code>" if i % 2 else literally(part) for i, part in enumerate(parts)]
    return "".join(shown)


def literally(text: str) -> str:
    """A text in which every character that Markdown or HTML could take for markup is written by its number."""
    lines = NO_XML.sub("\ufffd", text).replace("\r", "\n").split("\n")
    return "<br>".join(
        re.sub(r"[^\w\s,.;?!'()=+−∞·-]|_|(?<=\w)\.(?=\w)", lambda c: f"&#{ord(c[0])};", line)
        for line in lines
    )


def gradescope(scores: list[Score]) -> str:
    """Gradescope's `results.json`: a test for each exercise; learners see what was found."""
    tests = [
        {
            "name": f"{score.lesson}: {score.exercise}",
            "score": score.points,
            "max_score": score.max_points,
            "status": "passed" if score.passed else "failed",
            "output": score.text or say(score.status),
            "output_format": "text",
            "visibility": "visible",
        }
        for score in scores
    ]
    total = Total.of(scores)
    whole = {
        "score": round(total.points, 4),
        "output": total.sentence,
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, Callable[[list[Score]], str]] = {".xml": junit, ".md": markdown, ".json": gradescope}
