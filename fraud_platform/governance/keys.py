"""The secret keys that sign: read from the file that a setting names, and never shown.

What is signed with them does not belong here: `audit_entry` and `registry.model_signature` do that.
"""

from codecs import BOM_UTF8
from pathlib import Path

from fraud_platform.errors import PlatformError
from fraud_platform.small_files import read_small_file

# A shorter key could be guessed.
_SHORTEST_BYTES = 16


def read_key(file: str | Path, *, setting: str) -> bytes | None:
    """The key in `file`, which `setting` names, without a byte order mark and white space around it; None where it
    names no file, and nothing is signed.

    Raises:
        PlatformError: the file cannot be read, or its key is too short.
    """
    if not file:
        return None
    path = Path(file).expanduser()
    try:
        key = read_small_file(path).removeprefix(BOM_UTF8).strip()
    except OSError as error:
        raise PlatformError(f"{setting}: {path} cannot be read ({error.strerror}); nothing is done") from None
    if len(key) < _SHORTEST_BYTES:
        raise PlatformError(
            f"{setting}: the key in {path} has {len(key)} bytes, needed are {_SHORTEST_BYTES}; make one with "
            "`openssl rand -hex 32`"
        )
    return key
