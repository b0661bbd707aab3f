"""Dagster's events in PostgreSQL, each stored once, also when the server goes away while it is being stored.

The server may have committed what it did not live to confirm. So nothing is repeated unseen: once the server is back,
what it knows of the event is looked up, and only what is missing is added. Waiting for it belongs to `patience`.
"""

from collections.abc import Callable, Sequence

from dagster import EventLogEntry
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._serdes import serialize_value
from dagster_postgres import PostgresEventLogStorage
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import DBAPIError

from fraud_platform.defs.patience import LOSSES


class PatientEventLog(PostgresEventLogStorage):
    """The event log of a server that may be stopped, or crash, at any moment."""

    def store_event(self, event: EventLogEntry) -> None:
        """Stores one event.

        Raises:
            sqlalchemy.exc.DBAPIError: the server refuses it, or goes away again and again.
            dagster_postgres.utils.DagsterPostgresException: it stays away.
        """
        self._store(lambda: super(PatientEventLog, self).store_event(event), [event])

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events together; see `store_event`."""
        self._store(lambda: super(PatientEventLog, self).store_event_batch(events), events)

    def _store(self, store: Callable[[], None], events: Sequence[EventLogEntry]) -> None:
        for losses in range(LOSSES + 1):
            try:
                store() if losses == 0 else self._complete(events)
                return
            except DBAPIError as error:
                if not error.connection_invalidated or losses == LOSSES:
                    raise

    def _complete(self, events: Sequence[EventLogEntry]) -> None:
        for event in events:
            event_id = self._id_of(event)
            if event_id is None:
                super().store_event(event)
            else:
                self._complete_indexes(event, event_id)

    def _complete_indexes(self, event: EventLogEntry, event_id: int) -> None:
        kind = event.dagster_event_type
        if kind in ASSET_EVENTS and event.get_dagster_event().asset_key:
            if not self._is_known(AssetEventTagsTable.c.event_id == event_id):
                self.store_asset_event_tags([event], [event_id])
            self.store_asset_event(event, event_id)
        if kind in ASSET_CHECK_EVENTS and not self._is_known(
            AssetCheckExecutionsTable.c.evaluation_event_storage_id == event_id
        ):
            self.store_asset_check_event(event, event_id)

    def _id_of(self, event: EventLogEntry) -> int | None:
        log = SqlEventLogStorageTable.c
        with self.index_connection() as connection:
            found = connection.execute(
                select(log.id).where(log.run_id == event.run_id, log.event == serialize_value(event))
            )
            event_id: int | None = found.scalar()
        return event_id

    def _is_known(self, condition: ColumnElement[bool]) -> bool:
        with self.index_connection() as connection:
            return connection.execute(select(1).where(condition).limit(1)).scalar() is not None
