# %% [markdown]
# # What is 95 per cent right worth?
#
# A model reads 376 reports and is right about 95 of every 100. It says "benign" to everybody. Nineteen of the patients have a malignant
# tumour, and it finds **none** of them. What went wrong: the model, the data, or the number?
#
# In this lesson you measure what accuracy hides, and build three losses that pay attention to the rare class: a `weight` for each sample,
# `pos_weight`, and the focal loss. You see what each of them does to the model's probabilities, repair what can be repaired, and let
# costs decide when to raise an alarm. You need `03_bce_with_logits` and `04_logistic_regression`. About 60 minutes, half of them for the
# six exercises.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import CLASS, LINE, interact, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)

cancer = load_breast_cancer()
malignant = torch.tensor(cancer.target == 0)
benign_rows, malignant_rows = (~malignant).nonzero().flatten(), malignant.nonzero().flatten()

# %% [markdown]
# ## The data: ninety-five to five
#
# In earlier lessons label 1 meant benign. Here the **positive** class is the one we look for: label 1 means malignant. The data set has 212
# malignant tumours, more than a third of all. To get a rare class, keep all the benign ones and only every eleventh malignant one, and look
# at two measurements that make the task hard: texture and smoothness.

# %%
measured = torch.tensor(cancer.data[:, [1, 4]], dtype=torch.float64)
rows = torch.cat([benign_rows, malignant_rows[::11][:19]])
X, y = measured[rows], malignant[rows].double()

print(f"malignant tumours in the data set {len(malignant_rows)}")
print(f"patients kept                     {len(y)}")
print(f"  benign                          {(y == 0).sum()}")
print(f"  malignant                       {y.sum():.0f}, that is {100 * y.mean():.1f} in 100")


# %% [markdown]
# A model should be judged on patients that it was not trained on, as in lesson 04. With 19 malignant tumours there are too few to set half of
# them aside. So divide the patients into five parts, let each part be scored by a model that was trained on the other four, and put the
# scores together. This is **cross-validation**: all 376 patients are used, and each is scored by a model that was trained without that patient.

# %%
def train(loss, X, y, steps=600, lr=1.0):
    """Gradient descent on `loss(z, y)`. Returns a function that gives the logits of any patients."""
    mean, std = X.mean(dim=0), X.std(dim=0)
    scaled = (X - mean) / std
    w, b = torch.zeros(2, dtype=X.dtype, requires_grad=True), torch.zeros((), dtype=X.dtype, requires_grad=True)
    for _ in range(steps):
        grad_w, grad_b = torch.autograd.grad(loss(scaled @ w + b, y), (w, b))
        with torch.no_grad():
            w -= lr * grad_w
            b -= lr * grad_b
    return lambda X: ((X - mean) / std @ w + b).detach()


# %%
def held_out(loss):
    """The logits of all patients, each from the model of the five that was trained without them."""
    part, z = torch.arange(len(y)) % 5, torch.empty_like(y)
    for k in range(5):
        z[part == k] = train(loss, X[part != k], y[part != k])(X[part == k])
    return z


z_plain = held_out(F.binary_cross_entropy_with_logits)

# %% [markdown]
# Two candidates: one says "benign" to everybody, the other is a logistic regression, trained on the plain binary cross-entropy. Predict before
# you run: which of them has the higher accuracy?
# Guess it first, as `"silent"`, `"trained"` or `"neither"`, and say how sure you are, from 0 to 1.

# %%
guess("which_accuracy_is_higher", ..., sure=...)

# %%
print(f"accuracy, always benign {(y == 0).double().mean():.4f}")
print(f"accuracy, trained       {((z_plain > 0) == (y == 1)).double().mean():.4f}")
guessed("which_accuracy_is_higher", "neither", choices=("silent", "trained", "neither"))

# %% [markdown]
# They agree to the last digit. By accuracy, training was of no use. Look at what the trained model does, and not at one number:

# %%
alarm = z_plain > 0
print(f"alarms            {alarm.sum()}")
print(f"  malignant       {(alarm & (y == 1)).sum()}")
print(f"  benign          {(alarm & (y == 0)).sum()}")
print(f"malignant, missed {(~alarm & (y == 1)).sum()}")

# %% [markdown]
# It misses 17 of 19. Accuracy cannot show this, because the 357 benign patients dominate it: call everyone benign and you are right 357
# times.
#
# ## Two questions instead of one
#
# - *When there is an alarm, how often is it right?* That is the **precision**.
# - *Of the positives, how many raise an alarm?* That is the **recall**.
#
# $$ \text{precision} = \frac{\text{hits}}{\text{alarms}} \qquad \text{recall} = \frac{\text{hits}}{\text{positives}} $$
#
# A hit is an alarm for a positive. By hand, for four new patients. Their numbers are the ones you know from earlier lessons, but label 1 now
# means malignant: the second and the third are ill. Alarm where the probability is above 0.5:

# %%
print("probabilities", torch.sigmoid(logits))
print("malignant    ", y_true)
print(f"precision     2 / 3 = {2 / 3:.4f}")
print(f"recall        2 / 2 = {2 / 2:.4f}")


