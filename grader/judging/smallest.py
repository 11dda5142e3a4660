"""The smallest and roundest input on which an answer still differs from the reference, as an Example. Pure."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Asked, Difference, as_parts, compare
from grader.judging.diagnose.words import at_in_brackets, differs
from grader.judging.verdict import Example, show, show_call

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call, Result


def separating(exercise: "Exercise", ask: "Callable[[Call, tuple], Result]", first: Asked, tries: int = 24):
    """An Example: the smallest and roundest input found on which the answer still differs in the same way."""
    best = smallest(exercise, ask, first, tries)
    got, expected = show_result(best, best.got), show_result(best, best.expected)
    if got == expected:  # the difference lies behind the fourth decimal
        got, expected = show_result(best, best.got, digits=10), show_result(best, best.expected, digits=10)
    call = show_call(exercise, best.question)
    return Example(call, got, expected, differs(best), printed=best.got.printed)


def smallest(exercise: "Exercise", ask: "Callable[[Call, tuple], Result]", first: Asked, tries: int = 24):
    """The Asked with the smallest and roundest input found on which the answer still differs in the same way."""
    best = first
    for question in _smaller(first):
        if tries <= 0:
            break
        tries -= 1
        candidate = _try(exercise, ask, first, question)
        if candidate:
            best = candidate
            break
    rounded = _try(exercise, ask, first, _rounded(best.question, 1)) or _try(
        exercise, ask, first, _rounded(best.question, 2)
    )
    return rounded or best


def show_result(a: Asked, result: "Result", digits: int = 4):
    """What counts in this difference: the value, or the gradient."""
    if result.raised:
        return result.raised.type
    if result.failed:
        return "nothing came back"
    if a.difference in (Difference.CUT, Difference.GRADIENT):
        return "; ".join(
            f"gradient for {n}: {'none' if g is None else show(g, digits=digits)}"
            for n, g in result.gradients.items()
        )
    if a.difference is Difference.DTYPE and isinstance(result.value, torch.Tensor):
        return f"{show(result.value)} ({str(result.value.dtype).removeprefix('torch.')})"
    if a.difference is Difference.SHAPE and isinstance(result.value, torch.Tensor):
        return f"{show(result.value)} of shape {tuple(result.value.shape)}"
    if a.difference is Difference.CHANGED:
        if not result.changed:
            return "changes nothing"
        return "changes " + ", ".join(result.changed)
    if a.difference is Difference.LARGE:
        return _largest(a, result)
    if a.difference is Difference.MET:
        return _together(a, result)
    if a.difference is Difference.KIND and isinstance(result.value, (int, float)):
        return f"{show(result.value)} (a Python {type(result.value).__name__})"
    if (
        a.difference is Difference.KIND
        and isinstance(result.value, tuple)
        and any(isinstance(v, (int, float)) for v in result.value)
    ):
        return f"{show(result.value)} (Python numbers)"
    return show(result.value, digits=digits)


def _largest(a, result):
    """The tensor that was too large, and the learner's line; for the reference what is allowed."""
    if result.made is None:
        return f"no tensor of more than {a.question.largest} entries"
    where = at_in_brackets(result.made.place)
    if result.made.left_torch:
        return f"a numpy array{where}"
    return f"a tensor of shape {result.made.shape}, {result.made.entries} entries{where}"


def _together(a, result):
    """The parts that met, and the learner's line; for the reference what is allowed."""
    if result.met is None:
        return f"at most {a.got.met.limit} entries of one together with another"
    where = at_in_brackets(result.met.place)
    first, second = result.met.entries
    one, other = (f"{a.question.apart}[{part}]" for part in result.met.parts)
    return f"{first} entries of {one} together with {second} of {other}{where}"


def _try(exercise, ask, first, question):
    if question is None:
        return None
    expected = exercise.run(exercise.reference, question, first.case.gradient)
    if expected.failed or not _finite(expected) and _finite(first.expected):
        return None
    got = ask(question, first.case.gradient)
    if first.got.raised and (got.raised is None or got.raised.type != first.got.raised.type):
        return None
    # a single sample may bring a nan of its own, which is not what went wrong
    if not _finite(got) and _finite(first.got):
        return None
    difference = compare(exercise, first.case, expected, got)
    if difference != first.difference:
        return None
    return Asked(first.case, question, expected, got, difference)


def _finite(result):
    return all(
        v.isfinite().all()
        for v in (*as_parts(result.value), *result.gradients.values())
        if isinstance(v, torch.Tensor)
    )


def _is_distribution(v):
    """Do the rows of this tensor sum to 1? Then rounding would spoil it, and a vector of them is no batch."""
    return (
        isinstance(v, torch.Tensor)
        and v.is_floating_point()
        and v.ndim > 0
        and v.shape[-1] > 1
        and bool((v >= 0).all())
        and torch.allclose(v.double().sum(-1), torch.ones((), dtype=torch.float64), atol=1e-5)
    )


def _smaller(a):
    """The same question with one, then with two samples: every tensor whose first dimension is N is cut alike."""
    question = a.question
    sizes = [v.shape[0] for v in question.tensors if v.ndim]
    n = 0
    if sizes:
        n = sizes[0]
    if n < 2 or any(_is_distribution(v) and v.ndim == 1 for v in question.args):
        return
    for index in [[i] for i in _wrong_first(a, n)[:6]] + [[i, i + 1] for i in range(min(n - 1, 4))]:
        yield question.cut(index, n)


def _wrong_first(a, n):
    """The places of N samples, those first on which the answer is wrong, where it has a result for each."""
    have, want = a.got.value, a.expected.value
    if not all(
        isinstance(v, torch.Tensor)
        and v.ndim
        and v.shape == want.shape
        and v.shape[0] == n
        and not v.is_complex()
        for v in (want, have)
    ):
        return list(range(n))
    same = (
        torch.isclose(have.double(), want.double(), rtol=1e-4, atol=1e-6, equal_nan=True)
        .reshape(n, -1)
        .all(dim=1)
        .tolist()
    )
    return sorted(range(n), key=same.__getitem__)


def _rounded(question, digits):
    def r(v: object):
        if not isinstance(v, torch.Tensor) or not v.is_floating_point() or _is_distribution(v):
            return v
        short = torch.round(v, decimals=digits)
        # 0.97 is a probability, 1 is a certainty
        return torch.where(((short == 0) | (short == 1)) & (short != v), v, short)

    return question.map(r)
