"""What the event log and the run history know: verdicts, materialisations and retrainings by day.

Nothing here decides anything; sensors and the demo do.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.jobs import CHANGE_TAG, RANGE_END_TAG, RANGE_START_TAG, TRIGGER_TAG
from fraud_platform.monitoring.shortfall import OutcomeCounts

# Enough for a quarter of days, each evaluated a few times.
HISTORY_LIMIT = 400

# What one tick of a sensor looks at; the others wait for the next one.
RUNS_AT_ONCE = 50
# Dagster's own: whether `run_retries` of the instance runs a failed run again.
RETRIED_TAG = "dagster/will_retry"
# A change of a model that failed so often waits for a person.
ATTEMPTS_PER_CHANGE = 3

# A retraining that ended like this has answered nothing.
UNANSWERED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def latest_evaluations(instance: DagsterInstance, check: dg.AssetCheckKey) -> Mapping[date, dg.AssetCheckEvaluation]:
    """The newest evaluation of `check` for each day that has one."""
    records = instance.event_log_storage.get_asset_check_execution_history(check, limit=HISTORY_LIMIT)
    newest: dict[date, dg.AssetCheckEvaluation] = {}
    for record in records:
        if record.event is None or record.event.dagster_event is None:
            continue
        evaluation = record.event.dagster_event.event_specific_data
        if isinstance(evaluation, dg.AssetCheckEvaluation) and evaluation.partition:
            newest.setdefault(date.fromisoformat(evaluation.partition), evaluation)
    return newest


def latest_materialisation_metadata(instance: DagsterInstance, asset: str, day: date) -> dict[str, Any]:
    """The metadata of the newest materialisation of `asset` of `day`; empty when there is none."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()]), limit=1
    ).records
    materialisation = records[0].asset_materialization if records else None
    return {name: entry.value for name, entry in materialisation.metadata.items()} if materialisation else {}


def materialised_days(instance: DagsterInstance, asset: str) -> list[date]:
    """Every day `asset` has been materialised for, oldest first."""
    return sorted(map(date.fromisoformat, instance.get_materialized_partitions(dg.AssetKey(asset))))


def latest_materialised_day(instance: DagsterInstance, asset: str) -> date | None:
    """The last day `asset` has been materialised for."""
    days = materialised_days(instance, asset)
    return days[-1] if days else None


def mature_counts(instance: DagsterInstance, *, window_days: int, horizon_days: int) -> dict[date, OutcomeCounts]:
    """What the decisions of the last `window_days` with mature labels turned out to be, by day.

    The window ends with the latest day whose labels are mature; no further back than `horizon_days` is looked for it.
    """
    last = latest_materialised_day(instance, "realised_performance")
    if last is None:
        return {}
    counts = mature_outcomes(instance, last - timedelta(days=horizon_days + window_days), last)
    newest = max(counts, default=last)
    is_found = (last - newest).days <= horizon_days
    return {day: known for day, known in counts.items() if is_found and (newest - day).days < window_days}


def mature_outcomes(instance: DagsterInstance, first: date, last: date) -> dict[date, OutcomeCounts]:
    """What the decisions of `first`..`last` turned out to be, by day; days whose labels are not mature are left out."""
    days = [day for day in materialised_days(instance, "realised_performance") if first <= day <= last]
    known = {day: _counts_of(latest_materialisation_metadata(instance, "realised_performance", day)) for day in days}
    return {day: counts for day, counts in known.items() if counts is not None}


def _counts_of(metadata: Mapping[str, Any]) -> OutcomeCounts | None:
    """The counts in the metadata of a day's realised performance; None before its labels are mature."""
    if "true_positives" not in metadata or not metadata.get("is_mature", True):
        return None
    return OutcomeCounts(
        true_positives=int(metadata["true_positives"]),
        false_positives=int(metadata["false_positives"]),
        false_negatives=int(metadata["false_negatives"]),
        labelled_share=float(metadata["labelled_share"]),
    )


def release_action(instance: DagsterInstance, day: date) -> str | None:
    """What became of the model trained as of `day`: released, rejected, kept, shadow or approval; None while nothing is
    decided. One that was rejected in shadow is rejected.
    """
    action = latest_materialisation_metadata(instance, "model_release", day).get("action")
    if action != "shadow":
        return action
    records = instance.fetch_observations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("model_release"), asset_partitions=[day.isoformat()]), limit=1
    ).records
    observation = records[0].asset_observation if records else None
    return "rejected" if observation and "rejected" in observation.metadata else action


def champion_since(instance: DagsterInstance, asset: str, day: date) -> str | None:
    """The version that a release, promotion or rollback made champion last, since `asset` of `day` was materialised;
    None where none did.

    What the command line or MLflow changes is not in the event log, so an older entry does not say who decides now.
    """
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day.isoformat()])
    records = instance.fetch_materializations(wanted, limit=1).records
    since = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey("model_release"), after_storage_id=records[0].storage_id if records else None
    )
    made = [
        (record.storage_id, str(event.metadata[fact].value))
        for found, fact in (
            (instance.fetch_materializations(since, limit=HISTORY_LIMIT).records, "model_version"),
            (instance.fetch_observations(since, limit=HISTORY_LIMIT).records, "champion_version"),
        )
        for record in found
        if (event := record.asset_materialization or record.asset_observation) is not None
        and fact in event.metadata
        and (fact == "champion_version" or event.metadata["action"].value == "released")
    ]
    return max(made)[1] if made else None


