"""The judge against the exercises: every reference and other right answer passes, every mistake fails and is named.

Each at two seeds, one of them its own; `make judge` takes 400.
`pytest -s grader/tests/judging/test_exercises.py` prints a table.
"""

import zlib
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
import torch

from grader.course.lessons import exercises
from grader.judging.judge import judge
from grader.tests.answers import answers

EXERCISES = exercises()
MISTAKES = [(n, m) for n, e in EXERCISES.items() for m in e.mistakes]
ANSWERS = answers()


TALLY = defaultdict(Counter)  # exercise -> how many right answers were accepted, mistakes named


def seeds(words):
    """Two seeds to judge at: the first, and another for each test, the same at every run."""
    return 0, 1 + zlib.crc32(words.encode()) % 100_000


def verdict(name, function, seed=0, trace=True):
    """The verdict on a function. Mistakes and references may be built from PyTorch's own function: without
    the trace."""
    exercise = EXERCISES[name]

    def ask(question, gradient):
        result = exercise.run(function, question, gradient)
        return result if trace else replace(result, called=frozenset())

    return judge(exercise, ask, seed=seed)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_passes(name):
    for seed in seeds(name):
        judged = verdict(name, EXERCISES[name].reference, seed, trace=False)
        assert judged.passed and judged.points == EXERCISES[name].points, judged.message
    TALLY[name]["right"] += 1


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n}: {m.says[:50]}" for n, m in MISTAKES])
def test_a_known_mistake_fails_and_is_named(name, mistake):
    for seed in seeds(mistake.says):
        judged = verdict(name, mistake.function, seed, trace=False)
        assert not judged.passed, seed
        assert judged.mistake == mistake.says, (seed, judged.message)
        assert judged.points < EXERCISES[name].points
    TALLY[name]["named"] += 1


@pytest.mark.parametrize("answer", ANSWERS, ids=[f"{a.exercise}: {a.style}" for a in ANSWERS])
def test_an_answer_is_judged_by_what_it_does(answer):
    first, other = (verdict(answer.exercise, answer.function, seed) for seed in seeds(answer.style))
    assert first.passed == answer.right, first.message
    assert answer.says in first.message, f"{answer.says!r} is not in what the judge says: {first.message}"
    assert other.passed == answer.right, (other.seed, other.message)
    TALLY[answer.exercise]["right"] += answer.right


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_complete(name):
    """All that an exercise lacks is said at once."""
    exercise = EXERCISES[name]
    styles = [a for a in ANSWERS if a.exercise == name and a.right]
    floats = {c.dtype for c in exercise.cases}
    both = {torch.float64, torch.float32}
    if floats & {torch.bfloat16, torch.float16}:  # an exercise about low precision
        both = {torch.bfloat16, torch.float16}
    rules = {
        "4 mistakes or more": len(exercise.mistakes) >= 4,
        "another sentence for each mistake": len({m.says for m in exercise.mistakes})
        == len(exercise.mistakes),
        f"2 right answers in other styles, in grader/tests/answers/{exercise.lesson}.py": len(styles) >= 2,
        "3 cases or more": len(exercise.cases) >= 3,
        "another name for each case": len({c.name for c in exercise.cases}) == len(exercise.cases),
        "a drawn case beside the lesson's example": any(not c.example for c in exercise.cases),
        f"cases of both dtypes, {' and '.join(sorted(map(str, both)))}": floats == both,
        "2 hints or more": len(exercise.hints) >= 2,
        "`built`, a sentence for the passing panel": bool(exercise.built),
        "points that add up": sum(exercise.shares()) == pytest.approx(exercise.points),
    }
    lacking = [rule for rule, kept in rules.items() if not kept]
    assert not lacking, f"{name} lacks: " + "; ".join(lacking)


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
    differs = first.shape != other.shape or not torch.equal(torch.nan_to_num(first), torch.nan_to_num(other))
    assert differs, f"{name} asks the same at every seed: draw a case's inputs from `rng`"


def test_table():
    """What was judged before, in this process: exercise, right answers accepted, mistakes rejected and named."""
    print(f"\n{'exercise':32} {'right answers accepted':>24} {'mistakes named':>16}")
    for name, counts in TALLY.items():
        print(f"{name:32} {counts['right']:24} {counts['named']:16}")
    total = sum(TALLY.values(), Counter())
    print(f"{len(TALLY)} exercises, {total['right']} right answers, {total['named']} mistakes")
