import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from grader.tests.answers import right, wrong


@right("the blocks' own log-sum-exps, where there is something to sum")
def online_logsumexp(blocks):
    result = None
    for block in blocks:
        empty = (block == -torch.inf).all(dim=1)
        safe = torch.where(empty[:, None], torch.zeros_like(block), block)
        new = torch.where(empty, torch.full_like(safe[:, 0], -torch.inf), torch.logsumexp(safe, dim=1))
        if result is None:
            result = new
            continue
        high, low = torch.maximum(result, new), torch.minimum(result, new)
        both = low > -torch.inf
        gap = torch.where(both, low - torch.where(both, high, torch.zeros_like(high)), torch.zeros_like(low))
        result = torch.where(both, high + torch.log1p(gap.exp()), high)
    return result


@right("row by row, with a running maximum that is never infinite")
def online_logsumexp(blocks):
    top = total = None
    for block in blocks:
        with torch.no_grad():
            highest = block.max(dim=1).values.clamp(min=torch.finfo(block.dtype).min / 4)
            new = highest if top is None else torch.maximum(top, highest)
        terms = torch.exp(block - new.unsqueeze(1)).sum(dim=1)
        total = terms if total is None else total * torch.exp(top - new) + terms
        top = new
    return torch.log(total) + top


@right("column by column")
def online_logsumexp(blocks):
    top, total = None, 0
    for block in blocks:
        for column in block.unbind(dim=1):
            new = column.detach() if top is None else torch.maximum(top, column.detach())
            shift = new.masked_fill(new == -torch.inf, 0)
            total = (0 if top is None else total * torch.exp(top - shift)) + torch.exp(column - shift)
            top = new
    return total.log() + top.masked_fill(top == -torch.inf, 0)


@wrong("a Python loop over rows that asks for the length", says="has no len()")
def online_logsumexp(blocks):
    return sum(b.exp().sum(1) for b in blocks[: len(blocks)]).log()


@wrong("max as a plain function of the first block's maximum", says="extremes")
def online_logsumexp(blocks):
    shift, total = None, 0
    for block in blocks:
        shift = block.detach().amax(dim=1) if shift is None else shift
        shift = shift.masked_fill(shift == -torch.inf, 0)
        total = total + (block - shift[:, None]).exp().sum(dim=1)
    return total.log() + shift


@wrong("kept in float32 on the way", says="float32")
def online_logsumexp(blocks):
    top = total = None
    for block in blocks:
        block = block.float()
        highest = block.detach().amax(dim=1).clamp(min=-1e30)
        new = highest if top is None else torch.maximum(top, highest)
        terms = torch.exp(block - new[:, None]).sum(dim=1)
        total = terms if total is None else total * torch.exp(top - new) + terms
        top = new
    return total.log() + top


@right("logsumexp and gather")
def chunked_cross_entropy(h, W, y, rows):
    total = h.new_zeros(())
    for start in range(0, len(h), rows):
        z = h[start : start + rows].mm(W.t())
        picked = z.gather(1, y[start : start + rows, None]).squeeze(1)
        total = total + (torch.logsumexp(z, dim=1) - picked).sum()
    return total / h.shape[0]


@right("split, checkpointed")
def chunked_cross_entropy(h, W, y, rows):
    def part(h, y):
        return F.cross_entropy(F.linear(h, W), y, reduction="sum")

    parts = [checkpoint(part, a, b, use_reentrant=False) for a, b in zip(h.split(rows), y.split(rows))]
    return torch.stack(parts).sum() / len(y)


@right("split, checkpointed in the older way")
def chunked_cross_entropy(h, W, y, rows):
    def part(h, W, y):
        return F.cross_entropy(F.linear(h, W), y, reduction="sum")

    pairs = zip(h.split(rows), y.split(rows))
    return sum(checkpoint(part, a, W, b, use_reentrant=True) for a, b in pairs) / len(y)


@right("losses of all rows, put together")
def chunked_cross_entropy(h, W, y, rows):
    losses = [F.cross_entropy(a @ W.T, b, reduction="none") for a, b in zip(h.split(rows), y.split(rows))]
    return torch.cat(losses).mean()


