"""Exercises of 15_large_vocabulary: cross-entropy without the matrix of logits, up to `nn.LinearCrossEntropyLoss`.

Formulas: Milakov and Gimelshein, Online normalizer calculation for softmax, https://arxiv.org/abs/1805.02867;
https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear_cross_entropy.html
"""

import math

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import Once, call

PYTORCH = ["linear_cross_entropy", "LinearCrossEntropyLoss"]  # by name: older releases of torch have neither
AUTOGRAD = [torch.autograd.grad, torch.autograd.backward, torch.Tensor.backward]
Y = [0, 2, 3, 1]
Z = [
    [-5.0, 10.0, 1.2, 3.0, -4.0],
    [5.0, -4.0, 0.1, 1.0, 0.1],
    [1.0, 3.0, 2.5, -0.1, 2.5],
    [-7.0, 2.5, 0.1, 3.1, 0.2],
]
MINUS_INFINITY = -math.inf


# ---------------------------------------------------------------- online_logsumexp


def largest_block(blocks):
    """The bound of every case: no tensor larger than a block."""
    return max(block.numel() for block in blocks.tensors)


def blocks_of_example(rng):
    return (Once(torch.tensor(Z, dtype=rng.dtype).split((2, 2, 1), dim=1)),)


def blocks(rng):
    """Three or four blocks of different widths; the largest logit is in another block for each row."""
    n = rng.size()
    return (Once(tuple(rng.logits(n, width) for width in (3, 5, 2, 4)[: rng.size(3, 4)])),)


def few_columns(rng):
    """A single block; columns that come one by one."""
    n = rng.size()
    single = Once((rng.logits(n, 4),))
    columns = Once((rng.logits(n, 1), rng.logits(n, 1), rng.logits(n, 4), rng.logits(n, 1)))
    return [(single,), (columns,)]


def steps(*levels):
    """Blocks that lie around these levels, one after the other."""

    def make(rng):
        n = rng.size(4, 6)
        return (Once(tuple(rng.logits(n, 3) + level for level in levels)),)

    return make


def climbing(rng):
    return [
        steps(-1000, 0, 1000)(rng),
        steps(1000, 0, -1000)(rng),
        steps(0, 1000, 0)(rng),
        steps(-1000, -1000)(rng),
    ]


def rows_apart(rng):
    """Rows at −1000, at 0 and at 1000 in the same blocks; and rows that are all far below 0."""
    n = 6
    levels = torch.tensor([-1000.0, 0.0, 1000.0, -500.0, 700.0, -90.0], dtype=rng.dtype)[:, None]
    spread = Once(tuple(rng.logits(n, width) + levels for width in (3, 4, 2)))
    low = Once(tuple(rng.logits(n, width) - 900 for width in (3, 2, 4)))
    return [(spread,), (low,)]


def with_holes(rng):
    """−inf in single entries, in a row of a block, in a whole block: in the middle, at the beginning and at the end."""
    n = rng.size(4, 6)
    found = []
    for empty in (0, 1, 2):
        made = [rng.logits(n, width) for width in (3, 4, 2)]
        made[(empty + 1) % 3][1, :] = MINUS_INFINITY
        made[(empty + 2) % 3][0, 0] = MINUS_INFINITY
        made[empty] = torch.full_like(made[empty], MINUS_INFINITY)
        found.append((Once(tuple(made)),))
    return found


def nothing_at_all(rng):
    """A row of −inf in every block: its value is −inf."""
    made = [rng.logits(5, width) for width in (3, 2, 4)]
    for block in made:
        block[2, :] = MINUS_INFINITY
    return (Once(tuple(made)),)


def running(update):
    """The online log-sum-exp with a part of it replaced: update(total, old, new, terms) gives the new sum."""

    def answer(blocks):
        top, total = None, None
        for block in blocks:
            highest = block.detach().amax(dim=1)
            if top is None:
                top, total = torch.full_like(highest, MINUS_INFINITY), torch.zeros_like(highest)
            new = torch.maximum(top, highest)
            by = torch.where(new == MINUS_INFINITY, torch.zeros_like(new), new)
            terms = (block - by[:, None]).exp().sum(dim=1)
            total = update(total, top, by, terms)
            top = new
        return torch.where(top == MINUS_INFINITY, torch.zeros_like(top), top) + total.log()

    return answer


@exercise(
    points=4,
    hints=[
        "Two numbers a row are enough to go on with: the largest logit so far, and the sum of e^(z − that) so far. A new block may change both.",
        "When the largest rises from m to m′, the old sum was measured against m. Every one of its terms e^(z − m) has to become "
        "e^(z − m′): what do they all have to be multiplied by?",
        "Multiply the old sum by e^(m − m′), then add the new terms. Where m′ is still −inf, nothing but −inf has been seen: shift by 0 there, "
        "because −inf − (−inf) is nan. `detach` what you only shift by.",
    ],
    built="The online softmax of Milakov and Gimelshein: one pass, two numbers a row. FlashAttention and fused cross-entropies are built on it.",
)
def online_logsumexp(blocks):
    return running(lambda total, old, new, terms: total * (old - new).exp() + terms)(blocks)


def online(name, make, *, gradient="blocks", **options):
    online_logsumexp.case(name, gradient=gradient, largest=largest_block, **options)(make)


online("the lesson's example", blocks_of_example, example=True)
online("random blocks", blocks)
online("a single block, single columns", few_columns)
online("float32", blocks, dtype=torch.float32)
online("blocks around −1000, 0 and 1000", climbing, extreme=True)
online("blocks around −1000, 0 and 1000 in float32", climbing, extreme=True, dtype=torch.float32, atol=1e-4)
online("rows far apart", rows_apart, extreme=True)
online("−inf in entries, rows and whole blocks", with_holes, extreme=True)
online("a row of −inf in every block", nothing_at_all, gradient=(), extreme=True)


