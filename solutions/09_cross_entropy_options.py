# %% [markdown]
# # Which answers count, and how much?
#
# Real labels are untidy. One class is rare and must not be missed. Some labels are unknown. Others are doubtful, or a vote of five experts, or there is one for every word
# of a text. **What should the loss do with each of them?**
#
# `CrossEntropyLoss` has an option for each of these cases, and some of the options hide a surprise. You rebuild all of them, and compare values and slopes with PyTorch's; where
# it answers nan you will know why. Every exercise is tested at logits of ±1000 as well. You need `08_cross_entropy`. About 60 minutes, in two sittings if you like: the
# second begins at "Labels that are distributions". Parts that are folded are optional.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

y_true = torch.tensor([0, 2, 3, 1])
logits = torch.tensor([[-5.0, 10.0, 1.2,  3.0, -4.0],
                       [ 5.0, -4.0, 0.1,  1.0,  0.1],
                       [ 1.0,  3.0, 2.5, -0.1,  2.5],
                       [-7.0,  2.5, 0.1,  3.1,  0.2]])
print("each sample", F.cross_entropy(logits, y_true, reduction="none"))
print(f"mean        {F.cross_entropy(logits, y_true):.4f}")

# %% [markdown]
# ## Some classes count more
#
# Say class 2 is the dangerous one, and a sample of class 2 should count five times. Each class $c$ gets a weight $w_c$, each sample has the weight of its label, and the loss
# is a *weighted mean*:
#
# $$ L = \frac{\sum_n w_{y_n} \, \ell_n}{\sum_n w_{y_n}} $$
#
# By hand. The labels 0, 2, 3, 1 have the weights 1, 5, 1, 1:

# %%
total = 1 * 15.0011 + 5 * 4.9328 + 1 * 3.9727 + 1 * 1.1030
print(f"divided by the 4 samples         {total / 4:.4f}")
print(f"divided by 8, the sum of weights {total / 8:.4f}")


# %% [markdown]
# Which of the two deserves to be called a mean? Think of weights 2 everywhere: all classes count alike, so nothing should change. Only one of the two divisions does that.
#
# ## Exercise: `weighted_cross_entropy`
#
# Weights are given by *class*, losses by *sample*. Decide how to get from one to the other, for any batch.

# %% exercise="weighted_cross_entropy"
def weighted_cross_entropy(z, y, weight):
    """Weighted mean of the losses, a 0-d tensor.

    z: (N, C) logits; y: (N,) int64; weight: (C,), one for each class.
    """
    ### BEGIN SOLUTION
    losses = torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]
    own = weight[y]
    return (own * losses).sum() / own.sum()
    ### END SOLUTION


# %%
weight = torch.tensor([1.0, 1.0, 5.0, 1.0, 2.0])
weighted_ready = ready("weighted_cross_entropy")
print(f"yours               {weighted_ready(logits, y_true, weight):.4f}")
print(f"PyTorch             {F.cross_entropy(logits, y_true, weight=weight):.4f}")
print(f"yours, twice weight {weighted_ready(logits, y_true, 2 * weight):.4f}")

# %% [markdown]
# Here is the first surprise. Suppose you look at each sample's loss, and average afterwards. Predict: is that the same number?
# Guess it first, as `"yes"` or `"no"`, then run.

# %%
guess("none_averaged_afterwards", ..., sure=...)

# %%
each = F.cross_entropy(logits, y_true, weight=weight, reduction="none")
print(each)
print(f"mean of those     {each.mean():.4f}")
print(f"reduction='mean'  {F.cross_entropy(logits, y_true, weight=weight):.4f}")
guessed("none_averaged_afterwards", "no", choices=("yes", "no"))

# %% [markdown]
# No: `"none"` gives weighted losses, and their ordinary mean divides by N. What if all weights in a batch are 0? Then the mean is 0 divided by 0, in value and
# gradient:

# %%
nothing = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])          # only class 4 counts, and no sample has it
z = logits.clone().requires_grad_(True)
loss = F.cross_entropy(z, y_true, weight=nothing)
(slope,) = torch.autograd.grad(loss, z)
print(f"all of weight 0: loss {loss.item()}, slopes of sample 1 {slope[0]}")

# %% [markdown]
# One training step with these slopes, and the model is lost. It takes a class of weight 0 and a batch that holds nothing else: the smaller the batch, the sooner. So give no class
# the weight 0, or look at the sum of the weights first.

