"""When a statistic is an alarm: the limits, and the judgement of a whole comparison against them.

Computing the statistics belongs to `drift`; acting on the judgement belongs to the sensor that asks for retraining.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fraud_platform.monitoring.drift import PSI_MODERATE, FeatureDrift


@dataclass(frozen=True)
class DriftLimits:
    """From where on drift counts.

    Attributes:
        psi: a feature has drifted when its population stability index is at or above this.
        feature_count: so many drifted features mean the day has drifted.
        moderate: at or above this an index is worth watching.
    """

    psi: float
    feature_count: int
    moderate: float = PSI_MODERATE


@dataclass(frozen=True)
class DriftVerdict:
    """The judgement of one comparison.

    Attributes:
        status: `not_applicable` when there was nothing to compare.
        drifted_features: names, the strongest drift first.
        sentence: the judgement in words, ready to show.
    """

    status: Literal["stable", "drifted", "not_applicable"]
    drifted_features: tuple[str, ...]
    sentence: str

    @property
    def is_drifted(self) -> bool:
        """Whether the model should be trained again."""
        return self.status == "drifted"


def judge_drift(features: Sequence[FeatureDrift], limits: DriftLimits) -> DriftVerdict:
    """Whether enough features drifted, and which.

    A feature counts when its index is at or above `limits.psi` *and* above what chance alone gives samples of this size
    (`psi_noise`): with a handful of transactions the index is large without any drift. No feature at all is judged
    `not_applicable`.
    """
    if not features:
        return DriftVerdict("not_applicable", (), "Nothing to compare: no transaction in the window.")
    drifted = sorted(
        (feature for feature in features if feature.psi >= limits.psi and feature.psi > feature.psi_noise),
        key=lambda feature: (-feature.psi, feature.feature),
    )
    names = tuple(feature.feature for feature in drifted)
    strongest = max(features, key=lambda feature: feature.psi)
    count = f"{len(drifted)} of {len(features)} features at PSI >= {limits.psi:g} (limit {limits.feature_count})"
    which = f": {', '.join(names)}" if names else f"; the largest is {strongest.feature} at {strongest.psi:.3f}"
    if len(drifted) >= limits.feature_count:
        return DriftVerdict("drifted", names, f"Drifted: {count}{which}.")
    return DriftVerdict("stable", names, f"Stable: {count}{which}.")
