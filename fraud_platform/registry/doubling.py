"""One version for each bundle, also where two programs register the same at once and the store knows no locks.

Each looks again after it has created its own; whoever is later sees both. Registering does not belong here.
"""

from fraud_platform.registry.record_store import RecordStore
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.registry.registry_snapshot import Snapshot


def only_version(store: RecordStore, digest: str) -> ModelVersion | None:
    """The first version with that bundle, None where there is none; any other that nobody has used is withdrawn."""
    first, *doubled = [version for version in Snapshot.of(store).versions() if version.digest == digest] or (None,)
    for version in doubled:
        if version and not version.aliases and not version.champion_from:
            store.withdraw(version.version)
    return first
