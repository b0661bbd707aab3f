"""Where bytes live: turns a path or `s3://` URL into a filesystem, and lays out one file per asset and day.

What the bytes mean does not belong here; schemas live in the room that owns the table.
"""

import errno
import glob
import hashlib
import json
import os
import platform
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import IO, TYPE_CHECKING, Any

from upath import UPath

from fraud_platform.processes import is_alive

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

# Parquet keeps file-level text beside pandas' own; the prefix tells ours apart.
_METADATA_PREFIX = "fraud_platform."


def open_location(url: str | os.PathLike[str]) -> UPath:
    """The folder or object-store prefix behind `url`; local folders become absolute.

    AWS's own variables (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, ...) choose server and credentials of `s3://` URLs.
    """
    path = UPath(url)
    return path if is_remote(path) else UPath(os.path.abspath(path.path))


def is_remote(path: UPath) -> bool:
    """Whether `path` lives in an object store rather than on this machine's disk."""
    return path.protocol not in ("", "file", "local")


def absence_of(path: UPath) -> str | None:
    """Why there is no file to be read at `path`, for a message; None where there is one.

    A pipe or device is none: it may never begin or end.
    """
    if path.is_file():
        return None
    return "no regular file but a folder, pipe or device" if path.exists() else "no such file"


def is_storage_failure(error: BaseException) -> bool:
    """Whether the storage said no, rather than the data: an OSError, or S3's client that reaches nobody."""
    # Only who has used S3 can hold such an error, and then its client is loaded.
    botocore = sys.modules.get("botocore.exceptions")
    return isinstance(error, OSError) or (botocore is not None and isinstance(error, botocore.BotoCoreError))


def write_atomically(path: UPath, data: bytes) -> None:
    """Puts `data` at `path` so that a reader sees all of it or what was there before, whatever dies in between.

    Object stores publish an upload only when it is complete; on disk the bytes go to a hidden neighbour that is
    flushed and then renamed.

    Raises:
        OSError: the location cannot be written.
    """
    if is_remote(path):
        # A key cached as missing would hide the object we are about to write.
        path.fs.invalidate_cache()
        path.write_bytes(data)
        return
    with written_in_parts(path) as file:
        file.write(data)


