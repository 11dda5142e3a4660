# %% [markdown]
# # Which half belongs to which?
#
# Cut handwritten digits down the middle, and shuffle the right halves. Now put them together again, with a model that has never been
# told what a digit is: no labels, no classes. **What is the loss?**
#
# In this lesson you build cross-entropy whose classes are the other samples of the batch: InfoNCE and the loss of CLIP; then that of SigLIP, and an older relative,
# `nn.TripletMarginLoss`. You train with it, look at what it has learned, and see that the size of a batch, elsewhere a matter of speed and noise, is here part of the question.
# You need `03_bce_with_logits` and `08_cross_entropy`. About 40 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

torch.set_num_threads(1)                                   # the tensors are tiny: more threads would wait for each other
images = torch.tensor(load_digits().images / 16)           # (1797, 8, 8), float64, 0 to 1
left, right = images[:, :, :4].flatten(1), images[:, :, 4:].flatten(1)
seen, unseen = slice(0, 1200), slice(1200, 1264)           # to learn from; 64 to test with
print(left.shape, right.shape)

# %% [markdown]
# ## What is similar?
#
# A first idea needs no model: two halves are the more similar the larger their dot product. Let each of 64 unseen left halves choose the right half with the
# largest one. Would you expect 64 different choices?

# %%
dots = torch.einsum("nd,md->nm", left[unseen], right[unseen])
chosen = dots.argmax(dim=1)
print("different right halves chosen:", len(chosen.unique()), "of 64")
ink = right[unseen].norm(dim=1)
rank = (ink[:, None] < ink).sum(dim=1)
print("the favourites' ranks by length, 0 the longest:", sorted(rank[chosen.unique()].tolist()))

# %% [markdown]
# A handful of favourites, all of them among the longest third. A dot product grows with the lengths of both vectors, so halves with much ink are chosen by everybody. The **cosine** of the angle between
# two vectors divides the lengths out:
#
# $$ s_{ij} = \frac{a_i \cdot b_j}{\lVert a_i \rVert \, \lVert b_j \rVert} $$
#
# ## Exercise: `cosine_similarity`
#
# Write it for all pairs at once, a row of the result for each $a_i$, a column for each $b_j$. The decision is one of shapes: which lengths divide rows, and which columns?

# %% exercise="cosine_similarity"
def cosine_similarity(a, b):
    """Cosine of the angle between every row of a and every row of b.

    a: (N, D), b: (M, D), floats, no row is 0. Returns (N, M).
    """
    ### BEGIN SOLUTION
    return (a @ b.T) / (a.norm(dim=1, keepdim=True) * b.norm(dim=1))
    ### END SOLUTION

# %%
cosine_ready = ready("cosine_similarity")
cosines = cosine_ready(left[unseen], right[unseen])
chosen = cosines.argmax(dim=1)
print("different right halves chosen:", len(chosen.unique()), "of 64")
print("the right one chosen:", (chosen == torch.arange(64)).sum().item(), "of 64")

# %% [markdown]
# There are more choices now, but hardly a right one: a left half does not look like its right half. What goes with what has to be learned.
#
# ## The others are the classes
#
# Give each half a model of its own, which maps 32 pixels to a vector: $a_i$ for the left half of picture $i$, $b_i$ for its right half. Then ask each $a_i$ a multiple-choice question: *which of these $N$
# right halves is yours?* The similarities are the logits, one for each half in the batch:
#
# $$ \ell_i = -\log \frac{e^{s_{ii} / \tau}}{\sum_j e^{s_{ij} / \tau}} $$
#
# Aäron van den Oord and others named this loss [InfoNCE](https://arxiv.org/abs/1807.03748) in 2018, with other similarities than cosines. The **temperature** $\tau$ is needed because cosines
# cannot exceed 1. What is the least that a pair could cost in a batch of 64 without it?

# %%
best = torch.full((1, 64), -1.0)
best[0, 0] = 1.0                                           # the partner at 1, all others opposite
for temperature in (1.0, 0.5, 0.1):
    print(f"temperature {temperature}: {F.cross_entropy(best / temperature, torch.tensor([0])):.4f}")
print(f"multiplied by 0.1: {F.cross_entropy(best * 0.1, torch.tensor([0])):.4f}, and ln 64 = {math.log(64):.4f}")

