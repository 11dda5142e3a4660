"""Exercises of 12_calibration: reliability, the calibration error, the Brier score, temperature scaling, the cost of decisions.

Formulas: Guo et al., On Calibration of Modern Neural Networks, https://arxiv.org/abs/1706.04599; Brier (1950).
"""

import math

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

Z = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]
Y = [0, 2, 3, 1]
LOOSE = dict(rtol=1e-5, atol=1e-6)  # a mean taken in float32 on the way is no mistake here


def drawn(rng, n, num_classes, scale=1.5):
    """Logits, and labels drawn from their softmax: a calibrated model, right as often as it says."""
    z = rng.normal(n, num_classes, scale=scale)
    below = torch.softmax(z.double(), dim=1).cumsum(dim=1)
    u = rng.uniform(n, 1).double()
    return z, (u > below).sum(dim=1).clamp(max=num_classes - 1)


def example(rng):
    return torch.softmax(torch.tensor(Z, dtype=rng.dtype), dim=1), torch.tensor(Y)


def predictions(rng, n=None, num_classes=4, sharper=2.5):
    """Probabilities of an overconfident model, all classes among the labels."""
    n = n or 30 + rng.size()
    z, y = drawn(rng, n, num_classes)
    return torch.softmax(z * sharper, dim=1), y


def certain(rng):
    """Some predictions of exactly 1, wrong ones, among others that are nearly so and right: in the last bin they cancel in part."""
    p, y = predictions(rng, 24, 3, sharper=1.0)
    sure = rng.uniform(6, 1, low=0.02, high=0.04)
    p[:6] = torch.cat([1 - sure, sure / 4, sure * 3 / 4], dim=1)
    p[6:9] = torch.eye(3, dtype=rng.dtype)
    y[:9] = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2, 0])
    return p, y


# ---------------------------------------------------------------- reliability


def binned(p, y, bins, index, weight=None, confidence=None):
    """(confidence, accuracy, count) with `index` a function of (confidence, bins) and an optional weight for each sample."""
    largest, predicted = p.max(dim=1)
    confidence = largest if confidence is None else confidence
    at, weight = index(confidence, bins), torch.ones_like(confidence) if weight is None else weight
    zero = torch.zeros(bins, dtype=p.dtype)
    count = zero.index_add(0, at, weight)
    size = count.clamp(min=1)
    right = (predicted == y).to(p.dtype)
    return (
        zero.index_add(0, at, weight * confidence) / size,
        zero.index_add(0, at, weight * right) / size,
        count,
    )


def floor(confidence, bins):
    return (confidence * bins).long().clamp(max=bins - 1)


@exercise(
    points=3,
    any_dtype=True,
    hints=[
        "Each sample has three numbers: its confidence (the largest probability of its row), whether the class there is the label, and its bin.",
        "The bin: `(confidence * bins).long()`, and at most bins − 1, so that a confidence of exactly 1 has a bin too.",
        "For each bin you need a mask, the number of samples in it, their mean confidence and the share of right ones; 0 where the mask is empty.",
    ],
    built="The numbers behind a reliability diagram. PyTorch has no function for it; scikit-learn's `calibration_curve` does it for two classes.",
)
def reliability(p, y, bins=10):
    return binned(p, y, bins, floor)


reliability.case("the lesson's example", example=True)(example)
reliability.case("random predictions", **LOOSE)(predictions)
reliability.case("other numbers of bins", **LOOSE)(
    lambda rng: [call(*predictions(rng), bins=b) for b in (4, 15)]
)
reliability.case("confidence exactly 1", **LOOSE)(certain)
reliability.case("two classes", **LOOSE)(lambda rng: predictions(rng, 20, 2, sharper=1.0))
reliability.case("float32", dtype=torch.float32)(predictions)


