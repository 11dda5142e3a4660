"""The class report: a page for each lesson and one for the course, from the records of grading and the
gradebook's manual scores.

Reading (files) is apart from counting (pure) and from writing (a template that escapes all it is given).
"""

import base64
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import StatisticsError, correlation, median, stdev
from typing import TYPE_CHECKING

import grader
from grader.classroom import similar
from grader.classroom.anonymous import anonymous, words_of
from grader.classroom.export import number, table
from grader.classroom.marks import Marks, exists, marks, roster
from grader.classroom.prose import prose
from grader.classroom.submission import is_text
from grader.classroom.unnamed import groups
from grader.course.cells import is_solution
from grader.course.files import write_whole
from grader.course.lessons import lessons as all_lessons
from grader.judging.outcome import NO_SHELL

if TYPE_CHECKING:
    from grader.classroom.grade import Course


TEMPLATES = Path(__file__).parent / "templates"
MOST = 5  # mistakes that are proposed for the next lecture
CALLED = "Called what was to be built"
FEWEST = 5  # learners from which on a correlation is a number at all
WORDS = {"passed": "✔ passed", "not yet": "✘ not yet", "error": "⚠ error", "not attempted": "○ not attempted"}


class ReportError(RuntimeError):
    """There is nothing to report; says why, and what to do."""


# ---------------------------------------------------------------- reading


@dataclass
class Graded:
    """What was read of one lesson: student -> record, student -> Marks, and who has submitted without being graded."""

    lesson: str
    records: dict
    marks: dict = field(default_factory=dict)
    waiting: list = field(default_factory=list)
    damaged: list = field(default_factory=list)
    missing: list = field(default_factory=list)  # of the class: who has handed in nothing
    # of these: (student, for how many lessons running), from two on
    running: list = field(default_factory=list)
    earlier: str = ""  # the lesson before it that the class had; "" where this is the first
    attempts: dict = field(default_factory=dict)  # student -> how often it was handed in


