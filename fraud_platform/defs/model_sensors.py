"""What becomes of models without anybody asking: a shadow's verdict is carried out, a failing champion goes back.

The rules belong to `registry.shadow` and `registry.reign`; the changes themselves to the jobs of `model_jobs`.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.history import (
    ATTEMPTS_PER_CHANGE,
    UNANSWERED,
    latest_materialisation_metadata,
    latest_materialised_day,
    materialised_days,
    mature_outcomes,
    runs_tagged,
)
from fraud_platform.defs.jobs import CAUSE_TAG, CHANGE_TAG, DAY_TAG, TRIGGER_TAG
from fraud_platform.defs.model_jobs import roll_back_model, settle_shadow
from fraud_platform.defs.resources import Platform
from fraud_platform.registry.reign import Pooled, Reign, judge_reign

ROLLBACK = "rollback"


@dg.sensor(
    job_name=settle_shadow.name,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Carries out what the latest shadow report says of the challenger: promotes or rejects it, once.",
)
def shadow_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Requests the promotion or rejection that `shadow_report` of the latest day asks for."""
    day = latest_materialised_day(context.instance, "shadow_report")
    report = latest_materialisation_metadata(context.instance, "shadow_report", day) if day else {}
    if day is None or "action" not in report:
        return dg.SkipReason("no challenger in shadow")
    version, action, reason = report["challenger_version"], report["action"], report["reason"]
    if action in ("promote", "reject"):
        config = {"version": version, "action": action, "reason": f"shadow: {'; '.join(report['reasons'])}"}
        return _change(context.instance, "settlement", config, version, day=day, trigger="shadow", cause=reason)
    return dg.SkipReason(f"version {version}: {action}: {reason}")


@dg.sensor(
    job_name=roll_back_model.name,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Returns to the model before when a new champion fails in its first days: once, with a cool-down.",
)
def rollback_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Requests a rollback when realised F1 or days without decisions of a new champion cross their limits."""
    from fraud_platform.errors import RegistryUnavailableError
    from fraud_platform.registry.promotion import champion_of

    scored = materialised_days(context.instance, "daily_predictions")
    if not scored:
        return dg.SkipReason("no day is scored yet")
    try:
        champion = champion_of(platform.registry)
        has_predecessor = any("previous" in version.aliases for version in platform.registry.versions())
    except RegistryUnavailableError as error:
        return dg.SkipReason(str(error))
    if champion is None or not champion.champion_from:
        return dg.SkipReason("no champion is recorded")
    first_day = champion.champion_from[-1]
    ingested = materialised_days(context.instance, "features")
    last_day = max(scored[-1], *ingested) if ingested else scored[-1]
    before = first_day - timedelta(days=platform.policy.rollback_watch_days)
    outcomes = mature_outcomes(context.instance, before, last_day)
    reign = Reign(
        version=champion.version,
        first_day=first_day,
        day=last_day,
        own=_pooled(outcomes, (day for day in outcomes if day >= first_day)),
        before=_pooled(outcomes, (day for day in outcomes if day < first_day)),
        failed_days=sum(
            day >= first_day and day not in set(scored) and _has_failed(context.instance, day) for day in ingested
        ),
        has_predecessor=has_predecessor,
        last_rollback=max(_rollback_days(context.instance), default=None),
    )
    verdict = judge_reign(reign, platform.policy)
    if not verdict.is_rolled_back:
        return dg.SkipReason(verdict.sentence)
    config = {"reason": verdict.sentence, "expected_champion": champion.version}
    return _change(
        context.instance,
        "rollback",
        config,
        champion.version,
        day=last_day,
        trigger=ROLLBACK,
        cause=verdict.sentence,
    )


def _change(
    instance: DagsterInstance,
    op: str,
    config: Mapping[str, Any],
    version: str,
    *,
    day: date,
    trigger: str,
    cause: str,
) -> dg.RunRequest | dg.SkipReason:
    """A request for one change of one version, unless it was made, is being made, or has failed too often."""
    change = f"{op} of version {version}"
    records = runs_tagged(instance, CHANGE_TAG, change)
    if any(record.dagster_run.status not in UNANSWERED for record in records):
        return dg.SkipReason(f"{change} has been asked for already")
    if len(records) >= ATTEMPTS_PER_CHANGE:
        return dg.SkipReason(f"{change} failed {len(records)} times and waits for a person: {cause}")
    return dg.RunRequest(
        run_key=f"{op}-{version}-{len(records)}",
        run_config={"ops": {op: {"config": dict(config)}}},
        tags={TRIGGER_TAG: trigger, CAUSE_TAG: cause, CHANGE_TAG: change, DAY_TAG: day.isoformat()},
    )


def _pooled(outcomes: Mapping[date, Any], days: Iterable[date]) -> Pooled:
    counted = [outcomes[day] for day in days]
    return Pooled(
        true_positives=sum(each.true_positives for each in counted),
        false_positives=sum(each.false_positives for each in counted),
        false_negatives=sum(each.false_negatives for each in counted),
    )


def _has_failed(instance: DagsterInstance, day: date) -> bool:
    records = runs_tagged(instance, "dagster/partition", day.isoformat())
    return any(
        record.dagster_run.job_name == "daily" and record.dagster_run.status == dg.DagsterRunStatus.FAILURE
        for record in records
    )


def _rollback_days(instance: DagsterInstance) -> list[date]:
    return [
        date.fromisoformat(record.dagster_run.tags[DAY_TAG])
        for record in runs_tagged(instance, TRIGGER_TAG, ROLLBACK)
        if record.dagster_run.status not in UNANSWERED and DAY_TAG in record.dagster_run.tags
    ]
