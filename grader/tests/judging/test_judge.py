"""What the judge finds with any loss, on a small exercise that lists no mistakes: every sentence comes from
behaviour alone."""

import pytest
import torch
from torch.nn import functional as F

from grader.judging.compare import Asked, Difference
from grader.judging.diagnose import words
from grader.judging.exercise import Exercise
from grader.judging.judge import judge
from grader.judging.question import Ended, Raised, Result, call
from grader.judging.scan import scan


def reference(z, y, reduction="mean"):
    return F.cross_entropy(z, y, reduction=reduction)


def make(mistakes=()):
    exercise = Exercise("loss", reference, points=4, without=(F.cross_entropy, F.nll_loss))
    exercise.case("the lesson's example", example=True, gradient="z")(
        lambda rng: (torch.tensor([[1.0, 2.0, 0.5], [0.1, -1.0, 3.0]], dtype=rng.dtype), torch.tensor([1, 0]))
    )
    exercise.case("random", gradient="z")(_random)
    exercise.case("every reduction")(lambda rng: [call(*_random(rng), reduction=r) for r in ("sum", "none")])
    exercise.case("far out", extreme=True, gradient="z")(
        lambda rng: (
            rng.normal(3, 4) + torch.tensor([1000.0, 0, 0, -1000], dtype=rng.dtype),
            torch.tensor([3, 0, 1]),
        )
    )
    for says, function in mistakes:
        exercise.mistake(says)(function)
    return exercise


def _random(rng):
    n = rng.size()
    return rng.normal(n, 4, scale=2), rng.classes(n, num_classes=4)


def right(z, y, reduction="mean"):
    losses = torch.logsumexp(z, 1) - z.gather(1, y[:, None])[:, 0]
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


def naive(z, y, reduction="mean"):
    losses = -(z.exp() / z.exp().sum(1, keepdim=True)).log()[torch.arange(len(y)), y]
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


def changed(f):
    """The right answer with something done to its result."""
    return lambda z, y, reduction="mean": f(right(z, y, reduction))


def spoils(z, y, reduction="mean"):
    result = right(z, y, reduction)
    z -= 1
    return result


def four(z, y, reduction="mean"):
    losses = right(z, y, "none")
    return {"mean": losses.sum() / 2, "sum": losses.sum(), "none": losses}[reduction]


WRONG = {
    "its sign": (changed(lambda r: -r), "The sign is flipped"),
    "logarithm to base 2": (changed(lambda r: r / torch.log(torch.tensor(2.0, dtype=r.dtype))), "1/ln 2"),
    "twice": (changed(lambda r: 2 * r), "twice as large"),
    "a third": (changed(lambda r: r / 3), "0.3333 times"),
    "a constant added": (changed(lambda r: r + 0.25), "+0.25 away"),
    "its exponential": (changed(lambda r: r.exp()), "exponential of the right result"),
    "its logarithm": (changed(lambda r: r.log()), "logarithm of the right result"),
    "a Python number": (changed(lambda r: r.tolist()), "a tensor is expected"),
    "numpy": (changed(lambda r: r.detach().numpy()), "numpy array"),
    "None": (changed(lambda r: None), "returns nothing (None)"),
    "float32": (changed(lambda r: r.float()), "dtype is float32 where float64"),
    "an extra dimension": (changed(lambda r: r[..., None]), "The numbers are right, but the shape"),
    "detached": (changed(lambda r: r.detach()), "no gradient reaches `z`"),
    "a gradient of zero": (changed(lambda r: r.detach() + 0 * r), "gradient is"),
    "half a gradient": (
        lambda z, y, reduction="mean": (right(z, y, reduction) + right(z.detach(), y, reduction)) / 2,
        "0.5 times what it should be",
    ),
    "an input changed": (spoils, "changes its input `z`"),
    "nothing but the example": (
        lambda z, y, reduction="mean": z.sum() * 0 + 1.7843 if len(z) == 2 else z.sum() * 0,
        "",
    ),
    "a fixed number of samples": (four, "Right for 2 samples"),
    "reduction ignored": (lambda z, y, reduction="mean": right(z, y), "`reduction` has no effect"),
    "labels ignored": (
        lambda z, y, reduction="mean": right(z, torch.zeros_like(y), reduction),
        "`y` has no effect",
    ),
    "softmax first": (
        lambda z, y, reduction="mean": right(z.softmax(1), y, reduction),
        "a softmax to `z` first",
    ),
    "naive at extremes": (naive, "Right for ordinary inputs, but"),
    "an exception": (lambda z, y, reduction="mean": right(z, y, reduction).nothing, "AttributeError"),
    "a sum per sample": (
        lambda z, y, reduction="mean": right(z, y, "none") if reduction == "mean" else right(z, y, reduction),
        "over the samples is missing",
    ),
}


