"""Lays out the files of assets, one for each asset and day, and reads and writes tables, documents and bytes there.

Where the bytes live belongs to `storage`; schemas live in the room that owns the table.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from upath import UPath

from fraud_platform.storage import (
    canonical_json,
    is_remote,
    open_location,
    write_atomically,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

# Parquet keeps file-level text beside pandas' own; the prefix tells ours apart.
_METADATA_PREFIX = "fraud_platform."


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
