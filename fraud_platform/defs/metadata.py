"""What a materialisation tells its reader: row counts, column schemas, a preview, plots.

Previews are statistics, never rows: the event log keeps metadata for ever, and a transaction must stay erasable.
"""

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

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
    numbers = table.select_dtypes("number")
    if numbers.empty or table.empty:
        return dg.MetadataValue.table([], schema=_preview_schema())
    # One column at a time: a frame-wide aggregate would copy the whole day.
    records = [
        dg.TableRecord(
            {"column": str(name), **{what: _rounded(getattr(column, what)()) for what in ("mean", "std", "min", "max")}}
        )
        for name, column in numbers.items()
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
    statistics = [dg.TableColumn(name, "float") for name in ("mean", "std", "min", "max")]
    return dg.TableSchema(columns=[dg.TableColumn("column", "string"), *statistics])


def _rounded(value: float) -> float | None:
    return None if pd.isna(value) else float(f"{value:.6g}")
