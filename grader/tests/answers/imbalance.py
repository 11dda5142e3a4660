import math

import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("sets of true and false")
def precision_recall(z, y, threshold=0.5):
    alarm, true = torch.sigmoid(z) > threshold, y.bool()
    hits = (alarm & true).sum().to(z.dtype)
    return hits / alarm.sum(), hits / true.sum()


@right("indexing, and the threshold moved to the logits")
def precision_recall(z, y, threshold=0.5):
    alarm = z > torch.logit(torch.tensor(threshold, dtype=z.dtype))
    return y[alarm].mean(), alarm[y == 1].to(z.dtype).mean()


@right("a loop that counts")
def precision_recall(z, y, threshold=0.5):
    hits, false_alarms, misses = torch.zeros(3, dtype=z.dtype)
    for score, label in zip(z, y):
        alarm = 1 / (1 + torch.exp(-score)) > threshold
        if alarm and label == 1:
            hits = hits + 1
        elif alarm:
            false_alarms = false_alarms + 1
        elif label == 1:
            misses = misses + 1
    return hits / (hits + false_alarms), hits / (hits + misses)


@right("a list instead of a tuple")
def precision_recall(z, y, threshold=0.5):
    alarm = (torch.sigmoid(z) > threshold).to(y)
    return [torch.dot(alarm, y) / alarm.sum(), torch.dot(alarm, y) / y.sum()]


@right("logaddexp and a dot product")
def weighted_bce(z, y, weight):
    losses = torch.logaddexp(torch.zeros_like(z), z) - y * z
    return torch.dot(weight, losses) / len(z)


@right("max, and log1p of a small exponential")
def weighted_bce(z, y, weight):
    losses = torch.clamp(z, min=0) - z * y + torch.log1p(torch.exp(-z.abs()))
    return torch.mean(losses * weight)


@right("a loop over the samples")
def weighted_bce(z, y, weight):
    total = torch.zeros((), dtype=z.dtype)
    for score, label, w in zip(z, y, weight):
        total = total + w * F.softplus(-score if label == 1 else score)
    return total / z.shape[0]


