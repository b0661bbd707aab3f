"""The landing zone: which files lie there for which day, and what their names say about where they come from.

What is inside the files does not belong here; nothing in this module opens one, and nothing writes to the zone.

    <root>/transactions/YYYY-MM-DD/*.csv | *.csv.gz | *.parquet
    <root>/labels/YYYY-MM-DD/*.csv | *.csv.gz | *.parquet
"""

import os
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from upath import UPath

from fraud_platform.storage import canonical_json, is_remote, open_location, sha256

TRANSACTIONS, LABELS = "transactions", "labels"
SUFFIXES = (".csv", ".csv.gz", ".parquet")
SIMULATED, REPLAYED, LANDED = "simulated", "replayed", "landed"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# What object stores and disks say about a file without opening it; a change of content changes one of them.
_TRACES = ("size", "ETag", "LastModified", "mtime", "ino")


@dataclass(frozen=True)
class LandedFile:
    """A file as it was read.

    Attributes:
        path: where it lies; may hold anything, so it is not for showing.
        name: its name, card numbers masked; safe to show and store.
        sha256: digest of exactly the bytes that were parsed, 64 hex digits.
        byte_count: how many bytes those were.
    """

    path: UPath
    name: str
    sha256: str
    byte_count: int


@dataclass(frozen=True)
class LandingZone:
    """Where upstream systems put files, a folder per day of transactions or of labels."""

    root: UPath

    @classmethod
    def at(cls, url: str | os.PathLike[str]) -> "LandingZone":
        """The landing zone in a folder or below an `s3://` prefix."""
        return cls(open_location(url))

    def folder(self, kind: str, day: date) -> UPath:
        """Where the files of `day` are, or would be; `kind` is `transactions` or `labels`."""
        return self.root / kind / day.isoformat()

    def transaction_files(self, day: date) -> list[UPath]:
        """The transaction files of `day`, by name."""
        return self._files(TRANSACTIONS, day)

    def label_files(self, day: date) -> list[UPath]:
        """The label files that arrived on `day`, by name."""
        return self._files(LABELS, day)

    def days(self) -> list[date]:
        """Every day with a transaction file, oldest first."""
        return sorted(self._entries_by_day(TRANSACTIONS))

    def label_days(self) -> list[date]:
        """Every day a label file arrived on, oldest first."""
        return sorted(self._entries_by_day(LABELS))

    def fingerprint(self, day: date, kind: str = TRANSACTIONS) -> str:
        """A digest of names, sizes and modification marks of the day's files of that kind; reads none of them.

        It changes whenever a file is added, removed or written again, so it may change when the content does not.
        """
        return _fingerprint(self._entries(kind, day))

    def fingerprints(self, kind: str = TRANSACTIONS) -> dict[date, str]:
        """The fingerprint of every day that has files of that kind, oldest first, from a single listing."""
        return {day: _fingerprint(entries) for day, entries in sorted(self._entries_by_day(kind).items())}

    def _files(self, kind: str, day: date) -> list[UPath]:
        folder = self.folder(kind, day)
        return [folder / name for name in sorted(map(_name_of, self._entries(kind, day)))]

    def _entries(self, kind: str, day: date) -> list[dict[str, Any]]:
        folder = self._fresh(self.folder(kind, day))
        try:
            entries = folder.fs.ls(folder.path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [entry for entry in entries if entry["type"] == "file" and _is_landed(_name_of(entry))]

    def _entries_by_day(self, kind: str) -> dict[date, list[dict[str, Any]]]:
        folder = self._fresh(self.root / kind)
        by_day: dict[date, list[dict[str, Any]]] = {}
        # One recursive listing: an object store answers it a thousand files at a time, whatever the number of days.
        for path, entry in folder.fs.find(folder.path, detail=True).items():
            parent, name = posixpath.split(path)
            day = _day_of(posixpath.basename(parent))
            is_direct_child = posixpath.dirname(parent) == folder.path.rstrip("/")
            if day is not None and is_direct_child and _is_landed(name):
                by_day.setdefault(day, []).append(entry)
        return by_day

    @staticmethod
    def _fresh(path: UPath) -> UPath:
        """The same path, its listing read anew: upstream writes here while we run."""
        if is_remote(path):
            path.fs.invalidate_cache()
        return path


def origin_of(name: str) -> str:
    """Where the data in a landed file comes from: `simulated`, `replayed` or `landed`, by its name."""
    stem = name.split(".", 1)[0]
    return stem if stem in (SIMULATED, REPLAYED) else LANDED


def origin_of_all(names: Iterable[str]) -> str:
    """The origin of a day made of several files: simulated data makes the whole day simulated, then replayed."""
    origins = set(map(origin_of, names))
    return next((origin for origin in (SIMULATED, REPLAYED) if origin in origins), LANDED)


def _fingerprint(entries: list[dict[str, Any]]) -> str:
    marks = [[_name_of(entry), *(str(entry.get(trace)) for trace in _TRACES)] for entry in entries]
    return sha256(canonical_json(sorted(marks)))


def _name_of(entry: dict[str, Any]) -> str:
    return posixpath.basename(entry["name"])


def _is_landed(name: str) -> bool:
    """Whether `name` is a complete file in a format we read; hidden and `*.partial` files are still being written."""
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _day_of(name: str) -> date | None:
    if not _DAY.fullmatch(name):
        return None
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
