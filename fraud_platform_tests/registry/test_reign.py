"""When a new champion goes back to the model before by itself: each rule at its limit."""

from dataclasses import replace

import pytest

from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.reign import Pooled, Reign, judge_reign
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform_tests.registry.registration import march

POLICY = ReleasePolicy.of(
    ReleaseRules(
        min_matured_frauds=10,
        rollback_watch_days=14,
        rollback_f1_limit=0.7,
        rollback_failed_days=2,
        rollback_cooldown_days=7,
    )
)
# F1 = 2 TP / (2 TP + FP + FN).
POOR = Pooled(true_positives=8, false_positives=8, false_negatives=2)  # 16 / 26 = .615 on 10 frauds
GOOD = Pooled(true_positives=8, false_positives=2, false_negatives=2)  # 16 / 20 = .8
WORSE = Pooled(true_positives=4, false_positives=8, false_negatives=6)  # 8 / 22 = .364
REIGN = Reign(version="3", first_day=march(2), day=march(5), own=POOR, before=GOOD, failed_days=0, has_predecessor=True)


@pytest.mark.parametrize(
    ("changes", "is_rolled_back", "reason"),
    [
        ({}, True, "realised F1 0.615 on 10 frauds"),
        ({"own": GOOD}, False, "realised F1 0.800"),
        # 14 / 20 = .7 is at the limit, not below it.
        ({"own": Pooled(7, 3, 3)}, False, "realised F1 0.700"),
        ({"own": replace(POOR, true_positives=7)}, False, "version 3 stays: 9 frauds"),
        # A predecessor that did no better would help nobody; one nobody knows anything of may.
        ({"before": WORSE}, False, "realised F1 0.615"),
        ({"before": Pooled()}, True, "realised F1 0.615"),
        ({"own": Pooled(), "failed_days": 1}, False, "version 3 stays: 0 frauds"),
        ({"own": Pooled(), "failed_days": 2}, True, "2 days could not be scored since 2026-03-02"),
        ({"day": march(15)}, True, "realised F1"),  # its fourteenth day
        ({"day": march(16)}, False, "version 3 stays: its first 14 days are over"),
        ({"has_predecessor": False, "failed_days": 9}, False, "version 3 stays: there is no model before it"),
        ({"last_rollback": march(1)}, False, "version 3 stays: the last rollback was on 2026-03-01"),
        ({"last_rollback": march(1), "day": march(8)}, True, "realised F1"),  # seven days later
    ],
)
def test_a_champion_goes_back_by_the_rules(changes, is_rolled_back, reason):
    verdict = judge_reign(replace(REIGN, **changes), POLICY)
    assert verdict.is_rolled_back is is_rolled_back
    assert verdict.sentence.startswith(reason)


def test_without_watched_days_nobody_goes():
    assert not judge_reign(REIGN, replace(POLICY, rollback_watch_days=0)).is_rolled_back
