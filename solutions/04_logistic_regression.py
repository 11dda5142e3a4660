# %% [markdown]
# # Where do the scores come from?
#
# For three lessons scores fell from the sky: −0.1, 2.0, 3.0, 0.5. You know what a wrong one costs, and how hard the loss pulls at it.
# **What does it pull at?** At the weights of a model. In this lesson you build the smallest model there is, train it with your own loss and
# your own slope, and watch it walk downhill.
#
# It is called logistic regression. In PyTorch it is `nn.Linear`, `nn.BCEWithLogitsLoss` and `torch.optim.SGD`. The loss you have; here you write the rest.
# You need `03_bce_with_logits`, matrix products, and the chain rule. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, make_moons
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import CLASS, LINE, show

X4 = torch.tensor([[1.0, 2.0], [0.5, -1.0], [-1.5, 0.0], [2.0, 1.0]], dtype=torch.float64)   # 4 samples, 2 features
y4 = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
w2, b0 = torch.tensor([0.5, -1.0], dtype=torch.float64), torch.tensor(0.25, dtype=torch.float64)

# %% [markdown]
# ## A score is a weighted sum
#
# A sample has D features $x_1, \dots, x_D$. The model has a weight for each of them, and one number more, the bias:
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
    """Scores. `X`: floats (N, D); `w`: (D,); `b`: 0-d. Returns (N,)."""
    ### BEGIN SOLUTION
    return X @ w + b
    ### END SOLUTION

# %%
compare("linear", X4, w2, b0)

# %% [markdown]
# ## Before any training
#
# With all weights 0 and a bias of 0 every score is 0, and every probability one half. Predict the mean loss: does it depend on the data?

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

# %% [markdown]
# $-\log \frac12 = \ln 2$, whatever the data and the labels. That makes it the cheapest test of a training program there is: run it before the
# first step. See what some broken programs print instead:

# %%
z, y = torch.zeros(200, dtype=torch.float64), label
print(f"right                 {F.binary_cross_entropy_with_logits(z, y):.4f}")
print(f"sum instead of mean   {F.binary_cross_entropy_with_logits(z, y, reduction='sum'):.4f}")
print(f"two sigmoids          {F.binary_cross_entropy_with_logits(torch.sigmoid(z), y):.4f}")
print(f"logarithm to base 2   {F.binary_cross_entropy_with_logits(z, y) / math.log(2):.4f}")
print(f"squared error         {((torch.sigmoid(z) - y) ** 2).mean():.4f}")

# %% [markdown]
# Each of these would train somehow, with a falling loss. The first number alone tells that something is wrong.
#
# ## From the slope of a score to the slope of a weight
#
# You know the slope of one sample's loss by its score: $\sigma(z) - y$. And the score moves with a weight as fast as the feature says:
# $\frac{\partial z}{\partial w_j} = x_j$, $\frac{\partial z}{\partial b} = 1$. By the chain rule
#
# $$ \frac{\partial \ell}{\partial w_j} = (\sigma(z) - y)\,x_j \qquad\qquad \frac{\partial \ell}{\partial b} = \sigma(z) - y $$
#
# By hand for sample 1, whose score is −1.25 and whose label is 0:

# %%
error = 1 / (1 + math.exp(1.25)) - 0
print(f"slope by the score  {error:.4f}")
print(f"slope by w_1        {error * 1.0:.4f}")
print(f"slope by w_2        {error * 2.0:.4f}")

# %% [markdown]
# Now a second sample, and the mean of the two. Sample 2 has the score 1.5 and the label 1:

# %%
error_2 = 1 / (1 + math.exp(-1.5)) - 1
print(f"slope by the score  {error_2:.4f}")
print(f"mean slope by w_1   {(error * 1.0 + error_2 * 0.5) / 2:.4f}")
print(f"mean slope by w_2   {(error * 2.0 + error_2 * (-1.0)) / 2:.4f}")
print(f"mean slope by b     {(error + error_2) / 2:.4f}")

# %% [markdown]
# ## Exercise: `loss_and_grad`
#
# Write, for all samples at once: the mean loss, its slope by every weight, and its slope by the bias. You have done two samples and two weights by
# hand; decide how one product does it for N and D. Loss and slope of a score are those that you built in `03_bce_with_logits`; `F.softplus` and
# `F.binary_cross_entropy_with_logits` may stand in for them. Scores of ±1000 come up, too. Autograd stays out.

