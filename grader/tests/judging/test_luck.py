"""No verdict depends on luck, and nothing is earned by an answer that does not look at its inputs."""

import math
import random
from dataclasses import replace

import pytest
import torch

from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.tests.luck import known

EXERCISES = exercises()
KNOWN = [answer for name in EXERCISES for answer in known(name)]
SAMPLE = random.Random(7).sample(KNOWN, 150)  # all of them at 400 seeds: `make judge`
CONSTANTS = (0.0, 1.0, 100.0, -100.0, math.nan, math.inf)


@pytest.mark.parametrize("answer", SAMPLE, ids=[f"{a.exercise}: {a.says[:40]}" for a in SAMPLE])
def test_an_answer_is_judged_the_same_at_any_seed(answer):
    seeds = random.Random(answer.says).sample(range(3, 100_000), 3)
    assert [answer.passes(seed) for seed in seeds] == [answer.right] * len(seeds)


def constant(value, number):
    """A value of the same kind and shape with this number in every place."""
    if isinstance(value, tuple):
        return tuple(constant(part, number) for part in value)
    if isinstance(value, torch.Tensor):
        return (
            torch.full_like(value, number)
            if value.is_floating_point() or math.isfinite(number)
            else value * 0
        )
    return number if isinstance(value, float) else value


@pytest.mark.parametrize("name", EXERCISES)
def test_a_constant_earns_nothing(name):
    exercise = EXERCISES[name]
    for number in CONSTANTS:

        def ask(question, gradient):
            right = exercise.run(exercise.reference, question)
            return replace(right, value=constant(right.value, number), gradients=dict.fromkeys(gradient))

        judged = judge(exercise, ask, seed=random.Random(f"{name} {number}").randrange(1000))
        assert judged.points == 0, f"{number} everywhere: {[c.name for c in judged.cases if c.passed]}"
