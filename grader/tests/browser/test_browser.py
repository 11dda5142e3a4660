"""The learner's evening in a real browser: one lesson from its first cell to its last, and what else a
learner does there."""

import os
import re
import time
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from grader.course.build import ROOT, loads, solution_cells
from grader.course.lessons import exercises_of, lessons, title
from grader.learner import workspace
from grader.tests import school, slips
from grader.tests.pages import SCREENSHOTS, barriers

LESSONS = os.environ.get(
    "LESSONS", "02_bce"
).split()  # which are gone through whole; LESSONS="00_tools 13_clinic" for others
SUMS = (
    'def bce(p, y, reduction="mean"):\n    losses = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))\n    '
    "return losses.sum()"
)
OPEN_ANSWER = "Because the *mean* counts every sample alike."
OURS = [
    f".jp-NotebookPanel:not(.lm-mod-hidden) {part}"
    for part in (".jp-RenderedMarkdown", ".jp-OutputArea-output")
]
THEIRS = ["link-in-text-block"]  # a link's colour, and that it has no underline, are JupyterLab's theme
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]"


def put(lab, name, lesson, answers, more=(), keep=()):
    """Put a notebook with answers (and more cells) into the work folder; returns its path there.

    keep: ids of cells and pieces of their code, where a test needs no more of the lesson than its first code
    cell and those.
    """
    folder = lab[2] / name
    folder.mkdir()
    nb = school.answered(lesson, answers, open_answer="In my own words.")
    if keep:
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        pieces = [k for k in keep if not k.isidentifier()]
        nb.cells = code[:1] + [c for c in code[1:] if c.id in keep or any(k in c.source for k in pieces)]
    nb.cells += more
    # as JupyterLab would write it: one that it has to complete is saved by itself, and a save by hand
    # meanwhile asks which one to keep
    workspace.write_notebook(folder / f"{lesson}.ipynb", nb)
    return f"{name}/{lesson}.ipynb"


