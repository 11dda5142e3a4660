"""Exercises of 01_sigmoid: from a score to a probability, and back.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html
"""

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

PYTORCH = [torch.sigmoid, F.logsigmoid]
Z = [-0.1, 2.0, 3.0, 0.5]
P = [0.4750, 0.8808, 0.9526, 0.6225]
EXACT = dict(rtol=1e-9, atol=1e-12)  # so that a float32 on the way, or a rounded e, is seen


def example(rng):
    return (torch.tensor(Z, dtype=rng.dtype),)


def ordinary(rng):
    return (rng.logits(rng.size()),)


def wide(rng):
    return (rng.logits(rng.size(), limit=10.0),)


def matrix(rng):
    return (rng.logits(3, 4),)


def cube(rng):
    return (rng.logits(2, 3, 2),)


def at(*values):
    """Each value as a question of its own, so that the nan of one does not hide what the others get."""

    def make(rng):
        return [(torch.tensor([v + rng.uniform(1).item()], dtype=rng.dtype),) for v in values]

    return make


# ---------------------------------------------------------------- sigmoid


@exercise(
    points=2,
    without=PYTORCH,
    hints=[
        "The score is the logarithm of the odds. So the odds are `torch.exp(z)`.",
        "Odds of 3 to 1 are 3 cases of 4. Odds of o to 1 are o cases of how many?",
        "o / (1 + o), with o = exp(z). Divide both by o: 1 / (1 + exp(−z)).",
    ],
    built="You have built `torch.sigmoid`. `F.sigmoid` and `z.sigmoid()` are the same function, `nn.Sigmoid()` is the module; "
    "in statistics it is called the logistic function, or expit.",
)
def sigmoid(z):
    return torch.sigmoid(z)


sigmoid.case("the lesson's example", example=True)(example)
sigmoid.case("random scores", gradient="z")(ordinary)
sigmoid.case("scores of both signs, up to 10 in size", gradient="z", **EXACT)(wide)
sigmoid.case("a matrix of scores")(matrix)
sigmoid.case("three dimensions")(cube)
sigmoid.case("float32", dtype=torch.float32, gradient="z")(ordinary)


@sigmoid.mistake(
    "Your function falls where it should rise: a score of 2 favours label 1, so its probability "
    "has to be above one half.",
    hint="Check the sign of the exponent.",
)
def _(z):
    return 1 / (1 + torch.exp(z))


@sigmoid.mistake(
    "You return the odds, exp(z). They run from 0 to infinity; a probability runs from 0 to 1.",
    hint="Odds of o to 1 are o cases of 1 + o.",
)
def _(z):
    return torch.exp(z)


@sigmoid.mistake(
    "There is a minus in the denominator where a plus belongs, so it becomes 0 at z = 0.",
    hint="Odds of o to 1 are o cases of 1 + o.",
)
def _(z):
    return 1 / (1 - torch.exp(-z))


@sigmoid.mistake(
    "You divided the odds by 1 − odds, which is 0 at z = 0. A share is a part of the whole.",
    hint="Odds of o to 1 are o cases of 1 + o.",
)
def _(z):
    return torch.exp(z) / (1 - torch.exp(z))


@sigmoid.mistake(
    "You divided the score itself by 1 + score. The score is the logarithm of the odds, not the odds.",
    hint="The odds are exp(z).",
)
def _(z):
    return z / (1 + z)


@sigmoid.mistake(
    "This is tanh(z), which runs from −1 to 1. A probability runs from 0 to 1.",
    hint="The two are related: σ(z) = (1 + tanh(z/2)) / 2.",
)
def _(z):
    return torch.tanh(z)


@sigmoid.mistake(
    "This is the sigmoid of 2z.",
    hint="In the form with tanh the score is halved: σ(z) = (1 + tanh(z/2)) / 2.",
)
def _(z):
    return (1 + torch.tanh(z)) / 2


@sigmoid.mistake(
    "You divided each exponential by the sum of all of them, so the scores compete with each "
    "other. Here each score becomes a probability on its own.",
    hint="Each patient has odds of their own: o to 1.",
)
def _(z):
    return torch.exp(z) / torch.exp(z).sum()


