"""Exercises of 08_cross_entropy: cross-entropy, from its definition to `CrossEntropyLoss`.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

PYTORCH = [F.cross_entropy, F.nll_loss, nn.CrossEntropyLoss, nn.NLLLoss, F.kl_div, nn.KLDivLoss]
Y = [0, 2, 3, 1]
Z = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]


def example(rng):
    return torch.tensor(Z, dtype=rng.dtype), torch.tensor(Y)


def ordinary(rng):
    """Logits and labels; N is never C, and neither is the example's."""
    n, c = rng.size(6, 9), rng.size(3, 4)
    return rng.logits(n, c), rng.classes(n, num_classes=c)


def many_classes(rng):
    """More classes than samples."""
    return rng.logits(3, 8), rng.classes(3, num_classes=8)


def one_sample(rng):
    return rng.logits(1, 4), rng.classes(1, num_classes=4)


def surprising(rng):
    """Labels whose probability is about 1e-11: small, and no reason for an epsilon."""
    z, y = ordinary(rng)
    return z.scatter(1, y[:, None], -25.0), y


def extremes(rng):
    """Logits of ±1000; the first sample is sure and wrong, the second sure and right, the third all at −1000."""
    z = 1000 * rng.signs(6, 4)
    z[:3] = -1000
    z[0, 1], z[1, 2] = 1000, 1000
    y = rng.classes(6, num_classes=4)
    y[0], y[1] = 3, 2
    return z, y


def sure_and_wrong(rng):
    """One sample at a time, so that the loss of one does not drown the other's."""
    return [(torch.tensor([[1000.0, 0.0, -1000.0]], dtype=rng.dtype), torch.tensor([k])) for k in (0, 1, 2)]


def reductions(make):
    def ask(rng):
        a, y = make(rng)
        return [call(a, y, reduction=r) for r in ("mean", "sum", "none")]

    return ask


def p_and(one_hot=None, of=ordinary):
    """Probabilities instead of logits; labels one-hot in the given dtype."""

    def make(rng):
        z, y = of(rng)
        p = torch.softmax(z.double(), dim=1).to(rng.dtype)
        return (
            (p, y)
            if one_hot is None
            else (p, F.one_hot(y, z.shape[1]).to(rng.dtype if one_hot == "float" else one_hot))
        )

    return make


def log_p_and(of=ordinary):
    def make(rng):
        z, y = of(rng)
        return torch.log_softmax(z, dim=1), y

    return make


# ---------------------------------------------------------------- cross_entropy_one_hot


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "The infinities come from the logarithm of the zeros that the product made. Probabilities themselves are never 0 here.",
        "Take the logarithm of p first. The zeros of the one-hot labels then multiply finite numbers.",
        "Sum over the classes (`dim=1`), flip the sign, and take the mean over the samples.",
    ],
    built="Cross-entropy in its textbook form: minus the sum over the classes of y·log p, averaged over the samples. PyTorch computes it when `F.cross_entropy` gets probabilities as targets.",
)
def cross_entropy_one_hot(p, y_one_hot):
    return -(y_one_hot * p.log()).sum(dim=1).mean()


cross_entropy_one_hot.case("the lesson's example", example=True, gradient="p")(p_and(torch.int64, example))
cross_entropy_one_hot.case("random probabilities, integer labels", gradient="p")(p_and(torch.int64))
cross_entropy_one_hot.case("labels of other dtypes")(
    lambda rng: [p_and(d)(rng) for d in ("float", torch.int32, torch.float64)]
)
cross_entropy_one_hot.case("one sample, many classes")(
    lambda rng: [p_and("float", one_sample)(rng), p_and("float", many_classes)(rng)]
)
cross_entropy_one_hot.case("labels that hardly ever happen", gradient="p", extreme=True)(
    p_and("float", surprising)
)
cross_entropy_one_hot.case("float32", dtype=torch.float32, gradient="p")(p_and("float"))


@cross_entropy_one_hot.mistake(
    "You swapped label and prediction: the logarithm is that of p, and the one-hot labels weight it. A logarithm of labels meets log 0, "
    "and an epsilon there only hides it."
)
def _(p, y_one_hot):
    return -(p * torch.log(y_one_hot.to(p.dtype) + 1e-9)).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You multiplied first and took the logarithm afterwards, so each class that is not the label gives log 0 = −inf.",
    hint="0 times a finite number is 0.",
)
def _(p, y_one_hot):
    return -(p * y_one_hot).log().sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You took the mean over the whole matrix, N·C numbers.",
    hint="Sum over the classes, and average over the N samples.",
)
def _(p, y_one_hot):
    return -(y_one_hot * p.log()).mean()


