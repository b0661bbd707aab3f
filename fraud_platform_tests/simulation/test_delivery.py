"""Rules of landing made-up days: exact, whole, and never two kinds on one day."""

from datetime import date

import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.ingestion.landing import LandingZone, origin_of
from fraud_platform.ingestion.transactions import ingest_day
from fraud_platform.simulation.delivery import land_days
from fraud_platform.simulation.simulator import simulate

START = date(2026, 3, 1)


@pytest.fixture
def landing(tmp_path) -> LandingZone:
    return LandingZone.at(tmp_path / "landing")


def test_landed_days_read_back_exactly(landing):
    days = list(simulate(start=START, days=2, rows_per_day=50, seed=0))
    paths = land_days(landing, days, name="simulated")
    assert [f"{path.parent.name}/{path.name}" for path in paths] == [
        "2026-03-01/simulated.parquet",
        "2026-03-02/simulated.parquet",
    ]
    for (_, table), path in zip(days, paths, strict=True):
        pd.testing.assert_frame_equal(pd.read_parquet(str(path)), table)
    assert landing.days() == [day for day, _ in days]


def test_ingestion_takes_a_landed_day_without_complaint(landing):
    land_days(landing, simulate(start=START, days=1, rows_per_day=300, seed=0, fraud_rate=0.02), name="simulated")
    ingested = ingest_day(landing, START)
    assert len(ingested.transactions) == 300
    assert ingested.transactions["Class"].sum() == 6
    assert len(ingested.quarantine) == 0
    assert ingested.summary.origin == "simulated"


def test_an_earlier_replay_or_simulation_makes_way(landing):
    for name, rows in (("simulated", 10), ("replayed", 20), ("replayed", 30)):
        (path,) = land_days(landing, simulate(start=START, days=1, rows_per_day=rows, seed=0), name=name)
        assert [file.name for file in path.parent.iterdir()] == [f"{name}.parquet"]
        assert origin_of(path.name) == name
        assert len(pd.read_parquet(str(path))) == rows


def test_the_same_day_is_the_same_bytes(landing):
    first, again = (
        land_days(landing, simulate(start=START, days=1, rows_per_day=10, seed=0), name="simulated")[0].read_bytes()
        for _ in range(2)
    )
    assert first == again


def test_made_up_rows_never_join_upstreams_own(landing):
    folder = landing.folder("transactions", START)
    folder.mkdir(parents=True)
    (folder / "bank.csv").write_text("Time\n")
    with pytest.raises(DataError, match=r"2026-03-01: holds 1 file\(s\) from upstream"):
        land_days(landing, simulate(start=START, days=1, rows_per_day=10, seed=0), name="simulated")
    assert [file.name for file in folder.iterdir()] == ["bank.csv"]
