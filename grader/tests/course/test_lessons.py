"""The lessons' text: its form, its rules, and that no release gives an answer away."""

import ast
import copy
import re

import jupytext
import pytest
from nbformat import v4

from grader.course.build import (
    LessonError,
    dumps,
    instructors,
    keep_measured,
    loads,
    notebook,
    outdated,
    release,
    released,
    solution_cells,
    text_of,
)
from grader.course.lessons import exercises, exercises_of, lessons

LESSONS = lessons()
FORBIDDEN = re.compile(r"\b(simply|just|obviously|easy|easily|trivial|trivially|of course)\b", re.I)


def source(lesson):
    return jupytext.reads(text_of(lesson).read_text(encoding="utf-8"), fmt="py:percent").cells


def prose(cell):
    """The words of a markdown cell that are read as prose: no headings, formulas, code, tables or links."""
    text = re.sub(r"\$\$.*?\$\$|```.*?```", " ", cell.source, flags=re.S)
    text = re.sub(r"\$[^$]*\$|`[^`]*`", " x ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return "\n".join(line for line in text.splitlines() if not line.startswith(("#", "|")))


@pytest.mark.parametrize("lesson", LESSONS)
def test_prose_follows_the_style(lesson):
    for cell in source(lesson):
        if cell.cell_type != "markdown":
            continue
        banned = [
            f"{match[0]!r} in “{match.string[max(0, match.start() - 40) : match.end() + 40]}”"
            for match in FORBIDDEN.finditer(prose(cell))
        ]
        assert not banned, "What is easy for its author is not for a reader: leave out " + ", ".join(banned)


@pytest.mark.parametrize("lesson", LESSONS)
def test_code_comes_in_small_pieces(lesson):
    for cell in source(lesson)[1:]:
        if (
            cell.cell_type == "code"
            and "exercise" not in cell.metadata
            and not cell.source.startswith(("import", "from"))
        ):
            lines = [line.strip() for line in cell.source.splitlines()]
            count = len([line for line in lines if line and not line.startswith("#")])
            assert count <= 15, f"a cell of {count} lines of code; split it, 15 are the most:\n{cell.source}"


WIDTH = 88  # columns that a notebook's cell shows in a window of 1440 pixels beside the list of files


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_contract_is_read_without_scrolling(lesson):
    for name, cell in solution_cells(lesson).items():
        for line in cell.splitlines():
            assert len(line) <= WIDTH, f"{name}: break this line, of {len(line)} columns, at {WIDTH}:\n{line}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_arc(lesson):
    cells = source(lesson)
    headings = [
        line
        for c in cells
        if c.cell_type == "markdown"
        for line in re.sub(r"```.*?```", "", c.source, flags=re.S).splitlines()
        if re.match(r"#+ ", line)
    ]
    for c in cells:
        for line in c.source.splitlines():
            is_text = c.cell_type == "code" and line.startswith(("# #", "# **"))
            assert not is_text, f"{line!r} stands in a code cell: begin its cell with `# %% [markdown]`"
    levels = [len(h.split()[0]) for h in headings]
    assert levels[0] == 1 and levels.count(1) == 1, f"the first heading has one #, and no other: {headings}"
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"a heading level is skipped: {headings}"
    for name in exercises_of(lesson):
        assert any(h.startswith("## ") and f"`{name}`" in h for h in headings), (
            f"no heading names the exercise: write `## … \\`{name}\\`` above its cell"
        )
    text = "\n".join(c.source for c in cells)
    if "13_" not in lesson:
        assert "## Recap" in headings, (
            "the lesson ends with `## Recap`: what was built, and PyTorch's name for it"
        )
        assert "**Next:**" in text, "the recap leads on: `**Next:** …`"
    assert "**Read on" in text, "the recap says where to `**Read on**`"
    questions = sum("question" in c.metadata for c in cells)
    assert questions == 1, f"{questions} open questions (`question=…` on a Markdown cell); a lesson has one"
    for prefix, api in ("nn.", "modular"), ("F.", "functional"):
        assert prefix in text, f"PyTorch's {api} API (`{prefix}…`) is not shown"


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_figure_has_a_text_alternative(lesson):
    for cell in source(lesson):
        if cell.cell_type == "code" and "plt." in cell.source and ".plot(" in cell.source:
            assert "plt.show" not in cell.source, f"end it with show(…) of grader.figures:\n{cell.source}"
    for cell in loads(instructors(lesson)).cells:
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                words = "".join(output["data"]["text/plain"]).split()
                assert len(words) >= 12, (
                    f"{len(words)} words say what the figure shows; give show(…) 12 or more:\n{cell.source}"
                )


@pytest.mark.parametrize("lesson", LESSONS)
def test_generated_notebooks_equal_what_the_text_gives(lesson, tmp_path):
    """Cells, ids and metadata here; that outputs are fresh is what nbval compares."""
    built, stored = notebook(text_of(lesson).read_text(encoding="utf-8"), lesson), loads(instructors(lesson))
    for cell in stored.cells:
        if cell.cell_type == "code":
            assert cell.execution_count, f"not executed: {cell.source}"
            cell.outputs, cell.execution_count = [], None
    assert dumps(built) == dumps(stored), "run `make build`"
    assert release(lesson, tmp_path).read_text(encoding="utf-8") == released(lesson).read_text(
        encoding="utf-8"
    ), "run `make build`"


def _answer_lines(lesson):
    """The lines between BEGIN and END SOLUTION that say something (longer than `return x`)."""
    for cell in solution_cells(lesson).values():
        for region in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell, flags=re.S):
            yield from (line.strip() for line in region.splitlines() if len(line.strip()) > 12)


