"""A learner's folder `work/`: copies of the lessons, a start page, and the progress. Nothing of the learner's is ever overwritten."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import nbformat

from grader.course.build import loads, released
from grader.course.lessons import IS_CHECKOUT, ROOT, exercises_of, lessons
from grader.learner import progress

START = "start.ipynb"
WORK = Path(
    os.environ.get("GRADER_WORK") or (ROOT if IS_CHECKOUT else Path.cwd()) / "work"
).absolute()  # set it where many people share one copy of the course


def _digest(path):
    """What a release says, whatever the format of its file."""
    return hashlib.sha256("\n".join(c.source for c in loads(path).cells).encode()).hexdigest()[:16]


def prepare(work=WORK):
    """Copy the lessons that are not there yet, write the start page; returns the names of the lessons that the course has changed since
    they were copied."""
    work.mkdir(parents=True, exist_ok=True)
    book = work / progress.FILE
    state = progress.load(book)
    copied, changed = dict(state.get("copied", {})), []
    for lesson in lessons():
        target, now = work / lesson / f"{lesson}.ipynb", _digest(released(lesson))
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(released(lesson).read_bytes())
            copied[lesson] = now
        elif copied.get(lesson) != now:
            changed.append(lesson)
    progress.save(book, state | {"copied": copied})
    write_start(work, changed)
    return changed


def write_start(work, changed=()):
    """The start page: generated at each start, so that it says where one is."""
    summary = progress.summary(work / progress.FILE)
    done = sum(len(p) for _, p, _ in summary)
    total = done + sum(len(o) for _, _, o in summary)
    ahead = next(((lesson, o[0]) for lesson, p, o in summary if o), None)
    lines = [
        "# Classification losses, from their definitions to PyTorch",
        "",
        f"**{done} of {total} exercises pass.** "
        + (
            f"Next: [{ahead[0]}]({ahead[0]}/{ahead[0]}.ipynb), exercise `{ahead[1]}`."
            if ahead
            else "The course is done."
        ),
        "",
        "| lesson | exercises passed | where you are |",
        "|---|---|---|",
    ]
    for lesson, passed, open_ in summary:
        state = "done" if not open_ else f"next: `{open_[0]}`" if passed else ""
        lines.append(
            f"| [{lesson}]({lesson}/{lesson}.ipynb) | {len(passed)} of {len(passed) + len(open_)} | {state} |"
        )
    lines += [
        "",
        "Open a lesson, run its cells from the top (Shift+Enter, or the button *Run all*), write your answers where it says `YOUR CODE HERE`, and run the `check` below each. "
        '`hint("name")` helps; `progress()` shows this table with what you have done since.',
    ]
    for lesson in changed:
        lines.append(
            f"\nThe course has changed **{lesson}** since you began it. Your copy stays as it is; "
            f"`python -m grader fresh {lesson}` puts a new one beside it."
        )
    cells = [
        nbformat.v4.new_markdown_cell("\n".join(lines), id="where"),
        nbformat.v4.new_code_cell("from grader import progress\n\nprogress()", id="progress"),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), work / START)


def serve(port, browser=True, work=WORK):
    """Run JupyterLab on the folder until it is stopped; returns its exit code. It asks nothing of the internet (see `grader/learner/jupyter/`)."""
    settings = [str(Path(__file__).with_name("jupyter")), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    environment = os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, settings))}
    options = [] if browser else ["--no-browser"]
    if hasattr(os, "getuid") and os.getuid() == 0:
        options.append("--allow-root")
    return subprocess.call(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            f"--ServerApp.root_dir={work}",
            f"--ServerApp.port={port}",
            f"--LabApp.default_url=/lab/tree/{START}",
            *options,
        ],
        cwd=ROOT,
        env=environment,
    )


def fresh(lesson, work=WORK):
    """Put the course's present copy of a lesson beside the learner's; returns its path."""
    path = _free(work / lesson, f"{lesson}-fresh")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(released(lesson).read_bytes())
    book = work / progress.FILE
    state = progress.load(book)
    progress.save(book, state | {"copied": state.get("copied", {}) | {lesson: _digest(released(lesson))}})
    return path


def reset(lesson, name=None, work=WORK):
    """Set one exercise, or the whole lesson, back to the release. The notebook as it was is kept: returns the path of that copy."""
    path = work / lesson / f"{lesson}.ipynb"
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: `make lab` puts it there.")
    if name and name not in exercises_of(lesson):
        raise ValueError(f"{lesson} has no exercise {name!r}, only {', '.join(exercises_of(lesson))}.")
    course = loads(released(lesson))
    if name:
        new = loads(path)
        hits = [c for c in new.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name]
        if not hits:
            raise ValueError(f"{path} has no cell of the exercise {name!r} any more: reset the whole lesson.")
        for cell in hits:
            cell.source = next(c.source for c in course.cells if c.id == name)
    kept = _free(path.parent, f"{lesson}-before-reset")
    kept.write_bytes(path.read_bytes())
    if name:
        nbformat.write(new, path)
    else:
        path.write_bytes(released(lesson).read_bytes())
    book = work / progress.FILE
    state, gone = progress.load(book), [name] if name else list(exercises_of(lesson))
    progress.save(book, state | {"passed": [n for n in state["passed"] if n not in gone]})
    return kept


def _free(folder, stem):
    """A path in the folder that no file has yet: stem.ipynb, stem-2.ipynb, …"""
    number = 1
    while (path := folder / f"{stem}{'' if number == 1 else f'-{number}'}.ipynb").exists():
        number += 1
    return Path(path)
