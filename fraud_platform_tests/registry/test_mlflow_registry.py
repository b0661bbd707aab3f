"""What only the registry on MLflow promises: what people see in its pages, damage, caching, silence, speed."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from fraud_platform.errors import ModelError, RegistryError
from fraud_platform.registry.mlflow_registry import MlflowConnection, MlflowRegistry
from fraud_platform.storage import sha256
from fraud_platform_tests.registry.registration import champions, march, promote, register


@pytest.fixture
def model_name() -> str:
    return f"model_{uuid4().hex}"


@pytest.fixture
def registry(tracking_url: str, model_name: str) -> MlflowRegistry:
    return MlflowRegistry(tracking_url, model_name=model_name)


def bundle_file(folder: Path, content: str) -> Path:
    name = f"bundle-{sha256(content.encode()).removeprefix('sha256:')[:12]}.zip"
    (file,) = folder.rglob(name)
    return file


def test_mlflow_shows_description_tags_aliases_and_the_run(
    registry: MlflowRegistry, tracking_url: str, model_name: str
) -> None:
    promote(registry, register(registry, "seen in the pages", description="# The card"), 1)
    with MlflowConnection(tracking_url).reach("look") as client:
        model = client.get_registered_model(model_name)
        version = client.get_model_version(model_name, "1")
        run = client.get_run(str(version.run_id))
    assert "`champion` decides" in model.description
    assert {alias: str(number) for alias, number in model.aliases.items()} == {"champion": "1"}
    assert version.description == "# The card"
    assert version.source == f"runs:/{version.run_id}/model"
    assert run.info.status == "FINISHED"
    promoted_at = version.tags.pop("champion_from")
    assert promoted_at == "2026-03-01@2026-03-01T12:00:00.000000Z"
    assert version.tags == {
        "stage": "Production",
        "semver": "1.0.0",
        "bundle_sha256": sha256(b"seen in the pages"),
        "as_of": "2026-03-01",
        "created_at": "2026-03-01T12:00:00+00:00",
        "algorithm": "xgboost",
        "feature_schema_version": "1",
        "origin": "replayed",
        "cause": "schedule",
        "promotion_reason": "it is better",
        "promoted_because.2026-03-01T12:00:00.000000Z": "it is better",
    }


def test_two_bundles_of_one_training_run_do_not_overwrite_each_other(
    registry: MlflowRegistry, tracking_url: str
) -> None:
    run_id = register(registry, "made first").run_id
    again = register(registry, "made again", run_id=run_id)
    assert again.run_id == run_id
    assert [registry.read_bytes(number) for number in ("1", "2")] == [b"made first", b"made again"]


def test_a_description_too_long_for_mlflow_is_cut(registry: MlflowRegistry, tracking_url: str, model_name: str) -> None:
    register(registry, "verbose", description=6000 * "x")
    with MlflowConnection(tracking_url).reach("look") as client:
        assert client.get_model_version(model_name, "1").description == 5000 * "x"


def test_versions_that_others_made_are_left_alone(registry: MlflowRegistry, tracking_url: str, model_name: str) -> None:
    version = register(registry, "ours")
    with MlflowConnection(tracking_url).reach("make one by hand") as client:
        client.create_model_version(model_name, f"runs:/{version.run_id}/model", run_id=version.run_id)
        client.set_registered_model_alias(model_name, "champion", "2")
    assert [version.version for version in registry.versions()] == ["1"]
    assert registry.champion_as_of(march(9)) is None
    with pytest.raises(RegistryError, match=r"no model is 'champion'; there is 1 \(1\.0\.0\)"):
        registry.find("champion")
    promote(registry, "1", 1)
    assert champions(registry, 1) == ["1"]


def test_a_bundle_that_was_changed_in_the_store_is_refused(registry: MlflowRegistry, artifact_folder: Path) -> None:
    version = register(registry, "to be changed")
    bundle_file(artifact_folder, "to be changed").write_bytes(b"evil")
    with pytest.raises(ModelError, match=r"version 1 has digest sha256:.*somebody changed it"):
        registry.load(version)


def test_a_bundle_that_is_gone_is_named(registry: MlflowRegistry, artifact_folder: Path) -> None:
    version = register(registry, "to be deleted")
    bundle_file(artifact_folder, "to be deleted").unlink()
    with pytest.raises(ModelError, match="the bundle of version 1 is gone from run"):
        registry.read_bytes(version)


def test_a_cached_bundle_is_read_without_the_store_and_a_damaged_copy_is_replaced(
    tracking_url: str, model_name: str, artifact_folder: Path, tmp_path: Path
) -> None:
    registry = MlflowRegistry(tracking_url, model_name=model_name, cache=tmp_path / "cache")
    version = register(registry, "cached")
    assert registry.read_bytes(version) == b"cached"
    (copy,) = (tmp_path / "cache").iterdir()
    copy.write_bytes(b"cut sho")
    assert registry.read_bytes(version) == b"cached"
    bundle_file(artifact_folder, "cached").unlink()
    assert copy.read_bytes() == registry.read_bytes(version) == b"cached"


def test_a_fresh_database_is_created_without_a_word(tmp_path: Path) -> None:
    program = (
        "from datetime import date\n"
        "from fraud_platform.registry.mlflow_registry import MlflowRegistry\n"
        "from fraud_platform_tests.registry.registration import promote, register\n"
        "registry = MlflowRegistry('sqlite:///home/mlflow.db', artifact_url='home/artifacts')\n"
        "promote(registry, register(registry, 'first'), 1)\n"
        "assert registry.read_bytes('champion') == b'first'\n"
    )
    own = {name: text for name, text in os.environ.items() if not name.startswith("MLFLOW_")}
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**own, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (finished.stdout, finished.stderr) == ("", "")
    assert {entry.name for entry in tmp_path.iterdir()} == {"home"}
