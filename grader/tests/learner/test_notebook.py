"""What a learner reads in a running notebook: which cell was judged, what held it up, and a line, never a
traceback, for a slip of the pen."""

import nbformat
import pytest
from nbclient import NotebookClient

WRONG = (
    "def bce(p, y, reduction='mean'):\n    print('shape', tuple(p.shape))\n    return (-(y * p.log() + "
    "(1 - y) * (1 - p).log())).sum()"
)
RIGHT = (
    "def bce(p, y, reduction='mean'):\n    losses = -(y * p.log() + (1 - y) * (1 - p).log())\n"
    "    return losses if reduction == 'none' else getattr(losses, reduction)()"
)
ENDLESS_BACKWARD = """
class CallsItself(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        result = x.clone()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, slope):
        (result,) = ctx.saved_tensors
        result.backward(slope)
        return slope

def bce(p, y, reduction='mean'):
    losses = CallsItself.apply(-(y * p.log() + (1 - y) * (1 - p).log()))
    return losses if reduction == 'none' else getattr(losses, reduction)()
"""
CELLS = {
    "begin": (
        "import torch\nfrom torch.nn import functional as F\nfrom grader import *\nfrom grader.learner "
        "import kernel\nkernel.SECONDS = 1"
    ),
    "wrong": WRONG,
    "judged wrong": "check('bce')",
    "broken": WRONG.replace("return (", "return (("),
    "judged the older": "check('bce')",
    "stopped half way": "undefined_name\n" + RIGHT,
    "judged the older still": "check('bce')",
    "endless": "def bce(p, y, reduction='mean'):\n    while True:\n        p = p + 0",
    "judged endless": "check('bce')",
    "compared endless": "compare('bce', torch.tensor([0.5]), torch.tensor([1.0]))",
    "went on thrice": "for _ in range(3): ready('bce')",
    "went on": "ready('bce')(torch.tensor([0.5]), torch.tensor([1.0]))",
    "backward that calls itself": ENDLESS_BACKWARD,
    "judged backward": "check('bce')",
    "borrowed": "def bce(p, y, reduction='mean'):\n    return F.binary_cross_entropy(p, y, reduction=reduction)",
    "judged borrowed": "check('bce')",
    "right": RIGHT,
    "judged right": "check('bce')",
    "the function itself": "hint(bce)",
    "a slip": "hint('bbce')",
    "no name": "hint()",
    "no lesson": "finish('nothing')",
    "numbers": "compare('bce', 0.3, 1)",
    "unknown question": "solution('no_such_thing')",
    "the end": "finish('02_bce')",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """For each cell of CELLS what it shows: its plain text, its HTML, and the lines of its traceback."""
    folder = tmp_path_factory.mktemp("notebook")
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS.values()])
    resources = {"metadata": {"path": folder}}
    NotebookClient(nb, timeout=120, kernel_name="python3", allow_errors=True, resources=resources).execute()
    told = {}
    for name, cell in zip(CELLS, nb.cells):
        text = "\n".join(o.data.get("text/plain", "") for o in cell.outputs if "data" in o)
        html = "\n".join(o.data.get("text/html", "") for o in cell.outputs if "data" in o)
        lines = [line for o in cell.outputs if o.output_type == "error" for line in o.traceback]
        told[name] = text, html, lines
    return told


def test_a_verdict_says_which_cell_was_judged_and_shows_what_it_printed(said):
    text, html, lines = said["judged wrong"]
    assert "judged: cell [2], run at " in text and "printed:  shape (2,)" in text
    assert "<code>hint(&quot;bce&quot;)</code> (2 left)" in html, "what helps"
    assert lines == ["bce: not yet (0 of 7 cases pass)"]


def test_what_hands_over_the_repair_is_folded_and_what_names_the_mistake_is_not(said):
    shown, _, folded = said["judged wrong"][1].partition("<details")
    assert "You added the losses up" in shown and "How to repair it" in folded


@pytest.mark.parametrize(
    "cell, why",
    [
        ("judged the older", "Cell [4] stopped with SyntaxError: "),
        ("judged the older still", "Cell [6] stopped with NameError"),
    ],
)
def test_a_later_try_that_failed_is_said_first(said, cell, why):
    text = said[cell][0]
    assert text.splitlines()[1].startswith(why), text
    assert "What is judged is the older `bce` of cell [2]." in text


def test_an_endless_loop_ends_with_a_panel_and_the_learners_line(said):
    text, html, lines = said["judged endless"]
    assert "is there a loop that never ends? It was at line " in text
    assert "<code>p = p + 0</code>" in html or "<code>while True:</code>" in html
    assert len(lines) == 1 and "nothing came back in time" in said["compared endless"][0]
    assert "Going on with the course's bce." in said["went on"][0]
    assert said["went on thrice"][0].count("Going on with") == 1


def test_a_backward_pass_that_calls_itself_ends_too_and_the_kernel_goes_on(said):
    """Its levels run in threads that autograd begins; the cells below it are judged in the same process."""
    text, _, lines = said["judged backward"]
    assert lines[0].startswith("bce: stopped with an error") and "did not come back in time" in text, text


def test_a_borrowed_function_is_called_that(said):
    assert said["judged borrowed"][2] == ["bce: borrowed"]
    assert "You called `binary_cross_entropy`" in said["judged borrowed"][0]


def test_a_pass_says_where_one_is_and_what_to_run_again(said):
    text, _, lines = said["judged right"]
    assert "1 of 5 in this lesson. Next: `bce_grad`." in text and not lines
    assert "Run the cells below again that went on with the course's `bce`" in text


def test_a_slip_gets_a_line(said):
    assert "Hint 1 of 2 for bce" in said["the function itself"][0]
    assert said["a slip"][2] == ["There is no exercise 'bbce'. Did you mean 'bce'?"]
    assert said["no name"][2] == ['Say which exercise, by its name: "bce". progress() lists the lessons.']
    assert said["no lesson"][2][0].startswith("There is no lesson 'nothing'.")
    assert "definition: 1.204" in said["numbers"][0], "numbers make tensors"
    (line,) = said["unknown question"][2]
    assert line.startswith("There is no exercise 'no_such_thing'.") and len(line) <= 80


def test_the_end_of_a_lesson_leads_on(said):
    text, html, _ = said["the end"]
    assert "1 of 5 in this lesson. Still open: bernoulli_likelihood, bce_per_sample" in text
    assert (
        '<a href="../03_bce_with_logits/03_bce_with_logits.ipynb">Can a model be too sure to learn?</a>'
        in html
    )
