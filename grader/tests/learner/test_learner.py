"""What a learner reads: check, ready, compare, hint, solution, progress, called as a notebook's cell calls them."""

import json

import nbformat
import pytest

from grader.course import build
from grader.course.build import loads, model_answer, released
from grader.learner import progress
from grader.learner.notebook import CheckFailed
from grader.tests.learner.test_files import COMPILED

BEGIN = "import torch, numpy as np\nfrom torch.nn import functional as F\nfrom grader import *\n"
SHOULD_SAY = {
    "return None": "returns nothing (None)",
    "pass": "returns nothing (None)",
    "return 0.5": "Python float",
    "return (-(y * p.log() + (1 - y) * (1 - p).log())).mean().item()": "Python float",
    "return (-(y * p.log() + (1 - y) * (1 - p).log())).detach().numpy()": "numpy array",
    "return np.float64(0.1)": "numpy array",
    "return [p.mean()]": "list or tuple",
    "return 'high'": "str; a tensor is expected",
    "return (-(y * p.log() + (1 - y) * (1 - p).log())).mean().reshape(1)": "",
    "return p.log() * float('nan')": "",
    "return torch.tensor((-(y * p.log() + (1 - y) * (1 - p).log())).mean().item(), dtype=p.dtype)": "",
    "return bce(p, y)": "calls itself without end",
    "raise ValueError('I gave up')": "ValueError: I gave up",
    "print('x' * 10**7); return (-(y * p.log() + (1 - y) * (1 - p).log())).sum()": "You added the losses up",
    "import sys; sys.stderr.write('noise'); return p": "",
    "exit()": "",
    "raise SystemExit": "ends the program",
    "return undefined_name": "undefined_name",
    "return F.binary_cross_entropy(p, y, reduction=reduction)": "You called binary_cross_entropy",
    "return torch.special.expit(p) @ y": "",
    "return p.log() + torch.zeros(3)": "must match the size",
    "p.clamp_(0.1, 0.9); return (-(y * p.log() + (1 - y) * (1 - p).log())).mean()": "",
    "return (x for x in p)": "generator; a tensor is expected",
    "return torch.sparse_coo_tensor(size=(2,), check_invariants=False)": "a tensor is expected",
    "return p.to(torch.complex128)": "",
}


def run(*lines, namespace=None):
    """Run lines as a cell does."""
    namespace = {"__name__": "__main__"} if namespace is None else namespace
    exec(BEGIN + "\n".join(lines), namespace)
    return namespace


def bce(body):
    return "def bce(p, y, reduction='mean'):\n    " + body.replace("; ", "\n    ") + "\n"


@pytest.mark.parametrize("body", SHOULD_SAY)
def test_any_answer_gets_a_sentence_and_never_our_traceback(body, capsys):
    with pytest.raises(CheckFailed) as caught:
        run(bce(body), "check('bce')")
    printed = capsys.readouterr()
    assert SHOULD_SAY[body] in printed.out.replace("`", ""), printed.out
    assert not printed.err and "Traceback" not in printed.out and len(printed.out) < 3000
    (line,) = caught.value._render_traceback_()
    assert line.startswith("bce: ") and len(line) <= 80


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_what_torch_jit_hides_from_the_trace_is_read_in_the_cells(tmp_path, capsys):
    """The same in a notebook as on the command line and in class; a class in a notebook has no source of its
    own either."""
    cell = tmp_path / "cell.py"
    cell.write_text(BEGIN + COMPILED)
    namespace = {"__name__": "__main__", "In": ["", "%matplotlib inline", "no Python", COMPILED]}
    exec(compile(cell.read_text(), str(cell), "exec"), namespace)
    with pytest.raises(CheckFailed):
        run("check('bce')", namespace=namespace)
    assert "You called binary_cross_entropy" in capsys.readouterr().out.replace("`", "")


def test_not_attempted_is_not_incorrect(capsys):
    for cell in (bce("raise NotImplementedError()"), ""):
        with pytest.raises(NotImplementedError) as caught:
            run(cell, "check('bce')")
        assert "not attempted" in caught.value._render_traceback_()[0]


def test_a_name_that_is_no_function_any_more(capsys):
    with pytest.raises(CheckFailed):
        run("bce = torch.tensor(1.0)", "check('bce')")
    assert "a cell has bound the name to an object of type Tensor" in capsys.readouterr().out


def test_stopping_a_cell_stops_it():
    with pytest.raises(KeyboardInterrupt):
        run(bce("raise KeyboardInterrupt"), "check('bce')")


def test_a_learners_right_answer_passes_in_any_form(capsys):
    run("bce_grad = lambda p, y: (p - y) / (p - p * p)", "check('bce_grad')")
    assert "bce_grad: passed" in capsys.readouterr().out


def test_ready_gives_the_learners_own_once_it_passes_and_says_so_until_then(capsys):
    space = run("bce_grad = lambda p, y: (p - y) / (p - p * p)", "a = ready('bce_grad')", "b = ready('bce')")
    assert space["a"] is space["bce_grad"]
    said = capsys.readouterr().out
    assert "Going on with the course's bce." in said and "bce_grad" not in said
    assert space["b"](space["torch"].tensor([0.5]), space["torch"].tensor([1.0])).item() == pytest.approx(
        0.6931, abs=1e-4
    )


PER_SAMPLE = "def bce_per_sample(p, y): return {}\n"
WITH_IT = (
    "def bce(p, y, reduction='mean'):\n    with torch.no_grad():\n        losses = "
    "ready('bce_per_sample')\n    losses = losses(p, y)\n    return losses if reduction == 'none' else "
    "getattr(losses, reduction)()\n"
)


