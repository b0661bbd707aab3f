"""Which label a transaction has on the day it arrives, and which label files are refused."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.ingestion.labels import labels_of_day
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import confirmed_labels_schema
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform_tests.ingestion.conftest import DAY, make_rows


def labels_by_identifier(labels: pd.DataFrame) -> dict[str, tuple[int, str]]:
    confirmed_labels_schema().validate(labels)
    pairs = zip(labels["Class"].tolist(), labels["source"].tolist(), strict=True)
    return dict(zip(labels["transaction_id"].tolist(), pairs, strict=True))


def test_a_label_file_overrules_the_transaction_file(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(3).assign(transaction_id=["a", "b", "c"], Class=["1", "0", ""]))
    land("a.csv", "Class,transaction_id\n0,a\n1,from-last-week\n", kind="labels")
    labels = labels_of_day(zone, ingest_day(zone, DAY).transactions, DAY)
    assert labels_by_identifier(labels) == {
        "a": (0, "label_file"),
        "b": (0, "transaction_file"),
        "from-last-week": (1, "label_file"),
    }
    assert labels["transaction_id"].is_monotonic_increasing


def test_a_day_without_labels_has_an_empty_table(land: Callable[..., Path], zone: LandingZone) -> None:
    assert labels_by_identifier(labels_of_day(zone, None, DAY)) == {}
    land("a.csv", make_rows(3).drop(columns="Class"))
    assert labels_by_identifier(labels_of_day(zone, ingest_day(zone, DAY).transactions, DAY)) == {}


def test_labels_come_from_every_format_and_repeat_freely(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", 'transaction_id,Class\n"007",1\n', kind="labels")
    land("b.csv.gz", gzip.compress(b"transaction_id,Class\n007,1.0\nx,0\n", mtime=0), kind="labels")
    land("c.parquet", pd.DataFrame({"transaction_id": [12], "Class": [1]}), kind="labels")
    labels = labels_of_day(zone, None, DAY)
    assert labels_by_identifier(labels) == {
        name: (value, "label_file") for name, value in (("007", 1), ("12", 1), ("x", 0))
    }


def test_label_files_that_disagree_are_refused(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", "transaction_id,Class\nb,1\na,0\nc,1\n", kind="labels")
    land("b.csv", "transaction_id,Class\nb,0\na,1\nc,1\n", kind="labels")
    with pytest.raises(DataError, match="give 2 transactions both classes, the first is a; land one"):
        labels_of_day(zone, None, DAY)


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
        labels_of_day(zone, None, DAY)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "4111" not in str(refusal.value)
