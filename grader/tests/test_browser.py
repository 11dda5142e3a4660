"""The learner's evening in a real browser: JupyterLab as `python -m grader lab` starts it, Debian's Chromium, no internet."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from grader.author import ROOT, solution_cells
from grader.lessons import exercises_of, lessons
from grader.tests import course

SCREENSHOTS = ROOT / "screenshots"
SECONDS = 60       # the longest that anything may take on a busy machine
SUMS = "def bce(p, y, reduction=\"mean\"):\n    losses = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))\n    return losses.sum()"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a work folder of its own, in a home of its own: (address, token, work folder)."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "NBGRADER", "PYTEST"))}
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", "grader", "lab", "--no-browser", "--port", str(port)], cwd=home, stdout=log, stderr=log,
                                  env=environment | {"HOME": str(home), "GRADER_WORK": str(home / "work")}, start_new_session=True)
    try:
        for _ in range(SECONDS * 5):
            found = re.search(r"(http://localhost:\d+/)lab\S*token=(\w+)", (home / "lab.log").read_text())
            if found or server.poll() is not None:
                break
            time.sleep(0.2)
        assert found, (home / "lab.log").read_text()
        yield found[1], found[2], home / "work"
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):        # the server leads a group of its own, with its kernels
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, how)
                server.wait(20)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("there is no Chromium: apt install chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser
        browser.close()


class Seat:
    """A learner at the browser."""

    def __init__(self, page, lab):
        self.page, self.clicks, (self.address, self.token, self.work) = page, 0, lab

    def open(self, path):
        self.page.goto(f"{self.address}lab/tree/{path}?reset&token={self.token}")
        expect(self.notebook.locator("h1").first).to_be_visible()
        expect(self.notebook.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_visible()     # the kernel is there

    @property
    def notebook(self):
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def click(self, target):
        self.clicks += 1
        target.click()

    def cell(self, text, kind="Code"):
        return self.notebook.locator(f".jp-{kind}Cell").filter(has=self.page.locator(".cm-content, .jp-RenderedMarkdown", has_text=text)).first

    def write(self, cell, source):
        """Replace what stands in a cell, as one edit."""
        cell.scroll_into_view_if_needed()
        self.click(cell.locator(".cm-content"))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(source)

    def run(self, cell):
        cell.scroll_into_view_if_needed()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def run_all(self):
        """Press "Run all", once as a rule: JupyterLab drops what is asked of a kernel in its first second, faster than a person is."""
        self.clicks += 1
        for seconds in (20, 20, SECONDS):
            self.notebook.get_by_role("button", name="Run all", exact=True).click()
            try:
                return expect(self.notebook.locator(".jp-CodeCell .jp-InputPrompt").first).to_have_text(re.compile(r"\[\d+\]:"), timeout=seconds * 1000)
            except AssertionError:
                if seconds == SECONDS:
                    raise

    def finished(self):
        """Wait until every code cell has run: the last one has a number, and none has a star."""
        expect(self.notebook.locator(".jp-CodeCell .jp-InputPrompt").last).to_have_text(re.compile(r"\[\d+\]:"), timeout=SECONDS * 1000)
        expect(self.notebook.locator(".jp-CodeCell .jp-InputPrompt", has_text="*")).to_have_count(0)

    def answer(self, exercise, source):
        """Write an answer, run it, run its check; returns the check's cell."""
        self.write(self.cell(f"def {exercise}("), source)
        self.page.keyboard.press("Shift+Enter")
        check = self.cell(f'check("{exercise}")')
        self.run(check)
        return check

    def menu(self, bar, *items):
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(bar, exact=True).click()
        for item in items:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def shot(self, name, around=None):
        SCREENSHOTS.mkdir(exist_ok=True)
        if around:
            around.scroll_into_view_if_needed()
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def seat(lab, chromium, request):
    """A browser window; what it asks of any other machine is refused, and fails the test."""
    context = chromium.new_context(viewport={"width": 1200, "height": 850})
    page, outside = context.new_page(), []
    page.set_default_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)

    def elsewhere(route):
        outside.append(route.request.url)
        route.abort()

    context.route(re.compile(r"^(?!http://localhost[:/]|ws://localhost[:/]|data:|blob:)"), elsewhere)
    seat = Seat(page, lab)
    yield seat
    seat.shot(f"end-of-{request.node.originalname}")        # what was to be seen when a test ended, or failed
    context.close()
    assert not outside, f"JupyterLab asked for {outside}"


def put(lab, name, lesson, answers):
    """Put a notebook with answers into the work folder; returns its path there."""
    folder = lab[2] / name
    folder.mkdir()
    nbformat.write(course.answered(lesson, answers, open_answer="In my own words."), folder / f"{lesson}.ipynb")
    return f"{name}/{lesson}.ipynb"


def clean(cell):
    return re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", cell, flags=re.M)


