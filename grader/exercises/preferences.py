"""Exercises of 17_preferences: binary cross-entropy on differences: which of two is better, and how far did the model go?

What earlier lessons have rebuilt (`logsigmoid`, `softplus`, `log_softmax`, `binary_cross_entropy_with_logits`) may be used.
Sources: Bradley and Terry (1952), https://doi.org/10.2307/2334029; Plackett (1975), https://doi.org/10.2307/2346567;
Rafailov et al., "Direct Preference Optimization", https://arxiv.org/abs/2305.18290, equation 7;
Schulman, "Approximating KL Divergence", http://joschu.net/blog/kl-approx.html
"""

import torch
from torch.nn import functional as F

from grader.exercises.language_model import PROMPT, TOKENS, Z, padded
from grader.judging.exercise import exercise
from grader.judging.question import call

CHOSEN = [2.0, 0.5, -1.0]
REJECTED = [1.0, 1.5, -1.0]

# ---------------------------------------------------------------- bradley_terry_loss


def pairs(rng):
    """Scores of the better and the worse of each pair; never equal."""
    n = rng.size()
    return rng.logits(n, limit=4.0), rng.normal(n)


def far_pairs(rng):
    """Differences of ±1000, one at a time and mixed; and a small difference of two large scores."""
    ones = torch.ones(1, dtype=rng.dtype)
    mixed = 1000 * rng.signs(6)
    return [
        (1000 * ones, 0 * ones),
        (0 * ones, 1000 * ones),
        (mixed, -500 * ones.expand(6).clone()),
        (1000 * ones, 998.5 * ones),
        (-1000 * ones, -1001.5 * ones),
    ]


@exercise(
    points=2,
    hints=[
        "The probability that the better one wins is a sigmoid. Of what?",
        "Minus the logarithm of it, for each pair, and the mean. σ(−1000) is 0 in floats, so its logarithm must not be taken from there: `03_bce_with_logits` has the function.",
        "`F.logsigmoid` of the difference, or `F.softplus` of the other difference.",
    ],
    built="The loss of Bradley and Terry's model of 1952, and of reward models today: binary cross-entropy whose logit is a difference of scores and whose label is always 1. "
    "`torch.nn` has it under no name of its own; `F.binary_cross_entropy_with_logits` on the differences gives the same.",
)
def bradley_terry_loss(chosen, rejected):
    return F.softplus(rejected - chosen).mean()


BOTH = ("chosen", "rejected")

bradley_terry_loss.case("the lesson's example", example=True, gradient=BOTH)(
    lambda rng: (torch.tensor(CHOSEN, dtype=rng.dtype), torch.tensor(REJECTED, dtype=rng.dtype))
)
bradley_terry_loss.case("random scores", gradient=BOTH)(pairs)
bradley_terry_loss.case("one pair", gradient=BOTH)(lambda rng: (rng.logits(1), rng.normal(1)))
bradley_terry_loss.case("all scores moved by 50", gradient=BOTH)(
    lambda rng: tuple(scores + 50 for scores in pairs(rng))
)
bradley_terry_loss.case("float32", dtype=torch.float32, gradient=BOTH)(pairs)
bradley_terry_loss.case("differences of 1000", extreme=True, gradient=BOTH)(far_pairs)


@bradley_terry_loss.mistake(
    "The difference is the wrong way round: your loss falls when the rejected one scores higher.",
    hint="σ(chosen − rejected) is the probability that the chosen one is preferred.",
)
def _(chosen, rejected):
    return F.softplus(chosen - rejected).mean()


@bradley_terry_loss.mistake(
    "You returned the mean probability of the preferences. The loss is minus the mean of their logarithms."
)
def _(chosen, rejected):
    return torch.sigmoid(chosen - rejected).mean()


@bradley_terry_loss.mistake(
    "You averaged the probabilities first and took the logarithm afterwards. Each pair has a loss of its own.",
    hint="The logarithm comes before the mean.",
)
def _(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).mean().log()


@bradley_terry_loss.mistake(
    "At a difference of −1000 your loss is inf: the sigmoid is exactly 0 there, and e^1000 is infinite.",
    hint="`F.logsigmoid` never makes that 0.",
)
def _(chosen, rejected):
    return -torch.sigmoid(chosen - rejected).log().mean()


@bradley_terry_loss.mistake(
    "A small number inside the logarithm keeps inf away, but a pair that is wrong by 1000 then costs no more than one that is wrong by 30, and has no slope.",
    hint="`F.logsigmoid` needs no such number.",
)
def _(chosen, rejected):
    return -(torch.sigmoid(chosen - rejected) + 1e-12).log().mean()


