"""The bundles behind registered versions: read from the store or from a cache, and never another one than registered.

Which version is meant does not belong here (`registry_snapshot`), nor who may sign one (`record_registry`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from upath import UPath

from fraud_platform.errors import ModelError
from fraud_platform.registry.model_signature import require_signature
from fraud_platform.registry.record_store import Record, RecordStore
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.storage import sha256, write_atomically

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# Champion, challenger and the two before them: what a day's scoring and a comparison need at once.
_REMEMBERED_BUNDLES = 4


class BundleShelf:
    """Bundles by version.

    Args:
        store: where records live.
        cache: folder for bundles read from afar, by digest; None reads them from the store every time.
        key: what a version must be signed with; None where nobody signs.
    """

    def __init__(self, store: RecordStore, *, cache: Path | None, key: bytes | None) -> None:
        self._store = store
        self._cache = cache
        self._key = key
        self._bundles: dict[str, ModelBundle] = {}

    def read(self, version: ModelVersion, *, from_store: bool) -> bytes:
        """See `ModelRegistry.read_bytes`."""
        require_signature(version, self._key)
        cached = not from_store and self._cache and self._cache / f"{version.digest.removeprefix('sha256:')}.zip"
        if cached and cached.is_file() and sha256(data := cached.read_bytes()) == version.digest:
            return data
        data = self.read_unsigned(version)
        if cached:
            write_atomically(UPath(cached), data)
        return data

    def read_unsigned(self, version: ModelVersion) -> bytes:
        """The bytes in the store, whoever signed them or nobody.

        Raises:
            ModelError: they are missing, or their digest is not the registered one.
        """
        data = self._store.read(Record(version.version, version.run_id, {"bundle_sha256": version.digest}))
        if sha256(data) != version.digest:
            raise ModelError(
                f"the bundle of version {version.version} has digest {sha256(data)}, registered was {version.digest}; "
                "somebody changed it: do not use it, promote another version"
            )
        return data

    def load(self, version: ModelVersion) -> "ModelBundle":
        """See `ModelRegistry.load`."""
        from fraud_platform.training.bundle import ModelBundle

        require_signature(version, self._key)
        bundle = self._bundles.pop(version.digest, None)
        if bundle is None:
            bundle = ModelBundle.from_bytes(self.read(version, from_store=False), expected_digest=version.digest)
        self._bundles[version.digest] = bundle
        while len(self._bundles) > _REMEMBERED_BUNDLES:
            self._bundles.pop(next(iter(self._bundles)))
        return bundle
