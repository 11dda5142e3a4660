# %% [markdown]
# # The loss falls. Is the model any good?
#
# Eight training scripts. Each of them runs without an error, prints a loss that falls, and is wrong. No message will tell you so: the mistake sits in
# one small function, and PyTorch computes faithfully what it was asked for. **How do you find what is wrong with a script that seems to work?**
#
# In this lesson you examine each script, find its mistake and mend it. You have met all eight mistakes in the lessons before,
# in another place. You need those lessons. About 45 minutes.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import LINE, show

digits = load_digits()
X, y = torch.tensor(digits.data / 16), torch.tensor(digits.target)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
X_train, y_train, X_test, y_test = X[order[:1200]], y[order[:1200]], X[order[1200:]], y[order[1200:]]
X_train.shape, X_test.shape

# %% [markdown]
# ## The consulting room
#
# Every script trains a linear model by gradient descent on the training data. While it does so, we look over its shoulder and write down a **measure** of
# success on data that it never sees. The script itself prints its loss and nothing else.

# %%
def new_model(inputs, outputs):
    model = nn.Linear(inputs, outputs, dtype=torch.float64)
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    return model


def descend(model, loss_of, measure_of, steps=100, lr=0.5):
    optimizer, losses, measures = torch.optim.SGD(model.parameters(), lr=lr), [], []
    for _ in range(steps):
        loss = loss_of(model)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.item())
        measures.append(measure_of(model).item())
    return losses, measures

# %% [markdown]
# The next cell prints what the script prints, and draws the broken script beside the mended one. Higher measures are better, in every picture of this lesson.