online_logsumexp.mistake(
    "The running sum is not rescaled when a larger maximum comes: its old terms are still measured against the old maximum, and count for too much.",
    hint="Each old term is e^(z − m). With the new maximum m′ it should be e^(z − m′).",
)(running(lambda total, old, new, terms: total + terms))

online_logsumexp.mistake(
    "The running sum is rescaled in the wrong direction: e^(m′ − m) makes it larger when the maximum rises, where it should shrink.",
)(running(lambda total, old, new, terms: total * (new - old).exp().nan_to_num(posinf=0.0) + terms))

online_logsumexp.mistake(
    "Only the last block counts: the sum begins anew with every block.",
)(running(lambda total, old, new, terms: terms))

online_logsumexp.mistake(
    "The value is right, but the gradient reaches the last block alone: the running sum is cut out of the graph.",
    hint="The maximum may be detached, because you only shift by it. The sum has to stay in the graph.",
)(running(lambda total, old, new, terms: (total * (old - new).exp()).detach() + terms))


@online_logsumexp.mistake(
    "A row that has seen nothing but −inf so far becomes nan: its maximum is −inf, and −inf − (−inf) is nan.",
    hint="Where the maximum is −inf, shift by 0: all terms are e^(−inf) = 0 then.",
)
def _(blocks):
    top, total = MINUS_INFINITY, 0
    for block in blocks:
        new = block.detach().amax(dim=1).clamp(min=MINUS_INFINITY)
        new = new if isinstance(top, float) else torch.maximum(top, new)
        total = total * (top - new).exp() + (block - new[:, None]).exp().sum(dim=1)
        top = new
    return top + total.log()


@online_logsumexp.mistake(
    "The value is right, but where a block holds nothing but −inf in a row, its gradient is nan: `torch.logsumexp` has no slope there, and nor has "
    "`torch.logaddexp` of two −inf.",
    hint="Subtract a maximum that is never −inf, and exponentiate: e^(−inf) has the slope 0.",
)
def _(blocks):
    result = None
    for block in blocks:
        new = torch.logsumexp(block, dim=1)
        result = new if result is None else torch.logaddexp(result, new)
    return result


@online_logsumexp.mistake(
    "exp(1000) overflows: nothing is subtracted before exponentiating.",
    hint="Subtract the largest logit so far, row by row.",
)
def _(blocks):
    return sum(block.exp().sum(dim=1) for block in blocks).log()


@online_logsumexp.mistake(
    "The maximum begins at 0. In a row whose logits are all far below 0 it stays there, every term underflows, and log 0 is −inf.",
    hint="Begin at −inf, or with the first block.",
)
def _(blocks):
    top, total = 0, 0
    for block in blocks:
        new = torch.maximum(torch.as_tensor(top, dtype=block.dtype), block.detach().amax(dim=1))
        total = total * (top - new).exp() + (block - new[:, None]).exp().sum(dim=1)
        top = new
    return top + total.log()


@online_logsumexp.mistake(
    "One maximum is subtracted from all rows. Beside a row at 1000 a row at −1000 underflows, and log 0 is −inf.",
    hint="`amax(dim=1)`: each row has a maximum of its own.",
)
def _(blocks):
    top, total = None, 0
    for block in blocks:
        new = block.detach().max() if top is None else torch.maximum(top, block.detach().max())
        shift = new.masked_fill(new == MINUS_INFINITY, 0)
        total = (block - shift).exp().sum(dim=1) + (0 if top is None else total * (top - shift).exp())
        top = new
    return top.masked_fill(top == MINUS_INFINITY, 0) + total.log()


@online_logsumexp.mistake(
    "You put all blocks together in one matrix. That is right, and what this exercise is meant to avoid: no tensor may be larger than a block.",
    hint="Take one block at a time, and keep two numbers for each row.",
)
def _(blocks):
    every = list(blocks)
    top = torch.cat(every, dim=1).amax(dim=1, keepdim=True).detach()
    top = torch.where(top == MINUS_INFINITY, torch.zeros_like(top), top)
    return (torch.cat(every, dim=1) - top).exp().sum(dim=1).log() + top[:, 0]


@online_logsumexp.mistake(
    "You attach the running result to each block as a further column: a tensor with one column more than a block.",
    hint="The running result has N entries. Combine it with N numbers made of the block.",
)
def _(blocks):
    result = None
    for block in blocks:
        z = block if result is None else torch.cat([result[:, None], block], dim=1)
        top = z.amax(dim=1).detach()
        top = torch.where(top == MINUS_INFINITY, torch.zeros_like(top), top)
        result = (z - top[:, None]).exp().sum(dim=1).log() + top
    return result


@online_logsumexp.mistake(
    "You add the log-sum-exps of the blocks. The sums inside are added, and then comes one logarithm: log(a + b) is not log a + log b.",
)
def _(blocks):
    return sum(torch.logsumexp(block, dim=1) for block in blocks)


@online_logsumexp.mistake(
    "You return the largest of the blocks' log-sum-exps. The others count, too.",
)
def _(blocks):
    result = None
    for block in blocks:
        new = torch.logsumexp(block, dim=1)
        result = new if result is None else torch.maximum(result, new)
    return result


@online_logsumexp.mistake(
    "Only the first block counts. If you wrote a loop: a `return` inside it ends it at once."
)
def _(blocks):
    for block in blocks:
        return torch.logsumexp(block, dim=1)


@online_logsumexp.mistake(
    "You go through the blocks twice, and they come from a generator: the second time there are none, and the sum is 0.",
    hint="Whatever you need of a block you need while you have it.",
)
def _(blocks):
    top = torch.stack([block.amax(dim=1) for block in blocks]).amax(dim=0)
    total = torch.zeros_like(top)
    for block in blocks:
        total = total + (block - top[:, None]).exp().sum(dim=1)
    return top + total.log()


