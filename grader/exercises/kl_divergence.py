"""Exercises of 10_kl_divergence: how far one distribution is from another; a network that teaches another.

Formulas: https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html; Hinton, Vinyals and Dean (2015),
https://arxiv.org/abs/1503.02531
"""

import math

import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

P = [0.5, 0.25, 0.125, 0.125]
Q = [0.7, 0.2, 0.05, 0.05]
P2, Q2 = [0.6, 0.2, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]
PYTORCH = [F.kl_div, nn.KLDivLoss, Categorical, torch.distributions.kl_divergence]


def example(rng):
    return torch.tensor([P, P2], dtype=rng.dtype), torch.tensor([Q, Q2], dtype=rng.dtype)


def one(rng):
    return (rng.distribution(rng.size(), rng.size(3, 7)),)


def two(rng):
    n, c = rng.size(), rng.size(3, 7)
    return rng.distribution(n, c), rng.distribution(n, c)


def with_zeros(rng, n=4, c=5):
    """Distributions in which each row has one or two entries of exactly 0."""
    p = rng.distribution(n, c)
    keep = torch.ones(n, c, dtype=torch.bool)
    for row in range(n):
        keep[row, rng.permutation(c)[: 1 + row % 2]] = False
    p = p * keep
    return p / p.sum(dim=-1, keepdim=True)


def hardly_ever(rng):
    """Distributions with an outcome of 1e-15 or so: only the slope sees it."""
    p = rng.distribution(4, 5)
    p[:, 0] = rng.uniform(4, low=1e-15, high=9e-15)
    return (p / p.sum(dim=-1, keepdim=True),)


def one_hot_rows(rng, n=4, c=5):
    return F.one_hot(rng.classes(n, num_classes=c), c).to(rng.dtype)


# ---------------------------------------------------------------- entropy


@exercise(
    points=3,
    without=[Categorical],
    hints=[
        "Weight the surprise of each outcome, −log p, by how often it happens, p, and add up over the last dimension.",
        "0·log 0 counts as 0, but 0·(−inf) is nan in floating point: keep the infinity from arising.",
        "`torch.xlogy(p, p)` is p·log p, and 0 where p is 0. Or replace the zeros by ones before taking the logarithm.",
    ],
    built="The entropy in nats: the mean surprise of somebody who knows the distribution. PyTorch has it as "
    "`torch.distributions.Categorical(probs=p).entropy()`.",
)
def entropy(p):
    return -torch.xlogy(p, p).sum(dim=-1)


entropy.case("the lesson's example", example=True)(lambda rng: example(rng)[:1])
entropy.case("random distributions", gradient="p")(one)
entropy.case("one distribution")(lambda rng: (rng.distribution(rng.size()),))
entropy.case("three dimensions")(lambda rng: (rng.distribution(2, 3, 6),))
entropy.case("outcomes that never happen", extreme=True)(
    lambda rng: [(with_zeros(rng),), (one_hot_rows(rng),)]
)
entropy.case("outcomes that hardly ever happen", gradient="p", extreme=True)(hardly_ever)
entropy.case("float32", dtype=torch.float32)(one)


@entropy.mistake(
    "The result is nan where some p is 0: 0·log 0 becomes 0·(−inf). An outcome that never happens surprises nobody and has to add 0.",
    hint="`torch.xlogy`, or a harmless number instead of the 0 before the logarithm is taken.",
)
def _(p):
    return -(p * p.log()).sum(dim=-1)


@entropy.mistake("The minus is missing: logarithms of probabilities are negative, an entropy is not.")
def _(p):
    return torch.xlogy(p, p).sum(dim=-1)


@entropy.mistake("This is the entropy in bits. The course uses the natural logarithm, `torch.log`.")
def _(p):
    return -torch.xlogy(p, p).sum(dim=-1) / torch.log(torch.tensor(2.0, dtype=p.dtype))


@entropy.mistake(
    "You took the mean over the outcomes. The weights p are already in the sum, and they add up to 1, so there is nothing left to divide by."
)
def _(p):
    return -torch.xlogy(p, p).mean(dim=-1)


@entropy.mistake(
    "You added up everything. Each distribution, along the last dimension, has an entropy of its own."
)
def _(p):
    return -torch.xlogy(p, p).sum()


@entropy.mistake("You added up along the first dimension. A distribution lies along the last one.")
def _(p):
    return -torch.xlogy(p, p).sum(dim=0)


@entropy.mistake(
    "You added up along dimension 1. A distribution lies along the last dimension, whatever the number of dimensions: `dim=-1`."
)
def _(p):
    return -torch.xlogy(p, p).sum(dim=min(1, p.ndim - 1))


