"""Exercises of 13_clinic: nine scripts that run, print a falling loss and are wrong, and a test that finds three kinds of them.

PyTorch's own losses are allowed: the task is repair. Every mistake is told by the symptom that remains.
Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
and https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
"""

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import Mixing

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
        "It applies a softmax itself, and takes the logarithm too. So what has to be removed from the script's function?",
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
    "The symptom remains: your loss cannot come near 0, however good the logits are. A softmax still comes before the one "
    "inside `CrossEntropyLoss`.",
    hint="Feed it one sample with logits 100, 0, 0 and label 0: the loss should be 0.",
)
def _(z, y):
    return F.cross_entropy(z.softmax(dim=1), y)


@fix_1.mistake(
    "There is a new symptom: the loss is negative. `nll_loss` expects logarithms of probabilities and got the probabilities themselves."
)
def _(z, y):
    return F.nll_loss(z.softmax(dim=1), y)


@fix_1.mistake(
    "There is a new symptom: the loss has no lower bound. `nll_loss` takes no logarithm and no softmax.",
    hint="Give it `log_softmax` of z, or use `cross_entropy`.",
)
def _(z, y):
    return F.nll_loss(z, y)


@fix_1.mistake(
    "A sigmoid has replaced the softmax, so the loss still sees numbers between 0 and 1 instead of logits."
)
def _(z, y):
    return F.cross_entropy(torch.sigmoid(z), y)


@fix_1.mistake(
    "Your probabilities add up to 1 over the batch instead of over the classes: the softmax runs along dimension 0."
)
def _(z, y):
    return F.nll_loss(z.log_softmax(dim=0), y)


@fix_1.mistake("You added the losses up, so a larger batch now prints a larger loss. The mean divides by N.")
def _(z, y):
    return F.cross_entropy(z, y, reduction="sum")


@fix_1.mistake("You return one loss for each sample; a script trains on one number, their mean.")
def _(z, y):
    return F.cross_entropy(z, y, reduction="none")


@fix_1.mistake(
    "This is binary cross-entropy for every class on its own: the classes no longer share a probability of 1."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z.dtype))


@fix_1.mistake(
    "This is the squared error of the probabilities, whose slope fades where the model is most wrong.",
    hint="Return the cross-entropy.",
)
def _(z, y):
    return ((z.softmax(dim=1) - F.one_hot(y, z.shape[1])) ** 2).sum(dim=1).mean()


@fix_1.mistake(
    "The symptom remains, and there is a second one: a softmax still comes before the loss, and it runs over the batch (dimension 0)."
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
    built="Probabilities over the classes, wherever the class dimension is: with classes last it is `torch.softmax(z, dim=-1)`.",
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
    "The symptom remains: a position's probabilities do not add up to 1. Dimension 1 holds the positions; the classes come last.",
    hint="z has shape (N, L, C): count the dimensions from 0.",
)
def _(z):
    return z.softmax(dim=1)


@fix_2.mistake(
    "Your softmax runs along dimension 0, the samples, so what one sequence gets depends on the others in its batch."
)
def _(z):
    return z.softmax(dim=0)


@fix_2.mistake(
    "You return logarithms: the numbers are negative. The script takes the logarithm later.",
    hint="Return probabilities.",
)
def _(z):
    return z.log_softmax(dim=2)


@fix_2.mistake(
    "Everything in a sequence adds up to 1, positions and classes together. Each position has a probability of 1 of its own to distribute."
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
    "The probabilities are right, but positions and classes are swapped.",
    hint="Return the shape of z, (N, L, C).",
)
def _(z):
    return z.softmax(dim=2).transpose(1, 2)


@fix_2.mistake(
    "Dividing z by its sum makes each position add up to 1, but it turns negative logits into negative probabilities: the exponential is missing."
)
def _(z):
    return z / z.sum(dim=2, keepdim=True)


@fix_2.mistake(
    "`reshape` from (N, L, C) to (N, C, L) does not swap two dimensions: it redistributes the numbers across positions and classes. `transpose(1, 2)` swaps."
)
def _(z):
    return z.reshape(z.shape[0], z.shape[2], z.shape[1]).softmax(dim=1).reshape(z.shape)


