"""Grade one rebuilt notebook: ordinary cells run in a child of the jail for display; at a graded cell the
exercise is judged here.

The cell's outputs are written here, too: the panel, and one result that holds the points, which nbgrader
reads as partial credit.
"""

import base64
import functools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import nbformat

from grader.classroom.examiner import OverBudget
from grader.course.build import lends, loads, released, solution_cells
from grader.course.cells import exercise_name, grade_id, is_check, is_solution, marks
from grader.course.lessons import exercises, lessons, slug
from grader.course.rebuild import defines, harmless, without_paths
from grader.jail import Absent, ChildDied
from grader.judging.judge import judge
from grader.judging.outcome import ELSEWHERE
from grader.judging.question import Ended, Raised, Result
from grader.judging.scan import together, written
from grader.judging.verdict import ERROR, MISSING, Verdict

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from grader.jail.jail import Jail
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call


LOG = logging.getLogger(__name__)
SHOWN_BYTES = 12 << 20  # of all outputs of a notebook: more than that no browser shows
ENDED = {"deadline": Ended.LATE, "memory": Ended.MEMORY}  # what ended a child, as an answer's end
NO_MATH = "tex2jax_ignore mathjax_ignore"  # a panel quotes the learner's own words: MathJax makes links of `$\\href…$`
NO_COMPILER = "`torch.compile` does not run where submissions are graded: there is no compiler. Leave it out."
NO_TIME = "The time for the whole notebook was used up: what comes last in it was not judged. A person has to look at it."
NO_LIVES = "The interpreter ended too often: what came after that was not judged. A person has to look at it."
UNSHOWN = "… more was shown here than fits into the notebook.\n"


@dataclass(frozen=True)
class Examined:
    """What came of one notebook: the notebook with outputs, and the verdicts by the names of their exercises."""

    notebook: object
    verdicts: dict
    seed: int


def judged_in(cell: "NotebookNode", known: "dict[str, Exercise]"):
    """The exercise that a graded cell judges, of those that are known, or None."""
    if cell.cell_type != "code" or not is_check(cell):
        return None
    return known.get(exercise_name(cell))


def unjudged(exercise: "Exercise", seed: int):
    """The verdict where none was formed: no points, and nothing held against anybody."""
    finding = "This answer was not judged. It counts as none until a person has looked at it."
    return Verdict(exercise.name, ERROR, exercise.points, finding, seed=seed, details={"unjudged": True})


def _nobody(verdict):
    """Hears each verdict where nobody else does."""


def examine(
    notebook: "NotebookNode",
    jail: "Jail",
    seed: int,
    notes: Iterable[str] = (),
    seconds: float | None = None,
    seen: Callable[[Verdict], None] = _nobody,
):
    """Run and judge a rebuilt notebook. The seed and the notes are kept in its metadata, so that a verdict
    can be repeated exactly.

    seconds: after that nothing more is begun, and what is still open is not judged; as long as the jail's
    limits say by default. seen: is told each verdict as soon as it is there.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    session, known = _Session(jail, text, seconds), exercises()
    verdicts: dict[str, Verdict] = {}
    answers: dict[str, str] = {}
    texts: list[str] = []  # of the cells so far: the scan follows an answer into what it calls
    stubs = _stubs(notebook, known)
    tried: dict[str, str] = {}  # exercises whose cells were written in -> how the last of these cells ended
    try:
        for name in _borrowed(notebook, known):  # before anything of the learner's runs
            session.lend(known[name])
        for cell in notebook.cells:
            exercise = judged_in(cell, known)
            if cell.cell_type != "code":
                continue
            if exercise is not None:
                name, context = exercise.name, together(texts)
                source = written(context).get(name) or answers.get(name)
                verdicts[name] = _judge(exercise, session, seed, source, context, tried)
                write_outputs(cell, verdicts[name])
                seen(verdicts[name])
                if not verdicts[name].passed:
                    session.lend(exercise)
            else:
                if is_solution(cell):
                    answers[grade_id(cell)] = cell.source
                texts.append(cell.source)
                session.run(cell)
                for name in _meant(cell, stubs):
                    tried[name] = _ended(cell)
    finally:
        session.close()
    return noted(notebook, verdicts, seed, [*notes, *session.notes])


def noted(notebook: "NotebookNode", verdicts: dict[str, Verdict], seed: int, notes: Iterable[str]):
    """What came of a notebook, with what is to be said about it at its head and in its metadata."""
    notes = list(dict.fromkeys(notes))
    notebook.metadata["grader"] = {"seed": seed, "notes": notes}
    if notes:
        notebook.cells.insert(0, _note_cell(notes))
    return Examined(notebook, verdicts, seed)


def _borrowed(notebook, known):
    """The exercises of earlier lessons whose answers the lesson's own cells take through `ready`. What a
    learner names is not lent."""
    ids = map(grade_id, notebook.cells)
    lesson = next((known[n].lesson for n in ids if n in known), None)
    if lesson is None:
        return ()
    return lends(lesson)


def _note_cell(notes):
    """What was found in the submission, at the head of the notebook, for teacher and learner."""
    cell = nbformat.v4.new_markdown_cell(
        harmless("\n".join(["About this submission:\n", *(f"- {n}" for n in notes)]))
    )
    cell.id = "submission-notes"
    return cell


@functools.cache
def _released_cells(module):
    """The source of a lesson's exercise cells as they were released, by name, read once a process."""
    cells = loads(released(next(n for n in lessons() if slug(n) == module))).cells
    return {grade_id(cell): cell.source for cell in cells if cell.cell_type == "code" and is_solution(cell)}


