"""Tree SHAP of our own: what enumeration gives by hand, and what the shap library gives for every family of trees."""

import itertools
import math

import numpy as np
import pytest

from fraud_platform.errors import ModelError
from fraud_platform.training.tree_shap import TreeSum, TreeTable
from fraud_platform.training.tree_tables import forest_trees, lightgbm_trees, xgboost_trees

COUNT = 7

# shap colours its plots, on import, in a way that matplotlib will drop; and it has something to say of LightGBM.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:LightGBM binary classifier:UserWarning"),
]

# Asks about feature 0 twice, on one path with feature 1 in between.
BY_HAND = TreeTable(
    left=np.array([1, 3, -1, -1, 5, -1, -1]),
    right=np.array([2, 4, -1, -1, 6, -1, -1]),
    feature=np.array([0, 1, 0, 0, 0, 0, 0]),
    threshold=np.array([0.5, 0.0, 0, 0, -1.0, 0, 0]),
    cover=np.array([20.0, 12, 8, 5, 7, 4, 3]),
    value=np.array([0, 0, 3.0, -1.0, 0, 2.0, 0.5]),
)


def expected_value(tree, row, known, node=0):
    """What the tree answers on average where only the features in `known` are known."""
    if tree.left[node] < 0:
        return tree.value[node]
    left, right = tree.left[node], tree.right[node]
    if tree.feature[node] in known:
        return expected_value(tree, row, known, left if row[tree.feature[node]] <= tree.threshold[node] else right)
    return sum(
        tree.cover[child] / tree.cover[node] * expected_value(tree, row, known, child) for child in (left, right)
    )


def shapley_values(tree, row):
    """The definition: the mean gain over every order of the features."""
    count, values = len(row), np.zeros(len(row))
    for feature in range(count):
        others = [other for other in range(count) if other != feature]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for known in map(set, itertools.combinations(others, size)):
                gain = expected_value(tree, row, known | {feature}) - expected_value(tree, row, known)
                values[feature] += weight * gain
    return values


def test_a_tree_is_explained_as_the_definition_says():
    rows = np.array([[a, b, 9.0] for a in (-2, 0, 0.5, 0.6) for b in (-1, 0, 1)], np.float32)
    found = TreeSum([BY_HAND], 0.5).contributions(rows, 1)
    np.testing.assert_allclose(found, [0.5 * shapley_values(BY_HAND, row) for row in rows], atol=1e-14)
    # Nobody asks about the last feature.
    assert np.all(found[:, 2] == 0)
    assert TreeSum([BY_HAND], 0.5).base == pytest.approx(0.5 * expected_value(BY_HAND, rows[0], set()))


def rows(count, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, COUNT)).astype(np.float32)
    noise = generator.normal(size=count)
    return features, (features[:, 0] - 0.7 * features[:, 1] * features[:, 2] + 0.3 * noise > 1.0).astype(np.int8)


def fit_xgboost(depth):
    import xgboost

    features, labels = rows(3_000)
    settings = {"objective": "binary:logistic", "max_depth": depth, "nthread": 1, "min_child_weight": 0.1}
    return xgboost.train(settings, xgboost.DMatrix(features, labels), 12)


def fit_lightgbm(leaves):
    import lightgbm

    features, labels = rows(3_000)
    settings = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "num_threads": 1, "min_child_samples": 2}
    return lightgbm.train(settings, lightgbm.Dataset(features, labels), 12)


def fit_forest(depth):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, max_depth=depth, random_state=0).fit(*rows(3_000))


@pytest.mark.parametrize(
    ("fit", "size", "trees", "tolerance"),
    [
        # Stumps, trees as they are searched for, and trees in which every path asks about every feature again.
        (fit_xgboost, 1, xgboost_trees, 1e-5),
        (fit_xgboost, 5, xgboost_trees, 1e-5),
        (fit_xgboost, 12, xgboost_trees, 1e-5),
        (fit_lightgbm, 2, lightgbm_trees, 1e-12),
        (fit_lightgbm, 100, lightgbm_trees, 1e-12),
        (fit_forest, 4, forest_trees, 1e-12),
        (fit_forest, 16, forest_trees, 1e-12),
    ],
)
def test_contributions_are_those_of_the_shap_library(fit, size, trees, tolerance):
    import shap

    model = fit(size)
    features = rows(200, seed=1)[0]
    # On a threshold, a row goes the way the library sends it.
    tables = trees(model)
    features[:50, tables[0].feature[0]] = np.float32(np.nextafter(np.float32(tables[0].threshold[0]), np.float32(9e9)))
    features[50:100, tables[0].feature[0]] = np.float32(tables[0].threshold[0])
    summed = TreeSum(tables, 1 / len(tables) if trees is forest_trees else 1.0)
    explainer = shap.TreeExplainer(model)
    expected = explainer.shap_values(features)
    expected = expected[:, :, 1] if trees is forest_trees else expected
    np.testing.assert_allclose(summed.contributions(features, 2), expected, atol=tolerance)
    if trees is not xgboost_trees:
        assert summed.base == pytest.approx(float(np.ravel(explainer.expected_value)[-1]), abs=1e-12)


def test_a_row_is_explained_alike_alone_among_others_and_by_any_number_of_threads():
    summed = TreeSum(xgboost_trees(fit_xgboost(5)))
    features = rows(2_500)[0]
    together = summed.contributions(features, 1)
    np.testing.assert_array_equal(summed.contributions(features, 3), together)
    np.testing.assert_array_equal(
        summed.contributions(np.asfortranarray(features[1_030:1_063]), 1), together[1_030:1_063]
    )
    assert summed.contributions(features[:0], 1).shape == (0, COUNT)


def test_a_tree_that_asks_nothing_explains_nothing():
    leaf = TreeTable(*(np.array([each]) for each in (-1, -1, 0, 0.0, 1.0, 0.25)))
    assert not TreeSum([leaf, BY_HAND]).contributions(np.zeros((3, COUNT), np.float32), 1)[:, 2:].any()
    assert TreeSum([leaf]).base == 0.25
    assert not TreeSum([leaf]).contributions(np.zeros((3, COUNT), np.float32), 1).any()


def test_trees_over_categories_are_refused():
    import lightgbm
    import xgboost

    features, labels = rows(500)
    features[:, 0] = np.arange(500) % 4
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0}
    data = lightgbm.Dataset(features, features[:, 0] % 2, categorical_feature=[0])
    with pytest.raises(ModelError, match="categories"):
        lightgbm_trees(lightgbm.train(settings, data, 2))
    linear = xgboost.train({"booster": "gblinear", "nthread": 1}, xgboost.DMatrix(features, labels), 1)
    with pytest.raises(ModelError, match="not made of trees"):
        xgboost_trees(linear)
