"""Exercises of 13_clinic: eight scripts that run, print a falling loss and are wrong.

PyTorch's own losses are allowed: the task is repair. Every mistake is told by the symptom that remains.
Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
and https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
"""

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise

Y = [0, 2, 3, 1]
Z = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]
WEIGHT = [1.0, 2.0, 4.0, 0.5, 1.0]


def example(rng):
    return torch.tensor(Z, dtype=rng.dtype), torch.tensor(Y)


def sizes(rng):
    """Two different sizes, N first, so that no dimension can stand in for the other."""
    n = rng.size(5, 9)
    return n, n - rng.size(1, 2)


def ordinary(rng):
    n, c = sizes(rng)
    return rng.logits(n, c), rng.classes(n, num_classes=c)


# ---------------------------------------------------------------- fix_1: softmax before CrossEntropyLoss


@exercise(
    points=2,
    without=[],
    hints=[
        "What does `CrossEntropyLoss` expect: probabilities, logarithms of probabilities, or logits?",
        "It takes the softmax itself, and its logarithm too. So what has to go from the script's function?",
        "`F.cross_entropy(z, y)`, with z as it comes out of the model.",
    ],
    built="Logits go in as they are: `nn.CrossEntropyLoss()(z, y)` holds the softmax and its logarithm.",
)
def fix_1(z, y):
    return F.cross_entropy(z, y)


fix_1.case("the lesson's example", example=True)(example)
fix_1.case("random logits", gradient="z")(ordinary)
fix_1.case("two classes", gradient="z")(lambda rng: (rng.logits(6, 2), rng.classes(6, num_classes=2)))
fix_1.case("as many samples as classes")(lambda rng: (rng.logits(5, 5), rng.classes(5, num_classes=5)))
fix_1.case("float32", dtype=torch.float32, gradient="z")(ordinary)


@fix_1.mistake(
    "The symptom remains: your loss cannot come near 0, however good the logits are. A softmax still stands before the one "
    "inside `CrossEntropyLoss`.",
    hint="Feed it one sample with logits 100, 0, 0 and label 0: the loss should be 0.",
)
def _(z, y):
    return F.cross_entropy(z.softmax(dim=1), y)


@fix_1.mistake(
    "A new symptom: the loss is negative. `nll_loss` wants logarithms of probabilities and gets the probabilities themselves."
)
def _(z, y):
    return F.nll_loss(z.softmax(dim=1), y)


@fix_1.mistake(
    "A new symptom: the loss has no lower end. `nll_loss` takes no logarithm and no softmax: give it `log_softmax` of z, or use "
    "`cross_entropy`."
)
def _(z, y):
    return F.nll_loss(z, y)


@fix_1.mistake(
    "A sigmoid stands where the softmax stood: the loss still sees numbers between 0 and 1 in the place of logits."
)
def _(z, y):
    return F.cross_entropy(torch.sigmoid(z), y)


@fix_1.mistake(
    "Your probabilities add up to 1 over the batch instead of over the classes: the softmax runs along dimension 0."
)
def _(z, y):
    return F.nll_loss(z.log_softmax(dim=0), y)


@fix_1.mistake("You added the losses up: a larger batch now prints a larger loss. The mean divides by N.")
def _(z, y):
    return F.cross_entropy(z, y, reduction="sum")


@fix_1.mistake("You return one loss for each sample; a script trains on one number, their mean.")
def _(z, y):
    return F.cross_entropy(z, y, reduction="none")


@fix_1.mistake(
    "This is binary cross-entropy, every class on its own: the classes no longer compete for one probability of 1."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z.dtype))


@fix_1.mistake(
    "This is the squared error of the probabilities: it fades out where the model is most wrong. The cross-entropy is asked for."
)
def _(z, y):
    return ((z.softmax(dim=1) - F.one_hot(y, z.shape[1])) ** 2).sum(dim=1).mean()


@fix_1.mistake(
    "The symptom remains, and a second one has come: a softmax still stands before the loss, and it runs over the batch (dimension 0)."
)
def _(z, y):
    return F.cross_entropy(z.softmax(dim=0), y)


# ---------------------------------------------------------------- fix_2: the wrong dim for z (N, L, C)


def sequence(rng):
    n, length = sizes(rng)
    return (rng.logits(n, length, n + 2, limit=4.0),)


@exercise(
    points=2,
    without=[],
    hints=[
        "Add the probabilities of one position up over the classes. What should come out, and what does?",
        "z has shape (N, L, C). Which of the three dimensions holds the classes?",
        "The last one: `dim=-1`, or `dim=2`.",
    ],
    built="Probabilities over the classes, whichever place they stand in: with classes last it is `torch.softmax(z, dim=-1)`.",
)
def fix_2(z):
    return torch.softmax(z, dim=2)


