"""What became of a day's decisions: realised beside estimated, and what the asset's page shows of both."""

from datetime import date

import pandas as pd
import pytest

from fraud_platform.monitoring.outcome import outcome_of_day

PREDICTIONS = pd.DataFrame(
    {"transaction_id": ["a", "b", "c", "d"], "fraud_probability": [0.9, 0.8, 0.2, 0.1], "prediction": [1, 1, 0, 0]}
)


def labels(**classes: int) -> pd.DataFrame:
    return pd.DataFrame({"transaction_id": list(classes), "Class": pd.array(list(classes.values()), "int8")})


def test_realised_and_estimated_stand_side_by_side():
    outcome = outcome_of_day(PREDICTIONS, {date(2026, 3, 1): labels(a=1, b=0, c=1, d=0)})
    shown = outcome.as_metadata()
    assert (shown["true_positives"], shown["false_positives"], shown["false_negatives"]) == (1, 1, 1)
    assert (shown["precision"], shown["recall"], shown["f1"]) == (0.5, 0.5, 0.5)
    # Ranked fraud, legitimate, fraud: (1 + 2/3) / 2.
    assert shown["average_precision"] == pytest.approx(5 / 6)
    # Two alerts, of which .9 + .8 are expected to be frauds, of 2.0 expected in all.
    assert shown["estimated_precision"] == pytest.approx(1.7 / 2)
    assert shown["estimated_recall"] == pytest.approx(1.7 / 2)
    assert (shown["status"], shown["labelled_share"]) == ("applicable", 1)
    assert set(outcome.as_dict()) == {"realised", "estimated"}


def test_a_label_that_arrives_later_supersedes():
    days = {date(2026, 3, 9): labels(b=1), date(2026, 3, 1): labels(a=1, b=0, c=0, d=0)}
    shown = outcome_of_day(PREDICTIONS, days).as_metadata()
    assert (shown["true_positives"], shown["false_positives"]) == (2, 0)


def test_without_labels_the_page_says_why_and_shows_no_count():
    shown = outcome_of_day(PREDICTIONS, {}).as_metadata()
    assert shown["status"] == "not applicable"
    assert "no label has arrived yet" in shown["why not applicable"]
    assert "true_positives" not in shown
    assert "f1" not in shown
    assert shown["estimated_f1"] == pytest.approx(1.7 / 2)


def test_alerts_on_labelled_days_without_fraud_still_count():
    # Two weeks of nothing but false alerts must be seen by the performance sensor.
    shown = outcome_of_day(PREDICTIONS, {date(2026, 3, 1): labels(a=0, b=0, c=0, d=0)}).as_metadata()
    assert shown["status"] == "not applicable"
    assert (shown["true_positives"], shown["false_positives"], shown["false_negatives"]) == (0, 2, 0)
