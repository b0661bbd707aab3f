"""An erased transaction is in no stored file, the files stay true, and nothing brings it back."""

import json
from datetime import date

import dagster as dg
import pandas as pd
import pytest

from fraud_platform.defs import erasing
from fraud_platform.defs.erasing import RETRAINING_NEEDED, TABLES, Erasure, erase
from fraud_platform.features import engineering
from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.scoring.scorer import profile_scores
from fraud_platform.settings import load_settings
from fraud_platform.training import training
from fraud_platform_tests.platform_home import INGESTED, SCORED, PlatformHome, day_number

DAY, LAST = day_number(2), day_number(4)


def a_transaction(home: PlatformHome, split: str, day: date = DAY) -> str:
    """One that the model's split table names as `split`."""
    splits = home.store.read_table("splits", LAST)
    ours = home.store.read_table("features", day, ["transaction_id"])["transaction_id"]
    wanted = splits[(splits["split"] == split) & splits["transaction_id"].isin(ours)]
    return str(wanted["transaction_id"].iloc[0])


def erased(home: PlatformHome, *transaction_ids: str, **options: object) -> Erasure:
    return erase(home.platform, home.instance, transaction_ids, reason="request 17", **options)


@pytest.fixture
def scored_home(copied_home, monkeypatch) -> PlatformHome:
    """The copied home, its second day scored and every transaction of it to be reviewed."""
    monkeypatch.setenv("FRAUD_REVIEW_SAMPLE_SIZE", "100000")
    copied_home.materialise(SCORED, DAY)
    return copied_home


def files_with(home: PlatformHome, transaction_id: str) -> list[str]:
    """Every stored file whose bytes or rows hold the identifier; compression would hide it."""
    found = []
    for path in home.settings.home.rglob("*"):
        if not path.is_file() or "landing" in path.parts:
            continue
        text = path.read_bytes()
        if path.suffix == ".parquet":
            text += pd.read_parquet(path).to_csv().encode()
        if transaction_id.encode() in text:
            found.append(path.relative_to(home.settings.home).as_posix())
    return found


def test_an_erased_transaction_is_in_no_stored_file_and_its_neighbours_are(scored_home):
    gone = a_transaction(scored_home, "train")
    before = {asset: scored_home.store.read_table(asset, DAY) for asset in ("raw_transactions", "daily_predictions")}
    assert len(files_with(scored_home, gone)) == len(TABLES)
    report = erased(scored_home, gone)
    assert files_with(scored_home, gone) == []
    assert report.rows == dict.fromkeys(TABLES, 1)
    assert report.days == [DAY, LAST]
    for asset, table in before.items():
        expected = table[table["transaction_id"] != gone].reset_index(drop=True)
        pd.testing.assert_frame_equal(scored_home.store.read_table(asset, DAY), expected)
    schema_failures = [
        each for each in scored_home.attempt("daily", DAY).get_asset_check_evaluations() if not each.passed
    ]
    assert [each.check_name for each in schema_failures if each.check_name == "schema"] == []


def test_the_footers_say_what_is_there(scored_home):
    gone = a_transaction(scored_home, "train")
    assets = ("raw_transactions", "features", "daily_predictions", "quarantine")
    before = {asset: scored_home.store.read_table_metadata(asset, DAY) for asset in assets}
    report = erased(scored_home, gone)
    after = {asset: scored_home.store.read_table_metadata(asset, DAY) for asset in assets}
    raw = after["raw_transactions"]
    assert int(raw["row_count"]) == int(before["raw_transactions"]["row_count"]) - 1
    assert json.loads(raw["erased"]) == [report.pseudonyms[gone]]
    landed = ("row_count", "duplicate_count", "quarantined_count", "erased_count")
    assert sum(int(raw[name]) for name in landed) == int(raw["landed_row_count"])
    frauds = scored_home.store.read_table("raw_transactions", DAY)["Class"].sum()
    assert int(raw["fraud_count"]) == frauds
    assert raw["data_version"] != before["raw_transactions"]["data_version"]
    for asset in ("features", "daily_predictions", "quarantine"):
        assert after[asset]["data_version"] == raw["data_version"], asset
    features = scored_home.store.read_table("features", DAY)
    assert after["features"]["profile"] == profile_table(features, FEATURE_NAMES).to_text()
    predictions = scored_home.store.read_table("daily_predictions", DAY)
    assert after["daily_predictions"]["profile"] == profile_scores(predictions).to_text()
    assert Profile.from_text(after["features"]["profile"]).row_count == len(features)
    # When the decisions were made is history.
    assert after["daily_predictions"]["scored_at"] == before["daily_predictions"]["scored_at"]


