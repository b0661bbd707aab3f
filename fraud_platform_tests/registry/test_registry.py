"""What every model registry promises; each test runs against the double in memory and against MLflow."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fraud_platform.errors import ModelError, RegistryError
from fraud_platform.registry.champion import model_for_day
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.record_store import RecordStore
from fraud_platform_tests.registry.registration import NOON, champions, march, promote, register


def test_an_empty_registry_has_no_versions_and_no_champion(registry: RecordRegistry) -> None:
    assert registry.versions() == []
    assert registry.champion_as_of(march(1)) is None
    assert registry.first_champion() is None


def test_an_empty_registry_says_what_to_do(registry: RecordRegistry) -> None:
    with pytest.raises(RegistryError, match=r"no model is 'champion'.*train and release"):
        registry.find("champion")
    with pytest.raises(ModelError, match="no model has been released yet"):
        model_for_day(registry, march(1))


def test_a_registered_model_comes_back_with_everything_that_was_said_of_it(registry: RecordRegistry) -> None:
    version = register(registry, "first", algorithm="lightgbm", cause="drift", origin="simulated", as_of=march(7))
    assert (version.version, version.semver, version.stage, version.aliases) == ("1", "1.0.0", "None", ())
    assert (version.algorithm, version.cause, version.origin) == ("lightgbm", "drift", "simulated")
    assert (version.as_of, version.created_at, version.champion_from) == (march(7), NOON, ())
    assert version.feature_schema_version == 1
    assert version.rejection is None
    assert registry.versions() == [version]


def test_registering_the_same_bytes_again_changes_nothing(registry: RecordRegistry) -> None:
    first = register(registry, "first")
    assert register(registry, "first") == first
    assert len(registry.versions()) == 1


class OvertakenStore:
    """A store that somebody else writes to between a look at it and the next write: the same model, registered."""

    def __init__(self, store: RecordStore, meanwhile: Callable[[], object]) -> None:
        self._store, self._meanwhile = store, meanwhile

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def create(self, *arguments: object, **options: object) -> str:
        self._meanwhile()
        return self._store.create(*arguments, **options)  # type: ignore[arg-type]


def test_two_registrations_of_one_model_at_the_same_time_make_one_version(registry: RecordRegistry) -> None:
    overtaken = RecordRegistry(OvertakenStore(registry._store, lambda: register(registry, "first")))  # type: ignore[arg-type]
    assert register(overtaken, "first").version == "1"
    assert [version.version for version in registry.versions()] == ["1"]


def test_two_models_registered_at_the_same_time_get_two_numbers(registry: RecordRegistry) -> None:
    overtaken = RecordRegistry(OvertakenStore(registry._store, lambda: register(registry, "other")))  # type: ignore[arg-type]
    assert register(overtaken, "first").semver == "1.1.0"
    assert [(version.version, version.semver) for version in registry.versions()] == [("1", "1.0.0"), ("2", "1.1.0")]


def test_a_version_that_a_killed_registration_doubled_is_withdrawn_by_the_next(registry: RecordRegistry) -> None:
    first = register(registry, "first")
    tags = {"bundle_sha256": first.digest, **registry._store.records()[0].tags}
    registry._store.create(b"first", tags=tags, run_id=None, description="")
    assert len(registry.versions()) == 2
    assert register(registry, "first").version == "1"
    assert [version.version for version in registry.versions()] == ["1"]


def test_a_bundle_with_another_digest_than_announced_is_not_registered(registry: RecordRegistry) -> None:
    with pytest.raises(ModelError, match="has digest sha256:"):
        register(registry, "first", digest="sha256:" + 64 * "0")
    assert registry.versions() == []


def test_retraining_raises_the_minor_and_other_features_the_major_number(registry: RecordRegistry) -> None:
    schemas = (1, 1, 2, 2, 2)
    versions = [register(registry, f"model {n}", feature_schema_version=s) for n, s in enumerate(schemas)]
    assert [version.semver for version in versions] == ["1.0.0", "1.1.0", "2.0.0", "2.1.0", "2.2.0"]


def test_versions_come_oldest_first_beyond_nine(registry: RecordRegistry) -> None:
    for number in range(11):
        register(registry, f"model {number}")
    assert [version.version for version in registry.versions()] == [str(number) for number in range(1, 12)]


@pytest.mark.parametrize("reference", ["2", "1.1.0", "v1.1.0", "champion", " champion "])
def test_a_version_is_found_by_number_semantic_version_and_alias(registry: RecordRegistry, reference: str) -> None:
    register(registry, "first")
    second = promote(registry, register(registry, "second"), 1)
    assert registry.find(reference) == second


@pytest.mark.parametrize("reference", ["3", "1.2.0", "challenger", "previous", "latest", ""])
def test_an_unknown_version_is_an_error_that_lists_what_exists(registry: RecordRegistry, reference: str) -> None:
    register(registry, "first")
    promote(registry, register(registry, "second"), 1)
    with pytest.raises(RegistryError, match=r"there is 2 \(1\.1\.0\) champion; 1 \(1\.0\.0\)$"):
        registry.find(reference)


def test_promotion_moves_champion_and_makes_the_one_before_previous_and_archived(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    second = promote(registry, register(registry, "second"), 5, hour=1)
    first = registry.find("previous")
    assert (second.version, second.stage, second.aliases) == ("2", "Production", ("champion",))
    assert (first.version, first.stage, first.aliases) == ("1", "Archived", ("previous",))
    assert registry.find("champion") == second


def test_the_champion_of_a_day_is_who_was_promoted_for_it(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 3)
    promote(registry, register(registry, "second"), 5, hour=1)
    assert champions(registry, 2, 3, 4, 5, 31) == [None, "1", "1", "2", "2"]


def test_a_rollback_leaves_the_history_before_it(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    promote(registry, register(registry, "second"), 5, hour=1)
    again = promote(registry, "previous", 8, hour=2)
    assert champions(registry, 4, 5, 7, 8, 9) == ["1", "2", "2", "1", "1"]
    assert again.champion_from == (march(1), march(8))
    assert registry.find("previous").version == "2"
    assert [version.stage for version in registry.versions()] == ["Production", "Archived"]


def test_of_two_promotions_for_one_day_the_later_holds(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 5)
    promote(registry, register(registry, "second"), 5, hour=1)
    promote(registry, "1", 5, hour=2)
    assert champions(registry, 4, 5, 6) == [None, "1", "1"]


def test_a_later_promotion_holds_even_where_a_clock_goes_back(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 5, hour=10)
    promote(registry, register(registry, "second"), 5, hour=0)
    promote(registry, "1", 5, hour=0)
    promote(registry, "2", 5, hour=0)
    assert champions(registry, 5) == ["2"]


def test_a_promotion_for_an_earlier_day_holds_from_that_day_on(registry: RecordRegistry) -> None:
    # Whoever rolls back "from day 3 on" does not want the rolled back model to return on day 5.
    promote(registry, register(registry, "first"), 1)
    promote(registry, register(registry, "second"), 5, hour=1)
    promote(registry, "1", 3, hour=2)
    assert champions(registry, 2, 3, 5, 9) == ["1", "1", "1", "1"]
    assert registry.find("champion").version == "1"


def test_promoting_the_champion_again_changes_nothing(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    second = promote(registry, register(registry, "second"), 5, hour=1)
    assert promote(registry, second, 5, hour=2) == second
    assert promote(registry, second, 9, hour=3) == second
    assert registry.find("previous").version == "1"


def test_days_before_the_first_champion_are_scored_by_it_in_hindsight(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first", as_of=march(5)), 5)
    promote(registry, register(registry, "second", as_of=march(9)), 9, hour=1)
    first = registry.first_champion()
    assert first is not None
    assert first.version == "1"
    assert model_for_day(registry, march(2)).version == first
    # A model knows its as-of day, so only later days are new to it.
    assert [model_for_day(registry, march(day)).is_hindsight for day in (4, 5, 6, 9, 10)] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_staging_makes_a_version_the_only_challenger(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    registry.set_stage(register(registry, "second"), "Staging", reason="gates passed")
    third = registry.set_stage(register(registry, "third"), "Staging", reason="gates passed")
    assert (third.stage, third.aliases) == ("Staging", ("challenger",))
    assert registry.find("challenger") == third
    assert registry.find("2").stage == "Archived"
    assert champions(registry, 31) == ["1"]


def test_a_promoted_challenger_is_no_challenger_any_more(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    challenger = registry.set_stage(register(registry, "second"), "Staging", reason="gates passed")
    assert promote(registry, challenger, 5, hour=1).aliases == ("champion",)
    with pytest.raises(RegistryError, match="no model is 'challenger'"):
        registry.find("challenger")


def test_leaving_staging_takes_the_challenger_alias(registry: RecordRegistry) -> None:
    version = registry.set_stage(register(registry, "first"), "Staging", reason="gates passed")
    assert registry.set_stage(version, "None", reason="on second thought").aliases == ()


def test_a_rejected_version_cannot_be_promoted_until_somebody_overrules_it(registry: RecordRegistry) -> None:
    rejected = registry.mark_rejected(register(registry, "first"), "F1 is 0.500")
    assert (rejected.stage, rejected.rejection) == ("Archived", "F1 is 0.500")
    with pytest.raises(RegistryError, match=r"was rejected \(F1 is 0.500\); move it to Staging"):
        promote(registry, rejected, 1)
    assert registry.champion_as_of(march(1)) is None
    assert registry.set_stage("1", "Staging", reason="measured on the wrong rows").rejection is None
    assert promote(registry, "challenger", 1).stage == "Production"


def test_the_champion_can_neither_be_rejected_nor_demoted(registry: RecordRegistry) -> None:
    promote(registry, register(registry, "first"), 1)
    with pytest.raises(RegistryError, match="promote another version first"):
        registry.mark_rejected("champion", "a whim")
    with pytest.raises(RegistryError, match="promote another version first"):
        registry.set_stage("champion", "Archived", reason="a whim")


@pytest.mark.parametrize("stage", ["Production", "Retired"])
def test_only_promotion_leads_to_production_and_other_stages_do_not_exist(registry: RecordRegistry, stage: str) -> None:
    register(registry, "first")
    with pytest.raises(RegistryError, match=f"stage '{stage}' cannot be set"):
        registry.set_stage("1", stage, reason="")  # type: ignore[arg-type]


def test_the_bytes_come_back_as_they_were_registered(registry: RecordRegistry) -> None:
    version = register(registry, "first")
    assert registry.read_bytes(version) == b"first"
    assert registry.read_bytes("1.0.0") == b"first"


def test_bytes_with_another_digest_than_registered_are_refused(registry: RecordRegistry) -> None:
    version = register(registry, "first")
    with pytest.raises(ModelError, match="registered was"):
        registry.read_bytes(replace(version, digest=version.digest[:20] + 51 * "0"))


def test_what_is_no_bundle_is_refused_by_load(registry: RecordRegistry) -> None:
    with pytest.raises(ModelError):
        registry.load(register(registry, "not a bundle"))


def test_moments_are_kept_in_utc(registry: RecordRegistry) -> None:
    local = datetime.fromisoformat("2026-03-01T14:00:00+02:00")
    assert register(registry, "first", created_at=local).created_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_two_registries_on_one_database_agree(tracking_url: str) -> None:
    writer, reader = (MlflowRegistry(tracking_url, model_name="shared") for _ in range(2))
    promoted = promote(writer, register(writer, "first"), 1)
    assert reader.find("champion") == promoted
    assert reader.read_bytes("champion") == b"first"


def test_notes_about_versions_are_kept_beside_what_the_registry_knows(registry: RecordRegistry) -> None:
    first, second = register(registry, "first"), register(registry, "second")
    assert registry.notes("audit_head") == {}
    registry.note(first, "audit_head", "1:abc")
    registry.note(second.version, "audit_head", "2:def")
    registry.note(first, "audit_head", "3:123")
    # A note named like a tag of the registry's own changes nothing it decides by.
    registry.note(first, "stage", "Production")
    assert registry.notes("audit_head") == {"1": "3:123", "2": "2:def"}
    assert registry.versions() == [first, second]
