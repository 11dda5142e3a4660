"""Exercises of 07_log_softmax: the logarithm of a sum of exponentials, for scores of any size.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html and
https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.exercises.softmax import Z, matrix, scores
from grader.judging.exercise import exercise

INF = float("inf")
# In float32 a score near 1000 is rounded to about 6e-5, and a probability that is exp of a difference of two such inherits it.


def square(rng):
    z = rng.logits(4, 4)
    return [(z, 1), (z, 0)]


def cube(rng):
    z = rng.logits(2, 3, 4)
    return [(z, 0), (z, 1), (z, 2), (z, -1), (z, -2)]


def vector(rng):
    return rng.logits(rng.size()), 0


def shifted(rng):
    """Rows around 1000, -1000 and 0, and the same as columns: what one of them needs ruins another."""
    z = rng.logits(5, 4) + torch.tensor([1000.0, -1000.0, 0.0, 1000.0, -1000.0], dtype=rng.dtype)[:, None]
    return [(z, 1), (z.T.contiguous(), 0)]


def apart(rng):
    """Scores of 1000 and -1000 side by side."""
    z = rng.signs(4, 6) * 1000 + rng.logits(4, 6)
    return [(z, 1), (z, 0), (z[:1, :2] * 1.0, 1), (torch.tensor([0.0, 1000.0], dtype=rng.dtype), 0)]


def masked(rng):
    """Rows in which some scores, but not all, are minus infinity."""
    z = rng.logits(4, 3)
    z[0, 1] = z[2, 0] = z[2, 2] = -INF
    return z, 1


# ---------------------------------------------------------------- logsumexp


@exercise(
    points=3,
    without=[torch.logsumexp, torch.logcumsumexp],
    hints=[
        "Take a number out of every exponential: exp(z) = exp(m)·exp(z − m). Under the logarithm the factor exp(m) becomes a summand m.",
        "Which m? With the largest score of the slice every exponent is at most 0, and one of them is 0: nothing overflows, and the sum is at least 1. "
        "`z.amax(dim=dim, keepdim=True)`.",
        "Where all scores of a slice are −inf, so is m, and −inf − (−inf) is nan. Use another m there, such as 0.",
        "Compute `m = torch.where(m.isinf(), 0, m)`, then m plus the logarithm of the sum of `exp(z - m)`. Mind the shape of m when you add it back: `m.squeeze(dim)`.",
    ],
    built="Log-sum-exp, the smooth maximum. PyTorch calls it `torch.logsumexp(z, dim=…)`.",
)
def logsumexp(z, dim):
    return torch.logsumexp(z, dim=dim)


logsumexp.case("the lesson's example", example=True)(lambda rng: (scores(rng), 1))
logsumexp.case("random scores", gradient="z")(lambda rng: (matrix(rng), 1))
logsumexp.case("as many classes as samples, both dimensions", gradient="z")(square)
logsumexp.case("a 3-D tensor, each of its dimensions", gradient="z")(cube)
logsumexp.case("a single vector")(vector)
logsumexp.case("other dimensions of size 1", gradient="z")(
    lambda rng: [(rng.logits(3, 1, 4), 2), (rng.logits(1, 3, 1), 1)]
)
logsumexp.case("rows at 1000 and at -1000", extreme=True, gradient="z")(shifted)
logsumexp.case("1000 and -1000 in one row", extreme=True, gradient="z")(apart)
logsumexp.case("some scores -inf", extreme=True)(masked)
logsumexp.case("all scores -inf", extreme=True)(
    lambda rng: [
        (torch.full((1, 3), -INF, dtype=rng.dtype), 1),
        (torch.full((4,), -INF, dtype=rng.dtype), 0),
        (torch.cat([rng.logits(2, 3), torch.full((1, 3), -INF, dtype=rng.dtype)]), 1),
    ]
)
logsumexp.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (matrix(rng), 1))
logsumexp.case("float32 at 1000", dtype=torch.float32, extreme=True, gradient="z")(shifted)


def largest(z, dim):
    return z.amax(dim=dim, keepdim=True)


@logsumexp.mistake(
    "You wrote the definition literally. Above 709 (88.7 in float32) exp gives inf, and far below 0 the sum is 0 and its logarithm −inf.",
    hint="Take the largest score out of every exponential, and add it back at the end.",
)
def _(z, dim):
    return z.exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You subtracted the largest score and did not add it back.", hint="log(exp(m)·s) is m + log s."
)
def _(z, dim):
    return (z - largest(z, dim)).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You took the largest score of the whole tensor. Each slice needs its own: next to 1000, a row at −1000 underflows to 0."
)
def _(z, dim):
    return z.max() + (z - z.max()).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "Your result is right except where all scores are −inf. There the largest is −inf, too, and −inf − (−inf) is nan. Return −inf.",
    hint="Where the largest score is infinite, subtract 0 instead.",
)
def _(z, dim):
    m = largest(z, dim)
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake("Your function always adds along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.logsumexp(z, dim=-1)


@logsumexp.mistake("Your function always adds along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.logsumexp(z, dim=1)


@logsumexp.mistake(
    "You return the largest score alone. The others count, too: log(e⁰ + e⁰) is 0.6931, not 0."
)
def _(z, dim):
    return z.amax(dim=dim)


@logsumexp.mistake(
    "You took the mean of the exponentials, not their sum, so your result is too small by log C."
)
def _(z, dim):
    return torch.logsumexp(z, dim=dim) - torch.log(torch.tensor(float(z.shape[dim]), dtype=z.dtype))


@logsumexp.mistake(
    "You added the scores themselves. The logarithm of a sum is not the sum of the logarithms."
)
def _(z, dim):
    return z.sum(dim=dim)


@logsumexp.mistake(
    "You subtracted the largest score at the end. It was taken out of the exponentials, so it has to be added back."
)
def _(z, dim):
    m = largest(z, dim)
    return (z - m).exp().sum(dim=dim).log() - m.squeeze(dim)


@logsumexp.mistake(
    "You clamped the scores before taking the exponential. Nothing overflows, but 1000 comes out as your limit."
)
def _(z, dim):
    return z.clamp(-80, 80).exp().sum(dim=dim).log()


@logsumexp.mistake("You added all entries up.", hint="Return one result for each slice along `dim`.")
def _(z, dim):
    return torch.logsumexp(z.flatten(), dim=0)


def finite(m):
    return torch.where(m.isinf(), 0, m)


@logsumexp.mistake(
    "`log1p` adds 1 to the sum, and the 1 of the largest score, exp(0), is in the sum already.",
    hint="Use `log`, or leave the largest out of the sum.",
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log1p()


@logsumexp.mistake(
    "You took the smallest score out. The exponents are then positive, and overflow where another score is far larger.",
    hint="Take the largest out.",
)
def _(z, dim):
    m = finite(z.amin(dim=dim, keepdim=True))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You took the mean out. With 1000 and −1000 in a row, the exponent of the larger one is still 1000, and overflows.",
    hint="Take the largest out.",
)
def _(z, dim):
    m = finite(z.mean(dim=dim, keepdim=True))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The largest scores, kept as (N, 1), met sums of shape (N,), and broadcasting paired each with every other.",
    hint="`m.squeeze(dim)` lines them up.",
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The largest score has lost a dimension: (N,) does not line up with the rows of (N, C).",
    hint="`amax(dim=dim, keepdim=True)` keeps it for the subtraction.",
)
def _(z, dim):
    m = finite(z.amax(dim=dim))
    return m + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The value is right, but you added the largest score back as a constant, so its share of the slope is lost.",
    hint="Leave out `.detach()` there.",
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim).detach() + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You took a logarithm to another base. The natural one undoes the exponential.", hint="`torch.log`."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log2()


@logsumexp.mistake(
    "`squeeze()` without a dimension removes every dimension of size 1. Only the one that was summed over should go.",
    hint="`m.squeeze(dim)`.",
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze() + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You added the largest score inside the logarithm. It belongs outside: log(exp(m)·s) is m + log s."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return ((z - m).exp() + m).sum(dim=dim).log()


@logsumexp.mistake(
    "You multiplied by the largest score at the end. A factor inside a logarithm becomes a term outside: m + log s."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) * (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You subtracted a fixed number, not the largest score of the slice. Scores far above it overflow, and scores far below it vanish."
)
def _(z, dim):
    return 1000 + (z - 1000).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You put the lost dimension back as dimension 1, whatever `dim` says. It belongs where it was.",
    hint="`keepdim=True`, or `unsqueeze(dim)`.",
)
def _(z, dim):
    m = finite(z.amax(dim=dim))
    return m + (z - m.unsqueeze(1)).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You added a small number inside the logarithm, so a slice of −inf gives the logarithm of that number. The sum is 0 there, and log 0 = −inf is right."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) + ((z - m).exp().sum(dim=dim) + 1e-8).log()


# ---------------------------------------------------------------- log_softmax


@exercise(
    points=3,
    without=[F.log_softmax, nn.LogSoftmax, F.cross_entropy, nn.CrossEntropyLoss],
    hints=[
        "Take the logarithm of the fraction on paper before you write any code: log(a / b) = log a − log b.",
        "The logarithm of exp(z) is z itself. What is left in the denominator is the inside of a log-sum-exp, and of that you have a safe version.",
        "z minus the log-sum-exp along `dim`, kept as a dimension of size 1: `torch.logsumexp(z, dim=dim, keepdim=True)`, or yours with `.unsqueeze(dim)`.",
    ],
    built="You have built `nn.LogSoftmax(dim=…)`, `F.log_softmax(z, dim=…)`, `torch.log_softmax(z, dim=…)`: the first half of every cross-entropy on logits.",
)
def log_softmax(z, dim):
    return torch.log_softmax(z, dim=dim)


log_softmax.case("the lesson's example", example=True)(lambda rng: (scores(rng), 1))
log_softmax.case("random scores", gradient="z")(lambda rng: (matrix(rng), 1))
log_softmax.case("as many classes as samples, both dimensions", gradient="z")(square)
log_softmax.case("a 3-D tensor, each of its dimensions", gradient="z")(cube)
log_softmax.case("a single vector", gradient="z")(vector)
log_softmax.case("rows at 1000 and at -1000", extreme=True, gradient="z")(shifted)
log_softmax.case("1000 and -1000 in one row", extreme=True, gradient="z")(apart)
log_softmax.case("some scores -inf", extreme=True)(masked)
log_softmax.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (matrix(rng), 1))
log_softmax.case("float32, 200 apart", dtype=torch.float32, extreme=True, gradient="z", rtol=1e-3, atol=1e-4)(
    lambda rng: (rng.signs(4, 5) * 100 + rng.logits(4, 5), 1)
)


@log_softmax.mistake(
    "You took the logarithm of a softmax, or of an exponential. What is too small for the dtype is 0 by then, and log 0 is −inf.",
    hint="Take the logarithm of the fraction on paper first.",
)
def _(z, dim):
    return torch.softmax(z, dim=dim).log()


@log_softmax.mistake(
    "You have the right difference, but the logarithm of the sum overflows at large scores.",
    hint="Take the largest score out of the exponentials first.",
)
def _(z, dim):
    return z - z.exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You added 1e-8 inside the logarithm. That avoids −inf, but no log-probability falls below −18.42, and the slope is 0 where the model is most wrong."
)
def _(z, dim):
    return (torch.softmax(z, dim=dim) + 1e-8).log()


@log_softmax.mistake(
    "You clamped the probabilities before taking the logarithm. That avoids −inf, but the log-probabilities are wrong where the model is most wrong, and have no slope there."
)
def _(z, dim):
    return torch.softmax(z, dim=dim).clamp(min=1e-8).log()


@log_softmax.mistake(
    "The log-sum-exp has lost a dimension: (N,) does not line up with the rows of (N, C). That gives an error, or, when N = C, the wrong ones are subtracted.",
    hint="`keepdim=True`, or `.unsqueeze(dim)`.",
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim)


@log_softmax.mistake(
    "You subtracted the largest score only.", hint="Subtract the log-sum-exp, which is a little larger."
)
def _(z, dim):
    return z - largest(z, dim)


@log_softmax.mistake(
    "You took the largest score of the whole tensor. Each slice needs its own: next to 1000, a row at −1000 underflows to 0."
)
def _(z, dim):
    shift = z - z.max()
    return shift - shift.exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake("Your function always works along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.log_softmax(z, dim=-1)


@log_softmax.mistake("The sign is wrong: no log-probability is above 0.", hint="z minus the log-sum-exp.")
def _(z, dim):
    return -torch.log_softmax(z, dim=dim)


@log_softmax.mistake("You divided by the log-sum-exp. The logarithm of a fraction is a difference.")
def _(z, dim):
    return z / torch.logsumexp(z, dim=dim, keepdim=True)


@log_softmax.mistake(
    "You took the largest score out of the denominator and not out of the numerator: the scores on the left are still the unshifted ones.",
    hint="Either shift both, or add the largest score back to the logarithm.",
)
def _(z, dim):
    return z - (z - largest(z, dim)).exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake("You took one log-sum-exp over all entries. Each slice along `dim` has its own.")
def _(z, dim):
    return z - torch.logsumexp(z.flatten(), dim=0)


@log_softmax.mistake(
    "You clamped the logarithm of a softmax at −100. Log-probabilities go on below that, and the slope must not end there."
)
def _(z, dim):
    return torch.softmax(z, dim=dim).log().clamp(min=-100)


@log_softmax.mistake(
    "You put the lost dimension back as dimension 1, whatever `dim` says. It belongs where it was.",
    hint="`unsqueeze(dim)`, or `keepdim=True`.",
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim).unsqueeze(1)


@log_softmax.mistake(
    "You put the lost dimension back as the last one, whatever `dim` says. It belongs where it was.",
    hint="`unsqueeze(dim)`, or `keepdim=True`.",
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim).unsqueeze(-1)


@log_softmax.mistake(
    "The exponential is missing.", hint="Subtract the logarithm of a sum of exponentials, not of scores."
)
def _(z, dim):
    return z - z.sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "The value is right, but you cut the log-sum-exp off with `detach`, so its slope, minus the probabilities, is missing from the gradient."
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim, keepdim=True).detach()


@log_softmax.mistake("Your function always works along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.log_softmax(z, dim=1)


@log_softmax.mistake(
    "You added the log-sum-exp. The logarithm of a fraction is a difference.", hint="z minus the log-sum-exp."
)
def _(z, dim):
    return z + torch.logsumexp(z, dim=dim, keepdim=True)


@log_softmax.mistake("You took a logarithm too many: the log-sum-exp is a logarithm already.")
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You subtracted the largest score and added the logarithm of the sum. Together they are the log-sum-exp, and all of it is subtracted.",
    hint="Parentheses: z − (m + log …).",
)
def _(z, dim):
    m = largest(z, dim)
    return z - m + (z - m).exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You subtracted the largest score once too often. Taken out of the numerator and out of the denominator, it has cancelled."
)
def _(z, dim):
    m = largest(z, dim)
    return z - m - m - (z - m).exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You clamped the scores. Nothing overflows, but all scores beyond the limit become equal."
)
def _(z, dim):
    return torch.log_softmax(z.clamp(-80, 80), dim=dim)


@log_softmax.mistake(
    "You took a logarithm to another base. PyTorch's losses use the natural one.", hint="`torch.log`."
)
def _(z, dim):
    m = largest(z, dim)
    return z - m - (z - m).exp().sum(dim=dim, keepdim=True).log2()


# ---------------------------------------------------------------- stable_softmax


@exercise(
    points=3,
    without=[F.softmax, nn.Softmax, F.gumbel_softmax],
    hints=[
        "Adding the same number to all scores of a slice changes no probability. Which number makes the exponentials safe?",
        "Subtract the largest score: every exponent is then at most 0. Which largest score? The one among those that compete, along `dim`.",
        "`e = torch.exp(z - z.amax(dim=dim, keepdim=True))`, and then as before. Or the exponential of your log_softmax.",
    ],
    built="This is what `torch.softmax` computes: its source subtracts the largest score of each slice before taking the exponential.",
)
def stable_softmax(z, dim):
    return torch.softmax(z, dim=dim)


stable_softmax.case("the lesson's example", example=True)(lambda rng: (scores(rng), 1))
stable_softmax.case("random scores", gradient="z")(lambda rng: (matrix(rng), 1))
stable_softmax.case("as many classes as samples, both dimensions", gradient="z")(square)
stable_softmax.case("a 3-D tensor, each of its dimensions", gradient="z")(cube)
stable_softmax.case("a single vector", gradient="z")(vector)
stable_softmax.case("rows at 1000 and at -1000", extreme=True, gradient="z")(shifted)
stable_softmax.case("1000 and -1000 in one row", extreme=True, gradient="z", atol=1e-12)(
    apart
)  # a clamp at exp(-20) must show
stable_softmax.case("some scores -inf", extreme=True)(masked)
stable_softmax.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (matrix(rng), 1))
stable_softmax.case("float32 at 1000", dtype=torch.float32, extreme=True, gradient="z", rtol=2e-3, atol=1e-4)(
    shifted
)


@stable_softmax.mistake(
    "You wrote the definition literally: exp(1000) is inf and inf / inf is nan; exp(−1000) is 0 and 0 / 0 is nan.",
    hint="Subtract the largest score first.",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You subtracted the largest score of the whole tensor. A row far below it underflows to 0 / 0.",
    hint="Each slice along `dim` needs its own.",
)
def _(z, dim):
    e = (z - z.max()).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You replaced the nan afterwards. It is gone, but so are the probabilities: they no longer sum to 1."
)
def _(z, dim):
    return torch.nan_to_num(z.exp() / z.exp().sum(dim=dim, keepdim=True))


@stable_softmax.mistake(
    "You clamped large scores. Nothing overflows, but all scores beyond the limit become equal."
)
def _(z, dim):
    return torch.softmax(z.clamp(-80, 80), dim=dim)


@stable_softmax.mistake(
    "The exponential is missing: you divided the shifted scores by their sum.",
    hint="Shift, take the exponentials, then divide.",
)
def _(z, dim):
    shifted = z - largest(z, dim)
    return shifted / shifted.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You subtracted the mean. The largest score can be far above it: with 1000 and −1000 in a row, exp still overflows."
)
def _(z, dim):
    e = (z - z.mean(dim=dim, keepdim=True)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You divided the scores by the largest one. That changes their differences, and so the probabilities. Subtracting does not."
)
def _(z, dim):
    return torch.softmax(z / largest(z, dim), dim=dim)


@stable_softmax.mistake(
    "Your sum is that of the unshifted exponentials. What is subtracted in the numerator has to be subtracted in the denominator, too, or it does not cancel."
)
def _(z, dim):
    return (z - largest(z, dim)).exp() / z.exp().sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "The largest score has lost a dimension: (N,) does not line up with the rows of (N, C).",
    hint="`amax` has an argument `keepdim=True`, as `sum` does.",
)
def _(z, dim):
    e = (z - z.amax(dim=dim)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake("Your function always works along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.softmax(z, dim=-1)


@stable_softmax.mistake("You return log-probabilities. The exponential at the end is missing.")
def _(z, dim):
    return torch.log_softmax(z, dim=dim)


@stable_softmax.mistake(
    "You added an epsilon to the denominator. With it 0 / 0 becomes 0, which is not a probability, and inf / inf is still nan."
)
def _(z, dim):
    return z.exp() / (z.exp().sum(dim=dim, keepdim=True) + 1e-8)


def shifted_by(z, m, dim):
    e = (z - m).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You subtracted the largest score of the whole tensor everywhere. A row far below it underflows to 0 / 0: each slice along `dim` needs its own."
)
def _(z, dim):
    return shifted_by(z, z.max().detach(), dim)


@stable_softmax.mistake(
    "You subtracted the smallest score. The exponents are then positive, and overflow where another score is far larger.",
    hint="Subtract the largest.",
)
def _(z, dim):
    return shifted_by(z, z.amin(dim=dim, keepdim=True), dim)


@stable_softmax.mistake(
    "You subtracted the largest absolute value, so a row at −1000 is shifted to −2000 and underflows to 0 / 0.",
    hint="Subtract the largest score, with its sign.",
)
def _(z, dim):
    return shifted_by(z, z.abs().amax(dim=dim, keepdim=True), dim)


@stable_softmax.mistake(
    "You took the largest along dimension 0, whatever `dim` says. The same number must be subtracted from all scores that compete.",
    hint="Take it along `dim`.",
)
def _(z, dim):
    return shifted_by(z, z.amax(dim=0, keepdim=True), dim)


@stable_softmax.mistake(
    "You took the largest along dimension 1, whatever `dim` says. The same number must be subtracted from all scores that compete.",
    hint="Take it along `dim`.",
)
def _(z, dim):
    return shifted_by(z, z.amax(dim=1, keepdim=True), dim)


@stable_softmax.mistake("Your function always works along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.softmax(z, dim=1)


@stable_softmax.mistake("You divided by the sum of all entries. Each slice along `dim` has its own sum.")
def _(z, dim):
    e = (z - largest(z, dim)).exp()
    return e / e.sum()


@stable_softmax.mistake(
    "The sum has lost a dimension: (N,) does not line up with the rows of (N, C).",
    hint="`keepdim=True` keeps it.",
)
def _(z, dim):
    e = (z - largest(z, dim)).exp()
    return e / e.sum(dim=dim)


@stable_softmax.mistake(
    "You added an epsilon to a denominator that is never near 0: the largest exponential is exp(0) = 1. All it does is spoil the sum of 1."
)
def _(z, dim):
    e = (z - largest(z, dim)).exp()
    return e / (e.sum(dim=dim, keepdim=True) + 1e-6)


@stable_softmax.mistake(
    "You subtracted a fixed number, not the largest score of the slice. Scores far above it overflow, and a slice far below it is 0 / 0."
)
def _(z, dim):
    return shifted_by(z, 1000.0, dim)


@stable_softmax.mistake(
    "You multiplied by exp(m) to put the largest score back. It cancels in the fraction, and exp(1000) is inf.",
    hint="Leave it out.",
)
def _(z, dim):
    m = largest(z, dim)
    e = (z - m).exp() * m.exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You clamped the small exponents. A score far below the largest has a probability of nearly 0, not that of your limit."
)
def _(z, dim):
    e = (z - largest(z, dim)).clamp(min=-20).exp()
    return e / e.sum(dim=dim, keepdim=True)


# ---------------------------------------------------------------- softmax_jacobian


@exercise(
    points=3,
    without=[
        torch.autograd.functional.jacobian,
        torch.func.jacrev,
        torch.func.jacfwd,
        torch.autograd.grad,
        torch.autograd.backward,
        torch.autograd.functional.vjp,
        torch.autograd.functional.jvp,
    ],
    hints=[
        "On the diagonal you have p(1 − p), that is p − p·p. Everywhere else it is −p·p, with two different p.",
        "So minus a product of every p with every p, and a p added on the diagonal only.",
        "`torch.outer(p, p)` holds all the products; `torch.diag(p)` is a matrix with p on its diagonal and 0 elsewhere.",
    ],
    built="The Jacobian of softmax, diag(p) − p pᵀ. `torch.autograd.functional.jacobian` computes it; the backward pass multiplies by it without ever making it.",
)
def softmax_jacobian(z):
    p = torch.softmax(z, dim=0)
    return torch.diag(p) - torch.outer(p, p)


softmax_jacobian.case("the lesson's example", example=True)(
    lambda rng: (torch.tensor(Z[3], dtype=rng.dtype),)
)
softmax_jacobian.case("random scores", gradient="z")(lambda rng: (rng.logits(rng.size(6, 9), limit=3.0),))
softmax_jacobian.case("three classes")(lambda rng: (rng.logits(3, limit=2.0),))
softmax_jacobian.case("two classes", gradient="z")(lambda rng: (rng.logits(2, limit=2.0),))
softmax_jacobian.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (rng.logits(4, limit=3.0),))


def probabilities(z):
    return torch.softmax(z, dim=0)


@softmax_jacobian.mistake(
    "The products p_i·p_j are added. They are subtracted: where one score rises, the other probabilities fall, so each row sums to 0."
)
def _(z):
    p = torch.softmax(z, dim=0)
    return torch.diag(p) + torch.outer(p, p)


@softmax_jacobian.mistake(
    "Only your diagonal is filled. A score moves the probabilities of the other classes, too: −p_i·p_j off the diagonal."
)
def _(z):
    return torch.diag(probabilities(z) * (1 - probabilities(z)))


@softmax_jacobian.mistake(
    "You return p(1 − p), the diagonal alone.",
    hint="Return a matrix (C, C): how each probability moves with each score.",
)
def _(z):
    return probabilities(z) * (1 - probabilities(z))


@softmax_jacobian.mistake(
    "The sign is wrong: when its own score rises, so does a probability, so the diagonal is positive."
)
def _(z):
    return torch.outer(probabilities(z), probabilities(z)) - torch.diag(probabilities(z))


@softmax_jacobian.mistake(
    "Your diagonal is 0. It is p(1 − p): a score moves its own probability most of all.",
    hint="Mind the parentheses: `p * 1 - p` multiplies by 1 and subtracts p afterwards, which is 0.",
)
def _(z):
    p = probabilities(z)
    return torch.diag(p * p) - torch.outer(p, p)


@softmax_jacobian.mistake(
    "The diagonal matrix with p is missing. With −p pᵀ alone, raising a score would lower its own probability."
)
def _(z):
    return -torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake(
    "`p * p` is the square of each entry, of shape (C,). You need the products of every p with every p.",
    hint="`torch.outer(p, p)`, or a column times a row.",
)
def _(z):
    return torch.diag(probabilities(z)) - probabilities(z) * probabilities(z)


@softmax_jacobian.mistake("You used the scores instead of the probabilities: p is the softmax of z.")
def _(z):
    return torch.diag(z) - torch.outer(z, z)


@softmax_jacobian.mistake(
    "You return the Jacobian of log_softmax, the unit matrix minus p in every row. That of softmax has each row multiplied by its p."
)
def _(z):
    return torch.eye(len(z), dtype=z.dtype) - probabilities(z)


@softmax_jacobian.mistake(
    "Your entries off the diagonal are positive. What one class gains the others lose: −p_i·p_j."
)
def _(z):
    p = probabilities(z)
    return torch.outer(p, p) + torch.diag(p - 2 * p * p)


@softmax_jacobian.mistake("The product p pᵀ is missing. With diag(p) alone the classes would not compete.")
def _(z):
    return torch.diag(probabilities(z))


@softmax_jacobian.mistake(
    "`p @ p` is a single number, the sum of the squares. You need the products of every p with every p.",
    hint="`torch.outer(p, p)`.",
)
def _(z):
    return torch.diag(probabilities(z)) - probabilities(z) @ probabilities(z)


@softmax_jacobian.mistake(
    "You put a 1 on the diagonal instead of p: it is p − p·p there.",
    hint="`torch.diag(p)`, not the unit matrix.",
)
def _(z):
    return torch.eye(len(z), dtype=z.dtype) - torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake("You took the sigmoid of the scores. The probabilities are their softmax.")
def _(z):
    return torch.diag(torch.sigmoid(z)) - torch.outer(torch.sigmoid(z), torch.sigmoid(z))


@softmax_jacobian.mistake(
    "`p - torch.outer(p, p)` adds p to every row. It belongs on the diagonal only.", hint="`torch.diag(p)`."
)
def _(z):
    return probabilities(z) - torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake(
    "Every entry of yours is p_i(1 − p_j). Off the diagonal it is −p_i·p_j: p itself is added on the diagonal only."
)
def _(z):
    return torch.outer(probabilities(z), 1 - probabilities(z))


@softmax_jacobian.mistake(
    "You subtracted p·p twice on the diagonal: `torch.outer(p, p)` contains it already.",
    hint="`torch.diag(p)`, with p itself, is enough.",
)
def _(z):
    p = probabilities(z)
    return torch.diag(p * (1 - p)) - torch.outer(p, p)


@softmax_jacobian.mistake(
    "You nudged the scores and took differences. That loses nearly half of the digits, in float32 all of them.",
    hint="Write the two formulas.",
)
def _(z):
    h = 1e-6
    return torch.stack(
        [
            (probabilities(z + h * e) - probabilities(z - h * e)) / (2 * h)
            for e in torch.eye(len(z), dtype=z.dtype)
        ],
        dim=1,
    )
