"""A process of its own for all that a submission can make slow or large: reading, rebuilding, running,
judging, rendering.

The jail holds learners' code; an examiner holds the course's code that reads what learners wrote. It works
under one budget of time and of address space for a submission. Where that is used up the process is ended,
and the next submission gets a new one. It is reached through a pair of sockets that no other process can
open: no port, no name in a folder.

    with Examiner() as examiner:
        examiner.call(math.factorial, 5)      # 120, computed over there
"""

import contextlib
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from grader.jail.launch import JailError, launch
from grader.jail.limits import Limits
from grader.jail.memory import killed_for_memory

SECONDS = 120.0  # for one submission, unless the teacher says otherwise
MEMORY_MB = 3072  # address space above what the warm examiner has
START_SECONDS = 180  # until an examiner is warm: two interpreters import torch, one after the other
GRACE_SECONDS = 10  # after its time an examiner ends itself, should nobody end it
PR_SET_PDEATHSIG = 1
AHEAD, DONE, RAISED = "ahead", "done", "raised"  # what a message from over there is
PARENT = str(Path(__file__).resolve().parents[2])
SAYS = {  # how a submission used up its budget -> what is said about it
    "time": "It was not read, run and judged within {seconds:g} seconds.",
    "memory": "Reading and judging it takes more memory than it may.",
    "ended": "The process that judged it came to an end in the middle of it.",
    "machine": (
        "This machine ran out of memory while it was judged: grade with fewer `--jobs`, or on a larger "
        "machine, before anything is held against its author."
    ),
}


class OverBudget(Exception):
    """A submission used up its budget, or took its examiner along. `reason`: a key of SAYS; `says`: a
    sentence for the teacher.

    heard: what the call had told `ahead` by then, which holds all the same.
    """

    def __init__(self, reason: str, seconds: float = SECONDS, heard: Sequence = ()):
        self.reason, self.heard = reason, list(heard)
        self.says = SAYS[reason].format(seconds=seconds)
        super().__init__(reason, seconds, self.heard)

    def __str__(self):
        return self.says


