"""Exercises of 02_bce: binary cross-entropy, from the probability of what happened.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
"""

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
    F.nll_loss,
    F.soft_margin_loss,
    nn.SoftMarginLoss,
    F.multilabel_soft_margin_loss,
    nn.MultiLabelSoftMarginLoss,
]  # the last four: the same loss of a score, which `torch.logit(p)` is
Y = [0.0, 1.0, 1.0, 0.0]
P = [0.4750, 0.8808, 0.9526, 0.6225]


def example(rng):
    return torch.tensor(P, dtype=rng.dtype), torch.tensor(Y, dtype=rng.dtype)


def ordinary(rng):
    n = rng.size()
    return rng.probabilities(n), rng.labels(n)


def single(label):
    def make(rng):
        return rng.probabilities(1), torch.full((1,), label, dtype=rng.dtype)

    return make


def soft(rng):
    """Labels in between, some above one half and some below."""
    n, y = rng.size(), torch.cat([rng.uniform(2, low=0.55, high=0.95), rng.uniform(2, low=0.05, high=0.45)])
    return rng.probabilities(n + 4), torch.cat([y, rng.probabilities(n)])


def certain(rng):
    """Predictions of nearly 0 and nearly 1, each about both labels: a clamp or an epsilon shows there."""
    small = rng.uniform(4, low=0.5, high=1.0) * torch.tensor([1e-2, 1e-4, 1e-6, 1e-8], dtype=rng.dtype)
    p = torch.cat([small, 1 - small])
    return torch.cat([p, p]), torch.cat([torch.zeros_like(p), torch.ones_like(p)])


# ---------------------------------------------------------------- bernoulli_likelihood


@exercise(
    points=2,
    without=[torch.distributions.Bernoulli, torch.distributions.Binomial, torch.distributions.Categorical],
    hints=[
        "One sample: the model gave the outcome that happened a probability. Which one, when y is 1? And when y is 0?",
        "p when y is 1, 1 − p when y is 0. Either a `torch.where`, or powers: p to the y, times (1 − p) to the (1 − y).",
        "All samples together: the product, `torch.prod`.",
    ],
    built="The likelihood of the labels under the model: the number that training makes large. "
    "`torch.distributions.Bernoulli(p).log_prob(y)` is its logarithm, sample by sample.",
)
def bernoulli_likelihood(p, y):
    return (p**y * (1 - p) ** (1 - y)).prod()


bernoulli_likelihood.case("the lesson's example", example=True)(example)
bernoulli_likelihood.case("random probabilities", gradient="p")(ordinary)


@bernoulli_likelihood.case("one sample of each label")
def _(rng):
    """Right and wrong about each: what decides at 0.5 shows, and what never looks at p."""
    low, high = rng.uniform(1, low=0.05, high=0.45), rng.uniform(1, low=0.55, high=0.95)
    return [(p, torch.full((1,), y, dtype=rng.dtype)) for p in (low, high) for y in (0.0, 1.0)]


bernoulli_likelihood.case("float32", dtype=torch.float32)(ordinary)


@bernoulli_likelihood.mistake(
    "Label and probability are swapped: p comes first, then y. You compared the probabilities with 1, which none of them is."
)
def _(y, p):
    return torch.where(y == 1, p, 1 - p).prod()


@bernoulli_likelihood.mistake(
    "You used p for every sample. Where y is 0, what happened did not have probability p.",
    hint="A model that says 0.1 where the label is 0 gave what happened 0.9.",
)
def _(p, y):
    return p.prod()


@bernoulli_likelihood.mistake(
    "You added up the probabilities. The samples are independent.",
    hint="The probabilities of independent outcomes multiply.",
)
def _(p, y):
    return (p**y * (1 - p) ** (1 - y)).sum()


@bernoulli_likelihood.mistake(
    "You took the mean of the probabilities.", hint="The probability of all labels together is a product."
)
def _(p, y):
    return (p**y * (1 - p) ** (1 - y)).mean()


