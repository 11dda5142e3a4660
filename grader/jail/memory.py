"""Has the kernel ended processes because this machine, or this container, had no memory left?"""

from pathlib import Path

COUNTERS = ("/proc/vmstat", "/sys/fs/cgroup/memory.events")


def killed_for_memory() -> int:
    """How many processes the kernel has ended for want of memory since the machine started; 0 where it does not say.

    Two calls tell whether it happened in between.
    """
    counts = []
    for path in COUNTERS:
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            continue
        counts += [int(line.split()[1]) for line in lines if line.startswith("oom_kill ")]
    return sum(counts)
