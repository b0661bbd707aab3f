"""From labelled rows to one bundle: every candidate is searched, refitted, calibrated and judged; the best is kept.

The test split does not belong here; it is never seen. Neither does the release decision.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from fraud_platform.metrics import average_precision
from fraud_platform.training.bundle import SCORE_COLUMN, ModelBundle
from fraud_platform.training.calibration import Calibration, fit_calibration
from fraud_platform.training.candidates import Candidate
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.estimators import ALL_CORES, Estimator
from fraud_platform.training.evaluation import Evaluation, evaluate
from fraud_platform.training.sampling import subsample_legitimate
from fraud_platform.training.thresholds import DecisionThreshold, choose_threshold
from fraud_platform.training.tuning import SearchBudget, SearchResult, TrialResult, search

# The final fit's limit, so that half a year of full days still fits into memory and an afternoon.
REFIT_LEGITIMATE_LIMIT = 1_000_000
# Average precisions this close are a tie: on validation rows with tens of frauds, far larger differences are luck.
TIE_TOLERANCE = 0.005


@dataclass(frozen=True)
class CandidateResult:
    """How one candidate did.

    Attributes:
        name: the algorithm.
        params: the best parameters found.
        cv_average_precision: mean over the inner folds of the training rows, of models not fitted on the fold.
        validation: every figure on the validation rows, calibrated, at the chosen threshold.
        train_average_precision: on the very rows the model was fitted on; trees reach 1 on them.
        trials: every trial of the search.
        seconds: search, refit and judging together.
    """

    name: str
    params: Mapping[str, float | int]
    cv_average_precision: float
    validation: Evaluation
    train_average_precision: float
    trials: tuple[TrialResult, ...]
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """The bundle of the best candidate, and how each candidate did, in the order they were given."""

    bundle: ModelBundle
    candidates: tuple[CandidateResult, ...]


@dataclass(frozen=True)
class _Contender:
    candidate: Candidate
    estimator: Estimator
    calibration: Calibration
    threshold: DecisionThreshold
    validation_probabilities: np.ndarray
    result: CandidateResult


def train(
    train: LabelledRows,
    validation: LabelledRows,
    *,
    candidates: Sequence[Candidate],
    budget: SearchBudget,
    seed: int,
    baseline: Profile,
    data_version: str,
    as_of: date,
    origin: str,
    min_precision: float = 0.80,
    on_progress: Callable[[str], None] | None = None,
) -> TrainingResult:
    """The best of `candidates`: highest average precision on `validation`; of those within 0.005, the simplest.

    Same rows, candidates, trials and seed give the same bundle digest.

    Args:
        train: rows to search and fit on.
        validation: rows that calibrate, place the threshold and choose between candidates.
        candidates: families to try, at least one.
        budget: of each family's search.
        seed: of every random choice.
        baseline: distribution of `FEATURE_NAMES` in the training rows; `fraud_probability` is added, as answered on
            the validation rows, since scores on rows the model was fitted on would flatter it.
        data_version: digest of the landed bytes behind the rows.
        as_of: the day whose end bounds what was known.
        origin: "landed", "replayed" or "simulated".
        min_precision: precision floor of the decision threshold, in [0, 1].
        on_progress: called with one line of text after each trial and each candidate.

    Raises:
        DataError: too few frauds in either set of rows.
        ValueError: no candidate.
    """
    if not candidates:
        raise ValueError("train at least one candidate")
    report = on_progress or (lambda line: None)
    contenders = [
        _contend(candidate, train, validation, budget, seed, min_precision, report) for candidate in candidates
    ]
    best = _choose(contenders)
    report(f"{best.candidate.name} chosen")
    scores = pd.DataFrame({SCORE_COLUMN: best.validation_probabilities})
    bundle = ModelBundle(
        algorithm=best.candidate.name,
        feature_names=FEATURE_NAMES,
        feature_schema_version=FEATURE_SCHEMA_VERSION,
        estimator=best.estimator,
        calibration=best.calibration,
        threshold=best.threshold,
        baseline=Profile({**baseline.select(FEATURE_NAMES).columns, **profile_table(scores, [SCORE_COLUMN]).columns}),
        provenance={
            "as_of": as_of.isoformat(),
            "data_version": data_version,
            "origin": origin,
            "seed": seed,
            "params": dict(best.result.params),
            "candidates": [
                {
                    "name": contender.result.name,
                    "params": dict(contender.result.params),
                    "trials": len(contender.result.trials),
                    "cv_average_precision": contender.result.cv_average_precision,
                    "train_average_precision": contender.result.train_average_precision,
                    "validation_average_precision": contender.result.validation.average_precision.value,
                    "validation_f1": contender.result.validation.f1.value,
                }
                for contender in contenders
            ],
            "rows": {
                name: {"row_count": rows.row_count, "fraud_count": rows.fraud_count}
                for name, rows in (("train", train), ("validation", validation))
            },
        },
    )
    return TrainingResult(bundle, tuple(contender.result for contender in contenders))


def _contend(
    candidate: Candidate,
    train: LabelledRows,
    validation: LabelledRows,
    budget: SearchBudget,
    seed: int,
    min_precision: float,
    report: Callable[[str], None],
) -> _Contender:
    started = time.perf_counter()
    found = search(
        candidate,
        train,
        budget=budget,
        seed=seed,
        on_trial=lambda trial: report(
            f"{candidate.name} trial {trial.number + 1}/{budget.trials}: average precision "
            f"{trial.average_precision:.3f} ({trial.seconds:.1f} s)"
        ),
    )
    positions, weights = subsample_legitimate(train.labels, REFIT_LEGITIMATE_LIMIT, np.random.default_rng(seed))
    fitted = train if weights is None else train.take(positions)
    estimator = candidate.fit(found.params, fitted.features, fitted.labels, seed, weights, threads=ALL_CORES)
    train_average_precision = average_precision(fitted.labels, estimator.predict_probability(fitted.features), weights)
    scores = estimator.predict_probability(validation.features)
    calibration = fit_calibration(scores, validation.labels)
    probabilities = calibration.apply(scores)
    threshold = choose_threshold(probabilities, validation.labels, min_precision=min_precision)
    evaluation = evaluate(probabilities, validation.labels, validation.amounts, threshold.value, seed=seed)
    result = _result(found, evaluation, train_average_precision, time.perf_counter() - started)
    report(
        f"{candidate.name}: validation average precision {evaluation.average_precision.value:.3f}, "
        f"F1 {evaluation.f1.value:.3f} ({result.seconds:.1f} s)"
    )
    return _Contender(candidate, estimator, calibration, threshold, probabilities, result)


def _result(
    found: SearchResult, evaluation: Evaluation, train_average_precision: float, seconds: float
) -> CandidateResult:
    return CandidateResult(
        name=found.candidate,
        params=found.params,
        cv_average_precision=found.average_precision,
        validation=evaluation,
        train_average_precision=train_average_precision,
        trials=found.trials,
        seconds=seconds,
    )


def _choose(contenders: Sequence[_Contender]) -> _Contender:
    best = max(contender.result.validation.average_precision.value for contender in contenders)
    tied = [
        contender
        for contender in contenders
        if contender.result.validation.average_precision.value >= best - TIE_TOLERANCE
    ]
    return min(tied, key=lambda contender: contender.candidate.simplicity)
