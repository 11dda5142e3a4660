# %% [markdown]
# # How large may a score be?
#
# A model gives two classes the scores 0 and 200. The probability of the first is about $e^{-200}$, so its logarithm is −200: a number
# like any other. Ask PyTorch for `torch.softmax(…).log()`, and it says **−inf**, with a gradient of **nan**. What went wrong, and how does
# one get −200?
#
# In this lesson you find the scores at which softmax breaks, and build the three functions that do not: log-sum-exp, log_softmax and a
# stable softmax. PyTorch calls them `torch.logsumexp`, `nn.LogSoftmax` / `F.log_softmax`, and `nn.Softmax` / `F.softmax`. Finally you write
# down how every probability moves with every score. You need `06_softmax`. About 40 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import BLUE, GREY, LINE, show

y_true = torch.tensor([0, 2, 3, 1])
logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
logits

# %% [markdown]
# The scores of the running example stay within ±10. Nothing in a linear layer keeps its scores there.
#
# ## The largest exponential
#
# A float32 has 32 bits, so there is a largest one; beyond it comes inf. The exponential gets there soon. Before you run the cell: for
# which $z$ is $e^z$ too large, roughly? 50, 500, 5000?
# Guess it for float32 (within 10 counts as right), then run.

# %%
guess("where_exp_overflows_in_float32", ..., sure=...)

# %%
for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
    largest, step = torch.finfo(dtype).max, torch.finfo(dtype).eps
    print(f"{str(dtype):14} largest number {largest:.4g}, its logarithm {math.log(largest):.1f}, decimal digits {-math.log10(step):.1f}")

for z in (88.7, 88.8, -104.0):
    print(f"exp({z}) in float32: {torch.tensor(z).exp():.4g}")
guessed("where_exp_overflows_in_float32", math.log(torch.finfo(torch.float32).max), within=10)


# %% [markdown]
# In float32 the end comes between 88.7 and 88.8, in float16 at 11.1. bfloat16, made for training networks, spends its 16 bits otherwise: it
# reaches as far as float32, and has only two to three digits. On the other side, $e^{-104}$ is too small for float32 and becomes 0. Now the
# softmax of lesson 06, on three scores one apart:

# %%
def naive_softmax(z):
    e = torch.exp(z)
    return e / e.sum(-1, keepdim=True)


for height in (0.0, 100.0, -110.0):
    z = (torch.tensor([0.0, 1.0, 2.0]) + height).requires_grad_(True)
    p = naive_softmax(z)
    (slope,) = torch.autograd.grad(p[2], z)
    print(f"{z.tolist()}: p {[round(v, 4) for v in p.tolist()]}, slope of the last {[round(v, 4) for v in slope.tolist()]}")

# %% [markdown]
# The differences are the same three times, so the probabilities should be, too. At 100 the fraction is inf / inf, at −110 it is 0 / 0;
# both are nan, in value **and** gradient. One such sample in a batch makes the mean of its losses nan.
#
# ## A logarithm of a sum of exponentials
#
# Begin with the denominator, and with its logarithm, because the loss of the next lesson is made of logarithms:
#
# $$ \operatorname{lse}(z) = \log \bigl( e^{z_1} + e^{z_2} + \dots + e^{z_C} \bigr) $$
#
# By hand, for the scores 1000 and 1001. None of PyTorch's dtypes can hold $e^{1001}$, and none has to. Take it out as a factor first:
#
# $$ \log \bigl( e^{1000} + e^{1001} \bigr) = \log \bigl( e^{1001} \, (e^{-1} + 1) \bigr) = 1001 + \log (1 + e^{-1}) $$

# %%
print(f"{1001 + math.log(1 + math.exp(-1)):.4f}")


# %% [markdown]
# The result is a little more than the larger score. Which number was taken out, and why not the 1000? With $e^{1000}$ taken out, $1 +
# e^1$ would remain: fine as well here, but with scores of 0 and 1001 it would be $1 + e^{1001}$.
#
# ## Exercise: `logsumexp`
#
# Write it for tensors of any number of dimensions; `dim` disappears, as in a sum. It is tested at ±1000, in value and gradient.
#
# There is one more decision. A score of $-\infty$ means "this class is impossible". If **all** are impossible, the sum is 0 and its logarithm
# $-\infty$, and that is what your function should return. What becomes of your factor there?