# ---------------------------------------------------------------- a linear layer and its loss, in chunks


def bound(h, W, y, rows):
    """The bound of every case: the largest of a chunk of logits, of h and of W."""
    return max(rows * W.shape[0], h.numel(), W.numel())


def linear_of_example(rng):
    """The four photographs: h is the identity, so that the logits are the columns of W."""
    return torch.eye(4, dtype=rng.dtype), torch.tensor(Z, dtype=rng.dtype).T.contiguous(), torch.tensor(Y), 3


def linear(n=None, rows=4):
    """Hidden states, a vocabulary and labels. The bound is far below N·V, and below rows·V·D."""

    def make(rng):
        count = n or 4 * rng.size(2, 3) + 1 + rng.size(0, 1)
        return rng.normal(count, 3), rng.normal(17, 3), rng.classes(count, num_classes=17), rows

    return make


def chunk_sizes(rng):
    """One row at a time; chunks that come out even; one chunk that holds everything; more rows than there are."""
    return [linear(11, 1)(rng), linear(12, 4)(rng), linear(9, 9)(rng), linear(9, 20)(rng)]


def sure(rng):
    """Logits of ±1000: sure and right, sure and wrong."""
    _, _, y, rows = linear(11, 3)(rng)
    W = rng.integers(17, 3, low=-1, high=2).to(rng.dtype)  # whole thousands: no rounding decides
    return 1000 * rng.signs(11, 3), W, y, rows


def chunks(h, y, rows):
    return [(h[i : i + rows], y[i : i + rows]) for i in range(0, len(h), rows)]


def summed(h, W, y):
    return F.cross_entropy(h @ W.T, y, reduction="sum")


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "A loop over chunks of `rows` rows: each makes its own logits, its own loss, and lets both go.",
        "`h[i : i + rows]` for i = 0, rows, 2·rows, …: the last slice is shorter by itself. Which reduction of a chunk can be put together to the "
        "mean of all?",
        "Add up the chunks' summed losses, and divide by N at the end.",
    ],
    built="The forward pass never holds more than a chunk of logits at once. What autograd keeps for the backward pass is another question: measure it in the next cells.",
)
def chunked_cross_entropy(h, W, y, rows):
    return sum(summed(part, W, labels) for part, labels in chunks(h, y, rows)) / len(y)


def chunked(name, make, **options):
    chunked_cross_entropy.case(name, gradient=("h", "W"), largest=bound, **options)(make)


chunked("the lesson's example", linear_of_example, example=True)
chunked("random hidden states", linear())
chunked("chunks of 1, of 4, of everything", chunk_sizes)
chunked("float32", linear(), dtype=torch.float32)
chunked("logits of 1000", sure, extreme=True)
chunked("logits of 1000 in float32", sure, extreme=True, dtype=torch.float32, atol=1e-2)


@chunked_cross_entropy.mistake(
    "The value is right, but all logits are in one matrix at some moment: N·V numbers. Chunks are worth something only if each is gone before the next is made.",
    hint="Inside the loop: logits, loss, and nothing but the loss goes on.",
)
def _(h, W, y, rows):
    return F.cross_entropy(h @ W.T, y)


@chunked_cross_entropy.mistake(
    "Every product is a number of its own in a tensor of rows·V·D entries, before the sum over D. A matrix product adds up as it goes: `@`.",
)
def _(h, W, y, rows):
    losses = [
        F.cross_entropy((part[:, None] * W).sum(dim=2), labels, reduction="sum")
        for part, labels in chunks(h, y, rows)
    ]
    return sum(losses) / len(y)


@chunked_cross_entropy.mistake(
    "You average the means of the chunks. The last chunk may be smaller, and then its rows count for more than the others.",
    hint="Sums can be added; divide by N once, at the end.",
)
def _(h, W, y, rows):
    losses = [F.cross_entropy(part @ W.T, labels) for part, labels in chunks(h, y, rows)]
    return sum(losses) / len(losses)


@chunked_cross_entropy.mistake(
    "The last chunk is dropped where it is smaller than the others: its rows are neither counted nor trained on.",
    hint="`range(0, N, rows)` also begins the last, shorter chunk.",
)
def _(h, W, y, rows):
    whole = [c for c in chunks(h, y, rows) if len(c[1]) == rows] or chunks(h, y, rows)
    return sum(summed(part, W, labels) for part, labels in whole) / len(y)


@chunked_cross_entropy.mistake(
    "The last chunk is dropped where it is smaller than the others, and the mean is that of the rows before it.",
    hint="`range(0, N, rows)` also begins the last, shorter chunk.",
)
def _(h, W, y, rows):
    whole = [c for c in chunks(h, y, rows) if len(c[1]) == rows] or chunks(h, y, rows)
    return sum(summed(part, W, labels) for part, labels in whole) / sum(len(labels) for _, labels in whole)


@chunked_cross_entropy.mistake(
    "You add up the chunks' sums and forget the mean.", hint="Divide by N, the number of rows."
)
def _(h, W, y, rows):
    return sum(summed(part, W, labels) for part, labels in chunks(h, y, rows))


@chunked_cross_entropy.mistake("You add up the means of the chunks: the result grows with their number.")
def _(h, W, y, rows):
    return sum(F.cross_entropy(part @ W.T, labels) for part, labels in chunks(h, y, rows))


@chunked_cross_entropy.mistake("You divide by `rows`, the size of a chunk. The mean is over all N rows of h.")
def _(h, W, y, rows):
    return sum(summed(part, W, labels) for part, labels in chunks(h, y, rows)) / rows


@chunked_cross_entropy.mistake(
    "Every chunk is compared with the first labels: h is cut, y is not.",
    hint="Row i of h belongs to entry i of y. Cut both in the same way.",
)
def _(h, W, y, rows):
    return sum(summed(part, W, y[: len(part)]) for part, _ in chunks(h, y, rows)) / len(y)


