"""How a shadow ends: each rule of the verdict at its limit, the deciding reason first."""

from dataclasses import asdict, fields, replace
from math import nan

import pytest

from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.shadow import ShadowFigures, judge_shadow
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.settings import Settings

POLICY = ReleasePolicy.of(ReleaseRules(shadow_days=7, max_shadow_days=28, min_matured_frauds=10, shadow_max_loss=0.02))
EQUAL = ShadowFigures(
    day_count=7,
    transaction_count=1_000,
    agreement=0.998,
    champion_alerts=20,
    challenger_alerts=20,
    common_alerts=19,
    fraud_count=10,
    champion_f1=0.8,
    challenger_f1=0.8,
    champion_precision=0.9,
    challenger_precision=0.9,
    champion_recall=0.7,
    challenger_recall=0.7,
    champion_average_precision=0.75,
    challenger_average_precision=0.75,
)


@pytest.mark.parametrize(
    ("changes", "action", "reason"),
    [
        ({}, "promote", "realised F1 is 0.800"),
        ({"day_count": 6}, "wait", "6 of 7 days are scored"),
        ({"challenger_alerts": 40}, "promote", "realised F1"),  # twice as many are allowed
        ({"challenger_alerts": 41}, "reject", "it raises 41 alerts, the champion 20"),
        # What they are worth is not known before labels are.
        ({"challenger_alerts": 41, "fraud_count": 9}, "extend", "9 frauds"),
        # Drift has made the champion blind: whoever sees alerts more, and labels say it is right.
        ({"challenger_alerts": 41, "champion_f1": 0.3}, "promote", "realised F1 is 0.800, the champion's 0.300"),
        # Where the champion hardly alerts, up to twenty say nothing.
        ({"champion_alerts": 1, "challenger_alerts": 20}, "promote", "realised F1"),
        ({"fraud_count": 9}, "extend", "9 frauds have mature labels, at least 10"),
        ({"fraud_count": 9, "day_count": 27}, "extend", "9 frauds"),
        ({"fraud_count": 9, "day_count": 28}, "reject", "9 frauds"),
        ({"challenger_f1": 0.78}, "promote", "realised F1"),  # a loss of exactly the limit
        ({"challenger_f1": 0.77}, "reject", "realised F1 is 0.770, the champion's 0.800"),
        ({"challenger_average_precision": 0.72}, "reject", "realised average precision is 0.720"),
        ({"challenger_f1": nan}, "reject", "realised F1 is nan"),  # what has no value proves nothing
    ],
)
def test_a_shadow_ends_by_its_rules(changes, action, reason):
    verdict = judge_shadow(replace(EQUAL, **changes), POLICY)
    assert verdict.action == action
    assert verdict.reasons[0].startswith(reason)


def test_where_approval_is_required_a_good_shadow_asks_for_it():
    assert judge_shadow(EQUAL, replace(POLICY, require_approval=True)).action == "approve"


def test_every_limit_is_a_setting_of_the_same_name_and_every_release_setting_is_a_limit():
    assert {field.name for field in fields(ReleasePolicy)} == set(ReleaseRules.model_fields)
    told = Settings(**{field.name: 0.123 for field in fields(AcceptanceGates)})
    assert set(asdict(AcceptanceGates.of(told)).values()) == {0.123}


def test_any_limit_changes_the_name_of_the_policy():
    assert replace(POLICY).version == POLICY.version
    names = {replace(POLICY, **{field.name: 1}).version for field in fields(POLICY)}
    assert len(names) == len(fields(POLICY))