def test_ingesting_the_same_files_again_gives_the_very_files_that_erasure_left(scored_home):
    gone = [a_transaction(scored_home, "train"), a_transaction(scored_home, "test")]
    erased(scored_home, gone[0])
    report = erased(scored_home, gone[1])
    left = scored_home.stored_bytes((*INGESTED, "quarantine"))
    scored_home.materialise(INGESTED, DAY)
    again = scored_home.stored_bytes((*INGESTED, "quarantine"))
    for name in left:
        assert again[name] == left[name], name
    assert all(files_with(scored_home, transaction) == [] for transaction in gone)
    footer = scored_home.store.read_table_metadata("raw_transactions", DAY)
    assert footer["erased_count"] == "2"
    assert report.rows["raw_transactions"] == 1


def test_a_file_that_is_landed_again_under_another_name_or_as_label_brings_nothing_back(scored_home):
    gone = a_transaction(scored_home, "train")
    erased(scored_home, gone)
    (path,) = scored_home.landing.transaction_files(DAY)
    rows = pd.read_parquet(path.path)
    scored_home.put(DAY, "simulated.second.parquet", rows)
    scored_home.put(DAY, "labels.csv", f"transaction_id,Class\n{gone},1\n", kind="labels")
    scored_home.materialise((*INGESTED, *SCORED), DAY)
    assert files_with(scored_home, gone) == []
    footer = scored_home.store.read_table_metadata("raw_transactions", DAY)
    assert footer["erased_count"] == "2"


def test_models_that_learned_from_it_are_marked_and_others_are_not(copied_home):
    judged = a_transaction(copied_home, "test")
    assert erased(copied_home, judged).learned == []
    assert copied_home.platform.registry.notes(RETRAINING_NEEDED) == {}
    learned_from = a_transaction(copied_home, "validation")
    (version,) = erased(copied_home, learned_from).learned
    assert version.as_of == LAST
    assert list(copied_home.platform.registry.notes(RETRAINING_NEEDED)) == [version.version]
    entries = [entry for entry in copied_home.platform.audit.entries() if entry.event == "retraining_needed"]
    assert [(entry.subject, entry.reason) for entry in entries] == [("model/1.0.0", "request 17")]


def test_a_model_whose_splits_are_gone_may_have_learned_from_it(copied_home):
    gone = a_transaction(copied_home, "train")
    copied_home.store.path("splits", LAST, "parquet").unlink()
    report = erased(copied_home, gone)
    assert (report.learned, [version.as_of for version in report.unknown]) == ([], [LAST])


def test_the_audit_trail_and_dagster_tell_of_it_without_the_identifier(copied_home):
    gone = a_transaction(copied_home, "train")
    report = erased(copied_home, gone)
    entry = [entry for entry in copied_home.platform.audit.entries() if entry.event == "erasure"][-1]
    assert entry.subject == f"transaction/{report.pseudonyms[gone]}" == copied_home.platform.subject_of(gone)
    assert entry.details == {"files": dict.fromkeys(TABLES[:4], 1), "models": ["1.0.0"]}
    assert gone.encode() not in b"".join(copied_home.platform.audit.store.lines())
    (seen,) = copied_home.instance.fetch_observations(dg.AssetKey("features"), limit=10).records
    assert seen.asset_observation.metadata["erased_rows"].value == 1


def test_landed_files_that_still_hold_it_are_named_and_left_alone(copied_home):
    gone = a_transaction(copied_home, "train")
    copied_home.put(LAST, "disputes.csv", f"transaction_id,Class\n{gone},1\n", kind="labels")
    copied_home.put(DAY, "damaged.parquet", b"no table")
    landed = {path: path.read_bytes() for path in (copied_home.settings.home / "landing").rglob("*") if path.is_file()}
    report = erased(copied_home, gone)
    found = {each.file.rpartition("/")[2]: each.row_count for each in report.landed}
    assert found == {"simulated.parquet": 1, "damaged.parquet": None, "disputes.csv": 1}
    assert {path: path.read_bytes() for path in landed} == landed


