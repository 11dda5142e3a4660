"""Two results side by side: the first difference that counts, and whether two answers behave alike. Pure."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import torch

from grader.judging.exercise import Case
from grader.judging.question import Array, Call, Result

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise


class Difference(Enum):
    """What differs between two results; where several things do, the first of these that is met."""

    ERROR = "error"  # nothing came back: it raised, or was lost
    KIND = "kind"  # a number, a list or None where a tensor is expected
    SHAPE = "shape"
    VALUE = "value"
    DTYPE = "dtype"
    CHANGED = "changed"  # an input was modified
    CUT = "cut"  # no gradient where there should be one
    GRADIENT = "gradient"
    LARGE = "large"  # a tensor larger than the question allows was made on the way
    MET = "met"  # two parts of an input met in one operation, where the question keeps them apart


@dataclass(frozen=True)
class Asked:
    """One question, what the reference says, what the answer says, and the first difference (None if there is none)."""

    case: Case
    question: Call
    expected: Result
    got: Result
    difference: Difference | None


def as_tensor(value: object):
    """A number, or a sequence of numbers and 0-d tensors, or a numpy array, as a tensor; anything else as it is."""
    if isinstance(value, Array):
        return value.tensor
    if isinstance(value, tuple):
        value = tuple(v.tensor if isinstance(v, Array) else v for v in value)  # `np.float64(0.5)` in a list
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    if (
        isinstance(value, tuple)
        and value
        and all(
            isinstance(v, (bool, int, float))
            or isinstance(v, torch.Tensor)
            and v.numel() == 1
            and not v.is_complex()
            for v in value
        )
    ):
        return torch.tensor([float(v) for v in value], dtype=torch.float64)
    return value


def compare(exercise: "Exercise", case: Case, expected: Result, got: Result):
    """The first Difference between two Results, or None."""
    if got.failed:
        return Difference.ERROR
    difference = _compare_values(exercise, case, expected.value, got.value)
    if difference:
        return difference
    if got.changed:
        return Difference.CHANGED
    for name, gradient in expected.gradients.items():
        made = got.gradients.get(name)
        if gradient is None:
            continue
        if made is None and _size(gradient) <= case.tolerance(gradient.dtype)[1]:
            continue  # nothing flows where the slope is 0, or nothing but rounding: as good as a 0
        if made is None:
            return Difference.CUT
        if made.shape != gradient.shape or not close(
            made, gradient, *case.tolerance_of_slope(gradient.dtype)
        ):
            return Difference.GRADIENT
    if got.made:
        return Difference.LARGE
    if got.met:
        return Difference.MET
    return None


def _size(t):
    if not t.numel():
        return 0.0
    return t.abs().max().item()


def _compare_values(exercise, case, want, have):
    """The first Difference between two values, parts of tuples included; gradients are not looked at."""
    numbers = isinstance(want, tuple) and all(isinstance(v, (bool, int, float)) for v in want)
    if isinstance(want, tuple) and not numbers:
        if not isinstance(have, tuple) or len(have) != len(want):
            return Difference.KIND
        differences = {_compare_values(exercise, case, w, h) for w, h in zip(want, have)}
        # A list of another length is told before a number in it.
        order = (Difference.KIND, Difference.SHAPE, Difference.VALUE, Difference.DTYPE)
        return next((difference for difference in order if difference in differences), None)
    if numbers or exercise.number:  # a list of numbers is as good as a tensor where the reference gives one
        if exercise.number and isinstance(have, tuple):
            return Difference.KIND
        have, want = as_tensor(have), as_tensor(want)
        if not isinstance(want, torch.Tensor):
            return Difference.KIND
        # `nn.Parameter(torch.ones(1))` is a number, too
        if isinstance(have, torch.Tensor) and exercise.number and have.numel() == want.numel() == 1:
            have = have.reshape(want.shape)
    if not isinstance(have, torch.Tensor) or not isinstance(want, torch.Tensor):
        if type(have) is type(want) and have == want:
            return None
        return Difference.KIND
    if have.shape != want.shape:
        return Difference.SHAPE
    narrow = min((want.dtype, have.dtype), key=lambda d: torch.finfo(d).bits if d.is_floating_point else 64)
    if not close(have, want, *case.tolerance(narrow)):
        return Difference.VALUE
    free = numbers or exercise.number or exercise.any_dtype
    if free or have.dtype == want.dtype:
        return None
    return Difference.DTYPE


def close(a: torch.Tensor, b: torch.Tensor, rtol: float = 1e-4, atol: float = 1e-6):
    """Equal within tolerances, nan to nan and inf to inf, whatever the dtypes; shapes must be the same."""
    if a.shape != b.shape or a.is_complex() or b.is_complex():
        return False
    return torch.allclose(a.double(), b.double(), rtol=rtol, atol=atol, equal_nan=True)


def alike(a: Result, b: Result, case: Case):
    """Do two Results show the same behaviour? Used to recognise a mistake, so dtypes and types do not count."""
    if a.ended is not b.ended:
        return False
    if a.raised and b.raised:
        return a.raised.type == b.raised.type and _bare(a.raised.text) == _bare(b.raised.text)
    if a.failed:
        return True
    # A wrong answer may round otherwise: ten times the tolerance, but never so much that chance explains.
    rtol, atol = (min(10 * t, max(t, 1e-4)) for t in case.tolerance(_narrow(case.dtype, a, b)))
    va, vb = as_parts(a.value), as_parts(b.value)
    if len(va) != len(vb) or not all(_alike(x, y, rtol, atol) for x, y in zip(va, vb)):
        return False
    if set(a.changed) != set(b.changed):
        return False
    for name in a.gradients.keys() & b.gradients.keys():
        x, y = a.gradients[name], b.gradients[name]
        if (x is None) != (y is None) or x is not None and not close(x, y, rtol, atol):
            return False
    return True


def _narrow(dtype, *results):
    """float32 where one of the results is of it, else the dtype given."""
    parts = [p for r in results for p in as_parts(r.value) if isinstance(p, torch.Tensor)]
    if any(p.dtype is torch.float32 for p in parts):
        return torch.float32
    return dtype


def _bare(text):
    """The text of an exception without sizes and without the name of the learner's class."""
    return re.sub(r"^\w+\.|'\w+' object|\d+", "", text)


def as_parts(value: object):
    """The values that were returned, as a tuple: a single one is a tuple of one."""
    if isinstance(value, tuple):
        return value
    return (value,)


def _alike(x, y, rtol, atol):
    x, y = (v.tensor if isinstance(v, Array) else as_tensor(v) for v in (x, y))
    if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor):
        return close(x, y, rtol, atol)
    if isinstance(x, tuple) and isinstance(y, tuple):  # a list of tensors among the values
        return len(x) == len(y) and all(_alike(a, b, rtol, atol) for a, b in zip(x, y))
    return type(x) is type(y) and (x is None or x == y)