def challenger_in_shadow(instance: DagsterInstance) -> str | None:
    """The version whose shadow the latest report lets go on, or whose verdict nobody has carried out yet; None without
    one, where a person has to approve it, and where carrying it out failed too often.
    """
    day = latest_materialised_day(instance, "shadow_report")
    report = latest_materialisation_metadata(instance, "shadow_report", day) if day else {}
    if report.get("action") in (None, "approve"):
        return None
    version = str(report["challenger_version"])
    settlements = runs_tagged(instance, CHANGE_TAG, settlement_of(version))
    is_settled = any(record.dagster_run.status == dg.DagsterRunStatus.SUCCESS for record in settlements)
    return None if is_settled or len(settlements) >= ATTEMPTS_PER_CHANGE else version


def settlement_of(version: str) -> str:
    """How a run that ends the shadow of `version` is tagged."""
    return f"settlement of version {version}"


def retrainings(instance: DagsterInstance, trigger: str | None = None) -> list[date]:
    """The as-of days of the retraining runs that did not fail: all of them, or those that `trigger` asked for."""
    statuses = [status for status in dg.DagsterRunStatus if status not in UNANSWERED]
    tags = {TRIGGER_TAG: trigger} if trigger else {}
    runs = instance.get_runs(dg.RunsFilter(job_name="retraining", tags=tags, statuses=statuses), limit=HISTORY_LIMIT)
    return [date.fromisoformat(run.tags["dagster/partition"]) for run in runs if "dagster/partition" in run.tags]


def runs_tagged(instance: DagsterInstance, tag: str, text: str) -> Sequence[dg.RunRecord]:
    """Every run that carries `tag` with `text`."""
    return instance.get_run_records(dg.RunsFilter(tags={tag: text}))


def has_champion(instance: DagsterInstance) -> bool | None:
    """Whether a model has been released, as the newest `model_release` tells it; None where a model is registered that
    a person may have approved, or promoted all the same, without Dagster: then only the registry knows.
    """
    day = latest_materialised_day(instance, "model_release")
    if day is None:
        return False
    return bool(latest_materialisation_metadata(instance, "model_release", day).get("champion")) or None


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, in the words of whoever is told.

    Attributes:
        event_id: the failure's place in the event log.
        at: when, ISO 8601, UTC.
        run_id: Dagster's identifier.
        job: its job.
        day: its partition, or its range of them, or "no day".
        cause: why, in one line.
        is_retried: whether the daemon runs it again by itself.
    """

    event_id: int
    at: str
    run_id: str
    job: str
    day: str
    cause: str
    is_retried: bool


def failed_runs(instance: DagsterInstance, *, after: int) -> list[FailedRun]:
    """The runs whose failure stands behind place `after` of the event log, oldest first, `RUNS_AT_ONCE` at most."""
    wanted = dg.RunStatusChangeRecordsFilter(dg.DagsterEventType.RUN_FAILURE, after_storage_id=after)
    records = instance.fetch_run_status_changes(wanted, limit=RUNS_AT_ONCE, ascending=True).records
    found = []
    for record in records:
        run, event = instance.get_run_by_id(record.run_id), record.event_log_entry.dagster_event
        if run is None or event is None:
            continue
        steps = instance.get_records_for_run(record.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
        events = [step.event_log_entry.dagster_event for step in steps]
        cause = cause_of_failure(filter(None, events)) or event.message or "no cause is known"
        found.append(
            FailedRun(
                event_id=record.storage_id,
                at=datetime.fromtimestamp(record.timestamp, UTC).isoformat(),
                run_id=run.run_id,
                job=run.job_name,
                day=_days_of(run.tags),
                cause=cause,
                is_retried=run.tags.get(RETRIED_TAG) == "true",
            )
        )
    return found


def _days_of(tags: Mapping[str, str]) -> str:
    if RANGE_START_TAG in tags:
        return f"{tags[RANGE_START_TAG]} to {tags[RANGE_END_TAG]}"
    return tags.get("dagster/partition", "no day")


def cause_of_failure(events: Iterable[dg.DagsterEvent]) -> str | None:
    """Why the first failed step among `events` failed, in one line; None when no step did."""
    for event in events:
        if not event.is_step_failure:
            continue
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return failure.user_failure_data.description
        error = failure.error
        while error and error.cause:
            error = error.cause
        if error:
            # Dagster writes the class before the message; its own class names say nothing to a reader.
            return re.sub(r"^dagster\.\S+: ", "", " ".join(error.message.split()))
    return None