@entropy.mistake(
    "You added the surprises up as if all outcomes were equally frequent.",
    hint="Weight each −log p by its p.",
)
def _(p):
    return -p.log().sum(dim=-1)


@entropy.mistake(
    "The 1e-6 added inside the logarithm shifts every entropy a little.", hint="Take care of the zeros alone."
)
def _(p):
    return -(p * (p + 1e-6).log()).sum(dim=-1)


@entropy.mistake("This averages the entropies of the distributions.", hint="Return one for each of them.")
def _(p):
    return -torch.xlogy(p, p).sum(dim=-1).mean()


@entropy.mistake(
    "This is 1 − Σ p², the Gini impurity. The entropy weighs each outcome's surprise, −log p, by its p."
)
def _(p):
    return 1 - (p**2).sum(dim=-1)


@entropy.mistake(
    "You treated each outcome as a yes or no question and added the entropy of 1 − p. Exactly one of the C outcomes happens, so only p·log p counts."
)
def _(p):
    return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum(dim=-1)


@entropy.mistake(
    "You averaged the surprises as if all outcomes were equally frequent. Each −log p is weighted by its p, and the weighted surprises are added up."
)
def _(p):
    return -p.log().mean(dim=-1)


@entropy.mistake(
    "You divided by log C, the largest entropy that C outcomes can have.",
    hint="Return the entropy itself, in nats.",
)
def _(p):
    return -torch.xlogy(p, p).sum(dim=-1) / math.log(p.shape[-1])


@entropy.mistake(
    "You took the logarithm after the sum: −log Σ p².",
    hint="Weight each outcome's −log p by p first, then add up.",
)
def _(p):
    return -(p * p).sum(dim=-1).log()


@entropy.mistake(
    "This is the surprise at the most likely outcome alone. The entropy is the mean over all outcomes, each weighted by its p."
)
def _(p):
    return -p.max(dim=-1).values.log()


@entropy.mistake(
    "This is the surprise at the least likely outcome alone. The entropy is the mean over all outcomes, each weighted by its p."
)
def _(p):
    return -p.min(dim=-1).values.log()


@entropy.mistake(
    "You weighted with p². Each outcome happens with probability p, and that is how often its surprise, −log p, counts."
)
def _(p):
    return -(p * torch.xlogy(p, p)).sum(dim=-1)


@entropy.mistake("log1p(p) is log(1 + p). The surprise of an outcome is −log p.")
def _(p):
    return -(p * torch.log1p(p)).sum(dim=-1)


# ---------------------------------------------------------------- cross_entropy_distributions


def impossible_for_both(rng):
    """p = q = 0 in the same places."""
    p = with_zeros(rng)
    q = rng.distribution(*p.shape) * (p > 0)
    return p, q / q.sum(dim=-1, keepdim=True)


def ruled_out_by_q(rng):
    """q is 0 where p is not: infinite."""
    p, q = rng.distribution(2, 4), with_zeros(rng, 2, 4)
    return [(p[:1], q[:1]), (p[1:], q[1:])]


@exercise(
    points=3,
    without=[Categorical, F.cross_entropy, nn.CrossEntropyLoss, F.kl_div, nn.KLDivLoss],
    hints=[
        "The two distributions have two jobs: one says how often each outcome happens, the other how surprising it is.",
        "The world supplies the weights and the belief the surprises: −Σ p·log q along the last dimension.",
        "Where p and q are both 0, p·log q is 0·(−inf), nan: `torch.xlogy` gives the 0 that you want there.",
    ],
    built='The cross-entropy of q relative to p. `F.cross_entropy(z, p, reduction="none")` computes it with q = softmax(z).',
)
def cross_entropy_distributions(p, q):
    return -torch.xlogy(p, q).sum(dim=-1)


cross_entropy_distributions.case("the lesson's example", example=True)(example)
cross_entropy_distributions.case("random distributions", gradient=["p", "q"])(two)
cross_entropy_distributions.case("one pair", gradient="q")(
    lambda rng: (rng.distribution(6), rng.distribution(6))
)
cross_entropy_distributions.case("three dimensions")(
    lambda rng: (rng.distribution(2, 3, 6), rng.distribution(2, 3, 6))
)
cross_entropy_distributions.case("outcomes that never happen", gradient="q")(
    lambda rng: [(with_zeros(rng), rng.distribution(4, 5)), (one_hot_rows(rng), rng.distribution(4, 5))]
)
cross_entropy_distributions.case("impossible for both", extreme=True)(impossible_for_both)
cross_entropy_distributions.case("q rules out what happens", extreme=True)(ruled_out_by_q)
cross_entropy_distributions.case("float32", dtype=torch.float32, gradient="q")(two)


