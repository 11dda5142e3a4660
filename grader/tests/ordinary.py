"""As root: run Python as an ordinary user that has never existed, even where the interpreter lies in a folder
that only root may read."""

import contextlib
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

UID = 54321


def _closed(path):
    """The topmost folder on the way to `path` that others may not enter, or None."""
    return next((p for p in reversed(Path(path).parents) if not p.stat().st_mode & 0o001), None)


@contextlib.contextmanager
def user():
    """Gives `run(code)`: its output. A closed folder is covered in a mount namespace of its own, with what is
    needed bound into it."""
    course = Path(__file__).resolve().parents[2]
    needed = {str(course), sys.prefix, os.path.realpath(sys.base_prefix), sysconfig.get_path("stdlib")}
    closed = {p: top for p in sorted(needed) if (top := _closed(p))}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        aside, back = [], []
        for i, path in enumerate(closed):
            aside += [f"mkdir {folder}/{i}", f"mount --bind {shlex.quote(path)} {folder}/{i}"]
            back += [f"mkdir -p {shlex.quote(path)}", f"mount --bind {folder}/{i} {shlex.quote(path)}"]
        covers = [
            f"mount -t tmpfs -o mode=755 none {shlex.quote(str(top))}" for top in sorted(set(closed.values()))
        ]
        enter = (
            f"exec setpriv --reuid {UID} --regid {UID} --clear-groups --inh-caps=-all env "
            'HOME=/home/ordinary PYTHONDONTWRITEBYTECODE=1 "$@"'
        )
        script = "\n".join(["set -e", *aside, *covers, *back, f"cd {shlex.quote(str(course))}", enter])

        def run(code):
            command = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                script,
                "sh",
                sys.executable,
                "-c",
                code,
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr[-3000:]
            return done.stdout

        yield run