fix_2.case("two sequences of three positions", example=True)(
    lambda rng: (
        torch.tensor(
            [
                [[2.0, 0.0, -1.0, 1.0], [0.0, 3.0, 0.0, -2.0], [1.0, 1.0, 0.0, 0.0]],
                [[0.0, 0.0, 0.0, 2.0], [-1.0, 2.0, 1.0, 0.0], [3.0, -3.0, 0.0, 1.0]],
            ],
            dtype=rng.dtype,
        ),
    )
)
fix_2.case("random logits", gradient="z")(sequence)
fix_2.case("as many positions as classes", gradient="z")(lambda rng: (rng.logits(3, 5, 5, limit=4.0),))
fix_2.case("one position")(lambda rng: (rng.logits(4, 1, 6, limit=4.0),))
fix_2.case("float32", dtype=torch.float32, gradient="z")(sequence)


@fix_2.mistake(
    "The symptom remains: a position's probabilities do not add up to 1. Dimension 1 holds the positions; the classes stand last.",
    hint="z has shape (N, L, C): count the dimensions from 0.",
)
def _(z):
    return z.softmax(dim=1)


@fix_2.mistake(
    "Your softmax runs along dimension 0, the samples: what one sequence gets now depends on the others in its batch."
)
def _(z):
    return z.softmax(dim=0)


@fix_2.mistake(
    "You return logarithms: the numbers are negative. The script takes the logarithm later; here probabilities are asked for."
)
def _(z):
    return z.log_softmax(dim=2)


@fix_2.mistake(
    "Everything in a sequence adds up to 1, positions and classes together. Each position has a probability of 1 of its own to share out."
)
def _(z):
    return z.flatten(1).softmax(dim=1).reshape(z.shape)


@fix_2.mistake(
    "The probabilities of the whole batch add up to 1. Each position of each sequence has a probability of 1 of its own to share out."
)
def _(z):
    return z.flatten().softmax(dim=0).reshape(z.shape)


@fix_2.mistake(
    "These are sigmoids: each class has a probability of its own, and a position's do not add up to 1."
)
def _(z):
    return torch.sigmoid(z)


@fix_2.mistake(
    "You took the softmax twice: the probabilities add up to 1, but they are squeezed together, and no class ever comes near 1."
)
def _(z):
    return z.softmax(dim=2).softmax(dim=2)


@fix_2.mistake(
    "You stopped halfway: exponentials are positive, but they add up to 1 only when each is divided by their sum over the classes."
)
def _(z):
    return z.exp()


@fix_2.mistake(
    "The probabilities are right, but positions and classes have changed places: return the shape of z, (N, L, C)."
)
def _(z):
    return z.softmax(dim=2).transpose(1, 2)


@fix_2.mistake(
    "Dividing z by its sum makes each position add up to 1, but negative logits become negative probabilities: the exponential is missing."
)
def _(z):
    return z / z.sum(dim=2, keepdim=True)


@fix_2.mistake(
    "`reshape` from (N, L, C) to (N, C, L) does not swap two dimensions: it deals the numbers out anew, across positions and classes. `transpose(1, 2)` swaps."
)
def _(z):
    return z.reshape(z.shape[0], z.shape[2], z.shape[1]).softmax(dim=1).reshape(z.shape)


@fix_2.mistake(
    "You made a decision, 1 for the largest logit. Probabilities are asked for: each class has its share."
)
def _(z):
    return F.one_hot(z.argmax(dim=2), z.shape[2]).to(z.dtype)


@fix_2.mistake(
    "You divided by the largest exponential. To add up to 1, each is divided by their sum over the classes."
)
def _(z):
    return (z - z.amax(dim=2, keepdim=True)).exp()


@fix_2.mistake(
    "Two softmaxes now, one over the classes and one over the positions: only the one over the classes, `dim=2`, is asked for."
)
def _(z):
    return z.softmax(dim=2).softmax(dim=1)


@fix_2.mistake(
    "You multiplied a softmax over the positions with one over the classes. Only the one over the classes, `dim=2`, is asked for."
)
def _(z):
    return z.softmax(dim=2) * z.softmax(dim=1)


# ---------------------------------------------------------------- fix_3: batch means over unequal batches


def batches(rng):
    n = rng.size()
    return rng.uniform(n, low=0.1, high=3.0), rng.integers(n, low=1, high=50)


def equal_batches(rng):
    losses = rng.uniform(rng.size(), low=0.1, high=3.0)
    return losses, torch.full(losses.shape, 8)


