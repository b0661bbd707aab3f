"""A quarter counted by band: days add up, only mature labels count, and only of transactions that are still stored."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd

from fraud_platform.day_store import DayStore
from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.monitoring.fairness import period_markdown
from fraud_platform.monitoring.outcome import LabelRules
from fraud_platform.monitoring.period import Period
from fraud_platform.monitoring.period_fairness import count_period
from fraud_platform_tests.registry.registration import march

QUARTER = Period.quarter("2026-Q1")
RULES = LabelRules(delay_days=2)


def write_day(store: DayStore, day: date, predictions: Sequence[int], *, stored: Sequence[int] | None = None) -> None:
    """A day of decisions at noon about amounts of 50; `stored` are the rows whose transactions are still there."""
    ids = [f"{day:%d}-{number}" for number in range(len(predictions))]
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    decisions = pd.DataFrame(
        {"transaction_id": ids, "event_time": noon, "fraud_probability": 0.5, "prediction": predictions}
    )
    raw = pd.DataFrame({"transaction_id": ids, "Amount": 50.0})
    store.write_table("daily_predictions", day, decisions)
    store.write_table("raw_transactions", day, raw if stored is None else raw.iloc[list(stored)])


def write_labels(store: DayStore, day: date, labels: dict[str, int], about: Sequence[date]) -> None:
    table = pd.DataFrame({"transaction_id": list(labels), "Class": list(labels.values())}).astype({"Class": "int8"})
    store.write_table("confirmed_labels", day, table, metadata=LabelFacts.of_table(table, about).as_text())


def test_days_add_up_and_labels_count_once_they_are_mature(tmp_path: Path):
    store = DayStore.at(str(tmp_path))
    write_day(store, march(1), [1, 1, 0, 0])
    # Transaction 3 of the first day has gone, and its decision is counted with nobody's amount.
    write_day(store, march(2), [1, 0, 0, 0], stored=[0, 1, 2])
    # Not mature: its one label arrived on its own day, and others are missing.
    write_day(store, march(4), [1, 0])
    write_labels(store, march(3), {"01-0": 1, "01-1": 0, "01-2": 1, "02-0": 1}, [march(1), march(2)])
    write_labels(store, march(4), {"01-1": 1, "04-0": 1}, [march(1), march(4)])

    counts = count_period(QUARTER, store=store, rules=RULES)

    total = counts.total
    assert (counts.first_day, counts.last_day) == (march(1), march(4))
    assert (total.transactions, total.alerts) == (4 + 3 + 2, 2 + 1 + 1)
    # The later label of 01-1 supersedes the earlier one.
    assert (total.frauds, total.missed, total.legitimate, total.false_alerts) == (4, 1, 0, 0)
    (band,) = [band for band in counts.bands if band.quantity == "amount" and band.low <= 50 < band.high]
    assert band.transactions == total.transactions


def test_days_decided_in_hindsight_do_not_count(tmp_path: Path):
    store = DayStore.at(str(tmp_path))
    write_day(store, march(1), [1, 1, 0])
    write_day(store, march(2), [1, 0])

    counts = count_period(QUARTER, store=store, rules=RULES, without=[march(1)])

    assert (counts.first_day, counts.total.transactions, counts.total.alerts) == (march(2), 2, 1)
    assert "2 decisions of 2026-03-02 to 2026-03-02, 1 alerts" in period_markdown(counts)
    nothing = count_period(QUARTER, store=store, rules=RULES, without=[march(1), march(2)])
    assert nothing is None
    assert "Not applicable" in period_markdown(nothing)


def test_nothing_is_counted_of_days_outside_or_without_transactions(tmp_path: Path):
    store = DayStore.at(str(tmp_path))
    write_day(store, date(2026, 4, 1), [1])
    assert count_period(QUARTER, store=store, rules=RULES) is None
