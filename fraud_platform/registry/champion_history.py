"""Who was champion on which day, as text that fits in a tag of the version.

A version carries one entry per promotion, `<day>@<when it was decided>`: from that day on it is the champion, until an
entry decided later says otherwise. Why stands in a tag of its own beside it. Reading and writing tags does not belong
here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from fraud_platform.errors import RegistryError

_SEPARATOR = ", "
_PENDING = " pending"
_REASON_TAG = "promoted_because."


@dataclass(frozen=True)
class Promotion:
    """One decision that a version is champion from `day` on.

    Attributes:
        version: the registry's number of the version.
        day: first day it decides about.
        decided_at: when that was decided, UTC; of two promotions the one decided later holds.
        is_pending: written down before the champion alias moved; void until it has.
    """

    version: str
    day: date
    decided_at: datetime
    is_pending: bool = False

    @property
    def reason_tag(self) -> str:
        """The tag that says why; a version that is promoted again keeps what was said before."""
        return f"{_REASON_TAG}{_as_text(self.decided_at)}"


def parse_history(version: str, text: str) -> tuple[Promotion, ...]:
    """The promotions in a version's tag.

    Raises:
        RegistryError: the tag holds something else.
    """
    try:
        return tuple(_parse_entry(version, entry) for entry in text.split(_SEPARATOR) if entry)
    except ValueError:
        raise RegistryError(
            f"version {version}: tag champion_from={text!r} is not a list of day@timestamp; mend the tag"
        ) from None


def format_history(promotions: Iterable[Promotion]) -> str:
    """The tag that `parse_history` reads."""
    return _SEPARATOR.join(
        f"{entry.day.isoformat()}@{_as_text(entry.decided_at)}{_PENDING if entry.is_pending else ''}"
        for entry in promotions
    )


def settled(promotions: Iterable[Promotion], champion: str | None) -> tuple[Promotion, ...]:
    """The promotions that came about: a pending one did if its version holds the champion alias."""
    return tuple(
        replace(entry, is_pending=False) for entry in promotions if not entry.is_pending or entry.version == champion
    )


def latest(promotions: Iterable[Promotion]) -> Promotion | None:
    """The promotion decided last."""
    return max(promotions, key=lambda entry: entry.decided_at, default=None)


def next_decision_time(promotions: Iterable[Promotion], now: datetime) -> datetime:
    """`now`, or just after the last decision where clocks disagree, so that a later decision always reads as later."""
    last = latest(promotions)
    now = now.astimezone(UTC)
    return now if last is None else max(now, last.decided_at + timedelta(microseconds=1))


def champion_on(
    day: date, promotions: Iterable[Promotion], champion: str | None, as_of: Mapping[str, date]
) -> str | None:
    """The version that is champion of `day`, or None.

    The alias is the truth about now. Where somebody moved it by hand, it holds from the day of the last recorded
    promotion on (from the model's own as-of day where nothing is recorded); the days before keep their history.

    Args:
        day: the day asked about.
        promotions: settled promotions of every version.
        champion: the version that holds the champion alias.
        as_of: as-of day by version.
    """
    recorded = tuple(promotions)
    last = latest(recorded)
    if last is None:
        return champion if champion is not None and as_of[champion] <= day else None
    if last.version != champion and day >= last.day:
        return champion
    holding = latest(entry for entry in recorded if entry.day <= day)
    return holding.version if holding else None


def holdings(
    promotions: Iterable[Promotion], champion: str | None, as_of: Mapping[str, date]
) -> list[tuple[date, str, Promotion | None]]:
    """The days on which somebody else, or the same for another reason, begins to decide; each with the version, and the
    promotion that says so. None where the alias was moved by hand.

    Args:
        promotions: settled promotions of every version.
        champion: the version that holds the champion alias.
        as_of: as-of day by version.
    """
    recorded = tuple(promotions)
    last = latest(recorded)
    if last is None:
        return [(as_of[champion], champion, None)] if champion is not None else []
    found: list[tuple[date, str, Promotion | None]] = []
    for day in sorted({entry.day for entry in recorded}):
        version = champion_on(day, recorded, champion, as_of)
        entry = latest(entry for entry in recorded if entry.day <= day)
        by = entry if entry is not None and entry.version == version else None
        if version is not None and (not found or found[-1][1:] != (version, by)):
            found.append((day, version, by))
    return found


def _parse_entry(version: str, text: str) -> Promotion:
    is_pending = text.endswith(_PENDING)
    day, _, decided_at = text.removesuffix(_PENDING).partition("@")
    moment = datetime.fromisoformat(decided_at)
    if moment.tzinfo is None:
        raise ValueError(text)
    return Promotion(version, date.fromisoformat(day), moment.astimezone(UTC), is_pending)


def _as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
