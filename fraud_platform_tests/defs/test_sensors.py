"""What happens without a clock, evaluated on real event logs: asked for once, for a cause, and never for ever."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.sensors import run_failure_sensor
from fraud_platform.errors import PlatformError
from fraud_platform_tests.defs.test_history import evaluate as record_verdict
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home

ONE, TWO, THREE = map(day_number, (1, 2, 3))


@pytest.fixture
def home(tmp_path) -> Iterator[PlatformHome]:
    with open_home(tmp_path / "home") as home:
        yield home


def tick(home: PlatformHome, sensor: str, cursor: str | None = None) -> tuple[list[dg.RunRequest], str, str | None]:
    """The requests, the reason for skipping, and the new cursor."""
    repository = home.definitions.get_repository_def()
    definition = repository.get_sensor_def(sensor)
    resources = {key: home.definitions.resources[key] for key in definition.required_resource_keys}
    with dg.build_sensor_context(
        instance=home.instance, repository_def=repository, resources=resources, cursor=cursor
    ) as context:
        evaluated = definition.evaluate_tick(context)
    return list(evaluated.run_requests or []), evaluated.skip_message or "", evaluated.cursor


def evaluate(instance: dg.DagsterInstance, day: date, **verdict: object) -> None:
    """What a day's drift report and its check leave in the event log."""
    materialise(instance, "drift_report", day)
    record_verdict(instance, day, **verdict)


# -- drift ----------------------------------------------------------------------------------------------------------


def retrained(home: PlatformHome, trigger: str, day: date, status: str = "SUCCESS", action: str | None = None) -> None:
    """A retraining that `trigger` asked for as of `day`, and what became of its model."""
    create_run_for_test(
        home.instance,
        job_name="retraining",
        status=dg.DagsterRunStatus[status],
        tags={"fraud/trigger": trigger, "dagster/partition": day.isoformat()},
    )
    if action:
        materialise(home.instance, "model_release", day, action=action)


def drifts(home: PlatformHome, day: date, *, verdict: str = "Drifted: 4 of 32 features.") -> None:
    materialise(home.instance, "features", day)
    evaluate(home.instance, day, passed=False, verdict=verdict)


def test_without_a_verdict_nothing_is_asked_for(home):
    assert tick(home, "retrain_on_drift_sensor")[:2] == ([], "no drift verdict of the latest day yet")


def test_drift_asks_for_a_model_and_says_why(home):
    drifts(home, TWO)
    ((request,), _, _) = tick(home, "retrain_on_drift_sensor")
    assert request.partition_key == TWO.isoformat()
    assert request.run_key == f"drift-{TWO}"
    assert request.tags["fraud/trigger"] == "drift"
    assert request.tags["fraud/cause"] == "Drifted: 4 of 32 features."


def test_the_model_is_as_of_the_latest_day_with_features(home):
    drifts(home, ONE)
    materialise(home.instance, "features", THREE)
    ((request,), _, _) = tick(home, "retrain_on_drift_sensor")
    assert request.partition_key == THREE.isoformat()


def test_only_the_latest_verdict_counts(home):
    drifts(home, ONE)
    evaluate(home.instance, TWO, passed=True)
    assert tick(home, "retrain_on_drift_sensor")[:2] == ([], f"the drift check of {TWO} passed")


@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTED", "SUCCESS"])
def test_one_cause_is_asked_for_once_even_while_the_run_waits(home, status):
    drifts(home, ONE)
    retrained(home, "drift", ONE, status=status)
    requests, skipped, _ = tick(home, "retrain_on_drift_sensor")
    assert requests == []
    assert skipped.startswith(f"retraining as of {ONE} answers it")


@pytest.mark.parametrize(
    ("days_later", "is_asked"),
    [(1, False), (6, False), (7, True)],  # a cool-down of seven days
)
def test_after_a_release_drift_waits_for_the_cool_down(home, days_later, is_asked):
    retrained(home, "drift", ONE, action="released")
    drifts(home, ONE + timedelta(days=days_later))
    assert bool(tick(home, "retrain_on_drift_sensor")[0]) is is_asked


