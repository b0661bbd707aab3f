"""Erases transactions from the whole platform: tombstones, models that learned from them, tables, audit, Dagster.

How rows leave a file belongs to `governance.erasure`. The order is that of safety: first the tombstones, so that
nothing comes in again; then the models; then the audit trail is told, and only then the tables are rewritten, splits
with a footer that still says who was learned from. Dying in between loses nothing: the same call goes on where it
stopped. What runs meanwhile may have read the transactions before; the same call, once it has ended, finds that, too.
"""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.resources import Platform
from fraud_platform.governance.erasure import Holding, Refresh, erase_from, find_transactions
from fraud_platform.governance.tombstones import leave_tombstones
from fraud_platform.ingestion.data_version import erased_data_version, erased_footer
from fraud_platform.ingestion.holding import LandedHolding, landed_with
from fraud_platform.ingestion.identity import day_in_identifier
from fraud_platform.storage import sha256

if TYPE_CHECKING:
    import pandas as pd

    from fraud_platform.registry.registry import ModelVersion

RAW = "raw_transactions"
# Every stored table with `transaction_id`, the one that the others' footers follow first.
TABLES = (RAW, "features", "confirmed_labels", "splits", "daily_predictions", "review_queue")
RETRAINING_NEEDED = "retraining_needed"
_LEARNED_SPLITS = ("train", "validation")
# In the footer of splits: the pseudonyms of erased transactions that a model was to learn from.
_ERASED_LEARNED = "erased_learned"
_AT_WORK = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING)
_HAVE_ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True)
class Erasure:
    """What an erasure did and what it leaves to others.

    Attributes:
        pseudonyms: by transaction.
        rows: rows removed, by asset.
        days: days of which a file was written anew.
        learned: registered models that learned from an erased transaction and must be trained again.
        unknown: models that may have: their splits are no longer stored, but their window held the day.
        landed: landed files that still hold an erased transaction.
        runs: Dagster runs that were at work meanwhile, which may have stored what they had read before.
    """

    pseudonyms: Mapping[str, str]
    rows: Mapping[str, int]
    days: Sequence[date]
    learned: Sequence["ModelVersion"]
    unknown: Sequence["ModelVersion"]
    landed: Sequence[LandedHolding]
    runs: Sequence[str]


def erase(
    platform: Platform,
    instance: DagsterInstance,
    transaction_ids: Collection[str],
    *,
    reason: str,
    search_all_landed: bool = False,
    step: Callable[[str], object] = lambda what: None,
) -> Erasure:
    """Removes transactions from every stored table for good; done again, it finds nothing more to do.

    Args:
        platform: whose storage, registry, landing zone and audit trail.
        instance: Dagster's history, which is told what was rewritten.
        transaction_ids: which; one that is stored nowhere gets its tombstone all the same.
        reason: why, for the audit trail.
        search_all_landed: look into every landed file, not only into those of the days concerned.
        step: called with a sentence before each piece of work.
    """
    began = datetime.now(UTC)
    at_work = _at_work(instance)
    step("leaving tombstones")
    pseudonyms = leave_tombstones(platform.storage_url, transaction_ids)
    step("looking for the transactions in every stored table")
    holdings = list(find_transactions(platform.store, TABLES, transaction_ids))
    step("looking for models that learned from them")
    learned, unknown = _models(platform, holdings, pseudonyms)
    _mark(platform, learned, reason)
    # Before the first table changes: whoever does it again after a crash no longer finds what has gone already.
    for transaction_id, pseudonym in pseudonyms.items():
        held = Counter(holding.asset for holding in holdings if transaction_id in holding.transaction_ids)
        details = {"files": dict(held), "models": [version.semver for version in learned]}
        platform.audit.record("erasure", subject=f"transaction/{pseudonym}", reason=reason, details=details)
    refresh = _Footers(platform, pseudonyms)
    rows: Counter[str] = Counter()
    for holding in holdings:
        step(f"rewriting {holding.asset} of {holding.day}")
        metadata = {"erased_rows": len(holding.transaction_ids)}
        instance.report_runless_asset_event(
            dg.AssetObservation(holding.asset, partition=holding.day.isoformat(), metadata=metadata)
        )
        rows[holding.asset] += _rewrite(platform, holding, refresh)
    step("looking for landed files that hold them")
    days = sorted({holding.day for holding in holdings})
    # A day may have landed without ever having been ingested.
    told = {day for day in map(day_in_identifier, transaction_ids) if day}
    landed = list(landed_with(platform.landing, transaction_ids, None if search_all_landed else {*days, *told}))
    ended = dg.RunsFilter(statuses=_HAVE_ENDED, updated_after=began)
    at_work |= {**_at_work(instance), **dict.fromkeys(run.run_id for run in instance.get_runs(ended))}
    return Erasure(pseudonyms, dict(rows), days, learned, unknown, landed, list(at_work))


def _at_work(instance: DagsterInstance) -> dict[str, None]:
    """The runs at work now, in the order of Dagster's list."""
    return dict.fromkeys(run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=_AT_WORK)))


def _mark(platform: Platform, learned: Sequence["ModelVersion"], reason: str) -> None:
    """Says of each of the models, once, that it must be trained again."""
    marked = platform.registry.notes(RETRAINING_NEEDED)
    for version in learned:
        if version.version in marked:
            continue
        platform.audit.record(
            "retraining_needed",
            subject=f"model/{version.semver}",
            reason=reason,
            details={"version": version.version, "as_of": version.as_of.isoformat()},
        )
        platform.registry.note(version, RETRAINING_NEEDED, "learned from a transaction that was erased")


