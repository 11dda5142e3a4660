"""Exercises of 16_contrastive: cross-entropy whose classes are the other samples.

Formulas: van den Oord and others (InfoNCE), https://arxiv.org/abs/1807.03748; Radford and others (CLIP), https://arxiv.org/abs/2103.00020;
Zhai and others (SigLIP), https://arxiv.org/abs/2303.15343; https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

COSINE = [F.cosine_similarity, nn.CosineSimilarity, F.cosine_embedding_loss, nn.CosineEmbeddingLoss]
TRIPLET = [
    F.triplet_margin_loss,
    nn.TripletMarginLoss,
    F.triplet_margin_with_distance_loss,
    nn.TripletMarginWithDistanceLoss,
]
A = [[3.0, 4.0], [1.0, 0.0], [-2.0, 2.0]]
B = [[6.0, 8.0], [0.0, 5.0], [-1.0, 0.5]]


def example(rng):
    return torch.tensor(A, dtype=rng.dtype), torch.tensor(B, dtype=rng.dtype)


def vectors(rng, n, d=4):
    """n vectors of very different lengths, none near 0."""
    directions = F.normalize(rng.normal(n, d).double(), dim=1).to(rng.dtype)
    return directions * rng.uniform(n, 1, low=0.3, high=4.0)


def pairs(rng):
    n = rng.size(5, 8)
    return vectors(rng, n), vectors(rng, n)


def units(a):
    return a / a.norm(dim=1, keepdim=True)


def similarities(a, b):
    return units(a) @ units(b).T


def numbers(a):
    """The right partners: 0, 1, …, N − 1."""
    return torch.arange(len(a))


# ---------------------------------------------------------------- cosine_similarity


@exercise(
    points=2,
    without=COSINE,
    together=True,
    hints=[
        "A matrix product gives all dot products at once. What is left is the lengths.",
        "Each vector is divided by its own length, before or after: rows of a by theirs, rows of b by theirs.",
        "`a.norm(dim=1, keepdim=True)` has the shape (N, 1), and divides each row of a by its length.",
    ],
    built="All cosines at once. `F.cosine_similarity(a, b, dim=1)` and `nn.CosineSimilarity` compare row with row; with `a[:, None]` and `b[None]` they give this matrix.",
)
def cosine_similarity(a, b):
    return F.cosine_similarity(a[:, None], b[None], dim=2)


def two_sets(rng):
    """N and M differ, and both differ from D."""
    return vectors(rng, rng.size(5, 7)), vectors(rng, 3)


def odd_sizes(rng):
    """One vector against many; two dimensions; as many vectors as dimensions."""
    return [
        (vectors(rng, 1), vectors(rng, 6)),
        (vectors(rng, 5, 2), vectors(rng, 4, 2)),
        (vectors(rng, 4), vectors(rng, 4)),
    ]


def tiny_and_huge(rng):
    a, b = vectors(rng, 6), vectors(rng, 3)
    return a * torch.tensor([[1e-5], [1e3], [1e-4], [1e5], [1.0], [1e-3]], dtype=rng.dtype), b


cosine_similarity.case("the lesson's example", example=True, gradient=("a", "b"))(example)
cosine_similarity.case("random vectors", gradient=("a", "b"))(two_sets)
cosine_similarity.case("one vector, two dimensions, squares", gradient=("a", "b"))(odd_sizes)
cosine_similarity.case("float32", dtype=torch.float32, gradient=("a", "b"))(two_sets)
cosine_similarity.case("very short and very long vectors", extreme=True, gradient="b")(tiny_and_huge)


@cosine_similarity.mistake(
    "These are dot products: a long vector is similar to everything. The lengths have to be divided out."
)
def _(a, b):
    return a @ b.T


@cosine_similarity.mistake("Only the vectors of a are divided by their lengths. Those of b count, too.")
def _(a, b):
    return units(a) @ b.T


@cosine_similarity.mistake("Only the vectors of b are divided by their lengths. Those of a count, too.")
def _(a, b):
    return a @ units(b).T


@cosine_similarity.mistake(
    "You divide along dimension 0: each column gets length 1, where each row should.",
    hint="A vector is a row: `dim=1`.",
)
def _(a, b):
    return F.normalize(a, dim=0) @ F.normalize(b, dim=0).T


@cosine_similarity.mistake("You divide by the squares of the lengths. ‖a‖² is a·a; its root is the length.")
def _(a, b):
    return a @ b.T / (a.square().sum(dim=1)[:, None] * b.square().sum(dim=1))


@cosine_similarity.mistake("Every vector is divided by the length of the whole matrix, one number for all.")
def _(a, b):
    return (a / a.norm()) @ (b / b.norm()).T


@cosine_similarity.mistake("You divide by the sum of absolute values, not by the Euclidean length.")
def _(a, b):
    return (a / a.abs().sum(dim=1, keepdim=True)) @ (b / b.abs().sum(dim=1, keepdim=True)).T


@cosine_similarity.mistake("The matrix is transposed: row i, column j compares row i of a with row j of b.")
def _(a, b):
    return similarities(b, a)


@cosine_similarity.mistake("You return the distance, 1 − cosine. Similar vectors should have 1, not 0.")
def _(a, b):
    return 1 - similarities(a, b)


@cosine_similarity.mistake("You return the angle. The similarity is its cosine.")
def _(a, b):
    return similarities(a, b).clamp(-1 + 1e-12, 1 - 1e-12).acos()


@cosine_similarity.mistake(
    "A small number is added to the lengths. No vector is 0 here, and the cosine of a vector as short as that number comes out half as large.",
)
def _(a, b):
    return (a / (a.norm(dim=1, keepdim=True) + 1e-8)) @ (b / (b.norm(dim=1, keepdim=True) + 1e-8)).T


@cosine_similarity.mistake("You return the absolute value: opposite vectors have −1, not 1.")
def _(a, b):
    return similarities(a, b).abs()


@cosine_similarity.mistake(
    "Both lengths divide columns: ‖a_i‖ belongs to row i of the result, ‖b_j‖ to column j.",
    hint="`keepdim=True` makes a column of lengths, (N, 1), which divides rows.",
)
def _(a, b):
    return a @ b.T / (a.norm(dim=1) * b.norm(dim=1))


@cosine_similarity.mistake(
    "Both lengths divide rows: ‖a_i‖ belongs to row i of the result, ‖b_j‖ to column j.",
    hint="A column of lengths, (N, 1), divides rows; a row of lengths, (M,), divides columns.",
)
def _(a, b):
    return a @ b.T / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True))


@cosine_similarity.mistake(
    "You compare row i of a with row i of b, and with no other. Every row of a is compared with every row of b here.",
    hint="A matrix product makes all pairs.",
)
def _(a, b):
    return (a * b).sum(dim=1) / (a.norm(dim=1) * b.norm(dim=1))


# ---------------------------------------------------------------- info_nce


def info(a, b, temperature=0.1):
    return F.cross_entropy(similarities(a, b) / temperature, numbers(a))


@exercise(
    points=3,
    together=True,
    hints=[
        "Row i of the similarities is a row of logits. How many classes are there, and which is the right one for row i?",
        "Row i of a belongs to row i of b: the labels are 0, 1, …, N − 1.",
        "`F.cross_entropy(cosines / temperature, torch.arange(N))`, with the cosines of all rows of a with all rows of b.",
    ],
    built="InfoNCE, of van den Oord, Li and Vinyals (2018). `torch.nn` has no module for it: it is `F.cross_entropy` of similarities, with `torch.arange(N)` as labels.",
)
def info_nce(a, b, temperature=0.1):
    return info(a, b, temperature)


def temperatures(rng):
    a, b = pairs(rng)
    return [call(a, b, temperature=t) for t in (1.0, 0.5, 0.07)]


def cold(rng):
    """Temperature 0.01: right for sure, wrong for sure, and everything in between."""
    a, b = pairs(rng)
    return [
        call(a, b, temperature=0.01),
        call(a, a.clone(), temperature=0.01),
        call(a, -a, temperature=0.01),
        call(1000 * a, 1e-3 * b, temperature=0.01),
    ]


def few_pairs(rng):
    """One pair, two pairs."""
    return [(vectors(rng, n), vectors(rng, n)) for n in (1, 2)]


info_nce.case("the lesson's example", example=True, gradient=("a", "b"))(example)
info_nce.case("random pairs", gradient=("a", "b"))(pairs)
info_nce.case("other temperatures", gradient=("a", "b"))(temperatures)
info_nce.case("one pair, two pairs", gradient=("a", "b"))(few_pairs)
info_nce.case("float32", dtype=torch.float32, gradient=("a", "b"))(pairs)
info_nce.case("temperature 0.01", extreme=True, gradient=("a", "b"))(cold)
info_nce.case(
    "temperature 0.01 in float32",
    extreme=True,
    dtype=torch.float32,
    rtol=1e-3,
    atol=1e-3,
    gradient=("a", "b"),
)(cold)


@info_nce.mistake(
    "The vectors are not normalised: these are dot products, and a model can lower the loss by making vectors longer, without finding anything."
)
def _(a, b, temperature=0.1):
    return F.cross_entropy(a @ b.T / temperature, numbers(a))


@info_nce.mistake(
    "You multiply by the temperature. Dividing by 0.1 spreads the similarities apart; multiplying squeezes them to nothing."
)
def _(a, b, temperature=0.1):
    return F.cross_entropy(similarities(a, b) * temperature, numbers(a))


@info_nce.mistake("The temperature has no effect: cosines lie between −1 and 1, and go in as they are.")
def _(a, b, temperature=0.1):
    return F.cross_entropy(similarities(a, b), numbers(a))


@info_nce.mistake("The temperature is always 0.1, whatever the argument says.")
def _(a, b, temperature=0.1):
    return info(a, b)


@info_nce.mistake(
    "This is the other direction: each row of b chooses among the rows of a. Here each row of a chooses among those of b."
)
def _(a, b, temperature=0.1):
    return info(b, a, temperature)


@info_nce.mistake(
    "You average both directions, as CLIP does. InfoNCE is one: the rows of a choose among the rows of b."
)
def _(a, b, temperature=0.1):
    return (info(a, b, temperature) + info(b, a, temperature)) / 2


@info_nce.mistake(
    "Every row is told that the first row of b is its partner: the labels are all 0.",
    hint="Row i belongs to row i.",
)
def _(a, b, temperature=0.1):
    return F.cross_entropy(similarities(a, b) / temperature, torch.zeros_like(numbers(a)))


@info_nce.mistake("The losses are added up. The mean divides their sum by N.")
def _(a, b, temperature=0.1):
    return info(a, b, temperature) * len(a)


@info_nce.mistake(
    "You only pull partners together: the others are missing, and one point for everything would be perfect."
)
def _(a, b, temperature=0.1):
    return -similarities(a, b).diagonal().mean() / temperature


@info_nce.mistake(
    "The partner is left out of the sum: it belongs to the classes, as the true class does in every softmax."
)
def _(a, b, temperature=0.1):
    z = similarities(a, b) / temperature
    others = z.masked_fill(torch.eye(len(a), dtype=torch.bool), -math.inf)
    return (torch.logsumexp(others, dim=1) - z.diagonal()).mean()


@info_nce.mistake(
    "The similarities among the rows of a are classes, too: that is SimCLR's variant. Here the rows of b alone are."
)
def _(a, b, temperature=0.1):
    own = (similarities(a, a) / temperature).masked_fill(torch.eye(len(a), dtype=torch.bool), -math.inf)
    return F.cross_entropy(torch.cat([similarities(a, b) / temperature, own], dim=1), numbers(a))


@info_nce.mistake(
    "b is cut out of the graph: its model never learns. The value is right, so nobody notices for a while."
)
def _(a, b, temperature=0.1):
    return info(a, b.detach(), temperature)


@info_nce.mistake("A softmax is applied before `F.cross_entropy`, which has its own: two are one too many.")
def _(a, b, temperature=0.1):
    return F.cross_entropy(torch.softmax(similarities(a, b) / temperature, dim=1), numbers(a))


@info_nce.mistake(
    "exp(1 / 0.01) is e^100, which float32 cannot hold: exponentials are taken without subtracting the largest first."
)
def _(a, b, temperature=0.1):
    powers = (similarities(a, b) / temperature).exp()
    return -(powers.diagonal() / powers.sum(dim=1)).log().mean()


@info_nce.mistake(
    "The vectors are normalised along dimension 0: each column gets length 1, where each row should."
)
def _(a, b, temperature=0.1):
    z = F.normalize(a, dim=0) @ F.normalize(b, dim=0).T
    return F.cross_entropy(z / temperature, numbers(a))


@info_nce.mistake("You divide by the root of the temperature. It divides as it is.")
def _(a, b, temperature=0.1):
    return info(a, b, math.sqrt(temperature))


@info_nce.mistake(
    "The logits are minus Euclidean distances. InfoNCE here takes cosines, which do not see lengths."
)
def _(a, b, temperature=0.1):
    return F.cross_entropy(-(a[:, None] - b[None]).norm(dim=2) / temperature, numbers(a))


@info_nce.mistake(
    "You averaged the probabilities of the partners and took the logarithm afterwards. Each pair has a loss of its own.",
    hint="The logarithm comes before the mean.",
)
def _(a, b, temperature=0.1):
    p = torch.softmax(units(a) @ units(b).T / temperature, dim=1)
    return -p.diagonal().mean().log()


# ---------------------------------------------------------------- clip_loss


def clip(a, b, scale):
    z = similarities(a, b) * scale
    return (F.cross_entropy(z, numbers(a)) + F.cross_entropy(z.T, numbers(a))) / 2


@exercise(
    points=3,
    together=True,
    hints=[
        "One matrix of similarities, two questions: which b belongs to this a (rows), which a to this b (columns).",
        "The second direction is the same cross-entropy of the transposed matrix. The loss is the mean of the two.",
        "`log_scale.exp()` multiplies the similarities. It stays a tensor: it is trained, too.",
    ],
    built="The loss of CLIP (Radford and others, 2021): InfoNCE in both directions, with a temperature that is learned as `log_scale`. In training CLIP's authors kept the scale from growing above 100; the loss itself does not.",
)
def clip_loss(a, b, log_scale):
    return clip(a, b, log_scale.exp())


def scaled(make, *scales):
    """Pairs with a logarithm of the scale, 0-d."""

    def ask(rng):
        return [(*make(rng), torch.tensor(math.log(scale), dtype=rng.dtype)) for scale in scales]

    return ask


def exact(rng):
    """Pairs whose similarities are far apart, so that no rounding decides at a scale of 1000."""
    a = torch.eye(4, dtype=rng.dtype)[rng.permutation(4)]
    return a * rng.uniform(4, 1, low=0.5, high=2.0), torch.eye(4, dtype=rng.dtype)


def clipped(name, make, **options):
    clip_loss.case(name, gradient=("a", "b", "log_scale"), **options)(make)


clipped("the lesson's example", scaled(example, 10.0), example=True)
clipped("random pairs, CLIP's first scale", scaled(pairs, 1 / 0.07))
clipped("small and large scales", scaled(pairs, 0.5, 1.0, 30.0))
clipped("one pair, two pairs", lambda rng: [(*p, torch.tensor(2.0, dtype=rng.dtype)) for p in few_pairs(rng)])
clipped("float32", scaled(pairs, 5.0), dtype=torch.float32)
clipped("a scale of 1000", scaled(exact, 1000.0), extreme=True)
clipped(
    "a scale of 1000 in float32",
    scaled(exact, 1000.0),
    extreme=True,
    dtype=torch.float32,
    rtol=1e-3,
    atol=1e-3,
)


@clip_loss.mistake(
    "One direction only, once or twice over: each row of a chooses among the rows of b. CLIP also lets each row of b choose among the rows of a."
)
def _(a, b, log_scale):
    return F.cross_entropy(similarities(a, b) * log_scale.exp(), numbers(a))


@clip_loss.mistake(
    "One direction only: each row of b chooses among the rows of a. CLIP also lets each row of a choose among the rows of b."
)
def _(a, b, log_scale):
    return F.cross_entropy(similarities(b, a) * log_scale.exp(), numbers(a))


@clip_loss.mistake("You add the two directions. CLIP takes their mean.")
def _(a, b, log_scale):
    return 2 * clip(a, b, log_scale.exp())


@clip_loss.mistake(
    "`log_scale` itself multiplies the similarities. It is the logarithm of the scale: exponentiate it first."
)
def _(a, b, log_scale):
    return clip(a, b, log_scale)


@clip_loss.mistake(
    "You divide by the scale, as one divides by a temperature. The scale is 1 over the temperature: it multiplies."
)
def _(a, b, log_scale):
    return clip(a, b, (-log_scale).exp())


@clip_loss.mistake(
    "The scale is clamped at 100. CLIP's authors kept it from growing further in training; in the loss itself a clamp changes the value and stops the gradient."
)
def _(a, b, log_scale):
    return clip(a, b, log_scale.exp().clamp(max=100))


@clip_loss.mistake(
    "No gradient reaches `log_scale`: it is taken out of the graph, and the temperature stays what it was at the start."
)
def _(a, b, log_scale):
    return clip(a, b, log_scale.detach().exp())


@clip_loss.mistake(
    "The vectors are not normalised: the dot products grow with their lengths, and the scale means nothing."
)
def _(a, b, log_scale):
    z = a @ b.T * log_scale.exp()
    return (F.cross_entropy(z, numbers(a)) + F.cross_entropy(z.T, numbers(a))) / 2


@clip_loss.mistake("The losses are added up. Each direction is a mean over its N rows.")
def _(a, b, log_scale):
    return clip(a, b, log_scale.exp()) * len(a)


@clip_loss.mistake(
    "You average the matrix with its transpose and take one cross-entropy. Two questions are two softmaxes: one over rows, one over columns."
)
def _(a, b, log_scale):
    z = similarities(a, b)
    return F.cross_entropy((z + z.T) / 2 * log_scale.exp(), numbers(a))


@clip_loss.mistake(
    "One softmax over the whole matrix: all N·N pairs compete. Each row, and each column, has a softmax of its own."
)
def _(a, b, log_scale):
    z = similarities(a, b) * log_scale.exp()
    return torch.logsumexp(z.flatten(), dim=0) - z.diagonal().mean()


@clip_loss.mistake("exp(1000) overflows: exponentials are taken without subtracting the largest first.")
def _(a, b, log_scale):
    powers = (similarities(a, b) * log_scale.exp()).exp()
    p, q = (powers.diagonal() / powers.sum(dim=d) for d in (0, 1))
    return -(p.log().mean() + q.log().mean()) / 2


@clip_loss.mistake(
    "The scale multiplies the first direction alone. Both ask the same matrix of scaled similarities."
)
def _(a, b, log_scale):
    z = similarities(a, b)
    return (F.cross_entropy(z * log_scale.exp(), numbers(a)) + F.cross_entropy(z.T, numbers(a))) / 2


@clip_loss.mistake(
    "The second direction compares the rows of b with each other. It asks which a belongs to a b: the transposed matrix."
)
def _(a, b, log_scale):
    z, own = similarities(a, b) * log_scale.exp(), similarities(b, b) * log_scale.exp()
    return (F.cross_entropy(z, numbers(a)) + F.cross_entropy(own, numbers(a))) / 2


# ---------------------------------------------------------------- siglip_loss


def signs_of(a):
    """+1 on the diagonal, −1 beside it."""
    return 2 * torch.eye(len(a), dtype=a.dtype) - 1


def siglip(a, b, scale, bias):
    return -F.logsigmoid(signs_of(a) * (similarities(a, b) * scale + bias)).sum() / len(a)


@exercise(
    points=3,
    together=True,
    hints=[
        "Every cell of the matrix is a yes-or-no question of its own: do these two belong together? The loss of such a question is in `03_bce_with_logits`.",
        "The logit is scale · cosine + bias. Partners should have a large one, all others a very negative one: flip the sign of the others.",
        "−log σ(x) is `-F.logsigmoid(x)`, for x of any size. Add up all N·N cells, and divide by N.",
    ],
    built="The loss of SigLIP (Zhai and others, 2023): binary cross-entropy of all pairs. No row needs the others, so it can be computed block by block.",
)
def siglip_loss(a, b, scale, bias):
    return siglip(a, b, scale, bias)


def biased(make, *settings):
    """Pairs with scale and bias, 0-d."""

    def ask(rng):
        return [(*make(rng), *torch.tensor(s, dtype=rng.dtype).unbind()) for s in settings]

    return ask


def asked(name, make, **options):
    siglip_loss.case(name, gradient=("a", "b", "scale", "bias"), **options)(make)


asked("the lesson's example", biased(example, (10.0, -10.0)), example=True)
asked("random pairs", biased(pairs, (5.0, -2.0)))
asked("SigLIP's first values, no bias, a positive bias", biased(pairs, (10.0, -10.0), (3.0, 0.0), (2.0, 1.5)))
asked(
    "one pair, two pairs", lambda rng: [(*p, *rng.uniform(2, low=1, high=3).unbind()) for p in few_pairs(rng)]
)
asked("float32", biased(pairs, (4.0, -1.0)), dtype=torch.float32)
asked("a scale of 1000", biased(exact, (1000.0, -500.0), (1000.0, 0.25)), extreme=True)
asked(
    "a scale of 1000 in float32",
    biased(exact, (1000.0, -500.0)),
    extreme=True,
    dtype=torch.float32,
    rtol=1e-3,
    atol=1e-3,
)


@siglip_loss.mistake(
    "You divide by N·N, the number of pairs. SigLIP divides by N, the number of samples.",
)
def _(a, b, scale, bias):
    return siglip(a, b, scale, bias) / len(a)


@siglip_loss.mistake("The losses of all pairs are added up, and not divided by N.")
def _(a, b, scale, bias):
    return siglip(a, b, scale, bias) * len(a)


@siglip_loss.mistake(
    "Only the diagonal counts: partners are pulled together, and nothing keeps the others apart."
)
def _(a, b, scale, bias):
    return -F.logsigmoid(similarities(a, b).diagonal() * scale + bias).mean()


@siglip_loss.mistake(
    "The sign flips the similarity alone. The bias belongs inside: it is part of the logit whose sign is flipped."
)
def _(a, b, scale, bias):
    return -F.logsigmoid(signs_of(a) * similarities(a, b) * scale + bias).sum() / len(a)


@siglip_loss.mistake("The bias is subtracted. It is added to scale times cosine.")
def _(a, b, scale, bias):
    return siglip(a, b, scale, -bias)


@siglip_loss.mistake("The bias has no effect.")
def _(a, b, scale, bias):
    return siglip(a, b, scale, torch.zeros_like(bias)) + 0 * bias


@siglip_loss.mistake("You exponentiate the scale, as in `clip_loss`. Here the scale itself is the argument.")
def _(a, b, scale, bias):
    return siglip(a, b, scale.exp(), bias)


@siglip_loss.mistake(
    "The bias is multiplied by the scale, too: scale · (cosine + bias) instead of scale · cosine + bias."
)
def _(a, b, scale, bias):
    return siglip(a, b, scale, scale * bias)


@siglip_loss.mistake(
    "Partners and strangers are swapped: the diagonal has the minus, so that partners are pushed apart."
)
def _(a, b, scale, bias):
    return -F.logsigmoid(-signs_of(a) * (similarities(a, b) * scale + bias)).sum() / len(a)


@siglip_loss.mistake(
    "Strangers have the sign 0: σ(0) is one half, whatever their similarity, so that each costs ln 2 and has no slope. Their sign is −1."
)
def _(a, b, scale, bias):
    eye = torch.eye(len(a), dtype=a.dtype)
    return -F.logsigmoid(eye * (similarities(a, b) * scale + bias)).sum() / len(a)


@siglip_loss.mistake("The vectors are not normalised: the logits grow with their lengths.")
def _(a, b, scale, bias):
    return -F.logsigmoid(signs_of(a) * (a @ b.T * scale + bias)).sum() / len(a)


@siglip_loss.mistake(
    "This is a softmax cross-entropy over each row. SigLIP asks about each pair by itself, with a sigmoid."
)
def _(a, b, scale, bias):
    return F.cross_entropy(similarities(a, b) * scale + bias, numbers(a))


@siglip_loss.mistake(
    "The logarithm is taken of a sigmoid that is exactly 0 where the model is sure and wrong: the loss is inf.",
    hint="`F.logsigmoid` never makes that 0.",
)
def _(a, b, scale, bias):
    return -torch.sigmoid(signs_of(a) * (similarities(a, b) * scale + bias)).log().sum() / len(a)


@siglip_loss.mistake("You divide by the scale, as one divides by a temperature. The scale multiplies.")
def _(a, b, scale, bias):
    return siglip(a, b, 1 / scale, bias)


@siglip_loss.mistake(
    "Partners have the sign 0: σ(0) is one half, whatever their similarity, and nothing pulls them together. Their sign is +1."
)
def _(a, b, scale, bias):
    eye = torch.eye(len(a), dtype=a.dtype)
    return -F.logsigmoid((eye - 1) * (similarities(a, b) * scale + bias)).sum() / len(a)


@siglip_loss.mistake(
    "Only the cosines of partners are computed, and one row of them is used for all rows. Every pair has a cosine of its own."
)
def _(a, b, scale, bias):
    z = similarities(a, b).diagonal() * scale + bias
    return -F.logsigmoid(signs_of(a) * z).sum() / len(a)


@siglip_loss.mistake(
    "A sigmoid before `binary_cross_entropy`: where the model is sure and wrong its logarithm is clamped at −100, and the slope is gone.",
    hint="`F.binary_cross_entropy_with_logits` takes the logits themselves.",
)
def _(a, b, scale, bias):
    p = torch.sigmoid(similarities(a, b) * scale + bias)
    return F.binary_cross_entropy(p, torch.eye(len(a), dtype=a.dtype), reduction="sum") / len(a)


# ---------------------------------------------------------------- triplet_loss


def distance(a, b):
    return (a - b).norm(dim=1)


def triplet(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) - distance(anchor, negative) + margin).clamp(min=0).mean()


@exercise(
    points=3,
    without=TRIPLET,
    hints=[
        "Two distances for each anchor: to its partner and to a stranger. The partner should be nearer, by the margin at least.",
        "Distance is the length of a difference: `(anchor - positive).norm(dim=1)`. What does a triplet cost that keeps the margin?",
        "max(0, d_positive − d_negative + margin) for each triplet, then the mean.",
    ],
    built="The triplet loss, `nn.TripletMarginLoss(margin=1.0)` and `F.triplet_margin_loss`. PyTorch adds 1e-6 to every difference, so that two equal points still have a slope. FaceNet (2015) squares both distances.",
)
def triplet_loss(anchor, positive, negative, margin=1.0):
    return triplet(anchor, positive, negative, margin)


def triplets(rng):
    """Some triplets keep the margin of 1, some do not, none is within 0.05 of it."""
    n = rng.size(6, 9)
    anchor = rng.normal(n, 4)
    steps = F.normalize(rng.normal(2 * n, 4).double(), dim=1).to(rng.dtype)
    near = rng.uniform(
        n, 1, low=2.0, high=3.5
    )  # far enough that a stranger can be nearer by more than the margin
    gap = torch.where(
        torch.arange(n)[:, None] % 3 == 0,
        rng.uniform(n, 1, low=1.1, high=2.0),
        rng.uniform(n, 1, low=-1.6, high=0.9),
    )
    return anchor, anchor + near * steps[:n], anchor + (near + gap) * steps[n:]


def triplets_of_example(rng):
    return tuple(
        torch.tensor(v, dtype=rng.dtype)
        for v in ([[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [1.0, 2.0]], [[0.0, 5.5], [4.0, 5.0]])
    )


def margins(rng):
    made = triplets(rng)
    return [call(*made, margin=m) for m in (0.5, 2.5, 10.0)]


def far(rng):
    anchor, positive, negative = triplets(rng)
    return 1000 * anchor, 1000 * positive, 1000 * negative


def one_triplet(rng):
    return [tuple(v[i : i + 1] for v in triplets(rng)) for i in (0, 1)]


def triple(name, make, **options):
    triplet_loss.case(
        name, gradient=("anchor", "positive", "negative"), **{"rtol": 1e-5, "atol": 1e-5} | options
    )(make)


triple("the lesson's example", triplets_of_example, example=True)
triple("random triplets", triplets)
triple("other margins", margins)
triple("one triplet", one_triplet)
triple("float32", triplets, dtype=torch.float32, rtol=2e-4)
triple("distances of 1000", far, extreme=True)


@triplet_loss.mistake(
    "You took the mean over the triplets that still cost something. Here it is over all N: one that keeps the margin counts as 0."
)
def _(anchor, positive, negative, margin=1.0):
    near, away = (anchor - positive).norm(dim=1), (anchor - negative).norm(dim=1)
    losses = torch.relu(near - away + margin)
    return losses.sum() / (losses > 0).sum().clamp(min=1)


@triplet_loss.mistake(
    "You use squared distances, as FaceNet does. Here the distances themselves are compared, and the margin is one of distances."
)
def _(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) ** 2 - distance(anchor, negative) ** 2 + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "Nothing stops at 0: a triplet that keeps the margin earns a negative loss, and pays for others that do not.",
    hint="`clamp(min=0)` for each triplet.",
)
def _(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) - distance(anchor, negative) + margin).mean()


@triplet_loss.mistake(
    "You take the mean first and the maximum with 0 afterwards: easy triplets pay for hard ones."
)
def _(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) - distance(anchor, negative) + margin).mean().clamp(min=0)


@triplet_loss.mistake(
    "Positive and negative are swapped: the loss pulls strangers near and pushes partners away."
)
def _(anchor, positive, negative, margin=1.0):
    return triplet(anchor, negative, positive, margin)


@triplet_loss.mistake("The margin is subtracted. It makes the task harder: it is added.")
def _(anchor, positive, negative, margin=1.0):
    return triplet(anchor, positive, negative, -margin)


@triplet_loss.mistake(
    "There is no margin: a stranger that is a hair farther away than the partner costs nothing."
)
def _(anchor, positive, negative, margin=1.0):
    return triplet(anchor, positive, negative, 0.0)


@triplet_loss.mistake("The margin is always 1, whatever the argument says.")
def _(anchor, positive, negative, margin=1.0):
    return triplet(anchor, positive, negative)


@triplet_loss.mistake("The losses are added up. The mean divides their sum by N.")
def _(anchor, positive, negative, margin=1.0):
    return triplet(anchor, positive, negative, margin) * len(anchor)


@triplet_loss.mistake(
    "You add up absolute differences. The distance is Euclidean: the root of the sum of squares."
)
def _(anchor, positive, negative, margin=1.0):
    near, away = ((anchor - v).abs().sum(dim=1) for v in (positive, negative))
    return (near - away + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "The squares are averaged over the D coordinates before the root: the distance is √D times too small."
)
def _(anchor, positive, negative, margin=1.0):
    near, away = ((anchor - v).square().mean(dim=1).sqrt() for v in (positive, negative))
    return (near - away + margin).clamp(min=0).mean()


@triplet_loss.mistake("You use cosine distances. Here distances are Euclidean, and lengths count.")
def _(anchor, positive, negative, margin=1.0):
    near, away = (1 - F.cosine_similarity(anchor, v) for v in (positive, negative))
    return (near - away + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "The distance is one number for the whole batch: the lengths run over all entries, not over each row."
)
def _(anchor, positive, negative, margin=1.0):
    return ((anchor - positive).norm() - (anchor - negative).norm() + margin).clamp(min=0)


@triplet_loss.mistake(
    "The distance between positive and negative is not part of this loss: both are measured from the anchor."
)
def _(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) - distance(positive, negative) + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "A softplus is smooth where this loss has a corner: a triplet that keeps the margin costs nothing here, not a little."
)
def _(anchor, positive, negative, margin=1.0):
    return F.softplus(distance(anchor, positive) - distance(anchor, negative) + margin).mean()


@triplet_loss.mistake(
    "You average over the triplets that break the margin. The mean is over all N: those that keep it count as 0.",
)
def _(anchor, positive, negative, margin=1.0):
    losses = (distance(anchor, positive) - distance(anchor, negative) + margin).clamp(min=0)
    return losses.sum() / (losses > 0).sum()


@triplet_loss.mistake(
    "The lengths are taken along dimension 0, over the samples. A distance runs over the D coordinates of one pair: `dim=1`."
)
def _(anchor, positive, negative, margin=1.0):
    return ((anchor - positive).norm(dim=0) - (anchor - negative).norm(dim=0) + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "Every anchor is compared with every positive and every negative. Row i of the three belongs together."
)
def _(anchor, positive, negative, margin=1.0):
    near, away = (torch.cdist(anchor, v) for v in (positive, negative))
    return (near - away + margin).clamp(min=0).mean()


@triplet_loss.mistake(
    "The squares of distances and of the margin are compared, to avoid the root: that is another loss."
)
def _(anchor, positive, negative, margin=1.0):
    return (distance(anchor, positive) ** 2 - distance(anchor, negative) ** 2 + margin**2).clamp(min=0).mean()
