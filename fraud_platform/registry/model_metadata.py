"""What is written down of every registered model, in one flat document of fixed names for other systems.

For people there is the model card; what the names' values mean is defined where they are computed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fraud_platform.registry.registry import MODEL_NAME, ModelVersion
from fraud_platform.registry.validation import selected_candidate

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

MODEL_METADATA_SCHEMA_VERSION = 1

# The names other systems ask for, and where the test split's figures have them.
_METRICS = {
    "f1_score": "f1",
    "precision": "precision",
    "recall": "recall",
    "pr_auc": "average_precision",
    "roc_auc": "roc_auc",
}


def model_metadata(
    version: ModelVersion, bundle: "ModelBundle", validation: Mapping[str, Any], trained: Mapping[str, Any]
) -> dict[str, Any]:
    """The model's metadata as a JSON document; what is not known is None.

    Args:
        version: as registered.
        bundle: the model.
        validation: the document `validation_metrics` stored for it.
        trained: what its training recorded beside the model: `training_seconds`, `git_commit`, `uv_lock_sha256`.
    """
    test = validation["test"]
    seconds = trained.get("training_seconds")
    return {
        "schema_version": MODEL_METADATA_SCHEMA_VERSION,
        "model_id": f"{MODEL_NAME}_v{version.semver}",
        "version": version.version,
        "created_at": version.created_at.isoformat().replace("+00:00", "Z"),
        "algorithm": bundle.algorithm,
        "bundle_sha256": bundle.digest,
        "as_of": version.as_of.isoformat(),
        "data_version": bundle.provenance.get("data_version"),
        "data_origin": version.origin,
        "metrics": {name: test[figure]["value"] for name, figure in _METRICS.items()},
        "decision_threshold": bundle.threshold.value,
        "hyperparameters": dict(selected_candidate(bundle)["params"]),
        "seed": bundle.provenance.get("seed"),
        "feature_schema_version": bundle.feature_schema_version,
        "training_duration_sec": None if seconds is None else round(float(seconds), 1),
        "git_commit": trained.get("git_commit"),
        "uv_lock_hash": trained.get("uv_lock_sha256"),
    }
