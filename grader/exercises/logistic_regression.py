"""Exercises of 04_logistic_regression: a classifier trained with your own loss and gradient.

Formulas: Bishop, Pattern Recognition and Machine Learning, section 4.3.2; https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
"""

import torch
from torch import nn
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

X4 = [[1.0, 2.0], [0.5, -1.0], [-1.5, 0.0], [2.0, 1.0]]
Y4 = [0.0, 1.0, 1.0, 0.0]
W2, B0 = [0.5, -1.0], 0.25


def made(rng, *lists):
    return tuple(torch.tensor(values, dtype=rng.dtype) for values in lists)


def ordinary(rng, n=None, d=None):
    """X, y, w, b; D differs from N and is at least 2."""
    n, d = n or rng.size(6, 9), d or rng.size(2, 4)
    return rng.normal(n, d), rng.labels(n), rng.normal(d), rng.uniform(low=0.3, high=1.2)


# ---------------------------------------------------------------- linear


def without_y(arguments):
    X, _, w, b = arguments
    return X, w, b


@exercise(
    points=2,
    without=[F.linear, nn.Linear, F.bilinear, nn.Bilinear],
    hints=[
        "One row of X times w, entry by entry, and added up, is one score. Which dimension of X does that addition run along?",
        "The matrix product does exactly that for every row at once: `X @ w`.",
        "Add b afterwards, once for each score.",
    ],
    built="One linear layer with one output. PyTorch calls it `nn.Linear(D, 1)` and `F.linear`; theirs gives the shape (N, 1).",
)
def linear(X, w, b):
    return X @ w + b


linear.case("the lesson's example", example=True)(lambda rng: made(rng, X4, W2, B0))
linear.case("random features", gradient=("X", "w", "b"))(lambda rng: without_y(ordinary(rng)))
linear.case("one feature", gradient="w")(lambda rng: without_y(ordinary(rng, d=1)))
linear.case("more features than samples")(lambda rng: without_y(ordinary(rng, n=3, d=7)))
linear.case("as many features as samples")(lambda rng: without_y(ordinary(rng, n=4, d=4)))
linear.case("one sample")(lambda rng: without_y(ordinary(rng, n=1, d=3)))
linear.case("float32", dtype=torch.float32, gradient="w")(lambda rng: without_y(ordinary(rng)))


@linear.mistake("b is missing: every score is shifted by it.")
def _(X, w, b):
    return X @ w


@linear.mistake(
    "You multiplied and did not add up: a score is one number for each sample.",
    hint="The sum runs over the features.",
)
def _(X, w, b):
    return X * w + b


@linear.mistake(
    "b was added to every product w·x before the sum, so it counts D times. It is added once for each score."
)
def _(X, w, b):
    return (X * w + b).sum(dim=1)


@linear.mistake("You averaged over the features. A score is their weighted sum.")
def _(X, w, b):
    return (X * w).mean(dim=1) + b


@linear.mistake("You applied the sigmoid.", hint="Return the score itself; the loss takes it from there.")
def _(X, w, b):
    return torch.sigmoid(X @ w + b)


@linear.mistake(
    "b was added to the features before the product, so every weight multiplies it. It is added to the score."
)
def _(X, w, b):
    return (X + b) @ w


@linear.mistake(
    "Your scores are finished numbers, made with `.item()` or `torch.tensor(…)`: autograd cannot follow them, and their dtype may be another. "
    "`torch.stack` joins 0-d tensors, and `@` needs neither."
)
def _(X, w, b):
    return torch.tensor([(row @ w + b).item() for row in X])


@linear.mistake("You subtracted b. It is added.")
def _(X, w, b):
    return X @ w - b


@linear.mistake(
    "You summed along the samples: dimension 0 of X counts the samples, dimension 1 the features.",
    hint="One number for each row of X.",
)
def _(X, w, b):
    return (X * w).sum(dim=0) + b


@linear.mistake("You summed over everything: one score for all samples together. Each sample has its own.")
def _(X, w, b):
    return (X * w).sum() + b


@linear.mistake("Your scores come out as a column, (N, 1). Beside labels of shape (N,) that becomes (N, N).")
def _(X, w, b):
    return X @ w[:, None] + b


