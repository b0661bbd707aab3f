"""The history that stays open: the same files as Dagster's own, heard by whoever watches, cleared when asked."""

import threading
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef

from fraud_platform.defs.instance import HomeStorage


@dg.asset
def something() -> dg.Output[int]:
    """One."""
    return dg.Output(1)


@pytest.fixture
def open_at(tmp_path, monkeypatch):
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    custom = {"module": HomeStorage.__module__, "class": HomeStorage.__name__, "config": {}}
    stock = {"sqlite": {"base_dir": str(tmp_path / "dagster")}}

    def open_instance(is_stock=False):
        (tmp_path / "dagster").mkdir(exist_ok=True)
        overrides = {"storage": stock if is_stock else {"custom": custom}, "telemetry": {"enabled": False}}
        return DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path / "dagster"), overrides=overrides))

    return open_instance


def test_an_empty_home_may_be_opened_by_several_at_once(tmp_path):
    for attempt in range(3):
        folder = str(tmp_path / str(attempt))
        with ThreadPoolExecutor(6) as pool:
            for storage in pool.map(lambda _, where=folder: HomeStorage(where), range(6)):
                storage.dispose()
        # Whoever comes later finds one revision, not several.
        later = HomeStorage(folder)
        assert later.run_storage.get_runs_count() == 0
        later.dispose()


def test_stock_dagster_reads_what_was_written(open_at):
    with open_at() as instance:
        run_id = dg.materialize([something], instance=instance).run_id
        written = [entry.message for entry in instance.all_logs(run_id)]
    with open_at(is_stock=True) as instance:
        assert [entry.message for entry in instance.all_logs(run_id)] == written
        assert instance.get_latest_materialization_event(dg.AssetKey("something")).run_id == run_id
        assert instance.get_run_by_id(run_id).is_success


def test_another_process_of_dagster_hears_events_while_the_database_is_open(open_at):
    with open_at() as writer, open_at() as reader:
        run_id = dg.materialize([something], instance=writer).run_id
        heard = threading.Event()
        reader.watch_event_logs(run_id, None, lambda entry, cursor: heard.set())
        writer.report_engine_event("a sign of life", writer.get_run_by_id(run_id))
        assert heard.wait(10)


def test_more_runs_than_open_databases_are_all_kept(open_at):
    with open_at() as instance:
        run_ids = [dg.materialize([something], instance=instance).run_id for _ in range(12)]
        assert all(instance.all_logs(run_id) for run_id in run_ids)


def test_a_deleted_run_and_a_wiped_history_leave_nothing(open_at):
    with open_at() as instance:
        run_id = dg.materialize([something], instance=instance).run_id
        instance.delete_run(run_id)
        assert not instance.all_logs(run_id)
        instance.wipe()
        assert dg.materialize([something], instance=instance).success
