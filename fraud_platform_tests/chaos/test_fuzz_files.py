"""Whatever is landed: a day whose every accepted field is what the file says, a quarantined row, or one clear line."""

import gzip
import io
import math
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.errors import PlatformError
from fraud_platform.ingestion.labels import DayLabels, labels_of_day
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import LANDED_COLUMNS, raw_transactions_schema
from fraud_platform.ingestion.transactions import IngestedDay, ingest_day
from fraud_platform_tests.chaos.fuzzing import fuzzed, outcome_of

DAY = date(2026, 3, 1)
COLUMNS = ["transaction_id", *LANDED_COLUMNS, "Class"]
MISSING = {"", "NA", "N/A", "NULL", "null", "NaN", "nan", "None", "<NA>", "#N/A", "n/a", "-nan", "-NaN"}

# Texts that some reader of numbers takes for a number, and that another takes for a different one.
NUMBER_TEXTS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(
        ["1_000", "1,5", "1.5.2", "0x10", "1e999", "-1e999", "1e-400", "+5", "-0", ".5", "5.", "1e5", "1d5", "INF",
         "infinity", "-inf", "NaN", "nan(1)", "\u0661\u0662", "\u00bd", "1\u00a0000", "00012", "1e",
         "0b1", "1j", "true", "TRUE", "1.0f", "\uff11\uff12", "9007199254740993", "1.7976931348623159e308", "4.9e-324"]
    ),
    st.text(max_size=12),
    st.text("0123456789.eE+-_ ", max_size=12),
)  # fmt: skip


def ingest(name: str, content: bytes, kind: str = "transactions") -> Any:
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / kind / DAY.isoformat()
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        zone = LandingZone.at(root)
        if kind == "labels":
            known = pd.DataFrame(
                {"transaction_id": pd.Series(["a", "b", "c"], dtype=object), "Class": [0.0, np.nan, 1.0]}
            )
            return outcome_of(lambda: labels_of_day(zone, DAY, {DAY: known}))
        return outcome_of(lambda: ingest_day(zone, DAY))


def assert_is_a_day_or_a_line(outcome: Any) -> None:
    if isinstance(outcome, PlatformError):
        assert "a." in str(outcome), f"which file? {outcome}"
        return
    assert isinstance(outcome, IngestedDay)
    raw_transactions_schema().validate(outcome.transactions)
    summary = outcome.summary
    assert summary.landed_row_count == summary.row_count + summary.duplicate_count + summary.quarantined_count


@fuzzed(40)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(COLUMNS), NUMBER_TEXTS), max_size=6, unique_by=lambda e: e[:2]
    ),
    st.sampled_from(["a.csv", "a.csv.gz", "a.parquet"]),
)
def test_every_accepted_number_is_the_one_that_was_written(edits: list[tuple[int, str, str]], name: str) -> None:
    rows = pd.DataFrame("0.5", index=range(5), columns=COLUMNS)
    rows["transaction_id"], rows["Class"] = list("abcde"), "0"
    rows["V1"] = [f"{number}.25" for number in range(5)]
    for row, column, text in edits:
        rows.loc[row, column] = text
    if not all(text.isprintable() for _, _, text in edits) and name != "a.parquet":
        # Line ends and the like move the fields of a CSV file; `test_any_rearranged_csv` looks at these.
        return
    if rows["transaction_id"].duplicated().any():
        # Which of them is kept is the business of other tests.
        return
    content = _written(rows, name)
    outcome = ingest(name, content)
    assert_is_a_day_or_a_line(outcome)
    if isinstance(outcome, PlatformError):
        return
    # An identifier is the text as it stands, blanks included.
    written = {row["transaction_id"]: row for row in rows.to_dict("records")}
    for row in outcome.transactions.to_dict("records"):
        said = written[row["transaction_id"]]
        for column in (*LANDED_COLUMNS, "Class"):
            text, number = said[column].strip(), row[column]
            if text in MISSING:
                assert column == "Class"
                assert pd.isna(number)
                continue
            # Python's own reader judges, but for digits of other scripts and underscores, which only it takes.
            assert text.isascii(), (column, text, number)
            assert "_" not in text, (column, text, number)
            assert math.isfinite(number), (column, text, number)
            assert float(text) == number, (column, text, number)


def _written(rows: pd.DataFrame, name: str) -> bytes:
    if name == "a.parquet":
        buffer = io.BytesIO()
        columns = {column: pa.array([_encodable(text) for text in rows[column]], pa.string()) for column in rows}
        pq.write_table(pa.table(columns), buffer)
        return buffer.getvalue()
    text = rows.to_csv(index=False).encode("utf-8", "surrogatepass")
    return gzip.compress(text, mtime=0) if name.endswith(".gz") else text


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


