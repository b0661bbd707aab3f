"""A day's rows: who they are, when they happened, which are removed, which are set aside, and that all are counted."""

import gzip
import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.ingestion import quarantine
from fraud_platform.ingestion.identity import day_in_identifier, derive_identifiers, event_times, hash_rows
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import RAW_TRANSACTIONS_COLUMNS, raw_transactions_schema
from fraud_platform.ingestion.transactions import IngestedDay, ingest_day, ingest_file
from fraud_platform_tests.ingestion.conftest import DAY, make_rows

CARD = "4111111111111111"
SAMPLE = Path(__file__).resolve().parents[3] / "shared/data/creditcard_sample.csv"


def assert_every_row_is_counted(ingested: IngestedDay) -> None:
    summary = ingested.summary
    assert summary.landed_row_count == summary.row_count + summary.duplicate_count + summary.quarantined_count
    assert summary.row_count == len(ingested.transactions)
    assert summary.quarantined_count == len(ingested.quarantine) == sum(summary.quarantined_by_reason.values())


def test_the_table_keeps_its_contract(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(50))
    land("b.parquet", make_rows(50, seed=1).drop(columns="Class"))
    ingested = ingest_day(zone, DAY)
    table = raw_transactions_schema().validate(ingested.transactions)
    assert tuple(table.columns) == RAW_TRANSACTIONS_COLUMNS
    assert table["Class"].isna().sum() == 50
    figures = ingested.summary.as_figures()
    assert (figures["landed_rows"], figures["frauds"], sorted(figures["landed_files"])) == (
        100,
        1,
        ["a.csv", "b.parquet"],
    )
    assert table.equals(table.sort_values(["event_time", "transaction_id"]))
    assert_every_row_is_counted(ingested)


def test_an_unlabelled_or_empty_day_keeps_the_contract_too(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(0))
    raw_transactions_schema().validate(ingest_day(zone, DAY).transactions)
    land("a.csv", make_rows(5).drop(columns="Class"))
    ingested = ingest_day(zone, DAY)
    raw_transactions_schema().validate(ingested.transactions)
    assert ingested.summary.fraud_count is None
    assert ingested.summary.as_metadata()["fraud_count"] == ""
    assert ingested.summary.as_figures()["frauds"] == "not labelled"


def test_every_second_of_any_day_falls_into_the_partition_day() -> None:
    seconds = np.array([0.0, 1.5, 86_399.0, 86_400.0, 172_792.0, 86_399.999_999_9, 2.3])
    times = pd.to_datetime(event_times(date(2026, 1, 2), seconds), unit="us")
    assert [str(time) for time in times] == [
        "2026-01-02 00:00:00",
        "2026-01-02 00:00:01.500000",
        "2026-01-02 23:59:59",
        "2026-01-02 00:00:00",
        "2026-01-02 23:59:52",
        "2026-01-02 23:59:59.999999",
        "2026-01-02 00:00:02.300000",
    ]


def test_derived_identifiers_never_change() -> None:
    # A release that changes these makes every stored label an orphan. Computed with SplitMix64 over Python integers.
    hashes = hash_rows([np.array([0.0, -0.0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0, 3.0])])
    assert derive_identifiers(date(2026, 1, 2), hashes).to_pylist() == [
        "20260102-db269438518a37a0",
        "20260102-db269438518a37a0",
        "20260102-dbff51d09d2b1759",
        "20260102-becd32c2cf02cda1",
    ]


