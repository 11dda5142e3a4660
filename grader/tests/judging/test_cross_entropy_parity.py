"""The lesson's own answers of 09_cross_entropy_options, taken from its text, equal PyTorch's: any options,
dtype and size, value and gradient."""

import functools
import itertools

import jupytext
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from grader.course.build import solution_cells, text_of

LESSON = "09_cross_entropy_options"
TOLERANCE = {torch.float64: dict(rtol=1e-9, atol=1e-11), torch.float32: dict(rtol=2e-4, atol=2e-5)}
REDUCTIONS = ("mean", "sum", "none")

# derandomize: the same examples in every run, so that a red build is never a matter of luck
quick = settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The tensors are tiny: threads that wait for each other would take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@functools.cache
def lesson():
    """What the lesson's exercise cells define, as a learner with the course's answers would have it, and its
    `everything`."""
    namespace = {"torch": torch, "F": F}
    for name, cell in solution_cells(LESSON).items():
        exec(compile(cell, f"<{name} of {LESSON}>", "exec"), namespace)
    cells = jupytext.reads(text_of(LESSON).read_text(encoding="utf-8"), fmt="py:percent").cells
    namespace["full_ready"] = namespace["full_cross_entropy"]
    exec(
        next(c.source for c in cells if c.cell_type == "code" and "def everything(" in c.source),
        namespace,
    )
    return namespace


def slopes(loss, leaves):
    """The gradient of a loss by its leaves, each entry of the loss with another factor."""
    factors = torch.linspace(0.5, 1.5, max(loss.numel(), 1), dtype=loss.dtype).reshape(loss.shape)
    return torch.autograd.grad((loss * factors).sum(), leaves, allow_unused=True)


def assert_same(mine, theirs, z, *inputs, **options):
    """Both functions give the same value, shape, dtype and gradients by z and every float input; nan where
    PyTorch gives nan."""
    leaves = [t.clone().requires_grad_(t.is_floating_point()) for t in (z, *inputs)]
    floats = [t for t in leaves if t.requires_grad]
    got, want = mine(*leaves, **options), theirs(*leaves, **options)
    assert got.shape == want.shape and got.dtype == want.dtype == z.dtype
    torch.testing.assert_close(got, want, equal_nan=True, **TOLERANCE[z.dtype])
    for mine_by, theirs_by in zip(slopes(got, floats), slopes(want, floats)):
        torch.testing.assert_close(mine_by, theirs_by, equal_nan=True, **TOLERANCE[z.dtype])