@right("means, weighted by their share")
def chunked_cross_entropy(h, W, y, rows):
    loss = 0
    for a, b in zip(torch.split(h, rows), torch.split(y, rows)):
        loss = loss + nn.CrossEntropyLoss()(torch.einsum("nd,vd->nv", a, W), b) * (len(b) / len(y))
    return loss


@right("a function with a gradient of its own")
def chunked_cross_entropy(h, W, y, rows):
    return _Fused.apply(h, W, y, rows)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        loss, *gradients = _by_hand(h, W, y, rows)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx, slope):
        return *(slope * g for g in ctx.saved_tensors), None, None


def _by_hand(h, W, y, rows):
    loss, grad_h, grad_W = h.new_zeros(()), torch.empty_like(h), torch.zeros_like(W)
    for start in range(0, len(h), rows):
        at = slice(start, start + rows)
        log_p = torch.log_softmax(h[at] @ W.T, dim=1)
        here = torch.arange(len(log_p))
        loss -= log_p[here, y[at]].sum() / len(y)
        G = log_p.exp_()
        G[here, y[at]] -= 1
        G /= len(y)
        grad_h[at] = G @ W
        grad_W.addmm_(G.T, h[at])
    return loss, grad_h, grad_W


@wrong("PyTorch's own function", says="You called `linear_cross_entropy`")
def chunked_cross_entropy(h, W, y, rows):
    return F.linear_cross_entropy(h, W, y)


@wrong("chunks of the vocabulary instead of rows, put together", says="entries")
def chunked_cross_entropy(h, W, y, rows):
    z = torch.cat([h @ part.T for part in W.split(4)], dim=1)
    return F.cross_entropy(z, y)


@wrong("numpy in between", says="numpy")
def chunked_cross_entropy(h, W, y, rows):
    largest = float((h.detach().numpy() @ W.detach().numpy().T).max())
    parts = zip(h.split(rows), y.split(rows))
    return sum(F.cross_entropy(a @ W.T - largest, b, reduction="sum") for a, b in parts) / len(y)


@right("in place, with log_softmax")
def linear_cross_entropy_grad(h, W, y, rows):
    return _by_hand(h, W, y, rows)


@right("lists, put together at the end")
def linear_cross_entropy_grad(h, W, y, rows):
    losses, hs, Ws = [], [], []
    for a, b in zip(h.split(rows), y.split(rows)):
        z = a @ W.T
        losses.append(F.cross_entropy(z, b, reduction="none"))
        G = (torch.softmax(z, dim=1) - F.one_hot(b, len(W)).to(z.dtype)) / len(y)
        hs.append(G @ W)
        Ws.append(G.T @ a)
    return torch.cat(losses).mean(), torch.cat(hs), sum(Ws)


@wrong("autograd after all", says="You called `grad`")
def linear_cross_entropy_grad(h, W, y, rows):
    with torch.enable_grad():
        a, b = h.detach().requires_grad_(), W.detach().requires_grad_()
        parts = zip(a.split(rows), y.split(rows))
        loss = sum(F.cross_entropy(x @ b.T, t, reduction="sum") for x, t in parts) / len(y)
        grad_h, grad_W = torch.autograd.grad(loss, (a, b))
    return loss.detach(), grad_h, grad_W


@wrong("the loss alone", says="Return 3 values")
def linear_cross_entropy_grad(h, W, y, rows):
    return _by_hand(h, W, y, rows)[0]


@right("gradients made in the forward pass")
class ChunkedCrossEntropy(_Fused):
    pass


@right("gradients made in the backward pass, from h and W")
class ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        ctx.save_for_backward(h, W, y)
        ctx.rows = rows
        total = 0
        for a, b in zip(h.split(rows), y.split(rows)):
            total = total + F.cross_entropy(a @ W.T, b, reduction="sum")
        return total / len(y)

    @staticmethod
    def backward(ctx, slope):
        h, W, y = ctx.saved_tensors
        _, grad_h, grad_W = _by_hand(h, W, y, ctx.rows)
        return grad_h * slope, grad_W * slope, None, None


