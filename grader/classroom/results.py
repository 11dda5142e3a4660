"""A learner's own repository scored, as a class's submissions are: `check --all`, for a job of continuous
integration or an autograder.

The verdicts are a grading's own, formed behind the walls where the machine has them. They are written as
JUnit's XML, as Markdown (for a job's summary), or as Gradescope's `results.json`. Pure, but for `scored`.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from grader.classroom import submission
from grader.classroom.task import Task
from grader.classroom.worker import grade_one
from grader.course.build import loads, released
from grader.course.cells import is_grade, is_solution
from grader.course.files import write_whole
from grader.course.lessons import exercises_of
from grader.course.rebuild import with_directions_shown
from grader.judging.language import say
from grader.judging.verdict import ERROR, MARKS, MISSING, PASSED, number

LONGEST = 4000  # characters of a text that are shown: a page holds a course's hundred exercises
# what XML 1.0 cannot hold, not even escaped, and what a terminal would obey
UNSHOWN = re.compile("[^\t\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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
        """Does it have full marks?"""
        return self.status == PASSED


@dataclass(frozen=True)
class Total:
    """The sum of some scores.

    >>> Total.over([Score("02_bce", "bce", "passed", 3, 3), Score("02_bce", "bce_grad", "not attempted", 0, 2)]).sentence
    '3 of 5 points, 1 of 2 exercises pass.'
    """

    points: float
    max_points: float
    passed: int
    exercises: int

    @classmethod
    def over(cls, scores: Iterable[Score]) -> "Total":
        """The sum of some scores."""
        scores = list(scores)
        return cls(
            sum(score.points for score in scores),
            sum(score.max_points for score in scores),
            sum(score.passed for score in scores),
            len(scores),
        )

    @property
    def sentence(self) -> str:
        """The total in words, as in "7 of 9 points, 2 of 3 exercises pass"."""
        return (
            f"{number(self.points)} of {number(self.max_points)} points, {self.passed} of "
            f"{self.exercises} exercises pass."
        )


@dataclass
class Results:
    """Everything that was scored. remarks: what is to be said besides, in sentences; seconds: that it took."""

    scores: list[Score] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> Total:
        """The sum of all scores."""
        return Total.over(self.scores)


# ---------------------------------------------------------------- scoring


def scored(folder: Path, lesson: str, trust: bool = False) -> tuple[list[Score], list[str]]:
    """(scores, remarks): every exercise of a lesson, as a grading scores it; what is missing gets nothing.

    The notebook lies in a folder of the lesson's name, in `work/` or `notebooks/`, or by itself; else exactly
    one copy of it lies anywhere below. trust: run the answers without walls; they can do then what this
    process can. Raises JailError where there are no walls.
    """
    places = [folder / place.format(lesson=lesson) for place in PLACES]
    path = next((place for place in places if place.is_file()), folder / f"{lesson}.ipynb")
    data, notes = submission.load(path, alone=False)
    if data is None:
        known = exercises_of(lesson).items()
        reason = f"There is no notebook of {lesson} here."
        missing = [Score(lesson, name, MISSING, 0.0, exercise.points, reason) for name, exercise in known]
        return missing, [f"{lesson}: {note}" for note in notes]
    graded = grade_one(Task(lesson, "", data, tuple(notes)), trust)
    said = {}
    if graded.text:
        said = messages(graded.text)
    scores = []
    for name, exercise in exercises_of(lesson).items():
        verdict = graded.record.get("verdicts", {}).get(name)
        if verdict is None:
            reason = graded.error or "This exercise was not judged."
            scores.append(Score(lesson, name, MISSING, 0.0, exercise.points, reason))
            continue
        text = said.get(name, "")
        scores.append(Score(lesson, name, verdict["status"], verdict["points"], verdict["max_points"], text))
    return scores, [f"{lesson}: {note}" for note in graded.record.get("notes", ())]


def replaced(scores: list[Score], others: Iterable[Score]) -> tuple[list[Score], list[str]]:
    """(scores, remarks): scores with those of other files in their places. An answer counts for more than
    none; of two, the later one."""
    counted = {(score.lesson, score.exercise): score for score in scores}
    remarks = []
    for score in others:
        key = (score.lesson, score.exercise)
        if key not in counted or score.status == MISSING:
            continue
        if counted[key].status != MISSING:
            remarks.append(
                f"{score.lesson}: `{score.exercise}` is answered in several files; the last one counts."
            )
        counted[key] = score
    return list(counted.values()), remarks


def open_questions(lessons: Iterable[str]) -> list[str]:
    """What is to be said of the questions that a person reads: a sentence, or nothing."""
    cells = [cell for lesson in lessons for cell in loads(released(lesson)).cells]
    waiting = sum(is_grade(cell) and is_solution(cell) for cell in cells)
    if not waiting:
        return []
    return [f"Open questions ({waiting}) are read by a person: their points are no part of this."]


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


def format_of(path: Path) -> str:
    """The format that a file's name asks for. Raises ValueError for a name of no format, or a folder that is
    not there."""
    if path.suffix not in FORMATS:
        raise ValueError(
            f"{path.name} has no format of its own: name it .xml (JUnit), .md (Markdown) or .json (Gradescope)."
        )
    if not path.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {path.absolute().parent} to write {path.name} into.")
    return path.suffix


def write(results: Results, path: Path) -> None:
    """Write the results in the format that the file's name asks for. Raises ValueError, as `format_of`, and OSError."""
    write_whole(path, FORMATS[format_of(path)](results))


