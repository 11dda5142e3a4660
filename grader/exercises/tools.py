"""Exercises of 00_tools: shapes, broadcasting, dtypes, means, slopes: what the rest leans on.

Broadcasting: https://docs.pytorch.org/docs/stable/notes/broadcasting.html
Checking gradients: https://docs.pytorch.org/docs/stable/notes/gradcheck.html
"""

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import Smooth, call

TABLE = [[6.0, 2.0, 1.0, 1.0], [30.0, 10.0, 40.0, 20.0], [5.0, 0.5, 4.0, 0.5]]


# ---------------------------------------------------------------- row_normalize


@exercise(
    points=2,
    without=[F.normalize],
    hints=[
        "Write down two shapes: that of `x`, and that of the sums of its rows. What does the rule of "
        "broadcasting make of them, read from the right?",
        "The sums have to form a column, (N, 1), so that each meets its own row.",
        "`sum`, `mean`, `amax` and others take `keepdim=True`: the dimension along which they work stays, with size 1.",
    ],
    built="You have built `F.normalize(x, p=1, dim=1)` for positive numbers. The same line, with exponentials, is the softmax of `06_softmax`.",
)
def row_normalize(x):
    return x / x.sum(dim=1, keepdim=True)


def positive(*shape):
    return lambda rng: (rng.uniform(*shape, low=0.2, high=5.0),)


row_normalize.case("the lesson's example", example=True)(lambda rng: (torch.tensor(TABLE, dtype=rng.dtype),))
row_normalize.case("a random table", gradient="x")(lambda rng: positive(rng.size(6, 9), rng.size(2, 5))(rng))
row_normalize.case("more columns than rows")(positive(2, 7))
row_normalize.case("a square table", gradient="x")(positive(4, 4))
row_normalize.case("one row, one column")(lambda rng: [positive(1, 3)(rng), positive(3, 1)(rng)])
row_normalize.case("float32", dtype=torch.float32, gradient="x")(lambda rng: positive(rng.size(), 3)(rng))


@row_normalize.mistake(
    "You stretched each row from its smallest entry to its largest, so that it runs from 0 to 1. Shares are taken of the row's sum."
)
def _(x):
    low, high = x.amin(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)
    return (x - low) / (high - low)


@row_normalize.mistake(
    "You standardised each row: its mean is subtracted, and the rest divided by its standard deviation. Shares are taken of the row's sum."
)
def _(x):
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().sum(dim=1, keepdim=True) / (x.shape[1] - 1)).sqrt()


@row_normalize.mistake(
    "Your sums have shape (N,), so broadcasting lays them along each row. Most tables raise an "
    "error; in a square one, each column is divided by one row's sum, and nothing is raised.",
    hint="`keepdim=True` keeps the sums as a column, (N, 1).",
)
def _(x):
    return x / x.sum(dim=1)


@row_normalize.mistake(
    "You divided by the sums of the columns. `dim` is the dimension that disappears.",
    hint="After your function, which sums are 1: the rows' or the columns'?",
)
def _(x):
    return x / x.sum(dim=0, keepdim=True)


@row_normalize.mistake(
    "You divided by the sum of the whole table, so only the whole table sums to 1.",
    hint="Each row needs a sum of its own.",
)
def _(x):
    return x / x.sum()


@row_normalize.mistake(
    "You divided each row by its largest entry. Then the largest entry is 1, and the row sums to more.",
    hint="A share is an entry divided by the sum of its row.",
)
def _(x):
    return x / x.amax(dim=1, keepdim=True)


@row_normalize.mistake(
    "You divided each row by its mean, so it sums to the number of its entries.", hint="Divide by the sum."
)
def _(x):
    return x / x.mean(dim=1, keepdim=True)


@row_normalize.mistake(
    "You divided by the length of the row as a vector, the root of the sum of squares. Shares are "
    "taken of the plain sum.",
    hint="`sum` instead of `norm`.",
)
def _(x):
    return x / x.norm(dim=1, keepdim=True)


@row_normalize.mistake(
    "This is a softmax: it takes exponentials first. The entries are positive already.",
    hint="Divide them as they are.",
)
def _(x):
    return torch.softmax(x, dim=1)


