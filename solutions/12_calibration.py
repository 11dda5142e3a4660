# %% [markdown]
# # Can the probability be trusted?
#
# A network reads a digit and says: "a 7, with probability 0.99". Of a hundred such answers, about 99 should be right. Are they?
# And if not, can the probabilities be repaired, without training again and without changing a single answer?
#
# In this lesson you compare what a model claims with what it delivers (reliability), sum the comparison up in one number (the calibration error), see that number fooled, repair a
# network with a single parameter (the temperature), and let its probabilities decide something. You need `08_cross_entropy` and, for the temperature, `06_softmax`. About 45 minutes.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, guesses, hint, progress, ready, solution
from grader.figures import LINE, show

example_logits = torch.tensor(
    [[-5.0, 10.0, 1.2,  3.0, -4.0],
     [ 5.0, -4.0, 0.1,  1.0,  0.1],
     [ 1.0,  3.0, 2.5, -0.1,  2.5],
     [-7.0,  2.5, 0.1,  3.1,  0.2]]
)
y_true = torch.tensor([0, 2, 3, 1])

# %% [markdown]
# ## A network that learned too much
#
# These are scikit-learn's digits, with noise added to the pictures so that the task is harder. They come in three parts: 150 pictures to train on, 400 to
# repair with, and the rest to judge by.

# %%
digits = load_digits()
draw = torch.Generator().manual_seed(0)
order = torch.randperm(len(digits.target), generator=draw)
labels = torch.tensor(digits.target)[order]
pictures = torch.tensor(digits.data, dtype=torch.float64)[order] / 16
pictures = pictures + 0.3 * torch.randn(pictures.shape, generator=draw, dtype=torch.float64)

train, repair, judge = slice(0, 150), slice(150, 550), slice(550, None)
print(f"to train on {len(labels[train])}, to repair with {len(labels[repair])}, to judge by {len(labels[judge])}")

# %% [markdown]
# A small network is trained until it knows its 150 pictures by heart. On pictures that it has never seen, will its mean confidence be `"above"` or
# `"below"` its accuracy? Guess first, then run.

# %%
guess("confidence_on_new_pictures", ..., sure=...)     # "above" or "below", and how sure you are, from 0 to 1

# %%
def logits_after_training(label_smoothing=0.0, steps=200):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(pictures[train]), labels[train], label_smoothing=label_smoothing).backward()
        optimizer.step()
    return network(pictures).detach()


logits = logits_after_training()
for name, part in [("train", train), ("judge", judge)]:
    confidence, predicted = torch.softmax(logits[part], dim=1).max(dim=1)
    print(f"{name}: accuracy {(predicted == labels[part]).double().mean():.2f}, mean confidence {confidence.mean():.2f}")
guessed("confidence_on_new_pictures", "above", choices=("above", "below"))

# %% [markdown]
# On new pictures the network claims far more than it delivers. On the training pictures all its answers are right, so cross-entropy rewarded it for every bit of confidence it could add.
#
# ## Confidence and accuracy
#
# From here on, two words have a precise meaning:
#
# - the **confidence** of a prediction is the largest probability of its row;
# - a model is **calibrated** if, in the long run, 80 per cent of its predictions with confidence 0.8 are right, and likewise for every other confidence.
#
# This is *top-label* calibration: it checks the predicted class only. Whether the 0.05 that the model gives to some other class can be trusted is a further question.
#
# No two confidences of our network are the same, so a share of right ones needs neighbours. Sort the predictions into bins: with 10 bins, those from 0.8 to 0.9 go together. The four samples
# of this course:

# %%
example_p = torch.softmax(example_logits, dim=1)
for row, label in zip(example_p, y_true):
    print(f"says class {row.argmax()} with {row.max():.4f}, bin {int(row.max() * 10)}; true class {label}")

# %% [markdown]
# Two of them fall into bin 9, and one each into bins 6 and 4. All four are wrong, so the accuracy is 0 in every bin. By hand, the mean confidence
# in bin 9:

# %%
print(f"({0.9989:.4f} + {0.9677:.4f}) / 2 = {(0.9989 + 0.9677) / 2:.4f}")

# %% [markdown]
# ## Exercise: `reliability`
#
# For every bin, compute the mean confidence, the accuracy, and the number of samples. A prediction with confidence $c$ belongs to bin
# $\min(\lfloor c \cdot \text{bins} \rfloor,\ \text{bins} - 1)$. You have two things to decide: what an empty bin does (it should give 0, not nan), and how to take a mean
# within each bin.

