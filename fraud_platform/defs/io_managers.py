"""How assets reach the day store: Parquet tables, JSON documents, model bundles, and the profiles in table footers.

Layout and atomicity belong to `fraud_platform.storage`; what is in a table belongs to its room.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from fraud_platform.day_store import DayStore
from fraud_platform.defs.daily_asset import DayMap
from fraud_platform.errors import DataError
from fraud_platform.storage import open_location


@dataclass(frozen=True)
class DescribedTable:
    """A table and the text that travels in its file's footer."""

    table: pd.DataFrame
    footer: Mapping[str, str] = field(default_factory=dict)


class DayIOManager(dg.ConfigurableIOManager):
    """One file per asset and day below `storage_url`; subclasses say how a value becomes a file and back."""

    storage_url: str
    extension: str = ""

    @property
    def store(self) -> DayStore:
        """The day store behind this IO manager."""
        return DayStore(open_location(self.storage_url))

    def handle_output(self, context: dg.OutputContext, obj: Iterable[tuple[date, Any]]) -> None:
        """Writes each day as it is computed."""
        asset = context.asset_key.path[-1]
        for day, value in obj:
            self.write(asset, day, value)
            # The next day is computed before `value` is bound anew; two days need not be held at once.
            del value

    def load_input(self, context: dg.InputContext) -> DayMap:
        """The days asked for; of a window only those that are stored, elsewhere a missing day is an error."""
        asset = context.asset_key.path[-1]
        asked = context.definition_metadata or {}
        wanted = [date.fromisoformat(key) for key in context.asset_partition_keys]
        days_back, days_ahead = asked.get("days_back", 0), asked.get("days_ahead", 0)
        if days_back or days_ahead:
            first, last = min(wanted) - timedelta(days=days_back), max(wanted) + timedelta(days=days_ahead)
            wanted = [day for day in self.store.days(asset, self.extension) if first <= day <= last]
        return DayMap(wanted, lambda day: self._read_stored(asset, day, asked.get("columns")))

    def _read_stored(self, asset: str, day: date, columns: list[str] | None) -> Any:
        try:
            return self.read(asset, day, columns)
        except FileNotFoundError:
            where = self.store.path(asset, day, self.extension)
            raise DataError(
                f"{asset} of {day} is not stored ({where}); materialise {asset} for that day first"
            ) from None

    def write(self, asset: str, day: date, value: Any) -> Any:
        """Stores `value` and returns where."""
        raise TypeError(f"{type(self).__name__} only reads")

    def read(self, asset: str, day: date, columns: list[str] | None) -> Any:
        """What was stored."""
        raise TypeError(f"{type(self).__name__} only writes")


class TableIOManager(DayIOManager):
    """Tables as Parquet."""

    extension: str = "parquet"

    def write(self, asset: str, day: date, value: DescribedTable) -> Any:
        """Stores the table with its footer."""
        return self.store.write_table(asset, day, value.table, value.footer)

    def read(self, asset: str, day: date, columns: list[str] | None) -> pd.DataFrame:
        """The table, or the columns the asset asked for."""
        return self.store.read_table(asset, day, columns)


class FooterIOManager(DayIOManager):
    """Only the footers of Parquet tables: what is known of a day without reading its rows."""

    extension: str = "parquet"

    def read(self, asset: str, day: date, columns: list[str] | None) -> dict[str, str]:
        """The text in the footer."""
        return self.store.read_table_metadata(asset, day)


class DocumentIOManager(DayIOManager):
    """JSON documents."""

    extension: str = "json"

    def write(self, asset: str, day: date, value: Any) -> Any:
        """Stores the document."""
        return self.store.write_json(asset, day, value)

    def read(self, asset: str, day: date, columns: list[str] | None) -> Any:
        """The document."""
        return self.store.read_json(asset, day)


class BundleIOManager(DayIOManager):
    """Model bundles: one archive a day, checked against its own manifest when read."""

    extension: str = "zip"

    def write(self, asset: str, day: date, value: Any) -> Any:
        """Stores the bundle's bytes."""
        return self.store.write_bytes(asset, day, self.extension, value.to_bytes())

    def read(self, asset: str, day: date, columns: list[str] | None) -> Any:
        """The bundle; raises `ModelError` when it is damaged."""
        from fraud_platform.training.bundle import ModelBundle

        return ModelBundle.from_bytes(self.store.read_bytes(asset, day, self.extension))
