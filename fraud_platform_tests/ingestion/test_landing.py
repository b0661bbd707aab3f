"""What counts as landed, for which day, and what a listing alone can tell."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from fraud_platform.ingestion.landing import LandingZone, origin_of, origin_of_all
from fraud_platform_tests.ingestion.conftest import DAY


def test_only_complete_files_in_a_known_format_are_listed_by_name(land: Callable[..., Path], zone: LandingZone) -> None:
    for name in ("b.csv", "a.parquet", "c.csv.gz", "D.CSV", ".hidden.csv", "x.csv.partial", "_SUCCESS", "notes.txt"):
        land(name, b"x")
    (Path(zone.root.path) / "transactions" / DAY.isoformat() / "folder.csv").mkdir()
    assert [path.name for path in zone.transaction_files(DAY)] == ["D.CSV", "a.parquet", "b.csv", "c.csv.gz"]
    assert zone.label_files(DAY) == []


def test_days_are_folders_named_like_a_day_with_a_landed_file(tmp_path: Path) -> None:
    for name in ("2026-01-03/a.csv", "2026-01-01/a.csv", "2026-01-02/a.csv.partial", "2026-02-30/a.csv", "x/a.csv"):
        path = tmp_path / "transactions" / name
        path.parent.mkdir(parents=True)
        path.touch()
    deep = tmp_path / "transactions" / "archive" / "2026-01-09" / "a.csv"
    deep.parent.mkdir(parents=True)
    deep.touch()
    zone = LandingZone.at(tmp_path)
    assert zone.days() == [date(2026, 1, 1), date(2026, 1, 3)]
    assert zone.label_days() == []


def test_a_zone_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    zone = LandingZone.at(tmp_path / "nowhere")
    assert (zone.days(), zone.transaction_files(DAY), zone.fingerprints()) == ([], [], {})


def test_the_fingerprint_follows_every_change_and_nothing_else(land: Callable[..., Path], zone: LandingZone) -> None:
    path = land("a.csv", "one")
    first = zone.fingerprint(DAY)
    assert zone.fingerprint(DAY) == first == zone.fingerprints()[DAY]
    land("b.csv.partial", "still being written")
    assert zone.fingerprint(DAY) == first
    path.write_bytes(b"two")
    os.utime(path, (1, 1))
    second = zone.fingerprint(DAY)
    assert second != first
    land("b.csv", "another")
    assert zone.fingerprint(DAY) != second


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("simulated.parquet", "simulated"),
        ("replayed.csv.gz", "replayed"),
        ("simulated_not.csv", "landed"),
        ("bank.csv", "landed"),
    ],
)
def test_the_name_says_where_data_comes_from(name: str, origin: str) -> None:
    assert origin_of(name) == origin


def test_one_simulated_file_makes_the_day_simulated() -> None:
    assert origin_of_all(["bank.csv", "simulated.csv", "replayed.csv"]) == "simulated"
    assert origin_of_all(["bank.csv", "replayed.csv"]) == "replayed"
    assert origin_of_all(["bank.csv"]) == "landed"


def test_labels_that_arrive_later_change_the_fingerprint_of_labels_only(
    land: Callable[..., Path], zone: LandingZone
) -> None:
    land("a.csv", b"a")
    transactions, labels = zone.fingerprint(DAY), zone.fingerprint(DAY, "labels")
    folder = Path(zone.folder("labels", DAY).path)
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_bytes(b"transaction_id,Class\n")
    assert zone.fingerprint(DAY) == transactions
    assert zone.fingerprint(DAY, "labels") == zone.fingerprints("labels")[DAY] != labels
