"""Clocks: every night for yesterday, and the first Sunday of each month for a new model."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from fraud_platform.definitions import defs
from fraud_platform.defs import schedules
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.schedules import monthly_retraining_schedule


def tick(schedule: dg.ScheduleDefinition, when: datetime) -> dg.RunRequest | str:
    repository = defs.get_repository_def()
    with dg.build_schedule_context(scheduled_execution_time=when, repository_def=repository) as context:
        evaluated = schedule.evaluate_tick(context)
    if not evaluated.run_requests:
        return evaluated.skip_message
    (request,) = evaluated.run_requests
    return request


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2025, 6, 1),  # a month that begins with a Sunday
        (2025, 12, 7),  # the latest a first Sunday can be
        (2026, 2, 1),
        (2026, 3, 1),
        (2026, 6, 7),
        (2027, 1, 3),
        (2028, 2, 6),  # leap year
    ],
)
def test_a_first_sunday_asks_for_a_model_as_of_the_latest_day(year, month, day):
    when = datetime(year, month, day, 3, tzinfo=UTC)
    assert when.strftime("%A") == "Sunday"
    request = tick(monthly_retraining_schedule, when)
    assert request.partition_key == DAYS.get_last_partition_key()
    assert request.run_key == f"monthly-{year}-{month:02d}"
    assert request.tags["fraud/trigger"] == "schedule"
    assert request.tags["fraud/cause"] == f"monthly retraining of {when:%B %Y}"


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2025, 6, 8),  # the day after the first week
        (2025, 11, 30),  # a fifth Sunday
        (2026, 2, 15),
        (2026, 5, 31),
        (2028, 2, 27),
    ],
)
def test_any_other_sunday_is_skipped_with_its_date(year, month, day):
    when = datetime(year, month, day, 3, tzinfo=UTC)
    assert when.strftime("%A") == "Sunday"
    assert tick(monthly_retraining_schedule, when) == f"{year}-{month:02d}-{day:02d} is not the first Sunday of its month"


def test_retraining_is_considered_on_sundays_only_in_utc():
    assert monthly_retraining_schedule.cron_schedule == "0 3 * * 0"
    assert monthly_retraining_schedule.execution_timezone == "UTC"


def test_an_empty_calendar_asks_for_nothing(monkeypatch):
    monkeypatch.setattr(schedules, "latest_day", lambda: None)
    skipped = tick(monthly_retraining_schedule, datetime(2026, 3, 1, 3, tzinfo=UTC))
    assert skipped == "no complete day since FRAUD_START_DATE"


def test_every_night_asks_for_the_day_that_has_just_ended():
    daily_schedule = defs.resolve_schedule_def("daily_schedule")
    assert daily_schedule.cron_schedule == "0 2 * * *"
    last = DAYS.get_last_partition_key()
    tonight = datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC).replace(hour=2)
    assert tick(daily_schedule, tonight).partition_key == last
