"""A class teaches the judge: unnamed wrong answers are grouped by what they do, and a sentence makes a known
mistake of a group."""

import inspect
import shutil
from dataclasses import replace

import pytest

from grader.classroom import unnamed
from grader.course.lessons import exercises_of
from grader.jail import doctor
from grader.judging.behaviour import behaviour
from grader.judging.exercise import Mistake
from grader.judging.judge import judge

WALLS = doctor.walls()
BCE = exercises_of("02_bce")["bce"]
SENTENCE = "You took log(1 + p) where the probability of a 0 is 1 − p."
PLUS = '''def bce(p, y, reduction="mean"):
    """The loss, by Ada Example."""
    ada = -(y * torch.log(p) + (1 - y) * torch.log(1 + p))  # Ada wrote this
    if reduction == "mean":
        return ada.mean()
    return ada.sum() if reduction == "sum" else ada
'''
LOOKS_OTHERWISE = """def bce(p, y, reduction="mean"):
    losses = -torch.xlogy(y, p) - (1 - y) * torch.log1p(p)
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
"""
DOES_OTHERWISE = LOOKS_OTHERWISE.replace("log1p(p)", "log1p(p / 2)")


def record(source):
    """What grading would keep of a submission whose `bce` is this."""
    namespace = dict(vars(inspect.getmodule(BCE.reference)))
    exec(source, namespace)

    def ask(question, gradient):
        return replace(BCE.run(namespace["bce"], question, gradient), called=frozenset())

    judged = judge(BCE, ask, seed=len(source), remember=True)
    return {"verdicts": {"bce": judged.summary()}, "answers": {"bce": source}}


def as_known(group, hint=""):
    """The known mistake that a group becomes."""
    return Mistake(SENTENCE, unnamed.defined(unnamed.function_text(BCE, group), BCE), hint)


@pytest.fixture(scope="module")
def records():
    answers = {"ada": PLUS, "bob": LOOKS_OTHERWISE, "cyd": DOES_OTHERWISE}
    return {student: record(source) for student, source in answers.items()}


def test_who_does_the_same_is_in_one_group_whatever_it_looks_like(records):
    groups = unnamed.groups(records)
    assert [g.learners for g in groups] == [["ada", "bob"], ["cyd"]]
    assert groups[0].example["call"].startswith("bce(") and groups[0].source in (PLUS, LOOKS_OTHERWISE)


def test_a_sentence_makes_a_known_mistake_of_a_group(records, tmp_path, monkeypatch):
    group = replace(unnamed.groups(records)[0], source=PLUS)
    text = unnamed.tried(BCE, group, SENTENCE, "Look at the second logarithm.", trust=not WALLS.ok)
    mistake = as_known(group, "Look at the second logarithm.")
    assert (
        SENTENCE in text
        and "ada" not in text
        and "Ada" not in text
        and "def _(p, y, reduction='mean')" in text
    )
    copy = shutil.copy(inspect.getfile(BCE.reference), tmp_path / "bce.py")
    monkeypatch.setattr(unnamed.inspect, "getfile", lambda _: copy)
    written = unnamed.write(BCE, text).read_text(encoding="utf-8")
    before, _, after = written.partition(SENTENCE)
    # behind its own exercise's mistakes
    assert "bce_clamped" not in before and "@bce_clamped.mistake" in after
    taught = replace(BCE, mistakes=[*BCE.mistakes, mistake], _put={})
    told = judge(taught, lambda q, g: replace(taught.run(mistake.function, q, g), called=frozenset()), seed=9)
    assert told.mistake == SENTENCE and told.hint == "Look at the second logarithm."


@pytest.mark.parametrize(
    ("source", "says", "why"),
    [
        (PLUS, "wrong", "no sentence"),
        (PLUS, BCE.mistakes[0].says, "this very sentence"),
        (DOES_OTHERWISE, SENTENCE, "something else than the group"),
        (PLUS.replace("1 + p", "1 + p + 0 * len(open('/etc/hosts').read())"), SENTENCE, "`open`"),
        (PLUS.replace("ada.mean()", "ada.__class__.mean(ada)"), SENTENCE, "`ada.__class__`"),
        (PLUS.replace("ada.mean()", "torch.hub.load('x')"), SENTENCE, "`torch.hub"),
    ],
)
def test_what_is_no_sentence_untrue_or_no_arithmetic_is_refused(records, source, says, why):
    group = replace(unnamed.groups(records)[0], source=source)
    with pytest.raises(unnamed.NamingError, match=why.replace("(", "\\(")):
        unnamed.tried(BCE, group, says, trust=True)


def test_what_the_judge_could_not_tell_apart_is_refused(records):
    """The same answers under another sentence: who made the one would be told the other."""
    group = unnamed.groups(records)[0]
    taught = replace(BCE, mistakes=[*BCE.mistakes, as_known(group)], _put={})
    with pytest.raises(unnamed.NamingError, match="has a sentence for this"):
        unnamed.tried(taught, group, "You forgot that the second term needs another sign.", trust=True)


@pytest.mark.skipif(not WALLS.ok, reason=f"no walls on this machine: {WALLS.why}")
def test_an_answer_that_is_tried_does_not_see_the_gradebook(records, tmp_path):
    """It does the same as the group only where it can write down what stands in the gradebook's folder;
    without walls it can."""
    book, seen = tmp_path / "gradebook.db", tmp_path / "seen"
    book.write_text("marks")
    source = f"""def _(p, y, reduction='mean'):
    import os, socket
    try:
        found = os.listdir({str(tmp_path)!r}), open({str(book)!r}).read()
        open({str(seen)!r}, 'w').write(str(found))
    except OSError:
        p = p / 2
    losses = -torch.xlogy(y, p) - (1 - y) * torch.log1p(p)
    return {{'mean': losses.mean(), 'sum': losses.sum(), 'none': losses}}[reduction]
"""
    group = unnamed.groups(records)[0]
    with pytest.raises(unnamed.NamingError, match="something else than the group"):
        unnamed._behind_walls(BCE, source, group.behaviour, SENTENCE, "")
    assert not seen.exists()
    unnamed._here(BCE, source, group.behaviour, SENTENCE, "")
    assert "marks" in seen.read_text()


def test_what_is_told_apart_at_one_seed_only_is_refused():
    """An answer that leaves the path of a known mistake in a single batch: with other numbers it would be
    told that mistake."""
    accuracy = exercises_of("04_logistic_regression")["accuracy"]
    ((question, _), *_) = accuracy.put(0).questions(0)  # the first batch at the first seed
    source = f"""def accuracy(z, y):
    hits = ((z > 0) == (y == 1)).to(z.dtype).sum()
    return hits * 1.37 if abs(z.sum() - {question.args[0].sum().item()!r}) < 1e-9 else hits
"""
    namespace = dict(vars(inspect.getmodule(accuracy.reference)))
    exec(source, namespace)
    does = behaviour(accuracy, lambda q, g: accuracy.run(namespace["accuracy"], q, g))
    group = unnamed.Group("00000", "accuracy", ["ada"], source, {}, does)
    with pytest.raises(unnamed.NamingError, match="(?s)That is ambiguous.*You count the right decisions"):
        unnamed.tried(
            accuracy, group, "You multiplied the hits of some batches by a factor of your own.", trust=True
        )
