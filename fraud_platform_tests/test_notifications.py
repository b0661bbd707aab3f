"""People are told once each: who cannot be reached is told later, and no URL is ever shown."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.notifications import Message, addressed, deliver, open_targets
from fraud_platform.settings import load_settings
from fraud_platform_tests.bad_files import CARD
from fraud_platform_tests.webhook import Webhook, open_webhook

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


def message(title: str, *, at: datetime = NOW) -> Message:
    return Message(title, "a cause\nRun 1.", "failure", at.isoformat())


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with open_webhook() as hook:
        yield hook


@pytest.fixture
def other() -> Iterator[Webhook]:
    with open_webhook() as hook:
        yield hook


def test_a_message_reaches_every_target_with_title_body_and_kind(hook, other):
    targets = open_targets([hook.url, other.url])
    delivery = deliver(addressed([message("daily of 2026-01-09 failed")], targets), targets, now=NOW)
    assert (delivery.sent, delivery.left, delivery.unreachable) == (2, (), ())
    for each in (hook, other):
        (got,) = each.received
        assert (got["title"], got["message"], got["type"]) == (
            "daily of 2026-01-09 failed",
            "a cause\nRun 1.",
            "failure",
        )


def test_who_was_down_is_told_later_in_order_and_nobody_is_told_twice(hook, other):
    targets = open_targets([hook.url, other.url])
    other.status = 503
    first = deliver(addressed([message("one"), message("two")], targets), targets, now=NOW)
    assert (first.sent, first.unreachable) == (2, ("target 2 (json://****)",))
    other.status = 200
    # As the cursor keeps them.
    waiting = [Message.of(each.as_dict()) for each in first.left]
    second = deliver([*waiting, *addressed([message("three")], targets)], targets, now=NOW)
    assert second.left == ()
    assert hook.titles == other.titles == ["one", "two", "three"]


def test_a_server_that_is_not_there_fails_nothing():
    targets = open_targets(["json://127.0.0.1:1/"])
    delivery = deliver(addressed([message("one")], targets), targets, now=NOW)
    assert [each.title for each in delivery.left] == ["one"]


def test_what_nobody_took_for_three_days_is_given_up():
    targets = open_targets(["json://127.0.0.1:1/"])
    old, recent = message("old", at=NOW - timedelta(days=3, minutes=1)), message("recent", at=NOW - timedelta(days=2))
    delivery = deliver(addressed([old, recent], targets), targets, now=NOW)
    assert delivery.given_up == ("old",)
    assert [each.title for each in delivery.left] == ["recent"]


def test_a_target_that_is_named_no_longer_gets_nothing(hook, other):
    both, one = open_targets([hook.url, other.url]), open_targets([hook.url])
    delivery = deliver(addressed([message("one")], both), one, now=NOW)
    assert (delivery.left, hook.titles, other.titles) == ((), ["one"], [])


def test_without_time_messages_wait(hook):
    targets = open_targets([hook.url])
    delivery = deliver(addressed([message("one")], targets), targets, now=NOW, has_time=lambda: False)
    assert (len(delivery.left), delivery.unreachable, hook.titles) == (1, (), [])


def test_a_card_number_is_told_to_nobody(hook):
    targets = open_targets([hook.url])
    deliver(addressed([message(f"file {CARD}.csv")], targets), targets, now=NOW)
    assert hook.titles == ["file [card number].csv"]


@pytest.mark.parametrize("url", ["nonsense-s3cr3t", "nowhere://s3cr3t/x", "slack://s3cr3t", "json://bank:s3cr3t@"])
def test_a_url_that_apprise_does_not_know_is_told_by_its_place_and_not_shown(url, caplog, capfd):
    with caplog.at_level(logging.DEBUG), pytest.raises(PlatformError) as refused:
        open_targets(["json://127.0.0.1:1/", url])
    assert str(refused.value).startswith("target 2 (")
    assert "s3cr3t" not in f"{refused.value}{caplog.text}{''.join(capfd.readouterr())}"


def test_no_url_is_logged_when_its_target_fails(hook, caplog, capfd):
    hook.status = 500
    targets = open_targets([hook.url])
    with caplog.at_level(logging.INFO):
        delivery = deliver(addressed([message("one")], targets), targets, now=NOW)
    assert delivery.unreachable == ("target 1 (json://****)",)
    assert "s3cr3t" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "text",
    [
        # A URL a line, with remarks and empty lines.
        "# on call\njson://two\n\n  json://three\n",
        '["json://two", "json://three"]',
    ],
)
def test_urls_come_from_the_setting_and_from_the_file_once_each(monkeypatch, tmp_path, text):
    (tmp_path / "urls").write_text(text)
    monkeypatch.setenv("FRAUD_ALERT_URLS", '["json://one", "json://two"]')
    monkeypatch.setenv("FRAUD_ALERT_URLS_FILE", str(tmp_path / "urls"))
    assert load_settings().alert_targets() == ["json://one", "json://two", "json://three"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory; put URLs, one a line, there and let user"),
        (b"\xff\xfe", "cannot be read: it is no text"),
        (b'["json://s3cr3t"', "is no JSON list of texts"),
        (b'[{"url": "json://s3cr3t"}]', "is no JSON list of texts"),
    ],
)
def test_an_unusable_file_of_urls_is_told_in_one_line_without_its_content(monkeypatch, tmp_path, content, said):
    path = tmp_path / "urls"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("FRAUD_ALERT_URLS_FILE", str(path))
    with pytest.raises(PlatformError) as refused:
        load_settings().alert_targets()
    assert str(refused.value).startswith(f"FRAUD_ALERT_URLS_FILE={path} {said}")
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("text", ["json://s3cr3t", '{"a": "json://s3cr3t"}', '["json://s3cr3t", 5]'])
def test_a_list_of_urls_that_is_none_is_not_shown(monkeypatch, text):
    monkeypatch.setenv("FRAUD_ALERT_URLS", text)
    with pytest.raises(PlatformError, match="FRAUD_ALERT_URLS") as refused:
        load_settings()
    assert "s3cr3t" not in str(refused.value)
