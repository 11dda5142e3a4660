"""The wire: whatever may be said arrives as it was, and whatever deviates is refused, in time and without harm."""

import json
import math
import socket
import threading
import time

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.judging import wire
from grader.judging.outcome import Absent, CellError, Outcome, Output
from grader.judging.question import Array, Call, Foreign, Mixing, Once, Raised, Result, Smooth, call, run
from grader.judging.watch import Made, Met, Place

FAST = settings(max_examples=60, deadline=None)
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\x00IDAT\x00\x00\x00\x00"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)

dtypes = st.sampled_from(sorted(wire.DTYPES | wire.COMPLEX, key=str))
tensors = st.builds(
    lambda shape, dtype, seed: (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2).to(
        dtype
    ),
    st.lists(st.integers(0, 4), max_size=4),
    dtypes,
    st.integers(0, 2**32),
)
floats = st.floats(width=64)
ints = st.integers(-(2**63) + 1, 2**63 - 1)
names = st.text("abcdefgh_", min_size=1, max_size=12)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"]) | st.sampled_from("\n\t"), max_size=80)
values = st.recursive(
    st.none() | st.booleans() | ints | floats | tensors | tensors.map(Array) | names.map(Foreign),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=8,
)
arguments = (
    st.none()
    | st.booleans()
    | ints
    | floats
    | tensors
    | st.text(max_size=20)
    | st.builds(lambda n: Smooth(torch.rand(n), torch.rand(n), torch.rand(n)), st.integers(1, 4))
    | st.lists(tensors, max_size=3).map(lambda found: Once(tuple(found)))
    | st.builds(lambda n, d: Mixing(torch.rand(n, n), torch.rand(d)), st.integers(1, 4), st.integers(1, 3))
)
counts = st.integers(0, 10_000)
pairs = st.tuples(counts, counts)
places = st.builds(Place, names, counts, texts, st.booleans())
results = st.builds(
    Result,
    values,
    st.dictionaries(names, st.none() | tensors, max_size=3),
    st.none() | st.builds(Raised, names, texts, st.integers(0, 10_000), texts),
    st.lists(names, max_size=3).map(tuple),
    st.frozensets(names, max_size=5),
    texts,
    made=st.none() | st.builds(Made, st.lists(counts, max_size=4).map(tuple), counts, counts, places),
    met=st.none() | st.builds(Met, pairs, pairs, counts, places),
)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda x: (
        st.lists(x, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "tensor",
                    "array",
                    "complex",
                    "smooth",
                    "mixing",
                    "once",
                    "made",
                    "place",
                    "foreign",
                    "float",
                    "value",
                    "type",
                    "outputs",
                ]
            ),
            x,
            max_size=3,
        )
    ),
    max_leaves=20,
)