# %% exercise="logsumexp"
def logsumexp(z, dim):
    """log(sum(exp(z))) along `dim`, without overflow: the shape of z without `dim`.

    z: floats of any shape, -inf allowed.
    """
    ### BEGIN SOLUTION
    m = z.amax(dim=dim, keepdim=True)
    m = torch.where(m.isinf(), 0, m)        # -inf minus -inf would be nan
    return m.squeeze(dim) + torch.exp(z - m).sum(dim=dim).log()
    ### END SOLUTION


# %%
compare("logsumexp", torch.tensor([[0.0, 0.0], [1000.0, 1001.0], [-1000.0, -1001.0]], dtype=torch.float64), 1)

# %% [markdown]
# Log-sum-exp is a **smooth maximum**. With $m$ the largest score, the sum lies between $e^m$ and $C\,e^m$, so its logarithm lies between $m$ and
# $m + \log C$. On the running example, where $\log 5$ is 1.6094:

# %%
logsumexp_ready = ready("logsumexp")
print("largest score", logits.amax(dim=1))
print("log-sum-exp  ", logsumexp_ready(logits, 1))
print("torch's      ", torch.logsumexp(logits, dim=1))
print("above the largest by at most", f"{math.log(5):.4f}")
assert torch.allclose(logsumexp_ready(logits, 1), torch.logsumexp(logits, dim=1))


# %% [markdown]
# ## How wrong, and from where?
#
# Take four scores, raise and lower them all together, and compare both ways of computing with float64. So that the picture is the same on every
# computer, each step is computed in float64 and rounded to float32. First the definition as written, with its slopes $e^{z_i} / s$, where
# $s$ is the sum. A backward pass gets them as $e^{z_i} \cdot (1 / s)$, because the slope of $\log s$ is $1 / s$:

# %%
def rounded(x):
    """To the nearest float32, kept as float64."""
    return x.float().double()


def as_written(z):
    e = rounded(z.exp())
    s = rounded(e.sum())
    return rounded(s.log()), rounded(rounded(1 / s) * e)


# %% [markdown]
# Then the same with the largest score taken out, as in your function, and the errors of both, in value and slope:

# %% fold="The other way, in the same arithmetic"
# the other way, in the same arithmetic
def taken_out(z):
    value, slope = as_written(rounded(z - z.max()))
    return rounded(value + z.max()), slope


# %%
def errors(way, z):
    truth, slopes = torch.logsumexp(z, dim=0), torch.softmax(z, dim=0)
    value, slope = way(z)
    return [abs(value - truth).item(), (slope - slopes).abs().max().item()]


heights = torch.arange(-130.0, 131.0, 2.0)
scores = [rounded(torch.tensor([0.0, 0.7, 1.9, -1.3]).double() + height) for height in heights]
naive, stable = (torch.tensor([errors(way, z) for z in scores]).clamp(min=1e-9) for way in (as_written, taken_out))

# %%
# errors in value and gradient against the height of the scores
fig, panels = plt.subplots(1, 2, sharey=True)
for k, (panel, what) in enumerate(zip(panels, ("value", "gradient"))):
    panel.semilogy(heights, stable[:, k], **LINE["stable"], label="largest taken out")
    panel.semilogy(heights, naive[:, k], **LINE["naive"], label="as written")
    reached = heights[naive[:, k].isfinite()]
    for low, high, label in ((-130, reached.min(), "as written: inf or nan"), (reached.max(), 130, None)):
        panel.axvspan(low, high, color=GREY, alpha=0.25, linewidth=0, label=label)
    panel.set(title=f"error of the {what}, float32", xlabel="number added to all scores", ylim=(3e-10, 300), xlim=(-130, 130))
panels[0].set_ylabel("absolute error"), panels[0].legend(loc="upper center", fontsize=8)
show("Two plots of the error of log-sum-exp against the number added to all scores, from -130 to 130. With the largest taken out it stays below 1e-5 everywhere. As "
     "written it has no finite error above 86 and below -104, in the gradient below -90 (shaded), and the error of its value grows to about 0.1 on the way to -104.")

# %% [markdown]
# In the shaded regions the definition as written gives inf or nan, so there is no error to draw. On the left its value does not fail at once:
# the exponentials lose digits first, and the error climbs without any warning. (Errors below $10^{-9}$ are drawn there.) Your own function, in
# true float32, and where the other way has a value and a gradient:

