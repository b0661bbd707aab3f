"""Where the lines of the audit trail are kept: one file on disk, one object per line in an object store.

What a line says does not belong here. Both stores only add: a file grows under a lock, and an object is created where
none is. Object stores cannot append, and one file per entry would make a trail on disk slow to read.

    on disk   <root>/trail.jsonl
    on S3     <root>/000000/000000000001.json ...   a thousand in each folder, so that the last is found by two listings
"""

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from upath import UPath

from fraud_platform.errors import PlatformError
from fraud_platform.storage import create_exclusively, is_remote, open_location

# What the last line (None in an empty trail) and the bytes of a write that was cut off become: the lines to add.
Compose = Callable[[bytes | None, bytes], list[bytes]]

_FILE = "trail.jsonl"
_TAIL_BYTES = 2**16
_PER_FOLDER = 1000
_OBJECTS_PER_READ = 500
# Writers that meet at one place try the next one; so many that meet again and again do not exist.
_ATTEMPTS = 100
_LONGEST_PAUSE_SECONDS = 0.2


class TrailStore(Protocol):
    """Lines in order, to which lines can be added and from which none can be taken."""

    def append(self, compose: Compose) -> list[bytes]:
        """Adds what `compose` makes of the last line, and returns it once it is safe.

        No other line comes in between. `compose` may be called again where another writer was faster.

        Raises:
            OSError: the location cannot be written.
        """
        ...

    def last(self) -> bytes | None:
        """The last whole line; None in an empty trail."""
        ...

    def lines(self, after: int = 0) -> Iterator[bytes]:
        """Every line behind the first `after`, oldest first; the last may be cut off, then it lacks its line end."""
        ...


def open_trail_store(url: str | os.PathLike[str]) -> TrailStore:
    """The store in a folder or below an `s3://` prefix; it need not exist yet."""
    root = open_location(url)
    return ObjectTrail(root) if is_remote(root) else FileTrail(Path(root.path))


@dataclass(frozen=True)
class FileTrail:
    """A file that grows line by line; writers, in whatever process, take turns by a lock on it."""

    root: Path

    def append(self, compose: Compose) -> list[bytes]:
        """See `TrailStore.append`."""
        with self._locked() as file:
            end = os.fstat(file).st_size
            last, fragment = _last_line(file, end)
            whole = end - len(fragment)
            lines = compose(last, fragment)
            if fragment:
                # What a crash cut off was never promised to anybody; the entry that takes its place tells of it.
                os.ftruncate(file, whole)
            try:
                _write_all(file, b"".join(lines), whole)
                os.fsync(file)
            except OSError:
                os.ftruncate(file, whole)
                raise
            return lines

    def last(self) -> bytes | None:
        """See `TrailStore.last`."""
        if not self._path.exists():
            return None
        with open(self._path, "rb") as file:
            return _last_line(file.fileno(), self._length(file.fileno()))[0]

    def lines(self, after: int = 0) -> Iterator[bytes]:
        """See `TrailStore.lines`."""
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            length = self._length(file.fileno())
            for number, line in enumerate(file, start=1):
                length -= len(line)
                if length < 0:
                    return
                if number > after:
                    yield line

    @property
    def _path(self) -> Path:
        return self.root / _FILE

    @staticmethod
    def _length(file: int) -> int:
        """How long the trail is between two writes."""
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            return os.fstat(file).st_size
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.root.mkdir(parents=True, exist_ok=True)
        is_new = not self._path.exists()
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_new:
                _flush_folder(self.root)
            yield file
        finally:
            os.close(file)


@dataclass(frozen=True)
class ObjectTrail:
    """An object per line, created under its number where none is: two writers cannot take the same place."""

    root: UPath

    def append(self, compose: Compose) -> list[bytes]:
        """See `TrailStore.append`."""
        for attempt in range(_ATTEMPTS):
            number, last = self._tail()
            lines = compose(last, b"")
            place = self._place(number + 1)
            try:
                create_exclusively(place, b"".join(lines))
            except FileExistsError:
                # A request that was sent again after its answer got lost meets itself.
                if self._read(place) == b"".join(lines):
                    return lines
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt)))  # noqa: S311 - jitter
                continue
            return lines
        raise PlatformError(f"{self.root}: {_ATTEMPTS} times another writer was faster; try again")

    def last(self) -> bytes | None:
        """See `TrailStore.last`."""
        return self._tail()[1]

    def lines(self, after: int = 0) -> Iterator[bytes]:
        """See `TrailStore.lines`."""
        self.root.fs.invalidate_cache()
        places = self._places(after) if after else sorted(self.root.fs.find(self.root.path))
        places = [place for place in places if not place.rpartition("/")[2].startswith(".")]
        for start in range(0, len(places), _OBJECTS_PER_READ):
            batch = places[start : start + _OBJECTS_PER_READ]
            contents = self.root.fs.cat(batch)
            # One object is one line, whatever somebody may have put into it.
            yield from (contents[place] for place in batch)

    def _tail(self) -> tuple[int, bytes | None]:
        folders = self._names(self.root)
        if not folders:
            return 0, None
        names = self._names(self.root / folders[-1])
        number = int(names[-1].removesuffix(".json"))
        return number, self._read(self._place(number))

    def _places(self, after: int) -> list[str]:
        """The objects behind the first `after`, in order; of a long trail only the last folders are listed."""
        folders = [name for name in self._names(self.root) if int(name) >= after // _PER_FOLDER]
        names = [(folder, name) for folder in folders for name in self._names(self.root / folder)]
        wanted = [(folder, name) for folder, name in names if int(name.removesuffix(".json")) > after]
        return [(self.root / folder / name).path for folder, name in wanted]

    def _names(self, folder: UPath) -> list[str]:
        """The numbered entries of a folder, in order."""
        folder.fs.invalidate_cache()
        try:
            found = folder.fs.ls(folder.path, detail=False)
        except FileNotFoundError:
            return []
        names = (path.rstrip("/").rpartition("/")[2] for path in found)
        return sorted(name for name in names if name.removesuffix(".json").isdecimal())

    def _place(self, number: int) -> UPath:
        return self.root / f"{number // _PER_FOLDER:06d}" / f"{number:012d}.json"

    def _read(self, place: UPath) -> bytes:
        content: bytes = place.fs.cat_file(place.path)
        return content


def _last_line(file: int, end: int) -> tuple[bytes | None, bytes]:
    """The last whole line among the first `end` bytes, and what stands behind it without a line end."""
    tail, start = b"", end
    # Two line ends bound the last line; the beginning of the file bounds it, too.
    while start and tail.count(b"\n") < 2:  # noqa: PLR2004
        size = min(_TAIL_BYTES, start)
        start -= size
        tail = os.pread(file, size, start) + tail
    whole, _, fragment = tail.rpartition(b"\n")
    if not whole:
        return None, fragment if b"\n" in tail else tail
    return whole.rpartition(b"\n")[2] + b"\n", fragment


def _write_all(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        data, offset = data[written:], offset + written


def _flush_folder(folder: Path) -> None:
    """Makes the name of a new file survive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
