"""What an answer makes of its arguments: right for some inputs only, arguments treated otherwise, or ignored."""

import itertools
import math
import operator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Difference, alike, as_parts, as_tensor, compare
from grader.judging.diagnose.evidence import Layer, classes, samples, telling, value_only
from grader.judging.verdict import show

if TYPE_CHECKING:
    from grader.judging.diagnose.evidence import Evidence
    from grader.judging.question import Call


def only_example(evidence: "Evidence"):
    """Is the answer right on the lesson's example alone?"""
    examples = [a for a in evidence.asked if a.case.example]
    if (
        examples
        and all(not a.difference for a in examples)
        and all(a.difference for a in evidence.asked if not a.case.example)
        and len({a.difference for a in evidence.wrong}) == 1
        and _same_answer([a for a in evidence.asked if a.got.value is not None])
    ):
        return "Right for the lesson's example and nothing else: compute the result from the arguments."
    return ""


def _same_answer(asked):
    """Is it the same value whatever the question?"""
    values = [a.got.value for a in asked]
    return (
        len(values) > 1
        and all(isinstance(v, torch.Tensor) for v in values)
        and all(
            v.shape == values[0].shape and torch.equal(torch.nan_to_num(v), torch.nan_to_num(values[0]))
            for v in values
        )
    )


def constant(evidence: "Evidence"):
    """Is the result the same whatever goes in?"""
    others = [a for a in evidence.asked if not a.case.example]
    if others and all(a.difference for a in others) and _same_answer(evidence.asked):
        return "Your result is the same whatever the inputs are: compute it from the arguments."
    return ""


def only_size(evidence: "Evidence"):
    """Right only for the number of samples of the lesson's example?"""
    example = next((a for a in evidence.asked if a.case.example and not a.difference), None)
    n = 0
    if example:
        n = samples(example.question)
    kinds = (Difference.VALUE, Difference.SHAPE, Difference.ERROR)
    if not n or any(a.difference not in kinds for a in evidence.wrong):
        return ""
    larger = [a for a in evidence.wrong if samples(a.question) > n]
    for a in larger:
        size = samples(a.question)
        # The first n and the last n: what is wrong may lie in a single sample.
        if not all(_right_for(evidence, a, part) for part in (slice(0, n), slice(size - n, size))):
            return ""
        # One sample more must be wrong again; else it is something in a sample, and not their number.
        more = (slice(0, n + 1), slice(size - n - 1, size))
        if any(_right_for(evidence, a, part) for part in more):
            return ""
    if not larger:
        return ""
    return f"Right for {n} samples, as in the lesson's example, and wrong for more: take the size from the arguments."


def _right_for(evidence, a, part):
    """Is the answer right for these samples of a question?"""
    question = a.question.cut(part, samples(a.question))
    expected = evidence.expected(question, a.case.gradient)
    if expected.failed:
        return False
    got = evidence.ask(question, a.case.gradient)
    return compare(evidence.exercise, a.case, expected, got) is None


def only_classes(evidence: "Evidence"):
    """Right only for the number of classes of the lesson's example?"""
    example = next((a for a in evidence.asked if a.case.example and not a.difference), None)
    c = 1
    if example:
        c = classes(example.question)
    if c < 2 or any(
        a.difference not in (Difference.VALUE, Difference.SHAPE) or classes(a.question) == c
        for a in evidence.wrong
    ):
        return ""
    ordinary = [a for a in evidence.right if not a.case.extreme]
    if any(classes(a.question) > c for a in ordinary):
        return ""  # right for more classes, too
    wider = [a for a in evidence.wrong if classes(a.question) > c]
    for a in wider:
        size = classes(a.question)

        def narrow(v: object):
            if not isinstance(v, torch.Tensor) or not v.ndim:
                return v
            if v.shape[-1] == size and (v.ndim > 1 or v.is_floating_point()):
                v = v[..., :c]
            if v.is_floating_point():
                return v
            return torch.where(v < 0, v, v % c)

        cut = a.question.map(narrow)
        expected = evidence.expected(cut, a.case.gradient)
        if expected.failed or compare(
            evidence.exercise, a.case, expected, evidence.ask(cut, a.case.gradient)
        ):
            return ""
    return (
        f"Right for {c} classes, as in the lesson's example, and wrong for more: take the size from the "
        "arguments."
        if wider
        else ""
    )


