# %% [markdown]
# # The loss falls. Is the model any good?
#
# Here are nine short training scripts, and after them two longer ones. Each runs without an error, prints a loss that falls, and is wrong. No message will tell you so, because
# PyTorch computes faithfully what each script tells it to. **How do you find what is wrong with a script that seems to work?**
#
# By asking. In this lesson you put questions to scripts, find their faults, repair them, and measure what the repair is worth to somebody who uses the model. Most faults come
# from earlier lessons. You need `05_imbalance`, `09_cross_entropy_options` and `12_calibration`. About 80 minutes; script 4 is a good place for a break.

# %%
import warnings

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, show

digits = load_digits()
X, y = torch.tensor(digits.data / 16), torch.tensor(digits.target)
order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
X_train, y_train, X_test, y_test = X[order[:1200]], y[order[:1200]], X[order[1200:]], y[order[1200:]]
X_train.shape, X_test.shape

# %% [markdown]
# ## The questions
#
# 1. What is the loss before the first step? A model that gives every class the same probability should pay the logarithm of their number.
# 2. What is the loss of perfect logits, 100 for the true class and 0 for the others? Without label smoothing it should be 0.
# 3. Can the script learn ten samples by heart?
# 4. What do the probabilities of one sample add up to?
# 5. Does the model do better than one whose inputs are all 0?
# 6. Does the output for one sample depend on the others?
# 7. Does it matter how the samples are cut into batches?
# 8. What happens when all weights are doubled?
# 9. What is the mean a mean of?
# 10. Is what the script reports what its user wants?
# 11. Do the decisions agree with the probabilities, and with what a mistake costs?
#
# Questions 1, 3, 5 and 6 are also in Andrej Karpathy's recipe for training neural networks (linked at the end).
#
# For each script, read it, choose a question and try it yourself. The examination comes after that.

# %% [markdown]
# ## The consulting room
#
# Every script trains a linear model by gradient descent. While it does so, we look over its shoulder and write down a **measure** of
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
        measures.append(float(measure_of(model)))
    return losses, measures

# %% [markdown]
# The next cell prints what a script prints, and draws the broken script beside the repaired one. The axis of the measure goes from 0 to 1 in every picture, so that you can compare them.

# %%
ledger = {}


