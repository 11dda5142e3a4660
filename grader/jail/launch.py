"""Start the first process of a jail, with walls or without, and say where walls cannot be built.

Imports nothing that takes time: whoever starts a jail can import torch while the jail does.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grader.jail import seccomp
from grader.jail import walls as building
from grader.jail.limits import Limits


class JailError(RuntimeError):
    """The jail cannot be started; the text says why, and what to do."""


@dataclass
class Launched:
    """A zygote on its way to be warm. `folder`: what is to be deleted after it; `report`: how its walls are built."""

    process: subprocess.Popen
    control: socket.socket
    errors: IO[bytes]
    folder: str | None
    report: dict


def launch(limits: Limits, *, trust: bool = False, user: bool = False) -> Launched:
    """Start a zygote, and do not wait for it. Raises JailError where its walls cannot be built.

    trust: without walls; user: as root, the walls that an ordinary user gets.
    """
    mode = None
    if not trust:
        mode = usable_mode(limits, user)
    control, inner = socket.socketpair()
    errors, folder = tempfile.TemporaryFile(), None
    filtered = None
    if not trust:
        filtered = seccomp.program()
    if mode is None or filtered is None:  # only without walls: a mode is found where there is a filter
        folder = tempfile.mkdtemp(prefix="grader-")
        building.copy_course(Path(folder, "course"))
        box = f"{folder}/box"
        os.mkdir(box)
        command = [sys.executable, "-I", f"{folder}/course/grader/jail/zygote.py"]
    else:
        box = building.BOX
        # a mode has been found, so there is a filter
        command = building.command(mode, limits, filtered.fileno())
    settings = {
        "control": inner.fileno(),
        "box": box,
        "walls": not trust,
        "uids": mode and mode.uids,
        "limits": dataclasses.asdict(limits),
        "filter": "" if trust else seccomp.no_programs().hex(),
    }
    keep = [inner.fileno(), *([filtered.fileno()] if filtered else [])]
    try:
        process = subprocess.Popen(
            [*command, json.dumps(settings)],
            pass_fds=keep,
            stdin=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=building.ENVIRONMENT | {"HOME": box},
        )
    finally:
        inner.close()
        if filtered:
            filtered.close()
    report = {
        "walls": mode.name if mode else "none",
        "filter": filtered is not None,
        "no_nested": bool(mode and mode.no_nested),
    }
    return Launched(process, control, errors, folder, report)


def usable_mode(limits: Limits, user: bool = False):
    """The best mode in which bubblewrap builds the walls here; JailError says why there is none."""
    if sys.platform != "linux":
        raise JailError(f"Bubblewrap needs Linux; this is {sys.platform}. `./course doctor` says what to do.")
    if not shutil.which("bwrap"):
        raise JailError("There is no bubblewrap (`bwrap`) here. `./course doctor` says what to do.")
    said = ""
    for mode in building.modes(user):
        filtered = seccomp.program()
        if filtered is None:  # without it, keys, queues and shared memory outlive a child
            raise JailError(
                "There is no libseccomp (`libseccomp.so.2`) here. `./course doctor` says what to do."
            )
        with filtered:
            try:
                tried = subprocess.run(
                    building.command(mode, limits, filtered.fileno(), ("-I", "-c", "pass")),
                    cwd="/",
                    timeout=30,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    pass_fds=[filtered.fileno()],
                )
            except subprocess.TimeoutExpired:
                said = "it did not answer within 30 seconds"
                continue
        if tried.returncode == 0:
            return mode
        said = said or tried.stderr.decode(errors="replace").strip()[-400:]
    raise JailError(f"Bubblewrap cannot build walls here: {said}. `./course doctor` says what to do.")


@dataclass(frozen=True)
class Walls:
    """Can walls be built here? `kind`: root or user; else `why` not, and `advice`: what to do, a list of sentences."""

    ok: bool
    kind: str = ""
    why: str = ""
    advice: tuple = ()


def walls(user: bool = False):
    """Whether bubblewrap builds the walls here; takes a fraction of a second. `climb` finds out whether they hold."""
    try:
        return Walls(True, usable_mode(Limits(), user).name)
    except JailError as error:
        return Walls(False, "", str(error).split(" `python -m")[0], tuple(_advice(str(error))))


def _advice(why):
    if sys.platform != "linux":
        yield "Grade in a Linux container or virtual machine: Debian 12 with the package bubblewrap will do."
    elif "no libseccomp" in why:
        yield "Install it: `apt-get install libseccomp2` (Debian, Ubuntu), `dnf install libseccomp` (Fedora)."
    elif "no bubblewrap" in why:
        yield "Install it: `apt-get install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora)."
    else:
        for setting, good in (
            ("kernel/unprivileged_userns_clone", "1"),
            ("kernel/apparmor_restrict_unprivileged_userns", "0"),
        ):
            with contextlib.suppress(OSError):
                if Path("/proc/sys", setting).read_text().strip() != good:
                    yield (
                        "This kernel refuses user namespaces: `sysctl "
                        f"{setting.replace('/', '.')}={good}` as root allows them."
                    )
        with contextlib.suppress(OSError):
            if Path("/proc/sys/user/max_user_namespaces").read_text().strip() == "0":
                yield (
                    "This kernel allows no user namespaces at all: `sysctl "
                    "user.max_user_namespaces=10000` as root allows them."
                )
        if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
            yield (
                "This is a container that may not make others: start it with `--privileged`, or grade on "
                "its host or in a virtual machine."
            )
        yield (
            "Or grade in a Linux container or virtual machine where bubblewrap works: `bwrap --ro-bind / "
            "/ true` says nothing there."
        )
    yield "Where every submission is trusted like own code, `--trust-submissions` grades without walls."
