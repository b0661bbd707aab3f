"""Which model decides about a day.

How a model became champion does not belong here (`release`), nor how history is kept (`champion_history`).
"""

from dataclasses import dataclass
from datetime import date

from fraud_platform.errors import ModelError
from fraud_platform.registry.registry import ModelRegistry, ModelVersion


@dataclass(frozen=True)
class DayModel:
    """The model that decides about a day.

    Attributes:
        version: which one.
        is_hindsight: the day is no later than what the model has learned from, so its decisions look better than
            decisions about days it has never seen. Only days before the first release are decided like this.
    """

    version: ModelVersion
    is_hindsight: bool


def model_for_day(registry: ModelRegistry, day: date) -> DayModel:
    """The champion as of `day`; for days before the first release, the first champion, in hindsight.

    Raises:
        ModelError: no model has been released yet.
    """
    version = registry.champion_as_of(day) or registry.first_champion()
    if version is None:
        raise ModelError("no model has been released yet; run the job `retraining` for a day with labels first")
    return DayModel(version, is_hindsight=day <= version.as_of)
