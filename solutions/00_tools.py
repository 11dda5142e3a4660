# %% [markdown]
# # Why was the loss wrong, and nobody told me?
#
# A model predicts four probabilities. You compare them with four labels, square the differences and take the mean: one line of code. It prints a number,
# the number falls during training, and no error appears. **And it is the wrong number.**
#
# This lesson is about the tools that the whole course relies on: tensors, shapes, broadcasting, dtypes, gradients and means. Each of them can fail without a word,
# so you will watch each one fail and build something that catches it. You need one term of Python and the derivatives of $x^2$ and $\sin x$. About 35 minutes.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
y_pred = torch.tensor([0.4750, 0.8808, 0.9526, 0.6225], dtype=torch.float64)

# %% [markdown]
# ## One line, two numbers
#
# A model that ends in `nn.Linear(…, 1)` returns a *column*: one row for each sample, one column for the one output. The labels come as a plain list. Will
# the two lines below print the same number? Before a surprise the course asks for a guess: replace the dots by `"same"` or `"different"`, and say how sure you are. Nobody grades it.

# %%
guess("list_or_column", ..., sure=...)     # "same" or "different", and how sure you are, from 0 to 1

# %%
column = y_pred.reshape(4, 1)
print(f"predictions as a list     {((y_pred - y_true) ** 2).mean():.4f}")
print(f"predictions as a column   {((column - y_true) ** 2).mean():.4f}")
guessed("list_or_column", "different", choices=("same", "different"))

# %% [markdown]
# The same four numbers, the same labels and the same formula give a result about twice as large. To find out why, you need to know what these objects are.
#
# ## What a tensor is
#
# A **tensor** is a block of numbers of one kind. Its **shape** lists the size of each dimension: the one below has 2 rows and 3 columns, so its shape is (2, 3). An index picks a part
# and removes a dimension; a colon keeps it. When no dimension is left, the shape is () and the tensor is called **0-d**; `.item()` turns it into a Python number.

# %%
t = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
print("shape", tuple(t.shape), "  entries", t.numel(), "  dtype", t.dtype)
print("first row    ", t[0])
print("last column  ", t[:, -1])
print("one entry    ", t[1, 2], "  shape", tuple(t[1, 2].shape), "  as a Python number", t[1, 2].item())

# %% [markdown]
# The same entries can be arranged in another shape, and tensors of equal shape can be stacked along a new first dimension. Where you ask for a shape, −1 stands for the one size that you leave open:
# whatever it takes to fit all entries in.

# %%
print("reshape(3, 2)", t.reshape(3, 2).tolist())
print("view(-1)     ", t.view(-1).tolist())
print("stack        ", torch.stack([t[0], t[1], t[0]]).tolist())

# %% [markdown]
# Does a new shape mean new numbers? The next cell sets one entry of `flat` to 7 and then prints the other three. Predict which of them show the 7.

# %%
t = torch.zeros(2, 3)
name, flat, copy = t, t.view(-1), t.clone()
flat[4] = 7.0
print("t    ", t.tolist())
print("name ", name.tolist())
print("copy ", copy.tolist())

# %% [markdown]
# `name` is another name for the same tensor, and `view` shows the same numbers in another shape: writing to either changes `t`. Of the three, only `clone()` made a copy. A function that
# writes to its input without cloning it first changes its caller's data.
#
# Back to the puzzle. Ask a tensor the first question one should always ask it: what is your shape?

# %%
print("predictions", tuple(y_pred.shape), "  column", tuple(column.shape), "  labels", tuple(y_true.shape))
print("predictions - labels", tuple((y_pred - y_true).shape))
print("column - labels     ", tuple((column - y_true).shape))

# %% [markdown]
# There are four differences in the first case and sixteen in the second.
#
# ## The rule of broadcasting
#
# When two shapes differ, PyTorch tries to stretch them to fit. Write the shapes below each other, **aligned at the right**. Two sizes fit if they are equal, or if
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
# the squared differences of both versions, as grids
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
# On the left is what was meant: each prediction with its own label, on the diagonal. On the right is what was computed: each row holds one prediction against everybody's labels. The
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
# Nearly every loss of PyTorch comes in two forms: a **module** (`nn.…`), an object that is made first and called later, and a **function** (`F.…`). They compute the same.
# And what do they say to the column?

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
# One refuses, the other warns and goes on. That makes two of PyTorch's losses; here are eleven.