# %% [markdown]
# There are three alarms (for the second, third and fourth patient), and two of them are hits; both positives are found. The first patient,
# a negative without an alarm, appears in neither number.
#
# ## Exercise: `precision_recall`
#
# Write both, for any threshold. You have two decisions to make: how to compare scores that are *logits* with a threshold that applies to
# the *probability*, and how to count the hits. (Don't worry about 0/0; it isn't tested.)

# %% exercise="precision_recall"
def precision_recall(z, y, threshold=0.5):
    """The pair (precision, recall), two 0-d tensors of the dtype of z.

    z: logits (N,); y: floats 0 or 1 (N,); threshold: a probability.
    """
    ### BEGIN SOLUTION
    alarms = (torch.sigmoid(z) > threshold).to(z.dtype)
    hits = (alarms * y).sum()
    return hits / alarms.sum(), hits / y.sum()
    ### END SOLUTION


# %%
compare("precision_recall", logits, y_true, threshold=0.9)

# %% [markdown]
# Now the 376 patients, at several thresholds:

# %%
measure = ready("precision_recall")
for threshold in (0.5, 0.2, 0.1, 0.05):
    precision, recall = measure(z_plain, y, threshold=threshold)
    print(f"threshold {threshold:<4}  precision {precision:.2f}  recall {recall:.2f}")

# %% [markdown]
# A lower threshold only adds alarms, so recall cannot fall. Precision has no such rule; from the first of these four thresholds to the last
# it falls from 0.50 to 0.15. In JupyterLab, move the threshold yourself. Which patients are the last to be found?

# %%
# all patients by probability, and what a threshold makes of them
shake = torch.linspace(-0.35, 0.35, len(y))[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]


def cut_at(threshold):
    precision, recall = measure(z_plain, y, threshold=threshold)
    left, right = plt.subplots(1, 2, width_ratios=(2, 1), layout="constrained")[1]
    for c in (0, 1):
        left.scatter(torch.sigmoid(z_plain)[y == c], (y + shake)[y == c], s=14, **CLASS[c])
    left.axvline(threshold, **LINE["slope"])
    left.set(title=f"alarm above {threshold:.2f}", xlabel="probability", yticks=(0, 1), yticklabels=("benign", "malignant"))
    right.barh(("recall", "precision"), (recall, precision), color=LINE["slope"]["color"])
    right.set(title=f"precision {precision:.2f}, recall {recall:.2f}", xlim=(0, 1))
    return f"Left, 376 patients by probability, the malignant above the benign; a line at {threshold:.2f}. Right, two bars: precision {precision:.2f}, recall {recall:.2f}."


interact(cut_at, threshold=(0.01, 0.5, 0.01, 0.1))

# %% [markdown]
# The last ones lie far to the left, among the benign: any threshold that finds them raises many false alarms. One trained model gives a
# whole family of alarms, one for each threshold, and nothing so far says that 0.5 is the best member of the family. The end of this lesson
# returns to that.
#
# ## Who pulls, and how hard?
#
# Why does training end there? Recall the gradient of one sample's loss with respect to its logit: $p - y$. At the start every logit is 0,
# so every probability is 0.5. How hard does each class pull?

# %%
p = torch.full_like(y, 0.5)
pull = p - y
print(f"the malignant together {pull[y == 1].sum():8.1f}")
print(f"the benign together    {pull[y == 0].sum():8.1f}")
print(f"mean: slope of the bias {pull.mean():.4f}")

# %% [markdown]
# Nineteen patients pull up and 357 pull down, each with the same force of one half. So the bias sinks, until the two sides balance: training
# ends where the mean of $p - y$, which is the slope of the bias, is 0. What does that say about the mean probability?

# %%
p = torch.sigmoid(train(F.binary_cross_entropy_with_logits, X, y)(X))       # trained on all, scored on all
print(f"slope of the bias {(p - y).mean():.4f}")
print(f"mean probability  {p.mean():.4f}")
print(f"share of the ill  {y.mean():.4f}")

# %% [markdown]
# Nothing is broken here: over the patients that it was trained on, the model's mean probability *is* the share of the ill, 0.05. Single
# probabilities above 0.5 are then rare. If all mistakes cost the same, that is hard to beat with these two measurements: silence makes 19 mistakes, and so
# does the trained model. But they do not cost the same.
#
# ## A weight for each sample
#
# So say how much a sample counts. Multiply its loss $\ell_i$ by a weight $w_i$. With weights 1, 3, 3, 1 for the four patients:

# %%
weight = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
for w, loss in zip((1, 3, 3, 1), (0.6444, 0.1269, 0.0486, 0.9741)):
    print(f"{w} x {loss:.4f} = {w * loss:.4f}")

# %% [markdown]
# To get a mean, divide the sum by something. By what: four patients, or eight units of weight?
#
# $$ \frac{1}{N} \sum_i w_i\, \ell_i \qquad\text{or}\qquad \frac{1}{\sum_i w_i} \sum_i w_i\, \ell_i \quad ? $$
#
# PyTorch uses both, in different losses. The next cell shows the result of this one. Find out with pencil and paper which of the two it is.

