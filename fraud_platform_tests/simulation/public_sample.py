"""Real rows of the public file, where this machine has them; none are kept in the project."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fraud_platform.simulation.replay import SECONDS_PER_DAY, read_public_file

SAMPLE = Path(__file__).resolve().parents[3] / "shared/data/creditcard_sample.csv"
needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason=f"needs real rows in {SAMPLE}")

# The sample holds 30,998 of 284,315 legitimate rows and 331 of 492 frauds.
WEIGHTS = (284_315 / 30_998, 492 / 331)


@cache
def real_rows() -> pd.DataFrame:
    """The sample; not to be modified."""
    return read_public_file(SAMPLE)


def design_matrix(table: pd.DataFrame) -> np.ndarray:
    """The columns a sensible model would take, float32 [n, 32]."""
    angle = table["Time"].to_numpy() % SECONDS_PER_DAY / SECONDS_PER_DAY * 2 * np.pi
    amount = table["Amount"].to_numpy()
    others = np.column_stack([amount, np.log1p(amount), np.sin(angle), np.cos(angle)])
    return np.hstack([table.filter(regex=r"^V\d+$").to_numpy(), others]).astype(np.float32)


def fitted_booster(table: pd.DataFrame):
    """A plain gradient-boosted model of `Class`."""
    from xgboost import XGBClassifier

    booster = XGBClassifier(
        n_estimators=100,
        max_depth=5,
        learning_rate=0.1,
        subsample=0.8,
        colsample_bytree=0.5,
        max_bin=64,
        random_state=0,
        n_jobs=1,
    )
    return booster.fit(design_matrix(table), table["Class"])
