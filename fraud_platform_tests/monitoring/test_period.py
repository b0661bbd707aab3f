"""The report of a month or quarter: which days it covers, figures pooled by hand, and what it says of changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import AuditTrail, open_trail
from fraud_platform.monitoring.period import Figures, Period, PeriodFacts, gather
from fraud_platform.monitoring.period_plot import draw_period
from fraud_platform.monitoring.period_report import period_report
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform_tests.registry.registration import NOON, march, register

MARCH = Period.month("2026-03")
# From a Friday to the next Tuesday: two calendar weeks.
DAYS = [march(number) for number in range(6, 11)]


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        (Period.month("2026-02"), date(2026, 2, 1), date(2026, 2, 28)),
        (Period.month("2024-02"), date(2024, 2, 1), date(2024, 2, 29)),
        (Period.month("2026-12"), date(2026, 12, 1), date(2026, 12, 31)),
        (Period.quarter("2026-Q1"), date(2026, 1, 1), date(2026, 3, 31)),
        (Period.quarter("2026-Q4"), date(2026, 10, 1), date(2026, 12, 31)),
        (Period.month("9999-12"), date(9999, 12, 1), date.max),
        (Period.quarter("9999-Q4"), date(9999, 10, 1), date.max),
    ],
)
def test_a_period_has_its_first_and_last_day(period, first, last):
    assert (period.first_day, period.last_day) == (first, last)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "0000-01", "202\u0666-01", "2026", "March", "2026-Q1"])
def test_what_is_no_month_is_refused(text):
    with pytest.raises(PlatformError, match="is not a month; write YYYY-MM"):
        Period.month(text)


@pytest.mark.parametrize("text", ["2026-Q5", "2026-Q0", "0000-Q1", "2026-03"])
def test_what_is_no_quarter_is_refused(text):
    with pytest.raises(PlatformError, match="is not a quarter; write YYYY-Qn"):
        Period.quarter(text)


def outcome(*, hits: int, false_alerts: int, missed: int, is_mature: bool) -> dict[str, Any]:
    counts = {"true_positives": hits, "false_positives": false_alerts, "false_negatives": missed}
    nothing = dict.fromkeys(counts)
    told = {"prediction_count": 100, "alert_count": hits + false_alerts}
    realised = {**told, **(counts if is_mature else nothing)}
    return {"is_mature": is_mature, "realised": realised, "estimated": {**told, **counts}}


def drift(psi: float, status: str) -> dict[str, Any]:
    features = [{"feature": "V1", "psi": psi}, {"feature": "V2", "psi": 0.01}]
    return {"verdict": {"status": status}, "features": features}


@pytest.fixture
def store(tmp_path: Path) -> DayStore:
    """Five days: the last has no mature labels, drift stands on the third."""
    store = DayStore.at(str(tmp_path / "storage"))
    for number, day in enumerate(DAYS):
        store.write_table("daily_predictions", day, pd.DataFrame({"n": [1]}), {"data_origin": "replayed"})
        is_last = day == DAYS[-1]
        store.write_json("realised_performance", day, outcome(hits=3, false_alerts=1, missed=2, is_mature=not is_last))
        store.write_json(
            "drift_report", day, drift(0.3 if number == 2 else 0.1, "drifted" if number == 2 else "stable")
        )
    labels = pd.DataFrame(
        {"transaction_id": ["a", "b", "c"], "Class": [1, 0, 0], "source": ["fraud_report", "label_file", "label_file"]}
    )
    store.write_table("confirmed_labels", DAYS[0], labels, {})
    store.write_table("label_quarantine", DAYS[1], pd.DataFrame({"reason": ["too early", "too early"]}), {})
    release = {
        "model": {"as_of": "2026-03-07", "semver": "1.1.0"},
        "trigger": "drift",
        "cause": "V1 | V2\nmoved",
        "action": "shadow",
        "reasons": ["it is better"],
        "metadata": {"metrics": {"f1_score": 0.8125}},
    }
    store.write_json("model_release", march(7), release)
    verdict = {"challenger_version": "2", "action": "reject", "reasons": ["a loss"]}
    store.write_json("shadow_report", march(8), {**verdict, "action": "wait"})
    store.write_json("shadow_report", march(9), verdict)
    return store


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    """One entry in March and one after it."""
    moments: Iterator[datetime] = iter([NOON + timedelta(days=7), datetime(2026, 4, 1, tzinfo=UTC)])
    trail = open_trail(str(tmp_path / "audit"), actor="Ada", clock=lambda: next(moments))
    trail.record("promotion", subject="model/1.0.0", reason="it is good")
    trail.record("note", subject="model/1.0.0", reason="in April")
    return trail


@pytest.fixture
def facts(store: DayStore, trail: AuditTrail) -> PeriodFacts:
    registry = MemoryRegistry()
    registry.promote(register(registry, "first"), day=march(2), reason="it is good", promoted_at=NOON)
    at = NOON + timedelta(hours=1)
    registry.promote(register(registry, "second"), day=march(8), reason="it is better", promoted_at=at)
    registry.roll_back(day=march(10), reason="F1 fell", rolled_back_at=NOON + timedelta(hours=2))
    return gather(MARCH, store=store, registry=registry, trail=trail)


def test_weeks_begin_on_mondays_and_pool_the_counts_of_their_days(facts):
    first, second = facts.weeks
    assert [(week.first_day, week.last_day) for week in facts.weeks] == [(DAYS[0], DAYS[2]), (DAYS[3], DAYS[4])]
    assert (first.transaction_count, first.alert_count, first.drifted_days) == (300, 12, 1)
    assert first.largest_psi == (0.3, "V1")
    # Nine hits, three false alerts and six missed frauds in three days.
    assert (first.realised.precision, first.realised.recall) == (pytest.approx(9 / 12), pytest.approx(9 / 15))
    assert first.realised.f1 == pytest.approx(18 / 27)
    assert (second.realised.day_count, second.estimated.day_count) == (1, 2)


def test_days_decided_in_hindsight_count_in_no_figure_of_how_right_it_was(store, trail):
    registry = MemoryRegistry()
    # It has learned from the first three of the five days.
    version = register(registry, "first", as_of=DAYS[2])
    registry.promote(version, day=DAYS[3], reason="it is good", promoted_at=NOON)
    for day in DAYS:
        footer = {"data_origin": "replayed", "model_version": version.version}
        store.write_table("daily_predictions", day, pd.DataFrame({"n": [1]}), footer)
    facts = gather(MARCH, store=store, registry=registry, trail=trail)
    first, second = facts.weeks
    assert (first.realised.day_count, first.estimated.day_count, first.transaction_count) == (0, 0, 300)
    assert (second.realised.day_count, second.estimated.day_count) == (1, 2)
    report = period_report(facts)
    assert (
        "3 days, 2026-03-06 to 2026-03-08, were decided in hindsight, by a model that had learned from them" in report
    )
    assert "| 2026-03-06 to 2026-03-08 | 300 | 12 | n/a | n/a | n/a | 0 of 3 | n/a |" in report


def test_changes_and_rollbacks_are_those_that_began_in_the_period(facts):
    assert [tenure.first_day for tenure in facts.changes] == [march(2), march(8), march(10)]
    assert [tenure.reason for tenure in facts.rollbacks] == ["rollback: F1 fell"]
    assert [entry.reason for entry in facts.audit] == ["it is good"]
    assert list(facts.shadow_verdicts) == [march(9)]


def test_the_report_says_what_happened_and_no_text_breaks_its_tables(facts):
    report = period_report(
        facts, card="# fraud_detector\n\nThe card.", semver="1.0.0", sections=["## Fairness\n\nFair."]
    )
    assert "3 changes of the champion, 1 of them rollbacks; 1 models were made, 0 released at once." in report
    assert "| 2026-03-10 | now | 1.0.0 | rollback: F1 fell | schedule |" in report
    assert "| 2026-03-06 to 2026-03-08 | 300 | 12 | 0.667 | 0.750 | 0.600 | 3 of 3 | 0.667 |" in report
    assert "| 2026-03-07 | 1.1.0 | drift: V1 \\| V2 moved | shadow | it is better | 0.812 |" in report
    assert "| 2026-03-09 | 1.1.0 | reject | a loss |" in report
    assert "| fraud report | fraud | 1 |" in report
    assert "| too early | 2 |" in report
    assert "## Fairness\n\nFair." in report
    assert report.endswith("# The champion at the end: 1.0.0\n\nThe card.\n")


def test_the_same_facts_draw_the_same_picture(facts):
    assert draw_period(facts) == draw_period(facts)


def test_a_period_without_a_figure_is_drawn_too(facts):
    none = Figures(0, 0.0, 0.0, 0.0)
    weeks = [replace(week, realised=none, estimated=none, drifted_days=0) for week in facts.weeks]
    nothing = draw_period(replace(facts, weeks=weeks))
    assert nothing.startswith(b"\x89PNG")
    assert nothing != draw_period(facts)


def test_a_period_without_a_scored_day_says_so(store, trail):
    with pytest.raises(PlatformError, match="no day from 2026-04-01 to 2026-04-30 is scored"):
        gather(Period.month("2026-04"), store=store, registry=MemoryRegistry(), trail=trail)