def read(course: "Course", lesson: str):
    """The records of a lesson, and what the gradebook adds. A record that cannot be read is named, not fatal.

    Who is excluded by nbgrader's configuration, or was removed from the gradebook, is left out.
    """
    graded = Graded(lesson, {})
    people = _class(course)
    for path in _folders(course, "autograded", lesson):
        if path.parent.name not in people:
            continue
        try:
            record = json.loads((path / "graded.json").read_bytes())
            if not all(
                isinstance(v["points"] + v["max_points"], (int, float)) and v["status"] in WORDS
                for v in record["verdicts"].values()
            ):
                raise ValueError
            graded.records[path.parent.name] = record
        except FileNotFoundError:
            graded.waiting.append(path.parent.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            graded.damaged.append(path.parent.name)
    known = {*graded.records, *graded.waiting, *graded.damaged}
    graded.waiting += sorted((_handed_in(course, lesson) & people) - known)
    if graded.records:
        graded.marks = marks(course, lesson)
    _who_is_missing(course, graded, people)
    in_exchange: Counter[str] = Counter()
    if graded.records:
        in_exchange = _in_exchange(course, lesson)
    for student, record in graded.records.items():
        # the record counts what was graded; nbgrader's own autograde begins a new one each time
        graded.attempts[student] = max(1, in_exchange[student], int(record.get("handed_in") or 1))
    return graded


def _class(course):
    """The students of the course: those of the gradebook, and whoever has handed in something and was not
    graded yet."""
    listed = set()
    if exists(course):
        listed = roster(course)
    graded = {p.parent.name for lesson in all_lessons() for p in _folders(course, "autograded", lesson)}
    submitted = set().union(*(_handed_in(course, lesson) for lesson in all_lessons()))
    # whoever was graded and is not in the gradebook was removed from it; a gradebook that knows none of them
    # is a new one
    removed = set()
    if listed & graded:
        removed = graded - listed
    return (listed | graded | submitted) - removed - course.excluded


def _handed_in(course, lesson):
    """Who has handed in a lesson, in a submission that lies here or was graded."""
    return {p.parent.name for step in ("submitted", "autograded") for p in _folders(course, step, lesson)}


def _in_exchange(course, lesson):
    """How many submissions of a lesson lie in the exchange, by student: it keeps all of them."""
    from nbgrader.apps import NbGraderAPI

    api = NbGraderAPI(coursedir=course.coursedir, config=course.config)
    inbound = Path(api.exchange_root, course.coursedir.course_id, "inbound")
    return Counter(p.name.partition(f"+{lesson}+")[0] for p in inbound.glob(f"*+{lesson}+*"))


def _who_is_missing(course, graded, people):
    """Fill in who has not handed in a lesson, and who not the one before it. A lesson that nobody handed in
    was not given to this class."""
    names = all_lessons()
    before = []
    if graded.lesson in names:
        before = names[: names.index(graded.lesson)]
    absent = {lesson: people - _handed_in(course, lesson) for lesson in [*before, graded.lesson]}
    given = [lesson for lesson in before if absent[lesson] != people]
    graded.missing = sorted(absent[graded.lesson])
    graded.earlier = ""
    if given:
        graded.earlier = given[-1]
    graded.running = running([absent[lesson] for lesson in [*given, graded.lesson]])


def _folders(course, step, lesson):
    pattern = Path(course.folder(step, "*", lesson))
    return sorted(
        path
        for path in pattern.parents[1].glob(f"*/{lesson}")
        if path.is_dir() and not path.parent.name.startswith(".") and is_text(path.parent.name)
    )


# ---------------------------------------------------------------- counting


def mistake_of(verdict: dict):
    """What went wrong, in a sentence that is the same for everybody with the same mistake."""
    if verdict.get("called"):
        return f"{CALLED}: " + ", ".join(f"`{n}`" for n in verdict["called"]) + "."
    if verdict.get("mistake"):
        return verdict["mistake"]
    if verdict["status"] == "error":
        return _error(verdict.get("finding", ""))
    return "Another difference: no mistake that is known."


def _error(finding):
    """An error without what differs from one answer to the next: where it was, and what Python says of it."""
    if NO_SHELL in finding:
        return NO_SHELL
    raised = re.match(r"Your code raised (\w+)", finding)
    if raised:
        return f"The code stopped with {raised[1]}."
    defining = re.search(r": the cell that was to define it stopped with (\w+)", finding)
    if defining:
        return f"The cell that was to define the function stopped with {defining[1]}."
    return finding.split(" (line ")[0]


def kind_of(says: str):
    """What is one mistake, in whichever exercise it was made: a call of what was to be built is one, whatever
    was called."""
    if says.startswith(CALLED):
        return f"{CALLED}."
    return says


def summarise(graded: Graded, references: dict[str, str] | None = None, stubs: Iterable[str] = ()):
    """Everything that a lesson's page says, as plain data. references: name -> the course's answer; stubs:
    sources that say nothing."""
    records, references = graded.records, references or {}
    known = words_of([*references.values(), *stubs])
    # a row for each learner, and what is to be said of each exercise
    names = list(dict.fromkeys(n for r in records.values() for n in r["verdicts"]))
    rows = {student: _row(record, graded.marks.get(student)) for student, record in records.items()}
    exercises = [
        _exercise(name, {s: r["verdicts"][name] for s, r in records.items() if name in r["verdicts"]})
        for name in names
    ]
    for exercise in exercises:
        exercise["discrimination"] = discrimination(exercise["name"], rows)
        for mistake in exercise["mistakes"]:
            mistake["example"] = _example(records, exercise["name"], mistake["learners"], known)
    # wrong answers that do the same, and have no sentence yet
    for unnamed in groups(records):
        exercise = next(e for e in exercises if e["name"] == unnamed.exercise)
        exercise["groups"].append({"group": unnamed, "source": anonymous(unnamed.source, known)})
    questions = sorted({q for r in rows.values() for q in r["questions"]})
    equal = [one for name in names for one in _equal_answers(name, records, references, stubs)]
    return {
        "lesson": graded.lesson,
        "rows": rows,
        "names": names,
        "exercises": exercises,
        "waiting": graded.waiting,
        "damaged": graded.damaged,
        "missing": graded.missing,
        "running": graded.running,
        "earlier": graded.earlier,
        "attempts": _attempts(graded.attempts),
        "questions": [
            _question(q, [r["questions"][q] for r in rows.values() if q in r["questions"]]) for q in questions
        ],
        "scores": _spread([(r["score"], r["most"]) for r in rows.values()]),
        "lecture": lecture(exercises),
        "equal": equal,
        "notes": {s: r["notes"] for s, r in records.items() if r.get("notes")},
        "ungraded": sum(any(m.waiting for m in r["questions"].values()) for r in rows.values()),
        "again": [s for s, r in rows.items() if any(m.again for m in r["questions"].values())],
        "overridden": [(s, name) for s, r in rows.items() for name in r["overridden"]],
    }


def _equal_answers(name, records, references, stubs):
    """The groups of learners whose answers to an exercise are equal, to each other or to the course's."""
    answers = {
        student: record["answers"][name]
        for student, record in records.items()
        if isinstance(record.get("answers", {}).get(name), str)
    }
    reference = {}
    if name in references:
        reference = {"the course's own": references[name]}
    for keys in similar.groups(answers, reference, stubs):
        learners = [k for k in keys if k not in reference]
        yield {
            "exercise": name,
            "learners": learners,
            "course": len(learners) < len(keys),
            "source": answers[learners[0]],
        }


def _row(record, given):
    """One learner's line: points by exercise, as a person may have changed them, and open questions."""
    given = given or Marks()
    points, questions = {n: v["points"] for n, v in record["verdicts"].items()}, {}
    most = sum(v["max_points"] for v in record["verdicts"].values())
    for cell, mark in given.cells.items():
        name = cell.removeprefix("test_")
        if name in points:
            if mark.manual is not None or mark.extra:
                points[name] = mark.score
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
        "again": any(m.again for m in given.cells.values()),
        "overridden": [
            c.removeprefix("test_")
            for c, m in given.cells.items()
            if m.again and c.removeprefix("test_") in points
        ],
        "verdicts": record["verdicts"],
        "notes": record.get("notes", []),
    }


