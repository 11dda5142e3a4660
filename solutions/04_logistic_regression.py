# %% [markdown]
# # Where do the scores come from?
#
# For three lessons most scores fell from the sky: −0.1, 2.0, 3.0, 0.5. You know what a wrong one costs, and how hard the loss pulls at it.
# **What does it pull at?** At the weights of a model. In this lesson you build one of the smallest models there are, train it with your own
# loss and your own slope, and watch it walk downhill.
#
# It is called logistic regression, and it is the recipe of `02_bce` to the letter: the distribution is Bernoulli, a weighted sum of features gives its parameter, and the negative log-likelihood is minimised.
# In PyTorch it is `nn.Linear`, `nn.BCEWithLogitsLoss` and `torch.optim.SGD`. You need `03_bce_with_logits`, matrix products, and the chain rule. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, make_moons
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import CLASS, LINE, interact, show

X4 = torch.tensor([[1.0, 2.0], [0.5, -1.0], [-1.5, 0.0], [2.0, 1.0]], dtype=torch.float64)   # 4 samples, 2 features
y4 = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
w2, b0 = torch.tensor([0.5, -1.0], dtype=torch.float64), torch.tensor(0.25, dtype=torch.float64)

# %% [markdown]
# ## A score is a weighted sum
#
# A sample has D features $x_1, \dots, x_D$. The model has a weight for each of them, and one more number, the bias:
#
# $$ z = w_1 x_1 + \dots + w_D x_D + b $$
#
# By hand, for the first two of the four samples above, with $w = (0.5, -1.0)$ and $b = 0.25$:

# %%
print("sample 1:", 0.5 * 1.0 + (-1.0) * 2.0 + 0.25)
print("sample 2:", 0.5 * 0.5 + (-1.0) * (-1.0) + 0.25)

# %% [markdown]
# ## Exercise: `linear`
#
# Write the scores of all samples at once. `X` has a row for each sample and a column for each feature. Decide along which of the two the sum
# runs, and what shape is left.

# %% exercise="linear"
def linear(X, w, b):
    """Scores.

    X: floats (N, D). w: (D,). b: 0-d. Returns (N,).
    """
    ### BEGIN SOLUTION
    return X @ w + b
    ### END SOLUTION

# %%
compare("linear", X4, w2, b0)

# %% [markdown]
# ## Before any training
#
# With all weights 0 and a bias of 0 every score is 0, and every probability one half. What is the mean loss, and does it depend on the data? Guess the number (within 0.02 counts as right), then run.

# %%
guess("loss_before_training", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
linear_ready = ready("linear")
points, group = make_moons(200, noise=0.2, random_state=0)
moons, label = torch.tensor(points), torch.tensor(group, dtype=torch.float64)
cancer = load_breast_cancer()
patients, benign = torch.tensor(cancer.data), torch.tensor(cancer.target, dtype=torch.float64)

for name, X, y in [("4 samples", X4, y4), ("moons", moons, label), ("breast cancer", patients, benign)]:
    z = linear_ready(X, torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype))
    print(f"{name:13} {F.binary_cross_entropy_with_logits(z, y):.4f}")
print(f"ln 2          {math.log(2):.4f}")
guessed("loss_before_training", math.log(2), within=0.02)

# %% [markdown]
# $-\log \frac12 = \ln 2$, whatever the data and the labels. That makes it a very cheap test of a training program: run it before the
# first step. See what some broken programs print instead:

# %%
z, y = torch.zeros(200, dtype=torch.float64), label
print(f"right                 {F.binary_cross_entropy_with_logits(z, y):.4f}")
print(f"sum instead of mean   {F.binary_cross_entropy_with_logits(z, y, reduction='sum'):.4f}")
print(f"two sigmoids          {F.binary_cross_entropy_with_logits(torch.sigmoid(z), y):.4f}")
print(f"logarithm to base 2   {F.binary_cross_entropy_with_logits(z, y) / math.log(2):.4f}")
print(f"squared error         {((torch.sigmoid(z) - y) ** 2).mean():.4f}")

