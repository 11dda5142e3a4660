# %% [markdown]
# # Can a model be too sure to learn?
#
# A model gives a tumour a score of 20: it is as good as certain that it is benign. The tumour is malignant (label 0). Few
# mistakes need correcting more than this. **How hard does a training step pull at that score?** With `BCELoss` behind a sigmoid,
# in float32, the answer is: not at all.
#
# In this lesson you find out why, and build the loss that pulls: binary cross-entropy straight from the scores. PyTorch calls it
# `nn.BCEWithLogitsLoss` and `F.binary_cross_entropy_with_logits`. You need `02_bce` and the chain rule. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, interact, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)

# %% [markdown]
# ## The way through the probability
#
# So far a score $z$ became a probability $p = \sigma(z)$, and $p$ became a loss. In `02_bce` you met two versions of the second
# step: the definition as it is written, and PyTorch's, which clamps each logarithm at −100. Here are both, for one score at a time.

# %%
def naive(z, y):
    p = torch.sigmoid(z)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))


def clamped(z, y):
    return F.binary_cross_entropy(torch.sigmoid(z), y, reduction="none")


def value_and_slope(loss_of, z, y):
    leaf = z.clone().requires_grad_(True)
    loss = loss_of(leaf, y)
    (slope,) = torch.autograd.grad(loss.sum(), leaf)
    return loss.detach(), slope

# %% [markdown]
# A score of 20 where the label is 0 should cost about 20, and its slope should be about 1: a little less score, a little less loss. What will each version say in float32? Guess the slope of the
# clamped one (within 0.1 counts as right), then run.

