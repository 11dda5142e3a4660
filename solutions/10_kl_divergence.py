# %% [markdown]
# # How far is one belief from another?
#
# In a certain town half of all days are sunny and a quarter are cloudy; rain and snow take an eighth each. The local forecaster is an
# optimist: every day she gives sun 0.7, clouds 0.2, and rain and snow 0.05 each. She is never quite right and never
# quite wrong. **How much does her belief cost her, compared with knowing the truth?**
#
# In this lesson you build the three numbers that answer the question: entropy, cross-entropy, and their difference, the Kullback-Leibler
# divergence. Then you meet `nn.KLDivLoss` with its traps, and use it to let one network teach another. You need
# `08_cross_entropy`. About 50 minutes.

# %%
import math
import warnings

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import CLASS, LINE, show

weather = ["sun", "clouds", "rain", "snow"]
town = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
optimist = torch.tensor([0.7, 0.2, 0.05, 0.05], dtype=torch.float64)

# %% [markdown]
# ## Surprise
#
# You know the loss $-\log p$ by now. Read it as **surprise**: an outcome to which you gave probability 1 does not surprise you at all, and the less
# likely you thought it, the more it does. (Claude Shannon built information theory on the *average* of this number in 1948; the name *surprisal* for the
# number itself is Myron Tribus's, of 1961.) Here is how surprised somebody is who knows the town:

# %%
for name, p in zip(weather, town.tolist()):
    print(f"{name:7} happens {p:.3f} of the days, surprise {-math.log(p):.4f}")

# %% [markdown]
# Sunny days surprise little, and there are many of them. How surprised is somebody who knows the town **on average**? Each surprise
# counts as often as it happens:
#
# $$ H(p) = -\sum_c p_c \log p_c $$
#
# This is the **entropy** of $p$. With the natural logarithm its unit is the nat. By hand, outcome by outcome:

# %%
parts = [0.5 * 0.6931, 0.25 * 1.3863, 0.125 * 2.0794, 0.125 * 2.0794]
print(" + ".join(f"{part:.4f}" for part in parts), "=", f"{sum(parts):.4f}")

# %% [markdown]
# Divide by $\ln 2$ and the unit is the **bit**, the unit of messages. Suppose the town reports its weather every day, with one fixed
# string of zeros and ones for each kind:

# %%
code = {"sun": "0", "clouds": "10", "rain": "110", "snow": "111"}     # no string begins another: no commas needed
for name, p in zip(weather, town.tolist()):
    print(f"{name:7} {code[name]:4} {len(code[name])} bits, surprise {-math.log2(p):.0f} bits")
mean_length = sum(p * len(code[name]) for name, p in zip(weather, town.tolist()))
print(f"mean length {mean_length:.2f} bits, entropy {1.2130 / math.log(2):.2f} bits")

# %% [markdown]
# Each string is as long as its outcome is surprising, and the mean length is the entropy. Shannon's source coding theorem says that no such
# code has a mean below the entropy, in this town or in any other. (A code for many days at once may need fewer bits a day than that, but only where one day tells something about the next.) The entropy is
# what the weather itself keeps hidden.
#
# ## A town where it never snows
#
# Further south it never snows, so $p = 0$ for snow. What entropy should that town have, compared with a list of its three other kinds of
# weather alone? And what will the formula give for all four? Guess the latter (within 0.01 counts as right), then run.

# %%
guess("entropy_of_the_south", ..., sure=...)     # a number, and how sure you are, from 0 to 1

# %%
south = torch.tensor([0.6, 0.3, 0.1, 0.0], dtype=torch.float64)
for p in (south, south[:3]):
    print("surprises", -torch.log(p), "  added up", f"{torch.dot(p, -torch.log(p)):.4f}")
guessed("entropy_of_the_south", torch.dot(south, -torch.log(south)), within=0.01)

# %% [markdown]
# What never happens surprises nobody, so both lists should give the same number. But the surprise of snow is infinite, and $0 \cdot \infty$ is nan in floating
# point. By convention $0 \log 0 = 0$, and the limit agrees: $x \log x$ goes to 0 as $x$ does.

