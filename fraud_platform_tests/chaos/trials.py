"""One trial: put the installation back, disturb it, run the same step again, and compare with an undisturbed life.

Which disturbances there are is for the tests to say.
"""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fraud_platform_tests.chaos.installation import Installation
from fraud_platform_tests.chaos.stored_state import StoredState
from fraud_platform_tests.chaos.zygote import Outcome


@dataclass(frozen=True)
class Moment:
    """When a run is killed: before, in the midst of or after its n-th operation, or so many seconds after its start."""

    operation: int | None = None
    when: str = ""
    seconds: float | None = None


def random_moments(installation: Installation, work: str, *, count: int, seed: int) -> list[Moment]:
    """Moments spread over the whole run, to its last millisecond; every other one at an exact operation.

    Most operations are commits of Dagster's history, so that one of the others is taken three times out of four.
    """
    life, rng = installation.lives[work], random.Random(seed)  # noqa: S311 - the same moments again
    places = dict(enumerate(life.operations, start=1))
    commits = [place for place, name in places.items() if name == "commit"]
    others = [place for place in places if place not in commits]
    moments = []
    for number in range(count):
        if number % 2:
            moments.append(Moment(seconds=rng.uniform(0, 1.05 * life.seconds)))
        else:
            among = others if rng.random() < 0.75 else commits
            moments.append(Moment(rng.choice(among), rng.choice(["before", "half", "after"])))
    return moments


def assert_survives_being_killed(installation: Installation, work: str, moment: Moment) -> None:
    """Nothing is half there after a kill at that moment, and the same run again makes everything as it should be."""
    fault = {"kill_at": moment.operation, "when": moment.when} if moment.operation else None
    outcome = disturbed(installation, work, fault, killed_after=moment.seconds)
    # Two lives differ by an operation or two, and by a moment: whoever came to the end was not killed.
    assert outcome.was_killed or outcome.is_done, outcome.report
    assert_nothing_is_half_there(installation, work)
    assert_running_again_completes(installation, work)


def disturbed(
    installation: Installation,
    work: str,
    fault: Mapping[str, Any] | None = None,
    *,
    killed_after: float | None = None,
) -> Outcome:
    """How `work` ends that begins as the undisturbed one did, with `fault` or killed after so many seconds."""
    installation.put_back(work)
    child = installation.start(work, fault)
    if killed_after is not None:
        time.sleep(killed_after)
        child.kill()
    return child.wait()


def assert_nothing_is_half_there(installation: Installation, work: str) -> None:
    """Whatever happened: each file is as it was before, or as it will be."""
    life, now = installation.lives[work], installation.state()
    for name, content in now.files.items():
        if not name.rpartition("/")[2].startswith("."):
            known = (life.before.files.get(name), life.after.files.get(name))
            different = [line for line in life.after.differences(now) if line.startswith(f"{name}: ")]
            assert content in known, f"neither as before nor as it will be: {different}"
    lost = set(life.before.files) & set(life.after.files) - set(now.files)
    assert not lost, f"lost: {lost}"


def assert_running_again_completes(installation: Installation, work: str) -> StoredState:
    """The same step, undisturbed now, leaves what it would have left had nothing happened."""
    installation.do(work)
    return assert_is_as_undisturbed(installation, work)


def assert_is_as_undisturbed(installation: Installation, work: str) -> StoredState:
    """What is stored now is what is stored where nothing happened, and nothing else lies about."""
    now = installation.state()
    different = installation.lives[work].after.differences(now)
    assert not different, "\n".join(different)
    assert now.left_over == (), f"left over: {now.left_over}"
    assert now.problems == (), f"audit trail: {now.problems}"
    return now