@sigmoid.mistake(
    "You cut the scores off at 0 and 1. A score of 2 means a probability of 0.8808, not 1.",
    hint="Go through the odds, exp(z).",
)
def _(z):
    return z.clamp(0, 1)


@sigmoid.mistake(
    "You get 1 + exp(−z), which is above 1. That is the denominator by itself, or a fraction without parentheses: 1 / 1 + exp(−z) divides "
    "first and adds afterwards.",
    hint="All of 1 + exp(−z) belongs in the denominator.",
)
def _(z):
    return 1 / 1 + torch.exp(-z)


@sigmoid.mistake(
    "You get exp(z) + 1, which is above 1. If you wrote 1 / exp(−z) + 1: that divides first and adds afterwards.",
    hint="All of 1 + exp(−z) belongs in the denominator.",
)
def _(z):
    return 1 / torch.exp(-z) + 1


@sigmoid.mistake(
    "You return exp(−z), the odds of the other label.",
    hint="A probability is a share: 1 case of 1 + exp(−z).",
)
def _(z):
    return torch.exp(-z)


@sigmoid.mistake("The base of the exponential is e, not 2: `torch.exp`.")
def _(z):
    return 1 / (1 + 2 ** (-z))


@sigmoid.mistake(
    "You return decisions, 0 or 1. Return the probability itself, which can be any value in between.",
    hint="No comparison is needed.",
)
def _(z):
    return (z > 0).to(z.dtype)


# ---------------------------------------------------------------- logit


@exercise(
    points=2,
    without=[torch.logit],
    hints=[
        "Retrace your steps: first from the probability to the odds, then from the odds to the score.",
        "The odds are p to 1 − p, as a fraction.",
        "The score is the natural logarithm of p / (1 − p).",
    ],
    built="You have built `torch.logit`, the inverse of the sigmoid: this is where the word logits comes from. PyTorch's has an "
    "argument `eps` that keeps p away from 0 and 1.",
)
def logit(p):
    return torch.logit(p)


logit.case("the lesson's example", example=True)(lambda rng: (torch.tensor(P, dtype=rng.dtype),))
logit.case("random probabilities", gradient="p")(lambda rng: (rng.probabilities(rng.size()),))
logit.case("a matrix of probabilities")(lambda rng: (rng.probabilities(3, 4),))
logit.case("float32", dtype=torch.float32, gradient="p")(lambda rng: (rng.probabilities(rng.size()),))
logit.case("certainty: 0 gives −inf, 1 gives inf", extreme=True)(
    lambda rng: [(torch.tensor([v], dtype=rng.dtype),) for v in (0.0, 1.0)]
)


@logit.mistake(
    "This is log p alone. The odds compare p with 1 − p.",
    hint="log 0.5 is −0.6931. Which score should one half have?",
)
def _(p):
    return torch.log(p)


@logit.mistake(
    "The odds are upside down: a probability above one half has a positive score.",
    hint="p to 1 − p, as a fraction.",
)
def _(p):
    return torch.log((1 - p) / p)


@logit.mistake(
    "Parentheses are missing: p / 1 − p divides first, and is always 0.",
    hint="All of 1 − p belongs in the denominator.",
)
def _(p):
    return torch.log(p / 1 - p)


@logit.mistake(
    "The sign is lost: a probability below one half has a negative score.",
    hint="Leave out the absolute value.",
)
def _(p):
    return torch.log(p / (1 - p)).abs()


@logit.mistake("You return the odds. The score is their logarithm.")
def _(p):
    return p / (1 - p)


@logit.mistake(
    "You returned one over the sigmoid. The inverse of a function undoes it; that is not the same "
    "as its reciprocal.",
    hint="Solve p = σ(z) for z.",
)
def _(p):
    return 1 / torch.sigmoid(p)


@logit.mistake(
    "You applied the sigmoid once more. This function goes back, from the probability to the score."
)
def _(p):
    return torch.sigmoid(p)


