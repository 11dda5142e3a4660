"""The class report: a page for each lesson and one for the course, from the records of grading and the gradebook's manual scores.

Reading (files) is apart from counting (pure) and from writing (a template that escapes all it is given).
"""

import ast
import base64
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import StatisticsError, correlation, median, pstdev

import grader
from grader.classroom import similar
from grader.classroom.export import number, table
from grader.classroom.gradebook import Book
from grader.classroom.marks import Marks, exists, marks, students
from grader.classroom.unnamed import groups
from grader.course.cells import is_solution
from grader.course.files import write_whole

TEMPLATES = Path(__file__).parent / "templates"
MOST = 5  # mistakes that are proposed for the next lecture
FEWEST = 5  # learners of whom a correlation says anything
EARLIER = "earlier.json"  # what the reports said when they were last written
BUILT = "Something was called that does what is to be built"  # whatever it is called, it is one mistake
WORDS = {"passed": "✔ passed", "not yet": "✘ not yet", "error": "⚠ error", "not attempted": "○ not attempted"}


class ReportError(RuntimeError):
    """There is nothing to report; says why, and what to do."""


# ---------------------------------------------------------------- reading


@dataclass
class Graded:
    """What was read of one lesson: student -> record, student -> Marks, who has submitted without being graded, and who has not submitted."""

    lesson: str
    records: dict
    marks: dict = field(default_factory=dict)
    waiting: list = field(default_factory=list)
    damaged: list = field(default_factory=list)
    absent: list = field(default_factory=list)