TESTED_ALONE = 4  # questions whose samples are tested one by one


def where_wrong(evidence: "Evidence"):
    """Which samples are right and which wrong, each tested alone, where an argument tells them apart; or ""."""
    if evidence.exercise.together:
        return ""
    if isinstance(evidence.exercise.reference, type):  # a module may keep something from one call to the next
        return ""
    fit = [
        a
        for a in evidence.asked
        if a.difference == Difference.VALUE
        and not a.case.extreme
        and 2 <= samples(a.question) <= 32
        and not a.question.init
    ]
    alone = [_alone(evidence, a) for a in fit[:TESTED_ALONE]]
    if not alone or None in alone:
        return ""
    if not any(each[1] for each in alone):
        return (
            "Each sample alone comes out right; several together do not: look at how they are put together "
            "(a sum, a mean, a `dim`)."
        )
    # Of all that were tested, or else of the first question's.
    return _told_apart(evidence, alone) or _told_apart(evidence, alone[:1])


def _told_apart(evidence, alone):
    """What tells the right samples from the wrong ones, as a sentence, or ""."""
    right = [one for each in alone for one in each[0]]
    wrong = [one for each in alone for one in each[1]]
    if min(len(right), len(wrong)) < 2:  # one sample may differ in anything
        return ""
    for i, name in enumerate(evidence.exercise.parameters):
        values = [[_number_at(one, i) for one in part] for part in (right, wrong)]
        if any(math.isnan(v) for part in values for v in part):
            continue
        for says, holds in _properties(right[0], i):
            if all(map(holds, values[1])) and not any(map(holds, values[0])):
                return (
                    f"Of {len(right) + len(wrong)} samples tested one by one, exactly those in which "
                    f"`{name}` {says} come out wrong: look at what happens to those."
                )
    return ""


def _alone(evidence, a):
    """The samples of a question, each as a question of its own: those that are answered rightly, and the others.

    None where the definition has no answer to one of them.
    """
    n = samples(a.question)
    right: list[Call] = []
    wrong: list[Call] = []
    for i in range(n):
        one = a.question.cut(slice(i, i + 1), n)
        expected = evidence.expected(one, ())
        if expected.failed:
            return None
        differs = compare(evidence.exercise, a.case, expected, evidence.ask(one, ()))
        (wrong if differs else right).append(one)
    return right, wrong


def _number_at(question, i):
    """The single number that argument i is; nan where it is none."""
    value = question.args[i] if i < len(question.args) else None
    return value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else math.nan


def _positive(v):
    return v > 0


def _negative(v):
    return v < 0


def _properties(question, i):
    """What may tell samples apart by argument i: a phrase, and whether it holds of a number."""
    for number in (1, 0, -1):
        yield f"is {number}", partial(operator.eq, number)
    if question.args[i].is_floating_point():
        yield "is positive", _positive
        yield "is negative", _negative


def transformed_inputs(evidence: "Evidence"):
    """Would the reference give this answer if its arguments had been treated otherwise?"""
    if any(a.difference not in (Difference.VALUE, Difference.SHAPE) for a in evidence.wrong):
        return ""
    if not telling([a.got for a in evidence.wrong], 1):
        return ""  # for 0/1 decisions, 0, inf and nan too many treatments give the same
    for says, change in _treatments(evidence):
        if all(_explains(evidence, a, change) for a in evidence.wrong):
            return says
    return ""


