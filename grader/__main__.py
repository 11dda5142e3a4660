"""The command line: `python -m grader …`."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from grader.classroom.commands import app as teacher
from grader.classroom.commands import err, find_lessons, out, stop, warn_of_readers

if TYPE_CHECKING:
    from grader.classroom.task import Graded


app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main():
    """Build the course, check answers, and grade a class."""
    from grader.course.lessons import unfinished

    for sentence in unfinished().values():
        err.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _lessons(names):
    from grader.course.lessons import lessons

    return find_lessons(names) or lessons()


@app.command()
def build(
    lesson: list[str] = typer.Argument(None, help="Lessons, as 02_bce, bce or 2; all of them by default."),
    again: bool = typer.Option(False, help="Build also what is unchanged."),
    figures_read: bool = typer.Option(False, help="A changed figure's text alternative is still true."),
):
    """Make the notebooks from the lessons' text: the instructor's (executed afresh) and the release."""
    from grader.course import build as author
    from grader.course import pages
    from grader.course.lessons import ROOT

    for name in _lessons(lesson or []):
        try:
            is_new = author.build(name, again, figures_read)
        except author.LessonError as error:
            stop(str(error))
        out.print(f"{name}: {'built' if is_new else 'unchanged'}", highlight=False)
    for page in pages.write():
        out.print(f"{page.relative_to(ROOT)}: tables filled; commit it, too", highlight=False)


@app.command()
def check(
    lesson: str = typer.Argument(None, help="A lesson, as 02_bce, bce or 2; needed unless --all is said."),
    files: list[str] = typer.Argument(
        None, help="Python files or notebooks with answers; your own notebook of the lesson if left out."
    ),
    all: bool = typer.Option(
        False,
        "--all",
        help="Score whole lessons (all, or those that are named); what is missing gets nothing.",
    ),
    folder: Path = typer.Option(
        None, "--in", help="With --all: where the notebooks lie; your work folder by default."
    ),
    to: list[Path] = typer.Option(
        None, help="With --all: a file to write, .xml (JUnit), .md (Markdown) or .json (Gradescope)."
    ),
    json: bool = typer.Option(False, "--json", help="One JSON object a line."),
):
    """Judge answers in notebooks or plain Python files: a line for each exercise. Exit code 1 if any fails."""
    from json import dumps

    from grader.learner import workspace
    from grader.learner.watch import judged_in

    if all:
        words = [word for word in (lesson, *(files or ())) if word]
        names = [word for word in words if not word.endswith(".py")]
        answers = [Path(word) for word in words if word.endswith(".py")]
        _score(_lessons(names), folder or workspace.WORK, answers, to or [])
    if lesson is None:
        stop("Name a lesson, as `check 02_bce`, or say --all.", 2)
    name, failed = _lessons([lesson])[0], False
    for file in files or [str(workspace.notebook_of(name))]:
        for judged in judged_in(Path(file), name):
            failed |= not judged.verdict.passed
            if json:
                print(dumps(judged.record(), ensure_ascii=False), flush=True)
            else:
                out.print(_in_a_line(judged), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(int(failed))


def _in_a_line(judged):
    """What the terminal says of one answer: file, exercise, points, and what is wrong with it."""
    verdict = judged.verdict
    score = ""
    if verdict.exercise:
        score = f"{verdict.points:g}/{verdict.max_points:g}"
    text = ""
    if not verdict.passed:
        text = verdict.message.partition("\n")[2].replace("\n", " ").strip()
    return f"{judged.file}  {verdict.title.removeprefix(': ')}  {score}  {text}".rstrip()


def _score(lessons, folder, answers, files):
    """Score lessons in a learner's folder, as a class's grading would; write the files that are asked for.
    Exit code 1 if any fails.

    answers: Python files with answers, besides the notebooks.
    """
    import time

    from grader.classroom import results
    from grader.jail.launch import JailError, walls

    # what cannot be written at the end is said before anything is judged
    try:
        for file in files:
            results.format_of(file)
    except ValueError as error:
        stop(str(error), 2)
    if not folder.is_dir():
        stop(f"There is no folder {folder}.", 2)
    began, walled, done = time.monotonic(), walls(), results.Results()
    for lesson in lessons:
        try:
            scores, remarks = results.scored(folder, lesson, trust=not walled.ok)
        except JailError as error:
            stop(str(error))
        in_files, about_files = _scores_in(answers, lesson)
        scores, replaced = results.replaced(scores, in_files)
        for score in scores:
            out.print(
                f"{score.lesson}  {score.exercise}: {score.status}  {score.points:g}/{score.max_points:g}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        done.scores += scores
        done.remarks += [*remarks, *about_files, *replaced]
    # what a reader of the scores has to know
    done.remarks = list(dict.fromkeys(done.remarks)) + results.open_questions(lessons)
    if not walled.ok:
        done.remarks.append(
            f"There are no walls here: answers run with all that this job can do. {walled.why}"
        )
    elif answers:
        done.remarks.append(
            "Python files run without walls, in a process of their own; notebooks run behind them."
        )
    done.seconds = time.monotonic() - began
    for remark in done.remarks:
        err.print(remark, style="yellow", markup=False, highlight=False, soft_wrap=True)
    out.print(done.total.sentence, highlight=False)
    try:
        for file in files:
            results.write(done, file)
    except OSError as error:
        stop(f"{error.filename} cannot be written: {error.strerror}.")
    raise typer.Exit(int(done.total.passed < done.total.exercises))


def _scores_in(answers, lesson):
    """(scores, remarks): what Python files hold of a lesson. One may hold answers to several lessons."""
    from grader.classroom.record import new_seed
    from grader.classroom.results import Score
    from grader.course.lessons import exercises_of
    from grader.learner.files import check_file

    scores, remarks = [], []
    for path in answers:
        for judged in check_file(path, lesson, seed=new_seed()):
            verdict = judged.verdict
            if verdict.exercise in exercises_of(lesson):
                text = verdict.message.partition("\n")[2]
                score = Score(
                    lesson, verdict.exercise, verdict.status, verdict.points, verdict.max_points, text
                )
                scores.append(score)
            elif "defines none of the exercises" not in verdict.finding:
                remarks.append(f"{path.name}: {verdict.finding}")
    return scores, remarks


@app.command()
def grade(
    lesson: list[str] = typer.Argument(None, help="Lessons, as 02_bce, bce or 2; all of them by default."),
    jobs: int = typer.Option(None, min=1, help="Processes on this machine; one a core by default."),
    scheduler: str = typer.Option(None, help="A Dask cluster's scheduler, as tls://host:8786."),
    open_scheduler: bool = typer.Option(
        False, help="Take a scheduler without TLS: whoever reaches its port can do what you can."
    ),
    seconds: float = typer.Option(120, min=1, help="Time for one submission, at the most."),
    json: bool = typer.Option(False, "--json", help="One JSON object a line."),
    trust_submissions: bool = typer.Option(
        False, help="Run submissions without walls: they can do what you can."
    ),
    again: bool = typer.Option(False, help="Grade also what is unchanged."),
):
    """Grade all submissions of some lessons. What is unchanged is not graded again; a killed run goes on
    where it stopped."""
    from json import dumps

    from grader.classroom.worker import shared_examiner
    from grader.jail.launch import walls

    names = _lessons(lesson or [])
    if not trust_submissions and not scheduler and not (found := walls()).ok:
        stop("\n".join([found.why, *found.advice]))
    # the examiner imports torch, twice, while this process imports nbgrader
    if not scheduler:
        shared_examiner(trust_submissions).begin()
    from grader.classroom import grade as classroom
    from grader.classroom.gradebook import GradebookError

    without: list[str] = []  # who handed in no notebook of the lesson
    try:
        with _progress(quiet=json) as advance:

            def seen(graded: "Graded", total: int):
                advance(total, bool(graded.error))
                if graded.record.get("empty"):
                    without.append(graded.student)
                if json:
                    verdicts = graded.record.get("verdicts", {})
                    print(
                        dumps(
                            {
                                "lesson": graded.lesson,
                                "student": graded.student,
                                "error": graded.error or None,
                                "why": graded.why,
                                "points": sum(v["points"] for v in verdicts.values()),
                                "max_points": sum(v["max_points"] for v in verdicts.values()),
                                "notes": graded.record.get("notes", []),
                            },
                            ensure_ascii=False,
                        ),
                        flush=True,
                    )
                elif graded.error:
                    err.print(
                        f"{graded.student}, {graded.lesson}: not graded. {graded.error}",
                        style="red",
                        markup=False,
                        highlight=False,
                        soft_wrap=True,
                    )

            course = classroom.course_here()
            warn_of_readers(course)
            counts = classroom.grade_class(
                course,
                names,
                jobs=jobs,
                scheduler=scheduler,
                open_scheduler=open_scheduler,
                seconds=seconds,
                trust=trust_submissions,
                again=again,
                seen=seen,
            )
    except (classroom.GradingError, GradebookError, OSError) as error:
        stop(str(error))
    astray = classroom.astray(course, names)
    if astray:
        err.print(
            f"Not looked at: {', '.join(astray[:10])}{' …' if len(astray) > 10 else ''}. "
            f"A submission lies in submitted/LEARNER/{names[0]}/.",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    if not counts.total():
        stop("There are no submissions of " + ", ".join(names) + " under submitted/: collect some first.")
    unchanged, failed = counts.pop("unchanged", 0), counts.pop("failed", 0)
    left_out = counts.pop("left out", 0)
    if json:
        summary = {"graded": counts.total(), "why": dict(counts), "unchanged": unchanged, "failed": failed}
        extra = {"left_out": left_out, "astray": astray}
        print(dumps(summary | {key: value for key, value in extra.items() if value}), flush=True)
    else:
        whys = ", ".join(f"{n} {why}" for why, n in counts.most_common())
        out.print(
            f"{counts.total()} graded{f' ({whys})' if whys else ''}, {unchanged} unchanged, {failed} failed.",
            highlight=False,
            soft_wrap=True,
        )
        if left_out:
            out.print(
                f"{left_out} left out: excluded by c.CourseDirectory.student_id_exclude, or removed from the gradebook "
                "(`nbgrader db student add ID` takes somebody in again).",
                highlight=False,
                soft_wrap=True,
            )
        if without:
            out.print(
                f"{len(without)} handed in no notebook of the lesson: "
                f"{', '.join(without[:10])}{' …' if len(without) > 10 else ''}. What lies there is named "
                "in their feedback and in formgrader.",
                highlight=False,
                soft_wrap=True,
                markup=False,
            )
    raise typer.Exit(int(bool(failed)))


@contextmanager
def _progress(quiet):
    """A function of (total, failed) that moves a progress bar on: rate, time left and failures so far."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("grading"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failures]}"),
        console=err,
        disable=quiet,
    )
    with bar:
        job, failures = bar.add_task("", total=None, rate="", failures=""), 0

        def advance(total: int, failed: int):
            nonlocal failures
            failures += failed
            bar.update(job, total=total, advance=1)
            task = bar.tasks[0]
            # since the beginning: what is written comes in batches, and the last of them tells nothing
            speed = 0.0
            if task.elapsed:
                speed = task.completed / task.elapsed
            bar.update(
                job, rate=f"{speed:.1f}/s" if speed else "", failures=f"{failures} failed" if failures else ""
            )

        yield advance


