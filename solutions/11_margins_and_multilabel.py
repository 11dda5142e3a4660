# %% [markdown]
# # What does a right answer still owe?
#
# Here are the four patients of the binary lessons again. The third has a score of 3.0 and label 1: the score is right, and by far. Had it been 0.1, it would still have been right, *but only by a hair*.
# Should she still cost something then? And at 30, should she cost less than at 3? **How far on the right side is far enough?**
#
# Each loss for classification answers this question in its own way. In this lesson you build five that the course has not met yet, put its binary losses into one picture, and leave with a table that says
# when to use which. You need `03_bce_with_logits` and `08_cross_entropy`. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)
y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)

# %% [markdown]
# ## The margin
#
# Write the labels as −1 and +1 instead of 0 and 1. Then one product says all that we need: $m = y \cdot z$, the **margin**. Its sign says whether the decision is right, because it is positive where the score has the label's sign, and its size says by
# how much.

# %%
y_signs = 2 * y_true - 1
for z, y in zip(logits.tolist(), y_signs.tolist()):
    print(f"score {z:4.1f}, label {y:+.0f}, margin {y * z:4.1f}:", "right" if y * z > 0 else "wrong")

# %% [markdown]
# Three are right, the first of them by a hair, and the last is wrong by 0.5.
#
# ## The soft margin
#
# `nn.SoftMarginLoss` takes a sample's margin and charges
#
# $$ \ell(m) = \log\bigl(1 + e^{-m}\bigr) $$
#
# By hand, for the four margins. Do you recognise these numbers?

# %%
for m in (0.1, 2.0, 3.0, -0.5):
    print(f"margin {m:4.1f} costs {math.log(1 + math.exp(-m)):.4f}")

# %% [markdown]
# They are the losses of `02_bce`, digit for digit. With $y = +1$, $\log(1 + e^{-z})$ is $-\log \sigma(z)$; with $y = -1$ it is $-\log(1 - \sigma(z))$. The soft margin loss *is* binary cross-entropy from logits, with
# other labels.
#
# There is one difference, which its documentation does not mention. A patient with label −1 and a score of 200 should cost 200, at a slope of 1. What does `SoftMarginLoss` say in float32? Guess first.

# %%
guess("soft_margin_at_200", ..., sure=...)     # a number, and how sure you are, from 0 to 1

# %%
for name, loss_fn, label in [("BCEWithLogitsLoss", nn.BCEWithLogitsLoss(), 0.0), ("SoftMarginLoss", nn.SoftMarginLoss(), -1.0)]:
    z = torch.tensor([200.0], requires_grad=True)
    loss = loss_fn(z, torch.tensor([label]))
    loss.backward()
    print(f"{name:18} loss {loss.item():5.1f}, gradient {z.grad.item():.1f}")
guessed("soft_margin_at_200", loss, within=0.5)

# %% [markdown]
# PyTorch's kernel takes the exponential of $-m$, adds 1 and takes the logarithm, in this order ([an open issue](https://github.com/pytorch/pytorch/issues/77529) asks for `log1p`). The exponential overflows, the loss is infinite, and its gradient is nan. One training step turns the weights of the model into nan as well.
#
# ## Exercise: `soft_margin`
#
# Do better than PyTorch: write the mean soft margin loss so that its value and its gradient are right at scores of ±1000. Decide how to keep the exponential from overflowing without limiting the loss.

# %% exercise="soft_margin"
def soft_margin(z, y):
    """Mean soft margin loss, a 0-d tensor.

    z: logits; y: floats -1 or +1, of the same shape.
    """
    ### BEGIN SOLUTION
    # log(e^0 + e^(-yz))
    return torch.logaddexp(torch.zeros_like(z), -y * z).mean()
    ### END SOLUTION

# %%
soft_margin_ready = ready("soft_margin")
results = {
    "yours": soft_margin_ready(logits, y_signs),
    "modular, nn.SoftMarginLoss": nn.SoftMarginLoss()(logits, y_signs),
    "functional, F.soft_margin_loss": F.soft_margin_loss(logits, y_signs),
    "nn.BCEWithLogitsLoss, labels 0 and 1": nn.BCEWithLogitsLoss()(logits, y_true),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])
print(f"at a margin of -1000: {soft_margin_ready(torch.tensor([1000.0]), torch.tensor([-1.0])):.1f}")

