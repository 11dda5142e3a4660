"""A learner's folder `work/`: the lessons, the page of losses, the progress. Nothing of the learner's is ever lost.

Jupyter is started here, on that folder.
"""

import hashlib
import json
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from grader.course.build import loads, released
from grader.course.cells import grade_id, marks
from grader.course.lessons import IS_CHECKOUT, RELEASES, ROOT, lessons, names
from grader.learner import progress

if TYPE_CHECKING:
    from nbformat import NotebookNode


WORK = (  # set it where many people share one copy of the course; `~` is whoever's home it is
    Path(os.environ.get("GRADER_WORK") or (ROOT if IS_CHECKOUT else Path.cwd()) / "work")
    .expanduser()
    .absolute()
)
LOSSES = "losses.ipynb"
BASES = (
    ".course"  # in the work folder: the releases as they were copied, to see later what is the learner's own
)
LAUNCHER = "course"
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
LANGUAGE = {  # what JupyterLab writes into a notebook that it opens: with it there, an untouched one stays as it is
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": sys.version.split()[0],
}
SETTINGS = Path(__file__).with_name("jupyter")


def prepare(work: Path = WORK) -> list[str]:
    """Bring the work folder up to date with the course; returns what the learner should be told, a sentence
    for each lesson.

    A lesson that is not there is copied. One that the course has changed since is brought up to date: an
    untouched copy is replaced, answers are carried over into the new text, and the notebook as it was is kept
    beside it.
    """
    work.mkdir(parents=True, exist_ok=True)
    book = work / progress.FILE
    state = progress.load(book)
    copied, news = dict(state["copied"]), []
    for lesson in lessons():
        path, now = work / lesson / f"{lesson}.ipynb", _digest(loads(released(lesson)))
        if path.exists() and copied.get(lesson) != now:
            news += _upgrade(work, lesson, copied.get(lesson))
        elif not path.exists():
            write_notebook(path, loads(released(lesson)))
        if copied.get(lesson) != now or not _base(work, lesson).exists():
            write_notebook(_base(work, lesson), loads(released(lesson)))
        copied[lesson] = now
    _write_losses(work, copied)
    for folder in (work, *(work / lesson for lesson in lessons())):
        _write_launcher(folder)
    progress.save(book, state | {"copied": copied, "news": news})
    return news


def _upgrade(work, lesson, copied):
    """Bring a learner's copy of a changed lesson up to date; returns what they should be told. copied: the
    digest of what they began from."""
    path, course = work / lesson / f"{lesson}.ipynb", loads(released(lesson))
    try:
        yours = loads(path)
    except Exception:  # damaged: nbformat raises many kinds
        return [
            (
                f"{lesson} has changed, but your notebook cannot be read: it stays as it is. "
                f'`fresh("{lesson}")` puts a new copy beside it.'
            )
        ]
    base = None
    if _base(work, lesson).exists():
        base = loads(_base(work, lesson))
    if _digest(yours) == _digest(course):
        return []
    if _digest(yours) == copied:  # nothing of theirs in it
        write_notebook(path, course)
        return []
    kept = _free(path.parent, f"{lesson}-before-upgrade")
    kept.write_bytes(path.read_bytes())
    write_notebook(path, carried_over(yours, base, course))
    what = "Your answers and your own cells are"
    if base is None:
        what = "Your answers are"
    return [
        f"The course has changed {lesson}. {what} in the new text; the notebook as it was is {kept.name}."
    ]