@st.composite
def logits(draw, places=((),), low=1):
    """z of shape (N, C, *places): ordinary, all alike, or as extreme as ±1000."""
    n, c, rest = draw(st.integers(low, 7)), draw(st.integers(1, 6)), draw(st.sampled_from(places))
    dtype = draw(st.sampled_from((torch.float64, torch.float32)))
    scale = draw(st.sampled_from((0.0, 1.0, 5.0, 1000.0)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    z = torch.randn((n, c, *rest), generator=generator, dtype=torch.float64)
    z = (1000 * z.sign() if scale == 1000 else scale * z).to(dtype)
    return z, generator


def numbers(z, generator):
    """Labels for z (N, C, …): int64 of shape (N, …)."""
    return torch.randint(z.shape[1], (z.shape[0], *z.shape[2:]), generator=generator)


def distributions(z, generator):
    """Probabilities in the shape of z, over its dimension 1; every third one hard."""
    q = torch.softmax(2 * torch.randn(z.shape, generator=generator, dtype=torch.float64), dim=1)
    hard = F.one_hot(numbers(z, generator), z.shape[1]).movedim(-1, 1).double()
    return torch.where(torch.rand(z[:, :1].shape, generator=generator) < 1 / 3, hard, q).to(z.dtype)


def class_weights(z, generator, some_zero=False):
    w = 0.1 + 3 * torch.rand(z.shape[1], generator=generator, dtype=torch.float64)
    if some_zero:
        w[torch.rand(z.shape[1], generator=generator) < 0.4] = 0
    return w.to(z.dtype)


def masked(draw, y, c):
    """Some labels, all or none replaced by ignore_index; a class may be ignored too."""
    ignore_index = draw(st.sampled_from((-100, -1, -7, 255, 0, c - 1)))
    share = draw(st.sampled_from((0.0, 0.4, 1.0)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    return torch.where(torch.rand(y.shape, generator=generator) < share, ignore_index, y), ignore_index


WEIGHTS = ("none", "positive", "some zero")


@pytest.mark.parametrize(("reduction", "weights"), list(itertools.product(REDUCTIONS, WEIGHTS)))
@quick
@given(data=st.data())
def test_full_cross_entropy_equals_pytorch(reduction, weights, data):
    z, generator = data.draw(logits())
    y, ignore_index = masked(data.draw, numbers(z, generator), z.shape[1])
    options = dict(
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=data.draw(st.sampled_from((0.0, 0.1, 0.5, 1.0))),
    )
    if weights != "none":
        options["weight"] = class_weights(z, generator, weights == "some zero")
    assert_same(lesson()["full_cross_entropy"], F.cross_entropy, z, y, **options)


@pytest.mark.parametrize(
    "options",
    [
        dict(reduction=r, label_smoothing=s, weight=w)
        for r in REDUCTIONS
        for s in (0.0, 0.1)
        for w in (None, torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    ],
)
def test_with_every_label_ignored_the_mean_is_nan_and_the_rest_0(options):
    z = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.full((4,), -100)
    assert_same(lesson()["full_cross_entropy"], F.cross_entropy, z, y, **options)
    result = lesson()["full_cross_entropy"](z, y, **options)
    assert result.isnan().all() if options["reduction"] == "mean" else (result == 0).all()


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_when_only_weights_of_0_are_used_the_mean_is_nan_as_in_pytorch(reduction, label_smoothing):
    z = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    w = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    assert_same(
        lesson()["full_cross_entropy"],
        F.cross_entropy,
        z,
        torch.tensor([0, 1, 1, 0]),
        weight=w,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


@quick
@given(logits(), st.sampled_from((0.0, 0.1)), st.sampled_from(REDUCTIONS), st.booleans())
def test_a_logit_of_minus_infinity_gives_what_pytorch_gives(made, label_smoothing, reduction, weighted):
    z, generator = made
    y = numbers(z, generator)
    z = torch.cat([z, torch.full_like(z[:, :1], -torch.inf)], dim=1)  # a class that is nobody's label
    options = dict(
        reduction=reduction,
        label_smoothing=label_smoothing,
        weight=class_weights(z, generator) if weighted else None,
    )
    assert_same(lesson()["full_cross_entropy"], F.cross_entropy, z, y, **options)


@quick
@given(logits(), st.booleans())
def test_weighted_cross_entropy_equals_pytorch(made, some_zero):
    z, generator = made
    y, w = numbers(z, generator), class_weights(z, generator, some_zero)
    assert_same(
        lambda z, y: lesson()["weighted_cross_entropy"](z, y, w),
        lambda z, y: F.cross_entropy(z, y, weight=w),
        z,
        y,
    )


@quick
@given(st.data())
def test_masked_cross_entropy_equals_pytorch(data):
    z, generator = data.draw(logits())
    y, ignore_index = masked(data.draw, numbers(z, generator), z.shape[1])
    assert_same(lesson()["masked_cross_entropy"], F.cross_entropy, z, y, ignore_index=ignore_index)


@quick
@given(logits(), st.floats(0, 1))
def test_smoothed_cross_entropy_equals_pytorch(made, label_smoothing):
    z, generator = made
    assert_same(
        lesson()["smoothed_cross_entropy"],
        F.cross_entropy,
        z,
        numbers(z, generator),
        label_smoothing=label_smoothing,
    )


@quick
@given(logits())
def test_soft_cross_entropy_equals_pytorch_also_in_the_gradient_of_the_target(made):
    z, generator = made
    assert_same(lesson()["soft_cross_entropy"], F.cross_entropy, z, distributions(z, generator))


@quick
@given(logits(places=((1,), (3,), (5,))))
def test_sequence_cross_entropy_equals_pytorch(made):
    z, generator = made
    assert_same(lesson()["sequence_cross_entropy"], F.cross_entropy, z, numbers(z, generator))


@quick
@given(
    logits(places=((), (4,), (2, 3))),
    st.sampled_from(REDUCTIONS),
    st.booleans(),
    st.booleans(),
    st.sampled_from((0.0, 0.2)),
)
def test_everything_equals_pytorch_in_any_number_of_dimensions(
    made, reduction, soft, weighted, label_smoothing
):
    z, generator = made
    target = distributions(z, generator) if soft else numbers(z, generator)
    options = dict(
        reduction=reduction,
        label_smoothing=label_smoothing,
        weight=class_weights(z, generator) if weighted else None,
    )
    assert_same(lesson()["everything"], F.cross_entropy, z, target, **options)