class Examiner:
    """One process with a jail in it that does one thing at a time. It starts when it is first needed, and
    again after it was ended."""

    def __init__(
        self,
        prepare: str = "",
        *,
        trust: bool = False,
        limits: Limits | None = None,
        memory_mb: int = MEMORY_MB,
    ):
        """prepare: the dotted name of a function that is called once over there, before the first
        submission's clock runs: it imports and reads what all of them need, while the jail warms up."""
        self._settings = {
            "prepare": prepare,
            "trust": trust,
            "limits": asdict(limits or Limits()),
            "memory_mb": memory_mb,
        }
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._process: subprocess.Popen | None = None
        self._is_warm = False
        self._connection: Connection

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self) -> int | None:
        """The number of its process, while there is one."""
        if self._process is None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Warm it up, if it is not warm. Raises JailError where its jail cannot be built."""
        with self._lock:
            self._started()

    def call(self, function: Callable | str, *args, seconds: float = SECONDS):
        """What `function(*args)` gives over there. `{jail}` among the arguments stands for the examiner's own jail.

        A function that takes long to import is named, `package.module.function`. Function, arguments and
        result travel pickled: both ends are the course's own code. An exception is raised here again. What it
        tells `ahead` is kept for whoever hears that it was not done. Raises OverBudget when it is not done in
        time, or needs more memory than it may; JailError when there is no jail.
        """
        with self._lock:
            connection = self._started()
            before = killed_for_memory()
            heard: list = []
            end = time.monotonic() + seconds
            try:
                connection.send((function, args, seconds))
                kind: str = AHEAD
                value: Any = None
                while kind == AHEAD:
                    if not connection.poll(max(0.0, end - time.monotonic())):
                        self._kill()
                        raise OverBudget("time", seconds, heard)
                    kind, value = connection.recv()
                    if kind == AHEAD:
                        heard.append(value)
            except (EOFError, OSError):
                self._kill()
                reason = "ended"
                if killed_for_memory() > before:
                    reason = "machine"
                raise OverBudget(reason, seconds, heard) from None
            if kind == DONE:
                return value
            if isinstance(value, MemoryError):
                self._kill()  # nobody knows what it left half done
                raise OverBudget("memory", seconds, heard)
            if isinstance(value, OverBudget):
                raise OverBudget(value.reason, seconds, heard)
            raise value

    def close(self) -> None:
        """End it: at once when it is busy or still starting, and gently when it is not."""
        if self._process is None or os.getpid() != self._owner:
            return
        self._connection.close()
        if self._is_warm:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(3)
        self._kill()

    def end(self) -> None:
        """End it at once, also while another thread waits for it: what that waits for is then over budget."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _kill(self):
        process, self._process = self._process, None
        self._connection.close()
        if process is not None:
            process.kill()
            process.wait()

    def begin(self) -> None:
        """Start it, and do not wait until it is warm."""
        with self._lock:
            self._begun()

    def _begun(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "grader.classroom.examiner", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the coordinator alone
                env=os.environ | {"PYTHONPATH": _path(), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )
        self._connection = Connection(ours.detach())
        self._is_warm = False
        with contextlib.suppress(OSError):  # what ended it is found when somebody waits for it
            self._connection.send(self._settings)

    def _started(self) -> Connection:
        """The way to a warm process."""
        self._begun()
        if self._is_warm:
            return self._connection
        try:
            warm = self._connection.poll(START_SECONDS)
            if warm:
                said = self._connection.recv()
            else:
                said = f"It was not warm within {START_SECONDS} seconds."
        except (EOFError, OSError):
            said = "Its process ended while it started."
        if said:
            self._kill()
            raise JailError(said)
        self._is_warm = True
        return self._connection


def _path():
    """Where the examiner finds this very package first."""
    return os.pathsep.join(filter(None, [PARENT, os.environ.get("PYTHONPATH", "")]))


# ---------------------------------------------------------------- over there


def serve(connection: Connection) -> None:
    """The life of an examiner: a jail, then one call after the other until nobody is there any more."""
    settings = connection.recv()
    limits, trust = Limits(**settings["limits"]), settings["trust"]
    try:
        launched = launch(limits, trust=trust)
        # while the jail imports torch behind its walls, it is imported here
        from grader.jail.jail import Jail

        if settings["prepare"]:
            pkgutil.resolve_name(settings["prepare"])()
        jail = Jail(limits, trust=trust, launched=launched)
        jail.__enter__()
    except JailError as error:
        connection.send(str(error))
        return
    bound_memory(settings["memory_mb"])
    _waiting.append(connection)
    connection.send("")
    with contextlib.suppress(EOFError, OSError), jail:
        while True:
            function, args, seconds = connection.recv()
            _alarm(seconds + GRACE_SECONDS)
            connection.send(_done(function, [jail if a == "{jail}" else a for a in args]))
            _alarm(0)


_waiting: list[Connection] = []  # over there: the way to whoever waits for the call


def ahead(value: object) -> None:
    """Tell whoever waits for this call something that holds even where the call is ended before it is done;
    else nobody hears it."""
    for connection in _waiting:
        connection.send((AHEAD, value))


def _done(function, args):
    try:
        if isinstance(function, str):
            function = pkgutil.resolve_name(function)
        return DONE, function(*args)
    except Exception as error:
        return RAISED, MemoryError() if out_of_memory(error) else error


def out_of_memory(error: BaseException) -> bool:
    """Does an exception say that the address space is used up? torch says it in words only."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("can't allocate memory" in str(error) or "bad_alloc" in str(error))
    )


def bound_memory(megabytes: int) -> None:
    """Bound this process's address space. Softly: what it starts, as a new jail, may lift its own bound."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):  # neither macOS nor Windows grades behind walls
        return
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _alarm(seconds):
    """End this process by the kernel's own clock, whatever it is busy with."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _end_with_parent():
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    _end_with_parent()
    from grader.classroom import examiner  # under its real name, so that its exceptions are the same classes

    examiner.serve(Connection(int(sys.argv[1])))
