"""Which walls: the command line for bubblewrap, and the folder that a child imports `grader` from. Decides,
but starts nothing."""

import os
import secrets
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.jail.limits import Limits


HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
INSIDE = {
    "grader/__init__.py": HERE / "inert.py",
    "grader/figures.py": PACKAGE / "figures.py",
    "grader/sample.py": PACKAGE / "sample.py",
    "grader/memory.py": PACKAGE / "memory.py",
    **{
        f"grader/judging/{n}.py": PACKAGE / f"judging/{n}.py"
        for n in ("question", "watch", "wire", "outcome", "kernels")
    },
    **{f"grader/jail/{n}.py": HERE / f"{n}.py" for n in ("child", "zygote")},
}
COURSE, BOX, WHOLE = "/course", "/box", "/whole"
# of the zygote, as root; a child has none
CAPABILITIES = ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "USER": "learner",
    "LOGNAME": "learner",
    "HOME": f"{BOX}/work",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "NBGRADER_EXECUTION": "autograde",
}  # as nbgrader tells a notebook


def child_uids():
    """(first, how many) uids to give to children, one each; None where this process cannot take other uids."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    try:
        lines = Path("/proc/self/uid_map").read_text().split("\n")
        capable = int(
            next(
                x for x in Path("/proc/self/status").read_text().split("\n") if x.startswith("CapEff")
            ).split()[1],
            16,
        )
    except (OSError, StopIteration):
        return None
    if capable & 0b11100000 != 0b11100000:  # CAP_KILL, CAP_SETGID, CAP_SETUID
        return None
    first, count = max(
        ((int(a), int(c)) for a, _, c in map(str.split, filter(None, lines))), key=lambda r: r[1]
    )
    if count < 20_000:
        return None
    top = min(first + count, 0x7FFF0000)  # far above what anybody uses
    return top - 5000 - secrets.randbelow(min(count // 4, 1_000_000)), 4000


@dataclass(frozen=True)
class Mode:
    """How the walls are built. uids: as root, a uid of its own for each child; else an ordinary user's namespace."""

    uids: tuple | None
    no_nested: bool = (
        False  # bubblewrap forbids user namespaces inside; where it cannot, the filter of system calls does
    )

    @property
    def name(self):
        if self.uids:
            return "root"
        return "user"


def modes(user: bool = False):
    """The modes to try, best first. user: as root, what an ordinary user gets."""
    uids = None
    if not user:
        uids = child_uids()
    return ([Mode(uids)] if uids else []) + [Mode(None, True), Mode(None)]


def command(
    mode: Mode,
    limits: "Limits",
    filter_fd: int,
    program: Iterable[str] = ("-I", f"{COURSE}/grader/jail/zygote.py"),
    options: Iterable[str] = (),
):
    """The command line that starts Python with `program` behind walls. Its mount points come in the order of
    their depth."""
    if mode.uids:
        who = ["--cap-drop", "ALL", *(a for c in CAPABILITIES for a in ("--cap-add", f"CAP_{c}"))]
    else:
        who = [
            "--unshare-user",
            "--uid",
            "1000",
            "--gid",
            "1000",
            "--cap-drop",
            "ALL",
            *(["--disable-userns"] if mode.no_nested else []),
        ]
    size = str(limits.disk_mb << 20)
    choom = []
    if shutil.which("choom"):  # where memory runs out, the kernel ends this first
        choom = ["choom", "-n", "1000", "--"]
    return [
        *choom,
        "bwrap",
        *who,
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--as-pid-1",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "jail",
        "--clearenv",
        *(a for k, v in ENVIRONMENT.items() for a in ("--setenv", k, v)),
        *mounts(),
        "--proc",
        "/proc",
        "--remount-ro",
        "/proc",
        "--dev",
        "/dev",
        "--remount-ro",
        "/dev",
        "--perms",
        "0755",
        "--size",
        size,
        "--tmpfs",
        BOX,
        *temporary(),
        *course(),
        *options,
        "--remount-ro",
        "/",
        "--seccomp",
        str(filter_fd),
        "--chdir",
        BOX,
        sys.executable,
        *program,
    ]


