"""What can go wrong with any loss, so that no exercise has to list it. Pure: works on what was asked and answered.

One module for each thing that may be suspected: `kinds` (what an answer is), `inputs` (what it makes of its arguments),
`results` (what was done to the result). Every suspicion takes the Evidence and returns a sentence for the learner, or "".
"""

from grader.judging.diagnose import inputs, kinds, results
from grader.judging.diagnose.evidence import Evidence

SUSPICIONS = (  # the first that explains every wrong answer is told
    kinds.inconsistent,
    kinds.kind,
    kinds.dtype,
    kinds.changed,
    kinds.gradient,
    kinds.large,
    kinds.met,
    inputs.only_example,
    results.extremes,
    inputs.transformed_inputs,
    results.nan,
    inputs.ignored,
    results.nearly,
    inputs.only_size,
    results.shape,
    results.rescaled,
    inputs.constant,
    inputs.only_classes,
)


def general(evidence: Evidence) -> str:
    """The first sentence that explains every question that was answered wrongly, or ""."""
    for suspicion in SUSPICIONS:
        says = suspicion(evidence)
        if says:
            return says
    return ""
