# %% [markdown]
# # What does a score of 2.0 mean?
#
# A model looks at four patients and returns four numbers: −0.1, 2.0, 3.0 and 0.5. The larger the number, the more strongly the model
# believes in label 1, a benign tumour. A doctor asks about the second patient: **how probable is that, then?** "2.0" is no answer.
#
# In this lesson you build the function that turns scores into probabilities, and the way back. You see it break on large scores,
# repair it, and meet it in PyTorch as `torch.sigmoid` and `nn.Sigmoid`. You need `00_tools` and the chain rule. About 40 minutes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import LINE, interact, show

y_true = torch.tensor([0, 1, 1, 0], dtype=torch.float64)
logits = torch.tensor([-0.1, 2.0, 3.0, 0.5], dtype=torch.float64)

# %% [markdown]
# ## From evidence to odds
#
# **Odds** of 3 to 1 mean that, on average, of 4 such cases 3 turn out one way and 1 the other. Odds suit evidence: by Bayes' rule, a finding
# that is twice as frequent in benign tumours as in malignant ones doubles the odds of benign, and a second one of that kind doubles them again if the two are
# independent within either group.
#
# Evidence multiplies odds, but a model adds its evidence up. So let its score $z$ be the natural logarithm of the odds:
#
# $$ \text{odds} = e^z $$
#
# Adding 1 to the score multiplies the odds by $e$. (At Bletchley Park, Alan Turing and Jack Good weighed clues to a cipher by adding up the logarithms of such factors. Good called the logarithm
# of a factor the *weight of evidence*.)
# The four patients:

# %%
for z in logits.tolist():
    print(f"score {z:4.1f}   odds {math.exp(z):7.4f} to 1")

# %% [markdown]
# A score of 0 means 1 to 1: the model has no idea. Below 0 the odds favour label 0.
#
# Now the doctor's question. Odds of 7.3891 to 1 are 7.3891 cases of 8.3891:

# %%
print(f"patient 2: {7.3891 / 8.3891:.4f}")

# %% [markdown]
# That is the answer: the model gives this tumour a probability of 0.8808 of being benign.
#
# ## Exercise: `sigmoid`
#
# Write it for a tensor of scores of any shape: what is $p$, given $z$? Every number above went through the odds; you have to put the two
# steps together. `torch.sigmoid` is what you are building, so it stays out. (No score is larger than 10 here; what large ones do comes later.)

# %% exercise="sigmoid"
def sigmoid(z):
    """Probability of label 1.

    z: scores, a float tensor of any shape.
    Returns that shape, values between 0 and 1.
    """
    ### BEGIN SOLUTION
    return 1 / (1 + torch.exp(-z))
    ### END SOLUTION

# %% [markdown] passed="sigmoid"
# It is the share of the odds in the whole, and dividing numerator and denominator by $e^z$ gives the second form:
#
# $$ \sigma(z) = \frac{e^z}{1 + e^z} = \frac{1}{1 + e^{-z}} $$

# %% [markdown]
# Try it on the four patients.

# %%
compare("sigmoid", logits)

# %% [markdown]
# The function is called the **sigmoid** and written $\sigma$. What about the other label? If 2.0 means 0.8808, what does −2.0 mean? Guess it (within 0.02 counts as right), then run.

