# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = ["autogluon.tabular[catboost,fastai,lightgbm,xgboost]==1.6.3"]
# ///
"""AutoGluon on the same rows, in an environment of its own: none of its some hundred packages is ours.

What is made of its probabilities does not belong here. `model_quality.py` runs it with `uv run --script`:

    automl_peer.py TRAIN.parquet TEST.parquet SECONDS ANSWERS.npz
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor


def main(train_path: Path, test_path: Path, seconds: float, answers_path: Path) -> None:
    """Fits for `seconds`, writes the fraud probabilities of both files' rows: out of fold for those it learned from."""
    train, test = pd.read_parquet(train_path), pd.read_parquet(test_path)
    with tempfile.TemporaryDirectory(prefix="automl-peer-") as folder:
        predictor = TabularPredictor("Class", "binary", "average_precision", path=folder, verbosity=0)
        # Bagged, as its threshold needs answers about rows it has not seen. Its own trial run to find out whether to
        # stack would take a quarter of the time, and on so few frauds stacking overfits.
        predictor.fit(train, time_limit=seconds, presets="high_quality", dynamic_stacking=False, num_stack_levels=0)
        np.savez(
            answers_path,
            out_of_fold=predictor.predict_proba_oof()[1].to_numpy(),
            test=predictor.predict_proba(test)[1].to_numpy(),
        )
        print(predictor.leaderboard(silent=True)[["model", "score_val"]].to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
