"""Whatever the environment or the settings file says: settings, or one line that names the variable."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud_platform.errors import PlatformError
from fraud_platform.governance.keys import read_key
from fraud_platform.setting_sources import setting_sources
from fraud_platform.settings import Settings, load_settings
from fraud_platform_tests.chaos.fuzzing import fuzzed, outcome_of

VARIABLES = sorted(
    name for name in (f"FRAUD_{field.upper()}" for field in Settings.model_fields) if name != "FRAUD_HOME"
)
# What the operating system takes as the value of a variable: anything but NUL, in any encoding.
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    st.binary(max_size=8).map(lambda raw: os.fsdecode(raw.replace(b"\0", b""))),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["1e400", "-0", "\u0661", "true", "yes", "[]", "{}", '["xgboost"]', '["xgboost", 1]', '{"a": 1e999}',
         "[" * 3000, "2026-02-30", "0000-01-01", "9999-12-31", "2026-01-01T00:00:00", "1700000000", "s3://", "s3:///x",
         "file:///", "://", "postgres://[::1", "postgres://u:p@h:99999999/d", "/dev/null", "/proc/self/mem",
         "~nobody/x", "4111111111111111"]
    ),
)  # fmt: skip


def assert_are_settings_or_a_line(found: object) -> None:
    if isinstance(found, PlatformError):
        assert "FRAUD_" in str(found) or "settings.env" in str(found), found
        return
    assert isinstance(found, Settings)
    # What is derived from them is asked for everywhere, and nobody expects that it fails.
    assert all(
        isinstance(url, str) for url in (found.landing_url, found.storage_url, found.audit_url, found.tracking_url)
    )
    assert isinstance(found.history_url, str)
    assert found.actor_name


@fuzzed(150)
@given(st.dictionaries(st.sampled_from(VARIABLES), VALUES, min_size=1, max_size=3))
def test_any_environment_gives_settings_or_one_line(values: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        assert_are_settings_or_a_line(outcome_of(load_settings))


@fuzzed(60)
@given(st.one_of(st.binary(max_size=60), st.builds(
    lambda pairs: "\n".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogateescape"),
    st.lists(st.tuples(st.sampled_from(VARIABLES), VALUES), max_size=4),
)))  # fmt: skip
def test_any_settings_file_gives_settings_or_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.env").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAUD_HOME", str(tmp_path))
        patch.delenv("FRAUD_START_DATE")
        assert_are_settings_or_a_line(outcome_of(load_settings))
        assert isinstance(outcome_of(setting_sources), dict | PlatformError)


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_a_settings_file_that_is_no_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    _make(tmp_path / "settings.env", kind)
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    assert "settings.env" in str(outcome_of(load_settings))


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "endless"])
def test_a_key_or_password_file_that_is_no_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "secret"
    _make(path, kind)
    assert "FRAUD_AUDIT_KEY_FILE" in str(outcome_of(lambda: read_key(path, setting="FRAUD_AUDIT_KEY_FILE")))
    monkeypatch.setenv("FRAUD_POSTGRES_PASSWORD_FILE", str(path))
    assert "FRAUD_POSTGRES_PASSWORD_FILE" in str(outcome_of(lambda: load_settings().postgres_password()))


def _make(path: Path, kind: str) -> None:
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "endless":
            # No end, and no memory that would hold it.
            path.symlink_to("/dev/zero")
