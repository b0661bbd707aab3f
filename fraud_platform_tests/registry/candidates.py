"""A candidate small enough to train in a test, and the rows that judge it."""

from dataclasses import replace
from typing import Any

import numpy as np

from fraud_platform.training.bundle import ModelBundle
from fraud_platform.training.dataset import LabelledRows
from fraud_platform_tests.scoring.models import boosted_trees, bundle_of


def candidate(*, seed: int = 0, threshold: float = 0.5, rounds: int = 40, **provenance: Any) -> ModelBundle:
    """Boosted trees with the provenance that training writes, as of 8 March 2026."""
    estimator, _ = boosted_trees(seed, row_count=1_500, rounds=rounds)
    row = {
        "name": "xgboost",
        "cv_average_precision": 0.8,
        "train_average_precision": 0.9,
        "validation_average_precision": 0.85,
        "out_of_fold_average_precision": 0.84,
        "params": {"max_depth": 4, "learning_rate": 0.2},
    }
    document = {"as_of": "2026-03-08", "origin": "replayed", "candidates": [row], "seed": 42, **provenance}
    return replace(bundle_of(estimator, threshold=threshold), algorithm="xgboost", provenance=document)


def judging_rows(count: int = 1_500, seed: int = 9) -> LabelledRows:
    """Rows drawn as those the candidate has learned from."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(count, 32)).astype(np.float32)
    labels = (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] + generator.normal(size=count) > 2.5).astype(np.int8)
    ids = np.array([f"t{number}" for number in range(count)], dtype=object)
    days = np.full(count, np.datetime64("2026-03-08"))
    return LabelledRows(matrix, labels, np.abs(matrix[:, 28]).astype(np.float64), ids, days, np.arange(count))
