"""What comes back from a child besides a Result, and what of it may be shown: plain, frozen, the same file on both sides of the wall.

It needs no torch: whoever shows outputs does without it.
"""

import re
import struct
import unicodedata
from dataclasses import dataclass

PASSED, FAILED, ERROR, MISSING = "passed", "not yet", "error", "not attempted"  # how an exercise stands
NO_SHELL = (
    "Shell commands (`!…`, `%pip`, `%%bash`) do not run where submissions are graded. Write it in "
    "Python, or leave the cell out."
)
# errors that a notebook meets where it is graded, and perhaps not at home -> why
ELSEWHERE = {
    "ModuleNotFoundError": ". In class only the course's own packages are there, and no files from beside the notebook.",
    "FileNotFoundError": ". In class the notebook is alone: no files from beside it are there.",
    "StdinNotImplementedError": ". In class nobody is there to answer `input()`.",
    "EOFError": ". In class nobody is there to answer `input()`.",
}

NOT_TEXT = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

PNG_BYTES, PNG_PIXELS = 4 << 20, 20_000_000
# Marks that are set over or under the letter before them; so many on one letter paint over the lines around it.
MARKS = "".join(c for c in map(chr, range(0x20000)) if unicodedata.category(c) in ("Mn", "Me"))
STACKED = re.compile(f"([{MARKS}]{{3}})[{MARKS}]+")


@dataclass(frozen=True)
class Output:
    """One output of a cell. kind: stdout, stderr, display (a figure, a displayed object) or result (a cell's
    last expression)."""

    kind: str
    text: str
    png: bytes | None = None


@dataclass(frozen=True)
class CellError:
    """The exception that ended a cell, with the learner's own line (0 when there is none) and the whole
    traceback as plain text."""

    type: str
    text: str
    line: int = 0
    source: str = ""
    traceback: str = ""

    @property
    def one_line(self):
        """Where, what, and the first line of the text: "line 3: ValueError: too many values to unpack"."""
        where = ""
        if self.line:
            where = f"line {self.line}: "
        return f"{where}{self.type}" + (f": {self.text.splitlines()[0]}" if self.text else "")


@dataclass(frozen=True)
class Outcome:
    """What running a cell gave. `dropped`: how many outputs were over the caps and are not here."""

    error: CellError | None = None
    outputs: tuple = ()
    dropped: int = 0

    @property
    def ok(self):
        """Did the cell run to its end?"""
        return self.error is None


@dataclass(frozen=True)
class Absent:
    """The answer to a question about a name that is not bound (`type` is None), or bound to something that
    cannot be called."""

    type: str | None = None


# ---------------------------------------------------------------- what may be shown


def clean(text: str):
    """`text` without control characters (but for newline and tab), escape sequences and other things that are no text."""
    return unstacked(NOT_TEXT.sub("", text))


def unstacked(text: str) -> str:
    """Text with three marks on a letter at the most: no language needs more, and a hundred cover what stands above.

    >>> len(unstacked("e" + 100 * chr(0x301)))
    4
    """
    if text.isascii():
        return text
    return STACKED.sub(r"\1", text)


def is_picture(data: bytes):
    """Is this a PNG from its first byte to its last, of a size that a browser can show?"""
    if (
        not 57 <= len(data) <= PNG_BYTES
        or not data.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
        or not data.endswith(b"\x00\x00\x00\x00IEND\xaeB`\x82")
    ):
        return False
    width, height = struct.unpack(">II", data[16:24])
    return 0 < width * height <= PNG_PIXELS and max(width, height) <= 20_000