def verdict(function, exercise=None, source=None, seed=0):
    exercise = exercise or make()
    return judge(exercise, lambda q, g: exercise.run(function, q, g), seed=seed, source=source)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", WRONG)
def test_what_can_go_wrong_with_any_loss_is_found_without_being_listed(name, seed):
    function, says = WRONG[name]
    judged = verdict(function, seed=seed)
    assert not judged.passed and says in judged.message, judged.message


@pytest.mark.parametrize("seed", range(5))
def test_the_right_answer_passes(seed):
    assert verdict(right, seed=seed).passed


def test_points_are_the_sum_of_the_cases_passed():
    judged = verdict(naive)
    assert [c.passed for c in judged.cases] == [True, True, True, False]
    assert judged.points == 3 and verdict(right).points == 4


def test_a_known_mistake_wins_over_what_is_found_in_general():
    exercise = make(
        [("You forgot the minus.", changed(lambda r: -r)), ("You took the half.", changed(lambda r: r / 2))]
    )
    assert verdict(changed(lambda r: -r), exercise).mistake == "You forgot the minus."
    assert verdict(changed(lambda r: r * 0.5), exercise).mistake == "You took the half."


def test_two_mistakes_at_once_name_the_first():
    exercise = make([("You forgot the minus.", changed(lambda r: -r))])
    assert (
        verdict(lambda z, y, reduction="mean": -naive(z, y, reduction), exercise).mistake
        == "You forgot the minus."
    )


def test_the_smallest_input_that_separates_is_one_rounded_sample():
    judged = verdict(changed(lambda r: r**1.5 + 0.1))
    assert judged.example.call.startswith("loss(z=[[") and judged.example.call.count("],") <= 1, (
        judged.example.call
    )


@pytest.mark.parametrize(
    "function",
    [
        lambda z, y, reduction="mean": F.cross_entropy(z, y, reduction=reduction),
        lambda z, y, reduction="mean": torch.nn.CrossEntropyLoss(reduction=reduction)(z, y),
        lambda z, y, reduction="mean": F.nll_loss(z.log_softmax(1), y, reduction=reduction),
        lambda z, y, reduction="mean": torch.ops.aten.cross_entropy_loss(
            z, y, None, {"none": 0, "mean": 1, "sum": 2}[reduction]
        ),
    ],
)
def test_what_is_out_of_bounds_is_seen_in_all_its_spellings(function):
    judged = verdict(function)
    assert (
        not judged.passed
        and judged.points == 0
        and "You called" in judged.finding
        and judged.details["trace"]
    )