# %%
print(f"{F.binary_cross_entropy_with_logits(logits, y_true, weight=weight):.4f}")


# %% [markdown]
# ## Exercise: `weighted_bce`
#
# A warm-up for the two losses that follow. Write it from the logits, with the divisor that PyTorch uses. It must also be right at logits
# of ±1000, as in lesson 03: the loss of one sample is softplus(z) for label 0 and softplus(−z) for label 1, and you may use `F.softplus`.

# %% exercise="weighted_bce"
def weighted_bce(z, y, weight):
    """Weighted binary cross-entropy, a 0-d tensor.

    z: logits; y: floats 0 or 1; weight: one for each sample; all of shape (N,).
    """
    ### BEGIN SOLUTION
    return (weight * (F.softplus(z) - y * z)).mean()
    ### END SOLUTION


# %%
results = {
    "yours": ready("weighted_bce")(logits, y_true, weight),
    "modular, nn.BCEWithLogitsLoss(weight=...)": nn.BCEWithLogitsLoss(weight=weight)(logits, y_true),
    "functional, F.binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits(logits, y_true, weight=weight),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(results["yours"], value)

# %% [markdown]
# Lesson 09 meets the other divisor, in `CrossEntropyLoss`.
#
# ## A weight in the wrong direction
#
# Four patients, and for each of them four yes-or-no questions: the losses form a 4×4 table, one row per patient. You want to weigh the *patients*
# 1, 3, 3, 1. Every logit here is 0, so every loss is ln 2. Predict which entries will be three times as large.

# %%
table, answers = torch.zeros(4, 4), torch.ones(4, 4)
per_patient = torch.tensor([1.0, 3.0, 3.0, 1.0])
print(F.binary_cross_entropy_with_logits(table, answers, weight=per_patient, reduction="none"))

# %% [markdown]
# The **columns** are weighted: questions, not patients. `weight` is broadcast, and broadcasting starts at the last dimension. No error came,
# because there happen to be as many questions as patients. With three questions the same line is refused, and with a column of weights it is right:

# %%
try:
    F.binary_cross_entropy_with_logits(table[:, :3], answers[:, :3], weight=per_patient)
except RuntimeError as error:
    print(f"{type(error).__name__}: {str(error).splitlines()[0][:95]}")

print(F.binary_cross_entropy_with_logits(table, answers, weight=per_patient[:, None], reduction="none"))

# %% [markdown]
# ## A weight for the positives
#
# To favour a rare class, let the weight depend on the label alone: all positives count $w$ times, the negatives once. PyTorch calls this $w$
# `pos_weight`.
#
# $$ \ell(z, y) = -\bigl( w\, y \log \sigma(z) + (1 - y) \log (1 - \sigma(z)) \bigr) $$
#
# By hand, with $w = 3$, for the second patient (label 1, probability 0.8808) and the fourth (label 0, probability 0.62246):

# %%
print(f"patient 2: {-3 * math.log(0.8808):.4f}")
print(f"patient 4: {-math.log(1 - 0.62246):.4f}")

# %% [markdown]
# Taken literally, the formula breaks where the model is sure. At a logit of 1000, right for label 1 and wrong for label 0, as value and as gradient:

# %%
for label in (1.0, 0.0):
    z = torch.tensor(1000.0, dtype=torch.float64, requires_grad=True)
    p = torch.sigmoid(z)
    loss = -(3 * label * p.log() + (1 - label) * (1 - p).log())
    loss.backward()
    print(f"label {label:.0f}: value {loss.item():.4f}, gradient {z.grad.item():.4f}")


# %% [markdown]
# A sample that is sure and right gives nan, one that is sure and wrong an infinite loss. One of them in a batch ruins the mean.
#
# ## Exercise: `pos_weight_bce`
#
# Write the mean of this loss over all samples so that it holds at ±1000 too. Decide which stable form each half takes, and which half the
# weight belongs to.

# %% exercise="pos_weight_bce"
def pos_weight_bce(z, y, pos_weight):
    """Mean BCE whose positives count `pos_weight` times, a 0-d tensor.

    z: logits; y: floats 0 or 1, of the shape of z; pos_weight: 0-d.
    """
    ### BEGIN SOLUTION
    # -log p and -log(1 - p), with nothing that overflows
    positive, negative = F.softplus(-z), F.softplus(z)
    return (pos_weight * y * positive + (1 - y) * negative).mean()
    ### END SOLUTION


# %%
yours, three = ready("pos_weight_bce"), torch.tensor(3.0, dtype=torch.float64)
print(f"yours      {yours(logits, y_true, three):.4f}")
print(f"modular    {nn.BCEWithLogitsLoss(pos_weight=three)(logits, y_true):.4f}")
print(f"functional {F.binary_cross_entropy_with_logits(logits, y_true, pos_weight=three):.4f}")
assert torch.isclose(yours(logits, y_true, three), F.binary_cross_entropy_with_logits(logits, y_true, pos_weight=three))

for label in (1.0, 0.0):
    z = torch.tensor([1000.0], dtype=torch.float64, requires_grad=True)
    loss = yours(z, torch.tensor([label], dtype=torch.float64), three)
    loss.backward()
    print(f"z = 1000, label {label:.0f}: value {loss.item():z.4f}, gradient {z.grad.item():z.4f}")

# %% [markdown]
# The mean is the one that `weighted_bce` gave with weights 1, 3, 3, 1: the same weights, written by label. And at $z = 1000$ the repaired loss is finite, in
# value and gradient.
#
# ## How much is fair?
#
# PyTorch's page suggests the number of negatives divided by the number of positives. What does that do to the tug-of-war at the start?

# %%
fair = (y == 0).sum() / (y == 1).sum()
z = torch.zeros_like(y, requires_grad=True)
F.binary_cross_entropy_with_logits(z, y, pos_weight=fair, reduction="sum").backward()
print(f"pos_weight              {fair:.2f}")
print(f"the malignant together {z.grad[y == 1].sum():8.1f}")
print(f"the benign together    {z.grad[y == 0].sum():8.1f}")

# %% [markdown]
# A draw: now nineteen pull as hard as 357. Train with this weight, again by cross-validation. Predict what happens to accuracy, and what to recall.
# Guess the recall first (within 0.1 counts as right), then run.

# %%
guess("recall_with_pos_weight", ..., sure=...)


# %%
def weighted(w):
    """The loss with `pos_weight` w, as a function of logits and labels."""
    return lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.as_tensor(w))


