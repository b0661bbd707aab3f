"""Writes `$FRAUD_HOME/settings.env`, which `settings` reads below the environment.

What the settings mean does not belong here.
"""

import re
from pathlib import Path

from upath import UPath

from fraud_platform.settings import SETTINGS_FILE
from fraud_platform.small_files import ENCODING
from fraud_platform.storage import write_atomically


def remember(home: Path, **values: str) -> None:
    """Writes `values` (by variable name) to `$FRAUD_HOME/settings.env`, keeping what else stands there."""
    from dotenv import dotenv_values

    path = home / SETTINGS_FILE
    merged = {**dotenv_values(path, encoding=ENCODING), **values}
    lines = "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(merged.items()) if value is not None)
    write_atomically(UPath(path), lines.encode())


def _quoted(value: str) -> str:
    """`value` as a line of an environment file holds it; quoted where a space or `#` would cut it off."""
    if re.fullmatch(r"[\w./:@%+,-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
