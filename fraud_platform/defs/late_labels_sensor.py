"""Which days' figures rest on labels that have changed since: compares what they say they read with what is there now.

Everything is decided from the event log and the run history. Landed files belong to `landing_sensor`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.history import (
    ATTEMPTS_PER_CHANGE,
    UNANSWERED,
    latest_materialisation_metadata,
    materialised_days,
    runs_tagged,
)
from fraud_platform.defs.jobs import CAUSE_TAG, LABELS_TAG, RANGE_END_TAG, RANGE_START_TAG, TRIGGER_TAG, daily
from fraud_platform.defs.partitions import SETTINGS
from fraud_platform.ingestion.label_lookup import LabelFacts, label_state, labels_concerning
from fraud_platform.monitoring.outcome import ROLLING_DAYS
from fraud_platform.storage import canonical_json, sha256


@dg.sensor(
    job=daily,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports again on earlier days when labels about them have arrived or changed: once for each change.",
)
def late_labels_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Requests `realised_performance` of the days whose figures rest on other labels than there are, in one run where
    they follow one another.
    """
    instance = context.instance
    reported = materialised_days(instance, "realised_performance")
    if not reported:
        return dg.SensorResult(skip_reason="no realised performance yet")
    first = reported[-1] - _horizon()
    # A day's figures rest on the labels of its week, too: without them its state would seem to have changed.
    known_from = first - timedelta(days=ROLLING_DAYS)
    arrivals = (day for day in materialised_days(instance, "confirmed_labels") if day >= known_from)
    facts = {day: _facts(instance, day) for day in arrivals}
    changed = {}
    for day in (day for day in reported if day >= first):
        begin, end = day - timedelta(days=ROLLING_DAYS - 1), day + _horizon()
        state = label_state({each: known for each, known in facts.items() if each <= end}, begin, day)
        stored = latest_materialisation_metadata(instance, "realised_performance", day).get("label_state")
        # Figures made before labels were recorded are left as they are.
        if stored not in (state, None):
            changed[day] = state
    asked = (_request(instance, days, changed, facts) for days in _in_a_row(changed))
    requests = [request for request in asked if request]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None
        if requests
        else f"the figures of {len(reported) - len(changed)} days rest on the labels there are",
    )


def _in_a_row(days: Iterable[date]) -> list[list[date]]:
    """The days, those that follow one another together, for one run does them all."""
    rows: list[list[date]] = []
    for day in days:
        if rows and day - rows[-1][-1] == timedelta(days=1):
            rows[-1].append(day)
        else:
            rows.append([day])
    return rows


def _request(
    instance: DagsterInstance, days: Sequence[date], states: Mapping[date, str], facts: Mapping[date, LabelFacts]
) -> dg.RunRequest | None:
    """A request for the figures of `days`; None where this change was asked for already, or failed too often."""
    first, last = days[0], days[-1]
    change = f"{first}-{last}-{sha256(canonical_json([states[day] for day in days]))[-16:]}"
    records = runs_tagged(instance, LABELS_TAG, change)
    if any(record.dagster_run.status not in UNANSWERED for record in records) or len(records) >= ATTEMPTS_PER_CHANGE:
        return None
    begin = first - timedelta(days=ROLLING_DAYS - 1)
    arrived = labels_concerning({day: known for day, known in facts.items() if day <= last + _horizon()}, begin, last)
    what = f"labels that arrived on {arrived[-1]}" if arrived else "labels were withdrawn"
    which = {} if first == last else {RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()}
    return dg.RunRequest(
        run_key=f"labels-{change}-{len(records)}",
        partition_key=None if which else first.isoformat(),
        asset_selection=[dg.AssetKey("realised_performance")],
        tags={
            TRIGGER_TAG: "labels",
            CAUSE_TAG: f"late labels about {begin} to {last}; the newest: {what}",
            LABELS_TAG: change,
            **which,
        },
    )


def _facts(instance: DagsterInstance, day: date) -> LabelFacts:
    return LabelFacts.of_text(latest_materialisation_metadata(instance, "confirmed_labels", day))


def _horizon() -> timedelta:
    return timedelta(days=SETTINGS.label_horizon_days)
