"""The whole graph over a few small days: from landed files to decisions, drift reports and a released model."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud_platform import day_store, storage
from fraud_platform.defs.history import latest_evaluations, latest_materialisation_metadata
from fraud_platform.defs.instance import open_instance
from fraud_platform.defs.jobs import DAILY_ASSETS, RETRAINING_ASSETS
from fraud_platform.errors import PlatformError
from fraud_platform.scoring.schema import PREDICTION_COLUMNS
from fraud_platform.settings import load_settings
from fraud_platform_tests.bad_files import BAD_FILES, CARD, bad_rows
from fraud_platform_tests.platform_home import (
    INGESTED,
    ROWS_PER_DAY,
    SCORED,
    PlatformHome,
    day_number,
    environment_of,
    materialised,
    open_home,
    simulated,
    step_failures,
)

DAYS = [day_number(number) for number in range(1, 7)]
LEARNED, LIVED, BEYOND = DAYS[:4], DAYS[4], DAYS[5]
EXTENSIONS = {"drift_report": "json", "realised_performance": "json", "shadow_report": "json"}


@pytest.fixture(scope="module", params=["disk", "s3"])
def lived(request, tmp_path_factory) -> Iterator[PlatformHome]:
    """Four days of history and a model learned from them, scored in hindsight in one run; then one day of its own."""
    folder = tmp_path_factory.mktemp(request.param) / "home"
    if request.param == "disk":
        trained = request.getfixturevalue("trained_home")
        shutil.copytree(trained.settings.home, folder)
        with environment_of(folder):
            yield live(PlatformHome(load_settings(), trained.instance))
        return
    import boto3
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    locations = {"FRAUD_LANDING": "s3://whole-graph/landing", "FRAUD_STORAGE": "s3://whole-graph/storage"}
    with open_home(folder, AWS_ENDPOINT_URL=request.getfixturevalue("s3_server"), **locations) as home:
        boto3.client("s3").create_bucket(Bucket="whole-graph")
        home.land(LEARNED)
        home.materialise(INGESTED, LEARNED[0], LEARNED[-1])
        home.retrain(LEARNED[-1])
        yield live(home)


def live(home: PlatformHome) -> PlatformHome:
    """The same home after its history has been scored in one run and one more day has passed."""
    home.materialise(SCORED, LEARNED[0], LEARNED[-1])
    home.land([LIVED])
    home.daily(LIVED)
    return home


def metadata(home: PlatformHome, asset: str, day: date) -> dict[str, object]:
    return latest_materialisation_metadata(home.instance, asset, day)


def test_every_asset_and_day_is_one_file_named_by_its_day(lived):
    daily = {f"{asset}/{day}.{EXTENSIONS.get(asset, 'parquet')}" for asset in DAILY_ASSETS for day in DAYS[:5]}
    assert set(lived.stored_bytes()) == daily
    as_of = LEARNED[-1]
    assert set(lived.stored_bytes(RETRAINING_ASSETS)) == {
        f"splits/{as_of}.parquet",
        f"trained_model/{as_of}.zip",
        f"validation_metrics/{as_of}.json",
        f"model_release/{as_of}.json",
    }


def test_decisions_have_the_promised_columns_and_cover_the_day(lived):
    table = lived.store.read_table("daily_predictions", LIVED)
    assert tuple(table.columns) == PREDICTION_COLUMNS
    features = lived.store.read_table("features", LIVED)
    assert table["transaction_id"].tolist() == features["transaction_id"].tolist()
    alerts = table[table["prediction"] == 1]
    assert (alerts["fraud_probability"] >= alerts["threshold"]).all()
    assert set(alerts["rank"]) == set(range(1, len(alerts) + 1))
    assert all(len(json.loads(reasons)) == 3 for reasons in alerts["reasons"])


def test_the_model_finds_the_frauds_of_a_day_it_has_not_seen(lived):
    performance = lived.store.read_json("realised_performance", LIVED)["realised"]
    assert performance["average_precision"] > 0.7
    assert performance["labelled_share"] == 1


def test_the_past_is_scored_in_hindsight_and_says_so(lived):
    told = [metadata(lived, "daily_predictions", day)["scored_in_hindsight"] for day in DAYS[:5]]
    assert told == [True] * 4 + [False]
    assert {metadata(lived, "daily_predictions", day)["model_semver"] for day in DAYS[:5]} == {"1.0.0"}


def test_what_is_stored_says_where_it_comes_from(lived):
    told = metadata(lived, "raw_transactions", LIVED)
    (sha256,) = told["landed_files"].values()
    path = lived.landing.transaction_files(LIVED)[0]
    assert storage.sha256(path.read_bytes()) == f"sha256:{sha256}"
    assert told["landed_rows"] == told["dagster/row_count"] == ROWS_PER_DAY
    assert told["duplicates_removed"] == 0
    assert told["frauds"] == int((simulated([LIVED])[0]["Class"] == 1).sum())
    for asset in ("features", "daily_predictions"):
        assert metadata(lived, asset, LIVED)["data_version"] == told["data_version"]
        assert metadata(lived, asset, LIVED)["data_origin"] == "simulated"
    assert metadata(lived, "daily_predictions", LIVED)["dagster/column_schema"].columns[0].name == "transaction_id"
    assert metadata(lived, "drift_report", LIVED)["days_compared"] == 5


def test_training_is_tracked_and_its_release_explained(lived):
    as_of = LEARNED[-1]
    release = lived.store.read_json("model_release", as_of)
    assert (release["action"], release["trigger"], release["cause"]) == ("released", "manual", "a test")
    assert release["reasons"] == ["it passed every gate and there is no champion yet"]
    document = lived.store.read_json("validation_metrics", as_of)
    assert len(document["test_readings"]) == 1
    trained = metadata(lived, "trained_model", as_of)
    assert document["bundle_sha256"] == release["model"]["digest"] == trained["bundle_sha256"]
    champion = lived.platform.registry.find("champion")
    assert champion.run_id == trained["mlflow_run_id"]
    described = release["metadata"]
    assert described["model_id"] == "fraud_detector_v1.0.0"
    assert described["metrics"]["f1_score"] == document["test"]["f1"]["value"]
    assert (described["training_duration_sec"] or 0) > 0
    assert described["hyperparameters"]
    assert release["policy"]["version"] == metadata(lived, "model_release", as_of)["policy_version"]
    shown = metadata(lived, "validation_metrics", as_of)
    assert {"precision_recall", "roc", "confusion_matrix", "shap_top_10"} <= set(shown)


def test_each_day_of_a_range_has_verdicts_of_its_own(lived):
    graph = lived.definitions.resolve_asset_graph()
    for key in graph.asset_check_keys:
        asset = key.asset_key.path[-1]
        if asset in DAILY_ASSETS:
            verdicts = latest_evaluations(lived.instance, key)
            assert {day: verdict.passed for day, verdict in verdicts.items()} == dict.fromkeys(DAYS[:5], True), key


def test_a_day_done_again_gives_the_same_bytes(lived):
    before = lived.stored_bytes()
    lived.daily(LIVED)
    after = lived.stored_bytes()
    name = f"daily_predictions/{LIVED}.parquet"
    assert {each for each in before if before[each] != after[each]} <= {name}
    # When the decision was made is all that may differ.
    tables = [
        pq.read_table(pa.BufferReader(each[name])).to_pandas().drop(columns="scored_at") for each in (before, after)
    ]
    pd.testing.assert_frame_equal(*tables)


def test_a_range_gives_what_its_days_give(lived):
    ranged = lived.stored_bytes(INGESTED)
    for day in LEARNED[1:3]:
        lived.materialise(INGESTED, day)
    assert lived.stored_bytes(INGESTED) == ranged


def test_the_same_bytes_landed_again_change_nothing_and_others_are_recorded(lived):
    (path,) = lived.landing.transaction_files(LIVED)
    landed = path.read_bytes()
    version = metadata(lived, "raw_transactions", LIVED)["data_version"]
    before = lived.stored_bytes(INGESTED)
    path.write_bytes(landed)
    lived.materialise(INGESTED, LIVED)
    assert lived.stored_bytes(INGESTED) == before
    assert metadata(lived, "raw_transactions", LIVED)["data_version"] == version
    try:
        path.write_bytes(simulated([LIVED], seed=99)[0].to_parquet(index=False))
        lived.materialise(INGESTED, LIVED)
        changed = metadata(lived, "raw_transactions", LIVED)
        assert changed["data_version"] != version
        assert metadata(lived, "features", LIVED)["data_version"] == changed["data_version"]
        assert lived.stored_bytes(INGESTED) != before
    finally:
        path.write_bytes(landed)
    lived.materialise(INGESTED, LIVED)
    assert lived.stored_bytes(INGESTED) == before
    # The event log keeps the change and the change back.
    records = lived.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey("raw_transactions"), asset_partitions=[LIVED.isoformat()]), limit=3
    ).records
    versions = [record.asset_materialization.metadata["data_version"].value for record in records]
    assert versions == [version, changed["data_version"], version]


# -- what goes wrong ------------------------------------------------------------------------------------------------


def put_many_bad_rows(home: PlatformHome, day: date) -> None:
    table = simulated([day])[0]
    table.loc[:99, "V7"] = float("nan")
    home.put(day, "bank.parquet", table)


def test_too_many_bad_rows_stop_the_day_in_its_run_and_in_any_later_run(copied_home, monkeypatch):
    put_many_bad_rows(copied_home, LIVED)
    result = copied_home.attempt("daily", LIVED)
    assert not result.success
    assert "raw_transactions" in materialised(result)
    assert not materialised(result) & {"features", "daily_predictions", "drift_report"}
    failed = [each for each in result.get_asset_check_evaluations() if not each.passed]
    assert [each.check_name for each in failed] == ["quarantine_share"]
    assert failed[0].metadata["verdict"].value == "100 of 3,000 landed rows are quarantined (3.33%, limit 1.00%)"
    assert failed[0].metadata["quarantined_by_reason"].value == {"value is missing": 100}
    # Dagster blocks inside one run only, so what comes next reads the gate again.
    assert_refused(copied_home, "features", "100 of 3,000 landed rows are quarantined")
    with monkeypatch.context() as lenient:
        lenient.setenv("FRAUD_MAX_QUARANTINE_SHARE", "1")
        PlatformHome(load_settings(), copied_home.instance).materialise(["features"], LIVED)
    assert_refused(copied_home, "daily_predictions", "100 of 3,000 landed rows are quarantined")
    assert copied_home.store.days("daily_predictions", "parquet") == []


def assert_refused(home: PlatformHome, asset: str, words: str) -> None:
    result = home.attempt("daily", LIVED, [asset])
    assert not result.success
    (message,) = step_failures(result)
    assert words in message


def test_a_failed_gate_of_one_day_stops_its_range(copied_home):
    copied_home.land([LIVED, BEYOND])
    copied_home.landing.transaction_files(BEYOND)[0].unlink()
    put_many_bad_rows(copied_home, BEYOND)
    with pytest.raises(PlatformError, match="raw_transactions: quarantine_share"):
        copied_home.materialise(INGESTED, LIVED, BEYOND)
    key = dg.AssetCheckKey(dg.AssetKey("raw_transactions"), "quarantine_share")
    verdicts = latest_evaluations(copied_home.instance, key)
    assert {day: verdict.passed for day, verdict in verdicts.items()} == {LIVED: True, BEYOND: False}


def test_without_a_champion_scoring_says_so_in_one_line(tmp_path):
    with open_home(tmp_path / "home") as home:
        home.land([DAYS[0]])
        with pytest.raises(PlatformError) as failure:
            home.daily(DAYS[0])
        message = str(failure.value)
        assert "no model has been released yet; run the job `retraining` for a day with labels first" in message
        assert "\n" not in message
        # What needs no model is there.
        assert home.store.days("features", "parquet") == [DAYS[0]]
        assert home.store.days("daily_predictions", "parquet") == []


def test_a_storage_error_is_tried_again(copied_home, monkeypatch):
    copied_home.land([LIVED])
    errors = [OSError("the network is gone"), OSError("still gone")]
    real = day_store.write_atomically

    def write(path, data):
        if "features" in str(path) and errors:
            raise errors.pop()
        real(path, data)

    monkeypatch.setattr(day_store, "write_atomically", write)
    result = copied_home.attempt("daily", LIVED, ["raw_transactions", "features"])
    assert result.success
    retried = [event.step_key for event in result.all_events if event.is_step_up_for_retry]
    assert retried == ["features", "features"]
    assert copied_home.store.days("features", "parquet")[-1] == LIVED


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
def test_a_bad_file_fails_its_day_with_one_message_and_stores_nothing(tmp_path, bad):
    with open_home(tmp_path / "home") as home:
        content = bad.content()
        path = home.put(LIVED, bad.name, content)
        result = home.attempt("daily", LIVED)
        (message,) = step_failures(result)
        for word in (bad.name, LIVED.isoformat(), *bad.words):
            assert word in message
        assert "\n" not in message
        assert CARD not in message
        assert home.stored_bytes((*DAILY_ASSETS, "quarantine")) == {}
        assert not [event for event in result.all_events if event.is_step_up_for_retry]
        assert path.read_bytes() == content


def texts_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file as bytes, and Parquet files decoded as well: compression would hide what they hold."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()
            if path.suffix == ".parquet":
                yield path, pq.read_table(path).to_pandas().to_csv().encode()


def test_a_card_number_is_quarantined_and_reaches_no_file_and_no_output(copied_home, tmp_path, monkeypatch, capfd):
    # The landing zone is not ours to clean; everything else is.
    monkeypatch.setenv("FRAUD_LANDING", str(tmp_path / "upstream"))
    monkeypatch.setenv("FRAUD_MAX_QUARANTINE_SHARE", "0.02")
    content, reasons = bad_rows()
    with open_instance() as instance:
        home = PlatformHome(load_settings(), instance)
        path = home.put(LIVED, f"bank {CARD}.csv", content)
        result = home.definitions.resolve_job_def("daily").execute_in_process(
            instance=instance, partition_key=LIVED.isoformat(), raise_on_error=False
        )
        assert result.success
        told = metadata(home, "raw_transactions", LIVED)
    assert told["quarantined_by_reason"] == reasons
    assert told["landed_rows"] == told["dagster/row_count"] + sum(reasons.values()) == 1_008
    quarantine = home.store.read_table("quarantine", LIVED)
    assert quarantine.loc[quarantine["reason"] == "field holds a card number", "row"].tolist() == [5, 6, 7]
    assert set(quarantine["file"]) == {"bank [card number].csv"}
    (evaluation,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "quarantine_share"]
    assert evaluation.metadata["quarantined_by_reason"].value == reasons
    assert path.read_bytes() == content
    shown = capfd.readouterr()
    spellings = (CARD.encode(), b"4111 1111 1111 1111")
    for spelling in spellings:
        assert spelling.decode() not in shown.out + shown.err
        assert [path for path, data in texts_below(home.settings.home) if spelling in data] == []
