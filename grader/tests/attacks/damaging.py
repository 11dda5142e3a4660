"""Files that are not what they should be, and notebooks that are not as they were released."""

import copy
import json
import os

from grader.tests.attacks import ALL, LESSON, RIGHT, WRONG, Attack

NOTEBOOK = f"{LESSON}.ipynb"
WORTH_NOTHING = {"lost": ALL}


def file(name, damage, **expected):
    """`damage(path, text)` changes what lies in the notebook's place; `text` is a notebook with all answers."""

    def submit(folder):
        path = folder / NOTEBOOK
        damage(path, path.read_text(encoding="utf-8"))

    return Attack(name, submit=submit, **expected)


def content(name, data, *notes):
    """Something else lies in the notebook's place: nothing can be earned, and the record says why."""
    return file(name, lambda path, text: path.write_bytes(data), notes=notes, **WORTH_NOTHING)


def changed(name, do, **expected):
    """`do(nb, cells by grade_id)` changes a notebook with all answers."""
    return Attack(
        name,
        change=lambda nb: do(nb, {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in nb["cells"]}),
        **expected,
    )


def _put(path, how):
    path.unlink()
    how(path)


def _folder(path):
    path.mkdir()
    (path / "inside.txt").write_text("kept")


def _merged(nb, cells):
    """Shift+M in Jupyter: one cell, with the mark of the first."""
    cells["bce"]["source"] = "".join(cells["bce"]["source"]) + "\n\n\n" + "".join(cells["bce_grad"]["source"])
    nb["cells"].remove(cells["bce_grad"])


def _split(nb, cells):
    """Ctrl+Shift+- in Jupyter, in the middle of an answer."""
    head, body = RIGHT.split("\n", 1)
    cells["bce"]["source"] = head
    _after(nb, cells["bce"], _code(body))


def _old(nb, cells):
    cells = [c for c in nb["cells"] if c["cell_type"] != "raw"]
    for c in cells:
        c.pop("id", None)
        if c["cell_type"] == "code":
            c.update(input=c.pop("source"), language="python", prompt_number=1)
            c.pop("execution_count", None)
    nb.clear()
    nb.update(
        nbformat=3, nbformat_minor=0, metadata={"name": "old"}, worksheets=[{"cells": cells, "metadata": {}}]
    )


def _after(nb, cell, *cells):
    at = nb["cells"].index(cell) + 1
    nb["cells"][at:at] = [copy.deepcopy(c) for c in cells]


def _code(source, **metadata):
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
        "id": "mine",
    }


def _duplicates(nb, cells):
    stub = cells["bce"] | {"source": "def bce(p, y, reduction='mean'):\n    raise SystemError"}
    _after(nb, cells["bernoulli_likelihood"], stub)


def _released_twice(nb, cells):
    from grader.course.build import loads, released

    stub = next(c for c in loads(released(LESSON)).cells if c.id == "bce")
    _after(nb, cells["bce"], dict(stub))


def _moved(nb, cells):
    for name in ("bce", "bce_grad"):
        nb["cells"].remove(cells[name])
        nb["cells"].append(cells[name])


def _fresh(nb, cells):
    nb["cells"].remove(cells["bce"])
    _after(nb, nb["cells"][5], _code(RIGHT))


def _unmarked(nb, cells):
    for c in nb["cells"]:
        c["metadata"] = {}
        c.pop("id", None)


def _big(nb, cells):
    nb["cells"][4]["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["x" * 99 + "\n"] * (1 << 18)}
    ]


def _nested(nb, cells):
    deep = value = {}
    for _ in range(300):
        value["metadata"] = value = {}
    nb["metadata"] = nb["cells"][3]["metadata"] = deep


def _deep_pictures(nb, cells):
    deep = value = {}
    for _ in range(300):
        value["image/png"] = value = {}
    cells["lower_loss_fewer_right"]["attachments"] = {
        "a.png": deep,
        "b.png": {"image/png": ["iVBO", 7]},
        "c.png": [],
        "d.png": {"image/png": "no picture"},
    }


def _odd_cells(nb, cells):
    nb["cells"][2:2] = [
        None,
        7,
        [],
        {},
        {"cell_type": "video"},
        {"cell_type": "code", "source": [1, 2]},
        {"cell_type": "code", "source": {}},
        {"cell_type": "markdown", "source": "fine", "metadata": 3, "attachments": 4, "id": 5},
    ]


def _beside(folder):
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "data").mkdir()
    (folder / "data" / "loop").symlink_to(folder)
    (folder / "evil.html").write_text("<script>window.pwned = 1</script>")
    (folder / "graded.json").write_text('{"verdicts": {}, "content": "OVER"}')
    (folder / "another.ipynb").write_text("no notebook")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"name-\xff-<img src=x>$\\href{x}$`[a](b)`\n")).symlink_to("/")


