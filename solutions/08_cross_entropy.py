# %% [markdown]
# # All four answers are wrong. How wrong?
#
# Four photographs, five classes. A model scores every class, and its best guess is wrong all four times. Yet one miss was
# close, and another a disaster: the model was nearly certain of the wrong class. **What should each of them cost?**
#
# In this lesson you build the standard loss for one class out of many, from its definition to `nn.CrossEntropyLoss`; you see it turn into inf
# and nan, repair it, and derive the slope that training follows. You need `06_softmax` and `07_log_softmax`. About 50 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

num_classes = 5
y_true = torch.tensor([0, 2, 3, 1])
logits = torch.tensor([[-5.0, 10.0, 1.2,  3.0, -4.0],
                       [ 5.0, -4.0, 0.1,  1.0,  0.1],
                       [ 1.0,  3.0, 2.5, -0.1,  2.5],
                       [-7.0,  2.5, 0.1,  3.1,  0.2]])
y_pred = torch.softmax(logits, dim=1)
y_pred

# %%
print("labels      ", y_true)
print("best guesses", torch.argmax(y_pred, dim=1))

# %% [markdown]
# No guess is right. But look at row 4: the right class is 1, and the model gave it 0.3319, its second best. In row 1 the right class is 0,
# and the model gave it 3.0558e-07.
#
# ## A recipe for losses
#
# Where does a loss come from? A recipe gives this one, and many others:
#
# 1. *Choose a distribution* for the label. One class out of five: each class has a probability, and the five sum to 1. This is the
#    **categorical** distribution.
# 2. *Let the model give its parameter.* Here that is the row $p$, the softmax of the scores.
# 3. *Minimise the negative log-likelihood*: the **likelihood** is the probability that the model gave to what then happened.
#
# (In lesson 02 the same recipe, with two outcomes, gives the binary cross-entropy.) For independent samples the likelihoods multiply. Watch
# what becomes of the product when there are more than four photographs:

# %%
happened = y_pred[[0, 1, 2, 3], [0, 2, 3, 1]]          # what the model gave to the true classes
print("likelihoods     ", happened)
for copies in (1, 5):
    everything = happened.repeat(copies)
    print(f"{len(everything):2} photographs: product {everything.prod().item():.4g}, sum of -log {-everything.log().sum().item():.4f}")

# %% [markdown]
# Twenty photographs, and the product is 0 in float32. So take the logarithm, which makes a sum of the product, and a minus, so that smaller is
# better. For sample $n$ with label $y_n$:
#
# $$ \ell_n = -\log p_{n,\,y_n} $$
#
# In Claude Shannon's theory of information this number says how much an event tells you, and is often called its **surprise**: what was certain is no surprise at all, 0, and the less probable an
# event was, the greater the surprise when it happens. By hand, for rows 4 and 1:

# %%
print(f"certain: {-math.log(1.0) + 0.0:.4f}")
print(f"row 4: {-math.log(0.33188):.4f}")
print(f"row 1: {-math.log(3.0558e-07):.4f}")

# %% [markdown]
# The near miss costs 1.1030, the disaster 15.0011.
#
# ## The definition, with one-hot labels
#
# Written for whole distributions, **cross-entropy** compares two rows of numbers: what the model said, $p$, and what happened, $y$, one-hot:
#
# $$ \ell_n = -\sum_{c} y_{nc} \log p_{nc} $$
#
# All $y_{nc}$ are 0 but one, so the sum keeps one term, the one from before. Multiplication selects; look at what it leaves:

# %%
y_true_one_hot = F.one_hot(y_true, num_classes=num_classes)
print(y_true_one_hot)
y_pred * y_true_one_hot

# %% [markdown]
# The four numbers that count are there. Is minus the logarithm all that is missing? Predict what becomes of the zeros before you run the cell.

# %%
- torch.log(y_pred * y_true_one_hot)

# %% [markdown]
# The four right losses are surrounded by sixteen infinities, because $\log 0 = -\infty$. Their sum is inf, whatever the model said. The gradient
# is no better: here is row 4, differentiated with respect to its probabilities.

# %%
p = y_pred[3:].clone().requires_grad_(True)
broken = - torch.log(p * y_true_one_hot[3:])
broken.sum().backward()
print("loss    ", broken.sum().item())
print("gradient", p.grad)


