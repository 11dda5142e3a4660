# %% [markdown]
# # How much memory does the loss need?
#
# A language model reads 8192 tokens at once, and after each of them it scores every word that it knows. Llama 3 knows
# 128,256, of which [256](https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py) are special tokens, such as the end of a text. That is one matrix of logits, made for a single number, the loss. **How large is it?**
#
# In this lesson you build cross-entropy without that matrix, block by block and with a backward pass of your own, and meet it in PyTorch as
# `nn.LinearCrossEntropyLoss`. You spread it over several machines, and find out what happens to it in 16 bits. You need
# `08_cross_entropy`. About 50 minutes.

# %%
import time

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show
from grader.memory import Memory

# %% [markdown]
# Guess it first, in GiB (within 0.5 counts as right): 8192 × 128,256 numbers of 4 bytes each. A GiB is $2^{30}$ bytes.

# %%
guess("gib_of_logits", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
tokens, words, width = 8192, 128_256, 4096
GiB = 2**30
print(f"hidden states {tokens} x {width}: {4 * tokens * width / GiB:.2f} GiB")
print(f"weights     {words} x {width}: {4 * words * width / GiB:.2f} GiB")
print(f"logits      {tokens} x {words}: {4 * tokens * words / GiB:.2f} GiB")
guessed("gib_of_logits", 4 * tokens * words / GiB, within=0.5)

# %% [markdown]
# Twice the size of the weights that made it, and gone after one step.
#
# ## How many of them at once?
#
# The last layer of the model takes a hidden state $h_n$ of $D$ numbers to $V$ logits, one for each word of the vocabulary, and the loss follows:
#
# $$ z_{nv} = \sum_d h_{nd} W_{vd} \qquad \ell = \frac{1}{N} \sum_n \Bigl( \log \sum_v e^{z_{nv}} - z_{n y_n} \Bigr) $$
#
# A smaller case will show it: 1024 tokens, 4096 words, $D = 64$. `Memory` counts the bytes of all tensors alive at the same time. How many matrices of
# size $N \cdot V$ will it find, forward and backward?

# %%
guess("matrices_at_once", ..., sure=...)     # a whole number

# %%
torch.manual_seed(0)
N, D, V, rows = 1024, 64, 4096, 64
matrix = 4 * N * V                           # the bytes of one matrix of logits
h = torch.randn(N, D, requires_grad=True)
W = (torch.randn(V, D) / 8).requires_grad_()
y = torch.randint(V, (N,))


def whole(h, W, y):
    return F.cross_entropy(h @ W.T, y)


with Memory(h, W, y) as memory:
    loss = whole(h, W, y)
    print(f"most in the forward pass  {memory.most / matrix:.2f}, kept after it {memory.now / matrix:.2f}")
    loss.backward()
print(f"most in the backward pass {memory.most / matrix:.2f}")
guessed("matrices_at_once", round(memory.most / matrix), within=0)

# %% [markdown]
# Forward two: the logits, and their log-softmax, which is kept for the backward pass. Backward three: the log-softmax, the slope with respect to it, and
# the slope with respect to the logits. And if the logits still have a name?

# %%
with Memory(h, W, y) as memory:
    z = h @ W.T
    loss = F.cross_entropy(z, y)
    loss.backward()
print(f"most, with a name for the logits {memory.most / matrix:.2f}")
print(f"that many for 8192 tokens of 128,256 words: {memory.most / matrix * 4 * tokens * words / GiB:.0f} GiB")
del z

# %% [markdown]
# Four: a name keeps its tensor alive.
#
# ## One block at a time
#
# The log-sum-exp of a row seems to need the whole row, because the largest logit has to be subtracted first (`07_log_softmax`). It does not. Let the
# logits come in blocks of columns, and keep two numbers for each row: $m$, the largest logit so far, and $s$, the sum of $e^{z - m}$ so far.
# Maxim Milakov and Natalia Gimelshein [published it](https://arxiv.org/abs/1805.02867) in 2018.
#
# A first try, on the four photographs of `08_cross_entropy` in blocks of 2, 2 and 1 columns:

# %%
logits = torch.tensor([[-5.0, 10.0, 1.2,  3.0, -4.0],
                       [ 5.0, -4.0, 0.1,  1.0,  0.1],
                       [ 1.0,  3.0, 2.5, -0.1,  2.5],
                       [-7.0,  2.5, 0.1,  3.1,  0.2]])


def first_try(parts):
    m, s = torch.tensor(-torch.inf), torch.tensor(0.0)
    for part in parts:
        m = torch.maximum(m, part.amax(dim=1))
        s = s + (part - m[:, None]).exp().sum(dim=1)
    return m + s.log()


print("first try", first_try(logits.split((2, 2, 1), dim=1)))
print("right    ", torch.logsumexp(logits, dim=1))

# %% [markdown]
# Three rows are right, the last is not. Its largest logit, 3.1, comes in the second block, and the old $s$ was measured against the old $m$.
#
# There is a second trap. A model may forbid words by a logit of −inf, and then a whole block can be −inf:

# %%
nothing = torch.full((1, 3), -torch.inf, requires_grad=True)
print("first try    ", first_try([nothing.detach(), torch.tensor([[1.0, 2.0]])]))
value = torch.logsumexp(nothing, dim=1)
value.backward()
print("one block    ", value.item(), "and its slope", nothing.grad)

# %% [markdown]
# −inf − (−inf) is nan. And `torch.logsumexp` gives the right value, −inf, but a slope of nan, which spoils whatever it flows back to.
#
# ## Exercise: `online_logsumexp`
#
# Write it right: one pass, blocks of any widths, in which no tensor is larger than a block. Two decisions: what has to happen to $s$ when $m$ changes, and what to
# subtract in a row that has seen nothing but −inf. The blocks come from a generator, so each comes once.

# %% exercise="online_logsumexp"
def online_logsumexp(blocks):
    """Log-sum-exp of each row over the columns of all blocks.

    blocks: an iterable of floats (N, B_k), seen once; entries may be -inf.
    Returns (N,). The slope at an entry of -inf is 0, also in a
    block that is all -inf; of a row that is -inf in every block only the value counts.
    """
    ### BEGIN SOLUTION
    m = s = None
    for block in blocks:
        top = block.detach().amax(dim=1)  # only a shift: no gradient goes through it
        new = top if m is None else torch.maximum(m, top)
        shift = torch.where(new == -torch.inf, 0, new)
        terms = torch.exp(block - shift[:, None]).sum(dim=1)
        s = terms if m is None else s * torch.exp(m - shift) + terms
        m = new
    return torch.log(s) + shift
    ### END SOLUTION

# %% [markdown] passed="online_logsumexp"
# With the new maximum $m'$ every old term $e^{z - m}$ has to become $e^{z - m'}$, so the whole sum is multiplied by one number:
#
# $$ s' = s \cdot e^{m - m'} + \sum_v e^{z_v - m'} $$
#
# [FlashAttention](https://arxiv.org/abs/2205.14135) computes the softmax of attention with the same two numbers.

# %%
online = ready("online_logsumexp")
for name, widths in [("2, 2, 1", (2, 2, 1)), ("1, 1, 3", (1, 1, 3)), ("5", (5,))]:
    print(f"blocks of {name:7}", online(block for block in logits.split(widths, dim=1)))

# %% [markdown]
# ## Chunks of rows
#
# It also works from the other side: all words, but only some rows at a time. A chunk of 64 rows has 64·V logits; it gives its share of the loss, and
# its logits can go.
#
# ## Exercise: `chunked_cross_entropy`
#
# Write the mean cross-entropy of $h W^\top$ in chunks of `rows` rows. The check measures: no tensor may be larger than a chunk of logits, $h$ or $W$, forward or
# backward. The decision is small, and often taken wrongly: how do the chunks' losses become one mean when the last chunk is smaller?

# %% exercise="chunked_cross_entropy"
def chunked_cross_entropy(h, W, y, rows):
    """Mean cross-entropy of the logits h W^T, made `rows` rows at a time.

    h: (N, D), W: (V, D), floats. y: (N,) int64. rows: int, at least 1.
    Returns a 0-d tensor; the gradient reaches h and W.
    """
    ### BEGIN SOLUTION
    losses = []
    for start in range(0, len(h), rows):
        z = h[start : start + rows] @ W.T
        losses.append(F.cross_entropy(z, y[start : start + rows], reduction="sum"))
    return torch.stack(losses).sum() / len(y)
    ### END SOLUTION

# %% [markdown]
# So memory is saved? PyTorch can show what autograd keeps for the backward pass: `saved_tensors_hooks` sees every tensor that it stores, the inputs $h$ and $W$
# among them. Predict the last line before you run the cell.

# %%
def kept(loss_of):
    """Numbers that autograd keeps for the backward pass, in matrices of N·V."""
    sizes = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of(h, W, y)
    assert loss.ndim == 0                    # and alive until here, with all that it keeps
    return sum(sizes.values()) / (N * V)


chunk_ready = ready("chunked_cross_entropy")
print(f"h and W alone         {(h.numel() + W.numel()) / (N * V):.2f}")
print(f"whole                 {kept(whole):.2f}")
print(f"chunked               {kept(lambda h, W, y: chunk_ready(h, W, y, rows)):.2f}")

# %% [markdown]
# Not one number less. Each chunk's log-softmax is kept, and together they are the whole matrix again. Only the working copies have become small: the most alive at once
# falls from 3 matrices to this, and still grows with $N \cdot V$:

# %%
with Memory(h, W, y) as memory:
    chunk_ready(h, W, y, rows).backward()
print(f"chunked, most at once {memory.most / matrix:.2f}")

# %% [markdown]
# **Checkpointing** is the first repair: keep the inputs of a chunk, throw its logits away, and make them again in the backward pass.

# %% fold="Checkpointing, chunk by chunk"
# checkpointing, chunk by chunk
def checkpointed(h, W, y):
    def loss_of(part, W, labels):
        return F.cross_entropy(part @ W.T, labels, reduction="sum")

    pairs = zip(h.split(rows), y.split(rows))
    return sum(checkpoint(loss_of, part, W, labels, use_reentrant=False) for part, labels in pairs) / len(y)

# %%
print(f"checkpointed          {kept(checkpointed):.2f}")
with Memory(h, W, y) as memory:
    checkpointed(h, W, y).backward()
print(f"most at once          {memory.most / matrix:.2f}")

# %% [markdown]
# Only $h$ and $W$ are left, which are there anyway. The price: every chunk's logits are made twice.
#
# ## The gradient in the forward pass
#
# They need not be, because this loss is special: it is the end of the model, and what comes later is at most a factor. So while the logits of a chunk are there,
# make loss *and* gradients, and keep neither logits nor probabilities. You know both halves: the slope of one row's loss with respect to its logits from `08_cross_entropy`, and how a slope goes back through a
# linear layer from `04_logistic_regression`.
#
# ## Exercise: `linear_cross_entropy_grad`
#
# Write loss and gradients by hand, in chunks. Which of the two gradients do all chunks write to, and which is filled piece by piece? `backward` and
# `autograd.grad` stay out.

# %% exercise="linear_cross_entropy_grad"
def linear_cross_entropy_grad(h, W, y, rows):
    """Mean cross-entropy of h W^T and its gradients, `rows` rows at a time.

    h: (N, D), W: (V, D), floats. y: (N,) int64. rows: int, at least 1.
    Returns (loss, grad_h, grad_W): 0-d, (N, D), (V, D).
    """
    ### BEGIN SOLUTION
    loss, grad_h, grad_W = 0, torch.empty_like(h), torch.zeros_like(W)
    for start in range(0, len(h), rows):
        chunk = slice(start, start + rows)
        log_p = torch.log_softmax(h[chunk] @ W.T, dim=1)
        at_label = torch.arange(len(log_p)), y[chunk]
        loss = loss - log_p[at_label].sum() / len(y)
        slope = log_p.exp() / len(y)
        slope[at_label] -= 1 / len(y)
        grad_h[chunk] = slope @ W
        grad_W += slope.T @ h[chunk]
    return loss, grad_h, grad_W
    ### END SOLUTION

# %%
grad_ready = ready("linear_cross_entropy_grad")
h.grad = W.grad = None
whole(h, W, y).backward()
with torch.no_grad():
    loss, grad_h, grad_W = grad_ready(h, W, y, rows)
print("same loss as autograd's     ", torch.allclose(loss, whole(h, W, y)))
print("same gradients as autograd's", torch.allclose(grad_h, h.grad, atol=1e-7), torch.allclose(grad_W, W.grad, atol=1e-7))

# %% [markdown]
# ## A function with a backward pass of its own
#
# How does autograd learn of gradients that you have made? By `torch.autograd.Function`: a class with two static methods. `forward` computes, and lays aside in `ctx` what `backward`
# will need. `backward` gets the slope of everything that comes later with respect to the result, and returns one gradient for each argument of `forward`, None where there is none to give.
#
# A small one, to see what arrives:

# %%
class Shout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, times):
        ctx.times = times
        return x.sum()

    @staticmethod
    def backward(ctx, slope):
        print(f"a slope of {slope.item():.2f} arrives, times = {ctx.times}")
        return slope * torch.ones(3), None


