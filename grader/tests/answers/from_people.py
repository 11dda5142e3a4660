"""Answers that people wrote in public threads, in this course's own words: the sentence that each of them is to read."""

import math
from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@wrong("super without parentheses", says="with parentheses after `super`")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super.__init__()
        self.reduction = reduction

    def forward(self, z, y):
        loss = -F.log_softmax(z, 1)[range(len(y)), y]
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()


@wrong("no super init", says="`super().__init__()` is missing")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        self.reduction = reduction

    def forward(self, z, y):
        loss = -F.log_softmax(z, 1)[range(len(y)), y]
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()


@wrong("loop over labels", says="lost those in between")
def bce(p, y, reduction="mean"):
    terms = []
    for pi, yi in zip(p.flatten(), y.flatten()):
        if yi >= 0.5:  # instead of == 1.0
            terms.append(-torch.log(pi))
        else:
            terms.append(-torch.log(1 - pi))
    losses = torch.stack(terms).reshape(p.shape)
    if reduction == "none":
        return losses
    return losses.sum() / len(terms) if reduction == "mean" else losses.sum()


@wrong("where on labels", says="takes 0.3 of one logarithm")
def bce(p, y, reduction="mean"):
    loss = torch.where(y == 1, -torch.log(p), -torch.log(1 - p))
    return {"none": loss, "mean": loss.mean(), "sum": loss.sum()}[reduction]


@wrong("where on labels", says="lost those in between")
def bce_clamped(p, y):
    likelihood = torch.where(y >= 0.5, p, 1 - p)
    return -torch.clamp(torch.log(likelihood), min=-100).mean()


@wrong("swapped", says="Label and probability are swapped")
def bernoulli_likelihood(y, p):
    return torch.where(y == 1, p, 1 - p).prod()


@wrong("eps 1e12", says="caps the loss at 27.63")
def cross_entropy(z, y, reduction="mean"):
    p = torch.softmax(z, 1)
    l = -torch.log(p[range(len(y)), y] + 1e-12)
    return l if reduction == "none" else getattr(l, reduction)()


@wrong("extra bin for one", says="gave it a bin of its own")
def expected_calibration_error(p, y, bins=10):
    conf, pred = p.max(1)
    acc = (pred == y).to(p.dtype)
    edges = torch.linspace(0, 1, bins + 1, dtype=p.dtype)
    idx = torch.bucketize(conf, edges, right=True) - 1
    count = torch.zeros(len(edges), dtype=p.dtype).scatter_add_(0, idx, torch.ones_like(conf))
    csum = torch.zeros(len(edges), dtype=p.dtype).scatter_add_(0, idx, conf)
    asum = torch.zeros(len(edges), dtype=p.dtype).scatter_add_(0, idx, acc)
    return torch.nan_to_num((csum - asum).abs() / count * (count / count.sum())).sum()


@wrong("accuracy from labels", says="You took the label 1 for right")
def expected_calibration_error(p, y, bins=10):
    conf = p.max(1).values
    matched = (y == 1).to(p.dtype)
    idx = (conf * bins).long().clamp(max=bins - 1)
    onehot = F.one_hot(idx, bins).to(p.dtype)
    gap = onehot.T @ (conf - matched)
    return gap.abs().sum() / len(y)


@wrong("too few iterations", says="")
def fit_temperature(z, y):
    T = nn.Parameter(torch.ones(1, dtype=z.dtype) * 1.5)
    opt = torch.optim.SGD([T], lr=0.01)
    for _ in range(100):
        opt.zero_grad()
        F.cross_entropy(z / T, y).backward()
        opt.step()
    return T.item()


@wrong("gpleiss original", says="")
def fit_temperature(z, y):
    t = nn.Parameter(torch.ones(1, dtype=z.dtype) * 1.5)
    opt = torch.optim.LBFGS([t], lr=0.01, max_iter=50)

    def run():
        opt.zero_grad()
        loss = nn.CrossEntropyLoss()(z / t.unsqueeze(1).expand(z.size(0), z.size(1)), y)
        loss.backward()
        return loss

    opt.step(run)
    return t.detach()


