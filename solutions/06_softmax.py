# %% [markdown]
# # How do five scores become five probabilities?
#
# A flower, a digit, a word: often there are more than two classes, and a model gives a score for each. For one sample it says −5.0, 10.0,
# 1.2, 3.0 and −4.0. **How sure is it of the second class, in per cent?** And which class should it bet on?
#
# In this lesson you turn labels into vectors, scores into probabilities and probabilities into a decision. You see what happens when they are
# computed along the wrong dimension, and how to notice it, and you meet PyTorch's `F.one_hot`, `nn.Softmax`, `F.softmax`, `torch.softmax` and
# `torch.argmax`. You need `00_tools` (broadcasting, `keepdim`) and `01_sigmoid`. About 45 minutes.

# %%
import warnings

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_iris
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import CLASS, GREY, interact, show

num_classes = 5
y_true = torch.tensor([0, 2, 3, 1])
logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
logits


# %% [markdown]
# There are four samples, one in each row, and five classes, one in each column. These scores are called **logits**. The true classes of the
# four samples are 0, 2, 3 and 1: class labels count from 0 and are integers (int64).
#
# ## A label as a vector
#
# A model answers with five numbers for each sample. To compare the label with them, write it as five numbers too: a 1 at its class, and 0
# everywhere else. For class 2:
#
# $$ 2 \;\longrightarrow\; (0, 0, 1, 0, 0) $$
#
# This is called **one-hot** encoding. It is also a distribution: one class has all the probability.
#
# ## Exercise: `one_hot`
#
# Write it for a whole batch: labels of shape (N,) give a matrix (N, C) of integers. A loop passes. To do without one, decide what to compare
# with what, and in which shapes.

# %% exercise="one_hot"
def one_hot(y, num_classes):
    """One-hot labels, int64 of shape (N, num_classes).

    y: int64 of shape (N,), 0 <= y < num_classes.
    """
    ### BEGIN SOLUTION
    return (y[:, None] == torch.arange(num_classes)).long()
    ### END SOLUTION


# %%
compare("one_hot", y_true, num_classes)

# %% [markdown]
# PyTorch calls it `F.one_hot`:

# %%
y_true_one_hot = F.one_hot(y_true, num_classes=num_classes)
assert torch.equal(y_true_one_hot, ready("one_hot")(y_true, num_classes))
y_true_one_hot

# %% [markdown]
# Each row has its 1 in another column: 0, 2, 3, 1.
#
# ## Two traps of one-hot labels
#
# `F.one_hot` can be called without `num_classes`. Here are the labels of two batches of the same data. How many columns will each matrix
# have?
# Guess the number for the first one, then run.

# %%
guess("columns_of_the_first_batch", ..., sure=...)

# %%
for batch in (torch.tensor([0, 2, 1]), torch.tensor([4, 0, 2])):
    print(batch.tolist(), "->", F.one_hot(batch).shape)
guessed("columns_of_the_first_batch", F.one_hot(torch.tensor([0, 2, 1])).shape[1], within=0)


# %% [markdown]
# It took the largest label that it saw and added 1. The first batch contained no 3 and no 4, so its matrix has three columns, and no error
# says so. **Always pass `num_classes`.**
#
# The second trap is the dtype. A loss that compares distributions expects probabilities, and probabilities are floats. (The loss below is the
# subject of lesson 08; here only the message matters.)

# %%
def accepted(target):
    try:
        print(f"{target.dtype}: accepted, {F.cross_entropy(logits, target):.4f}")
    except RuntimeError as error:
        print(f"{target.dtype}: {type(error).__name__}: {str(error).splitlines()[0][:90]}")


accepted(y_true_one_hot)
accepted(y_true_one_hot.to(logits.dtype))