x = torch.zeros(3, requires_grad=True)
(Shout.apply(x, 5) / 4).backward()
print("gradient", x.grad)

# %% [markdown]
# Whoever divides the loss by 4, as one does when four batches share a step, finds it in the slope.
#
# ## Exercise: `ChunkedCrossEntropy`
#
# Build the loss as an autograd function, within the same bound. When are the gradients made, in `forward` or in `backward`, and what is done with the slope that arrives? Your
# `linear_cross_entropy_grad` may be called; `backward()` and `autograd.grad` may not. (A `backward` that differentiates its own result calls itself without end.)

# %% exercise="ChunkedCrossEntropy"
class ChunkedCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of h W^T, never with all logits at once.

    apply(h, W, y, rows): h (N, D), W (V, D), y (N,) int64, rows an int. Returns 0-d.
    """

    @staticmethod
    def forward(ctx, h, W, y, rows):
        ### BEGIN SOLUTION
        loss, *gradients = linear_cross_entropy_grad(h, W, y, rows)
        ctx.save_for_backward(*gradients)
        return loss
        ### END SOLUTION

    @staticmethod
    def backward(ctx, slope):
        ### BEGIN SOLUTION
        grad_h, grad_W = ctx.saved_tensors
        return slope * grad_h, slope * grad_W, None, None
        ### END SOLUTION

# %%
ChunkedReady = ready("ChunkedCrossEntropy")


def fused(h, W, y):
    return ChunkedReady.apply(h, W, y, rows)


with Memory(h, W, y) as memory:
    loss = fused(h, W, y)
    print(f"kept beside h and W {memory.now / matrix:.2f}")
    loss.backward()
print(f"most at once        {memory.most / matrix:.2f}")

# %% [markdown]
# Nothing of size $N \cdot V$ is kept: at most the two gradients, as large as $h$ and $W$. Now against the vocabulary, memory and time:

# %% fold=""
# most memory and time of one step, against the vocabulary
def step(loss_of, V):
    states, weights = torch.randn(512, 32, requires_grad=True), torch.randn(V, 32, requires_grad=True)
    labels = torch.randint(V, (512,))
    with Memory(states, weights, labels) as memory:
        loss_of(states, weights, labels).backward()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        loss_of(states, weights, labels).backward()
        seconds.append(time.perf_counter() - start)
    return memory.most / 2**20, 1000 * min(seconds)      # the fastest of five: the least disturbed


sizes = [1024, 2048, 4096, 8192]
ways = {"whole": (whole, "naive"), "chunked": (lambda h, W, y: chunk_ready(h, W, y, rows), "clamped"),
        "checkpointed": (checkpointed, "slope"), "yours": (fused, "repaired")}
curves = {name: [step(way, V) for V in sizes] for name, (way, _) in ways.items()}

# %%
# memory and time against the vocabulary
fig, (left, right) = plt.subplots(1, 2)
for (name, curve), marker in zip(curves.items(), "osd^"):
    style = LINE[ways[name][1]]
    left.plot(sizes, [memory for memory, _ in curve], marker=marker, label=name, **style)
    right.plot(sizes, [milliseconds for _, milliseconds in curve], marker=marker, label=name, **style)
left.set(title="most memory at once", xlabel="words in the vocabulary", ylabel="MiB")
right.set(title="time of one step, the fastest of five", xlabel="words in the vocabulary", ylabel="milliseconds")
left.legend()
print("MiB at 8192 words:", ", ".join(f"{name} {curve[-1][0]:.1f}" for name, curve in curves.items()))
show("Two plots against the vocabulary, from 1024 to 8192 words. Left, the most memory at once: the whole matrix rises steeply, the chunks of plain autograd less than half as "
     "steeply, the checkpointed chunks and your function stay far below both. Right, the time of one step, the fastest of five, on the machine that drew the picture.", measured=True)

# %% [markdown]
# Left, memory: the upper two lines grow with $N \cdot V$, the lower two with a chunk and with the weights. Right, time (the fastest of five steps), which depends on the machine and on what else it
# does. Chunks are many small products instead of one large one, which need not be slower; whoever makes logits twice pays for it.
#
# ## What PyTorch calls it
#
# In PyTorch 2.13 the last layer and its loss are also one function: `F.linear_cross_entropy(h, W, y)`, and `nn.LinearCrossEntropyLoss(D, V)` with weights of its own.

# %%
layer = nn.LinearCrossEntropyLoss(D, V)
with torch.no_grad():
    layer.linear.weight.copy_(W)

options = nn.LinearCrossEntropyOptions(batch_chunk_size=rows, chunking_method=None)
results = {
    "yours": fused(h, W, y),
    "the definition": whole(h, W, y),
    "functional": F.linear_cross_entropy(h, W, y),
    "functional, chunked": F.linear_cross_entropy(h, W, y, options=options),
    "modular": layer(h, y),
}

# %%
slope_h, slope_W = torch.autograd.grad(whole(h, W, y), (h, W))
for name, loss in results.items():
    weights = layer.linear.weight if name == "modular" else W
    grad_h, grad_W = torch.autograd.grad(loss, (h, weights))
    assert torch.allclose(loss, results["the definition"])
    assert torch.allclose(grad_h, slope_h, atol=1e-7) and torch.allclose(grad_W, slope_W, atol=1e-7)
    print(f"{loss:.4f}  {name}")

# %% [markdown]
# Five times the same value, and the same gradients. But the same memory? Predict first: what does the function need as it is, without `options`?

# %%
for name, chosen in [("as it is", None), ("with options", options)]:
    with Memory(h, W, y) as memory:
        F.linear_cross_entropy(h, W, y, options=chosen).backward()
    print(f"{name:12} {memory.most / matrix:.2f}")

# %% [markdown]
# The name alone saves nothing: without `options` it is the two lines of the definition. With them it makes its gradients in the forward pass, as yours
# may. (`Memory` cannot look inside an operation: of the chunked one it sees what it returns.)
#
# ## A vocabulary on several machines
#
# Another way out is to share the words: each machine has some rows of $W$, and so some columns of the logits, a **shard**. Putting the shards together would
# mean sending the whole matrix around. [Megatron-LM](https://arxiv.org/abs/1909.08053) lets only a few numbers a row travel.
#
# ## Exercise: `sharded_cross_entropy`
#
# Write the mean loss from a list of shards. The check watches: no operation may take more than one number a row of one shard together with more than
# one of another. Decide what each shard has to tell the others, and who knows the logit of the label.

# %% exercise="sharded_cross_entropy"
def sharded_cross_entropy(shards, y):
    """Mean cross-entropy over a vocabulary that is cut into shards.

    shards: list of floats (N, V_k), whose columns follow each other. y: (N,) int64, a
    word of the whole vocabulary. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    start, at_label, normalisers = 0, 0, []
    for shard in shards:
        normalisers.append(torch.logsumexp(shard, dim=1))
        column = (y - start).clamp(0, shard.shape[1] - 1)
        here = (y >= start) & (y < start + shard.shape[1])
        at_label = at_label + torch.where(here, shard[torch.arange(len(y)), column], 0)
        start += shard.shape[1]
    return (torch.logsumexp(torch.stack(normalisers), dim=0) - at_label).mean()
    ### END SOLUTION

