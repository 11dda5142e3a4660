"""What can go wrong with any loss, so that no exercise has to list it. Pure: works on what was asked and answered.

Every function takes the exercise and the questions, and returns a sentence for the learner, or "".
"""

import math
from dataclasses import replace

import torch

from grader.judging.compare import alike, as_tensor, close, compare
from grader.judging.question import Array, Call, Foreign


def general(exercise, ask, asked):
    """The first sentence that explains every question that was answered wrongly, or ""."""
    wrong = [a for a in asked if a.difference]
    for suspect in (
        _inconsistent,
        _kind,
        _dtype,
        _changed,
        _gradient,
        _only_example,
        _extremes,
        _transformed_inputs,
        _nan,
        _ignored,
        _nearly,
        _only_size,
        _shape,
        _rescaled,
        _constant,
        _only_classes,
    ):
        says = suspect(exercise, ask, asked, wrong)
        if says:
            return says
    return ""


# ---------------------------------------------------------------- what an answer is


def _inconsistent(exercise, ask, asked, wrong):
    a = wrong[0]
    again = [ask(a.question, ()) for _ in range(2)]
    if any(
        r.raised and r.raised.type in ("DeadlineExceeded", "ProcessDied", "MemoryError") for r in again
    ) or all(alike(_value_only(r), _value_only(a.got), a.case) for r in again):
        return ""
    return (
        "Asked the same twice, your function gives two answers: it draws random numbers, or keeps something from one call to the next "
        "(a global name, a default like `losses=[]`)."
    )


def _kind(exercise, ask, asked, wrong):
    if wrong[0].difference != "type":
        return ""
    value, want = wrong[0].got.value, wrong[0].expected.value
    if value is None:
        return "Your function returns nothing (None). Does every path end in `return`?"
    if isinstance(want, tuple) and (not isinstance(value, tuple) or len(value) != len(want)):
        got = f"{len(value)} values" if isinstance(value, tuple) else "a single value"
        return f"Return {len(want)} values, as in `return a, b`: yours returns {got}."
    if isinstance(want, tuple):
        number, part, wanted = next(
            ((i, v, w) for i, (v, w) in enumerate(zip(value, want), 1) if _other_kind(v, w)),
            (1, value[0], want[0]),
        )
        if isinstance(wanted, tuple):
            return f"Value {number} of the {len(want)} that you return is {_contents(part)}; a list of {len(wanted)} numbers is expected there."
        kind = {Array: "numpy array", tuple: "list", Foreign: getattr(part, "type", "")}.get(
            type(part)
        ) or type(part).__name__
        return f"Value {number} of the {len(want)} that you return is of the kind {kind}; a tensor is expected there."
    if isinstance(value, (bool, int, float)):
        return f"You return a Python {type(value).__name__}; a tensor is expected. " + (
            "`.item()` and `float(…)` cut the value out of the graph, so that no gradient can flow."
            if any(c.gradient for c in exercise.cases)
            else "`torch.tensor(…, dtype=…)` makes one of a Python number."
        )
    if isinstance(value, Array):
        return "You return a numpy array; a tensor is expected. Numpy knows no autograd: stay with torch functions."
    if isinstance(value, tuple):
        return (
            f"You return a list or tuple of {len(value)}; one tensor is expected. `torch.stack` makes a tensor of a list of tensors, "
            "`torch.tensor` one of a list of numbers."
        )
    return f"You return {value.type if isinstance(value, Foreign) else type(value).__name__}; a tensor is expected."


def _other_kind(value, want):
    """Is it no tensor, or no list of numbers, where the reference gives one?"""
    return (
        not isinstance(as_tensor(value), torch.Tensor)
        if isinstance(want, tuple)
        else type(value) is not type(want)
    )


def _contents(part):
    name = lambda v: v.type if isinstance(v, Foreign) else type(v).__name__  # noqa: E731
    return (
        f"of the kind {name(part)}"
        if not isinstance(part, tuple)
        else f"a list with a {name(part[0])} in it"
        if part
        else "an empty list"
    )


