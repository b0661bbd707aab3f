"""How many labels arrived on a day, of which class and from where.

Which labels those are does not belong here (`labels`).
"""

from typing import Any

import pandas as pd

from fraud_platform.ingestion.schema import LABEL_COLUMN, SOURCE_COLUMN


def count_labels(labels: pd.DataFrame) -> dict[str, Any]:
    """The frauds among `labels` (`confirmed_labels_schema`), and how many labels each source brought."""
    by_source = labels[SOURCE_COLUMN].value_counts()
    return {
        "frauds": int((labels[LABEL_COLUMN] == 1).sum()),
        "by_source": {str(source): int(count) for source, count in by_source.items()},
    }
