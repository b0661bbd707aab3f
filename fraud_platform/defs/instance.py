"""The Dagster instance of this machine: history and logs below `$FRAUD_HOME/dagster`, however Dagster is started.

What a shared, production instance uses instead is configuration, not code, and does not belong here.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
)
from dagster._serdes import ConfigurableClassData

from fraud_platform.defs.local_history import OpenEventLogStorage, OpenRunStorage
from fraud_platform.logs import set_up_logs
from fraud_platform.settings import home_from_environment, reporting_settings


def dagster_home() -> Path:
    """`DAGSTER_HOME`, or the folder the platform keeps Dagster's history in."""
    chosen = os.environ.get("DAGSTER_HOME")
    return Path(chosen) if chosen else home_from_environment() / "dagster"


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """A block that one process at a time is in; the lock is the folder itself and goes with whoever holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class HomeStorage(DagsterSqliteStorage):
    """SQLite below `$FRAUD_HOME/dagster`: `dagster dev`, the command line and tests share one history."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None):
        # Two processes that prepare a new database at once both note its revision, and it could never be opened again.
        with _alone_in(Path(base_dir)):
            super().__init__(base_dir, inst_data)
            self._run_storage = OpenRunStorage.from_local(_runs_directory(base_dir))
            self._event_log_storage = OpenEventLogStorage(_event_logs_directory(base_dir))

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: `FRAUD_HOME` says it all."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> "HomeStorage":
        """The storage of the current `FRAUD_HOME`."""
        # Webserver and daemon load nothing of the platform before their history.
        set_up_logs(reporting_settings())
        return cls.from_local(base_dir=str(home_from_environment() / "dagster"), inst_data=inst_data)


class HomeComputeLogs(LocalComputeLogManager):
    """What runs print, below `$FRAUD_HOME/dagster`, so that it outlives `dagster dev`."""

    @property
    def folder(self) -> Path:
        """Where it is."""
        return Path(self._base_dir)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure: `FRAUD_HOME` says it all."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "HomeComputeLogs":
        """The logs of the current `FRAUD_HOME`."""
        return cls(base_dir=str(home_from_environment() / "dagster" / "compute_logs"), inst_data=inst_data)


def open_instance() -> DagsterInstance:
    """The instance `dagster dev` shows from here: `DAGSTER_HOME` where it is set, else the one below `FRAUD_HOME`."""
    if os.environ.get("DAGSTER_HOME"):
        return DagsterInstance.get()
    home = dagster_home()
    home.mkdir(parents=True, exist_ok=True)
    here = {"module": __name__, "config": {}}
    overrides = {
        "storage": {"custom": {**here, "class": HomeStorage.__name__}},
        "compute_logs": {**here, "class": HomeComputeLogs.__name__},
        "telemetry": {"enabled": False},
    }
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))