@chunked_cross_entropy.mistake(
    "Only the first chunk counts. If you wrote a loop: a `return` inside it ends it at once."
)
def _(h, W, y, rows):
    return summed(h[:rows], W, y[:rows]) / len(y)


@chunked_cross_entropy.mistake(
    "The value is right, but the gradient reaches h alone: W is cut out of the graph, and the vocabulary never learns."
)
def _(h, W, y, rows):
    return sum(summed(part, W.detach(), labels) for part, labels in chunks(h, y, rows)) / len(y)


@chunked_cross_entropy.mistake(
    "You take the logarithm of a softmax: far from the largest logit the probability is exactly 0, and the loss is inf.",
    hint="`torch.logsumexp` or `log_softmax`, from `07_log_softmax`.",
)
def _(h, W, y, rows):
    losses = [
        F.nll_loss(torch.softmax(part @ W.T, dim=1).log(), labels, reduction="sum")
        for part, labels in chunks(h, y, rows)
    ]
    return sum(losses) / len(y)


@chunked_cross_entropy.mistake(
    "You made a sum of each chunk's mean by multiplying it by `rows`. The last chunk may have fewer rows, and then its loss counts for too much.",
    hint='Sum up from the beginning: `reduction="sum"`.',
)
def _(h, W, y, rows):
    parts = zip(h.split(rows), y.split(rows))
    return sum(F.cross_entropy(part @ W.T, labels) for part, labels in parts) * rows / len(y)


# ---------------------------------------------------------------- the gradient by hand


def by_hand(h, W, y, rows, weight=1.0):
    """Loss and gradients of the mean, chunk by chunk; `weight` multiplies the gradients."""
    loss, grad_h, grad_W = 0, [], 0
    for part, labels in chunks(h, y, rows):
        z = part @ W.T
        loss = loss + F.cross_entropy(z, labels, reduction="sum")
        slope = torch.softmax(z, dim=1)
        slope[torch.arange(len(labels)), labels] -= 1
        grad_h.append(slope @ W)
        grad_W = grad_W + slope.T @ part
    n = len(y)
    return loss / n, weight * torch.cat(grad_h) / n, weight * grad_W / n


@exercise(
    points=4,
    without=PYTORCH + AUTOGRAD,
    hints=[
        "From `08_cross_entropy`: the slope of one row's loss with respect to its logits is p − y, with y one-hot. From `04_logistic_regression`: how a slope goes back through a linear layer.",
        "With G = p − y for a chunk, (rows, V): what has to be multiplied with what, so that shapes (rows, D) and (V, D) come out?",
        "grad_h of a chunk is `G @ W`, and fills its own rows. grad_W gets `G.T @ h_chunk` from every chunk, added up. Both are divided by N.",
    ],
    built="Loss and gradient in one pass over the chunks, and nothing of size N·V is kept. Liger's fused loss and PyTorch's chunked path do this in their forward pass; Cut Your Losses makes the logits a second time in its backward pass.",
)
def linear_cross_entropy_grad(h, W, y, rows):
    return by_hand(h, W, y, rows)


def hand_made(name, make, **options):
    linear_cross_entropy_grad.case(name, largest=bound, **options)(make)


hand_made("the lesson's example", linear_of_example, example=True)
hand_made("random hidden states", linear())
hand_made("chunks of 1, of 4, of everything", chunk_sizes)
hand_made("float32", linear(), dtype=torch.float32)
hand_made("logits of 1000", sure, extreme=True)
hand_made("logits of 1000 in float32", sure, extreme=True, dtype=torch.float32, atol=1e-2)


def changed(change):
    """The right triple with something done to it: change(h, W, y, rows, loss, grad_h, grad_W)."""
    return lambda h, W, y, rows: change(h, W, y, rows, *by_hand(h, W, y, rows))


linear_cross_entropy_grad.mistake(
    "The gradients are those of the sum: the loss is a mean, so 1/N belongs to them, too."
)(changed(lambda h, W, y, rows, loss, gh, gW: (loss, gh * len(y), gW * len(y))))

linear_cross_entropy_grad.mistake(
    "Loss and gradients are those of the sum. The mean over N rows divides all three by N."
)(changed(lambda h, W, y, rows, loss, gh, gW: (loss * len(y), gh * len(y), gW * len(y))))

linear_cross_entropy_grad.mistake(
    "The gradients are divided by `rows`, the size of a chunk. The mean is over all N rows."
)(changed(lambda h, W, y, rows, loss, gh, gW: (loss, gh * len(y) / rows, gW * len(y) / rows)))


def _sloped(slope_of):
    """Loss and gradients with another slope of the logits: slope_of(z, labels)."""

    def answer(h, W, y, rows):
        grad_h, grad_W = [], 0
        for part, labels in chunks(h, y, rows):
            slope = slope_of(part @ W.T, labels) / len(y)
            grad_h.append(slope @ W)
            grad_W = grad_W + slope.T @ part
        return by_hand(h, W, y, rows)[0], torch.cat(grad_h), grad_W

    return answer


def _minus_labels(p, labels):
    p = p.clone()
    p[torch.arange(len(labels)), labels] -= 1
    return p


linear_cross_entropy_grad.mistake(
    "The softmax of the gradients runs down the columns, over the rows of a chunk. The words are dimension 1."
)(_sloped(lambda z, labels: _minus_labels(torch.softmax(z, dim=0), labels)))

linear_cross_entropy_grad.mistake(
    "The gradients are made of the logits themselves, z − y. The slope is p − y, with the probabilities."
)(_sloped(_minus_labels))