# %%
for x in (0.1, 0.001, 1e-6, 1e-12):
    print(f"x = {x:<6g} x log x = {x * math.log(x):.2e}   its slope {math.log(x) + 1:.2f}")

# %% [markdown]
# The value goes to 0, while the **slope**, $\log x + 1$, falls without bound. So at $p = 0$ the entropy has a value but no gradient with respect to $p$, and
# your code need not give one there.
#
# ## Exercise: `entropy`
#
# Write the entropy of every distribution in a tensor. The distributions lie along the last dimension, and each gets a number of its own. What is new is
# the outcome that never happens: keep it from disturbing the others.

# %% exercise="entropy"
def entropy(p):
    """Entropy of each distribution, in nats.

    p: floats (..., C); each row along the last dimension sums to 1, zeros allowed.
    Returns shape (...).
    """
    ### BEGIN SOLUTION
    possible = torch.where(p > 0, p, 1.0)      # log 1 = 0: adds nothing
    return -(p * torch.log(possible)).sum(dim=-1)
    ### END SOLUTION

# %%
entropy_ready = ready("entropy")
towns = torch.stack([town, south, torch.full((4,), 0.25, dtype=torch.float64), torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)])
for name, h in zip(["the town", "the south", "anything goes", "always sun"], entropy_ready(towns)):
    print(f"{name:14} {abs(h):.4f} nats")

# %% [markdown]
# Of these four the third is largest, $\log 4 = 1.3863$: everything is equally likely. (That nothing with four outcomes can exceed it follows from the inequality
# below, with $q = 1/4$ everywhere.) Where there is nothing to guess, the entropy is 0.
#
# ## A belief meets the world
#
# Now the optimist. **How often** each kind of weather comes depends on the town, $p$. **How surprised** she is depends on her belief, $q$. Rain comes on
# an eighth of the days, and she gave it 0.05:

# %%
for name, p, q in zip(weather, town.tolist(), optimist.tolist()):
    print(f"{name:7} happens {p:.3f}, her surprise {-math.log(q):.4f}, together {-p * math.log(q):.4f}")

# %% [markdown]
# The last column adds up to her mean surprise. It is called the **cross-entropy** of $q$ relative to $p$, written $H(p, q)$. With a
# one-hot $p$ it is the loss of `08_cross_entropy`.
#
# ## Exercise: `cross_entropy_distributions`
#
# Decide which of the two distributions supplies the weights and which the surprises. An outcome that has probability 0 in the world and in the belief adds 0. If it happens although the belief had
# ruled it out, the surprise is infinite, and your result should be too. (`torch.xlogy(x, y)`, from `02_bce`, may help.)

# %% exercise="cross_entropy_distributions"
def cross_entropy_distributions(p, q):
    """Mean surprise, in a world p, of somebody who believes q.

    p, q: floats (..., C), rows sum to 1. Returns shape (...).
    """
    ### BEGIN SOLUTION
    return -torch.xlogy(p, q).sum(dim=-1)
    ### END SOLUTION

# %%
cross_ready = ready("cross_entropy_distributions")
print(f"somebody who knows the town {cross_ready(town, town):.4f}")
print(f"the optimist                {cross_ready(town, optimist):.4f}")

# %% [markdown]
# The first number is the entropy again. The optimist is surprised more.
#
# ## What the wrong belief costs extra
#
# The difference between the two answers the question at the start. Here it is for three more forecasters. Can anybody get below 0?

# %%
gloomy = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
for name, q in [("optimist", optimist), ("gloomy", gloomy), ("undecided", towns[2]), ("knows it", town)]:
    extra = cross_ready(town, q) - entropy_ready(town)
    print(f"{name:10} {cross_ready(town, q):.4f} - {entropy_ready(town):.4f} = {extra:.4f}")