@cross_entropy_one_hot.mistake("You added up the losses of all samples. The mean divides their sum by N.")
def _(p, y_one_hot):
    return -(y_one_hot * p.log()).sum()


@cross_entropy_one_hot.mistake(
    "The minus is missing: logarithms of probabilities are negative, a loss is not."
)
def _(p, y_one_hot):
    return (y_one_hot * p.log()).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You added (1 − y)·log(1 − p), as in the binary loss. With softmax the other classes count already: what they get is missing from the true class."
)
def _(p, y_one_hot):
    return -(y_one_hot * p.log() + (1 - y_one_hot) * (1 - p).log()).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You took the largest probability of each row. The loss is about the one that the label names."
)
def _(p, y_one_hot):
    return -p.amax(dim=1).log().mean()


@cross_entropy_one_hot.mistake(
    "The logarithm is missing: you averaged the probabilities of the true classes."
)
def _(p, y_one_hot):
    return -(y_one_hot * p).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You applied a softmax to p. It holds probabilities already; its rows sum to 1."
)
def _(p, y_one_hot):
    return -(y_one_hot * torch.log_softmax(p, dim=1)).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You divided by the number of classes, C. The mean is over the samples.", hint="Divide by N."
)
def _(p, y_one_hot):
    return -(y_one_hot * p.log()).sum() / p.shape[1]


@cross_entropy_one_hot.mistake(
    "You added a small number inside the logarithm. That hides the infinities, but every 0 that the product made now costs 18.42.",
    hint="Take the logarithm of p first.",
)
def _(p, y_one_hot):
    return -(p * y_one_hot + 1e-8).log().sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "You added up the classes that are not the label. The 1 of the one-hot row marks the class that counts."
)
def _(p, y_one_hot):
    return -((1 - y_one_hot) * p.log()).sum(dim=1).mean()


@cross_entropy_one_hot.mistake(
    "Integers in brackets are row numbers: `p[y_one_hot]` fetches the rows 0 and 1, again and again. A mask consists of True and False.",
    hint="`p[y_one_hot == 1]`.",
)
def _(p, y_one_hot):
    return -p[y_one_hot.long()].log().mean()


@cross_entropy_one_hot.mistake(
    "You averaged the probabilities and took one logarithm.",
    hint="Take the logarithm of each sample's probability, and the mean last.",
)
def _(p, y_one_hot):
    return -(y_one_hot * p).sum(dim=1).mean().log()


# ---------------------------------------------------------------- cross_entropy_indices


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "`torch.where` gave two lists: row numbers and column numbers. You know both without making a one-hot matrix.",
        "The rows are 0, 1, …, N − 1 (`torch.arange`), the columns are y. `p[rows, columns]` picks one entry from each row.",
    ],
    built="The same loss without the one-hot matrix: one entry is picked from each row. PyTorch's losses take class indices in this form.",
)
def cross_entropy_indices(p, y):
    return F.nll_loss(p.log(), y)


cross_entropy_indices.case("the lesson's example", example=True, gradient="p")(p_and(of=example))
cross_entropy_indices.case("random probabilities", gradient="p")(p_and())
cross_entropy_indices.case("more classes than samples")(p_and(of=many_classes))
cross_entropy_indices.case("one sample")(p_and(of=one_sample))
cross_entropy_indices.case("labels that hardly ever happen", gradient="p", extreme=True)(p_and(of=surprising))
cross_entropy_indices.case("float32", dtype=torch.float32, gradient="p")(p_and())


@cross_entropy_indices.mistake(
    "`p[y]` picks whole rows, those whose numbers are in y. You need one entry from each row.",
    hint="Give both indices: the row numbers and y.",
)
def _(p, y):
    return -p[y].log().mean()


@cross_entropy_indices.mistake(
    "`p[:, y]` pairs every row with every label, N·N entries. Row 0 goes with label 0, row 1 with label 1, and so on.",
    hint="Give both indices: the row numbers and y.",
)
def _(p, y):
    return -p[:, y].log().mean()


@cross_entropy_indices.mistake(
    "You took the largest probability of each row. The loss is about the one that the label names."
)
def _(p, y):
    return -p.amax(dim=1).log().mean()


