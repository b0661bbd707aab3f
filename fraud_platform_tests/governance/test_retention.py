"""What is older than its period goes, to the day; what is kept for good stays."""

import gzip
import os
from datetime import UTC, date, datetime, timedelta

import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.governance.log_retention import archive, expired_archives, old_logs, remove_archive
from fraud_platform.governance.retention import expired_days, remove, retention_rules
from fraud_platform.settings import Settings
from fraud_platform.storage import open_location

TODAY = date(2026, 11, 25)
PERIODS = {"decisions_days": 2557, "transactions_days": 700, "features_days": 400, "reports_days": 30}


def rules(**periods: int):
    return retention_rules(**{**PERIODS, **periods}, training_window_days=180)


@pytest.fixture(params=["disk", "s3"])
def store(request, tmp_path) -> DayStore:
    return DayStore.at(tmp_path if request.param == "disk" else f"{request.getfixturevalue('s3_url')}/storage")


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def test_a_day_is_kept_for_its_period_and_not_a_day_longer(store):
    for days in (29, 30, 31, 400):
        store.write_json("drift_report", ago(days), {})
    for asset, extension, days in (
        ("features", "parquet", 401),
        ("features", "parquet", 400),
        ("daily_predictions", "parquet", 2557),
        ("daily_predictions", "parquet", 2558),
        ("trained_model", "zip", 2558),
        ("something_else", "json", 9999),
    ):
        store.write_bytes(asset, ago(days), extension, b"x")
    expired = list(expired_days(store, rules(), TODAY))
    assert {(each.rule.asset, each.day) for each in expired} == {
        ("drift_report", ago(31)),
        ("drift_report", ago(400)),
        ("features", ago(401)),
        ("daily_predictions", ago(2558)),
        ("trained_model", ago(2558)),
    }
    for each in expired:
        remove(store, each)
        remove(store, each)
    assert list(expired_days(store, rules(), TODAY)) == []
    assert store.days("drift_report", "json") == [ago(30), ago(29)]
    assert store.days("something_else", "json") == [ago(9999)]


@pytest.mark.parametrize(
    ("today", "first_kept"),
    [
        (date(2028, 2, 28), date(2028, 1, 29)),
        (date(2028, 2, 29), date(2028, 1, 30)),  # a leap day is a day
        (date(2028, 3, 1), date(2028, 1, 31)),
        (date(2027, 3, 1), date(2027, 1, 30)),  # without one
        (date(2100, 3, 1), date(2100, 1, 30)),  # no leap year, though 100 is divisible by four
        (date(2026, 12, 31), date(2026, 12, 1)),
        (date(2027, 1, 1), date(2026, 12, 2)),
    ],
)
def test_a_period_counts_days_over_leap_days_and_new_year(tmp_path, today, first_kept):
    store = DayStore.at(tmp_path)
    for day in (first_kept - timedelta(days=1), first_kept, today):
        store.write_json("drift_report", day, {})
    expired = [each.day for each in expired_days(store, rules(), today)]
    assert expired == [first_kept - timedelta(days=1)]


def test_the_periods_that_are_told_in_years_hold_whole_years_whatever_leap_days_lie_in_them():
    settings = Settings()
    days_by_years = {
        7: (settings.retention_decisions_days, settings.retention_transactions_days, settings.retention_reports_days),
        1: (settings.retention_cold_log_days,),
    }
    for number in range(8 * 366):
        made = date(2020, 1, 1) + timedelta(days=number)
        for years, periods in days_by_years.items():
            # What is made on a leap day has its anniversary on 1 March.
            is_leap_day = (made.month, made.day) == (2, 29)
            anniversary = date(made.year + years, 3, 1) if is_leap_day else made.replace(year=made.year + years)
            # Kept on the last day before.
            assert all((anniversary - timedelta(days=1) - made).days <= days for days in periods), (made, years)


@pytest.mark.parametrize("kind", ["transactions", "features"])
def test_what_a_model_learns_from_cannot_be_removed_before(kind):
    rules(**{f"{kind}_days": 180})
    with pytest.raises(PlatformError, match=f"FRAUD_RETENTION_{kind.upper()}_DAYS=179 removes what the 180 days"):
        rules(**{f"{kind}_days": 179})


def test_logs_go_to_cold_storage_and_then_for_good(tmp_path, s3_url):
    hot, cold = tmp_path / "hot", open_location(f"{s3_url}/logs")
    assert list(old_logs(hot, today=TODAY, hot_days=30)) == []
    assert list(expired_archives(cold, today=TODAY, cold_days=365)) == []
    for days in (1, 30, 31, 366):
        path = hot / f"run-{days}" / "compute.err"
        path.parent.mkdir(parents=True)
        path.write_text(f"{days} days old")
        moment = datetime.combine(ago(days), datetime.min.time(), UTC).timestamp()
        os.utime(path, (moment, moment))
    moved = [archive(log, cold) for log in old_logs(hot, today=TODAY, hot_days=30)]
    assert sorted(path.name for path in hot.iterdir() if list(path.iterdir())) == ["run-1", "run-30"]
    assert moved[0].path.endswith(f"logs/{ago(31)}/run-31/compute.err.gz")
    assert gzip.decompress(moved[0].read_bytes()) == b"31 days old"
    gone = list(expired_archives(cold, today=TODAY, cold_days=365))
    assert [folder.name for folder in gone] == [ago(366).isoformat()]
    for folder in gone:
        remove_archive(folder)
    assert list(expired_archives(cold, today=TODAY, cold_days=365)) == []
    assert moved[0].exists()
