import math

import numpy as np
import torch
from torch import nn

from grader.course.build import course_answer as ready
from grader.tests.answers import right, wrong


@right("tanh")
def sigmoid(z):
    return (1 + torch.tanh(z / 2)) / 2


@right("the share of the odds")
def sigmoid(z):
    odds = torch.exp(z)
    return odds / (1 + odds)


@right("a loop over the entries")
def sigmoid(z):
    return torch.stack([1 / (1 + torch.exp(-v)) for v in z.flatten()]).reshape(z.shape)


@right("a power of e")
def sigmoid(z):
    return (1 + torch.e ** (-z)).reciprocal()


@right("a difference of logarithms")
def logit(p):
    return torch.log(p) - torch.log1p(-p)


@right("minus the logarithm of 1/p - 1")
def logit(p):
    return -torch.log(1 / p - 1)


@right("the inverse hyperbolic tangent")
def logit(p):
    return 2 * torch.atanh(2 * p - 1)


@right("from the definition")
def sigmoid_grad(z):
    return torch.exp(-z) / (1 + torch.exp(-z)) ** 2


@right("tanh")
def sigmoid_grad(z):
    return (1 - torch.tanh(z / 2) ** 2) / 4


@right("the hyperbolic cosine")
def sigmoid_grad(z):
    return 1 / (2 * torch.cosh(z / 2)) ** 2


@right("tanh")
def stable_sigmoid(z):
    return 0.5 * torch.tanh(0.5 * z) + 0.5


@right("logaddexp")
def stable_sigmoid(z):
    return torch.exp(-torch.logaddexp(torch.zeros_like(z), -z))


@right("the absolute value")
def stable_sigmoid(z):
    e = torch.exp(-z.abs())
    return torch.where(z >= 0, 1 / (1 + e), e / (1 + e))


@right("two sides filled by a mask")
def stable_sigmoid(z):
    p, positive = torch.empty_like(z), z >= 0
    p[positive] = 1 / (1 + torch.exp(-z[positive]))
    p[~positive] = torch.exp(z[~positive]) / (1 + torch.exp(z[~positive]))
    return p


@right("each branch fed with a clamped score")
def stable_sigmoid(z):
    up, down = z.clamp(min=0), z.clamp(max=0)
    return torch.where(z > 0, 1 / (1 + torch.exp(-up)), torch.exp(down) / (1 + torch.exp(down)))


@right("a loop with if")
def stable_sigmoid(z):
    parts = [1 / (1 + torch.exp(-v)) if v > 0 else torch.exp(v) / (1 + torch.exp(v)) for v in z.flatten()]
    return torch.stack(parts).reshape(z.shape)


@right("the threshold turned into a score, as bool")
def predict(z, threshold=0.5):
    return z > torch.logit(torch.tensor(threshold, dtype=z.dtype))


@right("as floats")
def predict(z, threshold=0.5):
    return (1 / (1 + torch.exp(-z)) > threshold).to(z.dtype)


@right("where")
def predict(z, threshold=0.5):
    return torch.where(torch.sigmoid(z) > threshold, 1, 0)


@right("the odds")
def predict(z, threshold=0.5):
    return torch.exp(z) > threshold / (1 - threshold)


@wrong("PyTorch's own", says="You called `sigmoid`")
def sigmoid(z):
    return torch.sigmoid(z)


@wrong("numpy on the way", says="no gradient reaches `z`")
def sigmoid(z):
    return 1 / (1 + torch.exp(-z.detach()))


@wrong("the mean of the probabilities", says="a mean or a sum too many")
def sigmoid(z):
    return (1 / (1 + torch.exp(-z))).mean()


@wrong("the sign of the result", says="The odds are upside down")
def logit(p):
    return torch.log(1 - p) - torch.log(p)


@wrong("a clamp inside the logarithms", says="certainty has an infinite score")
def logit(p):
    return torch.log(p.clamp(min=1e-6) / (1 - p).clamp(min=1e-6))


