import math

import torch
from torch.nn import functional as F

from grader.course.build import course_answer as ready
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
    return (
        -(y * torch.maximum(p.log(), floor) + (1 - y) * torch.maximum((1 - p).log(), floor)).sum() / p.numel()
    )


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


@wrong("the mean divides by a fixed 4", says="Right for 4 samples")
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


@right("gather")
def bernoulli_likelihood(p, y):
    both = torch.stack([1 - p, p], dim=1)
    return both.gather(1, y.long()[:, None]).prod()


@right("the label as a mask")
def bernoulli_likelihood(p, y):
    y = y.bool()
    return p[y].prod() * (1 - p[~y]).prod()


@right("math.prod")
def bernoulli_likelihood(p, y):
    return math.prod(q if t == 1 else 1 - q for q, t in zip(p, y))


@wrong("the example's four factors", says="Right for 4 samples")
def bernoulli_likelihood(p, y):
    q = torch.where(y == 1, p, 1 - p)
    return q[0] * q[1] * q[2] * q[3]


@wrong("only the samples with y = 0", says="exactly those in which `y` is")
def bernoulli_likelihood(p, y):
    return (1 - p[y == 0]).prod()


@right("lerp")
def bce_per_sample(p, y):
    return -torch.lerp(torch.log(1 - p), torch.log(p), y)


@right("log-odds")
def bce_per_sample(p, y):
    return -torch.log(1 - p) - y * torch.log(p / (1 - p))


@right("softplus of the logit")
def bce_per_sample(p, y):
    z = torch.logit(p)
    return F.softplus(z) - y * z


@wrong("an epsilon of 1e-8", says="at the extremes")
def bce_per_sample(p, y):
    return -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8))


@wrong("a clamp at 0.001", says="clamp of about 0.001")
def bce_per_sample(p, y):
    p = p.clamp(1e-3, 1 - 1e-3)
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))


@wrong("float32 inside, and back", says="at the extremes")
def bce_per_sample(p, y):
    q = p.float()
    return (-(y * torch.log(q) + (1 - y) * torch.log(1 - q))).to(p.dtype)


@wrong("labels rounded", says="is rounded to whole numbers")
def bce_per_sample(p, y):
    y = y.round()
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p))


@wrong("only the half of y = 0", says="exactly those in which `y` is")
def bce_per_sample(p, y):
    return -(1 - y) * torch.log(1 - p)


@right("bce_per_sample, and an error for another word")
def bce(p, y, reduction="mean"):
    losses = ready("bce_per_sample")(p, y)
    if reduction == "mean":
        return losses.mean()
    elif reduction == "sum":
        return losses.sum()
    elif reduction == "none":
        return losses
    raise ValueError(f"reduction must be 'mean', 'sum' or 'none', not {reduction!r}")


class _B:
    def __call__(self, p, y, reduction="mean"):
        l = -(y * p.log() + (1 - y) * (1 - p).log())
        return dict(none=l, sum=l.sum(), mean=l.mean())[reduction]


@right("an object that is called")
def bce(*args, **kwargs):
    return _B()(*args, **kwargs)


@right("a loop")
def bce(p, y, reduction="mean"):
    flat = [-(t * q.log() + (1 - t) * (1 - q).log()) for q, t in zip(p.flatten(), y.flatten())]
    if reduction == "none":
        return torch.stack(flat).reshape(p.shape)
    total = sum(flat)
    return total if reduction == "sum" else total / len(flat)


@right("None stands for the mean")
def bce(p, y, reduction=None):
    l = -(y * p.log() + (1 - y) * (1 - p).log())
    if reduction in (None, "mean"):
        return l.mean()
    return l.sum() if reduction == "sum" else l


@wrong("a random weight for each sample", says="two answers")
def bce(p, y, reduction="mean"):
    losses = -(y * p.log() + (1 - y) * (1 - p).log()) * torch.rand_like(p)
    return losses if reduction == "none" else getattr(losses, reduction)()


@wrong("no default for reduction", says="Compare your signature")
def bce(p, y, reduction):
    l = -(y * p.log() + (1 - y) * (1 - p).log())
    if reduction == "none":
        return l
    return l.sum() if reduction == "sum" else l.mean()


@wrong("options compared with `is`", says="Your result has shape")
def bce(p, y, reduction="mean"):
    l = -(y * p.log() + (1 - y) * (1 - p).log())
    if reduction is "me" + "an"[0:]:
        return l.mean()
    return l


@right("−inf replaced, then the clamp")
def bce_clamped(p, y):
    log_p = torch.nan_to_num(p.log(), neginf=-100.0).clamp(min=-100)
    log_q = torch.nan_to_num(torch.log1p(-p), neginf=-100.0).clamp(min=-100)
    return -(y * log_p + (1 - y) * log_q).mean()


@right("masked_fill")
def bce_clamped(p, y):
    a, b = p.log(), (1 - p).log()
    a = a.masked_fill(a < -100, -100)
    b = b.masked_fill(b < -100, -100)
    return -(y * a + (1 - y) * b).mean()


@wrong("a clamp at −10", says="at the extremes")
def bce_clamped(p, y):
    return -(y * p.log().clamp(min=-10) + (1 - y) * (1 - p).log().clamp(min=-10)).mean()


@wrong("the mean left out", says="mean over the samples is missing")
def bce_clamped(p, y):
    return -(y * p.log().clamp(min=-100) + (1 - y) * (1 - p).log().clamp(min=-100))


@right("the slope of the log-odds")
def bce_grad(p, y):
    return 1 / (1 - p) - y * (1 / p + 1 / (1 - p))


@right("Python numbers")
def bce_grad(p, y):
    v = [-(t / q) + (1 - t) / (1 - q) for q, t in zip(p.flatten().tolist(), y.flatten().tolist())]
    return torch.tensor(v, dtype=p.dtype).view(p.shape)


@wrong("an epsilon of 1e-8", says="at the extremes")
def bce_grad(p, y):
    return (p - y) / (p * (1 - p) + 1e-8)


@wrong("the size of the slope", says="exactly those in which `y` is")
def bce_grad(p, y):
    return ((p - y) / (p * (1 - p))).abs()


@right("cumprod last")
def bernoulli_likelihood(p, y):
    return torch.cumprod(torch.lerp(1 - p, p, y), 0)[-1]


@right("lerp of logs")
def bce_per_sample(p, y):
    return -torch.lerp(torch.log1p(-p), torch.log(p), y)


@right("nested function, upper-case default")
def bce(p, y, reduction="mean"):

    def per(pi, yi):
        return -(yi * pi.log() + (1 - yi) * (1 - pi).log())

    l = torch.vmap(per)(p.reshape(-1), y.reshape(-1)).reshape(p.shape)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(reduction)
    return l if reduction == "none" else getattr(torch, reduction)(l)


@right("where on the log")
def bce_clamped(p, y):

    def safe(x):
        pos = x > 0
        l = torch.where(pos, torch.where(pos, x, torch.ones_like(x)).log(), torch.full_like(x, -100.0))
        return torch.clip(l, -100)

    return -(y * safe(p) + (1 - y) * safe(1 - p)).sum() / p.numel()
