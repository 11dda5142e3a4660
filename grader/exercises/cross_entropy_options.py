"""Exercises of 09_cross_entropy_options: weights, ignored labels, smoothing, soft labels, sequences.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html;
label smoothing: Szegedy et al., https://arxiv.org/abs/1512.00567, section 7
"""

import torch
from torch.nn import functional as F

from grader.exercises.cross_entropy import PYTORCH, Z, example, extremes, many_classes, one_sample
from grader.judging.exercise import exercise
from grader.judging.question import call

WEIGHT = [1.0, 1.0, 5.0, 1.0, 2.0]
# (1 − s) times a one-hot row of whole numbers is float32: shares that were mixed so are no mistake
MIXED = dict(atol=1e-6)
WIDE = dict(rtol=1e-3, atol=1e-4)  # logits of 1000 in float32 keep four places


def ordinary(rng):
    """Logits and labels of at least two classes; N is never C, and neither is the example's."""
    n, c = rng.size(6, 9), rng.size(3, 4)
    y = rng.classes(n, num_classes=c)
    y[0], y[1] = 0, c - 1
    return rng.logits(n, c), y


def weights(rng, c):
    """Class weights, clearly different from each other."""
    return (1 + rng.permutation(c)).to(rng.dtype) * rng.uniform(c, low=0.4, high=0.6)


def mask(rng, y, ignore_index=-100):
    """About a third of the labels ignored, the first one always, the second never."""
    hidden = torch.where(rng.uniform(len(y)) < 0.3, ignore_index, y)
    another = ignore_index - 1 if ignore_index > 0 else ignore_index + 1
    hidden[0], hidden[1] = ignore_index, y[1] if y[1] != ignore_index else another
    return hidden


# ---------------------------------------------------------------- weighted_cross_entropy


def weighted(make):
    def ask(rng):
        z, y = make(rng)
        return z, y, weights(rng, z.shape[1])

    return ask


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "The weights belong to classes. Each sample has the weight of its label: index `weight` with `y`.",
        "Multiply each loss by its weight and add up. Then: by what do you divide, so that weights of 2 everywhere change nothing?",
        "Divide by the sum of the samples' own weights, `weight[y].sum()`.",
    ],
    built="You have built `F.cross_entropy(z, y, weight=…)`: a weighted mean, divided by the sum of the weights.",
)
def weighted_cross_entropy(z, y, weight):
    return F.cross_entropy(z, y, weight=weight)


weighted_cross_entropy.case("the lesson's example", example=True, gradient="z")(
    lambda rng: (*example(rng), torch.tensor(WEIGHT, dtype=rng.dtype))
)
weighted_cross_entropy.case("random logits", gradient="z")(weighted(ordinary))
weighted_cross_entropy.case("more classes than samples, one sample", gradient="z")(
    lambda rng: [weighted(many_classes)(rng), weighted(one_sample)(rng)]
)
weighted_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(weighted(ordinary))
weighted_cross_entropy.case("logits of 1000", extreme=True, gradient="z")(weighted(extremes))


def _losses(z, y):
    return F.cross_entropy(z, y, reduction="none")


@weighted_cross_entropy.mistake(
    "You divided by N. A weighted mean divides by the sum of the weights that were used, so that weights of 2 everywhere change nothing.",
    hint="The sum of weight[y].",
)
def _(z, y, weight):
    return (weight[y] * _losses(z, y)).mean()


@weighted_cross_entropy.mistake(
    "You divided by the sum of the weights of all classes. What counts are the weights of the samples: two samples of one class use its weight twice."
)
def _(z, y, weight):
    return (weight[y] * _losses(z, y)).sum() / weight.sum()


@weighted_cross_entropy.mistake(
    "You added the weighted losses up. The mean divides by the sum of the samples' weights."
)
def _(z, y, weight):
    return (weight[y] * _losses(z, y)).sum()


@weighted_cross_entropy.mistake("`weight` has no effect: every sample counts the same.")
def _(z, y, weight):
    return F.cross_entropy(z, y)


@weighted_cross_entropy.mistake(
    "You multiplied the logits by the weights. They belong to the losses: a weight says how much a sample counts, not what the model said."
)
def _(z, y, weight):
    return F.cross_entropy(z * weight, y)


@weighted_cross_entropy.mistake(
    "You chose the weight by the model's guess. It is the label that says how much a sample counts."
)
def _(z, y, weight):
    return (weight[z.argmax(dim=1)] * _losses(z, y)).sum() / weight[z.argmax(dim=1)].sum()


@weighted_cross_entropy.mistake(
    "You divided by the number of samples and by the sum of their weights.",
    hint="Divide by the sum of the weights alone.",
)
def _(z, y, weight):
    return (weight[y] * _losses(z, y)).mean() / weight[y].sum()


@weighted_cross_entropy.mistake(
    "You scaled the class weights to sum to 1 and took the mean over N. It is the weights of the samples that have to sum to 1."
)
def _(z, y, weight):
    return ((weight / weight.sum())[y] * _losses(z, y)).mean()


@weighted_cross_entropy.mistake(
    "You divided each loss by its weight. A larger weight makes a sample count more.", hint="Multiply."
)
def _(z, y, weight):
    return F.cross_entropy(z, y, weight=1 / weight)


