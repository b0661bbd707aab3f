"""A month or a quarter of the platform, gathered from the registry, the stored files and the audit trail.

How it is written down belongs to `period_report`.
"""

import calendar
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import AuditTrail, is_wanted
from fraud_platform.governance.audit_entry import AuditEntry
from fraud_platform.ingestion.schema import LABEL_COLUMN, SOURCE_COLUMN
from fraud_platform.metrics import ratio
from fraud_platform.registry.registry import ROLLBACK_REASON, ModelRegistry, Tenure

# Python's calendar begins with the year 1.
_MONTH = re.compile(r"(?!0000)([0-9]{4})-([0-9]{2})")
_QUARTER = re.compile(r"(?!0000)([0-9]{4})-Q([1-4])")
_MONTHS_OF_A_YEAR, _MONTHS_OF_A_QUARTER = 12, 3
_COUNTS = ("true_positives", "false_positives", "false_negatives")


@dataclass(frozen=True)
class Period:
    """Some days in a row with a name."""

    name: str
    first_day: date
    last_day: date

    @classmethod
    def month(cls, text: str) -> "Period":
        """The month written as YYYY-MM.

        Raises:
            PlatformError: it is written otherwise.
        """
        match = _MONTH.fullmatch(text)
        if not match or not 1 <= int(match[2]) <= _MONTHS_OF_A_YEAR:
            raise PlatformError(f"{text!r} is not a month; write YYYY-MM, such as 2026-10")
        return cls(text, *_months(int(match[1]), int(match[2]), 1))

    @classmethod
    def quarter(cls, text: str) -> "Period":
        """The quarter written as YYYY-Qn.

        Raises:
            PlatformError: it is written otherwise.
        """
        match = _QUARTER.fullmatch(text)
        if not match:
            raise PlatformError(f"{text!r} is not a quarter; write YYYY-Qn, such as 2026-Q3")
        first = (int(match[2]) - 1) * _MONTHS_OF_A_QUARTER + 1
        return cls(text, *_months(int(match[1]), first, _MONTHS_OF_A_QUARTER))

    def covers(self, day: date) -> bool:
        """Whether `day` is one of these days."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True)
class Figures:
    """What decisions of some days turned out to be, or were estimated to be.

    Attributes:
        day_count: days that the counts rest on.
        true_positives, false_positives, false_negatives: pooled over them.
    """

    day_count: int
    true_positives: float
    false_positives: float
    false_negatives: float

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); nan with neither frauds nor alerts."""
        hits = 2 * self.true_positives
        return float(ratio(hits, hits + self.false_positives + self.false_negatives))

    @property
    def precision(self) -> float:
        """TP / (TP + FP); nan without alerts."""
        return float(ratio(self.true_positives, self.true_positives + self.false_positives))

    @property
    def recall(self) -> float:
        """TP / (TP + FN); nan without frauds."""
        return float(ratio(self.true_positives, self.true_positives + self.false_negatives))


@dataclass(frozen=True)
class Week:
    """The days of a calendar week (from Monday) that lie in the period and were decided.

    Attributes:
        first_day, last_day: of these days.
        day_count: how many they are.
        transaction_count, alert_count: decided and alerted.
        realised: on the days with mature labels, without those decided in hindsight.
        estimated: on all of its days but these, from the probabilities.
        drifted_days: days on which the drift check failed.
        largest_psi: of all features on all days, and the feature's name; None without a report.
    """

    first_day: date
    last_day: date
    day_count: int
    transaction_count: int
    alert_count: int
    realised: Figures
    estimated: Figures
    drifted_days: int
    largest_psi: tuple[float, str] | None


@dataclass(frozen=True)
class PeriodFacts:
    """Everything a report of the period tells.

    Attributes:
        period: which days.
        weeks: those with decided days, in order.
        hindsight_days: those decided by a model that had learned from them, which says nothing about how good it is.
        tenures: who decided, in order; those that touch the period.
        releases: the stored decision about every model trained as of a day of the period.
        shadow_verdicts: by day, what a shadow came to: promote, reject or approve, and why.
        semver: semantic version of every registered model, by its number.
        labels: how many labels arrived, by source and class.
        refused_labels: how many decide nothing, by reason.
        audit: entries written in these days.
        origins: where the transactions come from.
    """

    period: Period
    weeks: Sequence[Week]
    hindsight_days: Sequence[date]
    tenures: Sequence[Tenure]
    releases: Sequence[Mapping[str, Any]]
    shadow_verdicts: Mapping[date, Mapping[str, Any]]
    semver: Mapping[str, str]
    labels: Mapping[tuple[str, int], int]
    refused_labels: Mapping[str, int]
    audit: Sequence[AuditEntry]
    origins: frozenset[str]

    @property
    def changes(self) -> Sequence[Tenure]:
        """The tenures that began in the period."""
        return [tenure for tenure in self.tenures if self.period.covers(tenure.first_day)]

    @property
    def rollbacks(self) -> Sequence[Tenure]:
        """Those of them that began with a rollback."""
        return [tenure for tenure in self.changes if tenure.reason.startswith(ROLLBACK_REASON)]