@right("forward and setup_context apart")
class ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(h, W, y, rows):
        return _by_hand(h, W, y, rows)[0]

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.rows = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx, slope):
        _, *gradients = _by_hand(*ctx.saved_tensors, ctx.rows)
        return *(slope * g for g in gradients), None, None


@wrong("two gradients for four arguments", says="incorrect number of gradients")
class ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        return _Fused.forward(ctx, h, W, y, rows)

    @staticmethod
    def backward(ctx, slope):
        grad_h, grad_W = ctx.saved_tensors
        return slope * grad_h, slope * grad_W


@wrong("a module", says="is no autograd function")
class ChunkedCrossEntropy(nn.Module):
    def forward(self, h, W, y, rows):
        return _by_hand(h, W, y, rows)[0]


@wrong("autograd inside the backward pass", says="You called `grad`")
class ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        ctx.save_for_backward(h, W, y)
        ctx.rows = rows
        return _by_hand(h, W, y, rows)[0]

    @staticmethod
    def backward(ctx, slope):
        h, W, y = ctx.saved_tensors
        with torch.enable_grad():
            a, b = h.detach().requires_grad_(), W.detach().requires_grad_()
            parts = zip(a.split(ctx.rows), y.split(ctx.rows))
            loss = sum(F.cross_entropy(x @ b.T, t, reduction="sum") for x, t in parts) / len(y)
            return *torch.autograd.grad(loss, (a, b), slope), None, None


@right("a column of each shard's log-sum-exps, and boolean masks")
def sharded_cross_entropy(shards, y):
    ends = torch.tensor([s.shape[1] for s in shards]).cumsum(0)
    lse = torch.stack([s.logsumexp(1) for s in shards], dim=1).logsumexp(1)
    own = torch.zeros_like(lse)
    for k, shard in enumerate(shards):
        start = int(ends[k]) - shard.shape[1]
        mine = ((y >= start) & (y < int(ends[k]))).nonzero().squeeze(1)
        own = own.index_add(0, mine, shard[mine, y[mine] - start])
    return (lse - own).mean()


@right("the largest logit and the sum of exponentials travel")
def sharded_cross_entropy(shards, y):
    top = torch.stack([shard.detach().amax(dim=1) for shard in shards]).amax(dim=0)
    total, label, start = 0, 0, 0
    for shard in shards:
        total = total + (shard - top[:, None]).exp().sum(dim=1)
        for column in range(shard.shape[1]):
            label = label + torch.where(y == start + column, shard[:, column], torch.zeros_like(top))
        start += shard.shape[1]
    return (top + total.log() - label).mean()


@wrong("probabilities of all shards in one matrix", says="together with")
def sharded_cross_entropy(shards, y):
    top = torch.stack([shard.detach().amax(dim=1) for shard in shards]).amax(dim=0)
    powers = [(shard - top[:, None]).exp() for shard in shards]
    total = sum(power.sum(dim=1) for power in powers)
    start, log_p = 0, []
    for shard in shards:
        log_p.append(shard - top[:, None] - total.log()[:, None])
        start += shard.shape[1]
    return F.nll_loss(torch.cat(log_p, dim=1), y)


@right("log_softmax and gather, in float32")
def cross_entropy_low_precision(z, y):
    log_p = torch.log_softmax(z.to(torch.float32), dim=1)
    return -log_p.gather(1, y[:, None]).mean()


@right("the dtype argument of log_softmax")
def cross_entropy_low_precision(z, y):
    log_p = F.log_softmax(z, dim=-1, dtype=torch.float32)
    return F.nll_loss(log_p, y)


@right("log-sum-exp minus the logit")
def cross_entropy_low_precision(z, y):
    z = z.type(torch.float32)
    return (torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]).mean()


@wrong("the losses summed in z's dtype, one by one", says="rounded")
def cross_entropy_low_precision(z, y):
    return F.cross_entropy(z.float(), y, reduction="none").to(z.dtype).mean().float()


@wrong("a Python number", says="Python float")
def cross_entropy_low_precision(z, y):
    return F.cross_entropy(z.float(), y).item()


@right("log_softmax dtype")
def cross_entropy_low_precision(z, y):
    return F.nll_loss(F.log_softmax(z, -1, dtype=torch.float32), y)
