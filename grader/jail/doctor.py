"""Which walls hold on this machine: found out by trying to climb them, from inside, with everything that a
learner has."""

import contextlib
import importlib.util
import os
import secrets
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from grader.jail import walls as building
from grader.jail.jail import ChildDied, Jail
from grader.jail.launch import walls as walls
from grader.jail.limits import Limits

LIMITS = Limits(memory_mb=512, processes=16, cell_seconds=10)
ANY = ("died", "deadline", "protocol", "memory", "processes")

# Learner's code in all attempts: `over` for what must not have worked, `held` for what was refused.
PRELUDE = """
import ctypes, mmap, os, platform, resource, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    if getattr(libc, name)(*args) == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def system_call(numbers, *args):
    if libc.syscall(numbers[platform.machine()], *args) == -1: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def climb(**ways):
    for name, way in ways.items():
        try: way()
        except BaseException as error: print("held:", name, type(error).__name__)
        else: print("OVER:", name)
"""


@dataclass(frozen=True)
class Attempt:
    """Something that a learner's code may try. It is held when the code printed no OVER, or the child ended
    in one of `ends`.

    before: code for another child, that has ended when this one begins.
    """

    name: str
    code: str
    ends: tuple = ()
    seconds: float = 10
    before: str = ""


@dataclass(frozen=True)
class Row:
    """How one attempt to climb a wall went. `seen`: what was met, or found open."""

    attempt: str
    held: bool
    seen: str


