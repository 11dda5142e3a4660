"""Files written whole, or not at all."""

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file whole, or not at all, and onto the disk before this returns: a machine may lose its power.

    Whoever reads meanwhile finds the earlier file. Raises OSError, with the path, where the disk refuses;
    nothing is left of the attempt then.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with open(part, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise type(error)(error.errno, error.strerror, str(path)) from None