# %%
labels = torch.tensor([0, 2, 3, 1])
sharded = ready("sharded_cross_entropy")
print(f"three shards {sharded(list(logits.split((2, 2, 1), dim=1)), labels):.4f}")
print(f"one matrix   {F.cross_entropy(logits, labels):.4f}")

# %% [markdown]
# ## Sixteen bits
#
# Half the bits also mean half the memory. Many models are trained in **bfloat16**: the range of float32, but only 8 binary digits. How far apart are two neighbours, near a loss of
# 5 and near a loss of 10?

# %%
for low, high in [(4, 8), (8, 16)]:
    numbers = torch.linspace(low, high, 100_001).to(torch.bfloat16).unique()
    print(f"between {low} and {high}: {len(numbers) - 1} steps of {(numbers[1] - numbers[0]).item()}")

# %% [markdown]
# A loss of 10 moves in steps of 0.0625. A thousand tokens now, 2000 words, with logits that bfloat16 holds exactly, so that nothing is lost before the loss. The mean is taken as in a script that adds up the losses as they come, and divides at the end.

# %%
torch.manual_seed(0)
z = (torch.randn(1000, 2000) * 2).clamp(-7, 7).mul(16).round() / 16
target = torch.randint(2000, (1000,))
exact = F.cross_entropy(z, target, reduction="none")
rounded = F.cross_entropy(z.to(torch.bfloat16), target, reduction="none")

