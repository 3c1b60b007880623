"""What a process has used: CPU seconds and memory, as the kernel counts them. Linux only."""

import sys
import time
from pathlib import Path

from streams.tools.parts import Missing

SCHEDULED = 2
"""CPUCLOCK_SCHED of the kernel: user and system time of all threads, in nanoseconds."""


def check_platform() -> None:
    """Raises Missing where other processes' clocks cannot be read."""
    if sys.platform != "linux":
        raise Missing(f"bench: wanted Linux, whose kernel tells the CPU time of other processes; got {sys.platform}")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, all its threads. Raises OSError when it is gone."""
    return time.clock_gettime(~pid << 3 | SCHEDULED)


def memory_mb(pid: int) -> float:
    """Resident memory now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
