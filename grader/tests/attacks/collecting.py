"""What somebody with an account may put into the exchange, or do to it while it is collected, as data.

`games` and `nobody` are accounts of every Linux machine: `nobody` is the thief, `games` the one who is robbed.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LESSON = "02_bce"
THIEF, ROBBED = 65534, 5  # nobody, games
SECRET = "# the work of somebody else"


@dataclass(frozen=True)
class Prank:
    """Something in the exchange. make(inbound): does it; student: whose submission it touches.

    work: words of the notebook that must be there afterwards ("" for an empty one, None where nothing is collected);
    absent: words that must not be in any file of it; says: words of what `collect` says.
    """

    name: str
    student: str
    make: Callable[[Path], None]
    work: str | None = ""
    absent: tuple = (SECRET,)
    says: tuple = ()


def owned(path: Path, uid: int) -> Path:
    """Give a folder, with all that lies in it, to somebody."""
    for at, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(at, name), uid, uid, follow_symlinks=False)
    os.chown(path, uid, uid, follow_symlinks=False)
    return path


def folder(inbound: Path, student: str, time="2026-01-01 00:00:00", work="{}", stamp=True) -> Path:
    """A submission as `nbgrader submit` puts it there."""
    place = inbound / f"{student}+{LESSON}+{time} UTC+0"
    place.mkdir()
    (place / f"{LESSON}.ipynb").write_text(work)
    if stamp:
        (place / "timestamp.txt").write_text(f"{time} UTC")
    return place


def in_anothers_name(inbound):
    owned(folder(inbound, "games", work='"the real work"'), ROBBED)
    owned(folder(inbound, "games", time="2026-02-01 00:00:00", work='"nothing"'), THIEF)


def hard_link(inbound):
    victim = inbound / "victim.ipynb"
    victim.write_text(SECRET)
    place = folder(inbound, "nobody")
    (place / f"{LESSON}.ipynb").unlink()
    owned(place, THIEF)
    os.chown(victim, ROBBED, ROBBED)
    os.link(victim, place / f"{LESSON}.ipynb")


def dangling(inbound):
    (inbound / f"dangling+{LESSON}+2026-01-01 00:00:00 UTC+0").symlink_to("/nowhere")


def circle(inbound):
    path = inbound / f"circle+{LESSON}+2026-01-01 00:00:00 UTC+0"
    path.symlink_to(path)


def terabyte(inbound):
    os.truncate(folder(inbound, "huge") / f"{LESSON}.ipynb", 1 << 40)


def terabyte_beside(inbound):
    place = folder(inbound, "hugebeside", work='"kept"')
    (place / "data.bin").touch()
    os.truncate(place / "data.bin", 1 << 40)


def many_links(inbound):
    place = folder(inbound, "links", work='"kept"')
    for number in range(4000):
        (place / ("x" * 240 + f"{number:04d}")).symlink_to("/etc/passwd")


def many_files(inbound):
    place = folder(inbound, "files", work='"kept"')
    for number in range(3000):
        (place / f"{number}").touch()


def deep(inbound):
    place = folder(inbound, "deep", work='"kept"')
    for _ in range(200):
        place = place / "d"
        place.mkdir()


def unreadable_folder(inbound):
    folder(inbound, "closed").chmod(0)


def no_time(inbound):
    folder(inbound, "notime", work='"kept"', stamp=False)


def garbled_time(inbound):
    (folder(inbound, "garbled", work='"kept"') / "timestamp.txt").write_text("whenever")


def a_learners_without_time(inbound):
    owned(folder(inbound, "daemon", work='"kept"', stamp=False), 1)


PRANKS = [
    Prank("a later folder in another's name", "games", in_anothers_name, "the real work", ("nothing",), ("and belongs to nobody",)),
    Prank("another's file by a hard link", "nobody", hard_link, ""),
    Prank("a link to nothing", "dangling", dangling, "", says=("dangling: `submission` was a link",)),
    Prank("a link to itself", "circle", circle, "", says=("circle: `submission` was a link",)),
    Prank("a notebook of a terabyte", "huge", terabyte, "", says=("huge: what was submitted has more than",)),
    Prank("a file of a terabyte beside it", "hugebeside", terabyte_beside, "kept", says=("of it, only the notebook",)),
    Prank("4,000 links with alike names", "links", many_links, "kept", says=("links: what was submitted has more than 1000 files",)),
    Prank("3,000 files", "files", many_files, "kept", says=("files: what was submitted has more than 1000 files",)),
    Prank("folders in folders", "deep", deep, "kept"),
    Prank("no time", "notime", no_time, "kept", says=("notime: Without a time of its own, it counts as submitted at 2026-01-01",)),
    Prank("a time that is none", "garbled", garbled_time, "kept", says=("garbled: Without a time of its own",)),
    Prank("no time, from a learner", "daemon", a_learners_without_time, "kept", says=("daemon: Without a time of its own",)),
    Prank("nothing odd, and last", "zoe", lambda inbound: folder(inbound, "zoe", work='"kept"') and None, "kept"),
]  # fmt: skip


# ---------------------------------------------------------------- swapped while it is copied


def swap_folder(place, secret):
    shutil.rmtree(place / "sub")
    (place / "sub").symlink_to(secret)


def swap_whole(place, secret):
    place.rename(place.with_name("away"))
    place.symlink_to(secret)


def swap_file(place, secret):
    (place / "z.ipynb").unlink()
    (place / "z.ipynb").symlink_to(secret / "z.ipynb")


def swap_for_theirs(place, secret):
    """Not for a link: for the folder itself, renamed."""
    shutil.rmtree(place / "sub")
    secret.rename(place / "sub")


def grow(place, secret):
    with open(place / "z.ipynb", "ab") as file:
        file.write(bytes(50 << 20))


SWAPS = [swap_folder, swap_whole, swap_file, swap_for_theirs, grow]