@row_normalize.mistake(
    "You subtracted the mean of each row, which makes it sum to 0 instead of 1.", hint="Divide by the sum."
)
def _(x):
    return x - x.mean(dim=1, keepdim=True)


@row_normalize.mistake(
    "You return the sums of the rows, not the table divided by them.", hint="The result has the shape of x."
)
def _(x):
    return x.sum(dim=1, keepdim=True)


# ---------------------------------------------------------------- numerical_gradient


def moved(x, i, by):
    """A copy of x whose entry number i (counted through all dimensions) is moved."""
    copy = x.clone()
    copy.view(-1)[i] += by
    return copy


def slopes(f, x, eps, difference):
    """One number for each entry, in the shape of x."""
    return torch.stack([difference(f, x, i, eps) for i in range(x.numel())]).reshape(x.shape)


def central(f, x, i, eps):
    return (f(moved(x, i, eps)) - f(moved(x, i, -eps))) / (2 * eps)


@exercise(
    points=3,
    without=[
        torch.autograd.grad,
        torch.Tensor.backward,
        torch.autograd.backward,
        torch.autograd.functional.jacobian,
        torch.func.jacrev,
        torch.func.jacfwd,
        torch.func.jvp,
        torch.func.vjp,
    ],
    hints=[
        "One entry first: make a copy of x, move that entry up by eps, and evaluate f. Move it down in "
        "a second copy, and evaluate f again.",
        "A matrix has entries in every dimension. `x.clone()` and `copy.view(-1)[i] += eps` reach "
        "entry number i whatever the shape.",
        "Collect (f(up) − f(down)) / (2·eps) for i in range(x.numel()), `torch.stack` them, and "
        "`.reshape(x.shape)`.",
    ],
    built="You have built the heart of `torch.autograd.gradcheck`: it moves every entry of every input "
    "and compares with autograd. Any gradient that you write in this course can be checked with "
    "it.",
)
def numerical_gradient(f, x, eps=1e-6):
    return slopes(f, x, eps, central)


def function_and_point(*shape, **options):
    return lambda rng: call(rng.smooth(*shape), rng.normal(*shape), **options)


LOOSE = dict(rtol=1e-4, atol=1e-6)  # with a step of 1e-6 the rounding of f is seen


@numerical_gradient.case("the lesson's example", example=True, **LOOSE)
def _(rng):
    x = torch.tensor([0.5, -1.0, 2.0], dtype=rng.dtype)
    return Smooth(torch.zeros_like(x), torch.ones_like(x), torch.ones_like(x)), x


numerical_gradient.case("a random function", **LOOSE)(lambda rng: function_and_point(rng.size())(rng))
numerical_gradient.case("a matrix, and three dimensions", **LOOSE)(
    lambda rng: [function_and_point(3, 4)(rng), function_and_point(2, 3, 2)(rng)]
)
numerical_gradient.case("a large step, so that the formula shows")(
    lambda rng: (
        [function_and_point(rng.size(), eps=e)(rng) for e in (0.5, 0.1)]
        + [function_and_point(2, 3, eps=0.2)(rng)]
    )
)


@numerical_gradient.case("waves so short that the default step shows", **LOOSE)
def _(rng):
    x, waves = rng.normal(4), rng.uniform(4, low=0.8e6, high=1.3e6)
    return Smooth(rng.normal(4), waves, torch.zeros_like(x)), x


numerical_gradient.case("a single number")(lambda rng: function_and_point(eps=0.1)(rng))
numerical_gradient.case("float32, a step of 0.1", dtype=torch.float32, rtol=1e-3, atol=1e-4)(
    lambda rng: function_and_point(rng.size(), eps=0.1)(rng)
)


@numerical_gradient.mistake(
    "Each entry stays moved while the next ones are measured: put it back, or begin every time with a fresh copy of x."
)
def _(f, x, eps=1e-6):
    moved, slopes = x.clone().view(-1), []
    for i in range(len(moved)):
        moved[i] += eps
        up = f(moved.view(x.shape))
        moved[i] -= 2 * eps
        slopes.append((up - f(moved.view(x.shape))) / (2 * eps))
    return torch.stack(slopes).view(x.shape)


