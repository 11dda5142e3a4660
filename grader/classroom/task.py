"""One submission on its way to a worker, and on its way back."""

from dataclasses import dataclass, field
from datetime import datetime

from grader.classroom.examiner import SECONDS

OTHER_COURSE = (
    "it has another version of the course, or of torch: a file was changed meanwhile, or something else "
    "is installed there. Make them the same, and start again."
)


class GradingError(RuntimeError):
    """The class cannot be graded; says why, and what to do."""


@dataclass(frozen=True)
class Task:
    """One submission on its way to a worker. `definitions`: of the exercises as the coordinator has them; a
    worker must have the same.

    seconds: that it may take, at the most; first: is it tried for the first time, so that others may go before it?
    """

    lesson: str
    student: str
    data: bytes | None
    notes: tuple
    seed: int | None = None
    definitions: dict[str, str] | None = None
    seconds: float = SECONDS
    first: bool = False


@dataclass(frozen=True)
class Graded:
    """One submission on its way back. `error`: what kept it from being graded, for the teacher; `later`: it
    takes long, and comes again."""

    lesson: str
    student: str
    text: str = ""
    record: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    unanswered: frozenset = frozenset()
    timestamp: datetime | None = None
    error: str = ""
    why: str = ""
    later: bool = False
