import itertools

import numpy as np
import torch
from torch.nn import functional as F

from grader.course.build import course_answer as ready
from grader.tests.answers import right, wrong


@right("a product, and a sum over the features")
def linear(X, w, b):
    return (X * w).sum(dim=1) + b


@right("einsum")
def linear(X, w, b):
    return torch.einsum("nd,d->n", X, w) + b


@right("a loop over the samples")
def linear(X, w, b):
    return torch.stack([torch.dot(row, w) + b for row in X])


@right("w from the left")
def linear(X, w, b):
    return torch.matmul(w, X.T).add(b)


@right("a column, squeezed at the end")
def linear(X, w, b):
    return (X @ w.unsqueeze(1) + b).squeeze(1)


@right("means of weighted rows")
def loss_and_grad(X, y, w, b):
    z = (X * w).sum(dim=1) + b
    slope = torch.sigmoid(z) - y
    loss = (F.softplus(z) - y * z).mean()
    return loss, (slope[:, None] * X).mean(dim=0), slope.mean()


@right("sample by sample, in a list")
def loss_and_grad(X, y, w, b):
    loss, grad_w, grad_b = 0, torch.zeros_like(w), torch.zeros_like(b)
    for row, label in zip(X, y):
        z = row @ w + b
        loss = loss + torch.logaddexp(z, torch.zeros_like(z)) - label * z
        grad_w = grad_w + (torch.sigmoid(z) - label) * row
        grad_b = grad_b + torch.sigmoid(z) - label
    return [loss / len(y), grad_w / len(y), grad_b / len(y)]


@right("b as a weight of a feature that is always 1, without autograd")
def loss_and_grad(X, y, w, b):
    with torch.no_grad():
        A = torch.cat([X, torch.ones_like(X[:, :1])], dim=1)
        z = A @ torch.cat([w, b.reshape(1)])
        both = torch.einsum("n,nd->d", torch.sigmoid(z) - y, A) / len(A)
        return F.binary_cross_entropy_with_logits(z, y), both[:-1], both[-1]


def slopes(X, y, w, b):
    error = (torch.sigmoid(X @ w + b) - y) / len(y)
    return X.T @ error, error.sum()


@right("losses as a list of 0-d tensors, steps in place")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = X.new_zeros(X.shape[1]), X.new_zeros(()), []
    for _ in range(epochs):
        losses.append(F.binary_cross_entropy_with_logits(X @ w + b, y))
        grad_w, grad_b = slopes(X, y, w, b)
        w -= lr * grad_w
        b -= lr * grad_b
    return w, b, losses


@right("losses as a tensor, a while loop, b from a Python number")
def train(X, y, lr=0.1, epochs=100):
    w, b, step, losses = torch.zeros_like(X[0]), 0.0, 0, torch.empty(epochs, dtype=X.dtype)
    while step < epochs:
        z = X @ w + b
        losses[step] = (F.softplus(z) - y * z).mean()
        grad_w, grad_b = slopes(X, y, w, b)
        w, b, step = w - lr * grad_w, b - lr * grad_b, step + 1
    return w, b, losses


@right("autograd")
def train(X, y, lr=0.1, epochs=100):
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros((), dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(epochs):
        loss = F.binary_cross_entropy_with_logits(X @ w + b, y)
        losses.append(loss.item())
        w.grad = b.grad = None
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
    return w, b, losses


@right("probabilities, cut at one half")
def accuracy(z, y):
    return ((torch.sigmoid(z) > 0.5).float() == y.float()).float().mean()


@right("a Python number")
def accuracy(z, y):
    return sum(int(score > 0) == int(label) for score, label in zip(z, y)) / len(y)


@right("one minus the share of wrong decisions")
def accuracy(z, y):
    return 1 - ((z >= 0).to(z.dtype) - y).abs().mean()


@wrong("the layer of the library", says="You called")
def linear(X, w, b):
    return F.linear(X, w) + b


@wrong("autograd instead of a derivation", says="You called")
def loss_and_grad(X, y, w, b):
    w, b = w.clone().requires_grad_(True), b.clone().requires_grad_(True)
    loss = F.binary_cross_entropy_with_logits(X @ w + b, y)
    return loss.detach(), *torch.autograd.grad(loss, [w, b])


@wrong("two values instead of three", says="Return 3 values")
def loss_and_grad(X, y, w, b):
    return F.binary_cross_entropy_with_logits(X @ w + b, y), X.T @ (torch.sigmoid(X @ w + b) - y) / len(y)


@wrong("float32 weights beside float64 features", says="Your code raised")
def train(X, y, lr=0.1, epochs=100):
    return X @ torch.zeros(X.shape[1], dtype=torch.float16)


@wrong("no losses", says="Return 3 values")
def train(X, y, lr=0.1, epochs=100):
    w, b = X.new_zeros(X.shape[1]), X.new_zeros(())
    for _ in range(epochs):
        grad_w, grad_b = slopes(X, y, w, b)
        w, b = w - lr * grad_w, b - lr * grad_b
    return w, b


@wrong("only the first four samples", says="yours")
def accuracy(z, y):
    return ((z[:4] > 0) == (y[:4] == 1)).float().mean()


@right("two loops")
def linear(X, w, b):
    z = []
    for i in range(X.shape[0]):
        s = b
        for j in range(X.shape[1]):
            s = s + X[i, j] * w[j]
        z.append(s)
    return torch.stack(z)


@right("addmv")
def linear(X, w, b):
    return torch.addmv(b, X, w)


@right("b as one more weight")
def linear(X, w, b):
    A = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], dim=1)
    return A @ torch.cat([w, b.view(1)])