def _dtype(exercise, ask, asked, wrong):
    wrong = (
        [a for a in wrong if a.difference == "dtype"]
        if {a.difference for a in wrong if not a.case.extreme} <= {"dtype", "cut", "gradient", "error"}
        else []
    )
    if not wrong:
        return ""
    name = lambda t: str(t.dtype).removeprefix("torch.")  # noqa: E731
    pair = next(
        (
            (g, w)
            for g, w in zip(_parts(wrong[0].got.value), _parts(wrong[0].expected.value))
            if isinstance(g, torch.Tensor) and g.dtype != w.dtype
        ),
        None,
    )
    if not pair:
        return ""
    got, want = pair
    return f"The values are right, but the dtype is {name(got)} where {name(want)} is expected. " + (
        "A result has the dtype of its input: convert nothing, and create tensors with `dtype=` or `…_like`."
        if want.is_floating_point()
        else "Class indices and one-hot labels are integers (int64)."
    )


def _changed(exercise, ask, asked, wrong):
    if wrong[0].difference != "changed":
        return ""
    names = ", ".join(f"`{n}`" for n in wrong[0].got.changed)
    return (
        f"The result is right, but your function changes its input {names}. In-place operations (`+=`, `x[…] = …`, "
        "methods that end in `_`) write into the caller's tensor: work on a new one."
    )


def _gradient(exercise, ask, asked, wrong):
    kinds = {a.difference for a in wrong}
    if kinds == {"cut"}:
        names = ", ".join(
            f"`{n}`"
            for n, g in wrong[0].got.gradients.items()
            if g is None and wrong[0].expected.gradients[n] is not None
        )
        return (
            f"The value is right, but no gradient reaches {names}: something cuts the graph. `.detach()`, `.item()`, `.numpy()`, "
            "`torch.tensor(…)`, `torch.no_grad()` and comparisons do; so does an in-place change (`+=`, `exp_()`) of a value that autograd still needs."
        )
    if kinds != {"gradient"}:
        return ""
    pairs = [(a.got.gradients[n], g) for a in wrong for n, g in a.expected.gradients.items() if g is not None]
    if any(mine.isnan().any() and not g.isnan().any() for mine, g in pairs):
        return (
            "The value is right, but its gradient is nan. A nan or inf that `torch.where` or a multiplication by 0 hides in the "
            "value comes back in the gradient: keep it from arising."
        )
    if all((mine == 0).all() for mine, _ in pairs):
        return "The value is right, but its gradient is 0 where it should not be: a clamp, a rounding or a saturated function is in the way."
    ratio = _ratio([(m, g) for m, g in pairs if m.shape == g.shape])
    if ratio is not None:
        return f"The value is right, but its gradient is {_times(ratio)} what it should be: part of the formula is cut off from autograd."
    return "The value is right, but its gradient is not: a part of the formula is cut off from autograd, or saturates."


# ---------------------------------------------------------------- where an answer is right


