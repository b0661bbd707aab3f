"""The release decision: gates first, then the comparison with the champion, on figures judged by hand."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from fraud_platform.registry.comparison import ChampionComparison
from fraud_platform.registry.gates import judge_gates
from fraud_platform.registry.release import decide_release
from fraud_platform.storage import canonical_json
from fraud_platform.training.evaluation import Interval
from fraud_platform_tests.registry.judged_figures import GATES, NAN, TRAINED, evaluation, passed
from fraud_platform_tests.registry.registration import march

decide = partial(decide_release, min_f1_improvement=0.02)


def comparison(**changes: Any) -> ChampionComparison:
    base = ChampionComparison(
        champion_version="1",
        champion_as_of=march(1),
        candidate_as_of=march(8),
        champion_f1=0.80,
        candidate_f1=0.80,
        average_precision_difference=Interval(-0.01, -0.09, 0.03),
        f1_difference=Interval(0.0, -0.04, 0.04),
    )
    return replace(base, **changes)


def test_a_comparison_survives_json() -> None:
    compared = comparison()
    assert ChampionComparison.from_dict(json.loads(canonical_json(compared.as_dict()))) == compared


def test_the_first_good_candidate_is_released() -> None:
    assert decide(passed(), None, "manual").action == "released"


def test_a_failed_gate_rejects_whatever_the_comparison_says() -> None:
    gates = judge_gates(evaluation(recall=0.5), TRAINED, GATES)
    decision = decide(gates, comparison(candidate_f1=0.99), "drift")
    assert decision.action == "rejected"
    assert decision.reasons == ("recall is 0.500 on the test split, at least 0.700 is required",)
    assert json.loads(canonical_json(decision.as_dict()))["action"] == "rejected"


@pytest.mark.parametrize(
    ("changes", "cause", "action"),
    [
        # F1 gains exactly the limit, with confidence.
        ({"candidate_f1": 0.82, "f1_difference": Interval(0.02, 0.001, 0.04)}, "schedule", "released"),
        ({"candidate_f1": 0.819, "f1_difference": Interval(0.019, 0.001, 0.04)}, "schedule", "kept"),
        # It gains much, which may be chance, or nobody knows whether it is.
        ({"candidate_f1": 0.9, "f1_difference": Interval(0.1, 0.0, 0.2)}, "schedule", "kept"),
        ({"candidate_f1": 0.9, "f1_difference": Interval.unknown()}, "schedule", "kept"),
        # Average precision is better with confidence.
        ({"average_precision_difference": Interval(0.03, 0.001, 0.06)}, "schedule", "released"),
        ({"average_precision_difference": Interval(0.03, 0.0, 0.06)}, "schedule", "kept"),
        # Being no worse suffices after drift only.
        ({}, "schedule", "kept"),
        ({}, "drift", "released"),
        ({"candidate_f1": 0.79}, "drift", "kept"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.049, 0.05)}, "drift", "released"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.049, 0.05)}, "schedule", "kept"),
        ({"candidate_f1": 0.79, "average_precision_difference": Interval(0.0, -0.05, 0.05)}, "drift", "kept"),
        # Who knows less than the champion never replaces it; who knows as much may.
        ({"candidate_f1": 0.99, "candidate_as_of": march(1)}, "drift", "released"),
        ({"candidate_f1": 0.99, "champion_as_of": march(9)}, "drift", "kept"),
        # A figure that does not exist proves nothing.
        ({"candidate_f1": NAN, "average_precision_difference": Interval(NAN, NAN, NAN)}, "drift", "kept"),
    ],
)
def test_a_candidate_has_to_beat_the_champion(changes: dict[str, Any], cause: str, action: str) -> None:
    decision = decide(passed(), comparison(**changes), cause)
    assert decision.action == action
    assert all(reason for reason in decision.reasons)


def test_the_reason_says_whether_a_gain_may_be_chance() -> None:
    lucky = comparison(candidate_f1=0.9, f1_difference=Interval(0.1, -0.01, 0.2))
    assert decide(passed(), lucky, "schedule").reasons[0] == (
        "F1 is 0.900, the champion (version 1) has 0.800 on the same rows, a difference of +0.100 "
        "(interval -0.010 to +0.200): which may be chance"
    )


def test_a_comparison_of_an_earlier_version_is_read_and_its_gain_in_f1_is_not_believed() -> None:
    document = comparison(candidate_f1=0.9).as_dict()
    del document["f1_difference"]
    decision = decide(passed(), ChampionComparison.from_dict(document), "schedule")
    assert decision.action == "kept"
    assert "(interval unknown)" in decision.reasons[0]


def test_an_older_candidate_is_told_why_it_is_not_released() -> None:
    decision = decide(passed(), comparison(champion_as_of=march(9)), "manual")
    assert decision.reasons[0].startswith("the champion (version 1) knows everything up to 2026-03-09")