@pytest.mark.parametrize("lesson", LESSONS)
def test_no_line_of_a_solution_is_in_a_release(lesson):
    nb = loads(released(lesson))
    text = "\n".join(c.source for c in nb.cells)
    lines = {line.strip() for line in text.splitlines()}
    for line in _answer_lines(lesson):
        assert line not in lines, f"a cell of the release gives a line of an answer away: {line}"
    assert "BEGIN SOLUTION" not in text
    assert not any(c.get("outputs") for c in nb.cells)
    for cell in source(lesson):
        if "question" in cell.metadata:
            assert cell.source[:60] not in text


def shape(expression):
    """An expression with its names and constants erased."""

    class Erase(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.Name("x", ast.Load())

        def visit_Constant(self, node):
            return ast.Constant(0)

    return ast.dump(Erase().visit(copy.deepcopy(expression)))


def expressions(code):
    """The shapes of all expressions of some code that are more than a call of a name."""
    return {
        shape(n)
        for n in ast.walk(ast.parse(code))
        if isinstance(n, ast.expr)
        and sum(1 for _ in ast.walk(n)) > 5
        and not isinstance(getattr(n, "ctx", None), ast.Store)
    }


@pytest.mark.parametrize("lesson", LESSONS)
def test_an_exercise_asks_for_a_decision_that_no_earlier_cell_has_made(lesson):
    seen = {}
    for cell in source(lesson):
        if cell.cell_type != "code":
            continue
        if "exercise" in cell.metadata:
            tree = ast.parse(cell.source)
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Return)
                    and node.value is not None
                    and sum(1 for _ in ast.walk(node.value)) > 5
                ):
                    where = seen.get(shape(node.value))
                    assert not where, (
                        f"{ast.unparse(node.value)!r} of {cell.metadata['exercise']} stands already in:\n{where}"
                    )
        else:
            seen |= {s: cell.source for s in expressions(cell.source)}


def test_the_build_refuses_a_cell_that_binds_an_exercise():
    text = text_of("02_bce").read_text(encoding="utf-8") + "\n# %%\nbce = nn.BCELoss()\n"
    with pytest.raises(LessonError, match="binds 'bce'"):
        notebook(text, "02_bce")


@pytest.mark.parametrize("lost", ["### BEGIN SOLUTION", 'exercise="bce"'])
def test_the_build_refuses_what_would_leak_or_lack_an_exercise(lost):
    text = text_of("02_bce").read_text(encoding="utf-8")
    with pytest.raises(LessonError):
        notebook(text.replace(lost, "", 1), "02_bce")


def test_names_are_unique_over_the_course_and_match_the_lessons():
    for name, exercise in exercises().items():
        assert name == exercise.name
        assert exercise.lesson in {lesson[3:] for lesson in LESSONS}


def test_a_figure_that_changes_without_its_words_is_noticed():
    """The same words beside another curve; a curve that moves by a rounding error is the same one."""
    import matplotlib.pyplot as plt

    from grader.figures import _drawn

    def digest(values):
        figure = plt.figure()
        figure.gca().plot([0, 1, 2], values, label="loss")
        drawn = _drawn(figure)
        plt.close(figure)
        return drawn

    before = {"A curve that falls.": digest([3.0, 2.0, 1.0])}
    assert outdated(before, {"A curve that falls.": digest([1.0, 2.0, 5.0])}) == ["A curve that falls."]
    assert outdated(before, {"A curve that falls.": digest([3.0, 2.0 + 1e-9, 1.0])}) == []
    assert outdated(before, {"A curve that rises.": digest([1.0, 2.0, 5.0])}) == []


def test_a_picture_of_a_time_stays_until_its_cell_changes():
    def drawn(source, picture, **mark):
        metadata = {"image/png": {"alt": "Time against size."} | mark}
        output = v4.new_output("display_data", {"image/png": picture}, metadata=metadata)
        return v4.new_notebook(cells=[v4.new_code_cell(source, outputs=[output])])

    def kept(stored, built):
        keep_measured(stored, built)
        return built.cells[0].outputs[0]["data"]["image/png"]

    assert kept(drawn("plot()", "old"), drawn("plot()", "new")) == "old"
    assert kept(drawn("plot()", "old"), drawn("plot(2)", "new")) == "new", "another cell"
    assert kept(drawn("plot()", "old"), drawn("plot()", "new", drawn="1f")) == "new", "no time"