# %%
for z in scores:
    assert abs(logsumexp_ready(z.float(), 0).double() - torch.logsumexp(z, dim=0)) < 2e-5
print("yours: an error below 2e-5 at all heights")
for k, what in enumerate(("value", "gradient")):
    finite = heights[naive[:, k].isfinite()]
    print(f"as written: {what:8} finite from {finite.min():.0f} to {finite.max():.0f}")

# %% [markdown]
# On the left the gradient fails before the value does: below −90 the sum $s$ is still a float32 above 0, and $1/s$ is already too large for one.
#
# ## The logarithm of a softmax
#
# PyTorch's own softmax does not overflow. So, is `torch.softmax(…).log()` safe? Two scores, 0 and 200: here $p_0$ is about $e^{z_0 - 200}$, so
# its logarithm should be about $z_0 - 200$, with a slope of 1 with respect to $z_0$. Predict what PyTorch gives.
# Guess the first logarithm when 1e-8 is added to the probability (within 3 counts as right), then run.

# %%
guess("log_of_softmax_plus_epsilon", ..., sure=...)

# %%
z = torch.tensor([0.0, 200.0], requires_grad=True)
for name, p in (("log(softmax)       ", torch.softmax(z, dim=0)), ("log(softmax + 1e-8)", torch.softmax(z, dim=0) + 1e-8)):
    log_p = p.log()
    (slope,) = torch.autograd.grad(log_p[0], z)
    print(name, [round(v, 4) for v in log_p.tolist()], "slope", [round(v, 4) for v in slope.tolist()])
guessed("log_of_softmax_plus_epsilon", log_p[0], within=3)

# %% [markdown]
# The softmax is right: $e^{-200}$ **is** 0 in float32. The logarithm cannot know what was lost, and gives −inf, with a slope of nan. The
# common remedy, an epsilon, gives −18.42 and a slope of 0: a model could hardly be more wrong, and is not corrected at all.
#
# What helps is to take the logarithm on paper, before any number is lost:
#
# $$ \log p_i = \log \frac{e^{z_i}}{\sum_j e^{z_j}} = \,? $$
#
# By hand for the third sample, whose scores are 1.0, 3.0, 2.5, −0.1 and 2.5. Its log-sum-exp was printed above, 3.8727, and its first
# probability in lesson 06, 0.0565:

# %%
print(f"{math.log(0.0565):.3f}")
print(f"{1.0 - 3.8727:.3f}")


# %% [markdown]
# Both give the same, up to the rounding of the inputs.
#
# ## Exercise: `log_softmax`
#
# Finish the line on paper, then write it for any `dim`, without computing a probability on the way. Decide what shape the second term must
# have to line up with $z$. (You may use `torch.logsumexp` now: you have built it.)

# %% exercise="log_softmax"
def log_softmax(z, dim):
    """Logarithm of softmax along `dim`, right at any size of score: the shape of z.

    z: floats of any shape, -inf allowed. No entry of the result is above 0.
    """
    ### BEGIN SOLUTION
    return z - torch.logsumexp(z, dim=dim, keepdim=True)
    ### END SOLUTION


# %%
log_softmax_ready = ready("log_softmax")
z = torch.tensor([0.0, 200.0], requires_grad=True)
log_p = log_softmax_ready(z, 0)
print("value", log_p.tolist())
print("slope", torch.autograd.grad(log_p[0], z)[0].tolist())

# %% [markdown]
# −200, and a slope of 1. A picture of all three ways, for scores 0 and $d$: the log-probability of the first, and its slope.

# %%
d = torch.linspace(0, 130, 521)
ways = {
    "stable": (log_softmax_ready, "log_softmax"),
    "clamped": (lambda z, dim: (torch.softmax(z, dim) + 1e-8).log(), "log(softmax + 1e-8)"),
    "naive": (lambda z, dim: torch.softmax(z, dim).log(), "log(softmax)"),
}

# %%
# log-probability of the first of two scores, and its slope, in three ways
fig, (left, right) = plt.subplots(1, 2)
for style, (function, label) in ways.items():
    z = torch.stack([torch.zeros_like(d), d], dim=1).requires_grad_(True)
    log_p = function(z, 1)[:, 0]
    left.plot(d, log_p.detach(), **LINE[style], label=label)
    right.plot(d, torch.autograd.grad(log_p.sum(), z)[0][:, 0], **LINE[style], label=label)
