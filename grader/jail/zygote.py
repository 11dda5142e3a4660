"""Inside: the first process of a jail. It imports what lessons use, warms it up, and forks one child after the other.

    zygote.py '{"control": fd, "box": folder, "walls": bool, "uids": [first, count] or null, "limits": {…},
    "filter": hex}'

Over `control` come b"S" with a socket (fork a child that serves it), b"K" (end the child), and, between
children, a key of FURTHER (warm that up as well); back go lines of JSON: one when warm, then one for each
child when nothing is left of it, and for each further warm-up. An end of file means: leave, and take
everything along.
"""

import os

os.environ.update(
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    MKL_NUM_THREADS="1",  # before the first import of numpy:
    MPLBACKEND="module://matplotlib_inline.backend_inline",
)  # a second thread would hang the children
import ctypes
import gc
import json
import random
import resource
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.jail.child import Shell

COURSE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LINUX = sys.platform == "linux"
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, FILTER = 4, 22, 36, 2
INSTRUCTION = 8  # bytes of one instruction of a filter
WATCH_SECONDS = 0.1
WARM_CELL = """
import math, numpy, torch
import matplotlib.pyplot as plt
from torch import nn
from torch.nn import functional as F
from grader import check, ready
from grader.figures import LINE, show
model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
x, y = torch.randn(5, 4), torch.tensor([0, 1, 0, 1, 0])
F.cross_entropy(model(x), y).backward()
plt.plot([1, 2], label=r"$x^2$"); plt.legend(); show("a figure")
plt.imshow([[1, 2], [3, 4]]); plt.scatter([1], [2]); plt.show()
print(f"{torch.randn(2)}")
model
"""
# What only some notebooks use, and takes a second each: touched when the first of them is to run. The command
# -> its cell.
FURTHER = {
    b"s": """
import sklearn.datasets
for load in ("load_breast_cancer", "load_iris", "load_digits"): getattr(sklearn.datasets, load)()
sklearn.datasets.make_moons()
""",
    b"o": """
import torch
weights = torch.ones(3, requires_grad=True)
optimizer = torch.optim.Adam([weights])
for step in range(2):
    optimizer.zero_grad(); weights.sum().backward(); optimizer.step()
torch.optim.SGD([weights], lr=0.1, momentum=0.9).step()
""",
}
WARM_CAPS = {"output_kb": 100, "figures_kb": 4096, "outputs": 60, "traceback_kb": 8}
WARM_ERROR = "def f(x):\n    return x / 0\nf(1)"


def warm_up():
    """Touch what a lesson touches, so that no child pays for it. Returns the shell, as good as new."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    import matplotlib
    import numpy
    from safetensors.torch import load, save

    from grader.jail import child
    from grader.judging import kernels, question, wire

    # where a title goes by default, without measuring everything around it first: a quarter of a figure's time
    matplotlib.rcParams["axes.titley"] = 1.0

    kernels.named()
    shell = child.make_shell()
    for source, fails in ((WARM_CELL, False), (WARM_ERROR, True), ("1 +", True)):
        outcome = child.run_cell(shell, source, WARM_CAPS)
        if (outcome.error is not None) != fails:
            raise RuntimeError(f"the warm-up went wrong: {outcome.error}")
    wire.encode_outcome(outcome)
    tensor = torch.linspace(0.1, 0.9, 3, dtype=torch.float64)
    result = question.run(lambda p: -p.log().mean(), question.Call((tensor,)), ["p"], ["p"])
    wire.decode_result(*wire.encode_result(result))
    wire.decode_call(*wire.encode_call(question.Call((tensor,))))
    load(save({"t": tensor}))
    torch.manual_seed(0), numpy.random.seed(0)
    shell.reset(new_session=True)
    return shell


def warm_further(shell: "Shell", source: str, s: dict):
    """Touch one more thing that notebooks use, for all children from here on."""
    from grader.jail import child

    outcome = child.run_cell(shell, source, WARM_CAPS)
    if outcome.error is not None:
        raise RuntimeError(f"the warm-up went wrong: {outcome.error}")
    shell.reset(new_session=True)
    empty(s["box"])
    furnish(s["box"])
    settle(s)


def settle(s: dict) -> int:
    """Make what is there now the ground that children stand on: not the collector's business, and no child's
    own memory.

    Returns the number of threads. Raises RuntimeError where there is more than one: children would hang in
    the locks of the others.
    """
    threads = 1
    if LINUX:
        threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(
            f"{threads} threads after the warm-up: children would hang in the locks of the others"
        )
    gc.collect()
    gc.freeze()  # nothing that is there now is visited by the collector, and so copied, in a child
    s["baseline"] = s["private"] = 0
    if LINUX:
        with open("/proc/self/statm") as file:
            s["baseline"] = int(file.read().split()[0]) * resource.getpagesize()
        s["private"] = private("self")
    return threads


def fork_child(number: int, sock: socket.socket, shell: "Shell", s: dict):
    """The child's life: give up everything, then serve."""
    from grader.jail import child

    box, uids, limits = s["box"], s["uids"], s["limits"]
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    child.leave_no_trace(0, 1, 2, sock.fileno())
    set_limits(limits, s["walls"], s["baseline"])
    if uids:  # RLIMIT_NPROC does not bind root, and a uid of its own cannot signal the zygote
        uid = uids[0] + number % uids[1]
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    os.chdir(f"{box}/work")
    os.environ.update(HOME=f"{box}/work", TMPDIR=f"{box}/tmp", MPLCONFIGDIR=f"{box}/tmp")
    reseed()
    if s["filter"]:
        deny(bytes.fromhex(s["filter"]))
    from grader.judging import wire

    wire.send(sock, {"reply": "ready", "number": 0, "tree": {}})
    child.serve(sock, shell, limits, s["walls"])


