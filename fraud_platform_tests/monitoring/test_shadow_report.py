"""A challenger beside the champion: agreement, alerts and scores of both, computed by hand."""

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest

from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.monitoring.outcome import LabelRules
from fraud_platform.monitoring.shadow_report import Shadow, ShadowReport, shadow_of_day, shadow_report
from fraud_platform.registry.champion import (
    CHALLENGER_ABSENT,
    CHALLENGER_PROBLEM,
    CHALLENGER_THRESHOLD,
    CHALLENGER_VERSION,
)
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.storage import canonical_json

DAY = date(2026, 3, 10)
BEFORE = DAY - timedelta(days=1)
POLICY = ReleasePolicy.of(ReleaseRules())


def scored(prefix: str) -> pd.DataFrame:
    """Four transactions; the champion alerts the first two, the challenger (at 0.5) the first and third."""
    return pd.DataFrame(
        {
            "transaction_id": [f"{prefix}{number}" for number in range(4)],
            "fraud_probability": [0.9, 0.8, 0.2, 0.1],
            "prediction": [1, 1, 0, 0],
            "challenger_probability": [0.9, 0.3, 0.7, 0.1],
        }
    )


def labels(prefix: str, *classes: int) -> pd.DataFrame:
    ids = [f"{prefix}{number}" for number in range(len(classes))]
    return pd.DataFrame({"transaction_id": ids, "Class": pd.array(classes, "int8")})


def report(labels_by_day: dict[date, pd.DataFrame], **changes) -> ShadowReport:
    given = {
        "champion": "1",
        "predictions_by_day": {BEFORE: scored("b"), DAY: scored("d")},
        "labels_by_day": labels_by_day,
        "label_facts": {day: LabelFacts.of_text({}) for day in (*labels_by_day, DAY)},
        "rules": LabelRules(delay_days=7, rolling_days=7),
        "policy": replace(POLICY, shadow_days=2, min_matured_frauds=2),
        **changes,
    }
    return shadow_report(DAY, Shadow("2", threshold=0.5, scored_days=(BEFORE, DAY)), **given)


def test_both_are_compared_on_the_same_transactions():
    found = report({BEFORE: labels("b", 1, 0, 1, 0), DAY: labels("d", 1, 0, 1, 0)})
    assert found.day is not None
    assert found.so_far is not None
    # They agree on the first and the last of four transactions.
    assert (found.day.day_count, found.so_far.day_count) == (1, 2)
    assert (found.day.agreement, found.so_far.agreement) == (0.5, 0.5)
    assert (found.day.champion_alerts, found.day.challenger_alerts, found.day.common_alerts) == (2, 2, 1)
    # The champion finds one of two frauds with a false alarm, the challenger both with none.
    assert (found.so_far.champion_f1, found.so_far.challenger_f1) == (0.5, 1.0)
    assert (found.so_far.champion_recall, found.so_far.challenger_precision) == (0.5, 1.0)
    # Ranked fraud, legitimate, fraud, in both days: (2/2 * 2/4) + (4/6 * 2/4).
    assert found.so_far.champion_average_precision == pytest.approx(5 / 6)
    assert found.so_far.challenger_average_precision == 1.0
    assert found.verdict is not None
    assert found.verdict.action == "promote"
    canonical_json(found.as_dict())


def test_labels_that_are_not_mature_do_not_count():
    found = report({BEFORE: labels("b", 1, 0, 1, 0), DAY: labels("d", 1)})
    assert found.so_far is not None
    assert (found.so_far.fraud_count, found.so_far.transaction_count) == (2, 8)
    assert report({DAY: labels("d", 1)}).as_metadata()["action"] == "extend"


def without_answers(footers: dict[date, dict[str, str]]) -> ShadowReport:
    """The report of `DAY` where nobody scored it beside the champion."""
    shadow = shadow_of_day(DAY, footers, threshold_of=lambda version: 0.5)
    nothing = {"champion": "1", "predictions_by_day": {}, "labels_by_day": {}, "label_facts": {}}
    return shadow_report(DAY, shadow, rules=LabelRules(delay_days=7), policy=POLICY, **nothing)


def test_a_day_without_a_challenger_has_nothing_to_compare():
    found = without_answers({DAY: {CHALLENGER_VERSION: ""}})
    assert (found.as_dict()["status"], found.as_dict()["action"]) == ("not_applicable", None)
    assert found.as_metadata()["why not applicable"] == "no challenger scored this day"


def test_a_challenger_that_cannot_score_is_named_and_rejected_on_the_second_such_day():
    scored = {CHALLENGER_VERSION: "2", CHALLENGER_THRESHOLD: "0.5"}
    absent = {CHALLENGER_VERSION: "", CHALLENGER_ABSENT: "2", CHALLENGER_PROBLEM: "its bundle is damaged"}
    first = without_answers({BEFORE: scored, DAY: absent}).as_metadata()
    assert (first["challenger_version"], first["action"], first["status"]) == ("2", "wait", "not applicable")
    assert first["reason"] == "1 day could not be scored, with 2 it is rejected: its bundle is damaged"
    second = without_answers({BEFORE: absent, DAY: absent}).as_metadata()
    assert (second["action"], second["reason"]) == ("reject", "2 days could not be scored: its bundle is damaged")
    # Days that another version missed are not its own.
    other = without_answers({BEFORE: {**absent, CHALLENGER_ABSENT: "1"}, DAY: absent})
    assert other.as_metadata()["action"] == "wait"


def test_the_threshold_of_a_challenger_is_the_one_it_scored_with():
    footers = {BEFORE: {CHALLENGER_VERSION: "1"}, DAY: {CHALLENGER_VERSION: "2", CHALLENGER_THRESHOLD: "0.25"}}
    asked = {"2": 0.5}
    found = shadow_of_day(DAY, footers, threshold_of=asked.__getitem__)
    assert (found.challenger, found.threshold, found.scored_days) == ("2", 0.25, [DAY])
    # Decisions of an earlier release of the platform do not say it.
    assert shadow_of_day(DAY, {DAY: {CHALLENGER_VERSION: "2"}}, threshold_of=asked.__getitem__).threshold == 0.5