# %% [markdown]
# Without a temperature even this pair pays 2.25, and not every pair of a batch can have it so good: two right halves that both point away from a third left half
# point the same way themselves. Whoever multiplies by the temperature can hardly do better than a model that knows nothing and pays $\ln 64$.
#
# ## Exercise: `info_nce`
#
# Write the mean of $\ell_i$. It is a cross-entropy that you know; the decision is what its labels are, and nobody hands them to you. Your `cosine_similarity` may be called.

# %% exercise="info_nce"
def info_nce(a, b, temperature=0.1):
    """InfoNCE: each row of a chooses its partner among the rows of b.

    a, b: (N, D), floats; row i of a belongs to row i of b. temperature: a number > 0.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    labels = torch.arange(len(a))
    return F.cross_entropy(cosine_similarity(a, b) / temperature, labels)
    ### END SOLUTION

# %% [markdown] passed="info_nce"
# Row $i$ belongs to column $i$, so the labels are 0, 1, …, N − 1: `F.cross_entropy(cosines / temperature, torch.arange(N))`. Readers of CLIP's code
# [have asked](https://github.com/openai/CLIP/issues/83) where these labels come from: from the order of the batch, and from nowhere else.

# %% [markdown]
# What does a model pay that knows nothing? In `08_cross_entropy` it was $\ln C$. Here: 64 random vectors of 16 numbers, and 64 more; $\ln 64$ is 4.16. Guess the
# loss at temperature 0.1 (within 0.5 counts as right).

# %%
guess("loss_of_random_pairs", ..., sure=...)               # your number, and how sure you are, from 0 to 1

# %%
info_ready = ready("info_nce")
generator = torch.Generator().manual_seed(0)
draws = [torch.randn(2, 64, 16, generator=generator, dtype=torch.float64) for _ in range(200)]
for temperature in (10, 1, 0.5, 0.1):
    losses = torch.stack([info_ready(a, b, temperature) for a, b in draws])
    print(f"temperature {temperature:4}: mean of 200 draws {losses.mean():.2f}, ln 64 = {math.log(64):.2f}")
guessed("loss_of_random_pairs", losses.mean().item(), within=0.5)

# %% [markdown]
# At high temperatures $\ln N$ is right. At 0.1 it is far off, because the logits of strangers are not equal but scattered, and the largest of them dominate the log-sum-exp. So a first loss above $\ln N$ is no
# reason to look for a bug here.
#
# ## Learn it
#
# Two small networks, one for each side, and 128 pairs a step:

# %%
def encoder():
    return nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 32)).double()


def train(loss_of, parts=1, steps=200, seed=0):
    """Two encoders, trained on 128 pairs a step, in so many parts whose gradients are added up."""
    torch.manual_seed(seed)
    f, g = encoder(), encoder()
    optimizer = torch.optim.Adam([*f.parameters(), *g.parameters()], lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        for part in torch.randperm(1200)[:128].chunk(parts):
            (loss_of(f(left[part]), g(right[part])) / parts).backward()
        optimizer.step()
    return f, g

# %%
def found(f, g, pictures=unseen):
    """Cosines of all left with all right halves, and how often the partner is the first choice, or among the first five."""
    with torch.no_grad():
        cosines = cosine_ready(f(left[pictures]), g(right[pictures]))
    place = (cosines >= cosines.diagonal()[:, None]).sum(dim=1)        # 1 for the first choice
    return cosines, (place == 1).sum().item(), (place <= 5).sum().item()


torch.manual_seed(0)
before = (encoder(), encoder())
after = train(info_ready)
for name, pair in [("before", before), ("after", after)]:
    _, first, five = found(*pair)
    print(f"{name:6} of 64 unseen halves find their partner: {first:2} at once, {five:2} within five choices")

# %%
# cosines of the first 16 unseen pairs, before and after
fig, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for ax, pair, title in zip(axes, (before, after), ("before training", "after training")):
    mesh = ax.imshow(found(*pair)[0][:16, :16], cmap="Greys", vmin=-1, vmax=1)
    ax.set(title=title, xlabel="right half of picture", ylabel="left half of picture")
    ax.grid(False)
fig.colorbar(mesh, ax=axes, label="cosine")
show("Two maps of cosines, 16 left halves by 16 right halves. Before training there is no pattern along the diagonal: rows and columns look alike. After training all cells of the diagonal but one stand out, with cosines "
     "of about 0.7, and so do single cells beside it.")

# %%
# what ten left halves choose, before and after
fig, axes = plt.subplots(2, 10, figsize=(9, 2.3))
for row, pair, name in zip(axes, (before, after), ("before", "after")):
    choice = found(*pair)[0].argmax(dim=1)
    for i, ax in enumerate(row):
        joined = torch.cat([left[unseen][i].reshape(8, 4), right[unseen][choice[i]].reshape(8, 4)], dim=1)
        ax.imshow(joined, cmap="Greys")
        ax.axvline(3.5, color="black", linewidth=0.8)
        ax.set(xticks=[], yticks=[], title="right" if choice[i] == i else "wrong")
        ax.grid(False)
    row[0].set_ylabel(name)
show("Two rows of ten digits, each joined from its left half and the right half that it chose. Before training all are wrong. After training half of them are "
     "right, and the wrong ones still look like digits.")

# %% [markdown]
# The diagonal stands out: partners have become similar, most strangers have not. The mistakes in the last row look plausible: the right half of one 7 fits the left half of another. Are most mistakes of that kind?
# The data set knows which digit each picture shows; the model has never been told.

# %%
digits = torch.tensor(load_digits().target)[unseen]
choice = found(*after)[0].argmax(dim=1)
wrong = choice != torch.arange(64)
print(f"{wrong.sum()} wrong choices, {(digits[choice] == digits)[wrong].sum()} of them from a picture of the same digit")

# %% [markdown]
# Nearly all of them. While it learned to put halves together, the model has found out something about digits.
#
# ## Only pulling
#
# Why are the strangers needed? Suppose you only pull partners together, and maximise their cosine. Predict how many find their partner.

# %%
def only_pull(a, b):
    return -F.cosine_similarity(a, b, dim=1).mean()


pulled = train(only_pull)
cosines, first, five = found(*pulled)
print(f"cosine of partners  {cosines.diagonal().mean():.3f}")
print(f"cosine of strangers {cosines[~torch.eye(64, dtype=torch.bool)].mean():.3f}")
print(f"found at once {first}, within five choices {five}")

# %% [markdown]
# Perfect by its own measure, and far behind InfoNCE: everything points in nearly the same direction. The representation has **collapsed**. The denominator of InfoNCE makes that expensive: where all cosines are equal, each pair pays $\ln N$.
#
# And without normalising? Scale the trained vectors, which changes nothing about what they know:

# %% fold="The loss of dot products, without normalising"
# the loss of dot products, without normalising
def with_dot_products(a, b):
    return F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))

# %%
with torch.no_grad():
    a, b = F.normalize(after[0](left[seen][:64])), F.normalize(after[1](right[seen][:64]))
for scale in (0.3, 1.0, 3.0):
    print(f"lengths {scale}: dot products {with_dot_products(scale * a, scale * b):.3f}, info_nce {info_ready(scale * a, scale * b):.3f}")

# %% [markdown]
# With dot products the length is a hidden scale: the loss falls to a third, and rises again, while nobody has learned anything about halves. Cosines do not move.
#
# ## Both ways, and a temperature that learns
#
# InfoNCE asks each left half for its partner, and compares numbers within a row only. No right half is ever asked, so a left half that is similar to everything, whose whole row is high, goes unnoticed.
# [CLIP](https://arxiv.org/abs/2103.00020) (2021), which matches pictures with captions, asks both: the same matrix, once by rows, once by columns. In these three pairs the second row is such a row:

# %%
a = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
b = torch.tensor([[1.0, 0.2], [0.9, 0.5], [0.6, 0.8]])
print(cosine_ready(a, b))
print(f"each a asks {info_ready(a, b):.4f}, each b asks {info_ready(b, a):.4f}")

# %% [markdown]
# Each $a$ gives its own partner the largest number of its row; but the third $b$ finds the second $a$ more similar than its partner, and only the second question notices.
#
# CLIP also learns its temperature: similarities are multiplied by a **scale**, $1/\tau$, and the parameter is the scale's logarithm. So the scale can never become negative, and equal steps are equal factors. The
# paper starts at $\tau = 0.07$ and does not let training raise the scale above 100; in the loss itself nothing is clamped.
#
# ## Exercise: `clip_loss`
#
# Write it: the mean of both directions. `log_scale` is a tensor that is trained, so its gradient counts.

# %% exercise="clip_loss"
def clip_loss(a, b, log_scale):
    """CLIP's loss: InfoNCE in both directions, similarities times exp(log_scale).

    a, b: (N, D), floats; row i of a belongs to row i of b. log_scale: 0-d tensor.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    z = cosine_similarity(a, b) * log_scale.exp()
    labels = torch.arange(len(a))
    return (F.cross_entropy(z, labels) + F.cross_entropy(z.T, labels)) / 2
    ### END SOLUTION

