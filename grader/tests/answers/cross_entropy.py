import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the sum inside the logarithm: it holds one number that is not 0")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.log((p * y_one_hot).sum(dim=1)).mean()


@right("einsum")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.einsum("nc,nc->", y_one_hot.to(p.dtype), p.log()) / len(p)


@right("a mask")
def cross_entropy_one_hot(p, y_one_hot):
    return p[y_one_hot == 1].log().neg().mean()


@right("torch.where, and the logarithm afterwards of ones")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.where(y_one_hot == 1, p, torch.ones_like(p)).log().sum() / p.shape[0]


@right("gather")
def cross_entropy_indices(p, y):
    return -p.gather(1, y.unsqueeze(1)).log().mean()


@right("a loop")
def cross_entropy_indices(p, y):
    return sum(-torch.log(row[int(label)]) for row, label in zip(p, y)) / len(y)


@right("one-hot after all")
def cross_entropy_indices(p, y):
    return -(F.one_hot(y, p.shape[1]) * p.log()).sum(dim=1).mean()


@right("take_along_dim")
def nll_loss(log_p, y, reduction="mean"):
    losses = -torch.take_along_dim(log_p, y[:, None], dim=1).squeeze(1)
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}[reduction](losses)


@right("the diagonal of all pairs")
def nll_loss(log_p, y, reduction="mean"):
    losses = -log_p[:, y].diagonal()
    match reduction:
        case "none":
            return losses
        case "sum":
            return losses.sum()
    return losses.sum() / len(y)


@right("log_softmax and gather")
def cross_entropy(z, y, reduction="mean"):
    losses = -F.log_softmax(z, dim=-1).gather(1, y[:, None])[:, 0]
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()


@right("the largest logit subtracted by hand")
def cross_entropy(z, y, reduction="mean"):
    shifted = z - z.max(dim=1, keepdim=True).values
    losses = shifted.exp().sum(dim=1).log() - shifted[range(len(y)), y]
    return getattr(losses, reduction)() if reduction != "none" else losses


@right("the log-sum-exp of the differences to the true logit")
def cross_entropy(z, y, reduction="mean"):
    losses = torch.stack([torch.logsumexp(row - row[label], dim=0) for row, label in zip(z, y)])
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@right("one-hot, with log_softmax")
def cross_entropy(z, y, reduction="mean"):
    losses = -(F.one_hot(y, z.shape[1]) * z.log_softmax(1)).sum(1)
    return losses if reduction == "none" else losses.sum() / (1 if reduction == "sum" else len(losses))


@right("1 subtracted in place from its own result")
def cross_entropy_grad(z, y):
    slope = torch.softmax(z, dim=1)
    slope[torch.arange(len(y)), y] -= 1
    return slope


@right("the exponential of log_softmax, and a comparison")
def cross_entropy_grad(z, y):
    classes = torch.arange(z.shape[1])
    return torch.log_softmax(z, dim=1).exp() - (classes == y[:, None]).to(z.dtype)


@right("log_softmax in forward")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, z, y):
        losses = torch.logsumexp(z, 1) - z.gather(1, y[:, None]).squeeze(1)
        return losses if self.reduction == "none" else getattr(torch, self.reduction)(losses)


@right("the reduction chosen in the constructor")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduce = {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}[reduction]
        self.log_softmax = nn.LogSoftmax(dim=1)

    def forward(self, z, y):
        return self.reduce(-self.log_softmax(z)[torch.arange(len(y)), y])


@wrong("the mean divides by a fixed 4", says="Right for 4 samples")
def cross_entropy_indices(p, y):
    return -p.gather(1, y[:, None]).log().sum() / 4


@wrong("PyTorch's own function", says="You called `cross_entropy`")
def cross_entropy(z, y, reduction="mean"):
    return torch.nn.functional.cross_entropy(z, y, reduction=reduction)


@wrong("a Python number", says="Python float")
def cross_entropy_one_hot(p, y_one_hot):
    return -(y_one_hot * p.log()).sum(dim=1).mean().item()


@wrong("the losses stay a column", says="the shape is")
def nll_loss(log_p, y, reduction="mean"):
    losses = -log_p.gather(1, y[:, None])
    return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]


@wrong("the input is written to", says="changes its input")
def cross_entropy_grad(z, y):
    p = torch.softmax(z, dim=1)
    z.zero_()
    z[torch.arange(len(y)), y] = 1
    return p - z