# %%
def reaction(loss):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loss(column, y_true)
        except (RuntimeError, ValueError):
            return "refuse"
    return "warn" if any("target size" in str(warning.message) for warning in caught) else "say nothing about the shapes"


groups = {"refuse": [], "warn": [], "say nothing about the shapes": []}
for loss in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits, F.soft_margin_loss, F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss,
             F.kl_div, F.poisson_nll_loss, F.hinge_embedding_loss, F.multilabel_soft_margin_loss):
    groups[reaction(loss)].append(loss.__name__)
for what, names in groups.items():
    print(f"{len(names)} {what}: {', '.join(names)}")

# %% [markdown]
# So do not count on being told. A formula that you write yourself is stopped only if its shapes cannot be stretched to fit, and in this course you write many. When a number looks odd, print the shapes first.
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
# With `dim=0` the hospitals disappear, which leaves one sum for each diagnosis. With `dim=1` the diagnoses do, which leaves one sum for each hospital.
#
# Now every hospital wants to know its own *shares*: 6 of 10, 2 of 10, … For the first they are 0.6, 0.2, 0.1 and 0.1. In code, divide the table by the sums of its rows:

# %%
def divided(table):
    try:
        shares = table / table.sum(dim=1)
        print("shares of each row sum to", shares.sum(dim=1))
    except RuntimeError as error:
        print(f"RuntimeError: {str(error).splitlines()[0]}")


divided(counts)            # 3 hospitals, 4 diagnoses
divided(counts[:, :3])     # 3 hospitals, 3 diagnoses

# %% [markdown]
# Write the shapes below each other, aligned at the right: (3, 4) and (3,) do not fit, and you are told so. The square table fits **by accident**. Each column
# was divided by one hospital's sum, where each row should have been; the rows do not sum to 1, and nothing was raised.
#
# ## How an exercise works
#
# From here on you write functions yourself, in cells that say `YOUR CODE HERE`. The `check` in the next cell tests your function on inputs of many kinds, most of them random, and names your mistake if it
# knows it. You are never stuck:
#
# - `hint("row_normalize")` gives a hint, and a stronger one each time you ask;
# - `compare("row_normalize", counts)` shows your result beside the right one, on any inputs you like;
# - `solution("row_normalize")` shows the course's answer, once yours passes or when you ask twice;
# - `ready("row_normalize")` is the function that later cells go on with: yours if it passes, the course's until then.
#
# ## Exercise: `row_normalize`
#
# Divide each row by its own sum, for tables of any size, square ones too. The line above is nearly right; decide which shape the sums must have to meet their own
# rows, and how they get it.

# %% exercise="row_normalize"
def row_normalize(x):
    """Each row divided by its sum.

    x: positive floats of shape (N, C). Returns that shape; each row sums to 1.
    """
    ### BEGIN SOLUTION
    return x / x.sum(dim=1, keepdim=True)
    ### END SOLUTION

# %% [markdown] passed="row_normalize"
# `sum` takes `keepdim=True`, as `mean` and `amax` do: the dimension stays, with size 1. Then (3, 4) meets (3, 1), and each row meets its own sum. The column that was a curse a moment ago is now
# what you want.

# %%
compare("row_normalize", counts)

# %% [markdown]
# For positive numbers PyTorch's own function is `F.normalize` with `p=1`. Do the rows sum to 1, in a square table too?

# %%
shares = ready("row_normalize")
print("3 hospitals, 4 diagnoses", shares(counts).sum(dim=1))
print("3 hospitals, 3 diagnoses", shares(counts[:, :3]).sum(dim=1))
assert torch.allclose(shares(counts), F.normalize(counts, p=1, dim=1))

