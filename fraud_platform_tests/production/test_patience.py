"""Connections and queries wait for a PostgreSQL that comes back, and for nothing else."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from fraud_platform.defs.patience import LOSSES, wait_for_server
from fraud_platform_tests.production.postgres import PostgresServer, running_postgres

NUMBERS = sa.Table("numbers", sa.MetaData(), sa.Column("number", sa.Integer))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def patient_engine(postgres: PostgresServer, *, password: str, seconds: float) -> Engine:
    url = postgres.url("dagster").replace("postgresql://dagster@", f"postgresql+psycopg2://dagster:{password}@")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    wait_for_server(engine, patience_seconds=seconds, pause_seconds=0.1)
    return engine


def right_password(postgres: PostgresServer) -> str:
    return (postgres.secrets / "dagster_database_password").read_text().strip()


def test_a_connection_waits_until_the_server_is_back(postgres):
    engine = patient_engine(postgres, password=right_password(postgres), seconds=60)
    postgres.stop()
    answers: list[int] = []

    def ask() -> None:
        with engine.connect() as connection:
            answers.append(connection.execute(text("SELECT 1")).scalar_one())

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(timeout=1)
    assert asking.is_alive(), "it does not give up while nobody answers"
    postgres.start()
    asking.join(timeout=60)
    assert answers == [1]


def test_a_connection_waits_until_the_server_has_room(postgres):
    engine = patient_engine(postgres, password=right_password(postgres), seconds=60)
    postgres.ask("postgres", "ALTER ROLE dagster CONNECTION LIMIT 1")
    holder = patient_engine(postgres, password=right_password(postgres), seconds=0).connect()
    making_room = threading.Timer(0.5, holder.close)
    try:
        making_room.start()
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    finally:
        making_room.join()
        postgres.ask("postgres", "ALTER ROLE dagster CONNECTION LIMIT -1")


def test_a_name_that_leads_nowhere_now_is_waited_for(postgres):
    # As that of a container while it is stopped; ".invalid" never leads anywhere.
    engine = patient_engine(postgres, password=right_password(postgres), seconds=1)
    lost = create_engine(engine.url.set(host="postgres.invalid"), poolclass=NullPool)
    wait_for_server(lost, patience_seconds=1, pause_seconds=0.1)
    begin = time.monotonic()
    with pytest.raises(OperationalError, match="could not translate host name"):
        lost.connect()
    assert time.monotonic() - begin >= 1


def test_a_server_that_stays_away_is_an_error_once_patience_ends(postgres):
    engine = patient_engine(postgres, password=right_password(postgres), seconds=0.5)
    postgres.stop()
    try:
        with pytest.raises(OperationalError, match="refused"):
            engine.connect()
    finally:
        postgres.start()


def test_a_wrong_password_is_not_waited_for(postgres):
    engine = patient_engine(postgres, password="wrong", seconds=600)  # noqa: S106 - no secret
    begin = time.monotonic()
    with pytest.raises(OperationalError, match="password authentication failed"):
        engine.connect()
    assert time.monotonic() - begin < 300, "far less than it would have waited"


@pytest.fixture
def losing(postgres) -> Iterator[Connection]:
    """A patient connection to a table of one number, whose server ends it after the first statement."""
    postgres.ask("dagster", "CREATE TABLE IF NOT EXISTS numbers (number integer); TRUNCATE numbers")
    postgres.ask("dagster", "GRANT ALL ON numbers TO dagster; INSERT INTO numbers VALUES (7)")
    engine = patient_engine(postgres, password=right_password(postgres), seconds=60)
    with engine.connect() as connection:
        connection.execute(sa.select(NUMBERS.c.number))
        yield connection
    postgres.ask("dagster", "DROP TABLE numbers")


def lose(postgres: PostgresServer) -> None:
    postgres.ask("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dagster'")


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        (sa.select(NUMBERS.c.number), ["7"]),
        (sa.update(NUMBERS).values(number=8), ["8"]),
        (sa.delete(NUMBERS), []),
    ],
)
def test_what_is_the_same_when_asked_twice_is_asked_again(postgres, losing, statement, left):
    lose(postgres)
    losing.execute(statement)
    assert postgres.ask("dagster", "SELECT number FROM numbers") == left


def test_a_single_value_is_asked_for_again(postgres, losing):
    lose(postgres)
    assert losing.scalar(sa.select(NUMBERS.c.number)) == 7


def test_an_insertion_is_not_repeated_unseen(postgres, losing):
    lose(postgres)
    with pytest.raises(OperationalError, match="closed the connection"):
        losing.execute(sa.insert(NUMBERS).values(number=8))
    assert postgres.ask("dagster", "SELECT number FROM numbers") == ["7"]


def test_a_transaction_is_not_repeated_in_parts(postgres, losing):
    def add_twice() -> None:
        with losing.execution_options(isolation_level="READ COMMITTED").begin():
            losing.execute(sa.update(NUMBERS).values(number=8))
            lose(postgres)
            losing.execute(sa.update(NUMBERS).values(number=NUMBERS.c.number + 1))

    losing.rollback()
    with pytest.raises(OperationalError, match="closed the connection"):
        add_twice()
    assert postgres.ask("dagster", "SELECT number FROM numbers") == ["7"]


def test_a_server_that_goes_at_every_statement_is_an_error(losing):
    tries = []

    def go(_: object, cursor: Any, *_rest: object) -> None:
        tries.append(cursor)
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    sa.event.listen(losing.engine, "before_cursor_execute", go)
    with pytest.raises(OperationalError, match="closed the connection"):
        losing.execute(sa.select(NUMBERS.c.number))
    assert len(tries) == 1 + LOSSES
