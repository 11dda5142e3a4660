"""Answers in, a Verdict out. Pure: the answer is asked through `ask(question, gradient) -> Result`, wherever it lives.

The judge compares behaviour: value, shape, dtype, gradient, and that inputs were not changed. When something differs it
looks for the mistake: the exercise's own known mistakes first, then what can go wrong with any loss (`diagnose`).
"""
import ast
import re
from dataclasses import dataclass
from functools import partial

import torch

from grader import diagnose
from grader.answer import Array, Call, Result
from grader.picture import curve
from grader.verdict import ERROR, FAILED, MISSING, PASSED, CaseVerdict, Example, Verdict, show, show_call


@dataclass(frozen=True)
class Asked:
    """One question, what the reference says, what the answer says, and the first difference ("" if there is none)."""

    case: object
    question: Call
    expected: Result
    got: Result
    difference: str


def judge(exercise, ask, *, seed=0, source=None):
    """The Verdict on an answer.

    ask: a function of (question, gradient names) that gives a Result; seed: of the inputs; source: the answer's text
    (its cell or file), scanned for calls that are out of bounds.
    """
    asked, cases = [], []
    for i, (case, share) in enumerate(zip(exercise.cases, exercise.shares())):
        mine = [_ask(exercise, ask, case, q) for q in case.calls(seed * 1000 + i)]
        asked += mine
        cases.append(CaseVerdict(case.name, not any(a.difference for a in mine), share))
    verdict = partial(Verdict, exercise.name, max_points=exercise.points, cases=tuple(cases), seed=seed)
    if all(_unwritten(a.got) for a in asked):
        return verdict(MISSING, finding="Write your answer in the cell above, run it, then run this check.")
    traced = set().union(*(a.got.called for a in asked)) & exercise.forbidden
    written = scan(source, exercise.forbidden)
    called = sorted(traced | written)
    if called:
        names = ", ".join(f"`{n}`" for n in called)
        return verdict(FAILED, called=tuple(called), details={"trace": sorted(traced), "scan": sorted(written)}, finding=f"You called {names}, which does what you are to build here. "
                       "Write it from its definition: no points as long as it is called.")
    wrong = [a for a in asked if a.difference]
    if not wrong:
        return verdict(PASSED, finding=exercise.built)
    first = wrong[0]
    picture = curve(exercise, ask, first)
    found = known_mistake(exercise, asked)
    if found:
        return verdict(FAILED, finding=found.says, mistake=found.says, hint=found.hint, example=separating(exercise, ask, first), picture=picture)
    if first.got.raised:
        return verdict(ERROR, finding=diagnose.error(first), hint=diagnose.error_hint(first),
                       example=Example(show_call(exercise, first.question), show_result(first, first.got), show(first.expected.value)))
    says = diagnose.general(exercise, ask, asked)
    example = separating(exercise, ask, first)
    if says:
        return verdict(FAILED, finding=says, mistake=says, example=example, picture=picture)
    return verdict(FAILED, finding=diagnose.where_wrong(exercise, ask, asked) or diagnose.difference(first), example=example, picture=picture,
                   hint=exercise.hints[0] if exercise.hints else "")


def _unwritten(got):
    """Does the stub itself speak? torch raises NotImplementedError too, with a text, in a line that raises nothing itself."""
    r = got.raised
    return r is not None and r.type == "NotImplementedError" and (not r.text or r.source.startswith("raise NotImplementedError"))


def _ask(exercise, ask, case, question):
    expected = exercise.run(exercise.reference, question, case.gradient)
    if expected.raised:
        raise AssertionError(f"{exercise.name}, case {case.name!r}: the reference raised {expected.raised}")
    got = ask(question, case.gradient)
    return Asked(case, question, expected, got, compare(exercise, case, expected, got))


def as_tensor(value):
    """A number, or a sequence of numbers and 0-d tensors, or a numpy array, as a tensor; anything else as it is."""
    if isinstance(value, Array):
        return value.tensor
    if isinstance(value, tuple):
        value = tuple(v.tensor if isinstance(v, Array) else v for v in value)       # `np.float64(0.5)` in a list
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    if isinstance(value, tuple) and value and all(
            isinstance(v, (bool, int, float)) or isinstance(v, torch.Tensor) and v.numel() == 1 and not v.is_complex() for v in value):
        return torch.tensor([float(v) for v in value], dtype=torch.float64)
    return value