@weighted_cross_entropy.mistake(
    "You took the logarithm of a softmax. Far below the largest logit that is −inf. log_softmax does not make that 0."
)
def _(z, y, weight):
    return F.nll_loss(torch.softmax(z, dim=1).log(), y, weight=weight)


@weighted_cross_entropy.mistake(
    "You divided by the mean of the class weights. What counts are the weights of the samples, weight[y]."
)
def _(z, y, weight):
    return (weight[y] * _losses(z, y)).mean() / weight.mean()


@weighted_cross_entropy.mistake(
    "You return the weighted loss of each sample.",
    hint="Return their sum, divided by the sum of their weights.",
)
def _(z, y, weight):
    return weight[y] * _losses(z, y)


@weighted_cross_entropy.mistake(
    "You multiplied all log-probabilities by the weights and added them up. Only the label's counts, with the label's weight."
)
def _(z, y, weight):
    return -(torch.log_softmax(z, dim=1) * weight).sum() / weight[y].sum()


@weighted_cross_entropy.mistake(
    "Your weights are inside the logarithm. They multiply the losses, after the logarithm."
)
def _(z, y, weight):
    return -(torch.log_softmax(z, dim=1) + weight.log())[torch.arange(len(y)), y].mean()


@weighted_cross_entropy.mistake(
    "You subtracted the largest logit of the whole matrix. Each row needs its own: next to one at 1000, a row at −1000 underflows to 0."
)
def _(z, y, weight):
    shifted = z - z.max()
    losses = shifted.exp().sum(dim=1).log() - shifted[torch.arange(len(y)), y]
    return (weight[y] * losses).sum() / weight[y].sum()


@weighted_cross_entropy.mistake(
    "Your log-sum-exp is right in symbols, but exp(1000) is inf.",
    hint="`torch.logsumexp` subtracts the largest logit first.",
)
def _(z, y, weight):
    losses = z.exp().sum(dim=1).log() - z[torch.arange(len(y)), y]
    return (weight[y] * losses).sum() / weight[y].sum()


# ---------------------------------------------------------------- masked_cross_entropy


def masked(make):
    def ask(rng):
        z, y = make(rng)
        return z, mask(rng, y)

    return ask


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Which samples stay? `y != ignore_index` answers with one True or False for each.",
        "There is no column −100: take the ignored samples out before you index, z and y alike.",
        "`keep = y != ignore_index`, then the ordinary loss of `z[keep]` and `y[keep]`, averaged over those that are kept.",
    ],
    built="You have built `F.cross_entropy(z, y, ignore_index=…)`: ignored samples are in neither the sum nor the count. With none left it is 0/0, nan.",
)
def masked_cross_entropy(z, y, ignore_index=-100):
    return F.cross_entropy(z, y, ignore_index=ignore_index)


masked_cross_entropy.case("the lesson's example", example=True, gradient="z")(
    lambda rng: (example(rng)[0], torch.tensor([0, -100, 3, -100]))
)
masked_cross_entropy.case("random logits", gradient="z")(masked(ordinary))


@masked_cross_entropy.case("another ignore_index", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, mask(rng, y, i), ignore_index=i) for i in (-1, -7)]


@masked_cross_entropy.case("a class ignored", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y, ignore_index=i) for i in (0, z.shape[1] - 1)]


masked_cross_entropy.case("none ignored", gradient="z")(ordinary)
masked_cross_entropy.case("all ignored", edge=True)(lambda rng: (rng.logits(4, 3), torch.full((4,), -100)))
masked_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(masked(ordinary))
masked_cross_entropy.case("logits of 1000", extreme=True, gradient="z")(masked(extremes))


def _kept(z, y, ignore_index):
    """The losses of all samples, 0 where ignored."""
    return F.cross_entropy(z, y, ignore_index=ignore_index, reduction="none")


@masked_cross_entropy.mistake(
    "You divided by N, ignored samples included. The mean is over the samples that are kept."
)
def _(z, y, ignore_index=-100):
    return _kept(z, y, ignore_index).mean()


@masked_cross_entropy.mistake("You ignore −100 whatever `ignore_index` says.")
def _(z, y, ignore_index=-100):
    z, y = z[y != -100], y[y != -100]
    return -torch.log_softmax(z, dim=1)[torch.arange(len(y)), y].mean()


@masked_cross_entropy.mistake(
    "You ignore every negative label. `ignore_index` says which label is ignored, and it may be an ordinary class."
)
def _(z, y, ignore_index=-100):
    return F.cross_entropy(z, torch.where(y < 0, -100, y))


@masked_cross_entropy.mistake(
    "You ignore nothing: −100 counts from the end or is out of bounds.",
    hint="Take those samples out before you index.",
)
def _(z, y, ignore_index=-100):
    return -torch.log_softmax(z, dim=1)[torch.arange(len(y)), y].mean()


@masked_cross_entropy.mistake(
    "You turned ignored labels into class 0, and they still count. Their losses have to drop out of the sum and of the count."
)
def _(z, y, ignore_index=-100):
    return F.cross_entropy(z, torch.where(y == ignore_index, 0, y))


@masked_cross_entropy.mistake(
    "With everything ignored you return 0. A mean of nothing does not exist: PyTorch gives nan, and so does this exercise."
)
def _(z, y, ignore_index=-100):
    return torch.nan_to_num(F.cross_entropy(z, y, ignore_index=ignore_index))