ACCUSED = {  # the answer's text, what else the learner wrote -> what is out of bounds
    ("F.softmax(z, dim=1)", ""): {"softmax"},
    ("torch.special.softmax(z, 1)", ""): {"softmax"},
    ("torch.nn.Softmax(dim=1)(z)", ""): {"Softmax"},
    ("s(z, 1)", "from torch import softmax as s"): {"softmax"},
    ("softmax(z, 1)", "from torch.nn.functional import *"): {"softmax"},
    ("G.softmax(z, 1)", "import torch.nn.functional as G"): {"softmax"},
    ("G.softmax(z, 1)", "N = torch.nn\nG = N.functional"): {"softmax"},
    ("answer = s", "s = F.softmax"): {"softmax"},
    ("getattr(F, 'softmax')(z, 1)", ""): {"softmax"},
    ("getattr(torch.nn, 'functional').softmax(z, 1)", ""): {"softmax"},
    ("vars(torch)['softmax'](z, 1)", ""): {"softmax"},
    ("F.__dict__['softmax'](z, 1)", ""): {"softmax"},
    ("sys.modules['torch'].softmax(z, 1)", "import sys"): {"softmax"},
    ("importlib.import_module('torch.nn.functional').softmax(z, 1)", ""): {"softmax"},
    ("__import__('torch').softmax(z, 1)", ""): {"softmax"},
    ("torch.ops.aten._softmax.default(z, 1, False)", ""): {"softmax"},
    ("torch._refs.softmax(z, 1)", ""): {"softmax"},
    ("R.softmax(z, 1)", "import torch._refs as R"): {"softmax"},
    ("d._softmax(z, 1, False)", "from torch._decomp import decompositions as d"): {"softmax"},
    ("torch.tensor(scipy.special.softmax(z))", "import scipy.special"): {"softmax"},
    ("s.softmax(z)", "from scipy import special as s"): {"softmax"},
    ("softmax(z.numpy())", "from sklearn.utils.extmath import softmax"): {"softmax"},
    ("jax.nn.softmax(z.numpy())", "import jax"): {"softmax"},
    ("helper(z)", "def helper(z): return other(z)\ndef other(z): return torch._refs.softmax(z, 1)"): {
        "softmax"
    },
    ("def answer(z, f=s): return f(z, 1)", "s = F.softmax"): {"softmax"},
    ("def answer(z):\n    g = lambda s: s\n    return g(s(z, 1))", "s = F.softmax"): {"softmax"},
    ("@torch.jit.script\ndef answer(z): return z.softmax(1)", ""): {"softmax"},
    ("@s\ndef answer(z): return z.softmax(1)", "from torch.jit import script as s"): {"softmax"},
    ("answer = torch.jit.script(helper)", "def helper(z): return F.softmax(z, 1)"): {"softmax"},
}
NOT_ACCUSED = [  # what no one may be accused of
    ("z.softmax(1)", ""),  # a method: if it is a tensor's, the trace sees it
    ("z.softmax_(1)", ""),
    ("Activation.softmax(z)", "class Activation:\n    def softmax(z): return z"),
    ("self.softmax(z)", ""),
    ("self.encoder.softmax(z)", ""),
    ("out.softmax = z.exp()\nanswer = out.softmax", "out = SimpleNamespace()"),
    ("def softmax(z): return z\nsoftmax(1)", ""),
    ("softmax = Mine().softmax\nsoftmax(z)", ""),
    ("probe.softmax", "probe = torch.zeros(3)"),
    ("def answer(z, F): return F.softmax(z)", ""),
    ("F.softmax(z)", "class F:\n    softmax = staticmethod(abs)"),
    ("nn.softmax", "for nn in neighbours: pass"),
    ("mine.softmax(z)", "import my_losses as mine"),
    ("helper(z)", "def helper(z): return z\nprint(F.softmax(z, 1))"),  # a comparison beside the answer
    (
        "def answer(z, p): return z**p",
        "for p in (1, 2): print(F.softmax(z, p))",
    ),  # a parameter, not the loop's name
    ("def answer(z):\n    e = z.exp()\n    return e / e.sum()", "e = F.softmax(z, 1)"),
    ("torch.softmax = mine", ""),
    ("# F.softmax(z)", ""),
    ("'F.softmax'", ""),
    ("(", ""),
    ("x = '\\x00'", ""),
]


@pytest.mark.parametrize(("source", "context"), ACCUSED)
def test_the_scan_sees_what_is_a_librarys_under_any_name(source, context):
    assert scan(source, {"softmax", "Softmax"}, context) == ACCUSED[source, context]


@pytest.mark.parametrize(("source", "context"), NOT_ACCUSED)
def test_the_scan_accuses_nobody_of_what_is_their_own(source, context):
    assert scan(source, {"softmax", "Softmax"}, f"import torch\n{context}") == set()


def test_an_answer_that_died_is_an_error_of_its_own():
    exercise = make()
    judged = judge(exercise, lambda q, g: Result(ended=Ended.LATE))
    assert judged.status == "error" and "did not come back in time" in judged.finding and judged.points == 0


def test_not_attempted_is_the_stub_and_not_an_error_of_torch():
    def stub(z, y, reduction="mean"):
        raise NotImplementedError()

    assert verdict(stub).status == "not attempted"
    assert verdict(lambda z, y, reduction="mean": y.softmax(0)).status == "error"


