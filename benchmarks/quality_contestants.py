"""Who competes in a measurement of model quality, and what each reaches on the test rows of one split.

What the figures of many splits say together does not belong here (quality_table).
"""

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from quality_rows import Split

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.metrics import average_precision, f1, precision, recall
from fraud_platform.setting_fields import LearningRules
from fraud_platform.training.calibration import fit_calibration
from fraud_platform.training.candidates import select_candidates
from fraud_platform.training.contest import Contender
from fraud_platform.training.cross_fitting import blended, out_of_fold
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.thresholds import DecisionTerms, choose_threshold
from fraud_platform.training.training import TrainingResult, train
from fraud_platform.training.tuning import SearchBudget

Floats = NDArray[np.float64]

RELEASED = "released model"
UNSEARCHED = "released model, no search"
PEER = "AutoGluon"
PEER_SCRIPT = Path(__file__).with_name("automl_peer.py")
# What the public file holds: legitimate rows / frauds.
_BLUEPRINT_RATIO = 578
_BLUEPRINT_SEED = 42
# Every row of this file fits: nothing is drawn.
_NO_LIMIT = 10**9
# The best F1 needs none of these terms.
_NO_TERMS = DecisionTerms(min_precision=0.0, review_cost=0.0, review_share=1.0)


@dataclass(frozen=True)
class Figures:
    """What one model reaches on the test rows, weighted to the true fraud rate.

    Attributes:
        seconds: from rows to a model that can answer, on the clock; nan where several models share it.
    """

    average_precision: float
    f1: float
    precision: float
    recall: float
    seconds: float

    @classmethod
    def of(cls, answers: Floats, threshold: float, rows: LabelledRows, seconds: float) -> "Figures":
        """The figures of these answers about `rows`, alerting from `threshold` on."""
        decided, weights = answers >= threshold, rows.weights
        return cls(
            average_precision(rows.labels, answers, weights),
            f1(rows.labels, decided, weights),
            precision(rows.labels, decided, weights),
            recall(rows.labels, decided, weights),
            seconds,
        )


def blueprint(split: Split) -> dict[str, Figures]:
    """The blueprint's four models as it writes them; thresholds with the best F1 on validation rows.

    What it leaves open is read in their favour: they learn at the true fraud rate, and once their threshold is chosen
    they are fitted to training and validation rows, as the platform's model is.
    """
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from xgboost import XGBClassifier

    seed = _BLUEPRINT_SEED
    models: dict[str, Any] = {
        # n_jobs=-1 as well, which scikit-learn no longer takes.
        "logistic regression": LogisticRegression(
            class_weight="balanced", max_iter=1000, random_state=seed, solver="saga"
        ),
        "random forest": RandomForestClassifier(class_weight="balanced_subsample", random_state=seed, n_jobs=-1),
        "XGBoost": XGBClassifier(scale_pos_weight=_BLUEPRINT_RATIO, random_state=seed),
        "LightGBM": LGBMClassifier(is_unbalance=True, metric="auc", random_state=seed, verbosity=-1),
    }
    found = {}
    for name, model in models.items():
        started = time.perf_counter()
        threshold = _best_f1_threshold(_fitted_answers(model, split.train, split.validation), split.validation)
        answers = _fitted_answers(model, split.development, split.test)
        seconds = time.perf_counter() - started
        found[f"blueprint's {name}"] = Figures.of(answers, threshold, split.test, seconds)
    return found


def _fitted_answers(model: Any, fit_on: LabelledRows, answer_for: LabelledRows) -> Floats:
    with warnings.catch_warnings():
        # As it is written, the logistic regression does not converge, and LightGBM misses names of columns.
        warnings.simplefilter("ignore")
        model.fit(fit_on.features, fit_on.labels, sample_weight=fit_on.weights)
        return np.asarray(model.predict_proba(answer_for.features)[:, 1], np.float64)


def platform(split: Split) -> dict[str, Figures]:
    """The platform's own training with its defaults, and each tuned candidate as if it had won."""
    released, result = _released(split, LearningRules().search_trials)
    found = {RELEASED: released}
    for contender in result.contenders:
        found[f"tuned {contender.name}"] = _as_if_it_had_won(contender, split)
    return found


def unsearched(split: Split) -> dict[str, Figures]:
    """The platform's own training without a search: every candidate at its reference point."""
    return {UNSEARCHED: _released(split, 0)[0]}


def _released(split: Split, trials: int) -> tuple[Figures, TrainingResult]:
    rules = LearningRules()
    started = time.perf_counter()
    result = train(
        split.train,
        split.validation,
        candidates=select_candidates(rules.candidates),
        budget=SearchBudget(trials, rules.search_seconds),
        seed=split.seed,
        baseline=split.baseline,
        data_version="benchmark",
        as_of=date(2013, 9, 2),
        origin="landed",
    )
    seconds = time.perf_counter() - started
    bundle, test = result.bundle, split.test
    return Figures.of(bundle.predict(test.features), bundle.threshold.value, test, seconds), result


def _as_if_it_had_won(contender: Contender, split: Split) -> Figures:
    rows = split.development
    answers = contender.out_of_fold
    if not contender.is_finalist:
        answers = out_of_fold(contender.members[0], rows, seed=split.seed)
    calibration = fit_calibration(answers, rows.labels, weights=rows.weights, seed=split.seed)
    threshold = _best_f1_threshold(calibration.apply(answers), rows)
    everything = np.arange(rows.row_count)
    fitted = [member.fit(rows, everything, _NO_LIMIT) for member in contender.members]
    tested = blended([estimator.predict_probability(split.test.features) for estimator in fitted])
    return Figures.of(calibration.apply(tested), threshold, split.test, float("nan"))


def automl(split: Split, *, seconds: float) -> dict[str, Figures]:
    """AutoGluon on the same rows, for `seconds`; its threshold has the best F1 of its own out-of-fold answers.

    Raises:
        FileNotFoundError: there is no uv to make its environment.
        subprocess.CalledProcessError: it failed.
    """
    rows = split.development
    with tempfile.TemporaryDirectory(prefix="automl-") as folder:
        train_path, test_path, answers_path = (
            Path(folder) / name for name in ("train.parquet", "test.parquet", "answers.npz")
        )
        _table(rows).assign(Class=rows.labels).to_parquet(train_path, index=False)
        _table(split.test).to_parquet(test_path, index=False)
        files = [str(train_path), str(test_path), str(seconds), str(answers_path)]
        started = time.perf_counter()
        subprocess.run(
            [_uv(), "run", "--script", str(PEER_SCRIPT), *files],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            # Its packages look for their own, not for ours.
            env={name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")},
        )
        took = time.perf_counter() - started
        with np.load(answers_path) as answers:
            threshold = _best_f1_threshold(answers["out_of_fold"].astype(np.float64), rows)
            tested = answers["test"].astype(np.float64)
    return {PEER: Figures.of(tested, threshold, split.test, took)}


def _table(rows: LabelledRows) -> pd.DataFrame:
    return pd.DataFrame(rows.features, columns=list(FEATURE_NAMES))


def _uv() -> str:
    uv = shutil.which("uv") or shutil.which("uv", path=str(PEER_SCRIPT.parents[1] / ".tools" / "bin"))
    if uv is None:
        raise FileNotFoundError("uv is needed to make the peer's environment: make setup, or --no-peer")
    return uv


def _best_f1_threshold(answers: Floats, rows: LabelledRows) -> float:
    chosen = choose_threshold(
        answers, rows.labels, rows.amounts, policy="max_f1", terms=_NO_TERMS, weights=rows.weights
    )
    return chosen.value
