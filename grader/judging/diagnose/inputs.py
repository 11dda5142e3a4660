"""What an answer makes of its arguments: right for some inputs only, arguments treated otherwise, or ignored."""

import math
from dataclasses import replace

import torch

from grader.judging.compare import Difference, alike, as_parts, compare
from grader.judging.diagnose.evidence import classes, mapped, samples, value_only


def only_example(evidence):
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


def constant(evidence):
    if len(evidence.wrong) == len([a for a in evidence.asked if not a.case.example]) and _same_answer(
        evidence.wrong
    ):
        return "Your result is the same whatever the inputs are: compute it from the arguments."
    return ""


def only_size(evidence):
    """Right only for the number of samples of the lesson's example?"""
    example = next((a for a in evidence.asked if a.case.example and not a.difference), None)
    n = samples(example.question) if example else 0
    if not n or any(
        a.difference not in (Difference.VALUE, Difference.SHAPE, Difference.ERROR) for a in evidence.wrong
    ):
        return ""
    seen = 0
    for a in evidence.wrong:
        size = samples(a.question)
        if size <= n:
            continue
        for part in (
            slice(0, n),
            slice(size - n, size),
        ):  # the first n and the last n: what is wrong may lie in a single sample
            cut = mapped(
                a.question,
                lambda v: v[part] if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == size else v,
            )
            expected = evidence.expected(cut, a.case.gradient)
            if expected.failed or compare(
                evidence.exercise, a.case, expected, evidence.ask(cut, a.case.gradient)
            ):
                return ""
        seen += 1
    return (
        f"Right only for {n} samples, as in the lesson's example: take the size from the arguments."
        if seen
        else ""
    )


def only_classes(evidence):
    """Right only for the number of classes of the lesson's example?"""
    example = next((a for a in evidence.asked if a.case.example and not a.difference), None)
    c = classes(example.question) if example else 1
    if c < 2 or any(
        a.difference not in (Difference.VALUE, Difference.SHAPE) or classes(a.question) == c
        for a in evidence.wrong
    ):
        return ""
    wider = [a for a in evidence.wrong if classes(a.question) > c]
    for a in wider:
        size = classes(a.question)

        def narrow(v):
            if not isinstance(v, torch.Tensor) or not v.ndim:
                return v
            v = v[..., :c] if v.shape[-1] == size and (v.ndim > 1 or v.is_floating_point()) else v
            return v if v.is_floating_point() else torch.where(v < 0, v, v % c)

        cut = mapped(a.question, narrow)
        expected = evidence.expected(cut, a.case.gradient)
        if expected.failed or compare(
            evidence.exercise, a.case, expected, evidence.ask(cut, a.case.gradient)
        ):
            return ""
    return (
        f"Right only for {c} classes, as in the lesson's example: take the size from the arguments."
        if wider
        else ""
    )


def where_wrong(evidence):
    """Which samples are right and which wrong, where an argument tells them apart: "Right where y is 1, wrong where y is 0", or ""."""
    telling = [
        a
        for a in evidence.asked
        if a.difference == Difference.VALUE
        and not a.case.extreme
        and 2 <= samples(a.question) <= 32
        and not a.question.init
    ]
    for a in telling[:8]:
        says = _where(evidence, a)
        if (
            says != ""
        ):  # where no sample of this question is right, or none of another's, what tells them apart is chance
            other = next((b for b in telling if b.case is not a.case), None)
            return says if says and (other is None or _where(evidence, other) is not None) else ""
    return ""


def _where(evidence, a):
    """The sentence that one question allows, "", or None where each of its samples is wrong."""
    n, right, wrong = samples(a.question), [], []
    for i in range(n):
        one = mapped(
            a.question,
            lambda v: v[i : i + 1] if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == n else v,
        )
        expected = evidence.expected(one, ())
        if expected.failed:
            return ""
        (wrong if compare(evidence.exercise, a.case, expected, evidence.ask(one, ())) else right).append(one)
    if not right:
        return None
    if wrong and min(len(right), len(wrong)) < 2:  # one sample may differ in anything
        return ""
    if not wrong:
        return "Each sample alone comes out right; several together do not: look at how they are put together (a sum, a mean, a `dim`)."
    for i, name in enumerate(evidence.exercise.parameters[: len(a.question.args)]):

        def value(q):
            v = q.args[i]
            return v.item() if isinstance(v, torch.Tensor) and v.numel() == 1 else math.nan

        signs = [("is positive", lambda v: v > 0), ("is negative", lambda v: v < 0)]
        for says, test in [
            ("is 1", lambda v: v == 1),
            ("is 0", lambda v: v == 0),
            ("is -1", lambda v: v == -1),
            *(
                signs
                if isinstance(a.question.args[i], torch.Tensor) and a.question.args[i].is_floating_point()
                else ()
            ),
        ]:
            if (
                all(test(value(q)) for q in wrong)
                and not any(test(value(q)) for q in right)
                and not any(math.isnan(value(q)) for q in right)
            ):
                return (
                    f"Right for other samples, wrong wherever `{name}` {says}: look at what happens to those."
                )
    return ""


