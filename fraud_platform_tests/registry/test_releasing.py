"""A release carried out: what the registry holds afterwards, and what was written down."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fraud_platform.errors import ModelError
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.release import AcceptanceGates
from fraud_platform.registry.releasing import release_candidate
from fraud_platform.registry.validation import validate, validation_document
from fraud_platform_tests.registry.candidates import candidate, judging_rows
from fraud_platform_tests.registry.registration import NOON, champions, march
from fraud_platform_tests.registry.test_promotion import does_not_load, well

PASSING = AcceptanceGates(min_f1=0.1, min_precision=0.1, min_recall=0.1, min_average_precision=0.1)
FAILING = replace(PASSING, min_f1=0.99)


@pytest.fixture(scope="module")
def bundle():
    return candidate()


@pytest.fixture
def registry():
    return MemoryRegistry()


def release(registry, bundle, *, gates=PASSING, day=8, champion=None, **changes):
    validation = validate(bundle, judging_rows(), gates=gates, champion=champion, seed=3)
    facts = {
        "day": march(day),
        "trigger": "manual",
        "cause": "by hand",
        "min_f1_improvement": 0.02,
        "decided_at": NOON,
        "run_id": None,
        "test": well,
        **changes,
    }
    return release_candidate(registry, bundle, validation_document(validation, bundle, readings=[]), **facts)


def test_the_first_good_model_decides_from_the_day_after_its_as_of_day(registry, bundle):
    released = release(registry, bundle)
    assert released.action == "released"
    assert champions(registry, 8, 9, 10) == [None, "1", "1"]
    assert (released.version.stage, released.version.aliases) == ("Production", ("champion",))
    assert (released.champion, released.version.semver) == ("1.0.0", "1.0.0")
    assert registry.load("champion").digest == bundle.digest


def test_a_model_that_fails_a_gate_is_kept_away_from_the_alias(registry, bundle):
    released = release(registry, bundle, gates=FAILING)
    assert released.action == "rejected"
    assert released.reason.startswith("f1 is 0.")
    assert champions(registry, 8, 9) == [None, None]
    assert released.champion is None
    (version,) = registry.versions()
    assert version.stage == "Archived"
    assert version.rejection == released.reason


def test_an_equal_model_leaves_the_champion(registry, bundle):
    first = release(registry, bundle)
    rival = candidate(note="the same trees, other provenance")
    kept = release(registry, rival, champion=(first.version, bundle), decided_at=NOON + timedelta(hours=1))
    assert kept.action == "kept"
    assert champions(registry, 9) == ["1"]
    assert (kept.champion, kept.version.stage, kept.version.rejection) == ("1.0.0", "None", None)


def test_after_drift_an_equal_model_takes_over(registry, bundle):
    first = release(registry, bundle, day=7)
    rival = candidate(note="the same trees, other provenance")
    released = release(
        registry,
        rival,
        champion=(first.version, bundle),
        trigger="drift",
        cause="3 of 32 features drifted",
        decided_at=NOON + timedelta(hours=1),
    )
    assert released.action == "released"
    # Days keep the champion they had.
    assert champions(registry, 7, 8, 9) == [None, "1", "2"]
    assert registry.find("previous").version == "1"
    assert released.version.cause == "drift: 3 of 32 features drifted"


def test_releasing_the_same_bundle_again_changes_nothing(registry, bundle):
    first = release(registry, bundle)
    again = release(registry, bundle, decided_at=NOON + timedelta(hours=1))
    assert [version.version for version in registry.versions()] == ["1"]
    assert (again.action, again.champion, again.version) == (first.action, first.champion, first.version)
    assert champions(registry, 8, 9) == [None, "1"]


def test_who_has_been_champion_is_not_rejected_by_a_later_look(registry, bundle):
    release(registry, bundle)
    again = release(registry, bundle, gates=FAILING, decided_at=NOON + timedelta(hours=1))
    assert again.reason == "released before, as version 1"
    assert registry.find("champion").rejection is None


def test_a_validation_of_another_bundle_is_refused(registry, bundle):
    other = candidate(seed=4, rounds=3)
    validation = validate(other, judging_rows(), gates=PASSING, champion=None, seed=3)
    with pytest.raises(ModelError, match="materialise validation_metrics again"):
        release_candidate(
            registry,
            bundle,
            validation_document(validation, other, readings=[]),
            day=march(8),
            trigger="manual",
            cause="by hand",
            min_f1_improvement=0.02,
            decided_at=NOON,
            run_id=None,
        )
    assert registry.versions() == []


def test_what_is_written_down_names_the_model_the_cause_and_the_figures(registry, bundle):
    released = release(registry, bundle, trigger="schedule", cause="monthly retraining of March 2026", run_id="run 7")
    document = released.as_dict()
    assert (document["trigger"], document["cause"]) == ("schedule", "monthly retraining of March 2026")
    assert document["decided_at"] == NOON.isoformat()
    assert (
        document["model"] | {"algorithm": "xgboost", "as_of": "2026-03-08", "digest": bundle.digest}
        == (document["model"])
    )
    assert released.version.run_id == "run 7"
    assert "# fraud_detector" in released.model_card
    assert "average precision" in released.model_card


def test_a_bundle_that_does_not_score_in_a_fresh_process_is_not_released(registry, bundle):
    with pytest.raises(ModelError, match="does not load and score"):
        release(registry, bundle, test=does_not_load)
    assert champions(registry, 9) == [None]