@cross_entropy_indices.mistake(
    "You averaged the probabilities and took one logarithm.",
    hint="Take the logarithm of each sample's probability, and the mean last.",
)
def _(p, y):
    return -p[torch.arange(len(y)), y].mean().log()


@cross_entropy_indices.mistake(
    "You shifted the labels by one. Classes count from 0: label 0 means the first column."
)
def _(p, y):
    return -p[torch.arange(len(y)), y - 1].log().mean()


@cross_entropy_indices.mistake(
    "The logarithm is missing: you averaged the probabilities of the true classes."
)
def _(p, y):
    return -p[torch.arange(len(y)), y].mean()


@cross_entropy_indices.mistake("You added up the losses of all samples. The mean divides their sum by N.")
def _(p, y):
    return F.nll_loss(p.log(), y, reduction="sum")


@cross_entropy_indices.mistake(
    "You picked p[y[i], 0], as gathering along dimension 0 does: the class number became the row. The row is i, and the class number says which column.",
    hint="The classes are dimension 1.",
)
def _(p, y):
    return -p[y, 0].log().mean()


@cross_entropy_indices.mistake(
    "The minus is missing: logarithms of probabilities are negative, a loss is not."
)
def _(p, y):
    return -F.nll_loss(p.log(), y)


@cross_entropy_indices.mistake(
    "The one-hot rows are inside your logarithm, so each class that is not the label gives log 0 = −inf.",
    hint="Pick first, then take the logarithm.",
)
def _(p, y):
    return -(F.one_hot(y, p.shape[1]) * p).log().sum(dim=1).mean()


@cross_entropy_indices.mistake("You swapped rows and columns: `p[y, rows]`. The row number comes first.")
def _(p, y):
    return -p[y, torch.arange(len(y))].log().mean()


@cross_entropy_indices.mistake(
    "You multiplied by the class numbers. They are names, not quantities: class 3 does not count three times. They say which column to take."
)
def _(p, y):
    return -(y[:, None] * p.log()).sum(dim=1).mean()


@cross_entropy_indices.mistake(
    "You divided by the number of classes, C. The mean is over the samples.", hint="Divide by N."
)
def _(p, y):
    return F.nll_loss(p.log(), y, reduction="sum") / p.shape[1]


@cross_entropy_indices.mistake(
    "You counted only the first sample, row 0 with its label. If you wrote a loop: a `return` inside it ends it at once."
)
def _(p, y):
    return -p[0, y[0]].log()


# ---------------------------------------------------------------- nll_loss


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "log_p holds logarithms already. What is left to do: pick, flip the sign, reduce.",
        "Pick one entry of each row as before, and put a minus in front: these are the losses. Then `reduction` decides.",
    ],
    built="You have built `F.nll_loss(log_p, y, reduction=…)`; as a module it is `nn.NLLLoss(reduction=…)`. There is no logarithm in it.",
)
def nll_loss(log_p, y, reduction="mean"):
    return F.nll_loss(log_p, y, reduction=reduction)


nll_loss.case("the lesson's example", example=True, gradient="log_p")(log_p_and(example))
nll_loss.case("random log-probabilities", gradient="log_p")(log_p_and())
nll_loss.case("every reduction", gradient="log_p")(reductions(log_p_and()))
nll_loss.case("more classes than samples")(reductions(log_p_and(many_classes)))
nll_loss.case("float32", dtype=torch.float32, gradient="log_p")(reductions(log_p_and()))


@nll_loss.case("log-probabilities of −1000 and −2000", gradient="log_p", extreme=True)
def _(rng):
    """Where the way back through the probability, exp(−1000), is lost."""
    log_p = torch.tensor([[0.0, -1000.0, -2000.0]], dtype=rng.dtype)
    return [(log_p, torch.tensor([label])) for label in (1, 2)]


@nll_loss.mistake(
    "You took the logarithm once more. log_p holds logarithms already: negative numbers, whose logarithm is nan."
)
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p.log(), y, reduction=reduction)


@nll_loss.mistake(
    "You went back to the probability and took its logarithm again: exp(−1000) is 0, and log 0 is −inf. log_p holds the logarithm already.",
    hint="Pick, and flip the sign.",
)
def _(log_p, y, reduction="mean"):
    return _reduced(-log_p.exp()[torch.arange(len(y)), y].log(), reduction)


@nll_loss.mistake(
    "You undid the logarithm. The loss is minus the log-probability, not minus the probability."
)
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p.exp(), y, reduction=reduction)


