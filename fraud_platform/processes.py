"""Which process did something, and whether it has died since: for what a process leaves behind when it is killed.

What is done about it belongs to whoever finds it.
"""

import os
import platform
from pathlib import Path

# Read where there is one: numbers of processes mean something only within one start of one machine, and one container.
_START_OF_MACHINE = Path("/proc/sys/kernel/random/boot_id")
_NUMBERING = Path("/proc/self/ns/pid")


def process_mark() -> str:
    """This process, in a form that `is_dead` understands on the same machine."""
    return f"{_place()}/{os.getpid()}"


def is_dead(mark: str) -> bool:
    """Whether the process behind a `process_mark` is known to have ended; False where nobody here can tell."""
    place, _, number = mark.rpartition("/")
    return place == _place() and number.isdecimal() and not is_alive(int(number))


def is_alive(number: int) -> bool:
    """Whether a process of that number runs on this machine."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _place() -> str:
    """Where numbers of processes are those of this process: the machine, its start and its container."""
    try:
        start, numbering = _START_OF_MACHINE.read_text().strip(), os.readlink(_NUMBERING)
    except OSError:
        return platform.node()
    return f"{platform.node()}/{start}/{numbering}"
