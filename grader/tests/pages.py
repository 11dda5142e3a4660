"""A browser for tests: JupyterLab as `./course lab` starts it, Debian's Chromium, a learner's seat before
both, axe beside it. No internet."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from grader.course.build import ROOT

SCREENSHOTS = ROOT / "screenshots"
SECONDS = 60  # the longest that anything may take on a busy machine


@contextlib.contextmanager
def serving(command, cwd, home, says, **environment):
    """A Jupyter server on a free port, in a home of its own, as long as it is needed: what the pattern `says`
    finds first in its log."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "NBGRADER", "PYTEST"))
    }
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, f"--port={port}"],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=clean | {"HOME": str(home)} | environment,
            start_new_session=True,
        )
    try:
        for _ in range(SECONDS * 5):
            address = re.search(says, (home / "server.log").read_text())
            if address or server.poll() is not None:
                break
            time.sleep(0.2)
        assert address, (home / "server.log").read_text()
        yield address
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):  # the server leads a group of its own, with its kernels
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(server.pid, how)
                server.wait(20)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a work folder of its own: (address, token, work folder)."""
    home = tmp_path_factory.mktemp("home")
    with serving(
        ["grader", "lab", "--no-browser"],
        home,
        home,
        r"(http://localhost:\d+/)start\?token=(\w+)",
        GRADER_WORK=str(home / "work"),
    ) as found:
        yield found[1], found[2], home / "work"


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("there is no Chromium: apt install chromium")
    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A browser window; what it asks of any other machine is refused, and fails the test."""
    # a colour on its way to another is no colour to judge: themes change theirs at once for who asks for no motion
    context = chromium.new_context(viewport={"width": 1200, "height": 850}, reduced_motion="reduce")
    page, outside = context.new_page(), []
    page.set_default_timeout(SECONDS * 1000)
    expect.set_options(timeout=SECONDS * 1000)

    def elsewhere(route):
        outside.append(route.request.url)
        route.abort()

    context.route(re.compile(r"^(?!http://localhost[:/]|ws://localhost[:/]|file:|data:|blob:)"), elsewhere)
    yield page
    context.close()
    assert not outside, f"the page asked for {outside}"


@pytest.fixture
def seat(page, lab, request):
    """A learner at JupyterLab."""
    seat = Seat(page, lab)
    yield seat
    seat.shot(f"end-of-{request.node.originalname}")  # what was to be seen when a test ended, or failed


class Seat:
    """A learner at the browser."""

    def __init__(self, page, lab):
        self.page, self.clicks, (self.address, self.token, self.work) = page, 0, lab

    def open(self, path):
        self.page.goto(f"{self.address}lab/tree/{path}?reset&token={self.token}")
        self.kernel_is_there()

    def kernel_is_there(self):
        """JupyterLab drops what is asked of a kernel before it has answered; only then does the status bar
        call it idle."""
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")

    @property
    def notebook(self):
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def click(self, target):
        self.clicks += 1
        target.click()

    def cell(self, text, kind="Code"):
        return (
            self.notebook.locator(f".jp-{kind}Cell")
            .filter(has=self.page.locator(".cm-content, .jp-RenderedMarkdown", has_text=text))
            .first
        )

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
        self.kernel_is_there()
        self.clicks += 1
        self.notebook.get_by_role("button", name="Run all", exact=True).click()

    def finished(self, runs=None):
        """Wait until every code cell has run: the last one has a number (or one of them has this one), and
        none has a star."""
        prompts = self.notebook.locator(".jp-CodeCell .jp-InputPrompt")
        expect(prompts.filter(has_text=f"[{runs}]:") if runs else prompts.last).to_have_text(
            re.compile(r"\[\d+\]:")
        )
        expect(prompts.filter(has_text="*")).to_have_count(0)

    def menu(self, bar, *items):
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(bar, exact=True).click()
        for item in items:
            self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def unroll(self):
        """Make the window as high as the notebook, for axe judges no contrast of what is scrolled away, nor
        below a body without a height."""
        self.page.add_style_tag(content="html, body {height: 100%}")
        # what comes into view is laid out only then, and may be higher or lower than was thought
        for _ in range(20):
            height = self.notebook.evaluate(
                "book => book.querySelector('.jp-Cell:last-of-type').getBoundingClientRect().bottom "
                "- book.querySelector('.jp-Cell').getBoundingClientRect().top"
            )
            if height + 300 <= self.page.viewport_size["height"]:
                return self.notebook.locator(".jp-WindowedPanel-outer").evaluate(
                    "outer => outer.scrollTo(0, 0)"
                )
            self.page.set_viewport_size({"width": 1200, "height": int(height) + 400})
            self.page.evaluate(
                "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
        raise AssertionError(f"the notebook's height does not settle: {height}")

    def shot(self, name, around=None):
        SCREENSHOTS.mkdir(exist_ok=True)
        if around:
            around.scroll_into_view_if_needed()
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


def barriers(page, *, within, rules=()):
    """What axe, the checker of the Web Content Accessibility Guidelines, finds wrong within some selectors of
    a page, one line each.

    `rules` are left out. Text whose contrast axe cannot tell because something lies over it counts as wrong:
    the page is not ready to be judged.
    """
    rules_broken = (
        Axe()
        .run(
            page,
            context={"include": list(within)},
            options={"rules": {rule: {"enabled": False} for rule in rules}},
        )
        .response
    )
    hidden = [
        rule
        | {
            "nodes": [
                n
                for n in rule["nodes"]
                if any(a["data"].get("messageKey") in ("bgOverlap", "elmPartiallyObscured") for a in n["any"])
            ]
        }
        for rule in rules_broken["incomplete"]
        if rule["id"] == "color-contrast"
    ]
    return [
        f"{rule['id']}: {node['html'][:160]} ({(node['failureSummary'] or '').splitlines()[-1].strip()})"
        for rule in rules_broken["violations"] + hidden
        for node in rule["nodes"]
    ]
