"""A learner's own repository, scored in a job: what is counted, and that nothing which a learner wrote breaks
the files."""

import html
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mistune
import nbformat
import pytest
import yaml
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom import results
from grader.classroom.results import Results, Score, Total
from grader.course.build import ROOT
from grader.course.cells import grade_id
from grader.course.lessons import exercises_of
from grader.judging.verdict import ERROR, FAILED, MISSING, PASSED
from grader.tests import school

LESSON = "02_bce"
GUIDE = (ROOT / "grader/site/texts/teacher.md").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(re.search(r"```yaml\n(.*?)```", GUIDE, re.S)[1])
STEPS = WORKFLOW["jobs"]["check"]["steps"]
COMMANDS = [step["run"] for step in STEPS if "run" in step]
NASTY = (
    'a | b\n<script>alert(1)</script> ]]> & "quoted" `code | <b>` [x](http://evil) *bold* @teacher #1 '
    "\x00\x1b[31m \ud800 ~~no~~ $x$"
)
SCORES = [
    Score(LESSON, "bce", PASSED, 3.0, 3.0, "You have built `F.binary_cross_entropy`."),
    Score(LESSON, "bce_grad", FAILED, 0.5, 2.0, NASTY),
    Score(LESSON, "bce_clamped", ERROR, 0.0, 3.0, "Your code raised ValueError: " + NASTY),
    Score("03_bce_with_logits", "softplus", MISSING, 0.0, 2.0),
]
NO_WALLS = "There are no walls here | <b>."
WHOLE = Results(SCORES, [NO_WALLS, NASTY], 2.6)
POINTS_OF_03 = sum(exercise.points for exercise in exercises_of("03_bce_with_logits").values())


def run(*words):
    return CliRunner().invoke(app, ["check", *words])


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A learner's repository: 02 with one wrong answer whose error holds markup, one that is missing; of 03
    one answer in a Python file."""
    folder = tmp_path_factory.mktemp("repository")
    nb = school.answered(LESSON)
    for cell in nb.cells:
        if grade_id(cell) == "bce_grad":
            cell.source = f"def bce_grad(p, y):\n    raise ValueError({NASTY[:60]!r})"
        if grade_id(cell) == "bce_clamped":
            cell.source = "def bce_clamped(p, y):\n    raise NotImplementedError()"
    path = folder / "term 1" / f"{LESSON} (1).ipynb"
    path.parent.mkdir()
    nbformat.write(nb, path)
    (folder / "bits.py").write_text(
        "import torch\nimport torch.nn.functional as F\n"
        + school.solution_cells("03_bce_with_logits")["softplus"]
    )
    return folder


def shell(command, cwd, **environment):
    """What a command does that is run as a job runs it: by bash, which stops at the first error."""
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=cwd,
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@pytest.fixture(scope="module")
def job(repository, tmp_path_factory):
    """A folder as a job finds it: the course with its environment, and the learner's answers."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "course").mkdir()
    (folder / "course/.venv").symlink_to(sys.prefix)
    (folder / "answers").symlink_to(repository)
    return folder


@pytest.fixture(scope="module")
def written(job):
    """(what was said, the three files) of one run: that of the guide's workflow, with Gradescope's file besides."""
    check = COMMANDS[-2]
    said = shell(check, job, LESSONS="02 03 answers/bits.py --to results.json")
    assert "Traceback" not in said.stderr, said.stderr
    return said, {suffix: job / f"results.{suffix}" for suffix in ("xml", "md", "json")}


def test_what_is_missing_counts_as_nothing(written):
    said, _ = written
    assert said.returncode == 1
    assert f"{LESSON}  bce: passed  3/3" in said.stdout
    assert "bce_clamped: not attempted  0/3" in said.stdout
    assert "03_bce_with_logits  softplus: passed" in said.stdout
    assert "03_bce_with_logits  bce_with_logits: not attempted" in said.stdout
    softplus = exercises_of("03_bce_with_logits")["softplus"].points
    whole = 13 + POINTS_OF_03
    assert re.search(rf"\b{7 + softplus} of {whole} points, 4 of \d+ exercises pass\.", said.stdout)


def test_the_three_files_say_the_same(written):
    _, files = written
    cases = ElementTree.parse(files["xml"]).findall(".//testcase")
    tests = json.loads(files["json"].read_text())["tests"]
    rows = [line for line in files["md"].read_text().splitlines() if line.startswith(f"| {LESSON} ")]
    in_lesson = [case for case in cases if case.get("classname") == LESSON]
    assert [case.get("name") for case in in_lesson] == [re.search("`(.*?)`", row)[1] for row in rows]
    assert [f"{case.get('classname')}: {case.get('name')}" for case in cases] == [
        test["name"] for test in tests
    ]
    passed = [case.find("failure") is None and case.find("error") is None for case in cases]
    assert passed == [test["status"] == "passed" for test in tests]
    whole = json.loads(files["json"].read_text())
    assert sum(test["score"] for test in tests) == whole["score"] > 7
    assert isinstance(whole["execution_time"], int)