# %% [markdown]
# None of these lines raises an error, and in each broken one the first loss alone tells that something is wrong.
#
# ## From the slope of a score to the slope of a weight
#
# You know the slope of one sample's loss with respect to its score: $\sigma(z) - y$. And the score moves with a weight as fast as the feature says:
# $\frac{\partial z}{\partial w_j} = x_j$, $\frac{\partial z}{\partial b} = 1$. By the chain rule
#
# $$ \frac{\partial \ell}{\partial w_j} = (\sigma(z) - y)\,x_j \qquad\qquad \frac{\partial \ell}{\partial b} = \sigma(z) - y $$
#
# By hand for sample 1, whose score is −1.25 and whose label is 0:

# %%
error = 1 / (1 + math.exp(1.25)) - 0
print(f"slope with respect to the score  {error:.4f}")
print(f"slope with respect to w_1        {error * 1.0:.4f}")
print(f"slope with respect to w_2        {error * 2.0:.4f}")

# %% [markdown]
# Now a second sample, and the mean of the two. Sample 2 has the score 1.5 and the label 1:

# %%
error_2 = 1 / (1 + math.exp(-1.5)) - 1
print(f"slope with respect to the score  {error_2:.4f}")
print(f"mean slope with respect to w_1   {(error * 1.0 + error_2 * 0.5) / 2:.4f}")
print(f"mean slope with respect to w_2   {(error * 2.0 + error_2 * (-1.0)) / 2:.4f}")
print(f"mean slope with respect to b     {(error + error_2) / 2:.4f}")

# %% [markdown]
# ## Exercise: `loss_and_grad`
#
# Write, for all samples at once: the mean loss, its slope with respect to every weight, and its slope with respect to the bias. You have done two samples and two weights by
# hand; decide how one product does it for N and D. Loss and slope of a score are those that you built in `03_bce_with_logits`; `F.softplus` and
# `F.binary_cross_entropy_with_logits` may replace them. Scores of ±1000 come up, too. Autograd stays out.

# %% exercise="loss_and_grad"
def loss_and_grad(X, y, w, b):
    """Mean loss and its slopes.

    X: (N, D). y: (N,). w: (D,). b: 0-d.
    Returns the tuple (loss, grad_w, grad_b): 0-d, (D,), 0-d.
    """
    ### BEGIN SOLUTION
    z = linear(X, w, b)
    loss = (F.softplus(z) - y * z).mean()  # bce_with_logits of lesson 03
    error = (torch.sigmoid(z) - y) / len(y)  # its slope, and the 1/N of the mean
    return loss, X.T @ error, error.sum()
    ### END SOLUTION

# %% [markdown]
# Checked against autograd:

# %%
loss, grad_w, grad_b = ready("loss_and_grad")(X4, y4, w2, b0)
w, b = w2.clone().requires_grad_(True), b0.clone().requires_grad_(True)
by_autograd = torch.autograd.grad(F.binary_cross_entropy_with_logits(linear_ready(X4, w, b), y4), [w, b])
print(f"loss       {loss:.4f}")
print("yours     ", grad_w, f"{grad_b:.4f}")
print("autograd  ", by_autograd[0], f"{by_autograd[1]:.4f}")

# %% [markdown]
# ## The landscape
#
# One feature, one weight, one bias: then the loss is a surface over a plane, and can be drawn. The feature is the mean radius of a patient's
# cell nuclei, shifted and scaled to mean 0 and standard deviation 1.

# %%
radius = (patients[:, :1] - patients[:, 0].mean()) / patients[:, 0].std()      # (569, 1)
w_axis, b_axis = torch.linspace(-16, 4, 201, dtype=torch.float64), torch.linspace(-5, 12, 171, dtype=torch.float64)
surface = torch.stack([F.softplus(w * radius + b_axis).sub(benign[:, None] * (w * radius + b_axis)).mean(dim=0) for w in w_axis], dim=1)