@exercise(
    points=2,
    without=[],
    hints=[
        "How many samples stand behind each of the means? Who speaks for 5 samples, who for 600?",
        "A batch's mean times its size is the sum of its losses. Sums may be added.",
        "The sum of `losses * sizes`, divided by the number of all samples.",
    ],
    built="The mean over all samples, whatever the batches: what a script needs when it adds up batches, in validation or when it accumulates "
    "gradients.",
)
def fix_3(losses, sizes):
    return (losses * sizes).sum() / sizes.sum()


fix_3.case("large batches and a small one", example=True)(
    lambda rng: (torch.tensor([0.25, 1.0, 2.5], dtype=rng.dtype), torch.tensor([6, 3, 1]))
)
fix_3.case("random batches", gradient="losses")(batches)
fix_3.case("a last batch of one sample")(
    lambda rng: (rng.uniform(4, low=0.1, high=3.0), torch.tensor([32, 32, 32, 1]))
)
fix_3.case("equal batches")(equal_batches)
fix_3.case("float32", dtype=torch.float32, gradient="losses")(batches)


@fix_3.mistake(
    "The symptom remains: a batch of 5 samples counts as much as one of 600. Each mean has to count as often as it has samples.",
    hint="Try losses 0 and 1 with sizes 9 and 1: the mean over the ten samples is 0.1.",
)
def _(losses, sizes):
    return losses.mean()


@fix_3.mistake(
    "You added up the losses of all samples and did not divide: the number grows with the data. Divide by the number of samples."
)
def _(losses, sizes):
    return (losses * sizes).sum()


@fix_3.mistake(
    "You divided by the number of batches. What was added up are samples: divide by their number, `sizes.sum()`."
)
def _(losses, sizes):
    return (losses * sizes).sum() / len(losses)


@fix_3.mistake(
    "The batches' losses are means already: before you divide by the number of all samples, each has to be multiplied by its own size."
)
def _(losses, sizes):
    return losses.sum() / sizes.sum()


@fix_3.mistake(
    "You divided each batch's loss by its size. It is a mean already; to get back to a sum it is multiplied."
)
def _(losses, sizes):
    return (losses / sizes).mean()


@fix_3.mistake("You added the batches' means up: more batches now print a larger loss.")
def _(losses, sizes):
    return losses.sum()


@fix_3.mistake(
    "You left the smallest batch out and averaged the rest: its samples count too, each as much as any other."
)
def _(losses, sizes):
    return losses[sizes > sizes.min()].mean() if (sizes > sizes.min()).any() else losses.mean()


@fix_3.mistake(
    "You divided by the largest batch for each batch: right only where all are equal. Divide by the number of all samples."
)
def _(losses, sizes):
    return (losses * sizes).sum() / (sizes.max() * len(sizes))


@fix_3.mistake("You left the last batch out. Its samples count too, each as much as any other.")
def _(losses, sizes):
    return (losses[:-1] * sizes[:-1]).sum() / sizes[:-1].sum()


@fix_3.mistake(
    "The weights are upside down: a large batch counts less in yours. Multiply each mean by its size, and divide by the sum of the sizes."
)
def _(losses, sizes):
    return (losses / sizes).sum() / (1 / sizes).sum()


@fix_3.mistake(
    "The sizes are squared: a large batch counts more than its samples. Multiply each mean by its size once, and divide by the sum of the sizes."
)
def _(losses, sizes):
    return (losses * sizes**2).sum() / (sizes**2).sum()


@fix_3.mistake(
    "A softmax of the sizes gives nearly all the weight to the largest batch. The weight of a batch is its share of the samples, size / sum of sizes."
)
def _(losses, sizes):
    return (losses * sizes.to(losses.dtype).softmax(dim=0)).sum()


# ---------------------------------------------------------------- fix_4: (N, 1) against (N,)


def column(rng):
    n = rng.size()
    return rng.logits(n, 1), rng.labels(n)


@exercise(
    points=2,
    without=[],
    hints=[
        "Leave the mean out for a moment and look at the shape of what is left.",
        "(N, 1) and (N,) broadcast to (N, N): every patient meets every label. Which of the two shapes can you change?",
        "`z.squeeze(1)`, `z[:, 0]` or `y.unsqueeze(1)`; then the loss as it was, or `F.binary_cross_entropy_with_logits`, which refuses unequal shapes.",
    ],
    built="One loss for each patient. `F.binary_cross_entropy_with_logits(z.squeeze(1), y)` would have refused the two shapes.",
)
def fix_4(z, y):
    return F.binary_cross_entropy_with_logits(z[:, 0], y)