@numerical_gradient.mistake(
    "You gave f one entry by itself. f takes the whole tensor: the other entries stay where they are, but they have to be there.",
    hint="A copy of the whole x, in which one entry is moved.",
)
def _(f, x, eps=1e-6):
    return torch.stack([(f(v + eps) - f(v - eps)) / (2 * eps) for v in x.reshape(-1)]).reshape(x.shape)


@numerical_gradient.mistake(
    "You moved all entries at once and got one number. The gradient has a slope for each entry.",
    hint="Move one entry, and leave the others where they are.",
)
def _(f, x, eps=1e-6):
    return (f(x + eps) - f(x - eps)) / (2 * eps)


@numerical_gradient.mistake(
    "Only the first index runs, so a whole row moves at once; and `eps` has no effect: your step is always 1e-4."
)
def _(f, x, eps=1e-6):
    if x.ndim < 1:
        raise IndexError("tuple index out of range")
    result = torch.zeros_like(x)
    for i in range(len(x)):
        step = torch.zeros_like(x)
        step[i] = 1e-4
        result[i] = (f(x + step) - f(x - step)) / 2e-4
    return result


@numerical_gradient.mistake(
    "You moved all entries at once, so every entry got the same slope: the sum of them all.",
    hint="Move one entry at a time.",
)
def _(f, x, eps=1e-6):
    return torch.ones_like(x) * (f(x + eps) - f(x - eps)) / (2 * eps)


