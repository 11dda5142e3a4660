import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the zeros replaced by ones")
def entropy(p):
    return -(p * torch.where(p > 0, p, torch.ones_like(p)).log()).sum(-1)


@right("entr")
def entropy(p):  # noqa: F811
    return torch.special.entr(p).sum(dim=-1)


@right("a loop over the distributions, zeros left out")
def entropy(p):  # noqa: F811
    rows = [-(r[r > 0] * r[r > 0].log()).sum() for r in p.reshape(-1, p.shape[-1])]
    return torch.stack(rows).reshape(p.shape[:-1])


@right("nan_to_num on the product")
def entropy(p):  # noqa: F811
    return -torch.nan_to_num(p * p.log(), nan=0.0).sum(-1)


@right("a choice, then a sum")
def cross_entropy_distributions(p, q):
    return torch.where(p > 0, -p * torch.log(q), 0.0).sum(dim=-1)


@right("einsum over safe logarithms")
def cross_entropy_distributions(p, q):  # noqa: F811
    safe = torch.where((p == 0) & (q == 0), torch.ones_like(q), q)
    return -torch.einsum("...c,...c->...", p, safe.log())


@right("a loop")
def cross_entropy_distributions(p, q):  # noqa: F811
    total = torch.zeros(p.shape[:-1], dtype=p.dtype)
    for c in range(p.shape[-1]):
        total = total - torch.xlogy(p[..., c], q[..., c])
    return total


@right("cross-entropy less entropy")
def kl_divergence(p, q):
    return -torch.xlogy(p, q).sum(dim=-1) + torch.xlogy(p, p).sum(dim=-1)


@right("a choice with split logarithms")
def kl_divergence(p, q):  # noqa: F811
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)


@right("entr and xlogy")
def kl_divergence(p, q):  # noqa: F811
    return torch.sum(-torch.special.entr(p) - torch.xlogy(p, q), -1)


@right("match")
def kl_div_loss(log_q, p, reduction="batchmean"):
    losses = torch.xlogy(p, p) - p * log_q
    match reduction:
        case "none":
            return losses
        case "batchmean":
            return losses.sum() / p.size(0)
        case "mean":
            return losses.sum() / losses.numel()
    return losses.sum()


@right("a safe logarithm")
def kl_div_loss(log_q, p, reduction="batchmean"):  # noqa: F811
    log_p = torch.where(p > 0, p, 1.0).log()
    losses = p * (log_p - log_q)
    if reduction == "batchmean":
        return losses.flatten(1).sum(dim=1).mean()
    return losses if reduction == "none" else getattr(losses, reduction)()


@right("PyTorch's two losses, probabilities of the teacher")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    target = (teacher / temperature).softmax(dim=-1).detach()
    soft = F.kl_div((student / temperature).log_softmax(dim=-1), target, reduction="batchmean")
    return F.cross_entropy(student, y) * (1 - alpha) + soft * alpha * temperature * temperature


@right("from log-probabilities alone")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):  # noqa: F811
    log_q, log_p = torch.log_softmax(student / temperature, 1), torch.log_softmax(teacher / temperature, 1)
    soft = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    hard = -torch.log_softmax(student, 1).gather(1, y[:, None]).mean()
    return alpha * soft * temperature**2 + (1 - alpha) * hard


@right("two cross-entropies with soft targets")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):  # noqa: F811
    p = torch.softmax(teacher / temperature, dim=1)
    soft = F.cross_entropy(student / temperature, p) + torch.xlogy(p, p).sum(dim=1).mean()
    return torch.lerp(F.cross_entropy(student, y), soft * temperature**2, alpha)


@wrong("a Python loop over numbers", says="Python float")
def entropy(p):  # noqa: F811
    return sum(-v * torch.log(torch.tensor(v)).item() for v in p.flatten().tolist() if v > 0)


@wrong("keepdim", says="the shape is")
def cross_entropy_distributions(p, q):  # noqa: F811
    return -torch.xlogy(p, q).sum(dim=-1, keepdim=True)


@wrong("PyTorch's own", says="kl_div")
def kl_divergence(p, q):  # noqa: F811
    return F.kl_div(q.log(), p, reduction="none").sum(dim=-1)


@wrong("detached", says="no gradient reaches")
def kl_div_loss(log_q, p, reduction="batchmean"):  # noqa: F811
    losses = torch.xlogy(p, p) - p * log_q.detach()
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean(), "batchmean": losses.sum() / len(p)}[reduction]


@wrong("the temperature is fixed at 2", says="`temperature` has no effect")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):  # noqa: F811
    soft = F.kl_div(torch.log_softmax(student / 2, dim=1), torch.softmax(teacher / 2, dim=1), reduction="batchmean")
    return alpha * 4 * soft + (1 - alpha) * F.cross_entropy(student, y)
