import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("the zeros replaced by ones")
def entropy(p):
    return -(p * torch.where(p > 0, p, torch.ones_like(p)).log()).sum(-1)


@right("entr")
def entropy(p):
    return torch.special.entr(p).sum(dim=-1)


@right("a loop over the distributions, zeros left out")
def entropy(p):
    rows = [-(r[r > 0] * r[r > 0].log()).sum() for r in p.reshape(-1, p.shape[-1])]
    return torch.stack(rows).reshape(p.shape[:-1])


@right("nan_to_num on the product")
def entropy(p):
    return -torch.nan_to_num(p * p.log(), nan=0.0).sum(-1)


@right("a choice, then a sum")
def cross_entropy_distributions(p, q):
    return torch.where(p > 0, -p * torch.log(q), 0.0).sum(dim=-1)


@right("einsum over safe logarithms")
def cross_entropy_distributions(p, q):
    safe = torch.where((p == 0) & (q == 0), torch.ones_like(q), q)
    return -torch.einsum("...c,...c->...", p, safe.log())


@right("a loop")
def cross_entropy_distributions(p, q):
    total = torch.zeros(p.shape[:-1], dtype=p.dtype)
    for c in range(p.shape[-1]):
        total = total - torch.xlogy(p[..., c], q[..., c])
    return total


@right("cross-entropy less entropy")
def kl_divergence(p, q):
    return -torch.xlogy(p, q).sum(dim=-1) + torch.xlogy(p, p).sum(dim=-1)


@right("a choice with split logarithms")
def kl_divergence(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p)).sum(-1)


@right("entr and xlogy")
def kl_divergence(p, q):
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
def kl_div_loss(log_q, p, reduction="batchmean"):
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
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    log_q, log_p = torch.log_softmax(student / temperature, 1), torch.log_softmax(teacher / temperature, 1)
    soft = (log_p.exp() * (log_p - log_q)).sum(1).mean()
    hard = -torch.log_softmax(student, 1).gather(1, y[:, None]).mean()
    return alpha * soft * temperature**2 + (1 - alpha) * hard


@right("two cross-entropies with soft targets")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    p = torch.softmax(teacher / temperature, dim=1)
    soft = F.cross_entropy(student / temperature, p) + torch.xlogy(p, p).sum(dim=1).mean()
    return torch.lerp(F.cross_entropy(student, y), soft * temperature**2, alpha)


@wrong("a Python loop over numbers", says="Python float")
def entropy(p):
    return sum(-v * torch.log(torch.tensor(v)).item() for v in p.flatten().tolist() if v > 0)


@wrong("keepdim", says="the shape is")
def cross_entropy_distributions(p, q):
    return -torch.xlogy(p, q).sum(dim=-1, keepdim=True)


@wrong("PyTorch's own", says="kl_div")
def kl_divergence(p, q):
    return F.kl_div(q.log(), p, reduction="none").sum(dim=-1)


@wrong("detached", says="no gradient reaches")
def kl_div_loss(log_q, p, reduction="batchmean"):
    losses = torch.xlogy(p, p) - p * log_q.detach()
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean(), "batchmean": losses.sum() / len(p)}[
        reduction
    ]


@wrong("the temperature is fixed at 2", says="`temperature` has no effect")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student / 2, dim=1), torch.softmax(teacher / 2, dim=1), reduction="batchmean"
    )
    return alpha * 4 * soft + (1 - alpha) * F.cross_entropy(student, y)


@right("a list row by row, by recursion")
def entropy(p):
    if p.ndim > 1:
        return torch.stack([entropy_of(r) for r in p])
    return entropy_of(p)


def entropy_of(p):
    if p.ndim > 1:
        return torch.stack([entropy_of(r) for r in p])
    return -sum(v * v.log() for v in p if v > 0)


@right("vmap over all dimensions but the last")
def entropy(p):
    f = lambda r: -torch.xlogy(r, r).sum()  # noqa: E731
    for _ in range(p.ndim - 1):
        f = torch.vmap(f)
    return f(p)


@right("zeros overwritten in a clone")
def entropy(p):
    q = p.clone()
    q[p == 0] = 1
    return -torch.einsum("...c,...c->...", q, q.log())


