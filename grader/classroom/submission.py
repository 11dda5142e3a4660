"""Read whatever lies where a submission should lie. Never raises on its content: what cannot be read becomes
a placeholder and a note."""

import contextlib
import errno
import functools
import itertools
import json
import os
import re
import secrets
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import dateutil.parser

from grader.course.build import released
from grader.course.lessons import lessons
from grader.course.submitted import shown

LARGEST = 160 << 20  # bytes of a notebook file that are read
DEEPEST = 20  # folders in each other that are collected
MANY = 1000  # files and folders of a submission that are collected
OPEN_FOLDERS = 100  # of one depth that are looked into at a time
OTHERS = 20  # notebooks by other names that are looked at
LARGEST_IN_ARCHIVE = 32 << 20  # bytes of a notebook in a zip archive
LARGEST_LOOKED_INTO = 4 << 20  # bytes of a notebook that is searched for the cells of all lessons
ENDINGS = (".json", ".txt", "")  # what browsers make of `.ipynb`
CHECKPOINTS = ".ipynb_checkpoints"
ARCHIVE = b"PK\x03\x04"  # how a zip archive begins
STUBS = (b"YOUR CODE HERE", b"YOUR ANSWER HERE")  # where something is to be written
# nbgrader's own files: when it was submitted, and by which name its feedback is found
BESIDE = ("timestamp.txt", "submission_secret.txt")
WAS = {  # what was put in the place of something that is not touched -> what is said about it
    "-was-a-link": "was a link. Links are not followed.",
    "-was-a-folder": "stood for a folder in the notebook's place.",
    "-was-no-file": "was neither a file nor a folder, and was dropped.",
    "-was-unreadable": "cannot be read, or belongs to somebody else.",
    "-was-too-large": "is too large to be collected.",
}


def load(path: Path, alone: bool = True):
    """(data, notes): the bytes of a submitted notebook's file, or None where there is none that can be read,
    and what is to be said about it.

    alone: all that lies in its folder was handed in for this lesson; otherwise other lessons' notebooks may
    lie there, and are not mentioned.

    Where the notebook is missing, or nothing was written in it, and exactly one other notebook with the
    lesson's cells lies there (by another name, in a folder below, in a zip archive), that one is taken, and
    said. Where there are several, or none, what lies there is named.
    """
    path = Path(path)
    lesson = path.stem
    data, notes = _read(path)
    is_nothing = data is None or not data.strip()
    if data is not None and data.startswith(ARCHIVE):
        is_nothing = True  # a zip archive under the notebook's name
    if data is not None and not is_nothing and not _is_untouched(lesson, data):
        return data, notes + _other_lesson(lesson, data)
    others = _others(path)
    chosen = [other for other in others if _is_of(lesson, other.data)]
    written = _without_copies([other for other in chosen if not _is_untouched(lesson, other.data)])
    candidates = written or _without_copies(chosen)
    if len(candidates) == 1 and (written or is_nothing):
        (taken,) = candidates
        why = "there is no other"
        if not is_nothing:
            why = f"nothing is written in `{path.name}`"
        return taken.data, [f"`{shown(taken.name)}` was taken for `{path.name}`: {why}."]
    if not written and not is_nothing:
        return data, notes
    names = [other.name for other in chosen]
    if alone:
        names = [other.name for other in others] or _files_beside(path)
    if names:
        listed = ", ".join(f"`{shown(name)}`" for name in names[:10])
        notes.append(
            f"There is no `{path.name}` with answers, and it is not clear what counts. What lies "
            f"there: {listed}. A person has to look at it."
        )
    return data, notes


@dataclass(frozen=True)
class Other:
    """A notebook that does not lie in its place: the name it has there, and its bytes."""

    name: str
    data: bytes

    @property
    def is_checkpoint(self) -> bool:
        """Did JupyterLab put it there, as an earlier state of another one?"""
        return CHECKPOINTS in Path(self.name).parts


def _without_copies(others: list[Other]) -> list[Other]:
    """Those that differ; what JupyterLab kept of earlier states counts only where there is nothing else."""
    kept = [other for other in others if not other.is_checkpoint] or others
    return list({other.data: other for other in reversed(kept)}.values())


def _other_lesson(lesson, data):
    """A note where this is another lesson's notebook."""
    if len(data) > LARGEST_LOOKED_INTO or _is_of(lesson, data):
        return []
    names = [name for name in lessons() if name != lesson and _is_of(name, data)]
    return [f"What was handed in is a notebook of {name}." for name in names[:1]]


