"""Each pitfall is shown where grader/exercises/pitfalls.md says: the place is a cell of the lesson, and its
output holds what is claimed."""

import re
from pathlib import Path

import pytest

from grader import exercises
from grader.course.build import instructors, loads

PAGE = Path(exercises.__file__).with_name("pitfalls.md")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def spans(cell):
    """The pieces of code of a table's cell."""
    return re.findall(r"`([^`]+)`", cell)


def plain(text):
    """Text with its spacing evened out: columns of an output are padded, a table's cells are not."""
    return re.sub(r"(?<=[\[(,]) | (?=[\])])", "", re.sub(r"\s+", " ", text))


def shown(cell):
    """What a cell's stored output says, figures by their text alternative."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs
    )


def test_no_pitfall_is_missing():
    numbers = {int(row[0]) for row in ROWS}
    assert numbers == set(range(1, 55))


@pytest.mark.parametrize(
    "number, pitfall, lesson, place, claims", ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS]
)
def test_a_pitfall_is_shown_where_the_table_says(number, pitfall, lesson, place, claims):
    (snippet,) = spans(place)
    cells = [
        cell
        for cell in loads(instructors(lesson)).cells
        if cell.cell_type == "code" and snippet in cell.source
    ]
    assert len(cells) == 1, f"{len(cells)} cells of {lesson} contain {snippet!r}, one should"
    assert pitfall and spans(claims), "what is shown stands in backticks"
    for claim in spans(claims):
        assert plain(claim) in plain(shown(cells[0])), f"{claim!r} is not in the output:\n{shown(cells[0])}"
