"""The disk below the storage folder is full: the day waits for room, or fails in one line; nothing is half-written.

A small disk of its own (tmpfs) is mounted for each test, which only root may do.
"""

import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform.defs.jobs import DAILY_ASSETS
from fraud_platform.errors import PlatformError
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home

DAY = day_number(4)
DISK_BYTES = 64 * 2**20


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of `DISK_BYTES`, mounted below `folder`; skips the test where nothing may be mounted."""
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk that can be filled needs mount(8) and the right to use it")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def home(trained_home, tmp_path) -> Iterator[PlatformHome]:
    """A trained home whose storage is on a disk of its own; its last day has only landed."""
    shutil.copytree(trained_home.settings.home, tmp_path / "crowded")
    with small_disk(tmp_path) as disk:
        shutil.copytree(trained_home.settings.storage_url, disk / "storage")
        for asset in DAILY_ASSETS:
            (disk / "storage" / asset / f"{DAY}.parquet").unlink(missing_ok=True)
        with open_home(tmp_path / "crowded", FRAUD_STORAGE=str(disk / "storage")) as home:
            yield home


@pytest.fixture
def undisturbed(copied_home) -> Mapping[str, object]:
    """What the day comes to where there is room."""
    copied_home.daily(DAY)
    return content(copied_home)


def content(home: PlatformHome) -> Mapping[str, object]:
    """What is stored of the daily chain, without the time of decision."""
    return {
        name: pd.read_parquet(io.BytesIO(data)).drop(columns="scored_at", errors="ignore").to_json()
        if name.endswith(".parquet")
        else data
        for name, data in home.stored_bytes().items()
    }


def fill(home: PlatformHome, free_bytes: int) -> Path:
    """Fills the disk up to `free_bytes`; gives the file that does it."""
    disk = Path(home.settings.storage_url).parent
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - free_bytes))
    return filler


def half_written(home: PlatformHome) -> list[Path]:
    return list(Path(home.settings.storage_url).rglob("*.partial"))


def test_a_day_waits_for_room_and_ends_as_if_there_had_always_been_some(home, trained_home, undisturbed):
    # Room for its transactions, and not for its features.
    (transactions,) = trained_home.store.path("raw_transactions", DAY, "parquet").parent.glob(f"{DAY}.parquet")
    filler = fill(home, transactions.stat().st_size + 50_000)
    # It is mended while the day waits for its second or third try.
    mending = threading.Timer(4, filler.unlink)
    mending.start()
    result = home.daily(DAY)
    mending.join()
    assert [event.step_key for event in result.all_events if event.is_step_up_for_retry]
    assert content(home) == undisturbed
    assert half_written(home) == []


@pytest.mark.faults
def test_a_disk_that_stays_full_fails_the_day_in_one_line_and_a_later_run_finishes_it(home, undisturbed):
    before = content(home)
    filler = fill(home, 0)
    began = time.monotonic()
    with pytest.raises(PlatformError, match="No space left on device"):
        home.daily(DAY)
    # The pauses between its tries make a minute.
    assert time.monotonic() - began > 40
    assert content(home) == before
    assert half_written(home) == []
    filler.unlink()
    home.daily(DAY)
    assert content(home) == undisturbed
