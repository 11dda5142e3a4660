# %% [markdown]
# # Can the probability be trusted?
#
# A network reads a digit and says: "a 7, with probability 0.99". Among a hundred such answers, about 99 should be right. Are they?
# And if not, can the probabilities be repaired, without training again and without changing a single answer?
#
# In this lesson you draw up the account (reliability), sum it up in one number (the calibration error), see that number fooled, and repair a
# network with a single parameter, the temperature. You need `08_cross_entropy` and, for the temperature, `06_softmax`. About 40 minutes.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import LINE, show

example_logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
y_true = torch.tensor([0, 2, 3, 1])

# %% [markdown]
# ## A network that learned too much
#
# The digits of scikit-learn, with noise laid over the pictures so that the task is not too tame. Three parts: 150 pictures to train on, 400 to
# repair with, and the rest to judge by.

# %%
digits = load_digits()
draw = torch.Generator().manual_seed(0)
order = torch.randperm(len(digits.target), generator=draw)
labels = torch.tensor(digits.target)[order]
pictures = torch.tensor(digits.data, dtype=torch.float64)[order] / 16
pictures = pictures + 0.3 * torch.randn(pictures.shape, generator=draw, dtype=torch.float64)

train, repair, judge = slice(0, 150), slice(150, 550), slice(550, None)
print(f"to train on {len(labels[train])}, to repair with {len(labels[repair])}, to judge by {len(labels[judge])}")

# %% [markdown]
# A small network, trained until it knows its 150 pictures by heart. Predict: on the pictures it has never seen, will its mean confidence be above or
# below its accuracy?

# %%
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).double()
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
for _ in range(200):
    optimizer.zero_grad()
    F.cross_entropy(network(pictures[train]), labels[train]).backward()
    optimizer.step()

logits = network(pictures).detach()
for name, part in [("train", train), ("judge", judge)]:
    confidence, predicted = torch.softmax(logits[part], dim=1).max(dim=1)
    print(f"{name}: accuracy {(predicted == labels[part]).double().mean():.2f}, mean confidence {confidence.mean():.2f}")

# %% [markdown]
# On new pictures the network claims far more than it delivers. It never learned doubt, because in training it was always right in the end.
#
# ## Confidence and accuracy
#
# Two words with a precise meaning from here on:
#
# - the **confidence** of a prediction is the largest probability of its row;
# - a model is **calibrated** if, among all predictions with confidence 0.8, the share of right ones is 0.8, and so on for every confidence.
#
# No two predictions have exactly the same confidence. So sort them into bins: with 10 bins, those from 0.8 to 0.9 lie together. The four samples
# of this course:

# %%
example_p = torch.softmax(example_logits, dim=1)
for row, label in zip(example_p, y_true):
    print(f"says class {row.argmax()} with {row.max():.4f}, bin {int(row.max() * 10)}; true class {label}")

# %% [markdown]
# Two of them in bin 9, one each in bins 6 and 4. All four are wrong: this model was sure, and in every bin its accuracy is 0. By hand, the mean confidence
# in bin 9:

# %%
print(f"({0.9989:.4f} + {0.9677:.4f}) / 2 = {(0.9989 + 0.9677) / 2:.4f}")

# %% [markdown]
# ## Exercise: `reliability`
#
# For every bin: the mean confidence, the accuracy, and the number of samples. A prediction with confidence $c$ belongs to bin
# $\min(\lfloor c \cdot \text{bins} \rfloor,\ \text{bins} - 1)$. Two decisions are yours: what an empty bin does (it is to give 0, not nan), and how to get the mean
# *of a bin*.

# %% exercise="reliability"
def reliability(p, y, bins=10):
    """Mean confidence, accuracy and number of samples of each bin. `p`: probabilities (N, C), `y`: int64 (N,). Three tensors of shape (bins,)."""
    ### BEGIN SOLUTION
    largest, predicted = p.max(dim=1)
    index = (largest * bins).long().clamp(max=bins - 1)         # a confidence of exactly 1 has a bin too
    member = F.one_hot(index, bins).to(p.dtype)                 # (N, bins): which sample is in which bin
    count = member.sum(dim=0)
    size = count.clamp(min=1)                                   # an empty bin: 0 / 1
    return largest @ member / size, (predicted == y).to(p.dtype) @ member / size, count
    ### END SOLUTION

# %%
compare("reliability", example_p, y_true, bins=5)

# %% [markdown]
# And the network:

# %%
account = ready("reliability")
p_before = torch.softmax(logits[judge], dim=1)
print("bin         confidence  accuracy  samples")
for k, (claimed, delivered, count) in enumerate(zip(*account(p_before, labels[judge]))):
    print(f"{k / 10:.1f} to {(k + 1) / 10:.1f}        {claimed:.2f}      {delivered:.2f}     {int(count):4}")

# %% [markdown]
# From 0.4 upwards the accuracy is below the confidence in every bin, by a quarter and more from 0.6 to 0.9. And most of the samples lie in the last bin.
#
# ## One number
#
# Each bin has a gap, $|\text{accuracy} - \text{confidence}|$. The **expected calibration error** (ECE) is their mean. Not the mean over the bins: a bin with
# five samples says less than one with five hundred. So each gap counts with its share of the samples:
#
# $$ \text{ECE} = \sum_{b} \frac{n_b}{N}\, \bigl| \text{acc}_b - \text{conf}_b \bigr| $$
#
# By hand for the four samples, with their three bins:

# %%
print(f"2/4 x {0.9833:.4f} + 1/4 x {0.6047:.4f} + 1/4 x {0.4178:.4f} = {2 / 4 * 0.9833 + 1 / 4 * 0.6047 + 1 / 4 * 0.4178:.4f}")

# %% [markdown]
# ## Exercise: `expected_calibration_error`
#
# Write it. Your own `reliability` gives the three numbers of each bin.

# %% exercise="expected_calibration_error"
def expected_calibration_error(p, y, bins=10):
    """ECE over `bins` equal bins of confidence. `p`: probabilities (N, C), `y`: int64 (N,). Returns a 0-d tensor of the dtype of p."""
    ### BEGIN SOLUTION
    claimed, delivered, count = reliability(p, y, bins)
    return (count * (delivered - claimed).abs()).sum() / count.sum()
    ### END SOLUTION

# %%
ece = ready("expected_calibration_error")
print(f"four samples {ece(example_p, y_true):.4f}")
for bins in (5, 10, 20, 40):
    print(f"network, {bins:2} bins: {ece(p_before, labels[judge], bins=bins):.2f}")

# %% [markdown]
# The number of bins matters little here, but it is part of the number: an ECE without its bins is not comparable.
#
# ## A number that can be fooled
#
# Meet a competitor that never looks at the picture. To every digit it gives the share of that digit among the pictures to repair with, about one tenth
# each. Which has the lower calibration error: this one, or the network?

# %%
shares = torch.bincount(labels[repair], minlength=10).double() / 400
p_blind = shares.expand(len(p_before), 10)
for name, p in [("network", p_before), ("blind", p_blind)]:
    right = (p.argmax(dim=1) == labels[judge]).double().mean()
    print(f"{name:8} accuracy {right:.2f}, calibration error {ece(p, labels[judge]):.2f}")

# %% [markdown]
# The blind one wins by far. It claims little and delivers little, so its account is balanced. Calibration is honesty, not knowledge. A score that is best
# only for the true probabilities is called **proper**; the calibration error is not one.
#
# Cross-entropy is proper. So is the **Brier score**, the squared distance between the predicted row and the one-hot label $e_y$:
#
# $$ \text{Brier} = \frac{1}{N} \sum_{i} \sum_{c} \bigl( p_{ic} - e_{ic} \bigr)^2 $$
#
# By hand, for one sample with probabilities 0.7, 0.2, 0.1 and true class 0:

# %%
print(f"{(0.7 - 1)**2:.2f} + {0.2**2:.2f} + {0.1**2:.2f} = {(0.7 - 1)**2 + 0.2**2 + 0.1**2:.2f}")

# %% [markdown]
# ## Exercise: `brier_score`
#
# Write it for a whole batch. Your decision: over which dimension there is a sum, and over which a mean.

# %% exercise="brier_score"
def brier_score(p, y):
    """Brier score. `p`: probabilities (N, C), `y`: int64 (N,). Returns a 0-d tensor of the dtype of p."""
    ### BEGIN SOLUTION
    target = F.one_hot(y, p.shape[1]).to(p.dtype)
    return ((p - target) ** 2).sum(dim=1).mean()
    ### END SOLUTION

# %%
brier = ready("brier_score")
for name, p in [("network", p_before), ("blind", p_blind)]:
    loss = F.nll_loss(p.log(), labels[judge])
    print(f"{name:8} calibration error {ece(p, labels[judge]):.2f}  Brier {brier(p, labels[judge]):.2f}  cross-entropy {loss:.2f}")

one_hot_labels = F.one_hot(labels[judge], 10).double()
print(f"modular, 10 x nn.MSELoss    {10 * nn.MSELoss()(p_before, one_hot_labels):.2f}")
print(f"functional, 10 x F.mse_loss {10 * F.mse_loss(p_before, one_hot_labels):.2f}")
assert torch.isclose(brier(p_before, labels[judge]), 10 * F.mse_loss(p_before, one_hot_labels))

