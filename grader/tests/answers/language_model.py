import math

import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the vocabulary as dimension 1")
def next_token_loss(z, tokens):
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:])


@right("log_softmax and gather")
def next_token_loss(z, tokens):
    log_p = z.log_softmax(dim=-1)[:, :-1].gather(2, tokens[:, 1:].unsqueeze(2))
    return -log_p.mean()


@right("a loop over positions")
def next_token_loss(z, tokens):
    length = tokens.shape[1]
    total = sum(F.cross_entropy(z[:, t], tokens[:, t + 1], reduction="sum") for t in range(length - 1))
    return total / (len(tokens) * (length - 1))


@right("labels with the last one ignored")
def next_token_loss(z, tokens):
    labels = F.pad(tokens, (0, 1), value=-100)[:, 1:]
    return nn.CrossEntropyLoss()(z.reshape(-1, z.shape[-1]), labels.reshape(-1))


@right("roll, and the last position dropped")
def next_token_loss(z, tokens):
    targets = tokens.roll(-1, dims=1)
    losses = torch.logsumexp(z, dim=2) - z.gather(2, targets[..., None])[..., 0]
    return losses[:, :-1].mean()


@right("einsum with one-hot tokens")
def next_token_loss(z, tokens):
    log_p = F.log_softmax(z[:, :-1], dim=-1)
    seen = F.one_hot(tokens[:, 1:], z.shape[-1]).to(z.dtype)
    return -torch.einsum("nlv,nlv->", log_p, seen) / seen.sum()


@right("labels of −100")
def answer_loss(z, tokens, prompt, lengths):
    t = torch.arange(tokens.shape[1])
    outside = (t < prompt[:, None]) | (t >= lengths[:, None])
    labels = torch.where(outside, -100, tokens)
    return F.cross_entropy(z[:, :-1].transpose(1, 2), labels[:, 1:])


@right("a loop over rows, with slices")
def answer_loss(z, tokens, prompt, lengths):
    losses = []
    for row, ids, start, stop in zip(z, tokens, prompt.tolist(), lengths.tolist()):
        losses.append(F.cross_entropy(row[start - 1 : stop - 1], ids[start:stop], reduction="none"))
    return torch.cat(losses).mean()


@right("gather with clamped tokens, masked by indexing")
def answer_loss(z, tokens, prompt, lengths):
    log_p = z.log_softmax(dim=2)[:, :-1].gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    t = torch.arange(1, tokens.shape[1]).expand_as(log_p)
    return -log_p[(t >= prompt[:, None]) & (t < lengths[:, None])].mean()


@right("a weighted sum")
def answer_loss(z, tokens, prompt, lengths):
    t = torch.arange(1, z.shape[1])
    weight = ((t >= prompt[:, None]) & (t < lengths[:, None])).to(z.dtype)
    targets = tokens[:, 1:] * weight.long()
    losses = torch.logsumexp(z[:, :-1], dim=2) - z[:, :-1].gather(2, targets[..., None])[..., 0]
    return (losses * weight).sum() / weight.sum()


@right("a loop over rows, sums")
def micro_batch_loss(z, tokens, lengths, total):
    share = z.sum() * 0
    for row, ids, stop in zip(z, tokens, lengths.tolist()):
        share = share + F.cross_entropy(row[: stop - 1], ids[1:stop], reduction="sum")
    return share / total


@right("labels of −100, reduction sum")
def micro_batch_loss(z, tokens, lengths, total):
    labels = tokens[:, 1:].clone()
    labels[torch.arange(1, tokens.shape[1]) >= lengths[:, None]] = -100
    flat = z[:, :-1].reshape(-1, z.shape[2])
    return F.cross_entropy(flat, labels.reshape(-1), reduction="sum") / total


@right("the mean here, times the share of the tokens")
def micro_batch_loss(z, tokens, lengths, total):
    counts = torch.arange(1, tokens.shape[1]) < lengths[:, None]
    log_p = F.log_softmax(z[:, :-1], dim=2).gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    return -log_p[counts].mean() * (counts.sum() / total)


@right("the geometric mean of the reciprocals, in logarithms")
def perplexity(z, y):
    log_p = z.log_softmax(dim=1).gather(1, y[:, None])
    return torch.exp(-log_p.sum() / len(y))


@right("2 to the bits")
def perplexity(z, y):
    return 2 ** (nn.CrossEntropyLoss()(z, y) / math.log(2))


@right("e as a power")
def perplexity(z, y):
    return math.e ** (torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]).mean()


