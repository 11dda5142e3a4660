"""Exercises of 05_imbalance: rare classes: precision and recall, weights and their repair, focal loss, a threshold from costs.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html;
Lin et al., Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002;
Elkan, The Foundations of Cost-Sensitive Learning, https://cseweb.ucsd.edu/~elkan/rescale.pdf.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

PYTORCH = [
    F.binary_cross_entropy,
    F.binary_cross_entropy_with_logits,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    F.cross_entropy,
    nn.CrossEntropyLoss,
    F.multilabel_soft_margin_loss,
    nn.MultiLabelSoftMarginLoss,
    F.soft_margin_loss,
    nn.SoftMarginLoss,
]  # the same losses of other shapes
Y = [0.0, 1.0, 1.0, 0.0]
Z = [-0.1, 2.0, 3.0, 0.5]
WEIGHT = [1.0, 3.0, 3.0, 1.0]


def tensor(rng, values):
    return torch.tensor(values, dtype=rng.dtype)


def example(rng):
    return tensor(rng, Z), tensor(rng, Y)


def ordinary(rng, n=None):
    n = n or rng.size()
    return rng.logits(n), rng.labels(n)


SURE = [(1000.0, 1.0), (-1000.0, 0.0), (1000.0, 0.0), (-1000.0, 1.0)]  # right, right, wrong, wrong


def sure(rng, pairs, *rest):
    """One sample a question, so that a nan of one does not hide what the others get."""
    return [call(tensor(rng, [z]), tensor(rng, [y]), *rest) for z, y in pairs]


# ---------------------------------------------------------------- precision_recall


@exercise(
    points=2,
    any_dtype=True,
    hints=[
        "Two lists of yes and no: what the model says at this threshold, and what is true. Both numbers count the samples that are yes in both.",
        "Precision divides that count by the number of alarms, recall by the number of positives.",
        "The threshold applies to the probability, and z are logits: bring one of the two to the other's scale first.",
    ],
    built="Precision and recall at one threshold. scikit-learn calls them `precision_score` and `recall_score`; for PyTorch they are in the package torchmetrics.",
)
def precision_recall(z, y, threshold=0.5):
    alarm = (torch.sigmoid(z) > threshold).to(z.dtype)
    hits = (alarm * y).sum()
    return hits / alarm.sum(), hits / y.sum()


def scored(rng):
    """Hits, false alarms, misses and silence at every threshold that is tried, and never the same number of each."""
    n = 18 + rng.size()
    z = torch.cat([tensor(rng, [4.0, -4.0, 4.0, 3.0, -3.5, 0.3, 0.2, 1.1, -0.8, -0.9]), rng.logits(n)])
    y = torch.cat(
        [
            tensor(rng, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
            (rng.uniform(n) < 0.3).to(rng.dtype),
        ]
    )
    order = rng.permutation(len(z))
    return z[order], y[order]


def rare(rng):
    """Two positives, one of them found, among thirty, with three false alarms: every entry but one random in size."""
    z = torch.cat([rng.uniform(4, low=1.5, high=5.0), rng.uniform(26, low=-5.0, high=-1.5)])
    y = torch.zeros(30, dtype=rng.dtype)
    y[0] = y[29] = 1
    return z, y


precision_recall.case("the lesson's example", example=True)(example)
precision_recall.case("random scores")(scored)


@precision_recall.case("other thresholds")
def _(rng):
    z, y = scored(rng)
    return [call(z, y, threshold=t) for t in (0.2, 0.7, 0.9)]


precision_recall.case("two positives among thirty")(rare)


@precision_recall.case("probabilities of exactly one half")
def _(rng):
    z, y = scored(rng)
    return torch.cat([z, torch.zeros(3, dtype=rng.dtype)]), torch.cat([y, y.new_tensor([0, 1, 0])])


precision_recall.case("float32", dtype=torch.float32)(scored)


@precision_recall.mistake(
    "A probability of exactly the threshold raises an alarm in yours. Here an alarm is raised where it is above the threshold: `>`, not `>=`."
)
def _(z, y, threshold=0.5):
    alarms = (torch.sigmoid(z) >= threshold).to(z.dtype)
    hits = (alarms * y).sum()
    return hits / alarms.sum(), hits / y.sum()


def counts(z, y, threshold):
    alarm, true = torch.sigmoid(z) > threshold, y == 1
    return [pair.sum().to(z.dtype) for pair in (alarm & true, alarm & ~true, ~alarm & true, ~alarm & ~true)]


@precision_recall.mistake(
    "Both of your numbers are the precision: hits divided by alarms. The recall has another denominator.",
    hint="Of whom does recall ask how many were found?",
)
def _(z, y, threshold=0.5):
    tp, fp, _, _ = counts(z, y, threshold)
    return tp / (tp + fp), tp / (tp + fp)


@precision_recall.mistake(
    "Both of your numbers are the recall: hits divided by positives. The precision has another denominator.",
    hint="How often is an alarm right?",
)
def _(z, y, threshold=0.5):
    tp, _, fn, _ = counts(z, y, threshold)
    return tp / (tp + fn), tp / (tp + fn)


@precision_recall.mistake(
    "Your recall is always 1: the positives below the threshold are missing from its denominator.",
    hint="Count the misses before you throw away what lies below the threshold.",
)
def _(z, y, threshold=0.5):
    tp, fp, _, _ = counts(z, y, threshold)
    return tp / (tp + fp), tp / tp


@precision_recall.mistake(
    "You swapped precision and recall. Precision comes first, and its denominator is the number of alarms."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, _ = counts(z, y, threshold)
    return tp / (tp + fn), tp / (tp + fp)


@precision_recall.mistake(
    "You compared the logits with the threshold, which applies to the probability: a probability of 0.5 is a logit of 0.",
    hint="`torch.sigmoid(z) > threshold`.",
)
def _(z, y, threshold=0.5):
    tp, fp, fn, _ = counts(torch.logit(z.clamp(1e-6, 1 - 1e-6)), y, threshold)
    return tp / (tp + fp), tp / (tp + fn)


@precision_recall.mistake("`threshold` has no effect: your function always cuts at 0.5.")
def _(z, y, threshold=0.5):
    tp, fp, fn, _ = counts(z, y, 0.5)
    return tp / (tp + fp), tp / (tp + fn)


@precision_recall.mistake(
    "You divided the hits by N. Precision divides them by the number of alarms, recall by the number of positives."
)
def _(z, y, threshold=0.5):
    tp, *_ = counts(z, y, threshold)
    return tp / len(z), tp / len(z)


@precision_recall.mistake(
    "Your first number is the accuracy. Precision leaves out the samples that raised no alarm.",
    hint="Where one class is rare, the many negatives without an alarm dominate the accuracy.",
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return (tp + tn) / len(z), tp / (tp + fn)


@precision_recall.mistake(
    "You took y = 0 for the positive class. Precision and recall are about the positives, y = 1."
)
def _(z, y, threshold=0.5):
    _, fp, fn, tn = counts(z, y, threshold)
    return tn / (tn + fn), tn / (tn + fp)


@precision_recall.mistake(
    "Your second number is the share of the negatives that raised no alarm (the specificity). Recall divides the hits by the number of positives."
)
def _(z, y, threshold=0.5):
    tp, fp, _, tn = counts(z, y, threshold)
    return tp / (tp + fp), tn / (tn + fp)


@precision_recall.mistake(
    "You divided the hits by the false alarms, and by the misses. The denominators are hits + false alarms, and hits + misses."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, _ = counts(z, y, threshold)
    return tp / fp, tp / fn


@precision_recall.mistake(
    "You summed the probabilities of the alarms. An alarm counts as one, however sure the model is."
)
def _(z, y, threshold=0.5):
    p = torch.sigmoid(z)
    alarm = p * (p > threshold)
    return (alarm * y).sum() / alarm.sum(), (alarm * y).sum() / y.sum()


@precision_recall.mistake(
    "You counted every sample on which model and label agree. A hit is an alarm for a positive; a negative without an alarm is right, but it is no hit."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return (tp + tn) / (tp + fp), (tp + tn) / (tp + fn)


@precision_recall.mistake(
    "You return Python numbers. Two 0-d tensors of the dtype of z are expected.",
    hint="Leave out `.item()` and `float(…)`.",
)
def _(z, y, threshold=0.5):
    tp, fp, fn, _ = counts(z, y, threshold)
    return (tp / (tp + fp)).item(), (tp / (tp + fn)).item()


@precision_recall.mistake(
    "Your alarms are the samples below the threshold. An alarm is raised where the probability lies above it."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return fn / (fn + tn), fn / (tp + fn)


@precision_recall.mistake(
    "Your recall divides the hits by the number of negatives. It asks how many of the positives were found."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return tp / (tp + fp), tp / (fp + tn)


@precision_recall.mistake(
    "You counted every alarm as a hit, so your precision is always 1. A hit is an alarm for a positive: the label has to be 1 as well."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return (tp + fp) / (tp + fp), (tp + fp) / (tp + fn)


@precision_recall.mistake(
    "You divided the number of alarms, by N and by the number of positives. Count the hits instead, the alarms for a positive; precision divides them by the number of alarms."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return (tp + fp) / len(z), (tp + fp) / (tp + fn)


@precision_recall.mistake(
    "Your shares are rounded down to whole numbers, as by `//`. For a share divide with `/`."
)
def _(z, y, threshold=0.5):
    tp, fp, fn, tn = counts(z, y, threshold)
    return tp // (tp + fp), tp // (tp + fn)


# ---------------------------------------------------------------- weighted_bce


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "Start with the loss of each sample from its logit, as in lesson 03, in a form that does not exponentiate a large number.",
        "softplus(z) is the loss where y = 0, softplus(−z) where y = 1; `F.softplus` may be used. Each is multiplied by its sample's weight.",
        "The cell above has PyTorch's number: only one of the two possible divisors gives it.",
    ],
    built="You have built the argument `weight` of `nn.BCEWithLogitsLoss` and of `F.binary_cross_entropy_with_logits`. The weighted sum is divided by N.",
)
def weighted_bce(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y, weight=weight)


def weights(rng, n):
    return rng.uniform(n, low=0.3, high=4.0)


def weighted(rng):
    z, y = ordinary(rng)
    return z, y, weights(rng, len(z))


weighted_bce.case("the lesson's example", example=True)(lambda rng: (*example(rng), tensor(rng, WEIGHT)))
weighted_bce.case("random logits and weights", gradient="z")(weighted)
weighted_bce.case("some weights are 0", gradient="z")(
    lambda rng: (rng.logits(6), rng.labels(6), tensor(rng, [0.0, 1.0, 2.5, 0.0, 1.0, 0.2]))
)
weighted_bce.case("sure and right", extreme=True, gradient="z")(
    lambda rng: sure(rng, SURE[:2], tensor(rng, [2.5]))
)
weighted_bce.case("sure and wrong", extreme=True, gradient="z")(
    lambda rng: sure(rng, SURE[2:], tensor(rng, [2.5]))
)
weighted_bce.case("float32", dtype=torch.float32, gradient="z")(weighted)


@weighted_bce.mistake(
    "You divided by the sum of the weights. The binary losses of PyTorch divide the weighted sum by N.",
    hint="`CrossEntropyLoss` divides by the sum of its weights; `BCEWithLogitsLoss` does not. Lesson 09 returns to this.",
)
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y, weight=weight, reduction="sum") / weight.sum()


@weighted_bce.mistake("`weight` has no effect: this is the plain mean of the losses.")
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y)


@weighted_bce.mistake(
    "Your result is the mean of the losses times the mean of the weights: either the means came first, or broadcasting paired every loss with every weight.",
    hint="Multiply each loss by its own weight, (N,) by (N,), and then take the mean.",
)
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y) * weight.mean()


@weighted_bce.mistake(
    "You multiplied the logits by the weights. A weight belongs to the loss: a larger logit is another prediction."
)
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z * weight, y)


@weighted_bce.mistake(
    "Only the samples with y = 1 are weighted. `weight` has one entry for each sample, whatever its label."
)
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(
        z, y, weight=torch.where(y == 1, weight, torch.ones_like(weight))
    )


@weighted_bce.mistake(
    "A parenthesis is missing: the weight reaches only the first term of the loss, softplus(z), and y·z stays unweighted."
)
def _(z, y, weight):
    return (weight * F.softplus(z) - y * z).mean()


@weighted_bce.mistake(
    "You took the logarithm of a sigmoid, or of 1 + exp(z). At |z| = 1000 one of the two halves is infinite, and 0 times inf is nan.",
    hint="Work on the logit: `F.softplus(z)` is the loss where y = 0.",
)
def _(z, y, weight):
    p = torch.sigmoid(z)
    return -(weight * (y * p.log() + (1 - y) * (1 - p).log())).mean()


@weighted_bce.mistake(
    "You went through the probability, whose logarithm is clamped: at |z| = 1000 a wrong sample costs 100 times its weight instead of 1000 times, and its gradient is 0.",
    hint="Work on the logit: `F.softplus(z)` is the loss where y = 0.",
)
def _(z, y, weight):
    return (
        weight * F.binary_cross_entropy(torch.sigmoid(z), y, reduction="none")
    ).mean()  # its own `weight` imports sympy


@weighted_bce.mistake("You return the sum of the weighted losses.", hint="Divide it by N.")
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y, weight=weight, reduction="sum")


@weighted_bce.mistake(
    "You multiplied the labels by the weights. A label says what is true, 0 or 1; the weight belongs to the loss."
)
def _(z, y, weight):
    return (F.softplus(z) - weight * y * z).mean()


@weighted_bce.mistake(
    "`torch.log(1 + torch.exp(z))` is right in symbols, but exp(1000) is inf. `F.softplus(z)` is the same function, and holds."
)
def _(z, y, weight):
    return (weight * (torch.log(1 + torch.exp(z)) - y * z)).mean()


@weighted_bce.mistake(
    "You swapped the two halves: softplus(z) is the loss where y = 0, softplus(−z) where y = 1."
)
def _(z, y, weight):
    return (weight * F.softplus((2 * y - 1) * z)).mean()


@weighted_bce.mistake(
    "You scaled the weights so that the largest is 1. They count as they are: a weight of 3 triples the loss."
)
def _(z, y, weight):
    return F.binary_cross_entropy_with_logits(z, y, weight=weight / weight.max())


# ---------------------------------------------------------------- pos_weight_bce


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Two halves: what a sample with y = 1 costs, and what one with y = 0 costs. `pos_weight` belongs to one of them.",
        "−log σ(z) is softplus(−z), −log(1 − σ(z)) is softplus(z): neither needs the probability itself.",
        "pos_weight·y·softplus(−z) + (1 − y)·softplus(z), and the mean over all samples.",
    ],
    built="You have built the argument `pos_weight` of `nn.BCEWithLogitsLoss`. There it has one entry for each output, that is, for the last dimension.",
)
def pos_weight_bce(z, y, pos_weight):
    return F.binary_cross_entropy_with_logits(z, y, pos_weight=pos_weight)


def positives(rng):
    return (*ordinary(rng), rng.uniform(low=2.0, high=20.0))


pos_weight_bce.case("the lesson's example", example=True)(lambda rng: (*example(rng), tensor(rng, 3.0)))
pos_weight_bce.case("random logits and weight", gradient="z")(positives)
pos_weight_bce.case("a weight below 1", gradient="z")(
    lambda rng: (*ordinary(rng), rng.uniform(low=0.1, high=0.8))
)
pos_weight_bce.case("a matrix of logits", gradient="z")(
    lambda rng: (rng.logits(3, 4), rng.labels(3, 4), tensor(rng, 2.5))
)
pos_weight_bce.case("sure and right", extreme=True, gradient="z")(
    lambda rng: sure(rng, SURE[:2], tensor(rng, 2.5))
)
pos_weight_bce.case("sure and wrong", extreme=True, gradient="z")(
    lambda rng: sure(rng, SURE[2:], tensor(rng, 2.5))
)
pos_weight_bce.case("float32", dtype=torch.float32, gradient="z")(positives)


def halves(z, y, positive, negative):
    return (positive * y * F.softplus(-z) + negative * (1 - y) * F.softplus(z)).mean()


@pos_weight_bce.mistake(
    "You gave `pos_weight` to the samples with y = 0. It multiplies the losses of the positives, y = 1."
)
def _(z, y, pos_weight):
    return halves(z, y, 1, pos_weight)


@pos_weight_bce.mistake(
    "You multiplied every loss by `pos_weight`. Only the losses of the samples with y = 1 are multiplied by it."
)
def _(z, y, pos_weight):
    return halves(z, y, pos_weight, pos_weight)


@pos_weight_bce.mistake("`pos_weight` has no effect: this is the plain binary cross-entropy.")
def _(z, y, pos_weight):
    return halves(z, y, 1, 1)


@pos_weight_bce.mistake(
    "You multiplied the losses of the negatives by 1 − pos_weight. `pos_weight` is a factor, not a share: the negatives keep the factor 1."
)
def _(z, y, pos_weight):
    return halves(z, y, pos_weight, 1 - pos_weight)


@pos_weight_bce.mistake(
    "You multiplied the losses of the positives by 1 + pos_weight. Their factor is `pos_weight` itself.",
    hint="1 + (pos_weight − 1)·y is pos_weight where y = 1, and 1 where y = 0.",
)
def _(z, y, pos_weight):
    return halves(z, y, 1 + pos_weight, 1)


@pos_weight_bce.mistake(
    "You divided by the sum of the weights. PyTorch divides by the number of samples, whatever they weigh."
)
def _(z, y, pos_weight):
    return halves(z, y, pos_weight, 1) * y.numel() / (1 + (pos_weight - 1) * y).sum()


@pos_weight_bce.mistake(
    "In your function only the positives cost something. The losses of the negatives, softplus(z), are missing."
)
def _(z, y, pos_weight):
    return halves(z, y, pos_weight, 0)


@pos_weight_bce.mistake(
    "You multiplied the logits of the positives by `pos_weight`. It belongs to their loss: a larger logit is another prediction."
)
def _(z, y, pos_weight):
    return F.binary_cross_entropy_with_logits(torch.where(y == 1, z * pos_weight, z), y)


@pos_weight_bce.mistake(
    "You took one mean over the positives and another over the negatives. There is one mean, over all samples."
)
def _(z, y, pos_weight):
    return pos_weight * (y * F.softplus(-z)).sum() / y.sum() + ((1 - y) * F.softplus(z)).sum() / (1 - y).sum()


@pos_weight_bce.mistake(
    "You took the logarithm of a sigmoid, or of 1 + exp(z). At |z| = 1000 one of the two halves is infinite, and 0 times inf is nan.",
    hint="−log σ(z) is softplus(−z).",
)
def _(z, y, pos_weight):
    p = torch.sigmoid(z)
    return -(pos_weight * y * p.log() + (1 - y) * (1 - p).log()).mean()


@pos_weight_bce.mistake(
    "You went through the probability, whose logarithm is clamped: at |z| = 1000 a wrong sample's loss stays too small, and its gradient is 0.",
    hint="−log σ(z) is softplus(−z).",
)
def _(z, y, pos_weight):
    return ((1 + (pos_weight - 1) * y) * F.binary_cross_entropy(torch.sigmoid(z), y, reduction="none")).mean()


@pos_weight_bce.mistake(
    "You computed a weight from the labels of the batch, negatives per positive. The weight is given.",
    hint="Use `pos_weight`.",
)
def _(z, y, pos_weight):
    return halves(z, y, (y == 0).sum() / (y == 1).sum(), 1)


@pos_weight_bce.mistake(
    "You swapped the two halves: −log σ(z), for the positives, is softplus(−z), and the loss of the negatives is softplus(z)."
)
def _(z, y, pos_weight):
    return halves(-z, y, pos_weight, 1)


@pos_weight_bce.mistake(
    "You weighted the two classes by w / (1 + w) and 1 / (1 + w). The positives count w times and the negatives once."
)
def _(z, y, pos_weight):
    return halves(z, y, pos_weight / (1 + pos_weight), 1 / (1 + pos_weight))


@pos_weight_bce.mistake(
    "You divided the losses of the positives by `pos_weight`. A weight above 1 makes them count more.",
    hint="Multiply.",
)
def _(z, y, pos_weight):
    return halves(z, y, 1 / pos_weight, 1)


@pos_weight_bce.mistake(
    "A parenthesis is missing: in softplus(z) − y·z the weight reaches only y·z. Where y = 1, it multiplies the whole loss."
)
def _(z, y, pos_weight):
    return (F.softplus(z) - pos_weight * y * z).mean()


# ---------------------------------------------------------------- corrected_probability


@exercise(
    points=2,
    hints=[
        "Training with the weight w multiplied the odds by w. Which odds does the model claim, then, and which probability has those odds?",
        "The odds that the model gives are e^z. Divide them by `pos_weight`, and turn odds o into the probability o / (1 + o).",
        "In one step: dividing the odds by a number subtracts its logarithm from the logit, and the sigmoid makes a probability of a logit.",
    ],
    built="You undid a weight: σ(z − ln w). The same correction serves whenever a class is made more frequent for training than it is in life. "
    "I. J. Good, who worked with Turing, called the logarithm of such a factor a weight of evidence: on the scale of logits, evidence adds up.",
)
def corrected_probability(z, pos_weight):
    return torch.sigmoid(z - torch.log(pos_weight))


def trained(rng, low=2.0, high=40.0, limit=10.0):
    return rng.logits(rng.size(), limit=limit), rng.uniform(low=low, high=high)


corrected_probability.case("the lesson's example", example=True)(
    lambda rng: (tensor(rng, Z), tensor(rng, 3.0))
)
corrected_probability.case("random logits and weights", gradient="z")(trained)
corrected_probability.case("a weight below 1", gradient="z")(lambda rng: trained(rng, 0.05, 0.6))
corrected_probability.case("a weight of 1 changes nothing", gradient="z")(
    lambda rng: (rng.logits(rng.size()), tensor(rng, 1.0))
)
corrected_probability.case("a weight of 1e-9", gradient="z", extreme=True)(
    lambda rng: (rng.logits(rng.size()) - 20, tensor(rng, 1e-9))
)
corrected_probability.case("a matrix of logits", gradient="z")(
    lambda rng: (rng.logits(3, 4), rng.uniform(low=2.0, high=9.0))
)
corrected_probability.case("float32", dtype=torch.float32, gradient="z")(
    # no larger: 1 − p has few digits left there, and dividing by it is right, too
    lambda rng: trained(rng, limit=5.0)
)


@corrected_probability.mistake(
    "`pos_weight` has no effect: this is the output of the model as it stands, whose odds training has multiplied by it."
)
def _(z, pos_weight):
    return torch.sigmoid(z)


@corrected_probability.mistake(
    "Your odds are multiplied by `pos_weight` once more, so the weight counts twice. Training has multiplied them already.",
    hint="Take it back.",
)
def _(z, pos_weight):
    return torch.sigmoid(z + pos_weight.log())


@corrected_probability.mistake(
    "You divided the probability by `pos_weight`. Training multiplied the odds, p / (1 − p): for a probability near 1 that is another thing.",
    hint="Go to the odds first, or to their logarithm, the logit.",
)
def _(z, pos_weight):
    return torch.sigmoid(z) / pos_weight


@corrected_probability.mistake(
    "You divided the logit by `pos_weight`. A factor of the odds is no factor of their logarithm.",
    hint="ln(o / w) = ln o − ln w.",
)
def _(z, pos_weight):
    return torch.sigmoid(z / pos_weight)


@corrected_probability.mistake(
    "You subtracted `pos_weight` itself from the logit. The logit is a logarithm, and so must be what is subtracted from it.",
    hint="ln(o / w) = ln o − ln w.",
)
def _(z, pos_weight):
    return torch.sigmoid(z - pos_weight)


@corrected_probability.mistake(
    "You return the corrected logit. A probability is expected.", hint="Apply the sigmoid to it."
)
def _(z, pos_weight):
    return z - pos_weight.log()


@corrected_probability.mistake(
    "You return the corrected odds. The probability with the odds o is o / (1 + o)."
)
def _(z, pos_weight):
    return torch.exp(z) / pos_weight


@corrected_probability.mistake(
    "Your result is the same for every logit, 1 / (1 + pos_weight).",
    hint="If you divide p / w by a sum, it is p / w + (1 − p): with p as its second term, p cancels.",
)
def _(z, pos_weight):
    p = torch.sigmoid(z) / pos_weight
    return p / (p + torch.sigmoid(z))


@corrected_probability.mistake(
    "You took the model's probability for its odds. The odds are p / (1 − p).",
    hint="From the logit the odds are one step away: e^z.",
)
def _(z, pos_weight):
    odds = torch.sigmoid(z) / pos_weight
    return odds / (1 + odds)


@corrected_probability.mistake(
    "You turned the odds o into o / (1 − o). That is the way from a probability to its odds; you need the way back.",
    hint="Odds of 3 to 1 are 3 cases of how many?",
)
def _(z, pos_weight):
    odds = torch.exp(z) / pos_weight
    return odds / (1 - odds)


@corrected_probability.mistake(
    "You took the logarithm to the base 2. The sigmoid is built from e, so the logarithm must be the natural one, `torch.log`."
)
def _(z, pos_weight):
    return torch.sigmoid(z - torch.log2(pos_weight))


@corrected_probability.mistake(
    "You return the probability of label 0. The sigmoid of the corrected logit is the one of label 1."
)
def _(z, pos_weight):
    return torch.sigmoid(pos_weight.log() - z)


# ---------------------------------------------------------------- cost_threshold


@exercise(
    points=1,
    number=True,
    hints=[
        "Write both mean costs for a patient with probability p: staying silent costs something where the patient is ill, an alarm where the patient is well.",
        "Silence costs p · cost_miss on average, an alarm (1 − p) · cost_alarm. At the threshold the two are equal.",
        "p · cost_miss = (1 − p) · cost_alarm: bring the terms with p to one side, and divide by the sum of the two costs.",
    ],
    built="The threshold of Elkan's *Foundations of Cost-Sensitive Learning* (2001). Its odds are cost_alarm / cost_miss, so only the ratio of the two costs matters.",
)
def cost_threshold(cost_miss, cost_alarm):
    return cost_alarm / (cost_miss + cost_alarm)


def costs(rng, low, high, count=3):
    """Pairs of costs, Python numbers; the first is `low` to `high` times the second."""
    pairs = []
    for _ in range(count):
        cost_alarm = float(rng.uniform(low=0.5, high=3.0))
        pairs.append((cost_alarm * float(rng.uniform(low=low, high=high)), cost_alarm))
    return pairs


cost_threshold.case("the lesson's costs", example=True)(lambda rng: (20, 1))
cost_threshold.case("a miss is the dearer mistake")(lambda rng: costs(rng, 2.0, 30.0))
cost_threshold.case("a false alarm is the dearer mistake")(lambda rng: costs(rng, 0.05, 0.5))
cost_threshold.case("both cost the same")(lambda rng: [(cost, cost) for cost, _ in costs(rng, 1.5, 2.0)])
cost_threshold.case("whole numbers", dtype=torch.float32)(
    lambda rng: (int(rng.integers(1, low=5, high=60)), int(rng.integers(1, low=2, high=5)))
)


@cost_threshold.mistake(
    "In your result the two costs are swapped: the dearer a miss is, the lower the threshold has to be, so that fewer are missed."
)
def _(cost_miss, cost_alarm):
    return cost_miss / (cost_miss + cost_alarm)


@cost_threshold.mistake(
    "That ratio is the threshold of the odds, p / (1 − p). With equal costs it gives 1, and no probability lies above 1.",
    hint="The probability with the odds o is o / (1 + o).",
)
def _(cost_miss, cost_alarm):
    return cost_alarm / cost_miss


@cost_threshold.mistake(
    "The costs have no effect: 0.5 is the threshold only where both mistakes cost the same."
)
def _(cost_miss, cost_alarm):
    return 0.5


@cost_threshold.mistake(
    "You return a logit, ln(cost_alarm / cost_miss). The threshold is a probability.",
    hint="Apply the sigmoid to it.",
)
def _(cost_miss, cost_alarm):
    return math.log(cost_alarm / cost_miss)


@cost_threshold.mistake(
    "Your threshold is always 0. The right one lies between 0 and 1; `//` would round it down to 0.",
    hint="Divide with `/`.",
)
def _(cost_miss, cost_alarm):
    return cost_alarm // (cost_miss + cost_alarm)


@cost_threshold.mistake(
    "You divided 1 by the sum of the costs, which is right only where a false alarm costs 1. What counts is the ratio of the two."
)
def _(cost_miss, cost_alarm):
    return 1 / (cost_miss + cost_alarm)


@cost_threshold.mistake(
    "Your denominator is the difference of the two costs. Where both mistakes cost the same, it is 0 and there is no threshold.",
    hint="p · cost_miss = (1 − p) · cost_alarm: which sign has p · cost_alarm on the other side?",
)
def _(cost_miss, cost_alarm):
    return cost_alarm / (cost_miss - cost_alarm)


@cost_threshold.mistake(
    "You divided 1 by 1 plus the cost of a miss, which is right only where a false alarm costs 1. What counts is the ratio of the two."
)
def _(cost_miss, cost_alarm):
    return 1 / (1 + cost_miss)


# ---------------------------------------------------------------- focal_loss


@exercise(
    points=3,
    hints=[
        "Name the probability that the model gave to the true label: p_t is p where y = 1 and 1 − p where y = 0. Alpha chooses in the same way.",
        "The loss of a sample is alpha_t · (1 − p_t)^gamma · (−log p_t). The last factor is the cross-entropy that you know.",
        "With s = z where y = 1 and s = −z where y = 0: −log p_t = softplus(−s), and 1 − p_t = sigmoid(−s). No logarithm of a probability is left.",
    ],
    built='The focal loss of Lin et al. (2017). `torchvision.ops.sigmoid_focal_loss` has the same alpha and gamma; its `reduction` is "none" unless you ask for the mean.',
)
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    s = torch.where(y == 1, z, -z)
    share = alpha * y + (1 - alpha) * (1 - y)
    return (share * torch.exp(gamma * F.logsigmoid(-s)) * F.softplus(-s)).mean()


focal_loss.case("the lesson's example", example=True)(example)
focal_loss.case("random logits", gradient="z")(ordinary)


@focal_loss.case("other alphas", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y, alpha=a) for a in (0.5, 0.9)]


@focal_loss.case("other gammas", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y, gamma=g) for g in (0.0, 1.0, 3.5)]


focal_loss.case("both at once", gradient="z")(lambda rng: call(*ordinary(rng), alpha=0.6, gamma=1.5))
focal_loss.case("a matrix of logits", gradient="z")(lambda rng: (rng.logits(3, 4), rng.labels(3, 4)))
focal_loss.case("sure and right", extreme=True, gradient="z")(lambda rng: sure(rng, SURE[:2]))
focal_loss.case("sure and wrong", extreme=True, gradient="z")(lambda rng: sure(rng, SURE[2:]))
focal_loss.case("float32", dtype=torch.float32, gradient="z")(ordinary)


def focal(z, y, alpha, factor, reduce=torch.mean):
    """A focal loss of parts: `alpha` and `factor` are functions of (y, p_t)."""
    p_t = torch.sigmoid(torch.where(y == 1, z, -z))
    return reduce(alpha(y) * factor(p_t) * F.binary_cross_entropy_with_logits(z, y, reduction="none"))


def shares(alpha):
    return lambda y: alpha * y + (1 - alpha) * (1 - y)


@focal_loss.mistake(
    "You weighted the cross-entropy with alpha first and took p_t = exp(−loss) of the product. p_t is the model's own probability, without alpha."
)
def _(z, y, alpha=0.25, gamma=2.0):
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    losses = torch.where(y == 1, alpha, 1 - alpha) * losses
    return ((1 - torch.exp(-losses)) ** gamma * losses).mean()


@focal_loss.mistake(
    "Your factor is p_t^gamma, which favours the samples that are right already. The factor is (1 − p_t)^gamma."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: p**gamma)


@focal_loss.mistake("A parenthesis is missing: you computed 1 − p_t^gamma where (1 − p_t)^gamma belongs.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: 1 - p**gamma)


@focal_loss.mistake(
    "Where y = 1 you multiplied by gamma: gamma·(1 − p). It is an exponent there, too: (1 − p)^gamma."
)
def _(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(z)
    positive = alpha * y * gamma * (1 - p) * F.logsigmoid(z)
    return -(positive + (1 - alpha) * (1 - y) * p**gamma * F.logsigmoid(-z)).mean()


@focal_loss.mistake("Where y = 0 you multiplied by gamma: gamma·p. It is an exponent there, too: p^gamma.")
def _(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(z)
    positive = alpha * y * (1 - p) ** gamma * F.logsigmoid(z)
    return -(positive + (1 - alpha) * (1 - y) * gamma * p * F.logsigmoid(-z)).mean()


@focal_loss.mistake("You multiplied by gamma: gamma·(1 − p_t). It is an exponent: (1 − p_t)^gamma.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: gamma * (1 - p))


@focal_loss.mistake(
    "Your factor uses p for both labels. Where y = 0, the probability of what happened is p_t = 1 − p, so the factor there is p^gamma."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return (
        shares(alpha)(y)
        * torch.sigmoid(-z) ** gamma
        * F.binary_cross_entropy_with_logits(z, y, reduction="none")
    ).mean()


@focal_loss.mistake(
    "The value is right and the gradient is not: the factor (1 − p_t)^gamma is cut off from autograd. It depends on z, too."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: (1 - p.detach()) ** gamma)


@focal_loss.mistake("You multiplied every sample by alpha. The factor of the negatives is 1 − alpha.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, lambda y: alpha, lambda p: (1 - p) ** gamma)


@focal_loss.mistake("You swapped alpha and 1 − alpha: alpha belongs to y = 1.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(1 - alpha), lambda p: (1 - p) ** gamma)


@focal_loss.mistake(
    "Alpha is missing.",
    hint="Multiply the losses of the positives by alpha, those of the negatives by 1 − alpha.",
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, lambda y: 1.0, lambda p: (1 - p) ** gamma)


@focal_loss.mistake(
    "Your positives have the factor alpha and your negatives the factor 1. That is how `pos_weight` works; here the factor of the negatives is 1 − alpha."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, lambda y: alpha * y + 1 - y, lambda p: (1 - p) ** gamma)


@focal_loss.mistake(
    "You divided by the number of positives, as the paper does with its boxes.",
    hint="Return the mean over all samples.",
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: (1 - p) ** gamma, torch.sum) / y.sum()


@focal_loss.mistake("You return the sum of the losses.", hint="Return their mean over the samples.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: (1 - p) ** gamma, torch.sum)


@focal_loss.mistake(
    "You took the logarithm of a sigmoid, or of 1 + an exponential. At |z| = 1000 p_t is exactly 0 or 1, and the exponential may be infinite; the logarithm or its slope is then inf or nan.",
    hint="−log p_t is softplus(−z) for y = 1 and softplus(z) for y = 0.",
)
def _(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(z)
    p_t = torch.where(y == 1, p, 1 - p)
    return (shares(alpha)(y) * (1 - p_t) ** gamma * -p_t.log()).mean()


@focal_loss.mistake(
    "You clamped the probability before taking its logarithm: at |z| = 1000 a wrong sample's loss stops at the clamp, and its gradient is 0.",
    hint="−log p_t is softplus(−z) for y = 1 and softplus(z) for y = 0.",
)
def _(z, y, alpha=0.25, gamma=2.0):
    p_t = torch.sigmoid(torch.where(y == 1, z, -z)).clamp(1e-12, 1 - 1e-12)
    return (shares(alpha)(y) * (1 - p_t) ** gamma * -p_t.log()).mean()


@focal_loss.mistake(
    "You divided by the sum of the alphas.", hint="Divide by the number of samples, whatever they weigh."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: (1 - p) ** gamma, torch.sum) / shares(alpha)(y).sum()


@focal_loss.mistake(
    "You took the mean of the losses first and then one factor for all. Each sample has its own p_t and its own factor; the mean comes last."
)
def _(z, y, alpha=0.25, gamma=2.0):
    loss = F.binary_cross_entropy_with_logits(z, y)
    return alpha * (1 - torch.exp(-loss)) ** gamma * loss


@focal_loss.mistake(
    "In your function only the positives cost something. The losses of the negatives are missing: where y = 0, p_t is 1 − p and the weight 1 − alpha."
)
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, lambda y: alpha * y, lambda p: (1 - p) ** gamma)


@focal_loss.mistake("The factor (1 − p_t)^gamma is missing: this is cross-entropy, weighted by alpha.")
def _(z, y, alpha=0.25, gamma=2.0):
    return focal(z, y, shares(alpha), lambda p: 1.0)


@focal_loss.mistake(
    "You raised alpha to the power gamma, too. It is a factor outside the power: alpha_t · (1 − p_t)^gamma."
)
def _(z, y, alpha=0.25, gamma=2.0):
    p_t = torch.sigmoid(torch.where(y == 1, z, -z))
    return (
        (shares(alpha)(y) * (1 - p_t)) ** gamma * F.binary_cross_entropy_with_logits(z, y, reduction="none")
    ).mean()


@focal_loss.mistake(
    "You raised the whole product to the power gamma. Only 1 − p_t is raised; −log p_t stays as it is."
)
def _(z, y, alpha=0.25, gamma=2.0):
    p_t = torch.sigmoid(torch.where(y == 1, z, -z))
    return (
        shares(alpha)(y) * ((1 - p_t) * F.binary_cross_entropy_with_logits(z, y, reduction="none")) ** gamma
    ).mean()


@focal_loss.mistake(
    "Your p_t is the probability of the label that did not happen. It is p where y = 1, and 1 − p where y = 0."
)
def _(z, y, alpha=0.25, gamma=2.0):
    wrong = torch.sigmoid(torch.where(y == 1, -z, z))
    return -(shares(alpha)(y) * (1 - wrong) ** gamma * wrong.log()).mean()