def _stubs(notebook, known):
    """What the exercise cells of a notebook's lesson held before anybody wrote in them, by name."""
    module = next((known[name].lesson for name in map(grade_id, notebook.cells) if name in known), None)
    if module is None:
        return {}
    return _released_cells(module)


def _meant(cell, stubs):
    """The exercises that a cell answers, or tries to: its own where it was written in, and those whose names
    it binds."""
    written_in = grade_id(cell)
    if written_in in stubs and cell.source.strip() == stubs[written_in].strip():
        return []
    return [name for name in stubs if name == written_in or defines(cell.source, name)]


def _ended(cell):
    """How a cell that was run came to an end: "" where nothing stopped it, else the error in a line."""
    error = next((output for output in cell.outputs if output.output_type == "error"), None)
    if error is None:
        return ""
    if error.ename == "InterpreterDied":
        return f"ended: {error.evalue}"
    told = f"{error.ename}: {without_paths(error.evalue)}".strip(": ")
    return f"stopped with {told.splitlines()[0][:200]}{ELSEWHERE.get(error.ename, '')}"


def _no_function(name, kind, tried):
    """(status, finding) where there is nothing that can be called by the name of an exercise. kind: the type
    of what there is, or None."""
    if kind is not None:
        return ERROR, f"`{name}` is an object of type {kind} here, not a function."
    if name not in tried:
        return MISSING, f"There is no `{name}` when this cell is reached: nothing was written yet."
    if tried[name]:
        return (
            ERROR,
            f"There is no `{name}` when this cell is reached: the cell that was to define it {tried[name]}",
        )
    return (
        ERROR,
        f"There is no `{name}` when this cell is reached: the cell of this exercise ran, and defines no `{name}`.",
    )


def _judge(exercise, session, seed, source, context, tried):
    deadline, lost = time.monotonic() + session.jail.limits.exercise_seconds, None

    def ask(question: "Call", gradient: tuple):
        nonlocal lost
        if lost is None and time.monotonic() > deadline:
            lost = Result(ended=Ended.LATE)
        if lost is None:
            try:
                answer = session.ask(exercise, question, gradient)
                if not isinstance(answer, Absent):
                    # what an answer prints while it is judged is withheld: it may hold the inputs
                    answer = replace(answer, printed="")
                    if answer.raised is None:
                        return answer
                    return replace(answer, raised=_cleaned(answer.raised))
                lost = answer
            except _NoMore:
                raise
            except ChildDied as death:
                lost = Result(ended=ENDED.get(death.reason, Ended.DIED))
                # compiling ends for want of a compiler, or of time, whichever comes first
                if lost.ended is Ended.LATE and "torch.compile" in (source or ""):
                    lost = Result(raised=Raised("RuntimeError", NO_COMPILER))
        if isinstance(lost, Absent):
            raise _NoAnswer(lost)
        return lost

    try:
        return judge(exercise, ask, seed=seed, source=source, context=context, remember=True)
    except _NoAnswer as absent:
        status, finding = _no_function(exercise.name, absent.args[0].type, tried)
        return Verdict(exercise.name, status, exercise.points, finding, seed=seed)
    except OverBudget:
        raise
    except _NoMore:
        return unjudged(exercise, seed)
    except (
        Exception
    ) as error:  # the judge met what nobody thought of: a person has to look, and the class goes on
        LOG.exception("%s, seed %s: the judge failed", exercise.name, seed)
        session.notes.append(
            f"`{exercise.name}` could not be judged ({type(error).__name__}). A person has to look at it."
        )
        return unjudged(exercise, seed)


def _cleaned(raised):
    """What an answer raised, without this machine's paths; in plain words where the jail is the reason."""
    return replace(
        raised,
        text=NO_COMPILER
        if raised.type in ("InductorError", "BackendCompilerFailed")
        else without_paths(raised.text),
    )


@functools.cache
def _course_answers(module):
    """The course's answers in a lesson, by name, read once a process."""
    return solution_cells(next(n for n in lessons() if slug(n) == module))


class _NoMore(ChildDied):
    """Nothing more is begun in this notebook: its time is used up, or its interpreter has died too often."""


class _NoAnswer(Exception):
    """The name is not bound to anything that can be called."""


