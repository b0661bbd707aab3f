"""Exact tree SHAP of many rows: every feature's part in what a sum of trees answers, on every core.

How a library stores its trees does not belong here (`tree_tables`), nor what a tree's answer means (estimators).

The values are those of path-dependent tree SHAP (Lundberg et al. 2020, "From local explanations to global understanding
with explainable AI for trees"): a leaf's value times a product of one factor per feature on its path, 1 or 0 where the
row's value is known, the share `z` of training rows that passed where it is not. Shapley values of a product are an
integral along the diagonal of its multilinear extension (Owen 1972, "Multilinear extensions of games"),

    value * (b_i - z_i) * integral over t in [0, 1] of the product over the other features of (b_j t + z_j (1 - t)),

of a polynomial whose degree is below the number of features on the path: Gauss-Legendre quadrature with half as many
points is exact. What leaves share is summed up once on the way back to the root, as in Linear TreeSHAP (Yu et al.
2022), so a tree costs its nodes times those points, where the classical algorithm costs leaves times depth squared.
All terms are products of positive factors, and nothing is divided by a small number while rows are explained.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

# Rows that go through a tree together: enough for vector instructions, few enough for the cache.
_LANES = 32
# Rows that a thread takes at a time.
_BLOCK_ROWS = 1_024


class TreeTable(NamedTuple):
    """One tree, node 0 its root.

    Attributes:
        left, right: children, -1 for a leaf; a row goes left where its value is at most the threshold.
        feature: which feature a node asks about.
        threshold: float64; float32 values compare with it as the library compares them.
        cover: how many training rows, weighted as the library weighs them, passed each node.
        value: what a leaf answers.
    """

    left: Integers
    right: Integers
    feature: Integers
    threshold: Floats
    cover: Floats
    value: Floats


@dataclass(frozen=True)
class TreeSum:
    """Trees whose answers are added up.

    Attributes:
        trees: which.
        scale: what their sum is multiplied by; one over their number for a forest.
    """

    trees: Sequence[TreeTable]
    scale: float = 1.0

    @property
    def base(self) -> float:
        """What the trees answer on average over their training rows."""
        return self.scale * float(sum(_expected(tree) for tree in self.trees))

    def contributions(self, features: NDArray[np.float32], threads: int) -> Floats:
        """What each feature adds to the answer for each row, float64 [n, k]; with `base` it is the answer.

        A row's result depends on no other row. The first call compiles for a second or two.

        Args:
            features: finite values, float32 [n, k].
            threads: how many threads share the rows; 0 for every core.
        """
        from joblib import cpu_count

        found = np.empty(features.shape)
        if not len(features):
            return found
        features = np.ascontiguousarray(features, np.float32)
        explain, paths = _kernel(), self._paths

        def work(start: int) -> None:
            rows = slice(start, start + _BLOCK_ROWS)
            explain(features[rows], found[rows], *paths)

        starts = range(0, len(features), _BLOCK_ROWS)
        with ThreadPoolExecutor(threads or cpu_count()) as pool:
            list(pool.map(work, starts))
        found *= self.scale
        return found

    @cached_property
    def _paths(self) -> tuple[NDArray[Any], ...]:
        return _pack([_paths_of(tree) for tree in self.trees])


class _Paths(NamedTuple):
    """One tree with its nodes in preorder, each with what its incoming edge needs.

    `earlier` is the node above whose edge asks about the same feature last, -1 without one; `share` is the part of the
    training rows that pass all edges of the feature from the root to here.
    """

    parent: Integers
    feature: Integers
    threshold: Floats
    is_left: NDArray[np.bool_]
    earlier: Integers
    share: Floats
    is_leaf: NDArray[np.bool_]
    value: Floats
    most_features: int


def _expected(tree: TreeTable) -> float:
    is_leaf = tree.left < 0
    return float(tree.value[is_leaf] @ (tree.cover[is_leaf] / tree.cover[0]))


def _paths_of(tree: TreeTable) -> _Paths:
    nodes: list[tuple[int, int, float, bool, int, float, bool, float]] = []
    most = 0
    # (node of the tree, its parent in preorder, is it the left child, the last node of each feature above)
    waiting: list[tuple[int, int, bool, dict[int, int]]] = [(0, -1, False, {})]
    above = [-1] * len(tree.left)
    for node, children in enumerate(zip(tree.left.tolist(), tree.right.tolist(), strict=True)):
        for child in children:
            if child >= 0:
                above[child] = node
    while waiting:
        node, parent, is_left, last = waiting.pop()
        place, feature, threshold, earlier, share = len(nodes), 0, 0.0, -1, 1.0
        if parent >= 0:
            asked = above[node]
            feature, threshold = int(tree.feature[asked]), float(tree.threshold[asked])
            earlier = last.get(feature, -1)
            passed = float(tree.cover[node] / tree.cover[asked])
            share = passed * (nodes[earlier][5] if earlier >= 0 else 1.0)
            last = {**last, feature: place}
            most = max(most, len(last))
        is_leaf = bool(tree.left[node] < 0)
        nodes.append((parent, feature, threshold, is_left, earlier, share, is_leaf, float(tree.value[node])))
        if not is_leaf:
            waiting += [(int(tree.right[node]), place, False, last), (int(tree.left[node]), place, True, last)]
    parents, features, thresholds, lefts, earliers, shares, leaves, values = zip(*nodes, strict=True)
    return _Paths(
        np.array(parents, np.int32),
        np.array(features, np.int32),
        np.array(thresholds, np.float64),
        np.array(lefts, np.bool_),
        np.array(earliers, np.int32),
        np.array(shares, np.float64),
        np.array(leaves, np.bool_),
        np.array(values, np.float64),
        most,
    )


def _pack(trees: Sequence[_Paths]) -> tuple[NDArray[Any], ...]:
    """The arguments of the kernel: all trees one behind the other, each edge with its factors at each point."""
    points = [max((tree.most_features + 1) // 2, 1) for tree in trees]
    widest = max(points, default=1)
    starts = np.cumsum([0, *(len(tree.parent) for tree in trees)]).astype(np.int64)
    size = int(starts[-1])
    # While the row passes; where it fails here first; where it had failed before; the part in the feature's value.
    passing, failing, passing_part = (np.zeros((size, widest)) for _ in range(3))
    failed = np.ones(size)
    failing_part = np.zeros((len(trees), widest))
    for number, (tree, count) in enumerate(zip(trees, points, strict=True)):
        at, weight = (each / 2 for each in np.polynomial.legendre.leggauss(count))
        at = at + 0.5
        rows = slice(starts[number], starts[number + 1])
        share = tree.share[:, np.newaxis]
        before = np.where(tree.earlier >= 0, tree.share[tree.earlier], 1.0)[:, np.newaxis]
        known, known_before = at + share * (1 - at), at + before * (1 - at)
        passing[rows, :count] = known / known_before
        failing[rows, :count] = share * (1 - at) / known_before
        # A branch that no training row took can only be followed by others.
        np.divide(share, before, out=failed[rows, np.newaxis], where=before > 0)
        passing_part[rows, :count] = weight * (1 - share) / known
        failing_part[number, :count] = -weight / (1 - at)
    joined = [
        np.concatenate([getattr(tree, name) for tree in trees]) for name in _Paths._fields[:-1] if name != "share"
    ]
    return (
        starts,
        np.array(points, np.int64),
        *joined,
        passing,
        failing,
        failed,
        passing_part,
        failing_part,
    )


@cache
def _kernel() -> Callable[..., None]:  # noqa: C901 - see the one function in it
    """The loop over trees and rows, compiled; releases Python's lock, so that threads share the rows."""
    import numba

    lanes = _LANES

    @numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
    def explain(  # noqa: C901, PLR0912 - one loop, and calls would keep the compiler from turning it into vectors
        features,
        found,
        starts,
        points,
        parent,
        feature,
        threshold,
        is_left,
        earlier,
        is_leaf,
        value,
        passing,
        failing,
        failed,
        passing_part,
        failing_part,
    ):
        row_count, column_count = features.shape
        largest = 0
        for tree in range(len(points)):
            largest = max(largest, starts[tree + 1] - starts[tree])
        product = np.empty((largest, passing.shape[1], lanes))
        holds = np.empty((largest, lanes))
        values = np.zeros((column_count, lanes), np.float64)
        parts = np.empty((column_count, lanes))
        for first in range(0, row_count, lanes):
            width = min(lanes, row_count - first)
            for row in range(width):
                for column in range(column_count):
                    values[column, row] = features[first + row, column]
            parts[:] = 0.0
            for tree in range(len(points)):
                start, end, count = starts[tree], starts[tree + 1], points[tree]
                product[0, :count] = 1.0
                for node in range(start + 1, end):
                    here, above, before = node - start, parent[node], earlier[node]
                    limit, asked, passes = threshold[node], values[feature[node]], holds[here]
                    if is_left[node]:
                        for row in range(lanes):
                            passes[row] = 1.0 if asked[row] <= limit else 0.0
                    else:
                        for row in range(lanes):
                            passes[row] = 0.0 if asked[row] <= limit else 1.0
                    if before < 0:
                        for point in range(count):
                            no, more = failing[node, point], passing[node, point] - failing[node, point]
                            source, target = product[above, point], product[here, point]
                            for row in range(lanes):
                                target[row] = source[row] * (no + more * passes[row])
                    else:
                        passed, never = holds[before], failed[node]
                        for row in range(lanes):
                            passes[row] *= passed[row]
                        for point in range(count):
                            no, more = failing[node, point] - never, passing[node, point] - failing[node, point]
                            source, target = product[above, point], product[here, point]
                            for row in range(lanes):
                                target[row] = source[row] * (never + no * passed[row] + more * passes[row])
                # From here on a node holds the sum of what the leaves below it answer.
                for node in range(start, end):
                    product[node - start, :count] *= value[node] if is_leaf[node] else 0.0
                for node in range(end - 1, start, -1):
                    here, above, before, part = node - start, parent[node], earlier[node], parts[feature[node]]
                    passes = holds[here]
                    for point in range(count):
                        no, more = failing_part[tree, point], passing_part[node, point] - failing_part[tree, point]
                        source, target = product[here, point], product[above, point]
                        if before < 0:
                            for row in range(lanes):
                                target[row] += source[row]
                                part[row] += source[row] * (no + more * passes[row])
                        else:
                            # What the edge above said of these leaves is taken back: this one knows more.
                            passed = holds[before]
                            was = passing_part[start + before, point] - no
                            for row in range(lanes):
                                target[row] += source[row]
                                part[row] += source[row] * (more * passes[row] - was * passed[row])
            for row in range(width):
                for column in range(column_count):
                    found[first + row, column] = parts[column, row]

    return explain
