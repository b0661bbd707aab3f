"""Which label a transaction has on the day it arrives, and which label files are refused."""

import gzip
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform.errors import DataError, MissingDataError
from fraud_platform.ingestion.labels import (
    CONFLICTING,
    EARLY,
    UNKNOWN_TRANSACTION,
    DayLabels,
    label_weights,
    labels_of_day,
    source_of,
)
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import confirmed_labels_schema
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform.training.splitting import labels_as_of
from fraud_platform_tests.ingestion.conftest import DAY, make_rows

YESTERDAY, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)


def labels_by_identifier(labels: pd.DataFrame) -> dict[str, tuple[int, str]]:
    confirmed_labels_schema().validate(labels)
    pairs = zip(labels["Class"].tolist(), labels["source"].tolist(), strict=True)
    return dict(zip(labels["transaction_id"].tolist(), pairs, strict=True))


def transactions(*identifiers: str, **classes: int) -> pd.DataFrame:
    """What `raw_transactions` says of a day's identifiers; those with a class have landed with it."""
    names = [*identifiers, *classes]
    landed = [classes.get(name) for name in names]
    return pd.DataFrame({"transaction_id": names, "Class": pd.array(landed, "Int8")})


def quarantined(arrived: DayLabels) -> list[tuple[str, int, str]]:
    lines = arrived.quarantine
    return list(zip(lines["file"], lines["row"], lines["reason"], strict=True))


def test_a_label_file_overrules_the_transaction_file(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(3).assign(transaction_id=["a", "b", "c"], Class=["1", "0", ""]))
    land("a.csv", "Class,transaction_id\n0,a\n1,from-yesterday\n", kind="labels")
    known = {DAY: ingest_day(zone, DAY).transactions, YESTERDAY: transactions("from-yesterday", "x")}
    arrived = labels_of_day(zone, DAY, known)
    assert labels_by_identifier(arrived.labels) == {
        "a": (0, "label_file"),
        "b": (0, "transaction_file"),
        "from-yesterday": (1, "label_file"),
    }
    assert arrived.labels["transaction_id"].is_monotonic_increasing
    assert arrived.count_by_transaction_day == {YESTERDAY: 1, DAY: 2}
    assert quarantined(arrived) == []


def test_a_day_without_labels_has_an_empty_table(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(3).drop(columns="Class"))
    arrived = labels_of_day(zone, DAY, {DAY: ingest_day(zone, DAY).transactions})
    assert labels_by_identifier(arrived.labels) == {}
    assert arrived.count_by_transaction_day == {}


def test_labels_of_a_day_without_transactions_are_read_alone(land: Callable[..., Path], zone: LandingZone) -> None:
    with pytest.raises(MissingDataError, match=f"raw_transactions of {DAY} is not stored"):
        labels_of_day(zone, DAY, {YESTERDAY: transactions("a")})
    land("reviews.csv", "transaction_id,Class\na,1\n", kind="labels")
    arrived = labels_of_day(zone, DAY, {YESTERDAY: transactions("a")})
    assert labels_by_identifier(arrived.labels) == {"a": (1, "analyst_review")}
    # Transactions that have landed may carry labels themselves, so they are ingested first.
    land("a.csv", make_rows(3))
    with pytest.raises(MissingDataError, match="materialise raw_transactions for that day first"):
        labels_of_day(zone, DAY, {YESTERDAY: transactions("a")})


