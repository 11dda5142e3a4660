"""Panels other than a verdict's, each as (text, HTML): a note, a comparison, the progress over the course. Pure."""

import html

from grader.judging.verdict import show, show_call

BOX = (
    '<div role="note" style="border-left:4px solid #7f7f7f;padding:6px 12px;margin:4px 0;'
    'color:var(--jp-content-font-color1,inherit);overflow-wrap:anywhere">{}</div>'
)


def note(text, code=""):
    """A neutral message, with a piece of code below it."""
    plain = text.replace("`", "")
    body = html.escape(plain).replace("\n", "<br>") + (
        f'<pre style="margin:6px 0">{html.escape(code)}</pre>' if code else ""
    )
    return "\n".join(filter(None, [plain, code])), BOX.format(body)


def comparison(exercise, question, yours, definition):
    """The learner's result beside the definition's. yours: a Result, or None where nothing is written yet."""
    cells = [
        "not written yet"
        if r is None
        else show(r.value)
        if not r.raised
        else f"{r.raised.type}: {r.raised.text}"
        for r in (yours, definition)
    ]
    title = show_call(exercise, question)
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left;padding:0 12px 0 0;font-weight:400;white-space:nowrap">{k}</th>'
        f'<td style="text-align:left"><code>{html.escape(v)}</code></td></tr>'
        for k, v in zip(("yours", "definition"), cells)
    )
    return (
        f"{title}\n  yours:      {cells[0]}\n  definition: {cells[1]}",
        BOX.format(
            f'<code>{html.escape(title)}</code><table style="margin:6px 0;border-collapse:collapse">{rows}</table>'
        ),
    )


def overview(summary):
    """Progress over the course. `summary`: a list of (lesson, passed names, open names)."""
    lines, rows, upcoming = [], [], ""
    for lesson, passed, open_ in summary:
        total = len(passed) + len(open_)
        bar = "●" * len(passed) + "○" * len(open_)
        state = "done" if not open_ else f"next: {open_[0]}" if passed else ""
        upcoming = upcoming or (f"{lesson}, {open_[0]}" if open_ else "")
        lines.append(f"{lesson:28} {bar:8} {len(passed)} of {total}  {state}".rstrip())
        rows.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:400">{html.escape(lesson)}</th>'
            f'<td style="text-align:left" aria-hidden="true">{bar}</td><td style="text-align:left">{len(passed)} of {total}</td>'
            f'<td style="text-align:left">{html.escape(state)}</td></tr>'
        )
    end = f"Next: {upcoming}." if upcoming else "All exercises pass."
    return "\n".join([*lines, end]), BOX.format(
        f"<table>{''.join(rows)}</table><div>{html.escape(end)}</div>"
    )
