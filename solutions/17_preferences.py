# %% [markdown]
# # Which of two is better?
#
# How good is this answer, from 1 to 10? Everybody has a scale of their own. Which of these two is better? That needs no scale at all. Chess players are rated by their results alone, and
# language models are trained on choices between two answers. **How do you get from wins to strengths, and from choices to a better model?**
#
# In this lesson you build binary cross-entropy on differences: a rating of players, and the loss that pulls a language model towards what people prefer,
# and you measure how far it was pulled. You need `03_bce_with_logits`, `10_kl_divergence` and `14_language_model`.
# About 45 minutes.

# %%
import copy
import math
import re

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import BLUE, LINE, ORANGE, show

torch.set_num_threads(1)  # the models are small: threads would only wait for each other

# %% [markdown]
# ## Two leagues
#
# Eight players with known strengths, so that you can see what comes out. The first four play in the upper league, the others in the lower one, and now and then there is a cup match
# between the leagues. The stronger of two wins more often, not always: with strengths $s_i$ and $s_j$,
#
# $$ P(i \text{ beats } j) = \sigma(s_i - s_j) $$
#
# This is the model of [Bradley and Terry](https://doi.org/10.2307/2334029) (1952).

# %%
players = "ABCDEFGH"
strengths = torch.tensor([2.2, 1.4, 0.9, 0.3, -0.4, -0.8, -1.3, -2.3], dtype=torch.float64)
chance = torch.Generator().manual_seed(0)


def games(first, second, number):
    """Winners and losers of games between random players of two groups."""
    i = first[torch.randint(len(first), (number,), generator=chance)]
    j = second[torch.randint(len(second), (number,), generator=chance)]
    i, j = i[i != j], j[i != j]
    i_wins = torch.rand(len(i), generator=chance) < torch.sigmoid(strengths[i] - strengths[j])
    return torch.where(i_wins, i, j), torch.where(i_wins, j, i)


upper, lower = torch.arange(4), torch.arange(4, 8)
results = [games(upper, upper, 1500), games(lower, lower, 1500), games(upper, lower, 300)]
winners, losers = (torch.cat(side) for side in zip(*results))

# %% [markdown]
# A first idea: rate each player by the share of games won. Is D better than E?

# %%
won, lost = torch.bincount(winners, minlength=8), torch.bincount(losers, minlength=8)
share = won / (won + lost)
for k in range(8):
    print(f"{players[k]}  true strength {strengths[k]:+.1f}  games {won[k] + lost[k]:4}  won {share[k]:.2f}")

# %% [markdown]
# By that share E is far better than D; in truth D is the stronger one. D plays most games against A, B and C, and E against F, G and H. What counts is *against whom*.
#
# ## A loss for one game
#
# A game has no label 0 or 1. It has a winner and a loser, and the model says how probable that result was: $\sigma(s_w - s_l)$. By hand, for a game that C won against A:

# %%
difference = strengths[2] - strengths[0]
p = torch.sigmoid(difference)
print(f"difference {difference:.1f}, probability {p:.4f}, minus its logarithm {-math.log(p):.4f}")

# %% [markdown]
# ## Exercise: `bradley_terry_loss`
#
# Write the mean loss of many games, from the scores of the winners (`chosen`) and of the losers (`rejected`). It has to survive a favourite who loses by a difference of 1000: which function of lesson
# 03 does that, and of what do you take it?

