"""What the judge found, as text and as HTML. Pure: nothing here runs an answer."""

import html
from dataclasses import dataclass, field

import torch

from grader.judging.question import Array, Foreign, Mixing, Smooth

PASSED, FAILED, ERROR, MISSING = "passed", "not yet", "error", "not attempted"
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


@dataclass(frozen=True)
class CaseVerdict:
    name: str
    passed: bool
    points: float


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
        return self.status == PASSED

    @property
    def points(self):
        """The points of the cases passed; none where something out of bounds was called."""
        if self.called:
            return 0.0
        got = sum(c.points for c in self.cases if c.passed)
        return float(self.max_points) if self.passed else round(min(got, self.max_points), 4)

    @property
    def title(self):
        count = f"{sum(c.passed for c in self.cases)} of {len(self.cases)} cases pass"
        return {
            PASSED: f"{self.exercise}: passed",
            FAILED: f"{self.exercise}: not yet ({count})",
            ERROR: f"{self.exercise}: stopped with an error"
            + (f" ({count})" if any(c.passed for c in self.cases) else ""),
            MISSING: f"{self.exercise}: not attempted",
        }[self.status]

    @property
    def message(self):
        """Everything that the learner reads, as plain text."""
        lines = [f"{MARKS[self.status]} {self.title}", self.finding]
        if self.example:
            lines += [
                f"  {self.example.call}",
                f"    yours:    {self.example.yours}",
                f"    expected: {self.example.expected}",
            ]
            lines += [f"    {self.example.differs}"] if self.example.differs else []
        lines += [f"Hint: {self.hint}"] if self.hint else []
        return "\n".join(line for line in lines if line)

    @property
    def one_line(self):
        """At most 80 characters: for tracebacks, terminals and nbgrader's Validate."""
        text = f"{self.title}. {self.finding}".replace("\n", " ").strip()
        return text if len(text) <= 80 else text[:77].rstrip() + "..."

    def html(self):
        """The panel: meaning by word and mark first, colour only beside them; readable in light and dark themes."""
        colour = COLOURS[self.status]
        escape = lambda text: html.escape(text).replace("\n", "<br>").replace("`", "")  # noqa: E731
        parts = [
            f'<div style="font-weight:600"><span aria-hidden="true" style="color:{colour}">{MARKS[self.status]}</span> '
            f"{escape(self.title)}</div>"
        ]
        if self.finding:
            parts.append(f'<div style="margin-top:4px">{escape(self.finding)}</div>')
        if self.example:
            rows = [
                ("input", self.example.call),
                ("yours", self.example.yours),
                ("expected", self.example.expected),
            ]
            cells = "".join(
                f'<tr><th scope="row" style="text-align:left;padding:0 12px 0 0;font-weight:400;white-space:nowrap">{k}</th>'
                f'<td style="text-align:left"><code style="white-space:pre-wrap">{html.escape(v)}</code></td></tr>'
                for k, v in rows
            )
            parts.append(f'<table style="margin:6px 0;border-collapse:collapse">{cells}</table>')
            if self.example.differs:
                parts.append(f"<div>{escape(self.example.differs)}</div>")
        if self.picture:
            parts.append(f"<div>{self.picture}</div>")
        if self.hint:
            parts.append(f'<div style="margin-top:4px"><b>Hint.</b> {escape(self.hint)}</div>')
        return (
            f'<div role="status" aria-label="{html.escape(self.title, quote=True)}" '
            f'style="border-left:4px solid {colour};padding:6px 12px;margin:4px 0;'
            'color:var(--jp-content-font-color1,inherit);overflow-wrap:anywhere">' + "".join(parts) + "</div>"
        )

    def summary(self):
        """What a grade's record keeps, as a plain dict: enough for the report, and to repeat the verdict."""
        return {
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


def number(x, digits=4):
    """Four decimals at the most, or as many as asked for: 0.4485, -100, 1e-12, inf, nan."""
    if isinstance(x, (bool, int)):
        return str(x)
    text = f"{x:.{digits}f}"
    if x == x and abs(x) != float("inf") and (abs(x) >= 1e5 or (0 < abs(x) < 1e-3)):
        return f"{x:.{digits}g}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show(value, most=12, digits=4):
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
            return number(value.item(), digits) if not value.is_complex() else str(value.item())
        if value.numel() > 40:
            return (
                f"tensor of shape {tuple(value.shape)}, from {number(value.min().item())} to {number(value.max().item())}"
                if not value.is_complex()
                else f"complex tensor of shape {tuple(value.shape)}"
            )
        return _nested(value.tolist(), most, digits)
    if isinstance(value, tuple):
        inner = [show(v, most, digits) for v in value[:most]] + (["…"] if len(value) > most else [])
        return "(" + ", ".join(inner) + ")"
    if isinstance(value, (bool, int, float)):
        return number(value, digits)
    return repr(value)


def _nested(value, most, digits):
    if isinstance(value, list):
        inner = [_nested(v, most, digits) for v in value[:most]] + (["…"] if len(value) > most else [])
        return "[" + ", ".join(inner) + "]"
    return str(value) if isinstance(value, complex) else number(value, digits)


def show_call(exercise, question):
    """The question as the learner would type it."""
    given = [f"{n}={show(v)}" for n, v in zip(exercise.parameters, question.args)]
    given += [f"{n}={show(v)}" for n, v in question.kwargs.items()]
    built = (
        "(" + ", ".join(f"{n}={show(v)}" for n, v in question.init.items()) + ")"
        if isinstance(exercise.reference, type)
        else ""
    )
    return f"{exercise.name}{built}({', '.join(given)})"