# %% [markdown]
# Four entries are nan: the slope of the logarithm at 0 is infinite, and the product multiplies it by 0. A training step makes nan of every
# parameter that such a slope reaches.
#
# We should sum only the numbers that are not infinite. There are two ways, and you write both.
#
# ## Exercise: `cross_entropy_one_hot`
#
# Read the definition again, sign by sign: it never takes the logarithm of a product. Write the mean loss of a batch from probabilities and
# one-hot labels, so that no infinity arises. You have two decisions to make: the order of the two operations, and what to sum over and what to
# average over.

# %% exercise="cross_entropy_one_hot"
def cross_entropy_one_hot(p, y_one_hot):
    """Mean cross-entropy, a 0-d tensor.

    p: (N, C), positive, rows sum to 1.
    y_one_hot: (N, C), 0 or 1, of any numeric dtype.
    """
    ### BEGIN SOLUTION
    return -(y_one_hot * torch.log(p)).sum(dim=1).mean()
    ### END SOLUTION


# %%
compare("cross_entropy_one_hot", y_pred, y_true_one_hot)

# %% [markdown]
# ## Select instead of multiplying
#
# The other way is to pick the four probabilities out, and to take the logarithm of nothing else. `torch.where` with one argument tells where a condition holds:

# %%
y_pred[torch.where(y_true_one_hot==1)]

# %% fold="From the four probabilities to the loss of each sample"
# from the four probabilities to the loss of each sample
- torch.log(y_pred[torch.where(y_true_one_hot==1)])

# %% fold="And to the loss of the batch"
# and to the loss of the batch
torch.mean(- torch.log(y_pred[torch.where(y_true_one_hot==1)]))

# %% [markdown]
# So the four misses cost 15.0011, 4.9328, 3.9727 and 1.1030, and 6.2524 on average.
#
# What did `torch.where` find? A row number and a column number for each sample. Compare both with what you already know.

# %%
rows, columns = torch.where(y_true_one_hot==1)
print("rows   ", rows)
print("columns", columns)

# %% [markdown]
# And what does the detour cost? Take a language model: 1000 words, each one of 50 000 in the vocabulary.

# %%
words, vocabulary, bytes_each = 1000, 50_000, 8
print(f"labels as class numbers {words * bytes_each / 1e6:8.3f} MB")
print(f"labels as one-hot rows  {words * vocabulary * bytes_each / 1e6:8.3f} MB")


# %% [markdown]
# ## Exercise: `cross_entropy_indices`
#
# Write the mean loss from probabilities and class numbers (PyTorch says *class indices*), without making a one-hot matrix. You have seen what the row and column numbers
# are; decide how to get both from `y` alone, for any batch.

# %% exercise="cross_entropy_indices"
def cross_entropy_indices(p, y):
    """Mean cross-entropy, a 0-d tensor.

    p: (N, C), positive, rows sum to 1; y: (N,) int64, class numbers.
    """
    ### BEGIN SOLUTION
    return -torch.log(p[torch.arange(len(y)), y]).mean()
    ### END SOLUTION


# %%
print(f"one-hot {ready('cross_entropy_one_hot')(y_pred, y_true_one_hot):.4f}")
print(f"indices {ready('cross_entropy_indices')(y_pred, y_true):.4f}")

# %% [markdown]
# ## Sure, and wrong
#
# The running example is float32. Let one model be very sure, and wrong: logits 0 and 120, and the label is class 0. By the
# definition the loss is $\log(1 + e^{120})$, which is 120 to many places. Predict what softmax followed by the logarithm gives, and its gradient.

# %%
z = torch.tensor([[0.0, 120.0]], requires_grad=True)
p = torch.softmax(z, dim=1)
loss = -torch.log(p[:, 0]).sum()
loss.backward()
print("probabilities", p.detach())
print("loss         ", loss.item())
print("gradient     ", z.grad)


# %% [markdown]
# $e^{-120}$ is too small for float32, so the probability is exactly 0; the loss is inf and the gradient nan. Selecting does not help: now it is the *right*
# entry that is 0.
#
# Where does it break, and how? Next, the loss and its slope for every wrong logit from 0 to 160.

# %%
def curves(loss_of):
    """Loss and slope for logits (0, m) and label 0, float32, for m from 0 to 160."""
    m = torch.linspace(0, 160, 641, requires_grad=True)
    loss = loss_of(torch.stack([torch.zeros_like(m), m], dim=1))
    (slope,) = torch.autograd.grad(loss.sum(), m)
    return m.detach(), loss.detach(), slope