@pytest.mark.parametrize("action", ["rejected", "kept"])
def test_a_refused_model_has_answered_nothing_so_the_next_day_asks_again(home, action):
    retrained(home, "drift", ONE, action=action)
    drifts(home, ONE)
    assert tick(home, "retrain_on_drift_sensor")[0] == []
    drifts(home, TWO)
    ((request,), _, _) = tick(home, "retrain_on_drift_sensor")
    assert request.run_key == f"drift-{TWO}"


@pytest.mark.parametrize("status", ["FAILURE", "CANCELED"])
def test_a_retraining_that_came_to_nothing_does_not_count(home, status):
    retrained(home, "drift", ONE, status=status)
    drifts(home, ONE)
    # Its run key keeps Dagster from trying the same day twice; a new day has a new one.
    assert [request.run_key for request in tick(home, "retrain_on_drift_sensor")[0]] == [f"drift-{ONE}"]
    drifts(home, TWO)
    assert [request.run_key for request in tick(home, "retrain_on_drift_sensor")[0]] == [f"drift-{TWO}"]


def shadowed(home: PlatformHome, action: str, *, settled: str = "", times: int = 1) -> None:
    """What the report of a day says of a challenger, and how the runs that carried it out ended."""
    materialise(home.instance, "shadow_report", TWO, challenger_version="2", action=action)
    for _ in range(times if settled else 0):
        create_run_for_test(
            home.instance,
            job_name="settle_shadow",
            status=dg.DagsterRunStatus[settled],
            tags={"fraud/change": "settlement of version 2"},
        )


@pytest.mark.parametrize(
    ("shadow", "is_asked"),
    [
        ({"action": "wait"}, False),
        ({"action": "extend"}, False),
        ({"action": "promote"}, False),  # said, and not done yet
        ({"action": "promote", "settled": "STARTED"}, False),
        ({"action": "reject", "settled": "FAILURE", "times": 2}, False),  # it is tried again
        ({"action": "reject", "settled": "FAILURE", "times": 3}, True),  # and waits for a person
        ({"action": "reject", "settled": "SUCCESS"}, True),
        ({"action": "approve"}, True),  # so does this
    ],
)
def test_no_model_is_asked_for_before_the_verdict_about_a_challenger_is_carried_out(home, shadow, is_asked):
    drifts(home, TWO)
    shadowed(home, **shadow)
    requests, skipped, _ = tick(home, "retrain_on_drift_sensor")
    assert bool(requests) is is_asked, skipped
    assert is_asked or skipped.startswith("version 2 is in shadow")


def test_a_model_rejected_in_shadow_has_answered_nothing(home):
    retrained(home, "drift", ONE, action="shadow")
    drifts(home, TWO)
    assert tick(home, "retrain_on_drift_sensor")[0] == []
    rejection = dg.AssetObservation("model_release", partition=ONE.isoformat(), metadata={"rejected": "1.1.0"})
    home.instance.report_runless_asset_event(rejection)
    assert len(tick(home, "retrain_on_drift_sensor")[0]) == 1


def test_drift_away_from_a_champion_that_has_gone_asks_for_nothing(home):
    materialise(home.instance, "model_release", ONE, action="released", model_version="1")
    drifts(home, TWO)
    materialise(home.instance, "drift_report", TWO, model_version="1")
    assert len(tick(home, "retrain_on_drift_sensor")[0]) == 1
    promotion = dg.AssetObservation("model_release", partition=ONE.isoformat(), metadata={"champion_version": "2"})
    home.instance.report_runless_asset_event(promotion)
    requests, skipped, _ = tick(home, "retrain_on_drift_sensor")
    assert (requests, skipped) == ([], f"the drift of {TWO} is that of version 1; version 2 decides next")
    # What is made and not released changes nothing.
    materialise(home.instance, "drift_report", TWO, model_version="2")
    materialise(home.instance, "model_release", TWO, action="kept", model_version="3")
    assert len(tick(home, "retrain_on_drift_sensor")[0]) == 1


def test_drift_away_from_a_champion_that_the_event_log_does_not_know_asks_for_a_model(home):
    materialise(home.instance, "model_release", ONE, action="released", model_version="1")
    # Promoted from the command line, and then the day was measured against it.
    drifts(home, TWO)
    materialise(home.instance, "drift_report", TWO, model_version="2")
    requests, skipped, _ = tick(home, "retrain_on_drift_sensor")
    assert len(requests) == 1, skipped