def _treatments(evidence):
    parameters = evidence.exercise.parameters
    given = evidence.wrong[0].question.args
    tensors = [i for i, v in enumerate(given) if isinstance(v, torch.Tensor)]
    numbers = [i for i, v in enumerate(given) if isinstance(v, float)]
    for i, j in (*itertools.combinations(tensors, 2), *itertools.combinations(numbers, 2)):
        yield f"It looks as if `{parameters[i]}` and `{parameters[j]}` were swapped.", _swap(i, j)
    dims = {v for a in evidence.wrong for v in _dims(evidence.exercise, a.question)}
    if dims:
        for other in (0, 1, 2, -1, -2):
            yield (
                f"You work along dimension {other} where `dim` says another.",
                _with(evidence.exercise, "dim", other),
            )
    for i in tensors:
        name = parameters[i]
        last = lambda f: lambda t: f(t, dim=-1) if t.ndim else t  # noqa: E731
        for what, f in [
            ("a sigmoid", torch.sigmoid),
            ("a softmax", last(torch.softmax)),
            ("a log_softmax", last(torch.log_softmax)),
            ("a logarithm", torch.log),
            ("an exponential", torch.exp),
        ]:
            yield f"You applied {what} to `{name}` first: it goes in as it is.", _apply(i, f)
        yield f"The sign of `{name}` is flipped.", _apply(i, torch.neg)
        yield f"You used 1 − `{name}` instead of `{name}`.", _apply(i, lambda t: 1 - t)
        yield f"You squared `{name}` first: it goes in as it is.", _apply(i, torch.square)
        yield (
            f"What is negative in `{name}` is set to 0 on the way: your result is that of max(0, `{name}`).",
            _apply(i, torch.relu),
        )
        yield (
            f"The sign of `{name}` is lost: your result is that of its absolute value.",
            _apply(i, torch.abs),
        )
        yield (
            f"`{name}` is rounded to whole numbers on the way: 0.3 is more than 0, and 0.6 less than 1.",
            _apply(i, torch.round),
        )
        yield (
            f"Everything after the decimal point of `{name}` is dropped: 1.6 becomes 1.",
            _apply(i, torch.trunc),
        )
        yield (
            f"`{name}` is turned into True and False on the way: everything that is not 0 becomes 1.",
            _apply(i, lambda t: (t != 0).to(t.dtype)),
        )
    yield "The first sample is left out.", _part_of(samples, slice(1, None))
    yield "The last sample is left out.", _part_of(samples, slice(None, -1))
    for i in tensors:
        name = parameters[i]
        yield f"The first class (column 0 of `{name}`) is left out.", _apply(i, _without_class(0))
        yield f"The last class (the last column of `{name}`) is left out.", _apply(i, _without_class(-1))


def _part_of(size, part):
    """The question with a part of its samples only."""

    def change(q: "Call"):
        n = size(q)
        if n < 3:
            return None
        return q.cut(part, n)

    return change


def _without_class(k):
    """A column of logits that counts for nothing."""

    def change(t: torch.Tensor):
        if t.ndim != 2 or t.shape[1] < 3:
            raise ValueError("no classes")
        t = t.clone()
        t[:, k] = -torch.inf
        return t

    return change


def _explains(evidence, a, change):
    try:
        question = change(a.question)
    except (RuntimeError, IndexError, TypeError, ValueError, KeyError):
        return False
    if question is None:
        return False
    if a.got.failed:
        return False
    treated = value_only(evidence.expected(question))
    return alike(value_only(a.got), treated, a.case) and not alike(value_only(a.expected), treated, a.case)


def _dims(exercise, question):
    given = dict(zip(exercise.parameters, question.args)) | question.kwargs
    if isinstance(given.get("dim"), int):
        return [given["dim"]]
    return []


def _swap(i, j):
    def change(q: "Call"):
        args = list(q.args)
        args[i], args[j] = args[j], args[i]
        return replace(q, args=tuple(args))

    return change


def _with(exercise, name, value):
    def change(q: "Call"):
        given = dict(zip(exercise.parameters, q.args)) | q.kwargs
        if given.get(name) == value:
            return q
        return replace(q, args=(), kwargs=given | {name: value})

    return change


def _apply(i, f):
    def change(q: "Call"):
        if i >= len(q.args) or not isinstance(q.args[i], torch.Tensor) or not q.args[i].is_floating_point():
            return None
        return replace(q, args=tuple(f(v) if k == i else v for k, v in enumerate(q.args)))

    return change


def ignored(evidence: "Evidence"):
    """Is the answer that of an argument's default, or of a constructor that is given nothing?"""
    return _default_taken(evidence) or _constructor_ignored(evidence)


def _given(exercise, question):
    return dict(zip(exercise.parameters, question.args)) | question.kwargs


