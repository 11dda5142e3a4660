import torch

from grader.tests.answers import right, wrong


@right("tanh")
def sigmoid(z):
    return (1 + torch.tanh(z / 2)) / 2


@right("the share of the odds")
def sigmoid(z):  # noqa: F811
    odds = torch.exp(z)
    return odds / (1 + odds)


@right("a loop over the entries")
def sigmoid(z):  # noqa: F811
    return torch.stack([1 / (1 + torch.exp(-v)) for v in z.flatten()]).reshape(z.shape)


@right("a power of e")
def sigmoid(z):  # noqa: F811
    return (1 + torch.e ** (-z)).reciprocal()


@right("a difference of logarithms")
def logit(p):
    return torch.log(p) - torch.log1p(-p)


@right("minus the logarithm of 1/p - 1")
def logit(p):  # noqa: F811
    return -torch.log(1 / p - 1)


@right("the inverse hyperbolic tangent")
def logit(p):  # noqa: F811
    return 2 * torch.atanh(2 * p - 1)


@right("from the definition")
def sigmoid_grad(z):
    return torch.exp(-z) / (1 + torch.exp(-z)) ** 2


@right("tanh")
def sigmoid_grad(z):  # noqa: F811
    return (1 - torch.tanh(z / 2) ** 2) / 4


@right("the hyperbolic cosine")
def sigmoid_grad(z):  # noqa: F811
    return 1 / (2 * torch.cosh(z / 2)) ** 2


@right("tanh")
def stable_sigmoid(z):
    return 0.5 * torch.tanh(0.5 * z) + 0.5


@right("logaddexp")
def stable_sigmoid(z):  # noqa: F811
    return torch.exp(-torch.logaddexp(torch.zeros_like(z), -z))


@right("the absolute value")
def stable_sigmoid(z):  # noqa: F811
    e = torch.exp(-z.abs())
    return torch.where(z >= 0, 1 / (1 + e), e / (1 + e))


@right("two sides filled by a mask")
def stable_sigmoid(z):  # noqa: F811
    p, positive = torch.empty_like(z), z >= 0
    p[positive] = 1 / (1 + torch.exp(-z[positive]))
    p[~positive] = torch.exp(z[~positive]) / (1 + torch.exp(z[~positive]))
    return p


@right("each branch fed with a clamped score")
def stable_sigmoid(z):  # noqa: F811
    up, down = z.clamp(min=0), z.clamp(max=0)
    return torch.where(z > 0, 1 / (1 + torch.exp(-up)), torch.exp(down) / (1 + torch.exp(down)))


@right("a loop with if")
def stable_sigmoid(z):  # noqa: F811
    parts = [1 / (1 + torch.exp(-v)) if v > 0 else torch.exp(v) / (1 + torch.exp(v)) for v in z.flatten()]
    return torch.stack(parts).reshape(z.shape)


@right("the threshold turned into a score, as bool")
def predict(z, threshold=0.5):
    return z > torch.logit(torch.tensor(threshold, dtype=z.dtype))


@right("as floats")
def predict(z, threshold=0.5):  # noqa: F811
    return (1 / (1 + torch.exp(-z)) > threshold).to(z.dtype)


@right("where")
def predict(z, threshold=0.5):  # noqa: F811
    return torch.where(torch.sigmoid(z) >= threshold, 1, 0)


@right("the odds")
def predict(z, threshold=0.5):  # noqa: F811
    return torch.exp(z) > threshold / (1 - threshold)


@wrong("PyTorch's own", says="You called `sigmoid`")
def sigmoid(z):  # noqa: F811
    return torch.sigmoid(z)


@wrong("numpy on the way", says="no gradient reaches `z`")
def sigmoid(z):  # noqa: F811
    return 1 / (1 + torch.exp(-z.detach()))


@wrong("the mean of the probabilities", says="a mean or a sum too many")
def sigmoid(z):  # noqa: F811
    return (1 / (1 + torch.exp(-z))).mean()


@wrong("the sign of the result", says="The odds are upside down")
def logit(p):  # noqa: F811
    return torch.log(1 - p) - torch.log(p)


@wrong("a clamp inside the logarithms", says="certainty has an infinite score")
def logit(p):  # noqa: F811
    return torch.log(p.clamp(min=1e-6) / (1 - p).clamp(min=1e-6))


@wrong("a factor too many", says="twice as large")
def sigmoid_grad(z):  # noqa: F811
    return 2 * torch.sigmoid(z) * torch.sigmoid(-z)


@wrong("a nan replaced afterwards", says="too late for the gradient")
def stable_sigmoid(z):  # noqa: F811
    return torch.nan_to_num(1 / (1 + torch.exp(-z)))


@wrong("the input is clamped in place", says="changes its input")
def stable_sigmoid(z):  # noqa: F811
    e = torch.exp(-z.abs())
    p = torch.where(z >= 0, 1 / (1 + e), e / (1 + e))
    z.mul_(2)
    return p


@wrong("nothing above one half", says="Compare with `threshold` itself")
def predict(z, threshold=0.5):  # noqa: F811
    return torch.sigmoid(z).round()


@wrong("a list", says="one tensor is expected")
def predict(z, threshold=0.5):  # noqa: F811
    return [bool(v) for v in (torch.sigmoid(z) > threshold).flatten()]