@numerical_gradient.mistake(
    "You measured from x to x + eps. The formula goes from x − eps to x + eps, which has a much "
    "smaller error.",
    hint="Two copies for each entry: one moved up, one moved down.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda f, x, i, eps: (f(moved(x, i, eps)) - f(x)) / eps)


@numerical_gradient.mistake(
    "You measured from x − eps to x. The formula goes from x − eps to x + eps, which has a much "
    "smaller error.",
    hint="Two copies for each entry: one moved up, one moved down.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda f, x, i, eps: (f(x) - f(moved(x, i, -eps))) / eps)


@numerical_gradient.mistake(
    "You got twice the slope: you divided by eps, but x − eps and x + eps are 2·eps apart.",
    hint="Divide by 2·eps.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda *a: 2 * central(*a))


@numerical_gradient.mistake(
    "A pair of parentheses is missing: `/ 2 * eps` divides by 2 and then multiplies by eps.",
    hint="Write `/ (2 * eps)`.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda f, x, i, eps: central(f, x, i, eps) * eps * eps)


@numerical_gradient.mistake(
    "The difference is the wrong way round, so every slope has the wrong sign.",
    hint="f at x + eps minus f at x − eps.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda *a: -central(*a))


@numerical_gradient.mistake(
    "The entries that you moved stay moved, so each slope contains all those before it.",
    hint="Start from a fresh copy of x for each entry.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, central).reshape(-1).cumsum(0).reshape(x.shape)


@numerical_gradient.mistake(
    "You moved whole rows: in a matrix `x[i]` is a row, not an entry.",
    hint="Go through all entries: `copy.view(-1)[i]` for i in `range(x.numel())`.",
)
def _(f, x, eps=1e-6):
    g = slopes(f, x, eps, central)
    return g if x.ndim < 2 else g.sum(dim=tuple(range(1, x.ndim)), keepdim=True).expand_as(g)


@numerical_gradient.mistake(
    "You went through `len(x)`: in a matrix that counts the rows, and each row got one slope. "
    "Every entry has its own.",
    hint="`range(x.numel())` counts the entries.",
)
def _(f, x, eps=1e-6):
    g = slopes(f, x, eps, central)
    return g if x.ndim < 2 else g.sum(dim=tuple(range(1, x.ndim)))


@numerical_gradient.mistake(
    "All your slopes are 0. That happens when what is moved up and what is moved down is one and the same tensor: "
    "`up = x`, or `down = up`, is no copy but a second name.",
    hint="`x.clone()` copies: one copy for up, another for down.",
)
def _(f, x, eps=1e-6):
    def difference(i):
        up = down = x.clone()
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        return (f(up) - f(down)) / (2 * eps)

    return torch.stack([difference(i) for i in range(x.numel())]).reshape(x.shape)


@numerical_gradient.mistake(
    "You return how much f changes. A slope is that change divided by the distance.",
    hint="x − eps and x + eps are 2·eps apart.",
)
def _(f, x, eps=1e-6):
    return slopes(f, x, eps, lambda f, x, i, eps: central(f, x, i, eps) * 2 * eps)


# ---------------------------------------------------------------- relative_error


@exercise(
    points=2,
    hints=[
        "Work entry by entry to the very end. `torch.maximum(a, b)` takes the larger of two, entry by "
        "entry; `.max()` takes the largest of all.",
        "Where both are 0 the fraction is 0/0, nan, and nan is what `.max()` returns. Which "
        "denominator would make the fraction 0 there?",
        "`size = torch.maximum(a.abs(), b.abs())`, then divide by `torch.where(size == 0, 1, size)`.",
    ],
    built="One number that says how far two tensors are apart, whatever their size. For tests PyTorch has `torch.testing.assert_close` and "
    "`torch.allclose(a, b, rtol=…, atol=…)`: name the two tolerances when you set them.",
)
def relative_error(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


def pair(rng, *shape):
    a = rng.logits(*shape)
    return a, a * rng.uniform(*shape, low=0.6, high=1.4)


def tensors(*columns):
    return lambda rng: [tuple(torch.tensor(v, dtype=rng.dtype) for v in c) for c in columns]


relative_error.case("the lesson's example", example=True)(tensors(([2.0, -0.5, 1e-9], [2.0002, -0.5, 3e-9])))
relative_error.case("random tensors")(lambda rng: [pair(rng, rng.size()) for _ in range(3)])
relative_error.case("a matrix, and three dimensions")(lambda rng: [pair(rng, 3, 4), pair(rng, 2, 2, 3)])
relative_error.case("opposite signs")(
    lambda rng: (rng.uniform(4, low=0.5, high=2.0), -rng.uniform(4, low=0.5, high=2.0))
)
relative_error.case("zeros in both, in one, in the other")(
    lambda rng: [
        tuple(torch.cat([t, t.new_tensor([z])]) for t, z in zip(pair(rng, 4), zs))
        for zs in ((0.0, 0.0), (0.0, 2.0), (3.0, 0.0))
    ]
)
relative_error.case("equal tensors, and zeros alone", edge=True)(
    lambda rng: [(a, a.clone()) for a in (rng.normal(3), torch.zeros(3, dtype=rng.dtype))]
)
relative_error.case("small numbers")(
    lambda rng: [tuple(t * s for t in pair(rng, 4)) for s in (1e-9, 1e-12, 1e-15)]
)
relative_error.case("float32", dtype=torch.float32)(lambda rng: pair(rng, rng.size()))


@relative_error.mistake(
    "You compared the lengths of whole vectors, a norm over a norm: large entries hide the error of a small one. Each entry has an error of its own."
)
def _(a, b):
    return (a - b).norm() / torch.maximum(a.norm(), b.norm())


@relative_error.mistake(
    "Where both entries are 0 you compute 0/0, which is nan, and nan wins every maximum. Two zeros "
    "are equal: their error is 0.",
    hint="Give those entries another denominator before you divide.",
)
def _(a, b):
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs())).max()


@relative_error.mistake(
    "This is the absolute difference, which depends on how large the entries are.",
    hint="0.0002 is little compared with 2, and everything compared with 0.0001.",
)
def _(a, b):
    return (a - b).abs().max()


@relative_error.mistake(
    "You divided by |b| alone, so swapping a and b changes the error.",
    hint="The denominator is the larger of |a| and |b|.",
)
def _(a, b):
    return ((a - b).abs() / torch.where(b == 0, torch.ones_like(b), b.abs())).max()


@relative_error.mistake(
    "You divided by |a| alone, so swapping a and b changes the error.",
    hint="The denominator is the larger of |a| and |b|.",
)
def _(a, b):
    return ((a - b).abs() / torch.where(a == 0, torch.ones_like(a), a.abs())).max()


@relative_error.mistake(
    "Your denominator is |a| + |b| and never falls below 1e-8. Those are two mistakes: the formula takes the larger of the two sizes, and the floor "
    "hides the error of entries that are smaller than it."
)
def _(a, b):
    return ((a - b).abs() / (a.abs() + b.abs()).clamp(min=1e-8)).max()


@relative_error.mistake(
    "You divided by |a| + |b|.", hint="The denominator is the larger of the two, not their sum."
)
def _(a, b):
    size = a.abs() + b.abs()
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You divided the largest difference by the largest entry of all: a large entry hides the error "
    "of a small one.",
    hint="Divide entry by entry, then take the maximum.",
)
def _(a, b):
    size = torch.maximum(a.abs(), b.abs()).max()
    return (a - b).abs().max() / torch.where(size == 0, torch.ones_like(size), size)


@relative_error.mistake(
    "You took the mean. One wrong entry disappears among a thousand right ones.",
    hint="Return the largest error.",
)
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).mean()


@relative_error.mistake(
    "The absolute value of the difference is missing: where a is smaller than b the error is "
    "negative, and the maximum does not see it.",
    hint="Take `.abs()` of the difference, too.",
)
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b) / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You added an epsilon to the denominator. Entries that are smaller than it lose their error.",
    hint="Treat 0/0 separately, and leave every other entry as it is.",
)
def _(a, b):
    return ((a - b).abs() / (torch.maximum(a.abs(), b.abs()) + 1e-8)).max()


@relative_error.mistake(
    "You kept the denominator above a small number. Entries that are smaller than that number lose "
    "their error.",
    hint="Treat 0/0 separately, and leave every other entry as it is.",
)
def _(a, b):
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs()).clamp(min=1e-8)).max()