# %% exercise="reliability"
def reliability(p, y, bins=10):
    """Mean confidence, accuracy and number of samples of each bin.

    p: probabilities (N, C); y: int64 classes (N,).
    Returns three tensors of shape (bins,); an empty bin gives 0, 0 and 0.
    """
    ### BEGIN SOLUTION
    largest, predicted = p.max(dim=1)
    # a confidence of exactly 1 has a bin too
    index = (largest * bins).long().clamp(max=bins - 1)
    member = F.one_hot(index, bins).to(p.dtype)    # (N, bins): who is in which
    count = member.sum(dim=0)
    size = count.clamp(min=1)                      # an empty bin: 0 / 1
    right = (predicted == y).to(p.dtype)
    return largest @ member / size, right @ member / size, count
    ### END SOLUTION

# %%
compare("reliability", example_p, y_true, bins=5)

# %% [markdown]
# And now the network:

# %%
account = ready("reliability")
p_before = torch.softmax(logits[judge], dim=1)
print("bin         confidence  accuracy  samples")
for k, (claimed, delivered, count) in enumerate(zip(*account(p_before, labels[judge]))):
    print(f"{k / 10:.1f} to {(k + 1) / 10:.1f}        {claimed:.2f}      {delivered:.2f}     {int(count):4}")

# %% [markdown]
# From 0.4 upwards the accuracy is below the confidence in every bin, and from 0.6 to 0.9 by 0.25 or more. About two thirds of the samples lie in the last bin.
#
# ## One number
#
# Each bin has a gap, $|\text{accuracy} - \text{confidence}|$. The **expected calibration error** (ECE) is the mean gap, but not the mean over the bins: a bin with
# fourteen samples tells us less than one with eight hundred. So each gap is weighted by its share of the samples:
#
# $$ \text{ECE} = \sum_{b} \frac{n_b}{N}\, \bigl| \text{acc}_b - \text{conf}_b \bigr| $$
#
# By hand for the four samples, with their three bins:

# %%
print(f"2/4 x {0.9833:.4f} + 1/4 x {0.6047:.4f} + 1/4 x {0.4178:.4f} = {2 / 4 * 0.9833 + 1 / 4 * 0.6047 + 1 / 4 * 0.4178:.4f}")

# %% [markdown]
# ## Exercise: `expected_calibration_error`
#
# Write it. Your own `reliability` supplies the three numbers of each bin.

# %% exercise="expected_calibration_error"
def expected_calibration_error(p, y, bins=10):
    """ECE over `bins` equally wide bins of confidence.

    p: probabilities (N, C); y: int64 classes (N,).
    Returns a 0-d tensor of the dtype of p.
    """
    ### BEGIN SOLUTION
    claimed, delivered, count = reliability(p, y, bins)
    return (count * (delivered - claimed).abs()).sum() / count.sum()
    ### END SOLUTION

# %%
ece = ready("expected_calibration_error")
print(f"four samples {ece(example_p, y_true):.4f}")
for bins in (5, 10, 20, 40):
    print(f"network, {bins:2} bins: {ece(p_before, labels[judge], bins=bins):.3f}")

# %% [markdown]
# The number of bins hardly matters here, because nearly every bin errs in the same direction. That changes as soon as a model is nearly calibrated, as you will see below.
#
# ## A number that can be fooled
#
# Here is a competitor that never looks at the picture. To every digit it gives the share of that digit among the pictures to repair with, about one tenth
# each. Which has the lower calibration error, this one or the network?

# %%
shares = torch.bincount(labels[repair], minlength=10).double() / 400
p_blind = shares.expand(len(p_before), 10)
for name, p in [("network", p_before), ("blind", p_blind)]:
    right = (p.argmax(dim=1) == labels[judge]).double().mean()
    print(f"{name:8} accuracy {right:.2f}, calibration error {ece(p, labels[judge]):.2f}")

# %% [markdown]
# The blind one wins by far. It claims little and delivers little, so claims and deliveries match. Calibration measures honesty, not knowledge.
#
# A score is called **strictly proper** if its expected value is best for the true probabilities and for no others. Try it: let an outcome have probability 0.7, and look for the forecast with the lowest expected score.