@right("the smallest normal number as a floor: 0 times its logarithm is 0")
def entropy(p):
    return -(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum(dim=-1)


@wrong("as many classes as the example", says="Right for 4 classes")
def entropy(p):
    return -torch.xlogy(p[..., :4], p[..., :4]).sum(dim=-1)


@wrong("the exponential: perplexity", says="a logarithm is missing")
def entropy(p):
    return torch.special.entr(p).sum(dim=-1).exp()


@wrong("numpy", says="numpy array")
def entropy(p):
    return -torch.xlogy(p, p).sum(dim=-1).detach().numpy()


@right("the terms that happen, put into their places")
def cross_entropy_distributions(p, q):
    out = torch.zeros_like(p)
    happens = p > 0
    out[happens] = -p[happens] * q[happens].log()
    return out.sum(dim=-1)


@right("nansum")
def cross_entropy_distributions(p, q):
    return -(p * q.log()).nansum(dim=-1)


@wrong("nan_to_num, which takes the infinity away too", says="finite at the extremes")
def cross_entropy_distributions(p, q):
    return -torch.nan_to_num(p * q.log()).sum(dim=-1)


@wrong("the smallest normal number as a floor", says="finite at the extremes")
def cross_entropy_distributions(p, q):
    return -(p * q.clamp(min=torch.finfo(q.dtype).tiny).log()).sum(dim=-1)


@wrong("the logarithm of a difference", says="Your result is nan")
def cross_entropy_distributions(p, q):
    return -(p * (p - q).log()).sum(dim=-1)


@wrong("base 2", says="log2")
def cross_entropy_distributions(p, q):
    return -torch.where(p > 0, p * q.log2(), 0.0).sum(dim=-1)


@right("index_put where it happens")
def kl_divergence(p, q):
    at = p.nonzero(as_tuple=True)
    return torch.zeros_like(p).index_put(at, p[at] * torch.log(p[at] / q[at])).sum(dim=-1)


@wrong("an epsilon above and below", says="finite at the extremes")
def kl_divergence(p, q):
    return (p * ((p + 1e-10) / (q + 1e-10)).log()).sum(dim=-1)


@wrong("PyTorch's own, as a subclass of its module", says="kl_div")
def kl_divergence(p, q):
    class Mine(torch.nn.KLDivLoss):
        pass

    return Mine(reduction="none")(q.log(), p).sum(dim=-1)


@wrong("PyTorch's own, from below", says="kl_div")
def kl_div_loss(log_q, p, reduction="batchmean"):
    losses = torch.ops.aten.kl_div(log_q, p, 0)
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean(), "batchmean": losses.sum() / len(p)}[
        reduction
    ]


@wrong("the quotient of p and a logarithm", says="Your result is nan")
def kl_div_loss(log_q, p, reduction="batchmean"):
    losses = p * (p / log_q).log()
    return {"none": losses, "sum": losses.sum(), "mean": losses.mean(), "batchmean": losses.sum() / len(p)}[
        reduction
    ]


@right("a loop over the samples")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    total = 0
    for s, t, label in zip(student, teacher, y):
        p, log_q = torch.softmax(t / temperature, dim=0), torch.log_softmax(s / temperature, dim=0)
        total += (
            alpha * temperature**2 * (torch.xlogy(p, p) - p * log_q).sum()
            - (1 - alpha) * torch.log_softmax(s, dim=0)[label]
        )
    return total / len(y)


@right("a teacher without gradient, a loss without alpha's bracket")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    with torch.no_grad():
        p = F.softmax(teacher / temperature, dim=-1)
    soft = F.kl_div(F.log_softmax(student / temperature, dim=-1), p, reduction="batchmean")
    hard = F.cross_entropy(student, y)
    return alpha * temperature * temperature * soft + hard - alpha * hard


@wrong("a student cut off in the divergence", says="gradient is not")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    soft = F.kl_div(
        torch.log_softmax(student.detach() / temperature, dim=1),
        torch.softmax(teacher / temperature, dim=1),
        reduction="batchmean",
    )
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)


@right("dict")
def kl_div_loss(log_q, p, reduction="batchmean"):
    l = torch.xlogy(p, p).sub(p.mul(log_q))
    return {"none": lambda: l, "sum": l.sum, "mean": l.mean, "batchmean": lambda: l.flatten(1).sum(1).mean()}[
        reduction
    ]()


@right("KLDivLoss with log_target")
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    kd = torch.nn.KLDivLoss(reduction="batchmean", log_target=True)(
        F.log_softmax(student / temperature, 1), F.log_softmax(teacher / temperature, 1)
    )
    ce = torch.nn.CrossEntropyLoss()(student, y)
    return kd * (alpha * temperature * temperature) + ce * (1.0 - alpha)