@cross_entropy_distributions.mistake(
    "p and q are swapped: the world p supplies the weights, and the belief q the surprises, −log q."
)
def _(p, q):
    return -torch.xlogy(q, p).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "The minus is missing: logarithms of probabilities are negative, a cross-entropy is not."
)
def _(p, q):
    return torch.xlogy(p, q).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "The result is nan where p and q are both 0: 0·log 0 becomes 0·(−inf). What never happens has to add 0.",
    hint="`torch.xlogy(p, q)`.",
)
def _(p, q):
    return -(p * q.log()).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "You took the mean over the outcomes. The weights p are already in the sum, and they add up to 1, so there is nothing left to divide by."
)
def _(p, q):
    return -torch.xlogy(p, q).mean(dim=-1)


@cross_entropy_distributions.mistake(
    "You return the mean of all pairs.", hint="Return one number for each pair of distributions."
)
def _(p, q):
    return -torch.xlogy(p, q).sum(dim=-1).mean()


@cross_entropy_distributions.mistake(
    "You took the logarithm after the sum: −log Σ p·q.",
    hint="Weight each outcome's −log q by p first, then add up.",
)
def _(p, q):
    return -(p * q).sum(dim=-1).log()


@cross_entropy_distributions.mistake(
    "You clamped q away from 0. A belief that rules out something that does happen costs infinitely much."
)
def _(p, q):
    return -(p * q.clamp(min=1e-12).log()).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "You treated each outcome as a yes or no question and added (1 − p)·log(1 − q). Exactly one of the C outcomes happens, so only p·log q counts."
)
def _(p, q):
    return -(torch.xlogy(p, q) + torch.xlogy(1 - p, 1 - q)).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "You subtracted the entropy of p: what is left is the extra cost of the wrong belief.",
    hint="Return the whole surprise.",
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "You left out the outcomes to which q gives 0. Where they do happen, the surprise is infinite, and so is the sum.",
    hint="Leave out only what has p = 0.",
)
def _(p, q):
    return -torch.where(q > 0, torch.xlogy(p, q), 0.0).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "The logarithm is missing: the surprise of an outcome is −log q, not −q."
)
def _(p, q):
    return -(p * q).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "You added up along the first dimension. A pair of distributions lies along the last one, `dim=-1`."
)
def _(p, q):
    return -torch.xlogy(p, q).sum(dim=0)


@cross_entropy_distributions.mistake("The weights are missing: each surprise, −log q, has the weight p.")
def _(p, q):
    return -q.log().sum(dim=-1)


@cross_entropy_distributions.mistake(
    "This is the entropy of q, as if the world followed the belief. Outcomes happen with the probabilities of p, so p supplies the weights."
)
def _(p, q):
    return -torch.xlogy(q, q).sum(dim=-1)


@cross_entropy_distributions.mistake(
    "Only the most likely outcome of p counts here. Every outcome has to count, as often as it happens."
)
def _(p, q):
    return -q.gather(-1, p.argmax(dim=-1, keepdim=True)).log().squeeze(-1)


@cross_entropy_distributions.mistake(
    "You added the two entropies up. The cross-entropy mixes them: the weights are p and the surprises −log q."
)
def _(p, q):
    return -(torch.xlogy(p, p) + torch.xlogy(q, q)).sum(dim=-1)


@cross_entropy_distributions.mistake("You averaged both directions. Only the world p supplies weights.")
def _(p, q):
    return -(torch.xlogy(p, q) + torch.xlogy(q, p)).sum(dim=-1) / 2


@cross_entropy_distributions.mistake(
    "p occurs inside the logarithm, too. The surprise belongs to the belief alone, −log q, and p is its weight."
)
def _(p, q):
    return -(torch.xlogy(p, p) + torch.xlogy(p, q)).sum(dim=-1)


@cross_entropy_distributions.mistake("This is the entropy of p: the belief q does not occur in it.")
def _(p, q):
    return -torch.xlogy(p, p).sum(dim=-1)


