"""What went wrong, in a sentence. Pure: works on what was asked and answered.

First the known mistakes of the exercise (`known`), then what can go wrong with any loss, so that no exercise
has to list it, one module for each thing that may be suspected: `kinds` (what an answer is), `inputs` (what
it makes of its arguments), `results` (what was done to the result). A suspicion takes the Evidence and
returns a sentence for the learner, or "".

An answer may be wrong in two ways at once, so that no sentence explains everything. Then it is judged in
layers (see `Layer`): what explains the first layer that fails is told, and after it what else is wrong.
"""

from dataclasses import dataclass, replace

import torch

from grader.judging.compare import Asked, Difference, as_parts
from grader.judging.diagnose import inputs, kinds, known, results, words
from grader.judging.diagnose.evidence import Evidence, Layer
from grader.judging.exercise import Mistake

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
    results.negated,
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
WEAKER = (  # these say something that is true, but do not reproduce the answer: asked where nothing does
    inputs.unmoved,
    results.other_shape,
    inputs.target,
    results.sequence,
    results.stuck,
)


@dataclass(frozen=True)
class Explanation:
    """What is told to the learner. named: does it explain anything, or only say where the difference lies?"""

    says: str
    shown: Asked  # what the example is made of
    besides: tuple[str, ...] = ()
    hint: str = ""
    known: bool = False  # is it the sentence of a known mistake?
    named: bool = True

    @property
    def finding(self) -> str:
        return " ".join([self.says, *(f"Besides, {b}" for b in self.besides)])


def explain(evidence: Evidence) -> Explanation:
    """The explanation of an answer that is wrong somewhere."""
    layer = min(evidence.layer(a) for a in evidence.wrong)
    part = evidence.within(layer)
    first = part.wrong[0]
    mistake = known.whole(evidence)
    if mistake:
        return Explanation(mistake.says, first, hint=mistake.hint, known=True)
    mistake = known.first_layer(evidence, layer)
    ordinary = layer in (Layer.ORDINARY, Layer.SHAPES) and not first.got.failed
    if not mistake and not ordinary:
        mistake = known.most_cases(evidence)
    if mistake:
        return _of_mistake(evidence, mistake, first)
    if first.got.failed:
        says, hint = words.error(first), words.error_hint(first)
        return Explanation(says, first, _besides(evidence, layer, None, says), hint, named=False)
    # An epsilon is shown where it bites, not in the seventh digit of an ordinary loss.
    epsilon = results.capped(evidence)
    if epsilon:
        says, shown = epsilon
        return Explanation(says, shown)
    says = general(evidence)
    if says:
        return Explanation(says, first, tuple(_form(evidence, None, says)))
    says = general(part)
    if says:
        return Explanation(says, first, _besides(evidence, layer, None, says))
    both = known.with_something_on_top(evidence, layer)
    if both:
        mistake, says = both
        more = says[0].lower() + says[1:]
        besides = (more, *_besides(evidence, layer, mistake, says))
        return Explanation(mistake.says, first, besides, mistake.hint, known=True)
    # A mistake that explains two cases of many is no match for what explains all of them, nor for a sign or a
    # factor that explains nearly all.
    says = _nearly_everywhere(part)
    if says:
        return Explanation(says, first, _besides(evidence, layer, None, says))
    mistake = None
    if ordinary:
        mistake = known.most_cases(evidence)
    if mistake:
        return _of_mistake(evidence, mistake, first)
    says = inputs.another_default(evidence) or general(part, WEAKER)
    if says:
        return Explanation(says, first, _besides(evidence, layer, None, says))
    says = inputs.where_wrong(part) or words.difference(first)
    hint = ""
    if evidence.exercise.hints:
        hint = evidence.exercise.hints[0]
    return Explanation(says, first, _besides(evidence, layer, None, says), hint, named=False)


def _nearly_everywhere(part: Evidence) -> str:
    """What a simple function of the right result explains, where it explains two in three questions, the
    first one among them."""
    says = [results.simple(replace(part, asked=[a])) for a in part.wrong]
    if not says or not says[0]:
        return ""
    explained = sum(one == says[0] for one in says)
    if explained > 2 and 3 * explained >= 2 * len(says):
        return says[0]
    return ""