def naive(z): return -torch.log(torch.softmax(z, dim=1)[:, 0])
def stable(z): return -torch.log_softmax(z, dim=1)[:, 0]


# %%
# loss and slope against the logit of the wrong class, in two ways
fig, (left, right) = plt.subplots(1, 2)
for name, loss_of, style in [("log_softmax", stable, LINE["stable"] | {"linewidth": 1}), ("log(softmax)", naive, LINE["naive"] | {"linewidth": 3})]:
    m, loss, slope = curves(loss_of)
    for ax, values in (left, loss), (right, slope):
        ax.plot(m, values, **style, label=name)
        last = int(values.isfinite().sum()) - 1
        if last < len(m) - 1:
            ax.plot(m[last], values[last], "X", color="black", markersize=9, label="the last finite value")

left.set(title="loss when the label is class 0", xlabel="logit of the wrong class", ylabel="loss")
right.set(title="slope", xlabel="logit of the wrong class", ylabel="d loss / d logit", ylim=(0, 1.3))
left.legend()
show("Two plots against the logit of the wrong class, from 0 to 160. Left, the loss: log_softmax follows a straight line to 160, "
     "log(softmax) follows it and ends at a cross a little above 100, where it becomes infinite. Right, the slope: log_softmax rises to 1 and stays "
     "there, the curve of log(softmax) ends at a cross a little below 90, where it becomes nan.")

# %% [markdown]
# Left: the dashed curve follows the solid one and stops a little after 100; from there on its values are inf. Right: its slope is nan even earlier, while the
# loss still looks healthy. (Lesson 07 has the reason: the backward pass needs $1/p$, which overflows before $p$ becomes 0.) The true slope there is 1. The sample that needs
# correcting most is the one that destroys the model.
#
# ## Leave out the probability
#
# The repair is from `07_log_softmax`: go from logits to *log*-probabilities in one step, with no probability in between.
#
# $$ \log p_{nc} = z_{nc} - \log \sum_k e^{z_{nk}} $$

# %%
log_likelihood = torch.log_softmax(logits, dim=1)
assert log_likelihood.isclose(torch.log(torch.softmax(logits, dim=1))).all()
log_likelihood


# %% [markdown]
# For moderate logits both ways agree, as the assertion says. Find the four losses in this matrix, with the opposite sign: row 1, column 0; row 2, column 2;
# row 3, column 3; row 4, column 1.
#
# ## Exercise: `nll_loss`
#
# From log-probabilities to the loss: the *negative log-likelihood* of the recipe. What you take out of the matrix is a logarithm already. Decide what
# is left to do, for each of the three words that `reduction` may be: `"mean"`, `"sum"` and `"none"`.

# %% exercise="nll_loss"
def nll_loss(log_p, y, reduction="mean"):
    """Negative log-likelihood, 0-d, or of shape (N,) for reduction="none".

    log_p: (N, C) log-probabilities; y: (N,) int64.
    """
    ### BEGIN SOLUTION
    losses = -log_p[torch.arange(len(y)), y]
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()
    ### END SOLUTION


# %%
nll_ready = ready("nll_loss")
for reduction in ("none", "sum", "mean"):
    print(f"{reduction:5}", nll_ready(log_likelihood, y_true, reduction=reduction))


# %% [markdown]
# ## Exercise: `cross_entropy`
#
# Now the whole way, from logits to the loss, for logits as large as you like. What you compute first decides whether it survives
# $z = 1000$. You may use your own `nll_loss`, and `log_softmax` and `logsumexp` from the last lesson; `F.cross_entropy` and `F.nll_loss` are what you are building.

# %% exercise="cross_entropy"
def cross_entropy(z, y, reduction="mean"):
    """Cross-entropy from logits, 0-d, or of shape (N,) for reduction="none".

    z: (N, C), numbers of any size; y: (N,) int64.
    """
    ### BEGIN SOLUTION
    losses = torch.logsumexp(z, dim=1) - z[torch.arange(len(y)), y]
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses
    ### END SOLUTION


# %% [markdown]
# The two logits that broke it before, and the four photographs:

# %%
cross_entropy_ready = ready("cross_entropy")
z = torch.tensor([[0.0, 120.0]], requires_grad=True)
loss = cross_entropy_ready(z, torch.tensor([0]))
loss.backward()
print(f"sure and wrong: loss {loss.item():.1f}, gradient {z.grad}")
print(f"four photographs: {cross_entropy_ready(logits, y_true):.4f}")

