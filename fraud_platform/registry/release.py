"""Whether a candidate becomes champion: acceptance gates first, then the comparison with who is champion now.

Carrying the decision out does not belong here (`registry`), nor does measuring (`fraud_platform.training.evaluation`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from fraud_platform.training.evaluation import Evaluation, Interval

Action = Literal["released", "rejected", "kept"]

# What a candidate trained because of drift may lose in average precision, at worst, on the rows both were measured on:
# a champion whose baseline no longer describes the data has to go, and so few frauds seldom prove a gain.
NON_INFERIORITY_MARGIN = 0.05

DRIFT = "drift"


@dataclass(frozen=True)
class AcceptanceGates:
    """What every candidate must reach, on the test split where nothing else is said.

    Attributes:
        min_f1: least F1 at the decision threshold.
        min_precision: least share of alerts that are frauds.
        min_recall: least share of frauds that are alerted.
        min_average_precision: least average precision.
        max_train_validation_gap: how much average precision may fall from train to validation.
    """

    min_f1: float = 0.75
    min_precision: float = 0.80
    min_recall: float = 0.70
    min_average_precision: float = 0.70
    max_train_validation_gap: float = 0.30


@dataclass(frozen=True)
class GateResult:
    """One gate's answer.

    Attributes:
        name: the figure that is judged.
        value: what was measured; nan where it does not exist, which never passes.
        limit: what it is held against.
        is_passed: the verdict.
        explanation: one sentence for whoever reads the verdict.
    """

    name: str
    value: float
    limit: float
    is_passed: bool
    explanation: str

    def as_dict(self) -> dict[str, Any]:
        """The result as a JSON document, None for a figure that does not exist."""
        return {**asdict(self), "value": self.value if math.isfinite(self.value) else None}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "GateResult":
        """The result that `as_dict` wrote."""
        return cls(**{**document, "value": math.nan if document["value"] is None else document["value"]})


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
    """

    champion_version: str
    champion_as_of: date
    candidate_as_of: date
    champion_f1: float
    candidate_f1: float
    average_precision_difference: Interval

    def as_dict(self) -> dict[str, Any]:
        """The comparison as a JSON document, None for figures that do not exist."""
        return {
            "champion_version": self.champion_version,
            "champion_as_of": self.champion_as_of.isoformat(),
            "candidate_as_of": self.candidate_as_of.isoformat(),
            "champion_f1": self.champion_f1 if math.isfinite(self.champion_f1) else None,
            "candidate_f1": self.candidate_f1 if math.isfinite(self.candidate_f1) else None,
            "average_precision_difference": self.average_precision_difference.as_dict(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "ChampionComparison":
        """The comparison that `as_dict` wrote."""
        champion_f1, candidate_f1 = document["champion_f1"], document["candidate_f1"]
        return cls(
            champion_version=document["champion_version"],
            champion_as_of=date.fromisoformat(document["champion_as_of"]),
            candidate_as_of=date.fromisoformat(document["candidate_as_of"]),
            champion_f1=math.nan if champion_f1 is None else champion_f1,
            candidate_f1=math.nan if candidate_f1 is None else candidate_f1,
            average_precision_difference=Interval.from_dict(document["average_precision_difference"]),
        )


@dataclass(frozen=True)
class ReleaseDecision:
    """What to do with a candidate and why.

    Attributes:
        action: released (it becomes champion), rejected (it failed a gate) or kept (the champion stays).
        reasons: sentences, the deciding one first.
        cause: why the candidate was trained.
        gates: every gate's answer.
        comparison: the candidate beside the champion; None without a champion.
    """

    action: Action
    reasons: tuple[str, ...]
    cause: str
    gates: tuple[GateResult, ...]
    comparison: ChampionComparison | None

    def as_dict(self) -> dict[str, Any]:
        """The decision as a JSON document."""
        return {
            "action": self.action,
            "reasons": list(self.reasons),
            "cause": self.cause,
            "gates": [gate.as_dict() for gate in self.gates],
            "comparison": self.comparison.as_dict() if self.comparison else None,
        }


def judge_gates(
    evaluation: Evaluation,
    train_average_precision: float,
    validation_average_precision: float,
    gates: AcceptanceGates,
) -> tuple[GateResult, ...]:
    """Every gate's answer to a candidate.

    Args:
        evaluation: of the candidate on the test split.
        train_average_precision: on the rows it was fitted on, in [0, 1].
        validation_average_precision: on the validation split, in [0, 1].
        gates: the limits.
    """
    gap = train_average_precision - validation_average_precision
    return (
        _at_least("f1", evaluation.f1.value, gates.min_f1),
        _at_least("precision", evaluation.precision.value, gates.min_precision),
        _at_least("recall", evaluation.recall.value, gates.min_recall),
        _at_least("average_precision", evaluation.average_precision.value, gates.min_average_precision),
        GateResult(
            name="train_validation_gap",
            value=gap,
            limit=gates.max_train_validation_gap,
            is_passed=gap <= gates.max_train_validation_gap,
            explanation=f"average precision falls by {gap:.3f} from train to validation, at most "
            f"{gates.max_train_validation_gap:.3f} is allowed",
        ),
    )


def decide_release(
    candidate_gates: Sequence[GateResult],
    comparison: ChampionComparison | None,
    cause: str,
    *,
    min_f1_improvement: float = 0.02,
    non_inferiority_margin: float = NON_INFERIORITY_MARGIN,
) -> ReleaseDecision:
    """What to do with a candidate.

    Decision rule, first match: a failed gate rejects; without a champion it is released; a candidate that knows less
    than the champion (an earlier as-of day) leaves the champion; it is released where its F1 is `min_f1_improvement`
    above the champion's, or where its average precision is above the champion's with confidence; where drift is the
    cause, not being worse suffices: an F1 no lower, or an average precision that is with confidence less than
    `non_inferiority_margin` below; else the champion stays.

    Args:
        candidate_gates: what `judge_gates` answered.
        comparison: both models on the same rows; None without a champion.
        cause: why the candidate was trained; "drift" relaxes the comparison.
        min_f1_improvement: what F1 must gain, absolute.
        non_inferiority_margin: what average precision may lose, absolute.
    """
    gates = tuple(candidate_gates)
    failed = tuple(gate.explanation for gate in gates if not gate.is_passed)
    action: Action
    if failed:
        action, reasons = "rejected", failed
    elif comparison is None:
        action, reasons = "released", ("it passed every gate and there is no champion yet",)
    elif comparison.candidate_as_of < comparison.champion_as_of:
        action = "kept"
        reasons = (
            f"the champion (version {comparison.champion_version}) knows everything up to {comparison.champion_as_of}, "
            f"the candidate only up to {comparison.candidate_as_of}",
        )
    else:
        action, reasons = _decide_against_champion(
            comparison, cause == DRIFT, min_f1_improvement, non_inferiority_margin
        )
    return ReleaseDecision(action, reasons, cause, gates, comparison)


def _decide_against_champion(
    comparison: ChampionComparison, is_drift: bool, min_f1_improvement: float, non_inferiority_margin: float
) -> tuple[Action, tuple[str, ...]]:
    """The part of the decision rule that compares; see `decide_release`."""
    difference = comparison.average_precision_difference
    f1_gain = comparison.candidate_f1 - comparison.champion_f1
    champion = f"the champion (version {comparison.champion_version})"
    f1 = f"F1 is {comparison.candidate_f1:.3f}, {champion} has {comparison.champion_f1:.3f} on the same rows"
    ranking = (
        f"average precision differs by {difference.value:+.3f} (interval {difference.low:+.3f} to "
        f"{difference.high:+.3f}) from {champion}"
    )
    # F1 is a rounded ratio: a gain of exactly the limit must not fail in the sixteenth digit.
    if f1_gain >= min_f1_improvement - 1e-9:
        return "released", (f"{f1}: a gain of at least {min_f1_improvement:.3f}",)
    if difference.low > 0:
        return "released", (f"{ranking}: above 0 with confidence", f1)
    if is_drift and f1_gain >= 0:
        return "released", (f"{f1}: no worse, which suffices after drift", ranking)
    if is_drift and difference.low > -non_inferiority_margin:
        loss = f"with confidence less than {non_inferiority_margin:.3f} below, which suffices after drift"
        return "released", (f"{ranking}: {loss}", f1)
    return "kept", (f"{f1}: no gain of {min_f1_improvement:.3f}", f"{ranking}: not above 0 with confidence")


def _at_least(name: str, value: float, limit: float) -> GateResult:
    return GateResult(
        name=name,
        value=value,
        limit=limit,
        is_passed=value >= limit,
        explanation=f"{name.replace('_', ' ')} is {value:.3f} on the test split, at least {limit:.3f} is required",
    )
