"""What the day's page shows of the labels that arrived: how many, of which class, from where and about which days.

Which labels those are does not belong here (`labels`).
"""

from typing import Any

from fraud_platform.ingestion.labels import UNKNOWN_TRANSACTION, DayLabels
from fraud_platform.ingestion.schema import LABEL_COLUMN, SOURCE_COLUMN


def label_figures(arrived: DayLabels) -> dict[str, Any]:
    """Counts of the labels that arrived on a day and of those that decide nothing."""
    by_source = arrived.labels[SOURCE_COLUMN].value_counts()
    refused = arrived.quarantined_by_reason
    return {
        "frauds": int((arrived.labels[LABEL_COLUMN] == 1).sum()),
        "by_source": {str(source): int(count) for source, count in by_source.items()},
        "by_transaction_day": {day.isoformat(): count for day, count in arrived.count_by_transaction_day.items()},
        "quarantined": len(arrived.quarantine),
        "quarantined_by_reason": refused,
        "labels_without_transaction": refused.get(UNKNOWN_TRANSACTION, 0),
        "days_searched": arrived.searched_day_count,
    }
