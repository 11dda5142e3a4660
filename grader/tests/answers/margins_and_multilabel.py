import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("logaddexp")
def soft_margin(z, y):
    return torch.logaddexp(torch.zeros_like(z), -y * z).mean()


@right("labels to 0 and 1, then BCE with logits")
def soft_margin(z, y):
    return F.binary_cross_entropy_with_logits(z, (y + 1) / 2)


@right("the maximum taken out by hand")
def soft_margin(z, y):
    m = -y * z
    return (torch.where(m > 0, m, 0) + torch.log1p(torch.exp(-m.abs()))).sum() / z.numel()


@right("a choice")
def hinge(z, y):
    m = y * z
    return torch.where(m < 1, 1 - m, torch.zeros_like(m)).mean()


@right("maximum")
def hinge(z, y):
    return torch.maximum(1 - y * z, torch.zeros_like(z)).sum() / z.numel()


@right("a loop over samples and classes")
def multi_margin(z, y, p=1, margin=1.0):
    total = 0
    for scores, label in zip(z, y):
        for c in range(len(scores)):
            if c != label:
                total = total + (margin - scores[label] + scores[c]).clamp(min=0) ** p / len(scores)
    return total / len(z)


@right("the own column taken away afterwards")
def multi_margin(z, y, p=1, margin=1.0):
    lack = torch.relu(margin + z - z[torch.arange(len(z)), y].unsqueeze(1)).pow(p)
    return ((lack.sum(dim=1) - margin**p) / z.shape[1]).mean()


@right("scatter")
def multi_margin(z, y, p=1, margin=1.0):
    lack = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    return lack.scatter(1, y[:, None], 0.0).mean()


@right("two log-sigmoids")
def multilabel_soft_margin(z, y):
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean(dim=1).mean()


