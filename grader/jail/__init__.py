"""The jail: a warm interpreter behind walls, in which learners' code runs.

with Jail() as jail, jail.child() as child:
    outcome = child.run_cell("def bce(p, y): ...")
    result = child.ask("bce", ["p", "y"], Call((p, y)), gradient=["p"])
"""

from grader.jail.jail import DIED, Child, ChildDied, Jail, JailError
from grader.jail.limits import Limits
from grader.judging.outcome import Absent, CellError, Outcome, Output

__all__ = [
    "DIED",
    "Absent",
    "CellError",
    "Child",
    "ChildDied",
    "Jail",
    "JailError",
    "Limits",
    "Outcome",
    "Output",
]