z_weighted = held_out(weighted(fair))
for name, z in [("plain", z_plain), ("pos_weight", z_weighted)]:
    precision, recall = measure(z, y)
    accuracy = ((z > 0) == (y == 1)).double().mean()
    print(f"{name:10}  accuracy {accuracy:.2f}  precision {precision:.2f}  recall {recall:.2f}  {(z[y == 1] > 0).sum():2} found, {(z > 0).sum():3} alarms")
guessed("recall_with_pos_weight", recall, within=0.1)

# %% [markdown]
# Accuracy *falls* by 18 points, and the model has become useful: it finds 15 of the 19 instead of 2. The price is in the last column. Of its
# 98 alarms 83 are false, and each of them is a person who is called back.
#
# Where does the boundary go? In JupyterLab, move the weight, and compare the solid line with the dashed one, whose weight is 1. Beyond its
# line a model raises an alarm:

# %%
# a grid of imagined patients: where their logit is 0, there is the boundary
across, up = torch.meshgrid(torch.linspace(8, 36, 80), torch.linspace(0.04, 0.19, 80), indexing="xy")
grid = torch.stack([across, up], dim=-1).double()


# %%
# the patients, and the boundaries of weight 1 and of another weight
def boundary(pos_weight):
    panel = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    for c, name in enumerate(("benign", "malignant")):
        panel.scatter(*X[y == c].T, s=14 + 20 * c, alpha=0.8, label=name, **CLASS[c])
    for w, style in ((1.0, "dashed"), (pos_weight, "solid")):
        score = train(weighted(w), X, y, steps=300)
        panel.contour(across, up, score(grid), levels=[0.0], colors="black", linestyles=style)
    hits, alarms = (score(X)[y == 1] > 0).sum(), (score(X) > 0).sum()
    panel.set(title=f"pos_weight {pos_weight:.0f}: {hits} of 19 found, {alarms} alarms", xlabel="texture", ylabel="smoothness"), panel.legend(loc="upper right")
    return (f"376 patients by texture and smoothness, and two straight lines falling to the right. The dashed one, of weight 1, leaves nearly all patients on its "
            f"lower side. The solid one, of weight {pos_weight:.0f}, lies the lower, the larger that weight is: {alarms} patients beyond it, {hits} of them malignant.")


interact(boundary, pos_weight=(1.0, 40.0, 1.0, 19.0))

# %% [markdown]
# The line turns a little and moves a lot, towards the benign. It takes in most of the malignant, and many others with them. (This model is
# trained on the patients that you see.)
#
# ## It is not a list of negative and positive
#
# The name invites a misunderstanding: `pos_weight=[1, 3]`, one for the negatives and one for the positives. On four patients:

# %%
pair = torch.tensor([1.0, 3.0], dtype=torch.float64)
try:
    F.binary_cross_entropy_with_logits(logits, y_true, pos_weight=pair)
except RuntimeError as error:
    print(f"{type(error).__name__}: {str(error).splitlines()[0][:95]}")

# %% [markdown]
# Refused, fortunately. But what about a batch that happens to have two patients, or a model with two outputs? Both patients below have label 1.
# Predict both losses: 3 times ln 2 each?

# %%
z, y_two = torch.zeros(2, dtype=torch.float64, requires_grad=True), torch.ones(2, dtype=torch.float64)
loss = F.binary_cross_entropy_with_logits(z, y_two, pos_weight=pair, reduction="none")
loss.sum().backward()
print("losses   ", loss.detach())
print("gradients", z.grad)

