"""What a suspicion may look at: the questions, the answers, and ways to put more questions. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property

import torch

from grader.judging.compare import Asked, Difference, as_parts, compare
from grader.judging.exercise import Exercise, Mistake
from grader.judging.question import Call, Result

FORM = (  # what may differ where the value is right
    Difference.DTYPE,
    Difference.CHANGED,
    Difference.CUT,
    Difference.GRADIENT,
    Difference.LARGE,
    Difference.MET,
)


class Layer(IntEnum):
    """Where an answer is wrong. What explains the first layer that fails is told first."""

    ORDINARY = 0  # the lesson's example, and inputs of its number of dimensions
    SHAPES = 1  # inputs of other dimensions
    FORM = 2  # the value is right: a dtype, a changed input, a gradient
    EXTREMES = 3


@dataclass(frozen=True)
class Evidence:
    """An exercise, what was asked and answered, and `ask(question, gradient) -> Result` to ask more."""

    exercise: Exercise
    ask: Callable[[Call, tuple], Result]
    asked: list[Asked]
    aside: tuple[Asked, ...] = ()  # right by value, and wrong in another layer than what is looked at
    _made: dict = field(default_factory=dict)  # (mistake, question) -> Result: a training takes its time

    @cached_property
    def wrong(self) -> list[Asked]:
        """What was answered wrongly, in the order in which it was asked."""
        return [a for a in self.asked if a.difference]

    @cached_property
    def right(self) -> list[Asked]:
        """What was answered rightly."""
        return [a for a in self.asked if not a.difference]

    @cached_property
    def usual(self) -> list:
        """The number of dimensions of each argument of the lesson's example or, without one, of the first question."""
        first = next((a for a in self.asked if a.case.example), self.asked[0])
        return _dimensions(first.question)

    def layer(self, a: Asked) -> Layer:
        """The layer that something answered wrongly belongs to."""
        if a.case.extreme:
            return Layer.EXTREMES
        if a.difference in FORM:
            return Layer.FORM
        shared = zip(_dimensions(a.question), self.usual)
        if all(one == other for one, other in shared):
            return Layer.ORDINARY
        return Layer.SHAPES

    def within(self, *layers: Layer) -> "Evidence":
        """The same with only those wrong answers that lie in these layers; all right ones stay."""
        asked = [a for a in self.asked if not a.difference or self.layer(a) in layers]
        aside = tuple(a for a in self.asked if a.difference in FORM and self.layer(a) not in layers)
        return Evidence(self.exercise, self.ask, asked, aside, self._made)

    def against(self, mistake: Mistake) -> "Evidence":
        """The same answers beside a known mistake's, as if that were the definition."""
        asked = []
        for a in self.asked:
            made = self.made(mistake, a)
            if made.failed:
                difference = None
            else:
                difference = compare(self.exercise, a.case, made, a.got)
            asked.append(Asked(a.case, a.question, made, a.got, difference))
        return Evidence(replace(self.exercise, reference=mistake.function), self.ask, asked, _made=self._made)

    def expected(self, question: Call, gradient: tuple = ()) -> Result:
        """What the reference says to a question."""
        return self.exercise.run(self.exercise.reference, question, gradient)

    def made(self, mistake: Mistake, a: Asked) -> Result:
        """What a known mistake says to a question."""
        return self._kept(mistake, a, a.question, a.case.gradient)

    def value_of(self, mistake: Mistake, a: Asked) -> Result:
        """What a known mistake says to a question, without gradients and without a look at what it makes on the way."""
        if not (a.case.gradient or a.question.largest or a.question.apart):
            return self.made(mistake, a)
        return self._kept(mistake, a, replace(a.question, largest=None, apart=""), ())

    def _kept(self, mistake, a, question, gradient):
        place = id(mistake), id(a.question), question is a.question
        if place not in self._made:
            # The question is kept with it, so that no other can come to have its id.
            self._made[place] = a.question, self.exercise.run(mistake.function, question, gradient)
        return self._made[place][1]


def _dimensions(question):
    return [v.ndim if isinstance(v, torch.Tensor) else None for v in question.args]


def telling(results: list[Result], least: int = 3) -> bool:
    """Are there enough different numbers in these results that agreeing with all of them is no coincidence?

    least: how many of them. Whole numbers do not count (0 and 1 come out of anything), nor does what is not finite.
    """
    seen = set()
    for result in results:
        for part in as_parts(result.value):
            if isinstance(part, (int, float)) and not isinstance(part, bool):
                part = torch.tensor(float(part), dtype=torch.float64)
            if isinstance(part, torch.Tensor) and not part.is_complex():
                flat = part.double().flatten()
                seen |= set(flat[flat.isfinite() & (flat != flat.round())].tolist())
        if len(seen) >= least:
            return True
    return False


def classes_told(results: list[Result]) -> bool:
    """Are these the numbers of classes, so many of them, and of so many classes, that agreeing with all of them is no coincidence?"""
    values = [part for result in results for part in as_parts(result.value)]
    if not all(isinstance(v, torch.Tensor) and v.dtype is torch.int64 for v in values):
        return False
    flat = [number for v in values for number in v.flatten().tolist()]
    return len(flat) >= 6 and len(set(flat)) >= 3


def ratio(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> float | None:
    """The constant k with got = k · expected on all pairs, other than 1, or None.

    >>> ratio([(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 2.0]))])
    2.0
    """
    if any(((w == 0) & (g != 0)).any() for g, w in pairs if g.shape == w.shape):
        return None
    ratios = [(g.double() / w.double())[(w != 0) & w.isfinite()].flatten() for g, w in pairs if w.numel()]
    if ratios:
        flat = torch.cat(ratios)
    else:
        flat = torch.empty(0)
    if flat.numel() < 2 or not flat.isfinite().all() or flat[0] == 0:
        return None
    if not torch.allclose(flat, flat[0], rtol=1e-4):
        return None
    if abs(flat[0].item() - 1) < 1e-4 or abs(flat[0].item()) < 1e-9:
        return None
    return flat[0].item()


def times(k: float) -> str:
    """A factor in words.

    >>> times(2.0)
    '2 times'
    """
    return f"{k:.4g} times"


def samples(question: Call) -> int:
    """N: the first dimension of the first tensor that has one; 1 where there is none."""
    return next((v.shape[0] for v in question.tensors if v.ndim), 1)


def entries(question: Call) -> int:
    """The number of entries of the first tensor that is no scalar; 1 where there is none."""
    return next((v.numel() for v in question.tensors if v.ndim), 1)


def classes(question: Call) -> int:
    """C: the second dimension of the first tensor that has one; 1 where there is none."""
    return next((v.shape[1] for v in question.tensors if v.ndim > 1), 1)


def value_only(result: Result) -> Result:
    """The Result with its value alone: no gradients, changed inputs or large tensors."""
    return replace(result, gradients={}, changed=(), made=None, met=None)