# %% [markdown]
# Integers are refused; after `.to(logits.dtype)` the same matrix is accepted.
#
# ## From scores to probabilities
#
# Five probabilities should be **positive**, should **sum to 1**, and the largest score should keep the **largest probability**. Dividing
# the scores by their sum would be the first idea. Take the first sample, and the same scores with 5.3 taken from the second:

# %%
first = logits[0]
print("scores              ", first)
print("divided by their sum", first / first.sum())
lower = first - torch.tensor([0.0, 5.3, 0.0, 0.0, 0.0])
print("with 10.0 - 5.3     ", lower / lower.sum())

# %% [markdown]
# Two "probabilities" are negative. With a smaller second score the sum itself is negative and nearly 0, and every sign is flipped. So the
# scores must become positive first, in a way that keeps their order. The exponential does both: $e^z > 0$, and a larger $z$ gives a larger
# $e^z$. Then divide:
#
# $$ p_i = \frac{e^{z_i}}{e^{z_1} + e^{z_2} + \dots + e^{z_C}} $$
#
# This is the **softmax**, a name that John Bridle gave it in 1989. By hand for the second sample, whose scores are 5.0, −4.0, 0.1, 1.0 and 0.1:

# %%
terms = [2.718281828 ** score for score in (5.0, -4.0, 0.1, 1.0, 0.1)]
print("exponentials", [round(term, 2) for term in terms])
print("their sum   ", round(sum(terms), 2))
print("first class ", round(terms[0] / sum(terms), 4))


# %% [markdown]
# The model gives class 0 a probability of 0.9677. (The label is 2, so it is sure and wrong. What that costs is the subject of lesson 08.)
#
# ## Exercise: `softmax`
#
# Write it for tensors of any number of dimensions. `dim` says along which dimension the results sum to 1: with `dim=1` each row of a
# matrix sums to 1, with `dim=0` each column. Decide what shape the sums must have so that every entry is divided by the right one. No score
# is larger than 10 here.

# %% exercise="softmax"
def softmax(z, dim):
    """Softmax along `dim`: of the shape of z, with entries that sum to 1 along `dim`.

    z: floats of any shape, from -10 to 10.
    """
    ### BEGIN SOLUTION
    e = torch.exp(z)
    return e / e.sum(dim=dim, keepdim=True)
    ### END SOLUTION


# %%
compare("softmax", logits, 1)

# %% [markdown]
# Now the running example. Its row sums are known in advance:

# %%
y_pred = ready("softmax")(logits, 1)
print(y_pred)
print("row sums", torch.sum(y_pred, dim=1))

# %% [markdown]
# Every row sums to 1. And the question at the start: the model is sure of the second class to 99.9 per cent (`9.9894e-01`).
#
# The division has a trap. Four samples have four sums. Predict: what happens when (4, 5) is divided by (4,)?

# %%
numerator = torch.exp(logits)
totals = torch.sum(torch.exp(logits), dim=1)
print("numerators", tuple(numerator.shape), "sums", tuple(totals.shape), totals)
try:
    print(numerator / totals)
except RuntimeError as error:
    print(f"{type(error).__name__}: {str(error)[:100]}")

# %% [markdown]
# Broadcasting lines shapes up from the **right**: the 4 sums meet the 5 classes, and do not fit.

# %% [markdown] fold="How the sums get the right shape"
# It is better to keep the dimension along which the sum runs, with size 1. The sums are then a column, (4, 1), and each row meets its own.

# %% fold="How the sums get the right shape, in code"
# the same sums as a column, and the probabilities
denominator = torch.sum(torch.exp(logits), dim=1, keepdim=True)
print(denominator)
print(denominator.shape)
print(numerator / denominator)

# %% [markdown]
# ## The error that does not come
#
# This error was a stroke of luck. With four samples and **four** classes the shapes (4, 4) and (4,) fit. Drop the last class, divide by the
# sums as they are again, and look at the row sums, and at the slope of the first row's sum with respect to its scores. Both are known in
# advance if all is right: which numbers should they be?

