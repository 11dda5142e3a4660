"""Inside: a forked child that runs cells with IPython and answers questions about what they define.

Nothing here is trusted by the grader: the learner's code lives in this process and may rewrite all of it.
"""

import base64
import io
import os
import signal
import socket
import sys
from dataclasses import dataclass

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from grader.judging import question, wire
from grader.judging.outcome import NO_SHELL, Absent, CellError, Outcome, Output, is_picture

__tracebackhide__ = True  # these frames are no learner's: see `question.raised`


@dataclass
class _Printed:
    kind: str
    parts: list


class Recorder:
    """Collects a cell's outputs in their order, capped. Between cells it throws away what it gets: questions
    show nothing."""

    def __init__(self):
        self.outputs, self.on = [], False
        self.text_left = self.pictures_left = self.outputs_left = self.dropped = 0

    def start(self, limits: dict):
        self.outputs, self.dropped, self.on = [], 0, True
        self.text_left, self.pictures_left, self.outputs_left = (
            limits["output_kb"] << 10,
            limits["figures_kb"] << 10,
            limits["outputs"],
        )

    def finish(self):
        self.on = False
        return tuple(
            Output(o.kind, "".join(o.parts)) if isinstance(o, _Printed) else o for o in self.outputs
        ), self.dropped

    def stream(self, kind: str, text: str):
        if not self.on or not text:
            return
        kept, self.text_left = text[: self.text_left], max(0, self.text_left - len(text))
        if not kept:
            self.dropped += 1
        elif self.outputs and self.outputs[-1].kind == kind:
            self.outputs[-1].parts.append(kept)
        else:
            self._append(_Printed(kind, [kept]))

    def show(self, kind: str, data: dict):
        if not self.on:
            return
        png, text = data.get("image/png"), str(data.get("text/plain", ""))
        try:
            if isinstance(png, str):
                png = base64.b64decode(png)
        except ValueError:
            png = b"?"
        if png is not None and (len(png) > self.pictures_left or not is_picture(png)):
            png = None
            text += "\n(a picture was left out: too large, or no PNG)"
        self.pictures_left -= len(png or b"")
        text, self.text_left = text[: self.text_left], max(0, self.text_left - len(text))
        self._append(Output(kind, text, png))

    def clear(self):
        self.outputs = []

    def _append(self, output):
        if self.outputs_left <= 0:
            self.dropped += 1
            return
        self.outputs_left -= 1
        self.outputs.append(output)


RECORDER = Recorder()


class _Stream(io.TextIOBase):
    """sys.stdout and sys.stderr of a child: no file behind them."""

    encoding = "utf-8"

    def __init__(self, kind):
        self.kind = kind

    def writable(self):
        return True

    def write(self, text: str):
        RECORDER.stream(self.kind, text)
        return len(text)


class _Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, source=None, **kwargs):
        RECORDER.show("display", data)

    def clear_output(self, wait: bool = False):
        RECORDER.clear()


class _Hook(DisplayHook):
    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict: dict, md_dict: dict | None = None):
        RECORDER.show("result", format_dict)

    def finish_displayhook(self):
        pass


class Shell(InteractiveShell):
    """IPython as a notebook has it, without a terminal, a history file, or a system shell."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)

    def _showtraceback(self, etype, evalue, stb):
        self.last_traceback = self.InteractiveTB.stb2text(stb)

    def enable_gui(self, gui: str | None = None):
        pass

    def ask_exit(self):
        pass

    def system(self, cmd: str):
        raise RuntimeError(NO_SHELL)

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0):
        raise RuntimeError(NO_SHELL)


def make_shell():
    """The one shell, as it is before a learner's first cell."""
    config = Config()
    config.HistoryManager.enabled = False
    # Python's own tracebacks: IPython's take 50 times as long
    shell = Shell.instance(config=config, colors="nocolor", xmode="Plain")
    sys.stdout, sys.stderr = _Stream("stdout"), _Stream("stderr")
    shell.enable_matplotlib("inline")
    return shell


def run_cell(shell: Shell, source: str, limits: dict):
    """Run one cell as a notebook would, and record what it shows and how it ends."""
    shell.last_traceback = ""
    for name in ("stdout", "stderr"):
        # a cell took it away: IPython would end at it, in every cell from here on
        if not hasattr(getattr(sys, name, None), "flush"):
            setattr(sys, name, _Stream(name))
    RECORDER.start(limits)
    try:
        result = shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
    finally:
        outputs, dropped = RECORDER.finish()
    if error is None:
        return Outcome(None, outputs, dropped)
    seen = question.raised(error)
    text = seen.text
    if isinstance(error, SyntaxError) and isinstance(error.msg, str):
        text = error.msg  # without the name of the cell's file
    cap = limits["traceback_kb"] << 10
    trace = shell.last_traceback
    if len(trace) > cap:  # the beginning says where, the end says what
        trace = f"{trace[: cap // 2]}\n…\n{trace[-cap // 2 :]}"
    return Outcome(CellError(seen.type, text, seen.line, seen.source, trace), outputs, dropped)


def ask(shell: Shell, header: dict, payload: bytes):
    """Put one question to the object bound to a name: header and payload of the reply."""
    name, parameters, gradient = header["name"], header["parameters"], header["gradient"]
    if name not in shell.user_ns:
        return "absent", *wire.encode_absent(Absent())
    target = shell.user_ns[name]
    if not callable(target):
        return "absent", *wire.encode_absent(Absent(type(target).__name__))
    result = question.run(
        target, wire.decode_call(header["call"], payload), parameters, gradient, forbidden=header["forbidden"]
    )
    try:
        return "result", *wire.encode_result(result)
    except wire.TooLarge as error:
        raised = question.Raised("ValueError", f"the result is too large to be compared: {error}")
        return "result", *wire.encode_result(question.Result(raised=raised))


def serve(sock: socket.socket, shell: Shell, limits: dict, walls: bool):
    """Answer requests until the peer is gone."""
    number = 0
    while True:
        try:
            header, payload = wire.receive(sock)
        except wire.Closed:
            return
        number += 1
        if header["op"] == "cell":
            reply = "cell"
            tree, data = wire.encode_outcome(run_cell(shell, header["source"], limits))
        else:
            if walls:
                end_others()
            try:
                reply, tree, data = ask(shell, header, payload)
            except KeyboardInterrupt as error:  # an answer that raises it; nobody else does here
                reply = "result"
                tree, data = wire.encode_result(question.Result(raised=question.raised(error)))
        wire.send(sock, {"reply": reply, "number": number, "tree": tree}, data)


def end_others():
    """End what earlier cells forked: in another process a function that is forbidden to the answer would not
    be refused."""
    try:
        # all that belong to this user, but for this process and the first of the jail
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:  # there are none
        pass


def leave_no_trace(*keep):
    """Close every file but `keep`."""
    folder = "/dev/fd"
    if os.path.isdir("/proc/self/fd"):
        folder = "/proc/self/fd"
    for fd in map(int, os.listdir(folder)):
        if fd not in keep:
            try:
                os.close(fd)
            except OSError:  # the listing's own
                pass
