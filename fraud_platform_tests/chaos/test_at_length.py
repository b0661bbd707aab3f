"""The long version of `test_chaos`: hundreds of kills, faults at every request, disks, clocks; `make audit-chaos`.

Seeds are fixed, so that what was found once is found again; another seed takes other moments.
"""

from collections.abc import Iterator

import pytest

from fraud_platform_tests.chaos.installation import DAILY, LIVED, RETRAINING, Installation
from fraud_platform_tests.chaos.proxy import KINDS, Fault, Proxy, running_proxy
from fraud_platform_tests.chaos.trials import assert_survives_being_killed, random_moments
from fraud_platform_tests.chaos.troubles import (
    assert_survives_a_full_disk,
    assert_survives_a_replaced_file,
    assert_survives_a_wrong_clock,
    assert_survives_storage_faults,
    assert_survives_two_at_once,
)

pytestmark = pytest.mark.audit

CHAINS = [pytest.param(DAILY, id="daily"), pytest.param(RETRAINING, id="retraining")]
# 200 kills in ten batches, so that two processes share them evenly.
KILLS_PER_BATCH = 20
BATCHES = [("on_disk", DAILY)] * 3 + [("on_disk", RETRAINING)] * 4 + [("on_s3", DAILY)] + [("on_s3", RETRAINING)] * 2


@pytest.fixture
def where(request: pytest.FixtureRequest) -> Installation:
    installation: Installation = request.getfixturevalue(request.param)
    return installation


@pytest.fixture(scope="session")
def proxy(s3_process: str) -> Iterator[Proxy]:
    with running_proxy(s3_process) as running:
        yield running


@pytest.mark.parametrize(
    ("where", "work", "seed"),
    [pytest.param(*batch, seed, id=f"{batch[0]}-{seed}") for seed, batch in enumerate(BATCHES, start=100)],
    indirect=["where"],
)
def test_killed_at_any_moment_a_run_is_completed_by_the_next(where: Installation, work: str, seed: int) -> None:
    survived = 0
    for moment in random_moments(where, work, count=KILLS_PER_BATCH, seed=seed):
        try:
            assert_survives_being_killed(where, work, moment)
        except AssertionError as error:
            raise AssertionError(f"{work}, {moment}: {error}") from error
        survived += 1
    assert survived == KILLS_PER_BATCH


# Every request of a run meets every kind of error: in one run each fifth, beginning with another one each time.
@pytest.mark.parametrize("first", range(1, 6))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("work", CHAINS)
def test_single_errors_at_every_request_pass(
    on_s3: Installation, proxy: Proxy, work: str, kind: str, first: int
) -> None:
    if kind == "timeout":
        # A second each: every twentieth will do.
        assert_survives_storage_faults(on_s3, work, proxy, Fault("timeout", first * 4, step=20))
    else:
        assert_survives_storage_faults(on_s3, work, proxy, Fault(kind, first, step=5))  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [1, 10, 25, 50, 80, 100])
@pytest.mark.parametrize("kind", ["error", "throttled", "reset", "answer lost", "truncated"])
@pytest.mark.parametrize("work", CHAINS)
def test_a_storage_that_is_gone_from_some_request_on_fails_the_run_in_a_line(
    on_s3: Installation, proxy: Proxy, work: str, kind: str, first: int
) -> None:
    assert_survives_storage_faults(on_s3, work, proxy, Fault(kind, first))  # type: ignore[arg-type]


@pytest.mark.parametrize("free_kib", [0, 16, 64, 128, 200, 300, 400, 600, 800, 1200, 1600, 2400])
@pytest.mark.parametrize("work", CHAINS)
def test_a_disk_that_fills_up_spoils_nothing(on_disk: Installation, work: str, free_kib: int) -> None:
    assert_survives_a_full_disk(on_disk, work, free_bytes=free_kib * 1024)


@pytest.mark.parametrize("by_seconds", [-3650 * 86400.0, -3600.0, 86400.0, 3650 * 86400.0])
@pytest.mark.parametrize("at", [0, 40, 150, 250])
@pytest.mark.parametrize("work", CHAINS)
def test_a_clock_that_jumps_changes_nothing_but_times(
    on_disk: Installation, work: str, at: int, by_seconds: float
) -> None:
    assert_survives_a_wrong_clock(on_disk, work, at=at, by_seconds=by_seconds)


@pytest.mark.parametrize("again", range(4))
@pytest.mark.parametrize("work", CHAINS)
@pytest.mark.parametrize("where", ["on_disk", "on_s3"], indirect=True)
def test_two_runs_of_one_day_at_once_are_as_good_as_one(where: Installation, work: str, again: int) -> None:
    assert_survives_two_at_once(where, work)


@pytest.mark.parametrize(
    ("where", "how"), [("on_disk", "rename"), ("on_disk", "rewrite"), ("on_s3", "object")], indirect=["where"]
)
@pytest.mark.parametrize("after_read", [1, 2])
def test_a_file_replaced_while_it_is_read_is_read_whole(where: Installation, how: str, after_read: int) -> None:
    assert_survives_a_replaced_file(where, LIVED, how=how, after_read=after_read)
