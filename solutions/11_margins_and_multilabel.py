# %% [markdown]
# # What does a right answer still owe?
#
# The four patients of the binary lessons again. The third has a score of 3.0 and is benign: right, and by far. Imagine a score of 0.1 for her: right as well, *but only by a hair*.
# Should she still cost something? And at 30, should she cost less than at 3? **How far on the right side is far enough?**
#
# Every loss of `torch.nn` for classification is an answer to this. In this lesson you build the five that are left, put all losses of the course into one picture, and leave with a table that says
# when to take which. You need `03_bce_with_logits` and `08_cross_entropy`. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import LINE, show

logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)
y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)

# %% [markdown]
# ## The margin
#
# Write the labels as −1 and +1 instead of 0 and 1. Then one product says everything: $m = y \cdot z$, the **margin**. It is positive where the score has the label's sign, so where the decision is right, and its size says by
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
# By hand, for the four margins. Do you know these numbers?

# %%
for m in (0.1, 2.0, 3.0, -0.5):
    print(f"margin {m:4.1f} costs {math.log(1 + math.exp(-m)):.4f}")

# %% [markdown]
# They are the losses of `02_bce`, to the last digit. With $y = +1$, $\log(1 + e^{-z})$ is $-\log \sigma(z)$; with $y = -1$ it is $-\log(1 - \sigma(z))$. The soft margin loss *is* binary cross-entropy from logits, with
# other labels.
#
# With one difference, which its page does not mention. A patient with label −1 and a score of 200 should cost 200, at a slope of 1. Predict what the two losses say in float32:

# %%
for name, loss_fn, label in [("BCEWithLogitsLoss", nn.BCEWithLogitsLoss(), 0.0), ("SoftMarginLoss", nn.SoftMarginLoss(), -1.0)]:
    z = torch.tensor([200.0], requires_grad=True)
    loss = loss_fn(z, torch.tensor([label]))
    loss.backward()
    print(f"{name:18} loss {loss.item():5.1f}, gradient {z.grad.item():.1f}")

# %% [markdown]
# PyTorch computes $e^{-m}$ as it stands. It overflows; the loss is infinite, the gradient nan, and one such sample ruins the model.
#
# ## Exercise: `soft_margin`
#
# Do better than PyTorch: write the mean soft margin loss so that value and gradient are right at scores of ±1000. Decide how to keep the exponential from overflowing without cutting off what the loss should be.

# %% exercise="soft_margin"
def soft_margin(z, y):
    """Mean soft margin loss. `z`: logits, `y`: floats -1 or +1, of the same shape. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return torch.logaddexp(torch.zeros_like(z), -y * z).mean()      # log(e^0 + e^(-yz))
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
# Most data sets have labels 0 and 1. `SoftMarginLoss` accepts them. What does it make of a patient with label 0, whatever the score?

# %%
for score in (-5.0, 0.0, 5.0):
    z = torch.tensor([score], requires_grad=True)
    loss = F.soft_margin_loss(z, torch.tensor([0.0]))
    loss.backward()
    print(f"score {score:4.1f}, label 0: loss {loss.item():.4f}, gradient {abs(z.grad.item()):.4f}")

# %%
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
# Left: with label 0 the margin is $0 \cdot z = 0$, and the loss $\log 2$, always. Right: no slope, so negative samples teach nothing. Training sees positives only, the loss falls towards a level that it never leaves, and in the end the model calls
# everybody positive.
#
# ## The hinge
#
# The soft margin never reaches 0: a patient at 30 still pulls a little. Here is another answer to the question at the start: **a margin of 1 is enough**. Whoever has it owes nothing. Whoever has less owes what is missing, so that a margin of 0.1 costs 0.9, and one of −0.5 costs 1.5.
#
# This is the loss of support vector machines.
#
# ## Exercise: `hinge`
#
# Write its mean. The sentence above is all there is; the formula is yours, and so is what happens beyond 1.

# %% exercise="hinge"
def hinge(z, y):
    """Mean hinge loss. `z`: scores, `y`: floats -1 or +1, of the same shape. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return torch.clamp(1 - y * z, min=0).mean()
    ### END SOLUTION

# %%
compare("hinge", logits, y_signs)

# %% [markdown]
# In symbols, $\ell(m) = \max(0, 1 - m)$. And the gradient for each of the four patients:

# %%
z = logits.clone().requires_grad_(True)
ready("hinge")(z, y_signs).backward()
print("margins ", y_signs * logits)
print("gradient", z.grad)

# %% [markdown]
# Patients 2 and 3 have their margin and are left in peace: their gradient is 0. The other two are pulled equally hard, 1/4 each from the mean, the hair's breadth as much as the error.
#
# PyTorch has no loss of that name. It has one that ranks pairs of scores, with a margin of its own; against a score of 0 it is the hinge:

# %%
nothing = torch.zeros_like(logits)
print(f"yours                             {ready('hinge')(logits, y_signs):.4f}")
print(f"modular, nn.MarginRankingLoss     {nn.MarginRankingLoss(margin=1.0)(logits, nothing, y_signs):.4f}")
print(f"functional, F.margin_ranking_loss {F.margin_ranking_loss(logits, nothing, y_signs, margin=1.0):.4f}")
assert torch.isclose(ready("hinge")(logits, y_signs), nn.MarginRankingLoss(margin=1.0)(logits, nothing, y_signs))

# %% [markdown]
# ## All of them in one picture
#
# Each binary loss of the course is a function of the margin. Here they are, with their **slopes**, because the slope is what a training step feels. (Squared error is that of the probability, $(\sigma(z) - y)^2$; the focal loss has $\gamma = 2$.)

# %%
m = torch.linspace(-5, 3, 401, dtype=torch.float64, requires_grad=True)
curves = {
    "0-1 error": ((m < 0) + 0 * m, LINE["0-1 error"] | {"linewidth": 1}),
    "cross-entropy, soft margin": (F.softplus(-m), LINE["cross-entropy"]),
    "hinge": (F.relu(1 - m), LINE["hinge"]),
    "focal": (torch.sigmoid(-m) ** 2 * F.softplus(-m), LINE["focal"]),
    "squared error": (torch.sigmoid(-m) ** 2, LINE["squared error"]),
}

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
for name, (loss, style) in curves.items():
    (slope,) = torch.autograd.grad(loss.sum(), m)
    left.plot(m.detach(), loss.detach(), **style, label=name)
    right.plot(m.detach(), slope, **style)
left.set(title="loss", xlabel="margin y z", ylabel="loss", ylim=(-0.1, 6))
right.set(title="slope", xlabel="margin y z", ylabel="d loss / d margin")
left.legend(fontsize=8)
show("Losses against the margin from -5 to 3. Left: hinge, cross-entropy and focal loss rise towards negative margins, squared error levels off at 1, the 0-1 error is a step at 0. "
     "Right, the slopes: the hinge's is -1 below 1 and 0 above; cross-entropy's goes smoothly from -1 to 0; the focal loss pulls hard only at wrong margins; "
     "squared error's is near 0 on both sides; the 0-1 error's is 0 everywhere.")

# %% [markdown]
# Left: all of them stand in for the 0-1 error, which counts wrong decisions. Right tells why a stand-in is needed: the 0-1 error has no slope at all.
#
# Read the right side from left to right. Far on the wrong side, squared error has stopped pulling: hopeless samples are given up. Cross-entropy, hinge and the focal loss pull on. Around 1 the hinge stops at once, cross-entropy eases off; the focal loss has let go earlier.
#
# ## Several classes
#
# With several classes the true one should win against *each* of the others by the margin. The last of the four samples of `08_cross_entropy`, whose true class is 1:

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
# One competitor is too strong. `nn.MultiMarginLoss` adds up what is missing and divides by the number of **all** classes, $1.6 / 5 = 0.32$:
#
# $$ \ell = \frac{1}{C} \sum_{c \ne y} \max(0,\ \text{margin} - z_y + z_c)^p $$
#
# ## Exercise: `multi_margin`
#
# Write the mean over the samples, with `p` (1 or 2) and `margin`. The loop above left out the true class by listing the others by hand; decide how to do that for a whole batch.

