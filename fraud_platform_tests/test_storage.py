"""Storage: one file per asset and day, whole or not at all, the same on disk and on S3."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest
from upath import UPath

from fraud_platform.day_store import DayStore
from fraud_platform.storage import (
    canonical_json,
    create_exclusively,
    open_location,
    sha256,
    write_atomically,
    written_in_parts,
)

DAY = date(2026, 1, 2)
TABLE = pd.DataFrame(
    {
        "transaction_id": ["a", "b", None],
        "event_time": pd.to_datetime(["2026-01-02", "2026-01-02", None]).astype("datetime64[us]").tz_localize("UTC"),
        "Amount": [0.1, 1e300, float("nan")],
        "Class": pd.array([0, None, 1], dtype="Int8"),
    }
)


@pytest.fixture(params=["disk", "s3"])
def store(request, tmp_path):
    root = tmp_path if request.param == "disk" else request.getfixturevalue("s3_url")
    return DayStore.at(f"{root}/storage")


def test_a_table_comes_back_as_it_was_written(store):
    store.write_table("features", DAY, TABLE, {"origin": "simulated"})
    pd.testing.assert_frame_equal(store.read_table("features", DAY), TABLE)
    assert store.read_table("features", DAY, ["Amount"]).columns.tolist() == ["Amount"]
    assert store.read_table_metadata("features", DAY) == {"origin": "simulated"}


def test_recurring_texts_come_back_where_they_stood_and_are_held_once(store):
    rows = 500
    table = pd.DataFrame(
        {
            "source": ["label file", None] * (rows // 2),
            "transaction_id": [f"20260102-{row:016x}" for row in range(rows)],
            "model_version": ["version twelve"] * rows,
        }
    )
    store.write_table("daily_predictions", DAY, table)
    stored = store.read_table("daily_predictions", DAY)
    pd.testing.assert_frame_equal(stored, table)
    assert len(set(map(id, stored["model_version"]))) == 1
    pd.testing.assert_frame_equal(store.read_table("daily_predictions", DAY, ["source"]), table[["source"]])


def test_a_column_without_any_text_is_still_text(store):
    path = store.write_table("daily_predictions", DAY, TABLE.assign(reasons=None))
    with path.open("rb") as file:
        assert str(pyarrow.parquet.read_schema(file).field("reasons").type) == "string"
    assert store.read_table("daily_predictions", DAY)["reasons"].tolist() == [None] * 3


def test_the_layout_is_one_file_per_asset_and_day(store):
    path = store.write_json("drift_report", DAY, {"b": 1, "a": [1, 2]})
    assert str(path).endswith("storage/drift_report/2026-01-02.json")
    assert store.read_json("drift_report", DAY) == {"a": [1, 2], "b": 1}


def test_days_are_listed_oldest_first_and_by_extension(store):
    for day in (date(2026, 1, 3), date(2026, 1, 1)):
        store.write_json("drift_report", day, {})
    store.write_bytes("drift_report", DAY, "txt", b"")
    assert store.days("drift_report", "json") == [date(2026, 1, 1), date(2026, 1, 3)]
    assert store.days("nothing", "json") == []


def test_what_is_not_there_is_not_found(store):
    assert not store.exists("features", DAY, "parquet")
    with pytest.raises(FileNotFoundError):
        store.read_table("features", DAY)


def test_the_last_write_wins(store):
    store.write_bytes("trained_model", DAY, "zip", b"first")
    store.write_bytes("trained_model", DAY, "zip", b"second")
    assert store.read_bytes("trained_model", DAY, "zip") == b"second"


def test_a_write_that_dies_leaves_what_was_there(tmp_path, monkeypatch):
    path = UPath(tmp_path / "a.json")
    write_atomically(path, b"before")

    def die(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_file_written_in_parts_appears_whole_or_not_at_all(store):
    path = store.root / "exports" / "reasons.parquet"
    with written_in_parts(path) as file:
        file.write(b"first ")
        assert not path.exists()
        file.write(b"second")
    assert path.read_bytes() == b"first second"

    def die_half_way():
        with written_in_parts(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die_half_way()
    assert path.read_bytes() == b"first second"
    path.fs.invalidate_cache()
    assert [entry.name for entry in path.parent.iterdir()] == ["reasons.parquet"]


def test_a_table_can_be_read_in_parts(store):
    store.write_table("daily_predictions", DAY, TABLE)
    with store.open_table("daily_predictions", DAY) as file:
        assert file.metadata.num_rows == 3
        assert [batch.num_rows for batch in file.iter_batches(batch_size=2)] == [2, 1]


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    program = (
        "import os, signal; from upath import UPath; from fraud_platform import storage\n"
        "os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"storage.write_atomically(UPath({str(tmp_path / 'a.json')!r}), b'half')"
    )
    subprocess.run([sys.executable, "-c", program], check=False)
    assert [entry.suffix for entry in tmp_path.iterdir()] == [".partial"]
    write_atomically(UPath(tmp_path / "b.json"), b"another file")
    assert len(list(tmp_path.glob(".a.json.*.partial"))) == 1
    write_atomically(UPath(tmp_path / "a.json"), b"whole")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_equal_tables_are_equal_bytes(tmp_path):
    paths = [DayStore.at(tmp_path / name).write_table("features", DAY, TABLE, {"a": "1"}) for name in ("x", "y")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_relative_folder_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Path(open_location("here").path) == tmp_path / "here"


def test_canonical_json_is_the_same_for_the_same_content():
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1}) == b'{\n "a": 2,\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


def test_the_digest_is_that_of_the_standard():
    # FIPS 180-4: the digest of the empty message.
    assert sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_of_several_creators_of_one_file_exactly_one_succeeds(store):
    from concurrent.futures import ThreadPoolExecutor

    path = store.root / "trail" / "000001"

    def create(number: int) -> int | None:
        try:
            create_exclusively(path, str(number).encode() * 1000)
        except FileExistsError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        (winner,) = [number for number in pool.map(create, range(8)) if number is not None]
    path.fs.invalidate_cache()
    assert path.read_bytes() == str(winner).encode() * 1000
    assert [entry.name for entry in path.parent.iterdir()] == ["000001"]


def test_creating_where_nothing_can_be_created_is_no_collision(s3_url):
    with pytest.raises(OSError) as refusal:
        create_exclusively(open_location(f"{s3_url}-elsewhere/trail/1"), b"x")
    assert not isinstance(refusal.value, FileExistsError)
