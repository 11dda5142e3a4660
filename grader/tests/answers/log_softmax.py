import torch

from grader.tests.answers import right, wrong


@right("the maximum made finite")
def logsumexp(z, dim):
    m = z.amax(dim=dim, keepdim=True)
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (z - m).exp().sum(dim=dim).log() + m.squeeze(dim)


@right("a detached maximum, clamped from below")
def logsumexp(z, dim):
    m = z.detach().max(dim=dim, keepdim=True).values.clamp(min=torch.finfo(z.dtype).min)
    return (torch.log(torch.exp(z - m).sum(dim=dim, keepdim=True)) + m).squeeze(dim)


@right("logaddexp, one score after the other")
def logsumexp(z, dim):
    total, *rest = z.unbind(dim)
    for score in rest:
        total = torch.logaddexp(total, score)
    return total


@right("log1p of the others")
def logsumexp(z, dim):
    ordered = z.sort(dim=dim, descending=True).values.movedim(dim, 0)
    top = ordered[0]
    finite = torch.where(top.isinf(), torch.zeros_like(top), top)
    return top + torch.log1p(torch.exp(ordered[1:] - finite).sum(0))


@right("z minus logsumexp")
def log_softmax(z, dim):
    return z - torch.logsumexp(z, dim, keepdim=True)


@right("logsumexp and unsqueeze")
def log_softmax(z, dim):
    return z.sub(z.logsumexp(dim).unsqueeze(dim))


@right("shifted by a detached maximum")
def log_softmax(z, dim):
    shift = z - z.max(dim=dim, keepdim=True)[0].detach()
    return shift - torch.log(torch.sum(torch.exp(shift), dim, keepdim=True))


@right("the exponential of a log_softmax")
def stable_softmax(z, dim):
    return torch.exp(z - torch.logsumexp(z, dim=dim, keepdim=True))


@right("a detached maximum")
def stable_softmax(z, dim):
    e = torch.exp(z - z.detach().amax(dim, keepdim=True))
    return e.div(e.sum(dim, keepdim=True))


@right("one over a sum of differences, the largest out")
def stable_softmax(z, dim):
    rows = z.movedim(dim, -1)
    top = rows.max(-1, keepdim=True).values
    e = (rows - top).exp()
    return (e / torch.einsum("...c->...", e)[..., None]).movedim(-1, dim)


@right("entry by entry")
def softmax_jacobian(z):
    p, n = torch.softmax(z, dim=-1), len(z)
    return torch.stack(
        [torch.stack([p[i] * ((1.0 if i == j else 0.0) - p[j]) for j in range(n)]) for i in range(n)]
    )


@right("a column times (unit matrix minus a row)")
def softmax_jacobian(z):
    p = torch.softmax(z, 0)
    return p[:, None] * (torch.eye(len(p), dtype=p.dtype) - p[None, :])


@right("from the exponentials, with einsum")
def softmax_jacobian(z):
    p = z.exp() / z.exp().sum()
    return p.diag() - torch.einsum("i,j->ij", p, p)


@wrong("the sum keeps its dimension", says="`keepdim`")
def logsumexp(z, dim):
    return _lse(z, dim).unsqueeze(dim)


def _lse(z, dim):
    total, *rest = z.unbind(dim)
    for score in rest:
        total = torch.logaddexp(total, score)
    return total


@wrong("half the slope, and of the scores instead of their exponentials", says="gradient")
def logsumexp(z, dim):
    return _lse(z.detach(), dim) + 0.5 * (z - z.detach()).sum(dim=dim)


@wrong("PyTorch's own", says="You called `logsumexp`")
def logsumexp(z, dim):
    return torch.logsumexp(z, dim=dim)


@wrong("in double precision", says="dtype")
def log_softmax(z, dim):
    z = z.double()
    return z - torch.logsumexp(z, dim, keepdim=True)


@wrong("the smallest normal number as a floor", says="extremes")
def log_softmax(z, dim):
    return torch.softmax(z, dim=dim).clamp(min=torch.finfo(z.dtype).tiny).log()


@wrong("the sum is cut from the graph", says="part of the formula is cut off from autograd")
def stable_softmax(z, dim):
    e = torch.exp(z - z.detach().amax(dim, keepdim=True))
    return e / e.sum(dim, keepdim=True).detach()


@wrong("large scores set to 0", says="clamped large scores")
def stable_softmax(z, dim):
    e = torch.exp(z * (z.abs() < 700))
    return e / e.sum(dim, keepdim=True)


@wrong("a loop of autograd", says="You called `grad`")
def softmax_jacobian(z):
    z = z.detach().requires_grad_(True)
    p = torch.softmax(z, 0)
    return torch.stack([torch.autograd.grad(p[i], z, retain_graph=True)[0] for i in range(len(z))])