@right("bits first")
def bits_per_byte(loss, token_count, byte_count):
    bits = loss / math.log(2)
    return bits * (token_count / byte_count)


@right("the logarithm of the perplexity")
def bits_per_byte(loss, token_count, byte_count):
    return torch.log2(torch.exp(loss)) * token_count / byte_count


@right("a constant as a tensor")
def bits_per_byte(loss, token_count, byte_count):
    return loss * token_count / byte_count / torch.tensor(2.0, dtype=loss.dtype).log()


@right("both parts by hand")
def z_loss(z, y, coefficient=1e-4):
    log_z = torch.logsumexp(z, dim=-1)
    losses = log_z - z.gather(1, y[:, None]).squeeze(1)
    return (losses + coefficient * log_z**2).mean()


@right("log Z from log_softmax")
def z_loss(z, y, coefficient=1e-4):
    log_z = (z - F.log_softmax(z, dim=1))[:, 0]
    return F.nll_loss(z.log_softmax(1), y) + coefficient * (log_z * log_z).sum() / len(y)


@right("the largest score subtracted by hand")
def z_loss(z, y, coefficient=1e-4):
    top = z.max(dim=1, keepdim=True).values
    log_z = (z - top).exp().sum(dim=1).log() + top[:, 0]
    return (log_z - z[torch.arange(len(y)), y]).mean() + coefficient * log_z.pow(2).mean()


@wrong("a Python number", says="Python float")
def next_token_loss(z, tokens):
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:]).item()


@wrong("the tokens are shifted in place", says="changes its input")
def next_token_loss(z, tokens):
    loss = F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:].clone())
    tokens[:, :-1] = tokens[:, 1:].clone()
    return loss


@wrong("a perplexity", says="")
def next_token_loss(z, tokens):
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:]).exp()


@wrong("labels written into the tokens", says="changes its input")
def answer_loss(z, tokens, prompt, lengths):
    t = torch.arange(tokens.shape[1])
    tokens[(t < prompt[:, None]) | (t >= lengths[:, None])] = -100
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:])


@wrong("whatever equals the last token is padding", says="")
def answer_loss(z, tokens, prompt, lengths):
    t = torch.arange(tokens.shape[1])
    hidden = (t < prompt[:, None]) | (tokens == tokens[:, -1:])
    labels = tokens.masked_fill(hidden, -100)
    return F.cross_entropy(z[:, :-1].transpose(1, 2), labels[:, 1:])


@wrong("a running total from call to call", says="two answers")
def micro_batch_loss(z, tokens, lengths, total, seen=[]):  # noqa: B006
    labels = tokens.masked_fill(torch.arange(tokens.shape[1]) >= lengths[:, None], -100)
    seen.append(F.cross_entropy(z[:, :-1].transpose(1, 2), labels[:, 1:], reduction="sum") / total)
    return sum(s.detach() for s in seen[:-1]) + seen[-1]


@wrong("float32 on the way", says="")
def perplexity(z, y):
    return F.cross_entropy(z.float(), y).exp().to(z.dtype)


@wrong("nothing returned", says="returns nothing")
def bits_per_byte(loss, token_count, byte_count):
    loss * token_count / (byte_count * math.log(2))


@wrong("0.7 for ln 2", says="Nearly right")
def bits_per_byte(loss, token_count, byte_count):
    return loss * token_count / (byte_count * 0.7)


@wrong("the scores centred by their mean first", says="")
def z_loss(z, y, coefficient=1e-4):
    centred = z - z.mean(dim=1, keepdim=True)
    return F.cross_entropy(z, y) + coefficient * torch.logsumexp(centred, dim=1).square().mean()


@right("mask select")
def answer_loss(z, tokens, prompt, lengths):
    pos = torch.arange(tokens.size(1))[None]
    m = ((pos >= prompt.unsqueeze(1)) & (pos < lengths.unsqueeze(1)))[:, 1:]
    return F.cross_entropy(z[:, :-1][m], tokens[:, 1:][m])


@right("loop over rows")
def micro_batch_loss(z, tokens, lengths, total):
    return (
        sum(
            (
                F.cross_entropy(z[i, : n - 1], tokens[i, 1:n], reduction="sum")
                for i, n in enumerate(lengths.tolist())
            )
        )
        / total
    )


@right("geometric mean")
def perplexity(z, y):
    return (torch.logsumexp(z, -1) - z.gather(-1, y[:, None]).squeeze()).mean().exp()