@masked_cross_entropy.mistake("You added up the kept losses.", hint="Divide their sum by how many are kept.")
def _(z, y, ignore_index=-100):
    return _kept(z, y, ignore_index).sum()


@masked_cross_entropy.mistake(
    "You kept the ignored samples and dropped the others: the mask is the wrong way round."
)
def _(z, y, ignore_index=-100):
    drop = y == ignore_index
    return -torch.log_softmax(z[drop], dim=1)[torch.arange(int(drop.sum())), y[drop]].mean()


@masked_cross_entropy.mistake(
    "You removed the column of the class from the softmax. `ignore_index` drops samples, that is, rows; the class stays among the possible answers."
)
def _(z, y, ignore_index=-100):
    kept = torch.where(torch.arange(z.shape[1]) == ignore_index, -torch.inf, z)
    return F.cross_entropy(kept, y, ignore_index=ignore_index)


def _zeroed(z, y, ignore_index):
    """The losses with the ignored samples' logits set to 0, and which samples are kept."""
    keep = y != ignore_index
    return F.cross_entropy(z * keep[:, None], torch.where(keep, y, 0), reduction="none"), keep


@masked_cross_entropy.mistake(
    "You set the logits of the ignored samples to 0, and kept their losses: such a guess costs log C, not nothing. And the mean divides by how many are kept."
)
def _(z, y, ignore_index=-100):
    return _zeroed(z, y, ignore_index)[0].mean()


@masked_cross_entropy.mistake(
    "You set the logits of the ignored samples to 0, and kept their losses: such a guess costs log C, not nothing. Their losses have to drop out of the sum."
)
def _(z, y, ignore_index=-100):
    losses, keep = _zeroed(z, y, ignore_index)
    return losses.sum() / keep.sum()


@masked_cross_entropy.mistake(
    "`y > 0` drops class 0 as well, an ordinary class.", hint="Compare with `ignore_index`."
)
def _(z, y, ignore_index=-100):
    return F.cross_entropy(z[y > 0], y[y > 0])


@masked_cross_entropy.mistake("You divided by how many are ignored.", hint="Divide by how many are kept.")
def _(z, y, ignore_index=-100):
    return _kept(z, y, ignore_index).sum() / (y == ignore_index).sum()


@masked_cross_entropy.mistake(
    "You divided by the number of losses that are not 0. A kept sample may cost 0, when the model is sure and right; it counts all the same.",
    hint="The labels say which samples are kept, not the losses.",
)
def _(z, y, ignore_index=-100):
    losses = F.cross_entropy(z, y, ignore_index=ignore_index, reduction="none")
    return losses.sum() / (losses != 0).sum()


# ---------------------------------------------------------------- smoothed_cross_entropy


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "The smoothed target of a sample: 1 − s of the whole goes to the label, and s is spread evenly over all C classes, the label included.",
        "So the loss has two parts: (1 − s) times minus the log-probability of the label, and s/C times minus the sum of all log-probabilities.",
        "The second part is s times minus the *mean* of the row's log-probabilities.",
    ],
    built="You have built `F.cross_entropy(z, y, label_smoothing=…)`. Its lowest value is the entropy of the smoothed target, above 0.",
)
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    return F.cross_entropy(z, y, label_smoothing=label_smoothing)


smoothed_cross_entropy.case("the lesson's example", example=True, gradient="z")(example)
smoothed_cross_entropy.case("random logits", gradient="z")(ordinary)


@smoothed_cross_entropy.case("more and less smoothing", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y, label_smoothing=s) for s in (0.0, 0.3, 1.0)]


smoothed_cross_entropy.case("more classes than samples, one sample", gradient="z")(
    lambda rng: [many_classes(rng), one_sample(rng)]
)
smoothed_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(ordinary)
smoothed_cross_entropy.case("logits of 1000", extreme=True, gradient="z")(extremes)