def read(of, lesson: str):
    """The records of a lesson, and what the gradebook adds. A record that cannot be read is named, not fatal."""
    found = Graded(lesson, {})
    for path in _folders(of, "autograded", lesson):
        try:
            record = json.loads((path / "graded.json").read_bytes())
            if not all(
                isinstance(v["points"] + v["max_points"], (int, float)) and v["status"] in WORDS
                for v in record["verdicts"].values()
            ):
                raise ValueError
            found.records[path.parent.name] = record
        except FileNotFoundError:
            found.waiting.append(path.parent.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            found.damaged.append(path.parent.name)
    known = {*found.records, *found.waiting, *found.damaged}
    found.waiting += [p.parent.name for p in _folders(of, "submitted", lesson) if p.parent.name not in known]
    if found.records:
        found.marks = marks(of, lesson)
        handed_in = {*found.records, *found.waiting, *found.damaged}
        found.absent = [student for student in enrolled(of) if student not in handed_in]
    return found


def enrolled(of):
    """Who takes part: the students of the gradebook, but for those whom nbgrader's configuration leaves out."""
    if not exists(of):
        return []
    with Book(of.coursedir, of.config) as book:
        return [student for student in students(book.db) if student not in of.excluded]


def _folders(of, step, lesson):
    pattern = Path(of.folder(step, "*", lesson))
    return sorted(
        p for p in pattern.parents[1].glob(f"*/{lesson}") if p.is_dir() and not p.parent.name.startswith(".")
    )


# ---------------------------------------------------------------- counting


def mistake_of(verdict):
    """What went wrong, in a sentence that is the same for everybody with the same mistake."""
    if verdict.get("called"):
        return "Something out of bounds was called: " + ", ".join(f"`{n}`" for n in verdict["called"]) + "."
    if verdict.get("mistake"):
        return verdict["mistake"]
    if verdict["status"] == "error":
        raised = re.match(r"Your code raised (\w+)", verdict.get("finding", ""))
        return (
            f"The code stopped with {raised[1]}."
            if raised
            else verdict.get("finding", "").split(" (line ")[0]
        )
    return "Another difference: no mistake that is known."


def summarise(graded, own=None, stubs=()):
    """Everything that a lesson's page says, as plain data. own: name -> the course's answer; stubs: sources that say nothing."""
    records, own = graded.records, own or {}
    names = list(dict.fromkeys(n for r in records.values() for n in r["verdicts"]))
    rows = {student: _row(record, graded.marks.get(student)) for student, record in records.items()}
    exercises = [
        _exercise(name, {s: r for s, r in records.items() if name in r["verdicts"]}, rows) for name in names
    ]
    for unnamed in groups(records):
        exercise = next(e for e in exercises if e["name"] == unnamed.exercise)
        exercise["groups"].append(unnamed)
    questions = sorted({q for r in rows.values() for q in r["questions"]})
    equal = []
    for name in names:
        answers = {
            s: r["answers"][name]
            for s, r in records.items()
            if isinstance(r.get("answers", {}).get(name), str)
        }
        course = {"the course's own": own[name]} if name in own else {}
        for keys in similar.groups(answers, course, stubs):
            learners = [k for k in keys if k not in course]
            equal.append(
                {
                    "exercise": name,
                    "learners": learners,
                    "course": len(learners) < len(keys),
                    "source": answers[learners[0]],
                }
            )
    return {
        "lesson": graded.lesson,
        "rows": rows,
        "names": names,
        "exercises": exercises,
        "waiting": graded.waiting,
        "damaged": graded.damaged,
        "absent": graded.absent,
        "again": sum(record.get("handed_in", 1) > 1 for record in records.values()),
        "handed_in": sum(record.get("handed_in", 1) for record in records.values()),
        "questions": [
            _question(q, [r["questions"][q] for r in rows.values() if q in r["questions"]]) for q in questions
        ],
        "scores": _spread([(r["score"], r["most"]) for r in rows.values()]),
        "lecture": lecture(exercises),
        "equal": equal,
        "notes": {s: r["notes"] for s, r in records.items() if r.get("notes")},
        "ungraded": sum(r["waiting"] for r in rows.values()),
    }


def _row(record, given):
    """One learner's line: points by exercise, as a person may have changed them, and open questions."""
    given = given or Marks()
    points, questions = {n: v["points"] for n, v in record["verdicts"].items()}, {}
    most = sum(v["max_points"] for v in record["verdicts"].values())
    for cell, mark in given.cells.items():
        name = cell.removeprefix("test_")
        if name in points:
            points[name] = mark.score if mark.manual is not None or mark.extra else points[name]
        else:
            questions[cell] = mark
            most += mark.most
    score = max(0.0, sum(points.values()) + sum(m.score for m in questions.values()) - given.penalty)
    return {
        "points": points,
        "questions": questions,
        "score": number(score),
        "most": number(most),
        "penalty": number(given.penalty),
        "waiting": any(m.unread for m in questions.values()),
        "verdicts": record["verdicts"],
        "notes": record.get("notes", []),
    }


def _exercise(name, records, rows):
    """How an exercise went: counts, the mistakes, who made them and an example of each, who has not tried it."""
    verdicts = {student: record["verdicts"][name] for student, record in records.items()}
    by = {status: [s for s, v in verdicts.items() if v["status"] == status] for status in WORDS}
    mistakes = {}
    for student in [*by["not yet"], *by["error"]]:
        verdict = verdicts[student]
        says = mistake_of(verdict)
        found = mistakes.setdefault(says, {"says": says, "hint": "", "learners": [], "sources": []})
        found["hint"] = found["hint"] or verdict.get("hint", "")
        found["learners"].append(student)
        found["sources"].append(records[student].get("answers", {}).get(name, ""))
    for mistake in mistakes.values():
        mistake["example"] = anonymous(mistake.pop("sources"))
    return {
        "name": name,
        "total": len(verdicts),
        "passed": len(by["passed"]),
        "tried": len(verdicts) - len(by["not attempted"]),
        "triers": [student for student in verdicts if student not in by["not attempted"]],
        "absent": by["not attempted"],
        "groups": [],
        "mistakes": sorted(mistakes.values(), key=lambda m: (-len(m["learners"]), m["says"])),
        "points": number(sum(v["points"] for v in verdicts.values()) / max(1, len(verdicts))),
        "most": max((v["max_points"] for v in verdicts.values()), default=0),
        "discrimination": discrimination(
            [(rows[student]["points"][name], rows[student]["score"]) for student in verdicts]
        ),
    }


def discrimination(points):
    """How well an exercise tells those who know from those who do not: the corrected item-total correlation.

    points: pairs (points of this exercise, score of the whole lesson), one for each learner. It is Pearson's correlation of the
    exercise's points with the score *without* them, from −1 to 1 (Lord and Novick, 1968); None for fewer than five learners, or
    where one of the two is the same for everybody.

    >>> round(discrimination([(0, 1), (0, 2), (1, 5), (1, 6), (1, 5)]), 2)
    0.94
    """
    if len(points) < FEWEST:
        return None
    try:
        return correlation([mine for mine, _ in points], [score - mine for mine, score in points])
    except StatisticsError:
        return None


def anonymous(sources):
    """The shortest of some answers, without comments and docstrings, in which people write names; "" where none can be read."""
    shown = []
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            if (
                isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module))
                and ast.get_docstring(node, clean=False) is not None
            ):
                node.body = node.body[1:] or [ast.Pass()]
        shown.append(ast.unparse(tree))
    return min(shown, key=len, default="")


