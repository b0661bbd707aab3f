"""Puts replayed or simulated days into a landing zone, as an upstream system would.

Making the days does not belong here.
"""

from collections.abc import Iterable
from datetime import date
from typing import Literal

import pandas as pd
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.ingestion.landing import REPLAYED, SIMULATED, TRANSACTIONS, LandingZone, origin_of
from fraud_platform.storage import write_atomically


def land_days(
    landing: LandingZone, days: Iterable[tuple[date, pd.DataFrame]], *, name: Literal["replayed", "simulated"]
) -> list[UPath]:
    """Where each day has been written: `transactions/<day>/<name>.parquet`, whole or not at all.

    An earlier replay or simulation of the day makes way, so that the two never mix and none counts twice.

    Args:
        landing: the zone to write to.
        days: days and their tables in landing format, consumed one at a time.
        name: what the days are; ingestion reads their origin from it.

    Raises:
        DataError: a day already holds upstream's own files, which made-up rows must not join.
        OSError: the zone cannot be written.
    """
    return [_land(landing, day, table, name) for day, table in days]


def _land(landing: LandingZone, day: date, table: pd.DataFrame, name: str) -> UPath:
    path = landing.folder(TRANSACTIONS, day) / f"{name}.parquet"
    present = landing.transaction_files(day)
    upstream = [file.name for file in present if origin_of(file.name) not in (REPLAYED, SIMULATED)]
    if upstream:
        raise DataError(
            f"{path.parent}: holds {len(upstream)} file(s) from upstream; choose other days or another landing zone"
            f" for {name} ones"
        )
    data = _parquet(table)
    # First away with the old: dying in between leaves a day to land again, never a day that holds both.
    for file in present:
        if file.name != path.name:
            file.unlink()
    write_atomically(path, data)
    return path


def _parquet(table: pd.DataFrame) -> bytes:
    """The table as Parquet: every float64 exact, and read several times faster than text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    floats = [field.name for field in arrow.schema if pa.types.is_floating(field.type)]
    sink = pa.BufferOutputStream()
    pq.write_table(arrow, sink, compression="zstd", use_dictionary=False, use_byte_stream_split=floats)
    return sink.getvalue().to_pybytes()
