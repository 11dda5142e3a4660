"""What was done to the result: lost at the extremes, nearly right, of another shape, a constant factor, one function too many."""

import math

import torch

from grader.judging.compare import Difference, as_parts, as_tensor, close
from grader.judging.diagnose.evidence import classes, entries, ratio, samples, times


def extremes(evidence):
    if (
        not all(a.case.extreme for a in evidence.wrong)
        or all(a.case.extreme for a in evidence.asked)
        or any(a.difference in (Difference.SHAPE, Difference.KIND) for a in evidence.wrong)
    ):
        return ""
    what = _describe_bad(evidence.wrong[0])
    if all(_lost_infinity(a) for a in evidence.wrong):
        return (
            "Right for ordinary inputs, but finite at the extremes where the right result is infinite: a clamp, an epsilon, `nan_to_num` or a mask "
            "takes the infinity away."
        )
    if what == "nan" and all(
        t.isinf().any()
        for a in evidence.wrong
        for t in a.question.args
        if isinstance(t, torch.Tensor) and t.is_floating_point()
    ):
        return "Right for finite inputs, but nan where one is infinite: inf − inf and 0·inf are nan. Keep the two from meeting."
    if what:
        return (
            f"Right for ordinary inputs, but {what} at the extremes: something on the way overflows, or a logarithm meets 0. "
            "Rewrite the formula so that no large number is ever exponentiated and no 0 is ever logged."
        )
    return "Right for ordinary inputs, but wrong at the extremes: precision is lost on the way, or a clamp cuts off what it should not."


def _lost_infinity(a):
    got, want = a.got.value, a.expected.value
    return (
        isinstance(got, torch.Tensor)
        and isinstance(want, torch.Tensor)
        and got.shape == want.shape
        and bool((want.isinf() & got.isfinite()).any())
    )


def _describe_bad(a):
    """What is bad about the value or, where that is right, about its gradient: nan, infinite, or ""."""
    for t in as_parts(a.got.value) if a.difference == Difference.VALUE else a.got.gradients.values():
        if isinstance(t, torch.Tensor) and t.is_floating_point():
            if t.isnan().any():
                return "nan"
            if t.isinf().any():
                return "infinite"
    return ""


def nan(evidence):
    if all(
        isinstance(a.got.value, torch.Tensor)
        and a.got.value.numel()
        and a.got.value.isnan().all()
        and a.difference == Difference.VALUE
        for a in evidence.wrong
    ):
        return "Your result is nan: on the way there is a logarithm or a root of a negative number, 0/0, inf − inf or 0·inf. Print the steps."
    return ""


def nearly(evidence):
    """So close to the definition, for all ordinary inputs, that the formula must be right?"""
    wrong = evidence.wrong
    ordinary = [a for a in wrong if not a.case.extreme]
    where, wrong = (" for ordinary inputs", ordinary) if 0 < len(ordinary) < len(wrong) else ("", wrong)
    if any(a.difference not in (Difference.VALUE, Difference.GRADIENT) for a in wrong):
        return ""
    pairs = [(a.got.value, a.expected.value) for a in wrong]
    pairs += [
        (a.got.gradients[n], g)
        for a in wrong
        if a.difference == Difference.GRADIENT
        for n, g in a.expected.gradients.items()
        if g is not None
    ]
    if any(not isinstance(v, torch.Tensor) or v.is_complex() for pair in pairs for v in pair):
        return ""
    largest = 0.0
    for got, want in pairs:
        off = ((got.double() - want.double()).abs() / want.double().abs().clamp(min=1e-3)).nan_to_num(
            nan=math.inf
        )
        largest = max(largest, off.max().item() if off.numel() else math.inf)
    if largest > 0.01:
        return ""
    return (
        f"Nearly right{where}: never more than {max(100 * largest, 1e-4):.1g} % away. The formula is right, and something disturbs it a little: an epsilon, a clamp, "
        "a rounded constant, a float32 on the way, or a search that stops too soon."
    )


def shape(evidence):
    wrong = evidence.wrong
    if wrong[0].difference != Difference.SHAPE:
        return ""
    wrong = [a for a in wrong if a.difference == Difference.SHAPE]
    got, want = wrong[0].got.value, wrong[0].expected.value
    if isinstance(want, tuple):
        short = next(
            (
                f"Value {i} of the {len(want)} that you return has length {len(g)} where {len(w)} is expected."
                for i, (g, w) in enumerate(zip(map(as_tensor, got), want), 1)
                if isinstance(w, tuple) and isinstance(g, torch.Tensor) and g.ndim == 1 and len(g) != len(w)
            ),
            "",
        )
        return short or next(
            (
                f"Value {i} of the {len(want)} that you return has shape {tuple(g.shape)} where {tuple(w.shape)} is expected."
                for i, (g, w) in enumerate(zip(got, want), 1)
                if isinstance(g, torch.Tensor) and isinstance(w, torch.Tensor) and g.shape != w.shape
            ),
            "",
        )
    pairs = [
        (a.got.value, a.expected.value)
        for a in wrong
        if isinstance(a.got.value, torch.Tensor) and isinstance(a.expected.value, torch.Tensor)
    ]
    if len(pairs) != len(wrong) or any(g.is_complex() for g, _ in pairs):
        return ""

    def fits(f):
        return all(_quiet(f, g, w) for g, w in pairs)

    several = any(g.numel() > 1 for g, _ in pairs)
    if several and fits(lambda g, w: w.ndim == 0 and close(g.double().mean(), w.double())):
        return "You return one loss per sample: the mean over the samples is still to be taken."
    if several and fits(lambda g, w: w.ndim == 0 and close(g.double().sum(), w.double())):
        return "You return the parts of a sum: they are still to be added up."
    if fits(lambda g, w: g.numel() == w.numel() and close(g.flatten(), w.flatten())):
        g, w = pairs[0]
        return (
            f"The numbers are right, but the shape is {tuple(g.shape)} where {tuple(w.shape)} is expected: "
            "a `keepdim`, an index or an `unsqueeze` too many or too few."
        )
    if fits(
        lambda g, w: g.ndim == 0 and w.ndim and (close(g, w.double().mean()) or close(g, w.double().sum()))
    ):
        return "You return a single number; one value for each entry is expected: a mean or a sum too many."
    if fits(lambda g, w: g.ndim == 2 and g.shape[0] == g.shape[1] and w.ndim <= 2 and g.shape[0] in w.shape):
        g, w = pairs[0]
        return (
            f"Your result has shape {tuple(g.shape)} where {tuple(w.shape)} is expected: an (N, 1) met an (N,), and broadcasting "
            "paired everything with everything."
        )
    g, w = pairs[0]
    return f"Your result has shape {tuple(g.shape)} where {tuple(w.shape)} is expected."