@app.command()
def radar(
    versions: list[str] = typer.Argument(None, help="Releases of torch, as 2.6.0 2.9.1 2.14.1."),
    here: bool = typer.Option(False, help="What is installed here, instead; prints what differs."),
):
    """Run every cell under other releases of torch, and write what comes out differently into notebooks/radar.md.

    With --here, exit code 1 if a cell differs from its stored output.
    """
    from grader import radar as losses
    from grader.course.lessons import lessons

    if here:
        differing = [change for lesson in lessons() for change in losses.changes(lesson)]
        for change in differing:
            out.print(losses.difference(change), markup=False, highlight=False, soft_wrap=True)
        out.print(f"{len(differing)} cells differ.", highlight=False)
        raise typer.Exit(int(bool(differing)))
    if not versions:
        stop("Name the releases to try, as `./course radar 2.9.1 2.14.1`, or say --here.", 2)
    try:
        found = losses.scan(versions, seen=out.print)
    except losses.RadarError as error:
        stop(str(error))
    losses.PAGE.write_text(losses.page(found), encoding="utf-8")
    out.print(f"{losses.PAGE.relative_to(losses.ROOT)}: written", highlight=False)


@app.command()
def language(
    name: str = typer.Argument(help="A language's code of two letters, as de."),
    begin: list[str] = typer.Argument(None, help="Lessons to begin with, as bce."),
):
    """Bring the catalogue of a language up to date, grader/languages/NAME.po, and count what is translated of
    each lesson."""
    from grader.course import translate

    catalog, path = translate.update(name, begin or ())
    for lesson, (have, of_all) in translate.translated(catalog).items():
        out.print(f"{have:5} of {of_all:4}  {lesson or 'what is said of any exercise'}", highlight=False)
    out.print(f"{path.relative_to(translate.ROOT)}: written", highlight=False)