# %%
guess("slope_of_the_clamped_loss", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
z20, y0 = torch.tensor([20.0]), torch.tensor([0.0])
for loss_of in (naive, clamped):
    loss, slope = value_and_slope(loss_of, z20, y0)
    print(f"{loss_of.__name__:8} loss {loss.item():6.1f}   slope {slope.item():4.1f}")
guessed("slope_of_the_clamped_loss", slope, within=0.1)

# %% [markdown]
# The definition gives inf, with a slope of nan that would poison every weight. The clamped version gives 100, which looks alarming and
# usable, and a slope of **0**: this patient teaches the model nothing. That is the worse failure, because nothing gives it away: nan shows up in the next loss that you print, a slope of 0 in none.
#
# ## Where the information is lost
#
# The probability is the culprit. It is computed as $1 / (1 + e^{-z})$, and beyond a certain score $e^{-z}$ is so small that the
# sum is rounded to 1. The probability is then 1 as well.

# %%
for dtype in (torch.float32, torch.float64):
    scores = torch.arange(0, 50, 0.01, dtype=torch.float64).to(dtype)
    first = scores[torch.sigmoid(scores) == 1][0]
    print(f"{str(dtype):14} sigmoid is exactly 1 from z = {first:.2f}")

# %% [markdown]
# From there on $1 - p$ is exactly 0, and 17, 20 and 200 have become the same number. No repair of the logarithm can bring back what the
# sigmoid has thrown away. In float64 the cliff is further away, and still there.
#
# Predict: what about the mirror image, a negative score where the label is 1?

# %%
y1 = torch.tensor([1.0])
for score in (-20.0, -30.0, -200.0):
    row = [value_and_slope(f, torch.tensor([score]), y1) for f in (naive, clamped)]
    print(f"z = {score:5.0f}", *(f"   {name} loss {loss.item():6.1f}, slope {slope.item() + 0:5.2f}" for name, (loss, slope) in zip(("naive", "clamped"), row)))

# %% [markdown]
# At −20 all is well: floating-point numbers lie much closer together near 0 than near 1, and $\log p$ needs $p$, not $1 - p$. So a model may learn from its mistakes where the label is 1, and not where it is 0. But only
# for a while. At −30 PyTorch's slope is already too small, because its
# [backward pass](https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/Loss.cpp) keeps the denominator $p\,(1 - p)$ above 1e-12, and at −200 $p$ itself is 0.
#
# ## The loss without the probability
#
# Put $p = \frac{1}{1 + e^{-z}}$ into the two halves of the loss, on paper:
#
# $$ -\log p = \log\left(1 + e^{-z}\right) \qquad\qquad -\log(1 - p) = \log\left(1 + e^{z}\right) $$
#
# Both are one and the same function, of $-z$ and of $z$. It is called **softplus**:
#
# $$ \operatorname{softplus}(z) = \log\left(1 + e^{z}\right) $$
#
# By hand, for patients 2 ($z = 2.0$, $y = 1$) and 4 ($z = 0.5$, $y = 0$):

# %%
print(f"patient 2: softplus(-2.0) = {math.log(1 + math.exp(-2.0)):.4f}")
print(f"patient 4: softplus( 0.5) = {math.log(1 + math.exp(0.5)):.4f}")

# %% [markdown]
# The same two losses as in `02_bce`, without a probability on the way. Where does the name come from? Look at softplus beside
# $\max(0, z)$, and at the difference of the two.

# %%
# softplus beside max(0, z), and their difference
z = torch.linspace(-6, 6, 241, dtype=torch.float64)
curve, corner = torch.log(1 + torch.exp(z)), torch.clamp(z, min=0)
fig, (left, right) = plt.subplots(1, 2)
left.plot(z, curve, **LINE["stable"], label="softplus(z)")
left.plot(z, corner, **LINE["reference"], label="max(0, z)")
left.set(title="a soft corner", xlabel="score z", ylabel="value")
left.legend()
right.plot(z, curve - corner, **LINE["stable"])
right.axhline(math.log(2), **LINE["reference"])
right.text(-6, math.log(2) - 0.06, "log 2")
right.set(title="softplus(z) − max(0, z)", xlabel="score z", ylabel="difference")
show("Two plots against the score z. Left: softplus follows max(0, z) on both sides and rounds its corner. Right: the difference "
     "of the two is a symmetrical bump, log 2 high at z = 0, and nearly 0 beyond z = -5 and z = 5.")

# %% [markdown]
# Left, softplus rounds the corner of $\max(0, z)$. Right, what it adds to it: a bump, log 2 high, the same on both sides, and nearly
# gone at ±5.
#
# ## Does the formula survive?
#
# $e^z$ grows fast. Predict: at which of these scores does $\log(1 + e^z)$ fail in float32, and how?

# %%
def by_formula(z, y):
    return torch.log(1 + torch.exp(z))


def by_choice(z, y):
    return torch.where(z > 20, z, torch.log(1 + torch.exp(z)))


big = torch.tensor([20.0, 80.0, 95.0, 1000.0])
print("formula, value ", value_and_slope(by_formula, big, None)[0])
print("formula, slope ", value_and_slope(by_formula, big, None)[1])

# %% [markdown]
# At 95 $e^z$ is too large for float32: the value is inf. The slope is nan, because on the way back the logarithm contributes $1/\infty = 0$, and the exponential multiplies that 0 by $\infty$.
#
# For such $z$ softplus is as good as $z$ itself, so why not choose? `by_choice` in the cell above takes $z$ where it is large. What will its slope be at 1000? Guess a number (nan and inf are numbers, too: `float("nan")`).

# %%
guess("slope_of_the_choice", ..., sure=...)

# %%
print("choice, value  ", value_and_slope(by_choice, big, None)[0])
print("choice, slope  ", value_and_slope(by_choice, big, None)[1])
guessed("slope_of_the_choice", value_and_slope(by_choice, big, None)[1][-1], within=0.1)

# %% [markdown]
# The values are right and the slopes are nan. `torch.where` computes *both* branches and drops one. On the way back the dropped branch gets a slope of 0, and its exponential multiplies that 0 by $\infty$. A `where` around an infinity
# hides it from the value and not from the slope: the infinity must not arise in the first place.
#
# ## Exercise: `softplus`
#
# Write softplus so that its value and its slope survive a score of 1000 and one of −1000. The picture above is the clue: a corner, plus a
# bump that is the same on both sides. What is the formula of the bump, for positive $z$? For negative $z$? Which single exponential, never a
# large one, serves both?

# %% exercise="softplus"
def softplus(z):
    """log(1 + exp(z)) without overflow.

    z: floats of any shape. Returns that shape.
    """
    ### BEGIN SOLUTION
    corner = (z + z.abs()) / 2  # max(0, z), with slope 1/2 at z = 0
    return corner + torch.log1p(torch.exp(-z.abs()))
    ### END SOLUTION

# %% [markdown] passed="softplus"
# For a positive $z$, take $e^z$ out: $\log(1 + e^z) = \log\bigl(e^z (e^{-z} + 1)\bigr) = z + \log(1 + e^{-z})$. A negative $z$ needs no
# change. Together:
#
# $$ \operatorname{softplus}(z) = \max(0, z) + \log\left(1 + e^{-|z|}\right) $$
#
# `torch.log1p(x)` is $\log(1 + x)$, and keeps its digits for tiny $x$.

# %%
compare("softplus", torch.tensor([-1000.0, -2.0, 0.5, 95.0, 1000.0]))

# %% [markdown]
# One point deserves a look: $z = 0$, where training from zero weights begins. The true slope there is a half. A corner has no slope at its tip, so autograd has to make one up, and not every spelling of softplus gets
# the half. For `clamp` even PyTorch has changed its mind: the slope at its bound was 0 until 2018, is 1 in release 2.13, as below, and 0 again from 2.14 on. The check does not test this point; prefer a spelling without a corner, or PyTorch's.

# %% fold="Four spellings of softplus and their slopes at 0"
# four spellings of softplus and their slopes at 0
zero = torch.tensor([0.0])
spellings = {
    "max(0, z) + bump     ": lambda z, y: z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())),
    "relu(z) + bump       ": lambda z, y: torch.relu(z) + torch.log1p(torch.exp(-z.abs())),
    "(z + |z|) / 2 + bump ": lambda z, y: (z + z.abs()) / 2 + torch.log1p(torch.exp(-z.abs())),
    "F.softplus           ": lambda z, y: F.softplus(z),
}
for name, f in spellings.items():
    print(name, "slope at 0:", value_and_slope(f, zero, None)[1].item())

