"""What the judge found, as text and as HTML. Pure: nothing here runs an answer."""

import html
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from grader.judging.language import say
from grader.judging.outcome import ERROR, FAILED, MISSING, PASSED
from grader.judging.question import Array, Foreign, Mixing, Once, Smooth, several

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call


MARKS = {PASSED: "✔", FAILED: "✘", ERROR: "⚠", MISSING: "○"}
COLOURS = {
    PASSED: "#0072b2",
    FAILED: "#d55e00",
    ERROR: "#cc79a7",
    MISSING: "#7f7f7f",
}  # Okabe and Ito: safe for the colour-blind


@dataclass(frozen=True)
class Example:
    """The smallest input found that separates an answer from the reference, as text."""

    call: str
    yours: str
    expected: str
    differs: str = ""
    printed: str = ""  # what the answer printed for this input


@dataclass(frozen=True)
class CaseVerdict:
    """How one case went."""

    name: str
    passed: bool
    points: float
    ordinary: bool = True  # random inputs, neither known beforehand nor extreme


@dataclass(frozen=True)
class Verdict:
    """The judgement of one exercise. `mistake` is the sentence of a known mistake, or None."""

    exercise: str
    status: str
    max_points: float
    finding: str = ""
    mistake: str | None = None
    hint: str = ""
    example: Example | None = None
    cases: tuple = ()
    called: tuple = ()
    seed: int = 0
    picture: str = ""  # inline SVG, with its own text alternative
    details: dict = field(default_factory=dict)

    @property
    def passed(self):
        """Did every case pass, and was nothing called that is to be built?"""
        return self.status == PASSED

    @property
    def points(self):
        """The points of the cases passed; none where something out of bounds was called, or no ordinary case passes."""
        if self.called:
            return 0.0
        ordinary = [c for c in self.cases if c.ordinary]
        if ordinary and not any(c.passed for c in ordinary):
            return 0.0  # what is right at the edges alone may be right by chance: a constant is
        got = sum(c.points for c in self.cases if c.passed)
        if self.passed:
            return float(self.max_points)
        return round(min(got, self.max_points), 4)

    @property
    def title(self):
        """The panel's first line: "bce: not yet (3 of 4 cases pass)"."""
        right = sum(c.passed for c in self.cases)
        count = f"{right} of {len(self.cases)} cases pass"
        if self.status == PASSED:
            return f"{self.exercise}: passed"
        if self.called and right == len(self.cases):
            return f"{self.exercise}: right numbers, but borrowed"
        # what was called is refused while an answer is asked: no case can tell whether the rest is right
        if self.called:
            return f"{self.exercise}: borrowed"
        if self.status == FAILED:
            return f"{self.exercise}: not yet ({count})"
        if self.details.get("unjudged"):
            return f"{self.exercise}: not judged yet"
        if self.status == ERROR:
            return f"{self.exercise}: stopped with an error" + (f" ({count})" if right else "")
        return f"{self.exercise}: not attempted"

    @property
    def message(self):
        """Everything that the learner reads, as plain text."""
        return self.text()

    def text(self, remark: str = "", footer: Iterable[str] = ()):
        """The message with a remark that comes before the finding, and lines that come after everything."""
        lines = [f"{MARKS[self.status]} {say(self.title)}", say(remark), say(self.finding)]
        if self.example:
            lines.append(block("  ", self.example.call))
            rows = [("yours", say(self.example.yours)), ("expected", say(self.example.expected))]
            lines += [block(f"    {say(label) + ':':<10}", value) for label, value in rows]
            if self.example.differs:
                lines.append(f"    {say(self.example.differs)}")
            if self.example.printed:
                lines.append(block(f"    {say('printed') + ':':<10}", _first_lines(self.example.printed)))
        if self.hint:
            lines.append(f"{say('Hint')}: {say(self.hint)}")
        return "\n".join(line for line in (*lines, *map(say, footer)) if line)

    @property
    def one_line(self):
        """At most 80 characters: for tracebacks, terminals and nbgrader's Validate. The panel above it says
        the rest."""
        title = say(self.title)
        if len(title) <= 80:
            return title
        return title[:79].rsplit(" ", 1)[0] + " …"

    def html(self, remark: str = "", footer: Iterable[str] = ()):
        """The panel: meaning by word and mark first, colour only beside them; readable in light and dark themes.

        remark: a sentence that comes before the finding; footer: lines that come after everything.
        """
        colour = COLOURS[self.status]
        parts = [
            f'<div style="font-weight:600"><span aria-hidden="true" style="color:{colour}">{MARKS[self.status]}</span> '
            f"{rich(say(self.title))}</div>"
        ]
        if remark:
            parts.append(f'<div style="margin-top:4px;font-weight:600">{rich(say(remark))}</div>')
        if self.finding:
            parts.append(f'<div style="margin-top:4px">{rich(say(self.finding))}</div>')
        if self.example:
            rows = [
                ("input", self.example.call),
                ("yours", say(self.example.yours)),
                ("expected", say(self.example.expected)),
            ]
            if self.example.printed:
                rows.append(("printed", _first_lines(self.example.printed)))
            cells = "".join(row(say(label), value) for label, value in rows)
            parts.append(f'<table style="margin:6px 0;border-collapse:collapse">{cells}</table>')
            if self.example.differs:
                parts.append(f"<div>{rich(say(self.example.differs))}</div>")
        if self.picture:
            parts.append(f"<div>{self.picture}</div>")
        if self.hint:
            parts.append(
                '<details style="margin-top:4px"><summary '
                f'style="cursor:pointer">{say("How to repair it")}</summary><div style="margin:4px 0 0 '
                f'16px">{rich(say(self.hint))}</div></details>'
            )
        for line in footer:
            parts.append(f'<div style="margin-top:6px;font-size:92%">{rich(say(line))}</div>')
        return (
            f'<div role="status" aria-label="{html.escape(say(self.title), quote=True)}" '
            f'style="border-left:4px solid {colour};padding:6px 12px;margin:4px 0;'
            'color:var(--jp-content-font-color1,inherit);overflow-wrap:anywhere">' + "".join(parts) + "</div>"
        )

    def summary(self):
        """What a grade's record keeps, as a plain dict: enough for the report, and to repeat the verdict."""
        unnamed = {}
        if self.details.get("behaviour"):
            example = self.example
            shown = {"call": example.call, "yours": example.yours, "expected": example.expected}
            unnamed = {"behaviour": self.details["behaviour"], "example": shown}
        return unnamed | {
            "exercise": self.exercise,
            "status": self.status,
            "points": self.points,
            "max_points": self.max_points,
            "mistake": self.mistake,
            "finding": self.finding,
            "hint": self.hint,
            "called": list(self.called),
            "seen_by": [watcher for watcher in ("trace", "scan") if self.details.get(watcher)],
            "seed": self.seed,
            "failed_cases": [c.name for c in self.cases if not c.passed],
        }