def _exercise(name, verdicts):
    """How an exercise went: counts, the mistakes and who made them, who has not tried it."""
    by = {status: [s for s, v in verdicts.items() if v["status"] == status] for status in WORDS}
    mistakes = {}
    for student in [*by["not yet"], *by["error"]]:
        verdict = verdicts[student]
        found = mistakes.setdefault(
            mistake_of(verdict), {"says": mistake_of(verdict), "hint": "", "learners": []}
        )
        found["hint"] = found["hint"] or verdict.get("hint", "")
        found["learners"].append(student)
    return {
        "name": name,
        "total": len(verdicts),
        "passed": len(by["passed"]),
        "tried": len(verdicts) - len(by["not attempted"]),
        "triers": [s for s in verdicts if s not in by["not attempted"]],
        "absent": by["not attempted"],
        "groups": [],
        "mistakes": sorted(mistakes.values(), key=lambda m: (-len(m["learners"]), m["says"])),
        "points": number(sum(v["points"] for v in verdicts.values()) / max(1, len(verdicts))),
        "most": max((v["max_points"] for v in verdicts.values()), default=0),
    }


def discrimination(name: str, rows: dict[str, dict]):
    """How well an exercise tells apart who does well in the rest: the corrected item-total correlation, or None.

    r = cov(x, T − x) / (s(x) · s(T − x)), over all submissions: x the points of the exercise, T the score, s
    the standard deviation. The exercise itself is taken out of the total, which it would else correlate with
    for that reason alone. For an exercise that is passed or not it is the point-biserial correlation. None
    where all have the same points, or with fewer than five submissions. Source: R. L. Ebel and D. A. Frisbie,
    Essentials of Educational Measurement.

    >>> rows = [{"points": {"a": a, "b": b}, "questions": {}} for a, b in ((0, 0), (0, 1), (1, 1), (1, 2), (1, 2))]
    >>> round(discrimination("a", dict(enumerate(rows))), 2)
    0.76
    """
    items, rests = [], []
    for row in rows.values():
        if name in row["points"]:
            items.append(row["points"][name])
            total = sum(row["points"].values()) + sum(mark.score for mark in row["questions"].values())
            rests.append(total - row["points"][name])
    if len(items) < FEWEST:
        return None
    try:
        return correlation(items, rests)
    except StatisticsError:  # all have the same
        return None


