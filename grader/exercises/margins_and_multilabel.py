"""Exercises of 11_margins_and_multilabel: losses that ask for a margin; several labels at once.

Formulas: https://docs.pytorch.org/docs/stable/nn.html#loss-functions (SoftMarginLoss, MultiMarginLoss,
MultiLabelSoftMarginLoss, MultiLabelMarginLoss)
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

Z = [-0.1, 2.0, 3.0, 0.5]
SIGNS = [-1.0, 1.0, 1.0, -1.0]
LOGITS = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]


def example(rng):
    return torch.tensor(Z, dtype=rng.dtype), torch.tensor(SIGNS, dtype=rng.dtype)


def ordinary(rng):
    n = rng.size()
    return rng.logits(n), rng.signs(n)


def far(rng):
    """One sample a question, so that an inf of one does not hide what the others get."""
    return [
        (torch.tensor([z], dtype=rng.dtype), torch.tensor([y], dtype=rng.dtype))
        for z in (1000.0, -1000.0)
        for y in (1.0, -1.0)
    ]


# ---------------------------------------------------------------- soft_margin


@exercise(
    points=3,
    without=[F.soft_margin_loss, nn.SoftMarginLoss],
    hints=[
        "The margin of a sample is y·z. The loss of a sample depends on nothing else.",
        "log(1 + exp(−y·z)) is the softplus of −y·z, and you have built a softplus that does not overflow.",
        "`torch.logaddexp(0, −y·z)`, with a tensor of zeros; then the mean.",
    ],
    built="`nn.SoftMarginLoss` and `F.soft_margin_loss`, but yours stays finite where theirs overflows. It is `BCEWithLogitsLoss` with labels −1 and +1.",
)
def soft_margin(z, y):
    return -F.logsigmoid(y * z).mean()


soft_margin.case("the lesson's example", example=True)(example)
soft_margin.case("random logits", gradient="z")(ordinary)
soft_margin.case("a matrix of logits")(lambda rng: (rng.logits(3, 4), rng.signs(3, 4)))
soft_margin.case("logits of 1000", gradient="z", extreme=True)(far)
soft_margin.case("float32", dtype=torch.float32, gradient="z")(ordinary)
soft_margin.case("logits of 1000, float32", dtype=torch.float32, gradient="z", extreme=True)(far)


@soft_margin.mistake(
    "exp overflows: at a margin of −1000 your loss is infinite and its gradient nan, as in PyTorch's own. The right loss there is 1000.",
    hint="`torch.logaddexp`, or the softplus of `03_bce_with_logits`.",
)
def _(z, y):
    return torch.log(1 + torch.exp(-y * z)).mean()


@soft_margin.mistake(
    "You limited the exponent so that it cannot overflow: from there on the loss stops growing and its gradient is 0. At a margin of −1000 the right loss is 1000."
)
def _(z, y):
    return torch.log(1 + torch.exp((-y * z).clamp(max=80))).mean()


@soft_margin.mistake(
    "You treated the labels as 0 and 1. Here they are −1 and +1.", hint="The loss depends on y·z alone."
)
def _(z, y):
    return F.binary_cross_entropy_with_logits(z, y)


@soft_margin.mistake(
    "You turned the labels into 0 and 1 before multiplying: every negative sample then has margin 0 and costs ln 2, whatever its logit."
)
def _(z, y):
    return F.softplus(-(y + 1) / 2 * z).mean()


@soft_margin.mistake(
    "The sign of the margin is flipped: a large y·z means that the decision is right, and should cost little."
)
def _(z, y):
    return F.softplus(y * z).mean()


@soft_margin.mistake("You added the losses up. The mean divides their sum by N.")
def _(z, y):
    return F.softplus(-y * z).sum()


@soft_margin.mistake("The labels have no effect: every sample is treated as a positive one.")
def _(z, y):
    return F.softplus(-z).mean()


@soft_margin.mistake(
    "This is the hinge, max(0, 1 − y·z), which comes next. The soft margin is log(1 + exp(−y·z))."
)
def _(z, y):
    return (1 - y * z).clamp(min=0).mean()


@soft_margin.mistake(
    "The logarithm is taken of the mean. Each sample has its own logarithm; the mean comes last."
)
def _(z, y):
    return (1 + torch.exp(-y * z)).mean().log()


@soft_margin.mistake("You return a loss for each sample.", hint="Return their mean.")
def _(z, y):
    return F.softplus(-y * z)


@soft_margin.mistake(
    "You clamped the sigmoid away from 0: from there on the loss stops growing and its gradient is 0. At a margin of −1000 the right loss is 1000."
)
def _(z, y):
    return -torch.sigmoid(y * z).clamp(min=1e-12).log().mean()


@soft_margin.mistake(
    "This is exp(−y·z), the exponential loss. The soft margin takes the logarithm of 1 plus it."
)
def _(z, y):
    return torch.exp(-y * z).mean()


@soft_margin.mistake("The 1 is missing inside the logarithm: log(exp(−y·z)) is −y·z again.")
def _(z, y):
    return (-y * z).mean()


@soft_margin.mistake(
    "This is 1 − σ(y·z), without a logarithm: it never passes 1, and its slope fades where the model is most wrong."
)
def _(z, y):
    return torch.sigmoid(-y * z).mean()


@soft_margin.mistake(
    "You subtracted z from y. The margin is the product y·z: positive on the right side, negative on the wrong one."
)
def _(z, y):
    return F.softplus(y - z).mean()


@soft_margin.mistake(
    "This mixes in the hinge's 1: log(1 + exp(1 − y·z)). The soft margin has only −y·z in the exponent."
)
def _(z, y):
    return F.softplus(1 - y * z).mean()


@soft_margin.mistake(
    "You divided by the number of rows, `len(z)`. The mean divides by the number of all entries, whatever the shape.",
    hint="`.mean()` counts them itself.",
)
def _(z, y):
    return F.softplus(-y * z).sum() / len(z)


# ---------------------------------------------------------------- hinge


@exercise(
    points=2,
    without=[
        F.hinge_embedding_loss,
        nn.HingeEmbeddingLoss,
        F.margin_ranking_loss,
        nn.MarginRankingLoss,
        F.multi_margin_loss,
        nn.MultiMarginLoss,
    ],
    hints=[
        "How much is missing until the margin y·z is 1? If nothing is missing, the sample costs nothing.",
        "max(0, 1 − y·z) for each sample: `clamp(min=0)`, or relu. Then the mean.",
    ],
    built="The hinge loss of support vector machines. `torch.nn` has no loss of that name; `nn.MarginRankingLoss(margin=1)`, which compares the scores with 0, computes it.",
)
def hinge(z, y):
    return torch.relu(1 - y * z).mean()


hinge.case("the lesson's example", example=True)(example)
hinge.case("random logits", gradient="z")(ordinary)
hinge.case("close to the boundary", gradient="z")(lambda rng: (rng.logits(9, limit=0.9), rng.signs(9)))
hinge.case("all far on the right side", edge=True, gradient="z")(
    lambda rng: (lambda y: (y * rng.uniform(6, low=2, high=5), y))(rng.signs(6))
)
hinge.case("a matrix of logits")(lambda rng: (rng.logits(3, 4), rng.signs(3, 4)))
hinge.case("float32", dtype=torch.float32, gradient="z")(ordinary)


@hinge.mistake(
    "You converted the labels with 2y − 1, as if they were 0 and 1. They are −1 and +1 already, and −1 becomes −3."
)
def _(z, y):
    return torch.clamp(1 - (2 * y - 1) * z, min=0).mean()


@hinge.mistake(
    "A margin beyond 1 makes your loss negative. Such a sample costs nothing, but it earns nothing either.",
    hint="max(0, …).",
)
def _(z, y):
    return (1 - y * z).mean()


@hinge.mistake(
    "A sample should cost nothing only from a margin of 1 on. Your loss is satisfied with 0.",
    hint="1 − y·z, not −y·z.",
)
def _(z, y):
    return torch.relu(-y * z).mean()


@hinge.mistake("The sign of the margin is flipped: 1 − y·z, not 1 + y·z.")
def _(z, y):
    return torch.relu(1 + y * z).mean()


@hinge.mistake("You added the losses up. The mean divides their sum by N.")
def _(z, y):
    return torch.relu(1 - y * z).sum()


@hinge.mistake(
    "You took the mean before the maximum, so samples far on the right side pay for the others.",
    hint="Take the maximum for each sample, then the mean.",
)
def _(z, y):
    return torch.relu((1 - y * z).mean())


@hinge.mistake("This is the squared hinge. The hinge takes the shortfall as it is.")
def _(z, y):
    return (torch.relu(1 - y * z) ** 2).mean()


@hinge.mistake(
    "You turned the labels into 0 and 1: every negative sample then costs 1, whatever its logit. They are −1 and +1."
)
def _(z, y):
    return torch.relu(1 - (y + 1) / 2 * z).mean()


@hinge.mistake("You divided by the number of samples that cost something. The mean is over all N.")
def _(z, y):
    losses = torch.relu(1 - y * z)
    return losses.sum() / (losses > 0).sum().clamp(min=1)


@hinge.mistake(
    "This is the soft margin, log(1 + exp(−y·z)), from the exercise before. The hinge is max(0, 1 − y·z)."
)
def _(z, y):
    return F.softplus(-y * z).mean()


@hinge.mistake("The labels have no effect: every sample is treated as a positive one.")
def _(z, y):
    return torch.relu(1 - z).mean()


@hinge.mistake(
    "You kept only the sign of the score. The hinge depends on its size too: the margin is y·z itself."
)
def _(z, y):
    return torch.relu(1 - y * torch.sign(z)).mean()


@hinge.mistake("You limited the loss to 1. On the wrong side it goes on growing: a margin of −0.5 costs 1.5.")
def _(z, y):
    return (1 - y * z).clamp(0, 1).mean()


@hinge.mistake(
    "You took an absolute value, so a margin beyond 1 costs again, as if it were too large. Such a sample should cost nothing."
)
def _(z, y):
    return (1 - y * z).abs().mean()


@hinge.mistake("You return a loss for each sample.", hint="Return their mean.")
def _(z, y):
    return torch.relu(1 - y * z)


@hinge.mistake(
    "You counted the samples that come short of the margin. The hinge adds up by how much: 1 − y·z."
)
def _(z, y):
    return (y * z < 1).to(z.dtype).mean()


@hinge.mistake(
    "You counted the samples on the wrong side. The hinge adds up by how much each comes short of the margin: 1 − y·z."
)
def _(z, y):
    return (y * z < 0).to(z.dtype).mean()


@hinge.mistake(
    "You applied max(0, …) to y·z alone and left the 1 outside.", hint="Apply it to the whole of 1 − y·z."
)
def _(z, y):
    return (1 - torch.relu(y * z)).mean()


@hinge.mistake(
    "You kept what is below 0 and dropped what is above: that is min(0, …). The hinge is max(0, 1 − y·z): `clamp(min=0)`."
)
def _(z, y):
    return (1 - y * z).clamp(max=0).mean()


@hinge.mistake(
    "`clamp(min=1)` lets no sample cost less than 1. The least that a sample costs is 0: `clamp(min=0)`."
)
def _(z, y):
    return (1 - y * z).clamp(min=1).mean()


@hinge.mistake("You subtracted z from y. The margin is the product y·z, and what is missing is 1 − y·z.")
def _(z, y):
    return torch.relu(y - z).mean()


@hinge.mistake(
    "You used y and 1 − y as if the labels were 0 and 1: with −1 those are −1 and 2. The labels −1 and +1 go into y·z."
)
def _(z, y):
    return (y * torch.relu(1 - z) + (1 - y) * torch.relu(1 + z)).mean()


@hinge.mistake("Your margin is 2. The hinge's is 1: max(0, 1 − y·z).")
def _(z, y):
    return torch.relu(2 - y * z).mean()


@hinge.mistake(
    "You divided by the number of rows, `len(z)`. The mean divides by the number of all entries, whatever the shape.",
    hint="`.mean()` counts them itself.",
)
def _(z, y):
    return torch.relu(1 - y * z).sum() / len(z)


# ---------------------------------------------------------------- multi_margin


def lesson_multiclass(rng):
    return torch.tensor(LOGITS, dtype=rng.dtype), torch.tensor([0, 2, 3, 1])


def multiclass(rng):
    n, c = rng.size(), rng.size(3, 7)
    return rng.logits(n, c, limit=2.0), rng.classes(n, num_classes=c)


@exercise(
    points=4,
    without=[F.multi_margin_loss, nn.MultiMarginLoss],
    hints=[
        "The true class should win against each of the others by the margin. What each lacks is max(0, margin − z_true + z_other).",
        "`z.gather(1, y[:, None])` is the true class's logit, one a row. Make sure that it does not compete with itself.",
        "Raise what is missing to the power p, add up over the other classes, divide by C (not C − 1), and average over the samples.",
    ],
    built="`nn.MultiMarginLoss(p=…, margin=…)` and `F.multi_margin_loss`: the hinge for several classes.",
)
def multi_margin(z, y, p=1, margin=1.0):
    return F.multi_margin_loss(z, y, p=p, margin=margin)


multi_margin.case("the lesson's example", example=True)(lesson_multiclass)
multi_margin.case("random logits", gradient="z")(multiclass)
multi_margin.case("squared", gradient="z")(lambda rng: call(*multiclass(rng), p=2))
multi_margin.case("another margin", gradient="z")(
    lambda rng: [call(*multiclass(rng), margin=0.3), call(*multiclass(rng), margin=2.5)]
)
multi_margin.case("both options", gradient="z")(lambda rng: call(*multiclass(rng), 2, 1.7))
multi_margin.case("float32", dtype=torch.float32, gradient="z")(multiclass)


def shortfalls(z, y, p=1, margin=1.0, own=False):
    """(N, C): what the true class lacks against each other, to the power p; 0 for itself."""
    lack = torch.relu(margin - z.gather(1, y[:, None]) + z) ** p
    return lack if own else lack * (1 - F.one_hot(y, z.shape[1]))


@multi_margin.mistake(
    "The true class competes with itself: it lacks the margin against itself and adds margin^p.",
    hint="Leave its own column out.",
)
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, margin, own=True).mean()


@multi_margin.mistake("You divided by C − 1, the number of competitors. PyTorch divides by C.")
def _(z, y, p=1, margin=1.0):
    return (shortfalls(z, y, p, margin).sum(dim=1) / (z.shape[1] - 1)).mean()


@multi_margin.mistake(
    "You did not divide by C: the sum over the competitors is divided by the number of classes."
)
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, margin).sum(dim=1).mean()


@multi_margin.mistake("You added the samples up. The mean divides by N.")
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, margin).mean(dim=1).sum()


@multi_margin.mistake("`p` has no effect.", hint="Raise what is missing to the power p.")
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, 1, margin).mean()


@multi_margin.mistake("`margin` has no effect: your margin is always 1.")
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p).mean()


@multi_margin.mistake("You multiplied by p.", hint="Use it as an exponent.")
def _(z, y, p=1, margin=1.0):
    return p * shortfalls(z, y, 1, margin).mean()


@multi_margin.mistake(
    "The difference is reversed: the true class's logit should be the larger one, margin − z_true + z_other."
)
def _(z, y, p=1, margin=1.0):
    return (torch.relu(margin + z.gather(1, y[:, None]) - z) ** p * (1 - F.one_hot(y, z.shape[1]))).mean()


@multi_margin.mistake(
    "Only the strongest competitor counts here. Every other class that comes within the margin should."
)
def _(z, y, p=1, margin=1.0):
    return (shortfalls(z, y, p, margin).amax(dim=1) / z.shape[1]).mean()


@multi_margin.mistake(
    "You raised the sum to the power p. Each shortfall is raised on its own, then added up."
)
def _(z, y, p=1, margin=1.0):
    return (shortfalls(z, y, 1, margin).sum(dim=1) ** p / z.shape[1]).mean()


@multi_margin.mistake(
    "You squared before cutting off at 0: a competitor far behind is negative, and its square costs. First max(0, …), then the power."
)
def _(z, y, p=1, margin=1.0):
    return (torch.relu((margin - z.gather(1, y[:, None]) + z) ** p) * (1 - F.one_hot(y, z.shape[1]))).mean()


@multi_margin.mistake(
    "max(0, …) is missing: a competitor far behind makes your loss smaller, where it should not count at all."
)
def _(z, y, p=1, margin=1.0):
    return ((margin - z.gather(1, y[:, None]) + z) ** p * (1 - F.one_hot(y, z.shape[1]))).mean()


@multi_margin.mistake(
    "You took 1 away for the true class's own column. It adds margin^p there, which is 1 only for a margin of 1."
)
def _(z, y, p=1, margin=1.0):
    return ((shortfalls(z, y, p, margin, own=True).sum(dim=1) - 1) / z.shape[1]).mean()


@multi_margin.mistake(
    "You multiplied by the margin.", hint="Add it inside: max(0, margin − z_true + z_other)."
)
def _(z, y, p=1, margin=1.0):
    return margin * shortfalls(z, y, p).mean()


@multi_margin.mistake(
    "Only the strongest competitor counts here, and nothing is divided by C. Every other class that comes within the margin should count."
)
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, margin).amax(dim=1).mean()


@multi_margin.mistake(
    "`margin` and `p` are swapped in your signature: when they are passed by position, p comes first."
)
def _(z, y, margin=1.0, p=1):
    return shortfalls(z, y, p, margin).mean()


@multi_margin.mistake("You took `margin` away for the true class's own column. It adds margin^p there.")
def _(z, y, p=1, margin=1.0):
    return ((shortfalls(z, y, p, margin, own=True).sum(dim=1) - margin) / z.shape[1]).mean()


@multi_margin.mistake(
    "You set the true class's logit to 0, and it still competes, with a logit of 0.",
    hint="Set what it lacks to 0, after max(0, …).",
)
def _(z, y, p=1, margin=1.0):
    return (torch.relu(margin - z.gather(1, y[:, None]) + z.scatter(1, y[:, None], 0.0)) ** p).mean()


@multi_margin.mistake(
    "The margin was added after max(0, …): a competitor far behind still costs the margin. It belongs inside: max(0, margin − z_true + z_other)."
)
def _(z, y, p=1, margin=1.0):
    return ((margin + torch.relu(z - z.gather(1, y[:, None]))) ** p * (1 - F.one_hot(y, z.shape[1]))).mean()


@multi_margin.mistake(
    "You subtracted the margin, so a competitor counts only when it is ahead by more than that.",
    hint="Add it: margin − z_true + z_other.",
)
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, -margin).mean()


@multi_margin.mistake("The margin is missing: your loss is satisfied as soon as the true class is ahead.")
def _(z, y, p=1, margin=1.0):
    return shortfalls(z, y, p, 0.0).mean()


@multi_margin.mistake(
    "You compare each logit with the margin on its own, as C yes-or-no questions. Here the true class's logit is compared with the others': margin − z_true + z_other."
)
def _(z, y, p=1, margin=1.0):
    return (torch.relu(margin - (2 * F.one_hot(y, z.shape[1]) - 1) * z) ** p).mean()


@multi_margin.mistake(
    "You multiplied the difference by the margin.",
    hint="Add the margin to it: max(0, margin − z_true + z_other).",
)
def _(z, y, p=1, margin=1.0):
    return (
        torch.relu(1 - margin * (z.gather(1, y[:, None]) - z)) ** p * (1 - F.one_hot(y, z.shape[1]))
    ).mean()


@multi_margin.mistake(
    "You took the p-th root at the end, as a norm does. The sum of the powers stays as it is."
)
def _(z, y, p=1, margin=1.0):
    return (shortfalls(z, y, p, margin).sum(dim=1) ** (1 / p) / z.shape[1]).mean()


# ---------------------------------------------------------------- multilabel_soft_margin

MULTI_HOT = [
    [1.0, 0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0, 0.0, 0.0],
    [0.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 0.0, 0.0, 0.0, 0.0],
]


def multi_hot(rng):
    n, c = rng.size(), rng.size(3, 7)
    return rng.logits(n, c), rng.labels(n, c)


@exercise(
    points=3,
    without=[F.multilabel_soft_margin_loss, nn.MultiLabelSoftMarginLoss],
    hints=[
        "Each class is a yes-or-no question of its own. Which loss do you know for that?",
        "Binary cross-entropy from logits for each entry, averaged over the classes, then over the samples.",
        "The labels are 0 and 1 here, in spite of the name; `F.logsigmoid(z)` and `F.logsigmoid(-z)` are the two logarithms.",
    ],
    built="`nn.MultiLabelSoftMarginLoss` and `F.multilabel_soft_margin_loss`. As long as every class counts alike it is `BCEWithLogitsLoss` under another name.",
)
def multilabel_soft_margin(z, y):
    return F.multilabel_soft_margin_loss(z, y)


multilabel_soft_margin.case("the lesson's example", example=True)(
    lambda rng: (torch.tensor(LOGITS, dtype=rng.dtype), torch.tensor(MULTI_HOT, dtype=rng.dtype))
)
multilabel_soft_margin.case("random logits", gradient="z")(multi_hot)
multilabel_soft_margin.case("no label, every label", gradient="z")(
    lambda rng: [
        (rng.logits(3, 5), torch.zeros(3, 5, dtype=rng.dtype)),
        (rng.logits(3, 5), torch.ones(3, 5, dtype=rng.dtype)),
    ]
)
multilabel_soft_margin.case("logits of 1000", gradient="z", extreme=True)(
    lambda rng: [(z[:, None], (y[:, None] + 1) / 2) for z, y in far(rng)]
)
multilabel_soft_margin.case("float32", dtype=torch.float32, gradient="z")(multi_hot)


def entries(z, y):
    return F.binary_cross_entropy_with_logits(z, y, reduction="none")


@multilabel_soft_margin.mistake(
    "You put a softmax over the classes, as if exactly one of them could be right. Each class is a question of its own: a sigmoid each."
)
def _(z, y):
    return -(y * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


@multilabel_soft_margin.mistake("You added up over the classes. PyTorch averages over them.")
def _(z, y):
    return entries(z, y).sum(dim=1).mean()


@multilabel_soft_margin.mistake("You added the samples up. The mean divides by N.")
def _(z, y):
    return entries(z, y).mean(dim=1).sum()


@multilabel_soft_margin.mistake(
    "Only the labels that are present cost something. The other half, for labels that are absent, is missing."
)
def _(z, y):
    return -(y * F.logsigmoid(z)).mean()


@multilabel_soft_margin.mistake(
    "You read the labels as −1 and +1. In this loss, in spite of its name, they are 0 and 1: your absent labels all cost ln 2."
)
def _(z, y):
    return F.softplus(-y * z).mean()


@multilabel_soft_margin.mistake("The logarithm of a sigmoid that has reached 0 or 1 is not finite.")
def _(z, y):
    return -(y * torch.sigmoid(z).log() + (1 - y) * (1 - torch.sigmoid(z)).log()).mean()


@multilabel_soft_margin.mistake("You return a loss for each sample.", hint="Return their mean.")
def _(z, y):
    return entries(z, y).mean(dim=1)


@multilabel_soft_margin.mistake(
    "You divided by the number of labels present. PyTorch divides by the number of classes."
)
def _(z, y):
    return (entries(z, y).sum(dim=1) / y.sum(dim=1).clamp(min=1)).mean()


@multilabel_soft_margin.mistake(
    "Present and absent are swapped: y goes with log σ(z), and 1 − y with log σ(−z)."
)
def _(z, y):
    return entries(-z, y).mean()


@multilabel_soft_margin.mistake(
    "You shared one probability among the labels and put a softmax over the classes. Each class is a question of its own: a sigmoid each."
)
def _(z, y):
    return F.cross_entropy(z, y / y.sum(dim=1, keepdim=True))


@multilabel_soft_margin.mistake(
    "You averaged over the samples only and return a loss for each class.",
    hint="Average over the classes as well.",
)
def _(z, y):
    return entries(z, y).mean(dim=0)


@multilabel_soft_margin.mistake("The loss after a sigmoid is clamped at 100, and its gradient there is 0.")
def _(z, y):
    return F.binary_cross_entropy(torch.sigmoid(z), y)


@multilabel_soft_margin.mistake(
    "Only the labels that are absent cost something. The other half, for labels that are present, is missing."
)
def _(z, y):
    return -((1 - y) * F.logsigmoid(-z)).mean()


@multilabel_soft_margin.mistake(
    "1 − log σ(z) is not the logarithm of 1 − σ(z). That one is log σ(−z): `F.logsigmoid(-z)`."
)
def _(z, y):
    return -(y * F.logsigmoid(z) + (1 - y) * (1 - F.logsigmoid(z))).mean()


@multilabel_soft_margin.mistake(
    "You turned the labels into one class (`argmax`): a sample may have several labels, or none. Each class is a question of its own."
)
def _(z, y):
    return F.cross_entropy(z, y.argmax(dim=1))


@multilabel_soft_margin.mistake(
    "This is the hinge, max(0, 1 − y·z). The *soft* margin is the logarithm of a sigmoid."
)
def _(z, y):
    return torch.relu(1 - (2 * y - 1) * z).mean()


@multilabel_soft_margin.mistake(
    "The logarithms are missing: each question costs −log of the probability of the right answer."
)
def _(z, y):
    return -(y * torch.sigmoid(z) + (1 - y) * torch.sigmoid(-z)).mean()


@multilabel_soft_margin.mistake(
    "This is the squared error of the probabilities.",
    hint="Return the cross-entropy of each yes-or-no question, averaged.",
)
def _(z, y):
    return ((torch.sigmoid(z) - y) ** 2).mean()


# ---------------------------------------------------------------- multilabel_margin

INDICES = [[0, 3, -1, -1, -1], [2, -1, -1, -1, -1], [3, 1, 2, -1, -1], [-1, -1, -1, -1, -1]]


def padded(rng, n=None, c=None, junk=False):
    """Logits, and for each sample one or more labels in random order, then −1 (and, with junk, labels behind it)."""
    n, c = n or rng.size(), c or rng.size(4, 7)
    y = torch.full((n, c), -1)
    for row in range(n):
        k = rng.size(1, c - 2)
        order = rng.permutation(c)
        y[row, :k] = order[:k]
        if junk:
            y[row, k + 1 :] = order[k + 1 :]
    return rng.logits(n, c, limit=2.0), y


@exercise(
    points=4,
    without=[F.multilabel_margin_loss, nn.MultiLabelMarginLoss],
    hints=[
        "A row of y is a list of class indices that ends at the first −1. Whatever follows it does not count.",
        "Each class in the list competes with each class that is not: max(0, 1 − z_listed + z_other).",
        "Add all pairs of a sample up, divide by C, and average over the samples. A loop over the samples is a fine answer.",
    ],
    built="`nn.MultiLabelMarginLoss` and `F.multilabel_margin_loss`: the hinge between every label that is present and every one that is absent.",
)
def multilabel_margin(z, y):
    return F.multilabel_margin_loss(z, y)


multilabel_margin.case("the lesson's example", example=True)(
    lambda rng: (torch.tensor(LOGITS, dtype=rng.dtype), torch.tensor(INDICES))
)
multilabel_margin.case("random labels", gradient="z")(padded)
multilabel_margin.case("labels behind the first −1", gradient="z")(lambda rng: padded(rng, junk=True))
multilabel_margin.case("every class, and none")(
    lambda rng: [
        (
            rng.logits(3, 4),
            torch.stack([rng.permutation(4), torch.full((4,), -1), torch.tensor([1, 3, -1, -1])]),
        ),
        (rng.logits(2, 4), torch.tensor([[-1, 0, 1, 2], [2, -1, -1, -1]])),
    ]
)
multilabel_margin.case("float32", dtype=torch.float32, gradient="z")(padded)


def pairs(
    z,
    y,
    *,
    stop=True,
    among=False,
    sign=1,
    cut=True,
    per="classes",
    first=False,
    last=False,
    total="mean",
    margin=1,
    power=1,
):
    """The loss with one decision exchanged: for the mistakes."""
    losses = []
    for scores, row in zip(z, y):
        labels = []
        for label in row.tolist():
            if label < 0 and last:
                label = len(scores) - 1
            elif label < 0:
                if stop:
                    break
                continue
            labels.append(label)
        labels = labels[:1] if first else labels
        others = list(range(len(scores))) if among else [c for c in range(len(scores)) if c not in labels]
        lack = margin - sign * (scores[labels][:, None] - scores[others])
        lack = lack.clamp(min=0) ** power if cut else lack
        by = {
            "classes": len(scores),
            "labels": max(len(labels), 1),
            "others": max(len(others), 1),
            "pairs": max(lack.numel(), 1),
            "nothing": 1,
        }[per]
        losses.append(lack.sum() / by)
    return getattr(torch.stack(losses), total)()


@multilabel_margin.mistake(
    "You used −1 as an index, and Python took the last class. The list of labels ends at the first −1."
)
def _(z, y):
    return pairs(z, y, last=True)


@multilabel_margin.mistake(
    "The padding −1 is counted as class 0: you turned it into an index and did not mask its rows afterwards."
)
def _(z, y):
    losses = []
    for scores, row in zip(z, y):
        stop = (row < 0).long().cumsum(0) > 0
        listed = row[~stop]
        others = torch.ones_like(scores, dtype=torch.bool)
        others[listed] = False
        chosen = scores[torch.where(stop, 0, row)]
        losses.append((1 - chosen[:, None] + scores[others]).clamp(min=0).sum() / len(scores))
    return torch.stack(losses).mean()


@multilabel_margin.mistake(
    "You took labels from behind the first −1. In PyTorch the list ends there; whatever follows does not count."
)
def _(z, y):
    return pairs(z, y, stop=False)


@multilabel_margin.mistake(
    "Labels that are present compete with each other and with themselves here. Each should compete with the absent ones only."
)
def _(z, y):
    return pairs(z, y, among=True)


@multilabel_margin.mistake("You did not divide by C, the number of classes.")
def _(z, y):
    return pairs(z, y, per="nothing")


@multilabel_margin.mistake(
    "You divided by the number of labels present. PyTorch divides by C, the number of classes."
)
def _(z, y):
    return pairs(z, y, per="labels")


@multilabel_margin.mistake(
    "You divided by the number of pairs. PyTorch divides by C, the number of classes, however many pairs there are."
)
def _(z, y):
    return pairs(z, y, per="pairs")


@multilabel_margin.mistake(
    "The difference is reversed: a label that is present should score higher, 1 − z_listed + z_other."
)
def _(z, y):
    return pairs(z, y, sign=-1)


@multilabel_margin.mistake("max(0, …) is missing: a pair that is far enough apart should cost nothing.")
def _(z, y):
    return pairs(z, y, cut=False)


@multilabel_margin.mistake(
    "Only the first label of each list counts here. All labels up to the first −1 should."
)
def _(z, y):
    return pairs(z, y, first=True)


@multilabel_margin.mistake("You added the samples up. The mean divides by N.")
def _(z, y):
    return pairs(z, y, total="sum")


def from_multi_hot(z, present):
    lack = torch.relu(1 - z[:, :, None] + z[:, None, :])
    return (lack * present[:, :, None] * ~present[:, None, :]).sum(dim=(1, 2)).div(z.shape[1]).mean()


@multilabel_margin.mistake(
    "The padding marked the last class as present: as an index, −1 is the last one. The list of labels ends at the first −1."
)
def _(z, y):
    return from_multi_hot(z, torch.zeros(z.shape, dtype=torch.bool).scatter(1, y % z.shape[1], True))


@multilabel_margin.mistake(
    "The padding marked class 0 as present: you turned −1 into 0. The list of labels ends at the first −1."
)
def _(z, y):
    return from_multi_hot(z, torch.zeros(z.shape, dtype=torch.bool).scatter(1, y.clamp(min=0), True))


@multilabel_margin.mistake(
    "You left out the samples without a label. They cost 0, but they count among the N samples of the mean."
)
def _(z, y):
    some = y[:, 0] >= 0
    return pairs(z[some], y[some])


@multilabel_margin.mistake(
    "Only the weakest label and the strongest other class are compared here. Every pair should count."
)
def _(z, y):
    losses = []
    for scores, row in zip(z, y.tolist()):
        labels = row[: row.index(-1)] if -1 in row else row
        others = [c for c in range(len(scores)) if c not in labels]
        losses.append(
            torch.relu(1 - scores[labels].min() + scores[others].max()) / len(scores)
            if labels and others
            else 0 * scores.sum()
        )
    return torch.stack(losses).mean()


@multilabel_margin.mistake("You squared what is missing. This loss takes it as it is.")
def _(z, y):
    return pairs(z, y, power=2)


@multilabel_margin.mistake(
    "The margin of 1 is missing: your loss is satisfied as soon as a label that is present is ahead. max(0, 1 − z_listed + z_other)."
)
def _(z, y):
    return pairs(z, y, margin=0)


@multilabel_margin.mistake(
    "You divided by the number of absent labels. PyTorch divides by C, the number of classes."
)
def _(z, y):
    return pairs(z, y, per="others")


@multilabel_margin.mistake(
    "Class 0 was lost: its index is 0, and it is a label like any other. The list ends at the first −1, not at 0."
)
def _(z, y):
    return from_multi_hot(
        z,
        torch.stack(
            [
                torch.zeros(z.shape[1], dtype=torch.bool).scatter(0, r[:k][r[:k] > 0], True)
                for r, k in zip(y, (y >= 0).long().cumprod(dim=1).sum(dim=1).tolist())
            ]
        ),
    )


@multilabel_margin.mistake(
    "You took the places in y that are not −1 for the classes. The entries are the classes: [2, −1, −1] says that class 2 is present."
)
def _(z, y):
    return from_multi_hot(z, y >= 0)


@multilabel_margin.mistake(
    "You read y as zeros and ones, one for each class. Its entries are class indices, and the list ends at the first −1."
)
def _(z, y):
    return from_multi_hot(z, y > 0)


@multilabel_margin.mistake(
    "Each label competes with the strongest absent class alone. Every pair of a present and an absent class should count."
)
def _(z, y):
    losses = []
    for scores, row in zip(z, y.tolist()):
        labels = row[: row.index(-1)] if -1 in row else row
        others = [c for c in range(len(scores)) if c not in labels]
        losses.append(
            torch.relu(1 - scores[labels] + scores[others].max()).sum() / len(scores)
            if labels and others
            else 0 * scores.sum()
        )
    return torch.stack(losses).mean()


@multilabel_margin.mistake(
    "You ask each logit by itself to pass ±1, as C yes-or-no questions. Here a present label's logit is compared with an absent one's."
)
def _(z, y):
    listed = (y >= 0).long().cumprod(dim=1)
    present = (F.one_hot(y.clamp(min=0), z.shape[1]) * listed[:, :, None]).amax(dim=1)
    return torch.relu(1 - (2 * present - 1) * z).mean()


def lacks(z, y, stop=True):
    """What each pair of a listed and another class lacks, a matrix for each sample. stop: does a list end at its first −1?"""
    found = []
    for scores, row in zip(z, y.tolist()):
        end = row.index(-1) if stop and -1 in row else len(row)
        listed = [c for c in row[:end] if c >= 0]
        others = [c for c in range(len(scores)) if c not in listed]
        found.append(torch.relu(1 - scores[listed][:, None] + scores[others]))
    return found


@multilabel_margin.mistake(
    "You took one mean over the pairs of all samples. Each sample has a loss of its own: the sum of its pairs, divided by C; the mean over the N samples comes last."
)
def _(z, y):
    return torch.cat([lack.flatten() for lack in lacks(z, y)]).mean()


@multilabel_margin.mistake(
    "You skipped each −1 and read on, and took one mean over the pairs of all samples. A list ends at its first −1; "
    "a sample's loss is the sum of its pairs, divided by C."
)
def _(z, y):
    return torch.cat([lack.flatten() for lack in lacks(z, y, stop=False)]).mean()


@multilabel_margin.mistake(
    "You divided by the number of pairs, and left out the samples that have none. PyTorch divides by C, the number of classes, "
    "and a sample without a pair counts as 0 in the mean."
)
def _(z, y):
    return torch.stack([lack.mean() for lack in lacks(z, y) if lack.numel()]).mean()


@multilabel_margin.mistake(
    "You skipped each −1 and read on, and divided by the number of pairs. A list ends at its first −1, and the sum over its pairs is divided by C, the number of classes."
)
def _(z, y):
    return pairs(z, y, stop=False, per="pairs")
