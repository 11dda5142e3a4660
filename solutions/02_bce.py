# %% [markdown]
# # What does a wrong prediction cost?
#
# Four patients, four predictions of a model: the probability that the tumour is benign. Two of the tumours were benign (label 1),
# two were not (label 0). For the last patient, who had no benign tumour, the model said 0.6225. **How much should that cost it?** And how
# much the first one, about whom it said 0.4750 and was right by a hair?
#
# In this lesson you build the loss that answers both: binary cross-entropy. You see it break on certain predictions, repair it,
# and meet it in PyTorch as `nn.BCELoss` and `F.binary_cross_entropy`. You need `01_sigmoid` and the derivative of a logarithm.
# About 40 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import LINE, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)
y_pred = torch.sigmoid(logits)
y_pred

# %% [markdown]
# ## The probability of what happened
#
# Forget losses for a moment and ask only: *how probable did the model make what we then saw?* For one patient with prediction $p$:
#
# $$ P(y) = \begin{cases} p & y = 1 \\ 1 - p & y = 0 \end{cases} $$
#
# This is the Bernoulli distribution: a coin that shows 1 with probability $p$. The second patient was benign ($y = 1$), so the model gave
# that 0.8808. The last one was not ($y = 0$), so the model gave *that* only the rest.

# %%
print(f"patient 2, y = 1: {y_pred[1]:.4f}")
print(f"patient 4, y = 0: {1 - y_pred[3]:.4f}")

# %% [markdown]
# The patients are independent of each other, so the probability of all four labels together is a product. It is called the
# **likelihood**. A good model makes it large.

# %% [markdown]
# ## Exercise: `bernoulli_likelihood`
#
# Write the probability of all labels together. The two lines above picked $p$ or $1 - p$ by eye; your function has to
# pick for itself, patient by patient.