def report(losses):
    for step in (1, len(losses) // 2, len(losses)):
        print(f"step {step:4}   loss {losses[step - 1]:.3f}")


def picture(script, broken, repaired, measure, alternative):
    fig, (left, right) = plt.subplots(1, 2)
    for name, (losses, measures) in {"broken": broken, "repaired": repaired}.items():
        left.plot(losses, **LINE[name], label=name), right.plot(measures, **LINE[name], label=name)
        ledger[script, name] = losses[-1], measures[-1]
        print(f"{name:9} last loss {losses[-1]:6.3f}   {measure}, held back: {measures[-1]:.2f}")
    left.set(title="what the script prints", xlabel="step", ylabel="loss", ylim=(0, None))
    right.set(title="what its user gets", xlabel="step", ylabel=measure, ylim=(0, 1.02)), right.legend(loc="best")
    show(alternative)

# %% [markdown]
# ## Script 1: a loss that hardly falls
#
# Ten digits, one label each.

# %%
def loss_1(z, y):
    p = torch.softmax(z, dim=1)                    # from scores to probabilities
    loss_fn = nn.CrossEntropyLoss()
    return loss_fn(p, y)


def accuracy(model):
    predicted = model(X_test).argmax(dim=1)
    return (predicted == y_test).double().mean()


def script_1(loss_fn, pictures=X_train, labels=y_train, steps=100):
    return descend(new_model(64, 10), lambda model: loss_fn(model(pictures), labels), accuracy, steps)


report(script_1(loss_1)[0])

# %% [markdown]
# It falls, and it starts in the right place: ln 10 is 2.303. "It needs more steps", says its author.
#
# **Examination.** Ten pictures of 64 pixels each are few enough for a linear model to learn them by heart. So give it those and a thousand steps. Then ask what the loss of *perfect* logits is: 100 for the true class, and 0 for the others. Guess that number (within 0.1 counts as right), then run.

# %%
guess("loss_of_perfect_logits", ..., sure=...)     # a number, and how sure you are, from 0 to 1

# %%
perfect = 100.0 * F.one_hot(y_test, 10)
report(script_1(loss_1, X_train[:10], y_train[:10], steps=1000)[0])
print(f"loss of perfect logits {loss_1(perfect, y_test):.4f}")
guessed("loss_of_perfect_logits", loss_1(perfect, y_test), within=0.1)

# %% [markdown]
# Ten pictures or twelve hundred, no number of steps brings this loss lower than that.
#
# ## Exercise: `fix_1`
#
# Find the reason, and write the function as it should be. This one is a warm-up. PyTorch's own losses are allowed in all repairs of this lesson.

# %% exercise="fix_1"
def fix_1(z, y):
    """Mean cross-entropy, a 0-d tensor.

    z: logits (N, C); y: int64 classes (N,).
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y)
    ### END SOLUTION

# %% [markdown] passed="fix_1"
# Two softmaxes in a row flatten the loss, and with it the gradient. You met this in `08_cross_entropy`.

# %%
picture(1, script_1(loss_1), script_1(ready("fix_1")), "accuracy",
        "Two plots against the training step. Left, the loss: the broken script's falls slowly and stays near 2, the repaired one's falls below 0.5. "
        "Right, accuracy on held-back digits: the repaired script's rises above 0.9, the broken one's falls for fifty steps and then recovers a little.")

# %% [markdown]
# Same data, same steps, same model. On the right, the broken script gets *worse* for fifty steps while its loss falls.

# %% [markdown]
# ## Script 2: better than it should be
#
# Postcodes of four digits. The model gives logits of shape (N, L, C): N postcodes, L positions, C classes. The script turns them into probabilities, takes their logarithm, and picks that of the label.

# %%
draw = torch.Generator().manual_seed(1)
codes_train, codes_test = torch.randint(1200, (300, 4), generator=draw), torch.randint(597, (120, 4), generator=draw)


def probabilities_2(z):
    return torch.softmax(z, dim=1)


def loss_at_each(model, probabilities_of, codes):
    log_p = probabilities_of(model(X_train[codes])).log()
    return -log_p.gather(2, y_train[codes].unsqueeze(2)).squeeze(2)


def script_2(probabilities_of, model):
    def right(model):
        return (probabilities_of(model(X_test[codes_test])).argmax(dim=2) == y_test[codes_test]).double().mean()
    return descend(model, lambda model: loss_at_each(model, probabilities_of, codes_train).mean(), right)

# %%
reader = new_model(64, 10)
report(script_2(probabilities_2, reader)[0])

# %% [markdown]
# A quick fall to a low loss. But look at the first line, and at the length of a postcode.
#
# **Examination.** A model of ten classes that knows nothing should pay ln 10 = 2.303. This one starts at 1.386, which is ln 4: it seems to choose among four. So ask what the probabilities of one position add up to.

# %%
with torch.no_grad():
    for position, total in enumerate(probabilities_2(reader(X_test[codes_test]))[0].sum(dim=-1)):
        print(f"first postcode, position {position}: the ten probabilities add up to {total:.2f}")

# %% [markdown]
# ## Exercise: `fix_2`
#
# Something does add up to 1 here, but not these. Repair the function so that each position has probabilities over its classes.

# %% exercise="fix_2"
def fix_2(z):
    """Probabilities over the classes, (N, L, C).

    z: logits (N, L, C), any L and C.
    """
    ### BEGIN SOLUTION
    return torch.softmax(z, dim=-1)
    ### END SOLUTION

# %%
picture(2, script_2(probabilities_2, new_model(64, 10)), script_2(ready("fix_2"), new_model(64, 10)), "digits read right",
        "Two plots against the training step. Left, the loss: the broken script starts lower and ends a little above the repaired one. "
        "Right, digits of held-back postcodes read right: the broken script stays at about three quarters, the repaired one reaches nine tenths.")

# %% [markdown]
# Nobody would worry about the losses on the left. The broken script compares a 7 in one position with a 7 in the others. That is enough to learn what a 7 looks like, and three quarters of the digits come out right, but nothing in its loss compares a 7 with a 1 in the same place.

# %% [markdown]
# ## Script 3: two post offices
#
# A batch of 600 digits comes from a large office and a batch of 5 from a small one. The script accumulates: it computes the mean loss of each batch, makes one
# loss of the two, and takes a step.

# %%
def combined_3(losses, sizes):
    return losses.mean()


def accumulated(combine, model, sizes):
    batches = zip(X_train[:605].split(sizes), y_train[:605].split(sizes))
    losses = torch.stack([F.cross_entropy(model(images), labels) for images, labels in batches])
    return combine(losses, torch.tensor(sizes))


def script_3(combine, model):
    return descend(model, lambda model: accumulated(combine, model, (600, 5)), accuracy, steps=200)


sorter = new_model(64, 10)
report(script_3(combined_3, sorter)[0])

# %% [markdown]
# It starts at ln 10, perfect logits would give 0, and ten samples could be learned by heart. The first three questions find nothing.
#
# **Examination.** The loss of the same samples should not depend on how they are cut into batches. Take the trained model and the same 605 digits, and cut them in three ways.

# %%
with torch.no_grad():
    for sizes in ((605,), (303, 302), (600, 5)):
        print(f"batches of {str(sizes):10}  loss {accumulated(combined_3, sorter, sizes):.3f}")

# %% [markdown]
# Same digits, same model, and the third line differs from the first.
#
# ## Exercise: `fix_3`
#
# Repair it, so that the cut makes no difference.

# %% exercise="fix_3"
def fix_3(losses, sizes):
    """The mean loss of all samples, a 0-d tensor.

    losses: floats (B,), the mean of each batch; sizes: int64 (B,).
    """
    ### BEGIN SOLUTION
    return (losses * sizes).sum() / sizes.sum()
    ### END SOLUTION

# %%
picture(3, script_3(combined_3, new_model(64, 10)), script_3(ready("fix_3"), new_model(64, 10)), "accuracy",
        "Two plots against the training step. Left, the loss: the broken script's is lower than the repaired one's throughout. "
        "Right, accuracy on held-back digits: the broken script's ends at 0.91, the repaired one's at 0.94.")

# %% [markdown]
# The broken script prints the *lower* loss. Five digits have half the weight in it; they are soon learned by heart and then add almost nothing, so
# the printed number is little more than half the loss of the other 600. On digits that it never saw, the script is worse. The same happens when the gradients of micro-batches are accumulated; the mean of means is from `00_tools`.

# %% [markdown]
# ## Script 4: a model with one opinion
#
# Breast cancer: thirty measurements for each tumour, and label 1 for malignant. The model has one output, so its logits have the shape (N, 1). The author wrote
# the stable formula of `03_bce_with_logits` by hand.

# %%
cancer = load_breast_cancer()
order = torch.randperm(569, generator=torch.Generator().manual_seed(0))
raw, malignant = torch.tensor(cancer.data)[order], 1 - torch.tensor(cancer.target)[order].double()
T = (raw - raw[:400].mean(dim=0)) / raw[:400].std(dim=0)
T_train, m_train, T_test, m_test = T[:400], malignant[:400], T[400:], malignant[400:]

# %%
def losses_4(z, y):
    return F.softplus(z) - y * z                   # log(1 + e^z) - y z


def decided_rightly(model):
    return ((model(T_test)[:, 0] > 0) == (m_test == 1)).double().mean()


def script_4(loss_fn, tumours=T_train):
    return descend(new_model(30, 1), lambda model: loss_fn(model(tumours), m_train), decided_rightly, lr=0.1)


def loss_4(z, y):
    return losses_4(z, y).mean()


report(script_4(loss_4)[0])

# %% [markdown]
# It falls from ln 2, as it should, and then it stops.
#
# **Examination.** Train the same model once more, with every measurement set to 0. It can learn nothing now except how frequent the disease is: that is the input-independent baseline. How much better was the script?

# %%
for name, tumours in [("measured", T_train), ("all zeros", torch.zeros_like(T_train))]:
    losses, _ = script_4(loss_4, tumours)
    print(f"inputs {name:9}: loss after {len(losses)} steps {losses[-1]:.4f}")

# %% [markdown]
# Not at all. Thirty measurements are worth nothing to this script.
#
# ## Exercise: `fix_4`
#
# Repair it. `z` comes as (N, 1) and `y` as (N,), and both stay so.

# %% exercise="fix_4"
def fix_4(z, y):
    """Mean binary cross-entropy, a 0-d tensor.

    z: logits (N, 1); y: floats 0 or 1, (N,).
    """
    ### BEGIN SOLUTION
    return F.binary_cross_entropy_with_logits(z.squeeze(1), y)
    ### END SOLUTION

# %% [markdown] passed="fix_4"
# An (N, 1) met an (N,), and each of 400 patients was compared with each of 400 labels. Against all labels at once, the best prediction is their mean, for everybody. PyTorch's own loss would have refused the shapes.

# %%
picture(4, script_4(loss_4), script_4(ready("fix_4")), "tumours decided rightly",
        "Two plots against the training step. Left, the loss: the broken script's stops near 0.66, the repaired one's falls to about 0.1. "
        "Right, the share of held-back tumours that are decided rightly: the broken script's is 0.63 throughout, the repaired one's above 0.95.")

# %% [markdown]
# The broken script calls every tumour benign, which is right for 63 per cent of them.

# %% [markdown]
# ## Script 5: a tiny loss
#
# Some digits are rare: ten pictures of each odd digit and more than a hundred of each even one. So that the rare ones count, each class gets the weight
# 1 / count. The measure is the mean of the ten classes' accuracies, in which every class counts alike.

# %%
rare = torch.cat([torch.where(y_train == c)[0][:10 if c % 2 else 200] for c in range(10)])
X_rare, y_rare = X_train[rare], y_train[rare]
weight = 1 / torch.bincount(y_rare).double()


def loss_5(z, y, weight):
    losses = F.cross_entropy(z, y, reduction="none")
    return (weight[y] * losses).mean()


def balanced(model):
    right = (model(X_test).argmax(dim=1) == y_test).double()
    return torch.stack([right[y_test == c].mean() for c in range(10)]).mean()

# %%
def script_5(loss_fn, lr=0.5):
    return descend(new_model(64, 10), lambda model: loss_fn(model(X_rare), y_rare, weight), balanced, lr=lr)


report(script_5(loss_5)[0])

# %% [markdown]
# "0.03! Our best loss yet", says the author. But it started at 0.036, and not at ln 10.
#
# **Examination.** If all weights are doubled, no class gains on another, so nothing should change.

# %%
z_zero = torch.zeros(len(y_rare), 10, dtype=torch.float64)
for factor in (1, 2, 100):
    print(f"weights times {factor:3}: loss {loss_5(z_zero, y_rare, factor * weight):.4f}")

# %% [markdown]
# The size of the loss, and of its gradient, depends on the arbitrary scale of the weights. In plain gradient descent it works like a hidden factor in the learning rate.
#
# ## Exercise: `fix_5`
#
# Make it the weighted mean, in which only the ratios of the weights count.

# %% exercise="fix_5"
def fix_5(z, y, weight):
    """Weighted mean cross-entropy, a 0-d tensor.

    z: logits (N, C); y: int64 (N,); weight: floats (C,), one for each class.
    """
    ### BEGIN SOLUTION
    used = weight[y]
    return (used * F.cross_entropy(z, y, reduction="none")).sum() / used.sum()
    ### END SOLUTION

# %%
picture(5, script_5(loss_5), script_5(ready("fix_5")), "mean accuracy of classes",
        "Two plots against the training step. Left, the loss: the broken script's lies flat near 0, the repaired one's falls from 2.3 to about 0.3. "
        "Right, mean accuracy over the ten classes on held-back digits: the broken script's ends at 0.86, the repaired one's at 0.90.")
hidden = (script_5(ready("fix_5"))[0][0] / script_5(loss_5)[0][0])
print(f"broken, with {hidden:.1f} times the learning rate: {script_5(loss_5, lr=0.5 * hidden)[1][-1]:.4f}; repaired: {script_5(ready('fix_5'))[1][-1]:.4f}")

# %% [markdown]
# The lower curve belongs to the worse script: losses of different scales cannot be compared. The last line shows that the scale was all: with 64.5 times the learning rate the broken script ends where the repaired one does. You met the sum of the weights in `09_cross_entropy_options`.

# %% [markdown]
# ## Script 6: mostly right
#
# House numbers of one to three digits in ten positions. After the last digit comes an end marker (class 10), and the rest is padding (class 11). Both are empty pictures. The logits have the shape
# (N, C, L), as PyTorch expects. The user reads digits up to the first position that is none, and wants whole house numbers.

# %%
END, PAD, draw = 10, 11, torch.Generator().manual_seed(2)


def houses(n, images, labels):
    chosen, length = torch.randint(len(images), (n, 10), generator=draw), torch.randint(1, 4, (n, 1), generator=draw)
    place = torch.arange(10)
    targets = torch.where(place < length, labels[chosen], torch.where(place == length, END, PAD))
    return images[chosen] * (place < length).unsqueeze(2), targets


H_train, h_train = houses(300, X_train, y_train)
H_test, h_test = houses(150, X_test, y_test)

# %%
def number(labels):
    ends = [place for place, label in enumerate(labels) if label >= 10]
    return labels[:ends[0]] if ends else labels


def whole(model):
    read = model(H_test).argmax(dim=2).tolist()
    return sum(number(r) == number(t) for r, t in zip(read, h_test.tolist())) / len(read)


def script_6(loss_fn, model, targets=h_train, pad=PAD):
    return descend(model, lambda model: loss_fn(model(H_train).transpose(1, 2), targets, pad), whole, steps=60)


def loss_6(z, y, pad):
    return nn.CrossEntropyLoss()(z, y)

# %%
reader = new_model(64, 12)
report(script_6(loss_6, reader)[0])
right = reader(H_train).argmax(dim=2) == h_train
print(f"accuracy, as the script counts it: {right.double().mean():.3f}")

# %% [markdown]
# It starts at the logarithm of 12 classes, falls well, and is right for 88 per cent of the positions.
#
# **Examination.** What is the mean a mean of? Before you run the
# cell: how many of the ten positions of a house number hold a digit?

# %%
share = torch.bincount(h_train.flatten()) / h_train.numel()
for c in (0, 1, 9, END, PAD):
    print(f"label {c:2}: {share[c]:.3f} of all positions, {right[h_train == c].double().mean():.3f} of them right")

# %% [markdown]
# Seven tenths of what is averaged is padding, and padding is soon learned. The end marker, which looks the same and is rarer, is never named.
#
# ## Exercise: `fix_6`
#
# Repair it: padded positions are not part of the mean. The end marker is.

# %% exercise="fix_6"
def fix_6(z, y, pad):
    """Mean cross-entropy of the real positions, a 0-d tensor.

    z: logits (N, C, L); y: int64 (N, L).
    pad: int, the class (below C) of padded positions; at least one is real.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y, ignore_index=pad)
    ### END SOLUTION