ATTEMPTS = [
    Attempt(
        "reach a server on this machine",
        """
def connect(family, address):
    s = socket.socket(family); s.settimeout(2); s.connect(address)
climb(tcp=lambda: connect(socket.AF_INET, ("127.0.0.1", FACTS["port"])), abstract=lambda: connect(socket.AF_UNIX, FACTS["abstract"]),
      file=lambda: connect(socket.AF_UNIX, FACTS["socket"]))""",
    ),
    Attempt(
        "find another network",
        """
names = [line.split(":")[0].strip() for line in open("/proc/net/dev").read().splitlines()[2:]]
print("held: only", names) if names in (["lo"], []) else print("OVER:", names)
climb(packet=lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))""",
    ),
    Attempt(
        "read this machine's files",
        """
def names(folder):
    found = [f"{folder}/{n}" for n in os.listdir(folder) if f"{folder}/{n}" not in FACTS["ways"]]
    if not found: raise OSError("nothing but the way to Python")
for path in FACTS["files"]: climb(**{path: lambda: open(path, "rb").read(1)})
for path in FACTS["folders"]: climb(**{path: lambda: names(path)})""",
    ),
    Attempt(
        "read the course's solutions and references",
        """
import importlib
def names(folder):
    if not os.listdir(folder): raise OSError("empty")
for path in FACTS["course_folders"]: climb(**{path: lambda: names(path)})
for path in FACTS["course_files"]: climb(**{path: lambda: open(path, "rb").read(1)})
for name in FACTS["modules"]: climb(**{name: lambda: importlib.import_module(name)})""",
    ),
    Attempt(
        "watch others' files, look at a peer, overtake what was said",
        """
a, b = socket.socketpair()
climb(inotify=lambda: call("inotify_init1", 0), old_inotify=lambda: call("inotify_init"), peer=lambda: a.getsockopt(1, 77),
      ahead=lambda: a.send(b"!", socket.MSG_OOB), ahead_message=lambda: a.sendmsg([b"!"], [], socket.MSG_OOB))""",
    ),
    Attempt(
        "read the teacher's environment",
        """
def known(pid):
    try: return FACTS["marker"] in open(f"/proc/{pid}/environ", errors="replace").read()
    except OSError: return False
found = [p for p in os.listdir("/proc") if p.isdigit() and known(p)]
print("OVER:", found) if found or FACTS["marker"] in "".join(os.environ) else print("held: nothing of it")""",
    ),
    Attempt(
        "use an open file of the teacher's or of the first process",
        """
kinds = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")]
odd = [k for k in kinds if k != "/dev/null" and not k.startswith(("/proc/", "socket:"))]
sockets = [k for k in kinds if k.startswith("socket:")]
print("OVER:", odd, sockets) if odd or len(sockets) > 1 else print("held:", len(kinds), "files, one of them the way to the grader")""",
    ),
    Attempt(
        "read or trace the first process",
        """
climb(memory=lambda: open("/proc/1/mem", "rb").read(1), maps=lambda: open("/proc/1/maps").read(1) or 1 / 0, files=lambda: os.readlink("/proc/1/fd/0"),
      root=lambda: os.listdir("/proc/1/root/"), environ=lambda: open("/proc/1/environ").read(1) or 1 / 0,
      attach=lambda: call("ptrace", 16, 1, 0, 0), seize=lambda: call("ptrace", 0x4206, 1, 0, 0))""",
    ),
    Attempt(
        "stop, starve or kill the first process",
        """
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGSTOP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGKILL):
    for pid in (1, os.getppid()):
        try: os.kill(pid, number)
        except OSError as error: pass
climb(processor=lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)), files=lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3)))
time.sleep(0.3)
print("held: still here")""",
    ),
    Attempt(
        "see what another child left: files, processes, shared memory, keys",
        """
left = [f"{d}/{n}" for d in ("/box/work", "/box/tmp", "/dev/shm", "/var/tmp") if os.path.isdir(d) for n in os.listdir(d)]
pids = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
print("OVER:", left, pids) if left or pids else print("held: nothing there")
climb(memory=lambda: system_call({"x86_64": 29, "aarch64": 194}, 4242, 0, 0),
      queue=lambda: system_call({"x86_64": 68, "aarch64": 186}, 4242, 0),
      key=lambda: system_call({"x86_64": 249, "aarch64": 218}, b"user", b"note", None, -4))""",
        before="""
for d in ("/box/tmp", "/box/work", "/dev/shm"):
    try: open(f"{d}/note", "w").write("from a child")
    except OSError: pass
os.makedirs("deep/" * 500); os.chmod("deep", 0)
for number in ({"x86_64": 29, "aarch64": 194}, 4242, 4096, 0o1666), ({"x86_64": 68, "aarch64": 186}, 4242, 0o1666), (
        {"x86_64": 248, "aarch64": 217}, b"user", b"note", b"from a child", 12, -4):
    try: system_call(*number)
    except OSError: pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        while True: time.sleep(1)
    os._exit(0)
os.wait()""",
    ),
    Attempt(
        "write outside the work folder",
        """
import site, tempfile
places = ["/", "/etc", "/usr", "/usr/bin", "/course", "/course/grader", "/dev", "/dev/shm", "/proc/sys/kernel", "/var", sys.prefix,
          *site.getsitepackages(), *sys.path]
for place in places:
    try: open(f"{place}/climbed", "w").close()
    except OSError: continue
    print("OVER:", place)
climb(core=lambda: open("/proc/sys/kernel/core_pattern", "w"), trigger=lambda: open("/proc/sysrq-trigger", "w"))
open("mine", "w").write("fine"); tempfile.TemporaryFile().write(b"fine")
print("held: only the work folder and /tmp")""",
    ),
    Attempt(
        "gain privileges",
        """
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
good = status["NoNewPrivs"].strip() == "1" and int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0 and os.getuid() != 0
print("held:" if good else "OVER:", "uid", os.getuid(), "capabilities", status["CapEff"].strip())
climb(uid=lambda: os.setuid(0), group=lambda: os.setgroups([0]), limits=lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))""",
    ),
    Attempt(
        "make namespaces and mount",
        """
climb(user=lambda: call("unshare", 0x10000000), cloned=lambda: system_call({"x86_64": 56, "aarch64": 220}, 0x10000000 | 17, 0, 0, 0, 0)
      and os._exit(0), mount=lambda: call("mount", b"tmpfs", b"/box/tmp", b"tmpfs", 0, None), chroot=lambda: os.chroot("/box"),
      keys=lambda: system_call({"x86_64": 250, "aarch64": 219}, 0, -3, 1), bpf=lambda: system_call({"x86_64": 321, "aarch64": 280}, 0, 0, 0))""",
        ends=("protocol",),
    ),
    Attempt(
        "fork without end",
        """
n = 0
try:
    while n < 2000:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        n += 1
except OSError as error: print("held: after", n, type(error).__name__)
else: print("OVER:", n)""",
        ends=("processes",),
    ),
    Attempt(
        "fork without end, in every fork",
        "while True:\n    try: os.fork()\n    except OSError: pass",
        ends=ANY,
        seconds=2,
    ),
    Attempt(
        "take all memory at once",
        """
import numpy
climb(pages=lambda: numpy.ones(2 << 30), shared=lambda: mmap.mmap(-1, 8 << 30), file=lambda: os.memfd_create("m"))""",
    ),
    Attempt(
        "take all memory little by little, in many processes",
        """
for _ in range(8):
    if os.fork() == 0:
        kept = [bytearray(os.urandom(1) * (8 << 20)) for _ in range(24)]; time.sleep(60); os._exit(0)
time.sleep(5)
print("OVER: 1.5 GB")""",
        ends=("memory",),
    ),
    Attempt(
        "take all memory in shared pages, in many processes",
        """
for _ in range(8):
    if os.fork() == 0:
        kept = mmap.mmap(-1, 192 << 20)
        for at in range(0, 192 << 20, 4096): kept[at] = 1
        time.sleep(60); os._exit(0)
time.sleep(5)
print("OVER: 1.5 GB")""",
        ends=("memory",),
    ),
    Attempt(
        "fill the disk",
        """
sizes = 0
for folder in (".", "/box/tmp"):
    for i in range(12):
        try:
            with open(f"{folder}/{i}", "wb", buffering=0) as f:
                while True: sizes += f.write(bytes(1 << 20))
        except OSError as error: pass
print("OVER:" if sizes > FACTS["disk"] else "held: at", sizes >> 20, "MB")""",
    ),
    Attempt(
        "make files without end",
        """
n = 0
while True: open(str(n), "w").close(); n += 1""",
        ends=("deadline", "files"),
        seconds=5,
    ),
    Attempt(
        "loop for ever, deaf to signals",
        """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass""",
        ends=("deadline",),
        seconds=1,
    ),
    Attempt("leave at once", "os._exit(0)", ends=("died",)),
    Attempt("crash", "ctypes.string_at(0)", ends=("died",)),
    Attempt(
        "overflow the stack",
        "def f(): f()\nsys.setrecursionlimit(10**9)\nf()\nprint('held')",
        ends=("died", "memory"),
        seconds=10,
    ),
    Attempt(
        "flood the output",
        """
print("held: capped")
for _ in range(300): print("x" * 1_000_000); os.write(1, b"x" * 65536)
from IPython.display import display
for _ in range(3000): display("x" * 1000)""",
        ends=("deadline",),
        seconds=5,
    ),
    Attempt(
        "answer before the question",
        """
for n in map(int, os.listdir("/proc/self/fd")):
    try: socket.socket(fileno=os.dup(n)).send(b"GRD1" + bytes(200))
    except OSError: pass
print("OVER: the forged frame was taken")""",
        ends=("protocol",),
    ),
]


