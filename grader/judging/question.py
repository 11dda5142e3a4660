"""Put one question to an answer: call a learner's function or class, and record everything that can be compared.

This module imports nothing of the package but `watch` and `kernels`, so that the same three files run in a
learner's notebook, in a forked child and behind the walls of the jail.
"""

import contextlib
import functools
import io
import linecache
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from grader.judging.kernels import refused, without_libraries
from grader.judging.watch import Made, Met, Watch

if TYPE_CHECKING:
    from types import FrameType


__tracebackhide__ = True  # `raised` looks for the learner's line, and the frames of this module are none

# The lessons' tensors are small: a second thread slows them down, and changes the last digit of a sum.
torch.set_num_threads(1)

NESTED = 8  # levels of a backward pass that runs inside itself
PRINTED_CAP = 10_000  # characters of what an answer prints that are kept
LIBRARIES = (  # where code lies that no learner wrote: torch and its neighbours, the standard library
    os.path.dirname(os.path.dirname(os.path.abspath(torch.__file__))) + os.sep,
    os.path.dirname(os.path.abspath(os.__file__)) + os.sep,
    "<frozen",
)


@dataclass(frozen=True)
class Once:
    """Tensors that an answer gets from a generator, each of them once."""

    tensors: tuple


@dataclass(frozen=True)
class Call:
    """One question: positional and keyword arguments and, for a class, what its constructor gets.

    An argument is a tensor, a number, a text, a `Smooth`, a tuple of tensors (the answer gets a list) or
    `Once`. method: "apply" asks an `autograd.Function` through `apply`; upstream: the factor that reaches the
    result in the backward pass; largest: the most entries that a tensor made on the way may have; apart: the
    name of the argument, a tuple of matrices, no two of which may meet in one operation with more entries
    than they have rows.
    """

    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    init: dict = field(default_factory=dict)
    method: str = ""
    upstream: float = 1.0
    largest: int | None = None
    apart: str = ""

    def built_with(self, **init):
        """The same question to a module that is made with these arguments, as `reduction="sum"`."""
        return replace(self, init=init)

    def applied(self, upstream: float = 1.0) -> "Call":
        """This question, put through `apply`, with a factor that arrives from later in the graph."""
        return replace(self, method="apply", upstream=upstream)

    @property
    def tensors(self) -> list[torch.Tensor]:
        """All tensors among the positional arguments, those in tuples and in `Once` included."""
        tensors = []
        for value in self.args:
            if isinstance(value, Once):
                inner = value.tensors
            elif several(value):
                inner = value
            else:
                inner = (value,)
            tensors += [v for v in inner if isinstance(v, torch.Tensor)]
        return tensors

    def map(self, function: Callable) -> "Call":
        """The same question with `function` applied to every argument; of a tuple and of `Once` to every
        tensor in it."""
        return replace(
            self,
            args=tuple(_mapped(function, value) for value in self.args),
            kwargs={name: _mapped(function, value) for name, value in self.kwargs.items()},
        )

    def cut(self, part: list[int] | slice, n: int) -> "Call":
        """The same question for a part of its samples: each tensor whose first dimension is `n` is cut to `part`.

        >>> Call((torch.tensor([1.0, 2.0, 3.0]), torch.tensor(0.5))).cut(slice(0, 2), 3).args
        (tensor([1., 2.]), tensor(0.5000))
        """

        def rows(value: object):
            if isinstance(value, torch.Tensor) and value.ndim and value.shape[0] == n:
                return value[part]
            return value

        return self.map(rows)


def _mapped(function, value):
    if isinstance(value, Once):
        return Once(tuple(map(function, value.tensors)))
    if several(value):
        return tuple(map(function, value))
    return function(value)


def several(value: object) -> bool:
    """Is it a tuple (or list) of tensors and nothing else?"""
    return (
        isinstance(value, (tuple, list)) and bool(value) and all(isinstance(v, torch.Tensor) for v in value)
    )


def call(*args, **kwargs):
    """A question with keyword arguments: `call(z, y, reduction="sum")`; for a class
    `call(z, y).built_with(reduction="sum")`."""
    return Call(args, kwargs)


@dataclass(frozen=True)
class Smooth:
    """A function of a tensor for exercises that take functions: sum(a·sin(b·x + m) + c·x²), with m the mean of x; 0-d.

    a, b and c: tensors of the shape of x. m joins the entries: what is left changed in one is seen in the
    slopes of the others.
    """

    a: torch.Tensor
    b: torch.Tensor
    c: torch.Tensor

    def __call__(self, x):
        return (self.a * torch.sin(self.b * x + x.mean()) + self.c * x**2).sum()


