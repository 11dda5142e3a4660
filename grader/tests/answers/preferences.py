import math

import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("logsigmoid of the difference")
def bradley_terry_loss(chosen, rejected):
    return -F.logsigmoid(chosen - rejected).mean()


@right("binary cross-entropy on the differences, all labels 1")
def bradley_terry_loss(chosen, rejected):
    margin = chosen - rejected
    return nn.BCEWithLogitsLoss()(margin, torch.ones_like(margin))


@right("cross-entropy with two classes")
def bradley_terry_loss(chosen, rejected):
    scores = torch.stack([chosen, rejected], dim=1)
    return F.cross_entropy(scores, torch.zeros(len(chosen), dtype=torch.int64))


@right("logaddexp")
def bradley_terry_loss(chosen, rejected):
    return (torch.logaddexp(chosen, rejected) - chosen).sum() / len(chosen)


@right("log_softmax, gather, sum")
def sequence_log_probability(z, tokens, mask):
    log_p = F.log_softmax(z, dim=-1)[:, :-1]
    picked = log_p.gather(2, tokens[:, 1:].clamp(min=0).unsqueeze(2)).squeeze(2)
    return torch.where(mask[:, 1:], picked, 0.0).sum(dim=1)


@right("cross_entropy with ignored labels")
def sequence_log_probability(z, tokens, mask):
    labels = tokens.masked_fill(~mask, -100)[:, 1:]
    return -F.cross_entropy(z[:, :-1].transpose(1, 2), labels, reduction="none").sum(dim=1)


@right("a loop over rows")
def sequence_log_probability(z, tokens, mask):
    rows = []
    for scores, ids, counts in zip(z, tokens, mask):
        places = counts[1:].nonzero().flatten()
        rows.append(-F.cross_entropy(scores[places], ids[places + 1], reduction="sum"))
    return torch.stack(rows)


@right("scores minus log-sum-exp")
def sequence_log_probability(z, tokens, mask):
    safe = tokens.masked_fill(~mask, 0)[:, 1:]
    picked = z[:, :-1].gather(2, safe[..., None])[..., 0] - z[:, :-1].logsumexp(2)
    return torch.einsum("nl,nl->n", picked, mask[:, 1:].to(z.dtype))


@right("no graph for the reference")
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    with torch.no_grad():
        reference = chosen_ref - rejected_ref
    return F.softplus(-beta * (chosen - rejected - reference)).mean()


@right("two rewards")
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    better = beta * (chosen - chosen_ref.detach())
    worse = beta * (rejected - rejected_ref.detach())
    return -F.logsigmoid(better - worse).mean()


@right("binary cross-entropy on the margins")
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = beta * ((chosen - rejected) - (chosen_ref - rejected_ref).detach())
    return F.binary_cross_entropy_with_logits(margin, torch.ones_like(margin))


@right("the definitions, exp")
def kl_estimates(log_p, log_q):
    r = log_q - log_p
    return -r.mean(), 0.5 * (r**2).mean(), (r.exp() - 1 - r).mean()


@right("a list, and k3 from k1")
def kl_estimates(log_p, log_q):
    k1 = (log_p - log_q).mean()
    return [k1, (log_p - log_q).pow(2).mean() / 2, k1 + torch.expm1(log_q - log_p).mean()]


@right("sums divided by their number")
def kl_estimates(log_p, log_q):
    count, ratio = len(log_p), torch.exp(log_q - log_p)
    log_ratio = log_q - log_p
    return (
        -log_ratio.sum() / count,
        (log_ratio * log_ratio).sum() / (2 * count),
        (ratio - 1 - log_ratio).sum() / count,
    )


@right("a loop over places")
def plackett_luce_loss(scores, ranking):
    ordered = torch.take_along_dim(scores, ranking, dim=1)
    losses = 0
    for k in range(ordered.shape[1]):
        losses = losses + torch.logsumexp(ordered[:, k:], dim=1) - ordered[:, k]
    return losses.mean()


