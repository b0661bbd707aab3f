"""The registry's rules over any store of numbered records with tags and aliases.

What every store shares is here once, so that the double in memory and MLflow cannot disagree. How a record is kept
does not belong here (`record_store`), nor what its tags say (`registry_snapshot`).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fraud_platform.errors import ModelError, RegistryError
from fraud_platform.registry.bundle_shelf import BundleShelf
from fraud_platform.registry.champion_history import Promotion, format_history, latest, next_decision_time, settled
from fraud_platform.registry.claim import claimed
from fraud_platform.registry.doubling import numbered_apart, only_version
from fraud_platform.registry.model_signature import SETTING, is_signed_by, sign_model
from fraud_platform.registry.record_store import Record, RecordStore
from fraud_platform.registry.registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    ROLLBACK_REASON,
    SIGNATURE_TAG,
    STAGES,
    ModelVersion,
    Stage,
    Tenure,
    next_semantic_version,
)
from fraud_platform.registry.registry_snapshot import Snapshot
from fraud_platform.storage import sha256

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# Tells notes from the tags that the registry's own rules read.
_NOTE_PREFIX = "note."


class RecordRegistry:
    """A `ModelRegistry` over a `RecordStore`.

    Args:
        store: where records live.
        cache: folder for bundles read from afar, by digest; None reads them from the store every time.
        key: signs what is registered, and nothing else is read; None neither signs nor asks.
    """

    def __init__(self, store: RecordStore, *, cache: Path | None = None, key: bytes | None = None) -> None:
        self._store = store
        self._shelf = BundleShelf(store, cache=cache, key=key)
        self._key = key

    def register(
        self,
        bundle_bytes: bytes,
        *,
        digest: str,
        as_of: date,
        algorithm: str,
        feature_schema_version: int,
        origin: str,
        cause: str,
        run_id: str | None,
        created_at: datetime,
        description: str,
    ) -> ModelVersion:
        """See `ModelRegistry.register`."""
        if sha256(bundle_bytes) != digest:
            raise ModelError(f"the bundle to register has digest {sha256(bundle_bytes)}, not {digest}; build it again")
        if (known := only_version(self._store, digest)) is not None:
            return self._signed(known)
        tags = {
            "stage": "None",
            "semver": next_semantic_version(self.versions(), feature_schema_version),
            "bundle_sha256": digest,
            "as_of": as_of.isoformat(),
            "created_at": created_at.astimezone(UTC).isoformat(),
            "algorithm": algorithm,
            "feature_schema_version": str(feature_schema_version),
            "origin": origin,
            "cause": cause,
        }
        tags |= {SIGNATURE_TAG: sign_model(digest, self._key)} if self._key else {}
        created = self._store.create(bundle_bytes, tags=tags, run_id=run_id, description=description)
        # Two at once find nothing and both create; whoever looks afterwards sees the other.
        return numbered_apart(self._store, only_version(self._store, digest) or self.find(created))

    def sign(self, version: ModelVersion | str) -> ModelVersion:
        """The version, signed: its bundle is the one with the registered digest, and whoever calls vouches for it.

        Raises:
            ModelError: there is no key, or the bundle is missing or another one.
        """
        if self._key is None:
            raise ModelError(f"there is no key to sign with; name its file in {SETTING}")
        self._shelf.read_unsigned(self._known(version))
        return self._signed(self._known(version))

    def versions(self) -> list[ModelVersion]:
        """See `ModelRegistry.versions`."""
        return self._snapshot().versions()

    def find(self, reference: str) -> ModelVersion:
        """See `ModelRegistry.find`."""
        return self._snapshot().find(reference)

    def champion_as_of(self, day: date) -> ModelVersion | None:
        """See `ModelRegistry.champion_as_of`."""
        return self._snapshot().champion_on(day)

    def tenures(self) -> list[Tenure]:
        """See `ModelRegistry.tenures`."""
        return self._snapshot().tenures()

    def first_champion(self) -> ModelVersion | None:
        """See `ModelRegistry.first_champion`."""
        return self._snapshot().first_champion()

    def read_bytes(self, version: ModelVersion | str, *, from_store: bool = False) -> bytes:
        """See `ModelRegistry.read_bytes`."""
        return self._shelf.read(self._known(version), from_store=from_store)

    def load(self, version: ModelVersion | str) -> "ModelBundle":
        """See `ModelRegistry.load`."""
        return self._shelf.load(self._known(version))

    def claim(self, version: ModelVersion | str, *, at: datetime) -> AbstractContextManager[None]:
        """See `ModelRegistry.claim`."""
        return claimed(self._store, self._snapshot().find(version).version, at=at)

    def promote(
        self,
        version: ModelVersion | str,
        *,
        day: date,
        reason: str,
        promoted_at: datetime,
        notes: Mapping[str, str | None] | None = None,
    ) -> ModelVersion:
        """See `ModelRegistry.promote`.

        The champion alias is the commit point: before it moves, readers see nothing of the promotion; once it has,
        they see all of it. What comes after is for people who look at tags.
        """
        snapshot = self._snapshot()
        wanted = snapshot.find(version)
        if wanted.rejection is not None:
            raise RegistryError(
                f"version {wanted.version} was rejected ({wanted.rejection}); move it to Staging first to overrule that"
            )
        snapshot = self._with_true_history(snapshot)
        promotions, record = snapshot.promotions(), snapshot.records[wanted.version]
        aliases, last = dict(snapshot.aliases), latest(promotions)
        is_done = last and snapshot.champion == last.version == wanted.version and last.day <= day
        if not is_done:
            announced = Promotion(wanted.version, day, next_decision_time(promotions, promoted_at), is_pending=True)
            entries = (*(entry for entry in promotions if entry.version == wanted.version), announced)
            self._store.set_tag(wanted.version, announced.reason_tag, reason)
            self._store.set_tag(wanted.version, "champion_from", format_history(entries))
            if snapshot.champion is not None and snapshot.champion != wanted.version:
                aliases[PREVIOUS] = snapshot.champion
                self._store.set_alias(PREVIOUS, snapshot.champion)
            self._store.set_alias(CHAMPION, wanted.version)
            self._store.set_tag(wanted.version, "champion_from", format_history(settled(entries, wanted.version)))
        for name, text in {"promotion_reason": reason, **(notes or {})}.items():
            self._write(record, name, text)
        self._write(record, "stage", "Production")
        for other in snapshot.records.values():
            if other.version != wanted.version and other.tags.get("stage") == "Production":
                self._write(other, "stage", "Archived")
        for alias in (CHALLENGER, PREVIOUS):
            if aliases.get(alias) == wanted.version:
                self._store.delete_alias(alias)
        return self.find(wanted.version)

    def roll_back(
        self, *, day: date, reason: str, rolled_back_at: datetime, notes: Mapping[str, str | None] | None = None
    ) -> ModelVersion:
        """See `ModelRegistry.roll_back`.

        The rejection is written before the alias moves, where readers do not see it, so that whatever is interrupted
        can never return to the model that failed.
        """
        target, snapshot = self.rollback_target(), self._snapshot()
        failed = snapshot.records[snapshot.champion or ""]
        if failed.version != target.version:
            self._write(failed, "rolled_back_to", target.version)
            self._write(failed, "rejection_reason", reason)
        self.promote(target, day=day, reason=f"{ROLLBACK_REASON}{reason}", promoted_at=rolled_back_at, notes=notes)
        return self._forget_failed(self._snapshot())

    def rollback_target(self) -> ModelVersion:
        """See `ModelRegistry.rollback_target`."""
        snapshot = self._snapshot()
        champion = snapshot.records.get(snapshot.champion or "")
        previous = snapshot.records.get(snapshot.aliases.get(PREVIOUS, ""))
        if champion and (target := champion.tags.get("rolled_back_to")):
            # A rollback was interrupted before the champion alias moved.
            return snapshot.find(target)
        if champion and previous and previous.tags.get("rolled_back_to") == champion.version:
            # It was interrupted afterwards: what is left to do is done by promoting the same again.
            return snapshot.find(champion.version)
        if champion is None or previous is None:
            raise RegistryError("there is no previous model to return to; promote a version instead")
        if rejection := previous.tags.get("rejection_reason"):
            raise RegistryError(
                f"the previous model, version {previous.version}, was rejected ({rejection}); promote another"
            )
        return snapshot.find(previous.version)

    def _forget_failed(self, snapshot: Snapshot) -> ModelVersion:
        """Points `previous` at the champion before, of those nothing speaks against; removes it where there is none."""
        earlier = latest(
            entry
            for entry in snapshot.promotions()
            if entry.version != snapshot.champion and not snapshot.records[entry.version].tags.get("rejection_reason")
        )
        if earlier is not None:
            self._store.set_alias(PREVIOUS, earlier.version)
        elif PREVIOUS in snapshot.aliases:
            self._store.delete_alias(PREVIOUS)
        return self.find(CHAMPION)

    def set_stage(self, version: ModelVersion | str, stage: Stage, *, reason: str) -> ModelVersion:
        """See `ModelRegistry.set_stage`."""
        if stage not in STAGES or stage == "Production":
            raise RegistryError(f"stage {stage!r} cannot be set; use None, Staging or Archived, or promote the version")
        snapshot = self._snapshot()
        record = self._demotable(snapshot, version)
        challenger = snapshot.aliases.get(CHALLENGER)
        self._write(record, "stage_reason", reason)
        if stage == "Staging":
            for tag in ("rejection_reason", "rolled_back_to"):
                self._write(record, tag, None)
            if challenger and challenger in snapshot.records and challenger not in (record.version, snapshot.champion):
                self._write(snapshot.records[challenger], "stage", "Archived")
            self._store.set_alias(CHALLENGER, record.version)
        elif challenger == record.version:
            self._store.delete_alias(CHALLENGER)
        self._write(record, "stage", stage)
        return self.find(record.version)

    def annotate(self, version: ModelVersion | str, notes: Mapping[str, str | None]) -> ModelVersion:
        """See `ModelRegistry.annotate`."""
        snapshot = self._snapshot()
        record = snapshot.records[snapshot.find(version).version]
        for name, text in notes.items():
            self._write(record, name, text)
        return self.find(record.version)

    def mark_rejected(self, version: ModelVersion | str, reason: str) -> ModelVersion:
        """See `ModelRegistry.mark_rejected`."""
        self._write(self._demotable(self._snapshot(), version), "rejection_reason", reason)
        return self.set_stage(version, "Archived", reason=reason)

    def note(self, version: ModelVersion | str, name: str, text: str) -> None:
        """See `ModelRegistry.note`."""
        self._store.set_tag(self._snapshot().find(version).version, f"{_NOTE_PREFIX}{name}", text)

    def notes(self, name: str) -> dict[str, str]:
        """See `ModelRegistry.notes`."""
        found = {record.version: record.tags.get(f"{_NOTE_PREFIX}{name}") for record in self._store.records()}
        return {version: text for version, text in found.items() if text is not None}

    def _with_true_history(self, snapshot: Snapshot) -> Snapshot:
        """The same without entries that an interrupted promotion left: they must not turn into history later."""
        unsettled = [record for record, entries in snapshot.history() if settled(entries, snapshot.champion) != entries]
        for record in unsettled:
            self._write(record, "champion_from", snapshot.settled_history(record.version))
        return self._snapshot() if unsettled else snapshot

    def _known(self, version: ModelVersion | str) -> ModelVersion:
        return version if isinstance(version, ModelVersion) else self.find(version)

    def _signed(self, version: ModelVersion) -> ModelVersion:
        if self._key is None or is_signed_by(version, self._key):
            return version
        self._store.set_tag(version.version, SIGNATURE_TAG, sign_model(version.digest, self._key))
        return self.find(version.version)

    def _snapshot(self) -> Snapshot:
        return Snapshot.of(self._store)

    def _demotable(self, snapshot: Snapshot, reference: ModelVersion | str) -> Record:
        wanted = snapshot.find(reference)
        if CHAMPION in wanted.aliases:
            raise RegistryError(f"version {wanted.version} is the champion; promote another version first")
        return snapshot.records[wanted.version]

    def _write(self, record: Record, name: str, text: str | None) -> None:
        """Writes a tag where it differs; None or an empty text removes it."""
        if (record.tags.get(name) or None) == (text or None):
            return
        if text:
            self._store.set_tag(record.version, name, text)
        else:
            self._store.delete_tag(record.version, name)
