"""What a registry needs of whoever stores its records: tags, aliases and the bytes behind them.

What tags mean does not belong here; `registry_snapshot` reads them, `record_registry` writes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """One numbered record: its tags and the run whose files hold the bundle."""

    version: str
    run_id: str | None
    tags: Mapping[str, str]


class RecordStore(Protocol):
    """Numbered records with tags, aliases that point at them, and the bytes behind each; every write is atomic."""

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        ...

    def aliases(self) -> dict[str, str]:
        """Version by alias."""
        ...

    def create(self, data: bytes, *, tags: Mapping[str, str], run_id: str | None, description: str) -> str:
        """The number of a new record with all its tags."""
        ...

    def withdraw(self, version: str) -> None:
        """Removes a record that nobody has used; one that is gone already is fine."""
        ...

    def read(self, record: Record) -> bytes:
        """The bytes behind a record; ModelError where they are gone."""
        ...

    def set_tag(self, version: str, name: str, text: str) -> None:
        """Writes one tag."""
        ...

    def delete_tag(self, version: str, name: str) -> None:
        """Removes one tag."""
        ...

    def set_alias(self, alias: str, version: str) -> None:
        """Points an alias at a record."""
        ...

    def delete_alias(self, alias: str) -> None:
        """Removes an alias."""
        ...
