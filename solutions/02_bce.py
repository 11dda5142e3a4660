# %% [markdown]
# # What does a wrong prediction cost?
#
# Four patients, four predictions of a model: the probability that the tumour is benign. Two of the tumours were benign (label 1),
# two were malignant (label 0). For the last patient, whose tumour was malignant, the model said 0.6225. **How much should that cost it?** And how
# much should it pay for the first one, for whom it said 0.4750 and was right by a hair?
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

from grader import check, compare, guess, guessed, hint, progress, ready, solution
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
# This is the Bernoulli distribution: a coin that shows 1 with probability $p$. The second tumour was benign ($y = 1$), so the model gave
# that outcome 0.8808. The last one was malignant ($y = 0$), so the model gave *that* only the rest.

# %%
print(f"patient 2, y = 1: {y_pred[1]:.4f}")
print(f"patient 4, y = 0: {1 - y_pred[3]:.4f}")

# %% [markdown]
# If the patients are independent of each other, the probability of all four labels together is a product. Ronald Fisher, who built his theory of
# estimation on it in the 1920s, called it the **likelihood**. A good model makes it large.
#
# ## Exercise: `bernoulli_likelihood`
#
# Write the probability of all labels together. The two lines above picked $p$ or $1 - p$ by eye; your function has to
# pick for itself, patient by patient.