@wrong("a factor too many", says="twice as large")
def sigmoid_grad(z):
    return 2 * torch.sigmoid(z) * torch.sigmoid(-z)


@wrong("a nan replaced afterwards", says="too late for the gradient")
def stable_sigmoid(z):
    return torch.nan_to_num(1 / (1 + torch.exp(-z)))


@wrong("the input is clamped in place", says="changes its input")
def stable_sigmoid(z):
    e = torch.exp(-z.abs())
    p = torch.where(z >= 0, 1 / (1 + e), e / (1 + e))
    z.mul_(2)
    return p


@wrong("nothing above one half", says="whatever `threshold` says")
def predict(z, threshold=0.5):
    return torch.sigmoid(z).round()


@wrong("a list", says="one tensor is expected")
def predict(z, threshold=0.5):
    return [bool(v) for v in (torch.sigmoid(z) > threshold).flatten()]


@right("expm1")
def sigmoid(z):
    return 1 / (2 + torch.expm1(-z))


class Sig(nn.Module):
    def forward(self, z):
        return 1 / (1 + torch.exp(-z))


@right("a module")
def sigmoid(*args, **kwargs):
    return Sig()(*args, **kwargs)


@right("the softmax of two scores")
def sigmoid(z):
    both = torch.stack([torch.zeros_like(z), z])
    return torch.softmax(both, dim=0)[1]


@wrong("e with three decimals", says="Nearly right")
def sigmoid(z):
    return 1 / (1 + 2.718 ** (-z))


@wrong("in place on what exp still needs", says="so does an in-place change")
def sigmoid(z):
    out = -z
    out = out.exp()
    out += 1
    return 1 / out


@wrong("numpy", says="numpy array")
def sigmoid(z):
    return 1 / (1 + np.exp(-z.numpy()))


@wrong("math.exp of a tensor", says="a single number")
def sigmoid(z):
    return 1 / (1 + math.exp(-z))


@right("log1p of −p")
def logit(p):
    return p.log() - (-p).log1p()


@right("a case for each certainty")
def logit(p):
    def one(q):
        if q == 0:
            return q - float("inf")
        if q == 1:
            return q + float("inf")
        return (q / (1 - q)).log()

    return torch.stack([one(q) for q in p.reshape(-1)]).reshape(p.shape)


@right("filled by masks")
def logit(p):
    z = torch.empty_like(p)
    z[p == 0] = -torch.inf
    z[p == 1] = torch.inf
    m = (p > 0) & (p < 1)
    z[m] = torch.log(p[m] / (1 - p[m]))
    return z


@wrong("an epsilon in the denominator", says="takes the infinity away")
def logit(p):
    return torch.log(p / (1 - p + 1e-8))


@wrong("a tensor made of numbers", says="dtype is float32")
def logit(p):
    return torch.tensor([math.log(q / (1 - q)) for q in p])


@wrong("infinity for both certainties", says="at the extremes")
def logit(p):
    z = torch.log(p / (1 - p))
    return torch.where(z.isinf(), torch.full_like(z, torch.inf), z)


@right("both exponentials")
def sigmoid_grad(z):
    return 1 / (torch.exp(z) + 2 + torch.exp(-z))


@right("from the sigmoid of the first exercise")
def sigmoid_grad(z):
    s = ready("sigmoid")(z)
    return s - s * s


@wrong("measured with a step of 0.01", says="Nearly right")
def sigmoid_grad(z):
    return (torch.sigmoid(z + 0.01) - torch.sigmoid(z - 0.01)) / 0.02


cache = []


@wrong("the first result kept for ever", says="the same whatever the inputs are")
def sigmoid_grad(z):
    if not cache:
        cache.append(torch.sigmoid(z) * torch.sigmoid(-z))
    return cache[0]


