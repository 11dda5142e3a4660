"""What was done to the result: lost at the extremes, nearly right, of another shape, a constant factor, one
function too many."""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Asked, Difference, as_parts, as_tensor, close
from grader.judging.diagnose.evidence import (
    Evidence,
    Layer,
    classes,
    entries,
    ratio,
    samples,
    times,
)

if TYPE_CHECKING:
    from grader.judging.question import Call


OVERFLOWS = (
    "something on the way overflows, or a logarithm or a division meets 0. Rewrite the formula so that no "
    "large number is ever exponentiated, no 0 is ever logged, and nothing is divided by 0."
)


def extremes(evidence: Evidence) -> str:
    """Is the answer wrong for extreme inputs alone?"""
    wrong = evidence.wrong
    if not all(a.case.extreme for a in wrong) or all(a.case.extreme for a in evidence.asked):
        return ""
    if any(a.difference in (Difference.SHAPE, Difference.KIND, Difference.ERROR) for a in wrong):
        return ""
    what = at_extremes(wrong)
    return f"Right for ordinary inputs, but {what[0].lower()}{what[1:]}"


def at_extremes(wrong: list[Asked]) -> str:
    """What is wrong at the extremes, as a sentence of its own; `wrong`: what was answered wrongly there."""
    what = _describe_bad(wrong[0])
    if all(_lost_infinity(a) for a in wrong):
        return (
            "Finite at the extremes where the right result is infinite: something takes the infinity away, "
            "such as a clamp, an epsilon, `nan_to_num` or a mask."
        )
    floats = [
        [t for t in a.question.args if isinstance(t, torch.Tensor) and t.is_floating_point()] for a in wrong
    ]
    if what == "nan" and all(any(t.isinf().any() for t in inputs) for inputs in floats):
        return "Nan where an input is infinite: inf − inf and 0·inf are nan. Keep the two from meeting."
    if what and wrong[0].difference is Difference.VALUE:
        return f"{what.capitalize()} at the extremes: {OVERFLOWS}"
    if what:
        return f"The gradient is {what} at the extremes: {OVERFLOWS}"
    return (
        "Wrong at the extremes: often precision is lost on the way, or a clamp cuts off what it should not."
    )


def _lost_infinity(a):
    got, want = a.got.value, a.expected.value
    if not isinstance(got, torch.Tensor) or not isinstance(want, torch.Tensor) or got.shape != want.shape:
        return False
    return bool((want.isinf() & got.isfinite()).any())


def _describe_bad(a):
    """What is bad about the value or, where that is right, about its gradient: nan, infinite, or ""."""
    looked_at = a.got.gradients.values()
    if a.difference is Difference.VALUE:
        looked_at = as_parts(a.got.value)
    for t in looked_at:
        if isinstance(t, torch.Tensor) and t.is_floating_point():
            if t.isnan().any():
                return "nan"
            if t.isinf().any():
                return "infinite"
    return ""


def nan(evidence: Evidence) -> str:
    """Is the result nan where the right one is a number?"""
    for a in evidence.wrong:
        value = a.got.value
        if not isinstance(value, torch.Tensor) or not value.numel() or a.difference is not Difference.VALUE:
            return ""
        if not value.isnan().all():
            return ""
    return (
        "Your result is nan: a step on the way has no answer, such as the logarithm or the root of a "
        "negative number, 0/0, inf − inf or 0·inf. Print the steps."
    )


# ---------------------------------------------------------------- nearly right


def capped(evidence: Evidence) -> tuple[str, Asked] | None:
    """An epsilon inside a logarithm, shown where it bites: the sentence, and the sample whose loss it caps."""
    if largest_error([a for a in evidence.wrong if evidence.layer(a) is not Layer.EXTREMES]) > 0.01:
        return None
    for a in evidence.wrong:
        if not a.case.extreme or a.difference is not Difference.VALUE:
            continue
        n = samples(a.question)
        for i in range(min(n, 8)):
            one = a.question.cut(slice(i, i + 1), n)
            want, have = evidence.expected(one), evidence.ask(one, ())
            if want.failed or have.failed:
                continue
            right, yours = as_tensor(want.value), as_tensor(have.value)
            if not isinstance(right, torch.Tensor) or not isinstance(yours, torch.Tensor):
                continue
            if right.numel() != 1 or yours.numel() != 1 or not yours.isfinite().all():
                continue
            right, yours = right.item(), yours.item()
            epsilon = 0.0
            if 4 < yours < 700:
                epsilon = math.exp(-yours)
            if math.inf > right > yours + 1 and _is_an_epsilon(epsilon):
                says = (
                    f"An epsilon or a clamp of about {epsilon:.1g} inside your logarithm caps the loss at "
                    f"{yours:.4g}, however wrong the model is; here it should be {right:.4g}. Write the "
                    "formula so that its logarithm never meets 0."
                )
                shown = Asked(a.case, one, want, have, Difference.VALUE)
                return says, shown
    return None


