"""The formulas of the features, their contract and their scikit-learn face."""

import math
import tracemalloc
from time import perf_counter
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.features.engineering import build_features
from fraud_platform.features.schema import FEATURE_NAMES, features_schema
from fraud_platform.features.transformers import HourOfDay, feature_transformer
from fraud_platform.ingestion.schema import V_COLUMNS


def raw_table(row_count: int, seed: int = 0) -> pd.DataFrame:
    """Rows in the shape of `raw_transactions`, at random."""
    generator = np.random.default_rng(seed)
    seconds = np.sort(generator.uniform(0, 86_400, row_count))
    start = np.datetime64("2026-10-01", "us")
    event_time = pd.Series(start + (seconds * 1e6).astype("timedelta64[us]")).dt.tz_localize("UTC")
    columns = {name: generator.normal(size=row_count) for name in V_COLUMNS}
    return pd.DataFrame(
        {
            "transaction_id": [f"20261001-{number:016x}" for number in range(row_count)],
            "event_time": event_time,
            "Time": seconds,
            **columns,
            "Amount": generator.lognormal(3, 1.5, row_count).round(2),
            "Class": pd.array([0] * row_count, dtype="Int8"),
        }
    )


def at(*times: str) -> "pd.Series[pd.Timestamp]":
    moments = np.array([f"2026-10-01T{time}" for time in times], dtype="datetime64[us]")
    return pd.Series(moments).dt.tz_localize("UTC")


def test_features_come_in_the_order_of_the_contract() -> None:
    assert (
        *(f"V{number}" for number in range(1, 29)),
        "Amount",
        "log1p_Amount",
        "Hour_sin",
        "Hour_cos",
    ) == FEATURE_NAMES
    features = build_features(raw_table(5))
    assert list(features.columns) == ["transaction_id", "event_time", *FEATURE_NAMES]
    assert {str(features[name].dtype) for name in FEATURE_NAMES} == {"float32"}


def test_features_satisfy_their_schema() -> None:
    features = build_features(raw_table(200))
    pd.testing.assert_frame_equal(features_schema().validate(features, lazy=True), features)


def test_landed_values_are_kept_to_float32() -> None:
    raw = raw_table(50)
    features = build_features(raw)
    for name in (*V_COLUMNS, "Amount"):
        np.testing.assert_array_equal(features[name], raw[name].to_numpy().astype(np.float32))


@pytest.mark.parametrize("amount", [0.0, 0.01, 1.0, 25_691.16])
def test_log_amount_is_the_logarithm_of_one_more(amount: float) -> None:
    features = build_features(raw_table(1).assign(Amount=amount))
    assert features["log1p_Amount"].iloc[0] == np.float32(math.log1p(amount))


def test_hour_goes_round_the_clock() -> None:
    times = at("00:00:00", "06:00:00", "12:00:00", "18:00:00", "03:00:00", "23:59:59.999999")
    features = build_features(raw_table(6).assign(event_time=times))
    half = math.sqrt(0.5)
    np.testing.assert_allclose(features["Hour_sin"], [0, 1, 0, -1, half, 0], atol=1e-6)
    np.testing.assert_allclose(features["Hour_cos"], [1, 0, -1, 0, half, 1], atol=1e-6)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_hour_does_not_depend_on_the_unit_of_the_clock(unit: Literal["s", "ms", "us", "ns"]) -> None:
    raw = raw_table(1).assign(event_time=at("06:00:00").dt.as_unit(unit))
    assert build_features(raw)["Hour_sin"].iloc[0] == 1


def test_hour_is_read_before_1970_too() -> None:
    before = pd.Series(pd.to_datetime(["1969-12-31 18:00:00"], utc=True)).astype("datetime64[us, UTC]")
    assert build_features(raw_table(1).assign(event_time=before))["Hour_sin"].iloc[0] == -1


def test_the_label_and_the_index_time_are_not_features() -> None:
    raw = raw_table(20)
    pd.testing.assert_frame_equal(build_features(raw), build_features(raw.drop(columns=["Class", "Time"])))


def test_each_row_is_computed_by_itself() -> None:
    raw = raw_table(40)
    pd.testing.assert_frame_equal(build_features(raw).iloc[7:9], build_features(raw.iloc[7:9]))


def test_no_rows_give_an_empty_table_of_the_same_contract() -> None:
    features = build_features(raw_table(3).iloc[:0])
    assert len(features) == 0
    features_schema().validate(features)


def test_the_raw_table_is_left_alone() -> None:
    raw = raw_table(10)
    before = raw.copy(deep=True)
    features = build_features(raw)
    features.loc[:, list(FEATURE_NAMES)] = 0
    pd.testing.assert_frame_equal(raw, before)


@pytest.mark.parametrize("column", ["transaction_id", "event_time", "V17", "Amount"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(DataError, match=f"lacks {column}"):
        build_features(raw_table(3).drop(columns=column))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])  # the last is finite, but not as float32
def test_a_value_that_is_no_number_is_refused_with_its_transaction(value: float) -> None:
    raw = raw_table(4)
    raw.loc[2, "V9"] = value
    with pytest.raises(DataError, match="V9 of transaction '20261001-0000000000000002'"):
        build_features(raw)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("V3", np.inf),
        ("V3", np.nan),
        ("Amount", -0.01),
        ("Hour_sin", 1.5),
        ("transaction_id", "20261001-0000000000000001"),  # twice
    ],
)
def test_the_schema_refuses(column: str, value: float | str) -> None:
    from pandera.errors import SchemaError

    features = build_features(raw_table(5))
    features.loc[0, column] = value
    with pytest.raises(SchemaError, match=column):
        features_schema().validate(features)


def test_the_schema_describes_every_column() -> None:
    for name, column in features_schema().columns.items():
        assert column.title, name
        assert column.description, name


def test_transformers_give_the_same_numbers() -> None:
    raw = raw_table(300)
    transformed = feature_transformer().fit_transform(raw)
    assert list(transformed.columns) == list(FEATURE_NAMES)
    pd.testing.assert_frame_equal(transformed, build_features(raw)[list(FEATURE_NAMES)])


def test_transformers_need_no_fit_and_survive_cloning() -> None:
    from sklearn.base import clone

    raw = raw_table(10)
    np.testing.assert_array_equal(clone(HourOfDay()).transform(raw), HourOfDay().fit(raw).transform(raw))
    assert list(HourOfDay().get_feature_names_out()) == ["Hour_sin", "Hour_cos"]
    names = clone(feature_transformer()).fit(raw).get_feature_names_out()
    assert tuple(names) == FEATURE_NAMES


def test_a_large_day_is_built_in_little_time_and_memory() -> None:
    raw = raw_table(142_000)
    build_features(raw.iloc[:10])
    started = perf_counter()
    features = build_features(raw)
    elapsed = perf_counter() - started
    tracemalloc.start()
    build_features(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    own = features[list(FEATURE_NAMES)].memory_usage(index=False).sum()
    assert elapsed < 1  # some 0.02 s; the slack is for busy machines
    assert peak < 1.5 * own
