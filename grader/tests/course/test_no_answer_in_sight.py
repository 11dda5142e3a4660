"""Nothing that stands below an exercise answers it before it passes: not in code, not in words, not in a formula.

An answer's expression is compared as a row of operations, names and constants erased:
`-(y * torch.log(p) + (1 - y) * torch.log(1 - p))` and the formula `-(y \\log p + (1 - y) \\log(1 - p))` are
the same row. What is folded, and what comes with the pass, is not in sight.
"""

import ast
import copy
import re

import pytest

from grader.course.build import notebook, solution_cells, text_of
from grader.course.lessons import lessons

LONG = 4  # operations: such a row is an answer wherever it occurs
SHORT = 2  # a shorter one (`a - b.sum()`) is an answer only where it is all that is said
FUNCTIONS = {  # one name for what code and formulas call differently
    "expm1": "exp",
    "log1p": "log",
    "max": "max",
    "maximum": "max",
    "relu": "max",
    "clamp": "max",
    "amax": "max",
}
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Div: "/", ast.Pow: "^", ast.USub: "-", ast.MatMult: "@"}
SIGN = re.compile(r"\\(?:log|exp|max|min|sum|sqrt|sigma)\b|\\mathrm\{\w+\}|e\^|[-+/^−]")
SIGNS = {"sigma": "sigmoid", "−": "-", "e^": "exp"}


def operations(tree):
    """The operations of an expression in the order in which one reads them; multiplication is silent, as in a
    formula."""
    if isinstance(tree, ast.BinOp):
        sign = OPERATORS.get(type(tree.op))
        return operations(tree.left) + ([sign] if sign else []) + operations(tree.right)
    if isinstance(tree, ast.UnaryOp):
        sign = OPERATORS.get(type(tree.op))
        return ([sign] if sign else []) + operations(tree.operand)
    if isinstance(tree, ast.Call):
        function = tree.func
        name = getattr(function, "attr", getattr(function, "id", ""))
        inner = []
        if isinstance(function, ast.Attribute) and not _is_module(function.value):
            inner += operations(function.value)
        for argument in tree.args:
            inner += operations(argument)
        return [FUNCTIONS.get(name, name), *inner]
    seen = []
    for child in ast.iter_child_nodes(tree):
        seen += operations(child)
    return seen


def _is_module(tree):
    return isinstance(tree, ast.Name) and tree.id in ("torch", "F", "nn", "math", "np")


def of_formula(latex):
    """The operations of a formula, in the order in which one reads them: fractions as divisions, without subscripts."""
    group = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
    text = re.sub(r"\\[tdc]?frac", r"\\frac", latex)
    text = re.sub(rf"_{group}|_\w", "", text)
    text = re.sub(rf"(\\sum)\s*\^(?:{group}|\w)", r"\1", text)
    while (flat := re.sub(rf"\\frac\s*{group}\s*{group}", r"(\1 / \2)", text)) != text:
        text = flat
    names = [re.sub(r"\\mathrm\{|\}|\\", "", sign) for sign in SIGN.findall(text)]
    return [SIGNS.get(name, FUNCTIONS.get(name, name)) for name in names]


def answers(cell):
    """The rows of operations of what a solution returns and of what it computes on the way there.

    In what it returns, names stand for what they were given: `e / e.sum()` alone is no answer where `e` is
    the decision.
    """
    tree = ast.parse(cell)
    function = next(node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    given = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(function):
        value = node.value if isinstance(node, (ast.Return, ast.Assign)) else None
        least = SHORT if isinstance(node, ast.Return) and not isinstance(value, ast.Tuple) else LONG
        for part in value.elts if isinstance(value, ast.Tuple) else filter(None, [value]):
            whole = Given(given).visit(copy.deepcopy(part)) if isinstance(node, ast.Return) else part
            if len(row := operations(whole)) >= least:
                yield row, ast.unparse(part)


class Given(ast.NodeTransformer):
    """Puts what a name was given in its place."""

    def __init__(self, given):
        self.given = given

    def visit_Name(self, node):
        if node.id not in self.given:
            return node
        others = {name: value for name, value in self.given.items() if name != node.id}
        return Given(others).visit(copy.deepcopy(self.given[node.id]))


def in_sight(cell):
    """The rows of operations that somebody reads in a cell of a release, each with its text."""
    if cell.cell_type == "code":
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            return
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.expr):
                yield operations(node), ast.unparse(node)
        return
    text = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.S)
    for formula in re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", text, flags=re.S):
        for side in formula.strip("$").split("="):
            yield of_formula(side), formula
    for code in re.findall(r"`([^`\n]+)`", text):
        try:
            yield operations(ast.parse(code, mode="eval")), code
        except SyntaxError:
            continue


def says(seen, row):
    """Does a row of operations that is in sight say what the row of an answer says?"""
    if len(row) < LONG:
        return seen == row
    return any(seen[i : i + len(row)] == row for i in range(len(seen) - len(row) + 1))


def given_away(lesson):
    """(exercise, the part of its answer, where it stands) for everything that is in sight below an exercise."""
    cells = notebook(text_of(lesson).read_text(encoding="utf-8"), lesson).cells
    sources = solution_cells(lesson)
    for place, cell in enumerate(cells):
        if cell.id not in sources:
            continue
        above = [
            seen for earlier in cells[:place] if earlier.id not in sources for seen, _ in in_sight(earlier)
        ]
        # a definition that stands above is the question, not the answer
        rows = [
            (row, part)
            for row, part in answers(sources[cell.id])
            if not any(says(seen, row) for seen in above)
        ]
        for later in cells[place + 1 :]:
            if later.metadata.get("nbgrader", {}).get("solution"):
                continue  # the release has a stub there, or nothing
            for seen, text in in_sight(later):
                for row, part in rows:
                    if says(seen, row):
                        yield cell.id, part, text


@pytest.mark.parametrize("lesson", lessons())
def test_no_cell_below_an_exercise_answers_it(lesson):
    cells = sorted(set(given_away(lesson)))
    assert not cells, "\n".join(f"{name}: {part}\n    is in sight in {text}" for name, part, text in cells)


@pytest.mark.parametrize(
    "formula",
    [
        r"$$ \ell(p, y) = -\bigl( y \log p + (1 - y) \log (1 - p) \bigr) $$",
        "`-(t * q.log() + (1 - t) * (1 - q).log())`",
    ],
)
def test_an_answer_in_sight_is_found_however_it_is_written(formula):
    mark = "\n# %% [markdown]\n# " + formula + "\n"
    text = (
        text_of("02_bce")
        .read_text(encoding="utf-8")
        .replace("\n# %% [markdown]\n# ## Recap", mark + "\n# %% [markdown]\n# ## Recap")
    )
    cells = notebook(text, "02_bce").cells
    rows = [row for row, _ in answers(solution_cells("02_bce")["bce_per_sample"])]
    below = [seen for cell in cells if formula in cell.source for seen, _ in in_sight(cell)]
    assert any(says(seen, row) for seen in below for row in rows)


def test_what_is_folded_is_not_in_sight():
    text = '# %% [markdown] fold="The formula"\n# $-(y \\log p + (1 - y) \\log (1 - p))$\n'
    whole = text_of("02_bce").read_text(encoding="utf-8") + "\n" + text
    last = next(c for c in notebook(whole, "02_bce").cells if "The formula" in c.source)
    assert not list(in_sight(last))
