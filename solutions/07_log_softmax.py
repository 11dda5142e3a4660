# %% [markdown]
# # How large may a score be?
#
# A model gives two classes the scores 0 and 200. The probability of the first is about $e^{-200}$, so its logarithm is −200: a number
# like any other. Ask PyTorch for `torch.softmax(…).log()`, and it says **−inf**, with a gradient of **nan**. What went wrong, and who can
# say −200?
#
# In this lesson you find the scores at which softmax breaks, and build the three functions that do not: log-sum-exp, log_softmax and a
# stable softmax. PyTorch calls them `torch.logsumexp`, `nn.LogSoftmax` / `F.log_softmax`, and `nn.Softmax` / `F.softmax`. Last you derive
# how every probability moves with every score. You need `06_softmax`. About 40 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
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
# The scores of the running example stay within ±10. Nothing keeps a real model's scores there.
#
# ## The largest exponential
#
# A float32 has 32 bits, so there is a largest one; beyond it comes inf. The exponential gets there soon. Before you run the cell: for
# which $z$ is $e^z$ too large, roughly? 50, 500, 5000?

# %%
for dtype in (torch.float16, torch.float32, torch.float64):
    largest = torch.finfo(dtype).max
    print(f"{str(dtype):14} largest number {largest:.4g}, its logarithm {math.log(largest):.1f}")

for z in (88.7, 88.8, -104.0):
    print(f"exp({z}) in float32: {torch.tensor(z).exp():.4g}")

# %% [markdown]
# In float32 the end comes between 88.7 and 88.8, in float16 (which many models use) at 11.1. On the other side, $e^{-104}$ is too small
# and becomes 0. Now the softmax of lesson 06, on three scores one apart:

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
# Three times the same differences, so three times the same probabilities should come out. At 100 it is inf / inf, at −110 it is 0 / 0;
# both are nan, in value **and** gradient. One such sample makes the loss of the whole batch nan, and after one step all weights.
#
# ## A logarithm of a sum of exponentials
#
# Begin with the denominator, and with its logarithm, because losses want logarithms:
#
# $$ \operatorname{lse}(z) = \log \bigl( e^{z_1} + e^{z_2} + \dots + e^{z_C} \bigr) $$
#
# By hand, for the scores 1000 and 1001. No computer can hold $e^{1001}$, and none has to. Take it out as a factor first:
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
# Write it for tensors of any number of dimensions; `dim` disappears, as in a sum. It is tried at ±1000, in value and gradient.
#
# One decision more: a score of $-\infty$ means "this class is impossible". If **all** are impossible, the sum is 0 and its logarithm
# $-\infty$. Your function should say so. What does your factor do there?

# %% exercise="logsumexp"
def logsumexp(z, dim):
    """log(sum(exp(z))) along `dim`, without overflow. `z`: floats of any shape, -inf allowed. Returns that shape without `dim`."""
    ### BEGIN SOLUTION
    m = z.amax(dim=dim, keepdim=True)
    m = torch.where(m.isinf(), 0, m)        # -inf minus -inf would be nan
    return m.squeeze(dim) + torch.exp(z - m).sum(dim=dim).log()
    ### END SOLUTION

# %%
compare("logsumexp", torch.tensor([[0.0, 0.0], [1000.0, 1001.0], [-1000.0, -1001.0]], dtype=torch.float64), 1)

# %% [markdown]
# Log-sum-exp is a **smooth maximum**: never below the largest score, and never more than $\log C$ above it. On the running example, where
# $\log 5$ is 1.6094:

# %%
logsumexp_ready = ready("logsumexp")
print("largest score", logits.amax(dim=1))
print("log-sum-exp  ", logsumexp_ready(logits, 1))
print("torch's      ", torch.logsumexp(logits, dim=1))
print("above the largest by at most", f"{math.log(5):.4f}")
assert torch.allclose(logsumexp_ready(logits, 1), torch.logsumexp(logits, dim=1))

# %% [markdown]
# ## Error against magnitude
#
# How wrong is each way, and from where? Take four scores, move them all up and down, compute in float32, and compare with float64. Left
# the error of the value, right the error of the gradient.

# %%
def errors(function, heights):
    found = []
    for height in heights:
        rough = (torch.tensor([0.0, 0.7, 1.9, -1.3]) + height).requires_grad_(True)
        exact = rough.detach().double().requires_grad_(True)
        value, truth = function(rough), torch.logsumexp(exact, dim=0)
        slopes = torch.autograd.grad(value, rough)[0], torch.autograd.grad(truth, exact)[0]
        found.append([abs(value - truth).item(), (slopes[0] - slopes[1]).abs().max().item()])
    return torch.tensor(found).clamp(min=1e-9)            # no error at all has no place on a logarithmic axis