# %% exercise="bernoulli_likelihood"
def bernoulli_likelihood(p, y):
    """Probability of the labels under the model. `p`, `y`: floats of shape (N,), `y` is 0 or 1. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return torch.where(y == 1, p, 1 - p).prod()
    ### END SOLUTION

# %% [markdown]
# Try it on the four patients, and on inputs of your own. `compare` puts your result beside the definition's.

# %%
compare("bernoulli_likelihood", y_pred, y_true)

# %% [markdown]
# ## A product of many patients
#
# Now 569 real patients. A crude model looks at one number only, the mean radius of the cells: the larger, the less likely benign.
# Before you run the next cell: each factor lies between 0 and 1, and there are 569 of them. What will the product be in float32?

# %%
cancer = load_breast_cancer()
radius = torch.tensor(cancer.data[:, 0], dtype=torch.float32)
benign = torch.tensor(cancer.target, dtype=torch.float32)           # 1 is benign, 0 is malignant

z = 1.0 - 3.0 * (radius - radius.mean()) / radius.std()
p = torch.sigmoid(z)
given = torch.where(benign == 1, p, 1 - p)

print(f"patients                {len(p)}")
print(f"typical factor          {given.median():.4f}")
print(f"likelihood, float32     {given.prod():.4g}")
print(f"likelihood, float64     {given.double().prod():.4g}")

# %% [markdown]
# In float32 the product is exactly 0: the true number is too small to be represented. This is called **underflow**. And a model that
# is better everywhere would get the same 0, so there is nothing to compare, and no slope to follow.
#
# The repair is old: a logarithm turns the product into a sum, and does not change which model is best.

# %%
print(f"sum of the logarithms   {given.log().sum():.2f}")
print(f"their mean              {given.log().mean():.4f}")

# %% [markdown]
# ## From a probability to a loss
#
# Logarithms of probabilities are negative, and larger is better. A loss should be positive, and smaller is better. So turn the
# sign. That gives each patient a cost of their own:
#
# $$ \ell(p, y) = \begin{cases} -\log p & y = 1 \\ -\log (1 - p) & y = 0 \end{cases} $$
#
# By hand, for patients 2 and 4:

# %%
print(f"patient 2, y = 1: {-math.log(0.8808):.4f}")
print(f"patient 4, y = 0: {-math.log(1 - 0.6225):.4f}")

# %% [markdown]
# That answers the question at the start. The last prediction, 0.6225 about a 0, costs about eight times as much as the second one. (Later cells
# print 0.9741 for it: 0.6225 is rounded.)
#
# ## Exercise: `bce_per_sample`
#
# Labels are not always 0 or 1. If three of ten doctors called a tumour benign, a fair label is 0.3. Such a label takes 0.3 of the
# first case and 0.7 of the second. Write the loss so that it works for every label from 0 to 1, without `if` and without `where`.

# %% exercise="bce_per_sample"
def bce_per_sample(p, y):
    """Cross-entropy of each sample. `p`, `y`: floats of the same shape, 0 < p < 1, y in [0, 1]. Returns that shape."""
    ### BEGIN SOLUTION
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    ### END SOLUTION

# %% [markdown]
# One line, then, for all labels:
#
# $$ \ell(p, y) = -\bigl( y \log p + (1 - y) \log (1 - p) \bigr) $$
#
# With $y = 1$ the second half vanishes, with $y = 0$ the first one. On the four patients:

# %%
losses = ready("bce_per_sample")(y_pred, y_true)
losses

# %% [markdown]
# The same, step by step: the logarithms, and what each label selects of them.

# %%
print("log p       ", torch.log(y_pred))
print("log (1 - p) ", torch.log(1.0 - y_pred))
print("selected    ", y_true * torch.log(y_pred) + (1 - y_true) * torch.log(1.0 - y_pred))

# %% [markdown]
# ## One number for all patients
#
# Training needs one number. The usual one is the mean; sometimes the sum is wanted, sometimes each sample's own loss. PyTorch lets you choose
# with an argument called `reduction`: `"mean"`, `"sum"` or `"none"`.
#
# ## Exercise: `bce`
#
# Write binary cross-entropy with that argument. The new decision is yours: which result belongs to which word, also when `p` is a matrix.

# %% exercise="bce"
def bce(p, y, reduction="mean"):
    """Binary cross-entropy. `p`, `y`: floats of the same shape, 0 < p < 1, y in [0, 1]. Returns a 0-d tensor, or that shape for reduction="none"."""
    ### BEGIN SOLUTION
    losses = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()
    ### END SOLUTION

# %%
bce_ready = ready("bce")
for reduction in ("none", "sum", "mean"):
    print(f"{reduction:5}", bce_ready(y_pred, y_true, reduction=reduction))

# %% [markdown]
# And if the model had been nearly sure, and right? Predict the mean for the four predictions in the next cell, then run it.

# %%
y_pred_new = torch.tensor([0.01, 0.9, 0.99, 0.1], dtype=torch.float64)
print(f"before {bce_ready(y_pred, y_true):.4f}")
print(f"after  {bce_ready(y_pred_new, y_true):.4f}")

# %% [markdown]
# Its first, second and third prediction are nearly certain and right, its last one says 0.1 about a 0. The loss falls to about an eighth.
#
# ## Why not the squared error?
#
# $(p - y)^2$ also punishes wrong predictions. Look at both for a patient with $y = 1$, as loss and as **slope**: the slope is what
# a training step follows.

# %%
p = torch.linspace(0.01, 0.999, 400, dtype=torch.float64, requires_grad=True)
fig, (left, right) = plt.subplots(1, 2)
for name, loss in [("cross-entropy", -torch.log(p)), ("squared error", (p - 1) ** 2)]:
    (slope,) = torch.autograd.grad(loss.sum(), p)
    left.plot(p.detach(), loss.detach(), **LINE[name], label=name)
    right.plot(p.detach(), slope, **LINE[name], label=name)
left.set(title="loss when y = 1", xlabel="prediction p", ylabel="loss")
right.set(title="slope when y = 1", xlabel="prediction p", ylabel="d loss / d p", ylim=(-20, 1))
left.legend()
show("Two plots against the prediction p, for label 1. Left, the loss: cross-entropy rises without bound as p goes to 0, "
     "the squared error stops at 1. Right, the slope: cross-entropy's falls below -20 near p = 0, the squared error's never passes -2.")

# %% [markdown]
# Left: to be sure and wrong costs at most 1 under the squared error; under cross-entropy there is no limit. Right: near $p = 0$, where
# the model is most wrong, cross-entropy pulls hardest, while the squared error never pulls harder than 2.
#
# ## Exercise: `bce_grad`
#
# Autograd drew that slope. Now derive it: the derivative of one sample's loss by its own $p$, for any label from 0 to 1. With pencil and paper
# first; you need that the derivative of $\log u$ is $u'/u$. (The mean over N samples later divides each entry by N. Not here.)

# %% exercise="bce_grad"
def bce_grad(p, y):
    """d loss / d p for each sample, without 1/N. `p`, `y`: floats of the same shape, 0 < p < 1. Returns that shape."""
    ### BEGIN SOLUTION
    return -y / p + (1 - y) / (1 - p)
    ### END SOLUTION

# %% [markdown]
# A derivation is worth a check against autograd. Note the N: autograd differentiates the *mean*.

# %%
p = y_pred.clone().requires_grad_(True)
F.binary_cross_entropy(p, y_true).backward()
print("autograd, of the mean ", p.grad)
print("yours, divided by N   ", ready("bce_grad")(y_pred, y_true) / len(y_true))

# %% [markdown]
# ## Sure, and wrong
#
# What if the model says exactly 1, or exactly 0? Two patients: for the first it says 1.0 and is right, for the second it says 1.0 and is
# wrong. Predict both losses before you run the cell.

# %%
sure = torch.tensor([1.0, 1.0], dtype=torch.float64)
label = torch.tensor([1.0, 0.0], dtype=torch.float64)
print(-(label * torch.log(sure) + (1 - label) * torch.log(1 - sure)))

# %% [markdown]
# The second is infinite, which is at least what the formula says. But the first prediction was *perfect*, and its loss is nan: the other half is
# $0 \cdot \log 0 = 0 \cdot (-\infty)$, and that is nan. One nan in a batch makes the mean nan, and every gradient with it.
#
# Would it help to choose with `torch.where`, which never multiplies? Look at the value, then at the gradient.

# %%
p = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
chosen = torch.where(torch.tensor([True, True]), p.log(), 0 * (1 - p).log())
chosen.sum().backward()
print("value   ", chosen.detach())
print("gradient", p.grad)

# %% [markdown]
# The value is right and the gradient is nan: `where` drops the nan on the way forward, but on the way back it multiplies the other branch's
# infinite slope by 0. It is better not to make an infinity at all.
#
# For the value alone, PyTorch has `torch.xlogy(x, y)`: $x \log y$, and 0 where $x$ is 0.

# %%
zero = torch.tensor(0.0)
print("0 * log 0   ", (zero * zero.log()).item())
print("xlogy(0, 0) ", torch.xlogy(zero, zero).item())

# %% [markdown]
# ## Exercise: `bce_clamped`
#
# PyTorch's own repair: no logarithm may fall below −100. Decide what exactly has to be clamped (the probability? the logarithm? the loss?)
# so that a perfect prediction costs 0 and a sure, wrong one costs 100. Return the mean.

# %% exercise="bce_clamped"
def bce_clamped(p, y):
    """Mean binary cross-entropy, each logarithm at least -100. `p`, `y`: floats of the same shape, 0 <= p <= 1. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    log_p = torch.log(p).clamp(min=-100)
    log_q = torch.log(1 - p).clamp(min=-100)
    return -(y * log_p + (1 - y) * log_q).mean()
    ### END SOLUTION