def astray(submitted: Path, lesson: str) -> list[str]:
    """The lesson's notebooks that lie in `submitted/` where nobody looks for them: beside the folders of learners, or of lessons, or in
    folders that are none. Looked at are those that lie one or two folders deep."""
    known = set(lessons())
    found = []
    for path in itertools.islice(_out_of_place(submitted, known), MANY):
        data, _ = _read(path)
        if data is not None and _is_of(lesson, data):
            found.append(path)
    found += [path for path in sorted(submitted.glob(f"*/{lesson}")) if path.is_file()]
    return [str(path.relative_to(submitted.parent)) for path in found]


def _out_of_place(submitted, known):
    """Notebooks in none of the places LEARNER/LESSON/…, whatever they hold. What is hidden is somebody else's.

    known: the names of lessons: what lies in their folders is not looked at.
    """
    for student in _listed(submitted):
        if student.name.endswith(".ipynb"):
            yield student
        for entry in _listed(student):
            if entry.name.endswith(".ipynb"):
                yield entry
            elif entry.name not in known:
                yield from (path for path in _listed(entry) if path.name.endswith(".ipynb"))


def _listed(folder):
    """What lies in a folder, and is not hidden; nothing where it is none, or is closed."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / name for name in names if not name.startswith(".")]


def is_text(name: str) -> bool:
    """Is a file's name text? A zip archive from an old Windows may hold names that are not, and no database or page takes such a name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _others(path) -> list[Other]:
    """The other notebooks beside a submission's notebook, below it, and in zip archives; as many as one looks through.

    A browser may have saved one as `02_bce.ipynb.txt`, `02_bce.json` or without an ending: that is one where
    it holds the lesson's cells.
    """
    found: list[Other] = []
    for other, mode in itertools.islice(_below(path.parent), MANY):
        if not stat.S_ISREG(mode) or len(found) >= OTHERS:
            continue
        name = str(other.relative_to(path.parent))
        ending = other.suffix.lower()
        if ending == ".zip" or other == path:
            found += [Other(f"{name}/{inner}", data) for inner, data in _in_archive(other)]
        elif ending == ".ipynb" or ending in ENDINGS and other.name not in BESIDE:
            data, _ = _read(other)
            if data is not None and data.strip() and (ending == ".ipynb" or _is_of(path.stem, data)):
                found.append(Other(name, data))
    return found


def _files_beside(path):
    """The names of all that was handed in, where none of it is a notebook."""
    entries = itertools.islice(_below(path.parent), MANY)
    return [str(other.relative_to(path.parent)) for other, _ in entries if _is_theirs(other, path)]


def _is_theirs(other, path):
    return other != path and other.name not in BESIDE and not other.name.endswith(tuple(WAS))


