"""An answer is watched while it runs: how large its largest tensor is, what meets in one operation, and on
which of its lines."""

import linecache
import textwrap
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from grader.course.lessons import exercises
from grader.jail import Jail, Limits, doctor
from grader.judging import wire
from grader.judging.exercise import Exercise
from grader.judging.judge import judge
from grader.judging.question import Once, call, run
from grader.learner.files import check_file

N, D, V, ROWS = 13, 3, 20, 4


def written(source, name="answer"):
    """The function (or class) that a learner's text defines, with lines that can be looked up."""
    source = textwrap.dedent(source).lstrip()
    file = f"<a learner's cell {hash(source)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"torch": torch, "F": F, "__name__": "__main__"}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


def bound(h, W, y, rows):
    return max(rows * len(W), h.numel(), W.numel())


def inputs(rng):
    return rng.normal(N, D), rng.normal(V, D), rng.classes(N, num_classes=V), ROWS


def chunked(h, W, y, rows):
    parts = zip(h.split(rows), y.split(rows))
    return sum(F.cross_entropy(part @ W.T, labels, reduction="sum") for part, labels in parts) / len(y)


def memory_exercise(reference=chunked, upstream=None):
    exercise = Exercise("answer", reference, points=1, without=(torch.autograd.grad, torch.Tensor.backward))

    @exercise.case("random", gradient=("h", "W"), largest=bound)
    def _(rng):
        question = call(*inputs(rng))
        return question if upstream is None else [question.applied(factor) for factor in upstream]

    return exercise


def verdict(exercise, function):
    """As it is judged behind the walls: question and answer travel over the wire."""

    def ask(question, gradient):
        question = wire.decode_call(*wire.encode_call(question))
        result = run(function, question, exercise.parameters, gradient)
        return wire.decode_result(*wire.encode_result(result))

    return judge(exercise, ask)