# %% [markdown]
# ## The wrong labels, without a word
#
# Scikit-learn's breast cancer data have the labels 0 and 1, and `SoftMarginLoss` accepts them. What does it make of a patient with label 0 and a score of −5, 0 or 5?

# %%
for score in (-5.0, 0.0, 5.0):
    z = torch.tensor([score], requires_grad=True)
    loss = F.soft_margin_loss(z, torch.tensor([0.0]))
    loss.backward()
    print(f"score {score:4.1f}, label 0: loss {loss.item():.4f}, gradient {abs(z.grad.item()):.4f}")

# %%
# SoftMarginLoss of a negative sample, with its label given as 0 and as -1
z = torch.linspace(-6, 6, 241, dtype=torch.float64, requires_grad=True)
fig, (left, right) = plt.subplots(1, 2)
for name, label, style in [("label given as 0", 0.0, "broken"), ("label given as -1", -1.0, "repaired")]:
    loss = F.soft_margin_loss(z, torch.full_like(z, label), reduction="none")
    (slope,) = torch.autograd.grad(loss.sum(), z)
    left.plot(z.detach(), loss.detach(), **LINE[style], label=name)
    right.plot(z.detach(), slope, **LINE[style], label=name)
left.set(title="SoftMarginLoss of a negative sample", xlabel="score z", ylabel="loss")
right.set(title="its slope", xlabel="score z", ylabel="d loss / d z")
left.legend()
show("Two plots against the score z of a negative sample. Left, the loss: with label -1 it rises from 0 to 6, with label 0 it is flat at 0.69. "
     "Right, the slope: with label -1 it rises from 0 to 1, with label 0 it is 0 everywhere.")

# %% [markdown]
# Left: with label 0 the margin is $0 \cdot z = 0$, so the loss is $\log 2$ at every score. Right: there is no slope, so negative samples teach nothing and only the positives pull. What becomes of a model that is trained like this? Take scikit-learn's digits and ask whether each is even:

# %%
X, digits = (torch.tensor(a) for a in load_digits(return_X_y=True))
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
X, digits = X[order] / 16, digits[order]
even = (digits % 2 == 0).double()


def fit(outputs, loss_fn, labels, steps=150):
    torch.manual_seed(0)
    model = nn.Linear(64, outputs).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_fn(model(X[:1200]), labels[:1200]).backward()
        optimizer.step()
    return model(X).detach()

# %%
print(f"{even[:1200].mean():.2f} of the training digits are even, and {(1 - even[:1200]).mean() * math.log(2):.4f} is ln 2 times the rest")
for name, labels in [("0 and 1", even[:, None]), ("-1 and +1", 2 * even[:, None] - 1)]:
    z = fit(1, nn.SoftMarginLoss(), labels)
    loss = F.soft_margin_loss(z[:1200], labels[:1200])
    right = ((z[1200:, 0] > 0) == (even[1200:] == 1)).double().mean()
    print(f"labels {name:9}: loss {loss:.4f}, {(z[1200:] > 0).double().mean():.2f} called even, {right:.2f} right")

# %% [markdown]
# With labels 0 and 1 the loss ends at $\ln 2$ times the share of negatives, and no training could bring it lower. The model calls every digit even.
#
# ## The hinge
#
# Up to rounding, the soft margin is positive at every margin: a patient at 30 still pulls a little. Here is another answer to the question at the start: **a margin of 1 is enough**. A sample that has it costs nothing. A sample that has less pays for what is missing, so a margin of 0.1 costs 0.9, and one of −0.5 costs 1.5.
#
# This is the loss of support vector machines (Cortes and Vapnik, 1995).
#
# ## Exercise: `hinge`
#
# Write its mean. The formula, and what happens beyond 1, follow from the sentences above.

# %% exercise="hinge"
def hinge(z, y):
    """Mean hinge loss, a 0-d tensor.

    z: scores; y: floats -1 or +1, of the same shape.
    """
    ### BEGIN SOLUTION
    return torch.clamp(1 - y * z, min=0).mean()
    ### END SOLUTION

# %% [markdown] passed="hinge"
# In symbols, $\ell(m) = \max(0, 1 - m)$: a line with slope −1 up to the margin 1, and 0 beyond it.

# %%
compare("hinge", logits, y_signs)

# %% [markdown]
# And the gradient for each of the four patients:

# %%
hinge_ready = ready("hinge")
z = logits.clone().requires_grad_(True)
hinge_ready(z, y_signs).backward()
print("margins ", y_signs * logits)
print("gradient", z.grad)