left.set(title="log-probability of score 0, float32", xlabel="the other score d", ylabel="log p"), left.legend(loc="lower left")
right.set(title="its slope", xlabel="the other score d", ylabel="d log p / d z", ylim=(-0.1, 1.2))
show("Two plots against the other score, 0 to 130. Left: log_softmax falls along a straight line to -130; log(softmax) follows it and ends at about -104, where it becomes "
     "-inf; with an epsilon it stays at -18.4. Right, the slope: log_softmax rises from 0.5 to 1 and stays there; log(softmax) does so up to about 88 and has none beyond; with an epsilon it falls back to 0 between 15 and 23.")

# %% [markdown]
# The dashed line follows the solid one and then stops: from there on its value is −inf, which cannot be drawn, and its slope is nan even
# earlier. The dash-dotted one becomes flat, and its slope falls back to 0. Only log_softmax keeps the slope 1 that all three reach. Where exactly do
# the other two lose it?

# %%
z = torch.stack([torch.zeros_like(d), d], dim=1).requires_grad_(True)
log_p = ways["naive"][0](z, 1)[:, 0]
slope = torch.autograd.grad(log_p.sum(), z)[0][:, 0]
print(f"log(softmax): value finite up to d = {d[log_p.isfinite()].max():.0f}, slope up to {d[slope.isfinite()].max():.0f}")
log_p = ways["clamped"][0](z, 1)[:, 0]
slope = torch.autograd.grad(log_p.sum(), z)[0][:, 0]
print(f"with an epsilon: lowest value {log_p.min():.1f}, slope below 0.01 from d = {d[(slope < 0.01)].min():.0f}")

# %% [markdown]
# Between 88 and 104 there is a value and no slope. Look inside the backward pass of the logarithm, which multiplies by $1/p$:

# %%
for other in (88.0, 89.0, 104.0):
    p = torch.softmax(torch.tensor([0.0, other]), dim=0)[0].requires_grad_(True)
    (slope,) = torch.autograd.grad(p.log(), p)
    print(f"d = {other:.0f}: p {p.item():.2g}, log p {p.log().item():.2f}, slope of the logarithm {slope.item():.3g}")
print(f"1 / largest float32: {1 / torch.finfo(torch.float32).max:.3g}")

# %% [markdown]
# Float32 holds numbers as small as $10^{-45}$, but none as large as $10^{45}$. So a $p$ below $2.9 \cdot 10^{-39}$ has a logarithm and no reciprocal, and
# the gradient dies first. No repair of the value alone would show that: **look at value and gradient.**
#
# ## What PyTorch calls it
#
# On the running example every score is harmless, so all these ways must agree. Modular and functional:

# %%
log_likelihood = torch.log_softmax(logits, dim=1)
print(log_likelihood)
for value in (nn.LogSoftmax(dim=1)(logits), F.log_softmax(logits, dim=1), log_softmax_ready(logits, 1)):
    assert torch.allclose(value, log_likelihood, atol=1e-5)
assert log_likelihood.isclose(torch.log(torch.softmax(logits, dim=1))).all()
print("of the true classes", log_likelihood[torch.arange(4), y_true])

# %% [markdown]
# Lesson 08 makes a loss of the last line. (On a GPU, automatic mixed precision computes most of a model in 16 bits, but
# [runs softmax, log_softmax and the cross-entropies of logits in float32](https://docs.pytorch.org/docs/stable/amp.html#cuda-ops-that-can-autocast-to-float32);
# `BCELoss`, which takes probabilities, it refuses.)
#
# ## Probabilities themselves
#
# Sometimes you need the probabilities and not their logarithms, again at any size of score. Add the same number $a$ to all scores of a row:
# each $e^{z_i}$ is multiplied by $e^a$, the sum as well, and the fraction stays as it was. By hand for 1000, 1001 and 1002, with $a =
# -1002$:

# %%
small = [math.exp(-2), math.exp(-1), math.exp(0)]
print([round(e / sum(small), 4) for e in small])


# %% [markdown]
# ## Exercise: `stable_softmax`
#
# Write softmax so that it survives scores of ±1000 for any `dim`, in value and gradient. Think of a batch in which one row lies near 1000
# and another near −1000: what exactly do you subtract from which?