def test_what_another_trigger_asked_for_earlier_does_not_answer_drift(home):
    retrained(home, "schedule", ONE, action="released")
    drifts(home, TWO)
    assert len(tick(home, "retrain_on_drift_sensor")[0]) == 1


def test_a_model_of_the_same_days_is_not_made_twice_whoever_asked(home):
    retrained(home, "schedule", TWO, action="released")
    drifts(home, TWO)
    requests, skipped, _ = tick(home, "retrain_on_drift_sensor")
    assert requests == []
    assert skipped.startswith(f"a model as of {TWO} is made already")


# -- performance ----------------------------------------------------------------------------------------------------


def perform(home: PlatformHome, first: int, last: int, *, hits: int, errors: int, is_mature: bool = True) -> None:
    for number in range(first, last + 1):
        materialise(
            home.instance,
            "realised_performance",
            day_number(number),
            true_positives=hits,
            false_positives=errors,
            false_negatives=0,
            labelled_share=1.0,
            is_mature=is_mature,
        )


def test_without_performance_nothing_is_asked_for(home):
    assert tick(home, "retrain_on_performance_sensor")[:2] == ([], "no realised performance on mature labels yet")


# F1 = 2 TP / (2 TP + FP): 5 and 5 give .667, 5 and 3 give .769.
def test_two_weeks_below_the_limit_ask_for_a_model(home):
    perform(home, 1, 14, hits=5, errors=5)
    ((request,), _, _) = tick(home, "retrain_on_performance_sensor")
    assert request.tags["fraud/trigger"] == "performance"
    assert request.tags["fraud/cause"] == (
        f"realised F1 0.667 in the week to {day_number(14)}, 0.667 in the week to {day_number(7)} (limit 0.72)"
    )
    assert request.partition_key == day_number(14).isoformat()


@pytest.mark.parametrize(("well_from", "well_to"), [(1, 7), (8, 14)])
def test_one_week_at_the_limit_is_enough_to_wait(home, well_from, well_to):
    perform(home, 1, 14, hits=5, errors=5)
    perform(home, well_from, well_to, hits=5, errors=3)
    requests, skipped, _ = tick(home, "retrain_on_performance_sensor")
    assert requests == []
    assert "0.769" in skipped


def test_one_bad_week_alone_concludes_nothing(home):
    perform(home, 1, 7, hits=5, errors=5)
    requests, skipped, _ = tick(home, "retrain_on_performance_sensor")
    assert requests == []
    assert skipped.startswith("not applicable")


def test_days_without_labels_say_nothing(home):
    perform(home, 1, 14, hits=5, errors=5)
    materialise(home.instance, "realised_performance", day_number(15), status="not applicable")
    assert len(tick(home, "retrain_on_performance_sensor")[0]) == 1


def test_the_two_weeks_end_where_labels_are_mature(home):
    # Labels take ten days here: the last ten days have some labels already, all of them alerts that were right.
    perform(home, 1, 14, hits=5, errors=5)
    perform(home, 15, 24, hits=5, errors=0, is_mature=False)
    ((request,), _, _) = tick(home, "retrain_on_performance_sensor")
    assert f"0.667 in the week to {day_number(14)}" in request.tags["fraud/cause"]


def test_an_answered_shortfall_is_not_asked_for_again(home):
    perform(home, 1, 14, hits=5, errors=5)
    retrained(home, "performance", day_number(14), action="released")
    assert tick(home, "retrain_on_performance_sensor")[0] == []


# -- a run fails ----------------------------------------------------------------------------------------------------


def test_a_failed_run_is_one_line_with_job_day_and_cause(home, capsys):
    with pytest.raises(PlatformError):
        home.daily(ONE)
    (run,) = home.instance.get_runs()
    failed = [entry.dagster_event for entry in home.instance.all_logs(run.run_id) if entry.dagster_event]
    (event,) = [each for each in failed if each.is_job_failure]
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor", dagster_event=event, dagster_instance=home.instance, dagster_run=run
    ).for_run_failure()
    capsys.readouterr()
    run_failure_sensor(context)
    (line,) = capsys.readouterr().err.splitlines()
    assert f" - daily of {ONE} failed ({run.run_id}): {ONE}: no transactions for {ONE} in " in line