# %%
guess("probability_of_minus_two", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
sigmoid_ready = ready("sigmoid")
y_pred = sigmoid_ready(logits)
print("sigmoid(z)               ", y_pred)
print("sigmoid(-z)              ", sigmoid_ready(-logits))
print("sigmoid(z) + sigmoid(-z) ", y_pred + sigmoid_ready(-logits))
guessed("probability_of_minus_two", sigmoid_ready(-logits)[1], within=0.02)

# %% [markdown]
# Flipping the sign of the score swaps the labels: $\sigma(-z) = 1 - \sigma(z)$. Keep that identity in mind. It looks like a
# curiosity and will save a number from disappearing below.
#
# ## Exercise: `logit`
#
# Now the way back. A doctor says 0.8808 and wants to know which score that is. Solve for $z$, with pencil and paper first. Two inputs are
# special: what score does certainty have, $p = 0$ or $p = 1$?

# %% exercise="logit"
def logit(p):
    """The score that has this probability.

    p: a float tensor of any shape, 0 <= p <= 1.
    Returns that shape, -inf at 0, inf at 1.
    """
    ### BEGIN SOLUTION
    return torch.log(p / (1 - p))
    ### END SOLUTION

# %%
logit_ready = ready("logit")
print("there and back ", logit_ready(y_pred))
print("certainty      ", logit_ready(torch.tensor([0.0, 0.5, 1.0])))

# %% [markdown]
# There and back gives the scores we started from. The statistician Joseph Berkson named this function the **logit** in 1944, and it is why the scores of a model
# are called **logits**: they are log-odds.
#
# On paper, no finite score has the probability 1. To be certain, a model would need infinite evidence.
#
# ## How much does a little more evidence change?
#
# Training moves scores by small steps, so it needs the slope of the sigmoid. Move each score by 0.01, up and down, and see how far the probability moves:

# %%
step = 0.01
moved = (sigmoid_ready(logits + step) - sigmoid_ready(logits - step)) / (2 * step)
print("score          ", logits)
print("measured slope ", moved)

# %% [markdown]
# The patient at −0.1, about whom the model is least sure, moves most; the one at 3.0 moves less than a fifth as much.
#
# ## Exercise: `sigmoid_grad`
#
# Derive what was measured: the derivative of $\sigma$ with respect to $z$, score by score. The chain rule on your formula gives a fraction; it is worth
# writing that fraction with $\sigma$ itself.

# %% exercise="sigmoid_grad"
def sigmoid_grad(z):
    """d sigmoid / d z at each score.

    z: a float tensor of any shape. Returns that shape.
    """
    ### BEGIN SOLUTION
    share = torch.sigmoid(z)
    return share * (1 - share)
    ### END SOLUTION

# %%
z = logits.clone().requires_grad_(True)
(by_autograd,) = torch.autograd.grad(torch.sigmoid(z).sum(), [z])
print(f"autograd {by_autograd}")
print(f"yours    {ready('sigmoid_grad')(logits)}")

# %% [markdown]
# Both agree with the measurement. Now walk along the curve: in JupyterLab a slider below the picture moves the score. The dashed line is the tangent. Where is it steepest, and
# what happens to odds and probability when you add 1?

# %%
# the sigmoid with its tangent, and its slope, at the score of the slider
def walk(z):
    line, at = torch.linspace(-8, 8, 321, dtype=torch.float64), torch.tensor([z], dtype=torch.float64)
    p, slope = sigmoid_ready(at).item(), ready("sigmoid_grad")(at).item()
    fig, (left, right) = plt.subplots(1, 2)
    left.plot(line, sigmoid_ready(line), **LINE["sigmoid"])
    left.plot(logits, y_pred, "o", color="0.6", label="the four patients")
    left.plot(line, p + slope * (line - z), **LINE["slope"] | {"linewidth": 1.5})
    left.set(title=f"z = {z:.2f}: odds {math.exp(z):.4g} to 1, probability {p:.4f}", xlabel="score z", ylabel="probability of label 1", ylim=(-0.05, 1.05))
    right.plot(line, ready("sigmoid_grad")(line), **LINE["slope"])
    right.set(title=f"slope {slope:.4f}", xlabel="score z", ylabel="d probability / d z", ylim=(0, 0.3))
    left.legend(loc="lower right"), left.plot(z, p, "ko", markersize=8), right.plot(z, slope, "ko", markersize=8)
    return (f"Two plots against the score z from -8 to 8. Left, the sigmoid, an S-shaped curve from 0 to 1, with a dot at z = {z:.2f}, probability {p:.4f}, and the tangent "
            f"there. Right, its slope, a bell with its top of 0.25 at z = 0 and close to 0 beyond 6 on either side, with a dot at {slope:.4f}.")


interact(walk, z=(-8.0, 8.0, 0.5, 2.0))

# %% [markdown]
# The curve passes one half at a score of 0, where its slope is largest, a quarter. On both sides the slope fades.
#
# So can a model that is sure, and *wrong*, still learn? Through the sigmoid alone, hardly. Whether it learns depends on the loss that follows; keep the question in mind, because `02_bce` and
# `03_bce_with_logits` answer it.
#
# ## Where the slope disappears
#
# That a probability never reaches 1 holds on paper. In float32, the usual dtype of a model, the sum $1 + e^{-z}$ is rounded, and 1 plus anything below about 6e-8 is 1 again (`00_tools`). Of the scores 5, 15,
# 16, 17, 20 and 30, which is the first whose probability is exactly 1? Guess, then run.

# %%
guess("first_score_that_is_certain", ..., sure=...)

# %%
print("   z   sigmoid(z) == 1   1 - sigmoid(z)    autograd's slope    sigmoid(-z)")
for value in (5.0, 15.0, 16.0, 17.0, 20.0, 30.0):
    z = torch.tensor(value, requires_grad=True)
    p = torch.sigmoid(z)
    (slope,) = torch.autograd.grad(p, z)
    print(f"{value:4.0f}   {str(p.item() == 1):>15}   {1 - p.item():14.3e}   {slope.item():16.3e} {torch.sigmoid(-z).item():14.3e}")
guessed("first_score_that_is_certain", 17, within=0.5)

# %% [markdown]
# At 17 the sum has become 1: from there on the probability is exactly 1 in float32, and autograd's slope exactly 0. The true slope at 20 is small (nearly the last column's 2.061e-09), but it is not 0. On the way back, everything that passes through such a sigmoid is
# multiplied by that 0.
#
# The last column is the repair. It is the same number as $1 - \sigma(z)$, by the identity above, but nothing was subtracted from 1.
# When you need the probability of label 0, take $\sigma(-z)$.
#
# ## exp has an end
#
# Something worse happens inside. Floating-point numbers have a largest value, and the exponential gets there early:

# %%
for dtype, values in [(torch.float16, (11.0, 11.2)), (torch.float32, (88.7, 88.8)), (torch.float64, (709.7, 709.8))]:
    for value in values:
        print(f"exp({value}) in {str(dtype).removeprefix('torch.'):7}  {torch.exp(torch.tensor(value, dtype=dtype)).item():.4g}")

# %% [markdown]
# Past its end, `exp` gives inf. The sigmoid contains an exponential, and can be written with $e^{-z}$ or with $e^z$. Both forms are in the next cell.

# %% fold="the two forms of the sigmoid"
# the two forms of the sigmoid
def with_minus(z):
    u = 1 + torch.exp(-z)
    return 1 / u


def with_plus(z):
    return torch.exp(z) / (1 + torch.exp(z))

# %% [markdown]
# Try both on scores of −1000 and 1000, value **and** slope. Predict the four values first: each is 0, 1, inf or nan.

# %%
for form in (with_minus, with_plus):
    z = torch.tensor([-1000.0, 1000.0], dtype=torch.float64, requires_grad=True)
    p = form(z)
    (slope,) = torch.autograd.grad(p.sum(), z)
    print(f"{form.__name__:10}  value {p.tolist()}   slope {slope.tolist()}")

# %% [markdown]
# The form with $e^z$ is inf/inf at 1000, which is nan. The one with $e^{-z}$ looks healthy: its value at −1000 is 0, as it should be. But its slope there is nan, because autograd multiplies a
# 0 by an inf. Nobody sees it in the value; one training step later the weights behind it are nan.
#
# Here is the whole range, in float32.

# %%
# value of the one form and slope of the other, against the definition
z = torch.linspace(-120, 120, 961, requires_grad=True)
(slope,) = torch.autograd.grad(with_minus(z).sum(), z)
value = with_plus(z.detach())
z = z.detach()
exact = torch.sigmoid(z.double())
fig, (left, right) = plt.subplots(1, 2)
for axis, curve, right_one in [(left, value, exact), (right, slope, exact * torch.sigmoid(-z.double()))]:
    axis.plot(z, right_one, color="0.75", linewidth=6, label="definition")
    axis.plot(z, curve, **LINE["naive"], label="in float32")
left.set(title="value of the form with exp(z)", xlabel="score z", ylabel="value")
right.set(title="slope of the form with exp(-z)", xlabel="score z", ylabel="slope (logarithmic)", yscale="log", ylim=(1e-44, 10))
left.legend(loc="center left")
show("Two plots against the score z from -120 to 120, the definition as a broad grey line, what float32 gives as a dashed one. Left, the value of the form "
     "with exp(z): the dashed line ends at 88. Right, the slope of the form with exp(-z) on a logarithmic scale: the dashed line drops to 0 near -52.")

# %% [markdown]
# Left: the dashed line ends where `exp` does, and what follows is nan. Right: on the left side the slope drops to 0 near −52, where the definition (the broad line) is still far above the
# smallest float32, and turns to nan at −89. Why −52? To differentiate $1/u$, autograd multiplies by the square of the result:

# %%
p = with_minus(torch.tensor(-52.0))
print(f"p = {p.item():.1e}, and p² = {(p * p).item():.1e} in float32, {p.double().item() ** 2:.1e} in float64")

# %% [markdown]
# $p^2$ is less than half the smallest positive number that float32 has, 1.4e-45, so it is rounded to 0: it **underflows**.
#
# ## Exercise: `stable_sigmoid`
#
# Each form is healthy on one side. Write a sigmoid that is right, in value and slope, for scores of any size. It is no use to compute both forms and choose between them with `torch.where`, because the one you drop has overflowed by then and
# spoils the slope (`03_bce_with_logits` shows how). What has to be chosen instead, and what must never enter an exponential?

# %% exercise="stable_sigmoid"
def stable_sigmoid(z):
    """Probability of label 1, for scores of any size.

    z: a float tensor of any shape. Returns that shape; its gradient is finite.
    """
    ### BEGIN SOLUTION
    e = torch.exp(torch.where(z > 0, -z, z))  # never of a positive number
    return torch.where(z > 0, torch.ones_like(e), e) / (1 + e)
    ### END SOLUTION

# %% [markdown] passed="stable_sigmoid"
# The choice is made *before* the exponential, so there is nothing to hide after it. PyTorch goes another way. Its kernel computes $1/(1 + e^{-z})$ and lets the exponential overflow; it is safe because its
# backward pass never looks at the exponential: it multiplies by $p\,(1 - p)$, computed from the saved result $p$. No inf, no nan, but a 0 where $p$ has become 0 or 1.

# %%
z = torch.tensor([-1000.0, -2.0, 2.0, 1000.0], dtype=torch.float64, requires_grad=True)
p = ready("stable_sigmoid")(z)
(slope,) = torch.autograd.grad(p.sum(), z)
print("value", p.detach())
print("slope", slope)

# %% [markdown]
# There is no inf and no nan, and the ordinary scores are as before.
#
# ## What PyTorch calls it
#
# The **modular** API makes an object first and calls it later, so that it can sit between two layers of a model. The **functional** API is a function.

# %%
results = {
    "yours": ready("stable_sigmoid")(logits),
    "modular, nn.Sigmoid": nn.Sigmoid()(logits),
    "functional, torch.sigmoid": torch.sigmoid(logits),
    "functional, F.sigmoid": F.sigmoid(logits),
    "method, logits.sigmoid": logits.sigmoid(),
}
for name, value in results.items():
    print(value, name)
    assert torch.allclose(value, results["yours"])
assert torch.allclose(torch.logit(y_pred), logits)

# %% [markdown]
# The way back is `torch.logit`. Is PyTorch's sigmoid the stable kind, too? Look at both far out, in float32.

# %%
for value in (-1000.0, -89.0, -52.0):
    z = torch.tensor([value], requires_grad=True)
    for name, f in [("torch.sigmoid", torch.sigmoid), ("yours", ready("stable_sigmoid"))]:
        (slope,) = torch.autograd.grad(f(z), z)
        print(f"z = {value:6.0f}   {name:14} value {f(z).item():8.1e}   slope {slope.item():8.1e}")

# %% [markdown]
# PyTorch's is safe: it gives neither inf nor nan. But it does not avoid the overflow, and at −89 it says 0 where yours still has a number. Nothing breaks, because its
# [backward pass](https://github.com/pytorch/pytorch/blob/main/tools/autograd/derivatives.yaml) uses only the saved result and never the exponential.
#
# ## From a probability to a decision
#
# Somebody has to decide in the end: benign or not? A common cut is a probability of 0.5, but a hospital may want another. The cut is called the **threshold**,
# and it applies to the *probability*.
#
# ## Exercise: `predict`
#
# Given logits and a threshold, write the decision: 1 where the probability of label 1 is above the threshold, 0 elsewhere (as bool, int or float). Two scales meet here.
# On which of them do you compare?

# %% exercise="predict"
def predict(z, threshold=0.5):
    """Decisions, 0 or 1, in the shape of z.

    z: logits. threshold: a probability between 0 and 1, a Python float.
    """
    ### BEGIN SOLUTION
    return (torch.sigmoid(z) > threshold).long()
    ### END SOLUTION

# %%
predict_ready = ready("predict")
print("labels           ", y_true.long())
print("threshold 0.5    ", predict_ready(logits).long())
print("threshold 0.9    ", predict_ready(logits, threshold=0.9).long())
print("logits above 0.5 ", (logits > 0.5).long())

# %% [markdown]
# The last line contains a mistake: it compares *logits* with 0.5. It differs at patient 4 and, by luck, even agrees with the labels; that is
# how such a mistake survives. A probability of one half is a logit of **0**. So which threshold was used? The sigmoid knows:

# %%
print(f"logit 0.0 is the probability {sigmoid_ready(torch.tensor(0.0)).item():.4f}")
print(f"logit 0.5 is the probability {sigmoid_ready(torch.tensor(0.5)).item():.4f}")

# %% [markdown]
# ## 569 patients
#
# Now real patients. A crude model looks at one number, the mean radius of the cell nuclei: the larger, the less likely benign. (Its two constants were fitted to these patients;
# `04_logistic_regression` shows how.) How many patients get another decision when 0.5 is read on the wrong scale?

# %%
cancer = load_breast_cancer()
radius = torch.tensor(cancer.data[:, 0])
benign = torch.tensor(cancer.target)                       # 1 is benign, 0 is malignant
scores = 0.64 - 3.64 * (radius - radius.mean()) / radius.std()

decisions = {"probability above 0.5": predict_ready(scores).long(), "logit above 0.5": (scores > 0.5).long(),
             "probability above 0.9": predict_ready(scores, threshold=0.9).long()}
for name, label in decisions.items():
    print(f"{name:22} right {(label == benign).double().mean():.4f}   malignant called benign {((label == 1) & (benign == 0)).sum():3}"
          f"   benign called malignant {((label == 0) & (benign == 1)).sum():3}")
print("another decision at logit 0.5:", (decisions["logit above 0.5"] != decisions["probability above 0.5"]).sum().item(), "patients")

# %%
# the patients and the two cuts, over the scores and over the probabilities
fig, (left, right) = plt.subplots(1, 2, sharey=True)
for axis, values, edges in [(left, scores.clamp(-6, 6), torch.linspace(-6, 6, 25)), (right, torch.sigmoid(scores), torch.linspace(0, 1, 21))]:
    axis.hist(values[benign == 0], bins=edges, color="0.6", label="malignant")
    axis.hist(values[benign == 1], bins=edges, histtype="step", color="black", linewidth=2, label="benign")
    axis.set(ylabel="patients")
for axis, right_cut, wrong_cut in [(left, 0.0, 0.5), (right, 0.5, torch.sigmoid(torch.tensor(0.5)))]:
    axis.axvline(right_cut, **LINE["repaired"], label="probability 0.5")
    axis.axvline(wrong_cut, **LINE["broken"], label="logit 0.5")
left.set(title="on the scale of the scores", xlabel="score z (beyond 6: in the last bar)")
right.set(title="on the scale of the probabilities", xlabel="probability of benign")
left.legend(loc="upper left")
show("Two histograms of 569 patients, malignant filled grey, benign outlined. Left over the scores: the cut at probability one half is at score 0, "
     "the cut at logit 0.5 to the right of it. Right over the probabilities: the same two cuts are at 0.5 and 0.62.")

# %% [markdown]
# Both panels show the same patients and the same two cuts. The dashed one is the mistake: everybody between the two lines got another decision, and no error was
# raised. The cut at probability 0.9 is a different matter. It is on the right scale and stricter on purpose: fewer malignant tumours are called benign,
# and many more benign ones are called malignant.

# %% [markdown]
# ## In your own words
#
# A colleague says: "This patient has a score of 4 and that one a score of 2, so the model is twice as sure about the first." What is wrong with that?
# Say what the two scores mean as odds and as probabilities, and what doubling a score does to the odds.

# %% [markdown] question="twice_the_score" points=2
# Scores are logarithms of odds, so equal *differences* mean equal factors in the odds; ratios of scores mean nothing as such. A score of 2 is odds of
# $e^2 = 7.4$ to 1 and a probability of 0.881; a score of 4 is odds of $e^4 = 54.6$ to 1 and a probability of 0.982. Doubling the score squares the
# odds ($e^{2z} = (e^z)^2$). The probability did not double, and cannot; what shrank is the probability of the other label, from 0.119 to 0.018.

# %% [markdown]
# ## Recap
#
# - You built the sigmoid from odds, its inverse, the logit, and its slope; then a sigmoid that survives scores of any size, and the
#   decision at a threshold.
# - PyTorch calls them `torch.sigmoid` (`nn.Sigmoid` as a module) and `torch.logit`; the slope is autograd's.
# - Three mistakes people make with it: they compare logits with 0.5; they compute $1 - \sigma(z)$ where $\sigma(-z)$ keeps the digits; they write the exponential
#   by hand and look at its value only, not at its gradient.
#
# **Before:** `00_tools`, shapes and gradients. **Next:** `02_bce`: the model said 0.6225, and the tumour was malignant. What should that cost?
#
# **Read on:** PyTorch's page of [`Sigmoid`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Sigmoid.html); Bishop, *Pattern Recognition and Machine
# Learning*, section 4.2; Goodfellow, Bengio and Courville, [*Deep Learning*, section 4.1](https://www.deeplearningbook.org/contents/numerical.html), on overflow.