def test_the_input_shown_is_wrong_as_the_random_one_was_and_brings_no_nan_of_its_own():
    def less_one(z, y, reduction="mean"):  # one sample alone would be divided by 0
        losses = right(z, y, "none")
        return {"mean": losses.sum() / (len(y) - 1), "sum": losses.sum(), "none": losses}[reduction]

    example = verdict(less_one).example
    assert float(example.yours) == pytest.approx(2 * float(example.expected), abs=1e-3), example


def test_the_input_shown_is_a_sample_that_is_wrong_however_late_it_comes():
    exercise = Exercise("decide", lambda z: (z > 0).double(), points=1, any_dtype=True)
    exercise.case("late", example=False)(
        lambda rng: (torch.cat([-rng.uniform(20, low=1, high=2), torch.tensor([0.3], dtype=rng.dtype)]),)
    )
    assert verdict(lambda z: (z > 0.5).double(), exercise).example.call == "decide(z=[0.3])"


def test_a_stub_left_below_an_answer_is_told_as_that():
    def answer(z, y, reduction="mean"):
        raise NotImplementedError()

    source = "def loss(z, y, reduction='mean'):\n    result = z.sum()\n    raise NotImplementedError()\n"
    assert "still follows it" in verdict(answer, source=source).finding
    no_return = "def loss(z, y, reduction='mean'):\n    z - y\n    raise NotImplementedError()\n"
    assert "still follows it" in verdict(answer, source=no_return).finding
    stub = "def loss(z, y, reduction='mean'):\n    'What it is.'\n    raise NotImplementedError()\n"
    assert verdict(answer, source=stub).status == "not attempted"


def test_what_torch_has_not_implemented_is_no_unwritten_answer():
    judged = verdict(lambda z, y, reduction="mean": z & z)
    assert (
        judged.status == "error" and "unwritten" not in judged.message and "not implemented" in judged.finding
    )


@pytest.mark.parametrize(
    "type_, text, line, told",
    [
        ("AttributeError", "'Tensor' object has no attribute 'softplus'", "F.softplus(z)", True),
        ("AttributeError", "module 'torch' has no attribute 'logg'", "torch.logg(p)", False),
        ("AttributeError", "'Tensor' object has no attribute 'summ'", "torch.log(p).summ()", False),
    ],
)
def test_a_name_is_said_to_be_overwritten_only_where_it_lacks_what_is_asked_of_it(type_, text, line, told):
    raised = Raised(type_, text, line=3, source=line)
    asked = Asked(None, None, Result(1.0), Result(raised=raised), Difference.ERROR)
    assert ("stands for something else" in words.error(asked)) is told


def test_a_caret_is_told_to_be_no_power():
    assert "write `**`" in verdict(lambda z, y, reduction="mean": 2 ^ (-z)).finding
    assert "write `**`" in verdict(lambda z, y, reduction="mean": 2.5 ^ (-z)).finding


def test_text_compared_with_is_is_told():
    def answer(z, y, reduction="mean"):
        losses = right(z, y, "none")
        same = [reduction is name for name in ("mean", "sum")]
        return losses.mean() if same[0] else losses.sum() if same[1] else losses

    source = (
        "def loss(z, y, reduction='mean'):\n    return losses.mean() if reduction is 'mean' else losses\n"
    )
    assert "You compare text with `is`" in verdict(answer, source=source).finding


TWICE_WRONG = {  # two faults at once: both sentences are told
    "log2, and no stability": (
        lambda z, y, reduction="mean": naive(z, y, reduction) / torch.log(torch.tensor(2.0, dtype=z.dtype)),
        ("1/ln 2", "at the extremes"),
    ),
    "its sign, and float32": (
        lambda z, y, reduction="mean": -right(z, y, reduction).float(),
        ("sign is flipped", "float32"),
    ),
    "twice, and cut": (
        lambda z, y, reduction="mean": 2 * right(z, y, reduction).detach(),
        ("twice as large", "no gradient reaches `z`"),
    ),
    "reduction ignored, and an input changed": (
        lambda z, y, reduction="mean": spoils(z, y),
        ("`reduction` has no effect", "changes its input `z`"),
    ),
}


@pytest.mark.parametrize("name", TWICE_WRONG)
def test_two_faults_at_once_are_both_told(name):
    function, says = TWICE_WRONG[name]
    judged = verdict(function)
    assert all(words in judged.finding for words in says), judged.message
