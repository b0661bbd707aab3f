"""The challenger beside the champion: how often they agree, and who was right where labels are mature.

What follows from it is decided in `registry.shadow`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from fraud_platform.ingestion.label_lookup import LabelFacts
from fraud_platform.metrics import average_precision, f1, precision, recall
from fraud_platform.monitoring.outcome import LabelRules, labelled_decisions
from fraud_platform.monitoring.performance import UNKNOWN
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.shadow import ShadowFigures, ShadowVerdict, judge_shadow

SHADOW_REPORT_SCHEMA_VERSION = 1
_SHOWN = ("agreement", "champion_alerts", "challenger_alerts", "common_alerts")


@dataclass(frozen=True)
class ShadowReport:
    """A challenger's day in shadow, and its shadow so far.

    Attributes:
        challenger: version in shadow; None on a day without one, and then there is nothing else.
        champion: version that decided the day.
        day: the day's figures.
        so_far: those of every day of the shadow up to this one.
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
            "status": "applicable" if self.verdict else "not_applicable",
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
            return {**shown, "why not applicable": document["reasons"][0]}
        figures = {name: getattr(self.day, name) for name in _SHOWN}
        figures |= {f"shadow_{name}": figure for name, figure in self.so_far.as_dict().items() if figure is not None}
        return {
            **shown,
            **figures,
            "challenger_version": self.challenger,
            "action": document["action"],
            "reason": document["reasons"][0],
            "reasons": document["reasons"],
            "policy_version": self.policy_version,
        }


def shadow_report(
    day: date,
    challenger: str | None,
    *,
    champion: str,
    threshold: float,
    predictions_by_day: Mapping[date, pd.DataFrame],
    labels_by_day: Mapping[date, pd.DataFrame],
    label_facts: Mapping[date, LabelFacts],
    rules: LabelRules,
    policy: ReleasePolicy,
) -> ShadowReport:
    """The report of `day`, with the labels that had arrived by the end of it.

    Args:
        day: the day.
        challenger: version that scored it in shadow; None without one.
        champion: version that decided it.
        threshold: the challenger's own.
        predictions_by_day: `daily_predictions` of the days that `challenger` scored in shadow, up to `day`.
        labels_by_day: labels by the day they arrived; none later than `day`.
        label_facts: what is known of each of these tables.
        rules: when labels count.
        policy: the limits of a shadow.
    """
    if challenger is None:
        return ShadowReport(None, champion, None, None, None, policy.version)
    compared = {
        each: _compared(each, predictions_by_day[each], labels_by_day, label_facts, threshold, rules)
        for each in sorted(predictions_by_day)
    }
    so_far = _figures(list(compared.values()))
    return ShadowReport(
        challenger, champion, _figures([compared[day]]), so_far, judge_shadow(so_far, policy), policy.version
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
