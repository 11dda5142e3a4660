# %% [markdown]
# # How far is one belief from another?
#
# In a certain town half of all days are sunny, a quarter cloudy, and rain and snow have an eighth each. The local forecaster is an
# optimist: every day she says 0.7 for sun, 0.2 for clouds, and 0.05 each for rain and snow. She is never quite right, and never
# quite wrong. **How much does her belief cost her, compared with knowing the truth?**
#
# In this lesson you build the three numbers that answer this: entropy, cross-entropy, and their difference, the Kullback-Leibler
# divergence. Then you meet `nn.KLDivLoss` with its traps, and use it to let one network teach another. You need
# `08_cross_entropy`. About 45 minutes.

# %%
import math
import warnings

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import CLASS, LINE, show

weather = ["sun", "clouds", "rain", "snow"]
town = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
optimist = torch.tensor([0.7, 0.2, 0.05, 0.05], dtype=torch.float64)

# %% [markdown]
# ## Surprise
#
# You know the loss $-\log p$ by now. Read it as **surprise**: an outcome to which you gave probability 1 surprises you by 0, and the
# rarer you thought it, the more it surprises. Somebody who knows the town:

# %%
for name, p in zip(weather, town.tolist()):
    print(f"{name:7} happens {p:.3f} of the days, surprise {-math.log(p):.4f}")

# %% [markdown]
# Sunny days surprise little, and there are many of them. How surprised is one who knows the town **on average**? Each surprise
# counts as often as it happens:
#
# $$ H(p) = -\sum_c p_c \log p_c $$
#
# This is the **entropy** of $p$; with the natural logarithm its unit is called the nat. By hand, outcome by outcome:

# %%
parts = [0.5 * 0.6931, 0.25 * 1.3863, 0.125 * 2.0794, 0.125 * 2.0794]
print(" + ".join(f"{part:.4f}" for part in parts), "=", f"{sum(parts):.4f}")

# %% [markdown]
# Nobody can do better than that in this town, on average: 1.2130 is what the weather itself keeps hidden.
#
# ## A town where it never snows
#
# Further south it never snows: $p = 0$ for snow. Which entropy should that town have, compared with a list of its three other kinds of
# weather alone? And which will the formula give? Predict both, then run.

# %%
south = torch.tensor([0.6, 0.3, 0.1, 0.0], dtype=torch.float64)
for p in (south, south[:3]):
    print("surprises", -torch.log(p), "  added up", f"{torch.dot(p, -torch.log(p)):.4f}")

# %% [markdown]
# What never happens surprises nobody, so both lists should give the same. But the surprise of snow is infinite, and $0 \cdot \infty$ is nan in floating
# point. By convention $0 \log 0 = 0$, and mathematics agrees: $x \log x$ goes to 0 as $x$ does.

# %%
for x in (0.1, 0.001, 1e-6, 1e-12):
    print(f"x = {x:<6g} x log x = {x * math.log(x):.2e}   its slope {math.log(x) + 1:.2f}")

# %% [markdown]
# The value goes to 0; the **slope**, $\log x + 1$, has no limit. So at $p = 0$ the value of the entropy is defined, its gradient by $p$ is not, and
# nobody can ask your code for one. (A softmax never gives an exact 0 to a moderate logit.)
#
# ## Exercise: `entropy`
#
# Write the entropy of every distribution in a tensor: they lie along the last dimension, and each gets its own number. New here, and yours to decide:
# what to do about outcomes that never happen, so that no other entry is disturbed.

# %% exercise="entropy"
def entropy(p):
    """Entropy in nats. `p`: floats of shape (..., C), each row along the last dimension sums to 1, zeros allowed. Returns shape (...)."""
    ### BEGIN SOLUTION
    possible = torch.where(p > 0, p, 1.0)      # log 1 = 0: what never happens adds nothing
    return -(p * torch.log(possible)).sum(dim=-1)
    ### END SOLUTION

# %%
entropy_ready = ready("entropy")
towns = torch.stack([town, south, torch.full((4,), 0.25, dtype=torch.float64), torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)])
for name, h in zip(["the town", "the south", "anything goes", "always sun"], entropy_ready(towns)):
    print(f"{name:14} {abs(h):.4f}")

# %% [markdown]
# The entropy is largest, $\log 4$, where everything is equally likely, and 0 where there is nothing to guess.
#
# ## A belief meets the world
#
# Now the optimist. **How often** each kind of weather comes is up to the town, $p$. **How surprised** she is, is up to her belief, $q$. Rain comes on
# an eighth of the days, and she thought it had 0.05:

# %%
for name, p, q in zip(weather, town.tolist(), optimist.tolist()):
    print(f"{name:7} happens {p:.3f}, her surprise {-math.log(q):.4f}, together {-p * math.log(q):.4f}")

