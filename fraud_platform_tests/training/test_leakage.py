"""Signs of a leak: what one feature, or all together, know of the frauds, on rows where it was put there by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.training.leakage import SingleFeature, telltales
from fraud_platform_tests.training.labelled_rows import make_rows


def test_a_feature_that_knows_the_answer_is_named() -> None:
    rows = make_rows(900, 70)
    leaky = replace(rows, features=rows.features.copy())
    leaky.features[:, FEATURE_NAMES.index("V20")] = -rows.labels
    assert telltales(leaky, leaky.features[:, 0], seed=1).strongest == SingleFeature("V20", 1.0)
    assert telltales(rows, rows.features[:, 0], seed=1).strongest.value < 0.9


def test_a_feature_that_knows_the_answer_at_times_is_named() -> None:
    # 40,000 legitimate rows beside 70 frauds: at the reference rate each stands for 1.01.
    rows = make_rows(40_000, 70)
    leaky = replace(rows, features=rows.features.copy())
    position = FEATURE_NAMES.index("V20")
    leaky.features[np.flatnonzero(rows.labels)[:42], position] = 1_000.0
    found = telltales(leaky, leaky.features[:, 0], seed=1)
    assert found.purest == SingleFeature("V20", pytest.approx(42 / 70))
    assert found.strongest.value < 0.9
    # With one legitimate row there, and one more that is counted, 42 of 44 are frauds, still 95 %; with two, no longer.
    for legitimate, is_told in ((1, True), (2, False)):
        leaky.features[np.flatnonzero(rows.labels == 0)[:legitimate], position] = 1_000.0
        told = telltales(leaky, leaky.features[:, 0], seed=1).purest
        assert (told == SingleFeature("V20", pytest.approx(42 / 70))) is is_told


def test_features_that_know_the_answer_together_are_noticed() -> None:
    rows, generator = make_rows(900, 70), np.random.default_rng(4)
    knowing = rows.labels + generator.normal(0.0, 0.01, rows.row_count)
    assert telltales(rows, knowing, seed=1).average_precision_bound == 1.0
    # Every tenth fraud unknown: about a tenth of average precision is lost, and the bound lies below that.
    some = np.where(np.cumsum(rows.labels) % 10 == 0, 0.0, knowing)
    assert 0.75 < telltales(rows, some, seed=1).average_precision_bound < 0.91
