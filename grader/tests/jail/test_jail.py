"""The jail, with walls as root and as an ordinary user, and without walls: what it does, what it holds, what
it survives."""

import ast
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

import grader.jail.launch as outside
from grader.classroom.examine import examine
from grader.jail import Absent, ChildDied, Jail, JailError, Limits, doctor, walls
from grader.judging.question import Mixing, Result, Smooth, call
from grader.tests import ordinary, school

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
WALLS = doctor.walls()
needs_walls = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")


@pytest.fixture(scope="module")
def jail():
    with Jail(Limits(memory_mb=1024), trust=not WALLS.ok) as jail:
        yield jail


@pytest.fixture
def child(jail):
    with jail.child() as child:
        yield child


@contextlib.contextmanager
def dies(reason):
    with pytest.raises(ChildDied) as caught:
        yield
    assert caught.value.reason == reason, caught.value


def text(outcome):
    return "".join(o.text for o in outcome.outputs)


# ---------------------------------------------------------------- cells


def test_a_cell_shows_what_a_notebook_shows_in_its_order(child):
    outcome = child.run_cell(
        "import matplotlib.pyplot as plt, sys\nprint('one'); print('two')\nprint('warning', file=sys.stderr)\n"
        "plt.plot([1, 2]); plt.show()\ndisplay('shown')\n1 + 1"
    )
    assert outcome.ok
    assert [o.kind for o in outcome.outputs] == ["stdout", "stderr", "display", "display", "result"]
    assert [o.text for o in outcome.outputs[:2]] == ["one\ntwo\n", "warning\n"]
    assert outcome.outputs[2].png.startswith(b"\x89PNG") and outcome.outputs[4].text == "2"


def test_names_last_from_cell_to_cell_but_not_from_child_to_child(jail):
    with jail.child() as child:
        assert child.run_cell("x = 41").ok and text(child.run_cell("x + 1")) == "42"
        assert child.run_cell("In, _i").outputs[0].kind == "result"
    with jail.child() as child:
        assert child.run_cell("x").error.type == "NameError"
        assert (
            text(
                child.run_cell(
                    "[n for n in globals() if n not in ('In', 'Out', 'get_ipython', 'exit', 'quit', "
                    "'open') and n[0] != '_']"
                )
            )
            == "[]"
        )


@pytest.mark.parametrize(
    "source, kind, line, says",
    [
        ("x = 1\nraise ValueError('no')", "ValueError", 2, "no"),
        ("x = 1\nx +", "SyntaxError", 2, "invalid syntax"),
        ("import sys\nsys.exit(3)", "SystemExit", 2, "3"),
        ("def f(x):\n    return x / 0\n\nf(1)", "ZeroDivisionError", 2, "division by zero"),
        ("!ls", "RuntimeError", 1, "Shell commands"),
        ("if 1:\nx", "IndentationError", 2, "expected an indented block"),
        ("from grader import judge", "ImportError", 1, "cannot import"),
        ("input()", "EOFError", 1, ""),
    ],
)
def test_an_error_comes_with_the_learners_own_line(child, source, kind, line, says):
    error = child.run_cell(source).error
    assert (error.type, error.line) == (kind, line) and says in error.text
    assert "\x1b" not in error.traceback and (kind == "SystemExit" or kind in error.traceback)


def test_outputs_are_capped(jail, child):
    outcome = child.run_cell("for i in range(1000): print('x' * 10_000)")
    assert len(text(outcome)) <= jail.limits.output_kb << 10 and outcome.dropped
    outcome = child.run_cell("for i in range(1000): display(i)")
    assert len(outcome.outputs) == jail.limits.outputs and outcome.dropped == 1000 - jail.limits.outputs
    outcome = child.run_cell(
        "class Big:\n    def _repr_png_(self): return b'x' * 5_000_000\ndisplay(Big())\nraise ValueError('y' * 10**6)"
    )
    assert (
        outcome.outputs[0].png is None
        and len(outcome.error.text) <= 1000
        and len(outcome.error.traceback) < 10_000
    )


def test_what_is_no_picture_is_left_out(child):
    outcome = child.run_cell(
        "for data in (b'no', '%%%', b'\\x89PNG' * 100): display({'image/png': data, 'text/plain': 'words'}, raw=True)"
    )
    assert (
        outcome.ok
        and [o.png for o in outcome.outputs] == [None] * 3
        and "words\n(a picture was left out" in outcome.outputs[0].text
    )