# %%
def report(losses):
    for step in (1, len(losses) // 2, len(losses)):
        print(f"step {step:3}   loss {losses[step - 1]:.3f}")


def picture(broken, repaired, measure, alternative):
    fig, (left, right) = plt.subplots(1, 2)
    for name, (losses, measures) in {"broken": broken, "repaired": repaired}.items():
        left.plot(losses, **LINE[name], label=name)
        right.plot(measures, **LINE[name], label=name)
        print(f"{name:9} last loss {losses[-1]:6.3f}   {measure}, held back: {measures[-1]:.3f}")
    left.set(title="what the script prints", xlabel="step", ylabel="loss")
    right.set(title="held-back data", xlabel="step", ylabel=measure), right.legend(loc="best")
    show(alternative)

# %% [markdown]
# ## Script 1: a loss that hardly falls
#
# Ten digits, one label each. Here is the heart of the script, and the script around it.

# %%
def broken_1(z, y):
    p = torch.softmax(z, dim=1)
    loss_fn = nn.CrossEntropyLoss()
    return loss_fn(p, y)


def accuracy(model):
    return (model(X_test).argmax(dim=1) == y_test).double().mean()


def script_1(heart):
    return descend(new_model(64, 10), lambda model: heart(model(X_train), y_train), accuracy)


report(script_1(broken_1)[0])

# %% [markdown]
# It falls, from the right place: with ten classes and no knowledge the loss is ln 10. "It needs more steps", says its author.
#
# One question that you can ask every loss: **what do you say to perfect predictions?** Below, each logit of the true class is 100 and all others are 0.
# Predict the number.

# %%
perfect = 100.0 * F.one_hot(y_test, 10)
print(f"ln 10                  {torch.tensor(10.0).log():.4f}")
print(f"loss of perfect logits {broken_1(perfect, y_test):.4f}")

# %% [markdown]
# No number of steps brings this loss below that.
#
# ## Exercise: `fix_1`
#
# Find the reason, and write the function as it should be. PyTorch's own losses are allowed in all eight exercises: this is repair, not construction.

# %% exercise="fix_1"
def fix_1(z, y):
    """Mean cross-entropy. `z`: logits (N, C), `y`: int64 classes (N,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y)
    ### END SOLUTION

# %%
picture(script_1(broken_1), script_1(ready("fix_1")), "accuracy",
        "Two plots against the training step. Left, the loss: the broken script's falls slowly and stays near 2, the repaired one's falls below 0.5. "
        "Right, accuracy on held-back digits: the repaired script's rises above 0.9, the broken one's falls for fifty steps and then recovers a little.")

# %% [markdown]
# Same data, same steps, same model. Two softmaxes in a row flatten the loss, and with it the gradient. Left, the loss stays high; right, the broken script
# gets *worse* for fifty steps while its loss falls. You met this in `08_cross_entropy`.

# %% [markdown]
# ## Script 2: better than it should be
#
# Postcodes of four digits. The model gives logits of shape (N, L, C): N postcodes, L positions, C classes. The heart turns them into probabilities, of
# which the script takes the logarithm and picks that of the label.

# %%
def broken_2(z):
    return torch.softmax(z, dim=1)


draw = torch.Generator().manual_seed(1)
codes_train, codes_test = torch.randint(1200, (300, 4), generator=draw), torch.randint(597, (120, 4), generator=draw)


def script_2(heart, model):
    def loss_of(model):
        log_p = heart(model(X_train[codes_train])).log()
        return -log_p.gather(2, y_train[codes_train].unsqueeze(2)).mean()

    def measure_of(model):
        return (heart(model(X_test[codes_test])).argmax(dim=2) == y_test[codes_test]).double().mean()
    return descend(model, loss_of, measure_of)

# %%
patient = new_model(64, 10)
report(script_2(broken_2, patient)[0])

# %% [markdown]
# A quick fall to a low loss. Two things are odd. The first line should be near ln 10 again, as for every model of ten classes that knows nothing; you have
# seen that number above. And ask the second question that fits every classifier: **what do the probabilities of one position add up to?**

# %%
with torch.no_grad():
    for position, total in enumerate(broken_2(patient(X_test[codes_test]))[0].sum(dim=-1)):
        print(f"first postcode, position {position}: the ten probabilities add up to {total:.2f}")

# %% [markdown]
# ## Exercise: `fix_2`
#
# Something does add up to 1 here, but not that. Mend the function so that each position has probabilities over its classes.

# %% exercise="fix_2"
def fix_2(z):
    """Probabilities over the classes. `z`: logits (N, L, C), any L and C. Returns (N, L, C)."""
    ### BEGIN SOLUTION
    return torch.softmax(z, dim=-1)
    ### END SOLUTION

# %%
picture(script_2(broken_2, new_model(64, 10)), script_2(ready("fix_2"), new_model(64, 10)), "accuracy",
        "Two plots against the training step. Left, the loss: the broken script starts lower and ends a little above the repaired one. "
        "Right, accuracy on held-back postcodes: the broken script stays clearly below the repaired one.")

# %% [markdown]
# Left, the two losses look alike: nobody would worry. Right, they are not alike. The broken script learned in which *position* a 7 is likeliest, never how
# a 7 compares with a 1 in the same place. You met the wrong `dim` in `06_softmax`.

# %% [markdown]
# ## Script 3: two post offices
#
# A batch of 600 digits from a large office and a batch of 5 from a small one. The script accumulates: it computes the mean loss of each batch, makes one
# loss of the two, and takes a step.

# %%
def broken_3(losses, sizes):
    return losses.mean()


def accumulated(heart, model, sizes):
    batches = zip(X_train[:605].split(sizes), y_train[:605].split(sizes))
    losses = torch.stack([F.cross_entropy(model(images), labels) for images, labels in batches])
    return heart(losses, torch.tensor(sizes))


def script_3(heart, model):
    return descend(model, lambda model: accumulated(heart, model, (600, 5)), accuracy, steps=200)


patient = new_model(64, 10)
report(script_3(broken_3, patient)[0])

# %% [markdown]
# The start is ln 10, perfect logits would give 0: the first two questions find nothing. A third one: **does the loss depend on how the same samples are
# cut into batches?** It should not. Below, the trained model, the same 605 digits, cut in three ways.

# %%
with torch.no_grad():
    for sizes in ((605,), (303, 302), (600, 5)):
        print(f"batches of {str(sizes):10}  loss {accumulated(broken_3, patient, sizes):.3f}")

# %% [markdown]
# Same digits, same model, and the third line differs from the first.
#
# ## Exercise: `fix_3`
#
# Mend it, so that the cut makes no difference.

# %% exercise="fix_3"
def fix_3(losses, sizes):
    """The mean loss of all samples. `losses`: floats (B,), the mean of each batch, `sizes`: int64 (B,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return (losses * sizes).sum() / sizes.sum()
    ### END SOLUTION

# %%
picture(script_3(broken_3, new_model(64, 10)), script_3(ready("fix_3"), new_model(64, 10)), "accuracy",
        "Two plots against the training step. Left, the loss: the broken script's is lower than the repaired one's throughout. "
        "Right, accuracy on held-back digits: the broken script's ends below the repaired one's.")

# %% [markdown]
# Here the broken script prints the *lower* loss. Half of that number comes from five digits, which are soon learned by heart; the other 600 share
# the other half. On digits that it never saw, it is worse. You met this in `00_tools`; gradient accumulation is where it hides today.

# %% [markdown]
# ## Script 4: a model with one opinion
#
# Breast cancer: thirty measurements for each tumour, label 1 for malignant. The model has one output, so its logits have the shape (N, 1). The author wrote
# the stable formula of `03_bce_with_logits` by hand.

# %%
cancer = load_breast_cancer()
order = torch.randperm(569, generator=torch.Generator().manual_seed(0))
T, malignant = torch.tensor(cancer.data)[order], 1 - torch.tensor(cancer.target)[order].double()
T = (T - T[:400].mean(dim=0)) / T[:400].std(dim=0)
T_train, m_train, T_test, m_test = T[:400], malignant[:400], T[400:], malignant[400:]


def broken_4(z, y):
    return (F.softplus(z) - y * z).mean()


patient = new_model(30, 1)
report(descend(patient, lambda model: broken_4(model(T_train), m_train), lambda model: torch.zeros(()), lr=0.1)[0])

# %% [markdown]
# From ln 2 downwards, as it should be, and then it stops. A fourth question: **do the predictions differ at all?** Predict what the next cell shows for the
# most suspect and the least suspect of the held-back tumours.

# %%
with torch.no_grad():
    p = torch.sigmoid(patient(T_test))
print(f"smallest probability      {p.min():.4f}")
print(f"largest probability       {p.max():.4f}")
print(f"malignant in training     {m_train.mean():.4f}")

# %% [markdown]
# Every patient is told the same number: nearly how frequent the disease is.
#
# ## Exercise: `fix_4`
#
# Mend it. `z` stays (N, 1) and `y` stays (N,): that is how they come.

# %% exercise="fix_4"
def fix_4(z, y):
    """Mean binary cross-entropy. `z`: logits (N, 1), `y`: floats 0 or 1, (N,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return F.binary_cross_entropy_with_logits(z.squeeze(1), y)
    ### END SOLUTION

# %%
def truth(model):
    p = torch.sigmoid(model(T_test)[:, 0])
    return torch.where(m_test == 1, p, 1 - p).mean()


def script_4(heart):
    return descend(new_model(30, 1), lambda model: heart(model(T_train), m_train), truth, lr=0.1)


picture(script_4(broken_4), script_4(ready("fix_4")), "probability of the truth",
        "Two plots against the training step. Left, the loss: the broken script's stops near 0.66, the repaired one's falls to about 0.1. "
        "Right, the mean probability given to the true label of held-back tumours: the broken script's stays near one half, the repaired one's rises to 0.9.")

# %% [markdown]
# An (N, 1) met an (N,), and each of 400 patients was compared with each of 400 labels. Against all labels at once, the best that a prediction can do is to be
# their mean. You met this in `00_tools` and `02_bce`; PyTorch's own loss would have refused the shapes.

# %% [markdown]
# ## Script 5: a tiny loss
#
# Some digits are rare: ten pictures of each odd digit, more than a hundred of each even one. So that the rare ones count, each class gets the weight
# 1 / count. The measure is now the mean of the ten classes' accuracies, where every class counts alike.

# %%
rare = torch.cat([torch.where(y_train == c)[0][:10 if c % 2 else 200] for c in range(10)])
X_rare, y_rare = X_train[rare], y_train[rare]
weight = 1 / torch.bincount(y_rare).double()


def balanced(model):
    right = (model(X_test).argmax(dim=1) == y_test).double()
    return torch.stack([right[y_test == c].mean() for c in range(10)]).mean()


def broken_5(z, y, weight):
    losses = F.cross_entropy(z, y, reduction="none")
    return (weight[y] * losses).mean()

# %%
def script_5(heart):
    return descend(new_model(64, 10), lambda model: heart(model(X_rare), y_rare, weight), balanced)


report(script_5(broken_5)[0])

# %% [markdown]
# "0.03! Our best loss yet", says the author. It started at 0.036, though, and not at ln 10. The question here: **what happens when all weights are
# doubled?** No class gains on another, so nothing should change.

# %%
z_zero = torch.zeros(len(y_rare), 10, dtype=torch.float64)
for factor in (1, 2, 100):
    print(f"weights times {factor:3}: loss {broken_5(z_zero, y_rare, factor * weight):.4f}")

# %% [markdown]
# The loss is as large as somebody chose the weights, and the gradient with it: a hidden learning rate.
#
# ## Exercise: `fix_5`
#
# Make it the weighted mean, in which only the ratios of the weights count.

# %% exercise="fix_5"
def fix_5(z, y, weight):
    """Weighted mean cross-entropy. `z`: logits (N, C), `y`: int64 (N,), `weight`: floats (C,), one a class. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    used = weight[y]
    return (used * F.cross_entropy(z, y, reduction="none")).sum() / used.sum()
    ### END SOLUTION

# %%
picture(script_5(broken_5), script_5(ready("fix_5")), "mean accuracy of the classes",
        "Two plots against the training step. Left, the loss: the broken script's lies flat near 0, the repaired one's falls from 2.3 to about 0.3. "
        "Right, mean accuracy over the ten classes on held-back digits: the broken script's stays below the repaired one's throughout.")

# %% [markdown]
# Left, the lower curve is the worse script: a loss says nothing until you know its scale. You met the sum of the weights in `09_cross_entropy_options`.

# %% [markdown]
# ## Script 6: 98 per cent
#
# House numbers of one to three digits, padded to ten positions. Padding is an empty picture with a label of its own, class 10. The logits have the shape
# (N, C, L), as PyTorch wants them.

# %%
PAD, draw = 10, torch.Generator().manual_seed(2)


def houses(n, images, labels):
    chosen, length = torch.randint(len(images), (n, 10), generator=draw), torch.randint(1, 4, (n, 1), generator=draw)
    there = torch.arange(10) < length
    return images[chosen] * there.unsqueeze(2), torch.where(there, labels[chosen], PAD)


H_train, h_train = houses(300, X_train, y_train)
H_test, h_test = houses(150, X_test, y_test)


def broken_6(z, y, pad):
    return nn.CrossEntropyLoss()(z, y)

# %%
def digits_read(model):
    right = (model(H_test).argmax(dim=2) == h_test).double()
    return right[h_test < 10].mean()


def script_6(heart, model):
    return descend(model, lambda model: heart(model(H_train).transpose(1, 2), h_train, PAD), digits_read, steps=60)


patient = new_model(64, 11)
report(script_6(broken_6, patient)[0])
right = patient(H_train).argmax(dim=2) == h_train
print(f"accuracy, as the script counts it: {right.double().mean():.3f}")

# %% [markdown]
# A start near the logarithm of 11 classes, a good fall, and an accuracy to be proud of. The question: **what is the mean a mean of?** Before you run the
# cell: how many of the ten positions of a house number hold a digit?

# %%
share = torch.bincount(h_train.flatten()) / h_train.numel()
for c in (0, 1, 9, PAD):
    print(f"label {c:2}: {share[c]:.3f} of all positions, {right[h_train == c].double().mean():.3f} of them right")

# %% [markdown]
# Most of what is averaged is nothing, and nothing is quickly learned.
#
# ## Exercise: `fix_6`
#
# Mend it: padded positions are no part of the mean.

# %% exercise="fix_6"
def fix_6(z, y, pad):
    """Mean cross-entropy of the real positions. `z`: logits (N, C, L), `y`: int64 (N, L), `pad`: int, the class (below C) of padded positions.
    At least one position is real. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y, ignore_index=pad)
    ### END SOLUTION

# %%
picture(script_6(broken_6, new_model(64, 11)), script_6(ready("fix_6"), new_model(64, 11)), "accuracy on digits",
        "Two plots against the training step. Left, the loss: the broken script's falls faster and lower than the repaired one's. "
        "Right, accuracy on the digits of held-back house numbers: the broken script's stays at 0 for some steps, rises later, and ends lower.")

# %% [markdown]
# Once more the lower loss belongs to the worse script. Its first steps go into learning to say "nothing here": right, it reads no digit at all for a while. You
# met `ignore_index` in `09_cross_entropy_options`.

# %% [markdown]
# ## Script 7: two options that work
#
# The rare digits again, now with weights *and* label smoothing. The author weighted the classes by N / count and wrote both parts by hand: the label's own
# loss, and the share of every class in the smoothing.

# %%
def broken_7(z, y, weight, smoothing):
    log_p = F.log_softmax(z, dim=1)
    hard = F.nll_loss(log_p, y, weight=weight)
    smooth = -(weight * log_p).mean()
    return (1 - smoothing) * hard + smoothing * smooth


weight_7 = len(y_rare) * weight


def script_7(heart):
    return descend(new_model(64, 10), lambda model: heart(model(X_rare), y_rare, weight_7, 0.1), balanced, steps=200, lr=0.2)


report(script_7(broken_7)[0])

# %% [markdown]
# Smoothing puts a floor under the loss, so a loss that stays high is no alarm by itself. Take the script apart instead: **which option brings the symptom?**
# Doubling all weights should change nothing. Try it with the smoothing off, then on.

# %%
z = torch.randn(len(y_rare), 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
for smoothing in (0.0, 0.1):
    once, twice = broken_7(z, y_rare, weight_7, smoothing), broken_7(z, y_rare, 2 * weight_7, smoothing)
    print(f"smoothing {smoothing}: loss {once:.3f}, with all weights doubled {twice:.3f}")

# %% [markdown]
# ## Exercise: `fix_7`
#
# Each option alone is right. Mend their meeting: the definition is that of PyTorch, which you rebuilt in `09_cross_entropy_options`.

# %% exercise="fix_7"
def fix_7(z, y, weight, smoothing):
    """Cross-entropy with class weights and label smoothing, as PyTorch defines it. `z`: logits (N, C), `y`: int64 (N,), `weight`: floats (C,),
    `smoothing`: a number from 0 to 1. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing)
    ### END SOLUTION

# %%
picture(script_7(broken_7), script_7(ready("fix_7")), "mean accuracy of the classes",
        "Two plots against the training step. Left, the loss: the broken script's starts at 10 and stays above 8, the repaired one's falls from 2.9 to 1.6. "
        "Right, mean accuracy over the classes on held-back digits: the broken script's stays near one half, the repaired one's rises to almost 0.9.")

# %% [markdown]
# One part was divided by the sum of the weights, the other by N. With all weights 1 these are the same number, and no test notices. Here each of ten classes brings
# count times N / count, together ten times N, and a smoothing of 0.1 worked like one of a half.

# %% [markdown]
# ## Script 8: a good model, a bad decision
#
# The tumours again. Training is right this time, and brief. At the end the script turns scores into decisions, and a missed tumour is what must not happen. So the
# measure is the share of malignant tumours that are found.

# %%
def broken_8(z):
    return (z > 0.5).double()


def script_8(heart, model):
    def found(model):
        decision = heart(model(T_test)[:, 0]).double()
        return (decision * m_test).sum() / m_test.sum()
    return descend(model, lambda model: F.binary_cross_entropy_with_logits(model(T_train)[:, 0], m_train), found, steps=50, lr=0.003)


patient = new_model(30, 1)
report(script_8(broken_8, patient)[0])

# %% [markdown]
# The loss is innocent here, and no look at it will help. The question: **does the decision agree with the probability?** Below are held-back tumours of
# which the model is not quite sure.

# %%
with torch.no_grad():
    z = patient(T_test)[:, 0]
unsure = z[(z > -0.3) & (z < 0.7)].sort().values[::5]
for score, decision in zip(unsure, broken_8(unsure)):
    print(f"probability {torch.sigmoid(score):.3f}   decision {decision:.0f}")

# %% [markdown]
# Go down the two columns: where does the decision turn from 0 to 1, and where should it?
#
# ## Exercise: `fix_8`
#
# Mend the decision: malignant where that is more probable than not.

# %% exercise="fix_8"
def fix_8(z):
    """Decisions. `z`: logits (N,). Returns 0 or 1 for each, (N,), as bool, int or float."""
    ### BEGIN SOLUTION
    return (torch.sigmoid(z) > 0.5).to(z.dtype)
    ### END SOLUTION

# %%
picture(script_8(broken_8, new_model(30, 1)), script_8(ready("fix_8"), new_model(30, 1)), "malignant tumours found",
        "Two plots against the training step. Left, the loss: both curves are one and the same. "
        "Right, the share of held-back malignant tumours that are found: the repaired script finds nearly all from the start, the broken one none at first and "
        "two thirds at last.")
for name, decide in (("broken", broken_8), ("repaired", ready("fix_8"))):
    print(f"{name:9} accuracy, held back: {(decide(z).double() == m_test).double().mean():.3f}")

# %% [markdown]
# Left, both losses lie on one another: it is the same model. Right, one script overlooks a third of the tumours, because a logit of 0.5 is not a probability of
# 0.5. You met this in `01_sigmoid`.
#
# ## What PyTorch calls it
#
# Six of the eight mistakes cannot happen to somebody who hands logits to PyTorch's loss and leaves the options to it. Modular and functional:

# %%
z, labels, w = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0, 4.0])
for options in ({}, {"weight": w}, {"ignore_index": 1}, {"weight": w, "label_smoothing": 0.1}):
    modular, functional = nn.CrossEntropyLoss(**options)(z, labels), F.cross_entropy(z, labels, **options)
    assert torch.equal(modular, functional)
    print(f"{functional:.4f}  {', '.join(options) or 'no option'}")

