"""The jail: a warm interpreter behind walls, in which learners' code runs.

    with Jail() as jail, jail.child() as child:
        outcome = child.run_cell("def bce(p, y): ...")
        result = child.ask("bce", ["p", "y"], Call((p, y)), gradient=["p"])

What is imported from here is found when it is asked for: `grader.jail.launch` starts a jail before torch is imported.
"""

import importlib

WHERE = {
    "grader.jail.jail": ("DIED", "Child", "ChildDied", "Jail"),
    "grader.jail.launch": ("JailError",),
    "grader.jail.limits": ("Limits",),
    "grader.judging.outcome": ("Absent", "CellError", "Outcome", "Output"),
}

__all__ = sorted(name for names in WHERE.values() for name in names)


def __getattr__(name):
    """`from grader.jail import Jail`, at its first use."""
    for module, names in WHERE.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'grader.jail' has no attribute {name!r}")
