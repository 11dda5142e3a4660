import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the larger of z and 0, plus the bump")
def softplus(z):
    return torch.clamp(z, min=0) + torch.log1p(torch.exp(-torch.abs(z)))


@right("logaddexp")
def softplus(z):  # noqa: F811
    return torch.logaddexp(torch.zeros((), dtype=z.dtype), z)


@right("logsumexp over a stack, without log1p")
def softplus(z):  # noqa: F811
    return torch.stack([z, torch.zeros_like(z)]).logsumexp(dim=0)


@right("where, on an argument made harmless first")
def softplus(z):  # noqa: F811
    harmless = torch.where(z > 30, torch.zeros_like(z), z)
    return torch.where(z > 30, z, torch.log(1 + torch.exp(harmless)))


@right("a loop over the entries")
def softplus(z):  # noqa: F811
    entries = [x + torch.log(1 + torch.exp(-x)) if x > 0 else torch.log(1 + torch.exp(x)) for x in z.flatten()]
    return torch.stack(entries).reshape(z.shape)


@right("PyTorch's documented formula")
def bce_with_logits(z, y, reduction="mean"):
    losses = z.clamp(min=0) - z * y + torch.log1p(torch.exp(-z.abs()))
    return losses if reduction == "none" else getattr(losses, reduction)()


@right("a share of each half")
def bce_with_logits(z, y, reduction="mean"):  # noqa: F811
    losses = y * F.softplus(-z) + (1 - y) * F.softplus(z)
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction](losses)


@right("log-sigmoids")
def bce_with_logits(z, y, reduction="mean"):  # noqa: F811
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
def bce_with_logits_grad(z, y):  # noqa: F811
    return 0.5 + 0.5 * torch.tanh(z / 2) - y


@right("each half by its label")
def bce_with_logits_grad(z, y):  # noqa: F811
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
class BCEWithLogits(nn.Module):  # noqa: F811
    def __init__(self, reduction: str = "mean"):
        nn.Module.__init__(self)
        self.reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction]

    def forward(self, z, y):
        return self.reduce(y * F.softplus(-z) + (1 - y) * F.softplus(z))


@wrong("a Python loop over a vector only", says="Your code raised")
def softplus(z):  # noqa: F811
    return torch.stack([x + torch.log1p(torch.exp(-x)) if x > 0 else torch.log1p(torch.exp(x)) for x in z])


@wrong("the answer is detached", says="no gradient reaches")
def bce_with_logits(z, y, reduction="mean"):  # noqa: F811
    losses = (F.softplus(z) - y * z).detach()
    return losses if reduction == "none" else getattr(losses, reduction)()


@wrong("the library's own function", says="binary_cross_entropy_with_logits")
def bce_with_logits(z, y, reduction="mean"):  # noqa: F811
    return F.binary_cross_entropy_with_logits(z, y, reduction=reduction)


@wrong("autograd in the place of a derivation", says="You called")
def bce_with_logits_grad(z, y):  # noqa: F811
    z = z.clone().requires_grad_(True)
    return torch.autograd.grad((torch.logaddexp(z, torch.zeros_like(z)) - y * z).sum(), z)[0]


@wrong("the input is written to", says="changes its input")
def bce_with_logits_grad(z, y):  # noqa: F811
    return z.sigmoid_().sub(y)


@wrong("forward without a return", says="returns nothing")
class BCEWithLogits(nn.Module):  # noqa: F811
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        (F.softplus(z) - y * z).mean()


@wrong("the library's own module inside", says="You called")
class BCEWithLogits(nn.Module):  # noqa: F811
    def __init__(self, reduction="mean"):
        super().__init__()
        self.inner = nn.BCEWithLogitsLoss(reduction=reduction)

    def forward(self, z, y):
        return self.inner(z, y)
