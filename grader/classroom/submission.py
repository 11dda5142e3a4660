"""Read whatever lies where a submission should lie. Never raises on its content: what cannot be read becomes a placeholder and a note."""

import codecs
import json
import os
import re
import shutil
import stat
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

LARGEST = 160 << 20  # bytes of a notebook file that are read
CELLS = 2000  # of a notebook that are read
CONTAINERS = 1_000_000  # lists and objects in a file: what is far above that is made to fill the memory
DEEPEST = 20  # folders in each other that are collected
BESIDE = (
    "timestamp.txt",
    "submission_secret.txt",
)  # nbgrader's own files: when it was submitted, and by which name its feedback is found
WAS = {  # what was put in the place of something that is not touched -> what is said about it
    "-was-a-link": "was a link. Links are not followed.",
    "-was-a-folder": "stood for a folder in the notebook's place.",
    "-was-no-file": "was neither a file nor a folder, and was dropped.",
    "-was-unreadable": "cannot be read.",
}


def load(path):
    """(data, notes): the bytes of a submitted notebook's file, or None where there is none that can be read, and what is to be said about it."""
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


def parse(data):
    """(notebook, notes) from the bytes of a file."""
    notes = []
    if not data.strip():
        return None, [
            "The notebook's file is empty: no notebook was submitted, or nothing was written into it."
        ]
    if len(data) > 1 << 20 and _containers(data) > CONTAINERS:
        return None, ["The file is no notebook: it holds millions of lists and objects."]
    try:
        wide = data.startswith(
            (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        )  # what some editors and shells make of a file
        text = data.decode("utf-16" if wide else "utf-8-sig")
        notes += ["The file is UTF-16 where a notebook is UTF-8; it was read as that."] if wide else []
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        notes.append("The file is no valid UTF-8; the bytes that are none were replaced.")
    try:
        content = json.loads(text)
    except RecursionError:
        return None, [*notes, "The file is nested too deep to be a notebook."]
    except ValueError as error:
        return None, [*notes, f"The file is no notebook: it does not parse as JSON ({str(error)[:80]})."]
    if not isinstance(content, dict):
        return None, [*notes, "The file is no notebook: JSON, but not a notebook's."]
    version = content.get("nbformat")
    if (
        isinstance(version, int)
        and not isinstance(version, bool)
        and version < 4
        and isinstance(content.get("worksheets", content.get("cells")), list)
    ):
        try:
            content = nbformat.convert(nbformat.from_dict(content), 4)
            notes.append(f"The notebook has the old format {version}; it was converted.")
        except Exception:  # a damaged old notebook fails in many ways
            return None, [
                *notes,
                f"The notebook claims the old format {str(version)[:20]}, and cannot be converted from it.",
            ]
    elif version != 4:
        notes.append(f"The notebook claims the format {shown(str(version), 20)}; it was read as format 4.")
    if not isinstance(content.get("cells"), list):
        return None, [*notes, "The file is no notebook: it has no list of cells."]
    if not content["cells"]:
        notes.append("The notebook has no cells.")
    if len(content["cells"]) > CELLS:
        notes.append(f"The notebook has {len(content['cells'])} cells; the first {CELLS} were read.")
    given = content["cells"][:CELLS]
    cells = [found for found in map(_cell, given) if found]
    if len(cells) < len(given):
        notes.append(f"{len(given) - len(cells)} cells are damaged and were left out.")
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}), notes


