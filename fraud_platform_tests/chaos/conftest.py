"""What chaos happens to: an installation on disk, and the same one in an object store that is a process of its own."""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from fraud_platform_tests.chaos.fuzzing import LONG
from fraud_platform_tests.chaos.installation import Bucket, Installation, loopback_environment
from fraud_platform_tests.chaos.zygote import Zygote, running_zygote
from fraud_platform_tests.production.processes import free_port, is_listening

_MEMORY = "/dev/shm"  # noqa: S108 - a folder of its own is made in it

# What it means to be long is in `fuzzing`; registered here, because pytest asks for it before it imports any test.
settings.register_profile(LONG)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory) -> Iterator[Zygote]:
    """The process that forks trials."""
    with running_zygote(tmp_path_factory.mktemp("zygote")) as running:
        yield running


@pytest.fixture(scope="session")
def on_disk(zygote) -> Iterator[Installation]:
    """An installation whose everything is below one folder."""
    # A killed process loses nothing that it has handed to the system, so memory does for a disk, and is quicker.
    with tempfile.TemporaryDirectory(prefix="chaos-", dir=_MEMORY if os.path.isdir(_MEMORY) else None) as folder:
        installation = Installation(Path(folder), zygote)
        installation.settle()
        yield installation


@pytest.fixture(scope="session")
def s3_process(tmp_path_factory) -> Iterator[str]:
    """The URL of an S3-compatible server that is a process of its own, as a real one would be."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "moto.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not is_listening(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "moto did not start within a minute"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(timeout=10)


@pytest.fixture(scope="session")
def on_s3(on_disk, s3_process) -> Installation:
    """The same installation with landing zone and storage in a bucket."""
    on_disk.environment |= loopback_environment(s3_process)
    return on_disk.move_to(Bucket(s3_process, f"chaos-{uuid.uuid4().hex[:12]}"))
