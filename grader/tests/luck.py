"""No verdict may depend on luck: every right answer known passes at every seed, every wrong one fails at each.

    python -m grader.tests.luck [SEEDS] [LESSON]        400 seeds and all lessons where nothing is said; `make judge`

A test samples a few seeds; this is the whole of it, and takes its time.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import torch

from grader.course.lessons import exercises
from grader.judging.judge import passes
from grader.judging.question import Call, Result
from grader.tests.answers import answers


@dataclass(frozen=True)
class Known:
    """An answer of which it is known whether it is right. `watched`: is it a matter what it calls?"""

    exercise: str
    says: str
    function: object
    right: bool
    watched: bool = True

    def passes(self, seed: int) -> bool:
        exercise = exercises()[self.exercise]

        def ask(question: Call, gradient: tuple) -> Result:
            result = exercise.run(self.function, question, gradient)
            return result if self.watched else replace(result, called=frozenset())

        return passes(exercise, ask, seed=seed)


def known(name: str) -> list[Known]:
    """The reference of an exercise, its mistakes, and all other answers to it."""
    exercise = exercises()[name]
    reference = Known(name, "the reference", exercise.reference, right=True, watched=False)
    mistakes = [Known(name, m.says, m.function, right=False, watched=False) for m in exercise.mistakes]
    others = [Known(name, a.style, a.function, a.right) for a in answers() if a.exercise == name]
    return [reference, *mistakes, *others]


def unlucky(name: str, seeds: range) -> tuple[int, list[tuple[str, bool, list[int]]]]:
    """How many answers to an exercise were tried, and of those that were judged wrongly: what they are, are
    they right, the seeds."""
    torch.set_num_threads(1)
    tried = known(name)
    wrongly: list[list[int]] = [[] for _ in tried]
    for seed in seeds:  # all answers at one seed, so that the reference is asked once
        for answer, unlucky_seeds in zip(tried, wrongly):
            if answer.passes(seed) != answer.right:
                unlucky_seeds.append(seed)
    bad = [(answer.says, answer.right, found) for answer, found in zip(tried, wrongly) if found]
    return len(tried), bad


def main(seeds: int = 400, lesson: str = "") -> int:
    """Print a line for each exercise, and what depended on luck; the number of those answers."""
    names = [
        name for name, exercise in exercises().items() if not lesson or exercise.lesson in lesson.split(",")
    ]
    count = 0
    with ProcessPoolExecutor(2) as pool:
        for name, (tried, bad) in zip(names, pool.map(unlucky, names, [range(seeds)] * len(names))):
            print(f"{name:32} {tried:3} answers, {seeds} seeds: {len(bad)} depend on luck", flush=True)
            for says, right, wrongly in bad:
                verdict = "right, and fails" if right else "wrong, and passes"
                print(f"    {verdict} at {len(wrongly)} seeds, such as {wrongly[:5]}: {says}", flush=True)
            count += len(bad)
    print(f"{count} answers depend on luck")
    return count


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:2]), *sys.argv[2:3])))
