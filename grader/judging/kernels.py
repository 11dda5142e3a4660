"""Forbidden functions refused where every way to them ends: at the operators of PyTorch's dispatcher.

The trace sees calls of Python functions, and the scan sees names. A compiled function, a thread, a callback
or a mode taken away passes both, and still ends at an operator, as `aten::binary_cross_entropy`. While a
question runs those operators are refusals.

Which operators an exercise forbids follows from the functions that it forbids (`without=`): those of the same
name, forward and backward, in place or with an output given, and those that do the same job under another
name (`SIBLINGS`).
"""

import contextlib
import functools
import sys
import warnings
from collections.abc import Iterable, Iterator

import torch

# Operators that do the job of a forbidden function under another name, and so are refused with it.
SIBLINGS = {
    "softmax": (
        "_safe_softmax",
        "_scaled_dot_product_attention_math",
        "_softmax_backward_data",
        "scaled_dot_product_attention",
    ),
    "log_softmax": ("_log_softmax_backward_data",),
    "binary_cross_entropy": ("binary_cross_entropy_backward",),
    "sigmoid": ("sigmoid_backward",),
    "softplus": ("softplus_backward",),
    "logsigmoid": ("log_sigmoid_forward", "log_sigmoid_backward", "log_sigmoid"),
    "cross_entropy": ("cross_entropy_loss", "nll_loss_forward", "nll_loss2d_forward", "nll_loss_nd"),
    "nll_loss": ("nll_loss_forward", "nll_loss2d_forward", "nll_loss_nd"),
    "multilabel_margin_loss": ("multilabel_margin_loss_forward",),
}
# Siblings that stay open, each with its reason.
OPEN = {
    "kl_div": "an exercise may compare two distributions by it; where it is the answer it is forbidden by its own name",
    "poisson_nll_loss": (
        "exp(z) − y·z is another loss, and gives a class's loss only after more algebra than the "
        "exercise asks for"
    ),
    "multilabel_soft_margin_loss": (
        "it is made of `logsigmoid`, which several exercises build on; it is refused by name where it is the "
        "answer, and where binary cross-entropy is"
    ),
    "distributions.Categorical": "it is written in Python, of `logsumexp` and differences, which exercises build on; the scan names it",
    "logsumexp": "several exercises build on it; where it is the answer it is forbidden by its own name",
    "forward-mode differentiation": "it computes slopes of what the learner wrote, which is no answer to borrow",
}
LIBRARIES = ("scipy", "sklearn")  # no other package's name begins with one of these
NO_JOB = {"backward"}  # what is forbidden by these names is no operator's job, but autograd's
ENDINGS = ("_backward", "_forward", "_backward_data")


class Refused(RuntimeError):
    """A forbidden operator was called while a question ran. `name`: of the function that it belongs to."""

    def __init__(self, name: str):
        super().__init__(f"`{name}` does what you are to build here")
        self.name = name


@functools.cache
def named() -> dict[str, tuple[str, ...]]:
    """Every name that an operator of PyTorch goes by, with the operators that go by it. It takes a while,
    once a process."""
    found: dict[str, list[str]] = {}
    for full in torch._C._dispatch_get_all_op_names():
        space, _, rest = full.partition("::")
        if space == "aten":
            for name in _bare(rest.partition(".")[0]):
                found.setdefault(name, []).append(full)
    return {name: tuple(operators) for name, operators in found.items()}


def operators(name: str) -> tuple[str, ...]:
    """The operators that belong to a forbidden function.

    >>> "aten::_softmax" in operators("softmax")
    True
    """
    wanted = (name, *SIBLINGS.get(name, ()))
    return tuple(dict.fromkeys(full for each in wanted for full in named().get(each, ())))


def _bare(operator):
    """The names that an operator goes by: `_softmax`, `softmax`, and without its ending."""
    plain = operator.strip("_").removeprefix("special_")
    ending = next((e for e in ENDINGS if plain.endswith(e)), "")
    return {operator, plain, plain.removesuffix(ending)}


class _NoLibrary:
    """A finder that finds none of these libraries, and says why."""

    def find_spec(self, name: str, path: object = None, target: object = None):
        if name.partition(".")[0] in LIBRARIES:
            raise ImportError(f"{name} cannot be imported while an answer is checked: write it in torch")


@contextlib.contextmanager
def without_libraries() -> Iterator[None]:
    """While it is open, libraries that have the course's functions ready made cannot be imported; afterwards
    all is as before."""
    hidden = {name: module for name, module in sys.modules.items() if name.startswith(LIBRARIES)}
    finder = _NoLibrary()
    for name in hidden:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        sys.modules.update(hidden)


class _Refusal:
    """Refusing implementations of some operators, which can be taken away and put back."""

    def __init__(self, names):
        self.called: set[str] = set()
        self._wanted = {full: name for name in sorted(set(names) - NO_JOB) for full in operators(name)}
        self._library = None

    def begin(self):
        if not self._wanted:
            return
        self._library = torch.library.Library("aten", "IMPL")  # it lives as long as the question
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an implementation is overridden is what is meant
            for full, name in self._wanted.items():
                # an operator that no library may implement; a release of torch that overrides none (before 2.7)
                with contextlib.suppress(RuntimeError, TypeError):
                    refuse = functools.partial(_refuse, self.called, name)
                    self._library.impl(full, refuse, "CPU", allow_override=True)

    def end(self):
        if self._library is not None:
            self._library._destroy()
            self._library = None


_open: list[_Refusal] = []


@contextlib.contextmanager
def refused(names: Iterable[str]) -> Iterator[set[str]]:
    """While it is open, the operators of these functions raise Refused, in every thread. Gives the set of
    names that were called."""
    refusal = _Refusal(names)
    refusal.begin()
    _open.append(refusal)
    try:
        yield refusal.called
    finally:
        _open.remove(refusal)
        refusal.end()


@contextlib.contextmanager
def lifted() -> Iterator[None]:
    """For as long as this is open nothing is refused: an answer has asked `ready`, and what it asked for is
    judged meanwhile."""
    standing = list(_open)
    for refusal in reversed(standing):
        refusal.end()
    try:
        yield
    finally:
        for refusal in standing:
            refusal.begin()


def _refuse(called, name, *args, **kwargs):
    called.add(name)
    raise Refused(name)
