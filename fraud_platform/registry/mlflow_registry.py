"""The model registry on MLflow: one registered model, aliases for who is who, tags for everything else.

Works on a database URI without any server (SQLite by default) and on an MLflow server by its URL. The registry's rules
do not belong here (`record_registry`), nor does the tracking of trainings (`mlflow_tracker`).
"""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fraud_platform.errors import ModelError
from fraud_platform.governance.pan_guard import mask_card_numbers
from fraud_platform.registry.mlflow_connection import EXPERIMENT, MlflowConnection, ignoring_code
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.record_store import Record
from fraud_platform.registry.registry import MODEL_NAME

# A column of that width in MLflow's own schema; PostgreSQL refuses more.
_DESCRIPTION_CHARACTERS = 5000

_MODEL_DESCRIPTION = (
    "Finds credit-card fraud in daily batches. `champion` decides, `challenger` is scored in its shadow, `previous` is "
    "what a rollback returns to. The tag `champion_from` of a version lists the days its reigns began."
)


class MlflowRecords:
    """A `RecordStore` in MLflow: a record is a version of one registered model, its bytes a file of its run."""

    def __init__(self, connection: MlflowConnection, *, model_name: str = MODEL_NAME) -> None:
        self._connection = connection
        self._model_name = model_name

    def records(self) -> list[Record]:
        """Every record, oldest first."""
        found: list[Any] = []
        with self._connection.reach("list the registered models") as client:
            token: str | None = ""
            while token is not None:
                page = client.search_model_versions(f"name = '{self._model_name}'", page_token=token or None)
                found.extend(page)
                token = page.token or None
        found.sort(key=lambda version: int(version.version))
        return [Record(str(version.version), version.run_id or None, dict(version.tags)) for version in found]

    def aliases(self) -> dict[str, str]:
        """Version by alias; searching for versions does not tell them reliably."""
        with self._connection.reach("read the registered model's aliases") as client:
            with ignoring_code("RESOURCE_DOES_NOT_EXIST"):
                model = client.get_registered_model(self._model_name)
                return {alias: str(version) for alias, version in model.aliases.items()}
            return {}

    def create(self, data: bytes, *, tags: Mapping[str, str], run_id: str | None, description: str) -> str:
        """The number of a new record with all its tags; where there is no run yet, one is made to hold the bytes."""
        path = _bundle_path(tags["bundle_sha256"])
        experiment = "" if run_id else self._connection.experiment_id()
        with self._connection.reach("register a model") as client:
            with ignoring_code("RESOURCE_ALREADY_EXISTS"):
                client.create_registered_model(self._model_name, description=_MODEL_DESCRIPTION)
            holder = run_id
            if holder is None:
                holder = client.create_run(experiment, run_name=f"{self._model_name} {tags['semver']}").info.run_id
            client.log_stream(holder, io.BytesIO(data), path)
            if run_id is None:
                client.set_terminated(holder)
            version = client.create_model_version(
                self._model_name,
                source=f"runs:/{holder}/{path.rpartition('/')[0]}",
                run_id=holder,
                tags={name: mask_card_numbers(text) for name, text in tags.items()},
                description=mask_card_numbers(description)[:_DESCRIPTION_CHARACTERS],
            )
            return str(version.version)

    def withdraw(self, version: str) -> None:
        """Removes a record that nobody has used; its run and files stay."""
        with (
            self._connection.reach(f"withdraw version {version}") as client,
            ignoring_code("RESOURCE_DOES_NOT_EXIST"),
        ):
            client.delete_model_version(self._model_name, version)

    def read(self, record: Record) -> bytes:
        """The bytes behind a record."""
        path = _bundle_path(record.tags["bundle_sha256"])
        gone = f"the bundle of version {record.version} is gone from run {record.run_id}; promote another version"
        if record.run_id is None:
            raise ModelError(gone)
        with self._connection.reach(f"read the bundle of version {record.version}") as client:
            present = {file.path for file in client.list_artifacts(record.run_id, path.rpartition("/")[0])}
            if path not in present:
                raise ModelError(gone)
            with tempfile.TemporaryDirectory() as folder:
                return Path(client.download_artifacts(record.run_id, path, folder)).read_bytes()

    def set_tag(self, version: str, name: str, text: str) -> None:
        """Writes one tag."""
        with self._connection.reach(f"write tag {name} of version {version}") as client:
            client.set_model_version_tag(self._model_name, version, name, mask_card_numbers(text))

    def delete_tag(self, version: str, name: str) -> None:
        """Removes one tag."""
        with self._connection.reach(f"remove tag {name} of version {version}") as client:
            client.delete_model_version_tag(self._model_name, version, name)

    def set_alias(self, alias: str, version: str) -> None:
        """Points an alias at a record."""
        with self._connection.reach(f"move alias {alias} to version {version}") as client:
            client.set_registered_model_alias(self._model_name, alias, version)

    def delete_alias(self, alias: str) -> None:
        """Removes an alias."""
        with self._connection.reach(f"remove alias {alias}") as client:
            client.delete_registered_model_alias(self._model_name, alias)


class MlflowRegistry(RecordRegistry):
    """A `ModelRegistry` on MLflow.

    Args:
        tracking_url: database URI or the URL of an MLflow server.
        artifact_url: folder or `s3://` prefix for bundles; None leaves it to the server.
        cache: folder for bundles read from afar, by digest.
        key: signs what is registered, and nothing else is read; None neither signs nor asks.
    """

    def __init__(
        self,
        tracking_url: str,
        *,
        artifact_url: str | None = None,
        cache: Path | None = None,
        key: bytes | None = None,
        experiment: str = EXPERIMENT,
        model_name: str = MODEL_NAME,
    ) -> None:
        self._connection = MlflowConnection(tracking_url, artifact_url=artifact_url, experiment=experiment)
        self._model_name = model_name
        super().__init__(MlflowRecords(self._connection, model_name=model_name), cache=cache, key=key)

    def probe(self, mark: str) -> None:
        """Writes `mark` as a tag of the experiment: raises RegistryError where this registry cannot be written."""
        experiment = self._connection.experiment_id()
        with self._connection.reach("write") as client:
            client.set_experiment_tag(experiment, "probed_by", mark)

    def forget_everything(self) -> None:
        """Removes every version, alias and tag; the training runs stay."""
        with self._connection.reach("remove the registered model") as client, ignoring_code("RESOURCE_DOES_NOT_EXIST"):
            client.delete_registered_model(self._model_name)


def _bundle_path(digest: str) -> str:
    """Where in its run a bundle is; the digest keeps two bundles of one run apart."""
    return f"model/bundle-{digest.removeprefix('sha256:')[:12]}.zip"
