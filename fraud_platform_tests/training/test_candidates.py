"""Candidates: weights mean what they say, every point of a search space can be fitted, one seed one model."""

import numpy as np
import optuna
import pytest

from fraud_platform.errors import DataError
from fraud_platform.metrics import average_precision
from fraud_platform.setting_fields import CANDIDATES as CANDIDATE_NAMES
from fraud_platform.training.candidates import CANDIDATES, select_candidates
from fraud_platform.training.fitting import FitRows, last_good_round
from fraud_platform.training.sampling import subsample_legitimate
from fraud_platform_tests.training.labelled_rows import make_rows

FEW_TREES = {"n_estimators": 20}


def test_the_settings_name_every_candidate() -> None:
    assert tuple(CANDIDATES) == CANDIDATE_NAMES
    assert [candidate.name for candidate in select_candidates(CANDIDATE_NAMES)] == list(CANDIDATE_NAMES)


@pytest.mark.parametrize("names", [(), ("xgboost", "prophet")])
def test_unknown_or_no_candidates_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="choose among logistic_regression"):
        select_candidates(names)


@pytest.mark.parametrize(
    ("weights", "exponent", "expected"),
    [
        # The public file's own ratio is the blueprint's scale_pos_weight.
        (None, 1.0, 284_315 / 492),
        (None, 0.0, 1.0),
        (None, 0.5, np.sqrt(284_315 / 492)),
        # Legitimate rows that stand for two each count twice.
        (2.0, 1.0, 2 * 284_315 / 492),
    ],
)
def test_a_fraud_counts_as_the_ratio_of_classes_to_the_exponent(
    weights: float | None, exponent: float, expected: float
) -> None:
    labels = np.repeat([1, 0], [492, 284_315])
    scale = None if weights is None else np.where(labels == 1, 1.0, weights)
    rows = FitRows(np.empty((len(labels), 0), np.float32), labels, scale)
    assert rows.fraud_weight(exponent) == pytest.approx(expected)


def test_exponent_one_is_scikit_learns_balanced() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.repeat([1, 0], [30, 970])
    legitimate, fraud = compute_class_weight("balanced", classes=np.array([0, 1]), y=labels)
    rows = FitRows(np.empty((len(labels), 0), np.float32), labels)
    assert rows.fraud_weight(1.0) == pytest.approx(fraud / legitimate)


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=lambda candidate: candidate.name)
def test_both_points_lie_in_the_space_with_the_blueprints_weighting_and_without(candidate) -> None:
    assert candidate.starting_point["fraud_weight_exponent"] == 1.0
    assert candidate.reference_point["fraud_weight_exponent"] == 0.0
    # Both points lie inside the search space, so that Optuna learns from them.
    for point in (candidate.starting_point, candidate.reference_point):
        assert dict(candidate.suggest(optuna.trial.FixedTrial(dict(point)))) == dict(point)


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("xgboost", {"learning_rate": [0.01, 0.1], "max_depth": [3, 7, 10]}),
        ("lightgbm", {"num_leaves": [31, 63, 127], "learning_rate": [0.01, 0.05, 0.1]}),
    ],
)
def test_the_blueprints_grids_lie_inside_the_search_space(name: str, grid: dict[str, list[float]]) -> None:
    candidate = CANDIDATES[name]
    for parameter, values in grid.items():
        for value in values:
            point = {**candidate.starting_point, parameter: value}
            assert candidate.suggest(optuna.trial.FixedTrial(point))[parameter] == value


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=lambda candidate: candidate.name)
def test_every_suggestion_can_be_fitted_and_ranks_frauds_high(candidate) -> None:
    rows, others = make_rows(800, 60), make_rows(800, 60, seed=1)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(3):
        params = {**candidate.suggest(study.ask()), **FEW_TREES}
        estimator = candidate.fit(params, FitRows(rows.features, rows.labels), seed=1)
        assert estimator.algorithm == candidate.name
        # 60 of 800 are frauds: chance would give .075.
        assert average_precision(others.labels, estimator.predict_probability(others.features)) > 0.5


@pytest.mark.parametrize("candidate", CANDIDATES.values(), ids=lambda candidate: candidate.name)
def test_one_seed_gives_one_model_whatever_the_threads(candidate) -> None:
    rows = make_rows(800, 60)
    params = {**candidate.starting_point, **FEW_TREES}
    fitted = FitRows(rows.features, rows.labels, np.where(rows.labels == 1, 1.0, 3.0))
    one, two = (candidate.fit(params, fitted, seed=1, threads=n).to_files() for n in (1, 2))
    assert one == two


def test_subsampling_keeps_every_fraud_and_the_weight_of_all_rows() -> None:
    labels = make_rows(1000, 40).labels
    positions, weights = subsample_legitimate(labels, 100, np.random.default_rng(1))
    assert weights is not None
    assert np.array_equal(np.flatnonzero(labels == 1), positions[labels[positions] == 1])
    assert len(positions) == len(set(positions)) == 140
    assert weights[labels[positions] == 1].sum() == 40
    assert weights[labels[positions] == 0].sum() == pytest.approx(960)


def test_few_rows_are_all_kept_without_weights() -> None:
    positions, weights = subsample_legitimate(make_rows(100, 10).labels, 90, np.random.default_rng(1))
    assert list(positions) == list(range(100))
    assert weights is None


@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_boosting_stops_where_the_watched_rows_no_longer_gain(name: str) -> None:
    rows, watched = make_rows(800, 60), make_rows(800, 60, seed=1)
    fit = CANDIDATES[name].fit
    params = {**CANDIDATES[name].starting_point, "n_estimators": 600}
    whole = fit(params, FitRows(rows.features, rows.labels), seed=1)
    stopped = fit(params, FitRows(rows.features, rows.labels), seed=1, watch=FitRows(watched.features, watched.labels))
    assert whole.round_count == 600
    assert 1 <= stopped.round_count < 600
    again = fit({**params, "n_estimators": stopped.round_count}, FitRows(rows.features, rows.labels), seed=1)
    np.testing.assert_array_equal(
        again.predict_probability(watched.features), stopped.predict_probability(watched.features)
    )


@pytest.mark.parametrize(
    ("reached", "kept"),
    [
        ([0.1, 0.5, 0.8, 0.7], 3),  # nothing after the best comes near it
        ([0.1, 0.8, 0.795, 0.5, 0.792, 0.4], 5),  # the last that is as good to within 0.01
        ([0.8], 1),  # one round at least
    ],
)
def test_the_last_round_as_good_as_the_best_is_kept(reached: list[float], kept: int) -> None:
    assert last_good_round(reached) == kept
