"""Divides rows into folds of equal class shares, twins together, so that no model is judged on a twin it was fitted on.

What is fitted and judged on the folds does not belong here.
"""

import numpy as np
from numpy.typing import NDArray

from fraud_platform.errors import DataError


def fold_of_rows(labels: NDArray[np.int8], groups: NDArray[np.int64], *, count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, [n], in [0, count): scikit-learn's stratified folds over groups instead of rows.

    Args:
        labels: [n], 1 = fraud; a group with a fraud counts as fraud.
        groups: [n], equal for rows that belong together.
        count: folds, >= 2.
        seed: of the shuffle.

    Raises:
        DataError: fewer frauds than folds.
    """
    from sklearn.model_selection import StratifiedKFold

    _, first_rows, group_of_row = np.unique(groups, return_index=True, return_inverse=True)
    # Groups in the order of their first row: without twins these are the folds over the rows themselves.
    order = np.argsort(first_rows, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    group_of_row = place[group_of_row]
    has_fraud = np.zeros(len(order), np.int8)
    np.maximum.at(has_fraud, group_of_row, (labels == 1).astype(np.int8))
    if has_fraud.sum() < count:
        raise DataError(
            f"{has_fraud.sum()} distinct frauds to train on, {count} are needed; wait for labels or widen the window"
        )
    fold = np.empty(len(order), np.int64)
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed % 2**32)
    for number, (_, members) in enumerate(splitter.split(np.empty((len(order), 0)), has_fraud)):
        fold[members] = number
    return fold[group_of_row]