# %% exercise="stable_softmax"
def stable_softmax(z, dim):
    """Softmax along `dim` at any size of score: the shape of z, sums of 1 along `dim`.

    z: floats of any shape, -inf allowed.
    """
    ### BEGIN SOLUTION
    e = torch.exp(z - z.amax(dim=dim, keepdim=True))
    return e / e.sum(dim=dim, keepdim=True)
    ### END SOLUTION


# %%
stable_softmax_ready = ready("stable_softmax")
rows = torch.tensor([[0.0, 1.0, 2.0], [1000.0, 1001.0, 1002.0], [-1000.0, -999.0, -998.0]])
print(stable_softmax_ready(rows, 1))
for value in (nn.Softmax(dim=1)(rows), F.softmax(rows, dim=1), torch.softmax(rows, dim=1)):
    assert torch.allclose(value, stable_softmax_ready(rows, 1))

# %% [markdown]
# All three rows are alike, as they should be. With the largest score of the **whole** tensor subtracted, the third row would be 0 / 0:

# %%
print(naive_softmax(rows - rows.max()))

# %% [markdown]
# The first row is lost, too: $e^{0 - 1002}$ is 0, and so are its neighbours.
#
# ## How the probabilities move
#
# Raise one score a little. Its own probability rises, and each of the others falls, because the sum in its denominator grows. By how much?
# Apply the quotient rule to the fraction:
#
# $$ \frac{\partial p_i}{\partial z_i} = p_i (1 - p_i), \qquad \frac{\partial p_i}{\partial z_j} = -p_i \, p_j \quad (i \ne j) $$
#
# By hand with $p = (0.2, 0.3, 0.5)$: raise the first score, and the three probabilities move by

# %%
print([round(v, 2) for v in (0.2 * (1 - 0.2), -0.3 * 0.2, -0.5 * 0.2)])


# %% [markdown]
# The three sum to 0: what one gains, the others lose.
#
# ## Exercise: `softmax_jacobian`
#
# All these derivatives together form a matrix, the **Jacobian**: row $i$ for the probability $p_i$, column $j$ for the score $z_j$. Write
# it for one vector of scores, without `if` if you can: what do all entries have in common, and what is added on the diagonal?

# %% exercise="softmax_jacobian"
def softmax_jacobian(z):
    """The derivatives d softmax(z)[i] / d z[j], of shape (C, C).

    z: floats of shape (C,).
    """
    ### BEGIN SOLUTION
    p = torch.softmax(z, dim=0)
    return torch.diag(p) - torch.outer(p, p)
    ### END SOLUTION


# %% [markdown]
# Check the derivation against autograd, here for the fourth sample:

# %%
jacobian = ready("softmax_jacobian")(logits[3])
automatic = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, dim=0), logits[3])
print(jacobian)
print("row sums 0:", torch.allclose(jacobian.sum(dim=1), torch.zeros(5), atol=1e-6))
assert torch.allclose(jacobian, automatic, atol=1e-6)

# %%
# probabilities of the fourth sample, and their Jacobian
p = torch.softmax(logits[3], dim=0)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(1, 1.2))
left.bar(range(5), p, color=BLUE)
left.set(title="probabilities of the fourth sample", xlabel="class", ylabel="p", xticks=range(5))
right.imshow(jacobian, vmin=-0.25, vmax=0.25, aspect="auto")
for i in range(5):
    for j in range(5):
        right.text(j, i, f"{jacobian[i, j] + 0.0:.2f}".replace("-0.00", "0.00"), ha="center", va="center", color="black" if jacobian[i, j] > 0.05 else "white")
right.set(title="Jacobian", xlabel="score j that is raised", ylabel="probability i that moves", xticks=range(5), yticks=range(5)), right.grid(False)
show("Left, bars: class 3 has probability 0.60, class 1 0.33, the others nearly none. Right, the 5 by 5 Jacobian: 0.24 and 0.22 on the diagonal for classes 3 and 1, "
     "-0.20 where the two meet, and nearly 0 elsewhere.")

# %% [markdown]
# The classes 1 and 3 have nearly all the probability, so that is where the matrix has its large entries: 0.22 and 0.24 on the
# diagonal, −0.20 where they meet. Every entry contains a factor $p_i$, so a class with a probability near 0 hardly moves and moves hardly
# anything.
#
# What if the model is sure, with $p$ near $(1, 0, \dots, 0)$? Then each entry contains a factor near 0, and hardly any gradient passes. Compare
# log_softmax, in a model that is sure of the second class while the first is right:

