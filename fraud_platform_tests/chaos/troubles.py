"""Troubles other than a kill, and what must be true after each of them.

When and how often they come is for the tests to say.
"""

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform_tests.chaos.installation import Installation
from fraud_platform_tests.chaos.proxy import Fault, Proxy
from fraud_platform_tests.chaos.trials import (
    assert_is_as_undisturbed,
    assert_nothing_is_half_there,
    assert_running_again_completes,
    disturbed,
)
from fraud_platform_tests.chaos.zygote import Outcome

_DISK_BYTES = 256 * 2**20


def assert_survives_storage_faults(installation: Installation, work: str, proxy: Proxy, fault: Fault) -> None:
    """What may be tried again is; where that does not help, the run fails in a line and can be run again."""
    direct = installation.environment["AWS_ENDPOINT_URL"]
    installation.environment["AWS_ENDPOINT_URL"] = proxy.url
    try:
        proxy.expect(fault)
        outcome = disturbed(installation, work)
        proxy.expect(None)
    finally:
        installation.environment["AWS_ENDPOINT_URL"] = direct
    assert_nothing_is_half_there(installation, work)
    assert_ended_well_or_in_a_line(outcome)
    if outcome.is_done:
        assert_is_as_undisturbed(installation, work)
    elif fault.step > 1 and fault.kind != "corrupted length":
        raise AssertionError(f"single errors of kind {fault.kind!r} failed a run: {outcome.report['error']}")
    else:
        assert_running_again_completes(installation, work)


def assert_survives_a_full_disk(installation: Installation, work: str, *, free_bytes: int) -> None:
    """A disk that fills up fails the run or does not; with room again, the same run completes."""
    with _small_disk(installation):
        installation.put_back(work)
        ballast = installation.home / "ballast"
        usage = os.statvfs(installation.home)
        ballast.write_bytes(bytes(max(usage.f_bavail * usage.f_frsize - free_bytes, 0)))
        outcome = installation.start(work).wait()
        ballast.unlink()
        assert not outcome.was_killed
        assert_nothing_is_half_there(installation, work)
        assert_running_again_completes(installation, work)


def assert_survives_a_wrong_clock(installation: Installation, work: str, *, at: int, by_seconds: float) -> None:
    """A wall clock that jumps within a run changes times and nothing else, and so does the next one."""
    outcome = disturbed(installation, work, {"clock_at": at, "by_seconds": by_seconds})
    assert_ended_well_or_in_a_line(outcome)
    assert_nothing_is_half_there(installation, work)
    assert_running_again_completes(installation, work)


def assert_survives_two_at_once(installation: Installation, work: str) -> None:
    """Two processes that do the same at the same time leave what one would have left, once it is run again."""
    installation.put_back(work)
    children = [installation.start(work), installation.start(work)]
    outcomes = [child.wait() for child in children]
    for outcome in outcomes:
        assert_ended_well_or_in_a_line(outcome)
    assert_nothing_is_half_there(installation, work)
    assert_running_again_completes(installation, work)


def assert_survives_a_replaced_file(installation: Installation, day: date, *, how: str, after_read: int) -> None:
    """A file that becomes another while it is read gives the day of one of both, and then that of the later one."""
    work = f"daily {day}"
    folder = installation.folder / "files"
    folder.mkdir(exist_ok=True)
    installation.put_back(work)
    key = f"landing/transactions/{day}/simulated.parquet"
    table = pd.read_parquet(io.BytesIO(_landed(installation, key)))
    new = folder / "new.parquet"
    table.iloc[::-2].to_parquet(new, index=False)
    days = []
    for content in (None, new.read_bytes()):
        installation.put_back(work)
        if content is not None:
            _land(installation, key, content)
        installation.do(work)
        days.append(installation.state())
    old = f"{installation.bucket.name}/{key}" if installation.bucket else str(installation.home / key)
    outcome = disturbed(
        installation, work, {"replaced_after_read": after_read, "how": how, "new": str(new), "old": old}
    )
    assert_ended_well_or_in_a_line(outcome)
    read, name = installation.state(), f"raw_transactions/{day}.parquet"
    if outcome.is_done:
        assert read.files[name] in [known.files[name] for known in days], "a mixture of two files was ingested"
    installation.do(work)
    again = installation.state()
    assert not days[1].differences(again), days[1].differences(again)
    assert again.left_over == again.problems == ()


def assert_ended_well_or_in_a_line(outcome: Outcome) -> None:
    """The run did its work, or it says in one line of the platform's own why not."""
    error = outcome.report.get("error")
    assert not outcome.was_killed
    assert outcome.is_done or (error.startswith("PlatformError: ") and "\n" not in error), error


@contextmanager
def _small_disk(installation: Installation) -> Iterator[None]:
    """The home of `installation` on a disk of its own."""
    home = str(installation.home)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", home], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", home], check=True)


def _landed(installation: Installation, key: str) -> bytes:
    return installation.bucket.objects()[key] if installation.bucket else (installation.home / key).read_bytes()


def _land(installation: Installation, key: str, content: bytes) -> None:
    if installation.bucket:
        installation.bucket.put(key, content)
    else:
        Path(installation.home / key).write_bytes(content)
