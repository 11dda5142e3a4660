"""Put one question to an answer: call a learner's function or class, and record everything that can be compared.

This module imports nothing from the package, so that the same file runs in a learner's notebook, in a forked child
and behind the walls of the jail.
"""

import contextlib
import io
import linecache
import os
import traceback
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

__tracebackhide__ = True  # `raised` looks for the learner's line, and the frames of this module are none
PRINTED_CAP = 10_000  # characters of what an answer prints that are kept
LIBRARIES = (  # where code lies that no learner wrote: torch and its neighbours, the standard library
    os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__))) + os.sep,
    os.path.dirname(os.path.abspath(os.__file__)) + os.sep,
    "<frozen",
)


@dataclass(frozen=True)
class Call:
    """One question: positional and keyword arguments and, for a class, what its constructor gets."""

    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    init: dict = field(default_factory=dict)

    def built_with(self, **init):
        return Call(self.args, self.kwargs, init)


def call(*args, **kwargs):
    """A question with keyword arguments: `call(z, y, reduction="sum")`; for a class `call(z, y).built_with(reduction="sum")`."""
    return Call(args, kwargs)


@dataclass(frozen=True)
class Smooth:
    """A function of a tensor for exercises that take functions: sum(a·sin(b·x) + c·x²), with random a, b, c; 0-d."""

    a: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor

    def __call__(self, x):
        return (self.a * torch.sin(self.b * x) + self.c * x**2).sum()


class Ended(Enum):
    """How the answer to a question ended. The last three are seen from outside: nothing came back, and nothing was raised."""

    RETURNED = "returned"
    RAISED = "raised"
    LATE = "late"  # the deadline passed
    DIED = "died"  # its process ended
    MEMORY = "memory"  # its process was ended because it used more memory than it may

    @property
    def lost(self):
        return self in (Ended.LATE, Ended.DIED, Ended.MEMORY)


@dataclass(frozen=True)
class Mixing:
    """A function of a batch, for exercises that ask which row reaches which output: weights @ (x @ direction).

    weights: (N, N), entry [i, j] says how much of row j output i takes; direction: (D,). Called with x (N, D) it gives (N,).
    Signed weights and a direction whose entries add up to 0 make sums of gradients cancel, as they do in real models.
    """

    weights: torch.Tensor
    direction: torch.Tensor

    def __call__(self, x):
        return self.weights @ (x @ self.direction)


@dataclass(frozen=True)
class Raised:
    """An exception of the answer, with the learner's own line (0 when there is none)."""

    type: str
    text: str
    line: int = 0
    source: str = ""


@dataclass(frozen=True)
class Foreign:
    """Something an answer returned that is no tensor, number or sequence of those: only the name of its type is kept."""

    type: str


@dataclass(frozen=True)
class Array:
    """A numpy array that an answer returned, as a tensor."""

    tensor: torch.Tensor


@dataclass(frozen=True)
class Result:
    """What came of a question. `value`: tensors, Python numbers, None, Array, Foreign, and tuples of those."""

    value: object = None
    gradients: dict = field(
        default_factory=dict
    )  # name of an input -> tensor, or None where autograd cannot reach it
    raised: Raised | None = None
    changed: tuple = ()  # names of the inputs that the answer modified
    called: frozenset = frozenset()  # names of the torch functions that it called
    printed: str = ""
    ended: Ended = None  # RETURNED or RAISED where nothing else is said
    at: str = ""  # where an answer was that did not come back, if that is known: "line 3: `while True:`"

    def __post_init__(self):
        if self.ended is None:
            object.__setattr__(self, "ended", Ended.RAISED if self.raised else Ended.RETURNED)
        if (self.ended is Ended.RAISED) != (self.raised is not None):
            raise ValueError(f"a result that {self.ended.value}, with raised={self.raised}")

    @property
    def failed(self):
        """Did it give no value?"""
        return self.ended is not Ended.RETURNED


def spelling(function):
    """The one name for all spellings of a torch function: `softmax` for F.softmax, torch.special.softmax, Tensor.softmax_."""
    name = getattr(function, "__name__", None) or str(function)
    return name.split(".")[0].strip("_").removeprefix("special_")


class Trace(TorchFunctionMode):
    """Records the name of every torch function called while it is active."""

    def __init__(self):
        super().__init__()
        self.called = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.called.add(spelling(func))
        return func(*args, **(kwargs or {}))


class _Capped(io.StringIO):
    def write(self, text):
        room = PRINTED_CAP - self.tell()
        super().write(text[:room] if room > 0 else "")
        return len(text)


