"""The trees of XGBoost, LightGBM and scikit-learn as plain tables, all asking alike: is the value at most this?

What is computed from them belongs to `tree_shap`. Nothing is unpickled: each library's own public form is read.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from fraud_platform.errors import ModelError
from fraud_platform.training.tree_shap import TreeTable

if TYPE_CHECKING:
    import lightgbm
    import xgboost
    from sklearn.ensemble import RandomForestClassifier


def xgboost_trees(booster: "xgboost.Booster") -> list[TreeTable]:
    """The trees of a booster in log-odds; a row goes left where its float32 value is below the split.

    Raises:
        ModelError: it holds what the platform's candidates never fit: other boosters than trees, or categories.
    """
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    model = learner["gradient_booster"]
    if model["name"] != "gbtree" or any(any(tree["split_type"]) for tree in model["model"]["trees"]):
        raise ModelError("the XGBoost model is not made of trees over numbers alone; train again")
    tables = []
    for tree in model["model"]["trees"]:
        # Of a leaf, the "condition" is what it answers.
        conditions = np.array(tree["split_conditions"], np.float32)
        below = np.nextafter(conditions, np.float32(-np.inf))
        tables.append(
            _table(
                tree["left_children"],
                tree["right_children"],
                tree["split_indices"],
                below,
                tree["sum_hessian"],
                conditions,
            )
        )
    return tables


def lightgbm_trees(booster: "lightgbm.Booster") -> list[TreeTable]:
    """The trees of a booster in log-odds.

    Raises:
        ModelError: it splits by categories, which the platform's candidates never fit.
    """
    return [_lightgbm_tree(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


def forest_trees(forest: "RandomForestClassifier") -> list[TreeTable]:
    """The trees of a forest, answering the share of frauds in a leaf."""
    fraud = list(forest.classes_).index(1)
    tables = []
    for each in forest.estimators_:
        tree = each.tree_
        votes = tree.value[:, 0, :]
        tables.append(
            _table(
                tree.children_left,
                tree.children_right,
                tree.feature,
                tree.threshold,
                tree.weighted_n_node_samples,
                votes[:, fraud] / votes.sum(axis=1),
            )
        )
    return tables


def _table(left: Any, right: Any, feature: Any, threshold: Any, cover: Any, value: Any) -> TreeTable:
    return TreeTable(
        np.asarray(left, np.int32),
        np.asarray(right, np.int32),
        np.asarray(feature, np.int32),
        np.asarray(threshold, np.float64),
        np.asarray(cover, np.float64),
        np.asarray(value, np.float64),
    )


def _lightgbm_tree(root: dict[str, Any]) -> TreeTable:
    nodes: list[tuple[int, int, int, float, float, float]] = []

    def add(node: dict[str, Any]) -> int:
        place = len(nodes)
        if "split_feature" not in node:
            # A tree of one leaf tells no count.
            nodes.append((-1, -1, 0, 0.0, float(node.get("leaf_count", 1)), float(node["leaf_value"])))
            return place
        if node["decision_type"] != "<=":
            raise ModelError("the LightGBM model splits by categories, which the platform never fits; train again")
        nodes.append((0, 0, 0, 0.0, 0.0, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])
        nodes[place] = (
            left,
            right,
            int(node["split_feature"]),
            float(node["threshold"]),
            float(node["internal_count"]),
            0.0,
        )
        return place

    add(root)
    return _table(*zip(*nodes, strict=True))
