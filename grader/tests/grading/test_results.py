"""A learner's own repository, scored in a job: what is counted, and that nothing which a learner wrote breaks the files."""

import html
import json
import re
import shlex
import xml.etree.ElementTree as ElementTree

import mistune
import nbformat
import pytest
import yaml
from typer.testing import CliRunner

from grader.__main__ import app
from grader.classroom import results
from grader.classroom.results import Score, Total
from grader.course.build import ROOT
from grader.course.cells import grade_id
from grader.judging.verdict import ERROR, FAILED, MISSING, PASSED
from grader.tests import school

LESSON = "02_bce"
NASTY = 'a | b\n<script>alert(1)</script> ]]> & "quoted" `code | <b>` [x](http://evil) *bold* @teacher #1 \x00\x1b[31m \ud800 ~~no~~ $x$'
SCORES = [
    Score(LESSON, "bce", PASSED, 3.0, 3.0, "You have built `F.binary_cross_entropy`."),
    Score(LESSON, "bce_grad", FAILED, 0.5, 2.0, NASTY),
    Score(LESSON, "bce_clamped", ERROR, 0.0, 3.0, "Your code raised ValueError: " + NASTY),
    Score("03_bce_with_logits", "softplus", MISSING, 0.0, 2.0),
]


def run(*words):
    return CliRunner().invoke(app, ["check", *words])


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A learner's repository: 02 with one wrong answer whose error holds markup, one that is missing; of 03 nothing."""
    folder = tmp_path_factory.mktemp("repository")
    nb = school.answered(LESSON)
    for cell in nb.cells:
        if grade_id(cell) == "bce_grad":
            cell.source = f"def bce_grad(p, y):\n    raise ValueError({NASTY[:60]!r})"
        if grade_id(cell) == "bce_clamped":
            cell.source = "def bce_clamped(p, y):\n    raise NotImplementedError()"
    (folder / LESSON).mkdir()
    nbformat.write(nb, folder / LESSON / f"{LESSON}.ipynb")
    return folder


@pytest.fixture(scope="module")
def written(repository, tmp_path_factory):
    """(what was said, the three files) of one run over it."""
    files = {
        suffix: tmp_path_factory.mktemp("results") / f"results.{suffix}" for suffix in ("xml", "md", "json")
    }
    to = [word for file in files.values() for word in ("--to", str(file))]
    return run("--all", "02", "03", "--in", str(repository), *to), files


def test_what_is_missing_counts_as_nothing(written):
    said, _ = written
    assert said.exit_code == 1
    assert f"{LESSON}  bce: passed  3/3" in said.output
    assert "bce_clamped: not attempted  0/3" in said.output
    assert "03_bce_with_logits  softplus: not attempted" in said.output
    assert re.search(r"7 of \d+ points, 3 of \d+ exercises pass\.", said.output)


def test_the_three_files_say_the_same(written):
    _, files = written
    cases = ElementTree.parse(files["xml"]).findall(".//testcase")
    tests = json.loads(files["json"].read_text())["tests"]
    rows = [line for line in files["md"].read_text().splitlines() if line.startswith(f"| {LESSON} ")]
    mine = [case for case in cases if case.get("classname") == LESSON]
    assert [case.get("name") for case in mine] == [re.search("`(.*?)`", row)[1] for row in rows]
    assert [f"{case.get('classname')}: {case.get('name')}" for case in cases] == [
        test["name"] for test in tests
    ]
    passed = [case.find("failure") is None for case in cases]
    assert passed == [test["status"] == "passed" for test in tests]
    assert sum(test["score"] for test in tests) == json.loads(files["json"].read_text())["score"] == 7


def test_the_mistake_is_told_as_at_home(written):
    _, files = written
    (test,) = [
        test
        for test in json.loads(files["json"].read_text())["tests"]
        if test["name"] == f"{LESSON}: bce_grad"
    ]
    assert "Your code raised ValueError: a | b" in test["output"]


def test_junit_is_xml_whatever_was_written():
    root = ElementTree.fromstring(results.junit(SCORES).encode())
    assert [suite.get("failures") for suite in root] == ["2", "1"]
    assert "<script>" in root.findall(".//failure")[0].text


def test_no_markup_of_a_learners_reaches_the_summary():
    page = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "math"])(
        results.markdown(SCORES)
    )
    assert page.count("<tr>") == len(SCORES) + 1
    assert page.count("<td") == 5 * len(SCORES)
    for tag in ("<script", "<b>", "<a ", "<em>", "<strong>bold", "<del>", "math", "\x1b"):
        assert tag not in page, tag
    assert "<script>alert(1)</script>" in html.unescape(page)


def test_gradescope_gets_what_it_reads():
    read = json.loads(results.gradescope(SCORES).encode("utf-8", "replace"))
    assert read["score"] == 3.5
    assert {test["visibility"] for test in read["tests"]} == {"visible"}
    assert all(0 <= test["score"] <= test["max_score"] for test in read["tests"])


def test_a_total():
    assert Total.of(SCORES).sentence == "3.5 of 10 points, 1 of 4 exercises pass."


@pytest.mark.parametrize(
    "words, said",
    [
        (["--all", "02", "--to", "results.txt"], "name it .xml"),
        (["--all", "--in", "no_such_folder"], "no_such_folder"),
        ([], "--all"),
        (["--all", "nonsense"], "nonsense"),
    ],
)
def test_a_word_that_means_nothing_is_one_sentence(words, said):
    done = run(*words)
    assert done.exit_code == 2 and said in done.output and "Traceback" not in done.output


def test_the_guides_workflow_is_a_workflow_and_its_commands_are_commands(repository, monkeypatch):
    guide = (ROOT / "grader/site/texts/teacher.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", guide, re.S)[1])
    (job,) = workflow["jobs"].values()
    commands = "\n".join(step.get("run", "") for step in job["steps"])
    (line,) = [line for line in commands.splitlines() if " check --all" in line]
    words = shlex.split(line.partition(" check ")[2].partition("||")[0])
    monkeypatch.chdir(repository)
    done = run(*words, "02")
    assert done.exit_code == 1 and "exercises pass." in done.output
    assert (repository / "results.md").is_file() and (repository / "results.xml").is_file()
