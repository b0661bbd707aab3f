"""A server that goes away while an event is stored: the event is there afterwards, once, whatever it had done."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg2
import pytest
from dagster import DagsterEvent, EventLogEntry
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster._core.events import DagsterEventType
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import OperationalError

from fraud_platform.defs.patience import wait_for_server
from fraud_platform.defs.patient_event_log import PatientEventLog
from fraud_platform_tests.production.postgres import PostgresServer, running_postgres

ASSET = dg.AssetKey("features")
RUN = "0b2a1f6e-5c11-4f8e-9a53-2f1f6f6f0001"
TABLES = {
    "event_logs": "id, run_id, dagster_event_type, asset_key, partition, event",
    "asset_event_tags": "event_id, asset_key, key, value",
    "asset_check_executions": "asset_key, check_name, run_id, execution_status, evaluation_event_storage_id",
    "asset_keys": "asset_key, last_materialization, last_run_id",
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def log(postgres) -> Iterator[PatientEventLog]:
    """An empty event log."""
    password = (postgres.secrets / "dagster_database_password").read_text().strip()
    url = postgres.url("dagster").replace("postgresql://dagster@", f"postgresql+psycopg2://dagster:{password}@")
    log = PatientEventLog(url)
    wait_for_server(log._engine, patience_seconds=60, pause_seconds=0.1)
    empty(postgres)
    yield log
    log.dispose()


def entry(kind: DagsterEventType, data: Any, *, at: float) -> EventLogEntry:
    event = DagsterEvent(kind.value, job_name="daily", step_key="features", event_specific_data=data)
    return EventLogEntry(
        error_info=None, level=20, user_message="", run_id=RUN, timestamp=at, job_name="daily", dagster_event=event
    )


def materialised(*, at: float, day: str = "2026-11-02") -> EventLogEntry:
    from dagster._core.events import StepMaterializationData

    tags = {"dagster/data_version": "7"}
    made = dg.AssetMaterialization(ASSET, partition=day, tags=tags)
    return entry(DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(made), at=at)


EVENTS = [
    entry(DagsterEventType.STEP_START, None, at=1_000.25),
    entry(
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        AssetCheckEvaluationPlanned(asset_key=ASSET, check_name="no_missing", partitions_subset=None),
        at=1_001.5,
    ),
    materialised(at=1_002.75),
    entry(
        DagsterEventType.ASSET_CHECK_EVALUATION,
        AssetCheckEvaluation(asset_key=ASSET, check_name="no_missing", passed=True, metadata={}),
        at=1_003.125,
    ),
]
BATCH = [materialised(at=1_004.0 + number, day=f"2026-11-{number + 1:02}") for number in range(3)]


def empty(postgres: PostgresServer) -> None:
    postgres.ask("dagster", f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")


def content(postgres: PostgresServer) -> dict[str, list[str]]:
    """What is stored, in an order that does not depend on when; identifiers by rank, as a lost insertion takes one."""
    found = {
        table: sorted(postgres.ask("dagster", f"SELECT {columns} FROM {table}"))  # noqa: S608
        for table, columns in TABLES.items()
    }
    ids = {id_: str(rank) for rank, id_ in enumerate(postgres.ask("dagster", "SELECT id FROM event_logs ORDER BY id"))}
    ranked = {
        "event_logs": lambda cells: [ids[cells[0]], *cells[1:]],
        "asset_event_tags": lambda cells: [ids[cells[0]], *cells[1:]],
        "asset_check_executions": lambda cells: [*cells[:-1], ids[cells[-1]]],
    }
    for table, rank in ranked.items():
        found[table] = sorted("|".join(rank(row.split("|"))) for row in found[table])
    # This one names the event by its number, too.
    found["asset_keys"] = [row.split("storage_id")[0] for row in found["asset_keys"]]
    return found


def store(log: PatientEventLog) -> None:
    for event in EVENTS:
        log.store_event(event)
    log.store_event_batch(BATCH)


@contextmanager
def going_away(log: PatientEventLog, moment: int, *, is_done: bool) -> Iterator[Callable[[], int]]:
    """The server ends the connection of the statement or commit number `moment`, before it acts or right after."""
    count = 0

    def lose(connection: Any) -> None:
        with psycopg2.connect(log.postgres_url.replace("+psycopg2", "")) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        if is_done:
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        time.sleep(0.02)

    def passes(connection: Any) -> None:
        nonlocal count
        count += 1
        if count == moment + 1:
            lose(connection)

    def statement(_: Any, cursor: Any, *_rest: Any) -> None:
        passes(cursor.connection)

    hook = "after_cursor_execute" if is_done else "before_cursor_execute"
    commit = log._engine.dialect.do_commit

    def committing(connection: Any) -> None:
        if is_done:
            commit(connection)
        if not connection.autocommit:
            passes(connection.driver_connection)
        if not is_done:
            commit(connection)

    sqlalchemy_event.listen(log._engine, hook, statement)
    log._engine.dialect.do_commit = committing  # type: ignore[method-assign]
    try:
        yield lambda: count
    finally:
        log._engine.dialect.do_commit = commit  # type: ignore[method-assign]
        sqlalchemy_event.remove(log._engine, hook, statement)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_at_whichever_statement_it_goes_every_event_is_stored_once(postgres, log, is_done):
    # What it asks of the tables only once.
    store(log)
    empty(postgres)
    with going_away(log, 10_000, is_done=is_done) as passed:
        store(log)
    undisturbed, moments = content(postgres), passed()
    assert len(undisturbed["event_logs"]) == len(EVENTS) + len(BATCH)
    assert len(undisturbed["asset_event_tags"]) == 1 + len(BATCH)
    assert [row.split("|")[3] for row in undisturbed["asset_check_executions"]] == ["SUCCEEDED"]
    assert moments > 15
    for moment in range(moments):
        empty(postgres)
        with going_away(log, moment, is_done=is_done) as passed:
            store(log)
        assert passed() > moment, f"nothing was lost at statement {moment}"
        assert content(postgres) == undisturbed, f"lost at statement {moment}"


def test_a_server_that_goes_at_every_statement_is_an_error(log):
    def lose(_: Any, cursor: Any, *_rest: Any) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    sqlalchemy_event.listen(log._engine, "before_cursor_execute", lose)
    with pytest.raises(OperationalError, match="closed the connection"):
        log.store_event(EVENTS[0])


def test_what_the_server_refuses_is_an_error_at_once(postgres, log):
    postgres.ask("dagster", "ALTER TABLE event_logs RENAME TO elsewhere")
    try:
        with pytest.raises(Exception, match="relation"):
            log.store_event(EVENTS[0])
    finally:
        postgres.ask("dagster", "ALTER TABLE elsewhere RENAME TO event_logs")
