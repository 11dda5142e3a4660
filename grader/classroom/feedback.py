"""A learner's feedback: one page that stands alone, made by `nbgrader generate_feedback` with the exporter
and the preprocessor below.

It holds the score, each exercise's verdict as Examine wrote it, the learner's code, open answers, and the
teacher's comments. Of outputs only the verdicts are taken, so nothing else that code printed can get in;
paths of the machine that graded are cut down to a file's name.
"""

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from nbconvert.exporters.templateexporter import TemplateExporter
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import default
from traitlets.config import Config

from grader.classroom import prose
from grader.classroom.marks import read
from grader.course.cells import marks as cell_marks
from grader.course.pictures import numbered
from grader.course.rebuild import without_paths

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from grader.classroom.marks import Marks


TEMPLATES = Path(__file__).parent / "templates"
MARKER = "grader-feedback"  # in the page's head: says of what it was made


class Page(TemplateExporter):
    """Exports a submission through the template `feedback` of this package, whatever templates are configured
    for other pages."""

    output_mimetype = "text/html"

    def default_filters(self):
        """nbconvert's filters, and those that set formulas and take links away."""
        yield from super().default_filters()
        yield "prose", prose.prose
        yield "comment", prose.comment

    @default("file_extension")
    def _file_extension_default(self):
        return ".html"

    @property
    def default_config(self):
        c = Config(
            {
                "Page": {
                    "template_name": "feedback",
                    "extra_template_basedirs": [str(TEMPLATES)],
                    "extra_template_paths": [str(TEMPLATES)],
                }
            }
        )
        c.merge(super().default_config)
        return c


class Verdicts(NbGraderPreprocessor):
    """Gathers what the page says, from the graded notebook and, read once for all of a run, the gradebook."""

    def preprocess(self, nb: "NotebookNode", resources: dict):
        about = resources["nbgrader"]
        student, lesson = about["student"], about["assignment"]
        marks = self._marks(about["db_url"], lesson).get(student)
        if marks is None:
            raise KeyError(f"The gradebook has no submission of {lesson} by {student}: grade it again.")
        coursedir = self.parent.parent.coursedir
        graded = Path(
            coursedir.root,
            coursedir.format_path(coursedir.autograded_directory, student, lesson),
            f"{about['notebook']}.ipynb",
        )
        resources["feedback"] = content(nb, marks) | {
            "student": student,
            "lesson": lesson,
            "marker": MARKER,
            "made_of": made_of(graded, marks),
        }
        return nb, resources

    def _marks(self, url, lesson):
        known = self.__dict__.setdefault("_known", {})
        if (url, lesson) not in known:
            with Gradebook(url) as gradebook:
                known[url, lesson] = read(gradebook.db, lesson)
        return known[url, lesson]


def content(nb: "NotebookNode", marks: "Marks"):
    """What the page says of a graded notebook, as plain data. Pure."""
    parts, code, before = [], {}, ""
    for cell in nb.cells:
        data = cell_marks(cell)
        name = data.get("grade_id", "")
        # an exercise is two cells, the learner's code and the graded one; an open question is one
        if data.get("solution") and not data.get("grade"):
            code[name] = cell.source
        elif data.get("grade") or data.get("task"):
            mark, about = marks.cells.get(name), name.removeprefix("test_")
            common = {
                "name": about,
                "score": mark.score if mark else 0.0,
                "most": mark.most if mark else data.get("points", 0),
                "by_hand": bool(mark and mark.manual is not None),
                "again": bool(mark and mark.again),
                "comment": marks.comments.get(about) or marks.comments.get(name),
            }
            if data.get("solution") or data.get("task"):
                answer, pictures = numbered(cell)
                parts.append(
                    common
                    | {
                        "kind": "question",
                        "asked": before,
                        "answer": answer,
                        "pictures": pictures,
                        "waiting": bool(mark and mark.waiting),
                    }
                )
            else:
                parts.append(
                    common
                    | {
                        "kind": "exercise",
                        "panel": _panel(cell),
                        "status": _status(cell),
                        "code": code.get(about),
                    }
                )
        if cell.cell_type == "markdown":
            before = cell.source
    return {
        "parts": parts,
        "notes": [without_paths(n) for n in nb.metadata.get("grader", {}).get("notes", ())],
        "penalty": marks.penalty,
        "score": marks.score,
        "most": sum(p["most"] for p in parts),
        "waiting": any(mark.waiting for mark in marks.cells.values()),
        "again": any(mark.again for mark in marks.cells.values()),
    }


def _panel(cell):
    """The verdict's panel. Examine wrote it, and escaped what came from the learner."""
    return next(
        (
            without_paths(o.data["text/html"])
            for o in cell.get("outputs", ())
            if o.output_type == "display_data" and "text/html" in o.data
        ),
        "",
    )


def _status(cell):
    found = next(
        (
            o.metadata["grader"]["verdict"]
            for o in cell.get("outputs", ())
            if o.output_type == "display_data" and "grader" in o.metadata
        ),
        {},
    )
    return found.get("status", "")


def made_of(notebook: Path, marks: "Marks"):
    """A digest of all that a page depends on: the graded notebook, the marks and comments, the template."""
    state = Path(notebook).stat()
    parts = (
        state.st_mtime_ns,
        state.st_size,
        sorted(marks.cells.items(), key=str),
        sorted(marks.comments.items()),
        marks.penalty,
        _template(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@functools.cache
def _template():
    files = [Path(__file__), *sorted(TEMPLATES.rglob("*.*"))]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def is_current(page: Path, digest: str):
    """Was this page made of just that?"""
    try:
        with open(page, encoding="utf-8") as file:
            return f'name="{MARKER}" content="{digest}"' in file.read(1500)
    except (OSError, UnicodeDecodeError):
        return False