lowest = (surface == surface.min()).nonzero()[0]
print(f"lowest point of the grid: w = {w_axis[lowest[1]]:.1f}, b = {b_axis[lowest[0]]:.1f}, loss {surface.min():.2f}")

# %% [markdown]
# A grid finds the lowest point of two parameters with 201 times 171 trials. With 30 weights and a bias, 200 values for each would be $200^{31}$ trials. A slope needs no grid: it says at any
# point which way is down.
#
# ## Exercise: `train`
#
# **Gradient descent** (Augustin-Louis Cauchy proposed it in 1847): start with all weights and the bias at 0; in each epoch compute loss and slopes on all samples, and take one step downhill,
# `lr` times the slope. Return the final `w` and `b`, and the losses, one for each step. Decide the order of what happens in an epoch, so that the
# first loss is ln 2.

# %% exercise="train"
def train(X, y, lr=0.1, epochs=100):
    """Gradient descent from zeros.

    X: (N, D). y: (N,).
    Returns (w, b, losses): (D,), 0-d, and `epochs` numbers, each before its step.
    """
    ### BEGIN SOLUTION
    w, b = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype)
    losses = []
    for _ in range(epochs):
        loss, grad_w, grad_b = loss_and_grad(X, y, w, b)
        losses.append(loss.item())
        w = w - lr * grad_w
        b = b - lr * grad_b
    return w, b, losses
    ### END SOLUTION

# %%
def fit(X, y, lr, epochs):
    w, b, losses = train_ready(X, y, lr=lr, epochs=epochs)
    return w.detach(), b.detach(), [float(value) for value in losses]      # plain numbers, to print and draw


train_ready = ready("train")
w, b, losses = fit(radius, benign, lr=1.0, epochs=200)
print(f"first loss {losses[0]:.4f}")
print(f"last loss  {losses[-1]:.2f} at w = {w[0]:.1f}, b = {b:.1f}")

# %% [markdown]
# It starts at ln 2 and ends, after 200 steps, at the grid's lowest point.
#
# ## The path
#
# How large should a step be? In the picture the round marks are a learning rate of 1. The squares are the learning rate of the slider below it, with the first five steps numbered; the cross is the lowest
# point. What will a learning rate of 40 do, on the surface and to the loss?

# %%
def path(lr, epochs=40):
    stops = [fit(radius, benign, lr, n) for n in range(1, epochs)]
    return torch.tensor([[0.0, 0.0]] + [[w[0].item(), b.item()] for w, b, _ in stops]), stops[-1][2]

# %%
# two paths on the loss surface, and the loss of each step; the slider sets one learning rate
def walk(lr):
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    lines = left.contour(w_axis, b_axis, surface, levels=[0.3, 0.35, 0.45, 0.6, 0.8, 1.1, 1.5, 2, 3], colors="0.55", linewidths=1)
    left.clabel(lines, fontsize=8), left.plot(w_axis[lowest[1]], b_axis[lowest[0]], "kx", markersize=12, markeredgewidth=3)
    for name, rate, marker in [("repaired", 1.0, "o"), ("broken", lr, "s")]:
        stops, losses = path(rate)
        left.plot(*stops[:6].T, **LINE[name] | {"linewidth": 1.5}, marker=marker, markersize=5), left.plot(*stops[5:].T, **LINE[name] | {"linewidth": 0.4})
        right.plot(losses, **LINE[name], label=f"learning rate {rate:g}")
        for n in range(1, 6) if name == "broken" else ():
            left.annotate(n, stops[n], xytext=(5, 5), textcoords="offset points", weight="bold", annotation_clip=True)
    left.set(title="loss surface, and two paths on it", xlabel="weight w", ylabel="bias b", xlim=(-16, 4), ylim=(-5, 12), xticks=range(-15, 5, 5))
    right.axhline(math.log(2), **LINE["reference"], label="ln 2"), right.legend(loc="upper right")
    right.set(title="loss of each step", xlabel="step", ylabel="mean loss", ylim=(0.2, 2.4))
    return f"Left, contour lines of the loss over weight and bias, a valley with its lowest point, a cross, near w = -3.6, b = 0.6. From (0, 0) a path with learning rate 1 walks into it in small steps; one with learning rate {lr:g} takes its own. Right, the loss of each step of both: with learning rate 1 it falls smoothly from ln 2; with {lr:g} it is {max(losses):.2f} at its highest and {losses[-1]:.2f} in the end."