def _in_archive(path):
    """(name, bytes) of the notebooks in a zip archive, none larger than a notebook may be."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist()[:MANY] if m.filename.lower().endswith(".ipynb")]
            for member in members[:OTHERS]:
                if "__MACOSX" in member.filename or member.file_size > LARGEST_IN_ARCHIVE:
                    continue
                with archive.open(member) as file:
                    data = file.read(LARGEST_IN_ARCHIVE + 1)
                if data.strip() and len(data) <= LARGEST_IN_ARCHIVE:
                    yield member.filename, data
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, zlib.error):
        return  # no archive, a damaged one, or one with a password


@functools.cache
def _marks_of(lesson):
    """What the bytes of a lesson's notebook hold: the ids of its graded cells, and how often it says that
    something is to be written."""
    if not released(lesson).is_file():
        return (), 0
    text = released(lesson).read_bytes()
    cells = json.loads(text)["cells"]
    marks = [cell["metadata"].get("nbgrader", {}) for cell in cells]
    ids = [mark["grade_id"] for mark in marks if mark.get("grade") or mark.get("solution")]
    return tuple(f'"{name}"'.encode() for name in ids), sum(text.count(stub) for stub in STUBS)


def _is_of(lesson, data):
    """Does this hold cells of the lesson? Seen in its bytes: it is read by whoever may be ended."""
    ids, _ = _marks_of(lesson)
    return sum(name in data for name in ids) > len(ids) / 2


def _is_untouched(lesson, data):
    """Is this a notebook of the lesson in which nothing was written yet?"""
    _, stubs = _marks_of(lesson)
    return _is_of(lesson, data) and sum(data.count(stub) for stub in STUBS) >= stubs


def _read(path):
    """(data, notes): the bytes of a file, or None where there is none that can be read, and what is to be
    said about it."""
    try:
        info = os.lstat(path)
    except OSError:
        return None, ["No notebook was submitted."]
    if not stat.S_ISREG(info.st_mode):
        return None, ["In the notebook's place lies something that is no file."]
    if info.st_size > LARGEST:
        return None, [f"The notebook has {info.st_size >> 20} MB; at most {LARGEST >> 20} are read."]
    try:
        return Path(path).read_bytes(), []
    except OSError as error:
        return None, [f"The notebook cannot be read: {error.strerror}."]


# ---------------------------------------------------------------- the folder around it


def tidy(folder: Path, lesson: str):
    """Make a submission's folder safe to copy, and say what is odd about it. Links, pipes and devices make
    way for a small file that says what was there, a folder in the notebook's place and an unreadable time are
    renamed."""
    folder = Path(folder)
    if folder.is_symlink():
        target = os.readlink(folder)
        folder.unlink()
        folder.mkdir()
        _instead(folder / "submission", "-was-a-link", target)
    for path, mode in list(_below(folder)):
        if stat.S_ISLNK(mode):
            target = os.readlink(path)
            path.unlink()
            _instead(path, "-was-a-link", target)
        elif not stat.S_ISREG(mode):
            path.unlink()
            _instead(path, "-was-no-file")
    stamp = folder / "timestamp.txt"
    if stamp.exists() and (
        not stamp.is_file()
        or stamp.stat().st_size > 100
        or timestamp(folder) is None
        and stamp.read_bytes().strip()
    ):
        stamp.rename(_free(stamp.with_name("timestamp.txt-unreadable")))  # nbgrader ends at one
    notebook = folder / f"{lesson}.ipynb"
    if notebook.is_dir():
        notebook.rename(_free(notebook.with_name(f"{lesson}.ipynb-was-a-folder")))
    return _odd(folder)


def _odd(folder):
    """Notes on what `tidy` and `copy` have put aside, now or earlier."""
    notes = []
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        if name.startswith("timestamp.txt-unreadable"):
            notes.append("`timestamp.txt` holds no time.")
    for path in sorted(p for p, _ in _below(folder, folders=True)):
        for suffix, says in WAS.items():
            if path.name.endswith(suffix):
                notes.append(
                    f"`{shown(path.relative_to(folder).with_name(path.name.removesuffix(suffix)))}` {says}"
                )
    return notes


class NotTheirs(Exception):
    """A folder in the exchange that does not belong to the learner whose name it bears; says to whom it belongs."""


@dataclass(frozen=True)
class Bounds:
    """How much of a submission is copied: bytes of all its files together, and how many files and folders."""

    size: int
    count: int = MANY


def copy(source: str, target: Path, lesson: str, bounds: Bounds, owner: Callable[[int], bool] | None = None):
    """Copy a submission's files into a new folder, and say what was left out. What lies there may change meanwhile.

    Every folder and file is opened once, without following a link, and read through that: whoever swaps one
    for a link gets an error, not somebody else's work. Sizes are known before a byte is copied, and no file
    gives more than it had then. Where there is more than `bounds` allows, the notebook alone is taken. `tidy`
    says what stands for links, pipes and what cannot be read.

    owner: a function of a uid that says whether its files may count as this learner's; all may where it is
    None. Raises NotTheirs where the folder itself is somebody else's.
    """
    target = Path(target)
    target.mkdir(parents=True)
    try:
        folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if os.path.islink(source):
            _instead(target / "submission", "-was-a-link", os.readlink(source))
        elif error.errno not in (errno.EACCES, errno.EPERM):
            raise
        else:
            _instead(target / "submission", "-was-unreadable")
        return []
    try:
        if owner is not None and not owner(os.fstat(folder).st_uid):
            raise NotTheirs(os.fstat(folder).st_uid)
        size, count = _measured(folder, bounds.count)
        names = None
        if size > bounds.size or count > bounds.count:
            names = (f"{lesson}.ipynb", *BESIDE)
        _Copy(owner, bounds.size).folder(folder, target, names)
    finally:
        os.close(folder)
    if names is None:
        return []
    if count > bounds.count:
        much = f"more than {bounds.count} files"
    else:
        much = f"more than {bounds.size // 1_000_000} MB"
    return [
        f"what was submitted has {much} (c.CourseDirectory.max_dir_size): of it, only the notebook is collected."
    ]


def _measured(folder, most):
    """(bytes, how many) of what lies in an open folder and below; no more than `most` entries are looked at,
    and a few."""
    size, count, depth, todo = 0, 0, 0, [os.dup(folder)]
    while todo and count <= most:
        below = []
        for at in todo:
            with _closing(at), os.scandir(at) as entries:
                for entry in itertools.islice(entries, most + 1 - min(count, most)):
                    count += 1
                    info = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(info.st_mode):
                        size += info.st_size
                    elif stat.S_ISDIR(info.st_mode) and depth < DEEPEST and len(below) < OPEN_FOLDERS:
                        with contextlib.suppress(OSError):
                            below.append(_opened(entry.name, at, os.O_DIRECTORY))
        todo, depth = below, depth + 1
    for at in todo:
        os.close(at)
    return size, count


def _opened(name, folder, flags=0):
    """Open what lies by this name in an open folder, for reading, if it is no link. A pipe does not keep us waiting."""
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)


@contextlib.contextmanager
def _closing(descriptor):
    try:
        yield
    finally:
        os.close(descriptor)


class _Copy:
    """One submission on its way: what it may still cost, and to whom its files may belong."""

    def __init__(self, owner, size):
        self.owner, self.left = owner, size

    def folder(self, source: int, target: Path, names: Iterable[str] | None = None, depth: int = 0):
        """Copy what lies in an open folder (of `names` alone, where they are given)."""
        if names is None:
            with os.scandir(source) as entries:
                names = sorted(entry.name for entry in itertools.islice(entries, MANY))
        for name in names:
            self.entry(source, name, target / name, depth)

    def entry(self, source: int, name: str, to: Path, depth: int):
        try:
            info = os.stat(name, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:  # gone meanwhile, or one of `names` that was never there
            return
        try:
            if stat.S_ISLNK(info.st_mode):
                _instead(to, "-was-a-link", os.readlink(name, dir_fd=source))
            elif stat.S_ISDIR(info.st_mode):
                if depth < DEEPEST:
                    with _closing(opened := _opened(name, source, os.O_DIRECTORY)):
                        to.mkdir()
                        self.folder(opened, to, depth=depth + 1)
            elif stat.S_ISREG(info.st_mode):
                with _closing(opened := _opened(name, source)):
                    self.file(opened, to)
            else:
                _instead(to, "-was-no-file")
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                raise  # the disk is full: a submission is collected whole or not at all
            _instead(to, "-was-unreadable")

    def file(self, opened: int, to: Path):
        """Copy an open file: as many bytes as it had when it was opened, and none that are somebody else's."""
        info = os.fstat(opened)
        if not stat.S_ISREG(info.st_mode) or self.owner is not None and not self.owner(info.st_uid):
            _instead(to, "-was-unreadable")
            return
        if info.st_size > self.left:
            _instead(to, "-was-too-large")
            return
        self.left -= info.st_size
        left = info.st_size
        with open(to, "xb") as copied:
            while left and (data := os.read(opened, min(left, 1 << 20))):
                copied.write(data)
                left -= len(data)


