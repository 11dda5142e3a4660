"""A notebook's cell as Python: without what only IPython knows. Pure."""

import re

from grader.judging.outcome import NO_SHELL

IPYTHONS = re.compile(r"^\s*[%!?]|\?\s*$|=\s*[%!]", re.M)  # what a cell may hold and Python does not know
RUN_THEIR_CELL = ("time", "capture", "prun")  # `%%time`: the cell below it runs as it would without


def plain_python(source: str) -> str:
    """A cell's text without magics and `torch.log?`; what starts another program raises what it raises in
    class. Lines stay where they are.

    >>> plain_python("%%time\\nx = 1")
    '# %%time\\nx = 1'
    """
    if not IPYTHONS.search(source):
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    magic = re.match(r"\s*%%(\w+).*", source)
    if magic:
        if magic[1] not in RUN_THEIR_CELL:
            return ""
        source = f"# {source.lstrip()}"
    lines = TransformerManager().transform_cell(source).split("\n")
    if not source.endswith("\n") and lines[-1] == "":
        lines.pop()
    return "\n".join(_without_ipython(line) for line in lines)


def _without_ipython(line):
    """A line as it is, or what stands for it where it calls IPython."""
    calls = re.match(r"(\s*)(?:[^#'\"]*=\s*)?get_ipython\(\)\.(\w+)(?:\('(\w+)')?", line)
    if calls is None:
        return line
    starts_a_program = calls[2] in ("system", "getoutput") or calls[3] in ("pip", "conda", "sx", "system")
    if starts_a_program:
        return f"{calls[1]}raise RuntimeError({NO_SHELL!r})"
    return f"{calls[1]}pass"
