"""Promotion and rollback: what is tried before an alias moves, who is refused, and what history says afterwards."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest

from fraud_platform.errors import ModelError, PlatformError, RegistryError, RegistryUnavailableError
from fraud_platform.governance.audit import open_trail
from fraud_platform.processes import process_mark
from fraud_platform.registry.memory_registry import MemoryRecords, MemoryRegistry
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.registry.promotion import (
    ChampionChange,
    first_undecided_day,
    promote_version,
    record_change,
    roll_back,
)
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.registry.smoke_test import SmokeTest
from fraud_platform_tests.registry.registration import NOON, InterruptedStore, champions, march, promote, register

WELL = SmokeTest(row_count=64, lowest=0.0, highest=0.5)


def well(data: bytes, digest: str) -> SmokeTest:
    """What a fresh process says of any bundle; the real one is tried in test_smoke_test."""
    return WELL


def does_not_load(data: bytes, digest: str) -> SmokeTest:
    raise ModelError("the stored bundle does not load and score: a byte differs")


def promoted(registry: RecordRegistry, reference: str, day: int, **changes: Any) -> ChampionChange:
    given = {"reason": "it is better", "approved_by": None, "changed_at": NOON, "test": well, **changes}
    return promote_version(registry, reference, day=march(day), **given)


def rolled_back(registry: RecordRegistry, day: int, **changes: Any) -> ChampionChange:
    hours = timedelta(hours=9)
    given = {"reason": "F1 fell", "approved_by": None, "changed_at": NOON + hours, "test": well, **changes}
    return roll_back(registry, day=march(day), **given)


def with_three_champions(registry: RecordRegistry) -> RecordRegistry:
    """Versions 1, 2, 3, champions from the 2nd, 4th and 6th of March."""
    for number, content in enumerate(("first", "second", "third")):
        promote(registry, register(registry, content), 2 * number + 2, hour=number)
    return registry


def aliases(registry: RecordRegistry) -> dict[str, str]:
    return {alias: version.version for version in registry.versions() for alias in version.aliases}


# -- promotion --------------------------------------------------------------------------------------------------------


def test_a_promotion_says_who_replaces_whom_and_why(registry):
    promoted(registry, register(registry, "first").version, 2)
    change = promoted(registry, register(registry, "second").version, 4, approved_by="Ada", changed_at=NOON)
    assert change.as_dict() == {
        "champion": "1.1.0",
        "champion_version": "2",
        "replaced": "1.0.0",
        "decides_from": "2026-03-04",
        "reason": "it is better",
        "approved_by": "Ada",
        "smoke_test": "64 rows scored in a fresh process, probabilities 0.0000 to 0.5000",
        "changed_at": NOON.isoformat(),
    }
    assert champions(registry, 1, 2, 3, 4) == [None, "1", "1", "2"]
    assert aliases(registry) == {"champion": "2", "previous": "1"}
    assert (change.champion.approved_by, change.champion.promotion_reason) == ("Ada", "it is better")
    # No claim is left behind.
    assert not [tag for record in registry._store.records() for tag in record.tags if "claim" in tag]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"reference": "9"}, "no model is '9'"),
        ({"is_approval_required": True}, "needs somebody's approval"),
        ({"day": 1}, "has learned from 2026-03-01"),  # its as-of day
        ({"test": does_not_load}, "does not load and score"),
    ],
)
def test_a_refused_promotion_moves_no_alias(registry, changes, complaint):
    promoted(registry, register(registry, "first").version, 2)
    second = register(registry, "second")
    before = aliases(registry)
    with pytest.raises((RegistryError, ModelError), match=complaint):
        promoted(registry, **{"reference": second.version, "day": 4, **changes})
    assert aliases(registry) == before
    assert champions(registry, 3, 4) == ["1", "1"]
    assert not [tag for record in registry._store.records() for tag in record.tags if "claim" in tag]


@pytest.mark.parametrize("data", [b"another bundle", None])
def test_a_damaged_or_missing_bundle_is_found_before_an_alias_moves(data):
    registry = MemoryRegistry()
    promoted(registry, register(registry, "first").version, 2)
    register(registry, "second")
    registry._store.replace_data("2", data)
    with pytest.raises(ModelError, match="promote another version"):
        promoted(registry, "2", 4)
    assert aliases(registry) == {"champion": "1"}


def test_what_is_kept_near_is_not_what_is_tried(tmp_path):
    registry = MemoryRegistry()
    cached = RecordRegistry(registry._store, cache=tmp_path)
    version = register(registry, "first")
    assert cached.read_bytes(version) == b"first"
    registry._store.replace_data("1", b"damaged since")
    assert cached.read_bytes(version) == b"first"
    with pytest.raises(ModelError, match="somebody changed it"):
        promoted(cached, "1", 2)


def test_a_rejected_version_is_promoted_only_by_overruling(registry):
    version = registry.mark_rejected(register(registry, "first"), "precision is too low")
    with pytest.raises(RegistryError, match="was rejected"):
        promoted(registry, version.version, 2)
    assert promoted(registry, version.version, 2, is_overruling=True).champion.rejection is None
    assert aliases(registry) == {"champion": "1"}


def test_of_two_promotions_at_once_one_is_refused_and_moves_nothing(registry):
    first, second = register(registry, "first"), register(registry, "second")

    def meanwhile(data: bytes, digest: str) -> SmokeTest:
        with pytest.raises(RegistryError, match=r"changed by somebody else \(to version 1, since 2026-03-01 12:00:00"):
            promoted(registry, second.version, 3)
        assert aliases(registry) == {}
        return WELL

    promoted(registry, first.version, 2, test=meanwhile)
    assert aliases(registry) == {"champion": "1"}
    promoted(registry, second.version, 3)


def test_the_claim_of_a_process_that_died_holds_nobody_for_ever(registry):
    first, second = register(registry, "first"), register(registry, "second")
    registry._store.set_tag(first.version, "promotion_claim_of_the_dead", NOON.isoformat())
    with pytest.raises(RegistryError, match="after 10 minutes if it died"):
        promoted(registry, second.version, 2, changed_at=NOON + timedelta(minutes=9))
    promoted(registry, second.version, 2, changed_at=NOON + timedelta(minutes=10))
    assert not [tag for record in registry._store.records() for tag in record.tags if "claim" in tag]


def test_the_claim_of_a_process_killed_on_this_machine_holds_nobody(registry):
    first, second = register(registry, "first"), register(registry, "second")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    dead = process_mark().replace(f"/{os.getpid()}", f"/{process.pid}")
    registry._store.set_tag(first.version, "promotion_claim_of_the_dead", f"{NOON.isoformat()} {dead}")
    promoted(registry, second.version, 2, changed_at=NOON + timedelta(seconds=1))
    assert not [tag for record in registry._store.records() for tag in record.tags if "claim" in tag]


def test_a_claim_of_another_machine_stands_for_nobody_here_can_tell_whether_it_died(registry):
    first, second = register(registry, "first"), register(registry, "second")
    registry._store.set_tag(first.version, "promotion_claim_elsewhere", f"{NOON.isoformat()} elsewhere/1/pid:[1]/1")
    with pytest.raises(RegistryError, match="changed by somebody else"):
        promoted(registry, second.version, 2, changed_at=NOON + timedelta(seconds=1))


def test_an_unreachable_registry_is_one_clear_line(tmp_path):
    registry = MlflowRegistry("http://127.0.0.1:9", artifact_url=str(tmp_path))
    for attempt in (lambda: promoted(registry, "1", 2), lambda: rolled_back(registry, 2)):
        with pytest.raises(RegistryUnavailableError, match="cannot list the registered models"):
            attempt()


# -- rollback ---------------------------------------------------------------------------------------------------------


def test_a_rollback_returns_to_the_model_before_and_keeps_the_past(registry):
    with_three_champions(registry)
    change = rolled_back(registry, 8)
    assert (change.champion.version, change.replaced.version) == ("2", "3")
    # A backfill decides each day with the champion it had.
    assert champions(registry, 2, 4, 6, 7, 8, 9) == ["1", "2", "3", "3", "2", "2"]
    failed = registry.find("3")
    assert (failed.stage, failed.rejection) == ("Archived", "F1 fell")
    assert registry.find("2").promotion_reason == "rollback: F1 fell"


def test_a_second_rollback_never_returns_to_the_model_that_failed(registry):
    with_three_champions(registry)
    rolled_back(registry, 8)
    assert aliases(registry) == {"champion": "2", "previous": "1"}
    rolled_back(registry, 9, changed_at=NOON + timedelta(hours=10))
    assert aliases(registry) == {"champion": "1"}
    with pytest.raises(RegistryError, match="there is no previous model to return to"):
        rolled_back(registry, 10)


def test_without_a_champion_or_a_model_before_it_nothing_is_rolled_back(registry):
    with pytest.raises(RegistryError, match="there is no champion to roll back from"):
        rolled_back(registry, 8)
    promoted(registry, register(registry, "first").version, 2)
    with pytest.raises(RegistryError, match="there is no previous model to return to"):
        rolled_back(registry, 8)
    assert aliases(registry) == {"champion": "1"}


def test_a_previous_model_that_was_rejected_since_is_not_returned_to(registry):
    with_three_champions(registry)
    registry.mark_rejected("2", "it leaks")
    with pytest.raises(RegistryError, match=r"version 2, was rejected \(it leaks\)"):
        rolled_back(registry, 8)
    assert registry.find("champion").version == "3"


def test_a_damaged_model_before_leaves_the_champion(registry):
    with_three_champions(registry)
    with pytest.raises(ModelError, match="does not load and score"):
        rolled_back(registry, 8, test=does_not_load)
    assert (aliases(registry)["champion"], registry.find("3").rejection) == ("3", None)


def test_a_rule_rolls_back_only_the_champion_it_judged(registry):
    with_three_champions(registry)
    with pytest.raises(RegistryError, match="version 2 was to be rolled back, but version 3 is champion by now"):
        rolled_back(registry, 8, expected_champion="2")


def test_of_two_rollbacks_at_once_one_is_refused_and_the_champion_goes_back_once(monkeypatch):
    store = MemoryRecords()
    registry = with_three_champions(MemoryRegistry(store))

    def other_comes_first(version: ModelVersion, *, at: datetime) -> AbstractContextManager[None]:
        monkeypatch.undo()
        rolled_back(MemoryRegistry(store), 8)
        return registry.claim(version, at=at)

    monkeypatch.setattr(registry, "claim", other_comes_first)
    with pytest.raises(RegistryError, match="version 3 was to be rolled back, but version 2 is champion by now"):
        rolled_back(registry, 8)
    assert aliases(registry) == {"champion": "2", "previous": "1"}


def test_a_rollback_that_cannot_be_written_down_says_that_it_has_happened(registry, tmp_path):
    with_three_champions(registry)
    (tmp_path / "audit").write_text("a file where a folder belongs")
    trail = open_trail(str(tmp_path / "audit"), actor="Ada", clock=lambda: NOON)
    change = rolled_back(registry, 8)
    with pytest.raises(PlatformError, match=r"version 2 is champion again, but that could not be .* do not repeat"):
        record_change(trail, registry, change, "rollback")
    # A promotion is completed by repeating it.
    with pytest.raises(OSError, match="audit"):
        record_change(trail, registry, change, "promotion")


def test_a_rollback_to_days_that_the_model_before_has_learned_from_is_refused(registry):
    promoted(registry, register(registry, "first", as_of=march(5)).version, 6)
    promoted(registry, register(registry, "second").version, 8)
    with pytest.raises(RegistryError, match="version 1 has learned from 2026-03-05, so it decides from the day after"):
        rolled_back(registry, 5)
    assert aliases(registry) == {"champion": "2", "previous": "1"}


def test_a_candidate_replaces_only_the_champion_it_was_compared_with(registry):
    first, second = register(registry, "first"), register(registry, "second")
    with pytest.raises(RegistryError, match="version 2 was to replace version 1, but nobody is champion by now"):
        promoted(registry, second.version, 3, expected_champion=first.version)
    promoted(registry, first.version, 2, expected_champion="")
    with pytest.raises(RegistryError, match="version 2 was to replace nobody, but version 1 is champion by now"):
        promoted(registry, second.version, 3, expected_champion="")
    promoted(registry, second.version, 3, expected_champion=first.version)
    assert aliases(registry) == {"champion": "2", "previous": "1"}


def rollback_writes(dying: Callable[[RecordRegistry], RecordRegistry]) -> RecordRegistry:
    registry = with_three_champions(MemoryRegistry())
    with pytest.raises(RegistryError, match="the connection was lost"):
        dying(registry).roll_back(day=march(8), reason="F1 fell", rolled_back_at=NOON + timedelta(hours=9))
    return registry


# What a rollback writes: where it leads, why, why the next reign begins, announcement, previous, champion,
# confirmation, reason, two stages, and the alias previous, which must not lead back.
@pytest.mark.parametrize("is_answer_lost", [False, True])
@pytest.mark.parametrize("at_write", range(1, 12))
def test_a_rollback_interrupted_at_any_write_is_all_or_nothing_and_completed_by_calling_again(at_write, is_answer_lost):
    registry = rollback_writes(
        lambda given: RecordRegistry(InterruptedStore(given._store, at_write=at_write, is_answer_lost=is_answer_lost))
    )
    champion = registry.find("champion")
    assert champion.version in ("2", "3")
    assert champion.rejection is None
    assert champions(registry, 7, 8) == ["3", champion.version]
    registry.roll_back(day=march(8), reason="F1 fell", rolled_back_at=NOON + timedelta(hours=10))
    assert registry._store.aliases() in ({"champion": "2", "previous": "1"}, {"champion": "1"})
    # Where the interruption came after the last write, calling again rolls back once more.
    is_done_before = at_write == 11 and is_answer_lost
    assert registry.find("champion").version == ("1" if is_done_before else "2")
    tags = {record.version: record.tags for record in registry._store.records()}
    assert (tags["3"]["rejection_reason"], tags["3"]["stage"]) == ("F1 fell", "Archived")
    assert not any("pending" in tag.get("champion_from", "") for tag in tags.values())


def test_a_change_rewrites_no_decision():
    assert first_undecided_day([], march(3)) == march(4)
    assert first_undecided_day([march(1), march(9)], march(3)) == march(10)
    assert first_undecided_day([march(1)], march(3)) == march(4)