@right("logsigmoid of both signs")
def pos_weight_bce(z, y, pos_weight):
    return -(pos_weight * y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()


@right("one weight for each sample, by its label")
def pos_weight_bce(z, y, pos_weight):
    weight = torch.where(y == 1, pos_weight, torch.ones_like(z))
    return (weight * F.softplus((1 - 2 * y) * z)).mean()


@right("as PyTorch writes it")
def pos_weight_bce(z, y, pos_weight):
    factor = 1 + (pos_weight - 1) * y
    return ((1 - y) * z + factor * (torch.log1p(torch.exp(-z.abs())) + torch.relu(-z))).mean()


@right("positives and negatives by index")
def pos_weight_bce(z, y, pos_weight):
    total = pos_weight * F.softplus(-z[y == 1]).sum() + F.softplus(z[y == 0]).sum()
    return total / z.numel()


@right("as torchvision writes it")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(z)
    losses = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    p_t = p * y + (1 - p) * (1 - y)
    return ((alpha * y + (1 - alpha) * (1 - y)) * losses * (1 - p_t) ** gamma).mean()


@right("a signed logit")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    s = (2 * y - 1) * z
    return ((1 - alpha + (2 * alpha - 1) * y) * torch.sigmoid(-s).pow(gamma) * F.softplus(-s)).mean()


@right("the logarithm of p_t once, and exp of it")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    log_p_t = F.logsigmoid(torch.where(y == 1, z, -z))
    share = torch.where(y == 1, alpha, 1 - alpha)
    return -(share * (1 - log_p_t.exp()) ** gamma * log_p_t).mean()


@right("a loop")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    losses = []
    for score, label in zip(z.flatten(), y.flatten()):
        s, share = (score, alpha) if label == 1 else (-score, 1 - alpha)
        losses.append(share * torch.sigmoid(-s) ** gamma * F.softplus(-s))
    return torch.stack(losses).mean()


@wrong("the mean of the two", says="2 values")
def precision_recall(z, y, threshold=0.5):
    alarm = (torch.sigmoid(z) > threshold).to(z.dtype)
    return 2 * (alarm * y).sum() / (alarm.sum() + y.sum())


@right("counts divided as integers: float32, and the right number")
def precision_recall(z, y, threshold=0.5):
    alarm, true = torch.sigmoid(z) > threshold, y == 1
    return (alarm & true).sum() / alarm.sum(), (alarm & true).sum() / true.sum()


@wrong("minus forgotten", says="sign")
def weighted_bce(z, y, weight):
    return -(weight * F.softplus((1 - 2 * y) * z)).mean()


@wrong("PyTorch's own argument", says="You called")
def pos_weight_bce(z, y, pos_weight):
    return F.binary_cross_entropy_with_logits(z, y, pos_weight=pos_weight)


@wrong("gamma has no effect", says="gamma")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    s = (2 * y - 1) * z
    return ((1 - alpha + (2 * alpha - 1) * y) * torch.sigmoid(-s).pow(2) * F.softplus(-s)).mean()


@right("a confusion matrix by bincount")
def precision_recall(z, y, threshold=0.5):
    alarm = (torch.sigmoid(z) > threshold).long()
    table = torch.bincount(2 * y.long() + alarm, minlength=4).reshape(2, 2).to(z.dtype)
    return table[1, 1] / table[:, 1].sum(), table[1, 1] / table[1].sum()


@right("sets of sample numbers")
def precision_recall(z, y, threshold=0.5):
    alarms = {i for i in range(len(z)) if torch.sigmoid(z[i]) > threshold}
    positives = {i for i in range(len(y)) if y[i] == 1}
    hits = len(alarms & positives)
    return z.new_tensor(hits / len(alarms)), z.new_tensor(hits / len(positives))


class _Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return torch.logaddexp(z, torch.zeros_like(z))

    @staticmethod
    def backward(ctx, slope):
        return slope * torch.sigmoid(ctx.saved_tensors[0])


@right("a function with a gradient of its own")
def weighted_bce(z, y, weight):
    return (weight * (_Softplus.apply(z) - y * z)).mean()


@right("two classes, (0, z)")
def weighted_bce(z, y, weight):
    log_p = torch.log_softmax(torch.stack([torch.zeros_like(z), z], dim=1), dim=1)
    return -(weight * log_p[torch.arange(len(y)), y.long()]).mean()


@right("the weight as a power, and a recursion")
def pos_weight_bce(z, y, pos_weight):
    def total(s, w):
        return w[0] * F.softplus(-s[0]) if len(s) == 1 else total(s[:1], w[:1]) + total(s[1:], w[1:])

    return total(((2 * y - 1) * z).flatten(), (pos_weight**y).flatten()) / z.numel()


@right("|y - p|, and tanh")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    p = (1 + torch.tanh(z / 2)) / 2
    return ((1 - y + alpha * (2 * y - 1)) * (y - p).abs() ** gamma * (F.softplus(z) - y * z)).mean()


@right("expm1 of the cross-entropy")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    losses = F.softplus((1 - 2 * y) * z)
    return (torch.where(y == 1, alpha, 1 - alpha) * (-torch.expm1(-losses)) ** gamma * losses).mean()


@wrong("one list of both, as a tensor", says="2 values")
def precision_recall(z, y, threshold=0.5):
    alarm = (torch.sigmoid(z) > threshold).to(z.dtype)
    return torch.stack([(alarm * y).sum() / alarm.sum(), (alarm * y).sum() / y.sum()])


@wrong("another loss, of two classes", says="You called `cross_entropy`")
def weighted_bce(z, y, weight):
    return (
        weight * F.cross_entropy(torch.stack([torch.zeros_like(z), z], dim=1), y.long(), reduction="none")
    ).mean()


@wrong("another loss, of many labels", says="You called `multilabel_soft_margin_loss`")
def weighted_bce(z, y, weight):
    return F.multilabel_soft_margin_loss(z[:, None], y[:, None], weight=weight[:, None])


@wrong("squares of the weights", says="You squared `weight` first")
def weighted_bce(z, y, weight):
    return (weight**2 * (F.softplus(z) - y * z)).mean()


@wrong("a mean over the rows of a matrix only", says="C times too large")
def pos_weight_bce(z, y, pos_weight):
    return (pos_weight * y * F.softplus(-z) + (1 - y) * F.softplus(z)).sum() / len(z)


@wrong("a clamp of its own", says="wrong at the extremes")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(torch.where(y == 1, z, -z)).clamp(1e-7, 1 - 1e-7)
    return -(torch.where(y == 1, alpha, 1 - alpha) * (1 - p) ** gamma * p.log()).mean()


@right("through the odds")
def corrected_probability(z, pos_weight):
    odds = torch.exp(z) / pos_weight
    return odds / (1 + odds)


@right("the share of label 1, its weight taken back")
def corrected_probability(z, pos_weight):
    p = torch.sigmoid(z)
    return p / (p + pos_weight * (1 - p))


@right("two classes, the weight in one of the scores")
def corrected_probability(z, pos_weight):
    scores = torch.stack([torch.log(pos_weight).expand_as(z), z], dim=-1)
    return torch.softmax(scores, dim=-1)[..., 1]


@right("one fraction")
def corrected_probability(z, pos_weight):
    return 1 / (1 + pos_weight * torch.exp(-z))


@right("tanh, and math.log of a number")
def corrected_probability(z, pos_weight):
    return (1 + torch.tanh((z - math.log(pos_weight)) / 2)) / 2


@wrong("the mean of all", says="single number")
def corrected_probability(z, pos_weight):
    return torch.sigmoid(z - torch.log(pos_weight)).mean()


@wrong("the logarithm of 1 + w", says="differs from the definition")
def corrected_probability(z, pos_weight):
    return torch.sigmoid(z - torch.log1p(pos_weight))


@wrong("cut off from autograd", says="autograd")
def corrected_probability(z, pos_weight):
    return torch.sigmoid(z.detach() - torch.log(pos_weight))


@right("one over a sum")
def cost_threshold(cost_miss, cost_alarm):
    return 1 / (1 + cost_miss / cost_alarm)


@right("a 0-d tensor, from the logit")
def cost_threshold(cost_miss, cost_alarm):
    costs = torch.tensor([cost_alarm, cost_miss], dtype=torch.float64)
    return torch.sigmoid(costs.log()[0] - costs.log()[1])


@right("bisection of the two mean costs")
def cost_threshold(cost_miss, cost_alarm):
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if middle * cost_miss > (1 - middle) * cost_alarm:
            high = middle
        else:
            low = middle
    return low


@right("a share of a tensor")
def cost_threshold(cost_miss, cost_alarm):
    costs = torch.tensor([cost_miss, cost_alarm], dtype=torch.float64)
    return (costs / costs.sum())[1]


@wrong("a percentage", says="100 times the right one")
def cost_threshold(cost_miss, cost_alarm):
    return 100 * cost_alarm / (cost_miss + cost_alarm)


@wrong("rounded to two places", says="rounded to two decimals")
def cost_threshold(cost_miss, cost_alarm):
    return round(cost_alarm / (cost_miss + cost_alarm), 2)


@wrong("squares of the costs", says="differs")
def cost_threshold(cost_miss, cost_alarm):
    return cost_alarm**2 / (cost_miss**2 + cost_alarm**2)


@right("confusion by bincount")
def precision_recall(z, y, threshold=0.5):
    a = (z.sigmoid() > threshold).long()
    m = torch.bincount(2 * y.long() + a, minlength=4).to(z.dtype)
    return (m[3] / (m[1] + m[3]), m[3] / (m[2] + m[3]))


@right("tanh of half")
def corrected_probability(z, pos_weight):
    return (1 + torch.tanh((z - pos_weight.log()) / 2)) / 2


@right("expm1")
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    s = (2 * y - 1) * z
    lp = F.logsigmoid(s)
    return -(torch.where(y > 0, alpha, 1 - alpha) * torch.exp(gamma * F.logsigmoid(-s)) * lp).mean()
