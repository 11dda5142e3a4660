"""The notebook that is graded: the course's own, with what the learner wrote put in its places."""

import base64
import copy
import re
from types import SimpleNamespace

import nbformat
import pytest
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, markdown2html_mistune

from grader.classroom import inside
from grader.classroom.task import GradingError
from grader.course.build import loads, released
from grader.course.rebuild import harmless, rebuild
from grader.course.submitted import parse
from grader.tests import school

LESSON = "02_bce"
PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
).decode()


@pytest.fixture
def release():
    return loads(released(LESSON))


@pytest.fixture
def answered():
    return school.answered(LESSON, open_answer="Because the loss weighs by how sure it was.")


def by_id(nb):
    return {c.id: c for c in nb.cells}


def through_a_file(nb):
    notebook, notes = parse(nbformat.writes(nb, version=nbformat.NO_CONVERT).encode())
    assert not notes
    return notebook


def test_an_untouched_release_comes_back_as_it_is(release):
    built, notes = rebuild(release, through_a_file(release))
    assert built == release and not notes


def test_nothing_submitted_is_the_release(release):
    assert rebuild(release, None) == (release, [])


def test_answers_come_from_the_learner_and_all_else_from_the_course(release, answered):
    damaged = copy.deepcopy(answered)
    for cell in damaged.cells:
        cell.metadata["tags"] = ["skip-execution"]
        cell.metadata.get("nbgrader", {}).update(points=99, locked=False)
        if cell.cell_type == "code":
            cell.outputs = [
                nbformat.v4.new_output("execute_result", data={"text/plain": "99", "text/html": "<script>"})
            ]
    built, _ = rebuild(release, through_a_file(damaged))
    assert [c.id for c in built.cells] == [c.id for c in release.cells]
    assert [c.metadata for c in built.cells] == [
        c.metadata for c in release.cells
    ] and built.metadata == release.metadata
    assert [c.source for c in built.cells] == [c.source for c in answered.cells]
    assert not any(c.get("outputs") for c in built.cells)


def test_ordinary_cells_are_taken_as_edited(release, answered):
    code = next(c for c in answered.cells if c.cell_type == "code" and "nbgrader" not in c.metadata)
    code.source += "\nmine = 1"
    built, notes = rebuild(release, through_a_file(answered))
    assert by_id(built)[code.id].source.endswith("mine = 1") and not notes


def test_own_cells_stand_where_they_stood(release, answered):
    names = [c.id for c in answered.cells]
    for where, text in (
        (len(names), "# at the end"),
        (names.index("bce") + 1, "# behind bce"),
        (0, "# at the head"),
    ):
        answered.cells.insert(where, nbformat.v4.new_code_cell(text))
    built, notes = rebuild(release, through_a_file(answered))
    sources = [c.source for c in built.cells]
    assert (sources[0], sources[-1]) == ("# at the head", "# at the end") and not notes
    assert sources[sources.index("# behind bce") - 1] == by_id(answered)["bce"].source
    assert [c.id for c in built.cells if c.id.startswith("extra-")] == ["extra-001", "extra-002", "extra-003"]


@pytest.mark.parametrize(
    "text, found",
    [
        ("def bce(p, y):\n    return 1", True),
        ("bce = lambda p, y: 1", True),
        ("class bce:\n    pass", True),
        ("def bce(p, y:\n  # does not parse", True),
        ("%time\nbce = 1", True),
        ("bce(1, 2)", False),
        ("bce == 1", False),
        ("def bce_grad_2(): pass", False),
        ("    def bce(): pass", False),
    ],
)
def test_an_answer_is_found_in_a_fresh_cell(release, answered, text, found):
    answered.cells = [c for c in answered.cells if c.id != "bce"] + [nbformat.v4.new_code_cell(text)]
    built, notes = rebuild(release, through_a_file(answered))
    assert (by_id(built)["bce"].source == text) is found
    assert ("found in a cell of your own" in notes[0]) is found and ("is missing" in notes[0]) is not found


def test_a_second_copy_as_it_was_released_does_not_undo_an_answer(release, answered):
    at = [c.id for c in answered.cells].index("bce") + 1
    answered.cells.insert(at, copy.deepcopy(by_id(release)["bce"]))
    answered.cells[at].id = "copy"
    built, notes = rebuild(release, through_a_file(answered))
    assert by_id(built)["bce"].source == by_id(answered)["bce"].source and len(built.cells) == len(
        release.cells
    )
    assert "There are 2 cells of `bce`" in notes[0]


