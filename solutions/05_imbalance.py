# %% [markdown]
# # What is 95 per cent right worth?
#
# A model reads 376 reports and is right about 95 of every 100. It says "benign" to everybody. Nineteen of the patients had a malignant
# tumour, and it found **none** of them. What went wrong: the model, the data, or the number?
#
# In this lesson you measure what accuracy hides, and build three losses that pay attention to the rare class: a `weight` for each sample,
# `pos_weight`, and the focal loss. You see what each changes. You need `03_bce_with_logits` and
# `04_logistic_regression`. About 45 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

from grader import check, compare, hint, progress, ready, solution
from grader.figures import CLASS, LINE, interact, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)

cancer = load_breast_cancer()
malignant = torch.tensor(cancer.target == 0)
benign_rows, malignant_rows = (~malignant).nonzero().flatten(), malignant.nonzero().flatten()

# %% [markdown]
# ## The data: ninety-five to five
#
# In earlier lessons label 1 was benign. Here the **positive** class is the one we look for: label 1 is malignant. The data set has 212 malignant tumours;
# in a screening there would be far fewer. So keep all the benign ones and only every eleventh malignant one, and look at two
# measurements that make the task hard: texture and smoothness.

# %%
rows = torch.cat([benign_rows, malignant_rows[::11][:19]])
y = malignant[rows].double()
X = torch.tensor(cancer.data[:, [1, 4]], dtype=torch.float64)[rows]
X = (X - X.mean(dim=0)) / X.std(dim=0)

print(f"malignant tumours in the data set {len(malignant_rows)}")
print(f"patients kept                     {len(y)}")
print(f"  benign                          {(y == 0).sum()}")
print(f"  malignant                       {y.sum():.0f}, that is {100 * y.mean():.1f} in 100")

# %% [markdown]
# We measure on the patients that we train on. With three numbers to learn from 376 patients that flatters the model little, and all the losses alike.
#
# Now train a logistic regression on it, as in the lesson before. Two models: one says "benign" to everybody, the other one is trained. Predict before
# you run: which of them has the higher accuracy?

# %%
def fit(loss, steps=600, lr=1.0):
    """Full-batch gradient descent on `loss(z, y)`; returns the logits of all patients."""
    w, b = torch.zeros(2, dtype=X.dtype, requires_grad=True), torch.zeros((), dtype=X.dtype, requires_grad=True)
    for _ in range(steps):
        grad_w, grad_b = torch.autograd.grad(loss(X @ w + b, y), (w, b))
        with torch.no_grad():
            w -= lr * grad_w
            b -= lr * grad_b
    return (X @ w + b).detach()


z_plain = fit(F.binary_cross_entropy_with_logits)
print(f"accuracy, always benign {(y == 0).double().mean():.4f}")
print(f"accuracy, trained       {((z_plain > 0) == (y == 1)).double().mean():.4f}")

# %% [markdown]
# The same, to the last digit. By accuracy, training was of no use. Look at what the trained model does, not at one number:

# %%
alarm = z_plain > 0
print(f"alarms            {alarm.sum()}")
print(f"  malignant       {(alarm & (y == 1)).sum()}")
print(f"  benign          {(alarm & (y == 0)).sum()}")
print(f"malignant, missed {(~alarm & (y == 1)).sum()}")

# %% [markdown]
# It misses 17 of 19. Accuracy cannot see this, because the 357 benign patients fill it up: who is silent about all of them is right 357 times.
#
# ## Two questions instead of one
#
# - *When there is an alarm, how often is it right?* That is the **precision**.
# - *Of those who should raise one, how many do?* That is the **recall**.
#
# $$ \text{precision} = \frac{\text{hits}}{\text{alarms}} \qquad \text{recall} = \frac{\text{hits}}{\text{positives}} $$
#
# A hit is an alarm about a positive. By hand, for the four patients of this course, alarm where the probability is above 0.5:

# %%
print("probabilities", torch.sigmoid(logits))
print("labels       ", y_true)
print(f"precision     2 / 3 = {2 / 3:.4f}")
print(f"recall        2 / 2 = {2 / 2:.4f}")

# %% [markdown]
# Three alarms (the second, third and fourth patient), two of them hits; both positives found. Neither number ever counts the patients about whom the model was
# rightly silent.
#
# ## Exercise: `precision_recall`
#
# Write both, for any threshold. Two decisions are yours: how scores that are *logits* meet a threshold that stands on the *probability*, and how the
# hits are counted. (You need not care for 0/0: it is not tried.)

