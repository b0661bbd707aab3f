"""What the event log and the run history tell of batches, for whoever watches: read once, then only what is new.

What the figures mean belongs to `monitoring`; how they are shown belongs to the exporter.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.daily_asset import CAUSE, failed_days
from fraud_platform.defs.jobs import DAILY_ASSETS, RANGE_END_TAG, RANGE_START_TAG, RETRAINING_ASSETS
from fraud_platform.errors import DataError
from fraud_platform.monitoring.attempts import Attempt
from fraud_platform.monitoring.batches import IngestedBatch, ScoredBatch, ScoringTotals
from fraud_platform.monitoring.stored_figures import SCORES, JudgedDay

_log = logging.getLogger(__name__)

# What scoring a day takes, from a demo's to that of a bank; the alert's limit, 10 s, is one of them.
LATENCY_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
CHAINS = ("daily", "retraining", "other")

_PAGE = 500
# Clocks of several machines write the history: what ended a little earlier may be recorded a little later.
_OVERLAP = timedelta(minutes=5)
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_RETRY_TAG = "dagster/retry_number"


@dataclass(frozen=True)
class RunFacts:
    """What is counted of finished runs.

    Attributes:
        count_by_chain: finished runs by chain of assets and how they ended.
        restart_count: those that another run was restarted as.
        is_last_failed: by chain, whether the run that ended last failed.
    """

    count_by_chain: Mapping[tuple[str, str], int]
    restart_count: int
    is_last_failed: Mapping[str, bool]


@dataclass(frozen=True)
class History:
    """Everything that is watched of the history, as of one moment; by day, what is known of it last."""

    ingested: Mapping[date, IngestedBatch]
    scored: Mapping[date, ScoredBatch]
    judged: Mapping[date, JudgedDay]
    totals: ScoringTotals
    attempts: Sequence[Attempt]
    runs: RunFacts


class HistoryReader:
    """Follows the history of one instance; each `read` looks only at what has been written since the one before."""

    def __init__(self, instance: DagsterInstance):
        self._instance = instance
        self._cursors: dict[str, str | None] = {}
        self._ingested: dict[date, IngestedBatch] = {}
        self._scored: dict[date, ScoredBatch] = {}
        self._judged: dict[date, JudgedDay] = {}
        self._totals = ScoringTotals()
        self._attempts: dict[str, Attempt] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._restarts = 0
        self._last: dict[str, tuple[datetime, bool]] = {}
        self._runs: set[str] = set()
        self._updated: datetime | None = None

    def read(self) -> History:
        """The history as it is now."""
        self._follow("raw_transactions", self._take_ingested)
        self._follow("daily_predictions", self._take_scored)
        self._follow("realised_performance", self._take_judged)
        self._follow_runs()
        runs = RunFacts(dict(self._counts), self._restarts, {chain: bad for chain, (_, bad) in self._last.items()})
        return History(
            ingested=dict(self._ingested),
            scored=dict(self._scored),
            judged=dict(self._judged),
            totals=self._totals,
            attempts=tuple(self._attempts.values()),
            runs=runs,
        )

    def _follow(self, asset: str, take: Callable[[date, datetime, Mapping[str, Any]], None]) -> None:
        while True:
            page = self._instance.fetch_materializations(
                dg.AssetKey(asset), limit=_PAGE, cursor=self._cursors.get(asset), ascending=True
            )
            for record in page.records:
                materialisation = record.asset_materialization
                if materialisation and materialisation.partition:
                    told = {name: entry.value for name, entry in materialisation.metadata.items()}
                    try:
                        take(date.fromisoformat(materialisation.partition), _moment(record.timestamp), told)
                    except (TypeError, ValueError) as error:
                        # The log cannot be mended: what cannot be read is named once, and what follows it counts.
                        _log.warning("%s of %s tells what cannot be read: %s", asset, materialisation.partition, error)
            self._cursors[asset] = page.cursor
            if not page.has_more:
                return

    def _take_ingested(self, day: date, at: datetime, told: Mapping[str, Any]) -> None:
        known = self._ingested.get(day)
        version = str(told.get("data_version"))
        is_same = known is not None and known.data_version == version
        self._ingested[day] = IngestedBatch(
            day=day,
            data_version=version,
            ingested_at=known.ingested_at if known and is_same else at,
            landed_row_count=int(told.get("landed_rows", 0)),
            quarantined_by_reason={
                str(reason): int(count) for reason, count in dict(told.get("quarantined_by_reason") or {}).items()
            },
        )

    def _take_scored(self, day: date, at: datetime, told: Mapping[str, Any]) -> None:
        batch = ScoredBatch(
            day=day,
            scored_at=at,
            row_count=int(told.get("dagster/row_count", 0)),
            alert_count=int(told.get("alerts", 0)),
            seconds=_number(told.get("scoring_seconds")),
        )
        self._scored[day] = batch
        self._totals = self._totals.with_batch(batch, LATENCY_BOUNDS)

    def _take_judged(self, day: date, at: datetime, told: Mapping[str, Any]) -> None:
        if told.get("is_mature") and told.get("status") == "applicable":
            self._judged[day] = JudgedDay(day, {name: _number(told.get(name)) for name in SCORES})
        else:
            self._judged.pop(day, None)

    def _follow_runs(self) -> None:
        since = self._updated - _OVERLAP if self._updated else None
        records = self._instance.get_run_records(
            dg.RunsFilter(statuses=list(_FINISHED), updated_after=since), order_by="update_timestamp", ascending=True
        )
        for record in records:
            run = record.dagster_run
            if run.run_id not in self._runs:
                self._take_run(record)
                self._runs.add(run.run_id)
            self._updated = record.update_timestamp

    def _take_run(self, record: dg.RunRecord) -> None:
        run = record.dagster_run
        chain, is_failed = chain_of(run), run.status != dg.DagsterRunStatus.SUCCESS
        ended = _moment(record.end_time) if record.end_time else _aware(record.update_timestamp)
        began = _moment(record.start_time) if record.start_time else _aware(record.create_timestamp)
        days = frozenset(_days_of(run))
        if chain == "daily" and days:
            broken = frozenset(self._broken_days(run, days)) if is_failed else frozenset()
            self._attempts[run.run_id] = Attempt(days, began, ended, is_failed, broken)
        self._counts[chain, run.status.value.lower()] += 1
        self._restarts += int(bool(run.parent_run_id) or _RETRY_TAG in run.tags)
        if chain not in self._last or ended >= self._last[chain][0]:
            self._last[chain] = (ended, is_failed)

    def _broken_days(self, run: dg.DagsterRun, days: frozenset[date]) -> Iterator[date]:
        """Those of the days whose data broke the contract, as the log of a failed run tells."""
        wanted = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
        for entry in self._instance.all_logs(run.run_id, of_type=wanted):
            event = entry.dagster_event
            if event and event.is_step_failure and (failure := event.step_failure_data.user_failure_data):
                if CAUSE in failure.metadata and failure.metadata[CAUSE].value == DataError.__name__:
                    yield from map(date.fromisoformat, failed_days(failure.metadata))
            elif event and isinstance(verdict := event.event_specific_data, dg.AssetCheckEvaluation):
                # Of a range, Dagster's own verdict on all its days names none; each day has another beside it.
                broken = {date.fromisoformat(verdict.partition)} if verdict.partition else days
                if verdict.blocking and not verdict.passed and len(broken) == 1:
                    yield from broken


def chain_of(run: dg.DagsterRun) -> str:
    """Which chain of assets a run belongs to, one of `CHAINS`, whether a job or a backfill started it."""
    if run.job_name in ("daily", "retraining"):
        return run.job_name
    names = {key.path[-1] for key in run.asset_selection or ()}
    if names & set(DAILY_ASSETS):
        return "daily"
    return "retraining" if names & set(RETRAINING_ASSETS) else "other"


def _days_of(run: dg.DagsterRun) -> Iterator[date]:
    tags = run.tags
    first = tags.get(RANGE_START_TAG) or tags.get("dagster/partition")
    last = tags.get(RANGE_END_TAG) or first
    if first and last:
        try:
            begin, end = date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal()
        except ValueError:
            # Somebody has launched a run with a tag of their own making.
            return
        yield from map(date.fromordinal, range(begin, end + 1))


def _number(told: Any) -> float | None:
    return None if told is None else float(told)


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def _aware(moment: datetime) -> datetime:
    """Dagster's records keep UTC without saying so."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