def _elsewhere(folder):
    """The whole folder of the submission is a link to somebody else's, with a notebook in it."""
    folder.rename(folder.parent.parent / "ann")
    folder.symlink_to(folder.parent.parent / "ann")


def _stamps(text):
    return lambda folder: (folder / "timestamp.txt").write_bytes(text)


MISSING = "No notebook was submitted."

ATTACKS = [
    # no notebook
    file("nothing at all", lambda path, text: path.unlink(), notes=(MISSING,), **WORTH_NOTHING),
    content("an empty file", b"", "is empty"),
    content("a file of blanks", b"  \n\t ", "is empty"),
    content("a text that is no JSON", b"def bce(p, y): return 0", "does not parse as JSON"),
    content(
        "a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "no valid UTF-8", "does not parse as JSON"
    ),
    file(
        "a truncated notebook",
        lambda path, text: path.write_text(text[: len(text) // 2]),
        notes=("does not parse as JSON",),
        **WORTH_NOTHING,
    ),
    content("JSON that is no notebook", b"[1, 2, 3]", "JSON, but not a notebook's"),
    content(
        "a notebook without cells",
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        "no list of cells",
    ),
    content("cells that are no list", b'{"nbformat": 4, "cells": {"a": 1}}', "no list of cells"),
    content("a list nested a million times", b"[" * 10**6, "nested too deep"),
    content(
        "a number of ten million digits", b'{"nbformat": ' + b"9" * 10**7 + b"}", "does not parse as JSON"
    ),
    content(
        "five million empty lists",
        b'{"nbformat": 4, "cells": [' + b"[]," * (5 << 20) + b"0]}",
        "millions of lists",
    ),
    content(
        "a string without end",
        b'{"nbformat": 4, "cells": ["' + rb"\"" * 10**6 + b"\\",
        "does not parse as JSON",
    ),
    file(
        "a folder in the notebook's place",
        lambda path, text: _put(path, _folder),
        notes=("folder",),
        **WORTH_NOTHING,
    ),
    file(
        "a link in the notebook's place",
        lambda path, text: _put(path, lambda p: p.symlink_to("/etc/passwd")),
        notes=("was a link",),
        hides=("root:",),
        **WORTH_NOTHING,
    ),
    file(
        "a link to itself",
        lambda path, text: _put(path, lambda p: p.symlink_to(p)),
        notes=("was a link",),
        **WORTH_NOTHING,
    ),
    file(
        "a pipe in the notebook's place",
        lambda path, text: _put(path, os.mkfifo),
        notes=("neither a file nor a folder",),
        **WORTH_NOTHING,
    ),
    file(
        "a number of 5000 digits",
        lambda path, text: path.write_text(text.replace('"nbformat": 4', '"nbformat": ' + "4" * 5000)),
        notes=("does not parse as JSON",),
        **WORTH_NOTHING,
    ),
    file(
        "a merge that was not finished",
        lambda path, text: path.write_text(text.replace('"cells": [', '<<<<<<< HEAD\n"cells": [', 1)),
        notes=("does not parse as JSON",),
        **WORTH_NOTHING,
    ),
    file(
        "its cells twice, the second time none",
        lambda path, text: path.write_text(text.rstrip()[:-1] + ', "cells": []}'),
        notes=("The notebook has no cells.",),
        **WORTH_NOTHING,
    ),
    # a notebook, somehow
    file(
        "invalid UTF-8 in an answer's comment",
        lambda path, text: path.write_bytes(text.encode().replace(b"mean", b"m\xff\xfean", 1)),
        notes=("no valid UTF-8",),
    ),
    file("a byte order mark", lambda path, text: path.write_bytes(b"\xef\xbb\xbf" + text.encode())),
    file(
        "halves of surrogate pairs",
        lambda path, text: path.write_text(
            text.replace(
                '"cells": [',
                '"cells": [{"cell_type": "markdown", "id": "\\ud800", "metadata": {}, '
                '"source": "half \\udfff of it"},',
                1,
            )
        ),
    ),
    file(
        "a key twice, and NaN",
        lambda path, text: path.write_text(
            text.replace('"cells": [', '"metadata": {"x": NaN}, "metadata": Infinity, "cells": [', 1)
        ),
    ),
    file(
        "UTF-16", lambda path, text: path.write_text(text, encoding="utf-16"), notes=("The file is UTF-16",)
    ),
    file(
        "line ends of Windows",
        lambda path, text: path.write_text(json.dumps(json.loads(text), indent=1), newline="\r\n"),
    ),
    changed(
        "line ends of Windows in every cell",
        lambda nb, cells: [c.update(source="".join(c["source"]).replace("\n", "\r\n")) for c in nb["cells"]],
    ),
    changed(
        "line ends of an old Macintosh in every cell",
        lambda nb, cells: [c.update(source="".join(c["source"]).replace("\n", "\r")) for c in nb["cells"]],
    ),
    file(
        "a format of infinity",
        lambda path, text: path.write_text(text.replace('"nbformat": 4', '"nbformat": 1e999')),
        notes=("claims the format inf",),
    ),
    changed(
        "metadata of wrong types",
        lambda nb, cells: (
            nb.update(metadata=[1]),
            cells["bce"]["metadata"].update(nbgrader={"grade_id": "bce", "points": "many", "locked": []}),
            cells["bce_grad"]["metadata"].update(nbgrader=["bce_grad"]),
            cells["test_bce"].update(metadata=["x"]),
        ),
    ),
    changed(
        "outputs of wrong types",
        lambda nb, cells: [
            c.update(outputs=7, execution_count="x") for c in nb["cells"] if c["cell_type"] == "code"
        ],
    ),
    changed("25 MB of output", _big),
    changed("metadata nested 300 deep", _nested),
    changed("attachments nested 300 deep, and none", _deep_pictures),
    changed("cells that are none among the others", _odd_cells, notes=("7 cells are damaged",)),
    changed("the format 3 of long ago", _old, notes=("old format 3; it was converted",)),
    changed(
        "a format from the future",
        lambda nb, cells: nb.update(nbformat=9, nbformat_minor=99),
        notes=("claims the format 9",),
    ),
    changed(
        "a format that is no number",
        lambda nb, cells: nb.update(nbformat="<img src=x>$\\href{x}{y}$"),
        notes=("claims the format",),
        hides=("<img", "\\href"),
    ),
    changed(
        "a format that is negative", lambda nb, cells: nb.update(nbformat=-1), notes=("format -1",), lost=ALL
    ),
    changed(
        "an unknown kernel and language",
        lambda nb, cells: nb["metadata"].update(
            kernelspec={"name": "fortran", "display_name": "x"}, language_info={"name": "fortran"}
        ),
        hides=("fortran",),
    ),
    changed("no metadata", lambda nb, cells: nb.pop("metadata")),
    # cells
    changed(
        "an answer twice, a wrong one first", _duplicates, notes=("There are 2 cells of `bce`; the last one",)
    ),
    changed(
        "an answer, and its empty cell behind it", _released_twice, notes=("There are 2 cells of `bce`",)
    ),
    changed(
        "every cell twice",
        lambda nb, cells: nb["cells"].extend(copy.deepcopy(nb["cells"])),
        notes=("There are 2 cells of `bce`",),
    ),
    changed(
        "an answer deleted",
        lambda nb, cells: nb["cells"].remove(cells["bce"]),
        lost=("bce",),
        notes=("The cell of `bce` is missing",),
    ),
    changed(
        "all answers deleted",
        lambda nb, cells: [nb["cells"].remove(cells[n]) for n in ALL],
        notes=("The cell of `bce` is missing",),
        **WORTH_NOTHING,
    ),
    changed("all checks deleted", lambda nb, cells: [nb["cells"].remove(cells[f"test_{n}"]) for n in ALL]),
    changed(
        "all ordinary cells deleted",
        lambda nb, cells: nb.update(cells=[c for c in nb["cells"] if "nbgrader" in c["metadata"]]),
    ),
    changed(
        "two answers merged into one cell",
        _merged,
        notes=("`bce_grad` is missing; it is defined in another cell",),
    ),
    changed("an answer split in two", _split, lost=("bce",)),
    changed(
        "a mark that is no cell's of this lesson",
        lambda nb, cells: cells["bce"]["metadata"]["nbgrader"].update(grade_id="softplus"),
    ),
    changed(
        "the same mark, and no id",
        lambda nb, cells: (
            cells["bce"]["metadata"]["nbgrader"].update(grade_id="BCE"),
            cells["bce"].pop("id"),
        ),
        notes=("The answer to `bce` was found",),
    ),
    changed("an answer below %%time", lambda nb, cells: cells["bce"].update(source="%%time\n" + RIGHT)),
    changed(
        "an answer in another language",
        lambda nb, cells: cells["bce"].update(source="%%bash\necho 3.0"),
        lost=("bce",),
    ),
    changed(
        "an answer whose name is written in wide letters",
        lambda nb, cells: cells["bce"].update(source=RIGHT.replace("def bce", "def ｂｃｅ")),
    ),
    changed(
        "an answer undone before its check",
        lambda nb, cells: _after(nb, cells["bce"], _code(WRONG["bce"])),
        lost=("bce",),
    ),
    changed(
        "an answer undone after its check",
        lambda nb, cells: _after(nb, cells["test_bce"], _code(WRONG["bce"])),
    ),
    changed(
        "an answer deleted before its check",
        lambda nb, cells: _after(nb, cells["bce"], _code("del bce")),
        lost=("bce",),
        says=("There is no `bce`",),
    ),
    changed("no cells", lambda nb, cells: nb.update(cells=[]), **WORTH_NOTHING),
    changed("all cells in reverse order", lambda nb, cells: nb["cells"].reverse()),
    changed("two answers at the end", _moved),
    changed(
        "an answer in a fresh cell", _fresh, notes=("The answer to `bce` was found in a cell of your own.",)
    ),
    changed("no cell has metadata or an id", _unmarked, notes=("The answer to `bce` was found",)),
    changed(
        "an answer as Markdown",
        lambda nb, cells: cells["bce"].update(cell_type="markdown"),
        notes=("had become a markdown cell",),
    ),
    changed(
        "an answer as raw text",
        lambda nb, cells: cells["bce"].update(cell_type="raw"),
        notes=("had become a raw cell",),
    ),
    changed(
        "the open answer as code",
        lambda nb, cells: cells["lower_loss_fewer_right"].update(cell_type="code", source="because = 1"),
        notes=("had become a code cell",),
    ),
    changed(
        "all imports as Markdown",
        lambda nb, cells: [
            c.update(cell_type="raw")
            for c in nb["cells"]
            if c["cell_type"] == "code" and "import torch" in c["source"]
        ],
    ),
    changed(
        "locked text edited",
        lambda nb, cells: cells["test_bce"].update(source="# looks right to me"),
        notes=("The graded cell `test_bce` was changed",),
    ),
    changed(
        "points, tags, names edited",
        lambda nb, cells: [
            c["metadata"].update(
                tags=["hide-input"], nbgrader={"grade_id": g, "points": 99, "schema_version": 1}
            )
            for g, c in cells.items()
            if g
        ],
    ),
    changed("two cells with one id", lambda nb, cells: [c.update(id="same") for c in nb["cells"]]),
    changed(
        "ids of other cells",
        lambda nb, cells: (cells["bce"].update(id="bce_grad"), cells["bce_grad"].update(id="bce")),
    ),
    changed(
        "an answer of a million characters",
        lambda nb, cells: cells["bce"].update(source=RIGHT + "\n" + "#" * 10**6),
        notes=("characters; the first 200000",),
    ),
    changed(
        "an answer with a zero byte",
        lambda nb, cells: cells["bce"].update(source=RIGHT + "\n\0"),
        lost=("bce",),
    ),
    changed(
        "an answer nested too deep to be parsed",
        lambda nb, cells: cells["bce"].update(source=WRONG["bce"] + "\nx = " + "-" * 50_000 + "1"),
        lost=("bce",),
    ),
    changed(
        "an answer that imports ten thousand times",
        lambda nb, cells: cells["bce"].update(
            source=WRONG["bce"] + "\nfrom torch.nn.functional import " + ", ".join(["nll_loss as n"] * 9000)
        ),
        lost=("bce",),
    ),
    changed(
        "five thousand cells",
        lambda nb, cells: nb["cells"].extend([_code("pass")] * 5000),
        notes=("cells; the first 2000 were read", "cells of your own: the first 300"),
    ),
    changed(
        "an attachment that is none",
        lambda nb, cells: cells["lower_loss_fewer_right"].update(
            source="![](attachment:gone.png) ![](attachment:a.svg)",
            attachments={"a.svg": {"image/svg+xml": "<svg onload='x'>"}, "b": 3},
        ),
        hides=("onload",),
    ),
    # beside it
    Attack(
        "links, pipes, pages and odd names beside it",
        submit=_beside,
        notes=("`secret` was a link", "`data/loop` was a link", "`pipe` was neither"),
        hides=("root:", "<img", "\\href"),
    ),
    Attack(
        "a link to somebody else's folder in the folder's place",
        submit=_elsewhere,
        notes=("`submission` was a link", MISSING),
        **WORTH_NOTHING,
    ),
    Attack(
        "a time that is none", submit=_stamps(b"yesterday \xff"), notes=("`timestamp.txt` holds no time",)
    ),
    Attack(
        "a time of a megabyte",
        submit=_stamps(b"2026-01-01 " * 10**5),
        notes=("`timestamp.txt` holds no time",),
    ),
    Attack(
        "a folder in the time's place",
        submit=lambda folder: (folder / "timestamp.txt").mkdir(),
        notes=("`timestamp.txt` holds no time",),
    ),
    Attack("a right one", says=()),
]