def plain(value, depth=0):
    """The value in the normal form of `Result`: detached tensors, numbers, tuples; nothing of the answer's own types."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach()
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            return Foreign(f"{tensor.layout} tensor on {tensor.device.type}")
        return (
            tensor.as_subclass(torch.Tensor)
            .resolve_conj()
            .resolve_neg()
            .clone(memory_format=torch.contiguous_format)
        )
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        try:
            return Array(torch.as_tensor(np.array(value)))
        except TypeError:
            return Foreign(f"numpy array of {np.asarray(value).dtype}")
    if isinstance(value, (tuple, list)) and depth < 3 and len(value) <= 100_000:
        return tuple(plain(v, depth + 1) for v in value)
    return Foreign(type(value).__name__)


def raised(error):
    """The exception with the deepest line that the learner wrote.

    Not a learner's: the frames of libraries, and those of modules that say `__tracebackhide__ = True`, as this one does
    (a convention of pytest's), wherever their files lie.
    """
    line, source = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        ours = frame.f_globals.get("__tracebackhide__") is True
        if not ours and not name.startswith(LIBRARIES):
            line, source = number, linecache.getline(name, number, frame.f_globals).strip()
    if isinstance(error, SyntaxError):
        line, source = error.lineno or 0, str(error.text or "").strip()
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # a learner's own exception class may fail here too
        text = ""
    return Raised(type(error).__name__, text[:500], line, source[:200])


def _same(a, b):
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        and torch.equal(a.isnan(), b.isnan())
    )


def _left(before, after):
    """Was a gradient, or the wish for one, left on an input? Asked where an answer differentiates a function it was given."""
    return after.requires_grad != before.requires_grad or (after.is_leaf and after.grad is not None)


def cotangent(value):
    """Fixed weights, all different, that turn a result into the scalar whose gradient is taken."""
    return torch.linspace(0.5, 1.5, max(value.numel(), 1), dtype=value.dtype).reshape(value.shape)


def first_float(value):
    """The first floating-point tensor of a result: the one that a gradient is taken of."""
    for v in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(v, torch.Tensor) and v.is_floating_point():
            return v
    return None


@torch.enable_grad()  # whatever an earlier cell has switched off
def run(function, question, names=(), gradient=(), traced=True):
    """Call `function` on copies of the inputs of `question`.

    names: the parameters' names, one for each positional argument; gradient: those to differentiate by; traced: is it
    recorded what is called?
    KeyboardInterrupt passes through (a learner stopped the cell); everything else is recorded.
    """
    names = list(names) + [f"argument {i + 1}" for i in range(len(names), len(question.args))]
    inputs = dict(zip(names, question.args)) | question.kwargs
    given, leaves = {}, {}
    for name, value in inputs.items():
        if isinstance(value, torch.Tensor):
            if name in gradient:
                leaves[name] = value.clone().requires_grad_(True)
                given[name] = leaves[name].clone()
            else:
                given[name] = value.clone()
        elif isinstance(value, str):
            given[name] = "".join(
                list(value)
            )  # an object of its own, as it is behind the walls: `is` is no way to compare texts
        else:
            given[name] = value
    args = [given[n] for n in names[: len(question.args)]]
    kwargs = {n: given[n] for n in question.kwargs}
    out, trace = _Capped(), Trace()
    value, problem, gradients = None, None, {}
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            trace if traced else contextlib.nullcontext(),
        ):
            if isinstance(function, type) and not issubclass(function, torch.nn.Module):
                raise TypeError(
                    f"{function.__name__} is no module: it begins with `class {function.__name__}(nn.Module):`"
                )
            target = function(**question.init) if isinstance(function, type) else function
            if isinstance(
                function, type
            ):  # built once, called many times: what it keeps of one batch is nothing to the next
                target(
                    *(a[:1].clone() if isinstance(a, torch.Tensor) and a.ndim else a for a in args), **kwargs
                )
            value = target(*args, **kwargs)
        if leaves:
            gradients = _gradients(value, leaves)
        value = plain(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and MemoryError too: an answer may raise anything
        value, problem = None, raised(error)
    differentiates = any(isinstance(v, Mixing) for v in inputs.values())
    changed = tuple(
        n
        for n, v in inputs.items()
        if isinstance(v, torch.Tensor)
        and (not _same(v, given[n].detach()) or differentiates and _left(v, given[n]))
    )
    return Result(value, gradients, problem, changed, frozenset(trace.called), out.getvalue())


def _gradients(value, leaves):
    target = first_float(value)
    if target is None or not target.requires_grad:
        return dict.fromkeys(leaves)
    weighted = (target * cotangent(target.detach())).sum()
    try:
        found = torch.autograd.grad(weighted, list(leaves.values()), allow_unused=True)
    except RuntimeError:  # a graph that was freed or changed in place: autograd cannot reach the inputs
        found = [None] * len(leaves)
    return {n: None if g is None else plain(g) for n, g in zip(leaves, found)}
