"""The known mistakes of an exercise: one that reproduces the answer, or one with something else on top of it."""

from grader.judging.compare import Asked, Difference, alike, compare
from grader.judging.diagnose import inputs, results
from grader.judging.diagnose.evidence import FORM, Evidence, Layer, classes_told, telling, value_only
from grader.judging.exercise import Mistake

VALUE = (Difference.ERROR, Difference.KIND, Difference.SHAPE, Difference.VALUE)
# What may have been done on top of a mistake; a factor that means nothing last: some number fits more than one mistake.
ON_TOP = (results.simple, inputs.transformed_inputs, results.rescaled)


def whole(evidence: Evidence) -> Mistake | None:
    """The mistake that gives the same answer to every question, the right ones included."""
    for mistake in evidence.exercise.mistakes:
        if all(same(evidence, mistake, a) for a in (*evidence.wrong, *evidence.right)):
            return mistake
    return None


def first_layer(evidence: Evidence, layer: Layer) -> Mistake | None:
    """The mistake that gives the same values in the first layer that fails, and is not wrong where the answer
    is right."""
    wrong = evidence.within(layer).wrong
    given = [a.got for a in wrong]
    if not telling(given) and not classes_told(given):
        return None
    best, most = None, 0
    for mistake in evidence.exercise.mistakes:
        alike_here = _same_value
        if layer is Layer.FORM:
            alike_here = same
        if not all(alike_here(evidence, mistake, a) for a in (*wrong, *evidence.right)):
            continue
        score = 1 + sum(same(evidence, mistake, a) for a in evidence.wrong)
        if score > most:
            best, most = mistake, score
    return best


def most_cases(evidence: Evidence) -> Mistake | None:
    """The mistake that gives the same answers in the first case that is wrong and in at least one more, and
    in those that are right."""
    first = [a for a in evidence.wrong if a.case is evidence.wrong[0].case]
    if evidence.wrong[0].difference in (Difference.KIND, *FORM) or not telling([a.got for a in first], 1):
        return None
    best, most = None, len(first)
    for mistake in evidence.exercise.mistakes:
        if not all(same(evidence, mistake, a) for a in (*first, *evidence.right)):
            continue
        score = sum(same(evidence, mistake, a) for a in evidence.wrong)
        if score > most:
            best, most = mistake, score
    return best


def with_something_on_top(evidence: Evidence, layer: Layer) -> tuple[Mistake, str] | None:
    """A mistake, and the sentence on what was done to its result, that together explain the first layer that fails."""
    part = evidence.within(layer)
    if not telling([a.got for a in part.wrong]):
        return None
    # The right answers of this layer have to be explained, too.
    asked = [a for a in part.asked if a.difference or evidence.layer(a) is layer]
    part = Evidence(part.exercise, part.ask, asked, _made=part._made)
    candidates = []
    for mistake in evidence.exercise.mistakes:
        beside = part.against(mistake)
        if any(a.expected.failed for a in beside.asked) or not telling([a.got for a in beside.wrong]):
            continue
        if not any(a.difference in (Difference.KIND, Difference.SHAPE) for a in beside.wrong):
            candidates.append((mistake, beside))
    # Of an argument without any effect nothing can be told, so neither can a treatment of it.
    on_top = [s for s in ON_TOP if s is not inputs.transformed_inputs or not inputs.unmoved(part)]
    for suspicion in on_top:
        for mistake, beside in candidates:
            says = suspicion(beside)
            if says:
                return mistake, says.replace("the right result", "that").replace("the right one", "that")
    return None


def same(evidence: Evidence, mistake: Mistake, a: Asked) -> bool:
    """Does the mistake give the same answer to a question, and is it wrong in the same way?"""
    # Most mistakes give another value, which is seen without a backward pass.
    if not a.got.failed and not alike(value_only(a.got), value_only(evidence.value_of(mistake, a)), a.case):
        return False
    made = evidence.made(mistake, a)
    if not alike(a.got, made, a.case):
        return False
    if compare(evidence.exercise, a.case, a.expected, made) is not a.difference:
        return False
    # Too large is not the same as too large: the whole matrix is one mistake, a column too many another.
    if a.difference is not Difference.LARGE or a.got.made is None or made.made is None:
        return True
    return a.got.made.entries == made.made.entries and a.got.made.left_torch == made.made.left_torch


def _same_value(evidence: Evidence, mistake: Mistake, a: Asked) -> bool:
    """Does the mistake give the same value to a question, right or wrong as the answer is?"""
    if a.got.failed:
        made = value_only(evidence.made(mistake, a))
    else:
        made = value_only(evidence.value_of(mistake, a))
    if not alike(value_only(a.got), made, a.case):
        return False
    value = None
    if a.difference in VALUE:
        value = a.difference
    wrong = compare(evidence.exercise, a.case, value_only(a.expected), made)
    return (wrong if wrong in VALUE else None) is value
