"""The challenger beside the champion: how often they agree, and who was right where labels are mature.

What follows from it is decided in `registry.shadow`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.metrics import average_precision, f1, precision, recall
from fraud_platform.monitoring.outcome import LabelRules, labelled_decisions
from fraud_platform.monitoring.performance import UNKNOWN
from fraud_platform.registry.champion import (
    CHALLENGER_ABSENT,
    CHALLENGER_PROBLEM,
    CHALLENGER_THRESHOLD,
    CHALLENGER_VERSION,
)
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.shadow import ShadowFigures, ShadowVerdict, judge_absence, judge_shadow

SHADOW_REPORT_SCHEMA_VERSION = 1
_SHOWN = ("agreement", "champion_alerts", "challenger_alerts", "common_alerts")


@dataclass(frozen=True)
class Shadow:
    """Who was in shadow on a day, as the footers of the decisions tell it.

    Attributes:
        challenger: the version; None without one.
        threshold: its own.
        scored_days: the days up to this one that it scored; empty where it could not score this one.
        missed_days: the days up to this one that it should have scored and could not.
        problem: why it could not score this one; empty where it did.
    """

    challenger: str | None = None
    threshold: float = 1.0
    scored_days: Sequence[date] = ()
    missed_days: Sequence[date] = ()
    problem: str = ""

    @property
    def is_scored(self) -> bool:
        """Whether it has scored the day."""
        return bool(self.scored_days)


def has_challenger(footer: Mapping[str, str]) -> bool:
    """Whether anybody was in shadow on the day whose decisions have this footer."""
    return bool(footer.get(CHALLENGER_VERSION) or footer.get(CHALLENGER_ABSENT))


def shadow_of_day(
    day: date, footers: Mapping[date, Mapping[str, str]], *, threshold_of: Callable[[str], float]
) -> Shadow:
    """Who was in shadow on `day`.

    Args:
        day: the day.
        footers: of `daily_predictions` of the days up to it.
        threshold_of: a version's own; asked where the footer, of an earlier release, does not say it.
    """
    told = footers[day]
    scored, absent = told.get(CHALLENGER_VERSION), told.get(CHALLENGER_ABSENT)
    if absent:
        missed = [each for each, footer in footers.items() if footer.get(CHALLENGER_ABSENT) == absent]
        return Shadow(absent, missed_days=missed, problem=told[CHALLENGER_PROBLEM])
    if not scored:
        return Shadow()
    days = [each for each, footer in footers.items() if footer.get(CHALLENGER_VERSION) == scored]
    threshold = float(told.get(CHALLENGER_THRESHOLD) or threshold_of(scored))
    return Shadow(scored, threshold=threshold, scored_days=days)


@dataclass(frozen=True)
class ShadowReport:
    """A challenger's day in shadow, and its shadow so far.

    Attributes:
        challenger: version in shadow; None on a day without one, and then there is nothing else.
        champion: version that decided the day.
        day: the day's figures; None where the challenger could not score it.
        so_far: those of every day of the shadow up to this one; None likewise.
        verdict: how the shadow goes on.
        policy_version: the policy that was held.
    """

    challenger: str | None
    champion: str
    day: ShadowFigures | None
    so_far: ShadowFigures | None
    verdict: ShadowVerdict | None
    policy_version: str

    def as_dict(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {
            "schema_version": SHADOW_REPORT_SCHEMA_VERSION,
            "status": "applicable" if self.day else "not_applicable",
            "champion_version": self.champion,
            "challenger_version": self.challenger,
            "policy_version": self.policy_version,
            "day": self.day.as_dict() if self.day else None,
            "so_far": self.so_far.as_dict() if self.so_far else None,
            "action": self.verdict.action if self.verdict else None,
            "reasons": list(self.verdict.reasons) if self.verdict else ["no challenger scored this day"],
        }

    def as_metadata(self) -> dict[str, Any]:
        """What the asset's page shows."""
        document = self.as_dict()
        shown = {"status": document["status"].replace("_", " "), "champion_version": self.champion}
        if self.day is None or self.so_far is None:
            shown["why not applicable"] = document["reasons"][0]
        else:
            shown |= {name: getattr(self.day, name) for name in _SHOWN}
            shown |= {f"shadow_{name}": figure for name, figure in self.so_far.as_dict().items() if figure is not None}
        if self.verdict is None:
            return shown
        return {
            **shown,
            "challenger_version": self.challenger,
            "action": document["action"],
            "reason": document["reasons"][0],
            "reasons": document["reasons"],
            "policy_version": self.policy_version,
        }