@wrong("PyTorch's own module inside", says="You called `cross_entropy`")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.loss = nn.CrossEntropyLoss(reduction=reduction)

    def forward(self, z, y):
        return self.loss(z, y)


@right("the product of powers")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.log(torch.prod(p**y_one_hot, dim=1)).mean()


@right("the trace of a product")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.trace(p.log() @ y_one_hot.to(p.dtype).T) / p.shape[0]


@right("numbers in the flattened matrix")
def cross_entropy_indices(p, y):
    return -torch.take(p, torch.arange(len(y)) * p.shape[1] + y).log().mean()


@right("early returns, and an error for the rest")
def nll_loss(log_p, y, reduction="mean"):
    losses = torch.stack([-row[label] for row, label in zip(log_p, y)])
    if reduction == "none":
        return losses
    if reduction in ("mean", "sum"):
        return getattr(torch, reduction)(losses)
    raise ValueError(f"unknown reduction {reduction!r}")


@right("the softplus of the others against the true logit")
def cross_entropy(z, y, reduction="mean"):
    others = torch.logsumexp(z.masked_fill(F.one_hot(y, z.shape[1]).bool(), -torch.inf), dim=1)
    losses = F.softplus(others - z[torch.arange(len(y)), y])
    return losses if reduction == "none" else getattr(torch, reduction)(losses)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, y):
        ctx.save_for_backward(z, y)
        return torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]

    @staticmethod
    def backward(ctx, slope):
        z, y = ctx.saved_tensors
        return slope[:, None] * (torch.softmax(z, dim=1) - F.one_hot(y, z.shape[1])), None


@right("a function with a gradient of its own")
def cross_entropy(z, y, reduction="mean"):
    losses = _CrossEntropy.apply(z, y)
    return losses if reduction == "none" else getattr(torch, reduction)(losses)


@right("expm1 at the label")
def cross_entropy_grad(z, y):
    log_p, rows = torch.log_softmax(z, dim=1), torch.arange(len(y))
    return log_p.exp().index_put((rows, y), torch.expm1(log_p[rows, y]))


@right("a history that is not used")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction, self.history = reduction, []

    def forward(self, z, y):
        losses = torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]
        self.history.append({"mean": losses.mean(), "sum": losses.sum(), "none": losses}[self.reduction])
        return self.history[-1]


@wrong("a divergence from one-hot rows", says="You called `kl_div`")
def cross_entropy_one_hot(p, y_one_hot):
    return F.kl_div(p.log(), y_one_hot.to(p.dtype), reduction="batchmean")


@wrong("nan hidden afterwards", says="gradient is nan")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.nan_to_num((p * y_one_hot).log(), neginf=0).sum(dim=1).mean()


@wrong("four rows, always", says="`torch.arange(len(y))` fits any batch")
def cross_entropy_indices(p, y):
    return -p[[0, 1, 2, 3], y].log().mean()


@wrong("a text", says="str; a tensor is expected")
def cross_entropy(z, y, reduction="mean"):
    return f"{(torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]).mean():.4f}"


@wrong("the Jacobian of the summed losses", says="You called `grad`")
def cross_entropy_grad(z, y):
    return torch.autograd.functional.jacobian(
        lambda z: (torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]).sum(), z
    )


@wrong("a reduction for all objects", says="forgets its `reduction`")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()

    def forward(self, z, y):
        return (torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]).mean()


@right("trace")
def cross_entropy_one_hot(p, y_one_hot):
    return -torch.trace(y_one_hot.to(p.dtype) @ p.log().T) / len(p)


@right("diagonal of columns")
def cross_entropy_indices(p, y):
    return -p[:, y].diagonal().log().mean()


@right("take_along_dim")
def nll_loss(log_p, y, reduction="mean"):
    l = -torch.take_along_dim(log_p, y[:, None], 1)[:, 0]
    return l if reduction == "none" else getattr(l, reduction)()


@right("vmap")
def cross_entropy(z, y, reduction="mean"):
    l = torch.vmap(lambda row, c: torch.logsumexp(row, 0) - (row * F.one_hot(c, row.shape[0])).sum())(z, y)
    return dict(mean=l.mean(), sum=l.sum(), none=l)[reduction]
