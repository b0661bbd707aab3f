"""Settings: environment over settings.env over defaults, and one clear line for a wrong value."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from fraud_platform.errors import PlatformError
from fraud_platform.ingestion.schema import (
    ANALYST_REVIEW,
    CUSTOMER_DISPUTE,
    FRAUD_REPORT,
    LABEL_FILE,
    TRANSACTION_FILE,
)
from fraud_platform.setting_sources import setting_sources
from fraud_platform.settings import Settings, load_settings
from fraud_platform.settings_file import remember


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FRAUD_START_DATE", raising=False)
    return tmp_path / "home"


def test_defaults_need_no_service(home):
    settings = load_settings()
    assert settings.landing_url == str(home / "landing")
    assert settings.storage_url == str(home / "storage")
    assert settings.tracking_url == f"sqlite:///{home / 'mlflow.db'}"


def test_home_is_a_folder_of_the_working_directory_unless_told_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("FRAUD_HOME")
    monkeypatch.chdir(tmp_path)
    assert load_settings().home == tmp_path / ".fraud"


def test_what_was_remembered_is_read_below_the_environment(home, monkeypatch):
    remember(home, FRAUD_START_DATE="2026-01-02", FRAUD_SEED="7")
    assert load_settings().start_date == date(2026, 1, 2)
    monkeypatch.setenv("FRAUD_START_DATE", "2026-03-04")
    settings = load_settings()
    assert (settings.start_date, settings.seed) == (date(2026, 3, 4), 7)
    sources = setting_sources()
    assert sources["FRAUD_START_DATE"] == "environment"
    assert sources["FRAUD_SEED"] == "settings.env"
    assert sources["FRAUD_HOME"] == "environment"
    assert sources["MLFLOW_TRACKING_URI"] == "default"


def test_remembering_keeps_what_else_is_remembered(home):
    remember(home, FRAUD_START_DATE="2026-01-02")
    remember(home, FRAUD_SEED="7")
    assert (home / "settings.env").read_text() == "FRAUD_SEED=7\nFRAUD_START_DATE=2026-01-02\n"


def test_what_a_person_wrote_survives_remembering(home):
    home.mkdir()
    (home / "settings.env").write_text('FRAUD_LANDING="/data/x #1/it\'s"\nno assignment\n')
    remember(home, FRAUD_SEED="7")
    settings = load_settings()
    assert (settings.landing, settings.seed) == ("/data/x #1/it's", 7)


def test_an_empty_variable_counts_as_unset(home, monkeypatch):
    monkeypatch.setenv("FRAUD_SEED", "")
    assert load_settings().seed == 42
    assert setting_sources()["FRAUD_SEED"] == "default"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FRAUD_SEED", "many"),  # no number
        ("FRAUD_SEED", "-1"),  # out of range
        ("FRAUD_START_DATE", "yesterday"),  # no day
        ("FRAUD_SPLIT_STRATEGY", "random"),  # no such choice
        ("FRAUD_MAX_QUARANTINE_SHARE", "1.5"),  # a share is at most 1
        ("FRAUD_CANDIDATES", "xgboost"),  # no JSON list
        ("FRAUD_CANDIDATES", '["catboost"]'),  # no such family
        ("FRAUD_CANDIDATES", "[]"),  # nothing to train
        ("FRAUD_SHADOW_MAX_ALERT_RATIO", "inf"),  # no limit at all
        ("FRAUD_LABEL_WEIGHTS", '{"customer_dispute": 1e400}'),  # the same as a weight
        ("FRAUD_SHADOW_DAYS", "29"),  # longer than any shadow may last
        ("FRAUD_LABEL_DELAY_DAYS", "31"),  # mature after they have stopped to count
        ("FRAUD_LABEL_WEIGHTS", '{"disputes": 0.5}'),  # no such source
        ("FRAUD_LABEL_WEIGHTS", '{"customer_dispute": 0}'),  # a label that counts nothing is none
        ("FRAUD_STORAGE", '"/data/storage"'),  # `docker run --env-file` hands quotes on
        ("FRAUD_STORAGE", "s3://bank/storage "),  # another prefix, which nobody would find
        ("FRAUD_LANDING", "s3:/bank/landing"),  # a folder "s3:" of the working directory
        ("FRAUD_LANDING", "gs://bank/landing"),  # another kind of store
        ("FRAUD_POSTGRES_PASSWORD_FILE", " /run/secrets/password"),  # no such folder
        ("MLFLOW_TRACKING_URI", "mlflow:5000"),  # MLflow would look for a folder
    ],
)
def test_a_wrong_value_is_named_in_one_line(home, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(PlatformError) as caught:
        load_settings()
    assert variable in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_that_an_editor_of_another_system_wrote_are_read(home):
    home.mkdir()
    (home / "settings.env").write_bytes(b"\xef\xbb\xbfFRAUD_SEED=7\r\nFRAUD_LABEL_DELAY_DAYS=3\r\n")
    settings = load_settings()
    assert (settings.seed, settings.label_delay_days) == (7, 3)
    remember(home, FRAUD_START_DATE="2026-11-10")
    assert load_settings().seed == 7


@pytest.mark.parametrize("name", sorted(name for name in Settings.model_fields if name.endswith("_days")))
def test_no_count_of_days_reaches_out_of_the_calendar(home, monkeypatch, name):
    # Each as long as it may be: some must not be below others.
    for longest in ("FRAUD_LABEL_HORIZON_DAYS", "FRAUD_MAX_SHADOW_DAYS", f"FRAUD_{name.upper()}"):
        monkeypatch.setenv(longest, "36525")
    assert date(2026, 1, 1) - timedelta(days=getattr(load_settings(), name)) > date.min
    monkeypatch.setenv(f"FRAUD_{name.upper()}", "9" * 20)
    with pytest.raises(PlatformError, match=f"FRAUD_{name.upper()}"):
        load_settings()


def test_labels_of_every_source_can_be_weighed(home, monkeypatch):
    sources = (LABEL_FILE, TRANSACTION_FILE, CUSTOMER_DISPUTE, FRAUD_REPORT, ANALYST_REVIEW)
    monkeypatch.setenv("FRAUD_LABEL_WEIGHTS", json.dumps(dict.fromkeys(sources, 0.5)))
    assert set(load_settings().label_weights) == set(sources)


def test_every_setting_says_what_it_means():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