# %% exercise="bradley_terry_loss"
def bradley_terry_loss(chosen, rejected):
    """Mean of -log P(chosen is preferred to rejected).

    chosen, rejected: scores, floats of shape (N,). Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return F.softplus(rejected - chosen).mean()
    ### END SOLUTION

# %% [markdown] passed="bradley_terry_loss"
# It is binary cross-entropy: the difference is the logit, and the label is always 1. So everything that 03 says about it holds here: the loss of a lost favourite grows linearly, and its slope is never steeper
# than 1.

# %%
compare("bradley_terry_loss", torch.tensor([2.0, 0.5, -1.0]), torch.tensor([1.0, 1.5, -1.0]))

# %% [markdown]
# ## Strengths from wins
#
# Eight scores, all 0 at first; then let the slope of your loss move them. What will the loss be before the first step? Guess it (within 0.01 counts as right), then run.

# %%
guess("loss_of_equal_players", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
bradley_terry_ready = ready("bradley_terry_loss")


def fit(loss_of, steps=200):
    """Scores of the eight players that make loss_of(scores) small, with mean 0; and the losses."""
    scores = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([scores], lr=0.05)
    losses = []
    for _ in range(steps):
        loss = loss_of(scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return scores.detach() - scores.detach().mean(), losses

# %%
def contest(scores):
    return bradley_terry_ready(scores[winners], scores[losers])


estimated, losses = fit(contest)
print(f"first loss {losses[0]:.4f}, the last one {losses[-1]:.4f}")
guessed("loss_of_equal_players", losses[0], within=0.01)
print(f"with 100 more for everybody {contest(estimated + 100):.4f}")
for k in range(8):
    print(f"{players[k]}  true {strengths[k]:+.2f}  estimated {estimated[k]:+.2f}")

# %%
# true strengths against the share of games won, and against the estimate
fig, (left, right) = plt.subplots(1, 2)
for ax, values in (left, share), (right, estimated):
    ax.plot(strengths, values, "o", color=BLUE)
    for k in range(8):
        ax.annotate(players[k], (strengths[k], values[k]), xytext=(6, -4), textcoords="offset points")
    ax.set(xlabel="true strength")
right.plot([-2.5, 2.5], [-2.5, 2.5], **LINE["reference"], label="estimate = truth")
left.set(title="share of games won", ylabel="share"), right.set(title="fitted score", ylabel="score")
right.legend(loc="upper left")
show("Two plots against the true strength of players A to H. Left, the share of games won: it rises within each league, but E of the lower league lies above B, C and D of the upper one. "
     "Right, the fitted scores: all eight points lie near the dotted diagonal.")

# %% [markdown]
# Left, each league is in order, but E of the lower league seems to be ahead of B, C and D, and even G ahead of D. Right, all points lie near the diagonal: 300 cup games were enough to place the leagues. Only differences can be known: a constant
# added to all scores changes nothing, so the mean was set to 0.
#
# ## The curve you know
#
# What does a pair feel as the margin $m$ = chosen − rejected grows? The picture shows the loss and its slope beside binary cross-entropy with label 1; and the same with a factor $\beta$ inside, which you will need soon.

# %%
# loss and slope against the margin, beside binary cross-entropy
margin = torch.linspace(-12, 12, 481, dtype=torch.float64, requires_grad=True)
curves = [("binary cross-entropy, y = 1", F.binary_cross_entropy_with_logits(margin, torch.ones_like(margin), reduction="none"), LINE["reference"] | {"linewidth": 6}),
          ("margin", torch.stack([bradley_terry_ready(m[None], 0 * m[None]) for m in margin]), LINE["cross-entropy"]),
          ("0.1 times the margin", torch.stack([bradley_terry_ready(0.1 * m[None], 0 * m[None]) for m in margin]), LINE["weighted"])]
fig, (left, right) = plt.subplots(1, 2)
for name, loss, style in curves:
    (slope,) = torch.autograd.grad(loss.sum(), margin)
    left.plot(margin.detach(), loss.detach(), **style, label=name)
    right.plot(margin.detach(), slope, **style)
left.set(title="loss", xlabel="margin", ylabel="loss"), right.set(title="slope", xlabel="margin", ylabel="d loss / d margin")
left.legend()
show("Two plots against the margin, from -12 to 12. Left, the loss: that of the pair lies on binary cross-entropy with label 1, a line that falls with slope -1 and bends to 0 at margin 0. "
     "With the factor 0.1 the curve is much flatter. Right, the slope: from -1 to 0 in the first case, from about -0.08 to -0.02 in the second.")

# %% [markdown]
# The two curves coincide, in loss and slope. With the factor 0.1 a margin of 10 is what 1 was before: pairs go on pulling for longer, each of them more gently.
#
# ## A model to be pulled
#
# Now the answers of a language model. As in `14_language_model`: a small model, trained on scikit-learn's descriptions, letter by letter.

# %%
class Reader(nn.Module):
    """Scores for the token that follows, from the last six tokens; the model of lesson 14."""

    def __init__(self, vocabulary, window=6, width=12, hidden=96):
        super().__init__()
        self.window, self.nothing = window, vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, width)
        self.hidden = nn.Linear(window * width, hidden)
        self.scores = nn.Linear(hidden, vocabulary)

    def forward(self, tokens):
        padded = F.pad(tokens, (self.window - 1, 0), value=self.nothing)
        seen = padded.unfold(1, self.window, 1)
        return self.scores(torch.tanh(self.hidden(self.embedding(seen).flatten(2))))

# %%
loaders = [load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine]
text = re.sub(r"[^a-z.,]+", " ", " ".join(load().DESCR for load in loaders).lower())
text = re.sub(r"([., ]) *(?=[., ])", "", text)  # of a run of marks and spaces only the last one stays: ", " becomes " "
alphabet = sorted(set(text))
corpus = torch.tensor([alphabet.index(letter) for letter in text])

torch.manual_seed(0)
reference = Reader(len(alphabet)).double()
optimizer = torch.optim.Adam(reference.parameters(), lr=0.01)
for _ in range(300):
    start = torch.randint(0, len(corpus) - 17, (32, 1)) + torch.arange(16)
    loss = F.cross_entropy(reference(corpus[start]).flatten(0, 1), corpus[start + 1].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"loss after 300 steps {loss:.2f}")

# %% [markdown]
# Its task: continue "the data" by 24 letters. Here are some of its answers.

# %%
question = torch.tensor([alphabet.index(letter) for letter in "the data"])


@torch.no_grad()
def answers_of(model, number, seed, length=24):
    """The question, with `length` letters drawn from the model: (number, L)."""
    luck = torch.Generator().manual_seed(seed)
    tokens = question.repeat(number, 1)
    for _ in range(length):
        p = torch.softmax(model(tokens[:, -8:])[:, -1], dim=1)
        tokens = torch.cat([tokens, torch.multinomial(p, 1, generator=luck)], dim=1)
    return tokens


def spell(tokens):
    return "".join(alphabet[token] for token in tokens)


for row in answers_of(reference, 3, seed=2):
    print(spell(row))
print(f"possible answers: {len(alphabet)}^24 = {len(alphabet)**24:.0e}")

# %% [markdown]
# ## How probable is an answer?
#
# The loss that follows needs one number for each answer: the logarithm of its probability, given the question. The question itself does not count, nor does padding. A mask says which tokens do.
#
# ## Exercise: `sequence_log_probability`
#
# Write it, for a batch: one number a row. You know the shift from 14; decide what happens to the mask when scores and tokens are shifted, and what to do with the tokens' logarithms. Tokens that do
# not count may be −100, and a row may have none that does.

# %% exercise="sequence_log_probability"
def sequence_log_probability(z, tokens, mask):
    """The log-probability of each row's counted tokens, given those before.

    z: (N, L, V), z[:, t] scores the token after position t.
    tokens: (N, L) int64; -100 is possible where the mask is False.
    mask: (N, L) bool, True for tokens that count; position 0 never does.
    Returns (N,); 0 where nothing counts.
    """
    ### BEGIN SOLUTION
    log_p = torch.log_softmax(z[:, :-1], dim=2)
    picked = log_p.gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2)
    return (picked * mask[:, 1:]).sum(dim=1)
    ### END SOLUTION

# %% [markdown]
# ## Sum or mean?
#
# Long answers have many factors below 1. Is it not fairer to divide by their number? Compare an answer with its own beginning.

# %%
logps_ready = ready("sequence_log_probability")


def log_probability(model, tokens):
    """Of everything after the question."""
    mask = (torch.arange(tokens.shape[1]) >= len(question)).expand(tokens.shape)
    return logps_ready(model(tokens), tokens, mask)


for answer in ("the data set", "the data set characteristics"):
    tokens = torch.tensor([[alphabet.index(letter) for letter in answer]])
    with torch.no_grad():
        total = log_probability(reference, tokens).item()
    print(f"sum {total:6.2f}, mean {total / (len(answer) - len(question)):5.2f}  {answer!r}")

# %% [markdown]
# A text cannot be more probable than its own beginning, because each further factor is at most 1: the sum falls. The mean rises here, since the end of a long word can be guessed. A mean describes how fluent a text is; it is not the logarithm of a
# probability any more, and the next loss is derived for probabilities. (Users of such losses [ask](https://github.com/huggingface/trl/issues/789) about [it](https://github.com/eric-mitchell/direct-preference-optimization/issues/40).)
#
# ## From preferences to a loss
#
# Somebody compares pairs of answers. Let each answer have a hidden strength $s$, as a player has. We want a model that gives strong answers, but stays near the reference, because that one knows the language. If we ask for
# the best mean strength minus $\beta$ times the divergence from the reference, the solution is known:
#
# $$ \pi(a) \propto \pi_{\text{ref}}(a)\, e^{s(a)/\beta} $$

# %% [markdown]
# Take the logarithm, and solve for the strength: it is $\beta$ times the logarithm of the ratio $\pi(a) / \pi_{\text{ref}}(a)$, and a constant that is the same for all answers. In a difference of two answers it
# cancels. So the model *is* a rating of its answers: what counts for an answer is by how much the model makes it more probable than the reference does. Now rate as in a league
# ([Rafailov and others](https://arxiv.org/abs/2305.18290), 2023: direct preference optimisation).
#
# ## Exercise: `dpo_loss`
#
# Four log-probabilities for each pair: chosen and rejected answer, under the model and under the reference. Write the mean loss. Decide where $\beta$ goes; and mind that the reference is to be a fixed point:
# no gradient may reach it.

# %% exercise="dpo_loss"
def dpo_loss(chosen, rejected, chosen_ref, rejected_ref, beta=0.1):
    """Direct preference optimisation: mean loss of the pairs.

    chosen, rejected: log-probabilities of the answers under the model, (N,).
    chosen_ref, rejected_ref: the same under the reference, which does not learn.
    beta: float > 0. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    better = chosen - chosen_ref.detach()
    worse = rejected - rejected_ref.detach()
    return F.softplus(-beta * (better - worse)).mean()
    ### END SOLUTION