def test_from_the_start_to_the_first_passed_exercise_in_three_clicks_and_one_edit(seat):
    lesson = lessons()[0]
    exercise = next(iter(exercises_of(lesson)))
    began = time.monotonic()
    seat.page.goto(f"{seat.address}start?token={seat.token}")  # 0. `make lab` opens the start page
    link = seat.page.get_by_role("link", name=title(lesson)).first
    expect(link).to_be_visible()
    expect(seat.page.get_by_role("main")).to_contain_text(f"next exercise {exercise}")
    seat.shot("start")
    seat.click(link)  # 1. what is next
    expect(seat.cell(f"def {exercise}(")).to_be_attached()
    # 2. into the cell; the edit
    seat.write(seat.cell(f"def {exercise}("), slips.clean(solution_cells(lesson)[exercise]))
    seat.run_all()  # 3. Run all
    passed = seat.cell(f'check("{exercise}")').get_by_role("status", name=f"{exercise}: passed")
    expect(passed).to_be_visible()
    seat.shot("first-pass", passed)
    print(f"{seat.clicks} clicks, 1 edit, {time.monotonic() - began:.0f} s")
    assert seat.clicks == 3
    seat.finished()
    errors = seat.notebook.locator(
        ".jp-CodeCell",
        has=seat.page.locator(
            "[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]"
        ),
    )
    assert errors.count() == len(exercises_of(lesson)) - 1, (
        "only the exercises that are not attempted stop, and Run all goes past them"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_start_page_fits_every_window_and_has_no_barriers(chromium, lab, width, scheme):
    address, token, _ = lab
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{address}start?token={token}")
    expect(page.get_by_role("link", name=title(lessons()[-1])).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(page, within=["main"]) == []
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"start-{width}-{scheme}.png", full_page=True)
    context.close()


def test_on_a_phone_a_lesson_opens_in_the_narrow_view(chromium, lab):
    address, token, _ = lab
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{address}start?token={token}")
    page.get_by_role("link", name=title("02_bce")).first.click()
    expect(page).to_have_url(re.compile("/notebooks/02_bce/02_bce.ipynb"), timeout=60_000)
    expect(page.get_by_role("heading", name=title("02_bce"))).to_be_visible(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.screenshot(path=SCREENSHOTS / "lesson-390.png")
    context.close()


def test_a_learners_jupyterlab_has_no_tools_for_teachers_and_an_opened_notebook_stays_untouched(seat):
    seat.open("06_softmax/06_softmax.ipynb")
    expect(seat.notebook.get_by_role("button", name="Validate")).to_be_visible()
    expect(seat.page.locator(".lm-MenuBar-itemLabel").get_by_text("Nbgrader", exact=True)).to_have_count(0)
    expect(seat.page.get_by_text("Create Assignment")).to_have_count(0)
    expect(seat.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)


def test_what_is_judged_is_said_where_an_answer_was_edited_and_not_run(seat, lab):
    """And: helpers are there before the first cell has run, a broken answer does not stop Run all, another
    name is told."""
    keep = ["bce", "test_bce", "finish("]
    seat.open(put(lab, "slips", "02_bce", {"bce": SUMS}, keep=keep))
    answer, check = seat.cell("def bce(p"), seat.cell('check("bce")')
    place = answer.get_attribute("data-windowed-list-index")
    answer = seat.notebook.locator(f'.jp-Cell[data-windowed-list-index="{place}"]')
    panel = check.get_by_role("status")
    seat.run(check)
    expect(panel).to_contain_text("There is no bce yet: run the cell that defines it")
    seat.run(seat.cell("import math"))
    seat.run(answer)
    seat.run(check)
    expect(panel).to_contain_text("You added the losses up")
    expect(panel).not_to_contain_text("was edited")

    seat.write(answer, SUMS.replace("losses.sum()", "losses.mean()"))
    seat.menu("File", "Save Notebook")
    expect(seat.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)
    seat.run(check)
    expect(panel).to_contain_text("The cell of bce was edited after it ran as cell")
    seat.shot("edited-and-not-run", panel)

    seat.write(answer, SUMS.replace("def bce", "def BCE"))
    seat.run(answer)
    seat.run(check)
    expect(panel).to_contain_text("defines BCE; the exercise is called bce")

    seat.write(answer, "def bce(p, y:\n    return p")
    seat.run_all()
    expect(panel).to_contain_text("stopped with SyntaxError")
    end = seat.cell('finish("02_bce")').get_by_role("note")
    expect(end).to_contain_text("Still open")
    seat.shot("after-run-all", end)


@pytest.mark.parametrize(
    "name, answers, says",
    [
        ("right", solution_cells("02_bce"), "Success! Your notebook passes all the tests."),
        ("wrong", solution_cells("02_bce") | {"bce": SUMS}, "bce: not yet"),
    ],
)
def test_the_validate_button_of_nbgrader(seat, lab, name, answers, says):
    seat.open(put(lab, name, "02_bce", answers, keep=["bce", "test_bce"]))
    seat.notebook.get_by_role("button", name="Validate").click()
    dialog = seat.page.locator(".jp-Dialog").filter(has_text=re.compile("Validat|Success", re.I))
    expect(dialog).to_contain_text(says)
    seat.shot(f"validate-{name}")


def test_a_slider_moves_and_the_picture_with_its_text_alternative_changes(seat):
    seat.open("03_bce_with_logits/03_bce_with_logits.ipynb")
    seat.run_all()
    seat.finished()
    slider = seat.notebook.get_by_role("slider")
    picture = seat.notebook.get_by_role("img", name=re.compile(r"A dot at z = "))
    slider.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("alt", re.compile(r"A dot at z = 2\.00"))
    before = picture.get_attribute("src")
    slider.focus()
    seat.page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", re.compile(r"A dot at z = 2\.25"))
    assert picture.get_attribute("src") != before
    expect(slider).to_have_accessible_name("z")
    expect(slider).to_have_attribute("aria-valuetext", "2.25")
    seat.shot("slider", picture)
    seat.menu("File", "Save Notebook")
    expect(seat.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)
    saved = (seat.work / "03_bce_with_logits" / "03_bce_with_logits.ipynb").read_text(encoding="utf-8")
    assert "widget-view" not in saved and "Run this cell again: then a slider moves the picture." in saved


def test_no_popup_asks_for_news_and_nothing_looks_for_updates(seat):
    """What decides these is the page's configuration: a popup that comes late would escape a look at the screen."""
    seat.open("losses.ipynb")
    config = seat.page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent)")
    assert config["news"] == {"disabled": True}
    settings = seat.page.request.get(
        f"{seat.address}lab/api/settings/@jupyterlab/apputils-extension:notification?token={seat.token}"
    ).json()
    defaults = {
        name: settings["schema"]["properties"][name]["default"] for name in ("fetchNews", "checkForUpdates")
    }
    assert defaults == {"fetchNews": "false", "checkForUpdates": False}
    assert config["extensionManager"]["can_install"] is False
    assert not Path(ROOT / "work" / "right").exists(), "the tests have a work folder of their own"


class Walk:
    """A notebook gone through by keyboard alone: the place of the selected cell, and how many cells have run."""

    def __init__(self, seat):
        self.seat, self.at, self.runs = seat, 0, 0
        seat.click(seat.cell("# ", kind="Markdown"))

    def press(self, *keys):
        for key in keys:
            self.seat.page.keyboard.press(key)

    def step(self):
        """Run the selected cell, wait for its result, go on to the next; returns the cell."""
        cell = self.seat.notebook.locator(".jp-Cell").nth(self.at)
        expect(cell).to_have_class(re.compile(r"\bjp-mod-selected\b"))
        code = "jp-CodeCell" in cell.get_attribute("class")
        self.press("Shift+Enter")
        if code:
            self.runs += 1
            if cell.locator(".jp-Placeholder-prompt").count():  # folded: there is no number to wait for
                expect(cell.locator(".jp-OutputArea-output").first).to_be_attached()
            else:
                expect(cell.locator(".jp-InputPrompt")).to_have_text(f"[{self.runs}]:")
        self.at += 1
        return cell

    def move(self, cells):
        """Select another cell, so many further down; up where negative."""
        self.press(*["ArrowDown" if cells > 0 else "ArrowUp"] * abs(cells))
        self.at += cells

    def write(self, text):
        """Write into the selected cell."""
        self.press("Enter", "Control+A")
        self.seat.page.keyboard.insert_text(text)

    def below(self, text):
        """Write a cell of one's own below the one that has run last, and run it; returns it."""
        self.move(-1)
        self.press("b")
        self.at += 1
        self.write(text)
        return self.step()


@pytest.fixture(scope="module")
def transcript():
    """What was read on the way through the lessons, beside the screenshots."""
    SCREENSHOTS.mkdir(exist_ok=True)
    with (SCREENSHOTS / "lesson.txt").open("w", encoding="utf-8", buffering=1) as file:
        yield lambda title, text: print(f"---- {title}\n{text.strip()}\n", file=file)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_from_its_first_cell_to_its_last_by_keyboard(seat, lesson, transcript):
    """Each exercise is checked unwritten, answered wrong, answered right; then all runs once more in a new kernel."""
    work = seat.work / "walk"  # with a progress of its own
    workspace.prepare(work)
    names, cells = exercises_of(lesson), loads(work / lesson / f"{lesson}.ipynb").cells
    first = next(iter(names))
    seat.open(f"walk/{lesson}/{lesson}.ipynb")
    walk, says = Walk(seat), lambda cell, title: cell.get_by_role("status", name=title)
    for cell in cells:
        data = cell.metadata.get("nbgrader", {})
        name = cell.id.removeprefix("test_")
        if data.get("grade") and data.get("solution"):
            walk.write(OPEN_ANSWER)
            expect(walk.step().locator("em", has_text="mean")).to_be_visible()
            transcript(f"{lesson}, the open question {cell.id}", OPEN_ANSWER)
        elif name == cell.id or name not in names:
            ran = walk.step()
            assert ran.locator(ERRORS).count() == 0, f"{cell.source}\n{ran.inner_text()}"
        else:
            expect(says(walk.step(), f"{name}: not attempted")).to_contain_text(
                "Write your answer in the cell above"
            )

            text, verdict = slips.known(lesson, name)
            walk.move(-2)
            walk.write(text)
            walk.step()
            panel = says(walk.step(), verdict.title)
            for sentence in (verdict.mistake, verdict.hint, verdict.example.yours, verdict.example.expected):
                expect(panel).to_contain_text(sentence.replace("`", ""))
            transcript(f"{lesson}, {name}, a wrong answer", text)
            transcript("it says", panel.inner_text())
            seat.shot(f"{lesson}-{name}-wrong", panel)
            hinted = name == first
            if hinted:
                note = walk.below(f'hint("{name}")').get_by_role("note")
                expect(note).to_contain_text(
                    f"Hint 1 of {len(names[name].hints)} for {name}. {names[name].hints[0]}".replace("`", "")
                )
                transcript("hint", note.inner_text())

            walk.move(-2 - hinted)
            walk.write(slips.clean(solution_cells(lesson)[name]))
            walk.step()
            panel = says(walk.step(), f"{name}: passed")
            expect(panel).to_contain_text(names[name].built.replace("`", ""))
            transcript("the right answer", panel.inner_text())
            seat.shot(f"{lesson}-{name}-right", panel)
            walk.move(int(hinted))
    seat.shot(f"{lesson}-end")

    seat.menu("Kernel", "Restart Kernel and Clear Outputs of All Cells…")
    seat.page.get_by_role("button", name="Confirm Kernel Restart").click()
    expect(seat.notebook.get_by_role("status")).to_have_count(0)
    seat.kernel_is_there()
    seat.run(seat.cell("import torch"))
    check = seat.cell(f'check("{first}")')
    seat.run(check)
    expect(says(check, f"{first}: not attempted")).to_contain_text("run the cell that defines it")
    seat.run_all()
    seat.finished(3 + sum(cell.cell_type == "code" for cell in cells))  # the two, and the hint's cell
    for name in names:
        expect(says(seat.cell(f'check("{name}")'), f"{name}: passed")).to_be_attached()
    seat.menu("File", "Save Notebook")
    expect(seat.page.locator(".lm-TabBar-tab.jp-mod-current.jp-mod-dirty")).to_have_count(0)

    end = seat.cell(f'finish("{lesson}")')
    expect(end.get_by_role("note")).to_contain_text(f"All {len(names)} exercises of this lesson pass.")
    onward = [name for name in lessons() if name > lesson]
    if onward:
        end.get_by_role("link", name=title(onward[0])).click()
        expect(seat.page.locator(".lm-TabBar-tab.jp-mod-current")).to_contain_text(f"{onward[0]}.ipynb")


def test_the_notebook_has_no_barriers_in_either_theme(seat, lab):  # the last one: the theme stays
    """A whole lesson, every kind of panel among it: passed, not yet, error, not attempted, and the notes."""
    answers = solution_cells("01_sigmoid") | {
        "sigmoid": "def sigmoid(z):\n    return 1 / (1 + torch.exp(z))",
        "logit": "def logit(p):\n    return p.odds()",
    }
    del answers["predict"]
    notes = [
        nbformat.v4.new_code_cell(code)
        for code in (
            'compare("sigmoid", torch.tensor([1.0]))',
            'hint("sigmoid")',
            'solution("logit")',
            "progress()",
        )
    ]
    seat.open(put(lab, "panels", "01_sigmoid", answers, notes))
    seat.run_all()
    seat.finished()
    panels = seat.notebook.get_by_role("status")
    expect(panels).to_have_count(len(exercises_of("01_sigmoid")))
    for status in (
        "sigmoid: not yet",
        "logit: stopped with an error",
        "stable_sigmoid: passed",
        "predict: not attempted",
    ):
        expect(panels.and_(seat.page.get_by_role("status", name=status))).to_be_attached()
    for words in (
        "definition",
        "Hint 1 of 3 for sigmoid",
        "Your logit does not pass yet",
        "Going on with the course's",
        "Next: 01_sigmoid, sigmoid",
    ):
        expect(seat.notebook.get_by_role("note").filter(has_text=words).first).to_be_attached()
    expect(
        panels.first.get_by_role("img", name=re.compile("expected as a solid line, yours dashed"))
    ).to_be_attached()
    seat.unroll()
    assert barriers(seat.page, within=OURS, rules=THEIRS) == []
    seat.menu("Settings", "Theme", "JupyterLab Dark")
    expect(seat.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(seat.page.locator("#jupyterlab-splash")).to_have_count(0)
    assert barriers(seat.page, within=OURS, rules=THEIRS) == []
    for text in panels.first.locator(
        "svg text"
    ).all():  # axe does not judge a drawing's text: it has the colour of the panel's, which axe has judged
        assert text.evaluate(
            "text => getComputedStyle(text).fill === getComputedStyle(text.closest('[role=status]')).color"
        )
    seat.page.set_viewport_size({"width": 1200, "height": 850})
    seat.shot("dark", panels.first)

    seat.unroll()
    panels.first.evaluate(
        "panel => panel.insertAdjacentHTML('beforeend', '<img src=\"x.png\"><div style=\"color:#444\">grey</div>')"
    )
    found = barriers(seat.page, within=[f"{OURS[1]} [role=status]"], rules=THEIRS)
    assert sorted(line.split(":")[0] for line in found) == ["color-contrast", "image-alt"], (
        "what is wrong is found"
    )
