import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the module")
def fix_1(z, y):
    return nn.CrossEntropyLoss()(z, y)


@right("log_softmax and nll_loss")
def fix_1(z, y):
    return F.nll_loss(F.log_softmax(z, dim=-1), y)


@right("the softmax replaced by its logarithm, which a second softmax leaves as it is")
def fix_1(z, y):
    return F.cross_entropy(torch.log_softmax(z, dim=1), y)


@right("from the definition, by gather")
def fix_1(z, y):
    p = z.softmax(dim=1)
    return -p.gather(1, y.unsqueeze(1)).log().mean()


@right("the last dimension, as a module")
def fix_2(z):
    return nn.Softmax(dim=-1)(z)


@right("from the definition")
def fix_2(z):
    e = (z - z.amax(dim=2, keepdim=True)).exp()
    return e / e.sum(dim=2, keepdim=True)


@right("turned, dimension 1, turned back")
def fix_2(z):
    return torch.softmax(z.transpose(1, 2), dim=1).transpose(1, 2)


@right("a loop over the positions")
def fix_2(z):
    return torch.stack([z[:, i].softmax(dim=1) for i in range(z.shape[1])], dim=1)


@right("a dot product")
def fix_3(losses, sizes):
    return losses @ sizes.to(losses.dtype) / sizes.sum()


@right("shares")
def fix_3(losses, sizes):
    return torch.sum(losses * (sizes / sizes.sum()))


@right("a loop")
def fix_3(losses, sizes):
    total = 0
    for loss, size in zip(losses, sizes):
        total = total + loss * size
    return total / sum(sizes)


@right("every mean repeated for its samples")
def fix_3(losses, sizes):
    return losses.repeat_interleave(sizes).mean()


@right("squeeze without a dimension")
def fix_4(z, y):
    return F.binary_cross_entropy_with_logits(z.squeeze(), y)


@right("the labels as a column, the script's formula")
def fix_4(z, y):
    y = y.view(-1, 1)
    return (F.softplus(z) - y * z).mean()


@right("probabilities and BCELoss")
def fix_4(z, y):
    return nn.BCELoss()(torch.sigmoid(z).flatten(), y)


@right("the diagonal of the pairs")
def fix_4(z, y):
    return (F.softplus(z) - y * z).diagonal().mean()


@right("PyTorch's argument")
def fix_5(z, y, weight):
    return F.cross_entropy(z, y, weight=weight)


@right("weights scaled to a mean of 1 over the samples")
def fix_5(z, y, weight):
    used = weight[y] / weight[y].mean()
    return (used * F.cross_entropy(z, y, reduction="none")).mean()


@right("gather and einsum")
def fix_5(z, y, weight):
    log_p = z.log_softmax(dim=1)[torch.arange(len(y)), y]
    return -torch.einsum("n,n->", weight[y], log_p) / weight[y].sum()


@right("a mask and a sum")
def fix_6(z, y, pad):
    real = (y != pad).to(z.dtype)
    return (F.cross_entropy(z, y, reduction="none") * real).sum() / real.sum()


@right("the positions picked out first")
def fix_6(z, y, pad):
    real = y != pad
    return F.cross_entropy(z.transpose(1, 2)[real], y[real])


@right("a weight of 0 for the padding")
def fix_6(z, y, pad):
    weight = torch.ones(z.shape[1], dtype=z.dtype)
    weight[pad] = 0
    return F.cross_entropy(z, y, weight=weight)


@right("labels renamed to the default of ignore_index")
def fix_6(z, y, pad):
    return nn.CrossEntropyLoss()(z, torch.where(y == pad, -100, y))


@right("the two parts by hand")
def fix_7(z, y, weight, smoothing):
    log_p = F.log_softmax(z, dim=1)
    hard = -(weight[y] * log_p[torch.arange(len(y)), y]).sum()
    smooth = -(weight * log_p).sum() / z.shape[1]
    return ((1 - smoothing) * hard + smoothing * smooth) / weight[y].sum()


@right("soft labels, their sum divided by the weights used")
def fix_7(z, y, weight, smoothing):
    q = torch.full_like(z, smoothing / z.shape[1])
    q[torch.arange(len(y)), y] += 1 - smoothing
    return F.cross_entropy(z, q, weight=weight, reduction="sum") / weight[y].sum()


@right("probabilities")
def fix_8(z):
    return (torch.sigmoid(z) > 0.5).float()


@right("bool")
def fix_8(z):
    return z > 0


@right("rounded probabilities, as int")
def fix_8(z):
    return torch.sigmoid(z).round().long()


@right("where")
def fix_8(z):
    return torch.where(z > 0, 1, 0)


@wrong("where, with ≥", says="not *more* probable")
def fix_8(z):
    return torch.where(z >= 0, 1, 0)