interact(walk, lr=(1.0, 45.0, 1.0, 40.0))

# %% [markdown]
# With 40 the first step flies far past the valley, the next ones come back along it, and at the bottom the path is thrown out to the sides. Its loss falls, rests for a while and looks finished; then it shoots up above ln 2, and
# again. A loss that has been low is no proof that the steps are small enough.
#
# ## How large is too large?
#
# There is no need to know beforehand: double the learning rate until the loss rises. How far one gets depends on the features. Here are the same patients three times, each with the first learning rate at which the loss rises
# within 100 steps.

# %%
standardised = (patients - patients.mean(dim=0)) / patients.std(dim=0)


def first_rate_that_rises(X, lr):
    while True:
        losses = torch.tensor(fit(X, benign, lr, 100)[2])
        if (losses.diff() > 0).any():
            return lr
        lr = 2 * lr


for name, X, lr in [("radius, standardised", radius, 0.01), ("30 features, standardised", standardised, 0.01), ("30 features, as they are", patients, 1e-8)]:
    print(f"{name:26} {first_rate_that_rises(X, lr):.2g}")
print(f"mean area {patients[:, 3].mean():.0f}, mean smoothness {patients[:, 4].mean():.2f}")

# %% [markdown]
# As they come, an area is thousands of times as large as a smoothness (last line). One learning rate has to fit them all, and the largest feature
# dictates it.

# %% [markdown] fold="The rate below which every step goes down, from an eigenvalue"
# A step is sure to go down as long as the surface does not curve up faster than the step assumes. For this loss no direction curves more than a quarter of
# the largest eigenvalue of $A^\top A / N$, where $A$ is $X$ with a column of ones for the bias (Boyd and Vandenberghe, section 9.3). Below 2 divided by that, every step goes down. It is a guarantee, not the edge: the rates above are
# larger, since the surface curves less where the model is sure.

# %% fold="The same bound, computed"
# the same bound, computed
for name, X in [("radius, standardised", radius), ("30 features, standardised", standardised), ("30 features, as they are", patients)]:
    A = torch.cat([X, torch.ones_like(X[:, :1])], dim=1)
    print(f"{name:26} {2 / (torch.linalg.eigvalsh(A.T @ A / len(A)).max() / 4).item():.2g}")

# %% [markdown]
# Now the default of 0.1, which is ten thousand times too large for the features as they are. Predict what it does to them:

# %%
for name, X in [("as they are", patients), ("standardised", standardised)]:
    w, b, losses = fit(X, benign, lr=0.1, epochs=2000)
    right = ((linear_ready(X, w, b) > 0) == (benign == 1)).double().mean()
    print(f"{name:13} first losses", *(f"{value:9.2f}" for value in losses[:5]), f"   after 2000 steps {'above 100' if losses[-1] > 100 else f'{losses[-1]:.2f}'}, right {right:.2f}")

# %% [markdown]
# The first row jumps from ln 2 to thousands and swings. It does not explode as the squared error of a linear model would, for no sample pulls at its score harder than 1, so that each step moves the weights by a bounded amount. It even crawls back: after 2000
# steps most patients are right, and still the loss is above 100, because most of those that are wrong are wrong by a thousand and more. The second row is the repair: standardise, and the same learning rate works.
#
# ## How many are right?
#
# The loss is for the training; people ask for the share of right decisions.
#
# ## Exercise: `accuracy`
#
# A warm-up: write that share, from the *scores*. You know from `01_sigmoid` which score is a probability of one half; decide how a decision is compared with a label.