def climb(user: bool = False, attempts=None):
    """Try every attempt in a child of its own; yields a Row for each. Never without walls: a JailError says
    that there are none."""
    with contextlib.ExitStack() as stack:
        facts, environment = _targets(stack), secrets.token_hex(8)
        os.environ[f"MARK_{facts['marker']}"] = (
            environment  # the teacher's environment, as any program is given it
        )
        stack.callback(os.environ.pop, f"MARK_{facts['marker']}", None)
        absent = missing(facts)
        seen = "each of them is where it is looked for"
        if absent:
            seen = f"not there: {', '.join(absent)}"
        yield Row("find every target from outside", not absent, seen)
        jail = stack.enter_context(Jail(LIMITS, user=user))
        for attempt in ATTEMPTS if attempts is None else attempts:
            yield _try(jail, attempt, f"FACTS = {facts!r}\n{PRELUDE}\n")


def _targets(stack):
    """Things of this machine that must be out of reach, each of them really there."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "secret").write_text("a submission of somebody else")
    abstract, marker = f"\0grader-{secrets.token_hex(8)}", secrets.token_hex(8)
    servers = {"port": (socket.AF_INET, ("127.0.0.1", 0)), "socket": (socket.AF_UNIX, str(folder / "socket"))}
    if sys.platform == "linux":
        servers["abstract"] = socket.AF_UNIX, abstract
    facts: dict = {}
    for name, (family, address) in servers.items():
        server = stack.enter_context(socket.socket(family))
        server.bind(address)
        server.listen()
        if name == "port":
            facts[name] = server.getsockname()[1]
        else:
            facts[name] = address
    # folders on the way to something visible
    ways = sorted({str(p) for v in building.visible() for p in (Path(v), *Path(v).parents)})
    package = building.PACKAGE
    return facts | {
        "ways": ways,
        "secret": str(folder / "secret"),
        "marker": marker,
        "disk": LIMITS.disk_mb << 20,
        "files": ["/etc/passwd", "/etc/shadow", str(folder / "secret")],
        "folders": [p for p in (str(Path.home()), os.getcwd()) if os.path.isdir(p)] + ["/var", "/sys"],
        "course_folders": [str(_solutions()), f"{package}/exercises", f"{package}/classroom"],
        "course_files": [f"{package}/judging/judge.py", f"{package}/course/lessons.py"],
        "modules": ["grader.course.lessons", "grader.judging.exercise", "grader.exercises.bce"],
    }


def _solutions():
    """Where the lessons' texts lie: beside the package in a checkout, in it where it was installed."""
    beside = building.PACKAGE.parent / "solutions"
    if beside.is_dir():
        return beside
    return building.PACKAGE / "solutions"


