"""What the course adds to Jupyter's server: the start page at `/start`, what is left of a slider when a
notebook is saved, four lines to begin with.

Loaded by `grader/learner/jupyter/jupyter_lab_config.json`. It needs no torch, so that the server starts at once.
"""

import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

import tornado.web
from jinja2 import Environment, PackageLoader, select_autoescape
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join

from grader.course.lessons import RELEASES, find, lessons, minutes, title
from grader.learner import progress

WIDGET = "application/vnd.jupyter.widget-view+json"
AGAIN = "Run this cell again: then a slider moves the picture."


def _load_jupyter_server_extension(app):
    """Called by Jupyter's server when it starts."""
    start = url_path_join(app.web_app.settings["base_url"], "start")
    app.web_app.add_handlers(".*$", [(start, StartPage, {"work": Path(app.root_dir)})])
    os.environ["GRADER_START"] = start  # the kernels inherit it: a lesson's end leads here
    app.io_loop.add_callback(lambda: print(greeting(app), flush=True))


def without_sliders(model: dict, **_):
    """Before a notebook is saved: a slider lives as long as its kernel, so what is kept is a line that says
    how to get it back."""
    if model["type"] != "notebook":
        return
    for cell in model["content"]["cells"]:
        outputs = cell.get("outputs", [])
        kept = [output for output in outputs if WIDGET not in output.get("data", {})]
        if len(kept) < len(outputs):
            line = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": AGAIN}}
            cell["outputs"] = [*kept, line]


def greeting(app) -> str:
    """What a terminal says while the course is open: where it is, and how one ends it."""
    token = app.identity_provider.token
    address = f"http://localhost:{app.port}{app.base_url}start" + (f"?token={token}" if token else "")
    lines = [
        f"The course is open at {address}",
        f"Your work is kept in {app.root_dir}. Ctrl+C here ends it.",
    ]
    if not app.open_browser:
        lines += [
            "To open that address on another computer, first run there",
            f"    ssh -N -L {app.port}:localhost:{app.port} {os.environ.get('USER', 'you')}@{socket.gethostname()}",
        ]
    return "\n".join(lines)


class StartPage(JupyterHandler):
    """The start page, made anew each time it is looked at."""

    def initialize(self, work: Path):
        self.work = work

    @tornado.web.authenticated
    def get(self):
        self.set_header("Cache-Control", "no-store")
        self.finish(page(self.work, self.base_url))


def page(work: Path, base: str) -> str:
    """The start page of a work folder as HTML. base: the server's base address, as `/`."""
    book = work / progress.FILE
    state, summary = progress.load(book), progress.summary(book)
    rows = [
        {
            "name": lesson,
            "title": title(lesson),
            "minutes": minutes(lesson),
            "passed": len(passed),
            "total": len(passed) + len(left),
            "next": left[0] if left and passed else "",
        }
        for lesson, passed, left in summary
    ]
    guesses = [guess for guess in state["guesses"].values() if "right" in guess]
    hunts = state["hunt"].values()
    template = Environment(
        loader=PackageLoader("grader.learner", "."), autoescape=select_autoescape(["html", "j2"])
    ).get_template("start.html.j2")
    return template.render(
        base=base,
        rows=rows,
        ahead=ahead(summary, state["last"]),
        titles={row["name"]: row for row in rows},
        done=sum(row["passed"] for row in rows),
        total=sum(row["total"] for row in rows),
        paths=paths(),
        news=state["news"],
        hints=sum(state["hints"].values()),
        guessed=(sum(guess["right"] for guess in guesses), len(guesses)),
        hunted=(sum(hunt["points"] for hunt in hunts), sum(len(hunt["named"]) for hunt in hunts)),
    )


def ahead(summary: Sequence[tuple[str, Sequence[str], Sequence[str]]], latest: str) -> tuple[str, str] | None:
    """(lesson, exercise) to go on with: in the lesson somebody was at last, else in the next one that has
    something open."""
    waiting = [(lesson, left[0]) for lesson, _, left in summary if left]
    here = [pair for pair in waiting if pair[0] == latest]
    after = [pair for pair in waiting if pair[0] > latest]
    return next(iter([*here, *after, *waiting]), None)


def paths() -> list[tuple[str, list[str]]]:
    """The paths through the course that the overview describes: (what it is, names of lessons) each."""
    text = (RELEASES / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## \w+ paths$(.*?)^## ", text, flags=re.M | re.S)
    if section is None:
        return []
    steps = []
    for item in re.split(r"^\d+\. ", section[1], flags=re.M)[1:]:
        named = re.match(r"\*\*(.+?)\*\*", item)
        on_it = dict.fromkeys(re.findall(r"\]\((\d\d_\w+)/", item))
        steps.append(
            (named[1].rstrip(".") if named else "", [find(name) for name in on_it if name in lessons()])
        )
    return steps