@bernoulli_likelihood.mistake(
    "You return the logarithm of the likelihood.", hint="Return the product itself."
)
def _(p, y):
    return (p**y * (1 - p) ** (1 - y)).log().sum()


@bernoulli_likelihood.mistake("The two cases are swapped.", hint="p belongs to y = 1, 1 − p to y = 0.")
def _(p, y):
    return (p ** (1 - y) * (1 - p) ** y).prod()


@bernoulli_likelihood.mistake(
    "You multiply p·y: a single sample with y = 0 makes the whole product 0.",
    hint="A sample with y = 0 contributes 1 − p.",
)
def _(p, y):
    return (p * y).prod()


@bernoulli_likelihood.mistake(
    "You decided at 0.5 and multiplied right and wrong, 1 and 0. The likelihood tells 0.9 from 0.6.",
    hint="Multiply the probabilities themselves.",
)
def _(p, y):
    return ((p > 0.5) == (y == 1)).to(p.dtype).prod()


@bernoulli_likelihood.mistake(
    "Only the samples with y = 1 are in your product.", hint="Those with y = 0 contribute 1 − p."
)
def _(p, y):
    return (p**y).prod()


@bernoulli_likelihood.mistake(
    "You return one probability for each sample. The likelihood is one number, for all labels together.",
    hint="Their product is missing.",
)
def _(p, y):
    return p**y * (1 - p) ** (1 - y)


# ---------------------------------------------------------------- bce_per_sample


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "Take minus the logarithm of the probability that the model gave to what happened.",
        "Two logarithms, log p and log(1 − p). A label of 1 takes all of the first, a label of 0 all "
        "of the second, a label of 0.3 takes 0.3 and 0.7 of them.",
        "y·log p + (1 − y)·log(1 − p), and a minus in front.",
    ],
    built='One loss per sample. PyTorch calls it `F.binary_cross_entropy(p, y, reduction="none")`.',
)
def bce_per_sample(p, y):
    return F.binary_cross_entropy(p, y, reduction="none")


bce_per_sample.case("the lesson's example", example=True)(example)
bce_per_sample.case("random probabilities", gradient="p")(ordinary)
bce_per_sample.case("labels between 0 and 1")(lambda rng: (rng.probabilities(6), rng.uniform(6)))
bce_per_sample.case("a matrix of probabilities")(lambda rng: (rng.probabilities(3, 4), rng.labels(3, 4)))
bce_per_sample.case("float32", dtype=torch.float32)(ordinary)
bce_per_sample.case("nearly certain predictions", extreme=True)(certain)


@bce_per_sample.mistake(
    "Both logarithms are weighted with y. The second is that of the probability of label 0, and its weight is 1 − y."
)
def _(p, y):
    return -(y * torch.log(p) + y * torch.log(1 - p))


@bce_per_sample.mistake(
    "You took minus the logarithm of |y − p|, the distance from the label, which is small where the model is right. The logarithm is that of the "
    "probability of what happened."
)
def _(p, y):
    return -torch.log((y - p).abs())


@bce_per_sample.mistake("The minus is missing: logarithms of probabilities are negative, a loss is not.")
def _(p, y):
    return y * p.log() + (1 - y) * (1 - p).log()


@bce_per_sample.mistake(
    "Only the samples with y = 1 cost something. A model that says 0.6225 where the label is 0 has "
    "to pay for it, too.",
    hint="The other half is (1 − y)·log(1 − p).",
)
def _(p, y):
    return -y * p.log()


@bce_per_sample.mistake("You return the mean.", hint="Return one loss for each sample.")
def _(p, y):
    return F.binary_cross_entropy(p, y)


@bce_per_sample.mistake(
    "Labels and predictions are swapped: you took the logarithm of the label.",
    hint="The logarithm is of p, and y weights it.",
)
def _(p, y):
    return -(p * y.log() + (1 - p) * (1 - y).log())