# %% [markdown]
# ## From softplus to the loss
#
# A patient with $y = 1$ costs $\operatorname{softplus}(-z)$, one with $y = 0$ costs $\operatorname{softplus}(z)$. How far are the two apart?

# %%
softplus_ready = ready("softplus")
print("softplus( z)             ", softplus_ready(logits))
print("softplus(-z)             ", softplus_ready(-logits))
print("softplus(z) - softplus(-z)", softplus_ready(logits) - softplus_ready(-logits))

# %% [markdown]
# Look at the last line: you have seen these four numbers before.
#
# ## Exercise: `bce_with_logits`
#
# Write the whole loss, for labels anywhere from 0 to 1, with the `reduction` that you know from `bce`. Use your `softplus`, and try to need it
# **once** for each sample: the last line above says what has to be subtracted, and the label says how much of it.

# %% exercise="bce_with_logits"
def bce_with_logits(z, y, reduction="mean"):
    """Binary cross-entropy of sigmoid(z), for z of any size.

    z, y: floats of the same shape, y in [0, 1].
    Returns a 0-d tensor, or that shape for reduction="none".
    """
    ### BEGIN SOLUTION
    losses = softplus(z) - y * z
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()
    ### END SOLUTION

# %% [markdown] passed="bce_with_logits"
# With $\operatorname{softplus}(-z) = \operatorname{softplus}(z) - z$ the two halves become one:
#
# $$ \ell(z, y) = y\,\operatorname{softplus}(-z) + (1 - y)\,\operatorname{softplus}(z) = \operatorname{softplus}(z) - y\,z $$

# %% [markdown]
# On the four patients, and on the score of 20 from the start:

# %%
bce_with_logits_ready = ready("bce_with_logits")
print("per sample", bce_with_logits_ready(logits, y_true, "none"))
print(f"mean       {bce_with_logits_ready(logits, y_true):.4f}")


def stable(z, y):
    return bce_with_logits_ready(z, y, "none")


loss, slope = value_and_slope(stable, z20, y0)
print(f"z = 20, y = 0: loss {loss.item():.1f}   slope {slope.item():.1f}")

# %% [markdown]
# The familiar losses, and at last a slope of 1 where the model is sure and wrong.
#
# ## Exercise: `bce_with_logits_grad`
#
# The slope deserves a formula of its own. In `02_bce` you found $\frac{\partial \ell}{\partial p} = -\frac{y}{p} + \frac{1 - y}{1 - p}$, in
# `01_sigmoid` that $\frac{dp}{dz} = p\,(1 - p)$. Multiply the two and simplify on paper, or differentiate your new loss: what is left is very short. Write that, for each sample, without 1/N. What would the product give in the
# computer, unsimplified, where $p$ is 1?