@wrong("ece minimised", says="You minimised the calibration error")
def fit_temperature(z, y):
    best, at = 9, 1.0
    for t in torch.logspace(-1.3, 1.3, 400).tolist():
        p = torch.softmax(z / t, 1)
        c, k = p.max(1)
        i = (c * 10).long().clamp(max=9)
        e = torch.zeros(10, dtype=p.dtype).index_add(0, i, c - (k == y).to(p.dtype)).abs().sum() / len(y)
        if e < best:
            best, at = e, t
    return at


@wrong("gamma times only", says="It is an exponent there, too")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(z)
    pos = alpha * y * ((1 - p) * gamma) * F.logsigmoid(z)
    neg = (1 - alpha) * (1 - y) * p**gamma * F.logsigmoid(-z)
    return -(pos + neg).mean()


@wrong("weight argument of bce", says="Autograd does not reach `weight=`")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    p = z.sigmoid()
    pt = torch.where(y > 0, p, 1 - p)
    w = (1 - pt).pow(gamma) * torch.where(y > 0, alpha, 1 - alpha)
    return F.binary_cross_entropy_with_logits(z, y, w)


@wrong("smooth part not masked", says="still contribute the smoothed part")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    lp = F.log_softmax(z, dim=1)
    w = torch.ones(z.shape[1], dtype=z.dtype) if weight is None else weight
    pad = y == ignore_index
    safe = y.masked_fill(pad, 0)
    wy = w[safe].masked_fill(pad, 0)
    nll = -lp.gather(1, safe[:, None])[:, 0] * wy
    smooth = -(lp * w).sum(1) / z.shape[1]
    loss = (1 - label_smoothing) * nll + label_smoothing * smooth
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / wy.sum()


