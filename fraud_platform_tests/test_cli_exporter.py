"""The command `exporter` as people type it: what is refused, in one line, and what does not keep it from serving."""

import os
import socket
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from fraud_platform_tests.answers import assert_one_line_of
from fraud_platform_tests.production.processes import PROGRAMS, free_port, is_listening, processes


def test_a_port_that_is_taken_is_named_with_what_to_do(home, type_in):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = type_in("exporter", "--port", port)
    assert_one_line_of(answer, f"cannot listen on 127.0.0.1:{port}", "choose another --port")


def test_a_port_that_does_not_exist_is_wrong_usage(home, type_in):
    assert type_in("exporter", "--port", 70000).code == 2


def test_only_this_machine_is_answered_unless_told_otherwise(home, type_in):
    assert "127.0.0.1" in type_in("exporter", "--help").out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full (/dev/full) is not here")
def test_metrics_are_served_where_the_disk_of_the_log_is_full(home, tmp_path):
    port = free_port()
    environment = {**os.environ, "FRAUD_HOME": str(tmp_path / "home"), "FRAUD_LOG_FORMAT": "json"}
    (tmp_path / "exporter.log").symlink_to("/dev/full")
    with processes(tmp_path, environment) as started:
        started.start("exporter", [str(PROGRAMS / "fraud-platform"), "exporter", "--port", str(port)])
        deadline = time.monotonic() + 60
        while not is_listening(port) and time.monotonic() < deadline:
            time.sleep(0.2)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"fraud_source_up" in answer.read()
        assert started.running["exporter"].poll() is None
