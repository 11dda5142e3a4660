"""Catalogues for translators: every sentence that a learner may read in a panel, gathered from the exercises
and from the judge's code.

`./course language de` brings `grader/languages/de.po` up to date: new sentences come in untranslated, and
what is said no longer goes. Docstrings and the lessons' prose are no part of it.
"""

import ast
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from grader.course.files import write_whole
from grader.course.lessons import ROOT, exercises
from grader.judging.language import FOLDER, GAP

PACKAGE = ROOT / "grader"
SPEAKING = [
    *sorted((PACKAGE / "judging" / "diagnose").glob("*.py")),
    *(PACKAGE / "judging" / f"{name}.py" for name in ("judge", "verdict", "smallest", "picture", "panel")),
    *(PACKAGE / "learner" / f"{name}.py" for name in ("notebook", "kernel", "guesses", "hunt")),
]
# labels, which are too short to be told from other words of the code
LABELS = (
    "input",
    "yours",
    "expected",
    "printed",
    "definition",
    "Hint",
    "done",
    "{1}: passed",
    "{1}: borrowed",
    "next: {1}",
    "{1} of {2}",
)
CODE = re.compile(r"\w\[|[<>\\;_]|\w/\w|\||-\w+=")
WORDS = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+(?:[^A-Za-z]*[A-Za-z]){2,}")


@dataclass(frozen=True)
class Sentence:
    """A sentence to translate, and where it comes from: a lesson's exercise, or a file of the judge."""

    text: str
    where: str
    lesson: str = ""


def sentences() -> list[Sentence]:
    """All of them, each text once, the lessons' in the order of the course."""
    by_text: dict[str, Sentence] = {}
    for sentence in [*of_exercises(), *of_code()]:
        by_text.setdefault(sentence.text, sentence)
    return list(by_text.values())


def of_exercises() -> Iterator[Sentence]:
    """What an exercise says: its hints, its known mistakes with their repairs, and what was built."""
    for name, exercise in exercises().items():
        mistakes = [text for mistake in exercise.mistakes for text in (mistake.says, mistake.hint)]
        for text in (exercise.built, *exercise.hints, *mistakes):
            if text:
                yield Sentence(text, name, exercise.lesson)


def of_code() -> Iterator[Sentence]:
    """What the judge says of any exercise."""
    for label in LABELS:
        yield Sentence(label, "a panel's labels")
    for file in SPEAKING:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for text in templates(tree):
            if is_said(text):
                yield Sentence(text, str(file.relative_to(ROOT)))


def templates(tree: ast.AST) -> Iterator[str]:
    """The strings of a program, docstrings excepted; what is set into one becomes a gap.

    >>> list(templates(ast.parse('f"{right} of {len(cases)} cases" + " pass"')))
    ['{1} of {2} cases pass']
    """
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return  # a docstring
    if is_text(tree):
        gaps: list[ast.AST] = []
        yield template(tree, gaps)
        for gap in gaps:
            yield from templates(gap)
        return
    for child in ast.iter_child_nodes(tree):
        yield from templates(child)


def is_text(node: ast.AST) -> bool:
    """Is it a string, an f-string, or a sum that has one among its terms?"""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return is_text(node.left) or is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def template(node: ast.AST, gaps: list[ast.AST]) -> str:
    """The text of a string with its gaps numbered, which are added to `gaps`."""
    if isinstance(node, ast.BinOp) and is_text(node):
        return template(node.left, gaps) + template(node.right, gaps)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part, gaps) for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    gaps.append(node.value if isinstance(node, ast.FormattedValue) else node)
    return f"{{{len(gaps)}}}"


def is_said(text: str) -> bool:
    """Is it told to people, rather than HTML, a regular expression, a name?"""
    bare = re.sub(r"`[^`]*`", "x", GAP.sub("", text))
    return bool(WORDS.search(bare)) and not CODE.search(bare)


def update(language: str, begin: Collection[str] = ()) -> tuple[Catalog, Path]:
    """Bring a language's catalogue up to date, and write it. Gives it, and its file.

    It holds what the judge says of any exercise, the lessons of which something is translated, and the
    lessons to `begin`, as "bce".
    """
    path = FOLDER / f"{language}.po"
    known = {}
    if path.exists():
        with path.open("rb") as file:
            known = {entry.id: entry.string for entry in read_po(file, locale=language) if entry.id}
    told = sentences()
    begun = {"", *begin, *(sentence.lesson for sentence in told if known.get(sentence.text))}
    catalog = Catalog(locale=language, charset="utf-8", fuzzy=False)
    for sentence in told:
        if sentence.lesson in begun:
            catalog.add(sentence.text, known.get(sentence.text, ""), auto_comments=[sentence.where])
    write_whole(path, as_po(catalog))
    return catalog, path


def as_po(catalog: Catalog) -> str:
    """A catalogue as the text of its file, with nothing in it that changes from day to day."""
    file = io.BytesIO()
    write_po(file, catalog, width=110, omit_header=True, no_location=True)
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    return header + file.getvalue().decode().strip() + "\n"


def translated(catalog: Catalog) -> dict[str, tuple[int, int]]:
    """For each lesson, and for the judge's own sentences under "": how many are translated, of how many."""
    counts: dict[str, tuple[int, int]] = {}
    done = {entry.id for entry in catalog if entry.id and entry.string}
    for sentence in sentences():
        have, of_all = counts.get(sentence.lesson, (0, 0))
        counts[sentence.lesson] = (have + (sentence.text in done), of_all + 1)
    return counts