# ---------------------------------------------------------------- kl_divergence


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "What the wrong belief costs *extra*: the surprise of somebody who believes q, less the surprise of somebody who knows p.",
        "Σ p·log(p/q) = Σ p·log p − Σ p·log q, along the last dimension.",
        "Where p is 0 the term is 0, and its slope with respect to q is 0 too. Two `xlogy` give both; the logarithm of the quotient does not.",
    ],
    built="The Kullback-Leibler divergence KL(p ‖ q). PyTorch has it for distribution objects as `torch.distributions.kl_divergence`, and as a "
    "loss as `nn.KLDivLoss`, which you meet next.",
)
def kl_divergence(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


kl_divergence.case("the lesson's example", example=True)(example)
kl_divergence.case("random distributions", gradient=["p", "q"])(two)
kl_divergence.case("one pair")(lambda rng: (rng.distribution(6), rng.distribution(6)))
kl_divergence.case("three dimensions", gradient="q")(
    lambda rng: (rng.distribution(2, 3, 6), rng.distribution(2, 3, 6))
)
kl_divergence.case("outcomes that never happen", gradient="q", extreme=True)(
    lambda rng: [(with_zeros(rng), rng.distribution(4, 5)), (one_hot_rows(rng), rng.distribution(4, 5))]
)
kl_divergence.case("impossible for both", extreme=True)(impossible_for_both)
kl_divergence.case("q rules out what happens", extreme=True)(ruled_out_by_q)
kl_divergence.case("float32", dtype=torch.float32, gradient="q")(two)


@kl_divergence.mistake(
    "p and q are swapped: the world p supplies the weights, and the logarithm is that of p/q."
)
def _(p, q):
    return (torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=-1)


@kl_divergence.mistake(
    "The fraction is upside down, log(q/p): your divergence is never positive, while the right one is never negative."
)
def _(p, q):
    return (torch.xlogy(p, q) - torch.xlogy(p, p)).sum(dim=-1)


@kl_divergence.mistake(
    "This is the whole cross-entropy.",
    hint="Subtract the entropy of p, which even the right belief has to pay.",
)
def _(p, q):
    return -torch.xlogy(p, q).sum(dim=-1)


@kl_divergence.mistake(
    "The result is nan where p is 0: 0·log 0 becomes 0·(−inf). What never happens has to add 0.",
    hint="`torch.xlogy`, twice.",
)
def _(p, q):
    return (p * (p / q).log()).sum(dim=-1)


@kl_divergence.mistake(
    "The value is right where p is 0, but the gradient with respect to q is nan: the infinite logarithm is dropped on the way forward (by `torch.where`, or "
    "`nan_to_num`), and its slope multiplied by 0 on the way back.",
    hint="Split the logarithm: of p, where nothing flows to q, and of q, which is above 0.",
)
def _(p, q):
    return torch.where(p > 0, p * (p / q).log(), 0.0).sum(dim=-1)


@kl_divergence.mistake(
    "`nan_to_num` puts numbers where there are none: the value looks right where p is 0, but its gradient with respect to q is nan all the "
    "same; and what is infinite, a belief that rules out what happens, becomes a large number.",
    hint="Split the logarithm: of p, where nothing flows to q, and of q, which is above 0.",
)
def _(p, q):
    return (p * (p / q).log()).nan_to_num(0).sum(dim=-1)


@kl_divergence.mistake(
    "An epsilon is added to p and q: it disturbs every value a little, and caps the divergence where q is 0.",
    hint="`torch.xlogy` needs none.",
)
def _(p, q):
    a, b = p + 1e-8, q + 1e-8
    a, b = a / a.sum(dim=-1, keepdim=True), b / b.sum(dim=-1, keepdim=True)
    return (a * (a / b).log()).sum(dim=-1)


@kl_divergence.mistake(
    "You took the mean over the outcomes. The weights p are already in the sum, and they add up to 1, so there is nothing left to divide by."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).mean(dim=-1)


@kl_divergence.mistake(
    "You averaged both directions. The divergence is not symmetric: only p supplies weights."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q) + torch.xlogy(q, q) - torch.xlogy(q, p)).sum(dim=-1) / 2


@kl_divergence.mistake("The weights are missing: each log(p/q) has the weight p.")
def _(p, q):
    return (p / q).log().sum(dim=-1)


@kl_divergence.mistake(
    "You subtracted the entropy of q. Both surprises happen in the same world p, so subtract the entropy of p."
)
def _(p, q):
    return (torch.xlogy(q, q) - torch.xlogy(p, q)).sum(dim=-1)


@kl_divergence.mistake(
    "You clamped q away from 0. A belief that rules out something that does happen costs infinitely much."
)
def _(p, q):
    return (torch.xlogy(p, p) - p * q.clamp(min=1e-12).log()).sum(dim=-1)


@kl_divergence.mistake(
    "You return the mean of all pairs.", hint="Return one number for each pair of distributions."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1).mean()


@kl_divergence.mistake(
    "You left out the outcomes to which q gives 0. Where they do happen, the divergence is infinite.",
    hint="Leave out only what has p = 0.",
)
def _(p, q):
    return torch.where(q > 0, torch.xlogy(p, p) - torch.xlogy(p, q), 0.0).sum(dim=-1)


@kl_divergence.mistake(
    "The belief q supplies the weights here, Σ q·log(p/q). They belong to the world p: Σ p·log(p/q)."
)
def _(p, q):
    return (torch.xlogy(q, p) - torch.xlogy(q, q)).sum(dim=-1)


@kl_divergence.mistake(
    "You took absolute values. Where p is smaller than q the term is negative, as it should be: the sum is never below 0 by itself."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).abs().sum(dim=-1)


