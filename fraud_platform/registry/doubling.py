"""One version for each bundle and one number for each version, also where two programs register at once without locks.

Each looks again after it has created its own; whoever is later sees both. Registering does not belong here.
"""

from fraud_platform.registry.record_store import RecordStore
from fraud_platform.registry.registry import ModelVersion, next_semantic_version
from fraud_platform.registry.registry_snapshot import Snapshot


def only_version(store: RecordStore, digest: str) -> ModelVersion | None:
    """The first version with that bundle, None where there is none; any other that nobody has used is withdrawn."""
    first, *doubled = [version for version in Snapshot.of(store).versions() if version.digest == digest] or (None,)
    for version in doubled:
        if version and not version.aliases and not version.champion_from:
            store.withdraw(version.version)
    return first


def numbered_apart(store: RecordStore, version: ModelVersion) -> ModelVersion:
    """The version, under the next semantic version where an earlier one got the same at the same moment."""
    while True:
        others = [other for other in Snapshot.of(store).versions() if other.version != version.version]
        if not any(other.semver == version.semver and int(other.version) < int(version.version) for other in others):
            return version
        store.set_tag(version.version, "semver", next_semantic_version(others, version.feature_schema_version))
        version = Snapshot.of(store).find(version)
