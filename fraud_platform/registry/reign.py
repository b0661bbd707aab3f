"""Whether a new champion keeps its place in its first days, or goes back to the model before it by itself.

Counting what its decisions turned out to be does not belong here, nor carrying a rollback out (`promotion`).
"""

from dataclasses import dataclass
from datetime import date

from fraud_platform.metrics import ratio
from fraud_platform.registry.policy import ReleasePolicy


@dataclass(frozen=True)
class Pooled:
    """What decisions of some days turned out to be, on mature labels.

    Attributes:
        true_positives: frauds that were alerted.
        false_positives: legitimate transactions that were alerted.
        false_negatives: frauds that were not.
    """

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    @property
    def fraud_count(self) -> int:
        """How many frauds there were."""
        return self.true_positives + self.false_negatives

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); nan with neither frauds nor alerts."""
        hits = 2 * self.true_positives
        return float(ratio(hits, hits + self.false_positives + self.false_negatives))


@dataclass(frozen=True)
class Reign:
    """The first days of a champion.

    Attributes:
        version: the champion.
        first_day: first day it decides about.
        day: the last day there is.
        own: its decisions so far.
        before: the decisions of the days before, made by its predecessor.
        failed_days: days of its own that could not be scored.
        has_predecessor: whether there is a model to return to.
        last_rollback: the last day a champion was rolled back by itself; None if never.
    """

    version: str
    first_day: date
    day: date
    own: Pooled
    before: Pooled
    failed_days: int
    has_predecessor: bool
    last_rollback: date | None = None


@dataclass(frozen=True)
class ReignVerdict:
    """Whether the champion goes, and why or why not in one sentence."""

    is_rolled_back: bool
    sentence: str


def judge_reign(reign: Reign, policy: ReleasePolicy) -> ReignVerdict:
    """Whether the champion goes back to its predecessor.

    Decision rule, first match: it stays once `rollback_watch_days` are over, where there is no predecessor, and within
    `rollback_cooldown_days` after a rollback; it goes where `rollback_failed_days` days could not be scored; it stays
    while fewer than `min_matured_frauds` frauds are known; it goes where its realised F1 is below `rollback_f1_limit`
    and below that of the days before it, where that is known: a predecessor that did no better would help nobody.
    """
    stays = _why_it_is_not_judged(reign, policy)
    if stays:
        return ReignVerdict(False, f"version {reign.version} stays: {stays}")
    if reign.failed_days >= policy.rollback_failed_days:
        return ReignVerdict(True, f"{reign.failed_days} days could not be scored since {reign.first_day}")
    frauds = f"{reign.own.fraud_count} frauds with mature labels since {reign.first_day}"
    if reign.own.fraud_count < policy.min_matured_frauds:
        return ReignVerdict(False, f"version {reign.version} stays: {frauds}, {policy.min_matured_frauds} are required")
    own, before = reign.own.f1, reign.before.f1
    told = f"realised F1 {own:.3f} on {frauds} (limit {policy.rollback_f1_limit:g}, {before:.3f} on the days before)"
    # With nothing known of the days before, F1 is nan and the comparison says nothing for the champion.
    is_worse = not own >= before
    return ReignVerdict(own < policy.rollback_f1_limit and is_worse, told)


def _why_it_is_not_judged(reign: Reign, policy: ReleasePolicy) -> str:
    if (reign.day - reign.first_day).days >= policy.rollback_watch_days:
        return f"its first {policy.rollback_watch_days} days are over"
    if not reign.has_predecessor:
        return "there is no model before it"
    rested = policy.rollback_cooldown_days
    if reign.last_rollback is not None and (reign.day - reign.last_rollback).days < rested:
        return f"the last rollback was on {reign.last_rollback}; the next may follow {rested} days later"
    return ""
