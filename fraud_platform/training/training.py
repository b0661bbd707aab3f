"""From labelled rows to one bundle: the contest's winner, fitted, calibrated, with its threshold and its figures.

The test split does not belong here; it is never seen. Neither does the release decision.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from fraud_platform.errors import DataError
from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from fraud_platform.metrics import average_precision
from fraud_platform.training.bundle import SCORE_COLUMN, ModelBundle
from fraud_platform.training.calibration import Calibration, fit_calibration
from fraud_platform.training.candidates import Candidate
from fraud_platform.training.contest import Contender, Contest, hold_contest
from fraud_platform.training.cross_fitting import forward
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.ensembles import EnsembleEstimator
from fraud_platform.training.estimators import ALL_CORES, Estimator
from fraud_platform.training.evaluation import Evaluation, evaluate
from fraud_platform.training.fitting import FitRows, Parameters, one_blas_thread
from fraud_platform.training.leakage import Telltales, telltales
from fraud_platform.training.sampling import subsample_legitimate
from fraud_platform.training.thresholds import POLICIES, DecisionTerms, DecisionThreshold, Policy, choose_threshold
from fraud_platform.training.tuning import SearchBudget

# The final fit's limit, so that half a year of full days still fits into memory and an afternoon.
REFIT_LEGITIMATE_LIMIT = 1_000_000
# On all frauds and so many legitimate rows, a model's figure on what it has seen is that on all rows, to within luck.
SEEN_LEGITIMATE_LIMIT = 60_000


@dataclass(frozen=True)
class DecisionRules:
    """How the decision threshold is chosen.

    Attributes:
        policy: the one in force; the others are noted beside it.
        min_precision: precision floor of "precision_floor", in [0, 1].
        review_cost: what looking into one alert costs, in the currency of `Amount`.
        reviews_per_day: how many alerts a day can be looked into.
        development_share: the share of its days' transactions that thresholds are chosen on, in (0, 1]; see
            `splitting.development_share`.
    """

    policy: Policy = "max_f1"
    min_precision: float = 0.80
    review_cost: float = 5.0
    reviews_per_day: int = 100
    development_share: float = 0.85


@dataclass(frozen=True)
class TrainingResult:
    """The bundle, and how it came about.

    Attributes:
        bundle: of the contest's winner.
        contenders: every candidate in the order given, and the ensemble where there was one.
        out_of_fold: every figure of the winner on the training and validation rows, each row answered by a model
            that had not seen it.
        forward: the same on the last fifth of the days, by models of the days before; None where there are too few.
    """

    bundle: ModelBundle
    contenders: tuple[Contender, ...]
    out_of_fold: Evaluation
    forward: Evaluation | None


@dataclass(frozen=True)
class _FinishedModel:
    """The contest's winner, ready to be sealed, and what was found out on the way.

    Attributes:
        estimator: fitted to all rows.
        calibration: of its out-of-fold answers.
        probabilities: these answers, calibrated, [n].
        thresholds: by each policy.
        out_of_fold: see `TrainingResult`.
        forward: see `TrainingResult`.
        signs_of_a_leak: what is known too well if there is too much of it.
        seen_average_precision: on rows it was fitted on, which trees bring to 1.
    """

    estimator: Estimator
    calibration: Calibration
    probabilities: np.ndarray
    thresholds: Mapping[Policy, DecisionThreshold]
    out_of_fold: Evaluation
    forward: Evaluation | None
    signs_of_a_leak: Telltales
    seen_average_precision: float


@one_blas_thread()
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
    rules: DecisionRules | None = None,
    known_points: Mapping[str, Sequence[Parameters]] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TrainingResult:
    """The contest's winner, fitted to all of these rows, calibrated and given a threshold on its out-of-fold answers.

    Same rows, candidates, trials, known points and seed give the same bundle digest, on any number of cores.

    Args:
        train: rows to search on.
        validation: rows that join them when models are compared, calibrated, given a threshold and fitted at last.
        candidates: families to try, at least one.
        budget: of each family's search.
        seed: of every random choice.
        baseline: distribution of `FEATURE_NAMES` in the training rows; `fraud_probability` is added, as answered out
            of fold, since scores on rows the model was fitted on would flatter it.
        data_version: digest of the landed bytes behind the rows.
        as_of: the day whose end bounds what was known.
        origin: "landed", "replayed" or "simulated".
        rules: how the threshold is chosen.
        known_points: by family, what earlier searches found, best first.
        on_progress: called with one line of text after each trial and each contender.

    Raises:
        DataError: too few frauds in either set of rows.
        ValueError: no candidate.
    """
    if not candidates:
        raise ValueError("train at least one candidate")
    for name, rows in (("training", train), ("validation", validation)):
        if not 0 < rows.fraud_count < rows.row_count:
            raise DataError(
                f"{rows.row_count} {name} rows with {rows.fraud_count} frauds, both classes are needed; wait for "
                "labels or widen the training window"
            )
    rules = rules or DecisionRules()
    development = train.beside(validation)
    known = {name: list(points) for name, points in (known_points or {}).items()}
    contest = hold_contest(
        train,
        development,
        candidates=candidates,
        budget=budget,
        seed=seed,
        known_points=known,
        report=on_progress or (lambda line: None),
    )
    finished = _finish(contest.winner, development, rules=rules, seed=seed)
    scores = profile_table(pd.DataFrame({SCORE_COLUMN: finished.probabilities}), [SCORE_COLUMN])
    bundle = ModelBundle(
        algorithm=contest.winner.name,
        feature_names=FEATURE_NAMES,
        feature_schema_version=FEATURE_SCHEMA_VERSION,
        estimator=finished.estimator,
        calibration=finished.calibration,
        threshold=finished.thresholds[rules.policy],
        alternatives=tuple(threshold for policy, threshold in finished.thresholds.items() if policy != rules.policy),
        baseline=Profile({**baseline.select(FEATURE_NAMES).columns, **scores.columns}),
        provenance={
            "as_of": as_of.isoformat(),
            "data_version": data_version,
            "origin": origin,
            "seed": seed,
            "legitimate_weight": development.legitimate_weight,
            "known_points": known,
            "baseline_average_precision": contest.baseline_average_precision,
            "telltales": finished.signs_of_a_leak.as_dict(),
            "out_of_fold": finished.out_of_fold.as_dict(),
            "forward": finished.forward.as_dict() if finished.forward else None,
            "candidates": _candidate_table(contest, train.row_count, development, finished.seen_average_precision),
            "rows": {
                name: {"row_count": rows.row_count, "fraud_count": rows.fraud_count}
                for name, rows in (("train", train), ("validation", validation))
            },
        },
    )
    return TrainingResult(bundle, contest.contenders, finished.out_of_fold, finished.forward)


def _finish(winner: Contender, rows: LabelledRows, *, rules: DecisionRules, seed: int) -> _FinishedModel:
    """The winner, fitted to `rows`, while what its out-of-fold answers to them tell is concluded beside."""
    from joblib import cpu_count

    everything = np.arange(rows.row_count)
    with ThreadPoolExecutor(cpu_count()) as pool:
        fits = [
            pool.submit(member.fit, rows, everything, REFIT_LEGITIMATE_LIMIT, threads=ALL_CORES)
            for member in winner.members
        ]
        looking_ahead = pool.submit(forward, winner.members, rows)
        calibration = fit_calibration(winner.out_of_fold, rows.labels, weights=rows.weights, seed=seed)
        probabilities = calibration.apply(winner.out_of_fold)
        thresholds = _thresholds(probabilities, rows, rules)
        judged = _evaluate(probabilities, rows, thresholds, rules, seed)
        signs_of_a_leak = telltales(rows, probabilities, seed=seed)
    members = [fit.result() for fit in fits]
    estimator = members[0] if len(members) == 1 else EnsembleEstimator(members)
    ahead = None
    if (answered := looking_ahead.result()) is not None:
        later, answers = answered
        ahead = _evaluate(calibration.apply(answers), rows.take(later), thresholds, rules, seed)
    return _FinishedModel(
        estimator=estimator,
        calibration=calibration,
        probabilities=probabilities,
        thresholds=thresholds,
        out_of_fold=judged,
        forward=ahead,
        signs_of_a_leak=signs_of_a_leak,
        seen_average_precision=_seen_average_precision(estimator, rows, seed),
    )


def _thresholds(probabilities: np.ndarray, rows: LabelledRows, rules: DecisionRules) -> dict[Policy, DecisionThreshold]:
    weight = rows.row_count if rows.weights is None else float(rows.weights.sum())
    per_day = weight / len(np.unique(rows.days)) / rules.development_share
    terms = DecisionTerms(rules.min_precision, rules.review_cost, min(1.0, rules.reviews_per_day / per_day))
    return {
        policy: choose_threshold(
            probabilities, rows.labels, rows.amounts, policy=policy, terms=terms, weights=rows.weights
        )
        for policy in POLICIES
    }


def _evaluate(
    probabilities: np.ndarray,
    rows: LabelledRows,
    thresholds: Mapping[Policy, DecisionThreshold],
    rules: DecisionRules,
    seed: int,
) -> Evaluation:
    return evaluate(
        probabilities,
        rows.labels,
        rows.amounts,
        thresholds[rules.policy].value,
        seed=seed,
        legitimate_weight=rows.legitimate_weight,
        review_cost=rules.review_cost,
    )


def _seen_average_precision(estimator: Estimator, rows: LabelledRows, seed: int) -> float:
    """The figure on rows the model was fitted on: all frauds, and some legitimate rows that are weighted for all."""
    chosen, weights = subsample_legitimate(rows.labels, SEEN_LEGITIMATE_LIMIT, np.random.default_rng(seed))
    seen = FitRows.of(rows, chosen, weights)
    return average_precision(seen.labels, estimator.predict_probability(seen.features), seen.weights)


def _candidate_table(
    contest: Contest, train_row_count: int, development: LabelledRows, train_average_precision: float
) -> list[dict[str, Any]]:
    """One row per contender, None for what was not measured; the winner's says how it does on rows it has seen."""
    is_validation = np.arange(development.row_count) >= train_row_count
    weights = None if development.weights is None else development.weights[is_validation]

    def on_validation(contender: Contender) -> float | None:
        if not contender.is_finalist:
            return None
        return average_precision(development.labels[is_validation], contender.out_of_fold[is_validation], weights)

    return [
        {
            "name": contender.name,
            "params": dict(contender.search.params) if contender.search else {"members": len(contender.members)},
            "trials": len(contender.search.trials) if contender.search else 0,
            "cv_average_precision": contender.search.average_precision if contender.search else None,
            "out_of_fold_average_precision": contender.average_precision if contender.is_finalist else None,
            "validation_average_precision": on_validation(contender),
            "train_average_precision": train_average_precision if contender is contest.winner else None,
        }
        for contender in contest.contenders
    ]
