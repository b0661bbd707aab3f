"""A life of the platform in a few minutes: land, ingest, train, release, score and report every day, through Dagster.

The days before the first training are history, scored in hindsight; the days after it are lived one by one, sensors
included. Where the days come from belongs to the simulation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs import history, runs
from fraud_platform.defs.demo_calendar import first_training_day
from fraud_platform.defs.jobs import CAUSE_TAG, DAILY_ASSETS, RETRAINING_ASSETS, TRIGGER_TAG
from fraud_platform.defs.ticking import Clockwork
from fraud_platform.errors import PlatformError

INGESTED = ("raw_transactions", "confirmed_labels", "features")
SCORED = ("daily_predictions", "review_queue", "drift_report", "realised_performance", "shadow_report")


@dataclass(frozen=True)
class DayStory:
    """What became of one day: counts, realised metrics (None while not applicable), drift and the model at work."""

    day: date
    transactions: int
    frauds: int | None
    alerts: int
    precision: float | None
    recall: float | None
    f1: float | None
    drift: str
    drifted_features: int
    model_version: str
    is_hindsight: bool


@dataclass(frozen=True)
class ReleaseStory:
    """What became of one candidate model."""

    as_of: date
    action: str
    reason: str
    trigger: str
    average_precision: float
    f1: float


def live(
    definitions: dg.Definitions,
    instance: DagsterInstance,
    days: list[date],
    *,
    drift_from: date | None,
    step: Callable[[str], Any],
) -> None:
    """Lives through `days`, calling `step` with a sentence before each piece of work.

    Raises:
        PlatformError: a run failed.
    """
    training_day = _release_first_model(definitions, instance, days, drift_from=drift_from, step=step)
    step(f"scoring {days[0]} to {training_day} in hindsight, in one run")
    runs.run_range(definitions, instance, SCORED, days[0], training_day)
    clockwork = Clockwork(definitions, instance)
    for day in [day for day in days if day > training_day]:
        step(f"{day}: ingesting, scoring, watching for drift")
        runs.run_day(definitions, instance, "daily", day)
        for request in clockwork.requests("retrain_on_drift_sensor"):
            step(f"{day}: {request.tags[CAUSE_TAG]}; retraining")
            as_of = date.fromisoformat(request.partition_key or day.isoformat())
            runs.run_day(definitions, instance, "retraining", as_of, tags=request.tags)


def _release_first_model(
    definitions: dg.Definitions,
    instance: DagsterInstance,
    days: list[date],
    *,
    drift_from: date | None,
    step: Callable[[str], Any],
) -> date:
    """The as-of day of the first model that passes the gates; each refusal adds a day of labels and tries again."""
    first = first_training_day(days, drift_from)
    step(f"ingesting {days[0]} to {first} in one run")
    runs.run_range(definitions, instance, INGESTED, days[0], first)
    for day in (day for day in days if day >= first):
        if day > first:
            step(f"{day}: ingesting one more day, because the model before was refused")
            runs.run_range(definitions, instance, INGESTED, day, day)
        step(f"training a model as of {day}")
        tags = {TRIGGER_TAG: "manual", CAUSE_TAG: "first model of the demo"}
        runs.run_day(definitions, instance, "retraining", day, tags=tags)
        if history.release_action(instance, day) == "released":
            return day
    refusal = history.latest_materialisation_metadata(instance, "model_release", days[-1])["reason"]
    raise PlatformError(
        f"no model passed the acceptance gates up to {days[-1]}: {refusal}; give it more, longer or cleaner days"
    )


def stories(instance: DagsterInstance, days: list[date]) -> list[DayStory]:
    """What the event log says about `days`, in order; days that were never scored are left out."""
    told = []
    for day in days:
        metadata = {asset: history.latest_materialisation_metadata(instance, asset, day) for asset in DAILY_ASSETS}
        scored, outcome = metadata["daily_predictions"], metadata["realised_performance"]
        if not scored:
            continue
        frauds = metadata["raw_transactions"]["frauds"]
        told.append(
            DayStory(
                day=day,
                transactions=scored["dagster/row_count"],
                frauds=frauds if isinstance(frauds, int) else None,
                alerts=scored["alerts"],
                precision=outcome.get("precision"),
                recall=outcome.get("recall"),
                f1=outcome.get("f1"),
                drift=metadata["drift_report"]["status"],
                drifted_features=len(metadata["drift_report"]["drifted_features"]),
                model_version=str(scored["model_semver"]),
                is_hindsight=bool(scored["scored_in_hindsight"]),
            )
        )
    return told


def releases(instance: DagsterInstance, days: list[date]) -> list[ReleaseStory]:
    """What the event log says about the models trained as of `days`, in order."""
    told = []
    for day in days:
        metadata = {asset: history.latest_materialisation_metadata(instance, asset, day) for asset in RETRAINING_ASSETS}
        release, metrics = metadata["model_release"], metadata["validation_metrics"]
        if release:
            told.append(
                ReleaseStory(
                    as_of=day,
                    action=release["action"],
                    reason=release["reason"],
                    trigger=release["trigger"],
                    average_precision=metrics["test_average_precision"],
                    f1=metrics["test_f1"],
                )
            )
    return told
