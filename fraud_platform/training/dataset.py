"""Features and labels of one split, side by side, as the matrices that training reads.

Which transaction belongs to which split does not belong here (splitting), and neither does how features are computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from fraud_platform.errors import DataError
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN
from fraud_platform.training.prevalence import legitimate_weight, row_weights
from fraud_platform.training.splitting import WEIGHT_COLUMN


@dataclass(frozen=True)
class LabelledRows:
    """Labelled transactions, ordered by day, then `transaction_id`.

    Attributes:
        features: float32 [n, k], columns in the order of `FEATURE_NAMES`.
        labels: int8 [n], 1 = fraud.
        amounts: float64 [n], what each transaction moved, at the precision of the feature.
        transaction_ids: str objects [n].
        days: datetime64[D] [n], the UTC day of each transaction.
        twin_groups: int64 [n], equal for near-twins.
        legitimate_weight: how many transactions each legitimate row stands for; a fraud stands for itself.
        label_weights: how much each row's label counts when a model is fitted, float64 [n]; None where all count 1.
            Figures never read it: what is measured is measured on every label alike.
    """

    features: np.ndarray
    labels: np.ndarray
    amounts: np.ndarray
    transaction_ids: np.ndarray
    days: np.ndarray
    twin_groups: np.ndarray
    legitimate_weight: float = 1.0
    label_weights: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray | None:
        """What each row counts as, float64 [n]; None where every row counts 1."""
        return row_weights(self.labels, self.legitimate_weight)

    @property
    def row_count(self) -> int:
        """Transactions."""
        return len(self.labels)

    @property
    def fraud_count(self) -> int:
        """Frauds among them."""
        return int(np.count_nonzero(self.labels == 1))

    def take(self, positions: np.ndarray) -> "LabelledRows":
        """The rows at `positions`, in that order."""
        return LabelledRows(
            self.features[positions],
            self.labels[positions],
            self.amounts[positions],
            self.transaction_ids[positions],
            self.days[positions],
            self.twin_groups[positions],
            self.legitimate_weight,
            None if self.label_weights is None else self.label_weights[positions],
        )

    def beside(self, other: "LabelledRows") -> "LabelledRows":
        """These rows, then those of `other`, which were weighted alike."""
        return LabelledRows(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.amounts, other.amounts]),
            np.concatenate([self.transaction_ids, other.transaction_ids]),
            np.concatenate([self.days, other.days]),
            np.concatenate([self.twin_groups, other.twin_groups]),
            self.legitimate_weight,
            _joined_label_weights(self, other),
        )


def feature_matrix(table: pd.DataFrame, names: Sequence[str] = FEATURE_NAMES) -> np.ndarray:
    """The columns `names` of `table`, in that order, as one row-major float32 matrix [n, k].

    Raises:
        DataError: the table lacks one of them.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError(f"feature table lacks {', '.join(missing)}; materialise features again")
    # Column by column: one copy, where selecting the columns first would make two.
    matrix = np.empty((len(table), len(names)), np.float32)
    for position, name in enumerate(names):
        matrix[:, position] = table[name].to_numpy()
    return matrix


def assemble(
    features_by_day: Mapping[date, pd.DataFrame],
    splits: pd.DataFrame,
    split: str,
    *,
    production_fraud_rate: float | None = None,
) -> LabelledRows:
    """The rows of `splits` that belong to `split`, with their features.

    Args:
        features_by_day: feature table of each day; days that `split` does not name are not looked at.
        splits: as `split_transactions` gives them.
        split: "train", "validation" or "test".
        production_fraud_rate: what the rows are weighted to, by the classes of all splits together; None: as they are.

    Raises:
        DataError: the split is empty, or names a day or transaction that has no features.
    """
    wanted = splits[splits["split"] == split]
    if wanted.empty:
        raise DataError(f"split {split!r} is empty; materialise splits again over a longer training window")
    wanted = wanted.sort_values(["day", ID_COLUMN])
    days = wanted["day"].to_numpy(dtype="datetime64[D]")
    ids = wanted[ID_COLUMN].to_numpy(dtype=object)
    labels = wanted[LABEL_COLUMN].to_numpy(dtype=np.int8)
    matrix = np.empty((len(ids), len(FEATURE_NAMES)), np.float32)
    distinct, starts = np.unique(days, return_index=True)
    for day, start, end in zip(distinct, starts, [*starts[1:], len(days)], strict=True):
        matrix[start:end] = _features_of(features_by_day, day.astype(date), ids[start:end], split)
    amounts = matrix[:, FEATURE_NAMES.index("Amount")].astype(np.float64)
    weight = legitimate_weight(splits[LABEL_COLUMN], production_fraud_rate)
    groups = wanted["twin_group"].to_numpy(np.int64)
    return LabelledRows(matrix, labels, amounts, ids, days, groups, weight, _label_weights(wanted))


def _label_weights(splits: pd.DataFrame) -> np.ndarray | None:
    # Splits that were stored before labels had weights lack the column.
    if WEIGHT_COLUMN not in splits or (splits[WEIGHT_COLUMN] == 1).all():
        return None
    return splits[WEIGHT_COLUMN].to_numpy(np.float64)


def _joined_label_weights(first: LabelledRows, second: LabelledRows) -> np.ndarray | None:
    if first.label_weights is None and second.label_weights is None:
        return None
    parts = [np.ones(rows.row_count) if rows.label_weights is None else rows.label_weights for rows in (first, second)]
    return np.concatenate(parts)


def _features_of(features_by_day: Mapping[date, pd.DataFrame], day: date, ids: np.ndarray, split: str) -> np.ndarray:
    table = features_by_day.get(day)
    if table is None:
        raise DataError(f"split {split!r} names transactions of {day}, which has no features; materialise that day")
    rows = pd.Index(table[ID_COLUMN]).get_indexer(pd.Index(ids))
    absent = np.flatnonzero(rows < 0)
    if len(absent):
        raise DataError(
            f"{len(absent)} of {len(ids)} transactions of split {split!r} on {day} have no features, first "
            f"{ids[absent[0]]}; materialise features of that day, then splits, again"
        )
    return feature_matrix(table)[rows]