# %% [markdown]
# The proper scores are not fooled: both put the network first. PyTorch has no Brier score; it is C times the mean squared error on one-hot labels, because
# `mse_loss` also divides by the number of classes.
#
# ## The repair: one number
#
# The network is too sure. Divide all its logits by a **temperature** $T$ before the softmax. For $T > 1$ the probabilities move closer together. Their order stays
# as it was, and with it every answer. On the third of the four samples:

# %%
for temperature in (0.5, 1.0, 3.0):
    print(f"T = {temperature}:", torch.softmax(example_logits[2] / temperature, dim=0))

# %% [markdown]
# Which $T$ is best? Ask a proper score, and pictures that the network was not trained on (on its own 150 it is right, so it would want to be surer still).
# Look at the cross-entropy of the logits divided by $T$, as value and as slope:

# %%
z_repair, y_repair = logits[repair], labels[repair]
for temperature in (0.5, 1.0, 2.0, 4.0, 8.0):
    t = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z_repair / t, y_repair)
    loss.backward()
    print(f"T = {temperature}: cross-entropy {loss.item():.2f}, slope {t.grad.item():+.2f}")

# %% [markdown]
# The slope changes its sign between two of these: there lies the minimum.
#
# ## Exercise: `fit_temperature`
#
# Find it, to half a per cent. How is your decision: a grid that gets finer, bisection on the slope, gradient descent (on $\log T$, so that $T$ stays positive). Only
# mind that a model can also be too modest, and $T$ below 1. The temperatures that your function is tried on lie between 0.1 and 30.

# %% exercise="fit_temperature"
def fit_temperature(z, y):
    """The T > 0 that minimises the cross-entropy of z / T. `z`: logits (N, C), `y`: int64 (N,). Returns a float or a 0-d tensor."""
    ### BEGIN SOLUTION
    z, low, high = z.detach().double(), -5.0, 5.0               # the ends of the search, on the scale of log T
    for _ in range(40):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(F.cross_entropy(z / middle.exp(), y), middle)
        low, high = (low, middle.item()) if slope > 0 else (middle.item(), high)
    return torch.tensor((low + high) / 2).exp()
    ### END SOLUTION

# %%
search = ready("fit_temperature")
T = float(search(z_repair, y_repair))
p_after = torch.softmax(logits[judge] / T, dim=1)
print(f"temperature {T:.1f}")
for name, p in [("before", p_before), ("after", p_after)]:
    right = (p.argmax(dim=1) == labels[judge]).double().mean()
    loss = F.nll_loss(p.log(), labels[judge])
    print(f"{name:6} accuracy {right:.2f}  ECE {ece(p, labels[judge]):.2f}  Brier {brier(p, labels[judge]):.2f}  cross-entropy {loss:.2f}")

modular = nn.CrossEntropyLoss()(logits[judge] / T, labels[judge])
assert torch.isclose(modular, F.cross_entropy(logits[judge] / T, labels[judge])) and torch.isclose(modular, loss)

# %% [markdown]
# One number, found on 400 other pictures: the calibration error falls to about a quarter, both proper scores improve, and the accuracy is the same, because no answer
# has changed. The picture that belongs to it is the **reliability diagram**:

# %%
fig, panels = plt.subplots(1, 2, sharey=True)
for panel, name, p, style in [(panels[0], "before", p_before, "broken"), (panels[1], f"after, T = {T:.1f}", p_after, "repaired")]:
    claimed, delivered, count = account(p, labels[judge])
    full = count > 0
    panel.plot([0, 1], [0, 1], **LINE["reference"], label="calibrated")
    panel.plot(claimed[full], delivered[full], **LINE[style], marker="o", label="network")
    panel.bar(torch.arange(10) / 10 + 0.05, count / count.sum(), width=0.09, color="lightgrey", zorder=0, label="share of samples")
    panel.set(title=name, xlabel="confidence", xlim=(0, 1), ylim=(0, 1.02))
panels[0].set(ylabel="accuracy")
panels[0].legend(loc="upper left")
show("Two reliability diagrams, accuracy against confidence. Before: the network's line runs well below the diagonal, and most samples lie in the last bin. "
     "After: the line keeps close to the diagonal, and the samples are spread over the bins.")