@kl_divergence.mistake(
    "You dropped the negative terms. Where p is smaller than q the term is negative, as it should be: the sum is never below 0 by itself."
)
def _(p, q):
    return torch.relu(torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


@kl_divergence.mistake(
    "You divided one logarithm by the other. The logarithm of p/q is a difference, log p − log q."
)
def _(p, q):
    return (p * p.log() / q.log()).sum(dim=-1)


@kl_divergence.mistake("The logarithm is missing: each term is p·log(p/q).")
def _(p, q):
    return (p * p / q).sum(dim=-1)


@kl_divergence.mistake(
    "You took the logarithm after the sum.", hint="Weight each outcome's log(p/q) by p first, then add up."
)
def _(p, q):
    return (p * p / q).sum(dim=-1).log()


@kl_divergence.mistake(
    "You added both directions up. The divergence is not symmetric: only p supplies weights."
)
def _(p, q):
    return ((p - q) * (p.log() - q.log())).sum(dim=-1)


@kl_divergence.mistake(
    "You added the entropy of p to the cross-entropy.",
    hint="Subtract it: even the right belief pays that much, so it is not part of the extra cost.",
)
def _(p, q):
    return -(torch.xlogy(p, p) + torch.xlogy(p, q)).sum(dim=-1)


@kl_divergence.mistake(
    "This is the difference of the two entropies. Both surprises happen in the world p: the cross-entropy of p and q, less the entropy of p."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(q, q)).sum(dim=-1)


@kl_divergence.mistake(
    "This is the Jensen-Shannon divergence, of both from their average. Here p is compared with q itself."
)
def _(p, q):
    m = (p + q) / 2
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(m, m)).sum(dim=-1) / 2


@kl_divergence.mistake(
    "You added up along the first dimension. A pair of distributions lies along the last one, `dim=-1`."
)
def _(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=0)


# ---------------------------------------------------------------- kl_div_loss


def reduced(pointwise, reduction):
    return {
        "none": lambda: pointwise,
        "sum": pointwise.sum,
        "mean": pointwise.mean,
        "batchmean": lambda: pointwise.sum() / len(pointwise),
    }[reduction]()


def log_example(rng):
    p, q = example(rng)
    return q.log(), p


def log_two(rng):
    p, q = two(rng)
    return q.log(), p


@exercise(
    points=4,
    without=PYTORCH,
    hints=[
        "The belief comes first, and as a logarithm already. The world comes second, as probabilities.",
        "Each entry is p·log p − p·log_q. Nothing has to be done to log_q.",
        "The four reductions: the entries; their sum; their sum divided by N, the first dimension; and their mean, which divides by N·C.",
    ],
    built='You have built `F.kl_div(log_q, p, reduction=…)`, as a module `nn.KLDivLoss(reduction=…)`. PyTorch\'s default is `"mean"`; yours, like its '
    'documentation\'s advice, is `"batchmean"`.',
)
def kl_div_loss(log_q, p, reduction="batchmean"):
    # "mean" from the entries: asked for by its name, PyTorch's function warns that it is no divergence
    return reduced(F.kl_div(log_q, p, reduction="none"), reduction)


kl_div_loss.case("the lesson's example", example=True)(log_example)
kl_div_loss.case("random distributions", gradient="log_q")(log_two)


@kl_div_loss.case("every reduction", gradient="log_q")
def _(rng):
    log_q, p = log_two(rng)
    return [call(log_q, p, reduction=r) for r in ("batchmean", "sum", "mean", "none")]


@kl_div_loss.case("three dimensions")
def _(rng):
    log_q, p = rng.distribution(2, 3, 5).log(), rng.distribution(2, 3, 5)
    return [call(log_q, p), call(log_q, p, reduction="mean"), call(log_q, p, reduction="none")]


kl_div_loss.case("outcomes that never happen", gradient="log_q", extreme=True)(
    lambda rng: [
        (rng.distribution(4, 5).log(), with_zeros(rng)),
        (rng.distribution(4, 5).log(), one_hot_rows(rng)),
    ]
)
kl_div_loss.case("log-probabilities far below 0", extreme=True)(
    lambda rng: (torch.log_softmax(rng.logits(4, 5, limit=1000.0), dim=-1), rng.distribution(4, 5))
)
kl_div_loss.case("float32", dtype=torch.float32, gradient="log_q")(log_two)


def entries(log_q, p):
    return F.kl_div(log_q, p, reduction="none")


@kl_div_loss.mistake(
    "You took the logarithm of `log_q`. It is a logarithm already, and logarithms of negative numbers are nan."
)
def _(log_q, p, reduction="batchmean"):
    return reduced(torch.xlogy(p, p) - p * log_q.log(), reduction)


