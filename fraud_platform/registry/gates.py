"""What every candidate must reach before anything else is asked: acceptance gates, and what looks like a leak.

Comparing with the champion does not belong here (`release`), nor does measuring (`fraud_platform.training`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from fraud_platform.ingestion.schema import TRUE_FRAUD_RATE
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform.training.evaluation import Evaluation
from fraud_platform.training.leakage import Telltales
from fraud_platform.training.slices import Slice

# A part of the data is lost to the model where it certainly catches less than this share of what it must catch overall.
COLLAPSE_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class AcceptanceGates:
    """What every candidate must reach, on the test split where nothing else is said; each is the setting of its name.

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
        max_single_feature_recall: most frauds that a single feature may tell from legitimate rows nearly without a
            mistake; the best of simulated full days reaches 0.24. It finds a feature that knows the answer at times.
        max_plausible_average_precision: what average precision out of fold may not be above with confidence; clean
            models of the public data reach 0.85. It finds what several features know together.

    The last three are held against figures at the public file's fraud rate, whatever the rate is: see `Telltales`.
    """

    min_f1: float
    min_precision: float
    min_recall: float
    min_average_precision: float
    max_train_validation_gap: float
    max_relative_calibration_error: float
    max_single_feature_average_precision: float
    max_single_feature_recall: float
    max_plausible_average_precision: float

    @classmethod
    def of(cls, rules: ReleaseRules) -> Self:
        """What the settings say, field by field; their defaults are the only ones."""
        return cls(**{field.name: getattr(rules, field.name) for field in fields(cls)})


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
class TrainingFigures:
    """What training found out that gates look at; a gate whose figure is None is left out.

    Attributes:
        train_average_precision: on the rows the model was fitted on, in [0, 1].
        validation_average_precision: on validation rows, of models not fitted on them, in [0, 1].
        out_of_fold_average_precision: on training and validation rows, of models that had not seen them, in [0, 1].
        baseline_average_precision: of a plain logistic regression in the same folds, in [0, 1].
        telltales: what looks like a leak if there is too much of it.
    """

    train_average_precision: float
    validation_average_precision: float
    out_of_fold_average_precision: float | None = None
    baseline_average_precision: float | None = None
    telltales: Telltales | None = None


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
        *_leaks(training.telltales, gates),
    )


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


def _leaks(signs: Telltales | None, gates: AcceptanceGates) -> tuple[GateResult, ...]:
    if signs is None:
        return ()
    strongest, purest, bound = signs.strongest, signs.purest, signs.average_precision_bound
    ranks = f"{strongest.feature} alone reaches an average precision of {strongest.value:.3f}"
    tells = f"{purest.feature} alone tells {purest.value:.3f} of the frauds from all legitimate transactions"
    together = f"all features together reach, with confidence, an average precision above {bound:.3f}"
    return (
        _plausible("strongest_feature", ranks, strongest.value, gates.max_single_feature_average_precision),
        _plausible("purest_feature", tells, purest.value, gates.max_single_feature_recall),
        _plausible("all_features", together, bound, gates.max_plausible_average_precision),
    )


def _plausible(name: str, what: str, reached: float, limit: float) -> GateResult:
    is_passed = reached <= limit
    verdict = "" if is_passed else "looks like a leak: "
    explanation = f"{verdict}{what} at a fraud rate of {TRUE_FRAUD_RATE:.3%}, at most {limit:.3f} is plausible"
    return GateResult(name, reached, limit, is_passed, explanation)
