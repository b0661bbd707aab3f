"""What happens without a clock or files: drift or performance asks for a new model, a run fails.

Sensors read the event log, never data. They keep no state of their own: what was already asked for is read from the run
history, so a restarted daemon or a second instance asks for nothing twice. Landed files have a sensor of their own.
"""

from datetime import date

import dagster as dg

from fraud_platform.defs.checks import DRIFT_CHECK
from fraud_platform.defs.history import (
    cause_of_failure,
    challenger_in_shadow,
    champion_since,
    latest_evaluations,
    latest_materialisation_metadata,
    latest_materialised_day,
    mature_counts,
    release_action,
    retrainings,
)
from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG, retraining
from fraud_platform.defs.resources import Platform


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a new model when the drift check of the latest day fails: once per cause, with a cool-down.",
)
def retrain_on_drift_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.RunRequest | dg.SkipReason:
    """Requests `retraining` for the latest day when the newest drift verdict is a failure nobody has answered yet."""
    day = latest_materialised_day(context.instance, "drift_report")
    evaluation = latest_evaluations(context.instance, DRIFT_CHECK).get(day) if day else None
    if day is None or evaluation is None:
        return dg.SkipReason("no drift verdict of the latest day yet")
    if evaluation.passed:
        return dg.SkipReason(f"the drift check of {day} passed")
    judged = latest_materialisation_metadata(context.instance, "drift_report", day).get("model_version")
    champion = champion_since(context.instance, "drift_report", day)
    if judged is not None and champion is not None and champion != judged:
        return dg.SkipReason(f"the drift of {day} is that of version {judged}; version {champion} decides next")
    return _retraining_request(
        context,
        trigger="drift",
        day=day,
        cause=str(evaluation.metadata["verdict"].value),
        cooldown_days=platform.settings.drift_cooldown_days,
        retry_days=platform.settings.drift_retry_days,
    )


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a new model when realised F1 stays below its limit for two consecutive weeks.",
)
def retrain_on_performance_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> dg.RunRequest | dg.SkipReason:
    """Requests `retraining` when each of the two latest weeks, pooled, has an F1 below the limit."""
    from fraud_platform.monitoring.shortfall import persistent_shortfall

    window_days = platform.settings.performance_window_days
    counts = mature_counts(context.instance, window_days=window_days, horizon_days=platform.settings.label_horizon_days)
    if not counts:
        return dg.SkipReason("no realised performance on mature labels yet")
    # The weeks end where labels are mature: the latest days have none where labels take their time.
    latest = max(counts)
    shortfall = persistent_shortfall(
        counts,
        last_day=latest,
        window_days=window_days,
        f1_limit=platform.settings.performance_f1_limit,
    )
    if not shortfall.is_persistent:
        return dg.SkipReason(shortfall.sentence)
    return _retraining_request(
        context,
        trigger="performance",
        day=latest,
        cause=shortfall.sentence,
        cooldown_days=window_days,
        retry_days=window_days,
    )


@dg.run_failure_sensor(
    name="run_failure_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says in one line which run failed, for which day, and why.",
)
def run_failure_sensor(context: dg.RunFailureSensorContext) -> None:
    """Logs every failed run of this code location where operators look: the daemon's log and the sensor's tick."""
    run = context.dagster_run
    cause = cause_of_failure(context.get_step_failure_events()) or context.failure_event.message
    context.log.error(f"{run.job_name} of {run.tags.get('dagster/partition', 'no day')} failed ({run.run_id}): {cause}")


def _retraining_request(
    context: dg.SensorEvaluationContext,
    *,
    trigger: str,
    day: date,
    cause: str,
    cooldown_days: int,
    retry_days: int,
) -> dg.RunRequest | dg.SkipReason:
    """A request for the latest day with features, unless a challenger is in shadow or this trigger had one within the
    cool-down before `day`.

    A refused model has answered nothing, so after one the shorter `retry_days` hold: every day brings new labels.
    """
    latest = latest_materialised_day(context.instance, "features") or day
    if challenger := challenger_in_shadow(context.instance):
        # A newer candidate would end the shadow before its verdict, and the next one that one's.
        return dg.SkipReason(f"version {challenger} is in shadow and may answer it; its verdict comes first")
    for asked in sorted(retrainings(context.instance, trigger), reverse=True):
        was_refused = release_action(context.instance, asked) in ("rejected", "kept")
        wait_days = retry_days if was_refused else cooldown_days
        if (day - asked).days < wait_days:
            return dg.SkipReason(f"retraining as of {asked} answers it; the next may follow {wait_days} days later")
    made = [asked for asked in retrainings(context.instance) if asked >= latest]
    if made:
        return dg.SkipReason(f"a model as of {max(made)} is made already; the same days would make the same model")
    return dg.RunRequest(
        run_key=f"{trigger}-{day}",
        partition_key=latest.isoformat(),
        tags={TRIGGER_TAG: trigger, CAUSE_TAG: cause},
    )