# %% [markdown] passed="dpo_loss"
# A difference of two differences in one sigmoid. At the start, where model and reference are equal, it is $\ln 2$ for every $\beta$: a first loss of 0.6931 is what you should see in your logs.

# %% [markdown]
# ## A judge who likes e
#
# To see whether it works, the judge's taste must be known. Ours counts the letter e: an answer's strength is the number of its e's, and the games are played as above. 300 pairs of answers:

# %%
def count_e(tokens):
    return (tokens[:, len(question):] == alphabet.index("e")).sum(dim=1).double()


first, second = answers_of(reference, 300, seed=3), answers_of(reference, 300, seed=4)
first_wins = torch.rand(300, generator=chance, dtype=torch.float64) < torch.sigmoid(count_e(first) - count_e(second))
better = torch.where(first_wins[:, None], first, second)
worse = torch.where(first_wins[:, None], second, first)
with torch.no_grad():
    better_ref, worse_ref = log_probability(reference, better), log_probability(reference, worse)
print("chosen:  ", spell(better[0]), " e's:", int(count_e(better)[0]))
print("rejected:", spell(worse[0]), " e's:", int(count_e(worse)[0]))
print(f"the judge prefers the answer with more e's in {(count_e(better) > count_e(worse)).double().mean():.0%} of the pairs")