# %%
forecast = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
expected = {
    "cross-entropy": -(0.7 * forecast.log() + 0.3 * (1 - forecast).log()),
    "squared error": 0.7 * (1 - forecast) ** 2 + 0.3 * forecast**2,
    "absolute error": 0.7 * (1 - forecast) + 0.3 * forecast,
}
for name, score in expected.items():
    print(f"{name:14} is lowest for the forecast {forecast[score.argmin()]:.2f}")

# %% [markdown]
# ### Which scores are strictly proper
#
# Cross-entropy is: its excess over the entropy is the divergence of `10_kl_divergence`, which is 0 for the truth alone. The squared error is, too. The absolute error is not, because it rewards exaggeration. Nor is the calibration error, because a forecaster who knows nothing can share the best value, 0.
#
# ### The Brier score
#
# For several classes the squared error is called the **Brier score** (Glenn Brier proposed it for weather forecasts in 1950): the squared distance between the predicted row and the one-hot label $e_y$,
#
# $$ \text{Brier} = \frac{1}{N} \sum_{i} \sum_{c} \bigl( p_{ic} - e_{ic} \bigr)^2 $$
#
# By hand, for one sample with probabilities 0.7, 0.2, 0.1 and true class 0:

# %%
print(f"{(0.7 - 1)**2:.2f} + {0.2**2:.2f} + {0.1**2:.2f} = {(0.7 - 1)**2 + 0.2**2 + 0.1**2:.2f}")

# %% [markdown]
# ## Exercise: `brier_score`
#
# Write it for a whole batch. Decide over which dimension to add and over which to average.

# %% exercise="brier_score"
def brier_score(p, y):
    """Brier score, a 0-d tensor of the dtype of p.

    p: probabilities (N, C); y: int64 classes (N,).
    """
    ### BEGIN SOLUTION
    target = F.one_hot(y, p.shape[1]).to(p.dtype)
    return ((p - target) ** 2).sum(dim=1).mean()
    ### END SOLUTION

# %%
brier = ready("brier_score")
for name, p in [("network", p_before), ("blind", p_blind)]:
    loss = F.nll_loss(p.log(), labels[judge])
    print(f"{name:8} calibration error {ece(p, labels[judge]):.2f}  Brier {brier(p, labels[judge]):.2f}  cross-entropy {loss:.2f}")

# %% fold="the Brier score from PyTorch's mean squared error"
# the Brier score from PyTorch's mean squared error
one_hot_labels = F.one_hot(labels[judge], 10).double()
print(f"modular, 10 x nn.MSELoss    {10 * nn.MSELoss()(p_before, one_hot_labels):.2f}")
print(f"functional, 10 x F.mse_loss {10 * F.mse_loss(p_before, one_hot_labels):.2f}")
assert torch.isclose(brier(p_before, labels[judge]), 10 * F.mse_loss(p_before, one_hot_labels))

# %% [markdown]
# The strictly proper scores are not fooled: both put the network first.
#
# ## The repair: one number
#
# The network is too sure. Divide all its logits by a **temperature** $T$ before the softmax. For $T > 1$ the probabilities move closer together, but their order stays
# the same, and with it every answer. On the third of the four samples:

# %%
for temperature in (0.5, 1.0, 3.0):
    print(f"T = {temperature}:", torch.softmax(example_logits[2] / temperature, dim=0))

# %% [markdown]
# Which $T$ is best? Let a strictly proper score decide, on pictures that the network was not trained on.
# Here is the cross-entropy of the logits divided by $T$, as value and as slope:

# %%
z_repair, y_repair = logits[repair], labels[repair]
for temperature in (0.5, 1.0, 2.0, 4.0, 8.0):
    t = torch.tensor(temperature, dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z_repair / t, y_repair)
    loss.backward()
    print(f"T = {temperature}: cross-entropy {loss.item():.2f}, slope {t.grad.item():+.2f}")

# %% [markdown]
# The slope changes its sign between two of these temperatures, so the minimum lies there.
#
# ## Exercise: `fit_temperature`
#
# Find it, to half a per cent. How you search is up to you: a grid that gets finer, bisection on the slope, gradient descent (on $\log T$, so that $T$ stays positive). Keep in mind
# that a model can also be too modest, with a $T$ below 1. Your function is tested with temperatures between 0.1 and 30.

