"""Labelled rows: features and labels of one split meet by id, in one order, and none is missing."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.training.dataset import assemble, feature_matrix

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def features_of(ids: list[str], first: float) -> pd.DataFrame:
    values = {name: np.full(len(ids), first, np.float32) for name in FEATURE_NAMES}
    table = pd.DataFrame({"transaction_id": ids, **values})
    table["V1"] = np.arange(len(ids), dtype=np.float32) + np.float32(first)
    return table


FEATURES = {MONDAY: features_of(["c", "a", "b"], 10.0), TUESDAY: features_of(["e", "d"], 20.0)}
SPLITS = pd.DataFrame(
    {
        "transaction_id": ["d", "e", "b", "a", "c"],
        "day": pd.to_datetime([TUESDAY, TUESDAY, MONDAY, MONDAY, MONDAY]),
        "Class": np.array([1, 0, 1, 0, 0], np.int8),
        "split": ["train", "train", "train", "train", "test"],
        "twin_group": [1, 2, 3, 4, 5],
    }
)


def test_rows_are_ordered_by_day_then_id_with_their_own_features_and_labels() -> None:
    rows = assemble(FEATURES, SPLITS, "train")
    assert list(rows.transaction_ids) == ["a", "b", "d", "e"]
    assert list(rows.labels) == [0, 1, 1, 0]
    assert list(rows.features[:, 0]) == [11.0, 12.0, 21.0, 20.0]
    assert list(rows.amounts) == [10.0, 10.0, 20.0, 20.0]
    assert list(rows.days.astype(str)) == ["2026-01-05", "2026-01-05", "2026-01-06", "2026-01-06"]
    assert rows.features.dtype == np.float32
    assert rows.features.flags.c_contiguous
    assert (rows.row_count, rows.fraud_count) == (4, 2)


def test_the_order_of_input_rows_is_without_effect() -> None:
    shuffled = {day: table.iloc[::-1] for day, table in reversed(FEATURES.items())}
    ours, theirs = assemble(FEATURES, SPLITS, "train"), assemble(shuffled, SPLITS.iloc[::-1], "train")
    np.testing.assert_array_equal(ours.features, theirs.features)
    np.testing.assert_array_equal(ours.transaction_ids, theirs.transaction_ids)


def test_a_transaction_without_features_is_named() -> None:
    with pytest.raises(DataError, match=r"1 of 2 transactions of split 'train' on 2026-01-05 .* first b"):
        assemble({**FEATURES, MONDAY: FEATURES[MONDAY].iloc[:2]}, SPLITS, "train")


def test_a_day_without_features_is_named() -> None:
    with pytest.raises(DataError, match="2026-01-06, which has no features"):
        assemble({MONDAY: FEATURES[MONDAY]}, SPLITS, "train")


def test_days_of_other_splits_are_not_needed() -> None:
    assert list(assemble({MONDAY: FEATURES[MONDAY]}, SPLITS, "test").transaction_ids) == ["c"]


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(DataError, match="'validation' is empty"):
        assemble(FEATURES, SPLITS, "validation")


def test_a_missing_feature_column_is_named() -> None:
    with pytest.raises(DataError, match="lacks V2, V3"):
        feature_matrix(FEATURES[MONDAY].drop(columns=["V2", "V3"]))


def test_a_stated_fraud_rate_weights_legitimate_rows_by_the_classes_of_all_splits() -> None:
    rows = assemble(FEATURES, SPLITS, "train", production_fraud_rate=0.1)
    # Two frauds and three legitimate rows in all: 2 / (2 + 3 w) = 0.1.
    assert rows.legitimate_weight == pytest.approx(6.0)
    assert rows.weights is not None
    assert list(rows.weights) == pytest.approx([6.0, 1.0, 1.0, 6.0])
    assert assemble(FEATURES, SPLITS, "train").weights is None


def test_label_weights_come_with_the_rows_and_only_where_they_differ_from_one() -> None:
    weighted = SPLITS.assign(label_weight=[0.5, 1.0, 2.0, 1.0, 1.0])
    train = assemble(FEATURES, weighted, "train")
    assert train.label_weights is not None
    assert list(train.label_weights) == [1.0, 2.0, 0.5, 1.0]  # a, b, d, e
    assert list(train.take(np.array([2, 1])).label_weights) == [0.5, 2.0]
    test = assemble(FEATURES, weighted, "test")
    assert test.label_weights is None
    assert list(test.beside(train).label_weights) == [1.0, 1.0, 2.0, 0.5, 1.0]
    assert train.weights is None, "figures count every label alike"
