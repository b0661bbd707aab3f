"""The one look at the test split: the candidate's figures, its gates, and the champion on the same rows.

What follows from them is decided in `release`; how a figure is computed belongs to `training.evaluation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fraud_platform.registry.comparison import ChampionComparison, compare
from fraud_platform.registry.gates import AcceptanceGates, GateResult, TrainingFigures, judge_gates
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.evaluation import REVIEW_COST, Evaluation, evaluate
from fraud_platform.training.leakage import Telltales
from fraud_platform.training.slices import Slice, hours_of, slice_decisions

if TYPE_CHECKING:
    from fraud_platform.registry.registry import ModelVersion
    from fraud_platform.training.bundle import ModelBundle

VALIDATION_SCHEMA_VERSION = 2
# The family that the others are held against.
BASELINE = "logistic_regression"


@dataclass(frozen=True)
class TestReading:
    """One time somebody looked at the test split of a day.

    Attributes:
        at: when, UTC.
        run_id: the run that looked.
        bundle_sha256: the model it looked with.
    """

    # pytest collects classes by this prefix; this one is no test.
    __test__ = False

    at: datetime
    run_id: str
    bundle_sha256: str

    def as_dict(self) -> dict[str, str]:
        """The reading as JSON."""
        return {"at": self.at.isoformat(), "run_id": self.run_id, "bundle_sha256": self.bundle_sha256}


@dataclass(frozen=True)
class Validation:
    """What the test split says of a candidate.

    Attributes:
        evaluation: the candidate's figures at its own threshold.
        slices: its decisions band by band.
        gates: every acceptance gate's answer.
        comparison: the candidate beside the champion; None without a champion.
        probabilities: float64 [n], what the candidate said of each test row.
        labels: int8 [n], what the rows turned out to be.
    """

    evaluation: Evaluation
    slices: tuple[Slice, ...]
    gates: tuple[GateResult, ...]
    comparison: ChampionComparison | None
    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def is_accepted(self) -> bool:
        """Whether every gate was passed."""
        return all(gate.is_passed for gate in self.gates)

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        failed = [gate.explanation for gate in self.gates if not gate.is_passed]
        return "; ".join(failed) if failed else f"all {len(self.gates)} acceptance gates passed"


def validate(
    bundle: "ModelBundle",
    test: LabelledRows,
    *,
    gates: AcceptanceGates,
    champion: "tuple[ModelVersion, ModelBundle] | None",
    seed: int,
    legitimate_weight: float = 1.0,
    review_cost: float = REVIEW_COST,
) -> Validation:
    """What the test split says of `bundle`, and of the champion on the same rows.

    Args:
        bundle: the candidate.
        test: the test split of the candidate's window, which neither search, calibration nor threshold has seen.
        gates: acceptance limits.
        champion: who decides now; None before the first release. Splits rank by a hash of the transaction, so
            hardly any row that judges this candidate has trained the champion.
        seed: of the bootstrap.
        legitimate_weight: how many transactions each legitimate row of `test` stands for.
        review_cost: what looking into one alert costs, in the currency of `Amount`.
    """
    counting: Mapping[str, Any] = {"seed": seed, "legitimate_weight": legitimate_weight}
    probabilities = bundle.predict(test.features)
    threshold = bundle.threshold.value
    evaluation = evaluate(probabilities, test.labels, test.amounts, threshold, review_cost=review_cost, **counting)
    slices = slice_decisions(
        test.labels,
        probabilities >= threshold,
        test.amounts,
        hours_of(test.features),
        legitimate_weight=legitimate_weight,
    )
    judged = judge_gates(evaluation, training_figures(bundle), gates, slices=slices)
    comparison = compare(champion, bundle, test, **counting) if champion else None
    return Validation(evaluation, slices, judged, comparison, probabilities, test.labels)


def training_figures(bundle: "ModelBundle") -> TrainingFigures:
    """What the provenance of the bundle says that gates look at.

    A logistic regression is held against no baseline: it would have to be above itself. It is chosen only where
    nothing was better.
    """
    best, provenance = selected_candidate(bundle), bundle.provenance
    signs = provenance.get("telltales")
    return TrainingFigures(
        train_average_precision=best["train_average_precision"],
        validation_average_precision=best["validation_average_precision"],
        # Both on the same folds; an ensemble has no search of its own.
        out_of_fold_average_precision=best["out_of_fold_average_precision"],
        baseline_average_precision=None
        if bundle.algorithm == BASELINE
        else provenance.get("baseline_average_precision"),
        telltales=Telltales.from_dict(signs) if signs else None,
    )


def selected_candidate(bundle: "ModelBundle") -> Mapping[str, Any]:
    """The row of the bundle's candidate table that became the model."""
    return next(row for row in bundle.provenance["candidates"] if row["name"] == bundle.algorithm)


def validation_document(
    validation: Validation, bundle: "ModelBundle", *, readings: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The validation as the JSON document that release and people read.

    Args:
        validation: what `validate` gave.
        bundle: the candidate.
        readings: every reading of this day's test split so far, this one last.
    """
    return {
        "schema_version": VALIDATION_SCHEMA_VERSION,
        "as_of": bundle.provenance["as_of"],
        "origin": bundle.provenance["origin"],
        "bundle_sha256": bundle.digest,
        "algorithm": bundle.algorithm,
        "candidates": list(bundle.provenance["candidates"]),
        "test": validation.evaluation.as_dict(),
        "slices": [each.as_dict() for each in validation.slices],
        "acceptance": {
            "is_accepted": validation.is_accepted,
            "sentence": validation.sentence,
            "gates": [gate.as_dict() for gate in validation.gates],
        },
        "comparison": validation.comparison.as_dict() if validation.comparison else None,
        "test_readings": list(readings),
    }