@right("those who have finished masked with −inf")
def plackett_luce_loss(scores, ranking):
    left, total = scores, 0
    for place in range(scores.shape[1] - 1):
        winner = ranking[:, place]
        total = total + F.cross_entropy(left, winner)
        left = left.scatter(1, winner[:, None], -torch.inf)
    return total


@right("a triangle of scores")
def plackett_luce_loss(scores, ranking):
    ordered = scores.gather(1, ranking)
    k = ordered.shape[1]
    behind = torch.ones(k, k).triu().bool()
    rest = ordered[:, None, :].expand(-1, k, k).masked_fill(~behind, -math.inf).logsumexp(2)
    return (rest - ordered).sum(1).mean()


@wrong("a Python number", says="Python float")
def bradley_terry_loss(chosen, rejected):
    return F.softplus(rejected - chosen).mean().item()


@wrong("all pairs of all", says="")
def bradley_terry_loss(chosen, rejected):
    return F.softplus(rejected[None, :] - chosen[:, None]).mean()


@wrong("the scores clamped", says="Your loss stops at 100")
def bradley_terry_loss(chosen, rejected):
    return F.softplus((rejected - chosen).clamp(-100, 100)).mean()


@wrong("log base 2", says="")
def sequence_log_probability(z, tokens, mask):
    labels = tokens.masked_fill(~mask, -100)[:, 1:]
    losses = F.cross_entropy(z[:, :-1].transpose(1, 2), labels, reduction="none")
    return -losses.sum(dim=1) / math.log(2)


@wrong("tokens changed in place", says="changes its input")
def sequence_log_probability(z, tokens, mask):
    tokens[~mask] = 0
    log_p = z[:, :-1].log_softmax(2).gather(2, tokens[:, 1:, None]).squeeze(2)
    return (log_p * mask[:, 1:]).sum(1)


@wrong("a squared distance to a margin", says="")
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = (chosen - chosen_ref.detach()) - (rejected - rejected_ref.detach())
    return ((margin - 1 / (2 * beta)) ** 2).mean()


@wrong("smoothed labels", says="")
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    margin = beta * ((chosen - chosen_ref.detach()) - (rejected - rejected_ref.detach()))
    return (0.9 * F.softplus(-margin) + 0.1 * F.softplus(margin)).mean()


@wrong("two estimates", says="Return 3 values")
def kl_estimates(log_p, log_q):
    return (log_p - log_q).mean(), ((log_p - log_q) ** 2 / 2).mean()


@wrong("nothing", says="returns nothing")
def kl_estimates(log_p, log_q):
    r = log_q - log_p
    [-r.mean(), (r**2 / 2).mean(), (torch.expm1(r) - r).mean()]


@wrong("the last place left out of all sums", says="")
def plackett_luce_loss(scores, ranking):
    ordered = scores.gather(1, ranking)[:, :-1]
    return (ordered.flip(1).logcumsumexp(1).flip(1) - ordered).sum(1).mean()


@right("cross entropy of pair")
def bradley_terry_loss(chosen, rejected):
    return F.cross_entropy(torch.stack([chosen, rejected], 1), torch.zeros(len(chosen), dtype=torch.long))


@right("ignored tokens")
def sequence_log_probability(z, tokens, mask):
    t = torch.where(mask, tokens, -100)[:, 1:]
    return -F.cross_entropy(z[:, :-1].mT, t, reduction="none").sum(1)


@right("exp minus 1")
def kl_estimates(log_p, log_q):
    d = log_p - log_q
    return (d.mean(), 0.5 * (d**2).mean(), (torch.exp(-d) - 1 + d).mean())


@right("mask matrix")
def plackett_luce_loss(scores, ranking):
    s = scores.gather(1, ranking)
    K = s.shape[1]
    m = torch.ones(K, K).tril(-1).bool()
    return (s[:, None, :].expand(-1, K, -1).masked_fill(m, -torch.inf).logsumexp(-1) - s).sum(1).mean()
