"""The hunt: a loss that somebody wrote, with one of the known mistakes in it. Find the smallest input that
shows it, then name it.

Three points a mystery: it was exposed; by an input no larger than the judge's own; and named at the first try.
"""

import random
from functools import partial
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Asked, Difference, compare
from grader.judging.diagnose import known
from grader.judging.diagnose.evidence import Evidence
from grader.judging.panel import note
from grader.judging.smallest import smallest
from grader.judging.verdict import show as as_text
from grader.judging.verdict import show_call
from grader.learner import progress as book
from grader.learner.kernel import show
from grader.learner.notebook import Unknown, not_its_inputs, of_name, one_line, own_question

if TYPE_CHECKING:
    from grader.judging.exercise import Exercise
    from grader.judging.question import Call


CHOICES = 4
SEEN = (Difference.VALUE, Difference.SHAPE)  # the differences that a plain call shows
POINTS = 3
NOT_SEEN = {"size": None, "tries": 0, "missed": 0}  # of a mystery that has just been given out
TOLD_AFTER = 3  # inputs that showed nothing: then it is said in which case the judge finds a difference
SHOWN_AFTER = 6  # and then the judge's input is shown

_latest: dict = {}  # exercise -> the question by which its mystery was exposed last


def mystery(name: str = ""):
    """A function with one unnamed mistake in it, to be called like the exercise's; for an exercise that passes.

    The same until it is named; then another one.

    Raises Unknown where the exercise does not pass yet.
    """
    exercise = of_name(name)
    name = exercise.name
    if name not in book.passed():
        raise one_line(Unknown(f"The mystery of {name} opens when your {name} passes its check."))
    state = _state(name)
    if state["at"] is None:
        waiting = _waiting(exercise, state["named"])
        if waiting is None:
            show(*note(f"You have named every mistake of `{name}` that an input can show."))
            return None
        state |= NOT_SEEN | {"at": waiting}
        book.keep_hunt(name, state)
    show(
        *note(
            f"Somebody wrote this `{name}`, and made one mistake. Call it as you call yours. "
            f'`expose("{name}", …)` says whether it differs from the definition on your inputs: the fewer '
            "numbers go in, the better. "
            f'`accuse("{name}")` shows four mistakes to choose from.'
        )
    )
    return _Mystery(exercise, state["at"])


def expose(name: str = "", *args, **kwargs):
    """Does the mystery differ from the definition on these inputs, and by how much?"""
    exercise = of_name(name)
    name, state = exercise.name, _open(exercise)
    question = own_question(exercise, args, kwargs)
    expected = exercise.run(exercise.reference, question)
    if expected.raised:
        show(*note(not_its_inputs(exercise, expected.raised)))
        return
    got = exercise.run(exercise.mistakes[state["at"]].function, question)
    if not compare(exercise, exercise.cases[0], expected, got):
        state = state | {"missed": state["missed"] + 1}
        book.keep_hunt(name, state)
        show(*note(f"No difference: both give {_in_words(got)}.{_nudge(exercise, state)}"))
        return
    _latest[name] = question
    size = entries(question)
    best = size
    if state["size"] is not None:
        best = min(size, state["size"])
    book.keep_hunt(name, state | {"size": best})
    least = judges_size(exercise, state["at"])
    if best <= least:
        comment = "No smaller input is known to the judge."
    else:
        comment = f"The judge needs {least}: can you do with fewer?"
    show(
        *note(
            f"They differ. The definition gives {_in_words(expected)}, the mystery {_in_words(got)}.\n"
            f'{_numbers(size)} went in. {comment} `accuse("{name}")` when you know what it is.'
        )
    )


def accuse(name: str = "", choice: int | None = None):
    """Without a choice: four mistakes, one of which it is. With one, 1 to 4: is it that? Raises Unknown where
    no input that shows the mistake was found yet."""
    exercise = of_name(name)
    name, state = exercise.name, _open(exercise)
    if state["size"] is None:
        raise one_line(Unknown(f'First find an input that shows it: expose("{name}", …)'))
    offered = _offered(exercise, state["at"])
    if choice is None or choice not in range(1, len(offered) + 1):
        listed = "\n".join(f"{i}. “{exercise.mistakes[m].says}”" for i, m in enumerate(offered, 1))
        show(
            *note(
                f'One of these is what its author would be told. Which? `accuse("{name}", 1)` names '
                f"the first.\n{listed}"
            )
        )
        return
    state = state | {"tries": state["tries"] + 1}
    accused = offered[choice - 1]
    if accused != state["at"]:
        book.keep_hunt(name, state)
        show(*note(_alibi(exercise, state["at"], accused)))
        return
    small = state["size"] <= judges_size(exercise, state["at"]) and state["missed"] < SHOWN_AFTER
    points = 1 + small + (state["tries"] == 1)
    named = [*state["named"], accused]
    book.keep_hunt(name, state | {"at": None, "named": named, "points": state["points"] + points})
    left = _waiting(exercise, named) is not None
    why = "exposed, " + ("by the smallest input, " if small else "") + f"named at try {state['tries']}"
    what_is_left = f"That was the last one of `{name}`."
    if left:
        what_is_left = f'Other mistakes wait: `mystery("{name}")`.'
    # the sentence speaks to the author of the mystery, who is somebody else
    says = f"Yes. Its author would be told: “{exercise.mistakes[accused].says}”"
    show(*note(f"{says}\n{points} of {POINTS} points ({why}). {what_is_left}"))


