"""The command `exporter` as people type it: what is refused, in one line, before anything is served."""

import socket

from fraud_platform_tests.answers import assert_one_line_of


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
