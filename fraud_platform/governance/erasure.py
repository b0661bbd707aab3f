"""Removes transactions from stored tables: every row of theirs, from every day, each file whole or as it was.

What each table's footer says of its rows does not belong here: whoever owns a table brings the function that keeps its
footer true. What remains of an erased transaction belongs to `tombstones`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from fraud_platform.day_store import DayStore

if TYPE_CHECKING:
    import pandas as pd

ID_COLUMN = "transaction_id"


@dataclass(frozen=True)
class Holding:
    """Which of the wanted transactions one stored file holds."""

    asset: str
    day: date
    transaction_ids: frozenset[str]


# The footer of a table once rows are gone: from the rows that remain, the old footer and what has gone.
Refresh = Callable[["pd.DataFrame", Mapping[str, str], Holding], dict[str, str]]


def find_transactions(store: DayStore, assets: Collection[str], transaction_ids: Collection[str]) -> Iterator[Holding]:
    """Every stored file that holds any of `transaction_ids`, asset by asset, oldest day first.

    Only the column of identifiers is read.
    """
    wanted = set(transaction_ids)
    for asset in assets:
        for day in store.days(asset, "parquet"):
            identifiers = store.read_table(asset, day, [ID_COLUMN])[ID_COLUMN]
            held = frozenset(identifiers[identifiers.isin(wanted)])
            if held:
                yield Holding(asset, day, held)


def erase_from(store: DayStore, holding: Holding, refresh: Refresh) -> int:
    """Writes one file anew without the transactions it holds; returns how many rows have gone.

    A reader sees the file as it was or as it is now, and so does whoever comes after a crash.
    """
    rows = store.read_table(holding.asset, holding.day)
    is_erased = rows[ID_COLUMN].isin(holding.transaction_ids)
    remaining = rows[~is_erased].reset_index(drop=True)
    footer = store.read_table_metadata(holding.asset, holding.day)
    store.write_table(holding.asset, holding.day, remaining, refresh(remaining, footer, holding))
    return int(is_erased.sum())