def _example(records, name, learners, known):
    """One of the answers in which a mistake was made, the shortest, without what says whose it is; "" where
    there is none."""
    answers = [records[s].get("answers", {}).get(name) for s in learners]
    shown = [anonymous(answer, known) for answer in answers if isinstance(answer, str) and answer.strip()]
    return min(shown, key=_readable_and_short, default="")


def _readable_and_short(source):
    return source.startswith("#"), len(source), source


def _attempts(counts):
    """How often a lesson was handed in: the mean, the most, and how many learners did so how often."""
    if not counts:
        return None
    return {
        "mean": number(round(sum(counts.values()) / len(counts), 2)),
        "most": max(counts.values()),
        "counts": sorted(Counter(counts.values()).items()),
    }


def _question(name, given):
    done = [m.score for m in given if not m.unread]
    return {
        "name": name,
        "most": max(m.most for m in given),
        "waiting": sum(m.waiting for m in given),
        "again": sum(m.again for m in given),
        "mean": number(round(sum(done) / len(done), 2)) if done else None,
        "read": len(done),
    }


def _spread(scores):
    """Of scores and the most that each could be: count, mean, standard deviation (with n − 1; None for one
    score), median, quarters."""
    values = sorted(s for s, _ in scores)
    if not values:
        return None
    half = len(values) // 2
    return {
        "count": len(values),
        "most": max(m for _, m in scores),
        "mean": number(round(sum(values) / len(values), 2)),
        "deviation": number(round(stdev(values), 2)) if len(values) > 1 else None,
        "median": number(median(values)),
        "low": number(round(median(values[:half] or values), 2)),
        "high": number(round(median(values[-half:] or values), 2)),
        "full": sum(s >= m for s, m in scores),
        "none": sum(s == 0 for s, _ in scores),
        "values": values,
    }


def lecture(exercises: Iterable[dict], most: int = MOST):
    """What to speak about: the mistakes made most often, those that have a name. One mistake in several
    exercises is one, and so is each learner who made it.

    Each is {"says", "hint", "learners", "exercises", "tried", "example"}; tried: how many tried one of these exercises.
    """
    found: dict[str, dict] = {}
    for e in exercises:
        for m in e["mistakes"]:
            if m["says"].startswith("Another difference"):
                continue
            one = found.setdefault(
                kind_of(m["says"]),
                {"says": "", "hint": "", "learners": set(), "exercises": [], "tried": set(), "example": ""},
            )
            if one["says"] in ("", m["says"]):
                one["says"] = m["says"]
            else:
                one["says"] = kind_of(m["says"])
            one["hint"] = one["hint"] or m["hint"]
            one["example"] = one["example"] or m.get("example", "")
            one["learners"] |= set(m["learners"])
            one["tried"] |= set(e["triers"])
            if e["name"] not in one["exercises"]:
                one["exercises"].append(e["name"])
    made = [m | {"learners": sorted(m["learners"]), "tried": len(m["tried"])} for m in found.values()]
    return sorted(made, key=_most_learners_first)[:most]


def _most_learners_first(mistake):
    return -len(mistake["learners"]), mistake["says"]