# %% [markdown]
# ## What PyTorch calls it
#
# PyTorch offers two ways from logits to the loss, each of them modular and functional. `CrossEntropyLoss` takes the logits; `NLLLoss` takes
# log-probabilities, so it comes after a `LogSoftmax`.

# %%
results = {
    "yours": cross_entropy_ready(logits, y_true),
    "the definition": ready("cross_entropy_indices")(y_pred, y_true),
    "modular, nn.CrossEntropyLoss": nn.CrossEntropyLoss()(logits, y_true),
    "functional, F.cross_entropy": F.cross_entropy(logits, y_true),
    "modular, nn.LogSoftmax and nn.NLLLoss": nn.NLLLoss()(nn.LogSoftmax(dim=1)(logits), y_true),
    "functional, log_softmax and F.nll_loss": F.nll_loss(torch.log_softmax(logits, dim=1), y_true),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])


# %% [markdown]
# Mind the name: `CrossEntropyLoss` contains the softmax. Your model's last layer must not.
#
# ## The slope
#
# Training follows the slope of the loss with respect to the logits. Take pencil and paper, and
#
# $$ \ell = \log \sum_k e^{z_k} - z_y $$
#
# What is the derivative of the first part with respect to one $z_c$? (The inner derivative is $e^{z_c}$.) And that of the second part, when $c$ is the
# label, and when it is not? Test your answer on two logits, both 0, with label 0: change each a little and watch the loss.

# %%
def two(a, b):
    return math.log(math.exp(a) + math.exp(b)) - a


h = 1e-6
print(f"the label's logit {(two(h, 0) - two(-h, 0)) / (2 * h):+.4f}")
print(f"the other logit   {(two(0, h) - two(0, -h)) / (2 * h):+.4f}")


# %% [markdown]
# Both probabilities are 0.5 there. A larger logit of the true class lowers the loss, a larger logit of the other one raises it by as much.
#
# ## Exercise: `cross_entropy_grad`
#
# Write the derivative of each sample's loss with respect to each of its logits, for the whole batch at once, from your derivation. It, too, has to
# survive logits of 1000. (The mean over N samples divides each entry by N. Do not do that here.)

# %% exercise="cross_entropy_grad"
def cross_entropy_grad(z, y):
    """d loss / d z of each sample, without 1/N: (N, C), in the dtype of z.

    z: (N, C) logits; y: (N,) int64.
    """
    ### BEGIN SOLUTION
    return torch.softmax(z, dim=1) - F.one_hot(y, num_classes=z.shape[1])
    ### END SOLUTION


# %% [markdown] passed="cross_entropy_grad"
# The slope is $p - y$: the probabilities, with 1 subtracted at the label. The exponentials and the logarithm have cancelled each other. A perfect
# prediction is left alone, because there $p = y$.

# %% [markdown]
# Check your derivation against autograd, which differentiates the *mean*:

# %%
grad_ready = ready("cross_entropy_grad")
z = logits.clone().requires_grad_(True)
F.cross_entropy(z, y_true).backward()
slopes = grad_ready(logits, y_true)
assert torch.allclose(z.grad, slopes / len(y_true), atol=1e-7)
print(slopes)
print("rows sum to zero:", torch.allclose(slopes.sum(dim=1), torch.zeros(4), atol=1e-6))

# %% [markdown]
# Now as a map, beside the probabilities:

# %%
# two maps: what the model said, and the slope with respect to each logit
fig, axes = plt.subplots(1, 2)
for ax, values, title in [(axes[0], y_pred, "what the model said"), (axes[1], slopes, "the slope with respect to each logit")]:
    ax.imshow(values.abs(), cmap="Greys", vmin=0.0, vmax=1.2, aspect="auto")
    for n in range(4):
        for c in range(num_classes):
            ink = "white" if values[n, c].abs() > 0.8 else "black"
            ax.text(c, n, f"{values[n, c]:.2f}", ha="center", va="center", color=ink, weight="bold" if c == y_true[n] else "normal")
        ax.add_patch(plt.Rectangle((y_true[n] - 0.46, n - 0.44), 0.92, 0.88, fill=False, edgecolor="#d55e00", linewidth=2.5))
    ax.set(title=title, xlabel="class", ylabel="sample", xticks=range(5), yticks=range(4), yticklabels=range(1, 5))
    ax.grid(False)

