"""notebooks/README.md: every entry of its tables of losses is tried against PyTorch, every link and every
name is one that exists.

The test reads the tables. A row is looked up by its name in ROWS, where the same formula, slope and mistake
stand once as text and once as code: a row without its assertion, or a text that was changed alone, fails.
"""

import math
import re
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from grader.course.build import solution_cells, text_of
from grader.course.lessons import RELEASES, lessons
from grader.memory import Memory

PAGE = RELEASES / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
COLUMNS = [
    "loss",
    "formula",
    "PyTorch, modular",
    "PyTorch, functional",
    "input",
    "target",
    "slope",
    "use it",
    "the mistake people make",
]


# ---------------------------------------------------------------- reading the page


def tables(header):
    """The rows of all tables whose first column has this header: dictionaries, column -> cell."""
    rows, columns = [], None
    for line in TEXT.splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if columns is None:
            columns = cells
        elif columns[0] == header and not set(cells[0]) <= set("-:"):
            assert len(cells) == len(columns), f"a pipe too many or too few: {line[:80]}"
            rows.append(dict(zip(columns, cells)))
    return rows


def link(cell):
    """The text and the target of a cell that is a link."""
    match = re.fullmatch(r"\[([^\]]+)\]\(([^)]+)\)", cell)
    assert match, cell
    return match.groups()


LOSSES = {link(r["loss"])[0]: r for r in tables("loss")}
ROWS = {}


def row(name, *, formula, slope, mistake):
    """Decorator: what the row `name` says, as text, and (in the class below) as code: loss, slope, mistake."""
    return lambda code: ROWS.setdefault(
        name, SimpleNamespace(formula=formula, slope=slope, mistake=mistake, code=code)
    )


# ---------------------------------------------------------------- inputs, made from what the cells "input"
# and "target" say

LETTER = {"logits": "z", "probabilities": "p", "log-probabilities": "l", "hidden": "h"}


def code_in(cell):
    """The shape in a cell, as `(N, C)`."""
    return tuple(re.search(r"`\(([A-Z, ]+)\)`", cell)[1].replace(" ", "").strip(",").split(","))


def given(cells, seed):
    """Random inputs for a row, with all names that its calls use; sizes differ from seed to seed and from
    each other."""
    g = torch.Generator().manual_seed(seed)
    n, c, length = (7, 5, 4) if seed % 2 else (6, 3, 8)
    sizes = {"N": n, "C": c, "L": length, "D": 4}
    kind = cells["input"].split()[0]
    shape = [sizes[s] for s in code_in(cells["input"])]
    x = torch.randn(shape, generator=g, dtype=torch.float64) * 2
    binary = len(shape) == 1
    if "probabilities" in kind:
        x = (
            torch.sigmoid(x)
            if binary
            else torch.softmax(x, dim=1)
            if kind == "probabilities"
            else torch.log_softmax(x, dim=1)
        )
    x.requires_grad_(True)
    dtype, rest = cells["target"].split(" ", 1)
    target = [sizes[s] for s in code_in(cells["target"])]
    words = rest.split("` ")[1].split(";")[0]
    y = {
        "in 0 to 1": lambda: torch.rand(target, generator=g, dtype=torch.float64),
        "of 0 and 1": lambda: torch.randint(0, 2, target, generator=g).double(),
        "of −1 and +1": lambda: torch.randint(0, 2, target, generator=g).double() * 2 - 1,
        "classes": lambda: torch.randint(0, c, target, generator=g),
        "distributions": lambda: torch.softmax(torch.randn(target, generator=g, dtype=torch.float64), dim=1),
        "classes, then −1": lambda: some_classes(target, g),
        "orders, best first": lambda: torch.rand(target, generator=g).argsort(dim=1),
    }[words]()
    assert y.dtype == {"float": torch.float64, "int64": torch.int64}[dtype]
    d = SimpleNamespace(**{LETTER[kind]: x}, x=x, y=y, N=n, C=c, L=length)
    d.w = torch.rand(n if binary else c, generator=g, dtype=torch.float64) + 0.5
    d.w0 = torch.tensor(3.5, dtype=torch.float64)
    d.i, d.s, d.alpha, d.T, d.gamma = (int(y.flatten()[0]) if dtype == "int64" else 0), 0.15, 0.3, 2.0, 2.0
    d.teacher = torch.randn(shape, generator=g, dtype=torch.float64)
    d.D = sizes["D"]
    d.W = torch.randn(c, d.D, generator=g, dtype=torch.float64)
    d.r, d.beta = torch.randn(shape, generator=g, dtype=torch.float64), 0.3
    if binary and kind == "logits":
        d.p_t = torch.sigmoid((2 * y - 1) * x)
        d.a_t = 0.25 * y + 0.75 * (1 - y)
    return d


def some_classes(shape, g):
    """Each row: at least one class, never all, padded by −1."""
    rows = torch.full(shape, -1)
    for r in rows:
        k = int(torch.randint(1, shape[1], (1,), generator=g))
        r[:k] = torch.randperm(shape[1], generator=g)[:k]
    return rows


def spans(cell):
    """The code in a cell, formulas left out."""
    return re.findall(r"(?<!\$)`([^`]+)`(?!\$)", cell)


def value(call, d):
    return eval(call, {"torch": torch, "nn": nn, "F": F}, vars(d))  # a call from our own page


def one_hot(d):
    return F.one_hot(d.y, d.C).double()