def shadow_report(
    day: date,
    shadow: Shadow,
    *,
    champion: str,
    predictions_by_day: Mapping[date, pd.DataFrame],
    labels_by_day: Mapping[date, pd.DataFrame],
    label_facts: Mapping[date, LabelFacts],
    rules: LabelRules,
    policy: ReleasePolicy,
) -> ShadowReport:
    """The report of `day`, with the labels that had arrived by the end of it.

    Args:
        day: the day.
        shadow: who was in shadow.
        champion: version that decided it.
        predictions_by_day: `daily_predictions` of the days that the challenger scored in shadow, up to `day`.
        labels_by_day: labels by the day they arrived; none later than `day`.
        label_facts: what is known of each of these tables.
        rules: when labels count.
        policy: the limits of a shadow.
    """
    if not shadow.is_scored:
        absence = judge_absence(len(shadow.missed_days), shadow.problem, policy) if shadow.challenger else None
        return ShadowReport(shadow.challenger, champion, None, None, absence, policy.version)
    compared = {
        each: _compared(each, predictions_by_day[each], labels_by_day, label_facts, shadow.threshold, rules)
        for each in sorted(predictions_by_day)
    }
    so_far = _figures(list(compared.values()))
    return ShadowReport(
        shadow.challenger, champion, _figures([compared[day]]), so_far, judge_shadow(so_far, policy), policy.version
    )


def _compared(
    day: date,
    predictions: pd.DataFrame,
    labels_by_day: Mapping[date, pd.DataFrame],
    label_facts: Mapping[date, LabelFacts],
    threshold: float,
    rules: LabelRules,
) -> pd.DataFrame:
    """The day's decisions of both with their labels, `UNKNOWN` where they are not mature, and without identifiers."""
    table, is_mature = labelled_decisions(day, predictions, labels_by_day, label_facts, rules)
    return table.assign(
        known=table["known"] if is_mature else np.int8(UNKNOWN),
        challenger_probability=predictions["challenger_probability"].to_numpy(),
        challenger_prediction=(predictions["challenger_probability"].to_numpy() >= threshold).astype(np.int8),
    )


def _figures(tables: list[pd.DataFrame]) -> ShadowFigures:
    table = pd.concat(tables, ignore_index=True)
    decided, shadowed = table["prediction"].to_numpy(), table["challenger_prediction"].to_numpy()
    labelled = table[table["known"] != UNKNOWN]
    labels = labelled["known"].to_numpy()
    by_champion = labels, labelled["prediction"].to_numpy()
    by_challenger = labels, labelled["challenger_prediction"].to_numpy()
    return ShadowFigures(
        day_count=len(tables),
        transaction_count=len(table),
        agreement=float(np.mean(decided == shadowed)) if len(table) else float("nan"),
        champion_alerts=int(decided.sum()),
        challenger_alerts=int(shadowed.sum()),
        common_alerts=int((decided & shadowed).sum()),
        fraud_count=int((labels == 1).sum()),
        champion_f1=f1(*by_champion),
        challenger_f1=f1(*by_challenger),
        champion_precision=precision(*by_champion),
        challenger_precision=precision(*by_challenger),
        champion_recall=recall(*by_champion),
        challenger_recall=recall(*by_challenger),
        champion_average_precision=average_precision(labels, labelled["fraud_probability"].to_numpy()),
        challenger_average_precision=average_precision(labels, labelled["challenger_probability"].to_numpy()),
    )