# %% [markdown]
# The first positive counted once, the second three times: `pos_weight` belongs to the **last dimension**, one entry for each output. It is meant for tables of
# shape (N, outputs), where every output is a yes-or-no question with a rarity of its own. For a single question give a single number.
#
# ## What the weighted model's 0.5 means
#
# The plain model's mean probability was the share of the ill. The weighted one's?

# %%
for name, z in [("plain", z_plain), ("pos_weight", z_weighted)]:
    print(f"{name:10} mean probability {torch.sigmoid(z).mean():.4f}")
print(f"share of the ill            {y.mean():.4f}")

# %% [markdown]
# Six times too high: taken as probabilities, these outputs are wrong. By how much? Take a group of patients who look alike, of whom 5 in
# 100 are ill. Let the model give all of them one probability, and search for the one with the smallest weighted loss:

# %%
ill = 0.05
candidates = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
for w in (1, 3, 19):
    losses = -(w * ill * candidates.log() + (1 - ill) * (1 - candidates).log())
    best = candidates[losses.argmin()]
    print(f"w = {w:2}: best probability {best:.3f}, odds {best / (1 - best):.3f} = {w} x {best / (1 - best) / w:.3f}")


# %% [markdown]
# The odds, $p / (1 - p)$, of 5 in 100 are 5 to 95, or 0.053. Training with weight $w$ multiplies them by $w$: at $w = 19$, an output of
# one half stands for 5 in 100. The formula says the same: the slope of the weighted loss,
# $-w\,\frac{0.05}{p} + \frac{0.95}{1 - p}$, is 0 where $\frac{p}{1 - p} = w\,\frac{0.05}{0.95}$.
#
# ## Exercise: `corrected_probability`
#
# So the damage can be undone. Write the probability that a model trained with `pos_weight` really claims. What comes in is its *logit*, and
# a logit is the logarithm of the odds: what becomes of a factor there?

