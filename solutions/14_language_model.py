# %% [markdown]
# # What should the next letter cost?
#
# Cover the end of this sentence: "the data set cont…". You know how the word goes on. After "the data set contains " you know much less.
# A language model makes such guesses at every position of a text. **What should each of them cost, and which of them count?**
#
# In this lesson you build the loss that language models are trained with: `F.cross_entropy`, and around it a shift, a mask, an average and a unit.
# Each of the four can go wrong without any error message. You will see a model that learns to copy, and one that never stops. You need `09_cross_entropy_options`.
# About 50 minutes.

# %%
import itertools
import math
import re
from collections import Counter

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine
from torch import nn
from torch.nn import functional as F

from grader import check, compare, guess, guessed, hint, progress, ready, solution
from grader.figures import BLUE, LINE, ORANGE, show

torch.set_num_threads(1)  # the model is small: threads would only wait for each other

# %% [markdown]
# ## A text is a row of classes
#
# scikit-learn describes its data sets in plain English. Six of these descriptions make a small corpus, reduced to small letters, spaces, and the full stops inside addresses and abbreviations. (All other marks are dropped, so sentences run into each other. Real tokenisers keep them.)

# %%
loaders = [load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine]
raw = " ".join(load().DESCR for load in loaders)
text = re.sub(r"[^a-z.,]+", " ", raw.lower())
text = re.sub(r"([., ]) *(?=[., ])", "", text)  # of a run of marks and spaces only the last one stays: ", " becomes " "
alphabet = sorted(set(text))
corpus = torch.tensor([alphabet.index(letter) for letter in text])
cut = int(0.9 * len(corpus))
train_text, test_text = corpus[:cut], corpus[cut:]

print(len(text), "letters,", len(alphabet), "different ones:", "".join(alphabet))
start = text.index("features are computed")
print(text[start : start + 84])
print(train_text[start : start + 12])

# %% [markdown]
# Each letter (a space or full stop counts as one) is a **token**, and each token a class number. Large models take pieces of words as tokens and have a far larger vocabulary; the functions of this
# lesson do not depend on that. The last tenth of the text is kept for testing.
#
# ## A model that reads
#
# At every position the model looks at the last six tokens and returns $V$ scores, one for each token of the vocabulary. Tokens of shape $(N, L)$ become
# scores `z` of shape $(N, L, V)$.

# %%
class Reader(nn.Module):
    """Scores for the token that follows, from the last `window` tokens."""

    def __init__(self, vocabulary, window=6, width=12, hidden=96):
        super().__init__()
        self.window, self.nothing = window, vocabulary
        self.embedding = nn.Embedding(vocabulary + 1, width)
        self.hidden = nn.Linear(window * width, hidden)
        self.scores = nn.Linear(hidden, vocabulary)

    def forward(self, tokens):
        padded = F.pad(tokens, (self.window - 1, 0), value=self.nothing)
        seen = padded.unfold(1, self.window, 1)  # (N, L, window): what each position may look at
        return self.scores(torch.tanh(self.hidden(self.embedding(seen).flatten(2))))

# %% [markdown]
# May a position look ahead? Change the fifth token, and see at which positions the scores change.

# %%
torch.manual_seed(0)
untrained = Reader(len(alphabet)).double()
tokens = train_text[None, :9]
other = tokens.clone()
other[0, 4] = (other[0, 4] + 1) % len(alphabet)
print("scores change:", (untrained(tokens) != untrained(other)).any(dim=2)[0].int().tolist())

# %% [markdown]
# Positions 0 to 3 know nothing of token 4; position 4 has read it. So `z[:, t]` may depend on tokens $0 \dots t$, and its task is the token
# *after* them.
#
# ## The probability of a text
#
# The probability of a whole text is a product, one factor for each token, given those before it. As in `02_bce`, minus its logarithm is a sum:
#
# $$ -\log P(x_1 \dots x_L \mid x_0) = \sum_{t} -\log p(x_t \mid x_0 \dots x_{t-1}) $$
#
# Each term is a cross-entropy with $V$ classes. By hand, for two words over a vocabulary of five, `.`, `a`, `b`, `n`, `s`: the word "ban." begins with b, and after
# it the model gives these scores.

