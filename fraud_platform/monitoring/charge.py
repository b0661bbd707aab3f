"""Who was in charge of a day and why: what the registry answers, beside what the stored decisions of the day say.

Which model decides belongs to `registry.champion`; the report of a period to `period_report`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from fraud_platform.day_store import DayStore
from fraud_platform.registry.champion import CHALLENGER_PROBLEM, DayModel, model_for_day
from fraud_platform.registry.registry import ModelRegistry, ModelVersion
from fraud_platform.registry.shadow import challenger_of_day


@dataclass(frozen=True)
class DayInCharge:
    """Who decides about a day, by the registry and by the decisions themselves.

    Attributes:
        day: the day.
        model: whom the registry names; scoring the day again asks this one.
        challenger: who scores it in shadow; None without a shadow.
        challenger_problem: why it could not when the day was scored; empty where it could.
        decided_by: the version in the stored decisions; None where the day is not scored.
        decided_at: when they were made; None likewise.
    """

    day: date
    model: DayModel
    challenger: ModelVersion | None
    challenger_problem: str
    decided_by: str | None
    decided_at: str | None

    @property
    def is_consistent(self) -> bool:
        """Whether scoring the day again asks the model that decided it."""
        return self.decided_by in (None, self.model.version.version)

    def as_facts(self) -> Mapping[str, str]:
        """The answer in words."""
        version, tenure = self.model.version, self.model.tenure
        until = f"to {tenure.last_day}" if tenure.last_day else "until now"
        decided = f"version {self.decided_by}, at {self.decided_at}" if self.decided_by else "not scored yet"
        if not self.is_consistent:
            decided += "; scored again, the champion named here would decide"
        if self.model.is_hindsight:
            decided += "; in hindsight: the model has learned from this day or later ones"
        shadow = f"{self.challenger.semver} (version {self.challenger.version})" if self.challenger else "nobody"
        return {
            "day": self.day.isoformat(),
            "champion": f"{version.semver} (version {version.version}, {version.algorithm}, as of {version.as_of})",
            "decides": f"from {tenure.first_day} {until}",
            "why": tenure.reason,
            "decided on": f"{tenure.decided_at:%Y-%m-%d %H:%M} UTC" if tenure.decided_at else "not recorded",
            "trained because": version.cause,
            "in shadow": f"{shadow}, without answers: {self.challenger_problem}" if self.challenger_problem else shadow,
            "decisions stored": decided,
        }


def in_charge(registry: ModelRegistry, store: DayStore, day: date) -> DayInCharge:
    """Who is in charge of `day`.

    Raises:
        ModelError: no model has been released yet.
        RegistryError: the registry cannot be reached.
    """
    is_scored = store.exists("daily_predictions", day, "parquet")
    footer = store.read_table_metadata("daily_predictions", day) if is_scored else {}
    return DayInCharge(
        day=day,
        model=model_for_day(registry, day),
        challenger=challenger_of_day(registry, day),
        challenger_problem=footer.get(CHALLENGER_PROBLEM, ""),
        decided_by=footer.get("model_version"),
        decided_at=footer.get("scored_at"),
    )
