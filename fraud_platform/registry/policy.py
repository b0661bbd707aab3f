"""The release policy as data: every limit a model meets between its test and the end of its first days, in one block.

Holding figures against the limits belongs to `release`, `shadow` and `reign`; each writes down which policy it held.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.storage import canonical_json, sha256

_DIGEST_CHARACTERS = 12


@dataclass(frozen=True)
class ReleasePolicy:
    """What a model must hold; each field is the setting of the same name.

    Attributes:
        min_f1, min_precision, min_recall, min_average_precision: floors on the test split.
        max_train_validation_gap: how much average precision may fall from train to validation.
        max_relative_calibration_error: most expected calibration error, as a share of the fraud rate.
        max_single_feature_average_precision: most that a single feature may reach by itself.
        max_single_feature_recall: most frauds it may tell from legitimate rows nearly without a mistake.
        max_plausible_average_precision: what average precision out of fold may not be above with confidence.
        min_f1_improvement: what F1 must gain over the champion's on the same rows.
        require_approval: whether a person must approve before a model becomes champion.
        shadow_days: days a candidate scores beside the champion first; 0 releases at once.
        max_shadow_days: days after which a shadow that could not be judged ends in rejection.
        shadow_max_alert_ratio: alerts a challenger may raise for each of the champion's.
        shadow_max_loss: what realised F1 and average precision may lose against the champion in shadow.
        min_matured_frauds: labelled frauds any judgement of realised performance must rest on.
        rollback_watch_days: first days of a champion in which it may be rolled back by itself.
        rollback_f1_limit: realised F1 below which it is.
        rollback_failed_days: days that could not be scored, after which it is.
        rollback_cooldown_days: days after a rollback before the next one by itself.
    """

    min_f1: float = 0.75
    min_precision: float = 0.80
    min_recall: float = 0.70
    min_average_precision: float = 0.70
    max_train_validation_gap: float = 0.30
    max_relative_calibration_error: float = 0.50
    max_single_feature_average_precision: float = 0.90
    max_single_feature_recall: float = 0.50
    max_plausible_average_precision: float = 0.91
    min_f1_improvement: float = 0.02
    require_approval: bool = False
    shadow_days: int = 0
    max_shadow_days: int = 28
    shadow_max_alert_ratio: float = 2.0
    shadow_max_loss: float = 0.02
    min_matured_frauds: int = 10
    rollback_watch_days: int = 14
    rollback_f1_limit: float = 0.70
    rollback_failed_days: int = 2
    rollback_cooldown_days: int = 7

    @classmethod
    def of(cls, settings: Any) -> "ReleasePolicy":
        """The policy that `settings` describe, field by field."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})

    @property
    def version(self) -> str:
        """A name that changes with any limit: `policy-` and twelve hex digits."""
        return f"policy-{sha256(canonical_json(asdict(self))).removeprefix('sha256:')[:_DIGEST_CHARACTERS]}"

    def as_dict(self) -> Mapping[str, Any]:
        """The policy as a JSON document, its version first."""
        return {"version": self.version, **asdict(self)}

    @property
    def gates(self) -> AcceptanceGates:
        """What a candidate must reach before anything else is asked."""
        return AcceptanceGates(**{field.name: getattr(self, field.name) for field in fields(AcceptanceGates)})
