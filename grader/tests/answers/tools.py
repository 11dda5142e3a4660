import numpy as np
import torch

from grader.tests.answers import right, wrong


@right("unsqueeze")
def row_normalize(x):
    return x / x.sum(dim=1).unsqueeze(1)


@right("transposed twice")
def row_normalize(x):
    return (x.T / x.sum(dim=1)).T


@right("a loop over the rows")
def row_normalize(x):
    return torch.stack([row / row.sum() for row in x])


@right("einsum")
def row_normalize(x):
    return torch.einsum("nc,n->nc", x, 1 / torch.einsum("nc->n", x))


@right("a loop over all entries")
def numerical_gradient(f, x, eps=1e-6):
    result = torch.zeros_like(x)
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        result.view(-1)[i] = (f(up) - f(down)) / (2 * eps)
    return result


@right("the rows of an identity matrix as steps")
def numerical_gradient(f, x, eps=1e-6):
    steps = eps * torch.eye(x.numel(), dtype=x.dtype)
    return (
        torch.stack([f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape)) for s in steps]).reshape(x.shape)
        / 2
        / eps
    )


@right("a mask for each entry, numbers gathered in a list")
def numerical_gradient(f, x, eps=1e-6):
    numbers = torch.arange(x.numel()).reshape(x.shape)
    values = [
        ((f(x + eps * (numbers == i)) - f(x - eps * (numbers == i))) / (2 * eps)).item()
        for i in range(x.numel())
    ]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape)


@right("nan replaced before the maximum")
def relative_error(a, b):
    return torch.nan_to_num((a - b).abs() / torch.maximum(a.abs(), b.abs()), nan=0.0).max()


@right("a loop")
def relative_error(a, b):
    worst = torch.zeros((), dtype=a.dtype)
    for s, t in zip(a.flatten(), b.flatten()):
        if s != t:
            worst = torch.maximum(worst, (s - t).abs() / max(s.abs(), t.abs()))
    return worst


@right("only the entries that differ")
def relative_error(a, b):
    differ = a != b
    if not differ.any():
        return torch.zeros((), dtype=a.dtype)
    s, t = a[differ], b[differ]
    return ((s - t).abs() / torch.stack([s.abs(), t.abs()]).amax(dim=0)).amax()


@right("a tiny number below the line")
def relative_error(a, b):
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs()).clamp(min=torch.finfo(a.dtype).tiny)).max()


@right("weights that sum to one")
def batch_mean(losses, sizes):
    return (losses * (sizes / sizes.sum()).to(losses.dtype)).sum()


@right("a loop that counts")
def batch_mean(losses, sizes):
    total, count = 0, 0
    for loss, size in zip(losses, sizes):
        total = total + loss * size
        count = count + size
    return total / count


@right("a scalar product")
def batch_mean(losses, sizes):
    return losses @ sizes.to(losses.dtype) / sizes.sum()


@right("every sample written out")
def batch_mean(losses, sizes):
    return losses.repeat_interleave(sizes).mean()


@wrong("the input is written to", says="changes its input")
def row_normalize(x):
    result = x / x.sum(dim=1, keepdim=True)
    x.mul_(2)
    return result


@wrong("the gradient is cut", says="no gradient reaches `x`")
def row_normalize(x):
    return x.detach() / x.detach().sum(dim=1, keepdim=True)


@wrong("a step of its own", says="`eps` has no effect")
def numerical_gradient(f, x, eps=1e-6):
    steps = 1e-6 * torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack(
        [(f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape))) / 2e-6 for s in steps]
    ).reshape(x.shape)


@wrong("autograd", says="You called `grad`")
def numerical_gradient(f, x, eps=1e-6):
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(f(x), x)[0]


@wrong("one long row", says="The numbers are right, but the shape")
def numerical_gradient(f, x, eps=1e-6):
    steps = eps * torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack([(f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape))) / (2 * eps) for s in steps])


@wrong("a Python number", says="Python float")
def relative_error(a, b):
    return torch.nan_to_num((a - b).abs() / torch.maximum(a.abs(), b.abs()), nan=0.0).max().item()


@wrong("float64 by way of the weights", says="dtype")
def batch_mean(losses, sizes):
    return (losses * sizes.double()).sum() / sizes.sum()


@right("a product with a column of ones")
def row_normalize(x):
    ones = torch.ones(x.shape[1], 1, dtype=x.dtype)
    return x.div(x @ ones)


@right("the softmax of the logarithms")
def row_normalize(x):
    return torch.softmax(x.log(), dim=1)


@right("in place on a clone")
def row_normalize(x):
    y = x.clone()
    y /= x.sum(-1, keepdim=True)
    return y


@wrong("a loop over the example's three rows", says="Right for 3 samples")
def row_normalize(x):
    out = x.clone()
    for i in range(3):
        out[i] = x[i] / x[i].sum()
    return out


