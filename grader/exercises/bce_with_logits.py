"""Exercises of 03_bce_with_logits: the same from scores, without overflow and without lost gradients.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html and …/torch.nn.Softplus.html
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

PYTORCH = [
    F.binary_cross_entropy_with_logits,
    nn.BCEWithLogitsLoss,
    F.multilabel_soft_margin_loss,
    nn.MultiLabelSoftMarginLoss,
    F.soft_margin_loss,
    nn.SoftMarginLoss,
    F.cross_entropy,
    nn.CrossEntropyLoss,
]
Y = [0.0, 1.0, 1.0, 0.0]
Z = [-0.1, 2.0, 3.0, 0.5]
EXACT = dict(rtol=1e-9, atol=1e-12)  # so that a float32 on the way, or a measured slope, is seen


def example(rng):
    return torch.tensor(Z, dtype=rng.dtype), torch.tensor(Y, dtype=rng.dtype)


def ordinary(rng):
    n = rng.size()
    return rng.logits(n), rng.labels(n)


def one(rng, z, y):
    """A single sample, so that a nan of one does not hide what the others get."""
    return torch.tensor([z], dtype=rng.dtype), torch.tensor([y], dtype=rng.dtype)


def large(rng):
    """Sure and wrong, sure and right, on both sides."""
    return [one(rng, z, y) for z, y in [(1000.0, 0.0), (-1000.0, 1.0), (1000.0, 1.0), (-1000.0, 0.0)]]


def together(rng):
    """Large and ordinary logits in one tensor: a decision for the whole tensor is wrong for some of them."""
    return torch.cat(
        [rng.uniform(2, low=900, high=1100), rng.uniform(2, low=-1100, high=-900), rng.logits(3)]
    ), rng.labels(7)


def saturated(rng):
    """Where sigmoid is 1 in float32 and the definition is still finite in the reals."""
    return [one(rng, 20.0, 0.0), one(rng, float(rng.integers(1, low=30, high=80)), 0.0)]


def reduced(losses, reduction):
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()


# ---------------------------------------------------------------- softplus


@exercise(
    points=3,
    without=[F.softplus, nn.Softplus, F.logsigmoid, nn.LogSigmoid, *PYTORCH],
    hints=[
        "Where z is large and positive, take e^z out of the parenthesis: log(1 + e^z) = z + log(1 + e^−z). Nothing large is exponentiated any more.",
        "Where z is negative, the formula is fine as it stands: e^z is small. So in both cases the exponential that you need is exp(−|z|).",
        "max(z, 0) + log(1 + exp(−|z|)). `torch.logaddexp(z, zero)` is the same thing.",
    ],
    built="The soft version of max(0, z). PyTorch calls it `F.softplus(z)` and `nn.Softplus()`; `F.logsigmoid(z)` is −softplus(−z).",
)
def softplus(z):
    return torch.logaddexp(z, torch.zeros_like(z))


softplus.case("the lesson's example", example=True, gradient="z")(lambda rng: example(rng)[:1])
softplus.case("random logits", gradient="z", **EXACT)(lambda rng: ordinary(rng)[:1])
softplus.case("a matrix of logits", gradient="z")(lambda rng: (rng.logits(3, 4),))
softplus.case("logits from 4 to 18", gradient="z")(
    lambda rng: (rng.uniform(6) + torch.tensor([4.0, 6.0, 8.0, 10.0, 12.0, 17.0], dtype=rng.dtype),)
)
softplus.case("large positive logits", extreme=True, gradient="z")(
    lambda rng: [one(rng, 1000.0, 0.0)[:1], one(rng, 800.0, 0.0)[:1]]
)
softplus.case("large negative logits", extreme=True, gradient="z")(
    lambda rng: [one(rng, -1000.0, 0.0)[:1], one(rng, -800.0, 0.0)[:1]]
)
softplus.case("large and ordinary logits together", extreme=True, gradient="z")(lambda rng: together(rng)[:1])
softplus.case("float32", dtype=torch.float32, gradient="z")(lambda rng: ordinary(rng)[:1])
softplus.case("float32, from 20 to 120", dtype=torch.float32, extreme=True, gradient="z")(
    lambda rng: [one(rng, z, 0.0)[:1] for z in (20.0, 95.0, 120.0)]
)


@softplus.mistake(
    "For a large z your result is inf and its gradient nan: exp(z) overflows, or a sigmoid becomes "
    "0 and its logarithm −inf. log(1 + e^z) is nearly z there.",
    hint="Take e^z out of the parentheses before the logarithm.",
)
def _(z):
    return torch.log(1 + torch.exp(z))


@softplus.mistake(
    "You chose between two formulas by the size of z. The value is right and the gradient "
    "is nan: `torch.where` differentiates the branch that it drops, too, and the exponential there "
    "is infinite.",
    hint="Rewrite it so that no branch ever exponentiates a large number.",
)
def _(z):
    return torch.where(z > 20, z, torch.log1p(torch.exp(z)))


@softplus.mistake(
    "You clamped z before the exponential: beyond the clamp the value no longer changes and the "
    "gradient is 0.",
    hint="The exponential can be kept small without touching z.",
)
def _(z):
    return torch.log1p(torch.exp(z.clamp(max=80)))


@softplus.mistake(
    "You took the maximum m = max(0, z) out of one term only. It comes out of both: log(e^(0 − m) + e^(z − m)) + m.",
    hint="e^0 becomes e^(0 − m), and e^z becomes e^(z − m).",
)
def _(z):
    m = z.clamp(min=0)
    return m + torch.log(torch.exp(z) + torch.exp(z - m))


@softplus.mistake(
    "This is max(0, z), softplus without its bump: at z = 0 softplus is log 2, not 0.",
    hint="The bump is log(1 + exp(−|z|)).",
)
def _(z):
    return z.clamp(min=0)


@softplus.mistake(
    "You took e^z out of the parentheses for every z. For a large negative z, exp(−z) overflows in turn.",
    hint="What is small on both sides is exp(−|z|).",
)
def _(z):
    return z + torch.log1p(torch.exp(-z))


@softplus.mistake(
    "You switched to z itself too early: near z = 5 softplus is still clearly above z.",
    hint="With exp(−|z|) no threshold is needed.",
)
def _(z):
    return torch.where(z > 4, z, torch.log1p(torch.exp(z.clamp(max=4))))


@softplus.mistake(
    "The exponential of your bump grows on both sides: exp(|z|).", hint="It should shrink on both sides."
)
def _(z):
    return z.clamp(min=0) + torch.log1p(torch.exp(z.abs()))


@softplus.mistake("This is log(1 + e^−z), which is softplus of −z.")
def _(z):
    return F.softplus(-z)


@softplus.mistake("The logarithm is missing: you return 1 + e^z.")
def _(z):
    return 1 + torch.exp(z)


@softplus.mistake("This is the sigmoid: the slope of softplus, not softplus itself.")
def _(z):
    return torch.sigmoid(z)


@softplus.mistake(
    "For a large negative z you return about |z|, and softplus is nearly 0 there.",
    hint="Do you have |z| where max(z, 0) belongs, or exp(−z) where exp(−|z|) does?",
)
def _(z):
    return z.abs() + torch.log1p(torch.exp(-z.abs()))


@softplus.mistake(
    "You add z itself as the corner, for negative z too. There only the bump is left.",
    hint="The corner is max(z, 0).",
)
def _(z):
    return z + torch.log1p(torch.exp(-z.abs()))


@softplus.mistake(
    "Only the bump is there, log(1 + exp(−|z|)). For a positive z the corner is missing.",
    hint="The corner is max(z, 0).",
)
def _(z):
    return torch.log1p(torch.exp(-z.abs()))


@softplus.mistake("The corner goes the wrong way: you took min(z, 0).", hint="max(z, 0)")
def _(z):
    return z.clamp(max=0) + torch.log1p(torch.exp(-z.abs()))


@softplus.mistake("Your bump is a logarithm to base 2. It should be the natural one: log 2 = 0.6931 high.")
def _(z):
    return z.clamp(min=0) + torch.log2(1 + torch.exp(-z.abs()))


@softplus.mistake("You subtracted the bump from the corner.", hint="Softplus lies above max(0, z).")
def _(z):
    return z.clamp(min=0) - torch.log1p(torch.exp(-z.abs()))


# ---------------------------------------------------------------- bce_with_logits


@exercise(
    points=4,
    without=PYTORCH,
    hints=[
        "softplus(−z) where y is 1, softplus(z) where y is 0. A label in between takes its share of both.",
        "What they differ by is z itself: softplus(−z) = softplus(z) − z. So y decides how much of z is "
        "subtracted.",
        "Each sample: softplus(z) − y·z. Then `reduction`, as in `bce`.",
    ],
    built="You have built `F.binary_cross_entropy_with_logits(z, y, reduction=…)`: the loss of σ(z), without ever making σ(z).",
)
def bce_with_logits(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, y, reduction=reduction)


bce_with_logits.case("the lesson's example", example=True, gradient="z")(example)
bce_with_logits.case("random logits", gradient="z", **EXACT)(ordinary)
bce_with_logits.case("labels between 0 and 1", gradient="z")(
    lambda rng: (rng.logits(6), rng.uniform(6, low=0.05, high=0.95))
)


@bce_with_logits.case("every reduction", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y, reduction=r) for r in ("mean", "sum", "none")]


@bce_with_logits.case("a matrix of logits", gradient="z")
def _(rng):
    z, y = rng.logits(3, 4), rng.labels(3, 4)
    return [call(z, y), call(z, y, reduction="none")]


bce_with_logits.case("sure and wrong, sure and right", extreme=True, gradient="z")(large)
bce_with_logits.case("large and ordinary logits together", extreme=True, gradient="z")(
    lambda rng: call(*together(rng), reduction="none")
)
bce_with_logits.case("float32", dtype=torch.float32, gradient="z")(ordinary)
bce_with_logits.case("float32, where sigmoid is 1", dtype=torch.float32, extreme=True, gradient="z")(
    saturated
)


@bce_with_logits.mistake(
    "You added log(1 + exp(−z)) to max(z, 0), which is right for a positive z only. It takes exp(−|z|): for a negative z, exp(−z) is large, and the loss comes out |z| too high."
)
def _(z, y, reduction="mean"):
    losses = z.clamp(min=0) - y * z + torch.log1p(torch.exp(-z))
    return losses if reduction == "none" else getattr(losses, reduction)()


@bce_with_logits.mistake(
    "You went through the probability: sigmoid, then the definition. Where the sigmoid is 0 or 1 "
    "in floating point, the loss becomes inf or nan.",
    hint="softplus(z) and softplus(−z) are the two logarithms, and never overflow.",
)
def _(z, y, reduction="mean"):
    p = torch.sigmoid(z)
    return reduced(-(y * p.log() + (1 - y) * (1 - p).log()), reduction)


@bce_with_logits.mistake(
    "This is BCELoss after a sigmoid: where the sigmoid is 0 or 1, its clamp makes the loss 100 "
    "and the gradient 0. A logit of 1000 where the label is 0 costs 1000, with gradient 1.",
    hint="Compute the loss from z, with softplus.",
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy(torch.sigmoid(z), y, reduction=reduction)


@bce_with_logits.mistake(
    "You kept the probability away from 0 and 1 by a small number: that puts a ceiling on the "
    "loss, and beyond it the gradient is 0.",
    hint="Compute the loss from z, with softplus.",
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy(torch.sigmoid(z).clamp(1e-7, 1 - 1e-7), y, reduction=reduction)


@bce_with_logits.mistake(
    "You put z through a sigmoid, and the result through a loss that contains another sigmoid.",
    hint="softplus expects the logit itself.",
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(torch.sigmoid(z), y, reduction=reduction)


@bce_with_logits.mistake(
    "You took logarithms of the logits themselves, and z can be negative.", hint="log σ(z) is −softplus(−z)."
)
def _(z, y, reduction="mean"):
    return reduced(-(y * z.log() + (1 - y) * (1 - z).log()), reduction)


@bce_with_logits.mistake(
    "Your two halves are swapped: a large z where the label is 1 is right and should cost nearly nothing.",
    hint="softplus(−z) belongs to y = 1, softplus(z) to y = 0.",
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, 1 - y, reduction=reduction)


@bce_with_logits.mistake(
    "Only the samples with y = 1 cost something.", hint="The other half is (1 − y)·softplus(z)."
)
def _(z, y, reduction="mean"):
    return reduced(y * F.softplus(-z), reduction)


@bce_with_logits.mistake(
    "You decided by `y == 1` and lost the labels in between.",
    hint="A label of 0.3 takes 0.3 of one half and 0.7 of the other.",
)
def _(z, y, reduction="mean"):
    return reduced(torch.where(y == 1, F.softplus(-z), F.softplus(z)), reduction)


@bce_with_logits.mistake(
    "You added the losses up. The mean divides their sum by N.",
    hint='Look at `reduction`: its default is "mean".',
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, y, reduction="none" if reduction == "none" else "sum")


@bce_with_logits.mistake('`reduction` has no effect: "sum" and "none" still give the mean.')
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, y)


@bce_with_logits.mistake(
    "You return each sample's own loss, whatever `reduction` says. Does every branch return what it computed?"
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, y, reduction="none")


@bce_with_logits.mistake(
    "You turned labels into signs, 1 − 2y. That is right for 0 and 1, and wrong in between.",
    hint="A label of 0.3 takes 0.3 of one half and 0.7 of the other.",
)
def _(z, y, reduction="mean"):
    return reduced(F.softplus((1 - 2 * y) * z), reduction)


@bce_with_logits.mistake(
    "The mean runs over one dimension only. A matrix of logits has more to average.",
    hint="`.mean()` without `dim` averages over all entries.",
)
def _(z, y, reduction="mean"):
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    return {"mean": losses.mean(dim=0), "sum": losses.sum(dim=0), "none": losses}[reduction]


@bce_with_logits.mistake(
    "You divided by the number of rows, `len(z)` or `len(y)`. A matrix has more entries than rows.",
    hint="`z.numel()` counts the entries, and `.mean()` divides by it.",
)
def _(z, y, reduction="mean"):
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    return {"mean": losses.sum() / len(z), "sum": losses.sum(), "none": losses}[reduction]


@bce_with_logits.mistake(
    "You have max(z, 0) where softplus(z) belongs: the corner is there, the bump is missing."
)
def _(z, y, reduction="mean"):
    return reduced(z.clamp(min=0) - y * z, reduction)


@bce_with_logits.mistake(
    "You clamped the logits: beyond the clamp the loss no longer changes and the gradient is 0."
)
def _(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z.clamp(-15, 15), y, reduction=reduction)


@bce_with_logits.mistake(
    "You added y·z. A label of 1 makes a large score cheaper, not dearer.", hint="Subtract it."
)
def _(z, y, reduction="mean"):
    return reduced(F.softplus(z) + y * z, reduction)


@bce_with_logits.mistake(
    "Every sample costs softplus(−z), which is softplus(z) − z, whatever its label. A label of 0 subtracts nothing, a label of 1 all of z.",
    hint="The label says how much of z to subtract.",
)
def _(z, y, reduction="mean"):
    return reduced(F.softplus(z) - z, reduction)


@bce_with_logits.mistake(
    "exp(z) overflows in your formula: at |z| = 1000 the loss is inf or nan.",
    hint="A softplus that survives 1000 is the exercise above.",
)
def _(z, y, reduction="mean"):
    return reduced(torch.log(1 + torch.exp(z)) - y * z, reduction)


@bce_with_logits.mistake(
    "The labels have no effect: max(0, z) + log(1 + exp(−|z|)) is the loss of a sample with y = 0. For y = 1 it is smaller by z.",
    hint="The definition has one term more: − z·y.",
)
def _(z, y, reduction="mean"):
    losses = F.softplus(z)
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


# ---------------------------------------------------------------- bce_with_logits_grad


@exercise(
    points=3,
    without=[*PYTORCH, torch.autograd.grad, torch.Tensor.backward, torch.autograd.backward, torch.func.jvp],
    hints=[
        "The loss of one sample is softplus(z) minus y times z. What is the slope of softplus?",
        "d/dz log(1 + e^z) = e^z / (1 + e^z), and that has a name that you know.",
        "Or by the chain rule, from `bce_grad` and the slope of the sigmoid: (p − y)/(p(1 − p)) times "
        "p(1 − p). Cancel on paper, not in the computer.",
    ],
    built="Probability minus label. `nn.BCEWithLogitsLoss` computes it when you call `loss.backward()`; "
    "with the mean each entry is divided by N.",
)
def bce_with_logits_grad(z, y):
    return torch.sigmoid(z) - y


bce_with_logits_grad.case("the lesson's example", example=True)(example)
bce_with_logits_grad.case("random logits", **EXACT)(ordinary)
bce_with_logits_grad.case("labels between 0 and 1")(lambda rng: (rng.logits(6), rng.uniform(6)))
bce_with_logits_grad.case("a matrix of logits")(lambda rng: (rng.logits(3, 4), rng.labels(3, 4)))
bce_with_logits_grad.case("sure and wrong, sure and right", extreme=True)(large)
bce_with_logits_grad.case("large and ordinary logits together", extreme=True)(together)
bce_with_logits_grad.case("float32", dtype=torch.float32)(ordinary)
bce_with_logits_grad.case("float32, where sigmoid is 1", dtype=torch.float32, extreme=True)(saturated)


@bce_with_logits_grad.mistake(
    "You multiplied the error p − y by the score. A factor from outside, such as a feature, belongs to the slope of a weight; "
    "the slope with respect to the score is the error alone."
)
def _(z, y):
    return (torch.sigmoid(z) - y) * z


@bce_with_logits_grad.mistake(
    "The sign is flipped: with y = 0 a larger z makes the loss larger, so its slope is positive."
)
def _(z, y):
    return y - torch.sigmoid(z)


@bce_with_logits_grad.mistake(
    "You divided by N.", hint="Return each sample's own derivative; the mean divides by N later."
)
def _(z, y):
    return (torch.sigmoid(z) - y) / z.numel()


@bce_with_logits_grad.mistake(
    "This is the derivative with respect to p.",
    hint="With respect to z it is multiplied by dp/dz = p(1 − p), and then much cancels.",
)
def _(z, y):
    p = torch.sigmoid(z)
    return (p - y) / (p * (1 - p))


@bce_with_logits_grad.mistake(
    "There is one factor p(1 − p) too many: p(1 − p)·(p − y) is half the slope of the squared error.",
    hint="It cancels against the denominator of the derivative with respect to p.",
)
def _(z, y):
    p = torch.sigmoid(z)
    return (p - y) * p * (1 - p)


@bce_with_logits_grad.mistake(
    "You multiplied the two factors of the chain rule in the computer: where p is 0 or 1 that is 0/0, nan.",
    hint="Cancel them on paper first.",
)
def _(z, y):
    p = torch.sigmoid(z)
    return (p - y) / (p * (1 - p)) * p * (1 - p)


@bce_with_logits_grad.mistake(
    "You used the logit where the probability belongs.",
    hint="The label is a probability; compare it with one.",
)
def _(z, y):
    return z - y


@bce_with_logits_grad.mistake(
    "Your sigmoid is e^z / (1 + e^z), and for z = 1000 that is inf/inf, nan. `torch.sigmoid` survives that."
)
def _(z, y):
    return torch.exp(z) / (1 + torch.exp(z)) - y


@bce_with_logits_grad.mistake(
    "You used the decision, 0 or 1, where the probability belongs. How sure the model was gets lost.",
    hint="Leave out the comparison.",
)
def _(z, y):
    return (z > 0).to(z.dtype) - y


@bce_with_logits_grad.mistake("You return the loss itself, not its derivative.")
def _(z, y):
    return F.binary_cross_entropy_with_logits(z, y, reduction="none")


@bce_with_logits_grad.mistake(
    "You decided by `y == 1` and lost the labels in between.",
    hint="One formula holds for every label from 0 to 1.",
)
def _(z, y):
    return torch.where(y == 1, torch.sigmoid(z) - 1, torch.sigmoid(z))


@bce_with_logits_grad.mistake("You took the sigmoid of z − y.", hint="Subtract the label after the sigmoid.")
def _(z, y):
    return torch.sigmoid(z - y)


@bce_with_logits_grad.mistake(
    "You return the size of the slope. Its sign says which way to go, and it is negative where y is 1."
)
def _(z, y):
    return (torch.sigmoid(z) - y).abs()


@bce_with_logits_grad.mistake(
    "This is the slope of softplus alone. The label's part of the loss has a slope, too.",
    hint="The loss is softplus(z) minus y times z.",
)
def _(z, y):
    return torch.sigmoid(z)


# ---------------------------------------------------------------- BCEWithLogits


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Two moments: when the object is made (`__init__` gets `reduction`), and when it is called (`forward` gets z and y). What has to be kept from the first to the second?",
        "`super().__init__()` first, then `self.reduction = reduction`.",
        "`forward` hands z, y and `self.reduction` to your `bce_with_logits`.",
    ],
    built="You have built `nn.BCEWithLogitsLoss(reduction=…)`: the modular form of the function above.",
)
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        return F.binary_cross_entropy_with_logits(z, y, reduction=self.reduction)


BCEWithLogits.case("the lesson's example", example=True)(example)
BCEWithLogits.case("random logits, nothing said about reduction", gradient="z")(ordinary)


@BCEWithLogits.case("every reduction", gradient="z")
def _(rng):
    z, y = ordinary(rng)
    return [call(z, y).built_with(reduction=r) for r in ("mean", "sum", "none")]


@BCEWithLogits.case("a matrix of logits", gradient="z")
def _(rng):
    z, y = rng.logits(3, 4), rng.uniform(3, 4)
    return [call(z, y), call(z, y).built_with(reduction="none")]


BCEWithLogits.case("sure and wrong, sure and right", extreme=True, gradient="z")(large)
BCEWithLogits.case("float32", dtype=torch.float32, gradient="z")(ordinary)
BCEWithLogits.case("float32, where sigmoid is 1", dtype=torch.float32, extreme=True, gradient="z")(saturated)


class _Module(nn.Module):
    """What the wrong answers share: `loss(z, y, reduction)` is the part that they get wrong."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        return self.loss(z, y, self.reduction)


