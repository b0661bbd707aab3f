"""One MLflow, by database URI or server URL: reached when it is first needed, quiet, its failures one line each.

What is kept there does not belong here: models (`mlflow_registry`), trainings (`mlflow_tracker`).
"""

import logging
import os
import sqlite3
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fraud_platform.errors import RegistryError, RegistryUnavailableError
from fraud_platform.registry.reachability import require_answer
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

# One line of a terminal or a chat message, not a page of nested connection errors.
_REASON_CHARACTERS = 300


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
            RegistryUnavailableError: MLflow cannot be reached or refuses.
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
                with ignoring_code("RESOURCE_ALREADY_EXISTS"):
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

    def _refusal(self, purpose: str, error: Exception) -> RegistryUnavailableError:
        root: BaseException = error
        while cause := root.__cause__ or root.__context__:
            root = cause
        # "Connection refused" says it; the layers of HTTP around it do not.
        said = str(root if isinstance(root, OSError) and root.strerror else error)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        reason = self._without_password(lines[0] if lines else type(error).__name__)
        return RegistryUnavailableError(
            f"{self._shown()} cannot {purpose}: {textwrap.shorten(reason, _REASON_CHARACTERS, placeholder=' ...')}; "
            "check MLFLOW_TRACKING_URI and that the server or database behind it is up"
        )

    def _without_password(self, text: str) -> str:
        password = urlsplit(self.tracking_url).password
        return text.replace(f":{password}@", ":***@") if password else text


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
def ignoring_code(code: str) -> Iterator[None]:
    """Lets one MLflow error code pass."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
