"""A bundle as training makes it, registered, promoted, loaded and scored with, on both registries."""

import time

import numpy as np
import pandas as pd
import pytest

from fraud_platform.features.profile import profile_table
from fraud_platform.registry.champion import model_for_day
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.training.bundle import ModelBundle
from fraud_platform.training.calibration import Calibration
from fraud_platform.training.estimators import XGBoostEstimator
from fraud_platform.training.thresholds import DecisionThreshold
from fraud_platform_tests.registry.registration import NOON, march

COLUMNS = ("V1", "V2")


def rows() -> np.ndarray:
    return np.random.default_rng(7).normal(size=(300, len(COLUMNS))).astype(np.float32)


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    import xgboost

    features = rows()
    labels = (features[:, 0] > 1).astype(np.int8)
    settings = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1, "seed": 0}
    booster = xgboost.train(settings, xgboost.DMatrix(features, labels), num_boost_round=5)
    return ModelBundle(
        algorithm="xgboost",
        feature_names=COLUMNS,
        feature_schema_version=1,
        estimator=XGBoostEstimator(booster, threads=1),
        calibration=Calibration(),
        threshold=DecisionThreshold(0.5, "max_f1", {"precision": 1.0, "recall": 1.0, "f1": 1.0, "alert_share": 0.16}),
        baseline=profile_table(pd.DataFrame(features, columns=list(COLUMNS)), COLUMNS),
        provenance={"as_of": "2026-03-01", "origin": "simulated"},
    )


def test_a_released_bundle_scores_as_it_did_when_it_was_made(registry: RecordRegistry, bundle: ModelBundle) -> None:
    version = registry.register(
        bundle.to_bytes(),
        digest=bundle.digest,
        as_of=march(1),
        algorithm=bundle.algorithm,
        feature_schema_version=bundle.feature_schema_version,
        origin="simulated",
        cause="manual",
        run_id=None,
        created_at=NOON,
        description="",
    )
    registry.promote(version, day=march(1), reason="the first", promoted_at=NOON)
    loaded = registry.load(model_for_day(registry, march(2)).version)
    assert loaded.digest == bundle.digest
    np.testing.assert_array_equal(loaded.predict(rows()), bundle.predict(rows()))
    # The champion is asked for every day: the second time costs no reading.
    began = time.perf_counter()
    assert registry.load(model_for_day(registry, march(3)).version) is loaded
    assert time.perf_counter() - began < 0.2