# %% [markdown]
# And the shapes that a formula by hand let pass in script 4:

# %%
try:
    nn.BCEWithLogitsLoss()(torch.zeros(4, 1), torch.zeros(4))
except ValueError as error:
    print(f"{type(error).__name__}: {str(error)[:90]}")

# %% [markdown]
# ## Eight questions for a script
#
# | ask | of script | if the answer is wrong |
# |---|---|---|
# | What is the loss before the first step? It should be the logarithm of the number of classes. | 2, 5 | wrong `dim`, wrong scale |
# | What is the loss of perfect logits? It should be 0. | 1 | a softmax or sigmoid too many |
# | What do the probabilities of one sample add up to? | 2 | wrong `dim` |
# | Does it matter how the samples are cut into batches? | 3 | means of means |
# | Do the predictions differ between samples? | 4 | (N, 1) against (N,) |
# | What happens when all weights are doubled? | 5, 7 | the wrong divisor |
# | What is the mean a mean of? | 6 | padding, ignored labels |
# | Do the decisions agree with the probabilities? | 8 | a threshold on logits |

# %% [markdown]
# ## In your own words
#
# A colleague shows you a new script: four classes, balanced, no weights. The loss falls from 1.386 to 0.75 within an hour and then stays exactly there, on the training data too.
# Accuracy on held-back data is 0.97. Which of the eight questions would you ask first, what do you suspect, and how would one line of code confirm it?

