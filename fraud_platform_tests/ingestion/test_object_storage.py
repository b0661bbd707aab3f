"""A landing zone in a bucket is the same landing zone."""

import gzip
import io
from pathlib import Path

import boto3
import pandas as pd
import pytest
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.ingestion import reading
from fraud_platform.ingestion.labels import labels_of_day
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.source import LandedSource
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform_tests.ingestion.conftest import DAY, make_rows

FOLDER = f"prefix/transactions/{DAY.isoformat()}"


def put(key: str, body: bytes) -> None:
    boto3.client("s3").put_object(Bucket="landing-zone", Key=key, Body=body)


def test_a_day_in_a_bucket_is_the_day_on_disk(object_store: str, tmp_path: Path) -> None:
    parquet = io.BytesIO()
    make_rows(50, seed=2).to_parquet(parquet)
    contents = {
        "a.csv": make_rows(5000).to_csv(index=False).encode(),
        "b.csv.gz": gzip.compress(make_rows(50, seed=1).to_csv(index=False).encode()),
        "c.parquet": parquet.getvalue(),
        "d.csv.partial": b"not yet",
        ".e.csv": b"hidden",
    }
    folder = tmp_path / "transactions" / DAY.isoformat()
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        put(f"{FOLDER}/{name}", content)
    in_bucket, on_disk = LandingZone.at(object_store), LandingZone.at(tmp_path)
    assert in_bucket.days() == on_disk.days() == [DAY]
    there, here = ingest_day(in_bucket, DAY), ingest_day(on_disk, DAY)
    pd.testing.assert_frame_equal(there.transactions, here.transactions)
    assert there.summary.as_metadata() == here.summary.as_metadata()


def test_a_listing_is_never_stale(object_store: str) -> None:
    zone = LandingZone.at(object_store)
    assert (zone.days(), zone.transaction_files(DAY), zone.fingerprints()) == ([], [], {})
    put(f"{FOLDER}/a.csv", make_rows(3).to_csv(index=False).encode())
    first = zone.fingerprint(DAY)
    assert zone.days() == [DAY]
    assert zone.fingerprints() == {DAY: first}
    assert ingest_day(zone, DAY).summary.row_count == 3
    put(f"{FOLDER}/a.csv", make_rows(4).to_csv(index=False).encode())
    assert zone.fingerprint(DAY) != first
    assert ingest_day(zone, DAY).summary.row_count == 4


def test_messages_name_the_object(object_store: str) -> None:
    zone = LandingZone.at(object_store)
    with pytest.raises(DataError, match=f"no transactions for {DAY} in s3://landing-zone/{FOLDER}; land"):
        ingest_day(zone, DAY)
    put(f"{FOLDER}/a.csv", b"")
    with pytest.raises(DataError, match=f"s3://landing-zone/{FOLDER}/a.csv is empty"):
        ingest_day(zone, DAY)


def test_labels_are_read_from_a_bucket(object_store: str) -> None:
    put(f"prefix/labels/{DAY.isoformat()}/a.csv", b"transaction_id,Class\nx,1\n")
    zone = LandingZone.at(object_store)
    assert zone.label_days() == [DAY]
    assert labels_of_day(zone, DAY, {DAY: pd.DataFrame({"transaction_id": ["x"], "Class": [None]})}).labels[
        "transaction_id"
    ].tolist() == ["x"]


class _Interrupted(LandedSource):
    """A source to whose object something happens at its first read."""

    is_deleted = False
    replacement: bytes | None = None

    def read(self, size: int = -1) -> bytes:
        block = super().read(size)
        if self.is_deleted:
            boto3.client("s3").delete_object(Bucket="landing-zone", Key=f"{FOLDER}/a.csv")
        elif self.replacement is not None:
            put(f"{FOLDER}/a.csv", self.replacement)
            type(self).replacement = None
        return block


def test_an_object_replaced_while_it_is_read_is_read_again_whole(
    object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{FOLDER}/a.csv", make_rows(30_000).to_csv(index=False).encode())
    monkeypatch.setattr(_Interrupted, "replacement", make_rows(20, seed=1).to_csv(index=False).encode())
    monkeypatch.setattr(reading, "LandedSource", _Interrupted)
    assert ingest_day(LandingZone.at(object_store), DAY).summary.row_count == 20


def test_an_object_deleted_while_it_is_read_is_named(object_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(f"{FOLDER}/a.csv", make_rows(30).to_csv(index=False).encode())
    monkeypatch.setattr(_Interrupted, "is_deleted", True)
    monkeypatch.setattr(reading, "LandedSource", _Interrupted)
    with pytest.raises(DataError, match=r"a.csv is gone since it was listed"):
        reading.read_landed_table(UPath(f"{object_store}/transactions/{DAY}/a.csv"), required=("Time",))
