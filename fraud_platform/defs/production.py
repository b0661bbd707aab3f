"""The parts of a production Dagster instance: history in PostgreSQL, printed output in the bucket, runs watched.

`deploy/dagster.yaml` puts them together; what they point at comes from the settings. The instance of a single machine
does not belong here.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dagster import DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.auth import PgTokenProvider
from dagster_postgres.utils import DagsterPostgresException

from fraud_platform.defs.patience import wait_for_server
from fraud_platform.defs.patient_event_log import PatientEventLog
from fraud_platform.defs.remedies import first_line, remedy_for, said_by_driver
from fraud_platform.errors import PlatformError
from fraud_platform.logs import set_up_logs
from fraud_platform.settings import Settings, load_settings, reporting_settings

# Beside the assets; a lifecycle rule of the bucket may expire this prefix alone.
LOG_FOLDER = "compute_logs"
# What a long training prints is seen while it runs.
UPLOAD_SECONDS = 30


class PasswordFile(PgTokenProvider):
    """The password in `FRAUD_POSTGRES_PASSWORD_FILE`, read for every new connection."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    def _fetch_token(self) -> tuple[str, float]:
        # Expired as soon as it is read, so that nobody keeps a rotated password.
        return self._settings.postgres_password() or "", 0.0


class PostgresHistory(DagsterPostgresStorage):
    """Dagster's history in the PostgreSQL of `FRAUD_POSTGRES_URL`."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: the settings say it all."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PostgresHistory":
        """The storage of the current settings.

        Raises:
            PlatformError: no database is named, its password cannot be read, or it does not answer.
        """
        # Webserver and daemon load nothing of the platform before their history.
        set_up_logs(reporting_settings())
        settings = load_settings()
        if not settings.history_url:
            raise PlatformError(
                "FRAUD_POSTGRES_URL is not set, and this Dagster instance keeps its history in PostgreSQL; set it to "
                "something like postgresql://dagster@127.0.0.1:5432/dagster, or unset DAGSTER_HOME for a local one"
            )
        provider = PasswordFile(settings) if settings.postgres_password() else None
        try:
            history = cls(settings.history_url, inst_data=inst_data, token_provider=provider)
            history._event_log_storage = PatientEventLog(
                settings.history_url, should_autocreate_tables=False, token_provider=provider
            )
        except DagsterPostgresException as error:
            remedy = remedy_for(error) or "start PostgreSQL or correct FRAUD_POSTGRES_URL"
            said = first_line(said_by_driver(error))
            raise PlatformError(f"PostgreSQL of FRAUD_POSTGRES_URL: {said}; {remedy}") from error
        # Not before: whoever starts without a database hears so at once. The webserver makes engines of its own, and
        # its pages do not wait.
        for storage in (history._event_log_storage, history._run_storage, history._schedule_storage):
            wait_for_server(storage._engine)
        return history


class BucketLogs(S3ComputeLogManager):
    """What runs print, in the bucket of `FRAUD_STORAGE`, next to the assets."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: the settings say it all."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "BucketLogs":
        """The logs of the current settings.

        Raises:
            PlatformError: `FRAUD_STORAGE` is no `s3://` prefix.
        """
        settings = load_settings()
        storage = urlsplit(settings.storage_url)
        if storage.scheme != "s3":
            raise PlatformError(
                f"FRAUD_STORAGE={settings.storage_url} is no s3:// prefix, and this Dagster instance keeps what runs "
                "print there; set it to something like s3://bucket/storage, or unset DAGSTER_HOME for a local instance"
            )
        return cls(
            storage.netloc,
            prefix="/".join(filter(None, (storage.path.strip("/"), LOG_FOLDER))),
            local_dir=str(settings.home / "dagster"),
            skip_empty_files=True,
            upload_interval=UPLOAD_SECONDS,
            inst_data=inst_data,
        )


class WatchedRunLauncher(DefaultRunLauncher):
    """Runs in processes of the code location, as by default, but a run whose process has gone is found out.

    Dagster's own launcher leaves such a run "started" for ever, where it holds back every later day. With this one the
    daemon's run monitoring marks it failed, and `run_retries` runs it again.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Asked for by the daemon's run monitoring."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the code location still works at `run`; while it cannot be reached, nothing is concluded."""
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started from a command line, which looks after it")
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code location cannot be reached now")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process has gone, with the code location it belonged to")
