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
        "Where all scores of a slice are −inf, so is m, and −inf − (−inf) is nan. Take another m there: 0 will do.",
        "`m = torch.where(m.isinf(), 0, m)`, then m plus the logarithm of the sum of `exp(z - m)`. Mind the shape of m when you add it back: `m.squeeze(dim)`.",
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
    "This is the definition as it stands: above 709 (88.7 in float32) exp gives inf, and far below 0 the sum is 0 and its logarithm −inf.",
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
    "Right but where all scores are −inf: there the largest is −inf, too, and −inf − (−inf) is nan. The result is −inf.",
    hint="Where the largest score is infinite, subtract 0 instead.",
)
def _(z, dim):
    m = largest(z, dim)
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake("You always add along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.logsumexp(z, dim=-1)


@logsumexp.mistake("You always add along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.logsumexp(z, dim=1)


@logsumexp.mistake(
    "You return the largest score alone. The others count, too: log(e⁰ + e⁰) is 0.6931, not 0."
)
def _(z, dim):
    return z.amax(dim=dim)


@logsumexp.mistake("You took the mean of the exponentials, not their sum: the result is too small by log C.")
def _(z, dim):
    return torch.logsumexp(z, dim=dim) - torch.log(torch.tensor(float(z.shape[dim]), dtype=z.dtype))


@logsumexp.mistake(
    "You added the scores themselves. The logarithm of a sum is not the sum of the logarithms."
)
def _(z, dim):
    return z.sum(dim=dim)


@logsumexp.mistake(
    "You subtracted the largest score once more at the end. It was taken out of the exponentials, so it is added back."
)
def _(z, dim):
    m = largest(z, dim)
    return (z - m).exp().sum(dim=dim).log() - m.squeeze(dim)


@logsumexp.mistake(
    "You clamped the scores before the exponential: nothing overflows, but 1000 comes out as your limit."
)
def _(z, dim):
    return z.clamp(-80, 80).exp().sum(dim=dim).log()


@logsumexp.mistake("You added all entries up. One result for each slice along `dim` is asked for.")
def _(z, dim):
    return torch.logsumexp(z.flatten(), dim=0)


def finite(m):
    return torch.where(m.isinf(), 0, m)


@logsumexp.mistake(
    "`log1p` adds 1 to the sum. The 1 of the largest score, exp(0), is in the sum already: take `log`, or leave the largest out of the sum."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log1p()


@logsumexp.mistake(
    "You took the smallest score out. The exponents are then positive, and overflow where another score is far larger: take the largest."
)
def _(z, dim):
    m = finite(z.amin(dim=dim, keepdim=True))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You took the mean out. With 1000 and −1000 in a row, the exponent of the larger is still 1000: take the largest."
)
def _(z, dim):
    m = finite(z.mean(dim=dim, keepdim=True))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The largest scores, kept as (N, 1), met sums of shape (N,), and broadcasting paired everything with everything. `m.squeeze(dim)` lines them up."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The largest score lost its dimension: (N,) does not line up with the rows of (N, C). Keep it for the subtraction, `keepdim=True`."
)
def _(z, dim):
    m = finite(z.amax(dim=dim))
    return m + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The value is right, but the largest score was added back as a constant: without `.detach()` there, its share of the slope is not lost."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim).detach() + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "You took a logarithm of another base. The natural one, `torch.log`, undoes the exponential."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log2()


@logsumexp.mistake(
    "`squeeze()` without a dimension removes every dimension of size 1. `m.squeeze(dim)` removes the one that was summed over."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return m.squeeze() + (z - m).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "The largest score stands inside the logarithm. It comes out of there: log(exp(m)·s) is m + log s."
)
def _(z, dim):
    m = finite(largest(z, dim))
    return ((z - m).exp() + m).sum(dim=dim).log()


@logsumexp.mistake(
    "You multiplied by the largest score at the end. A factor under the logarithm becomes a summand: m + log s."
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
    "The lost dimension came back as dimension 1, whatever `dim` says. `keepdim=True`, or `unsqueeze(dim)`, puts it where it was."
)
def _(z, dim):
    m = finite(z.amax(dim=dim))
    return m + (z - m.unsqueeze(1)).exp().sum(dim=dim).log()


@logsumexp.mistake(
    "With a small number inside the logarithm, a slice of −inf gives the logarithm of that number. The sum is 0 there, and log 0 = −inf is right."
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
        "log of exp(z) is z itself. What is left below is a log-sum-exp, of which you have a safe one.",
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
    "You took the logarithm of a softmax. A probability too small for the dtype is 0 by then, and log 0 is −inf: take the logarithm of the fraction on paper first."
)
def _(z, dim):
    return torch.softmax(z, dim=dim).log()


@log_softmax.mistake(
    "The right difference, but the logarithm of the sum overflows at large scores. Take the largest score out of the exponentials first."
)
def _(z, dim):
    return z - z.exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You added 1e-8 inside the logarithm: no −inf, but no log-probability below −18.42 either, and a slope that is 0 where the model is most wrong."
)
def _(z, dim):
    return (torch.softmax(z, dim=dim) + 1e-8).log()