# %%
letters = ".abns"
two_words = torch.tensor([[2, 1, 3, 0], [3, 1, 2, 0]])  # "ban." and "nab."
z_words = torch.tensor(
    [[[-1, 2, 0.5, 0, 1], [0, -2, 1, 1.5, 0.5], [1, 3, -1, 0, 1], [0, 1, 2, 1, 0]],
     [[0.5, 2.5, -1, 0, 0], [1, -1, 0, 2, 1], [2, 1, 0, -1, 0.5], [1, 0, 1, 2, 0]]], dtype=torch.float64)

after_b = torch.softmax(z_words[0, 0], dim=0)
for letter, p in zip(letters, after_b.tolist()):
    print(f"{letter!r} {p:.4f}")
print(f"'a' comes, and costs {-math.log(after_b[1]):.4f}")

# %% [markdown]
# Each word has four tokens. How many guesses does the model make that can be compared with a token? And which of its scores are compared with nothing?
#
# ## Exercise: `next_token_loss`
#
# Write the mean loss over all tokens that are predicted, in all texts of a batch. Nothing above has lined up scores and tokens yet: decide which of the
# scores meet which of the tokens. (`F.cross_entropy` may be used: you have built it. It takes the classes as dimension 1.)

# %% exercise="next_token_loss"
def next_token_loss(z, tokens):
    """Mean cross-entropy of the next tokens.

    z: (N, L, V), z[:, t] scores the token after position t.
    tokens: (N, L) int64, L >= 2. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    ### END SOLUTION

# %%
compare("next_token_loss", z_words, two_words)

# %% [markdown]
# ## Train it
#
# Batches are 32 pieces of 17 letters, cut out of the training text at random places. A batch is a tuple: first what the model reads, then whatever else the loss
# needs. The training also records the mean log-sum-exp of the scores, which is needed towards the end.

# %%
def pieces(corpus, length=17, number=32):
    """Random batches of pieces, (number, length), cut out of a corpus, without end."""
    while True:
        starts = torch.randint(0, len(corpus) - length, (number, 1))
        yield (corpus[starts + torch.arange(length)],)

# %%
def train_reader(loss_of, batches, vocabulary=len(alphabet), steps=400, **shape):
    """A model, its losses, and its mean log-sum-exp, after `steps` steps of Adam; loss_of(z, tokens, …)."""
    torch.manual_seed(0)
    model = Reader(vocabulary, **shape).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    slower = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    history = []
    for given in itertools.islice(batches, steps):
        step(model, loss_of, given, optimizer, history)
        slower.step()
    return model, *torch.tensor(history).T

# %%
def step(model, loss_of, given, optimizer, history):
    """One step of training; the loss and the mean log-sum-exp go into the history."""
    z = model(given[0])
    loss = loss_of(z, *given)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append((loss.item(), torch.logsumexp(z.detach(), dim=-1).mean().item()))

# %% [markdown]
# What will the first loss be, of a model that has learned nothing, with 28 letters to choose from? Guess it first (within 0.3 counts as right), then run.

# %%
guess("first_loss_of_28_letters", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
next_token_ready = ready("next_token_loss")
model, losses, log_sums = train_reader(next_token_ready, pieces(train_text))
print(f"ln {len(alphabet)} = {math.log(len(alphabet)):.2f}")
print(f"first loss {losses[0]:.2f}, mean of the last 50 {losses[-50:].mean():.2f}")
with torch.no_grad():
    test_loss = next_token_ready(model(test_text[None]), test_text[None])
print(f"on the text that it has not seen {test_loss:.2f}")
guessed("first_loss_of_28_letters", losses[0], within=0.3)

# %% [markdown]
# It has learned much. On text that it has not seen the loss is higher: part of what it learned holds for the training text alone. To let it write, draw a token from its last scores, append it, and repeat.

# %%
@torch.no_grad()
def write(model, beginning, length=90):
    """The beginning, continued by `length` letters drawn from the model's distribution."""
    chance = torch.Generator().manual_seed(2)
    tokens = [alphabet.index(letter) for letter in beginning]
    for _ in range(length):
        p = torch.softmax(model(torch.tensor([tokens[-8:]]))[0, -1], dim=0)
        tokens.append(torch.multinomial(p, 1, generator=chance).item())
    return "".join(alphabet[token] for token in tokens)


print(write(model, "the data"))

# %% [markdown]
# Not English; but words have a credible length, and many of them could be pronounced.
#
# ## The price of each letter
#
# The mean hides where a text is hard. Give the model a beginning, look at what it says about the letter that follows, and do so for every beginning of a sentence from the test text.

