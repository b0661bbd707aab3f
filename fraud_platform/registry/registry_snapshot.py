"""What a registry's records mean at one moment: tags and aliases become versions and their history.

Changing them does not belong here (`record_registry`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import Any

from fraud_platform.errors import RegistryError
from fraud_platform.registry.champion_history import (
    Promotion,
    champion_on,
    format_history,
    holdings,
    parse_history,
    settled,
)
from fraud_platform.registry.record_store import Record, RecordStore
from fraud_platform.registry.registry import (
    ALIASES,
    CHAMPION,
    MOVED_BY_HAND,
    SIGNATURE_TAG,
    STAGES,
    UNRECORDED_REASON,
    ModelVersion,
    Stage,
    Tenure,
    parse_semantic_version,
)


@dataclass(frozen=True)
class Snapshot:
    """What the store held at one moment; records of other makers are left out."""

    records: Mapping[str, Record]
    aliases: Mapping[str, str]

    @classmethod
    def of(cls, store: RecordStore) -> "Snapshot":
        """What `store` holds now."""
        records = {record.version: record for record in store.records() if "bundle_sha256" in record.tags}
        return cls(records, store.aliases())

    @property
    def champion(self) -> str | None:
        """The version the champion alias points at."""
        return self.aliases.get(CHAMPION)

    def history(self) -> Iterator[tuple[Record, tuple[Promotion, ...]]]:
        """Every record with the promotions in its tag, pending ones included."""
        for record in self.records.values():
            yield record, parse_history(record.version, record.tags.get("champion_from", ""))

    def promotions(self) -> tuple[Promotion, ...]:
        """Every promotion that came about."""
        return tuple(entry for _, entries in self.history() for entry in settled(entries, self.champion))

    def settled_history(self, version: str) -> str:
        """The version's tag without what an interrupted promotion left."""
        entries = parse_history(version, self.records[version].tags.get("champion_from", ""))
        return format_history(settled(entries, self.champion))

    def versions(self) -> list[ModelVersion]:
        """Every version, oldest first."""
        return [self.model_version(version) for version in self.records]

    def model_version(self, version: str) -> ModelVersion:
        """The version as readers see it: what an interrupted promotion left unfinished is read as finished."""
        record, is_champion = self.records[version], version == self.champion
        tags = record.tags
        stage: Stage = next((known for known in STAGES if known == tags.get("stage")), "None")
        if is_champion or stage == "Production":
            stage = "Production" if is_champion else "Archived"
        pointing = sorted(alias for alias, target in self.aliases.items() if target == version and alias in ALIASES)
        entries = settled(parse_history(version, tags.get("champion_from", "")), self.champion)
        try:
            return ModelVersion(
                version=version,
                semver=tags["semver"],
                stage=stage,
                aliases=(CHAMPION,) if is_champion else tuple(pointing),
                digest=tags["bundle_sha256"],
                as_of=date.fromisoformat(tags["as_of"]),
                created_at=datetime.fromisoformat(tags["created_at"]),
                algorithm=tags["algorithm"],
                origin=tags["origin"],
                cause=tags["cause"],
                run_id=record.run_id,
                champion_from=tuple(entry.day for entry in sorted(entries, key=lambda entry: entry.decided_at)),
                feature_schema_version=int(tags["feature_schema_version"]),
                # Written before a rollback moves the alias; until it has, nothing has happened.
                rejection=None if is_champion else tags.get("rejection_reason"),
                approved_by=tags.get("approved_by"),
                promotion_reason=tags.get("promotion_reason"),
                shadow_from=_day(tags.get("shadow_from")),
                shadow_until=_day(tags.get("shadow_until")),
                earlier_shadows=parse_shadows(tags.get("earlier_shadows", "")),
                signature=tags.get(SIGNATURE_TAG),
            )
        except (KeyError, ValueError) as error:
            raise RegistryError(
                f"version {version}: its tags were changed by hand and cannot be read ({error}); mend them"
            ) from error

    def find(self, reference: ModelVersion | str) -> ModelVersion:
        """The version behind an alias, a version number or a semantic version; RegistryError where there is none."""
        text = reference.version if isinstance(reference, ModelVersion) else str(reference).strip()
        number = parse_semantic_version(text)
        is_wanted: Callable[[ModelVersion], Any] = (
            (lambda version: text in version.aliases)
            if text in ALIASES
            else (lambda version: parse_semantic_version(version.semver) == number)
            if number
            else (lambda version: version.version == text)
        )
        known = self.versions()
        for version in known:
            if is_wanted(version):
                return version
        listing = "; ".join(
            " ".join((version.version, f"({version.semver})", *version.aliases)) for version in reversed(known)
        )
        hint = f"there is {listing}" if known else "the registry is empty: train and release a model first"
        raise RegistryError(f"no model is {text!r}; {hint}")

    def champion_on(self, day: date) -> ModelVersion | None:
        """Who is champion of `day`."""
        as_of = {record.version: date.fromisoformat(record.tags["as_of"]) for record in self.records.values()}
        champion = self.champion if self.champion in self.records else None
        version = champion_on(day, self.promotions(), champion, as_of)
        return self.model_version(version) if version else None

    def tenures(self) -> list[Tenure]:
        """Who decided from which day to which, and why, oldest first."""
        as_of = {record.version: date.fromisoformat(record.tags["as_of"]) for record in self.records.values()}
        champion = self.champion if self.champion in self.records else None
        found = holdings(self.promotions(), champion, as_of)
        ends = [day - timedelta(days=1) for day, _, _ in found[1:]]
        return [
            Tenure(
                version=self.model_version(version),
                first_day=day,
                last_day=end,
                decided_at=entry.decided_at if entry else None,
                reason=self._reason(version, entry),
            )
            for (day, version, entry), end in zip_longest(found, ends)
        ]

    def _reason(self, version: str, entry: Promotion | None) -> str:
        if entry is None:
            return MOVED_BY_HAND
        tags = self.records[version].tags
        # Promotions of before reasons were kept one by one: the last one is known.
        return tags.get(entry.reason_tag) or tags.get("promotion_reason") or UNRECORDED_REASON

    def first_champion(self) -> ModelVersion | None:
        """The champion of the earliest day that has one."""
        days = [entry.day for entry in self.promotions()]
        if not days and self.champion is not None and self.champion in self.records:
            days = [self.model_version(self.champion).as_of]
        return self.champion_on(min(days)) if days else None


def format_shadows(shadows: Iterable[tuple[date, date]]) -> str:
    """First and last days as a tag keeps them: `2026-03-09/2026-03-15, ...`."""
    return ", ".join(f"{first}/{last}" for first, last in shadows)


def parse_shadows(text: str) -> tuple[tuple[date, date], ...]:
    """What `format_shadows` has written; ValueError where somebody else has."""
    pairs = (each.split("/") for each in text.split(", ") if each)
    return tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in pairs)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
