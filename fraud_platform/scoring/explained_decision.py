"""One decision with everything that answers "why": replayed by the model that made it, its reasons, what would turn it.

Finding the decision does not belong here (`decision_record`), nor do the words it is told in (`explanation_document`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraud_platform.errors import ModelError
from fraud_platform.registry.registry import ModelRegistry, ModelVersion
from fraud_platform.scoring.counterfactuals import Counterfactual, find_counterfactual
from fraud_platform.scoring.decision_record import DecisionRecord
from fraud_platform.scoring.explanations import explain_probabilities
from fraud_platform.training.dataset import feature_matrix

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle


@dataclass(frozen=True)
class Reason:
    """One feature's part in a probability.

    Attributes:
        feature: its name.
        value: what the transaction has.
        contribution: what it adds to the probability, or takes from it.
    """

    feature: str
    value: float
    contribution: float


@dataclass(frozen=True)
class ExplainedDecision:
    """Why a decision is what it is.

    Attributes:
        record: the decision as it was stored.
        version: the model that made it.
        threshold_policy: how the model's threshold was chosen.
        replayed: the probability that the model gives now, to the last bit.
        start: the probability all transactions start from: calibrated, at the model's mean log-odds.
        reasons: every feature's part, the strongest first; start and contributions add up to `replayed`.
        counterfactual: what would have changed the decision.
    """

    record: DecisionRecord
    version: ModelVersion
    threshold_policy: str
    replayed: float
    start: float
    reasons: tuple[Reason, ...]
    counterfactual: Counterfactual

    @property
    def is_replayed(self) -> bool:
        """Whether the model gives the recorded probability again, bit for bit."""
        return self.replayed == self.record.probability

    @property
    def is_simulated(self) -> bool:
        """Whether the transaction or what the model learned from is made up."""
        return self.record.is_simulated or self.version.origin == "simulated"


def deciding_version(registry: ModelRegistry, version: str) -> ModelVersion:
    """The registered model that decided.

    Raises:
        ModelError: it is registered no more.
        RegistryError: the registry cannot be reached.
    """
    for known in registry.versions():
        if known.version == version:
            return known
    raise ModelError(
        f"decided by model version {version}, which is not in the registry any more; restore the registry from a "
        "backup: without the model the decision cannot be replayed"
    )


def explain_decision(record: DecisionRecord, version: ModelVersion, bundle: "ModelBundle") -> ExplainedDecision:
    """The decision, replayed and explained by `bundle`, which is registered as `version`.

    Raises:
        ModelError: the bundle reads other features than this platform computes.
    """
    probabilities = bundle.predict(record.features)
    features = feature_matrix(record.features, bundle.feature_names)
    contributions, start = explain_probabilities(features, probabilities, bundle)
    reasons = [
        Reason(*each)
        for each in zip(bundle.feature_names, features[0].tolist(), contributions[0].tolist(), strict=True)
    ]
    replayed = float(probabilities[0])
    return ExplainedDecision(
        record=record,
        version=version,
        threshold_policy=bundle.threshold.policy,
        replayed=replayed,
        start=start,
        reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution))),
        counterfactual=find_counterfactual(features, bundle, is_alert=replayed >= bundle.threshold.value),
    )
