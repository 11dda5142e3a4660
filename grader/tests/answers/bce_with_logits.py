import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from grader.course.build import course_answer as ready
from grader.tests.answers import right, wrong


@right("the larger of z and 0, plus the bump")
def softplus(z):
    return torch.clamp(z, min=0) + torch.log1p(torch.exp(-torch.abs(z)))


@right("logaddexp")
def softplus(z):
    return torch.logaddexp(torch.zeros((), dtype=z.dtype), z)


@right("logsumexp over a stack, without log1p")
def softplus(z):
    return torch.stack([z, torch.zeros_like(z)]).logsumexp(dim=0)


@right("where, on an argument made harmless first")
def softplus(z):
    harmless = torch.where(z > 30, torch.zeros_like(z), z)
    return torch.where(z > 30, z, torch.log(1 + torch.exp(harmless)))


@right("a loop over the entries")
def softplus(z):
    entries = [
        x + torch.log(1 + torch.exp(-x)) if x > 0 else torch.log(1 + torch.exp(x)) for x in z.flatten()
    ]
    return torch.stack(entries).reshape(z.shape)


@right("PyTorch's documented formula")
def bce_with_logits(z, y, reduction="mean"):
    losses = z.clamp(min=0) - z * y + torch.log1p(torch.exp(-z.abs()))
    return losses if reduction == "none" else getattr(losses, reduction)()


@right("a share of each half")
def bce_with_logits(z, y, reduction="mean"):
    losses = y * F.softplus(-z) + (1 - y) * F.softplus(z)
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction](losses)


@right("log-sigmoids")
def bce_with_logits(z, y, reduction="mean"):
    losses = -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z))
    if reduction == "none":
        return losses
    total = losses.sum()
    return total if reduction == "sum" else total / z.numel()


@right("a stable sigmoid by hand")
def bce_with_logits_grad(z, y):
    e = torch.exp(-z.abs())
    return torch.where(z > 0, 1 / (1 + e), e / (1 + e)) - y


@right("one half plus half a tanh")
def bce_with_logits_grad(z, y):
    return 0.5 + 0.5 * torch.tanh(z / 2) - y


@right("each half by its label")
def bce_with_logits_grad(z, y):
    return (1 - y) * torch.sigmoid(z) - y * torch.sigmoid(-z)


@right("everything in forward")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.how = reduction

    def forward(self, z, y):
        losses = torch.logaddexp(z, torch.zeros_like(z)) - y * z
        if self.how == "mean":
            return losses.mean()
        return losses.sum() if self.how == "sum" else losses


@right("the reduction kept as a function")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction: str = "mean"):
        nn.Module.__init__(self)
        self.reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction]

    def forward(self, z, y):
        return self.reduce(y * F.softplus(-z) + (1 - y) * F.softplus(z))


@wrong("a Python loop over a vector only", says="Your code raised")
def softplus(z):
    return torch.stack([x + torch.log1p(torch.exp(-x)) if x > 0 else torch.log1p(torch.exp(x)) for x in z])


@wrong("the answer is detached", says="no gradient reaches")
def bce_with_logits(z, y, reduction="mean"):
    losses = (F.softplus(z) - y * z).detach()
    return losses if reduction == "none" else getattr(losses, reduction)()


@wrong("the library's own function", says="binary_cross_entropy_with_logits")
def bce_with_logits(z, y, reduction="mean"):
    return F.binary_cross_entropy_with_logits(z, y, reduction=reduction)


@wrong("autograd instead of a derivation", says="You called")
def bce_with_logits_grad(z, y):
    z = z.clone().requires_grad_(True)
    return torch.autograd.grad((torch.logaddexp(z, torch.zeros_like(z)) - y * z).sum(), z)[0]


@wrong("the input is written to", says="changes its input")
def bce_with_logits_grad(z, y):
    return z.sigmoid_().sub(y)


@wrong("forward without a return", says="returns nothing")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        (F.softplus(z) - y * z).mean()