@fix_2.mistake(
    "You made a decision, 1 for the largest logit.", hint="Return probabilities: each class has its share."
)
def _(z):
    return F.one_hot(z.argmax(dim=2), z.shape[2]).to(z.dtype)


@fix_2.mistake(
    "You divided by the largest exponential. To add up to 1, each is divided by their sum over the classes."
)
def _(z):
    return (z - z.amax(dim=2, keepdim=True)).exp()


@fix_2.mistake(
    "There are two softmaxes now, one over the classes and one over the positions. Only the one over the classes belongs there."
)
def _(z):
    return z.softmax(dim=2).softmax(dim=1)


@fix_2.mistake(
    "You multiplied a softmax over the positions by one over the classes. Only the one over the classes belongs there."
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
        "How many samples does each of the means represent?",
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
    "The symptom remains: a batch of 5 samples counts as much as one of 600. Weight each mean by the number of its samples.",
    hint="Try losses 0 and 1 with sizes 9 and 1: the mean over the ten samples is 0.1.",
)
def _(losses, sizes):
    return losses.mean()


@fix_3.mistake(
    "You added up the losses of all samples and did not divide: the number grows with the data.",
    hint="Divide by the number of samples.",
)
def _(losses, sizes):
    return (losses * sizes).sum()


@fix_3.mistake(
    "You divided by the number of batches. You added up samples, so divide by their number, `sizes.sum()`."
)
def _(losses, sizes):
    return (losses * sizes).sum() / len(losses)


@fix_3.mistake(
    "The batches' losses are means already: before you divide by the number of all samples, each has to be multiplied by its own size."
)
def _(losses, sizes):
    return losses.sum() / sizes.sum()


@fix_3.mistake(
    "You divided each batch's loss by its size. It is a mean already; to get back to the sum, multiply."
)
def _(losses, sizes):
    return (losses / sizes).mean()


@fix_3.mistake("You added the batches' means up, so more batches now print a larger loss.")
def _(losses, sizes):
    return losses.sum()


@fix_3.mistake(
    "You left the smallest batch out and averaged the rest: its samples count too, each as much as any other."
)
def _(losses, sizes):
    return losses[sizes > sizes.min()].mean() if (sizes > sizes.min()).any() else losses.mean()


@fix_3.mistake(
    "You divided by the number of batches times the largest size, which is right only where all sizes are equal.",
    hint="Divide by the number of all samples.",
)
def _(losses, sizes):
    return (losses * sizes).sum() / (sizes.max() * len(sizes))


@fix_3.mistake("You left the last batch out. Its samples count too, each as much as any other.")
def _(losses, sizes):
    return (losses[:-1] * sizes[:-1]).sum() / sizes[:-1].sum()


@fix_3.mistake(
    "The weights are inverted, so a large batch counts less than a small one.",
    hint="Multiply each mean by its size, and divide by the sum of the sizes.",
)
def _(losses, sizes):
    return (losses / sizes).sum() / (1 / sizes).sum()


@fix_3.mistake(
    "The sizes are squared: a large batch counts more than its samples.",
    hint="Multiply each mean by its size once, and divide by the sum of the sizes.",
)
def _(losses, sizes):
    return (losses * sizes**2).sum() / (sizes**2).sum()


@fix_3.mistake(
    "A softmax of the sizes gives nearly all the weight to the largest batch. The weight of a batch is its share of the samples, size / sum of sizes."
)
def _(losses, sizes):
    return (losses * sizes.to(losses.dtype).softmax(dim=0)).sum()


@fix_3.mistake(
    "The shares size / sum of sizes add up to 1 already, so their products with the losses have to be added. You took the mean of the products, "
    "which divides by the number of batches besides."
)
def _(losses, sizes):
    return (losses * (sizes / sizes.sum())).mean()


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
    built="One loss for each patient: `F.binary_cross_entropy_with_logits(z.squeeze(1), y)`. With z as it was, that function would have refused the two shapes.",
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
    "The shapes are right now, but a sigmoid comes before a loss that takes logits, so the loss can no longer come near 0."
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


@fix_4.mistake("The shapes are right now, but the sign of the label's term is flipped: softplus(z) − y·z.")
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
    "The shapes are right now, but only the patients with label 1 cost something. Label 0 has a loss, too: softplus(z)."
)
def _(z, y):
    return (y * F.softplus(-z[:, 0])).mean()


