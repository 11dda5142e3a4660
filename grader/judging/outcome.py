"""What comes back from a child besides a Result: plain, frozen, the same file on both sides of the wall."""

from dataclasses import dataclass

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