@linear_cross_entropy_grad.mistake(
    "Each chunk's slope is divided by the number of rows in that chunk. The mean is over all N rows, so every chunk divides by N."
)
def _(h, W, y, rows):
    loss, grad_h, grad_W = by_hand(h, W, y, rows)
    parts = [by_hand(part, W, labels, rows) for part, labels in chunks(h, y, rows)]
    return loss, torch.cat([part[1] for part in parts]), sum(part[2] for part in parts)


linear_cross_entropy_grad.mistake("The gradients have the wrong sign: it is p − y, not y − p.")(
    changed(lambda h, W, y, rows, loss, gh, gW: (loss, -gh, -gW))
)

linear_cross_entropy_grad.mistake("The two gradients are swapped: first that of h, then that of W.")(
    changed(lambda h, W, y, rows, loss, gh, gW: (loss, gW, gh))
)

linear_cross_entropy_grad.mistake(
    "The gradient of W is transposed: it has the shape of W, (V, D), one row for each word."
)(changed(lambda h, W, y, rows, loss, gh, gW: (loss, gh, gW.T.contiguous())))


@linear_cross_entropy_grad.mistake(
    "The gradient of W is that of the last chunk alone: every chunk overwrites what the one before has found.",
    hint="W meets every row, so every chunk adds to its gradient.",
)
def _(h, W, y, rows):
    loss, grad_h, _ = by_hand(h, W, y, rows)
    part, labels = chunks(h, y, rows)[-1]
    return loss, grad_h, by_hand(part, W, labels, rows)[2] * len(labels) / len(y)


@linear_cross_entropy_grad.mistake(
    "The gradient for h alone is right: that of W stays 0.",
    hint="Chunk by chunk, `G.T @ h_chunk` is added to it.",
)
def _(h, W, y, rows):
    loss, grad_h, grad_W = by_hand(h, W, y, rows)
    return loss, grad_h, torch.zeros_like(grad_W)


@linear_cross_entropy_grad.mistake(
    "The label's 1 is never subtracted: p alone pushes every word down, the right one included."
)
def _(h, W, y, rows):
    loss, grad_h, grad_W = by_hand(h, W, y, rows)
    return loss, grad_h + W[y] / len(y), torch.zeros_like(grad_W).index_add(0, y, h / len(y)) + grad_W


@linear_cross_entropy_grad.mistake(
    "The value is right, but all logits are in one matrix at some moment: N·V numbers.",
    hint="Make loss and gradients of a chunk while you have its logits.",
)
def _(h, W, y, rows):
    z = h @ W.T
    slope = (torch.softmax(z, dim=1) - F.one_hot(y, len(W))) / len(y)
    return F.cross_entropy(z, y), slope @ W, slope.T @ h


@linear_cross_entropy_grad.mistake(
    "The last chunk is dropped where it is smaller than the others: its rows have no gradient, and their loss is not counted.",
    hint="`range(0, N, rows)` also begins the last, shorter chunk.",
)
def _(h, W, y, rows):
    whole = len(y) // rows * rows or len(y)
    loss, grad_h, grad_W = by_hand(h[:whole], W, y[:whole], rows)
    share = whole / len(y)
    return loss * share, torch.cat([grad_h * share, torch.zeros_like(h[whole:])]), grad_W * share


@linear_cross_entropy_grad.mistake(
    "exp(1000) overflows, and the probabilities are nan: nothing is subtracted before exponentiating.",
    hint="`torch.softmax` subtracts the largest logit of each row.",
)
def _(h, W, y, rows):
    loss, grad_h, grad_W = 0, [], 0
    for part, labels in chunks(h, y, rows):
        z = part @ W.T
        loss = loss + F.cross_entropy(z, labels, reduction="sum")
        p = z.exp() / z.exp().sum(dim=1, keepdim=True)
        p[torch.arange(len(labels)), labels] -= 1
        grad_h.append(p @ W)
        grad_W = grad_W + p.T @ part
    return loss / len(y), torch.cat(grad_h) / len(y), grad_W / len(y)


def _minus_all_labels(p, labels):
    p = p.clone()
    p[:, labels] -= 1
    return p


linear_cross_entropy_grad.mistake(
    "`[:, y] -= 1` subtracts 1 in the columns of all labels, in every row. Each row has one label, its own.",
    hint="Index with a row and a column for each: `[torch.arange(len(y)), y]`.",
)(_sloped(lambda z, labels: _minus_all_labels(torch.softmax(z, dim=1), labels)))


# ---------------------------------------------------------------- ChunkedCrossEntropy


class ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        loss, *gradients = by_hand(h, W, y, rows)
        ctx.save_for_backward(*gradients)
        return loss

    @staticmethod
    def backward(ctx, slope):
        grad_h, grad_W = ctx.saved_tensors
        return slope * grad_h, slope * grad_W, None, None


ChunkedCrossEntropy = exercise(
    points=4,
    without=PYTORCH + AUTOGRAD,
    hints=[
        "Everything that has to be computed is in your `linear_cross_entropy_grad`. Left is the question when: `forward` may make the gradients at once, or `backward` may make them anew.",
        "`ctx.save_for_backward(…)` keeps tensors, `ctx.saved_tensors` gives them back as a tuple; a Python number goes to `ctx.rows`. `backward` returns one thing for each argument of `forward`.",
        "`backward` receives the slope of whatever comes later with respect to your loss, a 0-d tensor. By the chain rule it multiplies both gradients; y and rows get None.",
    ],
    built="A loss with a backward pass of its own, as `nn.LinearCrossEntropyLoss` has one in its chunked form: "
    "`ChunkedCrossEntropy.apply(h, W, y, rows)` is a loss like any other to whatever comes after it.",
)(ChunkedCrossEntropy)