@fix_4.mistake(
    "This is the squared error of the logits. The script's loss, softplus(z) − y·z, was right; only the shapes were wrong."
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


@fix_5.mistake("The weights are gone, so rare classes count no more than before they were weighted.")
def _(z, y, weight):
    return F.cross_entropy(z, y)


@fix_5.mistake("You added the weighted losses up and did not divide.")
def _(z, y, weight):
    return (weight[y] * F.cross_entropy(z, y, reduction="none")).sum()


@fix_5.mistake(
    "You made the weights' mean over the classes 1, then divided by N. That is right where every class is equally frequent, and wrong where one is rare.",
    hint="Divide by the sum of `weight[y]`.",
)
def _(z, y, weight):
    return ((weight / weight.mean())[y] * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "You multiplied the logits by the weights: that changes the model's probabilities. A weight multiplies a sample's loss."
)
def _(z, y, weight):
    return F.cross_entropy(z * weight, y)


@fix_5.mistake(
    "You made the weights add up to 1 over the classes, then divided by N: another factor, and the same symptom.",
    hint="Divide by the sum of `weight[y]`.",
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


@fix_5.mistake("The weights are inverted, 1/weight: the classes that should count more count less.")
def _(z, y, weight):
    return F.cross_entropy(z, y, weight=1 / weight)


@fix_5.mistake(
    "You divided the weights by the largest, then the sum by N: another factor, and the same symptom.",
    hint="Divide by the sum of `weight[y]`.",
)
def _(z, y, weight):
    return (weight[y] / weight.max() * F.cross_entropy(z, y, reduction="none")).mean()


@fix_5.mistake(
    "You averaged within each class first, then the classes: a sample of a rare class then counts more than its weight says.",
    hint="Take one weighted mean over all samples.",
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
        "How many of the positions that the mean runs over hold a digit or the end?",
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
    "Half of the symptom remains: padding adds nothing to the sum now, but you still divide by all positions.",
    hint="Divide by the real ones.",
)
def _(z, y, pad):
    return (F.cross_entropy(z, y, reduction="none") * (y != pad)).mean()


@fix_6.mistake(
    "You averaged each sequence, then the sequences: a position in a short sequence counts more.",
    hint="Take one mean over all real positions.",
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
    "You left out the positions where the model predicts padding. The labels say what is padding, not the model."
)
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[z.argmax(dim=1) != pad].mean()


@fix_6.mistake("You added up the losses of the real positions and did not divide by their number.")
def _(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=pad, reduction="sum")


@fix_6.mistake("You kept the padding and left the real positions out.")
def _(z, y, pad):
    return F.cross_entropy(z, y, reduction="none")[y == pad].sum() / max((y == pad).sum().item(), 1)


@fix_6.mistake("You divided by the number of sequences. The mean runs over real positions.")
def _(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=pad, reduction="sum") / len(y)


@fix_6.mistake(
    "You divided by the mean number of real positions in a sequence.",
    hint="Divide by the number of real positions in the whole batch.",
)
def _(z, y, pad):
    real = (y != pad).to(z.dtype)
    return (F.cross_entropy(z, y, reduction="none") * real).sum() / real.sum(dim=1).mean()


@fix_6.mistake(
    "`reshape` of z from (N, C, L) to rows of C mixes classes with positions.",
    hint="Move the classes last first, `z.transpose(1, 2)`.",
)
def _(z, y, pad):
    return F.cross_entropy(z.reshape(-1, z.shape[1]), y.flatten(), ignore_index=pad)


@fix_6.mistake(
    "You cut all sequences to the length of the shortest: real positions of the longer ones are lost.",
    hint="Leave out only where `y == pad`.",
)
def _(z, y, pad):
    n = (y != pad).all(dim=0).sum()
    return F.cross_entropy(z[:, :, :n], y[:, :n])


@fix_6.mistake(
    'You took the padding\'s class out of the softmax: the model is no longer charged for saying "padding" at a real position.',
    hint="Leave out positions, not a class.",
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


@fix_7.mistake("The smoothing is gone: `smoothing` has no effect.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight)


@fix_7.mistake("The weights are gone: `weight` has no effect.")
def _(z, y, weight, smoothing):
    return F.cross_entropy(z, y, label_smoothing=smoothing)


@fix_7.mistake("The smoothed part is C times too heavy: each class gets s/C, not s.")
def _(z, y, weight, smoothing):
    return by_hand(z, y, weight, smoothing, smooth=-(weight * z.log_softmax(dim=1)).sum() / weight[y].sum())


@fix_7.mistake("The shares are swapped: the label's class gets 1 − s, and the even distribution s.")
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
    "You divided the smoothed part by the sum of the classes' weights for each sample, then by N.",
    hint="Divide it by what the other part is divided by: C times the sum of `weight[y]`.",
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
        "Which probability does a logit of 0.3 mean? Is it above one half?",
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
fix_8.case("logits between 0 and 0.5", edge=True)(lambda rng: (rng.uniform(rng.size(), low=0.05, high=0.45),))
fix_8.case("logits below 0", edge=True)(lambda rng: (-rng.uniform(rng.size(), low=0.05, high=6.0),))
fix_8.case("a logit of exactly 0", edge=True)(
    lambda rng: (torch.tensor([-0.3, 0.0, 0.3], dtype=rng.dtype)[rng.permutation(3)],)
)
fix_8.case("float32", dtype=torch.float32)(around)


@fix_8.mistake(
    "The symptom remains: logits between 0 and 0.5 mean a probability above one half, and become 0. A logit of 0.5 means 0.62.",
    hint="Which logit has the sigmoid 0.5?",
)
def _(z):
    return (z > 0.5).to(z.dtype)


@fix_8.mistake(
    "Everything is 1 now: a sigmoid is above 0 for every logit (and a sigmoid of a sigmoid above 0.5).",
    hint="Compare logits with 0, or probabilities with 0.5.",
)
def _(z):
    return (torch.sigmoid(z) > 0).to(z.dtype)


@fix_8.mistake("You return probabilities. A decision is 0 or 1.")
def _(z):
    return torch.sigmoid(z)


@fix_8.mistake("The decision is reversed: a large logit means label 1.")
def _(z):
    return (z < 0).to(z.dtype)


@fix_8.mistake(
    "Compared with sigmoid(0.5) = 0.62: you turned the threshold into a probability and left the logits. The threshold 0.5 is a probability already."
)
def _(z):
    return (z > torch.sigmoid(torch.tensor(0.5))).to(z.dtype)


@fix_8.mistake(
    "Your threshold is the batch's mean logit, so what one patient is told depends on who else is in the batch."
)
def _(z):
    return (z > z.mean()).to(z.dtype)


@fix_8.mistake("You return −1 and +1. The script expects 0 and 1.")
def _(z):
    return z.sign()


@fix_8.mistake(
    "You rounded the logits: that still cuts at 0.5, and gives −3 or 5 as well.",
    hint="Round the probabilities.",
)
def _(z):
    return z.round()


@fix_8.mistake(
    "One decision for the whole batch, by its mean logit. Each patient has a decision of their own."
)
def _(z):
    return torch.full_like(z, float(z.mean() > 0))


@fix_8.mistake("You decide by the size of the logit, whatever its sign. A logit far below 0 means label 0.")
def _(z):
    return (z.abs() > 0.5).to(z.dtype)


@fix_8.mistake("You moved the threshold to the wrong side: a logit of −0.5 means 0.38, less than one half.")
def _(z):
    return (z > -0.5).to(z.dtype)


@fix_8.mistake(
    "Your threshold is the logit 1, which means the probability 0.73. One half belongs to another logit."
)
def _(z):
    return (z > 1).to(z.dtype)


@fix_8.mistake(
    "Right but for a logit of exactly 0: there both labels are equally probable, so label 1 is not *more* probable than the other. You compared with ≥."
)
def _(z):
    return (z >= 0).to(z.dtype)


@fix_8.mistake(
    "Right but for a logit of exactly 0: its sign is 0, and (0 + 1) / 2 is one half, which is no decision. It should be 0."
)
def _(z):
    return (z.sign() + 1) / 2


# ---------------------------------------------------------------- fix_9: padding that is the end token


def ended(rng, n=None, c=None, length=None, end=None):
    """Sequences that end at different places, padded with the end itself: the first at once, the last but one late, the last never."""
    n = n or rng.size(5, 8)
    c = c or n - 1
    length = length or n + 2
    end = c - 1 if end is None else end
    y = rng.classes(n, length, num_classes=c - 1)
    y = y + (y >= end)
    first = rng.integers(n, low=1, high=length - 1)
    first[0], first[-2], first[-1] = 0, length - 2, length
    y = torch.where(torch.arange(length) < first[:, None], y, end)
    return rng.logits(n, c, length), y, end


def with_text_behind(rng):
    """Behind the first end another text begins, which ends, too: what lies there is anything."""
    z, y, end = ended(rng)
    other = (end + 1) % z.shape[1]
    y[0, 2], y[-2, -1] = other, other
    y[1, 1], y[1, 2], y[1, 3], y[1, 4] = end, other, end, other
    return z, y, end


def counted(y, end):
    """Which positions count: those up to the first end, and that one."""
    is_end = (y == end).long()
    return is_end.cumsum(dim=1) - is_end == 0


@exercise(
    points=3,
    hints=[
        "By its value you cannot tell the end from the padding. By what can you?",
        "A position counts if no end token comes before it. How many end tokens come before each position?",
        "`(y == end).cumsum(dim=1)` counts the ends up to and including a position; subtract the position's own.",
    ],
    built="The mean over everything up to the first end, and that end: what a model needs in order to learn when to stop. With a label of its own for the "
    "padding, `F.cross_entropy(z, y, ignore_index=…)` does it.",
)
def fix_9(z, y, end):
    return F.cross_entropy(z, y, reduction="none")[counted(y, end)].mean()


fix_9.case("three sequences, one without an end", example=True)(
    lambda rng: (
        torch.tensor(
            [
                [[2.0, 0.0, 1.0, 0.0], [0.0, 1.0, -1.0, 2.0], [1.0, -1.0, 0.0, 1.0]],
                [[1.0, 0.0, -2.0, 1.0], [3.0, 0.0, 0.0, 0.0], [0.0, 1.0, 4.0, -1.0]],
                [[0.0, 2.0, 1.0, 1.0], [1.0, 0.0, 0.0, -1.0], [-1.0, 0.0, 2.0, 0.0]],
            ],
            dtype=rng.dtype,
        ),
        torch.tensor([[0, 2, 2, 2], [1, 0, 2, 2], [1, 0, 0, 1]]),
        2,
    )
)
fix_9.case("random sequences", gradient="z")(ended)
fix_9.case("an end called 0", gradient="z")(lambda rng: ended(rng, 6, 4, 5, 0))
fix_9.case("as many positions as classes and samples")(lambda rng: ended(rng, 6, 6, 6, 3))
fix_9.case("other tokens after the first end")(with_text_behind)
fix_9.case("no sequence ends")(lambda rng: (lambda z, y, end: (z[-1:], y[-1:], end))(*ended(rng)))
fix_9.case("float32", dtype=torch.float32, gradient="z")(ended)


@fix_9.mistake(
    "The symptom remains: the padding counts. It consists of end tokens, which are many and always alike, and the loss falls because the model learns those."
)
def _(z, y, end):
    return F.cross_entropy(z, y)


@fix_9.mistake(
    "You ignored every end token, the padding and the real ends alike. The loss looks right, but the model never learns to stop.",
    hint="The first end of a sequence is a real token.",
)
def _(z, y, end):
    return F.cross_entropy(z, y, ignore_index=end)


@fix_9.mistake(
    "Each sequence is cut before its end, so nothing teaches the model to stop. The first end counts, too.",
    hint="How many ends come before a position, not counting the position itself?",
)
def _(z, y, end):
    return F.cross_entropy(z, y, reduction="none")[(y == end).cumsum(dim=1) == 0].mean()


@fix_9.mistake(
    "You counted up to the second end token. Where other tokens follow the first end, they count in your mean, and should not."
)
def _(z, y, end):
    return F.cross_entropy(z, y, reduction="none")[(y == end).cumsum(dim=1) <= 1].mean()


@fix_9.mistake("You counted up to the last end token. A sequence ends at its first one, whatever follows.")
def _(z, y, end):
    is_end = (y == end).long()
    later = is_end.flip(1).cumsum(dim=1).flip(1) > 0
    return F.cross_entropy(z, y, reduction="none")[later | (is_end.sum(dim=1, keepdim=True) == 0)].mean()


@fix_9.mistake(
    "A sequence without an end is cut after its first position: `argmax` of a row without any match is 0. It should count throughout."
)
def _(z, y, end):
    first = (y == end).long().argmax(dim=1)
    return F.cross_entropy(z, y, reduction="none")[torch.arange(y.shape[1]) <= first[:, None]].mean()


@fix_9.mistake("You left out the sequences without an end. They count throughout.")
def _(z, y, end):
    has_end = (y == end).any(dim=1, keepdim=True)
    kept = counted(y, end) & has_end
    return F.cross_entropy(z, y, reduction="none")[kept].sum() / kept.sum().clamp(min=1)


@fix_9.mistake(
    "You averaged each sequence, then the sequences, so a token of a short sequence counts more.",
    hint="Take one mean over all counted tokens.",
)
def _(z, y, end):
    real = counted(y, end).to(z.dtype)
    return ((F.cross_entropy(z, y, reduction="none") * real).sum(dim=1) / real.sum(dim=1)).mean()


@fix_9.mistake(
    "The padding adds nothing to the sum now, but you still divide by all positions.",
    hint="Divide by the number of counted tokens.",
)
def _(z, y, end):
    return (F.cross_entropy(z, y, reduction="none") * counted(y, end)).mean()


@fix_9.mistake("You added up the losses of the counted tokens and did not divide by their number.")
def _(z, y, end):
    return F.cross_entropy(z, y, reduction="none")[counted(y, end)].sum()


@fix_9.mistake("You divided by the number of sequences. The mean runs over the counted tokens.")
def _(z, y, end):
    return F.cross_entropy(z, y, reduction="none")[counted(y, end)].sum() / len(y)


@fix_9.mistake(
    "A token counts here unless the one directly before it is an end. Once a sequence has ended, nothing counts any more, whatever follows."
)
def _(z, y, end):
    kept = torch.ones_like(y, dtype=torch.bool)
    kept[:, 1:] = y[:, :-1] != end
    return F.cross_entropy(z, y, reduction="none")[kept].mean()


@fix_9.mistake(
    "You looked for the end in the model's predictions. The labels say where a sequence ends, not the model."
)
def _(z, y, end):
    kept = counted(z.argmax(dim=1), end)
    return F.cross_entropy(z, y, reduction="none")[kept].mean()


@fix_9.mistake("You kept what follows the first end and left the real tokens out.")
def _(z, y, end):
    kept = ~counted(y, end)
    return F.cross_entropy(z, y, reduction="none")[kept].sum() / kept.sum().clamp(min=1)


@fix_9.mistake(
    "The padding is out, but a softmax has come in: `cross_entropy` expects the logits as they are."
)
def _(z, y, end):
    return F.cross_entropy(z.softmax(dim=1), y, reduction="none")[counted(y, end)].mean()


@fix_9.mistake(
    "The first end of the batch cuts all sequences. Each sequence has an end of its own: count along dimension 1."
)
def _(z, y, end):
    is_end = (y == end).any(dim=0).long()
    kept = (is_end.cumsum(dim=0) - is_end == 0).expand(y.shape)
    return F.cross_entropy(z, y, reduction="none")[kept].mean()


@fix_9.mistake("You counted the ends along dimension 0, down the batch. A sequence lies along dimension 1.")
def _(z, y, end):
    is_end = (y == end).long()
    return F.cross_entropy(z, y, reduction="none")[is_end.cumsum(dim=0) - is_end == 0].mean()


@fix_9.mistake(
    "You took out every end token but the first. Other tokens that follow the first end still count, and should not: once a sequence has ended, nothing counts any more.",
    hint="Ask of each position whether an end comes before it, whatever its own label.",
)
def _(z, y, end):
    is_end = (y == end).long()
    later_ends = (is_end == 1) & (is_end.cumsum(dim=1) > 1)
    return F.cross_entropy(z, torch.where(later_ends, -100, y))


@fix_9.mistake(
    "You took out the end tokens that directly follow another. Whatever else comes after the first end still counts, and should not: once a sequence has ended, nothing counts any more.",
    hint="Ask of each position whether an end comes anywhere before it.",
)
def _(z, y, end):
    is_end = y == end
    follows_an_end = is_end.roll(1, dims=1)
    follows_an_end[:, 0] = False
    return F.cross_entropy(z, torch.where(is_end & follows_an_end, -100, y))


# ---------------------------------------------------------------- dependency: which row reaches which output


def signed(rng, *shape):
    """Numbers of both signs, none of them near 0."""
    return rng.logits(*shape, limit=2.0)


def mixing(rng, pattern, direction=None, scale=1.0):
    """A function whose output i depends on row j where pattern [i, j] is true, and a batch for it."""
    direction = signed(rng, 3) if direction is None else torch.tensor(direction, dtype=rng.dtype)
    weights = torch.where(pattern, signed(rng, *pattern.shape), 0.0).to(rng.dtype) * scale
    return Mixing(weights, direction), rng.normal(len(pattern), len(direction))


def some_pattern(rng, n=None):
    """True here and there, not symmetric, and not the same in every row or column."""
    n = n or rng.size(4, 7)
    pattern = rng.uniform(n, n) < 0.4
    pattern |= torch.eye(n, dtype=torch.bool)
    pattern[0, 1], pattern[1, 0], pattern[2, 2] = True, False, False
    return pattern


def balanced_rows(rng):
    """Each output is a difference: its weights add up to 0, and so do those of each row."""
    n = rng.size(4, 7)
    eye = torch.eye(n, dtype=rng.dtype)
    return Mixing(eye - eye.roll(1, dims=1), signed(rng, 2)), rng.normal(n, 2)


def own_rows(rng):
    return mixing(rng, torch.eye(rng.size(4, 7), dtype=torch.bool))


def batch_mean_subtracted(rng):
    """f(x) = s - s.mean(): a batch statistic, through which every output depends on every row."""
    n = rng.size(4, 7)
    return Mixing(torch.eye(n, dtype=rng.dtype) - 1 / n, signed(rng, 3)), rng.normal(n, 3)


@exercise(
    points=3,
    hints=[
        "Autograd answers the question: the derivative of one output with respect to all of x has the shape of x, one row a sample.",
        "One backward pass for each output: `torch.autograd.grad(output, x, retain_graph=True)`, on a copy of x that requires a gradient.",
        "A row matters if any of its D derivatives is different from 0. Do not add them up first: +1 and −1 would cancel.",
    ],
    built="The dependency test of Karpathy's recipe, for all outputs at once. `torch.autograd.functional.jacobian(f, x)` gives the derivatives themselves, (N, N, D).",
)
def dependency(f, x):
    x = x.detach().clone().requires_grad_(True)
    return _derivatives(f, x).ne(0).any(dim=2)


def _derivatives(f, x):
    """(N, N, D): entry [i, j, d] is the derivative of output i with respect to x[j, d]. x requires a gradient."""
    return torch.stack([torch.autograd.grad(o, x, retain_graph=True)[0] for o in f(x)])


def derivatives(f, x):
    return _derivatives(f, x.detach().clone().requires_grad_(True))


dependency.case("differences of neighbours", example=True)(
    lambda rng: (
        Mixing(
            torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], dtype=rng.dtype),
            torch.tensor([1.0], dtype=rng.dtype),
        ),
        torch.tensor([[1.0], [2.0], [4.0]], dtype=rng.dtype),
    )
)
dependency.case("some rows reach some outputs")(lambda rng: mixing(rng, some_pattern(rng)))
dependency.case("each output has its own row")(own_rows)
dependency.case("a batch mean is subtracted", edge=True)(batch_mean_subtracted)
dependency.case("differences whose weights cancel")(balanced_rows)
dependency.case("features that cancel")(lambda rng: mixing(rng, some_pattern(rng), direction=[1.0, -1.0]))
dependency.case("features without effect")(
    lambda rng: [
        mixing(rng, some_pattern(rng), direction=[0.0, 1.5]),
        mixing(rng, some_pattern(rng), direction=[-0.5, 0.0]),
    ]
)
dependency.case("faint dependence")(lambda rng: mixing(rng, some_pattern(rng), scale=1e-9))
dependency.case("float32", dtype=torch.float32)(lambda rng: mixing(rng, some_pattern(rng)))


@dependency.mistake(
    "You added the effects of a row's features up (their derivatives, or by changing all of them alike): those of different sign cancel, "
    "and the row seems to have no effect.",
    hint="Ask whether any of them differs from 0.",
)
def _(f, x):
    return derivatives(f, x).sum(dim=2).ne(0)


@dependency.mistake(
    "You added all outputs up before the backward pass, so you know which rows matter to anything, but not to which output.",
    hint="One backward pass for each output.",
)
def _(f, x):
    return derivatives(f, x).sum(dim=0).ne(0).any(dim=1).expand(len(x), len(x))


@dependency.mistake(
    "The result is transposed: entry [i, j] belongs to output i and row j, and yours to output j and row i."
)
def _(f, x):
    return derivatives(f, x).ne(0).any(dim=2).T


@dependency.mistake(
    "Your gradients accumulate: what an earlier output left in `x.grad` is still there when the next one is asked.",
    hint="Use `torch.autograd.grad`, or clear it.",
)
def _(f, x):
    return derivatives(f, x).cumsum(dim=0).ne(0).any(dim=2)


@dependency.mistake("Only positive derivatives count here. A negative one is a dependence, too.")
def _(f, x):
    return derivatives(f, x).gt(0).any(dim=2)


@dependency.mistake(
    "Your function leaves something on x: after the call it requires a gradient, or carries one.",
    hint="Work on `x.detach().clone()`.",
)
def _(f, x):
    return _derivatives(f, x.requires_grad_(True)).ne(0).any(dim=2)


@dependency.mistake(
    "You counted only derivatives above some small number. However faint it is, a derivative that differs from 0 is a dependence."
)
def _(f, x):
    return derivatives(f, x).abs().gt(1e-6).any(dim=2)


@dependency.mistake(
    "You asked whether all derivatives of a row differ from 0. One feature that has an effect is enough."
)
def _(f, x):
    return derivatives(f, x).ne(0).all(dim=2)


@dependency.mistake(
    "You looked at the first feature of each row only. Any feature may be the one that has an effect."
)
def _(f, x):
    return derivatives(f, x)[:, :, 0].ne(0)


@dependency.mistake(
    "You looked at the last feature of each row only. Any feature may be the one that has an effect."
)
def _(f, x):
    return derivatives(f, x)[:, :, -1].ne(0)


@dependency.mistake(
    "You return how strong each dependence is.", hint="Return whether there is one, True or False."
)
def _(f, x):
    return derivatives(f, x).abs().sum(dim=2)


@dependency.mistake(
    "You return the derivatives themselves, (N, N, D).",
    hint="Return one truth value for each pair of an output and a row.",
)
def _(f, x):
    return derivatives(f, x)


@dependency.mistake("You return one truth value for each feature, (N, N, D). A row counts as a whole.")
def _(f, x):
    return derivatives(f, x).ne(0)


@dependency.mistake("It is reversed: True should mean that the output depends on the row.")
def _(f, x):
    return ~derivatives(f, x).ne(0).any(dim=2)


@dependency.mistake(
    "Your answer is the identity whatever f is: every output depends on its own row and on no other.",
    hint="Ask f, by its derivatives.",
)
def _(f, x):
    return torch.eye(len(x), dtype=torch.bool)


@dependency.mistake(
    "You left the diagonal out. An output's dependence on its own row is an entry like any other."
)
def _(f, x):
    return derivatives(f, x).ne(0).any(dim=2) & ~torch.eye(len(x), dtype=torch.bool)


@dependency.mistake(
    "You made the result symmetric. That output 0 depends on row 1 does not mean that output 1 depends on row 0."
)
def _(f, x):
    found = derivatives(f, x).ne(0).any(dim=2)
    return found | found.T


@dependency.mistake(
    "The entries are right, but they are numbers.", hint="Return truth values (dtype `torch.bool`)."
)
def _(f, x):
    return derivatives(f, x).ne(0).any(dim=2).to(x.dtype)


@dependency.mistake(
    "This is the answer for the first output, repeated. Each output has a row of its own in the result."
)
def _(f, x):
    return derivatives(f, x)[:1].ne(0).any(dim=2).expand(len(x), len(x))


@dependency.mistake(
    "This is a single answer for the whole batch.", hint="Return one for each pair of an output and a row."
)
def _(f, x):
    found = derivatives(f, x).ne(0).any(dim=2)
    return (found & ~torch.eye(len(x), dtype=torch.bool)).any()