@bce_per_sample.mistake("This is log base 2. Losses in this course use the natural logarithm, `torch.log`.")
def _(p, y):
    return F.binary_cross_entropy(p, y, reduction="none") / torch.log(torch.tensor(2.0, dtype=p.dtype))


@bce_per_sample.mistake("You wrote 1 − log p where log(1 − p) belongs: check your parentheses.")
def _(p, y):
    return -(y * p.log() + (1 - y) * (1 - p.log()))


@bce_per_sample.mistake(
    "This is the squared error, not the cross-entropy: it never costs more than 1, however sure "
    "the model was."
)
def _(p, y):
    return (p - y) ** 2


@bce_per_sample.mistake(
    "You mixed the probabilities and took one logarithm. That is right for labels of 0 and 1 only.",
    hint="A label of 0.3 takes 0.3 of one logarithm and 0.7 of the other.",
)
def _(p, y):
    return -(y * p + (1 - y) * (1 - p)).log()


@bce_per_sample.mistake(
    "The minus applies to the first half only. Both logarithms are negative, so both need it.",
    hint="Put parentheses round the sum.",
)
def _(p, y):
    return -y * p.log() + (1 - y) * (1 - p).log()


@bce_per_sample.mistake(
    "You decided by `y == 1` and lost the labels in between.",
    hint="A label of 0.3 takes 0.3 of one logarithm and 0.7 of the other.",
)
def _(p, y):
    return torch.where(y == 1, -p.log(), -(1 - p).log())


@bce_per_sample.mistake(
    "Parentheses are missing: `1 - y * log(1 - p)` multiplies first and subtracts afterwards.",
    hint="(1 − y)·log(1 − p)",
)
def _(p, y):
    return -(y * p.log() + 1 - y * (1 - p).log())


# ---------------------------------------------------------------- bce


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "You have the losses of the samples already. What is left is what each word of `reduction` returns.",
        "Three ways out: `losses`, `losses.sum()`, `losses.mean()`.",
    ],
    built="You have built `F.binary_cross_entropy(p, y, reduction=…)`; as a module it is `nn.BCELoss(reduction=…)`.",
)
def bce(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, y, reduction=reduction)


bce.case("the lesson's example", example=True)(example)
bce.case("random probabilities", gradient="p")(ordinary)


@bce.case("every reduction", gradient="p")
def _(rng):
    p, y = ordinary(rng)
    return [call(p, y, reduction=r) for r in ("mean", "sum", "none")]


bce.case("soft labels", gradient="p")(soft)
bce.case("a matrix of probabilities")(lambda rng: (rng.probabilities(3, 4), rng.labels(3, 4)))
bce.case("float32", dtype=torch.float32, gradient="p")(ordinary)
bce.case("nearly certain predictions", extreme=True)(certain)


@bce.mistake(
    "Both logarithms are weighted with y. The second is that of the probability of label 0, and its weight is 1 − y."
)
def _(p, y, reduction="mean"):
    losses = -(y * torch.log(p) + y * torch.log(1 - p))
    return losses if reduction == "none" else getattr(losses, reduction)()


@bce.mistake(
    "You added the losses up. The mean divides their sum by N.",
    hint='Look at `reduction`: its default is "mean".',
)
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, y, reduction="sum")


@bce.mistake(
    "You decided by the label and lost those in between: 0.3 takes 0.3 of one logarithm and 0.7 of the other."
)
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, (y >= 0.5).to(p.dtype), reduction=reduction)


@bce.mistake(
    "You asked whether the label is 1 and took every other one for 0. A label in between, such as 0.3, takes 0.3 of one logarithm and "
    "0.7 of the other."
)
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, (y == 1).to(p.dtype), reduction=reduction)


@bce.mistake('`reduction` has no effect: "sum" and "none" still give the mean.')
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, y)


