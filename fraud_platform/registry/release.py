"""Whether a candidate becomes champion: acceptance gates first, then the comparison with who is champion now.

Carrying the decision out does not belong here (`registry`), nor does measuring (`fraud_platform.training.evaluation`,
`comparison`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fraud_platform.registry.comparison import ChampionComparison
from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.slices import Slice

Action = Literal["released", "rejected", "kept"]

# What a candidate trained because of drift may lose in average precision, at worst, on the rows both were measured on:
# a champion whose baseline no longer describes the data has to go, and so few frauds seldom prove a gain.
NON_INFERIORITY_MARGIN = 0.05

DRIFT = "drift"

# A part of the data is lost to the model where it certainly catches less than this share of what it must catch overall.
COLLAPSE_SHARE = 0.5


@dataclass(frozen=True)
class AcceptanceGates:
    """What every candidate must reach, on the test split where nothing else is said.

    Attributes:
        min_f1: least F1 at the decision threshold.
        min_precision: least share of alerts that are frauds.
        min_recall: least share of frauds that are alerted.
        min_average_precision: least average precision.
        max_train_validation_gap: how much average precision may fall from train to validation.
        max_relative_calibration_error: most expected calibration error, as a share of the fraud rate. An absolute
            limit would let a model pass that always answers 0: with rare frauds, it is hardly ever wrong.
        max_single_feature_average_precision: most that a single feature may reach by itself; the best of the public
            data reaches 0.64, and a feature that nearly is the label has learnt it from the future.
    """

    min_f1: float = 0.75
    min_precision: float = 0.80
    min_recall: float = 0.70
    min_average_precision: float = 0.70
    max_train_validation_gap: float = 0.30
    max_relative_calibration_error: float = 0.50
    max_single_feature_average_precision: float = 0.90


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


@dataclass(frozen=True)
class TrainingFigures:
    """What training found out that gates look at; a gate whose figure is None is left out.

    Attributes:
        train_average_precision: on the rows the model was fitted on, in [0, 1].
        validation_average_precision: on validation rows, of models not fitted on them, in [0, 1].
        out_of_fold_average_precision: on training and validation rows, of models that had not seen them, in [0, 1].
        baseline_average_precision: of a plain logistic regression in the same folds, in [0, 1].
        single_feature: name of the feature that tells most by itself, and its average precision.
    """

    train_average_precision: float
    validation_average_precision: float
    out_of_fold_average_precision: float | None = None
    baseline_average_precision: float | None = None
    single_feature: tuple[str, float] | None = None


def judge_gates(
    evaluation: Evaluation, training: TrainingFigures, gates: AcceptanceGates, *, slices: Sequence[Slice] = ()
) -> tuple[GateResult, ...]:
    """Every gate's answer to a candidate.

    Args:
        evaluation: of the candidate on the test split.
        training: what was found out before.
        gates: the limits.
        slices: the decisions on the test split band by band; without one that is applicable, that gate is left out.
    """
    return (
        _at_least("f1", evaluation.f1.value, gates.min_f1),
        _at_least("precision", evaluation.precision.value, gates.min_precision),
        _at_least("recall", evaluation.recall.value, gates.min_recall),
        _at_least("average_precision", evaluation.average_precision.value, gates.min_average_precision),
        _overfitting(training, gates.max_train_validation_gap),
        _calibration(evaluation, gates.max_relative_calibration_error),
        *_slices(slices, COLLAPSE_SHARE * gates.min_recall),
        *_beats_baseline(training),
        *_plausible(training, gates.max_single_feature_average_precision),
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
    above the champion's and above it with confidence, or where its average precision is above the champion's with
    confidence, for a gain that may be chance is noise, however large; where drift is the
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
    ranking_difference, f1_difference = comparison.average_precision_difference, comparison.f1_difference
    f1_gain = comparison.candidate_f1 - comparison.champion_f1
    champion = f"the champion (version {comparison.champion_version})"
    f1 = (
        f"F1 is {comparison.candidate_f1:.3f}, {champion} has {comparison.champion_f1:.3f} on the same rows, "
        f"a difference of {_signed(f1_gain, f1_difference)}"
    )
    ranking = f"average precision differs by {_signed(ranking_difference.value, ranking_difference)} from {champion}"
    # F1 is a rounded ratio: a gain of exactly the limit must not fail in the sixteenth digit.
    is_large = f1_gain >= min_f1_improvement - 1e-9
    if is_large and f1_difference.low > 0:
        return "released", (f"{f1}: a gain of at least {min_f1_improvement:.3f}, above 0 with confidence",)
    if ranking_difference.low > 0:
        return "released", (f"{ranking}: above 0 with confidence", f1)
    if is_drift and f1_gain >= 0:
        return "released", (f"{f1}: no worse, which suffices after drift", ranking)
    if is_drift and ranking_difference.low > -non_inferiority_margin:
        loss = f"with confidence less than {non_inferiority_margin:.3f} below, which suffices after drift"
        return "released", (f"{ranking}: {loss}", f1)
    short = "which may be chance" if is_large else f"no gain of {min_f1_improvement:.3f}"
    return "kept", (f"{f1}: {short}", f"{ranking}: not above 0 with confidence")


def _signed(difference: float, interval: Interval) -> str:
    bounds = f"{interval.low:+.3f} to {interval.high:+.3f}" if math.isfinite(interval.low) else "unknown"
    return f"{difference:+.3f} (interval {bounds})"


def _at_least(name: str, value: float, limit: float) -> GateResult:
    return GateResult(
        name=name,
        value=value,
        limit=limit,
        is_passed=value >= limit,
        explanation=f"{name.replace('_', ' ')} is {value:.3f} on the test split, at least {limit:.3f} is required",
    )


def _overfitting(training: TrainingFigures, limit: float) -> GateResult:
    gap = training.train_average_precision - training.validation_average_precision
    fall = f"average precision falls by {gap:.3f} from train to validation, at most {limit:.3f} is allowed"
    return GateResult("train_validation_gap", gap, limit, gap <= limit, fall)


def _calibration(evaluation: Evaluation, limit: float) -> GateResult:
    error = evaluation.expected_calibration_error.value
    relative = error / evaluation.fraud_rate if evaluation.fraud_rate else math.nan
    explanation = (
        f"probabilities are off by {error:.3%} on average, {relative:.3f} of the fraud rate of "
        f"{evaluation.fraud_rate:.3%}; at most {limit:.3f} of it is allowed"
    )
    return GateResult("calibration", relative, limit, relative <= limit, explanation)


def _slices(slices: Sequence[Slice], limit: float) -> tuple[GateResult, ...]:
    judged = sorted((each for each in slices if each.is_applicable), key=lambda each: each.recall.high)
    if not judged:
        return ()
    lost = [each for each in judged if each.recall.high < limit]
    shown = ", ".join(
        f"{each.name} ({each.recall.value:.3f}, at most {each.recall.high:.3f})" for each in lost or judged[:1]
    )
    verdict = "recall collapses in" if lost else "recall collapses nowhere; it is lowest in"
    explanation = f"{verdict} {shown}, and {limit:.3f} must be within the interval of each slice"
    return (GateResult("slices", judged[0].recall.high, limit, not lost, explanation),)


def _beats_baseline(training: TrainingFigures) -> tuple[GateResult, ...]:
    reached, baseline = training.out_of_fold_average_precision, training.baseline_average_precision
    if reached is None or baseline is None:
        return ()
    beaten = f"average precision is {reached:.3f} out of fold, logistic regression reaches {baseline:.3f}"
    explanation = f"{beaten}, a model must be above it"
    return (GateResult("beats_baseline", reached, baseline, reached > baseline, explanation),)


def _plausible(training: TrainingFigures, limit: float) -> tuple[GateResult, ...]:
    if training.single_feature is None:
        return ()
    feature, reached = training.single_feature
    is_passed = reached <= limit
    alone = f"{feature} alone reaches an average precision of {reached:.3f}, at most {limit:.3f} is plausible"
    return (GateResult("plausible", reached, limit, is_passed, alone if is_passed else f"looks like a leak: {alone}"),)
