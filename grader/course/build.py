"""From a lesson's text to its two notebooks: the instructor's, freshly executed, and the release, through nbgrader.

A lesson is `solutions/NN_slug.py` in jupytext's percent format. Four kinds of cells are marked:
- `# %% exercise="bce"` defines the exercise `bce`, its answer between `### BEGIN SOLUTION` and
  `### END SOLUTION`.
- `# %% [markdown] passed="bce"` is text that would answer it: `check` shows it with the pass, and it is a cell
  of neither notebook.
- `# %% fold="The derivation"` (code or Markdown) is there to be opened, for those who want to.
- `# %% [markdown] question="why_log" points=2` is the model answer to an open question that a person grades.

Added by the build: behind every exercise the graded cell `check("bce")`; links on the names of other lessons;
the tag `raises-exception` on answers and checks, so that Run All goes on past them; folds over plotting code;
a last cell that leads on.
"""

import ast
import functools
import hashlib
import html
import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import jupytext
import nbformat
from nbclient import NotebookClient

from grader.course.cells import grade_id
from grader.course.files import write_whole
from grader.course.heard import heard
from grader.course.imports import closure, modules
from grader.course.lessons import RELEASES, ROOT, SOLUTIONS, exercises, exercises_of, lessons, slug

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from grader.judging.exercise import Exercise


BUILT = ROOT / ".cache" / "built.json"  # not in the repository: what was built last on this machine


class LessonError(Exception):
    """A lesson's text that cannot be built; says which cell, and what to do."""


def text_of(lesson: str):
    """The path of the lesson's source."""
    return SOLUTIONS / f"{lesson}.py"


def instructors(lesson: str):
    """The path of the instructor's notebook."""
    return SOLUTIONS / lesson / f"{lesson}.ipynb"


def released(lesson: str):
    """The path of the release."""
    return RELEASES / lesson / f"{lesson}.ipynb"


MARKS = ("exercise", "question", "points", "passed", "fold")
GOES_ON = "raises-exception"  # the tag of cells behind which Run All does not stop
DRAW = {"show", "interact"}  # the calls that end a figure
NO_ANSWERS = "This copy of the course comes without its answers."