def _containers(data):
    """How many lists and objects there are in JSON, without building them: counted outside of its strings."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', b"", data, flags=re.S)
    return bare.count(b"[") + bare.count(b"{")


def _cell(raw):
    """A cell with nothing but its type, id, source, nbgrader's grade_id and attachments; None where it is no cell."""
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(s, str) for s in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    data = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = data.get("grade_id") if isinstance(data, dict) else None
    # not by nbformat.v4.new_…_cell: that validates each cell alone, which costs more than judging
    cell = nbformat.from_dict(
        {
            "cell_type": raw["cell_type"],
            "id": raw["id"] if isinstance(raw.get("id"), str) else "",
            "metadata": {},
            "source": source.encode("utf-8", errors="replace").decode("utf-8"),
        }
    )
    if raw["cell_type"] == "code":
        cell.outputs, cell.execution_count = [], None
    if isinstance(grade_id, str):
        cell.metadata["nbgrader"] = {"grade_id": grade_id}
    if isinstance(raw.get("attachments"), dict):
        cell["attachments"] = {
            name: {"image/png": found}
            for name, bundle in raw["attachments"].items()
            if (found := _png(bundle))
        }
    return cell


def _png(bundle):
    """The text of an attached PNG, as notebooks hold it, or None."""
    data = bundle.get("image/png") if isinstance(bundle, dict) else None
    if isinstance(data, list) and all(isinstance(d, str) for d in data):
        data = "".join(data)
    return data if isinstance(data, str) else None


def shown(name, most=80):
    """A name that a learner chose, as it may be shown: short, printable, without quotes and brackets."""
    text = (
        os.fsencode(name).decode("utf-8", errors="replace")
        if isinstance(name, Path)
        else name.encode("utf-8", errors="replace").decode()
    )
    text = "".join(c if c.isprintable() and c not in "`<>[]$\\" else "?" for c in text)
    return text if len(text) <= most else text[:most] + "…"


# ---------------------------------------------------------------- the folder around it


def tidy(folder, lesson):
    """Make a submission's folder safe to copy, and say what is odd about it. Links, pipes and devices make way for a small file that says what
    was there, a folder in the notebook's place and an unreadable time are renamed."""
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
            notes.append("`timestamp.txt` holds no time; the submission counts as one without.")
    for path in sorted(p for p, _ in _below(folder, folders=True)):
        for suffix, says in WAS.items():
            if path.name.endswith(suffix):
                notes.append(
                    f"`{shown(path.relative_to(folder).with_name(path.name.removesuffix(suffix)))}` {says}"
                )
    return notes


def copy(source, target):
    """Copy a submission's files into a new folder. Nothing else is followed or opened: `tidy` says what stands for it."""
    target = Path(target)
    target.mkdir(parents=True)
    if os.path.islink(source):
        _instead(target / "submission", "-was-a-link", os.readlink(source))
        return
    if not os.access(source, os.R_OK | os.X_OK):
        _instead(target / "submission", "-was-unreadable")
    for path, mode in _below(Path(source)):
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        if stat.S_ISLNK(mode):
            _instead(to, "-was-a-link", os.readlink(path))
        elif not stat.S_ISREG(mode):
            _instead(to, "-was-no-file")
        else:
            try:
                found = open(
                    path,
                    "rb",
                    opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK),
                )
            except OSError:
                _instead(to, "-was-unreadable")
                continue
            with (
                found,
                open(to, "xb") as copied,
            ):  # where the disk is full, this raises: a submission is collected whole or not at all
                shutil.copyfileobj(found, copied)


def _below(folder, folders=False):
    """(path, mode) of everything in a folder that is no folder itself (folders: of those, too), to a depth that people use; no link is followed."""
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
    """This path, or one like it that nothing occupies."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        stem = next((path.name.removesuffix(s), s) for s in (*WAS, "") if path.name.endswith(s))
        found = path.with_name(f"{stem[0]}-{number}{stem[1]}")
    return found


def timestamp(folder):
    """When it was submitted, as nbgrader's `timestamp.txt` says (UTC), or None."""
    try:
        return parse_utc(Path(folder, "timestamp.txt").read_text(encoding="utf-8")[:100].strip() or "none")
    except (OSError, ValueError, OverflowError, TypeError):
        return None


def placeholder(folder, lesson):
    """An empty file where no notebook lies, so that its absence is seen and counts zero. Nothing is overwritten."""
    path = Path(folder, f"{lesson}.ipynb")
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
