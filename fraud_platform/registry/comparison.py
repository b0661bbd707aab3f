"""The candidate beside the champion, on rows that trained neither.

What follows from it belongs to `release`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from fraud_platform.metrics import f1
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.evaluation import Interval, Metric, paired_bootstrap_difference

if TYPE_CHECKING:
    from fraud_platform.registry.registry import ModelVersion
    from fraud_platform.training.bundle import ModelBundle


COMPARED: tuple[Metric, Metric] = ("average_precision", "f1")


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
        f1_difference: the same of F1; unknown in what an earlier version compared.
    """

    champion_version: str
    champion_as_of: date
    candidate_as_of: date
    champion_f1: float
    candidate_f1: float
    average_precision_difference: Interval
    f1_difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """The comparison as a JSON document, None for figures that do not exist."""
        return {
            "champion_version": self.champion_version,
            "champion_as_of": self.champion_as_of.isoformat(),
            "candidate_as_of": self.candidate_as_of.isoformat(),
            "champion_f1": self.champion_f1 if math.isfinite(self.champion_f1) else None,
            "candidate_f1": self.candidate_f1 if math.isfinite(self.candidate_f1) else None,
            "average_precision_difference": self.average_precision_difference.as_dict(),
            "f1_difference": self.f1_difference.as_dict(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "ChampionComparison":
        """The comparison that `as_dict` wrote, of this version or an earlier one."""
        champion_f1, candidate_f1 = document["champion_f1"], document["candidate_f1"]
        f1_difference = document.get("f1_difference")
        return cls(
            champion_version=document["champion_version"],
            champion_as_of=date.fromisoformat(document["champion_as_of"]),
            candidate_as_of=date.fromisoformat(document["candidate_as_of"]),
            champion_f1=math.nan if champion_f1 is None else champion_f1,
            candidate_f1=math.nan if candidate_f1 is None else candidate_f1,
            average_precision_difference=Interval.from_dict(document["average_precision_difference"]),
            f1_difference=Interval.from_dict(f1_difference) if f1_difference else Interval.unknown(),
        )


def compare(
    champion: "tuple[ModelVersion, ModelBundle]",
    candidate: "ModelBundle",
    rows: LabelledRows,
    *,
    seed: int,
    legitimate_weight: float = 1.0,
) -> ChampionComparison:
    """Champion and candidate on the same rows, each at its own threshold.

    Args:
        champion: who decides now.
        candidate: who would like to.
        rows: which neither has learnt from.
        seed: of the bootstrap.
        legitimate_weight: how many transactions each legitimate row stands for.
    """
    version, champion_bundle = champion
    bundles = (champion_bundle, candidate)
    champion_probabilities, candidate_probabilities = (bundle.predict(rows.features) for bundle in bundles)
    champion_threshold, candidate_threshold = (bundle.threshold.value for bundle in bundles)
    weights = np.where(rows.labels == 1, 1.0, legitimate_weight)
    average_precision_difference, f1_difference = (
        paired_bootstrap_difference(
            champion_probabilities,
            candidate_probabilities,
            rows.labels,
            metric=metric,
            seed=seed,
            champion_threshold=champion_threshold,
            challenger_threshold=candidate_threshold,
            legitimate_weight=legitimate_weight,
        )
        for metric in COMPARED
    )
    return ChampionComparison(
        champion_version=version.version,
        champion_as_of=version.as_of,
        candidate_as_of=date.fromisoformat(candidate.provenance["as_of"]),
        champion_f1=f1(rows.labels, champion_probabilities >= champion_threshold, weights),
        candidate_f1=f1(rows.labels, candidate_probabilities >= candidate_threshold, weights),
        average_precision_difference=average_precision_difference,
        f1_difference=f1_difference,
    )