@kl_div_loss.mistake("You exponentiated `log_q`, but the formula needs log q, which is what you were given.")
def _(log_q, p, reduction="batchmean"):
    return reduced(torch.xlogy(p, p) - p * log_q.exp(), reduction)


@kl_div_loss.mistake(
    'The default divides by every entry, N·C. `"batchmean"` divides the sum by N, the number of distributions in the batch.'
)
def _(log_q, p, reduction="batchmean"):
    return reduced(entries(log_q, p), "mean" if reduction == "batchmean" else reduction)


@kl_div_loss.mistake(
    'Your `"mean"` divides by N. PyTorch\'s divides by every entry, N·C, which is why it is not the divergence.'
)
def _(log_q, p, reduction="batchmean"):
    return reduced(entries(log_q, p), "batchmean" if reduction == "mean" else reduction)


@kl_div_loss.mistake(
    '`"batchmean"` divides by the first dimension alone. With three dimensions your result is divided by the second one, too.'
)
def _(log_q, p, reduction="batchmean"):
    e = entries(log_q, p)
    return e.sum(dim=-1).mean() if reduction == "batchmean" else reduced(e, reduction)


@kl_div_loss.mistake(
    'With `reduction="none"` the entries stay as they are; you added them up over the classes.'
)
def _(log_q, p, reduction="batchmean"):
    e = entries(log_q, p)
    return e.sum(dim=-1) if reduction == "none" else reduced(e, reduction)


@kl_div_loss.mistake('`reduction` has no effect: you always give the "batchmean".')
def _(log_q, p, reduction="batchmean"):
    return reduced(entries(log_q, p), "batchmean")


@kl_div_loss.mistake("This is the cross-entropy −Σ p·log q: p·log p is missing.")
def _(log_q, p, reduction="batchmean"):
    return reduced(-p * log_q, reduction)


@kl_div_loss.mistake("The direction is reversed, KL(q ‖ p). The weights are those of the second argument, p.")
def _(log_q, p, reduction="batchmean"):
    return reduced(log_q.exp() * (log_q - p.log()), reduction)


@kl_div_loss.mistake("The sign is flipped: p·(log p − log q), not p·(log q − log p).")
def _(log_q, p, reduction="batchmean"):
    return -reduced(entries(log_q, p), reduction)


@kl_div_loss.mistake(
    "The result is nan where p is 0: 0·log 0 becomes 0·(−inf). What never happens has to add 0."
)
def _(log_q, p, reduction="batchmean"):
    return reduced(p * (p.log() - log_q), reduction)


@kl_div_loss.mistake(
    "You treated p as logarithms, too (PyTorch's `log_target=True`). It holds probabilities."
)
def _(log_q, p, reduction="batchmean"):
    return reduced(F.kl_div(log_q, p, reduction="none", log_target=True), reduction)


@kl_div_loss.mistake(
    'You divided by the number of classes. `"batchmean"` divides the sum by the number of distributions, the first dimension.'
)
def _(log_q, p, reduction="batchmean"):
    e = entries(log_q, p)
    return e.sum() / e.shape[-1] if reduction == "batchmean" else reduced(e, reduction)


@kl_div_loss.mistake(
    "p lacks its logarithm: the entries are p·(log p − log_q). Only log_q is a logarithm already."
)
def _(log_q, p, reduction="batchmean"):
    return reduced(p * (p - log_q), reduction)


@kl_div_loss.mistake("The weights are missing: each log p − log_q has the weight p.")
def _(log_q, p, reduction="batchmean"):
    return reduced(p.log() - log_q, reduction)


@kl_div_loss.mistake(
    'Your `"mean"` divides by the number of classes alone. PyTorch\'s divides by every entry, N·C.'
)
def _(log_q, p, reduction="batchmean"):
    e = entries(log_q, p)
    return e.sum() / e.shape[1] if reduction == "mean" else reduced(e, reduction)


@kl_div_loss.mistake(
    "The two arguments are swapped: log_q, the belief in logarithms, comes first, and then p, the world."
)
def _(log_q, p, reduction="batchmean"):
    return reduced(torch.xlogy(log_q, log_q) - log_q * p, reduction)


# ---------------------------------------------------------------- distillation_loss

STUDENT = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]
TEACHER = [
    [8.0, 2.0, 0.5, 1.0, -3.0],
    [0.0, -2.0, 5.0, 3.0, 1.0],
    [-1.0, 0.0, 2.0, 6.0, 4.0],
    [-4.0, 7.0, 0.0, 3.0, 1.0],
]


def lesson_logits(rng):
    return (
        torch.tensor(STUDENT, dtype=rng.dtype),
        torch.tensor(TEACHER, dtype=rng.dtype),
        torch.tensor([0, 2, 3, 1]),
    )


