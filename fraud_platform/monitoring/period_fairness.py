"""The decisions of a period counted by band, with the labels that are mature now: what a fairness audit rests on.

What the counts say belongs to `fairness`, the page around it to `period_report`.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date

from fraud_platform.day_store import DayStore
from fraud_platform.ingestion.label_lookup import LabelFacts, labels_concerning
from fraud_platform.monitoring.band_counts import DecisionCounts
from fraud_platform.monitoring.outcome import LabelRules, labelled_decisions
from fraud_platform.monitoring.performance import UNKNOWN
from fraud_platform.monitoring.period import Period


def count_period(
    period: Period, *, store: DayStore, rules: LabelRules, without: Collection[date] = ()
) -> DecisionCounts | None:
    """Every decision of the period whose transaction is still stored, by band; None without any.

    Days are read one at a time, so that a quarter needs no more memory than its largest day.

    Args:
        period: which days.
        store: of `daily_predictions`, `raw_transactions` (for the amounts) and `confirmed_labels`.
        rules: when labels count.
        without: days that do not count, such as those decided in hindsight.
    """
    facts = {
        arrival: LabelFacts.of_text(store.read_table_metadata("confirmed_labels", arrival))
        for arrival in store.days("confirmed_labels", "parquet")
    }
    total = None
    for counts in _days(period, store, facts, rules, without):
        total = counts if total is None else total + counts
    return total


def _days(
    period: Period, store: DayStore, facts: Mapping[date, LabelFacts], rules: LabelRules, without: Collection[date]
) -> Iterator[DecisionCounts]:
    kept = set(store.days("raw_transactions", "parquet")) - set(without)
    for day in store.days("daily_predictions", "parquet"):
        if period.covers(day) and day in kept:
            yield _one_day(day, store, facts, rules)


def _one_day(day: date, store: DayStore, facts: Mapping[date, LabelFacts], rules: LabelRules) -> DecisionCounts:
    columns = ("transaction_id", "event_time", "fraud_probability", "prediction")
    decisions = store.read_table("daily_predictions", day, columns)
    amounts = store.read_table("raw_transactions", day, ("transaction_id", "Amount"))
    decisions = decisions.merge(amounts, on="transaction_id", how="inner", validate="one_to_one")
    labels = decisions[["transaction_id"]].assign(Class=UNKNOWN)
    if facts:
        arrived = {
            arrival: store.read_table("confirmed_labels", arrival, ("transaction_id", "Class"))
            for arrival in labels_concerning(facts, day, day)
        }
        labelled, is_mature = labelled_decisions(day, decisions, arrived, facts, rules)
        if is_mature:
            labels["Class"] = labelled["known"].to_numpy()
    return DecisionCounts.of(decisions, labels[labels["Class"] != UNKNOWN])
