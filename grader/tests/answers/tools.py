import torch

from grader.tests.answers import right, wrong


@right("unsqueeze")
def row_normalize(x):
    return x / x.sum(dim=1).unsqueeze(1)


@right("transposed twice")
def row_normalize(x):  # noqa: F811
    return (x.T / x.sum(dim=1)).T


@right("a loop over the rows")
def row_normalize(x):  # noqa: F811
    return torch.stack([row / row.sum() for row in x])


@right("einsum")
def row_normalize(x):  # noqa: F811
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
def numerical_gradient(f, x, eps=1e-6):  # noqa: F811
    steps = eps * torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack([f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape)) for s in steps]).reshape(x.shape) / 2 / eps


@right("a mask for each entry, numbers gathered in a list")
def numerical_gradient(f, x, eps=1e-6):  # noqa: F811
    numbers = torch.arange(x.numel()).reshape(x.shape)
    values = [((f(x + eps * (numbers == i)) - f(x - eps * (numbers == i))) / (2 * eps)).item() for i in range(x.numel())]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape)


@right("nan replaced before the maximum")
def relative_error(a, b):
    return torch.nan_to_num((a - b).abs() / torch.maximum(a.abs(), b.abs()), nan=0.0).max()


@right("a loop")
def relative_error(a, b):  # noqa: F811
    worst = torch.zeros((), dtype=a.dtype)
    for s, t in zip(a.flatten(), b.flatten()):
        if s != t:
            worst = torch.maximum(worst, (s - t).abs() / max(s.abs(), t.abs()))
    return worst


@right("only the entries that differ")
def relative_error(a, b):  # noqa: F811
    differ = a != b
    if not differ.any():
        return torch.zeros((), dtype=a.dtype)
    s, t = a[differ], b[differ]
    return ((s - t).abs() / torch.stack([s.abs(), t.abs()]).amax(dim=0)).amax()


@right("a tiny number below the line")
def relative_error(a, b):  # noqa: F811
    return ((a - b).abs() / torch.maximum(a.abs(), b.abs()).clamp(min=torch.finfo(a.dtype).tiny)).max()


@right("weights that sum to one")
def batch_mean(losses, sizes):
    return (losses * (sizes / sizes.sum()).to(losses.dtype)).sum()


@right("a loop that counts")
def batch_mean(losses, sizes):  # noqa: F811
    total, count = 0, 0
    for loss, size in zip(losses, sizes):
        total = total + loss * size
        count = count + size
    return total / count


@right("a scalar product")
def batch_mean(losses, sizes):  # noqa: F811
    return losses @ sizes.to(losses.dtype) / sizes.sum()


@right("every sample written out")
def batch_mean(losses, sizes):  # noqa: F811
    return losses.repeat_interleave(sizes).mean()


@wrong("the input is written to", says="changes its input")
def row_normalize(x):  # noqa: F811
    result = x / x.sum(dim=1, keepdim=True)
    x.mul_(2)
    return result


@wrong("the gradient is cut", says="no gradient reaches `x`")
def row_normalize(x):  # noqa: F811
    return x.detach() / x.detach().sum(dim=1, keepdim=True)


@wrong("a step of its own", says="`eps` has no effect")
def numerical_gradient(f, x, eps=1e-6):  # noqa: F811
    steps = 1e-6 * torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack([(f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape))) / 2e-6 for s in steps]).reshape(x.shape)


@wrong("autograd", says="You called `grad`")
def numerical_gradient(f, x, eps=1e-6):  # noqa: F811
    x = x.clone().requires_grad_(True)
    return torch.autograd.grad(f(x), x)[0]


@wrong("one long row", says="The numbers are right, but the shape")
def numerical_gradient(f, x, eps=1e-6):  # noqa: F811
    steps = eps * torch.eye(x.numel(), dtype=x.dtype)
    return torch.stack([(f(x + s.reshape(x.shape)) - f(x - s.reshape(x.shape))) / (2 * eps) for s in steps])


@wrong("a Python number", says="Python float")
def relative_error(a, b):  # noqa: F811
    return torch.nan_to_num((a - b).abs() / torch.maximum(a.abs(), b.abs()), nan=0.0).max().item()


@wrong("float64 by way of the weights", says="dtype")
def batch_mean(losses, sizes):  # noqa: F811
    return (losses * sizes.double()).sum() / sizes.sum()