# %% [markdown]
# ## Labels that nobody knows
#
# Two of the four photographs were never labelled. A tensor of labels needs a number there all the same. What does a loss that picks by index make of −1, and of −100? Predict both.

# %%
log_p = torch.log_softmax(logits, dim=1)
for unknown in (-1, -100):
    try:
        print(f"{unknown:4}: {-log_p[torch.arange(4), torch.tensor([0, unknown, 3, unknown])]}")
    except IndexError as error:
        print(f"{unknown:4}: IndexError: {str(error)[:60]}")

# %% [markdown]
# −1 is silently the last class, as in any Python list. −100 is out of bounds here, and is PyTorch's default sign for "unknown": `ignore_index=-100`. With 200 classes it
# is out of bounds no longer:

# %%
log_p_200 = torch.log_softmax(torch.randn(1, 200, generator=torch.Generator().manual_seed(0)), dim=1)
print(f"indexed with -100: {log_p_200[0, -100]:.4f}, class 100: {log_p_200[0, 100]:.4f}")


# %% [markdown]
# So never index with a label that means "unknown".
#
# ## Exercise: `masked_cross_entropy`
#
# Write the mean loss of the samples that have a label. You have two decisions to make: when to take the others out, so that nothing is indexed with −100; and what to divide by.
# `ignore_index` may be any number, also that of a class. (With no label left at all, a mean of nothing is nan. Leave it so.)

# %% exercise="masked_cross_entropy"
def masked_cross_entropy(z, y, ignore_index=-100):
    """Mean loss of the samples with y != ignore_index, 0-d; nan if all are ignored.

    z: (N, C) logits; y: (N,) int64.
    """
    ### BEGIN SOLUTION
    keep = y != ignore_index
    z, y = z[keep], y[keep]
    return (torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]).mean()
    ### END SOLUTION


# %%
y_half = torch.tensor([0, -100, 3, -100])
masked_ready = ready("masked_cross_entropy")
print(f"by hand (15.0011 + 3.9727) / 2 = {(15.0011 + 3.9727) / 2:.4f}")
print(f"yours   {masked_ready(logits, y_half):.4f}")
print(f"PyTorch {F.cross_entropy(logits, y_half):.4f}")

# %% [markdown]
# ## When nothing is left
#
# Suppose a short batch in which, by chance, every label is unknown. Value and gradient, for the mean and for the sum:

# %%
z = logits.clone().requires_grad_(True)
nobody = torch.full((4,), -100)
for reduction in ("mean", "sum"):
    loss = F.cross_entropy(z, nobody, reduction=reduction)
    (slope,) = torch.autograd.grad(loss, z)
    print(f"{reduction:4}: loss {loss.item()}, largest slope {slope.abs().max().item()}")
print("yours, mean:", masked_ready(logits, nobody).item())

# %% [markdown]
# The mean is $0/0$, and nan is the right answer: a mean of no losses does not exist. PyTorch's slopes are 0, unlike those of a batch of zero *weights* above, so the model survives;
# but add this nan to a running total, and that is nan for good. Skip such batches, or divide the sum by `max(count, 1)` if a 0 is what you mean.

# %% [markdown]
# ## The row, not the class
#
# Does `ignore_index=0` take class 0 out of the game? Look at which slopes are zero.

# %%
z = logits.clone().requires_grad_(True)
(slope,) = torch.autograd.grad(F.cross_entropy(z, y_true, ignore_index=0), z)
print(slope)

# %% [markdown]
# Sample 1, whose label is 0, has no slope: its *row* is out. Class 0, the first column, is still there for the others, and each of them pushes it down. What a model learns
# from that you see on the digits below.
#
# ## Ignored, and still poisonous
#
# Ignored samples may be padding, and padding may hold anything. Let the logits of sample 2 be $-\infty$, and ignore it:

# %%
padded = logits.clone()
padded[1] = -torch.inf
z = padded.requires_grad_(True)
for name, loss in [("PyTorch", F.cross_entropy(z, y_half)), ("yours", masked_ready(z, y_half))]:
    (slope,) = torch.autograd.grad(loss, z)
    print(f"{name:7} loss {loss:.4f}, slopes of sample 2: {slope[1]}")