def test_labels_come_from_every_format_and_repeat_freely(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", 'transaction_id,Class\n"007",1\n', kind="labels")
    land("b.csv.gz", gzip.compress(b"transaction_id,Class\n007,1.0\nx,0\n", mtime=0), kind="labels")
    land("c.parquet", pd.DataFrame({"transaction_id": [12], "Class": [1]}), kind="labels")
    labels = labels_of_day(zone, DAY, {DAY: transactions("007", "x", "12")}).labels
    assert labels_by_identifier(labels) == {
        name: (value, "label_file") for name, value in (("007", 1), ("12", 1), ("x", 0))
    }


def test_labels_that_contradict_each_other_decide_nothing_and_the_others_stand(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    land("a.csv", "transaction_id,Class\nb,1\na,0\nc,1\n", kind="labels")
    land("b.csv", "transaction_id,Class\nb,0\nc,1\n", kind="labels")
    arrived = labels_of_day(zone, DAY, {DAY: transactions("a", "c", b=0)})
    # Of b, the transaction's own class is left.
    assert labels_by_identifier(arrived.labels) == {
        "a": (0, "label_file"),
        "b": (0, "transaction_file"),
        "c": (1, "label_file"),
    }
    assert quarantined(arrived) == [("a.csv", 1, CONFLICTING), ("b.csv", 1, CONFLICTING)]


def test_a_label_of_an_unknown_transaction_waits_in_quarantine(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", "transaction_id,Class\na,1\nnobody,1\n", kind="labels")
    arrived = labels_of_day(zone, DAY, {DAY: transactions("a")})
    assert labels_by_identifier(arrived.labels) == {"a": (1, "label_file")}
    assert quarantined(arrived) == [("a.csv", 2, UNKNOWN_TRANSACTION)]
    assert arrived.quarantined_by_reason == {UNKNOWN_TRANSACTION: 1}
    # Its transaction lands late: the same file, looked at again, gives the label.
    arrived = labels_of_day(zone, DAY, {YESTERDAY: transactions("nobody"), DAY: transactions("a")})
    assert labels_by_identifier(arrived.labels) == {"a": (1, "label_file"), "nobody": (1, "label_file")}
    assert arrived.searched_day_count == 2


def test_a_label_cannot_arrive_before_its_transaction(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", "transaction_id,Class\nt,1\n", kind="labels")
    arrived = labels_of_day(zone, DAY, {DAY: transactions("a"), TOMORROW: transactions("t")})
    assert labels_by_identifier(arrived.labels) == {}
    assert quarantined(arrived) == [("a.csv", 1, EARLY)]
    # On the day itself it had happened.
    assert quarantined(labels_of_day(zone, DAY, {DAY: transactions("t")})) == []


def test_days_are_searched_nearest_first_and_only_while_something_is_left(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    read: list[date] = []

    class Watched(dict[date, pd.DataFrame]):
        def __getitem__(self, day: date) -> pd.DataFrame:
            read.append(day)
            return super().__getitem__(day)

    land("a.csv", "transaction_id,Class\na,1\nb,0\n", kind="labels")
    days = Watched({DAY - timedelta(days=back): transactions("abcd"[back]) for back in range(4)})
    labels_of_day(zone, DAY, days)
    assert read == [DAY, YESTERDAY]


def test_a_correction_reverses_a_label_for_later_days_and_not_for_earlier_ones(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    known = {YESTERDAY: transactions("a"), DAY: transactions("b")}
    first = transactions(a=1)[["transaction_id", "Class"]].astype({"Class": "int8"}).assign(source="transaction_file")
    land("disputes.csv", "transaction_id,Class\na,0\n", kind="labels")
    by_day = {YESTERDAY: first, DAY: labels_of_day(zone, DAY, known).labels}

    def known_as_of(last: date) -> dict[str, int]:
        table = labels_as_of({day: labels for day, labels in by_day.items() if day <= last})
        return dict(zip(table["transaction_id"], table["Class"], strict=True))

    assert known_as_of(YESTERDAY) == {"a": 1}
    assert known_as_of(DAY) == {"a": 0}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("disputes.csv", "customer_dispute"),
        ("Reports-2026.parquet", "fraud_report"),
        ("reviews_morning.csv.gz", "analyst_review"),
        ("labels.csv", "label_file"),
    ],
)
def test_the_name_of_a_label_file_says_who_labelled(name: str, source: str) -> None:
    assert source_of(name) == source


def test_of_equal_labels_the_more_careful_source_is_kept(land: Callable[..., Path], zone: LandingZone) -> None:
    land("disputes.csv", "transaction_id,Class\na,1\n", kind="labels")
    land("reviews.csv", "transaction_id,Class\na,1\n", kind="labels")
    labels = labels_of_day(zone, DAY, {DAY: transactions("a")}).labels
    assert labels_by_identifier(labels) == {"a": (1, "analyst_review")}


def test_a_label_weighs_what_its_source_weighs() -> None:
    sources = pd.Series(["customer_dispute", "transaction_file", "fraud_report"])
    assert label_weights(sources, {"customer_dispute": 0.5, "fraud_report": 2}).tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("transaction_id\na\n", "lacks column 'Class'"),
        ("transaction_id,Class,note\na,1,x\n", "does not expect column 'note'"),
        ("transaction_id,Class\na,1\nb,2\n", "column Class: Class is neither 0 nor 1 in data row 2"),
        ("transaction_id,Class\na,1\nb,\n", "column Class: value is missing in data row 2"),
        ("transaction_id,Class\na,1\nb,yes\n", "column Class holds no number in data row 2"),
        ("transaction_id,Class\n,1\n", "column transaction_id: value is missing in data row 1"),
        (
            "transaction_id,Class\n4111111111111111,1\n",
            "column transaction_id: field holds a card number in data row 1",
        ),
    ],
)
def test_a_bad_label_file_is_refused(land: Callable[..., Path], zone: LandingZone, content: str, message: str) -> None:
    path = land("a.csv", content, kind="labels")
    with pytest.raises(DataError) as refusal:
        labels_of_day(zone, DAY, {})
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "4111" not in str(refusal.value)