def notebook(text: str, lesson: str):
    """The instructor's notebook of a text, not yet executed: graded cells added, ids and nbgrader's metadata
    set. Pure.

    Raises LessonError, which names the text's cell and what to change: an exercise without a cell or a cell
    without an exercise, an answer that would stay in the release, a name of an exercise that is bound
    elsewhere, guesses without their outcome.
    """
    source = jupytext.reads(text, fmt="py:percent")
    defined = exercises_of(lesson)
    cells, seen = [], []
    latest = None  # the exercise whose cell, or text shown with its pass, was the last one
    for cell in source.cells:
        name, question, points, passed, fold = (cell.metadata.pop(mark, None) for mark in MARKS)
        where = _where(cell, lesson)
        # text that is shown with the pass, and is a cell of neither notebook
        if passed:
            if passed != latest or cell.cell_type != "markdown":
                raise LessonError(
                    f'{where}: passed="{passed}" marks a Markdown cell directly behind the cell of that exercise.'
                )
            continue
        latest = name
        # the cell that a learner writes, and behind it the graded one
        if name:
            if name not in defined:
                raise LessonError(
                    f"{where}: no exercise {name!r} in grader/exercises/{lesson[3:]}.py, only {list(defined)}."
                )
            if not _binds(cell.source, name) or "### BEGIN SOLUTION" not in cell.source:
                raise LessonError(
                    f"{where}: an exercise cell defines {name} and holds its answer between ### BEGIN "
                    "SOLUTION and ### END SOLUTION."
                )
            seen.append(name)
            cell.metadata["tags"] = [GOES_ON]
            cells.append(_graded(cell, name, solution=True))
            test = nbformat.v4.new_code_cell(f'check("{name}")', metadata={"tags": [GOES_ON]})
            cells.append(_graded(test, f"test_{name}", grade=True, points=defined[name].points))
        # the model answer to an open question, and the cell that shows it
        elif question:
            cells.append(_graded(cell, question, grade=True, solution=True, points=points))
            cells.append(nbformat.v4.new_code_cell(f'solution("{question}")', id=f"answer_{question}"))
        # everything else, which may neither give an answer away nor take an exercise's name
        else:
            if "BEGIN SOLUTION" in cell.source:
                raise LessonError(
                    f"{where}: a solution outside an exercise cell would stay in the release. Mark "
                    'the cell exercise="…".'
                )
            bound = [n for n in defined if cell.cell_type == "code" and _binds(cell.source, n)]
            if bound:
                raise LessonError(
                    f"{where}: it binds {bound[0]!r}, the name of an exercise, and would replace the "
                    "learner's answer. Take another name."
                )
            cells.append(_folded(cell, fold))
    if missing := set(defined) - set(seen):
        example = sorted(missing)[0]
        raise LessonError(
            f"solutions/{lesson}.py: no cell for {', '.join(sorted(missing))}, defined in "
            f'grader/exercises/{lesson[3:]}.py. Add one under a heading that names it: # %% exercise="{example}"'
        )
    _guesses_come_in_pairs(cells, lesson)
    # links between lessons, ids that are the same at every build, and the last cell, which leads on
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, lesson)
    for i, cell in enumerate(cells):
        if not cell.id.startswith("answer_"):
            cell.id = grade_id(cell) or f"cell-{i:03d}"
    cells.append(nbformat.v4.new_code_cell(CLOSING.format(lesson), id="finish"))
    kernel = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


CLOSING = """from grader import finish

finish("{}")"""


def _where(cell, lesson):
    """The beginning of a sentence about a cell."""
    if not cell.source.strip():
        return lesson
    return f"{lesson}, the cell that starts with {cell.source.strip().splitlines()[0][:60]!r}"


def _folded(cell, fold):
    """The cell, folded where its mark has a title, or where it draws a figure and its mark does not say
    otherwise (`fold=""`)."""
    if cell.cell_type == "markdown":
        if fold:
            cell.source = f"<details><summary>{html.escape(fold)}</summary>\n\n{cell.source}\n\n</details>"
    elif fold or (fold is None and _draws(cell.source)):
        cell.metadata["jupyter"] = {"source_hidden": True}
    return cell


def _draws(source):
    """Does this code itself end a figure (`show("…")`, `interact(draw, …)`), not only a function that it defines?"""
    outside = [
        node for node in ast.parse(_without_magics(source)).body if not isinstance(node, ast.FunctionDef)
    ]
    return any(name in DRAW for node in outside for name, _ in _calls(ast.unparse(node)))


