"""Turns a function about one day into a Dagster asset that does one day or a range of days in one run.

The function sees a day, its inputs and its resources, never a context; each day is computed, stored and described
before the next is begun, so a range needs no more memory than a day.
"""

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from fraud_platform.defs.events import completion
from fraud_platform.defs.memory import give_back_memory, keep_memory_low
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.previews import accepted_previews
from fraud_platform.defs.remedies import remedy_for
from fraud_platform.errors import MissingDataError, PlatformError, RegistryUnavailableError
from fraud_platform.governance.redaction import without_card_numbers
from fraud_platform.storage import is_storage_failure

OWNERS = ["team:fraud-platform"]

# Pauses of 2, 4, 8, 16 and 32 seconds: a minute in all, in which a server that was killed or upgraded is back. The
# jitter keeps parallel runs from knocking at the same moment.
RETRIES = dg.RetryPolicy(max_retries=5, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

ONE_RUN_PER_RANGE = dg.BackfillPolicy.single_run()
# A model of a past day must see that day's champion, so days are released one after the other.
ONE_RUN_PER_DAY = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)

# What a failure in the event log tells of itself beside its sentence: the class of the error, and the days it is about.
CAUSE, FAILED_DAYS = "cause", "failed_days"


def may_pass(error: Exception) -> bool:
    """Whether the same call may succeed a little later: storage or registry out of reach, not something missing."""
    if isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | IsADirectoryError):
        return False
    return isinstance(error, RegistryUnavailableError) or is_storage_failure(error)


@contextmanager
def retried_only_where_time_helps(*days: date) -> Iterator[None]:
    """Lets errors of storage and registry reach the retry policy; any other ends the run at once, in one line.

    The line begins with the first of `days`, and the last where there are several.

    Raises:
        dg.Failure: bad data, a bad model or a mistake in the code, which no further try can mend.
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as raised:
        # The event log is kept for ever, and the causes of an error go there with it.
        error = without_card_numbers(raised)
        remedy = remedy_for(raised)
        if may_pass(raised):
            if remedy:
                raise ConnectionError(f"{error}; {remedy}") from (raised if error is raised else None)
            if error is raised:
                raise
            raise error from None
        what = str(error) if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"
        what = f"{what}; {remedy}" if remedy else what
        when = " to ".join(dict.fromkeys((days[0].isoformat(), days[-1].isoformat())))
        about: dict[str, Any] = {CAUSE: type(raised).__name__, FAILED_DAYS: [day.isoformat() for day in days]}
        raise dg.Failure(description=f"{when}: {what}", metadata=about, allow_retries=False) from error


def _day_by_day(
    context: dg.AssetExecutionContext, asset: str, one_day: Callable[[date], dg.Output]
) -> Iterator[tuple[date, Any]]:
    """Each day of the run and what is to be stored for it; a day that cannot be mended does not stop the others.

    Raises:
        dg.Failure: after the last day, when a day failed.
    """
    keep_memory_low()
    described: dict[str, Mapping[str, Any]] = {}
    failures: list[dg.Failure] = []
    for key in context.partition_keys:
        day, began = date.fromisoformat(key), time.monotonic()
        try:
            output = one_day(day)
        except dg.Failure as failure:
            failures.append(failure)
            continue
        described[key] = output.metadata
        yield day, output.value
        # It is stored now.
        message, event = completion(asset, day, output.metadata, seconds=time.monotonic() - began)
        context.log.info(message, extra=event)
        del output
        give_back_memory()
    if failures:
        # The step counts as failed as a whole; what it has stored is recorded all the same.
        for key, metadata in described.items():
            context.log_event(dg.AssetMaterialization(asset, metadata=metadata, partition=key))
        raise _joined(failures)
    for key, metadata in described.items():
        context.add_asset_metadata(dict(metadata), partition_key=key)


def _joined(failures: Sequence[dg.Failure]) -> dg.Failure:
    """One failure that tells of all: the first in full, the others by their day."""
    first, *others = [failure.description or "" for failure in failures]
    also = f" (and {len(others)} more days: {', '.join(other.split(':')[0] for other in others)})" if others else ""
    about: dict[str, Any] = {
        **failures[0].metadata,
        FAILED_DAYS: [day for each in failures for day in failed_days(each.metadata)],
    }
    return dg.Failure(description=f"{first}{also}", metadata=about, allow_retries=False)


def failed_days(metadata: Mapping[str, Any]) -> list[str]:
    """The days a failure is about, as its metadata tells; none where an asset has raised it itself."""
    return list(metadata[FAILED_DAYS].value) if FAILED_DAYS in metadata else []


class DayMap(Mapping[date, Any]):
    """Days to what is stored for them, read only when asked for."""

    def __init__(self, days: Sequence[date], load: Callable[[date], Any]):
        self._days = dict.fromkeys(days)
        self._load = load

    def __getitem__(self, day: date) -> Any:
        if day not in self._days:
            raise KeyError(day)
        return self._load(day)

    def __iter__(self) -> Iterator[date]:
        return iter(self._days)

    def __len__(self) -> int:
        return len(self._days)

    def between(self, first: date, last: date) -> "DayMap":
        """The same, restricted to `first`..`last`, both included."""
        return DayMap([day for day in self._days if first <= day <= last], self._load)

    def only(self, days: Iterable[date]) -> "DayMap":
        """The same, restricted to `days`."""
        wanted = set(days)
        return DayMap([day for day in self._days if day in wanted], self._load)


@dataclass(frozen=True)
class Input:
    """How an asset reads another: which days around its own, through which IO manager, which columns.

    Without an offset the function receives that day's value; with one, a `DayMap` of the days that are stored, its own
    among them unless `is_own_day_required` says otherwise.
    """

    days_back: int = 0
    days_ahead: int = 0
    io_manager: str | None = None
    columns: tuple[str, ...] | None = None
    is_own_day_required: bool = True

    @property
    def is_window(self) -> bool:
        """Whether the input spans more than the asset's own day."""
        return self.days_back > 0 or self.days_ahead > 0

    def as_asset_in(self) -> dg.AssetIn:
        """The same in Dagster's words: a dependency on the own day, which the IO manager widens when it reads.

        A partition mapping over the window would make a backfill of some days run this asset for all the days after
        them that look back on them, asked for or not.
        """
        return dg.AssetIn(
            dagster_type=dg.Any,
            input_manager_key=self.io_manager,
            metadata={
                "days_back": self.days_back,
                "days_ahead": self.days_ahead,
                **({"columns": list(self.columns)} if self.columns else {}),
            },
        )

    def of_day(self, asset: str, value: DayMap, day: date) -> Any:
        """What the function receives for `day`.

        Raises:
            MissingDataError: of a window, `day` itself is not stored.
        """
        if not self.is_window:
            return value[day]
        if self.is_own_day_required and day not in value:
            raise MissingDataError(f"{asset} of {day} is not stored; materialise {asset} for that day first")
        first, last = day.toordinal() - self.days_back, day.toordinal() + self.days_ahead
        return value.between(date.fromordinal(max(first, 1)), date.fromordinal(last))


