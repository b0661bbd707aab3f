"""Fewer legitimate rows, weighted so that they still stand for all: frauds are rare, and every one of them is kept.

Which rows train and which judge does not belong here (splitting).
"""

import numpy as np


def subsample_legitimate(
    labels: np.ndarray, limit: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Positions of all frauds and of at most `limit` random legitimate rows, ascending, and what each row counts as.

    Args:
        labels: [n], 1 = fraud.
        limit: legitimate rows to keep.
        generator: drawn from only when rows must go.

    Returns:
        Positions [m] and weights [m]: 1 for a fraud, (legitimate rows / kept ones) for the others, so that weighted
        sums estimate those over all rows. None for the weights when every row is kept.
    """
    legitimate = np.flatnonzero(labels != 1)
    if len(legitimate) <= limit:
        return np.arange(len(labels)), None
    kept = generator.choice(legitimate, limit, replace=False)
    positions = np.sort(np.concatenate([kept, np.flatnonzero(labels == 1)]))
    return positions, np.where(labels[positions] == 1, 1.0, len(legitimate) / limit)