def _default_taken(evidence):
    """An argument that is wrong wherever it is given, as if it had not been."""
    exercise = evidence.exercise
    for name, parameter in exercise.signature.parameters.items():
        if parameter.default is parameter.empty:
            continue

        def without(q: "Call"):
            given = {k: v for k, v in _given(exercise, q).items() if k != name}
            return replace(q, args=(), kwargs=given)

        if not all(name in _given(exercise, a.question) for a in evidence.wrong):
            continue
        if not all(_explains(evidence, a, without) for a in evidence.wrong):
            continue
        taken = f"your result is that of the default, `{name}={parameter.default!r}`."
        if any(_has_effect(evidence, a, name, without) for a in (*evidence.right, *evidence.aside)):
            values = dict.fromkeys(show(_given(exercise, a.question)[name]) for a in evidence.wrong)
            which = " and ".join(f"`{name}={value}`" for value in list(values)[:3])
            return f"{which} {_has(values)} no effect: {taken}"
        return f"The argument `{name}` has no effect: {taken}"
    return ""


def _has(values):
    if len(values) == 1:
        return "has"
    return "have"


def _has_effect(evidence, a, name, without):
    """Did this argument make a difference where the answer is right?"""
    if name not in _given(evidence.exercise, a.question):
        return False
    plain = evidence.expected(without(a.question))
    return not plain.failed and not alike(value_only(plain), value_only(a.expected), a.case)


def _constructor_ignored(evidence):
    def unbuilt(q: "Call"):
        return replace(q, init={})

    init = evidence.wrong[0].question.init
    if not init or not all(a.question.init for a in evidence.wrong):
        return ""
    if not all(_explains(evidence, a, unbuilt) for a in evidence.wrong):
        return ""
    built = [a for a in (*evidence.right, *evidence.aside) if a.question.init]
    if any(_differs_built(evidence, a, unbuilt) for a in built):
        values = dict.fromkeys(f"`{k}={show(v)}`" for a in evidence.wrong for k, v in a.question.init.items())
        which = " and ".join(list(values)[:3])
        return f"{which} {_has(values)} no effect: your result is that of the default."
    return f"What the constructor is given ({', '.join(init)}) has no effect in `forward`."


def _differs_built(evidence, a, unbuilt):
    """Did what the constructor was given make a difference where the answer is right?"""
    plain = evidence.expected(unbuilt(a.question))
    return not plain.failed and not alike(value_only(plain), value_only(a.expected), a.case)


def another_default(evidence: "Evidence"):
    """Is the answer right wherever an argument is given, and wrong wherever its default counts?"""
    exercise = evidence.exercise
    for name, parameter in exercise.signature.parameters.items():
        if not isinstance(parameter.default, int | float) or isinstance(parameter.default, bool):
            continue
        right = [a for a in evidence.right if name in _given(exercise, a.question)]
        if not right or any(name in _given(exercise, a.question) for a in evidence.wrong):
            continue
        return (
            f"Right in every question that gives `{name}`, and wrong only where it is left out: the default is "
            f"`{name}={parameter.default!r}`."
        )
    return ""


def unmoved(evidence: "Evidence"):
    """Is there an argument whose value makes no difference to the answer where it should?"""
    right = [a for a in evidence.right if not a.case.example]
    for i, name in enumerate(evidence.exercise.parameters):
        told = set()
        for a in (*evidence.wrong[:3], *right[:2]):
            if len(a.question.args) > i:
                told.add(_unmoved(evidence, a, i, thorough=True not in told))
            if False in told:  # a training takes its time: ask no more than is needed
                break
        if True in told and False not in told:
            return f"The argument `{name}` has no effect: your result stays the same when it changes."
    return ""


def _unmoved(evidence, a, i, thorough):
    """Does the answer stay the same when argument i changes (thorough: in several ways), where the reference
    does not? None: nothing is to be learned here."""
    value, others = a.question.args[i], []
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
        if value.ndim:
            others = [value.flip(0) * 0.9, -value, value * 0.8, 1 - value]
        else:
            others = [value * 0.9, -value]
    elif isinstance(value, torch.Tensor) and value.numel() and value.dtype is not torch.bool:
        others = [torch.ones_like(value), value.flip(0) if value.ndim else torch.zeros_like(value)]
    elif (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and evidence.exercise.parameters[i] != "dim"
    ):
        others = [value + 1]
    if not others:
        return None
    for part in as_parts(a.got.value):
        part = as_tensor(part)
        if not isinstance(part, torch.Tensor) or not part.isfinite().all() or not part.any():
            return None  # nan, inf, and a product with a 0 in it stay what they are, whatever changes
    told = []
    if not thorough:
        others = others[:1]
    for other in others:
        question = replace(a.question, args=(*a.question.args[:i], other, *a.question.args[i + 1 :]))
        expected = evidence.expected(question)
        if not (
            a.got.failed or expected.failed or alike(value_only(expected), value_only(a.expected), a.case)
        ):
            told.append(alike(value_only(evidence.ask(question, ())), value_only(a.got), a.case))
            if not told[-1]:
                break
    if told:
        return all(told)
    return None