# %% exercise="precision_recall"
def precision_recall(z, y, threshold=0.5):
    """The pair (precision, recall). `z`: logits (N,), `y`: floats 0 or 1 (N,). `threshold` is a probability. Two 0-d tensors, dtype of z."""
    ### BEGIN SOLUTION
    alarms = (torch.sigmoid(z) > threshold).to(z.dtype)
    hits = (alarms * y).sum()
    return hits / alarms.sum(), hits / y.sum()
    ### END SOLUTION

# %%
compare("precision_recall", logits, y_true, threshold=0.9)

# %% [markdown]
# And the 376 patients, at several thresholds:

# %%
measure = ready("precision_recall")
for threshold in (0.5, 0.2, 0.1, 0.05):
    precision, recall = measure(z_plain, y, threshold=threshold)
    print(f"threshold {threshold:<4}  precision {precision:.2f}  recall {recall:.2f}")

# %% [markdown]
# Lower the threshold and recall grows, while precision falls. In JupyterLab, move it yourself. Which patients are the last to be found?

# %%
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
# The last ones lie far to the left, among the benign: no threshold finds them alone. There is not one model here but a whole family of alarms, and 0.5 is a poor member
# of it. Keep that in mind: it comes back at the end.
#
# ## Who pulls, and how hard?
#
# Why does training end there? Recall the gradient of one sample's loss by its logit: $p - y$. At the start every logit is 0, so every probability
# is 0.5. How hard does each class pull?

# %%
p = torch.full_like(y, 0.5)
pull = p - y
print(f"the malignant together {pull[y == 1].sum():8.1f}")
print(f"the benign together    {pull[y == 0].sum():8.1f}")
print(f"mean: slope of the bias {pull.mean():.4f}")

# %% [markdown]
# Nineteen patients pull up, 357 pull down, each with the same force of one half. It is no surprise who wins: the bias sinks until hardly anybody
# is above 0.5. Nothing is broken in this. If all mistakes cost the same, silence *is* the cheapest answer. But they do not.
#
# ## A weight for each sample
#
# So say what a sample is worth. Multiply its loss $\ell_i$ by a weight $w_i$. With weights 1, 3, 3, 1 for our four patients:

# %%
weight = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
for w, loss in zip((1, 3, 3, 1), (0.6444, 0.1269, 0.0486, 0.9741)):
    print(f"{w} x {loss:.4f} = {w * loss:.4f}")

# %% [markdown]
# A mean is wanted. But a mean over what? Four patients, or eight units of weight?
#
# $$ \frac{1}{N} \sum_i w_i\, \ell_i \qquad\text{or}\qquad \frac{1}{\sum_i w_i} \sum_i w_i\, \ell_i \quad ? $$
#
# Both are used in the field. The next cell asks PyTorch. Find out with pencil and paper which of the two it is.

# %%
print(f"{F.binary_cross_entropy_with_logits(logits, y_true, weight=weight):.4f}")

# %% [markdown]
# ## Exercise: `weighted_bce`
#
# Write it from the logits, with the divisor that PyTorch uses. It must also be right at logits of ±1000, as in lesson 03: the loss of one sample is
# softplus(z) for label 0 and softplus(−z) for label 1, and `F.softplus` is yours to use.