@right("column by column")
def linear(X, w, b):
    z = b.expand(len(X))
    for j, col in enumerate(X.T):
        z = z + w[j] * col
    return z


@wrong("four samples", says="Right for 4 samples")
def linear(X, w, b):
    return torch.stack([X[i] @ w + b for i in range(4)])


@wrong("a squeeze of everything", says="the shape is () where (1,)")
def linear(X, w, b):
    return (X @ w[:, None]).squeeze() + b


@wrong("X transposed", says="same size inside")
def linear(X, w, b):
    return X.T @ w + b


@wrong("float32 throughout", says="dtype is float32")
def linear(X, w, b):
    return X.float() @ w.float() + b.float()


@right("vmap over the samples")
def loss_and_grad(X, y, w, b):
    def one(x, t):
        z = x @ w + b
        e = torch.sigmoid(z) - t
        return F.softplus(z) - t * z, e * x, e

    return tuple(v.mean(0) for v in torch.func.vmap(one)(X, y))


@right("two loops, in place on its own zeros")
@torch.no_grad()
def loss_and_grad(X, y, w, b):
    n, d = X.shape
    loss, gw, gb = torch.zeros_like(b), torch.zeros_like(w), torch.zeros_like(b)
    for i in range(n):
        z = X[i] @ w + b
        loss += F.softplus(z) - y[i] * z
        e = torch.sigmoid(z) - y[i]
        for j in range(d):
            gw[j] += e * X[i, j]
        gb += e
    return loss / n, gw / n, gb / n


@wrong("half of the slopes", says="number 2 and 3 differ")
def loss_and_grad(X, y, w, b):
    z = X @ w + b
    e = (torch.sigmoid(z) - y) / (2 * len(y))
    return (F.softplus(z) - y * z).mean(), X.T @ e, e.sum()


@wrong("scores as a column", says="several together")
def loss_and_grad(X, y, w, b):
    z = X @ w[:, None] + b
    e = (torch.sigmoid(z) - y) / len(y)
    return (F.softplus(z) - y * z).mean(), (X.T @ e).sum(1), e.sum()


@right("recursion")
def train(X, y, lr=0.1, epochs=100):
    def go(w, b, n):
        if n == 0:
            return w, b, []
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        w2, b2, rest = go(w - lr * gw, b - lr * gb, n - 1)
        return w2, b2, [loss.item()] + rest

    return go(torch.zeros_like(X[0]), torch.zeros((), dtype=X.dtype), epochs)


@right("a generator of steps")
def train(X, y, lr=0.1, epochs=100):
    def steps():
        w, b = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros([], dtype=X.dtype)
        while True:
            loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
            yield w, b, loss.item()
            w, b = w - lr * gw, b - lr * gb

    seen = list(itertools.islice(steps(), epochs + 1))
    return seen[-1][0], seen[-1][1], [s[2] for s in seen[:-1]]


@right("numpy numbers in a list")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        losses.append(loss.numpy())
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@right("steps in place")
def train(X, y, lr=0.1, epochs=100):
    w = torch.zeros(X.shape[1]).type_as(X)
    b = torch.tensor(0.0, dtype=X.dtype)
    losses = []
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        losses.append(loss)
        w.sub_(gw, alpha=lr)
        b.sub_(gb, alpha=lr)
    return [w, b, losses]


@wrong("a default list", says="two answers")
def train(X, y, lr=0.1, epochs=100, losses=[]):  # noqa: B006
    w, b = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype)
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        losses.append(loss.item())
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@wrong("a random start", says="two answers")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = torch.randn(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        losses.append(loss.item())
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@wrong("no loss kept", says="an empty list")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@wrong("every tenth loss", says="has length 1 where 3")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
    for t in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        if t % 10 == 0:
            losses.append(loss.item())
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@wrong("the sums kept, not the means", says="number 3 differs")
def train(X, y, lr=0.1, epochs=100):
    w, b, losses = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
    for _ in range(epochs):
        loss, gw, gb = ready("loss_and_grad")(X, y, w, b)
        losses.append(loss.item() * len(y))
        w, b = w - lr * gw, b - lr * gb
    return w, b, losses


@right("true positives and true negatives")
def accuracy(z, y):
    tp = ((z > 0) & (y == 1)).sum()
    tn = ((z <= 0) & (y == 0)).sum()
    return (tp + tn) / z.shape[0]


@right("numpy")
def accuracy(z, y):
    return np.mean((z.numpy() > 0) == (y.numpy() == 1))


@wrong("N − 1 in the denominator", says="N − 1")
def accuracy(z, y):
    return ((z > 0) == (y == 1)).sum() / (len(y) - 1)


@wrong("everything with everything", says="several together")
def accuracy(z, y):
    return ((z[:, None] > 0) == (y == 1)).float().mean()


@right("mean over samples of products")
def loss_and_grad(X, y, w, b):
    z = X.matmul(w).add(b)
    d = torch.sigmoid(z) - y
    return (F.softplus(torch.where(y == 1, -z, z)).mean(), (d.unsqueeze(-1) * X).mean(0), d.mean())


@right("xor")
def accuracy(z, y):
    return torch.logical_not((z > 0) ^ y.bool()).double().mean().to(z.dtype)