# %% [markdown]
# ## What a number is made of
#
# Every tensor has a **dtype**. Four of them matter here: float32 (what models usually compute in), float64 (more digits), int64 (counts and class numbers) and bool. Predict the third line.

# %%
print(torch.tensor([0.0, 1.0]).dtype, torch.tensor([0, 1]).dtype, torch.tensor([0, 1]) == 1)
print(f"0.1 in float32: {torch.tensor(0.1).item():.12f}   in float64: {torch.tensor(0.1, dtype=torch.float64).item():.12f}")
print("1 + 1e-8 > 1 ?  float32:", (torch.tensor(1.0) + 1e-8 > 1).item(), "  float64:", (torch.tensor(1.0, dtype=torch.float64) + 1e-8 > 1).item())
try:
    torch.tensor([0, 1, 1, 0]).mean()
except RuntimeError as error:
    print(f"RuntimeError: {str(error).splitlines()[0][:80]}")

# %% [markdown]
# float32 keeps about 7 digits, so 1 + 0.00000001 *is* 1 there. `03_bce_with_logits` shows a loss that breaks at exactly that place. And `mean` refuses int64: labels that take part in
# arithmetic are made floats first.
#
# Two libraries can also disagree about a word. The first two lines below both compute "the" standard deviation of 1, 2, 3, 4:

# %%
four = [1.0, 2.0, 3.0, 4.0]
print(f"torch {torch.tensor(four).std():.3f}")
print(f"numpy {np.array(four).std():.3f}")
print(f"torch, correction=0 {torch.tensor(four).std(correction=0):.3f}")

# %% [markdown]
# Before the root is taken, PyTorch divides the sum of the squared deviations by N − 1, numpy by N. Neither is wrong, but a program that mixes them compares two different things.
#
# ## Slopes, and who computes them
#
# Training follows slopes: how fast does the result change when one number moves a little? For $x^2$ the slope is $2x$, so 6 at $x = 3$. PyTorch's **autograd** reads it off your code: it
# knows the slope of every operation, and joins them by the chain rule. The second `backward` below repeats the first. Guess the slope that it prints (within 0.1 counts as right), then run.

# %%
guess("slope_after_a_second_pass", ..., sure=...)

# %%
x = torch.tensor([3.0], requires_grad=True)      # record everything that is computed from x
result = (x**2).sum()
result.backward()                                # follow the record back; the slope goes into x.grad
print("slope at 3            ", x.grad)
(x**2).sum().backward()
print("after a second pass   ", x.grad)
guessed("slope_after_a_second_pass", x.grad.item(), within=0.1)

# %% [markdown]
# 12: `backward` **adds** to `.grad`. That is why a training loop clears the slopes before each step. `torch.autograd.grad` returns them instead and leaves `.grad` alone; this course uses it
# wherever a slope is only to be looked at. And `detach()` gives the same numbers without the record: for printing, plotting, and whatever must not be trained.

# %%
result = (x**2).sum()
print("recorded:", result.requires_grad, "  detached:", result.detach().requires_grad)
(slope,) = torch.autograd.grad(result, [x])      # a tuple, one slope for each input
print("slope at 3            ", slope)

# %% [markdown]
# A function of several numbers has one slope for each of them: how much the result changes when that one moves a little and the others stay where they are. Together they form the **gradient**.
# For $f(x) = \sum_i (\sin x_i + x_i^2)$ pencil and paper give $\cos x_i + 2 x_i$.

# %%
def f(x):
    return (torch.sin(x) + x**2).sum()


x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
leaf = x.clone().requires_grad_(True)
(by_autograd,) = torch.autograd.grad(f(leaf), [leaf])
print(f"f(x)            {f(x):.4f}")
print(f"autograd        {by_autograd}")
print(f"pencil, paper   {torch.cos(x) + 2 * x}")

# %% [markdown]
# How do you check a gradient when you trust neither the paper nor the code? Measure it. A slope is rise over run, so take a small step $\varepsilon$ to both sides:
#
# $$ \frac{f(x + \varepsilon) - f(x - \varepsilon)}{2 \varepsilon} $$
#
# By hand for $x^2$ at 3, with $\varepsilon = 0.1$:

# %%
print(f"({3.1**2:.2f} - {2.9**2:.2f}) / 0.2 = {(3.1**2 - 2.9**2) / 0.2:.4f}")

# %% [markdown]
# ## Exercise: `numerical_gradient`
#
# Write it for functions of *many* numbers, in a tensor of any shape. The formula has one $x$; your tensor has many entries. Decide what moves and what stays where it is. `clone`, `view`, `numel`
# and `stack` from the start of this lesson are all you need.

# %% exercise="numerical_gradient"
def numerical_gradient(f, x, eps=1e-6):
    """Measured gradient of f at x.

    f: takes a tensor like x, returns a 0-d one. eps: the step.
    x: floats of any shape, contiguous (not transposed).
    Returns the shape of x.
    """
    ### BEGIN SOLUTION
    slopes = []
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()  # fresh copies: the caller's x stays as it is
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
# They look the same and are not equal to the last digit; two floats computed in different ways need not be. So how near is near enough?
#
# ## When are two results the same?
#
# The difference alone does not tell. Here are three gradients, each with a suggestion for it. Which suggestion would you call right? Predict what `torch.allclose` says.

# %%
for label, right_one, suggestion in [("about a thousand", 1000.0, 1000.001), ("tiny", 3e-9, 1e-9), ("tiny, and all zero", 3e-9, 0.0)]:
    a, b = torch.tensor([suggestion], dtype=torch.float64), torch.tensor([right_one], dtype=torch.float64)
    print(f"{label:19} difference {(a - b).abs().item():.1e}   allclose {torch.allclose(a, b)}")

# %% [markdown]
# The first is right to six digits. The second is wrong by a factor of three, the third is plain 0, and both pass: by default `allclose` forgives an absolute difference of 1e-8. It gets worse when its two
# tolerances, relative and absolute, are given by position and get mixed up:

# %%
correct, zero = torch.tensor([0.3, -0.2, 0.5]), torch.zeros(3)
print("relative 1, absolute 1e-6:", torch.allclose(zero, correct, 1, 1e-6))
print("relative 1e-6, absolute 0:", torch.allclose(zero, correct, rtol=1e-6, atol=0))

# %% [markdown]
# A relative tolerance of 1 lets a gradient of nothing but zeros pass.
#
# ## Exercise: `relative_error`
#
# Divide the difference of each pair of entries by the larger of their two sizes, and return the worst:
#
# $$ \max_i \frac{|a_i - b_i|}{\max(|a_i|, |b_i|)} $$
#
# The formula leaves one case open, and real gradients contain it: both entries are exactly 0. They agree, so their error is 0. Arrange that without spoiling
# any other entry.

# %% exercise="relative_error"
def relative_error(a, b):
    """The largest relative difference.

    a, b: floats of the same shape.
    Returns a 0-d tensor from 0 to 2; two zeros count as equal.
    """
    ### BEGIN SOLUTION
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()
    ### END SOLUTION

# %% [markdown]
# How small must it be? The notes of Stanford's course CS231n give bands for gradients that are checked in float64:
#
# | relative error | what it usually means |
# |---|---|
# | above 1e-2 | the gradient is wrong |
# | 1e-2 to 1e-4 | be suspicious |
# | 1e-4 to 1e-7 | fine if the function has kinks, too much if it is smooth |
# | below 1e-7 | be happy |
#
# Five gradients of the function above, one right and four with a typical slip. Which bands will they fall into?

# %%
error = ready("relative_error")
for label, attempt in [("measured", measured), ("one entry 1 per cent off", by_autograd * torch.tensor([1, 1.01, 1])),
                       ("a forgotten factor of 2", by_autograd / 2), ("the wrong sign", -by_autograd), ("all zero", torch.zeros(3))]:
    worst = error(attempt, by_autograd).item()
    print(f"{label:25}", "below 1e-7" if worst < 1e-7 else f"{worst:.0e}")

