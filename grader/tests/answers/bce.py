import torch

from grader.tests.answers import right, wrong


@right("powers")
def bernoulli_likelihood(p, y):
    return torch.prod(p**y * (1 - p) ** (1 - y))


@right("a loop")
def bernoulli_likelihood(p, y):
    product = torch.ones((), dtype=p.dtype)
    for i in range(len(p)):
        product = product * (p[i] if y[i] == 1 else 1 - p[i])
    return product


@right("the exponential of a sum of logarithms")
def bernoulli_likelihood(p, y):
    return (y * p.log() + (1 - y) * (1 - p).log()).sum().exp()


@right("arithmetic instead of a choice")
def bce_per_sample(p, y):
    return -torch.xlogy(y, p) - torch.xlogy(1 - y, 1 - p)


@right("log1p")
def bce_per_sample(p, y):
    return torch.neg(y.mul(p.log()).add((1 - y).mul(torch.log1p(-p))))


@right("a loop over the entries")
def bce_per_sample(p, y):
    losses = [-(t * torch.log(q) + (1 - t) * torch.log(1 - q)) for q, t in zip(p.flatten(), y.flatten())]
    return torch.stack(losses).reshape(p.shape)


@right("a dictionary of reductions")
def bce(p, y, reduction="mean"):
    losses = -(y * p.log() + (1 - y) * (1 - p).log())
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction](losses)


@right("match and einsum")
def bce(p, y, reduction="mean"):
    both = torch.stack([y, 1 - y]), torch.stack([p, 1 - p]).log()
    match reduction:
        case "none":
            return -torch.einsum("a...,a...->...", *both)
        case "sum":
            return -torch.einsum("a...,a...->", *both)
        case _:
            return -torch.einsum("a...,a...->", *both) / y.numel()


@right("torch.maximum")
def bce_clamped(p, y):
    floor = torch.tensor(-100.0, dtype=p.dtype)
    return -(y * torch.maximum(p.log(), floor) + (1 - y) * torch.maximum((1 - p).log(), floor)).sum() / p.numel()


@right("log1p and clamp_min")
def bce_clamped(p, y):
    return (-y * torch.log(p).clamp_min(-100) - (1 - y) * torch.log1p(-p).clamp_min(-100)).mean()


@right("one fraction")
def bce_grad(p, y):
    return (p - y) / (p * (1 - p))


@right("a weighted sum of the two slopes, in place on its own result")
def bce_grad(p, y):
    result = torch.reciprocal(1 - p)
    result *= 1 - y
    result -= y / p
    return result


@wrong("the mean divides by a fixed 4", says="Right only for 4 samples")
def bce(p, y, reduction="mean"):
    losses = -(y * p.log() + (1 - y) * (1 - p).log())
    return losses if reduction == "none" else losses.sum() / (1 if reduction == "sum" else 4)


@wrong("a Python number", says="Python float")
def bernoulli_likelihood(p, y):
    return torch.where(y == 1, p, 1 - p).prod().item()


@wrong("float32 throughout", says="dtype")
def bce_per_sample(p, y):
    return (-(y * p.log() + (1 - y) * (1 - p).log())).float()


@wrong("the input is written to", says="changes its input")
def bce_grad(p, y):
    slope = (p - y) / (p * (1 - p))
    p.mul_(2)
    return slope
