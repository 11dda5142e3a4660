"""What an exercise is: a reference, the cases that an answer is tried on, the mistakes that are known, the hints.

Stated once, in `grader/exercises/`, and read by the learner's check, the class's grade, the tests and the report.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from grader.judging.question import Call, Once, Result, Smooth, call, run, spelling

KEPT_SEEDS = 2  # of an exercise: what was asked, and what came of it
TOLERANCES = {torch.float64: (1e-6, 1e-8), torch.float32: (2e-4, 1e-6)}  # relative, absolute


class Inputs:
    """Seeded random inputs. Float tensors have the dtype of the case."""

    def __init__(self, seed, dtype=torch.float64):
        self.dtype = dtype
        self._generator = torch.Generator().manual_seed(seed)

    def uniform(self, *shape, low: float = 0.0, high: float = 1.0):
        """Float tensor, uniform in [low, high)."""
        return (torch.rand(shape, generator=self._generator, dtype=torch.float64) * (high - low) + low).to(
            self.dtype
        )

    def normal(self, *shape, scale: float = 1.0):
        """Float tensor, normal with standard deviation `scale`."""
        return (torch.randn(shape, generator=self._generator, dtype=torch.float64) * scale).to(self.dtype)

    def logits(self, *shape, limit: float = 6.0):
        """Float tensor in (-limit, limit), never within 0.05 of zero."""
        z = self.uniform(*shape, low=0.05, high=limit)
        return torch.where(self.uniform(*shape) < 0.5, -z, z)

    def probabilities(self, *shape):
        """Float tensor in (0.02, 0.98), never within 0.005 of one half."""
        p = self.uniform(*shape, low=0.02, high=0.495)
        return torch.where(self.uniform(*shape) < 0.5, p, 1 - p)

    def labels(self, *shape):
        """Float tensor of 0 and 1, both present where there is room."""
        return self._both(torch.rand(shape, generator=self._generator) < 0.5).to(self.dtype)

    def signs(self, *shape):
        """Float tensor of -1 and +1, both present where there is room."""
        return 2 * self.labels(*shape) - 1

    def classes(self, *shape, num_classes: int):
        """int64 tensor in [0, num_classes)."""
        return self.integers(*shape, low=0, high=num_classes)

    def integers(self, *shape, low: int, high: int):
        """int64 tensor in [low, high)."""
        return torch.randint(low, high, shape, generator=self._generator)

    def distribution(self, *shape):
        """Float tensor, positive, the last dimension sums to 1."""
        return torch.softmax(self.normal(*shape, scale=1.5).double(), dim=-1).to(self.dtype)

    def size(self, low: int = 5, high: int = 9):
        """A random int in [low, high]."""
        return int(self.integers(1, low=low, high=high + 1))

    def permutation(self, n: int):
        """int64 tensor: 0 … n-1 in random order."""
        return torch.randperm(n, generator=self._generator)

    def smooth(self, *shape):
        """A smooth function of a tensor of this shape, for exercises that take functions."""
        return Smooth(self.normal(*shape), self.uniform(*shape, low=0.5, high=1.5), self.normal(*shape))

    def _both(self, true):
        if true.numel() > 1 and (true.all() or not true.any()):
            true.view(-1)[0] = ~true.view(-1)[0]
        return true


@dataclass(frozen=True)
class Case:
    """One thing that an answer must get right. `make(rng)` gives a tuple of arguments, a `call(…)`, or a list
    of those."""

    name: str
    make: Callable[["Inputs"], "Call | tuple | list[Call | tuple]"]
    gradient: tuple = ()
    dtype: torch.dtype = torch.float64
    points: float | None = None
    edge: bool = False  # a constant may be right here: counts only where an ordinary case passes
    extreme: bool = False  # an ordinary answer may be right everywhere but here
    example: bool = False  # the lesson's own numbers: they are known, so they never suffice
    rtol: float | None = None
    atol: float | None = None
    slope_rtol: float | None = None  # of the gradient, where it is not that of the value
    largest: Callable[..., int] | None = None  # arguments -> the most entries of a tensor made on the way
    apart: str = ""  # the name of a tuple of matrices that must not meet in one operation

    def calls(self, seed: int):
        """The questions of this case, the same ones for the same seed."""
        made = self.make(Inputs(seed, self.dtype))
        calls = [
            c if isinstance(c, Call) else Call(tuple(c)) for c in (made if isinstance(made, list) else [made])
        ]
        if self.largest is not None:
            calls = [replace(c, largest=self.largest(*c.args, **c.kwargs)) for c in calls]
        if not self.apart:
            return calls
        return [replace(c, apart=self.apart) for c in calls]

    def tolerance(self, dtype: torch.dtype):
        """(relative, absolute): how far a value of this dtype may lie from the reference's; the case's own
        where it states them."""
        relative, absolute = TOLERANCES.get(dtype, TOLERANCES[torch.float64])
        stated = self.rtol or relative, self.atol or absolute
        if not dtype.is_floating_point or torch.finfo(dtype).bits >= torch.finfo(self.dtype).bits:
            return stated
        # a float32 is not held to float64's digits
        return max(stated[0], relative), max(stated[1], absolute)

    def tolerance_of_slope(self, dtype: torch.dtype):
        """(relative, absolute): the same for a gradient."""
        relative, absolute = self.tolerance(dtype)
        return self.slope_rtol or relative, absolute


@dataclass(frozen=True)
class Mistake:
    """A wrong answer as a learner would write it, and the sentence that names what is wrong with it."""

    says: str
    function: Callable
    hint: str = ""


@dataclass(frozen=True)
class Put:
    """What is asked at one seed, with the reference's results, and what known mistakes have been heard to say."""

    exercise: "Exercise"
    seed: int
    made: dict = field(default_factory=dict)  # filled by the search for a known mistake
    _asked: dict = field(default_factory=dict)

    def questions(self, number: int) -> list[tuple[Call, Result]]:
        """The questions of the case with this number, each with what the reference says. Raises
        AssertionError where the reference itself fails: a fault of the case, never of an answer."""
        exercise, case = self.exercise, self.exercise.cases[number]
        if number not in self._asked:
            questions = case.calls(self.seed * 1000 + number)
            self._asked[number] = [(q, exercise.run(exercise.reference, q, case.gradient)) for q in questions]
        for _, expected in self._asked[number]:
            if expected.raised:
                raise AssertionError(
                    f"{exercise.name}, case {case.name!r}: the reference raised {expected.raised}"
                )
        return self._asked[number]