def running(absent: list[set[str]]):
    """Who has not handed in the last lesson, nor the one before it: (student, how many lessons running), the
    longest first.

    absent: for each lesson that the class was given, in the order of the course, who did not hand it in.

    >>> running([{"ann", "bob"}, {"ann", "cem"}, {"ann", "bob", "cem"}])
    [('ann', 3), ('cem', 2)]
    """
    counts: dict[str, int] = {}
    still = set()
    if absent:
        still = absent[-1]
    for lesson in reversed(absent):
        still = still & lesson
        counts |= {student: counts.get(student, 0) + 1 for student in still}
    return sorted([each for each in counts.items() if each[1] >= 2], key=_longest_first)


def how_many(running: list[tuple[str, int]]) -> list[str]:
    """["ann (3 lessons)"], of what `running` gives."""
    return [f"{student} ({count} lessons)" for student, count in running]


def _longest_first(each):
    return -each[1], each[0]


def changes(summary: dict, before: dict | None) -> list[str]:
    """What is different since the report of before, a sentence each. before: what `figures` gave then, or None."""
    if before is None:
        return []
    now, said = figures(summary), []
    if now["count"] != before["count"]:
        said.append(f"{now['count']} submissions are graded; there were {before['count']}.")
    if now["mean"] != before["mean"]:
        said.append(f"The mean score is {now['mean']:g}; it was {before['mean']:g}.")
    for name, (passed, total) in now["passed"].items():
        was = before["passed"].get(name)
        if was is None:
            said.append(f"`{name}` is new.")
        elif was != [passed, total]:
            said.append(f"`{name}` is passed by {passed} of {total}; it was {was[0]} of {was[1]}.")
    said += [f"`{name}` is no longer there." for name in before["passed"] if name not in now["passed"]]
    return said


def figures(summary: dict):
    """The numbers of a lesson that the next report is compared with."""
    return {
        "count": summary["scores"]["count"],
        "mean": summary["scores"]["mean"],
        "passed": {e["name"]: [e["passed"], e["total"]] for e in summary["exercises"]},
    }


# ---------------------------------------------------------------- writing


def alternative(spread: dict, unit: str):
    """The picture of the scores in words."""
    return (
        f"Histogram of the scores of {spread['count']} {unit}s, of at most {spread['most']} points. The "
        f"median is {spread['median']}, the middle half lies from {spread['low']} to {spread['high']}. "
        f"{spread['full']} have full marks, {spread['none']} have none."
    )