@log_softmax.mistake(
    "You clamped the probabilities before the logarithm: no −inf, but wrong log-probabilities where the model is most wrong, and no slope there."
)
def _(z, dim):
    return torch.softmax(z, dim=dim).clamp(min=1e-8).log()


@log_softmax.mistake(
    "The log-sum-exp lost its dimension: (N,) does not line up with the rows of (N, C). It stops with an error, or, when N = C, subtracts the wrong one.",
    hint="`keepdim=True`, or `.unsqueeze(dim)`.",
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim)


@log_softmax.mistake(
    "You subtracted the largest score only. What is to be subtracted is the log-sum-exp, which is a little larger."
)
def _(z, dim):
    return z - largest(z, dim)


@log_softmax.mistake(
    "You took the largest score of the whole tensor. Each slice needs its own: next to 1000, a row at −1000 underflows to 0."
)
def _(z, dim):
    shift = z - z.max()
    return shift - shift.exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake("You always work along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.log_softmax(z, dim=-1)


@log_softmax.mistake(
    "The sign is turned round: log-probabilities are never above 0. It is z minus the log-sum-exp."
)
def _(z, dim):
    return -torch.log_softmax(z, dim=dim)


@log_softmax.mistake("You divided by the log-sum-exp. A division becomes a subtraction under the logarithm.")
def _(z, dim):
    return z / torch.logsumexp(z, dim=dim, keepdim=True)


@log_softmax.mistake(
    "You took the largest score out below, and not above: the scores on the left are still the unshifted ones.",
    hint="Either shift both, or add the largest score back to the logarithm.",
)
def _(z, dim):
    return z - (z - largest(z, dim)).exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "One logarithm for all entries together: each slice along `dim` has a log-sum-exp of its own."
)
def _(z, dim):
    return z - torch.logsumexp(z.flatten(), dim=0)


@log_softmax.mistake(
    "You clamped the logarithm of a softmax at −100: log-probabilities go on below that, and the slope must not end there."
)
def _(z, dim):
    return torch.softmax(z, dim=dim).log().clamp(min=-100)


@log_softmax.mistake(
    "The lost dimension came back as dimension 1, whatever `dim` says. `unsqueeze(dim)`, or `keepdim=True`, puts it where it was."
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim).unsqueeze(1)


@log_softmax.mistake(
    "The exponential is missing: it is z minus the logarithm of a sum of exponentials, not of scores."
)
def _(z, dim):
    return z - z.sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "The value is right, but the log-sum-exp is cut off (`detach`): its slope, minus the probabilities, is missing from the gradient."
)
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim, keepdim=True).detach()


