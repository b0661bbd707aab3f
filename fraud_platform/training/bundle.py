"""One released thing: estimator, calibration, threshold, drift baseline and provenance, as sealed bytes with a digest.

How the parts are made does not belong here, and neither does where bundles are kept.

A bundle is a zip archive without dates whose last bytes seal all others; `manifest.json` names every member with its
SHA-256. Members are JSON, text, and the model files of `estimators`; nothing in it is ever unpickled.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fraud_platform.errors import DataError, ModelError
from fraud_platform.features.profile import Profile
from fraud_platform.features.schema import FEATURE_SCHEMA_VERSION
from fraud_platform.storage import canonical_json, sha256
from fraud_platform.training.archive import read_sealed_archive, write_archive
from fraud_platform.training.calibration import Calibration
from fraud_platform.training.dataset import feature_matrix
from fraud_platform.training.estimators import ALL_CORES, Estimator
from fraud_platform.training.model_files import load_estimator
from fraud_platform.training.thresholds import DecisionThreshold

BUNDLE_FORMAT = "fraud-model-bundle-2"
# The column of the baseline that describes the model's own answers.
SCORE_COLUMN = "fraud_probability"

_MANIFEST = "manifest.json"
_ESTIMATOR_FOLDER = "estimator/"
# Far above any of the documents; reading a longer one would take minutes before it is refused.
_LONGEST_DOCUMENT_BYTES = 2**24
_DOCUMENTS = ("calibration.json", "threshold.json", "alternatives.json", "baseline.txt", "provenance.json")


@dataclass(frozen=True)
class ModelBundle:
    """Everything scoring, explaining and drift detection need of a model.

    Attributes:
        algorithm: the candidate family.
        feature_names: the columns the estimator was fitted on, in order.
        feature_schema_version: the version of the feature table it was fitted on.
        estimator: answers uncalibrated probabilities and contributions.
        calibration: turns them into probabilities that come true.
        threshold: from which calibrated probability on a transaction is alerted.
        alternatives: what every other threshold policy would have chosen, and what it would have given.
        baseline: distribution of every feature in the training rows, and of `fraud_probability` in rows that the
            models that answered had not seen.
        provenance: JSON document: as-of day, data version, seed, parameters, candidates, row counts, origin.
    """

    algorithm: str
    feature_names: tuple[str, ...]
    feature_schema_version: int
    estimator: Estimator
    calibration: Calibration
    threshold: DecisionThreshold
    baseline: Profile
    provenance: Mapping[str, Any]
    alternatives: tuple[DecisionThreshold, ...] = ()

    def predict(self, features: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Calibrated fraud probability of each row, float64 [n], in [0, 1].

        Args:
            features: a table with (at least) the bundle's feature columns, or a float32 matrix [n, k] of just these,
                in its order.

        Raises:
            ModelError: the model was made for another feature set than this platform computes.
        """
        if self.feature_schema_version != FEATURE_SCHEMA_VERSION:
            raise ModelError(
                f"model was trained on feature schema {self.feature_schema_version}, this platform computes "
                f"{FEATURE_SCHEMA_VERSION}; train again"
            )
        if isinstance(features, pd.DataFrame):
            features = feature_matrix(features, self.feature_names)
        if features.ndim != 2 or features.shape[1] != len(self.feature_names):  # noqa: PLR2004 - rows and columns
            raise ModelError(
                f"model takes {len(self.feature_names)} features, got an array of shape {features.shape}; "
                "build the features again"
            )
        return self.calibration.apply(self.estimator.predict_probability(features.astype(np.float32, copy=False)))

    def to_bytes(self) -> bytes:
        """The bundle as it is stored: equal bytes for equal content; what was loaded stays as it was loaded."""
        return self._bytes

    @cached_property
    def digest(self) -> str:
        """What names these very bytes: `sha256:<64 hex digits>`."""
        return sha256(self._bytes)

    @classmethod
    def from_bytes(cls, data: bytes, expected_digest: str | None = None, *, threads: int = ALL_CORES) -> "ModelBundle":
        """The bundle that `to_bytes` wrote.

        Args:
            data: the stored bytes.
            expected_digest: the digest it was registered with; checked before anything else.
            threads: cores to predict with; 0 for all.

        Raises:
            ModelError: another digest, a changed byte, a missing or unexpected member, or a class that is not trusted.
        """
        digest = sha256(data)
        if expected_digest is not None and digest != expected_digest:
            raise ModelError(f"model bundle has digest {digest}, registered was {expected_digest}; restore it")
        members = read_sealed_archive(data)
        manifest = _checked_manifest(members)
        try:
            bundle = cls(
                algorithm=manifest["algorithm"],
                feature_names=tuple(map(str, manifest["feature_names"])),
                feature_schema_version=int(manifest["feature_schema_version"]),
                estimator=load_estimator(
                    manifest["algorithm"],
                    {
                        name.removeprefix(_ESTIMATOR_FOLDER): content
                        for name, content in members.items()
                        if name not in (_MANIFEST, *_DOCUMENTS)
                    },
                    threads,
                ),
                calibration=Calibration.from_dict(json.loads(members["calibration.json"])),
                threshold=DecisionThreshold.from_dict(json.loads(members["threshold.json"])),
                baseline=Profile.from_text(members["baseline.txt"].decode()),
                provenance=_as_document(json.loads(members["provenance.json"])),
                alternatives=tuple(map(DecisionThreshold.from_dict, json.loads(members["alternatives.json"]))),
            )
            bundle._try_out()
        except (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, DataError) as error:
            raise ModelError(f"model bundle cannot be read ({type(error).__name__}: {error}); train again") from None
        # Another release of a library may write the same model otherwise; the digest stays that of what was registered.
        vars(bundle)["_bytes"] = data
        return bundle

    def _try_out(self) -> None:
        """Scores one row: parts that do not fit together are better found here than in the midst of a day.

        Raises:
            ValueError: they do not, or the answer is no probability.
        """
        answer = self.calibration.apply(
            self.estimator.predict_probability(np.zeros((1, len(self.feature_names)), np.float32))
        )
        if answer.shape != (1,) or not 0 <= answer[0] <= 1:
            raise ValueError(f"it answers {answer} where one probability is due")

    @cached_property
    def _bytes(self) -> bytes:
        members = {
            "calibration.json": canonical_json(self.calibration.as_dict()),
            "threshold.json": canonical_json(self.threshold.as_dict()),
            "alternatives.json": canonical_json([threshold.as_dict() for threshold in self.alternatives]),
            "baseline.txt": self.baseline.to_text().encode(),
            "provenance.json": canonical_json(self.provenance),
            **{_ESTIMATOR_FOLDER + name: content for name, content in self.estimator.to_files().items()},
        }
        manifest = {
            "format": BUNDLE_FORMAT,
            "algorithm": self.algorithm,
            "feature_names": list(self.feature_names),
            "feature_schema_version": self.feature_schema_version,
            "members": {name: sha256(content) for name, content in members.items()},
        }
        return write_archive({**members, _MANIFEST: canonical_json(manifest)}, is_sealed=True)