# %% [markdown]
# In PyTorch the value is right and the slope is nan. The softmax of that row is nan, and on the way back 0 times nan is nan; through the weights that all rows share, it reaches
# the whole model. The repair is to treat such rows *before* the softmax. If your answer does so, the second line shows zeros; if it sets losses to 0 afterwards, it passes
# its check and shows nan here, like PyTorch. (The last exercise of this lesson will not let that pass.)

# %% [markdown]
# ## Labels that are too sure
#
# A one-hot label demands probability 1. Up to rounding, softmax gives that for no finite logits, so training keeps pushing them apart. **Label smoothing** demands less: it takes
# a share $s$ of each label and spreads it evenly over all $C$ classes.
#
# $$ q_{nc} = (1 - s) \, y_{nc} + \frac{s}{C} $$
#
# With $s = 0.1$ and five classes:

# %%
s, C = 0.1, 5
print(f"true class   {1 - s + s / C:.2f}")
print(f"each other   {s / C:.2f}")
print(f"together     {(1 - s + s / C) + 4 * s / C:.2f}")


# %% [markdown]
# Mind that the true class gets a share of the $s$ as well: 0.92, not 0.90. The paper that introduced smoothing (linked at the end) and PyTorch define it in this way.
#
# ## Exercise: `smoothed_cross_entropy`
#
# The loss is the cross-entropy against $q$: $-\sum_c q_{nc} \log p_{nc}$, averaged over the samples. You can build the matrix $q$. Or put its formula into the sum first, on paper:
# the sum splits into a part that you know and a part that needs no label at all. Choose one of the two.

# %% exercise="smoothed_cross_entropy"
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    """Mean cross-entropy against smoothed labels, a 0-d tensor.

    z: (N, C) logits; y: (N,) int64; 0 <= label_smoothing <= 1.
    """
    ### BEGIN SOLUTION
    log_p = torch.log_softmax(z, dim=1)
    own, even = -log_p[torch.arange(len(y)), y], -log_p.mean(dim=1)
    return ((1 - label_smoothing) * own + label_smoothing * even).mean()
    ### END SOLUTION


# %%
compare("smoothed_cross_entropy", logits, y_true, label_smoothing=0.1)

# %% [markdown]
# What does smoothing do to a model that is getting better and better? One sample, label 0, all other logits 0. Push the logit of class 0 up and watch the loss.

# %%
x = torch.linspace(-2, 10, 1201, dtype=torch.float64, requires_grad=True)
z = torch.cat([x[:, None], torch.zeros(1201, 4, dtype=torch.float64)], dim=1)

# %%
# loss and slope against the logit of the true class, with and without smoothing
fig, (left, right) = plt.subplots(1, 2)
for s, look in [(0.0, LINE["cross-entropy"]), (0.1, LINE["smoothed"]), (0.3, LINE["smoothed"] | {"linestyle": ":"})]:
    loss = F.cross_entropy(z, torch.zeros(1201, dtype=torch.int64), label_smoothing=s, reduction="none")
    (slope,) = torch.autograd.grad(loss.sum(), x, retain_graph=True)
    low = loss.argmin()
    print(f"s = {s:.1f}: lowest loss {loss[low]:.4f} at logit {x[low]:.2f}, slope at the right edge {slope[-1]:+.4f}")
    for ax, values in (left, loss), (right, slope):
        ax.plot(x.detach(), values.detach(), **look, label=f"s = {s}")
        ax.plot(x[low].item(), values[low].item(), "ko")
left.set(title="loss", xlabel="logit of the true class", ylabel="loss", ylim=(0, 4)), left.legend()
right.set(title="slope", xlabel="logit of the true class", ylabel="d loss / d logit"), right.axhline(0, **LINE["reference"])
show("Two plots against the logit of the true class. Left, the loss: without smoothing it falls towards 0 for ever; with s = 0.1 and 0.3 it has a lowest point, "
     "marked by a dot, at about 0.4 and 0.9, and rises again after it. Right, the slope: without smoothing it stays below 0; with smoothing it crosses 0 at the dots.")

# %% [markdown]
# Left: smoothing puts a **floor** under the loss, and beyond its lowest point (the dot) being surer costs *more*. Right: there the slope changes its sign. (Without smoothing
# the "lowest point" is the edge of the picture.)
#
# The floor is reached where the model says exactly $q$. Its height, $-\sum_c q_c \log q_c$, is called the entropy of $q$ (lesson 10):