def target(evidence: "Evidence"):
    """The target that a loss of logits pulls towards, read from its slopes: does it sum to 1, and is it the right one?

    Any loss −Σ t·log softmax(z) has the slope T·p − t, where T is the sum of t. Two questions with the same
    labels and other logits give T, and then t.
    """
    a = next((a for a in evidence.wrong if _is_classification(a.question)), None)
    if a is None or evidence.layer(a) is Layer.EXTREMES:
        return ""
    mine = _pull(lambda q, names: evidence.ask(q, names), evidence.exercise, a.question)
    theirs = _pull(evidence.expected, evidence.exercise, a.question)
    if mine is None or theirs is None or not (theirs[0] > 1e-9).all():
        return ""
    total = mine[0] / theirs[0]
    share = mine[1] / theirs[0][:, None]
    right = theirs[1] / theirs[0][:, None]
    y = a.question.args[1]
    own = share.gather(1, y[:, None])[:, 0]
    others = share.scatter(1, y[:, None], 0.0).sum(1) / (share.shape[1] - 1)
    flat = share.scatter(1, y[:, None], 0.0) - others[:, None].expand_as(share).scatter(1, y[:, None], 0.0)
    same = [torch.allclose(v, v[0].expand_as(v), atol=1e-4) for v in (total, own, others)]
    if not all(same) or flat.abs().max() > 1e-4:
        return ""
    if torch.allclose(share, total[:, None] * right, atol=1e-4):
        return ""  # the right target, and a factor before the whole loss
    given = f"it gives the label {_digits(own[0])} and each of the other classes {_digits(others[0])}"
    wanted = right.gather(1, y[:, None])[:, 0]
    rest = (1 - wanted[0]) / (share.shape[1] - 1)
    goal = f"here it should be {_digits(wanted[0])} for the label and {_digits(rest)} for each of the others"
    if abs(total[0] - 1) > 1e-3:
        return f"The target of your loss does not sum to 1 but to {total[0]:.3g}: {given}; {goal}."
    return f"The target of your loss is another one: {given}; {goal}."


def _digits(x):
    """Three digits; 0 for what is only rounding."""
    return f"{0 if abs(x) < 1e-6 else x:.3g}"


def _is_classification(question):
    """(N, C) logits and N labels, C at least 3?"""
    if len(question.args) < 2:
        return False
    z, y = question.args[:2]
    if not isinstance(z, torch.Tensor) or not isinstance(y, torch.Tensor):
        return False
    return (
        z.ndim == 2
        and z.is_floating_point()
        and z.shape[1] > 2
        and y.dtype is torch.int64
        and y.shape == z.shape[:1]
        and bool(((y >= 0) & (y < z.shape[1])).all())
    )


def _pull(ask, exercise, question):
    """T (N) and t (N, C) of a loss with the slope T·p − t, each times what the reduction makes of a sample;
    None for any other."""
    z, name = question.args[0], exercise.parameters[0]
    slopes, shares = [], []
    for logits in (z, -z, z.flip(1)):
        result = ask(replace(question, args=(logits, *question.args[1:])), (name,))
        if result.failed:
            gradient = None
        else:
            gradient = result.gradients.get(name)
        if gradient is None or gradient.shape != z.shape or not gradient.isfinite().all():
            return None
        slopes.append(gradient.double())
        shares.append(torch.softmax(logits.double(), dim=1))
    p, g = shares[1] - shares[0], slopes[1] - slopes[0]
    total = (p * g).sum(1) / (p * p).sum(1)
    t = total[:, None] * shares[0] - slopes[0]
    scale = 1e-4 * total.abs().max()
    if not torch.allclose(total[:, None] * shares[2] - slopes[2], t, rtol=1e-4, atol=scale.item()):
        return None
    return total, t
