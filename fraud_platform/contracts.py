"""Whether tables keep their Pandera contract: which rules are broken, how often, and never by which values.

What a contract demands belongs to the room that owns the table.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

# Looking at a table costs Pandera as much as looking at some ten thousand rows; days much smaller share that price.
_JOINED_ROWS = 20_000


@dataclass(frozen=True)
class Contract:
    """What became of a table's contract.

    Attributes:
        row_count: rows looked at.
        violations: how often each broken rule is broken, by "column: rule"; empty when the contract is kept.
    """

    row_count: int
    violations: Mapping[str, int]


def judge_table(schema: "DataFrameSchema", table: pd.DataFrame) -> Contract:
    """What `table` makes of its contract; `table` is used up: it has no columns left afterwards."""
    from pandera.errors import SchemaErrors

    row_count = len(table)
    try:
        # In place: no rule changes a table, and a copy would be a second day in memory.
        schema.validate(table, lazy=True, inplace=True)
    except SchemaErrors as error:
        failures = error.failure_cases.groupby(["column", "check"], dropna=False).size()
        return Contract(row_count, {f"{column}: {rule}": int(count) for (column, rule), count in failures.items()})
    finally:
        # Pandera ties the table to an accessor of its own; such a knot waits for a collection, its columns need not.
        table.drop(columns=table.columns, inplace=True)
    return Contract(row_count, {})


def judge_days(
    schema: "DataFrameSchema", tables: Iterable[tuple[date, pd.DataFrame]]
) -> Iterator[tuple[date, Contract]]:
    """The same for each day, in order; small days of like columns and types are looked at together.

    A rule here speaks of single rows or forbids repetition, so what all days keep together each of them keeps; when
    together they break one, each is looked at alone.
    """
    joined: dict[date, pd.DataFrame] = {}
    row_count = 0
    for day, table in tables:
        is_alike = all(table.dtypes.equals(other.dtypes) for other in list(joined.values())[:1])
        if not is_alike or row_count + len(table) > _JOINED_ROWS:
            yield from _judge_joined(schema, joined)
            row_count = 0
        joined[day] = table
        row_count += len(table)
        del table
        if row_count >= _JOINED_ROWS:
            # A large day is let go before the next is read.
            yield from _judge_joined(schema, joined)
            row_count = 0
    yield from _judge_joined(schema, joined)


def _judge_joined(schema: "DataFrameSchema", days: dict[date, pd.DataFrame]) -> Iterator[tuple[date, Contract]]:
    """Each of `days`, which leave one by one."""
    is_kept = len(days) > 1 and not judge_table(schema, pd.concat(days.values(), ignore_index=True)).violations
    while days:
        day = next(iter(days))
        table = days.pop(day)
        yield day, Contract(len(table), {}) if is_kept else judge_table(schema, table)
        del table
