"""The site's sources, made from the executed notebooks and from the pages of the repository: notebooks and Markdown for Sphinx."""

import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grader.course.build import instructors, loads, passed_text, solution_of
from grader.course.cells import exercise_name, grade_id, is_check, is_solution
from grader.course.lessons import PACKAGE, RELEASES, ROOT, exercises_of, lessons
from grader.course.pages import question

TEXTS = Path(__file__).parent / "texts"
PITFALLS = PACKAGE / "exercises" / "pitfalls.md"


def write(target: Path) -> None:
    """Make all sources in the folder `target`, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    (target / "lessons").mkdir(parents=True)
    for text in sorted(TEXTS.glob("*.md")):
        page = linked(text.read_text(encoding="utf-8"), "").replace("<!-- lessons -->", lesson_list())
        (target / text.name).write_text(page, encoding="utf-8")
    shutil.copytree(ROOT / ".github" / "pictures", target / "pictures")
    for lesson in lessons():
        nbformat.write(lesson_page(lesson), target / "lessons" / f"{lesson}.ipynb")
    (target / "losses.md").write_text(losses_page(), encoding="utf-8")
    (target / "pitfalls.md").write_text(pitfalls_page(), encoding="utf-8")
    (target / "contributing.md").write_text(repository_page("CONTRIBUTING.md"), encoding="utf-8")
    (target / "changes.md").write_text(repository_page("CHANGELOG.md"), encoding="utf-8")
    radar = RELEASES / "radar.md"
    if radar.is_file():
        (target / "radar.md").write_text(linked(radar.read_text(encoding="utf-8"), ""), encoding="utf-8")


def lesson_list() -> str:
    """The lessons as links by their questions."""
    return "\n".join(f"- [{question(lesson)}](lessons/{lesson}.ipynb) `{lesson}`" for lesson in lessons())


# ---------------------------------------------------------------- a lesson


def lesson_page(lesson: str) -> NotebookNode:
    """A lesson to be read: exercises with their contract, hints folded, the course's answer behind one more click."""
    notebook = loads(instructors(lesson))
    names = exercises_of(lesson)
    shown = {cell_with(row[2], row[3]) for row in pitfall_rows() if row[2] == lesson}
    cells = []
    for cell in notebook.cells:
        name = grade_id(cell)
        if name in names:
            cells += exercise_cells(lesson, name, cell)
        elif is_check(cell) and exercise_name(cell) in names:
            continue  # the check and its panel: they belong to who runs it
        elif is_solution(cell):
            cells.append(markdown(folded("One answer to this question", linked(cell.source, "lessons"))))
        elif cell.cell_type == "code" and re.match(r"\s*(finish|progress)\(", cell.source):
            continue
        elif cell.cell_type == "markdown":
            cells.append(markdown(linked(cell.source, "lessons")))
        else:
            cells += [markdown(f"({lesson}-{cell.id})="), cell] if cell.id in shown else [cell]
    notebook.cells = cells
    return notebook


def exercise_cells(lesson: str, name: str, cell: NotebookNode) -> list[NotebookNode]:
    """What is to be written, then the hints and the answer, each folded."""
    exercise = exercises_of(lesson)[name]
    contract = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "...  # your code", cell.source, flags=re.S)
    hints = "\n".join(f"{number}. {hint}" for number, hint in enumerate(exercise.hints, 1))
    answer = f"```python\n{solution_of(exercise)}\n```\n\n{exercise.built}\n\n{linked(passed_text(name), 'lessons')}"
    sure = folded("Show the course's answer", answer)
    return [
        markdown(f"```python\n{contract}\n```"),
        markdown(folded(f"Hints for `{name}`", hints)),
        markdown(
            folded(f"The course's answer to `{name}`", f"Yours first: the hints give away less.\n\n{sure}", 4)
        ),
    ]


def folded(title: str, text: str, colons: int = 3) -> str:
    """A part that a click opens."""
    fence = ":" * colons
    return f"{fence}{{dropdown}} {title}\n{text}\n{fence}"


def markdown(source: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source)


# ---------------------------------------------------------------- pages of the repository


def linked(text: str, folder: str) -> str:
    """Links between notebooks as links between pages; formulas in GitHub's spelling as Sphinx reads them."""
    here = "" if folder == "lessons" else "lessons/"
    text = re.sub(
        r"\]\((?:\.\./)?(?:solutions/|notebooks/)?(\d\d_\w+)/\1\.ipynb\)", rf"]({here}\1.ipynb)", text
    )
    text = re.sub(r"\]\((?:\.\./)+(?:README\.md|notebooks/README\.md)(#[\w-]+)?\)", "](../losses.md)", text)
    text = re.sub(r"\$`([^`]*)`\$", r"$\1$", text)
    # a file of the repository is named, not linked: the site does not know where the repository lies
    files = r"\[([^\]]+)\]\((?:\.\./)*((?:grader|solutions|notebooks|tests|LICENSE|environment|\.)[^)]*)\)"
    return re.sub(files, r"\1 (`\2`)", text)


def repository_page(name: str) -> str:
    return linked((ROOT / name).read_text(encoding="utf-8"), "")


def losses_page() -> str:
    """The overview's tables, with a field that filters their rows."""
    text = linked((RELEASES / "README.md").read_text(encoding="utf-8"), "")
    tables = text[text.index("## All the losses on one page") :].replace(
        "## All the losses", "# All the losses", 1
    )
    tables = tables.replace("\n### ", "\n## ")
    field = '<p><label>Show only rows with <input id="filter" type="search" placeholder="bce, weight, −log …"></label></p>'
    return tables.replace("\n\n", f"\n\n{field}\n\n", 1)


def pitfalls_page() -> str:
    """The pitfalls, each linked to the cell that shows it."""
    rows = []
    for number, pitfall, lesson, place, shown in pitfall_rows():
        rows.append(f"| {number} | [{pitfall}](#{lesson}-{cell_with(lesson, place)}) | {shown} |")
    head = [
        "# The pitfalls, and the cells that show them",
        "",
        "Each is found in PyTorch's documentation, issues or forum, or in a public course. The link leads to the cell.",
        "",
        "| number | pitfall | shown there |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def pitfall_rows() -> list[list[str]]:
    """Number, pitfall, lesson, place and what is shown, of each row of the table in the repository."""
    lines = PITFALLS.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split(" | ") for line in lines if re.match(r"\| \d+ \|", line)]
    return [[part.strip() for part in row] for row in rows]


def cell_with(lesson: str, place: str) -> str:
    """The id of the code cell that contains a piece of code, written in backticks."""
    (snippet,) = re.findall(r"`([^`]+)`", place)
    found = [c.id for c in loads(instructors(lesson)).cells if c.cell_type == "code" and snippet in c.source]
    return found[0] if found else ""