def _nudge(exercise, state):
    """What helps after some inputs that showed nothing: first where to look, in the end the judge's own input."""
    shown = _shown(exercise, state["at"])
    if state["missed"] < TOLD_AFTER or shown is None:
        return ""
    if state["missed"] < SHOWN_AFTER:
        return (
            f"\nThat makes {state['missed']} inputs without one. The judge finds a difference in the case "
            f"“{shown.case.name}”."
        )
    call = show_call(exercise, shown.question)
    return f"\nThe judge's own input, which costs the point for the smallest:\n{call}"


def entries(question: "Call") -> int:
    """How many numbers a question holds: the entries of its tensors, one for every other number."""
    total = 0
    for value in (*question.args, *question.kwargs.values()):
        if isinstance(value, torch.Tensor):
            total += value.numel()
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            total += 1
    return total


def judges_size(exercise: "Exercise", index: int) -> int:
    """The entries of the smallest input that the judge finds to separate a known mistake from the definition."""
    return entries(_shown(exercise, index).question)


class _Mystery:
    """Calls the mistake as the exercise is called; of itself it says nothing."""

    def __init__(self, exercise, index):
        self._exercise, self._index = exercise, index

    def __call__(self, *args, **kwargs):
        """The result for these inputs. For a class, keyword arguments go to its constructor."""
        function = self._exercise.mistakes[self._index].function
        if isinstance(function, type) and issubclass(function, torch.autograd.Function):
            return function.apply(*args)
        if isinstance(function, type):
            return function(**kwargs)(*args)
        return function(*args, **kwargs)

    def apply(self, *args):
        """The same, as one calls an autograd function."""
        return self(*args)

    def __repr__(self):
        return f"a mystery of {self._exercise.name}"


def _state(name):
    return {"at": None, "named": [], "points": 0} | NOT_SEEN | book.hunted().get(name, {})


def _open(exercise):
    """The state of a mystery that has been given out and is not named yet."""
    state = _state(exercise.name)
    if state["at"] is None or state["at"] >= len(exercise.mistakes):
        raise one_line(
            Unknown(f'There is no open mystery of {exercise.name}: mystery("{exercise.name}") gives one.')
        )
    return state


def _waiting(exercise, named):
    """The place of a mistake that is not named yet, by chance; None where none is left that a plain call can show."""
    places = [i for i in range(len(exercise.mistakes)) if i not in named]
    random.shuffle(places)
    return next((i for i in places if _shown(exercise, i) is not None), None)


_found: dict = {}  # (exercise, place of a mistake) -> the smallest Asked that shows it, or None


def _shown(exercise, index):
    key = exercise.name, index
    if key not in _found:
        _found[key] = _search(exercise, exercise.mistakes[index])
    return _found[key]


def _search(exercise, mistake):
    """The smallest question on which the mistake differs from the definition in a way that a plain call
    shows, or None."""
    ask = partial(exercise.run, mistake.function)
    asked = []
    for number, case in enumerate(exercise.cases):
        for question in case.calls(number):
            expected = exercise.run(exercise.reference, question)
            got = ask(question)
            asked.append(Asked(case, question, expected, got, compare(exercise, case, expected, got)))
    if known.whole(Evidence(exercise, ask, asked)) is not mistake:
        return None
    separating = [smallest(exercise, ask, a) for a in asked if a.difference in SEEN]
    return min(separating, key=lambda a: entries(a.question), default=None)


def _offered(exercise, index):
    """The places of four mistakes, the right one among them, in an order that stays."""
    dice = random.Random(f"{exercise.name} {index}")
    others = [i for i in range(len(exercise.mistakes)) if i != index]
    offered = [index, *dice.sample(others, min(CHOICES - 1, len(others)))]
    dice.shuffle(offered)
    return offered


def _alibi(exercise, index, accused):
    """Why it was not that one, by the input that exposed the mystery."""
    says = (
        f"No: “{exercise.mistakes[accused].says.split('. ')[0].rstrip('.')}” is told to the author of "
        "another mistake."
    )
    question = _latest.get(exercise.name)
    if question is None:
        return says
    have, other = (exercise.run(exercise.mistakes[i].function, question) for i in (index, accused))
    if not compare(exercise, exercise.cases[0], have, other):
        return f"{says} On your input both give {_in_words(have)}, so it cannot tell the two apart: look for another."
    return f"{says} On your input that one gives {_in_words(other)}, and the mystery gives {_in_words(have)}."


def _in_words(result):
    if result.raised:
        return f"{result.raised.type}: {result.raised.text.splitlines()[0] if result.raised.text else ''}".rstrip(
            ": "
        )
    return f"`{as_text(result.value)}`"


def _numbers(size):
    if size == 1:
        return "1 number"
    return f"{size} numbers"
