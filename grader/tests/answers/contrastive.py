import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("normalize and a product")
def cosine_similarity(a, b):
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


@right("einsum, divided afterwards")
def cosine_similarity(a, b):
    dots = torch.einsum("nd,md->nm", a, b)
    return dots / a.norm(dim=1)[:, None] / b.norm(dim=1)


@right("entry by entry")
def cosine_similarity(a, b):
    return torch.stack([torch.stack([x @ y / (x.norm() * y.norm()) for y in b]) for x in a])


@right("the law of cosines")
def cosine_similarity(a, b):
    x, y = a / torch.linalg.vector_norm(a, dim=1, keepdim=True), b / b.pow(2).sum(1, keepdim=True).sqrt()
    return 1 - (x[:, None] - y[None]).square().sum(dim=2) / 2


@wrong("PyTorch's own function", says="You called `cosine_similarity`")
def cosine_similarity(a, b):
    return torch.cosine_similarity(a.unsqueeze(1), b.unsqueeze(0), dim=-1)


@wrong("centred first: a correlation", says="differs from the definition")
def cosine_similarity(a, b):
    return torch.corrcoef(torch.cat([a, b]))[: len(a), len(a) :]


@wrong("lengths that are cut out of the graph", says="gradient")
def cosine_similarity(a, b):
    return (a / a.norm(dim=1, keepdim=True).detach()) @ (b / b.norm(dim=1, keepdim=True).detach()).T


@right("log-sum-exp minus the diagonal")
def info_nce(a, b, temperature=0.1):
    z = F.normalize(a) @ F.normalize(b).T / temperature
    return (torch.logsumexp(z, dim=1) - z.diag()).mean()


@right("log_softmax and trace")
def info_nce(a, b, temperature=0.1):
    z = F.cosine_similarity(a[:, None], b[None], dim=2) / temperature
    return -z.log_softmax(dim=1).trace() / len(a)


@right("a loop over the rows of a")
def info_nce(a, b, temperature=0.1):
    losses = []
    for i, row in enumerate(a):
        z = torch.stack([row @ other / (row.norm() * other.norm()) for other in b]) / temperature
        losses.append(torch.logsumexp(z, dim=0) - z[i])
    return sum(losses) / len(losses)


@right("one-hot targets")
def info_nce(a, b, temperature=0.1):
    z = F.normalize(a, dim=1) @ F.normalize(b, dim=1).t()
    return F.cross_entropy(z.div(temperature), torch.eye(len(a), dtype=z.dtype))


@wrong("numbers counted from one", says="out of bounds")
def info_nce(a, b, temperature=0.1):
    return F.cross_entropy(F.normalize(a) @ F.normalize(b).T / temperature, torch.arange(1, len(a) + 1))


@wrong("labels as floats", says="RuntimeError")
def info_nce(a, b, temperature=0.1):
    return F.cross_entropy(F.normalize(a) @ F.normalize(b).T / temperature, torch.arange(len(a)).float())


@right("both directions by log_softmax")
def clip_loss(a, b, log_scale):
    z = torch.exp(log_scale) * (F.normalize(a) @ F.normalize(b).T)
    return -(z.log_softmax(dim=0).diagonal() + z.log_softmax(dim=1).diagonal()).mean() / 2


@right("the two InfoNCE of a temperature")
def clip_loss(a, b, log_scale):
    a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    labels, temperature = torch.arange(a.shape[0]), torch.exp(-log_scale)
    return 0.5 * F.cross_entropy(a @ b.T / temperature, labels) + 0.5 * F.cross_entropy(
        b @ a.T / temperature, labels
    )


@wrong("the scale as a Python number", says="o gradient reaches `log_scale`")
def clip_loss(a, b, log_scale):
    z = log_scale.exp().item() * (F.normalize(a) @ F.normalize(b).T)
    labels = torch.arange(len(a))
    return (F.cross_entropy(z, labels) + F.cross_entropy(z.T, labels)) / 2