@nll_loss.mistake("The minus is missing: log-probabilities are negative, a loss is not.")
def _(log_p, y, reduction="mean"):
    return -F.nll_loss(log_p, y, reduction=reduction)


@nll_loss.mistake('`reduction` has no effect: "sum" and "none" still give the mean.')
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p, y)


@nll_loss.mistake('You swapped "sum" and "mean".')
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p, y, reduction={"sum": "mean", "mean": "sum"}.get(reduction, reduction))


@nll_loss.mistake(
    'With `reduction="none"` you still reduce the losses.',
    hint="Return them as they are, one for each sample.",
)
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p, y, reduction="sum" if reduction == "sum" else "mean")


@nll_loss.mistake(
    "You averaged over the whole matrix, zeros included. The mean divides by N, the number of samples, not by N·C."
)
def _(log_p, y, reduction="mean"):
    losses = -F.one_hot(y, log_p.shape[1]) * log_p
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses.sum(dim=1)}[reduction]


@nll_loss.mistake(
    "You took the largest log-probability of each row. The loss is about the one that the label names."
)
def _(log_p, y, reduction="mean"):
    return F.nll_loss(log_p, log_p.argmax(dim=1), reduction=reduction)


@nll_loss.mistake("You added up the whole row. Only the entry that the label names counts.")
def _(log_p, y, reduction="mean"):
    losses = -log_p.sum(dim=1)
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@nll_loss.mistake(
    "`log_p[:, y]` pairs every row with every label, N·N entries. Row 0 goes with label 0, row 1 with label 1, and so on.",
    hint="Give both indices: the row numbers and y.",
)
def _(log_p, y, reduction="mean"):
    return _reduced(-log_p[:, y], reduction)


@nll_loss.mistake(
    "You applied log_softmax to log_p, whose rows are log-probabilities already. The value stays, but the slope is no longer −1 at the label and 0 elsewhere."
)
def _(log_p, y, reduction="mean"):
    return F.cross_entropy(log_p, y, reduction=reduction)


@nll_loss.mistake(
    'With `reduction="none"` you return the whole matrix.',
    hint="Return one loss for each sample, the picked entries, of shape (N,).",
)
def _(log_p, y, reduction="mean"):
    losses = -F.one_hot(y, log_p.shape[1]) * log_p
    return losses if reduction == "none" else _reduced(losses.sum(dim=1), reduction)


@nll_loss.mistake(
    "You divided by the number of classes, C. The mean is over the samples.", hint="Divide by N."
)
def _(log_p, y, reduction="mean"):
    return (
        F.nll_loss(log_p, y, reduction="sum") / log_p.shape[1]
        if reduction == "mean"
        else F.nll_loss(log_p, y, reduction=reduction)
    )


@nll_loss.mistake("You picked the first sample's label from every row. Row i goes with its own label, y[i].")
def _(log_p, y, reduction="mean"):
    return _reduced(-log_p[:, y[0]], reduction)


# ---------------------------------------------------------------- cross_entropy


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Where does the naive way break? At the logarithm of a probability that is 0. Do not make the probability at all.",
        "log p of the true class is its logit minus the log-sum-exp of its row: `torch.log_softmax` or `torch.logsumexp`, from 07.",
        "`log_softmax(z, dim=1)`, and then what your `nll_loss` does.",
    ],
    built="You have built `F.cross_entropy(z, y, reduction=…)`: from logits to the loss without a probability on the way, so that nothing can overflow.",
)
def cross_entropy(z, y, reduction="mean"):
    return F.cross_entropy(z, y, reduction=reduction)


cross_entropy.case("the lesson's example", example=True, gradient="z")(example)
cross_entropy.case("random logits", gradient="z")(ordinary)
cross_entropy.case("every reduction", gradient="z")(reductions(ordinary))
cross_entropy.case("more classes than samples, one sample", gradient="z")(
    lambda rng: [many_classes(rng), one_sample(rng)]
)
cross_entropy.case("float32", dtype=torch.float32, gradient="z")(ordinary)
cross_entropy.case("logits of 1000, one by one", extreme=True, gradient="z")(sure_and_wrong)
cross_entropy.case("logits of 1000 in one batch", extreme=True, gradient="z")(reductions(extremes))
cross_entropy.case(
    "logits of 1000 in float32", extreme=True, gradient="z", dtype=torch.float32, rtol=1e-3, atol=1e-4
)(reductions(extremes))


def _reduced(losses, reduction):
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()