@right("softplus less the label's share")
def multilabel_soft_margin(z, y):
    return (torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean()


@right("masks instead of lists")
def multilabel_margin(z, y):
    listed = (y >= 0).long().cumprod(dim=1).bool()
    present = torch.zeros(z.shape, dtype=torch.bool)
    for row in range(len(z)):
        present[row, y[row][listed[row]]] = True
    lack = (1 - z[:, :, None] + z[:, None, :]).clamp(min=0)
    pair = present[:, :, None] & ~present[:, None, :]
    return (lack * pair).sum(dim=(1, 2)).div(z.shape[1]).mean()


@right("plain loops")
def multilabel_margin(z, y):
    total = z.sum() * 0
    for i in range(z.shape[0]):
        labels = y[i].tolist()
        labels = labels[: labels.index(-1)] if -1 in labels else labels
        for j in labels:
            for k in set(range(z.shape[1])) - set(labels):
                total = total + torch.relu(1 - z[i, j] + z[i, k]) / z.shape[1]
    return total / z.shape[0]


@wrong("a Python number", says="Python float")
def hinge(z, y):
    return (1 - y * z).clamp(min=0).mean().item()


@wrong("PyTorch's own", says="soft_margin_loss")
def soft_margin(z, y):
    return F.soft_margin_loss(z, y)


@wrong("each sample's own", says="mean over the samples")
def multi_margin(z, y, p=1, margin=1.0):
    lack = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    return lack.scatter(1, y[:, None], 0.0).mean(dim=1)


@wrong("the logits are cut off from autograd", says="no gradient reaches")
def multilabel_soft_margin(z, y):
    return F.binary_cross_entropy_with_logits(z.detach(), y)


@wrong("PyTorch's own", says="multilabel_margin_loss")
def multilabel_margin(z, y):
    return F.multilabel_margin_loss(z, y)


@right("logsumexp of 0 and −y·z")
def soft_margin(z, y):
    return torch.logsumexp(torch.stack([torch.zeros_like(z), -y * z]), dim=0).mean()


@right("cross-entropy of two classes")
def soft_margin(z, y):
    two = torch.stack([torch.zeros_like(z), z], dim=-1).reshape(-1, 2)
    return F.cross_entropy(two, (y.reshape(-1) > 0).long())


@wrong("the mean divides by the number of rows", says="You divided by the number of rows")
def soft_margin(z, y):
    return F.softplus(-y * z).sum() / len(z)


@wrong("a large margin takes another road, whose twin overflows", says="gradient is nan")
def soft_margin(z, y):
    m = -y * z
    return torch.where(m > 30, m, torch.log(1 + torch.exp(m))).mean()


@wrong("PyTorch's own, from below", says="soft_margin_loss")
def soft_margin(z, y):
    return torch._C._nn.soft_margin_loss(z, y)


@right("Python's max: no gradient flows from a sample that costs nothing")
def hinge(z, y):
    return torch.stack(
        [max(torch.zeros((), dtype=z.dtype), 1 - b * a) for a, b in zip(z.flatten(), y.flatten())]
    ).mean()


@right("half of the shortfall and its size")
def hinge(z, y):
    m = 1 - y * z
    return (m + m.abs()).mean() / 2


@right("only those that cost something are added up")
def hinge(z, y):
    m = y * z
    return (1 - m[m < 1]).sum() / m.numel()


@wrong("Python's max of a mean", says="Python int")
def hinge(z, y):
    return max(0, (1 - y * z).mean())


@wrong("as many samples as the example", says="Right for 4 samples")
def hinge(z, y):
    return torch.relu(1 - y * z).sum() / 4


@right("the other columns, cut out by a mask")
def multi_margin(z, y, p=1, margin=1.0):
    own = F.one_hot(y, z.shape[1]).bool()
    others = z[~own].view(len(z), -1)
    return ((margin - z[own].unsqueeze(1) + others).clamp(min=0) ** p).sum() / z.numel()


@right("vmap")
def multi_margin(z, y, p=1, margin=1.0):
    place = torch.arange(z.shape[1])

    def one(scores, label):
        own = (scores * (place == label)).sum()
        return torch.where(place == label, 0.0, torch.relu(margin - own + scores) ** p).mean()

    return torch.vmap(one)(z, y).mean()


@wrong("as many classes as the example", says="Right for 5 classes")
def multi_margin(z, y, p=1, margin=1.0):
    lack = torch.relu(margin - z.gather(1, y[:, None]) + z) ** p
    return lack.scatter(1, y[:, None], 0.0).sum(dim=1).mean() / 5


@wrong("the options are left out", says="Compare your signature")
def multi_margin(z, y):
    lack = torch.relu(1 - z.gather(1, y[:, None]) + z)
    return lack.scatter(1, y[:, None], 0.0).mean()


@right("one class after the other")
def multilabel_soft_margin(z, y):
    return sum(F.binary_cross_entropy_with_logits(z[:, c], y[:, c]) for c in range(z.shape[1])) / z.shape[1]


@wrong("an epsilon inside the logarithms", says="of about 1e-06 inside your logarithm caps the loss")
def multilabel_soft_margin(z, y):
    p = torch.sigmoid(z)
    return -(y * (p + 1e-6).log() + (1 - y) * (1 - p + 1e-6).log()).mean()


@right("a sum that starts at the number 0")
def multilabel_margin(z, y):
    total = 0
    for scores, row in zip(z, y):
        present = []
        for label in row:
            if label == -1:
                break
            present.append(int(label))
        for a in present:
            for b in range(len(scores)):
                if b not in present:
                    total = total + torch.relu(1 - (scores[a] - scores[b])) / len(scores)
    return total / len(z)


@right("one column more for the padding, and einsum")
def multilabel_margin(z, y):
    n, c = z.shape
    places = torch.where((y < 0).cumsum(dim=1) > 0, c, y)
    hot = torch.zeros(n, c + 1, dtype=z.dtype).scatter(1, places, 1.0)[:, :c]
    return torch.einsum("nij,ni,nj->", F.relu(1 - z[:, :, None] + z[:, None, :]), hot, 1 - hot) / (n * c)


@wrong("a list without −1 is not met", says="-1 is not in list")
def multilabel_margin(z, y):
    losses = []
    for scores, row in zip(z, y.tolist()):
        labels = row[: row.index(-1)]
        others = [c for c in range(len(scores)) if c not in labels]
        losses.append(torch.relu(1 - scores[labels][:, None] + scores[others]).sum() / len(scores))
    return torch.stack(losses).mean()


@wrong("Python numbers, and a tensor of them", says="no gradient reaches")
def multilabel_margin(z, y):
    total = 0.0
    for scores, row in zip(z.tolist(), y.tolist()):
        labels = row[: row.index(-1)] if -1 in row else row
        total += sum(
            max(0.0, 1 - scores[a] + scores[b]) for a in labels for b in range(len(scores)) if b not in labels
        ) / len(scores)
    return torch.tensor(total / len(z), dtype=z.dtype)


@right("masked_fill -inf")
def multi_margin(z, y, p=1, margin=1.0):
    own = F.one_hot(y, z.size(1)).bool()
    d = (z - z[own][:, None] + margin).masked_fill(own, 0).clamp_min(0)
    return d.pow(p).mean()


@right("vectorised with masks")
def multilabel_margin(z, y):
    n, c = z.shape
    valid = (y == -1).cumsum(1) == 0
    listed = torch.zeros(n, c + 1, dtype=torch.bool).scatter(1, torch.where(valid, y, c), True)[:, :c]
    d = (1 - z.unsqueeze(2) + z.unsqueeze(1)).clamp(min=0)
    pair = listed.unsqueeze(2) & ~listed.unsqueeze(1)
    return (d * pair).sum((1, 2)).div(c).mean()