# %%
def pull(loss_of, steps=60, seed=0, also=()):
    """A copy of the reference (and parameters `also`), trained by loss_of(model, pairs); its losses."""
    torch.manual_seed(seed)
    model, losses = copy.deepcopy(reference), []
    optimizer = torch.optim.Adam([*model.parameters(), *also], lr=0.003)
    for _ in range(steps):
        loss = loss_of(model, torch.randint(0, 300, (50,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


# %%
def preference(beta):
    """The loss of some pairs, for a given beta."""
    def loss_of(model, pairs):
        chosen, rejected = log_probability(model, better[pairs]), log_probability(model, worse[pairs])
        return dpo_ready(chosen, rejected, better_ref[pairs], worse_ref[pairs], beta)
    return loss_of

# %%
dpo_ready = ready("dpo_loss")
pulled, losses_of = {}, {}
for beta in (3.0, 1.0, 0.1):
    pulled[beta], losses = pull(preference(beta))
    losses_of[beta] = losses
    replies = answers_of(pulled[beta], 300, seed=5)
    print(f"beta {beta:<4} loss {losses[0]:.4f} to {losses[-1]:.4f}, e's an answer {count_e(replies).mean():.1f}")
    print("   ", spell(replies[0]), "/", spell(replies[1]))
before = answers_of(reference, 300, seed=5)
print(f"reference, e's an answer {count_e(before).mean():.1f}")

# %% [markdown]
# All three write more e's than the reference, and the smaller $\beta$ is, the more. But read the answers of the last one. With a small $\beta$ a pair goes on pulling until the model is far away. How far did each of
# them go?
#
# ## How far from home?
#
# The measure is a divergence, $\mathrm{KL}(\pi \,\|\, \pi_{\text{ref}})$. `10_kl_divergence` summed over all outcomes, and here there are too many. But the model can be *sampled*, and for each sample
# both models say how probable it is. With samples from $p$ and $r = \log q - \log p$, three estimates are in use (Schulman's
# [k1, k2, k3](http://joschu.net/blog/kl-approx.html)): the definition, $-r$; half a square, $r^2 / 2$; and $-r$ with something added whose mean under $p$ is 0, namely $e^r - 1$.

# %% [markdown]
# Mind the letters. Schulman draws from $q$ and calls the *ratio* $r$, not its logarithm; what he calls $\log r$ is our $r$. Here samples come from $p$: in our case from the model that was trained.
#
# ## Exercise: `kl_estimates`
#
# Write all three, as means over the samples. Which logarithm is subtracted from which? And why is the mean of $e^r - 1$ under $p$ equal to 0? (Write the mean as a sum over all outcomes.)

# %% exercise="kl_estimates"
def kl_estimates(log_p, log_q):
    """Three estimates of KL(p || q) from samples of p.

    log_p, log_q: (S,), log-probabilities of the same samples under p and under q.
    Returns (k1, k2, k3), three 0-d tensors.
    """
    ### BEGIN SOLUTION
    r = log_q - log_p
    k1 = -r.mean()
    k2 = (r.square() / 2).mean()
    k3 = (torch.expm1(r) - r).mean()
    return k1, k2, k3
    ### END SOLUTION

# %% [markdown]
# Look at them where the truth is known: two distributions over six outcomes, once near to each other and once far apart; 2000 times, 50 samples are drawn from $p$.

# %%
kl_ready = ready("kl_estimates")
base = torch.randn(6, generator=chance, dtype=torch.float64)
bend = torch.randn(6, generator=chance, dtype=torch.float64)
trials = {}
for name, size in [("near", 0.2), ("far", 2.0)]:
    log_p, log_q = torch.log_softmax(base, dim=0), torch.log_softmax(base + size * bend, dim=0)
    truth = (log_p.exp() * (log_p - log_q)).sum()
    draws = torch.multinomial(log_p.exp(), 2000 * 50, replacement=True, generator=chance).view(2000, 50)
    values = torch.tensor([[float(k) for k in kl_ready(log_p[row], log_q[row])] for row in draws])
    trials[name] = truth, values
    print(f"{name}: the divergence is {truth:.4f}")
    for k in range(3):
        print(f"   k{k + 1}: mean {values[:, k].mean():.4f}, spread {values[:, k].std():.4f}, negative in {(values[:, k] < 0).float().mean():.0%}")

# %%
# the three estimates, 2000 times each, beside the true divergence
fig, axes = plt.subplots(1, 2)
for ax, (name, (truth, values)) in zip(axes, trials.items()):
    ax.boxplot(values.T.tolist(), whis=(1, 99), showfliers=False, tick_labels=["k1", "k2", "k3"], medianprops={"color": ORANGE}, boxprops={"color": BLUE})
    ax.plot([1, 2, 3], values.mean(dim=0), "D", color="black", label="mean")
    ax.axhline(truth, **LINE["reference"], label="true divergence")
    ax.set(title=f"{name}: 2000 estimates from 50 samples each", ylabel="estimate")
axes[0].legend(loc="upper right")
show("Two box plots of 2000 estimates each, with whiskers from the first to the last per cent. Left, p and q near: k1 spreads from -0.04 to 0.08 around the true 0.017; k2 and k3 lie within narrow boxes on the line. "
     "Right, far: k1 and k3 lie around the true 1.1, k3 more narrowly; k2 lies around 2.3, far above it.")

# %% [markdown]
# Left: k1 is right on average, and negative in a quarter of the cases, although no divergence is. k3 is never negative, since $e^r \ge 1 + r$, and its spread is far smaller; so is k2's. Right: k1 and k3 are still right on average, while k2 is twice
# as large as the truth. It is close only where $r$ is small.
#
# ## The slope of an estimate
#
# A warning for those who train with one: the gradient of a good estimate need not be a good estimate of the gradient. Samples are taken as given when you differentiate. The exact mean over all samples shows what that does.

# %%
theta = base.clone().requires_grad_(True)
log_p, log_q = torch.log_softmax(theta, dim=0), torch.log_softmax(base + 0.5 * bend, dim=0)
p, r = log_p.exp(), log_q - log_p
means = {
    "the divergence itself": (p * (log_p - log_q)).sum(),
    "k1, samples given": (p.detach() * -r).sum(),
    "k2, samples given": (p.detach() * r**2 / 2).sum(),
    "k3, samples given": (p.detach() * (torch.expm1(r) - r)).sum(),
}
for name, value in means.items():
    (slope,) = torch.autograd.grad(value, theta, retain_graph=True)
    print(f"{name:22}", " ".join(f"{s:+.3f}" for s in slope + 0.0))

# %% [markdown]
# The slope of k1 is 0 on average: as a penalty in the loss it adds noise and nothing else. k2, the biased estimate, has exactly the right slope, and k3, the unbiased one, has another. This has been
# [found](https://github.com/allenai/open-instruct/issues/534) [in](https://github.com/huggingface/trl/issues/4967) libraries that train with them.
#
# And our models?

# %%
distances = {}
for beta, model in pulled.items():
    replies = answers_of(model, 500, seed=6)
    with torch.no_grad():
        k1, k2, k3 = kl_ready(log_probability(model, replies), log_probability(reference, replies))
        up = (log_probability(model, better) - better_ref).mean()
        down = (log_probability(model, worse) - worse_ref).mean()
    distances[beta] = k1.item(), count_e(replies).mean().item()
    print(f"beta {beta:<4} k1 {k1:6.2f}, k2 {k2:7.2f}, k3 {k3:6.2f} nats; chosen answers {up:+6.1f}, rejected {down:+6.1f}")

# %%
# what was gained, against how far the model went
fig, ax = plt.subplots()
ax.plot(0, count_e(before).mean(), "s", color="black")
ax.annotate("reference", (0, count_e(before).mean()), xytext=(8, -4), textcoords="offset points")
for beta, (distance, gain) in distances.items():
    ax.plot(distance, gain, "o", color=BLUE)
    ax.annotate(f"β = {beta:g}", (distance, gain), xytext=(8, -4), textcoords="offset points")
ax.set(title="e's an answer, against the distance from the reference", xlabel="KL(model ‖ reference), k1, nats", ylabel="e's an answer", xlim=(-1, 30), ylim=(0, 11))
show("E's an answer against the divergence from the reference. The reference lies at 0 with 2 to 3; beta 3 and beta 1 lie a few nats away, two to three e's higher; "
     "beta 0.1 lies far to the right, at about 25 nats, and has most e's.")

# %% [markdown]
# Each step from the reference buys e's, and the last ones are expensive. In the table, k3 for $\beta = 0.1$ is one nat below k1: in these 500 samples $e^r$ is nearly 0 throughout, though its mean under the model is 1. The samples that would
# make up for it are so rare that none was drawn.
#
# The last columns hold a surprise: with $\beta = 1$, and far more with 0.1, even the *chosen* answers have become less probable; the rejected ones more so. The loss sees their difference alone
# ([often](https://github.com/huggingface/trl/issues/800) [reported](https://github.com/eric-mitchell/direct-preference-optimization/issues/36)).
#
# ## The reference moves, too
#
# What if its gradient is kept? Then the optimiser finds two ways to widen a margin: make the chosen answer more probable under the model, or *less* probable under the reference. Here both are trained, with the same
# formula but for the `detach`.

# %% fold="Training both models"
# both models are trained by one loss
moving = copy.deepcopy(reference)


def kept(model, pairs):
    """The loss with beta = 1, differentiated through both models."""
    margin = log_probability(model, better[pairs]) - log_probability(model, worse[pairs])
    margin_ref = log_probability(moving, better[pairs]) - log_probability(moving, worse[pairs])
    return bradley_terry_ready(margin, margin_ref)


_, losses_kept = pull(kept, also=moving.parameters())
with torch.no_grad():
    change = (log_probability(moving, better) - better_ref).mean() - (log_probability(moving, worse) - worse_ref).mean()
print(f"loss after 60 steps: fixed reference {losses_of[1.0][-1]:.4f}, moving one {losses_kept[-1]:.4f}")
print(f"chosen against rejected, under the moving reference: {change:+.1f} nats")

# %% [markdown]
# The loss with the moving reference is the smaller one: it looks like progress. Part of the margin was won by a reference that has learned to dislike what the judge likes. A fixed point that moves is none, and a divergence from it
# means nothing.
#
# ## More than two
#
# Judges may also put several answers in order. Plackett and Luce's model draws the places one after the other: the best by a softmax over all, the second by a softmax over those that are left, and so on.
#
# ## Exercise: `plackett_luce_loss`
#
# Write minus the logarithm of the probability of the order that came, averaged over the rows. Here `ranking[n, k]` is the item in place `k`. What is left at each place? It has to survive scores of 1000.

# %% exercise="plackett_luce_loss"
def plackett_luce_loss(scores, ranking):
    """Mean of -log P(ranking) over the rows.

    scores: (N, K). ranking: (N, K) int64, ranking[n, k] is the item in place k,
    best first. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    ordered = scores.gather(1, ranking)
    left = torch.logcumsumexp(ordered.flip(1), dim=1).flip(1)
    return (left - ordered).sum(dim=1).mean()
    ### END SOLUTION

# %% [markdown]
# With two items it must be your first loss. And an order of four holds more than the name of its winner: fit the eight strengths again, from 100 races of four, once by the whole order and once by the winner alone, eight
# times over. (To draw an order, add to each score a random number of Gumbel's distribution, and sort.)

# %%
plackett_ready = ready("plackett_luce_loss")
two = torch.randn(5, 2, generator=chance, dtype=torch.float64)
assert torch.isclose(plackett_ready(two, torch.tensor([[0, 1]]).expand(5, 2)), bradley_terry_ready(two[:, 0], two[:, 1]))


def contest_of_races():
    """Who runs in 100 races of four, (100, 4), and in which order they come in, (100, 4)."""
    runners = torch.stack([torch.randperm(8, generator=chance)[:4] for _ in range(100)])
    gumbel = -torch.rand(100, 4, generator=chance, dtype=torch.float64).log().neg().log()
    return runners, (strengths[runners] + gumbel).argsort(dim=1, descending=True)


def errors(runners, order, steps):
    """Root mean squared errors of the strengths, from whole orders and from winners."""
    whole, _ = fit(lambda scores: plackett_ready(scores[runners], order), steps)
    winner, _ = fit(lambda scores: F.cross_entropy(scores[runners], order[:, 0]), steps)
    return [(fitted - strengths).square().mean().sqrt().item() for fitted in (whole, winner)]


# %%
contests = [contest_of_races() for _ in range(8)]
for steps in (120, 400):
    whole, winner = torch.tensor([errors(*races, steps) for races in contests]).T
    print(f"after {steps} steps: error from whole orders {whole.mean():.2f}, from winners {winner.mean():.2f}; "
          f"whole orders are the better source in {int((whole < winner).sum())} of 8 contests")
wins = [torch.bincount(runners.gather(1, order[:, :1])[:, 0], minlength=8) for runners, order in contests]
print(f"contests in which somebody wins no race: {sum(int((won == 0).any()) for won in wins)} of 8")

# %% [markdown]
# Is the comparison fair? From whole orders the strengths hardly move after 120 steps. From winners alone they do, and where somebody wins no race they never come to rest: the
# lower that score, the smaller the loss, so it falls for as long as we train. Stopping early is kind to the winners' loss.

# %% [markdown]
# ## What libraries do
#
# `torch.nn` has none of these losses under its own name. What the losses of pairs have in common, the stable logarithm of a sigmoid, it has twice: as a module and as a function. Libraries for preferences apply it to the margin.

# %% fold="The same loss in PyTorch's words"
# the same loss in PyTorch's words
chosen, rejected = estimated[winners], estimated[losers]
forms = {
    "yours": bradley_terry_ready(chosen, rejected),
    "modular, nn.LogSigmoid": -nn.LogSigmoid()(chosen - rejected).mean(),
    "functional, F.logsigmoid": -F.logsigmoid(chosen - rejected).mean(),
    "modular, nn.BCEWithLogitsLoss": nn.BCEWithLogitsLoss()(chosen - rejected, torch.ones_like(chosen)),
    "functional, F.binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits(chosen - rejected, torch.ones_like(chosen)),
}
for name, value in forms.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, forms["yours"])

# %% [markdown]
# [TRL](https://huggingface.co/docs/trl/dpo_trainer)'s `DPOTrainer` has this loss as its default (`"sigmoid"`), and relatives of it: a hinge on the margin, a squared error (`"ipo"`), one for labels that may be wrong (`"robust"`).
#
# ## In your own words
#
# Two chess clubs have never played against each other. You fit one set of scores to all their games. What do the scores tell, and what do they not tell? What comes out of the optimiser for the part that they cannot tell,
# and how would you find out before you publish a common ranking?

# %% [markdown] question="clubs_that_never_met" points=2
# Within each club the differences are determined, as long as nobody, and no group, has won or lost every game against the rest. Between the clubs nothing is: a constant added to all players of one club changes no difference that occurs in a game, so the loss is flat in that direction (its slope is exactly 0). Gradient descent leaves it where it
# started: with all scores at 0, each club keeps the mean 0, so both look equally strong whatever they are. Adam gives each player a step of their own, so the clubs drift apart a little, by an amount that means nothing; with weight decay they are drawn to 0. To find out: look whether the graph of games is connected; or start from other values and
# see which differences change; or look for directions with slope and curvature 0. A few games between the clubs are the remedy. The same holds for answers to different questions: only answers to the same question are compared.

# %% [markdown]
# ## Recap
#
# - You built binary cross-entropy on differences: a rating from wins, a language model from preferences, a rating from whole orders; and three estimates of how far the model went.
# - PyTorch calls its heart `nn.LogSigmoid` and `F.logsigmoid`; the losses themselves live in other libraries.
# - Three mistakes people make with it: they average the log-probabilities of an answer; they let the reference learn; they read a single estimate of the divergence, or its slope, as the truth.
#
# **Before:** `14_language_model`, the model that was pulled here. **Next:** you have built them all. `progress()` shows what is left; `13_clinic` is there to come back to.
#
# **Read on:** Rafailov and others, [*Direct Preference Optimization*](https://arxiv.org/abs/2305.18290); Schulman, [*Approximating KL Divergence*](http://joschu.net/blog/kl-approx.html); PyTorch's page of
# [`LogSigmoid`](https://docs.pytorch.org/docs/stable/generated/torch.nn.LogSigmoid.html).