show("Two maps of four samples by five classes, shaded the more strongly the larger the number, whatever its sign; the label's cell of each sample is framed. Left, the probabilities: "
     "in each row another cell holds more than the framed one. Right, the slopes: the framed cells hold -1.00, -0.99, -0.98 and -0.67, the others are as on the left.")


# %% [markdown]
# Left, the model's probabilities; the label of each sample is framed. Right, the slopes: strong shading means large, whatever the sign. In the framed cells they are negative, so a training step
# raises those logits; it lowers all others. Sample 1 is pulled with almost full strength, and sample 4, the near miss, more gently.

# %% [markdown]
# ## Exercise: `CrossEntropy`
#
# PyTorch's modules are built once and called many times. Build yours: `CrossEntropy(reduction="sum")` makes the object, `loss_fn(z, y)` calls
# its `forward`. Decide what has to be kept when it is built, and what is known only when it is called. It is called once for every batch, and no batch
# may leave a trace in the next. (How you compute the losses is up to you: you may call your own `cross_entropy`.)

# %% exercise="CrossEntropy"
class CrossEntropy(nn.Module):
    """Cross-entropy as a module.

    forward(z, y): z (N, C) logits, y (N,) int64. 0-d, or (N,) for reduction="none".
    """

    def __init__(self, reduction="mean"):
        super().__init__()
        ### BEGIN SOLUTION
        self.reduction = reduction
        ### END SOLUTION

    def forward(self, z, y):
        ### BEGIN SOLUTION
        losses = -torch.log_softmax(z, dim=1).gather(1, y.unsqueeze(1)).squeeze(1)
        if self.reduction == "none":
            return losses
        return getattr(losses, self.reduction)()
        ### END SOLUTION


# %%
CrossEntropyReady = ready("CrossEntropy")
for reduction in ("mean", "sum"):
    yours = CrossEntropyReady(reduction=reduction)(logits, y_true)
    print(f"{reduction:5} yours {yours:.4f}, nn.CrossEntropyLoss {nn.CrossEntropyLoss(reduction=reduction)(logits, y_true):.4f}")
    assert torch.isclose(yours, nn.CrossEntropyLoss(reduction=reduction)(logits, y_true))

# %% [markdown]
# ## One softmax too many
#
# One mistake with this loss stays silent: a model that ends in a softmax, and then `CrossEntropyLoss`, which contains another. There is no error and no
# warning. Suppose the model is *perfect*, with probability 1 for the right class. What does it pay, with 2 classes and with 10?
# Guess what it pays with 10 (within 0.3 counts as right), then run.

# %%
guess("a_perfect_model_with_two_softmaxes", ..., sure=...)

# %%
for classes in (2, 10):
    perfect = F.one_hot(torch.tensor([0]), classes).double()
    loss = F.cross_entropy(perfect, torch.tensor([0]))
    print(f"{classes:2} classes: {loss:.3f}, by hand {math.log(1 + (classes - 1) / math.e):.3f}")
guessed("a_perfect_model_with_two_softmaxes", loss, within=0.3)

# %% [markdown]
# Such a model cannot do better: its "logits" lie between 0 and 1, so the true class leads each other class by at most 1, and $\log(1 + (C - 1)\, e^{-1})$ is what that
# costs. The slopes shrink, too. For row 1, the disaster:

# %%
z = logits.clone().requires_grad_(True)
for name, loss in [("logits", F.cross_entropy(z, y_true, reduction="none")),
                   ("softmax first", F.cross_entropy(torch.softmax(z, dim=1), y_true, reduction="none"))]:
    (slope,) = torch.autograd.grad(loss.sum(), z)
    print(f"{name:13} loss of row 1 {loss[0]:7.4f}, its largest slope {slope[0].abs().max():.6f}")

# %% [markdown]
# The disaster costs 1.90 instead of 15, and its pull has all but vanished: the slope passes through the Jacobian of the first softmax, and every entry of that is nearly 0 where
# the model is sure, as in lesson 07. Those of the true class even have its tiny probability as a factor.
#
# ## On real digits
#
# Handwritten digits, 8 × 8 pixels, ten classes; 1200 to learn from, the others to test. Train a linear model with your module, and another with a
# softmax before it. First, predict the loss of a model that knows nothing: all its logits are 0.
# Guess it (within 0.1 counts as right), then run.

# %%
guess("loss_of_ten_classes_at_the_start", ..., sure=...)

