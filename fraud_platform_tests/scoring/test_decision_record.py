"""A stored decision is found by its transaction, whatever the day; what is gone or was made again is said."""

from datetime import date

import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.errors import ModelError, PlatformError
from fraud_platform.governance.tombstones import NOTHING_ERASED, leave_tombstones, read_tombstones
from fraud_platform.scoring.decision_record import find_decision
from fraud_platform.scoring.explained_decision import deciding_version, explain_decision
from fraud_platform.scoring.explanation_document import explanation_markdown, explanation_page
from fraud_platform.training.calibration import Calibration
from fraud_platform_tests.scoring.models import boosted_trees, bundle_of, plausible_rows
from fraud_platform_tests.scoring.scored_days import DATA_VERSION, registered, store_scored_day, with_baseline

FIRST, SECOND = date(2026, 3, 7), date(2026, 3, 8)
OTHER_VERSION = "sha256:" + "e" * 64


@pytest.fixture(scope="module")
def bundle():
    calibration = Calibration("platt", {"slope": 0.8, "intercept": -0.5})
    trees = bundle_of(boosted_trees()[0], threshold=0.1, calibration=calibration)
    return with_baseline(trees, plausible_rows())


@pytest.fixture
def store(tmp_path, bundle):
    store = DayStore.at(tmp_path)
    store_scored_day(store, FIRST, bundle, "1")
    store_scored_day(store, SECOND, bundle, "1", prefix="bank-", seed=1)
    return store


def find(store, transaction_id, day=None):
    return find_decision(store, transaction_id, day=day, tombstones=NOTHING_ERASED)


@pytest.mark.parametrize(
    ("transaction_id", "day"),
    [
        ("20260307-0007", FIRST),  # the identifier tells the day
        ("bank-20260308-0007", SECOND),  # it does not
    ],
)
def test_a_decision_is_found_without_its_day(store, bundle, transaction_id, day):
    record = find(store, transaction_id)
    stored = store.read_table("daily_predictions", day).iloc[7]
    assert (record.day, record.transaction_id) == (day, transaction_id)
    assert record.probability == stored["fraud_probability"]
    assert (record.rank, record.decided_count, record.model_version) == (stored["rank"], 50, "1")
    assert record.data_version == record.feature_version == DATA_VERSION
    assert find(store, transaction_id, day).features.equals(record.features)


def test_every_decision_is_replayed_bit_for_bit_alone(store, bundle):
    registry, version = registered(bundle)
    for transaction_id in store.read_table("daily_predictions", FIRST)["transaction_id"]:
        explained = explain_decision(find(store, transaction_id, FIRST), version, registry.load(version))
        assert explained.is_replayed
        total = explained.start + sum(reason.contribution for reason in explained.reasons)
        assert total == pytest.approx(explained.replayed, abs=1e-12)


def test_features_over_age_are_made_again_of_the_raw_transaction(store, bundle):
    before = find(store, "20260307-0007")
    store.path("features", FIRST, "parquet").unlink()
    after = find(store, "20260307-0007")
    assert after.feature_source == "raw_transactions"
    assert after.features.to_numpy().tobytes() == before.features.to_numpy().tobytes()
    store.path("raw_transactions", FIRST, "parquet").unlink()
    with pytest.raises(PlatformError, match="neither features nor raw_transactions of 2026-03-07 are stored any more"):
        find(store, "20260307-0007")


def test_features_that_were_made_again_since_are_told(store, bundle):
    features = store.read_table("features", FIRST).copy()
    features.loc[7, "V1"] += 1
    store.write_table("features", FIRST, features, {"data_version": OTHER_VERSION})
    record = find(store, "20260307-0007")
    assert (record.data_version, record.feature_version) == (DATA_VERSION, OTHER_VERSION)
    explained = explain_decision(record, registered(bundle)[1], bundle)
    assert not explained.is_replayed
    text = explanation_markdown(explained)
    assert "the number is another one" in text
    assert f"of other data: `{OTHER_VERSION}`" in text
    assert repr(record.probability) in text
    assert repr(explained.replayed) in text
    store.write_table("features", FIRST, features[features["transaction_id"] != "20260307-0007"], {"data_version": ""})
    with pytest.raises(PlatformError, match="is no longer among the features of 2026-03-07"):
        find(store, "20260307-0007")


@pytest.mark.parametrize(
    ("transaction_id", "day", "message"),
    [
        ("nobody", None, r"nobody is in no scored day \(scored are 2 days, 2026-03-07 to 2026-03-08\)"),
        ("20260307-0007", SECOND, "is not among the decisions of 2026-03-08"),
        ("20260307-0007", date(2026, 3, 9), "2026-03-09 has not been scored"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(store, transaction_id, day, message):
    with pytest.raises(PlatformError, match=message):
        find(store, transaction_id, day)


def test_before_anything_is_scored_that_is_the_answer(tmp_path):
    with pytest.raises(PlatformError, match="no day is scored yet"):
        find(DayStore.at(tmp_path), "nobody")


def test_one_name_on_two_days_asks_for_the_day(store, bundle):
    for day in (FIRST, SECOND):
        table = store.read_table("daily_predictions", day)
        table.loc[3, "transaction_id"] = "order-17"
        store.write_table("daily_predictions", day, table, store.read_table_metadata("daily_predictions", day))
    with pytest.raises(PlatformError, match="was decided on 2026-03-07, 2026-03-08; name one of them with --day"):
        find(store, "order-17")


def test_an_erased_transaction_is_told_from_an_unknown_one_without_its_name(store, tmp_path):
    leave_tombstones(tmp_path, ["20260307-0007"])
    with pytest.raises(PlatformError, match="this transaction was erased") as refused:
        find_decision(store, "20260307-0007", day=FIRST, tombstones=read_tombstones(tmp_path))
    assert "0007" not in str(refused.value)


def test_a_model_that_is_registered_no_more_is_named(bundle):
    registry, version = registered(bundle)
    assert deciding_version(registry, "1") == version
    with pytest.raises(ModelError, match="model version 2, which is not in the registry any more"):
        deciding_version(registry, "2")


def test_the_page_holds_figures_picture_and_what_people_typed_as_text(store, bundle):
    day = store.read_table("daily_predictions", FIRST)
    day.loc[0, "transaction_id"] = "<b>`|x"
    features = store.read_table("features", FIRST)
    features.loc[0, "transaction_id"] = "<b>`|x"
    store.write_table("daily_predictions", FIRST, day, store.read_table_metadata("daily_predictions", FIRST))
    store.write_table("features", FIRST, features, {"data_version": DATA_VERSION})
    _, version = registered(bundle)
    explained = explain_decision(find(store, "<b>`|x", FIRST), version, bundle)
    page = explanation_page(explained)
    assert '<img src="data:image/png;base64,' in page
    assert "<b>" not in page
    assert version.digest in page
    assert DATA_VERSION in page
    assert "the same number, bit for bit" in page
    assert "not advice" in page
    assert page.count("<td>for fraud</td>") + page.count("<td>against</td>") + page.count("neither") == 32