fix_4.case("the four patients of the binary lessons", example=True)(
    lambda rng: (
        torch.tensor([[-0.1], [2.0], [3.0], [0.5]], dtype=rng.dtype),
        torch.tensor([0.0, 1.0, 1.0, 0.0], dtype=rng.dtype),
    )
)
fix_4.case("random logits", gradient="z")(column)
fix_4.case("more samples", gradient="z")(lambda rng: (rng.logits(20, 1), rng.labels(20)))
fix_4.case("good logits")(
    lambda rng: (lambda y: ((2 * y - 1)[:, None] * rng.uniform(7, 1, low=2.0, high=6.0), y))(rng.labels(7))
)
fix_4.case("float32", dtype=torch.float32, gradient="z")(column)


@fix_4.mistake(
    "The symptom remains: every patient is compared with every label, N·N losses, and all that can be learned is how frequent label 1 is.",
    hint="Print the shape of the losses before the mean.",
)
def _(z, y):
    return (F.softplus(z) - y * z).mean()


@fix_4.mistake(
    "You compare the first patient with every label: `z[0]` is a row, one patient. The column of all patients is `z[:, 0]`."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z[0].expand(len(y)), y)


@fix_4.mistake(
    "You took the mean of the logits before the loss: one logit for all patients. Only the shape was wrong."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z.mean().expand(len(y)), y)


@fix_4.mistake("You compare every patient with the first label: `y` has to keep all its entries.")
def _(z, y):
    return F.binary_cross_entropy_with_logits(z[:, 0], y[:1].expand(len(y)))


@fix_4.mistake(
    "The shapes are right now, but a sigmoid stands before a loss that takes logits: it can no longer come near 0."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(z[:, 0]), y)


@fix_4.mistake("The shapes are right now, but you added the losses up. The mean divides by N.")
def _(z, y):
    return F.binary_cross_entropy_with_logits(z[:, 0], y, reduction="sum")


@fix_4.mistake(
    "The shapes are right now, but one loss for each patient comes back; a script trains on one number, their mean."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z[:, 0], y, reduction="none")


@fix_4.mistake(
    "The shapes are right now, but the labels are turned round: the term with the label is subtracted, softplus(z) − y·z."
)
def _(z, y):
    return (F.softplus(z[:, 0]) + y * z[:, 0]).mean()


@fix_4.mistake("The shapes are right now, but the mean divides by N·N: the N losses on the diagonal need N.")
def _(z, y):
    return F.binary_cross_entropy_with_logits(z[:, 0], y) / len(y)


@fix_4.mistake(
    "The symptom remains: you added up each patient's losses with all N labels, and took the mean over the patients. Only the patient's own label counts."
)
def _(z, y):
    return (F.softplus(z) - y * z).sum(dim=1).mean()


@fix_4.mistake(
    "The shapes are right now, but only the patients with label 1 cost something. Label 0 has its loss, too: softplus(z)."
)
def _(z, y):
    return (y * F.softplus(-z[:, 0])).mean()


@fix_4.mistake(
    "This is the squared error of the logits. The script's loss was right, softplus(z) − y·z; only the shapes were not."
)
def _(z, y):
    return F.mse_loss(z[:, 0], y)


