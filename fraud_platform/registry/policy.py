"""The release policy as data: every limit a model meets between its test and the end of its first days, in one block.

Holding figures against the limits belongs to `gates`, `release`, `shadow` and `reign`; what they decide is written down
with the policy that was held.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.storage import canonical_json, sha256

_DIGEST_CHARACTERS = 12


@dataclass(frozen=True, kw_only=True)
class ReleasePolicy(AcceptanceGates):
    """What a model must hold: the acceptance gates, and what comes after them; each is the setting of its name.

    Attributes:
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

    min_f1_improvement: float
    require_approval: bool
    shadow_days: int
    max_shadow_days: int
    shadow_max_alert_ratio: float
    shadow_max_loss: float
    min_matured_frauds: int
    rollback_watch_days: int
    rollback_f1_limit: float
    rollback_failed_days: int
    rollback_cooldown_days: int

    @property
    def version(self) -> str:
        """A name that changes with any limit: `policy-` and twelve hex digits."""
        return f"policy-{sha256(canonical_json(asdict(self))).removeprefix('sha256:')[:_DIGEST_CHARACTERS]}"

    def as_dict(self) -> Mapping[str, Any]:
        """The policy as a JSON document, its version first."""
        return {"version": self.version, **asdict(self)}