WHOLE = """
def answer(h, W, y, rows):
    z = h @ W.T
    return F.cross_entropy(z, y)
"""
TOO_LARGE = {  # what an answer does: (its text, words of the verdict)
    "the whole matrix": (WHOLE, "shape (13, 20) with 260 entries is made on the way (line 2: `z = h @ W.T`)"),
    "every product by itself": (
        """
def answer(h, W, y, rows):
    total = 0
    for start in range(0, len(h), rows):
        products = h[start : start + rows, None] * W
        total = total + F.cross_entropy(products.sum(dim=2), y[start : start + rows], reduction="sum")
    return total / len(h)
""",
        "shape (4, 20, 3) with 240 entries is made on the way (line 4: `products = h[start",
    ),
    "blocks that are put together again": (
        """
def answer(h, W, y, rows):
    blocks = [part @ W.T for part in h.split(rows)]
    return F.cross_entropy(torch.cat(blocks), y)
""",
        "(line 3: `return F.cross_entropy(torch.cat(blocks), y)`)",
    ),
    "numpy": (
        """
def answer(h, W, y, rows):
    array = h.detach().numpy() @ W.detach().numpy().T
    return chunked(h, W, y, rows) + 0 * array.sum()

def chunked(h, W, y, rows):
    parts = zip(h.split(rows), y.split(rows))
    return sum(F.cross_entropy(part @ W.T, labels, reduction="sum") for part, labels in parts) / len(y)
""",
        "hand a tensor to numpy (line 2: `array = h.detach().numpy()",
    ),
    "only in the backward pass": (
        """
class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        table = slope[:, None] * torch.ones(500, dtype=slope.dtype)
        return table.mean(dim=1)

def answer(h, W, y, rows):
    parts = zip(h.split(rows), y.split(rows))
    losses = [F.cross_entropy(part @ W.T, labels, reduction="none") for part, labels in parts]
    return Doubled.apply(torch.cat(losses)).mean()
""",
        "(in the backward pass, line 8: `table = slope[:, None]",
    ),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_the_largest_tensor_is_named_with_its_line(what):
    source, words = TOO_LARGE[what]
    judged = verdict(memory_exercise(), written(source))
    assert not judged.passed and words in judged.finding, judged.message


def test_a_backward_pass_that_autograd_makes_is_told_by_the_line_that_it_goes_back_through():
    # a narrow view of one long row: what goes back through it is as long as the row
    answer = written(
        """
        def answer(x, long):
            table = x[:, None].expand(4, long)
            return table[:, 0].sum()
        """
    )
    question = replace(call(torch.ones(4), 1000), largest=100)
    made = run(answer, question, ["x", "long"], ("x",)).made
    assert made.entries == 4000 and made.place.backward
    assert made.place.line == 3 and "table[:, 0]" in made.place.source


@pytest.mark.parametrize(
    "source",
    [
        """
        def answer(h, W, y, rows):
            parts = zip(h.split(rows), y.split(rows))
            return sum(F.cross_entropy(part @ W.T, labels, reduction="sum") for part, labels in parts) / len(y)
        """,
        """
        from torch.utils.checkpoint import checkpoint

        def answer(h, W, y, rows):
            def loss(part, labels):
                return F.cross_entropy(part @ W.T, labels, reduction="sum")

            parts = zip(h.split(rows), y.split(rows))
            return sum(checkpoint(loss, *pair, use_reentrant=False) for pair in parts) / len(y)
        """,
    ],
    ids=["loop", "checkpoint"],
)
def test_what_keeps_to_the_bound_passes(source):
    assert verdict(memory_exercise(), written(source)).passed


def test_a_known_mistake_is_recognised_by_its_size_and_the_verdict_still_names_line_and_size():
    exercise = memory_exercise()
    exercise.mistake("All logits at once.")(lambda h, W, y, rows: F.cross_entropy(h @ W.T, y))
    judged = verdict(exercise, written(WHOLE))
    assert judged.mistake == "All logits at once."
    assert judged.example.yours == "a tensor of shape (13, 20), 260 entries (line 2: `z = h @ W.T`)"
    assert judged.example.expected == "no tensor of more than 80 entries"
    other = verdict(exercise, written(TOO_LARGE["every product by itself"][0]))
    assert other.mistake != "All logits at once."


# ---------------------------------------------------------------- autograd functions

FUNCTION = """
class answer(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, W, y, rows):
        ctx.save_for_backward(h, W, y)
        ctx.rows = rows
        losses = [F.cross_entropy(part @ W.T, t, reduction="sum") for part, t in zip(h.split(rows), y.split(rows))]
        return sum(losses) / len(y)

    @staticmethod
    def backward(ctx, slope):
        h, W, y = ctx.saved_tensors
        grad_h, grad_W = torch.empty_like(h), torch.zeros_like(W)
        for start in range(0, len(h), ctx.rows):
            part = slice(start, start + ctx.rows)
            p = torch.softmax(h[part] @ W.T, dim=1)
            p[torch.arange(len(p)), y[part]] -= 1
            grad_h[part] = p @ W
            grad_W += p.T @ h[part]
        return slope * grad_h / len(y), slope * grad_W / len(y), None, None
"""
WRONG_FUNCTIONS = {  # what is replaced: (by what, words of the verdict)
    "slope * grad_h / len(y), slope * grad_W": ("grad_h / len(y), grad_W", "gradient"),
    "h, W, y = ctx.saved_tensors": (
        "h, W, y = ctx.saved_tensors; z = h @ W.T",
        "260 entries is made on the way (in the backward pass, line 11",
    ),
    "W / len(y), None, None": ("W / len(y)", "incorrect number of gradients"),
    "p = torch.softmax(h[part] @ W.T, dim=1)": (
        "p = torch.softmax(h[part] @ W, dim=1)",
        "line 15: `p = torch.softmax(h[part] @ W, dim=1)`",
    ),
    "class answer(torch.autograd.Function)": ("class answer(torch.nn.Module)", "is no autograd function"),
    "ctx.save_for_backward(h, W, y)": (
        "answer.kept = h, W, y; ctx.save_for_backward()",
        "values to unpack",
    ),
    "p @ W\n": (
        (
            "torch.autograd.grad((torch.enable_grad()(lambda x: (x @ W.T).sum())(x := "
            "h[part].detach().requires_grad_())), x)[0]\n"
        ),
        "You called `grad`",
    ),
}


def test_an_autograd_function_is_asked_through_apply_and_its_backward_is_watched():
    exercise = memory_exercise(written(FUNCTION), upstream=(1.0, -2.5, 0.0))
    assert exercise.parameters == ["h", "W", "y", "rows"]
    assert verdict(exercise, written(FUNCTION)).passed


@pytest.mark.parametrize("before", WRONG_FUNCTIONS)
def test_what_is_wrong_with_an_autograd_function_is_told(before):
    after, words = WRONG_FUNCTIONS[before]
    assert before in FUNCTION
    exercise = memory_exercise(written(FUNCTION), upstream=(1.0, -2.5))
    judged = verdict(exercise, written(FUNCTION.replace(before, after)))
    assert not judged.passed and words in judged.message, judged.message


def test_what_a_forward_keeps_outside_its_context_is_overwritten_by_the_next():
    source = FUNCTION.replace("ctx.save_for_backward(h, W, y)", "answer.kept = h, W, y").replace(
        "h, W, y = ctx.saved_tensors", "h, W, y = answer.kept"
    )
    judged = verdict(memory_exercise(written(FUNCTION), upstream=(1.0,)), written(source))
    assert not judged.passed and "gradient" in judged.finding, judged.message


# ---------------------------------------------------------------- a generator, and parts that stay apart


def stream_exercise():
    def answer(blocks):
        return torch.logsumexp(torch.stack([torch.logsumexp(block, dim=1) for block in blocks]), dim=0)

    exercise = Exercise("answer", answer, points=1)
    exercise.case("three blocks", gradient="blocks")(
        lambda rng: (Once(tuple(rng.normal(5, width) for width in (3, 2, 4))),)
    )
    return exercise


def test_a_generator_is_given_once_and_the_gradient_reaches_every_block():
    right = written("def answer(blocks):\n    return torch.logsumexp(torch.cat(list(blocks), dim=1), dim=1)")
    cut = written(
        "def answer(blocks):\n    first, *rest = blocks\n    rest = [r.detach() for r in rest]\n"
        "    return torch.logsumexp(torch.cat([first, *rest], dim=1), dim=1)"
    )
    assert verdict(stream_exercise(), right).passed
    assert "`blocks[1]`, `blocks[2]`" in verdict(stream_exercise(), cut).finding
    counted = verdict(stream_exercise(), written("def answer(blocks):\n    return len(blocks)"))
    assert "has no len()" in counted.finding
    twice = written(
        "def answer(blocks):\n    top = max(b.max() for b in blocks)\n"
        "    return torch.log(torch.stack([torch.exp(b - top).sum(dim=1) for b in blocks]).sum(dim=0)) + top"
    )
    assert not verdict(stream_exercise(), twice).passed


def test_a_block_that_is_written_to_is_noticed():
    judged = verdict(
        stream_exercise(),
        written(
            "def answer(blocks):\n    return torch.logsumexp(torch.cat([b.mul_(1) + b.zero_() for b in blocks], 1), 1)"
        ),
    )
    assert not judged.passed


def shard_exercise():
    def answer(shards, y):
        return F.cross_entropy(torch.cat(list(shards), dim=1), y)

    exercise = Exercise("answer", answer, points=1)
    exercise.case("three shards", gradient="shards", apart="shards")(
        lambda rng: (tuple(rng.normal(5, width) for width in (3, 2, 4)), rng.classes(5, num_classes=9))
    )
    return exercise


APART = """
def answer(shards, y):
    rows = torch.arange(len(y))
    sums = torch.stack([torch.logsumexp(shard, dim=1) for shard in shards])
    at_label, start = 0, 0
    for shard in shards:
        inside = (y >= start) & (y < start + shard.shape[1])
        column = (y - start).clamp(0, shard.shape[1] - 1)
        at_label = at_label + torch.where(inside, shard[rows, column], 0)
        start += shard.shape[1]
    return (torch.logsumexp(sums, dim=0) - at_label).mean()
"""
TOGETHER = {  # what an answer does: (its text, words of the verdict)
    "all columns in one matrix": (
        "def answer(shards, y):\n    z = torch.cat(shards, dim=1)\n    return F.cross_entropy(z, y)",
        "takes 15 entries of `shards[0]` together with 10 of `shards[1]` (line 2: `z = torch.cat(shards, dim=1)`)",
    ),
    "what was computed of them": (
        "def answer(shards, y):\n    powers = [shard.exp() for shard in shards]\n    p = torch.cat(powers, dim=1)\n"
        "    return -(p[torch.arange(len(y)), y] / p.sum(dim=1)).log().mean()",
        "(line 3: `p = torch.cat(powers, dim=1)`)",
    ),
    "written into one table": (
        "def answer(shards, y):\n    columns = [column for shard in shards for column in shard.unbind(dim=1)]\n"
        "    return F.cross_entropy(torch.stack(columns, dim=1), y)",
        "(line 3: ",
    ),
}


def test_parts_that_stay_apart_pass():
    assert verdict(shard_exercise(), written(APART)).passed


@pytest.mark.parametrize("what", TOGETHER)
def test_parts_that_meet_are_named_with_the_line(what):
    source, words = TOGETHER[what]
    judged = verdict(shard_exercise(), written(source))
    assert not judged.passed and words in judged.finding, judged.message


def test_a_question_without_a_bound_is_not_watched():
    result = run(
        written(WHOLE),
        call(*(torch.ones(3, 2), torch.ones(50, 2), torch.zeros(3, dtype=int), 1)),
        list("hWyr"),
    )
    assert result.made is None and result.met is None


def test_a_backward_that_differentiates_its_own_result_ends_at_once():
    itself = """
    class answer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, W, y, rows):
            loss = h.mean() + W.mean()
            ctx.save_for_backward(loss)
            return loss

        @staticmethod
        def backward(ctx, slope):
            (loss,) = ctx.saved_tensors
            loss.backward()
            return slope, slope, None, None
    """
    exercise = memory_exercise(written(FUNCTION), upstream=(1.0,))
    exercise.without = ()
    judged = verdict(exercise, written(itself))
    assert "calls itself" in judged.finding and "line 11: `loss.backward()`" in judged.finding, judged.message


@pytest.mark.parametrize("where", ["jail", "file"])
def test_the_line_and_the_size_are_the_same_behind_the_walls_and_on_the_command_line(where, tmp_path):
    name = "chunked_cross_entropy"
    source = WHOLE.replace("answer", name).lstrip()
    source = f"import torch\nfrom torch.nn import functional as F\n{source}"
    if where == "file":
        path = tmp_path / "answer.py"
        path.write_text(source, encoding="utf-8")
        (judged,) = check_file(path, "15_large_vocabulary")
        told = judged.verdict
    else:
        exercise = exercises()[name]
        with Jail(Limits(memory_mb=1024), trust=not doctor.walls().ok) as jail, jail.child() as child:
            assert child.run_cell(source, 30).ok

            def ask(question, gradient):
                return child.ask(name, exercise.parameters, question, gradient)

            told = judge(exercise, ask)
    assert "in one matrix" in told.finding
    assert told.example.yours.endswith("(line 4: `z = h @ W.T`)"), told.example
    assert "entries" in told.example.yours and told.example.expected == "no tensor of more than 68 entries"


def test_a_learner_asks_an_autograd_function_through_apply_and_a_generator_is_kept_for_both():
    exercise = exercises()["ChunkedCrossEntropy"]
    question = exercise.question(torch.ones(2, 3), torch.ones(4, 3), torch.tensor([0, 1]), 1)
    assert exercise.run(exercise.reference, question).value.shape == ()
    stream = exercises()["online_logsumexp"]
    question = stream.question(block for block in torch.ones(2, 4).split(2, dim=1))
    first, second = (stream.run(stream.reference, question) for _ in range(2))
    assert torch.equal(first.value, second.value) and first.value.shape == (2,)