# %% fold="Four classes, and sums of shape (4,)"
# four classes: row sums and slopes with sums of shape (4,), and with softmax
z = logits[:, :4].clone().requires_grad_(True)
for name, p in (("sums of shape (4,)", z.exp() / z.exp().sum(dim=1)), ("softmax           ", ready("softmax")(z, 1))):
    (slope,) = torch.autograd.grad(p[0].sum(), z)
    print(name, "row sums", [f"{total:.4f}" for total in p.sum(dim=1)])
    print(" " * 18, "slope   ", [f"{abs(entry):.4f}" for entry in slope[0]])

# %% [markdown]
# Here column $j$ was divided by the sum of row $j$: no error, no warning. The first "distribution" sums to more than 140, and training would
# follow slopes that should not be there: a row that always sums to 1 has a sum with slope 0. So **print the row sums once**. It costs one
# line, and it would have caught this.
#
# ## The wrong dimension
#
# `dim=0` is another silent mistake. Then the columns sum to 1: the *samples* compete for a class. A picture of both:

# %%
# the same scores, softmax along either dimension
fig, panels = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for panel, dim in zip(panels, (1, 0)):
    p = torch.softmax(logits, dim=dim)
    panel.imshow(p, vmin=0, vmax=1, aspect="auto")
    for (i, j), value in [((i, j), p[i, j].item()) for i in range(4) for j in range(5)]:
        panel.text(j, i, f"{value:.2f}", ha="center", va="center", color="black" if value > 0.5 else "white")
    rows = [f"{i}   (sum {total:.2f})" for i, total in enumerate(p.sum(1).tolist(), start=1)]
    panel.set(title=f"dim={dim}", xlabel="class", ylabel="sample", xticks=range(5), yticks=range(4), yticklabels=rows)
    panel.grid(False)
show("Two tables of softmax results for 4 samples and 5 classes, each number in its cell. Left, dim=1: each row sums to 1. "
     "Right, dim=0: each column sums to 1; the row sums, written beside the rows, are 1.62, 1.18, 1.56 and 0.63.")

# %% [markdown]
# Left, each sample divides one whole among its classes. Right, each column sums to 1, and the row sums at the edge are off. The second
# one, 1.18, is so near to 1 that a glance might miss it.
#
# With a batch of a single sample the mistake is plain to see. Predict its five "probabilities" along `dim=0`.
# Guess the first of them (within 0.01 counts as right), then run.

# %%
guess("a_single_sample_along_dim_0", ..., sure=...)

# %%
z = logits[:1].clone().requires_grad_(True)
for dim in (1, 0):                                   # and the slope of log p for class 0, with respect to all five scores
    p = torch.softmax(z, dim=dim)
    (slope,) = torch.autograd.grad(p[0, 0].log(), z)
    print(f"dim={dim} value", [f"{entry:.4f}" for entry in p[0]])
    print("      slope", [f"{entry + 0.0:.4f}" for entry in slope[0]])
guessed("a_single_sample_along_dim_0", p[0, 0], within=0.01)

# %% [markdown]
# With no other sample to compete with, each class gets 1. And all slopes are 0: nothing would be learned. What a classifier says about a sample
# should not depend on which others happen to be in the batch.
#
# What if `dim` is left out? PyTorch chooses one by the number of dimensions, and warns. Here is a tensor of 2 sentences with 3 words each, and
# 4 classes for every word:

# %%
words = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    p = F.softmax(words)
print("warning:", str(caught[0].message)[:58])
for dim in range(3):
    print(f"sums along dimension {dim} are all 1:", torch.allclose(p.sum(dim), torch.ones(())))

# %% [markdown]
# For a tensor with three dimensions it took the first: the two *sentences* compete. **Always pass `dim`**; `dim=-1` is the last one, and right
# wherever the classes come last.
#
# ## `torch.softmax`, `nn.Softmax` and `F.softmax`
#
# PyTorch has softmax as a module, which is made first and called later, and as a function, for which you will meet two names. All three compute what you built.

