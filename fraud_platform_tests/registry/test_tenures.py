"""Tenures: who decided which days and why, also where a version reigned twice or somebody moved an alias by hand."""

from datetime import timedelta

from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.registry import MOVED_BY_HAND, Tenure
from fraud_platform_tests.registry.registration import NOON, march, promote, register


def told(registry: RecordRegistry) -> list[tuple[str, int, int | None, str]]:
    """Version, first and last day of March, and why."""

    def shown(tenure: Tenure) -> tuple[str, int, int | None, str]:
        last = tenure.last_day.day if tenure.last_day else None
        return tenure.version.version, tenure.first_day.day, last, tenure.reason

    return [shown(tenure) for tenure in registry.tenures()]


def with_two_champions() -> MemoryRegistry:
    registry = MemoryRegistry()
    for number, (name, day) in enumerate((("first", 1), ("second", 5))):
        version = register(registry, name)
        at = NOON + timedelta(hours=number)
        registry.promote(version, day=march(day), reason=f"{name} is good", promoted_at=at)
    return registry


def test_before_the_first_release_nobody_decides():
    registry = MemoryRegistry()
    register(registry, "first")
    assert registry.tenures() == []


def test_a_version_that_returns_keeps_why_it_reigned_before():
    registry = with_two_champions()
    registry.roll_back(day=march(9), reason="F1 fell", rolled_back_at=NOON + timedelta(hours=5))
    assert told(registry) == [
        ("1", 1, 4, "first is good"),
        ("2", 5, 8, "second is good"),
        ("1", 9, None, "rollback: F1 fell"),
    ]
    assert [registry.tenures()[number].covers(march(8)) for number in range(3)] == [False, True, False]
    assert registry.tenures()[1].decided_at == NOON + timedelta(hours=1)


def test_who_was_replaced_before_the_first_day_never_decided():
    registry = with_two_champions()
    third = register(registry, "third")
    registry.promote(third, day=march(5), reason="sooner", promoted_at=NOON + timedelta(hours=3))
    assert told(registry) == [("1", 1, 4, "first is good"), ("3", 5, None, "sooner")]


def test_an_alias_moved_by_hand_is_told_as_that():
    registry = with_two_champions()
    registry._store.set_alias("champion", "1")
    assert told(registry) == [("1", 1, 4, "first is good"), ("1", 5, None, MOVED_BY_HAND)]
    alone = MemoryRegistry()
    alone._store.set_alias("champion", register(alone, "alone", as_of=march(3)).version)
    assert told(alone) == [("1", 3, None, MOVED_BY_HAND)]


def test_what_was_promoted_before_reasons_were_kept_one_by_one_tells_its_last():
    registry = MemoryRegistry()
    promote(registry, register(registry, "old"), 1)
    (record,) = registry._store.records()
    for tag in [tag for tag in record.tags if tag.startswith("promoted_because.")]:
        registry._store.delete_tag("1", tag)
    assert told(registry) == [("1", 1, None, "it is better")]
