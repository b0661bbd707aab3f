"""The history is read once and then only what is new; failed runs say which days broke the contract."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.watched_history import HistoryReader, chain_of
from fraud_platform.errors import PlatformError
from fraud_platform_tests.bad_files import good_rows
from fraud_platform_tests.platform_home import INGESTED, PlatformHome, day_number, open_home

DAY = day_number(1)


def record(instance, asset, day, **metadata):
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day.isoformat(), metadata=metadata))


def record_scored(instance, day, *, rows=100, alerts=3, seconds=2.0):
    told = {"dagster/row_count": rows, "alerts": alerts, "scoring_seconds": seconds}
    record(instance, "daily_predictions", day, **told)


def test_what_was_read_is_not_read_again(dagster_instance, monkeypatch):
    reader = HistoryReader(dagster_instance)
    record_scored(dagster_instance, DAY)
    assert reader.read().totals.alert_count == 3
    record_scored(dagster_instance, DAY, alerts=5)
    seen = []
    fetch = dagster_instance.fetch_materializations

    def counted(*arguments, **options):
        page = fetch(*arguments, **options)
        seen.extend(page.records)
        return page

    monkeypatch.setattr(dagster_instance, "fetch_materializations", counted)
    history = reader.read()
    assert len(seen) == 1
    # Both scorings count; of the day, the last one stands.
    assert history.totals.alert_count == 8
    assert history.scored[DAY].alert_count == 5


def test_what_cannot_be_read_is_named_once_and_counts_nothing_twice(dagster_instance, caplog):
    reader = HistoryReader(dagster_instance)
    record_scored(dagster_instance, DAY, alerts=3)
    # As somebody reports a materialisation by hand, or another version wrote it.
    record(dagster_instance, "daily_predictions", day_number(2), alerts="many")
    record(dagster_instance, "daily_predictions", day_number(2), scoring_seconds="long")
    record(dagster_instance, "raw_transactions", day_number(2), quarantined_by_reason=["missing"])
    dagster_instance.report_runless_asset_event(dg.AssetMaterialization("daily_predictions", partition="some day"))
    record_scored(dagster_instance, day_number(3), alerts=5)
    for _ in range(2):
        history = reader.read()
        assert (history.totals.alert_count, set(history.scored)) == (8, {DAY, day_number(3)})
        assert history.ingested == {}
    assert len([each for each in caplog.records if "tells what cannot be read" in each.getMessage()]) == 4


def test_a_run_of_a_day_that_is_none_is_counted_all_the_same(dagster_instance):
    create_run_for_test(
        dagster_instance, "daily", status=dg.DagsterRunStatus.FAILURE, tags={"dagster/partition": "2026-13-45"}
    )
    history = HistoryReader(dagster_instance).read()
    assert history.runs.count_by_chain == {("daily", "failure"): 1}
    assert history.attempts == ()


def test_a_new_reader_finds_what_the_one_before_it_had_found(dagster_instance):
    reader = HistoryReader(dagster_instance)
    for number in (1, 2, 3):
        record_scored(dagster_instance, day_number(number), alerts=number)
        reader.read()
    assert HistoryReader(dagster_instance).read() == reader.read()


def test_ingesting_the_same_bytes_again_brings_no_new_data(dagster_instance):
    reader = HistoryReader(dagster_instance)
    told = {"landed_rows": 100, "quarantined_by_reason": {"value is missing": 2}}
    record(dagster_instance, "raw_transactions", DAY, data_version="a", **told)
    first = reader.read().ingested[DAY].ingested_at
    record(dagster_instance, "raw_transactions", DAY, data_version="a", **told)
    again = reader.read().ingested[DAY]
    assert again.ingested_at == first
    assert again.share_quarantined_for("value is missing") == 0.02
    record(dagster_instance, "raw_transactions", DAY, data_version="b", **told)
    assert reader.read().ingested[DAY].ingested_at > first


def test_only_days_with_mature_labels_are_judged(dagster_instance):
    reader = HistoryReader(dagster_instance)
    scores = {"f1": 0.8, "precision": 0.9, "recall": 0.7, "average_precision": 0.75}
    record(dagster_instance, "realised_performance", DAY, is_mature=False, status="not applicable")
    assert reader.read().judged == {}
    record(dagster_instance, "realised_performance", DAY, is_mature=True, status="applicable", **scores)
    assert reader.read().judged[DAY].scores == scores


@pytest.mark.parametrize(
    ("job", "assets", "chain"),
    [
        ("daily", None, "daily"),
        ("retraining", None, "retraining"),
        # What a backfill and `dagster asset materialize` run under names of Dagster's own.
        ("__ASSET_JOB", {"raw_transactions"}, "daily"),
        ("__ASSET_JOB", {"trained_model"}, "retraining"),
        ("retention", None, "other"),
    ],
)
def test_a_run_belongs_to_the_chain_of_its_assets(dagster_instance, job, assets, chain):
    selected = frozenset(map(dg.AssetKey, assets)) if assets else None
    assert chain_of(create_run_for_test(dagster_instance, job, asset_selection=selected)) == chain


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> Iterator[PlatformHome]:
    """Five days ingested in a run each: sound, another column, too many bad rows, nothing landed, another column."""
    with open_home(tmp_path_factory.mktemp("lived")) as home:
        broken, poor = good_rows().drop(columns="V7"), good_rows()
        poor.loc[:40, "Amount"] = None
        for number, table in {1: good_rows(), 2: broken, 3: poor, 5: broken}.items():
            home.put(day_number(number), "day.csv", table)
        for number in range(1, 6):
            home.attempt("daily", day_number(number), INGESTED)
        yield home


def test_a_failed_run_says_which_batch_broke_the_contract(lived):
    found = {min(attempt.days): attempt for attempt in HistoryReader(lived.instance).read().attempts}
    assert {day: attempt.is_failed for day, attempt in found.items()} == {
        day_number(number): number != 1 for number in range(1, 6)
    }
    # That nothing was landed breaks no contract: it is nobody's file.
    broken = {day for attempt in found.values() for day in attempt.broken_days}
    assert broken == {day_number(2), day_number(3), day_number(5)}


def test_a_range_names_the_days_in_it_that_broke_the_contract(tmp_path):
    with open_home(tmp_path) as home:
        for number, table in {1: good_rows(), 2: good_rows().drop(columns="V7"), 3: good_rows()}.items():
            home.put(day_number(number), "day.csv", table)
        with pytest.raises(PlatformError, match="V7"):
            home.materialise(["raw_transactions"], day_number(1), day_number(3))
        (attempt,) = HistoryReader(home.instance).read().attempts
    assert attempt.days == {day_number(1), day_number(2), day_number(3)}
    assert attempt.broken_days == {day_number(2)}


def test_runs_are_counted_by_chain_and_end_and_each_once(lived):
    reader = HistoryReader(lived.instance)
    assert reader.read().runs.count_by_chain == {("daily", "success"): 1, ("daily", "failure"): 4}
    assert reader.read().runs.is_last_failed == {"daily": True}
    lived.put(day_number(5), "day.csv", good_rows())
    lived.attempt("daily", day_number(5), INGESTED)
    runs = reader.read().runs
    assert runs.count_by_chain == {("daily", "success"): 2, ("daily", "failure"): 4}
    assert runs.is_last_failed == {"daily": False}


def test_a_run_that_was_started_again_is_a_restart(dagster_instance):
    first = create_run_for_test(dagster_instance, "daily", status=dg.DagsterRunStatus.FAILURE)
    create_run_for_test(
        dagster_instance,
        "daily",
        status=dg.DagsterRunStatus.SUCCESS,
        parent_run_id=first.run_id,
        root_run_id=first.run_id,
    )
    assert HistoryReader(dagster_instance).read().runs.restart_count == 1