@dataclass
class Exercise:
    """Use `@exercise(…)` to make one. `reference` is a function or a class (an `nn.Module`)."""

    name: str
    reference: Callable
    points: float
    without: tuple = ()  # torch functions and modules, or their names, that do the same job: out of bounds
    hints: tuple = ()  # from a nudge to nearly there
    built: str = ""  # said after passing: what it is, and what PyTorch calls it
    any_dtype: bool = False  # compared by value alone (0/1 decisions may be bool, int or float)
    together: bool = False  # a sample means something only among others: it is not asked alone
    number: bool = False  # a Python number is as good as a 0-d tensor
    lesson: str = ""
    cases: list = field(default_factory=list)
    mistakes: list = field(default_factory=list)
    _put: dict = field(default_factory=dict, repr=False, compare=False)  # seed -> Put

    def case(self, name: str, *, gradient: str | tuple = (), **options):
        """Decorator: add a case. `gradient`: a name or names of the inputs whose gradient is compared. Raises
        ValueError for an input that the reference does not have."""
        if isinstance(gradient, str):
            gradient = (gradient,)
        else:
            gradient = tuple(gradient)
        unknown = set(gradient) - set(self.parameters)
        if unknown:
            raise ValueError(f"{self.name}: no parameter {sorted(unknown)}, only {self.parameters}")
        return lambda make: self.cases.append(Case(name, make, gradient, **options))

    def mistake(self, says: str, hint: str = ""):
        """Decorator: add a known mistake. The function (or class) is the wrong answer; `says` is told to the
        learner."""
        return lambda function: self.mistakes.append(Mistake(says, function, hint))

    @cached_property
    def signature(self):
        """What an answer is called with: the reference's signature, or for a module that of its `forward`,
        without `self`."""
        if not isinstance(self.reference, type):
            return inspect.signature(self.reference)
        forward = inspect.signature(self.reference.forward)
        return forward.replace(parameters=list(forward.parameters.values())[1:])

    @cached_property
    def parameters(self):
        """The names of the inputs, in order: `["p", "y", "reduction"]`."""
        return list(self.signature.parameters)

    @cached_property
    def forbidden(self):
        """The spellings that must not be called."""
        return frozenset(name for function in self.without for name in spellings(function))

    def run(self, function: Callable, question: Call, gradient: tuple = ()):
        """Ask any function (the reference, a mistake, a learner's) one question, in this process."""
        is_ours = function is self.reference or any(function is m.function for m in self.mistakes)
        # the trace would double a training's time
        return run(function, question, self.parameters, gradient, traced=not is_ours)

    def put(self, seed: int) -> Put:
        """What is asked at a seed; of the last seeds it is kept, for the next answer."""
        put = self._put.pop(seed, None) or Put(self, seed)
        self._put[seed] = put
        while len(self._put) > KEPT_SEEDS:
            del self._put[next(iter(self._put))]
        return put

    def question(self, *args, **kwargs) -> Call:
        """The question that a learner asks with arguments of their own; for a module the keywords are the
        constructor's.

        A generator is kept, so that the definition and the answer each get one.
        """
        kept = [Once(tuple(value)) if isinstance(value, Iterator) else value for value in args]
        if not isinstance(self.reference, type):
            return call(*kept, **kwargs)
        if issubclass(self.reference, torch.autograd.Function):
            return call(*kept, **kwargs).applied()
        return call(*kept).built_with(**kwargs)

    def shares(self):
        """The points of each case: what a case says, and equal shares of the rest; they sum to `points`.
        Raises ValueError where cases state more points than the exercise has, or fewer and none is left to
        share."""
        stated = sum(c.points or 0 for c in self.cases)
        silent = sum(c.points is None for c in self.cases)
        if stated > self.points or (not silent and stated != self.points):
            raise ValueError(f"{self.name}: its cases state {stated} of {self.points} points")
        share = 0
        if silent:
            share = (self.points - stated) / silent
        return [share if c.points is None else c.points for c in self.cases]