heights = torch.arange(-130.0, 131.0, 2.0)
naive = errors(lambda z: z.exp().sum().log(), heights)
stable = errors(lambda z: logsumexp_ready(z, 0), heights)

# %%
fig, panels = plt.subplots(1, 2, sharey=True)
for k, (panel, what) in enumerate(zip(panels, ("value", "gradient"))):
    panel.semilogy(heights, stable[:, k], **LINE["stable"], label="stable")
    panel.semilogy(heights, naive[:, k], **LINE["naive"], label="naive")
    for low, high in ((-130, heights[naive[:, k].isfinite()].min()), (heights[naive[:, k].isfinite()].max(), 130)):
        panel.axvspan(low, high, color=GREY, alpha=0.25, linewidth=0)
    panel.set(title=f"error of the {what}, float32", xlabel="magnitude of the scores", ylim=(3e-10, 10))
panels[0].set_ylabel("absolute error"), panels[0].legend(loc="upper center")
show("Two plots of the error of log-sum-exp against the magnitude of the scores, from -130 to 130. The stable way stays below 1e-5 everywhere. The naive way "
     "has no finite error above 86 and below -104, in the gradient below -90 (shaded), and the error of its value grows to about 0.1 on the way to -104.")

# %% [markdown]
# In the shaded regions the naive way gives inf or nan, so it has no error that could be drawn. On the left the value does not fail at
# once: the exponentials lose digits first, and the error climbs without any warning. The stable way keeps to the rounding of float32
# throughout. Where the naive way has a value and a gradient:

# %%
for k, what in enumerate(("value", "gradient")):
    finite = heights[naive[:, k].isfinite()]
    print(f"{what:8} finite from {finite.min():.0f} to {finite.max():.0f}")

# %% [markdown]
# The gradient goes before the value does.
#
# ## The logarithm of a softmax
#
# PyTorch's own softmax does not overflow. So, is `torch.softmax(…).log()` safe? Two scores, 0 and 200. Predict the two logarithms, and
# the slope of the first by its own score, which should be $1 - p_0$, so 1.

# %%
z = torch.tensor([0.0, 200.0], requires_grad=True)
for name, p in (("log(softmax)       ", torch.softmax(z, dim=0)), ("log(softmax + 1e-8)", torch.softmax(z, dim=0) + 1e-8)):
    log_p = p.log()
    (slope,) = torch.autograd.grad(log_p[0], z)
    print(name, [round(v, 4) for v in log_p.tolist()], "slope", [round(v, 4) for v in slope.tolist()])

# %% [markdown]
# The softmax is right: $e^{-200}$ **is** 0 in float32. The logarithm cannot know what was lost: −inf, with a slope of nan. The popular
# remedy, an epsilon, gives −18.42 and a slope of 0: a model that is as wrong as can be is told that all is well.
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
# Twice the same, up to the rounding of the inputs.
#
# ## Exercise: `log_softmax`
#
# Finish the line on paper, then write it for any `dim`. No probability should ever be computed. Decide what shape the thing on the right
# must have to meet $z$. (You may use `torch.logsumexp` now: you have built it.)

# %% exercise="log_softmax"
def log_softmax(z, dim):
    """Logarithm of softmax along `dim`, right at any size of score. `z`: floats of any shape, -inf allowed. Returns that shape, no entry above 0."""
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
fig, (left, right) = plt.subplots(1, 2)
for style, (function, label) in ways.items():
    z = torch.stack([torch.zeros_like(d), d], dim=1).requires_grad_(True)
    log_p = function(z, 1)[:, 0]
    left.plot(d, log_p.detach(), **LINE[style], label=label)
    right.plot(d, torch.autograd.grad(log_p.sum(), z)[0][:, 0], **LINE[style], label=label)
left.set(title="log-probability of score 0, float32", xlabel="the other score d", ylabel="log p"), left.legend(loc="lower left")
right.set(title="its slope", xlabel="the other score d", ylabel="d log p / d z", ylim=(-0.1, 1.2))
show("Two plots against the other score, 0 to 130. Left: log_softmax falls along a straight line to -130; log(softmax) follows it and ends at about -104, where it becomes "
     "-inf; with an epsilon it stays at -18.4. Right, the slope: log_softmax stays at 1; log(softmax) has it up to about 88 and none beyond; with an epsilon it falls to 0 at about 20.")