# %% exercise="fit_temperature"
def fit_temperature(z, y):
    """The T > 0 that minimises the cross-entropy of z / T.

    z: logits (N, C); y: int64 classes (N,).
    Returns a float or a 0-d tensor.
    """
    ### BEGIN SOLUTION
    z, low, high = z.detach().double(), -5.0, 5.0      # the ends, in log T
    for _ in range(40):
        u = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(F.cross_entropy(z / u.exp(), y), u)
        low, high = (low, u.item()) if slope > 0 else (u.item(), high)
    return torch.tensor((low + high) / 2).exp()
    ### END SOLUTION

# %%
search = ready("fit_temperature")
T = float(search(z_repair, y_repair))
p_after = torch.softmax(logits[judge] / T, dim=1)
print(f"temperature {T:.1f}")
for name, p in [("before", p_before), ("after", p_after)]:
    right = (p.argmax(dim=1) == labels[judge]).double().mean()
    loss = F.nll_loss(p.log(), labels[judge])
    print(f"{name:6} accuracy {right:.2f}  ECE {ece(p, labels[judge]):.2f}  Brier {brier(p, labels[judge]):.2f}  cross-entropy {loss:.2f}")

modular = nn.CrossEntropyLoss()(logits[judge] / T, labels[judge])
assert torch.isclose(modular, F.cross_entropy(logits[judge] / T, labels[judge])) and torch.isclose(modular, loss)

# %% [markdown]
# One number, found on 400 other pictures, brings the calibration error down to about a quarter and improves both strictly proper scores. The accuracy is the same, because no answer
# has changed. The picture that belongs to it is the **reliability diagram**. Its band shows how far chance may carry a calibrated model from the diagonal: with $n$ samples of confidence $c$ in a bin, the share of right ones scatters with a standard deviation of $\sqrt{c(1 - c)/n}$, and the band is two of these wide on either side.

# %%
# reliability diagrams before and after: two standard deviations of a calibrated model as a band, samples in each bin as bars
fig, panels = plt.subplots(1, 2, sharey=True, figsize=(9, 3.6))
for panel, name, p, style in [(panels[0], "before", p_before, "broken"), (panels[1], f"after, T = {T:.1f}", p_after, "repaired")]:
    claimed, delivered, count = (v[account(p, labels[judge])[2] > 0] for v in account(p, labels[judge]))
    spread = 2 * (claimed * (1 - claimed) / count).sqrt()
    panel.plot([0, 1], [0, 1], **LINE["reference"], label="calibrated")
    panel.fill_between(claimed, claimed - spread, claimed + spread, color="0.6", alpha=0.4, label="by chance")
    panel.plot(claimed, delivered, **LINE[style], marker="o", label="network")
    panel.bar(claimed, count / len(p), width=0.06, color="0.85", zorder=0)
    for x, n in zip(claimed, count):
        panel.text(x, n / len(p) + 0.01, int(n), ha="center", fontsize=7, color="0.3")
    panel.set(title=name, xlabel="confidence (bars: number of samples)", xlim=(0, 1.02), ylim=(0, 1.02))
panels[0].set(ylabel="accuracy"), panels[0].legend(loc="upper left", fontsize=8)
show("Two reliability diagrams, accuracy against confidence, with the number of samples in each bin. Before: from 0.5 on the network's line runs far below the narrow band of a calibrated model; 816 of 1247 samples lie in the last bin. After: the line stays in the band or close to it, and the samples are spread over the bins.")

# %% [markdown]
# Left: from a confidence of 0.5 on the line runs below the band, as it does when a model claims more than it delivers. Right: it lies in the band, or close to its edge. The samples have spread over the bins, so the network now expresses doubt.
#
# ## Your own guesses
#
# Every guess of this course asked how sure you were. That makes you a model whose calibration can be checked with your own functions: being 30 per cent sure of an answer is being 70 per cent sure that it is wrong. (With fewer than twenty guesses the cell shows an invented class instead.)

# %%
sure, came_true, whose = guesses()
p_person, y_person = torch.stack([sure, 1 - sure], dim=1), (1 - came_true).long()
claimed, delivered, count = account(p_person, y_person, bins=10)
print(f"{len(sure)} guesses ({whose}): ECE with 10 bins {ece(p_person, y_person):.2f}")