@log_softmax.mistake("You always work along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.log_softmax(z, dim=1)


@log_softmax.mistake(
    "You added the log-sum-exp. The logarithm of a fraction is a difference: z minus the log-sum-exp."
)
def _(z, dim):
    return z + torch.logsumexp(z, dim=dim, keepdim=True)


@log_softmax.mistake("A logarithm too many: the log-sum-exp is a logarithm already.")
def _(z, dim):
    return z - torch.logsumexp(z, dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You subtracted the largest score twice. Where it was taken out of the exponentials and out of z, it has cancelled."
)
def _(z, dim):
    m = largest(z, dim)
    return z - m - m - (z - m).exp().sum(dim=dim, keepdim=True).log()


@log_softmax.mistake(
    "You clamped the scores: nothing overflows, but all scores beyond the limit become equal."
)
def _(z, dim):
    return torch.log_softmax(z.clamp(-80, 80), dim=dim)


@log_softmax.mistake(
    "You took a logarithm of another base. PyTorch's losses count in natural logarithms, `torch.log`."
)
def _(z, dim):
    m = largest(z, dim)
    return z - m - (z - m).exp().sum(dim=dim, keepdim=True).log2()


# ---------------------------------------------------------------- stable_softmax


@exercise(
    points=3,
    without=[F.softmax, nn.Softmax, F.gumbel_softmax],
    hints=[
        "Adding the same number to all scores of a slice changes no probability. So which number makes the exponentials safe?",
        "Subtract the largest score: every exponent is then at most 0. The largest of what? Of those that compete: along `dim`.",
        "`e = torch.exp(z - z.amax(dim=dim, keepdim=True))`, and then as before. Or the exponential of your log_softmax.",
    ],
    built="This is what `torch.softmax` really computes: it subtracts the largest score of each slice first.",
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
    "This is the definition as it stands: exp(1000) is inf and inf / inf is nan; exp(−1000) is 0 and 0 / 0 is nan.",
    hint="Subtract the largest score first.",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You subtracted the largest score of the whole tensor. A row far below it underflows to 0 / 0: each slice along `dim` needs its own."
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
    "You cut large scores off: nothing overflows, but all scores beyond the limit become equal."
)
def _(z, dim):
    return torch.softmax(z.clamp(-80, 80), dim=dim)


@stable_softmax.mistake(
    "You subtracted the mean. The largest score can be far above it: with 1000 and −1000 in a row, exp overflows as before."
)
def _(z, dim):
    e = (z - z.mean(dim=dim, keepdim=True)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You divided the scores by the largest one. That changes their differences, and so the probabilities; subtracting does not."
)
def _(z, dim):
    return torch.softmax(z / largest(z, dim), dim=dim)


@stable_softmax.mistake(
    "The sum is of the unshifted exponentials: what is subtracted above has to be subtracted below, too, or it does not cancel."
)
def _(z, dim):
    return (z - largest(z, dim)).exp() / z.exp().sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "The largest score lost its dimension: (N,) does not line up with the rows of (N, C). `amax` takes `keepdim=True`, as `sum` does."
)
def _(z, dim):
    e = (z - z.amax(dim=dim)).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake("You always work along the last dimension, whatever `dim` says.")
def _(z, dim):
    return torch.softmax(z, dim=-1)


@stable_softmax.mistake("You return log-probabilities. The exponential at the end is missing.")
def _(z, dim):
    return torch.log_softmax(z, dim=dim)


@stable_softmax.mistake(
    "You added an epsilon to the denominator: 0 / 0 becomes 0, not a probability, and inf / inf is nan as before."
)
def _(z, dim):
    return z.exp() / (z.exp().sum(dim=dim, keepdim=True) + 1e-8)


def shifted_by(z, m, dim):
    e = (z - m).exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "One number, the largest of the whole tensor, was subtracted everywhere. A row far below it underflows to 0 / 0: take one for each slice, along `dim`."
)
def _(z, dim):
    return shifted_by(z, z.max().detach(), dim)


@stable_softmax.mistake(
    "You subtracted the smallest score: the exponents are then positive, and overflow where another score is far larger. Subtract the largest."
)
def _(z, dim):
    return shifted_by(z, z.amin(dim=dim, keepdim=True), dim)


@stable_softmax.mistake(
    "You subtracted the largest absolute value: a row at −1000 is shifted to −2000 and underflows to 0 / 0. Subtract the largest score, with its sign."
)
def _(z, dim):
    return shifted_by(z, z.abs().amax(dim=dim, keepdim=True), dim)


@stable_softmax.mistake(
    "The largest is taken along dimension 0, whatever `dim` says. What is subtracted must be the same for all that compete: take it along `dim`."
)
def _(z, dim):
    return shifted_by(z, z.amax(dim=0, keepdim=True), dim)


@stable_softmax.mistake(
    "The largest is taken along dimension 1, whatever `dim` says. What is subtracted must be the same for all that compete: take it along `dim`."
)
def _(z, dim):
    return shifted_by(z, z.amax(dim=1, keepdim=True), dim)


@stable_softmax.mistake("You always work along dimension 1, whatever `dim` says.")
def _(z, dim):
    return torch.softmax(z, dim=1)


@stable_softmax.mistake("You divided by the sum of all entries. Each slice along `dim` has a sum of its own.")
def _(z, dim):
    e = (z - largest(z, dim)).exp()
    return e / e.sum()