def test_attachments_are_pictures_or_nothing(release, answered):
    cell = by_id(answered)["lower_loss_fewer_right"]
    cell.source = (
        "![mine](attachment:a.png) ![no](attachment:b.svg) ![no](attachment:gone.png) "
        "![no](http://127.0.0.1/x.png)"
    )
    cell.attachments = {
        "a.png": {"image/png": PNG, "image/svg+xml": "<svg onload='x'>"},
        "b.svg": {"image/svg+xml": "<svg onload='x'>"},
        "c.png": {"image/png": base64.b64encode(b"<svg>").decode()},
        '"><script>': {"image/png": PNG},
    }
    built, _ = rebuild(release, through_a_file(answered))
    made = by_id(built)["lower_loss_fewer_right"]
    assert made.attachments == {"a.png": {"image/png": PNG}, "picture-1": {"image/png": PNG}}
    html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, attachments=made.attachments)).render(
        made.source
    )
    assert html.count("<img") == 1 and PNG in html and "href" not in html


EVIL = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror=alert(1)>",
    "<IMG\nSRC=x>",
    "<svg/onload=alert(1)>",
    "</div><style>*{display:none}</style>",
    "<!--x--><iframe src=/>",
    "<?php ?>",
    "<a href='javascript:alert(1)'>x</a>",
    "<http://127.0.0.1/>",
    "<javascript:alert(1)>",
    "<math><mi xlink:href='javascript:x'>",
    "[x](javascript:alert(1))",
    "[x]( java\nscript:alert(1))",
    "![x](http://127.0.0.1/x.png)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    "[y]\n\n[y]: data:text/html,x",
    "![x][y]\n\n[y]: http://127.0.0.1/x.svg",
    "[![x](http://127.0.0.1)](javascript:x)",
    "> [x](vbscript:x)",
    "- <details open ontoggle=alert(1)>",
    '```mermaid\ngraph TD; A-->B; click A "javascript:alert(1)"\n```',
    "~~~ MERMAID\n<img src=x>\n~~~",
    "- ```mermaid\n  x\n  ```",
    "`<script>`<script>",
    r"$\href{javascript:alert(1)}{x}$",
    r"$$\style{background:url(http://127.0.0.1)}{x}$$",
    r"\(\href1{x}\)",
    r"$\class{x}{y} \cssId{a}{b} \data{a}{b}$",
    r"$\unicode[a;background:url(x)]{65}$",
    r"$\require{html}\def\x{\href{x}{y}}\x$",
    r"$\newcommand{\x}{\href}\x{a}{b}$",
    r"$\let\x=\href \x{a}{b}$",
    r"\begin{align}\href{javascript:alert(1)}{x}\end{align}",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\csname href\endcsname{javascript:x}{y}$",
    r"$\mmlToken{mi}[href=javascript:x]{y}$",
    "see https://127.0.0.1/x",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script>",
    "<\u0000script>",
    "a<b and c>d",
    "x[0](1) is a call",
]


@pytest.mark.parametrize("text", EVIL)
def test_markdown_of_a_learner_cannot_act(text):
    html = markdown2html_mistune(harmless(text))
    tags = {
        t.lower() for t in re.findall(r"<\s*/?([A-Za-z!?][^\s/>]*)", re.sub(r'class="[\w -]*"', "", html))
    }
    assert tags <= {
        "p",
        "pre",
        "code",
        "ul",
        "li",
        "blockquote",
        "em",
        "strong",
        "div",
        "span",
        "br",
        "h1",
        "h2",
    }, html
    assert 'mermaid">' not in html
    assert not re.search(
        r"\\(href|style|class|cssId|data|unicode|require|def|newcommand|let|csname|mmlToken)", html
    ), html
    assert re.sub(r"\s", "", text).replace("diagram", "") == re.sub(r"\s", "", harmless(text)).replace(
        "diagram", ""
    ), "it reads the same"


@pytest.mark.parametrize(
    "text",
    [
        "# A heading\n\n*emphasis*, **more**, `code`",
        "$-\\log p$ grows, $$\\frac{1}{N} \\sum_i \\left( y_i - p_i \\right)$$",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "0.1 < 0.2 and 3 <4",
        "1. one\n2. two",
        "```python\nx = 1\n```",
    ],
)
def test_honest_markdown_stays_as_it_is(text):
    assert harmless(text) == text