total = torch.zeros((), dtype=torch.bfloat16)
means = []
for i, loss in enumerate(rounded, start=1):
    total = total + loss
    means.append(total.item() / i)
worst = ((rounded - exact).abs() / exact).max()
print(f"no single loss is off by more than {100 * worst:.1f} %")
print(f"mean in float32 {exact.mean():.4f}, in bfloat16 {means[-1]:.4f}, because the sum stops at {total.item():.0f}")
print(f"the mean that F.cross_entropy takes of the same bfloat16 logits {F.cross_entropy(z.to(torch.bfloat16), target).item():.4f}")

# %%
# the staircase of bfloat16, and a mean that is added up in it
fig, (left, right) = plt.subplots(1, 2)
losses = torch.linspace(7.6, 8.4, 2001)
left.plot(losses, losses.to(torch.bfloat16).float(), **LINE["broken"] | {"linestyle": "-"}, label="bfloat16")
left.plot(losses, losses, **LINE["repaired"] | {"linewidth": 1}, label="float32")
left.set(title="the same loss in two dtypes", xlabel="loss", ylabel="loss, as stored")
steps = torch.arange(1, 1001)
right.plot(steps, exact.cumsum(0) / steps, **LINE["repaired"], label="float32")
right.plot(steps, means, **LINE["broken"], label="bfloat16")
right.set(title="mean of the first losses", xlabel="how many", ylabel="mean", ylim=(0, 11))
left.legend(), right.legend(loc="lower left")
show("Two plots. Left, a loss from 7.6 to 8.4 as stored: in float32 a straight line, in bfloat16 a staircase whose steps are twice as high above 8 as below. Right, the mean of the first "
     "losses against their number: in float32 it stays between 9 and 10; in bfloat16 it leaves that line after about 100 losses, first downwards, then upwards, and from some 400 on it sinks further and further below.")