@cross_entropy.mistake(
    "You took the logarithm of a softmax, or of an exponential. Far below the largest logit it is exactly 0, so the loss is inf and its gradient nan. log_softmax does not make that 0.",
    hint="log p = z − logsumexp(z), row by row.",
)
def _(z, y, reduction="mean"):
    return F.nll_loss(torch.softmax(z, dim=1).log(), y, reduction=reduction)


@cross_entropy.mistake(
    "You took exp(1000), which overflows: inf divided by inf is nan.",
    hint="log_softmax from lesson 07 subtracts the largest logit first.",
)
def _(z, y, reduction="mean"):
    p = z.exp() / z.exp().sum(dim=1, keepdim=True)
    return F.nll_loss(p.log(), y, reduction=reduction)


@cross_entropy.mistake(
    "Your log-sum-exp is right in symbols, but exp(1000) overflows before the logarithm can bring it back, and the loss is inf.",
    hint="`torch.logsumexp` from lesson 07 subtracts the largest logit first.",
)
def _(z, y, reduction="mean"):
    return _reduced(z.exp().sum(dim=1).log() - z[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "You added a small number to the probability. A sample that is sure and wrong then costs at most minus the logarithm of that number, and every loss is a little off.",
    hint="Use log_softmax, where no 0 arises.",
)
def _(z, y, reduction="mean"):
    return F.nll_loss((torch.softmax(z, dim=1) + 1e-8).log(), y, reduction=reduction)


@cross_entropy.mistake(
    "You applied the softmax twice. The loss contains one, and a second one gets only numbers between 0 and 1."
)
def _(z, y, reduction="mean"):
    return F.cross_entropy(torch.softmax(z, dim=1), y, reduction=reduction)


@cross_entropy.mistake(
    "You picked from the logits themselves, which are not log-probabilities: the log-sum-exp of the row is missing."
)
def _(z, y, reduction="mean"):
    return F.nll_loss(z, y, reduction=reduction)


@cross_entropy.mistake("You picked probabilities instead of their logarithms, which gives a negative loss.")
def _(z, y, reduction="mean"):
    return F.nll_loss(torch.softmax(z, dim=1), y, reduction=reduction)


@cross_entropy.mistake("Your softmax runs down the columns, over the samples. The classes are dimension 1.")
def _(z, y, reduction="mean"):
    return F.nll_loss(torch.log_softmax(z, dim=0), y, reduction=reduction)


@cross_entropy.mistake('`reduction` has no effect: "sum" and "none" still give the mean.')
def _(z, y, reduction="mean"):
    return F.cross_entropy(z, y)


@cross_entropy.mistake('You swapped "sum" and "mean".')
def _(z, y, reduction="mean"):
    return F.cross_entropy(z, y, reduction={"sum": "mean", "mean": "sum"}.get(reduction, reduction))


@cross_entropy.mistake(
    "You used the largest logit of each row instead of the label's. That is the loss of a model whose every guess is right."
)
def _(z, y, reduction="mean"):
    return F.cross_entropy(z, z.argmax(dim=1), reduction=reduction)


@cross_entropy.mistake(
    "You subtracted each row's largest logit inside the exponentials and not from the label's logit: the loss is off by exactly that number.",
    hint="Add it back after the logarithm, or subtract it in both places.",
)
def _(z, y, reduction="mean"):
    m = z.amax(dim=1, keepdim=True)
    return _reduced((z - m).exp().sum(dim=1).log() - z[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "You subtracted the largest logit of the whole matrix. Each row needs its own: next to one at 1000, a row at −1000 underflows to 0, and log 0 is −inf."
)
def _(z, y, reduction="mean"):
    shifted = z - z.max()
    return _reduced(shifted.exp().sum(dim=1).log() - shifted[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "You added the log-sum-exp to the label's logit. The loss is their difference.",
    hint="logsumexp(z) − z_y.",
)
def _(z, y, reduction="mean"):
    return _reduced(torch.logsumexp(z, dim=1) + z[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "You clamped the logits. Nothing overflows, but a sample that is wrong by 1000 costs too little, and logits beyond the limit have no slope."
)
def _(z, y, reduction="mean"):
    return F.cross_entropy(z.clamp(-100, 100), y, reduction=reduction)


@cross_entropy.mistake(
    "You clamped the probabilities. That avoids inf, but a sample that is wrong by 1000 costs no more than your limit allows, and has no slope."
)
def _(z, y, reduction="mean"):
    return F.nll_loss(torch.softmax(z, dim=1).clamp(min=1e-12).log(), y, reduction=reduction)


@cross_entropy.mistake(
    "You took a binary loss for each class separately. The classes compete in one softmax, and only the label's log-probability counts."
)
def _(z, y, reduction="mean"):
    return _reduced(
        F.binary_cross_entropy_with_logits(z, F.one_hot(y, z.shape[1]).to(z.dtype), reduction="none").sum(
            dim=1
        ),
        reduction,
    )


@cross_entropy.mistake(
    "The value is right, but you cut the log-sum-exp off with `detach`, so its slope, the probabilities, is missing."
)
def _(z, y, reduction="mean"):
    return _reduced(torch.logsumexp(z, dim=1).detach() - z[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "`z[:, y]` pairs every row with every label, N·N entries. Row 0 goes with label 0, row 1 with label 1, and so on.",
    hint="Give both indices: the row numbers and y.",
)
def _(z, y, reduction="mean"):
    return _reduced(torch.logsumexp(z, dim=1) - z[:, y], reduction)


@cross_entropy.mistake("You took one log-sum-exp over the whole matrix. Each row has its own: `dim=1`.")
def _(z, y, reduction="mean"):
    return _reduced(torch.logsumexp(z.flatten(), dim=0) - z[torch.arange(len(y)), y], reduction)


@cross_entropy.mistake(
    "You left out the score of the label: the log-sum-exp alone is the same whatever the labels are.",
    hint="Minus log softmax is the log-sum-exp of the row minus the label's score.",
)
def _(z, y, reduction="mean"):
    losses = torch.logsumexp(z, dim=1)
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@cross_entropy.mistake(
    "You divided each row by its largest score. Subtract it: softmax stays the same when a number is subtracted from all scores, not when they are divided.",
)
def _(z, y, reduction="mean"):
    return F.cross_entropy(z / z.amax(dim=1, keepdim=True), y, reduction=reduction)


# ---------------------------------------------------------------- cross_entropy_grad


@exercise(
    points=3,
    without=[
        *PYTORCH,
        torch.autograd.grad,
        torch.Tensor.backward,
        torch.autograd.backward,
        torch.autograd.functional.jacobian,
        torch.autograd.functional.vjp,
        torch.autograd.functional.jvp,
        torch.func.jacrev,
        torch.func.jacfwd,
    ],
    hints=[
        "Differentiate logsumexp(z) − z_y with respect to one logit z_c. The first part gives the same expression for every c; the second gives something only where c is the label.",
        "d logsumexp(z) / d z_c is the softmax p_c.",
        "p − y, with y one-hot. Mind the dtype, and that no exp overflows: `torch.softmax` is safe.",
    ],
    built="p − y, the gradient of softmax with cross-entropy. Autograd computes it in `loss.backward()`; with the mean each entry is divided by N.",
)
def cross_entropy_grad(z, y):
    return torch.softmax(z, dim=1) - F.one_hot(y, z.shape[1]).to(z.dtype)


cross_entropy_grad.case("the lesson's example", example=True)(example)
cross_entropy_grad.case("random logits")(ordinary)
cross_entropy_grad.case("more classes than samples, one sample")(
    lambda rng: [many_classes(rng), one_sample(rng)]
)
cross_entropy_grad.case("float32", dtype=torch.float32)(ordinary)
cross_entropy_grad.case("logits of 1000", extreme=True)(lambda rng: [extremes(rng), *sure_and_wrong(rng)])


def _slope(z, y):
    return torch.softmax(z, dim=1) - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You divided by N.", hint="Return each sample's own derivative; the mean divides by N later."
)
def _(z, y):
    return _slope(z, y) / len(z)


@cross_entropy_grad.mistake(
    "The sign is wrong: a larger logit of the true class makes the loss smaller, so its derivative is negative."
)
def _(z, y):
    return -_slope(z, y)


@cross_entropy_grad.mistake(
    "You return the probabilities alone. The second part, which is not 0 at the true class, is missing.",
    hint="−1 at the label.",
)
def _(z, y):
    return torch.softmax(z, dim=1)


@cross_entropy_grad.mistake(
    "In your function only the true class has a slope. Every logit is in the log-sum-exp, so every class has one."
)
def _(z, y):
    return _slope(z, y) * F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You subtracted the label from the logit. The derivative of log-sum-exp is the softmax.",
    hint="p − y, not z − y.",
)
def _(z, y):
    return z - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You have log-probabilities where probabilities belong: log p − y. The derivative of log-sum-exp is the softmax itself.",
    hint="p − y, not log p − y.",
)
def _(z, y):
    return torch.log_softmax(z, dim=1) - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You subtracted the class numbers themselves. Here y stands for its one-hot row: 1 at the label, 0 elsewhere."
)
def _(z, y):
    return torch.softmax(z, dim=1) - y[:, None]


@cross_entropy_grad.mistake(
    "You added the one-hot label. A larger logit of the true class lowers the loss, so it has to be subtracted."
)
def _(z, y):
    return torch.softmax(z, dim=1) + F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake("You subtracted 1 at the model's own guess. It belongs to the label.")
def _(z, y):
    return _slope(z, z.argmax(dim=1))


@cross_entropy_grad.mistake(
    "You multiplied by p(1 − p), as for a squared error. With the logarithm that factor cancels."
)
def _(z, y):
    p = torch.softmax(z, dim=1)
    return _slope(z, y) * p * (1 - p)


@cross_entropy_grad.mistake(
    "Your entry at the label is p(1 − p), the slope of the probability itself. The loss is minus its logarithm.",
    hint="Differentiate logsumexp(z) − z_y: what does −z_y give at the label?",
)
def _(z, y):
    p, at = torch.softmax(z, dim=1), F.one_hot(y, z.shape[1])
    return torch.where(at == 1, p * (1 - p), p)


@cross_entropy_grad.mistake(
    "You return the derivative with respect to the probability, −y/p.",
    hint="Return the one with respect to the logit.",
)
def _(z, y):
    return -F.one_hot(y, z.shape[1]) / torch.softmax(z, dim=1)


@cross_entropy_grad.mistake(
    "Your softmax runs down the columns, over the samples. The classes are dimension 1."
)
def _(z, y):
    return torch.softmax(z, dim=0) - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You took exp(1000), which overflows: inf divided by inf is nan.",
    hint="The stable softmax from lesson 07 subtracts the largest logit first.",
)
def _(z, y):
    return z.exp() / z.exp().sum(dim=1, keepdim=True) - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake("Your entry at the label is 0. The log-sum-exp has a slope there, too: p − 1.")
