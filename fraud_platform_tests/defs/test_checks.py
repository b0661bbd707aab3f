"""Asset checks on stored days, run alone as the UI runs them: verdicts in words, figures, and never a value."""

from collections.abc import Iterator
from datetime import date

import dagster as dg
import pandas as pd
import pytest

from fraud_platform.definitions import defs
from fraud_platform.defs.deployments import resources
from fraud_platform.defs.jobs import RANGE_END_TAG, RANGE_START_TAG
from fraud_platform.defs.runs import QUIET
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform_tests.bad_files import good_rows
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home

ONE, TWO = day_number(1), day_number(2)


@pytest.fixture
def home(tmp_path) -> Iterator[PlatformHome]:
    with open_home(tmp_path / "home") as home:
        yield home


def judge(home: PlatformHome, asset: str, check: str, *days: date) -> list[dg.AssetCheckEvaluation]:
    """The evaluations of one check run without its asset: of each day, then of the range they are to Dagster."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check)
    alone = dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=[dg.define_asset_job("alone", selection=dg.AssetSelection.checks(key))],
        resources=resources(home.settings),
        executor=dg.in_process_executor,
    )
    # A job of checks alone has no calendar of its own; a range of days does for one day too.
    result = alone.resolve_job_def("alone").execute_in_process(
        instance=home.instance,
        tags={RANGE_START_TAG: days[0].isoformat(), RANGE_END_TAG: days[-1].isoformat()},
        run_config=QUIET,
        raise_on_error=False,
    )
    return list(result.get_asset_check_evaluations())


def store_day(home: PlatformHome, day: date) -> pd.DataFrame:
    home.put(day, "bank.parquet", good_rows())
    ingested = ingest_day(home.landing, day)
    home.store.write_table("raw_transactions", day, ingested.transactions, ingested.summary.as_metadata())
    return ingested.transactions


def test_a_table_that_keeps_its_contract_passes(home):
    store_day(home, ONE)
    evaluation, _ = judge(home, "raw_transactions", "schema", ONE)
    assert evaluation.passed
    assert evaluation.partition == ONE.isoformat()
    assert evaluation.metadata["verdict"].value == "400 rows keep the contract"


def test_a_broken_contract_is_told_by_rule_and_count_without_the_values(home):
    table = store_day(home, ONE)
    table.loc[:2, "Amount"] = -12345.678
    home.store.write_table("raw_transactions", ONE, table.drop(columns="V7"))
    evaluation, _ = judge(home, "raw_transactions", "schema", ONE)
    assert not evaluation.passed
    violations = evaluation.metadata["violations"].value
    assert [count for rule, count in violations.items() if rule.startswith("Amount")] == [3]
    assert any("V7" in rule or "column_in_dataframe" in rule for rule in violations)
    assert "12345" not in str(evaluation)


def test_a_range_is_judged_day_by_day_and_fails_with_any(home):
    store_day(home, ONE)
    home.store.write_table("raw_transactions", TWO, store_day(home, TWO).drop(columns="V7"))
    evaluations = judge(home, "raw_transactions", "schema", ONE, TWO)
    (whole,) = [each for each in evaluations if each.partition is None]
    assert not whole.passed
    assert whole.metadata["verdict"].value == "1 of 2 days failed"


@pytest.mark.parametrize(("status", "is_drifted"), [("stable", False), ("drifted", True)])
def test_drift_limits_repeat_the_reports_verdict(home, status, is_drifted):
    verdict = {"status": status, "is_drifted": is_drifted, "drifted_features": ["V1"], "sentence": f"It is {status}."}
    limits = {"psi": 0.25, "feature_count": 3}
    features = [{"psi": 0.4}, {"psi": 0.1}]
    home.store.write_json("drift_report", ONE, {"verdict": verdict, "limits": limits, "features": features})
    evaluation, _ = judge(home, "drift_report", "drift_limits", ONE)
    assert evaluation.passed is not is_drifted
    assert evaluation.metadata["verdict"].value == f"It is {status}."
    assert evaluation.metadata["largest_psi"].value == 0.4
    assert evaluation.metadata["limits"].value == "3 features at 0.25"


def test_acceptance_gates_repeat_the_stored_verdict_without_blocking(home):
    gates = [{"name": "f1", "explanation": "f1 is 0.6, at least 0.75 is required"}]
    acceptance = {"is_accepted": False, "sentence": "f1 is 0.6, at least 0.75 is required", "gates": gates}
    home.store.write_json("validation_metrics", ONE, {"acceptance": acceptance})
    evaluation, _ = judge(home, "validation_metrics", "acceptance_gates", ONE)
    assert not evaluation.passed
    assert evaluation.blocking is False
    assert evaluation.metadata["f1"].value == "f1 is 0.6, at least 0.75 is required"
