"""The pictures of an answer, as an editor leaves them: attached to a cell, or written into its text as a data
URI (as Colab does). Pure.

Only rasters that every browser shows and that cannot act are kept: PNG, JPEG, GIF, WebP, known by their
bytes, not by their names. Nothing is decoded here: width and height are read where the format has them.
"""

import base64
import re
import struct
from collections.abc import Callable, Mapping

LARGEST = 8 << 20  # bytes of a picture: a phone's photograph has 3 to 6 MB
TOGETHER = 24 << 20  # bytes of all pictures of a cell
PIXELS, SIDE = 50_000_000, 20_000  # width times height, and the longer of the two: what a browser can show
MOST = 20  # pictures of a cell
SEGMENTS = 200  # of a JPEG that are looked through for its size
KEPT = f"PNG, JPEG, GIF and WebP; at most {MOST} in a cell, of {LARGEST >> 20} MB each and {TOGETHER >> 20} MB together"
PLACE = re.compile(r"!\[[^\[\]\n]{0,300}\]\(attachment:(?P<name>[\w.-]{1,80})\)")
DATA_URI = re.compile(
    r"data:image/[a-z0-9.+-]{1,30}(?:;[a-z0-9=.+-]{1,40}){0,3};base64,(?P<data>[a-z0-9+/=]+)", re.I
)


def attached(bundle: object) -> str | None:
    """The base64 text of an attached picture, as notebooks hold it; None where there is none.

    >>> attached({"image/jpeg": ["/9j/", "4AAQ"]})
    '/9j/4AAQ'
    """
    if not isinstance(bundle, Mapping):
        return None
    for kind, data in bundle.items():
        if isinstance(data, list) and all(isinstance(line, str) for line in data):
            data = "".join(data)
        if isinstance(kind, str) and kind.startswith("image/") and isinstance(data, str):
            if kind != "image/svg+xml":
                return data
    return None


def lifted(markdown: str, taken: Mapping[str, object]) -> tuple[str, dict[str, str]]:
    """(text, pictures): a text whose pictures stand in it as data URIs, with a name in the place of each;
    their base64 by these names.

    taken: names that are not free.

    >>> lifted("![](data:image/png;base64,iVBORw0=) seen", {})
    ('![](attachment:in-the-text-1) seen', {'in-the-text-1': 'iVBORw0='})
    """
    pictures: dict[str, str] = {}

    def name_for(match: re.Match) -> str:
        number = len(pictures) + 1
        name = f"in-the-text-{number}"
        while name in taken:
            name = f"in-the-{name}"
        pictures[name] = match["data"]
        return f"attachment:{name}"

    return DATA_URI.sub(name_for, markdown), pictures


def decoded(data: str | None) -> bytes | None:
    """The bytes of a picture that may be kept, from its base64; None where it is none, or too large."""
    if not isinstance(data, str) or len(data) > 2 * LARGEST:
        return None
    try:
        picture = base64.b64decode(re.sub(r"\s", "", data), validate=True)
    except ValueError:
        return None
    return picture if mime(picture) else None


def mime(picture: bytes) -> str:
    """The type of a picture that may be kept, as its first bytes have it; "" for everything else.

    >>> mime(b"GIF89a" + bytes([40, 0, 30, 0]) + bytes(20))
    'image/gif'
    >>> mime(b"<svg onload='x'>")
    ''
    """
    if len(picture) > LARGEST:
        return ""
    for kind, size in FORMATS.items():
        try:
            width, height = size(picture) or (0, 0)
        except (struct.error, IndexError):  # it ends before it says how large it is
            continue
        if 0 < width * height <= PIXELS and max(width, height) <= SIDE:
            return kind
    return ""


def numbered(cell: Mapping) -> tuple[str, list[str]]:
    """(text, pictures) of a rebuilt cell, for a page that shows its text as it was typed, and the pictures below: each is what an `img`
    shows, and "[picture 1]" stands where the first one was placed.

    >>> cell = {"source": "See ![mine](attachment:a.gif)!", "attachments": {"a.gif": {"image/gif": "R0lGODlh"}}}
    >>> numbered(cell)
    ('See [picture 1]!', ['data:image/gif;base64,R0lGODlh'])
    """
    attachments = cell.get("attachments", {})
    placed = [name for name in PLACE.findall(cell["source"]) if name in attachments]
    order = list(dict.fromkeys([*placed, *attachments]))

    def number_of(match: re.Match) -> str:
        if match["name"] not in attachments:
            return match[0]
        return f"[picture {order.index(match['name']) + 1}]"

    shown = [
        f"data:{kind};base64,{data}"
        for name in order
        for kind, data in attachments[name].items()
        if kind in FORMATS
    ]
    return PLACE.sub(number_of, cell["source"]), shown


# ---------------------------------------------------------------- width and height, by format; None for another format


def _png(data):
    if not data.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"):
        return None
    return struct.unpack_from(">II", data, 16)


def _jpeg(data):
    """Segments follow each other, each with its length, until the one that begins a frame (SOF) and holds the size."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    for _ in range(SEGMENTS):
        mark, kind, length = struct.unpack_from(">BBH", data, at)
        if mark != 0xFF:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


def _gif(data):
    return struct.unpack_from("<HH", data, 6) if data.startswith((b"GIF87a", b"GIF89a")) else None


def _webp(data):
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if data[12:16] == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


FORMATS: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
