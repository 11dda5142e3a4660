"""What the running notebook knows: which cell defined a function, which cells failed, what the saved file
holds; and a clock for answers.

Everything here is quiet where no IPython runs.
"""

import ast
import contextlib
import ctypes
import json
import os
import re
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from unittest import mock

from grader.course.cells import grade_id

__tracebackhide__ = True  # these frames are no learner's: see `question.raised`
SECONDS = 10  # for all the questions that one check puts to an answer, as on the command line


@dataclass(frozen=True)
class Ran:
    """A cell that has run: its number, its id in the notebook, its text, when it ended, and what stopped it
    ("" for nothing)."""

    number: int
    cell: str
    source: str
    at: float
    error: str


_runs: list[Ran] = []
_said: set[str] | None = set()  # what the running cell has said already; None between cells


def shell():
    """The IPython shell of this process, or None; a plain script need not import it."""
    if "IPython" not in sys.modules:
        return None
    return sys.modules["IPython"].get_ipython()


def caller() -> dict:
    """The namespace of the cell that called the public function that called this."""
    return sys._getframe(2).f_globals


def live() -> bool:
    """Is this the kernel of a notebook that a person has open in Jupyter? Not while building, validating,
    grading or testing."""
    return "JPY_SESSION_NAME" in os.environ and "NBGRADER_EXECUTION" not in os.environ