def test_every_landed_file_is_searched_on_request(copied_home):
    path = copied_home.put(day_number(9), "disputes.csv", "transaction_id,Class\nbank-7,1\n", kind="labels")
    assert erased(copied_home, "bank-7").landed == []
    assert [each.file for each in erased(copied_home, "bank-7", search_all_landed=True).landed] == [str(path)]


def test_a_transaction_that_has_not_come_yet_never_will(copied_home):
    report = erased(copied_home, "bank-77")
    assert (report.rows, report.days) == ({}, [])
    day = day_number(6)
    rows = pd.read_parquet(copied_home.landing.transaction_files(DAY)[0].path)
    rows.insert(0, "transaction_id", [f"bank-{number}" for number in range(len(rows))])
    copied_home.put(day, "bank.parquet", rows)
    copied_home.materialise(INGESTED, day)
    assert "bank-77" not in set(copied_home.store.read_table("raw_transactions", day)["transaction_id"])
    assert len(copied_home.store.read_table("features", day)) == len(rows) - 1


def test_an_erasure_that_was_interrupted_is_completed_by_the_same_call(scored_home, monkeypatch):
    gone = a_transaction(scored_home, "train")
    real, calls = erasing.erase_from, []

    def dies_at_the_second(*arguments: object) -> int:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(erasing, "erase_from", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        erased(scored_home, gone)
    monkeypatch.undo()
    erased(scored_home, gone)
    assert files_with(scored_home, gone) == []
    # What had gone before is on record all the same, and so is what is left to do.
    first, _ = [entry.details for entry in scored_home.platform.audit.entries() if entry.event == "erasure"]
    assert first == {"files": dict.fromkeys(TABLES, 1), "models": ["1.0.0"]}
    versions = {
        asset: scored_home.store.read_table_metadata(asset, DAY)["data_version"]
        for asset in ("raw_transactions", "features", "daily_predictions", "quarantine")
    }
    assert len(set(versions.values())) == 1
    assert scored_home.platform.registry.notes(RETRAINING_NEEDED)


def test_what_a_day_stores_while_an_erasure_works_is_found_by_the_same_call_again(copied_home, monkeypatch):
    gone, meanwhile = a_transaction(copied_home, "train"), []
    real = engineering.build_features

    def read_before(table: pd.DataFrame) -> pd.DataFrame:
        meanwhile.append(erased(copied_home, gone))
        return real(table)

    monkeypatch.setattr(engineering, "build_features", read_before)
    result = copied_home.attempt("daily", DAY, ["raw_transactions", "features"])
    monkeypatch.undo()
    assert result.success
    assert meanwhile[0].runs == [result.run_id]
    assert files_with(copied_home, gone) == [f"storage/features/{DAY}.parquet"]
    again = erased(copied_home, gone)
    assert (again.rows, again.runs) == ({"features": 1}, [])
    assert files_with(copied_home, gone) == []


def test_a_run_that_ends_while_an_erasure_works_is_named_too(copied_home):
    gone, ran = a_transaction(copied_home, "train"), []

    def step(what: str) -> None:
        if what.startswith("rewriting features"):
            ran.append(copied_home.materialise(INGESTED, day_number(1)).run_id)

    assert erased(copied_home, gone, step=step).runs == ran
    assert erased(copied_home, gone).runs == []


def test_a_model_that_was_learning_while_an_erasure_worked_is_marked_by_the_same_call_again(copied_home, monkeypatch):
    gone, meanwhile = a_transaction(copied_home, "train"), []
    real = training.train

    def read_before(*rows: object, **options: object) -> object:
        meanwhile.append(erased(copied_home, gone))
        return real(*rows, **options)

    monkeypatch.setattr(training, "train", read_before)
    # Another model than the one that is there.
    monkeypatch.setenv("FRAUD_CANDIDATES", '["logistic_regression"]')
    home = PlatformHome(load_settings(), copied_home.instance)
    result = home.retrain(LAST)
    assert meanwhile[0].runs == [result.run_id]
    assert [version.version for version in meanwhile[0].learned] == ["1"]
    again = erased(home, gone)
    assert ([version.version for version in again.learned], again.rows, again.runs) == (["1", "2"], {}, [])
    assert set(home.platform.registry.notes(RETRAINING_NEEDED)) == {"1", "2"}
    erased(home, gone)
    entries = [entry for entry in home.platform.audit.entries() if entry.event == "retraining_needed"]
    assert [entry.details["version"] for entry in entries] == ["1", "2"]
    assert files_with(home, gone) == []