@wrong("transposed once", says="has shape (4, 3) where (3, 4)")
def row_normalize(x):
    return x.T / x.sum(dim=1)


@wrong("an epsilon below the line", says="Nearly right")
def row_normalize(x):
    return x / (x.sum(dim=1, keepdim=True) + 1e-5)


@wrong("a list of rows", says="list or tuple")
def row_normalize(x):
    return [row / row.sum() for row in x]


@right("x moved in place and put back")
def numerical_gradient(f, x, eps=1e-6):
    g = torch.zeros_like(x)
    flat = x.view(-1)
    for i in range(flat.numel()):
        old = flat[i].item()
        flat[i] = old + eps
        up = f(x)
        flat[i] = old - eps
        down = f(x)
        flat[i] = old
        g.view(-1)[i] = (up - down) / (2 * eps)
    return g


@right("every index of the shape")
def numerical_gradient(f, x, eps=1e-6):
    g = torch.zeros_like(x)
    for i in np.ndindex(*x.shape):
        h = torch.zeros_like(x)
        h[i] = eps
        g[i] = (f(x + h) - f(x - h)) / (2 * eps)
    return g


@wrong("x moved in place, rounding left in it", says="changes its input")
def numerical_gradient(f, x, eps=1e-6):
    g = torch.zeros_like(x)
    for i in range(x.numel()):
        x.view(-1)[i] += eps
        up = f(x)
        x.view(-1)[i] -= 2 * eps
        g.view(-1)[i] = (up - f(x)) / (2 * eps)
    return g


@wrong("the return stands in the loop", says="several together")
def numerical_gradient(f, x, eps=1e-6):
    g = torch.zeros_like(x)
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        g.view(-1)[i] = (f(up) - f(down)) / (2 * eps)
        return g


@right("where, after the division")
def relative_error(a, b):
    d = (a - b).abs()
    m = torch.max(a.abs(), b.abs())
    return torch.where(d == 0, torch.zeros_like(d), d / m).max()


@right("the smaller beside the larger")
def relative_error(a, b):
    small, large = torch.minimum(a.abs(), b.abs()), torch.maximum(a.abs(), b.abs())
    same = torch.sign(a) == torch.sign(b)
    d = torch.where(same, large - small, large + small)
    return torch.where(large > 0, d / torch.where(large > 0, large, 1), 0).max()


@right("the last of the sorted")
def relative_error(a, b):
    q = torch.nan_to_num((a - b).abs().div(torch.maximum(a.abs(), b.abs())))
    return q.flatten().sort().values[-1]


@wrong("only equal tensors are caught", says="nan")
def relative_error(a, b):
    if torch.equal(a, b):
        return torch.tensor(0.0, dtype=a.dtype)
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs())).max()


@wrong("the maximum of each column", says="where () is expected")
def relative_error(a, b):
    size = torch.maximum(a.abs(), b.abs())
    return ((a - b).abs() / torch.where(size == 0, torch.ones_like(size), size)).max(dim=0).values


@wrong("the machine's epsilon below the line", says="small numbers")
def relative_error(a, b):
    return (torch.abs(a - b) / (torch.maximum(a.abs(), b.abs()) + torch.finfo(a.dtype).eps)).max()


@right("a mean that runs along")
def batch_mean(losses, sizes):
    mean, seen = losses[0], sizes[0].item()
    for loss, size in zip(losses[1:], sizes[1:].tolist()):
        seen += size
        mean = mean + (loss - mean) * size / seen
    return mean


@right("Python's sum")
def batch_mean(losses, sizes):
    return sum(l * s for l, s in zip(losses, sizes)) / sum(sizes)


@wrong("everything with everything", says="it is a sum over the samples")
def batch_mean(losses, sizes):
    return (losses[:, None] * sizes[None]).sum() / sizes.sum()


@wrong("the losses made integers", says="point of `losses` is dropped")
def batch_mean(losses, sizes):
    return ((losses.long() * sizes).sum() / sizes.sum()).to(losses.dtype)


@wrong("integers in a scalar product", says="Convert explicitly")
def batch_mean(losses, sizes):
    return losses @ sizes / sizes.sum()


@right("vmap over the rows")
def row_normalize(x):
    return torch.func.vmap(lambda row: row / row.sum())(x)


@right("vmap")
def row_normalize(x):
    return torch.vmap(lambda row: row / row.sum())(x)


@right("eye matrix")
def numerical_gradient(f, x, eps=1e-06):
    basis = torch.eye(x.numel(), dtype=x.dtype).view(-1, *x.shape)
    return torch.stack([f(x + eps * d) - f(x - eps * d) for d in basis]).div(2 * eps).view_as(x)


@right("repeat_interleave")
def batch_mean(losses, sizes):
    return losses.repeat_interleave(sizes).mean()
