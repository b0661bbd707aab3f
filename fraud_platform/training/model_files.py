"""From a model's files back to the estimator that wrote them, whichever family or ensemble it is.

Sealing and digests belong to `bundle`.
"""

from collections.abc import Mapping
from typing import Any

from fraud_platform.errors import ModelError
from fraud_platform.training.ensembles import EnsembleEstimator
from fraud_platform.training.estimators import (
    ALL_CORES,
    Estimator,
    LightGBMEstimator,
    LogisticRegressionEstimator,
    XGBoostEstimator,
)
from fraud_platform.training.forest import RandomForestEstimator

_FAMILIES: dict[str, Any] = {
    family.algorithm: family
    for family in (LogisticRegressionEstimator, RandomForestEstimator, XGBoostEstimator, LightGBMEstimator)
}


def load_estimator(algorithm: str, files: Mapping[str, bytes], threads: int = ALL_CORES) -> Estimator:
    """The estimator that `to_files` wrote.

    Raises:
        ModelError: an algorithm or file the platform does not know, or a file that cannot be read or trusted.
    """
    if algorithm == EnsembleEstimator.algorithm:
        return _load_ensemble(files, threads)
    family = _FAMILIES.get(algorithm)
    if family is None:
        known = ", ".join([*_FAMILIES, EnsembleEstimator.algorithm])
        raise ModelError(f"model of unknown algorithm {algorithm!r}; this platform knows {known}")
    if set(files) != {family.file_name}:
        raise ModelError(f"model of {algorithm} holds {sorted(files)} where {family.file_name} belongs; refused")
    return family.from_files(files, threads)


def _load_ensemble(files: Mapping[str, bytes], threads: int) -> EnsembleEstimator:
    folders: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        folder, _, name = path.partition("/")
        folders.setdefault(folder, {})[name] = content
    members = []
    for place, folder in enumerate(sorted(folders, key=lambda name: (len(name.partition("-")[0]), name))):
        number, _, algorithm = folder.partition("-")
        if number != str(place) or algorithm not in _FAMILIES:
            raise ModelError(f"ensemble holds {sorted(folders)}, not one known model per place; refused, train again")
        members.append(load_estimator(algorithm, folders[folder], threads))
    if not members:
        raise ModelError("ensemble holds no model; restore it or train again")
    return EnsembleEstimator(members, threads)
