"""Words for one difference: what was raised, what differs in one example, what differs where nothing explains it."""

import re
from typing import TYPE_CHECKING

import torch

from grader.judging.compare import Difference, as_tensor, close
from grader.judging.question import Array, Ended

if TYPE_CHECKING:
    from grader.judging.compare import Asked
    from grader.judging.watch import Place


EXPLAINED = {
    "RecursionError": "Your function calls itself without end. Does it have the same name as the function it wants to use?",
    "MemoryError": "Your function asks for more memory than there is.",
    "SystemExit": "Your function ends the program (`exit()`, `sys.exit()`): return a value instead.",
    "BdbQuit": "Your function stops in a debugger: delete `breakpoint()`.",
}
MISSED = "MISSED"  # in the pattern of a line, what the first group of the exception's pattern has found
RAISED = (  # what an exception says, and the line that it comes from, as patterns; what is behind it
    (r"descriptor '__init__' of 'super'", "", "Write `super().__init__()`, with parentheses after `super`."),
    (
        r"has no attribute '_(backward_hooks|parameters|modules|buffers|forward_hooks)'|before Module\.__init__",
        "",
        "`super().__init__()` is missing in your constructor: `nn.Module` sets itself up there.",
    ),
    (
        r"index -100 is out of bounds|out of bounds.*-100",
        "",
        (
            "−100 is no column: it marks samples to ignore. Give those a harmless label, such as 0, "
            "before you index, and mask their losses."
        ),
    ),
    (
        r"not differentiable with respect to argument 'weight'",
        "",
        'Autograd does not reach `weight=`. Take the losses with `reduction="none"` and multiply them by your factor.',
    ),
    (
        r"CUDA|cuda|NVIDIA driver",
        "",
        'There is no GPU here: leave out `.cuda()` and `device="cuda"`. A result lives where its inputs live.',
    ),
    (
        r"(Float|float\b).*(Double|double\b)|(Double|double\b).*(Float|float\b)",
        "",
        (
            "Two dtypes meet, float32 and float64. `torch.zeros(…)`, `torch.ones(…)` and `torch.tensor(…)` "
            "make float32 unless they are told otherwise: create tensors from the input, as `x.new_zeros(…)` "
            "does, or with `dtype=x.dtype`."
        ),
    ),
    (
        r"bitwise_xor|operand type\(s\) for \^",
        "",
        "`^` is no power in Python but the exclusive or of bits: write `**`, or `torch.exp` for a power of e.",
    ),
    (
        r"object is not callable",
        r"(?<![\w.])(sum|max|min|abs|range|len|float|int|list|print|round)\(",
        (
            "What is called here is not a function. Where it is a name of Python's own, such as `sum` or `max`, "
            "another cell or line has bound that name to a value: give the value another name, and run `del` "
            "on the old one. Where it is not, a `*` may be missing before a bracket."
        ),
    ),
    (
        r"object has no attribute '(\w+)'",
        rf"(?<![\w.])(F|torch|nn|np|math)\.{MISSED}\b",
        (
            "`F`, `torch`, `nn` or `math` stands for something else here: your code has bound that name to a "
            "value. Give the value another name, and import the module again."
        ),
    ),
    (
        r"reading from stdin|EOF when reading|raw_input was called",
        "",
        "Your function waits for somebody to type (`input()`, `breakpoint()`): delete that.",
    ),
)
LOST = {
    Ended.LATE: "Your function did not come back in time: is there a loop that never ends?",
    Ended.DIED: "Your function ended the whole Python process.",
    Ended.MEMORY: EXPLAINED["MemoryError"],
}


def at(place: "Place"):
    """Where something was seen, for a pair of brackets: "line 5: `z = h @ W.T`", or "" where no line of the
    learner's has to do with it."""
    when = ""
    if place.backward:
        when = "in the backward pass, "
    if place.line and place.source:
        return f"{when}line {place.line}: `{place.source}`"
    if place.line:
        return f"{when}line {place.line}"
    return when.removesuffix(", ")


