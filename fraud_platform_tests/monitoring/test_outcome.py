"""What became of decisions: realised once labels are mature, estimated before, and how wrong the estimate was."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.monitoring.outcome import DayOutcome, LabelRules, outcome_of_day
from fraud_platform.storage import canonical_json

DAY = date(2026, 3, 10)
PREDICTIONS = pd.DataFrame(
    {"transaction_id": ["a", "b", "c", "d"], "fraud_probability": [0.9, 0.8, 0.2, 0.1], "prediction": [1, 1, 0, 0]}
)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def labels(**classes: int) -> pd.DataFrame:
    return pd.DataFrame({"transaction_id": list(classes), "Class": pd.array(list(classes.values()), "int8")})


def outcome(
    arrived: Mapping[date, pd.DataFrame],
    *,
    predictions: Mapping[date, pd.DataFrame] | None = None,
    last_arrival: date = DAY,
    facts: Mapping[date, LabelFacts] | None = None,
    **rules: Any,
) -> DayOutcome:
    tables = {last_arrival: labels(), **arrived}
    known = {each: LabelFacts.of_text({}) for each in tables} | dict(facts or {})
    given = {"delay_days": 7, "rolling_days": 7, **rules}
    return outcome_of_day(DAY, predictions or {DAY: PREDICTIONS}, tables, known, rules=LabelRules(**given), seed=1)


def test_realised_and_estimated_stand_side_by_side():
    shown = outcome({DAY: labels(a=1, b=0, c=1, d=0)}).as_metadata()
    assert (shown["true_positives"], shown["false_positives"], shown["false_negatives"]) == (1, 1, 1)
    assert (shown["precision"], shown["recall"], shown["f1"]) == (0.5, 0.5, 0.5)
    # Ranked fraud, legitimate, fraud: (1 + 2/3) / 2.
    assert shown["average_precision"] == pytest.approx(5 / 6)
    # Two alerts, of which .9 + .8 are expected to be frauds, of 2.0 expected in all.
    assert shown["estimated_precision"] == pytest.approx(1.7 / 2)
    assert shown["estimated_recall"] == pytest.approx(1.7 / 2)
    assert (shown["status"], shown["labelled_share"], shown["is_mature"]) == ("applicable", 1, True)


def test_a_label_that_arrives_later_supersedes():
    shown = outcome({day(8): labels(b=1), DAY: labels(a=1, b=0, c=0, d=0)}).as_metadata()
    assert (shown["true_positives"], shown["false_positives"]) == (2, 0)


def test_without_labels_the_page_says_why_and_shows_no_count():
    shown = outcome({}).as_metadata()
    assert shown["status"] == "not applicable"
    assert shown["why not applicable"] == (
        "the labels of 2026-03-10 are mature with those that arrive on 2026-03-17; 0.0% of 4 are there"
    )
    assert "true_positives" not in shown
    assert "f1" not in shown
    assert shown["estimated_f1"] == pytest.approx(1.7 / 2)
    assert shown["estimated_f1_interval"]


@pytest.mark.parametrize(
    ("last_arrival", "is_mature"),
    [(day(6), False), (day(7), True)],  # seven days of labels have to have arrived
)
def test_some_labels_count_when_the_delay_is_over(last_arrival, is_mature):
    found = outcome({DAY: labels(a=1, b=0)}, last_arrival=last_arrival).day
    assert found.is_mature is is_mature
    assert found.realised.status == ("applicable" if is_mature else "not_applicable")
    assert found.realised.labelled_count == 2


def test_all_labels_are_mature_at_once():
    assert outcome({DAY: labels(a=1, b=0, c=0, d=0)}).day.is_mature


def test_where_only_frauds_are_reported_the_rest_is_legitimate_once_mature():
    arrived = {day(1): labels(a=1, c=1)}
    found = outcome(arrived, last_arrival=day(7), unlabelled_is_legitimate=True).day.realised
    assert (found.true_positives, found.false_positives, found.false_negatives, found.true_negatives) == (1, 1, 1, 1)
    # Before, silence says nothing.
    assert outcome(arrived, unlabelled_is_legitimate=True).day.realised.labelled_count == 2


def test_the_estimate_is_held_against_what_became_of_it():
    found = outcome({DAY: labels(a=1, b=1, c=0, d=0)}).day
    assert found.estimate_error is not None
    assert found.estimate_error["precision"] == pytest.approx(1.7 / 2 - 1)
    assert found.estimate_error["recall"] == pytest.approx(1.7 / 2 - 1)
    assert outcome({DAY: labels(a=1, b=1)}).day.estimate_error is None
    # No alert was right, which happens in 2 of 100 worlds.
    document = outcome({DAY: labels(a=0, b=0, c=1, d=0)}).as_dict()
    assert {"precision", "recall", "f1"} <= set(document["estimate_missed"])


def test_alerts_on_labelled_days_without_fraud_still_count():
    # Two weeks of nothing but false alerts must be seen by the performance sensor.
    shown = outcome({DAY: labels(a=0, b=0, c=0, d=0)}).as_metadata()
    assert shown["status"] == "not applicable"
    assert (shown["true_positives"], shown["false_positives"], shown["false_negatives"]) == (0, 2, 0)


def test_the_week_pools_its_decisions_and_leaves_out_what_is_not_mature():
    before = PREDICTIONS.assign(transaction_id=["e", "f", "g", "h"])
    long_ago = PREDICTIONS.assign(transaction_id=["i", "j", "k", "l"])
    predictions = {day(-7): long_ago, day(-1): before, DAY: PREDICTIONS}
    arrived = {day(-7): labels(i=0, j=0, k=0, l=0), day(-1): labels(e=1, f=1, g=0, h=0), DAY: labels(a=1)}
    rolling = outcome(arrived, predictions=predictions).rolling
    # The day a week ago is out of the window, today's labels are not all there.
    assert (rolling.days, rolling.mature_days) == ([day(-1), DAY], [day(-1)])
    assert (rolling.realised.true_positives, rolling.realised.false_positives) == (2, 0)
    assert rolling.estimated.prediction_count == 8
    complete = outcome({**arrived, DAY: labels(a=0, b=0, c=1, d=0)}, predictions=predictions)
    counts = complete.rolling.realised
    assert (counts.true_positives, counts.false_positives, counts.false_negatives) == (2, 2, 1)
    assert complete.as_metadata()["rolling_f1"] == pytest.approx(4 / 7)
    assert complete.as_metadata()["rolling_days"] == 2


def test_the_state_changes_only_with_labels_about_the_week():
    def state(version: str, about: date) -> str:
        return outcome({}, facts={DAY: LabelFacts(version, frozenset([about]))}).label_state

    assert state("v1", DAY) != state("v2", DAY)
    assert state("v1", day(-6)) != state("v2", day(-6))
    assert state("v1", day(-7)) == state("v2", day(-7))


def test_only_label_tables_that_concern_the_days_are_read():
    facts = {day(3): LabelFacts("v1", frozenset([day(3)])), DAY: LabelFacts("v1", frozenset([DAY]))}
    # The table of the third day would contradict, were it read.
    found = outcome({DAY: labels(a=1), day(3): labels(a=0)}, facts=facts, last_arrival=DAY)
    assert found.day.realised.fraud_count == 1


def test_the_document_is_json_at_every_stage():
    for arrived in ({}, {DAY: labels(a=1)}, {DAY: labels(a=1, b=0, c=0, d=0)}):
        document = outcome(arrived).as_dict()
        assert json.loads(canonical_json(document)) == document