def raises(f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except (RuntimeError, ValueError, TypeError):
        return True
    return False


# ---------------------------------------------------------------- binary


@row(
    "Binary cross-entropy",
    formula=r"$`-y\log p - (1-y)\log(1-p)`$",
    slope=r"$`\dfrac{p-y}{p(1-p)}`$",
    mistake="Passing logits, which is refused as soon as one lies outside 0 to 1.",
)
class _:
    def loss(d):
        return (-d.y * d.p.log() - (1 - d.y) * (1 - d.p).log()).mean()

    def slope(d):
        return (d.p - d.y) / (d.p * (1 - d.p)) / d.N

    def mistake(d):
        return raises(F.binary_cross_entropy, torch.full_like(d.y, 1.5), d.y) and raises(
            F.binary_cross_entropy, torch.full_like(d.y, -0.1), d.y
        )


@row(
    "Binary cross-entropy with logits",
    formula=r"$`\log(1+e^z) - yz`$",
    slope=r"$`\sigma(z) - y`$",
    mistake="Applying a sigmoid first: label 1 then costs at least 0.3133, and label 0 at least 0.6931.",
)
class _:
    def loss(d):
        return ((1 + d.z.exp()).log() - d.y * d.z).mean()

    def slope(d):
        return (torch.sigmoid(d.z) - d.y) / d.N

    def mistake(d):
        z = torch.linspace(-50, 50, 401, dtype=torch.float64)
        best = [
            F.binary_cross_entropy_with_logits(z.sigmoid(), torch.full_like(z, y), reduction="none")
            .min()
            .item()
            for y in (1.0, 0.0)
        ]
        return [round(b, 4) for b in best] == [0.3133, 0.6931]


@row(
    "Weighted samples",
    formula=r"$`w\,(\log(1+e^z) - yz)`$",
    slope=r"$`w\,(\sigma(z) - y)`$",
    mistake=(
        "Expecting a weighted mean: it divides by $`N`$, not by the sum of the weights as "
        "`CrossEntropyLoss` does, so doubled weights double it."
    ),
)
class _:
    def loss(d):
        return (d.w * ((1 + d.z.exp()).log() - d.y * d.z)).sum() / d.N

    def slope(d):
        return d.w * (torch.sigmoid(d.z) - d.y) / d.N

    def mistake(d):
        once, twice = (F.binary_cross_entropy_with_logits(d.z, d.y, weight=k * d.w) for k in (1, 2))
        z, y = torch.stack([-d.z, d.z], dim=1), (d.y > 0.5).long()
        same = [F.cross_entropy(z, y, weight=k * d.w[:2]) for k in (1, 2)]
        return torch.isclose(twice, 2 * once) and torch.isclose(*same)


@row(
    "Weighted positives",
    formula=r"$`-w\,y\log\sigma(z) - (1-y)\log\sigma(-z)`$",
    slope=r"$`(1-y)\,\sigma(z) - w\,y\,\sigma(-z)`$",
    mistake=(
        "Passing `pos_weight` as [negative, positive], which is refused or taken for two outputs. It is "
        "one number for each output."
    ),
)
class _:
    def loss(d):
        return (-d.w0 * d.y * d.z.sigmoid().log() - (1 - d.y) * (-d.z).sigmoid().log()).mean()

    def slope(d):
        return ((1 - d.y) * d.z.sigmoid() - d.w0 * d.y * (-d.z).sigmoid()) / d.N

    def mistake(d):
        pair = torch.tensor([1.0, 3.0], dtype=torch.float64)
        two, labels = torch.stack([d.z, -d.z], dim=1), torch.stack([d.y, 1 - d.y], dim=1)
        taken = F.binary_cross_entropy_with_logits(two, labels, pos_weight=pair, reduction="none")
        column = F.binary_cross_entropy_with_logits(
            two[:, 1], labels[:, 1], pos_weight=pair[1], reduction="none"
        )
        return raises(F.binary_cross_entropy_with_logits, d.z, d.y, pos_weight=pair) and torch.allclose(
            taken[:, 1], column
        )


@row(
    "Focal loss",
    formula=r"$`-\alpha_t (1-p_t)^\gamma \log p_t`$, where $`p_t`$ is the probability of the label",
    slope=r"$`(2y-1)\,\alpha_t (1-p_t)^\gamma (\gamma\, p_t \log p_t + p_t - 1)`$",
    mistake=r"$`\gamma`$ as a factor instead of an exponent: at $`p_t = 0.9`$, $`\gamma = 2`$ a sample keeps 0.2 of its loss, not 0.01.",
)
class _:
    def loss(d):
        p_t = torch.where(d.y == 1, d.z.sigmoid(), 1 - d.z.sigmoid())
        return (-torch.where(d.y == 1, 0.25, 0.75) * (1 - p_t) ** d.gamma * p_t.log()).mean()

    def slope(d):
        return (
            (2 * d.y - 1) * d.a_t * (1 - d.p_t) ** d.gamma * (d.gamma * d.p_t * d.p_t.log() + d.p_t - 1) / d.N
        )

    def mistake(d):
        return math.isclose(2 * (1 - 0.9), 0.2) and math.isclose((1 - 0.9) ** 2, 0.01)


@row(
    "Soft margin",
    formula=r"$`\log(1+e^{-yz})`$",
    slope=r"$`-y\,\sigma(-yz)`$",
    mistake="Passing labels 0 and 1: each 0 costs 0.6931 whatever the model says, and has no gradient.",
)
class _:
    def loss(d):
        return (1 + (-d.y * d.z).exp()).log().mean()

    def slope(d):
        return -d.y * (-d.y * d.z).sigmoid() / d.N

    def mistake(d):
        loss = F.soft_margin_loss(d.z, torch.zeros_like(d.y))
        (slope,) = torch.autograd.grad(loss, d.z)
        return round(loss.item(), 4) == 0.6931 and (slope == 0).all()


@row(
    "Hinge",
    formula=r"$`\max(0,\, 1-yz)`$",
    slope=r"$`-y\,[yz < 1]`$",
    mistake="Using `nn.HingeEmbeddingLoss` instead, which is a loss for distances and gives another number.",
)
class _:
    def loss(d):
        return torch.stack([(1 - a * b).clamp(min=0) for a, b in zip(d.y, d.z)]).mean()

    def slope(d):
        return -d.y * (d.y * d.z < 1) / d.N

    def mistake(d):
        return not torch.isclose(nn.HingeEmbeddingLoss()(d.z, d.y), F.relu(1 - d.y * d.z).mean())


@row(
    "Preference",
    formula=r"$`-\log\sigma(yz)`$, where $`z`$ is the difference of two scores",
    slope=r"$`-y\,\sigma(-yz)`$",
    mistake="The logarithm of a sigmoid: inf where a favourite by 1000 loses.",
)
class _:
    def loss(d):
        return torch.stack([-torch.sigmoid(a * b).log() for a, b in zip(d.y, d.z)]).mean()

    def slope(d):
        return -d.y * torch.sigmoid(-d.y * d.z) / d.N

    def mistake(d):
        lost = torch.tensor(-1000.0, dtype=torch.float64)
        return torch.sigmoid(lost).log().isinf() and F.logsigmoid(lost) == -1000


@row(
    "Direct preference optimisation",
    formula=r"$`-\log\sigma(\beta y(z - r))`$, where $`z`$ and $`r`$ are differences of the answers' log-probabilities, under model and reference",
    slope=r"$`-\beta y\,\sigma(-\beta y(z - r))`$",
    mistake=r"Averaged log-probabilities: for answers of $`L`$ tokens the same as a $`\beta`$ that is $`L`$ times smaller.",
)
class _:
    def loss(d):
        margins = d.beta * d.y * (d.z - d.r)
        return torch.stack([(1 + torch.exp(-m)).log() for m in margins]).mean()

    def slope(d):
        return -d.beta * d.y * torch.sigmoid(-d.beta * d.y * (d.z - d.r)) / d.N

    def mistake(d):
        length = 7
        averaged = -F.logsigmoid(d.beta * d.y * (d.z / length - d.r / length)).mean()
        return torch.isclose(averaged, -F.logsigmoid(d.beta / length * d.y * (d.z - d.r)).mean())


# ---------------------------------------------------------------- multiclass


def picked(d):
    """−log p of each sample's label."""
    return -d.z.softmax(dim=1).gather(1, d.y[:, None])[:, 0].log()


@row(
    "Cross-entropy",
    formula=r"$`-\ell_y = \log\sum_c e^{z_c} - z_y`$",
    slope=r"$`p_c - [c=y]`$",
    mistake="Applying a softmax first: with ten classes the loss cannot fall below 1.4612.",
)
class _:
    def loss(d):
        assert torch.allclose(picked(d), d.z.exp().sum(dim=1).log() - d.z[torch.arange(d.N), d.y])
        return picked(d).mean()

    def slope(d):
        return (d.z.softmax(dim=1) - one_hot(d)) / d.N

    def mistake(d):
        sure = 1000 * F.one_hot(torch.tensor([3]), 10).double()
        return round(F.cross_entropy(sure.softmax(dim=1), torch.tensor([3])).item(), 4) == 1.4612


@row(
    "Negative log-likelihood",
    formula=r"$`-\ell_y`$",
    slope=r"$`-[c=y]`$",
    mistake="Passing probabilities, which makes the loss negative.",
)
class _:
    def loss(d):
        return -sum(d.l[n, c] for n, c in enumerate(d.y)) / d.N

    def slope(d):
        return -one_hot(d) / d.N

    def mistake(d):
        return F.nll_loss(d.l.exp(), d.y) < 0


@row(
    "Weighted classes",
    formula=r"$`-\sum_n w_{y_n}\ell_{n y_n} \big/ \sum_n w_{y_n}`$",
    slope=r"$`w_{y_n}(p_{nc} - [c=y_n]) \big/ \sum_m w_{y_m}`$",
    mistake="Passing the same labels as one-hot rows: the mean then divides by $`N`$ and is another number.",
)
class _:
    def loss(d):
        return (d.w[d.y] * picked(d)).sum() / d.w[d.y].sum()

    def slope(d):
        return d.w[d.y][:, None] * (d.z.softmax(dim=1) - one_hot(d)) / d.w[d.y].sum()

    def mistake(d):
        rows, classes = F.cross_entropy(d.z, one_hot(d), weight=d.w), F.cross_entropy(d.z, d.y, weight=d.w)
        return torch.isclose(rows, (d.w[d.y] * picked(d)).sum() / d.N) and not torch.isclose(rows, classes)


@row(
    "Ignored labels",
    formula=r"$`-\sum_n [y_n \ne i]\,\ell_{n y_n} \big/ \sum_n [y_n \ne i]`$",
    slope=r"$`[y_n \ne i]\,(p_{nc} - [c=y_n]) \big/ \sum_m [y_m \ne i]`$",
    mistake="Passing a batch in which all labels are ignored, whose mean is nan.",
)
class _:
    def loss(d):
        return picked(d)[d.y != d.i].mean()

    def slope(d):
        return (d.y != d.i)[:, None] * (d.z.softmax(dim=1) - one_hot(d)) / (d.y != d.i).sum()

    def mistake(d):
        return F.cross_entropy(d.z, torch.full_like(d.y, d.i), ignore_index=d.i).isnan()


@row(
    "Label smoothing",
    formula=r"$`-(1-s)\,\ell_y - \dfrac{s}{C}\sum_c \ell_c`$",
    slope=r"$`p_c - (1-s)[c=y] - \dfrac{s}{C}`$",
    mistake="Expecting 0: with $`s = 0.1`$ and ten classes the lowest possible loss is 0.5003.",
)
class _:
    def loss(d):
        return ((1 - d.s) * picked(d) - d.s / d.C * d.z.log_softmax(dim=1).sum(dim=1)).mean()

    def slope(d):
        return (d.z.softmax(dim=1) - (1 - d.s) * one_hot(d) - d.s / d.C) / d.N

    def mistake(d):
        best, y = torch.full((1, 10), 0.01, dtype=torch.float64), torch.tensor([4])
        best[0, 4] = 0.91
        at = lambda p: F.cross_entropy(p.log(), y, label_smoothing=0.1)  # noqa: E731
        others = torch.softmax(
            torch.randn(200, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
            + 6 * F.one_hot(y, 10),
            dim=1,
        )
        return round(at(best).item(), 4) == 0.5003 and all(at(p[None]) > at(best) for p in others)


@row(
    "Soft labels",
    formula=r"$`-\sum_c y_c\,\ell_c`$",
    slope=r"$`p_c - y_c`$",
    mistake=(
        'Passing numbers that are not a distribution, such as −1 for "unknown": they are accepted, and '
        "the loss may be negative."
    ),
)
class _:
    def loss(d):
        return -(d.y * d.z.softmax(dim=1).log()).sum(dim=1).mean()

    def slope(d):
        return (d.z.softmax(dim=1) - d.y) / d.N

    def mistake(d):
        return F.cross_entropy(d.z, torch.full_like(d.y, -1.0)) < 0


@row(
    "Sequences",
    formula=r"$`-\ell_{y}`$ at each of $`L`$ positions; the mean over $`N \cdot L`$",
    slope=r"$`p_c - [c=y]`$",
    mistake="Passing logits as `(N, L, C)`, which is refused, but accepted silently when $`L = C`$.",
)
class _:
    def loss(d):
        return sum(-d.z[n].softmax(dim=0)[d.y[n, k], k].log() for n in range(d.N) for k in range(d.L)) / (
            d.N * d.L
        )

    def slope(d):
        return (d.z.softmax(dim=1) - one_hot(d).transpose(1, 2)) / (d.N * d.L)

    def mistake(d):
        z, y = (
            d.z[:, :, : d.C] if d.C <= d.L else d.z[:, : d.L],
            d.y.clamp(max=min(d.C, d.L) - 1)[:, : min(d.C, d.L)],
        )
        right, turned = F.cross_entropy(z, y), F.cross_entropy(z.transpose(1, 2), y)
        return raises(F.cross_entropy, d.z.transpose(1, 2), d.y) and not torch.isclose(right, turned)


@row(
    "Next token",
    formula=r"$`-\ell_{y_{t+1}}`$ at each position $`t`$ but the last; the mean over $`N(L-1)`$",
    slope=r"$`p_c - [c=y_{t+1}]`$, and 0 at the last position",
    mistake="No shift: a model that copies what it reads has the loss 0.",
)
class _:
    def loss(d):
        terms = [-d.z[n, t].softmax(dim=0)[d.y[n, t + 1]].log() for n in range(d.N) for t in range(d.L - 1)]
        return sum(terms) / (d.N * (d.L - 1))

    def slope(d):
        slopes = torch.zeros_like(d.z)
        for n in range(d.N):
            for t in range(d.L - 1):
                slopes[n, t] = d.z[n, t].softmax(dim=0)
                slopes[n, t, d.y[n, t + 1]] -= 1
        return slopes / (d.N * (d.L - 1))

    def mistake(d):
        copier = 1000 * F.one_hot(d.y, d.C).double()
        shifted = ROWS["Next token"].code.loss(SimpleNamespace(**vars(d) | {"z": copier / 10}))
        return F.cross_entropy(copier.transpose(1, 2), d.y) == 0 and shifted > 1


@row(
    "z-loss",
    formula=r"$`-\ell_y + \alpha \bigl(\log \sum_c e^{z_c}\bigr)^2`$",
    slope=r"$`p_c - [c=y] + 2\alpha\, p_c \log \sum_k e^{z_k}`$",
    mistake="The square of the mean for the mean of the squares: too small as soon as the values differ.",
)
class _:
    def loss(d):
        z_sum = d.z.exp().sum(dim=1)
        return (
            sum(-d.z[n].softmax(dim=0)[y].log() + d.alpha * z_sum[n].log() ** 2 for n, y in enumerate(d.y))
            / d.N
        )

    def slope(d):
        p, z_sum = d.z.softmax(dim=1), d.z.exp().sum(dim=1, keepdim=True)
        return (p - one_hot(d) + 2 * d.alpha * p * z_sum.log()) / d.N

    def mistake(d):
        log_sums = torch.tensor([2.0, 5.0])
        return log_sums.mean() ** 2 < log_sums.square().mean()


@row(
    "Large vocabulary",
    formula=r"$`-\ell_y`$ of the logits $`z_c = \sum_d h_d W_{cd}`$",
    slope=r"$`\sum_c (p_c - [c=y])\, W_c`$ with respect to $`h`$",
    mistake="Trusting the name: without `options` it makes all the logits, too.",
)
class _:
    def loss(d):
        z = torch.stack([torch.stack([sum(a * b for a, b in zip(h, w)) for w in d.W]) for h in d.h])
        return sum(-z[n].softmax(dim=0)[y].log() for n, y in enumerate(d.y)) / d.N

    def slope(d):
        p = (d.h @ d.W.T).softmax(dim=1)
        return sum((p - one_hot(d))[:, c, None] * d.W[c] for c in range(d.C)) / d.N

    def mistake(d):
        h, W = torch.randn(64, 4, requires_grad=True), torch.randn(512, 4)
        most = []
        for options in (None, nn.LinearCrossEntropyOptions()):
            with Memory(h, W) as memory:
                F.linear_cross_entropy(h, W, torch.zeros(64, dtype=torch.int64), options=options).backward()
            most.append(memory.most / (4 * 64 * 512))
        return most[0] >= 3 and most[1] < 1


@row(
    "Multi-margin",
    formula=r"$`\dfrac{1}{C}\sum_{c \ne y}\max(0,\, 1 - z_y + z_c)`$",
    slope=r"$`\dfrac{1}{C}[c \ne y]\,[z_y - z_c < 1]`$; for $`c = y`$ minus the sum of the others",
    mistake="Applying a softmax first: two probabilities are less than 1 apart until they round to 1 and 0, and only then is the loss 0.",
)
class _:
    def loss(d):
        return (
            sum(
                (1 - d.z[n, y] + d.z[n, c]).clamp(min=0)
                for n, y in enumerate(d.y)
                for c in range(d.C)
                if c != y
            )
            / d.C
            / d.N
        )

    def slope(d):
        others = (1 - one_hot(d)) * (d.z.gather(1, d.y[:, None]) - d.z < 1) / d.C
        return (others - one_hot(d) * others.sum(dim=1, keepdim=True)) / d.N

    def mistake(d):
        z = 20 * one_hot(d)
        right = F.multi_margin_loss(z, d.y) == 0
        costs = F.multi_margin_loss(z.softmax(dim=1), d.y) > 0
        rounded = F.multi_margin_loss((1000 * z).softmax(dim=1), d.y) == 0
        return right and costs and rounded


@row(
    "Ranking",
    formula=r"$`\sum_k \bigl(\log\sum_{j \ge k} e^{z_{y_j}} - z_{y_k}\bigr)`$",
    slope=r"$`\sum_{k:\, c \text{ not placed before } k} p_c^{(k)} - 1`$, where $`p^{(k)}`$ is the softmax over those not placed before $`k`$",
    mistake="Those who are placed stay in the denominators: a larger loss.",
)
class _:
    def loss(d):
        """Minus the logarithm of the order's probability, drawn place by place."""
        total = 0
        for row, order in zip(d.z, d.y):
            for k in range(d.C):
                total = total - row[order[k:]].softmax(dim=0)[0].log()
        return total / d.N

    def slope(d):
        slopes = -torch.ones_like(d.z)
        for n, order in enumerate(d.y):
            for k in range(d.C):
                slopes[n, order[k:]] += d.z[n, order[k:]].softmax(dim=0)
        return slopes / d.N

    def mistake(d):
        staying = (torch.logsumexp(d.z, dim=1, keepdim=True) - d.z).sum(dim=1).mean()
        return staying > ROWS["Ranking"].code.loss(d)


# ---------------------------------------------------------------- several labels, distributions, calibration


@row(
    "Multilabel soft margin",
    formula=r"$`\dfrac{1}{C}\sum_c \bigl(\log(1+e^{z_c}) - y_c z_c\bigr)`$",
    slope=r"$`\dfrac{1}{C}(\sigma(z_c) - y_c)`$",
    mistake="Passing labels −1 and +1, as for `SoftMarginLoss`: they are accepted, and the loss may be negative.",
)
class _:
    def loss(d):
        return ((1 + d.z.exp()).log() - d.y * d.z).sum(dim=1).mean() / d.C

    def slope(d):
        return (d.z.sigmoid() - d.y) / d.C / d.N

    def mistake(d):
        return F.multilabel_soft_margin_loss(torch.full_like(d.z, -9.0), torch.full_like(d.y, -1.0)) < 0


@row(
    "Multilabel margin",
    formula=r"$`\dfrac{1}{C}\sum_{j \in y}\sum_{k \notin y}\max(0,\, 1 - z_j + z_k)`$",
    slope=r"$`\dfrac{1}{C}`$ for $`k \notin y`$, $`-\dfrac{1}{C}`$ for $`j \in y`$, once for each pair with $`z_j - z_k < 1`$",
    mistake="Passing a row of 0 and 1 instead of class numbers: it is accepted, and read as the classes 0 and 1.",
)
class _:
    def pairs(d):
        for n, row in enumerate(d.y.tolist()):
            inside = [c for c in row if c >= 0]
            yield from ((n, j, k) for j in inside for k in range(d.C) if k not in inside)

    def loss(d):
        return (
            sum(
                (1 - d.z[n, j] + d.z[n, k]).clamp(min=0)
                for n, j, k in ROWS["Multilabel margin"].code.pairs(d)
            )
            / d.C
            / d.N
        )

    def slope(d):
        slope = torch.zeros_like(d.z)
        for n, j, k in ROWS["Multilabel margin"].code.pairs(d):
            if d.z[n, j] - d.z[n, k] < 1:
                slope[n, j] -= 1 / d.C / d.N
                slope[n, k] += 1 / d.C / d.N
        return slope

    def mistake(d):
        z = torch.tensor([[0.4, 0.1, 0.9]])  # meant: classes 1 and 2 are there, class 0 is not
        got, meant = (F.multilabel_margin_loss(z, torch.tensor([t])) for t in ([0, 1, 1], [1, 2, -1]))
        # classes 0, 1 and 1 once more, against class 2
        taken = sum(1 - z[0, j] + z[0, 2] for j in (0, 1, 1)) / 3
        return torch.isclose(got, taken) and not torch.isclose(got, meant)


@row(
    "Kullback-Leibler divergence",
    formula=r"$`\sum_c y_c(\log y_c - \ell_c)`$",
    slope=r"$`-y_c`$",
    mistake='Keeping the default `reduction="mean"`, which makes it $`C`$ times too small.',
)
class _:
    def loss(d):
        return (d.y * (d.y.log() - d.l)).sum(dim=1).mean()

    def slope(d):
        return -d.y / d.N

    def mistake(d):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of just this
            return torch.isclose(
                nn.KLDivLoss()(d.l, d.y) * d.C, nn.KLDivLoss(reduction="batchmean")(d.l, d.y)
            )


@row(
    "Distillation",
    formula=r"$`\alpha T^2 \sum_c t_c \log\dfrac{t_c}{q_c} - (1-\alpha)\,\ell_y`$, where $`t`$ and $`q`$ are the softmax of teacher and "
    r"student divided by $`T`$",
    slope=r"$`\alpha T (q_c - t_c) + (1-\alpha)(p_c - [c=y])`$",
    mistake="Leaving $`T^2`$ out: at $`T = 2`$ the teacher's part is 4 times too small.",
)
class _:
    def loss(d):
        t, q = (d.teacher / d.T).softmax(dim=1), (d.z / d.T).softmax(dim=1)
        return d.alpha * d.T**2 * (t * (t / q).log()).sum(dim=1).mean() + (1 - d.alpha) * picked(d).mean()

    def slope(d):
        t, q = (d.teacher / d.T).softmax(dim=1), (d.z / d.T).softmax(dim=1)
        return (d.alpha * d.T * (q - t) + (1 - d.alpha) * (d.z.softmax(dim=1) - one_hot(d))) / d.N

    def mistake(d):
        part = [
            value(
                spans(LOSSES["Distillation"]["PyTorch, functional"])[0].replace("T**2", factor),
                SimpleNamespace(**vars(d) | {"alpha": 1.0}),
            )
            for factor in ("T**2", "1")
        ]
        return d.T == 2 and torch.isclose(part[0], 4 * part[1])


@row(
    "Brier score",
    formula=r"$`\sum_c (p_c - [c=y])^2`$",
    slope=r"$`2\,(p_c - [c=y])`$",
    mistake="Using `MSELoss` without the $`C`$: its mean divides by the number of classes too.",
)
class _:
    def loss(d):
        return sum((d.p[n, c] - int(c == y)) ** 2 for n, y in enumerate(d.y) for c in range(d.C)) / d.N

    def slope(d):
        return 2 * (d.p - one_hot(d)) / d.N

    def mistake(d):
        return torch.isclose(nn.MSELoss()(d.p, one_hot(d)) * d.C, ((d.p - one_hot(d)) ** 2).sum(dim=1).mean())


# ---------------------------------------------------------------- the losses, row by row

SEEDS = (0, 1, 2, 3)


def test_the_rows_of_the_page_are_those_that_are_tried():
    assert list(LOSSES) == list(ROWS)
    assert all(list(r) == COLUMNS for r in LOSSES.values())
    assert all(cell for r in LOSSES.values() for cell in r.values())


@pytest.mark.parametrize("name", LOSSES)
def test_a_row_says_what_is_tried(name):
    cells, tried = LOSSES[name], ROWS[name]
    assert (cells["formula"], cells["slope"], cells["the mistake people make"]) == (
        tried.formula,
        tried.slope,
        tried.mistake,
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOSSES)
def test_calls_formula_and_slope_agree(name, seed):
    cells, code = LOSSES[name], ROWS[name].code
    d = given(cells, seed)
    want = code.loss(d).detach()
    calls = spans(cells["PyTorch, functional"]) + (
        [] if cells["PyTorch, modular"].startswith("none") else spans(cells["PyTorch, modular"])
    )
    assert len(calls) == 2 - cells["PyTorch, modular"].startswith("none")
    for call in calls:
        loss = value(call, given(cells, seed))
        assert loss.ndim == 0 and torch.isclose(loss.detach(), want), call
    d = given(cells, seed)
    for call in calls:
        (slope,) = torch.autograd.grad(value(call, d), d.x, retain_graph=True)
        assert torch.allclose(slope, code.slope(d).detach()), call


@pytest.mark.parametrize("name", LOSSES)
def test_a_modular_call_is_modular_and_a_functional_one_functional(name):
    cells = LOSSES[name]
    assert cells["PyTorch, modular"] == "none in `torch.nn`" or re.search(
        r"\bnn\.[A-Z]\w+\(", cells["PyTorch, modular"]
    )
    functional = cells["PyTorch, functional"]
    assert re.search(r"\b(F|torch)\.", functional) and "nn." not in functional


@pytest.mark.parametrize("name", LOSSES)
def test_logits_are_taken_where_logits_are_said_and_probabilities_where_probabilities_are(name):
    """A number far outside 0 to 1 goes in where the cell says logits; the other two kinds are what they are called."""
    cells = LOSSES[name]
    d = given(cells, 1)
    x, kind = d.x.detach(), cells["input"].split()[0]
    if kind in ("logits", "hidden"):
        assert x.min() < 0 and x.max() > 1
    elif kind == "probabilities":
        assert (0 < x).all() and (x < 1).all()
    else:
        assert torch.allclose(x.exp().sum(dim=1), torch.ones(d.N, dtype=x.dtype))


@pytest.mark.parametrize("name", LOSSES)
def test_a_target_of_the_other_dtype_is_treated_as_the_row_says(name):
    cells = LOSSES[name]
    d = given(cells, 1)
    other, verdict = re.search(r"; (int64|float) (refused|accepted)$", cells["target"]).groups()
    assert other == ("int64" if d.y.is_floating_point() else "float")
    kept, d.y = d.y, d.y.long() if other == "int64" else d.y.double()
    call = spans(cells["PyTorch, functional"])[0]
    assert raises(value, call, d) == (verdict == "refused")
    modular = cells["PyTorch, modular"]
    assert modular.startswith("none") or raises(value, spans(modular)[0], d) == (verdict == "refused")
    if verdict == "accepted":
        assert torch.isclose(value(call, d), value(call, SimpleNamespace(**vars(d) | {"y": kept})))


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", LOSSES)
def test_a_target_of_another_length_is_refused(name):
    cells = LOSSES[name]
    d = given(cells, 1)
    d.y = d.y[:-1]
    for cell in (cells["PyTorch, modular"], cells["PyTorch, functional"]):
        if not cell.startswith("none"):
            assert raises(value, spans(cell)[0], d), cell


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_mistake_goes_wrong_as_the_row_says(name, seed):
    assert ROWS[name].code.mistake(given(LOSSES[name], seed))


# ---------------------------------------------------------------- losses of pairs

PAIRS = {link(r["loss of pairs"])[0]: r for r in tables("loss of pairs")}


def some_pairs(seed):
    """Vectors and numbers with the names that the calls of these rows use."""
    g = torch.Generator().manual_seed(seed)
    n = 5 + seed % 3
    d = SimpleNamespace(N=n, tau=0.2, t=4.0, c=-1.5, m=1.0)
    d.a, d.b, d.p, d.n = (
        torch.randn(n, 4, generator=g, dtype=torch.float64).requires_grad_() for _ in range(4)
    )
    d.s = F.cosine_similarity(d.a[:, None], d.b[None], dim=2)
    return d


def cosine(x, y):
    return sum(x * y) / (sum(x * x).sqrt() * sum(y * y).sqrt())


def chooses(d, scale, swapped=False):
    """InfoNCE from its definition: every row of a chooses among those of b, or the other way round."""
    first, second = (d.b, d.a) if swapped else (d.a, d.b)
    losses = []
    for i in range(d.N):
        weights = [(scale * cosine(first[i], second[j])).exp() for j in range(d.N)]
        losses.append(-(weights[i] / sum(weights)).log())
    return sum(losses) / d.N


def yes_or_no(d):
    """SigLIP from its definition."""
    total = 0
    for i in range(d.N):
        for j in range(d.N):
            sign = 1 if i == j else -1
            total = total - torch.sigmoid(sign * (d.t * cosine(d.a[i], d.b[j]) + d.c)).log()
    return total / d.N


def apart(x, y):
    return sum((x - y) ** 2).sqrt()


def nearer_by_a_margin(d):
    gaps = [apart(d.a[i], d.p[i]) - apart(d.a[i], d.n[i]) + d.m for i in range(d.N)]
    return sum(gap for gap in gaps if gap > 0) / d.N


DEFINITIONS = {
    "InfoNCE": (r"$`-\log\dfrac{e^{s_{ii}/\tau}}{\sum_j e^{s_{ij}/\tau}}`$", lambda d: chooses(d, 1 / d.tau)),
    "CLIP": (
        r"the mean of InfoNCE for $`s`$ and for $`s^\top`$, with $`\tau = 1/t`$",
        lambda d: (chooses(d, d.t) + chooses(d, d.t, swapped=True)) / 2,
    ),
    "SigLIP": (
        r"$`-\dfrac{1}{N}\sum_{i,j}\log\sigma\bigl(\pm(t s_{ij} + c)\bigr)`$, plus for $`i = j`$",
        yes_or_no,
    ),
    "Triplet": (r"$`\max(0,\, \lVert a - p \rVert - \lVert a - n \rVert + m)`$", nearer_by_a_margin),
}


def test_every_loss_of_pairs_has_a_definition():
    assert list(PAIRS) == list(DEFINITIONS)
    assert all(cell for cells in PAIRS.values() for cell in cells.values())
    assert all(cells["formula"] == DEFINITIONS[name][0] for name, cells in PAIRS.items())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PAIRS)
def test_the_calls_of_a_loss_of_pairs_agree_with_its_formula(name, seed):
    names = ("a", "p", "n") if name == "Triplet" else ("a", "b")
    d = some_pairs(seed)
    want = DEFINITIONS[name][1](d)
    slopes = torch.autograd.grad(want, [getattr(d, n) for n in names])
    for column in ("PyTorch, modular", "PyTorch, functional"):
        (call,) = spans(PAIRS[name][column])
        assert ("nn." in call) == (column == "PyTorch, modular")
        d = some_pairs(seed)
        loss = value(call, d)
        assert torch.isclose(loss, want, atol=1e-5), call
        for have, slope in zip(torch.autograd.grad(loss, [getattr(d, n) for n in names]), slopes):
            assert torch.allclose(have, slope, atol=1e-5), call


def test_the_mistakes_with_losses_of_pairs_go_wrong_as_the_rows_say():
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 128, 16, generator=g, dtype=torch.float64)
    s = F.cosine_similarity(a[:, None], b[None], dim=2) / 0.1
    parts = [F.cross_entropy(s[i : i + 16, i : i + 16], torch.arange(16)) for i in range(0, 128, 16)]
    assert sum(parts) / 8 < F.cross_entropy(s, torch.arange(128))

    near_all = torch.tensor([[0.99, 0.9, 0.0], [0.0, 0.9, 0.0], [0.0, 0.9, 0.99]]) / 0.01
    assert (
        F.cross_entropy(near_all, torch.arange(3))
        < 0.001
        < 0.3
        < F.cross_entropy(near_all.T, torch.arange(3))
    )

    strangers = torch.zeros(8, 8)
    begins = F.binary_cross_entropy_with_logits(strangers, torch.eye(8), reduction="sum") / 8
    assert torch.isclose(begins, torch.tensor(8 * math.log(2)))

    anchor = torch.zeros(1, 2, requires_grad=True)
    loss = F.triplet_margin_loss(anchor, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
    (slope,) = torch.autograd.grad(loss, anchor)
    assert loss == 0 and not slope.any()


# ---------------------------------------------------------------- lessons, map, paths

LESSON_ROWS = {link(r["lesson"])[0]: r for r in tables("lesson")}
EDGES = [
    (a, b)
    for line in re.search(r"```mermaid\n(.*?)```", TEXT, re.S)[1].splitlines()[1:]
    for names in [re.split(r"\s*-->\s*", line.strip())]
    for a, b in zip(names, names[1:])
]
PATHS = {
    re.match(r"\d\. \*\*(.*?)\*\*", part)[1]: re.findall(r"\]\((\d\d_\w+)/", part)
    for part in re.split(r"\n(?=\d\. )", TEXT.split("## Four paths")[1].split("\n## ")[0])[1:]
}


def ancestors(lesson):
    direct = {a for a, b in EDGES if b == lesson}
    return direct.union(*(ancestors(a) for a in direct))


def test_every_link_leads_somewhere():
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", TEXT):
        if target.startswith("#"):
            anchors = [
                re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-")
                for h in re.findall(r"^#+ (.*)$", TEXT, flags=re.M)
            ]
            assert target[1:] in anchors, text
        elif not target.startswith("http"):
            assert (PAGE.parent / target).exists(), target


def test_the_map_shows_every_lesson_once_and_goes_forward():
    assert list(LESSON_ROWS) == lessons(), "a row for each lesson: `./course build` fills the table"
    drawn = {name for edge in EDGES for name in edge}
    absent = set(lessons()) - drawn
    assert not absent, (
        f"draw {sorted(absent)} into the map in notebooks/README.md: `02_bce --> {min(absent)}`"
    )
    assert drawn <= set(lessons()), f"the map has what is no lesson: {sorted(drawn - set(lessons()))}"
    assert len(set(EDGES)) == len(EDGES) and all(a < b for a, b in EDGES)


@pytest.mark.parametrize("lesson", lessons())
def test_the_map_knows_what_a_lesson_says_it_needs(lesson):
    text = re.sub(r"\n# ?", " ", text_of(lesson).read_text(encoding="utf-8"))
    said = re.search(r"You need (.*?)\. ", text)
    assert said, "the first cell says what comes before: `You need `02_bce`.`, or `You need nothing but ….`"
    unknown = set(re.findall(r"`(\d\d_\w+)`", said[1])) - ancestors(lesson)
    assert not unknown, f"the map in notebooks/README.md has no way from {sorted(unknown)} to {lesson}"


@pytest.mark.parametrize("lesson", lessons())
def test_the_table_names_a_lessons_exercises(lesson):
    assert set(re.findall(r"`(\w+)`", LESSON_ROWS[lesson]["you write"])) == set(solution_cells(lesson))


def test_four_paths_and_two_keep_to_the_map():
    assert list(PATHS) == [
        "Binary only.",
        "Multiclass only.",
        "I use PyTorch already, show me the traps.",
        "I train language models.",
    ]
    assert all(path for path in PATHS.values())
    for name, path in list(PATHS.items())[:2]:
        for i, lesson in enumerate(path):
            assert ancestors(lesson) <= set(path[:i]), (
                f"{name} {lesson} needs {ancestors(lesson) - set(path[:i])}"
            )