# %%
digits = load_digits()
X = torch.tensor(digits.data / 16)                     # pixels from 0 to 1, float64
labels = torch.tensor(digits.target)
X_train, y_train, X_test, y_test = X[:1200], labels[:1200], X[1200:], labels[1200:]

loss_fn = CrossEntropyReady()
print(f"all logits 0: {loss_fn(torch.zeros(1200, 10, dtype=torch.float64), y_train):.4f}, and ln 10 = {math.log(10):.4f}")
guessed("loss_of_ten_classes_at_the_start", math.log(10), within=0.1)


# %% [markdown]
# A model that spreads its bets evenly over ten classes pays $\ln 10$, whatever the labels. A new model should start near $\ln C$; if it starts far above, its first scores
# differ so much that it favours some classes before it has seen a sample.

# %%
def train(first=lambda z: z, epochs=200, lr=1.0):
    """Full-batch gradient descent from zeros; `first` is applied to the logits before the loss. The losses, and the guesses on the test set."""
    W, b = torch.zeros(64, 10, dtype=torch.float64, requires_grad=True), torch.zeros(10, dtype=torch.float64, requires_grad=True)
    losses, guesses = [], []
    for _ in range(epochs):
        loss = loss_fn(first(X_train @ W + b), y_train)
        slope_W, slope_b = torch.autograd.grad(loss, (W, b))
        with torch.no_grad():
            guesses.append((X_test @ W + b).argmax(dim=1))
            W -= lr * slope_W
            b -= lr * slope_b
        losses.append(loss.item())
    return losses, torch.stack(guesses)


# %%
# training loss and test accuracy, with and without a softmax before the loss
fig, (left, right) = plt.subplots(1, 2)
for name, first, style in [("logits", lambda z: z, LINE["repaired"]), ("softmax first", lambda z: torch.softmax(z, dim=1), LINE["broken"])]:
    losses, guesses = train(first)
    accuracies = (guesses == y_test).double().mean(dim=1)
    left.plot(losses, **style, label=name)
    right.plot(accuracies, **style, label=name)
    print(f"{name:13} first loss {losses[0]:.2f}, last loss {losses[-1]:.2f}, test accuracy after 20 steps {accuracies[20]:.2f}, after 200 {accuracies[-1]:.2f}")
left.axhline(math.log(1 + 9 / math.e), **LINE["reference"], label="floor with softmax first")
left.set(title="training loss", xlabel="step", ylabel="loss", ylim=(0, 2.5)), right.set(title="test accuracy", xlabel="step", ylabel="share right", ylim=(0, 1))
right.legend(*left.get_legend_handles_labels(), loc="lower right")
show("Two plots against the training step. Left, the loss: with logits it falls from 2.3 to about 0.2; with a softmax first it falls slowly and stays above the "
     "dotted floor at 1.46. Right, the test accuracy: with logits it rises at once and goes on rising; with a softmax first it rises, sinks, and recovers in part.")

# %% [markdown]
# Both losses fall, and both models learn: the mistake does not announce itself. But the dashed curve stays above its floor, the dotted line. A loss that will not fall
# below 1.46 with ten classes is a sign worth remembering. And why does the accuracy sink on the way? Count how often that model says each digit:

# %%
for step in (1, 10, 30, 100, 199):                     # `guesses` is that of the last model, softmax first
    counts = torch.bincount(guesses[step], minlength=10)
    print(f"step {step:3}: accuracy {(guesses[step] == y_test).double().mean():.2f}, eights {counts[8]:2}, nines {counts[9]:2}, zeros {counts[0]:3}")

# %% [markdown]
# It forgets the eights, and for a while the nines, of which there are about sixty each. Through the first softmax, the slope that would raise the score of the true class
# has the probability of that class as a factor. A digit that lags is pulled up less and less: the factor goes to 0 with its probability.
#
# ## Where it is silent, and where it says no
#
# `NLLLoss` has no logarithm in it. Give it probabilities, and predict the sign:

# %%
print(f"probabilities     {F.nll_loss(y_pred, y_true):.4f}")
print(f"log-probabilities {F.nll_loss(torch.log(y_pred), y_true):.4f}")
z = logits.clone().requires_grad_(True)
(slope,) = torch.autograd.grad(F.nll_loss(torch.softmax(z, dim=1), y_true, reduction="sum"), z)
print(f"slopes at the labels, row 1 and row 4: {slope[0, 0]:.1e} and {slope[3, 1]:.2f}")