def _is_an_epsilon(x):
    """Is this a power of ten, or the smallest step or number of a dtype?"""
    if not 0 < x < 0.01:
        return False
    if abs(math.log10(x) - round(math.log10(x))) < 0.005:
        return True
    limits = [torch.finfo(dtype) for dtype in (torch.float32, torch.float64)]
    return any(abs(x / known - 1) < 0.01 for info in limits for known in (info.eps, info.tiny))


def nearly(evidence: Evidence) -> str:
    """So close to the definition, for all ordinary inputs, that the formula must be right?"""
    wrong = evidence.wrong
    ordinary = [a for a in wrong if not a.case.extreme]
    if 0 < len(ordinary) < len(wrong):
        where, wrong = " for ordinary inputs", ordinary
    else:
        where = ""
    largest = largest_error(wrong)
    if largest > 0.01:
        return ""
    return (
        f"Nearly right{where}: in no case tested more than {max(100 * largest, 1e-4):.1g} % away. The "
        "formula is likely right, and something disturbs it a little, such as an epsilon, a clamp, a "
        "rounded constant, a float32 on the way, or a search that stops too soon."
    )


def largest_error(wrong: list[Asked]) -> float:
    """The largest relative error of values and gradients: numbers, tensors and tuples of them; inf where they
    cannot be compared."""
    largest = 0.0
    for a in wrong:
        if a.difference not in (Difference.VALUE, Difference.GRADIENT):
            return math.inf
        pairs = list(zip(as_parts(a.got.value), as_parts(a.expected.value)))
        if a.difference is Difference.GRADIENT:
            pairs += [(a.got.gradients.get(n), g) for n, g in a.expected.gradients.items() if g is not None]
        for got, want in pairs:
            got, want = as_tensor(got), as_tensor(want)
            if not isinstance(got, torch.Tensor) or not isinstance(want, torch.Tensor):
                return math.inf
            if got.shape != want.shape or got.is_complex():
                return math.inf
            got, want = got.double(), want.double()
            off = (got - want).abs() / want.abs().clamp(min=1e-3)
            off = torch.where(got == want, 0.0, off).nan_to_num(nan=math.inf)
            if off.numel():
                largest = max(largest, off.max().item())
    return largest


# ---------------------------------------------------------------- another shape


def shape(evidence: Evidence) -> str:
    """Has the result another shape than the right one: a mean too many or too few, an (N, 1) for an (N,)?"""
    wrong = [a for a in evidence.wrong if a.difference is Difference.SHAPE]
    if evidence.wrong[0].difference is not Difference.SHAPE:
        return ""
    if isinstance(wrong[0].expected.value, tuple):
        return _shape_of_a_part(wrong[0].got.value, wrong[0].expected.value)
    pairs = [(as_tensor(a.got.value), as_tensor(a.expected.value)) for a in wrong]
    if any(not isinstance(v, torch.Tensor) or v.is_complex() for pair in pairs for v in pair):
        return ""

    def fits(f: Callable):
        return all(_quiet(f, g, w) for g, w in pairs)

    several = any(g.numel() > 1 for g, _ in pairs)
    if several and fits(_mean_is_missing):
        return "You return several numbers whose mean is the right one: the mean over the samples is missing at the end."
    if several and fits(_sum_is_missing):
        return "You return the parts of a sum without adding them up: their sum is the right one."
    g, w = pairs[0]
    if fits(_same_numbers):
        return (
            f"The numbers are right, but the shape is {tuple(g.shape)} where {tuple(w.shape)} is expected: "
            "often a `keepdim`, an index or an `unsqueeze` is too much, or missing."
        )
    if fits(_reduced):
        return "You return a single number; one value for each entry is expected: a mean or a sum too many."
    if fits(_paired):
        return (
            f"Your result has shape {tuple(g.shape)} where {tuple(w.shape)} is expected: everything is "
            "paired with everything, as when an (N, 1) meets an (N,) and is broadcast."
        )
    return ""


