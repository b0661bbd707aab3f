"""Connections to PostgreSQL that wait while the server is away for a moment: restarted, upgraded, full or crashed.

Dagster tries for some seconds. A run that cannot store an event fails like one with a mistake, and is not run again; so
runs wait here. Which database it is belongs to `production`.
"""

import time
from typing import Any

from sqlalchemy import Engine, event

# Shorter than the minute that a sensor has for its answer.
PATIENCE_SECONDS = 45.0
PAUSE_SECONDS = 0.5

# What PostgreSQL and its driver say of a server that is going, gone or coming back. Before a connection stands there is
# no SQLSTATE to go by.
_AWAY = (
    "connection refused",
    # A container that is stopped has no name, and one that comes back may have another address.
    "could not translate host name",
    "no route to host",
    # Whoever holds connections gives some back.
    "too many clients already",
    "too many connections for",
    "remaining connection slots are reserved",
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "server closed the connection unexpectedly",
    "terminating connection",
)


def wait_for_server(
    engine: Engine, *, patience_seconds: float = PATIENCE_SECONDS, pause_seconds: float = PAUSE_SECONDS
) -> None:
    """Lets every new connection of `engine` wait for its server; what time does not mend is raised at once.

    Args:
        engine: of PostgreSQL, without connections of its own so far.
        patience_seconds: after which the driver's error is raised.
        pause_seconds: between two tries.
    """

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        gives_up = time.monotonic() + patience_seconds
        while True:
            try:
                return dialect.connect(*arguments, **options)
            except dialect.loaded_dbapi.OperationalError as error:
                if not _is_away(error) or time.monotonic() > gives_up:
                    raise
            time.sleep(pause_seconds)


def _is_away(error: Exception) -> bool:
    told = str(error).lower()
    return any(words in told for words in _AWAY)