# %% [markdown]
# None of these four can, but four forecasters prove nothing. The extra cost is the **Kullback-Leibler divergence**, of [1951](https://doi.org/10.1214/aoms/1177729694):
#
# $$ \mathrm{KL}(p \,\|\, q) = H(p, q) - H(p) = \sum_c p_c \log \frac{p_c}{q_c} $$
#
# That it is never negative, whatever $p$ and $q$ are, takes one inequality: the line $x - 1$ touches the logarithm at $x = 1$ and lies above it everywhere else, so $\ln x \le x - 1$. Put $x = q_c / p_c$, and sum over the outcomes that happen:
#
# $$ -\mathrm{KL} = \sum_{p_c > 0} p_c \ln \frac{q_c}{p_c} \;\le\; \sum_{p_c > 0} p_c \Bigl( \frac{q_c}{p_c} - 1 \Bigr) = \sum_{p_c > 0} q_c - 1 \;\le\; 0 $$
#
# Both sides are equal only where every $x$ is 1: the extra cost is 0 for the truth, and positive for every other belief.

# %%
for name, q in [("optimist", optimist), ("gloomy", gloomy), ("knows it", town)]:
    x = q / town
    print(f"{name:9} ln x {x.log().numpy().round(3)}   x - 1 {(x - 1).numpy().round(3)}")

# %% [markdown]
# Each entry on the left is at most its neighbour on the right. So *cross-entropy = entropy + divergence*: what the world hides, plus what a wrong belief costs. In bits: where the days are independent, messages of many days at once, in an ideal code made for the optimist, would waste $0.1166 / \ln 2 = 0.168$ bits a day. (Among codes with one string a day, the one above is best for her, too.)

# %% [markdown]
# The formula invites a line of code, with `torch.where` for the town where it never snows. First the value, then the gradient with respect to $q$, which is what training needs:

# %%
q = optimist.clone().requires_grad_(True)
terms = torch.where(south > 0, south * torch.log(south / q), 0.0)
terms.sum().backward()
print(f"value {terms.sum().item():.4f}")
print("gradient with respect to q", q.grad)

# %% [markdown]
# The value is right and the gradient for snow is nan. The true one is $-p_c / q_c$, which is 0 there. It is the trap of `torch.where` from `03_bce_with_logits`: the branch that was dropped
# on the way forward still takes part in the backward pass, where the infinite slope of $\log 0$ meets a 0.
#
# ## Exercise: `kl_divergence`
#
# Write the divergence so that its value **and** its gradient with respect to $q$ are right where $p$ is 0. (Where $q$ is 0 too, only the value counts.) Decide how to split the formula.

# %% exercise="kl_divergence"
def kl_divergence(p, q):
    """KL(p || q), in nats.

    p, q: floats (..., C), rows sum to 1, zeros allowed. Returns shape (...).
    """
    ### BEGIN SOLUTION
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)
    ### END SOLUTION

# %%
kl_ready = ready("kl_divergence")
q = optimist.clone().requires_grad_(True)
kl_ready(south, q).backward()
print("gradient with respect to q", q.grad)
print(f"the optimist in the town {kl_ready(town, optimist):.4f}")
print(f"the other way round      {kl_ready(optimist, town):.4f}")

# %% [markdown]
# The nan is gone. And the last two lines differ, so the divergence is not a distance: the optimist in the town pays one price, and somebody who knows
# the town pays another in a place where the optimist would be right. Try beliefs of your own:

# %%
compare("kl_divergence", town, gloomy)

# %% [markdown]
# ## Which way round?
#
# The direction shows when the belief *cannot* be right. Below, the world has two peaks and the belief may have only one. We try many
# centres and widths and keep the best, once by $\mathrm{KL}(p \,\|\, q)$, called **forward**, and once by $\mathrm{KL}(q \,\|\, p)$, called **reverse**. Where will each put its
# one peak? Guess the centre of the forward belief (within 0.5 counts as right).

# %%
guess("centre_of_the_forward_belief", ..., sure=...)     # a number from -6 to 6, and how sure you are

