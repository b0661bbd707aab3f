"""Which of a demo's days are history and which are lived one by one.

Importing this loads no graph: the calendar of days is fixed when the graph is imported, and a demo chooses it before.
"""

from datetime import date, timedelta
from math import ceil

from fraud_platform.errors import PlatformError

# The first model learns from this share of the days; the rest it has never seen.
HISTORY_SHARE = 0.7


def first_training_day(days: list[date], drift_from: date | None) -> date:
    """The as-of day of the first model: after `HISTORY_SHARE` of the days, but before any drift begins.

    Raises:
        PlatformError: drift begins before there are two undrifted days to learn from.
    """
    position = min(ceil(len(days) * HISTORY_SHARE), max(len(days) - 1, 1))
    if drift_from is not None:
        undrifted = sum(day < drift_from for day in days)
        if undrifted < 2:  # noqa: PLR2004 - stratified splits of a single day would hold almost no fraud
            raise PlatformError(
                f"--drift-from {drift_from}: the first model needs two days without drift; "
                f"choose a day from {days[0] + timedelta(days=2)} on"
            )
        position = min(position, undrifted)
    return days[position - 1]