@wrong("the library's own module inside", says="You called")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.inner = nn.BCEWithLogitsLoss(reduction=reduction)

    def forward(self, z, y):
        return self.inner(z, y)


@right("half of z on both sides")
def softplus(z):
    a = z.abs() / 2
    return z / 2 + a + torch.log1p(torch.exp(-2 * a))


@right("filled by masks")
def softplus(z):
    out = torch.empty_like(z)
    m = z > 0
    out[m] = z[m] + torch.log1p(torch.exp(-z[m]))
    out[~m] = torch.log1p(torch.exp(z[~m]))
    return out


@right("z itself from 20 on, as in PyTorch")
def softplus(z):
    return torch.where(z > 20, z, torch.log1p(torch.exp(z.clamp(max=20))))


@right("a float32 zero beside it")
def softplus(z):
    return torch.logaddexp(z, torch.zeros(z.shape))


@wrong("z itself if any is large", says="at the extremes")
def softplus(z):
    if z.max() > 20:
        return z
    return torch.log1p(torch.exp(z))


@wrong("z itself from 10 on", says="Nearly right")
def softplus(z):
    return torch.where(z > 10, z, torch.log1p(torch.exp(z.clamp(max=10))))


@wrong("the bump detached", says="cut off from autograd")
def softplus(z):
    return z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())).detach()


@right("an error for another word")
def bce_with_logits(z, y, reduction="mean"):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction={reduction!r}: expected 'mean', 'sum' or 'none'")
    l = torch.logaddexp(z, torch.zeros_like(z)) - z * y
    return {"mean": l.mean(), "sum": l.sum(), "none": l}[reduction]


@right("the log-softmax of two scores")
def bce_with_logits(z, y, reduction="mean"):
    both = torch.log_softmax(torch.stack([torch.zeros_like(z), z]), 0)
    l = -(both[1] * y + both[0] * (1 - y))
    match reduction:
        case "mean":
            return l.mean()
        case "sum":
            return l.sum()
        case _:
            return l


@right("from the other side")
def bce_with_logits(z, y, reduction="mean"):
    l = (1 - y) * z + F.softplus(-z)
    if reduction == "none":
        return l
    if reduction == "sum":
        return l.sum()
    return l.sum() / z.numel()


@right("computed in float64")
def bce_with_logits(z, y, reduction="mean"):
    z64, y64 = z.double(), y.double()
    l = z64.clamp(min=0) - z64 * y64 + torch.log1p(torch.exp(-z64.abs()))
    out = l if reduction == "none" else l.mean() if reduction == "mean" else l.sum()
    return out.to(z.dtype)


@wrong("labels as bool", says="True and False")
def bce_with_logits(z, y, reduction="mean"):
    l = F.softplus(z) - y.bool() * z
    return l if reduction == "none" else getattr(l, reduction)()


@wrong("an epsilon of 1e-12", says="of about 1e-12 inside your logarithm caps the loss at 27.63")
def bce_with_logits(z, y, reduction="mean"):
    p = torch.sigmoid(z)
    l = -(y * torch.log(p + 1e-12) + (1 - y) * torch.log(1 - p + 1e-12))
    return l if reduction == "none" else getattr(l, reduction)()


@wrong("y·z written into z", says="changes its input")
def bce_with_logits(z, y, reduction="mean"):
    l = F.softplus(z)
    l -= z.mul_(y)
    return l if reduction == "none" else getattr(l, reduction)()


@wrong("y before z in the signature", says="were swapped")
def bce_with_logits(y, z, reduction="mean"):
    l = F.softplus(z) - y * z
    return l if reduction == "none" else getattr(l, reduction)()


@right("Python numbers")
def bce_with_logits_grad(z, y):
    out = []
    for a, b in zip(z.flatten().tolist(), y.flatten().tolist()):
        p = 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a))
        out.append(p - b)
    return torch.tensor(out, dtype=z.dtype).reshape(z.shape)