# %% [markdown]
# The measured gradient is in the last band, and none of the slips comes near it. A gradient of nothing but zeros has an error of 1, which no sensible tolerance forgives.
#
# ## Which step is best?
#
# A slope is a limit for $\varepsilon \to 0$. So is a smaller step always better? Predict the shape of the curve, then run.

# %%
# error of the measured gradient against the step, in float64 and float32
steps = 10.0 ** torch.arange(-12, 1, dtype=torch.float64)
for label, dtype, style in [("float64", torch.float64, LINE["stable"]), ("float32", torch.float32, LINE["naive"])]:
    at = x.to(dtype)
    errors = torch.stack([error(gradient(f, at, eps=e.item()).double(), by_autograd) for e in steps])
    plt.loglog(steps, errors, **style, label=label)
    print(f"{label}: the error is smallest at a step of {steps[errors.argmin()]:.0e}")
plt.xlabel("step eps"), plt.ylabel("relative error"), plt.title("measured gradient against autograd")
plt.legend(loc="lower left")
show("Relative error of the measured gradient against the step, both on logarithmic scales. From the right both curves fall to a lowest point, in float64 "
     "at a step of 1e-5, in float32 at 1e-2, and rise again to its left. The float32 curve rises far sooner, and for steps of 1e-8 and less it runs flat at 1, where nothing is measured.")

# %% [markdown]
# Two errors pull in opposite directions. On the right the step is so long that $f$ is no parabola within it (for a parabola, as by hand, the formula is exact).
# On the left $f(x + \varepsilon)$ and $f(x - \varepsilon)$ are so nearly equal that their difference consists of rounding; in float32 (dashed) the smallest steps do not even change $x$. So check gradients in float64. The best step depends on
# the function; here it was 1e-5.
#
# PyTorch's own `gradcheck` uses 1e-6 too, and warns you when the input is not float64:

# %%
print("gradcheck:", torch.autograd.gradcheck(f, [x.clone().requires_grad_(True)]))

# %% [markdown]
# ## The mean of means
#
# Large data sets are worked through in **batches**, a few samples at a time. Here are ten patients in batches of four; the last batch has only two, and they happen to be hard ones. If a program
# collects each batch's mean loss and reports the mean of those, is that the mean over the ten patients?

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
# Suppose that the patients' own losses are gone, and all you have are the batches' means and sizes. Recover the mean over all samples.

# %% exercise="batch_mean"
def batch_mean(losses, sizes):
    """Mean loss over all samples.

    losses: float means of batches, (B,). sizes: int64, samples in each batch, (B,).
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return (losses * sizes).sum() / sizes.sum()
    ### END SOLUTION

# %%
print(f"from means and sizes  {ready('batch_mean')(means, sizes):.4f}")
equal = patients[:8].split(4)
print(f"equal batches: mean of means {torch.stack([b.mean() for b in equal]).mean():.4f}, mean of all {patients[:8].mean():.4f}")

# %% [markdown]
# With batches of equal size the two agree. So the mistake sleeps until the number of samples is not a multiple of the batch size.

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
# - You built a row normalisation that survives square tables, a measured gradient, an error that does not depend on size, and a mean that knows its batches.
# - PyTorch's own tools for these are `keepdim=True` (or `F.normalize`), `torch.autograd.gradcheck`, `torch.testing.assert_close` with `rtol=1e-7, atol=0`, and a loss with `reduction="sum"`, divided once.
# - Three mistakes people make: they let (N, 1) meet (N,) in a formula of their own; they leave out `keepdim`, and a square table hides it;
#   they average the means of unequal batches.
#
# **Before:** nothing; this is the start. **Next:** `01_sigmoid`: a model says 2.0. What does that mean?
#
# **Read on:** PyTorch's [broadcasting semantics](https://docs.pytorch.org/docs/stable/notes/broadcasting.html) and
# [gradcheck mechanics](https://docs.pytorch.org/docs/stable/notes/gradcheck.html); the bands are from
# [CS231n, gradient checks](https://cs231n.github.io/neural-networks-3/#gradcheck).