# %% exercise="multi_margin"
def multi_margin(z, y, p=1, margin=1.0):
    """Mean multiclass hinge loss. `z`: logits (N, C), `y`: int64 (N,), `p`: 1 or 2. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    missing = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    others = 1 - F.one_hot(y, z.shape[1])      # the true class does not compete with itself
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
# `p=2` punishes a large shortfall more, and eases off near the margin.
#
# ## More than one label
#
# So far exactly one class was right. A picture may show a dog *and* a ball *and* no cat. Then each class is a yes-or-no question of its own, and a softmax, whose classes share one probability, is the wrong tool. Digits have such properties, too:

# %%
def properties(digits):
    """Is it even? Has it a closed loop? Is it a prime? Is it 5 or more? (N,) -> (N, 4), float64, 0 or 1."""
    sets = [{0, 2, 4, 6, 8}, {0, 6, 8, 9}, {2, 3, 5, 7}, {5, 6, 7, 8, 9}]
    return torch.tensor([[float(d in s) for s in sets] for d in digits.tolist()], dtype=torch.float64)


print("     even loop prime >=5")
for d in (1, 2, 8):
    print(f"a {d} ", *(f"{v:4.0f}" for v in properties(torch.tensor([d]))[0]))

# %% [markdown]
# A 2 has two of the properties, an 8 three, and a 1 none. Suppose a model gives a 2 the scores 1.5, −2.0, −0.5, 0.3. Four questions, four binary cross-entropies; by hand, with the two logarithms of `03_bce_with_logits`:

# %%
for name, score, label in [("even", 1.5, 1), ("loop", -2.0, 0), ("prime", -0.5, 1), (">=5", 0.3, 0)]:
    cost = math.log(1 + math.exp(-score)) if label else math.log(1 + math.exp(score))
    print(f"{name:5} score {score:4.1f}, label {label}: {cost:.4f}")

# %% [markdown]
# ## Exercise: `multilabel_soft_margin`
#
# `nn.MultiLabelSoftMarginLoss` averages these over the classes, then over the samples. Mind the name: its labels are **0 and 1**, although `SoftMarginLoss` wants −1 and +1. Decide which of the functions that you know keeps it finite at ±1000.

# %% exercise="multilabel_soft_margin"
def multilabel_soft_margin(z, y):
    """Mean over samples and classes of the binary cross-entropies. `z`: logits (N, C), `y`: floats 0 or 1 (N, C). Returns a 0-d tensor."""
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
# A new name for an old friend. `BCEWithLogitsLoss` does the same and has `pos_weight` besides.
#
# ## A list of labels
#
# The last loss takes labels in a third form: a **list of class indices**, filled up with −1. A 2 is even (0) and prime (2): `[0, 2, -1, -1]`. The list ends at the first −1; what stands behind does not count. Every class in the list should beat every class that is not, by 1:
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
# Together 1.8, divided by the 4 classes 0.45.
#
# ## Exercise: `multilabel_margin`
#
# Write the mean over the samples. New here: where each list ends, and which classes are not in it. A loop over the samples is a fine answer. What should a sample without any label cost?

# %% exercise="multilabel_margin"
def multilabel_margin(z, y):
    """Mean hinge between listed and other classes. `z`: logits (N, C), `y`: int64 (N, C), indices padded by -1. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    losses = []
    for row, labels in zip(z, y.tolist()):
        listed = labels[:labels.index(-1)] if -1 in labels else labels
        others = [c for c in range(len(row)) if c not in listed]
        missing = (1 - row[listed][:, None] + row[others]).clamp(min=0)      # (listed, others)
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
# The 1 behind the −1 changes nothing. And the last line is worth a thought: without a label there is no pair, so no loss and no gradient. To this loss a 1, which is odd, open, not prime and small, is invisible.
#
# ## Digits, four questions each
#
# A linear model with four outputs, trained on 1200 digits: once with each multilabel loss. Two measures on the rest: how often is every answer right when cut at score 0, and how often does every property that is present score above every one that is absent?

# %%
X, digits = (torch.tensor(a) for a in load_digits(return_X_y=True))
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
X, y_hot = X[order] / 16, properties(digits[order])
y_list = torch.tensor([[c for c in range(4) if row[c]] + [-1] * (4 - int(sum(row))) for row in y_hot.tolist()])


def fit(loss_fn, labels):
    torch.manual_seed(0)
    model = nn.Linear(64, 4).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss_fn(model(X[:1200]), labels[:1200]).backward()
        optimizer.step()
    return model(X[1200:]).detach()

