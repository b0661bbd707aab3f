"""What does a bundle add to its trees? 284,807 rows through `ModelBundle.predict` / the boosters' own prediction.

The peer is what the trees themselves need: XGBoost's `inplace_predict` and LightGBM's `predict` of raw scores, on the
same float32 matrix, with the same threads. The bundle adds blending, calibration and its checks. Two bundles are
measured: an ensemble of both families, and its first XGBoost alone.

    python benchmarks/scoring.py [REPEATS]
"""

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from measuring import alternate, cost_of_call, print_costs, print_ratios, ratios
from temporary_home import MODEL_DAYS, MODEL_ROWS, ingest_days, land, load_definitions, temporary_home

if TYPE_CHECKING:
    import numpy as np

    from fraud_platform.training.bundle import ModelBundle
    from fraud_platform.training.ensembles import EnsembleEstimator

ROWS = 284_807
LIMIT = 1.3
BUNDLE, TREES = "bundle", "its trees alone"
# No search: how good the trees are does not matter here.
TRAINING = {"FRAUD_CANDIDATES": '["xgboost", "lightgbm"]', "FRAUD_SEARCH_TRIALS": "0"}


def predict_trees(bundle: "ModelBundle", matrix: "np.ndarray") -> None:
    """The raw scores of every booster in the bundle, by the libraries' own calls."""
    for member in getattr(bundle.estimator, "members", [bundle.estimator]):
        if member.algorithm == "xgboost":
            member.booster.inplace_predict(matrix, predict_type="margin")
        else:
            member.booster.predict(matrix, raw_score=True)


def main(repeats: int) -> None:
    """Trains an ensemble, measures and prints."""
    with temporary_home(TRAINING):
        from fraud_platform.day_store import DayStore
        from fraud_platform.defs import runs
        from fraud_platform.defs.instance import open_instance
        from fraud_platform.features.engineering import build_features
        from fraud_platform.ingestion.landing import LandingZone
        from fraud_platform.ingestion.transactions import ingest_day
        from fraud_platform.settings import load_settings
        from fraud_platform.training import contest
        from fraud_platform.training.bundle import ModelBundle
        from fraud_platform.training.dataset import feature_matrix

        settings = load_settings()
        # The ensemble wins whatever it reaches, and whatever one family reaches the other is in it.
        contest.ENSEMBLE_GAIN, contest.FINAL_MARGIN = -1.0, 1.0
        definitions = load_definitions()
        with open_instance() as instance:
            day = ingest_days(definitions, instance, days=MODEL_DAYS, rows=MODEL_ROWS)
            runs.run_day(definitions, instance, "retraining", day)
        # As it was sealed, whatever its gates say of made-up transactions.
        sealed = DayStore.at(settings.storage_url).read_bytes("trained_model", day, "zip")
        ensemble = ModelBundle.from_bytes(sealed)
        land(day, ROWS)
        matrix = feature_matrix(build_features(ingest_day(LandingZone.at(settings.landing_url), day).transactions))
        first = cast("EnsembleEstimator", ensemble.estimator).members[0]
        alone = replace(ensemble, algorithm="xgboost", estimator=first)
        for title, bundle in (("an ensemble", ensemble), ("one XGBoost", alone)):
            peers = {
                BUNDLE: partial(cost_of_call, partial(bundle.predict, matrix)),
                TREES: partial(cost_of_call, partial(predict_trees, bundle, matrix)),
            }
            costs = alternate(peers, repeats=repeats)
            print_costs(f"{len(matrix):,} rows through {title} of {bundle.estimator.round_count} trees", costs)
            print_ratios(ratios(costs, BUNDLE, TREES, LIMIT))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