def picture(spread: dict, unit: str):
    """The distribution of scores as a PNG, base64: bars in one colour, the median as a dashed line with its number."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), dpi=110, layout="constrained", facecolor="white")
    axes = figure.subplots()
    most = max(spread["most"], 1)
    steps = 20
    if most <= 30:
        steps = int(most)
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
    axes.locator_params(axis="y", integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()


def environment():
    """Templates that escape whatever they are given; the filter `words` sets code and formulas, after escaping."""
    from jinja2 import Environment, FileSystemLoader

    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["words"] = prose
    made.filters["percent"] = _percent
    made.globals |= {"WORDS": WORDS, "alternative": alternative, "picture": picture, "how_many": how_many}
    return made


def _percent(part, whole):
    if not whole:
        return "–"
    return f"{100 * part / whole:.0f} %"


def csv_of(summary: dict):
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
            if verdict:
                cells += [
                    number(row["points"][name]),
                    verdict["status"],
                    "" if verdict["status"] in ("passed", "not attempted") else mistake_of(verdict),
                ]
            else:
                cells += ["", "", ""]
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


def course_summary(summaries: list[dict]):
    """The lessons beside each other: totals of each learner, where people stand still, the most frequent
    mistakes of all."""
    rows: dict[str, dict] = {}
    open_: Counter[str] = Counter()
    for s in summaries:
        for student, row in s["rows"].items():
            rows.setdefault(student, {})[s["lesson"]] = row
            open_[student] += sum(v["status"] in ("not yet", "error") for v in row["verdicts"].values())
    mistakes = lecture([e for s in summaries for e in s["exercises"]], 2 * MOST)
    totals = {
        student: (sum(r["score"] for r in mine.values()), sum(r["most"] for r in mine.values()))
        for student, mine in rows.items()
    }
    whole = sum(max(r["most"] for r in s["rows"].values()) for s in summaries)
    return {
        "lessons": summaries,
        "rows": dict(sorted(rows.items())),
        "totals": totals,
        "lecture": mistakes,
        "scores": _spread([(total, whole) for total, _ in totals.values()]),
        "stuck": [(s, n) for s, n in sorted(open_.items(), key=lambda x: (-x[1], x[0])) if n][:30],
    }


def course_csv(summary: dict):
    lessons = [s["lesson"] for s in summary["lessons"]]
    yield ["student", *lessons, "total"]
    for student, row in summary["rows"].items():
        yield [
            student,
            *(row[n]["score"] if n in row else "" for n in lessons),
            number(summary["totals"][student][0]),
        ]


def write(
    course: "Course",
    lessons: Iterable[str],
    references: Callable[[str], tuple[dict, Iterable[str]]] = lambda lesson: ({}, ()),
    whole: bool = False,
):
    """Write the reports of some lessons, and of the course; returns the paths of the pages.

    references: lesson -> (the course's answers by name, the sources of its stubs).

    Raises ReportError where nothing is graded yet.
    """
    summaries = []
    for lesson in lessons:
        graded = read(course, lesson)
        if graded.records:
            summaries.append(summarise(graded, *references(lesson)))
        elif not whole:
            raise ReportError(f"No submission of {lesson} is graded: run `./course grade {lesson}` first.")
    if not summaries:
        raise ReportError("No submission is graded: run `./course grade` first.")
    folder, templates, pages = course.root / "reports", environment(), []
    files = {}
    now = datetime.now().astimezone()
    templates.globals |= {"written": f"{now:%Y-%m-%d %H:%M %Z}", "version": grader.__version__}
    history = _History(folder / HISTORY)
    for s in summaries:
        s["since"], before = history.compared(s["lesson"], figures(s), f"{now:%Y-%m-%d %H:%M}")
        s["changes"] = changes(s, before)
        files[f"{s['lesson']}.html"] = templates.get_template("lesson.html.j2").render(s)
        files[f"{s['lesson']}.csv"] = table(csv_of(s))
    if whole:
        summary = course_summary(summaries)
        files["course.html"] = templates.get_template("course.html.j2").render(summary)
        files["course.csv"] = table(course_csv(summary))
    files[HISTORY] = history.text()
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text)
        if name.endswith(".html"):
            pages.append(folder / name)
    return pages


HISTORY = ".figures.json"  # in the reports' folder: what the next report is compared with


class _History:
    """The numbers of the last report that differ from today's, and when that was: a report that is written
    twice compares with the same one."""

    def __init__(self, path):
        try:
            self._kept = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._kept = {}
        if not isinstance(self._kept, dict):
            self._kept = {}

    def compared(self, lesson: str, now: dict, date: str):
        """(the date, the figures) of the earlier state that `now` is compared with; ("", None) where there is none."""
        kept = self._kept.get(lesson) or {}
        if kept.get("now") != now:
            kept = {"now": now, "date": date, "before": kept.get("now"), "since": kept.get("date", "")}
            self._kept[lesson] = kept
        return kept["since"], kept["before"]

    def text(self):
        return json.dumps(self._kept, ensure_ascii=False, indent=1) + "\n"


def course_answers(lesson: str):
    """(the course's answers by name, the sources of the empty exercises) of a lesson."""
    from grader.course.build import loads, released, solution_cells

    stubs = [c.source for c in loads(released(lesson)).cells if c.cell_type == "code" and is_solution(c)]
    return solution_cells(lesson), stubs