def other_shape(evidence: Evidence) -> str:
    """Another shape than expected, whatever is in it."""
    first = evidence.wrong[0]
    got, want = as_tensor(first.got.value), as_tensor(first.expected.value)
    if first.difference is not Difference.SHAPE or isinstance(want, tuple):
        return ""
    return f"Your result has shape {tuple(got.shape)} where {tuple(want.shape)} is expected."


def _shape_of_a_part(got, want):
    for i, (g, w) in enumerate(zip(got, want), 1):
        g, w, listed = as_tensor(g), as_tensor(w), isinstance(w, tuple)
        if not isinstance(g, torch.Tensor) or not isinstance(w, torch.Tensor) or g.shape == w.shape:
            continue
        if listed and g.ndim == 1:
            return f"Value {i} of the {len(want)} that you return has length {len(g)} where {len(w)} is expected."
        return (
            f"Value {i} of the {len(want)} that you return has shape {tuple(g.shape)} where "
            f"{tuple(w.shape)} is expected."
        )
    return ""


def _mean_is_missing(g, w):
    return w.ndim == 0 and close(g.double().mean(), w.double())


def _sum_is_missing(g, w):
    return w.ndim == 0 and close(g.double().sum(), w.double())


def _same_numbers(g, w):
    return g.numel() == w.numel() and close(g.flatten(), w.flatten())


def _reduced(g, w):
    return g.ndim == 0 and w.ndim and (close(g, w.double().mean()) or close(g, w.double().sum()))


def _paired(g, w):
    return g.ndim == 2 and g.shape[0] == g.shape[1] and w.ndim <= 2 and g.shape[0] in w.shape


def _quiet(f, *args):
    try:
        return bool(f(*args))
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False


# ---------------------------------------------------------------- a simple function of the right result

LN2, LN10 = math.log(2), math.log(10)


def _minus(n, c):
    return -1


def _n(n, c):
    return n


def _one_over_n(n, c):
    return 1 / n


def _c(n, c):
    return c


def _one_over_c(n, c):
    return 1 / c


def _n_over_c(n, c):
    return n / c


def _nc(n, c):
    return n * c


def _one_over_nc(n, c):
    return 1 / (n * c)


def _minus_n(n, c):
    return -n


def _n_less_one(n, c):
    return n / max(n - 1, 1)


SIGN = "The sign is flipped: yours is minus the right result."
FACTORS = {  # a function of N and C, or a number
    SIGN: _minus,
    "Your result is N times too large: it is a sum over the samples where a mean is expected.": _n,
    "Your result is N times too small: it is divided by the number of samples once too often.": _one_over_n,
    "Your result is C times too large, where C is the number of columns: they are added up where their mean is expected, or it is multiplied by C.": _c,
    "Your result is C times too small: it is divided by C, the number of columns, too (a `.mean()` over the whole matrix does that).": _one_over_c,
    "Your result is divided by C, the number of columns, where N, the number of samples, belongs.": _n_over_c,
    "Your result is N·C times too large: it is a sum where a mean over everything is expected.": _nc,
    "Your result is N·C times too small: it is divided by the number of all entries.": _one_over_nc,
    "Your result is ln 2 times the right one, as between `log2` and `log`: look at the base of the logarithm.": LN2,
    "Your result is 1/ln 2 times the right one, as between `log` and `log2`: look at the base of the logarithm.": 1
    / LN2,
    "Your result is 1/ln 10 times the right one, as between `log` and `log10`: look at the base of the logarithm.": 1
    / LN10,
    "Your result is twice as large as it should be.": 2,
    "Your result is half of what it should be.": 0.5,
    "Your result is minus N times the right one: the sign is flipped, and it is a sum where a mean is expected.": _minus_n,
    "Your result is N/(N − 1) times the right one: it is divided by N − 1 where N belongs.": _n_less_one,
}


def _one_minus(w):
    return 1 - w


def _minus_log(w):
    return -w.log()


def _one_over(w):
    return 1 / w


def _transposed(w):
    return w.transpose(-2, -1)


FUNCTIONS = {
    "You return 1 minus the right result.": _one_minus,
    "You return the logarithm of the right result.": torch.log,
    "You return minus the logarithm of the right result.": _minus_log,
    "You return the exponential of the right result: a logarithm is missing at the end.": torch.exp,
    "You return the square of the right result.": torch.square,
    "You return the square root of the right result.": torch.sqrt,
    "You return one over the right result.": _one_over,
    "You return the result transposed.": _transposed,
    "Your result is cut off to whole numbers: 2.7 becomes 2.": torch.trunc,
    "Your result is rounded to whole numbers.": torch.round,
    "Your result is rounded to two decimals.": partial(torch.round, decimals=2),
    "Your result is rounded to three decimals.": partial(torch.round, decimals=3),
    "Your result is rounded to four decimals.": partial(torch.round, decimals=4),
}