def test_the_courses_figures_are_words_and_the_learners_own_are_drawn(child):
    outcome = child.run_cell(
        "import matplotlib.pyplot as plt\nfrom grader.figures import LINE, show\nplt.plot([1, 2], "
        "**LINE['sigmoid'])\nshow('A line.')\nplt.plot([2, 1])\nplt.show()"
    )
    words, figure = outcome.outputs
    assert outcome.ok and (words.text, words.png) == ("A line.", None) and figure.png


def test_an_error_that_lies_about_itself_costs_its_own_cell_at_most(child):
    error = child.run_cell("raise SyntaxError('odd', ('f', -5, 1, 'text'))").error
    assert (error.type, error.line) == ("SyntaxError", 0)
    assert (
        not child.run_cell("class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd").ok
        and child.run_cell("1").ok
    )


def test_a_cell_may_await(child):
    assert text(child.run_cell("import asyncio\nawait asyncio.sleep(0, 'slept')")) == "'slept'"


def test_the_course_inside_knows_nothing(child):
    outcome = child.run_cell(
        "from grader import CheckFailed, check, compare, hint, progress, ready, solution\n"
        "def bce(p, y): return 7\ncheck('bce'); hint('bce'); solution('bce'); compare('bce', 1); progress()\n"
        "print(ready('bce')(0, 0))\nready('softmax')"
    )
    assert text(outcome) == "7\n" and "softmax is not defined" in outcome.error.text
    for module in ("lessons", "exercise", "judge", "learner", "author", "tests"):
        assert child.run_cell(f"import grader.{module}").error.type == "ModuleNotFoundError"


def test_ready_lends_nothing_of_a_lesson_that_this_one_does_not_use_as_at_home(jail):
    by_ready = """def weighted_bce(z, y, weight):
    return (weight * ready("bce_with_logits")(z, y, reduction="none")).mean()
"""
    answer = {"weighted_bce": by_ready}
    judged = examine(school.answered("05_imbalance", answer), jail, 0).verdicts["weighted_bce"]
    assert "it belongs to a lesson that this one does not use" in judged.message


# ---------------------------------------------------------------- questions


def test_a_function_is_asked(child):
    child.run_cell("import torch\ndef mean(z, scale=1):\n    print('asked')\n    return z.mean() * scale")
    z = torch.tensor([1.0, 3.0], dtype=torch.float64)
    result = child.ask("mean", ["z", "scale"], call(z, scale=2), ["z"])
    assert isinstance(result, Result) and result.value.item() == 4 and result.value.dtype is torch.float64
    assert (
        result.printed == "asked\n"
        and {"mean", "mul"} <= result.called
        and result.gradients["z"].shape == (2,)
    )
    assert child.run_cell("print('again')").outputs[0].text == "again\n"


def test_classes_functions_of_functions_and_odd_values_are_asked(child):
    child.run_cell("""
import torch, numpy as np
from torch import nn
class Loss(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__(); self.reduction = reduction
    def forward(self, z):
        return getattr(z, self.reduction)()
def slope(f, x):
    x = x.clone().requires_grad_(); f(x).backward(); return x.grad
def several(z): return [1, 2.5, None, True, float("nan"), np.ones(2), object(), z * 1j]
def change(z): z += 1; return z
def fail(z):
    raise ValueError("not yet")
def apply(f, x): return f(x)
def interrupt(z): raise KeyboardInterrupt
def leave(z): raise SystemExit(3)
def large(z): return torch.zeros(10**7, dtype=torch.float64)
number = 3""")
    z = torch.tensor([1.0, 2.0])
    assert child.ask("Loss", ["z"], call(z).built_with(reduction="sum")).value.item() == 3
    smooth, x = Smooth(torch.zeros(2), torch.zeros(2), torch.ones(2)), torch.tensor([1.0, 5.0])
    assert child.ask("slope", ["f", "x"], call(smooth, x)).value.tolist() == [2, 10]
    mixing, rows = (
        Mixing(torch.tensor([[1.0, -1.0], [0.0, 2.0]]), torch.ones(1)),
        torch.tensor([[3.0], [5.0]]),
    )
    assert child.ask("apply", ["f", "x"], call(mixing, rows)).value.tolist() == [-2, 10]
    value = child.ask("several", ["z"], call(z)).value
    assert (
        value[:4] == (1, 2.5, None, True)
        and value[4] != value[4]
        and value[6].type == "object"
        and value[7].is_complex()
    )
    assert child.ask("change", ["z"], call(z)).changed == ("z",)
    assert (
        child.ask("fail", ["z"], call(z)).raised.text == "not yet"
        and child.ask("fail", ["z"], call(z)).raised.line == 13
    )
    assert child.ask("interrupt", ["z"], call(z)).raised.type == "KeyboardInterrupt"
    assert child.ask("leave", ["z"], call(z)).raised.type == "SystemExit"
    assert "too large" in child.ask("large", ["z"], call(z)).raised.text
    assert child.ask("nothing", ["z"], call(z)) == Absent() and child.ask("number", ["z"], call(z)) == Absent(
        "int"
    )


