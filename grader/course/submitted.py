"""The notebook that somebody handed in, or saved: read from the bytes of a file, whatever they are. Never
raises on its content.

At home (`check`, `watch`) and in class the same reader reads it.
"""

import codecs
import itertools
import json
import os
import re
from pathlib import Path

import nbformat

from grader.course import pictures

NO_NOTEBOOK = "The file is no notebook"
CELLS = 2000  # of a notebook that are read
VALUES = 2_000_000  # in a file: what is far above that is made to fill the memory
WRITTEN = 4_000_000  # characters of all cells together that are read: a lesson has 40,000


def parse(data: bytes):
    """(notebook, notes) from the bytes of a file."""
    notes = []
    if not data.strip():
        return None, [
            "The notebook's file is empty: no notebook was submitted, or nothing was written into it."
        ]
    if len(data) > 1 << 20 and _values(data) > VALUES:
        return None, [f"{NO_NOTEBOOK}: it holds millions of lists, objects and values."]
    try:
        # what some editors and shells make of a file
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = data.decode("utf-16" if wide else "utf-8-sig")
        if wide:
            notes += ["The file is UTF-16 where a notebook is UTF-8; it was read as that."]
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        notes.append("The file is no valid UTF-8; the bytes that are none were replaced.")
    try:
        content = json.loads(text)
    except RecursionError:
        return None, [*notes, "The file is nested too deep to be a notebook."]
    except ValueError as error:
        return None, [*notes, f"{NO_NOTEBOOK}: it does not parse as JSON ({str(error)[:80]})."]
    if not isinstance(content, dict):
        return None, [*notes, f"{NO_NOTEBOOK}: JSON, but not a notebook's."]
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
        return None, [*notes, f"{NO_NOTEBOOK}: it has no list of cells."]
    if not content["cells"]:
        notes.append("The notebook has no cells.")
    if len(content["cells"]) > CELLS:
        notes.append(f"The notebook has {len(content['cells'])} cells; the first {CELLS} were read.")
    given = content["cells"][:CELLS]
    cells = [found for found in map(_cell, given) if found]
    sizes = itertools.accumulate(len(cell.source) for cell in cells)
    within = sum(1 for size in sizes if size <= WRITTEN)
    if within < len(cells):
        notes.append(f"The cells hold more than {WRITTEN} characters; the first {within} cells were read.")
    if len(cells) < len(given):
        notes.append(f"{len(given) - len(cells)} cells are damaged and were left out.")
    return nbformat.from_dict(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells[:within]}
    ), notes


def _values(data):
    """About how many values there are in JSON, without building them: brackets and commas outside of its strings."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', b"", data, flags=re.S)
    return bare.count(b"[") + bare.count(b"{") + bare.count(b",")


def _cell(raw):
    """A cell with nothing but its type, id, source, nbgrader's grade_id and pictures (name -> base64 or
    None); None where it is no cell."""
    if not isinstance(raw, dict) or raw.get("cell_type") not in ("code", "markdown", "raw"):
        return None
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(s, str) for s in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    data = None
    if isinstance(metadata, dict):
        data = metadata.get("nbgrader")
    grade_id = None
    if isinstance(data, dict):
        grade_id = data.get("grade_id")
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
    given = raw.get("attachments")
    named = (
        {name: pictures.attached(bundle) for name, bundle in given.items()} if isinstance(given, dict) else {}
    )
    if raw["cell_type"] != "code":
        # before anything is cut: a picture within the text would push the words behind it off the end
        cell.source, in_text = pictures.lifted(cell.source, named)
        named |= in_text
    if named:
        cell["attachments"] = named
    return cell


def shown(name: str, most: int = 80):
    """A name that a learner chose, as it may be shown: short, printable, without quotes and brackets."""
    if isinstance(name, Path):
        text = os.fsencode(name).decode("utf-8", errors="replace")
    else:
        text = name.encode("utf-8", errors="replace").decode()
    text = "".join(c if c.isprintable() and c not in "`<>[]$\\" else "?" for c in text)
    if len(text) <= most:
        return text
    return text[:most] + "…"