def _(z, y):
    return torch.softmax(z, dim=1) * (1 - F.one_hot(y, z.shape[1]))


@cross_entropy_grad.mistake(
    "`p[:, y] -= 1` subtracts 1 in the columns of all labels, in every row. Pair rows and labels.",
    hint="`p[torch.arange(len(y)), y] -= 1`.",
)
def _(z, y):
    p = torch.softmax(z, dim=1)
    p[:, y] -= 1
    return p


@cross_entropy_grad.mistake(
    "`p[y] -= 1` subtracts 1 in whole rows. Pair rows and labels.", hint="`p[torch.arange(len(y)), y] -= 1`."
)
def _(z, y):
    p = torch.softmax(z, dim=1).repeat(8, 1)  # y may be larger than the last row's number
    p[y] -= 1
    return p[: len(z)]


@cross_entropy_grad.mistake(
    "You used the sigmoid of each logit. The derivative of log-sum-exp is the softmax: the classes compete."
)
def _(z, y):
    return torch.sigmoid(z) - F.one_hot(y, z.shape[1])


@cross_entropy_grad.mistake(
    "You changed the logits a little and took differences. That loses about a third of the digits, in float32 most of them.",
    hint="Write your derivation.",
)
def _(z, y):
    h, nudge = 1e-5, torch.eye(z.shape[1], dtype=z.dtype)
    losses = lambda z: F.cross_entropy(z, y, reduction="none")  # noqa: E731
    return torch.stack([(losses(z + h * e) - losses(z - h * e)) / (2 * h) for e in nudge], dim=1)