@wrong("a Python number", says="Python float")
def fix_1(z, y):
    return F.cross_entropy(z, y).item()


@wrong("detached", says="no gradient reaches `z`")
def fix_5(z, y, weight):
    return F.cross_entropy(z.detach(), y, weight=weight)


@wrong("the padded logits are written to", says="changes its input")
def fix_6(z, y, pad):
    z[:, pad] += 0.5
    return F.cross_entropy(z - F.one_hot(torch.tensor(pad), z.shape[1])[:, None] * 0.5, y, ignore_index=pad)


@wrong("logits of the first column repeated in the result's shape", says="shape")
def fix_8(z):
    return (z > 0)[:, None]


@right("a loop over the samples")
def fix_1(z, y):
    total = 0
    for scores, label in zip(z, y):
        total += F.cross_entropy(scores, label)
    return total / len(z)


@right("labels as distributions")
def fix_1(z, y):
    return F.cross_entropy(z, F.one_hot(y, z.shape[1]).to(z.dtype))


@wrong("an epsilon inside the logarithm", says="Nearly right")
def fix_1(z, y):
    return -(z.softmax(dim=1) + 1e-9).log().gather(1, y[:, None]).mean()


@wrong("the logits' own logarithm", says="nan")
def fix_1(z, y):
    return F.nll_loss(z.log(), y)


@right("rows of all positions, then back")
def fix_2(z):
    return z.reshape(-1, z.shape[2]).softmax(dim=1).reshape(z.shape)


@right("vmap, twice")
def fix_2(z):
    return torch.vmap(torch.vmap(lambda scores: torch.softmax(scores, dim=0)))(z)


@wrong("a sum without keepdim", says="keepdim")
def fix_2(z):
    return z.exp() / z.exp().sum(dim=2)


@right("a running mean")
def fix_3(losses, sizes):
    mean, n = losses[0], sizes[0]
    for loss, size in zip(losses[1:], sizes[1:]):
        n = n + size
        mean = mean + (loss - mean) * size / n
    return mean


@wrong("whole numbers divided", says="whole numbers")
def fix_3(losses, sizes):
    return (losses * sizes).sum() // sizes.sum()


@wrong("written into the losses", says="changes its input")
def fix_3(losses, sizes):
    losses *= sizes
    return losses.sum() / sizes.sum()


@right("a product of matrices")
def fix_4(z, y):
    return (F.softplus(z).sum() - y @ z[:, 0]) / len(y)


@wrong("only half of the formula has the right shape", says="The symptom remains")
def fix_4(z, y):
    return (F.softplus(z[:, 0]) - y * z).mean()


@wrong("PyTorch refuses", says="Target size")
def fix_4(z, y):
    return F.binary_cross_entropy_with_logits(z, y)


@right("the classes counted")
def fix_5(z, y, weight):
    counts = torch.bincount(y, minlength=len(weight))
    return (weight.gather(0, y) * F.cross_entropy(z, y, reduction="none")).sum() / (counts * weight).sum()


@wrong("weights through a softmax", says="You applied a softmax to `weight`")
def fix_5(z, y, weight):
    return F.cross_entropy(z, y, weight=weight.softmax(dim=0))


@right("a loop over the positions")
def fix_6(z, y, pad):
    total, n = 0, 0
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            if y[i, j] != pad:
                total, n = total + F.cross_entropy(z[i, :, j], y[i, j]), n + 1
    return total / n


@right("nan in the place of the padding, and nanmean")
def fix_6(z, y, pad):
    return torch.where(y == pad, torch.nan, F.cross_entropy(z, y, reduction="none")).nanmean()


@wrong("the padding of another script", says="`pad` has no effect")
def fix_6(z, y, pad):
    return F.cross_entropy(z, y, ignore_index=0)


@wrong("written into the labels", says="changes its input")
def fix_6(z, y, pad):
    y[y == pad] = -100
    return F.cross_entropy(z, y)


@right("lerp between the two parts")
def fix_7(z, y, weight, smoothing):
    log_p, used = torch.log_softmax(z, dim=1), weight[y].sum()
    return torch.lerp(F.nll_loss(log_p, y, weight), -(log_p @ weight).sum() / z.shape[1] / used, smoothing)


@wrong("a smoothing of 0.1, whatever is asked", says="`smoothing` has no effect")
def fix_7(z, y, weight, smoothing):
    return F.cross_entropy(z, y, weight=weight, label_smoothing=0.1)


@right("a bin")
def fix_8(z):
    return torch.bucketize(z, torch.zeros(1, dtype=z.dtype))


@right("the larger of the pair 0, z")
def fix_8(z):
    return torch.stack([torch.zeros_like(z), z], dim=1).argmax(dim=1)