# %% exercise="accuracy"
def accuracy(z, y):
    """Share of right decisions.

    z: scores (N,). y: 0 or 1, (N,). Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return ((z > 0) == (y == 1)).to(z.dtype).mean()
    ### END SOLUTION

# %%
accuracy_ready = ready("accuracy")
compare("accuracy", torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64), y4)

# %% [markdown]
# The four scores of the earlier lessons: three are right, and the last says class 1 where the label is 0.
#
# ## Two moons
#
# The moons are two groups of points that reach into each other. The model decides by the sign of $w_1 x_1 + w_2 x_2 + b$, so its **decision boundary**, where
# the score is 0, is a straight line. Does it have to be? The model is linear in its *weights*; you may choose the features. The next cell
# makes nine out of two.

# %%
def cubic(X):
    a, b = X[:, 0], X[:, 1]
    return torch.stack([a, b, a**2, a * b, b**2, a**3, a**2 * b, a * b**2, b**3], dim=1)


models = {}
for name, features in [("two features", lambda X: X), ("nine features", cubic)]:
    w, b, losses = fit(features(moons), label, lr=1.0, epochs=2000)
    models[name] = features, w, b
    print(f"{name:13}  loss {losses[0]:.4f} -> {losses[-1]:.2f}   right {accuracy_ready(linear_ready(features(moons), w, b), label):.2f}")

# %%
# the moons and the two decision boundaries
across, up = torch.meshgrid(torch.linspace(-1.6, 2.6, 160, dtype=torch.float64), torch.linspace(-1.2, 1.7, 120, dtype=torch.float64), indexing="xy")
grid = torch.stack([across.flatten(), up.flatten()], dim=1)
fig, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for panel, (name, (features, w, b)) in zip(panels, models.items()):
    z = linear_ready(features(grid), w, b).reshape(across.shape)
    panel.contourf(across, up, torch.sigmoid(z), levels=[0, 0.1, 0.5, 0.9, 1], cmap="Greys", alpha=0.35)
    panel.contour(across, up, z, levels=[0], colors="black", linewidths=2)
    for k in (0, 1):
        panel.plot(*moons[label == k].T, linestyle="", **CLASS[k], markersize=4, label=f"class {k}")
    panel.set(title=name, xlabel="feature 1")
panels[0].set_ylabel("feature 2")
panels[0].legend(loc="lower left", ncols=2)
show("Two scatter plots of the moons, with the decision boundary where the score is 0 and shading by probability. Left, with two features: a straight line that "
     "cuts off the tips of both moons. Right, with nine features: a curve that winds between the moons.")

# %% [markdown]
# The black line is where the score is 0; the grey tones change at probabilities 0.1, 0.5 and 0.9. Left, the straight line cuts off the tips of both moons. Right, the
# same training with curved features winds between them, with a narrower band of doubt.
#
# ## Real patients
#
# All 30 measurements. Every fourth patient is kept for testing. Mean and standard deviation come from the training patients only: the test patients must not
# leak into the training.

# %%
held_out = torch.arange(len(patients)) % 4 == 0
mean, std = patients[~held_out].mean(dim=0), patients[~held_out].std(dim=0)
X_train, X_test = (patients[~held_out] - mean) / std, (patients[held_out] - mean) / std
y_train, y_test = benign[~held_out], benign[held_out]

w, b, losses = fit(X_train, y_train, lr=0.5, epochs=300)
print(f"loss            {losses[0]:.4f} -> {losses[-1]:.2f}")
print(f"right, training {accuracy_ready(linear_ready(X_train, w, b), y_train):.2f}")
print(f"right, testing  {accuracy_ready(linear_ready(X_test, w, b), y_test):.2f}")
print(f"always benign   {y_test.mean():.2f}")

# %% [markdown]
# Thirty weights and a bias, trained by three functions of your own. The last line is what a model that knows nothing reaches; print it beside every accuracy.
#
# ## What PyTorch calls it
#
# The same, from PyTorch's parts. `nn.Linear` holds weights and bias, the loss is a module, and the optimiser takes the steps. (A layer with one output returns a column, (N, 1): remember `00_tools`. That is what the
# `squeeze(1)` is for.)

# %%
model, loss_fn = nn.Linear(30, 1, dtype=torch.float64), nn.BCEWithLogitsLoss()
nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)        # it starts at random values otherwise
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for _ in range(300):
    optimizer.zero_grad()                       # slopes add up unless they are cleared
    loss = loss_fn(model(X_train).squeeze(1), y_train)
    loss.backward()                             # the slopes of all weights
    optimizer.step()                            # one step downhill

assert torch.allclose(model.weight.detach()[0], w) and torch.allclose(model.bias.detach()[0], b)
assert torch.allclose(F.linear(X_test, model.weight, model.bias).squeeze(1), linear_ready(X_test, w, b))
print("same weights and bias as yours, all 31; F.linear gives the same scores")

# %% [markdown]
# ## A step from a few samples
#
# So far each step looked at all 426 patients. The S in SGD stands for *stochastic* (Robbins and Monro, 1951): estimate the slope from a few samples, a **mini-batch**, and step at once. An **epoch** is one pass over all samples,
# in a new random order each time. Same learning rate, same number of passes: what do you gain, and what do you lose?

# %%
def run(X, y, lr, epochs, size, weight_decay=0.0):
    model, generator, history = nn.Linear(30, 1, dtype=torch.float64), torch.Generator().manual_seed(0), []
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay)
    for _epoch in range(epochs):
        with torch.no_grad():
            z, z_test = model(X).squeeze(1), model(X_test).squeeze(1)
            history.append([loss_fn(z, y), loss_fn(z_test, y_test), model.weight.norm(), accuracy_ready(z_test, y_test)])
        for rows in torch.randperm(len(X), generator=generator).split(size):
            optimizer.zero_grad()
            loss_fn(model(X[rows]).squeeze(1), y[rows]).backward()
            optimizer.step()
    return torch.tensor(history)

# %%
# training loss against the number of passes, for three batch sizes
for size, style in [(426, LINE["stable"]), (32, LINE["clamped"]), (4, LINE["naive"] | {"linewidth": 1})]:
    history = run(X_train, y_train, lr=0.5, epochs=20, size=size)
    plt.plot(history[:, 0], **style, label=f"batches of {size}")
    print(f"batches of {size:3}: {math.ceil(426 / size):3} steps a pass, loss after 1 pass {history[1, 0]:.2f}, after 5 {history[5, 0]:.2f}")
plt.xlabel("passes over the training patients"), plt.ylabel("mean loss"), plt.title("learning rate 0.5"), plt.ylim(0, 0.4), plt.xticks(range(0, 20, 5))
plt.legend()
show("Training loss against the number of passes for batches of 426, 32 and 4. The full batch falls slowly and smoothly, batches of 32 fall much faster, batches of 4 fall fastest at first and then "
     "go up and down.")

# %% [markdown]
# Fourteen steps a pass get further than one, for the same number of looks at a patient. The price is noise: with batches of 4 the loss goes up and down and does not settle. Why not smaller batches and a smaller learning rate? Try it. (A program that
# reports the mean loss of an epoch needs `batch_mean` of `00_tools`: the last batch is shorter.)
#
# ## Too few patients
#
# What if there were 22 training patients and not 426? Thirty weights and a bias can then put every one of them on the right side: the data are **separable**. Predict: where does the training loss go, where do the weights go, and
# what does the loss of the test patients do?

# %%
few = torch.arange(1, 426, 20)
X_few, y_few = X_train[few], y_train[few]
runs = {"as it is": run(X_few, y_few, lr=0.5, epochs=1001, size=22), "weight decay 0.03": run(X_few, y_few, lr=0.5, epochs=1001, size=22, weight_decay=0.03)}
for name, history in runs.items():
    for epoch in (10, 100, 1000):
        loss, loss_test, norm, right_test = history[epoch].tolist()
        print(f"{name:17} epoch {epoch:4}: training loss {loss:.4f}   test loss {loss_test:.2f}   length of w {norm:.2f}   right, testing {right_test:.2f}")

# %% [markdown]
# On separable data the loss has no lowest point: if some weights and a bias separate the patients, twice those numbers do too, with twice the scores and a smaller loss. So the weights grow without end, and
# what the model gets wrong on patients it has not seen, it gets ever more surely wrong: the test loss rises. That is **overfitting**. (How strong it is depends on the few patients: with a 0 instead of the 1 in
# `torch.arange(1, …)` the test loss hardly rises.)

# %%
# training and test loss, and the length of the weights, with and without weight decay
fig, (left, right) = plt.subplots(1, 2)
for (name, history), style in zip(runs.items(), (LINE["broken"], LINE["repaired"])):
    epochs = range(1, len(history) + 1)
    left.semilogx(epochs, history[:, 1], **style, label=f"test, {name}")
    left.semilogx(epochs, history[:, 0], **style | {"linewidth": 1, "alpha": 0.6}, label=f"training, {name}")
    right.semilogx(epochs, history[:, 2], **style, label=name)
left.set(title="mean loss: 22 patients", xlabel="epoch", ylabel="loss", ylim=(0, 0.75))
right.set(title="length of the weights", xlabel="epoch", ylabel="|w|")
left.legend(fontsize=8)
show("Two plots against the epoch, logarithmic. Left: without weight decay the training loss falls towards 0 while the test loss falls first and then rises; with it both level off. Right: without it the "
     "length of the weights keeps growing, with it it stays below 2.")

# %% [markdown]
# **Weight decay** makes long weights expensive: in each step `SGD` adds `weight_decay` times each parameter, the bias included, to its slope. Now there is a lowest point, and the test loss stays down. Fewer epochs would have helped, too: the test loss was lower at epoch 100. (Where to stop, and how much to
# decay, has to be chosen on a third group of patients: those who chose are no test any more.)
#
# ## In your own words
#
# A classmate's training prints a first loss of 0.9, falls to 0.6, and classifies well. Nothing has crashed. Should anybody worry? Name two things that could make the
# first loss differ from ln 2, say for each how you would find out, and whether it does harm.

# %% [markdown] question="first_loss" points=2
# At least look: with zero weights the first loss must be ln 2, about 0.69. Harmless: the weights start at random values (`nn.Linear` does), so the scores are not 0; set them to
# zero once and look again. Harmful: two sigmoids, which put a floor under the loss. A sum in place of the mean, or another base of the logarithm, acts like another learning rate. In these three cases the loss with zero weights is, as a rule, still not ln 2. Also
# possible: the loss is printed after the first step, or the step was large. A falling loss and a good accuracy exclude none of these. (The test is not perfect: labels of −1 and 1, or
# an (N, 1) against (N,), give ln 2 at zero weights all the same. For those, look at the labels and print the shapes.)

# %% [markdown]
# ## Recap
#
# - You built a linear model, the slopes of its loss, gradient descent, and accuracy: logistic regression. You saw mini-batches, overfitting, and weight decay.
# - PyTorch calls the parts `nn.Linear` and `F.linear`, `nn.BCEWithLogitsLoss`, `loss.backward()` and `torch.optim.SGD`.
# - Three mistakes people make with it: they do not look at the first loss; they train on features of very different sizes with one learning rate; they watch
#   the training loss only, which on few samples falls while the model gets worse.
#
# **Before:** `03_bce_with_logits`, the loss and its slope. **Next:** `05_imbalance`: 95 of 100 labels are the same. What is an accuracy of 95 per cent worth?
#
# **Read on:** PyTorch's pages of [`Linear`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html) and
# [`SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html); Bishop, *Pattern Recognition and Machine Learning*, section 4.3.2; Boyd and
# Vandenberghe, [*Convex Optimization*](https://web.stanford.edu/~boyd/cvxbook/), section 9.3, on step sizes.
