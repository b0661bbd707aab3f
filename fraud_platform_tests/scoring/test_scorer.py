"""Scored days and files: decisions follow the threshold, ranks are places, alerts alone carry reasons."""

import json
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.day_store import DayStore
from fraud_platform.errors import DataError
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import LANDED_COLUMNS
from fraud_platform.scoring.schema import PREDICTION_COLUMNS, SCORE_FILE_COLUMNS, daily_predictions_schema
from fraud_platform.scoring.scorer import count_alerts, profile_scores, rank_by_suspicion, score_day, score_file
from fraud_platform.training.calibration import sigmoid
from fraud_platform_tests.scoring.models import Line, boosted_trees, bundle_of, features_of

COUNT = len(FEATURE_NAMES)
SCORED_AT = datetime(2025, 3, 2, 1, 30, tzinfo=UTC)


def rows_with_first_feature(values):
    matrix = np.zeros((len(values), COUNT))
    matrix[:, 0] = values
    return matrix


def test_a_day_is_scored_by_hand():
    # Log-odds are -4 + V1; alerts from a probability of 0.5, that is from V1 = 4.
    table = score_day(features_of(rows_with_first_feature([0, 7, 4, 1])), bundle_of(Line()), "3", scored_at=SCORED_AT)
    assert table["fraud_probability"].tolist() == pytest.approx(sigmoid([-4, 3, 0, -3]).tolist())
    assert table["prediction"].tolist() == [0, 1, 1, 0]
    assert table["rank"].tolist() == [4, 1, 2, 3]
    assert table["threshold"].unique().tolist() == [0.5]
    assert table["model_version"].unique().tolist() == ["3"]
    assert table["reasons"].isna().tolist() == [True, False, False, True]
    assert json.loads(table["reasons"][1])[0]["feature"] == "V1"
    assert (table["scored_at"] == pd.Timestamp(SCORED_AT)).all()
    assert table["challenger_probability"].isna().all()
    assert table["challenger_version"].isna().all()


@given(st.lists(st.integers(-3, 12), min_size=0, max_size=30), st.sampled_from([0.018, 0.5, 1.0]))
@settings(max_examples=40, deadline=None)
def test_every_scored_day_keeps_the_contract(values, threshold):
    features = features_of(rows_with_first_feature(values))
    table = score_day(features, bundle_of(Line(), threshold=threshold), "1", scored_at=SCORED_AT)
    daily_predictions_schema().validate(table, lazy=True)
    assert tuple(table.columns) == PREDICTION_COLUMNS
    # In the order of the features, ranked as a permutation.
    assert table["transaction_id"].tolist() == features["transaction_id"].tolist()
    assert sorted(table["rank"]) == list(range(1, len(values) + 1))


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 1.0]), st.text("ab0é-", min_size=1, max_size=4)),
        unique_by=lambda row: row[1],
        max_size=30,
    )
)
def test_rank_is_the_place_by_probability_then_identifier(rows):
    probabilities = np.array([probability for probability, _ in rows])
    ids = np.array([identifier for _, identifier in rows], dtype=object)
    expected = {row: place for place, row in enumerate(sorted(rows, key=lambda row: (-row[0], row[1])), 1)}
    assert rank_by_suspicion(probabilities, ids).tolist() == [expected[row] for row in rows]


def test_only_alerts_are_explained():
    line = Line()
    score_day(features_of(rows_with_first_feature([0, 7, 5, 1])), bundle_of(line), "3", scored_at=SCORED_AT)
    assert line.explained_rows == 2


def test_an_alert_carries_as_many_reasons_as_asked_for():
    features = features_of(rows_with_first_feature([9]))
    for count in (1, 5):
        table = score_day(features, bundle_of(Line()), "3", scored_at=SCORED_AT, reason_count=count)
        assert len(json.loads(table["reasons"][0])) == count


