"""Which landed days are asked for: decided from real event logs, once per state of the files, and never for ever."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.landing_sensor import ATTEMPTS_PER_STATE, DAYS_PER_TICK, INGESTED, LABELLED
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.defs.test_sensors import tick
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home

ONE, TWO, THREE = map(day_number, (1, 2, 3))


@pytest.fixture
def home(tmp_path) -> Iterator[PlatformHome]:
    with open_home(tmp_path / "home") as home:
        yield home


def ingest(home: PlatformHome, day: date) -> None:
    """What a successful ingestion of the day leaves in the event log."""
    landed = home.landing.fingerprint(day)
    materialise(home.instance, "raw_transactions", day, landing_fingerprint=landed, data_version=landed)
    labels = home.landing.fingerprint(day, "labels")
    materialise(home.instance, "confirmed_labels", day, landing_fingerprint=labels)


def release(home: PlatformHome, day: date) -> None:
    """What the release of the first model leaves in the event log."""
    materialise(home.instance, "model_release", day, action="released", champion="1.0.0")


def score(home: PlatformHome, day: date) -> None:
    """What a scored day leaves in the event log."""
    materialise(home.instance, "daily_predictions", day, data_version=home.landing.fingerprint(day))


def selected(request: dg.RunRequest) -> list[str]:
    return [key.to_user_string() for key in request.asset_selection or []]


def test_each_landed_day_is_asked_for_once(home):
    home.put(ONE, "a.csv", "x")
    home.put(TWO, "a.csv", "x")
    requests, _, cursor = tick(home, "landing_sensor")
    assert [request.partition_key for request in requests] == [ONE.isoformat(), TWO.isoformat()]
    assert {request.tags["fraud/cause"] for request in requests} == {"new files"}
    requests, skipped, _ = tick(home, "landing_sensor", cursor)
    assert (requests, skipped) == ([], "no new or changed files")


def test_an_empty_landing_zone_asks_for_nothing(home):
    assert tick(home, "landing_sensor")[:2] == ([], "no new or changed files")


def test_a_day_outside_the_calendar_is_not_asked_for(home):
    home.put(ONE - timedelta(days=1), "a.csv", "x")
    home.put(date.today() + timedelta(days=2), "a.csv", "x")
    assert tick(home, "landing_sensor")[0] == []


def test_a_changed_file_and_a_new_label_file_ask_again(home):
    path = home.put(ONE, "a.csv", "x")
    ingest(home, ONE)
    _, _, cursor = tick(home, "landing_sensor")
    path.write_bytes(b"longer than before")
    requests, _, cursor = tick(home, "landing_sensor", cursor)
    assert [request.tags["fraud/cause"] for request in requests] == ["changed files"]
    home.put(ONE, "labels.csv", "x", kind="labels")
    requests, _, _ = tick(home, "landing_sensor", cursor)
    assert [request.partition_key for request in requests] == [ONE.isoformat()]


def test_a_lost_cursor_asks_for_nothing_that_was_ingested(home):
    for day in (ONE, TWO):
        home.put(day, "a.csv", "x")
    first, _, _ = tick(home, "landing_sensor")
    ingest(home, ONE)
    again, _, _ = tick(home, "landing_sensor", cursor=None)
    assert [request.partition_key for request in again] == [TWO.isoformat()]
    # The day still under way has the run key it had, by which Dagster knows it was asked for.
    assert again[0].run_key == first[1].run_key


def test_many_days_are_asked_for_over_several_ticks(home):
    days = [day_number(number) for number in range(1, DAYS_PER_TICK + 4)]
    for day in days:
        home.put(day, "a.csv", "x")
    first, _, cursor = tick(home, "landing_sensor")
    second, _, _ = tick(home, "landing_sensor", cursor)
    assert [request.partition_key for request in (*first, *second)] == [day.isoformat() for day in days]
    assert len(first) == DAYS_PER_TICK


def test_before_the_first_model_days_are_only_ingested(home):
    home.put(ONE, "a.csv", "x")
    ((request,), _, _) = tick(home, "landing_sensor")
    assert selected(request) == list(INGESTED)


def test_the_first_model_makes_ingested_days_wait_for_their_scores(home):
    home.put(ONE, "a.csv", "x")
    ingest(home, ONE)
    _, skipped, cursor = tick(home, "landing_sensor")
    assert skipped == "no new or changed files"
    release(home, ONE)
    ((request,), _, cursor) = tick(home, "landing_sensor", cursor)
    assert (request.tags["fraud/cause"], selected(request)) == ("ingested, but not scored", [])
    score(home, ONE)
    assert tick(home, "landing_sensor", cursor)[0] == []


def test_a_model_approved_without_dagster_makes_days_wait_for_their_scores(copied_home):
    day = day_number(1)
    ingest(copied_home, day)
    materialise(copied_home.instance, "model_release", day, action="approval")
    # The copied home's registry has a champion, of which this history knows nothing.
    requests, _, _ = tick(copied_home, "landing_sensor")
    assert (requests[0].partition_key, requests[0].tags["fraud/cause"]) == (day.isoformat(), "ingested, but not scored")
    assert selected(requests[0]) == []


def test_new_labels_leave_the_decisions_alone(home):
    home.put(ONE, "a.csv", "x")
    ingest(home, ONE)
    release(home, ONE)
    score(home, ONE)
    _, _, cursor = tick(home, "landing_sensor")
    home.put(ONE, "labels.csv", "x", kind="labels")
    ((request,), _, _) = tick(home, "landing_sensor", cursor)
    assert (request.tags["fraud/cause"], selected(request)) == ("new labels", list(LABELLED))


def test_labels_without_a_transaction_are_looked_at_again_when_transactions_land(home):
    for day in (ONE, TWO):
        home.put(day, "a.csv", "x")
        ingest(home, day)
    home.put(TWO, "labels.csv", "x", kind="labels")
    table = pd.DataFrame({"transaction_id": ["a"]})
    home.store.write_table("raw_transactions", TWO, table)
    landed = home.landing.fingerprint(TWO, "labels")
    waiting = {"landing_fingerprint": landed, "labels_without_transaction": 1, "days_searched": 1}
    materialise(home.instance, "confirmed_labels", TWO, **waiting)
    requests, _, cursor = tick(home, "landing_sensor")
    assert requests == []
    home.store.write_table("raw_transactions", ONE, table)
    ((request,), _, _) = tick(home, "landing_sensor", cursor)
    assert (request.partition_key, selected(request)) == (TWO.isoformat(), ["confirmed_labels"])
    assert request.tags["fraud/cause"] == "transactions landed after their labels"
    materialise(home.instance, "confirmed_labels", TWO, **{**waiting, "days_searched": 2})
    assert tick(home, "landing_sensor", cursor)[0] == []


def test_a_failed_day_is_asked_for_again_but_not_for_ever(home):
    home.put(ONE, "a.csv", "x")
    cursor, keys = None, []
    for _ in range(ATTEMPTS_PER_STATE):
        ((request,), _, cursor) = tick(home, "landing_sensor", cursor)
        keys.append(request.run_key)
        create_run_for_test(home.instance, "daily", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags))
    assert len(set(keys)) == ATTEMPTS_PER_STATE
    requests, skipped, cursor = tick(home, "landing_sensor", cursor)
    assert requests == []
    assert ONE.isoformat() in skipped
    home.put(ONE, "b.csv", "other files")
    assert len(tick(home, "landing_sensor", cursor)[0]) == 1


def test_a_day_at_work_is_not_asked_for_again(home):
    home.put(ONE, "a.csv", "x")
    ((request,), _, _) = tick(home, "landing_sensor")
    create_run_for_test(home.instance, "daily", status=dg.DagsterRunStatus.STARTED, tags=dict(request.tags))
    assert tick(home, "landing_sensor", cursor=None)[0] == []


def test_days_before_the_calendar_are_named(home):
    early = ONE - timedelta(days=3)
    home.put(early, "a.csv", "x")
    _, skipped, _ = tick(home, "landing_sensor")
    assert f"1 landed days lie before the calendar: set FRAUD_START_DATE to {early}" in skipped