class _Filter(ctypes.Structure):
    """A filter of system calls as `prctl` takes it."""

    _fields_ = [("instructions", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def deny(code: bytes):
    """Put a filter of system calls over this process and all that it will fork, for good."""
    held = _Filter(len(code) // INSTRUCTION, code)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(held), 0, 0):
        raise OSError(ctypes.get_errno(), "no filter of system calls")


def reseed():
    """Children must not draw the same numbers as each other."""
    import numpy
    import torch

    random.seed()
    numpy.random.seed()
    torch.seed()


def set_limits(limits: dict, walls: bool, baseline: int):
    wanted = {
        "FSIZE": limits["disk_mb"] << 20,
        "NOFILE": limits["open_files"],
        "CORE": 0,
        "CPU": limits["cpu_seconds"],
        "MEMLOCK": 1 << 16,
        "MSGQUEUE": 0,
    }
    if baseline:
        wanted["AS"] = baseline + (limits["memory_mb"] << 20)
    if walls:  # without walls it would count every process of the teacher
        wanted["NPROC"] = limits["processes"]
    for name, value in wanted.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            try:
                resource.setrlimit(kind, (value, value))
            except (ValueError, OSError):  # macOS knows some of them only by name
                if walls:
                    raise


def supervise(pid: int, control: socket.socket, wake: socket.socket, s: dict):
    """Wait until a child ends, must end, or breaks a limit. Then end everything that is left of it."""
    why, status = "", None
    while status is None and not why:
        ready = select.select([control, wake], [], [], WATCH_SECONDS)[0]
        if wake in ready:
            wake.recv(4096)
        if control in ready:
            if not control.recv(1):
                end_all(pid, s)
                leave(s)
            why = "ended"
        while status is None:
            found, code = reap(os.WNOHANG)
            if found == pid:
                status = os.waitstatus_to_exitcode(code)
            if not found:
                break
        if status is None and not why and s["walls"]:
            why = over(s["limits"], s["private"], s["box"])
    code = end_all(pid, s)
    return why or "died", code if status is None else status


def reap(flags: int = 0):
    try:
        return os.waitpid(-1, flags)
    except ChildProcessError:
        return 0, 0


def end_all(pid: int, s: dict):
    """Kill a child and everything that it left; the child's exit code, if it had not been waited for."""
    code = None
    while True:
        if s["walls"]:  # everything in this pid namespace but us
            _kill(os.kill, -1)
        else:
            _kill(os.kill, pid) if code is None else None
            _kill(os.killpg, pid)
            import psutil

            for process in psutil.Process().children(recursive=True):
                _kill(os.kill, process.pid)
        while True:
            found, status = reap()
            if found == pid:
                code = os.waitstatus_to_exitcode(status)
            if not found:
                break
        if s["walls"] and other_processes():
            continue
        return code


def _kill(how, pid):
    try:
        how(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def other_processes():
    """The other processes of this jail."""
    return [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]


def over(limits: dict, idle: int, box: str):
    """Which limit the child and its descendants break together: a second wall, where the kernel counts each
    alone or not at all."""
    used = count = 0
    for pid in other_processes():
        try:
            used += max(0, private(pid) - idle)
            count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:  # gone meanwhile
            pass
    if count > limits["processes"]:
        return "processes"
    if used > limits["memory_mb"] << 20:
        return "memory"
    if inodes(box) > limits["files"]:
        return "files"
    if sockets() > limits["sockets"]:
        return "sockets"
    return ""


def inodes(box: str):
    """How many files, folders and links there are in the box, whether they have names or not."""
    state = os.statvfs(box)
    return state.f_files - state.f_ffree


def sockets():
    """How many sockets there are in this jail, also those that are on their way through another."""
    with open("/proc/net/unix") as file:
        return sum(1 for _ in file) - 1


def private(pid: int | str):
    """Bytes that a process has for itself, or shares with another of its kind: everything that is not a file's."""
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return sum(
        int(lines[name].split()[0]) << 10 for name in ("RssAnon", "RssShmem", "VmSwap") if name in lines
    )


def empty(box: str):
    """Empty the box, whatever a child made of it. Is it empty?"""
    for name in os.listdir(box):
        path = f"{box}/{name}"
        try:
            # top-down: a folder that nobody may enter is opened before it is entered
            for folder, below, _ in os.walk(path):
                for each in below:
                    if not os.path.islink(f"{folder}/{each}"):
                        os.chmod(f"{folder}/{each}", stat.S_IRWXU)
            shutil.rmtree(path)
        except (OSError, RecursionError):  # nested deeper than Python goes; these two go as deep as it takes
            for tool in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
                subprocess.run(
                    [*tool, "--", path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
    return not os.listdir(box)


def furnish(box: str):
    """The work folder and the folder for temporary files, open to a child of any uid."""
    for name in ("work", "tmp"):
        os.mkdir(f"{box}/{name}")
        os.chmod(f"{box}/{name}", 0o777)


def leave(s: dict):
    if not s["walls"]:
        shutil.rmtree(os.path.dirname(s["box"]), ignore_errors=True)
    os._exit(0)


def _finds_grader(finder):
    """Is this what an editable install adds to find the real package? Without walls, it would."""
    return "grader" in getattr(sys.modules.get(getattr(finder, "__module__", "")), "MAPPING", ())


def prctl(option: int, value: int):
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main():
    s = json.loads(sys.argv[1])
    if LINUX:  # who starts this may be bounded: children have bounds of their own
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    sys.path.insert(0, COURSE)
    sys.meta_path[:] = [f for f in sys.meta_path if not _finds_grader(f)]
    control = socket.socket(fileno=s["control"])
    started = time.monotonic()
    os.chdir(s["box"])
    furnish(s["box"])
    os.environ.update(HOME=f"{s['box']}/work", TMPDIR=f"{s['box']}/tmp", MPLCONFIGDIR=f"{s['box']}/tmp")
    shell = warm_up()
    empty(s["box"])
    threads = settle(s)
    prctl(PR_SET_DUMPABLE, 0)  # a child of the same uid can neither read nor trace us
    prctl(PR_SET_CHILD_SUBREAPER, 1)  # without walls: daemons stay our descendants
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake, waker = socket.socketpair()
    wake.setblocking(False), waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    report = {
        "threads": threads,
        "frozen": gc.get_freeze_count(),
        "warm_seconds": round(time.monotonic() - started, 2),
        "private_mb": s["private"] >> 20,
    }
    say(control, report)
    number = 0
    while True:
        command, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not command:
            leave(s)
        if command in FURTHER:
            warm_further(shell, FURTHER[command], s)
            say(control, {"warm": command.decode()})
            continue
        if command != b"S":  # the end of a child that had ended by itself
            continue
        number += 1
        if not os.path.isdir(f"{s['box']}/work"):
            furnish(s["box"])
        sock = socket.socket(fileno=fds[0])
        pid = os.fork()
        if pid == 0:
            try:
                fork_child(number, sock, shell, s)
            finally:
                os._exit(0)  # no exit handler of the zygote's or of a learner's runs
        sock.close()
        why, code = supervise(pid, control, wake, s)
        clean = empty(s["box"])
        say(control, {"why": why, "code": code, "clean": clean})
        if clean:
            furnish(s["box"])  # now, so that the next child need not wait for it


def say(control: socket.socket, message: str):
    control.sendall(json.dumps(message).encode() + b"\n")


main()