def same(a, b):
    """Equal in every bit that counts: types, shapes, dtypes, nan to nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return (
            a.shape == b.shape
            and a.dtype == b.dtype
            and torch.allclose(a.to(torch.complex128), b.to(torch.complex128), equal_nan=True)
        )
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or a != a and b != b
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if hasattr(a, "__dataclass_fields__"):
        return same(vars(a), vars(b))
    return a == b


def through(encode, decode, value):
    """The value after a journey over a real socket."""
    a, b = socket.socketpair()
    with a, b:
        tree, payload = encode(value)
        sender = threading.Thread(target=wire.send, args=(a, {"tree": tree}, payload, time.monotonic() + 5))
        sender.start()
        header, payload = wire.receive(b, time.monotonic() + 5)
        sender.join()
        return decode(header["tree"], payload)


@FAST
@given(results)
def test_results_arrive_as_they_were(result):
    assert same(through(wire.encode_result, wire.decode_result, result), result)


@FAST
@given(
    st.lists(arguments, max_size=4).map(tuple),
    st.dictionaries(names, arguments, max_size=3),
    st.dictionaries(names, arguments, max_size=2),
)
def test_questions_arrive_as_they_were(args, kwargs, init):
    question = Call(args, kwargs, init)
    assert same(through(wire.encode_call, wire.decode_call, question), question)


def test_cells_and_absences_arrive_as_they_were():
    outcome = Outcome(
        CellError("ValueError", "no", 3, "f(1)", "Traceback\n…"),
        (Output("stdout", "1\n"), Output("display", "a figure", PNG)),
        2,
    )
    assert through(wire.encode_outcome, wire.decode_outcome, outcome) == outcome
    assert through(wire.encode_outcome, wire.decode_outcome, Outcome()) == Outcome()
    assert [through(wire.encode_absent, wire.decode_absent, a) for a in (Absent(), Absent("int"))] == [
        Absent(),
        Absent("int"),
    ]


def test_an_answer_run_here_and_one_sent_give_the_same():
    question = call(torch.rand(5, dtype=torch.float64), reduction="mean")
    result = run(lambda p, reduction: (p.log().mean(), [1, 2.5, None]), question, ["p"], ["p"])
    assert same(through(wire.encode_result, wire.decode_result, result), result)


@pytest.mark.parametrize("value", [10**400, torch.zeros(2).to(torch.float8_e5m2)])
def test_what_does_not_travel_arrives_as_foreign(value):
    assert isinstance(through(wire.encode_result, wire.decode_result, Result(value)).value, Foreign)


def test_text_arrives_without_what_is_no_text():
    printed = "a\x00b\x1b[31mred\x1b[0m\u202eevil\ud800\nc\td"
    assert (
        through(wire.encode_result, wire.decode_result, Result(printed=printed)).printed == "abredevil\nc\td"
    )


@pytest.mark.parametrize(
    "value",
    [
        tuple(range(60_000)),
        torch.zeros(5_000_000, dtype=torch.float64),
        tuple(torch.zeros(4097)),
        torch.zeros([1] * 20),
    ],
)
def test_a_result_that_is_too_large_is_not_sent(value):
    with pytest.raises(wire.TooLarge):
        wire.encode_result(Result(value))


# ---------------------------------------------------------------- what deviates


def result_tree(**changes):
    return {
        "value": None,
        "gradients": {},
        "raised": None,
        "changed": [],
        "called": [],
        "printed": "",
        "made": None,
        "met": None,
    } | changes


def payload(**tensors):
    return safetensors.torch.save(tensors)


ONE = payload(t0=torch.ones(2))
TWO_HEADERS = b'{"t0":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"t0":{"dtype":"U8","shape":[8],"data_offsets":[8,16]}}'
TWICE = len(TWO_HEADERS).to_bytes(8, "little") + TWO_HEADERS + bytes(16)
PLACE = {"operation": "mul", "line": 3, "source": "p * q", "backward": False}
MADE = {"shape": [9, 9], "entries": 81, "limit": 9, "place": PLACE}
MET = {"parts": [0, 1], "entries": [9, 9], "limit": 3, "place": PLACE}
BAD_RESULTS = {
    "not an object": ([], b""),
    "a key missing": ({"value": None}, b""),
    "a key too many": (result_tree(extra=1), b""),
    "text as a value": (result_tree(value="text"), b""),
    "smooth as a value": (result_tree(value={"smooth": [{"tensor": "t0"}] * 3}), ONE),
    "unknown tag": (result_tree(value={"pickle": "gASV"}), b""),
    "two tags": (result_tree(value={"tensor": "t0", "array": None}), ONE),
    "a tensor that is not there": (result_tree(value={"tensor": "t1"}), ONE),
    "a tensor used twice": (result_tree(value=[{"tensor": "t0"}, {"tensor": "t0"}]), ONE),
    "a tensor that belongs to nothing": (result_tree(), ONE),
    "a tensor's name that is none": (result_tree(value={"tensor": ["t0"]}), ONE),
    "an array of no tensor": (result_tree(value={"array": 1}), b""),
    "an int of 65 bits": (result_tree(value=2**64), b""),
    "an infinite float by another name": (result_tree(value={"float": "1e999"}), b""),
    "nested too deep": (result_tree(value=[[[[[[[[1]]]]]]]]), b""),
    "too many values": (result_tree(value=[1] * 60_000), b""),
    "a gradient that is a number": (result_tree(gradients={"p": 1}), b""),
    "a gradient's name too long": (result_tree(gradients={"p" * 500: None}), b""),
    "names that are numbers": (result_tree(called=[1]), b""),
    "too many names": (result_tree(called=["a"] * 2000), b""),
    "text too long": (result_tree(printed="a" * 20_000), b""),
    "a line that is true": (result_tree(raised={"type": "A", "text": "", "line": True, "source": ""}), b""),
    "a line below zero": (result_tree(raised={"type": "A", "text": "", "line": -1, "source": ""}), b""),
    "no safetensors": (result_tree(), b"gASVpickle"),
    "more bytes behind": (result_tree(value={"tensor": "t0"}), ONE + b"x"),
    "bytes missing": (result_tree(value={"tensor": "t0"}), ONE[:-1]),
    "a header that claims 2 GB": (result_tree(), (2 << 30).to_bytes(8, "little") + b"{}"),
    "a tensor that claims more than is there": (
        result_tree(value={"tensor": "t0"}),
        ONE.replace(b"[2]", b"[9]"),
    ),
    "a shape that overflows": (
        result_tree(value={"tensor": "t0"}),
        ONE.replace(b'"shape":[2]', b'"shape":[4611686018427387904,8]'),
    ),
    "a dtype that does not travel": (
        result_tree(value={"tensor": "t0"}),
        payload(t0=torch.zeros(2).to(torch.float8_e5m2)),
    ),
    "a bool that is 7": (
        result_tree(value={"tensor": "t0"}),
        payload(t0=torch.ones(8, dtype=torch.bool)).replace(b"\x01" * 8, b"\x07" * 8),
    ),
    "a tensor twice in the payload": (result_tree(value={"tensor": "t0"}), TWICE),
    "parts that met, and are a number": (result_tree(met=MET | {"parts": 2}), b""),
    "three parts that met": (result_tree(met=MET | {"parts": [0, 1, 2]}), b""),
    "entries that are true": (result_tree(met=MET | {"entries": [True, 9]}), b""),
    "a shape of many sizes": (result_tree(made=MADE | {"shape": [1] * 99}), b""),
    "a place that is a text": (result_tree(made=MADE | {"place": "line 3"}), b""),
    "a complex number of three parts": (result_tree(value={"complex": "t0"}), payload(t0=torch.ones(3))),
}


def test_what_the_bad_ones_are_made_of_is_good():
    result = wire.decode_result(result_tree(value={"tensor": "t0"}, made=MADE, met=MET), ONE)
    assert result.value.tolist() == [1, 1] and result.made.entries == 81 and result.met.parts == (0, 1)


@pytest.mark.parametrize("tree, data", BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_results_that_deviate_are_refused(tree, data):
    with pytest.raises(wire.WireError):
        wire.decode_result(tree, data)


BAD_PICTURES = {
    "svg": b"<svg onload=alert(1)>" + bytes(60),
    "cut off": PNG[:-3] + bytes(3),
    "huge": PNG.replace(b"\x00\x00\x00\x01\x00\x00", b"\x7f\xff\xff\xff\x00\x00", 1),
    "of no size": PNG.replace(b"\x00\x00\x00\x01\x00", b"\x00\x00\x00\x00\x00", 1),
    "short": b"\x89PNG",
}


@pytest.mark.parametrize("data", BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_pictures_that_are_none_are_refused(data):
    tree, tensors = wire.encode_outcome(Outcome(None, (Output("display", "", data),)))
    with pytest.raises(wire.WireError):
        wire.decode_outcome(tree, tensors)


@FAST
@given(junk, st.binary(max_size=64))
def test_junk_is_refused_or_understood(tree, data):
    for decode in (wire.decode_result, wire.decode_call, wire.decode_outcome, wire.decode_absent):
        try:
            decode(tree, data)
        except wire.WireError:
            pass


def places(tree, before=()):
    """The ways to every value in a tree."""
    yield before
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from places(value, (*before, key))


@settings(FAST, max_examples=150)
@given(st.data(), junk)
def test_junk_anywhere_in_a_good_reply_is_refused_or_understood(data, value):
    """A tree that is junk as a whole is refused at its first key: here all else is as it should be."""
    error = {"type": "ValueError", "text": "no", "line": 3, "source": "raise"}
    good = result_tree(
        value=[{"tensor": "t0"}, {"float": "nan"}, {"foreign": "x"}],
        gradients={"p": None},
        raised=error,
        changed=["p"],
        called=["mean"],
        made=MADE,
        met=MET,
    )
    tree = json.loads(json.dumps(good))
    *way, last = data.draw(st.sampled_from([place for place in places(tree) if place]))
    at = tree
    for key in way:
        at = at[key]
    at[last] = value
    try:
        wire.decode_result(tree, ONE)
    except wire.WireError:
        pass


@FAST
@given(results, st.data())
def test_no_damage_to_a_payload_does_harm(result, data):
    tree, good = wire.encode_result(result)
    if good:
        at = data.draw(st.integers(0, len(good) - 1))
        bad = good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :]
        try:
            wire.decode_result(tree, bad)
        except wire.WireError:
            pass


def answer(said, seconds=1.0, close=True):
    """What `receive` makes of bytes."""
    a, b = socket.socketpair()
    with a, b:
        sender = threading.Thread(target=_say, args=(a, said, close))
        sender.start()
        try:
            return wire.receive(b, time.monotonic() + seconds)
        finally:
            b.close()
            sender.join()


def _say(sock, said, close):
    try:
        sock.sendall(said)
        if close:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def frame(text, data=b""):
    return wire.PREFIX.pack(wire.MAGIC, len(text), len(data)) + text + data


BAD_FRAMES = {
    "nothing": b"",
    "half a prefix": b"GRD1\x00",
    "another magic": b"HTTP" + bytes(12),
    "a header missing": frame(b'{"a": 1}')[:-2],
    "a payload missing": frame(b"{}", b"abc")[:-1],
    "not JSON": frame(b"{'a': 1}"),
    "not an object": frame(b"[1]"),
    "nan": frame(b'{"a": NaN}'),
    "infinity": frame(b'{"a": -Infinity}'),
    "infinity in figures": frame(b'{"a": 1e999}'),
    "a key twice": frame(b'{"a": 1, "a": 2}'),
    "a nesting bomb": frame(b"[" * 1_000_000),
    "a nesting bomb of objects": frame(b'{"a":' * 200_000),
    "not UTF-8": frame(b'{"a": "\xff"}'),
    "a number too long": frame(b'{"a": ' + b"9" * 100_000 + b"}"),
    "a header that claims 4 GB": wire.PREFIX.pack(wire.MAGIC, 0xFFFFFFFF, 0),
    "a payload that claims 16 EB": wire.PREFIX.pack(wire.MAGIC, 2, 2**64 - 1),
}


@pytest.mark.parametrize("said", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_frames_that_deviate_are_refused(said):
    with pytest.raises(wire.WireError):
        answer(said)


@FAST
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_frame(said):
    for text in (said, frame(said), frame(b"{}", said)):
        try:
            header, data = answer(text)
        except wire.WireError:
            continue
        assert isinstance(header, dict) and isinstance(data, bytes)


def test_one_deadline_holds_for_a_peer_that_drips():
    a, b = socket.socketpair()

    def drip():
        for byte in frame(json.dumps({"a": "x" * 1000}).encode()):
            try:
                a.send(bytes([byte]))
            except OSError:
                return
            time.sleep(0.02)

    with a, b:
        dripper = threading.Thread(target=drip)
        dripper.start()
        started = time.monotonic()
        with pytest.raises(wire.Late):
            wire.receive(b, started + 0.3)
        took = time.monotonic() - started
        b.close()
        dripper.join()
    assert took < 1.5


def test_one_deadline_holds_for_a_peer_that_does_not_listen():
    a, b = socket.socketpair()
    with a, b:
        started = time.monotonic()
        with pytest.raises(wire.Late):
            wire.send(a, {}, bytes(30 << 20), started + 0.3)
        assert time.monotonic() - started < 1.5


def test_a_peer_that_speaks_before_it_is_asked_is_noticed():
    a, b = socket.socketpair()
    with a, b:
        wire.silent(b)
        wire.send(a, {})
        with pytest.raises(wire.WireError, match="before it was asked"):
            wire.silent(b)
    with pytest.raises(wire.Closed):
        wire.silent(b)


def test_another_process_is_asked_over_the_same_wire_without_a_jail():
    import multiprocessing

    a, b = socket.socketpair()
    with a, b:
        child = multiprocessing.get_context("spawn").Process(target=_serve_once, args=(b,))
        child.start()
        tree, data = wire.encode_call(call(torch.tensor([1.0, 2.0])))
        wire.send(a, tree, data, time.monotonic() + 60)
        assert wire.decode_result(*wire.receive(a, time.monotonic() + 60)).value.item() == 3
        child.join()


def _serve_once(sock):
    wire.send(sock, *wire.encode_result(run(lambda z: z.sum(), wire.decode_call(*wire.receive(sock)))))
