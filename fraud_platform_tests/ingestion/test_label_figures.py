"""Counts of a day's labels, by hand."""

from datetime import date

import numpy as np
import pandas as pd

from fraud_platform.ingestion.label_figures import label_figures
from fraud_platform.ingestion.labels import CONFLICTING, UNKNOWN_TRANSACTION, DayLabels

LABELS = pd.DataFrame(
    {
        "transaction_id": ["a", "b", "c", "d"],
        "Class": np.array([1, 0, 1, 0], dtype=np.int8),
        "source": ["label_file", "transaction_file", "transaction_file", "transaction_file"],
    }
)
QUARANTINE = pd.DataFrame({"reason": [UNKNOWN_TRANSACTION, CONFLICTING, CONFLICTING]})


def test_labels_are_counted_by_class_source_and_day_and_those_refused_by_reason():
    assert label_figures(DayLabels(LABELS, QUARANTINE, {date(2026, 1, 2): 3, date(2025, 12, 30): 1}, 5)) == {
        "frauds": 2,
        "by_source": {"transaction_file": 3, "label_file": 1},
        "by_transaction_day": {"2026-01-02": 3, "2025-12-30": 1},
        "quarantined": 3,
        "quarantined_by_reason": {CONFLICTING: 2, UNKNOWN_TRANSACTION: 1},
        "labels_without_transaction": 1,
        "days_searched": 5,
    }


def test_a_day_without_labels_has_none_of_any_kind():
    figures = label_figures(DayLabels(LABELS[:0], QUARANTINE[:0], {}, 0))
    assert (figures["frauds"], figures["by_source"], figures["quarantined_by_reason"]) == (0, {}, {})