@stable_softmax.mistake(
    "The sum lost its dimension: (N,) does not line up with the rows of (N, C). `keepdim=True` keeps it."
)
def _(z, dim):
    e = (z - largest(z, dim)).exp()
    return e / e.sum(dim=dim)


@stable_softmax.mistake(
    "An epsilon in the denominator has nothing to protect: the largest exponential is exp(0) = 1, so the sum is never near 0. It only spoils the sum of 1."
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
    "You put the largest score back by a factor exp(m). It cancels in the fraction, and exp(1000) is inf: leave it out."
)
def _(z, dim):
    m = largest(z, dim)
    e = (z - m).exp() * m.exp()
    return e / e.sum(dim=dim, keepdim=True)


@stable_softmax.mistake(
    "You cut the small exponents off. A score far below the largest has probability 0, not that of your limit."
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
    "Only the diagonal is filled. A score moves the probabilities of the other classes, too: −p_i·p_j off the diagonal."
)
def _(z):
    return torch.diag(probabilities(z) * (1 - probabilities(z)))


@softmax_jacobian.mistake(
    "This is p(1 − p), the diagonal alone. A matrix (C, C) is asked for: how each probability moves with each score."
)
def _(z):
    return probabilities(z) * (1 - probabilities(z))


@softmax_jacobian.mistake(
    "The sign is turned round: with its own score a probability rises, so the diagonal is positive."
)
def _(z):
    return torch.outer(probabilities(z), probabilities(z)) - torch.diag(probabilities(z))


@softmax_jacobian.mistake(
    "The diagonal matrix with p is missing: −p pᵀ alone says that no score helps its own class."
)
def _(z):
    return -torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake(
    "`p * p` is the square of each entry, of shape (C,). Every p with every p is `torch.outer(p, p)`, or a column times a row."
)
def _(z):
    return torch.diag(probabilities(z)) - probabilities(z) * probabilities(z)


@softmax_jacobian.mistake("You used the scores where the probabilities belong: p is the softmax of z.")
def _(z):
    return torch.diag(z) - torch.outer(z, z)


@softmax_jacobian.mistake(
    "This is the Jacobian of log_softmax, the unit matrix minus p in every row. That of softmax has each row multiplied by its p."
)
def _(z):
    return torch.eye(len(z), dtype=z.dtype) - probabilities(z)


@softmax_jacobian.mistake(
    "The entries off the diagonal are positive. What one class gains the others lose: −p_i·p_j."
)
def _(z):
    p = probabilities(z)
    return torch.outer(p, p) + torch.diag(p - 2 * p * p)


@softmax_jacobian.mistake(
    "The product p pᵀ is missing: diag(p) alone would say that the classes do not compete."
)
def _(z):
    return torch.diag(probabilities(z))


@softmax_jacobian.mistake(
    "`p @ p` is a single number, the sum of the squares. Every p with every p is `torch.outer(p, p)`."
)
def _(z):
    return torch.diag(probabilities(z)) - probabilities(z) @ probabilities(z)


@softmax_jacobian.mistake(
    "A 1 stands on the diagonal where p belongs: it is p − p·p there, so `torch.diag(p)`, not the unit matrix."
)
def _(z):
    return torch.eye(len(z), dtype=z.dtype) - torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake("You took the sigmoid of the scores. The probabilities are their softmax.")
def _(z):
    return torch.diag(torch.sigmoid(z)) - torch.outer(torch.sigmoid(z), torch.sigmoid(z))


@softmax_jacobian.mistake(
    "`p - torch.outer(p, p)` adds p to every row. It belongs on the diagonal only: `torch.diag(p)`."
)
def _(z):
    return probabilities(z) - torch.outer(probabilities(z), probabilities(z))


@softmax_jacobian.mistake(
    "p_i(1 − p_j) stands in every entry. Off the diagonal it is −p_i·p_j: p itself is added on the diagonal only."
)
def _(z):
    return torch.outer(probabilities(z), 1 - probabilities(z))


@softmax_jacobian.mistake(
    "On the diagonal p·p is subtracted twice: `torch.diag(p)`, with p itself, is enough, since `torch.outer(p, p)` has p·p there."
)
def _(z):
    p = probabilities(z)
    return torch.diag(p * (1 - p)) - torch.outer(p, p)


@softmax_jacobian.mistake(
    "You nudged the scores and took differences. That loses half the digits, in float32 nearly all: write the two formulas."
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