# %% [markdown]
# Patients 2 and 3 have their margin, so their gradient is 0. The other two are pulled equally hard, with 1/4 each from the mean, although one is right by a hair and the other is wrong.
#
# PyTorch has no loss of that name (its `HingeEmbeddingLoss` is another one, for distances). It has one that ranks pairs of scores, with a margin of its own, and when one score of each pair is 0 it is the hinge:

# %%
nothing = torch.zeros_like(logits)
print(f"yours                             {hinge_ready(logits, y_signs):.4f}")
print(f"modular, nn.MarginRankingLoss     {nn.MarginRankingLoss(margin=1.0)(logits, nothing, y_signs):.4f}")
print(f"functional, F.margin_ranking_loss {F.margin_ranking_loss(logits, nothing, y_signs, margin=1.0):.4f}")
assert torch.isclose(hinge_ready(logits, y_signs), nn.MarginRankingLoss(margin=1.0)(logits, nothing, y_signs))

# %% [markdown]
# ## All of them in one picture
#
# Without weights the binary losses of the course are functions of the margin. Here they are with their **slopes**, because the slope is what a training step follows. (The squared error is that of the probability, $(\sigma(z) - y)^2$; the focal loss has $\gamma = 2$ and no $\alpha$.)

# %%
m = torch.linspace(-5, 3, 401, dtype=torch.float64, requires_grad=True)
one = torch.ones(1, dtype=torch.float64)
cross_entropy_of_margin = F.binary_cross_entropy_with_logits(m, torch.ones_like(m), reduction="none")
curves = {
    "0-1 error": ((m < 0) + 0 * m, LINE["0-1 error"] | {"linewidth": 1}),
    "cross-entropy, soft margin": (cross_entropy_of_margin, LINE["cross-entropy"]),
    "hinge": (torch.stack([hinge_ready(v, one) for v in m[:, None]]), LINE["hinge"]),
    "focal": (torch.sigmoid(-m) ** 2 * cross_entropy_of_margin, LINE["focal"]),
    "squared error": (torch.sigmoid(-m) ** 2, LINE["squared error"]),
}
for name, (loss, _) in curves.items():
    (slope,) = torch.autograd.grad(loss.sum(), m, retain_graph=True)
    print(f"{name:26} steepest slope {slope.min():.2f}, at margin {m[slope.argmin()].item():.1f}")

# %%
# five functions of the margin, and their slopes
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
for name, (loss, style) in curves.items():
    (slope,) = torch.autograd.grad(loss.sum(), m, retain_graph=True)
    left.plot(m.detach(), loss.detach(), **style, label=name)
    right.plot(m.detach(), slope, **style)
left.set(title="loss", xlabel="margin y z", ylabel="loss", ylim=(-0.1, 6))
right.set(title="slope", xlabel="margin y z", ylabel="d loss / d margin")
left.legend(fontsize=8)
show("Losses against the margin from -5 to 3. Left: hinge, cross-entropy and focal loss rise towards negative margins, squared error levels off at 1, the 0-1 error is a step at 0. "
     "Right, the slopes: the hinge's is -1 below 1 and 0 above; cross-entropy's goes smoothly from -1 to 0; the focal loss's dips to -1.13 at wrong margins and is near 0 at right ones; "
     "squared error's is near 0 on both sides; the 0-1 error's is 0 everywhere.")

# %% [markdown]
# Left: what one would like to minimise is the 0-1 error, which counts wrong decisions. Right: it cannot be trained on, because its slope is 0 wherever it has one. The other four are used in its place.

# %% [markdown]
# ### Reading the slopes
#
# Go from left to right. Far on the wrong side the squared error has nearly stopped pulling: it gives the worst samples up. Cross-entropy and hinge pull with a slope close to −1. The focal loss pulls *harder* than both there, up to −1.13, because its factor $(1 - p_t)^2$ grows with the error too. At a margin of 1 the hinge stops at once, while cross-entropy eases off gradually and the focal loss let go earlier.
#
# ## Several classes
#
# With several classes the true one should beat *each* of the others by the margin. The last of the four samples of `08_cross_entropy`, whose true class is 1:

# %%
class_logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
classes = torch.tensor([0, 2, 3, 1])
for c in (0, 2, 3, 4):
    lead = 2.5 - class_logits[3, c].item()
    print(f"class 1 leads class {c} by {lead:4.1f}: {max(0.0, 1.0 - lead):.1f} is missing")