# %% exercise="bernoulli_likelihood"
def bernoulli_likelihood(p, y):
    """Probability of the labels under the model.

    p, y: floats of shape (N,), y is 0 or 1. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return torch.where(y == 1, p, 1 - p).prod()
    ### END SOLUTION

# %%
compare("bernoulli_likelihood", y_pred, y_true)

# %% [markdown]
# ## A product of many patients
#
# Now 569 real patients, and two models that look at the mean radius of the cell nuclei: the one of `01_sigmoid`, and a cruder one that reacts less to the radius.
# Each factor lies between 0 and 1, and there are 569 of them. Predict: what will the two products be in float32?

# %%
cancer = load_breast_cancer()
radius = torch.tensor(cancer.data[:, 0], dtype=torch.float32)
benign = torch.tensor(cancer.target, dtype=torch.float32)           # 1 is benign, 0 is malignant
radius = (radius - radius.mean()) / radius.std()

scores = {"of 01_sigmoid": 0.64 - 3.64 * radius, "cruder": 0.64 - 1.0 * radius}
likelihood = ready("bernoulli_likelihood")
for name, z in scores.items():
    print(f"{name:14} float32 {likelihood(torch.sigmoid(z), benign):.1e}   float64 {likelihood(torch.sigmoid(z.double()), benign.double()):.1e}")

# %% [markdown]
# In float32 both products are exactly 0, because the true numbers are too small to be represented: they **underflow**. So the better model cannot be told from the cruder one, and there is no slope to
# follow.
#
# The repair is old: a logarithm turns the product into a sum, and does not change which model is best.

# %%
for name, z in scores.items():
    given = torch.where(benign == 1, torch.sigmoid(z), torch.sigmoid(-z))      # what the model gave to what happened
    print(f"{name:14} sum of the logarithms {given.log().sum():8.2f}   mean {given.log().mean():.4f}")

# %% [markdown]
# ## The recipe
#
# Logarithms of probabilities are never positive, and larger is better. Of a loss, smaller is better, so flip the sign: the **negative log-likelihood**, here never below 0. With it comes a recipe that later
# lessons use by name:
#
# 1. choose a **distribution** for the labels (here: Bernoulli);
# 2. let the model give its **parameter** (here: $p$);
# 3. minimise the **negative log-likelihood**.
#
# The smallest example: ten patients, seven of them benign, and a model that gives the same $p$ to everyone. Which $p$ is best? Guess it (within 0.05 counts as right), then look.

# %%
guess("best_p_for_seven_of_ten", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
# likelihood and negative log-likelihood of ten labels, against one parameter
q = torch.linspace(0.005, 0.995, 199, dtype=torch.float64)
tosses = torch.tensor([1.0] * 7 + [0.0] * 3, dtype=torch.float64)
values = torch.stack([likelihood(torch.full((10,), v.item(), dtype=torch.float64), tosses) for v in q])
fig, (left, right) = plt.subplots(1, 2)
left.plot(q, 1000 * values, **LINE["stable"])
left.set(title="likelihood of 7 ones and 3 zeros", xlabel="parameter p", ylabel="likelihood times 1000")
right.plot(q, -values.log(), **LINE["stable"])
right.set(title="its negative logarithm", xlabel="parameter p", ylabel="negative log-likelihood", ylim=(0, 25))
for panel in (left, right):
    panel.axvline(0.7, **LINE["reference"])
print(f"largest likelihood at p = {q[values.argmax()]:.3f}, smallest negative log-likelihood at p = {q[(-values.log()).argmin()]:.3f}")
guessed("best_p_for_seven_of_ten", q[values.argmax()], within=0.05)
show("Two plots against the parameter p. Left, the likelihood: a hill with its top at 0.7, nearly 0 below 0.3. Right, its negative logarithm: a valley with its lowest point at the "
     "same 0.7, which rises steeply towards 0 and 1.")

# %% [markdown]
# Both have their best point at 0.7, the share of ones. Far below it the hill (left) is so flat that a step hardly knows which way is up; the valley (right) is steep there, and slopes everywhere but at its lowest point.
#
# ## From a probability to a loss
#
# One patient's part of the negative log-likelihood is that patient's cost:
#
# $$ \ell(p, y) = \begin{cases} -\log p & y = 1 \\ -\log (1 - p) & y = 0 \end{cases} $$
#
# By hand, for patients 2 and 4:

# %%
print(f"patient 2, y = 1: {-math.log(0.8808):.4f}")
print(f"patient 4, y = 0: {-math.log(1 - 0.6225):.4f}")

# %% [markdown]
# That answers the question at the start: 0.6225 for a malignant tumour costs about eight times as much as 0.8808 for a benign one. (Later cells
# print 0.9741 for it: 0.6225 is rounded.)
#
# In Claude Shannon's theory of information (1948) this number says how much an outcome tells you, its **surprise**. What was certain surprises nobody and costs 0; the less probable it was, the larger the surprise. With the logarithm to
# base 2 it is counted in **bits**, and one bit is the surprise of a fair coin:

# %%
for name, p in [("a fair coin", 0.5), ("patient 2", 0.8808), ("patient 4", 1 - 0.6225), ("three coins at once", 0.125)]:
    print(f"{name:20} probability {p:.4f}   surprise {-math.log2(p):.4f} bits = {-math.log(p):.4f} nats")
print(f"1 nat is {1 / math.log(2):.4f} bits")

# %% [markdown]
# PyTorch uses the natural logarithm, so its cross-entropies are in **nats**.
#
# ## Exercise: `bce_per_sample`
#
# Labels are not always 0 or 1. If three of ten doctors called a tumour benign, a fair label is 0.3. Such a label takes 0.3 of the
# first case and 0.7 of the second. Write the loss so that it works for every label from 0 to 1, without `if` and without `where`.

# %% exercise="bce_per_sample"
def bce_per_sample(p, y):
    """Cross-entropy of each sample.

    p, y: floats of the same shape, 0 < p < 1, y in [0, 1]. Returns that shape.
    """
    ### BEGIN SOLUTION
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    ### END SOLUTION

# %% [markdown] passed="bce_per_sample"
# One line, then, for all labels:
#
# $$ \ell(p, y) = -\bigl( y \log p + (1 - y) \log (1 - p) \bigr) $$
#
# With $y = 1$ the second half vanishes, with $y = 0$ the first one.

# %% [markdown]
# On the four patients. The first one, right by a hair, pays 0.6444:

# %%
losses = ready("bce_per_sample")(y_pred, y_true)
losses

# %% fold="What the labels select, step by step"
# what the labels select, step by step
print("log p       ", torch.log(y_pred))
print("log (1 - p) ", torch.log(1.0 - y_pred))
print("selected    ", y_true * torch.log(y_pred) + (1 - y_true) * torch.log(1.0 - y_pred))

# %% [markdown]
# ## One number for all patients
#
# Training needs one number. The usual one is the mean; sometimes the sum is better, sometimes each sample's own loss. PyTorch lets you choose
# with an argument called `reduction`: `"mean"`, `"sum"` or `"none"`.
#
# ## Exercise: `bce`
#
# A warm-up: binary cross-entropy with that argument. One decision is left to you: what the mean and the sum run over when `p` is a matrix.

# %% exercise="bce"
def bce(p, y, reduction="mean"):
    """Binary cross-entropy.

    p, y: floats of the same shape, 0 < p < 1, y in [0, 1].
    Returns a 0-d tensor, or that shape for reduction="none".
    """
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
# And if the model had been nearly sure, and right? Guess the mean for the predictions 0.01, 0.9, 0.99 and 0.1 (within 0.02 counts as right), then run.

# %%
guess("mean_when_nearly_sure", ..., sure=...)

# %%
y_pred_new = torch.tensor([0.01, 0.9, 0.99, 0.1], dtype=torch.float64)
print(f"before {bce_ready(y_pred, y_true):.4f}")
print(f"after  {bce_ready(y_pred_new, y_true):.4f}")
print("each  ", bce_ready(y_pred_new, y_true, reduction="none"))
guessed("mean_when_nearly_sure", bce_ready(y_pred_new, y_true), within=0.02)

# %% [markdown]
# The loss falls to about an eighth. Patients 2 and 4 cost the same: 0.9 where the label is 1 is as good as 0.1 where it is 0.
#
# ## Why not the squared error?
#
# $(p - y)^2$ also punishes wrong predictions. Here are both, for either label.

# %%
# cross-entropy and squared error against p, for y = 1 and for y = 0
p = torch.linspace(0.005, 0.995, 400, dtype=torch.float64)
fig, panels = plt.subplots(1, 2, sharey=True)
for panel, label in zip(panels, (1.0, 0.0)):
    y = torch.full_like(p, label)
    panel.plot(p, bce_ready(p, y, reduction="none"), **LINE["cross-entropy"], label="cross-entropy")
    panel.plot(p, (p - y) ** 2, **LINE["squared error"], label="squared error")
    panel.set(title=f"loss when y = {label:.0f}", xlabel="prediction p", ylabel="loss")
panels[0].legend()
show("Two plots of the loss against the prediction p. Left, for label 1: cross-entropy rises without bound as p goes to 0, the squared error stops at 1. Right, for label 0: "
     "the mirror image, cross-entropy rises without bound as p goes to 1.")

# %% [markdown]
# Being sure and wrong costs at most 1 under the squared error; under cross-entropy there is no limit. But a loss is only looked at. What training *follows* is its slope.
#
# ## Exercise: `bce_grad`
#
# Derive it: the derivative of one sample's loss with respect to its own $p$, for any label from 0 to 1. With pencil and paper
# first; you need that the derivative of $\log u$ is $u'/u$. (The mean over N samples later divides each entry by N. Not here.)

# %% exercise="bce_grad"
def bce_grad(p, y):
    """d loss / d p for each sample, without 1/N.

    p, y: floats of the same shape, 0 < p < 1. Returns that shape.
    """
    ### BEGIN SOLUTION
    return -y / p + (1 - y) / (1 - p)
    ### END SOLUTION

# %% [markdown]
# A derivation is worth a check against autograd. Note the N: autograd differentiates the *mean*.

# %%
p = y_pred.clone().requires_grad_(True)
(by_autograd,) = torch.autograd.grad(F.binary_cross_entropy(p, y_true), [p])
print("autograd, of the mean ", by_autograd)
print("yours, divided by N   ", ready("bce_grad")(y_pred, y_true) / len(y_true))

# %% [markdown]
# Yet a training step does not move $p$. It moves the model's weights, and through them the **score** $z$ that $p = \sigma(z)$ comes from. So the slope that counts is the one with respect to $z$: by the chain rule, the
# slope that you derived times the slope of the sigmoid, which fades where the model is sure. Predict: who wins at $z = -6$, sure and wrong?

# %%
def slope_at(z, label, loss_of):
    leaf = z.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss_of(torch.sigmoid(leaf), torch.full_like(z, label)).sum(), [leaf])
    return slope


losses_of = {"cross-entropy": lambda p, y: F.binary_cross_entropy(p, y, reduction="none"), "squared error": lambda p, y: (p - y) ** 2}
for name, loss_of in losses_of.items():
    print(f"y = 1, z = -6: slope of the {name} with respect to z {slope_at(torch.tensor([-6.0]), 1.0, loss_of).item():7.4f}")

# %%
# slope with respect to the score, for y = 1 and for y = 0
z = torch.linspace(-8, 8, 321, dtype=torch.float64)
fig, panels = plt.subplots(1, 2, sharey=True)
for panel, label in zip(panels, (1.0, 0.0)):
    for name, loss_of in losses_of.items():
        panel.plot(z, slope_at(z, label, loss_of), **LINE[name], label=name)
    panel.set(title=f"slope when y = {label:.0f}", xlabel="score z", ylabel="d loss / d z", ylim=(-1.1, 1.1))
panels[1].legend(loc="lower right")
show("Two plots of the slope with respect to the score z. Left, for label 1: cross-entropy's slope runs from -1 at the left, sure and wrong, to 0 at the right; the squared error's is a shallow dip "
     "around z = -0.7 and close to 0 on both sides. Right, for label 0: the mirror image, up to 1 at the right.")

# %% [markdown]
# The recipe was one reason for cross-entropy; this is the other. Where the model is sure and wrong (left end of the left plot), cross-entropy pulls with nearly its full strength of 1, and the squared error has let go. Measured by $p$, cross-entropy's
# slope had no limit; the sigmoid's fading slope turns that into a steady pull. `03_bce_with_logits` derives this curve.
#
# The squared error is not arbitrary either. It is what the recipe gives with another distribution, the normal one:

# %%
normal = torch.distributions.Normal(loc=y_pred, scale=1.0)
print("negative log-likelihood, less a constant", -normal.log_prob(y_true) - math.log(2 * math.pi) / 2)
print("half of the squared error               ", (y_pred - y_true) ** 2 / 2)

# %% [markdown]
# For blood pressures that is a sensible choice. For labels that can only be 0 or 1 it is the wrong distribution.
#
# ## Sure, and wrong
#
# What if the model says exactly 1? Two patients: for the first it says 1.0 and is right, for the second it says 1.0 and is
# wrong. Predict both losses before you run the cell.

# %%
sure = torch.tensor([1.0, 1.0], dtype=torch.float64)
label = torch.tensor([1.0, 0.0], dtype=torch.float64)
print("y log p            ", label * torch.log(sure))
print("(1 - y) log (1 - p)", (1 - label) * torch.log(1 - sure))

# %% [markdown]
# The second loss is infinite, which is at least what the formula says. But the first prediction was *perfect*, and its loss is nan: one half is
# $0 \cdot \log 0 = 0 \cdot (-\infty)$, and that is nan. One nan in a batch makes the mean nan.
#
# For the value alone, PyTorch has `torch.xlogy(x, y)`: $x \log y$, and 0 where $x$ is 0.

# %%
zero = torch.tensor(0.0)
print("0 * log 0   ", (zero * zero.log()).item())
print("xlogy(0, 0) ", torch.xlogy(zero, zero).item())

# %% [markdown]
# ## Exercise: `bce_clamped`
#
# PyTorch's repair, for labels 0 and 1: a sure, right prediction costs 0, a sure, wrong one costs 100, and whatever cost less than 100 before costs what it did. Decide what exactly has to be clamped (the probability? the logarithm? the
# loss?), and at which number. Return the mean.

# %% exercise="bce_clamped"
def bce_clamped(p, y):
    """Mean binary cross-entropy in which a sure, wrong prediction costs 100.

    p, y: floats of the same shape, 0 <= p <= 1, y in [0, 1]. Returns a 0-d tensor.
    """
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
# As in the last lesson there is a **modular** form, an object that is called later, and a **functional** one.

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
# And the 569 patients, in float32, where both products were 0:

# %%
for name, z in scores.items():
    print(f"{name:14} yours {bce_ready(torch.sigmoid(z), benign):.4f}   PyTorch {nn.BCELoss()(torch.sigmoid(z), benign):.4f}")

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
# A loss written by hand has no such guard; you know from `00_tools` what it makes of the third.
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
# Cross-entropy looks at how sure the model was, accuracy only at the side of 0.5. With labels 1, 1, 1: model A says
# 0.51, 0.51, 0.51 (all right, loss 0.67 each); model B says 0.99, 0.99, 0.49 (one wrong, losses 0.01, 0.01, 0.71: mean 0.24). B has the lower loss and
# the lower accuracy. A doctor who acts on the probability is better served by B; one who only needs the decision at 0.5, by A.

# %% [markdown]
# ## Recap
#
# - You built the Bernoulli likelihood and, with the recipe (choose a distribution, let the model give its parameter, minimise the negative log-likelihood), binary cross-entropy.
# - PyTorch calls it `nn.BCELoss` and `F.binary_cross_entropy`; its logarithms are clamped at −100.
# - Three mistakes people make with it: they give it scores instead of probabilities; they write it by hand and forget that $0 \cdot \log 0$ is nan;
#   they rely on the clamp, which makes sure and wrong cost 100 and no more.
#
# **Before:** `01_sigmoid`, where the probabilities came from. **Next:** `03_bce_with_logits`: a model is sure, and wrong. How hard does a training step pull?
#
# **Read on:** PyTorch's page of
# [`BCELoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html); Bishop, *Pattern Recognition and Machine Learning*, section 4.3.2; MacKay,
# [*Information Theory, Inference, and Learning Algorithms*](https://www.inference.org.uk/itila/book.html), chapter 2, on surprise and bits.