def classroom(rng):
    n, c = rng.size(), rng.size(3, 7)
    return rng.logits(n, c, limit=4.0), rng.logits(n, c, limit=4.0), rng.classes(n, num_classes=c)


def distil(
    s,
    t,
    y,
    T=2.0,
    a=0.5,
    *,
    t_squared=True,
    direction="forward",
    hard=None,
    reduction="batchmean",
    student_at=None,
    teacher_at=None,
):
    """The loss with one part exchanged: for the mistakes."""
    log_q, log_p = (
        torch.log_softmax(s / (student_at or T), dim=1),
        torch.log_softmax(t / (teacher_at or T), dim=1),
    )
    if direction == "reverse":
        log_q, log_p = log_p, log_q
    soft = (log_p.exp() * (log_p - log_q)).sum() / (
        len(s) if reduction == "batchmean" else s.numel() if reduction == "mean" else 1
    )
    return a * (T * T if t_squared else 1) * soft + (1 - a) * (
        F.cross_entropy(s, y) if hard is None else hard
    )


@exercise(
    points=5,
    hints=[
        "Two losses: how far the softened student is from the softened teacher, and the ordinary cross-entropy with the labels.",
        "The teacher is the world p, the student the belief q. Both logits are divided by the temperature, then softmax.",
        "The first part times alpha and temperature², the second, at temperature 1, times 1 − alpha.",
    ],
    built="Knowledge distillation, as Hinton, Vinyals and Dean wrote it down in 2015. PyTorch has no loss of that name: you put it together from "
    "`F.kl_div` and `F.cross_entropy`, as you did.",
)
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student / temperature, dim=1),
        torch.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


distillation_loss.case("the lesson's example", example=True)(lesson_logits)
distillation_loss.case("random logits", gradient="student")(classroom)
distillation_loss.case("another temperature", gradient="student")(
    lambda rng: [call(*classroom(rng), temperature=5.0), call(*classroom(rng), temperature=0.7)]
)
distillation_loss.case("another alpha", gradient="student")(
    lambda rng: [call(*classroom(rng), alpha=0.9), call(*classroom(rng), alpha=0.2)]
)
distillation_loss.case("both options", gradient="student")(lambda rng: call(*classroom(rng), 3.0, 0.8))
distillation_loss.case("teacher alone, labels alone")(
    lambda rng: [call(*classroom(rng), alpha=1.0), call(*classroom(rng), alpha=0.0)]
)


@distillation_loss.case("logits of 1000", gradient="student", extreme=True)
def _(rng):
    s, t, y = classroom(rng)
    # far enough apart in at least one row that no softmax reaches the last class
    s[0, :2], t[0, :2] = (
        torch.tensor([4.0, -4.0], dtype=rng.dtype),
        torch.tensor([-4.0, 4.0], dtype=rng.dtype),
    )
    return [call(s * 250, t, y), call(s, t * 250, y)]


distillation_loss.case("float32", dtype=torch.float32, gradient="student")(classroom)


@distillation_loss.mistake(
    "The factor temperature² is missing in front of the divergence: without it the gradient of the teacher's part fades like 1/temperature² at high temperatures."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, t_squared=False)


@distillation_loss.mistake(
    "You multiplied the divergence by the temperature.",
    hint="Use its square: at high temperatures the gradient shrinks like 1/temperature².",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha * temperature, t_squared=False, hard=0) + (
        1 - alpha
    ) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "The divergence runs the wrong way. The teacher is the world p, which supplies the weights, and the student is the belief q."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, direction="reverse")


