import torch
from torch.nn import functional as F

from grader.tests.answers import right, wrong


@right("a product, and a sum over the features")
def linear(X, w, b):
    return (X * w).sum(dim=1) + b


@right("einsum")
def linear(X, w, b):  # noqa: F811
    return torch.einsum("nd,d->n", X, w) + b


@right("a loop over the samples")
def linear(X, w, b):  # noqa: F811
    return torch.stack([torch.dot(row, w) + b for row in X])


@right("w from the left")
def linear(X, w, b):  # noqa: F811
    return torch.matmul(w, X.T).add(b)


@right("a column, squeezed at the end")
def linear(X, w, b):  # noqa: F811
    return (X @ w.unsqueeze(1) + b).squeeze(1)


@right("means of weighted rows")
def loss_and_grad(X, y, w, b):
    z = (X * w).sum(dim=1) + b
    slope = torch.sigmoid(z) - y
    loss = (F.softplus(z) - y * z).mean()
    return loss, (slope[:, None] * X).mean(dim=0), slope.mean()


@right("sample by sample, in a list")
def loss_and_grad(X, y, w, b):  # noqa: F811
    loss, grad_w, grad_b = 0, torch.zeros_like(w), torch.zeros_like(b)
    for row, label in zip(X, y):
        z = row @ w + b
        loss = loss + torch.logaddexp(z, torch.zeros_like(z)) - label * z
        grad_w = grad_w + (torch.sigmoid(z) - label) * row
        grad_b = grad_b + torch.sigmoid(z) - label
    return [loss / len(y), grad_w / len(y), grad_b / len(y)]


@right("b as a weight of a feature that is always 1, without autograd")
def loss_and_grad(X, y, w, b):  # noqa: F811
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
def train(X, y, lr=0.1, epochs=100):  # noqa: F811
    w, b, step, losses = torch.zeros_like(X[0]), 0.0, 0, torch.empty(epochs, dtype=X.dtype)
    while step < epochs:
        z = X @ w + b
        losses[step] = (F.softplus(z) - y * z).mean()
        grad_w, grad_b = slopes(X, y, w, b)
        w, b, step = w - lr * grad_w, b - lr * grad_b, step + 1
    return w, b, losses


@right("autograd")
def train(X, y, lr=0.1, epochs=100):  # noqa: F811
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
def accuracy(z, y):  # noqa: F811
    return sum(int(score > 0) == int(label) for score, label in zip(z, y)) / len(y)


@right("one minus the share of wrong decisions")
def accuracy(z, y):  # noqa: F811
    return 1 - ((z >= 0).to(z.dtype) - y).abs().mean()


@wrong("the layer of the library", says="You called")
def linear(X, w, b):  # noqa: F811
    return F.linear(X, w) + b


@wrong("autograd in the place of a derivation", says="You called")
def loss_and_grad(X, y, w, b):  # noqa: F811
    w, b = w.clone().requires_grad_(True), b.clone().requires_grad_(True)
    loss = F.binary_cross_entropy_with_logits(X @ w + b, y)
    return loss.detach(), *torch.autograd.grad(loss, [w, b])


@wrong("two values instead of three", says="Return 3 values")
def loss_and_grad(X, y, w, b):  # noqa: F811
    return F.binary_cross_entropy_with_logits(X @ w + b, y), X.T @ (torch.sigmoid(X @ w + b) - y) / len(y)


@wrong("float32 weights beside float64 features", says="Your code raised")
def train(X, y, lr=0.1, epochs=100):  # noqa: F811
    return X @ torch.zeros(X.shape[1], dtype=torch.float16)


@wrong("no losses", says="Return 3 values")
def train(X, y, lr=0.1, epochs=100):  # noqa: F811
    w, b = X.new_zeros(X.shape[1]), X.new_zeros(())
    for _ in range(epochs):
        grad_w, grad_b = slopes(X, y, w, b)
        w, b = w - lr * grad_w, b - lr * grad_b
    return w, b


@wrong("only the first four samples", says="yours")
def accuracy(z, y):  # noqa: F811
    return ((z[:4] > 0) == (y[:4] == 1)).float().mean()