# %% [markdown]
# One competitor is too strong. `nn.MultiMarginLoss` adds up what is missing and divides by the number of **all** classes, the true one included: $1.6 / 5 = 0.32$.
#
# $$ \ell = \frac{1}{C} \sum_{c \ne y} \max(0,\ \text{margin} - z_y + z_c)^p $$
#
# ## Exercise: `multi_margin`
#
# Write the mean over the samples, with `p` (1 or 2) and `margin`. The loop above left out the true class by listing the others by hand. Decide how to leave it out for a whole batch.

# %% exercise="multi_margin"
def multi_margin(z, y, p=1, margin=1.0):
    """Mean multiclass hinge loss, a 0-d tensor.

    z: logits (N, C); y: int64 classes (N,); p: 1 or 2.
    """
    ### BEGIN SOLUTION
    missing = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    others = 1 - F.one_hot(y, z.shape[1])      # no class competes with itself
    return (missing * others).mean()           # over N and C at once
    ### END SOLUTION

# %%
multi_margin_ready = ready("multi_margin")
print(f"the last sample      {multi_margin_ready(class_logits[3:], classes[3:]):.4f}")
for p in (1, 2):
    yours = multi_margin_ready(class_logits, classes, p=p, margin=0.5)
    print(f"p = {p}, margin 0.5    {yours:.4f}")
    assert torch.isclose(yours, nn.MultiMarginLoss(p=p, margin=0.5)(class_logits, classes))
    assert torch.isclose(yours, F.multi_margin_loss(class_logits, classes, p=p, margin=0.5))

# %% [markdown]
# With `p=2` a shortfall above 1 costs more than its size, a smaller one less, and the slope fades as the margin is reached.
#
# ## The same scores, two losses
#
# What does the choice between softmax and margin change? Take one row of scores and let the true class, the first, move ahead. Before you run it: from which lead on is the true class safe with each of the two losses?

