"""What became of the decisions of a day and of its week: realised where labels are mature, estimated beside it.

The measures themselves belong to `performance` and `uncertainty`; whether they are too low belongs to `shortfall`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from fraud_platform.ingestion.label_lookup import LabelFacts, label_state, labels_concerning
from fraud_platform.monitoring.performance import (
    UNKNOWN,
    Performance,
    estimated_performance,
    known_labels,
    performance_on,
)
from fraud_platform.monitoring.uncertainty import Bounds, estimated_bounds

OUTCOME_SCHEMA_VERSION = 2
# What is reported as "rolling": a week, so that every weekday is in it once.
ROLLING_DAYS = 7

_SCORES = ("precision", "recall", "f1", "average_precision")
_COUNTS = ("true_positives", "false_positives", "false_negatives")


@dataclass(frozen=True)
class LabelRules:
    """When labels count.

    Attributes:
        delay_days: days after which the labels of a day are mature.
        rolling_days: days the rolling figures are taken over.
        unlabelled_is_legitimate: what a transaction is whose label has not arrived when labels are mature: legitimate,
            where only frauds and disputes are reported back; else nothing is concluded from it.
    """

    delay_days: int
    rolling_days: int = ROLLING_DAYS
    unlabelled_is_legitimate: bool = False

    @classmethod
    def of(cls, settings: Any) -> "LabelRules":
        """The rules that `settings` describe."""
        return cls(delay_days=settings.label_delay_days, unlabelled_is_legitimate=settings.unlabelled_is_legitimate)


@dataclass(frozen=True)
class Outcome:
    """Decisions against their labels, and against their own probabilities.

    Attributes:
        days: the days decided about, in order.
        mature_days: those whose labels are mature; only their labels count.
        realised: against mature labels; not applicable before.
        estimated: from the probabilities.
        bounds: of the estimate, by score.
        estimate_error: estimated minus realised, by score; None before all labels are mature or where either has no
            value.
    """

    days: Sequence[date]
    mature_days: Sequence[date]
    realised: Performance
    estimated: Performance
    bounds: Mapping[str, Bounds]
    estimate_error: Mapping[str, float] | None

    @property
    def is_mature(self) -> bool:
        """Whether every day's labels are mature."""
        return len(self.mature_days) == len(self.days)

    def as_dict(self) -> dict[str, Any]:
        """The outcome as a JSON document."""
        return {
            "first_day": self.days[0].isoformat(),
            "last_day": self.days[-1].isoformat(),
            "is_mature": self.is_mature,
            "mature_days": [day.isoformat() for day in self.mature_days],
            "realised": self.realised.as_dict(),
            "estimated": {**self.estimated.as_dict(), "interval": {n: asdict(b) for n, b in self.bounds.items()}},
            "estimate_error": dict(self.estimate_error) if self.estimate_error else None,
            "estimate_missed": [
                name for name in self.estimate_error or () if not self.bounds[name].holds(getattr(self.realised, name))
            ],
        }


@dataclass(frozen=True)
class DayOutcome:
    """What became of a day's decisions, and of those of the week that ends with it.

    Attributes:
        day: of the day alone.
        rolling: of the days that end with it.
        label_state: digest of the label tables the figures rest on.
    """

    day: Outcome
    rolling: Outcome
    label_state: str

    def as_dict(self) -> dict[str, Any]:
        """Both as a JSON document; the day's own figures stand at the top."""
        return {
            "schema_version": OUTCOME_SCHEMA_VERSION,
            **self.day.as_dict(),
            "rolling": self.rolling.as_dict(),
            "label_state": self.label_state,
        }

    def as_metadata(self) -> dict[str, Any]:
        """What the asset's page shows: counts and scores where they apply, else why they do not."""
        day, realised = self.day, self.day.realised
        shown: dict[str, Any] = {
            "status": realised.status.replace("_", " "),
            "is_mature": day.is_mature,
            "labelled_share": realised.labelled_share,
            "label_state": self.label_state,
            **{f"estimated_{name}": getattr(day.estimated, name) for name in _SCORES},
            **{f"estimated_{name}_interval": _shown(day.bounds[name]) for name in _SCORES},
            **{f"estimate_error_{name}": error for name, error in (day.estimate_error or {}).items()},
            **{f"rolling_estimated_{name}": getattr(self.rolling.estimated, name) for name in _SCORES},
        }
        if realised.labelled_count:
            shown |= {name: int(getattr(realised, name)) for name in _COUNTS}
        if realised.status == "applicable":
            shown |= {name: getattr(realised, name) for name in _SCORES}
        else:
            shown["why not applicable"] = realised.reason
        if self.rolling.realised.status == "applicable":
            shown |= {f"rolling_{name}": getattr(self.rolling.realised, name) for name in _SCORES}
            shown["rolling_days"] = len(self.rolling.mature_days)
        else:
            shown["why rolling is not applicable"] = self.rolling.realised.reason
        return {name: figure for name, figure in shown.items() if figure is not None}