# ---------------------------------------------------------------- loss_and_grad


@exercise(
    points=4,
    without=[
        torch.autograd.grad,
        torch.Tensor.backward,
        torch.autograd.backward,
        torch.func.grad,
        torch.func.jvp,
    ],
    hints=[
        "The slope with respect to the score is known for each sample: (σ(z) − y), and 1/N of it for "
        "the mean.",
        "Feature j of sample i is what w_j is multiplied by. So sample i gives w_j its slope times "
        "X[i, j], and b its slope times 1.",
        "`error = (torch.sigmoid(z) - y) / len(y)`: the slope of b is its sum. For w the same sum, "
        "each row of X weighted by its error.",
        "That weighted sum of rows is `X.T @ error`.",
    ],
    built="One backward pass by hand. PyTorch computes the same when you call `loss.backward()`, and "
    "keeps it in `w.grad` and `b.grad`.",
)
def loss_and_grad(X, y, w, b):
    z = X @ w + b
    error = (torch.sigmoid(z) - y) / len(y)
    return F.binary_cross_entropy_with_logits(z, y), X.T @ error, error.sum()


def large(rng):
    """One sample at a score of 1000 or −1000, right and wrong."""
    return [
        made(rng, [[x]], [y], [500.0], 0.0) for x, y in [(2.0, 0.0), (-2.0, 1.0), (2.0, 1.0), (-2.0, 0.0)]
    ]


loss_and_grad.case("the lesson's example", example=True)(lambda rng: made(rng, X4, Y4, W2, B0))
loss_and_grad.case("random features")(ordinary)
loss_and_grad.case("one feature")(lambda rng: ordinary(rng, d=1))
loss_and_grad.case("more features than samples")(lambda rng: ordinary(rng, n=3, d=7))
loss_and_grad.case("as many features as samples")(lambda rng: ordinary(rng, n=4, d=4))
loss_and_grad.case("scores of 1000", extreme=True)(large)
loss_and_grad.case("float32", dtype=torch.float32)(ordinary)


def parts(X, y, w, b):
    z = X @ w + b
    return F.binary_cross_entropy_with_logits(z, y), torch.sigmoid(z) - y, z


@loss_and_grad.mistake(
    "Your slopes are right, and your loss is the squared error of the probabilities. They are the slopes of the binary cross-entropy."
)
def _(X, y, w, b):
    p = torch.sigmoid(X @ w + b)
    error = (p - y) / len(y)
    return ((p - y) ** 2).mean(), X.T @ error, error.sum()


