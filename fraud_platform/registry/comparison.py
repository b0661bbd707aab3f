"""The candidate beside the champion, on rows that trained neither.

What follows from it belongs to `release`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from fraud_platform.training.evaluation import Interval


@dataclass(frozen=True)
class ChampionComparison:
    """The candidate beside the champion, both measured on the same rows.

    Attributes:
        champion_version: the registry's number of the champion.
        champion_as_of: the day whose end bounds what the champion knows.
        candidate_as_of: the same of the candidate.
        champion_f1: F1 of the champion at its own threshold.
        candidate_f1: F1 of the candidate at its own threshold.
        average_precision_difference: candidate minus champion, from the paired bootstrap.
    """

    champion_version: str
    champion_as_of: date
    candidate_as_of: date
    champion_f1: float
    candidate_f1: float
    average_precision_difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """The comparison as a JSON document, None for figures that do not exist."""
        return {
            "champion_version": self.champion_version,
            "champion_as_of": self.champion_as_of.isoformat(),
            "candidate_as_of": self.candidate_as_of.isoformat(),
            "champion_f1": self.champion_f1 if math.isfinite(self.champion_f1) else None,
            "candidate_f1": self.candidate_f1 if math.isfinite(self.candidate_f1) else None,
            "average_precision_difference": self.average_precision_difference.as_dict(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "ChampionComparison":
        """The comparison that `as_dict` wrote."""
        champion_f1, candidate_f1 = document["champion_f1"], document["candidate_f1"]
        return cls(
            champion_version=document["champion_version"],
            champion_as_of=date.fromisoformat(document["champion_as_of"]),
            candidate_as_of=date.fromisoformat(document["candidate_as_of"]),
            champion_f1=math.nan if champion_f1 is None else champion_f1,
            candidate_f1=math.nan if candidate_f1 is None else candidate_f1,
            average_precision_difference=Interval.from_dict(document["average_precision_difference"]),
        )