GOOD_LINES = [",".join(COLUMNS), *(",".join([f"id{row}", *["0.5"] * 30, "0"]) for row in range(6))]
PIECES = st.one_of(
    st.sampled_from(
        [b'"', b"'", b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\\"]
    ),
    st.sampled_from([b'""', b'"\n"', b",,,,,,", b"transaction_id", b"V1", b"Class,", b"#", b"\x1a", b"\xc3\x28"]),
    st.binary(max_size=6),
)


@fuzzed(40)
@given(
    st.lists(st.tuples(st.floats(0, 1), PIECES), max_size=4),
    st.lists(st.sampled_from(["drop a line", "repeat a line", "shuffle names", "repeat a name", "utf-16"]), max_size=2),
    st.data(),
)
def test_any_rearranged_csv_is_a_day_or_a_line(
    inserted: list[tuple[float, bytes]], changes: list[str], data: st.DataObject
) -> None:
    lines = list(GOOD_LINES)
    encoding = "utf-8"
    for change in changes:
        at = data.draw(st.integers(0, len(lines) - 1))
        names = lines[0].split(",")
        match change:
            case "drop a line" if len(lines) > 1:
                del lines[at]
            case "repeat a line":
                lines.insert(at, lines[at])
            case "shuffle names":
                lines[0] = ",".join(data.draw(st.permutations(names)))
            case "repeat a name":
                lines[0] = ",".join([*names[:-1], names[data.draw(st.integers(0, len(names) - 1))]])
            case "utf-16":
                encoding = "utf-16"
    content = data.draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines).encode(encoding)
    for where, piece in inserted:
        at = int(where * len(content))
        content = content[:at] + piece + content[at:]
    if data.draw(st.booleans()):
        packed = gzip.compress(content, mtime=0)
        # A second member, rubbish behind the end, or neither.
        outcome = ingest(
            "a.csv.gz", packed + data.draw(st.sampled_from([b"", gzip.compress(b"x"), b"\x00", b"rubbish"]))
        )
    else:
        outcome = ingest("a.csv", content)
    assert_is_a_day_or_a_line(outcome)


ARROW_TYPES = st.sampled_from(
    [
        pa.float16(), pa.float32(), pa.float64(), pa.int8(), pa.uint8(), pa.int64(), pa.uint64(), pa.bool_(), pa.null(),
        pa.string(), pa.large_string(), pa.binary(), pa.binary(4), pa.decimal128(20, 3), pa.decimal256(50, 3),
        pa.date32(), pa.timestamp("ns"), pa.timestamp("ms", "UTC"), pa.time64("us"), pa.duration("s"),
        pa.list_(pa.float64()), pa.struct([("a", pa.int8())]), pa.map_(pa.string(), pa.int8()),
        pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.float64()),
    ]
)  # fmt: skip


@fuzzed(40)
@given(st.lists(st.tuples(st.sampled_from(COLUMNS), ARROW_TYPES), max_size=3), st.data())
def test_a_parquet_file_of_any_types_is_a_day_or_a_line(
    typed: list[tuple[str, pa.DataType]], data: st.DataObject
) -> None:
    columns: dict[str, pa.Array] = {name: pa.array([0.5, 1.5, 2.5]) for name in COLUMNS}
    columns["transaction_id"], columns["Class"] = pa.array(["x", "y", "z"]), pa.array([0, 1, None])
    for name, kind in typed:
        columns[name] = data.draw(_arrays(kind))
    names = list(columns)
    if data.draw(st.booleans()):
        names[data.draw(st.integers(0, len(names) - 1))] = data.draw(
            st.sampled_from([*COLUMNS, "", "v1", "V1 ", "a.b"])
        )
    table = pa.Table.from_arrays(list(columns.values()), names=names)
    buffer = io.BytesIO()
    try:
        pq.write_table(
            table.slice(0, data.draw(st.integers(0, 3))),
            buffer,
            row_group_size=data.draw(st.integers(1, 3)),
            compression=data.draw(st.sampled_from(["none", "snappy", "gzip", "zstd", "brotli", "lz4"])),
        )
    except (pa.ArrowException, NotImplementedError):
        return
    assert_is_a_day_or_a_line(ingest("a.parquet", _damaged(data, buffer.getvalue())))


@st.composite
def _arrays(draw: st.DrawFn, kind: pa.DataType) -> pa.Array:
    """Three values of that type, or three missing ones where Arrow makes none of ours."""
    for values in draw(
        st.permutations([[1, 0, 1], ["1", "x", "0.5"], [b"\xff", b"1", b""], [[1.0], [], None], [{}, {}, None]])
    ):
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError, AttributeError):
            continue
    return pa.nulls(3).cast(kind) if kind != pa.null() else pa.nulls(3)


def _damaged(data: st.DataObject, content: bytes) -> bytes:
    """As it is, or with a few bytes of it changed; most of what a reader trusts stands at the end."""
    for _ in range(data.draw(st.integers(0, 2))):
        behind = data.draw(st.integers(1, len(content)))
        at = len(content) - behind
        content = content[:at] + data.draw(st.binary(min_size=1, max_size=4)) + content[at + 1 :]
    return content


LABEL_TEXTS = st.one_of(
    st.sampled_from(["0", "1", "1.0", "2", "-1", "", "NaN", "yes", "1e0", "\u0660", "0.5"]), NUMBER_TEXTS
)
LABEL_IDS = st.one_of(st.sampled_from(["a", "b", "c", " a", "unknown", "", "4111111111111111"]), st.text(max_size=8))


@fuzzed(40)
@given(
    st.lists(st.tuples(LABEL_IDS, LABEL_TEXTS), max_size=6),
    st.sampled_from(["a.csv", "a.csv.gz", "a.parquet"]),
    st.data(),
)
def test_a_label_file_gives_labels_it_holds_or_a_line(
    rows: list[tuple[str, str]], name: str, data: st.DataObject
) -> None:
    table = pd.DataFrame(rows, columns=["transaction_id", "Class"], dtype=object)
    content = _written(table, name)
    if data.draw(st.booleans()):
        content = _damaged(data, content)
        assert isinstance(ingest(name, content, "labels"), PlatformError | DayLabels)
        return
    outcome = ingest(name, content, "labels")
    if isinstance(outcome, PlatformError):
        return
    assert isinstance(outcome, DayLabels)
    written = {(identifier.strip(), text.strip()) for identifier, text in rows}
    for label in outcome.labels.to_dict("records"):
        if label["source"] == "transaction_file":
            continue
        said = [text for identifier, text in written if identifier == label["transaction_id"]]
        assert any(text.isascii() and float(text) == label["Class"] for text in said if text not in MISSING), (
            label,
            rows,
        )
