"""The site's sources, made from the executed notebooks and from the pages of the repository: notebooks and Markdown for Sphinx."""

import posixpath
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grader.course.build import instructors, loads, passed_text, solution_of
from grader.course.cells import exercise_name, grade_id, is_check, is_solution
from grader.course.lessons import PACKAGE, ROOT, exercises_of, lessons
from grader.course.pages import question

TEXTS = "grader/site/texts"
PICTURES = ROOT / ".github" / "pictures"
PITFALLS = PACKAGE / "exercises" / "pitfalls.md"
# the repository's pages that the site has, too: they are read on the forge as they are, and here with links between pages
PAGES = {
    **{f"{TEXTS}/{name}.md": f"{name}.md" for name in ("learner", "teacher", "hub", "glossary", "api")},
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    ".github/SECURITY.md": "security.md",
    "notebooks/radar.md": "radar.md",
}
# what else a link may lead to
ELSEWHERE = {
    "README.md": "index.md",
    f"{TEXTS}/index.md": "index.md",
    "notebooks/README.md": "losses.md",
    "grader/exercises/pitfalls.md": "pitfalls.md",
}


def write(target: Path) -> None:
    """Make all sources in the folder `target`. What is as it was keeps its file, so that Sphinx reads only what is new."""
    wanted = sources()
    for path in sorted(target.rglob("*")):
        if path.is_file() and path.relative_to(target).as_posix() not in wanted:
            path.unlink()
    for name, content in wanted.items():
        path = target / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def sources() -> dict[str, bytes]:
    """Every file of the site's sources, by its path: pages, lessons, pictures."""
    pages = {page: linked(text_at(file), file) for file, page in PAGES.items() if (ROOT / file).is_file()}
    pages["index.md"] = start_page()
    pages["losses.md"] = losses_page()
    pages["pitfalls.md"] = pitfalls_page()
    for lesson in lessons():
        pages[f"lessons/{lesson}.ipynb"] = nbformat.writes(lesson_page(lesson))
    pictures = {f"pictures/{path.name}": path.read_bytes() for path in PICTURES.glob("*.png")}
    return {name: text.encode("utf-8") for name, text in pages.items()} | pictures


def text_at(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def start_page() -> str:
    """The README up to its commands, then the ways on."""
    promise = linked(text_at("README.md").partition("## Two commands")[0], "README.md")
    ways = linked(text_at(f"{TEXTS}/index.md"), f"{TEXTS}/index.md")
    return promise + ways.replace("<!-- lessons -->", lesson_list())


def lesson_list() -> str:
    """The lessons as links by their questions."""
    return "\n".join(f"- [{question(lesson)}](lessons/{lesson}.ipynb) `{lesson}`" for lesson in lessons())


# ---------------------------------------------------------------- a lesson


def lesson_page(lesson: str) -> NotebookNode:
    """A lesson to be read: exercises with their contract, hints folded, the course's answer behind one more click."""
    notebook = loads(instructors(lesson))
    at = instructors_path(lesson)
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
            cells.append(markdown(folded("One answer to this question", linked(cell.source, at))))
        elif cell.cell_type == "code" and re.match(r"\s*(finish|progress)\(", cell.source):
            continue
        elif cell.cell_type == "markdown":
            cells.append(markdown(linked(cell.source, at)))
        elif cell.id in shown:
            cells += [markdown(f"({lesson}-{cell.id})="), cell]
        else:
            cells += [cell]
    notebook.cells = cells
    return notebook


def exercise_cells(lesson: str, name: str, cell: NotebookNode) -> list[NotebookNode]:
    """What is to be written, then the hints and the answer, each folded."""
    exercise = exercises_of(lesson)[name]
    contract = re.sub(r"### BEGIN SOLUTION.*?### END SOLUTION", "...  # your code", cell.source, flags=re.S)
    hints = "\n".join(f"{number}. {hint}" for number, hint in enumerate(exercise.hints, 1))
    answer = f"```python\n{solution_of(exercise)}\n```\n\n{exercise.built}\n\n{linked(passed_text(name), instructors_path(lesson))}"
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


def instructors_path(lesson: str) -> str:
    return f"solutions/{lesson}/{lesson}.ipynb"


def linked(text: str, file: str) -> str:
    """The text of a file of the repository as the site's: links lead to pages, formulas are in Sphinx's spelling.

    A file that the site lacks is named, not linked: the site does not know where the repository is.

    >>> linked("[bce](../solutions/02_bce/02_bce.ipynb), [law](../LICENSE)", "notebooks/README.md")
    '[bce](lessons/02_bce.ipynb), law (`LICENSE`)'
    """
    page = page_of(file)

    def link(match: re.Match) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"\w+:", target) or not target:
            return match[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
        there = site_path(inside)
        if there is None:
            if words and (ROOT / inside).exists():
                return f"{words} (`{inside}`)"
            return match[0]
        relative = posixpath.relpath(there, posixpath.dirname(page) or ".")
        return f"[{words}]({relative}{anchor})"

    text = re.sub(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]*)(#[^)\s]*)?\)", link, text)
    return re.sub(r"\$`([^`]*)`\$", r"$\1$", text)


def page_of(file: str) -> str:
    """The page that a file of the repository becomes; for one that becomes none, a page beside the start page."""
    return site_path(file) or "index.md"


def site_path(file: str) -> str | None:
    """Where the site has what a file of the repository says, or None where it lacks it."""
    lesson = re.fullmatch(r"(?:solutions|notebooks)/(\w+)/\1\.ipynb", file)
    if lesson:
        return f"lessons/{lesson[1]}.ipynb"
    if file.startswith(".github/pictures/"):
        return file.removeprefix(".github/")
    return PAGES.get(file) or ELSEWHERE.get(file)


def losses_page() -> str:
    """The overview's tables, with a field that filters their rows."""
    text = linked(text_at("notebooks/README.md"), "notebooks/README.md")
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
    ids = [c.id for c in loads(instructors(lesson)).cells if c.cell_type == "code" and snippet in c.source]
    if ids:
        return ids[0]
    return ""
