"""Near-twins: transactions so alike that one on either side of a split would let a model be judged by heart.

Which side they then go to belongs to `splitting`.
"""

import numpy as np
from numpy.typing import NDArray

# In units of the components V1..V28, whose standard deviations lie between 0.3 and 2. The public file repeats
# transactions with components that differ in the third decimal; unrelated ones lie more than 1 apart.
TWIN_DISTANCE = 0.1
# Neighbours are looked for in the widest components first: a tree over all 28 would look at nearly every pair.
_INDEXED_COMPONENTS = 5


def twin_groups(components: NDArray[np.float32], *, distance: float = TWIN_DISTANCE) -> NDArray[np.int64]:
    """The position of each row's first twin, [n]; its own where it has none before it.

    Two rows are twins when their Euclidean distance is at most `distance`; twins of twins belong together.

    Args:
        components: one row per transaction, [n, k], the widest components first.
        distance: in units of the components, > 0.

    Source: Bentley (1975), "Multidimensional binary search trees used for associative searching".
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    if not len(components):
        return np.empty(0, np.int64)
    # Equal rows are one point: among thousands of them every pair would be listed.
    rows = np.ascontiguousarray(components, np.float32)
    as_bytes = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first_of_point, point = np.unique(as_bytes, return_index=True, return_inverse=True)
    points = rows[first_of_point].astype(np.float64)
    leading = np.ascontiguousarray(points[:, :_INDEXED_COMPONENTS])
    near = KDTree(leading, balanced_tree=False, compact_nodes=False).query_pairs(distance, output_type="ndarray")
    apart = points[near[:, 0]] - points[near[:, 1]]
    pairs = near[np.einsum("ij,ij->i", apart, apart) <= distance**2]
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    group = connected_components(links, directed=False)[1][point]
    _, first = np.unique(group, return_index=True)
    return first[group].astype(np.int64)