@distillation_loss.mistake("alpha and 1 − alpha are swapped: alpha belongs to the teacher.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, 1 - alpha)


@distillation_loss.mistake("The teacher is not softened: its logits are divided by the temperature, too.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, teacher_at=1.0)


@distillation_loss.mistake(
    "In the divergence the student is not softened: its logits are divided by the temperature there, too."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, student_at=1.0)


@distillation_loss.mistake(
    "You softened the student for the labels, too. The cross-entropy with y is taken at temperature 1."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, hard=F.cross_entropy(student / temperature, y))


@distillation_loss.mistake(
    'The divergence is averaged over N·C entries (`"mean"`).',
    hint='Sum it over the classes and average over the N samples (`"batchmean"`).',
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, reduction="mean")


@distillation_loss.mistake(
    "The divergence is a sum over the samples, the cross-entropy a mean: the balance would depend on the size of the batch.",
    hint="Divide by N.",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, reduction="sum")


@distillation_loss.mistake(
    "You multiplied the logits by the temperature. Dividing softens; multiplying sharpens."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(
        student, teacher, y, temperature, alpha, student_at=1 / temperature, teacher_at=1 / temperature
    )


@distillation_loss.mistake("When logits are large, the softmax reaches 0 and its logarithm becomes −inf.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.softmax(student / temperature, dim=1).log(),
        torch.softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "This is the cross-entropy with the teacher's probabilities.",
    hint="Subtract the teacher's own entropy, so that the divergence is 0 when both agree.",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.cross_entropy(student / temperature, torch.softmax(teacher / temperature, dim=1))
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    '`"batchmean"` was applied to raw logits: before the divergence both need a softmax, the student\'s in logarithms.'
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(student / temperature, torch.softmax(teacher / temperature, dim=1), reduction="batchmean")
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "You passed the student to the divergence as probabilities, but its first argument holds logarithms."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.softmax(student / temperature, dim=1),
        torch.softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake("The labels' part counts fully here. The cross-entropy has the weight 1 − alpha.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha) + alpha * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "The divergence is a mean, the cross-entropy a sum over the samples: the balance would depend on the size of the batch.",
    hint="Divide by N.",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, hard=F.cross_entropy(student, y, reduction="sum"))


@distillation_loss.mistake(
    "A softmax comes before `cross_entropy`, which applies one itself.", hint="Give it the student's logits."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(
        student, teacher, y, temperature, alpha, hard=F.cross_entropy(torch.softmax(student, dim=1), y)
    )


@distillation_loss.mistake(
    "You squared alpha together with the temperature: the factor is alpha·temperature², not (alpha·temperature)²."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha) + (alpha**2 - alpha) * distil(
        student, teacher, y, temperature, 1.0
    )


@distillation_loss.mistake(
    "You subtracted the divergence, so the loss falls as the student moves away from the teacher.",
    hint="Add it.",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha) - 2 * alpha * distil(
        student, teacher, y, temperature, 1.0
    )


@distillation_loss.mistake(
    "Only the teacher's favourite class counts here. The student should learn how the teacher ranks the others, so the whole softmax counts."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return alpha * temperature**2 * F.cross_entropy(student / temperature, teacher.argmax(dim=1)) + (
        1 - alpha
    ) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "You passed the teacher to the divergence as logarithms. `kl_div` wants the student as logarithms and the teacher as probabilities (or `log_target=True`)."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student / temperature, dim=1),
        torch.log_softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake("alpha is missing: the teacher's part counts alpha, the labels' part 1 − alpha.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return 2 * distil(student, teacher, y, temperature, 0.5)


@distillation_loss.mistake(
    "temperature² belongs to the divergence alone. The cross-entropy with the labels is not softened, so it needs no factor."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, hard=temperature**2 * F.cross_entropy(student, y))


@distillation_loss.mistake(
    "You divided by temperature². The softened divergence is small already, and the factor should make it larger."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha / temperature**2, t_squared=False, hard=0) + (
        1 - alpha
    ) * F.cross_entropy(student, y)


@distillation_loss.mistake("The softmax runs over the samples, but each row holds the logits of one sample.")
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student / temperature, dim=0),
        torch.softmax(teacher / temperature, dim=0),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "You applied the temperature after the softmax. It divides the logits, before the softmax."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student, dim=1) / temperature,
        torch.softmax(teacher, dim=1) / temperature,
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@distillation_loss.mistake(
    "You compared the labels with the teacher. It is the student that has to learn them."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, hard=F.cross_entropy(teacher, y))


@distillation_loss.mistake(
    "You softened the student for the labels, too, and left temperature² out. The cross-entropy with y is taken at temperature 1; "
    "the factor makes up for the softening of the divergence."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    labels = F.cross_entropy(student / temperature, y)
    return distil(student, teacher, y, temperature, alpha, t_squared=False, hard=labels)


@distillation_loss.mistake(
    "You softened the student for the labels, too, and multiplied both parts by temperature². The cross-entropy with y is taken at temperature 1, "
    "and needs no factor."
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    labels = temperature**2 * F.cross_entropy(student / temperature, y)
    return distil(student, teacher, y, temperature, alpha, hard=labels)


@distillation_loss.mistake(
    "temperature² is missing, and the divergence is averaged over all N·C entries.",
    hint='`reduction="batchmean"` divides by the N samples alone. The square makes up for what the softening takes from the gradient.',
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    return distil(student, teacher, y, temperature, alpha, t_squared=False, reduction="mean")


@distillation_loss.mistake(
    "This is the cross-entropy with the teacher's probabilities, and temperature² is missing.",
    hint="Subtract the teacher's own entropy, so that the divergence is 0 when both agree; the square makes up for what the softening takes from the gradient.",
)
def _(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.cross_entropy(student / temperature, torch.softmax(teacher / temperature, dim=1))
    return alpha * soft + (1 - alpha) * F.cross_entropy(student, y)