# %%
x = torch.linspace(-6, 6, 121, dtype=torch.float64)
world = 0.6 * torch.softmax(-((x + 2) / 0.7) ** 2 / 2, dim=0) + 0.4 * torch.softmax(-((x - 2) / 0.7) ** 2 / 2, dim=0)
centres, widths = torch.linspace(-4, 4, 81, dtype=torch.float64), torch.linspace(0.5, 3, 26, dtype=torch.float64)
beliefs = torch.softmax(-((x - centres[:, None, None]) / widths[:, None]) ** 2 / 2, dim=-1)      # (81, 26, 121)

divergence = {"forward": kl_ready(world.expand_as(beliefs), beliefs), "reverse": kl_ready(beliefs, world.expand_as(beliefs))}
best = {way: divmod(d.argmin().item(), len(widths)) for way, d in divergence.items()}
for way, (i, j) in best.items():
    print(f"{way}: centre {centres[i]:.1f}, width {widths[j]:.1f}, divergence {divergence[way][i, j]:.4f}")
guessed("centre_of_the_forward_belief", centres[best["forward"][0]], within=0.5)

# %%
# the world and the best beliefs; the divergence against the centre of a narrow belief
fig, (left, right) = plt.subplots(1, 2)
left.fill_between(x, world, color="0.8", label="world p")
for way, (i, j) in best.items():
    left.plot(x, beliefs[i, j], **LINE[way], label=f"best {way}")
    right.plot(centres, divergence[way][:, 2], **LINE[way], label=way)
left.set(title="world and best beliefs", xlabel="x", ylabel="probability", ylim=(0, 0.075))
right.set(title="divergence, width fixed at 0.7", xlabel="centre of the belief", ylabel="divergence", ylim=(0, 20))
left.legend(ncols=2, loc="upper center", fontsize=8)
right.legend(loc="upper center")
show("Left: a world with two peaks, at -2 and 2; the best forward belief is one wide hump across both, the best reverse belief one narrow peak on the higher "
     "left one. Right, divergence against the centre of a narrow belief: forward has one minimum between the peaks, reverse two, one at each peak.")

# %% [markdown]
# Left: the forward belief covers both peaks, because its cost $-p \log q$ grows without bound where something happens that it had nearly ruled out. The reverse belief picks one peak, because each term is weighted by what the *belief* expects.
# Right, for a belief of fixed width: forward has its only minimum between the peaks, where the world has almost nothing, and reverse has one at each peak.

# %% [markdown]
# ### What training a classifier does
#
# Training a classifier is forward: the labels are the world. The entropy of a one-hot label is 0, so all of its cross-entropy is divergence. The four samples of the last lessons:

# %%
y_true = torch.tensor([0, 2, 3, 1])
logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
one_hot_labels = F.one_hot(y_true, 5).float()
print("divergence   ", kl_ready(one_hot_labels, torch.softmax(logits, dim=1)))
print("cross-entropy", F.cross_entropy(logits, y_true, reduction="none"))

# %% [markdown]
# For class labels, then, the divergence adds nothing new. It earns its keep where labels are distributions: annotators who disagree, or, at the end of this lesson, another
# model.
#
# ## PyTorch's `KLDivLoss`
#
# Mind the order of its arguments: **first** the belief, as *log*-probabilities, **second** the world, as probabilities. If you pass probabilities twice, nothing
# complains. The town and the optimist, whose divergence is 0.1166:

# %%
print(f"probabilities, twice    {F.kl_div(optimist, town, reduction='sum'):.4f}")
print(f"and a perfect belief    {F.kl_div(town, town, reduction='sum'):.4f}")
print(f"log q first, then p     {F.kl_div(optimist.log(), town, reduction='sum'):.4f}")

# %% [markdown]
# The first number is negative, and the perfect belief does not get 0. Training makes worse of it. Let the world have two outcomes, with 0.7 and 0.3. Which belief gets the lower loss from probabilities, the true one or a belief in the first outcome alone?