# functions that do the same job under other names
RELATIVES = {
    "sigmoid": {"sigmoid", "expit"},
    "softmax": {"softmax", "softmin", "Softmax", "Softmin", "Softmax2d", "safe_softmax"},
    "log_softmax": {"log_softmax", "LogSoftmax"},
    "logsumexp": {"logsumexp", "logcumsumexp"},
    "logsigmoid": {"logsigmoid", "log_expit", "log_sigmoid"},
    "logit": {"logit"},
    "one_hot": {"one_hot", "OneHotEncoder", "LabelBinarizer", "label_binarize", "to_categorical"},
    "kl_div": {"kl_div", "rel_entr"},
    "nll_loss": {"nll_loss", "nll_loss_nd", "nll_loss2d", "nll_loss_forward"},
    "cross_entropy": {"cross_entropy", "cross_entropy_loss", "linear_cross_entropy", "log_loss"},
    "binary_cross_entropy": {"binary_cross_entropy", "log_loss"},
    "binary_cross_entropy_with_logits": {"binary_cross_entropy_with_logits"},
}


def spellings(function: Callable):
    """All the names under which `function` (or an `nn` module) may be called or may show in a trace."""
    name = spelling(function)
    return {name} | RELATIVES.get(name, set())


_registry: dict[str, Exercise] = {}


def exercise(*, points: float, without: Iterable[Callable] = (), **options):
    """Decorator: make an Exercise of its reference, and register it under the reference's name and its lesson's."""

    def make(reference: Callable):
        lesson = reference.__module__.rpartition(".")[2]
        made = Exercise(reference.__name__, reference, points, tuple(without), lesson=lesson, **options)
        if made.name in _registry and _registry[made.name].lesson != lesson:
            raise ValueError(
                f"exercise {made.name!r} is defined in {_registry[made.name].lesson} and in {lesson}"
            )
        _registry[made.name] = made
        return made

    return make


def registered():
    """Every exercise that has been imported, by name."""
    return dict(_registry)