def test_what_is_to_be_said_besides_stands_in_each_file(written):
    """Where the notebook was found, what a person has to read, and what ran without walls."""
    _, files = written
    for file in files.values():
        text = html.unescape(file.read_text(encoding="utf-8"))
        assert f"{LESSON} (1).ipynb" in text and "was taken for" in text, file
        assert "Open questions (2) are read by a person" in text and "walls" in text, file


def test_the_mistake_is_told_as_at_home(written):
    _, files = written
    (test,) = [
        test
        for test in json.loads(files["json"].read_text())["tests"]
        if test["name"] == f"{LESSON}: bce_grad"
    ]
    assert "Your code raised ValueError: a | b" in test["output"]


def test_junit_is_xml_whatever_was_written():
    root = ElementTree.fromstring(results.junit(WHOLE).encode())
    assert [(suite.get("failures"), suite.get("errors")) for suite in root] == [("1", "1"), ("1", "0")]
    assert all(NO_WALLS in suite.findtext("system-out") for suite in root)
    assert "<script>" in root.findall(".//failure")[0].text


def test_no_markup_of_a_learners_reaches_the_summary():
    page = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "math"])(
        results.markdown(WHOLE)
    )
    assert page.count("<tr>") == len(SCORES) + 1
    assert page.count("<td") == 5 * len(SCORES)
    for tag in ("<script", "<b>", "<a ", "<em>", "<strong>bold", "<del>", "math", "\x1b"):
        assert tag not in page, tag
    assert "<script>alert(1)</script>" in html.unescape(page)


def test_gradescope_gets_what_it_reads():
    read = json.loads(results.gradescope(WHOLE).encode())
    assert read["score"] == 3.5 and read["execution_time"] == 3
    assert NO_WALLS in read["output"] and "\x1b" not in str(read)
    assert {test["visibility"] for test in read["tests"]} == {"visible"}
    assert all(0 <= test["score"] <= test["max_score"] for test in read["tests"])


def test_a_total():
    assert Total.over(SCORES).sentence == "3.5 of 10 points, 1 of 4 exercises pass."


@pytest.mark.parametrize(
    "words, said",
    [
        (["--all", "02", "--to", "results.txt"], "name it .xml"),
        (["--all", "--in", "no_such_folder"], "no_such_folder"),
        ([], "--all"),
        (["--all", "nonsense"], "nonsense"),
        (["--all", "02", "--to", "no_such_folder/results.md"], "There is no folder"),
    ],
)
def test_a_word_that_means_nothing_is_one_sentence(words, said):
    done = run(*words)
    assert done.exit_code == 2 and said in done.output and "Traceback" not in done.output


def test_the_guides_workflow_is_a_workflow_and_shows_its_results(written, job):
    """The lines that set a machine up are read only: they install for minutes."""
    # YAML reads `on` as true
    assert WORKFLOW[True] == "push" and WORKFLOW["permissions"] == {"contents": "read"}
    assert all({"run", "uses"} & set(step) for step in STEPS)
    (setup,) = [command for command in COMMANDS if command.startswith("make ")]
    assert re.search(rf"^\$\(VENV\)/{Path(setup.split()[-1]).name}:", (ROOT / "Makefile").read_text(), re.M)
    shown = shell(COMMANDS[-1], job, GITHUB_STEP_SUMMARY=str(job / "summary"))
    assert shown.returncode == 0 and "exercises pass." in (job / "summary").read_text(), shown.stderr


def test_gradescopes_scripts_run_as_the_guide_prints_them(job):
    """With Gradescope's folders in another place, and nothing handed in. What sets its machine up is read by
    the shell only."""
    scripts = re.findall(r"^```bash\n(.*?)^```$", GUIDE, re.M | re.S)
    setup, run_autograder = scripts
    assert shell(f"bash -n <<'END'\n{setup}\nEND", job).returncode == 0
    for folder in ("submission", "results"):
        (job / folder).mkdir()
    (job / "source").mkdir()
    (job / "source/course").symlink_to(job / "course")
    done = shell(run_autograder.replace("/autograder", str(job)), job)
    assert done.returncode == 0, done.stderr
    read = json.loads((job / "results/results.json").read_text(encoding="utf-8"))
    assert read["score"] == 0 and len(read["tests"]) == len(exercises_of(LESSON))
    assert "No notebook was submitted." in read["output"]


@pytest.mark.parametrize("status, expected", [(MISSING, PASSED), (FAILED, FAILED)])
def test_of_two_answers_the_later_one_counts_and_none_is_no_answer(status, expected):
    scores, remarks = results.replaced(
        [Score(LESSON, "bce", PASSED, 3.0, 3.0)], [Score(LESSON, "bce", status, 0.0, 3.0)]
    )
    assert [score.status for score in scores] == [expected]
    assert bool(remarks) == (status != MISSING)