def rescaled(evidence: Evidence) -> str:
    """A constant factor, the sign, a logarithm too many, a constant added: one simple function of the right result."""
    return simple(evidence) or _what_was_done(evidence, _always)


def negated(evidence: Evidence) -> str:
    """Minus the right result, and nothing else."""
    return _what_was_done(evidence, _negative)


def simple(evidence: Evidence) -> str:
    """One of the functions of the right result that have a meaning: N times, the sign, its logarithm."""
    return _what_was_done(evidence, _rescaled)


def _what_was_done(evidence, explanation):
    if any(a.difference is not Difference.VALUE for a in evidence.wrong):
        return ""
    differ, count, triples = _parts(evidence.wrong)
    says = ""
    if triples:
        says = explanation(triples)
    if says and len(differ) < count:
        says += f" This concerns value{'s' if len(differ) > 1 else ''} {_listed(differ)} of the {count} that you return."
    return says


def _listed(numbers):
    """The numbers of values, counted from 1, as a list in words: "1 and 3"."""
    return " and ".join(str(number + 1) for number in sorted(numbers))


def _parts(wrong):
    """Which of the values returned differ, how many there are, and a triple for each that differs; no triples
    where they are no numbers.

    A triple: yours, the right one, what was asked; both tensors.
    """
    differ, parts = set(), []
    for a in wrong:
        got, want = as_parts(a.got.value), as_parts(a.expected.value)
        pairs = [(as_tensor(g), as_tensor(w), a) for g, w in zip(got, want)]
        if any(not isinstance(v, torch.Tensor) or v.is_complex() for pair in pairs for v in pair[:2]):
            return set(), 0, []
        off = {i for i, (g, w, _) in enumerate(pairs) if not _close(g, w, a)}
        differ |= off
        parts.append((pairs, off))
    triples = [pairs[i] for pairs, off in parts for i in sorted(off)]
    return differ, len(parts[0][0]), triples


def _close(g, w, a, most=1e-6):
    """Equal within the case's own tolerance, or float32's where one of the two is float32."""
    narrow = min((g.dtype, w.dtype), key=_bits)
    relative, absolute = a.case.tolerance(narrow)
    return close(g, w, max(relative, most), max(absolute, most / 10))


def _bits(dtype):
    if dtype.is_floating_point:
        return torch.finfo(dtype).bits
    return 64


def _negative(triples):
    if any(g.shape != w.shape or not _close(g, -w.double(), a) for g, w, a in triples):
        return ""
    if any((g != 0).any() for g, _, _ in triples):
        return SIGN
    return ""


def _rescaled(triples):
    got = [g for g, _, _ in triples]
    if not any(((g != 0) & g.isfinite()).any() for g in got):
        return ""

    def explains(f: Callable):
        for g, w, a in triples:
            made = f(w.double(), a.question)
            # a factor of 1 explains nothing, nor does one that is lost in the tolerance
            relative = max(a.case.tolerance(_narrow(g, w))[0] * 10, 1e-4)
            if not _close(g, made, a) or close(made, w, relative, 1e-7):
                return False
        return True

    reduced = all(w.ndim == 0 for _, w, _ in triples)
    for says, factor in FACTORS.items():
        if factor is _n_over_c and not reduced:
            continue  # a value for each sample is no mean over the samples
        # N is the first dimension, or the number of all entries: a loss of a matrix averages over those.
        for size in (samples, entries):

            def scaled(w: torch.Tensor, question: "Call"):
                k = factor
                if callable(factor):
                    k = factor(size(question), classes(question))
                return w * k

            if _quiet(explains, scaled):
                return says
    for says, f in FUNCTIONS.items():

        def mapped_result(w: torch.Tensor, question: "Call"):
            return f(w)

        if _quiet(explains, mapped_result):
            return says
    return ""


def _always(triples):
    """The same factor between each result and the right one, whatever it means, or the same constant added?"""
    pairs = [(g, w) for g, w, _ in triples]
    if not any(((g != 0) & g.isfinite()).any() for g, _ in pairs):
        return ""
    factor = ratio(pairs)
    if factor is not None:
        return f"Your result is {times(factor)} the right one."
    return _shifted(pairs)


