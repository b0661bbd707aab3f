"""Whatever the table and its files look like, the same rows make the same day; whatever is damaged, no crash."""

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.errors import DataError
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import LANDED_COLUMNS, raw_transactions_schema
from fraud_platform.ingestion.transactions import IngestedDay, ingest_day
from fraud_platform_tests.ingestion.conftest import DAY, make_rows

FORMATS = ("csv", "csv.gz", "parquet")
FINITE = st.floats(-1e11, 1e11)
POSITIVE = st.floats(0, 1e11)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Good rows in the landing format: labelled, partly or not at all; with identifiers or without."""
    rows = draw(
        st.lists(
            st.tuples(POSITIVE, *[FINITE] * 3, POSITIVE, st.sampled_from([0.0, 1.0, np.nan])),
            max_size=12,
            unique_by=lambda row: tuple(value + 0.0 for value in row[:5]),
        )
    )
    table = pd.DataFrame(0.5, index=range(len(rows)), columns=[*LANDED_COLUMNS, "Class"])
    table[["Time", "V1", "V14", "V28", "Amount", "Class"]] = np.array(rows).reshape(-1, 6)
    if draw(st.booleans()):
        table = table.drop(columns="Class")
    if draw(st.booleans()):
        missing = {"NA", "N/A", "NULL", "null", "None"}
        table["transaction_id"] = draw(
            st.lists(
                LINES.filter(lambda line: line not in missing), min_size=len(rows), max_size=len(rows), unique=True
            )
        )
        table["transaction_id"] = table["transaction_id"].astype(object)
    return table


def file_bytes(table: pd.DataFrame, kind: str) -> bytes:
    if kind == "parquet":
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    text = table.to_csv(index=False).encode()
    return gzip.compress(text, mtime=0) if kind == "csv.gz" else text


def ingest_or_refusal(name: str, content: bytes) -> IngestedDay | DataError:
    try:
        return ingest({name: content})
    except DataError as error:
        return error


def assert_is_valid_or_refused(outcome: IngestedDay | DataError) -> None:
    if isinstance(outcome, DataError):
        assert "\n" not in str(outcome)
        return
    raw_transactions_schema().validate(outcome.transactions)
    summary = outcome.summary
    assert summary.landed_row_count == summary.row_count + summary.duplicate_count + summary.quarantined_count


def ingest(files: dict[str, bytes]) -> IngestedDay:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "transactions" / DAY.isoformat()
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return ingest_day(LandingZone.at(root), DAY)


@settings(max_examples=40, deadline=None)
@given(tables(), st.data())
def test_any_split_order_and_format_give_the_same_day(table: pd.DataFrame, data: st.DataObject) -> None:
    expected = ingest({"a.parquet": file_bytes(table, "parquet")})
    assert len(expected.transactions) + len(expected.quarantine) == len(table)
    shuffled = table.iloc[data.draw(st.permutations(range(len(table))))]
    columns = data.draw(st.permutations(list(table.columns)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(table)), max_size=3)))
    pieces = [shuffled.iloc[start:end] for start, end in zip([0, *cuts], [*cuts, len(table)], strict=True)]
    repeated = data.draw(st.integers(0, len(table)))
    pieces.append(shuffled.iloc[:repeated])
    kinds = [data.draw(st.sampled_from(FORMATS)) for _ in pieces]
    files = {
        f"{i}.{kind}": file_bytes(piece[columns], kind)
        for i, (piece, kind) in enumerate(zip(pieces, kinds, strict=True))
    }
    ingested = ingest(files)
    pd.testing.assert_frame_equal(ingested.transactions, expected.transactions)
    summary = ingested.summary
    assert summary.landed_row_count == summary.row_count + summary.duplicate_count + summary.quarantined_count
    raw_transactions_schema().validate(ingested.transactions)


GOOD = {kind: file_bytes(make_rows(40).assign(transaction_id=[f"id-{i}" for i in range(40)]), kind) for kind in FORMATS}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_damaged_bytes_give_a_data_error_or_a_valid_table(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(GOOD[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        match data.draw(st.sampled_from(["overwrite", "insert", "delete", "cut"])):
            case "overwrite":
                damaged[position : position + 1] = data.draw(st.binary(min_size=1, max_size=8))
            case "insert":
                damaged[position:position] = data.draw(
                    st.binary(max_size=8) | st.sampled_from([b'"', b"\n", b",", b"\r"])
                )
            case "delete":
                del damaged[position : position + data.draw(st.integers(1, 50))]
            case "cut":
                del damaged[position:]
    assert_is_valid_or_refused(ingest_or_refusal(f"a.{kind}", bytes(damaged)))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(FORMATS), st.binary(max_size=200))
def test_any_bytes_at_all_give_a_data_error_or_a_valid_table(kind: str, content: bytes) -> None:
    assert_is_valid_or_refused(ingest_or_refusal(f"a.{kind}", content))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*LANDED_COLUMNS, "Class", "transaction_id"]), st.text(max_size=20), st.booleans())
def test_any_text_in_any_field_is_judged_alike_in_csv_and_parquet(column: str, text: str, is_padded: bool) -> None:
    rows = make_rows(3).assign(transaction_id=["a", "b", "c"]).astype(str)
    rows.loc[1, column] = f" {text} " if is_padded else text

    def outcome(kind: str) -> object:
        ingested = ingest_or_refusal(f"a.{kind}", file_bytes(rows, kind))
        if isinstance(ingested, DataError):
            return str(ingested).partition(":")[2]
        return ingested.transactions.to_csv() + ingested.quarantine[["row", "column", "reason"]].to_csv()

    # A surrogate or a NUL cannot be written, and a line break is a matter of quoting, which Parquet does not have.
    if text.isprintable():
        assert outcome("csv") == outcome("parquet")