def applied(name, make, factors=(1.0,), **options):
    def ask(rng):
        made = make(rng)
        made = made if isinstance(made, list) else [made]
        return [call(*arguments).applied(factor) for arguments in made for factor in factors]

    ChunkedCrossEntropy.case(name, gradient=("h", "W"), largest=bound, **options)(ask)


applied("the lesson's example", linear_of_example, example=True)
applied("random hidden states", linear())
applied("a part of a larger computation: any upstream factor", linear(), (-2.5, 0.125, 40.0, 0.0))
applied("chunks of 1, of 4, of everything", chunk_sizes)
applied("float32", linear(), (1.0, -3.0), dtype=torch.float32)
applied("logits of 1000", sure, extreme=True)
applied("logits of 1000 in float32", sure, extreme=True, dtype=torch.float32, atol=1e-2)


def function(gradients, loss=None):
    """An autograd function with its own idea of the loss and of the gradients: loss(h, W, y, rows), gradients(h, W, y, rows, slope)."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, W, y, rows):
            ctx.save_for_backward(h, W, y)
            ctx.rows = rows
            return loss(h, W, y, rows) if loss else by_hand(h, W, y, rows)[0]

        @staticmethod
        def backward(ctx, slope):
            h, W, y = ctx.saved_tensors
            return (*gradients(h, W, y, ctx.rows, slope), None, None)

    return Wrong


ChunkedCrossEntropy.mistake(
    "The upstream factor is ignored: a loss that is multiplied by 3 later has three times the gradient, yours has the same as before.",
    hint="`backward` receives it as its argument. The chain rule multiplies.",
)(function(lambda h, W, y, rows, slope: by_hand(h, W, y, rows)[1:]))

ChunkedCrossEntropy.mistake(
    "The upstream factor multiplies the gradient of h alone. The chain rule holds for W, too."
)(
    function(
        lambda h, W, y, rows, slope: (by_hand(h, W, y, rows, slope)[1], by_hand(h, W, y, rows)[2]),
    )
)

ChunkedCrossEntropy.mistake(
    "The gradient for h alone comes back: for W you return None, and the vocabulary never learns.",
)(function(lambda h, W, y, rows, slope: (by_hand(h, W, y, rows, slope)[1], None)))

ChunkedCrossEntropy.mistake(
    "The gradients are those of the sum: the loss is a mean, so 1/N belongs to them, too."
)(function(lambda h, W, y, rows, slope: by_hand(h, W, y, rows, slope * len(y))[1:]))

ChunkedCrossEntropy.mistake("The gradients have the wrong sign: it is p − y, not y − p.")(
    function(lambda h, W, y, rows, slope: by_hand(h, W, y, rows, -slope)[1:])
)

ChunkedCrossEntropy.mistake(
    "`forward` returns the sum of the losses, and its gradients. The mean divides by N."
)(
    function(
        lambda h, W, y, rows, slope: by_hand(h, W, y, rows, slope * len(y))[1:],
        lambda h, W, y, rows: by_hand(h, W, y, rows)[0] * len(y),
    )
)


def _whole(h, W, y, rows, slope):
    G = torch.softmax(h @ W.T, dim=1)
    G[torch.arange(len(y)), y] -= 1
    return slope * (G @ W) / len(y), slope * (G.T @ h) / len(y)


ChunkedCrossEntropy.mistake(
    "All logits are in one matrix at some moment, forward or backward: N·V numbers. The backward pass needs its chunks as much as the forward pass."
)(function(_whole))


def _last(h, W, y, rows, slope):
    part, labels = chunks(h, y, rows)[-1]
    share = slope * len(labels) / len(y)
    return by_hand(h, W, y, rows, slope)[1], by_hand(part, W, labels, rows, share)[2]


ChunkedCrossEntropy.mistake(
    "The gradient of W is that of the last chunk alone: every chunk overwrites what the one before has found."
)(function(_last))


def _first_chunks(h, W, y, rows, slope):
    whole = len(y) // rows * rows or len(y)
    _, grad_h, grad_W = by_hand(h[:whole], W, y[:whole], rows, slope * whole / len(y))
    return torch.cat([grad_h, torch.zeros_like(h[whole:])]), grad_W


ChunkedCrossEntropy.mistake(
    "The value is right, but the rows of the last chunk, where it is smaller than the others, have no gradient: the backward pass drops it."
)(function(_first_chunks))


class _Shared(torch.autograd.Function):
    kept = ()

    @staticmethod
    def forward(ctx, h, W, y, rows):
        loss, *_Shared.kept = by_hand(h, W, y, rows)
        return loss

    @staticmethod
    def backward(ctx, slope):
        grad_h, grad_W = _Shared.kept
        return slope * grad_h, slope * grad_W, None, None


ChunkedCrossEntropy.mistake(
    "What `forward` keeps lies in a place that all calls share: the next forward pass overwrites it before this one's backward pass.",
    hint="`ctx` is there for that: each call has its own.",
)(_Shared)


# ---------------------------------------------------------------- sharded_cross_entropy


def shards(rng):
    """Three matrices of logits, of different widths; every shard holds labels."""
    n = rng.size(6, 9)
    y = rng.classes(n, num_classes=12)
    y[:3] = torch.tensor([1, 5, 10])
    return tuple(rng.logits(n, width) for width in (3, 4, 5)), y


def shards_of_example(rng):
    return torch.tensor(Z, dtype=rng.dtype).split((2, 3), dim=1), torch.tensor(Y)


def several_shards(rng):
    """Two shards, five of them, one sample, labels in one shard alone."""
    two = tuple(rng.logits(6, width) for width in (6, 2))
    five = tuple(rng.logits(7, width) for width in (2, 3, 2, 4, 3))
    one = tuple(rng.logits(1, width) for width in (4, 3))
    return [
        (two, rng.classes(6, num_classes=8)),
        (five, rng.classes(7, num_classes=14)),
        (one, rng.classes(1, num_classes=7)),
        (two, rng.integers(6, low=6, high=8)),
    ]


def far_apart(rng):
    """Logits of ±1000: the largest is in another shard than the label, and once in the same."""
    made = [rng.logits(6, width) for width in (3, 2, 4)]
    y = torch.tensor([0, 4, 8, 2, 3, 5])
    made[0][:, 1] += 1000
    made[2][2, 3] += 1000
    made[1][4, :] -= 1000
    return tuple(made), y


def _label_logits(parts, y, start=0):
    """Each row's logit of its label, taken from the shard that holds it."""
    found = 0
    for part in parts:
        inside = (y >= start) & (y < start + part.shape[1])
        column = (y - start).clamp(0, part.shape[1] - 1)
        found = found + torch.where(inside, part[torch.arange(len(y)), column], 0)
        start += part.shape[1]
    return found


