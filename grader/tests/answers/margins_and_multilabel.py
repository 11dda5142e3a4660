import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("logaddexp")
def soft_margin(z, y):
    return torch.logaddexp(torch.zeros_like(z), -y * z).mean()


@right("labels to 0 and 1, then BCE with logits")
def soft_margin(z, y):  # noqa: F811
    return F.binary_cross_entropy_with_logits(z, (y + 1) / 2)


@right("the maximum taken out by hand")
def soft_margin(z, y):  # noqa: F811
    m = -y * z
    return (torch.where(m > 0, m, 0) + torch.log1p(torch.exp(-m.abs()))).sum() / z.numel()


@right("a choice")
def hinge(z, y):
    m = y * z
    return torch.where(m < 1, 1 - m, torch.zeros_like(m)).mean()


@right("maximum")
def hinge(z, y):  # noqa: F811
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
def multi_margin(z, y, p=1, margin=1.0):  # noqa: F811
    lack = torch.relu(margin + z - z[torch.arange(len(z)), y].unsqueeze(1)).pow(p)
    return ((lack.sum(dim=1) - margin**p) / z.shape[1]).mean()


@right("scatter")
def multi_margin(z, y, p=1, margin=1.0):  # noqa: F811
    lack = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    return lack.scatter(1, y[:, None], 0.0).mean()


@right("two log-sigmoids")
def multilabel_soft_margin(z, y):
    return -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean(dim=1).mean()


@right("softplus less the label's share")
def multilabel_soft_margin(z, y):  # noqa: F811
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
def multilabel_margin(z, y):  # noqa: F811
    total = z.sum() * 0
    for i in range(z.shape[0]):
        labels = y[i].tolist()
        labels = labels[: labels.index(-1)] if -1 in labels else labels
        for j in labels:
            for k in set(range(z.shape[1])) - set(labels):
                total = total + torch.relu(1 - z[i, j] + z[i, k]) / z.shape[1]
    return total / z.shape[0]


@wrong("a Python number", says="Python float")
def hinge(z, y):  # noqa: F811
    return (1 - y * z).clamp(min=0).mean().item()


@wrong("PyTorch's own", says="soft_margin_loss")
def soft_margin(z, y):  # noqa: F811
    return F.soft_margin_loss(z, y)


@wrong("each sample's own", says="mean over the samples")
def multi_margin(z, y, p=1, margin=1.0):  # noqa: F811
    lack = (margin - z.gather(1, y[:, None]) + z).clamp(min=0) ** p
    return lack.scatter(1, y[:, None], 0.0).mean(dim=1)


@wrong("the logits are cut off from autograd", says="no gradient reaches")
def multilabel_soft_margin(z, y):  # noqa: F811
    return F.binary_cross_entropy_with_logits(z.detach(), y)


@wrong("PyTorch's own", says="multilabel_margin_loss")
def multilabel_margin(z, y):  # noqa: F811
    return F.multilabel_margin_loss(z, y)