# %%
module = nn.Softmax(dim=1)
results = {
    "yours": ready("softmax")(logits, 1),
    "modular, nn.Softmax": module(logits),
    "functional, F.softmax": F.softmax(logits, dim=1),
    "functional, torch.softmax": torch.softmax(logits, dim=1),
}
for name, value in results.items():
    print(name)
    print(value)
    assert torch.allclose(value, y_pred)


# %% [markdown]
# ## Which class?
#
# The model has said how probable each class is. Now it has to bet on one. For the third sample the probabilities are 0.0565, 0.4178,
# 0.2534, 0.0188 and 0.2534: none reaches one half, and yet there is a largest one.
#
# ## Exercise: `predict_class`
#
# A warm-up, of one line. Write the predicted class of each sample from its **logits**. Some scores are as large as 1000, where an exponential
# is infinite. So decide first: do you need the probabilities at all?

# %% exercise="predict_class"
def predict_class(z):
    """The predicted class of each sample, int64 of shape (N,).

    z: logits of shape (N, C).
    """
    ### BEGIN SOLUTION
    return torch.argmax(z, dim=1)
    ### END SOLUTION


# %%
predict_class_ready = ready("predict_class")
print("of the probabilities", predict_class_ready(torch.softmax(logits, dim=1)))
print("of the logits       ", predict_class_ready(logits))
print("true                ", y_true)

# %% [markdown]
# Softmax keeps the order of the scores, so the *max* stays where it is: both give `[1, 0, 1, 3]`. Compared with the true classes, not one
# of the four predictions is right.
#
# ## Flowers
#
# Now real data: 150 irises of three species, two measurements in centimetres. A model that needs no gradient: the score of a species is minus
# the squared distance from the flower to the species' mean. The means are what it learns, from every other flower; the rest are for testing.

# %%
iris = load_iris()
petals = torch.tensor(iris.data[:, 2:])              # petal length and width
every_other = torch.arange(150) % 2 == 0
species, known = torch.tensor(iris.target)[~every_other], torch.tensor(iris.target)[every_other]
means = torch.stack([petals[every_other][known == c].mean(dim=0) for c in range(3)])
iris_logits = -((petals[~every_other][:, None] - means) ** 2).sum(dim=2)
iris_probabilities = ready("softmax")(iris_logits, 1)

print("shape    ", tuple(iris_logits.shape))
print("flower 0 ", iris_probabilities[0])
print("flower 50", iris_probabilities[50])
print(f"right     {(predict_class_ready(iris_logits) == species).double().mean():.2f}")

# %% [markdown]
# Flower 0 is a clear case; about flower 50 the model is undecided between two species. Of the 75 flowers that it has not seen, 96 per cent are
# right.
#
# ## How sure? The temperature
#
# Is the model right to be so sure? That was never asked: measure the petals in inches, and it is much less sure, of the same flowers.

# %%
inches = iris_logits / 2.54**2                       # squared distances, in square inches
for unit, z in (("centimetres", iris_logits), ("inches", inches)):
    gap = z[0].amax() - z[0, 1]
    print(f"{unit:11} flower 0 leads by {gap:5.2f}, mean largest probability {ready('softmax')(z, 1).amax(dim=1).mean():.2f}, right {(predict_class_ready(z) == species).double().mean():.2f}")

# %% [markdown]
# The gaps between the scores shrink, and with them the confidence; the bets stay. So make the unit a knob. Dividing the scores by a
# **temperature** $T$ changes how sure the model sounds, and not what it bets on:
#
# $$ p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} $$
#
# The name comes from physics: with $-z$ as a state's energy, this is Boltzmann's formula for its probability (in units in which his constant is 1).
# By hand with two scores, 0 and 2. The exponential of the first is 1 at any temperature; that of the second, and its probability:

# %%
for T in (1, 2):
    term = 2.718281828 ** (2 / T)
    print(f"T = {T}: exponential {term:.2f}, probability {term / (1 + term):.4f}")


# %% [markdown]
# ## Exercise: `softmax_temperature`
#
# A second warm-up: one line, for a vector, a matrix or a tensor with three dimensions. The classes are the **last** one. Where does the
# temperature have to act, so that it does not cancel? (Here and from now on you may use `torch.softmax`: you have built it.)

# %% exercise="softmax_temperature"
def softmax_temperature(z, temperature):
    """Softmax of z / T along the last dimension, of the shape of z.

    z: floats of any shape; temperature: > 0, a number or a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return torch.softmax(z / temperature, dim=-1)
    ### END SOLUTION


# %% [markdown]
# ## Flowers on a triangle
#
# Three probabilities that sum to 1 are a point in a triangle, called the **simplex**: the mean of the corners, weighted by the probabilities.
# Each corner is a class, and the probability of a class is the point's height above the side opposite its corner, as a share of the triangle's
# height: 0 on that side, 1 in the corner.

# %%
corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]], dtype=torch.float64)


def triangle(panel, title, names):
    panel.plot(*corners[[0, 1, 2, 0]].T, color=GREY, linewidth=1)
    for name, (x, y), side in zip(names, corners.tolist(), ("right", "left", "center")):
        panel.text(x, y + (0.04 if y else -0.09), name, ha=side if y else "center")
    panel.set(title=title, aspect="equal", xlim=(-0.25, 1.25), ylim=(-0.14, 1.0))
    panel.axis("off")


# %% [markdown]
# Before you run the next cell: where will a flower lie if the model is sure of its species? Where, if the model has no idea? And what will
# T = 5 do to the points?

# %%
# the flowers on the triangle, at two temperatures
softmax_temperature_ready = ready("softmax_temperature")
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
for panel, temperature in ((left, 1.0), (right, 5.0)):
    p = softmax_temperature_ready(iris_logits, temperature)
    triangle(panel, f"T = {temperature}", iris.target_names)
    for c in range(3):
        panel.scatter(*(p[species == c] @ corners).T, s=18, alpha=0.7, **CLASS[c])
    panel.plot(*(torch.full((3,), 1 / 3, dtype=torch.float64) @ corners), "k+", markersize=10)
show("Two triangles with 75 irises as points; corners are the species. Left, T = 1: setosa sits in its corner, versicolor and virginica lie along the side "
     "between their corners and mix in its middle. Right, T = 5: all points have moved towards the centre, which is marked by a cross.")


# %% [markdown]
# Left, *setosa* sits in its corner; the other two lie along the side between their corners, and mix in the middle of it. The cross is (1/3,
# 1/3, 1/3): no idea. Right, at a higher temperature, everything moves towards the cross.
#
# In JupyterLab, move the temperature yourself. Does any point change its nearest corner?

# %%
# the flowers on the triangle, at any temperature
def warm(temperature):
    p = softmax_temperature_ready(iris_logits, temperature)
    panel = plt.subplots(figsize=(5, 3.8))[1]
    triangle(panel, f"T = {temperature:.1f}, mean largest probability {p.amax(dim=1).mean():.2f}", iris.target_names)
    for c in range(3):
        panel.scatter(*(p[species == c] @ corners).T, s=18, alpha=0.7, **CLASS[c])
    return f"A triangle with 75 irises at T = {temperature:.1f}; corners are the species. The mean largest probability is {p.amax(dim=1).mean():.2f}."


interact(warm, temperature=(0.2, 20.0, 0.2, 2.0))

# %%
right_share = [(predict_class_ready(iris_logits / t) == species).double().mean() for t in (0.2, 1.0, 5.0)]
sure = [softmax_temperature_ready(iris_logits, t).amax(dim=1).mean() for t in (0.2, 1.0, 5.0)]
for t, share, confidence in zip((0.2, 1.0, 5.0), right_share, sure):
    print(f"T = {t}: right {share:.2f}, mean largest probability {confidence:.2f}")

# %% [markdown]
# No. A point's nearest corner is its most probable class, which a temperature does not change; only the confidence changes.
#
# Now the fourth sample of the running example, through all temperatures from 0.1 to 100. At which end will it be certain, and at which
# will it have no opinion?

# %%
# the fourth sample at every temperature, and another one on the triangle
temperatures = torch.logspace(-1, 2, 200)
curves = torch.stack([softmax_temperature_ready(logits[3], t) for t in temperatures])
path = torch.stack([softmax_temperature_ready(torch.tensor([0.0, 1.0, 1.6]).double(), t) for t in temperatures]) @ corners

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for c, style in enumerate(("-", "--", "-", (0, (5, 1, 1, 1, 1, 1)), ":")):       # classes 2 and 4 nearly coincide: a wide line under a thin one
    left.semilogx(temperatures, curves[:, c], color=CLASS[c]["color"], linestyle=style, linewidth=6 if c == 2 else 2, alpha=0.4 if c == 2 else 1,
                  label=f"class {c}, score {logits[3, c]:.1f}")
left.set(title="fourth sample", xlabel="temperature T", ylabel="probability"), left.legend(fontsize=8)
triangle(right, "another sample", ("score 0.0", "score 1.0", "score 1.6"))
right.plot(*path.T, color="black")
for t, label in ((0, "T = 0.1"), (66, "T = 1"), (199, "T = 100")):
    right.plot(*path[t], "ko", markersize=5), right.text(*(path[t] + torch.tensor([0.04, -0.02])), label, fontsize=9)
show("Left, the probabilities of five classes against the temperature, from 0.1 to 100: at 0.1 the class with the score 3.1 has all of it, at 100 all five "
     "are near 0.2. Right, three scores on the simplex: the point runs from the corner of the largest score at T = 0.1 to the centre at T = 100.")

# %% [markdown]
# Left: cold ($T$ small), the largest score takes everything, as in argmax; hot, all five end at 0.2. No two curves cross, because dividing by
# $T$ keeps the order of the scores. (The wide curve and the dotted one, scores 0.1 and 0.2, nearly coincide.) Right: the same as a path, from
# the winner's corner to the centre.
#
# Lesson 12 uses a temperature to make a model as sure as it is right, and lesson 10 to let a small model learn from a large one.

# %% [markdown]
# ## Two classes: the sigmoid again
#
# What does softmax do with two classes? Add the same number $a$ to both scores: $e^{z + a} = e^a e^z$, so the factor $e^a$ appears in numerator
# and denominator, and cancels. Only **differences** of scores count. So one of the two scores may as well be 0:

# %%
for scores in ([0.0, 2.0], [5.0, 7.0], [-3.0, -1.0]):
    print(scores, torch.softmax(torch.tensor(scores), dim=0))


# %% [markdown]
# And you have met 0.8808 before: it is the second probability of the binary lessons, the sigmoid of 2.0.
#
# ## Exercise: `sigmoid_as_softmax`
#
# Write the sigmoid with softmax alone: one score for each sample comes in, shape (N,), and the probability of class 1 goes out, (N,). Make the
# second score, and decide along which dimension the two compete.

# %% exercise="sigmoid_as_softmax"
def sigmoid_as_softmax(z):
    """Probability of class 1, as the softmax of the scores (0, z): shape (N,).

    z: floats of shape (N,).
    """
    ### BEGIN SOLUTION
    scores = torch.stack([torch.zeros_like(z), z], dim=1)
    return torch.softmax(scores, dim=1)[:, 1]
    ### END SOLUTION


# %%
binary_logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)
print("softmax of (0, z)", ready("sigmoid_as_softmax")(binary_logits))
print("sigmoid of z     ", torch.sigmoid(binary_logits))

# %% [markdown]
# ## One class is no class
#
# A binary model may have **one** output, of shape (N, 1). Suppose that softmax and argmax follow, out of habit. Predict both for the four
# binary samples, whose labels are 0, 1, 1, 0, and the slope of the probability.

# %%
y_binary = torch.tensor([0, 1, 1, 0])
z = binary_logits.reshape(4, 1).clone().requires_grad_(True)
p = torch.softmax(z, dim=1)
(slope,) = torch.autograd.grad(p.sum(), z)
print("softmax", p.detach().flatten())
print("slope  ", slope.flatten().abs())
print("class  ", predict_class_ready(z))

# %% [markdown]
# And which losses would say something?

# %%
try:
    F.cross_entropy(z, y_binary)                    # the multiclass loss of lesson 08
except IndexError as error:
    print(f"cross_entropy: {type(error).__name__}: {error}")
loss = F.binary_cross_entropy(torch.softmax(z, dim=1).squeeze(1), y_binary.double())
(slope,) = torch.autograd.grad(loss, z)
print(f"binary_cross_entropy of the softmax: {loss:.1f}, slope", slope.flatten().abs())

# %% [markdown]
# A single class has no competitor: $e^z / e^z$ is 1 whatever the score, its slope is 0, and the largest of one entry is entry 0. The multiclass loss of lesson 08 refuses label 1: there is no class 1. With the binary
# loss such a model trains without an error, learns nothing, and its argmax is right exactly where the label is 0. The repair: a sigmoid, cut at 0.5 (for the logit: at 0, as in lesson 01), or two
# outputs.

# %%
print("sigmoid above 0.5 ", (torch.sigmoid(binary_logits) > 0.5).long())
print("logit above 0     ", (binary_logits > 0).long())
print("class of (0, z)   ", predict_class_ready(F.pad(binary_logits.reshape(4, 1), (1, 0))))

# %% [markdown]
# All three give `[0, 1, 1, 1]`.
#
# ## In your own words
#
# A colleague's classifier hardly improves whatever is done in training, and its probabilities for a flower change when other flowers are put
# into the batch. What do you suspect, which two lines would you print to find out, and what would they show?

# %% [markdown] question="batch_dependence" points=2
# The softmax runs along the batch: `dim=0`, or no `dim` on a tensor with three dimensions. Then samples compete with each other, and a
# probability depends on which others are there. I would print the row sums, `p.sum(dim=1)`, which must all be 1 and are not (while those of
# `p.sum(dim=0)` are), and the probabilities of one flower alone, `softmax(z[:1])`: along `dim=0` they are all 1. A softmax over one output
# of shape (N, 1) would explain that nothing improves, too, but not the dependence on the batch.

# %% [markdown]
# ## Recap
#
# - You built one-hot labels, the softmax for any dimension, the predicted class, the temperature, and the sigmoid as a softmax of two
#   scores.
# - PyTorch calls them `F.one_hot`, `nn.Softmax` / `F.softmax` / `torch.softmax`, `torch.argmax`, and has `torch.sigmoid`; the temperature
#   is a division before the softmax.
# - Three mistakes people make: they sum without `keepdim`, or along the wrong `dim`, and get no error; they let `F.one_hot` guess the
#   number of classes; they take softmax or argmax over a single output.
#
# **Before:** `05_imbalance`, the last of the binary lessons. **Next:** `07_log_softmax`. A score of 100 breaks what you built here. Which
# scores are safe, and how can all be?
#
# **Read on:** PyTorch's pages of [`Softmax`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Softmax.html) and
# [`one_hot`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html); Goodfellow, Bengio and Courville,
# [*Deep Learning*](https://www.deeplearningbook.org/contents/mlp.html), section 6.2.2.3; Bridle, *Training Stochastic Model Recognition
# Algorithms as Networks can Lead to Maximum Mutual Information Estimation of Parameters*, NIPS 1989.