def write_outputs(cell: "NotebookNode", verdict: Verdict):
    """The outputs of a graded cell, as nbgrader reads them."""
    points = min(max(verdict.points, 0.0), float(marks(cell)["points"]))
    cell.execution_count = None
    text = verdict.message + (f"\n({_who_spoke(verdict)})" if verdict.called else "")
    cell.outputs = [
        _made(
            "display_data",
            data={"text/plain": text, "text/html": f'<div class="{NO_MATH}">{verdict.html()}</div>'},
            metadata={"grader": {"seed": verdict.seed, "verdict": verdict.summary()}},
        ),
        _made("execute_result", data={"text/plain": repr(points)}, execution_count=None),
    ]


def _who_spoke(verdict):
    """Which of the two watchers saw the forbidden call: the trace of what ran, or the scan of what is written."""
    saw = [
        who
        for who, names in (
            ("seen while it ran", verdict.details.get("trace")),
            ("seen in the cell's text", verdict.details.get("scan")),
        )
        if names
    ]
    return "; ".join(saw)


class _Session:
    """A child that runs a notebook's cells; begun again, with the cells that went well, when it died."""

    def __init__(self, jail, text, seconds=None):
        self.jail, self.child, self.done, self.deaths, self.notes, self.room = (
            jail,
            None,
            [],
            0,
            [],
            SHOWN_BYTES,
        )
        self.text = text
        self.deadline = time.monotonic() + min(
            seconds or jail.limits.notebook_seconds, jail.limits.notebook_seconds
        )

    def close(self):
        if self.child is not None:
            self.child.end()
            self.child = None

    def run(self, cell: "NotebookNode"):
        """Run an ordinary cell, and keep its outputs for the human eye."""
        if not cell.source.strip():
            return
        try:
            outcome = self._run(self._alive(), cell.source)
        except _NoMore:  # nothing of it ran
            return
        except ChildDied as death:
            self._died(death)
            cell.outputs = [
                _made("error", ename="InterpreterDied", evalue=death.says, traceback=[death.says])
            ]
            return
        cell.outputs = [_output(o) for o in outcome.outputs if self._fits(o)]
        if len(cell.outputs) < len(outcome.outputs):
            cell.outputs.append(_made("stream", name="stdout", text=UNSHOWN))
        if outcome.dropped:
            cell.outputs.append(
                _made("stream", name="stdout", text=f"… {outcome.dropped} more outputs were cut.\n")
            )
        if outcome.error:
            cell.outputs.append(
                _made(
                    "error",
                    ename=outcome.error.type,
                    evalue=outcome.error.text,
                    traceback=outcome.error.traceback.splitlines() or [outcome.error.one_line],
                )
            )
        self.done.append(cell.source)  # also where it failed: what it did before it failed stays done

    def ask(self, exercise: "Exercise", question: "Call", gradient: tuple):
        try:
            return self._alive().ask(
                exercise.name, exercise.parameters, question, gradient, forbidden=exercise.forbidden
            )
        except _NoMore:
            raise
        except ChildDied as death:
            self._died(death)
            raise

    def lend(self, exercise: "Exercise"):
        """Give `ready` the course's answer to an exercise that is judged and not passed, as it does at home.
        Never one that is still open."""
        sources = _course_answers(exercise.lesson)
        answers = {n: sources[n] for n in list(sources)[: list(sources).index(exercise.name) + 1]}
        source = f"__import__('grader').lend({answers!r})"
        try:
            self._run(self._alive(), source)
            self.done.append(source)
        except _NoMore:
            return
        except ChildDied as death:
            self._died(death)

    def _run(self, child, source):
        return child.run_cell(
            source, min(self.jail.limits.cell_seconds, max(self.deadline - time.monotonic(), 0.01))
        )

    def _fits(self, output):
        size = len(output.text) + len(output.png or b"")
        if size > self.room:
            return False
        self.room -= size
        return True

    def _died(self, death):
        if death.reason == "machine":
            raise OverBudget("machine")
        self.child, self.deaths = None, self.deaths + 1
        self.notes.append(death.says)

    def _alive(self):
        if time.monotonic() > self.deadline:
            self.notes.append(NO_TIME)
            raise _NoMore("deadline", "the time for the whole notebook is used up")
        if self.deaths > self.jail.limits.deaths:
            self.notes.append(NO_LIVES)
            raise _NoMore("died", "it died too often")
        if self.child is None:
            self.child = self.jail.child(self.text)
            # a death in here costs the question that asked for it, and is not repeated for ever
            for source in self.done:
                self._run(self.child, source)
        return self.child


def _made(kind, **fields):
    """An output, not yet validated: the notebook is, once, when it is written. Validating each alone costs
    more than judging."""
    return nbformat.from_dict(
        {"output_type": kind}
        | ({"metadata": {}} if kind in ("display_data", "execute_result") else {})
        | fields
    )


def _output(output):
    if output.kind in ("stdout", "stderr"):
        return _made("stream", name=output.kind, text=output.text)
    data = {"text/plain": output.text}
    if output.png:
        data["image/png"] = base64.b64encode(output.png).decode()
    if output.kind == "result":
        return _made("execute_result", data=data, execution_count=None)
    return _made("display_data", data=data)
