"""What an answer is, apart from its numbers: of another kind or dtype, an input changed, a gradient that is
cut, not the same twice."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Difference, alike, as_parts, as_tensor, compare
from grader.judging.diagnose.evidence import FORM, ratio, times, value_only
from grader.judging.diagnose.results import largest_error
from grader.judging.diagnose.words import at_in_brackets
from grader.judging.question import Array, Foreign

if TYPE_CHECKING:
    from grader.judging.diagnose.evidence import Evidence


def inconsistent(evidence: "Evidence"):
    """Asked the same again, does the answer say something else?"""
    a = evidence.wrong[0]
    again = [evidence.ask(a.question, ()) for _ in range(2)]
    if any(r.lost for r in again) or all(alike(value_only(r), value_only(a.got), a.case) for r in again):
        return ""
    return (
        "Asked the same twice, your function gives two answers: it draws random numbers, keeps something "
        "from one call to the next (a global name, a default like `losses=[]`), or reads memory that "
        "nothing was written to (`torch.empty`)."
    )


def kind(evidence: "Evidence"):
    """Is what comes back a number, an array, a tuple or None where a tensor is expected, or the other way
    round?"""
    if evidence.wrong[0].difference != Difference.KIND:
        return ""
    value, want = evidence.wrong[0].got.value, evidence.wrong[0].expected.value
    if value is None:
        return "Your function returns nothing (None). Does every path end in `return`?"
    # several values are expected
    if isinstance(want, tuple) and (not isinstance(value, tuple) or len(value) != len(want)):
        got = "a single value"
        if isinstance(value, tuple):
            got = f"{len(value)} values"
        return f"Return {len(want)} values, as in `return a, b`: yours returns {got}."
    if isinstance(value, tuple) and isinstance(want, tuple):
        number, part, wanted = next(
            ((i, v, w) for i, (v, w) in enumerate(zip(value, want), 1) if _other_kind(v, w)),
            (1, value[0], want[0]),
        )
        if isinstance(wanted, tuple):
            return (
                f"Value {number} of the {len(want)} that you return is {_contents(part)}; a list of "
                f"{len(wanted)} numbers is expected there."
            )
        called = {Array: "numpy array", tuple: "list"}.get(type(part)) or _type_name(part)
        return f"Value {number} of the {len(want)} that you return is of the kind {called}; a tensor is expected there."
    # a single tensor is expected
    if isinstance(value, (bool, int, float)):
        what_to_do = "`torch.tensor(…, dtype=…)` makes one of a Python number."
        if any(c.gradient for c in evidence.exercise.cases):
            what_to_do = (
                "`.item()` and `float(…)` cut the value out of the graph, so that no gradient can flow."
            )
        return f"You return a Python {type(value).__name__}; a tensor is expected. {what_to_do}"
    if isinstance(value, Array):
        return "You return a numpy array; a tensor is expected. Numpy knows no autograd: stay with torch functions."
    if isinstance(value, tuple):
        right = [i for i, v in enumerate(value, 1) if _is_right(evidence, v)]
        if right and len(value) > 1:
            return (
                f"You return {len(value)} values; one is expected. Number {right[0]} of them is right: "
                "return that alone."
            )
        return (
            f"You return a list or tuple of {len(value)}; one tensor is expected. `torch.stack` makes a "
            "tensor of a list of tensors, `torch.tensor` one of a list of numbers."
        )
    return f"You return {_type_name(value)}; a tensor is expected."


def _is_right(evidence, value):
    """Is this one of the values returned, what was to be returned alone?"""
    a = evidence.wrong[0]
    alone = replace(a.got, value=value, gradients=a.expected.gradients, changed=())
    return compare(evidence.exercise, a.case, a.expected, alone) is None


def _other_kind(value, want):
    """Is it no tensor, or no list of numbers, where the reference gives one?"""
    if isinstance(want, tuple):
        return not isinstance(as_tensor(value), torch.Tensor)
    return type(value) is not type(want)


def _contents(part):
    if not isinstance(part, tuple):
        return f"of the kind {_type_name(part)}"
    if not part:
        return "an empty list"
    return f"a list with a {_type_name(part[0])} in it"


def _type_name(value):
    if isinstance(value, Foreign):
        return value.type
    return type(value).__name__


def dtype(evidence: "Evidence"):
    """Are the values right, and of another dtype?"""
    kinds = {a.difference for a in evidence.wrong if not a.case.extreme}
    wrong = [a for a in evidence.wrong if a.difference == Difference.DTYPE]
    if not wrong or not kinds <= {Difference.DTYPE, Difference.CUT, Difference.GRADIENT, Difference.ERROR}:
        return ""
    name = lambda t: str(t.dtype).removeprefix("torch.")  # noqa: E731
    pair = next(
        (
            (g, w)
            for g, w in zip(as_parts(wrong[0].got.value), as_parts(wrong[0].expected.value))
            if isinstance(g, torch.Tensor) and g.dtype != w.dtype
        ),
        None,
    )
    if not pair:
        return ""
    got, want = pair
    if want.is_floating_point():
        advice = "A result has the dtype of its input: convert nothing, and create tensors with `dtype=` or `…_like`."
    else:
        advice = "Class indices and one-hot labels are integers (int64)."
    if _only_form(evidence):
        return f"The values are right, but the dtype is {name(got)} where {name(want)} is expected. {advice}"
    return f"The dtype is {name(got)} where {name(want)} is expected. {advice}"


def _only_form(evidence):
    """Is every value right? Else "the value is right" would be untrue."""
    return all(a.difference in FORM for a in evidence.wrong)


def changed(evidence: "Evidence"):
    """Is the value right, and an input no longer what it was?"""
    if evidence.wrong[0].difference != Difference.CHANGED or not _only_form(evidence):
        return ""
    names = ", ".join(f"`{n}`" for n in evidence.wrong[0].got.changed)
    return (
        f"The value is right, but your function changes its input {names}. In-place operations (`+=`, `x[…] "
        "= …`, methods that end in `_`) write into the caller's tensor: work on a new one."
    )


def large(evidence: "Evidence"):
    """Is the value right, and a tensor made on the way that the exercise is there to avoid?"""
    a = evidence.wrong[0]
    made = a.got.made
    if a.difference is not Difference.LARGE or made is None or not _only_form(evidence):
        return ""
    where = at_in_brackets(made.place)
    if made.left_torch:
        return (
            f"The result is right, but you hand a tensor to numpy{where}, and nobody can see how large "
            "the arrays are that it makes. Stay with torch functions: here it counts how large the "
            "largest tensor is."
        )
    return (
        f"The result is right, but a tensor of shape {made.shape} with {made.entries} entries is made on "
        f"the way{where}; no more than {made.limit} are allowed here."
    )


def met(evidence: "Evidence"):
    """Is the value right, and more taken together in one operation than the exercise allows?"""
    a = evidence.wrong[0]
    meeting, name = a.got.met, a.question.apart
    if a.difference is not Difference.MET or meeting is None or not _only_form(evidence):
        return ""
    where = at_in_brackets(meeting.place)
    one, other = (f"`{name}[{part}]`" for part in meeting.parts)
    return (
        f"The result is right, but one operation takes {meeting.entries[0]} entries of {one} together with "
        f"{meeting.entries[1]} of {other}{where}. No more than {meeting.limit}, one for each row, may leave "
        "their place."
    )


def gradient(evidence: "Evidence"):
    """Is the value right, and its gradient cut off, nan, 0, a multiple, or another?"""
    kinds = {a.difference for a in evidence.wrong}
    if kinds == {Difference.CUT}:
        names = ", ".join(
            f"`{n}`"
            for n, g in evidence.wrong[0].got.gradients.items()
            if g is None and evidence.wrong[0].expected.gradients[n] is not None
        )
        return (
            f"The value is right, but no gradient reaches {names}: something cuts the graph. `.detach()`, "
            "`.item()`, `.numpy()`, `torch.tensor(…)`, `torch.no_grad()` and comparisons do; so does an "
            "in-place change (`+=`, `exp_()`) of a value that autograd still needs."
        )
    if kinds != {Difference.GRADIENT}:
        return ""
    pairs = [
        (a.got.gradients[n], g)
        for a in evidence.wrong
        for n, g in a.expected.gradients.items()
        if g is not None
    ]
    if any(made.isnan().any() and not g.isnan().any() for made, g in pairs):
        return (
            "The value is right, but its gradient is nan, at least in part. Often a nan or inf that "
            "`torch.where` or a multiplication by 0 hides in the value comes back in the gradient: keep it "
            "from arising."
        )
    if all((made == 0).all() for made, _ in pairs):
        return (
            "The value is right, but its gradient is 0 where it should not be: something flat is in the way, "
            "such as a clamp, a rounding or a saturated function."
        )
    factor = ratio([(m, g) for m, g in pairs if m.shape == g.shape])
    if factor is not None:
        return (
            f"The value is right, but its gradient is {times(factor)} what it should be: often a part of the "
            "formula is cut off from autograd."
        )
    if largest_error(evidence.wrong) < 0.01:
        return ""  # nothing is cut: something disturbs it a little
    return (
        "The value is right, but its gradient is not: often a part of the formula is cut off from autograd, "
        "saturates, or hides behind an epsilon."
    )