# %%
coin = torch.tensor([0.7, 0.3], dtype=torch.float64)
print(f"belief (0.7, 0.3): {F.kl_div(coin, coin, reduction='sum'):.4f}")
print(f"belief (1.0, 0.0): {F.kl_div(torch.tensor([1.0, 0.0], dtype=torch.float64), coin, reduction='sum'):.4f}")

# %%
# loss and slope against the belief, for both kinds of first argument
heads = torch.linspace(0.02, 0.98, 97, dtype=torch.float64, requires_grad=True)
belief = torch.stack([heads, 1 - heads], dim=1)
fig, (left, right) = plt.subplots(1, 2)
for name, first, style in [("probabilities", belief, "broken"), ("log-probabilities", belief.log(), "repaired")]:
    loss = F.kl_div(first, coin.expand_as(belief), reduction="none").sum(dim=1)
    (slope,) = torch.autograd.grad(loss.sum(), heads, retain_graph=True)
    left.plot(heads.detach(), loss.detach(), **LINE[style], label=name)
    right.plot(heads.detach(), slope, **LINE[style], label=name)
left.set(title="loss when p = (0.7, 0.3)", xlabel="belief q of the first outcome", ylabel="loss")
right.set(title="slope", xlabel="belief q of the first outcome", ylabel="d loss / d q", ylim=(-8, 8))
right.axvline(0.7, **LINE["reference"])
left.legend(loc="upper center")
show("Two plots against the belief q. Left, the loss: fed log-probabilities it is a valley that touches 0 at 0.7; fed probabilities it is a line below 0 that falls "
     "all the way. Right, the slope: the first crosses 0 at 0.7, the second is a constant -0.4.")

# %% [markdown]
# Left: the right loss touches 0 at 0.7, and the other is a straight line. Right: the slope of that line is −0.4 everywhere, so training pushes the belief all the way to 1. The
# model becomes sure of what is merely likely, while the printed loss falls.
#
# The second trap is the default reduction. PyTorch warns of it itself. Here is its warning, caught, for the four samples above, whose mean divergence is 6.2524:

# %%
log_q = torch.log_softmax(logits, dim=1)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    default = nn.KLDivLoss()(log_q, one_hot_labels)
print(f"the default, 'mean' {default:.4f}")
print(f"'batchmean'         {nn.KLDivLoss(reduction='batchmean')(log_q, one_hot_labels):.4f}")
print(str(caught[0].message).partition("'batchmean'")[0])

# %% [markdown]
# `"mean"` divides by all 20 entries instead of by the 4 samples. With $C$ classes the loss and its gradient are $C$ times too small: here by a factor of 5.
#
# ## Exercise: `kl_div_loss`
#
# Build it with four reductions: `"batchmean"`, your default; `"sum"`; `"mean"`, which is PyTorch's default; and `"none"`, which returns the entries. What is new: `log_q` holds
# logarithms already and may be −1000, while `p` holds probabilities and may be 0. Decide what each of them still needs.

# %% exercise="kl_div_loss"
def kl_div_loss(log_q, p, reduction="batchmean"):
    """KL(p || q) as a loss.

    log_q: log-probabilities, p: probabilities, both (N, ..., C).
    Returns a 0-d tensor, or the entries for reduction="none".
    """
    ### BEGIN SOLUTION
    losses = torch.xlogy(p, p) - p * log_q
    if reduction == "none":
        return losses
    if reduction == "batchmean":
        return losses.sum() / len(losses)
    return losses.sum() if reduction == "sum" else losses.mean()
    ### END SOLUTION

# %% [markdown]
# Side by side with PyTorch's, modular and functional:

# %%
kl_div_ready = ready("kl_div_loss")
soft_labels = 0.8 * one_hot_labels + 0.04       # 0.84 for the true class, 0.04 for each other
results = {
    "yours": kl_div_ready(log_q, soft_labels),
    "modular, nn.KLDivLoss": nn.KLDivLoss(reduction="batchmean")(log_q, soft_labels),
    "functional, F.kl_div": F.kl_div(log_q, soft_labels, reduction="batchmean"),
    "functional, log_target=True": F.kl_div(log_q, soft_labels.log(), reduction="batchmean", log_target=True),
    "cross-entropy less entropy": F.cross_entropy(logits, soft_labels) - entropy_ready(soft_labels).mean(),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])