# %%
clip_ready = ready("clip_loss")
print(f"scale 10: {clip_ready(a, b, torch.tensor(math.log(10.0))):.4f}, the mean of the two above {(info_ready(a, b) + info_ready(b, a)) / 2:.4f}")
for scale in (1.0, 10.0, 100.0):
    log_scale = torch.tensor(math.log(scale), requires_grad=True)
    (slope,) = torch.autograd.grad(clip_ready(a, b, log_scale), log_scale)
    print(f"scale {scale:5}: slope with respect to its logarithm {slope:7.4f}")

# %% [markdown]
# A step of gradient descent raises a scale of 1, lowers one of 100, and leaves 10 nearly as it is: the temperature is learned that suits what the vectors know so far.
#
# ## The batch is part of the loss
#
# In `08_cross_entropy` the loss of a picture did not depend on which others were in its batch. Here the others are the wrong answers, and their number matters. The loss against the number of pairs, for random vectors and for the
# trained encoders on unseen halves:

# %%
# InfoNCE against the number of pairs in the batch
sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512]
generator = torch.Generator().manual_seed(1)
random = [torch.stack([info_ready(*torch.randn(2, n, 16, generator=generator, dtype=torch.float64)) for _ in range(20)]).mean() for n in sizes]
with torch.no_grad():
    trained = [info_ready(after[0](left[1200 : 1200 + n]), after[1](right[1200 : 1200 + n])) for n in sizes]
