"""What becomes of registered models, as jobs: promotion, rollback, the end of a shadow.

Persons and sensors configure them. The rules and the path belong to `registry.promotion`; the command line takes the
same path.
"""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
from pydantic import Field

from fraud_platform.defs.daily_asset import RETRIES, retried_only_where_time_helps
from fraud_platform.defs.resources import Platform
from fraud_platform.logs import event_record
from fraud_platform.registry.promotion import AUDIT_HEAD, ChampionChange, promote_version, record_change, roll_back
from fraud_platform.registry.shadow import end_shadow

# Whoever registers or promotes holds this pool; see `model_release`.
REGISTRY_POOL = "registry"


class PromotionConfig(dg.Config):
    """Which version becomes champion, from which day on, and who says so."""

    version: str
    reason: str = "by hand"
    approved_by: str | None = None
    decides_from: str | None = None
    is_overruling: bool = False


class RollbackConfig(dg.Config):
    """Why the champion goes, and from which day on the model before decides."""

    reason: str = "by hand"
    approved_by: str | None = None
    decides_from: str | None = None
    expected_champion: str | None = None


class SettlementConfig(dg.Config):
    """How the shadow of a challenger ends, and why."""

    version: str
    action: str = Field(description="promote or reject", pattern="^(promote|reject)$")
    reason: str = "by hand"


@dg.op(pool=REGISTRY_POOL, retry_policy=RETRIES)
def promotion(context: dg.OpExecutionContext, config: PromotionConfig, platform: Platform) -> None:
    """The version tried in a fresh process, then made champion."""
    _promote(context, platform, config)


@dg.op(pool=REGISTRY_POOL, retry_policy=RETRIES)
def rollback(context: dg.OpExecutionContext, config: RollbackConfig, platform: Platform) -> None:
    """The model before, tried in a fresh process, then made champion again."""
    now = datetime.now(UTC)
    with retried_only_where_time_helps(now.date()):
        change = roll_back(
            platform.registry,
            day=_day(config.decides_from) or platform.first_undecided_day(platform.registry.rollback_target().as_of),
            reason=config.reason,
            approved_by=config.approved_by,
            changed_at=now,
            expected_champion=config.expected_champion,
        )
        head = record_change(platform.audit, platform.registry, change, "rollback")
    _report(context, change, head)


@dg.op(pool=REGISTRY_POOL, retry_policy=RETRIES)
def settlement(context: dg.OpExecutionContext, config: SettlementConfig, platform: Platform) -> None:
    """The challenger promoted, or rejected and archived; either way its shadow is over."""
    if config.action == "promote":
        _promote(context, platform, PromotionConfig(version=config.version, reason=config.reason))
        return
    with retried_only_where_time_helps(datetime.now(UTC).date()):
        version, now = platform.registry.find(config.version), datetime.now(UTC)
        last_day = platform.first_undecided_day(version.as_of) - timedelta(days=1)
        # Somebody may be promoting it by hand at this moment.
        with platform.registry.claim(version, at=now):
            end_shadow(platform.registry, version, last_day=last_day)
            version = platform.registry.mark_rejected(version, config.reason)
        platform.audit.record("rejection", subject=f"model/{version.semver}", reason=config.reason)
    facts = {"rejected": version.semver, "rejected_version": version.version, "reason": config.reason}
    context.log_event(dg.AssetObservation("model_release", partition=version.as_of.isoformat(), metadata=facts))
    context.add_output_metadata(facts)


@dg.job(description="Makes a registered version the champion: the stored bundle is tried first, then the alias moves.")
def promote_model() -> None:
    """One promotion, see `PromotionConfig`."""
    promotion()


@dg.job(
    description="Returns to the model before the champion and rejects the champion, from the next day to decide on."
)
def roll_back_model() -> None:
    """One rollback, see `RollbackConfig`."""
    rollback()


@dg.job(description="Ends the shadow of a challenger: promotes it, or rejects and archives it.")
def settle_shadow() -> None:
    """One shadow's end, see `SettlementConfig`."""
    settlement()


def _promote(context: dg.OpExecutionContext, platform: Platform, config: PromotionConfig) -> None:
    now = datetime.now(UTC)
    with retried_only_where_time_helps(now.date()):
        version = platform.registry.find(config.version)
        change = promote_version(
            platform.registry,
            version.version,
            day=_day(config.decides_from) or platform.first_undecided_day(version.as_of),
            reason=config.reason,
            approved_by=config.approved_by,
            changed_at=now,
            is_approval_required=platform.policy.require_approval,
            is_overruling=config.is_overruling,
        )
        head = record_change(platform.audit, platform.registry, change, "promotion")
    _report(context, change, head)


def _report(context: dg.OpExecutionContext, change: ChampionChange, head: str) -> None:
    facts = {**change.as_dict(), AUDIT_HEAD: head}
    event = event_record("champion_changed", model_version=change.champion.version, **facts)
    context.log.info(f"{facts['champion']} decides from {facts['decides_from']} on: {change.reason}", extra=event)
    # Where people look for what became of a model.
    context.log_event(dg.AssetObservation("model_release", partition=change.champion.as_of.isoformat(), metadata=facts))
    context.add_output_metadata(facts)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
