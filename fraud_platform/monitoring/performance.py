"""How well the decisions did: realised once labels have arrived, estimated from the probabilities before.

Intervals and model comparison belong to `training.evaluation`; when too low is too low belongs to the sensors.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import isnan
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.errors import DataError
from fraud_platform.metrics import ConfusionCounts, average_precision, confusion_counts, ratio

PERFORMANCE_SCHEMA_VERSION = 1
UNKNOWN = -1


@dataclass(frozen=True)
class Performance:
    """Scores of a set of decisions, with the counts they rest on.

    Attributes:
        kind: `realised` (against labels) or `estimated` (from calibrated probabilities).
        status: `not_applicable` when the question has no answer yet; then `reason` says why.
        reason: one sentence, empty when `applicable`.
        prediction_count: scored transactions.
        labelled_count: those whose label is known; all of them when estimated.
        fraud_count: frauds among the labelled, expected frauds when estimated.
        alert_count: labelled transactions that were alerted.
        true_positives, false_positives, true_negatives, false_negatives: counts, expected counts when estimated.
        precision: share of alerts that are fraud; None without alerts.
        recall: share of frauds that were alerted; None without frauds.
        f1: harmonic mean of both; None with neither frauds nor alerts.
        average_precision: precision averaged over the recall each threshold gains; None without frauds.
    """

    kind: Literal["realised", "estimated"]
    status: Literal["applicable", "not_applicable"]
    reason: str
    prediction_count: int
    labelled_count: int
    fraud_count: float
    alert_count: int
    true_positives: float
    false_positives: float
    true_negatives: float
    false_negatives: float
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision: float | None

    @property
    def labelled_share(self) -> float:
        """Share of the scored transactions whose label is known, in [0, 1]; 0 without transactions.

        Labels that come back for alerts only make recall look better than it is: read the scores beside this share.
        """
        return self.labelled_count / self.prediction_count if self.prediction_count else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON: every number finite, None where a score has no value."""
        return {
            "schema_version": PERFORMANCE_SCHEMA_VERSION,
            **asdict(self),
            "labelled_share": self.labelled_share,
        }


def realised_performance(predictions: pd.DataFrame, labels: pd.DataFrame) -> Performance:
    """How the decisions compare with the labels that have arrived.

    Args:
        predictions: `transaction_id` (unique), `fraud_probability`, `prediction`; of one day or several.
        labels: `transaction_id`, `Class`; of repeated ids the last row counts, so append later days below. Labels of
            other transactions are not read.

    Returns:
        `not_applicable` while no label has arrived, or no fraud is among those that did: without frauds there is no
        recall, and precision alone would pass any limit.

    Raises:
        DataError: a transaction was predicted twice.
    """
    known = known_labels(predictions["transaction_id"], [labels.dropna(subset="Class")])
    return performance_on(known, predictions)


def performance_on(known: NDArray[np.int8], predictions: pd.DataFrame) -> Performance:
    """The same where each decision's label is at hand.

    Args:
        known: 1, 0 or `UNKNOWN`, [n].
        predictions: `fraud_probability`, `prediction`, [n].
    """
    is_known = known != UNKNOWN
    is_fraud, labelled_count = known[is_known], int(is_known.sum())
    decisions = predictions["prediction"].to_numpy()[is_known]
    reason = ""
    if not labelled_count:
        reason = f"no label has arrived yet for any of the {len(predictions)} scored transactions"
    elif not is_fraud.any():
        reason = f"none of the {labelled_count} labelled transactions is a fraud"
    return _performance(
        kind="realised",
        reason=reason,
        prediction_count=len(predictions),
        labelled_count=labelled_count,
        counts=confusion_counts(is_fraud, decisions),
        ranking=average_precision(is_fraud, predictions["fraud_probability"].to_numpy()[is_known]),
        alert_count=int(decisions.sum()),
    )


