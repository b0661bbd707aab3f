"""The one path on which the champion changes: claim the registry, try the stored bundle, and only then move an alias.

Whether a model deserves it is decided elsewhere (`release`, `shadow`, or a person); how aliases and their history are
kept belongs to `record_registry`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from fraud_platform.errors import PlatformError, RegistryError
from fraud_platform.governance.audit import AuditTrail
from fraud_platform.registry.registry import CHAMPION, ModelRegistry, ModelVersion
from fraud_platform.registry.shadow import end_shadow
from fraud_platform.registry.smoke_test import SmokeTest, smoke_test
from fraud_platform.storage import is_storage_failure

# The note under which a version keeps the head of the audit trail.
AUDIT_HEAD = "audit_head"

SmokeTester = Callable[[bytes, str], SmokeTest]


@dataclass(frozen=True)
class ChampionChange:
    """What a promotion or rollback did.

    Attributes:
        champion: who decides now.
        replaced: who decided before; None for the first champion.
        day: first day the champion decides about.
        reason: why.
        approved_by: who approved; None where nobody had to.
        smoke_test: what the stored bundle said in a fresh process.
        changed_at: when, UTC.
    """

    champion: ModelVersion
    replaced: ModelVersion | None
    day: date
    reason: str
    approved_by: str | None
    smoke_test: str
    changed_at: datetime

    def as_dict(self) -> dict[str, Any]:
        """The change as flat facts, for the event log and the terminal."""
        return {
            "champion": self.champion.semver,
            "champion_version": self.champion.version,
            "replaced": self.replaced.semver if self.replaced else "none",
            "decides_from": self.day.isoformat(),
            "reason": self.reason,
            "approved_by": self.approved_by or "nobody",
            "smoke_test": self.smoke_test,
            "changed_at": self.changed_at.isoformat(),
        }


def promote_version(
    registry: ModelRegistry,
    reference: str,
    *,
    day: date,
    reason: str,
    approved_by: str | None,
    changed_at: datetime,
    is_approval_required: bool = False,
    is_overruling: bool = False,
    expected_champion: str | None = None,
    test: SmokeTester = smoke_test,
) -> ChampionChange:
    """`reference` as champion of `day` and every later day.

    Args:
        registry: where models live.
        reference: anything `ModelRegistry.find` understands.
        day: first day it decides about.
        reason: why, for whoever reads the registry later.
        approved_by: who approves; None for nobody.
        changed_at: when, UTC.
        is_approval_required: whether somebody has to approve.
        is_overruling: whether a rejection is lifted.
        expected_champion: the version it is to replace, empty for nobody; None for whoever is champion.
        test: of the stored bundle, in a fresh process.

    Raises:
        RegistryError: there is no such version, nobody approved, it was rejected, `day` is one it has learned from,
            another than `expected_champion` is champion, somebody else changes the champion now, or the registry cannot
            be reached; no alias has moved.
        ModelError: the stored bundle is missing, damaged or does not score; no alias has moved.
    """
    wanted = registry.find(reference)
    if is_approval_required and not approved_by:
        raise RegistryError(f"version {wanted.version} needs somebody's approval (FRAUD_REQUIRE_APPROVAL): say who")
    if wanted.rejection and not is_overruling:
        raise RegistryError(f"version {wanted.version} was rejected ({wanted.rejection}); overrule that, or leave it")
    _require_day_after_learning(wanted, day)
    with registry.claim(wanted, at=changed_at):
        before = champion_of(registry)
        if expected_champion is not None:
            replaced = f"version {expected_champion}" if expected_champion else "nobody"
            _require_champion(before, expected_champion, f"version {wanted.version} was to replace {replaced}")
        tested = _tested(registry, wanted, test)
        if wanted.rejection:
            registry.set_stage(wanted, "Staging", reason=f"rejection overruled: {reason}")
        end_shadow(registry, wanted, last_day=day - timedelta(days=1))
        champion = registry.promote(
            wanted, day=day, reason=reason, promoted_at=changed_at, notes=_notes(approved_by, tested)
        )
    return ChampionChange(champion, before, day, reason, approved_by, tested.sentence, changed_at)


def roll_back(
    registry: ModelRegistry,
    *,
    day: date,
    reason: str,
    approved_by: str | None,
    changed_at: datetime,
    expected_champion: str | None = None,
    test: SmokeTester = smoke_test,
) -> ChampionChange:
    """The model before as champion of `day` and every later day; the champion of now is rejected with `reason`.

    Args:
        registry: where models live.
        day: first day the model before decides about again.
        reason: what was wrong.
        approved_by: who decided it; None for a rule.
        changed_at: when, UTC.
        expected_champion: the version that is to go; None for whoever is champion.
        test: of the stored bundle, in a fresh process.

    Raises:
        RegistryError: there is no model to return to, `day` is one it has learned from, another than
            `expected_champion` is champion, somebody else changes the champion now or has just done so, or the registry
            cannot be reached; no alias has moved.
        ModelError: the stored bundle of the model before is missing, damaged or does not score; no alias has moved.
    """
    before = champion_of(registry)
    if before is None:
        raise RegistryError("there is no champion to roll back from; release or promote a model first")
    with registry.claim(before, at=changed_at):
        # Whoever asks a moment later means the champion that both have seen, not the one the other has put there.
        expected = expected_champion or before.version
        _require_champion(champion_of(registry), expected, f"version {expected} was to be rolled back")
        target = registry.rollback_target()
        _require_day_after_learning(target, day)
        tested = _tested(registry, target, test)
        champion = registry.roll_back(
            day=day, reason=reason, rolled_back_at=changed_at, notes=_notes(approved_by, tested)
        )
    return ChampionChange(champion, before, day, reason, approved_by, tested.sentence, changed_at)


def record_change(
    trail: AuditTrail, registry: ModelRegistry, change: ChampionChange, event: Literal["promotion", "rollback"]
) -> str:
    """The head of the audit trail after the change was written into it; noted on the version, too.

    An approval is an entry of its own, so that it is found by whoever looks for approvals.

    Raises:
        PlatformError: a rollback could not be written down. It has happened, and repeating it would go back further; a
            promotion is completed by repeating it, so what went wrong is raised as it is.
    """
    try:
        return _recorded(trail, registry, change, event)
    except Exception as error:
        if event == "promotion" or not (isinstance(error, PlatformError) or is_storage_failure(error)):
            raise
        raise PlatformError(
            f"version {change.champion.version} is champion again, but that could not be written down ({error}); do "
            "not repeat the rollback, note it with `fraud-platform audit record`"
        ) from error


def _recorded(
    trail: AuditTrail, registry: ModelRegistry, change: ChampionChange, event: Literal["promotion", "rollback"]
) -> str:
    subject = f"model/{change.champion.semver}"
    if change.approved_by:
        trail.record("approval", subject=subject, reason=change.reason, details={"approved_by": change.approved_by})
    entry = trail.record(event, subject=subject, reason=change.reason, details=change.as_dict())
    registry.note(change.champion, AUDIT_HEAD, str(entry.head))
    return str(entry.head)


def champion_of(registry: ModelRegistry) -> ModelVersion | None:
    """Who is champion now; None before the first release."""
    return next((version for version in registry.versions() if CHAMPION in version.aliases), None)


def first_undecided_day(scored_days: Sequence[date], as_of: date) -> date:
    """From when on a change rewrites no decision: after the last scored day, and after what the model has learned."""
    return max([*scored_days, as_of]) + timedelta(days=1)


def _require_day_after_learning(version: ModelVersion, day: date) -> None:
    if day <= version.as_of:
        raise RegistryError(
            f"version {version.version} has learned from {version.as_of}, so it decides from the day after on, not "
            f"{day}"
        )


def _require_champion(champion: ModelVersion | None, expected: str, intention: str) -> None:
    current = champion.version if champion else ""
    if current != expected:
        raise RegistryError(f"{intention}, but {f'version {current}' if current else 'nobody'} is champion by now")


def _tested(registry: ModelRegistry, version: ModelVersion, test: SmokeTester) -> SmokeTest:
    return test(registry.read_bytes(version, from_store=True), version.digest)


def _notes(approved_by: str | None, tested: SmokeTest) -> dict[str, str | None]:
    return {"approved_by": approved_by, "smoke_test": tested.sentence}
