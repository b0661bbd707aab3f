"""The statistics simulated days are drawn from: what they are, and how their shipped file is read and written.

Drawing from them (`simulator`) and measuring them in real rows (`fitting`) do not belong here.
"""

import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

# One variable per row of a component's quantiles. The hour takes part in the correlations like any other, so that
# night-time patterns survive.
VARIABLES = (*(f"V{i}" for i in range(1, 29)), "Amount", "hour")

# Where on the standard normal axis each marginal quantile is known; between two of them it is a straight line.
NORMAL_SCORES = np.linspace(-4.0, 4.0, 33)

_FILE = "figures.npz"
_PAIRS = np.triu_indices(len(VARIABLES), k=1)


@dataclass(frozen=True)
class Component:
    """One cluster of transactions, as a Gaussian copula.

    Attributes:
        weight: share of its class, in (0, 1].
        quantiles: `[30, 33]`, each variable's value at `NORMAL_SCORES`, non-decreasing along a row. `Amount` in euro,
            `hour` in [0, 24).
        correlations: `[30, 30]`, between the variables' normal scores; positive definite.
    """

    weight: float
    quantiles: NDArray[np.float64]
    correlations: NDArray[np.float64]


@dataclass(frozen=True)
class Figures:
    """The two classes, each a mixture of components whose weights add up to one."""

    legitimate: tuple[Component, ...]
    fraudulent: tuple[Component, ...]

    def to_bytes(self) -> bytes:
        """The figures as a compressed NumPy archive.

        `V` quantiles and correlations are rounded to half precision (about three digits): more would be noise, and
        would come close to quoting the extreme rows.
        """
        components = (*self.legitimate, *self.fraudulent)
        quantiles = np.stack([component.quantiles for component in components])
        sink = io.BytesIO()
        np.savez_compressed(
            sink,
            fraud=np.repeat([False, True], [len(self.legitimate), len(self.fraudulent)]),
            weights=np.array([component.weight for component in components]),
            v_quantiles=quantiles[:, :28].astype(np.float16),
            # Half precision would turn 99.99 into 100.
            amount_and_hour_quantiles=quantiles[:, 28:].astype(np.float32),
            correlations=np.stack([component.correlations[_PAIRS] for component in components]).astype(np.float16),
        )
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Figures":
        """What `to_bytes` wrote; nothing in it is executed."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            quantiles = np.concatenate(
                [archive["v_quantiles"], archive["amount_and_hour_quantiles"]], axis=1, dtype=np.float64
            )
            components = [
                Component(float(weight), values, _correlation_matrix(pairs))
                for weight, values, pairs in zip(archive["weights"], quantiles, archive["correlations"], strict=True)
            ]
            is_fraud = archive["fraud"]
        return cls(
            legitimate=tuple(component for component, fraud in zip(components, is_fraud, strict=True) if not fraud),
            fraudulent=tuple(component for component, fraud in zip(components, is_fraud, strict=True) if fraud),
        )


@cache
def shipped_figures() -> Figures:
    """The figures that come with the package, measured in the public credit-card file.

    Source: ULB Machine Learning Group and Worldline, "Credit Card Fraud Detection", Database Contents License 1.0.
    """
    return Figures.from_bytes(files("fraud_platform.simulation").joinpath(_FILE).read_bytes())


def _correlation_matrix(pairs: NDArray[np.float16]) -> NDArray[np.float64]:
    matrix = np.eye(len(VARIABLES))
    matrix[_PAIRS] = pairs
    return np.maximum(matrix, matrix.T)