@bce.mistake('"sum" and "mean" are swapped.')
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, y, reduction={"sum": "mean", "mean": "sum"}.get(reduction, reduction))


@bce.mistake("The minus is missing: logarithms of probabilities are negative, a loss is not.")
def _(p, y, reduction="mean"):
    return -F.binary_cross_entropy(p, y, reduction=reduction)


@bce.mistake("Only the samples with y = 1 cost something.", hint="The other half is (1 − y)·log(1 − p).")
def _(p, y, reduction="mean"):
    losses = -y * p.log()
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@bce.mistake(
    'With `reduction="none"` the losses stay as they are, one for each sample; yours are still reduced.'
)
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy(p, y, reduction="sum" if reduction == "sum" else "mean")


@bce.mistake(
    "The mean runs over the first dimension only. A matrix of probabilities has more to average.",
    hint="`.mean()` without `dim` averages over all entries.",
)
def _(p, y, reduction="mean"):
    losses = F.binary_cross_entropy(p, y, reduction="none")
    return {"mean": losses.mean(dim=0), "sum": losses.sum(dim=0), "none": losses}[reduction]


@bce.mistake(
    "You divided by the number of rows, `len(p)` or `len(y)`. A matrix has more entries than rows.",
    hint="`p.numel()` counts the entries, and `.mean()` divides by it.",
)
def _(p, y, reduction="mean"):
    losses = F.binary_cross_entropy(p, y, reduction="none")
    return {"mean": losses.sum() / len(p), "sum": losses.sum(), "none": losses}[reduction]


@bce.mistake("You put p through another sigmoid first, as if it were a score. It is a probability already.")
def _(p, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(p, y, reduction=reduction)


@bce.mistake(
    "You took −log|y − p|, the logarithm of the error: a perfect prediction costs infinitely much, and the worst one nothing.",
    hint="For a label of 0 or 1 the probability of what happened is 1 − |y − p|; the two logarithms of the definition also hold in between.",
)
def _(p, y, reduction="mean"):
    losses = -torch.log((y - p).abs())
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@bce.mistake(
    "You divided by the sum of the labels, which counts the ones. The mean is over all samples.",
    hint="`.mean()` divides by their number.",
)
def _(p, y, reduction="mean"):
    losses = F.binary_cross_entropy(p, y, reduction="none")
    return {"mean": losses.sum() / y.sum(), "sum": losses.sum(), "none": losses}[reduction]


# ---------------------------------------------------------------- bce_clamped


def sure(rng, p, y):
    """One certain sample, so that a nan of one does not hide what the others get."""
    return torch.tensor([p], dtype=rng.dtype), torch.tensor([y], dtype=rng.dtype)


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "0·log 0 is nan because log 0 is −inf. The infinity has to go before anything is multiplied by it.",
        "Clamp the logarithms, not the probabilities: log 0 is −inf, and −inf becomes −100.",
        "`torch.log(p).clamp(min=-100)`, and the same for log(1 − p).",
    ],
    built="This is what `nn.BCELoss` computes: its documentation says that it clamps its logarithms at −100.",
)
def bce_clamped(p, y):
    return F.binary_cross_entropy(p, y)


bce_clamped.case("the lesson's example", example=True)(example)
bce_clamped.case("random probabilities", gradient="p")(ordinary)
bce_clamped.case("soft labels", gradient="p")(soft)
bce_clamped.case("sure and wrong", extreme=True)(lambda rng: [sure(rng, 0.0, 1.0), sure(rng, 1.0, 0.0)])
bce_clamped.case("sure and right", extreme=True)(lambda rng: [sure(rng, 1.0, 1.0), sure(rng, 0.0, 0.0)])
bce_clamped.case("sure, and a label in between", extreme=True)(
    lambda rng: [sure(rng, 0.0, 0.3), sure(rng, 1.0, 0.3), sure(rng, 0.0, 0.8)]
)
bce_clamped.case("tiny probabilities", extreme=True)(
    lambda rng: (torch.tensor([1e-30, 1e-12, 1e-60, 0.5], dtype=rng.dtype), torch.ones(4, dtype=rng.dtype))
)
bce_clamped.case("float32", dtype=torch.float32)(ordinary)


