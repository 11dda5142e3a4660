"""Every course answer changed by machine, in one place at a time, and put to the judge: is it rejected, and
is the mistake named?

    python -m grader.tests.mutants [LESSON]        writes the table, `grader/exercises/mutants.md`; `make mutants`

A kept library of mutants knows operators and constants, not what goes wrong in tensor programs: reductions,
dimensions, an epsilon in a logarithm, a graph that is cut. So they are made here, each by a function of a
node of the syntax tree that gives the nodes to put in its place. A mutant that is accepted must be equal to
the answer; `equal_mutants.toml` says why it is, one reason for each.
"""

import ast
import copy
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from grader.course.build import course_namespace, solution_cells
from grader.course.lessons import exercises, lessons, slug
from grader.judging.judge import judge
from grader.judging.question import Call, Ended, Result

PAGE = Path(__file__).parents[1] / "exercises" / "mutants.md"
REASONS = Path(__file__).with_name("equal_mutants.toml")
SECONDS = 5.0  # for one mutant: some loop for ever
OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
FUNCTIONS = {  # one function of torch for another
    "sum": ("mean",),
    "mean": ("sum",),
    "max": ("min",),
    "amax": ("amin",),
    "min": ("max",),
    "amin": ("amax",),
    "argmax": ("argmin",),
    "log": ("log2",),
    "exp": ("exp2",),
    "abs": ("neg",),
    "prod": ("sum",),
    "zeros_like": ("ones_like",),
    "ones_like": ("zeros_like",),
}
TEXTS = {"mean": "sum", "sum": "mean", "none": "mean"}


@dataclass(frozen=True)
class Mutant:
    """A course answer with one place changed. what: the place before and after, as text."""

    what: str
    source: str


@dataclass(frozen=True)
class Judged:
    """What became of a mutant: "named", "located" (it is told for which samples it is wrong), "unnamed" or
    "accepted"."""

    what: str
    kind: str
    finding: str


# ---------------------------------------------------------------- what may be put in a node's place


def _operators(node: ast.AST) -> Iterator[ast.AST]:
    """Another operator; one of the two sides alone, where a term is dropped."""
    if not isinstance(node, ast.BinOp):
        return
    for other in OPERATORS.get(type(node.op), ()):
        yield ast.BinOp(node.left, other(), node.right)
    if isinstance(node.op, (ast.Add, ast.Sub)):
        yield node.left
        yield node.right