# %%
picture(6, script_6(loss_6, new_model(64, 12)), script_6(ready("fix_6"), new_model(64, 12)), "house numbers right",
        "Two plots against the training step. Left, the loss: the broken script's falls faster at first and is overtaken after thirty steps. "
        "Right, the share of held-back house numbers that are read whole: the broken script's stays near 0 for ten steps and reaches 0.71; the repaired one's rises at once and reaches 0.82.")

# %% [markdown]
# The broken loss falls faster at first: its first steps go into learning to say "padding", and after nine of them it still does not read a single house number. You met the option in `09_cross_entropy_options`.

# %% [markdown]
# ## Script 7: two options that work
#
# The rare digits again, now with weights *and* label smoothing. The author weighted the classes by N / count and wrote both parts by hand: the label's own
# loss, and the share of every class in the smoothing.

# %%
def loss_7(z, y, weight, smoothing):
    log_p = F.log_softmax(z, dim=1)
    hard = F.nll_loss(log_p, y, weight=weight)
    smooth = -(weight * log_p).mean()
    return (1 - smoothing) * hard + smoothing * smooth


weight_7 = len(y_rare) * weight


def script_7(loss_fn):
    return descend(new_model(64, 10), lambda model: loss_fn(model(X_rare), y_rare, weight_7, 0.1), balanced, steps=200, lr=0.2)


