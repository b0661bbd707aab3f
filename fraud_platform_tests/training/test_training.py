"""Training: the best candidate on validation rows wins, the simpler of equals, and one input gives one bundle."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.training import training
from fraud_platform.training.bundle import SCORE_COLUMN, ModelBundle
from fraud_platform.training.candidates import CANDIDATES, Candidate
from fraud_platform.training.thresholds import choose_threshold
from fraud_platform.training.training import TrainingResult, train
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
    return train_small()


def test_every_candidate_is_reported_in_order(result: TrainingResult) -> None:
    assert [candidate.name for candidate in result.candidates] == list(CANDIDATES)
    for candidate in result.candidates:
        assert len(candidate.trials) == 3
        assert candidate.cv_average_precision == max(trial.average_precision for trial in candidate.trials)
        assert 0 < candidate.validation.average_precision.value <= candidate.train_average_precision <= 1


def test_the_bundles_answers_are_those_that_were_judged(result: TrainingResult) -> None:
    validation = make_rows(400, 30, seed=1)
    loaded = ModelBundle.from_bytes(result.bundle.to_bytes(), result.bundle.digest)
    probabilities = loaded.predict(validation.features)
    (chosen,) = (candidate for candidate in result.candidates if candidate.name == loaded.algorithm)
    expected = average_precision_score(validation.labels, probabilities)
    assert chosen.validation.average_precision.value == pytest.approx(expected)
    assert loaded.threshold == choose_threshold(probabilities, validation.labels)
    assert chosen.validation.threshold == loaded.threshold.value


def test_the_best_on_validation_rows_wins(result: TrainingResult) -> None:
    best = max(candidate.validation.average_precision.value for candidate in result.candidates)
    (chosen,) = (candidate for candidate in result.candidates if candidate.name == result.bundle.algorithm)
    assert chosen.validation.average_precision.value >= best - training.TIE_TOLERANCE


def test_the_simpler_of_equals_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "TIE_TOLERANCE", 1.0)
    assert train_small(("lightgbm", "xgboost", "logistic_regression")).bundle.algorithm == "logistic_regression"


def test_the_baseline_describes_features_and_the_models_own_answers(result: TrainingResult) -> None:
    columns = result.bundle.baseline.columns
    assert tuple(columns) == (*FEATURE_NAMES, SCORE_COLUMN)
    assert columns["V1"] == make_baseline(make_rows(900, 70)).columns["V1"]
    scores = result.bundle.predict(make_rows(400, 30, seed=1).features)
    assert columns[SCORE_COLUMN].count == 400
    assert columns[SCORE_COLUMN].mean == pytest.approx(scores.mean(), rel=1e-6)


def test_provenance_says_what_the_model_was_made_of(result: TrainingResult) -> None:
    provenance = json.loads(json.dumps(result.bundle.provenance, allow_nan=False))
    assert provenance["as_of"] == "2026-01-31"
    assert provenance["data_version"] == "sha256:abc"
    assert (provenance["origin"], provenance["seed"]) == ("simulated", 42)
    assert provenance["rows"]["train"] == {"row_count": 900, "fraud_count": 70}
    assert provenance["rows"]["validation"] == {"row_count": 400, "fraud_count": 30}
    assert [candidate["name"] for candidate in provenance["candidates"]] == list(CANDIDATES)
    # Nothing that differs between two equal trainings.
    assert "seconds" not in json.dumps(provenance)


def test_progress_names_every_trial_and_the_choice() -> None:
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
    assert part.candidates[0].validation.average_precision.value > 0.5


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
    output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    ours = {name: train_small((name,)).bundle.digest for name in CANDIDATES}
    assert json.loads(output.splitlines()[-1]) == ours
    assert len(set(ours.values())) == len(CANDIDATES)
    assert train_small(("xgboost",), seed=43).bundle.digest != ours["xgboost"]


def test_labels_of_validation_rows_move_only_threshold_calibration_and_choice() -> None:
    rows, validation = make_rows(900, 70), make_rows(400, 30, seed=1)
    swapped = replace(validation, labels=np.roll(validation.labels, 5))
    common: dict[str, Any] = {
        "candidates": [small("xgboost")],
        "budget": SearchBudget(trials=2),
        "seed": 1,
        "baseline": make_baseline(rows),
        "data_version": "v",
        "as_of": date(2026, 1, 31),
        "origin": "replayed",
    }
    one, other = train(rows, validation, **common).bundle, train(rows, swapped, **common).bundle
    assert one.estimator.to_files() == other.estimator.to_files()
    assert one.threshold != other.threshold
