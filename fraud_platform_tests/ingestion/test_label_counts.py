"""Counts of a day's labels, by hand."""

import numpy as np
import pandas as pd

from fraud_platform.ingestion.label_counts import count_labels

LABELS = pd.DataFrame(
    {
        "transaction_id": ["a", "b", "c", "d"],
        "Class": np.array([1, 0, 1, 0], dtype=np.int8),
        "source": ["label_file", "transaction_file", "transaction_file", "transaction_file"],
    }
)


def test_frauds_and_sources_are_counted():
    assert count_labels(LABELS) == {"frauds": 2, "by_source": {"label_file": 1, "transaction_file": 3}}


def test_a_day_without_labels_has_none_of_any_source():
    assert count_labels(LABELS[:0]) == {"frauds": 0, "by_source": {}}