def known_labels(transaction_ids: "pd.Series[str]", tables: Iterable[pd.DataFrame]) -> NDArray[np.int8]:
    """The label of each transaction, int8 [n], `UNKNOWN` where none has arrived; a later row or table counts.

    Labels of other transactions are let go table by table: a month of them may be on its way.

    Args:
        transaction_ids: unique, [n].
        tables: `transaction_id`, `Class` (0 or 1), in the order they arrived.

    Raises:
        DataError: a transaction is there twice.
    """
    index = pd.Index(transaction_ids)
    if not index.is_unique:
        repeated = index[index.duplicated()][0]
        raise DataError(f"transaction {repeated} is in the predictions twice: pass each scored day once")
    known = np.full(len(index), UNKNOWN, np.int8)
    for table in tables:
        positions = index.get_indexer(pd.Index(table["transaction_id"]))
        is_ours = positions >= 0
        known[positions[is_ours]] = table["Class"].to_numpy(dtype=np.int8)[is_ours]
    return known


def estimated_performance(predictions: pd.DataFrame) -> Performance:
    """What the decisions should achieve if the probabilities are right, for days without labels.

    A transaction of probability p counts as p of a fraud: expected true positives are the sum of p over alerts, and so
    on; precision, recall and F1 are ratios of these expected counts. The estimated average precision takes, at each
    rank k, the fraud there with the precision it would see, `p_k * (1 + p_1 + ... + p_(k-1)) / k`, over the expected
    frauds. It is the confidence-based estimate of NannyML (CBPE). It trusts calibration: it sees a changed mix of
    transactions, never a changed meaning of them (concept drift).

    Args:
        predictions: `fraud_probability` in [0, 1], calibrated, and `prediction`; of one day or several.

    Returns:
        `not_applicable` without transactions or without any expected fraud.
    """
    probabilities = predictions["fraud_probability"].to_numpy(dtype=np.float64)
    is_alert = predictions["prediction"].to_numpy() == 1
    fraud, alerted = float(probabilities.sum()), float(probabilities[is_alert].sum())
    counts = ConfusionCounts(
        true_positives=alerted,
        false_positives=float(is_alert.sum()) - alerted,
        true_negatives=float((~is_alert).sum()) - (fraud - alerted),
        false_negatives=fraud - alerted,
    )
    return _performance(
        kind="estimated",
        reason="" if fraud > 0 else "no fraud is expected among the scored transactions",
        prediction_count=len(predictions),
        labelled_count=len(predictions),
        counts=counts,
        ranking=_expected_average_precision(probabilities),
        alert_count=int(is_alert.sum()),
    )


def _expected_average_precision(probabilities: NDArray[np.float64]) -> float:
    ranked = np.sort(probabilities)[::-1]
    before = np.cumsum(ranked) - ranked
    gained = float(np.sum(ranked * (1 + before) / np.arange(1, len(ranked) + 1)))
    return float(ratio(gained, ranked.sum()))


def _performance(
    *,
    kind: Literal["realised", "estimated"],
    reason: str,
    prediction_count: int,
    labelled_count: int,
    counts: ConfusionCounts,
    ranking: float,
    alert_count: int,
) -> Performance:
    right, false_alarms, missed = counts.true_positives, counts.false_positives, counts.false_negatives
    return Performance(
        kind=kind,
        status="not_applicable" if reason else "applicable",
        reason=reason,
        prediction_count=prediction_count,
        labelled_count=labelled_count,
        fraud_count=right + missed,
        alert_count=alert_count,
        true_positives=right,
        false_positives=false_alarms,
        true_negatives=counts.true_negatives,
        false_negatives=missed,
        precision=_or_none(ratio(right, right + false_alarms)),
        recall=_or_none(ratio(right, right + missed)),
        f1=_or_none(ratio(2 * right, 2 * right + false_alarms + missed)),
        average_precision=_or_none(ranking),
    )


def _or_none(value: NDArray[np.float64] | float) -> float | None:
    number = float(value)
    return None if isnan(number) else number