@dataclass(frozen=True)
class _Footers:
    """How the footer of each table is kept true."""

    platform: Platform
    pseudonyms: Mapping[str, str]

    def of(self, asset: str) -> Refresh:
        """The function that makes the new footer of a file of `asset`."""
        others: dict[str, Refresh] = {
            RAW: self._raw,
            "features": self._features,
            "confirmed_labels": self._labels,
            "splits": self._splits,
            "daily_predictions": self._predictions,
        }
        return others.get(asset, lambda remaining, footer, holding: dict(footer))

    def data_version(self, footer: Mapping[str, str], holding: Holding) -> str:
        """That of the raw table the rows came from; where it is no longer stored, one that follows from the old."""
        if self.platform.store.exists(RAW, holding.day, "parquet"):
            return self.platform.store.read_table_metadata(RAW, holding.day)["data_version"]
        gone = sorted(self.pseudonyms[transaction_id] for transaction_id in holding.transaction_ids)
        return sha256("\n".join([footer["data_version"], *gone]).encode())

    def _raw(self, remaining: "pd.DataFrame", footer: Mapping[str, str], holding: Holding) -> dict[str, str]:
        return erased_footer(remaining, footer, [self.pseudonyms[name] for name in holding.transaction_ids])

    def _features(self, remaining: "pd.DataFrame", footer: Mapping[str, str], holding: Holding) -> dict[str, str]:
        from fraud_platform.features.profile import profile_table
        from fraud_platform.features.schema import FEATURE_NAMES

        profile = profile_table(remaining, FEATURE_NAMES).to_text()
        return {**footer, "profile": profile, "data_version": self.data_version(footer, holding)}

    def _labels(self, remaining: "pd.DataFrame", footer: Mapping[str, str], holding: Holding) -> dict[str, str]:
        from fraud_platform.ingestion.label_lookup import LabelFacts

        days = LabelFacts.of_text(footer).transaction_days
        return dict(footer) if days is None else {**footer, **LabelFacts.of_table(remaining, days).as_text()}

    def _splits(self, remaining: "pd.DataFrame", footer: Mapping[str, str], holding: Holding) -> dict[str, str]:
        learned = {self.pseudonyms[name] for name in _learned_from(self.platform, holding)}
        told = sorted({*_erased_learned(footer), *learned})
        return {**footer, _ERASED_LEARNED: json.dumps(told)} if told else dict(footer)

    def _predictions(self, remaining: "pd.DataFrame", footer: Mapping[str, str], holding: Holding) -> dict[str, str]:
        from fraud_platform.scoring.scorer import profile_scores

        profile = profile_scores(remaining).to_text()
        return {**footer, "profile": profile, "data_version": self.data_version(footer, holding)}


def _rewrite(platform: Platform, holding: Holding, footers: _Footers) -> int:
    if holding.asset == RAW and platform.store.exists("quarantine", holding.day, "parquet"):
        # It names no transaction, but says which version of the day it belongs to; first, so that a crash between the
        # two leaves the raw table to be found again.
        footer = platform.store.read_table_metadata(RAW, holding.day)
        gone = [footers.pseudonyms[transaction_id] for transaction_id in holding.transaction_ids]
        version = {"data_version": erased_data_version(footer, gone)}
        platform.store.write_table(
            "quarantine", holding.day, platform.store.read_table("quarantine", holding.day), version
        )
    return erase_from(platform.store, holding, footers.of(holding.asset))


def _models(
    platform: Platform, holdings: Sequence[Holding], pseudonyms: Mapping[str, str]
) -> tuple[list["ModelVersion"], list["ModelVersion"]]:
    """Registered models that learned from what is to be erased, and those of which that is no longer known."""
    versions = platform.registry.versions()
    split_days = set(platform.store.days("splits", "parquet"))
    trained_as_of = {
        holding.day for holding in holdings if holding.asset == "splits" and _learned_from(platform, holding)
    }
    # Rewritten before this call: by one that was interrupted, or under a training that had read them.
    wanted = set(pseudonyms.values())
    trained_as_of |= {
        day for day in split_days if wanted & _erased_learned(platform.store.read_table_metadata("splits", day))
    }
    event_days = [holding.day for holding in holdings if holding.asset in (RAW, "features")]
    window = platform.settings.training_window_days
    learned = [version for version in versions if version.as_of in trained_as_of]
    unknown = [
        version
        for version in versions
        if version.as_of not in split_days and any(0 <= (version.as_of - day).days < window for day in event_days)
    ]
    return learned, unknown


def _learned_from(platform: Platform, holding: Holding) -> frozenset[str]:
    """Which of the transactions that a file of splits holds are there to be learned from."""
    splits = platform.store.read_table("splits", holding.day, ["transaction_id", "split"])
    is_wanted = splits["transaction_id"].isin(holding.transaction_ids) & splits["split"].isin(_LEARNED_SPLITS)
    return frozenset(splits.loc[is_wanted, "transaction_id"])


def _erased_learned(footer: Mapping[str, str]) -> set[str]:
    return set(json.loads(footer.get(_ERASED_LEARNED, "[]")))