# %%
bce_clamped_ready = ready("bce_clamped")
print(f"sure and right {abs(bce_clamped_ready(sure[:1], label[:1])):.1f}")
print(f"sure and wrong {bce_clamped_ready(sure[1:], label[1:]):.1f}")

# %% [markdown]
# ## What PyTorch calls it
#
# There are two ways to write every loss in PyTorch. The **modular** API makes an object first and calls it later; the
# **functional** API is a function. They compute the same.

# %%
loss_fn = nn.BCELoss()
results = {
    "yours": bce_ready(y_pred, y_true),
    "modular, nn.BCELoss": loss_fn(y_pred, y_true),
    "functional, F.binary_cross_entropy": F.binary_cross_entropy(y_pred, y_true),
    "from the scores, nn.BCEWithLogitsLoss": nn.BCEWithLogitsLoss()(logits, y_true),
    "from the scores, F.binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits(logits, y_true),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])

# %% [markdown]
# The last two take the model's scores before the sigmoid. They look like a convenience; the next lesson shows that they are more.
#
# And the 569 patients, in float32, where the product was 0:

# %%
print(f"yours   {bce_ready(torch.sigmoid(z), benign):.4f}")
print(f"PyTorch {nn.BCELoss()(torch.sigmoid(z), benign):.4f}")

# %% [markdown]
# ## Where it says no, and where it does not
#
# `BCELoss` checks its inputs. Each of these three is refused, and it is worth knowing the messages by sight.

# %%
def refused(p, y):
    try:
        print("accepted:", F.binary_cross_entropy(p, y).item())
    except (RuntimeError, ValueError) as error:
        print(f"{type(error).__name__}: {str(error).splitlines()[0][:95]}")


refused(logits, y_true)                          # scores instead of probabilities
refused(y_pred, torch.tensor([0, 1, 1, 0]))      # integer labels
refused(y_pred.reshape(4, 1), y_true)            # (N, 1) against (N,)

# %% [markdown]
# A loss written by hand has no such guard. The third one, without a word:

# %%
handmade = -(y_true * torch.log(y_pred.reshape(4, 1)) + (1 - y_true) * torch.log(1 - y_pred.reshape(4, 1)))
print(handmade.shape, f"{handmade.mean():.4f}")

# %% [markdown]
# Every prediction was paired with every label: 16 losses instead of 4, and a mean that looks reasonable and is wrong.
#
# And the clamp has a price. A score of 200 for a patient with label 0 should cost 200:

# %%
z200, y0 = torch.tensor([200.0]), torch.tensor([0.0])
print("BCELoss after sigmoid", nn.BCELoss()(torch.sigmoid(z200), y0).item())
print("BCEWithLogitsLoss    ", nn.BCEWithLogitsLoss()(z200, y0).item())

# %% [markdown]
# ## In your own words
#
# A colleague's model reaches a lower mean cross-entropy than yours, and yet classifies fewer patients correctly. How can that be? Give an example
# with two or three patients, and say which of the two numbers you would show to a doctor, and why.

# %% [markdown] question="lower_loss_fewer_right" points=2
# Cross-entropy looks at how sure the model was, accuracy only at which side of 0.5 it stood on. With labels 1, 1, 1: model A says
# 0.51, 0.51, 0.51 (all right, loss 0.67 each); model B says 0.99, 0.99, 0.49 (one wrong, losses 0.01, 0.01, 0.71: mean 0.24). B has the lower loss and
# the lower accuracy. A doctor who acts on the probability is better served by B; one who only needs the decision at 0.5, by A.

# %% [markdown]
# ## Recap
#
# - You built the Bernoulli likelihood, turned it into a sum of logarithms, and took its mean: binary cross-entropy.
# - PyTorch calls it `nn.BCELoss` and `F.binary_cross_entropy`; its logarithms are clamped at −100.
# - Three mistakes people make with it: they give it scores instead of probabilities; they let (N, 1) meet (N,) in a loss of their own;
#   they rely on the clamp, which makes sure and wrong cost 100 and no more.
#
# **Before:** `01_sigmoid`, where the probabilities came from. **Next:** `03_bce_with_logits`, which removes the clamp and its price.
#
# **Read on:** PyTorch's page of
# [`BCELoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html); Bishop, *Pattern Recognition and Machine Learning*, section 4.3.2.
