"""Runs the platform's own jobs in this process, on the instance that `dagster dev` shows.

What to run and when belongs to the caller; nothing here reads data.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.history import cause_of_failure
from fraud_platform.defs.jobs import RANGE_END_TAG, RANGE_START_TAG
from fraud_platform.errors import PlatformError

# A person at a terminal sees a progress bar and one line per failure; the event log keeps the rest.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_day(
    definitions: dg.Definitions, instance: DagsterInstance, job: str, day: date, tags: Mapping[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """Runs `job` for one day.

    Raises:
        PlatformError: the run failed, and the message is the first cause; or the calendar does not hold the day.
    """
    try:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=day.isoformat(),
            tags=dict(tags or {}),
            run_config=QUIET,
            raise_on_error=False,
        )
    except dg.DagsterUnknownPartitionError:
        # The calendar ends where the machine's clock says that a day is not over yet.
        raise PlatformError(
            f"{job}: {day} is not in the calendar, from FRAUD_START_DATE to yesterday; is the machine's clock right?"
        ) from None
    return _checked(result, f"{job} of {day}")


def run_range(
    definitions: dg.Definitions, instance: DagsterInstance, assets: Sequence[str], first: date, last: date
) -> dg.ExecuteInProcessResult:
    """Materialises `assets` of the daily chain for `first`..`last` in one run.

    Raises:
        PlatformError: the run failed; the message is the first cause.
    """
    result = definitions.resolve_job_def("daily").execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        tags={RANGE_START_TAG: first.isoformat(), RANGE_END_TAG: last.isoformat()},
        run_config=QUIET,
        raise_on_error=False,
    )
    days = first.isoformat() if first == last else f"{first} to {last}"
    return _checked(result, f"{', '.join(assets)} of {days}")


def _checked(result: dg.ExecuteInProcessResult, what: str) -> dg.ExecuteInProcessResult:
    if not result.success:
        cause = cause_of_failure(result.all_events) or "a blocking check failed; open the run in the Dagster UI"
        raise PlatformError(f"{what} failed: {cause} (run {result.run_id})")
    return result