def clean(text: str) -> str:
    """A text without what a file of results cannot hold, no longer than is read.

    >>> clean("a\\x00b\\x1b[31m")
    'a\ufffdb\ufffd[31m'
    """
    shown = UNSHOWN.sub("\ufffd", with_directions_shown(text.replace("\r\n", "\n").replace("\r", "\n")))
    if len(shown) <= LONGEST:
        return shown
    return shown[:LONGEST] + "\n… cut: the rest is not shown"


def junit(results: Results) -> str:
    """JUnit's XML: a suite for each lesson, a case for each exercise; what is not attempted is a failure, too."""
    root = ElementTree.Element("testsuites", time=f"{results.seconds:.1f}")
    for lesson in dict.fromkeys(score.lesson for score in results.scores):
        in_lesson = [score for score in results.scores if score.lesson == lesson]
        errors = sum(score.status == ERROR for score in in_lesson)
        failures = sum(not score.passed for score in in_lesson) - errors
        suite = ElementTree.SubElement(root, "testsuite", name=lesson, tests=str(len(in_lesson)))
        suite.set("failures", str(failures))
        suite.set("errors", str(errors))
        for score in in_lesson:
            case = ElementTree.SubElement(suite, "testcase", classname=lesson, name=score.exercise)
            if not score.passed:
                message = f"{say(score.status)}, {number(score.points)} of {number(score.max_points)} points"
                kind = "failure"
                if score.status == ERROR:
                    kind = "error"
                told = ElementTree.SubElement(case, kind, message=message)
                told.text = clean(score.text)
        said = "\n".join([Total.over(in_lesson).sentence, *results.remarks])
        ElementTree.SubElement(suite, "system-out").text = clean(said)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(results: Results) -> str:
    """A table of Markdown, in which nothing that a learner wrote is markup; a table's cell is one line, so
    its lines are broken by `<br>`."""
    lines = [
        f"**{results.total.sentence}**",
        "",
        "| lesson | exercise | | points | what was found |",
        "|---|---|---|---|---|",
    ]
    for score in results.scores:
        points = f"{number(score.points)} of {number(score.max_points)}"
        state = f"{MARKS[score.status]} {say(score.status)}"
        lines.append(f"| {score.lesson} | `{score.exercise}` | {state} | {points} | {cell(score.text)} |")
    for remark in results.remarks:
        lines += ["", cell(remark)]
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
    lines = clean(text).split("\n")
    return "<br>".join(
        re.sub(r"[^\w\s,.;?!'()=+−∞·-]|_|(?<=\w)\.(?=\w)", lambda c: f"&#{ord(c[0])};", line)
        for line in lines
    )


def gradescope(results: Results) -> str:
    """Gradescope's `results.json`: a test for each exercise; learners see what was found, and not what was printed.

    Source of the format: https://gradescope-autograders.readthedocs.io/en/latest/specs/
    """
    tests = [
        {
            "name": f"{score.lesson}: {score.exercise}",
            "score": score.points,
            "max_score": score.max_points,
            "status": "passed" if score.passed else "failed",
            "output": clean(score.text) or say(score.status),
            "output_format": "text",
            "visibility": "visible",
        }
        for score in results.scores
    ]
    whole = {
        "score": round(results.total.points, 4),
        "execution_time": round(results.seconds),
        "output": clean("\n".join([results.total.sentence, *results.remarks])),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, Callable[[Results], str]] = {".xml": junit, ".md": markdown, ".json": gradescope}
