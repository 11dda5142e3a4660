"""Answers in, a Verdict out. Pure: the answer is asked through `ask(question, gradient) -> Result`, wherever it lives.

The judge compares behaviour: value, shape, dtype, gradient, and that inputs were not changed. When something differs it
looks for the mistake: the exercise's own known mistakes first, then what can go wrong with any loss (`diagnose`).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from grader.judging.behaviour import behaviour
from grader.judging.compare import Asked, compare
from grader.judging.diagnose import explain
from grader.judging.diagnose.evidence import Evidence
from grader.judging.picture import curve
from grader.judging.question import borrowed
from grader.judging.scan import compares_by_is, left_below, scan
from grader.judging.smallest import separating, show_result
from grader.judging.verdict import (
    ERROR,
    FAILED,
    MISSING,
    PASSED,
    CaseVerdict,
    Example,
    Verdict,
    show,
    show_call,
)

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call, Result


LEFT_BELOW = "Your answer is there, but `raise NotImplementedError()` still follows it: delete that line."
BY_IS = (
    "You compare text with `is`, which asks whether two names stand for the same object; equal texts need not be one. "
    'Use `==`, as in `reduction == "mean"`.'
)


BORROWED = borrowed("").removesuffix('")')


def judge(
    exercise: "Exercise",
    ask: "Callable[[Call, tuple], Result]",
    *,
    seed: int = 0,
    source: str | None = None,
    context: str = "",
    remember: bool = False,
):
    """The Verdict on an answer.

    ask: a function of (question, gradient names) that gives a Result; seed: of the inputs; source: the answer's text
    (its cell or file), scanned for calls that are out of bounds; context: all that the learner wrote around it.
    remember: keep what an answer does whose mistake has no name, so that a class's can be grouped by it.
    """
    # each question of each case, with what the reference and the answer say
    asked, cases = [], []
    put = exercise.put(seed)
    for number, (case, share) in enumerate(zip(exercise.cases, exercise.shares())):
        answers = [_ask(exercise, ask, case, *each) for each in put.questions(number)]
        asked += answers
        ordinary = not (case.example or case.extreme or case.edge)
        cases.append(CaseVerdict(case.name, not any(a.difference for a in answers), share, ordinary))
    verdict = partial(Verdict, exercise.name, max_points=exercise.points, cases=tuple(cases), seed=seed)
    # nothing is written yet, or the stub's last line was left below it
    if all(_unwritten(a.got) for a in asked):
        if left_below(source):
            return verdict(ERROR, finding=LEFT_BELOW)
        return verdict(MISSING, finding="Write your answer in the cell above, run it, then run this check.")
    # what is to be built was called: seen while the answer ran, or read in its text
    traced = set().union(*(a.got.called for a in asked)) & exercise.forbidden
    written = scan(source, exercise.forbidden, context)
    called = sorted(traced | written)
    if called:
        names = ", ".join(f"`{n}`" for n in called)
        return verdict(
            FAILED,
            called=tuple(called),
            details={"trace": sorted(traced), "scan": sorted(written)},
            finding=f"You called {names}, which does what you are to build here. "
            "Write it from its definition: no points as long as it is called.",
        )
    # the course's answer to an earlier exercise was handed on as it is
    lender = {n for n in frozenset.intersection(*(a.got.called for a in asked)) if n.startswith(BORROWED)}
    if lender:
        return verdict(
            FAILED,
            called=tuple(sorted(lender)),
            details={"trace": sorted(lender)},
            finding="Right numbers, but borrowed: your answer hands on what "
            f"{', '.join(f'`{n}`' for n in sorted(lender))} gives, which is the course's own. Write it "
            "from its definition: no points as long as it is borrowed.",
        )
    if not any(a.difference for a in asked):
        return verdict(PASSED, finding=exercise.built)
    # it is wrong: which mistake explains it, and on what input is it seen?
    evidence = Evidence(exercise, ask, asked, _made=put.made)
    explanation = explain(evidence)
    if compares_by_is(source) and not explanation.known:
        explanation = replace(explanation, says=BY_IS, besides=(), named=True)
    first = explanation.shown
    if first.got.failed and not explanation.known:
        if first.got.lost:  # asked again it would be lost again
            shown = show_result(first, first.got), show(first.expected.value)
            example = Example(show_call(exercise, first.question), *shown)
        else:
            example = separating(exercise, ask, first)
        return verdict(ERROR, finding=explanation.finding, hint=explanation.hint, example=example)
    return verdict(
        FAILED,
        finding=explanation.finding,
        mistake=explanation.says if explanation.named else None,
        hint=explanation.hint,
        example=separating(exercise, ask, first),
        picture=curve(exercise, ask, first),
        details={"behaviour": behaviour(exercise, ask)} if remember and not explanation.named else {},
    )


def passes(exercise: "Exercise", ask: "Callable[[Call, tuple], Result]", *, seed: int = 0):
    """Is every question answered rightly, and nothing out of bounds called? Stops at the first that is not;
    names nothing."""
    put = exercise.put(seed)
    for number, case in enumerate(exercise.cases):
        for question, expected in put.questions(number):
            asked = _ask(exercise, ask, case, question, expected)
            if asked.difference or asked.got.called & exercise.forbidden:
                return False
    return True


def _unwritten(got):
    """Does the stub itself speak? torch raises NotImplementedError too, with a text, in a line that raises
    nothing itself."""
    r = got.raised
    return (
        r is not None
        and r.type == "NotImplementedError"
        and (not r.text or r.source.startswith("raise NotImplementedError"))
    )


def _ask(exercise, ask, case, question, expected):
    got = ask(question, case.gradient)
    return Asked(case, question, expected, got, compare(exercise, case, expected, got))