@bradley_terry_loss.mistake("The minus is missing: logarithms of probabilities are negative, a loss is not.")
def _(chosen, rejected):
    return F.logsigmoid(chosen - rejected).mean()


@bradley_terry_loss.mistake("You added the losses up; their mean is the loss of the batch.")
def _(chosen, rejected):
    return F.softplus(rejected - chosen).sum()


@bradley_terry_loss.mistake(
    "You returned the loss of each pair; their mean, one number, is the loss of the batch."
)
def _(chosen, rejected):
    return F.softplus(rejected - chosen)


@bradley_terry_loss.mistake(
    "You gave each score a binary cross-entropy of its own, chosen against 1 and rejected against 0. "
    "A preference says nothing about either alone: adding 50 to both must change nothing.",
    hint="The difference is the logit.",
)
def _(chosen, rejected):
    return (F.softplus(-chosen) + F.softplus(rejected)).mean()


@bradley_terry_loss.mistake(
    "You compared the mean scores of the two sides. Each pair was judged on its own: differences first, the mean last."
)
def _(chosen, rejected):
    return F.softplus(rejected.mean() - chosen.mean())


@bradley_terry_loss.mistake(
    "You subtracted the two sigmoids. A sigmoid of the difference is meant, and its logarithm."
)
def _(chosen, rejected):
    return -(torch.sigmoid(chosen) - torch.sigmoid(rejected)).mean()


@bradley_terry_loss.mistake(
    "This is a hinge: beyond a lead of 1 it teaches nothing, and its straight line is no logarithm of a probability."
)
def _(chosen, rejected):
    return F.relu(1 - (chosen - rejected)).mean()


@bradley_terry_loss.mistake(
    "The rejected scores are cut off from the graph (`detach`): half of each pair teaches nothing."
)
def _(chosen, rejected):
    return F.softplus(rejected.detach() - chosen).mean()


@bradley_terry_loss.mistake(
    "You subtracted the logarithms of two sigmoids, one for each score. There is one sigmoid here, of the difference.",
)
def _(chosen, rejected):
    return (F.logsigmoid(rejected) - F.logsigmoid(chosen)).mean()


@bradley_terry_loss.mistake(
    "Your loss stops at 100, however wrong a pair is, and has no slope beyond: something is clamped on the way. `F.binary_cross_entropy` of a sigmoid "
    "does that to its logarithm, for one.",
    hint="`F.logsigmoid` of the difference needs no clamp; nor does the binary cross-entropy that takes logits.",
)
def _(chosen, rejected):
    p = torch.sigmoid(chosen - rejected)
    return F.binary_cross_entropy(p, torch.ones_like(p))


# ---------------------------------------------------------------- sequence_log_probability


def answered(rng, padding=-100):
    """Four texts of question, answer and padding, and the mask of the answers' tokens."""
    z, tokens = rng.logits(4, 7, 6), rng.classes(4, 7, num_classes=6)
    prompt = rng.integers(4, low=1, high=4)
    lengths = prompt + rng.integers(4, low=2, high=4)
    lengths[0], lengths[1] = prompt[0] + 2, 7
    t = torch.arange(7)
    mask = (t >= prompt[:, None]) & (t < lengths[:, None])
    return z, tokens if padding is None else padded(tokens, lengths, padding), mask


def empty_answer(rng):
    z, tokens, mask = answered(rng)
    mask[2] = False
    tokens[2, 3:] = -100
    return z, tokens, mask


def scattered(rng):
    """A mask with holes, as where several turns of a dialogue count."""
    z, tokens = rng.logits(3, 9, 4), rng.classes(3, 9, num_classes=4)
    mask = rng.uniform(3, 9) < 0.5
    mask[:, 0], mask[:, 4], mask[:, 5] = False, True, False
    return z, tokens, mask


def everything(rng):
    """All tokens are marked, the first too, which nothing predicts."""
    return rng.logits(3, 5, 4), rng.classes(3, 5, num_classes=4), torch.ones(3, 5, dtype=torch.bool)


def far_answers(rng):
    z, tokens, mask = answered(rng)
    return 1000 * rng.signs(*z.shape), tokens, mask


@exercise(
    points=3,
    hints=[
        "The probability of a text is a product over its tokens. What is its logarithm, and which tokens belong to it here?",
        "First the shift from `14_language_model`: the scores of position t meet the token at t + 1, and the mask has to be cut like the tokens. −100 is not a place to pick from.",
        "log_softmax over the vocabulary, `gather` the tokens (clamped at 0), 0 where the mask is false, and the sum over the positions of each row.",
    ],
    built="You have built what preference losses call `logps`: the log-probability of an answer, given its question. It is a sum, so each further token can only lower it.",
)
def sequence_log_probability(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum(dim=1)


def _picked(z, tokens):
    """The log-probability of each predicted token, (N, L - 1)."""
    return -F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:].clamp(min=0), reduction="none")


