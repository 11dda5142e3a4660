"""What a lesson's notebook imports: check, ready, compare, hint, solution, progress, finish, and reset and
fresh for its file.

Guesses and the hunt have modules of their own.
"""

import difflib
import inspect
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import torch

import grader
from grader.course.lessons import exercises, find, lessons, minutes, names, slug, title
from grader.judging.judge import judge
from grader.judging.kernels import lifted
from grader.judging.language import say
from grader.judging.panel import closing, comparison, note, overview
from grader.judging.question import Ended, Result, lent, raised, run
from grader.judging.scan import together, written
from grader.judging.verdict import ERROR, FAILED, MISSING, Verdict, show_call
from grader.learner import kernel
from grader.learner import progress as book
from grader.learner.kernel import show, show_markdown

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call, Raised


__tracebackhide__ = True  # these frames are no learner's: see `question.raised`


class CheckFailed(Exception):
    """An answer that is not right yet; the panel above it says what was found."""


class Unknown(ValueError):
    """A name that the course does not know; its message says which ones are near."""


class Stopped(KeyboardInterrupt):
    """The learner stopped a cell while an answer ran."""


def check(name: str = ""):
    """Judge the exercise `name` as it stands in the notebook that calls this, and show the verdict.

    Raises NotImplementedError where nothing was attempted and CheckFailed where the answer is not right yet:
    a pass raises nothing.
    """
    namespace = kernel.caller()
    name = of_name(name).name
    answer, began = namespace.get(name), time.monotonic()
    try:
        verdict = _judge(name, namespace)
    except KeyboardInterrupt as error:
        raise _stopped(name, error, time.monotonic() - began) from None
    book.record(verdict)
    remark = kernel.stale(name, answer)
    if verdict.passed:
        footer = _after_pass(name, answer)
    else:
        footer = _ways_on(verdict, answer)
    show(verdict.text(remark, footer), verdict.html(remark, footer))
    if verdict.passed:
        _open_hunt(namespace)
        _show_passed_text(name)
        return
    raise one_line((NotImplementedError if verdict.status == MISSING else CheckFailed)(verdict.one_line))


def ready(name: str = ""):
    """The function (or class) `name` to go on with: the learner's own if it passes, else the course's, saying so."""
    namespace = kernel.caller()
    name = of_name(name).name
    try:
        passes = _passes(name, namespace)
    except KeyboardInterrupt as error:
        raise _stopped(name, error) from None
    if passes:
        return namespace[name]
    if not _judging:
        _lent.add(name)
        if kernel.first_time(name):
            show(
                *note(
                    f"Going on with the course's `{name}`. Yours takes over as soon as it passes its check."
                )
            )
    from grader.course.build import course_answer

    for asking in _judging:
        if why := _withheld(name, asking):
            raise one_line(NameError(f"{name} {why}, so it is not lent to it"))
    return lent(name, course_answer(name))


def _withheld(name, asking):
    """Why the answer to `asking` may not build on the course's `name`, as where a class is graded; "" where it may."""
    from grader.course.build import lends

    known, order = exercises(), list(exercises())
    if order.index(name) >= order.index(asking):
        return f"comes later in the course than {asking}"
    lesson = known[asking].lesson
    if known[name].lesson != lesson and name not in lends(lesson):
        return f"belongs to another lesson, which the lesson of {asking} does not use"
    return ""


def compare(name: str = "", *args, **kwargs):
    """Show what the learner's `name` and the definition give for inputs of the learner's own, side by side.
    Raises Unknown where the name is not defined yet."""
    namespace = kernel.caller()
    exercise = of_name(name)
    if exercise.name not in namespace:
        raise one_line(
            Unknown(f"`{exercise.name}` is not defined yet: run the cell that defines it.".replace("`", ""))
        )
    if not callable(namespace[exercise.name]):
        show(*note(_no_longer_a_function(exercise.name, namespace[exercise.name])))
        return
    question = own_question(exercise, args, kwargs)
    definition = exercise.run(exercise.reference, question)
    if definition.failed:
        show(*note(not_its_inputs(exercise, definition.raised)))
        return
    try:
        yours = _ask(exercise, namespace[exercise.name])(question, ())
    except KeyboardInterrupt as error:
        raise _stopped(exercise.name, error) from None
    if yours.raised and yours.raised.type == "NotImplementedError":
        yours = None
    show(*comparison(exercise, question, yours, definition))