def compare(exercise, case, expected, got):
    """The first difference between two Results: error, type, shape, value, dtype, changed, cut, gradient, or "" for none."""
    if got.raised:
        return "error"
    difference = _compare_values(exercise, case, expected.value, got.value)
    if difference:
        return difference
    if got.changed:
        return "changed"
    for name, gradient in expected.gradients.items():
        mine = got.gradients.get(name)
        if gradient is None:
            continue
        if mine is None and not gradient.any():     # nothing flows where the slope is 0: as good as a 0
            continue
        if mine is None:
            return "cut"
        if mine.shape != gradient.shape or not close(mine, gradient, *case.tolerance(gradient.dtype)):
            return "gradient"
    return ""


def _compare_values(exercise, case, want, have):
    numbers = isinstance(want, tuple) and all(isinstance(v, (bool, int, float)) for v in want)
    if isinstance(want, tuple) and not numbers:
        if not isinstance(have, tuple) or len(have) != len(want):
            return "type"
        return next(filter(None, (_compare_values(exercise, case, w, h) for w, h in zip(want, have))), "")
    if numbers or exercise.number:      # a list of numbers is as good as a tensor where the reference gives one
        have, want = as_tensor(have), as_tensor(want)
        if isinstance(have, torch.Tensor) and exercise.number and have.numel() == 1:       # `nn.Parameter(torch.ones(1))` is a number, too
            have = have.reshape(want.shape)
    if not isinstance(have, torch.Tensor):
        return "type"
    if have.shape != want.shape:
        return "shape"
    narrow = min((want.dtype, have.dtype), key=lambda d: torch.finfo(d).bits if d.is_floating_point else 64)
    if not close(have, want, *case.tolerance(narrow)):
        return "value"
    free = numbers or exercise.number or exercise.any_dtype
    return "" if free or have.dtype == want.dtype else "dtype"


def close(a, b, rtol=1e-4, atol=1e-6):
    """Equal within tolerances, nan to nan and inf to inf, whatever the dtypes; shapes must be the same."""
    if a.shape != b.shape or a.is_complex() or b.is_complex():
        return False
    return torch.allclose(a.double(), b.double(), rtol=rtol, atol=atol, equal_nan=True)


def alike(a, b, case):
    """Do two Results show the same behaviour? Used to recognise a mistake, so dtypes and types do not count."""
    if a.raised or b.raised:
        return bool(a.raised and b.raised and a.raised.type == b.raised.type and _bare(a.raised.text) == _bare(b.raised.text))
    rtol, atol = case.tolerance(case.dtype)
    va, vb = _loose(a.value), _loose(b.value)
    if len(va) != len(vb) or not all(_alike(x, y, rtol * 10, atol * 10) for x, y in zip(va, vb)):
        return False
    if set(a.changed) != set(b.changed):
        return False
    for name in a.gradients.keys() & b.gradients.keys():
        x, y = a.gradients[name], b.gradients[name]
        if (x is None) != (y is None) or x is not None and not close(x, y, rtol * 10, atol * 10):
            return False
    return True


def _bare(text):
    """The text of an exception without sizes and without the name of the learner's class."""
    return re.sub(r"^\w+\.|'\w+' object|\d+", "", text)


def _loose(value):
    return value if isinstance(value, tuple) else (value,)


def _alike(x, y, rtol, atol):
    x, y = (v.tensor if isinstance(v, Array) else as_tensor(v) for v in (x, y))
    if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor):
        return close(x, y, rtol, atol)
    return type(x) is type(y) and (x is None or x == y)


