"""Which days' figures rest on labels that have changed since: compares what they say they read with what is there now.

Everything is decided from the event log and the run history. Landed files belong to `landing_sensor`.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.history import latest_materialisation_metadata, materialised_days, runs_tagged
from fraud_platform.defs.jobs import CAUSE_TAG, LABELS_TAG, TRIGGER_TAG, daily
from fraud_platform.defs.partitions import SETTINGS
from fraud_platform.ingestion.label_lookup import LabelFacts, label_state, labels_concerning
from fraud_platform.monitoring.outcome import ROLLING_DAYS

# A tick has a minute; more days than this wait for the next one.
DAYS_PER_TICK = 20


@dg.sensor(
    job=daily,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports again on earlier days when labels about them have arrived or changed: once for each change.",
)
def late_labels_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Requests `realised_performance` of each day whose figures rest on other labels than there are, oldest first."""
    instance = context.instance
    reported = materialised_days(instance, "realised_performance")
    if not reported:
        return dg.SensorResult(skip_reason="no realised performance yet")
    first = reported[-1] - _horizon()
    # A day's figures rest on the labels of its week, too: without them its state would seem to have changed.
    known_from = first - timedelta(days=ROLLING_DAYS)
    arrivals = (day for day in materialised_days(instance, "confirmed_labels") if day >= known_from)
    facts = {day: _facts(instance, day) for day in arrivals}
    requests = []
    for day in (day for day in reported if day >= first):
        begin, end = day - timedelta(days=ROLLING_DAYS - 1), day + _horizon()
        known = {each: each_facts for each, each_facts in facts.items() if each <= end}
        state = label_state(known, begin, day)
        stored = latest_materialisation_metadata(instance, "realised_performance", day).get("label_state")
        # Figures made before labels were recorded are left as they are.
        if stored in (state, None) or runs_tagged(instance, LABELS_TAG, f"{day}-{state[-16:]}"):
            continue
        requests.append(_request(day, begin, state, known))
    return dg.SensorResult(
        run_requests=requests[:DAYS_PER_TICK],
        skip_reason=None if requests else f"the figures of {len(reported)} days rest on the labels there are",
    )


def _request(day: date, begin: date, state: str, facts: Mapping[date, LabelFacts]) -> dg.RunRequest:
    arrived = labels_concerning(facts, begin, day)
    what = f"labels that arrived on {arrived[-1]}" if arrived else "labels were withdrawn"
    return dg.RunRequest(
        run_key=f"labels-{day}-{state[-16:]}",
        partition_key=day.isoformat(),
        asset_selection=[dg.AssetKey("realised_performance")],
        tags={
            TRIGGER_TAG: "labels",
            CAUSE_TAG: f"late labels about {begin} to {day}; the newest: {what}",
            LABELS_TAG: f"{day}-{state[-16:]}",
        },
    )


def _facts(instance: DagsterInstance, day: date) -> LabelFacts:
    return LabelFacts.of_text(latest_materialisation_metadata(instance, "confirmed_labels", day))


def _horizon() -> timedelta:
    return timedelta(days=SETTINGS.label_horizon_days)
