"""How long what is stored may be kept, and its removal once it is older.

The landing zone belongs to upstream systems and is never touched; logs have a module of their own (`log_retention`).
The audit trail and the tombstones are kept for good: without them nobody could tell what was removed, or why.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError


@dataclass(frozen=True)
class RetentionRule:
    """One asset and how long its days are kept.

    Attributes:
        asset: the folder below the storage.
        extension: of its files.
        days: a day is removed once it is more than this many days past.
        setting: the variable that says so.
    """

    asset: str
    extension: str
    days: int
    setting: str


@dataclass(frozen=True)
class Expired:
    """A stored day that is older than its rule allows."""

    rule: RetentionRule
    day: date


# What belongs to a decision must be there as long as the decision can be disputed.
_DECISIONS = {
    "daily_predictions": "parquet",
    "review_queue": "parquet",
    "trained_model": "zip",
    "validation_metrics": "json",
    "test_readings": "json",
    "model_release": "json",
    "model_card": "json",
    "model_card_page": "html",
}
_TRANSACTIONS = {
    "raw_transactions": "parquet",
    "quarantine": "parquet",
    "confirmed_labels": "parquet",
    "label_quarantine": "parquet",
}
# Can be made again from the transactions for as long as those are kept.
_FEATURES = {"features": "parquet", "splits": "parquet"}
_REPORTS = {"drift_report": "json", "realised_performance": "json", "shadow_report": "json"}


def retention_rules(
    *, decisions_days: int, transactions_days: int, features_days: int, reports_days: int, training_window_days: int
) -> tuple[RetentionRule, ...]:
    """The rule of every stored asset.

    Raises:
        PlatformError: what a model learns from would be removed before the model is trained.
    """
    classes = (
        ("decisions", decisions_days, _DECISIONS),
        ("transactions", transactions_days, _TRANSACTIONS),
        ("features", features_days, _FEATURES),
        ("reports", reports_days, _REPORTS),
    )
    for name, days, _ in classes[1:3]:
        if days < training_window_days:
            raise PlatformError(
                f"FRAUD_RETENTION_{name.upper()}_DAYS={days} removes what the {training_window_days} days of "
                "FRAUD_TRAINING_WINDOW_DAYS learn from; keep it longer, or learn from fewer days"
            )
    return tuple(
        RetentionRule(asset, extension, days, f"FRAUD_RETENTION_{name.upper()}_DAYS")
        for name, days, assets in classes
        for asset, extension in assets.items()
    )


def expired_days(store: DayStore, rules: Iterable[RetentionRule], today: date) -> Iterator[Expired]:
    """Every stored day that is older than its rule allows, asset by asset, oldest first."""
    for rule in rules:
        first_kept = today - timedelta(days=rule.days)
        for day in store.days(rule.asset, rule.extension):
            if day < first_kept:
                yield Expired(rule, day)


def remove(store: DayStore, expired: Expired) -> None:
    """Removes one stored day; one that is gone already is no error."""
    store.path(expired.rule.asset, expired.day, expired.rule.extension).unlink(missing_ok=True)
