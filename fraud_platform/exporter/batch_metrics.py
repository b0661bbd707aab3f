"""The metrics of batches and runs: decisions, latency, errors, quality of what was landed.

What the figures are belongs to `monitoring`. No label names a day: the number of series stays what it is.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from fraud_platform.defs.watched_history import CHAINS, LATENCY_BOUNDS, History
from fraud_platform.exporter.families import counter, counters, gauge, gauges
from fraud_platform.ingestion.quarantine import (
    INFINITE,
    INVALID_CLASS,
    MISSING,
    NEGATIVE_AMOUNT,
    NEGATIVE_TIME,
    REASONS,
)
from fraud_platform.monitoring.attempts import broken_share, error_share
from fraud_platform.monitoring.batches import IngestedBatch, ScoredBatch, decision_shift, scoring_latency

OUT_OF_RANGE = (INFINITE, NEGATIVE_AMOUNT, NEGATIVE_TIME, INVALID_CLASS)


def batch_metrics(history: History, now: datetime) -> Iterator[Metric]:
    """Every metric of batches and runs."""
    yield from _scoring(history)
    yield from _quality(history, now)
    yield from _runs(history)


def _scoring(history: History) -> Iterator[Metric]:
    totals = history.totals
    yield counters(
        "fraud_predictions",
        "Decisions made, by what was decided; a day that is scored again counts again.",
        "label",
        {"fraud": totals.alert_count, "legitimate": totals.other_count},
    )
    yield HistogramMetricFamily(
        "fraud_scoring_seconds",
        "Seconds that scoring a day took.",
        buckets=[
            *((f"{bound:g}", totals.count_by_bound.get(bound, 0)) for bound in LATENCY_BOUNDS),
            ("+Inf", totals.timed_count),
        ],
        sum_value=totals.seconds,
    )
    yield gauges(
        "fraud_scoring_latency_seconds",
        "Seconds that scoring a day took, over the batches of the last 24 hours of work, by quantile.",
        "quantile",
        {f"{quantile:g}": seconds for quantile, seconds in scoring_latency(history.scored.values()).items()},
    )
    if history.scored:
        yield from _newest_scored(history.scored[max(history.scored)])
    if shift := decision_shift(history.scored):
        yield gauge(
            "fraud_prediction_shift_ratio",
            "Relative change of the detection rate against the seven days before: 0.2 is a fifth more.",
            shift.ratio,
        )
        yield gauge(
            "fraud_prediction_shift_sigmas",
            "The same change in standard errors: chance alone stays within 3.",
            shift.sigmas,
        )


def _newest_scored(batch: ScoredBatch) -> Iterator[Metric]:
    yield gauge("fraud_scored_rows", "Decisions about the newest day.", batch.row_count)
    yield gauge("fraud_detection_rate", "Share of the newest day's decisions that are fraud.", batch.alert_share)
    yield gauge(
        "fraud_predictions_per_minute",
        "Decisions a minute while the newest day was scored.",
        batch.predictions_per_minute,
    )
    yield gauge(
        "fraud_newest_day_timestamp_seconds",
        "The newest day that is decided, as the moment it began.",
        datetime.combine(batch.day, time(), UTC).timestamp(),
    )


def _quality(history: History, now: datetime) -> Iterator[Metric]:
    yield counter(
        "fraud_batches",
        "Days that runs of the daily chain worked on.",
        sum(len(each.days) for each in history.attempts),
    )
    yield counter(
        "fraud_schema_failures",
        "Those whose landed data broke the contract.",
        sum(len(each.broken_days) for each in history.attempts),
    )
    yield gauge(
        "fraud_schema_failure_ratio",
        "Share of the batches of the last 7 days of work whose newest run found the contract broken.",
        broken_share(history.attempts),
    )
    if history.ingested:
        yield from _newest_ingested(history.ingested[max(history.ingested)], now)


def _newest_ingested(batch: IngestedBatch, now: datetime) -> Iterator[Metric]:
    yield gauge("fraud_landed_rows", "Rows landed for the newest day.", batch.landed_row_count)
    yield gauges(
        "fraud_quarantined_rows",
        "Rows of the newest day that may not pass, by their first reason.",
        "reason",
        {reason: batch.quarantined_by_reason.get(reason, 0) for reason in REASONS},
    )
    yield gauge(
        "fraud_missing_value_ratio",
        "Share of the newest day's rows that lack a value.",
        batch.share_quarantined_for(MISSING),
    )
    yield gauge(
        "fraud_range_violation_ratio",
        "Share of the newest day's rows with a value outside its allowed range.",
        batch.share_quarantined_for(*OUT_OF_RANGE),
    )
    yield gauge(
        "fraud_last_ingest_timestamp_seconds",
        "When data of the newest day was ingested; ingesting the same bytes again does not count.",
        batch.ingested_at.timestamp(),
    )
    yield gauge("fraud_last_ingest_age_seconds", "How long ago that was.", (now - batch.ingested_at).total_seconds())


def _runs(history: History) -> Iterator[Metric]:
    runs = history.runs
    finished = CounterMetricFamily(
        "fraud_runs", "Finished runs, by chain of assets and how they ended.", labels=["chain", "status"]
    )
    for chain in CHAINS:
        for status in ("success", "failure", "canceled"):
            finished.add_metric([chain, status], runs.count_by_chain.get((chain, status), 0))
    yield finished
    yield counter("fraud_run_restarts", "Runs that were another run's next try.", runs.restart_count)
    yield gauges(
        "fraud_last_run_failed",
        "1 where the run that ended last did not end well, by chain of assets.",
        "chain",
        {chain: float(runs.is_last_failed.get(chain, False)) for chain in CHAINS},
    )
    yield gauge(
        "fraud_error_ratio",
        "Share of the days of the last 24 hours of work whose newest run has left them without decisions.",
        error_share(history.attempts, {day: batch.scored_at for day, batch in history.scored.items()}),
    )