def _signs(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield node.operand


def _comparisons(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield ast.Compare(node.left, [other()], node.comparators)


def _constants(node: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Constant):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value > 0:
            yield ast.Constant(value - 1)
    elif isinstance(value, float):
        yield ast.Constant(value * 2)
    elif value in TEXTS:
        yield ast.Constant(TEXTS[value])


def _calls(node: ast.AST) -> Iterator[ast.AST]:
    """Another function, swapped arguments, a dimension or an option left out, an epsilon, a clamp, a graph
    that is cut."""
    if not isinstance(node, ast.Call):
        return
    function, name = node.func, ""
    if isinstance(function, ast.Attribute):
        name = function.attr
        for other in FUNCTIONS.get(name, ()):
            yield ast.Call(ast.Attribute(function.value, other, ast.Load()), node.args, node.keywords)
    if len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    for i in range(len(node.keywords)):
        yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    if name == "log" and isinstance(function, ast.Attribute):
        inside = node.args[0] if node.args else function.value
        tiny = ast.Constant(1e-7)
        log = ast.parse("torch.log", mode="eval").body
        yield ast.Call(log, [ast.BinOp(inside, ast.Add(), tiny)], [])
        yield ast.Call(log, [_method(inside, "clamp", min=tiny)], [])
    if name in ("log", "exp", "sum", "mean", "amax", "logsumexp", "where"):
        yield _method(node, "detach")


def _results(node: ast.AST) -> Iterator[ast.AST]:
    """What is returned: cut off from the graph, of the other sign."""
    if isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Tuple):
        yield ast.Return(_method(node.value, "detach"))
        yield ast.Return(ast.UnaryOp(ast.USub(), node.value))


def _method(value: ast.expr, name: str, **keywords: ast.expr) -> ast.Call:
    return ast.Call(
        ast.Attribute(value, name, ast.Load()), [], [ast.keyword(k, v) for k, v in keywords.items()]
    )


CHANGES: tuple[Callable[[ast.AST], Iterator[ast.AST]], ...] = (
    _operators,
    _signs,
    _comparisons,
    _constants,
    _calls,
    _results,
)


# ---------------------------------------------------------------- mutants


class _Put(ast.NodeTransformer):
    """Puts another node in the place of one, known by its number."""

    def __init__(self, number: int, other: ast.AST):
        self.number, self.other, self.count = number, other, -1

    def generic_visit(self, node: ast.AST) -> ast.AST:
        self.count += 1
        if self.count == self.number:
            self.count += sum(1 for _ in ast.walk(node)) - 1
            return self.other
        return super().generic_visit(node)


def mutants(source: str, name: str) -> list[Mutant]:
    """All mutants of the function or class `name` in a cell's source.

    >>> [m.what for m in mutants("def f(a, b):\\n    return a - b", "f")][:3]
    ['return a - b -> return (a - b).detach()', 'return a - b -> return -(a - b)', 'a - b -> a + b']
    """
    tree = ast.parse(source)
    by_text: dict[str, Mutant] = {}
    for node, number in _numbered(tree):
        for change in CHANGES:
            for other in change(node):
                made = _Put(number, copy.deepcopy(other)).visit(copy.deepcopy(tree))
                text = ast.unparse(ast.fix_missing_locations(made))
                what = f"{ast.unparse(node)} -> {ast.unparse(ast.fix_missing_locations(other))}"
                if text != ast.unparse(tree):
                    by_text.setdefault(text, Mutant(" ".join(what.split()), text))
    return list(by_text.values())


def no_gradient(name: str) -> bool:
    """Does no case of an exercise ask for a gradient? Then a graph that is cut is no difference."""
    return not any(case.gradient for case in exercises()[name].cases)


def _numbered(tree: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """The nodes of a tree with their numbers, in the order in which a visitor meets them."""
    for number, node in enumerate(_in_order(tree)):
        yield node, number


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)


# ---------------------------------------------------------------- judged


class _Late(BaseException):
    pass


def _ring(*_):
    raise _Late


def judged(name: str, mutant: Mutant, seed: int = 0) -> Judged:
    """What the judge says of a mutant of the course's answer to an exercise."""
    exercise, namespace = exercises()[name], dict(course_namespace(name))
    late = False
    signal.signal(signal.SIGALRM, _ring)

    def ask(question: Call, gradient: tuple) -> Result:
        nonlocal late
        if late:
            return Result(ended=Ended.LATE)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        result = exercise.run(namespace[name], question, gradient)
        signal.setitimer(signal.ITIMER_REAL, 0)
        late = result.raised is not None and result.raised.type == "_Late"
        return Result(ended=Ended.LATE) if late else result

    try:
        exec(compile(mutant.source, f"<{name}>", "exec"), namespace)
    except Exception as error:  # a class body or a default that does not run: nobody would hand it in
        return Judged(mutant.what, "named", f"It does not run: {error}")
    verdict = judge(exercise, ask, seed=seed, source=mutant.source)
    if verdict.passed:
        return Judged(mutant.what, "accepted", "")
    if verdict.mistake or verdict.status == "error" or verdict.called:
        return Judged(mutant.what, "named", verdict.finding)
    located = verdict.finding.startswith("Each sample alone") or "tested one by one" in verdict.finding
    return Judged(mutant.what, "located" if located else "unnamed", verdict.finding)


def all_of(name: str) -> tuple[str, list[Judged]]:
    """Every mutant of one course answer, judged."""
    torch.set_num_threads(1)
    lesson = next(n for n in lessons() if slug(n) == exercises()[name].lesson)
    made = mutants(solution_cells(lesson)[name], name)
    return name, [judged(name, m) for m in made if not (no_gradient(name) and m.what.endswith(".detach()"))]


def reasons() -> dict[str, dict[str, str]]:
    """exercise -> mutant -> why it is equal to the answer."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def row(name: str, judged: list[Judged], equal: dict[str, str]) -> str:
    """A line of the table: mutants, rejected, named, located, accepted, and accepted though nobody has said
    why they are equal."""
    count = {
        kind: sum(j.kind == kind for j in judged) for kind in ("named", "located", "unnamed", "accepted")
    }
    open_ = [j.what for j in judged if j.kind == "accepted" and j.what not in equal]
    rejected = len(judged) - count["accepted"]
    share = f"{100 * count['named'] / rejected:.0f} %" if rejected else "–"
    return (
        f"| `{name}` | {len(judged)} | {rejected} | {count['named']} | {share} | {count['located']} | "
        f"{count['accepted']} | {len(open_)} |"
    )


HEAD = """# Course answers changed by machine

Each course answer is changed in one place at a time (an operator, a constant, a reduction, a dimension, swapped arguments, a term
dropped, an epsilon, a clamp, a graph that is cut) and put to the judge. `make mutants` writes this table. An accepted mutant is equal to
the answer, for a reason that `grader/tests/equal_mutants.toml` gives; the last column counts those without one. Located: no mistake is
named, but the learner is told for which samples the answer is wrong.

| exercise | mutants | rejected | named | share named | located | accepted | accepted, no reason |
| --- | --: | --: | --: | --: | --: | --: | --: |
"""


def main(lesson: str = "") -> int:
    """Judge all mutants of the lessons; keep the table's rows of those, print what is unnamed and what is
    accepted without a reason."""
    names = [n for n, e in exercises().items() if not lesson or e.lesson in lesson.split(",")]
    old = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.is_file() else []
    rows = {line.split("`")[1]: line for line in old if line.startswith("| `")}
    equal, open_ = reasons(), 0
    with ProcessPoolExecutor(2) as pool:
        for name, found in pool.map(all_of, names):
            rows[name] = row(name, found, equal.get(name, {}))
            print(rows[name], flush=True)
            for each in found:
                if each.kind == "accepted" and each.what not in equal.get(name, {}):
                    open_ += 1
                    print(f"    accepted: {each.what}", flush=True)
                elif each.kind == "unnamed":
                    print(f"    unnamed: {each.what}  [{each.finding}]", flush=True)
    ordered = [rows[n] for n in exercises() if n in rows]
    PAGE.write_text(HEAD + "\n".join(ordered) + "\n", encoding="utf-8")
    return open_


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:2])))
