"""The MLflow run of one Dagster run, found or begun; runs of killed processes are ended on the way.

What is written to a run belongs to `mlflow_tracker`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fraud_platform.processes import is_dead, process_mark
from fraud_platform.registry.mlflow_connection import MlflowConnection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Written with the run, not after it: there is no moment at which a run belongs to nobody.
PROCESS_TAG = "process"
# By which dagster-mlflow knows its run again.
_DAGSTER_TAG = "dagster_run_id"


def begin_run(tracking_url: str, experiment_id: str, *, name: str, dagster_run_id: str) -> str:
    """The id of the run of `dagster_run_id`, begun where there is none; it belongs to this process.

    A process that was killed could not end its run. Where it ran on this machine, that is known, and its run is ended
    as killed.

    Raises:
        RegistryError: MLflow cannot be reached.
    """
    from mlflow.tracking.context.registry import resolve_tags

    with MlflowConnection(tracking_url).reach("begin a run") as client:
        for run in _found(client, experiment_id, "attributes.status = 'RUNNING'"):
            if is_dead(run.data.tags.get(PROCESS_TAG, "")):
                client.set_terminated(run.info.run_id, "KILLED")
        for run in _found(client, experiment_id, f"tags.{_DAGSTER_TAG} = '{dagster_run_id}'"):
            client.set_tag(run.info.run_id, PROCESS_TAG, process_mark())
            return str(run.info.run_id)
        tags = resolve_tags({_DAGSTER_TAG: dagster_run_id, PROCESS_TAG: process_mark()})
        return str(client.create_run(experiment_id, run_name=name, tags=tags).info.run_id)


def _found(client: "MlflowClient", experiment_id: str, condition: str) -> "Iterator[Run]":
    token: str | None = ""
    while token is not None:
        page = client.search_runs([experiment_id], condition, page_token=token or None)
        yield from page
        token = page.token or None