@cross_entropy_grad.mistake(
    "You return the slopes of the true classes alone, one for each sample. Every logit has one.",
    hint="Return the whole matrix, (N, C).",
)
def _(z, y):
    return torch.softmax(z, dim=1)[torch.arange(len(y)), y] - 1


# ---------------------------------------------------------------- CrossEntropy


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "The constructor gets what stays the same from batch to batch, and `forward` gets what changes. Where is each needed?",
        "Write `self.reduction = reduction` in `__init__`. `forward` computes the losses and looks at `self.reduction`.",
        "`forward` may call your own `cross_entropy(z, y, reduction=self.reduction)`.",
    ],
    built="You have built `nn.CrossEntropyLoss(reduction=…)`: an object that remembers its settings and is called with logits and labels.",
)
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        return F.cross_entropy(z, y, reduction=self.reduction)


def built(make):
    def ask(rng):
        z, y = make(rng)
        return [call(z, y).built_with(reduction=r) for r in ("mean", "sum", "none")]

    return ask


CrossEntropy.case("the lesson's example", example=True, gradient="z")(example)
CrossEntropy.case("built without an argument", gradient="z")(ordinary)
CrossEntropy.case("every reduction", gradient="z")(built(ordinary))
CrossEntropy.case("float32", dtype=torch.float32, gradient="z")(built(ordinary))
CrossEntropy.case("logits of 1000, one by one", extreme=True, gradient="z")(sure_and_wrong)


