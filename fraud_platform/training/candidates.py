"""The families of models that compete: where each one's search starts, what it may vary, and how it is fitted.

Which parameters win does not belong here (tuning), nor does how a model is fitted (fitting).

Imbalance is one searched parameter in every family, `fraud_weight_exponent`: a fraud counts as much as
(legitimate rows / frauds) ** exponent legitimate rows. 1 is what scikit-learn calls "balanced" (the same share of every
bootstrap: "balanced_subsample"), XGBoost `scale_pos_weight` = that ratio (578 in the public file) and LightGBM
`is_unbalance`; 0 leaves the rows as they are. Every search starts at 0 and then tries 1: which is better differs
between families and with the share of frauds, and of equals the one that leaves the rows as they are is kept.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fraud_platform.errors import DataError
from fraud_platform.training.fitting import (
    Fit,
    Parameters,
    fit_lightgbm,
    fit_logistic_regression,
    fit_random_forest,
    fit_xgboost,
)

if TYPE_CHECKING:
    import optuna

# More trees only ever steady a forest, so their number is not searched: fewer of them rank the other parameters alike.
_FOREST_SIZE, _SEARCH_FOREST_SIZE = 100, 25
# Boosting stops early; this many rounds at the smallest learning rate are what the time allows.
_ROUND_LIMIT = 600


@dataclass(frozen=True)
class Candidate:
    """One family of models.

    Attributes:
        name: the algorithm, as settings and registry spell it.
        simplicity: rank among candidates, 0 the simplest; the simpler of two equally good ones is chosen. A forest of
            deep trees comes last: it is the largest, and the only one whose reasons are not exact in log-odds.
        reference_point: first parameters to try, good on the public file without class weighting.
        starting_point: second parameters to try, with the blueprint's class weighting.
        suggest: the search space: further parameters from an Optuna trial.
        fit: makes a model of parameters and rows.
        search_overrides: parameters that differ during the search, to save time.
        stops_early: rounds are boosted until the rows that judge no longer gain; `n_estimators` is then their limit.
        trial_limit: no more trials than this, where each takes long and the family seldom wins.
    """

    name: str
    simplicity: int
    starting_point: Parameters
    reference_point: Parameters
    suggest: Callable[["optuna.Trial"], Parameters]
    fit: Fit
    search_overrides: Parameters = field(default_factory=dict)
    stops_early: bool = False
    trial_limit: int = 1_000


def select_candidates(names: tuple[str, ...]) -> tuple[Candidate, ...]:
    """The candidates of these names, in this order.

    Raises:
        DataError: a name is unknown, or there is none.
    """
    unknown = [name for name in names if name not in CANDIDATES]
    if unknown or not names:
        raise DataError(f"candidates {list(names)} are not all known; choose among {', '.join(CANDIDATES)}")
    return tuple(CANDIDATES[name] for name in names)


def _suggest_logistic_regression(trial: "optuna.Trial") -> Parameters:
    return {
        "C": trial.suggest_float("C", 1e-4, 10.0, log=True),
        "fraud_weight_exponent": trial.suggest_float("fraud_weight_exponent", 0.0, 1.0),
    }


def _suggest_random_forest(trial: "optuna.Trial") -> Parameters:
    return {
        "n_estimators": _FOREST_SIZE,
        "max_depth": trial.suggest_int("max_depth", 6, 16),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 8),
        "max_features": trial.suggest_float("max_features", 0.1, 0.4),
        "max_samples": trial.suggest_float("max_samples", 0.3, 0.8),
        "fraud_weight_exponent": trial.suggest_float("fraud_weight_exponent", 0.0, 1.0),
    }


def _suggest_xgboost(trial: "optuna.Trial") -> Parameters:
    return {
        "n_estimators": _ROUND_LIMIT,
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.15, log=True),
        "max_depth": trial.suggest_int("max_depth", 3, 10),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.5, 8.0, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.3, 1.0),
        "lambda": trial.suggest_float("lambda", 0.5, 10.0, log=True),
        "fraud_weight_exponent": trial.suggest_float("fraud_weight_exponent", 0.0, 1.0),
    }


def _suggest_lightgbm(trial: "optuna.Trial") -> Parameters:
    return {
        "n_estimators": _ROUND_LIMIT,
        "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 127, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 50, log=True),
        "min_sum_hessian_in_leaf": trial.suggest_float("min_sum_hessian_in_leaf", 0.1, 8.0, log=True),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.5, 20.0, log=True),
        "fraud_weight_exponent": trial.suggest_float("fraud_weight_exponent", 0.0, 1.0),
    }


_LOGISTIC_REGRESSION_START: Parameters = {"C": 1.0, "fraud_weight_exponent": 1.0}
_RANDOM_FOREST_START: Parameters = {
    "n_estimators": _FOREST_SIZE,
    "max_depth": 12,
    "min_samples_leaf": 1,
    "max_features": 0.2,
    "max_samples": 0.5,
    "fraud_weight_exponent": 1.0,
}
_XGBOOST_START: Parameters = {
    "n_estimators": _ROUND_LIMIT,
    "learning_rate": 0.05,
    "max_depth": 5,
    "min_child_weight": 1.0,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "lambda": 1.0,
    "fraud_weight_exponent": 1.0,
}
_LIGHTGBM_START: Parameters = {
    "n_estimators": _ROUND_LIMIT,
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_child_samples": 10,
    "min_sum_hessian_in_leaf": 1.0,
    "bagging_fraction": 0.8,
    "feature_fraction": 0.6,
    "lambda_l2": 3.0,
    "fraud_weight_exponent": 1.0,
}
_UNWEIGHTED: Parameters = {"fraud_weight_exponent": 0.0}

CANDIDATES: Mapping[str, Candidate] = {
    candidate.name: candidate
    for candidate in (
        Candidate(
            "logistic_regression",
            0,
            _LOGISTIC_REGRESSION_START,
            {**_LOGISTIC_REGRESSION_START, **_UNWEIGHTED},
            _suggest_logistic_regression,
            fit_logistic_regression,
        ),
        Candidate(
            "random_forest",
            3,
            _RANDOM_FOREST_START,
            {**_RANDOM_FOREST_START, **_UNWEIGHTED},
            _suggest_random_forest,
            fit_random_forest,
            {"n_estimators": _SEARCH_FOREST_SIZE},
            trial_limit=4,
        ),
        Candidate(
            "xgboost",
            1,
            _XGBOOST_START,
            # Shallow trees: the components are nearly independent, few of them act together.
            {**_XGBOOST_START, **_UNWEIGHTED, "max_depth": 3, "colsample_bytree": 0.8},
            _suggest_xgboost,
            fit_xgboost,
            stops_early=True,
        ),
        Candidate(
            "lightgbm",
            2,
            _LIGHTGBM_START,
            {**_LIGHTGBM_START, **_UNWEIGHTED},
            _suggest_lightgbm,
            fit_lightgbm,
            stops_early=True,
        ),
    )
}
