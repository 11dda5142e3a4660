"""nbgrader as it comes, none of the course's plug-ins: every step of a round, and the right grades."""

import pytest

from grader.tests import school

LESSON = "02_bce"
SUMS = """def bce(p, y, reduction="mean"):
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).sum()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return school.make(tmp_path_factory.mktemp("course"), LESSON, stock=True)


@pytest.fixture(scope="module")
def graded(folder):
    """A class through generate, submit, autograde."""
    school.nbgrader(folder, "generate_assignment", LESSON, "--create")
    solutions = school.solution_cells(LESSON)
    school.submit(folder, "right", LESSON, school.answered(LESSON, open_answer="Because."))
    school.submit(folder, "stubs", LESSON, school.answered(LESSON, {}))
    school.submit(
        folder, "mixed", LESSON, school.answered(LESSON, {"bce": SUMS, "bce_grad": solutions["bce_grad"]})
    )
    school.nbgrader(folder, "autograde", LESSON, "--create")
    return school.grades(folder, LESSON)


def automatic(scores):
    return {name: score for name, score in scores.items() if name.startswith("test_")}


def test_solutions_get_full_marks_and_stubs_none(graded):
    points = {f"test_{n}": e.points for n, e in school.exercises_of(LESSON).items()}
    assert automatic(graded["right"]) == points
    assert set(automatic(graded["stubs"]).values()) == {0}


def test_a_mixed_answer_gets_what_it_deserves(graded):
    points = {f"test_{n}": 0 for n in school.exercises_of(LESSON)} | {
        "test_bce_grad": school.exercises_of(LESSON)["bce_grad"].points
    }
    assert automatic(graded["mixed"]) == points


def test_an_open_answer_waits_for_a_person_and_an_empty_one_is_zero(graded):
    assert graded["stubs"]["lower_loss_fewer_right"] == 0
    assert "lower_loss_fewer_right" in graded["right"]


def test_feedback_shows_the_verdict(folder, graded):
    school.nbgrader(folder, "generate_feedback", LESSON)
    page = (folder / "feedback" / "mixed" / LESSON / f"{LESSON}.html").read_text()
    assert "You added the losses up. The mean divides their sum by N." in page


def test_export(folder, graded):
    school.nbgrader(folder, "export", "--to", folder / "grades.csv")
    rows = (folder / "grades.csv").read_text().splitlines()
    assert len(rows) == 4 and any(",mixed," in r for r in rows)


def test_release_fetch_submit_collect_over_a_local_exchange(folder, graded, tmp_path):
    school.nbgrader(folder, "release_assignment", LESSON)
    (tmp_path / "nbgrader_config.py").write_text((folder / "nbgrader_config.py").read_text())
    school.nbgrader(tmp_path, "fetch_assignment", LESSON)
    fetched = tmp_path / LESSON / f"{LESSON}.ipynb"
    assert fetched.exists()
    school.nbformat.write(school.answered(LESSON), fetched)
    school.nbgrader(tmp_path, "submit", LESSON)
    school.nbgrader(folder, "collect", LESSON)
    assert len(list((folder / "submitted").glob(f"*/{LESSON}/{LESSON}.ipynb"))) == 4


@pytest.mark.parametrize(
    ("path", "says"), [(school.instructors, "Success!"), (school.released, "VALIDATION FAILED ON")]
)
def test_validate_says_what_it_should(path, says, tmp_path):
    nb = tmp_path / f"{LESSON}.ipynb"
    nb.write_bytes(path(LESSON).read_bytes())
    printed = school.nbgrader(tmp_path, "validate", nb)
    assert says in printed
    if says != "Success!":
        assert "bce: not attempted" in printed and "Traceback" not in printed
