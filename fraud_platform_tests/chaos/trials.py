"""One trial: put the installation back, disturb it, run the same step again, and hold what is stored against the undisturbed.

Which disturbances there are is for the tests to say.
"""

import time
from collections.abc import Mapping
from typing import Any

from fraud_platform_tests.chaos.installation import Installation
from fraud_platform_tests.chaos.stored_state import StoredState
from fraud_platform_tests.chaos.zygote import Outcome


def disturbed(
    installation: Installation,
    work: str,
    fault: Mapping[str, Any] | None = None,
    *,
    killed_after: float | None = None,
    **environment: str,
) -> Outcome:
    """How `work` ends that begins as the undisturbed one did, with `fault` or killed after so many seconds."""
    installation.put_back(work)
    child = installation.start(work, fault, **environment)
    if killed_after is not None:
        time.sleep(killed_after)
        child.kill()
    return child.wait()


def assert_nothing_is_half_there(installation: Installation, work: str) -> None:
    """Whatever happened: each file is as it was before, or as it will be, and the audit trail is sound but for its end."""
    life, now = installation.lives[work], installation.state()
    for name, content in now.files.items():
        if not name.rpartition("/")[2].startswith("."):
            known = (life.before.files.get(name), life.after.files.get(name))
            assert content in known, f"{name} is neither as before nor as it will be"
    lost = set(life.before.files) - set(now.files)
    assert not lost, f"lost: {lost}"


def assert_running_again_completes(installation: Installation, work: str) -> StoredState:
    """The same step, undisturbed now, leaves what it would have left had nothing happened."""
    installation.do(work)
    now = installation.state()
    different = installation.lives[work].after.differences(now)
    assert not different, "\n".join(different)
    assert now.left_over == (), f"left over: {now.left_over}"
    assert now.problems == (), f"audit trail: {now.problems}"
    return now