def at_in_brackets(place: "Place"):
    """The same with its brackets and a space before them: " (line 5: `z = h @ W.T`)", or ""."""
    where = at(place)
    if where:
        return f" ({where})"
    return ""


def error(a: "Asked"):
    """A sentence on an exception: what, and the learner's own line."""
    if a.got.ended in LOST:
        if a.got.at:
            return f"{LOST[a.got.ended]} It was at {a.got.at}."
        return LOST[a.got.ended]
    r = a.got.raised
    if r is None:
        return ""
    if r.type == "NotImplementedError" and "forward" in r.text:  # torch's own
        return "Your class has no `forward`: is it there, spelled so, and indented into the class?"
    text = _behind(r)
    if not text:
        text = f"Your code raised {r.type}."
        if r.text:
            text = f"Your code raised {r.type}: {r.text.splitlines()[0]}"
    if r.line and r.source:
        return f"{text} (line {r.line}: `{r.source}`)"
    if not r.line:
        return text
    return f"{text} (line {r.line})"


def _behind(r):
    """What is behind an exception, in a sentence, where that is known."""
    if r.source.startswith("raise NotImplementedError"):
        return "A part of your answer is still unwritten (`raise NotImplementedError`)."
    if r.source.startswith("raise "):  # the learner's own words
        return EXPLAINED.get(r.type, "")
    if "breakpoint(" in r.source or "set_trace(" in r.source:
        return EXPLAINED["BdbQuit"]
    for text, source, says in RAISED:
        seen = re.search(text, r.text)
        if seen and MISSED in source:
            source = source.replace(MISSED, seen[1])
        if seen and re.search(source, r.source):
            return says
    return EXPLAINED.get(r.type, "")


SIGNATURE = "Compare your signature with the one in the exercise: names, order and defaults are fixed."

# What PyTorch and Python say, in lower case, and what it usually means for a tensor program. The first that
# is found counts.
HINTS = (
    (
        "must match the size",
        (
            "Two shapes do not fit together. Print the shapes on both sides; a `keepdim=True` or an "
            "`unsqueeze` is often missing."
        ),
    ),
    ("required positional argument", SIGNATURE),
    (
        "is not callable",
        (
            "Something that is not a function is called: a `*` may be missing before a bracket, or a name stands "
            "for a value."
        ),
    ),
    (
        "has no attribute",
        (
            "Is the name after the dot spelled right? What one method needs from another is kept in `self` "
            "first."
        ),
    ),
    ("unexpected keyword", SIGNATURE),
    (
        "is not defined",
        "A name is used before it is made. Was its cell run, and is it spelled the same everywhere?",
    ),
    (
        "converted to python scalars",
        (
            "`math.…` and `float(…)` take a single number; the functions of torch take a whole tensor, entry "
            "by entry."
        ),
    ),
    ("same dtype", "Two dtypes do not fit together. Convert explicitly, with `.to(…)`."),
    (
        "size mismatch",
        "A matrix product needs the same size inside: (N, D) @ (D,) gives (N,). Print both shapes.",
    ),
    (
        "cannot be multiplied",
        "A matrix product needs the same size inside: (N, D) @ (D,) gives (N,). Print both shapes.",
    ),
    (
        "broadcast shape",
        "`+=` and its like keep the shape on the left. Write `a = a + b`, which makes a new tensor.",
    ),
    ("call numpy()", "Stay with torch functions: numpy knows no autograd."),
    ("expected scalar type", "Two dtypes do not fit together. Convert explicitly, with `.to(z.dtype)`."),
    ("tensors used as indices", "Indices must be int64 (`.long()`) or bool."),
    (
        "boolean value of tensor",
        (
            "`if` needs one truth value; a tensor has many. `torch.where` decides entry by entry; `is "
            "None` asks whether one is given."
        ),
    ),
    ("non-empty tensorlist", "The list is empty here: what should come out where nothing is left?"),
    (
        "could not be broadcast together",
        "Row numbers and column numbers must be as many: `torch.arange(len(y))` fits any batch.",
    ),
    (
        "out of bounds",
        "An index lies outside: it counts from 0 to the size less 1, and from −1 down from the end.",
    ),
    (
        "out of range",
        "There is no such dimension: the function is also tried on tensors of other shapes.",
    ),
    ("inplace", "Work on a new tensor, not in place."),
    (
        "does not require grad",
        "Something cut the graph before the backward pass (`detach`, `item`, `torch.tensor`).",
    ),
)