@fix_4.mistake(
    "You rounded the logits to decisions before the loss. Only the shape was wrong: the loss takes the logits as they are."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits((z[:, 0] > 0).to(z.dtype), y)


# ---------------------------------------------------------------- fix_5: weights unnormalised


def weighted(rng):
    z, y = ordinary(rng)
    return z, y, rng.uniform(z.shape[1], low=0.2, high=3.0)


def tiny_weights(rng):
    z, y, weight = weighted(rng)
    return z, y, weight / 100


@exercise(
    points=2,
    without=[],
    hints=[
        "Double all the weights. What should happen to a mean, and what happens here?",
        "A weighted mean divides by the weights that were used, not by the number of samples.",
        "The sum of `weight[y] * losses`, divided by the sum of `weight[y]`.",
    ],
    built="The weighted mean, as `F.cross_entropy(z, y, weight=weight)` computes it: only the ratios between the weights count.",
)
def fix_5(z, y, weight):
    return F.cross_entropy(z, y, weight=weight)


fix_5.case("the lesson's example", example=True)(
    lambda rng: (*example(rng), torch.tensor(WEIGHT, dtype=rng.dtype))
)
fix_5.case("random logits", gradient="z")(weighted)
fix_5.case("tiny weights", gradient="z")(tiny_weights)
fix_5.case("as many samples as classes")(
    lambda rng: (rng.logits(5, 5), rng.classes(5, num_classes=5), rng.uniform(5, low=0.2, high=3.0))
)
fix_5.case("float32", dtype=torch.float32, gradient="z")(weighted)


@fix_5.mistake(
    "The symptom remains: with all weights doubled, the loss doubles, and the steps with it. Divide by the sum of the weights used, not by N.",
    hint="Which weights were used? Those of the samples' own classes.",
)
def _(z, y, weight):
    return (weight[y] * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "You divided by the sum of the classes' weights. What counts are the weights that the samples brought with them: the sum of `weight[y]`."
)
def _(z, y, weight):
    return (weight[y] * F.cross_entropy(z, y, reduction="none")).sum() / weight.sum()


@fix_5.mistake("The weights have gone: rare classes count no more than before they were weighted.")
def _(z, y, weight):
    return F.cross_entropy(z, y)


@fix_5.mistake("You added the weighted losses up and did not divide.")
def _(z, y, weight):
    return (weight[y] * F.cross_entropy(z, y, reduction="none")).sum()


@fix_5.mistake(
    "You made the weights' mean over the classes 1, then divided by N. That is right only when every class is equally frequent: divide by the "
    "sum of `weight[y]`."
)
def _(z, y, weight):
    return ((weight / weight.mean())[y] * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "You multiplied the logits by the weights: that changes the model's probabilities. A weight multiplies a sample's loss."
)
def _(z, y, weight):
    return F.cross_entropy(z * weight, y)


@fix_5.mistake(
    "You made the weights add up to 1 over the classes, then divided by N: another factor, the same symptom. Divide by the sum of `weight[y]`."
)
def _(z, y, weight):
    return ((weight / weight.sum())[y] * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "The weight comes from the class that the model predicts. It belongs to the class that the label names: `weight[y]`."
)
def _(z, y, weight):
    w = weight[z.argmax(dim=1)]
    return (w * F.cross_entropy(z, y, reduction="none")).sum() / w.sum()


@fix_5.mistake(
    "You multiplied the mean loss by the mean weight: a sample's weight has to meet its own loss, before anything is averaged."
)
def _(z, y, weight):
    return F.cross_entropy(z, y) * weight[y].mean()


@fix_5.mistake("The weights count twice: `weight=` has multiplied the losses already.")
def _(z, y, weight):
    return (weight[y] ** 2 * F.cross_entropy(z, y, reduction="none")).sum() / weight[y].sum()


@fix_5.mistake("The weights are upside down, 1/weight: the classes that were to count more count less.")
def _(z, y, weight):
    return F.cross_entropy(z, y, weight=1 / weight)


@fix_5.mistake(
    "You divided the weights by the largest, then the sum by N: another factor, the same symptom. Divide by the sum of `weight[y]`."
)
def _(z, y, weight):
    return (weight[y] / weight.max() * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "You averaged within each class first, then the classes: a sample of a rare class then counts more than its weight says. Take one weighted mean over all samples."
)
def _(z, y, weight):
    losses, there = F.cross_entropy(z, y, reduction="none"), y.unique()
    return torch.stack([weight[c] * losses[y == c].mean() for c in there]).sum() / weight[there].sum()


# ---------------------------------------------------------------- fix_6: padding counted


def padded(rng, n, c, length, pad):
    """Sequences of different lengths, the first full, the last at least one position short; no real label equals pad."""
    y = rng.classes(n, length, num_classes=c - 1)
    y = y + (y >= pad)
    ends = rng.integers(n, low=1, high=length)
    ends[0] = length
    y = torch.where(torch.arange(length) < ends[:, None], y, pad)
    return rng.logits(n, c, length), y, pad


def some_padding(rng):
    n, c = sizes(rng)
    return padded(rng, n, c, n + 2, rng.size(1, c - 2))


@exercise(
    points=2,
    without=[],
    hints=[
        "How many of the positions that the mean runs over hold a digit?",
        "Leave a position out of the sum, and out of what you divide by.",
        'Either `ignore_index=pad`, or the losses one by one (`reduction="none"`) and then those where `y != pad`.',
    ],
    built="The mean over what is really there: `F.cross_entropy(z, y, ignore_index=pad)`.",
)
def fix_6(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=pad)


fix_6.case("two sequences, one padded", example=True)(
    lambda rng: (
        torch.tensor(
            [
                [[2.0, 0.0, 1.0], [0.0, 1.0, -1.0], [1.0, -1.0, 0.0]],
                [[1.0, 0.0, -2.0], [3.0, 0.0, 0.0], [0.0, 1.0, 4.0]],
            ],
            dtype=rng.dtype,
        ),
        torch.tensor([[0, 1, 0], [1, 2, 2]]),
        2,
    )
)
fix_6.case("random sequences", gradient="z")(some_padding)
fix_6.case("padding called 0", gradient="z")(lambda rng: padded(rng, 6, 4, 5, 0))
fix_6.case("as many positions as classes")(lambda rng: padded(rng, 6, 5, 5, 4))
fix_6.case("no padding at all")(lambda rng: (lambda z, y, pad: (z[:1], y[:1], pad))(*padded(rng, 3, 5, 6, 4)))
fix_6.case("float32", dtype=torch.float32, gradient="z")(some_padding)


@fix_6.mistake(
    'The symptom remains: padded positions count. They are many and always alike, so the loss falls because the model learns to say "padding".',
    hint="`y != pad` says which positions are real.",
)
def _(z, y, pad):
    return F.cross_entropy(z, y)


@fix_6.mistake(
    "Half of the symptom remains: padding adds nothing to the sum now, but you still divide by all positions. Divide by the real ones."
)
def _(z, y, pad):
    return (F.cross_entropy(z, y, reduction="none") * (y != pad)).mean()


@fix_6.mistake(
    "You averaged each sequence, then the sequences: a position in a short sequence counts more. Take one mean over all real positions."
)
def _(z, y, pad):
    real = (y != pad).to(z.dtype)
    return ((F.cross_entropy(z, y, reduction="none") * real).sum(dim=1) / real.sum(dim=1)).mean()


@fix_6.mistake(
    "You set the logits of padded positions to 0. Their loss is then ln C, not 0, and they still count."
)
def _(z, y, pad):
    return F.cross_entropy(z * (y != pad)[:, None], y)


@fix_6.mistake("The padding is out, but a softmax has come in: `cross_entropy` wants the logits as they are.")
def _(z, y, pad):
    return F.cross_entropy(z.softmax(dim=1), y, ignore_index=pad)


@fix_6.mistake(
    "You left out every sequence that has any padding. Only its padded positions go; its real ones count."
)
def _(z, y, pad):
    full = (y != pad).all(dim=1)
    return F.cross_entropy(z[full], y[full])


@fix_6.mistake(
    "You left out the positions where the model predicts padding. What is padding is said by the labels, not by the model."
)
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[z.argmax(dim=1) != pad].mean()


@fix_6.mistake("You added up the losses of the real positions and did not divide by their number.")
def _(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=pad, reduction="sum")


@fix_6.mistake("It is the other way round: you kept the padding and left the real positions out.")
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[y == pad].sum() / max((y == pad).sum().item(), 1)


@fix_6.mistake("You divided by the number of sequences. The mean runs over real positions.")
def _(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=pad, reduction="sum") / len(y)


@fix_6.mistake(
    "`reshape` of z from (N, C, L) to rows of C mixes classes with positions: move the classes last first, `z.transpose(1, 2)`."
)
def _(z, y, pad):
    return F.cross_entropy(z.reshape(-1, z.shape[1]), y.flatten(), ignore_index=pad)


@fix_6.mistake(
    "You cut all sequences to the length of the shortest: real positions of the longer ones are lost. Leave out only where `y == pad`."
)
def _(z, y, pad):
    n = (y != pad).all(dim=0).sum()
    return F.cross_entropy(z[:, :, :n], y[:, :n])


@fix_6.mistake(
    'You took the padding\'s class out of the softmax: the model is no longer charged for saying "padding" at a real position. Leave out positions, not a class.'
)
def _(z, y, pad):
    away = F.one_hot(torch.tensor(pad), z.shape[1]).bool()[:, None]
    return F.cross_entropy(z.masked_fill(away, -1e9), y, ignore_index=pad)


@fix_6.mistake(
    "You compared sizes: labels above `pad` are lost. A label is real when it is not equal to `pad`."
)
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[y < pad].mean()


@fix_6.mistake(
    "You compared sizes: labels below `pad` are lost. A label is real when it is not equal to `pad`."
)
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[y > pad].mean()


# ---------------------------------------------------------------- fix_7: smoothing with weights


def options(rng):
    return *weighted(rng), round(rng.uniform(1, low=0.05, high=0.3).item(), 2)


def by_hand(z, y, weight, smoothing, hard=None, smooth=None):
    """(1 − s)·hard + s·smooth, with PyTorch's two parts unless others are given."""
    log_p, used = z.log_softmax(dim=1), weight[y].sum()
    hard = F.nll_loss(log_p, y, weight=weight) if hard is None else hard
    smooth = -(weight * log_p).sum() / z.shape[1] / used if smooth is None else smooth
    return (1 - smoothing) * hard + smoothing * smooth


@exercise(
    points=3,
    without=[],
    hints=[
        "Weights without smoothing are right here, smoothing without weights too. So look at what the two parts are divided by.",
        "The share s/C of each class carries that class's weight; both parts are divided by the same number, the sum of `weight[y]`.",
        "PyTorch does all of it: `F.cross_entropy(z, y, weight=…, label_smoothing=…)`.",
    ],
    built="Weights and smoothing together, as `F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing)` defines them.",
)
def fix_7(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing)


fix_7.case("the lesson's example", example=True)(
    lambda rng: (*example(rng), torch.tensor(WEIGHT, dtype=rng.dtype), 0.1)
)
fix_7.case("weights and smoothing", gradient="z")(options)
fix_7.case("large weights", gradient="z")(lambda rng: (lambda z, y, w, s: (z, y, w * 50, s))(*options(rng)))
fix_7.case("weights alone")(lambda rng: (*weighted(rng), 0.0))
fix_7.case("smoothing alone")(
    lambda rng: (lambda z, y: (z, y, torch.ones(z.shape[1], dtype=z.dtype), 0.2))(*ordinary(rng))
)
fix_7.case("float32", dtype=torch.float32, gradient="z")(options)


@fix_7.mistake(
    "The symptom remains: double all the weights, and the loss changes. The smoothed part is divided by N, the other by the sum of `weight[y]`: "
    "both need the second.",
    hint="With all weights 1 the two divisors are equal: that is why each option alone looks right.",
)
def _(z, y, weight, smoothing):
    return by_hand(
        z, y, weight, smoothing, smooth=-(weight * z.log_softmax(dim=1)).sum(dim=1).mean() / z.shape[1]
    )


@fix_7.mistake("Your smoothed part has no weights: each class's share s/C has to carry that class's weight.")
def _(z, y, weight, smoothing):
    return by_hand(z, y, weight, smoothing, smooth=-z.log_softmax(dim=1).mean())


@fix_7.mistake(
    "You multiplied the whole smoothed loss by the weight of the label's class. Each class's share s/C takes its own weight instead."
)
def _(z, y, weight, smoothing):
    return (weight[y] * F.cross_entropy(z, y, label_smoothing=smoothing, reduction="none")).sum() / weight[
        y
    ].sum()


@fix_7.mistake(
    "Both parts are divided by N now, as PyTorch does for labels given as probabilities. With class labels both are divided by the sum of `weight[y]`."
)
def _(z, y, weight, smoothing):
    q = (1 - smoothing) * F.one_hot(y, z.shape[1]) + smoothing / z.shape[1]
    return F.cross_entropy(z, q.to(z.dtype), weight=weight)


@fix_7.mistake("The smoothing has gone: `smoothing` has no effect.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight)


@fix_7.mistake("The weights have gone: `weight` has no effect.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, label_smoothing=smoothing)


@fix_7.mistake("The smoothed part is C times too heavy: each class gets s/C, not s.")
def _(z, y, weight, smoothing):
    return by_hand(z, y, weight, smoothing, smooth=-(weight * z.log_softmax(dim=1)).sum() / weight[y].sum())


@fix_7.mistake("The shares have changed places: the label's class gets 1 − s, the even distribution s.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight, label_smoothing=1 - smoothing)


@fix_7.mistake(
    "You gave s/(C − 1) to each of the other classes and none to the label's. In PyTorch all C classes share s, the label's own too."
)
def _(z, y, weight, smoothing):
    log_p, hot = z.log_softmax(dim=1), F.one_hot(y, z.shape[1])
    others = -(weight * log_p * (1 - hot)).sum() / (z.shape[1] - 1) / weight[y].sum()
    return by_hand(z, y, weight, smoothing, smooth=others)


@fix_7.mistake(
    "You divided the smoothed part by the sum of the classes' weights for each sample, then by N. Divide it by what the other part is divided by: "
    "C times the sum of `weight[y]`."
)
def _(z, y, weight, smoothing):
    return by_hand(
        z, y, weight, smoothing, smooth=-((weight * z.log_softmax(dim=1)).sum(dim=1) / weight.sum()).mean()
    )


@fix_7.mistake("The smoothed part is added, not mixed in: the label's own part is multiplied by 1 − s.")
def _(z, y, weight, smoothing):
    return by_hand(z, y, weight, smoothing) + smoothing * F.nll_loss(z.log_softmax(dim=1), y, weight=weight)


@fix_7.mistake(
    "You divided by the smoothed labels' weights. PyTorch divides by the weights of the labels themselves, the sum of `weight[y]`."
)
def _(z, y, weight, smoothing):
    q = weight * ((1 - smoothing) * F.one_hot(y, z.shape[1]) + smoothing / z.shape[1])
    return -(q * z.log_softmax(dim=1)).sum() / q.sum()


@fix_7.mistake(
    "You divided by the sum of the classes' weights. What counts are the weights that the samples brought with them: the sum of `weight[y]`."
)
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing, reduction="sum") / weight.sum()


@fix_7.mistake("You added up and did not divide: both parts are divided by the sum of `weight[y]`.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing, reduction="sum")


@fix_7.mistake("The weights count twice: `weight=` has multiplied the losses already.")
def _(z, y, weight, smoothing):
    losses = F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing, reduction="none")
    return (weight[y] * losses).sum() / weight[y].sum()


@fix_7.mistake(
    "You multiplied the mean loss by the mean weight: each class's weight has to meet its own share, before anything is averaged."
)
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, label_smoothing=smoothing) * weight[y].mean()


@fix_7.mistake(
    "The smoothed part has the wrong sign: logarithms of probabilities are negative, and both parts need the minus."
)
def _(z, y, weight, smoothing):
    return by_hand(z, y, weight, -smoothing) - 2 * smoothing * F.nll_loss(
        z.log_softmax(dim=1), y, weight=weight
    )


# ---------------------------------------------------------------- fix_8: a threshold on logits


def around(rng):
    """Logits of every size, on both sides of every threshold that somebody may take for the right one."""
    between = [
        rng.uniform(2, low=a, high=b)
        for a, b in ((-0.95, -0.55), (-0.45, -0.05), (0.05, 0.38), (0.42, 0.48), (0.52, 0.6), (0.65, 0.95))
    ]
    return (torch.cat([rng.logits(rng.size()), *between]),)


@exercise(
    points=2,
    without=[],
    any_dtype=True,
    hints=[
        "What probability does a logit of 0.3 stand for? Is it above one half?",
        "Either turn the logits into probabilities before you compare with 0.5, or ask which logit belongs to the probability 0.5.",
        "sigmoid(0) is 0.5: compare z with 0.",
    ],
    built="A decision at probability 0.5, which is the logit 0: `(z > 0)`, or `(torch.sigmoid(z) > 0.5)`.",
)
def fix_8(z):
    return (z > 0).to(z.dtype)


fix_8.case("random logits")(around)
fix_8.case("the four patients of the binary lessons", example=True)(
    lambda rng: (torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=rng.dtype),)
)
fix_8.case("logits between 0 and 0.5")(lambda rng: (rng.uniform(rng.size(), low=0.05, high=0.45),))
fix_8.case("logits below 0")(lambda rng: (-rng.uniform(rng.size(), low=0.05, high=6.0),))
fix_8.case("float32", dtype=torch.float32)(around)


@fix_8.mistake(
    "The symptom remains: logits between 0 and 0.5 mean more than one half, and become 0. A logit of 0.5 stands for 0.62, not for one half.",
    hint="Which logit has the sigmoid 0.5?",
)
def _(z):
    return (z > 0.5).to(z.dtype)


@fix_8.mistake(
    "Everything is 1 now: a sigmoid is above 0 for every logit (and a sigmoid of a sigmoid above 0.5). Compare logits with 0, or probabilities with 0.5."
)
def _(z):
    return (torch.sigmoid(z) > 0).to(z.dtype)


@fix_8.mistake("You return probabilities. A decision is 0 or 1.")
def _(z):
    return torch.sigmoid(z)


@fix_8.mistake("The decision is turned round: a large logit speaks for 1.")
def _(z):
    return (z < 0).to(z.dtype)


@fix_8.mistake(
    "Compared with sigmoid(0.5) = 0.62: you turned the threshold into a probability and left the logits. The threshold 0.5 is a probability already."
)
def _(z):
    return (z > torch.sigmoid(torch.tensor(0.5))).to(z.dtype)


@fix_8.mistake(
    "Your threshold is the batch's mean logit: what one patient is told then depends on who else is in the batch."
)
def _(z):
    return (z > z.mean()).to(z.dtype)


@fix_8.mistake("You return −1 and +1. The script counts 0 and 1.")
def _(z):
    return z.sign()


@fix_8.mistake(
    "You rounded the logits: that still cuts at 0.5, and gives −3 or 5 as well. Round the probabilities."
)
def _(z):
    return z.round()


@fix_8.mistake(
    "One decision for the whole batch, by its mean logit. Each patient has a decision of their own."
)
def _(z):
    return torch.full_like(z, float(z.mean() > 0))


@fix_8.mistake("The size of the logit decides in yours, whatever its sign. A logit far below 0 speaks for 0.")
def _(z):
    return (z.abs() > 0.5).to(z.dtype)


@fix_8.mistake(
    "You moved the threshold to the wrong side: a logit of −0.5 stands for 0.38, less than one half."
)
def _(z):
    return (z > -0.5).to(z.dtype)


@fix_8.mistake(
    "Your threshold is the logit 1, which stands for the probability 0.73. One half belongs to another logit."
)
def _(z):
    return (z > 1).to(z.dtype)