def _as_document(parsed: Any) -> Mapping[str, Any]:
    if not isinstance(parsed, dict):
        raise TypeError("provenance is no document")
    return parsed


def _checked_manifest(members: Mapping[str, bytes]) -> dict[str, Any]:
    too_long = [name for name in (_MANIFEST, *_DOCUMENTS) if len(members.get(name, b"")) > _LONGEST_DOCUMENT_BYTES]
    if too_long:
        raise ModelError(f"model bundle's {too_long[0]} is longer than {_LONGEST_DOCUMENT_BYTES} bytes; refused")
    try:
        manifest = json.loads(members[_MANIFEST])
        listed = {str(name): digest for name, digest in manifest["members"].items()}
        found = manifest["format"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"model bundle has no readable {_MANIFEST} ({type(error).__name__}); train again") from None
    if found != BUNDLE_FORMAT:
        raise ModelError(f"model bundle is of format {found!r}, this platform reads {BUNDLE_FORMAT!r}; train again")
    present = set(members) - {_MANIFEST}
    missing = (set(listed) | set(_DOCUMENTS)) - present
    if missing:
        raise ModelError(f"model bundle lacks {', '.join(sorted(missing))}; restore it or train again")
    if present - set(listed):
        raise ModelError(f"model bundle holds {', '.join(sorted(present - set(listed)))} beside its manifest; refused")
    for name in sorted(present):
        if sha256(members[name]) != listed[name]:
            raise ModelError(f"model bundle's {name} is not what its manifest says; restore it or train again")
    return manifest
