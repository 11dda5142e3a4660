"""What a lesson's notebook imports: check, ready, compare, hint, solution, progress."""

import inspect
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.judging.panel import comparison, note, overview
from grader.judging.question import call, run
from grader.judging.scan import together, written
from grader.judging.verdict import ERROR, MISSING, Verdict
from grader.learner import progress as book

__tracebackhide__ = True  # these frames are no learner's: see `question.raised`


class CheckFailed(Exception):
    """An answer that is not right yet; the panel above it says what was found."""


def check(name):
    """Judge the exercise `name` as it stands in the notebook that calls this, and show the verdict.

    Raises NotImplementedError where nothing was attempted and CheckFailed where the answer is not right yet: a pass raises nothing.
    """
    verdict = _judge(name, _namespace())
    _show(verdict.message, verdict.html())
    book.record(verdict)
    if not verdict.passed:
        error = (NotImplementedError if verdict.status == MISSING else CheckFailed)(verdict.one_line)
        error._render_traceback_ = lambda: [
            verdict.one_line
        ]  # one line for the notebook and for nbgrader's Validate
        raise error


def ready(name):
    """The function (or class) `name` to go on with: the learner's own if it passes, else the course's, saying so."""
    namespace = _namespace()
    if _passes(name, namespace):
        return namespace[name]
    if not _judging:
        _show(*note(f"Going on with the course's {name}. Yours takes over as soon as it passes its check."))
    from grader.course.build import course_answer

    return course_answer(name)


def compare(name, *args, **kwargs):
    """Show what the learner's `name` and the definition give for inputs of the learner's own, side by side."""
    exercise, namespace = _exercise(name), _namespace()
    if name not in namespace:
        raise NameError(f"{name} is not defined yet: run the cell that defines it first")
    if isinstance(exercise.reference, type):
        question = call(*args).built_with(**kwargs)
    else:
        question = call(*args, **kwargs)
    yours, definition = (exercise.run(f, question) for f in (namespace[name], exercise.reference))
    if yours.raised and yours.raised.type == "NotImplementedError":
        yours = None
    _show(*comparison(exercise, question, yours, definition))


def hint(name):
    """Show the next hint for an exercise: the first is a nudge, the last is nearly there."""
    exercise = _exercise(name)
    number = book.count("hints", name)
    hints = exercise.hints or ("There is no hint for this exercise: read the cell above it once more.",)
    shown = min(number, len(hints))
    more = (
        f"There {'is 1 more' if len(hints) - shown == 1 else f'are {len(hints) - shown} more'}: ask again."
        if shown < len(hints)
        else f'That was the last one. `solution("{name}")` shows the course\'s answer.'
    )
    _show(*note(f"Hint {shown} of {len(hints)} for {name}. {hints[shown - 1]}\n{more}"))


def solution(name):
    """Show the course's answer: after passing, or when asked a second time."""
    exercise, namespace = _exercise(name), _namespace()
    asked = book.count("solutions", name)
    if asked < 2 and not _judge(name, namespace).passed:
        _show(
            *note(
                f"Your {name} does not pass yet. If you want to see the course's answer all the same, ask once more: "
                f'solution("{name}"). `hint("{name}")` gives away less.'
            )
        )
        return
    from grader.course.build import solution_of

    _show(*note(f"The course's {name}:", code=solution_of(exercise)))


def progress():
    """Show which lessons and exercises are done, and what is next."""
    _show(*overview(book.summary()))


def _exercise(name):
    known = exercises()
    if name not in known:
        import difflib

        close = difflib.get_close_matches(str(name), known, n=3)
        raise ValueError(
            f"There is no exercise {name!r}."
            + (f" Did you mean {' or '.join(map(repr, close))}?" if close else "")
        )
    return known[name]


_judging: list[str] = []  # the exercises whose answers are being asked at this moment
_known: dict[
    str, tuple[object, bool]
] = {}  # name -> (answer, passed), of those that other answers asked `ready` for


def _passes(name, namespace):
    """Does the learner's own pass? An answer that is being judged may ask, too, and many times."""
    if not _judging:
        return _judge(name, namespace).passed
    if name in _judging:
        raise RecursionError(f"{name} asks `ready` for itself")
    answer, known = namespace.get(name), _known.get(name)
    if known is None or known[0] is not answer:
        # in a thread of its own: what the asking answer must not call, or does not differentiate, is no matter here
        with ThreadPoolExecutor(1) as thread:
            _known[name] = known = answer, thread.submit(_judge, name, namespace).result().passed
    return known[1]


def _judge(name, namespace):
    _judging.append(name)
    try:
        return _judged(name, namespace)
    finally:
        _judging.remove(name)


def _judged(name, namespace):
    exercise = _exercise(name)
    answer = namespace.get(name)
    missing = partial(Verdict, name, max_points=exercise.points)
    if name not in namespace:
        return missing(
            MISSING, finding=f"There is no `{name}` yet: run the cell that defines it, then this one."
        )
    if not callable(answer):
        return missing(
            ERROR,
            finding=f"`{name}` is no longer a function: a cell has bound the name to an object of type "
            f"{type(answer).__name__}. Give that another name, and run the cell that defines `{name}` again.",
        )
    context = _text_of(namespace)
    try:
        source = inspect.getsource(answer)
    except (OSError, TypeError):  # a class in a notebook, or what `torch.jit` made
        source = written(context).get(name)
    return judge(
        exercise,
        lambda question, gradient: run(answer, question, exercise.parameters, gradient),
        source=source,
        context=context,
    )


def _text_of(namespace):
    """All that the learner has run in this notebook, or the file that asks."""
    if "In" in namespace:
        return together(namespace["In"])
    try:
        return Path(namespace["__file__"]).read_text(encoding="utf-8")
    except (KeyError, TypeError, OSError, UnicodeDecodeError):
        return ""


def _namespace():
    """The namespace of the cell that called the public function that called this."""
    return sys._getframe(2).f_globals


def _show(text, panel):
    if (
        "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
    ):  # a plain script need not import it
        from IPython.display import display

        display({"text/plain": text, "text/html": panel}, raw=True)
    else:
        print(text)