@wrong("softmax of a softmax", says="softmax to `z` first")
def softmax_jacobian(z):
    p = torch.softmax(torch.softmax(z, 0), 0)
    return torch.diag(p) - torch.outer(p, p)


@right("the position of the largest, then log1p of the others")
def logsumexp(z, dim):
    top, where = z.max(dim=dim, keepdim=True)
    e = torch.exp(z - torch.where(top.isinf(), torch.zeros_like(top), top)).scatter(dim, where, 0.0)
    return (top + torch.log1p(e.sum(dim=dim, keepdim=True))).squeeze(dim)


@right("slices in a loop, with an if for the impossible")
def logsumexp(z, dim):
    rows = z.movedim(dim, -1)
    found = [
        row.max() if row.max() == -torch.inf else row.max() + (row - row.max()).exp().sum().log()
        for row in rows.reshape(-1, rows.shape[-1])
    ]
    return torch.stack(found).reshape(rows.shape[:-1])


@right("vmap")
def logsumexp(z, dim):
    def one(row):
        m = torch.where(torch.isinf(row.max()), 0.0, row.max())
        return m + (row - m).exp().sum().log()

    rows = z.movedim(dim, -1)
    return torch.vmap(one)(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape[:-1])


@right("in place on a copy")
def log_softmax(z, dim):
    result = z.clone()
    result -= torch.logsumexp(z, dim, keepdim=True)
    return result


@right("squares of half the exponents")
def stable_softmax(z, dim):
    e = torch.exp((z - z.amax(dim, keepdim=True)) / 2) ** 2
    return e * e.sum(dim, keepdim=True).reciprocal()


@right("a diagonal written into the product")
def softmax_jacobian(z):
    p = torch.softmax(z, 0)
    return torch.diagonal_scatter(-torch.outer(p, p), p * (1 - p))


@wrong("the largest absolute value", says="infinite at the extremes")
def logsumexp(z, dim):
    m = z.abs().amax(dim=dim, keepdim=True)
    m = torch.where(m.isinf(), 0, m)
    return m.squeeze(dim) + (z - m).exp().sum(dim=dim).log()


@wrong("nothing that is infinite is kept", says="takes the infinity away")
def logsumexp(z, dim):
    return torch.nan_to_num(_lse(z, dim))


@wrong("minus a log-sum-exp of differences", says="inf − inf")
def log_softmax(z, dim):
    rows = z.movedim(dim, -1)
    return -torch.logsumexp(rows[..., None, :] - rows[..., :, None], dim=-1).movedim(-1, dim)


@wrong("bits", says="1/ln 2 times")
def log_softmax(z, dim):
    return (z - torch.logsumexp(z, dim, keepdim=True)) / torch.log(torch.tensor(2.0, dtype=z.dtype))


@wrong("in single precision", says="dtype is float32")
def log_softmax(z, dim):
    return z.float() - torch.logsumexp(z.float(), dim, keepdim=True)


@wrong("the cross-entropy of every class", says="You called `cross_entropy`")
def log_softmax(z, dim):
    rows = z.movedim(dim, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    columns = [
        -torch.nn.functional.cross_entropy(flat, torch.full((len(flat),), c), reduction="none")
        for c in range(flat.shape[1])
    ]
    return torch.stack(columns, dim=1).reshape(rows.shape).movedim(-1, dim)


@wrong("the winner where something is nan", says="wrong at the extremes")
def stable_softmax(z, dim):
    soft = z.exp() / z.exp().sum(dim, keepdim=True)
    return torch.where(soft.isnan(), (z == z.amax(dim, keepdim=True)).to(z.dtype), soft)


@wrong("differences of other steps", says="Nearly right")
def softmax_jacobian(z):
    h = 1e-4
    return torch.stack(
        [
            (torch.softmax(z + h * e, 0) - torch.softmax(z - h * e, 0)) / (2 * h)
            for e in torch.eye(len(z), dtype=z.dtype)
        ],
        dim=1,
    )


@wrong("every row by torch.func", says="You called `grad`")
def softmax_jacobian(z):
    return torch.stack([torch.func.grad(lambda v: torch.softmax(v, 0)[i])(z) for i in range(len(z))])


@right("masked maximum")
def logsumexp(z, dim):
    m = torch.max(z, dim, keepdim=True)[0].detach()
    m = m.masked_fill(m.isinf(), 0.0)
    return ((z - m).exp().sum(dim, keepdim=True).log() + m).squeeze(dim)


@right("broadcasting")
def softmax_jacobian(z):
    p = z.softmax(-1)
    return p[:, None] * (torch.eye(z.numel(), dtype=z.dtype) - p[None, :])
