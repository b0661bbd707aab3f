"""What is told, evaluated on a real event log and audit trail, sent to a real web hook."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fraud_platform.defs.instance import open_instance
from fraud_platform.defs.notification_sensor import Seen
from fraud_platform.errors import PlatformError
from fraud_platform_tests.defs.test_sensors import tick
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home
from fraud_platform_tests.webhook import Webhook, open_webhook

DAY = day_number(1)


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with open_webhook() as hook:
        yield hook


@pytest.fixture
def home(tmp_path, hook) -> Iterator[PlatformHome]:
    (tmp_path / "urls").write_text(hook.url)
    with open_home(tmp_path / "home", FRAUD_ALERT_URLS_FILE=str(tmp_path / "urls")) as home:
        yield home


def told(home: PlatformHome, cursor: str | None = None) -> str:
    """The cursor after a tick."""
    after = tick(home, "notification_sensor", cursor)[2]
    assert after is not None
    return after


def fail(home: PlatformHome) -> str:
    """A day that fails because nothing has landed; returns its run."""
    with pytest.raises(PlatformError):
        home.daily(DAY)
    return home.instance.get_runs(limit=1)[0].run_id


def record(home: PlatformHome, event: str, **details: object) -> None:
    home.platform.audit.record(event, subject="model/1.2.0", reason="a reason", details=details)


def test_a_failed_run_is_told_once_with_its_cause(home, hook):
    run_id = fail(home)
    told(home, told(home))
    (message,) = hook.received
    assert message["title"] == f"daily of {DAY} failed"
    assert message["message"].startswith(f"{DAY}: no transactions for {DAY} in ")
    assert message["message"].endswith(f"Run {run_id}.")
    assert message["type"] == "failure"


@pytest.mark.parametrize(
    ("event", "details", "title", "kind"),
    [
        ("release", {"action": "released"}, "model 1.2.0 is released and decides", "info"),
        ("promotion", {}, "model 1.2.0 is promoted and decides", "info"),
        ("rollback", {}, "model 1.2.0 decides again after a rollback", "warning"),
        ("note", {"action": "approval"}, "model 1.2.0 waits for approval", "warning"),
    ],
)
def test_a_change_of_models_is_told_once_whoever_made_it(home, hook, event, details, title, kind):
    cursor = told(home)
    record(home, event, **details)
    told(home, told(home, cursor))
    assert [(message["title"], message["type"]) for message in hook.received] == [(title, kind)]
    assert "a reason" in hook.received[0]["message"]


@pytest.mark.parametrize(("event", "details"), [("note", {"action": "shadow"}), ("rejection", {}), ("export", {})])
def test_other_entries_are_told_nobody(home, hook, event, details):
    record(home, event, **details)
    told(home)
    assert hook.received == []


def test_a_hook_that_is_down_is_told_later_and_the_tick_does_not_fail(home, hook, capsys):
    fail(home)
    hook.status = 503
    cursor = told(home)
    shown = capsys.readouterr().err
    assert "target 1 (json://****) of FRAUD_ALERT_URLS did not take a message; it is tried again" in shown
    assert "s3cr3t" not in shown + cursor
    hook.status = 200
    told(home, told(home, cursor))
    assert hook.titles == [f"daily of {DAY} failed"]


def test_who_is_named_for_the_first_time_is_told_of_the_last_hour_only(home, hook):
    two_hours_ago = datetime.now(UTC) - timedelta(hours=2)
    trail = dataclasses.replace(home.platform.audit, clock=lambda: two_hours_ago)
    trail.record("rollback", subject="model/1.0.0", reason="long ago")
    record(home, "rollback")
    told(home, told(home))
    assert hook.titles == ["model 1.2.0 decides again after a rollback"]


def test_a_trail_that_begins_anew_is_read_from_its_beginning(home, hook):
    record(home, "release", action="released")
    record(home, "promotion")
    cursor = told(home)
    (home.settings.home / "storage/audit/trail.jsonl").unlink()
    record(home, "rollback")
    told(home, cursor)
    assert hook.titles[2:] == ["model 1.2.0 decides again after a rollback"]


def test_failed_runs_are_told_while_the_audit_trail_cannot_be_read(home, hook, capsys):
    record(home, "release", action="released")
    fail(home)
    trail = home.settings.home / "storage/audit/trail.jsonl"
    trail.rename(trail.with_suffix(".away"))
    trail.mkdir()
    cursor = told(home)
    assert hook.titles == [f"daily of {DAY} failed"]
    assert "the audit trail cannot be read now" in capsys.readouterr().err
    trail.rmdir()
    trail.with_suffix(".away").rename(trail)
    told(home, cursor)
    assert hook.titles[1:] == ["model 1.2.0 is released and decides"]


def test_an_unreadable_file_of_urls_is_one_line_and_nothing_is_forgotten(home, hook, tmp_path, capsys):
    cursor = told(home)
    fail(home)
    urls = tmp_path / "urls"
    text = urls.read_text()
    urls.unlink()
    assert told(home, cursor) == cursor
    assert f"FRAUD_ALERT_URLS_FILE={urls} cannot be read: No such file or directory" in capsys.readouterr().err
    urls.write_text(text)
    told(home, cursor)
    assert hook.titles == [f"daily of {DAY} failed"]


def test_without_anybody_to_tell_nothing_is_kept(tmp_path):
    with open_home(tmp_path / "home") as home:
        _, skipped, cursor = tick(home, "notification_sensor", Seen("2026-01-01T00:00:00+00:00", 7).as_cursor())
    assert skipped == "FRAUD_ALERT_URLS names nobody to tell"
    assert Seen.of(cursor).run_event == 0
    assert Seen.of(cursor).since > "2026-01-02"


def test_the_history_on_disk_is_read_the_same_way(home, hook):
    """SQLite keeps a run's events apart from the index that sensors read."""
    with open_instance() as instance:
        on_disk = PlatformHome(home.settings, instance)
        cursor = told(on_disk)
        fail(on_disk)
        told(on_disk, told(on_disk, cursor))
    assert hook.titles == [f"daily of {DAY} failed"]
