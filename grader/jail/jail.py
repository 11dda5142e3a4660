"""Outside: start a jail, fork children in it, run cells and put questions to them. What arrives is checked,
never believed."""

import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from grader.jail.launch import JailError, Launched, launch
from grader.jail.limits import Limits
from grader.jail.memory import killed_for_memory
from grader.judging import wire
from grader.judging.outcome import CellError, Outcome

if TYPE_CHECKING:
    from grader.judging.question import Call


LOG = logging.getLogger(__name__)

# What only some notebooks use, and takes a second to import: a word that stands in those -> the zygote's
# command that warms it up.
FURTHER = {"sklearn": b"s", "optim": b"o"}

DIED = {  # why a child is gone -> what to tell its author
    "died": "The interpreter ended in the middle of it: an exit, or a crash in compiled code.",
    "deadline": "It did not come to an end in the time that it has.",
    "protocol": "It interfered with the way that answers travel to the grader.",
    "memory": "It used more memory than it may.",
    "files": "It made more files than it may.",
    "sockets": "It opened more sockets than it may.",
    "machine": "The whole machine ran out of memory, and ended it for that: it says nothing about the answer.",
    "processes": "It started more processes or threads than it may.",
    "jail": "The jail itself broke down around it.",
}


class ChildDied(Exception):
    """A child is gone, and what it knew with it. `reason`: a key of DIED; `detail`: more for the teacher's
    eye, plain text."""

    def __init__(self, reason, detail=""):
        super().__init__(DIED[reason] + (f" ({detail})" if detail else ""))
        self.reason, self.detail, self.says = reason, detail, DIED[reason]


class Jail:
    """One warm interpreter that forks a child a submission, one at a time. Use it as a context manager.

    trust: no walls, for submissions that are trusted like own code. A jail that breaks down starts itself
    again and says so, in `notes` and in the log. On Linux it ends with the thread that started it.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        trust: bool = False,
        user: bool = False,
        launched: Launched | None = None,
    ):
        """user: as root, build the walls that an ordinary user gets; launched: a zygote that is on its way already."""
        self._launched = launched
        self.limits, self.trust = limits or Limits(), trust
        self.notes: list[str] = []
        self.report: dict = {}
        self._user, self._owner, self._process = user, os.getpid(), None
        self._child: Child | None = None

    def __enter__(self):
        if self._process is None:
            self._start()
        return self

    def __exit__(self, *_):
        self.close()

    def child(self, text: str = ""):
        """A new child, ready to work. Use it as a context manager; there is one at a time.

        text: of the cells that it will run. What they use is imported before, once for all children.
        """
        if self._child is not None:
            raise RuntimeError("a jail has one child at a time: end the other one first")
        self._killed = killed_for_memory()
        for _ in range(2):
            if self._process is not None and self._process.poll() is not None:
                self._broke("ended")
            if self._process is None:
                self._start()
            try:
                self._warm_for(text)
                self._child = Child(self)
                return self._child
            except (wire.WireError, ChildDied, OSError) as error:
                self._broke(f"forked no child ({error})")
        raise JailError("The jail was started twice and forked no child. `./course doctor` says more.")

    def close(self):
        """End everything. A closed jail starts again when a child is asked for."""
        process, child, self._process, self._child = self._process, self._child, None, None
        if child is not None:
            child._gone(ChildDied("jail", "it was closed"))
        if process is None or os.getpid() != self._owner:  # a fork of the owner has nothing to end
            return
        self._control.close()  # the zygote takes its child along and leaves
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._errors.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __del__(self):
        try:
            self.close()
        except Exception:  # while the interpreter shuts down
            pass

    def _broke(self, why):
        """Give up this zygote, with all that is in it: the next child gets another."""
        self.notes.append(f"The jail {why}, and was started again.")
        LOG.warning("the jail %s; it is started again", why)
        self.close()

    def _start(self):
        """Start the zygote, and wait until it is warm."""
        launched, self._launched = self._launched, None
        if launched is None:
            launched = launch(self.limits, trust=self.trust, user=self._user)
        self._process, self._control = launched.process, launched.control
        self._errors, self._folder, self._lines = launched.errors, launched.folder, b""
        self._warmed: set[str] = set()
        try:
            self.report = self._line(self.limits.start_seconds) | launched.report
        except ChildDied as error:
            self._errors.seek(0)
            said = self._errors.read()[-1000:].decode(errors="replace").strip()
            self.close()
            raise JailError(
                f"The warm interpreter does not start: {said or error}\n`./course doctor` says more."
            ) from None

    def _warm_for(self, text):
        """Have the zygote import what a text uses, and has not been imported yet."""
        for word, command in FURTHER.items():
            if word in text and word not in self._warmed:
                self._control.sendall(command)
                self._line(self.limits.start_seconds)
                self._warmed.add(word)

    def _line(self, seconds):
        """The next line that the zygote says."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._control], [], [], left)[0]:
                raise ChildDied("jail", f"no word from the jail in {seconds} seconds")
            try:
                more = self._control.recv(4096)
            except OSError:
                more = b""
            if not more or len(self._lines) > 1 << 16:
                raise ChildDied("jail", "it ended")
            self._lines += more
        line, _, self._lines = self._lines.partition(b"\n")
        return json.loads(line)

    def _over(self):
        """End the child: kill it, wait until nothing is left. Why it had ended: (a key of DIED or "ended",
        its exit code)."""
        self._child = None
        try:
            self._control.sendall(b"K")
            ended = self._line(self.limits.end_seconds)
            clean, why, code = ended["clean"], ended["why"], ended["code"]
        except (ChildDied, OSError, ValueError, KeyError, TypeError) as error:
            self._broke(f"broke down while a child ended ({error})")
            return "machine" if killed_for_memory() > self._killed else "jail", None
        if not clean:
            self._broke("could not empty the folder of a child")
        return why, code


