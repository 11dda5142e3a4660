"""Panels other than a verdict's, each as (text, HTML): a note, a comparison, the progress over the course, a
lesson's end. Pure."""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from grader.judging.language import say
from grader.judging.verdict import block, rich, row, show, show_call

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call, Result


BOX = (
    '<div role="note" style="border-left:4px solid #7f7f7f;padding:6px 12px;margin:4px 0;'
    'color:var(--jp-content-font-color1,inherit);overflow-wrap:anywhere">{}</div>'
)


def note(text: str, code: str = ""):
    """A neutral message, with a piece of code below it."""
    text = say(text)
    body = rich(text) + (f'<pre style="margin:6px 0">{html.escape(code)}</pre>' if code else "")
    return "\n".join(filter(None, [text.replace("`", ""), code])), BOX.format(body)


def comparison(exercise: "Exercise", question: "Call", answer: "Result | None", definition: "Result"):
    """The learner's result beside the definition's. answer: a Result, or None where nothing is written yet."""
    values = []
    for result in (answer, definition):
        if result is None:
            values.append(say("not written yet"))
        elif result.lost:
            late = "nothing came back in time"
            if result.at:
                late = f"nothing came back in time (it was at {result.at})"
            values.append(say(late))
        elif result.raised:
            values.append(_error(result.raised))
        else:
            values.append(show(result.value))
    title = show_call(exercise, question)
    rows = [("yours", values[0]), ("definition", values[1])]
    if answer is not None and answer.printed:
        rows.append(("printed", answer.printed[:2000].rstrip("\n")))
    rows = [(say(label), value) for label, value in rows]
    plain = [block(f"  {label + ':':12}", value) for label, value in rows]
    cells = "".join(row(label, value) for label, value in rows)
    return "\n".join([title, *plain]), BOX.format(
        f'<code style="white-space:pre-wrap">{html.escape(title)}</code>'
        f'<table style="margin:6px 0;border-collapse:collapse">{cells}</table>'
    )


def _error(problem):
    where = ""
    if problem.line and problem.source:
        where = f" (line {problem.line}: {problem.source})"
    return f"{problem.type}: {problem.text}{where}"


def overview(
    summary: Sequence[tuple[str, Sequence[str], Sequence[str]]],
    latest: str,
    title: Callable[[str], str],
    guesses: Iterable[dict] = (),
    hunt: dict[str, dict] | None = None,
):
    """Progress over the course.

    summary: a list of (lesson, passed names, open names); latest: the lesson somebody was at last, or "";
    title: gives a lesson's question; guesses: the kept ones; hunt: what became of the mysteries, by exercise.
    """
    lines, rows = [], []
    for lesson, passed, left in summary:
        total = len(passed) + len(left)
        bar = "●" * len(passed) + "○" * len(left)
        state = ""
        if not left:
            state = say("done")
        elif passed:
            state = say(f"next: {left[0]}")
        count = say(f"{len(passed)} of {total}")
        lines.append(f"{lesson:28} {bar:8} {count}  {state}".rstrip())
        rows.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:400">{lesson[:2]} '
            f'{html.escape(title(lesson))}</th><td style="text-align:left" '
            f'aria-hidden="true">{bar}</td><td style="text-align:left">{count}</td><td '
            f'style="text-align:left">{html.escape(state)}</td></tr>'
        )
    ahead = whats_next(summary, latest)
    ends = [f"Next: {ahead[0]}, {ahead[1]}." if ahead else "All exercises pass."]
    known = [g for g in guesses if "right" in g]
    if known:
        ends.append(f"Guesses: {sum(g['right'] for g in known)} of {len(known)} came out right.")
    hunted = list((hunt or {}).values())
    named = sum(len(kept["named"]) for kept in hunted)
    if named:
        points = sum(kept["points"] for kept in hunted)
        ends.append(f"The hunt: {points} of {3 * named} points, {named} named.")
    ends = [say(end) for end in ends]
    below = "".join(f"<div>{html.escape(end)}</div>" for end in ends)
    return "\n".join([*lines, *ends]), BOX.format(f"<table>{''.join(rows)}</table>{below}")


def whats_next(summary: Sequence[tuple[str, Sequence[str], Sequence[str]]], latest: str):
    """(lesson, exercise) to go on with: in the lesson somebody was at last, else in the next one that has
    something open; None at the end."""
    open_ones = [(lesson, left[0]) for lesson, _, left in summary if left]
    at = next((pair for pair in open_ones if pair[0] == latest), None)
    after = None
    if latest:
        after = next((pair for pair in open_ones if pair[0] > latest), None)
    return at or after or (open_ones[0] if open_ones else None)


def closing(
    lesson: str,
    passed: Sequence[str],
    left: Sequence[str],
    onward: Sequence[tuple[str, str, int]],
    course_done: bool,
    total: int,
    guesses: Iterable[dict],
    hunt: dict[str, dict],
    start: str,
):
    """The end of a lesson: what passes, what is open, the way on.

    onward: (lesson, title, minutes) of the lesson that follows, in a list, or nothing; course_done: does
    every exercise pass? total: how many pass in the whole course; guesses: the kept ones; hunt: what became
    of the mysteries; start: the start page's address, or "".
    """
    # what was done: exercises, the hunt that is open once all of them pass, guesses
    lines = []
    if left:
        names = ", ".join(f"`{n}`" for n in left)
        lines.append(f"{len(passed)} of {len(passed) + len(left)} in this lesson. Still open: {names}.")
    else:
        lines.append(f"All {len(passed)} exercises of this lesson pass.")
        waiting = next((n for n in passed if not hunt.get(n, {}).get("named")), None)
        if waiting:
            lines.append(
                f'The hunt: `mystery("{waiting}")` gives you a loss that somebody wrote, with one mistake in it. '
                "Find the smallest input that shows it, then name it."
            )
    known = [g for g in guesses if "right" in g]
    if known:
        lines.append(f"Of your guesses {sum(g['right'] for g in known)} of {len(known)} came out right.")
    if course_done:
        lines.append(f"**The course is done**: all {total} exercises pass.")
    lines = [say(line) for line in lines]
    text = "\n".join(lines).replace("`", "").replace("**", "")
    body = "<br>".join(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", rich(line)) for line in lines)
    # the way on, in the panel as links
    links = [
        f'<a href="../{name}/{name}.ipynb">{html.escape(question)}</a> (about {minutes} minutes)'
        for name, question, minutes in onward
    ]
    text += "".join(
        f"\nNext: {name}, {question} (about {minutes} minutes)" for name, question, minutes in onward
    )
    if links:
        body += f'<div style="margin-top:6px"><b>Next:</b> {links[0]}</div>'
    if start:
        body += f'<div style="margin-top:6px"><a href="{html.escape(start)}">All lessons, and where you are</a></div>'
    return text, BOX.format(body)
