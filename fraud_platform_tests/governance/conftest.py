"""Audit trails to write to: on disk and on an S3 server."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fraud_platform.governance.audit import AuditTrail, open_trail

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"


def ticking(start: datetime = NOON) -> Callable[[], datetime]:
    """A clock that moves on by a second each time it is asked."""
    seconds = iter(range(10**6))
    return lambda: start + timedelta(seconds=next(seconds))


@pytest.fixture(params=["disk", "s3"])
def trail_url(request, tmp_path) -> str:
    """An empty place for a trail."""
    return str(tmp_path / "audit") if request.param == "disk" else f"{request.getfixturevalue('s3_url')}/audit"


@pytest.fixture
def trail(trail_url) -> AuditTrail:
    """An empty trail there."""
    return open_trail(trail_url, actor="ada", clock=ticking())


@pytest.fixture
def disk_trail(tmp_path) -> AuditTrail:
    """An empty trail on disk."""
    return open_trail(str(tmp_path / "audit"), actor="ada", clock=ticking())
