"""The teacher's commands after grading: report, export, feedback, release, collect, regrade. Each says in a
sentence what went wrong, and exits with 1; with 2, as Typer does, where the words of the command are
wrong."""

from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from grader.classroom.grade import Course


app = typer.Typer()
out, err = Console(), Console(stderr=True)
LESSONS = typer.Argument(help="Lessons, as 02_bce, bce or 2.")


def say(text: str):
    """Print a sentence as it is: brackets and quotes in names are no markup."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def stop(sentence: str, code: int = 1):
    """Say why a command ends, and end it. Raises typer.Exit with this code."""
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def find_lessons(names: Iterable[str]):
    """The lessons that these words of a command name."""
    from grader.course.lessons import find

    try:
        return [find(n) for n in names]
    except ValueError as error:
        stop(str(error), 2)


def warn_of_readers(course: "Course"):
    """Say so where the course's folder is open to everybody on this machine."""
    from grader.classroom.grade import readable_by_others

    if sentence := readable_by_others(course.root):
        err.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _course():
    """The course of this folder; what can go wrong with it becomes a sentence."""
    from grader.classroom.export import ExportError
    from grader.classroom.grade import GradingError, course_here
    from grader.classroom.gradebook import GradebookError
    from grader.classroom.report import ReportError
    from grader.classroom.rounds import RoundError
    from grader.jail import JailError

    try:
        yield course_here()
    except (GradingError, GradebookError, ReportError, ExportError, RoundError, JailError) as error:
        stop(str(error))
    except OSError as error:
        stop(
            f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}. Nothing was "
            "half-written; make room or set the permissions, and run it again."
        )


@app.command()
def report(
    lesson: list[str] = typer.Argument(
        None, help="Lessons, as 02_bce, bce or 2; all that are graded, and the course, by default."
    ),
):
    """Write reports/LESSON.html and .csv: scores, mistakes, who is stuck where, what to say in the next
    lecture, equal answers."""
    from grader.classroom import report as pages
    from grader.course.lessons import lessons

    names = find_lessons(lesson or [])
    with _course() as course:
        for path in pages.write(course, names or lessons(), references=pages.course_answers, whole=not names):
            say(f"{path.relative_to(course.root)}")


