"""The scan sees what IPython runs: no line beside an answer, and no way to write one, keeps it from reading
the rest."""

import pytest

from grader.judging.scan import scan, together, written

IMPORTS = "import torch.nn.functional as F\n"
ANSWER = "def bce(p, y):\n    return F.binary_cross_entropy(p, y)\n"
HEADS = [
    "_ = %who_ls\n",
    "x, y = %who_ls\n",
    "threading?\n",
    "print?? \n",
    "?threading\n",
    "%matplotlib inline\n",
    "!ls\n",
    "files = !ls -l\n",
    "print(1); x = !ls\n",
    "a = [\n1]\nb = !ls {a[0]}\n",
    "%%time\n",
    "%%capture out\n",
    "%%timeit -n1 -r1\n",
    "%time\n",
    "%time z = 1\n",
    "def g():\n    %time 1\n    x = %who_ls\n",
    "if 1: %who\n",
    "/print 1\n",
    ",print a b\n",
    ";print a b\n",
    "x = 1" + " + 1" * 5_000 + "\n",
    "x = " + "-" * 2_000 + "1\n",
]


@pytest.mark.parametrize("head", HEADS, ids=[repr(h[:24]) for h in HEADS])
def test_nothing_beside_an_answer_switches_the_scan_off(head):
    cell = head + ANSWER
    context = together([IMPORTS, cell])
    names = scan(written(context).get("bce") or cell, frozenset({"binary_cross_entropy"}), context)
    assert names == {"binary_cross_entropy"}


@pytest.mark.parametrize(
    "body",
    [
        "return F.binary_cross_entropy(p, y)" + " + 0" * 5_000,
        "x = " + "(" * 150 + "1" + ")" * 150 + "\n    return F.binary_cross_entropy(p, y)",
        "return F . binary_cross_entropy(p, y) if " + "not " * 3_000 + "y is None else 0",
    ],
    ids=["many terms", "many brackets", "many negations"],
)
def test_an_answer_that_no_walk_gets_through_is_read_by_its_words(body):
    assert scan(f"def bce(p, y):\n    {body}\n", frozenset({"binary_cross_entropy"}), IMPORTS) == {
        "binary_cross_entropy"
    }


def test_what_is_no_library_is_not_accused_in_a_text_that_is_no_python_either():
    text = 'def bce(p, y):\n    own.binary_cross_entropy = (p\n    "F.binary", F, y.binary_cross_entropy'
    assert scan(text, frozenset({"binary_cross_entropy"}), IMPORTS) == set()