def rich(text: str) -> str:
    """Text as HTML: what stands in backticks becomes code, a new line a new line."""
    parts = re.split(r"`([^`\n]+)`", text)
    marked = [f"<code>{html.escape(p)}</code>" if i % 2 else html.escape(p) for i, p in enumerate(parts)]
    return "".join(marked).replace("\n", "<br>")


def row(label: str, value: str) -> str:
    """A row of a panel's table: what it is, and a value as code, matrices row by row."""
    return (
        '<tr><th scope="row" style="text-align:left;vertical-align:baseline;padding:0 12px 0 '
        f'0;font-weight:400;white-space:nowrap">{label}</th><td '
        'style="text-align:left;vertical-align:baseline"><code '
        f'style="white-space:pre-wrap">{html.escape(value)}</code></td></tr>'
    )


PRINTED_LINES = 20  # of what an answer prints that are shown


def _first_lines(printed):
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed).rstrip("\n").splitlines()  # without a terminal's colours
    left_out = len(lines) - PRINTED_LINES
    shown = [line[:200] for line in lines[:PRINTED_LINES]]
    return "\n".join(shown + ([f"… and {left_out} more lines"] if left_out > 0 else []))


def block(label: str, value: str):
    """A label and a value whose later lines begin below its first."""
    return label + textwrap.indent(value, " " * len(label)).lstrip(" ")


