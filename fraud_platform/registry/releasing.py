"""Carries a release out: registers the candidate, decides, moves the alias or begins a shadow, and writes it down.

The rules of the decision belong to `release`, the figures to `validation`, the path of a promotion to `promotion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from fraud_platform.errors import ModelError
from fraud_platform.registry.comparison import ChampionComparison
from fraud_platform.registry.gates import GateResult
from fraud_platform.registry.model_card import model_card, standing_markdown
from fraud_platform.registry.model_metadata import model_metadata
from fraud_platform.registry.policy import ReleasePolicy
from fraud_platform.registry.promotion import SmokeTester, champion_of, promote_version
from fraud_platform.registry.registry import MODEL_NAME, ModelRegistry, ModelVersion
from fraud_platform.registry.release import ReleaseDecision, decide_release
from fraud_platform.registry.shadow import begin_shadow
from fraud_platform.registry.smoke_test import smoke_test
from fraud_platform.training.evaluation import Evaluation
from fraud_platform.training.slices import Slice

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

RELEASE_SCHEMA_VERSION = 2

ReleaseAction = Literal["released", "rejected", "kept", "shadow", "approval"]


@dataclass(frozen=True)
class Release:
    """What became of a candidate.

    Attributes:
        version: as it stands in the registry now.
        action: released, rejected, kept, shadow (it scores beside the champion first) or approval (a person must
            approve first).
        decision: released, rejected or kept, with the reasons.
        trigger: what asked for the training: schedule, drift, performance or manual.
        cause: the same in a sentence.
        champion: semantic version of the champion after the decision; None without one.
        decided_at: when, UTC.
        model_card: Markdown, with its standing at that moment.
        metadata: the model's, as a flat document.
        policy: the limits that were held.
    """

    version: ModelVersion
    action: ReleaseAction
    decision: ReleaseDecision
    trigger: str
    cause: str
    champion: str | None
    decided_at: datetime
    model_card: str
    metadata: Mapping[str, Any]
    policy: ReleasePolicy

    @property
    def reason(self) -> str:
        """The deciding reason."""
        return self.decision.reasons[0]

    def as_dict(self) -> dict[str, Any]:
        """The release as a JSON document."""
        return {
            "schema_version": RELEASE_SCHEMA_VERSION,
            **self.decision.as_dict(),
            "action": self.action,
            "policy": dict(self.policy.as_dict()),
            "metadata": dict(self.metadata),
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
    policy: ReleasePolicy,
    decided_at: datetime,
    run_id: str | None,
    trained: Mapping[str, Any] | None = None,
    first_day: date | None = None,
    test: SmokeTester = smoke_test,
) -> Release:
    """The candidate registered, judged, and made champion where it deserves it.

    Done again with a bundle that has been released, it changes nothing.

    Args:
        registry: where models live.
        bundle: the candidate.
        validation: the document `validation_metrics` stored for this very bundle.
        day: the as-of day.
        trigger: what asked for the training.
        cause: the same in a sentence.
        policy: the limits to hold, and whether a shadow or an approval comes first.
        decided_at: when, UTC.
        run_id: the tracked training run; None where there is none.
        trained: what the training recorded beside the model, see `model_metadata`.
        first_day: first day the model decides about, or scores in shadow; the day after `day` when None. Days that were
            decided while it was made keep their decisions, so a caller who knows of such days names a later one.
        test: of the stored bundle, in a fresh process.

    Raises:
        ModelError: `validation` or `trained` speaks about another bundle, `validation` compares with another champion
            than there is now, or the stored bundle does not score in a fresh process; then no alias has moved.
        RegistryError: the registry cannot be reached.
    """
    _require_same_bundle(bundle, validation, trained or {})
    gates = tuple(GateResult.from_dict(gate) for gate in validation["acceptance"]["gates"])
    card = model_card(
        name=MODEL_NAME,
        algorithm=bundle.algorithm,
        provenance=bundle.provenance,
        evaluation=Evaluation.from_dict(validation["test"]),
        gates=gates,
        threshold=bundle.threshold.as_dict(),
        origin=bundle.provenance["origin"],
        slices=[Slice.from_dict(each) for each in validation.get("slices", ())],
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
    decision = decide_release(gates, comparison, trigger, min_f1_improvement=policy.min_f1_improvement)
    action: ReleaseAction
    if version.champion_from or version.shadow_until:
        # That it reigned, or what its shadow came to, is history, which a second look does not change.
        action = "released" if version.champion_from else "rejected"
        if decision.action != action:
            was = "released" if version.champion_from else "in shadow"
            reason = f"{was} before, as version {version.version}"
            decision = ReleaseDecision(action, (reason,), trigger, gates, comparison)
    else:
        _require_current_champion(validation, comparison, champion)
        action = _action(decision, champion, policy)
        # A model that knows all of a day must not be the one that decides about it, nor be compared on it.
        begins = first_day or day + timedelta(days=1)
        version = _carry_out(
            registry,
            version,
            action,
            decision,
            replacing=champion.version if champion else "",
            begins=begins,
            decided_at=decided_at,
            test=test,
        )
        champion = version if action == "released" else champion
    metadata = model_metadata(version, bundle, validation, trained or {})
    version = registry.annotate(version, {"policy_version": policy.version})
    return Release(
        version=version,
        action=action,
        decision=decision,
        trigger=trigger,
        cause=cause,
        champion=champion.semver if champion else None,
        decided_at=decided_at,
        model_card=f"{card}\n{standing_markdown(version, policy.version)}",
        metadata=metadata,
        policy=policy,
    )


def _action(decision: ReleaseDecision, champion: ModelVersion | None, policy: ReleasePolicy) -> ReleaseAction:
    """What is done with a candidate: one that earned its release may have to stand beside the champion first."""
    if decision.action != "released":
        return decision.action
    if champion is not None and policy.shadow_days:
        return "shadow"
    return "approval" if policy.require_approval else "released"


def _carry_out(
    registry: ModelRegistry,
    version: ModelVersion,
    action: ReleaseAction,
    decision: ReleaseDecision,
    *,
    replacing: str,
    begins: date,
    decided_at: datetime,
    test: SmokeTester,
) -> ModelVersion:
    reason = decision.reasons[0]
    if action == "rejected":
        return registry.mark_rejected(version, reason)
    if action == "kept":
        return version
    if action in ("shadow", "approval"):
        return begin_shadow(registry, version, first_day=begins, reason=reason)
    change = promote_version(
        registry,
        version.version,
        day=begins,
        reason=reason,
        approved_by=None,
        changed_at=decided_at,
        # Where it was refused under other limits; under these it is not.
        is_overruling=True,
        # Whom it was compared with.
        expected_champion=replacing,
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


def _require_same_bundle(bundle: "ModelBundle", validation: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
    if validation["bundle_sha256"] != bundle.digest:
        raise ModelError(
            f"the validation of {validation['as_of']} speaks about bundle {validation['bundle_sha256'][:19]}, the "
            f"trained model is {bundle.digest[:19]}; materialise validation_metrics again"
        )
    # The history is kept elsewhere than the bundle: whoever changes the file alone releases nothing.
    made = trained.get("bundle_sha256", bundle.digest)
    if made != bundle.digest:
        raise ModelError(
            f"the stored model of {validation['as_of']} is {bundle.digest[:19]}, its training made {made[:19]}: "
            "somebody put another in its place, or its training is not on record; materialise trained_model again"
        )