# %%
@torch.no_grad()
def prices(model, tokens):
    """What each token but the first costs, in nats: one beginning after the other."""
    costs = []
    for t in range(1, len(tokens)):
        beginning = tokens[None, max(0, t - 8) : t]  # more than the model can see
        scores = model(beginning)[0, -1]
        costs.append(F.cross_entropy(scores, tokens[t]))
    return torch.stack(costs)

# %%
begin = text.index("the classes are separable")
sentence = corpus[begin : begin + 77]
costs = prices(model, sentence)
for word in ("classes", "classification", "rda"):
    print(f"{word!r} in the training text: {word in text[:cut]}")
print(f"mean of these prices {costs.mean():.4f}")
print(f"next_token_loss      {next_token_ready(model(sentence[None]), sentence[None]):.4f}")

# %%
# the price of each letter of a sentence that the model has not seen
shown = [alphabet[token] for token in sentence[1:]]
starts = torch.tensor([alphabet[token] == " " for token in sentence[:-1]])
fig, ax = plt.subplots(figsize=(11, 3.2))
bars = ax.bar(range(len(shown)), costs, color=[ORANGE if first else BLUE for first in starts], edgecolor="black", linewidth=0.5)
for bar, first in zip(bars, starts):
    bar.set_hatch("////" if first else "")
ax.axhline(math.log(len(alphabet)), **LINE["reference"], label="ln 28: no idea at all")
ax.set(title="the price of each letter; the bars of first letters are hatched", ylabel="−log p, nats", xticks=range(len(shown)), xlim=(-1, len(shown)))
ax.set_xticklabels(["␣" if letter == " " else letter for letter in shown], family="monospace")
ax.grid(False, axis="x"), ax.legend(loc="upper left")
print(f"mean price of first letters {costs[starts].mean():.2f}, of all others {costs[~starts].mean():.2f}")
show("A bar for each letter of the sentence \"the classes are separable though only rda has achieved correct classification\", as high as its price in nats, "
     "from nearly 0 to almost 7; a dotted line at 3.3 marks a model without any idea, and the bars of the first letters of words are hatched. The middle of \"classes\" and most of \"classification\" cost little; "
     "most letters of \"rda\" and some of \"only\" and \"achieved\" rise far above that.")

# %% [markdown]
# The bars are the terms that your loss averages: the two means above agree. In words that the training text has (*classes*, *classification*) most letters after the first two are cheap, except where a word can go on in several ways (after *class*); and
# *rda*, an abbreviation, is expensive. Where a bar passes the dotted line, the model gave the letter less than an even share of one in 28.
#
# ## Without the shift
#
# What if the scores at each position are compared with the token at the *same* position? The shapes fit even better. Guess the loss at the end of the training (within 0.1 counts as right), and
# imagine what this model will write.

# %%
guess("last_loss_without_shift", ..., sure=...)     # your number, and how sure you are, from 0 to 1

# %%
def same_place_loss(z, tokens):
    return F.cross_entropy(z.transpose(1, 2), tokens)


copier, losses_copier, _ = train_reader(same_place_loss, pieces(train_text), steps=200)
print(f"last loss {losses_copier[-1]:.4f}")
guessed("last_loss_without_shift", losses_copier[-1], within=0.1)
print(write(copier, "the data"))

# %% [markdown]
# The loss falls to nothing: the model has already read the token that it has to name, so it learns to copy, and on its own it repeats its last letter.
# A loss too good for the text is the first sign. Read what a model writes before you believe its loss.
#
# ## Shifted twice
#
# Some losses shift, as yours does. Some data loaders hand out labels that are shifted already: the same piece, cut one letter later. Use both together, and each position
# is compared with the token two places on.

# %%
def with_labels(corpus, length=17, number=32):
    """Pieces as above, and beside each the piece that begins one letter later."""
    for (longer,) in pieces(corpus, length + 1, number):
        yield longer.unfold(1, length, 1).unbind(1)


def shifted_twice(z, tokens, labels):
    return next_token_ready(z, labels)


skipper, losses_skipper, _ = train_reader(shifted_twice, with_labels(train_text))
print(f"mean of the last 50 losses {losses_skipper[-50:].mean():.2f}")
print(write(skipper, "the data"))

# %%
# three training losses: shifted once, not at all, twice
fig, ax = plt.subplots()
for name, curve, style in [("shifted once", losses, LINE["repaired"]), ("not shifted", losses_copier, LINE["broken"]), ("shifted twice", losses_skipper, LINE["clamped"])]:
    ax.plot(curve, **style, label=name)
