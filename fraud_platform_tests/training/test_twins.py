"""Near-twins: found however far apart in the table, chained, and told from neighbours that only look alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from fraud_platform.training.folding import fold_of_rows
from fraud_platform.training.prevalence import legitimate_weight
from fraud_platform.training.twins import TWIN_DISTANCE, twin_groups


def components(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 28)).astype(np.float32)


@given(seed=st.integers(0, 2**31), copies=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_groups_are_the_components_of_the_graph_of_all_pairs(seed: int, copies: int) -> None:
    generator = np.random.default_rng(seed)
    rows = components(60, seed)
    copied = rows[generator.integers(0, 60, copies)]
    rows = np.concatenate([rows, copied + generator.normal(0, 0.02, copied.shape).astype(np.float32)])
    # The transitive closure of "at most so far apart", by repeated squaring of the adjacency.
    near = squareform(pdist(rows.astype(np.float64))) <= TWIN_DISTANCE
    for _ in range(7):
        near = near @ near
    np.testing.assert_array_equal(twin_groups(rows), near.argmax(axis=1))


def test_many_equal_rows_are_one_group() -> None:
    rows = np.concatenate([np.zeros((20_000, 28), np.float32), components(10)])
    groups = twin_groups(rows)
    assert set(groups[:20_000]) == {0}
    assert list(groups[20_000:]) == list(range(20_000, 20_010))


def test_no_rows_have_no_twins() -> None:
    assert twin_groups(np.empty((0, 28), np.float32)).shape == (0,)


def test_twins_share_a_fold_and_classes_are_spread_evenly() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 500, 1_000)
    labels = np.isin(groups, generator.choice(500, 60, replace=False)).astype(np.int8)
    fold = fold_of_rows(labels, groups, count=5, seed=1)
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    fraud_groups = [len(np.unique(groups[(fold == number) & (labels == 1)])) for number in range(5)]
    assert max(fraud_groups) - min(fraud_groups) <= 1


def test_a_down_sampled_file_is_weighted_back_to_the_public_one() -> None:
    labels = np.repeat([1, 0], [331, 30_998])
    # The public file: 492 frauds among 284,807. The sample stands for it at 1.486 and 9.172.
    assert legitimate_weight(labels, 492 / 284_807) == pytest.approx(9.172 / 1.486, rel=1e-3)
    assert legitimate_weight(labels, None) == 1.0