def test_a_challenger_is_noted_beside_the_decision_and_never_changes_it():
    features = features_of(rows_with_first_feature([0, 7, 4, 1]))
    alone = score_day(features, bundle_of(Line()), "3", scored_at=SCORED_AT)
    # It would alert everything, and reads the features in another order.
    challenger = bundle_of(Line(5.0, np.eye(COUNT)[-1]), names=FEATURE_NAMES[::-1])
    table = score_day(features, bundle_of(Line()), "3", scored_at=SCORED_AT, challenger=(challenger, "4"))
    daily_predictions_schema().validate(table)
    assert table["challenger_version"].unique().tolist() == ["4"]
    assert table["challenger_probability"].tolist() == pytest.approx(sigmoid([5, 12, 9, 6]).tolist())
    untouched = [name for name in PREDICTION_COLUMNS if not name.startswith("challenger")]
    pd.testing.assert_frame_equal(table[untouched], alone[untouched])


def test_scored_at_is_kept_in_utc_and_needs_a_time_zone():
    features = features_of(rows_with_first_feature([0]))
    elsewhere = datetime(2025, 3, 2, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    table = score_day(features, bundle_of(Line()), "3", scored_at=elsewhere)
    assert table["scored_at"].dtype == "datetime64[us, UTC]"
    assert table["scored_at"][0] == pd.Timestamp(SCORED_AT)
    with pytest.raises(ValueError, match="time zone"):
        score_day(features, bundle_of(Line()), "3", scored_at=datetime(2025, 3, 2))


def test_a_day_without_a_feature_column_is_refused():
    features = features_of(rows_with_first_feature([0])).drop(columns="V14")
    with pytest.raises(DataError, match="V14"):
        score_day(features, bundle_of(Line()), "3", scored_at=SCORED_AT)


def test_alerts_are_counted_and_a_day_without_rows_has_none():
    assert count_alerts(pd.DataFrame({"prediction": [0, 1, 1, 0, 0]})) == {"alerts": 2, "alert_rate": 0.4}
    assert count_alerts(pd.DataFrame({"prediction": []})) == {"alerts": 0, "alert_rate": 0.0}


def test_changing_a_scored_day_leaves_its_features_alone():
    features = features_of(rows_with_first_feature([0, 7]))
    before = features.copy(deep=True)
    table = score_day(features, bundle_of(Line()), "3", scored_at=SCORED_AT)
    table.loc[0, "transaction_id"] = "changed"
    table.loc[0, "event_time"] = pd.Timestamp(SCORED_AT)
    pd.testing.assert_frame_equal(features, before)


def test_scoring_holds_one_copy_of_the_features_at_most():
    features = features_of(np.random.default_rng(0).normal(size=(30_000, COUNT)))
    estimator, _ = boosted_trees()
    bundle = bundle_of(estimator, threshold=0.9)
    score_day(features, bundle, "3", scored_at=SCORED_AT)
    tracemalloc.start()
    score_day(features, bundle, "3", scored_at=SCORED_AT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    matrix_bytes = features[list(FEATURE_NAMES)].to_numpy().nbytes
    # The matrix itself and some 30 numbers per row of working space and result, against 32 features of 4 bytes.
    assert peak < matrix_bytes + 30_000 * 30 * 8


def test_a_scored_day_survives_storage(tmp_path):
    table = score_day(features_of(rows_with_first_feature([0, 7])), bundle_of(Line()), "3", scored_at=SCORED_AT)
    store = DayStore.at(tmp_path)
    store.write_table("daily_predictions", date(2025, 3, 1), table)
    restored = store.read_table("daily_predictions", date(2025, 3, 1))
    daily_predictions_schema().validate(restored)
    pd.testing.assert_frame_equal(restored, table)


def test_the_score_profile_counts_every_prediction():
    table = score_day(features_of(rows_with_first_feature([0, 7, 4])), bundle_of(Line()), "3", scored_at=SCORED_AT)
    profile = profile_scores(table)
    assert list(profile.columns) == ["fraud_probability"]
    assert profile.row_count == 3
    assert profile.columns["fraud_probability"].mean == pytest.approx(table["fraud_probability"].mean(), rel=1e-6)


def landed(values, **columns):
    table = pd.DataFrame(np.zeros((len(values), len(LANDED_COLUMNS))), columns=list(LANDED_COLUMNS))
    table["V1"] = values
    table["Time"] = np.arange(len(values), dtype=float)[::-1]
    return table.assign(**columns)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_file_is_scored_in_its_own_order_repeated_rows_included(tmp_path, suffix):
    # Time runs backwards, and the last row comes twice.
    values = [0.0, 7.0, 4.0, 1.0, 1.0]
    table = landed(values, transaction_id=["e", "d", "c", "b", "b"])
    table.loc[4, "Time"] = table.loc[3, "Time"]
    path = tmp_path / f"day{suffix}"
    table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)
    decisions, quarantine = score_file(path, bundle_of(Line()), "3")
    assert tuple(decisions.columns) == SCORE_FILE_COLUMNS
    assert decisions["transaction_id"].tolist() == ["e", "d", "c", "b", "b"]
    assert decisions["fraud_probability"].tolist() == pytest.approx(sigmoid(np.array(values) - 4).tolist())
    assert decisions["prediction"].tolist() == [0, 1, 1, 0, 0]
    assert decisions["threshold"].unique().tolist() == [0.5]
    assert decisions["model_version"].unique().tolist() == ["3"]
    assert quarantine.empty


def test_rows_that_cannot_be_scored_are_reported_with_their_reason(tmp_path):
    table = landed([0.0, np.nan, 4.0, 1.0])
    table.loc[3, "Amount"] = -5.0
    path = tmp_path / "day.csv"
    table.to_csv(path, index=False)
    scored = score_file(path, bundle_of(Line()), "3")
    assert len(scored.decisions) == 2
    assert scored.quarantine[["row", "column"]].to_dict("records") == [
        {"row": 2, "column": "V1"},
        {"row": 4, "column": "Amount"},
    ]
    assert scored.quarantine["reason"].str.len().min() > 0


def test_a_file_in_the_landing_zone_gets_the_identifiers_of_its_day(tmp_path):
    folder = tmp_path / "transactions" / "2025-03-01"
    folder.mkdir(parents=True)
    for path in (folder / "day.csv", tmp_path / "day.csv"):
        landed([0.0, 7.0]).to_csv(path, index=False)
    in_zone = score_file(folder / "day.csv", bundle_of(Line()), "3").decisions
    elsewhere = score_file(tmp_path / "day.csv", bundle_of(Line()), "3").decisions
    told = score_file(tmp_path / "day.csv", bundle_of(Line()), "3", day=date(2025, 3, 1)).decisions
    assert in_zone["transaction_id"].str.startswith("20250301-").all()
    assert elsewhere["transaction_id"].str.startswith("19700101-").all()
    pd.testing.assert_frame_equal(told, in_zone)
    pd.testing.assert_frame_equal(elsewhere.drop(columns="transaction_id"), in_zone.drop(columns="transaction_id"))


def test_a_damaged_file_is_refused_with_its_name(tmp_path):
    path = tmp_path / "day.csv"
    landed([0.0]).drop(columns="V14").to_csv(path, index=False)
    with pytest.raises(DataError, match=r"day\.csv.*V14"):
        score_file(path, bundle_of(Line()), "3")


def test_decisions_are_written_as_parquet_or_csv_and_as_nothing_else(tmp_path):
    landed([0.0, 7.0]).to_csv(tmp_path / "day.csv", index=False)
    scored = score_file(tmp_path / "day.csv", bundle_of(Line()), "3")
    scored.write(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), scored.decisions)
    scored.write(tmp_path / "out.csv")
    as_text = pd.read_csv(tmp_path / "out.csv", dtype={"prediction": "int8", "model_version": str})
    pd.testing.assert_frame_equal(as_text, scored.decisions)
    with pytest.raises(DataError, match=r"\.parquet or \.csv"):
        scored.write(tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()
