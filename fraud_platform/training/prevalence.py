"""At which fraud rate figures are stated: how many transactions a legitimate row of a down-sampled file stands for.

Which rows are looked at does not belong here, nor what is computed of them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.errors import DataError


def legitimate_weight(labels: ArrayLike, production_fraud_rate: float | None) -> float:
    """What each legitimate row counts as, so that frauds, which count 1, make up `production_fraud_rate` of the whole.

    Files to learn from often hold every fraud and few of the legitimate transactions; precision, calibration and the
    threshold measured on them as they are would flatter.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        production_fraud_rate: share of frauds where the model is used, in (0, 1); None: that of the rows.

    Returns:
        frauds x (1 - rate) / (legitimate rows x rate), > 0; 1 without a stated rate.

    Raises:
        DataError: a rate is stated and a class is missing.
    """
    if production_fraud_rate is None:
        return 1.0
    is_fraud = np.asarray(labels) == 1
    frauds, legitimate = int(is_fraud.sum()), int((~is_fraud).sum())
    if not frauds or not legitimate:
        raise DataError(
            f"{frauds} frauds and {legitimate} legitimate rows cannot stand for a fraud rate of "
            f"{production_fraud_rate:g}; widen the training window or wait for labels"
        )
    return frauds * (1 - production_fraud_rate) / (legitimate * production_fraud_rate)


def row_weights(labels: ArrayLike, weight_of_legitimate: float) -> NDArray[np.float64] | None:
    """What each row counts as, float64 [n]; None where every row counts 1."""
    if weight_of_legitimate == 1.0:
        return None
    return np.where(np.asarray(labels) == 1, 1.0, weight_of_legitimate)