def _quiet(f, *args):
    try:
        return bool(f(*args))
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False


def rescaled(evidence):
    """A constant factor, the sign, a logarithm too many: one simple function of the right result."""
    if any(a.difference != Difference.VALUE for a in evidence.wrong):
        return ""
    triples = [(a.got.value, a.expected.value, a) for a in evidence.wrong]
    if any(
        not isinstance(g, torch.Tensor) or not isinstance(w, torch.Tensor) or g.is_complex()
        for g, w, _ in triples
    ):
        return ""

    def fits(f):
        """… with N the first dimension, or the number of all entries (a loss of a matrix averages over those)."""
        telling = any((g != 0).any() and g.isfinite().any() for g, _, _ in triples)

        def same(g, w, a, size):
            made, (relative, absolute) = (
                f(w.double(), size(a.question), classes(a.question)),
                a.case.tolerance(w.dtype),
            )
            return close(g, made, max(relative, 1e-4), max(absolute, 1e-6)) and not close(
                made, w, 1e-3, 1e-6
            )  # a factor of 1 explains nothing

        return telling and any(all(_quiet(same, *t, size) for t in triples) for size in (samples, entries))

    factors = [
        ("The sign is turned round: yours is minus the right result.", lambda n, c: -1),
        (
            "Your result is N times too large: it is a sum over the samples where a mean is expected.",
            lambda n, c: n,
        ),
        (
            "Your result is N times too small: it is divided by the number of samples once too often.",
            lambda n, c: 1 / n,
        ),
        (
            "Your result is C times too large: it is summed over the classes where a mean is expected, or multiplied by their number.",
            lambda n, c: c,
        ),
        (
            "Your result is C times too small: it is divided by the number of classes too (a `.mean()` over the whole matrix does that).",
            lambda n, c: 1 / c,
        ),
        (
            "Your result is divided by C, the number of classes, where N, the number of samples, belongs.",
            lambda n, c: n / c,
        ),
        (
            "Your result is N·C times too large: a sum stands where a mean over everything is expected.",
            lambda n, c: n * c,
        ),
        (
            "Your result is N·C times too small: it is divided by the number of all entries.",
            lambda n, c: 1 / (n * c),
        ),
        (
            "Your result is too small by the factor ln 2: the logarithm is the natural one, `torch.log`.",
            lambda n, c: math.log(2),
        ),
        (
            "Your result is too large by the factor 1/ln 2: the logarithm is the natural one, `torch.log`, not `log2`.",
            lambda n, c: 1 / math.log(2),
        ),
        (
            "Your result is too small by the factor 1/ln 10: the logarithm is the natural one, `torch.log`, not `log10`.",
            lambda n, c: 1 / math.log(10),
        ),
        ("Your result is twice as large as it should be.", lambda n, c: 2),
        ("Your result is half of what it should be.", lambda n, c: 0.5),
        (
            "Your result is minus N times the right one: the sign is turned round, and a sum stands where a mean is expected.",
            lambda n, c: -n,
        ),
        ("Your result is divided by N − 1 where the mean divides by N.", lambda n, c: n / max(n - 1, 1)),
    ]
    for says, k in factors:
        if fits(lambda w, n, c: w * k(n, c)):
            return says
    for says, f in [
        ("You return 1 minus the right result.", lambda w, n, c: 1 - w),
        ("You return the logarithm of the right result.", lambda w, n, c: w.log()),
        ("You return minus the logarithm of the right result.", lambda w, n, c: -w.log()),
        (
            "You return the exponential of the right result: a logarithm is missing at the end.",
            lambda w, n, c: w.exp(),
        ),
        ("You return the square of the right result.", lambda w, n, c: w**2),
        ("You return the square root of the right result.", lambda w, n, c: w.sqrt()),
        ("You return one over the right result.", lambda w, n, c: 1 / w),
        ("You return the result transposed.", lambda w, n, c: w.transpose(-2, -1)),
        (
            "Your result is rounded or truncated to whole numbers: an integer dtype on the way?",
            lambda w, n, c: w.trunc(),
        ),
        ("Your result is rounded to whole numbers.", lambda w, n, c: w.round()),
    ]:
        if fits(f):
            return says
    factor = ratio([(g, w) for g, w, _ in triples])
    if factor is not None:
        return f"Your result is always {times(factor)} the right one."
    offset = ratio(
        [
            ((g.double() - w.double()).exp(), torch.ones_like(w, dtype=torch.float64))
            for g, w, _ in triples
            if g.shape == w.shape
        ]
    )
    if offset is not None:
        return f"Your result is always {math.log(offset):+.4g} away from the right one: a constant is added."
    return ""
