"""The days a model learns from: labels that had arrived, the digest of it all, and what drift is measured against."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_platform.features.profile import profile_table
from fraud_platform.ingestion.schema import V_COLUMNS
from fraud_platform.training.window import (
    baseline_profile,
    drift_began,
    label_window,
    learning_window,
    window_data_version,
    window_origin,
)

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]


def features(day: date, *ids: str) -> pd.DataFrame:
    moments = pd.date_range(day.isoformat(), periods=len(ids), freq="h", tz="UTC")
    # A day's transactions lie 1 apart, and those of another day nowhere near.
    components = {name: np.arange(len(ids), dtype=np.float32) + np.float32(100 * day.day) for name in V_COLUMNS}
    return pd.DataFrame({"transaction_id": ids, "event_time": moments, **components})


def labels(**classes: int) -> pd.DataFrame:
    table = pd.DataFrame({"transaction_id": list(classes), "Class": np.array(list(classes.values()), np.int8)})
    return table.assign(source="customer_dispute")


def footers(**changes: str) -> dict[date, dict[str, str]]:
    table = {day: pd.DataFrame({"V1": np.full(5, float(day.day))}) for day in DAYS}
    return {
        day: {"data_version": f"bytes of {day}", "origin": "landed", "profile": profile_table(rows, ["V1"]).to_text()}
        | changes
        for day, rows in table.items()
    }


def test_only_labelled_transactions_are_in_the_window():
    window = label_window(
        {DAYS[1]: features(DAYS[1], "c", "d"), DAYS[0]: features(DAYS[0], "a", "b")},
        {DAYS[0]: labels(a=0), DAYS[2]: labels(d=1, stranger=1)},
    )
    assert window.columns.tolist() == ["transaction_id", "day", "event_time", "Class", "label_weight", "twin_of"]
    assert window["transaction_id"].tolist() == ["a", "d"]
    assert window["Class"].tolist() == [0, 1]
    assert window["day"].tolist() == [pd.Timestamp(DAYS[0]), pd.Timestamp(DAYS[1])]
    assert window["event_time"].tolist() == [
        pd.Timestamp("2026-03-01 00:00", tz="UTC"),
        pd.Timestamp("2026-03-02 01:00", tz="UTC"),
    ]


def test_a_label_that_arrived_later_stands():
    window = label_window(
        {DAYS[0]: features(DAYS[0], "a", "b")}, {DAYS[2]: labels(a=1), DAYS[0]: labels(a=0, b=1), DAYS[1]: labels(b=0)}
    )
    assert dict(zip(window["transaction_id"], window["Class"], strict=True)) == {"a": 1, "b": 0}


@pytest.mark.parametrize("labels_by_day", [{}, {DAYS[0]: labels()}])
def test_a_window_without_labels_is_empty_but_typed(labels_by_day):
    window = label_window({DAYS[0]: features(DAYS[0], "a")}, labels_by_day)
    assert window.columns.tolist() == ["transaction_id", "day", "event_time", "Class", "label_weight", "twin_of"]
    assert window.empty


def test_labels_weigh_what_their_source_is_said_to_weigh():
    days, arrived = {DAYS[0]: features(DAYS[0], "a", "b")}, {DAYS[0]: labels(a=1)}
    assert label_window(days, arrived, {"customer_dispute": 0.5})["label_weight"].tolist() == [0.5]
    assert label_window(days, arrived, {"fraud_report": 2.0})["label_weight"].tolist() == [1.0]


def splits(**changes: object) -> pd.DataFrame:
    return pd.DataFrame(
        {"transaction_id": ["a", "b"], "day": pd.Timestamp(DAYS[0]), "split": ["train", "test"], "Class": [0, 1]}
        | changes
    )


def test_equal_inputs_have_one_data_version():
    assert window_data_version(footers(), splits()) == window_data_version(footers(), splits())


@pytest.mark.parametrize(
    ("changed_footers", "changed_splits"),
    [
        ({"data_version": "other bytes"}, {}),
        ({}, {"Class": [1, 1]}),  # a label has changed
        ({}, {"split": ["train", "train"]}),  # another split
        ({}, {"transaction_id": ["a", "c"]}),
        ({}, {"label_weight": [1.0, 0.5]}),  # a label counts less
    ],
)
def test_any_change_gives_another_data_version(changed_footers, changed_splits):
    changed = window_data_version(footers(**changed_footers), splits(**changed_splits))
    assert changed != window_data_version(footers(), splits())


def test_labels_that_all_count_one_have_the_data_version_of_labels_without_weights():
    assert window_data_version(footers(), splits(label_weight=1.0)) == window_data_version(footers(), splits())


def test_one_simulated_day_makes_the_model_simulated():
    by_day = footers()
    assert window_origin(by_day) == "landed"
    by_day[DAYS[1]]["origin"] = "simulated"
    assert window_origin(by_day) == "simulated"


def test_the_baseline_is_that_of_the_last_days():
    baseline = baseline_profile(footers(), splits(), last_days=2).columns["V1"]
    assert (baseline.minimum, baseline.maximum) == (2.0, 3.0)
    everything = baseline_profile(footers(), splits(), last_days=28).columns["V1"]
    assert (everything.minimum, everything.maximum) == (1.0, 3.0)


def test_no_day_before_the_first_that_is_learned_from_is_in_the_baseline():
    baseline = baseline_profile(footers(), splits(day=pd.Timestamp(DAYS[1])), last_days=28).columns["V1"]
    assert (baseline.minimum, baseline.maximum) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("drifted", "began"),
    [
        ([], None),  # no report yet
        ([True, True, False], None),  # it is over
        ([False, True, True], DAYS[1]),
        ([True, True, True], DAYS[0]),
        ([True, False, True], DAYS[2]),  # an earlier one has ended
    ],
)
def test_drift_began_on_the_first_day_of_its_last_unbroken_run(drifted, began):
    verdicts = [*zip(DAYS, drifted, strict=False)][::-1]
    assert drift_began(verdicts) == began


def lived(frauds_since: int) -> pd.DataFrame:
    """Thirty labelled transactions a day, those of the last two days with this many frauds in all."""
    days = np.repeat(pd.to_datetime(DAYS), 30)
    is_recent = days >= pd.Timestamp(DAYS[1])
    ids = [f"t{number:02d}" for number in range(90)]
    classes = np.where(is_recent, (np.cumsum(is_recent) <= frauds_since), True).astype(np.int8)
    return pd.DataFrame({"transaction_id": ids, "day": days, "Class": classes, "twin_of": ids})


def learned(labelled: pd.DataFrame, strategy: str = "only_new", began: date | None = DAYS[1]):
    return learning_window(labelled, strategy=strategy, began=began, min_fraud_count=20)


def test_only_what_came_after_the_drift_began_is_learned_from_where_there_is_enough():
    window = learned(lived(20))
    assert set(window.transactions["day"]) == {pd.Timestamp(day) for day in DAYS[1:]}
    assert window.reason == f"only new: 20 labelled frauds since drift began on {DAYS[1]}"


@pytest.mark.parametrize(
    ("frauds", "strategy", "began", "reason"),
    [
        (19, "only_new", DAYS[1], "old and new: 19 labelled frauds since drift began on"),
        (20, "old_and_new", DAYS[1], "old and new: drift since"),
        (20, "only_new", None, "the whole window"),
    ],
)
def test_otherwise_old_days_are_learned_from_too(frauds, strategy, began, reason):
    labelled = lived(frauds)
    window = learned(labelled, strategy, began)
    assert window.reason.startswith(reason)
    pd.testing.assert_frame_equal(window.transactions, labelled)


def test_a_twin_that_stayed_behind_names_nobody():
    labelled = lived(20)
    labelled.loc[[40, 50], "twin_of"] = "t03"
    window = learned(labelled).transactions.set_index("transaction_id")
    assert window.loc[["t40", "t50"], "twin_of"].tolist() == ["t40", "t40"]


def test_a_twin_is_told_by_its_components_whatever_its_day():
    again = features(DAYS[1], "c", "d")
    again[list(V_COLUMNS)] = features(DAYS[0], "a", "b")[list(V_COLUMNS)] + np.float32(0.001)
    window = label_window({DAYS[1]: again, DAYS[0]: features(DAYS[0], "a", "b")}, {DAYS[1]: labels(a=1, b=0, c=1, d=0)})
    assert dict(zip(window["transaction_id"], window["twin_of"], strict=True)) == {
        "a": "a",
        "b": "b",
        "c": "a",
        "d": "b",
    }
