"""Exercises of 14_language_model: the loss of a language model: shift, mask, average, and its units.

What earlier lessons have rebuilt (`log_softmax`, `logsumexp`, `cross_entropy`) may be used: here it is about what goes in,
which tokens count, and what the sum is divided by.
Sources: Bengio et al., "A Neural Probabilistic Language Model", https://www.jmlr.org/papers/v3/bengio03a.html;
z-loss: Chowdhery et al., "PaLM", https://arxiv.org/abs/2204.02311, section 5;
means under gradient accumulation: https://github.com/huggingface/transformers/pull/34191
"""

import math

import torch
from torch.nn import functional as F

from grader.judging.exercise import exercise
from grader.judging.question import call

# "ban." and "nab." over the vocabulary ". a b n s": what the model scores after each of their letters
TOKENS = [[2, 1, 3, 0], [3, 1, 2, 0]]
Z = [
    [[-1.0, 2.0, 0.5, 0.0, 1.0], [0.0, -2.0, 1.0, 1.5, 0.5], [1.0, 3.0, -1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 1.0, 0.0]],
    [[0.5, 2.5, -1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 2.0, 1.0], [2.0, 1.0, 0.0, -1.0, 0.5], [1.0, 0.0, 1.0, 2.0, 0.0]],
]  # fmt: skip
PROMPT = [1, 2]
LENGTHS = [4, 3]


def example(rng):
    return torch.tensor(Z, dtype=rng.dtype), torch.tensor(TOKENS)


def texts(rng, n, length, vocabulary):
    return rng.logits(n, length, vocabulary), rng.classes(n, length, num_classes=vocabulary)


def ordinary(rng):
    """Two or three texts; number, length and vocabulary all differ, and so does the number of predictions."""
    return texts(rng, rng.size(2, 3), rng.size(6, 7), 4)


def extreme_texts(rng):
    """Scores of ±1000 at every position."""
    return 1000 * rng.signs(3, 5, 7), rng.classes(3, 5, num_classes=7)


def shared_losses(z, tokens):
    """The loss of each predicted token, (N, L - 1); 0 where the token is -100."""
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")


def places(tokens):
    """The places 1 … L - 1 of the predicted tokens, (1, L - 1)."""
    return torch.arange(1, tokens.shape[1])[None]


def log_of_softmax(z, tokens):
    """The loss of each predicted token, by the logarithm of a softmax: inf where a probability underflows."""
    p = torch.softmax(z[:, :-1], dim=2)
    return -p.gather(2, tokens[:, 1:, None].clamp(min=0)).squeeze(2).log()


# ---------------------------------------------------------------- next_token_loss