# %%
for s in (0.1, 0.3):
    true, other = 1 - s + s / 5, s / 5
    floor = -(true * math.log(true) + 4 * other * math.log(other))
    print(f"s = {s}: floor {floor:.4f}, reached at logit {math.log(true / other):.2f}")


# %% [markdown]
# So a training loss of 0.39 may be perfect. Compare losses only between runs with the same smoothing, and report the validation loss without it.
#
# What is smoothing good for? Müller, Kornblith and Hinton [measured](https://arxiv.org/abs/1906.02629) that it makes networks better calibrated, the subject of lesson 12, and makes
# them worse teachers, the subject of lesson 10: with all wrong classes pulled to the same height, less is left of what the network knows about their likeness.
#
# ## Labels that are distributions
#
# Five experts look at a photograph; three say class 0, two say class 1. That label is a row $q$ = (0.6, 0.4, 0, 0, 0), and the definition of lesson 08 applies to it as it is.
#
# ## Exercise: `soft_cross_entropy`
#
# A warm-up for what follows: now $q$ may be any distribution, and the gradient has to reach $q$ too (a teacher model may have made it). Decide what to sum over and what
# to average over.

# %% exercise="soft_cross_entropy"
def soft_cross_entropy(z, q):
    """Mean cross-entropy against class probabilities, a 0-d tensor.

    z: (N, C) logits; q: (N, C), rows sum to 1.
    """
    ### BEGIN SOLUTION
    return -(q * torch.log_softmax(z, dim=1)).sum(dim=1).mean()
    ### END SOLUTION


# %%
soft_ready = ready("soft_cross_entropy")
one_hot = F.one_hot(y_true, 5).float()
print(f"one-hot rows       {soft_ready(logits, one_hot):.4f}   class numbers   {F.cross_entropy(logits, y_true):.4f}")
print(f"smoothed rows      {soft_ready(logits, 0.9 * one_hot + 0.1 / 5):.4f}   label_smoothing {F.cross_entropy(logits, y_true, label_smoothing=0.1):.4f}")
print(f"two experts differ {soft_ready(logits[:1], torch.tensor([[0.6, 0.4, 0.0, 0.0, 0.0]])):.4f}")

# %% [markdown]
# Class numbers, one-hot rows, smoothed rows: one loss. Now give PyTorch the *same* labels in both forms, with the weights from above. Predict: the same number?

# %%
as_numbers = F.cross_entropy(logits, y_true, weight=weight)
as_rows = F.cross_entropy(logits, one_hot, weight=weight)
print(f"class numbers {as_numbers:.4f}")
print(f"one-hot rows  {as_rows:.4f}")
print(f"ratio         {as_rows / as_numbers:.4f}")

# %% [markdown]
# Not the same: with rows of probabilities PyTorch divides by N = 4, and not by the sum of weights, 8. The same labels in another encoding give twice the loss, and twice the slopes.
#
# ## A forbidden class
#
# Some models rule classes out by setting their logit to $-\infty$: a chess move that is not legal. Rule out class 4, which is no sample's label. Three ways to give the same labels:

# %%
z = logits.clone()
z[:, 4] = -torch.inf
z.requires_grad_(True)
for name, target, s in [("class numbers", y_true, 0.0), ("one-hot rows", one_hot, 0.0), ("smoothing 0.1", y_true, 0.1)]:
    loss = F.cross_entropy(z, target, label_smoothing=s)
    (slope,) = torch.autograd.grad(loss, z)
    print(f"{name:14} loss {loss:.4f}, slopes of sample 1 {slope[0]}")

# %% [markdown]
# Class numbers do not touch the forbidden class, and the loss is finite. One-hot rows multiply $0 \cdot \log 0 = 0 \cdot (-\infty)$, which is nan. Smoothing demands 0.02 of a class that has
# probability 0, which costs inf, and rightly so. The slopes are finite each time, so with the last two training goes on while the printed loss is useless.

# %% [markdown] fold="A repair for rows of probabilities"
# Where $q$ is 0, leave the log-probability out. Value and slopes:

