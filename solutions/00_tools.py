# %% [markdown]
# # Why was the loss wrong, and nobody told me?
#
# A model predicts four probabilities, you compare them with four labels, square the differences and take the mean. One line of code. It prints a number,
# the number falls during training, no error appears. **And it is the wrong number.**
#
# This lesson is about the tools that the whole course leans on: shapes, broadcasting, dtypes, gradients, means. Each of them can go wrong silently, and you will
# see how, and build what finds it. You need one term of Python and the derivative of $x^2$. About 40 minutes.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import LINE, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
y_pred = torch.tensor([0.4750, 0.8808, 0.9526, 0.6225], dtype=torch.float64)

# %% [markdown]
# ## One line, two numbers
#
# A model's last layer usually returns a *column*: one row for each sample, one column for the one output. The labels come as a plain list. Predict: will
# these two lines print the same?

# %%
column = y_pred.reshape(4, 1)
print(f"predictions of shape (4,)   {((y_pred - y_true) ** 2).mean():.4f}")
print(f"predictions of shape (4, 1) {((column - y_true) ** 2).mean():.4f}")

# %% [markdown]
# The same four numbers, the same labels, the same formula: and a result about twice as large. To find out why, ask a tensor the first question one should always ask
# it: what is your **shape**?

# %%
print("predictions", tuple(y_pred.shape), "  column", tuple(column.shape), "  labels", tuple(y_true.shape))
print("predictions - labels", tuple((y_pred - y_true).shape))
print("column - labels     ", tuple((column - y_true).shape))

# %% [markdown]
# Four differences in the first case, sixteen in the second.
#
# ## The rule of broadcasting
#
# When two shapes differ, PyTorch stretches them to fit. The rule: write the shapes below each other, **aligned at the right**. Two sizes fit if they are equal, or if
# one of them is 1 or missing; that one is repeated.
#
# | shape of | second from the right | last |
# |---|---|---|
# | column | 4 | 1 |
# | labels | missing | 4 |
# | result | **4** | **4** |
#
# So every prediction met every label. Here are all sixteen squared differences.

# %%
pairs = (column - y_true) ** 2
fig, panels = plt.subplots(1, 2, layout="constrained")
for axis, title, keep in [(panels[0], "(4,) and (4,): 4 pairs", torch.eye(4, dtype=torch.bool)),
                          (panels[1], "(4, 1) and (4,): 16 pairs", torch.ones(4, 4, dtype=torch.bool))]:
    axis.imshow(torch.where(keep, pairs, torch.nan), cmap="Greys", vmin=-0.4, vmax=1.8, aspect="auto")
    for i, j in torch.nonzero(keep).tolist():
        axis.text(j, i, f"{pairs[i, j]:.4f}", ha="center", va="center", weight="bold" if i == j else "normal")
    axis.set(title=title, xlabel="label", ylabel="prediction", xticks=range(4), yticks=range(4))
    axis.set_xticklabels([f"{v:.0f}" for v in y_true]), axis.set_yticklabels([f"{v:.4f}" for v in y_pred])
    axis.grid(False)
show("Two grids of squared differences, one row for each of the four predictions, one column for each label. Left, only the diagonal is filled: "
     "each prediction with its own label. Right, all sixteen cells are filled: every prediction with every label.")

# %% [markdown]
# Left, what was meant: each prediction with its own label, on the diagonal. Right, what was computed: row by row, one prediction against everybody's labels. The
# mean of sixteen numbers looks as reasonable as the mean of four.
#
# ## The repair, and who would have warned you
#
# The repair is to make the shapes equal *before* anything is computed. `squeeze(1)` removes dimension 1 if its size is 1:

# %%
print(tuple(column.squeeze(1).shape), f"{((column.squeeze(1) - y_true) ** 2).mean():.4f}")
print(f"modular, nn.MSELoss      {nn.MSELoss()(column.squeeze(1), y_true):.4f}")
print(f"functional, F.mse_loss   {F.mse_loss(column.squeeze(1), y_true):.4f}")
assert torch.isclose(F.mse_loss(y_pred, y_true), ((y_pred - y_true) ** 2).mean())

# %% [markdown]
# PyTorch has every loss in two forms: a **module** (`nn.…`), an object that is made first and called later, and a **function** (`F.…`). They compute the same.
# And what do they say to the column? Most of them refuse; squared error only warns, and goes on.

