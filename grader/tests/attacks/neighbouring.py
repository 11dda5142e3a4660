"""What somebody with an account of their own on the same machine may try while a class is graded, as data.

Each probe is a program of that other user's. It knows FACTS about the run (its processes, what they listen on, the course's folder and
the temporary folder) and prints `OVER:` for whatever worked.
"""

from dataclasses import dataclass

PRELUDE = """
import os, signal, socket, sys
def climb(**ways):
    for name, way in ways.items():
        try: found = way()
        except BaseException as error: print("held:", name, type(error).__name__)
        else: print("OVER:", name, str(found)[:80])
def all_of(do, several):
    "Does one of them work? Then that is over; else the last refusal counts."
    refused = OSError("there is none")
    for each in several:
        try: return do(each)
        except OSError as error: refused = error
    raise refused
"""


@dataclass(frozen=True)
class Probe:
    """Something that a neighbour tries. `held` must be printed for each of its ways."""

    name: str
    code: str


PROBES = [
    Probe(
        "run a program through the run's scheduler",
        """
def run(address):
    from distributed import Client
    signal.alarm(20)  # a port that speaks something else keeps a client waiting
    with Client(address, timeout=5) as client:
        return "uid", client.run_on_scheduler(os.getuid)
def late(*_): raise OSError("no answer")
signal.signal(signal.SIGALRM, late)
climb(dask=lambda: all_of(run, [f"tcp://{host}:{port}" for host, port in sorted(FACTS["ports"], reverse=True)]))""",
    ),
    Probe(
        "connect to a port of the run",
        """
def connect(where):
    with socket.create_connection(tuple(where), timeout=3): return where
climb(port=lambda: all_of(connect, FACTS["ports"]))""",
    ),
    Probe(
        "connect to a socket with a name",
        """
def connect(name):
    with socket.socket(socket.AF_UNIX) as s: s.connect(name.replace("@", "\\0", 1) if name.startswith("@") else name)
climb(name=lambda: all_of(connect, FACTS["names"]))""",
    ),
    Probe(
        "read or trace its processes",
        """
def each(what): return lambda: all_of(what, FACTS["processes"])
def trace(pid):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) == -1: raise OSError(ctypes.get_errno(), "ptrace")
climb(memory=each(lambda pid: open(f"/proc/{pid}/mem", "rb")), environment=each(lambda pid: open(f"/proc/{pid}/environ").read()),
      files=each(lambda pid: os.listdir(f"/proc/{pid}/fd")), root=each(lambda pid: os.listdir(f"/proc/{pid}/root/")), trace=each(trace))""",
    ),
    Probe(
        "take a socket out of its processes",
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def take(pid):
    own = libc.syscall(434, pid, 0)
    for number in range(3, 30):
        if libc.syscall(438, own, number, 0) != -1: return number
    raise OSError(ctypes.get_errno(), "pidfd_getfd")
climb(socket=lambda: all_of(take, FACTS["processes"]))""",
    ),
    Probe(
        "stop or end its processes",
        """
climb(stop=lambda: all_of(lambda pid: os.kill(pid, signal.SIGSTOP), FACTS["processes"]),
      end=lambda: all_of(lambda pid: os.kill(pid, signal.SIGKILL), FACTS["processes"]))""",
    ),
    Probe(
        "read or write what it keeps for itself",
        """
climb(course=lambda: os.listdir(FACTS["course"]), gradebook=lambda: open(FACTS["course"] + "/gradebook.db", "rb"),
      temporary=lambda: all_of(os.listdir, FACTS["folders"]), lock=lambda: open(FACTS["course"] + "/autograded/.grading", "w"))""",
    ),
]
