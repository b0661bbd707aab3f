"""Where the value of each setting comes from, and which variables look like settings and are none.

What the values are belongs to `settings`.
"""

import os
from collections.abc import Mapping

from fraud_platform.settings import (
    PREFIX,
    SETTINGS_FILE,
    Settings,
    home_from_environment,
    require_readable_settings_file,
    variable_name,
)
from fraud_platform.small_files import ENCODING


def setting_sources() -> dict[str, str]:
    """For every variable, where its effective value comes from: environment, settings.env or default.

    Raises:
        PlatformError: settings.env cannot be read.
    """
    written = _written()

    def source(variable: str) -> str:
        if os.environ.get(variable):
            return "environment"
        return SETTINGS_FILE if written.get(variable) else "default"

    return {variable: source(variable) for variable in map(variable_name, Settings.model_fields)}


def unread_variables() -> list[tuple[str, str]]:
    """Every `FRAUD_*` variable that no setting has, and the one it resembles most; empty where it resembles none."""
    from difflib import get_close_matches

    known = [variable_name(field) for field in Settings.model_fields]
    unread = {name for name in (*_written(), *os.environ) if name.startswith(PREFIX)}.difference(known)
    return [(name, "".join(get_close_matches(name, known, n=1))) for name in sorted(unread)]


def _written() -> Mapping[str, str | None]:
    from dotenv import dotenv_values

    require_readable_settings_file()
    return dotenv_values(home_from_environment() / SETTINGS_FILE, encoding=ENCODING)