@BCEWithLogits.mistake(
    'The constructor\'s `reduction` is not used when the object is called: "sum" and "none" still '
    "give the mean.",
    hint="Keep it: `self.reduction = reduction`, and hand it on in `forward`.",
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(z, y)


@BCEWithLogits.mistake(
    "`super().__init__()` is missing: it is what turns an object into a module. Without it the "
    "first call fails.",
    hint="Call it first in `__init__`.",
)
class _(nn.Module):
    def __init__(self, reduction="mean"):
        self.reduction = reduction

    def forward(self, z, y):
        return F.binary_cross_entropy_with_logits(z, y, reduction=self.reduction)


@BCEWithLogits.mistake("Without an argument, `reduction` is the mean; yours adds up.")
class _(_Module):
    def __init__(self, reduction="sum"):
        super().__init__(reduction)

    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(z, y, reduction=reduction)


@BCEWithLogits.mistake(
    "`forward` knows no `reduction`: a name that `__init__` gets or makes is gone when `__init__` ends. Only what is kept in the object is still there.",
    hint="`self.reduction = reduction` in `__init__`, and `self.reduction` in `forward`.",
)
class _(_Module):
    def loss(self, z, y, reduction):
        raise NameError("name 'reduction' is not defined")


@BCEWithLogits.mistake(
    "You put z through a sigmoid before a loss that contains another one.",
    hint="The module gets logits, and hands them on as they are.",
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(torch.sigmoid(z), y, reduction=reduction)


@BCEWithLogits.mistake(
    "Your module computes BCELoss after a sigmoid: where the sigmoid is 0 or 1, the clamp makes "
    "the loss 100 and the gradient 0.",
    hint="Use the loss that works on logits.",
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy(torch.sigmoid(z), y, reduction=reduction)


@BCEWithLogits.mistake(
    "Your module goes through the probability and its logarithm: where the sigmoid is 0 or 1, the "
    "loss becomes inf or nan.",
    hint="Use the loss that works on logits.",
)
class _(_Module):
    def loss(self, z, y, reduction):
        p = torch.sigmoid(z)
        return reduced(-(y * p.log() + (1 - y) * (1 - p).log()), reduction)


@BCEWithLogits.mistake(
    "Labels and logits are swapped on the way to the loss.", hint="`forward(self, z, y)`: logits first."
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(y, z, reduction=reduction)


@BCEWithLogits.mistake(
    "`forward` stops before the reduction: whatever the object was built with, you return each "
    "sample's own loss."
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(z, y, reduction="none")


@BCEWithLogits.mistake(
    'Your module reduces a second time: with `reduction="none"` each sample keeps its own loss.'
)
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(z, y, reduction="sum" if reduction == "sum" else "mean")


@BCEWithLogits.mistake('"sum" and "mean" are swapped.')
class _(_Module):
    def loss(self, z, y, reduction):
        return F.binary_cross_entropy_with_logits(
            z, y, reduction={"sum": "mean", "mean": "sum"}.get(reduction, reduction)
        )


# ---------------------------------------------------------------- squared_error_grad


@exercise(
    points=3,
    without=[
        F.mse_loss,
        nn.MSELoss,
        torch.autograd.grad,
        torch.Tensor.backward,
        torch.autograd.backward,
        torch.func.jvp,
    ],
    hints=[
        "Outside is a square: its slope is twice what is inside. Inside is σ(z) − y, which has a slope of its own.",
        "The slope of σ(z) with respect to z is the one that you built in `01_sigmoid`, p(1 − p).",
        "With p = σ(z): 2·(p − y)·p·(1 − p).",
    ],
    built="The slope of the squared error with respect to the score: cross-entropy's, times 2p(1 − p). Where the model is sure that factor "
    "is nearly 0, so a model that is sure and wrong hardly learns. `F.mse_loss(torch.sigmoid(z), y)` has this slope under autograd.",
)
def squared_error_grad(z, y):
    p = torch.sigmoid(z)
    return 2 * (p - y) * p * torch.sigmoid(-z)


squared_error_grad.case("the lesson's example", example=True)(example)
squared_error_grad.case("random logits", **EXACT)(ordinary)
squared_error_grad.case("labels between 0 and 1")(lambda rng: (rng.logits(6), rng.uniform(6)))
squared_error_grad.case("a matrix of logits")(lambda rng: (rng.logits(3, 4), rng.labels(3, 4)))
squared_error_grad.case("sure and wrong, sure and right", extreme=True)(large)
squared_error_grad.case("large and ordinary logits together", extreme=True)(together)
squared_error_grad.case("float32", dtype=torch.float32)(ordinary)


def slope_of_sigmoid(z):
    return torch.sigmoid(z) * torch.sigmoid(-z)


@squared_error_grad.mistake("Your factor is p², the probability twice. The sigmoid's slope is p(1 − p).")
def _(z, y):
    p = torch.sigmoid(z)
    return 2 * (p - y) * p * p


@squared_error_grad.mistake(
    "You took the sigmoid's slope at the probability, as if p were a score once more. At the score z the slope is p(1 − p)."
)
def _(z, y):
    p = torch.sigmoid(z)
    again = torch.sigmoid(p)
    return 2 * (p - y) * again * (1 - again)


@squared_error_grad.mistake(
    "This is p − y, cross-entropy's slope. The squared error does not lose the sigmoid's slope.",
    hint="Apply the chain rule twice: to the square, and to the sigmoid inside it.",
)
def _(z, y):
    return torch.sigmoid(z) - y


@squared_error_grad.mistake(
    "This is 2(p − y), the slope with respect to p. The score comes before the sigmoid.",
    hint="Multiply by the slope of the sigmoid.",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y)


@squared_error_grad.mistake("The factor 2 of the square is missing.", hint="d u² / d u = 2u.")
def _(z, y):
    return (torch.sigmoid(z) - y) * slope_of_sigmoid(z)


@squared_error_grad.mistake(
    "The sign is flipped: with y = 1 a larger z makes the error smaller, so its slope is negative."
)
def _(z, y):
    return 2 * (y - torch.sigmoid(z)) * slope_of_sigmoid(z)


@squared_error_grad.mistake(
    "Your factor is z(1 − z): the sigmoid's slope is p(1 − p), with the probability and not the score.",
    hint="p = σ(z).",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) * z * (1 - z)


@squared_error_grad.mistake(
    "Your factor is 1 − p², a form that belongs to tanh. The sigmoid's slope is another product.",
    hint="p(1 − p), with p = σ(z).",
)
def _(z, y):
    p = torch.sigmoid(z)
    return 2 * (p - y) * (1 - p**2)


@squared_error_grad.mistake(
    "You took the error on the score: z − y. The squared error here is that of the probability, σ(z) − y."
)
def _(z, y):
    return 2 * (z - y)


@squared_error_grad.mistake(
    "You divided by N.", hint="Return each sample's own slope; the mean divides by N later."
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) * slope_of_sigmoid(z) / z.numel()


@squared_error_grad.mistake(
    "One factor is missing: the sigmoid's slope is a product of two, and you have p alone.",
    hint="p(1 − p).",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) * torch.sigmoid(z)


@squared_error_grad.mistake(
    "One factor is missing: the sigmoid's slope is a product of two, and you have 1 − p alone.",
    hint="p(1 − p).",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) * torch.sigmoid(-z)


@squared_error_grad.mistake(
    "You squared the error and kept the square: the slope of a square has the error itself in it, once.",
    hint="d u² / d u = 2u.",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) ** 2 * slope_of_sigmoid(z)


@squared_error_grad.mistake("You return the squared error itself, not its slope.")
def _(z, y):
    return (torch.sigmoid(z) - y) ** 2


@squared_error_grad.mistake(
    "The sigmoid's slope has the label in it: you multiplied by y(1 − y), which is 0 for every certain label.",
    hint="p(1 − p), with p = σ(z).",
)
def _(z, y):
    return 2 * (torch.sigmoid(z) - y) * y * (1 - y)


@squared_error_grad.mistake(
    "exp overflows in your sigmoid: at |z| = 1000 the slope is nan.",
    hint="`torch.sigmoid` survives that.",
)
def _(z, y):
    p = torch.exp(z) / (1 + torch.exp(z))
    return 2 * (p - y) * p * (1 - p)


@squared_error_grad.mistake(
    "This is (p − y) / (p(1 − p)), cross-entropy's slope with respect to p.",
    hint="Start from the square: d u² / d u = 2u.",
)
def _(z, y):
    p = torch.sigmoid(z)
    return (p - y) / slope_of_sigmoid(z)


@squared_error_grad.mistake(
    "You took the error on the score, z − y, and multiplied it by the sigmoid's slope. The error is that of the probability, σ(z) − y."
)
def _(z, y):
    return 2 * (z - y) * slope_of_sigmoid(z)


@squared_error_grad.mistake(
    "Parentheses are missing: `* 1 - p` multiplies by 1 and subtracts p afterwards.",
    hint="The factor is (1 − p).",
)
def _(z, y):
    p = torch.sigmoid(z)
    return 2 * (p - y) * p * 1 - p
