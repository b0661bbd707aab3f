"""Connections to PostgreSQL that wait while the server is away for a moment: restarted, upgraded, full or crashed.

Dagster tries for some seconds. A run that cannot store an event fails like one with a mistake, and is not run again; so
runs wait here: for a new connection, and for the answer to a statement that the server took along when it went. Which
database it is belongs to `production`; events that went with it, to `patient_event_log`.
"""

import time
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

# Shorter than the minute that a sensor has for its answer.
PATIENCE_SECONDS = 45.0
PAUSE_SECONDS = 0.5
# How often the server may go away during one statement or event.
LOSSES = 5

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
    """Lets every connection of `engine` wait for its server; what time does not mend is raised at once.

    Args:
        engine: of PostgreSQL, without connections of its own so far.
        patience_seconds: after which the driver's error is raised.
        pause_seconds: between two tries.
    """
    engine._connection_cls = PatientConnection

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


class PatientConnection(Connection):
    """Asks again what the server did not answer because it went, if asking twice changes nothing.

    Those are queries, and updates and deletions that commit on their own. An insertion may have been committed before
    the answer was lost; whoever inserts has to look. A transaction of several statements is its owner's to repeat.
    """

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """The answer to `statement`.

        Raises:
            sqlalchemy.exc.DBAPIError: the server refuses it, or went and must not be asked twice, or stays away.
        """
        for _ in range(LOSSES):
            driver: Any = self.connection.driver_connection
            commits_alone = driver.autocommit
            try:
                return super().execute(statement, parameters, **options)
            except DBAPIError as error:
                if not (error.connection_invalidated and commits_alone and _is_same_twice(statement)):
                    raise
            # Forgets the lost connection. The next try makes a new one, and waits for that.
            self.rollback()
        return super().execute(statement, parameters, **options)

    def scalar(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """The first column of the first row of the answer; None where there is no row. See `execute`."""
        return self.execute(statement, parameters, **options).scalar()


def _is_same_twice(statement: Any) -> bool:
    return any(getattr(statement, kind, False) for kind in ("is_select", "is_update", "is_delete"))


def _is_away(error: Exception) -> bool:
    told = str(error).lower()
    return any(words in told for words in _AWAY)