TRICKS = {  # what would paint over a panel, change the course's formulas, pass as an entity, or turn text round
    r"$\llap{✔ passed}$": r"\llap",
    r"$\rule{9000em}{9000em}$": r"\rule",
    r"$\kern-90em x$": r"\kern",
    r"$\raise 9em x$": r"\raise",
    r"$\hspace{-9em}x$": r"\hspace",
    r"$\mspace{-9em}x$": r"\mspace",
    r"$\moveleft 9em x$": r"\moveleft",
    r"$\Huge x$": r"\Huge",
    r"$\color{white} x$": r"\color",
    r"$\smash{x}$": r"\smash",
    r"$\def\log{\sin}$": r"\def",
    r"$\Newextarrow{\log}{1,1}{8594}$": r"\Newextarrow",
    r"$\newcommand\log{\sin}$": r"\newcommand",
    r"$\mathchoice{a}{b}{c}{d}$": r"\mathchoice",
    r"$\genfrac{}{}{9em}{}{a}{b}$": r"\genfrac",
    r"$\above 9em$": r"\above",
    r"$\tag{1}\label{x}\ref{x}$": r"\tag",
    r"$" + r"\!" * 100 + "$": r"\!",
    r"$$a \\\\[-90em] b$$": r"\\[",
    r"$$a \\\\ [ -90em] b$$": r"\\ [",
    r"\begin{CD} a \end{CD}": r"\begin",
    r"\begin {picture} a": r"\begin {",
    "&#36;&#92;href{javascript:alert(1)}{x}&#36;": "&#",
    "&#x24;&bsol;href": "&bsol;",
    "&dollar;&amp;#36;": "&dollar;",
    "\u202e✔ passed": "\u202e",
    "a \u2066b\u2069": "\u2066",
}


@pytest.mark.parametrize("text", TRICKS, ids=[t[:20].encode("ascii", "replace").decode() for t in TRICKS])
def test_what_would_paint_elsewhere_or_pass_unseen_is_broken_apart(text):
    assert TRICKS[text] not in harmless(text)


def test_code_shows_the_signs_that_turn_text_round():
    course = loads(released("02_bce"))
    cell = nbformat.from_dict(
        {"cell_type": "code", "id": "x", "metadata": {}, "source": "if admin:  # \u202eend\u2066"}
    )
    made, notes = rebuild(course, nbformat.from_dict({"cells": [cell]}))
    assert any("if admin:  # ⟨U+202E⟩end⟨U+2066⟩" == c.source for c in made.cells)
    assert any("direction of text" in note for note in notes)


def test_marks_that_are_piled_up_do_not_leave_their_line():
    """A hundred of them on one letter would paint over the panel above; a language's own stay."""
    course = loads(released("02_bce"))
    piled, honest = "✔" + chr(0x301) * 100, "Việt แน่ שָּׁל"
    cells = [
        nbformat.from_dict({"cell_type": kind, "id": kind, "metadata": {}, "source": f"{honest} {piled}"})
        for kind in ("code", "markdown")
    ]
    made, notes = rebuild(course, nbformat.from_dict({"cells": cells}))
    assert [c.source for c in made.cells].count(f"{honest} ✔" + chr(0x301) * 3) == 2
    assert "Marks that are piled up" in notes[-1]


def test_a_derivation_keeps_its_tex():
    text = r"$$\begin{aligned} -\log \sigma(z) &= \log\left(1 + e^{-z}\right) \\ \frac{\partial L}{\partial z} &= \sigma(z) - y, \quad \text{so } \hat y \in [0, 1] \end{aligned}$$"
    assert harmless(text) == text


def test_a_release_with_other_points_than_its_exercises_is_refused_by_grade_and_by_nbgrader(monkeypatch):
    monkeypatch.setattr(inside, "exercises", lambda: {"bce": SimpleNamespace(points=99)})
    says = "bce gives 99 points, in the release of 02_bce 3: run `./course build 02_bce`."
    assert inside.unfit("02_bce") == says
    with pytest.raises(GradingError, match="bce gives 99 points"):
        inside.rebuild_here("02_bce", None, ())