@reliability.mistake(
    "You return the middle of each bin that holds samples. The confidence of a bin is the mean of those that fell into it."
)
def _(p, y, bins=10):
    largest, predicted = p.max(dim=1)
    member = F.one_hot((largest * bins).long().clamp(max=bins - 1), bins).to(p.dtype)
    count = member.sum(dim=0)
    middle = (torch.arange(bins, dtype=p.dtype) + 0.5) / bins
    right = (predicted == y).to(p.dtype)
    return torch.where(count > 0, middle, 0), right @ member / count.clamp(min=1), count


@reliability.mistake(
    "Your confidence is the probability of the true class. It is the largest probability: what the model claims before anybody knows the label."
)
def _(p, y, bins=10):
    return binned(p, y, bins, floor, confidence=p.gather(1, y[:, None])[:, 0])


@reliability.mistake(
    "A confidence of exactly 1 falls out of every bin. It belongs to the last one.",
    hint="min(⌊confidence·bins⌋, bins − 1).",
)
def _(p, y, bins=10):
    return binned(p, y, bins, floor, weight=(p.max(dim=1).values < 1).to(p.dtype))


@reliability.mistake("Empty bins are nan here, because a mean over nothing is 0/0. They should be 0.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return confidence * count / count, accuracy * count / count, count


@reliability.mistake("Confidence and accuracy are swapped: the confidence comes first.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return accuracy, confidence, count


@reliability.mistake(
    "You return the middle of each bin.", hint="Return the mean of the confidences that fell into it."
)
def _(p, y, bins=10):
    _, accuracy, count = binned(p, y, bins, floor)
    return (torch.arange(bins, dtype=p.dtype) + 0.5) / bins, accuracy, count


@reliability.mistake(
    "Confidence and accuracy are sums here.", hint="Divide them by the number of samples in the bin."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return confidence * count, accuracy * count, count


@reliability.mistake(
    "You rounded to the nearest bin. Bin k holds the confidences from k/bins to (k + 1)/bins.",
    hint="Round down.",
)
def _(p, y, bins=10):
    return binned(p, y, bins, lambda c, b: (c * b).round().long().clamp(max=b - 1))


@reliability.mistake(
    "The third result is a share of the samples here.", hint="Return the number of samples in each bin."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return confidence, accuracy, count / len(y)


@reliability.mistake("You divided by N. The mean of a bin is taken over the samples in that bin.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return confidence * count / len(y), accuracy * count / len(y), count


@reliability.mistake(
    "The second result is the share of wrong answers. The accuracy is the share of right ones."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return confidence, (1 - accuracy) * (count > 0), count


@reliability.mistake("You return the count first. The order is confidence, accuracy, count.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return count, confidence, accuracy


@reliability.mistake(
    "Your bins hold equally many samples. They should be equally wide: bin k holds the confidences from k/bins to (k + 1)/bins."
)
def _(p, y, bins=10):
    rank = torch.empty(len(p), dtype=torch.long)
    rank[p.max(dim=1).values.argsort()] = torch.cat(
        [torch.full((len(part),), k) for k, part in enumerate(torch.tensor_split(torch.arange(len(p)), bins))]
    )
    return binned(p, y, bins, lambda c, b: rank)


@reliability.mistake(
    "Your bins divide the range between the smallest and the largest confidence. They should divide the range from 0 to 1, whatever the confidences are."
)
def _(p, y, bins=10):
    return binned(p, y, bins, lambda c, b: floor((c - c.min()) / (c.max() - c.min()), b))


@reliability.mistake(
    "Your bins have no upper edge, so each also holds everything above it. Bin k ends at (k + 1)/bins."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    above = lambda v: v.flip(0).cumsum(0).flip(0)  # noqa: E731
    return (
        above(confidence * count) / above(count).clamp(min=1),
        above(accuracy * count) / above(count).clamp(min=1),
        above(count),
    )


@reliability.mistake("You applied a softmax to p, which holds probabilities already.")
def _(p, y, bins=10):
    return binned(torch.softmax(p, dim=1), y, bins, floor)


# ---------------------------------------------------------------- expected_calibration_error


@exercise(
    points=2,
    hints=[
        "Each bin has a gap: how far its accuracy is from its confidence. Which bins should count for more?",
        "Weight the gap of each bin by its share of the samples, count/N. Empty bins then have the weight 0.",
    ],
    built="The expected calibration error (ECE) of Guo et al. (2017). PyTorch has none; TorchMetrics calls it `MulticlassCalibrationError`.",
)
def expected_calibration_error(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence).abs()).sum()


expected_calibration_error.case("the lesson's example", example=True)(example)
expected_calibration_error.case("random predictions", **LOOSE)(predictions)
expected_calibration_error.case("a model that is too modest", **LOOSE)(
    lambda rng: predictions(rng, 40, 3, sharper=0.3)
)
expected_calibration_error.case("other numbers of bins", **LOOSE)(
    lambda rng: [call(*predictions(rng), bins=b) for b in (4, 15)]
)
expected_calibration_error.case("confidence exactly 1", **LOOSE)(certain)
expected_calibration_error.case("float32", dtype=torch.float32)(predictions)


@expected_calibration_error.mistake(
    "Right except where the confidence is exactly 1: you gave it a bin of its own. It belongs to the last bin, which ends at 1 and holds it.",
    hint="`.clamp(max=bins - 1)` behind the bin's number.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins + 1, lambda c, _: floor(c, bins) + (c == 1))
    return (count / len(y) * (accuracy - confidence).abs()).sum()


@expected_calibration_error.mistake(
    "You took the label 1 for right. An answer is right where the predicted class is the label: `p.argmax(dim=1) == y`."
)
def _(p, y, bins=10):
    confidence = p.max(dim=1).values
    index = floor(confidence, bins)
    gap = (y == 1).to(p.dtype) - confidence
    return torch.zeros(bins, dtype=p.dtype).index_add(0, index, gap).abs().sum() / len(y)


@expected_calibration_error.mistake(
    "You averaged over the bins as if each held equally many samples.",
    hint="Weight each bin by its share of the samples.",
)
def _(p, y, bins=10):
    confidence, accuracy, _ = binned(p, y, bins, floor)
    return (accuracy - confidence).abs().mean()


@expected_calibration_error.mistake(
    "You averaged over the bins that are not empty as if each held equally many samples.",
    hint="Weight each bin by its share of the samples.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (accuracy - confidence).abs()[count > 0].mean()


@expected_calibration_error.mistake(
    "The gaps keep their sign, so a bin that is too bold and one that is too modest cancel.",
    hint="Take the absolute value of each gap.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence)).sum()


@expected_calibration_error.mistake(
    "You took the absolute value after adding up: bins that are too bold and too modest have cancelled by then."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence)).sum().abs()


@expected_calibration_error.mistake("You squared the gaps.", hint="Use their absolute values.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence) ** 2).sum()


@expected_calibration_error.mistake(
    "You return the largest gap, which is the maximum calibration error.",
    hint="Average the gaps, each weighted by its share of the samples.",
)
def _(p, y, bins=10):
    confidence, accuracy, _ = binned(p, y, bins, floor)
    return (accuracy - confidence).abs().max()


@expected_calibration_error.mistake(
    "You compared each sample's confidence with 0 or 1. A single sample has no accuracy.",
    hint="Compare the means of each bin.",
)
def _(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    return (confidence - (predicted == y).to(p.dtype)).abs().mean()


@expected_calibration_error.mistake("Empty bins make the sum nan, because their means are 0/0.")
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / count * (accuracy - confidence).abs() * count / len(y)).sum()


@expected_calibration_error.mistake(
    "A confidence of exactly 1 falls out of every bin. It belongs to the last one."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor, weight=(p.max(dim=1).values < 1).to(p.dtype))
    return (count / len(y) * (accuracy - confidence).abs()).sum()


@expected_calibration_error.mistake(
    "You added up the gaps without weights, as if each bin held all samples.",
    hint="Weight each bin by its share of the samples.",
)
def _(p, y, bins=10):
    confidence, accuracy, _ = binned(p, y, bins, floor)
    return (accuracy - confidence).abs().sum()


@expected_calibration_error.mistake(
    "You divided by the number of bins. Each gap is multiplied by its bin's count, and the counts add up to N."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count * (accuracy - confidence).abs()).sum() / bins


@expected_calibration_error.mistake(
    "Your confidence is the probability of the true class. It is the largest probability: what the model claims before anybody knows the label."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor, confidence=p.gather(1, y[:, None])[:, 0])
    return (count / len(y) * (accuracy - confidence).abs()).sum()


@expected_calibration_error.mistake(
    "You compared the accuracy with the middle of each bin.",
    hint="Compare it with the mean of the confidences that fell into it.",
)
def _(p, y, bins=10):
    _, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - (torch.arange(bins) + 0.5) / bins).abs()).sum()


@expected_calibration_error.mistake(
    "You squared the gaps and took a root at the end.", hint="Use their absolute values."
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence) ** 2).sum().sqrt()


@expected_calibration_error.mistake(
    "The share count/N multiplies only the accuracy here. It should multiply the gap.",
    hint="Put the difference in brackets.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * accuracy - confidence).abs().sum()


@expected_calibration_error.mistake(
    "Only the bins that are too bold count here. A bin that is too modest is wrong by its gap, too.",
    hint="Take the absolute value.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * torch.relu(confidence - accuracy)).sum()


@expected_calibration_error.mistake(
    "Your bins hold equally many samples. They should be equally wide: bin k holds the confidences from k/bins to (k + 1)/bins."
)
def _(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    gap = (predicted == y).to(p.dtype) - confidence
    return sum(gap[part].sum().abs() for part in torch.tensor_split(confidence.argsort(), bins)) / len(y)


@expected_calibration_error.mistake(
    "Each gap has its weight, count / N, and these add up to 1 already. You took the mean of the products, which divides by the number of bins besides.",
    hint="Add the products up.",
)
def _(p, y, bins=10):
    confidence, accuracy, count = binned(p, y, bins, floor)
    return (count / len(y) * (accuracy - confidence).abs()).mean()


# ---------------------------------------------------------------- brier_score


@exercise(
    points=2,
    hints=[
        "Write the label as a distribution: 1 at the true class, 0 at the others.",
        "The squared distance between the two rows is a sum over the classes. Then take the mean over the samples.",
    ],
    built="The Brier score of 1950, in its form for several classes. It is strictly proper: in expectation nothing scores better than the true probabilities. "
    "scikit-learn has `brier_score_loss`; in PyTorch it is C times `F.mse_loss` on one-hot labels.",
)
def brier_score(p, y):
    return ((p - F.one_hot(y, p.shape[1]).to(p.dtype)) ** 2).sum(dim=1).mean()


brier_score.case("the lesson's example", example=True)(example)
brier_score.case("random predictions", gradient="p")(predictions)
brier_score.case("a class that no label has", gradient="p")(
    lambda rng: (rng.distribution(7, 5), rng.classes(7, num_classes=3))
)
brier_score.case("two classes", gradient="p")(
    lambda rng: (rng.distribution(6, 2), rng.classes(6, num_classes=2))
)
brier_score.case("float32", dtype=torch.float32, gradient="p")(predictions)


@brier_score.mistake(
    "You averaged over the classes too. The squares are added up over the classes; the mean is over the samples."
)
def _(p, y):
    return F.mse_loss(p, F.one_hot(y, p.shape[1]).to(p.dtype))


@brier_score.mistake(
    "Only the true class counts here: (1 − p)². The squared probabilities of the other classes count too."
)
def _(p, y):
    return ((1 - p.gather(1, y[:, None])) ** 2).mean()


@brier_score.mistake(
    "Only the largest probability counts here, compared with right or wrong. The score looks at every class."
)
def _(p, y):
    confidence, predicted = p.max(dim=1)
    return ((confidence - (predicted == y).to(p.dtype)) ** 2).mean()


@brier_score.mistake("You took absolute values. Square the differences.")
def _(p, y):
    return (p - F.one_hot(y, p.shape[1]).to(p.dtype)).abs().sum(dim=1).mean()


@brier_score.mistake(
    "You took a root, which gives the distance of each sample. The score is the mean of the squared distances."
)
def _(p, y):
    return ((p - F.one_hot(y, p.shape[1]).to(p.dtype)) ** 2).sum(dim=1).sqrt().mean()


@brier_score.mistake("You added the samples up.", hint="Return their mean.")
def _(p, y):
    return ((p - F.one_hot(y, p.shape[1]).to(p.dtype)) ** 2).sum()


@brier_score.mistake("You applied a softmax to p, which holds probabilities already.")
def _(p, y):
    return ((torch.softmax(p, dim=1) - F.one_hot(y, p.shape[1]).to(p.dtype)) ** 2).sum(dim=1).mean()


@brier_score.mistake("This is the cross-entropy. The Brier score is a squared distance, at most 2.")
def _(p, y):
    return -p.gather(1, y[:, None]).log().mean()


@brier_score.mistake(
    "You subtracted the label's number from every probability. Here the label is a distribution: 1 at the true class, 0 at the others.",
    hint="`F.one_hot(y, p.shape[1])`.",
)
def _(p, y):
    return ((p - y[:, None]) ** 2).sum(dim=1).mean()


@brier_score.mistake(
    "The probabilities of the true class are missing: (1 − p)² there, and p² at each of the other classes."
)
def _(p, y):
    return (p**2 * (1 - F.one_hot(y, p.shape[1]))).sum(dim=1).mean()


@brier_score.mistake(
    "You return half the score. (For two classes some texts count only one of the two squares.) In this form the squares of all classes are added up."
)
def _(p, y):
    return ((p - F.one_hot(y, p.shape[1]).to(p.dtype)) ** 2).sum(dim=1).mean() / 2


@brier_score.mistake(
    "You replaced the prediction by its largest class. The score compares the probabilities themselves."
)
def _(p, y):
    hard = F.one_hot(p.argmax(dim=1), p.shape[1]).to(p.dtype)
    return ((hard - F.one_hot(y, p.shape[1])) ** 2).sum(dim=1).mean()


@brier_score.mistake(
    "You divided by C − 1. The squares are added up over the classes; the mean is over the samples alone."
)
def _(p, y):
    return ((p - F.one_hot(y, p.shape[1])) ** 2).sum(dim=1).mean() / (p.shape[1] - 1)


# ---------------------------------------------------------------- fit_temperature


def lowest(slope):
    """The T at which `slope(b)`, increasing in b = 1/T, is zero: by bisection on log b. nan where no T is best (a few samples are separable)."""
    low, high = -7.0, 7.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    if abs(low + high) / 2 > 6.9:
        return torch.tensor(float("nan"), dtype=torch.float64)
    return torch.tensor(-(low + high) / 2, dtype=torch.float64).exp()


def best(z, y):
    """The T that minimises the cross-entropy of z / T."""
    z = z.detach().double()
    flat, own = z.flatten(), z.gather(1, y[:, None]).sum()
    return lowest(lambda b: torch.softmax(b * z, dim=1).flatten() @ flat - own)


@exercise(
    points=3,
    number=True,
    hints=[
        "Is it a minimum? Compute the cross-entropy at your T, at 0.99·T and at 1.01·T: yours must be the smallest. If it is not, search longer or finer.",
        "You are looking for a single number, so many searches will do: a fine grid of temperatures on a logarithmic scale, from 0.05 to 50, or gradient descent on log T.",
        "With gradient descent: `u = torch.zeros((), requires_grad=True)`, T = exp(u) is always positive; minimise `F.cross_entropy(z / u.exp(), y)`, and return the exponential.",
    ],
    built="Temperature scaling (Guo et al., 2017). PyTorch has no function for it: it is `F.cross_entropy(z / T, y)` and any optimiser, on data that "
    "the network was not trained on.",
)
def fit_temperature(z, y):
    return best(z, y).to(z.dtype)


def stretched(low, high, num_classes=4):
    """Logits of a calibrated model, multiplied by a number from low to high: the best temperature is near that number."""

    def make(rng):
        z, y = drawn(rng, 90 + rng.size(), num_classes)
        return z * rng.uniform(low=low, high=high), y

    return make


fit_temperature.case("a model that is too sure", rtol=0.005)(stretched(2.0, 5.0))
fit_temperature.case("a model that is too modest", rtol=0.005)(stretched(0.25, 0.5))
fit_temperature.case("far too modest", rtol=0.005)(
    lambda rng: [stretched(low, 1.2 * low, 3)(rng) for low in (0.03, 0.07)]
)


@fit_temperature.case("the same logits, a little larger each time", rtol=0.005)
def _(rng):
    """The best temperature grows with them. A grid that is too coarse stands still, and is found out whatever the draw."""
    z, y = drawn(rng, 40, 3)
    return [(z * 2 * 1.008**step, y) for step in range(4)]


fit_temperature.case("hardly anything to repair", rtol=0.005)(stretched(0.9, 1.1, 3))
fit_temperature.case("far too sure, two classes", rtol=0.005)(stretched(7.0, 12.0, 2))
fit_temperature.case("float32", dtype=torch.float32, rtol=0.005)(stretched(1.5, 4.0, 6))


@fit_temperature.mistake(
    "You return 1/T, the factor that the logits are multiplied by.",
    hint="Return T, which they are divided by.",
)
def _(z, y):
    return 1 / best(z, y)


@fit_temperature.mistake(
    "You applied a softmax to the logits first, and fitted T to probabilities. Use z as it is.",
    hint="`F.cross_entropy` takes logits and does the softmax itself.",
)
def _(z, y):
    return best(torch.softmax(z, dim=1), y)


@fit_temperature.mistake(
    "You minimised the calibration error, not the cross-entropy. The error jumps where a sample changes its bin; the cross-entropy is smooth."
)
def _(z, y):
    grid = torch.logspace(-1.3, 1.3, 400, dtype=torch.float64)
    errors = [expected_calibration_error.reference(torch.softmax(z.double() / t, dim=1), y) for t in grid]
    return grid[torch.stack(errors).argmin()].item()


@fit_temperature.mistake(
    "You return 1, the temperature that changes nothing: the search never left its start."
)
def _(z, y):
    return 1.0


@fit_temperature.mistake(
    "You only looked at temperatures of 1 and more. A model can also be too modest, and then T is below 1."
)
def _(z, y):
    return best(z, y).clamp(min=1.0)


@fit_temperature.mistake("You only looked at temperatures up to 1. A model that is too sure needs more.")
def _(z, y):
    return best(z, y).clamp(max=1.0)


@fit_temperature.mistake("You return the logarithm of T: the exponential is missing at the end.")
def _(z, y):
    return best(z, y).log()


@fit_temperature.mistake(
    "You return the smallest loss.", hint="Return the temperature at which it is reached."
)
def _(z, y):
    return F.cross_entropy(z / best(z, y).to(z.dtype), y)


@fit_temperature.mistake("You return the logits divided by T.", hint="Return the temperature itself.")
def _(z, y):
    return z / best(z, y).to(z.dtype)


@fit_temperature.mistake(
    "You fitted T to the model's own predictions, not to the labels: they always agree with it, so T shrinks towards 0."
)
def _(z, y):
    return best(z, z.argmax(dim=1))


@fit_temperature.mistake("You applied a softmax before `cross_entropy`, which applies one itself.")
def _(z, y):
    u = torch.linspace(-5, 5, 301, dtype=torch.float64)
    p = torch.softmax(z.double() / u.exp()[:, None, None], dim=2)
    losses = p.logsumexp(dim=2) - p.gather(2, y[None, :, None].expand(len(u), -1, 1))[..., 0]
    return u[losses.mean(dim=1).argmin()].exp()


@fit_temperature.mistake("You passed probabilities to `nll_loss`, which expects their logarithms.")
def _(z, y):
    u = torch.linspace(-5, 5, 301, dtype=torch.float64)
    p = torch.softmax(z.double() / u.exp()[:, None, None], dim=2)
    return u[p.gather(2, y[None, :, None].expand(len(u), -1, 1)).mean(dim=(1, 2)).argmax()].exp()


@fit_temperature.mistake("You minimised the Brier score. Minimise the cross-entropy.")
def _(z, y):
    u = torch.linspace(-5, 5, 301, dtype=torch.float64)
    p = torch.softmax(z.double() / u.exp()[:, None, None], dim=2)
    return u[((p - F.one_hot(y, z.shape[1])) ** 2).sum(dim=2).mean(dim=1).argmin()].exp()


# ---------------------------------------------------------------- expected_cost


def decisions(rng, threshold=0.215, cost_miss=4, cost_alarm=1, n=None):
    """Probabilities of label 1, labels, and a rule: all four outcomes of a decision occur."""
    n = n or 12 + rng.size()
    p, y = rng.uniform(n, low=0.02, high=0.98), rng.labels(n)
    low, high = 0.4 * threshold, 1 - 0.4 * (1 - threshold)
    p[:4] = torch.tensor([low, low, high, high], dtype=rng.dtype)
    y[:4] = torch.tensor([0, 1, 0, 1], dtype=rng.dtype)
    return p, y, threshold, cost_miss, cost_alarm


@exercise(
    points=2,
    hints=[
        "First make the decisions: who gets an alarm? Then there are four outcomes, and two of them cost something.",
        "A miss is label 1 without an alarm, a needless alarm is label 0 with one. As numbers, 0 or 1, they can be multiplied by their costs.",
        "Add both costs up for each sample, and return the mean over all samples, those without any cost included.",
    ],
    built="The mean cost of deciding by a threshold: what a probability is worth to somebody who has to act on it. PyTorch has no function for it; "
    "scikit-learn's `TunedThresholdClassifierCV` can look for the threshold with the lowest cost, given a scorer that computes it.",
)
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    return torch.where(p > threshold, (1 - y) * cost_alarm, y * cost_miss).mean()


expected_cost.case("five decisions", example=True)(
    lambda rng: (
        torch.tensor([0.1, 0.3, 0.1, 0.7, 0.4], dtype=rng.dtype),
        torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0], dtype=rng.dtype),
        0.2,
        4,
        1,
    )
)
expected_cost.case("random decisions")(decisions)
expected_cost.case("other thresholds and costs")(
    lambda rng: [
        call(*decisions(rng, threshold=0.635, cost_miss=2.5, cost_alarm=7)),
        call(*decisions(rng, threshold=0.915, cost_miss=0.5, cost_alarm=30.0)),
    ]
)
expected_cost.case("nobody gets an alarm")(
    lambda rng: (rng.uniform(9, low=0.02, high=0.6), rng.labels(9), 0.75, 3, 1)
)
expected_cost.case("everybody gets an alarm")(
    lambda rng: (rng.uniform(9, low=0.2, high=0.98), rng.labels(9), 0.085, 3, 2)
)
expected_cost.case("a probability of exactly the threshold")(
    lambda rng: (
        torch.cat([rng.probabilities(7), rng.uniform(2, low=0.5, high=0.5)]),
        rng.labels(9),
        0.5,
        3,
        2,
    )
)
expected_cost.case("by name")(
    lambda rng: call(*decisions(rng)[:2], threshold=0.385, cost_alarm=2, cost_miss=9)
)
expected_cost.case("float32", dtype=torch.float32)(decisions)


def costs(p, y, missed, needless, cost_miss, cost_alarm):
    """The cost of each sample, from two masks."""
    return cost_miss * missed.to(p.dtype) + cost_alarm * needless.to(p.dtype)


@expected_cost.mistake(
    "The two costs are swapped: a miss is label 1 without an alarm, and costs `cost_miss`."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_alarm, cost_miss).mean()


@expected_cost.mistake("The decision is reversed: the alarm is raised where p is above the threshold.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p < threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).mean()


@expected_cost.mistake("You added the costs up.", hint="Return their mean over the samples.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).sum()


@expected_cost.mistake(
    "You averaged over the wrong decisions only. A right decision costs 0, and counts among the samples of the mean."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    wrong = alarm != (y == 1)
    total = costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).sum()
    return total / wrong.sum().clamp(min=1)


@expected_cost.mistake(
    "You divided by the number of samples with label 1. The mean is taken over all samples, those without any cost included."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).sum() / y.sum()


@expected_cost.mistake(
    "You cut at 0.5 whatever the threshold is. With unequal costs the cheaper decision changes elsewhere, and `threshold` says where."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > 0.5
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).mean()


@expected_cost.mistake(
    "You computed the threshold from the costs and ignored the one that is passed. The rule may be a bad one: your function says what it costs."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > cost_alarm / (cost_alarm + cost_miss)
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).mean()


@expected_cost.mistake(
    "Every alarm costs something here, also the right ones. Only an alarm where the label is 0 costs `cost_alarm`."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm, cost_miss, cost_alarm).mean()


@expected_cost.mistake(
    "Everybody without an alarm costs `cost_miss` here. Where the label is 0 there was nothing to miss."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm, alarm & (y == 0), cost_miss, cost_alarm).mean()


@expected_cost.mistake("Only the misses cost something here. A needless alarm costs `cost_alarm`.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, 0).mean()


@expected_cost.mistake("Only the needless alarms cost something here. A miss costs `cost_miss`.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), 0, cost_alarm).mean()


@expected_cost.mistake(
    "The costs have no effect: this is the share of wrong decisions.",
    hint="Weight each kind of mistake by its cost.",
)
def _(p, y, threshold, cost_miss, cost_alarm):
    return ((p > threshold) != (y == 1)).to(p.dtype).mean()


@expected_cost.mistake(
    "You weighted the costs by the probabilities, without deciding anything. A decision is made first, and is then right or wrong."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    return (cost_miss * y * (1 - p) + cost_alarm * (1 - y) * p).mean()


@expected_cost.mistake(
    "You took the probabilities for the truth and did not look at the labels. What a decision costs depends on what happened."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    return torch.where(p > threshold, (1 - p) * cost_alarm, p * cost_miss).mean()


@expected_cost.mistake(
    "You added two rates: the misses among the ones and the alarms among the zeros. Both kinds of mistake are divided by the number of all samples."
)
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = (p > threshold).to(p.dtype)
    return (
        cost_miss * ((1 - alarm) * y).sum() / y.sum() + cost_alarm * (alarm * (1 - y)).sum() / (1 - y).sum()
    )


@expected_cost.mistake("You applied a sigmoid to p, which holds probabilities already.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = torch.sigmoid(p) > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm).mean()


@expected_cost.mistake("Right decisions cost something here, and wrong ones do not: the labels are reversed.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 0), alarm & (y == 1), cost_miss, cost_alarm).mean()


@expected_cost.mistake("You return one cost for each sample.", hint="Return their mean.")
def _(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    return costs(p, y, ~alarm & (y == 1), alarm & (y == 0), cost_miss, cost_alarm)
