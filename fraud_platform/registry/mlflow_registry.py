"""The model registry on MLflow: one registered model, aliases for who is who, tags for everything else.

Works on a database URI without any server (SQLite by default) and on an MLflow server by its URL. The registry's rules
do not belong here (`record_registry`), nor does the tracking of trainings (`mlflow_tracker`).
"""

import io
import logging
import os
import sqlite3
import tempfile
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fraud_platform.errors import ModelError, RegistryError
from fraud_platform.registry.reachability import require_answer
from fraud_platform.registry.record_registry import RecordRegistry
from fraud_platform.registry.record_store import Record
from fraud_platform.registry.registry import MODEL_NAME
from fraud_platform.storage import is_remote, open_location

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = MODEL_NAME

# MLflow is configured by its own variables. These are defaults for whoever set none: an unreachable server is an
# error after seconds rather than minutes of retries, and standard output belongs to whoever calls us.
_MLFLOW_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}

# A column of that width in MLflow's own schema; PostgreSQL refuses more.
_DESCRIPTION_CHARACTERS = 5000

# One line of a terminal or a chat message, not a page of nested connection errors.
_REASON_CHARACTERS = 300

_MODEL_DESCRIPTION = (
    "Finds credit-card fraud in daily batches. `champion` decides, `challenger` is scored in its shadow, `previous` is "
    "what a rollback returns to. The tag `champion_from` of a version lists the days its reigns began."
)


class MlflowConnection:
    """One MLflow, reached when it is first needed; its failures are RegistryErrors of one line.

    Args:
        tracking_url: database URI (`sqlite:////folder/mlflow.db`) or the URL of an MLflow server.
        artifact_url: folder or `s3://` prefix for files; None leaves it to the server.
        experiment: name of the experiment that runs belong to.
    """

    def __init__(self, tracking_url: str, *, artifact_url: str | None = None, experiment: str = EXPERIMENT) -> None:
        self.tracking_url = tracking_url
        self._artifact_url = artifact_url
        self._experiment = experiment
        self._client: MlflowClient | None = None

    @contextmanager
    def reach(self, purpose: str) -> Iterator["MlflowClient"]:
        """MLflow's client, for the length of one `purpose` such as "read the registered models".

        Raises:
            RegistryError: MLflow cannot be reached or refuses.
        """
        if self._client is None:
            # Before MLflow is imported: whoever cannot reach it need not wait seconds for that either.
            try:
                require_answer(self.tracking_url)
            except (OSError, sqlite3.Error) as error:
                raise self._refusal(purpose, error) from error
        try:
            with warnings.catch_warnings():
                # MLflow's own use of what its libraries deprecate is nothing that whoever calls us could mend.
                warnings.simplefilter("ignore", DeprecationWarning)
                if self._client is None:
                    self._client = self._connect()
                yield self._client
        except _failures() as error:
            raise self._refusal(purpose, error) from error

    def experiment_id(self) -> str:
        """The experiment's id; the experiment is created on first use."""
        with self.reach(f"open experiment {self._experiment!r}") as client:
            for _ in range(2):
                existing = client.get_experiment_by_name(self._experiment)
                if existing is not None:
                    return str(existing.experiment_id)
                with _ignoring_code("RESOURCE_ALREADY_EXISTS"):
                    client.create_experiment(self._experiment, artifact_location=self._artifact_uri())
        raise RegistryError(f"{self._shown()} neither has nor creates experiment {self._experiment!r}")

    def _connect(self) -> "MlflowClient":
        for name, text in _MLFLOW_DEFAULTS.items():
            os.environ.setdefault(name, text)
        # Whoever imported MLflow before us has its logger at INFO already.
        import mlflow

        logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
        return mlflow.MlflowClient(self.tracking_url, self.tracking_url)

    def _artifact_uri(self) -> str | None:
        if self._artifact_url is None:
            return None
        folder = open_location(self._artifact_url)
        return str(folder) if is_remote(folder) else Path(folder.path).as_uri()

    def _shown(self) -> str:
        return f"MLflow at {self._without_password(self.tracking_url)}"

    def _refusal(self, purpose: str, error: Exception) -> RegistryError:
        root: BaseException = error
        while cause := root.__cause__ or root.__context__:
            root = cause
        # "Connection refused" says it; the layers of HTTP around it do not.
        said = str(root if isinstance(root, OSError) and root.strerror else error)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        reason = self._without_password(lines[0] if lines else type(error).__name__)
        return RegistryError(
            f"{self._shown()} cannot {purpose}: {textwrap.shorten(reason, _REASON_CHARACTERS, placeholder=' ...')}; "
            "check MLFLOW_TRACKING_URI and that the server or database behind it is up"
        )

    def _without_password(self, text: str) -> str:
        password = urlsplit(self.tracking_url).password
        return text.replace(f":{password}@", ":***@") if password else text


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
            with _ignoring_code("RESOURCE_DOES_NOT_EXIST"):
                model = client.get_registered_model(self._model_name)
                return {alias: str(version) for alias, version in model.aliases.items()}
            return {}

    def create(self, data: bytes, *, tags: Mapping[str, str], run_id: str | None, description: str) -> str:
        """The number of a new record with all its tags; where there is no run yet, one is made to hold the bytes."""
        path = _bundle_path(tags["bundle_sha256"])
        experiment = "" if run_id else self._connection.experiment_id()
        with self._connection.reach("register a model") as client:
            with _ignoring_code("RESOURCE_ALREADY_EXISTS"):
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
                tags=dict(tags),
                description=description[:_DESCRIPTION_CHARACTERS],
            )
            return str(version.version)

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
            client.set_model_version_tag(self._model_name, version, name, text)

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
    """

    def __init__(
        self,
        tracking_url: str,
        *,
        artifact_url: str | None = None,
        cache: Path | None = None,
        experiment: str = EXPERIMENT,
        model_name: str = MODEL_NAME,
    ) -> None:
        connection = MlflowConnection(tracking_url, artifact_url=artifact_url, experiment=experiment)
        super().__init__(MlflowRecords(connection, model_name=model_name), cache=cache)


def _bundle_path(digest: str) -> str:
    """Where in its run a bundle is; the digest keeps two bundles of one run apart."""
    return f"model/bundle-{digest.removeprefix('sha256:')[:12]}.zip"


@cache
def _failures() -> tuple[type[Exception], ...]:
    """Every way in which MLflow, its database or its file store says no."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # requests' errors are OSErrors; a missing database driver is an ImportError.
    from_libraries = (MlflowException, SQLAlchemyError, BotoCoreError, ClientError, Boto3Error)
    return (*from_libraries, OSError, sqlite3.Error, ImportError)


@contextmanager
def _ignoring_code(code: str) -> Iterator[None]:
    """Lets one MLflow error code pass."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
