"""What nbgrader says while it works: the records of its logger, each with the exception that was being
handled. No text is taken apart."""

import contextlib
import logging
import sys
from collections.abc import Iterator


class Heard(logging.Handler):
    """Keeps nbgrader's warnings and errors, in their order."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warnings: list[str] = []
        self.not_collected = 0  # submissions that stay in the exchange
        self._errors: list[str] = []
        self._exception: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.not_collected += getattr(record, "not_collected", False)
        if record.levelno < logging.ERROR:
            self.warnings.append(" ".join(record.getMessage().split()))
            return
        handled = sys.exc_info()[1]  # nbgrader logs within its `except`, and goes on with the next submission
        if handled is not None:
            self._exception = handled
        else:
            self._errors.append(record.getMessage())

    def reason(self, result: dict) -> str:
        """Why a step failed, as one line: what was raised, else what was logged as an error, else what `result` says.

        result: of a method of nbgrader's API.
        """
        said = [str(self._exception or ""), *reversed(self._errors), result.get("error") or ""]
        lines = [line.strip() for text in said for line in text.splitlines()[-1:] if line.strip()]
        if self._exception is not None and lines:
            lines[0] = str(self._exception).strip().splitlines()[0] or type(self._exception).__name__
        if lines:
            return lines[0][:300].rstrip(".")
        return "nbgrader gave no reason"


@contextlib.contextmanager
def heard(api) -> Iterator[Heard]:
    """What one of nbgrader's objects logs in this block."""
    handler = Heard()
    api.log.addHandler(handler)
    try:
        yield handler
    finally:
        api.log.removeHandler(handler)