# %% [markdown]
# Add the last column up and you have her mean surprise. It is called the **cross-entropy** of $q$ relative to $p$, written $H(p, q)$; with a
# one-hot $p$ it is the loss of `08_cross_entropy`.
#
# ## Exercise: `cross_entropy_distributions`
#
# Decide who weighs and who surprises. If an outcome has probability 0 in the world and in the belief, it adds 0. If it happens and the belief had
# ruled it out, the surprise is infinite, and should be. (`torch.xlogy(x, y)`, from `02_bce`, may be of use.)

# %% exercise="cross_entropy_distributions"
def cross_entropy_distributions(p, q):
    """Mean surprise in a world p of one who believes q. `p`, `q`: floats of shape (..., C), rows sum to 1. Returns shape (...)."""
    ### BEGIN SOLUTION
    return -torch.xlogy(p, q).sum(dim=-1)
    ### END SOLUTION

# %%
cross_ready = ready("cross_entropy_distributions")
print(f"one who knows the town {cross_ready(town, town):.4f}")
print(f"the optimist           {cross_ready(town, optimist):.4f}")

# %% [markdown]
# The first number is the entropy again: who believes the truth is as surprised as the truth allows. The optimist is surprised more.
#
# ## What the wrong belief costs extra
#
# The difference of the two is the answer to the question at the start. Try three other forecasters. Can anybody get below 0?

# %%
gloomy = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
for name, q in [("optimist", optimist), ("gloomy", gloomy), ("undecided", towns[2]), ("knows it", town)]:
    extra = cross_ready(town, q) - entropy_ready(town)
    print(f"{name:10} {cross_ready(town, q):.4f} - {entropy_ready(town):.4f} = {extra:.4f}")

# %% [markdown]
# Nobody can. The extra cost is 0 for the one who knows the town and positive for everybody else. It is the **Kullback-Leibler divergence**:
#
# $$ \mathrm{KL}(p \,\|\, q) = H(p, q) - H(p) = \sum_c p_c \log \frac{p_c}{q_c} $$
#
# So *cross-entropy = entropy + divergence*: what the world hides, and what you believe wrongly. The formula on the right invites a line of code,
# with `torch.where` for the town where it never snows. Value first, then the gradient by $q$, which is what training needs:

# %%
q = optimist.clone().requires_grad_(True)
terms = torch.where(south > 0, south * torch.log(south / q), 0.0)
terms.sum().backward()
print(f"value {terms.sum().item():.4f}")
print("gradient by q", q.grad)

# %% [markdown]
# The value is right and the gradient for snow is nan. The true one is $-p_c / q_c$, which is 0 there: nothing is wrong with the question. `where` dropped the
# infinite $\log 0$ on the way forward; on the way back its slope was multiplied by 0.
#
# ## Exercise: `kl_divergence`
#
# Write the divergence so that value **and** gradient by $q$ are right where $p$ is 0. Decide how to split the formula.

# %% exercise="kl_divergence"
def kl_divergence(p, q):
    """KL(p || q). `p`, `q`: floats of shape (..., C), rows sum to 1, zeros allowed. Returns shape (...)."""
    ### BEGIN SOLUTION
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)
    ### END SOLUTION

# %%
kl_ready = ready("kl_divergence")
q = optimist.clone().requires_grad_(True)
kl_ready(south, q).backward()
print("gradient by q", q.grad)
print(f"the optimist in the town {kl_ready(town, optimist):.4f}")
print(f"the other way round      {kl_ready(optimist, town):.4f}")

# %% [markdown]
# The nan is gone. And the last two lines differ: the divergence is not a distance. The optimist in the town makes one mistake; one who knows
# the town, in a place where the optimist is right, makes another. Try beliefs of your own:

# %%
compare("kl_divergence", town, gloomy)

# %% [markdown]
# ## Which way round?
#
# It matters most when the belief *cannot* be right. Below, the world has two peaks, and the belief may have one only. We try many
# centres and widths and keep the best, once by $\mathrm{KL}(p \,\|\, q)$, called **forward**, once by $\mathrm{KL}(q \,\|\, p)$, **reverse**. Predict: where will each put its
# one peak?

# %%
x = torch.linspace(-6, 6, 121, dtype=torch.float64)
world = 0.6 * torch.softmax(-((x + 2) / 0.7) ** 2 / 2, dim=0) + 0.4 * torch.softmax(-((x - 2) / 0.7) ** 2 / 2, dim=0)
centres, widths = torch.linspace(-4, 4, 81, dtype=torch.float64), torch.linspace(0.5, 3, 26, dtype=torch.float64)
beliefs = torch.softmax(-((x - centres[:, None, None]) / widths[:, None]) ** 2 / 2, dim=-1)      # (81, 26, 121)

