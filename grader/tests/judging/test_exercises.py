"""The judge against the exercises: every reference and other right answer passes, every mistake fails and is named.

`pytest -s -k table` prints the table.
"""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from grader.course.lessons import exercises, exercises_of, lessons
from grader.judging.judge import judge
from grader.tests.answers import answers

EXERCISES = exercises()
MISTAKES = [(n, m) for n, e in EXERCISES.items() for m in e.mistakes]
ANSWERS = answers()
SEEDS = (0, 1, 2)


def verdict(name, function, seed=0, trace=True):
    """The verdict on a function. Mistakes and references may be built from PyTorch's own function: without the trace."""
    exercise = EXERCISES[name]

    def ask(question, gradient):
        result = exercise.run(function, question, gradient)
        return result if trace else replace(result, called=frozenset())

    return judge(exercise, ask, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_passes(name, seed):
    found = verdict(name, EXERCISES[name].reference, seed, trace=False)
    assert found.passed and found.points == EXERCISES[name].points, found.message


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n}: {m.says[:50]}" for n, m in MISTAKES])
def test_a_known_mistake_fails_and_is_named(name, mistake, seed):
    found = verdict(name, mistake.function, seed, trace=False)
    assert not found.passed
    assert found.mistake == mistake.says, found.message
    assert found.points < EXERCISES[name].points


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("answer", ANSWERS, ids=[f"{a.exercise}: {a.style}" for a in ANSWERS])
def test_an_answer_is_judged_by_what_it_does(answer, seed):
    found = verdict(answer.exercise, answer.function, seed)
    assert found.passed == answer.right, found.message
    assert answer.says in found.message, found.message


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_complete(name):
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 4
    assert len({m.says for m in exercise.mistakes}) == len(exercise.mistakes)
    assert len([a for a in ANSWERS if a.exercise == name and a.right]) >= 2
    assert len(exercise.cases) >= 3 and len({c.name for c in exercise.cases}) == len(exercise.cases)
    assert len(exercise.hints) >= 2 and exercise.built
    assert sum(exercise.shares()) == pytest.approx(exercise.points)
    floats = {c.dtype for c in exercise.cases}
    if floats & {torch.bfloat16, torch.float16}:  # an exercise about low precision
        assert floats == {torch.bfloat16, torch.float16}
    else:
        assert floats == {torch.float64, torch.float32}, "every exercise is tried in both dtypes"
    assert any(not c.example for c in exercise.cases)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_case_asks_the_same_for_the_same_seed_and_something_else_for_another(name):
    def flat(seed):
        return [
            torch.as_tensor(t).double().flatten()
            for c in EXERCISES[name].cases
            for q in c.calls(seed)
            for t in [*q.tensors, *(a for a in q.args if isinstance(a, float))]
        ]

    first, again, other = (torch.cat(flat(s)) for s in (5, 5, 6))
    assert torch.equal(torch.nan_to_num(first), torch.nan_to_num(again))
    assert first.shape != other.shape or not torch.equal(torch.nan_to_num(first), torch.nan_to_num(other))


def test_table():
    """Exercise, right answers accepted, mistakes rejected, mistakes named: no row short."""
    print(f"\n{'exercise':32} {'right':>7} {'rejected':>10} {'named':>9}")
    total = Counter()
    for lesson in lessons():
        for name, exercise in exercises_of(lesson).items():
            right = [verdict(name, exercise.reference, trace=False).passed]
            right += [verdict(name, a.function).passed for a in ANSWERS if a.exercise == name and a.right]
            wrong = [(m, verdict(name, m.function, trace=False)) for m in exercise.mistakes]
            rejected, named = sum(not v.passed for _, v in wrong), sum(v.mistake == m.says for m, v in wrong)
            print(
                f"{name:32} {sum(right):3}/{len(right):<3} {rejected:5}/{len(wrong):<4} {named:4}/{len(wrong):<4}"
            )
            assert all(right) and rejected == named == len(wrong)
            total.update(exercises=1, right=len(right), mistakes=len(wrong))
    print(", ".join(f"{n} {what}" for what, n in total.items()))
    assert total["exercises"] == len(EXERCISES)
