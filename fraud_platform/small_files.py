"""Reads a small file that a person has named, such as a key or a password: never a pipe or a device, never without end.

What is in it does not belong here, and neither do landed files (`ingestion.source`).
"""

import errno
import os
import stat
from pathlib import Path

from fraud_platform.errors import PlatformError

# Far above any key, password or list of settings.
LONGEST_BYTES = 2**20
# Editors of other systems put a mark before the text, which belongs to nothing in it.
ENCODING = "utf-8-sig"


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


def read_secret(variable: str, path: str, *, what: str) -> str:
    """The text of a file that `variable` names.

    Raises:
        PlatformError: it cannot be read.
    """
    try:
        return read_small_file(Path(path).expanduser()).decode(ENCODING)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PlatformError(unusable_secret(variable, path, what, f"cannot be read: {reason}")) from None


def unusable_secret(variable: str, path: str, what: str, problem: str) -> str:
    """What is wrong with such a file, who reads it, and what to do."""
    reader = f"user {os.getuid()}" if hasattr(os, "getuid") else "the account"
    return f"{variable}={path} {problem}; put {what} there and let {reader}, who runs this, read it"
