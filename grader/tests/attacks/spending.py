"""Submissions that cost what reads them time or memory outside the walls. `DOUBLED` says of each kind that twice as much takes twice as long."""

from collections.abc import Callable
from dataclasses import dataclass

from grader.tests.attacks import ALL, LESSON, WRONG, Attack

OPEN = "lower_loss_fewer_right"


def text(name, markdown, **expected):
    """An open answer, and a text cell of the learner's own, of that Markdown."""

    def change(nb):
        for cell in nb["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == OPEN:
                cell["source"] = markdown
        nb["cells"].insert(0, {"cell_type": "markdown", "source": markdown, "metadata": {}, "id": "own"})

    return Attack(name, change=change, **expected)


def result(name, expression, **expected):
    """Each exercise answers with that."""
    answers = {
        "bernoulli_likelihood": f"def bernoulli_likelihood(p, y): return {expression}",
        "bce_per_sample": f"def bce_per_sample(p, y): return {expression}",
        "bce": f"def bce(p, y, reduction='mean'): return {expression}",
        "bce_grad": f"def bce_grad(p, y): return {expression}",
        "bce_clamped": f"def bce_clamped(p, y, reduction='mean'): return {expression}",
    }
    return Attack(name, answers, lost=ALL, **expected)


def file(name, data, *notes):
    """That lies in the notebook's place."""
    return Attack(
        name, submit=lambda folder: (folder / f"{LESSON}.ipynb").write_bytes(data()), lost=ALL, notes=notes
    )


def _notebook(cells):
    return b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [' + cells + b"]}"


ATTACKS = [
    text("40,000 backticks in text", "`" * 40_000, notes=("characters; the first 20000 are shown",)),
    text("60,000 brackets in text", "[" * 60_000, notes=("characters; the first 20000 are shown",)),
    text("10,000 equations that are not ended", r"\begin{a}" * 10_000, notes=("the first 20000 are shown",)),
    text("a fence before each diagram", "```mermaid\n" * 5_000),
    Attack("20,000 lines of a number", {"bce": WRONG["bce"] + "\n" + "0\n" * 10_000}, lost=("bce",)),
    Attack("an expression of 50,000 terms", {"bce": WRONG["bce"] + "\nx = 0" + " + 1" * 50_000}, lost=("bce",)),
    Attack("10,000 names", {"bce": "".join(f"a{i} = 0\n" for i in range(10_000)) + WRONG["bce"]}, lost=("bce",)),
    result("two thousand million empty lists", "torch.zeros(2**31 - 1, 0)"),
    result("an empty tensor of many sizes", "torch.zeros(*[2**15] * 3, 0)"),
    result("33 MB of bytes from each exercise", "torch.zeros(33 << 20, dtype=torch.uint8)", says=("too large to be compared",)),
    result("a million numbers from each exercise", "torch.zeros(10**6)", says=("too large to be compared",)),
    result("50,000 numbers one by one", "[0.0] * 50_000"),
    file("a file of 16 MB of short strings", lambda: _notebook(b'"a",' * 4_000_000 + b'"a"'), "millions of lists"),
    file("60,000 brackets in a file", lambda: b"[" * 60_000, "nested too deep"),
    Attack(
        "30 MB of cells",
        change=lambda nb: nb["cells"].extend(
            {"cell_type": "raw", "source": "x" * 1_000_000, "metadata": {}, "id": f"r{i}"} for i in range(30)
        ),
        notes=("more than 4000000 characters",),
    ),
    Attack(
        "files without end, and without content",
        cell="for i in range(10**7): open(str(i), 'w').close()",
        notes=("It made more files than it may.",),
    ),
    Attack(
        "sockets full of bytes, in many processes",
        {
            "bce": """def bce(p, y, reduction='mean'):
    import os, socket, time
    for _ in range(8):
        if os.fork() == 0:
            kept = [socket.socketpair() for _ in range(40)]
            for a, b in kept:
                a.setblocking(False)
                try: a.send(bytes(1 << 20))
                except OSError: pass
            time.sleep(60)
    time.sleep(3)"""
        },
        lost=("bce",),
        notes=("It opened more sockets than it may.",),
    ),
]  # fmt: skip


@dataclass(frozen=True)
class Doubled:
    """An input that is made twice as long: where it goes, how it is made, and how long it is at first."""

    name: str
    step: str
    make: Callable[[int], str]
    length: int


REPEATED = {
    "backticks": "`",
    "tildes": "~",
    "brackets": "[",
    "pictures": "![",
    "angles": "<",
    "backslashes": "\\",
    "equations": "\\begin{a}",
    "dollars": "$",
    "entities": "&#36;",
    "words that are no address": "data  ",
    "spaces": " ",
    "mermaids": "```mermaid ",
    "fences": "```\n",
    "directions": "\u202e",
}
DOUBLED = [
    *(Doubled(f"text of {name}", "harmless", lambda n, t=t: t * (n // len(t)), 400_000) for name, t in REPEATED.items()),
    Doubled("lines of a number", "written", lambda n: "0\n" * n, 10_000),
    Doubled("names", "written", lambda n: "".join(f"a{i} = 0\n" for i in range(n)), 5_000),
    Doubled("functions", "scan", lambda n: "def f(p):\n    return p\n" * n, 500),
    Doubled("a chain of functions", "scan", lambda n: "".join(f"def f{i}(p): return f{i + 1}(p)\n" for i in range(n)), 200),
    Doubled("an expression", "scan", lambda n: "def f(p): return p" + " + p" * n, 2_000),
    Doubled("magics", "scan", lambda n: "def f(p): return p\n" + "_ = %who_ls\n" * n, 1_000),
    Doubled("an unfinished text", "scan", lambda n: "def f(p): return (p\n" + "p = p\n" * n, 5_000),
    Doubled("cells", "parse", lambda n: '{"nbformat": 4, "cells": [' + ",".join(['{"cell_type": "raw", "source": "x"}'] * n) + "]}", 1_000),
    Doubled("quotes in a file", "parse", lambda n: '"\\' * n, 1_000_000),
    Doubled("braces in a file", "parse", lambda n: "[" * n, 1_000_000),
    Doubled("a large text", "rebuild", lambda n: " x" * n, 50_000),
]  # fmt: skip