# %% [markdown]
# Left, before: the line runs below the diagonal, as it does where claims exceed deeds. Right, after: it keeps close to the diagonal, and the grey bars, the share
# of samples in each bin, have spread out. The network now says "perhaps".
#
# ## Probabilities in the place of logits
#
# A frequent mistake: the model ends in a softmax, and its *probabilities* are handed to the search as if they were logits. Nothing is refused. Predict: will the
# temperature come out above 1, as it should?

# %%
T_wrong = float(search(torch.softmax(z_repair, dim=1), y_repair))
print(f"temperature from logits        {T:.2f}")
print(f"temperature from probabilities {T_wrong:.2f}")
for name, z in [("logits", z_repair), ("probabilities", torch.softmax(z_repair, dim=1))]:
    t = torch.ones((), dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z / t, y_repair)
    loss.backward()
    print(f"{name:13} at T = 1: cross-entropy {loss.item():.2f}, slope {t.grad.item():+.2f}")
p_wrong = torch.softmax(logits[judge] / T_wrong, dim=1)
print(f"ECE: {ece(p_before, labels[judge]):.2f} before, {ece(p_after, labels[judge]):.2f} repaired, {ece(p_wrong, labels[judge]):.2f} with the wrong temperature")

# %% [markdown]
# Even the *sign* of the slope is wrong. Probabilities lie between 0 and 1, so their softmax is almost flat, and the search cries for a small $T$. Put into use, it
# makes the sure network surer still. The two searches as a picture:

# %%
temperatures = torch.logspace(-1, 1, 60, dtype=torch.float64)
fig, (left, right) = plt.subplots(1, 2)
for name, z, style in [("logits", z_repair, "repaired"), ("probabilities", torch.softmax(z_repair, dim=1), "broken")]:
    left.plot(temperatures, [F.cross_entropy(z / t, y_repair) for t in temperatures], **LINE[style], label=name)
right.plot(temperatures, [ece(torch.softmax(logits[judge] / t, dim=1), labels[judge]) for t in temperatures], **LINE["reference"])
for value, style, marker in [(T, "repaired", "o"), (T_wrong, "broken", "s")]:
    error = ece(torch.softmax(logits[judge] / value, dim=1), labels[judge])
    right.plot(value, error, color=LINE[style]["color"], marker=marker, markersize=9)
left.set(title="what the search sees", xlabel="temperature T", ylabel="cross-entropy", xscale="log", ylim=(0, 4))
right.set(title="what comes of it", xlabel="temperature T", ylabel="calibration error", xscale="log", ylim=(0, None))
left.legend()
show("Left, cross-entropy against the temperature: fed with logits the minimum lies above 1, fed with probabilities below 1. Right, the calibration error of the network "
     "against the temperature: the circle, from logits, lies in the valley; the square, from probabilities, lies high on the left slope.")

# %% [markdown]
# Left: both curves have a clean minimum, on different sides of 1, so nothing looks suspicious. Right: the circle (from logits) lies in the valley, the square (from
# probabilities) high above it.
#
# If only probabilities are left, their logarithms will do: they differ from the logits by a constant in each row, and the softmax does not see it.

# %%
print(f"temperature from log-probabilities {float(search(torch.softmax(z_repair, dim=1).log(), y_repair)):.2f}")

# %% [markdown]
# ## In your own words
#
# A colleague chooses among ten models by the lowest calibration error, and fits the temperature on the training pictures. Explain what goes wrong
# with each of the two, and what you would do instead.

# %% [markdown] question="choose_and_fit" points=2
# The calibration error is not a proper score: a model that ignores its input and always gives the shares of the classes has an error near 0 and knows nothing. Choose by
# a proper score (cross-entropy or Brier) on held-out data, and report the calibration error beside it.
#
# On the training pictures the network is nearly always right, so the best temperature there is small and makes it surer. Fit it on data that neither trained
# the network nor judges it.

# %% [markdown]
# ## Recap
#
# - You built the account of a model's claims, the calibration error, the Brier score and temperature scaling.
# - PyTorch has none of the four under a name of its own: the Brier score is C times `nn.MSELoss` or `F.mse_loss` on one-hot labels, the temperature's loss is
#   `nn.CrossEntropyLoss` or `F.cross_entropy` of `z / T`.
# - Three mistakes people make: they hand probabilities to a method that wants logits; they choose models by the calibration error;
#   they fit the temperature on the data that the network was trained on.
#
# **Before:** `11_margins_and_multilabel`, where scores were no probabilities. **Next:** `13_clinic`, eight scripts that run and are wrong.
#
# **Read on:** Guo et al., [*On Calibration of Modern Neural Networks*](https://arxiv.org/abs/1706.04599); PyTorch's page of
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html); scikit-learn's
# [guide to probability calibration](https://scikit-learn.org/stable/modules/calibration.html).
