"""`./course watch`: each save is a check."""

import json
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from rich.console import Console

from grader.course.build import loads, released, solution_cells
from grader.course.lessons import exercises_of, lessons
from grader.learner import progress, watch

LESSON = "03_bce_with_logits"


@pytest.fixture
def notebook(tmp_path):
    """A lesson's notebook in a work folder, nothing written yet."""
    path = tmp_path / LESSON / f"{LESSON}.ipynb"
    path.parent.mkdir()
    path.write_bytes(released(LESSON).read_bytes())
    progress.save(tmp_path / "progress.json", progress.EMPTY)
    return path


def write(path, answers):
    nb = loads(path)
    for cell in nb.cells:
        cell.source = answers.get(cell.id, cell.source)
    part = path.with_suffix(".part")
    nbformat.write(nb, part)
    part.replace(path)


def status(path):
    judged, whole = watch.verdicts(watch.file_of(path), LESSON)
    assert not whole
    return {v.exercise: v.status for v in judged}


def test_a_folder_stands_for_its_lessons_notebook(notebook):
    assert watch.file_of(notebook.parent) == notebook and watch.lesson_of(notebook) == LESSON
    assert set(status(notebook.parent).values()) == {"not attempted"}


def test_the_courses_answers_pass_though_exercises_lean_on_each_other_and_on_imports(notebook):
    write(notebook, solution_cells(LESSON))
    assert set(status(notebook).values()) == {"passed"}


def test_no_training_and_no_figure_of_the_lesson_runs(notebook):
    write(notebook, solution_cells(LESSON))
    text, broken = watch.answers(notebook, LESSON)
    assert not broken and "import torch" in text and "class BCEWithLogits" in text
    assert not any(word in text for word in ("plt.", "train_on", "check(", "print(", "load_breast_cancer()"))


@pytest.mark.parametrize("lesson", lessons())
def test_a_name_that_an_answer_binds_itself_brings_nothing_of_another_cell(lesson, tmp_path):
    path = tmp_path / f"{lesson}.ipynb"
    path.write_bytes(released(lesson).read_bytes())
    write(path, solution_cells(lesson))
    text, _ = watch.answers(path, lesson)
    assert not re.search(r"sklearn|matplotlib|^from grader", text, re.M), (
        "a check would import it at each save"
    )


def test_a_definition_of_another_cell_comes_along_when_an_answer_uses_it(notebook):
    write(notebook, {"softplus": "def softplus(z):\n    return naive(z, 0)"})
    text, _ = watch.answers(notebook, LESSON)
    assert "def naive(z, y)" in text and "def clamped" not in text


def test_a_cell_that_does_not_parse_costs_that_exercise_alone(notebook):
    write(notebook, solution_cells(LESSON) | {"softplus": "def softplus(z:\n    return z"})
    judged, _ = watch.verdicts(notebook, LESSON)
    assert "SyntaxError" in judged[0].finding and "line 1" in judged[0].finding
    assert judged[0].status == "error" and judged[2].passed


def test_an_error_shows_the_learners_line_and_no_line_number_of_a_file_that_they_have_never_seen(notebook):
    write(notebook, {"softplus": "def softplus(z):\n    return z.undefined"})
    judged, _ = watch.verdicts(notebook, LESSON)
    assert "(`return z.undefined`)" in judged[0].finding


def test_a_python_file_belongs_to_the_lesson_whose_exercises_it_defines(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import torch\nsigmoid = lambda z: 1 / (1 + torch.exp(-z))\n")
    assert watch.lesson_of(path) == "01_sigmoid"
    assert {v.exercise for v in watch.verdicts(path, "01_sigmoid")[0] if v.passed} == {"sigmoid"}


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("gone.py", None, "There is no"),
        ("mine.txt", "", "no lesson's folder, notebook or Python file"),
        ("mine.py", "x = 1", "defines no exercise"),
        ("mine.py", "def f(:", "does not parse"),
    ],
)
def test_what_cannot_be_watched_is_told_why(tmp_path, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=says):
        watch.lesson_of(watch.file_of(tmp_path / name))


def test_the_terminal_shows_all_exercises_and_explains_the_first_mistake():
    judged = watch.verdicts(released(LESSON), LESSON)[0]
    console = Console(record=True, width=100)
    console.print(watch.view(LESSON, judged, [], 0.2))
    shown = console.export_text()
    assert (
        all(f"○ {name}: not attempted" in shown for name in exercises_of(LESSON))
        and "Next: softplus." in shown
    )


def test_what_is_judged_is_shown_while_the_rest_is_still_to_come(notebook):
    write(notebook, solution_cells(LESSON))
    steps, names = [], list(exercises_of(LESSON))
    watch.verdicts(notebook, LESSON, seen=steps.append)
    assert [[v.exercise for v in some] for some in steps] == [names[:i] for i in range(len(names) + 1)]
    console = Console(record=True, width=100)
    console.print(watch.view(LESSON, steps[1], [], None))
    shown = console.export_text()
    assert (
        f"1 of {len(names)} pass" in shown
        and "checking" in shown
        and names[0] in shown
        and names[1] not in shown.replace(LESSON, "")
    )


def test_a_save_is_seen_judged_and_remembered(notebook):
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "grader", "watch", str(notebook.parent)],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        try:
            read_until(process, "Next: softplus.")
            write(notebook, {"softplus": solution_cells(LESSON)["softplus"]})
            assert "✔ softplus: passed" in read_until(process, "Next: bce_with_logits.")
            book = json.loads((notebook.parent.parent / "progress.json").read_text())
            assert book["passed"] == ["softplus"]
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


def read_until(process, words, seconds=90):
    """What the process prints up to a line with these words; the process is killed when the time is over,
    which ends the reading."""
    import threading

    timer, lines = threading.Timer(seconds, process.kill), []
    timer.start()
    began = time.monotonic()
    for line in process.stdout:
        lines.append(line)
        if words in line:
            timer.cancel()
            return "".join(lines)
    raise AssertionError(f"not printed within {time.monotonic() - began:.0f} s: {words}\n" + "".join(lines))