@dataclass(frozen=True)
class Mixing:
    """A function of a batch, for exercises that ask which row reaches which output: weights @ (x @ direction).

    weights: (N, N), entry [i, j] says how much of row j output i takes; direction: (D,). Called with x (N, D)
    it gives (N,). Signed weights and a direction whose entries add up to 0 make sums of gradients cancel, as
    they do in real models.
    """

    weights: torch.Tensor
    direction: torch.Tensor

    def __call__(self, x):
        return self.weights @ (x @ self.direction)


class Ended(Enum):
    """How the answer to a question ended. The last three are seen from outside: nothing came back, and
    nothing was raised."""

    RETURNED = "returned"
    RAISED = "raised"
    LATE = "late"  # the deadline passed
    DIED = "died"  # its process ended
    MEMORY = "memory"  # its process was ended because it used more memory than it may

    @property
    def lost(self):
        """Is the answer gone for good? Asked again, it would not come back either."""
        return self in (Ended.LATE, Ended.DIED, Ended.MEMORY)


@dataclass(frozen=True)
class Raised:
    """An exception of the answer, with the learner's own line (0 when there is none)."""

    type: str
    text: str
    line: int = 0
    source: str = ""


@dataclass(frozen=True)
class Foreign:
    """Something an answer returned that is no tensor, number or sequence of those: only the name of its type
    is kept."""

    type: str


@dataclass(frozen=True)
class Array:
    """A numpy array that an answer returned, as a tensor."""

    tensor: torch.Tensor


@dataclass(frozen=True)
class Result:
    """What came of a question. `value`: tensors, Python numbers, None, Array, Foreign, and tuples of those."""

    value: object = None
    # name of an input -> tensor, or None where autograd cannot reach it
    gradients: dict = field(default_factory=dict)
    raised: Raised | None = None
    changed: tuple = ()  # names of the inputs that the answer modified
    called: frozenset = frozenset()  # names of the torch functions that it called
    printed: str = ""
    ended: Ended | None = None  # RETURNED or RAISED where nothing else is said; never None once it is made
    at: str = ""  # where an answer was that did not come back, if that is known: "line 3: `while True:`"
    made: Made | None = None  # its largest tensor, where the question states a bound and that is over it
    met: Met | None = None  # two parts of an input that met, where the question keeps them apart

    def __post_init__(self):
        if self.ended is None:
            object.__setattr__(self, "ended", Ended.RAISED if self.raised else Ended.RETURNED)
        if (self.ended is Ended.RAISED) != (self.raised is not None):
            raise ValueError(f"a result that {self.ended.value}, with raised={self.raised}")

    @property
    def lost(self):
        """Did it not come back at all? Then it would not come back the next time either."""
        return self.ended is not None and self.ended.lost

    @property
    def failed(self):
        """Did it give no value?"""
        return self.ended is not Ended.RETURNED


def spelling(function: Callable):
    """The one name for all spellings of a torch function: `softmax` for F.softmax, torch.special.softmax,
    Tensor.softmax_."""
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
    def write(self, text: str):
        room = PRINTED_CAP - self.tell()
        super().write(text[:room] if room > 0 else "")
        return len(text)


def plain(value: object, depth: int = 0):
    """The value in the normal form of `Result`: detached tensors, numbers, tuples; nothing of the answer's
    own types."""
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


def is_learners(frame: "FrameType"):
    """Does this frame run code that the learner wrote?

    Not a learner's: the frames of libraries, and those of modules that say `__tracebackhide__ = True`, as this one does
    (a convention of pytest's), wherever their files lie.
    """
    ours = frame.f_globals.get("__tracebackhide__") is True
    return not ours and not frame.f_code.co_filename.startswith(LIBRARIES)


def raised(error: BaseException):
    """The exception with the deepest line that the learner wrote."""
    line, source = 0, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if is_learners(frame):
            name = frame.f_code.co_filename
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


def _left_a_gradient(before, after):
    """Was a gradient, or the wish for one, left on an input? Asked where an answer differentiates a function
    it was given."""
    return after.requires_grad != before.requires_grad or (after.is_leaf and after.grad is not None)


def cotangent(value: torch.Tensor):
    """Fixed weights in [0.5, 1.5), all different, that turn a result into the scalar whose gradient is taken.

    Evenly spaced they would not do: rows and columns of a Jacobian of softmax sum to 0, and so would its
    entries weighted so.
    """
    golden = 0.6180339887498949
    weights = torch.arange(1, value.numel() + 1, dtype=torch.float64) * golden % 1 + 0.5
    return weights.to(value.dtype).reshape(value.shape)


def floats(value: object) -> list[torch.Tensor]:
    """The floating-point tensors of a result: those that a gradient is taken of."""
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return [part for part in parts if isinstance(part, torch.Tensor) and part.is_floating_point()]