def transformed_inputs(evidence):
    """Would the reference give this answer if its arguments had been treated otherwise?"""
    if evidence.exercise.any_dtype or any(
        a.difference not in (Difference.VALUE, Difference.SHAPE) for a in evidence.wrong
    ):
        return ""  # for 0/1 decisions too many treatments give the same
    finite = any(
        t.double().isfinite().any()
        for a in evidence.wrong
        for t in as_parts(a.got.value)
        if isinstance(t, torch.Tensor) and not t.is_complex()
    )
    found = (
        says
        for says, change in _treatments(evidence)
        if all(_explains(evidence, a, change) for a in evidence.wrong)
    )
    first = next(found, "")
    return (
        first if finite or not next(found, "") else ""
    )  # nan is like nan: only where a single treatment gives it


def _treatments(evidence):
    parameters = evidence.exercise.parameters
    tensors = [i for i, v in enumerate(evidence.wrong[0].question.args) if isinstance(v, torch.Tensor)]
    for i in tensors:
        for j in tensors:
            if i < j:
                yield (
                    f"It looks as if `{parameters[i]}` and `{parameters[j]}` have changed places.",
                    _swap(i, j),
                )
    dims = {v for a in evidence.wrong for v in _dims(evidence.exercise, a.question)}
    if dims:
        for other in (0, 1, 2, -1, -2):
            yield (
                f"You always work along dimension {other}, whatever `dim` says.",
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
        yield f"The sign of `{name}` is turned round.", _apply(i, torch.neg)
        yield f"You used 1 − `{name}` in the place of `{name}`.", _apply(i, lambda t: 1 - t)
        yield (
            f"The sign of `{name}` is lost: your result is that of its absolute value.",
            _apply(i, torch.abs),
        )
        yield (
            f"`{name}` is rounded to whole numbers on the way: 0.3 is more than 0, and 0.6 less than 1.",
            _apply(i, torch.round),
        )
        yield (
            f"What stands behind the point is cut off from `{name}` (an integer dtype?): 0.6 becomes 0.",
            _apply(i, torch.trunc),
        )
        yield (
            f"`{name}` is turned into True and False on the way: everything that is not 0 becomes 1.",
            _apply(i, lambda t: (t != 0).to(t.dtype)),
        )


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
    return [given["dim"]] if isinstance(given.get("dim"), int) else []


def _swap(i, j):
    def change(q):
        args = list(q.args)
        args[i], args[j] = args[j], args[i]
        return replace(q, args=tuple(args))

    return change


def _with(exercise, name, value):
    def change(q):
        given = dict(zip(exercise.parameters, q.args)) | q.kwargs
        if given.get(name) == value:
            return q
        return replace(q, args=(), kwargs=given | {name: value})

    return change


def _apply(i, f):
    def change(q):
        if i >= len(q.args) or not isinstance(q.args[i], torch.Tensor) or not q.args[i].is_floating_point():
            return None
        return replace(q, args=tuple(f(v) if k == i else v for k, v in enumerate(q.args)))

    return change


def ignored(evidence):
    """Is there an argument whose value makes no difference to the answer where it should?"""
    defaults = {
        n: p.default for n, p in evidence.exercise.signature.parameters.items() if p.default is not p.empty
    }
    for name, default in defaults.items():
        given = lambda q: dict(zip(evidence.exercise.parameters, q.args)) | q.kwargs  # noqa: E731
        if all(name in given(a.question) for a in evidence.wrong) and all(
            _explains(
                evidence,
                a,
                lambda q: replace(q, args=(), kwargs={k: v for k, v in given(q).items() if k != name}),
            )
            for a in evidence.wrong
        ):
            return f"The argument `{name}` has no effect: your result is that of the default, `{name}={default!r}`."
    if (
        evidence.wrong[0].question.init
        and all(a.question.init for a in evidence.wrong)
        and all(_explains(evidence, a, lambda q: replace(q, init={})) for a in evidence.wrong)
    ):
        return f"What the constructor is given ({', '.join(evidence.wrong[0].question.init)}) has no effect in `forward`."
    right = [a for a in evidence.asked if not a.difference and not a.case.example]
    for i, name in enumerate(evidence.exercise.parameters):
        told = set()
        for a in (*evidence.wrong[:3], *right[:2]):
            told |= (
                {_unmoved(evidence, a, i, thorough=True not in told)} if len(a.question.args) > i else set()
            )
            if False in told:  # a training takes its time: ask no more than is needed
                break
        if True in told and False not in told:
            return f"The argument `{name}` has no effect: your result stays the same when it changes."
    return ""


def _unmoved(evidence, a, i, thorough):
    """Does the answer stay the same when argument i changes (thorough: in several ways), where the reference does not? None: nothing is to be
    learnt here."""
    value = a.question.args[i]
    if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] > 1:
        # in another order, and with other values: a mean forgets the order
        others = (
            [value.flip(0) * 0.9, -value, value * 0.8, 1 - value]
            if value.is_floating_point()
            else [torch.ones_like(value), value.flip(0)]
        )
    elif (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and evidence.exercise.parameters[i] != "dim"
    ):
        others = [value + 1]
    else:
        return None
    if any(isinstance(t, torch.Tensor) and t.numel() and t.isnan().all() for t in as_parts(a.got.value)):
        return None  # nan stays nan, whatever changes
    told = []
    for other in others if thorough else others[:1]:
        question = replace(a.question, args=(*a.question.args[:i], other, *a.question.args[i + 1 :]))
        expected = evidence.expected(question)
        if not (
            a.got.failed or expected.failed or alike(value_only(expected), value_only(a.expected), a.case)
        ):
            told.append(alike(value_only(evidence.ask(question, ())), value_only(a.got), a.case))
            if not told[-1]:
                break
    return all(told) if told else None
