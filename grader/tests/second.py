"""Two faults at once: what can go wrong with any loss, on top of each known mistake. What is the learner told?

    python -m grader.tests.second [LESSON]        prints the table; all lessons where none is named

A sentence is true of the mistake where it is that mistake's own; it is true of the fault where it says what
the fault is (`FAULTS`). Anything else that the judge claims is listed as a claim about neither, to be read by
a person; a verdict that only shows the difference claims nothing and is counted as unnamed.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import torch

from grader.course.lessons import exercises
from grader.judging.compare import alike, as_parts
from grader.judging.diagnose.evidence import value_only
from grader.judging.exercise import Exercise, Mistake
from grader.judging.judge import judge
from grader.judging.question import Call, Result
from grader.judging.verdict import Verdict


@dataclass(frozen=True)
class Told:
    """What was told of one mistake with one fault on top. kind: one of `KINDS`."""

    exercise: str
    fault: str
    mistake: str
    kind: str
    finding: str


def _first(question: Call) -> tuple[int, torch.Tensor] | tuple[None, None]:
    """The place of the first floating-point argument, and it; (None, None) where there is none."""
    for i, value in enumerate(question.args):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return i, value
    return None, None


def _mapped(result: Result, change: Callable) -> Result:
    """The result with its floating-point values changed, and their gradients, which autograd would change alike."""

    def each(value):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            return change(value)
        if isinstance(value, float):
            return change(torch.tensor(value, dtype=torch.float64)).item()
        return value

    value = result.value
    changed = tuple(map(each, value)) if isinstance(value, tuple) else each(value)
    return replace(result, value=changed)


def _scaled(result: Result, factor: float) -> Result:
    gradients = {n: None if g is None else g * factor for n, g in result.gradients.items()}
    return replace(_mapped(result, lambda v: v * factor), gradients=gradients)


def _sum_for_mean(result: Result, question: Call) -> Result:
    _, z = _first(question)
    return _scaled(result, float(len(z)) if z is not None and z.ndim else 1.0)


def _sign(result: Result, question: Call) -> Result:
    return _scaled(result, -1.0)


def _log2(result: Result, question: Call) -> Result:
    return _scaled(result, 1 / 0.6931471805599453)


def _float32(result: Result, question: Call) -> Result:
    return _mapped(result, torch.Tensor.float)


def _cut(result: Result, question: Call) -> Result:
    return replace(result, gradients=dict.fromkeys(result.gradients))


def _unstable(result: Result, question: Call) -> Result:
    """exp of a large input is inf, and inf/inf nan: the whole result is."""
    _, z = _first(question)
    if z is None or not z.numel() or torch.exp(z.abs()).isfinite().all():
        return result
    return _mapped(result, lambda v: v * torch.nan)


def _changed(result: Result, question: Call) -> Result:
    i, z = _first(question)
    return result if i is None else replace(result, changed=(f"argument {i}",))


FAULTS = {  # name -> what it does to a result, and words of a sentence that names it
    "sum for mean": (
        _sum_for_mean,
        ("N times too large", "a sum stands", "a sum over the samples", "parts of a sum"),
    ),
    "sign": (_sign, ("sign is flipped", "minus the right", "minus N times")),
    "log2": (_log2, ("1/ln 2", "1.443 times")),
    "float32": (_float32, ("dtype is float32",)),
    "cut gradient": (_cut, ("no gradient reaches",)),
    "no stability": (_unstable, ("nan at the extremes", "Nan at the extremes", "nan where")),
    "changed input": (_changed, ("changes its input",)),
}


def _asks(exercise: Exercise, mistake: Mistake, fault: Callable) -> Callable[[Call, tuple], Result]:
    def ask(question: Call, gradient: tuple) -> Result:
        result = exercise.run(mistake.function, question, gradient)
        if result.failed:
            return result
        result = fault(result, question)
        names = [
            exercise.parameters[int(name.removeprefix("argument "))] if name.startswith("argument ") else name
            for name in result.changed
        ]
        return replace(result, changed=tuple(names), called=frozenset())

    return ask


# Of both, of the mistake, of the fault; another known mistake that gives the same answers; nothing claimed; a
# claim about neither.
KINDS = ("both", "mistake", "fault", "same", "unnamed", "neither")
SHOWN = ("Your result has shape", "Value ")  # says what is to be seen, and claims no cause
# What both together make of the right result, or of its inputs: the judge says it only where it gives every
# number of the answer.
RELATION = (
    "Your result is ",
    "You return ",
    "The sign of `",
    "You used 1 − `",
    "Besides, your result is ",
    "Besides, you return ",
)


def _kind(
    verdict: Verdict, mistake: Mistake, fault: str, exercise: Exercise, ask: Callable[[Call, tuple], Result]
) -> str:
    change, words = FAULTS[fault]
    of_mistake = mistake.says in verdict.finding
    of_fault = any(word in verdict.finding for word in words)
    if of_mistake and of_fault:
        return "both"
    if of_mistake or of_fault:
        return "mistake" if of_mistake else "fault"
    if not verdict.mistake or verdict.finding.startswith(SHOWN):
        return "unnamed"
    still = re.match(r"The argument `(\w+)` has no effect|What the constructor is given", verdict.finding)
    if still and _unmoved(exercise, mistake, still[1], verdict.seed):
        return "mistake"
    other = next((m for m in exercise.mistakes if verdict.mistake == m.says), None)
    if not other:
        alone = _generic(exercise, mistake.function, _nothing, verdict)
        if alone or _generic(exercise, exercise.reference, change, verdict):
            return "mistake" if alone else "fault"
    if (
        verdict.finding.startswith(RELATION[:4])
        or other
        and any(each in verdict.finding for each in RELATION[4:])
    ):
        return "same"
    if other and _gives_the_same(exercise, other, ask, verdict.seed, most=2):
        return "same"
    alone = _asks(exercise, replace(mistake, function=exercise.reference), change)
    return "fault" if other and _gives_the_same(exercise, other, alone, verdict.seed, most=2) else "neither"


def _nothing(result: Result, question: Call) -> Result:
    return result


def _generic(exercise: Exercise, function: object, change: Callable, verdict: Verdict) -> bool:
    """Is what was told also told of the mistake alone, or of the fault alone, by a judge who knows no mistakes?"""
    stranger = replace(exercise, mistakes=[], _put={})
    ask = _asks(exercise, Mistake("", function), change)
    alone = judge(stranger, ask, seed=verdict.seed)
    if not alone.mistake:
        return False
    # of an epsilon the claim is its size; which sample shows it is another matter
    told, heard = (says.partition(" caps the loss")[0] for says in (str(verdict.mistake), alone.mistake))
    return told == heard


def _unmoved(exercise: Exercise, mistake: Mistake, name: str | None, seed: int) -> bool:
    """Does a mistake give the same values whatever one argument is? Without a name: whatever its constructor
    is given."""
    for number, case in enumerate(exercise.cases):
        for question in case.calls(seed * 1000 + number):
            if name is None:
                other = replace(question, init={})
            elif isinstance(question.kwargs.get(name), float | int):
                other = replace(question, kwargs=question.kwargs | {name: question.kwargs[name] * 0.9})
            elif name in question.kwargs:
                other = replace(question, kwargs={k: v for k, v in question.kwargs.items() if k != name})
            else:
                other = _with_another(question, exercise.parameters.index(name))
            plain, changed = (
                value_only(exercise.run(mistake.function, q, case.gradient)) for q in (question, other)
            )
            if not alike(plain, changed, case):
                return False
    return True


def _with_another(question: Call, i: int) -> Call:
    """The question with another tensor in place i: its entries in the opposite order and a little smaller, as
    far as that is allowed."""
    if i >= len(question.args) or not isinstance(question.args[i], torch.Tensor):
        return question
    value = question.args[i]
    other = value.flip(0) if value.ndim else value
    if value.is_floating_point():
        other = other * 0.9
    return replace(question, args=(*question.args[:i], other, *question.args[i + 1 :]))


def _gives_the_same(exercise: Exercise, mistake: Mistake, ask: Callable, seed: int, most: int = 999) -> bool:
    """Does a known mistake answer every question (of the first `most` cases) as it is answered here?"""
    for number, case in enumerate(exercise.cases[:most]):
        for question in case.calls(seed * 1000 + number):
            made = exercise.run(mistake.function, question, case.gradient)
            if not alike(value_only(made), value_only(ask(question, case.gradient)), case):
                return False
    return True


def tried(name: str, seed: int = 0) -> Iterator[Told]:
    """Each fault on each known mistake of an exercise, where the fault makes a difference."""
    exercise = exercises()[name]
    for mistake in exercise.mistakes:
        for fault, (change, _) in FAULTS.items():
            if not _matters(exercise, mistake, change, seed):
                continue
            ask = _asks(exercise, mistake, change)
            verdict = judge(exercise, ask, seed=seed)
            if not verdict.passed:  # two faults may undo each other
                yield Told(
                    name, fault, mistake.says, _kind(verdict, mistake, fault, exercise, ask), verdict.finding
                )


def _matters(exercise: Exercise, mistake: Mistake, change: Callable, seed: int) -> bool:
    """Does the fault change anything of what the judge compares?"""
    for number, case in enumerate(exercise.cases):
        for question in case.calls(seed * 1000 + number):
            plain = exercise.run(mistake.function, question, case.gradient)
            if plain.failed:
                continue
            other = change(plain, question)
            if other.changed != plain.changed or _differ(plain, other):
                return True
    return False


def _differ(a: Result, b: Result) -> bool:
    for x, y in zip(as_parts(a.value), as_parts(b.value)):
        if isinstance(x, torch.Tensor) and (
            x.dtype != y.dtype or not torch.equal(x.nan_to_num(), y.nan_to_num())
        ):
            return True
        if isinstance(x, torch.Tensor) and not torch.equal(x.isnan(), y.isnan()):
            return True
        if isinstance(x, float) and x != y:
            return True
    return any(g is not None and b.gradients[n] is None and g.any() for n, g in a.gradients.items())


def _all(name: str) -> list[Told]:
    torch.set_num_threads(1)
    return list(tried(name))


def main(lesson: str = "") -> None:
    """Print the table: fault by what is told, and every claim that is about neither."""
    names = [
        name for name, exercise in exercises().items() if not lesson or exercise.lesson in lesson.split(",")
    ]
    with ProcessPoolExecutor(2) as pool:
        told = [each for group in pool.map(_all, names) for each in group]
    kinds = KINDS
    print(f"{'fault':16}" + "".join(f"{kind:>9}" for kind in kinds) + f"{'told':>8}")
    for fault in (*FAULTS, "all"):
        count = Counter(each.kind for each in told if fault in (each.fault, "all"))
        total = sum(count.values()) or 1
        named = 100 * sum(count[kind] for kind in kinds[:4]) / total
        print(f"{fault:16}" + "".join(f"{count[kind]:9}" for kind in kinds) + f"{named:7.1f}%")
    for each in told:
        if each.kind == "neither":
            print(f"\n{each.exercise}, {each.fault} on: {each.mistake}\n    told: {each.finding}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