def _normaliser(parts):
    return torch.logsumexp(torch.stack([torch.logsumexp(part, dim=1) for part in parts]), dim=0)


@exercise(
    points=4,
    without=PYTORCH,
    hints=[
        "The loss of a row is its log-sum-exp minus the logit of its label. For each of the two: what can a shard compute without the others, and how many numbers a row has it to tell?",
        "The log-sum-exp of a row over all shards is the log-sum-exp of the shards' log-sum-exps: one number a row and shard.",
        "Word y is in the shard that starts at or before it and ends after it, in column y − start. The other shards contribute 0 to the label's logit: "
        "`torch.where`, with a column that is kept inside the shard (`clamp`).",
    ],
    built="Cross-entropy over a vocabulary that is spread over several machines, as Megatron-LM computes it: a few numbers a row travel, never the logits.",
)
def sharded_cross_entropy(shards, y):
    return (_normaliser(shards) - _label_logits(shards, y)).mean()


def sharded(name, make, **options):
    sharded_cross_entropy.case(name, gradient="shards", apart="shards", **options)(make)


sharded("the lesson's example", shards_of_example, example=True)
sharded("three shards", shards)
sharded("two shards, five shards, one sample", several_shards)
sharded("float32", shards, dtype=torch.float32)
sharded("logits of 1000", far_apart, extreme=True)
sharded("logits of 1000 in float32", far_apart, extreme=True, dtype=torch.float32, atol=1e-4)


@sharded_cross_entropy.mistake(
    "The result is right, but the shards meet in one operation: on several machines all logits would have to travel.",
    hint="Each shard can give its own log-sum-exp, one number a row.",
)
def _(shards, y):
    return F.cross_entropy(torch.cat(list(shards), dim=1), y)


@sharded_cross_entropy.mistake(
    "Each shard is normalised by itself: the probabilities of the label's shard sum to 1, as if the other words did not exist."
)
def _(shards, y):
    own = 0
    start = 0
    for part in shards:
        inside = (y >= start) & (y < start + part.shape[1])
        own = own + torch.where(inside, torch.logsumexp(part, dim=1), 0)
        start += part.shape[1]
    return (own - _label_logits(shards, y)).mean()


@sharded_cross_entropy.mistake(
    "You add the log-sum-exps of the shards. The sums inside are added, and then comes one logarithm."
)
def _(shards, y):
    return (sum(torch.logsumexp(part, dim=1) for part in shards) - _label_logits(shards, y)).mean()


@sharded_cross_entropy.mistake(
    "You take the largest of the shards' log-sum-exps. The words of the other shards count, too."
)
def _(shards, y):
    top = torch.stack([torch.logsumexp(part, dim=1) for part in shards]).amax(dim=0)
    return (top - _label_logits(shards, y)).mean()


@sharded_cross_entropy.mistake(
    "You use the label as it is in every shard. Word 7 of the vocabulary is word 7 − start of its shard, and is missing from the others.",
)
def _(shards, y):
    found = 0
    for part in shards:
        column = y.clamp(max=part.shape[1] - 1)
        found = found + torch.where(y < part.shape[1], part[torch.arange(len(y)), column], 0)
    return (_normaliser(shards) - found).mean()


@sharded_cross_entropy.mistake(
    "Every shard contributes a logit for every label. Only the shard that holds the word has one; the others give 0."
)
def _(shards, y):
    found, start = 0, 0
    for part in shards:
        column = (y - start).clamp(0, part.shape[1] - 1)
        found = found + part[torch.arange(len(y)), column]
        start += part.shape[1]
    return (_normaliser(shards) - found).mean()


@sharded_cross_entropy.mistake(
    "The first word of each shard is missed: it starts at `start`, so `y >= start` and not `y > start`."
)
def _(shards, y):
    found, start = 0, 0
    for part in shards:
        inside = (y > start) & (y < start + part.shape[1])
        column = (y - start).clamp(0, part.shape[1] - 1)
        found = found + torch.where(inside, part[torch.arange(len(y)), column], 0)
        start += part.shape[1]
    return (_normaliser(shards) - found).mean()


@sharded_cross_entropy.mistake(
    "The word after a shard's last is counted as its own, too: it belongs to the next shard, so `y < start + width` and not `<=`."
)
def _(shards, y):
    found, start = 0, 0
    for part in shards:
        inside = (y >= start) & (y <= start + part.shape[1])
        column = (y - start).clamp(0, part.shape[1] - 1)
        found = found + torch.where(inside, part[torch.arange(len(y)), column], 0)
        start += part.shape[1]
    return (_normaliser(shards) - found).mean()


@sharded_cross_entropy.mistake(
    "All shards are taken to be as wide as the first. They may differ.",
    hint="Add up the widths to find where each begins.",
)
def _(shards, y):
    width, found = shards[0].shape[1], 0
    for i, part in enumerate(shards):
        inside = (y >= i * width) & (y < i * width + part.shape[1])
        column = (y - i * width).clamp(0, part.shape[1] - 1)
        found = found + torch.where(inside, part[torch.arange(len(y)), column], 0)
    return (_normaliser(shards) - found).mean()


