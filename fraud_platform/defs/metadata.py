"""What a materialisation tells its reader: row counts, column schemas, a preview, plots.

Previews are statistics, never rows: the event log keeps metadata for ever, and a transaction must stay erasable.
"""

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

_STATISTICS = ("mean", "std", "min", "max")
_IMAGE = re.compile(r"!\[[^\]]*\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)")


def column_schema(schema: "DataFrameSchema") -> dg.TableSchema:
    """A Pandera schema as the columns the UI shows."""
    columns = [
        dg.TableColumn(
            name=name,
            type=str(column.dtype),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.unique),
        )
        for name, column in schema.columns.items()
    ]
    return dg.TableSchema(columns=columns)


def preview(table: pd.DataFrame) -> dg.TableMetadataValue:
    """Mean, standard deviation, minimum and maximum of every numeric column: shape [columns, 5]."""
    # One buffer for all columns: whatever selects or aggregates them together would copy the whole day.
    scratch = np.empty(len(table))
    records = [
        dg.TableRecord({"column": str(name), **_statistics(column, scratch)})
        for name, column in table.items()
        if pd.api.types.is_numeric_dtype(column) and len(table)
    ]
    return dg.MetadataValue.table(records, schema=_preview_schema())


def table_metadata(table: pd.DataFrame, schema: "DataFrameSchema") -> dict[str, Any]:
    """What every stored table tells of itself."""
    return {
        "dagster/row_count": len(table),
        "dagster/column_schema": column_schema(schema),
        "preview": preview(table),
    }


def image(png: bytes, alternative: str) -> dg.MarkdownMetadataValue:
    """A plot, shown in the UI where the metadata stands."""
    return dg.MetadataValue.md(f"![{alternative}](data:image/png;base64,{base64.b64encode(png).decode()})")


def pictures_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The plots among the values of a materialisation's metadata, base64 by name; see `image`."""
    found = {name: _IMAGE.fullmatch(entry) for name, entry in metadata.items() if isinstance(entry, str)}
    return {name: match[1] for name, match in found.items() if match}


def _preview_schema() -> dg.TableSchema:
    statistics = [dg.TableColumn(name, "float") for name in _STATISTICS]
    return dg.TableSchema(columns=[dg.TableColumn("column", "string"), *statistics])


def _statistics(column: "pd.Series[float]", scratch: np.ndarray) -> dict[str, float | None]:
    """The four figures over the values that are there; None for one that too few of them leave undefined."""
    scratch[:] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = scratch if not np.isnan(scratch.min()) else scratch[~np.isnan(scratch)]
    if not len(values):
        return dict.fromkeys(_STATISTICS)
    mean, smallest, largest = values.mean(), values.min(), values.max()
    values -= mean
    # Not the dot product: BLAS would wake a thread per processor for a tenth of a millisecond's work.
    squares = np.square(values, out=values).sum()
    deviation = np.sqrt(squares / (len(values) - 1)) if len(values) > 1 else np.nan
    return dict(zip(_STATISTICS, map(_rounded, (mean, deviation, smallest, largest)), strict=True))


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
