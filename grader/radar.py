"""The loss radar: every cell of the course under other releases of torch, and what comes out differently.

`./course radar 2.6.0 2.9.1 2.14.1` runs the instructor's notebooks under each release and writes `notebooks/radar.md`;
`./course radar --here` runs them with what is installed, and prints what differs from the stored outputs.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from grader.course.build import instructors, loads
from grader.course.files import write_whole
from grader.course.lessons import RELEASES, ROOT, lessons
from grader.course.pins import pins

CACHE = ROOT / ".cache" / "torch"
PAGE = RELEASES / "radar.md"
NOTES = RELEASES / "radar_notes.md"
PITFALLS = ROOT / "grader" / "exercises" / "pitfalls.md"
# what no release of torch decides: addresses of objects, paths, and line numbers of torch's own sources
NOISE = re.compile(r"0x[0-9a-f]+|(?:/[\w.@+-]+)+\.(?:py|cpp|h):\d+|\(Triggered internally at [^)]*\)")


class RadarError(RuntimeError):
    """A release cannot be tried; says why, and what to do."""


@dataclass(frozen=True)
class Change:
    """A cell that shows something else. `stored` and `seen`: the lines in which they differ."""

    lesson: str
    cell: str
    code: str
    stored: tuple[str, ...]
    seen: tuple[str, ...]


def packages(version: str) -> Path:
    """A folder with this release of torch and what it needs, downloaded once. Raises RadarError where there is none."""
    folder = CACHE / version
    done = folder / ".done"
    if not done.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        command = [*pip, "--target", str(folder), f"torch=={version}"]
        run = subprocess.run(command, text=True, capture_output=True)
        if run.returncode:
            last = (run.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise RadarError(f"torch {version} could not be installed: {last}")
        done.touch()
    return folder


def lines(outputs: Iterable) -> tuple[str, ...]:
    """What a cell shows, as lines of text: streams, results, the text of figures, the name and message of an error."""
    shown = []
    for output in outputs:
        if output.output_type == "stream":
            shown.append(output.text)
        elif output.output_type == "error":
            shown.append(f"{output.ename}: {output.evalue}")
        else:
            shown.append(output.data.get("text/plain", ""))
    text = NOISE.sub("…", "\n".join(shown))
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())


@contextmanager
def kernel(first_on_path: Path | None = None) -> Iterator[KernelManager]:
    """A kernel that may run one lesson after another. first_on_path: where torch is imported from."""
    paths = [str(path) for path in (first_on_path, ROOT) if path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment, cwd=str(ROOT), extra_arguments=["--log-level=ERROR"])
    try:
        yield manager
    finally:
        manager.shutdown_kernel(now=True)


def executed(lesson: str, manager: KernelManager, packages_in: Path | None = None) -> nbformat.NotebookNode:
    """A lesson's notebook, run anew to its end whatever its cells raise.

    Raises RadarError where torch does not come from the folder `packages_in`: Python passes over a folder
    that is not there, and the release that is installed would be taken for another.
    """
    notebook = loads(instructors(lesson))
    # what the lesson before it left behind goes, and torch says where it is from
    first = nbformat.v4.new_code_cell("%reset -f\nimport torch\nprint(torch.__file__)\ndel torch")
    notebook.cells.insert(0, first)
    client = NotebookClient(
        notebook,
        km=manager,
        allow_errors=True,
        timeout=300,
        coalesce_streams=True,
        resources={"metadata": {"path": str(ROOT)}},
    )
    done = client.execute()
    origin = "".join(output.get("text", "") for output in done.cells.pop(0).outputs).strip()
    if packages_in and not Path(origin).is_relative_to(packages_in):
        raise RadarError(
            f"{lesson} ran with torch from {origin or 'nowhere'}, not from {packages_in}. Run it again."
        )
    return done


def changes(
    lesson: str, first_on_path: Path | None = None, warm: KernelManager | None = None
) -> list[Change]:
    """What a lesson shows differently from its stored outputs, cell by cell.

    warm: a kernel that has run other lessons, which saves the imports. What differs in it is run again in a
    fresh one, for a warning that PyTorch gives only once may have been given already.
    """
    if warm is None:
        with kernel(first_on_path) as fresh:
            return differing(lesson, fresh, first_on_path)
    return differing(lesson, warm, first_on_path) and changes(lesson, first_on_path)


def differing(lesson: str, manager: KernelManager, packages_in: Path | None = None) -> list[Change]:
    """What a lesson, run in this kernel, shows differently from its stored outputs."""
    stored = loads(instructors(lesson))
    seen = executed(lesson, manager, packages_in)
    rows = []
    for before, after in zip(stored.cells, seen.cells, strict=True):
        if before.cell_type != "code":
            continue
        old, new = lines(before.outputs), lines(after.outputs)
        if old != new:
            gone = tuple(line for line in old if line not in new)
            come = tuple(line for line in new if line not in old)
            rows.append(Change(lesson, before.id, before.source, gone, come))
    return rows


def scan(versions: Iterable[str], seen: Callable[[str], object] = print) -> dict[str, list[Change]]:
    """The changes under each release. `seen` hears of each lesson, for this takes minutes."""
    changed: dict[str, list[Change]] = {}
    for version in versions:
        folder = packages(version)
        changed[version] = []
        missing = [lesson for lesson in lessons() if not kept(lesson, version).is_file()]
        if missing:
            with kernel(folder) as warm:
                for lesson in missing:
                    rows = changes(lesson, folder, warm)
                    remember(lesson, version, rows)
                    seen(f"torch {version}, {lesson}: {len(rows)} cells differ")
        for lesson in lessons():
            changed[version] += remembered(lesson, version)
    return changed


def kept(lesson: str, version: str) -> Path:
    """Where the changes of a lesson under a release are kept; other code or other outputs, another file."""
    code = [cell for cell in loads(instructors(lesson)).cells if cell.cell_type == "code"]
    compared = json.dumps([[cell.id, cell.source, lines(cell.outputs)] for cell in code])
    content = hashlib.sha256(compared.encode()).hexdigest()[:16]
    return CACHE.parent / "radar" / version / f"{lesson}-{content}.json"


def remember(lesson: str, version: str, rows: list[Change]) -> None:
    """Keep what a release changed in a lesson, so that its cells need not be run again."""
    path = kept(lesson, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps([astuple(change) for change in rows]))


def remembered(lesson: str, version: str) -> list[Change]:
    """What was kept of a lesson under a release."""
    rows = json.loads(kept(lesson, version).read_text(encoding="utf-8"))
    return [Change(lesson, row[1], row[2], tuple(row[3]), tuple(row[4])) for row in rows]


def age(version: str) -> tuple[int, ...]:
    """A release as numbers, so that 2.9.1 comes before 2.14.1."""
    return tuple(int(part) for part in version.split("."))


def page(changed: dict[str, list[Change]]) -> str:
    """The table of all releases as Markdown: one row for each cell and each way in which it differs."""
    pinned = pins()["torch"]
    rows: dict[Change, list[str]] = {}
    for version in sorted(changed, key=age):
        for change in changed[version]:
            rows.setdefault(change, []).append(version)
    tried = ", ".join(sorted([*changed, pinned], key=age))
    text = [
        "# The loss radar",
        "",
        (
            "Which number, message or gradient of PyTorch's losses changed in which release: every cell "
            "of the course, run under"
        ),
        (
            f"torch {tried} and compared with what the lessons show, which is what {pinned} gives. A cell "
            "that is not named here came out"
        ),
        f"the same under all of them. Compared: {compared()}. Made by `./course radar`.",
        "",
        f"| lesson and cell | torch {pinned} | instead | under |",
        "|---|---|---|---|",
    ]
    notes = known_notes()
    for change, versions in sorted(rows.items(), key=lambda row: (row[0].lesson, row[0].cell)):
        where = f"`{change.lesson}`<br>`{first_line(change.code)}`"
        note = notes.get(f"{change.lesson} {change.cell}", "")
        instead = " <br>".join(filter(None, [quoted(change.seen), note]))
        text.append(f"| {where} | {quoted(change.stored)} | {instead} | {', '.join(versions)} |")
    if not rows:
        text.append("| none | | | |")
    return "\n".join(text) + "\n"


def difference(change: Change) -> str:
    """A changed cell as Markdown, which a forge renders: its code, then old and new output as a difference."""
    shown = [f"-{line}" for line in change.stored] + [f"+{line}" for line in change.seen]
    parts = [
        f"### {change.lesson}, {change.cell}",
        "",
        "```python",
        change.code,
        "```",
        "",
        "```diff",
        *shown,
        "```",
        "",
    ]
    return "\n".join(parts)


def compared() -> str:
    """How much each release was asked, in words: the cells that show something, and the pitfalls among them."""
    shown = 0
    for lesson in lessons():
        cells = loads(instructors(lesson)).cells
        shown += sum(1 for cell in cells if cell.cell_type == "code" and lines(cell.outputs))
    pitfalls = re.findall(r"^\| \d+ \|", PITFALLS.read_text(encoding="utf-8"), re.M)
    return (
        f"{shown} cells that show something, among them those of all {len(pitfalls)} "
        "[pitfalls](../grader/exercises/pitfalls.md)"
    )


def known_notes() -> dict[str, str]:
    """What is known of a change, by its lesson and cell: lines `- 03_bce cell-012: sentence` of
    `radar_notes.md`, kept by hand."""
    if not NOTES.is_file():
        return {}
    return dict(re.findall(r"^- `([\w -]+)`: (.*)$", NOTES.read_text(encoding="utf-8"), re.M))


def first_line(code: str) -> str:
    """The first line of a cell that does something, short."""
    told = [
        line for line in code.splitlines() if line.strip() and not line.startswith(("#", "import", "from"))
    ]
    return (told or [""])[0].replace("|", "\\|").replace("`", "'")[:60]


def quoted(shown: tuple[str, ...]) -> str:
    """Lines of output as code in a table's cell: at most three, each at most 110 characters."""
    short = [" ".join(line.split())[:110].replace("|", "\\|").replace("`", "'") for line in shown[:3]]
    return "<br>".join(f"`{line}`" for line in short) + (" …" if len(shown) > 3 else "")