@exercise(
    points=3,
    hints=[
        "Write one text down, and below each of its tokens the one that the model has to guess there. How many guesses are there in a text of L tokens?",
        "The scores at the last position have nothing to predict, and nothing predicts the first token. What is left of `z`, and what of `tokens`?",
        "Scores of positions 0 … L − 2 meet tokens 1 … L − 1: cut one from the end of `z` and one from the beginning of `tokens`. "
        "`F.cross_entropy` then wants either two dimensions, (everything, V), or the vocabulary as dimension 1.",
    ],
    built="You have built the loss with which language models learn to predict the next token. PyTorch has no function for the shift: "
    "it is two slices before `F.cross_entropy`, and some libraries make them for you (then you must not).",
)
def next_token_loss(z, tokens):
    return F.cross_entropy(z[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


next_token_loss.case("the lesson's example", example=True, gradient="z")(example)
next_token_loss.case("random texts", gradient="z")(ordinary)
next_token_loss.case("two tokens, one prediction", gradient="z")(lambda rng: texts(rng, 4, 2, 5))
next_token_loss.case("one text", gradient="z")(lambda rng: texts(rng, 1, 6, 4))
next_token_loss.case("as many positions, or predictions, as words", gradient="z")(
    lambda rng: [texts(rng, 3, 5, 5), texts(rng, 3, 5, 4), texts(rng, 5, 3, 5)]
)
next_token_loss.case("float32", dtype=torch.float32, gradient="z")(ordinary)
next_token_loss.case("scores of 1000", extreme=True, gradient="z")(extreme_texts)


@next_token_loss.mistake(
    "There is no shift: you compare the scores at each position with the token that the model has just read there. "
    "A model that copies its input would be perfect.",
    hint="`z[:, t]` scores the token at t + 1.",
)
def _(z, tokens):
    return F.cross_entropy(z.flatten(0, 1), tokens.flatten())


@next_token_loss.mistake(
    "You shifted by two: the scores at position t are compared with the token at t + 2, so the model learns to predict the token after next."
)
def _(z, tokens):
    return F.cross_entropy(z[:, :-2].flatten(0, 1), tokens[:, 2:].flatten())


@next_token_loss.mistake(
    "You shifted in the wrong direction: the scores at position t are compared with the token at t − 1, which the model has already read."
)
def _(z, tokens):
    return F.cross_entropy(z[:, 1:].flatten(0, 1), tokens[:, :-1].flatten())


@next_token_loss.mistake(
    "`roll` wraps around: at its last position each text has to predict its own first token.",
    hint="The last position has nothing to predict: drop it.",
)
def _(z, tokens):
    return F.cross_entropy(z.flatten(0, 1), tokens.roll(-1, dims=1).flatten())


@next_token_loss.mistake(
    "You put all texts into one row before you shifted, so the end of each text has to predict the beginning of the next one.",
    hint="Shift first, inside each text, and flatten afterwards.",
)
def _(z, tokens):
    return F.cross_entropy(z.flatten(0, 1)[:-1], tokens.flatten()[1:])


@next_token_loss.mistake(
    "You divided by N·L, but a text of L tokens does not hold L predictions: nothing predicts its first token.",
    hint="The mean is over N·(L − 1) predictions.",
)
def _(z, tokens):
    return shared_losses(z, tokens).sum() / tokens.numel()


@next_token_loss.mistake(
    "You returned the sum over all predicted tokens; the loss is their mean.",
    hint="Divide by their number, N·(L − 1).",
)
def _(z, tokens):
    return shared_losses(z, tokens).sum()


@next_token_loss.mistake(
    "You added up the losses of each text and took the mean over texts. The mean here is over all predicted tokens.",
    hint="Divide by N·(L − 1), not by N.",
)
def _(z, tokens):
    return shared_losses(z, tokens).sum(dim=1).mean()


@next_token_loss.mistake(
    "You returned the loss of each predicted token. Their mean, one number, is the loss of the batch."
)
def _(z, tokens):
    return shared_losses(z, tokens)


@next_token_loss.mistake(
    "Only the last token of each text is predicted in yours. Every position but the last makes a prediction, and all of them count."
)
def _(z, tokens):
    return F.cross_entropy(z[:, -2], tokens[:, -1])


@next_token_loss.mistake(
    "`F.cross_entropy` expects the classes as dimension 1, and yours come last.",
    hint="Flatten texts and positions into one dimension, for scores and tokens alike; or transpose the scores.",
)
def _(z, tokens):
    return F.cross_entropy(z[:, :-1], tokens[:, 1:])


@next_token_loss.mistake(
    "`reshape` and `view` do not swap dimensions: they cut the same numbers into other rows, so scores of different positions are mixed.",
    hint="Two dimensions are swapped by `transpose`.",
)
def _(z, tokens):
    n, length, vocabulary = z.shape
    return F.cross_entropy(z[:, :-1].reshape(n, vocabulary, length - 1), tokens[:, 1:])


@next_token_loss.mistake(
    "The softmax runs over the positions of a text. The words compete at each position: it belongs to the last dimension of z."
)
def _(z, tokens):
    return F.nll_loss(z[:, :-1].log_softmax(dim=1).flatten(0, 1), tokens[:, 1:].flatten())


@next_token_loss.mistake("The minus is missing: log-probabilities are negative, a loss is not.")
def _(z, tokens):
    return -shared_losses(z, tokens).mean()


@next_token_loss.mistake(
    "You took the logarithm of a softmax. Where the model is sure and wrong the probability underflows to 0, and the loss is inf.",
    hint="`log_softmax` and `F.cross_entropy` never make that 0.",
)
def _(z, tokens):
    return log_of_softmax(z, tokens).mean()


@next_token_loss.mistake(
    "z goes through a softmax before `cross_entropy`, which does its own.",
    hint="The scores go in as they are.",
)
def _(z, tokens):
    return shared_losses(z.softmax(dim=2), tokens).mean()


@next_token_loss.mistake(
    "You picked scores where log-probabilities belong: the log-sum-exp over the vocabulary is missing."
)
def _(z, tokens):
    return -z[:, :-1].gather(2, tokens[:, 1:, None]).mean()


@next_token_loss.mistake(
    "There is no shift: you dropped the last position of the scores and the last token too, so each position is still compared with the token that it has read.",
    hint="The tokens lose one at their beginning.",
)
def _(z, tokens):
    return F.cross_entropy(z[:, :-1].flatten(0, 1), tokens[:, :-1].flatten())


@next_token_loss.mistake(
    "There is no shift: you dropped the first position of the scores and the first token too, so each position is still compared with the token that it has read.",
    hint="The scores lose one at their end.",
)
def _(z, tokens):
    return F.cross_entropy(z[:, 1:].flatten(0, 1), tokens[:, 1:].flatten())


@next_token_loss.mistake(
    "You shifted along dimension 0: the scores of each text are compared with the tokens of the next text.",
    hint="Positions are dimension 1.",
)
def _(z, tokens):
    return F.cross_entropy(z[:-1].flatten(0, 1), tokens[1:].flatten())


# ---------------------------------------------------------------- answer_loss


def padded(tokens, lengths, number):
    """Everything from `lengths` on is replaced by `number`."""
    return tokens.masked_fill(torch.arange(tokens.shape[1]) >= lengths[:, None], number)


def dialogues(rng, padding=-100):
    """Four questions with answers, of different lengths; the first has padding, the second none. None: padding is any token."""
    z, tokens = texts(rng, 4, 8, 6)
    prompt = rng.integers(4, low=1, high=4)
    lengths = prompt + rng.integers(4, low=2, high=5)
    lengths[0], lengths[1] = prompt[0] + 2, 8
    if padding is None:
        return z, tokens, prompt, lengths
    tokens[torch.arange(4), lengths - 1] = 0  # the end token
    return z, padded(tokens, lengths, padding), prompt, lengths


def nothing_to_say(rng):
    """The second row's question fills everything that is real: no token of it counts."""
    z, tokens, prompt, lengths = dialogues(rng)
    prompt[1], prompt[2], lengths[2] = 8, 3, 3
    return z, padded(tokens, lengths, -100), prompt, lengths


def all_counts(rng):
    """Questions of one token and no padding: every prediction counts."""
    z, tokens = texts(rng, 3, 6, 4)
    return z, tokens, torch.ones(3, dtype=torch.int64), torch.full((3,), 6)


def extreme_dialogues(rng):
    """Scores of ±1000; the first token of the longest answer is sure and right, and costs 0."""
    z, tokens, prompt, lengths = dialogues(rng)
    z = 1000 * rng.signs(*z.shape)
    row = int((lengths - prompt).argmax())
    first = int(prompt[row])
    z[row, first - 1] = -1000
    z[row, first - 1, tokens[row, first]] = 1000
    return z, tokens, prompt, lengths


@exercise(
    points=3,
    hints=[
        "Which predictions count? Write down, for one row, the place t of each token that is predicted (it begins at 1), and compare it with `prompt` and with `lengths`.",
        "A comparison of `torch.arange(1, L)` with `prompt[:, None]` gives a truth value for every row and every predicted token. "
        "Padding may be −100, which is not a place to pick from: replace it first, or let `ignore_index` drop it.",
        "Count t where prompt ≤ t < lengths. Add the losses of those tokens up over the whole batch, and divide by how many there are in the whole batch.",
    ],
    built="You have built the loss of instruction tuning. Libraries give the tokens that do not count the label −100, "
    "which is what `F.cross_entropy` ignores by default; who sets them, and by which rule, is what differs from library to library.",
)
def answer_loss(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths)
    labels = tokens[:, 1:].masked_fill(~counts, -100)
    return shared_losses(z, torch.cat([tokens[:, :1], labels], dim=1)).sum() / counts.sum()


def _answers(tokens, prompt, lengths):
    return (places(tokens) >= prompt[:, None]) & (places(tokens) < lengths[:, None])


def _counted(z, tokens, counts):
    """The mean loss over the places where `counts` is true, all rows together."""
    return (shared_losses(z, tokens) * counts).sum() / counts.sum()


def answers_example(rng):
    z, tokens = example(rng)
    lengths = torch.tensor(LENGTHS)
    return z, padded(tokens, lengths, -100), torch.tensor(PROMPT), lengths


answer_loss.case("the lesson's example", example=True, gradient="z")(answers_example)
answer_loss.case("padding is −100", gradient="z")(dialogues)
answer_loss.case("padding is the end token", gradient="z")(lambda rng: dialogues(rng, padding=0))
answer_loss.case("padding is any token", gradient="z")(lambda rng: dialogues(rng, padding=None))
answer_loss.case("rows of which nothing counts", gradient="z")(nothing_to_say)
answer_loss.case("questions of one token, no padding", gradient="z")(all_counts)
answer_loss.case("float32", dtype=torch.float32, gradient="z")(dialogues)
answer_loss.case("scores of 1000", extreme=True, gradient="z")(extreme_dialogues)


@answer_loss.mistake(
    "The question counts in yours: the model is trained to write it.",
    hint="Only tokens from place `prompt` on belong to the answer.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, places(tokens) < lengths[:, None])


@answer_loss.mistake(
    "`lengths` has no effect: you rely on padding being −100, but it may be any token's number, the end token's too.",
    hint="Where the real tokens end is what `lengths` says.",
)
def _(z, tokens, prompt, lengths):
    losses = shared_losses(z, tokens)
    counts = (places(tokens) >= prompt[:, None]) & (tokens[:, 1:] != -100)
    return losses[counts].mean()


@answer_loss.mistake(
    "Padding counts in your divisor (and in the sum, unless it is −100).",
    hint="Only places before `lengths` are real.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, places(tokens) >= prompt[:, None])


@answer_loss.mistake(
    "The first token of each answer is lost.",
    hint="A question of `prompt` tokens fills places 0 … prompt − 1. Where does the answer begin?",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt + 1, lengths))


@answer_loss.mistake(
    "You count one place too many at the end of each row: it is padding already.",
    hint="A row of `lengths` real tokens has its last one at place lengths − 1.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt, lengths + 1))


@answer_loss.mistake(
    "You count one place too many at the end of each row: it is padding already, and where the padding is not −100 it is in your mean.",
    hint="A row of `lengths` real tokens has its last one at place lengths − 1.",
)
def _(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths + 1)
    return F.cross_entropy(z[:, :-1].transpose(1, 2), tokens[:, 1:].masked_fill(~counts, -100))


@answer_loss.mistake(
    "The last real token of each row is lost, and that is the end token: a model trained like this never learns to stop.",
    hint="The end token is one of the `lengths` real ones.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt, lengths - 1))


@answer_loss.mistake(
    "Your mask is one place off: the first token of each answer is lost, and the first of the padding counts.",
    hint="You compared `prompt` and `lengths` with the positions of the scores. The tokens that those predict come one place later.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt + 1, lengths + 1))


@answer_loss.mistake(
    "The last token of the question counts, too.",
    hint="A question of `prompt` tokens fills places 0 … prompt − 1.",
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt - 1, lengths))


@answer_loss.mistake(
    "There is no shift: the scores at place t are compared with the token at t, which the model has just read."
)
def _(z, tokens, prompt, lengths):
    t = torch.arange(tokens.shape[1])
    counts = (t >= prompt[:, None]) & (t < lengths[:, None])
    return F.cross_entropy(z.transpose(1, 2), tokens, reduction="none")[counts].mean()


@answer_loss.mistake(
    "You took the mean of each row first, and then the mean over rows: a token of a short answer counts more than one of a long answer, and a row without any gives nan.",
    hint="Divide once, by the number of counted tokens in the whole batch.",
)
def _(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths)
    return ((shared_losses(z, tokens) * counts).sum(dim=1) / counts.sum(dim=1)).mean()


@answer_loss.mistake(
    "You took the mean of each row and then the mean over rows (with something against 0/0): a token of a short answer then counts more than one of a long answer.",
    hint="Divide once, by the number of counted tokens in the whole batch.",
)
def _(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths)
    return ((shared_losses(z, tokens) * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1)).mean()


@answer_loss.mistake(
    "You divided by all N·(L − 1) places, although most of them may not count.",
    hint="Divide by the number of those that do.",
)
def _(z, tokens, prompt, lengths):
    return (shared_losses(z, tokens) * _answers(tokens, prompt, lengths)).mean()


@answer_loss.mistake(
    "You returned the sum over the tokens that count; the loss is their mean.",
    hint="Divide by how many there are in the whole batch.",
)
def _(z, tokens, prompt, lengths):
    return (shared_losses(z, tokens) * _answers(tokens, prompt, lengths)).sum()


@answer_loss.mistake(
    "You divided by the number of rows, but what is averaged is tokens.",
    hint="Divide by the number of tokens that count.",
)
def _(z, tokens, prompt, lengths):
    return (shared_losses(z, tokens) * _answers(tokens, prompt, lengths)).sum() / len(z)


@answer_loss.mistake(
    "You set the scores of the uncounted places to 0. A row of equal scores still costs ln V, and it is still in the mean.",
    hint="Mask the losses, not the scores.",
)
def _(z, tokens, prompt, lengths):
    kept = _answers(tokens, prompt, lengths)
    scores = z[:, :-1] * kept[..., None]
    return F.cross_entropy(scores.transpose(1, 2), tokens[:, 1:].clamp(min=0))


@answer_loss.mistake(
    "You took `lengths` for the length of the answer. It is the number of all real tokens of the row, the question's among them."
)
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, _answers(tokens, prompt, prompt + lengths))


@answer_loss.mistake("Your mask is the wrong way round: the question counts, and the answer does not.")
def _(z, tokens, prompt, lengths):
    return _counted(z, tokens, places(tokens) < prompt[:, None])


@answer_loss.mistake("The minus is missing: log-probabilities are negative, a loss is not.")
def _(z, tokens, prompt, lengths):
    return -_counted(z, tokens, _answers(tokens, prompt, lengths))


@answer_loss.mistake(
    "You took the logarithm of a softmax: where the model is sure and wrong it is −inf.",
    hint="`log_softmax` and `F.cross_entropy` never make the 0 that it is the logarithm of.",
)
def _(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths)
    return log_of_softmax(z, tokens)[counts].mean()


@answer_loss.mistake(
    "You pick scores with −100: padding is not a place in the vocabulary.",
    hint="Replace those tokens by any real one before you pick (`clamp(min=0)`, `masked_fill`), and mask the losses afterwards.",
)
def _(z, tokens, prompt, lengths):
    log_p = z[:, :-1].log_softmax(dim=2).gather(2, tokens[:, 1:, None]).squeeze(2)
    return -log_p[_answers(tokens, prompt, lengths)].mean()


@answer_loss.mistake(
    "You divided by the number of all real tokens, although those of the questions are not in your sum.",
    hint="Divide by the number of tokens that count.",
)
def _(z, tokens, prompt, lengths):
    return (shared_losses(z, tokens) * _answers(tokens, prompt, lengths)).sum() / lengths.sum()


@answer_loss.mistake(
    "You divided by the number of losses that are not 0. A token may cost 0, when the model is sure and right; it counts all the same.",
    hint="`prompt` and `lengths` say which tokens count, not the losses.",
)
def _(z, tokens, prompt, lengths):
    losses = shared_losses(z, tokens) * _answers(tokens, prompt, lengths)
    return losses.sum() / (losses != 0).sum()


@answer_loss.mistake(
    "You took the mean of each row that has an answer, and then the mean over those rows: a token of a short answer counts more than one of a long answer.",
    hint="Divide once, by the number of counted tokens in the whole batch.",
)
def _(z, tokens, prompt, lengths):
    counts = _answers(tokens, prompt, lengths)
    losses = shared_losses(z, tokens) * counts
    answered = counts.any(dim=1)
    return (losses.sum(dim=1)[answered] / counts.sum(dim=1)[answered]).mean()


# ---------------------------------------------------------------- micro_batch_loss


def batch(rng, padding=-100):
    """Six texts of different lengths, and the number of their predicted tokens. One text has a single token: nothing of it counts."""
    z, tokens = texts(rng, 6, 7, 5)
    lengths = rng.integers(6, low=2, high=6)
    lengths[0], lengths[1], lengths[4] = 7, 1, 2
    tokens = tokens if padding is None else padded(tokens, lengths, padding)
    return z, tokens, lengths, int((lengths - 1).sum())


def micro_batches(rng, padding=-100):
    """The batch in micro-batches of 2, 1 and 3 texts, one question each."""
    z, tokens, lengths, total = batch(rng, padding)
    return [
        call(z[part], tokens[part], lengths[part], total) for part in (slice(0, 2), slice(2, 3), slice(3, 6))
    ]


def extreme_batches(rng):
    """Scores of ±1000; each text has a prediction, so that a mean over none is not taken for an overflow."""
    z, tokens = texts(rng, 6, 7, 5)
    z, lengths = 1000 * rng.signs(*z.shape), torch.tensor([7, 3, 5, 2, 4, 6])
    tokens, total = padded(tokens, lengths, -100), int((lengths - 1).sum())
    return [call(z[part], tokens[part], lengths[part], total) for part in (slice(0, 3), slice(2, 6))]


@exercise(
    points=3,
    hints=[
        "The mean of the whole batch is one sum divided by one number. Which part of the sum does this micro-batch know, and does it know the number?",
        "Add up the losses of the real next tokens here, and divide by `total`, whatever their number here is.",
        'Real next tokens are at places 1 ≤ t < lengths[n]; padding may be −100 or any token. `reduction="none"` or `"sum"` with what is not real ignored.',
    ],
    built="You have built what Hugging Face's Trainer was changed to in 2024: the number of tokens of the whole batch is counted before the first micro-batch, "
    "and each of them divides by it. There it is called `num_items_in_batch`.",
)
def micro_batch_loss(z, tokens, lengths, total):
    counts = places(tokens) < lengths[:, None]
    labels = tokens[:, 1:].masked_fill(~counts, -100)
    return shared_losses(z, torch.cat([tokens[:, :1], labels], dim=1)).sum() / total


def _real(z, tokens, lengths):
    """The loss of each predicted token, 0 where it is padding, and where it is real."""
    counts = places(tokens) < lengths[:, None]
    return shared_losses(z, tokens) * counts, counts


def micro_example(rng):
    z, tokens = example(rng)
    lengths = torch.tensor(LENGTHS)
    tokens = padded(tokens, lengths, -100)
    return [call(z[:1], tokens[:1], lengths[:1], 5), call(z[1:], tokens[1:], lengths[1:], 5)]


micro_batch_loss.case("the lesson's example", example=True, gradient="z")(micro_example)
micro_batch_loss.case("padding is −100", gradient="z")(micro_batches)
micro_batch_loss.case("padding is the end token", gradient="z")(lambda rng: micro_batches(rng, padding=0))
micro_batch_loss.case("padding is any token", gradient="z")(lambda rng: micro_batches(rng, padding=None))
micro_batch_loss.case("the whole batch at once", gradient="z")(batch)
micro_batch_loss.case("float32", dtype=torch.float32, gradient="z")(micro_batches)
micro_batch_loss.case("scores of 1000", extreme=True, gradient="z")(extreme_batches)


@micro_batch_loss.mistake(
    "`total` has no effect: you divided by the number of tokens in this micro-batch. Micro-batches of different sizes then count the same, "
    "and the mean of their means is not the mean of the batch."
)
def _(z, tokens, lengths, total):
    losses, counts = _real(z, tokens, lengths)
    return losses.sum() / counts.sum()


@micro_batch_loss.mistake(
    "You divided twice: by the number of tokens here and by `total`.",
    hint="The micro-batch's share is its sum, divided by `total` alone.",
)
def _(z, tokens, lengths, total):
    losses, counts = _real(z, tokens, lengths)
    return losses.sum() / counts.sum() / total


@micro_batch_loss.mistake(
    "You returned the sum of the losses: added up over the micro-batches, that is the sum of the batch, not its mean.",
    hint="Divide by `total`.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths)[0].sum()


@micro_batch_loss.mistake(
    "You divided by the number of texts, but what is averaged is tokens.",
    hint="Their number in the whole batch is `total`.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths)[0].sum() / len(z)


@micro_batch_loss.mistake(
    "You took the mean over all places of this micro-batch, padding among them.",
    hint="Add the losses of the real tokens up, and divide by `total`.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths)[0].mean()


@micro_batch_loss.mistake(
    "You weighted this micro-batch's mean by its number of texts, but it is tokens that have to count alike.",
    hint="Add up, and divide by `total`.",
)
def _(z, tokens, lengths, total):
    losses, counts = _real(z, tokens, lengths)
    return losses.sum() / counts.sum() * len(z) / total


@micro_batch_loss.mistake(
    "The last real token of each text, its end, is lost.",
    hint="A text of `lengths` tokens has its last one at place lengths − 1.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths - 1)[0].sum() / total


@micro_batch_loss.mistake(
    "You count one place too many: the token at place `lengths` is padding.",
    hint="A text of `lengths` tokens has its last one at place lengths − 1.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths + 1)[0].sum() / total


@micro_batch_loss.mistake(
    "`lengths` has no effect: padding counts unless it is −100. It may be any token's number."
)
def _(z, tokens, lengths, total):
    return shared_losses(z, tokens).sum() / total


@micro_batch_loss.mistake(
    "There is no shift: the scores at place t are compared with the token at t, which the model has just read."
)
def _(z, tokens, lengths, total):
    t = torch.arange(1, tokens.shape[1])
    losses = F.cross_entropy(z[:, 1:].transpose(1, 2), tokens[:, 1:], reduction="none")
    return (losses * (t < lengths[:, None])).sum() / total


@micro_batch_loss.mistake(
    "You multiplied by `total`: the shares of the micro-batches then grow with the batch.",
    hint="A share is a part of the sum, divided by `total`.",
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths)[0].sum() * total


@micro_batch_loss.mistake(
    "You subtracted the number of texts from `total`. It counts predictions already, not tokens: nothing has to be subtracted."
)
def _(z, tokens, lengths, total):
    return _real(z, tokens, lengths)[0].sum() / (total - len(z))


@micro_batch_loss.mistake("The minus is missing: log-probabilities are negative, a loss is not.")
def _(z, tokens, lengths, total):
    return -_real(z, tokens, lengths)[0].sum() / total


@micro_batch_loss.mistake(
    "You took the logarithm of a softmax: where the model is sure and wrong it is −inf.",
    hint="`log_softmax` and `F.cross_entropy` never make the 0 that it is the logarithm of.",
)
def _(z, tokens, lengths, total):
    counts = places(tokens) < lengths[:, None]
    return log_of_softmax(z, tokens)[counts].sum() / total


@micro_batch_loss.mistake(
    "You pick scores with −100: padding is not a place in the vocabulary.",
    hint="Replace those tokens by any real one before you pick (`clamp(min=0)`, `masked_fill`), and mask the losses afterwards.",
)
def _(z, tokens, lengths, total):
    log_p = z[:, :-1].log_softmax(dim=2).gather(2, tokens[:, 1:, None]).squeeze(2)
    return -log_p[places(tokens) < lengths[:, None]].sum() / total


@micro_batch_loss.mistake(
    "You made a sum of this micro-batch's mean by way of `lengths`, but a text of that many tokens holds one prediction less: nothing predicts its first token.",
    hint='Sum up from the beginning (`reduction="sum"`), and divide by `total`.',
)
def _(z, tokens, lengths, total):
    losses, counts = _real(z, tokens, lengths)
    return losses.sum() / counts.sum() * lengths.sum() / total


@micro_batch_loss.mistake(
    "There is no shift: the scores at place t are compared with the token at t, which the model has just read. So the first token of each text counts, too, which nothing predicts."
)
def _(z, tokens, lengths, total):
    real = torch.arange(tokens.shape[1]) < lengths[:, None]
    return F.cross_entropy(z.transpose(1, 2), tokens.masked_fill(~real, -100), reduction="sum") / total


# ---------------------------------------------------------------- perplexity


def predictions(rng):
    """Scores and tokens; N is never V."""
    n, v = rng.size(6, 9), rng.size(3, 4)
    return rng.logits(n, v), rng.classes(n, num_classes=v)


def flat_example(rng):
    """The six predictions of the lesson's two words."""
    z, tokens = example(rng)
    return z[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()


def far_scores(rng):
    """A common 1000, a prediction that is sure and right, a mean loss of 500."""
    z, y = predictions(rng)
    sure = torch.tensor([[1000.0, -1000.0, 0.0]], dtype=rng.dtype)
    costly = torch.tensor([[1000.0, 500.0], [0.0, -500.0]], dtype=rng.dtype)
    return [(z + 1000, y), (z - 1000, y), (sure, torch.tensor([0])), (costly, torch.tensor([1, 1]))]


@exercise(
    points=2,
    hints=[
        "A model that hesitates between k equally likely tokens has the loss ln k. Which function makes k of it?",
        "First the mean of the losses, then that function, once.",
        "`exp` of the mean cross-entropy. No probability has to be made on the way, so scores of 1000 do no harm.",
    ],
    built="Perplexity: the number of equally likely tokens between which the model hesitates, as a geometric mean. "
    "PyTorch has no function for it in `torch.nn`; it is `F.cross_entropy(z, y).exp()`.",
)
def perplexity(z, y):
    return F.cross_entropy(z, y).exp()


perplexity.case("the lesson's example", example=True, gradient="z")(flat_example)
perplexity.case("random scores", gradient="z")(predictions)
perplexity.case("four hundred tokens", gradient="z")(
    lambda rng: (rng.logits(400, 5), rng.classes(400, num_classes=5))
)
perplexity.case("one token, a large vocabulary", gradient="z")(
    lambda rng: (rng.logits(1, 9), rng.classes(1, num_classes=9))
)
perplexity.case("float32", dtype=torch.float32, gradient="z")(predictions)
perplexity.case("scores of 1000", extreme=True, gradient="z")(far_scores)


@perplexity.mistake(
    "You averaged the perplexities of the tokens: a single token that the model did not expect then outweighs all others.",
    hint="The mean of the losses comes first, then one exponential.",
)
def _(z, y):
    return F.cross_entropy(z, y, reduction="none").exp().mean()


@perplexity.mistake(
    "You returned the mean cross-entropy, in nats. That is the logarithm of the perplexity.",
    hint="Which function undoes a logarithm?",
)
def _(z, y):
    return F.cross_entropy(z, y)


@perplexity.mistake(
    "You raised 2 to a loss in nats. Base and unit belong together.", hint="e to the nats, or 2 to the bits."
)
def _(z, y):
    return 2 ** F.cross_entropy(z, y)


@perplexity.mistake(
    "You took the exponential of the sum, which grows with the length of the text.",
    hint="The mean comes first.",
)
def _(z, y):
    return F.cross_entropy(z, y, reduction="sum").exp()


@perplexity.mistake(
    "This is the geometric mean of the probabilities, a number below 1; the perplexity is its reciprocal.",
    hint="The sign in the exponent is missing.",
)
def _(z, y):
    return (-F.cross_entropy(z, y)).exp()


@perplexity.mistake(
    "You took the reciprocal of the mean probability, an arithmetic mean. Perplexity averages logarithms.",
    hint="The mean of the losses first, then one exponential.",
)
def _(z, y):
    return 1 / torch.softmax(z, dim=1)[torch.arange(len(y)), y].mean()


@perplexity.mistake(
    "You multiplied the probabilities and took a root. That is the definition, but the product of many probabilities underflows to 0.",
    hint="Add up their logarithms instead.",
)
def _(z, y):
    return torch.softmax(z, dim=1)[torch.arange(len(y)), y].prod() ** (-1 / len(y))


@perplexity.mistake(
    "You took the logarithm of a softmax: where the model is sure and wrong it is −inf.",
    hint="`log_softmax` and `F.cross_entropy` never make the 0 that it is the logarithm of.",
)
def _(z, y):
    return (-torch.softmax(z, dim=1)[torch.arange(len(y)), y].log()).mean().exp()


@perplexity.mistake(
    "This is the exponential of the model's entropy: how undecided the model is, whatever the text then says. The tokens that came have to be in it."
)
def _(z, y):
    log_p = z.log_softmax(dim=1)
    return (-(log_p.exp() * log_p).sum(dim=1)).mean().exp()


@perplexity.mistake(
    "You returned the perplexity of each token; the text has one.",
    hint="Average the losses, then take one exponential.",
)
def _(z, y):
    return F.cross_entropy(z, y, reduction="none").exp()


# ---------------------------------------------------------------- bits_per_byte


def counts_of(rng, low, high):
    return int(rng.integers(1, low=low, high=high))


def text_of_bytes(rng):
    """A mean loss, and a text of more bytes than tokens."""
    tokens = counts_of(rng, 50, 500)
    return rng.uniform(1, low=0.5, high=5.0)[0], tokens, tokens + counts_of(rng, 30, 900)


@exercise(
    points=2,
    hints=[
        "How many nats does the whole text cost? Nothing of that depends on how it was cut into tokens.",
        "Spread it over the bytes instead of the tokens. And how many nats is one bit?",
        "One bit is ln 2 nats: divide by byte_count and by ln 2.",
    ],
    built="Bits per byte: what an ideal compressor that uses the model would need for each byte of the text. "
    "It does not depend on the tokeniser, so models with different vocabularies can be compared by it.",
)
def bits_per_byte(loss, token_count, byte_count):
    return loss * token_count / (byte_count * math.log(2))


bits_per_byte.case("the lesson's example", example=True, gradient="loss")(
    lambda rng: (torch.tensor(2.0, dtype=rng.dtype), 6, 8)
)
bits_per_byte.case("random texts", gradient="loss")(text_of_bytes)
bits_per_byte.case("one token a byte", gradient="loss")(
    lambda rng: (rng.uniform(1, low=0.5, high=5.0)[0], 77, 77)
)
bits_per_byte.case("a corpus of billions", gradient="loss")(
    lambda rng: (rng.uniform(1, low=0.5, high=5.0)[0], 10**11 + counts_of(rng, 0, 10**9), 4 * 10**11)
)
bits_per_byte.case("float32", dtype=torch.float32, gradient="loss")(text_of_bytes)


@bits_per_byte.mistake(
    "You divided by 8, the bits of a byte. The loss is in nats: it becomes bits when it is divided by ln 2, whatever a byte holds."
)
def _(loss, token_count, byte_count):
    return loss * token_count / (8 * byte_count)


@bits_per_byte.mistake(
    "These are nats for each byte, not bits.",
    hint="A bit is ln 2 = 0.693 nats, so there are more bits than nats.",
)
def _(loss, token_count, byte_count):
    return loss * token_count / byte_count


@bits_per_byte.mistake(
    "You multiplied by ln 2. A bit is ln 2 nats, less than one, so the number of bits has to be larger than that of nats.",
    hint="Divide by ln 2.",
)
def _(loss, token_count, byte_count):
    return loss * token_count * math.log(2) / byte_count


@bits_per_byte.mistake(
    "These are bits for each token, which depend on the tokeniser.",
    hint="Multiply by the tokens, to have the whole text's, and share them out among the bytes.",
)
def _(loss, token_count, byte_count):
    return loss / math.log(2) + 0 * token_count


@bits_per_byte.mistake(
    "The two counts are swapped.",
    hint="All tokens together cost loss times token_count. That is shared out among the bytes.",
)
def _(loss, token_count, byte_count):
    return loss * byte_count / (token_count * math.log(2))


@bits_per_byte.mistake(
    "You divided a mean over tokens by the number of bytes, as if it were the loss of the whole text.",
    hint="Multiply it by token_count first.",
)
def _(loss, token_count, byte_count):
    return loss / (byte_count * math.log(2))


@bits_per_byte.mistake("These are the bits of the whole text, not of a byte.", hint="Divide by its bytes.")
def _(loss, token_count, byte_count):
    return loss * token_count / math.log(2)


@bits_per_byte.mistake(
    "You took the logarithm of the loss, which is a mean of logarithms already.",
    hint="Nats become bits through a division by ln 2.",
)
def _(loss, token_count, byte_count):
    return torch.log2(loss) * token_count / byte_count


@bits_per_byte.mistake(
    "This is a perplexity for each byte, a number of choices. Bits are its logarithm to base 2."
)
def _(loss, token_count, byte_count):
    return torch.exp(loss * token_count / byte_count)


@bits_per_byte.mistake(
    "You divided by 8, the bits that a byte takes on disk. Bits per byte says how many of those 8 the model needs: nothing has to be divided by 8."
)
def _(loss, token_count, byte_count):
    return loss * token_count / (8 * byte_count * math.log(2))


@bits_per_byte.mistake(
    "You divided by ln 10: these are decimal digits, not bits.", hint="Bits belong to base 2."
)
def _(loss, token_count, byte_count):
    return loss * token_count / (byte_count * math.log(10))


# ---------------------------------------------------------------- z_loss


def with_coefficients(rng):
    z, y = predictions(rng)
    return [call(z, y), call(z, y, coefficient=0.1), call(z, y, coefficient=0.0)]


def shifted(rng):
    """The same scores, all of them moved by a constant: cross-entropy would not notice."""
    z, y = predictions(rng)
    return [call(z + a, y, coefficient=0.02) for a in (-7.0, 5.0)]


@exercise(
    points=3,
    hints=[
        "Two means over the predictions: of the cross-entropy, and of something squared. Which of the quantities in the cross-entropy moves with a common shift of all scores?",
        "ln Z, the log-sum-exp over the vocabulary, one for each prediction.",
        "The mean cross-entropy plus `coefficient` times the mean of `torch.logsumexp(z, dim=1) ** 2`.",
    ],
    built="You have built the z-loss, with which PaLM was trained (coefficient 1e-4). It holds the scores near the only place where they are log-probabilities themselves, ln Z = 0; "
    "PyTorch's `F.cross_entropy` has no such option.",
)
def z_loss(z, y, coefficient=1e-4):
    return F.cross_entropy(z, y) + coefficient * torch.logsumexp(z, dim=1).square().mean()


z_loss.case("the lesson's example", example=True, gradient="z")(
    lambda rng: [call(*flat_example(rng)), call(*flat_example(rng), coefficient=0.1)]
)
z_loss.case("several coefficients", gradient="z")(with_coefficients)
z_loss.case("all scores shifted", gradient="z")(shifted)
z_loss.case("one prediction, a large vocabulary", gradient="z")(
    lambda rng: call(rng.logits(1, 9), rng.classes(1, num_classes=9), coefficient=0.05)
)
z_loss.case("float32", dtype=torch.float32, gradient="z")(with_coefficients)
z_loss.case("scores of 1000", extreme=True, gradient="z")(
    lambda rng: [*far_scores(rng), call(*far_scores(rng)[0], coefficient=0.1)]
)


def _parts(z, y):
    return F.cross_entropy(z, y), torch.logsumexp(z, dim=1)


@z_loss.mistake(
    "You squared the mean of ln Z, in which values above and below 0 cancel.",
    hint="Square each one first, then average.",
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.mean() ** 2


@z_loss.mistake(
    "ln Z is not squared: without the square the loss falls for as long as ln Z falls, and the scores drift down for ever."
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.mean()


@z_loss.mistake(
    "You took the absolute value of ln Z. It is squared here, so that the pull grows with the distance."
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.abs().mean()


@z_loss.mistake("`coefficient` has no effect: yours is always 1e-4.")
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + 1e-4 * log_z.square().mean()


@z_loss.mistake("The coefficient is missing: ln Z squared counts fully, and drowns the cross-entropy.")
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + log_z.square().mean()


@z_loss.mistake(
    "The coefficient multiplies the cross-entropy, too.", hint="It belongs to the second part alone."
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return coefficient * (loss + log_z.square().mean())


@z_loss.mistake("You added the squares up over the predictions; both parts are means.")
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.square().sum()


@z_loss.mistake(
    "You squared the scores themselves. The z-loss holds only ln Z, one number for each prediction; this would flatten the distribution."
)
def _(z, y, coefficient=1e-4):
    return F.cross_entropy(z, y) + coefficient * z.square().mean()


@z_loss.mistake("You squared Z, the sum of the exponentials. It is its logarithm that belongs there.")
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.exp().square().mean()


@z_loss.mistake(
    "Your second part is 0 whatever the scores are, so the cross-entropy is left alone. A log-sum-exp of log-probabilities does that.",
    hint="Add the coefficient times the mean square of the log-sum-exp of z itself.",
)
def _(z, y, coefficient=1e-4):
    loss, _ = _parts(z, y)
    return loss + coefficient * torch.logsumexp(z.log_softmax(dim=1), dim=1).square().mean()


@z_loss.mistake(
    "The second part is subtracted: the loss falls as the scores drift away, which is what it should prevent."
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss - coefficient * log_z.square().mean()


@z_loss.mistake(
    "The log-sum-exp runs down the columns, over the predictions.", hint="Z is a sum over the vocabulary."
)
def _(z, y, coefficient=1e-4):
    return F.cross_entropy(z, y) + coefficient * torch.logsumexp(z, dim=0).square().mean()


@z_loss.mistake("The cross-entropy is missing: your loss holds the scores in place and teaches nothing.")
def _(z, y, coefficient=1e-4):
    return coefficient * torch.logsumexp(z, dim=1).square().mean()


@z_loss.mistake(
    "exp(1000) overflows before the logarithm can bring it back.",
    hint="`torch.logsumexp` subtracts the largest score first.",
)
def _(z, y, coefficient=1e-4):
    return F.cross_entropy(z, y) + coefficient * z.exp().sum(dim=1).log().square().mean()


@z_loss.mistake(
    "The value is right, but ln Z is cut off from the graph (`detach`), so that nothing pulls the scores back."
)
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.detach().square().mean()


@z_loss.mistake("There is half of the square in yours. The z-loss is defined without the factor 1/2.")
def _(z, y, coefficient=1e-4):
    loss, log_z = _parts(z, y)
    return loss + coefficient * log_z.square().mean() / 2


@z_loss.mistake("You return a loss for each prediction. Both parts are averaged: one number.")
def _(z, y, coefficient=1e-4):
    return F.cross_entropy(z, y, reduction="none") + coefficient * torch.logsumexp(z, dim=1).square()
