"""Side doors to a forbidden function: each ends at an operator, and that is refused; afterwards everything is
as it was."""

import time

import pytest
import torch
from torch.nn import functional as F

from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.judging.kernels import OPEN, SIBLINGS, operators, refused
from grader.judging.question import run

HEAD = (
    "import torch, threading\nfrom torch.nn import functional as F\nfrom concurrent.futures import "
    "ThreadPoolExecutor\n"
)
ROUTES = {
    "in a thread": (
        "def bce(p, y, reduction='mean'):\n    with ThreadPoolExecutor(1) as t: return "
        "t.submit(F.binary_cross_entropy, p, y, reduction=reduction).result()"
    ),
    "modes switched off": (
        "def bce(p, y, reduction='mean'):\n    with torch._C.DisableTorchFunction(): return "
        "F.binary_cross_entropy(p, y, reduction=reduction)"
    ),
    "all modes switched off": (
        "def bce(p, y, reduction='mean'):\n    with torch._C.DisableTorchFunctionSubclass(): return "
        "F.binary_cross_entropy(p, y, reduction=reduction)"
    ),
    "the operator": (
        "def bce(p, y, reduction='mean'): return torch.ops.aten.binary_cross_entropy.default(p, y, None, "
        "dict(none=0, mean=1, sum=2)[reduction])"
    ),
    "the operator by its name": (
        "def bce(p, y, reduction='mean'): return getattr(torch.ops.aten, 'binary_' + 'cross_entropy')(p, "
        "y, None, dict(none=0, mean=1, sum=2)[reduction])"
    ),
    "of the C module": (
        "def bce(p, y, reduction='mean'): return torch._C._nn.binary_cross_entropy(p, y, None, "
        "dict(none=0, mean=1, sum=2)[reduction])"
    ),
    "kept from before": (
        "keep = getattr(F, 'binary_cross' + '_entropy')\ndef bce(p, y, reduction='mean'): return keep(p, "
        "y, reduction=reduction)"
    ),
    "in a hook": (
        "def bce(p, y, reduction='mean'):\n    out = []\n    q = torch.ones(1, requires_grad=True)\n    "
        "q.register_hook(lambda g: out.append(F.binary_cross_entropy(p, y, reduction=reduction)))\n    "
        "q.sum().backward()\n    return out[0]"
    ),
    "in a module": (
        "def bce(p, y, reduction='mean'): return getattr(torch.nn, 'BCE' + 'Loss')(reduction=reduction)(p, y)"
    ),
    "the mode popped": "def bce(p, y, reduction='mean'):\n    mode = torch.overrides._pop_mode()\n"
    "    try: return F.binary_cross_entropy(p, y, reduction=reduction)\n    finally: torch.overrides._push_mode(mode)",
    "vectorized": (
        "def bce(p, y, reduction='mean'):\n    r = torch.vmap(lambda a, b: F.binary_cross_entropy(a, b, "
        "reduction='none'))(p, y)\n    return r if reduction == 'none' else getattr(r, reduction)()"
    ),
    "with the logits": (
        "def bce(p, y, reduction='mean'): return "
        "torch.ops.aten.binary_cross_entropy_with_logits(torch.log(p / (1 - p)), y, None, None, "
        "dict(none=0, mean=1, sum=2)[reduction])"
    ),
}


def verdict(source, name="bce"):
    exercise, names = exercises()[name], {}
    exec(HEAD + source, names)

    def ask(question, gradient):
        return run(names[name], question, exercise.parameters, gradient, forbidden=exercise.forbidden)

    return judge(exercise, ask)


@pytest.mark.parametrize("source", ROUTES.values(), ids=ROUTES)
def test_every_way_to_a_forbidden_function_ends_at_an_operator(source):
    judged = verdict(source)
    assert not judged.passed and judged.points == 0
    assert any("binary_cross_entropy" in name for name in judged.called), judged.finding


@pytest.mark.parametrize("library", ["scipy.special", "sklearn.metrics"])
def test_libraries_cannot_be_imported_while_a_question_runs(library):
    import sklearn.metrics  # noqa: F401  it is there already

    judged = verdict(f"def bce(p, y, reduction='mean'):\n    import {library}\n    return p.mean()")
    assert "cannot be imported while an answer is checked" in judged.finding
    assert __import__(library)


def test_afterwards_everything_is_as_it_was():
    p, y = torch.tensor([0.2, 0.7]), torch.tensor([0.0, 1.0])
    before = F.binary_cross_entropy(p, y), torch.softmax(p, 0)
    with refused(["binary_cross_entropy", "softmax"]) as called:
        with pytest.raises(RuntimeError):
            F.binary_cross_entropy(p, y)
        with pytest.raises(RuntimeError):
            F.scaled_dot_product_attention(*[torch.ones(1, 2, 2)] * 3)
    assert called == {"binary_cross_entropy", "softmax"}
    assert torch.equal(torch.stack([F.binary_cross_entropy(p, y)]), before[0][None])
    assert torch.equal(torch.softmax(p, 0), before[1])


def test_it_costs_little():
    operators("softmax")
    start = time.perf_counter()
    for _ in range(10):
        with refused(["softmax", "log_softmax", "cross_entropy"]):
            pass
    assert time.perf_counter() - start < 0.5, "50 ms each, on a busy machine"


def test_each_sibling_is_an_operator_or_stays_open_for_a_reason():
    known = {full.partition("::")[2].partition(".")[0] for full in torch._C._dispatch_get_all_op_names()}
    assert {name for several in SIBLINGS.values() for name in several} <= known
    assert all(len(reason) > 30 for reason in OPEN.values())