def carried_over(edited: "NotebookNode", base: "NotebookNode | None", release: "NotebookNode"):
    """The course's present notebook with what is the learner's own in it.

    edited: the learner's notebook; base: the release that it was begun from, or None. Theirs are: the text of
    solution cells, by grade_id; cells that they added, behind the cell that they stood behind; ordinary cells
    that they changed, where the course has not.
    """
    result = nbformat.from_dict(json.loads(json.dumps(release)))
    edited_cells = {_key(cell): cell for cell in edited.cells}
    were = {}
    if base is not None:
        were = {_key(cell): cell for cell in base.cells}
    keys_by_text = {cell.source: key for key, cell in were.items()}
    cells = []
    for cell in result.cells:
        mark = marks(cell)
        if mark.get("grade_id"):
            key = _key(cell)
        else:
            key = keys_by_text.get(cell.source)
        edited_cell = edited_cells.get(key)
        if (
            edited_cell is not None
            and edited_cell.cell_type == cell.cell_type
            and (mark.get("solution") or not mark)
        ):
            cell.source = edited_cell.source
        cells.append(cell)
    if base is not None:
        by_text = {cell.source: i for i, cell in enumerate(cells)}
        by_key = {_key(cell): i for i, cell in enumerate(cells)}  # the course may have changed its text
        for i, cell in reversed(list(enumerate(edited.cells))):
            if _key(cell) not in were:
                places = [by_text.get(c.source, by_key.get(_key(c))) for c in edited.cells[:i]]
                before = [place for place in places if place is not None]
                cells.insert(before[-1] + 1 if before else 0, cell)
    result.cells = cells
    return result


def _key(cell):
    """What a cell is recognised by: nbgrader's id where it has one, else its own."""
    return grade_id(cell) or cell.get("id")


def _base(work, lesson):
    return work / BASES / f"{lesson}.ipynb"


def _digest(nb):
    """What a notebook says, whatever the format of its file."""
    return hashlib.sha256("\n".join(cell.source for cell in nb.cells).encode()).hexdigest()[:16]


def write_notebook(path: Path, nb: "NotebookNode"):
    """Write a notebook as JupyterLab would, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nb.metadata.update(KERNEL | {"language_info": LANGUAGE})
    part = path.with_suffix(".part")
    part.write_text(nbformat.writes(nb) + "\n", encoding="utf-8")
    part.replace(path)


def _write_losses(work, copied):
    """The map, the paths and the page of losses as a notebook to read; one that the learner has written in
    stays as it is."""
    text = (RELEASES / "README.md").read_text(encoding="utf-8")
    text = text.replace("$`", "$").replace("`$", "$")  # formulas as a notebook writes them
    # what lies outside the lessons is not in the work folder
    text = text.replace("[read](../solutions/", "[](../")
    text = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", text)
    parts = ["## " + part if i else part for i, part in enumerate(text.split("\n## "))]
    cells = [nbformat.v4.new_markdown_cell(part.strip(), id=f"part-{i}") for i, part in enumerate(parts)]
    nb, path = nbformat.v4.new_notebook(cells=cells), work / LOSSES
    if not path.exists() or _digest(loads(path)) == copied.get(LOSSES):
        write_notebook(path, nb)
        copied[LOSSES] = _digest(nb)


def _write_launcher(work):
    """`./course` in a folder: JupyterLab's terminal opens in the one that its file browser shows, and finds
    no Python of the course by itself."""
    if os.name != "posix":
        return
    path = work / LAUNCHER
    path.write_text(
        f'#!/bin/sh\n# The course\'s commands, as in its own folder.\nexec "{sys.executable}" -m grader "$@"\n',
        encoding="utf-8",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def serve(port: int, browser: bool = True, teacher: bool = False, work: Path = WORK) -> int:
    """Run JupyterLab on the folder until it is stopped; returns its exit code. It asks nothing of the
    internet (see `grader/learner/jupyter/`).

    teacher: with nbgrader's tools for teachers, on the whole course.
    """
    if teacher:
        folder = ROOT
        configuration = [SETTINGS]
        options = ["--LabApp.default_url=/lab"]
    else:
        folder = work
        configuration = [SETTINGS / "learner", SETTINGS]
        options = []
    if not browser:
        options.append("--no-browser")
    if hasattr(os, "getuid") and os.getuid() == 0:
        options.append("--allow-root")
    environment = os.environ | {
        "JUPYTER_CONFIG_PATH": _joined(configuration, "JUPYTER_CONFIG_PATH"),
        "JUPYTER_PATH": _joined([SETTINGS], "JUPYTER_PATH"),
        "JUPYTER_TOKEN": os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(16),
    }
    words = [
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.port={port}",
        "--Application.log_level=ERROR",
    ]
    with _interrupts_are_the_servers():
        # a terminal opens in the folder that the server was started in: there is the launcher `./course`
        return subprocess.call([sys.executable, *words, *options], cwd=folder, env=environment)


class _interrupts_are_the_servers:
    """While the server runs, Ctrl+C is for it: it ends, and then so does this process, without an error."""

    def __enter__(self):
        # no SIG_IGN: the server would inherit that
        self.before = signal.signal(signal.SIGINT, self.wait_for_it)

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, self.before)

    def wait_for_it(self, *_):
        """The server has the signal, too."""


def is_open(browser: bool, teacher: bool, work: Path = WORK) -> bool:
    """Does a server run on the folder already? Then it is opened again, where there is a browser, and its
    address is said."""
    running = _running(ROOT if teacher else work)
    if running:
        print(f"The course is open already, at {running}")
        if browser:
            webbrowser.open(running)
    return bool(running)


def _joined(folders, variable):
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get(variable)])])


def _running(folder):
    """The address of a server that runs on this folder already, or ""."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server["root_dir"]) == folder:
            query = ""
            if server.get("token"):
                query = f"?token={server['token']}"
            return f"{server['url']}start{query}"
    return ""