def known_mistake(exercise, asked):
    """The exercise's mistake that reproduces the answer: on every question that it got wrong, or at least on the first
    case that it got wrong and on one more, where that says something (two mistakes at once: the first is named first)."""
    wrong = [a for a in asked if a.difference]
    right = [a for a in asked if not a.difference]
    first = [a for a in wrong if a.case is wrong[0].case]
    best, best_score = None, 0
    for mistake in exercise.mistakes:
        same = partial(_reproduces, exercise, mistake)
        if not all(same(a) for a in first):
            continue
        matches = sum(same(a) for a in wrong)
        full = matches == len(wrong)
        if not full and (matches == len(first) or not any(_telling(a.got) for a in first)):       # a single case may agree by chance
            continue
        if not all(same(a) for a in right):     # what the mistake gets wrong is right here: its sentence would not be true
            continue
        if not full and wrong[0].difference in ("type", "dtype", "changed"):        # these have sentences of their own
            continue
        score = (full, matches)
        if not best or score > best_score:
            best, best_score = mistake, score
    return best


def _reproduces(exercise, mistake, a):
    """Does the mistake give the same answer to a question, and is it wrong in the same way?"""
    made = exercise.run(mistake.function, a.question, a.case.gradient)
    return alike(a.got, made, a.case) and compare(exercise, a.case, a.expected, made) == a.difference


def _telling(got):
    """Finite and not all zero: a coincidence is then unlikely."""
    tensors = [v for v in _loose(got.value) if isinstance(v, torch.Tensor) and not v.is_complex()]
    return any(v.double().isfinite().any() and (v != 0).any() for v in tensors)


# ---------------------------------------------------------------- the smallest separating input

def separating(exercise, ask, first, tries=24):
    """An Example: the smallest and roundest input found on which the answer still differs in the same way."""
    best = first
    for question in _smaller(first):
        if tries <= 0:
            break
        tries -= 1
        candidate = _try(exercise, ask, first, question)
        if candidate:
            best = candidate
            break
    rounded = _try(exercise, ask, first, _rounded(best.question, 1)) or _try(exercise, ask, first, _rounded(best.question, 2))
    best = rounded or best
    shown = [show_result(best, r) for r in (best.got, best.expected)]
    if shown[0] == shown[1]:        # the difference lies behind the fourth decimal
        shown = [show_result(best, r, digits=10) for r in (best.got, best.expected)]
    return Example(show_call(exercise, best.question), *shown, diagnose.differs(best))


def show_result(a, result, digits=4):
    """What counts in this difference: the value, or the gradient."""
    if result.raised:
        return {"DeadlineExceeded": "nothing came back", "ProcessDied": "nothing came back"}.get(result.raised.type, result.raised.type)
    if a.difference in ("cut", "gradient"):
        return "; ".join(f"gradient for {n}: {'none' if g is None else show(g, digits=digits)}" for n, g in result.gradients.items())
    if a.difference == "dtype" and isinstance(result.value, torch.Tensor):
        return f"{show(result.value)} ({str(result.value.dtype).removeprefix('torch.')})"
    if a.difference == "shape" and isinstance(result.value, torch.Tensor):
        return f"{show(result.value)} of shape {tuple(result.value.shape)}"
    if a.difference == "changed":
        return ("changes " + ", ".join(result.changed)) if result.changed else "changes nothing"
    if a.difference == "type" and isinstance(result.value, (int, float)):
        return f"{show(result.value)} (a Python {type(result.value).__name__})"
    if a.difference == "type" and isinstance(result.value, tuple) and any(isinstance(v, (int, float)) for v in result.value):
        return f"{show(result.value)} (Python numbers)"
    return show(result.value, digits=digits)


def _try(exercise, ask, first, question):
    if question is None:
        return None
    expected = exercise.run(exercise.reference, question, first.case.gradient)
    if expected.raised or not _finite(expected) and _finite(first.expected):
        return None
    got = ask(question, first.case.gradient)
    if not _finite(got) and _finite(first.got):     # a single sample may bring a nan of its own, which is not what went wrong
        return None
    difference = compare(exercise, first.case, expected, got)
    return Asked(first.case, question, expected, got, difference) if difference == first.difference else None


def _finite(result):
    return all(v.isfinite().all() for v in (*_loose(result.value), *result.gradients.values()) if isinstance(v, torch.Tensor))