ax.set(title="training loss", xlabel="step", ylabel="mean loss, nats", ylim=(0, 3.6))
ax.legend(loc="upper right")
show("Three training losses against the step, all from 3.4. Not shifted: down to 0 within a hundred steps. Shifted once: down to about 1.6. "
     "Shifted twice: the same shape, higher, down to about 2.")

# %% [markdown]
# The curve of the double shift looks healthy: it falls, and merely ends higher. The text gives it away. In Hugging Face's transformers
# the loss shifts inside the model, so labels are passed *unshifted*. [Users](https://github.com/huggingface/transformers/issues/35066) are
# [often](https://github.com/huggingface/transformers/pull/44642) in doubt about it, and some of its own models shifted twice, among them
# [GIT](https://github.com/huggingface/transformers/issues/47394) and [Florence-2](https://github.com/huggingface/transformers/pull/46898).
#
# ## Which tokens count
#
# A model that answers questions should learn to write the answers, not the questions. And texts of different lengths are filled up with **padding**. Here are 24 questions
# (a word and a space) with their answers (the opposite, and a full stop as the end token). The padding is the end token again, as is often done.

# %%
pairs = ("hot cold,big small,old young,high low,long short,wet dry,good bad,rich poor,light dark,happy sad,fast slow,hard soft,early late,"
         "open shut,full empty,left right,north south,day night,push pull,give take,love hate,win lose,front back,true false").split(",")
end = alphabet.index(".")
rows = [[alphabet.index(letter) for letter in pair + "."] for pair in pairs]
lengths = torch.tensor([len(row) for row in rows])
prompt = torch.tensor([pair.index(" ") + 1 for pair in pairs])
dialogues = torch.tensor([row + [end] * (lengths.max() - len(row)) for row in rows])
for n in (0, 2):
    print("".join(alphabet[token] for token in dialogues[n]), " question", prompt[n].item(), "tokens, real", lengths[n].item())

# %% [markdown]
# ## Exercise: `answer_loss`
#
# Write the mean loss over the tokens of the answers: `tokens[n, t]` counts where `prompt[n] <= t < lengths[n]`. Two decisions: where these places lie among
# your *shifted* losses, and by what to divide, when rows have one counted token or ten. Padding may be any token, also −100, which is not a token at all;
# and a row may have no answer.

# %% exercise="answer_loss"
def answer_loss(z, tokens, prompt, lengths):
    """Mean cross-entropy of the answers' tokens, over the whole batch.

    z: (N, L, V), z[:, t] scores the token after position t.
    tokens: (N, L) int64, padding is -100 or any token.
    prompt: (N,) int64, how many tokens the question has, at least 1.
    lengths: (N,) int64, how many tokens are real, the end token among them.
    Returns a 0-d tensor. At least one token of the batch counts.
    """
    ### BEGIN SOLUTION
    t = torch.arange(1, tokens.shape[1])
    counts = (t >= prompt[:, None]) & (t < lengths[:, None])
    labels = tokens[:, 1:].masked_fill(~counts, -100)  # what F.cross_entropy ignores
    return F.cross_entropy(z[:, :-1].transpose(1, 2), labels)
    ### END SOLUTION

# %%
compare("answer_loss", z_words, torch.tensor([[2, 1, 3, 0], [3, 1, 2, -100]]), torch.tensor([1, 2]), torch.tensor([4, 3]))

# %% [markdown]
# ## A model that never stops
#
# Nobody hands you `lengths`. A natural idea: real is what is not padding. Count the tokens that differ from it, once with the padding above:

# %%
not_padding = (dialogues != end).sum(dim=1)
print("real tokens     ", lengths[:6].tolist())
print("found by padding", not_padding[:6].tolist())

# %% [markdown]
# One is missing everywhere: the end token has the padding's number, and was masked with it. Train one model with either of the two.

# %%
answer_ready = ready("answer_loss")
answers = {}
for name, real in [("lengths as they are", lengths), ("padding masked by its number", not_padding)]:
    always_all = itertools.repeat((dialogues, prompt, real))
    answers[name], curve, _ = train_reader(answer_ready, always_all, steps=200, window=8, hidden=64)
    print(f"{name:29} last loss {curve[-1]:.4f}")