def _narrow(g, w):
    return min((g.dtype, w.dtype), key=_bits)


def _shifted(pairs):
    """The same constant added to each result?"""
    if any(g.shape != w.shape for g, w in pairs):
        return ""
    off = torch.cat([(g.double() - w.double()).flatten() for g, w in pairs])
    if off.numel() < 2 or not off.isfinite().all() or not torch.allclose(off, off[0], rtol=1e-4, atol=1e-7):
        return ""
    if abs(off[0].item()) < 1e-4:
        return ""
    return f"Your result is {off[0].item():+.4g} away from the right one: a constant is added."


# ---------------------------------------------------------------- lists of numbers


STEPS = (1.0, 0.5, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01)  # of a grid, the coarsest first


def stuck(evidence: Evidence) -> str:
    """One number is searched for, and the search hardly leaves its start, or leaves the numbers that make sense?"""
    if not evidence.exercise.number or any(a.difference is not Difference.VALUE for a in evidence.wrong):
        return ""
    pairs = [(as_tensor(a.got.value), as_tensor(a.expected.value)) for a in evidence.asked]
    if len(pairs) < 4 or any(not isinstance(v, torch.Tensor) or v.numel() != 1 for p in pairs for v in p):
        return ""
    got, want = (torch.tensor([v.item() for v in column], dtype=torch.float64) for column in zip(*pairs))
    if (want > 0).all() and (got < 0).any():
        return (
            f"Your result is negative for some inputs, such as {got.min():.3g}; the right one is always "
            "positive. If you search for it, search for its logarithm, which may be any number, and "
            "return the exponential."
        )
    if not (got > 0).all() or not (want > 0).all() or got.unique().numel() < 2:
        return ""
    for step in STEPS:
        whole = (got / step - (got / step).round()).abs().max() < 1e-6
        if whole and (got - want).abs().max() <= step:
            return (
                f"Every result of yours is a whole multiple of {step:g}, and the right one lies beside it: if you "
                "search on a grid, make it finer."
            )
    bounds = got.min(), got.max()
    clipped = want.clamp(*bounds)
    outside = (want / clipped - 1).abs() > 0.05
    if outside.any() and ((got / clipped - 1).abs() < 0.03).all():
        return (
            f"Your result never leaves the range from {bounds[0]:.3g} to {bounds[1]:.3g}; the right numbers "
            f"lie between {want.min():.3g} and {want.max():.3g}. If you search for it, look farther."
        )
    got, want = got.log(), want.log()
    start = got[(want - got).abs().argmin()]
    spread, right = got.max() - got.min(), want.max() - want.min()
    on_the_way = ((got - start) * (want - start) >= -1e-3).all() and ((got - want).abs() > 0.05).sum() > 2
    if spread > 0.6 * right or not on_the_way:
        return ""
    low, high = got.min().exp(), got.max().exp()
    return (
        f"It looks as if your search stopped too soon: it ends between {low:.3g} and {high:.3g}, where the "
        f"right numbers lie between {want.min().exp():.3g} and {want.max().exp():.3g}. Let it take more "
        f"steps, or larger ones, from its start near {start.exp():.2g}."
    )


def sequence(evidence: Evidence) -> str:
    """A list of numbers, such as a training's losses, that goes astray: from the first on, or after it?"""
    says = set()
    for a in evidence.wrong:
        want, got = a.expected.value, a.got.value
        if a.difference is not Difference.VALUE or not isinstance(want, tuple) or not isinstance(got, tuple):
            return ""
        lists = [i for i, w in enumerate(want) if isinstance(w, tuple) and len(w) > 1]
        if len(lists) != 1 or len(got) != len(want):
            return ""
        g, w = as_tensor(got[lists[0]]), as_tensor(want[lists[0]])
        if not isinstance(g, torch.Tensor) or g.shape != w.shape or _close(g, w, a):
            return ""
        same = torch.isclose(g.double(), w.double(), rtol=1e-5, atol=1e-7)
        says.add((lists[0] + 1, len(want), bool(same[0])))
    if len(says) != 1:
        return ""
    ((number, count, first),) = says
    where = f"value {number} of the {count} that you return"
    if first:
        return f"The first number of the list ({where}) is right, and not all of those after it are: look at what a step changes."
    return (
        f"Already the first number of the list ({where}) is wrong: look at what is computed first, and at "
        "whether a step is taken before it is kept."
    )
