"""A promotion that dies at any of its writes shows readers all or nothing, and calling it again completes it."""

import pytest

from fraud_platform.errors import RegistryError
from fraud_platform.registry.memory_registry import MemoryRecords, MemoryRegistry
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform_tests.registry.registration import InterruptedStore, champions, march, promote, register

# What a promotion over a champion writes: why its reign begins, announcement, previous, champion, confirmation, reason,
# stage, stage of the old champion, challenger alias.
WRITE_COUNT = 9


def with_a_champion_and_a_challenger(registry: RecordRegistry) -> RecordRegistry:
    promote(registry, register(registry, "first"), 1)
    promote(registry, register(registry, "second"), 3, hour=1)
    registry.set_stage(register(registry, "third"), "Staging", reason="gates passed")
    return registry


def interrupted(registry: RecordRegistry, at_write: int, *, is_answer_lost: bool) -> None:
    """Promotes version 3 for day 5 until write `at_write` dies."""
    dying = InterruptedStore(registry._store, at_write=at_write, is_answer_lost=is_answer_lost)
    with pytest.raises(RegistryError, match="the connection was lost"):
        promote(RecordRegistry(dying), "3", 5, hour=2)


def test_a_promotion_takes_nine_writes() -> None:
    registry = with_a_champion_and_a_challenger(MemoryRegistry())
    counting = InterruptedStore(registry._store, at_write=WRITE_COUNT + 1, is_answer_lost=False)
    promote(RecordRegistry(counting), "3", 5, hour=2)
    assert not counting.was_interrupted
    assert counting._writes_left == 1


@pytest.mark.parametrize("at_write", range(1, WRITE_COUNT + 1))
def test_calling_again_completes_a_promotion_interrupted_at_any_write(registry: RecordRegistry, at_write: int) -> None:
    assert_calling_again_completes(registry, at_write, is_answer_lost=False)


@pytest.mark.parametrize("at_write", range(1, WRITE_COUNT + 1))
def test_calling_again_completes_a_promotion_whose_answer_was_lost_at_any_write(at_write: int) -> None:
    assert_calling_again_completes(MemoryRegistry(), at_write, is_answer_lost=True)


def assert_calling_again_completes(registry: RecordRegistry, at_write: int, *, is_answer_lost: bool) -> None:
    with_a_champion_and_a_challenger(registry)
    interrupted(registry, at_write, is_answer_lost=is_answer_lost)
    promote(registry, "3", 5, hour=3)
    assert champions(registry, 1, 2, 3, 4, 5, 9) == ["1", "1", "2", "2", "3", "3"]
    assert [version.champion_from for version in registry.versions()] == [(march(1),), (march(3),), (march(5),)]
    # What people see in MLflow, as it is stored.
    assert registry._store.aliases() == {"champion": "3", "previous": "2"}
    tags = [record.tags for record in registry._store.records()]
    assert [tag["stage"] for tag in tags] == ["Archived", "Archived", "Production"]
    assert not any("pending" in tag["champion_from"] for tag in tags)


@pytest.mark.parametrize("is_answer_lost", [False, True])
@pytest.mark.parametrize("at_write", range(1, WRITE_COUNT + 1))
def test_readers_of_an_interrupted_promotion_see_all_or_nothing(at_write: int, is_answer_lost: bool) -> None:
    registry = with_a_champion_and_a_challenger(MemoryRegistry())
    interrupted(registry, at_write, is_answer_lost=is_answer_lost)
    champion = registry.find("champion")
    assert [version.version for version in registry.versions() if version.stage == "Production"] == [champion.version]
    if champion.version == "2":
        assert champions(registry, 1, 4, 5, 9) == ["1", "2", "2", "2"]
        assert registry.find("challenger").version == "3"
    else:
        assert champion.version == "3"
        assert champions(registry, 1, 4, 5, 9) == ["1", "2", "3", "3"]
        assert registry.find("previous").version == "2"


@pytest.mark.parametrize("is_answer_lost", [False, True])
@pytest.mark.parametrize("at_write", range(1, WRITE_COUNT + 1))
def test_another_promotion_after_an_interrupted_one_leaves_a_true_history(at_write: int, is_answer_lost: bool) -> None:
    registry = with_a_champion_and_a_challenger(MemoryRegistry())
    interrupted(registry, at_write, is_answer_lost=is_answer_lost)
    was_promoted = registry.find("champion").version == "3"
    promote(registry, "1", 7, hour=3)
    # Only a promotion that came about may stand in the history.
    assert champions(registry, 4, 5, 6, 7, 9) == ["2", *(2 * ["3" if was_promoted else "2"]), "1", "1"]
    assert registry.find("previous").version == ("3" if was_promoted else "2")


@pytest.mark.parametrize("is_answer_lost", [False, True])
def test_the_first_promotion_of_all_can_be_interrupted_too(is_answer_lost: bool) -> None:
    for at_write in range(1, 6):
        registry = MemoryRegistry(MemoryRecords())
        register(registry, "first")
        dying = InterruptedStore(registry._store, at_write=at_write, is_answer_lost=is_answer_lost)
        with pytest.raises(RegistryError, match="the connection was lost"):
            promote(RecordRegistry(dying), "1", 5)
        promote(registry, "1", 5, hour=1)
        assert champions(registry, 4, 5) == [None, "1"]
        assert registry.find("champion").champion_from == (march(5),)


def test_an_alias_moved_by_hand_is_the_truth_from_the_last_promotion_on(registry: RecordRegistry) -> None:
    with_a_champion_and_a_challenger(registry)
    registry._store.set_alias("champion", "1")
    assert registry.find("champion").version == "1"
    assert champions(registry, 1, 2, 3, 9) == ["1", "1", "1", "1"]
    promote(registry, "3", 6, hour=4)
    assert champions(registry, 1, 3, 5, 6) == ["1", "2", "2", "3"]
    assert registry.find("previous").version == "1"


def test_without_the_champion_alias_nobody_decides_from_the_last_promotion_on(registry: RecordRegistry) -> None:
    with_a_champion_and_a_challenger(registry)
    registry._store.delete_alias("champion")
    assert champions(registry, 1, 2, 3, 9) == ["1", "1", None, None]


def test_an_alias_set_by_hand_without_any_promotion_holds_from_the_as_of_day(registry: RecordRegistry) -> None:
    register(registry, "first")
    registry._store.set_alias("champion", "1")
    assert champions(registry, 1, 2) == ["1", "1"]
    assert registry.first_champion() == registry.find("1")


@pytest.mark.parametrize(
    ("tag", "text", "complaint"),
    [
        ("champion_from", "yesterday", "is not a list of day@timestamp"),
        # Without a time zone nobody can say which of two came later.
        ("champion_from", "2026-03-01@2026-03-01T12:00:00", "is not a list of day@timestamp"),
        ("as_of", "soon", "its tags were changed by hand"),
        ("feature_schema_version", "one", "its tags were changed by hand"),
    ],
)
def test_a_tag_broken_by_hand_is_named(registry: RecordRegistry, tag: str, text: str, complaint: str) -> None:
    register(registry, "first")
    registry._store.set_tag("1", tag, text)
    with pytest.raises(RegistryError, match=f"version 1.*{complaint}"):
        registry.versions()