# %% [markdown]
# The dashed line lies on the right one and stops short of its end: from there on it is −inf, which cannot be drawn, and its slope is nan
# even earlier. The dash-dotted one goes flat, and its slope falls to 0. Only one is a straight line with slope 1. Where exactly do the
# other two end?

# %%
z = torch.stack([torch.zeros_like(d), d], dim=1).requires_grad_(True)
log_p = ways["naive"][0](z, 1)[:, 0]
slope = torch.autograd.grad(log_p.sum(), z)[0][:, 0]
print(f"log(softmax): value finite up to d = {d[log_p.isfinite()].max():.0f}, slope up to {d[slope.isfinite()].max():.0f}")
log_p = ways["clamped"][0](z, 1)[:, 0]
slope = torch.autograd.grad(log_p.sum(), z)[0][:, 0]
print(f"with an epsilon: lowest value {log_p.min():.1f}, slope below 0.01 from d = {d[(slope < 0.01)].min():.0f}")

# %% [markdown]
# ## What PyTorch calls it
#
# On the running example all is harmless, so all the roads must agree. Modular and functional:

# %%
log_likelihood = torch.log_softmax(logits, dim=1)
print(log_likelihood)
for value in (nn.LogSoftmax(dim=1)(logits), F.log_softmax(logits, dim=1), log_softmax_ready(logits, 1)):
    assert torch.allclose(value, log_likelihood, atol=1e-5)
assert log_likelihood.isclose(torch.log(torch.softmax(logits, dim=1))).all()
print("of the true classes", log_likelihood[torch.arange(4), y_true])

# %% [markdown]
# The last line is what lesson 08 is about: turn its sign, take the mean, and it is the cross-entropy.
#
# ## Probabilities themselves
#
# Sometimes the probabilities are wanted, not their logarithms, and at any size of score. Add the same number $a$ to all scores of a row:
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
    """Softmax along `dim` at any size of score. `z`: floats of any shape, -inf allowed. Returns that shape; its entries sum to 1 along `dim`."""
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
# Three rows alike, as it should be. With the largest score of the **whole** tensor subtracted, the third row would be 0 / 0:

# %%
e = torch.exp(rows - rows.max())
print(e / e.sum(1, keepdim=True))

# %% [markdown]
# The first row is lost, too: next to 1002, a score of 0 is far too small already.
#
# ## How the probabilities move
#
# Raise one score a little. Its own probability rises, and the others fall, since they share one whole. How much? From the fraction, by
# the quotient rule:
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
# All these derivatives together are a matrix, the **Jacobian**: row $i$ for the probability $p_i$, column $j$ for the score $z_j$. Write
# it for one vector of scores, without `if` if you can: what must be the same in all entries, and what is added on the diagonal?

# %% exercise="softmax_jacobian"
def softmax_jacobian(z):
    """d softmax(z)[i] / d z[j]. `z`: floats of shape (C,). Returns (C, C)."""
    ### BEGIN SOLUTION
    p = torch.softmax(z, dim=0)
    return torch.diag(p) - torch.outer(p, p)
    ### END SOLUTION

# %% [markdown]
# A derivation is worth a check against autograd, here for the fourth sample:

# %%
jacobian = ready("softmax_jacobian")(logits[3])
automatic = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, dim=0), logits[3])
print(jacobian)
print("row sums 0:", torch.allclose(jacobian.sum(dim=1), torch.zeros(5), atol=1e-6))
assert torch.allclose(jacobian, automatic, atol=1e-6)

# %%
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
# The classes 1 and 3 fight for nearly all the probability, so that is where the matrix has its large entries: 0.22 and 0.24 on the
# diagonal, −0.20 where they meet. A class with a probability near 0 hardly moves and moves hardly anything.
#
# This is also why a softmax that is sure cannot learn: with $p$ near $(1, 0, \dots, 0)$ **every** entry is near 0. The loss of lesson 08
# takes log_softmax, whose Jacobian does not vanish there.

# %%
sure_and_wrong = torch.tensor([0.0, 20.0])
for name, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
    slopes = torch.autograd.functional.jacobian(lambda z: function(z, dim=0), sure_and_wrong)[0]
    print(f"{name:12} slopes of the first entry: {slopes[0]:.1e} and {slopes[1]:.1e}")

# %% [markdown]
# With scores 20 apart, nothing moves the first probability. Its logarithm moves with slopes of 1 and −1.
#
# ## Impossible classes
#
# A score of −inf says that a class is impossible: a move against the rules, a padded word. Softmax gives it exactly 0, and its
# log-probability is −inf. So far so good. Now predict the row in which **everything** is impossible, and the one with a score of +inf:

# %%
inf = float("inf")
for row in ([2.0, 1.0, -inf], [-inf, -inf, -inf], [2.0, 1.0, inf]):
    z = torch.tensor(row)
    print(f"{str(row):18} softmax {[round(v, 4) for v in torch.softmax(z, dim=0).tolist()]}, lse {torch.logsumexp(z, dim=0):.4f}")

# %% [markdown]
# With nothing possible, log-sum-exp is −inf, which is true, but no probabilities exist: −inf − (−inf) is nan, in PyTorch as in your
# function. A score of +inf does the same, inf − inf. PyTorch does not repair that, and no formula could.
#
# And a loss that multiplies: a target with probability 0 on the impossible class. Three ways to say "the class is 0":

# %%
z, index = torch.tensor([[2.0, 1.0, -inf]]), torch.tensor([0])
soft = torch.tensor([[1.0, 0.0, 0.0]])
print(f"as an index            {F.cross_entropy(z, index):.4f}")
print(f"as probabilities       {F.cross_entropy(z, soft):.4f}")
print(f"index, with smoothing  {F.cross_entropy(z, index, label_smoothing=0.1):.4f}")
print(f"0 * log 0, by hand     {0.0 * torch.log_softmax(z, dim=1)[0, 2]:.4f}")
print(f"xlogy(0, 0)            {torch.xlogy(torch.tensor(0.0), torch.softmax(z, dim=1)[0, 2]):.4f}")

# %% [markdown]
# An index picks one entry and never meets the −inf. Probabilities multiply it by 0: nan, as in lesson 02, where `xlogy` gave 0. Label
# smoothing (lesson 09) asks for a little of the impossible class, and that costs infinitely much.
#
# The row of −inf is repaired **before** the softmax: give it harmless scores, and set its probabilities to 0 afterwards. Afterwards alone
# is too late for the gradient:

# %%
scores = torch.tensor([[2.0, 1.0], [-inf, -inf]])
empty = scores.isinf().all(dim=1, keepdim=True)
for name, before in (("after only", scores), ("before, too", scores.masked_fill(empty, 0.0))):
    z = before.clone().requires_grad_(True)
    p = torch.where(empty, 0.0, torch.softmax(z, dim=1))
    (slope,) = torch.autograd.grad(p[:, 0].sum(), z)
    print(f"{name:12} p {[round(v, 4) for v in p.flatten().tolist()]}, slope {[round(v, 4) for v in slope.flatten().tolist()]}")

# %% [markdown]
# Both values look right. With the repair in the wrong place, the slopes of the empty row are nan: `where` hides a nan and passes its
# gradient on, as in lesson 02.
#
# ## In your own words
#
# A colleague trains with `-(torch.softmax(z, dim=1) + 1e-8).log()` of the true class. It never gives nan, and yet some samples that are
# badly wrong never get better. Explain to them why, with a number, and what you would write instead. Why does raising the epsilon not
# help?

# %% [markdown] question="epsilon_hides_the_worst" points=2
# If the true class has a score 20 or more below another one, its probability is about e^-20 = 2e-9 or less, below the epsilon: the loss
# stays near -log(1e-8) = 18.42 however wrong the sample is, and its slope p(1-p)/(p + 1e-8) is nearly 0, so nothing pulls it back. The
# samples that need the largest push get none. A larger epsilon sets in even earlier and lowers the ceiling. Take the logarithm on paper:
# `-F.log_softmax(z, dim=1)` of the true class (or cross-entropy on the logits), which is logsumexp(z) - z and has a slope of 1 there.

# %% [markdown]
# ## Recap
#
# - You built log-sum-exp by taking the largest score out, log_softmax as a difference, a softmax that survives any score, and its
#   Jacobian $\operatorname{diag}(p) - p\,p^\top$.
# - PyTorch calls them `torch.logsumexp`, `nn.LogSoftmax` / `F.log_softmax` / `torch.log_softmax`, and `nn.Softmax` / `F.softmax`.
# - Three mistakes people make: they take the logarithm of a softmax; they add an epsilon, which trades an honest −inf for a slope of 0;
#   they subtract one maximum for the whole batch, or let a whole row be −inf.
#
# **Before:** `06_softmax`, the definition. **Next:** `08_cross_entropy`, which takes one log-probability of each row and makes a loss of
# it.
#
# **Read on:** PyTorch's pages of [`logsumexp`](https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html) and
# [`LogSoftmax`](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSoftmax.html); Blanchard, Higham and Higham, *Accurately
# computing the log-sum-exp and softmax functions*, IMA Journal of Numerical Analysis, 2021.