@wrong("opennmt buffer", says="−100 is no column")
def full_cross_entropy(z, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    C = z.size(1)
    base = torch.full((C,), label_smoothing / C, dtype=z.dtype)
    base[ignore_index] = 0
    model_prob = base.repeat(z.size(0), 1)
    model_prob.scatter_(1, y.unsqueeze(1), 1 - label_smoothing)
    model_prob.masked_fill_((y == ignore_index).unsqueeze(1), 0)
    loss = -(model_prob * F.log_softmax(z, 1)).sum(1)
    return loss.mean()


@wrong("eps and renormalise", says="An epsilon is added to p and q")
def kl_divergence(p, q):
    a, b = p + 1e-8, q + 1e-8
    a, b = a / a.sum(-1, keepdim=True), b / b.sum(-1, keepdim=True)
    return torch.sum(a * torch.log(a / b), -1)


@wrong("padding counts as class 0", says="The padding −1 is counted as class 0")
def multilabel_margin(z, y):
    n, c = z.shape
    valid = (y != -1).long().cumprod(1).bool()
    idx = torch.where(valid, y, 0)
    is_target = torch.zeros_like(z, dtype=torch.bool)
    for i in range(n):
        is_target[i, y[i][valid[i]]] = True
    chosen = z.gather(1, idx)
    m = (1 - chosen[:, :, None] + z[:, None, :]).clamp(min=0)
    m = m * (~is_target)[:, None, :]
    return m.sum() / (n * c)


@wrong("own step", says="Only the first index runs")
def numerical_gradient(f, x, eps=1e-6):
    h = 1e-4
    grad = torch.zeros_like(x)
    for idx in range(x.shape[0]):
        d = torch.zeros_like(x)
        d[idx] = h
        grad[idx] = (f(x + d) - f(x - d)) / (2 * h)
    return grad


@wrong("scatter minus one", says="You subtracted 1 from the labels")
def one_hot(y, num_classes):
    hot = torch.zeros(y.shape[0], num_classes, dtype=torch.int64)
    return hot.scatter_(1, (y - 1).unsqueeze(1) % num_classes, 1)


@wrong("fn lost", says="Your recall is always 1")
def precision_recall(z, y, threshold=0.5):
    s = torch.sigmoid(z)
    kept = s > threshold
    yk = y[kept]
    tp = (yk == 1).sum().to(z.dtype)
    fp = (yk == 0).sum().to(z.dtype)
    fn = ((s[kept] <= threshold) & (yk == 1)).sum().to(z.dtype)
    return tp / (tp + fp), tp / (tp + fn)


@wrong("cs231n sum", says="Your denominator is |a| + |b|")
def relative_error(a, b):
    return torch.max(torch.abs(a - b) / torch.clamp(torch.abs(a) + torch.abs(b), min=1e-8))


@wrong("reshape without permute", says="without moving the classes to the end")
def sequence_cross_entropy(z, y):
    n_class = z.shape[1]
    log_p = torch.log_softmax(z, dim=1).reshape(-1, n_class)
    return -log_p[torch.arange(log_p.shape[0]), y.reshape(-1)].mean()


@wrong("c minus two", says="does not sum to 1 but to")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    logp = torch.log_softmax(z, dim=-1)
    with torch.no_grad():
        true_dist = torch.zeros_like(logp)
        true_dist.fill_(label_smoothing / (z.shape[1] - 2))
        true_dist.scatter_(1, y.data.unsqueeze(1), 1.0 - label_smoothing)
    return torch.mean(torch.sum(-true_dist * logp, dim=-1))


@wrong("one over c", says="does not sum to 1 but to 1.9")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    hot = torch.eye(z.shape[1], dtype=z.dtype)[y]
    hot = (1.0 - label_smoothing) * hot + 1.0 / hot.size(1)
    return -(hot * F.log_softmax(z, dim=1)).sum(1).mean()


@wrong("add then divide", says="does not sum to 1 but to")
def smoothed_cross_entropy(z, y, label_smoothing=0.1):
    target = F.one_hot(y, z.shape[1]).to(z.dtype)
    if label_smoothing > 0:
        target.add_(label_smoothing).div_(z.shape[1])
    return -(target * F.log_softmax(z, dim=1)).sum(dim=1).mean()


@wrong("lists with dtype", says="no gradient reaches `z`")
def softmax_jacobian(z):
    s = [math.exp(v - max(z.tolist())) for v in z.tolist()]
    s = [v / sum(s) for v in s]
    return torch.tensor(
        [[a * ((i == j) - b) for j, b in enumerate(s)] for i, a in enumerate(s)], dtype=z.dtype
    )


@wrong("typo in pr", says="out of one term only")
def softplus(z):
    m = torch.clamp(z, min=0)
    return m + torch.log(torch.exp(z) + torch.exp(z - m))


@wrong("one step too many logs", says="one step too many")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = X.new_zeros(X.shape[1]), X.new_zeros(()), []
    for epoch in range(epochs + 1):
        z = X @ w + b
        loss = (F.softplus(z) - y * z).mean()
        dz = torch.sigmoid(z) - y
        w -= lr * (X.T @ dz) / len(y)
        b -= lr * dz.mean()
        losses.append(loss.item())
        if epoch % 10 == 0:
            print(f"Loss in epoch {epoch} is : {loss.item()}")
    return w, b, losses


@wrong("default dtype", says="`torch.zeros(…)`")
def train(X, y, lr=0.1, epochs=100):
    w, b, L = torch.zeros(X.shape[1]), torch.zeros(1), []
    for _ in range(epochs):
        z = X @ w + b
        L.append((F.softplus(z) - y * z).mean().item())
        d = torch.sigmoid(z) - y
        w -= lr * X.T @ d / len(y)
        b -= lr * d.mean()
    return w, b, L


class NLL(nn.Module):
    def forward(self, lp, y):
        return -lp.gather(1, y[:, None]).squeeze(1)


@right("module attribute named nll loss")
class CrossEntropy(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.nll_loss = NLL()
        self.reduction = reduction

    def forward(self, z, y):
        loss = self.nll_loss(torch.log_softmax(z, 1), y)
        return loss if self.reduction == "none" else getattr(loss, self.reduction)()


class Layer:
    def linear(self, X, w, b):
        return X @ w + b


@right("own layer")
def linear(X, w, b):
    return Layer().linear(X, w, b)


class Encoder:
    def __init__(self, n):
        self.n = n

    def one_hot(self, y):
        return (y[:, None] == torch.arange(self.n)).long()


@right("encoder")
def one_hot(y, num_classes):
    return Encoder(num_classes).one_hot(y)


@right("attribute in function")
def softmax(z, dim):
    out = SimpleNamespace()
    out.exp = torch.exp(z)
    out.softmax = out.exp / out.exp.sum(dim, keepdim=True)
    return out.softmax


class Activation:
    @staticmethod
    def softmax(z, dim):
        e = torch.exp(z)
        return e / e.sum(dim, keepdim=True)


@right("own static method")
def softmax(z, dim):
    return Activation.softmax(z, dim)