@contextmanager
def written_in_parts(path: UPath) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, whole; what was there stays when it does not.

    For an object store it is a temporary file of this machine, uploaded in the end.

    Raises:
        OSError: the location cannot be written.
    """
    if is_remote(path):
        with tempfile.NamedTemporaryFile(suffix=".partial") as file:
            yield file
            file.flush()
            path.fs.invalidate_cache()
            path.fs.put_file(file.name, path.path)
        return
    _remove_abandoned(path)
    with _named_when_written(path, os.replace) as file:
        yield file


def create_exclusively(path: UPath, data: bytes) -> None:
    """Puts `data` at `path`, whole, where nothing is yet; of several writers exactly one succeeds.

    On disk a complete hidden file is given its name by a hard link, which fails where the name is taken; an object
    store is sent `If-None-Match: *`, which the server must honour (AWS and current S3-compatible servers do).

    Raises:
        FileExistsError: something is there already.
        OSError: the location cannot be written.
    """
    if is_remote(path):
        path.fs.invalidate_cache()
        try:
            path.fs.pipe_file(path.path, data, mode="create")
        except OSError as error:
            if _is_taken(error):
                raise FileExistsError(errno.EEXIST, "exists already", str(path)) from error
            raise
        return
    with _named_when_written(path, os.link) as file:
        file.write(data)


@contextmanager
def _named_when_written(path: UPath, give_name: Callable[[str, str], None]) -> Iterator[IO[bytes]]:
    """A hidden neighbour of `path`, flushed to the disk and then given its name; gone where the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = (path.parent / f".{path.name}.{_writer(os.getpid())}.{uuid.uuid4().hex}.partial").path
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        give_name(temporary, path.path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _is_taken(error: OSError) -> bool:
    """Whether an object store refused because of `If-None-Match`, or because two such writes met."""
    response = getattr(error.__cause__, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return isinstance(error, FileExistsError) or code in ("PreconditionFailed", "ConditionalRequestConflict", "412")


def _writer(process: int | str) -> str:
    return f"{platform.node()}-{process}"


def _remove_abandoned(path: UPath) -> None:
    """Removes what a writer of `path` on this machine left behind when it was killed."""
    for entry in path.parent.glob(f".{glob.escape(path.name)}.{glob.escape(_writer(''))}*.partial"):
        process = entry.name.removeprefix(f".{path.name}.{_writer('')}").split(".")[0]
        if process.isdecimal() and not is_alive(int(process)):
            entry.unlink(missing_ok=True)


def sha256(data: bytes) -> str:
    """The digest of `data` as `sha256:<64 hex digits>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical_json(document: Any) -> bytes:
    """`document` as JSON: the same bytes for the same content (sorted keys, no NaN), a final newline."""
    return (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _recurring_texts(file: "pq.ParquetFile") -> set[str]:
    """The text columns of `file` with far fewer different values than rows: their dictionary has made them small."""
    import pyarrow as pa

    size: Counter[str] = Counter()
    for group in range(file.num_row_groups):
        for column in map(file.metadata.row_group(group).column, range(file.metadata.num_columns)):
            size[column.path_in_schema] += column.total_uncompressed_size
    texts = (field.name for field in file.schema_arrow if pa.types.is_string(field.type))
    # Less than the pointer that a text of its own would take in each row.
    return {name for name in texts if size[name] < 8 * file.metadata.num_rows}


@dataclass(frozen=True)
class DayStore:
    """Assets as files: `<root>/<asset>/<YYYY-MM-DD>.<extension>`, written whole or not at all."""

    root: UPath

    @classmethod
    def at(cls, url: str | os.PathLike[str]) -> "DayStore":
        """The store below a folder or `s3://` prefix."""
        return cls(open_location(url))

    def path(self, asset: str, day: date, extension: str) -> UPath:
        """Where `asset` of `day` is, or would be."""
        return self.root / asset / f"{day.isoformat()}.{extension}"

    def exists(self, asset: str, day: date, extension: str) -> bool:
        """Whether `asset` of `day` has been written."""
        return self._fresh(self.path(asset, day, extension)).exists()

    def days(self, asset: str, extension: str) -> list[date]:
        """Every day `asset` has been written for, oldest first."""
        folder = self._fresh(self.root / asset)
        if not folder.exists():
            return []
        names = (entry.name for entry in folder.iterdir())
        suffix = f".{extension}"
        return sorted(
            date.fromisoformat(name.removesuffix(suffix))
            for name in names
            if name.endswith(suffix) and not name.startswith(".")
        )

    def write_table(
        self, asset: str, day: date, table: "pd.DataFrame", metadata: Mapping[str, str] | None = None
    ) -> UPath:
        """Stores `table` as Parquet, with `metadata` in the file's footer; returns where."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        arrow = pa.Table.from_pandas(table, preserve_index=False)
        # A day without any text in a column must not change the column's type for whoever reads many days.
        typed = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in arrow.schema]
        arrow = arrow.cast(pa.schema(typed, arrow.schema.metadata))
        ours = {_METADATA_PREFIX + name: text for name, text in (metadata or {}).items()}
        arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **ours})
        sink = pa.BufferOutputStream()
        # Byte-stream split beats dictionaries on floats that hardly repeat: smaller files, half the time.
        floats = [field.name for field in arrow.schema if pa.types.is_floating(field.type)]
        others = [field.name for field in arrow.schema if not pa.types.is_floating(field.type)]
        pq.write_table(arrow, sink, compression="zstd", use_dictionary=others, use_byte_stream_split=floats)
        path = self.path(asset, day, "parquet")
        write_atomically(path, sink.getvalue())
        return path

    def read_table(self, asset: str, day: date, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """`asset` of `day`, all its columns or those named; columns may be read-only memory.

        Raises:
            FileNotFoundError: it has not been written.
        """
        with self.open_table(asset, day) as file:
            arrow = file.read(columns=None if columns is None else list(columns))
            recurring = _recurring_texts(file)
        texts = {at: arrow.column(at) for at, name in enumerate(arrow.column_names) if name in recurring}
        names = {at: arrow.column_names[at] for at in texts}
        arrow = arrow.drop_columns(list(names.values()))
        # Numbers stay where Arrow has put them and the rest goes as it is converted: the table is never there twice.
        # Equal texts are looked for only where there are some; among identifiers the search would cost more than all.
        table = arrow.to_pandas(split_blocks=True, self_destruct=True, deduplicate_objects=False)
        for at, name in names.items():
            table.insert(at, name, texts.pop(at).to_pandas())
        return table

    @contextmanager
    def open_table(self, asset: str, day: date) -> "Iterator[pq.ParquetFile]":
        """`asset` of `day`, to be read in parts."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._fresh(self.path(asset, day, "parquet"))
        # A file on disk is mapped, not copied: a writer never changes it, but puts another in its place.
        with path.open("rb") if is_remote(path) else pa.memory_map(path.path) as source, pq.ParquetFile(source) as file:
            yield file

    def read_table_metadata(self, asset: str, day: date) -> dict[str, str]:
        """What `write_table` put in the footer, without reading any row."""
        import pyarrow.parquet as pq

        with self._fresh(self.path(asset, day, "parquet")).open("rb") as file:
            footer = pq.read_schema(file).metadata or {}
        pairs = ((name.decode(), text.decode()) for name, text in footer.items())
        return {name.removeprefix(_METADATA_PREFIX): text for name, text in pairs if name.startswith(_METADATA_PREFIX)}

    def write_json(self, asset: str, day: date, document: Any) -> UPath:
        """Stores `document` as canonical JSON; returns where."""
        return self.write_bytes(asset, day, "json", canonical_json(document))

    def read_json(self, asset: str, day: date) -> Any:
        """The document of `asset` of `day`."""
        return json.loads(self.read_bytes(asset, day, "json"))

    def write_bytes(self, asset: str, day: date, extension: str, data: bytes) -> UPath:
        """Stores `data` as it is; returns where."""
        path = self.path(asset, day, extension)
        write_atomically(path, data)
        return path

    def read_bytes(self, asset: str, day: date, extension: str) -> bytes:
        """The bytes of `asset` of `day`."""
        return self._fresh(self.path(asset, day, extension)).read_bytes()

    @staticmethod
    def _fresh(path: UPath) -> UPath:
        """The same path, its object-store listing read anew: other processes write here too."""
        if is_remote(path):
            path.fs.invalidate_cache()
        return path