def _soft(z, q):
    return -(q * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


def _one_hot(z, y):
    return F.one_hot(y, z.shape[1]).to(z.dtype)


@smoothed_cross_entropy.mistake(
    "You spread s over the other C − 1 classes. PyTorch spreads it over all C: the label gets 1 − s + s/C."
)
def _(z, y, label_smoothing=0.1):
    s, hot = label_smoothing, _one_hot(z, y)
    return _soft(z, (1 - s) * hot + s / (z.shape[1] - 1) * (1 - hot))


@smoothed_cross_entropy.mistake(
    "Your label gets 1 − s and the others s/C each, so the target no longer sums to 1. The label has a share s/C as well."
)
def _(z, y, label_smoothing=0.1):
    s, hot = label_smoothing, _one_hot(z, y)
    return _soft(z, (1 - s) * hot + s / z.shape[1] * (1 - hot))


@smoothed_cross_entropy.mistake(
    "You gave every class s, not s/C: the smoothing is shared among the C classes."
)
def _(z, y, label_smoothing=0.1):
    return _soft(z, (1 - label_smoothing) * _one_hot(z, y) + label_smoothing)


@smoothed_cross_entropy.mistake(
    "Your label keeps its full 1, and s/C comes on top, so the target sums to more than 1. The one-hot part has the factor 1 − s."
)
def _(z, y, label_smoothing=0.1):
    return _soft(z, _one_hot(z, y) + label_smoothing / z.shape[1])


@smoothed_cross_entropy.mistake(
    "You smoothed the predictions, not the labels: the mixture with 1/C belongs to the target."
)
def _(z, y, label_smoothing=0.1):
    p = (1 - label_smoothing) * torch.softmax(z, dim=1) + label_smoothing / z.shape[1]
    return F.nll_loss(p.log(), y)


@smoothed_cross_entropy.mistake(
    "Your two parts have different signs. Both are minus a log-probability: the label's, and that of all classes."
)
def _(z, y, label_smoothing=0.1):
    return (1 - label_smoothing) * F.cross_entropy(z, y) + label_smoothing * torch.log_softmax(
        z, dim=1
    ).mean()


@smoothed_cross_entropy.mistake(
    "You return only the part of the label, scaled by 1 − s. The other classes contribute their s/C."
)
def _(z, y, label_smoothing=0.1):
    return (1 - label_smoothing) * F.cross_entropy(z, y)


@smoothed_cross_entropy.mistake("You swapped s and 1 − s: with s = 0 nothing is smoothed.")
def _(z, y, label_smoothing=0.1):
    return F.cross_entropy(z, y, label_smoothing=1 - label_smoothing)


@smoothed_cross_entropy.mistake("`label_smoothing` has no effect: this is the loss of the hard labels.")
def _(z, y, label_smoothing=0.1):
    return F.cross_entropy(z, y)


@smoothed_cross_entropy.mistake(
    "You took the mean over all N·C entries.", hint="Sum over the classes, and average over the N samples."
)
def _(z, y, label_smoothing=0.1):
    return F.cross_entropy(z, y, label_smoothing=label_smoothing) / z.shape[1]


@smoothed_cross_entropy.mistake(
    "You took the logarithm of a softmax. Far below the largest logit that is −inf, and smoothing involves every class. log_softmax does not make that 0."
)
def _(z, y, label_smoothing=0.1):
    q = (1 - label_smoothing) * _one_hot(z, y) + label_smoothing / z.shape[1]
    return -(q * torch.softmax(z, dim=1).log()).sum(dim=1).mean()


@smoothed_cross_entropy.mistake(
    "You spread s over the N samples, s/N. It is shared among the C classes: s/C each."
)
def _(z, y, label_smoothing=0.1):
    return _soft(z, (1 - label_smoothing) * _one_hot(z, y) + label_smoothing / len(y))


@smoothed_cross_entropy.mistake(
    "You smoothed the logits, with a share of their mean in each. It is the labels that are smoothed."
)
def _(z, y, label_smoothing=0.1):
    return F.cross_entropy((1 - label_smoothing) * z + label_smoothing * z.mean(dim=1, keepdim=True), y)


@smoothed_cross_entropy.mistake(
    "You used the entropy of the model's own probabilities. In the second part all classes count evenly: it is the mean of −log p over the classes."
)
def _(z, y, label_smoothing=0.1):
    log_p = torch.log_softmax(z, dim=1)
    return (
        (1 - label_smoothing) * F.nll_loss(log_p, y, reduction="none")
        - label_smoothing * (log_p.exp() * log_p).sum(dim=1)
    ).mean()


@smoothed_cross_entropy.mistake(
    "You swapped target and prediction: the logarithm is that of the model's probabilities, and the smoothed labels are its weights."
)
def _(z, y, label_smoothing=0.1):
    q = (1 - label_smoothing) * _one_hot(z, y) + label_smoothing / z.shape[1]
    return -(torch.softmax(z, dim=1) * q.log()).sum(dim=1).mean()


# ---------------------------------------------------------------- soft_cross_entropy


def soft(make):
    def ask(rng):
        z, _ = make(rng)
        return z, rng.distribution(*z.shape)

    return ask


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "Use the definition of lesson 08, with q instead of the one-hot labels, and log-probabilities from the logits.",
        "Sum q·log p over the classes, flip the sign, and take the mean over the N samples, not over all N·C entries.",
    ],
    built="You have built `F.cross_entropy(z, q)` with class probabilities as targets: what PyTorch computes when the target has the shape of the logits.",
)
def soft_cross_entropy(z, q):
    return F.cross_entropy(z, q)


soft_cross_entropy.case("the lesson's example", example=True, gradient=("z", "q"))(
    lambda rng: (
        example(rng)[0],
        torch.tensor(
            [[0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0.2, 0.2, 0.2, 0.2, 0.2], [0, 0.6, 0, 0.4, 0]],
            dtype=rng.dtype,
        ),
    )
)
soft_cross_entropy.case("random distributions", gradient=("z", "q"))(soft(ordinary))
soft_cross_entropy.case("more classes than samples, one sample", gradient="z")(
    lambda rng: [soft(many_classes)(rng), soft(one_sample)(rng)]
)


