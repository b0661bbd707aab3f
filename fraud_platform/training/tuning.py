"""The search for a candidate's parameters: Optuna over an inner stratified cross-validation of the training rows.

Validation and test rows do not belong here, and neither does the choice between candidates.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraud_platform.metrics import average_precision
from fraud_platform.training.candidates import Candidate
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.fitting import FitRows, Parameters
from fraud_platform.training.folding import fold_of_rows
from fraud_platform.training.sampling import subsample_legitimate

if TYPE_CHECKING:
    import optuna

FOLD_COUNT = 3
# Per fold. All frauds and this many legitimate rows rank parameters like all rows do, in a fraction of the time.
FIT_LEGITIMATE_LIMIT = 15_000
# Scoring is cheap beside fitting, and false alarms are rare: judge on more. Early stopping looks at them every round.
JUDGE_LEGITIMATE_LIMIT = 30_000
# Mean average precisions this close are a tie; the point tried first is kept, and those given come before those drawn.
# On the public file a point drawn by the search that gained 0.007 here was worse by 0.004 out of fold, on other folds.
_TIE_TOLERANCE = 0.01
# Trials before the first is cut short: the median of fewer says little.
_UNPRUNED_TRIALS = 4


@dataclass(frozen=True)
class SearchBudget:
    """How long to search.

    Attributes:
        trials: parameter sets to try per family, the given points included; this decides the result. 0: no search,
            the best known point is taken as it is.
        seconds: after which no further trial of a family starts. A cap against slow machines: a search it cuts short
            depends on the machine's speed.
    """

    trials: int = 12
    seconds: float = 90.0


@dataclass(frozen=True)
class TrialResult:
    """One parameter set, its mean average precision over the inner folds, and what it cost.

    Attributes:
        number: from 0, in the order they were tried.
        params: what was tried; `n_estimators` is the last round at which a fold stopped.
        average_precision: mean over the folds that were looked at.
        is_pruned: it was given up before the last fold, as worse than half of the others had been by then.
        seconds: of the wall clock.
    """

    number: int
    params: Mapping[str, float | int]
    average_precision: float
    is_pruned: bool
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
    fit: FitRows
    judge: FitRows


@dataclass(frozen=True)
class _Judgement:
    average_precision: float
    rounds: int | None


def search(
    candidate: Candidate,
    train: LabelledRows,
    *,
    budget: SearchBudget,
    seed: int,
    known_points: Sequence[Parameters] = (),
    on_trial: Callable[[TrialResult], None] | None = None,
) -> SearchResult:
    """The parameters with the highest mean average precision over 3 stratified folds of `train`, twins kept together.

    Tried first are `known_points`, then the candidate's reference and starting points, then what a seeded
    tree-structured Parzen estimator suggests. Every trial sees the same folds and rows: all frauds, and of the
    legitimate rows a seeded sample that is weighted back. A trial below the median of the earlier ones after a fold is
    given up. Of trials within 0.01 of the best the first wins: with so few frauds, a larger search finds mostly luck.

    Args:
        candidate: whose parameters to search.
        train: training rows only.
        budget: when to stop; with 0 trials the first known point, else the reference point, is tried alone.
        seed: of folds, samples, fits and suggestions.
        known_points: what earlier searches found, best first.
        on_trial: called after every trial.

    Raises:
        DataError: fewer distinct frauds than folds.

    Source: Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for hyper-parameter optimization"; Golovin et al.
    (2017), "Google Vizier", for the median rule.
    """
    import optuna
    from joblib import cpu_count

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folds = _folds(train, seed)
    points = [*known_points, candidate.reference_point, candidate.starting_point]
    if not budget.trials:
        points = [known_points[0] if known_points else candidate.reference_point]
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=len(points) + 1),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS),
    )
    for point in points:
        study.enqueue_trial(dict(point), skip_if_exists=True)
    # A point that is taken as it is keeps its rounds; watching them would take four times as long as boosting them.
    is_taken = candidate.stops_early and not budget.trials
    kept_rounds = points[0].get("n_estimators") if is_taken else None
    started = time.perf_counter()
    results: list[TrialResult] = []
    with ThreadPoolExecutor(min(FOLD_COUNT, cpu_count())) as pool:
        while len(results) < max(min(budget.trials, candidate.trial_limit), 1):
            if results and time.perf_counter() - started > budget.seconds:
                break
            results.append(_try(study, candidate, folds, seed, pool, kept_rounds))
            if on_trial is not None:
                on_trial(results[-1])
    finished = [result for result in results if not result.is_pruned]
    highest = max(result.average_precision for result in finished)
    best = next(result for result in finished if result.average_precision >= highest - _TIE_TOLERANCE)
    return SearchResult(candidate.name, best.params, best.average_precision, tuple(results))


def _try(
    study: "optuna.Study",
    candidate: Candidate,
    folds: Sequence[_Fold],
    seed: int,
    pool: ThreadPoolExecutor,
    kept_rounds: float | None,
) -> TrialResult:
    import optuna

    started = time.perf_counter()
    trial = study.ask()
    params = dict(sorted(candidate.suggest(trial).items()))
    if kept_rounds is not None:
        params["n_estimators"] = kept_rounds
    stops_early = candidate.stops_early and kept_rounds is None
    running = [pool.submit(_judge, candidate, params, seed, fold, stops_early=stops_early) for fold in folds]
    judged: list[_Judgement] = []
    is_pruned = False
    # In the order of the folds, however many run at once: what is given up must not depend on the machine.
    for number, future in enumerate(running):
        judged.append(future.result())
        trial.report(float(np.mean([each.average_precision for each in judged])), number)
        if number + 1 < len(running) and trial.should_prune():
            is_pruned = True
            _give_up(running[number + 1 :])
            break
    score = float(np.mean([each.average_precision for each in judged]))
    if is_pruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, score)
    rounds = [each.rounds for each in judged if each.rounds is not None]
    if rounds:
        # More rows than a fold's bear more rounds, and too many cost less than too few.
        params["n_estimators"] = max(rounds)
    return TrialResult(trial.number, params, score, is_pruned, time.perf_counter() - started)


def _give_up(running: Sequence[Future[_Judgement]]) -> None:
    """Ends what has not begun and waits for what has: the next trial needs the cores."""
    for future in running:
        if not future.cancel():
            future.result()


def _folds(train: LabelledRows, seed: int) -> list[_Fold]:
    generator = np.random.default_rng(seed)
    fold_of_row = fold_of_rows(train.labels, train.twin_groups, count=FOLD_COUNT, seed=seed)

    def rows(chosen: np.ndarray, limit: int, take: Callable[..., FitRows]) -> FitRows:
        positions, weights = subsample_legitimate(train.labels[chosen], limit, generator)
        return take(train, chosen[positions], weights)

    return [
        _Fold(
            fit=rows(np.flatnonzero(fold_of_row != fold), FIT_LEGITIMATE_LIMIT, FitRows.to_learn),
            judge=rows(np.flatnonzero(fold_of_row == fold), JUDGE_LEGITIMATE_LIMIT, FitRows.of),
        )
        for fold in range(FOLD_COUNT)
    ]


def _judge(candidate: Candidate, params: Parameters, seed: int, fold: _Fold, *, stops_early: bool) -> _Judgement:
    settings = {**params, **candidate.search_overrides}
    estimator = candidate.fit(settings, fold.fit, seed=seed, watch=fold.judge if stops_early else None)
    # The folds share the cores already.
    estimator.threads = 1
    probabilities = estimator.predict_probability(fold.judge.features)
    precision = average_precision(fold.judge.labels, probabilities, fold.judge.weights)
    return _Judgement(precision, estimator.round_count if stops_early else None)
