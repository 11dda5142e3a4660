"""The figures of the running examples, as the instructor's notebooks print them."""

import pytest

from grader.course.build import instructors, loads

BINARY = "[0.4750, 0.8808, 0.9526, 0.6225]"
PRINTED = {
    "01_sigmoid": [BINARY],
    "02_bce": [BINARY, "[0.6444, 0.1269, 0.0486, 0.9741]", "0.4485", "0.0577"],
    "03_bce_with_logits": ["0.4485", "200"],
    "06_softmax": ["[22049.8965,   153.3601,    48.0736,    36.7079]", "tensor([1, 0, 1, 3])", "3.0558e-07"],
    "07_log_softmax": ["-15.0011", "-4.9328"],
    "08_cross_entropy": ["[15.0011,  4.9328,  3.9727,  1.1030]", "6.2524", "inf"],
}


def printed(lesson):
    parts = []
    for cell in loads(instructors(lesson)).cells:
        for output in cell.get("outputs", ()):
            parts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "\n".join(parts)


@pytest.mark.parametrize(("lesson", "figure"), [(n, f) for n, figures in PRINTED.items() for f in figures])
def test_a_figure_comes_out_of_the_cells(lesson, figure):
    assert figure in printed(lesson)


def test_the_mean_comes_out_by_every_road():
    assert printed("08_cross_entropy").count("6.2524") >= 5