def missing(facts: dict) -> list[str]:
    """Targets that are not there, seen from outside: what is refused inside says nothing about them."""
    names = [*facts["files"], *facts["folders"], *facts["course_files"], *facts["course_folders"]]
    absent = [name for name in names if not os.path.exists(name)]
    absent += [name for name in facts["course_folders"] if os.path.isdir(name) and not os.listdir(name)]
    return absent + [name for name in facts["modules"] if importlib.util.find_spec(name) is None]


def _try(jail, attempt, prelude):
    notes = len(jail.notes)
    if attempt.before:
        with jail.child() as child, contextlib.suppress(ChildDied):
            child.run_cell(prelude + attempt.before)
    child = jail.child()
    try:
        held, seen = _seen(child, attempt, prelude)
        if held is None:
            child.run_cell("pass")  # it answers still, and in turn
            held = True
    except ChildDied as death:
        held, seen = (
            death.reason in attempt.ends,
            f"child ended: {death.reason}" + (f", {death.detail}" if death.detail else ""),
        )
    finally:
        child.end()
    with jail.child() as after:  # the jail serves on
        held = held and after.run_cell("1").ok
    if len(jail.notes) > notes:
        held, seen = False, f"{seen}; {' '.join(jail.notes[notes:])}"
    return Row(attempt.name, held, seen)


def _seen(child, attempt, prelude):
    outcome = child.run_cell(prelude + attempt.code, deadline=attempt.seconds)
    text = "".join(o.text for o in outcome.outputs if o.kind == "stdout")
    lines = [x[:200] for x in text.splitlines() if x.startswith(("held", "OVER"))]
    over = [x for x in lines if x.startswith("OVER")]
    if len(text) > LIMITS.output_kb << 10:
        over.append(f"OVER: {len(text)} characters of output")
    if over or not lines:
        return False, "; ".join(over) or (outcome.error.one_line if outcome.error else "nothing")
    return None, "; ".join(x.removeprefix("held:").strip() for x in lines)
