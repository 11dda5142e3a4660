"""Exercises of 06_softmax: from many scores to many probabilities.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

Y = [0, 2, 3, 1]
Z = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]


def scores(rng):
    return torch.tensor(Z, dtype=rng.dtype)


def matrix(rng):
    """More samples than classes, and never as many of either as the example has."""
    return rng.logits(rng.size(6, 9), 3)


# ---------------------------------------------------------------- one_hot


@exercise(
    points=2,
    without=[F.one_hot],
    hints=[
        "Row i has a 1 in column y[i]. Column numbers are 0, 1, … C − 1: `torch.arange(num_classes)`.",
        "Compare every label with every column number: a column of labels, (N, 1), against a row of numbers, (C,), broadcasts to (N, C).",
        "`y[:, None] == torch.arange(num_classes)` is a matrix of True and False. `.long()` makes 1 and 0 of it.",
    ],
    built="One-hot labels: each class label as a vector with a single 1. PyTorch calls it `F.one_hot(y, num_classes=…)`.",
)
def one_hot(y, num_classes):
    return F.one_hot(y, num_classes=num_classes)


one_hot.case("the lesson's example", example=True)(lambda rng: (torch.tensor(Y), 5))


@one_hot.case("random labels")
def _(rng):
    c = rng.size(6, 8)
    return rng.classes(rng.size(9, 12), num_classes=c), c


@one_hot.case("the last classes are missing from the batch")
def _(rng):
    return [(rng.classes(rng.size(), num_classes=2), 4), (rng.classes(3, num_classes=3), 7)]


@one_hot.case("a single sample", dtype=torch.float32)
def _(rng):
    return [(torch.tensor([2]), 3), (rng.classes(1, num_classes=4), 4)]


@one_hot.mistake(
    "You took the number of columns from the labels in this batch. It is `num_classes`: a batch need not contain the last class.",
    hint="How many columns would the labels 0, 0, 1 give you?",
)
def _(y, num_classes):
    return F.one_hot(y)


@one_hot.mistake(
    "You subtracted 1 from the labels. They begin at 0: the label 0 has its 1 in the first column.",
)
def _(y, num_classes):
    return F.one_hot((y - 1) % num_classes, num_classes)


@one_hot.mistake(
    "You swapped rows and columns: each sample is a row and each class a column, so the shape is (N, num_classes)."
)
def _(y, num_classes):
    return F.one_hot(y, num_classes).T


@one_hot.mistake(
    "`result[:, y] = 1` sets these columns in every row, so each row has the labels of the whole batch. Each row needs only its own.",
    hint="Pair the rows with the labels: `result[torch.arange(len(y)), y] = 1`.",
)
def _(y, num_classes):
    result = torch.zeros(len(y), num_classes, dtype=torch.int64)
    result[:, y] = 1
    return result


@one_hot.mistake(
    "You counted the classes from 1. They start at 0: the label 0 has its 1 in the first column."
)
def _(y, num_classes):
    return (y[:, None] == torch.arange(1, num_classes + 1)).long()


@one_hot.mistake("You swapped zeros and ones: the 1 marks the class that the sample belongs to.")
def _(y, num_classes):
    return 1 - F.one_hot(y, num_classes)


@one_hot.mistake(
    "You wrote the label itself instead of a 1. The position says which class it is; the entry is always 1."
)
def _(y, num_classes):
    return F.one_hot(y, num_classes) * y[:, None]


@one_hot.mistake(
    "All the columns up to the label are 1. Exactly one column of each row should be.",
    hint="Compare with `==`, not with an inequality.",
)
def _(y, num_classes):
    return (torch.arange(num_classes) <= y[:, None]).long()


@one_hot.mistake(
    "The last class has no column: `torch.arange(num_classes)` stops before num_classes by itself, at num_classes − 1."
)
def _(y, num_classes):
    return (y[:, None] == torch.arange(num_classes - 1)).long()


@one_hot.mistake("You made as many columns as there are samples. There is one for each class: `num_classes`.")
def _(y, num_classes):
    return torch.eye(len(y), dtype=torch.int64)[y]


@one_hot.mistake("The other entries are −1. In a one-hot label they are 0.")
def _(y, num_classes):
    return 2 * F.one_hot(y, num_classes) - 1


@one_hot.mistake(
    "`result[y] = 1` fills whole rows, those whose numbers are in y. One entry of each row should be 1.",
    hint="`result[torch.arange(len(y)), y] = 1`.",
)
def _(y, num_classes):
    result = torch.zeros(len(y), num_classes, dtype=torch.int64)
    result[y] = 1
    return result


@one_hot.mistake(
    "You set the entries [label, sample]. The row comes first: row i has its 1 in column y[i].",
    hint="`result[torch.arange(len(y)), y] = 1`.",
)
def _(y, num_classes):
    result = torch.zeros(len(y), num_classes, dtype=torch.int64)
    result[y, torch.arange(len(y))] = 1
    return result


# ---------------------------------------------------------------- softmax


@exercise(
    points=3,
    without=[F.softmax, nn.Softmax, F.log_softmax, nn.LogSoftmax, F.gumbel_softmax],
    hints=[
        "There are two steps: take the exponential of every score, then divide each one by the sum of those it competes with.",
        "`dim` says which ones compete: `sum(dim=dim)` adds along that dimension.",
        "The sum has lost a dimension and no longer lines up with what it divides. `keepdim=True` keeps that dimension, with size 1.",
        "Compute `e = torch.exp(z)`, and divide e by `e.sum(dim=dim, keepdim=True)`.",
    ],
    built="You have built softmax. PyTorch has it as `nn.Softmax(dim=…)`, `F.softmax(z, dim=…)` and `torch.softmax(z, dim=…)`.",
)
def softmax(z, dim):
    return torch.softmax(z, dim=dim)


softmax.case("the lesson's example", example=True)(lambda rng: (scores(rng), 1))
softmax.case("random scores", gradient="z")(lambda rng: (matrix(rng), 1))


@softmax.case("as many classes as samples, both dimensions", gradient="z")
def _(rng):
    z = rng.logits(4, 4)
    return [(z, 1), (z, 0)]


@softmax.case("a 3-D tensor, each of its dimensions", gradient="z")
def _(rng):
    z = rng.logits(2, 3, 4)
    return [(z, 0), (z, 1), (z, 2)]


@softmax.case("dimensions counted from the end")
def _(rng):
    z = matrix(rng)
    return [(z, -1), (z, -2)]


softmax.case("a single vector")(lambda rng: (rng.logits(rng.size()), 0))
softmax.case("scores from -10 to 10")(
    lambda rng: [call(rng.logits(5, 4, limit=10.0), dim=1), call(rng.logits(4, 6, limit=10.0), dim=0)]
)
softmax.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (matrix(rng), 1))


@softmax.mistake(
    "The sum has lost a dimension: (N,) does not line up with the rows of (N, C). That gives an error, or, when N = C, a division by the wrong sums.",
    hint="`sum(dim=dim, keepdim=True)` has shape (N, 1).",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=dim)


@softmax.mistake(
    "You added along dimension 1, whatever `dim` says. `dim` is the dimension along which the results sum to 1."
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=1, keepdim=True)


@softmax.mistake(
    "You added along the last dimension, whatever `dim` says. `dim` is the dimension along which the results sum to 1."
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=-1, keepdim=True)


@softmax.mistake(
    "You added along the other dimension. `sum(dim=1)` adds along a row, so it is `dim=1` that makes rows sum to 1."
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=1 - dim, keepdim=True)


@softmax.mistake(
    "You divided by the sum of all entries. Each row (or each slice along `dim`) has its own sum.",
    hint="All your probabilities together sum to 1; those of each sample should.",
)
def _(z, dim):
    return z.exp() / z.exp().sum()


@softmax.mistake(
    "The exponential is missing. Scores divided by their sum can be negative, and their sum can be 0."
)
def _(z, dim):
    return z / z.sum(dim=dim, keepdim=True)


@softmax.mistake(
    "The exponential is missing in the denominator, which is the sum of the exponentials, not of the scores."
)
def _(z, dim):
    return z.exp() / z.sum(dim=dim, keepdim=True)


@softmax.mistake(
    "You took the sigmoid of each score separately. In softmax the scores compete, so that their probabilities sum to 1."
)
def _(z, dim):
    return torch.sigmoid(z)


@softmax.mistake(
    "You divided by the largest exponential, so your largest result is 1.", hint="Divide by the sum."
)
def _(z, dim):
    return z.exp() / z.exp().amax(dim=dim, keepdim=True)


@softmax.mistake(
    "The division is missing. These are the exponentials, which are positive but do not sum to 1."
)
def _(z, dim):
    return z.exp()


@softmax.mistake(
    "You took softmax twice. The second one treats probabilities as scores; they differ by at most 1, so no result is more than e = 2.718 times another."
)
def _(z, dim):
    return torch.softmax(torch.softmax(z, dim=dim), dim=dim)


@softmax.mistake(
    "You divided by the mean of the exponentials, not by their sum, so your probabilities sum to C."
)
def _(z, dim):
    return z.exp() / z.exp().mean(dim=dim, keepdim=True)


@softmax.mistake(
    "You made the scores positive by taking their absolute value, so −5 counts as much as 5. The exponential keeps the order."
)
def _(z, dim):
    return z.abs() / z.abs().sum(dim=dim, keepdim=True)


@softmax.mistake(
    "The 1 in your denominator belongs to the sigmoid, where it is the exponential of a second score of 0. Here all scores are given.",
    hint="Divide by their sum alone.",
)
def _(z, dim):
    return z.exp() / (1 + z.exp().sum(dim=dim, keepdim=True))


@softmax.mistake(
    "You put the lost dimension back as dimension 1, whatever `dim` says. It belongs where it was.",
    hint="`unsqueeze(dim)`, or `keepdim=True` in the sum.",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=dim).unsqueeze(1)


@softmax.mistake(
    "You put the lost dimension back as the last one, whatever `dim` says. It belongs where it was.",
    hint="`unsqueeze(dim)`, or `keepdim=True` in the sum.",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=dim).unsqueeze(-1)


@softmax.mistake(
    "You raised 2 to the power of the scores. Softmax uses e: with base 2 the probabilities are nearer to each other.",
    hint="`torch.exp(z)`.",
)
def _(z, dim):
    return 2**z / (2**z).sum(dim=dim, keepdim=True)


@softmax.mistake("Your denominator is the exponential of the sum. It should be the sum of the exponentials.")
def _(z, dim):
    return z.exp() / z.sum(dim=dim, keepdim=True).exp()


@softmax.mistake(
    "You divided the sigmoids of the scores by their sum. Softmax divides their exponentials by their sum."
)
def _(z, dim):
    return torch.sigmoid(z) / torch.sigmoid(z).sum(dim=dim, keepdim=True)


@softmax.mistake(
    "You divided the scores by their sum before taking the exponential.",
    hint="Take the exponentials first, and divide those by their sum.",
)
def _(z, dim):
    return torch.exp(z / z.sum(dim=dim, keepdim=True))


@softmax.mistake(
    "You gave everything to the largest score, as argmax does. In softmax every score has its share."
)
def _(z, dim):
    return (z == z.amax(dim=dim, keepdim=True)).to(z.dtype)


@softmax.mistake(
    "You took the absolute value of `dim`. A negative `dim` counts from the end (−1 is the last dimension).",
    hint="Pass it on unchanged.",
)
def _(z, dim):
    return z.exp() / z.exp().sum(dim=abs(dim), keepdim=True)


@softmax.mistake(
    "You keep the denominator at 1 or above. The sum of the exponentials may be any positive number: where all scores are far below 0, so is it below 1.",
    hint="An exponential is never 0 here, so the denominator needs no guard.",
)
def _(z, dim):
    e = torch.exp(z)
    return e / e.sum(dim=dim, keepdim=True).clamp(min=1)


# ---------------------------------------------------------------- predict_class


@exercise(
    points=2,
    hints=[
        "Which column of a row holds the largest score? Its number is the class.",
        "`torch.argmax` gives the position of the largest entry. Say along which dimension: one answer for each row.",
        "Softmax keeps the order of the scores, so the largest score is the largest probability: no exponential is needed.",
    ],
    built="The predicted class: `torch.argmax(z, dim=1)`, the same for logits and for probabilities.",
)
def predict_class(z):
    return z.argmax(dim=1)


def huge(rng):
    """Rows whose largest score stands behind others whose exponential overflows, too."""
    z = torch.tensor(
        [[800.0, 1000.0, 0.0, 900.0], [-1000.0, -900.0, -800.0, -990.0], [750.0, 790.0, -5.0, 1000.0]],
        dtype=rng.dtype,
    )
    return z + rng.logits(3, 4)


predict_class.case("the lesson's example", example=True)(lambda rng: (scores(rng),))
predict_class.case("random scores")(lambda rng: (rng.logits(rng.size(), 4),))
predict_class.case("more classes than samples")(lambda rng: (rng.logits(3, rng.size()),))
predict_class.case("all scores negative")(lambda rng: (-rng.uniform(6, 3, low=0.1, high=9.0),))
predict_class.case("a single sample", edge=True)(lambda rng: (rng.logits(1, 6),))
predict_class.case("one class only", edge=True)(lambda rng: (rng.logits(rng.size(), 1),))
predict_class.case("scores up to 1000", extreme=True)(lambda rng: (huge(rng),))
predict_class.case("float32", dtype=torch.float32)(lambda rng: (rng.logits(rng.size(), 3),))


@predict_class.mistake(
    "You looked for the largest entry of each column: `dim=0` compares samples. The classes of one sample are in a row."
)
def _(z):
    return z.argmax(dim=0)


@predict_class.mistake(
    "Without `dim`, argmax searches the whole matrix and gives one position.",
    hint="Return one class for each sample.",
)
def _(z):
    return z.argmax()


@predict_class.mistake(
    "You return the largest score itself. Its position, the number of the column, is the class."
)
def _(z):
    return z.max(dim=1).values


@predict_class.mistake(
    "You return the largest probability. Its position, the number of the column, is the class."
)
def _(z):
    return torch.softmax(z, dim=1).amax(dim=1)


@predict_class.mistake(
    "You return the class with the smallest score. The prediction is the one with the largest."
)
def _(z):
    return z.argmin(dim=1)


@predict_class.mistake("You counted the classes from 1. The first column is class 0.")
def _(z):
    return z.argmax(dim=1) + 1


@predict_class.mistake(
    "You compared each probability with one half, as with two classes. With more classes the largest may be less than half."
)
def _(z):
    return (torch.softmax(z, dim=1) > 0.5).long()


@predict_class.mistake(
    "You return one-hot rows.", hint="Return one number for each sample, the column of that 1."
)
def _(z):
    return F.one_hot(z.argmax(dim=1), z.shape[1])


@predict_class.mistake(
    "You took the softmax along dimension 0, down the batch, so a sample's prediction depends on the other samples."
)
def _(z):
    return torch.softmax(z, dim=0).argmax(dim=1)


@predict_class.mistake(
    "You took the exponentials first. At a score of 1000 they are inf, and inf / inf is nan, so the largest can no longer be told.",
    hint="The scores have the same order as their probabilities.",
)
def _(z):
    return (z.exp() / z.exp().sum(dim=1, keepdim=True)).argmax(dim=1)


@predict_class.mistake(
    "For a batch of one sample the shape is wrong: `squeeze()` removes every dimension of size 1. The shape is (N,), also when N is 1."
)
def _(z):
    return z.argmax(dim=1).squeeze()


@predict_class.mistake(
    "You compared each score with 0, as with two classes. Here the scores of a row compete: the class is the position of the largest."
)
def _(z):
    return (z > 0).long()


@predict_class.mistake(
    "You rounded the largest score. Its position, the number of the column, is the class, whatever the score is."
)
def _(z):
    return z.max(dim=1).values.round().long()


@predict_class.mistake(
    "You rounded the probabilities, or compared them with one half, before you looked for the largest: where no class has more than half, all become 0, and class 0 wins.",
    hint="`argmax` needs no rounding, and no softmax.",
)
def _(z):
    return (torch.softmax(z, dim=1) > 0.5).long().argmax(dim=1)


@predict_class.mistake(
    "You looked for the score that is farthest from 0. A score of −5 speaks against its class: the largest one wins, not the largest absolute value."
)
def _(z):
    return z.abs().argmax(dim=1)


# ---------------------------------------------------------------- softmax_temperature


@exercise(
    points=2,
    hints=[
        "The temperature stretches or shrinks the scores, before any exponential is taken.",
        "T = 2 halves all the differences between scores: divide the scores by T.",
        "Apply `torch.softmax(…, dim=-1)` to the scores divided by the temperature: −1 is the last dimension, however many there are.",
    ],
    built="Softmax with a temperature. PyTorch has no name for it: one writes `F.softmax(z / T, dim=-1)`. "
    "Language models use it to choose words, and lesson 12 to make a model honest about how sure it is.",
)
def softmax_temperature(z, temperature):
    return torch.softmax(z / temperature, dim=-1)


softmax_temperature.case("the lesson's example", example=True)(lambda rng: (scores(rng), 2.0))
softmax_temperature.case("hot and cold", gradient="z")(
    lambda rng: [(rng.logits(6, 3, limit=5.0), 3.0), (rng.logits(5, 4, limit=5.0), 0.6)]
)
softmax_temperature.case("temperature 1")(lambda rng: (matrix(rng), 1.0))
softmax_temperature.case("a single vector")(lambda rng: (rng.logits(rng.size(), limit=5.0), 1.7))
softmax_temperature.case("a 3-D tensor")(lambda rng: (rng.logits(2, 4, 3, limit=5.0), 2.5))
softmax_temperature.case("the temperature is a tensor", gradient=("z", "temperature"))(
    lambda rng: (rng.logits(5, 3, limit=5.0), rng.uniform(low=1.3, high=3.0))
)
softmax_temperature.case("float32", dtype=torch.float32, gradient="z")(
    lambda rng: (rng.logits(6, 3, limit=5.0), 1.5)
)


@softmax_temperature.mistake(
    "Your scores are multiplied by the temperature (the power T of exp(z) does that, too). A high temperature should make the probabilities more alike; yours makes them differ more.",
    hint="At T = 1000, should the probabilities be nearly equal or nearly 0 and 1?",
)
def _(z, temperature):
    return torch.softmax(z * temperature, dim=-1)


@softmax_temperature.mistake(
    "The temperature has no effect on your result. A factor outside the exponential cancels in the division, as does a number added to all scores.",
    hint="Divide the scores by T.",
)
def _(z, temperature):
    return torch.softmax(z, dim=-1)


@softmax_temperature.mistake(
    "You divided the probabilities by T: they no longer sum to 1.",
    hint="Divide the scores, before the softmax.",
)
def _(z, temperature):
    return torch.softmax(z, dim=-1) / temperature


@softmax_temperature.mistake(
    "You raised the probabilities to the power 1/T, which is the right idea, but they no longer sum to 1.",
    hint="Divide by their sum again.",
)
def _(z, temperature):
    return torch.softmax(z, dim=-1) ** (1 / temperature)


@softmax_temperature.mistake(
    "The temperature is in your numerator only. The denominator is the sum of exp(z / T), too."
)
def _(z, temperature):
    return (z / temperature).exp() / z.exp().sum(dim=-1, keepdim=True)


@softmax_temperature.mistake(
    "Your softmax runs along the first dimension, down the batch. The classes are the last one."
)
def _(z, temperature):
    return torch.softmax(z / temperature, dim=0)


@softmax_temperature.mistake(
    "Your softmax runs along dimension 1. Use the last dimension: a vector has only one, and a tensor with three dimensions has its classes in the third.",
    hint="`dim=-1`.",
)
def _(z, temperature):
    return torch.softmax(z / temperature, dim=1)


@softmax_temperature.mistake(
    "You took the sigmoid of each score. The classes compete.",
    hint="Take the softmax of the scores divided by T.",
)
def _(z, temperature):
    return torch.sigmoid(z / temperature)


@softmax_temperature.mistake(
    "You divide by 2 whatever the temperature is. That is the lesson's example.", hint="Use the argument."
)
def _(z, temperature):
    return torch.softmax(z / 2, dim=-1)


@softmax_temperature.mistake(
    "The sum has lost a dimension: (N,) does not line up with the rows of (N, C).",
    hint="`keepdim=True` keeps the dimension, with size 1.",
)
def _(z, temperature):
    e = (z / temperature).exp()
    return e / e.sum(dim=-1)


@softmax_temperature.mistake(
    "You divided by the sum of all entries. Each sample has its own sum, along the last dimension."
)
def _(z, temperature):
    e = (z / temperature).exp()
    return e / e.sum()


@softmax_temperature.mistake(
    "You took a softmax, divided its probabilities by T and took another one.",
    hint="Divide the scores by T, and take one softmax.",
)
def _(z, temperature):
    return torch.softmax(torch.softmax(z, dim=-1) / temperature, dim=-1)


@softmax_temperature.mistake("The temperature is in your denominator only. The numerator is exp(z / T), too.")
def _(z, temperature):
    return z.exp() / (z / temperature).exp().sum(dim=-1, keepdim=True)


@softmax_temperature.mistake(
    "z / T is rounded down to whole numbers, as `//` does it.", hint="Divide with `/`."
)
def _(z, temperature):
    return torch.softmax(z // temperature, dim=-1)


# ---------------------------------------------------------------- sigmoid_as_softmax


@exercise(
    points=2,
    without=[torch.sigmoid, nn.Sigmoid, F.logsigmoid, nn.LogSigmoid],
    hints=[
        "Give class 0 the score 0 and class 1 the score z: two scores for each sample.",
        "`torch.stack([…, …], dim=1)` puts two vectors of shape (N,) side by side, into (N, 2). `torch.zeros_like(z)` gives the first.",
        "Softmax along dimension 1, then the column of class 1: `[:, 1]`.",
    ],
    built="The sigmoid, as the softmax of two scores of which one is 0. So a binary model with one output and one with two are the same kind of model.",
)
def sigmoid_as_softmax(z):
    return torch.softmax(torch.stack([torch.zeros_like(z), z], dim=1), dim=1)[:, 1]


sigmoid_as_softmax.case("the binary lessons' example", example=True)(
    lambda rng: (torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=rng.dtype),)
)
sigmoid_as_softmax.case("random scores", gradient="z")(lambda rng: (rng.logits(rng.size()),))
sigmoid_as_softmax.case("a single sample")(lambda rng: [(rng.logits(1),), (rng.logits(1),)])
sigmoid_as_softmax.case("two samples")(lambda rng: (rng.logits(2),))
sigmoid_as_softmax.case("scores from -10 to 10", gradient="z")(lambda rng: (rng.logits(12, limit=10.0),))
sigmoid_as_softmax.case("float32", dtype=torch.float32, gradient="z")(lambda rng: (rng.logits(rng.size()),))


def pair(a, b):
    return torch.softmax(torch.stack([a, b], dim=1), dim=1)


@sigmoid_as_softmax.mistake(
    "You return the probability of the class whose score is 0. Class 1 is the one with the score z."
)
def _(z):
    return pair(torch.zeros_like(z), z)[:, 0]


@sigmoid_as_softmax.mistake(
    "Your softmax runs down the batch (`dim=0`), so the samples compete with each other. In each sample it is the two scores 0 and z that compete, along `dim=1`."
)
def _(z):
    return torch.softmax(z, dim=0)


@sigmoid_as_softmax.mistake("The scores −z and z are 2z apart. The other class has the score 0.")
def _(z):
    return pair(-z, z)[:, 1]


@sigmoid_as_softmax.mistake(
    "You gave the other class the score 1. Its score is 0, whose exponential is the 1 in the denominator of the sigmoid."
)
def _(z):
    return pair(torch.ones_like(z), z)[:, 1]


@sigmoid_as_softmax.mistake(
    "You gave the other class the score 1 − z, as one would with probabilities. Its score is 0."
)
def _(z):
    return pair(1 - z, z)[:, 1]


@sigmoid_as_softmax.mistake(
    "You return both columns.", hint="Return the probability of class 1 alone, one number for each sample."
)
def _(z):
    return pair(torch.zeros_like(z), z)


@sigmoid_as_softmax.mistake(
    "A softmax over a single score is always 1, because nothing competes with it. Each sample needs a second score.",
    hint="`torch.stack([torch.zeros_like(z), z], dim=1)` has two columns.",
)
def _(z):
    return torch.softmax(z[:, None], dim=1)[:, 0]


@sigmoid_as_softmax.mistake(
    "You put the zeros and the scores end to end, so that 2N scores compete. In each sample there should be two.",
    hint="`torch.stack(…, dim=1)` puts them side by side.",
)
def _(z):
    return torch.softmax(torch.cat([torch.zeros_like(z), z]), dim=0)[len(z) :]


@sigmoid_as_softmax.mistake(
    "You took `[1]`, which is the second row: a sample. Class 1 of all samples is the second column."
)
def _(z):
    return pair(torch.zeros_like(z), z)[1]


@sigmoid_as_softmax.mistake(
    "You took the larger of the two probabilities.",
    hint="Return that of class 1, also where it is the smaller one.",
)
def _(z):
    return pair(torch.zeros_like(z), z).amax(dim=1)


@sigmoid_as_softmax.mistake(
    "You gave the other class the score 0.5, which is a threshold of probabilities. The score that belongs to a probability of one half is 0."
)
def _(z):
    return pair(torch.full_like(z, 0.5), z)[:, 1]


@sigmoid_as_softmax.mistake(
    "You put a single 0 before all the scores, so that N + 1 of them compete. Each sample has its own pair: 0 and its z."
)
def _(z):
    return torch.softmax(torch.cat([torch.zeros(1, dtype=z.dtype), z]), dim=0)[1:]