def test_derived_identifiers_ignore_class_file_and_position(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(10)
    path = land("a.csv", rows)
    expected = ingest_day(zone, DAY).transactions["transaction_id"].tolist()
    path.unlink()
    land("z.parquet", rows.iloc[::-1].assign(Class=0))
    assert ingest_day(zone, DAY).transactions["transaction_id"].tolist() == expected


def test_given_identifiers_are_kept_as_text(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(3).assign(transaction_id=["007", "1e5", "ü"], Time=[1, 2, 3]))
    assert ingest_day(zone, DAY).transactions["transaction_id"].tolist() == ["007", "1e5", "ü"]


def test_files_with_and_without_identifiers_make_one_day(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(3).assign(transaction_id=["x", "y", "z"]))
    land("b.csv", make_rows(3, seed=1))
    land("c.parquet", make_rows(2, seed=2).assign(transaction_id=[1, 2]))
    identifiers = set(ingest_day(zone, DAY).transactions["transaction_id"])
    assert {"x", "y", "z", "1", "2"} < identifiers
    assert sum(name.startswith("20260102-") for name in identifiers) == 3


def test_rows_delivered_again_are_removed_and_counted(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(10)
    land("a.csv", pd.concat([rows, rows.iloc[:2]]))
    land("b.parquet", rows.iloc[5:])
    ingested = ingest_day(zone, DAY)
    assert (ingested.summary.row_count, ingested.summary.duplicate_count) == (10, 7)
    assert_every_row_is_counted(ingested)


def test_a_row_delivered_again_with_its_label_has_the_label(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(10)
    land("a.csv", rows.drop(columns="Class"))
    land("b.csv", rows)
    ingested = ingest_day(zone, DAY)
    assert (ingested.summary.duplicate_count, ingested.summary.fraud_count) == (10, 1)
    assert ingested.transactions["Class"].notna().all()


def test_an_identifier_used_again_for_other_values_is_quarantined(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(2).assign(transaction_id=["x", "y"]))
    land("b.csv", make_rows(2, seed=1).assign(transaction_id=["x", "z"]))
    ingested = ingest_day(zone, DAY)
    assert sorted(ingested.transactions["transaction_id"]) == ["x", "y", "z"]
    expected = [("b.csv", 1, "transaction_id", quarantine.REPEATED_ID)]
    assert list(ingested.quarantine.itertuples(index=False, name=None)) == expected
    first = ingested.transactions.set_index("transaction_id").loc["x", "V1"]
    assert first == make_rows(2).loc[0, "V1"]
    assert_every_row_is_counted(ingested)


def test_a_row_delivered_again_with_the_other_label_is_quarantined(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    rows = make_rows(3)
    land("a.csv", rows)
    land("b.csv", rows.assign(Class=1))
    ingested = ingest_day(zone, DAY)
    assert (ingested.summary.duplicate_count, ingested.summary.quarantined_count) == (1, 2)
    assert ingested.summary.fraud_count == 1


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("V1", "", quarantine.MISSING),
        ("Time", "NULL", quarantine.MISSING),
        ("Amount", "nan", quarantine.MISSING),
        ("V2", "inf", quarantine.INFINITE),
        ("V3", "-Infinity", quarantine.INFINITE),
        ("V3", "1e999", quarantine.INFINITE),
        ("Amount", "-0.01", quarantine.NEGATIVE_AMOUNT),
        ("Time", "-1", quarantine.NEGATIVE_TIME),
        ("Class", "2", quarantine.INVALID_CLASS),
        ("Class", "0.5", quarantine.INVALID_CLASS),
        ("Class", "inf", quarantine.INVALID_CLASS),
        ("Class", CARD, quarantine.CARD_NUMBER),
        ("V4", CARD, quarantine.CARD_NUMBER),
        ("V4", f"{CARD}.0", quarantine.CARD_NUMBER),
        ("V4", "4.111111111111111e15", quarantine.CARD_NUMBER),
        ("V4", "4111 1111 1111 1111", quarantine.CARD_NUMBER),
        ("V4", "4111-1111-1111-1111", quarantine.CARD_NUMBER),
        ("Time", "card 378282246310005", quarantine.CARD_NUMBER),
        ("transaction_id", "4111 1111 1111 1111", quarantine.CARD_NUMBER),
        ("transaction_id", CARD, quarantine.CARD_NUMBER),
        ("transaction_id", "", quarantine.MISSING),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
def test_a_bad_row_is_quarantined_with_its_reason(
    land: Callable[..., Path], zone: LandingZone, name: str, column: str, value: str, reason: str
) -> None:
    rows = make_rows(4).assign(transaction_id=list("abcd")).astype(str)
    rows.loc[2, column] = value
    content = rows if name != "a.csv.gz" else gzip.compress(rows.to_csv(index=False).encode())
    land(name, content)
    ingested = ingest_day(zone, DAY)
    assert list(ingested.quarantine.itertuples(index=False, name=None)) == [(name, 3, column, reason)]
    assert ingested.summary.quarantined_by_reason == {reason: 1}
    assert ingested.summary.quarantine_share == 0.25
    assert ingested.transactions["transaction_id"].isin(list("abd")).all()
    assert_every_row_is_counted(ingested)
    raw_transactions_schema().validate(ingested.transactions)


def test_a_card_number_is_quarantined_from_typed_parquet_numbers(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.parquet", make_rows(3).assign(V1=[0, int(CARD), 1], V2=[float(CARD), 0.0, 0.0]))
    lines = ingest_day(zone, DAY).quarantine
    assert lines[["row", "column"]].to_numpy().tolist() == [[1, "V2"], [2, "V1"]]


def test_a_row_with_several_problems_is_one_line_and_the_card_number_comes_first(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    rows = make_rows(2).astype(str)
    rows.loc[0, ["Time", "V1", "Amount", "V28"]] = ["-1", "", "-5", CARD]
    land("a.csv", rows)
    lines = ingest_day(zone, DAY).quarantine
    assert list(lines.itertuples(index=False, name=None)) == [("a.csv", 1, "V28", quarantine.CARD_NUMBER)]


def test_a_card_number_is_nowhere_in_what_is_kept(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(3).assign(transaction_id=["a", CARD, "c"]).astype(str)
    rows.loc[0, "V1"] = CARD
    land(f"day-{CARD}.csv", rows)
    ingested = ingest_day(zone, DAY)
    kept = f"{ingested.transactions.to_csv()}{ingested.quarantine.to_csv()}{ingested.summary.as_metadata()}"
    assert CARD not in kept
    assert ingested.quarantine["file"].unique().tolist() == ["day-[card number].csv"]


def test_the_empty_quarantine_has_its_columns_and_types(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", make_rows(2))
    lines = ingest_day(zone, DAY).quarantine
    assert tuple(lines.columns) == quarantine.QUARANTINE_COLUMNS
    assert lines["row"].dtype == np.int64


def test_the_data_version_follows_the_bytes_and_the_names(land: Callable[..., Path], zone: LandingZone) -> None:
    path = land("simulated.csv", make_rows(5))
    first = ingest_day(zone, DAY).summary
    assert ingest_day(zone, DAY).summary == first
    assert first.files[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert first.files[0].byte_count == path.stat().st_size
    assert first.origin == "simulated"
    land("simulated.csv", make_rows(5, seed=1))
    assert ingest_day(zone, DAY).summary.data_version != first.data_version
    assert all(isinstance(text, str) for text in first.as_metadata().values())


def test_a_day_without_files_says_where_to_land_one(zone: LandingZone) -> None:
    with pytest.raises(DataError, match=r"no transactions for 2026-01-02 in .*transactions/2026-01-02; land a .csv"):
        ingest_day(zone, DAY)


def test_one_file_alone_keeps_its_order_and_repetitions(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(5)
    rows.loc[3, "Amount"] = -1
    land("a.csv", pd.concat([rows, rows.iloc[:1]]))
    ingested = ingest_file(zone.transaction_files(DAY)[0], DAY)
    assert ingested.transactions["V1"].tolist() == [*rows["V1"].drop(3), rows.loc[0, "V1"]]
    assert ingested.quarantine["row"].tolist() == [4]
    assert ingested.file.name == "a.csv"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the real rows are not beside the project")
def test_the_public_file_lands_without_loss(land: Callable[..., Path], zone: LandingZone) -> None:
    land("public.csv", SAMPLE.read_bytes())
    ingested = ingest_day(zone, DAY)
    raw_transactions_schema().validate(ingested.transactions)
    assert (ingested.summary.row_count, ingested.summary.fraud_count) == (31_329, 331)
    assert ingested.summary.quarantined_count == ingested.summary.duplicate_count == 0
    expected = pd.read_csv(SAMPLE, float_precision="round_trip")
    for name in ("V1", "Amount", "Time"):
        assert sorted(ingested.transactions[name]) == sorted(expected[name])


@pytest.mark.parametrize(
    ("identifier", "day"),
    [
        ("20260102-a53be12f08c7d946", date(2026, 1, 2)),
        ("20260230-a53be12f08c7d946", None),  # no such day
        ("2026010-a53be12f08c7d946", None),  # too short
        ("٢٠٢٦٠١٠٢-a5", None),  # digits of another script, which no derived identifier has
        ("order-17", None),
        ("", None),
    ],
)
def test_a_derived_identifier_tells_its_day_and_others_tell_none(identifier, day):
    assert day_in_identifier(identifier) == day
