"""Several fitted models that answer together: the mean of their log-odds, and of the parts features have in them.

Which models belong together does not belong here (training), nor does calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fraud_platform.training.estimators import ALL_CORES, Estimator


@dataclass
class EnsembleEstimator:
    """The mean of the members in log-odds, where contributions add up; see `Estimator`."""

    members: Sequence[Estimator]
    threads: int = ALL_CORES

    algorithm = "ensemble"

    @property
    def round_count(self) -> int:
        """See `Estimator`."""
        return sum(member.round_count for member in self.members)

    def predict_probability(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        from scipy.special import expit

        return expit(self.predict_log_odds(features))

    def predict_log_odds(self, features: np.ndarray) -> np.ndarray:
        """See `Estimator`."""
        total = np.zeros(len(features))
        for member in self.members:
            member.threads = self.threads
            total += member.predict_log_odds(features)
        return total / len(self.members)

    def contributions(self, features: np.ndarray, row_total: int = 0) -> tuple[np.ndarray, float]:
        """See `Estimator`."""
        total, base = np.zeros(features.shape), 0.0
        for member in self.members:
            member.threads = self.threads
            parts, start = member.contributions(features, row_total)
            total += parts
            base += start
        return total / len(self.members), base / len(self.members)

    def to_files(self) -> dict[str, bytes]:
        """See `Estimator`; each member in a folder named by its place and algorithm."""
        return {
            f"{place}-{member.algorithm}/{name}": content
            for place, member in enumerate(self.members)
            for name, content in member.to_files().items()
        }