@right("signs, shifted")
def fix_8(z):
    return (z.sign() + 1) // 2


@wrong("a list", says="list or tuple")
def fix_8(z):
    return [int(v > 0) for v in z]


@wrong("the share of the patients", says="a mean or a sum too many")
def fix_8(z):
    return (z > 0).to(z.dtype).mean()


@right("the ends before each position")
def fix_9(z, y, end):
    before = torch.zeros_like(y)
    before[:, 1:] = (y == end).cumsum(dim=1)[:, :-1]
    return F.cross_entropy(z, torch.where(before == 0, y, -100))


@right("a loop over the sequences")
def fix_9(z, y, end):
    losses = []
    for scores, labels in zip(z, y.tolist()):
        length = labels.index(end) + 1 if end in labels else len(labels)
        losses.append(F.cross_entropy(scores[:, :length].T, torch.tensor(labels[:length]), reduction="none"))
    return torch.cat(losses).mean()


@right("the place of the first end")
def fix_9(z, y, end):
    length = y.shape[1]
    place = torch.where(y == end, torch.arange(length), length)
    real = torch.arange(length) <= place.amin(dim=1, keepdim=True)
    losses = F.cross_entropy(z, y, reduction="none")
    return (losses * real).sum() / real.sum()


@right("log_softmax, moved and masked")
def fix_9(z, y, end):
    ended = torch.cummax((y == end).long(), dim=1).values.roll(1, dims=1)
    ended[:, 0] = 0
    log_p = z.log_softmax(dim=1).gather(1, y[:, None])[:, 0]
    return -log_p[ended == 0].mean()


@wrong("written into the labels", says="changes its input")
def fix_9(z, y, end):
    before = (y == end).cumsum(dim=1) - (y == end).long()
    y[before > 0] = -100
    return F.cross_entropy(z, y)


@wrong("the end of another script", says="`end` has no effect")
def fix_9(z, y, end):
    before = (y == 2).cumsum(dim=1) - (y == 2).long()
    return F.cross_entropy(z, y, reduction="none")[before == 0].mean()


@right("the jacobian")
def dependency(f, x):
    return torch.autograd.functional.jacobian(f, x).ne(0).any(dim=-1)


@right("backward, on a new copy for each output")
def dependency(f, x):
    rows = []
    for i in range(len(x)):
        copy = x.clone().requires_grad_()
        f(copy)[i].backward()
        rows.append((copy.grad != 0).any(dim=1))
    return torch.stack(rows)


@right("torch.func")
def dependency(f, x):
    return (torch.func.jacrev(f)(x).abs().amax(dim=2) > 0).clone()


@right("all outputs in one batched call")
def dependency(f, x):
    copy = x.detach().clone().requires_grad_()
    out = f(copy)
    (slopes,) = torch.autograd.grad(out, copy, torch.eye(len(out), dtype=out.dtype), is_grads_batched=True)
    return slopes.norm(dim=2) != 0


@right("entry by entry")
def dependency(f, x):
    n = len(x)
    result = torch.zeros(n, n, dtype=torch.bool)
    copy = x.clone().requires_grad_(True)
    out = f(copy)
    for i in range(n):
        copy.grad = None
        out[i].backward(retain_graph=True)
        for j in range(n):
            result[i, j] = bool(copy.grad[j].count_nonzero())
    return result


@wrong("without a gradient", says="does not require grad")
def dependency(f, x):
    return torch.stack([torch.autograd.grad(o, x)[0] for o in f(x)]).ne(0).any(dim=2)


@wrong("backward on the input itself", says="leaves something on x")
def dependency(f, x):
    x.requires_grad_(True)
    out, rows = f(x), []
    for o in out:
        x.grad = None
        o.backward(retain_graph=True)
        rows.append(x.grad.ne(0).any(dim=1))
    return torch.stack(rows)


@wrong("a list of rows", says="one tensor is expected")
def dependency(f, x):
    copy = x.clone().requires_grad_()
    return [torch.autograd.grad(o, copy, retain_graph=True)[0].ne(0).any(dim=1) for o in f(copy)]


@right("by hand")
def fix_7(z, y, weight, smoothing):
    c = z.shape[1]
    lp = z.log_softmax(1)
    t = (1 - smoothing) * F.one_hot(y, c) + smoothing / c
    return -(t * lp * weight).sum() / weight[y].sum()


@right("vmapped vjp")
def dependency(f, x):
    x = x.detach().requires_grad_() if False else x.detach().clone().requires_grad_()
    out = f(x)
    (g,) = torch.autograd.grad(out, x, torch.eye(len(out), dtype=out.dtype), is_grads_batched=True)
    return (g != 0).any(2)
