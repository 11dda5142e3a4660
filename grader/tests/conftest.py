"""Shared by all tests: where NO_SKIPS is set, a skipped test is a failure, so that no machine passes by
leaving tests out."""

import os
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from grader.course.build import programs_on_path
from grader.course.lessons import exercises_of, find
from grader.tests.pages import chromium, lab, page, seat  # noqa: F401 (fixtures)

programs_on_path()


def _no_skip(report):
    if os.environ.get("NO_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"NO_SKIPS is set, and this was skipped: {why}"
    return report


# what takes long is begun first, so that no worker is left alone with it at the end
LONG = [
    "test_attacks",
    "test_grade",
    "test_browser",
    "test_classroom",
    "test_accessibility",
    "test_formgrader",
    "test_jail",
]

APART = {
    "test_grade",
    "test_exercises",
    "test_luck",
    "test_cross_entropy_parity",
    "test_lessons",
    "test_environment",
}


def pytest_addoption(parser):
    parser.addoption("--lesson", help="Run only what concerns one lesson, as 02_bce, bce or 2.")


def _concerns(item, lesson):
    """Is a test of this lesson, of one of its exercises, or of an answer to one?"""
    names = {lesson, *exercises_of(lesson)}
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return any(
        isinstance(value, str) and value in names or getattr(value, "exercise", None) in names
        for value in params
    )


def pytest_collection_modifyitems(config, items):
    if name := config.getoption("--lesson"):
        lesson = find(name)
        dropped = [item for item in items if not _concerns(item, lesson)]
        items[:] = [item for item in items if _concerns(item, lesson)]
        config.hook.pytest_deselected(items=dropped)
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONG)))


class ByModule(LoadScopeScheduling):
    """The tests of a module run on one worker, since they share what is made once; those of a few share
    nothing that is dear."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return nodeid if Path(module).stem in APART else module


def pytest_xdist_make_scheduler(config, log):
    return ByModule(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _no_skip((yield))
