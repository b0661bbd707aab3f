"""What the graph writes into the audit trail, and the heads of the trail that others keep for it.

A head noted in the model registry and in Dagster's history shows later that the trail's end was removed or that it was
written anew. How entries are kept and judged belongs to `governance`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterInstance

from fraud_platform.defs.resources import Platform
from fraud_platform.governance.audit_entry import Event, Head
from fraud_platform.registry.promotion import AUDIT_HEAD

if TYPE_CHECKING:
    from fraud_platform.registry.mlflow_tracker import TrainingFacts
    from fraud_platform.registry.registry import ModelRegistry
    from fraud_platform.registry.releasing import Release
    from fraud_platform.training.bundle import ModelBundle

HEAD = AUDIT_HEAD
# Assets whose materialisations carry the head of the trail.
_WITNESSES = ("trained_model", "model_release")
_RELEASE_EVENTS: dict[str, Event] = {
    "released": "release",
    "rejected": "rejection",
    "kept": "champion_kept",
    # Nobody's place has changed yet; what becomes of it is an entry of its own.
    "shadow": "note",
    "approval": "note",
}


def record_retraining(platform: Platform, run_id: str, bundle: "ModelBundle", facts: "TrainingFacts") -> str:
    """Records that a model was trained; returns the trail's head."""
    details = {"run_id": run_id, "algorithm": bundle.algorithm, "bundle_sha256": bundle.digest, **facts.as_tags()}
    entry = platform.audit.record(
        "retraining", subject=f"trained_model/{facts.as_of}", reason=facts.cause, details=details
    )
    return str(entry.head)


def record_release(platform: Platform, run_id: str, released: "Release") -> str:
    """Records what became of a candidate, and of a challenger whose shadow it ended, and notes the trail's head on its
    registered version; returns the head.
    """
    from fraud_platform.registry.shadow import superseded_by

    version = released.version
    if released.action in ("shadow", "approval"):
        for other in superseded_by(platform.registry, version):
            platform.audit.record("rejection", subject=f"model/{other.semver}", reason=str(other.rejection))
    entry = platform.audit.record(
        _RELEASE_EVENTS[released.action],
        subject=f"model/{version.semver}",
        reason=released.reason,
        details={
            "run_id": run_id,
            "action": released.action,
            "version": version.version,
            "bundle_sha256": version.digest,
            "as_of": version.as_of.isoformat(),
            "trigger": released.trigger,
            "cause": released.cause,
            "champion": released.champion,
        },
    )
    platform.registry.note(version, HEAD, str(entry.head))
    return str(entry.head)


def noted_heads(registry: "ModelRegistry", instance: DagsterInstance) -> Iterator[Head]:
    """Every head of the trail that the model registry and Dagster's history hold."""
    for version, text in registry.notes(HEAD).items():
        yield Head.parse(text, source=f"registered version {version}")
    for asset in _WITNESSES:
        cursor = None
        while True:
            found = instance.fetch_materializations(dg.AssetKey(asset), limit=1000, cursor=cursor)
            for record in found.records:
                materialisation = record.asset_materialization
                head = materialisation.metadata.get(HEAD) if materialisation else None
                if materialisation and head is not None:
                    yield Head.parse(str(head.value), source=f"{asset} of {materialisation.partition} in Dagster")
            if not found.has_more:
                break
            cursor = found.cursor