@pytest.mark.parametrize(
    "earlier", ["", PER_SAMPLE.format("-(y * p.log() + (1 - y) * (1 - p).log())"), PER_SAMPLE.format("p")]
)
def test_an_answer_may_take_an_earlier_one_through_ready(earlier, capsys):
    run(earlier, WITH_IT, "check('bce')")
    said = capsys.readouterr().out
    # nothing of what is judged inside counts, or shows
    assert "bce: passed" in said and "You called" not in said and "Going on" not in said


def test_an_answer_that_asks_ready_for_itself_is_told_so(capsys):
    with pytest.raises(CheckFailed):
        run("def bce(p, y, reduction='mean'): return ready('bce')(p, y, reduction)", "check('bce')")
    assert "calls itself without end" in capsys.readouterr().out


def test_compare_shows_both(capsys):
    run(bce("return p.sum()"), "compare('bce', torch.tensor([0.5]), torch.tensor([1.0]))")
    assert "yours:      0.5\n  definition: 0.6931" in capsys.readouterr().out


def test_compare_says_that_nothing_is_written_yet(capsys):
    run(bce("raise NotImplementedError()"), "compare('bce', torch.tensor([0.5]), torch.tensor([1.0]))")
    assert "yours:      not written yet\n  definition: 0.6931" in capsys.readouterr().out


def test_an_unknown_exercise_is_met_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'bce'"):
        run("check('bbce')")


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A learner's folder: progress is kept there and nowhere else."""
    progress.save(tmp_path / "progress.json", progress.EMPTY)
    (tmp_path / "02_bce").mkdir()
    monkeypatch.chdir(tmp_path / "02_bce")
    return tmp_path


def test_hints_go_from_a_nudge_to_nearly_there(work, capsys):
    for _ in range(5):
        run("hint('bce_grad')")
    said = capsys.readouterr().out
    assert "Hint 1 of 3" in said and "Hint 2 of 3" in said and said.count("Hint 3 of 3") == 3


def test_the_solution_after_passing_or_after_asking_twice(work, capsys):
    run("solution('bce_grad')")
    assert "does not pass yet" in capsys.readouterr().out
    run("solution('bce_grad')")
    assert "return -y / p + (1 - y) / (1 - p)" in capsys.readouterr().out
    run(
        "bce_clamped = lambda p, y: 0",
        "bernoulli_likelihood = lambda p, y: (p * y + (1 - p) * (1 - y)).prod()",
        "solution('bernoulli_likelihood')",
    )
    assert "SOLUTION" not in (said := capsys.readouterr().out) and ".prod()" in said


def test_progress_is_kept_with_the_work_and_not_while_grading(work, monkeypatch, capsys):
    cell = "bce_grad = lambda p, y: (p - y) / (p - p * p)", "check('bce_grad')"
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    run(*cell)
    assert json.loads((work / "progress.json").read_text())["passed"] == []
    monkeypatch.delenv("NBGRADER_EXECUTION")
    run(*cell, "progress()")
    assert json.loads((work / "progress.json").read_text())["passed"] == ["bce_grad"]
    assert "1 of 5" in capsys.readouterr().out


def test_a_damaged_progress_is_kept_aside(work):
    (work / "progress.json").write_text("{")
    run("bce_grad = lambda p, y: (p - y) / (p - p * p)", "check('bce_grad')")
    assert json.loads((work / "progress.json").read_text())["passed"] == ["bce_grad"]
    assert (work / "progress.damaged.json").read_text() == "{"


def test_what_comes_later_in_the_course_is_not_lent_to_an_answer(capsys):
    with pytest.raises(CheckFailed):
        run(bce("return ready('bce_with_logits')(torch.logit(p), y, reduction)"), "check('bce')")
    assert "bce_with_logits comes later in the course than bce" in capsys.readouterr().out.replace("`", "")


def test_what_another_lesson_asked_for_is_not_lent_as_in_class(capsys):
    with pytest.raises(CheckFailed):
        run(
            bce("return getattr(softplus(ready('stable_sigmoid')(p)), reduction)()"),
            "softplus = ready('sigmoid')",
            "check('bce')",
        )
    assert "belongs to another lesson" in capsys.readouterr().out


def test_a_borrowed_answer_is_told_as_that(capsys):
    lines = "take = ready('bce')", bce("return take(p, y, reduction)")
    with pytest.raises(CheckFailed):
        run(*lines, "check('bce')")
    assert "Right numbers, but borrowed" in capsys.readouterr().out


def test_an_open_question_shows_the_courses_answer_once_something_is_written(tmp_path, monkeypatch, capsys):
    """And nothing at all where no learner has the notebook open."""
    ask = "solution('lower_loss_fewer_right')"
    run(ask)
    assert capsys.readouterr().out == ""
    nb = loads(released("02_bce"))
    path = tmp_path / "02_bce.ipynb"
    nbformat.write(nb, path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    run(ask)
    assert "Write your answer into the cell above" in capsys.readouterr().out
    next(c for c in nb.cells if c.id == "lower_loss_fewer_right").source = "One is sure, the other is right."
    nbformat.write(nb, path)
    run(ask)
    assert model_answer("lower_loss_fewer_right") in capsys.readouterr().out


def test_a_pass_shows_the_part_of_the_lesson_that_would_have_answered_it(monkeypatch, capsys):
    monkeypatch.setattr(build, "passed_text", lambda name: f"Why {name} is so: $p - y$.")
    run("bce_grad = lambda p, y: p", "try: check('bce_grad')", "except CheckFailed: pass")
    assert "is so" not in capsys.readouterr().out
    run("bce_grad = lambda p, y: (p - y) / (p - p * p)", "check('bce_grad')")
    assert "Why bce_grad is so: $p - y$." in capsys.readouterr().out
