"""`./course check LESSON FILE…`: answers in plain files, tried from outside."""

import json
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from grader.__main__ import app
from grader.learner.files import misspelt
from grader.learner.watch import judged_in
from grader.tests import school

LESSON = "02_bce"
RIGHT = """import torch
def bce(p, y, reduction="mean"):
    losses = -(y * p.log() + (1 - y) * (1 - p).log())
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
"""
COMPILED = """@torch.jit.script
def bce(p, y, reduction: str = "mean"):
    return torch.nn.functional.binary_cross_entropy(p, y, reduction=reduction)
"""
FILES = {  # name: (source, {exercise: (passed, words of the message)})
    "right.py": (RIGHT, {"bce": (True, "nn.BCELoss")}),
    "sums.py": (
        "def bce(p, y, reduction='mean'):\n    return -(y * p.log() + (1 - y) * (1 - p).log()).sum()\n",
        {"bce": (False, "You added the losses up")},
    ),
    "two.py": (
        RIGHT + "bce_grad = lambda p, y: p - y\n",
        {"bce": (True, ""), "bce_grad": (False, "p − y, the derivative")},
    ),
    "exits.py": (
        RIGHT + "def bce_grad(p, y):\n    import os\n    os._exit(0)\n",
        {"bce": (True, ""), "bce_grad": (False, "ended the whole Python process")},
    ),
    "loops.py": (
        RIGHT + "def bce_grad(p, y):\n    while True: pass\n",
        {"bce": (True, ""), "bce_grad": (False, "did not come back in time")},
    ),
    "recurses.py": (
        "def bce(p, y, reduction='mean'):\n    return bce(p, y)\n",
        {"bce": (False, "calls itself without end")},
    ),
    "crashes.py": (
        "import ctypes\ndef bce(p, y, reduction='mean'):\n    ctypes.string_at(0)\n",
        {"bce": (False, "ended the whole Python process")},
    ),
    "prints.py": (
        "import sys\n"
        + RIGHT.replace("    losses", "    print('x' * 10**6); print('y', file=sys.stderr)\n    losses", 1),
        {"bce": (True, "")},
    ),
    "later.py": (RIGHT + "raise SystemExit\n", {"bce": (True, "")}),
    "compiled.py": ("import torch\n" + COMPILED, {"bce": (False, "You called `binary_cross_entropy`")}),
    "borrowed.py": (
        "from torch.nn.functional import binary_cross_entropy as bce\n",
        {"bce": (False, "You called `binary_cross_entropy`")},
    ),
    "number.py": ("bce = 3\n", {"bce": (False, "not bound to a function")}),
    "stub.py": (
        "def bce(p, y, reduction='mean'):\n    raise NotImplementedError()\n",
        {"bce": (False, "not attempted")},
    ),
    "syntax.py": ("def bce(p, y):\n    return (\n", {"bce": (False, "SyntaxError")}),
    "line.py": (
        "def bce(p, y, reduction='mean'):\n    q = p\n    return q.lag()\n",
        {"bce": (False, "line 3: `return q.lag()`")},
    ),
    "nothing.py": ("x = 1\n", {None: (False, "defines none of the exercises")}),
    "bytes.py": (b"\xff\xfe\x00", {None: (False, "no UTF-8")}),
    "patches.py": (
        RIGHT.replace("-(y", "(y")
        + "import grader.judging.judge\ngrader.judge.judge = None\ntorch.allclose = lambda *a, **k: True\n",
        {"bce": (False, "The minus is missing")},
    ),
    "hangs.py": (RIGHT + "while True: pass\n", {"bce": (False, "did not finish")}),
}
# the same command, which waits three seconds instead of ten for what never comes
IMPATIENT = "from grader.__main__ import app; from grader.learner import files; files.SECONDS = 3; app()"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    for name, (source, _) in FILES.items():
        (folder / name).write_bytes(source if isinstance(source, bytes) else source.encode())
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT, "check", LESSON, *FILES, "missing.py", "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", FILES)
def test_each_file_gets_its_own_verdict(name, outcome):
    lines = {line["exercise"]: line for line in outcome if line["file"] == name}
    assert lines.keys() == FILES[name][1].keys()
    for exercise, (passed, says) in FILES[name][1].items():
        line = lines[exercise]
        assert line.keys() == {"file", "exercise", "passed", "points", "max_points", "mistake", "message"}
        assert line["passed"] == passed and says in line["message"], line
        assert (
            line["points"] == line["max_points"]
            if passed
            else line["points"] < line["max_points"] or exercise is None
        )


def test_a_missing_file_is_a_line(outcome):
    assert any(line["file"] == "missing.py" and "No such file" in line["message"] for line in outcome)


def test_a_pass_exits_0_and_an_unknown_lesson_2(tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)

    good = subprocess.run(
        [sys.executable, "-m", "grader", "check", "bce", "right.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert good.returncode == 0 and good.stdout.startswith("right.py  bce: passed  3/3")
    bad = CliRunner().invoke(app, ["check", "99_nothing", "right.py"])
    assert bad.exit_code == 2 and "There is no lesson '99_nothing'. There are: " in bad.stderr


def test_a_notebook_is_judged_by_its_answers_and_not_run_as_a_file(tmp_path):
    answers = {"bce_grad": "def bce_grad(p, y):\n    return (p - y) / (p - p * p)"}
    path = tmp_path / "02_bce.ipynb"
    nbformat.write(school.answered("02_bce", answers), path)
    verdicts = {judged.verdict.exercise: judged.verdict for judged in judged_in(path, "02_bce")}
    assert verdicts["bce_grad"].passed and verdicts["bce"].status == "not attempted"


def test_a_name_that_is_spelt_differently_is_told(tmp_path):
    path = tmp_path / "answers.py"
    path.write_text("def BCE(p, y, reduction='mean'):\n    return p\n")
    (judged,) = judged_in(path, "02_bce")
    assert "It defines `BCE`: is that `bce`? The exercise is called `bce`." in judged.verdict.message
    assert list(misspelt({"softmx"}, ["softmax", "bce"])) == [
        "It defines `softmx`: is that `softmax`? The exercise is called `softmax`."
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("body", ["return p", "while True: pass"])
def test_nothing_outlives_a_check_that_was_killed(tmp_path, body):
    """Neither a process that waits for questions nor, after a while, one in an endless loop."""
    pids = tmp_path / "pids"
    (tmp_path / "answers.py").write_text(
        f"import os\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        f"def bce(p, y, reduction='mean'):\n    {body}\n"
    )
    checking = subprocess.Popen(
        [sys.executable, "-c", SHORT, str(tmp_path / "answers.py")], stdout=subprocess.DEVNULL
    )
    wait_until(pids.exists)
    wait_until(lambda: pids.read_text().endswith("\n"))
    time.sleep(1)  # by then it is asked
    checking.kill()
    checking.wait()
    (pid,) = pids.read_text().split()
    wait_until(lambda: not Path("/proc", pid).exists())


SHORT = """
import sys
from grader.learner import files
files.ALONE_SECONDS = 2
for judged in files.check_file(sys.argv[1], "02_bce"):
    pass
"""


def wait_until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
