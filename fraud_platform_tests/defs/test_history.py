"""What the event log and the run history know, read back from a real instance."""

from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.history import (
    cause_of_failure,
    latest_evaluations,
    latest_materialisation_metadata,
    latest_materialised_day,
    release_action,
    retrainings,
)
from fraud_platform_tests.platform_home import day_number

CHECK = dg.AssetCheckKey(dg.AssetKey("drift_report"), "drift_limits")
ONE, TWO, THREE = map(day_number, (1, 2, 3))


def evaluate(instance, day: date | None, *, passed: bool, verdict: str = "") -> None:
    """One evaluation by a run of its own."""
    evaluation = dg.AssetCheckEvaluation(
        asset_key=CHECK.asset_key,
        check_name=CHECK.name,
        passed=passed,
        metadata={"verdict": verdict},
        partition=day.isoformat() if day else None,
    )
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
        event_specific_data=evaluation,
        job_name="daily",
    )
    instance.report_dagster_event(event, run_id=create_run_for_test(instance, job_name="daily").run_id)


def materialise(instance, asset: str, day: date, **metadata: object) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day.isoformat(), metadata=metadata))


def test_the_newest_evaluation_of_each_day_counts(dagster_instance):
    evaluate(dagster_instance, TWO, passed=False, verdict="first look")
    evaluate(dagster_instance, ONE, passed=True)
    evaluate(dagster_instance, TWO, passed=True, verdict="second look")
    newest = latest_evaluations(dagster_instance, CHECK)
    assert {day: evaluation.passed for day, evaluation in newest.items()} == {ONE: True, TWO: True}
    assert newest[TWO].metadata["verdict"].value == "second look"


def test_an_evaluation_of_a_whole_range_belongs_to_no_day(dagster_instance):
    evaluate(dagster_instance, None, passed=False)
    assert latest_evaluations(dagster_instance, CHECK) == {}


def test_another_check_is_not_mixed_in(dagster_instance):
    evaluate(dagster_instance, ONE, passed=False)
    assert latest_evaluations(dagster_instance, dg.AssetCheckKey(CHECK.asset_key, "schema")) == {}


def test_the_newest_materialisation_of_a_day_counts(dagster_instance):
    materialise(dagster_instance, "features", ONE, rows=1)
    materialise(dagster_instance, "features", ONE, rows=2, note="again")
    materialise(dagster_instance, "features", TWO, rows=3)
    assert latest_materialisation_metadata(dagster_instance, "features", ONE) == {"rows": 2, "note": "again"}
    assert latest_materialisation_metadata(dagster_instance, "features", THREE) == {}
    assert latest_materialisation_metadata(dagster_instance, "splits", ONE) == {}


def test_the_latest_day_is_the_calendars_not_the_clocks(dagster_instance):
    assert latest_materialised_day(dagster_instance, "features") is None
    for day in (ONE, THREE, TWO):
        materialise(dagster_instance, "features", day)
    assert latest_materialised_day(dagster_instance, "features") == THREE


def test_what_became_of_a_model_is_read_from_its_release(dagster_instance):
    assert release_action(dagster_instance, ONE) is None
    materialise(dagster_instance, "model_release", ONE, action="rejected")
    materialise(dagster_instance, "model_release", ONE, action="released")
    assert release_action(dagster_instance, ONE) == "released"


def test_retrainings_are_told_apart_by_what_asked_for_them(dagster_instance):
    asked = [
        ("retraining", "drift", ONE, "SUCCESS"),
        ("retraining", "drift", TWO, "STARTED"),  # one under way has been asked for too
        ("retraining", "drift", THREE, "FAILURE"),
        ("retraining", "drift", day_number(4), "CANCELED"),
        ("retraining", "performance", day_number(5), "SUCCESS"),
        ("daily", "drift", day_number(6), "SUCCESS"),
    ]
    for job, trigger, day, status in asked:
        create_run_for_test(
            dagster_instance,
            job_name=job,
            status=dg.DagsterRunStatus[status],
            tags={"fraud/trigger": trigger, "dagster/partition": day.isoformat()},
        )
    assert sorted(retrainings(dagster_instance, "drift")) == [ONE, TWO]
    assert retrainings(dagster_instance, "performance") == [day_number(5)]
    assert retrainings(dagster_instance, "schedule") == []


def with_failure(raise_it):
    @dg.op
    def first():
        raise_it()

    @dg.op(ins={"start": dg.In(dg.Nothing)})
    def second():
        raise AssertionError("never reached")

    @dg.job
    def failing():
        second(first())

    return failing.execute_in_process(raise_on_error=False).all_events


def explained():
    raise dg.Failure(description="file bad.csv lacks column 'V3'")


def nested():
    try:
        raise OSError("the disk\n  is full")
    except OSError as error:
        raise RuntimeError("step failed") from error


def plain():
    raise ValueError("7 is wrong")


@pytest.mark.parametrize(
    ("raise_it", "cause"),
    [
        (explained, "file bad.csv lacks column 'V3'"),  # our own words, as they are
        (nested, "OSError: the disk is full"),  # the root, in one line
        (plain, "ValueError: 7 is wrong"),
    ],
)
def test_the_cause_of_a_failure_is_one_line(raise_it, cause):
    assert cause_of_failure(with_failure(raise_it)) == cause


def test_the_cause_is_told_after_the_last_try_too():
    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=0))
    def unlucky():
        raise OSError("the bucket is gone")

    @dg.job
    def failing():
        unlucky()

    result = failing.execute_in_process(raise_on_error=False)
    assert cause_of_failure(result.all_events) == "OSError: the bucket is gone"


def test_success_has_no_cause():
    @dg.op
    def well():
        return timedelta(0)

    @dg.job
    def fine():
        well()

    assert cause_of_failure(fine.execute_in_process().all_events) is None
