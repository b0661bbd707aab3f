"""Reads a small file that a person has named, such as a key or a password: never a pipe or a device, never without end.

What is in it does not belong here, and neither do landed files (`ingestion.source`).
"""

import errno
import os
import stat
from pathlib import Path

# Far above any key, password or list of settings.
LONGEST_BYTES = 2**20


def read_small_file(path: Path) -> bytes:
    """The content of `path`.

    Raises:
        OSError: it cannot be read, is no regular file, or is longer than `LONGEST_BYTES`; `strerror` says which.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        content = file.read(LONGEST_BYTES + 1)
    if len(content) > LONGEST_BYTES:
        raise OSError(errno.EFBIG, f"longer than {LONGEST_BYTES} bytes", str(path))
    return content
