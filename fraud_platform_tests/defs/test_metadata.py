"""What a materialisation shows of a table: figures of its columns, and no row of it."""

import numpy as np
import pandas as pd

from fraud_platform.defs.metadata import preview

TABLE = pd.DataFrame(
    {
        "transaction_id": ["a", "b", "c", "d"],
        "event_time": pd.date_range("2026-01-02", periods=4, tz="UTC"),
        # Large beside its spread: a sum of squares less the square of the sum would lose all digits.
        "Time": [1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3],
        "Amount": np.array([0.5, 1.5, 2.5, 100.0], dtype=np.float32),
        "Class": pd.array([0, None, 1, 0], dtype="Int8"),
        "challenger_probability": [np.nan] * 4,
    }
)


def test_the_preview_has_the_figures_pandas_has_of_every_numeric_column():
    shown = {record.data["column"]: record.data for record in preview(TABLE).records}
    assert list(shown) == ["Time", "Amount", "Class", "challenger_probability"]
    for name in ("Time", "Amount", "Class"):
        column = TABLE[name].astype("float64")
        expected = {what: float(f"{getattr(column, what)():.6g}") for what in ("mean", "std", "min", "max")}
        assert shown[name] == {"column": name, **expected}
    assert set(shown["challenger_probability"].values()) == {"challenger_probability", None}


def test_the_preview_leaves_the_table_as_it_was():
    table = TABLE.copy()
    preview(table)
    pd.testing.assert_frame_equal(table, TABLE)


def test_of_one_row_there_is_no_deviation_and_of_none_no_preview():
    (amount,) = preview(TABLE.loc[:0, ["Amount"]]).records
    assert amount.data == {"column": "Amount", "mean": 0.5, "std": None, "min": 0.5, "max": 0.5}
    assert preview(TABLE[:0]).records == []
