"""Training: the best candidate on validation rows wins, the simpler of equals, and one input gives one bundle."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score
from threadpoolctl import threadpool_info, threadpool_limits

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.training import contest, training
from fraud_platform.training.bundle import SCORE_COLUMN, ModelBundle
from fraud_platform.training.calibration import fit_calibration
from fraud_platform.training.candidates import CANDIDATES, Candidate
from fraud_platform.training.cross_fitting import Member, forward, out_of_fold
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.thresholds import POLICIES
from fraud_platform.training.training import DecisionRules, TrainingResult, train
from fraud_platform.training.tuning import SearchBudget
from fraud_platform_tests.training.labelled_rows import make_baseline, make_rows


def small(name: str) -> Candidate:
    """The candidate with ten trees."""
    candidate = CANDIDATES[name]
    few = {"n_estimators": 10} if "n_estimators" in candidate.starting_point else {}

    def fit(parameters, *arguments, **named):
        return candidate.fit({**parameters, **few}, *arguments, **named)

    return replace(candidate, fit=fit, search_overrides=few)


def train_small(names: tuple[str, ...] = tuple(CANDIDATES), seed: int = 42, **changes) -> TrainingResult:
    rows, validation = make_rows(900, 70), make_rows(400, 30, seed=1)
    arguments: dict[str, Any] = {
        "candidates": [small(name) for name in names],
        "budget": SearchBudget(trials=3),
        "seed": seed,
        "baseline": make_baseline(rows),
        "data_version": "sha256:abc",
        "as_of": date(2026, 1, 31),
        "origin": "simulated",
    }
    return train(rows, validation, **{**arguments, **changes})


@pytest.fixture(scope="module")
def result() -> TrainingResult:
    with pytest.MonkeyPatch.context() as patched:
        # With ten trees some families fall behind; here all are to be seen to the end.
        patched.setattr(contest, "FINAL_MARGIN", 1.0)
        return train_small()


def development() -> LabelledRows:
    return make_rows(900, 70).beside(make_rows(400, 30, seed=1))


def test_every_candidate_is_reported_in_order_and_the_ensemble_last(result: TrainingResult) -> None:
    assert [contender.name for contender in result.contenders] == [*CANDIDATES, "ensemble"]
    for contender in result.contenders[:-1]:
        assert contender.search is not None
        assert len(contender.search.trials) == 3
    assert result.contenders[-1].search is None


def test_out_of_fold_answers_come_from_models_that_saw_neither_the_row_nor_a_twin() -> None:
    rows = make_rows(600, 60)
    # Labels by chance: whoever has seen a row or its twin knows the answer, nobody else can.
    labels = np.random.default_rng(0).permutation(rows.labels)
    twins = replace(rows, labels=labels, twin_groups=np.arange(600)).beside(
        replace(rows, labels=labels, twin_groups=np.arange(600))
    )
    member = Member(CANDIDATES["lightgbm"], {**CANDIDATES["lightgbm"].reference_point, "n_estimators": 50}, 1)
    # One in ten is a fraud.
    assert average_precision_score(twins.labels, out_of_fold(member, twins, seed=1)) < 0.25
    strangers = replace(twins, twin_groups=np.arange(1_200))
    assert average_precision_score(twins.labels, out_of_fold(member, strangers, seed=1)) > 0.6


def test_calibration_and_threshold_are_chosen_on_out_of_fold_answers(result: TrainingResult) -> None:
    (winner,) = (each for each in result.contenders if each.name == result.bundle.algorithm)
    rows = development()
    assert result.bundle.calibration == fit_calibration(winner.out_of_fold, rows.labels, seed=42)
    probabilities = result.bundle.calibration.apply(winner.out_of_fold)
    assert result.out_of_fold.threshold == result.bundle.threshold.value
    alerts = probabilities >= result.bundle.threshold.value
    assert result.bundle.threshold.expected["precision"] == pytest.approx(precision_score(rows.labels, alerts))
    expected = average_precision_score(rows.labels, probabilities)
    assert result.out_of_fold.average_precision.value == pytest.approx(expected)


def test_every_other_policys_threshold_travels_with_the_model(result: TrainingResult) -> None:
    assert result.bundle.threshold.policy == "max_f1"
    assert len(result.bundle.alternatives) == len(POLICIES) - 1
    for threshold in result.bundle.alternatives:
        assert set(threshold.expected) == set(result.bundle.threshold.expected)
    other = train_small(("logistic_regression",), rules=DecisionRules(policy="review_capacity"))
    assert other.bundle.threshold.policy == "review_capacity"


def test_the_review_capacity_is_that_of_whole_days() -> None:
    def alert_share(development_share: float) -> float:
        rules = DecisionRules(policy="review_capacity", reviews_per_day=5, development_share=development_share)
        return train_small(("logistic_regression",), rules=rules).bundle.threshold.expected["alert_share"]

    rows = development()
    # Where the rows are all of their days, five reviews a day are this share of them; where half was held out, half.
    whole = 5 * len(np.unique(rows.days)) / rows.row_count
    assert alert_share(1.0) == pytest.approx(whole, abs=1 / rows.row_count)
    assert alert_share(0.5) == pytest.approx(whole / 2, abs=1 / rows.row_count)


def test_the_best_wins_and_ties_go_to_the_simpler(monkeypatch: pytest.MonkeyPatch, result: TrainingResult) -> None:
    best = max(each.average_precision for each in result.contenders if each.is_finalist)
    (winner,) = (each for each in result.contenders if each.name == result.bundle.algorithm)
    assert winner.average_precision >= best - contest.TIE_TOLERANCE
    monkeypatch.setattr(contest, "TIE_TOLERANCE", 1.0)
    monkeypatch.setattr(contest, "ENSEMBLE_GAIN", 1.0)
    assert train_small(("lightgbm", "xgboost", "logistic_regression")).bundle.algorithm == "logistic_regression"


def test_an_ensemble_that_gains_enough_wins_and_answers_as_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest, "ENSEMBLE_GAIN", -1.0)
    monkeypatch.setattr(contest, "FINAL_MARGIN", 1.0)
    bundle = train_small(("xgboost", "lightgbm")).bundle
    assert bundle.algorithm == "ensemble"
    loaded = ModelBundle.from_bytes(bundle.to_bytes(), bundle.digest)
    rows = make_rows(200, 20, seed=5)
    members = [member.predict_log_odds(rows.features) for member in loaded.estimator.members]  # type: ignore[attr-defined]
    assert len(members) == 2
    np.testing.assert_allclose(loaded.estimator.predict_log_odds(rows.features), np.mean(members, axis=0))
    contributions, base = loaded.estimator.contributions(rows.features)
    np.testing.assert_allclose(
        contributions.sum(axis=1) + base, loaded.estimator.predict_log_odds(rows.features), atol=1e-4
    )


def test_one_boosted_family_alone_makes_no_ensemble() -> None:
    assert [each.name for each in train_small(("xgboost",)).contenders] == ["xgboost"]


def test_logistic_regression_is_measured_even_where_it_does_not_compete() -> None:
    result = train_small(("random_forest",))
    assert [each.name for each in result.contenders] == ["random_forest"]
    assert 0 < result.bundle.provenance["baseline_average_precision"] < 1


def test_the_stated_fraud_rate_reaches_threshold_figures_and_provenance() -> None:
    rows, validation = (
        replace(make_rows(n, k, seed=s), legitimate_weight=20.0) for n, k, s in ((900, 70, 0), (400, 30, 1))
    )
    common = {"candidates": [small("logistic_regression")], "budget": SearchBudget(trials=1), "seed": 1}
    bundle = train(
        rows,
        validation,
        **common,  # type: ignore[arg-type]
        baseline=make_baseline(rows),
        data_version="v",
        as_of=date(2026, 1, 31),
        origin="replayed",
    ).bundle
    assert bundle.provenance["legitimate_weight"] == 20.0
    # 100 frauds, and 1,200 legitimate rows that count 20 each.
    share = 100 / (100 + 1_200 * 20)
    both = rows.beside(validation)
    assert np.average(bundle.predict(both.features), weights=both.weights) == pytest.approx(share, rel=0.5)
    blind = train_small(("logistic_regression",)).bundle
    assert np.average(blind.predict(both.features), weights=both.weights) > 2 * share


def test_the_forward_figure_comes_from_models_of_the_days_before(result: TrainingResult) -> None:
    # All of one day: there is no before.
    assert result.forward is None
    rows = development()
    spread = replace(rows, days=np.datetime64("2026-01-01") + np.arange(rows.row_count) * 10 // rows.row_count)
    member = Member(small("xgboost"), CANDIDATES["xgboost"].reference_point, 1)
    answered = forward([member], spread)
    assert answered is not None
    positions, answers = answered
    np.testing.assert_array_equal(positions, np.flatnonzero(spread.days >= np.datetime64("2026-01-09")))
    earlier = np.flatnonzero(spread.days < np.datetime64("2026-01-09"))
    expected = member.fit(spread, earlier, 60_000).predict_probability(spread.features[positions])
    np.testing.assert_array_equal(answers, expected)


def test_the_baseline_describes_features_and_out_of_fold_answers(result: TrainingResult) -> None:
    columns = result.bundle.baseline.columns
    assert tuple(columns) == (*FEATURE_NAMES, SCORE_COLUMN)
    assert columns["V1"] == make_baseline(make_rows(900, 70)).columns["V1"]
    (winner,) = (each for each in result.contenders if each.name == result.bundle.algorithm)
    assert columns[SCORE_COLUMN].count == 1_300
    expected = result.bundle.calibration.apply(winner.out_of_fold).mean()
    assert columns[SCORE_COLUMN].mean == pytest.approx(expected, rel=1e-6)


def test_provenance_says_what_the_model_was_made_of(result: TrainingResult) -> None:
    provenance = json.loads(json.dumps(result.bundle.provenance, allow_nan=False))
    assert provenance["as_of"] == "2026-01-31"
    assert provenance["data_version"] == "sha256:abc"
    assert (provenance["origin"], provenance["seed"]) == ("simulated", 42)
    assert provenance["rows"]["train"] == {"row_count": 900, "fraud_count": 70}
    assert provenance["rows"]["validation"] == {"row_count": 400, "fraud_count": 30}
    assert [candidate["name"] for candidate in provenance["candidates"]] == [*CANDIDATES, "ensemble"]
    # Nothing that differs between two equal trainings.
    assert "seconds" not in json.dumps(provenance)


def test_progress_names_every_trial_every_contender_and_the_choice() -> None:
    lines: list[str] = []
    train_small(("logistic_regression",), on_progress=lines.append)
    assert [line.split(":")[0] for line in lines] == [
        "logistic_regression trial 1/3",
        "logistic_regression trial 2/3",
        "logistic_regression trial 3/3",
        "logistic_regression",
        "logistic_regression chosen",
    ]


def test_many_legitimate_rows_are_fitted_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train_small(("logistic_regression",))
    monkeypatch.setattr(training, "REFIT_LEGITIMATE_LIMIT", 300)
    part = train_small(("logistic_regression",))
    assert part.bundle.digest != whole.bundle.digest
    judged = make_rows(400, 30, seed=2)
    assert average_precision_score(judged.labels, part.bundle.predict(judged.features)) > 0.5


def test_products_of_matrices_run_on_one_thread_while_a_model_is_made() -> None:
    blas_threads = []

    def look(line: str) -> None:
        del line
        blas_threads.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")

    with threadpool_limits(2, user_api="blas"):
        train_small(("logistic_regression",), on_progress=look)
        assert set(blas_threads) == {1}
        assert {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"} == {2}


def test_no_candidate_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one candidate"):
        train_small(())


DIGESTS_IN_ANOTHER_PROCESS = """
import json
from fraud_platform_tests.training.test_training import CANDIDATES, train_small
print(json.dumps({name: train_small((name,)).bundle.digest for name in CANDIDATES}))
"""


def test_two_processes_make_the_same_bundle_and_another_seed_another() -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", DIGESTS_IN_ANOTHER_PROCESS]
    more_cores = {**os.environ, "OMP_NUM_THREADS": "5", "OPENBLAS_NUM_THREADS": "5", "LOKY_MAX_CPU_COUNT": "5"}
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, env=more_cores).stdout
    ours = {name: train_small((name,)).bundle.digest for name in CANDIDATES}
    assert json.loads(output.splitlines()[-1]) == ours
    assert len(set(ours.values())) == len(CANDIDATES)
    assert train_small(("xgboost",), seed=43).bundle.digest != ours["xgboost"]