@bce_clamped.mistake(
    "Both logarithms are weighted with y. The second is that of the probability of label 0, and its weight is 1 − y."
)
def _(p, y):
    log_p, log_q = torch.log(p).clamp(min=-100), torch.log(1 - p).clamp(min=-100)
    return -(y * log_p + y * log_q).mean()


@bce_clamped.mistake(
    "You decided by the label and lost those in between: 0.3 takes 0.3 of one logarithm and 0.7 of the other."
)
def _(p, y):
    return F.binary_cross_entropy(p, (y >= 0.5).to(p.dtype))


@bce_clamped.mistake(
    "You asked whether the label is 1 and took every other one for 0. A label in between, such as 0.3, takes 0.3 of one logarithm and "
    "0.7 of the other."
)
def _(p, y):
    return F.binary_cross_entropy(p, (y == 1).to(p.dtype))


@bce_clamped.mistake(
    "There is no clamp: where p is exactly 0 or 1, log 0 gives inf and 0·log 0 gives nan.",
    hint="log 0 is −inf; `clamp(min=-100)` catches it.",
)
def _(p, y):
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


@bce_clamped.mistake(
    "You clamped the probabilities away from 0 and 1. Then being sure and wrong costs what your "
    "epsilon says, not 100.",
    hint="Clamp something else, at −100.",
)
def _(p, y):
    q = p.clamp(1e-7, 1 - 1e-7)
    return -(y * q.log() + (1 - y) * (1 - q).log()).mean()


@bce_clamped.mistake(
    "You added an epsilon inside the logarithm: that shifts every loss a little, and its ceiling is not 100.",
    hint="Clamp the logarithm itself.",
)
def _(p, y):
    return -(y * (p + 1e-8).log() + (1 - y) * (1 - p + 1e-8).log()).mean()


@bce_clamped.mistake(
    "You clamped after multiplying by y: 0·(−inf) is nan before the clamp can help.",
    hint="Clamp the logarithm first.",
)
def _(p, y):
    return -((y * p.log()).clamp(min=-100) + ((1 - y) * (1 - p).log()).clamp(min=-100)).mean()


@bce_clamped.mistake(
    "You clamped each sample's loss at 100. Where the label lies between 0 and 1, only its share of the logarithm counts, and only that "
    "share of 100.",
    hint="Clamp the two logarithms, each at −100.",
)
def _(p, y):
    return -(torch.xlogy(y, p) + torch.xlogy(1 - y, 1 - p)).clamp(min=-100).mean()


@bce_clamped.mistake(
    "You replaced nan and inf by 0: a model that is sure and wrong would pay nothing.",
    hint="A logarithm of −inf counts as −100.",
)
def _(p, y):
    return torch.nan_to_num(-(y * p.log() + (1 - y) * (1 - p).log()), nan=0.0, posinf=0.0).mean()


@bce_clamped.mistake(
    "You replaced only what is infinite. A logarithm may be finite and below −100, too: log 1e−60 is −138.",
    hint="A clamp catches both.",
)
def _(p, y):
    return torch.nan_to_num(-(y * p.log() + (1 - y) * (1 - p).log()), nan=0.0, posinf=100.0).mean()


@bce_clamped.mistake("You clamped log p only. 1 − p can be 0, too.")
def _(p, y):
    return -(y * p.log().clamp(min=-100) + (1 - y) * (1 - p).log()).mean()


@bce_clamped.mistake("You added the losses up. The mean divides their sum by N.")
def _(p, y):
    return F.binary_cross_entropy(p, y, reduction="sum")