def hint(name: str = ""):
    """Show the next hint for an exercise: the first is a nudge, the last is nearly there."""
    exercise = of_name(name)
    name = exercise.name
    number = book.count("hints", name)
    hints = exercise.hints or ("There is no hint for this exercise: read the cell above it once more.",)
    shown = min(number, len(hints))
    left = len(hints) - shown
    if left == 0:
        how_many = f'That was the last one. `solution("{name}")` shows the course\'s answer.'
    elif left == 1:
        how_many = "There is 1 more: ask again."
    else:
        how_many = f"There are {left} more: ask again."
    show(*note(f"Hint {shown} of {len(hints)} for `{name}`. {hints[shown - 1]}\n{how_many}"))


def solution(name: str = ""):
    """Show the course's answer: to an exercise after passing, or when asked a second time; to an open
    question once something is written."""
    from grader.course.build import NO_ANSWERS, is_handed_out, model_answer, open_questions, solution_of

    namespace = kernel.caller()
    if isinstance(name, str) and name not in exercises() and model_answer(name):
        _show_model_answer(name, model_answer(name))
        return
    if isinstance(name, str) and name not in exercises() and name in open_questions():
        show(*note(NO_ANSWERS))
        return
    exercise = of_name(name)
    name = exercise.name
    if not is_handed_out(next(lesson for lesson in lessons() if slug(lesson) == exercise.lesson)):
        show(*note(f'{NO_ANSWERS} `hint("{name}")` helps you on.'))
        return
    asked = book.count("solutions", name)
    try:
        shown = asked >= 2 or _judge(name, namespace).passed
    except KeyboardInterrupt as error:
        raise _stopped(name, error) from None
    if not shown:
        show(
            *note(
                f"Your `{name}` does not pass yet. If you want to see the course's answer all the same, ask once more: "
                f'`solution("{name}")`. `hint("{name}")` gives away less.'
            )
        )
        return
    show(*note(f"The course's `{name}`:", code=solution_of(exercise)))
    _show_passed_text(name)


def progress():
    """Show which lessons and exercises are done, and what is next."""
    show(*overview(book.summary(), book.latest(), title, book.guesses().values(), book.hunted()))


def finish(lesson: str = ""):
    """Show what passes of a lesson and what is open, and the way on. Every lesson ends with it."""
    _open_hunt(kernel.caller())
    lesson, summary = _lesson_called(lesson), book.summary()
    passed, left = next((p, o) for name, p, o in summary if name == lesson)
    course_done = not any(open_ones for _, _, open_ones in summary)
    following = [name for name in lessons() if name > lesson and not course_done]
    show(
        *closing(
            lesson=lesson,
            passed=passed,
            left=left,
            onward=[(name, title(name), minutes(name)) for name in following[:1]],
            course_done=course_done,
            total=sum(len(p) for _, p, _ in summary),
            guesses=list(book.guesses().values()),
            hunt=book.hunted(),
            start=os.environ.get("GRADER_START", ""),
        )
    )


def reset(name: str = ""):
    """Set an exercise of this notebook (or a whole lesson) back to its beginning; what was there is kept in a
    copy. Raises Unknown for a name that is no exercise and no lesson, and where there is no notebook of
    it."""
    from grader.learner import workspace

    text = _name_of(name)
    known = exercises()
    wanted = text
    if text in known:
        wanted = known[text].lesson
    lesson = next((n for n in lessons() if wanted in (n, slug(n))), None)
    if lesson is None:
        raise _unknown(text)
    try:
        kept = workspace.reset(lesson, text if text in known else None)
    except (ValueError, FileNotFoundError) as error:
        raise one_line(Unknown(str(error))) from None
    show(*note(workspace.after_reset(kept)))


def fresh(lesson: str = ""):
    """Put the course's present copy of a lesson beside the learner's."""
    from grader.learner import workspace

    path = workspace.fresh(_lesson_called(lesson))
    show(
        *note(f"The course's present copy is `{path.name}`, beside yours in the folder `{path.parent.name}`.")
    )


def _lesson_called(name):
    """The lesson that was meant: "02_bce", "bce", "2" or 2. Raises Unknown."""
    if name == "":
        raise one_line(Unknown('Say which lesson, by its name: "02_bce". progress() lists them.'))
    try:
        return find(str(name))
    except ValueError as error:
        raise one_line(Unknown(str(error))) from None


def _name_of(exercise):
    """The name that was meant: `hint(bce)` for `hint("bce")`."""
    if isinstance(exercise, str):
        return exercise
    return getattr(exercise, "__name__", str(exercise))


def of_name(name: str):
    """The exercise that was meant: by its name, or by the function itself, `hint(bce)` for `hint("bce")`.
    Raises Unknown."""
    try:
        known, name = exercises(), _name_of(name)
    except KeyboardInterrupt:
        # the first call loads the whole course, which takes some seconds on a busy machine
        raise one_line(Stopped("Stopped while the course was being loaded: run the cell again.")) from None
    if name not in known:
        raise _unknown(name)
    return known[name]