# %% exercise="weighted_bce"
def weighted_bce(z, y, weight):
    """Weighted binary cross-entropy. `z`: logits, `y`: floats 0 or 1, `weight`: one per sample; all (N,). Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    return (weight * (F.softplus(z) - y * z)).mean()
    ### END SOLUTION

# %%
results = {
    "yours": ready("weighted_bce")(logits, y_true, weight),
    "modular, nn.BCEWithLogitsLoss(weight=...)": nn.BCEWithLogitsLoss(weight=weight)(logits, y_true),
    "functional, F.binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits(logits, y_true, weight=weight),
    "divided by the sum of the weights instead": F.binary_cross_entropy_with_logits(logits, y_true, weight=weight, reduction="sum") / weight.sum(),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
assert torch.isclose(results["yours"], results["modular, nn.BCEWithLogitsLoss(weight=...)"])
assert torch.isclose(results["yours"], results["functional, F.binary_cross_entropy_with_logits"])

# %% [markdown]
# It divides by N. The multiclass `CrossEntropyLoss` divides by the sum of the weights; lesson 09 is about that.
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
# The **columns** are weighted: questions, not patients. `weight` is broadcast, and broadcasting starts at the last dimension. Nobody complained,
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
# Most often the weight depends on the label alone: all positives count $w$ times, the negatives once. PyTorch calls this $w$ `pos_weight`.
#
# $$ \ell(z, y) = -\bigl( w\, y \log \sigma(z) + (1 - y) \log (1 - \sigma(z)) \bigr) $$
#
# By hand, with $w = 3$, for the second patient (label 1, probability 0.8808) and the fourth (label 0, probability 0.62246):

# %%
print(f"patient 2: {-3 * math.log(0.8808):.4f}")
print(f"patient 4: {-math.log(1 - 0.62246):.4f}")

# %% [markdown]
# The formula as it stands breaks for a sure model. At a logit of 1000, right for label 1 and wrong for label 0, as value and as gradient:

# %%
for label in (1.0, 0.0):
    z = torch.tensor(1000.0, dtype=torch.float64, requires_grad=True)
    p = torch.sigmoid(z)
    loss = -(3 * label * p.log() + (1 - label) * (1 - p).log())
    loss.backward()
    print(f"label {label:.0f}: value {loss.item():.4f}, gradient {z.grad.item():.4f}")

# %% [markdown]
# A right and sure sample gives nan, a wrong and sure one an infinite loss. One of them in a batch is enough to ruin the mean.
#
# ## Exercise: `pos_weight_bce`
#
# Write the mean of this loss over all samples so that it holds at ±1000 too. Your decision: which stable form each half takes, and which
# half the weight goes to.

# %% exercise="pos_weight_bce"
def pos_weight_bce(z, y, pos_weight):
    """Mean BCE whose positives count `pos_weight` times. `z`: logits, `y`: floats 0 or 1, same shape; `pos_weight`: 0-d. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    positive, negative = F.softplus(-z), F.softplus(z)      # -log p and -log(1 - p), with nothing that overflows
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
# A common choice is the number of negatives divided by the number of positives. What does it do to the tug-of-war at the start?

# %%
fair = (y == 0).sum() / (y == 1).sum()
z = torch.zeros_like(y, requires_grad=True)
F.binary_cross_entropy_with_logits(z, y, pos_weight=fair, reduction="sum").backward()
print(f"pos_weight              {fair:.2f}")
print(f"the malignant together {z.grad[y == 1].sum():8.1f}")
print(f"the benign together    {z.grad[y == 0].sum():8.1f}")

# %% [markdown]
# A draw: with it, nineteen pull as hard as 357. Train with this weight. Predict what happens to accuracy, and what to recall.

# %%
z_weighted = fit(lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=fair))
for name, z in [("plain", z_plain), ("pos_weight", z_weighted)]:
    precision, recall = measure(z, y)
    accuracy = ((z > 0) == (y == 1)).double().mean()
    print(f"{name:10}  accuracy {accuracy:.2f}  precision {precision:.2f}  recall {recall:.2f}  {(z[y == 1] > 0).sum():2} found, {(z > 0).sum():3} alarms")

# %% [markdown]
# Accuracy *falls* by 19 points, and the model has become useful: it finds 15 of the 19 instead of 2. The price is in the last column. Of about a hundred
# alarms, most are false, and each of them is a person who is called back.
#
# A weight between 1 and this one is a compromise. In JupyterLab, move it and watch the boundary, on whose malignant side a patient raises an alarm:

# %%
def boundary(weight):
    z = fit(lambda z, y: F.binary_cross_entropy_with_logits(z, y, pos_weight=torch.tensor(weight)), steps=200)
    panel = plt.subplots(figsize=(6, 3.6))[1]
    for c, name in enumerate(("benign", "malignant")):
        panel.scatter(*X[y == c].T, s=14 + 20 * c, alpha=0.8, label=name, **CLASS[c])
    panel.tricontour(*X.T, z, levels=[0.0], colors="black")
    panel.set(xlim=(-2.3, 4.1), ylim=(-3.3, 5.4))
    found, alarms = (z[y == 1] > 0).sum(), (z > 0).sum()
    panel.set(title=f"pos_weight {weight:.0f}: {found} of 19 found, {alarms} alarms", xlabel="texture", ylabel="smoothness"), panel.legend()
    return f"376 patients by texture and smoothness, cut by a straight line, the boundary for pos_weight {weight:.0f}: {alarms} lie beyond, {found} of them malignant."