def _calls(source):
    """The calls of plain names in some code: (name, node) each."""
    for node in ast.walk(ast.parse(_without_magics(source))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def _guesses_come_in_pairs(cells, lesson):
    """Every `guess("name", …)` is followed by one `guessed("name", …)`, and the other way round."""
    asked, answered = [], []
    for cell in cells:
        if cell.cell_type != "code":
            continue
        for name, node in _calls(cell.source):
            if name not in ("guess", "guessed"):
                continue
            label = None
            if node.args:
                label = getattr(node.args[0], "value", None)
            if not isinstance(label, str):
                raise LessonError(
                    f"{_where(cell, lesson)}: {name} begins with the name of the guess, a text."
                )
            if name == "guess":
                asked.append(label)
            elif label not in asked:
                raise LessonError(f'{_where(cell, lesson)}: no guess("{label}", …) stands before it.')
            else:
                answered.append(label)
    if sorted(asked) != sorted(answered) or len(set(asked)) < len(asked):
        odd = sorted({label for label in asked if asked.count(label) != 1 or answered.count(label) != 1})
        raise LessonError(f"{lesson}: one guess and one guessed for each name; look at {', '.join(odd)}.")


def linked(markdown: str, lesson: str) -> str:
    """The text with a link on every name of another lesson: `02_bce` in backticks becomes
    [02_bce](../02_bce/02_bce.ipynb)."""

    def link(match: re.Match):
        name = match[1]
        if name == lesson or name not in lessons():
            return match[0]
        return f"[{name}](../{name}/{name}.ipynb)"  # no code: of code in a link JupyterLab shows no link

    return re.sub(r"(?<!\[)`(\d\d_\w+)`", link, markdown)


def _graded(cell, grade_id, *, grade=False, solution=False, points=None):
    data = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    cell.metadata["nbgrader"] = data | ({"points": points} if grade else {})
    return cell


def _without_magics(source):
    """The code with IPython's own lines (`%time`, `!ls`) left out."""
    return "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


def _binds(source, name):
    """Does this code bind the name at its top level (assignment, def, class, import, loop)?"""
    try:
        tree = ast.parse(_without_magics(source))
    except SyntaxError as error:
        raise LessonError(f"A code cell does not parse: {error}\n{source}") from error
    inner = {
        id(n)
        for f in ast.walk(tree)
        if isinstance(f, (ast.FunctionDef, ast.ClassDef, ast.Lambda))
        for n in ast.walk(f)
        if n is not f
    }
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        if isinstance(node, (ast.Import, ast.ImportFrom)) and any(
            (a.asname or a.name) == name for a in node.names
        ):
            return True
    return False


def execute(nb: "NotebookNode", lesson: str):
    """Run every cell in a fresh kernel and keep the outputs; raises LessonError where a cell does not run."""
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            nb,
            kernel_name="python3",
            extra_arguments=["--log-level=ERROR"],  # ipykernel warns of TCP at every start
            timeout=300,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        ).execute()
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error" or output.output_type == "stream" and output.name == "stderr":
                text = output.get("text") or f"{output.ename}: {output.evalue}"
                raise LessonError(f"{lesson}, cell {cell.id}: {text.strip()}\n{cell.source}")
    nb.metadata.pop("language_info", None)  # the patch version of Python would differ from machine to machine
    return nb


def dumps(nb: "NotebookNode"):
    """The notebook as text, the same bytes for the same notebook."""
    return nbformat.writes(nb, version=nbformat.NO_CONVERT) + "\n"


def build(lesson: str, again: bool = False, figures_read: bool = False) -> bool:
    """Write both notebooks of a lesson, the instructor's freshly executed.

    Returns False, and writes nothing, where all that they are made of is as it was at the last build on this
    machine, and so are they. Raises LessonError where the text cannot be built. again: build all the same;
    figures_read: a figure may have changed while its words did not, for somebody has read them.
    """
    if not again and _built().get(lesson) == _ingredients(lesson):
        return False
    _execute_and_write(lesson, figures_read)
    release(lesson)
    BUILT.parent.mkdir(exist_ok=True)
    BUILT.write_text(json.dumps(_built() | {lesson: _ingredients(lesson)}, indent=1), encoding="utf-8")
    return True