# %% fold="A repair for rows of probabilities, in code"
# a repair for rows of probabilities, in value and slope
log_p = torch.log_softmax(z, dim=1).masked_fill(one_hot == 0, 0.0)     # 0 · 0 instead of 0 · (−inf)
loss = -torch.einsum("nc,nc->", one_hot, log_p) / 4
(slope,) = torch.autograd.grad(loss, z)
print(f"loss {loss:.4f}, slopes of sample 1 {slope[0]}")

# %% [markdown]
# ## A label for every word
#
# Take the four samples as two sentences of two words. A model whose last layer is `nn.Linear` gives (N, L, C): sentence, word, class. The loss expects the classes in
# **dimension 1**: (N, C, L), with labels (N, L).

# %%
as_text = logits.reshape(2, 2, 5)              # (N, L, C)
words = y_true.reshape(2, 2)                   # (N, L)
print(f"classes moved to dimension 1: {F.cross_entropy(as_text.movedim(2, 1), words):.4f}")
try:
    F.cross_entropy(as_text, words)
except (RuntimeError, IndexError, ValueError) as error:
    print(f"(N, L, C) as it is: {type(error).__name__}: {str(error).splitlines()[0][:60]}")

# %% [markdown]
# The mistake was noticed because the shapes did not fit. They do fit when there are as many words as classes. Here are two sentences of five words, and a model
# that is nearly certain and *right* about every word. Predict the loss if its logits are passed as they are, (N, L, C). Guess it first (within 1 counts as right), then run.

# %%
guess("a_right_model_with_the_wrong_dimension", ..., sure=...)

# %%
right_classes = torch.tensor([[0, 0, 1, 0, 2], [3, 0, 0, 4, 4]])
sure = 10.0 * F.one_hot(right_classes, 5).float()            # (N, L, C) with L = C = 5: logit 10 for the right class, 0 for the others
print(f"(N, C, L), right {F.cross_entropy(sure.movedim(2, 1), right_classes):.4f}")
print(f"(N, L, C), wrong {F.cross_entropy(sure, right_classes):.4f}")
guessed("a_right_model_with_the_wrong_dimension", F.cross_entropy(sure, right_classes), within=1)
print(f"knowing nothing  {math.log(5):.4f}")


# %% [markdown]
# There is no error and no warning: the softmax compared words with each other instead of classes. A right model looks worse than
# one that knows nothing, and in practice you would see only the second of these numbers.
#
# ## Exercise: `sequence_cross_entropy`
#
# Write the loss for z (N, C, L) and y (N, L): the mean over all N·L words. Decide how to pick, at each of the N·L places, one number along dimension 1. (A `reshape` alone mixes words
# up: it keeps the order in memory and does not know what a class is.)

# %% exercise="sequence_cross_entropy"
def sequence_cross_entropy(z, y):
    """Mean cross-entropy over all positions, a 0-d tensor.

    z: (N, C, L) logits; y: (N, L) int64.
    """
    ### BEGIN SOLUTION
    log_p = torch.log_softmax(z, dim=1)
    return -log_p.gather(1, y.unsqueeze(1)).mean()
    ### END SOLUTION


# %%
sequence_ready = ready("sequence_cross_entropy")
print(f"two sentences   {sequence_ready(as_text.movedim(2, 1), words):.4f}")
print(f"sure, and right {sequence_ready(sure.movedim(2, 1), right_classes):.4f}")

# %% [markdown]
# Images work alike: z (N, C, H, W), y (N, H, W), one label a pixel. PyTorch's documentation calls all of these the "K-dimensional case".
#
# ## All of it at once
#
# Options meet. For a kept sample, with weights *and* smoothing, each class's share $q_{nc}$ of the label is multiplied by the weight of that class:
#
# $$ \ell_n = -\sum_c w_c\, q_{nc} \log p_{nc} $$
#
# An ignored sample has $\ell_n = 0$. The sum is $\sum_n \ell_n$. And the mean? Here is the second surprise: for sample 4 alone, with the weights from above and $s = 0.1$,

# %%
last, label = logits[3:], y_true[3:]
print("-log p   ", -torch.log_softmax(last, dim=1)[0])
print("weights  ", weight)
print(f"sum       {F.cross_entropy(last, label, weight=weight, label_smoothing=0.1, reduction='sum'):.4f}")
print(f"mean      {F.cross_entropy(last, label, weight=weight, label_smoothing=0.1):.4f}")


