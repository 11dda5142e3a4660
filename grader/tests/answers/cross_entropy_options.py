import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("one-hot labels times weights")
def weighted_cross_entropy(z, y, weight):
    share = F.one_hot(y, z.shape[1]) * weight
    return -(share * torch.log_softmax(z, dim=1)).sum() / share.sum()


@right("a loop over the samples")
def weighted_cross_entropy(z, y, weight):
    total, used = 0, 0
    for row, label in zip(z, y):
        total = total + weight[label] * (torch.logsumexp(row, dim=0) - row[label])
        used = used + weight[label]
    return total / used


@right("shares that sum to one")
def weighted_cross_entropy(z, y, weight):
    share = weight[y] / weight[y].sum()
    return torch.dot(share, torch.logsumexp(z, 1) - z.gather(1, y[:, None]).squeeze(1))


@right("zeros where ignored, divided by how many are kept")
def masked_cross_entropy(z, y, ignore_index=-100):
    keep = y != ignore_index
    losses = torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), torch.where(keep, y, 0)]
    return torch.where(keep, losses, 0).sum() / keep.sum()


@right("a mask multiplied in")
def masked_cross_entropy(z, y, ignore_index=-100):
    keep = (y != ignore_index).to(z.dtype)
    losses = -torch.log_softmax(z, dim=1).gather(1, y.masked_fill(y == ignore_index, 0)[:, None])[:, 0]
    return (losses * keep).sum() / keep.sum()


@right("rows taken out first")
def masked_cross_entropy(z, y, ignore_index=-100):
    rows = torch.nonzero(y != ignore_index)[:, 0]
    log_p = z[rows].log_softmax(dim=1)
    return -log_p[torch.arange(len(rows)), y[rows]].mean()


@right("the target written out")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    q = (1 - label_smoothing) * F.one_hot(y, z.shape[1]) + label_smoothing / z.shape[1]
    return -(q * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


@right("a full tensor with the label's share scattered in")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    q = torch.full_like(z, label_smoothing / z.shape[1]).detach()
    q.scatter_(1, y[:, None], 1 - label_smoothing + label_smoothing / z.shape[1])
    return torch.einsum("nc,nc->", q, torch.log_softmax(z, dim=1)) / -len(y)


@right("logits instead of log-probabilities: the target sums to 1")
def soft_cross_entropy(z, q):
    return (torch.logsumexp(z, dim=1) * q.sum(dim=1) - (q * z).sum(dim=1)).mean()


@right("einsum")
def soft_cross_entropy(z, q):
    return -torch.einsum("nc,nc->n", q, z.log_softmax(1)).mean()


@right("classes moved to the end, positions flattened")
def sequence_cross_entropy(z, y):
    flat, labels = z.movedim(1, -1).reshape(-1, z.shape[1]), y.reshape(-1)
    return (torch.logsumexp(flat, dim=1) - flat[torch.arange(len(labels)), labels]).mean()


@right("one position after the other")
def sequence_cross_entropy(z, y):
    rows = torch.arange(len(y))
    return torch.stack(
        [-torch.log_softmax(z[:, :, i], dim=1)[rows, y[:, i]] for i in range(y.shape[1])]
    ).mean()


@right("one-hot moved to dimension 1")
def sequence_cross_entropy(z, y):
    hot = F.one_hot(y, z.shape[1]).transpose(1, 2)
    return -(hot * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


@right("the target written out, weights on its columns")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    classes = z.shape[1]
    weight = torch.ones(classes, dtype=z.dtype) if weight is None else weight
    keep = y != ignore_index
    label = y.masked_fill(~keep, 0)
    q = (1 - label_smoothing) * F.one_hot(label, classes) + label_smoothing / classes
    log_p = torch.log_softmax(z.masked_fill(~keep[:, None], 0), dim=1)
    losses = -(q * weight * log_p).sum(dim=1) * keep
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / (weight[label] * keep).sum()


@right("kept rows alone, put back at the end")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    keep = y != ignore_index
    log_p, label = z[keep].log_softmax(dim=1), y[keep]
    w = z.new_ones(z.shape[1]) if weight is None else weight
    hit = w[label] * log_p.gather(1, label[:, None]).squeeze(1)
    losses = -(1 - label_smoothing) * hit - label_smoothing * (w * log_p).mean(dim=1)
    if reduction == "none":
        return torch.zeros_like(z[:, 0]).masked_scatter(keep, losses)
    return losses.sum() if reduction == "sum" else losses.sum() / w[label].sum()


@wrong("a Python number", says="Python float")
def weighted_cross_entropy(z, y, weight):
    return (((torch.logsumexp(z, 1) - z[torch.arange(len(y)), y]) * weight[y]).sum() / weight[y].sum()).item()


@wrong("PyTorch's own function", says="You called `cross_entropy`")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    return F.cross_entropy(z, y, weight, None, ignore_index, None, reduction, label_smoothing)


@wrong("the target cut from the graph", says="no gradient reaches")
def soft_cross_entropy(z, q):
    return -(q.detach() * torch.log_softmax(z.detach(), dim=1)).sum(dim=1).mean()


@wrong("labels changed in place", says="changes its input")
def masked_cross_entropy(z, y, ignore_index=-100):
    keep = y != ignore_index
    y[~keep] = 0
    losses = torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]
    return losses[keep].mean()


@wrong("ten classes, always", says="does not sum to 1 but to 0.95")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    q = (1 - label_smoothing) * F.one_hot(y, z.shape[1]) + label_smoothing / 10
    return -(q * torch.log_softmax(z, dim=1)).sum(dim=1).mean()


@wrong("a loss for each position", says="whose mean is the right one")
def sequence_cross_entropy(z, y):
    return -torch.log_softmax(z, dim=1).gather(1, y[:, None])[:, 0]


@right("class by class")
def weighted_cross_entropy(z, y, weight):
    log_p, total, used = torch.log_softmax(z, dim=1), 0, 0
    for c in range(z.shape[1]):
        total = total - weight[c] * log_p[y == c, c].sum()
        used = used + weight[c] * (y == c).sum()
    return total / used


@right("the mean of what is not nan")
def masked_cross_entropy(z, y, ignore_index=-100):
    keep = y != ignore_index
    return torch.where(keep, torch.logsumexp(z, 1) - z[torch.arange(len(y)), y * keep], torch.nan).nanmean()


@right("a loop, and nan where nothing is left")
def masked_cross_entropy(z, y, ignore_index=-100):
    losses = [torch.logsumexp(row, 0) - row[label] for row, label in zip(z, y) if label != ignore_index]
    return sum(losses) / len(losses) if losses else torch.tensor(torch.nan, dtype=z.dtype)


@right("between the label and all classes")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    s = label_smoothing
    return (torch.logsumexp(z, 1) - (1 - s) * z[torch.arange(len(y)), y] - s * z.mean(dim=1)).mean()


@right("class by class")
def soft_cross_entropy(z, q):
    log_p = torch.log_softmax(z, dim=1)
    return sum(-q[:, c] * log_p[:, c] for c in range(z.shape[1])).mean()


@right("three lists of indices")
def sequence_cross_entropy(z, y):
    n, i = torch.meshgrid(torch.arange(len(y)), torch.arange(y.shape[1]), indexing="ij")
    return -torch.log_softmax(z, dim=1)[n, y, i].mean()


@right("the losses first, and itself for the rest")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    def itself(reduction):
        keep = y != ignore_index
        w = torch.ones(z.shape[1], dtype=z.dtype) if weight is None else weight
        safe, label = torch.where(keep[:, None], z, 0), torch.where(keep, y, 0)
        cost = (torch.logsumexp(safe, dim=1, keepdim=True) - safe) * w
        match reduction:
            case "none":
                each = (1 - label_smoothing) * cost[
                    torch.arange(len(y)), label
                ] + label_smoothing * cost.mean(dim=1)
                return each.masked_fill(~keep, 0)
            case "sum":
                return itself("none").sum()
            case "mean":
                return itself("sum") / (w[label] * keep).sum()
        raise ValueError(reduction)

    return itself(reduction)


@wrong("−100 whatever is said", says="whatever `ignore_index` says")
def masked_cross_entropy(z, y, ignore_index=-100):
    keep = y != -100
    return (torch.logsumexp(z, 1)[keep] - z[keep][torch.arange(int(keep.sum())), y[keep]]).mean()


@wrong("no mean of nothing", says="The list is empty here")
def masked_cross_entropy(z, y, ignore_index=-100):
    return torch.stack(
        [torch.logsumexp(row, 0) - row[label] for row, label in zip(z, y) if label != ignore_index]
    ).mean()


@wrong("a divergence and an entropy", says="You called `kl_div`")
def soft_cross_entropy(z, q):
    return (
        F.kl_div(torch.log_softmax(z, dim=1), q, reduction="batchmean")
        - (q * q.clamp(min=1e-30).log()).sum(dim=1).mean()
    )


@wrong("one softmax for a whole sequence", says="differs from the definition")
def sequence_cross_entropy(z, y):
    p = torch.softmax(z.flatten(1), dim=1).reshape(z.shape)
    return -p.gather(1, y[:, None]).log().mean()


@wrong("the truth of a tensor", says="`is None` asks whether one is given")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    w = weight if weight else torch.ones(z.shape[1], dtype=z.dtype)
    losses = w[y] * (torch.logsumexp(z, 1) - z[torch.arange(len(y)), y])
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / w[y].sum()}[reduction]


