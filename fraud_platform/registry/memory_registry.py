"""A model registry that forgets everything when the process ends; for tests and notebooks.

Rules do not belong here: `record_registry` holds them for every registry.
"""

from collections.abc import Mapping

from fraud_platform.errors import ModelError
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.record_store import Record


class MemoryRecords:
    """A `RecordStore` in dictionaries."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[str | None, dict[str, str]]] = {}
        self._aliases: dict[str, str] = {}
        self._data: dict[str, bytes] = {}

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        return [Record(version, run_id, dict(tags)) for version, (run_id, tags) in self._records.items()]

    def aliases(self) -> dict[str, str]:
        """Version by alias."""
        return dict(self._aliases)

    def create(self, data: bytes, *, tags: Mapping[str, str], run_id: str | None, description: str) -> str:
        """The number of a new record with all its tags; nobody reads a description in memory."""
        version = str(len(self._records) + 1)
        self._records[version] = (run_id, dict(tags))
        self._data[version] = data
        return version

    def withdraw(self, version: str) -> None:
        """Removes a record that nobody has used."""
        self._records.pop(version, None)
        self._data.pop(version, None)

    def read(self, record: Record) -> bytes:
        """The bytes behind a record."""
        if record.version not in self._data:
            raise ModelError(f"the bundle of version {record.version} is gone; promote another version")
        return self._data[record.version]

    def replace_data(self, version: str, data: bytes | None) -> None:
        """Puts other bytes behind a record, or none: what a test of a damaged registry needs."""
        self._data.pop(version)
        if data is not None:
            self._data[version] = data

    def set_tag(self, version: str, name: str, text: str) -> None:
        """Writes one tag."""
        self._records[version][1][name] = text

    def delete_tag(self, version: str, name: str) -> None:
        """Removes one tag."""
        self._records[version][1].pop(name, None)

    def set_alias(self, alias: str, version: str) -> None:
        """Points an alias at a record."""
        self._aliases[alias] = version

    def delete_alias(self, alias: str) -> None:
        """Removes an alias."""
        self._aliases.pop(alias, None)


class MemoryRegistry(RecordRegistry):
    """A `ModelRegistry` in memory."""

    def __init__(self, store: MemoryRecords | None = None, *, key: bytes | None = None) -> None:
        super().__init__(store or MemoryRecords(), key=key)