def notebook_of(lesson: str, work: Path = WORK) -> Path:
    """The learner's notebook of a lesson, whether it is there or not."""
    return work / lesson / f"{lesson}.ipynb"


def fresh(lesson: str, work: Path = WORK):
    """Put the course's present copy of a lesson beside the learner's; returns its path."""
    path = _free(work / lesson, f"{lesson}-fresh")
    write_notebook(path, loads(released(lesson)))
    return path


def reset(lesson: str, name: str | None = None, work: Path = WORK):
    """Set one exercise, or the whole lesson, back to the release. The notebook as it was is kept: returns the
    path of that copy. Raises FileNotFoundError where there is no notebook, and ValueError where the lesson,
    or the notebook, has no such exercise."""
    path = work / lesson / f"{lesson}.ipynb"
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: `make lab` puts it there.")
    if name and name not in names(lesson):
        raise ValueError(f"{lesson} has no exercise {name!r}, only {', '.join(names(lesson))}.")
    course = loads(released(lesson))
    if name:
        new = loads(path)
        hits = [c for c in new.cells if grade_id(c) == name]
        if not hits:
            raise ValueError(f"{path} has no cell of the exercise {name!r} any more: reset the whole lesson.")
        for cell in hits:
            cell.source = next(c.source for c in course.cells if c.id == name)
    kept = _free(path.parent, f"{lesson}-before-reset")
    kept.write_bytes(path.read_bytes())
    write_notebook(path, new if name else course)
    book = work / progress.FILE
    state, gone = progress.load(book), [name] if name else list(names(lesson))
    progress.save(book, state | {"passed": [n for n in state["passed"] if n not in gone]})
    return kept


def after_reset(kept: Path) -> str:
    """What is said after a reset: the notebook may be open, and saving it there would undo the reset."""
    return (
        f"Done. The notebook as it was is kept in `{kept}`.\nIs it open in JupyterLab? Then reload it "
        "before anything else: File > Reload Notebook from Disk, or “Revert” where JupyterLab asks. "
        "“Overwrite” would put the old text back."
    )


def _free(folder, stem):
    """A path in the folder that no file has yet: stem.ipynb, stem-2.ipynb, …"""
    number = 1
    while (path := folder / f"{stem}{'' if number == 1 else f'-{number}'}.ipynb").exists():
        number += 1
    return Path(path)
