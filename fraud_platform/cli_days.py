"""The days that command-line arguments name: checked, and in words that say what to write instead.

What is done with the days belongs to the commands.
"""

import os
from datetime import UTC, date, datetime, timedelta

import typer

from fraud_platform.errors import PlatformError

# Card numbers are younger than this, and a calendar of centuries takes its time.
FIRST_YEAR, LAST_YEAR = 2000, 2100


def calendar_of(days: int, start: str | None) -> list[date]:
    """The days that a command makes; they end yesterday unless `start` says otherwise."""
    first = parse_day(start) if start else datetime.now(UTC).date() - timedelta(days=days)
    if not FIRST_YEAR <= first.year < LAST_YEAR:
        raise typer.BadParameter(f"--start {first} is outside {FIRST_YEAR} to {LAST_YEAR}")
    return [first + timedelta(days=position) for position in range(days)]


def require_calendar(calendar: list[date]) -> None:
    """Refuses days that the graph's calendar would not have, before anything is landed."""
    if calendar[-1] >= datetime.now(UTC).date():
        raise typer.BadParameter(f"the last day, {calendar[-1]}, is not over yet; choose an earlier --start")
    chosen = os.environ.get("FRAUD_START_DATE")
    if chosen and parse_day(chosen) > calendar[0]:
        raise PlatformError(f"FRAUD_START_DATE={chosen} is after the first day, {calendar[0]}; unset it or use --start")


def drift_day_of(text: str | None, calendar: list[date]) -> date | None:
    """The day that `--drift-from` names, by its date or by its number from 1; None without one."""
    if text is None:
        return None
    if text.isdecimal():
        day = calendar[int(text) - 1] if 1 <= int(text) <= len(calendar) else None
    else:
        day = parse_day(text)
    if day not in calendar:
        raise typer.BadParameter(f"{text} is outside {calendar[0]} to {calendar[-1]} (1 to {len(calendar)})")
    return day


def parse_day(text: str) -> date:
    """The day written as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day; write YYYY-MM-DD") from None
