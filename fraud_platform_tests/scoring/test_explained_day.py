"""A whole day explained: every sum comes out, in any number of parts, and nothing is left half-written."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.scoring import explained_day
from fraud_platform.scoring.explained_day import explain_day, scored_day
from fraud_platform.scoring.explanations import explain_probabilities
from fraud_platform.storage import open_location
from fraud_platform_tests.scoring.models import boosted_trees, bundle_of
from fraud_platform_tests.scoring.scored_days import DATA_VERSION, registered, store_scored_day

DAY = date(2026, 3, 7)


@pytest.fixture(scope="module")
def bundle():
    return bundle_of(boosted_trees()[0], threshold=0.3)


@pytest.fixture
def store(tmp_path, bundle):
    store = DayStore.at(tmp_path / "storage")
    store_scored_day(store, DAY, bundle, "1", count=250)
    return store


def explain(store, bundle, output, **options):
    return explain_day(store, scored_day(store, DAY), registered(bundle)[1], bundle, open_location(output), **options)


def test_every_row_adds_up_to_its_recorded_probability(store, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(explained_day, "CHUNK_ROWS", 64)
    seen = []
    same = explain(store, bundle, tmp_path / "out.parquet", advance=seen.append)
    assert same == 250
    assert seen == [64, 64, 64, 58]
    found, decided = pd.read_parquet(tmp_path / "out.parquet"), store.read_table("daily_predictions", DAY)
    shared = ["transaction_id", "fraud_probability", "prediction", "threshold", "model_version"]
    pd.testing.assert_frame_equal(found[shared], decided[shared])
    parts = found[[f"contribution_{name}" for name in FEATURE_NAMES]].to_numpy()
    np.testing.assert_allclose(found["start"] + parts.sum(axis=1), decided["fraud_probability"], atol=1e-12)
    # As alerts are explained while they are scored.
    features = store.read_table("features", DAY)
    expected, start = explain_probabilities(features, decided["fraud_probability"].to_numpy(), bundle)
    np.testing.assert_allclose(parts, expected, atol=1e-6)
    assert found["start"].unique() == pytest.approx([start])
    footer = pq.read_schema(tmp_path / "out.parquet").metadata
    assert footer[b"bundle_sha256"].decode() == bundle.digest
    assert footer[b"data_version"].decode() == DATA_VERSION
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "storage"]


def test_it_can_be_written_to_an_object_store(store, bundle, s3_url):
    assert explain(store, bundle, f"{s3_url}/reasons/out.parquet") == 250
    assert len(pd.read_parquet(f"{s3_url}/reasons/out.parquet")) == 250


def test_features_over_age_are_made_again(store, bundle, tmp_path):
    store.path("features", DAY, "parquet").unlink()
    assert scored_day(store, DAY).source == "raw_transactions"
    assert explain(store, bundle, tmp_path / "out.parquet") == 250
    store.path("raw_transactions", DAY, "parquet").unlink()
    with pytest.raises(PlatformError, match="nothing can be explained"):
        scored_day(store, DAY)


@pytest.mark.parametrize(
    ("change", "version", "message"),
    [
        (lambda table: table, "sha256:other", "made again since it was scored, of data sha256:other"),
        (lambda table: table[:-1], DATA_VERSION, "with other transactions"),
        (lambda table: table[::-1], DATA_VERSION, "in another order"),
    ],
)
def test_features_that_were_made_again_are_refused_and_leave_no_file(store, bundle, tmp_path, change, version, message):
    features = change(store.read_table("features", DAY)).reset_index(drop=True)
    store.write_table("features", DAY, features, {"data_version": version})
    (tmp_path / "out.parquet").write_text("before")
    with pytest.raises(PlatformError, match=message):
        explain(store, bundle, tmp_path / "out.parquet")
    assert (tmp_path / "out.parquet").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "storage"]


def test_probabilities_that_come_out_otherwise_are_counted(store, bundle, tmp_path):
    table = store.read_table("daily_predictions", DAY)
    moved = np.where(np.arange(250) < 5, 1e-12, 0.0)
    table = table.assign(fraud_probability=table["fraud_probability"] + moved)
    store.write_table("daily_predictions", DAY, table, store.read_table_metadata("daily_predictions", DAY))
    assert explain(store, bundle, tmp_path / "out.parquet") == 245
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert found["fraud_probability"].tolist() == table["fraud_probability"].tolist()


def test_a_day_that_was_not_scored_is_refused(store):
    with pytest.raises(PlatformError, match="2026-03-09 has not been scored"):
        scored_day(store, date(2026, 3, 9))