# %% [markdown] question="what_would_you_ask" points=2
# The start is right: 1.386 is ln 4. But the loss stops far above 0 while nearly everything is classified rightly: a floor. So ask for the loss of perfect logits. I suspect a softmax before
# `CrossEntropyLoss`: the best that it can reach with four classes is −log(e / (e + 3)) = 0.744. One line: `loss_fn(100.0 * F.one_hot(y, 4), y)`, through the script's own loss function;
# 0.744 instead of 0 confirms it. (Label smoothing would give a floor, too; then the option stands in the script.) The order is right all the same, since softmax keeps the largest
# logit the largest: that is why accuracy does not show it.

# %% [markdown]
# ## Recap
#
# - You mended eight scripts, and each mended one did better on held-back data, though three of them print a *higher* loss than before.
# - PyTorch calls the repairs `nn.CrossEntropyLoss` (`F.cross_entropy`) with `weight`, `ignore_index` and `label_smoothing`, and `nn.BCEWithLogitsLoss`
#   (`F.binary_cross_entropy_with_logits`).
# - Three mistakes people make: they believe a loss because it falls; they compare losses of different scale; they look at no data that the model has not seen.
#
# **Before:** `12_calibration`, which asks whether a probability can be trusted. **Next:** your own script. Put the eight questions to it.
#
# **Read on:** Karpathy, [*A Recipe for Training Neural Networks*](https://karpathy.github.io/2019/04/25/recipe/); PyTorch's page of
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