def _unknown(name):
    """The error that says that no exercise is called so."""
    if not name:
        return one_line(Unknown('Say which exercise, by its name: "bce". progress() lists the lessons.'))
    known = exercises()
    close = difflib.get_close_matches(name, known, n=3)
    close = close or [n for n in known if n.lower() == name.lower()]
    hint_at = " `progress()` lists the lessons."
    if close:
        hint_at = f" Did you mean {' or '.join(map(repr, close))}?"
    return one_line(Unknown(f"There is no exercise {name[:30]!r}.{hint_at}".replace("`", "")))


def one_line(error: BaseException):
    """The error, of which a notebook shows one line of at most 80 characters and no traceback (nbgrader's
    Validate cuts at 87)."""
    line = say(str(error))
    if len(line) > 80:
        line = line[:80].rsplit(" ", 1)[0] + " …"
    vars(error)["_render_traceback_"] = lambda: [line]
    return error


def _stopped(name, error, seconds=None):
    """What is raised where the learner stopped a cell while their answer ran; a panel says where it was."""
    at = raised(error)
    where = ""
    if at.line and at.source:
        where = f" It was at line {at.line}: `{at.source}`."
    after = ""
    if seconds is not None:
        after = f" after {seconds:.0f} s"
    show(*note(f"You stopped `{name}`{after}, before it came back.{where} Is there a loop that never ends?"))
    return one_line(Stopped(f"{name}: stopped"))


def own_question(exercise: "Exercise", args: tuple, kwargs: dict) -> "Call":
    """The question with a learner's own inputs: a number or a list becomes a tensor where the exercise's
    inputs are tensors."""
    sample = exercise.cases[0].calls(0)[0]
    examples = dict(zip(exercise.parameters, sample.args))
    given = [_as_tensor(value, example) for value, example in zip_longest(args, sample.args[: len(args)])]
    if not isinstance(exercise.reference, type):  # a module's keywords are its constructor's
        kwargs = {name: _as_tensor(value, examples.get(name)) for name, value in kwargs.items()}
    return exercise.question(*given, **kwargs)


def _as_tensor(value, example):
    """The value as a tensor where the example is one and Python's numbers stand for it; else as it is."""
    if not isinstance(example, torch.Tensor) or not isinstance(value, (bool, int, float, list, tuple)):
        return value
    try:
        made = torch.tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value
    if example.is_floating_point():
        made = made.to(example.dtype)
    if made.ndim == 0 and example.ndim == 1:
        return made.reshape(1)
    return made


def not_its_inputs(exercise: "Exercise", problem: "Raised"):
    """What is said where the definition itself cannot take the inputs of a comparison."""
    said = ""
    if problem.text:
        said = problem.text.splitlines()[0]
    sample = exercise.cases[0].calls(0)[0]
    return (
        f"The definition does not take these inputs ({problem.type}{': ' + said if said else ''}). It "
        "takes tensors, or numbers and lists that make tensors, as in this "
        f"example:\n{show_call(exercise, sample)}"
    )


def _open_hunt(namespace):
    """Make the hunt's functions known to the notebook that is offered it: no lesson's first cell imports them."""
    for name in ("mystery", "expose", "accuse"):
        namespace.setdefault(name, getattr(grader, name))


def _after_pass(name, answer):
    """The lines below a pass: where one is, and what to do next."""
    lesson = _lesson_of(name)
    done = set(book.passed())
    in_lesson = list(names(lesson))
    left = [n for n in in_lesson if n not in done]
    lines = []
    if left:
        ahead = next((n for n in left if in_lesson.index(n) > in_lesson.index(name)), left[0])
        lines.append(f"{len(in_lesson) - len(left)} of {len(in_lesson)} in this lesson. Next: `{ahead}`.")
    else:
        lines.append(f"All {len(in_lesson)} exercises of this lesson pass.")
        lines.append(
            f'The hunt is open: `mystery("{name}")` gives you a loss in which somebody made a mistake.'
        )
    if name in _lent:
        lines.append(
            f"Run the cells below again that went on with the course's `{name}`: they take yours now."
        )
        _lent.discard(name)
    if kernel.live() and not book.is_kept():
        lines.append("This notebook is in no work folder, so progress is not kept: `make lab` opens yours.")
    cell = kernel.cell_of(answer)
    if cell is not None:
        from grader.learner.in_class import differs

        lines += differs(cell.source, Path.cwd())
    return lines