@app.command()
def doctor():
    """Say which walls this machine gives to learners' code, by trying to climb them. Exit code 1 if one does
    not hold."""
    from pathlib import Path

    from rich.table import Table

    from grader.classroom.grade import readable_by_others
    from grader.jail import doctor

    if Path("nbgrader_config.py").exists() and (sentence := readable_by_others(Path.cwd())):
        err.print(sentence, style="yellow", markup=False, highlight=False, soft_wrap=True)
    found = doctor.walls()
    if not found.ok:
        stop("\n".join([found.why, *found.advice]))
    table = Table("attempt", "", "what was seen")
    with err.status("climbing the walls"):
        rows = list(doctor.climb())
    for row in rows:
        table.add_row(row.attempt, "held" if row.held else "[bold red]NOT HELD[/]", Text(row.seen))
    out.print(table)
    over = [row.attempt for row in rows if not row.held]
    if over:
        stop(
            f"{len(over)} of {len(rows)} attempts got over the walls: {', '.join(over)}. Do not grade "
            "strangers' submissions on this machine."
        )
    out.print(f"All {len(rows)} attempts were held ({found.kind}'s walls).", highlight=False)


@contextmanager
def _writable():
    """Where the work folder cannot be written, say what to set."""
    from grader.learner import workspace

    try:
        yield
    except PermissionError as error:
        place = str(error.filename).removesuffix(".part")
        stop(
            f"{place} cannot be written: this copy of the course belongs to somebody else. Your work is "
            f"looked for in {workspace.WORK}. Name a folder of your own, and run the same command again: "
            "export GRADER_WORK=~/work"
        )