@logit.mistake(
    "You divided one logarithm by the other. The logarithm of a quotient is something else.",
    hint="It is the difference of the two logarithms.",
)
def _(p):
    return torch.log(p) / torch.log(1 - p)


@logit.mistake(
    "You added the two logarithms: that is log(p·(1 − p)), and the odds are a quotient.",
    hint="The logarithm of a quotient is a difference.",
)
def _(p):
    return torch.log(p) + torch.log(1 - p)


@logit.mistake(
    "You keep p away from 0 and 1. Here certainty has an infinite score: logit(0) is −inf, logit(1) is inf."
)
def _(p):
    q = p.clamp(1e-6, 1 - 1e-6)
    return torch.log(q / (1 - q))


@logit.mistake("This is log base 10. Scores in this course use the natural logarithm, `torch.log`.")
def _(p):
    return torch.log10(p / (1 - p))


@logit.mistake(
    "You wrote 1 + p where 1 − p belongs: the odds compare p with the probability of the other label.",
    hint="A probability of one half has even odds, 1 to 1.",
)
def _(p):
    return torch.log(p / (1 + p))


@logit.mistake(
    "You wrote 1/p − p. The odds are a fraction, p / (1 − p), and not a difference.",
    hint="(1 − p) / p, which is 1/p − 1, would be the odds against; their logarithm has the other sign.",
)
def _(p):
    return torch.log(1 / p - p)


# ---------------------------------------------------------------- sigmoid_grad


@exercise(
    points=2,
    without=[torch.autograd.grad, torch.Tensor.backward, torch.autograd.backward, torch.func.jvp],
    hints=[
        "Differentiate 1/u with u = 1 + exp(−z): the chain rule gives −1/u² times the derivative of u.",
        "exp(−z) / (1 + exp(−z))². Write it as a product of two fractions, and look at each of them.",
        "One fraction is σ(z), the other is 1 − σ(z).",
    ],
    built="σ(z)·(1 − σ(z)): the slope needs nothing but the value, so `torch.sigmoid` saves its result "
    "and its backward pass multiplies these two factors.",
)
def sigmoid_grad(z):
    return torch.sigmoid(z) * torch.sigmoid(-z)


sigmoid_grad.case("the lesson's example", example=True)(example)
sigmoid_grad.case("random scores", gradient="z", **EXACT)(ordinary)
sigmoid_grad.case("a matrix of scores")(matrix)
sigmoid_grad.case("zero, where it is steepest")(
    lambda rng: (torch.cat([torch.zeros(1, dtype=rng.dtype), rng.logits(3)]),)
)
sigmoid_grad.case("float32", dtype=torch.float32)(ordinary)


@sigmoid_grad.mistake(
    "You used the score where its sigmoid belongs: z·(1 − z).", hint="z is a score here, not a probability."
)
def _(z):
    return z * (1 - z)


@sigmoid_grad.mistake(
    "Your slope is negative everywhere, but the sigmoid rises. Two minus signs meet in the chain rule, that of −1/u² and that of the inner derivative, "
    "and cancel.",
    hint="d/dz exp(−z) is −exp(−z).",
)
def _(z):
    return -torch.sigmoid(z) * (1 - torch.sigmoid(z))


@sigmoid_grad.mistake(
    "One of your factors is 1 − z, with the score where its sigmoid belongs.",
    hint="z is a score here, not a probability.",
)
def _(z):
    return torch.sigmoid(z) * (1 - z)


@sigmoid_grad.mistake(
    "The chain rule stops half-way: −1/u² is there, the derivative of u = 1 + exp(−z) is not.",
    hint="Multiply by −exp(−z).",
)
def _(z):
    return -(torch.sigmoid(z) ** 2)


@sigmoid_grad.mistake("You return the sigmoid itself, not its slope.")
def _(z):
    return torch.sigmoid(z)


@sigmoid_grad.mistake(
    "This is 1 − σ(z)². That form belongs to tanh.",
    hint="Of 1 − σ², only one factor σ belongs there; the other multiplies the whole.",
)
def _(z):
    return 1 - torch.sigmoid(z) ** 2