def _question(name, given):
    done = [m.score for m in given if not m.unread]
    return {
        "name": name,
        "most": max(m.most for m in given),
        "waiting": sum(m.unread for m in given),
        "mean": number(round(sum(done) / len(done), 2)) if done else None,
    }


def _spread(scores):
    """Of scores and the most that each could be: count, mean, median, quarters, and shares for the picture."""
    values = sorted(s for s, _ in scores)
    if not values:
        return None
    half = len(values) // 2
    return {
        "count": len(values),
        "most": max(m for _, m in scores),
        "mean": number(round(sum(values) / len(values), 2)),
        "deviation": number(round(pstdev(values), 2)),
        "median": number(median(values)),
        "low": number(round(median(values[:half] or values), 2)),
        "high": number(round(median(values[-half:] or values), 2)),
        "full": sum(s >= m for s, m in scores),
        "none": sum(s == 0 for s, _ in scores),
        "values": values,
    }


def lecture(exercises, most=MOST):
    """What to speak about: the mistakes that most learners made, those that have a name. One that was made in several exercises counts once."""
    found = {}
    for exercise in exercises:
        for mistake in exercise["mistakes"]:
            says = general(mistake["says"])
            if says.startswith("Another difference"):
                continue
            one = found.setdefault(
                says, {"says": says, "hint": mistake["hint"], "exercises": [], "learners": [], "triers": []}
            )
            one["exercises"].append(exercise["name"])
            one["learners"] += [student for student in mistake["learners"] if student not in one["learners"]]
            one["triers"] += [student for student in exercise["triers"] if student not in one["triers"]]
    for one in found.values():
        one["tried"] = len(one.pop("triers"))
    return sorted(found.values(), key=lambda m: -len(m["learners"]))[:most]


def general(says):
    """A mistake's sentence without what differs from exercise to exercise."""
    return f"{BUILT}." if says.startswith("Something out of bounds was called") else says


def running(lessons, enrolled):
    """Who has not handed in twice running or more, up to the newest lesson: (student, how many), the longest first.

    lessons: for each lesson that is graded, in the order of the course, who did not hand it in.
    """
    found = []
    for student in enrolled:
        count = 0
        for absent in reversed(lessons):
            if student not in absent:
                break
            count += 1
        if count >= 2:
            found.append((student, count))
    return sorted(found, key=lambda each: (-each[1], each[0]))


def changes(summary, earlier):
    """exercise -> how many more pass than when the report was last written, where it was and differs."""
    before = earlier.get("passed", {})
    now = {e["name"]: e["passed"] for e in summary["exercises"]}
    return {
        name: count - before[name] for name, count in now.items() if name in before and count != before[name]
    }


# ---------------------------------------------------------------- writing


def alternative(spread, unit):
    """The picture of the scores in words."""
    return (
        f"Histogram of the scores of {spread['count']} {unit}s, of at most {spread['most']} points. The median is {spread['median']}, "
        f"the middle half lies from {spread['low']} to {spread['high']}. {spread['full']} have full marks, {spread['none']} have none."
    )