def daily_asset(
    *,
    inputs: Mapping[str, Input] | None = None,
    resources: Sequence[str] = ("platform",),
    backfill_policy: dg.BackfillPolicy = ONE_RUN_PER_RANGE,
    **asset_arguments: Any,
) -> Callable[[Callable[..., dg.Output]], dg.AssetsDefinition]:
    """Decorates `function(day, <inputs>, <resources>) -> dg.Output` of one day; parameters are matched by name.

    A parameter that is neither `day`, an input nor a resource is refused at import. The `Output`'s metadata is recorded
    on that day's materialisation.
    """
    reads = dict(inputs or {})

    def decorate(function: Callable[..., dg.Output]) -> dg.AssetsDefinition:
        known = {"day", "context", *reads, *resources}
        wanted = tuple(inspect.signature(function).parameters)
        if unknown := set(wanted) - known:
            raise TypeError(f"{function.__name__} asks for {sorted(unknown)}, which are no inputs or resources of it")

        def compute(context: dg.AssetExecutionContext, **loaded: DayMap) -> dg.Output:
            def one_day(day: date) -> dg.Output:
                available = {name: getattr(context.resources, name) for name in resources if name in wanted}
                with retried_only_where_time_helps(day):
                    values = {name: reads[name].of_day(name, value, day) for name, value in loaded.items()}
                    arguments = {"day": day, "context": context, **available, **values}
                    return function(**{name: arguments[name] for name in wanted})

            return dg.Output(_day_by_day(context, function.__name__, one_day))

        with accepted_previews():
            return dg.asset(
                name=function.__name__,
                description=inspect.getdoc(function),
                partitions_def=DAYS,
                ins={name: read.as_asset_in() for name, read in reads.items()},
                required_resource_keys=set(resources),
                backfill_policy=backfill_policy,
                retry_policy=RETRIES,
                owners=OWNERS,
                **asset_arguments,
            )(compute)

    return decorate