# %% [markdown]
# With `log_target=True` the second argument holds logarithms, too. One more thing can go wrong: the way to the log-probabilities. As in `07_log_softmax`, take a logit of 200 in float32, and a label that
# is 0 where the softmax is 0:

# %%
large, label = torch.tensor([[200.0, 0.0]]), torch.tensor([[1.0, 0.0]])
for name, logs in [("softmax(z).log() ", lambda z: torch.softmax(z, dim=1).log()), ("log_softmax(z)   ", lambda z: torch.log_softmax(z, dim=1))]:
    z = large.clone().requires_grad_(True)
    loss = F.kl_div(logs(z), label, reduction="batchmean")
    loss.backward()
    print(name, "loss", loss.item(), "gradient", z.grad.tolist())

# %% [markdown]
# The prediction is perfect. The logarithm of the softmax makes nan of it, in value and gradient; `log_softmax` gives 0 and 0.
#
# ## A teacher who knows more than the answer
#
# A large network looks at a picture of an 8 and says: an 8, *a little like a 3, and nothing like a 7*. A label says 8 and no more. **Distillation** trains a
# small network, the student, on the large one's whole distribution. We train a teacher on 1200 of scikit-learn's digits.

# %%
X, digit = (torch.tensor(a) for a in load_digits(return_X_y=True))
X = X / 16                                          # 1797 pictures of 8 x 8, values from 0 to 1, float64
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
train, test = order[:1200], order[1200:]


def network(hidden):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, 10)).double()


def fit(model, loss_of, rows, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model(X[rows]), rows).backward()
        optimizer.step()
    return model

# %%
teacher = fit(network(64), lambda z, rows: F.cross_entropy(z, digit[rows]), train, 80)
with torch.no_grad():
    teacher_logits = teacher(X)
right = teacher_logits[test].argmax(dim=1) == digit[test]
print(f"teacher, accuracy on the test set {right.double().mean():.2f}")
in_eights = torch.softmax(teacher_logits[test[digit[test] == 8]], dim=1)[:, 3].sort(descending=True).values
print(f"probability of a 3, for the {len(in_eights)} test pictures of an 8: largest {in_eights[0]:.2f}, median {in_eights.median():.0e}")

# %% [markdown]
# The teacher is nearly always right, and for most pictures so sure that its distribution looks like the label. As in `06_softmax`, a **temperature** $T$ brings out the rest: divide the
# logits by $T$ before the softmax. The picture below is not a typical 8 but the one that the teacher finds most like a 3, because there the effect can be seen:

# %%
# the test picture of an 8 that looks most like a 3, and what the teacher says about it at two temperatures
eights = test[digit[test] == 8]
eight = eights[torch.softmax(teacher_logits[eights], dim=1)[:, 3].argmax()]
fig, (left, right) = plt.subplots(1, 2, width_ratios=(1, 2.4))
left.imshow(X[eight].reshape(8, 8), cmap="gray_r")
left.set(title="a picture labelled 8", xticks=[], yticks=[], xlabel="8 x 8 pixels")
left.grid(False)
for k, (T, hatch) in enumerate([(1.0, ""), (4.0, "///")]):
    bars = torch.softmax(teacher_logits[eight] / T, dim=0)
    right.bar(torch.arange(10) + 0.4 * k - 0.2, bars, width=0.4, color=CLASS[k]["color"], hatch=hatch, edgecolor="white", label=f"temperature {T:.0f}")
right.set(title="what the teacher says", xlabel="class", ylabel="probability", xticks=range(10), ylim=(0, 1))
right.legend(loc="upper left")
show("Left, a handwritten 8. Right, the teacher's probabilities for the ten classes as bars, at temperature 1 and 4. "
     "At 1 nearly everything lies on the classes 8 and 3, at 4 about a fifth lies on other classes, on some much more than on others.")