class Child:
    """A forked interpreter. Every call ends by its deadline (in seconds, for the whole call) or raises ChildDied."""

    def __init__(self, jail):
        self._jail, self._number, self.death = jail, 0, None
        self._last = time.monotonic() + jail.limits.child_seconds
        self._sock, inner = socket.socketpair()
        try:
            socket.send_fds(jail._control, [b"S"], [inner.fileno()])
            inner.close()
            self._receive(("ready",), time.monotonic() + jail.limits.ready_seconds)
        except BaseException:
            self._sock.close()
            raise
        finally:
            inner.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def run_cell(self, source: str, deadline: float | None = None):
        """Run a cell as a notebook would: an Outcome, with its error, and its outputs in their order."""
        header = {"op": "cell", "source": source}
        try:
            _, tree, payload = self._request(
                header, b"", ("cell",), deadline or self._jail.limits.cell_seconds
            )
        except wire.TooLarge as error:
            return Outcome(CellError("ValueError", f"The cell is too large to be run: {error}."))
        return self._checked(wire.decode_outcome, tree, payload)

    def ask(
        self,
        name: str,
        parameters: Iterable[str],
        question: "Call",
        gradient: tuple = (),
        deadline: float | None = None,
        forbidden: Iterable[str] = (),
    ):
        """Put a Call to what is bound to `name`: a Result, or Absent where that is nothing, or nothing that
        can be called."""
        tree, payload = wire.encode_call(question)
        header = {
            "op": "ask",
            "name": name,
            "parameters": list(parameters),
            "gradient": list(gradient),
            "forbidden": sorted(forbidden),
            "call": tree,
        }
        reply, tree, payload = self._request(
            header, payload, ("result", "absent"), deadline or self._jail.limits.question_seconds
        )
        return self._checked(wire.decode_absent if reply == "absent" else wire.decode_result, tree, payload)

    def end(self):
        """End it, and everything that it left. Doing it twice does no harm."""
        if self.death is None:
            self._gone(ChildDied("died", "it was ended"))
            self._jail._over()

    def _request(self, header, payload, replies, seconds):
        if self.death is not None:
            raise ChildDied(self.death.reason, self.death.detail)
        deadline = min(time.monotonic() + seconds, self._last)
        try:
            wire.silent(self._sock)
            wire.send(self._sock, header, payload, deadline)
            self._number += 1
            return self._receive(replies, deadline)
        except wire.TooLarge:  # ours, and not sent
            raise
        except wire.WireError as error:
            raise self._broken(error) from None

    def _receive(self, replies, deadline):
        header, payload = wire.receive(self._sock, deadline)
        reply, number, tree = wire.fields(header, ("reply", "number", "tree"), "reply")
        if reply not in replies or type(number) is not int or number != self._number:
            raise wire.WireError(
                f"the reply {str(reply)[:20]!r}, number {str(number)[:20]}, to request {self._number}"
            )
        return reply, tree, payload

    def _checked(self, decode, tree, payload):
        try:
            return decode(tree, payload)
        except wire.WireError as error:
            raise self._broken(error) from None

    def _broken(self, error):
        """End the child, and find out why it is gone."""
        self._sock.close()
        why, code = self._jail._over()
        if isinstance(error, wire.Late):
            death = ChildDied("deadline")
        elif not isinstance(error, wire.Closed):
            death = ChildDied("protocol", str(error))
        elif code == -signal.SIGKILL and killed_for_memory() > self._jail._killed:
            death = ChildDied("machine")
        else:
            how = ""
            if code is not None:
                if code < 0:
                    how = f"signal {-code}"
                else:
                    how = f"exit code {code}"
            death = ChildDied(why if why in DIED else "died", how)
        self._gone(death)
        return death

    def _gone(self, death):
        self._sock.close()
        self.death = death
