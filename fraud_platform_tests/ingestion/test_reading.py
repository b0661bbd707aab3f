"""A file that breaks the contract is refused with one line that names it, its column and rows, and no content."""

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.ingestion import reading
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import LANDED_COLUMNS
from fraud_platform.ingestion.source import LandedSource
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform_tests.ingestion.conftest import DAY, make_rows

CARD = "4111111111111111"


def csv_text(rows: pd.DataFrame) -> str:
    return rows.to_csv(index=False)


def parquet_bytes(rows: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    return buffer.getvalue()


def with_field(text: str, row: int, column: str, value: str) -> str:
    """`text` with the field of 1-based data row `row` replaced."""
    lines = text.splitlines()
    fields = lines[row].split(",")
    fields[lines[0].split(",").index(column)] = value
    lines[row] = ",".join(fields)
    return "\n".join(lines) + "\n"


TEXT = csv_text(make_rows(20))

REFUSED = {
    # name of the case: file name, content, what the message says
    "empty file": ("a.csv", "", "is empty"),
    "blank lines only": ("a.csv", "\n\n", "is empty"),
    "empty gzip": ("a.csv.gz", b"", "is empty"),
    "gzip of nothing": ("a.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
    "truncated gzip": ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0)[:-20], "not a complete gzip file"),
    "no gzip": ("a.csv.gz", TEXT, "not a complete gzip file"),
    "empty parquet": ("a.parquet", b"", "is empty"),
    "no parquet": ("a.parquet", TEXT, "not a readable Parquet file"),
    "truncated parquet": ("a.parquet", parquet_bytes(make_rows(20))[:-50], "not a readable Parquet file"),
    "missing column": ("a.csv", csv_text(make_rows(3).drop(columns=["V7", "V9"])), "lacks columns 'V7', 'V9'"),
    "extra column": ("a.csv", csv_text(make_rows(3).assign(pan=1)), "does not expect column 'pan'"),
    "index column": ("a.csv", make_rows(3).to_csv(), "does not expect column ''"),
    "repeated column": ("a.csv", TEXT.replace("V2,", "V1,V2,", 1), "repeats column 'V1'"),
    "no header": ("a.csv", TEXT.split("\n", 1)[1], "the first row must name the columns"),
    "semicolons": ("a.csv", TEXT.replace(",", ";"), "separate the fields with commas"),
    "spaces around names": ("a.csv", TEXT.replace(",", " , ", 30), "does not expect columns 'Time ', ' V1 '"),
    "card number as column": ("a.csv", TEXT.replace("V3,", f"{CARD},", 1), "'[card number]'"),
    "text in a number": ("a.csv", with_field(TEXT, 7, "V3", "abc"), "column V3 holds no number in data row 7"),
    "NUL byte": ("a.csv", with_field(TEXT, 9, "Amount", "1\x00"), "column Amount holds no number in data row 9"),
    "decimal comma": ("a.csv", with_field(TEXT, 2, "V5", '"1,5"'), "column V5 holds no number in data row 2"),
    "nan of something": ("a.csv", with_field(TEXT, 4, "V5", "nan(1)"), "column V5 holds no number in data row 4"),
    "text as Class": ("a.csv", with_field(TEXT, 4, "Class", "fraud"), "column Class holds no number in data row 4"),
    "short row": ("a.csv", TEXT + "1,2,3\n", "has 3 fields in data row 21, expected 31"),
    "long row": ("a.csv", with_field(TEXT, 5, "V1", "1,2"), "has 32 fields in data row 5, expected 31"),
    "cut off in the last row": ("a.csv", TEXT[:-30].rsplit(",", 3)[0], "fields in data row 20, expected 31"),
    "unclosed quote": ("a.csv", with_field(TEXT, 3, "V2", '"1'), "fields in data row 3"),
    "unclosed quote over a block": ("a.csv", with_field(TEXT, 3, "V2", '"1') + TEXT * 2000, "unclosed quote"),
    "bytes of no encoding in a short row": ("a.csv", TEXT.encode() + b"\xff,\n", "has 2 fields in data row 21"),
    "UTF-16": ("a.csv", TEXT.encode("utf-16"), "not UTF-8"),
    "text in parquet": ("a.parquet", parquet_bytes(make_rows(3).assign(V1=["1", "x", "y"])), "V1 holds no number"),
    "time in parquet": ("a.parquet", parquet_bytes(make_rows(3).assign(V1=pd.Timestamp(0))), "V1 is of type timestamp"),
    "bool in parquet": ("a.parquet", parquet_bytes(make_rows(3).assign(V1=True)), "V1 is of type bool"),
    "float identifiers": ("a.parquet", parquet_bytes(make_rows(3).assign(transaction_id=0.5)), "is of type double"),
    "Latin-1 identifier": (
        "a.csv",
        csv_text(make_rows(3).assign(transaction_id=["a", "é", "c"])).encode("latin-1"),
        "column transaction_id holds no clean UTF-8 text in data row 2",
    ),
    "line break in identifier": (
        "a.csv",
        csv_text(make_rows(3).assign(transaction_id=["a", "b\nc", "d"])),
        "transaction_id holds no clean UTF-8 text in data row 2",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_damaged_file_is_refused_with_its_name_and_place(
    land: Callable[..., Path], zone: LandingZone, name: str, content: bytes | str, message: str
) -> None:
    path = land(name, content)
    before = path.read_bytes()
    with pytest.raises(DataError) as refusal:
        ingest_day(zone, DAY)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert path.read_bytes() == before


def test_the_first_bad_rows_are_named_and_the_others_counted(land: Callable[..., Path], zone: LandingZone) -> None:
    text = TEXT
    for row in (2, 3, 5, 7, 11, 13, 17):
        text = with_field(text, row, "V4", "x")
    land("a.csv", with_field(text, 1, "V9", "y"))
    with pytest.raises(DataError, match="column V4 holds no number in data rows 2, 3, 5, 7, 11 and 2 more, and so do"):
        ingest_day(zone, DAY)


def test_bad_rows_are_numbered_across_parser_blocks(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(5000)
    land("a.csv", with_field(csv_text(rows), 4321, "V28", "x"))
    with pytest.raises(DataError, match="column V28 holds no number in data row 4321;"):
        ingest_day(zone, DAY)
    land("a.csv", with_field(csv_text(rows), 4321, "V28", "1,2"))
    with pytest.raises(DataError, match="has 32 fields in data row 4321, expected 31;"):
        ingest_day(zone, DAY)


@pytest.mark.parametrize("content", ["x,y\n", TEXT + "1,2\n", TEXT.replace("V3,", f"{CARD},", 1)])
def test_a_card_number_in_a_file_name_is_never_shown(
    land: Callable[..., Path], zone: LandingZone, content: str
) -> None:
    land(f"{CARD}.csv", content)
    with pytest.raises(DataError) as refusal:
        ingest_day(zone, DAY)
    assert CARD not in str(refusal.value)
    assert "[card number].csv" in str(refusal.value)


def test_values_where_names_should_stand_are_never_shown(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", "31.25" + TEXT.split("\n", 1)[1])
    with pytest.raises(DataError, match="the first row must name the columns") as refusal:
        ingest_day(zone, DAY)
    assert "31.25" not in str(refusal.value)
    assert "does not expect" not in str(refusal.value)


def test_a_card_number_beside_a_bad_field_is_never_shown(land: Callable[..., Path], zone: LandingZone) -> None:
    land("a.csv", with_field(with_field(TEXT, 3, "V1", "4111 1111 1111 1111"), 3, "V2", f"x{CARD[:-1]}"))
    with pytest.raises(DataError, match="column V2") as refusal:
        ingest_day(zone, DAY)
    assert "1111" not in str(refusal.value)


ACCEPTED = {
    "CRLF": TEXT.replace("\n", "\r\n").encode(),
    "CR": TEXT.replace("\n", "\r").encode(),
    "byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "quoted header": ",".join(f'"{name}"' for name in TEXT.split("\n")[0].split(",")).encode()
    + b"\n"
    + TEXT.split("\n", 1)[1].encode(),
    "quoted fields": make_rows(20).to_csv(index=False, quoting=1).encode(),
    "other column order": make_rows(20)[[*reversed(make_rows(1).columns)]].to_csv(index=False).encode(),
    "no final line end": TEXT.rstrip("\n").encode(),
    "blank lines": TEXT.replace("\n", "\n\n").encode(),
    "spaces around numbers": TEXT.replace(",", " , ").replace(" , ", ",", 30).encode(),
    "Class as 0.0": make_rows(20).astype({"Class": float}).to_csv(index=False).encode(),
    "several gzip members": None,
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_same_rows_in_another_dress_are_the_same_table(
    land: Callable[..., Path], zone: LandingZone, case: str
) -> None:
    land("a.csv", TEXT)
    expected = ingest_day(zone, DAY).transactions
    (Path(zone.root.path) / "transactions" / DAY.isoformat() / "a.csv").unlink()
    content = ACCEPTED[case]
    if content is None:
        land("a.csv.gz", gzip.compress(TEXT[:999].encode(), mtime=0) + gzip.compress(TEXT[999:].encode()))
    else:
        land("a.csv", content)
    pd.testing.assert_frame_equal(ingest_day(zone, DAY).transactions, expected)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_header_alone_is_a_day_without_transactions(
    land: Callable[..., Path], zone: LandingZone, ending: str
) -> None:
    land("a.csv", ",".join(LANDED_COLUMNS) + ending)
    ingested = ingest_day(zone, DAY)
    assert len(ingested.transactions) == 0
    assert ingested.summary.quarantine_share == 0.0


@pytest.mark.parametrize(
    "retype",
    [
        {"Time": "int64", "Class": "int8"},
        {"Time": "Int64", "Class": "Int64"},
        {"Class": "float64"},
        {"Class": "str"},
        {"V1": "str", "Amount": "string"},
        {"Class": "category"},
    ],
)
def test_parquet_numbers_may_be_typed_in_any_way_that_keeps_them(
    land: Callable[..., Path], zone: LandingZone, retype: dict[str, str]
) -> None:
    path = land("a.parquet", make_rows(20))
    expected = ingest_day(zone, DAY).transactions
    make_rows(20).astype(retype).to_parquet(path, index=False)
    pd.testing.assert_frame_equal(ingest_day(zone, DAY).transactions, expected)


def test_text_numbers_are_read_to_the_last_bit(land: Callable[..., Path], zone: LandingZone) -> None:
    rows = make_rows(200)
    land("a.csv", rows)
    table = reading.read_landed_table(zone.transaction_files(DAY)[0], required=LANDED_COLUMNS, optional=("Class",))
    np.testing.assert_array_equal(table.numbers["V1"], rows["V1"].to_numpy())


def test_a_file_removed_before_it_is_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.csv is gone since it was listed"):
        reading.read_landed_table(UPath(tmp_path / "gone.csv"), required=LANDED_COLUMNS)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "day.csv")
    with pytest.raises(DataError, match=r"day.csv is no file but a folder, pipe or device"):
        reading.read_landed_table(UPath(tmp_path / "day.csv"), required=LANDED_COLUMNS)


class _Interrupted(LandedSource):
    """A source whose file something happens to at its first read."""

    happenings: list[Callable[[], object]]

    def read(self, size: int = -1) -> bytes:
        is_first = self._byte_count == 0
        block = super().read(size)
        if is_first and self.happenings:
            self.happenings.pop(0)()
        return block


def test_a_file_rewritten_while_it_is_read_is_read_again_whole(
    land: Callable[..., Path], zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land("a.csv", TEXT)
    _Interrupted.happenings = [lambda: path.write_text(csv_text(make_rows(30, seed=1)))]
    monkeypatch.setattr(reading, "LandedSource", _Interrupted)
    summary = ingest_day(zone, DAY).summary
    assert summary.row_count == 30
    assert summary.files[0].byte_count == path.stat().st_size


def test_a_file_replaced_by_a_rename_while_it_is_read_is_never_a_mixture(
    land: Callable[..., Path], zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land("a.csv", TEXT)
    replacement = land("b.csv.partial", csv_text(make_rows(30, seed=1)))
    expected = ingest_day(zone, DAY).summary
    _Interrupted.happenings = [lambda: os.replace(replacement, path)]
    monkeypatch.setattr(reading, "LandedSource", _Interrupted)
    # What was opened stays readable as it was; the next run sees the replacement.
    assert ingest_day(zone, DAY).summary == expected
    assert ingest_day(zone, DAY).summary.row_count == 30


def test_a_file_that_never_stops_growing_is_refused(
    land: Callable[..., Path], zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land("a.csv", TEXT)

    def grow() -> None:
        with path.open("a") as file:
            file.write("1,")

    _Interrupted.happenings = [grow] * 9
    monkeypatch.setattr(reading, "LandedSource", _Interrupted)
    with pytest.raises(DataError, match=r"a.csv keeps changing while it is read"):
        ingest_day(zone, DAY)


def test_a_storage_failure_is_not_blamed_on_the_data(
    land: Callable[..., Path], zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    for name, content in (("a.csv", TEXT), ("a.csv.gz", gzip.compress(TEXT.encode(), mtime=0)), ("a.parquet", b"x")):
        path = land(name, content)
        _Interrupted.happenings = [fail]
        monkeypatch.setattr(reading, "LandedSource", _Interrupted)
        with pytest.raises(OSError, match="Input/output error"):
            ingest_day(zone, DAY)
        path.unlink()