# %%
sure_and_wrong = torch.tensor([0.0, 20.0])
for name, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
    slopes = torch.autograd.functional.jacobian(lambda z: function(z, dim=0), sure_and_wrong)[0]
    print(f"{name:12} slopes of the first entry: {slopes[0]:.1e} and {slopes[1]:.1e}")

# %% [markdown]
# With scores 20 apart, the first probability hardly moves. Its logarithm moves with slopes of 1 and −1: the factor $p_i$ is gone. This is why
# the loss of lesson 08 is built on log_softmax.
#
# ## Impossible classes
#
# A score of −inf says that a class is impossible: a move against the rules, a padded word. Softmax gives it exactly 0, and its
# log-probability is −inf. Now predict the row in which **everything** is impossible, and the one with a score of +inf:

# %%
inf = float("inf")
for row in ([2.0, 1.0, -inf], [-inf, -inf, -inf], [2.0, 1.0, inf]):
    z = torch.tensor(row)
    print(f"{str(row):18} softmax {[round(v, 4) for v in torch.softmax(z, dim=0).tolist()]}, lse {torch.logsumexp(z, dim=0):.4f}")

# %% [markdown]
# With nothing possible, log-sum-exp is −inf, which is true, but there are no probabilities: the softmax subtracts the largest score, and
# −inf − (−inf) is nan. A score of +inf leads to inf − inf, which is nan as well.
#
# Repair a row of −inf **before** the softmax: give it harmless scores, and set its probabilities to 0 afterwards. To do it afterwards only is
# too late for the gradient:

# %%
words = torch.tensor([[2.0, 1.0], [-inf, -inf]])
empty = words.isinf().all(dim=1, keepdim=True)
for name, before in (("after only", words), ("before, too", words.masked_fill(empty, 0.0))):
    z = before.clone().requires_grad_(True)
    p = torch.where(empty, 0.0, torch.softmax(z, dim=1))
    (slope,) = torch.autograd.grad(p[:, 0].sum(), z)
    print(f"{name:12} p {[round(v, 4) for v in p.flatten().tolist()]}, slope {[round(v, 4) for v in slope.flatten().tolist()]}")

# %% [markdown]
# Both values look right. With the repair after the softmax only, the slopes of the empty row are nan: it is the trap of lesson 03, `where` hiding
# a nan and passing its gradient on.
#
# ## In your own words
#
# A colleague trains with `-(torch.softmax(z, dim=1) + 1e-8).log()` of the true class. No nan has come up, and yet some samples that are
# badly wrong do not get better. Explain to them why, with a number, and what you would write instead. Why does raising the epsilon not
# help?

# %% [markdown] question="epsilon_hides_the_worst" points=2
# If the true class has a score 20 or more below another one, its probability is about e^-20 = 2e-9 or less, below the epsilon: the loss
# stays near -log(1e-8) = 18.42 however wrong the sample is, and its slope p(1-p)/(p + 1e-8) is 0.17 at 20 and 0.001 at 25, so hardly anything pulls it back. The
# samples that need the largest push get none. A larger epsilon takes effect even earlier and lowers the ceiling. Take the logarithm on paper:
# `-F.log_softmax(z, dim=1)` of the true class (or cross-entropy on the logits), which is logsumexp(z) - z and has a slope of −1 there.

# %% [markdown]
# ## Recap
#
# - You built log-sum-exp by taking the largest score out, log_softmax without a probability on the way, a softmax for scores of any size, and
#   its Jacobian.
# - PyTorch calls them `torch.logsumexp`, `nn.LogSoftmax` / `F.log_softmax` / `torch.log_softmax`, and `nn.Softmax` / `F.softmax`.
# - Three mistakes people make: they take the logarithm of a softmax; they add an epsilon, which replaces −inf by a slope of 0;
#   they subtract one maximum for the whole batch, or let a whole row be −inf.
#
# **Before:** `06_softmax`, the definition. **Next:** `08_cross_entropy`. You have the log-probability of every class. Which one number made of
# them should training lower?
#
# **Read on:** PyTorch's pages of [`logsumexp`](https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html) and
# [`LogSoftmax`](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html); Blanchard, Higham and Higham, *Accurately
# computing the log-sum-exp and softmax functions*, IMA Journal of Numerical Analysis, 2021.