report(script_7(loss_7)[0])

# %% [markdown]
# Smoothing puts a floor under the loss, so a loss that stays high is no alarm by itself. But this one starts at 10, more than four times ln 10.
#
# **Examination.** Doubling all weights should change nothing. Try it on random logits, with the smoothing off and then on: which option brings the symptom?

# %%
z = torch.randn(len(y_rare), 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
for smoothing in (0.0, 0.1):
    once, twice = loss_7(z, y_rare, weight_7, smoothing), loss_7(z, y_rare, 2 * weight_7, smoothing)
    print(f"smoothing {smoothing}: loss {once:.3f}, with all weights doubled {twice:.3f}")

# %% [markdown]
# ## Exercise: `fix_7`
#
# Each option alone is right. Repair their combination, as PyTorch defines it and as you rebuilt it in `09_cross_entropy_options`.

# %% exercise="fix_7"
def fix_7(z, y, weight, smoothing):
    """Cross-entropy with class weights and label smoothing, a 0-d tensor.

    z: logits (N, C); y: int64 (N,); weight: floats (C,).
    smoothing: a number from 0 to 1. As PyTorch defines it.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y, weight=weight, label_smoothing=smoothing)
    ### END SOLUTION

# %% [markdown] passed="fix_7"
# One part was divided by the sum of the weights, the other by N. With all weights 1 these are the same number, so no test with equal weights notices. Here each of ten classes brings
# count times N / count, together ten times N, and a smoothing of 0.1 worked like one of about a half.

# %%
picture(7, script_7(loss_7), script_7(ready("fix_7")), "mean accuracy of classes",
        "Two plots against the training step. Left, the loss: the broken script's starts at 10 and stays above 8, the repaired one's falls from 2.9 to 1.6. "
        "Right, mean accuracy over the classes on held-back digits: the broken script's stays near one half, the repaired one's rises to almost 0.9.")

# %% [markdown]
# Before the first step all logits are 0 and every class costs ln 10, whatever the smoothing. Is that what the repaired loss starts at?

# %%
print(f"ln 10 = {-F.log_softmax(z_zero, dim=1)[0, 0]:.2f}, repaired loss at logits of 0: {ready('fix_7')(z_zero, y_rare, weight_7, 0.1):.2f}")

# %% [markdown]
# Not quite, and PyTorch agrees. The smoothing charges every class with its own weight, at every sample, and rare classes have large ones; the divisor knows only the weights of the labels. With both options on, question 1 has another answer.
#
# ## Script 8: a good model, a bad decision
#
# The tumours again. Training is right this time, and brief. At the end the script turns scores into decisions. A missed tumour and a false alarm are taken to be equally bad, so the decision should be the more probable of the two, and the measure is the share of right decisions.

# %%
def brief_training(measure_of):
    def loss_of(model):
        return F.binary_cross_entropy_with_logits(model(T_train)[:, 0], m_train)
    model = new_model(30, 1)
    return descend(model, loss_of, measure_of, steps=50, lr=0.003), model


def script_8(decide):
    def right(model):
        return (decide(model(T_test)[:, 0]).double() == m_test).double().mean()
    return brief_training(right)


def decision_8(z):
    return (z > 0.5).double()

# %%
(losses, _), doctor = script_8(decision_8)
report(losses)

# %% [markdown]
# The loss is innocent here: what is wrong comes after it.
#
# **Examination.** Do the decisions agree with the probabilities? Below are held-back tumours of which the model is not quite sure.

# %%
with torch.no_grad():
    z = doctor(T_test)[:, 0]
unsure = z[(z > -0.3) & (z < 0.7)].sort().values[::5]
for score, decision in zip(unsure, decision_8(unsure)):
    print(f"probability {torch.sigmoid(score):.3f}   decision {decision:.0f}")

# %% [markdown]
# Go down the two columns: where does the decision turn from 0 to 1, and where should it?
#
# ## Exercise: `fix_8`
#
# Repair the decision: malignant where that is more probable than not, and only there. This is a warm-up for what follows.

# %% exercise="fix_8"
def fix_8(z):
    """Decisions, 0 or 1 for each, (N,), as bool, int or float.

    z: logits (N,). A probability of exactly one half is decided as 0.
    """
    ### BEGIN SOLUTION
    return (torch.sigmoid(z) > 0.5).to(z.dtype)
    ### END SOLUTION

# %%
picture(8, script_8(decision_8)[0], script_8(ready("fix_8"))[0], "right decisions",
        "Two plots against the training step. Left, the loss: both curves are one and the same. Right, the share of right decisions on held-back tumours: "
        "the repaired script's is near 0.95 from the start, the broken one's is 0.63 at first and 0.88 at last.")

# %% [markdown]
# Both losses are one curve, because it is the same model. After the first step the scores are already well ordered; the steps after it mostly stretch them, which moves more and more of them past the wrong threshold.
#
# ### If a miss is worse
#
# Now let a missed tumour cost ten times as much as a false alarm. By `05_imbalance` and `12_calibration` the cheaper decision changes at the probability $1 / (1 + 10)$, which is a logit of $\ln \frac{1}{10} = -2.30$. That holds if the probabilities do. Compare the brief training with a long one:

# %% fold="what three thresholds cost, after a brief and a long training"
# what three thresholds cost, after a brief and a long training
def descend_longer(steps=500, lr=0.1):
    model = new_model(30, 1)
    descend(model, lambda model: F.binary_cross_entropy_with_logits(model(T_train)[:, 0], m_train), lambda model: 0.0, steps, lr)
    return model


print(f"{int(m_test.sum())} malignant tumours among {len(m_test)}")
for name, model in [("brief", doctor), ("long", descend_longer())]:
    z = model(T_test)[:, 0].detach()
    for cut in (0.5, 0.0, -2.3026):
        missed, alarms = ((z <= cut) & (m_test == 1)).sum(), ((z > cut) & (m_test == 0)).sum()
        print(f"{name:5} training, cut at {cut:5.2f}: {missed:2} missed, {alarms:3} false alarms, cost {10 * missed + alarms:3}")

# %% [markdown]
# After the brief training the threshold from the costs alarms everybody, because that model is much too modest: none of its probabilities is as low as 1/11. After the long one the threshold halves the misses for a dozen more alarms. The costs of the last two lines are close, and with 63 tumours a single miss decides between them.

# %% [markdown]
# ## Script 9: it read every digit and never stopped
#
# The author of script 6 has learned to ignore padding. To save a class, the new script pads with the end marker itself, and passes that to your `fix_6` as the class to be ignored.

# %%
targets_9 = h_train.clamp(max=END)                     # END again and again, to the last position


def digits_read(model):
    right = model(H_test).argmax(dim=2) == h_test
    return right[h_test < 10].double().mean()


stopless = new_model(64, 11)
losses, _ = script_6(ready("fix_6"), stopless, targets_9, END)
report(losses)
print(f"accuracy on the digits {digits_read(stopless):.3f}, of script 6 before its repair {digits_read(reader):.3f}")
print(f"whole house numbers right {whole(stopless):.3f}")

# %% [markdown]
# The accuracy that the author reports is better than that of script 6 before its repair. Yet not one house number is right.
#
# **Examination.** Is what the script reports what its user wants? Look at what the model reads.

# %%
read = stopless(H_test).argmax(dim=2).tolist()
for labels, truth in zip(read[:3], h_test.tolist()):
    print(f"read {number(labels)}, should be {number(truth)}")
print(f"mean length of what is read: {sum(len(number(labels)) for labels in read) / len(read):.1f}")

# %% [markdown]
# No house number ever ends, because no end was ever part of the loss.
#
# ## Exercise: `fix_9`
#
# The padding has the same number as the end, so the value alone does not tell which is which. Count each sequence up to and including its *first* end token. Whatever follows that does not count, and a sequence without an end counts throughout.

# %% exercise="fix_9"
def fix_9(z, y, end):
    """Mean cross-entropy up to and including each first end, a 0-d tensor.

    z: logits (N, C, L); y: int64 (N, L).
    end: int, the class of the end token and of the padding.
    """
    ### BEGIN SOLUTION
    is_end = (y == end).long()
    ended_before = is_end.cumsum(dim=1) - is_end
    return F.cross_entropy(z, torch.where(ended_before == 0, y, -100))
    ### END SOLUTION

# %%
picture(9, script_6(ready("fix_6"), new_model(64, 11), targets_9, END), script_6(ready("fix_9"), new_model(64, 11), targets_9, END), "house numbers right",
        "Two plots against the training step. Left, the two losses nearly coincide. "
        "Right, the share of held-back house numbers that are read whole: the broken script's is 0 throughout, the repaired one's reaches 0.82.")

# %% [markdown]
# The losses nearly coincide. For the user it is all or nothing. Language models are trained with this fault, too, and never stop talking: [here is one repair](https://github.com/huggingface/trl/pull/6357) in a library for training them.

# %% [markdown]
# ## Who depends on whom?
#
# Question 6 can be answered by autograd, and then you need not suspect anything in particular. An output that belongs to sample $i$ should have a gradient of 0 with respect to every other sample. A wrong `dim`, an (N, 1) against an (N,) and statistics of the batch all break this.
#
# ## Exercise: `dependency`
#
# Write the test. `f` takes a batch (N, D) and returns one number for each row, (N,). Say for every pair whether output $i$ depends on row $j$. Leave `x` as it was: no gradient, and no `requires_grad`.

# %% exercise="dependency"
def dependency(f, x):
    """Which output depends on which row? A bool tensor (N, N).

    f: a function from (N, D) to (N,); x: floats (N, D).
    Entry [i, j] is True where the derivative of output i with respect to
    any entry of row j differs from 0.
    """
    ### BEGIN SOLUTION
    x = x.detach().clone().requires_grad_(True)
    slopes = [torch.autograd.grad(out, x, retain_graph=True)[0] for out in f(x)]
    return torch.stack(slopes).ne(0).any(dim=2)
    ### END SOLUTION

# %% [markdown]
# Put it to script 2 (the rows are the four positions of one postcode, each output the loss at one of them) and to script 4 (the rows are the labels of five patients, each output a patient's loss):

# %%
depends = ready("dependency")
code, labels = X_train[codes_train[0]], y_train[codes_train[0]]


def loss_by_position(probabilities_of):
    return lambda x: -probabilities_of(reader_2(x)[None]).log()[0, torch.arange(4), labels]


reader_2, column = new_model(64, 10), torch.tensor([[-1.0], [0.5], [2.0], [-0.3], [1.0]], dtype=torch.float64)
script_2(ready("fix_2"), reader_2)
print("script 2, broken\n", depends(loss_by_position(probabilities_2), code).int())
print("script 2, repaired\n", depends(loss_by_position(ready("fix_2")), code).int())
print("script 4, broken\n", depends(lambda y: losses_4(column, y[:, 0]).mean(dim=1), m_train[:5, None]).int())

# %% [markdown]
# The repaired script has ones on the diagonal and nowhere else: both faults show at one glance. (The model of script 2 was trained first because its weights begin at 0, and as long as they are 0 no output depends on anything.)

# %% [markdown]
# ## A whole script, with two faults
#
# The tumours once more. This time nothing is taken out for you. The script loads raw measurements, standardises them, trains, and reports the accuracy on held-back patients. It will be used in a practice, for one patient at a time.

# %%
rows_train, labels_train = raw[:400], malignant[:400]
rows_test, labels_test = raw[400:], malignant[400:]


def standardised(rows):
    return (rows - rows.mean(dim=0)) / rows.std(dim=0)


def probability(model, rows):
    scores = model(standardised(rows))
    return torch.sigmoid(scores).squeeze(1)


def batch_loss(model, rows, labels):
    loss_fn = nn.BCEWithLogitsLoss()
    return loss_fn(probability(model, rows), labels)

# %%
def evaluate(model, rows, labels):
    alarm = probability(model, rows) > 0.5
    right = (alarm == (labels == 1)).double().mean()
    missed = (~alarm & (labels == 1)).sum()
    print(f"{len(rows)} held-back patients: accuracy {right:.3f}, {missed} of {int(labels.sum())} tumours missed")


def train(steps=200, lr=0.5, size=100):
    model, shuffle = new_model(30, 1), torch.Generator().manual_seed(4)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for step in range(steps):
        chosen = torch.randperm(len(rows_train), generator=shuffle)[:size]
        loss = batch_loss(model, rows_train[chosen], labels_train[chosen])
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step:3}   loss {loss.item():.3f}")
    return model

# %%
practice = train()
evaluate(practice, rows_test, labels_test)

# %% [markdown]
# A falling loss and a fine accuracy. Write what finds the two faults: which questions do you ask, and with which lines?

# %%
# your examination


# %% fold="What finds them"
# what finds them: perfect logits, and who depends on whom
sure_scores = 100.0 * (2 * m_train - 1)
print(f"loss of perfect scores, through the script's sigmoid: {nn.BCEWithLogitsLoss()(torch.sigmoid(sure_scores), m_train):.4f}")
print("which probability depends on which patient\n", depends(lambda rows: probability(practice, rows), rows_test[:5]).int())
with warnings.catch_warnings():
    warnings.simplefilter("ignore")                    # PyTorch warns of the standard deviation of a single number
    print("one patient alone:", probability(practice, rows_test[:1]).tolist())
for size in (169, 10, 2):
    parts = torch.cat([probability(practice, part) for part in rows_test.split(size) if len(part) > 1])
    print(f"{size:3} patients at a time: accuracy {((parts > 0.5) == (m_test[:len(parts)] == 1)).double().mean():.3f}")

# %% [markdown] fold="What that means"
# A sigmoid comes before a loss that applies one itself, so the loss cannot reach 0. And each patient is standardised with whoever happens to be in the same batch: alone the standard deviation is nan, and two at a time the model is right for 71 per cent, where calling everybody benign would be right for 63. The mean and the standard deviation of the *training* data belong in the model.

# %% [markdown]
# ## Another one, for your notes
#
# The house numbers, from two town halls: one sends 295, the other 5. Two faults again.

# %%
masked = ready("fix_6")
town_halls = [(H_train[:295], targets_9[:295]), (H_train[295:], targets_9[295:])]
FILL = 10                                              # what empty positions hold


def scores_of(model, pictures):
    return model(pictures).transpose(1, 2)             # (N, C, L)


def loss_of_all(model):
    losses = [masked(scores_of(model, pictures), targets, FILL) for pictures, targets in town_halls]
    return torch.stack(losses).mean()


# %%
def train_city(steps=200, lr=0.5):
    model = new_model(64, 11)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for step in range(steps):
        loss = loss_of_all(model)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
        if step % 50 == 0 or step == steps - 1:
            print(f"step {step:3}   loss {loss.item():.3f}")
    return model

# %%
def report_digits(model, pictures, targets):
    right = scores_of(model, pictures).argmax(dim=1) == targets
    for digit in range(10):
        here = targets == digit
        print(f"{digit}: {int(here.sum()):2} held back, {right[here].double().mean():.2f} read right")
    print(f"accuracy on all held-back digits {right[targets != FILL].double().mean():.3f}")


city = train_city()
report_digits(city, H_test, h_test.clamp(max=FILL))

# %%
# your examination


# %% [markdown]
# ## In your own words
#
# Which two faults does the last script have? For each, name the question that found it, give the line of code that shows it, and say what the user of the model would notice.

# %% [markdown] question="what_would_you_ask" points=2
# First, empty positions are filled with 10, which is also the end marker, and all of them are ignored. No end is ever part of the loss, so the model never stops. The question is whether the script reports what its user wants: it counts digits, and the user wants whole house numbers. `whole(city)` is 0.0. `fix_9` repairs it.
#
# Second, the mean losses of both town halls are averaged, although one has 295 house numbers and the other 5. The question is whether the cut into batches matters: computing the loss of all 300 together, `masked(scores_of(city, H_train), targets_9, FILL)`, gives another number than `loss_of_all(city)`. The large town hall sends 599 digits and the small one 9, so a digit of the small one counts about 67 times as much, and the user sees somewhat worse digits. Weighting by the number of counted positions repairs it.

# %% [markdown]
# ## What PyTorch calls it
#
# Scripts 1, 2, 4, 5 and 7 cannot happen to somebody who hands logits to PyTorch's loss and leaves the options to it. (The wrong `dim` of script 2 still can where there are as many positions as classes: `09_cross_entropy_options`.) Modular and functional:

# %%
z, labels, w = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 3.0]]), torch.tensor([0, 1]), torch.tensor([1.0, 2.0, 4.0])
for options in ({}, {"weight": w}, {"ignore_index": 1}, {"weight": w, "label_smoothing": 0.1}):
    modular, functional = nn.CrossEntropyLoss(**options)(z, labels), F.cross_entropy(z, labels, **options)
    assert torch.equal(modular, functional)
    print(f"{functional:.4f}  {', '.join(options) or 'no option'}")

# %% [markdown]
# The other four can: averages of batches, padding, the end token and the threshold are up to you.
#
# ## What the repairs were worth

# %%
for script in range(1, 10):
    (loss_before, before), (loss_after, after) = ledger[script, "broken"], ledger[script, "repaired"]
    print(f"script {script}: loss {loss_before:6.3f} to {loss_after:6.3f}, measure {before:.2f} to {after:.2f}")
higher = [script for script in range(1, 10) if ledger[script, "repaired"][0] > ledger[script, "broken"][0] + 1e-9]
print(f"repaired, and a higher loss than before: scripts {higher}")

# %% [markdown]
# Every repair raised the measure, and some raised the loss with it.
#
# | question | finds script | what is wrong if the answer is |
# |---|---|---|
# | 1. loss before the first step | 2, 5, 7 | wrong `dim`, wrong scale (weights with smoothing: not ln C) |
# | 2. loss of perfect logits | 1, 2, 4 | a softmax or sigmoid too many; wrong `dim`; broadcasting |
# | 3. ten samples by heart | 1, 2, 4 | a floor under the loss; wrong `dim`; broadcasting |
# | 4. sums of probabilities | 2 | wrong `dim` |
# | 5. inputs all 0 | 4 | the loss does not reach the inputs |
# | 6. dependence between samples | 2, 4 | wrong `dim`, (N, 1) against (N,), batch statistics |
# | 7. cut into batches | 3 | means of means |
# | 8. weights doubled | 5, 7 | the wrong divisor |
# | 9. a mean of what? | 6, 9 | padding, ignored labels |
# | 10. what the user wants | 6, 9 | a measure that hides the fault |
# | 11. decisions and costs | 8 | a threshold on logits |
#
# ## Recap
#
# - You repaired nine scripts, wrote the test that shows who depends on whom, and examined two whole scripts on your own.
# - PyTorch calls the repairs `nn.CrossEntropyLoss` (`F.cross_entropy`) with `weight`, `ignore_index` and `label_smoothing`, and `nn.BCEWithLogitsLoss`
#   (`F.binary_cross_entropy_with_logits`); the derivatives of all outputs are `torch.autograd.functional.jacobian`.
# - Three mistakes people make: they believe a loss because it falls; they compare losses of different scale; they measure something other than what the user wants.
#
# **Before:** `12_calibration`, which asks whether a probability can be trusted. **Next:** your own script. What does it say to perfect logits? Or `14_language_model`: what should the next letter cost?
#
# **Read on:** Karpathy, [*A Recipe for Training Neural Networks*](https://karpathy.github.io/2019/04/25/recipe/); PyTorch's page on
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