@relative_error.mistake(
    "There is an epsilon in the denominator. However small it is, some entries are smaller, and "
    "their error disappears.",
    hint="Treat 0/0 separately, and leave every other entry as it is.",
)
def _(a, b):
    return ((a - b).abs() / (torch.maximum(a.abs(), b.abs()) + 1e-12)).max()


def with_epsilon(epsilon):
    """The error of each pair with `epsilon` added to its denominator."""

    def answer(a, b):
        return ((a - b).abs() / (torch.maximum(a.abs(), b.abs()) + epsilon)).max()

    return answer


for epsilon in (1e-7, 1e-10, 1e-15):
    relative_error.mistake(
        f"You added {epsilon:.0e} to the denominator. Entries that are not far larger than that lose part of their error.",
        hint="Treat 0/0 separately, and leave every other entry as it is.",
    )(with_epsilon(epsilon))


@relative_error.mistake(
    "Your denominator never falls below a tiny number. Entries that are smaller than that lose their error.",
    hint="Treat 0/0 separately, and leave every other entry as it is.",
)
def _(a, b):
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs()).clamp(min=1e-12)).max()


@relative_error.mistake(
    "You took the larger of a and b, which is not the larger of |a| and |b| when numbers are negative.",
    hint="Take both absolute values first.",
)
def _(a, b):
    size = torch.maximum(a, b)
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You took the larger of a and b, and then its absolute value: for −3 and 1 that is 1, not 3.",
    hint="Take both absolute values first, then the larger: `torch.maximum(a.abs(), b.abs())`.",
)
def _(a, b):
    size = torch.maximum(a, b).abs()
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You compared only the sizes, so 2 and −2 count as equal. The difference is |a − b|, not ||a| − |b||."
)
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a.abs() - b.abs()).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You divided by the mean of |a| and |b|.",
    hint="The denominator is the larger of the two, not their mean.",
)
def _(a, b):
    size = (a.abs() + b.abs()) / 2
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You return where the largest error is (`argmax`), not the error itself.",
    hint="`max` instead of `argmax`.",
)
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).argmax()


@relative_error.mistake(
    "You divided by the smaller of the two sizes.", hint="The denominator is the larger one."
)
def _(a, b):
    size = torch.minimum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where((a == 0) & (b == 0), torch.ones_like(size), size)).max()


@relative_error.mistake(
    "You replaced the nan after the maximum: one pair of zeros then hides the errors of all other entries.",
    hint="Treat 0/0 entry by entry, before the maximum.",
)
def _(a, b):
    return torch.nan_to_num(((a - b).abs() / torch.maximum(a.abs(), b.abs())).max(), nan=0.0)


