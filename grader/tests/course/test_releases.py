"""A release, run from top to bottom by somebody who has written nothing: exactly the graded cells raise, each
NotImplementedError."""

import pytest
from nbclient import NotebookClient

from grader.course.build import loads, released
from grader.course.lessons import exercises_of, lessons


@pytest.mark.parametrize("lesson", lessons())
def test_in_a_release_only_graded_cells_raise_and_each_says_not_attempted(lesson, tmp_path):
    nb = loads(released(lesson))
    NotebookClient(
        nb, timeout=300, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": tmp_path}}
    ).execute()
    raised = {}
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            assert not (output.output_type == "stream" and output.name == "stderr"), (
                cell.source,
                output.text,
            )
            if output.output_type == "error":
                assert len(output.traceback) == 1 and len(output.traceback[0]) <= 80
                raised[cell.id] = output.ename
    assert raised == {f"test_{name}": "NotImplementedError" for name in exercises_of(lesson)}
    assert not list(tmp_path.iterdir()), "a lesson writes no files"