def _ways_on(verdict, answer):
    """The lines below a verdict that is no pass: what helps, and which cell was judged."""
    name, exercise = verdict.exercise, exercises()[verdict.exercise]
    left = max(len(exercise.hints) - book.hints_seen(name), 0)
    helps = [f'`hint("{name}")` ({left} left)' if left else f'`hint("{name}")`']
    if verdict.status in (FAILED, ERROR):
        inputs = ", ".join(exercise.parameters[:2])
        helps += [f'`compare("{name}", {inputs})`', f'`solution("{name}")`']
    lines = [" · ".join(helps)]
    if answer is not None and verdict.status != MISSING:
        lines.append(kernel.judged(name, answer))
    return [line for line in lines if line]


def _show_passed_text(name):
    """The part of the lesson that would have answered the exercise."""
    from grader.course.build import passed_text

    text = passed_text(name)
    if text:
        show_markdown(text)


def _show_model_answer(name, text):
    """The course's answer to an open question, once the learner has written one."""
    if not kernel.live():
        return
    written = kernel.saved_cell(name)
    if written is None or not written.strip() or "YOUR ANSWER HERE" in written:
        show(
            *note(
                "Write your answer into the cell above and save (Ctrl+S). Run this cell again to "
                "read one of the course's."
            )
        )
        return
    show_markdown(f"**An answer of the course's**\n\n{text}")


def _lesson_of(name):
    return next(n for n in lessons() if slug(n) == exercises()[name].lesson)


_judging: list[str] = []  # the exercises whose answers are being asked at this moment
_known: dict[
    str, tuple[object, bool]
] = {}  # name -> (answer, passed), of those that other answers asked `ready` for
_lent: set[str] = set()  # the exercises for which `ready` gave the course's function


def _passes(name, namespace):
    """Does the learner's own pass? An answer that is being judged may ask, too, and many times."""
    if not _judging:
        return _judge(name, namespace).passed
    if name in _judging:
        raise RecursionError(f"{name} asks `ready` for itself")
    answer, known = namespace.get(name), _known.get(name)
    if known is None or known[0] is not answer:
        # in a thread of its own: what the asking answer must not call, or does not differentiate, is no matter here
        with lifted(), ThreadPoolExecutor(1) as thread:
            _known[name] = known = answer, thread.submit(_judge, name, namespace).result().passed
    return known[1]


def _judge(name, namespace):
    _judging.append(name)
    try:
        return _judged(name, namespace)
    finally:
        _judging.remove(name)


def _judged(name, namespace):
    exercise = of_name(name)
    answer = namespace.get(name)
    missing = partial(Verdict, name, max_points=exercise.points)
    if name not in namespace:
        return missing(
            MISSING, finding=f"There is no `{name}` yet: run the cell that defines it, then this one."
        )
    if not callable(answer):
        return missing(
            ERROR,
            finding=_no_longer_a_function(name, answer),
        )
    context = _text_of(namespace)
    try:
        source = inspect.getsource(answer)
    except (OSError, TypeError):  # a class in a notebook, or what `torch.jit` made
        source = written(context).get(name)
    return judge(exercise, _ask(exercise, answer), source=source, context=context)


def _no_longer_a_function(name, answer):
    return (
        f"`{name}` is no longer a function: a cell has bound the name to an object of type {type(answer).__name__}. "
        f"Give that another name, and run the cell that defines `{name}` again."
    )


def _text_of(namespace):
    """All that the learner has run in this notebook, or the file that asks."""
    if "In" in namespace:
        return together(namespace["In"])
    try:
        return Path(namespace["__file__"]).read_text(encoding="utf-8")
    except (KeyError, TypeError, OSError, UnicodeDecodeError):
        return ""


def _ask(exercise, answer):
    """A function that puts questions to an answer in this process. One that does not come back in time is
    asked no more."""
    ends, late = time.monotonic() + kernel.SECONDS, None

    def ask(question: "Call", gradient: tuple):
        nonlocal late
        if late is not None:
            return late
        result = Result(ended=Ended.LATE)
        try:
            with kernel.alone(), kernel.clock(ends - time.monotonic()):
                result = run(answer, question, exercise.parameters, gradient, forbidden=exercise.forbidden)
        except kernel.DeadlineExceeded:  # between two lines of ours
            pass
        problem = result.raised
        if problem and problem.type == "DeadlineExceeded":
            at = ""
            if problem.line and problem.source:
                at = f"line {problem.line}: `{problem.source}`"
            result = Result(ended=Ended.LATE, at=at)
        if result.ended is Ended.LATE:
            late = result
        return result

    return ask


kernel.listen()