def answered_example(rng):
    tokens = torch.tensor(TOKENS)
    mask = torch.arange(4) >= torch.tensor(PROMPT)[:, None]
    return torch.tensor(Z, dtype=rng.dtype), tokens, mask


sequence_log_probability.case("the lesson's example", example=True, gradient="z")(answered_example)
sequence_log_probability.case("random answers, padding −100", gradient="z")(answered)
sequence_log_probability.case("padding is any token", gradient="z")(lambda rng: answered(rng, padding=None))
sequence_log_probability.case("a row of which nothing counts", gradient="z")(empty_answer)
sequence_log_probability.case("a mask with holes", gradient="z")(scattered)
sequence_log_probability.case("every token is marked", gradient="z")(everything)
sequence_log_probability.case("float32", dtype=torch.float32, gradient="z")(answered)
sequence_log_probability.case("scores of 1000", extreme=True, gradient="z")(far_answers)


@sequence_log_probability.mistake(
    "You averaged the log-probabilities. The logarithm of a product is a sum: averaged, it is no longer the probability of the answer, and a long improbable answer passes for a short one."
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum(dim=1) / mask[:, 1:].sum(dim=1)


@sequence_log_probability.mistake(
    "You averaged the log-probabilities (and guarded against 0/0). The logarithm of a product is a sum."
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum(dim=1) / mask[:, 1:].sum(dim=1).clamp(min=1)


@sequence_log_probability.mistake(
    "You took the mean over all positions of a row. The logarithm of a product is a sum."
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).mean(dim=1)


@sequence_log_probability.mistake("The mask has no effect: question and padding count as well.")
def _(z, tokens, mask):
    return _picked(z, tokens).sum(dim=1)


@sequence_log_probability.mistake(
    "The mask is one place off: you used it for the positions of the scores, so the first token of the answer is lost, and one behind it counts.",
    hint="It marks tokens. Cut it as you cut the tokens.",
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, :-1]).sum(dim=1)


@sequence_log_probability.mistake(
    "There is no shift: the scores at position t are compared with the token at t, which the model has just read."
)
def _(z, tokens, mask):
    log_p = z.log_softmax(dim=2).gather(2, tokens.clamp(min=0)[..., None]).squeeze(2)
    return (log_p * mask).sum(dim=1)


@sequence_log_probability.mistake(
    "The sign is flipped: this is the loss of each answer, and a log-probability is negative."
)
def _(z, tokens, mask):
    return -(_picked(z, tokens) * mask[:, 1:]).sum(dim=1)


@sequence_log_probability.mistake(
    "You added everything up, over the rows too. Each answer has its own log-probability: (N,)."
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum()


@sequence_log_probability.mistake(
    "You averaged over the rows. Each answer has its own log-probability: (N,)."
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum(dim=1).mean()


@sequence_log_probability.mistake(
    "You returned one number for each token. The answer's log-probability is their sum."
)
def _(z, tokens, mask):
    return _picked(z, tokens) * mask[:, 1:]


@sequence_log_probability.mistake(
    "You returned the probability of each answer. Its logarithm is the one that does not underflow.",
)
def _(z, tokens, mask):
    return (_picked(z, tokens) * mask[:, 1:]).sum(dim=1).exp()


@sequence_log_probability.mistake(
    "You added up the scores themselves. They are not log-probabilities yet: the log-sum-exp over the vocabulary is missing."
)
def _(z, tokens, mask):
    picked = z[:, :-1].gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    return (picked * mask[:, 1:]).sum(dim=1)


@sequence_log_probability.mistake(
    "You added probabilities up. The probability of an answer is a product; its logarithm is a sum of logarithms."
)
def _(z, tokens, mask):
    return (_picked(z, tokens).exp() * mask[:, 1:]).sum(dim=1)


@sequence_log_probability.mistake(
    "You took the logarithm of a softmax: where the model is sure of something else, the probability underflows to 0, and its logarithm is −inf.",
    hint="`log_softmax` never makes that 0.",
)
def _(z, tokens, mask):
    p = torch.softmax(z[:, :-1], dim=2).gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    return torch.where(mask[:, 1:], p, torch.ones_like(p)).log().sum(dim=1)


@sequence_log_probability.mistake(
    "The softmax runs over the positions. The words compete at each position: it belongs to the last dimension."
)
def _(z, tokens, mask):
    log_p = z[:, :-1].log_softmax(dim=1).gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    return (log_p * mask[:, 1:]).sum(dim=1)


@sequence_log_probability.mistake(
    "You pick scores with −100: padding is not a place in the vocabulary.",
    hint="Replace those tokens by any real one before you pick (`clamp(min=0)`), and mask afterwards.",
)
def _(z, tokens, mask):
    log_p = z[:, :-1].log_softmax(dim=2).gather(2, tokens[:, 1:, None]).squeeze(2)
    return (log_p * mask[:, 1:]).sum(dim=1)


@sequence_log_probability.mistake(
    "You replaced the tokens that do not count by token 0, and added its log-probability all the same. Replacing them makes picking possible; they still have to drop out of the sum.",
    hint="0 where the mask is False, and then the sum.",
)
def _(z, tokens, mask):
    labels = tokens[:, 1:].masked_fill(~mask[:, 1:], 0)
    return torch.log_softmax(z[:, :-1], dim=2).gather(2, labels[:, :, None]).squeeze(2).sum(dim=1)


# ---------------------------------------------------------------- dpo_loss

NAMES = ("chosen", "rejected", "chosen_ref", "rejected_ref")


def log_probabilities(rng):
    """Log-probabilities of answers under the model and, not far from them, under the reference."""
    n = rng.size()
    chosen, rejected = -rng.uniform(n, low=3.0, high=30.0), -rng.uniform(n, low=3.0, high=30.0)
    return chosen, rejected, chosen + rng.normal(n, scale=3.0), rejected + rng.normal(n, scale=3.0)


def with_betas(rng):
    given = log_probabilities(rng)
    return [call(*given), call(*given, beta=0.5), call(*given, beta=2.0), call(*given, beta=0.01)]


def far_answers_of_models(rng):
    """Margins of ±1000 and more; and long texts, whose log-probabilities are large and whose margin is small."""
    zero = torch.zeros(1, dtype=rng.dtype)
    far = [(zero - a, zero - b, zero - c, zero - d) for a, b, c, d in (
        (1000, 0, 0, 0), (0, 1000, 0, 0), (0, 0, 1000, 0), (0, 0, 0, 1000), (1003, 1001, 1000, 1004),
    )]  # fmt: skip
    return [call(*given, beta=1.0) for given in far] + [call(*given) for given in far]


@exercise(
    points=3,
    hints=[
        "Each answer gets a score: by how much the model makes it more probable than the reference does. The rest is Bradley and Terry's.",
        "The margin is (chosen − chosen_ref) − (rejected − rejected_ref). beta multiplies it inside the sigmoid; and the reference must not learn.",
        "`.detach()` the two of the reference, −logsigmoid(beta · margin), the mean.",
    ],
    built="Direct preference optimisation: binary cross-entropy on the difference of two differences. PyTorch has no such loss; "
    "libraries write `-F.logsigmoid(beta * logits)` and compute the reference without a graph.",
)
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    # the reference gets the gradient 0, not None, so that one that is not 0 is seen
    fixed = rejected_ref.detach() - chosen_ref.detach() + 0 * (chosen_ref + rejected_ref)
    return -F.logsigmoid(beta * (chosen - rejected + fixed)).mean()


def dpo_example(rng):
    given = [[-4.0, -6.0, -5.0], [-5.0, -3.0, -9.0], [-4.5, -6.0, -7.0], [-4.0, -4.0, -9.0]]
    return tuple(torch.tensor(values, dtype=rng.dtype) for values in given)


dpo_loss.case("the lesson's example", example=True, gradient=BOTH)(dpo_example)
dpo_loss.case("random answers", gradient=BOTH)(log_probabilities)
dpo_loss.case("several values of beta", gradient=BOTH)(with_betas)
dpo_loss.case("model and reference are the same", gradient=BOTH)(
    lambda rng: (lambda c, r: (c, r, c.clone(), r.clone()))(*log_probabilities(rng)[:2])
)
dpo_loss.case("the reference stays as it is", gradient=NAMES)(log_probabilities)
dpo_loss.case("float32", dtype=torch.float32, gradient=BOTH)(with_betas)
dpo_loss.case("margins of 1000", extreme=True, gradient=BOTH)(far_answers_of_models)


def _margin(chosen, rejected, chosen_ref, rejected_ref):
    return (chosen - chosen_ref.detach()) - (rejected - rejected_ref.detach())


@dpo_loss.mistake(
    "This is IPO's loss, the squared distance of the margin from 1/(2·beta). DPO takes −log σ(beta·margin)."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = (chosen - chosen_ref.detach()) - (rejected - rejected_ref.detach())
    return (margin - 1 / (2 * beta)).square().mean()


@dpo_loss.mistake(
    "You divided the log-probabilities by the reference's. The logarithm of a ratio is a difference: log p − log p_ref."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = chosen / chosen_ref.detach() - rejected / rejected_ref.detach()
    return F.softplus(-beta * margin).mean()


@dpo_loss.mistake(
    "The reference's gradient is kept: the value is right, but training would push the reference away from the chosen answer, which widens the margin just as well.",
    hint="Compute it without a graph, or `.detach()` it.",
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * ((chosen - chosen_ref) - (rejected - rejected_ref))).mean()


@dpo_loss.mistake(
    "beta multiplies the loss. It belongs inside the sigmoid, to the margin: there it says how far the model has to move before a pair counts as settled."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -beta * F.logsigmoid(_margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake("You divided the margin by beta; it is multiplied by it.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(_margin(chosen, rejected, chosen_ref, rejected_ref) / beta).mean()


@dpo_loss.mistake("`beta` has no effect: yours is always 0.1.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(0.1 * _margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake("`beta` is missing: the margin goes into the sigmoid as it is.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(_margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake(
    "The reference has no effect: nothing in your loss says from where the model is to be moved."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * (chosen - rejected)).mean()


@dpo_loss.mistake(
    "The reference has the wrong sign: it is added, or each answer is compared with the other one's reference. What counts is by how much the model differs from the reference on the same answer."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * ((chosen + chosen_ref.detach()) - (rejected + rejected_ref.detach()))).mean()


@dpo_loss.mistake("Chosen and rejected are swapped: the model learns to prefer what was rejected.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(-beta * _margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake(
    "You gave each answer a loss of its own, against its reference. A preference compares two: their difference goes into one sigmoid."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    up = F.logsigmoid(beta * (chosen - chosen_ref.detach()))
    down = F.logsigmoid(-beta * (rejected - rejected_ref.detach()))
    return -(up + down).mean()


@dpo_loss.mistake("The minus is missing: logarithms of probabilities are negative, a loss is not.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return F.logsigmoid(beta * _margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake("You added the losses up; their mean is the loss of the batch.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * _margin(chosen, rejected, chosen_ref, rejected_ref)).sum()


@dpo_loss.mistake("You returned the loss of each pair; their mean, one number, is the loss of the batch.")
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * _margin(chosen, rejected, chosen_ref, rejected_ref))


@dpo_loss.mistake(
    "You took the logarithm of a sigmoid: at a margin of −1000 the sigmoid is exactly 0, and the loss inf.",
    hint="`F.logsigmoid` never makes that 0.",
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -torch.sigmoid(beta * _margin(chosen, rejected, chosen_ref, rejected_ref)).log().mean()


@dpo_loss.mistake(
    "You made probabilities of the log-probabilities. The margin is a difference of logarithms; no exponential is needed."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    ratio = (chosen - chosen_ref.detach()).exp() - (rejected - rejected_ref.detach()).exp()
    return -F.logsigmoid(beta * ratio).mean()


@dpo_loss.mistake(
    "The model's own log-probabilities are cut off from the graph, too: only the reference's may be."
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * _margin(chosen.detach(), rejected.detach(), chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake(
    "beta multiplies the model's difference alone. It belongs to the whole margin, the reference's difference included.",
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -F.logsigmoid(beta * (chosen - rejected) - (chosen_ref - rejected_ref).detach()).mean()


@dpo_loss.mistake(
    "The logarithm is missing: you return minus the probability of the preferences, and a hopeless pair then has no slope.",
    hint="−log σ, not −σ.",
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    return -torch.sigmoid(beta * _margin(chosen, rejected, chosen_ref, rejected_ref)).mean()


@dpo_loss.mistake(
    "You took the logarithm of a sigmoid: at a margin of −1000 the sigmoid is exactly 0, and the loss inf. And the reference's gradient is kept, so that training would move the reference, too.",
    hint="`F.logsigmoid` never makes that 0; `.detach()` the two of the reference.",
)
def _(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = (chosen - chosen_ref) - (rejected - rejected_ref)
    return -torch.sigmoid(beta * margin).log().mean()


# ---------------------------------------------------------------- kl_estimates


def sampled(rng):
    """Log-probabilities of samples under two distributions, of which none is far from the other."""
    n = rng.size(6, 9)
    log_p = -rng.uniform(n, low=0.5, high=4.0)
    return log_p, log_p + rng.normal(n, scale=0.8)


def far_samples(rng):
    """Samples that q finds impossible, ratios of e^-1000; and one that it finds e^30 times as probable."""
    log_p = -rng.uniform(5, low=0.5, high=4.0)
    one = torch.ones(1, dtype=rng.dtype)
    return [(log_p, log_p - 1000), (-one, -1001 * one), (-31 * one, -one)]


@exercise(
    points=3,
    hints=[
        "One number for each sample first: r = log_q − log_p, the logarithm of the ratio. All three estimates are means of functions of it.",
        "k1 is what the definition says, the mean of log p − log q. k2 is half of a square. k3 adds to k1 something whose mean is 0 under p: e^r − 1.",
        "The means of −r, of r²/2 and of e^r − 1 − r, in this order, as a tuple.",
    ],
    built="Three estimates of KL(p ‖ q) from samples of p. PyTorch has `nn.KLDivLoss` for whole distributions and nothing for samples; "
    "libraries of reinforcement learning write these three out.",
)
def kl_estimates(log_p, log_q):
    r = log_q - log_p
    return (-r).mean(), (r.square() / 2).mean(), (torch.expm1(r) - r).mean()


def kl_example(rng):
    p, q = torch.tensor([0.5, 0.3, 0.2], dtype=rng.dtype), torch.tensor([0.4, 0.4, 0.2], dtype=rng.dtype)
    samples = torch.tensor([0, 1, 0, 2, 1])
    return p.log()[samples], q.log()[samples]


RATIO = ("log_p", "log_q")

kl_estimates.case("the lesson's example", example=True, gradient=RATIO)(kl_example)
kl_estimates.case("random samples", gradient=RATIO)(sampled)
kl_estimates.case("one sample", gradient=RATIO)(lambda rng: tuple(v[:1] for v in sampled(rng)))
kl_estimates.case("the same distribution", gradient=RATIO)(
    lambda rng: (lambda p: (p, p.clone()))(sampled(rng)[0])
)
kl_estimates.case("float32", dtype=torch.float32, gradient=RATIO)(sampled)
kl_estimates.case("improbable samples", extreme=True, gradient=RATIO)(far_samples)


def wrong_estimates(k1=None, k2=None, k3=None):
    """The three estimates, some of them wrong; each a function of log_p and log_q."""
    right = (
        lambda p, q: (p - q).mean(),
        lambda p, q: ((q - p) ** 2 / 2).mean(),
        lambda p, q: (torch.expm1(q - p) - (q - p)).mean(),
    )
    return lambda log_p, log_q: tuple((k or own)(log_p, log_q) for k, own in zip((k1, k2, k3), right))


kl_estimates.mistake(
    "The ratio is upside down: r = log_q − log_p, since the samples come from p. In yours k1 has the wrong sign, and k3 estimates something else.",
    hint="Others draw from q and write log p − log q; the letters are swapped there.",
)(lambda log_p, log_q: wrong_estimates()(log_q, log_p))

kl_estimates.mistake(
    "k1 has the wrong sign: it is the mean of log p − log q, the definition itself, so −r.",
)(wrong_estimates(k1=lambda p, q: (q - p).mean()))

kl_estimates.mistake(
    "k3 has the sign of r turned: it is e^r − 1 − r, which is never negative. Yours may be, and its mean is not the divergence.",
)(wrong_estimates(k3=lambda p, q: (torch.expm1(q - p) + (q - p)).mean()))

kl_estimates.mistake(
    "k3 is computed with −r: e^(−r) − 1 + r would be right for samples from q. Here they come from p."
)(wrong_estimates(k3=lambda p, q: (torch.expm1(p - q) - (p - q)).mean()))

kl_estimates.mistake("The −1 is missing in k3: at r = 0, where the two agree, it has to be 0.")(
    wrong_estimates(k3=lambda p, q: ((q - p).exp() - (q - p)).mean())
)

kl_estimates.mistake("k3 lacks its second part: e^r − 1 alone has the mean 0 under p. It is added to −r.")(
    wrong_estimates(k3=lambda p, q: torch.expm1(q - p).mean())
)

kl_estimates.mistake(
    "k3 is negative in yours: you turned it round as a whole. e^r − 1 − r is never below 0."
)(wrong_estimates(k3=lambda p, q: -(torch.expm1(q - p) - (q - p)).mean()))

kl_estimates.mistake(
    "The half is missing in k2: r²/2 is what −r and e^r − 1 − r are close to on average, when r is small."
)(wrong_estimates(k2=lambda p, q: ((q - p) ** 2).mean()))

kl_estimates.mistake("k2 squares the mean. The square belongs to each sample's r; the mean comes last.")(
    wrong_estimates(k2=lambda p, q: (q - p).mean() ** 2 / 2)
)

kl_estimates.mistake(
    "k1 has its absolute value taken. It may be negative for some samples; only so is its mean right."
)(wrong_estimates(k1=lambda p, q: (p - q).abs().mean()))

kl_estimates.mistake(
    "You weighted the samples with their probability p. They were drawn from p: each counts once, and frequent ones come often."
)(
    lambda log_p, log_q: (
        (log_p.exp() * (log_p - log_q)).sum(),
        (log_p.exp() * (log_q - log_p) ** 2 / 2).sum(),
        (log_p.exp() * (torch.expm1(log_q - log_p) - (log_q - log_p))).sum(),
    )
)

kl_estimates.mistake("You added up over the samples. Estimates are means.")(
    lambda log_p, log_q: tuple(k * len(log_p) for k in wrong_estimates()(log_p, log_q))
)

kl_estimates.mistake(
    "You returned the values of all samples. Each of the three estimates is a mean, one number."
)(
    lambda log_p, log_q: (
        log_p - log_q,
        (log_q - log_p) ** 2 / 2,
        torch.expm1(log_q - log_p) - (log_q - log_p),
    )
)

kl_estimates.mistake("k2 and k3 are swapped: the order is k1, k2, k3.")(
    lambda log_p, log_q: tuple(wrong_estimates()(log_p, log_q)[i] for i in (0, 2, 1))
)


kl_estimates.mistake(
    "k2 is half the variance of r in yours. It is half the mean of its square: the mean of r is not subtracted."
)(wrong_estimates(k2=lambda p, q: (q - p).var() / 2))

kl_estimates.mistake(
    "k3 is computed from the mean of r. Each sample has an e^r of its own; the mean comes last."
)(wrong_estimates(k3=lambda p, q: torch.expm1((q - p).mean()) - (q - p).mean()))


def cut(*estimates):
    """The three estimates, those with these numbers cut off from what they were computed from."""

    def estimate(log_p, log_q):
        right = wrong_estimates()(log_p, log_q)
        return tuple(k.detach() if number in estimates else k for number, k in enumerate(right, start=1))

    return estimate


CUT = "is right as a number, but no gradient comes through it: `detach`, `item` or `no_grad` cuts it off. A policy may be trained on any of the three."

kl_estimates.mistake(f"k2 {CUT}")(cut(2))
kl_estimates.mistake(f"k3 {CUT}")(cut(3))
kl_estimates.mistake(
    "k2 and k3 are right as numbers, but no gradient comes through them: `detach`, `item` or `no_grad` cuts it off."
)(cut(2, 3))


# ---------------------------------------------------------------- plackett_luce_loss


def races(rng):
    """Scores of four items, and an order of them for each row."""
    n = rng.size(5, 7)
    return rng.logits(n, 4, limit=3.0), orders(rng, n, 4)


def orders(rng, n, k):
    """One permutation a row; the first row's is not its own inverse."""
    rows = torch.stack([rng.permutation(k) for _ in range(n)])
    if k > 2:
        rows[0] = torch.tensor([*range(1, k), 0])
    return rows


def far_races(rng):
    """Scores of ±1000; one race in which the order is the most, one in which it is the least probable."""
    z = torch.tensor([[1000.0, 0.0, -1000.0]], dtype=rng.dtype)
    mixed = 1000 * rng.signs(4, 5)
    return [(z, torch.tensor([[0, 1, 2]])), (z, torch.tensor([[2, 1, 0]])), (mixed, orders(rng, 4, 5))]


@exercise(
    points=3,
    hints=[
        "Draw the winner of all by a softmax; then the second of those that are left; and so on. The probability of the order is the product.",
        "Put the scores into the order first: `scores.gather(1, ranking)`. Place k then needs the log-sum-exp of itself and everything behind it.",
        "Flip, `torch.logcumsumexp(…, dim=1)`, flip back: that is the log-sum-exp of everything from k on. Subtract the ordered scores, sum each row, take the mean over rows.",
    ],
    built="Plackett and Luce's model of rankings: a softmax for each place, over those that are left. With two items it is Bradley and Terry's. "
    "PyTorch has no such loss; `F.cross_entropy` is its first factor.",
)
def plackett_luce_loss(scores, ranking):
    ordered = scores.gather(1, ranking)
    rest = ordered.flip(1).logcumsumexp(1).flip(1)
    return (rest - ordered).sum(dim=1).mean()


plackett_luce_loss.case("the lesson's example", example=True, gradient="scores")(
    lambda rng: (
        torch.tensor([[2.0, 0.0, 1.0], [0.5, 1.0, -1.0]], dtype=rng.dtype),
        torch.tensor([[0, 2, 1], [1, 2, 0]]),
    )
)
plackett_luce_loss.case("random races", gradient="scores")(races)
plackett_luce_loss.case("two items: Bradley and Terry", gradient="scores")(
    lambda rng: (rng.logits(6, 2, limit=3.0), orders(rng, 6, 2))
)
plackett_luce_loss.case("one race of many", gradient="scores")(
    lambda rng: (rng.logits(1, 9, limit=3.0), orders(rng, 1, 9))
)
plackett_luce_loss.case("float32", dtype=torch.float32, gradient="scores")(races)
plackett_luce_loss.case("scores of 1000", extreme=True, gradient="scores")(far_races)


def _order_loss(ordered):
    """The loss of scores that are in the order of their places."""
    return (ordered.flip(1).logcumsumexp(1).flip(1) - ordered).sum(dim=1)


@plackett_luce_loss.mistake(
    "You took `ranking` the other way round: ranking[n, k] is the item in place k, not the place of item k.",
    hint="`scores.gather(1, ranking)` has the best item's score first.",
)
def _(scores, ranking):
    return _order_loss(scores.gather(1, ranking.argsort(dim=1))).mean()


@plackett_luce_loss.mistake(
    "Only the winner counts in yours. The other places have a probability as well: a softmax over those that are left."
)
def _(scores, ranking):
    return F.cross_entropy(scores, ranking[:, 0])


@plackett_luce_loss.mistake(
    "Those who have been placed stay in your denominators. Who has finished cannot come in again: place k competes with those behind it only."
)
def _(scores, ranking):
    return (torch.logsumexp(scores, dim=1, keepdim=True) - scores).sum(dim=1).mean()


@plackett_luce_loss.mistake(
    "The order is read from its end: each place is compared with those before it, as if the worst had been drawn first. A place competes with itself and those behind it."
)
def _(scores, ranking):
    ordered = scores.gather(1, ranking)
    return (ordered.logcumsumexp(1) - ordered).sum(dim=1).mean()


@plackett_luce_loss.mistake("`ranking` has no effect: you used the scores in the order of their columns.")
def _(scores, ranking):
    return _order_loss(scores).mean()


@plackett_luce_loss.mistake(
    "`ranking` has no effect: you sorted by the scores, which is the order that the model thinks most probable, not the one that came."
)
def _(scores, ranking):
    return _order_loss(scores.sort(dim=1, descending=True).values).mean()


@plackett_luce_loss.mistake(
    "You divided by the number of places. The logarithm of the order's probability is a sum over places; the mean is over rows."
)
def _(scores, ranking):
    return _order_loss(scores.gather(1, ranking)).mean() / scores.shape[1]


@plackett_luce_loss.mistake("You added up over the rows; their mean is the loss of the batch.")
def _(scores, ranking):
    return _order_loss(scores.gather(1, ranking)).sum()


@plackett_luce_loss.mistake(
    "You returned the loss of each row; their mean, one number, is the loss of the batch."
)
def _(scores, ranking):
    return _order_loss(scores.gather(1, ranking))


@plackett_luce_loss.mistake("The minus is missing: logarithms of probabilities are negative, a loss is not.")
def _(scores, ranking):
    return -_order_loss(scores.gather(1, ranking)).mean()


@plackett_luce_loss.mistake(
    "You added Bradley and Terry's loss over all pairs. An order is drawn place by place, with one softmax for each: for three or more items that is another probability."
)
def _(scores, ranking):
    ordered = scores.gather(1, ranking)
    i, j = torch.triu_indices(scores.shape[1], scores.shape[1], offset=1)
    return F.softplus(ordered[:, j] - ordered[:, i]).sum(dim=1).mean()


@plackett_luce_loss.mistake(
    "You compared neighbours only. Each place competes with all that are left, not with the next one alone."
)
def _(scores, ranking):
    ordered = scores.gather(1, ranking)
    return F.softplus(ordered[:, 1:] - ordered[:, :-1]).sum(dim=1).mean()


@plackett_luce_loss.mistake(
    "exp(1000) overflows before the logarithm can bring it back.",
    hint="`torch.logcumsumexp` or `torch.logsumexp` subtract the largest score first.",
)
def _(scores, ranking):
    ordered = scores.gather(1, ranking)
    return (ordered.exp().flip(1).cumsum(1).flip(1).log() - ordered).sum(dim=1).mean()


@plackett_luce_loss.mistake(
    "You picked columns with the whole matrix: `scores[:, ranking]` makes (N, N, K). Each row has its own order.",
    hint="`gather` along dimension 1.",
)
def _(scores, ranking):
    ordered = scores[:, ranking]
    return (ordered.flip(2).logcumsumexp(2).flip(2) - ordered).sum(dim=2).mean()


@plackett_luce_loss.mistake(
    "Your denominators leave out the item that is being placed: what you return is no logarithm of a probability, and may be negative.",
    hint="At place k the softmax runs over itself and those behind it.",
)
def _(scores, ranking):
    ordered = scores.gather(1, ranking)
    behind = ordered.flip(1).logcumsumexp(1).flip(1)[:, 1:]
    return (behind - ordered[:, :-1]).sum(dim=1).mean()
