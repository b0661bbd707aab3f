"""How far probabilities can be taken at their word: what was said against what came true, in bins of probability.

Making probabilities reliable belongs to `calibration`; whether they are reliable enough, to the registry.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.metrics import ratio

Floats = NDArray[np.float64]

BIN_COUNT = 10


@dataclass(frozen=True)
class Reliability:
    """What was said and what came true in each of `BIN_COUNT` bins of equal width, lowest probabilities first.

    Attributes:
        transactions: how many the rows of each bin stand for, [bins].
        frauds: frauds among them, [bins].
        probability_sums: frauds there should have been, by what was said, [bins].
    """

    transactions: Floats
    frauds: Floats
    probability_sums: Floats

    @property
    def mean_probabilities(self) -> Floats:
        """What was said, on average, [bins]; nan in an empty bin."""
        return ratio(self.probability_sums, self.transactions)

    @property
    def fraud_shares(self) -> Floats:
        """What came true, [bins]; nan in an empty bin."""
        return ratio(self.frauds, self.transactions)

    @property
    def expected_calibration_error(self) -> float:
        """See the function of that name."""
        return float(ratio(np.abs(self.frauds - self.probability_sums).sum(), self.transactions.sum()))


def reliability(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> Reliability:
    """Rows gathered into bins of probability.

    Args:
        labels: 1 = fraud, 0 = legitimate, [n].
        probabilities: in [0, 1], [n].
        weights: how many transactions each row stands for, >= 0, [n]; 1 each when None.
    """
    chances = np.asarray(probabilities, np.float64)
    mass = np.ones(chances.size) if weights is None else np.asarray(weights, np.float64)
    bins = bin_of(chances)
    transactions, frauds, sums = (
        np.bincount(bins, weights=column, minlength=BIN_COUNT).astype(np.float64)
        for column in (mass, mass * (np.asarray(labels) == 1), mass * chances)
    )
    return Reliability(transactions, frauds, sums)


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean distance, over transactions, between what was said and what came true in their bin, in [0, 1]; 0 is best.

    ECE = sum_b m_b |fraud share_b - mean probability_b| / sum_b m_b; nan without rows. Held against the fraud rate it
    means something: a model that always answers 0 has an error of exactly the fraud rate, however small that is.

    Source: Naeini, Cooper and Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning".
    """
    return reliability(labels, probabilities, weights).expected_calibration_error


def bin_of(probabilities: Floats) -> NDArray[np.int64]:
    """The bin of each probability, [n]; 1 belongs to the last."""
    return np.minimum(probabilities * BIN_COUNT, BIN_COUNT - 1).astype(np.int64)