@app.command()
def name(
    lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2."),
    group: str = typer.Argument(help="The group, as the report names it."),
    sentence: str = typer.Argument(help="What they did, and what is right instead."),
    hint: str = typer.Option("", help="How to repair it."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before the function is written."),
    trust_submissions: bool = typer.Option(False, help="Grade without walls, as `grade` does."),
):
    """Teach the judge a mistake that a group of learners made: it becomes a known mistake, and whoever may
    read its sentence is graded again."""
    import subprocess
    import sys

    from grader.classroom import report as pages
    from grader.classroom import unnamed

    (found,) = find_lessons([lesson])
    with _course() as course:
        records = pages.read(course, found).records
        try:
            exercise, members = unnamed.find(records, group, found)
            # nothing of a learner's runs here before a person has read it
            say(
                f"The mistake of {len(members.learners)} learners in {exercise.name}, as the course would keep it:\n\n"
                f"{unnamed.function_text(exercise, members)}\n"
            )
            if not yes and not typer.confirm(
                "Once it is written, the course runs this function in its own process. Try it, "
                "behind the walls, and write it?"
            ):
                stop("Nothing was written.")
            text = unnamed.tried(exercise, members, sentence, hint, trust_submissions)
            path = unnamed.write(exercise, text)
        except unnamed.NamingError as error:
            stop(str(error))
    say(f"{path.name}: written. The wrong answers to {exercise.name} are judged again.")
    trust = []
    if trust_submissions:
        trust = ["--trust-submissions"]
    done = subprocess.run([sys.executable, "-m", "grader", "grade", found, *trust], check=False)
    if done.returncode:
        stop(f"The grading went wrong: run `./course grade {found}` again.")
    say(f"Now `./course feedback {found}` tells them.")


@app.command()
def export(
    format: str = typer.Argument(help="canvas, moodle or csv."),
    to: str = typer.Option(None, help="The file to write; canvas.csv, moodle.csv or grades.csv by default."),
):
    """Write the gradebook's scores as a CSV file that Canvas or Moodle imports."""
    from grader.classroom import export as formats

    if format not in formats.FORMATS:
        stop(f"There is no format {format!r}. There are: {', '.join(formats.FORMATS)}.", 2)
    with _course() as course:
        path, count, waiting, told = formats.export(course, format, to)
    say(f"{path}: {count} {'student' if count == 1 else 'students'}")
    if told:
        say(told)
    if waiting:
        say(formats.still_to_read(waiting))


@app.command()
def read(
    lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2."),
    names: bool = typer.Option(False, "--names", help="Say whose an answer is; by default it has a number."),
    browser: bool = typer.Option(True, help="Open a browser window."),
    port: int = typer.Option(0, help="The port; any free one by default."),
):
    """Read the open answers of a lesson side by side, and give points and comments by keys. Ctrl-C ends it."""
    import webbrowser

    from grader.classroom.reading import Reading, Server

    (name,) = find_lessons([lesson])
    with _course() as course:
        reading = Reading(course, name, names)
        if not reading.questions:
            stop(f"{name} has no open question.")
        if not reading.is_graded:
            stop(f"No submission of {name} is graded: run `./course grade {name}` first.")
        server = Server(reading, port)
        print(f"{server.address} shows the open answers of {name}. Ctrl-C ends it.", flush=True)
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve()
        except KeyboardInterrupt:
            say("")


@app.command()
def feedback(lesson: list[str] = LESSONS):
    """Make each learner's feedback page, where a grade, comment or score has changed.
    `nbgrader release_feedback` hands them out."""
    from grader.classroom import rounds

    names = find_lessons(lesson)
    with _course() as course:
        for name in names:
            made, unchanged = rounds.feedback(course, name)
            say(f"{name}: {made} {'page' if made == 1 else 'pages'} made, {unchanged} unchanged")


@app.command()
def release(
    lesson: list[str] = LESSONS, again: bool = typer.Option(False, help="Replace what was released before.")
):
    """Put lessons where learners fetch them."""
    from grader.classroom import rounds

    names = find_lessons(lesson)
    with _course() as course:
        for name in names:
            say(f"{name}: released to {rounds.release(course, name, again)}")


@app.command()
def collect(
    lesson: list[str] = LESSONS,
    archive: Path = typer.Option(
        None, "--from", help="A zip archive of submissions from Canvas or Moodle, instead of the exchange."
    ),
):
    """Take in the newest submission of everybody; a resubmission replaces the earlier one."""
    from grader.classroom import rounds

    names = find_lessons(lesson)
    if archive:
        _take_in(names, archive)
        return
    with _course() as course:
        warn_of_readers(course)
        for name in names:
            found = rounds.collect(course, name)
            for warning in found.warnings:
                say(warning)
            again = ""
            if found.replaced:
                again = f" ({first_ten(found.replaced)})"
            say(
                (
                    f"{name}: {len(found.new)} new, {len(found.replaced)} replaced by a newer one{again}, "
                    f"{found.same} unchanged"
                )
                + (f", {found.refused} not collected (see above)" if found.refused else "")
            )


def _take_in(names, archive):
    """Take in the submissions of one lesson from a platform's archive."""
    from grader.classroom.archive import ArchiveError, take_in

    if len(names) != 1:
        stop("An archive holds the submissions of one lesson: name that one.", 2)
    (name,) = names
    with _course() as course:
        warn_of_readers(course)
        try:
            done = take_in(course, name, archive)
        except ArchiveError as error:
            stop(str(error))
    for sentence in done.left:
        say(sentence)
    if done.older:
        example = course.folder("submitted", done.older[0], name).relative_to(course.root)
        say(
            f"{first_ten(done.older)}: what lies here is newer than what the archive holds, and stays. If "
            f"the older one is to count, remove the newer one ({example}), and collect again."
        )
    left = ""
    if done.left:
        left = f"; left in the archive: {len(done.left)} (see above)"
    again = ""
    if done.replaced:
        again = f" ({first_ten(done.replaced)})"
    older = ""
    if done.older:
        older = f", {len(done.older)} older than what is here (see above)"
    say(
        f"{name}: {len(done.new)} new, {len(done.replaced)} replaced by what the archive "
        f"holds{again}, {done.same} unchanged{older}{left}"
    )


def first_ten(names: list[str]) -> str:
    """The first ten of these names, and an ellipsis where there are more."""
    listed = ", ".join(names[:10])
    if len(names) > 10:
        return f"{listed} …"
    return listed


@app.command()
def students(
    path: Path = typer.Argument(
        help="A class list: a CSV file with the columns id, first_name, last_name, email.",
        exists=True,
        dir_okay=False,
    ),
):
    """Take a class list into the gradebook: new students are added, known ones changed, nobody is removed."""
    from grader.classroom.roster import RosterError, take_in

    with _course() as course:
        try:
            done = take_in(course, path)
        except RosterError as error:
            stop(str(error))
    say(f"{done.new} new, {done.changed} changed, {done.same} unchanged")


@app.command()
def extend(
    lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2."),
    student: str = typer.Argument(help="The learner's id."),
    days: float = typer.Argument(min=0, help="Days after the due date, as 2 or 0.5; 0 takes them back."),
):
    """Give one learner more time. It takes the place of an earlier extension, and a late penalty follows at once."""
    from grader.classroom.gradebook import Book

    (name,) = find_lessons([lesson])
    with _course() as course, Book(course.coursedir, course.config) as book:
        book.extend(name, student, days)
    given = f"{days:g} {'day' if days == 1 else 'days'} more for {name}"
    if not days:
        given = f"no more time for {name} than everybody has"
    say(f"{student}: {given}. Now `./course feedback {name}` tells the new score.")


@app.command()
def regrade(
    student: str = typer.Argument(help="The learner's id."),
    lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2."),
    trust_submissions: bool = typer.Option(
        False, help="Run the submission without walls: it can do what you can."
    ),
):
    """Repeat a verdict exactly, with the inputs that were used, and say why. Changes nothing. Exit code 1 if
    it comes out differently."""
    from grader.classroom import rounds
    from grader.jail.launch import walls

    (name,) = find_lessons([lesson])
    if not trust_submissions and not (found := walls()).ok:
        stop("\n".join([found.why, *found.advice]))
    with _course() as course:
        result = rounds.regrade(course, student, name, trust_submissions)
    for message in result.messages:
        say(message + "\n")
    for change in result.changed:
        say(change)
    points = [f"{sum(v['points'] for v in verdicts.values()):g}" for verdicts in (result.before, result.now)]
    if result.same:
        say(f"The same as recorded: {points[1]} points, seed {result.seed}.")
    else:
        differ = [n for n in {**result.before, **result.now} if result.before.get(n) != result.now.get(n)]
        stop(
            f"Not the same as recorded: {points[0]} points then, {points[1]} now, seed {result.seed}. "
            f"It differs in {', '.join(differ)}."
        )
