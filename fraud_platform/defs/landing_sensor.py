"""Which landed days need a run: compares what stands in the landing zone with what the event log says was made of it.

Everything is decided from the event log and the run history; the cursor only spares days that are settled a second
look, so a lost one costs time and nothing else. Files are listed, never read.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.history import has_champion, latest_materialisation_metadata, runs_tagged
from fraud_platform.defs.jobs import CAUSE_TAG, LANDED_TAG, TRIGGER_TAG, daily
from fraud_platform.defs.partitions import DAYS, LABEL_SEARCH_DAYS
from fraud_platform.defs.remedies import told_in_one_line
from fraud_platform.defs.resources import Platform
from fraud_platform.errors import RegistryUnavailableError

# A tick has a minute; more days than this wait for the next one.
DAYS_PER_TICK = 20
# A day that failed so often with the same files and champion waits for others, or for a person.
ATTEMPTS_PER_STATE = 3
RETRY_AFTER_SECONDS = 900

INGESTED = ("raw_transactions", "confirmed_labels", "features")
LABELLED = ("confirmed_labels", "realised_performance")


@dataclass(frozen=True)
class Need:
    """What a landed day lacks: why, and which assets of the daily chain make up for it; None means all."""

    cause: str
    assets: tuple[str, ...] | None


def what_is_needed(
    instance: DagsterInstance,
    day: date,
    *,
    files: str | None,
    label_files: str | None,
    searchable_days: int,
    is_scored: bool,
) -> Need | None:
    """What `day` lacks, or None when everything that can be made of its files has been made.

    Args:
        instance: whose event log is asked.
        day: the landed day.
        files: fingerprint of the transaction files that stand there; None on a day on which only labels arrived.
        label_files: fingerprint of the label files; None without any.
        searchable_days: how many days of transactions its labels may be about are there now.
        is_scored: whether there is a champion to score with; before the first one, days are only ingested.
    """
    if files is not None:
        ingested = latest_materialisation_metadata(instance, "raw_transactions", day)
        if ingested.get("landing_fingerprint") != files:
            return Need("changed files" if ingested else "new files", None if is_scored else INGESTED)
        decided = latest_materialisation_metadata(instance, "daily_predictions", day)
        if is_scored and decided.get("data_version") != ingested["data_version"]:
            return Need("ingested, but not scored", None)
    labelled = latest_materialisation_metadata(instance, "confirmed_labels", day)
    # The decisions of the day stand, if there are any; only what is known about them has changed.
    assets = LABELLED if is_scored and files is not None else ("confirmed_labels",)
    if label_files and labelled.get("landing_fingerprint") != label_files:
        return Need("new labels", assets)
    if labelled.get("labels_without_transaction") and labelled["days_searched"] != searchable_days:
        return Need("transactions landed after their labels", assets)
    return None


@dataclass(frozen=True)
class Champion:
    """Who decides now, asked of the registry only where the event log cannot answer.

    While the registry is out of reach nothing is concluded: days are ingested without it.

    Attributes:
        platform: whose registry is asked.
        is_known: whether there is a champion, as the event log tells it; None where it cannot.
    """

    platform: Platform
    is_known: bool | None

    @cached_property
    def is_there(self) -> bool:
        """Whether anybody decides."""
        if self.is_known is not None:
            return self.is_known
        try:
            return self.platform.registry.first_champion() is not None
        except RegistryUnavailableError:
            return False

    def runs_since(self, runs: Sequence[dg.RunRecord]) -> Sequence[dg.RunRecord]:
        """Those that the champion of now may have failed: a damaged one fails days that its successor can score."""
        since = self._since if runs and self.is_known is not False else None
        return [run for run in runs if since is None or run.create_timestamp > since]

    @cached_property
    def _since(self) -> datetime | None:
        from fraud_platform.registry.champion import last_decision

        try:
            return last_decision(self.platform.registry)
        except RegistryUnavailableError:
            return None


@dg.sensor(
    job=daily,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Runs the daily chain, or what is missing of it, for every day whose landed files ask for it.",
)
def landing_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SensorResult:
    """Asks for each day that needs a run, oldest first, and again for one that failed, as often as it is worth."""
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    with told_in_one_line(context.log, f"landing zone {platform.landing_url}"):
        files, label_files = platform.landing.fingerprints(), platform.landing.fingerprints("labels")
    with told_in_one_line(context.log, f"storage {platform.storage_url}"):
        ingested = platform.store.days("raw_transactions", "parquet")
    calendar = set(DAYS.get_partition_keys())
    champion = Champion(platform, has_champion(context.instance))
    requests: list[dg.RunRequest] = []
    given_up: list[str] = []
    for day in (day for day in sorted({*files, *label_files}) if day.isoformat() in calendar):
        key = day.isoformat()
        # Only labels look back, so a day without label files need not be looked at again when other days land.
        searchable = _searchable_days(ingested, day) if day in label_files else 0
        state = (
            f"{key}-{files.get(day, '')[-16:]}-{label_files.get(day, '')[-16:]}-{searchable}-"
            f"{'scored' if champion.is_there else 'ingested'}"
        )
        if seen.get(key) == f"settled-{state}":
            continue
        need = what_is_needed(
            context.instance,
            day,
            files=files.get(day),
            label_files=label_files.get(day),
            searchable_days=searchable,
            is_scored=champion.is_there,
        )
        if need is None:
            seen[key] = f"settled-{state}"
            continue
        runs = runs_tagged(context.instance, LANDED_TAG, state)
        if any(not run.dagster_run.is_finished for run in runs) or (not runs and seen.get(key) == f"asked-{state}"):
            continue
        failed = champion.runs_since(runs)
        if any(time.time() - (run.end_time or 0) < RETRY_AFTER_SECONDS for run in failed):
            continue
        if len(failed) >= ATTEMPTS_PER_STATE:
            given_up.append(key)
        elif len(requests) < DAYS_PER_TICK:
            requests.append(_request(key, state, need, len(runs)))
            seen[key] = f"asked-{state}"
    cursor = json.dumps(seen)
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    return dg.SensorResult(skip_reason=_why_nothing(files, given_up), cursor=cursor)


def _searchable_days(ingested: Iterable[date], day: date) -> int:
    return sum(0 <= (day - each).days <= LABEL_SEARCH_DAYS for each in ingested)


def _request(key: str, state: str, need: Need, attempts: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{state}-{attempts}",
        partition_key=key,
        asset_selection=[dg.AssetKey(asset) for asset in need.assets] if need.assets else None,
        tags={TRIGGER_TAG: "landing", CAUSE_TAG: need.cause, LANDED_TAG: state},
    )


def _why_nothing(days: Iterable[date], given_up: list[str]) -> str:
    return "; ".join(_reasons(days, given_up))


def _reasons(days: Iterable[date], given_up: list[str]) -> Iterator[str]:
    yield "no new or changed files"
    first = DAYS.get_first_partition_key() or ""
    earlier = [day for day in days if day.isoformat() < first]
    if earlier:
        yield f"{len(earlier)} landed days lie before the calendar: set FRAUD_START_DATE to {min(earlier)} and restart"
    if given_up:
        yield f"failed {ATTEMPTS_PER_STATE} times and waits for other files or a person: {', '.join(given_up)}"