def picture(spread, unit):
    """The distribution of scores as a PNG, base64: bars in one colour, the median as a dashed line with its number."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), dpi=110, layout="constrained", facecolor="white")
    axes = figure.subplots()
    most = max(spread["most"], 1)
    steps = int(most) if most <= 30 else 20
    axes.hist(
        spread["values"],
        bins=[most * (i - 0.5) / steps for i in range(steps + 2)],
        color="#0072b2",
        edgecolor="white",
        linewidth=0.8,
    )
    axes.axvline(spread["median"], color="#d55e00", linestyle="--", linewidth=2)
    axes.set_xlabel(f"points, of {spread['most']}; dashed: the median, {spread['median']}")
    axes.set_ylabel(f"{unit}s")
    axes.set_xlim(-most / steps, most + most / steps)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()


def environment():
    """Templates that escape whatever they are given; the filter `words` turns backticks into code, after escaping."""
    from jinja2 import Environment, FileSystemLoader
    from markupsafe import Markup, escape

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["words"] = lambda text: Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))
    made.filters["percent"] = lambda part, whole: f"{100 * part / whole:.0f} %" if whole else "–"
    made.globals |= {
        "WORDS": WORDS,
        "alternative": alternative,
        "picture": picture,
        "written": _now(),
        "version": grader.__version__,
    }
    return made


def csv_of(summary):
    """A row for each learner: score, then points and mistake of each exercise, then open questions and notes."""
    names, questions = summary["names"], [q["name"] for q in summary["questions"]]
    yield [
        "student",
        "score",
        "max_score",
        *(f"{n}{what}" for n in names for what in (" points", " status", " mistake")),
        *questions,
        "late penalty",
        "notes",
    ]
    for student, row in summary["rows"].items():
        cells = []
        for name in names:
            verdict = row["verdicts"].get(name)
            cells += (
                [
                    number(row["points"][name]),
                    verdict["status"],
                    "" if verdict["status"] in ("passed", "not attempted") else mistake_of(verdict),
                ]
                if verdict
                else ["", "", ""]
            )
        yield [
            student,
            row["score"],
            row["most"],
            *cells,
            *(
                ""
                if q not in row["questions"] or row["questions"][q].unread
                else number(row["questions"][q].score)
                for q in questions
            ),
            row["penalty"],
            " ".join(row["notes"]),
        ]


def course_summary(summaries):
    """The lessons beside each other: totals of each learner, where people stand still, the most frequent mistakes of all."""
    rows, open_ = {}, Counter()
    for s in summaries:
        for student, row in s["rows"].items():
            rows.setdefault(student, {})[s["lesson"]] = row
            open_[student] += sum(v["status"] in ("not yet", "error") for v in row["verdicts"].values())
    totals = {
        student: (sum(r["score"] for r in mine.values()), sum(r["most"] for r in mine.values()))
        for student, mine in rows.items()
    }
    whole = sum(max(r["most"] for r in s["rows"].values()) for s in summaries)
    absent = [s["absent"] for s in summaries]
    return {
        "lessons": summaries,
        "running": running(absent, sorted(set().union(*absent))),
        "rows": dict(sorted(rows.items())),
        "totals": totals,
        "lecture": lecture([e for s in summaries for e in s["exercises"]], 2 * MOST),
        "scores": _spread([(total, whole) for total, _ in totals.values()]),
        "stuck": [(s, n) for s, n in sorted(open_.items(), key=lambda x: (-x[1], x[0])) if n][:30],
    }


def course_csv(summary):
    lessons = [s["lesson"] for s in summary["lessons"]]
    yield ["student", *lessons, "total"]
    for student, mine in summary["rows"].items():
        yield [
            student,
            *(mine[n]["score"] if n in mine else "" for n in lessons),
            number(summary["totals"][student][0]),
        ]


def write(of, lessons, own=lambda lesson: ({}, ()), whole: bool = False):
    """Write the reports of some lessons, and of the course; returns the paths of the pages.

    own: lesson -> (the course's answers by name, the sources of its stubs).
    """
    folder = of.root / "reports"
    earlier, summaries = _earlier(folder / EARLIER), []
    for lesson in lessons:
        graded = read(of, lesson)
        if graded.records:
            summaries.append(summarise(graded, *own(lesson)))
        elif not whole:
            raise ReportError(
                f"No submission of {lesson} is graded: run `python -m grader grade {lesson}` first."
            )
    if not summaries:
        raise ReportError("No submission is graded: run `python -m grader grade` first.")
    templates, pages = environment(), []
    files = {}
    for s in summaries:
        before = earlier.get(s["lesson"], {})
        s |= {"since": before.get("written", ""), "changes": changes(s, before)}
        passed = {e["name"]: e["passed"] for e in s["exercises"]}
        earlier[s["lesson"]] = {"written": _now(), "passed": passed}
        files[f"{s['lesson']}.html"] = templates.get_template("lesson.html.j2").render(s)
        files[f"{s['lesson']}.csv"] = table(csv_of(s))
    if whole:
        course = course_summary(summaries)
        files["course.html"] = templates.get_template("course.html.j2").render(course)
        files["course.csv"] = table(course_csv(course))
    files[EARLIER] = json.dumps(earlier, indent=1) + "\n"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text)
        if name.endswith(".html"):
            pages.append(folder / name)
    return pages


def _now():
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _earlier(path):
    """What the reports said when they were last written, by lesson; nothing where that cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {lesson: kept for lesson, kept in found.items() if isinstance(kept.get("passed"), dict)}
    except (OSError, ValueError, AttributeError):
        return {}


def course_answers(lesson: str):
    """(the course's answers by name, the sources of the empty exercises) of a lesson."""
    from grader.course.build import loads, released, solution_cells

    stubs = [c.source for c in loads(released(lesson)).cells if c.cell_type == "code" and is_solution(c)]
    return solution_cells(lesson), stubs