# %% exercise="corrected_probability"
def corrected_probability(z, pos_weight):
    """The probability of label 1 that a model trained with `pos_weight` claims.

    z: its logits, of any shape; pos_weight: 0-d, > 0. Returns the shape of z.
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(z - torch.log(pos_weight))
    ### END SOLUTION


# %%
corrected = ready("corrected_probability")(z_weighted, fair)
print(f"pos_weight, as it is  mean {torch.sigmoid(z_weighted).mean():.4f}")
print(f"pos_weight, corrected mean {corrected.mean():.4f}")
print(f"share of the ill           {y.mean():.4f}")

# %% [markdown]
# Nearly repaired: 0.0553 beside 0.0505. It is not exact, because the law holds for a model that can give every group its own odds. Ours has
# only three numbers to set, and the weight has turned its line as well.

# %% fold="How far the weight moved each logit"
# how far the weight moved each logit
shift = z_weighted - z_plain
print(f"weighted - plain: mean {shift.mean():.2f}, standard deviation {shift.std():.2f}")
print(f"ln {fair:.2f} = {fair.log():.2f}")

# %% [markdown]
# ## Settled samples, in crowds
#
# A weight looks at the label only. Look at where the plain model's loss comes from instead. Call the probability given to the true label
# $p_t$: it is $p$ for label 1 and $1 - p$ for label 0.

# %%
given = torch.sigmoid(torch.where(y == 1, z_plain, -z_plain))       # p_t
per_sample = F.binary_cross_entropy_with_logits(z_plain, y, reduction="none")
settled = given > 0.9
print(f"patients with p_t above 0.9: {settled.sum()} of {len(y)}")
print(f"their part of the loss:      {100 * per_sample[settled].sum() / per_sample.sum():.0f} in 100")

# %% [markdown]
# Most patients are settled, and their many small losses still add up to a noticeable part. Lin and colleagues had detectors in mind that
# look at 10 000 to 100 000 boxes in a picture, of which a few hold an object: there, the settled ones drown the rest. Their **focal
# loss** turns settled samples down, by a factor that falls as $p_t$ rises:
#
# $$ \ell = -\alpha_t\, (1 - p_t)^{\gamma} \log p_t \qquad \alpha_t = \begin{cases} \alpha & y = 1 \\ 1 - \alpha & y = 0 \end{cases} $$
#
# By hand, with $\gamma = 2$ and $\alpha = 0.25$, for patients 2 and 4:

# %%
print(f"patient 2, p_t = 0.8808: 0.25 x {(1 - 0.8808)**2:.4f} x {0.1269:.4f} = {0.25 * (1 - 0.8808)**2 * 0.1269:.4f}")
print(f"patient 4, p_t = 0.3775: 0.75 x {(1 - 0.3775)**2:.4f} x {0.9741:.4f} = {0.75 * (1 - 0.3775)**2 * 0.9741:.4f}")


# %% [markdown]
# Under cross-entropy, patient 4 costs about eight times as much as patient 2. Here it costs several hundred times as much.
#
# ## Exercise: `focal_loss`
#
# Write the mean over the samples. Decide how to get $1 - p_t$ and $-\log p_t$ for either label from the logit, so that ±1000 does no harm.
# And let the gradient run through *both* factors.

# %% exercise="focal_loss"
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    """Mean focal loss, a 0-d tensor.

    z: logits; y: floats 0 or 1, of the shape of z.
    alpha: the factor where y = 1; where y = 0 it is 1 - alpha.
    """
    ### BEGIN SOLUTION
    # large where the model is sure and right
    s = torch.where(y == 1, z, -z)
    share = alpha * y + (1 - alpha) * (1 - y)
    return (share * torch.sigmoid(-s) ** gamma * F.softplus(-s)).mean()
    ### END SOLUTION


# %%
focal_ready = ready("focal_loss")
print(f"focal loss                  {focal_ready(logits, y_true):.4f}")
print(f"gamma 0, alpha one half     {focal_ready(logits, y_true, alpha=0.5, gamma=0.0):.4f}")
print(f"half the cross-entropy      {F.binary_cross_entropy_with_logits(logits, y_true) / 2:.4f}")

for label in (1.0, 0.0):
    z = torch.tensor([1000.0], dtype=torch.float64, requires_grad=True)
    loss = focal_ready(z, torch.tensor([label], dtype=torch.float64))
    loss.backward()
    print(f"z = 1000, label {label:.0f}: value {loss.item():z.4f}, gradient {z.grad.item():z.4f}")

# %% [markdown]
# With $\gamma = 0$ and $\alpha = 0.5$ it is half the cross-entropy, a check worth making whenever a loss generalises another. `torch.nn` has no
# focal loss; torchvision has `torchvision.ops.sigmoid_focal_loss`, with the same alpha and gamma, and with `reduction="none"` unless you ask
# for a mean.
#
# Two slips of the pen: writing $p_t$ for $1 - p_t$, or multiplying by $\gamma$ instead of raising to its power. Four samples, from settled to badly wrong. Predict
# for which of them each slip does the most harm.

# %%
p_t = torch.tensor([0.99, 0.9, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
factors = {"focal, gamma 2 ": (1 - p_t) ** 2, "p_t, swapped   ": p_t ** 2, "gamma times    ": 2 * (1 - p_t)}
print("p_t                   ", *(f"{value:7.4f}" for value in p_t))
for name, factor in factors.items():
    (slope,) = torch.autograd.grad((-factor * torch.log(p_t)).sum(), p_t)
    print(name, "factor", *(f"{value:7.4f}" for value in factor), "  slope", *(f"{value:8.4f}" for value in slope))

# %% [markdown]
# Swapped, the settled samples keep their loss and the worst one keeps a hundredth of its own; its slope is even positive, so a training step
# lowers its $p_t$ further. As a factor, $\gamma$ leaves a sample with $p_t = 0.9$ a fifth of its loss where the focal loss leaves a hundredth.
#
# The picture, for a patient with label 1 and without $\alpha$:

# %%
# loss and slope against the logit, for label 1
z = torch.linspace(-4, 5, 300, dtype=torch.float64, requires_grad=True)
fig, (left, right) = plt.subplots(1, 2)
for gamma, style in [(0, LINE["cross-entropy"]), (2, LINE["focal"]), (5, LINE["focal"] | {"linestyle": ":"})]:
    loss = torch.stack([2 * focal_ready(zi, torch.ones_like(zi), alpha=0.5, gamma=float(gamma)) for zi in z])
    (slope,) = torch.autograd.grad(loss.sum(), z)
    left.plot(z.detach(), loss.detach(), **style, label=f"gamma {gamma}")
    right.plot(z.detach(), slope, **style)
left.set(title="loss when y = 1", xlabel="logit z", ylabel="loss")
right.set(title="slope when y = 1", xlabel="logit z", ylabel="d loss / d z")
left.legend()
show("Two plots against the logit z, for label 1. Left, the loss: the larger gamma is, the earlier the curve reaches zero on the right, while on the far "
     "left all three rise alike. Right, the slope: for gamma 2 and 5 it is flat at zero from about z = 2 on, and at z = -3 it is steeper than cross-entropy's.")

# %% [markdown]
# (Gamma 0 is cross-entropy.) Left: where the model is wrong all three rise alike; where it is right, the focal loss is soon close to 0. Right: from
# about $z = 2$ on, a settled sample hardly pulls under the focal loss. Further left the focal slope even passes cross-entropy's −1: by the product rule, the factor
# $(1 - p_t)^\gamma$ adds a slope of its own.
#
# ## Three losses, one curve
#
# Now all three on the 376 patients. Predict: which has the highest recall at the threshold 0.5? (Mind the alpha: 0.25 belongs to the positives.)

# %%
z_focal = held_out(focal_ready)
models = {"plain": (z_plain, "cross-entropy"), "pos_weight": (z_weighted, "weighted"), "focal": (z_focal, "focal")}
for name, (z, _) in models.items():
    precision, recall = measure(z, y)
    print(f"{name:10}  precision {precision:.2f}  recall {recall:.2f}  mean probability {torch.sigmoid(z).mean():.2f}")


# %% [markdown]
# With its default alpha the focal loss finds no more than the plain one, and its mean probability is not the share of the ill either. In the paper
# it serves against a *crowd of settled negatives*, and 0.25 was chosen there together with $\gamma = 2$. It is no recipe for a rare class.
#
# But 0.5 was a poor threshold before. So let it run through all values, and draw precision against recall: the **precision–recall curve**.

# %%
def curve(z):
    """Precision and recall at a threshold below each logit in turn, from the highest logit down."""
    hits = y[z.argsort(descending=True)].cumsum(dim=0)
    return hits / torch.arange(1, len(y) + 1), hits / y.sum()


precision, recall = curve(z_plain)
for alarms in (1, 4, 20, 98, 376):
    print(f"{alarms:3} alarms: precision {precision[alarms - 1]:.2f}  recall {recall[alarms - 1]:.2f}")

# %% [markdown]
# Every number of alarms is a point. With 376, everybody is called: recall 1, and the precision is the share of the ill. The picture shows all
# points for each of the three losses, and a marker where the threshold is 0.5. Recall moves in steps of one nineteenth.

# %%
# precision against recall, and recall against the threshold
fig, (left, right) = plt.subplots(1, 2)
for (name, (z, style)), marker in zip(models.items(), "os^"):
    precision, recall = curve(z)
    left.step(recall, precision, where="pre", **LINE[style] | {"linewidth": 1.3})
    right.step(torch.sigmoid(z).sort(descending=True).values, recall, where="post", **LINE[style])
    precision, recall = measure(z, y)
    left.plot(recall, precision, **LINE[style], marker=marker, markersize=9, markeredgecolor="black", label=name)
left.set(title="19 positives; markers: threshold 0.5", xlabel="recall", ylabel="precision", ylim=(0, 1.05))
right.set(title="recall at each threshold", xlabel="threshold on the probability", ylabel="recall", xlim=(0, 1))
right.axvline(0.5, **LINE["reference"])
left.legend()
show("Left, precision against recall for three models, in steps of one nineteenth: the curves of plain and focal nearly coincide, that of pos_weight crosses them "
     "again and again; all fall to 0.05 at the right. The markers for threshold 0.5 lie far apart: plain and focal at recall about 0.1, pos_weight at recall 0.8. Right, recall against "
     "the threshold: the curve of pos_weight lies far to the right of the other two.")

# %% [markdown]
# Right: the weight pushed the probabilities up, and so more patients pass 0.5. Left: the three curves cross and, but for the first
# few alarms, stay close; what differs is where on its curve the marker for 0.5 sits. If the weight moved mainly the *threshold*, then the plain model with another threshold should do
# the same work:

# %%
cut = torch.sigmoid(z_plain).sort(descending=True).values[98].item()        # 98 patients lie above
precision, recall = measure(z_plain, y, threshold=cut)
print(f"plain, threshold {cut:.2f}:      precision {precision:.2f}  recall {recall:.2f}")
precision, recall = measure(z_weighted, y)
print(f"pos_weight, threshold 0.50: precision {precision:.2f}  recall {recall:.2f}")

# %% [markdown]
# With as many alarms, the two are alike. But how far can 15 of 19 be trusted? The data set has 193 malignant tumours that no model here has seen: ten
# more groups of nineteen. Let both models, each at its threshold, look for them. How much will the number found vary from group to group?

# %%
plain, with_weight = (train(loss, X, y) for loss in (F.binary_cross_entropy_with_logits, weighted(fair)))
groups = [measured[malignant_rows[k::11][:19]] for k in range(1, 11)]
print("plain     ", [(torch.sigmoid(plain(group)) > cut).sum().item() for group in groups])
print("pos_weight", [(with_weight(group) > 0).sum().item() for group in groups])

# %% [markdown]
# From 11 to 15 for one model, by chance alone: which nineteen patients come. On the same group the two models differ by two patients at most. So
# these data cannot tell which of the losses is better, and they do tell that weight and threshold do nearly the same work.
#
# ## A threshold from costs
#
# Which threshold, then? That depends on what mistakes cost. Suppose a missed tumour is as bad as twenty needless call-backs. (The number is
# invented; setting it is up to physicians and patients.) For one patient with probability $p$ of being ill, the two decisions cost, on average:
#
# | decision | is right | is wrong | mean cost |
# |---|---|---|---|
# | no alarm | the patient is well | the tumour is missed: 20 | $20\, p$ |
# | alarm | the patient is ill | a needless call-back: 1 | $1 - p$ |

# %%
for p in (0.01, 0.03, 0.1, 0.5):
    print(f"p = {p:<4}  no alarm costs {20 * p:5.2f}, an alarm {1 - p:.2f}")


# %% [markdown]
# Somewhere between 0.03 and 0.1 the alarm becomes the cheaper decision.
#
# ## Exercise: `cost_threshold`
#
# Find the probability above which an alarm is cheaper, for any two costs. A right decision costs nothing. Decide with pencil and paper where
# the two mean costs are equal, and test your formula: if both mistakes cost the same, the threshold should be 0.5.

# %% exercise="cost_threshold"
def cost_threshold(cost_miss, cost_alarm):
    """The probability of label 1 above which an alarm is the cheaper decision.

    cost_miss, cost_alarm: what a missed positive and a false alarm cost, numbers > 0.
    Returns a number.
    """
    ### BEGIN SOLUTION
    return cost_alarm / (cost_miss + cost_alarm)
    ### END SOLUTION


# %%
cheapest = ready("cost_threshold")(20, 1)
print(f"threshold {cheapest:.4f}")


def cost(alarm):
    """What the alarms (true or false, one for each patient) cost altogether."""
    return (20 * (~alarm & (y == 1)).sum() + (alarm & (y == 0)).sum()).item()


print(f"no alarm at all                {cost(y > 1)}")
print(f"alarms for all                 {cost(y < 2)}")
print(f"plain, threshold 0.5           {cost(torch.sigmoid(z_plain) > 0.5)}")
print(f"plain, threshold from costs    {cost(torch.sigmoid(z_plain) > cheapest)}")
print(f"pos_weight corrected, the same {cost(corrected > cheapest)}")

# %% [markdown]
# The plain model, with no weight and no new training, costs half as much as before. That is what its probabilities were good for. The
# corrected ones of the weighted model do as well; one patient found more or less is a difference of 20.
#
# The weight can do the same, if it is chosen for the same reason. Train with `pos_weight=20`, the ratio of the two costs. Predict: which of
# its outputs are worth an alarm?

# %%
z_cost = held_out(weighted(20.0))
by_probability = ready("corrected_probability")(z_cost, torch.tensor(20.0, dtype=torch.float64)) > cheapest
print(f"the same alarms as at 0.5: {torch.equal(by_probability, z_cost > 0)}")
print(f"cost                       {cost(z_cost > 0)}")
print(f"the plain model decides differently for {((torch.sigmoid(z_plain) > cheapest) != (z_cost > 0)).sum()} of {len(y)}")

# %% [markdown]
# Those above 0.5, exactly. So a weight and a threshold are two ways to say one thing: what a miss costs. Whoever changes both says it twice.
# (The two models are not the same: the weight turns the line as well, and the plain model with its threshold decides differently for a few
# patients, as the last line counts.)
# Lesson 12 asks how far a model's probabilities can be trusted, and decides by costs again.

# %% [markdown] fold="Why the two give the same alarms"
# The corrected logit is $z - \ln 20$. The threshold from these costs is $1/21$; its odds are $1/20$, and its logit is $-\ln 20$. So an alarm
# is raised where $z - \ln 20 > -\ln 20$, that is, where $z > 0$.

# %% [markdown]
# ## In your own words
#
# A colleague trained with `pos_weight` and reports: "Recall went up from 0.11 to 0.79, so the weighted loss is the better one." What would you ask to see before
# you agree? Name one situation in which you would use the weight, and one in which you would move the threshold instead.

# %% [markdown] question="weight_or_threshold" points=2
# Recall alone can be had for nothing: an alarm for everybody has recall 1. I would ask for the precision, for both models' whole precision–recall
# curves on patients that neither was trained on, and for the number of positives: if the curves differ by no more than chance, the weight has
# only moved the point on the curve.
#
# I would move the threshold when the probabilities are needed as such, or when the costs may change: it takes no new training. I would use the
# weight, as the ratio of the costs, when the decision at 0.5 is built into something that I cannot change; and I would correct the
# probabilities before anybody reads them.

# %% [markdown]
# ## Recap
#
# - You built precision and recall, and three losses: weighted by sample, weighted by label, and weighted by how settled a sample is. You undid
#   what a weight does to probabilities, and let costs set the threshold.
# - PyTorch calls the first two losses `weight` and `pos_weight`, arguments of `nn.BCEWithLogitsLoss` and `F.binary_cross_entropy_with_logits`; both divide by N. The
#   third is torchvision's `sigmoid_focal_loss`.
# - Three mistakes people make with them: they report accuracy where one class is rare; they write
#   `pos_weight=[negative, positive]`; they read the outputs of a weighted model as probabilities.
#
# **Before:** `04_logistic_regression`, a classifier trained with your own loss. **Next:** `06_softmax`. What becomes of the sigmoid when a
# flower can belong to one of three species?
#
# **Read on:** PyTorch's page of
# [`BCEWithLogitsLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html); Elkan,
# [*The Foundations of Cost-Sensitive Learning*](https://cseweb.ucsd.edu/~elkan/rescale.pdf); Lin et al.,
# [*Focal Loss for Dense Object Detection*](https://arxiv.org/abs/1708.02002); Saito and Rehmsmeier,
# [*The Precision-Recall Plot Is More Informative than the ROC Plot*](https://doi.org/10.1371/journal.pone.0118432).
