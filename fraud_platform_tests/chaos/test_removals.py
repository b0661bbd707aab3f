"""Erasure and retention, killed after they have begun to remove: the same command again completes them."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fraud_platform.day_store import DayStore
from fraud_platform_tests.chaos.installation import LEARNED, RETRAINING, Installation
from fraud_platform_tests.chaos.trials import Moment, assert_survives_being_killed

RETENTION = "retain"


@pytest.fixture
def grown(on_disk: Installation) -> Iterator[Installation]:
    """The installation after both chains of its last day."""
    on_disk.put_back(RETRAINING)
    on_disk.do(RETRAINING)
    environment = dict(on_disk.environment)
    yield on_disk
    on_disk.environment = environment


def a_learned_transaction(installation: Installation) -> str:
    store = DayStore.at(installation.home / "storage")
    splits = store.read_table("splits", LEARNED[-1])
    first = splits[(splits["split"] == "train") & (splits["day"].dt.date == LEARNED[0])]
    return str(first["transaction_id"].iloc[0])


def kill_moments(installation: Installation, work: str, name: str) -> list[Moment]:
    """Around every operation of this name: before it, in its midst, after it, by turns."""
    places = [place for place, each in enumerate(installation.lives[work].operations, start=1) if each == name]
    assert places, f"{work} has no operation {name}"
    return [Moment(place, ("half", "after", "before")[number % 3]) for number, place in enumerate(places)]


def test_an_erasure_killed_while_tables_are_rewritten_is_completed_by_the_same_command(grown):
    # The key of the tombstones is random: both lives have the same.
    grown.do("erase never-seen")
    work = f"erase {a_learned_transaction(grown)}"
    grown.live(work)
    for moment in (*kill_moments(grown, work, "link"), *kill_moments(grown, work, "write")):
        assert_survives_being_killed(grown, work, moment)


def test_a_retention_killed_while_files_go_is_completed_by_the_same_job(grown):
    # Two of the four days are too old for everything.
    kept_days = str((datetime.now(UTC).date() - LEARNED[2]).days)
    periods = dict.fromkeys(("DECISIONS", "TRANSACTIONS", "FEATURES", "REPORTS"), kept_days)
    grown.environment |= {f"FRAUD_RETENTION_{name}_DAYS": days for name, days in periods.items()}
    grown.environment["FRAUD_TRAINING_WINDOW_DAYS"] = "2"
    log = grown.home / "dagster" / "compute_logs" / "run-1" / "step.err"
    log.parent.mkdir(parents=True)
    log.write_text("of long ago")
    long_ago = datetime.now(UTC) - timedelta(days=100)
    os.utime(log, (long_ago.timestamp(), long_ago.timestamp()))
    grown.live(RETENTION)
    life = grown.lives[RETENTION]
    gone = set(life.before.files) - set(life.after.files)
    moments = kill_moments(grown, RETENTION, "unlink")
    # One more: the log, which goes to cold storage.
    assert len(moments) == len(gone) + 1
    assert f"logs/{long_ago.date()}/run-1/step.err.gz" in life.after.files
    # The first, one in between, and the last.
    for moment in moments[:: len(moments) // 2]:
        assert_survives_being_killed(grown, RETENTION, moment)