def visible():
    """What a child may read of this machine: Python with its packages, the system's libraries and programs, fonts."""
    prefixes = {
        p
        for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)
        for p in (prefix, os.path.realpath(prefix))
    }
    found = {f"{p}/{part}" for p in prefixes for part in ("bin", "lib", "lib64", "pyvenv.cfg")}
    found |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {os.path.dirname(os.path.realpath(sys.executable))}
    found |= {
        "/usr/lib",
        "/usr/lib64",
        "/usr/lib32",
        "/usr/bin",
        "/usr/share/fonts",
        "/usr/share/zoneinfo",
        "/etc/fonts",
        "/etc/alternatives",
        "/etc/ld.so.cache",
        "/etc/localtime",
    }
    return {p for p in found if os.path.exists(p)}


def hidden():
    """What must not be seen even where it lies in something visible: the grader, the course, nbgrader's exchange."""
    course = PACKAGE.parent
    return {
        str(PACKAGE),
        *([str(course)] if (course / "solutions").is_dir() else []),
        "/usr/local/share/nbgrader",
    }


def temporary():
    """/tmp leads into the box; where Python itself lies below /tmp, it stays a folder that nobody writes to,
    and TMPDIR alone leads there."""
    if any(p.startswith("/tmp/") for p in visible()):
        return []
    return ["--symlink", "box/tmp", "/tmp"]


def mounts():
    """Read-only binds of what is visible, and empty folders over what is hidden in it."""
    binds, arguments, made = visible(), [], set()
    covers = {h for h in hidden() if os.path.isdir(h) and any(h.startswith(b + "/") for b in binds)}
    for path in sorted(binds | covers, key=lambda p: (p.count("/"), p)):
        if (
            path in binds
            and any(path.startswith(b + "/") for b in binds)
            and not any(path.startswith(c + "/") for c in covers)
        ):
            continue  # comes with the folder that it lies in
        arguments += _parents(path, made)
        if path in covers:
            arguments += ["--perms", "0755", "--tmpfs", path]
        else:
            arguments += ["--ro-bind", path, path]
    for path in covers:
        arguments += ["--remount-ro", path]
    for name in ("/lib", "/lib64", "/lib32", "/bin"):
        if os.path.islink(name):
            arguments += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            arguments += ["--ro-bind", name, name]
    return arguments


def _parents(path, made):
    """bubblewrap 0.8 makes missing parents 0700: spell them out, each once."""
    arguments, at = [], ""
    for part in path.strip("/").split("/")[:-1]:
        at += "/" + part
        if at not in made:
            made.add(at)
            arguments += ["--perms", "0755", "--dir", at]
    return arguments


def course():
    """The inert package, file by file."""
    arguments, made = [], set()
    for name, source in INSIDE.items():
        arguments += _parents(f"{COURSE}/{name}", made) + ["--ro-bind", str(source), f"{COURSE}/{name}"]
    return arguments


def whole_course() -> list[str]:
    """The course as it is, references and texts and all, below WHOLE: for a process that judges. Nothing else
    of its folder is there."""
    parts = {"grader": PACKAGE}
    if (PACKAGE.parent / "notebooks").is_dir():  # else they lie inside the package
        parts |= {name: PACKAGE.parent / name for name in ("notebooks", "solutions")}
    arguments = ["--perms", "0755", "--dir", WHOLE]
    for name, folder in parts.items():
        if folder.is_dir():
            arguments += ["--ro-bind", str(folder), f"{WHOLE}/{name}"]
    return arguments


def copy_course(folder: Path):
    """The same package as files in a folder, for a jail without walls."""
    for name, source in INSIDE.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