# %% [markdown]
# Work it out by hand: 0.92 or 0.02, times the weight, times $-\log p$, for each class. The mean equals the sum, so it was divided by 1, the weight of the *label* alone: the weights of
# the classes that share in the smoothing are in the sum above and not in the divisor. A weighted mean in the strict sense would divide by them as well; PyTorch does not, and neither should you.
#
# ## Exercise: `full_cross_entropy`
#
# Every option for class numbers. Decide on the order: what happens to an ignored label before it is used as an index, where each weight enters, and what the mean divides by. With
# `"none"` each sample keeps its place. In one point be better than PyTorch: an ignored row may hold $-\infty$, and its slopes should be 0.

# %% exercise="full_cross_entropy"
def full_cross_entropy(
    z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
):
    """Everything that F.cross_entropy does with class numbers.

    z: (N, C) logits; y: (N,) int64; weight: (C,), or None.
    Returns a 0-d tensor, nan for the mean if all are ignored;
    for reduction="none" (N,), 0 where ignored.
    """
    ### BEGIN SOLUTION
    keep = y != ignore_index
    # an ignored row may hold -inf, and its label is no column: make both harmless
    z, label = torch.where(keep[:, None], z, 0), torch.where(keep, y, 0)
    log_p = torch.log_softmax(z, dim=1)
    w = torch.ones_like(z[0]) if weight is None else weight

    def reduced(losses):
        losses = torch.where(keep, losses, 0)
        if reduction == "none":
            return losses
        total = losses.sum()
        return total if reduction == "sum" else total / (w[label] * keep).sum()

    own = reduced(-w[label] * log_p.gather(1, label.unsqueeze(1)).squeeze(1))
    if label_smoothing == 0:
        return own  # the rest would be 0 * inf where a logit is -inf
    even = reduced(-(w * log_p).mean(dim=1))
    return (1 - label_smoothing) * own + label_smoothing * even
    ### END SOLUTION


# %% [markdown]
# One answer, all combinations: weights or not, −100 or a class ignored, three reductions, smoothing or not. Value and slopes against PyTorch's.

# %%
full_ready = ready("full_cross_entropy")
z = logits.double().requires_grad_(True)
y_some = torch.tensor([0, 2, -100, 1])
checked, largest = 0, 0.0
for w, ignore, reduction, s in itertools.product((None, weight.double()), (-100, 2), ("mean", "sum", "none"), (0.0, 0.1)):
    options = dict(weight=w, ignore_index=ignore, reduction=reduction, label_smoothing=s)
    target = y_some if ignore == -100 else y_true
    losses = full_ready(z, target, **options), F.cross_entropy(z, target, **options)
    slopes = [torch.autograd.grad(loss.sum(), z)[0] for loss in losses]
    largest = max(largest, (losses[0] - losses[1]).abs().max().item(), (slopes[0] - slopes[1]).abs().max().item())
    checked += 1
print(f"{checked} combinations, largest difference below 1e-12: {largest < 1e-12}")

# %% [markdown]
# What about the nans? There are two ways to an empty mean: nothing is kept, or all that is kept has weight 0. With smoothing, PyTorch averages the label's part and the part that is spread evenly
# [separately](https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/LossNLL.cpp), so the first is $0/0$ even where the second is a number divided by 0.

# %%
for name, target, w in [("all ignored", nobody, None), ("all of weight 0", y_true, nothing)]:
    for s in (0.0, 0.1):
        print(f"{name:15} smoothing {s}: PyTorch {F.cross_entropy(logits, target, weight=w, label_smoothing=s):.4f}, "
              f"yours {full_ready(logits, target, weight=w, label_smoothing=s):.4f}")

# %% [markdown]
# If your last line says inf, you add the two parts up before you divide. That passes the check: inf and nan are equally useless here.
#
# The modular API gets the options when it is built, and the loss keeps the weights itself: a *buffer*, which moves to another device with `loss_fn.to(…)`, and with the model only if the loss is a part of it.

# %%
settings = dict(ignore_index=-100, label_smoothing=0.1)
loss_fn = nn.CrossEntropyLoss(weight=weight, **settings)
results = {
    "yours": full_ready(logits, y_some, weight=weight, **settings),
    "modular, nn.CrossEntropyLoss": loss_fn(logits, y_some),
    "functional, F.cross_entropy": F.cross_entropy(logits, y_some, weight=weight, **settings),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])
