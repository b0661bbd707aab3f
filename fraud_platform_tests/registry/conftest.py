"""Registries to test: one in memory, one in MLflow on SQLite.

Creating MLflow's tables takes seconds, so all tests share a database and each has a registered model of its own.
"""

from pathlib import Path
from uuid import uuid4

import pytest

from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.registry.mlflow_tracker import prepare_experiment
from fraud_platform.registry.record_registry import RecordRegistry


@pytest.fixture(scope="session")
def tracking_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    # A blank must not trouble any of the URLs that are made of these paths.
    folder = tmp_path_factory.mktemp("ml flow")
    url = f"sqlite:///{folder / 'deeper' / 'mlflow.db'}"
    prepare_experiment(url, artifact_url=str(folder / "artifacts"))
    return url


@pytest.fixture(params=["memory", "mlflow"])
def registry(request: pytest.FixtureRequest) -> RecordRegistry:
    if request.param == "memory":
        return MemoryRegistry()
    return MlflowRegistry(request.getfixturevalue("tracking_url"), model_name=f"model_{uuid4().hex}")


@pytest.fixture(scope="session")
def artifact_folder(tracking_url: str) -> Path:
    return Path(tracking_url.removeprefix("sqlite:///")).parents[1] / "artifacts"