def test_from_the_start_to_the_first_passed_exercise_in_three_clicks_and_one_edit(seat):
    lesson = lessons()[0]
    exercise = next(iter(exercises_of(lesson)))
    began = time.monotonic()
    seat.page.goto(f"{seat.address}lab/tree/start.ipynb?token={seat.token}")      # 0. `make lab` opens the start page
    link = seat.notebook.get_by_role("link", name=lesson).first
    expect(link).to_be_visible()
    assert "0 of " in seat.notebook.inner_text() and f"exercise {exercise}" in seat.notebook.inner_text()
    seat.shot("start")
    seat.click(link)                                                              # 1. what is next
    expect(seat.cell(f"def {exercise}(")).to_be_attached()
    seat.write(seat.cell(f"def {exercise}("), clean(solution_cells(lesson)[exercise]))      # 2. into the cell; the edit
    seat.run_all()                                                                # 3. Run all
    passed = seat.cell(f'check("{exercise}")').get_by_role("status", name=f"{exercise}: passed")
    expect(passed).to_be_visible()
    seat.shot("first-pass", passed)
    print(f"{seat.clicks} clicks, 1 edit, {time.monotonic() - began:.0f} s")
    assert seat.clicks == 3
    seat.finished()
    errors = seat.notebook.locator(".jp-CodeCell", has=seat.page.locator("[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]"))
    assert errors.count() == len(exercises_of(lesson)) - 1, "only the exercises that are not attempted stop, and Run all goes past them"


def test_a_mistake_is_named_then_the_pass_and_both_survive_a_restart_of_the_kernel(seat):
    seat.open("02_bce/02_bce.ipynb")
    seat.run_all()
    seat.finished()
    check = seat.answer("bce", SUMS)
    panel = check.get_by_role("status", name="bce: not yet")
    expect(panel).to_contain_text("You added the losses up. The mean divides their sum by N.")
    expect(panel.get_by_role("row", name="expected")).to_be_visible()
    seat.shot("mistake", panel)
    check = seat.answer("bce", clean(solution_cells("02_bce")["bce"]))
    expect(check.get_by_role("status", name="bce: passed")).to_be_visible()
    seat.shot("pass", check)
    seat.menu("Kernel", "Restart Kernel…")
    seat.page.get_by_role("button", name="Confirm Kernel Restart").click()
    seat.run(seat.cell("import torch"))
    seat.run(check)
    expect(check.get_by_role("status", name="bce: not attempted")).to_contain_text("run the cell that defines it")
    seat.open("start.ipynb")
    seat.run(seat.cell("progress()"))
    expect(seat.notebook.get_by_role("note").get_by_role("row", name=re.compile("^02_bce"))).to_contain_text("1 of 5")


@pytest.mark.parametrize("name, answers, says", [
    ("right", solution_cells("02_bce"), "Success! Your notebook passes all the tests."),
    ("wrong", solution_cells("02_bce") | {"bce": SUMS}, "bce: not yet"),
])
def test_the_validate_button_of_nbgrader(seat, lab, name, answers, says):
    seat.open(put(lab, name, "02_bce", answers))
    seat.notebook.get_by_role("button", name="Validate").click()
    dialog = seat.page.locator(".jp-Dialog").filter(has_text=re.compile("Validat|Success", re.I))
    expect(dialog).to_contain_text(says)
    seat.shot(f"validate-{name}")


def test_a_slider_moves_and_the_picture_with_its_text_alternative_changes(seat):
    seat.open("03_bce_with_logits/03_bce_with_logits.ipynb")
    seat.run_all()
    seat.finished()
    cell = seat.cell("interact(walk")
    picture, slider = cell.get_by_role("img", name=re.compile("^Two plots against the score")), cell.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("alt", re.compile(r"A dot at z = 2\.00"))
    before = picture.get_attribute("src")
    slider.focus()
    seat.page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", re.compile(r"A dot at z = 2\.25"))
    assert picture.get_attribute("src") != before
    seat.shot("slider", picture)


def test_no_popup_asks_for_news_and_nothing_looks_for_updates(seat):
    """What decides these is the page's configuration: a popup that comes late would escape a look at the screen."""
    seat.open("start.ipynb")
    config = seat.page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent)")
    assert config["news"] == {"disabled": True}
    settings = seat.page.request.get(f"{seat.address}lab/api/settings/@jupyterlab/apputils-extension:notification?token={seat.token}").json()
    defaults = {name: settings["schema"]["properties"][name]["default"] for name in ("fetchNews", "checkForUpdates")}
    assert defaults == {"fetchNews": "false", "checkForUpdates": False}
    assert config["extensionManager"]["can_install"] is False
    assert not Path(ROOT / "work" / "right").exists(), "the tests have a work folder of their own"


def test_a_wrong_curve_is_drawn_and_the_panel_can_be_read_in_the_dark_theme(seat, lab):      # the last one: the theme stays
    path = put(lab, "dark", "01_sigmoid", {"sigmoid": "def sigmoid(z):\n    return 1 / (1 + torch.exp(z))"})
    seat.open(path)
    seat.menu("Settings", "Theme", "JupyterLab Dark")
    expect(seat.page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    seat.run_all()
    panel = seat.cell('check("sigmoid")').get_by_role("status", name="sigmoid: not yet")
    expect(panel.get_by_role("img", name=re.compile("expected as a solid line, yours dashed"))).to_be_visible()
    seat.finished()
    seat.shot("dark", panel)
    for words in ("div", "th", "code", "svg text"):
        contrast = panel.locator(words).first.evaluate(CONTRAST)
        assert contrast >= 4.5, f"{words}: {contrast:.1f}, where WCAG asks for 4.5"


# the contrast of an element's text against the first opaque background behind it, as WCAG 2 defines it
CONTRAST = """element => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const style = getComputedStyle(element), ink = element.closest("svg") ? style.fill : style.color;
    let behind = element;
    while (behind && (parts(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 1) behind = behind.parentElement;
    const [a, b] = [light(parts(ink)), light(parts(getComputedStyle(behind).backgroundColor))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
