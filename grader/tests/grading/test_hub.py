"""A real JupyterHub, set up by the lines of the guide: a learner fetches, answers, submits and reads; a
teacher collects, grades and returns.

Root's work, in a view of the machine of its own: `/srv`, `/home` and `/etc` are copies, so that accounts and
folders are those of the guide and nothing of them is left.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from grader.course.build import ROOT
from grader.jail import doctor
from grader.tests import school
from grader.tests.pages import SCREENSHOTS, SECONDS

GUIDE = (ROOT / "grader/site/texts/hub.md").read_text(encoding="utf-8")
LESSON = "02_bce"
PASSWORD = "a lesson in trust"
SUMS = "def bce(p, y, reduction='mean'):\n    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()"
BIN = Path(sys.executable).parent


def why_not():
    """What this machine lacks for a hub with users of the system; "" for nothing."""
    if os.name != "posix" or os.geteuid() != 0:
        return "a hub with users of the system is started by root"
    needed = ("bwrap", "unshare", "useradd", "chpasswd")
    lacking = [name for name in needed if not shutil.which(name)]
    if not shutil.which("configurable-http-proxy", path=f"{BIN}:{os.environ['PATH']}"):
        lacking.append("configurable-http-proxy")
    return f"there is no {', '.join(lacking)}" if lacking else doctor.walls().why


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


def block(language, name=""):
    """The guide's block in a language; of several, the one whose first line names this file."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.M | re.S)
    (text,) = [text for text in blocks if text.startswith(f"# {name}") or not name]
    return text


