"""What a suspicion may look at: the questions, the answers, and ways to put more questions. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from grader.judging.compare import Asked
from grader.judging.exercise import Exercise
from grader.judging.question import Call, Result


@dataclass(frozen=True)
class Evidence:
    """An exercise, what was asked and answered, and `ask(question, gradient) -> Result` to ask more."""

    exercise: Exercise
    ask: Callable[[Call, tuple], Result]
    asked: list[Asked]

    @cached_property
    def wrong(self) -> list[Asked]:
        """What was answered wrongly, in the order in which it was asked."""
        return [a for a in self.asked if a.difference]

    @cached_property
    def right(self) -> list[Asked]:
        """What was answered rightly."""
        return [a for a in self.asked if not a.difference]

    def expected(self, question: Call, gradient: tuple = ()) -> Result:
        """What the reference says to a question."""
        return self.exercise.run(self.exercise.reference, question, gradient)


def ratio(pairs):
    """The constant k with got = k · expected on all pairs, other than 1, or None."""
    if any(((w == 0) & (g != 0)).any() for g, w in pairs if g.shape == w.shape):
        return None
    ratios = [(g.double() / w.double())[(w != 0) & w.isfinite()].flatten() for g, w in pairs if w.numel()]
    flat = torch.cat(ratios) if ratios else torch.empty(0)
    if (
        flat.numel() < 2
        or not flat.isfinite().all()
        or flat[0] == 0
        or not torch.allclose(flat, flat[0], rtol=1e-4)
    ):
        return None
    return None if abs(flat[0].item() - 1) < 1e-4 or abs(flat[0].item()) < 1e-9 else flat[0].item()


def times(k):
    return f"{k:.4g} times"


def samples(question):
    return next((v.shape[0] for v in question.tensors if v.ndim), 1)


def entries(question):
    return next((v.numel() for v in question.tensors if v.ndim), 1)


def classes(question):
    return next((v.shape[1] for v in question.tensors if v.ndim > 1), 1)


def mapped(question, f):
    return question.map(f)


def value_only(result):
    return replace(result, gradients={}, changed=(), made=None, met=None)