def general(evidence: Evidence, suspicions: tuple = SUSPICIONS) -> str:
    """The first sentence that explains every question that was answered wrongly, or ""."""
    for suspicion in suspicions:
        says = suspicion(evidence)
        if says:
            return says
    return ""


def _of_mistake(evidence: Evidence, mistake: Mistake, first: Asked) -> Explanation:
    besides = _besides(evidence, evidence.layer(first), mistake, mistake.says)
    return Explanation(mistake.says, first, besides, mistake.hint, known=True)


def _besides(evidence: Evidence, layer: Layer, mistake: Mistake | None, finding: str) -> tuple[str, ...]:
    """What else is wrong, in half sentences: facts only, and only those that what was told does not bring with it."""
    wrong = [a for a in evidence.wrong if not (mistake and known.same(evidence, mistake, a))]
    facts = _form(evidence, mistake, finding)
    by_layer = {each: [a for a in wrong if evidence.layer(a) is each] for each in Layer if each > layer}
    shapes = by_layer.get(Layer.SHAPES)
    if shapes and shapes[0].got.failed and not any(a.got.failed for a in evidence.within(layer).wrong):
        facts.append(f"it stops with an error for tensors of another shape. {words.error(shapes[0])}")
    far = [a for a in by_layer.get(Layer.EXTREMES, ()) if a.difference is Difference.VALUE]
    if far:
        says = results.at_extremes(far)
        if not says.startswith("Wrong"):  # wrong it is everywhere
            facts.append(says[0].lower() + says[1:])
    return tuple(facts[:2])


def _form(evidence: Evidence, mistake: Mistake | None, finding: str) -> list[str]:
    """A dtype, a changed input, a gradient that is cut: seen whether the values are right or not."""
    facts = []
    for kind, says in ((Difference.DTYPE, _dtypes), (Difference.CHANGED, _changes), (Difference.CUT, _cuts)):
        if any(kind is a.difference for a in evidence.wrong) and all(
            kind is a.difference for a in evidence.wrong
        ):
            continue  # that is what was told
        if kind is Difference.CUT and any(word in finding for word in ("effect", "gradient", "whatever")):
            continue
        facts += [says(evidence, mistake)]
    return [fact for fact in facts if fact]


def _dtypes(evidence, mistake):
    if evidence.exercise.any_dtype or evidence.exercise.number:
        return ""
    for a in evidence.wrong:
        made = a.expected.value
        if mistake:
            made = evidence.made(mistake, a).value
        for got, want, theirs in zip(as_parts(a.got.value), as_parts(a.expected.value), as_parts(made)):
            if not all(isinstance(v, torch.Tensor) for v in (got, want, theirs)):
                continue
            if got.dtype != want.dtype and got.dtype != theirs.dtype:
                return f"the dtype is {words.dtype_name(got)} where {words.dtype_name(want)} is expected."
    return ""


def _changes(evidence, mistake):
    for a in evidence.wrong:
        theirs = ()
        if mistake:
            theirs = evidence.made(mistake, a).changed
        names = [f"`{name}`" for name in a.got.changed if name not in theirs]
        if names and not a.got.failed:
            return f"your function changes its input {', '.join(names)}: work on a new tensor."
    return ""


def _cuts(evidence, mistake):
    """Said only where a gradient is missing in every question that asks for it."""
    names = set()
    for a in evidence.wrong:
        if a.got.failed or a.difference is Difference.KIND:
            continue  # what is no tensor has no gradient, for that reason
        for name, gradient in a.expected.gradients.items():
            if gradient is None or not gradient.any():
                continue
            if not any(isinstance(part, torch.Tensor) for part in as_parts(a.got.value)):
                continue  # what is no tensor has no gradient: that it is none has been told
            if a.got.gradients.get(name) is not None:
                return ""
            if mistake and evidence.made(mistake, a).gradients.get(name) is None:
                return ""
            names.add(f"`{name}`")
    if not names:
        return ""
    return (
        f"no gradient reaches {', '.join(sorted(names))}: something cuts the graph (`.detach()`, "
        "`.item()`, `torch.tensor(…)`)."
    )