@sharded_cross_entropy.mistake("The losses are added up. The mean divides their sum by N.")
def _(shards, y):
    return (_normaliser(shards) - _label_logits(shards, y)).sum()


@sharded_cross_entropy.mistake(
    "exp(1000) overflows: the shards' sums of e^z are added without subtracting anything first.",
    hint="Let each shard give its log-sum-exp, and combine those with `torch.logsumexp`.",
)
def _(shards, y):
    total = sum(part.exp().sum(dim=1) for part in shards)
    return (total.log() - _label_logits(shards, y)).mean()


@sharded_cross_entropy.mistake(
    "Only the normaliser has a gradient: the logit of the label is cut out of the graph, and no word is ever pulled up."
)
def _(shards, y):
    return (_normaliser(shards) - _label_logits([part.detach() for part in shards], y)).mean()


# ---------------------------------------------------------------- cross_entropy_low_precision


def low(n, words):
    def make(rng):
        return rng.normal(n, words, scale=2.0), rng.classes(n, num_classes=words)

    return make


def nearly_right(rng):
    """A model that gives nearly everything to the right word: p − 1 is a small difference of two numbers near 1."""
    z, y = rng.normal(6, 5), rng.classes(6, num_classes=5)
    z[torch.arange(6), y] = rng.uniform(6, low=6.0, high=8.0)
    return z, y


def low_sure(rng):
    """One row at a time, so that the loss of one does not drown another's."""
    z = torch.tensor([[1000.0, 0.0, -1000.0, 3.0]], dtype=rng.dtype)
    return [(z, torch.tensor([label])) for label in range(4)]


@exercise(
    points=3,
    without=PYTORCH,
    hints=[
        "Every operation gives its result in the dtype of its inputs. Where does the rounding happen: at the input, on the way, or at the end?",
        "The logits themselves are given, rounded as they are. Nothing that is computed from them needs to be.",
        "Convert z to float32 first, and only z; `.float()` keeps it in the graph. Then everything as in `08_cross_entropy`.",
    ],
    built="What `torch.autocast` does with `cross_entropy`: it is on its list of operations that run in float32. The gradient comes back in the dtype of z, as the model needs it.",
)
def cross_entropy_low_precision(z, y):
    return F.cross_entropy(z.float(), y)


def precise(name, make, dtype=torch.bfloat16, **options):
    cross_entropy_low_precision.case(
        name, gradient="z", dtype=dtype, rtol=1e-5, atol=1e-6, slope_rtol=1e-2, **options
    )(make)


precise("bfloat16", low(7, 12))
precise("float16", low(7, 12), dtype=torch.float16)
precise("bfloat16, many rows of many words", low(96, 300))
precise("float16, many rows of many words", low(96, 300), dtype=torch.float16)
precise("one row, two words", low(1, 2))
precise("nearly right: the slope is a small difference", nearly_right)
precise("logits of 1000", low_sure, extreme=True)
precise("logits of 1000 in float16", low_sure, extreme=True, dtype=torch.float16)


@cross_entropy_low_precision.mistake(
    "You convert at the end: by then every step has been rounded to the few digits of z's dtype, and no conversion brings them back.",
    hint="Which tensor has to become float32, so that everything after it is?",
)
def _(z, y):
    return F.cross_entropy(z, y).float()


@cross_entropy_low_precision.mistake(
    "Everything runs in the dtype of z, the result included: losses come in steps, and the mean is one of the few numbers that this dtype has.",
    hint="Convert z to float32 first.",
)
def _(z, y):
    return F.cross_entropy(z, y)


@cross_entropy_low_precision.mistake(
    "You compute in float32 and round the result to the dtype of z. The loss stays float32: it is a single number, and costs nothing."
)
def _(z, y):
    return F.cross_entropy(z.float(), y).to(z.dtype)


@cross_entropy_low_precision.mistake(
    "The log-softmax still runs in the dtype of z: each loss is rounded before the mean is taken in float32."
)
def _(z, y):
    return F.nll_loss(torch.log_softmax(z, dim=1).float(), y)


@cross_entropy_low_precision.mistake(
    "The losses are right, and then they are averaged in the dtype of z: the sum of many is rounded, though none of them was."
)
def _(z, y):
    return F.cross_entropy(z.float(), y, reduction="none").to(z.dtype).mean().float()


@cross_entropy_low_precision.mistake(
    "The value is right, but no gradient reaches z: `torch.tensor(z)`, `.detach()` and `.data` make a copy that is not in the graph.",
    hint="`.float()` and `.to(torch.float32)` are operations like any other: they have a gradient.",
)
def _(z, y):
    return F.cross_entropy(z.detach().float(), y)


@cross_entropy_low_precision.mistake(
    "You compute in float64. The result should be float32: twice the memory of the logits is enough, four times is not needed."
)
def _(z, y):
    return F.cross_entropy(z.double(), y)


@cross_entropy_low_precision.mistake(
    "The value is right, but the slope is not: the label's logit is taken from z in 16 bits, so that its slope p − 1 is added up there, of a rounded p and of −1.",
    hint="Convert once, and take everything from the converted logits.",
)
def _(z, y):
    return (torch.logsumexp(z.float(), dim=1) - z[torch.arange(len(y)), y]).mean()


@cross_entropy_low_precision.mistake(
    "The losses are added up in float32, but not divided: the mean is over the N rows."
)
def _(z, y):
    return F.cross_entropy(z.float(), y, reduction="sum")


@cross_entropy_low_precision.mistake(
    "You take the logarithm of a softmax: in float32, too, a probability may be exactly 0, and the loss is inf."
)
def _(z, y):
    return F.nll_loss(torch.softmax(z.float(), dim=1).log(), y)