def _below(folder, folders=False):
    """(path, mode) of everything in a folder that is no folder itself (folders: of those, too), to a depth
    that people use; no link is followed."""
    todo = [(folder, 0)]
    while todo:
        at, depth = todo.pop()
        try:
            entries = sorted(os.scandir(at), key=lambda e: e.name)
        except OSError:
            continue
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if not stat.S_ISDIR(mode) or folders:
                yield Path(entry.path), mode
            if stat.S_ISDIR(mode) and depth < DEEPEST:
                todo.append((Path(entry.path), depth + 1))


def _instead(path, suffix, text=""):
    """A small file that says what lay there: `path` itself stays free."""
    name = path.name.encode("utf-8", errors="surrogateescape")[:200].decode("utf-8", errors="replace")
    _free(path.with_name(name + suffix)).write_bytes(os.fsencode(text))


def _free(path):
    """This path, or one like it that nothing occupies. Names that are all alike (long ones are cut) take a
    random number after a few."""
    stem, suffix = next((path.name.removesuffix(s), s) for s in (*WAS, "") if path.name.endswith(s))
    free, number = path, 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{stem}-{number if number < 10 else secrets.token_hex(4)}{suffix}")
    return free


def timestamp(folder: Path):
    """When it was submitted, as nbgrader's `timestamp.txt` says (UTC), or None."""
    try:
        return time_of(Path(folder, "timestamp.txt").read_text(encoding="utf-8")[:100].strip() or "none")
    except (OSError, ValueError, OverflowError, TypeError):
        return None


def time_of(text: str):
    """A time in UTC, without its zone, from a text. Raises ValueError where the zone is one that nobody can
    tell, as CEST.

    nbgrader's own `parse_utc` takes `+0100` for a hundred seconds, and passes over `+01:00`.

    >>> time_of("2026-06-01 12:00:00 +0100")
    datetime.datetime(2026, 6, 1, 11, 0)
    """
    if zones := set(re.findall(r"[A-Za-z]{2,}", text)) - {"UTC", "GMT"}:
        raise ValueError(f"{text!r} has a time zone that is not known: {', '.join(zones)}")
    time = dateutil.parser.parse(text)
    if not time.tzinfo:
        return time
    return time.astimezone(UTC).replace(tzinfo=None)


def placeholder(folder: Path, lesson: str):
    """An empty file where no notebook lies, so that its absence is seen and counts zero. Nothing is overwritten."""
    path = Path(folder, f"{lesson}.ipynb")
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