# %%
# how often guesses came true, against how sure they were
full = count > 0
spread = 2 * (claimed * (1 - claimed) / count.clamp(min=1)).sqrt()
plt.figure(figsize=(5, 3.6))
plt.plot([0.5, 1], [0.5, 1], **LINE["reference"], label="calibrated")
plt.fill_between(claimed[full], (claimed - spread)[full], (claimed + spread)[full], color="0.6", alpha=0.4, label="by chance")
plt.plot(claimed[full], delivered[full], **LINE["slope"], marker="o", label=whose)
for x, y, n in zip(claimed[full], delivered[full], count[full]):
    plt.text(x, y + 0.04, int(n), ha="center", fontsize=8)
plt.xlabel("how sure"), plt.ylabel("share that came true"), plt.ylim(0, 1.1), plt.subplots_adjust(left=0.15)
plt.legend(loc="lower right", fontsize=8)
show("The share of guesses that came true against how sure they were, with the number of guesses in each bin, beside the diagonal of a calibrated guesser and its band of two standard deviations.")

# %% [markdown]
# A line below the diagonal means too sure, a line above it too modest. With few guesses in a bin the band is wide, so do not read much into one point.
#
# ## How much of the error is chance?
#
# Draw labels from the network's own probabilities, and the network is perfectly calibrated by construction. What ECE do you expect of it after the repair, with 40 bins? Guess (within 0.01 counts as right), then run.

# %%
guess("error_of_a_calibrated_model", ..., sure=...)     # a number, and how sure you are, from 0 to 1

# %%
chance = torch.Generator().manual_seed(0)
for name, p in [("before", p_before), ("after", p_after)]:
    for bins in (5, 10, 20, 40):
        drawn = [torch.multinomial(p, 1, generator=chance)[:, 0] for _ in range(200)]
        by_chance, measured = torch.stack([ece(p, y, bins=bins) for y in drawn]), ece(p, labels[judge], bins=bins)
        print(f"{name:6} {bins:2} bins: ECE {measured:.3f}, of a calibrated model {by_chance.mean():.3f} on average, {int((by_chance >= measured).sum()):3} of 200 draws as large")
guessed("error_of_a_calibrated_model", by_chance.mean(), within=0.01)

# %% [markdown]
# A perfectly calibrated model does not score 0, since the shares in the bins scatter, and the absolute value counts every deviation. The finer the bins, the larger the part of chance. After the repair chance alone accounts for half of the error or more. With up to 20 bins few draws come out as large, so something is probably left that one temperature did not repair; with 40 bins too many do to tell. So state bins, number of samples, and chance beside an ECE.
#
# ## What is a probability good for?
#
# For decisions. Suppose the network reads postcodes and may pass a digit to a clerk. A digit that was read correctly and is passed on costs 1, the clerk's needless work; one that was read wrongly and is not passed on costs 4. (One that was read wrongly and is passed on is work well spent, and counts as 0.) With a probability $p$ that the reading is wrong, passing it on costs $(1 - p) \cdot 1$ on average, and not passing it on $p \cdot 4$. As in `05_imbalance`, the cheaper choice changes at
#
# $$ p = \frac{1}{1 + 4} = 0.2 $$
#
# ## Exercise: `expected_cost`
#
# Write the mean cost of such decisions. An alarm is raised where `p > threshold`; an alarm that was not needed costs `cost_alarm`, and a case that was missed costs `cost_miss`. Right decisions cost nothing.

# %% exercise="expected_cost"
def expected_cost(p, y, threshold, cost_miss, cost_alarm):
    """Mean cost of the decisions "alarm where p > threshold".

    p: probabilities (N,) of label 1; y: floats 0 or 1, (N,).
    threshold: a number from 0 to 1; cost_miss, cost_alarm: numbers > 0.
    Returns a 0-d tensor of the dtype of p.
    """
    ### BEGIN SOLUTION
    alarm = (p > threshold).to(p.dtype)
    missed, needless = (1 - alarm) * y, alarm * (1 - y)
    return (cost_miss * missed + cost_alarm * needless).mean()
    ### END SOLUTION