# %% exercise="loss_and_grad"
def loss_and_grad(X, y, w, b):
    """Mean loss and its slopes. `X`: (N, D); `y`: (N,); `w`: (D,); `b`: 0-d. Returns the tuple (loss, grad_w, grad_b): 0-d, (D,), 0-d."""
    ### BEGIN SOLUTION
    z = linear(X, w, b)
    loss = (F.softplus(z) - y * z).mean()       # bce_with_logits of lesson 03
    error = (torch.sigmoid(z) - y) / len(y)     # bce_with_logits_grad, and the 1/N of the mean
    return loss, X.T @ error, error.sum()
    ### END SOLUTION

# %% [markdown]
# Checked against autograd:

# %%
loss, grad_w, grad_b = ready("loss_and_grad")(X4, y4, w2, b0)
w, b = w2.clone().requires_grad_(True), b0.clone().requires_grad_(True)
F.binary_cross_entropy_with_logits(linear_ready(X4, w, b), y4).backward()
print(f"loss       {loss:.4f}")
print("yours     ", grad_w, f"{grad_b:.4f}")
print("autograd  ", w.grad, f"{b.grad:.4f}")

# %% [markdown]
# ## The landscape
#
# One feature, one weight, one bias: then the loss is a surface over a plane, and can be drawn. The feature is the mean radius of a patient's
# cells, shifted and scaled to mean 0 and standard deviation 1.

# %%
radius = (patients[:, :1] - patients[:, 0].mean()) / patients[:, 0].std()      # (569, 1)
w_axis, b_axis = torch.linspace(-16, 4, 201, dtype=torch.float64), torch.linspace(-5, 12, 171, dtype=torch.float64)
surface = torch.stack([F.softplus(w * radius + b_axis).sub(benign[:, None] * (w * radius + b_axis)).mean(dim=0) for w in w_axis], dim=1)

lowest = (surface == surface.min()).nonzero()[0]
print(f"lowest point of the grid: w = {w_axis[lowest[1]]:.1f}, b = {b_axis[lowest[0]]:.1f}, loss {surface.min():.2f}")

# %% [markdown]
# A grid finds the lowest point of two parameters with 201 times 171 trials. With 30 features that is hopeless. A slope needs no grid: it says at any
# point which way is down.
#
# ## Exercise: `train`
#
# **Gradient descent**: start with all weights and the bias at 0; in each epoch compute loss and slopes on all samples, and take one step downhill,
# `lr` times the slope. Return the final `w` and `b`, and the losses, one for each step. Decide the order of what happens in an epoch, so that the
# first loss is ln 2.

# %% exercise="train"
def train(X, y, lr=0.1, epochs=100):
    """Gradient descent from zeros. `X`: (N, D); `y`: (N,). Returns (w, b, losses): (D,), 0-d, and `epochs` numbers, each before its step."""
    ### BEGIN SOLUTION
    w, b, losses = torch.zeros(X.shape[1], dtype=X.dtype), torch.zeros((), dtype=X.dtype), []
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
# It starts at ln 2 and ends where the grid's lowest point was, after 200 steps.
#
# ## The path
#
# How large should a step be? Before you run the next cell: what will a learning rate of 40 do, on the surface and to the loss?

# %%
def path(lr, epochs=40):
    stops = [fit(radius, benign, lr, n) for n in range(1, epochs)]
    return torch.tensor([[0.0, 0.0]] + [[w[0].item(), b.item()] for w, b, _ in stops]), stops[-1][2]

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
lines = left.contour(w_axis, b_axis, surface, levels=[0.3, 0.35, 0.45, 0.6, 0.8, 1.1, 1.5, 2, 3], colors="0.6", linewidths=1)
left.clabel(lines, fontsize=8)
for name, lr, marker in [("repaired", 1.0, "o"), ("broken", 40.0, "s")]:
    stops, losses = path(lr)
    left.plot(stops[:, 0], stops[:, 1], **LINE[name] | {"linewidth": 1.2}, marker=marker, markersize=4)
    right.plot(losses, **LINE[name], label=f"learning rate {lr:g}")