# %%
present = y_hot[1200:] == 1
for name, loss_fn, labels in [("MultiLabelSoftMarginLoss", nn.MultiLabelSoftMarginLoss(), y_hot), ("MultiLabelMarginLoss", nn.MultiLabelMarginLoss(), y_list)]:
    z = fit(loss_fn, labels)
    cut = ((z > 0) == present).all(dim=1)
    weakest, strongest = z.masked_fill(~present, math.inf).amin(dim=1), z.masked_fill(present, -math.inf).amax(dim=1)
    print(f"{name:25} all four right {cut.double().mean():.2f}, present above absent {(weakest > strongest).double().mean():.2f}")

# %% [markdown]
# (A 1 has nothing present, so nothing to rank: it counts as right.) In the second measure the two are close. In the first they are not: the margin loss asks only who is *ahead of whom* and never where 0 is. It ranks; to answer yes or no it would need a threshold of its own. The soft margin can be cut at 0, because its sigmoid is a probability.
#
# ## On fewer bits
#
# Large models compute in 16 bits, with `torch.autocast`. On a GPU it refuses `BCELoss` (`RuntimeError: … unsafe to autocast`). On the CPU it lets it through. Three negatives with scores of 6, 10 and 20; the right losses are about the scores themselves, the right slopes about 1:

# %%
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

# %% [markdown]
# In `bfloat16` a sigmoid has three significant digits at best: at 10 it is exactly 1. The loss jumps to the clamp's 100, the slope is 0, and the sample that is most wrong is lost. The GPU's refusal is a kindness. From logits both are right: give autocast a loss on logits.
#
# ## Which one, when?
#
# | your labels | your question | take | labels as | beware |
# |---|---|---|---|---|
# | two classes | how probable? | `BCEWithLogitsLoss` | floats 0, 1 | not after a sigmoid |
# | two classes | how probable? | `SoftMarginLoss` | floats −1, +1 | 0 is accepted and teaches nothing; overflows |
# | two classes | yes or no, few samples should matter | hinge, by hand | floats −1, +1 | scores are no probabilities |
# | one of C classes | how probable? | `CrossEntropyLoss` | int64 indices | not after a softmax |
# | one of C classes | which one? | `MultiMarginLoss` | int64 indices | divides by C, not C − 1 |
# | any number of C | how probable, each? | `BCEWithLogitsLoss`, `MultiLabelSoftMarginLoss` | floats 0, 1 | no softmax |
# | any number of C | which ones first? | `MultiLabelMarginLoss` | int64 lists, −1 ends them | no threshold; empty lists are invisible |
# | a distribution | how far off? | `KLDivLoss`, `CrossEntropyLoss` | floats that sum to 1 | log-probabilities first |
#
# In doubt take the one that asks for probabilities: they can be cut, ranked, weighed and, in the next lesson, checked.

# %% [markdown]
# ## In your own words
#
# A classmate trains on labels 0 and 1 with `nn.SoftMarginLoss`. The loss falls in the first epochs and then stays near 0.4; three fifths of the samples have label 0. Explain the number, say what her model predicts, and name two ways to repair it.

# %% [markdown] question="stuck_at_a_level" points=2
# A label of 0 makes the margin 0 · z = 0, so each negative sample costs log 2 = 0.693 whatever the score: three fifths of that is 0.416, and the loss cannot fall below. The gradient comes from the positives only, so all scores are pushed up, and the model
# calls everybody positive. Repair: map the labels to −1 and +1 (2y − 1), or keep 0 and 1 and take `nn.BCEWithLogitsLoss`, which is the same loss and does not overflow.

# %% [markdown]
# ## Recap
#
# - You built the soft margin, which is cross-entropy in other clothes; the hinge, which stops at a margin of 1; the hinge for several classes; and two losses for any number of labels.
# - PyTorch calls them `nn.SoftMarginLoss`, `nn.MultiMarginLoss`, `nn.MultiLabelSoftMarginLoss` and `nn.MultiLabelMarginLoss`, and the same in small letters under `F.`; the plain hinge hides in `nn.MarginRankingLoss`.
# - Three mistakes people make with them: they feed `SoftMarginLoss` labels 0 and 1; they put a softmax where several labels can be right; they read the scores of a margin loss as probabilities.
#
# **Before:** `10_kl_divergence`, where labels were distributions. **Next:** `12_calibration`, which asks whether a probability can be trusted.
#
# **Read on:** PyTorch's list of [loss functions](https://docs.pytorch.org/docs/stable/nn.html#loss-functions); Bishop, *Pattern Recognition and Machine Learning*, section 7.1, for the hinge.