# %%
cost = ready("expected_cost")
read_wrongly = (p_before.argmax(dim=1) != labels[judge]).double()
grid = torch.linspace(0, 1, 201).tolist()
for name, p in [("before", p_before), ("after", p_after)]:
    doubt = 1 - p.amax(dim=1)                           # the probability that the reading is wrong
    costs = [float(cost(doubt, read_wrongly, t, 4, 1)) for t in grid]
    best = min(range(len(grid)), key=costs.__getitem__)
    print(f"{name:6} cost at 0.2: {cost(doubt, read_wrongly, 0.2, 4, 1):.3f}, lowest {costs[best]:.3f} at {grid[best]:.3f}")
print(f"nothing to the clerk {cost(doubt, read_wrongly, 1.0, 4, 1):.3f}, everything {cost(doubt, read_wrongly, -1.0, 4, 1):.3f}")

# %% [markdown]
# Both networks give the same answers, and with hindsight both can be run at nearly the same cost. But before the repair the threshold that does it lies at an absurdly small probability, and the one that follows from the costs is far too high. Calibrated probabilities let you compute the threshold before anybody has paid for a mistake.
#
# ## Honest from the start?
#
# `09_cross_entropy_options` smoothed labels so that a model does not become too sure. Does that calibrate? Train the same network with smoothing, without any temperature:

# %%
for smoothing in (0.0, 0.05, 0.1, 0.2):
    z = logits_after_training(smoothing)[judge]
    confidence, predicted = torch.softmax(z, dim=1).max(dim=1)
    error = ece(torch.softmax(z, dim=1), labels[judge])
    print(f"smoothing {smoothing:.2f}: accuracy {(predicted == labels[judge]).double().mean():.2f}, mean confidence {confidence.mean():.2f}, ECE {error:.2f}")

# %% [markdown]
# A little smoothing brings the calibration error down as far as the temperature does; more of it makes the network too modest. And all of it costs accuracy here. Why? Look at the same trainings after 20 of the 200 steps, and at how far the nine wrong logits of a picture lie apart (their standard deviation):

# %%
for smoothing in (0.0, 0.1):
    for steps in (20, 200):
        z = logits_after_training(smoothing, steps)
        right = (z.argmax(dim=1) == labels).double()
        apart = z[F.one_hot(labels, 10) == 0].reshape(-1, 9).std(dim=1)
        print(f"smoothing {smoothing:.1f}, {steps:3} steps, train: accuracy {right[train].mean():.2f}, wrong logits {apart[train].mean():.2f} apart")
        print(f"                          judge: accuracy {right[judge].mean():.2f}, wrong logits {apart[judge].mean():.2f} apart")

# %% [markdown]
# After 20 steps smoothing has cost nothing, and nearly all training pictures are right. From then on plain cross-entropy pushes the wrong logits apart, while the smoothed loss, which is lowest where all nine are equal, pulls them together. It manages that for the 150 training pictures much better than for new ones: the network has learned their noise to do so, and its accuracy on new pictures falls. A temperature costs no accuracy, and can be chosen afterwards.
#
# ### One temperature, two aims
#
# The temperature is the one of distillation in `10_kl_divergence`, with another aim. There a large $T$ made small probabilities audible for a student; here $T$ is fitted so that the probabilities are true. And the smoothing that calibrates is the one that makes a teacher's wrong answers nearly alike.
#
# ## Probabilities instead of logits
#
# A frequent mistake: the model ends in a softmax, and its *probabilities* are handed to the search as if they were logits. Nothing is refused. Will the
# temperature come out above 1, as it should?

# %%
guess("temperature_above_1", ..., sure=...)     # "yes" or "no", and how sure you are, from 0 to 1

# %%
T_wrong = float(search(torch.softmax(z_repair, dim=1), y_repair))
print(f"temperature from logits        {T:.2f}")
print(f"temperature from probabilities {T_wrong:.2f}")
for name, z in [("logits", z_repair), ("probabilities", torch.softmax(z_repair, dim=1))]:
    t = torch.ones((), dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z / t, y_repair)
    loss.backward()
    print(f"{name:13} at T = 1: cross-entropy {loss.item():.2f}, slope {t.grad.item():+.2f}")
p_wrong = torch.softmax(logits[judge] / T_wrong, dim=1)
print(f"ECE: {ece(p_before, labels[judge]):.2f} before, {ece(p_after, labels[judge]):.2f} repaired, {ece(p_wrong, labels[judge]):.2f} with the wrong temperature")
guessed("temperature_above_1", "yes" if T_wrong > 1 else "no", choices=("yes", "no"))