# %% [markdown]
# A negative loss: the function flips the sign of what it gets, and does not check what that is. Training even goes in the right direction, but the
# disaster of row 1 is hardly corrected.
#
# A model with one output, as in lesson 06: what do softmax, loss and class make of it?

# %%
one = torch.tensor([[-3.0], [0.0], [5.0]], requires_grad=True)
loss = F.cross_entropy(one, torch.tensor([0, 0, 0]))
loss.backward()
print("probabilities", torch.softmax(one, dim=1).detach().flatten())
print("loss         ", abs(loss.item()))
print("gradient     ", one.grad.flatten())
print("argmax       ", one.argmax(dim=1))


# %% [markdown]
# One class always has probability 1, so there is nothing to lose and nothing to learn. (A label of 1 would be refused, as below: the only class is 0.) For one output PyTorch has `BCEWithLogitsLoss`, from lesson 03.
#
# Other mistakes are refused. These are the messages:

# %%
def refused(z, target):
    try:
        print(f"accepted: {F.cross_entropy(z, target):.4f}")
    except (RuntimeError, ValueError, IndexError) as error:
        print(f"{type(error).__name__}: {str(error).splitlines()[0][:95]}")


refused(logits, y_true + 2)                 # a label 5, where the classes are 0 to 4
refused(logits, y_true.float())             # class numbers as floats
refused(logits, y_true.reshape(4, 1))       # (N, 1) instead of (N,)
refused(logits, y_true_one_hot)             # one-hot as integers
refused(logits, y_true_one_hot.float())     # one-hot as floats

# %% [markdown]
# The label out of range is named here. A GPU [works asynchronously](https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution), and reports the same
# mistake as a "device-side assert", possibly far from the line that made it; so run one batch on the CPU first.
#
# The last one was accepted. A float target *of the shape of the logits* is read as probabilities; the shape decides, not your intention. And PyTorch does
# not check that they are probabilities:

# %%
refused(logits, 2 * y_true_one_hot.float())     # rows that sum to 2
refused(logits, logits)                         # not even positive

# %% [markdown]
# The first is twice the right loss; the second is negative. With targets that are distributions a cross-entropy cannot be, since each $-\log p$ is at least 0. So if yours
# falls below zero, look at the targets (or, with `NLLLoss`, at the inputs).
#
# ## In your own words
#
# Two models are tested on the same 1000 photographs, 100 classes. Model A's cross-entropy is 4.6, model B's is 7.9, and yet B has more of them right.
# What does A probably do, and what does B? Which of the two would you rather repair, and how would you begin?

# %% [markdown] question="worse_than_guessing" points=2
# 4.6 is ln 100: A probably spreads its bets evenly and knows nothing. A cross-entropy above ln C says that the true class got less than 1/C, on (geometric) average.
# That need not come from being sure: 0.009 for every true class costs 4.71. But a right guess costs at most ln 100, since the largest of 100 probabilities is at least 0.01; so B's misses cost more than 7.9 on average, that is less than 0.0004 for the true class.
# Most likely B is sure and wrong there. It has learned something and is overconfident: look at the scale of its logits, at overfitting, at wrong labels among its most expensive samples; dividing
# its logits by a suitable temperature lowers its loss without changing one guess. A has not learned anything yet: is its gradient zero, is there a second softmax?

# %% [markdown]
# ## Recap
#
# - You built cross-entropy from a recipe (choose a distribution, let the model give its parameter, minimise the negative log-likelihood), with one-hot labels and with
#   class numbers, moved it to logits so that it survives 1000, and derived its slope.
# - PyTorch calls it `nn.CrossEntropyLoss` and `F.cross_entropy`; its second half is `nn.NLLLoss` and `F.nll_loss`.
# - Three mistakes people make with it: they put a softmax before it, and stay above a floor; they give `NLLLoss` probabilities, and get a negative loss;
#   they pass targets whose shape or dtype says something else than they mean.
#
# **Before:** `07_log_softmax`, the step from logits to log-probabilities. **Next:** `09_cross_entropy_options`. What should this loss do with a label that is rare,
# doubtful, or missing?
#
# **Read on:** PyTorch's page of
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html); Goodfellow, Bengio and Courville,
# [*Deep Learning*](https://www.deeplearningbook.org/contents/mlp.html), section 6.2.2; Shannon,
# [*A Mathematical Theory of Communication*](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x), 1948.