print("kept with the module:", [name for name, _ in loss_fn.named_buffers()])


# %% [markdown] fold="Optional: all options with probabilities, sentences and images"
# What is left: options together with rows of probabilities, and with sentences or images. Both need only what you have built: move the classes to the end, flatten, and put the
# result back into shape.

# %% fold="Optional: F.cross_entropy, complete"
# optional: F.cross_entropy, complete
def everything(z, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """F.cross_entropy for z (N, C, d1, …): class numbers (N, d1, …) or probabilities (N, C, d1, …)."""
    flat, places = z.movedim(1, -1), z[:, 0].shape
    flat = flat.reshape(-1, flat.shape[-1])
    if not target.is_floating_point():
        result = full_ready(flat, target.flatten(), weight, ignore_index, reduction, label_smoothing)
        return result.reshape(places) if reduction == "none" else result
    q = target.movedim(1, -1).reshape(flat.shape)
    q = (1 - label_smoothing) * q + label_smoothing / flat.shape[1]
    shares = q if weight is None else q * weight
    losses = -torch.einsum("nc,nc->n", shares, torch.log_softmax(flat, dim=1))
    if reduction != "none":
        return losses.sum() / (len(losses) if reduction == "mean" else 1)      # by N, whatever the weights
    return losses.reshape(places)


# %% fold="Optional: compared with PyTorch"
# optional: compared with PyTorch
generator = torch.Generator().manual_seed(0)
checked = 0
for shape in [(4, 5), (2, 5, 3), (2, 5, 3, 2)]:
    z = torch.randn(shape, generator=generator, dtype=torch.float64)
    numbers = torch.randint(5, shape[:1] + shape[2:], generator=generator)
    rows = torch.softmax(torch.randn(shape, generator=generator, dtype=torch.float64), dim=1)
    for target, w, reduction, s in itertools.product((numbers, rows), (None, weight.double()), ("mean", "sum", "none"), (0.0, 0.1)):
        options = dict(weight=w, reduction=reduction, label_smoothing=s)
        assert torch.allclose(everything(z, target, **options), F.cross_entropy(z, target, **options), rtol=1e-12)
        checked += 1
print(f"{checked} more combinations agree")

# %% [markdown]
# One combination does not exist: a row of probabilities has no class number by which to ignore it.

# %%
try:
    F.cross_entropy(logits, one_hot, ignore_index=2)
except (RuntimeError, ValueError) as error:
    print(f"{type(error).__name__}: {str(error).splitlines()[0][:80]}")

# %% [markdown]
# To ignore such a row, make all its probabilities 0, take the sum, and divide by the number of rows that count. That works without smoothing, which would fill the row
# again, and while its logits are finite:

# %%
rows_that_count = one_hot.clone()
rows_that_count[1] = 0.0                       # sample 2 is to be ignored
for s in (0.0, 0.1):
    print(f"smoothing {s}: each row {F.cross_entropy(logits, rows_that_count, label_smoothing=s, reduction='none') + 0.0}")
print(f"sum / 3 {F.cross_entropy(logits, rows_that_count, reduction='sum') / 3:.4f}, ignore_index=2 {F.cross_entropy(logits, y_true, ignore_index=2):.4f}")

# %% [markdown]
# With smoothing the row costs something again, and its slopes are not 0.
#
# ## On real digits, most labels unknown
#
# Suppose there are 1200 handwritten digits to learn from, and the labels of four in five are unknown. Three people encode "unknown": Ada as −100, ignored; Ben as 0, and forgets to say so;
# Cleo as 0, with `ignore_index=0`. Predict who gets the best model, and what goes wrong for the others.

# %%
digits = load_digits()
X = torch.tensor(digits.data / 16)                       # pixels from 0 to 1, float64
labels = torch.tensor(digits.target)
X_train, y_train, X_test, y_test = X[:1200], labels[:1200], X[1200:], labels[1200:]
unknown = torch.rand(1200, generator=torch.Generator().manual_seed(0)) < 0.8
print("known labels", int((~unknown).sum()), "of", len(y_train))
people = {
    "all known": (y_train, -100, LINE["reference"]),
    "Ada": (torch.where(unknown, -100, y_train), -100, LINE["repaired"]),
    "Ben": (torch.where(unknown, 0, y_train), -100, LINE["broken"]),
    "Cleo": (torch.where(unknown, 0, y_train), 0, LINE["focal"]),
}


# %%
def train(y, ignore_index, epochs=150, lr=1.0):
    """Full-batch gradient descent from zeros with your masked loss; losses, test accuracies, and the last guesses."""
    W, b = torch.zeros(64, 10, dtype=torch.float64, requires_grad=True), torch.zeros(10, dtype=torch.float64, requires_grad=True)
    losses, accuracies = [], []
    for _ in range(epochs):
        loss = masked_ready(X_train @ W + b, y, ignore_index=ignore_index)
        slope_W, slope_b = torch.autograd.grad(loss, (W, b))
        with torch.no_grad():
            W -= lr * slope_W
            b -= lr * slope_b
            guesses = (X_test @ W + b).argmax(dim=1)
        losses.append(loss.item())
        accuracies.append((guesses == y_test).double().mean().item())
    return losses, accuracies, guesses


# %%
# training loss and test accuracy of the three, and of a model with all labels
fig, (left, right) = plt.subplots(1, 2)
for name, (y, ignore_index, look) in people.items():
    losses, accuracies, guesses = train(y, ignore_index)
    left.plot(losses, **look, label=name)
    right.plot(accuracies, **look, label=name)
    print(f"{name:9} training loss {losses[-1]:.2f}, test accuracy {accuracies[-1]:.2f}, guesses 'zero' for {(guesses == 0).double().mean():.2f} of the test")
left.set(title="training loss", xlabel="step", ylabel="loss", ylim=(0, 2.4)), left.legend()
right.set(title="test accuracy", xlabel="step", ylabel="share right", ylim=(0, 1))
show("Two plots against the training step. Left, all losses fall. Right, the test accuracy: Ada's ends at 0.9, with the dotted curve of all labels known, "
     "Cleo's at 0.8, and Ben's stays at 0.1.")

# %% [markdown]
# Left, all losses fall. Ben's ends higher, but without the others beside it he would not know; Cleo's ends as low as Ada's. Right, Ben's model calls nearly everything a zero: four in five of his labels said so. Cleo's does not say zero once: her true
# zeros were ignored along with the unknown ones, and every other sample pushed class 0 down. Ada, with a fifth of the labels, does about as well as with all of them (dotted).
#
# ## In your own words
#
# A team trains with class weights, on several machines. Each machine computes `F.cross_entropy(z, y, weight=w)` on its own part of the batch, and the results are averaged. Why is that not the weighted loss of the whole
# batch, even when all parts have the same size? How would you compute the right one? And what happens on the day a part consists of ignored labels only?

# %% [markdown] question="weighted_parts" points=2
# Each part's mean is divided by the sum of the weights *in that part*, and these sums differ with the classes that happen to be in it. A part with few rare samples divides by a small number, so its samples count more than
# those elsewhere. To compute the right one, every machine computes the weighted sum (`reduction="sum"`) and the sum of the weights of its kept labels; both are added over the machines, and divided once. The same holds for masks,
# where the divisor is the count of kept samples. A part with ignored labels only is 0/0, so the average of the losses is nan. Its slopes are 0 in PyTorch: the model survives, with a step that is too small. With sums and weights such a part adds 0 to both, and does no harm.

# %% [markdown]
# ## Recap
#
# - You built class weights, masks, smoothing, soft labels and sequences, and put all of them into one function.
# - PyTorch calls it `nn.CrossEntropyLoss` and `F.cross_entropy`, with the options `weight`, `ignore_index`, `reduction` and `label_smoothing`, which are best given by name.
# - Three mistakes people make with it: they average the result of `"none"` over N although there are weights or masks; they
#   compare losses across different smoothing, although each has its own floor; they leave the classes in the last dimension, which gives no error when L = C.
#
# **Before:** `08_cross_entropy`, the loss itself. **Next:** `10_kl_divergence`. Smoothed labels cost something even when the model is perfect. How much of a cross-entropy is the
# labels' own doubt, and how much is the model's fault?
#
# **Read on:** PyTorch's page of
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html); label smoothing: Szegedy and others,
# [*Rethinking the Inception Architecture*](https://arxiv.org/abs/1512.00567), section 7; Müller, Kornblith and Hinton,
# [*When Does Label Smoothing Help?*](https://arxiv.org/abs/1906.02629)