divergence = {"forward": kl_ready(world.expand_as(beliefs), beliefs), "reverse": kl_ready(beliefs, world.expand_as(beliefs))}
best = {way: divmod(d.argmin().item(), len(widths)) for way, d in divergence.items()}
for way, (i, j) in best.items():
    print(f"{way}: centre {centres[i]:.1f}, width {widths[j]:.1f}, divergence {divergence[way][i, j]:.4f}")

# %%
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
# Left: forward covers both peaks, because an outcome that happens and was ruled out costs without bound; reverse picks one peak, because only what the *belief* expects is counted.
# Right, for a belief of fixed width: forward has its only minimum between the peaks, where the world has almost nothing; reverse has one at each peak.
#
# Training a classifier is forward: the labels are the world. With a one-hot label the entropy is 0, and all of the cross-entropy is divergence. The four samples of the last lessons:

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
# So for class labels nothing new is gained. The divergence earns its keep where the labels are distributions: annotators who disagree, or, at the end of this lesson, another
# model.
#
# ## PyTorch's `KLDivLoss`
#
# Its arguments surprise everybody once: **first** the belief, as *log*-probabilities, **second** the world, as probabilities. Feed it probabilities twice, as the name
# suggests, and nothing complains. The town and the optimist, 0.1166 apart:

# %%
print(f"probabilities, twice    {F.kl_div(optimist, town, reduction='sum'):.4f}")
print(f"and a perfect belief    {F.kl_div(town, town, reduction='sum'):.4f}")
print(f"log q first, then p     {F.kl_div(optimist.log(), town, reduction='sum'):.4f}")

# %% [markdown]
# Negative, and the perfect belief does not get 0. Worse is what training makes of it. Let the world have two outcomes, 0.7 and 0.3, and move the belief:

# %%
coin = torch.tensor([0.7, 0.3], dtype=torch.float64)
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
# Left: the right loss touches 0 at 0.7; the other is a straight line. Right: its slope is −0.4 everywhere, so training pushes the belief to 1 and stays there: the
# model becomes sure of what is merely likely, while the printed loss falls nicely.
#
# The second trap is the default reduction. PyTorch says so itself; here is its warning, caught, for the four samples above, whose mean divergence is 6.2524:

# %%
log_q = torch.log_softmax(logits, dim=1)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    default = nn.KLDivLoss()(log_q, one_hot_labels)
print(f"the default, 'mean' {default:.4f}")
print(f"'batchmean'         {nn.KLDivLoss(reduction='batchmean')(log_q, one_hot_labels):.4f}")
print(str(caught[0].message).partition("'batchmean'")[0])

# %% [markdown]
# `"mean"` divides by all 20 entries instead of by the 4 samples. With 5 classes the loss, and every gradient, is five times too small; with 1000 classes, a thousand times.
#
# ## Exercise: `kl_div_loss`
#
# Build it, with four reductions: `"batchmean"` (your default), `"sum"`, `"mean"`, which is PyTorch's, and `"none"`, the entries. New for you: `log_q` comes as
# logarithms and may be −1000, `p` comes as it is and may be 0; decide what each of them still needs.

# %% exercise="kl_div_loss"
def kl_div_loss(log_q, p, reduction="batchmean"):
    """KL(p || q) as a loss. `log_q`: log-probabilities, `p`: probabilities, both (N, ..., C). Returns a 0-d tensor, or the entries for "none"."""
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
# With `log_target=True` the second argument is logarithms, too. One more thing can go wrong: where the log-probabilities come from. A logit of 200 in float32, and a label that
# is 0 where the softmax is 0:

# %%
large, label = torch.tensor([[200.0, 0.0]]), torch.tensor([[1.0, 0.0]])
for name, logs in [("softmax(z).log() ", lambda z: torch.softmax(z, dim=1).log()), ("log_softmax(z)   ", lambda z: torch.log_softmax(z, dim=1))]:
    z = large.clone().requires_grad_(True)
    loss = F.kl_div(logs(z), label, reduction="batchmean")
    loss.backward()
    print(name, "loss", loss.item(), "gradient", z.grad.tolist())

# %% [markdown]
# A perfect prediction: nan in value and gradient by the first road, 0 by the second.
#
# ## A teacher who knows more than the answer
#
# A large network looks at a picture of an 8 and says: 8, *but a little like a 3, and nothing like a 7*. A label says 8, and no more. **Distillation** trains a
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

# %% [markdown]
# It is right nearly always, and nearly always sure, so that its distributions look almost like the labels. As in `06_softmax`, a **temperature** $T$ brings out the rest: divide the
# logits by $T$ before the softmax. One 8, as the teacher sees it:

# %%
eights = test[digit[test] == 8]
eight = eights[torch.softmax(teacher_logits[eights], dim=1)[:, 3].argmax()]      # of all test 8s the one most like a 3
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
     "At 1 nearly everything lies on one or two classes, at 4 a third of it has moved to other classes, to some much more than to others.")

