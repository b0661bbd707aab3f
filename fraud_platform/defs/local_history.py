"""Dagster's run and event history in SQLite files that stay open, in the very files Dagster itself would write.

Dagster opens, prepares and closes a database for every event, which costs more than most of the platform's steps. Here
a connection is kept for as long as it is used. What is stored, and how it is read, remains Dagster's business.
"""

import os
import shutil
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool
from watchdog.events import FileSystemEvent
from watchdog.observers import Observer

# The index, the runs at work, and a few that somebody looks at.
_OPEN_DATABASES = 8
# What every new run's database begins as.
_EMPTY_DATABASE = ".empty"


def open_database(url: str) -> Engine:
    """An engine that keeps its connections to the SQLite database at `url`.

    In WAL mode, which Dagster sets, `synchronous=NORMAL` loses no event when a process is killed and never harms the
    file; only a power failure may take the last moments (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    engine = sqlalchemy.create_engine(url, poolclass=QueuePool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})

    @sqlalchemy.event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


class OpenRunStorage(SqliteRunStorage):
    """Dagster's run storage, with its database kept open."""

    _engine: Engine | None = None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A transaction."""
        if self._engine is None:
            self._engine = open_database(self._conn_string)
        with self._engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Closes the database."""
        if self._engine is not None:
            self._engine.dispose()


class OpenEventLogStorage(SqliteEventLogStorage):
    """Dagster's event log, one database per run beside one for all, with those in use kept open."""

    def __init__(self, base_dir: str, **options: Any) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._known_tables: set[str] = set()
        super().__init__(base_dir, **options)

    def has_table(self, table_name: str) -> bool:
        """Whether the index has that table; asked for every event, and tables never leave."""
        if table_name not in self._known_tables and super().has_table(table_name):
            self._known_tables.add(table_name)
        return table_name in self._known_tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock, self._engine_of(shard).begin() as connection:
            yield connection

    def _engine_of(self, shard: str) -> Engine:
        path = self.path_for_shard(shard)
        if shard in self._engines and not os.path.exists(path):
            # Somebody removed the run's history meanwhile.
            self._engines.pop(shard).dispose()
            self._initialized_dbs.discard(shard)
        if shard not in self._engines:
            self._begin_as_empty(Path(path))
            self._engines[shard] = open_database(self.conn_string_for_shard(shard))
        self._engines.move_to_end(shard)
        if shard not in self._initialized_dbs:
            self._initdb(self._engines[shard])
            self._initialized_dbs.add(shard)
        while len(self._engines) > _OPEN_DATABASES:
            oldest = next(name for name in self._engines if name != INDEX_SHARD_NAME)
            self._engines.pop(oldest).dispose()
        return self._engines[shard]

    def _begin_as_empty(self, path: Path) -> None:
        """Puts a copy of an empty database at `path` where there is none: making its tables takes ten times as long."""
        if path.exists():
            return
        empty = path.parent / _EMPTY_DATABASE
        if not empty.exists():
            made = path.with_suffix(f".{os.getpid()}{_EMPTY_DATABASE}")
            engine = sqlalchemy.create_engine(f"sqlite:///{made}")
            self._initdb(engine)
            engine.dispose()
            os.replace(made, empty)
        shutil.copyfile(empty, path)

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Calls back for every new event of the run; an open database grows in the log beside it."""
        observer: Any = self._obs
        if observer is None:
            observer = Observer()
            observer.start()
            self._obs = observer
        watchdog = _Watchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (watchdog, observer.schedule(watchdog, self._base_dir, recursive=True))

    def wipe(self) -> None:
        """Forgets every event."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Closes every database."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        while self._engines:
            self._engines.popitem()[1].dispose()


class _Watchdog(SqliteEventLogStorageWatchdog):
    """Dagster's watchdog, on the database and its write-ahead log."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._patterns = [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: FileSystemEvent) -> None:
        """Hands on what is new."""
        self._process_log()