# %%
def refused(loss, *inputs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            print(f"accepted: {loss(*inputs):.4f}")
        except (RuntimeError, ValueError) as error:
            print(f"{type(error).__name__}: {str(error).splitlines()[0][:90]}")
    for warning in caught:
        print(f"   with a {warning.category.__name__}: {str(warning.message)[:80]}")


refused(F.binary_cross_entropy, column, y_true)
refused(F.mse_loss, column, y_true)

# %% [markdown]
# A loss that you write yourself says nothing at all. In this course you write many. When a number looks odd, print the shapes first.
#
# ## Sums along a dimension
#
# Three hospitals counted four diagnoses each, per thousand patients. `dim` names the dimension that **disappears**. Predict the two shapes.

# %%
counts = torch.tensor([[6.0, 2.0, 1.0, 1.0], [30.0, 10.0, 40.0, 20.0], [5.0, 0.5, 4.0, 0.5]], dtype=torch.float64)
print("table     ", tuple(counts.shape))
print("sum, dim=0", tuple(counts.sum(dim=0).shape), counts.sum(dim=0))
print("sum, dim=1", tuple(counts.sum(dim=1).shape), counts.sum(dim=1))

# %% [markdown]
# With `dim=0` the hospitals disappear: one sum for each diagnosis. With `dim=1` the diagnoses do: one sum for each hospital.
#
# Now every hospital wants to know its own *shares*: 6 of 10, 2 of 10, … By hand for the first: 0.6, 0.2, 0.1, 0.1. In code, one divides the table by the sums of its rows:

# %%
def attempt(table):
    try:
        shares = table / table.sum(dim=1)
        print("shares of each row sum to", shares.sum(dim=1))
    except RuntimeError as error:
        print(f"RuntimeError: {str(error).splitlines()[0]}")


attempt(counts)            # 3 hospitals, 4 diagnoses
attempt(counts[:, :3])     # 3 hospitals, 3 diagnoses

# %% [markdown]
# Write the shapes below each other, aligned at the right: (3, 4) and (3,) do not fit, and you are told so. The square table fits **by accident**. Its columns were divided by
# the sums of other hospitals, and no row sums to 1. Nothing was raised.
#
# ## Exercise: `row_normalize`
#
# Divide each row by its own sum, for tables of any size, square ones too. The line above is nearly right; decide which shape the sums must have to meet their own
# rows, and how they get it.

# %% exercise="row_normalize"
def row_normalize(x):
    """Each row divided by its sum. `x`: positive floats of shape (N, C). Returns that shape; each row sums to 1."""
    ### BEGIN SOLUTION
    return x / x.sum(dim=1, keepdim=True)
    ### END SOLUTION

# %%
compare("row_normalize", counts)

# %% [markdown]
# Every reduction takes `keepdim=True`: the dimension stays, with size 1. Then (3, 4) meets (3, 1), which is the column that was a curse a moment ago and is now what we want.

# %%
sums = counts.sum(dim=1, keepdim=True)
print("without keepdim", tuple(counts.sum(dim=1).shape), "  with keepdim", tuple(sums.shape))
print(ready("row_normalize")(counts).sum(dim=1))
print(F.normalize(counts, p=1, dim=1))

# %% [markdown]
# `F.normalize` with `p=1` is PyTorch's own for this.
#
# ## What a number is made of
#
# Every tensor has a **dtype**. Four of them matter here: float32 (a model's usual), float64 (more digits), int64 (counts and class numbers), bool. Predict the third line.

# %%
print(torch.tensor([0.0, 1.0]).dtype, torch.tensor([0, 1]).dtype, torch.tensor([0, 1]) == 1)
print(f"0.1 in float32: {torch.tensor(0.1).item():.12f}   in float64: {torch.tensor(0.1, dtype=torch.float64).item():.12f}")
print("1 + 1e-8 > 1 ?  float32:", (torch.tensor(1.0) + 1e-8 > 1).item(), "  float64:", (torch.tensor(1.0, dtype=torch.float64) + 1e-8 > 1).item())
try:
    torch.tensor([0, 1, 1, 0]).mean()
except RuntimeError as error:
    print(f"RuntimeError: {str(error).splitlines()[0][:80]}")

# %% [markdown]
# float32 keeps about 7 digits, so 1 + 0.00000001 *is* 1 there. Several losses of this course break at that place. And whole numbers have no mean: labels that go into arithmetic are made floats first.
#
# One more surprise between two libraries. Both lines ask for the standard deviation of 1, 2, 3, 4:

# %%
four = [1.0, 2.0, 3.0, 4.0]
print(f"torch {torch.tensor(four).std():.3f}")
print(f"numpy {np.array(four).std():.3f}")
print(f"torch, correction=0 {torch.tensor(four).std(correction=0):.3f}")

# %% [markdown]
# PyTorch divides by N − 1, numpy by N. Neither is wrong; a program that mixes them is.
#
# ## Slopes
#
# Training follows slopes. For a function of several numbers, the **gradient** holds one slope for each of them: how much the result changes when that one moves a little and the
# others stand still. For $f(x) = \sum_i (\sin x_i + x_i^2)$ pencil and paper give $\cos x_i + 2 x_i$. PyTorch's autograd finds it by itself:

# %%
def f(x):
    return (torch.sin(x) + x**2).sum()


x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
f(x).backward()
by_autograd = x.grad
x = x.detach()
print(f"f(x)            {f(x):.4f}")
print(f"autograd        {by_autograd}")
print(f"pencil, paper   {torch.cos(x) + 2 * x}")

# %% [markdown]
# How do you check a gradient when you trust neither the paper nor the code? Measure it. A slope is rise over run; take a small step $\varepsilon$ to both sides:
#
# $$ \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2 \varepsilon} $$
#
# By hand for $x^2$ at 3, where $2x$ says 6, with $\varepsilon = 0.1$:

# %%
print(f"({3.1**2:.2f} - {2.9**2:.2f}) / 0.2 = {(3.1**2 - 2.9**2) / 0.2:.4f}")

# %% [markdown]
# ## Exercise: `numerical_gradient`
#
# Write it for functions of *many* numbers, in a tensor of any shape. The formula has one $x$; your tensor has many entries. Decide what moves and what stands still.

# %% exercise="numerical_gradient"
def numerical_gradient(f, x, eps=1e-6):
    """Measured gradient of `f` at `x`. `f`: takes such a tensor, gives a 0-d one; `x`: floats of any shape; `eps`: the step. Returns the shape of `x`."""
    ### BEGIN SOLUTION
    slopes = []
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()         # fresh copies: the caller's x stays as it is
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        slopes.append((f(up) - f(down)) / (2 * eps))
    return torch.stack(slopes).reshape(x.shape)
    ### END SOLUTION

# %%
gradient = ready("numerical_gradient")
measured = gradient(f, x)
print("measured", measured)
print("autograd", by_autograd)
print("equal?  ", torch.equal(measured, by_autograd))

# %% [markdown]
# They look the same and are not equal to the last digit. Two floats that come by different roads rarely are. So how near is near enough?
#
# ## When are two results the same?
#
# The difference alone does not say. Three gradients, each with a suggestion for it. Which suggestion would you call right? Predict what `torch.allclose` says.

# %%
for name, right_one, suggestion in [("about a thousand", 1000.0, 1000.001), ("tiny", 3e-9, 1e-9), ("tiny, and all zero", 3e-9, 0.0)]:
    a, b = torch.tensor([suggestion], dtype=torch.float64), torch.tensor([right_one], dtype=torch.float64)
    print(f"{name:19} difference {(a - b).abs().item():.1e}   allclose {torch.allclose(a, b)}")

# %% [markdown]
# The second is wrong by a factor of three and the third has no gradient at all, and both pass: `allclose` forgives a difference of 1e-8 anywhere. It gets worse when its two tolerances,
# relative and absolute, are given by position and land in each other's places:

# %%
correct, zero = torch.tensor([0.3, -0.2, 0.5]), torch.zeros(3)
print("relative 1, absolute 1e-6:", torch.allclose(zero, correct, 1, 1e-6))
print("relative 1e-6, absolute 0:", torch.allclose(zero, correct, rtol=1e-6, atol=0))

# %% [markdown]
# A relative tolerance of 1 lets a gradient of nothing but zeros pass. Published courses have had that line in their gradient check.
#
# ## Exercise: `relative_error`
#
# Measure the difference of each pair of entries by the larger of the two sizes, and return the worst:
#
# $$ \max_i \frac{|a_i - b_i|}{\max(|a_i|, |b_i|)} $$
#
# The formula leaves one case open, and it happens in every gradient: both entries are exactly 0. They agree, so their error is 0. Arrange that without spoiling
# any other entry.

# %% exercise="relative_error"
def relative_error(a, b):
    """The largest relative difference. `a`, `b`: floats of the same shape. Returns a 0-d tensor from 0 to 2; two zeros count as equal."""
    ### BEGIN SOLUTION
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()
    ### END SOLUTION

# %%
error = ready("relative_error")
print(f"measured against autograd  {error(measured, by_autograd) < 1e-8}")
print(f"all zero against correct   {error(zero, correct):.4f}")
print(f"1e-9 against 3e-9          {error(torch.tensor([1e-9]), torch.tensor([3e-9])):.4f}")

# %% [markdown]
# Now a gradient of zeros has an error of 1, which no tolerance forgives.
#
# ## Which step is best?
#
# A slope is a limit for $\varepsilon \to 0$, so the smaller the step the better? Predict the shape of the curve, then run.

# %%
steps = 10.0 ** torch.arange(-12, 0.5, 0.5, dtype=torch.float64)
for name, dtype, style in [("float64", torch.float64, LINE["stable"]), ("float32", torch.float32, LINE["naive"])]:
    at = x.to(dtype)
    errors = [error(gradient(f, at, eps=e.item()).double(), by_autograd) for e in steps]
    plt.loglog(steps, torch.stack(errors), **style, label=name)
plt.xlabel("step eps"), plt.ylabel("relative error"), plt.title("measured gradient against autograd")
plt.legend(loc="lower left")
show("Relative error of the measured gradient against the step, both on logarithmic scales. Both curves are V-shaped: in float64 the error is smallest "
     "for steps near 1e-5, in float32 for steps near 1e-2. To the left of that the float32 curve is far above the other; it reaches 1, where nothing is measured.")

# %% [markdown]
# Two errors pull in opposite directions. On the right, the step is so long that the function bends within it. On the left, $f(x + \varepsilon)$ and $f(x - \varepsilon)$ are nearly equal,
# and their difference consists of rounding. In float32 (dashed) small steps measure nothing. So: check gradients in float64, with a step near 1e-6.
#
# PyTorch's own version follows the same advice:

# %%
print("gradcheck:", torch.autograd.gradcheck(f, x.clone().requires_grad_(True)))

# %% [markdown]
# ## The mean of means
#
# A model is tried on ten patients, in batches of four. The last batch has two, and they happen to be hard ones. Most training loops collect each batch's mean loss, and report the mean of
# those. Is it the mean over the ten patients?

# %%
patients = torch.tensor([0.6444, 0.1269, 0.0486, 0.9741, 0.2, 0.3, 0.1, 0.4, 2.0, 1.5], dtype=torch.float64)
batches = patients.split(4)
means = torch.stack([b.mean() for b in batches])
sizes = torch.tensor([len(b) for b in batches])
print("batch means", means, "  sizes", sizes)
print(f"mean of the means     {means.mean():.4f}")
print(f"mean of ten patients  {patients.mean():.4f}")

# %% [markdown]
# It is not. The two patients of the last batch count twice as much as the others.
#
# ## Exercise: `batch_mean`
#
# Suppose that the patients' own losses are gone: all you have are the batches' means and sizes. Recover the mean over all samples.

# %% exercise="batch_mean"
def batch_mean(losses, sizes):
    """Mean loss over all samples. `losses`: float batch means, shape (B,); `sizes`: int64, samples in each batch, shape (B,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return (losses * sizes).sum() / sizes.sum()
    ### END SOLUTION

# %%
print(f"from means and sizes  {ready('batch_mean')(means, sizes):.4f}")
equal = patients[:8].split(4)
print(f"equal batches: mean of means {torch.stack([b.mean() for b in equal]).mean():.4f}, mean of all {patients[:8].mean():.4f}")

# %% [markdown]
# With batches of one size the two agree, and so the mistake sleeps until the number of samples is no multiple of the batch size.

# %% [markdown]
# ## In your own words
#
# A colleague's model returns predictions of shape (64, 1), the labels have shape (64,), and the squared error is written by hand. Training runs without an error. In the end the model predicts nearly
# the same number for every patient, whatever the input. Explain why, and say which number it is.

# %% [markdown] question="everybody_the_same" points=2
# (64, 1) against (64,) gives (64, 64): each prediction is compared with the labels of all 64 patients, its own among them. The mean of $(p_i - y_j)^2$ over all $j$ is smallest when $p_i$
# is the mean of the labels, and that is so for every $i$: the input cannot help, because the loss does not know which label belongs to which
# prediction. So all predictions move to the mean label (the share of ones), and the loss falls until it is the variance of the labels.

# %% [markdown]
# ## Recap
#
# - You built a row normalisation that survives square tables, a gradient that is measured, an error that does not depend on size, and a mean that knows its batches.
# - PyTorch calls them `keepdim=True` (or `F.normalize`), `torch.autograd.gradcheck`, `torch.testing.assert_close`, and a loss with `reduction="sum"`, divided once.
# - Three mistakes people make: they let (N, 1) meet (N,) in a formula of their own; they leave out `keepdim`, and a square table hides it;
#   they average the means of unequal batches.
#
# **Before:** nothing; this is the start. **Next:** `01_sigmoid`, from a score to a probability.
#
# **Read on:** PyTorch's [broadcasting semantics](https://docs.pytorch.org/docs/stable/notes/broadcasting.html) and
# [gradcheck mechanics](https://docs.pytorch.org/docs/stable/notes/gradcheck.html).