# %% [markdown]
# At temperature 1 you see two classes. At 4 you see several more, and their *different* heights are what a label cannot tell: which wrong answers are nearly right and which are not.
#
# Softening has a price. Here is the size of the gradient that reaches a student whose logits are all 0:

# %%
print(f"largest of the teacher's logits: {teacher_logits[train].abs().max():.0f}")
for T in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0):
    z = torch.zeros(len(train), 10, dtype=torch.float64, requires_grad=True)
    kl_div_ready(torch.log_softmax(z / T, dim=1), torch.softmax(teacher_logits[train] / T, dim=1)).backward()
    size = z.grad.norm().item()
    print(f"T = {T:2.0f}: gradient {size:.5f}, times T {size * T:.3f}, times T squared {size * T**2:.3f}")

# %% [markdown]
# It fades. With $q$ for the student and $p$ for the teacher, both softened, each sample's gradient before the mean is
#
# $$ \frac{1}{T}\,(q - p) $$
#
# One factor $1/T$ is always there. At $T = 1$ and 2 it is nearly the only one, because a sure teacher stays sure. Once $T$ is large against the logits, the gap $q - p$ shrinks like $1/T$ as well. So a factor $T^2$ in front of the divergence keeps the size of the gradient only in that limit.
#
# ### What the factor is for
#
# The last column shows it: between 0.07 and 0.1 from $T = 4$ on, but twice as much at $T = 2$ as at $T = 1$. Without the factor the teacher would soon be inaudible beside an ordinary loss with the labels, whose gradient does not fade. Hinton and his co-authors derive $T^2$ for high temperatures.
#
# ## Exercise: `distillation_loss`
#
# $$ \ell = \alpha\, T^2\, \mathrm{KL}(\text{teacher at } T \,\|\, \text{student at } T) + (1 - \alpha)\, \mathrm{CE}(\text{student}, y) $$
#
# The arguments are logits. Decide who is the world and who holds the belief, which parts are softened, and how to stay finite for logits of ±1000. You may use `F.kl_div` and `F.cross_entropy`, because
# you have built both. Divergence and cross-entropy are means over the samples.

# %% exercise="distillation_loss"
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    """Distillation loss, a 0-d tensor.

    student, teacher: logits (N, C); y: int64 classes (N,).
    """
    ### BEGIN SOLUTION
    log_q = torch.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher / temperature, dim=1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)
    ### END SOLUTION

# %% [markdown]
# ## A student who has never seen a 3
#
# Now take every 3 out of the training set and train two small students on the rest: one on the labels, the other on the teacher's softened distributions alone. Neither ever sees a 3. What share of the
# 3s in the test set will the second recognise? Within 0.1 counts as right.

# %%
guess("threes_never_seen", ..., sure=...)     # a share from 0 to 1, and how sure you are

# %%
distillation_ready = ready("distillation_loss")
no_threes = train[digit[train] != 3]
by_labels = fit(network(32), lambda z, rows: F.cross_entropy(z, digit[rows]), no_threes, 120)
by_teacher = fit(network(32), lambda z, rows: distillation_ready(z, teacher_logits[rows], digit[rows], 6.0, 1.0), no_threes, 200)

# the same teacher, but with the probability of a 3 taken out of everything that it says
silent = teacher_logits.clone()
silent[:, 3] = -1000.0
by_silent = fit(network(32), lambda z, rows: distillation_ready(z, silent[rows], digit[rows], 6.0, 1.0), no_threes, 200)

threes = test[digit[test] == 3]
for name, student in [("taught by labels", by_labels), ("taught without the 3", by_silent), ("taught by the teacher", by_teacher)]:
    found = (student(X[threes]).argmax(dim=1) == 3).double().mean().item()
    print(f"{name}: {'most' if found > 0.5 else 'a few' if found else 'none'} of the 3s recognised ({found:.1f})")
guessed("threes_never_seen", found, within=0.1)

# %% [markdown]
# The first student never met the class, and never names it. The last has learned what a 3 looks like from other digits that look *a little* like one. All of it was in one small
# probability, which the labels do not contain: a student who hears everything from the teacher but that one finds no 3 at all.

