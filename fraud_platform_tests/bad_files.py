"""Landed files that break the contract, each with what a person must be told about it (DESIGN.md, section 7)."""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fraud_platform_tests.platform_home import FIRST, simulated

# A test number of a card scheme: valid check digit, no customer.
CARD = "4111111111111111"


def good_rows(count: int = 400) -> pd.DataFrame:
    """A small day in the landing format."""
    return simulated([FIRST], rows_per_day=count)[0]


@dataclass(frozen=True)
class BadFile:
    """A file and the words its refusal must hold, beside the file's own name."""

    name: str
    content: Callable[[], bytes]
    words: tuple[str, ...]


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _parquet(table: pd.DataFrame) -> bytes:
    return table.to_parquet(index=False)


def _with_text() -> pd.DataFrame:
    table = good_rows().astype({"V4": object})
    table.loc[[1, 6], "V4"] = "twelve"
    return table


def _ragged() -> bytes:
    lines = _csv(good_rows()).splitlines()
    lines[3] += b",1"
    return b"\n".join(lines)


def _cut_parquet() -> bytes:
    data = _parquet(good_rows())
    return data[: len(data) // 2]


def _cut_gzip() -> bytes:
    data = gzip.compress(_csv(good_rows()))
    return data[: len(data) // 2]


BAD_FILES = [
    BadFile("lacking.csv", lambda: _csv(good_rows().drop(columns=["V3", "Amount"])), ("lacks", "'V3'", "'Amount'")),
    BadFile("lacking.parquet", lambda: _parquet(good_rows().drop(columns="V3")), ("lacks", "'V3'")),
    BadFile("surplus.csv", lambda: _csv(good_rows().assign(Merchant=1)), ("does not expect", "'Merchant'")),
    BadFile("text.csv", lambda: _csv(_with_text()), ("column V4", "no number", "data rows 2, 7")),
    BadFile(
        "dates.parquet",
        lambda: _parquet(good_rows().assign(Amount=pd.Timestamp("2026-01-01"))),
        ("column Amount", "timestamp", "expected numbers"),
    ),
    BadFile("ragged.csv", _ragged, ("32 fields", "data row 3", "expected 31")),
    BadFile(
        "headless.csv", lambda: good_rows().to_csv(index=False, header=False).encode(), ("the first row must name",)
    ),
    BadFile("empty.csv", lambda: b"", ("is empty",)),
    BadFile("noise.parquet", lambda: np.random.default_rng(0).bytes(5_000), ("not a readable Parquet file",)),
    BadFile("cut.parquet", _cut_parquet, ("not a readable Parquet file",)),
    BadFile("cut.csv.gz", _cut_gzip, ("not a complete gzip file",)),
    # A card number beside the defect must not come along in the message.
    BadFile(
        "card.csv",
        lambda: _csv(_with_text().rename(columns={"V5": CARD})),
        ("lacks", "'V5'", "[card number]"),
    ),
]


def bad_rows() -> tuple[bytes, dict[str, int]]:
    """A CSV file of 1000 good rows and one of each bad kind, and how many rows each reason takes."""
    table = good_rows(1_008).astype({"Class": object, "V7": object, "Amount": object})
    table.insert(0, "transaction_id", [f"bank-{row}" for row in range(len(table))])
    table.loc[0, "V7"] = ""
    table.loc[1, "Amount"] = -1.0
    table.loc[2, "V7"] = "inf"
    table.loc[3, "Class"] = 2
    table.loc[4, "transaction_id"] = CARD
    table.loc[5, "transaction_id"] = "4111 1111 1111 1111"
    table.loc[6, "V7"] = f"{CARD}"
    table.loc[7, "transaction_id"] = ""
    buffer = io.StringIO()
    table.to_csv(buffer, index=False)
    reasons = {
        "value is missing": 2,
        "Amount is negative": 1,
        "value is infinite or beyond float32": 1,
        "Class is neither 0 nor 1": 1,
        "field holds a card number": 3,
    }
    return buffer.getvalue().encode(), reasons
