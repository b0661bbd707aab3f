"""How the tests of this room register and promote: small fake bundles, one hour apart."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fraud_platform.errors import RegistryError
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.record_store import Record, RecordStore
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.storage import sha256

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WRITES = ("set_tag", "delete_tag", "set_alias", "delete_alias")


def march(day: int) -> date:
    return date(2026, 3, day)


def register(registry: RecordRegistry, content: str, **changes: Any) -> ModelVersion:
    data = content.encode()
    facts: dict[str, Any] = {
        "digest": sha256(data),
        "as_of": march(1),
        "algorithm": "xgboost",
        "feature_schema_version": 1,
        "origin": "replayed",
        "cause": "schedule",
        "run_id": None,
        "created_at": NOON,
        "description": "a model",
    }
    return registry.register(data, **{**facts, **changes})


def promote(registry: RecordRegistry, version: ModelVersion | str, day: int, *, hour: int = 0) -> ModelVersion:
    return registry.promote(version, day=march(day), reason="it is better", promoted_at=NOON + timedelta(hours=hour))


class InterruptedStore:
    """A store whose n-th write dies: before anything happened, or after it did and only the answer was lost."""

    def __init__(self, store: RecordStore, *, at_write: int, is_answer_lost: bool) -> None:
        self._store = store
        self._writes_left = at_write
        self._is_answer_lost = is_answer_lost

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._store, name)
        return method if name not in WRITES else lambda *arguments: self._write(method, *arguments)

    def _write(self, method: Callable[..., Any], *arguments: str) -> None:
        self._writes_left -= 1
        if self._writes_left != 0:
            method(*arguments)
            return
        if self._is_answer_lost:
            method(*arguments)
        raise RegistryError("the connection was lost")

    def records(self) -> list[Record]:
        return self._store.records()

    @property
    def was_interrupted(self) -> bool:
        return self._writes_left <= 0


def champions(registry: RecordRegistry, *days: int) -> list[str | None]:
    found = [registry.champion_as_of(march(day)) for day in days]
    return [version.version if version else None for version in found]
