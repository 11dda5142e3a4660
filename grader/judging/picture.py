"""A small picture for the panel of a wrong answer: the learner's curve over the right one, as inline SVG. Pure.

Drawn only where it says something: for an answer that works on each entry of its first input by itself, and
is wrong in its values.
"""

import html
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Difference
from grader.judging.language import say
from grader.judging.verdict import number

if TYPE_CHECKING:
    from grader.judging.compare import Asked
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call, Result


POINTS, WIDTH, HEIGHT, LEFT, TOP = 41, 300, 150, 52, 22
YOURS = "#d55e00"  # beside the colour of the text, which is dark or light with the theme


def curve(exercise: "Exercise", ask: "Callable[[Call, tuple], Result]", asked: "Asked"):
    """The picture of a question that was answered wrongly, or "" where a picture would say nothing."""
    question, want, have = asked.question, asked.expected.value, asked.got.value
    x = None
    if question.args:
        x = question.args[0]
    if (
        asked.difference is not Difference.VALUE
        or x is None
        or not _line(x)
        or not _like(want, x)
        or not _like(have, x)
        or x.min() == x.max()
        or x.abs().max() > 50
    ):
        return ""
    dense, rows = _dense(question, x)
    right, answered = (
        _by_entry(lambda q: exercise.run(exercise.reference, q), dense),
        _by_entry(lambda q: ask(q, ()), dense),
    )
    if (
        right is None
        or answered is None
        or not right.isfinite().any()
        or torch.allclose(right, answered, rtol=1e-3, atol=1e-3, equal_nan=True)
    ):
        return ""
    right, answered = right.reshape(rows, POINTS), answered.reshape(rows, POINTS)
    x = dense.args[0][:POINTS]
    return _svg(exercise, x, right, answered, _furthest(exercise, dense, x, right, answered))


def _furthest(exercise, dense, x, right, answered):
    """Where the two curves are furthest apart, in a sentence: "Furthest apart at p = 0.02, y = 1: expected
    3.91, yours 0.04."."""
    apart = torch.where(
        right.isfinite() & answered.isfinite(), (right - answered).abs(), torch.zeros_like(right)
    )
    place = int(apart.argmax())
    row, column = divmod(place, POINTS)
    if apart.flatten()[place] == 0:
        return "Yours is not a number everywhere where a number is expected."
    where = f"{exercise.parameters[0]} = {number(float(x[column]), 2)}"
    for name, value in zip(exercise.parameters[1:], dense.args[1:]):
        if _like(value, dense.args[0]):
            where += f", {name} = {number(float(value[place]), 2)}"
    want, have = number(float(right[row, column]), 2), number(float(answered[row, column]), 2)
    return f"Furthest apart at {where}: expected {want}, yours {have}."


def _line(x):
    return (
        isinstance(x, torch.Tensor)
        and x.ndim == 1
        and x.is_floating_point()
        and x.numel() > 1
        and bool(x.isfinite().all())
    )


def _like(value, x):
    return isinstance(value, torch.Tensor) and value.shape == x.shape and not value.is_complex()


def _dense(question, x):
    """The question for many evenly spaced values of its first input: one row of them for each extreme of the
    second (labels 0 and 1)."""
    beside = [v for v in (*question.args[1:], *question.kwargs.values()) if _like(v, x)]
    kept = [0]
    if beside:
        kept = sorted({int(beside[0].argmin()), int(beside[0].argmax())})
    grid = torch.linspace(float(x.min()), float(x.max()), POINTS, dtype=x.dtype)
    wide = lambda v: v[kept].repeat_interleave(POINTS) if _like(v, x) else v  # noqa: E731
    spread = question.map(wide)
    return replace(spread, args=(grid.repeat(len(kept)), *spread.args[1:])), len(kept)


def _by_entry(answer, question):
    """The results as float64, or None where an entry's result depends on its neighbours."""
    x = question.args[0]
    half = lambda v: v[::2] if _like(v, x) else v  # noqa: E731
    whole = answer(question).value
    part = answer(question.map(half)).value
    if (
        not _like(whole, x)
        or not _like(part, x[::2])
        or not torch.allclose(whole[::2].double(), part.double(), equal_nan=True)
    ):
        return None
    return whole.double()


def _svg(exercise, x, right, answered, furthest):
    seen = right[right.isfinite()]
    room = float(seen.max() - seen.min()) or 1.0
    # a curve far off leaves the picture
    near = answered[answered.isfinite() & (answered > seen.min() - room) & (answered < seen.max() + room)]
    low, high = float(min([seen.min(), *near])), float(max([seen.max(), *near]))
    low, high = low - 0.05 * (high - low or 1.0), high + 0.05 * (high - low or 1.0)
    w, h = WIDTH - LEFT - 8, HEIGHT - TOP - 20
    across = ((x - x[0]) / (x[-1] - x[0]) * w).tolist()

    def lines(values: torch.Tensor, style: str):
        for row in values:
            points = [
                f"{a:.1f},{h - (v - low) / (high - low) * h:.1f}"
                for a, v in zip(across, row.tolist())
                if abs(v) < 1e6
            ]
            yield f'<polyline points="{" ".join(points)}" fill="none" {style}/>'

    name, (first, last) = (
        html.escape(exercise.parameters[0]),
        (number(round(v, 2)) for v in (float(x[0]), float(x[-1]))),
    )
    furthest = say(furthest)
    says = say(
        f"A small plot against {name}, from {first} to {last}: expected as a solid line, yours dashed."
    )
    says += " " + html.escape(furthest, quote=True)
    text = lambda a, b, words, anchor="start", colour="currentColor": (  # noqa: E731
        f'<text x="{a}" y="{b}" text-anchor="{anchor}" fill="{colour}">{words}</text>'
    )
    return (
        f'<svg role="img" aria-label="{says}" width="{WIDTH}" height="{HEIGHT}" font-size="11" '
        f'font-family="sans-serif"><path d="M{LEFT} 12h22" stroke="currentColor" '
        f'stroke-width="1.5"/>{text(LEFT + 27, 16, say("expected"))}<path d="M{LEFT + 90} 12h22" '
        f'stroke="{YOURS}" stroke-width="2.5" stroke-dasharray="5 '
        f'4"/>{text(LEFT + 117, 16, say("yours"))}<path d="M{LEFT} {TOP}v{h}h{w}" fill="none" '
        f'stroke="currentColor" opacity="0.5"/><svg x="{LEFT}" y="{TOP}" width="{w}" height="{h}">'
        + "".join(lines(right, 'stroke="currentColor" stroke-width="1.5"'))
        + "".join(lines(answered, f'stroke="{YOURS}" stroke-width="2.5" stroke-dasharray="5 4"'))
        + f"</svg>{text(LEFT - 4, TOP + 9, number(round(high, 2)), 'end')}{text(LEFT - 4, TOP + h, number(round(low, 2)), 'end')}"
        + f"{text(LEFT, HEIGHT - 5, first)}{text(WIDTH - 8, HEIGHT - 5, last, 'end')}{text(LEFT + w // 2, HEIGHT - 5, name, 'middle')}</svg>"
        + f'<div aria-hidden="true">{html.escape(furthest)}</div>'  # the drawing's alternative says it, too
    )
