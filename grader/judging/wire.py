"""What two processes that do not trust each other say: length-prefixed frames, a JSON header, a safetensors payload.

    4 bytes magic | 4 bytes header length | 8 bytes payload length | header: JSON object | payload:
    safetensors, or nothing

Both lengths are capped before anything is read, memory grows only with what really arrives, and one deadline
holds for a whole frame, so that a peer dripping byte after byte gains nothing. Whatever deviates raises
WireError. Nothing is ever unpickled.

The same file serves a grader and the process that it asks, behind walls or without them: `send`, `receive`
for frames; `encode_…` gives a header and a payload, `decode_…` takes them apart again and checks everything.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Iterable

import safetensors
import safetensors.torch
import torch

from grader.judging.outcome import Absent, CellError, Outcome, Output, clean, is_picture
from grader.judging.question import Array, Call, Foreign, Mixing, Once, Raised, Result, Smooth
from grader.judging.watch import Made, Met, Place

MAGIC = b"GRD1"
PREFIX = struct.Struct(">4sIQ")
HEADER_BYTES = 2 << 20  # caps of one frame
PAYLOAD_BYTES = 32 << 20
TENSORS = 4096  # caps of one value
NODES = 50_000
RESULT_NUMBERS, RESULT_NODES = 1 << 16, 10_000  # of a result: the course's own have 2,000 at the most
# the sizes of an empty tensor multiplied, each 0 counted as 1: as many lists it is when it is shown
EMPTY_SHAPE = 1 << 16
DEPTH = 6
DIMENSIONS = 16
NAME, SOURCE, TEXT, PRINTED, TRACEBACK = 200, 400, 1000, 10_000, 20_000  # characters
NAMES = 1000
OUTPUTS, OUTPUT_TEXT = 200, 1 << 20
DTYPES = frozenset(
    {
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    }
)
COMPLEX = frozenset({torch.complex128, torch.complex64})  # travel as pairs of real numbers
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class WireError(ValueError):
    """The peer broke the protocol; the text says how."""


class Closed(WireError):
    """The peer is gone."""


class Late(WireError):
    """The deadline passed before the frame was through."""


class TooLarge(WireError):
    """What is to be sent is over a cap; nothing was sent."""


# ---------------------------------------------------------------- frames


def send(sock: socket.socket, header: dict, payload: bytes = b"", deadline: float | None = None):
    """Send one frame. deadline: a time of `time.monotonic`, for the whole frame; None waits for ever. Raises
    TooLarge, before anything is sent, Late at the deadline, and Closed where the peer is gone."""
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > HEADER_BYTES or len(payload) > PAYLOAD_BYTES:
        raise TooLarge(
            f"a frame of {len(text)} + {len(payload)} bytes; at most {HEADER_BYTES} + {PAYLOAD_BYTES} fit"
        )
    try:
        sock.settimeout(_left(deadline))
        # its timeout is for all of it
        sock.sendall(b"".join((PREFIX.pack(MAGIC, len(text), len(payload)), text, payload)))
    except TimeoutError:
        raise Late("the peer did not take the frame before the deadline") from None
    except OSError as error:
        raise Closed(f"the peer is gone ({error.strerror or error})") from None


def receive(sock: socket.socket, deadline: float | None = None):
    """The next frame: header (a dict) and payload (bytes). deadline: a time of `time.monotonic`, for the
    whole frame. Raises WireError for what is no frame or too large a one, Late at the deadline, and Closed
    where the peer is gone."""
    magic, header, payload = PREFIX.unpack(_exactly(sock, PREFIX.size, deadline))
    if magic != MAGIC:
        raise WireError(f"a frame that starts with {magic!r}, not {MAGIC!r}")
    if header > HEADER_BYTES or payload > PAYLOAD_BYTES:
        raise WireError(
            f"a frame that claims {header} + {payload} bytes; at most {HEADER_BYTES} + {PAYLOAD_BYTES} are read"
        )
    return parse(_exactly(sock, header, deadline)), _exactly(sock, payload, deadline)


def silent(sock: socket.socket):
    """WireError unless the peer has said nothing since the last frame: nobody answers before the question."""
    try:
        sock.settimeout(0)
        waiting = sock.recv(1)
    except (BlockingIOError, TimeoutError):
        return
    except OSError as error:
        raise Closed(f"the peer is gone ({error.strerror or error})") from None
    if not waiting:
        raise Closed("the peer is gone")
    raise WireError("the peer spoke before it was asked")


def _left(deadline):
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _exactly(sock, count, deadline):
    data = bytearray()
    while len(data) < count:
        try:
            sock.settimeout(_left(deadline))
            chunk = sock.recv(min(count - len(data), 1 << 18))
        except TimeoutError:
            raise Late("the frame was not through before the deadline") from None
        except OSError as error:
            raise Closed(f"the peer is gone ({error.strerror or error})") from None
        if not chunk:
            raise Closed("the peer is gone" + (", in the middle of a frame" if data else ""))
        data += chunk
    return bytes(data)


def parse(text: bytes) -> dict:
    """A header: strict JSON, an object, no key twice, no number that is not finite.

    Raises WireError for anything else.

    >>> parse(b'{"do": "call"}')
    {'do': 'call'}
    """
    try:
        header = json.loads(
            text.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        raise WireError("a header nested too deep") from None
    except WireError:
        raise
    except ValueError as error:
        raise WireError(f"a header that is not JSON: {str(error)[:100]}") from None
    return _is(header, dict, "header")


def _object(pairs):
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise WireError("a header with a key twice")
    return tree


def _no_constant(text):
    raise WireError(f"a header with the number {text}")


def _finite(text):
    number = float(text)
    if math.isfinite(number):
        return number
    return _no_constant(text[:20])


# ---------------------------------------------------------------- small checks


def _is(value, kind, what):
    if type(value) is not kind:  # a bool is no int here
        raise WireError(f"{what}: {kind.__name__} expected, {type(value).__name__} found")
    return value


def fields(tree: object, names: Iterable[str], what: str):
    """The values of an object that has exactly these keys.

    Raises WireError where it has others.

    >>> fields({"dropped": 0, "error": None}, ("error", "dropped"), "cell")
    [None, 0]
    """
    value = _is(tree, dict, what)
    if value.keys() != set(names):
        raise WireError(f"{what}: the keys {sorted(names)} expected, {sorted(map(str, value))[:10]} found")
    return [value[n] for n in names]


def _text(value, cap, what):
    """Learner's text, capped, without what is no text: control characters, escape sequences, text direction
    overrides, halves of pairs."""
    _is(value, str, what)
    if len(value) > cap:
        raise WireError(f"{what}: {len(value)} characters, at most {cap} are taken")
    return clean(value)


def _names(value, what):
    _is(value, list, what)
    if len(value) > NAMES:
        raise WireError(f"{what}: {len(value)} names, at most {NAMES} are taken")
    return [_text(v, NAME, what) for v in value]


def _count(value, what):
    if not 0 <= _is(value, int, what) < 1 << 31:
        raise WireError(f"{what}: {value} is out of range")
    return value


def _counts(value, what):
    """A short list of sizes, as a tuple."""
    _is(value, list, what)
    if len(value) > DIMENSIONS:
        raise WireError(f"{what}: {len(value)} numbers, at most {DIMENSIONS} are taken")
    return tuple(_count(v, what) for v in value)


# ---------------------------------------------------------------- values


class _Writer:
    """Turns values into JSON trees, and collects their tensors."""

    def __init__(self, numbers=PAYLOAD_BYTES, nodes=NODES):
        self.tensors, self.nodes, self.bytes, self.numbers = {}, 0, 0, 0
        self.most_numbers, self.most_nodes = numbers, nodes

    def tensor(self, value: torch.Tensor):
        self.numbers += extent(value.shape)
        if self.numbers > self.most_numbers:
            raise TooLarge(f"more than {self.most_numbers} numbers")
        if len(self.tensors) >= TENSORS:
            raise TooLarge(f"more than {TENSORS} tensors")
        if value.ndim > DIMENSIONS:
            raise TooLarge(f"a tensor of {value.ndim} dimensions; at most {DIMENSIONS} fit")
        self.bytes += value.numel() * value.element_size()
        if self.bytes > PAYLOAD_BYTES:
            raise TooLarge(f"tensors of more than {PAYLOAD_BYTES >> 20} MB")
        name = f"t{len(self.tensors)}"
        self.tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
        return name

    def value(self, value: object, depth: int = 0):
        self.nodes += 1
        if self.nodes > self.most_nodes or depth > DEPTH:
            raise TooLarge(f"more than {self.most_nodes} values, or nested more than {DEPTH} deep")
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int:
            if abs(value) < 1 << 63:
                return value
            return {"foreign": "int of more than 64 bits"}
        if type(value) is float:
            if math.isfinite(value):
                return value
            return {"float": str(value)}
        if isinstance(value, tuple):
            return [self.value(v, depth + 1) for v in value]
        if isinstance(value, Foreign):
            return {"foreign": clean(value.type)[:NAME]}
        if isinstance(value, Array):
            return {"array": self.value(value.tensor, depth + 1)}
        if isinstance(value, Once):
            return {"once": [self.value(t, depth + 1) for t in value.tensors]}
        if isinstance(value, Smooth):
            return {"smooth": [self.value(t, depth + 1) for t in (value.a, value.b, value.c)]}
        if isinstance(value, Mixing):
            return {"mixing": [self.value(t, depth + 1) for t in (value.weights, value.direction)]}
        if isinstance(value, torch.Tensor):
            if value.dtype in COMPLEX:
                return {"complex": self.tensor(torch.view_as_real(value))}
            if value.dtype in DTYPES:
                return {"tensor": self.tensor(value)}
            return {"foreign": f"tensor of {value.dtype}"}
        raise TypeError(
            f"{type(value).__name__} does not travel: tensors, numbers, bool, str, None, Smooth, "
            "Mixing, Once and tuples do"
        )

    def payload(self):
        if not self.tensors:
            return b""
        return safetensors.torch.save(self.tensors)


class _Reader:
    """Turns JSON trees into values again. Every tensor of the payload must be used, once."""

    def __init__(self, payload, strings=False, numbers=PAYLOAD_BYTES, nodes=NODES):
        self.tensors, self.strings, self.nodes, self.most_nodes = load(payload), strings, 0, nodes
        found = sum(extent(tensor.shape) for tensor in self.tensors.values())
        if found > numbers:  # known from the shapes, before anything is computed with them
            raise WireError(f"{found} numbers, at most {numbers} are taken")

    def tensor(self, name: str):
        _is(name, str, "tensor")
        if name not in self.tensors:
            raise WireError(f"tensor {name[:20]!r} is not in the payload, or used twice")
        return self.tensors.pop(name)

    def value(self, tree: object, depth: int = 0):
        self.nodes += 1
        if self.nodes > self.most_nodes or depth > DEPTH:
            raise WireError(f"more than {self.most_nodes} values, or nested more than {DEPTH} deep")
        if tree is None or type(tree) in (bool, float):
            return tree
        if type(tree) is int:
            if abs(tree) >= 1 << 63:
                raise WireError("an int of more than 64 bits")
            return tree
        if type(tree) is str and self.strings:
            return tree
        if type(tree) is list:
            return tuple(self.value(t, depth + 1) for t in tree)
        if type(tree) is dict and len(tree) == 1:
            ((tag, inner),) = tree.items()
            if tag == "tensor":
                return self.tensor(inner)
            if tag == "complex":
                return self.complex(inner)
            if tag == "array":
                return Array(self.typed(inner, depth, torch.Tensor, "array"))
            if tag == "smooth" and self.strings and type(inner) is list and len(inner) == 3:
                return Smooth(*(self.typed(t, depth, torch.Tensor, "smooth") for t in inner))
            if tag == "mixing" and self.strings and type(inner) is list and len(inner) == 2:
                return Mixing(*(self.typed(t, depth, torch.Tensor, "mixing") for t in inner))
            if tag == "once" and self.strings and type(inner) is list:
                return Once(tuple(self.typed(t, depth, torch.Tensor, "once") for t in inner))
            if tag == "foreign":
                return Foreign(_text(inner, NAME, "foreign"))
            if tag == "float" and type(inner) is str and inner in NOT_FINITE:
                return NOT_FINITE[inner]
        raise WireError(f"a value that is none: {str(tree)[:60]}")

    def typed(self, tree: object, depth: int, kind: type, what: str):
        value = self.value(tree, depth + 1)
        if not isinstance(value, kind):
            raise WireError(f"{what}: {kind.__name__} expected, {type(value).__name__} found")
        return value

    def complex(self, name: str):
        pairs = self.tensor(name)
        if pairs.dtype not in (torch.float64, torch.float32) or pairs.ndim < 1 or pairs.shape[-1] != 2:
            raise WireError("a complex tensor that is no pairs of real numbers")
        return torch.view_as_complex(pairs)

    def finished(self):
        if self.tensors:
            raise WireError(f"{len(self.tensors)} tensors that belong to nothing")


def load(payload: bytes):
    """The tensors of a payload by name; WireError unless it is plain safetensors of the dtypes that travel."""
    if not payload:
        return {}
    try:
        tensors = safetensors.torch.load(bytes(payload))
    except Exception as error:  # its own error, and whatever torch says to an impossible shape
        raise WireError(f"a payload that is no safetensors: {str(error)[:100]}") from None
    if len(tensors) > TENSORS:
        raise WireError(f"{len(tensors)} tensors, at most {TENSORS} are taken")
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            raise WireError(f"a tensor of {tensor.dtype}")
        most = PAYLOAD_BYTES
        if 0 in tensor.shape:
            most = EMPTY_SHAPE
        if tensor.ndim > DIMENSIONS or extent(tensor.shape) > most:
            raise WireError(f"a tensor {name[:20]!r} of an impossible shape")
        if tensor.dtype is torch.bool and tensor.numel() and tensor.view(torch.uint8).max() > 1:
            raise WireError("a bool that is neither True nor False")
    return tensors


def extent(shape: Iterable[int]) -> int:
    """The sizes of a shape multiplied, each 0 counted as 1: what it takes to walk through it, also where it
    holds no number.

    >>> extent((3, 0, 5))
    15
    """
    return math.prod(max(size, 1) for size in shape)


# ---------------------------------------------------------------- questions and results


def encode_call(question: Call):
    """Header and payload of a Call."""
    w = _Writer()
    tree = {
        "args": [w.value(v) for v in question.args],
        "kwargs": {k: w.value(v) for k, v in question.kwargs.items()},
        "init": {k: w.value(v) for k, v in question.init.items()},
        "method": question.method,
        "upstream": question.upstream,
        "largest": question.largest,
        "apart": question.apart,
    }
    return tree, w.payload()


def decode_call(tree: object, payload: bytes):
    """The Call of a header and a payload."""
    r = _Reader(payload, strings=True)
    args, kwargs, init, method, upstream, largest, apart = fields(
        tree, ("args", "kwargs", "init", "method", "upstream", "largest", "apart"), "call"
    )
    question = Call(
        tuple(r.value(v) for v in _is(args, list, "args")),
        _keyed(r, kwargs, "kwargs"),
        _keyed(r, init, "init"),
        _text(method, NAME, "method"),
        _is(upstream, float, "upstream"),
        None if largest is None else _count(largest, "largest"),
        _text(apart, NAME, "apart"),
    )
    r.finished()
    return question


def _keyed(reader, tree, what):
    _is(tree, dict, what)
    if len(tree) > NAMES:
        raise WireError(f"{what}: {len(tree)} names, at most {NAMES} are taken")
    return {_text(k, NAME, what): reader.value(v) for k, v in tree.items()}


def encode_result(result: Result):
    """Header and payload of a Result; TooLarge when it does not fit."""
    w = _Writer(RESULT_NUMBERS, RESULT_NODES)
    error = result.raised
    tree = {
        "value": w.value(result.value),
        "gradients": {k[:NAME]: w.value(v) for k, v in result.gradients.items()},
        "raised": error and _where(error),
        "changed": [n[:NAME] for n in result.changed],
        "called": sorted(n[:NAME] for n in result.called)[:NAMES],
        "printed": result.printed[:PRINTED],
        "made": result.made and _made(result.made),
        "met": result.met and _met(result.met),
    }
    return tree, w.payload()


def _where(error):
    # a SyntaxError may say anything
    line = error.line if type(error.line) is int and 0 <= error.line < 1 << 31 else 0
    return {
        "type": error.type[:NAME],
        "text": error.text[:TEXT],
        "line": line,
        "source": error.source[:SOURCE],
    }


def decode_result(tree: object, payload: bytes):
    """The Result of a header and a payload. Raises WireError where they are no Result."""
    r = _Reader(payload, numbers=RESULT_NUMBERS, nodes=RESULT_NODES)
    value, gradients, error, changed, called, printed, made, met = fields(
        tree, ("value", "gradients", "raised", "changed", "called", "printed", "made", "met"), "result"
    )
    value = r.value(value)
    gradients = _keyed(r, gradients, "gradients")
    for name, gradient in gradients.items():
        if gradient is not None and not isinstance(gradient, (torch.Tensor, Foreign)):
            raise WireError(f"gradient {name!r} is a {type(gradient).__name__}")
    r.finished()
    return Result(
        value,
        {k: g if isinstance(g, torch.Tensor) else None for k, g in gradients.items()},
        error if error is None else _raised(error),
        tuple(_names(changed, "changed")),
        frozenset(_names(called, "called")),
        _text(printed, PRINTED, "printed"),
        made=None if made is None else _read_made(made),
        met=None if met is None else _read_met(met),
    )


def _made(made):
    return {
        "shape": list(made.shape),
        "entries": made.entries,
        "limit": made.limit,
        "place": _place(made.place),
    }


def _met(met):
    return {
        "parts": list(met.parts),
        "entries": list(met.entries),
        "limit": met.limit,
        "place": _place(met.place),
    }


def _place(place):
    return {
        "operation": place.operation[:NAME],
        "line": place.line,
        "source": place.source[:SOURCE],
        "backward": place.backward,
    }


def _read_made(tree):
    shape, entries, limit, place = fields(tree, ("shape", "entries", "limit", "place"), "made")
    return Made(
        _counts(shape, "shape"), _count(entries, "entries"), _count(limit, "limit"), _read_place(place)
    )


def _read_met(tree):
    parts, entries, limit, place = fields(tree, ("parts", "entries", "limit", "place"), "met")
    parts, entries = _counts(parts, "parts"), _counts(entries, "entries")
    if len(parts) != 2 or len(entries) != 2:
        raise WireError("met: two parts expected")
    return Met(parts, entries, _count(limit, "limit"), _read_place(place))


def _read_place(tree):
    operation, line, source, backward = fields(tree, ("operation", "line", "source", "backward"), "place")
    return Place(
        _text(operation, NAME, "operation"),
        _count(line, "line"),
        _text(source, SOURCE, "source"),
        _is(backward, bool, "backward"),
    )


def _raised(tree):
    kind, text, line, source = fields(tree, ("type", "text", "line", "source"), "raised")
    return Raised(
        _text(kind, NAME, "type"),
        _text(text, TEXT, "text"),
        _count(line, "line"),
        _text(source, SOURCE, "source"),
    )


# ---------------------------------------------------------------- cells


def encode_outcome(outcome: Outcome):
    """Header and payload of an Outcome."""
    w, error = _Writer(), outcome.error
    png = [o.png and w.tensor(torch.frombuffer(bytearray(o.png), dtype=torch.uint8)) for o in outcome.outputs]
    tree = {
        "outputs": [{"kind": o.kind, "text": o.text, "png": p} for o, p in zip(outcome.outputs, png)],
        "dropped": outcome.dropped,
        "error": error and _where(error) | {"traceback": error.traceback[:TRACEBACK]},
    }
    return tree, w.payload()


def decode_outcome(tree: object, payload: bytes):
    """The Outcome of a header and a payload. Raises WireError where they are no Outcome."""
    r = _Reader(payload)
    outputs, dropped, error = fields(tree, ("outputs", "dropped", "error"), "cell")
    if len(_is(outputs, list, "outputs")) > OUTPUTS:
        raise WireError(f"{len(outputs)} outputs, at most {OUTPUTS} are taken")
    outputs = tuple(_output(r, o) for o in outputs)
    r.finished()
    return Outcome(None if error is None else _cell_error(error), outputs, _count(dropped, "dropped"))


def _output(reader, tree):
    kind, text, png = fields(tree, ("kind", "text", "png"), "output")
    if kind not in ("stdout", "stderr", "display", "result"):
        raise WireError(f"an output of the kind {str(kind)[:40]!r}")
    return Output(
        kind, _text(text, OUTPUT_TEXT, "output"), None if png is None else picture(reader.tensor(png))
    )


def _cell_error(tree):
    kind, text, line, source, trace = fields(tree, ("type", "text", "line", "source", "traceback"), "error")
    return CellError(
        _text(kind, NAME, "type"),
        _text(text, TEXT, "text"),
        _count(line, "line"),
        _text(source, SOURCE, "source"),
        _text(trace, TRACEBACK, "traceback"),
    )


def picture(tensor: torch.Tensor):
    """The bytes of a PNG; WireError unless it looks like one, of a size that a browser can show."""
    if tensor.dtype is not torch.uint8 or tensor.ndim != 1:
        raise WireError("a picture that is no string of bytes")
    data = tensor.numpy().tobytes()
    if not is_picture(data):
        raise WireError("a picture that is no PNG, or too large")
    return data


# ---------------------------------------------------------------- what a question may find instead of an answer


def encode_absent(absent: Absent):
    """Header and payload of an Absent; the payload is empty."""
    return {"type": absent.type and absent.type[:NAME]}, b""


def decode_absent(tree: object, payload: bytes):
    """The Absent of a header and a payload. Raises WireError where they are none."""
    (kind,) = fields(tree, ("type",), "absent")
    if payload:
        raise WireError("a payload where none belongs")
    return Absent(None if kind is None else _text(kind, NAME, "type"))