fig, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(sizes, random, **LINE["broken"], marker="o", label="random vectors")
ax.plot(sizes, [math.log(n) for n in sizes], **LINE["reference"], label="ln N")
ax.plot(sizes, trained, **LINE["repaired"], marker="s", label="trained, unseen halves")
ax.set(title="the same vectors, asked among more and more", xlabel="pairs in the batch", ylabel="InfoNCE", xscale="log")
ax.legend()
show("InfoNCE against the number of pairs, from 2 to 512, on a logarithmic axis. Random vectors lie above ln N throughout. The trained encoders lie "
     "below it from four pairs on, and both rise by several units from 8 pairs to 512.")

# %% [markdown]
# A loss of 2 says nothing without the number of pairs beside it. And it has a consequence that surprises people who train on small cards: **gradient accumulation is not a larger batch.** Eight batches of 16 have the same
# 128 pairs as one batch of 128. Predict: the same mean loss? The same gradient?

# %%
def slopes(parts):
    """Loss and gradient of 128 pairs that the encoders have seen, in so many parts."""
    f, g = after
    parameters = [*f.parameters(), *g.parameters()]
    losses = [info_ready(f(left[part]), g(right[part])) / parts for part in torch.arange(128).chunk(parts)]
    gradients = torch.autograd.grad(sum(losses), parameters)
    return sum(losses).item(), torch.cat([gradient.flatten() for gradient in gradients])


one, slope_one = slopes(1)
eight, slope_eight = slopes(8)
print(f"one batch of 128    {one:.4f}, length of its gradient {slope_one.norm():.3f}")
print(f"eight batches of 16 {eight:.4f}, length of its gradient {slope_eight.norm():.3f}")
print(f"cosine of the two gradients {F.cosine_similarity(slope_one, slope_eight, dim=0):.2f}")
print(f"strangers for each half: {128 - 1} and {16 - 1}")

# %% [markdown]
# Another loss, and another direction: in the small batches most of the strangers are missing, whatever is added up afterwards. What does that do to training? Three seeds each, and 597 unseen halves to choose from:

# %%
for name, parts in [("one batch of 128", 1), ("eight batches of 16", 8)]:
    runs = [found(*train(info_ready, parts, seed=seed), pictures=slice(1200, 1797)) for seed in (0, 1, 2)]
    print(f"{name:19} of 597: at once {[run[1] for run in runs]}, within five choices {[run[2] for run in runs]}")

# %% [markdown]
# With each of the three seeds the whole batch finds more. (If you need a large batch on small cards, keep the *vectors* of all parts, which are small, and build the matrix of similarities
# from all of them: [GradCache](https://arxiv.org/abs/2101.06983).)
#
# Large batches have a price, too. Take four different pictures, each of them in the batch twice, and an encoder that gives different pictures orthogonal vectors. What does it pay at temperature 0.05?