@bce_clamped.mistake(
    "You clamped the right thing at another number: being sure and wrong costs 100.",
    hint="A loss of 100 is a logarithm of −100.",
)
def _(p, y):
    log_p, log_q = (v.log().clamp(min=-1000) for v in (p, 1 - p))
    return -(y * log_p + (1 - y) * log_q).mean()


# ---------------------------------------------------------------- bce_grad


@exercise(
    points=3,
    without=[*PYTORCH, torch.autograd.grad, torch.Tensor.backward, torch.autograd.backward, torch.func.jvp],
    hints=[
        "Differentiate −log p, and −log(1 − p), with respect to p. Mind the inner derivative of 1 − p.",
        "−1/p when y is 1, 1/(1 − p) when y is 0.",
        "Both at once: (p − y) / (p·(1 − p)).",
    ],
    built="The slope of each sample's loss: (p − y) / (p(1 − p)). Autograd computes it when you call `loss.backward()`; "
    "with the mean each entry is divided by N.",
)
def bce_grad(p, y):
    return (p - y) / (p * (1 - p))


bce_grad.case("the lesson's example", example=True)(example)
bce_grad.case("random probabilities")(ordinary)
bce_grad.case("labels between 0 and 1")(lambda rng: (rng.probabilities(6), rng.uniform(6)))
bce_grad.case("a matrix of probabilities")(lambda rng: (rng.probabilities(3, 4), rng.labels(3, 4)))
bce_grad.case("float32", dtype=torch.float32)(ordinary)
bce_grad.case("nearly certain predictions", extreme=True)(certain)


@bce_grad.mistake(
    "This is p − y, the derivative with respect to the score.",
    hint="With respect to p it is divided by p(1 − p). Differentiate −log p.",
)
def _(p, y):
    return p - y


@bce_grad.mistake(
    "You divided by N.", hint="Return each sample's own derivative; the mean divides by N later."
)
def _(p, y):
    return (p - y) / (p * (1 - p)) / len(p)


@bce_grad.mistake(
    "The sign is flipped: with y = 1 a larger p makes the loss smaller, so its slope is negative."
)
def _(p, y):
    return (y - p) / (p * (1 - p))


@bce_grad.mistake(
    "The sign of the second half is wrong: the inner derivative of 1 − p is missing.",
    hint="d/dp log(1 − p) is −1/(1 − p).",
)
def _(p, y):
    return -y / p - (1 - y) / (1 - p)


@bce_grad.mistake(
    "You differentiated only the half with y = 1: −y/p.", hint="For y = 0 the slope is 1/(1 − p)."
)
def _(p, y):
    return -y / p


@bce_grad.mistake(
    "You decided by `y == 1` and lost the labels in between.",
    hint="A label of 0.3 takes 0.3 of one slope and 0.7 of the other.",
)
def _(p, y):
    return torch.where(y == 1, -1 / p, 1 / (1 - p))


@bce_grad.mistake(
    "Parentheses are missing: `/ p * (1 - p)` divides by p and multiplies by 1 − p.",
    hint="Both belong in the denominator.",
)
def _(p, y):
    return (p - y) / p * (1 - p)


@bce_grad.mistake(
    "Parentheses are missing: `/ 1 - p` divides by 1 and subtracts p afterwards.",
    hint="All of 1 − p belongs in the denominator.",
)
def _(p, y):
    return -y / p + (1 - y) / 1 - p


@bce_grad.mistake(
    "You multiplied p − y by p(1 − p). The logarithm's slope is 1/p: p and 1 − p divide.",
    hint="d/dp log p is 1/p: the slope grows where p is small.",
)
def _(p, y):
    return (p - y) * p * (1 - p)


@bce_grad.mistake("2·(p − y) is the slope of the squared error, not of the cross-entropy.")
def _(p, y):
    return 2 * (p - y)


@bce_grad.mistake("You return the loss itself, not its derivative.")
def _(p, y):
    return F.binary_cross_entropy(p, y, reduction="none")