def wrong_module(loss):
    """A module that keeps its reduction and computes `loss(z, y, reduction)`."""

    class Wrong(nn.Module):
        def __init__(self, reduction="mean"):
            super().__init__()
            self.reduction = reduction

        def forward(self, z, y):
            return loss(z, y, self.reduction)

    return Wrong


CrossEntropy.mistake(
    "The object forgets its `reduction`: whatever it was built with, it returns the mean.",
    hint="Keep it in `self.reduction`, and read it in `forward`.",
)(wrong_module(lambda z, y, r: F.cross_entropy(z, y)))

CrossEntropy.mistake(
    "The object forgets its `reduction`: it always returns the losses of the samples, where the default is their mean."
)(wrong_module(lambda z, y, r: F.cross_entropy(z, y, reduction="none")))


@CrossEntropy.mistake(
    'Built without an argument, your module returns the sum. The default of `reduction` is "mean".'
)
class _SumByDefault(nn.Module):
    def __init__(self, reduction="sum"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        return F.cross_entropy(z, y, reduction=self.reduction)


CrossEntropy.mistake('You swapped "sum" and "mean".')(
    wrong_module(lambda z, y, r: F.cross_entropy(z, y, reduction={"sum": "mean", "mean": "sum"}.get(r, r)))
)

CrossEntropy.mistake(
    "Your `forward` applies a softmax to the logits, and the loss contains another: that is one too many."
)(wrong_module(lambda z, y, r: F.cross_entropy(torch.softmax(z, dim=1), y, reduction=r)))

CrossEntropy.mistake("`forward` takes logits, not log-probabilities: the log_softmax is missing.")(
    wrong_module(lambda z, y, r: F.nll_loss(z, y, reduction=r))
)

CrossEntropy.mistake(
    "You took the logarithm of a softmax, or of an exponential. Far below the largest logit it is exactly 0, and the loss is inf.",
    hint="Use log_softmax.",
)(wrong_module(lambda z, y, r: F.nll_loss(torch.softmax(z, dim=1).log(), y, reduction=r)))

CrossEntropy.mistake("Your softmax runs down the columns, over the samples. The classes are dimension 1.")(
    wrong_module(lambda z, y, r: F.nll_loss(torch.log_softmax(z, dim=0), y, reduction=r))
)


CrossEntropy.mistake(
    "You averaged over the whole matrix, zeros included. The mean divides by N, the number of samples, not by N·C."
)(
    wrong_module(
        lambda z, y, r: (
            F.cross_entropy(z, y) / z.shape[1] if r == "mean" else F.cross_entropy(z, y, reduction=r)
        )
    )
)

CrossEntropy.mistake("The minus is missing: log-probabilities are negative, a loss is not.")(
    wrong_module(lambda z, y, r: -F.cross_entropy(z, y, reduction=r))
)

CrossEntropy.mistake(
    "You took `exp(z)`, which overflows at 1000, and the loss is inf.",
    hint="`torch.logsumexp` subtracts the largest logit first.",
)(wrong_module(lambda z, y, r: _reduced(z.exp().sum(dim=1).log() - z[torch.arange(len(y)), y], r)))


@CrossEntropy.mistake(
    "The object adds each result to those before. It is called once for each batch: start afresh in every call, from z and y alone."
)
class _RunningTotal(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction, self.total = reduction, 0

    def forward(self, z, y):
        self.total = self.total + F.cross_entropy(z, y, reduction=self.reduction)
        return self.total


@CrossEntropy.mistake(
    "The object keeps the result of its first call and returns it from then on. It is called once for each batch.",
    hint="Compute it anew from z and y.",
)
class _FirstResult(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction, self.result = reduction, None

    def forward(self, z, y):
        if self.result is None:
            self.result = F.cross_entropy(z, y, reduction=self.reduction)
        return self.result