# %%
guess("loss_with_twins", ..., sure=...)                    # within 0.02

# %%
twins = torch.eye(4).repeat(2, 1)                          # 8 vectors: each direction twice
same = cosine_ready(twins, twins) > 0.99
print(f"perfect, and each picture twice {info_ready(twins, twins, 0.05):.4f}, ln 2 = {math.log(2):.4f}")
logits = cosine_ready(twins, twins) / 0.05
logits = logits.masked_fill(same & ~torch.eye(8, dtype=torch.bool), -torch.inf)
print(f"twins taken out of the choices  {F.cross_entropy(logits, torch.arange(8)):.4f}")
guessed("loss_with_twins", info_ready(twins, twins, 0.05).item(), within=0.02)

# %% [markdown]
# Twins are each other's wrong answers. Without chance in the model, copies of a picture have the same vector, so their $\ln 2$ is a floor. For two *different* pictures of the same thing it is no floor: the loss falls further if the encoder tells them apart: it teaches
# a difference nobody wants. If you know which pairs are the same, take them out of the sum, as the last line does. With our digits we
# did not, although about a tenth of every batch shows the same digit.
#
# ## Every pair by itself
#
# A softmax needs a whole row before it can say anything. [SigLIP](https://arxiv.org/abs/2303.15343) (2023) asks a simpler question of each cell of the matrix: *do these two belong together, yes or no?* You know that loss from
# `03_bce_with_logits`. With $y_{ij} = +1$ for partners and $-1$ for strangers:
#
# $$ \ell = -\frac{1}{N} \sum_{i,j} \log \sigma\bigl( y_{ij} \, (t\, s_{ij} + c) \bigr) $$
#
# $t$ is the scale and $c$ a bias. Why a bias? Count the questions with "yes" for an answer.
#
# ## Exercise: `siglip_loss`
#
# Write it. `scale` and `bias` are 0-d tensors, and both are trained. (Like CLIP, the paper learns the logarithm of its scale; here the scale itself is the argument.) Decide how the
# signs get into the matrix, and how the loss survives a scale of 1000.

# %% exercise="siglip_loss"
def siglip_loss(a, b, scale, bias):
    """SigLIP's loss: binary cross-entropy of all pairs, summed, divided by N.

    a, b: (N, D), floats; row i of a belongs to row i of b. scale, bias: 0-d tensors.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    z = scale * cosine_similarity(a, b) + bias
    partners = torch.eye(len(a), dtype=torch.bool)
    return F.softplus(torch.where(partners, -z, z)).sum() / len(a)
    ### END SOLUTION

# %%
siglip_ready = ready("siglip_loss")
a, b = draws[0]
scale = torch.tensor(10.0, dtype=torch.float64)
for bias in torch.tensor([0.0, -10.0], dtype=torch.float64):
    loss = siglip_ready(a, b, scale, bias)
    partners = F.softplus(-scale * cosine_ready(a, b).diagonal() - bias).mean()
    print(f"64 random pairs, scale 10, bias {bias:5}: {loss:6.2f}, of which the partners {partners:5.2f}, the strangers {loss - partners:5.2f}")
print(f"questions answered by yes: 64 of {64 * 64}")

# %% [markdown]
# One question in 64 has the answer yes. Without a bias almost all of the first loss comes from thousands of strangers; with −10 the model begins by saying no to everybody, and almost all of it comes from the partners.
# It is the imbalance of `05_imbalance`, and the reason that the paper gives for starting at −10.
#
# ## An older relative
#
# An older loss looks at three vectors at a time: an anchor, its partner (the **positive**) and a stranger (the **negative**).
# The partner should be nearer than the stranger, by a margin $m$ at least:
#
# $$ \ell = \max\bigl(0,\; \lVert a - p \rVert - \lVert a - n \rVert + m \bigr) $$
#
# By hand: the partner at distance 5, the stranger at 5.5, margin 1.

# %%
print(max(0, 5 - 5.5 + 1))

# %% [markdown]
# ## Exercise: `triplet_loss`
#
# Write its mean over a batch of triplets. Distances are Euclidean. What comes first, the maximum or the mean?

# %% exercise="triplet_loss"
def triplet_loss(anchor, positive, negative, margin=1.0):
    """Triplet loss with Euclidean distances.

    anchor, positive, negative: (N, D), floats, no two of a triplet the same.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    near = (anchor - positive).norm(dim=1)
    away = (anchor - negative).norm(dim=1)
    return torch.relu(near - away + margin).mean()
    ### END SOLUTION

