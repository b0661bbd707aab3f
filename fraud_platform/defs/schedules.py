"""When the jobs run by the clock: the daily chain every night, retraining on the first Sunday of the month.

Runs asked for by evidence (files, drift, performance) belong to the sensors.
"""

import dagster as dg

from fraud_platform.defs.history import challenger_in_shadow
from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG, daily, retraining
from fraud_platform.defs.partitions import latest_day

LAST_DAY_OF_FIRST_WEEK = 7
# Sunday, as cron counts; an hour after the daily chain has begun.
RETRAINING_WEEKDAY, RETRAINING_HOUR = 0, 3

# 02:00 UTC leaves upstream systems two hours after midnight to deliver the day.
daily_schedule = dg.build_schedule_from_partitioned_job(
    daily, name="daily_schedule", hour_of_day=2, description="Yesterday's transactions, every night at 02:00 UTC."
)


@dg.schedule(
    job=retraining,
    # Cron joins day of month and day of week by "or", so the first week is told apart below.
    cron_schedule=f"0 {RETRAINING_HOUR} * * {RETRAINING_WEEKDAY}",
    execution_timezone="UTC",
    description=f"A new model on the first Sunday of each month at {RETRAINING_HOUR:02d}:00 UTC.",
)
def monthly_retraining_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Retrains as of the latest complete day when the Sunday is the month's first."""
    when = context.scheduled_execution_time
    if when.day > LAST_DAY_OF_FIRST_WEEK:
        return dg.SkipReason(f"{when:%Y-%m-%d} is not the first Sunday of its month")
    # As of the tick, not of now: Dagster refuses a later day when a daemon that was down catches up.
    day = latest_day(when)
    if day is None:
        return dg.SkipReason("no complete day since FRAUD_START_DATE")
    if challenger := challenger_in_shadow(context.instance):
        return dg.SkipReason(f"version {challenger} is in shadow; a newer candidate would end it before its verdict")
    return dg.RunRequest(
        run_key=f"monthly-{when:%Y-%m}",
        partition_key=day.isoformat(),
        tags={TRIGGER_TAG: "schedule", CAUSE_TAG: f"monthly retraining of {when:%B %Y}"},
    )
