"""A release carried out: what the registry holds afterwards, and what was written down."""

from dataclasses import replace
from datetime import timedelta

import pytest

from fraud_platform.errors import ModelError
from fraud_platform.registry.champion import challenger_for_day
from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.promotion import promote_version
from fraud_platform.registry.releasing import release_candidate
from fraud_platform.registry.shadow import begin_shadow, challenger_of_day, end_shadow, superseded_by
from fraud_platform.registry.validation import validate, validation_document
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform_tests.registry.candidates import candidate, judging_rows
from fraud_platform_tests.registry.registration import NOON, champions, march, register
from fraud_platform_tests.registry.test_promotion import does_not_load, well

POLICY = ReleasePolicy.of(ReleaseRules())
PASSING = AcceptanceGates.of(ReleaseRules(min_f1=0.1, min_precision=0.1, min_recall=0.1, min_average_precision=0.1))
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
        "policy": POLICY,
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


def test_days_that_were_decided_while_a_model_was_made_keep_their_decisions(registry, bundle):
    first = release(registry, bundle, day=7)
    rival = candidate(note="made over two days")
    release(registry, rival, trigger="drift", champion=(first.version, bundle), day=8, first_day=march(11))
    assert champions(registry, 8, 9, 10, 11) == ["1", "1", "1", "2"]


def test_a_shadow_begins_on_the_first_undecided_day(registry, bundle):
    first = release(registry, bundle, day=7)
    rival = candidate(note="made over two days")
    facts = {"trigger": "drift", "champion": (first.version, bundle), "policy": replace(POLICY, shadow_days=7)}
    assert release(registry, rival, day=8, first_day=march(11), **facts).action == "shadow"
    shadowed = [challenger_of_day(registry, march(day)) for day in (9, 10, 11)]
    assert [version.version if version else None for version in shadowed] == [None, None, "2"]


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
            policy=POLICY,
            decided_at=NOON,
            run_id=None,
        )
    assert registry.versions() == []


def test_a_model_that_is_not_the_one_its_training_made_is_neither_registered_nor_signed(registry, bundle):
    with pytest.raises(ModelError, match="its training made sha256:other: somebody put another in its place"):
        release(registry, bundle, trained={"bundle_sha256": "sha256:other"})
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


# -- a shadow or an approval first ------------------------------------------------------------------------------------

SHADOWED = replace(POLICY, shadow_days=7)


def rival_of(first, registry, bundle, **changes):
    """A rival that drift lets take over, released an hour later."""
    given = {
        "champion": (first.version, bundle),
        "trigger": "drift",
        "decided_at": NOON + timedelta(hours=1),
        **changes,
    }
    return release(registry, candidate(note="the same trees, other provenance"), **given)


def test_the_very_first_model_needs_no_shadow(registry, bundle):
    assert release(registry, bundle, policy=SHADOWED).action == "released"
    assert champions(registry, 9) == ["1"]


def test_a_model_that_earned_its_release_stands_in_shadow_first(registry, bundle):
    first = release(registry, bundle, day=7)
    shadowed = rival_of(first, registry, bundle, policy=SHADOWED)
    assert (shadowed.action, shadowed.champion) == ("shadow", "1.0.0")
    assert shadowed.decision.action == "released"
    assert champions(registry, 9) == ["1"]
    version = registry.find("challenger")
    # It is not compared on the day it has learned from.
    assert (version.version, version.stage, version.shadow_from) == ("2", "Staging", march(9))
    assert [challenger_of_day(registry, march(day)) for day in (7, 8)] == [None, None]
    assert challenger_of_day(registry, march(9)) == version
    document = shadowed.as_dict()
    assert (document["action"], document["policy"]["shadow_days"]) == ("shadow", 7)
    again = rival_of(first, registry, bundle, policy=SHADOWED)
    assert (again.action, registry.find("challenger").shadow_from) == ("shadow", march(9))


def test_what_a_shadow_came_to_is_not_changed_by_a_later_look(registry, bundle):
    first = release(registry, bundle, day=7)
    rival_of(first, registry, bundle, policy=SHADOWED)
    end_shadow(registry, registry.find("2"), last_day=march(15))
    registry.mark_rejected("2", "too many alerts")
    again = rival_of(first, registry, bundle, policy=SHADOWED)
    assert (again.action, again.reason) == ("rejected", "in shadow before, as version 2")
    # The days it scored in shadow are history.
    assert [challenger_of_day(registry, march(day)) is not None for day in (8, 9, 15, 16)] == [False, True, True, False]


def test_where_approval_is_required_even_the_first_model_waits_for_a_person(registry, bundle):
    waiting = release(registry, bundle, policy=replace(POLICY, require_approval=True))
    assert (waiting.action, waiting.champion) == ("approval", None)
    assert champions(registry, 9) == [None]
    approved = {"reason": "looked at it", "changed_at": NOON, "is_approval_required": True, "test": well}
    promote_version(registry, "challenger", day=march(12), approved_by="Ada", **approved)
    assert champions(registry, 11, 12) == [None, "1"]
    version = registry.find("champion")
    assert (version.approved_by, version.shadow_until) == ("Ada", march(11))


def test_a_new_challenger_ends_the_shadow_of_the_one_before(registry, bundle):
    first = release(registry, bundle, day=7)
    rival_of(first, registry, bundle, policy=SHADOWED)
    third = registry.find(register(registry, "third", as_of=march(10)).version)
    begin_shadow(registry, third, first_day=march(11), reason="a better one")
    assert registry.find("challenger").version == "3"
    second = registry.find("2")
    assert (second.shadow_until, second.rejection) == (march(10), "superseded in shadow by version 3")
    assert superseded_by(registry, third) == [second]
    assert [challenger_of_day(registry, march(day)).version for day in (9, 10, 11)] == ["2", "2", "3"]


def test_a_second_shadow_leaves_the_days_of_the_first_as_they_were(registry):
    twice = register(registry, "twice", as_of=march(1))
    begin_shadow(registry, twice, first_day=march(2), reason="a first time")
    end_shadow(registry, registry.find("1"), last_day=march(4))
    registry.set_stage("1", "None", reason="put aside")
    again = begin_shadow(registry, registry.find("1"), first_day=march(8), reason="a second time")
    assert (again.shadow_from, again.shadow_until) == (march(8), None)
    assert again.earlier_shadows == ((march(2), march(4)),)
    in_shadow = [challenger_of_day(registry, march(day)) is not None for day in (1, 2, 4, 5, 7, 8, 20)]
    assert in_shadow == [False, True, True, False, False, True, True]
    end_shadow(registry, again, last_day=march(9))
    third = begin_shadow(registry, registry.find("1"), first_day=march(8), reason="the same once more")
    assert third.earlier_shadows == again.earlier_shadows


def test_a_challenger_that_cannot_score_keeps_nobody_from_deciding(registry):
    begin_shadow(registry, register(registry, "no bundle"), first_day=march(2), reason="by mistake")
    found = challenger_for_day(registry, march(2))
    assert found.challenger is None
    assert "challenger_problem" in found.as_metadata()
    begin_shadow(registry, register(registry, "old", feature_schema_version=0), first_day=march(3), reason="by mistake")
    assert "version 2 reads features of schema 0" in challenger_for_day(registry, march(3)).problem
    assert challenger_for_day(registry, march(1)).as_metadata() == {}