left.plot(0, 0, "*", color="black", markersize=13)
left.set(title="loss surface, and two paths on it", xlabel="weight w", ylabel="bias b", xlim=(-16, 4), ylim=(-5, 12))
right.axhline(math.log(2), **LINE["reference"], label="ln 2")
right.set(title="loss of each step", xlabel="step", ylabel="mean loss", ylim=(0.2, 1.75))
right.legend(loc="upper left")
show("Left, contour lines of the loss over weight and bias, a valley with its lowest point near w = -3.6, b = 0.6. From a star at (0, 0) a path with learning "
     "rate 1 walks into the valley in small steps; one with learning rate 40 overshoots it widely, comes back, and is thrown out again. Right, the loss of each "
     "step: with learning rate 1 it falls smoothly from ln 2; with 40 it rises first, then falls, rests, and shoots up far above ln 2, twice.")

# %% [markdown]
# Left: from the star at zero the round marks walk down into the valley, in ever shorter steps as the slope gives out. The square ones fly far past it, come back along it, and
# at the bottom are thrown out to the sides. Right: the one loss falls smoothly. The other rests for a while and looks finished; then it shoots up above ln 2, and again. A loss
# that has been low is no proof that the steps are small enough.
#
# ## How large is too large?
#
# A step is safe as long as the surface does not curve up faster than the step assumes. For this loss no direction curves more than a quarter of
# the largest eigenvalue of $A^\top A / N$, where $A$ is $X$ with a column of ones for the bias. (If eigenvalues are new to you: read it
# as one number, computed from the data, that says how strongly the surface can curve.) Below 2 divided by that, every step goes down. The same
# patients, three times:

# %%
standardised = (patients - patients.mean(dim=0)) / patients.std(dim=0)


def safe_rate(X):
    A = torch.cat([X, torch.ones_like(X[:, :1])], dim=1)
    return 2 / (torch.linalg.eigvalsh(A.T @ A / len(A)).max() / 4).item()


print(f"radius, standardised         {safe_rate(radius):.3g}")
print(f"30 features, standardised    {safe_rate(standardised):.2g}")
print(f"30 features, as they are     {safe_rate(patients):.2g}")
print(f"mean area {patients[:, 3].mean():.0f}, mean smoothness {patients[:, 4].mean():.2f}")

# %% [markdown]
# As they come, an area is thousands of times as large as a smoothness (last line). One learning rate has to fit them all, and the largest feature
# dictates it. Predict what the default of 0.1 does to them:

# %%
for name, X in [("as they are", patients), ("standardised", standardised)]:
    losses = fit(X, benign, lr=0.1, epochs=6)[2]
    print(f"{name:13}", *(f"{value:9.1f}" if value > 10 else f"{value:9.2f}" for value in losses))

# %% [markdown]
# The first row diverges: from ln 2 to thousands, and no way back. It goes to thousands and not to nan, because no
# sample's slope by its score exceeds 1, and your loss survives such scores; by the definition through the probability it would be nan. The second row is the repair: standardise, and the same learning rate works.
#
# ## How many are right?
#
# The loss is for the training; people ask for the share of right decisions. A score says class 1 when its probability is above one half. What does
# that mean for the score? By hand:

# %%
for score in (-0.3, 0.3, 0.7):
    print(f"score {score:4.1f}: probability {1 / (1 + math.exp(-score)):.4f}")

# %% [markdown]
# ## Exercise: `accuracy`
#
# Write the share of right decisions, from the scores. Decide where a *score* is cut, and how a decision is compared with a label.

