"""How much is tried of each, how long one may take, and what counts as a decent end: the rules of every fuzz test.

What is thrown at the platform is for the tests to say.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings

from fraud_platform.errors import PlatformError

# `make audit-fuzz` chooses this profile (see conftest); everywhere else a test takes its few examples.
LONG = "audit"
_TIMES_LONGER = 100
# Of one example, on a busy machine; what takes that long hangs.
DEADLINE_SECONDS = 60.0


class HangError(AssertionError):
    """Something took longer than anybody would wait."""


def fuzzed(examples: int) -> settings:
    """The settings of a fuzz test that tries so many examples in every run of the tests, and many more at length."""
    is_long = settings.get_current_profile_name() == LONG
    return settings(
        max_examples=examples * (_TIMES_LONGER if is_long else 1),
        # Ours interrupts what hangs; hypothesis' own only measures afterwards, and stumbles over a busy machine.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


def outcome_of(call: Callable[[], Any]) -> Any:
    """What `call` gives, or the PlatformError it raises, whose message is one line; anything else passes through."""
    with within_deadline():
        try:
            return call()
        except PlatformError as error:
            refusal = error
    assert "\n" not in str(refusal), str(refusal)
    assert len(str(refusal)) < 2_000, "nobody reads a message of that length"
    return refusal


@contextmanager
def within_deadline() -> Iterator[None]:
    """Interrupts what takes too long."""

    def ring(*_: object) -> None:
        raise HangError(f"no end within {DEADLINE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