def show(text: str, panel: str):
    """Display a message: HTML in a notebook, the text elsewhere."""
    if shell() is None:
        print(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": panel}, raw=True)


def show_markdown(text: str):
    """Display Markdown, formulas among it."""
    if shell() is None:
        print(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/markdown": text}, raw=True)


def listen():
    """Keep a record of the cells that run from now on."""
    ipython = shell()
    if ipython is not None and _after not in ipython.events.callbacks["post_run_cell"]:
        ipython.events.register("post_run_cell", _after)
        ipython.events.register("pre_run_cell", _before)


def first_time(what: str) -> bool:
    """Is the running cell to say this, or has it said it already? A slider draws its figure again and again,
    and repeats nothing."""
    if shell() is None:
        return True
    if _said is None or what in _said:
        return False
    _said.add(what)
    return True


def _before(info):
    global _said
    _said = set()


def _after(result):
    global _said
    _said = None
    error = result.error_before_exec or result.error_in_exec
    told = ""
    if error is not None:
        told = type(error).__name__
        if isinstance(error, SyntaxError) and error.lineno:
            told += f": {error.msg} (line {error.lineno}: `{(error.text or '').strip()}`)"
    number = result.execution_count
    if number is None:  # a cell that does not parse has none of its own
        number = shell().execution_count - 1
    _runs.append(Ran(number, result.info.cell_id or "", result.info.raw_cell, time.time(), told))


def cell_of(definition: object) -> Ran | None:
    """The cell that defined a function or class, as far as the record goes."""
    codes = [definition, *(vars(definition).values() if isinstance(definition, type) else ())]
    code = next((c.__code__ for c in codes if hasattr(c, "__code__")), None)
    running = shell()
    if code is None or running is None:
        return None
    named = running.compile.format_code_name(code.co_filename)
    number = None
    if named:
        number = re.search(r"\d+", named[1])
    if number is None:
        return None
    return next((ran for ran in reversed(_runs) if ran.number == int(number[0])), None)


def judged(name: str, answer: object) -> str:
    """`judged: cell [9], run at 21:14`, or "" where that is not known."""
    ran = cell_of(answer)
    if ran is None:
        return ""
    return f"judged: cell [{ran.number}], run at {time.strftime('%H:%M', time.localtime(ran.at))}"


def stale(name: str, answer: object) -> str:
    """Why what is judged may not be what the learner has in mind; "" where nothing speaks for it.

    answer: what the name is bound to, or None. Looked at: cells that ran later and tried to define the name,
    or ran in the exercise's own cell; and the exercise's cell in the saved notebook.
    """
    ran = None
    if answer is not None:
        ran = cell_of(answer)
    if answer is not None and ran is None:
        return ""
    since, instead = 0, ""
    if ran:
        since = ran.number
        instead = f"What is judged is the older `{name}` of cell [{ran.number}]."
    tries = [r for r in _runs if r.number > since and (r.cell == name or defines(r.source, name))]
    if tries:
        last = tries[-1]
        if last.error:
            return f"Cell [{last.number}] stopped with {last.error}, before it could define `{name}`. {instead}".strip()
        other = misnamed(last.source, name)
        if not defines(last.source, name) and other:
            return (
                f"Cell [{last.number}] defines `{other}`; the exercise is called `{name}`. {instead}".strip()
            )
        return ""
    latest = next((r for r in reversed(_runs) if r.cell == name), None)
    saved = None
    if latest:
        saved = saved_cell(name, since=latest.at)
    if latest and saved is not None and saved.strip() != latest.source.strip():
        return (
            f"The cell of `{name}` was edited after it ran as cell [{latest.number}]: run it again. What "
            "is judged is what ran."
        )
    return ""


def defines(source: str, name: str) -> bool:
    """Does this text bind the name at its top level? Also where it does not parse."""
    return bool(
        re.search(rf"^(?:(?:async\s+)?def|class)\s+{name}\b|^{name}\s*(?::[^=\n]+)?=(?!=)", source, re.M)
    )


def misnamed(source: str, name: str) -> str:
    """The one function or class that a cell defines, where it defines another than `name`; else ""."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return ""
    made = [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    near = [n for n in made if n.lower().replace("_", "") == name.lower().replace("_", "")]
    if name in made or not made:
        return ""
    return (near or made)[-1]


def notebook_file() -> Path | None:
    """The file of the notebook that this kernel runs for, where Jupyter says so."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    if path.endswith(".ipynb") and Path(path).is_file():
        return Path(path)
    return None


def saved_cell(name: str, since: float = 0) -> str | None:
    """The text of the cell with this `grade_id` in the saved notebook, or None; None, too, where it was not
    saved after `since`."""
    path = notebook_file()
    if path is None or path.stat().st_mtime < since:
        return None
    try:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if grade_id(cell) == name:
                return "".join(cell["source"])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # in the middle of a save, or no notebook
        pass
    return None


def _nobody_types(prompt=""):
    raise EOFError("EOF when reading a line: nobody types while an answer is asked")


@contextlib.contextmanager
def alone():
    """While an answer is asked, nobody waits for it: `input()` finds the end, and a figure that it shows each
    time is not shown."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch("builtins.input", _nobody_types))
        if shell() is not None:
            from IPython.utils.capture import capture_output

            stack.enter_context(capture_output(stdout=False, stderr=False, display=True))
        yield


class DeadlineExceeded(BaseException):
    """Raised in the middle of an answer that does not come back. No Exception: `except Exception` in an
    answer must not hold it up."""


def _in_a_backward_pass(frame: FrameType | None) -> bool:
    """Does a thread run what autograd called?"""
    while frame is not None:
        if "/torch/autograd/" in frame.f_code.co_filename.replace(os.sep, "/"):
            return True
        frame = frame.f_back
    return False


def _stop_foreign_threads():
    """Raise DeadlineExceeded in every thread that autograd, not Python, has started for a backward pass.
    Other libraries' go on."""
    ours = {
        thread.ident for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)
    }
    for ident, frame in sys._current_frames().items():
        if ident not in ours and _in_a_backward_pass(frame):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(ident), ctypes.py_object(DeadlineExceeded)
            )


@contextlib.contextmanager
def clock(seconds: float):
    """Raise DeadlineExceeded in the block when so many seconds have passed.

    Only where there is an alarm (not on Windows) and only in the main thread; elsewhere the learner can still
    stop the cell. A backward pass that calls itself goes on in threads of autograd's own, while the main
    thread waits and hears no alarm: they are stopped a second later, and those that they have begun
    meanwhile, until the block has ended.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_):
        raise DeadlineExceeded

    ended = threading.Event()

    def stop_what_goes_on():
        wait = max(seconds, 0.0) + 1
        while not ended.wait(wait):
            _stop_foreign_threads()
            wait = 0.1

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    threading.Thread(target=stop_what_goes_on, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