def number(x: float, digits: int = 4):
    """Four decimals at the most, or as many as asked for: 0.4485, -100, 1e-12, inf, nan."""
    if isinstance(x, (bool, int)):
        return str(x)
    text = f"{x:.{digits}f}"
    if x == x and abs(x) != float("inf") and (abs(x) >= 1e5 or (0 < abs(x) < 1e-3)):
        return f"{x:.{digits}g}"
    if "." not in text:
        return text
    return text.rstrip("0").rstrip(".")


def show(value: object, most: int = 12, digits: int = 4):
    """A value as a learner would write it, short."""
    if isinstance(value, Array):
        return f"numpy array {show(value.tensor, most, digits)}"
    if isinstance(value, Foreign):
        return f"an object of type {value.type}"
    if isinstance(value, Smooth):
        return "a smooth function"
    if isinstance(value, Mixing):
        return f"the function x ↦ {show(value.weights, most, digits)} @ (x @ {show(value.direction, most, digits)})"
    if isinstance(value, torch.Tensor):
        if value.ndim == 0:
            if value.is_complex():
                return str(value.item())
            return number(value.item(), digits)
        if value.numel() > 40:
            shape = tuple(value.shape)
            if value.is_complex():
                return f"complex tensor of shape {shape}"
            return (
                f"tensor of shape {shape}, from {number(value.min().item())} to {number(value.max().item())}"
            )
        return _nested(value.tolist(), most, digits)
    if isinstance(value, tuple):
        inner = [show(v, most, digits) for v in value[:most]] + (["…"] if len(value) > most else [])
        return "(" + ", ".join(inner) + ")"
    if isinstance(value, (bool, int, float)):
        return number(value, digits)
    return repr(value)


def _nested(value, most, digits):
    if not isinstance(value, list):
        if isinstance(value, complex):
            return str(value)
        return number(value, digits)
    inner = [_nested(v, most, digits) for v in value[:most]] + (["…"] if len(value) > most else [])
    if len(value) > 1 and isinstance(value[0], list):  # a matrix: row by row
        return "[" + ",\n".join(textwrap.indent(v, " ") for v in inner).lstrip(" ") + "]"
    return "[" + ", ".join(inner) + "]"


def _argument(value):
    """An argument as the answer gets it: tensors in a list, or from a generator."""
    if isinstance(value, Once):
        return block("iter(", _argument(value.tensors)) + ")"
    if several(value):
        return block("[", ",\n".join(map(show, value))) + "]"
    return show(value)


def show_call(exercise: "Exercise", question: "Call"):
    """The question as the learner would type it."""
    given = list(zip(exercise.parameters, question.args)) + list(question.kwargs.items())
    text = exercise.name
    if question.method:
        text += f".{question.method}"
    elif isinstance(exercise.reference, type):
        text += "(" + ", ".join(f"{n}={show(v)}" for n, v in question.init.items()) + ")"
    text += "("
    first = len(text)
    for i, (name, value) in enumerate(given):
        last_line = text.rpartition("\n")[2]
        if "\n" in text and i > 0:  # behind a matrix a new line is begun
            text += ",\n" + " " * first
            last_line = " " * first
        elif i > 0:
            text += ", "
            last_line += ", "
        text += block(f"{name}=", _argument(value)).replace("\n", "\n" + " " * len(last_line))
    return text + ")"