class Machine:
    """The hub's machine, as those who work on it see it."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.chmod(0o755)
        for name in ("srv", "home"):
            (folder / name).mkdir()
        shutil.copytree("/etc", folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
        private = shutil.ignore_patterns(
            ".git", ".venv", ".cache", ".*_cache", "__pycache__", "work", "demo", "screenshots"
        )
        shutil.copytree(ROOT, folder / "srv/course", ignore=private)
        (folder / "srv/course/.venv").symlink_to(sys.prefix)

    def view(self):
        """The words before a command that runs there. Python is reached by everybody, also where it lies in
        root's home."""
        # with its first process all others end, also those that the hub has let go
        words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        words += ["bwrap", "--die-with-parent", "--cap-add", "ALL", "--dev-bind", "/", "/"]
        reached: dict[Path, set[Path]] = {}  # a closed folder -> what in it is to be reached
        for path in (Path(sys.executable).resolve(), Path(sys.prefix)):
            closed = next((p for p in reversed(path.parents) if not p.stat().st_mode & 0o001), None)
            if closed:
                reached.setdefault(closed, set()).add(closed / path.relative_to(closed).parts[0])
        for closed, within in reached.items():
            words += ["--perms", "0755", "--tmpfs", str(closed)]
            for path in sorted(within):
                words += ["--ro-bind", str(path), str(path)]
        for name in ("srv", "home", "etc"):
            words += ["--bind", str(self.folder / name), f"/{name}"]
        return words

    def run(self, *words, user="root", cwd="/", **options):
        """What a command says there, run by this user."""
        become = [] if user == "root" else ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        done = subprocess.run(
            [*self.view(), "--chdir", cwd, *become, *words],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment() | ({} if user == "root" else {"HOME": f"/home/{user}"}),
            **options,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def environment(self):
        return {
            "PATH": f"/srv/course/.venv/bin:{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/srv/hub",
            "LANG": "C.UTF-8",
            "PYTHONPATH": "/srv/course",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def read(self, path):
        return (self.folder / path.removeprefix("/")).read_text(encoding="utf-8")

    def owner(self, path):
        return (self.folder / path.removeprefix("/")).stat().st_uid

    def write(self, path, text):
        (self.folder / path.removeprefix("/")).write_text(text, encoding="utf-8")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def hub():
    """(machine, address) of a hub that runs as the guide says; its ports are free ones."""
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        machine = Machine(Path(folder))
        machine.run("sh", "-ec", block("sh"))
        names = ("curie", "noether", "ann", "ben")
        machine.run("chpasswd", input="".join(f"{name}:{PASSWORD}\n" for name in names))
        course = block("python", "/srv/losses/nbgrader_config.py")
        machine.write("/srv/losses/nbgrader_config.py", course)
        machine.write("/srv/evening/nbgrader_config.py", course.replace("losses", "evening"))
        machine.write("/srv/hub/nbgrader_config.py", block("python", "/srv/hub/nbgrader_config.py"))
        text = block("python", "/srv/hub/jupyterhub_config.py")
        port = free_port()
        for known in ("8000", "9101", "9102"):
            assert text.count(known) == 1
            text = text.replace(known, str(port if known == "8000" else free_port()))
        text += (
            f"c.JupyterHub.hub_port = {free_port()}\nc.ConfigurableHTTPProxy.api_url = "
            f"'http://127.0.0.1:{free_port()}'\n"
        )
        machine.write("/srv/hub/jupyterhub_config.py", text)
        address = f"http://localhost:{port}"
        log = Path(folder, "hub.log")
        with log.open("w") as file:
            running = subprocess.Popen(
                [
                    *machine.view(),
                    "--chdir",
                    "/srv/hub",
                    "jupyterhub",
                    "--config",
                    "/srv/hub/jupyterhub_config.py",
                ],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
                env=machine.environment(),
                start_new_session=True,
            )
        try:
            ends = time.monotonic() + 3 * SECONDS
            while time.monotonic() < ends and running.poll() is None:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{address}/hub/health", timeout=5)
                    break
                time.sleep(0.2)
            else:
                raise AssertionError(log.read_text())
            yield machine, address
        finally:
            running.kill()
            running.wait()


class Person:
    """Somebody who is logged in, in a browser of their own."""

    def __init__(self, page, address, name, at):
        self.page, self.address, self.base = page, address, at
        page.goto(f"{address}/hub/login")
        page.fill("#username_input", name)
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")
        page.goto(f"{address}{at}lab")
        page.wait_for_url(re.compile(f"{re.escape(at)}lab"))

    def ask(self, path, method="GET", **data):
        """What this person's server answers, as JSON."""
        cookies = {c["name"]: c["value"] for c in self.page.context.cookies(f"{self.address}{self.base}")}
        answer = self.page.request.fetch(
            f"{self.address}{self.base}{path}",
            method=method,
            headers={"X-XSRFToken": cookies["_xsrf"]},
            timeout=3 * SECONDS * 1000,
            **data,
        )
        assert answer.ok, (path, answer.status, answer.text())
        said = answer.json()
        assert not isinstance(said, dict) or said.get("success", True), (path, json.dumps(said)[-3000:])
        return said

    def status(self, path, of_the_hub=False):
        """The status of a page of this person's server, or of the hub."""
        base = "/" if of_the_hub else self.base
        return self.page.request.get(f"{self.address}{base}{path}").status


@pytest.fixture(scope="module")
def enter(hub, chromium):
    """A function that logs somebody in, in a browser of their own."""
    people = []

    def entered(name, at):
        page = chromium.new_context(viewport={"width": 1200, "height": 850}).new_page()
        page.set_default_timeout(3 * SECONDS * 1000)
        people.append(Person(page, hub[1], name, at))
        return people[-1]

    yield entered
    for person in people:
        person.page.context.close()


def test_the_solutions_are_closed_to_learners_and_their_notebooks_work_all_the_same(hub):
    machine, _ = hub
    with pytest.raises(AssertionError, match="Permission denied"):
        machine.run("cat", f"/srv/course/solutions/{LESSON}.py", user="ann")
    with pytest.raises(AssertionError, match="Permission denied"):
        machine.run("ls", "/srv/losses", user="ann")
    code = (
        "import torch; from grader import *; sigmoid = lambda z: 1 / (1 + torch.exp(-z)); check('sigmoid'); "
        "hint('bce'); solution('sigmoid'); print(ready('bce')(torch.tensor([0.5]), torch.tensor([1.0])))"
    )
    told = machine.run("python", "-c", code, user="ann", cwd="/home/ann")
    assert "sigmoid: passed" in told and "Hint 1" in told and "tensor(0.6931)" in told
    assert "comes without its answers" in told and "torch.exp" not in told


def test_a_lesson_goes_round(hub, enter):
    """Released, fetched, answered, submitted; collected, graded, returned; and read in JupyterLab."""
    machine, address = hub
    told = machine.run("./course", "release", LESSON, user="grader-losses", cwd="/srv/losses")
    assert f"{LESSON}: released" in told

    ann = enter("ann", "/user/ann/")
    assert ann.ask("courses")["value"] == ["losses"]
    assert ann.status("formgrader") == 404
    assert ann.status("services/losses/lab", of_the_hub=True) == 403
    assert ann.status(f"read/{LESSON}") == 404
    assert ann.status(f"services/losses/read/{LESSON}", of_the_hub=True) == 403
    assignment = {"course_id": "losses", "assignment_id": LESSON}
    ann.ask("assignments/fetch", "POST", form=assignment)
    place = f"losses/{LESSON}/{LESSON}.ipynb"
    assert "YOUR CODE HERE" in machine.read(f"/home/ann/work/{place}")
    answers = school.solution_cells(LESSON) | {"bce": SUMS}
    content = school.answered(LESSON, answers, open_answer="The loss weighs how sure the model was.")
    ann.ask(f"api/contents/{place}", "PUT", data={"type": "notebook", "content": content})
    ann.ask("assignments/submit", "POST", form=assignment)

    # two who teach the course work on one gradebook, as the course's account
    curie, noether = (enter(name, "/services/losses/") for name in ("curie", "noether"))
    curie.ask(f"formgrader/api/assignment/{LESSON}/collect", "POST")
    noether.ask(f"formgrader/api/submission/{LESSON}/ann/autograde", "POST")
    expect.set_options(timeout=SECONDS * 1000)
    noether.page.goto(f"{address}/services/losses/read/{LESSON}")
    card = noether.page.locator(".card")
    expect(card.locator(".answer")).to_have_text("The loss weighs how sure the model was.")
    card.locator("input").fill("1.5")
    card.locator("input").press("Tab")
    expect(card.locator(".state")).to_have_text("read, saved")
    curie.ask(f"formgrader/api/assignment/{LESSON}/generate_feedback", "POST")
    noether.ask(f"formgrader/api/assignment/{LESSON}/release_feedback", "POST")
    assert machine.owner("/srv/losses/gradebook.db") == machine.owner("/srv/losses")

    listed = ann.ask("assignments/fetch_feedback", "POST", form=assignment)["value"]
    ((sent,),) = [entry["submissions"] for entry in listed if entry["status"] == "submitted"]
    folder = sent["local_feedback_path"]
    ann.page.goto(f"{address}/user/ann/lab/tree/{folder}/{LESSON}.html?reset")
    feedback = ann.page.frame_locator("iframe.jp-HTMLViewer, .jp-HTMLViewer iframe")
    expect(feedback.locator("main")).to_contain_text("You added the losses up")
    expect(feedback.locator("main")).to_contain_text("lower_loss_fewer_right: 1.5 of 2")
    assert feedback.locator("a").count() == 0  # the hub lets no page of its own be shown in a frame
    for part in feedback.locator("summary").all():
        part.click()
    expect(feedback.locator("main")).to_contain_text("-(y * torch.log(p)")
    SCREENSHOTS.mkdir(exist_ok=True)
    ann.page.screenshot(path=SCREENSHOTS / "hub-feedback.png")
    curie.page.screenshot(path=SCREENSHOTS / "hub-teacher.png")