@torch.enable_grad()  # whatever an earlier cell has switched off
def run(
    function: Callable,
    question: Call,
    names: Sequence[str] = (),
    gradient: Iterable[str] = (),
    traced: bool = True,
    forbidden: Iterable[str] = (),
):
    """Call `function` on copies of the inputs of `question`.

    names: the parameters' names, one for each positional argument; gradient: those to differentiate by;
    traced: is it recorded what is called? forbidden: names of functions whose operators are refused
    meanwhile, by whatever way they are reached. Returns a Result, also where the answer raised: everything is
    recorded but KeyboardInterrupt, which passes through (a learner stopped the cell).

    >>> run(lambda p: -p.log().mean(), call(torch.tensor([0.5, 1.0])), ["p"]).value
    tensor(0.3466)
    >>> run(lambda p: 1 / 0, call(torch.tensor([0.5])), ["p"]).raised.type
    'ZeroDivisionError'
    """
    # copies of what goes in, by name: what an answer writes into is seen, and costs the next one nothing
    names = list(names) + [f"argument {i + 1}" for i in range(len(names), len(question.args))]
    inputs = {
        name: _Given(name, value, name in gradient)
        for name, value in (dict(zip(names, question.args)) | question.kwargs).items()
    }
    args = [inputs[n].value for n in names[: len(question.args)]]
    kwargs = {n: inputs[n].value for n in question.kwargs}
    leaves = {name: leaf for given in inputs.values() for name, leaf in given.leaves.items()}
    # what looks on meanwhile: sizes of tensors, calls of torch functions, imports of libraries
    out = _Capped()
    watch = _watch(question, inputs)
    trace = Trace()
    tracing: contextlib.AbstractContextManager = contextlib.nullcontext()
    if traced:
        tracing = trace
    libraries: contextlib.AbstractContextManager = contextlib.nullcontext()
    if forbidden:
        libraries = without_libraries()
    value, problem, gradients, reached = None, None, {}, set()
    outer, _handed[:] = list(_handed), []  # an answer that asks `ready` has another judged meanwhile
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
            refused(forbidden) as reached,
            libraries,
        ):
            with tracing:
                target = _target(function, question, args, kwargs, [tracing, watch.lines()])
                with watch:
                    value = target(*args, **kwargs)
                # what a forward keeps for its backward is not lost when there is another before it
                if question.method:
                    target(*map(_other, args), **kwargs)
            if leaves:
                watch.backward = True
                gradients = _gradients(value, leaves, question, watch)
        value = plain(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and MemoryError too: an answer may raise anything
        value, problem = None, raised(error)
    # what became of the inputs, and what was called, by its name or through `ready`
    differentiates = any(isinstance(given.value, Mixing) for given in inputs.values())
    changed = tuple(name for given in inputs.values() for name in given.changed(differentiates))
    called = frozenset(trace.called)  # empty where it was not entered
    called |= reached
    if problem is None and _handed:
        called |= _handed_on((*question.args, *question.kwargs.values()), value)
    _handed[:] = outer
    return Result(value, gradients, problem, changed, called, out.getvalue(), made=watch.made, met=watch.met)


# ---------------------------------------------------------------- what the course lends

_handed: list[tuple] = []  # (name, inputs, output) of the course's functions that the answer has called


def lent(name: str, function: Callable):
    """The course's function (or class) for `name`, as `ready` gives it: an answer that hands its output on is
    known by that."""
    if not isinstance(function, type):

        @functools.wraps(function)
        def call_of_the_courses(*args, **kwargs):
            return _note(name, args, kwargs, function(*args, **kwargs))

        return call_of_the_courses

    return _lent_class(name, function)


def _lent_class(name, base):
    class Lent(base):
        def __call__(self, *args, **kwargs):
            return _note(name, args, kwargs, super().__call__(*args, **kwargs))

    Lent.__name__, Lent.__qualname__ = base.__name__, base.__qualname__
    return Lent


def _note(name, args, kwargs, output):
    del _handed[100:]
    _handed.append((name, (*args, *kwargs.values()), output))
    return output


def borrowed(name: str) -> str:
    """How `Result.called` names the course's answer that was handed on: `ready("bce")`."""
    return f'ready("{name}")'


def _handed_on(inputs, value):
    """The names of the course's functions that were given all tensors of a question, and whose output is the
    answer, number for number.

    With other inputs, or with more done to what came of it, an answer leans on an earlier exercise, as a
    lesson may have it.
    """
    asked = [v for v in inputs if isinstance(v, torch.Tensor)]
    names = set()
    for name, given, output in _handed:
        tensors = [v.detach() for v in given if isinstance(v, torch.Tensor)]
        if all(any(_equal(a, t) for t in tensors) for a in asked) and _equal(plain(output), value):
            names.add(borrowed(name))
    return names


def _equal(a, b):
    """The same numbers in the same places, whatever their type."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_equal, a, b))
    if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
        return type(a) is type(b) and a == b
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=1e-9, atol=0, equal_nan=True)


class _Given:
    """One argument as an answer gets it: a copy, of which it is known whether it was changed and how the
    gradient is reached."""

    def __init__(self, name, value, differentiated):
        self.leaves = {}  # name -> the tensor whose gradient is taken
        self._tensors = []  # name, the original, the copy
        self._differentiated = differentiated
        if isinstance(value, torch.Tensor):
            self.value = self._copy(name, value)
        elif isinstance(value, Once):
            copies = [self._copy(f"{name}[{i}]", tensor) for i, tensor in enumerate(value.tensors)]
            # a generator: it has no length, and gives each tensor once
            self.value = (tensor for tensor in copies)
        elif several(value):
            self.value = [self._copy(f"{name}[{i}]", tensor) for i, tensor in enumerate(value)]
        elif isinstance(value, str):
            # an object of its own, as it is behind the walls: `is` is no way to compare texts
            self.value = "".join(list(value))
        else:
            self.value = value

    def _copy(self, name, tensor):
        copy = tensor.clone()
        if self._differentiated:
            self.leaves[name] = copy.requires_grad_(True)
            copy = copy.clone()
        self._tensors.append((name, tensor, copy))
        return copy

    def changed(self, differentiates: bool):
        """The names of the tensors that an answer modified; where it differentiates, also of those on which
        it left a gradient."""
        return [
            name
            for name, tensor, copy in self._tensors
            if not _same(tensor, copy.detach()) or differentiates and _left_a_gradient(tensor, copy)
        ]


def _target(function, question, args, kwargs, watchers):
    """What is called: the function, the `apply` of an autograd function, or the object that a class makes."""
    if question.method:
        return getattr(_followed(function, watchers), question.method)
    if not isinstance(function, type):
        return function
    if not issubclass(function, torch.nn.Module):
        raise TypeError(
            f"{function.__name__} is a class, and is not a module. A function begins with `def {function.__name__}(`, "
            f"a module with `class {function.__name__}(nn.Module):`"
        )
    target = function(**question.init)
    # built once, called many times: what it keeps of one batch is nothing to the next
    target(*(a[:1].clone() if isinstance(a, torch.Tensor) and a.ndim else a for a in args), **kwargs)
    return target


def _followed(function, watchers):
    """The autograd function with its backward pass watched, too: `torch.autograd.backward` switches off what
    watches Python calls."""
    if not (isinstance(function, type) and issubclass(function, torch.autograd.Function)):
        name = getattr(function, "__name__", "your answer")
        raise TypeError(
            f"{name} is no autograd function: it begins with `class {name}(torch.autograd.Function):`"
        )
    name = "vjp"
    if function.vjp is torch.autograd.Function.vjp:
        name = "backward"
    backward = getattr(function, name)
    inside = 0

    def watched(context, *gradients):
        nonlocal inside
        if inside >= NESTED:
            # autograd begins a new thread at every 60th level: Python's own limit never speaks
            raise RecursionError("backward differentiates what it belongs to, and calls itself")
        inside += 1
        try:
            with contextlib.ExitStack() as stack:
                for watcher in watchers:
                    stack.enter_context(watcher)
                return backward(context, *gradients)
        finally:
            inside -= 1

    return type(function)(function.__name__, (function,), {name: staticmethod(watched)})


def _other(value):
    """Another argument of the same shape and dtype."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach() / 2
    return value


class _NoWatch(contextlib.nullcontext):
    """Stands where a question has nothing to be watched."""

    made = met = None
    backward = False
    lines = contextlib.nullcontext


def _watch(question, inputs):
    if question.largest is None and not question.apart:
        return _NoWatch()
    apart = ()
    if question.apart:
        apart = inputs[question.apart].value
    return Watch(question.largest, apart, is_learners)


def _gradients(value, leaves, question, watch):
    """The gradient of each leaf, or None where autograd cannot reach it."""
    targets = [target for target in floats(value) if target.requires_grad]
    if not targets:
        return dict.fromkeys(leaves)
    # Each has a weight of its own: a graph that is cut in one of several is seen, and so are two in each other's place.
    weighted = sum(
        number * (target * cotangent(target.detach()) * question.upstream).sum()
        for number, target in enumerate(targets, start=1)
    )
    for leaf in leaves.values():  # an answer may have gone back through the graph itself
        leaf.grad = None
    try:
        with watch:
            weighted.backward()
    except RuntimeError as error:
        if question.method or raised(error).line:  # the answer's own backward pass
            raise
        # a graph that was freed or changed in place: autograd cannot reach the inputs
        return dict.fromkeys(leaves)
    return {name: None if leaf.grad is None else plain(leaf.grad) for name, leaf in leaves.items()}