@loss_and_grad.mistake(
    "Your slopes are N times too large: the loss is a mean.", hint="Each sample's slope counts 1/N."
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error, error.sum()


@loss_and_grad.mistake("The slope of w is a mean, that of b still a sum: 1/N belongs to both.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error / len(y), error.sum()


@loss_and_grad.mistake("The slope of b is a mean, that of w still a sum: 1/N belongs to both.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error, error.mean()


@loss_and_grad.mistake(
    "Your slopes point the wrong way: a step against them would climb.", hint="σ(z) − y, not y − σ(z)."
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, -X.T @ error / len(y), -error.mean()


@loss_and_grad.mistake(
    "X is missing from the slope of w: how much w_j moves a score is the sample's feature j.",
    hint="Each sample's error multiplies its row of X.",
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, error.mean() * torch.ones_like(w), error.mean()


@loss_and_grad.mistake(
    "Your slope of w is the mean of the features times the mean of the errors. Each row of X has its own error.",
    hint="Multiply first, then average.",
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.mean(dim=0) * error.mean(), error.mean()


@loss_and_grad.mistake(
    "There is one factor p(1 − p) too many in the slopes: that is half the slope of the squared error.",
    hint="Cross-entropy's is σ(z) − y.",
)
def _(X, y, w, b):
    loss, error, z = parts(X, y, w, b)
    error = error * torch.sigmoid(z) * torch.sigmoid(-z) / len(y)
    return loss, X.T @ error, error.sum()


@loss_and_grad.mistake(
    "You used the score where the probability belongs.", hint="The error is σ(z) − y, not z − y."
)
def _(X, y, w, b):
    loss, _, z = parts(X, y, w, b)
    return loss, X.T @ (z - y) / len(y), (z - y).mean()


@loss_and_grad.mistake("You return the sum of the losses.", hint="Return their mean.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss * len(y), X.T @ error / len(y), error.mean()


@loss_and_grad.mistake(
    "Loss and slopes are sums over the samples.", hint="Return means: all three divided by N."
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss * len(y), X.T @ error, error.sum()


@loss_and_grad.mistake("The last two are swapped: the order is (loss, slope of w, slope of b).")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, error.mean(), X.T @ error / len(y)


@loss_and_grad.mistake(
    "The slopes are right; the loss takes the logarithm of a probability, or of 1 + exp(z), and breaks at large scores.",
    hint="Compute it from z: softplus(z) − y·z.",
)
def _(X, y, w, b):
    _, error, z = parts(X, y, w, b)
    p = torch.sigmoid(z)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean(), X.T @ error / len(y), error.mean()


@loss_and_grad.mistake(
    "The slopes are right; the loss goes through the probability, and its logarithm is clamped at −100, as in `BCELoss`.",
    hint="Compute it from z: softplus(z) − y·z.",
)
def _(X, y, w, b):
    _, error, z = parts(X, y, w, b)
    return F.binary_cross_entropy(torch.sigmoid(z), y), X.T @ error / len(y), error.mean()


@loss_and_grad.mistake("b is missing from the scores.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, torch.zeros_like(b))
    return loss, X.T @ error / len(y), error.mean()


@loss_and_grad.mistake("The slope of w is divided by D. The mean is over the N samples.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error / X.shape[1], error.mean()


@loss_and_grad.mistake(
    "The slope of b has a value for each sample. b is one number and has one slope.",
    hint="Their sum, with 1/N in it.",
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error / len(y), error / len(y)


@loss_and_grad.mistake("The slope of b has shape (1,). b is 0-d, and so is its slope.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error / len(y), error.mean().reshape(1)


@loss_and_grad.mistake(
    "The slope of w has a row for each sample. It has the shape of w, (D,).", hint="Sum over the samples."
)
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X * error[:, None] / len(y), error.mean()


@loss_and_grad.mistake("The loss has a value for each sample.", hint="Return their mean.")
def _(X, y, w, b):
    _, error, z = parts(X, y, w, b)
    return F.binary_cross_entropy_with_logits(z, y, reduction="none"), X.T @ error / len(y), error.mean()


@loss_and_grad.mistake(
    "You used the decision, 0 or 1, where the probability belongs.", hint="The error is σ(z) − y."
)
def _(X, y, w, b):
    loss, _, z = parts(X, y, w, b)
    error = (z > 0).to(z.dtype) - y
    return loss, X.T @ error / len(y), error.mean()


@loss_and_grad.mistake("The order is (loss, slope of w, slope of b): the loss comes first.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return X.T @ error / len(y), error.mean(), loss


@loss_and_grad.mistake("The slope of w is divided by N twice.")
def _(X, y, w, b):
    loss, error, _ = parts(X, y, w, b)
    return loss, X.T @ error / len(y) ** 2, error.mean()


# ---------------------------------------------------------------- train


@exercise(
    points=4,
    without=[torch.optim.SGD],
    hints=[
        "Three things happen in each epoch, in this order: compute loss and slopes at the present w "
        "and b; record the loss; move w and b by one step.",
        "Downhill is against the slope: `w = w - lr * grad_w`, and the same for b. Both slopes come "
        "from before the step.",
        "Start: `w = torch.zeros(X.shape[1], dtype=X.dtype)` and `b = torch.zeros((), dtype=X.dtype)`. "
        "At the end: `return w, b, losses`.",
    ],
    built="Full-batch gradient descent. In PyTorch: `torch.optim.SGD`, with `optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()` in each epoch.",
)
def train(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs)


def descend(X, y, lr, epochs, step=None, grad=loss_and_grad.reference, start=0.0):
    """(w, b, losses) of gradient descent; `step(w, b, grad_w, grad_b)` gives the next w, b."""
    w, b, losses = torch.full((X.shape[1],), start, dtype=X.dtype), torch.full((), start, dtype=X.dtype), []
    for _ in range(epochs):
        loss, grad_w, grad_b = grad(X, y, w, b)
        losses.append(float(loss))
        w, b = step(w, b, grad_w, grad_b) if step else (w - lr * grad_w, b - lr * grad_b)
    return w, b, losses


def features(rng):
    X, y, _, _ = ordinary(rng)
    return X, y


def far(rng):
    """Features so large that the first step throws the scores far beyond the reach of a probability."""
    return call(
        *made(rng, [[300.0], [-200.0], [250.0], [-400.0], [100.0]], [1.0, 0.0, 1.0, 1.0, 0.0]),
        lr=1.0,
        epochs=4,
    )


train.case("the lesson's example", example=True)(lambda rng: call(*made(rng, X4, Y4), lr=0.5, epochs=3))
train.case("both options, and the same once more", rtol=1e-5)(
    lambda rng: [call(*features(rng), lr=0.03, epochs=17)] * 2
)  # short ones first:
train.case("another number of epochs", rtol=1e-5)(
    lambda rng: call(*features(rng), epochs=int(rng.integers(1, low=7, high=30)))
)  # they are asked
train.case("another learning rate", rtol=1e-5)(
    lambda rng: call(*features(rng), lr=0.4, epochs=20)
)  # most when an answer is wrong
train.case("the defaults", rtol=1e-5)(features)
train.case("a step that goes far", extreme=True)(far)
train.case("float32", dtype=torch.float32, rtol=1e-3, atol=1e-5)(
    lambda rng: call(*features(rng), lr=0.2, epochs=25)
)


@train.mistake(
    "You recorded each loss after the step. The first one belongs before any step: with w = 0 and "
    "b = 0 it is ln 2.",
    hint="Record the loss, then move.",
)
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, epochs + 1)
    return *descend(X, y, lr, epochs)[:2], losses[1:]


@train.mistake(
    "You take one step too many, and return one loss too many: `range(epochs)` runs `epochs` times.",
)
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs + 1)


@train.mistake(
    "You went uphill: a step goes against the slope.", hint="Does your loss rise? `w - lr * grad_w`."
)
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, -lr, epochs)


@train.mistake("You start at ones. The course starts at zeros, where the loss is ln 2.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs, start=1.0)


@train.mistake("b never moves: it has a slope of its own, and takes a step of its own.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs, step=lambda w, b, gw, gb: (w - lr * gw, b))


@train.mistake("w never moves: it has slopes of its own, and takes a step of its own.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs, step=lambda w, b, gw, gb: (w, b - lr * gb))


@train.mistake(
    "Nothing moves, so every loss is ln 2. `w - lr * grad_w` alone computes a new value and drops it.",
    hint="Give it the name: `w = w - lr * grad_w`.",
)
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs, step=lambda w, b, gw, gb: (w, b))


@train.mistake(
    "Your slopes add up from epoch to epoch: `backward()` adds to `.grad`.",
    hint="Clear the slopes before each step.",
)
def _(X, y, lr=0.1, epochs=100):
    total = [0, 0]

    def step(w, b, gw, gb):
        total[:] = total[0] + gw, total[1] + gb
        return w - lr * total[0], b - lr * total[1]

    return descend(X, y, lr, epochs, step)


@train.mistake(
    "Every epoch begins at zeros again, so each loss is ln 2 and only the last step counts.",
    hint="What is made once belongs before the loop.",
)
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, 1)
    return w, b, losses * epochs


@train.mistake(
    "The slopes are computed once, before the loop. They change with every step.",
    hint="Compute them anew in each epoch.",
)
def _(X, y, lr=0.1, epochs=100):
    _, gw, gb = loss_and_grad.reference(X, y, X.new_zeros(X.shape[1]), X.new_zeros(()))
    return descend(X, y, lr, epochs, step=lambda w, b, *_: (w - lr * gw, b - lr * gb))


@train.mistake("`lr` has no effect: your steps are those of the default, 0.1.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, 0.1, epochs)


@train.mistake("`epochs` has no effect: your loop always runs 100 times.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, 100)


@train.mistake(
    "There is one loss too many: record `epochs` losses, each before its step, and none after the last."
)
def _(X, y, lr=0.1, epochs=100):
    return *descend(X, y, lr, epochs)[:2], descend(X, y, lr, epochs + 1)[2]


@train.mistake(
    "You take one step too few: `range(epochs)` runs `epochs` times, `range(1, epochs)` once less."
)
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, epochs - 1)


@train.mistake(
    "You moved w first and computed the slope of b afterwards, with the new w.",
    hint="Both slopes belong to the same point.",
)
def _(X, y, lr=0.1, epochs=100):
    def step(w, b, gw, gb):
        new = w - lr * gw
        return new, b - lr * loss_and_grad.reference(X, y, new, b)[2]

    return descend(X, y, lr, epochs, step)


@train.mistake("Your steps are N times too large: the slope of the sum instead of that of the mean.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr * len(y), epochs)


@train.mistake("Your steps are N times too small: the slopes of the mean are divided by N already.")
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr / len(y), epochs)


@train.mistake(
    "You take a step after each sample. Here each epoch is one step, with the slope of the whole data set."
)
def _(X, y, lr=0.1, epochs=100):
    def step(w, b, *_):
        for row, label in zip(X, y):
            error = lr * (torch.sigmoid(row @ w + b) - label)
            w, b = w - error * row, b - error
        return w, b

    return descend(X, y, lr, epochs, step)


@train.mistake(
    "You take a single step, whatever `epochs` says. A `return` inside the loop would end it at once.",
    hint="Indent `return` as far as the `for`.",
)
def _(X, y, lr=0.1, epochs=100):
    return descend(X, y, lr, 1)


@train.mistake("w and b are swapped: the order is (w, b, losses).")
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, epochs)
    return b, w, losses


@train.mistake("The order is (w, b, losses): the losses come last.")
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, epochs)
    return losses, w, b


@train.mistake("b comes out with shape (1,). It is one number, 0-d: start it at `torch.zeros(())`.")
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, epochs)
    return w, b.reshape(1), losses


@train.mistake(
    "The training is right; its loss goes through the probability, and the logarithm is clamped at −100, as in `BCELoss`.",
    hint="Compute it from z: softplus(z) − y·z.",
)
def _(X, y, lr=0.1, epochs=100):
    def grad(X, y, w, b):
        return F.binary_cross_entropy(torch.sigmoid(X @ w + b), y), *loss_and_grad.reference(X, y, w, b)[1:]

    return descend(X, y, lr, epochs, grad=grad)


@train.mistake("You return the last loss alone.", hint="Return all of them, one for each step.")
def _(X, y, lr=0.1, epochs=100):
    w, b, losses = descend(X, y, lr, epochs)
    return w, b, losses[-1]


@train.mistake(
    "The training is right; its loss takes the logarithm of a probability, or of 1 + exp(z), and becomes nan or "
    "inf when a step goes far.",
    hint="Compute it from z: softplus(z) − y·z.",
)
def _(X, y, lr=0.1, epochs=100):
    def grad(X, y, w, b):
        p = torch.sigmoid(X @ w + b)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean(), *loss_and_grad.reference(X, y, w, b)[1:]

    return descend(X, y, lr, epochs, grad=grad)


@train.mistake(
    "Your first step is off: at w = 0 every score is 0, where max(z, 0) has a corner. Autograd has to make "
    "up a slope there, and it is not the one half of softplus.",
    hint="Use σ(z) − y for the slope, or `F.softplus`.",
)
def _(X, y, lr=0.1, epochs=100):
    def grad(X, y, w, b):
        w, b = w.clone().requires_grad_(True), b.clone().requires_grad_(True)
        z = X @ w + b
        loss = (z.clamp(min=0) - y * z + torch.log1p(torch.exp(-z.abs()))).mean()
        return loss.detach(), *torch.autograd.grad(loss, [w, b])

    return descend(X, y, lr, epochs, grad=grad)


# ---------------------------------------------------------------- accuracy


@exercise(
    points=2,
    any_dtype=True,
    number=True,
    hints=[
        "A score says class 1 exactly when its probability is above one half. Which score has the probability one half?",
        "`z > 0` is the decision, `y == 1` the truth. Where do they agree?",
        "The mean of True and False, as floats, is the share of True.",
    ],
    built="The share of right decisions. It changes in jumps and is flat between them, so there is no "
    "slope to follow: training uses the cross-entropy.",
)
def accuracy(z, y):
    return ((z > 0) == (y == 1)).to(z.dtype).mean()


def decisions(rng, limit=3.0):
    """Several questions: one accuracy takes few values, and a wrong one may hit it by chance."""
    return [
        (rng.logits(n, limit=limit), rng.labels(n))
        for n in (rng.size(11, 15), rng.size(17, 21), rng.size(23, 29))
    ]


accuracy.case("random scores")(decisions)  # first: four scores would fit too many mistakes
accuracy.case("the lesson's example", example=True)(lambda rng: made(rng, [-0.1, 2.0, 3.0, 0.5], Y4))
accuracy.case("scores between −0.45 and 0.45")(lambda rng: decisions(rng, limit=0.45))
accuracy.case("large scores")(lambda rng: [(1000 * z, y) for z, y in decisions(rng)])
accuracy.case("float32", dtype=torch.float32)(decisions)


@accuracy.mistake(
    "Your share is always 0. That happens where a score, a probability or the argmax over the samples is compared "
    "with the label, or where all samples have to be right at once.",
    hint="Decide first, then take the mean.",
)
def _(z, y):
    return (torch.sigmoid(z.clamp(-5, 5)) == y).to(z.dtype).mean()


@accuracy.mistake(
    "You compare the probability itself with the label. It is 0 or 1 only where the score is very large.",
    hint="Decide first, then take the mean.",
)
def _(z, y):
    return (torch.sigmoid(z) == y).to(z.dtype).mean()


@accuracy.mistake(
    "You took the argmax over the samples, the number of the one with the highest score. With one score for each sample its sign decides."
)
def _(z, y):
    return (z.argmax() == y).to(z.dtype).mean()


@accuracy.mistake(
    "Your cut lies above a score of 0. 0.5 is where a *probability* is cut.", hint="σ(0.3) is above one half."
)
def _(z, y):
    return ((z > 0.5) == (y == 1)).to(z.dtype).mean()


@accuracy.mistake("You count the right decisions. Accuracy is their share: divided by N.")
def _(z, y):
    return ((z > 0) == (y == 1)).to(z.dtype).sum()


@accuracy.mistake(
    "You return the share of wrong decisions, or your decision is the wrong way round.",
    hint="A positive score says class 1, and accuracy is the share of right decisions.",
)
def _(z, y):
    return ((z > 0) != (y == 1)).to(z.dtype).mean()


@accuracy.mistake("You return percent; accuracy lies between 0 and 1.")
def _(z, y):
    return 100 * ((z > 0) == (y == 1)).to(z.dtype).mean()


@accuracy.mistake("You return how often the model says 1.", hint="Compare its decision with the label, too.")
def _(z, y):
    return (z > 0).to(z.dtype).mean()


@accuracy.mistake("Only the samples with y = 1 count: that is the recall. Label 0 called 0 is right, too.")
def _(z, y):
    return (z > 0)[y == 1].to(z.dtype).mean()


@accuracy.mistake(
    "Only the samples that are called 1 count in yours: that is the precision. Label 0 called 0 is "
    "right, too."
)
def _(z, y):
    return (y == 1)[z > 0].to(z.dtype).mean()


@accuracy.mistake(
    "No sample with y = 0 can ever be right in yours, but a negative score with the label 0 is a right decision, too.",
    hint="`sign(z) == y` fails because a sign is 1 or −1, `z * y > 0` because the product is 0 there. Decide first, then compare.",
)
def _(z, y):
    return (z.sign() == y).to(z.dtype).mean()


@accuracy.mistake(
    "Your result is the share of the labels 1, as if every sample were called class 1. No probability is below 0, "
    "and a sigmoid of a probability never below one half.",
    hint="Cut the probability at 0.5, or the score at 0.",
)
def _(z, y):
    return (y == 1).to(z.dtype).mean()


@accuracy.mistake("You rounded the score. Rounding cuts a probability at one half; a score is cut at 0.")
def _(z, y):
    return (z.round() == y).to(z.dtype).mean()
