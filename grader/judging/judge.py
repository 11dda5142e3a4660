"""Answers in, a Verdict out. Pure: the answer is asked through `ask(question, gradient) -> Result`, wherever it lives.

The judge compares behaviour: value, shape, dtype, gradient, and that inputs were not changed. When something differs it
looks for the mistake: the exercise's own known mistakes first, then what can go wrong with any loss (`diagnose`).
"""

from functools import partial

import torch

from grader.judging import diagnose
from grader.judging.compare import Asked, Difference, alike, as_parts, compare
from grader.judging.diagnose import inputs, words
from grader.judging.diagnose.evidence import Evidence
from grader.judging.picture import curve
from grader.judging.scan import scan
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


def judge(exercise, ask, *, seed=0, source=None, context=""):
    """The Verdict on an answer.

    ask: a function of (question, gradient names) that gives a Result; seed: of the inputs; source: the answer's text
    (its cell or file), scanned for calls that are out of bounds; context: all that the learner wrote around it.
    """
    asked, cases = [], []
    for i, (case, share) in enumerate(zip(exercise.cases, exercise.shares())):
        mine = [_ask(exercise, ask, case, q) for q in case.calls(seed * 1000 + i)]
        asked += mine
        cases.append(CaseVerdict(case.name, not any(a.difference for a in mine), share))
    verdict = partial(Verdict, exercise.name, max_points=exercise.points, cases=tuple(cases), seed=seed)
    if all(_unwritten(a.got) for a in asked):
        return verdict(MISSING, finding="Write your answer in the cell above, run it, then run this check.")
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
    wrong = [a for a in asked if a.difference]
    if not wrong:
        return verdict(PASSED, finding=exercise.built)
    first = wrong[0]
    picture = curve(exercise, ask, first)
    found = known_mistake(exercise, asked)
    if found:
        return verdict(
            FAILED,
            finding=found.says,
            mistake=found.says,
            hint=found.hint,
            example=separating(exercise, ask, first),
            picture=picture,
        )
    if first.got.ended.lost:
        shown = show_call(exercise, first.question), show_result(first, first.got), show(first.expected.value)
        return verdict(ERROR, finding=words.error(first), example=Example(*shown))
    if first.got.failed:
        return verdict(
            ERROR,
            finding=words.error(first),
            hint=words.error_hint(first),
            example=separating(exercise, ask, first),
        )
    evidence = Evidence(exercise, ask, asked)
    says = diagnose.general(evidence)
    example = separating(exercise, ask, first)
    if says:
        return verdict(FAILED, finding=says, mistake=says, example=example, picture=picture)
    return verdict(
        FAILED,
        finding=inputs.where_wrong(evidence) or words.difference(first),
        example=example,
        picture=picture,
        hint=exercise.hints[0] if exercise.hints else "",
    )


def _unwritten(got):
    """Does the stub itself speak? torch raises NotImplementedError too, with a text, in a line that raises nothing itself."""
    r = got.raised
    return (
        r is not None
        and r.type == "NotImplementedError"
        and (not r.text or r.source.startswith("raise NotImplementedError"))
    )


def _ask(exercise, ask, case, question):
    expected = exercise.run(exercise.reference, question, case.gradient)
    if expected.raised:
        raise AssertionError(f"{exercise.name}, case {case.name!r}: the reference raised {expected.raised}")
    got = ask(question, case.gradient)
    return Asked(case, question, expected, got, compare(exercise, case, expected, got))


def known_mistake(exercise, asked):
    """The exercise's mistake that reproduces the answer: on every question that it got wrong, or at least on the first
    case that it got wrong and on one more, where that says something (two mistakes at once: the first is named first)."""
    wrong = [a for a in asked if a.difference]
    right = [a for a in asked if not a.difference]
    first = [a for a in wrong if a.case is wrong[0].case]
    best, best_score = None, 0
    for mistake in exercise.mistakes:
        same = partial(_reproduces, exercise, mistake)
        if not all(same(a) for a in first):
            continue
        matches = sum(same(a) for a in wrong)
        full = matches == len(wrong)
        if not full and (
            matches == len(first) or not any(_telling(a.got) for a in first)
        ):  # a single case may agree by chance
            continue
        if not all(
            same(a) for a in right
        ):  # what the mistake gets wrong is right here: its sentence would not be true
            continue
        if not full and wrong[0].difference in (
            Difference.KIND,
            Difference.DTYPE,
            Difference.CHANGED,
        ):  # these have sentences of their own
            continue
        score = (full, matches)
        if not best or score > best_score:
            best, best_score = mistake, score
    return best


def _reproduces(exercise, mistake, a):
    """Does the mistake give the same answer to a question, and is it wrong in the same way?"""
    made = exercise.run(mistake.function, a.question, a.case.gradient)
    if not alike(a.got, made, a.case) or compare(exercise, a.case, a.expected, made) != a.difference:
        return False
    # too large is not the same as too large: the whole matrix is one mistake, a column too many another
    return a.difference is not Difference.LARGE or (
        a.got.made.entries == made.made.entries and a.got.made.left_torch == made.made.left_torch
    )


def _telling(got):
    """Finite and not all zero: a coincidence is then unlikely."""
    tensors = [v for v in as_parts(got.value) if isinstance(v, torch.Tensor) and not v.is_complex()]
    return any(v.double().isfinite().any() and (v != 0).any() for v in tensors)