# %% [markdown]
# Left, the staircase; right, the damage. Each loss alone is right to half a per cent, and their mean is less than half of what it should be: once the sum is so large that a step is more than twice a loss,
# adding a loss changes nothing. The mean that `F.cross_entropy` takes itself is as near as bfloat16 can be: it is the adding up outside that does the damage.
#
# ## Exercise: `cross_entropy_low_precision`
#
# The logits come in bfloat16 or float16, as the model made them. Write their mean loss, right to five digits, and give the model its gradient in its own dtype. There is one
# decision: at which place does the precision change?

# %% exercise="cross_entropy_low_precision"
def cross_entropy_low_precision(z, y):
    """Mean cross-entropy of logits in 16 bits, computed in float32.

    z: (N, V) bfloat16 or float16. y: (N,) int64. Returns a 0-d float32 tensor; the
    gradient of z has the dtype of z.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z.float(), y)
    ### END SOLUTION

# %%
low_ready = ready("cross_entropy_low_precision")
short = z.to(torch.bfloat16).requires_grad_()
loss = low_ready(short, target)
loss.backward()
print(f"{loss.item():.4f} in {loss.dtype}, gradient in {short.grad.dtype}")

# %% [markdown]
# The bill: a float32 copy of the logits, in the very place where memory is short. Chunks make it small again.
#
# ## In your own words
#
# A colleague trains with a vocabulary of 256,000 words and runs out of memory in the loss. They cut the batch into chunks of 128 tokens, add up the chunks'
# losses in bfloat16, and call `backward` once at the end. Memory is still short, and the loss that they log has hardly moved for days. Explain both, and say what you would change.

# %% [markdown] question="chunks_that_save_nothing" points=2
# Memory: one `backward` at the end means that autograd keeps every chunk's log-softmax until then, together the whole matrix of logits. Either each chunk gets its own `backward` at once, on
# `d = h.detach().requires_grad_()`, and `h.backward(d.grad)` takes the sum through the model once (on `h` itself the second chunk's would fail; the mean needs each chunk's sum divided by the number of all
# tokens), or chunks are checkpointed, or the gradients are made in the forward pass (`F.linear_cross_entropy` with `options`).
# The loss: a sum in bfloat16 has 8 binary digits. As soon as it is large against a chunk's loss, adding one changes nothing or moves by a whole step, so the logged mean is wrong and looks still.
# Add in float32. The gradients of the chunks do not depend on the sum's rounding, so the model may be learning all the time.

# %% [markdown]
# ## Recap
#
# - You built the log-sum-exp in one pass, cross-entropy in chunks, its gradient by hand, and an autograd function that never holds all logits; the same loss over shards, and
#   in 16 bits.
# - PyTorch calls it `F.linear_cross_entropy` and `nn.LinearCrossEntropyLoss`; `nn.LinearCrossEntropyOptions` makes it work in chunks.
# - Three mistakes people make with it: they chunk under plain autograd and keep everything; they forget that the running sum belongs to the running maximum; they add losses up in 16 bits.
#
# **Before:** `14_language_model`, the loss that needs a vocabulary. **Next:** `16_contrastive`: what if the classes are the other samples of the batch?
#
# **Read on:** PyTorch's page of [`linear_cross_entropy`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear_cross_entropy.html);
# Wijmans and others, [*Cut Your Losses in Large-Vocabulary Language Models*](https://arxiv.org/abs/2411.09009); Hsu and others,
# [*Liger Kernel*](https://arxiv.org/abs/2410.10989).
