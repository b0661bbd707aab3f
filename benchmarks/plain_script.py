"""The day as a data scientist's script would do it: read, drop duplicates, predict, write. No platform in it."""

from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

V_COLUMNS = [f"V{number}" for number in range(1, 29)]


def score_file(source: Path, model: Path, target: Path) -> None:
    """Reads `source` (CSV or Parquet), scores it with the booster in `model` and writes the table to `target` (CSV)."""
    table = pd.read_parquet(source) if source.suffix == ".parquet" else pd.read_csv(source)
    table = table.drop_duplicates()
    angle = table["Time"] % 86_400 * (2 * np.pi / 86_400)
    features = table[[*V_COLUMNS, "Amount"]].assign(
        log1p_Amount=np.log1p(table["Amount"]), Hour_sin=np.sin(angle), Hour_cos=np.cos(angle)
    )
    classifier = xgboost.XGBClassifier()
    classifier.load_model(model)
    table["fraud_probability"] = classifier.predict_proba(features)[:, 1]
    table.to_csv(target, index=False)
