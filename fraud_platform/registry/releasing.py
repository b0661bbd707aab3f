"""Carries a release out: registers the candidate, decides, moves the alias, and writes down what happened.

The rules of the decision belong to `release`, the figures to `validation`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fraud_platform.errors import ModelError
from fraud_platform.registry.model_card import model_card
from fraud_platform.registry.promotion import SmokeTester, champion_of, promote_version
from fraud_platform.registry.registry import MODEL_NAME, ModelRegistry, ModelVersion
from fraud_platform.registry.release import ChampionComparison, GateResult, ReleaseDecision, decide_release
from fraud_platform.registry.smoke_test import smoke_test
from fraud_platform.training.evaluation import Evaluation

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

RELEASE_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Release:
    """What became of a candidate.

    Attributes:
        version: as it stands in the registry now.
        decision: released, rejected or kept, with the reasons.
        trigger: what asked for the training: schedule, drift, performance or manual.
        cause: the same in a sentence.
        champion: semantic version of the champion after the decision; None without one.
        decided_at: when, UTC.
        model_card: Markdown.
    """

    version: ModelVersion
    decision: ReleaseDecision
    trigger: str
    cause: str
    champion: str | None
    decided_at: datetime
    model_card: str

    @property
    def action(self) -> str:
        """released, rejected or kept."""
        return self.decision.action

    @property
    def reason(self) -> str:
        """The deciding reason."""
        return self.decision.reasons[0]

    def as_dict(self) -> dict[str, Any]:
        """The release as a JSON document."""
        return {
            "schema_version": RELEASE_SCHEMA_VERSION,
            **self.decision.as_dict(),
            "trigger": self.trigger,
            "cause": self.cause,
            "decided_at": self.decided_at.isoformat(),
            "champion": self.champion,
            "model": {
                "version": self.version.version,
                "semver": self.version.semver,
                "stage": self.version.stage,
                "aliases": list(self.version.aliases),
                "digest": self.version.digest,
                "algorithm": self.version.algorithm,
                "as_of": self.version.as_of.isoformat(),
                "origin": self.version.origin,
            },
        }


def release_candidate(
    registry: ModelRegistry,
    bundle: "ModelBundle",
    validation: Mapping[str, Any],
    *,
    day: date,
    trigger: str,
    cause: str,
    min_f1_improvement: float,
    decided_at: datetime,
    run_id: str | None,
    test: SmokeTester = smoke_test,
) -> Release:
    """The candidate registered, judged, and made champion where it deserves it.

    Done again with a bundle that has been released, it changes nothing.

    Args:
        registry: where models live.
        bundle: the candidate.
        validation: the document `validation_metrics` stored for this very bundle.
        day: the as-of day; a released model decides from the next day on.
        trigger: what asked for the training.
        cause: the same in a sentence.
        min_f1_improvement: what F1 must gain over the champion's.
        decided_at: when, UTC.
        run_id: the tracked training run; None where there is none.
        test: of the stored bundle, in a fresh process.

    Raises:
        ModelError: `validation` speaks about another bundle, or compares with another champion than there is now, or
            the stored bundle does not score in a fresh process; then no alias has moved.
        RegistryError: the registry cannot be reached.
    """
    _require_same_bundle(bundle, validation)
    gates = tuple(GateResult.from_dict(gate) for gate in validation["acceptance"]["gates"])
    card = model_card(
        name=MODEL_NAME,
        algorithm=bundle.algorithm,
        provenance=bundle.provenance,
        evaluation=Evaluation.from_dict(validation["test"]),
        gates=gates,
        threshold=bundle.threshold.as_dict(),
        origin=bundle.provenance["origin"],
    )
    version = registry.register(
        bundle.to_bytes(),
        digest=bundle.digest,
        as_of=day,
        algorithm=bundle.algorithm,
        feature_schema_version=bundle.feature_schema_version,
        origin=bundle.provenance["origin"],
        cause=f"{trigger}: {cause}",
        run_id=run_id,
        created_at=decided_at,
        description=card,
    )
    champion = champion_of(registry)
    stored = validation["comparison"]
    comparison = ChampionComparison.from_dict(stored) if stored else None
    decision = decide_release(gates, comparison, trigger, min_f1_improvement=min_f1_improvement)
    if version.champion_from:
        # That it reigned is history, which a second look does not change.
        if decision.action != "released":
            reason = f"released before, as version {version.version}"
            decision = ReleaseDecision("released", (reason,), trigger, gates, comparison)
    else:
        _require_current_champion(validation, comparison, champion)
        version = _carry_out(registry, version, decision, day=day, decided_at=decided_at, test=test)
        champion = version if decision.action == "released" else champion
    return Release(version, decision, trigger, cause, champion.semver if champion else None, decided_at, card)


def _carry_out(
    registry: ModelRegistry,
    version: ModelVersion,
    decision: ReleaseDecision,
    *,
    day: date,
    decided_at: datetime,
    test: SmokeTester,
) -> ModelVersion:
    reason = decision.reasons[0]
    if decision.action == "rejected":
        return registry.mark_rejected(version, reason)
    if decision.action == "kept":
        return version
    # A model that knows all of a day must not be the one that decides about it.
    change = promote_version(
        registry,
        version.version,
        day=day + timedelta(days=1),
        reason=reason,
        approved_by=None,
        changed_at=decided_at,
        # Where it was refused under other limits; under these it is not.
        is_overruling=True,
        test=test,
    )
    return change.champion


def _require_current_champion(
    validation: Mapping[str, Any], comparison: ChampionComparison | None, champion: ModelVersion | None
) -> None:
    """Refuses a comparison with somebody else than the champion of now: the registry may have moved on meanwhile."""
    compared = comparison.champion_version if comparison else None
    current = champion.version if champion else None
    if compared != current:
        raise ModelError(
            f"the validation of {validation['as_of']} compares with champion {compared or 'none'}, champion is now "
            f"{current or 'none'}; materialise validation_metrics again"
        )


def _require_same_bundle(bundle: "ModelBundle", validation: Mapping[str, Any]) -> None:
    if validation["bundle_sha256"] != bundle.digest:
        raise ModelError(
            f"the validation of {validation['as_of']} speaks about bundle {validation['bundle_sha256'][:19]}, the "
            f"trained model is {bundle.digest[:19]}; materialise validation_metrics again"
        )
