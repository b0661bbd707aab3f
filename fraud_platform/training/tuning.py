"""The search for a candidate's parameters: Optuna over an inner stratified cross-validation of the training rows.

Validation and test rows do not belong here, and neither does the choice between candidates.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from fraud_platform.errors import DataError
from fraud_platform.metrics import average_precision
from fraud_platform.training.candidates import Candidate
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.fitting import Parameters
from fraud_platform.training.sampling import subsample_legitimate

FOLD_COUNT = 3
# Per fold. All frauds and this many legitimate rows rank parameters like all rows do, in a fraction of the time.
FIT_LEGITIMATE_LIMIT = 8_000
# Scoring is cheap beside fitting, and false alarms are rare: judge on many more.
JUDGE_LEGITIMATE_LIMIT = 100_000
# The two points every search begins with; from then on Optuna chooses.
_ENQUEUED_TRIALS = 2


@dataclass(frozen=True)
class SearchBudget:
    """How long to search.

    Attributes:
        trials: parameter sets to try, the starting point included; this decides the result.
        seconds: after which no further trial starts. A cap against slow machines: a search it cuts short depends on
            the machine's speed.
    """

    trials: int = 6
    seconds: float = 120.0


@dataclass(frozen=True)
class TrialResult:
    """One parameter set, its mean average precision over the inner folds, and what it cost."""

    number: int
    params: Mapping[str, float | int]
    average_precision: float
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """The best parameters found, their mean average precision over the inner folds, and every trial in order."""

    candidate: str
    params: Mapping[str, float | int]
    average_precision: float
    trials: tuple[TrialResult, ...]


@dataclass(frozen=True)
class _Fold:
    fit_positions: np.ndarray
    fit_weights: np.ndarray | None
    judge_positions: np.ndarray
    judge_weights: np.ndarray | None


def search(
    candidate: Candidate,
    train: LabelledRows,
    *,
    budget: SearchBudget,
    seed: int,
    on_trial: Callable[[TrialResult], None] | None = None,
) -> SearchResult:
    """The parameters with the highest mean average precision over 3 stratified folds of `train`.

    The starting point is tried first, the reference point second, then what a seeded tree-structured Parzen estimator
    suggests. Every trial sees the same folds and rows: all frauds, and of the legitimate rows a seeded sample that is
    weighted back. Of equally good trials the first wins.

    Args:
        candidate: whose parameters to search.
        train: training rows only.
        budget: when to stop; one trial is always made.
        seed: of folds, samples, fits and suggestions.
        on_trial: called after every trial.

    Raises:
        DataError: fewer frauds than folds.

    Source: Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for hyper-parameter optimization".
    """
    import optuna
    from joblib import cpu_count

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folds = _folds(train.labels, seed)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_ENQUEUED_TRIALS + 1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point in (candidate.starting_point, candidate.reference_point):
        study.enqueue_trial(dict(point))
    started = time.perf_counter()
    results: list[TrialResult] = []
    with ThreadPoolExecutor(min(FOLD_COUNT, cpu_count())) as pool:
        while len(results) < max(budget.trials, 1):
            trial_started = time.perf_counter()
            if results and trial_started - started > budget.seconds:
                break
            trial = study.ask()
            params = dict(sorted(candidate.suggest(trial).items()))
            score = float(np.mean(list(pool.map(partial(_judge, candidate, params, train, seed), folds))))
            study.tell(trial, score)
            results.append(TrialResult(len(results), params, score, time.perf_counter() - trial_started))
            if on_trial is not None:
                on_trial(results[-1])
    best = max(results, key=lambda result: (result.average_precision, -result.number))
    return SearchResult(candidate.name, best.params, best.average_precision, tuple(results))


def _folds(labels: np.ndarray, seed: int) -> list[_Fold]:
    from sklearn.model_selection import StratifiedKFold

    fraud_count = np.count_nonzero(labels == 1)
    if fraud_count < FOLD_COUNT:
        raise DataError(
            f"{fraud_count} frauds to train on, {FOLD_COUNT} are needed; wait for labels or widen the window"
        )
    generator = np.random.default_rng(seed)
    folds = []
    splitter = StratifiedKFold(FOLD_COUNT, shuffle=True, random_state=seed % 2**32)
    for fit_rows, judge_rows in splitter.split(np.empty((len(labels), 0)), labels):
        fit_chosen, fit_weights = subsample_legitimate(labels[fit_rows], FIT_LEGITIMATE_LIMIT, generator)
        judge_chosen, judge_weights = subsample_legitimate(labels[judge_rows], JUDGE_LEGITIMATE_LIMIT, generator)
        folds.append(_Fold(fit_rows[fit_chosen], fit_weights, judge_rows[judge_chosen], judge_weights))
    return folds


def _judge(candidate: Candidate, params: Parameters, train: LabelledRows, seed: int, fold: _Fold) -> float:
    estimator = candidate.fit(
        {**params, **candidate.search_overrides},
        train.features[fold.fit_positions],
        train.labels[fold.fit_positions],
        seed,
        fold.fit_weights,
    )
    # The folds share the cores already.
    estimator.threads = 1
    probabilities = estimator.predict_probability(train.features[fold.judge_positions])
    return average_precision(train.labels[fold.judge_positions], probabilities, fold.judge_weights)
