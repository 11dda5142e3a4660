"""What a child may use, and how long things may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a learner's code may use up, a submission and its processes. Sizes in MB and kB, times in
    seconds."""

    # each process: address space above the warm interpreter's; all together: what they really use
    memory_mb: int = 2048
    disk_mb: int = 64  # the work folder and /tmp, together
    files: int = 20_000  # in the work folder and /tmp, together: an empty one costs the machine a kilobyte
    sockets: int = 200  # of a child and its processes: what waits in them is the kernel's memory
    processes: int = 24  # processes and threads of a child
    open_files: int = 128
    cpu_seconds: int = 600  # processor time of a child
    start_seconds: float = 120  # until the warm interpreter is ready (a busy or cold machine)
    ready_seconds: float = 15  # until a forked child answers
    cell_seconds: float = 30
    question_seconds: float = 5
    exercise_seconds: float = 30  # all questions of an exercise together
    notebook_seconds: float = 900  # a whole submission
    deaths: int = 12  # of the interpreter, in a submission
    child_seconds: float = 900  # a child's whole life, however short its single answers are
    end_seconds: float = 5  # until nothing is left of a child; after that the whole jail is started again
    output_kb: int = 100  # text that a cell prints or displays
    outputs: int = 60  # of a cell
    figures_kb: int = 4096  # pictures of a cell, together
    traceback_kb: int = 8