def outcome_of_day(
    day: date,
    predictions_by_day: Mapping[date, pd.DataFrame],
    labels_by_day: Mapping[date, pd.DataFrame],
    label_facts: Mapping[date, LabelFacts],
    *,
    rules: LabelRules,
    seed: int,
) -> DayOutcome:
    """The outcome of the decisions of `day`, and of those of the `rules.rolling_days` that end with it.

    Args:
        day: the day.
        predictions_by_day: `transaction_id`, `fraud_probability`, `prediction` of the days before it and itself.
        labels_by_day: labels (`transaction_id`, `Class`) by the day they arrived, later ones superseding earlier ones;
            only tables that concern the days are read.
        label_facts: what is known of each of these tables; their last day is how far labels have arrived.
        rules: when labels count.
        seed: of the estimate's interval.
    """
    first = day - timedelta(days=rules.rolling_days - 1)
    tables, mature = {}, []
    for each in (each for each in sorted(predictions_by_day) if first <= each <= day):
        tables[each], is_mature = labelled_decisions(each, predictions_by_day[each], labels_by_day, label_facts, rules)
        if is_mature:
            mature.append(each)
    return DayOutcome(
        day=_outcome({day: tables[day]}, mature, rules, seed),
        rolling=_outcome(tables, mature, rules, seed),
        label_state=label_state(label_facts, first, day),
    )


def labelled_decisions(
    day: date,
    predictions: pd.DataFrame,
    labels_by_day: Mapping[date, pd.DataFrame],
    label_facts: Mapping[date, LabelFacts],
    rules: LabelRules,
) -> tuple[pd.DataFrame, bool]:
    """The decisions of `day` with the label that is `known` of each, and whether its labels are mature.

    The table holds `fraud_probability`, `prediction` and `known` (`UNKNOWN` where no label has arrived), and no
    identifiers: weeks of them are held at once.
    """
    arrived = (labels_by_day[arrival] for arrival in labels_concerning(label_facts, day, day))
    known = known_labels(predictions["transaction_id"], arrived)
    is_mature = (max(label_facts) - day).days >= rules.delay_days or bool((known != UNKNOWN).all())
    if is_mature and rules.unlabelled_is_legitimate:
        known[known == UNKNOWN] = 0
    return predictions[["fraud_probability", "prediction"]].assign(known=known), is_mature


def _outcome(tables: Mapping[date, pd.DataFrame], mature: Sequence[date], rules: LabelRules, seed: int) -> Outcome:
    together = pd.concat(list(tables.values()), ignore_index=True)
    days, mature_days = list(tables), [day for day in tables if day in mature]
    if mature_days:
        counted = together if len(mature_days) == len(days) else pd.concat([tables[day] for day in mature_days])
        realised = performance_on(counted["known"].to_numpy(), counted)
    else:
        realised = performance_on(together["known"].to_numpy(), together)
        since = days[0] + timedelta(days=rules.delay_days)
        reason = (
            f"the labels of {days[0]} are mature with those that arrive on {since}; "
            f"{realised.labelled_share:.1%} of {realised.prediction_count} are there"
        )
        realised = replace(realised, status="not_applicable", reason=reason)
    estimated, bounds = estimated_performance(together), estimated_bounds(together, seed=seed)
    error = _error(estimated, realised) if len(mature_days) == len(days) else None
    return Outcome(days, mature_days, realised, estimated, bounds, error)


def _error(estimated: Performance, realised: Performance) -> dict[str, float] | None:
    if estimated.status != "applicable" or realised.status != "applicable":
        return None
    pairs = {name: (getattr(estimated, name), getattr(realised, name)) for name in _SCORES}
    return {name: said - was for name, (said, was) in pairs.items() if said is not None and was is not None}


def _shown(bounds: Bounds) -> str | None:
    return None if bounds.low is None or bounds.high is None else f"{bounds.low:.3f} to {bounds.high:.3f}"