interact(boundary, weight=(1.0, 40.0, 1.0, 19.0))

# %% [markdown]
# The line hardly turns: it moves, towards the benign, and takes the malignant and many others with it.
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
# ## Settled samples, in crowds
#
# A weight looks at the label only. Look at where the plain model's loss comes from instead. Call the probability given to the true label
# $p_t$: it is $p$ for label 1 and $1 - p$ for label 0.

# %%
given = torch.sigmoid(torch.where(y == 1, z_plain, -z_plain))       # p_t
per_sample = F.binary_cross_entropy_with_logits(z_plain, y, reduction="none")
easy = given > 0.9
print(f"patients with p_t above 0.9: {easy.sum()} of {len(y)}")
print(f"their part of the loss:      {100 * per_sample[easy].sum() / per_sample.sum():.0f} in 100")

# %% [markdown]
# Most patients are settled already, and still their many small losses add up to 15 in 100 of the total. In a detector that looks at a hundred thousand empty
# boxes per picture they drown everything. The **focal loss** turns settled samples down, by a factor that falls as $p_t$ rises:
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
# Write the mean over the samples. Your decision: how to get $1 - p_t$ and $-\log p_t$ for either label from the logit, so that ±1000 does no harm.
# And let the gradient run through *both* factors.

# %% exercise="focal_loss"
def focal_loss(z, y, alpha=0.25, gamma=2.0):
    """Mean focal loss. `z`: logits, `y`: floats 0 or 1, same shape; `alpha` for y = 1, 1 - alpha for y = 0. Returns a 0-d tensor."""
    ### BEGIN SOLUTION
    s = torch.where(y == 1, z, -z)                          # large: sure and right
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
# With $\gamma = 0$ and $\alpha = 0.5$ it is half the cross-entropy: a check that every generalisation should pass. `torch.nn` has no focal loss;
# torchvision calls it `torchvision.ops.sigmoid_focal_loss`.
#
# Two slips of the pen are common: $p_t$ stands where $1 - p_t$ belongs, or $\gamma$ is a factor instead of the exponent. Four samples, from settled to badly wrong. Predict
# for which of them each slip does the most harm.