@soft_cross_entropy.case("one-hot rows", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return z, _one_hot(z, y)


soft_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(soft(ordinary))
soft_cross_entropy.case("logits of 1000", extreme=True, gradient="z")(soft(extremes))


@soft_cross_entropy.mistake(
    "You took the mean over all N·C entries.", hint="Sum over the classes, and average over the N samples."
)
def _(z, q):
    return F.cross_entropy(z, q) / z.shape[1]


@soft_cross_entropy.mistake(
    "You made hard labels of q with argmax, so the shares of the other classes are lost."
)
def _(z, q):
    return F.cross_entropy(z, q.argmax(dim=1))


@soft_cross_entropy.mistake("You added the losses of all samples up. The mean divides their sum by N.")
def _(z, q):
    return F.cross_entropy(z, q, reduction="sum")


@soft_cross_entropy.mistake("You applied a softmax to q. It holds probabilities already; its rows sum to 1.")
def _(z, q):
    return F.cross_entropy(z, torch.softmax(q, dim=1))


@soft_cross_entropy.mistake(
    "You used the logits as if they were log-probabilities: the log-sum-exp of each row is missing."
)
def _(z, q):
    return -(q * z).sum(dim=1).mean()


@soft_cross_entropy.mistake(
    "You return the Kullback–Leibler divergence: the entropy of q is subtracted. Cross-entropy keeps it."
)
def _(z, q):
    return F.kl_div(torch.log_softmax(z, dim=1), q, reduction="batchmean")


@soft_cross_entropy.mistake(
    "You swapped target and prediction: the logarithm is that of the model's probabilities, and q holds its weights."
)
def _(z, q):
    return -(torch.softmax(z, dim=1) * q.log()).sum(dim=1).mean()


@soft_cross_entropy.mistake(
    "You took one logarithm of the sum of q·p. Each class has its own logarithm: q·log p, and then the sum."
)
def _(z, q):
    return -(q * torch.softmax(z, dim=1)).sum(dim=1).log().mean()


@soft_cross_entropy.mistake("The minus is missing: log-probabilities are negative, a loss is not.")
def _(z, q):
    return -F.cross_entropy(z, q)


@soft_cross_entropy.mistake(
    "Your softmax runs down the columns, over the samples. The classes are dimension 1."
)
def _(z, q):
    return -(q * torch.log_softmax(z, dim=0)).sum(dim=1).mean()


@soft_cross_entropy.mistake(
    "You took the logarithm of a softmax. Far below the largest logit that is −inf, and soft targets involve every class. log_softmax does not make that 0."
)
def _(z, q):
    return -(q * torch.softmax(z, dim=1).log()).sum(dim=1).mean()


@soft_cross_entropy.mistake(
    "The value is right, because each row of q sums to 1. But your log-sum-exp is not multiplied by q, so it is missing from the slope with respect to q.",
    hint="q·(log-sum-exp − z), or q·log p.",
)
def _(z, q):
    return (torch.logsumexp(z, dim=1) - (q * z).sum(dim=1)).mean()


@soft_cross_entropy.mistake(
    "You averaged over the classes and added up the samples.",
    hint="Sum over the classes, and average over the N samples.",
)
def _(z, q):
    return F.cross_entropy(z, q, reduction="sum") / z.shape[1]


@soft_cross_entropy.mistake(
    "You took a binary loss for each class separately. The classes compete in one softmax."
)
def _(z, q):
    return F.binary_cross_entropy_with_logits(z, q, reduction="none").sum(dim=1).mean()


@soft_cross_entropy.mistake(
    "You counted only the largest entry of each row of q. All the others have their share, too."
)
def _(z, q):
    return (q.amax(dim=1) * F.cross_entropy(z, q.argmax(dim=1), reduction="none")).mean()


# ---------------------------------------------------------------- sequence_cross_entropy


def sequences(n, c, length):
    def make(rng):
        return rng.logits(n, c, length), rng.classes(n, length, num_classes=c)

    return make


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Every position of every sequence is a sample of its own: there are N·L, each with C logits. Which dimension holds those C?",
        "Take `log_softmax(z, dim=1)`. Then pick along dimension 1: `gather(1, …)` needs an index with as many dimensions as z.",
        "Or move the classes to the end, `z.movedim(1, -1)`, and flatten everything before them: an ordinary batch of N·L.",
    ],
    built="You have built `F.cross_entropy` for K-dimensional input: z (N, C, d1, …), y (N, d1, …). Images and texts are losses over all their positions.",
)
def sequence_cross_entropy(z, y):
    return F.cross_entropy(z, y)


sequence_cross_entropy.case("the lesson's example", example=True, gradient="z")(
    lambda rng: (
        torch.tensor(Z, dtype=rng.dtype).T.reshape(5, 2, 2).movedim(1, 0).contiguous(),
        torch.tensor([[0, 2], [3, 1]]),
    )
)
sequence_cross_entropy.case("random sequences", gradient="z")(
    lambda rng: sequences(rng.size(5, 6), 3, rng.size(7, 8))(rng)
)
sequence_cross_entropy.case("as many classes as positions", gradient="z")(
    lambda rng: sequences(rng.size(5, 6), 4, 4)(rng)
)
sequence_cross_entropy.case("short sequences", gradient="z")(
    lambda rng: [sequences(3, 5, 1)(rng), sequences(1, 4, 2)(rng)]
)
sequence_cross_entropy.case("more positions than classes, three alike", gradient="z")(
    lambda rng: [sequences(2, 3, 9)(rng), sequences(3, 3, 3)(rng)]
)
sequence_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(sequences(6, 3, 4))


@sequence_cross_entropy.case("logits of 1000", extreme=True, gradient="z")
def _(rng):
    z = 1000 * rng.signs(3, 4, 5)
    z[:, 0], z[0, :, 0] = 1000, torch.tensor([1000.0, -1000.0, -1000.0, -1000.0])
    y = rng.classes(3, 5, num_classes=4)
    y[0, 0] = 2
    return z, y


def _picked(log_p, y):
    return -log_p.gather(1, y.unsqueeze(1)).squeeze(1)


