"""Guesses, kept: what a learner expects before a cell runs, and how it went. Optional, and quiet where
nothing was guessed."""

import math
import os
from collections.abc import Iterable

import torch

from grader.judging.panel import note
from grader.judging.verdict import show as as_text
from grader.learner import progress as book
from grader.learner.kernel import show
from grader.sample import sample_class

LEAST = 20  # guesses that make a diagram of one's own


def guess(name: str = "", value: object = ..., sure: object = ...):
    """Keep a guess at what a later cell will show.

    value: a number, a word, True or False, or a shape; dots where nothing is guessed. sure: the probability
    that it will turn out right, from 0 to 1. Once the answer has been seen, the guess stands as it was.
    """
    if value is ... or value is None or os.environ.get("NBGRADER_EXECUTION"):
        return
    value = _plain(value)
    if value is None:
        show(*note("A guess is a number, a word, True or False, or a shape such as `(4, 1)`."))
        return
    if sure is ... or sure is None:
        sure = None
    elif isinstance(sure, bool) or not isinstance(sure, (int, float)) or not 0 <= sure <= 1:
        show(*note(f"`sure` is a probability from 0 to 1, and yours is {sure!r}: 70 per cent is `sure=0.7`."))
        return
    kept = book.guesses().get(name, {})
    if "right" in kept:
        show(
            *note(
                f"Your guess was {_shown(kept['guess'])}: it stands as you made it before you saw the answer."
            )
        )
        return
    book.keep_guess(name, {"guess": value, "sure": sure})
    show(*note(f"Your guess is kept: {_shown(value)}{_how_sure(sure)}. Now run on."))


def guessed(
    name: str,
    truth: object,
    within: float | None = None,
    percent: float | None = None,
    choices: Iterable[str] = (),
):
    """Compare the guess `name`, if one was made, with what came out.

    within: how far a right number may be off; percent: the same, relative to `truth`; choices: the words that
    were offered.
    """
    kept = book.guesses().get(name)
    if not kept or os.environ.get("NBGRADER_EXECUTION"):
        return
    value, truth = kept["guess"], _plain(truth)
    if choices and str(value).strip().lower() not in [str(c).lower() for c in choices]:
        words = ", ".join(f'"{c}"' for c in choices)
        show(
            *note(
                f"Your guess was {_shown(value)}; the choices were {words}. It came out as {_shown(truth)}."
            )
        )
        return
    right = _agree(value, truth, within, percent)
    if kept.get("right") != right:
        book.keep_guess(name, kept | {"right": right})
    room = ""
    if within is not None:
        room = f" (within {as_text(within)} counts)"
    if percent is not None:
        room = f" (within {as_text(percent)} per cent counts)"
    show(
        *note(
            f"Your guess: {_shown(value)}{_how_sure(kept.get('sure'))}. It came out as {_shown(truth)}: "
            f"{'right' if right else 'not this time'}{room}."
        )
    )


def guesses(least: int = LEAST):
    """The learner's guesses so far: (sure, right, whose).

    sure: float64 of shape (N,), the probability that each was given; right: float64 of shape (N,) of 0 and 1;
    whose: "yours", or "a sample class's" where fewer than `least` guesses of the learner's say how sure they
    were. The sample class is invented.
    """
    made = [g for g in book.guesses().values() if g.get("sure") is not None and "right" in g]
    if len(made) < least:
        return (*sample_class(), "a sample class's")
    sure = torch.tensor([float(g["sure"]) for g in made], dtype=torch.float64)
    right = torch.tensor([float(g["right"]) for g in made], dtype=torch.float64)
    return sure, right, "yours"


def _plain(value):
    """A guess or a truth as JSON keeps it: a number, a word, a list of numbers; None for anything else."""
    if isinstance(value, torch.Tensor):
        if value.numel() > 100:
            return None
        value = value.tolist()
    if hasattr(value, "item"):  # numpy's numbers
        value = value.item()
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        # "nan" and "inf": JSON has no such numbers
        if not math.isfinite(value):
            return str(float(value))
        return value
    if isinstance(value, (tuple, list)):
        parts = [_plain(v) for v in value]
        if None not in parts:
            return parts
    return None


def _agree(value, truth, within, percent):
    """Does a guess agree with what came out?"""
    if isinstance(value, list) or isinstance(truth, list):
        if not isinstance(value, list) or not isinstance(truth, list) or len(value) != len(truth):
            return False
        return all(_agree(v, t, within, percent) for v, t in zip(value, truth))
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (value, truth))
    if not numbers:
        return str(value).strip().lower() == str(truth).strip().lower()
    if within is not None:
        room = within
    else:
        room = abs(truth) * (percent or 0) / 100
    return abs(value - truth) <= room + 1e-12


def _shown(value):
    if isinstance(value, list):
        return as_text(tuple(value))
    if isinstance(value, str):
        return value
    return as_text(value)


def _how_sure(sure):
    if sure is None:
        return ""
    return f", {sure:.0%} sure"