# %% [markdown] fold="Optional: what label smoothing does to a teacher"
# `09_cross_entropy_options` smoothed labels to keep a model from becoming too sure. What does that do to its wrong answers? The next cell trains the same teacher with smoothing 0.1 and looks at what it says about the nine *wrong* classes, rescaled to sum to 1. If all nine get the same, their entropy is $\ln 9 = 2.197$.

# %% fold="Optional: two teachers, and how different their wrong answers are"
# optional: two teachers, and how different their wrong answers are
smoothed = fit(network(64), lambda z, rows: F.cross_entropy(z, digit[rows], label_smoothing=0.1), train, 80)
smoothed_logits = smoothed(X).detach()
for name, z in [("labels", teacher_logits), ("smoothed labels", smoothed_logits)]:
    p = torch.softmax(z[train], dim=1)
    wrong = p.scatter(1, digit[train][:, None], 0.0)
    wrong = wrong / wrong.sum(dim=1, keepdim=True)
    print(f"trained on {name:15}: mean confidence {p.amax(dim=1).mean():.3f}, entropy of the wrong answers {entropy_ready(wrong).mean():.3f}")
of_smoothed = fit(network(32), lambda z, rows: distillation_ready(z, smoothed_logits[rows], digit[rows], 6.0, 1.0), no_threes, 200)
for name, student in [("the first", by_teacher), ("the smoothed", of_smoothed)]:
    print(f"student of {name:12}: 3s recognised {(student(X[threes]).argmax(dim=1) == 3).double().mean():.1f}")

# %% [markdown] fold="Optional: what that means"
# The smoothed teacher doubts more, but it doubts all wrong classes nearly alike, so most of what a student could learn from them is gone. Müller, Kornblith and Hinton ([2019](https://arxiv.org/abs/1906.02629)) found that students of smoothed teachers do worse. On these small digits both students do about equally well, so the cell shows the loss of information, not its consequence. `12_calibration` asks what smoothing does to the probabilities themselves.

# %% [markdown]
# ## In your own words
#
# A friend trains a student with `F.kl_div(student_probabilities, teacher_probabilities)`. The loss falls from epoch to epoch, to well below 0. Which mistakes has she made, what could the sign of the
# loss have told her, and what will her student's predictions look like in the end?

# %% [markdown] question="a_divergence_below_zero" points=2
# A divergence is never negative, so a loss below 0 cannot be one. The first argument has to hold log-probabilities: `torch.log_softmax(student_logits, dim=1)`. As written, the loss is Σ p·log p − Σ p·q, linear in q, so
# the student is driven to put all its probability on the teacher's most probable class: it becomes sure of everything, and the teacher's doubts are lost. Besides, the default `reduction="mean"` divides by N·C; `"batchmean"` gives the divergence.

# %% [markdown]
# ## Recap
#
# - You built entropy, which is what the world hides; cross-entropy, which is what a belief pays; and their difference, the divergence, which is never negative because $\ln x \le x - 1$.
# - PyTorch calls it `nn.KLDivLoss` and `F.kl_div`, with the belief first, in logarithms. For distribution objects there is `torch.distributions.kl_divergence`.
# - Three mistakes people make with it: they pass probabilities where it wants log-probabilities; they keep the default `"mean"`, which divides by the number of classes too; they leave out $T^2$ when they distil, and wonder why the teacher has no effect.
#
# **Before:** `09_cross_entropy_options`, where labels first became soft. **Next:** `11_margins_and_multilabel` asks whether a loss has to be about probabilities at all.
#
# **Read on:** PyTorch's page on [`KLDivLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html); Hinton, Vinyals and Dean,
# [*Distilling the Knowledge in a Neural Network*](https://arxiv.org/abs/1503.02531), where $T^2$ and the student without 3s come from; MacKay, [*Information Theory, Inference, and Learning Algorithms*](https://www.inference.org.uk/mackay/itila/), chapters 2 and 5, for surprise and code lengths.
