"""Which landed days are asked for: decided from real event logs, once per state of the files, and never for ever."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.landing_sensor import ATTEMPTS_PER_STATE, DAYS_PER_TICK, INGESTED, LABELLED
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.defs.test_sensors import tick
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home, register_twin

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


def is_of(request: dg.RunRequest, day: date) -> bool:
    return request.partition_key == day.isoformat()


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


def test_a_rejected_first_model_that_a_person_promotes_makes_days_wait_for_their_scores(copied_home):
    day = day_number(1)
    ingest(copied_home, day)
    # The rejection is in this history; the promotion, by the command line, is in the registry alone.
    materialise(copied_home.instance, "model_release", day, action="rejected")
    ((request, *_), _, _) = tick(copied_home, "landing_sensor")
    assert (request.partition_key, request.tags["fraud/cause"]) == (day.isoformat(), "ingested, but not scored")


def test_an_unreachable_registry_keeps_no_day_from_being_ingested(tmp_path):
    with open_home(tmp_path / "home", MLFLOW_TRACKING_URI="http://127.0.0.1:9") as home:
        home.put(ONE, "a.csv", "x")
        materialise(home.instance, "model_release", ONE, action="approval")
        ((request,), _, _) = tick(home, "landing_sensor")
        assert selected(request) == list(INGESTED)


def test_a_new_champion_is_asked_for_the_days_that_failed_before_it(copied_home):
    day = day_number(1)
    ingest(copied_home, day)
    release(copied_home, day)
    cursor = None
    for _ in range(ATTEMPTS_PER_STATE):
        ((request, *_), _, cursor) = tick(copied_home, "landing_sensor", cursor)
        assert request.partition_key == day.isoformat()
        create_run_for_test(copied_home.instance, "daily", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags))
    _, skipped, cursor = tick(copied_home, "landing_sensor", cursor)
    assert day.isoformat() in skipped
    registry = copied_home.platform.registry
    twin = register_twin(registry)
    registry.promote(twin, day=day_number(5), reason="the other is damaged", promoted_at=datetime.now(UTC))
    ((again,), _, _) = tick(copied_home, "landing_sensor", cursor)
    assert again.partition_key == day.isoformat()
    # The daemon starts a run key once.
    assert again.run_key.endswith(f"-{ATTEMPTS_PER_STATE}")


def test_labels_that_arrive_on_a_day_without_transactions_are_read(copied_home):
    day = day_number(5)
    (identifier, *_) = copied_home.store.read_table("raw_transactions", day_number(1))["transaction_id"]
    copied_home.put(day, "reviews.csv", f"transaction_id,Class\n{identifier},1\n", kind="labels")

    def asked() -> list[tuple[str, list[str]]]:
        requests = tick(copied_home, "landing_sensor")[0]
        return [(request.tags["fraud/cause"], selected(request)) for request in requests if is_of(request, day)]

    assert asked() == [("new labels", ["confirmed_labels"])]
    assert copied_home.attempt("daily", day, ["confirmed_labels"]).success
    assert copied_home.store.read_table("confirmed_labels", day)["transaction_id"].tolist() == [identifier]
    assert asked() == []


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
