"""Clocks: every night for yesterday, and the first Sunday of each month for a new model."""

import tempfile
from datetime import UTC, datetime, time, timedelta

import dagster as dg
import pytest

from fraud_platform.definitions import defs
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.schedules import monthly_retraining_schedule
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.platform_home import day_number


def tick(schedule: dg.ScheduleDefinition, when: datetime, **shadow: str) -> dg.RunRequest | str:
    """The request or why there is none, with this report of a shadow in the event log."""
    repository = defs.get_repository_def()
    with (
        # A schedule opens its instance anew, so it must be one that can be opened.
        tempfile.TemporaryDirectory() as folder,
        dg.DagsterInstance.local_temp(folder) as instance,
        dg.build_schedule_context(
            instance=instance, scheduled_execution_time=when, repository_def=repository
        ) as context,
    ):
        if shadow:
            materialise(instance, "shadow_report", day_number(1), **shadow)
        evaluated = schedule.evaluate_tick(context)
    if not evaluated.run_requests:
        return evaluated.skip_message
    (request,) = evaluated.run_requests
    return request


@pytest.mark.parametrize(
    "day",
    [
        "2040-01-01",  # a year that begins with a Sunday
        "2041-12-01",
        "2042-12-07",  # the latest a first Sunday can be
        "2043-06-07",
        "2044-02-07",  # leap year
    ],
)
def test_a_first_sunday_asks_for_a_model_as_of_the_day_before(day):
    when = datetime.fromisoformat(f"{day}T03:00+00:00")
    assert when.strftime("%A") == "Sunday"
    request = tick(monthly_retraining_schedule, when)
    assert request.partition_key == (when - timedelta(days=1)).date().isoformat()
    assert request.run_key == f"monthly-{day[:7]}"
    assert request.tags["fraud/trigger"] == "schedule"
    assert request.tags["fraud/cause"] == f"monthly retraining of {when:%B %Y}"


@pytest.mark.parametrize(
    "day",
    [
        "2040-01-08",  # the day after the first week
        "2040-01-29",  # a fifth Sunday
        "2042-12-14",
        "2043-05-31",  # the day before a new month
        "2044-02-28",
    ],
)
def test_any_other_sunday_is_skipped_with_its_date(day):
    when = datetime.fromisoformat(f"{day}T03:00+00:00")
    assert when.strftime("%A") == "Sunday"
    assert tick(monthly_retraining_schedule, when) == f"{day} is not the first Sunday of its month"


def test_a_month_waits_for_the_verdict_of_a_challenger_in_shadow():
    when = datetime(2042, 12, 7, 3, tzinfo=UTC)
    skipped = tick(monthly_retraining_schedule, when, challenger_version="2", action="extend")
    assert str(skipped).startswith("version 2 is in shadow")


def test_a_tick_that_is_caught_up_late_asks_for_what_it_would_have_asked_for():
    # The daemon was down at the end of the calendar's first week; the calendar has grown since.
    first_sunday = next(day for day in map(day_number, range(2, 70)) if day.weekday() == 6 and day.day <= 7)
    when = datetime.combine(first_sunday, time(3), UTC)
    assert tick(monthly_retraining_schedule, when).partition_key == (first_sunday - timedelta(days=1)).isoformat()


def test_retraining_is_considered_on_sundays_only_in_utc():
    assert monthly_retraining_schedule.cron_schedule == "0 3 * * 0"
    assert monthly_retraining_schedule.execution_timezone == "UTC"


def test_before_the_calendar_begins_nothing_is_asked_for():
    skipped = tick(monthly_retraining_schedule, datetime(2020, 3, 1, 3, tzinfo=UTC))
    assert skipped == "no complete day since FRAUD_START_DATE"


# Dagster's own schedule calls what Dagster has deprecated.
@pytest.mark.filterwarnings("ignore:Function `JobDefinition.run_request_for_partition`:DeprecationWarning")
def test_every_night_asks_for_the_day_that_has_just_ended():
    daily_schedule = defs.resolve_schedule_def("daily_schedule")
    assert daily_schedule.cron_schedule == "0 2 * * *"
    last = DAYS.get_last_partition_key()
    tonight = datetime.combine(datetime.now(UTC).date(), time(2), UTC)
    assert tick(daily_schedule, tonight).partition_key == last
