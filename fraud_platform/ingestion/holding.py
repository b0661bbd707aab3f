"""Which landed files hold given transactions, for whoever owns the landing zone and must remove them there.

Nothing here changes a file, and nothing is kept of what is read.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from fraud_platform.errors import DataError
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.ingestion.identity import derive_identifiers, hash_rows
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.reading import read_landed_table
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN, LANDED_COLUMNS


@dataclass(frozen=True)
class LandedHolding:
    """A landed file that holds wanted transactions, or that cannot be read and therefore may.

    Attributes:
        file: where it lies, safe to show.
        row_count: rows of wanted transactions in it; None where it cannot be read.
    """

    file: str
    row_count: int | None


def landed_with(
    landing: LandingZone, transaction_ids: Collection[str], days: Collection[date] | None = None
) -> Iterator[LandedHolding]:
    """The files of `days` (of all days when None) that hold any of `transaction_ids`, by identifier or as derived."""
    wanted = pa.array(sorted(transaction_ids), pa.string())
    for day in landing.days():
        if days is None or day in days:
            for path in landing.transaction_files(day):
                yield from _holding(path, day, wanted)
    for day in landing.label_days():
        if days is None or day in days:
            for path in landing.label_files(day):
                yield from _holding(path, None, wanted)


def _holding(path: UPath, day: date | None, wanted: pa.Array) -> Iterator[LandedHolding]:
    """The one file, if it holds any of `wanted`; `day` is that of its transactions, None for labels."""
    label = mask_card_numbers(str(path))
    try:
        count = int(pc.sum(pc.is_in(_identifiers(path, day), wanted)).as_py() or 0)
    except DataError:
        yield LandedHolding(label, None)
        return
    if count:
        yield LandedHolding(label, count)


def _identifiers(path: UPath, day: date | None) -> pa.Array:
    if day is None:
        labels = read_landed_table(path, required=(ID_COLUMN, LABEL_COLUMN))
        return labels.identifiers
    table = read_landed_table(path, required=LANDED_COLUMNS, optional=(ID_COLUMN, LABEL_COLUMN))
    if table.identifiers is not None:
        return table.identifiers
    return derive_identifiers(day, hash_rows([table.numbers[name] for name in LANDED_COLUMNS]))