@wrong("a scale to base 10", says="")
def clip_loss(a, b, log_scale):
    z = 10**log_scale * (F.normalize(a) @ F.normalize(b).T)
    labels = torch.arange(len(a))
    return (F.cross_entropy(z, labels) + F.cross_entropy(z.T, labels)) / 2


@right("binary cross-entropy with logits, summed")
def siglip_loss(a, b, scale, bias):
    z = scale * (F.normalize(a) @ F.normalize(b).T) + bias
    return F.binary_cross_entropy_with_logits(z, torch.eye(len(a), dtype=z.dtype), reduction="sum") / len(a)


@right("softplus of the flipped logits")
def siglip_loss(a, b, scale, bias):
    z = F.cosine_similarity(a[:, None], b, dim=-1) * scale + bias
    partners = torch.eye(len(a), dtype=torch.bool)
    return F.softplus(torch.where(partners, -z, z)).sum(dim=1).mean()


@right("the diagonal taken out of the sum of all")
def siglip_loss(a, b, scale, bias):
    z = F.normalize(a) @ F.normalize(b).T * scale + bias
    return (F.softplus(z).sum() - z.trace()) / len(z)


@wrong("binary cross-entropy with its own mean", says="N·N")
def siglip_loss(a, b, scale, bias):
    z = scale * (F.normalize(a) @ F.normalize(b).T) + bias
    return F.binary_cross_entropy_with_logits(z, torch.eye(len(a), dtype=z.dtype))


@wrong("scale and bias as numbers", says="no gradient reaches")
def siglip_loss(a, b, scale, bias):
    z = float(scale) * (F.normalize(a) @ F.normalize(b).T) + float(bias)
    return F.binary_cross_entropy_with_logits(z, torch.eye(len(a), dtype=z.dtype), reduction="sum") / len(a)


@right("relu of the difference")
def triplet_loss(anchor, positive, negative, margin=1.0):
    near = torch.linalg.vector_norm(anchor - positive, dim=1)
    away = torch.linalg.vector_norm(anchor - negative, dim=1)
    return torch.relu(margin + near - away).mean()


@right("pairwise_distance, with PyTorch's own 1e-6")
def triplet_loss(anchor, positive, negative, margin=1.0):
    near, away = F.pairwise_distance(anchor, positive), F.pairwise_distance(anchor, negative)
    return torch.clamp(near - away + margin, min=0.0).sum() / len(anchor)


@right("roots of sums of squares, and a maximum")
def triplet_loss(anchor, positive, negative, margin=1.0):
    near = ((anchor - positive) ** 2).sum(-1).sqrt()
    away = ((anchor - negative) ** 2).sum(-1).sqrt()
    return torch.maximum(near - away + margin, torch.zeros_like(near)).mean()


@wrong("PyTorch's own module", says="You called `triplet_margin_loss`")
def triplet_loss(anchor, positive, negative, margin=1.0):
    return nn.TripletMarginLoss(margin=margin)(anchor, positive, negative)


@wrong("one loss for each triplet", says="whose mean is the right one")
def triplet_loss(anchor, positive, negative, margin=1.0):
    return torch.relu(margin + (anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1))


@right("both by diagonals")
def clip_loss(a, b, log_scale):
    s = F.normalize(a) @ F.normalize(b).T * log_scale.exp()
    return -(s.log_softmax(0).diag().mean() + s.log_softmax(1).diag().mean()) / 2


@right("logsigmoid, labels")
def siglip_loss(a, b, scale, bias):
    s = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T * scale + bias
    l = 2 * torch.eye(len(a), dtype=s.dtype) - 1
    return -F.logsigmoid(l * s).sum(-1).mean()


@right("pow and sqrt")
def triplet_loss(anchor, positive, negative, margin=1.0):
    def d(u, v):
        return (u - v).pow(2).sum(-1).sqrt()

    return torch.clamp(d(anchor, positive) - d(anchor, negative) + margin, min=0.0).mean()


@wrong("another default", says="wrong only where it is left out")
def triplet_loss(anchor, positive, negative, margin=0.5):
    closer = (anchor - positive).norm(dim=1)
    farther = (anchor - negative).norm(dim=1)
    return (closer - farther + margin).clamp(min=0).mean()