# %%
for lead in (-1.0, 0.5, 0.9, 1.1, 3.0, 10.0):
    row = torch.tensor([[lead, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    zero = torch.tensor([0])
    (margin_slope,) = torch.autograd.grad(F.multi_margin_loss(row, zero), row)
    (softmax_slope,) = torch.autograd.grad(F.cross_entropy(row, zero), row)
    print(f"lead {lead:4.1f}: margin {F.multi_margin_loss(row, zero):.4f}, slope {margin_slope[0, 0] + 0.0:7.4f}   "
          f"cross-entropy {F.cross_entropy(row, zero):.4f}, slope {softmax_slope[0, 0]:7.4f}")

# %% [markdown]
# Beyond a lead of 1 the margin loss is 0 and so is its slope. Cross-entropy still has a slope at a lead of 10 (and, up to rounding, at any lead). Train both on the ten digits, with the same linear model, and count the samples that still have a gradient at the end. How many of the 1200 are left with the margin loss? Within 50 counts as right.

# %%
guess("samples_within_the_margin", ..., sure=...)     # a number from 0 to 1200, and how sure you are

# %%
for name, loss_fn in [("cross-entropy", nn.CrossEntropyLoss()), ("multi-margin", nn.MultiMarginLoss())]:
    z = fit(10, loss_fn, digits, steps=1000).requires_grad_(True)
    loss_fn(z[:1200], digits[:1200]).backward()
    pulling = (z.grad[:1200] != 0).any(dim=1).sum()
    own = z.detach().gather(1, digits[:, None])[:, 0]
    lead = own - z.detach().scatter(1, digits[:, None], -math.inf).amax(dim=1)
    print(f"{name:13} accuracy on the rest {(lead[1200:] > 0).double().mean():.2f}, {pulling:4} of 1200 samples pull, median lead {lead[:1200].median():.1f}")
guessed("samples_within_the_margin", int(pulling), within=50)

# %% [markdown]
# The accuracies are close. But after 1000 steps the margin loss hears a handful of samples, those still within the margin; once they have reached it, it hears nobody. (A support vector machine has a weight decay that pulls the other way. So some samples stay at the margin or within it for good: its support vectors.) Cross-entropy still hears all 1200, and keeps pushing the leads up. Its scores mean probabilities; those of the margin loss mean only who is ahead.
#
# ## More than one label
#
# So far exactly one class was right. But a picture may show a dog *and* a ball *and* no cat. Then each class is a yes-or-no question of its own, and a softmax, whose classes share one probability, is the wrong tool. Digits have such properties, too:

# %%
def properties(digits):
    """Is it even? Has it a closed loop? Is it a prime? Is it 5 or more? (N,) -> (N, 4), float64, 0 or 1."""
    sets = [{0, 2, 4, 6, 8}, {0, 6, 8, 9}, {2, 3, 5, 7}, {5, 6, 7, 8, 9}]
    return torch.tensor([[float(d in s) for s in sets] for d in digits.tolist()], dtype=torch.float64)


print("     even loop prime >=5")
for d in (1, 2, 8):
    print(f"a {d} ", *(f"{v:4.0f}" for v in properties(torch.tensor([d]))[0]))

# %% [markdown]
# A 2 has two of the properties, an 8 has three, and a 1 has none. Suppose a model gives a 2 the scores 1.5, −2.0, −0.5, 0.3. Four questions make four binary cross-entropies. By hand, with the two logarithms of `03_bce_with_logits`:

# %%
for name, score, label in [("even", 1.5, 1), ("loop", -2.0, 0), ("prime", -0.5, 1), (">=5", 0.3, 0)]:
    cost = math.log(1 + math.exp(-score)) if label else math.log(1 + math.exp(score))
    print(f"{name:5} score {score:4.1f}, label {label}: {cost:.4f}")

# %% [markdown]
# ## Exercise: `multilabel_soft_margin`
#
# `nn.MultiLabelSoftMarginLoss` averages these over the classes, then over the samples. Mind the name: its labels are **0 and 1**, although `SoftMarginLoss` wants −1 and +1. This is a warm-up: the loss is known, and what you decide is which function keeps it finite at ±1000.

# %% exercise="multilabel_soft_margin"
def multilabel_soft_margin(z, y):
    """Mean binary cross-entropy over samples and classes, a 0-d tensor.

    z: logits (N, C); y: floats 0 or 1, (N, C).
    """
    ### BEGIN SOLUTION
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()
    ### END SOLUTION

# %%
scores = torch.tensor([[1.5, -2.0, -0.5, 0.3]], dtype=torch.float64)
a_two = properties(torch.tensor([2]))
results = {
    "yours": ready("multilabel_soft_margin")(scores, a_two),
    "modular, nn.MultiLabelSoftMarginLoss": nn.MultiLabelSoftMarginLoss()(scores, a_two),
    "functional, F.multilabel_soft_margin_loss": F.multilabel_soft_margin_loss(scores, a_two),
    "nn.BCEWithLogitsLoss": nn.BCEWithLogitsLoss()(scores, a_two),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])

# %% [markdown]
# The name is new, the loss is not: without weights, `BCEWithLogitsLoss` computes the same, and it has `pos_weight` besides.
#
# ## A list of labels
#
# The last loss takes labels in a third form: a **list of class indices**, filled up with −1. A 2 is even (0) and prime (2): `[0, 2, -1, -1]`. The list ends at the first −1, and whatever follows is ignored. Every class in the list should beat every class outside it by 1:
#
# $$ \ell = \frac{1}{C} \sum_{j \in \text{list}}\ \sum_{k \notin \text{list}} \max(0,\ 1 - z_j + z_k) $$
#
# For the scores above, pair by pair:

# %%
names = ["even", "loop", "prime", ">=5"]
for j in (0, 2):
    for k in (1, 3):
        lead = scores[0, j].item() - scores[0, k].item()
        print(f"{names[j]:5} leads {names[k]:4} by {lead:4.1f}: {max(0.0, 1.0 - lead):.1f} is missing")

# %% [markdown]
# Together that is 1.8, and divided by the 4 classes it is 0.45.
#
# ## Exercise: `multilabel_margin`
#
# Write the mean over the samples. What is new is to find where each list ends and which classes are not in it. A loop over the samples is a fine answer. What should a sample without any label cost?

# %% exercise="multilabel_margin"
def multilabel_margin(z, y):
    """Mean hinge between listed and other classes, a 0-d tensor.

    z: logits (N, C); y: int64 (N, C), class indices padded by -1.
    """
    ### BEGIN SOLUTION
    losses = []
    for row, labels in zip(z, y.tolist()):
        listed = labels[:labels.index(-1)] if -1 in labels else labels
        others = [c for c in range(len(row)) if c not in listed]
        # (listed, others): what each pair lacks
        missing = (1 - row[listed][:, None] + row[others]).clamp(min=0)
        losses.append(missing.sum() / len(row))
    return torch.stack(losses).mean()
    ### END SOLUTION

# %%
multilabel_margin_ready = ready("multilabel_margin")
for listed in ([0, 2, -1, -1], [0, 2, -1, 1], [-1, -1, -1, -1]):
    index = torch.tensor([listed])
    yours = multilabel_margin_ready(scores, index)
    print(f"{listed!s:18} {yours:.4f}")
    assert torch.isclose(yours, nn.MultiLabelMarginLoss()(scores, index))
    assert torch.isclose(yours, F.multilabel_margin_loss(scores, index))

# %% [markdown]
# The 1 after the −1 changes nothing. The last line is worth a thought: without a label there is no pair, so no loss and no gradient. The digit 1, which is odd, open, not prime and small, is invisible to this loss.
#
# ## Digits, four questions each
#
# A linear model with four outputs is trained on 1200 digits, once with each multilabel loss. There are two measures on the rest: how often are all four answers right when the scores are cut at 0 (or at whatever number would have been best for the training digits), and how often does every property that is present score above every one that is absent?

# %%
y_hot = properties(digits)
y_list = torch.tensor([[c for c in range(4) if row[c]] + [-1] * (4 - int(sum(row))) for row in y_hot.tolist()])
is_present = y_hot == 1
present = is_present[1200:]
cuts = torch.linspace(-3, 3, 121).tolist()
for name, loss_fn, labels in [("MultiLabelSoftMarginLoss", nn.MultiLabelSoftMarginLoss(), y_hot), ("MultiLabelMarginLoss", nn.MultiLabelMarginLoss(), y_list)]:
    z_all = fit(4, loss_fn, labels)
    z = z_all[1200:]
    cut = ((z > 0) == present).all(dim=1)
    best = max(cuts, key=lambda c: ((z_all[:1200] > c) == is_present[:1200]).all(dim=1).sum().item())      # on the training digits
    cut_at_best = ((z > best) == present).all(dim=1)
    weakest, strongest = z.masked_fill(~present, math.inf).amin(dim=1), z.masked_fill(present, -math.inf).amax(dim=1)
    print(f"{name:25} all four right {cut.double().mean():.2f}, cut at {best:.2f} instead {cut_at_best.double().mean():.2f}, "
          f"present above absent {(weakest > strongest).double().mean():.2f}")

# %% [markdown]
# (A 1 has no property to rank, so it counts as right.) In the second measure the two are close. In the first they are not: the margin loss compares the four scores of a digit only with each other, so a shift of all four changes nothing, and each digit may have another. It ranks; for yes or no, no single threshold repairs it. The soft margin can be cut at 0, where its sigmoid is one half.

# %% [markdown] fold="Optional: on fewer bits"
# Large models compute in 16 bits, with `torch.autocast`. On a GPU it refuses `BCELoss` (`RuntimeError: … unsafe to autocast`). On the CPU it lets it through. Below are three negatives with scores of 6, 10 and 20: the right losses are close to the scores themselves, and the right slopes close to 1.

# %% fold="Optional: two losses under autocast"
# optional: two losses under autocast
y_zero = torch.zeros(3)
losses = {"BCELoss after sigmoid": lambda z: F.binary_cross_entropy(torch.sigmoid(z), y_zero, reduction="none"),
          "BCEWithLogitsLoss": lambda z: F.binary_cross_entropy_with_logits(z, y_zero, reduction="none")}
for name, loss_of in losses.items():
    inputs = torch.tensor([6.0, 10.0, 20.0], requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = torch.eye(3) @ inputs            # a layer: its output has 16 bits
        loss = loss_of(z)
    loss.sum().backward()
    print(f"{name:21} losses {loss.detach()}, slopes {inputs.grad}")

# %% [markdown] fold="Optional: what that means"
# Between one half and 1 the numbers of `bfloat16` are 1/256 apart, so the sigmoid of 10 is rounded to exactly 1. The loss jumps to 100, where `BCELoss` clamps the logarithm, its slope is 0, and the sample that is most wrong is lost. From logits both are right: under autocast, use a loss on logits.

# %% [markdown]
# ## Which one, when?
#
# | your labels | your question | use | labels as | beware |
# |---|---|---|---|---|
# | two classes | how probable? | `BCEWithLogitsLoss` | floats 0, 1 | no sigmoid before it |
# | two classes | how probable? | `SoftMarginLoss` | floats −1, +1 | accepts 0, which teaches nothing; overflows |
# | two classes | yes or no? | hinge, by hand | floats −1, +1 | scores are not probabilities |
# | one of C classes | how probable? | `CrossEntropyLoss` | int64 indices | no softmax before it |
# | one of C classes | which one? | `MultiMarginLoss` | int64 indices | divides by C, not C − 1 |
# | any number of C | how probable, each? | `BCEWithLogitsLoss`, `MultiLabelSoftMarginLoss` | floats 0, 1 | no softmax |
# | any number of C | which ones first? | `MultiLabelMarginLoss` | int64 lists, −1 ends them | no threshold fits all samples; empty lists are invisible |
# | a distribution | how far off? | `CrossEntropyLoss` | floats that sum to 1 | takes logits |
# | a distribution | how far off? | `KLDivLoss` | floats that sum to 1 | takes log-probabilities; use `"batchmean"` |
#
# If you are unsure, take a loss that models probabilities: they can be cut, ranked, weighed and, in the next lesson, checked.
#
# Is the list complete? Three classification losses of `torch.nn` have jobs of their own. `CTCLoss` compares a long sequence with a short label whose positions nobody has marked, as in speech. `AdaptiveLogSoftmaxWithLoss` saves time over very many classes by grouping the rare ones. `LinearCrossEntropyLoss` holds the last linear layer, so that the logits need not be kept whole. `BCELoss` and `NLLLoss` are losses of the table without their sigmoid or log-softmax. The rest ranks, compares vectors or predicts numbers:

# %%
classify = {"BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss", "KLDivLoss", "SoftMarginLoss", "MultiMarginLoss",
            "MultiLabelSoftMarginLoss", "MultiLabelMarginLoss", "CTCLoss", "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"}
compare_vectors = {"MarginRankingLoss", "HingeEmbeddingLoss", "CosineEmbeddingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss"}
predict_numbers = {"L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss", "GaussianNLLLoss"}
in_torch = {name for name in dir(nn) if name.endswith("Loss")}
print(f"{len(classify)} to classify, {len(compare_vectors)} to rank or compare, {len(predict_numbers)} to predict numbers")
print("in torch.nn and in none of these lists:", in_torch - classify - compare_vectors - predict_numbers or "nothing")

# %% [markdown]
# ## In your own words
#
# A classmate trains on labels 0 and 1 with `nn.SoftMarginLoss`. The loss falls in the first epochs and then stays near 0.4. Three fifths of the samples have label 0. Explain the number, say what her model predicts, and name two ways to repair it.

# %% [markdown] question="stuck_at_a_level" points=2
# A label of 0 makes the margin 0 · z = 0, so each negative sample costs log 2 = 0.693 whatever the score: three fifths of that is 0.416, and the loss cannot fall below. Only the positives have a gradient:
# their scores are pushed up, and nothing in the loss holds those of the negatives down. Where no input is negative, as with pixels, the model ends by calling every sample positive. With standardised
# inputs it may even separate the classes, but no negative sample has had a say in it. To repair it, map the labels to −1 and +1 (2y − 1), or keep 0 and 1 and use `nn.BCEWithLogitsLoss`, which is the same loss and does not overflow.

# %% [markdown]
# ## Recap
#
# - You built the soft margin, which is cross-entropy with other labels; the hinge, which stops at a margin of 1; the hinge for several classes; and two losses for any number of labels.
# - PyTorch calls them `nn.SoftMarginLoss`, `nn.MultiMarginLoss`, `nn.MultiLabelSoftMarginLoss` and `nn.MultiLabelMarginLoss`, and the same in lower case under `F.`; the plain hinge is a special case of `nn.MarginRankingLoss`.
# - Three mistakes people make with them: they feed `SoftMarginLoss` labels 0 and 1; they put a softmax where several labels can be right; they read the scores of a margin loss as probabilities.
#
# **Before:** `10_kl_divergence`, where labels were distributions. **Next:** `12_calibration` asks: if a model says 0.9, is it right nine times out of ten?
#
# **Read on:** PyTorch's list of [loss functions](https://docs.pytorch.org/docs/stable/nn.html#loss-functions); Bishop, *Pattern Recognition and Machine Learning*, section 7.1, for the hinge.