# %% exercise="accuracy"
def accuracy(z, y):
    """Share of right decisions. `z`: scores (N,); `y`: 0 or 1, (N,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return ((z > 0) == (y == 1)).to(z.dtype).mean()
    ### END SOLUTION

# %%
accuracy_ready = ready("accuracy")
compare("accuracy", torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64), y4)

# %% [markdown]
# The four scores of the earlier lessons: three are right, the last says class 1 about a 0. And the score of 0.3 above stands for class 1, too: its probability is
# above one half, though the score itself is below 0.5. Cutting *scores* at 0.5 is a common slip, and nothing warns of it.
#
# ## Two moons
#
# The moons are two groups of points that reach into each other. The model decides by the sign of $w_1 x_1 + w_2 x_2 + b$, so its **decision boundary**, where
# the score is 0, is a straight line. Does it have to be? The model is linear in its *weights*; the features are yours to choose. The next cell
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
# The black line is where the score is 0; the grey tones change at probabilities 0.1, 0.5 and 0.9. Left, no straight line parts the moons, and both lose their tips. Right, the
# same training with curved features winds between them, with a narrow band of doubt.
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
# Thirty weights and a bias, trained by three functions of your own. The last line is what a model that knows nothing reaches; always print it beside an accuracy.
#
# ## What PyTorch calls it
#
# The same, from PyTorch's parts. `nn.Linear` holds weights and bias, the loss is a module, and the optimiser takes the steps.

# %%
model, loss_fn = nn.Linear(30, 1, dtype=torch.float64), nn.BCEWithLogitsLoss()
nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)        # it starts at random values otherwise
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for _ in range(300):
    optimizer.zero_grad()                       # slopes add up unless they are cleared
    loss = loss_fn(model(X_train).squeeze(1), y_train)
    loss.backward()                             # loss_and_grad
    optimizer.step()                            # w - lr * grad_w

assert torch.allclose(model.weight.detach()[0], w) and torch.allclose(model.bias.detach()[0], b)
print("same weights and bias as yours, all 31")

# %% [markdown]
# And one score, modular and functional:

# %%
functional = F.linear(X_test, model.weight, model.bias)
assert torch.allclose(model(X_test), functional)
assert torch.allclose(linear_ready(X_test, w, b), functional.squeeze(1))
print("yours   ", tuple(linear_ready(X_test, w, b).shape))
print("PyTorch ", tuple(functional.shape))

# %% [markdown]
# Mind the shapes: a layer with one output gives a column. That is what the `squeeze(1)` in the training loop is for. Without it PyTorch's loss refuses;
# a loss by hand pairs every score with every label. Which of the two would you rather have?

# %%
column = model(X_test).detach()
try:
    loss_fn(column, y_test)
except ValueError as error:
    print(f"ValueError: {str(error).splitlines()[0][:90]}")
print(f"by hand, wrong  {(F.softplus(column) - y_test * column).mean():.2f}")
print(f"right           {loss_fn(column.squeeze(1), y_test):.2f}")

# %% [markdown]
# ## In your own words
#
# A classmate's training prints a first loss of 0.9, falls to 0.4, and classifies well. Nothing has crashed. Should anybody worry? Name two things that could make the
# first loss differ from ln 2, say for each how you would find out, and whether it does harm.

# %% [markdown] question="first_loss" points=2
# At least look: with zero weights the first loss must be ln 2, about 0.69. Harmless: the weights start at random values (`nn.Linear` does), so the scores are not 0; set them to
# zero once and look again. Harmful: two sigmoids, a sum or another factor in the loss, another base of the logarithm: with zero weights the loss is then still not ln 2. Also
# possible: the loss is printed after the first step, or the step was large. A falling loss and a good accuracy exclude none of these. (The test is not perfect: labels of −1 and 1, or
# an (N, 1) against (N,), give ln 2 at zero weights all the same. For those, look at the labels and print the shapes.)

# %% [markdown]
# ## Recap
#
# - You built a linear model, the slopes of its loss, gradient descent, and accuracy: logistic regression.
# - PyTorch calls the parts `nn.Linear` and `F.linear`, `nn.BCEWithLogitsLoss`, `loss.backward()` and `torch.optim.SGD`.
# - Three mistakes people make with it: they do not look at the first loss; they train on features of very different sizes with one learning rate; they cut the
#   score at 0.5 instead of 0.
#
# **Before:** `03_bce_with_logits`, the loss and its slope. **Next:** `05_imbalance`, where 95 of 100 labels are the same and accuracy stops meaning much.
#
# **Read on:** PyTorch's pages of [`Linear`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html) and
# [`SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html); Bishop, *Pattern Recognition and Machine Learning*, section 4.3.2; Boyd and
# Vandenberghe, [*Convex Optimization*](https://web.stanford.edu/~boyd/cvxbook/), section 9.3, on step sizes.
