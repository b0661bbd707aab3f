"""The days a model learns from: labels that had arrived, the digest of it all, and what drift is measured against."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_platform.features.profile import profile_table
from fraud_platform.ingestion.schema import V_COLUMNS
from fraud_platform.training.window import baseline_profile, label_window, window_data_version, window_origin

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
    baseline = baseline_profile(footers(), last_days=2).columns["V1"]
    assert (baseline.minimum, baseline.maximum) == (2.0, 3.0)
    everything = baseline_profile(footers(), last_days=28).columns["V1"]
    assert (everything.minimum, everything.maximum) == (1.0, 3.0)


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