@relative_error.mistake(
    "You left out the entries where only one of the two is 0. Their error is 1.",
    hint="The error is 0 only where both are 0.",
)
def _(a, b):
    both = (a != 0) & (b != 0)
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs()))[both].max() if both.any() else a.new_zeros(())


@relative_error.mistake("You added up the errors of all entries.", hint="Return the largest of them.")
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).sum()


@relative_error.mistake("You return an error for each entry.", hint="Return one number: the largest of them.")
def _(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return (a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)


# ---------------------------------------------------------------- batch_mean


@exercise(
    points=2,
    hints=[
        "How many samples are there in all? And how large is the sum of their losses in one batch, if you know the batch's mean and its size?",
        "A batch's sum is its mean times its size. Add these sums up, and divide by the number of all samples.",
    ],
    built="The mean over all samples. In a training loop: add up `loss.item() * len(y)`, and divide by the number of samples; "
    'or let the loss add up for you, `reduction="sum"`, and divide once at the end.',
)
def batch_mean(losses, sizes):
    return (losses * sizes).sum() / sizes.sum()


def batches(rng):
    n = rng.size(4, 7)
    return rng.uniform(n, low=0.1, high=3.0), torch.cat(
        [rng.integers(n - 2, low=20, high=64), torch.tensor([64, 3])]
    )


batch_mean.case("the lesson's example", example=True)(
    lambda rng: (torch.tensor([0.4485, 0.25, 1.75], dtype=rng.dtype), torch.tensor([4, 4, 2]))
)
batch_mean.case("random batches", gradient="losses")(batches)
batch_mean.case("a short last batch")(
    lambda rng: (rng.uniform(5, low=0.1, high=3.0), torch.tensor([128, 128, 128, 128, 57]))
)
batch_mean.case("batches of one size, and one batch")(
    lambda rng: [
        (rng.uniform(4, low=0.1, high=3.0), torch.full((4,), 16)),
        (rng.uniform(1, low=0.1, high=3.0), torch.tensor([7])),
    ]
)
batch_mean.case("float32", dtype=torch.float32, gradient="losses")(batches)


@batch_mean.mistake(
    "You averaged the batches' means, so a batch of 3 counts as much as one of 64.",
    hint="A sample in a short batch must not count for more than another: weight each mean by the size "
    "of its batch.",
)
def _(losses, sizes):
    return losses.mean()


@batch_mean.mistake(
    "You divided the sum over all samples by the number of batches.", hint="Divide by the number of samples."
)
def _(losses, sizes):
    return (losses * sizes).sum() / len(sizes)


@batch_mean.mistake(
    "You divided twice: by the number of batches, as `.mean()` does, and by the number of samples.",
    hint="Add up first, then divide once.",
)
def _(losses, sizes):
    return (losses * sizes).mean() / sizes.sum()


@batch_mean.mistake(
    "You added up the means and divided by the number of samples. A mean is not yet its batch's sum.",
    hint="Multiply each mean by the size of its batch first.",
)
def _(losses, sizes):
    return losses.sum() / sizes.sum()


@batch_mean.mistake("Your mean leaves the last batch out. Its samples count, too.")
def _(losses, sizes):
    return (losses[:-1] * sizes[:-1]).sum() / sizes[:-1].sum() if len(sizes) > 1 else losses.sum() * 0


@batch_mean.mistake(
    "You divided each mean by the size of its batch, but it is a mean already.",
    hint="Multiply by the size, and you have the batch's sum.",
)
def _(losses, sizes):
    return (losses / sizes).sum() / sizes.sum()


@batch_mean.mistake(
    "This is the sum of all losses. The mean divides it by the number of samples.",
    hint="How many samples are there in all?",
)
def _(losses, sizes):
    return (losses * sizes).sum()


@batch_mean.mistake(
    "You scaled by the largest batch, which treats every batch as full.",
    hint="Divide by the number of samples that there really are.",
)
def _(losses, sizes):
    return (losses * sizes).sum() / (sizes.max() * len(sizes))


@batch_mean.mistake(
    "The weights became whole numbers: size / total is below 1, and `//` makes it 0.", hint="Use `/`."
)
def _(losses, sizes):
    return (losses * (sizes // sizes.sum())).sum()
