"""The sentences that learners read: lessons, hints, mistakes, panels, README.

No worn-out formula occurs in them, no lesson takes longer than it says, and prose comes in portions.
Held to this are all lessons, the README and the overview, and what the panels say.
"""

import ast
import io
import re
import tokenize
from dataclasses import dataclass

import jupytext
import pytest

from grader.course.build import ROOT, text_of
from grader.course.lessons import exercises_of, lessons

HELD = lessons()
PAGES_HELD = ["README.md", "notebooks/README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + [
    str(path.relative_to(ROOT))
    for room in ("grader/judging", "grader/learner")
    for path in sorted((ROOT / room).rglob("*.py"))
]

# What a slope is taken with respect to, as a lesson writes it: z, $p$, w_1, its own p, the score.
VARIABLE = r"\$?(?:[zpwbqx](?:_\w+)?|its (?:own )?\$?[a-z]|(?:the|its|a|every|each) (?:score|logit|probability|weight|bias)s?)\$?(?![\w(·])"


@dataclass(frozen=True)
class Worn:
    """A formula that reads like a translation. `seen` is one of the sentences it comes from, `better` says
    the same in plain English."""

    pattern: str
    seen: str
    better: str


WORN = [
    Worn(r"\b(is|are|was|were) asked for\b", "The mean is asked for.", "Return the mean."),
    Worn(r"\bwhat is asked\b", "Give what is asked, the sum.", "Return the sum."),
    Worn(
        r"\b(is|are) wanted\b",
        "The first loss is wanted before any step.",
        "Record the first loss before any step.",
    ),
    Worn(r"\bchang(e|es|ed|ing) places\b", "z and y have changed places.", "z and y are swapped."),
    Worn(
        r"\b(below|above|under|over) the (fraction )?(line|bar)\b",
        "1 − p belongs below the line.",
        "1 − p belongs in the denominator.",
    ),
    Worn(
        r"\bdecision is yours\b|\bis your decision\b",
        "How is your decision: a grid, bisection.",
        "How you search is up to you: a grid, bisection.",
    ),
    Worn(
        r"\babout an? [01]\b",
        "The last one says 0.1 about a 0.",
        "The last one says 0.1 where the label is 0.",
    ),
    Worn(
        rf"\b(derivatives?|slopes?|gradients?)\b( of [^.:;]{{1,40}}?)?,? by {VARIABLE}",
        "This is the derivative of the loss by z.",
        "This is the derivative of the loss with respect to z.",
    ),
    Worn(
        rf"\bdifferentiat\w+ [^.:;]{{1,50}} by {VARIABLE}",
        "Differentiate −log p by p.",
        "Differentiate −log p with respect to p.",
    ),
    Worn(r"\bturned (a)?round\b", "The sign is turned round.", "The sign is flipped."),
    Worn(r"\bturn(s|ed|ing)? the sign\b", "So turn the sign.", "So flip the sign."),
    Worn(
        r"\b(stand|stands|stood|standing) (on|behind|below|above|inside|where|nowhere|already)\b",
        "The threshold stands on the probability.",
        "The threshold applies to the probability.",
    ),
    Worn(r"\b(is|are|was|were|not|never) tried\b", "0/0 is not tried.", "0/0 isn't tested."),
    Worn(r"\bneed not care\b", "You need not care for 0/0.", "Don't worry about 0/0."),
    Worn(
        r"\bby (another|other|different|every|each|the same|one) (road|roads|way|ways)\b",
        "Two floats that come by different roads.",
        "Two floats computed in different ways.",
    ),
    Worn(
        r"\bthe (wrong |long |same )?road (you|we|back|through|from)\b",
        "Go back by the road you came.",
        "Retrace your steps.",
    ),
    Worn(
        r"\bspeaks? (for|against) (label|class|the)\b",
        "A score of 2 speaks for label 1.",
        "A score of 2 favours label 1.",
    ),
    Worn(
        r"\bsilent about\b",
        "Who is silent about all of them is right 357 times.",
        "Call everyone benign and you are right 357 times.",
    ),
    Worn(
        r"\bhad no benign\b",
        "The last patient, who had no benign tumour.",
        "The last patient, whose tumour was malignant.",
    ),
    Worn(
        r"\bclaims? exceeds? deeds\b",
        "As it does where claims exceed deeds.",
        "As it does when a model claims more than it delivers.",
    ),
    Worn(
        r"\b(is|are|was|were) taken off\b",
        "The label is taken off after the sigmoid.",
        "The label is subtracted after the sigmoid.",
    ),
    Worn(
        r"\b(is|are) still to be\b",
        "The sum is still to be divided by N.",
        "The sum still has to be divided by N.",
    ),
    Worn(r"\bin the place of\b", "A sum in the place of a mean.", "A sum instead of a mean."),
    Worn(
        r"(?<!\bthere )\b(is|are|was|were) no (function|module|tensor|multiple|notebook|exercise|mean|loss)\b",
        "10 is no multiple of 4.",
        "10 is not a multiple of 4.",
    ),
    Worn(
        r"\bone (number|step|loss|idea|factor|thing) more\b",
        "And one number more, the bias.",
        "And one more number, the bias.",
    ),
    Worn(
        r"\ba way of \d|\bby the way:",
        "From x − eps to x + eps is a way of 2·eps.",
        "From x − eps to x + eps is a distance of 2·eps.",
    ),
    Worn(
        r", for (it|they|he|she|we) (is|are|has|have|was|were)\b",
        "Clamp it, for it is 0.",
        "Clamp it, because it is 0.",
    ),
    Worn(
        r"\bas (large|small|good|far) as somebody\b",
        "The loss is as large as somebody chose the weights.",
        "The size of the loss depends on the scale of the weights.",
    ),
    Worn(
        r"\bgo(es)? over to\b|\bwent over to\b",
        "You went over to z too early.",
        "You switched to z too early.",
    ),
]