@right("without autograd")
@torch.no_grad()
def bce_with_logits_grad(z, y):
    return z.sigmoid().sub_(y)


@wrong("a measured slope", says="float32")
def bce_with_logits_grad(z, y):
    def f(z):
        return F.softplus(z) - y * z

    return (f(z + 1e-5) - f(z - 1e-5)) / 2e-5


@wrong("scores as a column", says="(4, 4) where (4,)")
def bce_with_logits_grad(z, y):
    return torch.sigmoid(z)[:, None] - y


@right("partial")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.f = partial(ready("bce_with_logits"), reduction=reduction)

    def forward(self, z, y):
        return self.f(z, y)


@right("PyTorch's base class of losses")
class BCEWithLogits(_Loss):
    def __init__(self, reduction="mean"):
        super().__init__(reduction=reduction)

    def forward(self, z, y):
        return ready("bce_with_logits")(z, y, self.reduction)


@right("super().__init__() at the end")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        self.reduction = reduction
        super().__init__()

    def forward(self, z, y):
        return ready("bce_with_logits")(z, y, reduction=self.reduction)


@wrong("no nn.Module", says="is not a module")
class BCEWithLogits:
    def __init__(self, reduction="mean"):
        self.reduction = reduction

    def __call__(self, z, y):
        return ready("bce_with_logits")(z, y, reduction=self.reduction)


@wrong("foward", says="no `forward`")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def foward(self, z, y):
        return ready("bce_with_logits")(z, y, reduction=self.reduction)


@wrong("reduction not kept in self", says="kept in `self`")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        reduction = reduction

    def forward(self, z, y):
        return ready("bce_with_logits")(z, y, reduction=self.reduction)


class Corner(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z.clamp(min=0) + torch.log1p(torch.exp(-z.abs()))

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * torch.sigmoid(z)


@right("an autograd.Function with its own backward")
def softplus(z):
    return Corner.apply(z)


@right("the sigmoid's slope first")
def squared_error_grad(z, y):
    p = torch.sigmoid(z)
    slope = p - p**2
    return slope * 2 * (p - y)


@right("with tanh")
def squared_error_grad(z, y):
    t = torch.tanh(z / 2)
    return (1 - t**2) * ((1 + t) / 2 - y) / 2


@right("the two losses' slopes, one from the other")
def squared_error_grad(z, y):
    return 2 * torch.sigmoid(z) * torch.sigmoid(-z) * ready("bce_with_logits_grad")(z, y)


@right("a loop over the entries")
def squared_error_grad(z, y):
    out = []
    for a, b in zip(z.flatten(), y.flatten()):
        p = torch.sigmoid(a)
        out.append(2 * (p - b) * p * (1 - p))
    return torch.stack(out).reshape(z.shape)


@wrong("autograd instead of a derivation", says="You called")
def squared_error_grad(z, y):
    z = z.clone().requires_grad_(True)
    return torch.autograd.grad(((torch.sigmoid(z) - y) ** 2).sum(), z)[0]


@wrong("the mean of the slopes", says="squared_error_grad")
def squared_error_grad(z, y):
    p = torch.sigmoid(z)
    return (2 * (p - y) * p * (1 - p)).mean()


@wrong("the absolute slope", says="")
def squared_error_grad(z, y):
    p = torch.sigmoid(z)
    return (2 * (p - y) * p * (1 - p)).abs()


@right("both sigmoids")
def squared_error_grad(z, y):
    return (z.sigmoid() - y).mul(2).mul(z.sigmoid()).mul((-z).sigmoid())


@right("buffer and dictionary")
class BCEWithLogits(nn.Module):
    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.register_buffer("zero", torch.zeros(()))
        self.how = {"mean": torch.mean, "sum": torch.sum, "none": nn.Identity()}[reduction]

    def forward(self, z, y):
        return self.how(torch.logaddexp(self.zero.to(z.dtype), z) - z * y)