@right("one exponential for each sign")
def stable_sigmoid(z):
    neg = torch.exp(torch.clamp(z, max=0))
    pos = torch.exp(-torch.clamp(z, min=0))
    return neg / (neg + pos)


@right("the softmax of two scores")
def stable_sigmoid(z):
    return torch.softmax(torch.stack([z, torch.zeros_like(z)], dim=-1), dim=-1)[..., 0]


@right("logsumexp")
def stable_sigmoid(z):
    return torch.exp(z - torch.logsumexp(torch.stack([z, torch.zeros_like(z)]), dim=0))


@wrong("the score clamped at 30", says="You clamp the score at −30 and 30")
def stable_sigmoid(z):
    return 1 / (1 + torch.exp(-torch.clamp(z, -30, 30)))


@wrong("the score clamped at 50, sign by sign", says="You clamp the score at −50 and 50")
def stable_sigmoid(z):
    e = torch.exp(-z.abs().clamp(max=50))
    return torch.where(z >= 0, 1 / (1 + e), e / (1 + e))


@wrong("the score clamped where float32 would overflow", says="You clamp the score at −88 and 88")
def stable_sigmoid(z):
    return 1 / (1 + torch.exp(-torch.clamp(z, min=-88, max=88)))


@wrong("float32 inside, and back", says="Nearly right")
def stable_sigmoid(z):
    z32 = z.to(torch.float32)
    e = torch.exp(-z32.abs())
    return torch.where(z32 >= 0, 1 / (1 + e), e / (1 + e)).to(z.dtype)


@wrong("if on a whole tensor", says="entry by entry")
def stable_sigmoid(z):
    if z > 0:
        return 1 / (1 + torch.exp(-z))
    return torch.exp(z) / (1 + torch.exp(z))


@right("heaviside")
def predict(z, threshold=0.5):
    return torch.heaviside(torch.sigmoid(z) - threshold, torch.zeros((), dtype=z.dtype))


@right("rounded up")
def predict(z, threshold=0.5):
    return torch.ceil(torch.sigmoid(z) - threshold)


@right("the threshold checked first")
def predict(z, threshold=0.5):
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must lie between 0 and 1, not {threshold}")
    return torch.sigmoid(z) > threshold


@wrong("above 0, not above the threshold", says="1 for every score")
def predict(z, threshold=0.5):
    return (torch.sigmoid(z) > 0).long()


@wrong("words", says="list or tuple")
def predict(z, threshold=0.5):
    return ["benign" if v > threshold else "malignant" for v in torch.sigmoid(z)]


@wrong("only the scores above", says="Your result has shape")
def predict(z, threshold=0.5):
    return z[torch.sigmoid(z) > threshold]


class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        p = 1 / (1 + torch.exp(-z))
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, g):
        (p,) = ctx.saved_tensors
        return g * p * (1 - p)


@right("an autograd.Function with its own backward")
def sigmoid(z):
    return Slope.apply(z)


@right("recursion")
def stable_sigmoid(z):
    def of(v):
        if v.ndim:
            return torch.stack([of(part) for part in v])
        return 1 / (1 + torch.exp(-v)) if v >= 0 else torch.exp(v) / (1 + torch.exp(v))

    return of(z)


@right("reciprocal of expm1")
def sigmoid(z):
    return (torch.expm1(-z) + 2).reciprocal()


@right("atanh")
def logit(p):
    return 2 * torch.atanh(2 * p - 1)


@right("logaddexp")
def stable_sigmoid(z):
    return torch.exp(-torch.logaddexp(torch.zeros_like(z), -z))


@right("ceil of heaviside")
def predict(z, threshold=0.5):
    return torch.heaviside(torch.sigmoid(z) - threshold, torch.zeros((), dtype=z.dtype))


@wrong("the score squared", says="You squared `z` first")
def sigmoid(z):
    return 1 / (1 + torch.exp(-(z**2)))