def words(markdown):
    """The words of some markdown, in order; a formula or a piece of code counts as one."""
    text = re.sub(r"\$\$.*?\$\$|```.*?```", " x ", markdown, flags=re.S)
    text = re.sub(r"\$[^$\n]+\$|`[^`\n]*`", " x ", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return [word for word in text.split() if re.search(r"\w", word)]


def strings_of_code(source, with_docstrings=False):
    """The strings of Python code: what its user is shown, and the docstrings where its user reads the code itself."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (with_docstrings or id(node) not in docstrings)
        ):
            yield node.value


def comments_of_code(source):
    """The comments of Python code."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def cells(lesson):
    return jupytext.reads(text_of(lesson).read_text(encoding="utf-8"), fmt="py:percent").cells


def texts(lesson):
    """Everything that a learner of this lesson reads: (where, text)."""
    for cell in cells(lesson):
        if cell.cell_type == "markdown":
            yield "the lesson", cell.source
        else:
            for sentence in [
                *comments_of_code(cell.source),
                *strings_of_code(cell.source, with_docstrings=True),
            ]:
                yield "the lesson's code", sentence
    for name, exercise in exercises_of(lesson).items():
        yield f"{name}, built", exercise.built
        for hint in exercise.hints:
            yield f"{name}, a hint", hint
        for case in exercise.cases:
            yield f"{name}, the name of a case", case.name
        for mistake in exercise.mistakes:
            yield f"{name}, a mistake", mistake.says
            yield f"{name}, the hint of a mistake", mistake.hint


def worn_out(text):
    """The worn-out formulas of a text: (what was found with its neighbours, Worn)."""
    flat = re.sub(r"\s+", " ", text)
    return [
        (flat[max(0, match.start() - 40) : match.end() + 20], worn)
        for worn in WORN
        for match in re.finditer(worn.pattern, flat, flags=re.I)
    ]


def assert_fresh(pairs):
    """No text of these pairs (where, text) holds a worn-out formula; lists all that do."""
    lines = [
        f"{where}: …{excerpt}…\n    not: {worn.seen}\n    but: {worn.better}"
        for where, text in pairs
        for excerpt, worn in worn_out(text)
    ]
    assert not lines, "\n".join([f"{len(lines)} worn-out formulas", *lines])


@pytest.mark.parametrize("worn", WORN, ids=[worn.seen[:40] for worn in WORN])
def test_a_worn_out_formula_is_recognised_and_its_better_form_is_not(worn):
    assert re.search(worn.pattern, worn.seen, flags=re.I)
    assert not worn_out(worn.better)


@pytest.mark.parametrize("lesson", HELD)
def test_no_worn_out_formula_in_a_lesson_its_hints_and_its_mistakes(lesson):
    assert_fresh(texts(lesson))


@pytest.mark.parametrize("page", PAGES_HELD)
def test_no_worn_out_formula_in_a_page_or_panel(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".py"):
        assert_fresh((page, sentence) for sentence in strings_of_code(text))
    else:
        assert_fresh([(page, text)])


# ---------------------------------------------------------------- how long it takes

WORDS_A_MINUTE = 150
MINUTES_AN_EXERCISE = 5


def read_by_everybody(cell):
    """Is this prose that every learner reads? Not the model answer to an open question, and not what is folded away."""
    return cell.cell_type == "markdown" and "question" not in cell.metadata and not cell.metadata.get("fold")


def minutes(lesson):
    """How long a lesson takes: its prose read at 150 words a minute, and five minutes an exercise."""
    prose = sum(len(words(cell.source)) for cell in cells(lesson) if read_by_everybody(cell))
    return prose / WORDS_A_MINUTE + MINUTES_AN_EXERCISE * len(exercises_of(lesson))


@pytest.mark.parametrize("lesson", HELD)
def test_a_lesson_takes_no_longer_than_it_says(lesson):
    opening = " ".join(cells(lesson)[0].source.split())
    stated = re.search(r"\b(\d+) minutes", opening)
    assert stated, "the first cell says how many minutes the lesson takes"
    assert minutes(lesson) <= int(stated[1]), (
        f"it takes {minutes(lesson):.0f} minutes and says {stated[1]}: shorten it, or say so in its first cell"
    )


# ---------------------------------------------------------------- portions


@pytest.mark.parametrize("lesson", HELD)
def test_prose_comes_in_portions_of_at_most_90_words(lesson):
    for cell in cells(lesson):
        if not read_by_everybody(cell):
            continue
        for portion in re.split(r"^#.*$|^\|.*$|\$\$.*?\$\$|^- |^\d\. ", cell.source, flags=re.M | re.S):
            count = len(words(portion))
            assert count <= 90, f"{count} words in a row; put code, a formula or a list in: {portion[:80]}"