@sigmoid_grad.mistake(
    "Your result is 1 − σ(z), or exp(−z) / (1 + exp(−z)): only one of the two factors.",
    hint="The derivative of 1/u is −u'/u²: the denominator is a square.",
)
def _(z):
    return 1 - torch.sigmoid(z)


@sigmoid_grad.mistake(
    "The numerator is missing: you have 1 / (1 + exp(−z))².",
    hint="The chain rule puts exp(−z) in the numerator.",
)
def _(z):
    return torch.sigmoid(z) ** 2


@sigmoid_grad.mistake(
    "You squared the exponential alone. The whole denominator is squared.", hint="(1 + exp(−z))²"
)
def _(z):
    return torch.exp(-z) / (1 + torch.exp(-z) ** 2)


@sigmoid_grad.mistake(
    "This is the slope of tanh, 1 − tanh².", hint="The sigmoid's slope is built from σ, not from tanh."
)
def _(z):
    return 1 - torch.tanh(z) ** 2


@sigmoid_grad.mistake("You added up all slopes. Each score has its own slope: the result has the shape of z.")
def _(z):
    return (torch.sigmoid(z) * torch.sigmoid(-z)).sum()


# ---------------------------------------------------------------- stable_sigmoid


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "exp overflows only when its argument is large and positive. Which argument is never positive?",
        "Make e = exp(−|z|) first: for every z it lies between 0 and 1. Then write both formulas with e.",
        "For z ≥ 0 the result is 1 / (1 + e), for z < 0 it is e / (1 + e). `torch.where` may choose between these two: both are finite.",
    ],
    built="A sigmoid whose exponential never overflows. `torch.sigmoid` is safe in another way: it lets "
    "exp(−z) overflow to inf, returns 1/inf = 0, and its backward pass uses only that saved "
    "result.",
)
def stable_sigmoid(z):
    return torch.sigmoid(z)


stable_sigmoid.case("the lesson's example", example=True)(example)
stable_sigmoid.case("random scores", gradient="z", **EXACT)(ordinary)
stable_sigmoid.case("a matrix of scores", gradient="z")(matrix)
stable_sigmoid.case("float32", dtype=torch.float32, gradient="z")(wide)
stable_sigmoid.case("moderately large scores", gradient="z", extreme=True)(at(12, 20, -13, -21))
stable_sigmoid.case("the digits of a score near −31", gradient="z", extreme=True, rtol=0.03, atol=1e-30)(
    at(-32)
)
# Far below 0 a clamped score gives itself away: its probability is the smallest that the clamp allows, many times the true one. The tolerance of
# more than the value itself lets 0 pass, to which (1 + tanh(z/2)) / 2 rounds there.
stable_sigmoid.case("scores near −61 and −400", gradient="z", extreme=True, rtol=1.5, atol=1e-190)(
    at(-62, -400)
)
stable_sigmoid.case(
    "float32: scores near −61 and −83", gradient="z", dtype=torch.float32, extreme=True, rtol=1.5, atol=1e-38
)(at(-62, -84))
stable_sigmoid.case("a score of 1000", gradient="z", extreme=True)(at(1000))
stable_sigmoid.case("a score of −1000", gradient="z", extreme=True)(at(-1000))
stable_sigmoid.case("large scores of both signs together", gradient="z", extreme=True)(
    lambda rng: (
        torch.cat([rng.uniform(2, low=900, high=1100), rng.uniform(2, low=-1100, high=-900), rng.logits(2)]),
    )
)
stable_sigmoid.case("float32 at 100 and 1000", gradient="z", dtype=torch.float32, extreme=True)(
    at(100, -100, 1000, -1000)
)


def naive(z):
    return 1 / (1 + torch.exp(-z))


def mirrored(z):
    return torch.exp(z) / (1 + torch.exp(z))


@stable_sigmoid.mistake(
    "This is a softmax: its entries share a sum of 1, so that one score changes the probability of another. Each score has a sigmoid of its own."
)
def _(z):
    return torch.softmax(z, dim=-1) if z.ndim else torch.ones_like(z)


