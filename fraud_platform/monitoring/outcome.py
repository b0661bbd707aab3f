"""What became of a day's decisions: realised where labels have arrived, estimated beside it.

The measures themselves belong to `performance`; whether they are too low belongs to `shortfall`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from fraud_platform.monitoring.performance import (
    UNKNOWN,
    Performance,
    estimated_performance,
    known_labels,
    realised_performance,
)

_SCORES = ("precision", "recall", "f1", "average_precision")
_COUNTS = ("true_positives", "false_positives", "false_negatives")


@dataclass(frozen=True)
class Outcome:
    """A day's decisions against its labels, and against its own probabilities."""

    realised: Performance
    estimated: Performance

    def as_dict(self) -> dict[str, Any]:
        """Both as a JSON document."""
        return {"realised": self.realised.as_dict(), "estimated": self.estimated.as_dict()}

    def as_metadata(self) -> dict[str, Any]:
        """What the asset's page shows: counts and scores where they apply, else why they do not."""
        realised, estimated = self.realised, self.estimated
        shown: dict[str, Any] = {
            "status": realised.status.replace("_", " "),
            "labelled_share": realised.labelled_share,
            **{f"estimated_{name}": getattr(estimated, name) for name in _SCORES},
        }
        if realised.labelled_count:
            shown |= {name: int(getattr(realised, name)) for name in _COUNTS}
        if realised.status == "applicable":
            shown |= {name: getattr(realised, name) for name in _SCORES}
        else:
            shown["why not applicable"] = realised.reason
        return {name: figure for name, figure in shown.items() if figure is not None}


def outcome_of_day(predictions: pd.DataFrame, labels_by_day: Mapping[date, pd.DataFrame]) -> Outcome:
    """The outcome of `predictions` with the labels that have arrived, later ones superseding earlier ones.

    Args:
        predictions: `transaction_id`, `fraud_probability`, `prediction` of one day.
        labels_by_day: labels (`transaction_id`, `Class`) by the day they arrived.
    """
    known = known_labels(predictions["transaction_id"], (labels_by_day[day] for day in sorted(labels_by_day)))
    is_known = known != UNKNOWN
    labels = pd.DataFrame({"transaction_id": predictions["transaction_id"][is_known], "Class": known[is_known]})
    return Outcome(
        realised=realised_performance(predictions, labels),
        estimated=estimated_performance(predictions),
    )