# %% exercise="bce_with_logits_grad"
def bce_with_logits_grad(z, y):
    """d loss / d z for each sample, without 1/N.

    z, y: floats of the same shape. Returns that shape.
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(z) - y
    ### END SOLUTION

# %% [markdown] passed="bce_with_logits_grad"
# $$ \frac{\partial \ell}{\partial z} = \sigma(z) - y $$
#
# Probability minus label: how wrong the model is, with a sign.

# %% [markdown]
# Checked against autograd, which differentiates the *mean*:

# %%
leaf = logits.clone().requires_grad_(True)
(by_autograd,) = torch.autograd.grad(bce_with_logits_ready(leaf, y_true), [leaf])
print("autograd, of the mean ", by_autograd)
print("yours, divided by N   ", ready("bce_with_logits_grad")(logits, y_true) / len(y_true))

# %% [markdown]
# Walk along the curve of a patient with label 0: in JupyterLab a slider below the picture moves the score. The dashed line is the tangent. What does its
# steepness do at either end?

# %%
# loss and slope of one patient with label 0, at the score of the slider
line = torch.linspace(-6, 6, 121, dtype=torch.float64)
curves = value_and_slope(stable, line, torch.zeros_like(line))


def walk(z):
    (loss,), (slope,) = value_and_slope(stable, torch.tensor([z], dtype=torch.float64), torch.zeros(1, dtype=torch.float64))
    for panel, name, curve, value in zip(plt.subplots(1, 2)[1], ("loss", "d loss / d z"), curves, (loss, slope)):
        panel.plot(line, curve, **LINE["stable"])
        panel.plot(z, value, "ko", markersize=8)
        panel.set(title=f"{value:.2f} at z = {z:.2f}, y = 0", xlabel="score z", ylabel=name, xlim=(-6.2, 6.2), ylim=(-0.1, 1.1 * curve.max()))
    plt.gcf().axes[0].plot(line, loss + slope * (line - z), **LINE["slope"])
    return f"Two plots against the score z, for label 0. A dot at z = {z:.2f}: left on the loss, {loss:.2f}, with the tangent; right on the slope, {slope:.2f}."


interact(walk, z=(-6.0, 6.0, 0.25, 2.0))

# %% [markdown]
# On the left the curve is flat, and a patient who is right already hardly pulls. On the right it becomes a straight line of slope 1. No patient pulls at the *score* harder than that. (A weight is pulled by this slope times a
# feature, and features can be large: among the measurements below, one lies 12 standard deviations from its mean.)
#
# ## The squared error, sure and wrong
#
# In `02_bce` you saw in a picture that the squared error lets go of a model that is sure and wrong. What is its formula?
#
# ## Exercise: `squared_error_grad`
#
# Derive the slope of $(\sigma(z) - y)^2$ with respect to $z$, sample by sample. There are two inner derivatives on the way. Which factor is it that cross-entropy got rid of?

# %% exercise="squared_error_grad"
def squared_error_grad(z, y):
    """d (sigmoid(z) - y)**2 / d z for each sample, without 1/N.

    z, y: floats of the same shape. Returns that shape.
    """
    ### BEGIN SOLUTION
    share = torch.sigmoid(z)
    return 2 * (share - y) * share * (1 - share)
    ### END SOLUTION

# %% [markdown] passed="squared_error_grad"
# $2\,(p - y)\,p\,(1 - p)$: the sigmoid's own slope $p\,(1 - p)$ is left over, and it is nearly 0 wherever the model is sure, right or wrong. In cross-entropy the $1/p$ and $1/(1 - p)$ of the logarithm cancel it.

# %% [markdown]
# What does that mean for a training? One patient with label 1 starts at a score of −8, sure and wrong, and walks downhill with a step of 1. How many steps will each loss need to get the score above 0? Guess the number for
# the squared error (within 50 per cent counts as right), then run.

# %%
guess("steps_of_the_squared_error", ..., sure=...)

# %%
# the score of one patient, step by step, under both losses
for name, slope_of in [("cross-entropy", ready("bce_with_logits_grad")), ("squared error", ready("squared_error_grad"))]:
    z, path = torch.tensor([-8.0], dtype=torch.float64), []
    for _ in range(2001):
        path.append(z.item())
        z = z - slope_of(z, torch.ones(1, dtype=torch.float64))
    steps = sum(score < 0 for score in path)
    plt.plot(range(1, 2002), path, **LINE[name], label=name)
    print(f"{name}: above 0 after {steps} steps")
plt.xscale("log"), plt.xlabel("step (logarithmic)"), plt.ylabel("score z"), plt.title("y = 1, from z = -8")
plt.axhline(0, **LINE["reference"]), plt.legend(loc="upper left")
guessed("steps_of_the_squared_error", steps, percent=50)
show("The score against the step on a logarithmic scale, both starting at -8. Under cross-entropy the score crosses 0 within ten steps; under the squared error it hardly moves for more than a "
     "thousand steps and then climbs quickly.")

# %% [markdown]
# Cross-entropy is above 0 in nine steps; under the squared error the score hardly moves for more than a thousand.
#
# ## The picture of this lesson
#
# Three versions of one loss, against the score, for a patient with label 0 in float32: as value and as slope. Where will they part?

# %%
# loss and slope against z, for y = 0: naive, clamped, stable
z = torch.arange(-10, 130.25, 0.25)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for name, loss_of, width in [("stable", stable, 4), ("clamped", clamped, 2), ("naive", naive, 2)]:
    loss, slope = value_and_slope(loss_of, z, torch.zeros_like(z))
    last = int(loss.isfinite().nonzero().max())
    for panel, values in [(left, loss), (right, slope)]:
        panel.plot(z[:last + 1], values[:last + 1], **LINE[name] | {"linewidth": width}, label=name)
        if name == "naive":
            panel.plot(z[last], values[last], "x", color=LINE[name]["color"], markersize=11, markeredgewidth=3)
left.set(title="loss when y = 0, float32", xlabel="score z", ylabel="loss", ylim=(-5, 135))
right.set(title="slope when y = 0, float32", xlabel="score z", ylabel="d loss / d z", ylim=(-0.08, 1.2))
right.legend(loc="center right")
show("Two plots against the score z from -10 to 130, for label 0 in float32. Left, the loss: the stable one rises as a straight line; the "
     "clamped one follows it until z = 16.6, then jumps to 100 and stays there; the naive one ends at 16.6, marked by a cross. Right, the slope: the "
     "stable one rises from 0 to 1 and stays; the clamped one falls back to 0 at 16.6; the naive one ends there.")

# %% [markdown]
# Left: at the cliff the naive loss ends (the cross; from there on it is inf), the clamped one jumps to 100 and stays, too large before
# $z = 100$ and too small after it. Right, which training sees: the naive slope ends, the clamped one drops to **0**, the stable one stays at 1.
# The numbers, as a table:

# %%
print("   z     naive          clamped        stable")
for score in (10.0, 16.0, 20.0, 200.0, 1000.0):
    row = [value_and_slope(f, torch.tensor([score]), y0) for f in (naive, clamped, stable)]
    print(f"{score:6.0f}", *(f"{loss.item():7.1f} {slope.item():6.2f} " for loss, slope in row))

# %% [markdown]
# Each pair is loss and slope. Even before the cliff digits are lost: at 16 the first two say 15.9. And a score of 200 costs 100 under the clamp,
# 200 under the stable loss.
#
# ## What it does to a training
#
# 569 real patients, 30 measurements each, and a score that is a weighted sum of these. Train all three versions in float32, from zero weights, on the measurements as they come: no standardisation, a learning rate of
# 0.001. The first step will be far too large; `04_logistic_regression` says why. Which version finds its way back?

# %%
cancer = load_breast_cancer()
X = torch.tensor(cancer.data, dtype=torch.float32)
benign = torch.tensor(cancer.target, dtype=torch.float32)           # 1 is benign, 0 is malignant
farthest = ((X - X.mean(dim=0)) / X.std(dim=0)).abs().max()
print(f"the measurement farthest from its mean: {farthest:.1f} standard deviations")


def train_on(loss_of, steps=600, lr=0.001):
    w, b, history = torch.zeros(30, requires_grad=True), torch.zeros((), requires_grad=True), []
    for _ in range(steps):
        z = X @ w + b
        loss = loss_of(z, benign).mean()
        history.append([loss.item(), ((z > 0) == (benign == 1)).float().mean().item()])
        grad_w, grad_b = torch.autograd.grad(loss, [w, b])
        w, b = ((v - lr * g).detach().requires_grad_(True) for v, g in ((w, grad_w), (b, grad_b)))
    return torch.tensor(history), grad_w

# %%
# loss and share right, step by step, for the three versions
fig, (left, right) = plt.subplots(1, 2)
for name, loss_of in [("stable", stable), ("clamped", clamped), ("naive", naive)]:
    history, grad_w = train_on(loss_of)
    finite = history[history[:, 0].isfinite()]
    style = LINE[name] | {"linewidth": 1 if name == "stable" else 2, "marker": "x" if name == "naive" else ""}
    left.loglog(range(1, len(finite) + 1), finite[:, 0], **style, markersize=11, markeredgewidth=3, label=name)
    right.semilogx(range(1, len(finite) + 1), finite[:, 1], **style, markersize=11, markeredgewidth=3)
    slope = "nan" if grad_w.isnan().any() else "exactly 0" if (grad_w == 0).all() else "alive"
    print(f"{name:8} first loss {history[0, 0]:.4f}   in the end: right {history[-1, 1]:.1f}, slope {slope}")
left.set(title="mean loss", xlabel="step", ylabel="loss (logarithmic)")
right.set(title="share of patients classified right", xlabel="step", ylabel="share", ylim=(0.3, 1.0))
left.legend(loc="lower right")
show("Two plots against the training step, logarithmic. Left, the mean loss: the stable one jumps up, swings widely and comes down over hundreds of steps; the clamped one ends in a flat line at 63; the "
     "naive one ends after its first step, at a cross. Right, the share of patients classified right: the stable one swings and is mostly near 0.9 in the end, the clamped one is flat at 0.37.")

# %% [markdown]
# All three are thrown off by the first steps.
#
# - The naive loss is nan from then on.
# - The clamped one ends where every score is far below 0. Each benign patient costs 100 with a slope of exactly 0, each malignant one is right already, and nothing will ever move again.
# - The stable one swings wildly, too, but each wrong patient keeps pulling, and in the end nine of ten are right.
#
# A flat curve looks like a bad model or a small learning rate; here it is the arithmetic of the loss.
#
# ## A loss with a memory
#
# PyTorch's modular losses are objects: made once, with their options, and called many times. They are classes that extend `nn.Module`. Here is a
# small one that has nothing to do with losses:

# %%
class Scale(nn.Module):
    def __init__(self, factor=2.0):
        super().__init__()              # sets up the module: always first
        self.factor = factor            # kept in the object

    def forward(self, x):
        return x * self.factor


triple = Scale(factor=3.0)
triple(torch.tensor(5.0))               # calling the object calls its forward

# %% [markdown]
# `__init__` runs when the object is made, `forward` each time it is called. What the second needs from the first is kept in `self`.
#
# ## Exercise: `BCEWithLogits`
#
# Write your loss as a module. Decide what is known when the object is made, what comes only with the call, and how the one reaches the other.
# Your `bce_with_logits` may do the computing.

# %% exercise="BCEWithLogits"
class BCEWithLogits(nn.Module):
    """Binary cross-entropy of logits, as a module.

    reduction: "mean", "sum" or "none"; called with z, y of the same shape.
    """

    def __init__(self, reduction="mean"):
        ### BEGIN SOLUTION
        super().__init__()
        self.reduction = reduction
        ### END SOLUTION

    def forward(self, z, y):
        ### BEGIN SOLUTION
        return bce_with_logits(z, y, reduction=self.reduction)
        ### END SOLUTION

# %%
Module = ready("BCEWithLogits")
for reduction in ("none", "sum", "mean"):
    print(f"{reduction:5}", Module(reduction=reduction)(logits, y_true))

# %% [markdown]
# ## What PyTorch calls it

# %%
results = {
    "yours, as a function": bce_with_logits_ready(logits, y_true),
    "yours, as a module": Module()(logits, y_true),
    "modular, nn.BCEWithLogitsLoss": nn.BCEWithLogitsLoss()(logits, y_true),
    "functional, F.binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits(logits, y_true),
    "through the probability, nn.BCELoss": nn.BCELoss()(torch.sigmoid(logits), y_true),
    "through the probability, F.binary_cross_entropy": F.binary_cross_entropy(torch.sigmoid(logits), y_true),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours, as a function"])

# %% [markdown]
# For scores of this size every way leads to the same number, which is how the wrong one goes unnoticed. The parts have names, too:

# %%
assert torch.allclose(softplus_ready(logits), F.softplus(logits))
assert torch.allclose(-softplus_ready(-logits), F.logsigmoid(logits))
print("F.softplus(z)   ", F.softplus(logits))
print("F.logsigmoid(z) ", F.logsigmoid(logits))

# %% [markdown]
# And at the extremes, where only the ways from the scores agree:

# %%
z200 = torch.tensor([200.0], requires_grad=True)
for name, loss in [("yours", Module()(z200, y0)), ("nn.BCEWithLogitsLoss", nn.BCEWithLogitsLoss()(z200, y0)),
                   ("nn.BCELoss after sigmoid", nn.BCELoss()(torch.sigmoid(z200), y0))]:
    print(f"{name:24} loss {loss.item():5.0f}   slope {torch.autograd.grad(loss, z200)[0].item():.0f}")

# %% [markdown]
# ## Where it still goes wrong
#
# **A sigmoid too many.** The loss expects scores. If the model ends in a sigmoid, the loss applies another one, and nobody complains. Four
# perfect predictions:

# %%
perfect = y_true.clone()                                     # probabilities 0, 1, 1, 0: as right as can be
print("given as probabilities", F.binary_cross_entropy(perfect, y_true).abs().item())
print("given as scores       ", F.binary_cross_entropy_with_logits(perfect, y_true, reduction="none"))
print(f"their mean             {F.binary_cross_entropy_with_logits(perfect, y_true):.4f}")

# %% [markdown]
# That mean is the best that such a model can ever reach on these labels: a loss that falls, and then stays above a floor.
#
# **A score of −inf**, as some programs write for "impossible". With $y = 0$ it should cost nothing.

# %%
impossible = torch.tensor([-torch.inf])
print("BCEWithLogitsLoss    ", nn.BCEWithLogitsLoss()(impossible, y0).item())
print("-1e9 instead of -inf ", nn.BCEWithLogitsLoss()(torch.tensor([-1e9]), y0).item())
print("-1e9 where y is 1    ", nn.BCEWithLogitsLoss()(torch.tensor([-1e9]), torch.tensor([1.0])).item())

# %% [markdown]
# PyTorch computes $(1 - y)\,z - \log \sigma(z)$, which is $-\infty + \infty$ here, and that is nan. A very negative, finite score says the same and costs nothing where $y = 0$. Where $y = 1$ it costs a fortune, as it should: what was declared
# impossible has happened.
#
# **Shapes.** PyTorch's loss refuses scores of shape (N, 1) beside labels of shape (N,); your own does what you saw in `00_tools`.
#
# ## In your own words
#
# A colleague says: "The cliff is a float32 problem. I compute in float64, keep my sigmoid and my `BCELoss`, and can forget about all this." What do you
# answer? Use at least one number from this lesson, and say what you would do instead.

# %% [markdown] question="float64_is_no_cure" points=2
# float64 moves the cliff, it does not remove it: there the sigmoid is exactly 1 from about z = 37 instead of 17, and beyond that the slope is 0 again. `BCELoss`
# still clamps at −100, so a score of 200 costs 100 in float64, too. And before the cliff 1 − p has lost digits already. The cause is the way through the
# probability: from the scores, softplus(z) − y·z keeps its digits in either precision and costs nothing more. So: let the model end in scores, use
# `BCEWithLogitsLoss`, and apply the sigmoid only where a probability is to be shown.

# %% [markdown]
# ## Recap
#
# - You built softplus without overflow, from it the loss of a score and its slope, and the slope of the squared error to compare.
# - PyTorch calls it `nn.BCEWithLogitsLoss` and `F.binary_cross_entropy_with_logits`; softplus is `F.softplus`.
# - Three mistakes people make with it: they go through the probability, and wonder why the loss no longer moves; they give it probabilities,
#   so that two sigmoids follow each other; they repair an overflow with `torch.where` and get a right value with a nan gradient.
#
# **Before:** `02_bce`, the loss of a probability. **Next:** `04_logistic_regression`: where do the scores come from?
#
# **Read on:** PyTorch's page of
# [`BCEWithLogitsLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html); Martin Mächler,
# [*Accurately computing log(1 − exp(−|a|))*](https://cran.r-project.org/web/packages/Rmpfr/vignettes/log1mexp-note.pdf), on log1p and its relatives.
