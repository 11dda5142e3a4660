"""What an answer makes while it runs: tensors larger than a question allows, and parts of an input that meet
in one operation.

Seen by torch's dispatch mode, which stands below autograd: forward and backward pass alike, whatever the
answer calls. The line is the learner's own, also for an operation of the backward pass that autograd chooses:
then it is the line whose gradient it computes. This module imports nothing from the package, so that the same
file runs in a notebook, in a forked child and behind the walls.
"""

import contextlib
import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

__tracebackhide__ = True  # none of these frames is a learner's
LEAVES_TORCH = ("numpy", "__array__")  # what is made after one of these nobody sees


@dataclass(frozen=True)
class Place:
    """Where something was seen: the operation, the learner's line (0 when there is none) and in which of the
    two passes."""

    operation: str
    line: int = 0
    source: str = ""
    backward: bool = False


@dataclass(frozen=True)
class Made:
    """The largest tensor of an answer, where it is larger than the question allows. entries: of the memory
    that it takes."""

    shape: tuple
    entries: int
    limit: int
    place: Place

    @property
    def left_torch(self) -> bool:
        """Was a tensor handed to numpy, so that nobody can see what was made of it?"""
        return self.place.operation in LEAVES_TORCH


@dataclass(frozen=True)
class Met:
    """Two parts of an input (counted from 0) that one operation took together, with more entries of each than
    the question allows."""

    parts: tuple
    entries: tuple
    limit: int
    place: Place


def tensors_in(value: object) -> Iterator[torch.Tensor]:
    """All tensors of an operation's arguments or results, lists and dictionaries included."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def memory(tensor: torch.Tensor) -> int:
    """The address of a tensor's memory, the same for all of its views; 0 where it has none of its own."""
    if tensor.layout is not torch.strided:
        return 0
    return tensor.untyped_storage().data_ptr()


def entries(tensor: torch.Tensor) -> int:
    """How many entries the memory of a tensor holds: 1 for a number that is expanded to a matrix."""
    if tensor.layout is not torch.strided:
        return 0
    return tensor.untyped_storage().nbytes() // max(tensor.element_size(), 1)


class Watch:
    """A context in which every operation is seen. Enter it around the forward pass, and once more around the
    backward pass.

    largest: the most entries that a tensor may have, or None; apart: tensors no two of which may meet in one
    operation with more entries than each has rows; learners: does a frame belong to the learner's code?
    """

    def __init__(
        self, largest: int | None, apart: Sequence[torch.Tensor], learners: Callable[[FrameType], bool]
    ):
        self.largest = largest
        self.learners = learners
        self.made: Made | None = None
        self.met: Met | None = None
        self.backward = False
        self.node_line = (0, "")  # the line whose gradient autograd computes at this moment
        self.rows = 0
        if apart:
            self.rows = apart[0].shape[0]
        self.part_of = {memory(tensor): part for part, tensor in enumerate(apart)}
        self._kept = list(apart)  # memory that is labelled must not be given to another tensor
        self._modes = None
        self._asker = None  # the frame that puts the question: what called it is no part of the answer

    def __enter__(self):
        self._asker = sys._getframe(1)
        self._modes = contextlib.ExitStack()
        self._modes.enter_context(self.lines())
        self._modes.enter_context(_Operations(self))
        return self

    def __exit__(self, *error):
        self._modes.close()
        self._asker = None

    def lines(self) -> TorchFunctionMode:
        """A context of its own for the part that sees calls from Python: a backward pass that an answer wrote
        itself needs it anew."""
        return _Lines(self)

    def where(self) -> tuple[int, str]:
        """The learner's line that runs at this moment; in a backward pass that autograd makes, the line that
        it goes back through."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame is not self._asker:
            if self.learners(frame):
                name, number = frame.f_code.co_filename, frame.f_lineno
                return number, linecache.getline(name, number, frame.f_globals).strip()
            frame = frame.f_back
        return self.node_line

    def see(self, operation: str, taken: list[torch.Tensor], given: list[torch.Tensor]) -> None:
        """One operation: what it takes and what it gives."""
        if self.largest is not None:
            self._measure(operation, taken, given)
        if self.part_of:
            self._meet(operation, taken, given)

    def leaves_torch(self, operation: str, tensor: torch.Tensor) -> None:
        """A tensor goes to numpy: from here on nothing can be measured."""
        if self.made is None and self.largest is not None:
            self.made = Made(tuple(tensor.shape), tensor.numel(), self.largest, self._place(operation))

    def _measure(self, operation, taken, given):
        known = {memory(tensor) for tensor in taken}  # a view, or a result written in place, is nothing new
        for tensor in given:
            size = entries(tensor)
            over = size > max(self.largest, self.made.entries if self.made else 0)
            if over and memory(tensor) not in known and not (self.made and self.made.left_torch):
                self.made = Made(tuple(tensor.shape), size, self.largest, self._place(operation))

    def _meet(self, operation, taken, given):
        counts = {}  # part -> how many of its entries this operation takes
        for tensor in {id(tensor): tensor for tensor in taken}.values():
            part = self.part_of.get(memory(tensor))
            if part is not None:
                counts[part] = counts.get(part, 0) + tensor.numel()
        large = {part: count for part, count in counts.items() if count > self.rows}
        if len(large) > 1 and self.met is None:
            parts = tuple(sorted(large))[:2]
            taken_entries = tuple(large[part] for part in parts)
            self.met = Met(parts, taken_entries, self.rows, self._place(operation))
        # what is computed from a part counts as that part, until so few entries are left that each row has one
        for tensor in given if large else ():
            if tensor.numel() > self.rows and memory(tensor) not in self.part_of:
                self.part_of[memory(tensor)] = min(large)
                self._kept.append(tensor)

    def _place(self, operation):
        line, source = self.where()
        return Place(operation, line, source, self.backward)


class _Operations(TorchDispatchMode):
    """Shows every operation to the watch, forward and backward."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    @classmethod
    def _should_skip_dynamo(cls):
        # nothing is compiled here, and to ask the compiler to stay away would import it first: two seconds
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        self.watch.see(name, list(tensors_in([args, kwargs])), list(tensors_in(result)))
        return result


class _Lines(TorchFunctionMode):
    """Notes at every node of autograd's graph the learner's line that made it, and sees tensors leave for numpy."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in LEAVES_TORCH and args[0].is_floating_point():
            self.watch.leaves_torch(name, args[0])
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            if tensor.grad_fn is not None:
                self._note(tensor.grad_fn, self.watch.where())
        return result

    def _note(self, node, line):
        """This node, and those behind it that the same call has made."""
        pending = [node]
        while pending:
            node = pending.pop()
            if node is None or "learner's line" in node.metadata or not node.next_functions:
                continue
            node.metadata["learner's line"] = line
            node.register_prehook(partial(self._enter, line))
            pending += [following for following, _ in node.next_functions]

    def _enter(self, line, gradients):
        self.watch.node_line = line
