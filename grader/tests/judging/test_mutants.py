"""Course answers changed by machine, a small sample of `make mutants`: none is accepted without a reason."""

import pytest

from grader.tests.mutants import all_of, mutants, reasons

SAMPLE = ("bernoulli_likelihood", "softmax_temperature", "batch_mean")


@pytest.mark.parametrize("name", SAMPLE)
def test_a_changed_answer_is_rejected_or_equal_for_a_reason(name):
    _, mutants = all_of(name)
    accepted = {judged.what for judged in mutants if judged.kind == "accepted"}
    assert len(mutants) >= 5 and accepted == set(reasons().get(name, {}))
    assert sum(judged.kind == "named" for judged in mutants) >= 0.8 * (len(mutants) - len(accepted))


def test_what_is_changed_is_one_place():
    made = mutants("def f(a, b):\n    return (a - b).sum(dim=0)", "f")
    names = {m.what for m in made}
    assert {"a - b -> a + b", "a - b -> b", "0 -> 1"} <= names
    assert any("mean" in what for what in names) and len({m.source for m in made}) == len(made)
