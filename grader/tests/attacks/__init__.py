"""Attacks and damages as data: what is submitted, and what must come out. `test_attacks.py` grades each of them for real."""

from dataclasses import dataclass, field

LESSON = "02_bce"
WRONG = {  # answers that get nothing, whatever is asked
    "bce": 'def bce(p, y, reduction="mean"):\n    return torch.zeros(3)[0]',
    "bce_grad": "def bce_grad(p, y):\n    return p * 0 + 7",
}
RIGHT = """def bce(p, y, reduction="mean"):
    losses = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    return losses if reduction == "none" else getattr(losses, reduction)()"""
ALL = ("bernoulli_likelihood", "bce_per_sample", "bce", "bce_grad", "bce_clamped")


@dataclass(frozen=True)
class Attack:
    """A submission: the course's own answers, but for what stands here, and what must come of it.

    answers: exercise -> source of its cell; cell: one of the learner's own, which runs first; change: done to the notebook as it lies in its
    file (a dict); submit: puts something into the submission's folder instead, or beside it; lost: exercises without a point; part: exercises
    with some of their points; all others have all of theirs. notes, says: words of the record and of the verdicts. shows: words of the graded
    notebook; hides: what must be in none of it. waits: it only ends by a deadline, and gets short ones. No submission's record or notebook may hold `OVER`, what succeeds prints.
    """

    name: str
    answers: dict = field(default_factory=dict)
    cell: str = ""
    change: object = None
    submit: object = None
    lost: tuple = ()
    part: tuple = ()
    notes: tuple = ()
    says: tuple = ()
    shows: tuple = ()
    hides: tuple = ()
    waits: bool = False
    lesson: str = LESSON


def attacks():
    """Every attack, by its kind."""
    from grader.tests.attacks import breaking, damaging, forging, spending, stealing

    return {
        module.__name__.rpartition(".")[2]: module.ATTACKS
        for module in (forging, stealing, breaking, damaging, spending)
    }
