"""Registries to test: one in memory, one on a fresh SQLite database of MLflow.

Creating MLflow's tables takes seconds, so they are created once and copied.
"""

import shutil
from pathlib import Path

import pytest

from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.mlflow_registry import MlflowConnection, MlflowRegistry
from fraud_platform.registry.record_registry import RecordRegistry


@pytest.fixture(scope="session")
def empty_mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with MlflowConnection(f"sqlite:///{database}").reach("create the tables"):
        return database


@pytest.fixture
def tracking_url(empty_mlflow_database: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_mlflow_database, tmp_path / 'mlflow.db')}"


@pytest.fixture(params=["memory", "mlflow"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> RecordRegistry:
    if request.param == "memory":
        return MemoryRegistry()
    return MlflowRegistry(request.getfixturevalue("tracking_url"), artifact_url=str(tmp_path / "artifacts"))
