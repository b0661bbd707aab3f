"""The interval of an estimate: as wide as chance makes it, checked against plain simulation and by its coverage."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from fraud_platform.monitoring.uncertainty import Bounds, estimated_bounds


def scored(count: int, seed: int, *, digits: int | None = None) -> pd.DataFrame:
    probabilities = np.random.default_rng(seed).beta(0.1, 1.5, count)
    if digits is not None:
        probabilities = probabilities.round(digits)
    return pd.DataFrame({"fraud_probability": probabilities, "prediction": (probabilities >= 0.4).astype(np.int8)})


# Rounded, most probabilities are equal to others, as isotonic calibration gives them.
@pytest.mark.parametrize("digits", [None, 1])
def test_the_bounds_are_those_of_labels_drawn_row_by_row(digits):
    table = scored(400, seed=1, digits=digits)
    probabilities, decisions = table["fraud_probability"].to_numpy(), table["prediction"].to_numpy()
    generator = np.random.default_rng(2)
    drawn: dict[str, list[float]] = {"precision": [], "recall": [], "f1": [], "average_precision": []}
    for _ in range(2_000):
        labels = generator.uniform(size=len(table)) < probabilities
        hits, alerts, frauds = (labels & (decisions == 1)).sum(), decisions.sum(), labels.sum()
        drawn["precision"].append(hits / alerts)
        drawn["recall"].append(hits / frauds)
        drawn["f1"].append(2 * hits / (alerts + frauds))
        drawn["average_precision"].append(sklearn_metrics.average_precision_score(labels, probabilities))
    bounds = estimated_bounds(table, seed=3, draws=2_000)
    for name, values in drawn.items():
        low, high = np.quantile(values, [0.025, 0.975])
        assert bounds[name].low == pytest.approx(low, abs=0.1 * (high - low)), name
        assert bounds[name].high == pytest.approx(high, abs=0.1 * (high - low)), name


def test_the_same_seed_gives_the_same_bounds():
    table = scored(400, seed=1)
    assert estimated_bounds(table, seed=3) == estimated_bounds(table.sample(frac=1, random_state=0), seed=3)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([], None),  # no transactions
        ([0.0, 0.0], None),  # no fraud in any world
        ([1.0, 0.0], 1.0),  # one fraud in every world, and it is alerted
    ],
)
def test_certain_worlds_have_certain_figures(probabilities, expected):
    table = pd.DataFrame({"fraud_probability": probabilities, "prediction": [int(p > 0.5) for p in probabilities]})
    bounds = estimated_bounds(table.astype({"fraud_probability": float}), seed=1)
    assert bounds["average_precision"] == bounds["recall"] == Bounds(expected, expected)


def test_bounds_hold_what_lies_between_them():
    assert Bounds(0.2, 0.4).holds(0.4)
    assert not Bounds(0.2, 0.4).holds(0.41)
    assert not Bounds(None, None).holds(0.3)
