import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("a loop over the bins")
def reliability(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    index = torch.clamp((confidence * bins).floor().long(), max=bins - 1)
    result = torch.zeros(3, bins, dtype=p.dtype)
    for k in range(bins):
        mask = index == k
        if mask.any():
            result[:, k] = torch.stack(
                [
                    confidence[mask].mean(),
                    (predicted[mask] == y[mask]).to(p.dtype).mean(),
                    mask.sum().to(p.dtype),
                ]
            )
    return result[0], result[1], result[2]


@right("bincount, with whole counts")
def reliability(p, y, bins=10):
    confidence = p.amax(1)
    index = (confidence * bins).long().clamp(0, bins - 1)
    count = torch.bincount(index, minlength=bins)
    size = count.clamp(min=1)
    right_ones = (p.argmax(1) == y).to(p.dtype)
    return (
        torch.bincount(index, confidence, bins) / size,
        torch.bincount(index, right_ones, bins) / size,
        count,
    )


@right("bucketize and a one-hot matrix")
def reliability(p, y, bins=10):
    confidence, predicted = torch.max(p, -1)
    index = torch.bucketize(confidence, torch.linspace(0, 1, bins + 1, dtype=p.dtype)[1:-1])
    member = F.one_hot(index, bins).to(p.dtype)
    count = member.sum(0)
    mean = lambda v: torch.nan_to_num(v @ member / count)  # noqa: E731
    return mean(confidence), mean((predicted == y).to(p.dtype)), count


@right("a loop over the bins")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    index = (confidence * bins).long().clamp(max=bins - 1)
    error = torch.zeros((), dtype=p.dtype)
    for k in index.unique():
        mask = index == k
        error = (
            error
            + mask.sum() / len(y) * ((predicted == y)[mask].float().mean() - confidence[mask].mean()).abs()
        )
    return error


@right("sums instead of means: the counts cancel")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    gap = (predicted == y).to(p.dtype) - confidence
    index = (confidence * bins).long().clamp(max=bins - 1)
    return torch.zeros(bins, dtype=p.dtype).scatter_add(0, index, gap).abs().sum() / len(p)


@right("expanded: |p|² − 2 p_y + 1")
def brier_score(p, y):
    return ((p * p).sum(dim=1) - 2 * p[torch.arange(len(y)), y] + 1).mean()


@right("C times the mean squared error")
def brier_score(p, y):
    return F.mse_loss(p, F.one_hot(y, num_classes=p.shape[1]).to(p)) * p.shape[1]


@right("einsum")
def brier_score(p, y):
    d = p - torch.eye(p.shape[1], dtype=p.dtype)[y]
    return torch.einsum("nc,nc->", d, d) / p.shape[0]


@right("a grid, then a finer grid, on a logarithmic scale")
def fit_temperature(z, y):
    centre, width = 0.0, 4.0
    for _ in range(4):
        grid = torch.linspace(centre - width, centre + width, 41)
        losses = torch.stack([F.cross_entropy(z / u.exp(), y) for u in grid])
        centre, width = grid[losses.argmin()].item(), width / 10
    return torch.tensor(centre).exp()


@right("L-BFGS on log T")
def fit_temperature(z, y):
    u = torch.zeros((), dtype=z.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([u], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = F.cross_entropy(z / u.exp(), y)
        loss.backward()
        return loss

    optimiser.step(closure)
    return u.exp().item()


@right("Adam on log T")
def fit_temperature(z, y):
    u = torch.zeros((), dtype=z.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([u], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        F.cross_entropy(z / u.exp(), y).backward()
        optimiser.step()
    return u.exp()


@right("scipy, on log-probabilities: a shift of a row changes nothing")
def fit_temperature(z, y):
    from scipy.optimize import minimize_scalar

    log_p = torch.log_softmax(z.double(), dim=1)
    return float(
        minimize_scalar(lambda t: F.cross_entropy(log_p / t, y).item(), bounds=(0.01, 50), method="bounded").x
    )


@wrong("one bin too many", says="not yet")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    gap = (predicted == y).to(p.dtype) - confidence
    index = (confidence * (bins + 1)).long().clamp(max=bins)
    return torch.zeros(bins + 1, dtype=p.dtype).scatter_add(0, index, gap).abs().sum() / len(p)


@wrong("one-hot without a number of classes", says="raised")
def brier_score(p, y):
    return ((p - F.one_hot(y)) ** 2).sum(dim=1).mean()


@wrong("the search stops too soon", says="stopped too soon")
def fit_temperature(z, y):
    u = torch.zeros((), dtype=z.dtype, requires_grad=True)
    optimiser = torch.optim.SGD([u], lr=0.02)
    for _ in range(10):
        optimiser.zero_grad()
        F.cross_entropy(z / u.exp(), y).backward()
        optimiser.step()
    return u.exp().item()


@wrong("only two results", says="3 values")
def reliability(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    return confidence, (predicted == y).to(p.dtype)


@right("Python lists, turned into tensors")
def reliability(p, y, bins=10):
    sums, hits, count = [0.0] * bins, [0] * bins, [0] * bins
    for row, label in zip(p.tolist(), y.tolist()):
        k = min(int(max(row) * bins), bins - 1)
        sums[k], hits[k], count[k] = (
            sums[k] + max(row),
            hits[k] + (row.index(max(row)) == label),
            count[k] + 1,
        )
    n = torch.tensor(count).clamp(min=1)
    return torch.tensor(sums, dtype=p.dtype) / n, torch.tensor(hits) / n, torch.tensor(count)


@right("histc and searchsorted")
def reliability(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    at = (
        torch.searchsorted(torch.linspace(0, 1, bins + 1, dtype=p.dtype), confidence, right=True) - 1
    ).clamp(max=bins - 1)
    count = torch.histc(confidence, bins, 0, 1)
    total = lambda v: torch.zeros_like(count).index_add_(0, at, v)  # noqa: E731
    return (
        torch.nan_to_num(total(confidence) / count),
        torch.nan_to_num(total((predicted == y).to(p.dtype)) / count),
        count,
    )


@wrong("a list of counts", says="Value 3 of the 3 that you return is of the kind list")
def reliability(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    member = F.one_hot((confidence * bins).long().clamp(max=bins - 1), bins).to(p.dtype)
    count = member.sum(dim=0)
    return (
        confidence @ member / count.clamp(min=1),
        (predicted == y).to(p.dtype) @ member / count.clamp(min=1),
        count.tolist(),
    )


@wrong("a confidence of 1 is out of bounds", says="out of bounds")
def reliability(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    count, hits, total = torch.zeros(3, bins, dtype=p.dtype)
    for k, c, right_one in zip((confidence * bins).long(), confidence, predicted == y):
        count[k] += 1
        hits[k] += right_one
        total[k] += c
    return total / count.clamp(min=1), hits / count.clamp(min=1), count


@right("bins between two edges")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    error = 0.0
    for k in range(bins):
        here = (confidence >= k / bins) & ((confidence < (k + 1) / bins) | (k == bins - 1))
        if here.any():
            error = (
                error
                + here.sum()
                / len(y)
                * ((predicted == y)[here].to(p.dtype).mean() - confidence[here].mean()).abs()
            )
    return error


@wrong("a Python number", says="`torch.tensor(…, dtype=…)` makes one")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    gap = (predicted == y).to(p.dtype) - confidence
    return sum(
        gap[(confidence * bins).long().clamp(max=bins - 1) == k].sum().abs().item() for k in range(bins)
    ) / len(y)


@wrong("three results", says="list or tuple of 3")
def expected_calibration_error(p, y, bins=10):
    confidence, predicted = p.max(dim=1)
    return confidence, (predicted == y).to(p.dtype), len(y)


@right("1 taken away at the label, in a clone")
def brier_score(p, y):
    d = p.clone()
    d[torch.arange(len(y)), y] -= 1
    return d.square().sum() / len(y)


@wrong("the loss of the label's number", says="subtracted the label's number")
def brier_score(p, y):
    return (p - y.unsqueeze(1)).pow(2).sum(dim=1).mean()


@wrong("the input is changed", says="changes its input")
def brier_score(p, y):
    p[torch.arange(len(y)), y] -= 1
    return p.square().sum(dim=1).mean()


@right("a tensor of shape (1,): a parameter made of torch.ones(1)")
def fit_temperature(z, y):
    u = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([u], lr=0.1)
    for _ in range(300):
        optimiser.zero_grad()
        F.cross_entropy(z / u.exp(), y).backward()
        optimiser.step()
    return u.exp().detach()


@right("golden section")
def fit_temperature(z, y):
    loss = lambda u: F.cross_entropy(z.double() / torch.tensor(u, dtype=torch.float64).exp(), y).item()  # noqa: E731
    low, high, ratio = -6.0, 6.0, (5**0.5 - 1) / 2
    for _ in range(50):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if loss(a) < loss(b) else (a, high)
    return torch.tensor((low + high) / 2).exp()


@right("Newton's method on 1/T")
def fit_temperature(z, y):
    z = z.double()
    b, own = 1 / z.std(), z.gather(1, y[:, None]).mean()
    for _ in range(100):
        p = torch.softmax(b * z, dim=1)
        mean = (p * z).sum(dim=1)
        b = b - ((mean.mean() - own) / ((p * z**2).sum(dim=1) - mean**2).mean()).clamp(-b / 2, b / 2)
    return 1 / b


@wrong("a grid that ends at 5", says="never leaves the range")
def fit_temperature(z, y):
    grid = torch.linspace(0.1, 5, 1000, dtype=z.dtype)
    return grid[torch.stack([F.cross_entropy(z / T, y) for T in grid]).argmin()]


@wrong("the place in the grid", says="search longer or finer")
def fit_temperature(z, y):
    grid = torch.logspace(-1.5, 1.5, 500, dtype=z.dtype)
    return torch.stack([F.cross_entropy(z / T, y) for T in grid]).argmin()


@wrong("the temperature and the loss", says="list or tuple")
def fit_temperature(z, y):
    return 2.0, F.cross_entropy(z / 2, y)


@right("masks and counts")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    misses = ((y == 1) & ~alarm).sum()
    needless = ((y == 0) & alarm).sum()
    return ((misses * cost_miss + needless * cost_alarm) / len(y)).to(p.dtype)


@right("a loop over the samples")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    total = 0.0
    for probability, label in zip(p.tolist(), y.tolist()):
        if probability > threshold and label == 0:
            total += cost_alarm
        elif probability <= threshold and label == 1:
            total += cost_miss
    return torch.tensor(total / len(y), dtype=p.dtype)


@right("a table of the four outcomes")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    table = torch.tensor([[0, cost_miss], [cost_alarm, 0]], dtype=p.dtype)  # [alarm, label]
    return table[(p > threshold).long(), y.long()].mean()


@right("where, and a matrix product")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    alarm = torch.where(p > threshold, 1.0, 0.0).to(p.dtype)
    return (cost_miss * (y @ (1 - alarm)) + cost_alarm * ((1 - y) @ alarm)) / p.numel()


@wrong("a Python number", says="`torch.tensor(…, dtype=…)` makes one")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    alarm = (p > threshold).to(p.dtype)
    return (cost_miss * (1 - alarm) * y + cost_alarm * alarm * (1 - y)).mean().item()


@wrong("float64 whatever came in", says="the dtype is float64 where float32 is expected")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    alarm = (p > threshold).double()
    return (cost_miss * (1 - alarm) * y.double() + cost_alarm * alarm * (1 - y.double())).mean()


@right("bincount with weights")
def reliability(p, y, bins=10):
    conf = p.amax(1)
    ok = p.argmax(1).eq(y)
    idx = (conf * bins).long().clamp_max(bins - 1)
    n = torch.bincount(idx, minlength=bins)
    s = torch.bincount(idx, weights=conf, minlength=bins)
    t = torch.bincount(idx, weights=ok.to(p.dtype), minlength=bins)
    d = n.clamp(min=1)
    return ((s / d).to(p.dtype), (t / d).to(p.dtype), n)


@right("sum over bins of absolute sums")
def expected_calibration_error(p, y, bins=10):
    conf, pred = p.max(1)
    gap = conf - (pred == y).to(p.dtype)
    idx = (conf * bins).long().clamp(max=bins - 1)
    return p.new_zeros(bins).index_add(0, idx, gap).abs().sum() / len(y)


@right("expanded square")
def brier_score(p, y):
    return (p.pow(2).sum(1) - 2 * p.gather(1, y[:, None])[:, 0] + 1).mean()


@wrong("the two costs swapped", says="The two costs are swapped")
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    alarm = p > threshold
    misses = ((y == 1) & ~alarm).sum()
    needless = ((y == 0) & alarm).sum()
    return ((misses * cost_alarm + needless * cost_miss) / len(y)).to(p.dtype)


@wrong("a grid of quarters", says="whole multiple of 0.25")
def fit_temperature(z, y):
    def loss(temperature):
        return F.nll_loss(
            torch.log(torch.exp(z / temperature) / torch.exp(z / temperature).sum(1, keepdim=True)), y
        )

    return min((quarter / 4 for quarter in range(1, 100)), key=loss)