def gather(period: Period, *, store: DayStore, registry: ModelRegistry, trail: AuditTrail) -> PeriodFacts:
    """What is known of the period now.

    Raises:
        PlatformError: no day of it is scored.
        RegistryError: the registry cannot be reached.
    """
    scored = [day for day in store.days("daily_predictions", "parquet") if period.covers(day)]
    if not scored:
        raise PlatformError(
            f"no day from {period.first_day} to {period.last_day} is scored; choose another period, or score these days"
        )
    by_week: dict[date, list[date]] = {}
    for day in scored:
        by_week.setdefault(day - timedelta(days=day.weekday()), []).append(day)
    footers = {day: store.read_table_metadata("daily_predictions", day) for day in scored}
    as_of = {version.version: version.as_of for version in registry.versions()}
    hindsight = [day for day in scored if day <= as_of.get(footers[day].get("model_version", ""), date.min)]
    return PeriodFacts(
        period=period,
        weeks=[_week(store, days, hindsight) for days in by_week.values()],
        hindsight_days=hindsight,
        tenures=[tenure for tenure in registry.tenures() if _touches(tenure, period)],
        releases=[store.read_json("model_release", day) for day in _days(store, "model_release", "json", period)],
        shadow_verdicts=dict(_shadow_verdicts(store, period)),
        semver={version.version: version.semver for version in registry.versions()},
        labels=_labels(store, period),
        refused_labels=_refused_labels(store, period),
        audit=[
            entry for entry in trail.entries() if is_wanted(entry, first_day=period.first_day, last_day=period.last_day)
        ],
        origins=frozenset(footer["data_origin"] for footer in footers.values()),
    )


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    """The first and the last day of so many months of one year."""
    last = month + count - 1
    return date(year, month, 1), date(year, last, calendar.monthrange(year, last)[1])


def _days(store: DayStore, asset: str, extension: str, period: Period) -> list[date]:
    return [day for day in store.days(asset, extension) if period.covers(day)]


def _touches(tenure: Tenure, period: Period) -> bool:
    return tenure.first_day <= period.last_day and (tenure.last_day is None or tenure.last_day >= period.first_day)


def _week(store: DayStore, days: Sequence[date], hindsight: Sequence[date]) -> Week:
    reported = _stored(store, "realised_performance", days)
    outcomes = {day: store.read_json("realised_performance", day) for day in reported}
    judged = [outcome for day, outcome in outcomes.items() if day not in hindsight]
    reports = [store.read_json("drift_report", day) for day in _stored(store, "drift_report", days)]
    indices = [(feature["psi"], feature["feature"]) for report in reports for feature in report["features"]]
    return Week(
        first_day=days[0],
        last_day=days[-1],
        day_count=len(days),
        transaction_count=sum(outcome["estimated"]["prediction_count"] for outcome in outcomes.values()),
        alert_count=sum(outcome["estimated"]["alert_count"] for outcome in outcomes.values()),
        realised=_pooled(outcome["realised"] for outcome in judged if outcome["is_mature"]),
        estimated=_pooled(outcome["estimated"] for outcome in judged),
        drifted_days=sum(report["verdict"]["status"] == "drifted" for report in reports),
        largest_psi=max(indices, default=None),
    )


def _stored(store: DayStore, asset: str, days: Sequence[date]) -> list[date]:
    return [day for day in days if store.exists(asset, day, "json")]


def _pooled(documents: Iterator[Mapping[str, Any]]) -> Figures:
    counted = [document for document in documents if document.get("true_positives") is not None]
    return Figures(len(counted), *(float(sum(document[name] for document in counted)) for name in _COUNTS))


def _shadow_verdicts(store: DayStore, period: Period) -> Iterator[tuple[date, Mapping[str, Any]]]:
    for day in _days(store, "shadow_report", "json", period):
        report = store.read_json("shadow_report", day)
        if report["action"] in ("promote", "reject", "approve"):
            yield day, report


def _labels(store: DayStore, period: Period) -> Mapping[tuple[str, int], int]:
    counts: Counter[tuple[str, int]] = Counter()
    for day in _days(store, "confirmed_labels", "parquet", period):
        table = store.read_table("confirmed_labels", day)
        counts.update(zip(table[SOURCE_COLUMN].astype(str), table[LABEL_COLUMN].astype(int), strict=True))
    return dict(sorted(counts.items()))


def _refused_labels(store: DayStore, period: Period) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for day in _days(store, "label_quarantine", "parquet", period):
        reasons = store.read_table("label_quarantine", day)["reason"].value_counts()
        counts.update({str(reason): int(count) for reason, count in reasons.items()})
    return dict(sorted(counts.items()))