def _only_example(exercise, ask, asked, wrong):
    examples = [a for a in asked if a.case.example]
    if (
        examples
        and all(not a.difference for a in examples)
        and all(a.difference for a in asked if not a.case.example)
        and len({a.difference for a in wrong}) == 1
        and _same_answer([a for a in asked if a.got.value is not None])
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


def _constant(exercise, ask, asked, wrong):
    if len(wrong) == len([a for a in asked if not a.case.example]) and _same_answer(wrong):
        return "Your result is the same whatever the inputs are: compute it from the arguments."
    return ""


def _extremes(exercise, ask, asked, wrong):
    if (
        not all(a.case.extreme for a in wrong)
        or all(a.case.extreme for a in asked)
        or any(a.difference in ("shape", "type") for a in wrong)
    ):
        return ""
    what = _describe_bad(wrong[0])
    if all(_lost_infinity(a) for a in wrong):
        return (
            "Right for ordinary inputs, but finite at the extremes where the right result is infinite: a clamp, an epsilon, `nan_to_num` or a mask "
            "takes the infinity away."
        )
    if what == "nan" and all(
        t.isinf().any()
        for a in wrong
        for t in a.question.args
        if isinstance(t, torch.Tensor) and t.is_floating_point()
    ):
        return "Right for finite inputs, but nan where one is infinite: inf − inf and 0·inf are nan. Keep the two from meeting."
    if what:
        return (
            f"Right for ordinary inputs, but {what} at the extremes: something on the way overflows, or a logarithm meets 0. "
            "Rewrite the formula so that no large number is ever exponentiated and no 0 is ever logged."
        )
    return "Right for ordinary inputs, but wrong at the extremes: precision is lost on the way, or a clamp cuts off what it should not."


def _nan(exercise, ask, asked, wrong):
    if all(
        isinstance(a.got.value, torch.Tensor)
        and a.got.value.numel()
        and a.got.value.isnan().all()
        and a.difference == "value"
        for a in wrong
    ):
        return "Your result is nan: on the way there is a logarithm or a root of a negative number, 0/0, inf − inf or 0·inf. Print the steps."
    return ""


def _lost_infinity(a):
    got, want = a.got.value, a.expected.value
    return (
        isinstance(got, torch.Tensor)
        and isinstance(want, torch.Tensor)
        and got.shape == want.shape
        and bool((want.isinf() & got.isfinite()).any())
    )


def _describe_bad(a):
    """What is bad about the value or, where that is right, about its gradient: nan, infinite, or ""."""
    for t in _parts(a.got.value) if a.difference == "value" else a.got.gradients.values():
        if isinstance(t, torch.Tensor) and t.is_floating_point():
            if t.isnan().any():
                return "nan"
            if t.isinf().any():
                return "infinite"
    return ""


def _only_size(exercise, ask, asked, wrong):
    """Right only for the number of samples of the lesson's example?"""
    example = next((a for a in asked if a.case.example and not a.difference), None)
    n = _samples(example.question) if example else 0
    if not n or any(a.difference not in ("value", "shape", "error") for a in wrong):
        return ""
    seen = 0
    for a in wrong:
        size = _samples(a.question)
        if size <= n:
            continue
        for part in (
            slice(0, n),
            slice(size - n, size),
        ):  # the first n and the last n: what is wrong may lie in a single sample
            cut = _map(
                a.question,
                lambda v: v[part] if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == size else v,
            )
            expected = exercise.run(exercise.reference, cut, a.case.gradient)
            if expected.raised or compare(exercise, a.case, expected, ask(cut, a.case.gradient)):
                return ""
        seen += 1
    return (
        f"Right only for {n} samples, as in the lesson's example: take the size from the arguments."
        if seen
        else ""
    )


def _only_classes(exercise, ask, asked, wrong):
    """Right only for the number of classes of the lesson's example?"""
    example = next((a for a in asked if a.case.example and not a.difference), None)
    c = _classes(example.question) if example else 1
    if c < 2 or any(a.difference not in ("value", "shape") or _classes(a.question) == c for a in wrong):
        return ""
    wider = [a for a in wrong if _classes(a.question) > c]
    for a in wider:
        size = _classes(a.question)

        def narrow(v):
            if not isinstance(v, torch.Tensor) or not v.ndim:
                return v
            v = v[..., :c] if v.shape[-1] == size and (v.ndim > 1 or v.is_floating_point()) else v
            return v if v.is_floating_point() else torch.where(v < 0, v, v % c)

        cut = _map(a.question, narrow)
        expected = exercise.run(exercise.reference, cut, a.case.gradient)
        if expected.raised or compare(exercise, a.case, expected, ask(cut, a.case.gradient)):
            return ""
    return (
        f"Right only for {c} classes, as in the lesson's example: take the size from the arguments."
        if wider
        else ""
    )


def _nearly(exercise, ask, asked, wrong):
    """So close to the definition, for all ordinary inputs, that the formula must be right?"""
    ordinary = [a for a in wrong if not a.case.extreme]
    where, wrong = (" for ordinary inputs", ordinary) if 0 < len(ordinary) < len(wrong) else ("", wrong)
    if any(a.difference not in ("value", "gradient") for a in wrong):
        return ""
    pairs = [(a.got.value, a.expected.value) for a in wrong]
    pairs += [
        (a.got.gradients[n], g)
        for a in wrong
        if a.difference == "gradient"
        for n, g in a.expected.gradients.items()
        if g is not None
    ]
    if any(not isinstance(v, torch.Tensor) or v.is_complex() for pair in pairs for v in pair):
        return ""
    largest = 0.0
    for got, want in pairs:
        off = ((got.double() - want.double()).abs() / want.double().abs().clamp(min=1e-3)).nan_to_num(
            nan=math.inf
        )
        largest = max(largest, off.max().item() if off.numel() else math.inf)
    if largest > 0.01:
        return ""
    return (
        f"Nearly right{where}: never more than {max(100 * largest, 1e-4):.1g} % away. The formula is right, and something disturbs it a little: an epsilon, a clamp, "
        "a rounded constant, a float32 on the way, or a search that stops too soon."
    )


def where_wrong(exercise, ask, asked):
    """Which samples are right and which wrong, where an argument tells them apart: "Right where y is 1, wrong where y is 0", or ""."""
    telling = [
        a
        for a in asked
        if a.difference == "value"
        and not a.case.extreme
        and 2 <= _samples(a.question) <= 32
        and not a.question.init
    ]
    for a in telling[:8]:
        says = _where(exercise, ask, a)
        if (
            says != ""
        ):  # where no sample of this question is right, or none of another's, what tells them apart is chance
            other = next((b for b in telling if b.case is not a.case), None)
            return says if says and (other is None or _where(exercise, ask, other) is not None) else ""
    return ""


def _where(exercise, ask, a):
    """The sentence that one question allows, "", or None where each of its samples is wrong."""
    n, right, wrong = _samples(a.question), [], []
    for i in range(n):
        one = _map(
            a.question,
            lambda v: v[i : i + 1] if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == n else v,
        )
        expected = exercise.run(exercise.reference, one, ())
        if expected.raised:
            return ""
        (wrong if compare(exercise, a.case, expected, ask(one, ())) else right).append(one)
    if not right:
        return None
    if wrong and min(len(right), len(wrong)) < 2:  # one sample may differ in anything
        return ""
    if not wrong:
        return "Each sample alone comes out right; several together do not: look at how they are put together (a sum, a mean, a `dim`)."
    for i, name in enumerate(exercise.parameters[: len(a.question.args)]):

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


# ---------------------------------------------------------------- what was done to the arguments


def _transformed_inputs(exercise, ask, asked, wrong):
    """Would the reference give this answer if its arguments had been treated otherwise?"""
    if exercise.any_dtype or any(a.difference not in ("value", "shape") for a in wrong):
        return ""  # for 0/1 decisions too many treatments give the same
    finite = any(
        t.double().isfinite().any()
        for a in wrong
        for t in _parts(a.got.value)
        if isinstance(t, torch.Tensor) and not t.is_complex()
    )
    found = (
        says
        for says, change in _treatments(exercise, wrong)
        if all(_explains(exercise, a, change) for a in wrong)
    )
    first = next(found, "")
    return (
        first if finite or not next(found, "") else ""
    )  # nan is like nan: only where a single treatment gives it


def _treatments(exercise, wrong):
    parameters = exercise.parameters
    tensors = [i for i, v in enumerate(wrong[0].question.args) if isinstance(v, torch.Tensor)]
    for i in tensors:
        for j in tensors:
            if i < j:
                yield (
                    f"It looks as if `{parameters[i]}` and `{parameters[j]}` have changed places.",
                    _swap(i, j),
                )
    dims = {v for a in wrong for v in _dims(exercise, a.question)}
    if dims:
        for other in (0, 1, 2, -1, -2):
            yield (
                f"You always work along dimension {other}, whatever `dim` says.",
                _with(exercise, "dim", other),
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


def _explains(exercise, a, change):
    try:
        question = change(a.question)
    except (RuntimeError, IndexError, TypeError, ValueError, KeyError):
        return False
    if question is None:
        return False
    if a.got.raised:
        return False
    treated = _value_only(exercise.run(exercise.reference, question))
    return alike(_value_only(a.got), treated, a.case) and not alike(_value_only(a.expected), treated, a.case)


def _value_only(result):
    return replace(result, gradients={}, changed=())


def _dims(exercise, question):
    given = dict(zip(exercise.parameters, question.args)) | question.kwargs
    return [given["dim"]] if isinstance(given.get("dim"), int) else []


def _swap(i, j):
    def change(q):
        args = list(q.args)
        args[i], args[j] = args[j], args[i]
        return Call(tuple(args), q.kwargs, q.init)

    return change


def _with(exercise, name, value):
    def change(q):
        given = dict(zip(exercise.parameters, q.args)) | q.kwargs
        if given.get(name) == value:
            return q
        return Call((), given | {name: value}, q.init)

    return change


def _apply(i, f):
    def change(q):
        if i >= len(q.args) or not isinstance(q.args[i], torch.Tensor) or not q.args[i].is_floating_point():
            return None
        return Call(tuple(f(v) if k == i else v for k, v in enumerate(q.args)), q.kwargs, q.init)

    return change


def _ignored(exercise, ask, asked, wrong):
    """Is there an argument whose value makes no difference to the answer where it should?"""
    defaults = {n: p.default for n, p in exercise.signature.parameters.items() if p.default is not p.empty}
    for name, default in defaults.items():
        given = lambda q: dict(zip(exercise.parameters, q.args)) | q.kwargs  # noqa: E731
        if all(name in given(a.question) for a in wrong) and all(
            _explains(
                exercise, a, lambda q: Call((), {k: v for k, v in given(q).items() if k != name}, q.init)
            )
            for a in wrong
        ):
            return f"The argument `{name}` has no effect: your result is that of the default, `{name}={default!r}`."
    if (
        wrong[0].question.init
        and all(a.question.init for a in wrong)
        and all(_explains(exercise, a, lambda q: Call(q.args, q.kwargs)) for a in wrong)
    ):
        return (
            f"What the constructor is given ({', '.join(wrong[0].question.init)}) has no effect in `forward`."
        )
    right = [a for a in asked if not a.difference and not a.case.example]
    for i, name in enumerate(exercise.parameters):
        told = set()
        for a in (*wrong[:3], *right[:2]):
            told |= (
                {_unmoved(exercise, ask, a, i, thorough=True not in told)}
                if len(a.question.args) > i
                else set()
            )
            if False in told:  # a training takes its time: ask no more than is needed
                break
        if True in told and False not in told:
            return f"The argument `{name}` has no effect: your result stays the same when it changes."
    return ""


def _unmoved(exercise, ask, a, i, thorough):
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
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and exercise.parameters[i] != "dim":
        others = [value + 1]
    else:
        return None
    if any(isinstance(t, torch.Tensor) and t.numel() and t.isnan().all() for t in _parts(a.got.value)):
        return None  # nan stays nan, whatever changes
    told = []
    for other in others if thorough else others[:1]:
        question = Call(
            (*a.question.args[:i], other, *a.question.args[i + 1 :]), a.question.kwargs, a.question.init
        )
        expected = exercise.run(exercise.reference, question)
        if not (
            a.got.raised or expected.raised or alike(_value_only(expected), _value_only(a.expected), a.case)
        ):
            told.append(alike(_value_only(ask(question, ())), _value_only(a.got), a.case))
            if not told[-1]:
                break
    return all(told) if told else None


# ---------------------------------------------------------------- what was done to the result


def _shape(exercise, ask, asked, wrong):
    if wrong[0].difference != "shape":
        return ""
    wrong = [a for a in wrong if a.difference == "shape"]
    got, want = wrong[0].got.value, wrong[0].expected.value
    if isinstance(want, tuple):
        short = next(
            (
                f"Value {i} of the {len(want)} that you return has length {len(g)} where {len(w)} is expected."
                for i, (g, w) in enumerate(zip(map(as_tensor, got), want), 1)
                if isinstance(w, tuple) and isinstance(g, torch.Tensor) and g.ndim == 1 and len(g) != len(w)
            ),
            "",
        )
        return short or next(
            (
                f"Value {i} of the {len(want)} that you return has shape {tuple(g.shape)} where {tuple(w.shape)} is expected."
                for i, (g, w) in enumerate(zip(got, want), 1)
                if isinstance(g, torch.Tensor) and isinstance(w, torch.Tensor) and g.shape != w.shape
            ),
            "",
        )
    pairs = [
        (a.got.value, a.expected.value)
        for a in wrong
        if isinstance(a.got.value, torch.Tensor) and isinstance(a.expected.value, torch.Tensor)
    ]
    if len(pairs) != len(wrong) or any(g.is_complex() for g, _ in pairs):
        return ""

    def fits(f):
        return all(_quiet(f, g, w) for g, w in pairs)

    several = any(g.numel() > 1 for g, _ in pairs)
    if several and fits(lambda g, w: w.ndim == 0 and close(g.double().mean(), w.double())):
        return "You return one loss per sample: the mean over the samples is still to be taken."
    if several and fits(lambda g, w: w.ndim == 0 and close(g.double().sum(), w.double())):
        return "You return the parts of a sum: they are still to be added up."
    if fits(lambda g, w: g.numel() == w.numel() and close(g.flatten(), w.flatten())):
        g, w = pairs[0]
        return (
            f"The numbers are right, but the shape is {tuple(g.shape)} where {tuple(w.shape)} is expected: "
            "a `keepdim`, an index or an `unsqueeze` too many or too few."
        )
    if fits(
        lambda g, w: g.ndim == 0 and w.ndim and (close(g, w.double().mean()) or close(g, w.double().sum()))
    ):
        return "You return a single number; one value for each entry is expected: a mean or a sum too many."
    if fits(lambda g, w: g.ndim == 2 and g.shape[0] == g.shape[1] and w.ndim <= 2 and g.shape[0] in w.shape):
        g, w = pairs[0]
        return (
            f"Your result has shape {tuple(g.shape)} where {tuple(w.shape)} is expected: an (N, 1) met an (N,), and broadcasting "
            "paired everything with everything."
        )
    g, w = pairs[0]
    return f"Your result has shape {tuple(g.shape)} where {tuple(w.shape)} is expected."


def _quiet(f, *args):
    try:
        return bool(f(*args))
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False


def _rescaled(exercise, ask, asked, wrong):
    """A constant factor, the sign, a logarithm too many: one simple function of the right result."""
    if any(a.difference != "value" for a in wrong):
        return ""
    triples = [(a.got.value, a.expected.value, a) for a in wrong]
    if any(
        not isinstance(g, torch.Tensor) or not isinstance(w, torch.Tensor) or g.is_complex()
        for g, w, _ in triples
    ):
        return ""

    def fits(f):
        """… with N the first dimension, or the number of all entries (a loss of a matrix averages over those)."""
        telling = any((g != 0).any() and g.isfinite().any() for g, _, _ in triples)

        def same(g, w, a, size):
            made, (relative, absolute) = (
                f(w.double(), size(a.question), _classes(a.question)),
                a.case.tolerance(w.dtype),
            )
            return close(g, made, max(relative, 1e-4), max(absolute, 1e-6)) and not close(
                made, w, 1e-3, 1e-6
            )  # a factor of 1 explains nothing

        return telling and any(all(_quiet(same, *t, size) for t in triples) for size in (_samples, _entries))

    factors = [
        ("The sign is turned round: yours is minus the right result.", lambda n, c: -1),
        (
            "Your result is N times too large: it is a sum over the samples where a mean is expected.",
            lambda n, c: n,
        ),
        (
            "Your result is N times too small: it is divided by the number of samples once too often.",
            lambda n, c: 1 / n,
        ),
        (
            "Your result is C times too large: it is summed over the classes where a mean is expected, or multiplied by their number.",
            lambda n, c: c,
        ),
        (
            "Your result is C times too small: it is divided by the number of classes too (a `.mean()` over the whole matrix does that).",
            lambda n, c: 1 / c,
        ),
        (
            "Your result is divided by C, the number of classes, where N, the number of samples, belongs.",
            lambda n, c: n / c,
        ),
        (
            "Your result is N·C times too large: a sum stands where a mean over everything is expected.",
            lambda n, c: n * c,
        ),
        (
            "Your result is N·C times too small: it is divided by the number of all entries.",
            lambda n, c: 1 / (n * c),
        ),
        (
            "Your result is too small by the factor ln 2: the logarithm is the natural one, `torch.log`.",
            lambda n, c: math.log(2),
        ),
        (
            "Your result is too large by the factor 1/ln 2: the logarithm is the natural one, `torch.log`, not `log2`.",
            lambda n, c: 1 / math.log(2),
        ),
        (
            "Your result is too small by the factor 1/ln 10: the logarithm is the natural one, `torch.log`, not `log10`.",
            lambda n, c: 1 / math.log(10),
        ),
        ("Your result is twice as large as it should be.", lambda n, c: 2),
        ("Your result is half of what it should be.", lambda n, c: 0.5),
        (
            "Your result is minus N times the right one: the sign is turned round, and a sum stands where a mean is expected.",
            lambda n, c: -n,
        ),
        ("Your result is divided by N − 1 where the mean divides by N.", lambda n, c: n / max(n - 1, 1)),
    ]
    for says, k in factors:
        if fits(lambda w, n, c: w * k(n, c)):
            return says
    for says, f in [
        ("You return 1 minus the right result.", lambda w, n, c: 1 - w),
        ("You return the logarithm of the right result.", lambda w, n, c: w.log()),
        ("You return minus the logarithm of the right result.", lambda w, n, c: -w.log()),
        (
            "You return the exponential of the right result: a logarithm is missing at the end.",
            lambda w, n, c: w.exp(),
        ),
        ("You return the square of the right result.", lambda w, n, c: w**2),
        ("You return the square root of the right result.", lambda w, n, c: w.sqrt()),
        ("You return one over the right result.", lambda w, n, c: 1 / w),
        ("You return the result transposed.", lambda w, n, c: w.transpose(-2, -1)),
        (
            "Your result is rounded or truncated to whole numbers: an integer dtype on the way?",
            lambda w, n, c: w.trunc(),
        ),
        ("Your result is rounded to whole numbers.", lambda w, n, c: w.round()),
    ]:
        if fits(f):
            return says
    ratio = _ratio([(g, w) for g, w, _ in triples])
    if ratio is not None:
        return f"Your result is always {_times(ratio)} the right one."
    offset = _ratio(
        [
            ((g.double() - w.double()).exp(), torch.ones_like(w, dtype=torch.float64))
            for g, w, _ in triples
            if g.shape == w.shape
        ]
    )
    if offset is not None:
        return f"Your result is always {math.log(offset):+.4g} away from the right one: a constant is added."
    return ""


def _ratio(pairs):
    """The constant k with got = k · expected on all pairs, other than 1, or None."""
    if any(((w == 0) & (g != 0)).any() for g, w in pairs if g.shape == w.shape):
        return None
    ratios = [(g.double() / w.double())[(w != 0) & w.isfinite()].flatten() for g, w in pairs if w.numel()]
    flat = torch.cat(ratios) if ratios else torch.empty(0)
    if (
        flat.numel() < 2
        or not flat.isfinite().all()
        or flat[0] == 0
        or not torch.allclose(flat, flat[0], rtol=1e-4)
    ):
        return None
    return None if abs(flat[0].item() - 1) < 1e-4 or abs(flat[0].item()) < 1e-9 else flat[0].item()


def _times(k):
    return f"{k:.4g} times"


def _samples(question):
    return next((v.shape[0] for v in question.args if isinstance(v, torch.Tensor) and v.ndim), 1)


def _entries(question):
    return next((v.numel() for v in question.args if isinstance(v, torch.Tensor) and v.ndim), 1)


def _classes(question):
    return next((v.shape[1] for v in question.args if isinstance(v, torch.Tensor) and v.ndim > 1), 1)


def _map(question, f):
    return Call(tuple(map(f, question.args)), {k: f(v) for k, v in question.kwargs.items()}, question.init)


def _parts(value):
    return value if isinstance(value, tuple) else (value,)


# ---------------------------------------------------------------- words for one difference

EXPLAINED = {
    "RecursionError": "Your function calls itself without end. Does it have the same name as the function it wants to use?",
    "MemoryError": "Your function asks for more memory than there is.",
    "SystemExit": "Your function ends the program (`exit()`, `sys.exit()`): return a value instead.",
    "NotImplementedError": "A part of your answer is still unwritten (`raise NotImplementedError`).",
    "DeadlineExceeded": "Your function did not come back in time: is there a loop that never ends?",
    "ProcessDied": "Your function ended the whole Python process.",
}


def error(a):
    """A sentence on an exception: what, and the learner's own line."""
    r = a.got.raised
    if r.type == "NotImplementedError" and "forward" in r.text:  # torch's own
        return "Your class has no `forward`: is it there, spelled so, and indented into the class?"
    text = EXPLAINED.get(r.type) or f"Your code raised {r.type}" + (
        f": {r.text.splitlines()[0]}" if r.text else "."
    )
    where = (
        f" (line {r.line}: `{r.source}`)" if r.line and r.source else f" (line {r.line})" if r.line else ""
    )
    return text + where


def error_hint(a):
    """What such an exception usually means for a tensor program, or ""."""
    r = a.got.raised
    text = r.text.lower()
    for seen, hint in [
        (
            "must match the size",
            "Two shapes do not fit together. Print the shapes on both sides; a `keepdim=True` or an `unsqueeze` is often missing.",
        ),
        ("takes", "Compare your signature with the one in the exercise: names, order and defaults are fixed.")
        if r.type == "TypeError" and "argument" in text
        else ("\0", ""),
        (
            "required positional argument",
            "Compare your signature with the one in the exercise: names, order and defaults are fixed.",
        ),
        (
            "has no attribute",
            "Is the name behind the point spelled right? What one method needs from another is kept in `self` first.",
        ),
        (
            "unexpected keyword",
            "Compare your signature with the one in the exercise: names, order and defaults are fixed.",
        ),
        (
            "is not defined",
            "A name is used before it is made. Was its cell run, and is it spelled the same everywhere?",
        ),
        (
            "converted to python scalars",
            "`math.…` and `float(…)` take a single number; the functions of torch take a whole tensor, entry by entry.",
        ),
        ("same dtype", "Two dtypes do not fit together. Convert explicitly, with `.to(…)`."),
        (
            "size mismatch",
            "A matrix product needs the same size inside: (N, D) @ (D,) gives (N,). Print both shapes.",
        ),
        (
            "cannot be multiplied",
            "A matrix product needs the same size inside: (N, D) @ (D,) gives (N,). Print both shapes.",
        ),
        (
            "broadcast shape",
            "`+=` and its like keep the shape on the left. Write `a = a + b`, which makes a new tensor.",
        ),
        ("call numpy()", "Stay with torch functions: numpy knows no autograd."),
        ("expected scalar type", "Two dtypes do not fit together. Convert explicitly, with `.to(z.dtype)`."),
        ("tensors used as indices", "Indices must be int64 (`.long()`) or bool."),
        (
            "boolean value of tensor",
            "`if` needs one truth value; a tensor has many. `torch.where` decides entry by entry; `is None` asks whether one is given.",
        ),
        ("non-empty tensorlist", "The list is empty here: what should come out where nothing is left?"),
        (
            "could not be broadcast together",
            "Row numbers and column numbers must be as many: `torch.arange(len(y))` fits any batch.",
        ),
        ("out of bounds", "An index is larger than the dimension allows."),
        (
            "out of range",
            "There is no such dimension: the function is also tried on tensors of other shapes.",
        ),
        ("inplace", "Work on a new tensor, not in place."),
        (
            "does not require grad",
            "Something cut the graph before the backward pass (`detach`, `item`, `torch.tensor`).",
        ),
    ]:
        if seen in text:
            return hint
    return ""


def difference(a):
    """A sentence on a difference that nothing else explains."""
    return {
        "type": "Your result is of another kind than expected: "
        + {Array: "a numpy array", tuple: "a list or tuple"}.get(
            type(a.got.value), f"of the kind {getattr(a.got.value, 'type', type(a.got.value).__name__)}"
        )
        + ", for some inputs.",
        "shape": "Your result has another shape than expected.",
        "dtype": "Your result has another dtype than expected.",
        "changed": "Your function changes its input.",
        "cut": "The value is right, but no gradient flows back to the input.",
        "gradient": "The value is right, but the gradient is not.",
        "error": "Your function stopped with an error.",
    }.get(a.difference) or f"Your result differs from the definition (case: {a.case.name})."


def differs(a):
    """What differs in one example: nan, sign, scale, or how many entries; of several values, which."""
    got, want = a.got.value, a.expected.value
    if (
        a.difference == "value"
        and isinstance(got, tuple)
        and isinstance(want, tuple)
        and len(got) == len(want) > 1
    ):
        off = [
            str(i)
            for i, (g, w) in enumerate(zip(map(as_tensor, got), map(as_tensor, want)), 1)
            if not (isinstance(g, torch.Tensor) and isinstance(w, torch.Tensor) and close(g, w))
        ]
        return (
            f"Of the {len(want)} values, number {' and '.join(off)} differ{'s' if len(off) == 1 else ''}."
            if 0 < len(off) < len(want)
            else ""
        )
    if (
        a.difference != "value"
        or not isinstance(got, torch.Tensor)
        or not isinstance(want, torch.Tensor)
        or got.is_complex()
    ):
        return ""
    if got.isnan().any() and not want.isnan().any():
        return "Yours is nan there."
    if got.isinf().any() and not want.isinf().any():
        return "Yours is infinite there."
    off = ~torch.isclose(got.double(), want.double(), rtol=1e-4, atol=1e-6, equal_nan=True)
    if got.numel() > 1 and 0 < off.sum() < got.numel():
        return f"{int(off.sum())} of {got.numel()} entries differ."
    if torch.allclose(got.double(), -want.double(), rtol=1e-4) and (want != 0).any():
        return "The sign is turned round."
    return ""