@stable_sigmoid.mistake(
    "At −1000 the value is right and the gradient is nan: exp(1000) is still computed, and it is "
    "infinite. A `where`, a clamp or another dtype after the exponential comes too late for the "
    "gradient.",
    hint="Write it so that nothing positive is exponentiated.",
)
def _(z):
    return naive(z)


@stable_sigmoid.mistake(
    "At 1000 you compute inf/inf, which is nan. exp(z) / (1 + exp(z)) is safe for negative scores only.",
    hint="Which form is safe for positive scores?",
)
def _(z):
    return mirrored(z)


@stable_sigmoid.mistake(
    "`torch.where` chooses the right value, and the gradient is nan all the same: the branch that "
    "is not chosen has overflowed. Choose what goes into the exponential, not what comes out.",
    hint="Make e = exp(−|z|) before any choice.",
)
def _(z):
    return torch.where(z >= 0, naive(z), mirrored(z))


@stable_sigmoid.mistake(
    "Each of the two forms is used on the side where it overflows.",
    hint="1/(1 + exp(−z)) is for z ≥ 0, exp(z)/(1 + exp(z)) for z < 0.",
)
def _(z):
    return torch.where(z >= 0, mirrored(z), naive(z))


@stable_sigmoid.mistake(
    "With e = exp(−|z|) both signs give the same result: you return 1/(1 + e) for negative scores, too.",
    hint="For negative scores it is e/(1 + e).",
)
def _(z):
    return 1 / (1 + torch.exp(-z.abs()))


@stable_sigmoid.mistake(
    "You return e/(1 + e) for every score. With e = exp(−|z|) that is below one half, so it "
    "belongs to negative scores only.",
    hint="Positive scores get 1/(1 + e).",
)
def _(z):
    e = torch.exp(-z.abs())
    return e / (1 + e)


@stable_sigmoid.mistake(
    "With e = exp(−|z|) your two cases are swapped: 1/(1 + e) is above one half.",
    hint="It belongs to positive scores.",
)
def _(z):
    e = torch.exp(-z.abs())
    return torch.where(z >= 0, e, torch.ones_like(e)) / (1 + e)


@stable_sigmoid.mistake(
    "You replaced nan by a number: the value looks right, and the gradient at 1000 is still nan.",
    hint="Prevent the overflow itself.",
)
def _(z):
    return torch.nan_to_num(mirrored(z), nan=1.0)


@stable_sigmoid.mistake(
    "You cut the score off at 10: every larger one gets the same probability, and its gradient is "
    "0. A score of 12 is not a score of 10."
)
def _(z):
    return naive(z.clamp(-10, 10))


def clamped(bound):
    """The definition, of a score that is kept between −bound and bound."""

    def answer(z):
        return naive(z.clamp(-bound, bound))

    return answer


for bound in (20, 30, 50, 80, 88, 100):
    stable_sigmoid.mistake(
        f"You clamp the score at −{bound} and {bound}. Beyond them every score gets the same probability, "
        "which is not its own, and the gradient is exactly 0.",
        hint="No clamp is needed where nothing positive is exponentiated.",
    )(clamped(bound))


@stable_sigmoid.mistake(
    "You kept the probability away from 0 and 1. That changes the result at large scores, and exp "
    "has overflowed before it."
)
def _(z):
    return naive(z).clamp(1e-6, 1 - 1e-6)


# ---------------------------------------------------------------- predict


def scores(rng):
    """Logits with some between 0 and 0.5 and some between −0.5 and 0, and always some far below: there a threshold on the wrong scale shows."""
    return torch.cat(
        [
            rng.logits(rng.size()),
            rng.uniform(2, low=0.05, high=0.45),
            rng.uniform(2, low=-0.45, high=-0.05),
            rng.uniform(2, low=0.55, high=0.85),
            rng.uniform(2, low=-5.5, high=-2.0),
        ]
    )