# ---------------------------------------------------------------- deaths


@pytest.mark.parametrize(
    "source, reason",
    [
        ("import os; os._exit(0)", "died"),
        ("import ctypes; ctypes.string_at(0)", "died"),
        ("while True: pass", "deadline"),
    ],
)
def test_a_death_costs_one_child(jail, source, reason):
    with jail.child() as child:
        with dies(reason):
            child.run_cell(source, deadline=1)
        with dies(reason):  # it stays dead
            child.run_cell("1")
    with jail.child() as child:
        child.run_cell(f"def f(z):\n    {source}")
        with dies(reason):
            child.ask("f", ["z"], call(torch.ones(1)), deadline=1)
    with jail.child() as child:
        assert text(child.run_cell("1 + 1")) == "2" and not jail.notes


PATCHES = {
    "no frame": "wire.send = lambda sock, *a: sock.sendall(b'GET / HTTP/1.1' * 9)",
    "pickle": "import pickle\nwire.send = lambda sock, *a: sock.sendall(pickle.dumps(print) * 9)",
    "a frame that claims much": "wire.send = lambda sock, *a: sock.sendall(wire.PREFIX.pack(wire.MAGIC, 9, 2**60))",
    "another reply": "keep = wire.send; wire.send = lambda sock, h, p=b'': keep(sock, h | {'reply': 'cell'}, p)",
    "another number": "keep = wire.send; wire.send = lambda sock, h, p=b'': keep(sock, h | {'number': 7}, p)",
    "not what was asked": (
        "keep = wire.send; wire.send = lambda sock, h, p=b'': keep(sock, h | {'tree': {'value': 'code'}}, p)"
    ),
    "two replies": "keep = wire.send; wire.send = lambda sock, h, p=b'': (keep(sock, h, p), keep(sock, h, p))",
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_a_child_that_rewrites_its_side_of_the_wire_is_ended(jail, patch):
    with jail.child() as child:
        child.run_cell("def f(z): return z")
        with dies("protocol"):
            child.run_cell(f"from grader.judging import wire\n{patch}")
            for _ in range(3):
                child.ask("f", ["z"], call(torch.ones(2)), deadline=2)
    with jail.child() as child:
        assert child.run_cell("1").ok


def test_a_child_that_drips_is_ended_at_the_deadline(jail):
    with jail.child() as child:
        child.run_cell(
            "def f(z): return z\nfrom grader.judging import wire\nimport time\n"
            "def drip(sock, h, p=b''):\n    sock.settimeout(None)\n    while True: sock.send(b'G'); time.sleep(0.05)\n"
        )
        started = time.monotonic()
        with dies("deadline"):
            child.run_cell(
                "wire.receive.__globals__['_exactly']\nwire.send = lambda s, *a: ("
                "s.sendall(wire.PREFIX.pack(wire.MAGIC, 2 << 19, 0)), drip(s, *a))",
                deadline=1,
            )
        assert time.monotonic() - started < 3


def test_a_child_has_one_life_however_short_its_answers(jail):
    with jail.child() as child, dies("deadline"):
        assert 0 < child._last - time.monotonic() <= jail.limits.child_seconds
        child._last = time.monotonic() + 0.3
        for _ in range(10_000):
            child.run_cell("1")


def test_one_child_at_a_time_and_closing_ends_it(jail):
    with jail.child() as child:
        with pytest.raises(RuntimeError, match="one child at a time"):
            jail.child()
    child.end()
    with dies("died"):
        child.run_cell("1")


def test_nothing_is_left_when_the_parent_is_killed(tmp_path):
    """Neither a process, though a child is busy, nor a folder."""
    code = (
        f"import os, sys\nfrom grader.jail import Jail\njail = Jail(trust={not WALLS.ok})\nwith jail, "
        "jail.child() as child:\n    print('ready', flush=True)\n    child.run_cell('while True: pass', "
        "deadline=60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
    )
    assert parent.stdout.readline() == "ready\n"
    below = psutil.Process(parent.pid).children(recursive=True)
    assert below
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    gone, alive = psutil.wait_procs(below, timeout=5)
    assert not alive
    assert not list(tmp_path.glob("grader-*/box"))


# ---------------------------------------------------------------- the warm interpreter


def test_the_first_process_is_warm_single_and_frozen(jail):
    assert jail.report["threads"] == 1 and jail.report["frozen"] > 100_000


@pytest.mark.parametrize("word, module", [("optim", "torch._dynamo"), ("sklearn", "sklearn.datasets")])
def test_what_only_some_notebooks_use_is_imported_once_for_all_that_follow(jail, word, module):
    look = f"import sys\n{module!r} in sys.modules"
    with jail.child(f"x = {word}") as first:
        assert text(first.run_cell(look)) == "True"
    with jail.child() as later:
        assert text(later.run_cell(look)) == "True"


def test_children_draw_different_numbers(jail):
    drawn = []
    for _ in range(2):
        with jail.child() as child:
            drawn.append(
                text(
                    child.run_cell(
                        "import random, numpy, torch\n(random.random(), numpy.random.rand(), torch.rand(1).item())"
                    )
                )
            )
    a, b = map(ast.literal_eval, drawn)
    assert len(a) == 3 and not set(a) & set(b)


def test_a_childs_first_steps_are_warm(child):
    """Adam's first step imports torch's compiler, for more than a second where it is cold; so does the first
    figure, for fonts."""
    child.run_cell(
        "import time, torch, matplotlib.pyplot as plt\nmodel = torch.nn.Linear(3, 2)\noptimizer = "
        "torch.optim.Adam(model.parameters())"
    )
    steps = child.run_cell(
        "times = []\nfor _ in range(2):\n    start = time.process_time(); model(torch.ones(1, 3)).sum().backward(); "
        "optimizer.step(); times.append(time.process_time() - start)\ntimes"
    )
    first, second = ast.literal_eval(text(steps))
    assert first < 0.25, f"the first step took {first:.2f} s of processor time, the second {second:.2f} s"
    start = time.monotonic()
    assert child.run_cell("plt.plot([1, 2]); plt.show()").outputs[0].png
    assert time.monotonic() - start < 2


def test_a_child_is_ready_and_gone_quickly(jail):
    ready, ended = [], []
    for _ in range(7):
        start = time.perf_counter()
        child = jail.child()
        ready.append(time.perf_counter() - start)
        start = time.perf_counter()
        child.end()
        ended.append(time.perf_counter() - start)
    # far above what it takes, for a busy machine
    assert statistics.median(ready) < 0.3 and statistics.median(ended) < 0.3


# ---------------------------------------------------------------- the walls

CLIMB = (
    "import grader.jail.doctor as d; print(d.walls().kind); rows = list(d.climb());"
    "print([r for r in rows if not r.held], len(rows))"
)


@needs_walls
@pytest.mark.parametrize("who", ["root", "ordinary user"] if ROOT else ["ordinary user"])
def test_every_attempt_to_climb_is_held(who):
    if ROOT and who == "ordinary user":
        with ordinary.user() as run:
            said = run(CLIMB)
    else:
        said = subprocess.run(
            [sys.executable, "-c", CLIMB], capture_output=True, text=True, check=True
        ).stdout
    assert said.splitlines() == ["root" if who == "root" else "user", f"[] {len(doctor.ATTEMPTS) + 1}"]


@needs_walls
def test_nothing_that_a_child_leaves_survives_it(jail):
    with jail.child() as child:
        child.run_cell(
            "import os\nfor i in range(1500):\n    os.mkdir('d'); os.chdir('d')\n"
            "os.chmod('/box/work/d', 0); os.symlink('/', '/box/tmp/link'); open('/box/tmp/note', 'w').write('x')\n"
            "if os.fork() == 0:\n    os.setsid(); import time; time.sleep(60); os._exit(0)"
        )
    with jail.child() as child:
        seen = child.run_cell(
            "import os\nos.listdir('/box/work'), os.listdir('/box/tmp'), [p for p in "
            "os.listdir('/proc') if p.isdigit()].__len__()"
        )
        assert text(seen) == "([], [], 2)" and not jail.notes


FORKS_FOR_EVER = """
import os, time
if os.fork() == 0:
    while True:
        if os.fork():
            os._exit(0)
def lives(pid):
    try: return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError: return False
def alone():
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if not [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid()) and lives(p)]:
            return 1
    return 0
"""


@needs_walls
def test_a_child_starts_no_program_and_answers_questions_alone(jail):
    """What an earlier cell forked is ended before the answer is asked, also where it forks itself again and again."""
    with jail.child() as child:
        outcome = child.run_cell("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])")
        assert outcome.error.type == "PermissionError"
        child.run_cell(FORKS_FOR_EVER)
        assert child.ask("alone", [], call()).value == 1


def test_walls_that_cannot_be_built_are_said_with_what_to_do(monkeypatch):
    monkeypatch.setattr(outside.shutil, "which", lambda name: None)
    walls = doctor.walls()
    assert (
        not walls.ok
        and "bubblewrap" in walls.why
        and any("apt-get install bubblewrap" in a for a in walls.advice)
    )
    with pytest.raises(JailError, match="doctor"):
        Jail().child()
    monkeypatch.setattr(outside.sys, "platform", "darwin")
    walls = doctor.walls()
    assert (
        "Linux" in walls.why
        and any("virtual machine" in a for a in walls.advice)
        and "--trust-submissions" in walls.advice[-1]
    )
    with pytest.raises(JailError):  # and nothing is tried without walls
        list(doctor.climb())


@needs_walls
def test_walls_that_bubblewrap_refuses_are_said(monkeypatch):
    monkeypatch.setattr(walls, "mounts", lambda: ["--ro-bind", "/nowhere", "/nowhere"])
    assert "nowhere" in doctor.walls().why


def test_without_walls_the_same_things_work_and_nothing_is_left():
    with Jail(trust=True) as jail:
        folder = Path(jail._folder)
        assert jail.report["walls"] == "none" and folder.is_dir()
        with jail.child() as child:
            assert child.run_cell(
                "import subprocess, sys\nopen('note', 'w').write('x')\ndef f(z): return z + 1\n"
                "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)"
            ).ok
            assert child.ask("f", ["z"], call(torch.ones(1))).value.item() == 2
            left = int(text(child.run_cell("left.pid")))
            assert child.run_cell("import grader.judging.judge").error.type == "ModuleNotFoundError"
        assert not psutil.pid_exists(left)
        with jail.child() as child:
            assert text(child.run_cell("import os; os.listdir()")) == "[]"
            with dies("deadline"):
                child.run_cell("while True: pass", deadline=0.5)
        assert not jail.notes
    assert not folder.exists()


def test_the_module_asks_nothing_of_the_platform_when_it_is_imported():
    code = (
        "import matplotlib.pyplot, sys, torch, safetensors.torch, sklearn, IPython; sys.platform = "
        "'darwin'\nimport grader.jail, grader.jail.doctor\nprint(grader.jail.doctor.walls().ok)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@needs_walls
def test_there_are_no_walls_without_the_filter_of_system_calls(jail, monkeypatch):
    assert jail.report["filter"]
    monkeypatch.setattr(outside.seccomp, "program", lambda: None)
    walls = doctor.walls()
    assert not walls.ok and any("apt-get install libseccomp2" in a for a in walls.advice)


def test_a_jail_whose_first_process_dies_starts_itself_again_and_says_so(
    jail,
):  # the last: it leaves a note in the shared jail
    with jail.child() as child:
        outer = psutil.Process(jail._process.pid)
        for process in [outer, *outer.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with dies("jail"):
            child.run_cell("1")
    with jail.child() as child:
        assert child.run_cell("1").ok
    assert len(jail.notes) == 1 and "started again" in jail.notes[0]


def test_a_target_that_is_no_longer_there_is_said_and_never_held(monkeypatch, tmp_path):
    """What is refused inside says nothing about a path that leads nowhere: it is looked for from outside first."""
    monkeypatch.setattr(doctor, "_solutions", lambda: tmp_path / "moved away")
    first = next(iter(doctor.climb(attempts=[])))
    assert not first.held and "moved away" in first.seen


@pytest.mark.parametrize("key", ["files", "folders", "course_files", "course_folders", "modules"])
def test_each_target_is_looked_for(key):
    facts = {"files": [], "folders": [], "course_files": [], "course_folders": [], "modules": []}
    absent = "grader.nowhere" if key == "modules" else "/nowhere/at/all"
    assert doctor.missing(facts) == [] and doctor.missing(facts | {key: [absent]}) == [absent]
