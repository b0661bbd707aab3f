"""The search: begins where it is told, repeats itself, sees training rows only, stops when the budget is spent."""

from dataclasses import replace

import numpy as np
import pytest

from fraud_platform.errors import DataError
from fraud_platform.training import tuning
from fraud_platform.training.candidates import CANDIDATES
from fraud_platform.training.tuning import SearchBudget, TrialResult, search
from fraud_platform_tests.training.labelled_rows import make_rows

LOGISTIC = CANDIDATES["logistic_regression"]


def test_the_reference_point_is_tried_first_and_the_starting_point_second() -> None:
    seen: list[TrialResult] = []
    found = search(LOGISTIC, make_rows(), budget=SearchBudget(trials=4), seed=1, on_trial=seen.append)
    assert tuple(seen) == found.trials
    assert [trial.number for trial in found.trials] == [0, 1, 2, 3]
    assert found.trials[0].params == LOGISTIC.reference_point
    assert found.trials[1].params == LOGISTIC.starting_point
    assert found.trials[2].params not in (LOGISTIC.starting_point, LOGISTIC.reference_point)
    best = max(trial.average_precision for trial in found.trials)
    first = next(trial for trial in found.trials if trial.average_precision >= best - 0.01)
    assert (found.params, found.average_precision) == (first.params, first.average_precision)


def test_known_points_are_tried_first_and_kept_where_nothing_is_clearly_better() -> None:
    known = {"C": 0.02, "fraud_weight_exponent": 0.4}
    found = search(LOGISTIC, make_rows(), budget=SearchBudget(trials=3), seed=1, known_points=[known])
    assert found.trials[0].params == known
    assert found.trials[1].params == LOGISTIC.reference_point


@pytest.mark.parametrize("known", [[], [{"C": 0.02, "fraud_weight_exponent": 0.4}]])
def test_without_a_search_the_best_known_point_is_taken(known: list[dict[str, float]]) -> None:
    found = search(LOGISTIC, make_rows(), budget=SearchBudget(trials=0), seed=1, known_points=known)
    assert [trial.params for trial in found.trials] == [known[0] if known else LOGISTIC.reference_point]


def test_a_point_taken_as_it_is_keeps_its_rounds() -> None:
    watched = []

    def fit(parameters, rows, *, seed, watch=None, threads=1):  # type: ignore[no-untyped-def]
        watched.append(watch)
        return CANDIDATES["xgboost"].fit(parameters, rows, seed=seed, watch=watch, threads=threads)

    known = {**CANDIDATES["xgboost"].reference_point, "n_estimators": 30}
    found = search(
        replace(CANDIDATES["xgboost"], fit=fit),
        make_rows(),
        budget=SearchBudget(trials=0),
        seed=1,
        known_points=[known],
    )
    assert found.params == known
    assert watched == [None] * 3


def test_a_trial_worse_than_half_of_the_others_is_given_up_and_never_chosen() -> None:
    def fit(parameters, rows, **named):
        # From the fifth trial on, a model that ranks backwards.
        estimator = LOGISTIC.fit({"C": 1.0, "fraud_weight_exponent": 0.0}, rows, **named)
        if parameters["C"] not in (1.0, *seen) and len(seen) < 4:
            seen.append(parameters["C"])
        if parameters["C"] not in (1.0, *seen):
            estimator.pipeline.steps[1][1].coef_ *= -1
        return estimator

    seen: list[float] = []
    points = [{"C": value, "fraud_weight_exponent": 0.0} for value in (0.1, 0.2, 0.3, 0.4, 0.5)]
    candidate = replace(LOGISTIC, fit=fit)
    found = search(candidate, make_rows(), budget=SearchBudget(trials=5), seed=1, known_points=points)
    assert [trial.is_pruned for trial in found.trials] == [False] * 4 + [True]
    assert found.params == points[0]


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_same_seed_finds_the_same(name: str) -> None:
    candidate = replace(CANDIDATES[name], search_overrides={"n_estimators": 5})
    runs = [search(candidate, make_rows(500, 40), budget=SearchBudget(trials=4), seed=3) for _ in range(2)]
    outcomes = [[(trial.params, trial.average_precision) for trial in run.trials] for run in runs]
    assert outcomes[0] == outcomes[1]


def test_another_seed_suggests_otherwise() -> None:
    runs = [search(LOGISTIC, make_rows(), budget=SearchBudget(trials=3), seed=seed) for seed in (1, 2)]
    assert runs[0].trials[2].params != runs[1].trials[2].params


def test_average_precision_is_the_mean_over_folds_the_model_was_not_fitted_on() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = make_rows()
    # Balanced weights sum to the rows; ours leave legitimate rows at 1, which C must make up for.
    scale = 1.0 / (2 * (rows.row_count - rows.fraud_count) / rows.row_count)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / scale, class_weight="balanced", tol=1e-8))
    model.set_params(logisticregression__C=2 * (rows.row_count - rows.fraud_count) / rows.row_count)
    expected = cross_val_score(
        model,
        rows.features.astype(np.float64),
        rows.labels,
        cv=StratifiedKFold(3, shuffle=True, random_state=5),
        scoring=lambda fitted, X, y: average_precision_score(y, fitted.predict_proba(X)[:, 1]),
    )
    found = search(LOGISTIC, rows, budget=SearchBudget(trials=1), seed=5, known_points=[LOGISTIC.starting_point])
    assert found.average_precision == pytest.approx(expected.mean(), abs=1e-3)


def test_time_caps_the_search_after_one_trial_at_least() -> None:
    found = search(LOGISTIC, make_rows(), budget=SearchBudget(trials=50, seconds=0.0), seed=1)
    assert len(found.trials) == 1


def test_fewer_legitimate_rows_are_weighted_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_rows(3000, 60)
    all_rows = search(LOGISTIC, rows, budget=SearchBudget(trials=2), seed=1)
    monkeypatch.setattr(tuning, "FIT_LEGITIMATE_LIMIT", 700)
    monkeypatch.setattr(tuning, "JUDGE_LEGITIMATE_LIMIT", 500)
    fewer = search(LOGISTIC, rows, budget=SearchBudget(trials=2), seed=1)
    for sampled, full in zip(fewer.trials, all_rows.trials, strict=True):
        assert sampled.average_precision == pytest.approx(full.average_precision, abs=0.06)
    assert fewer.average_precision != all_rows.average_precision


def test_fewer_frauds_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="2 distinct frauds to train on, 3 are needed"):
        search(LOGISTIC, make_rows(200, 2), budget=SearchBudget(trials=1), seed=1)
