"""Which model decides about a day, and which scores it in shadow.

How a model became champion does not belong here (`release`), nor how history is kept (`champion_history`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from fraud_platform.errors import ModelError
from fraud_platform.features.schema import FEATURE_SCHEMA_VERSION
from fraud_platform.registry.registry import ModelRegistry, ModelVersion, Tenure
from fraud_platform.registry.shadow import challenger_of_day

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# What the footer of a day's decisions says of its challenger.
CHALLENGER_VERSION, CHALLENGER_THRESHOLD = "challenger_version", "challenger_threshold"
CHALLENGER_ABSENT, CHALLENGER_PROBLEM = "challenger_absent", "challenger_problem"


@dataclass(frozen=True)
class DayModel:
    """The model that decides about a day.

    Attributes:
        version: which one.
        tenure: from when on it decides, and why.
        is_hindsight: the day is no later than what the model has learned from, so its decisions look better than
            decisions about days it has never seen. Only days before the first release are decided like this.
    """

    version: ModelVersion
    tenure: Tenure
    is_hindsight: bool

    def as_metadata(self) -> dict[str, Any]:
        """What the page of the day's decisions says of who made them, and why that one."""
        return {
            "model_version": self.version.version,
            "model_semver": self.version.semver,
            "model_as_of": self.version.as_of.isoformat(),
            "champion_from": self.tenure.first_day.isoformat(),
            "champion_because": self.tenure.reason,
            "scored_in_hindsight": self.is_hindsight,
        }


def last_decision(registry: ModelRegistry) -> datetime | None:
    """When somebody last became champion, UTC; None where nothing is recorded."""
    return max((tenure.decided_at for tenure in registry.tenures() if tenure.decided_at), default=None)


def model_for_day(registry: ModelRegistry, day: date) -> DayModel:
    """The champion as of `day`; for days before the first release, the first champion, in hindsight.

    Raises:
        ModelError: no model has been released yet.
    """
    tenures = registry.tenures()
    if not tenures:
        raise ModelError(f"no model has been released yet; {_what_to_do(registry)}")
    tenure = next((tenure for tenure in tenures if tenure.covers(day)), tenures[0])
    return DayModel(tenure.version, tenure, is_hindsight=day <= tenure.version.as_of)


def _what_to_do(registry: ModelRegistry) -> str:
    newest = max(registry.versions(), key=lambda version: int(version.version), default=None)
    if newest is None:
        return "run the job `retraining` for a day with labels first"
    stands = f"was rejected ({newest.rejection})" if newest.rejection else "waits for approval"
    return f"version {newest.version} {stands}: promote it, or run the job `retraining` again"


@dataclass(frozen=True)
class DayChallenger:
    """The model that scores a day in shadow.

    Attributes:
        challenger: the bundle and its version; None without one.
        absent: version that should score the day and cannot; empty where nothing is wrong.
        problem: why it cannot; empty likewise.
    """

    challenger: "tuple[ModelBundle, str] | None" = None
    absent: str = ""
    problem: str = ""

    def as_footer(self, kept: Mapping[str, str] | None = None) -> dict[str, str]:
        """What travels with the day's decisions: who answered at which threshold, or who could not and why.

        Args:
            kept: this of earlier, where the answers that were given then are kept.
        """
        if kept is not None:
            return {name: kept[name] for name in (CHALLENGER_VERSION, CHALLENGER_THRESHOLD)}
        if self.challenger is None:
            return {CHALLENGER_VERSION: "", CHALLENGER_ABSENT: self.absent, CHALLENGER_PROBLEM: self.problem}
        bundle, version = self.challenger
        return {CHALLENGER_VERSION: version, CHALLENGER_THRESHOLD: repr(bundle.threshold.value)}

    def as_metadata(self, kept: Mapping[str, str] | None = None) -> dict[str, str]:
        """What the page of the day's decisions shows; nothing without a challenger."""
        version = self.as_footer(kept)[CHALLENGER_VERSION]
        problem = f"{self.problem}; the answers it gave before are kept" if kept else self.problem
        facts = {CHALLENGER_VERSION: version, CHALLENGER_PROBLEM: problem}
        return {name: fact for name, fact in facts.items() if fact}


def challenger_for_day(registry: ModelRegistry, day: date) -> DayChallenger:
    """Who scores `day` beside the champion. A challenger that cannot score must not keep the champion from deciding."""
    version = challenger_of_day(registry, day)
    if version is None:
        return DayChallenger()
    if version.feature_schema_version != FEATURE_SCHEMA_VERSION:
        read = f"version {version.version} reads features of schema {version.feature_schema_version}"
        problem = f"{read}, this platform computes {FEATURE_SCHEMA_VERSION}"
        return DayChallenger(absent=version.version, problem=problem)
    try:
        return DayChallenger((registry.load(version), version.version))
    except ModelError as error:
        return DayChallenger(absent=version.version, problem=str(error))