def error_hint(a: "Asked"):
    """What such an exception usually means for a tensor program, or ""."""
    r = a.got.raised
    if r is None or _behind(r):
        return ""
    text = r.text.lower()
    if r.type == "TypeError" and "takes" in text and "argument" in text:
        return SIGNATURE
    for seen, hint in HINTS:
        if seen in text:
            return hint
    return ""


def dtype_name(tensor: torch.Tensor):
    """The name of a tensor's dtype, as a learner writes it: "float64"."""
    return str(tensor.dtype).removeprefix("torch.")


def difference(a: "Asked"):
    """A sentence on a difference that nothing else explains."""
    if a.difference is None:
        return ""
    value = a.got.value
    if isinstance(value, Array):
        kind = "a numpy array"
    elif isinstance(value, tuple):
        kind = "a list or tuple"
    else:
        kind = f"of the kind {getattr(value, 'type', type(value).__name__)}"
    return {
        Difference.KIND: f"Your result is of another kind than expected: {kind}, for some inputs.",
        Difference.SHAPE: "Your result has another shape than expected.",
        Difference.DTYPE: "Your result has another dtype than expected.",
        Difference.CHANGED: "Your function changes its input.",
        Difference.CUT: "The value is right, but no gradient flows back to the input.",
        Difference.GRADIENT: "The value is right, but the gradient is not.",
        Difference.ERROR: "Your function stopped with an error.",
        Difference.LARGE: "The result is right, but a tensor made on the way is too large, for some inputs.",
        Difference.MET: "The result is right, but parts that belong apart meet in one operation, for some inputs.",
    }.get(a.difference) or f"Your result differs from the definition (case: {a.case.name})."


def differs(a: "Asked"):
    """What differs in one example: nan, sign, scale, or how many entries; of several values, which."""
    got, want = a.got.value, a.expected.value
    if (
        a.difference == Difference.VALUE
        and isinstance(got, tuple)
        and isinstance(want, tuple)
        and len(got) == len(want) > 1
    ):
        numbers = [
            str(i)
            for i, (g, w) in enumerate(zip(map(as_tensor, got), map(as_tensor, want)), 1)
            if not (isinstance(g, torch.Tensor) and isinstance(w, torch.Tensor) and close(g, w))
        ]
        if 0 < len(numbers) < len(want):
            return (
                f"Of the {len(want)} values, number {' and '.join(numbers)} "
                f"differ{'s' if len(numbers) == 1 else ''}."
            )
        return ""
    if (
        a.difference != Difference.VALUE
        or not isinstance(got, torch.Tensor)
        or not isinstance(want, torch.Tensor)
        or got.is_complex()
    ):
        return ""
    if got.isnan().any() and not want.isnan().any():
        return "Yours is nan there."
    if got.isinf().any() and not want.isinf().any():
        return "Yours is infinite there."
    off = ~torch.isclose(got.double(), want.double(), rtol=1e-4, atol=1e-6, equal_nan=True)
    if got.numel() > 1 and 0 < off.sum() < got.numel():
        return f"{int(off.sum())} of {got.numel()} entries differ."
    if torch.allclose(got.double(), -want.double(), rtol=1e-4, atol=0) and (want != 0).any():
        return "The sign is flipped."
    return ""