@sequence_cross_entropy.mistake(
    "Your softmax runs over the last dimension, the positions. The classes are dimension 1, whatever follows them."
)
def _(z, y):
    return _picked(torch.log_softmax(z, dim=-1), y).mean()


@sequence_cross_entropy.mistake(
    "You reshaped (N, C, L) to (N·L, C) without moving the classes to the end first, so logits of different positions are mixed in one row.",
    hint="`z.movedim(1, -1)`, or `z.transpose(1, 2)`, then `reshape`.",
)
def _(z, y):
    return F.cross_entropy(z.reshape(-1, z.shape[1]), y.flatten())


@sequence_cross_entropy.mistake(
    "After the softmax you reshaped (N, C, L) to (N·L, C) without moving the classes to the end first: positions got mixed into one row.",
    hint="`log_p.movedim(1, -1)`, then `reshape`.",
)
def _(z, y):
    log_p = torch.log_softmax(z, dim=1).reshape(-1, z.shape[1])
    return F.nll_loss(log_p, y.flatten())


@sequence_cross_entropy.mistake(
    "You added up the positions of each sequence. The mean is over all N·L positions."
)
def _(z, y):
    return _picked(torch.log_softmax(z, dim=1), y).sum(dim=1).mean()


@sequence_cross_entropy.mistake(
    "You averaged over the N sequences or over the L positions alone.",
    hint="Return one number for all N·L positions.",
)
def _(z, y):
    return _picked(torch.log_softmax(z, dim=1), y).mean(dim=1)


@sequence_cross_entropy.mistake("You added up all positions.", hint="Divide by N·L.")
def _(z, y):
    return F.cross_entropy(z, y, reduction="sum")


@sequence_cross_entropy.mistake(
    "Your softmax runs over dimension 0, the sequences. The classes are dimension 1."
)
def _(z, y):
    return _picked(torch.log_softmax(z, dim=0), y).mean()


@sequence_cross_entropy.mistake(
    "`log_p[rows, y]` looks every label up at all L positions. Each label belongs to one position.",
    hint="`gather(1, …)` keeps the positions together.",
)
def _(z, y):
    return -torch.log_softmax(z, dim=1)[torch.arange(len(y))[:, None], y].mean()


@sequence_cross_entropy.mistake("You counted only the first position of each sequence.")
def _(z, y):
    return F.cross_entropy(z[:, :, 0], y[:, 0])


@sequence_cross_entropy.mistake(
    "You used the logits as if they were log-probabilities: the log-sum-exp over the classes is missing."
)
def _(z, y):
    return _picked(z, y).mean()


@sequence_cross_entropy.mistake(
    "You took the logarithm of a softmax. Far below the largest logit that is −inf. log_softmax does not make that 0."
)
def _(z, y):
    return _picked(torch.softmax(z, dim=1).log(), y).mean()


@sequence_cross_entropy.mistake(
    "You flattened logits and labels in different orders: position by position in one, sequence by sequence in the other.",
    hint="z in the order (N, L, C), then y as it is: `z.movedim(1, -1)`.",
)
def _(z, y):
    return F.cross_entropy(z.movedim(1, -1).reshape(-1, z.shape[1]), y.T.flatten())


