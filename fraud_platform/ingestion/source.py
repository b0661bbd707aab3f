"""One landed file as a stream that is read once: hashed while it is parsed, and watched for changes meanwhile.

What the bytes mean does not belong here.
"""

import errno
import gzip
import hashlib
import os
import re
import stat
import zlib
from types import TracebackType
from typing import IO, Any, Self

from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.ingestion.landing import LandedFile
from fraud_platform.storage import is_remote

# One range request per block: large enough for few round trips, small beside a day's memory.
_REMOTE_BLOCK_BYTES = 8 * 2**20
_BLOCK_BYTES = 2**20
_LINE_END = re.compile(rb"[\r\n]")


class LandedSource:
    """A readable file for parsers; whatever they read, `finish` accounts for every byte of the file.

    Attributes:
        path: what is read.
        label: the path with card numbers masked, for messages.
    """

    def __init__(self, path: UPath) -> None:
        """Opens `path`.

        Raises:
            DataError: it is a folder, or a pipe or device, which may never begin or end.
            OSError: the storage refuses; FileNotFoundError if nothing is there.
        """
        self.path = path
        self.label = mask_card_numbers(str(path))
        self._file: IO[bytes]
        if is_remote(path):
            path.fs.invalidate_cache()
            self._file = path.fs.open(path.path, "rb", block_size=_REMOTE_BLOCK_BYTES, cache_type="readahead")
        elif not stat.S_ISREG(os.stat(path.path).st_mode):
            raise DataError(f"{self.label} is no file but a folder, pipe or device; land the rows as a file")
        else:
            self._file = open(path.path, "rb", buffering=0)  # noqa: SIM115  closed by __exit__
        self._digest = hashlib.sha256()
        self._byte_count = 0
        self._marks = self._current_marks()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether reading has ended for good."""
        return self._file.closed

    def close(self) -> None:
        """Nothing: parsers close what they read, but `finish` still has to see the rest."""

    def readable(self) -> bool:
        """True: a source is for reading."""
        return True

    def writable(self) -> bool:
        """False: the landing zone is never modified."""
        return False

    def seekable(self) -> bool:
        """False: what was hashed is not read again."""
        return False

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, all that is left when negative; empty at the end."""
        block = self._file.read(size)
        self._digest.update(block)
        self._byte_count += len(block)
        return block

    def finish(self) -> LandedFile:
        """What was read, after reading what the parser left over.

        Raises:
            OSError: the storage gave fewer bytes than it had said there are, or more.
        """
        while self.read(_BLOCK_BYTES):
            pass
        promised = self._marks[0]
        if promised is not None and self._byte_count != promised:
            raise OSError(errno.EIO, f"gave {self._byte_count} bytes instead of {promised}", self.label)
        name = mask_card_numbers(self.path.name)
        return LandedFile(self.path, name, self._digest.hexdigest(), self._byte_count)

    def has_changed(self) -> bool:
        """Whether the file was written to, replaced under us or removed since it was opened.

        A file on disk that is replaced by a rename, or removed, stays readable as it was: that is no change.
        """
        try:
            return self._current_marks() != self._marks
        except FileNotFoundError:
            return True

    def _current_marks(self) -> tuple[Any, ...]:
        if not is_remote(self.path):
            status = os.fstat(self._file.fileno())
            return status.st_size, status.st_mtime_ns
        self.path.fs.invalidate_cache()
        details = self.path.fs.info(self.path.path)
        return tuple(details.get(mark) for mark in ("size", "ETag", "LastModified", "created"))


class PlainText:
    """The text of a `.csv` or `.csv.gz` source: unzipped, and with its last line ended."""

    closed = False

    def __init__(self, source: LandedSource) -> None:
        """Reads from `source`, whose name decides whether it is compressed."""
        self._ahead = b""
        self._source = source
        self._is_ended = False
        is_compressed = source.path.name.lower().endswith(".gz")
        self._stream: Any = gzip.GzipFile(fileobj=source) if is_compressed else source  # type: ignore[call-overload]

    def readable(self) -> bool:
        """True: a text is for reading."""
        return True

    def writable(self) -> bool:
        """False: the landing zone is never modified."""
        return False

    def seekable(self) -> bool:
        """False: a stream is read once."""
        return False

    def close(self) -> None:
        """Nothing: the source is closed by who opened it."""

    def first_line(self, within: int) -> bytes:
        """The first line that is not blank, without its end; looks at `within` bytes and takes none away.

        Raises:
            DataError: the compressed stream is damaged or cut off.
        """
        self._ahead = self.read(within)
        return _LINE_END.split(self._ahead.lstrip(b"\r\n"), 1)[0]

    def read(self, size: int) -> bytes:
        """The next `size` bytes of text, fewer only at the end or after `first_line`.

        Raises:
            DataError: the compressed stream is damaged or cut off.
        """
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        # The parser takes what one call returns for a block, so a short one is filled up.
        pieces, missing = [], size
        while missing and (piece := self._read_some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        if missing and not self._is_ended:
            # A header without a line end would otherwise be no header to the parser.
            self._is_ended = True
            pieces.append(b"\n")
        return b"".join(pieces)

    def _read_some(self, size: int) -> bytes:
        try:
            block: bytes = self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            problem = "is not a complete gzip file, perhaps its upload was cut off"
            raise DataError(f"{self._source.label} {problem}; land it again") from None
        return block
