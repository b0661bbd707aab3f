"""Measures, in real rows of the public file, the statistics the simulator draws from.

Only needed to make the shipped figures again: `python -m fraud_platform.simulation.fitting creditcard.csv`.
"""

import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.simulation.figures import NORMAL_SCORES, VARIABLES, Component, Figures
from fraud_platform.simulation.replay import SECONDS_PER_DAY, read_public_file

# Rows are first parted by how much they resemble fraud: legitimate look-alikes and well-hidden frauds are components
# of their own. A mixture that ignores this smooths them away, and every model then looks better on simulated days than
# it is. The plain rest of each class is clustered.
LOOK_ALIKE_LIMITS = (0.02, 0.10)
HIDDEN_FRAUD_LIMIT = 0.50
PLAIN_LEGITIMATE_CLUSTERS = 8
PLAIN_FRAUD_CLUSTERS = 4

# Below this, a component's marginals would come close to quoting its rows; they join the nearest other one.
MIN_COMPONENT_ROWS = 20
# Correlations shrink towards none as if this many uncorrelated rows had been seen as well.
SHRINKAGE_ROWS = 30


def fit_figures(table: pd.DataFrame, *, seed: int = 0) -> Figures:
    """The figures of a table in the public file's format.

    Figures are conditional on `Class`, so a table in which frauds are over-represented gives the same ones, as long
    as each class is a fair sample of its own.

    Args:
        table: `Time`, `V1`..`V28`, `Amount`, `Class`, with some hundred frauds at least.
        seed: of the clustering and of the model that ranks legitimate rows.
    """
    values = np.column_stack(
        [table[list(VARIABLES[:-1])].to_numpy(np.float64), table["Time"].to_numpy(np.float64) % SECONDS_PER_DAY / 3600]
    )
    labels = table["Class"].to_numpy(np.int8)
    suspicion = _out_of_fold_probabilities(values, labels, seed)
    look_alike_band = np.digitize(suspicion[labels == 0], LOOK_ALIKE_LIMITS)
    hidden_band = (suspicion[labels == 1] < HIDDEN_FRAUD_LIMIT).astype(np.int64)
    return Figures(
        legitimate=_mixture(values[labels == 0], look_alike_band, PLAIN_LEGITIMATE_CLUSTERS, seed),
        fraudulent=_mixture(values[labels == 1], hidden_band, PLAIN_FRAUD_CLUSTERS, seed),
    )


def _out_of_fold_probabilities(values: NDArray[np.float64], labels: NDArray[np.int8], seed: int) -> NDArray[np.float64]:
    """Each row's fraud probability by a booster that has not seen the row."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from xgboost import XGBClassifier

    booster = XGBClassifier(
        n_estimators=300, max_depth=5, learning_rate=0.05, subsample=0.8, colsample_bytree=0.5, random_state=seed
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return cross_val_predict(booster, values.astype(np.float32), labels, cv=folds, method="predict_proba")[:, 1]


def _clusters(values: NDArray[np.float64], count: int, seed: int) -> NDArray[np.int64]:
    """The k-means cluster of each row, in the `V` columns scaled by their quartiles and compressed in the tails."""
    from sklearn.cluster import KMeans

    components = values[:, :28]
    low, middle, high = np.quantile(components, [0.25, 0.5, 0.75], axis=0)
    scaled = np.arcsinh((components - middle) / (high - low))
    means = KMeans(count, n_init=5, random_state=seed).fit(scaled)
    distances = means.transform(scaled)
    too_small = np.bincount(means.labels_, minlength=count) < MIN_COMPONENT_ROWS
    distances[:, too_small] = np.inf
    return distances.argmin(axis=1)


def _mixture(
    values: NDArray[np.float64], bands: NDArray[np.int64], plain_clusters: int, seed: int
) -> tuple[Component, ...]:
    """One component per cluster of the rows in band 0, and one per further band."""
    is_plain = bands == 0
    groups = bands + plain_clusters
    groups[is_plain] = _clusters(values[is_plain], plain_clusters, seed)
    generator = np.random.default_rng(seed)
    members = [values[groups == group] for group in np.unique(groups)]
    return tuple(_component(rows, len(rows) / len(values), generator) for rows in members)


def _component(rows: NDArray[np.float64], weight: float, generator: np.random.Generator) -> Component:
    from scipy.special import ndtri

    count = len(rows)
    # Equal amounts get their ranks by lot; by position they would carry the file's order into the correlations.
    order = [np.lexsort((generator.random(count), column)) for column in rows.T]
    ranks = np.column_stack([positions.argsort() for positions in order])
    observed = np.corrcoef(ndtri((ranks + 0.5) / count), rowvar=False)
    trust = count / (count + SHRINKAGE_ROWS)
    correlations = trust * observed + (1 - trust) * np.eye(len(VARIABLES))

    probabilities = np.array([NormalDist().cdf(score) for score in NORMAL_SCORES])
    quantiles = np.quantile(rows, probabilities, axis=0, method="hazen").T
    return Component(weight, quantiles, correlations)


def main(path: str) -> None:
    """Fits the figures of the file at `path` and puts them where the package ships them."""
    data = fit_figures(read_public_file(path)).to_bytes()
    target = Path(__file__).with_name("figures.npz")
    target.write_bytes(data)
    sys.stdout.write(f"{target.name}: {len(data):,} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1])