# %% [markdown]
# Even the *sign* of the slope is wrong. Probabilities lie between 0 and 1, so their softmax is almost flat, and a small $T$ is what makes it less so. Applied to the logits, that $T$
# makes the overconfident network surer still. The two searches as a picture:

# %%
# what the search sees from logits and from probabilities, and the calibration error that results
temperatures = torch.logspace(-1, 1, 60, dtype=torch.float64)
fig, (left, right) = plt.subplots(1, 2)
for name, z, style in [("logits", z_repair, "repaired"), ("probabilities", torch.softmax(z_repair, dim=1), "broken")]:
    left.plot(temperatures, [F.cross_entropy(z / t, y_repair) for t in temperatures], **LINE[style], label=name)
right.plot(temperatures, [ece(torch.softmax(logits[judge] / t, dim=1), labels[judge]) for t in temperatures], **LINE["reference"])
for value, style, marker in [(T, "repaired", "o"), (T_wrong, "broken", "s")]:
    error = ece(torch.softmax(logits[judge] / value, dim=1), labels[judge])
    right.plot(value, error, color=LINE[style]["color"], marker=marker, markersize=9)
left.set(title="what the search sees", xlabel="temperature T", ylabel="cross-entropy", xscale="log", ylim=(0, 4))
right.set(title="calibration error of the network", xlabel="temperature T", ylabel="calibration error", xscale="log", ylim=(0, None))
left.legend()
show("Left, cross-entropy against the temperature: fed with logits the minimum lies above 1, fed with probabilities below 1. Right, the calibration error of the network against the temperature: the circle, from logits, lies in the valley; the square, from probabilities, lies high on the left slope.")

# %% [markdown]
# Left: both curves have a clear minimum, on different sides of 1, so nothing looks suspicious. Right: the circle (from logits) lies in the valley, and the square (from
# probabilities) high above it.
#
# If you have only probabilities, take their logarithms: they differ from the logits by a constant in each row, which the softmax does not see. The training pictures are no place to fit either. There the network is always right, and the more it exaggerates, the lower its loss:

# %%
print(f"temperature from log-probabilities {float(search(torch.softmax(z_repair, dim=1).log(), y_repair)):.2f}")
for temperature in (4.0, 2.0, 1.0):
    print(f"training pictures, T = {temperature}: cross-entropy {F.cross_entropy(logits[train] / temperature, labels[train]):.4f}")

# %% [markdown]
# Every smaller $T$ is better there, so no $T$ is best: a search stops wherever its range or its arithmetic ends.
#
# ## In your own words
#
# A colleague chooses among ten models by the lowest calibration error, and fits the temperature on the training pictures. Explain what goes wrong
# with each of the two, and what you would do instead.

# %% [markdown] question="choose_and_fit" points=2
# The calibration error is not a strictly proper score: a model that ignores its input and always gives the shares of the classes has an error near 0 and knows nothing. Choose by
# a strictly proper score (cross-entropy or Brier) on held-out data, and report the calibration error beside it, with its bins and the number of samples.
#
# On the training pictures the network is always right, so every smaller temperature lowers the loss there, and the search makes it surer and surer. Fit it on data that were used neither to train
# the network nor to judge it.

# %% [markdown]
# ## Recap
#
# - You built the reliability of a model's claims, the calibration error, the Brier score, temperature scaling, and the cost of deciding by probabilities.
# - PyTorch has none of the five under a name of its own: the Brier score comes from `nn.MSELoss` or `F.mse_loss` on one-hot labels, and the temperature's loss is
#   `nn.CrossEntropyLoss` or `F.cross_entropy` of `z / T`.
# - Three mistakes people make: they hand probabilities to a method that expects logits; they choose models by the calibration error;
#   they fit the temperature on the data that the network was trained on.
#
# **Before:** `11_margins_and_multilabel`, where scores were not probabilities. **Next:** `13_clinic` has scripts that run and whose loss falls. How do you find out what is wrong with them?
#
# **Read on:** Guo et al., [*On Calibration of Modern Neural Networks*](https://arxiv.org/abs/1706.04599); Gneiting and Raftery, [*Strictly Proper Scoring Rules, Prediction, and Estimation*](https://doi.org/10.1198/016214506000001437); scikit-learn's
# [guide to probability calibration](https://scikit-learn.org/stable/modules/calibration.html).