# %% [markdown]
# ## What PyTorch calls it
#
# For cosines there is a module and a function; both compare row with row, so that all pairs need a dimension for each side. For triplets there are a module and a function, too. InfoNCE, CLIP and SigLIP have none: they are
# `F.cross_entropy` and `F.binary_cross_entropy_with_logits` of a matrix of similarities.

# %%
generator = torch.Generator().manual_seed(2)
a, p, n = (torch.randn(64, 4, generator=generator, dtype=torch.float64).requires_grad_() for _ in range(3))
pairs = {
    "yours": cosine_ready(a, p),
    "modular, nn.CosineSimilarity": nn.CosineSimilarity(dim=2)(a[:, None], p[None]),
    "functional, F.cosine_similarity": F.cosine_similarity(a[:, None], p[None], dim=2),
}
for name, value in pairs.items():
    (slope,) = torch.autograd.grad(value.square().sum(), a)
    print(f"{value[0, 0]:.4f}, a slope {slope[0, 0]:.4f}  {name}")
    assert torch.allclose(value, pairs["yours"])

# %%
triplets = {
    "yours": ready("triplet_loss")(a, p, n),
    "modular, nn.TripletMarginLoss": nn.TripletMarginLoss(margin=1.0)(a, p, n),
    "functional, F.triplet_margin_loss": F.triplet_margin_loss(a, p, n, margin=1.0),
}
for name, value in triplets.items():
    slopes_of = torch.autograd.grad(value, (a, p, n))
    print(f"{value:.4f}, a slope {slopes_of[0][0, 0]:.4f}  {name}")
    assert torch.isclose(value, triplets["yours"], atol=1e-5)
print("anchors without a slope:", (slopes_of[0] == 0).all(dim=1).sum().item(), "of 64")

# %% [markdown]
# Equal to the digits shown: PyTorch adds 0.000001 to each difference. The last line is the weakness of triplets: one that keeps its margin teaches nothing, and the authors of [FaceNet](https://arxiv.org/abs/1503.03832) (2015), who learned faces with
# this loss and *squared* distances, had to search for hard ones. In InfoNCE every stranger has a slope: with respect to its logit it is the probability that the softmax gives it.
#
# ## In your own words
#
# Two teams train the same model on the same pairs with InfoNCE at the same temperature. Team A reports a loss of 1.9, team B one of 3.1, and team B's model finds more partners in a common test. How can that be? What should both report instead, and what
# would you ask about team A's batches?

# %% [markdown] question="loss_without_batch_size" points=2
# The loss depends on the number of choices: with N pairs a model that cannot tell them apart pays about ln N or more, so A may have trained with small batches (or accumulated small ones) and B with large ones; B's question is harder.
# Both should report retrieval on a fixed test set (the share of partners found at once, within five choices, among a stated number), or the loss at one agreed batch size.
# To ask about A: how many pairs are in one matrix of similarities (not in one optimiser step)? Are the vectors gathered from all machines before the matrix is made? Are there duplicates in a batch, which put a floor under the loss?
# And are the vectors normalised? If they are not, lengths alone can lower the loss.

# %% [markdown]
# ## Recap
#
# - You built cosine similarities, InfoNCE, the losses of CLIP and SigLIP, and the triplet loss. InfoNCE and the loss of CLIP are cross-entropies in which the batch brings the classes with it; SigLIP asks yes or no of every pair; the triplet loss is a hinge.
# - PyTorch calls the first and the last `nn.CosineSimilarity` and `nn.TripletMarginLoss`; the others are `F.cross_entropy` and `F.binary_cross_entropy_with_logits` of similarities.
# - Three mistakes people make with it: they do not normalise; they multiply by the temperature; they take accumulated small batches for a large one.
#
# **Before:** `08_cross_entropy`, whose labels were given. **Next:** `17_preferences`: what if all that is known is which of two is better?
#
# **Read on:** PyTorch's pages of [`CosineSimilarity`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineSimilarity.html) and
# [`TripletMarginLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html); Chen and others,
# [*SimCLR*](https://arxiv.org/abs/2002.05709); Khosla and others, [*Supervised Contrastive Learning*](https://arxiv.org/abs/2004.11362), where pictures of the same class are partners.
