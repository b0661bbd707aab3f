"""A challenger beside the champion: agreement, alerts and scores of both, computed by hand."""

from datetime import date, timedelta

import pandas as pd
import pytest

from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.monitoring.outcome import LabelRules
from fraud_platform.monitoring.shadow_report import ShadowReport, shadow_report
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.storage import canonical_json

DAY = date(2026, 3, 10)
BEFORE = DAY - timedelta(days=1)


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
        "threshold": 0.5,
        "predictions_by_day": {BEFORE: scored("b"), DAY: scored("d")},
        "labels_by_day": labels_by_day,
        "label_facts": {day: LabelFacts.of_text({}) for day in (*labels_by_day, DAY)},
        "rules": LabelRules(delay_days=7, rolling_days=7),
        "policy": ReleasePolicy(shadow_days=2, min_matured_frauds=2),
        **changes,
    }
    return shadow_report(DAY, "2", **given)


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


def test_a_day_without_a_challenger_has_nothing_to_compare():
    nobody = {"champion": "1", "threshold": 1.0, "predictions_by_day": {}, "labels_by_day": {}, "label_facts": {}}
    rules = LabelRules(delay_days=7, rolling_days=7)
    found = shadow_report(DAY, None, rules=rules, policy=ReleasePolicy(), **nobody)
    assert (found.as_dict()["status"], found.as_dict()["action"]) == ("not_applicable", None)
    assert found.as_metadata()["why not applicable"] == "no challenger scored this day"