@app.command()
def lab(
    browser: bool = typer.Option(True, help="Open a browser window."),
    port: int = typer.Option(8888, help="The port to try first."),
    teacher: bool = typer.Option(
        False, "--teacher", help="With nbgrader's tools for teachers, on the whole course."
    ),
):
    """Open the course in JupyterLab. Your work is kept in `work/`, and never overwritten."""
    from grader.learner import workspace

    if workspace.is_open(browser, teacher):
        return
    with _writable():
        sentences = workspace.prepare()
    for sentence in sentences:
        out.print(sentence, highlight=False, soft_wrap=True)
    raise typer.Exit(workspace.serve(port, browser, teacher))


@app.command()
def watch(
    path: str = typer.Argument(
        help="A lesson, as 02_bce, bce or 2, for your notebook of it; or a file of answers."
    ),
):
    """Check a lesson's notebook, or a Python file, each time you save it: for people who prefer an editor."""
    from grader.learner.watch import watch

    try:
        watch(Path(path), out)
    except ValueError as error:
        stop(str(error), 2)
    except KeyboardInterrupt:
        out.print("")


@app.command()
def fresh(lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2.")):
    """Put a new copy of a lesson beside yours."""
    from grader.learner import workspace

    with _writable():
        path = workspace.fresh(_lessons([lesson])[0])
    out.print(f"The course's present copy is {path}", highlight=False)


@app.command()
def reset(
    lesson: str = typer.Argument(help="A lesson, as 02_bce, bce or 2."),
    exercise: str = typer.Argument(None, help="One exercise; the whole lesson if left out."),
):
    """Set an exercise, or a lesson, back to its beginning. What you had is kept in a copy."""
    from grader.learner import workspace

    try:
        with _writable():
            kept = workspace.reset(_lessons([lesson])[0], exercise)
    except (ValueError, FileNotFoundError) as error:
        stop(str(error), 2 if isinstance(error, ValueError) else 1)
    out.print(workspace.after_reset(kept).replace("`", ""), highlight=False, soft_wrap=True)


app.add_typer(teacher)

if __name__ == "__main__":
    # `./course` says what it was called by, so that help and errors name what was typed
    app(prog_name=os.environ.pop("GRADER_TYPED", None) or "python -m grader")