def _is_distribution(v):
    """Do the rows of this tensor sum to 1? Then rounding would spoil it, and a vector of them is no batch."""
    return isinstance(v, torch.Tensor) and v.is_floating_point() and v.ndim > 0 and v.shape[-1] > 1 and bool((v >= 0).all()) \
        and torch.allclose(v.double().sum(-1), torch.ones((), dtype=torch.float64), atol=1e-5)


def _smaller(a):
    """The same question with one, then with two samples: every tensor whose first dimension is N is cut alike."""
    question = a.question
    sizes = [v.shape[0] for v in question.args if isinstance(v, torch.Tensor) and v.ndim]
    n = sizes[0] if sizes else 0
    if n < 2 or any(_is_distribution(v) and v.ndim == 1 for v in question.args):
        return
    for index in [[i] for i in _wrong_first(a, n)[:6]] + [[i, i + 1] for i in range(min(n - 1, 4))]:
        cut = lambda v: v[index] if isinstance(v, torch.Tensor) and v.ndim and v.shape[0] == n else v     # noqa: E731
        yield Call(tuple(map(cut, question.args)), {k: cut(v) for k, v in question.kwargs.items()}, question.init)


def _wrong_first(a, n):
    """The places of N samples, those first on which the answer is wrong, where it has a result for each."""
    have, want = a.got.value, a.expected.value
    if not all(isinstance(v, torch.Tensor) and v.ndim and v.shape == want.shape and v.shape[0] == n and not v.is_complex() for v in (want, have)):
        return list(range(n))
    same = torch.isclose(have.double(), want.double(), rtol=1e-4, atol=1e-6, equal_nan=True).reshape(n, -1).all(dim=1).tolist()
    return sorted(range(n), key=same.__getitem__)


def _rounded(question, digits):
    def r(v):
        if not isinstance(v, torch.Tensor) or not v.is_floating_point() or _is_distribution(v):
            return v
        short = torch.round(v, decimals=digits)
        return torch.where(((short == 0) | (short == 1)) & (short != v), v, short)      # 0.97 is a probability, 1 is a certainty
    return Call(tuple(map(r, question.args)), {k: r(v) for k, v in question.kwargs.items()}, question.init)


# ---------------------------------------------------------------- what must not be called

def scan(source, forbidden):
    """The names out of bounds that a text calls: as `F.softmax`, `z.softmax(…)`, or imported from torch. A function of the
    learner's own with such a name is not torch's."""
    if not source or not forbidden:
        return set()
    tree = _parsed(_without_magics(source))
    if tree is None:
        return set()
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    found, own = set(), {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _plain_name(node.attr) in forbidden and not _is_self(node):
            found.add(_plain_name(node.attr))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            found |= {a.name for a in node.names if a.name in forbidden and (a.asname or a.name) in names}
    return found - {n for n in own if n in found and not _attribute_used(tree, n)}


def written(source):
    """The names that a text binds at its top level, each with the text that binds it last: at home and in class only that is
    scanned, so that a learner may compare with PyTorch beside the answer."""
    source = _without_magics(source)
    tree = _parsed(source)
    if tree is None:
        return dict.fromkeys(a or b for a, b in re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", source, flags=re.M))
    found = {}
    for node in tree.body:
        targets = [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else \
            [t.id for t in getattr(node, "targets", [getattr(node, "target", None)]) if isinstance(t, ast.Name)]
        found |= dict.fromkeys(targets, ast.get_source_segment(source, node))
    return found


def _without_magics(source):
    """The text without lines like `%time …`, which hide nothing."""
    return source if _parsed(source) else re.sub(r"(?m)^([ \t]*)[%!].*", r"\1pass", source)


def _parsed(source):
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):      # a text may be anything
        return None


def _plain_name(name):
    return name.strip("_").removeprefix("special_") if not name.startswith("__") else name


def _is_self(node):
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def _attribute_used(tree, name):
    return any(isinstance(n, ast.Attribute) and _plain_name(n.attr) == name and not _is_self(n) for n in ast.walk(tree))
