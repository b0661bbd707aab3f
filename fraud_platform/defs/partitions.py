"""The calendar every asset shares: one partition a day, UTC, from `FRAUD_START_DATE` to yesterday.

How an asset looks back over several days belongs to `daily_asset`. The calendar rests on the settings, so here is where
each process of the graph reads them first; its logs are set up just before, so that a wrong setting is one line there.
"""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

from fraud_platform.logs import set_up_logs
from fraud_platform.settings import load_settings, reporting_settings

# Before anything of this process can write a log: code location and runs all load the calendar.
set_up_logs(reporting_settings())
# The calendar and the look-back windows are part of the graph, so they are fixed when the code location is loaded.
SETTINGS = load_settings()
DAYS = dg.DailyPartitionsDefinition(start_date=SETTINGS.start_date.isoformat(), timezone="UTC")
# A label of an older transaction could neither train a model nor change a report.
LABEL_SEARCH_DAYS = max(SETTINGS.training_window_days, SETTINGS.label_horizon_days)
# A shadow's report looks back to its first day.
SHADOW_DAYS_BACK = max(SETTINGS.shadow_days, SETTINGS.max_shadow_days)


def latest_day(at: datetime | None = None) -> date | None:
    """The last day of the calendar that was complete `at` a moment, by default now; None while there is none."""
    day = (at or datetime.now(UTC)).astimezone(UTC).date() - timedelta(days=1)
    return day if day >= SETTINGS.start_date else None
