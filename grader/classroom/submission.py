"""Read whatever lies where a submission should lie. Never raises on its content: what cannot be read becomes a placeholder and a note."""
import json
import os
import stat
from pathlib import Path

import nbformat
from nbgrader.utils import parse_utc

LARGEST = 256 << 20     # bytes of a notebook file that are read


def read(path):
    """(notebook, notes): the submitted notebook in today's format, or None where there is none, and what is to be said about it."""
    try:
        info = os.lstat(path)
    except OSError:
        return None, ["No notebook was submitted."]
    if stat.S_ISLNK(info.st_mode):
        return None, ["In the notebook's place lies a link. Links are not followed."]
    if not stat.S_ISREG(info.st_mode):
        return None, [f"In the notebook's place lies {'a folder' if stat.S_ISDIR(info.st_mode) else 'no file'}."]
    if info.st_size > LARGEST:
        return None, [f"The notebook has {info.st_size >> 20} MB; at most {LARGEST >> 20} are read."]
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        return None, [f"The notebook cannot be read: {error.strerror}."]
    return parse(data)


def parse(data):
    """(notebook, notes) from the bytes of a file."""
    notes = []
    if not data.strip():
        return None, ["The notebook's file is empty."]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
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
    if isinstance(version, int) and not isinstance(version, bool) and version < 4 and isinstance(content.get("worksheets", content.get("cells")), list):
        try:
            content = nbformat.convert(nbformat.from_dict(content), 4)
            notes.append(f"The notebook has the old format {version}; it was converted.")
        except Exception:       # a damaged old notebook fails in many ways
            return None, [*notes, f"The notebook claims the old format {version}, and cannot be converted from it."]
    elif version != 4:
        notes.append(f"The notebook claims the format {str(version)[:20]}; it was read as format 4.")
    cells = [found for found in map(_cell, content.get("cells") or ()) if found] if isinstance(content.get("cells"), list) else None
    if cells is None:
        return None, [*notes, "The file is no notebook: it has no list of cells."]
    if len(cells) < len(content["cells"]):
        notes.append(f"{len(content['cells']) - len(cells)} cells are damaged and were left out.")
    return nbformat.v4.new_notebook(cells=cells), notes


def _cell(raw):
    """A cell with nothing but its type, id, source, nbgrader's metadata and attachments; None where it is no cell."""
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
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell, "raw": nbformat.v4.new_raw_cell}[raw["cell_type"]]
    cell = make(source.encode("utf-8", errors="replace").decode("utf-8"))
    cell.id = raw["id"] if isinstance(raw.get("id"), str) else ""
    if isinstance(grade_id, str):
        cell.metadata["nbgrader"] = {"grade_id": grade_id}
    if isinstance(raw.get("attachments"), dict):
        cell["attachments"] = raw["attachments"]
    return cell


def tidy(folder, lesson):
    """Make a submission's folder safe to copy: links, pipes and devices are dropped, a folder in the notebook's place is renamed. Notes."""
    notes = []
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            mode = os.lstat(path).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                notes.append(f"`{path.relative_to(folder)}` is {'a link' if stat.S_ISLNK(mode) else 'no file'}, and was dropped.")
                path.unlink()
    stamp = Path(folder, "timestamp.txt")
    if stamp.is_file() and timestamp(folder) is None:
        stamp.replace(stamp.with_name("timestamp.txt-unreadable"))     # nbgrader ends its whole run at one
        notes.append("`timestamp.txt` holds no time; the submission counts as one without.")
    notebook = Path(folder, f"{lesson}.ipynb")
    if notebook.is_dir():
        aside = notebook.with_name(f"{lesson}.ipynb-was-a-folder")
        notebook.rename(aside)
        notes.append(f"In the notebook's place lay a folder; it is kept as `{aside.name}`.")
    return notes


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
