"""What a life is asked when it is over: who decided each day and why, and whether scoring it again gives the same.

How it is lived does not belong here.
"""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fraud_platform.defs.resources import Platform
    from fraud_platform.defs.ticking import Clockwork

# Days of each tenure that are scored again: its first, its last and some between.
REPLAYED_PER_TENURE = 3


def unanswered(platform: "Platform") -> Iterator[str]:
    """Every scored day of which registry and files do not agree who decided it, or do not say why."""
    from fraud_platform.monitoring.charge import in_charge
    from fraud_platform.registry.registry import MOVED_BY_HAND, UNRECORDED_REASON

    days = platform.store.days("daily_predictions", "parquet")
    for day in days:
        answer = in_charge(platform.registry, platform.store, day)
        if not answer.is_consistent:
            yield f"{day} was decided by version {answer.decided_by}, the registry names {answer.model.version.version}"
        if answer.model.tenure.reason in ("", MOVED_BY_HAND, UNRECORDED_REASON):
            yield f"{day}: nobody knows why version {answer.model.version.version} decided"
    print(f"\nWho decided and why is known of {len(days)} days:\n")
    print("| from | to | champion | why |\n|---|---|---|---|")
    for tenure in platform.registry.tenures():
        print(f"| {tenure.first_day} | {tenure.last_day or 'now'} | {tenure.version.semver} | {tenure.reason} |")


def differing_replays(clockwork: "Clockwork", platform: "Platform") -> Iterator[str]:
    """Every replayed day whose decisions are not what they were, bit for bit."""
    from fraud_platform.defs import runs

    scored = platform.store.days("daily_predictions", "parquet")
    chosen: set[date] = set()
    for tenure in platform.registry.tenures():
        held = [day for day in scored if tenure.covers(day)]
        chosen |= set(held[:: max(1, len(held) // REPLAYED_PER_TENURE)]) | set(held[-1:])
    for day in sorted(chosen):
        before = platform.store.read_table("daily_predictions", day)
        runs.run_range(clockwork.definitions, clockwork.instance, ("daily_predictions",), day, day)
        after = platform.store.read_table("daily_predictions", day)
        if not before.drop(columns="scored_at").equals(after.drop(columns="scored_at")):
            yield f"{day}: scored again, its decisions differ"
    print(f"\n{len(chosen)} past days were scored again: {', '.join(map(str, sorted(chosen)))}.")
