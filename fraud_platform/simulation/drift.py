"""Drift on purpose: what a day looks like after prices, behaviour and the fraudsters have changed.

Noticing drift does not belong here; that is monitoring's.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class DriftInjection:
    """How days from `start` on differ from the days before.

    The defaults are strong: when two of the last seven days have drifted, the population stability index of each
    shifted column over the seven days is about 0.36. They are also fair: fraud is still told apart
    from the rest, in other places, so that a model retrained on those seven days is good on drifted rows (average
    precision about 0.8) where the old model is not (about 0.5).

    Chosen frauds change first, then all rows: rotation, shift, amounts.

    Attributes:
        start: first drifted day.
        amount_factor: every `Amount` is multiplied by this; above 0.
        shifted_columns: columns that move as a whole.
        shift_deviations: how far they move, in standard deviations of the day's own values; sign is direction.
        rotated_pairs: pairs of columns whose plane turns about its origin.
        rotation_degrees: by how much.
        new_fraud_share: share of the day's frauds that follow a new pattern, in [0, 1].
        new_fraud_columns: pairs of columns exchanged, each in units of its own standard deviation among the day's
            legitimate rows, in frauds of the new pattern: they stand out where frauds did not stand out before, and
            look ordinary where they did.
    """

    start: date
    amount_factor: float = 2.0
    shifted_columns: tuple[str, ...] = ("V13", "V15", "V19", "V22", "V24", "V25")
    shift_deviations: float = 2.75
    rotated_pairs: tuple[tuple[str, str], ...] = (("V4", "V14"), ("V10", "V12"))
    rotation_degrees: float = 90.0
    new_fraud_share: float = 0.5
    new_fraud_columns: tuple[tuple[str, str], ...] = (("V14", "V20"), ("V12", "V23"), ("V17", "V26"), ("V4", "V18"))

    def __post_init__(self) -> None:
        """Raises ValueError where a figure is out of its range."""
        if self.amount_factor <= 0 or not 0 <= self.new_fraud_share <= 1:
            raise ValueError(f"cannot inject {self.amount_factor=} {self.new_fraud_share=}")

    def apply(self, day: date, table: pd.DataFrame, seed: int) -> pd.DataFrame:
        """`table` as it would have looked had it drifted, or `table` itself before `start`.

        Args:
            day: the day the rows belong to.
            table: landing format with `Class`; not modified.
            seed: which frauds follow the new pattern depends on this and the day.
        """
        if day < self.start:
            return table
        generator = np.random.default_rng([seed, day.toordinal(), 1])
        drifted = table.copy()
        self._invent_fraud(drifted, generator)
        self._rotate(drifted)
        for name in self.shifted_columns:
            drifted[name] += self.shift_deviations * table[name].std(ddof=0)
        drifted["Amount"] = (drifted["Amount"] * self.amount_factor).round(2)
        return drifted

    def _invent_fraud(self, table: pd.DataFrame, generator: np.random.Generator) -> None:
        is_fraud = table["Class"].to_numpy() == 1
        frauds = np.flatnonzero(is_fraud)
        chosen = generator.permutation(frauds)[: round(len(frauds) * self.new_fraud_share)]
        if len(chosen) == 0 or np.count_nonzero(~is_fraud) <= 1:
            return  # no fraud, or nothing ordinary to hide among
        for known, new in self.new_fraud_columns:
            known_values, new_values = table[known].to_numpy(copy=True), table[new].to_numpy(copy=True)
            ratio = np.nanstd(known_values[~is_fraud]) / np.nanstd(new_values[~is_fraud])
            known_values[chosen], new_values[chosen] = new_values[chosen] * ratio, known_values[chosen] / ratio
            table[known], table[new] = known_values, new_values

    def _rotate(self, table: pd.DataFrame) -> None:
        angle = np.radians(self.rotation_degrees)
        for first, second in self.rotated_pairs:
            x, y = table[first].to_numpy(), table[second].to_numpy()
            table[first], table[second] = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