# %%
@torch.no_grad()
def answer(model, question, most=34):
    """The most probable letters after the question, up to the end token or `most` letters."""
    tokens = [alphabet.index(letter) for letter in question]
    while len(tokens) < most and tokens[-1] != end:
        tokens.append(model(torch.tensor([tokens]))[0, -1].argmax().item())
    return "".join(alphabet[token] for token in tokens)


for name, trained in answers.items():
    print(name)
    for question in ("hot ", "full ", "north "):
        print("   ", answer(trained, question))

# %% [markdown]
# Both losses are near 0, and both models know these opposites. But one of them was never told that an answer ends: it writes on until something
# else stops it. This has happened to [many](https://github.com/huggingface/trl/pull/456#issuecomment-1804665261): pad with the end token, let a data loader mask "the padding".
# Keep the lengths, or a mask made of them.
#
# ## The mean of means, again
#
# A batch too large for the memory is cut into micro-batches whose gradients are added up. If each of them takes its own mean, and the means are averaged, is that the mean of the
# batch? Here are twelve pieces of the corpus, cut at its few full stops, from short to long, in micro-batches of three. All their tokens count.

# %%
texts = sorted({part.strip() for part in text.split(".") if 15 < len(part) < 200}, key=len)
texts = texts[:: len(texts) // 12][:12]
extent = torch.tensor([len(part) for part in texts])
batch12 = torch.full((12, int(extent.max())), -100)
for n, part in enumerate(texts):
    batch12[n, : len(part)] = torch.tensor([alphabet.index(letter) for letter in part])
small = torch.arange(12).split(3)
one = torch.ones_like(extent)  # a question of one token: all the others count

def mean_of(part, z):
    return answer_ready(z, batch12[part], one[part], extent[part])

# %%
with torch.no_grad():
    z12 = model(batch12.clamp(min=0))
    whole, means = mean_of(slice(None), z12), [mean_of(part, z12[part]) for part in small]
sizes = [int((extent[part] - 1).sum()) for part in small]
print("predicted tokens", sizes)
print("means           ", [round(mean.item(), 2) for mean in means])
print(f"mean of the means {torch.stack(means).mean():.4f}")
print(f"mean of the batch {whole:.4f}")
print(f"weight of a token of the first micro-batch against one of the last: {sizes[-1] / sizes[0]:.1f}")

# %% [markdown]
# The mean of the means gives a token more weight the fewer tokens its micro-batch has. You met this in `00_tools` with patients. In 2024
# [transformers](https://github.com/huggingface/transformers/pull/34191) had to repair it, and in 2026 it was [found](https://github.com/ml-explore/mlx-lm/pull/1544) in another library.
#
# ## Exercise: `micro_batch_loss`
#
# Write the loss of *one* micro-batch, so that the sum over all micro-batches is the mean of the whole batch, in value and gradient. What does a micro-batch
# have to be told about the others? Here all real tokens count that can be predicted, `1 <= t < lengths[n]`.

# %% exercise="micro_batch_loss"
def micro_batch_loss(z, tokens, lengths, total):
    """One micro-batch's share of the mean loss of the whole batch.

    z: (N, L, V), z[:, t] scores the token after position t.
    tokens: (N, L) int64, padding is -100 or any token.
    lengths: (N,) int64, how many tokens are real.
    total: int, how many real tokens are predicted in the whole batch.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    t = torch.arange(1, tokens.shape[1])
    labels = tokens[:, 1:].masked_fill(t >= lengths[:, None], -100)
    scores = z[:, :-1].transpose(1, 2)
    return F.cross_entropy(scores, labels, reduction="sum") / total
    ### END SOLUTION

# %%
micro_ready = ready("micro_batch_loss")
total = sum(sizes)
shares = [micro_ready(z12[part], batch12[part], extent[part], total) for part in small]
print(f"sum of the shares {sum(shares):.6f}")
assert torch.isclose(sum(shares), whole)

# %% [markdown]
# And the gradients, which are what training uses. Accumulate them as a trainer does, micro-batch after micro-batch, and compare with one backward pass through the
# whole batch.

# %%
def gradient_of(model, losses):
    """The gradient of all parameters, as one vector, after a backward pass for each of the losses."""
    model.zero_grad()
    for loss in losses:
        loss.backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def scores_of(part):
    return model(batch12[part].clamp(min=0))


exact = gradient_of(model, [mean_of(slice(None), scores_of(slice(None)))])
by_means = gradient_of(model, [mean_of(part, scores_of(part)) / len(small) for part in small])
by_shares = gradient_of(model, [micro_ready(scores_of(part), batch12[part], extent[part], total) for part in small])

# %%
for name, gradient in [("means, averaged", by_means), ("shares, added up", by_shares)]:
    print(f"{name:16} off by {100 * (gradient - exact).norm() / exact.norm():.1f} % of the gradient's length")

# %% [markdown]
# ## How good is 2.2?
#
# What does a number of nats for each token mean? A model that hesitates between $k$ equally likely tokens pays $\ln k$ each time, so ask the other way round: which $k$ belongs to a
# mean loss? That is the **perplexity**.
#
# A first idea is to compute it for each page of a text, and to average over pages. Here the test text is cut into pages of 500, 50 and 5 letters. The prices of the letters are the same each time.

# %%
costs = prices(model, test_text)[:1000]
for size in (500, 50, 5):
    by_page = torch.exp(costs.view(-1, size).mean(dim=1))
    print(f"{1000 // size:4} pages of {size:3} letters: perplexities from {by_page.min():5.1f} to {by_page.max():7.1f}, their mean {by_page.mean():6.1f}")

# %% [markdown]
# The same model, the same text, three results. The exponential gives hard pages more than their share, and the shorter the pages are, the more they differ.
#
# ## Exercise: `perplexity`
#
# Write it for one row of predictions. When do you average, and when do you take the exponential? It has to survive scores of 1000, and texts of many tokens.

# %% exercise="perplexity"
def perplexity(z, y):
    """Perplexity of the tokens y under the scores z.

    z: (N, V). y: (N,) int64. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return F.cross_entropy(z, y).exp()
    ### END SOLUTION

# %%
perplexity_ready = ready("perplexity")
undecided = torch.zeros(6, 5, dtype=torch.float64)
print(f"no idea among five letters      {perplexity_ready(undecided, torch.tensor([0, 1, 2, 3, 4, 0])):.2f}")
print(f"the scores of the two words     {perplexity_ready(z_words[:, :3].reshape(6, 5), torch.tensor([1, 3, 0, 1, 2, 0])):.2f}")

# %% [markdown]
# ## Per token, but what is a token?
#
# Now give another model longer tokens. Replace the most frequent pair of tokens by a new one, sixty times over, as byte-pair encoding does. The pairs are found in the training text.

# %%
def merge(row, pair, new):
    """The row with every occurrence of the pair replaced by one new token."""
    merged, t = [], 0
    while t < len(row):
        is_pair = tuple(row[t : t + 2]) == pair
        merged.append(new if is_pair else row[t])
        t += 2 if is_pair else 1
    return merged


pieces_of, train_row, test_row = list(alphabet), train_text.tolist(), test_text.tolist()
for new in range(len(alphabet), len(alphabet) + 60):
    (pair, _), = Counter(zip(train_row, train_row[1:])).most_common(1)
    pieces_of.append(pieces_of[pair[0]] + pieces_of[pair[1]])
    train_row, test_row = merge(train_row, pair, new), merge(test_row, pair, new)

# %%
print("new tokens:", [piece.replace(" ", "_") for piece in pieces_of[29:60:3]])
long_train, long_test = torch.tensor(train_row), torch.tensor(test_row)
long_model, _, _ = train_reader(next_token_ready, pieces(long_train), len(pieces_of), window=3, width=24)

frequency = torch.bincount(train_text, minlength=len(alphabet)).double()
by_frequency = frequency.log().expand(1, len(test_text), -1)  # the same scores everywhere: how often each letter comes
with torch.no_grad():
    compared = {
        "letters, by frequency only": (next_token_ready(by_frequency, test_text[None]), len(test_text) - 1),
        "letters, the model above  ": (test_loss, len(test_text) - 1),
        "pairs and longer pieces   ": (next_token_ready(long_model(long_test[None]), long_test[None]), len(long_test) - 1),
    }
for name, (loss, count) in compared.items():
    print(f"{name} {count:5} tokens, {loss:.2f} nats each, perplexity {loss.exp():5.1f}")

# %% [markdown]
# By perplexity the first model beats the third, and yet it knows nothing but how often each letter comes. It has fewer tokens to choose from, and it needs
# more of them for the same text. So what can be compared?
#
# ## Exercise: `bits_per_byte`
#
# The text has a length that no tokeniser can change: its bytes. From the mean loss in nats a token, and both counts, compute what one byte costs, in bits.

# %% exercise="bits_per_byte"
def bits_per_byte(loss, token_count, byte_count):
    """Bits for each byte of a text.

    loss: 0-d tensor, mean nats a token. token_count, byte_count: ints, of the text.
    Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    return loss * token_count / (byte_count * math.log(2))
    ### END SOLUTION

# %%
bits_ready = ready("bits_per_byte")
for name, (loss, count) in compared.items():
    first = len(pieces_of[test_row[0]]) if "longer" in name else 1  # the first token is given, not predicted
    print(f"{name} perplexity {loss.exp():5.1f}, bits per byte {bits_ready(loss, count, len(test_text) - first):.2f}")

# %% [markdown]
# Now the order is different: the model with the largest perplexity is no longer the worst. These numbers are what an ideal compressor would need if it used the model's probabilities; the
# file on disk takes 8 bits a byte.
#
# ## What the loss does not see
#
# Cross-entropy compares scores with each other. Add a constant to all of them. What changes in $-z_y + \log \sum_k e^{z_k}$? Then round the scores to bfloat16, a format that
# large models are trained in, and look again.

# %%
with torch.no_grad():
    z_test, targets = model(corpus[None, cut:-1])[0], corpus[cut + 1 :]
for shift in (0.0, 30.0, 300.0, 3000.0):
    moved = z_test + shift
    rounded = moved.to(torch.bfloat16).double()
    print(f"all scores {shift:+6.0f}: loss {F.cross_entropy(moved, targets):.4f}, rounded to bfloat16 {F.cross_entropy(rounded, targets):.4f}")
print(f"from 2048 to 4096, bfloat16 moves in steps of {2048 * torch.finfo(torch.bfloat16).eps:.0f}")

# %% [markdown]
# In float64 the loss stays the same to four places. So the gradient does not hold the scores in place. But the larger numbers are, the further apart they lie in bfloat16: far out, what distinguishes one score
# from another is rounded away.
#
# So a second term is added, the **z-loss**. With $\log Z = \log \sum_k e^{z_k}$, one for each prediction, it is a coefficient times the mean of $(\log Z)^2$.
#
# ## Exercise: `z_loss`
#
# Write the sum of both: the mean cross-entropy, and the coefficient times the mean of the squares. Decide what is squared and what is averaged first; it has to survive scores of 1000.

# %% exercise="z_loss"
def z_loss(z, y, coefficient=1e-4):
    """Mean cross-entropy, plus the z-loss with its coefficient.

    z: (N, V). y: (N,) int64. coefficient: float >= 0. Returns a 0-d tensor.
    """
    ### BEGIN SOLUTION
    log_z = torch.logsumexp(z, dim=1)
    return F.cross_entropy(z, y) + coefficient * log_z.square().mean()
    ### END SOLUTION

# %%
# loss and z-loss against a constant added to all scores
z_loss_ready = ready("z_loss")
shifts = torch.linspace(-20, 20, 81)
plain = [F.cross_entropy(z_test + shift, targets) for shift in shifts]
held = [z_loss_ready(z_test + shift, targets, coefficient=0.01) for shift in shifts]
lowest = shifts[torch.stack(held).argmin()]
fig, ax = plt.subplots()
ax.plot(shifts, plain, **LINE["cross-entropy"], label="cross-entropy")
ax.plot(shifts, held, **LINE["weighted"], label="with z-loss, coefficient 0.01")
ax.axvline(lowest, **LINE["reference"], label=f"lowest: all scores moved by {lowest:.1f}")
ax.set(title="a constant added to all scores", xlabel="the constant", ylabel="loss, nats", ylim=(0, None))
ax.legend(loc="upper left")
print(f"mean log Z of the model {torch.logsumexp(z_test, dim=1).mean():.2f}, lowest at {lowest:.1f}")
show("Loss against a constant added to all scores, from -20 to 20. Cross-entropy is a horizontal line at 2.2. With z-loss it is a parabola that comes close "
     "to it near -5, where the dotted line is, and rises to above 4 on the left and above 8 on the right.")

# %% [markdown]
# The line is flat: no constant is better than another. The parabola has a lowest point, where $\log Z$ is 0 on average. (Where it is 0 for a prediction, each score *is* a log-probability.) Does
# it matter in training? Look at $\log Z$ over the steps, without and with the second term.

# %%
def with_z_loss(z, tokens, labels):
    return z_loss_ready(z.flatten(0, 1), labels.flatten(), coefficient=0.01)


held_model, _, held_sums = train_reader(with_z_loss, with_labels(train_text, length=16))
with torch.no_grad():
    held_test = next_token_ready(held_model(test_text[None]), test_text[None])
print(f"without: mean log Z at the end {log_sums[-1]:5.2f}, test loss {test_loss:.2f}")
print(f"with:    mean log Z at the end {held_sums[-1]:5.2f}, test loss {held_test:.2f}")

# %%
# log Z over the training, without and with the z-loss
fig, ax = plt.subplots()
ax.plot(log_sums, **LINE["cross-entropy"], label="cross-entropy alone")
ax.plot(held_sums, **LINE["weighted"], label="with z-loss, coefficient 0.01")
ax.set(title="mean of log Z in training", xlabel="step", ylabel="log Z", ylim=(-0.5, 6))
ax.legend(loc="center right")
show("The mean of log Z against the training step. Cross-entropy alone: it rises from 3.3 to above 5. With z-loss: it falls within a hundred steps and stays "
     "near 0.3.")

# %% [markdown]
# Without the second term $\log Z$ drifts upwards, more and more slowly as the learning rate falls; with it, $\log Z$ stays near 0, and the test loss is no worse.
# [PaLM](https://arxiv.org/abs/2204.02311) was trained with such a term, the coefficient a hundred times smaller (section 5).
#
# ## What PyTorch calls it
#
# `torch.nn` has no language-model loss. What libraries do is to hand `F.cross_entropy` **labels**: class numbers, with −100 wherever nothing counts. Here they are written out for the two words, with the module and
# with the function.

# %%
labels = torch.tensor([[1, 3, 0, -100], [1, 2, 0, -100]])  # after each letter the next one; after the last, nothing
results = {
    "yours": next_token_ready(z_words, two_words),
    "modular, nn.CrossEntropyLoss": nn.CrossEntropyLoss()(z_words.transpose(1, 2), labels),
    "functional, F.cross_entropy": F.cross_entropy(z_words.flatten(0, 1), labels.flatten()),
}
for name, value in results.items():
    print(f"{value:.4f}  {name}")
    assert torch.isclose(value, results["yours"])

# %% [markdown]
# −100 is `ignore_index`'s default, and a convention of these losses alone. Index a tensor with it, and the convention is gone:

# %%
scores = torch.arange(120.0)
print("120 scores, scores[-100]:", scores[-100].item())
try:
    scores[:28][-100]
except IndexError as error:
    print("28 scores:", str(error)[:60])

# %% [markdown]
# With a small vocabulary that is an error, with a large one it is silently another token.
#
# ## In your own words
#
# A colleague has fine-tuned a model on answers. The training loss is 0.02 after one epoch. The model repeats itself, or does not stop. Which mistakes of this lesson would explain
# it, and with which small experiments do you tell them apart?

# %% [markdown] question="loss_of_002" points=2
# A loss of 0.02 nats a token is a perplexity of 1.02: hardly any new text is so predictable. Either the model is shown the answer, or tokens that are no answer are counted, or it knows the answers by heart. No shift: change one token t and look
# which position's loss changes; or generate: it repeats the last token. Padding counted: most of the batch is padding, which is learned at once; print the number of counted tokens beside the sum of lengths.
# End token masked with the padding: it answers well and does not stop; print the probability of the end token after a complete answer, and count how many labels are the end token. Also a memorised training set
# (the loss on held-out answers tells).

# %% [markdown]
# ## Recap
#
# - You built the loss of a language model: cross-entropy of each next token, over the tokens that count, divided once by their number; and its units, perplexity and bits per byte.
# - PyTorch has `nn.CrossEntropyLoss` and `F.cross_entropy` for it, with `ignore_index=-100`. Shift, mask and division are yours, or your library's: find out which.
# - Three mistakes people make with it: they shift not at all or twice; they mask the end token with the padding; they average means.
#
# **Before:** `09_cross_entropy_options`, where labels were ignored. **Next:** `15_large_vocabulary`: how do you compute this loss when the scores do not fit into memory?
#
# **Read on:** Bengio and others, [*A Neural Probabilistic Language Model*](https://www.jmlr.org/papers/v3/bengio03a.html), whose model is much like this one; Sennrich, Haddow and Birch on
# [byte-pair encoding for words](https://arxiv.org/abs/1508.07909); PyTorch's page of
# [`CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