@exercise(
    points=2,
    any_dtype=True,
    hints=[
        "The threshold is a probability, z is a score. Bring both to the same scale before you compare them.",
        "Either turn the scores into probabilities and compare with `threshold`, or turn the threshold into a score with the logit.",
    ],
    built="0/1 decisions from logits. At the threshold 0.5 it is the same as `z > 0`, which needs no "
    "sigmoid at all.",
)
def predict(z, threshold=0.5):
    return (torch.sigmoid(z) > threshold).long()


predict.case("random scores")(lambda rng: (scores(rng),))  # first: four scores would fit too many mistakes
predict.case("the lesson's example", example=True)(example)
predict.case("other thresholds")(lambda rng: [call(scores(rng), threshold=t) for t in (0.2, 0.35, 0.8)])
predict.case("a matrix of scores")(lambda rng: (scores(rng)[:8].reshape(2, 4), 0.3))
predict.case("a probability of exactly one half")(
    lambda rng: (torch.cat([scores(rng), torch.zeros(2, dtype=rng.dtype)]),)
)
predict.case("float32", dtype=torch.float32)(lambda rng: [(scores(rng),), call(scores(rng), threshold=0.6)])


@predict.mistake(
    "Your function decides 1 where the probability is exactly the threshold. The decision is 1 only above the threshold: `>`, not `>=`."
)
def _(z, threshold=0.5):
    return (torch.sigmoid(z) >= threshold).long()


@predict.mistake(
    "You compared the scores themselves with the threshold. It applies to the probability: a score "
    "of 0.2 is a probability of 0.5498.",
    hint="Which score has the probability 0.5?",
)
def _(z, threshold=0.5):
    return z > threshold


@predict.mistake(
    "You cut at the probability 0.5 (the score 0) whatever `threshold` says.",
    hint="`round` always cuts at one half, too.",
)
def _(z, threshold=0.5):
    return z > 0


@predict.mistake(
    "The comparison is the wrong way round: label 1 is predicted where the probability is above "
    "the threshold."
)
def _(z, threshold=0.5):
    return torch.sigmoid(z) < threshold


@predict.mistake(
    "You return probabilities. Return the decision: 1 where the probability is above the "
    "threshold, 0 elsewhere.",
    hint="A comparison is missing.",
)
def _(z, threshold=0.5):
    return torch.sigmoid(z)


@predict.mistake(
    "You applied the sigmoid to the threshold. The threshold is a probability already; the scores "
    "are what has to be converted."
)
def _(z, threshold=0.5):
    return z > torch.sigmoid(torch.tensor(threshold, dtype=z.dtype))


@predict.mistake(
    "You applied the sigmoid twice: a probability went through it once more, and then nothing "
    "comes out below one half."
)
def _(z, threshold=0.5):
    return torch.sigmoid(torch.sigmoid(z)) > threshold


@predict.mistake(
    "Turning a probability into an integer drops everything after the decimal point, so every "
    "decision becomes 0.",
    hint="Compare with the threshold first.",
)
def _(z, threshold=0.5):
    return torch.sigmoid(z).long()


@predict.mistake(
    "You compared the scores with log(threshold). A score is the logarithm of the odds, not of the "
    "probability.",
    hint="The threshold t becomes log(t / (1 − t)).",
)
def _(z, threshold=0.5):
    return z > torch.tensor(threshold, dtype=z.dtype).log()


@predict.mistake(
    "You decide 1 for every score. Probability and threshold both lie between 0 and 1: is one of "
    "them on another scale?"
)
def _(z, threshold=0.5):
    return z > -torch.inf


@predict.mistake(
    "You compared with 1 − threshold: a higher threshold must make label 1 rarer, not more frequent."
)
def _(z, threshold=0.5):
    return torch.sigmoid(z) > 1 - threshold


@predict.mistake("Your labels are −1 and 1. In this course they are 0 and 1.")
def _(z, threshold=0.5):
    return torch.where(torch.sigmoid(z) > threshold, 1, -1)


@predict.mistake(
    "You took the sign of a difference: −1, 0 or 1. A decision is 1 above the threshold, and 0 elsewhere."
)
def _(z, threshold=0.5):
    return torch.sign(torch.sigmoid(z) - threshold)