@wrong("losses set to 0 afterwards", says="an ignored row that holds −inf has slopes of nan")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    keep = y != ignore_index
    label = torch.where(keep, y, 0)
    w = torch.ones_like(z[0]) if weight is None else weight
    log_p = torch.log_softmax(z, dim=1)
    own = w[label] * log_p.gather(1, label[:, None])[:, 0]
    losses = -(1 - label_smoothing) * own - label_smoothing * (w * log_p).mean(dim=1)
    losses = torch.where(keep, losses, 0)
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / (w[label] * keep).sum()


@right("per class")
def weighted_cross_entropy(z, y, weight):
    lp = torch.log_softmax(z, dim=-1)
    num = den = 0.0
    for c in range(len(weight)):
        m = y == c
        num = num - weight[c] * lp[m, c].sum()
        den = den + weight[c] * m.sum()
    return num / den


@right("lerp of targets")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    hot = F.one_hot(y, z.shape[-1]).to(z.dtype)
    t = hot.lerp(torch.full_like(hot, 1 / z.shape[-1]), label_smoothing)
    return torch.logsumexp(z, 1).mean() - (t * z).sum() / len(z)


@right("one-hot moved")
def sequence_cross_entropy(z, y):
    h = F.one_hot(y, z.shape[1]).movedim(-1, 1)
    return -(h * torch.log_softmax(z, 1)).sum(1).mean()


@right("filtered, then put back")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    keep = y != ignore_index
    zk, yk = (z[keep], y[keep])
    C = z.shape[1]
    w = torch.ones(C, dtype=z.dtype) if weight is None else weight
    lp = torch.log_softmax(zk, 1)
    own = -w[yk] * lp[torch.arange(len(yk)), yk]
    loss = own
    if label_smoothing > 0:
        loss = (1 - label_smoothing) * own - label_smoothing / C * (lp * w).sum(1)
    if reduction == "none":
        out = z.new_zeros(len(y))
        out[keep] = loss
        return out
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / w[yk].sum()