# %% [markdown]
# At temperature 1 two classes can be seen; at 4 several more can, and their *different* heights are what a label cannot tell: which wrong answers are nearly right, and which are not.
#
# Softening has a price. Look at the size of the gradient that reaches a student whose logits are all 0:

# %%
for T in (1.0, 2.0, 4.0, 8.0):
    z = torch.zeros(len(train), 10, dtype=torch.float64, requires_grad=True)
    kl_div_ready(torch.log_softmax(z / T, dim=1), torch.softmax(teacher_logits[train] / T, dim=1)).backward()
    print(f"temperature {T:.0f}: gradient of size {z.grad.norm():.4f}")

# %% [markdown]
# It fades: one factor $1/T$ comes from the inner derivative of $z/T$, and another because softened distributions differ less. Beside an ordinary loss with the labels, whose
# gradient does not fade, the teacher would soon be inaudible. A factor in front of the divergence makes up for it.
#
# ## Exercise: `distillation_loss`
#
# $$ \ell = \alpha\, T^2\, \mathrm{KL}(\text{teacher at } T \,\|\, \text{student at } T) + (1 - \alpha)\, \mathrm{CE}(\text{student}, y) $$
#
# The arguments are logits. Decide who is the world and who the belief, which parts are softened, and how to get there from logits of ±1000. `F.kl_div` and `F.cross_entropy` may be used: you
# have built both. Divergence and cross-entropy are means over the samples.

# %% exercise="distillation_loss"
def distillation_loss(student, teacher, y, temperature=2.0, alpha=0.5):
    """Distillation loss. `student`, `teacher`: logits (N, C); `y`: int64 (N,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    log_q = torch.log_softmax(student / temperature, dim=1)
    p = torch.softmax(teacher / temperature, dim=1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    return alpha * temperature**2 * soft + (1 - alpha) * F.cross_entropy(student, y)
    ### END SOLUTION

# %% [markdown]
# ## A student who has never seen a 3
#
# Now take every 3 out of the training set, and train two small students on the rest: one on the labels, one on the teacher's softened distributions alone. Neither ever sees a 3. How many of the
# test set's 3s will each recognise?

# %%
distillation_ready = ready("distillation_loss")
no_threes = train[digit[train] != 3]
by_labels = fit(network(32), lambda z, rows: F.cross_entropy(z, digit[rows]), no_threes, 120)
by_teacher = fit(network(32), lambda z, rows: distillation_ready(z, teacher_logits[rows], digit[rows], 6.0, 1.0), no_threes, 200)

threes = test[digit[test] == 3]
for name, student in [("taught by labels", by_labels), ("taught by the teacher", by_teacher)]:
    found = (student(X[threes]).argmax(dim=1) == 3).double().mean().item()
    print(f"{name}: {'most' if found > 0.5 else 'a few' if found else 'none'} of the 3s recognised ({found:.1f})")

# %% [markdown]
# The first student knows nothing of threes: the class never occurred. The second has learned what a 3 looks like from 8s and 5s that look *a little* like one. All of it was in the
# small probabilities, which the divergence takes seriously and a label throws away.
#
# ## In your own words
#
# A friend trains a student with `F.kl_div(student_probabilities, teacher_probabilities)`. The loss falls from epoch to epoch, and below 0. Which mistakes has she made, how could the sign of the
# loss have told her, and what will her student's predictions look like in the end?

# %% [markdown] question="a_divergence_below_zero" points=2
# A divergence is never negative, so a loss below 0 cannot be one. The first argument has to be log-probabilities: `torch.log_softmax(student_logits, dim=1)`. As written the loss is Σ p·log p − Σ p·q, linear in q, so
# the student is driven to put all its probability on the teacher's most probable class: sure of everything, the teacher's doubts lost. And the default `reduction="mean"` divides by N·C; `"batchmean"` is the divergence.

# %% [markdown]
# ## Recap
#
# - You built entropy, what the world hides; cross-entropy, what a belief pays; and their difference, the divergence. With one-hot labels the entropy is 0, and cross-entropy and divergence are the same.
# - PyTorch calls it `nn.KLDivLoss` and `F.kl_div`, belief first, in logarithms. For distribution objects there is `torch.distributions.kl_divergence`.
# - Three mistakes people make with it: they give it probabilities where it wants log-probabilities; they keep the default `"mean"`, which divides by the classes too; they forget $T^2$ when they distil.
#
# **Before:** `09_cross_entropy_options`, where labels first became soft. **Next:** `11_margins_and_multilabel`, losses that are not about probabilities.
#
# **Read on:** PyTorch's page of [`KLDivLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html); Hinton, Vinyals and Dean,
# [*Distilling the Knowledge in a Neural Network*](https://arxiv.org/abs/1503.02531), where the student without 3s comes from.