# %%
p_t = torch.tensor([0.99, 0.9, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
factors = {"focal, gamma 2 ": (1 - p_t) ** 2, "p_t, swapped   ": p_t ** 2, "gamma times    ": 2 * (1 - p_t)}
print("p_t                   ", *(f"{value:7.4f}" for value in p_t))
for name, factor in factors.items():
    (slope,) = torch.autograd.grad((-factor * torch.log(p_t)).sum(), p_t)
    print(name, "factor", *(f"{value:7.4f}" for value in factor), "  slope", *(f"{value:8.4f}" for value in slope))

# %% [markdown]
# Swapped, the settled samples keep their loss and the worst one nearly nothing; its slope is even positive, so that training makes it *worse*. As a factor, $\gamma$ leaves a sample
# with $p_t = 0.9$ a fifth of its loss where the focal loss leaves a hundredth.
#
# The picture, for a patient with label 1 and without $\alpha$:

# %%
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
# Left: on the wrong side all three rise alike; on the right side, the focal loss is soon finished with a sample. Right: a settled sample no longer pulls at
# all. (Gamma 0 is cross-entropy.) Further left the focal slope even passes cross-entropy's: the second factor of the product has a slope too.
#
# ## Three losses, one curve
#
# Now all three on the 376 patients. Predict: which has the highest recall at the threshold 0.5? (Mind the alpha: 0.25 belongs to the positives.)

# %%
z_focal = fit(focal_ready)
models = {"plain": (z_plain, "cross-entropy"), "pos_weight": (z_weighted, "weighted"), "focal": (z_focal, "focal")}
for name, (z, _) in models.items():
    precision, recall = measure(z, y)
    print(f"{name:10}  precision {precision:.2f}  recall {recall:.2f}  mean probability {torch.sigmoid(z).mean():.2f}")

# %% [markdown]
# The focal loss with its default alpha finds even less than the plain one. In the paper it serves against a *crowd of settled negatives*, and
# 0.25 was tuned together with $\gamma = 2$ there. It is no recipe for a rare class.
#
# But 0.5 was a poor threshold before. So let it run through all values, and draw precision against recall: the **precision–recall curve**.

# %%
def curve(z):
    """Precision and recall at a threshold below each logit in turn, from the highest logit down."""
    hits = y[z.argsort(descending=True)].cumsum(dim=0)
    return hits / torch.arange(1, len(y) + 1), hits / y.sum()


precision, recall = curve(z_plain)
for alarms in (1, 4, 20, 101, 376):
    print(f"{alarms:3} alarms: precision {precision[alarms - 1]:.2f}  recall {recall[alarms - 1]:.2f}")

# %% [markdown]
# Every number of alarms is a point. With 376, everybody is called: recall 1, and the precision is the share of the ill. The picture joins the points,
# for each of the three losses, and marks where the threshold 0.5 stands.

# %%
fig, (left, right) = plt.subplots(1, 2)
for (name, (z, style)), marker in zip(models.items(), "os^"):
    precision, recall = curve(z)
    left.plot(recall, precision, **LINE[style])
    right.plot(torch.sigmoid(z).sort(descending=True).values, recall, **LINE[style])
    precision, recall = measure(z, y)
    left.plot(recall, precision, **LINE[style], marker=marker, markersize=9, markeredgecolor="black", label=name)
left.set(title="markers: threshold 0.5", xlabel="recall", ylabel="precision", ylim=(0, 1.05))
right.set(title="recall at each threshold", xlabel="threshold on the probability", ylabel="recall", xlim=(0, 1))
right.axvline(0.5, **LINE["reference"])
left.legend()
show("Left, precision against recall for three models: the three curves nearly lie on each other, falling from the upper left towards 0.05 at the right. The markers "
     "for threshold 0.5 lie far apart: plain and focal at recall about 0.1, pos_weight at recall 0.8. Right, recall against the threshold: the curve "
     "of pos_weight lies far to the right of the other two.")

# %% [markdown]
# Left: three losses, and hardly three curves. What differs is where on the curve the marker for 0.5 sits. Right: the reason. The weight pushed all the
# probabilities up, and so more patients pass 0.5. It moved the *threshold*; the *order* of the patients is nearly the same.
#
# If that is so, the plain model with another threshold should do the same work:

# %%
cut = torch.sigmoid(z_plain).sort(descending=True).values[101].item()        # 101 patients lie above
precision, recall = measure(z_plain, y, threshold=cut)
print(f"plain, threshold {cut:.2f}:      precision {precision:.2f}  recall {recall:.2f}")
precision, recall = measure(z_weighted, y)
print(f"pos_weight, threshold 0.50: precision {precision:.2f}  recall {recall:.2f}")

# %% [markdown]
# With as many alarms, the two are alike. And one thing was lost: the plain model's mean probability was 0.05, as many as are ill; the weighted one's, 0.31, is
# true of no patient. After training with a weight, the outputs are scores, not probabilities. Lesson 12 takes up that thread.

# %% [markdown]
# ## In your own words
#
# A colleague trained with `pos_weight` and reports: "Recall went up from 0.11 to 0.79, so the weighted loss is the better one." What would you ask to see before
# you agree? Name one situation in which you would use the weight, and one in which you would move the threshold instead.

# %% [markdown] question="weight_or_threshold" points=2
# Recall alone can be had for nothing: an alarm for everybody has recall 1. I would ask for the precision, and for both models' whole precision–recall
# curves: if they lie on each other, the weight has only moved the point on the curve.
#
# I would move the threshold when the probabilities are needed as such: it costs no training and keeps them honest. I would use the weight when the rare
# class would otherwise hardly influence what is learned, as in training stopped early.

# %% [markdown]
# ## Recap
#
# - You built precision and recall, and three losses: weighted by sample, weighted by label, and weighted by how settled a sample is.
# - PyTorch calls the first two `weight` and `pos_weight`, arguments of `nn.BCEWithLogitsLoss` and `F.binary_cross_entropy_with_logits`; both divide by N. The
#   third is torchvision's `sigmoid_focal_loss`.
# - Three mistakes people make with them: they report accuracy where silence is nearly always right; they write
#   `pos_weight=[negative, positive]`; they read the outputs of a weighted model as probabilities.
#
# **Before:** `04_logistic_regression`, a classifier trained with your own loss. **Next:** `06_softmax`, where there are more than two classes.
#
# **Read on:** PyTorch's page of
# [`BCEWithLogitsLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html); Lin et al.,
# [*Focal Loss for Dense Object Detection*](https://arxiv.org/abs/1708.02002); Saito and Rehmsmeier,
# [*The Precision-Recall Plot Is More Informative than the ROC Plot*](https://doi.org/10.1371/journal.pone.0118432).
