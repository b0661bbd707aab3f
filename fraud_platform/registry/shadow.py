"""A challenger's time in shadow: when it begins, which days it scores beside the champion, and how it ends.

A challenger decides nothing. How its answers compare with the champion's is measured in `monitoring`; becoming champion
is a promotion like any other.
"""

import math
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Literal

from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.registry import CHALLENGER, ModelRegistry, ModelVersion
from fraud_platform.registry.registry_snapshot import format_shadows

ShadowAction = Literal["wait", "extend", "promote", "reject", "approve"]

# With fewer alerts of the champion a ratio says nothing.
_FEWEST_ALERTS = 10


@dataclass(frozen=True)
class ShadowFigures:
    """A challenger beside the champion, on the same transactions.

    Attributes:
        day_count: days scored by both.
        transaction_count: transactions scored by both.
        agreement: share of them on which both decide alike, each at its own threshold; nan without any.
        champion_alerts, challenger_alerts, common_alerts: alerts of the one, the other and both.
        fraud_count: frauds among the transactions with mature labels; what follows rests on these.
        champion_f1, challenger_f1: nan where they have no value.
        champion_precision, challenger_precision, champion_recall, challenger_recall: likewise.
        champion_average_precision, challenger_average_precision: likewise.
    """

    day_count: int
    transaction_count: int
    agreement: float
    champion_alerts: int
    challenger_alerts: int
    common_alerts: int
    fraud_count: int
    champion_f1: float
    challenger_f1: float
    champion_precision: float
    challenger_precision: float
    champion_recall: float
    challenger_recall: float
    champion_average_precision: float
    challenger_average_precision: float

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON, None where one has no value."""
        return {
            name: None if isinstance(figure, float) and math.isnan(figure) else figure
            for name, figure in asdict(self).items()
        }


@dataclass(frozen=True)
class ShadowVerdict:
    """How a shadow goes on: wait, extend, promote, reject, or approve (a person must); the deciding reason first."""

    action: ShadowAction
    reasons: tuple[str, ...]


def begin_shadow(registry: ModelRegistry, version: ModelVersion, *, first_day: date, reason: str) -> ModelVersion:
    """The version as challenger from `first_day` on; who was challenger before is rejected as superseded."""
    if version.shadow_from is not None and CHALLENGER in version.aliases:
        return version
    for other in registry.versions():
        if CHALLENGER in other.aliases and other.version != version.version:
            end_shadow(registry, other, last_day=first_day - timedelta(days=1))
            registry.mark_rejected(other, _superseded(version))
    if (before := _shadow_of(version)) is not None and before[0] < first_day:
        # Days that are scored again are scored with it again. First, so that a crash loses none; twice is once.
        known = dict.fromkeys((*version.earlier_shadows, before))
        registry.annotate(version, {"earlier_shadows": format_shadows(known)})
    registry.annotate(version, {"shadow_from": first_day.isoformat(), "shadow_until": None})
    return registry.set_stage(version, "Staging", reason=reason)


def superseded_by(registry: ModelRegistry, version: ModelVersion) -> list[ModelVersion]:
    """The versions whose shadow ended because `version` began its own."""
    return [other for other in registry.versions() if other.rejection == _superseded(version)]


def _superseded(version: ModelVersion) -> str:
    return f"superseded in shadow by version {version.version}"


def end_shadow(registry: ModelRegistry, version: ModelVersion, *, last_day: date) -> None:
    """Writes down the last day the version has scored in shadow; nothing where it never did or its shadow is over."""
    if version.shadow_from is not None and version.shadow_until is None:
        registry.annotate(version, {"shadow_until": last_day.isoformat()})


def challenger_of_day(registry: ModelRegistry, day: date) -> ModelVersion | None:
    """Who scores `day` beside the champion, also when the day is scored again later; None on days without a shadow.

    An alias set by hand counts from the day after the model's as-of day.
    """
    candidates = [version for version in registry.versions() if _is_in_shadow(version, day)]
    return max(candidates, key=lambda version: int(version.version), default=None)


def _is_in_shadow(version: ModelVersion, day: date) -> bool:
    # What it has learned from would flatter it.
    if day <= version.as_of:
        return False
    if version.shadow_from is None:
        return CHALLENGER in version.aliases
    if version.shadow_until is None and CHALLENGER in version.aliases and version.shadow_from <= day:
        return True
    shadows = (*version.earlier_shadows, *filter(None, [_shadow_of(version)]))
    return any(first_day <= day <= last_day for first_day, last_day in shadows)


def _shadow_of(version: ModelVersion) -> tuple[date, date] | None:
    """First and last day of the latest shadow; of one whose alias was taken away by hand, the first day is known."""
    if version.shadow_from is None:
        return None
    return version.shadow_from, version.shadow_until or version.shadow_from


def judge_absence(missed_days: int, problem: str, policy: ReleasePolicy) -> ShadowVerdict:
    """How the shadow of a challenger goes on that could not score the day, and why it could not.

    Decision rule: wait, for what is out of reach today may be back tomorrow; reject once `rollback_failed_days` days
    could not be scored, as a champion is rolled back then.
    """
    missed = f"{missed_days} {'day' if missed_days == 1 else 'days'} could not be scored"
    if missed_days < policy.rollback_failed_days:
        return ShadowVerdict("wait", (f"{missed}, with {policy.rollback_failed_days} it is rejected: {problem}",))
    return ShadowVerdict("reject", (f"{missed}: {problem}",))


def judge_shadow(figures: ShadowFigures, policy: ReleasePolicy) -> ShadowVerdict:
    """How the shadow goes on.

    Decision rule, first match: wait until `shadow_days` are scored; with fewer than `min_matured_frauds` known frauds
    extend, and reject after `max_shadow_days`; reject where the challenger raises more than `shadow_max_alert_ratio`
    alerts for each of the champion's without a higher realised F1, for a champion that drift has made blind hardly
    alerts, and whoever sees has to alert more; reject where realised F1 or average precision is more than
    `shadow_max_loss` below the champion's; else promote, or ask for approval where the policy says so.
    """
    if figures.day_count < policy.shadow_days:
        return ShadowVerdict("wait", (f"{figures.day_count} of {policy.shadow_days} days are scored",))
    days = f"{figures.day_count} days are scored, at least {policy.shadow_days} are required"
    labelled = f"{figures.fraud_count} frauds have mature labels, at least {policy.min_matured_frauds} are required"
    if figures.fraud_count < policy.min_matured_frauds:
        if figures.day_count < policy.max_shadow_days:
            return ShadowVerdict("extend", (labelled, days))
        return ShadowVerdict("reject", (f"{labelled}; the shadow has lasted {figures.day_count} days", days))
    most = policy.shadow_max_alert_ratio * max(figures.champion_alerts, _FEWEST_ALERTS)
    is_better = figures.challenger_f1 > figures.champion_f1
    if figures.challenger_alerts > most and not is_better:
        flood = (
            f"it raises {figures.challenger_alerts} alerts, the champion {figures.champion_alerts}; more than "
            f"{policy.shadow_max_alert_ratio:g} times as many need a higher realised F1"
        )
        return ShadowVerdict("reject", (flood, labelled))
    f1 = f"realised F1 is {figures.challenger_f1:.3f}, the champion's {figures.champion_f1:.3f}"
    ranking = (
        f"realised average precision is {figures.challenger_average_precision:.3f}, the champion's "
        f"{figures.champion_average_precision:.3f}"
    )
    for sentence, loss in (
        (f1, figures.champion_f1 - figures.challenger_f1),
        (ranking, figures.champion_average_precision - figures.challenger_average_precision),
    ):
        # A score without a value is no proof, so it does not pass.
        if not loss <= policy.shadow_max_loss + 1e-9:
            return ShadowVerdict("reject", (f"{sentence}: a loss of more than {policy.shadow_max_loss:g}", labelled))
    agreed = f"both decide alike on {figures.agreement:.2%} of {figures.transaction_count} transactions"
    action: ShadowAction = "approve" if policy.require_approval else "promote"
    return ShadowVerdict(action, (f1, ranking, labelled, agreed))