def _built() -> dict[str, str]:
    """What each lesson was made of when it was last built on this machine; nothing where that is not known."""
    try:
        return json.loads(BUILT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _ingredients(lesson: str) -> str:
    """A digest of all that a lesson's notebooks are made of, and of the notebooks."""
    names = {"grader", "grader.figures", "grader.course.build", f"grader.exercises.{slug(lesson)}"}
    files = [modules()[name] for name in closure(names & modules().keys())]
    files += [ROOT / "environment.yml", text_of(lesson), instructors(lesson), released(lesson)]
    parts = [path.read_bytes() if path.is_file() else b"" for path in files]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _execute_and_write(lesson, figures_read):
    """Write the instructor's notebook of a lesson, freshly executed."""
    nb = execute(notebook(text_of(lesson).read_text(encoding="utf-8"), lesson), lesson)
    path = instructors(lesson)
    if path.is_file() and not figures_read:
        stored = loads(path)
        keep_measured(stored, nb)
        for words in outdated(figures(stored), figures(nb)):
            raise LessonError(
                f"{lesson}: a figure has changed, and its text alternative has not: {words[:80]!r}. Look "
                "at the figure, read the sentence in its `show(…)`, and change it; where it is still "
                "true, build with --figures-read."
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(nb), encoding="utf-8")


def keep_measured(stored: "NotebookNode", nb: "NotebookNode") -> None:
    """Let each figure that shows a time (`show(…, measured=True)`) keep the picture that is stored.

    It comes out different at every build, and would change the repository although nothing has been changed.
    A cell whose code or words are new gets its new picture; so does every cell after --figures-read.
    """
    kept = {}
    for cell, output, mark in _pictures(stored):
        kept[cell.source, mark["alt"]] = output["data"]
    for cell, output, mark in _pictures(nb):
        if "drawn" not in mark and (cell.source, mark["alt"]) in kept:
            output["data"] = kept[cell.source, mark["alt"]]


def _pictures(nb):
    """Each figure of an executed notebook: its cell, its output, what `show` noted beside it."""
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            mark = output.get("metadata", {}).get("image/png", {})
            if "alt" in mark:
                yield cell, output, mark


def figures(nb: "NotebookNode") -> dict[str, str]:
    """The figures of an executed notebook: text alternative -> digest of what is drawn."""
    return {mark["alt"]: mark["drawn"] for _, _, mark in _pictures(nb) if "drawn" in mark}


def outdated(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The text alternatives that stand beside another figure than the one they were written for.

    >>> outdated({"A line that rises.": "1f", "Bars.": "2a"}, {"A line that rises.": "9c", "Bars.": "2a"})
    ['A line that rises.']
    """
    return [words for words, drawn in after.items() if before.get(words, drawn) != drawn]


def programs_on_path():
    """Put this Python's own programs on PATH: nbgrader calls `alembic` by its name."""
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PATH", "")]))


def release(lesson: str, target: str | Path = RELEASES, database: str | None = None, course_id: str = ""):
    """Write the release of a lesson from its instructor's notebook, through nbgrader. database: of the
    gradebook that is to know the lesson. Raises LessonError with nbgrader's reason where it cannot make
    it."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    programs_on_path()
    config = Config()
    config.CourseDirectory.root = str(ROOT)
    config.CourseDirectory.course_id = course_id
    config.CourseDirectory.source_directory = "solutions"
    config.Application.log_level = 40
    config.Exchange.root = tempfile.gettempdir()  # nbgrader looks at one, and there may be none
    path = Path(target, lesson, f"{lesson}.ipynb")
    with tempfile.TemporaryDirectory() as folder:
        config.CourseDirectory.release_directory = folder
        config.CourseDirectory.db_url = database or f"sqlite:///{folder}/gradebook.db"
        api = NbGraderAPI(config=config)
        with heard(api) as said:
            result = api.generate_assignment(lesson, force=True, create=True)
        if not result["success"]:
            raise LessonError(f"nbgrader could not make the release of {lesson}: {said.reason(result)}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        # nbgrader deletes the old release first: whoever reads it now still finds one
        write_whole(path, Path(folder, lesson, path.name).read_text(encoding="utf-8"))
    return path


@functools.cache
def lends(module: str) -> tuple[str, ...]:
    """The exercises of earlier lessons that the release of a lesson, as "bce", takes through `ready`. Read
    once a process."""
    order = [slug(name) for name in lessons()]
    cells = loads(released(lessons()[order.index(module)])).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "code")
    names = dict.fromkeys(re.findall(r"""\bready\(\s*["'](\w+)["']""", text))
    known = exercises()
    return tuple(n for n in names if n in known and order.index(known[n].lesson) < order.index(module))


@functools.cache
def solution_cells(lesson: str):
    """The lesson's exercise cells, by name: their source as the author wrote it. None where the text is not
    handed out."""
    return {c.metadata["exercise"]: c.source for c in _text_cells(lesson) if "exercise" in c.metadata}


def _text_cells(lesson):
    """The cells of a lesson's text; none where it is not handed out."""
    if not is_handed_out(lesson):
        return []
    return jupytext.reads(text_of(lesson).read_text(encoding="utf-8"), fmt="py:percent").cells


def is_handed_out(lesson: str) -> bool:
    """May this process use a lesson's text, with its answers? Not where it cannot read it, nor where
    `GRADER_SOLUTIONS=0` forbids it."""
    return os.environ.get("GRADER_SOLUTIONS") != "0" and os.access(text_of(lesson), os.R_OK)


@functools.cache
def passed_text(exercise_name: str) -> str:
    """The lesson's text that is shown when an exercise passes, as Markdown; "" where there is none."""
    exercise = exercises()[exercise_name]
    lesson = next(name for name in lessons() if slug(name) == exercise.lesson)
    texts = [cell.source for cell in _text_cells(lesson) if cell.metadata.get("passed") == exercise_name]
    return linked("\n\n".join(texts), lesson)


@functools.cache
def model_answers() -> dict:
    """The course's answers to its open questions, as Markdown, by the question's name."""
    answers: dict[str, str] = {}
    for lesson in lessons():
        answers |= {c.metadata["question"]: c.source for c in _text_cells(lesson) if "question" in c.metadata}
    return answers


def model_answer(question: str) -> str:
    """The course's answer to an open question; "" where there is no such question, or no answer is handed out."""
    return model_answers().get(question, "")


@functools.cache
def open_questions() -> set[str]:
    """The names of all open questions, from the releases."""
    cells = [cell for lesson in lessons() for cell in loads(released(lesson)).cells]
    marks = [cell.metadata.get("nbgrader", {}) for cell in cells]
    return {mark["grade_id"] for mark in marks if mark.get("grade") and mark.get("solution")}


@functools.cache
def course_answer(exercise_name: str):
    """The course's own function (or class) for an exercise: the lesson's text, run up to there.

    Where the course is used without its texts it is the exercise's reference.
    """
    namespace = course_namespace(exercise_name)
    return namespace.get(exercise_name, exercises()[exercise_name].reference)


def course_namespace(exercise_name: str):
    """The names that stand when a lesson's exercise cells have run up to this exercise's, that one included.
    Raises LessonError where the lesson has no cell for it."""
    exercise = exercises()[exercise_name]
    cells = solution_cells(next(n for n in lessons() if slug(n) == exercise.lesson))
    import torch  # here, for nothing else of this module takes its time

    namespace = {
        "math": math,
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "ready": course_answer,
        "__tracebackhide__": True,  # its frames are no learner's: see `question.raised`
    }
    if not cells:
        return namespace
    for name, source in cells.items():
        exec(source, namespace)
        if name == exercise_name:
            return namespace
    raise LessonError(f"{exercise.lesson} has no cell for {exercise_name!r}")


def solution_of(exercise: "Exercise"):
    """The course's answer to an exercise, as the lesson's text gives it; a comment where the text is not handed out."""
    lesson = next(name for name in lessons() if slug(name) == exercise.lesson)
    source = solution_cells(lesson).get(exercise.name, f"# {NO_ANSWERS}")
    return re.sub(r"^\s*### (BEGIN|END) SOLUTION\n?", "", source, flags=re.M).rstrip()


def loads(path: Path):
    """A notebook from a file."""
    return nbformat.reads(Path(path).read_text(encoding="utf-8"), as_version=4)