@sequence_cross_entropy.mistake(
    "`F.one_hot` puts the classes last, (N, L, C), and z has them in dimension 1. That gives an error, or, when L = C, pairs the wrong ones.",
    hint="`F.one_hot(y, C).movedim(-1, 1)`.",
)
def _(z, y):
    return -(F.one_hot(y, z.shape[1]) * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


@sequence_cross_entropy.mistake(
    "You averaged over the classes as well, zeros included. The mean is over the N·L positions."
)
def _(z, y):
    return F.cross_entropy(z, y) / z.shape[1]


@sequence_cross_entropy.mistake("You counted only the last position of each sequence.")
def _(z, y):
    return F.cross_entropy(z[:, :, -1], y[:, -1])


@sequence_cross_entropy.mistake(
    "You averaged the logits over the positions first. Each position has its own softmax; the mean comes last."
)
def _(z, y):
    return (torch.logsumexp(z.mean(dim=2), dim=1)[:, None] - z.mean(dim=2).gather(1, y)).mean()


@sequence_cross_entropy.mistake(
    "`log_p[:, y]` looks every label up at every position. Each label belongs to one position.",
    hint="Index with a row and a column for each: `log_p[torch.arange(len(y)), y]`.",
)
def _(z, y):
    flat = torch.log_softmax(z.movedim(1, -1).reshape(-1, z.shape[1]), dim=1)
    return -flat[:, y.flatten()].mean()


# ---------------------------------------------------------------- full_cross_entropy


@exercise(
    points=5,
    without=PYTORCH,
    hints=[
        "Begin with `keep = y != ignore_index`. Give the ignored samples a harmless label, such as 0, so that indexing works, and harmless logits, so that no −inf reaches the softmax.",
        "Write one loss for each sample: (1 − s) times weight·(−log p) of the label, plus s/C times the sum over all classes of weight·(−log p).",
        "Then set the ignored ones to 0 (`torch.where`), and reduce. For the mean divide by the sum of weight[label] over the kept samples, smoothing or not.",
    ],
    built="You have built `F.cross_entropy` with all its options for class indices. As a module it is "
    "`nn.CrossEntropyLoss(weight, ignore_index=…, reduction=…, label_smoothing=…)`.",
)
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return _cleaned(z, y, weight, ignore_index, reduction, label_smoothing)


def _cleaned(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """PyTorch's loss, with harmless logits in the ignored rows: where those hold -inf, PyTorch's slopes are nan."""
    z = torch.where((y != ignore_index)[:, None], z, 0)
    return F.cross_entropy(
        z, y, weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )


REDUCTIONS = ("mean", "sum", "none")


def options(make=ordinary, **given):
    """Every reduction of one set of options; weight=True and ignore=True stand for random ones."""

    def ask(rng):
        z, y = make(rng)
        kwargs = {k: v for k, v in given.items() if k not in ("weight", "ignore")}
        if "ignore" in given:
            y = mask(rng, y, given["ignore"])
            kwargs["ignore_index"] = given["ignore"]
        if "weight" in given:
            kwargs["weight"] = weights(rng, z.shape[1])
        return [call(z, y, reduction=r, **kwargs) for r in REDUCTIONS]

    return ask


full_cross_entropy.case("the lesson's example", example=True, gradient="z")(example)


@full_cross_entropy.case("every reduction", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [*options()(rng), call(z[:1], y[:1])]


full_cross_entropy.case("weights", gradient="z")(options(weight=True))
full_cross_entropy.case("ignored samples", gradient="z")(options(ignore=-100))


@full_cross_entropy.case("smoothing", gradient="z", **MIXED)
def _(rng):
    z, y = ordinary(rng)
    return [*options(label_smoothing=0.2)(rng), call(z, y, label_smoothing=1.0)]


@full_cross_entropy.case("another ignore_index, also a class", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [
        call(z, mask(rng, y, -1), ignore_index=-1),
        *(call(z, y, ignore_index=0, reduction=r) for r in REDUCTIONS),
    ]


full_cross_entropy.case("weights and ignored samples", gradient="z")(options(weight=True, ignore=-100))
full_cross_entropy.case("weights and smoothing", gradient="z", **MIXED)(
    options(weight=True, label_smoothing=0.3)
)
full_cross_entropy.case("smoothing and ignored samples", gradient="z", **MIXED)(
    options(ignore=-1, label_smoothing=0.3)
)
full_cross_entropy.case("all together", gradient="z", **MIXED)(
    lambda rng: [
        *options(weight=True, ignore=-100, label_smoothing=0.1)(rng),
        *options(many_classes, weight=True, ignore=2, label_smoothing=0.4)(rng),
    ]
)


@full_cross_entropy.case("all ignored", edge=True)
def _(rng):
    z, y, w = rng.logits(4, 3), torch.full((4,), -100), weights(rng, 3)
    return [
        call(z, y, reduction=r, **k) for r in REDUCTIONS for k in ({}, {"weight": w, "label_smoothing": 0.1})
    ]


@full_cross_entropy.case("ignored rows of -inf", extreme=True, gradient="z", **MIXED)
def _(rng):
    z, y = ordinary(rng)
    z[0], z[3] = -torch.inf, -torch.inf
    y[0] = y[3] = -100
    w = weights(rng, z.shape[1])
    return [call(z, y, reduction=r) for r in REDUCTIONS] + [call(z, y, weight=w, label_smoothing=0.1)]


full_cross_entropy.case("float32", dtype=torch.float32, gradient="z")(
    options(weight=True, ignore=-100, label_smoothing=0.1)
)
full_cross_entropy.case("logits of 1000", extreme=True, gradient="z", **MIXED)(
    options(extremes, weight=True, ignore=-100, label_smoothing=0.1)
)
full_cross_entropy.case("logits of 1000 in float32", extreme=True, gradient="z", dtype=torch.float32, **WIDE)(
    options(extremes)
)


def variant(
    z,
    y,
    weight=None,
    ignore_index=-100,
    reduction="mean",
    label_smoothing=0.0,
    *,
    spread_weight=None,
    count=None,
    spread_all=False,
    others_only=False,
    log_softmax=torch.log_softmax,
):
    """The definition, with a screw loose where a keyword says so."""
    keep, classes = y != ignore_index, z.shape[1]
    log_p = log_softmax(torch.where(keep[:, None] | spread_all, z, 0), dim=1)
    w = torch.ones_like(z[0]) if weight is None else weight
    label = torch.where(keep, y, 0)
    own = torch.where(keep, -log_p.gather(1, label[:, None])[:, 0], 0)
    wide = -(log_p * w).sum(dim=1) if spread_weight is None else spread_weight(log_p, w, label)
    if others_only:
        losses = (1 - label_smoothing) * w[label] * own + label_smoothing / (classes - 1) * (
            wide - w[label] * own
        )
    elif label_smoothing:
        losses = torch.where(keep, (1 - label_smoothing) * w[label] * own, 0) + torch.where(
            keep | spread_all, label_smoothing / classes * wide, 0
        )
    else:
        losses = w[label] * own
    losses = losses if spread_all else torch.where(keep, losses, 0)
    if reduction != "mean":
        return losses if reduction == "none" else losses.sum()
    return losses.sum() / (count or (lambda w, label, keep: w[label][keep].sum()))(w, label, keep)


def loose(**screws):
    def wrong(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        return variant(z, y, weight, ignore_index, reduction, label_smoothing, **screws)

    return wrong


def without_option(name):
    def wrong(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        given = dict(
            weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
        )
        return _cleaned(z, y, **{k: v for k, v in given.items() if k != name})

    return wrong


full_cross_entropy.mistake("You divided by N. The mean divides by the sum of the kept samples' weights.")(
    loose(count=lambda w, label, keep: len(keep))
)
full_cross_entropy.mistake(
    "You divided by how many samples are kept. With class weights the mean divides by the sum of their weights."
)(loose(count=lambda w, label, keep: keep.sum()))
full_cross_entropy.mistake(
    "Your sum of the weights includes the ignored samples. They belong neither to the sum of the losses nor to the sum of the weights."
)(loose(count=lambda w, label, keep: w[label].sum()))
full_cross_entropy.mistake(
    "You divided by the sum of the weights of all classes. The mean divides by the sum of the kept samples' weights."
)(loose(count=lambda w, label, keep: w.sum()))


@full_cross_entropy.mistake(
    "Your divisor smooths the weights as well. PyTorch divides by the weights of the labels alone, smoothing or not."
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    s = label_smoothing
    return variant(
        z,
        y,
        weight,
        ignore_index,
        reduction,
        s,
        count=lambda w, label, keep: ((1 - s) * w[label] + s * w.mean())[keep].sum(),
    )


full_cross_entropy.mistake(
    "In the smoothed part you gave every class the weight of the label. Each class has its own."
)(loose(spread_weight=lambda log_p, w, label: -w[label] * log_p.sum(dim=1)))
full_cross_entropy.mistake(
    "In the smoothed part your weights are missing: the share s/C of each class is multiplied by the weight of that class."
)(loose(spread_weight=lambda log_p, w, label: -log_p.sum(dim=1)))
full_cross_entropy.mistake(
    "You spread s over the other C − 1 classes. PyTorch spreads it over all C: the label gets 1 − s + s/C."
)(loose(others_only=True))
full_cross_entropy.mistake(
    "Your ignored samples still contribute the smoothed part. An ignored sample costs nothing at all."
)(loose(spread_all=True))
full_cross_entropy.mistake(
    "You took the logarithm of a softmax. Far below the largest logit that is −inf, and its gradient nan. log_softmax does not make that 0."
)(loose(log_softmax=lambda z, dim: torch.softmax(z, dim=dim).log()))


@full_cross_entropy.mistake(
    'With `reduction="none"` you leave the ignored samples out. Every sample keeps its place: an ignored one is 0, and the shape stays (N,).'
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    result = _cleaned(z, y, weight, ignore_index, reduction, label_smoothing)
    return result[y != ignore_index] if reduction == "none" else result


@full_cross_entropy.mistake(
    "With everything ignored you return 0. A mean of nothing does not exist: PyTorch gives nan, and so does this exercise."
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return torch.nan_to_num(_cleaned(z, y, weight, ignore_index, reduction, label_smoothing))


full_cross_entropy.mistake("`weight` has no effect: every class counts the same.")(without_option("weight"))
full_cross_entropy.mistake("`label_smoothing` has no effect: this is the loss of the hard labels.")(
    without_option("label_smoothing")
)
full_cross_entropy.mistake('`reduction` has no effect: "sum" and "none" still give the mean.')(
    without_option("reduction")
)


@full_cross_entropy.mistake("You ignore −100 whatever `ignore_index` says.")
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    y = y if ignore_index == -100 else torch.where((y == ignore_index) & (y < 0), y + z.shape[1], y)
    return _cleaned(z, y, weight, -100, reduction, label_smoothing)


@full_cross_entropy.mistake('You swapped "sum" and "mean".')
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    swapped = {"sum": "mean", "mean": "sum"}.get(reduction, reduction)
    return _cleaned(z, y, weight, ignore_index, swapped, label_smoothing)


@full_cross_entropy.mistake(
    "Your label gets 1 − s and the others s/C each, so the target no longer sums to 1. The label has a share s/C as well."
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return variant(
        z,
        y,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
        spread_weight=lambda log_p, w, label: (
            -(log_p * w).sum(dim=1) + w[label] * log_p.gather(1, label[:, None])[:, 0]
        ),
    )


@full_cross_entropy.mistake(
    "You turned ignored labels into class 0, and they still count. Their losses have to drop out of the sum and of the count."
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return F.cross_entropy(
        z, torch.where(y == ignore_index, 0, y), weight, None, -100, None, reduction, label_smoothing
    )


@full_cross_entropy.mistake(
    'With `reduction="none"` your ignored samples are nan. An ignored sample costs nothing: 0.'
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    result = _cleaned(z, y, weight, ignore_index, reduction, label_smoothing)
    return torch.where(y == ignore_index, torch.nan, result) if reduction == "none" else result


@full_cross_entropy.mistake(
    'You scaled the weights to a mean of 1. They count as they are, which shows with "sum" and "none".'
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    scaled = weight if weight is None else weight / weight.mean()
    return _cleaned(z, y, scaled, ignore_index, reduction, label_smoothing)


@full_cross_entropy.mistake(
    "The loss is right, but an ignored row that holds −inf has slopes of nan: its softmax is nan, and 0 times nan is nan on the way back.",
    hint="Give ignored rows harmless logits before the softmax, not a loss of 0 after it.",
)
def _(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return F.cross_entropy(z, y, weight, None, ignore_index, None, reduction, label_smoothing)
