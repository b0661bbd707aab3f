"""The calendar every asset shares: one partition a day, UTC, from `FRAUD_START_DATE` to yesterday.

How an asset looks back over several days belongs to the asset; only the calendar is here.
"""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from fraud_platform.defs.previews import accepted_previews
from fraud_platform.settings import load_settings

# The calendar and the look-back windows are part of the graph, so they are fixed when the code location is loaded.
SETTINGS = load_settings()
DAYS = dg.DailyPartitionsDefinition(start_date=SETTINGS.start_date.isoformat(), timezone="UTC")


def around(*, days_back: int, days_ahead: int) -> dg.TimeWindowPartitionMapping:
    """The days from `days_back` before a partition to `days_ahead` after it, as far as the calendar reaches."""
    with accepted_previews():
        return dg.TimeWindowPartitionMapping(
            start_offset=-days_back, end_offset=days_ahead, allow_nonexistent_upstream_partitions=True
        )


def latest_day(at: datetime | None = None) -> date | None:
    """The last day of the calendar that was complete `at` a moment, by default now; None while there is none."""
    day = (at or datetime.now(UTC)).astimezone(UTC).date() - timedelta(days=1)
    return day if day >= SETTINGS.start_date else None
