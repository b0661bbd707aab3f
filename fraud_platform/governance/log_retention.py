"""Logs grow old: from where they were written (hot) into compressed cold storage, and from there into nothing.

Which logs there are does not belong here, nor how long assets are kept (`retention`).

    <cold>/<YYYY-MM-DD of the last line>/<path of the log>.gz
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from upath import UPath

from fraud_platform.storage import is_remote, write_atomically


@dataclass(frozen=True)
class HotLog:
    """A log that nobody writes to any more: its place below the folder of logs, and the day of its last line."""

    folder: Path
    name: str
    day: date


def old_logs(hot: Path, *, today: date, hot_days: int) -> Iterator[HotLog]:
    """Every log below `hot` whose last line is more than `hot_days` days past."""
    first_hot = today - timedelta(days=hot_days)
    for path in sorted(hot.rglob("*")):
        if path.is_file():
            day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
            if day < first_hot:
                yield HotLog(hot, path.relative_to(hot).as_posix(), day)


def archive(log: HotLog, cold: UPath) -> UPath:
    """Moves one log into cold storage; returns where. It is in one of the two places, or in both, at any moment."""
    path, target = log.folder / log.name, cold / log.day.isoformat() / f"{log.name}.gz"
    # Without a time stamp: the same log gives the same bytes, should it be archived again after a crash.
    write_atomically(target, gzip.compress(path.read_bytes(), mtime=0))
    path.unlink()
    return target


def expired_archives(cold: UPath, *, today: date, cold_days: int) -> Iterator[UPath]:
    """The folders of cold storage whose logs are more than `cold_days` days past, oldest first."""
    first_kept = today - timedelta(days=cold_days)
    if is_remote(cold):
        cold.fs.invalidate_cache()
    if not cold.exists():
        return
    for folder in sorted(cold.iterdir(), key=lambda folder: folder.name):
        try:
            day = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if day < first_kept:
            yield folder


def remove_archive(folder: UPath) -> None:
    """Removes one day of cold storage."""
    folder.fs.rm(folder.path, recursive=True)
