"""Starts one run of the job `daily` through a run launcher's configuration, as the daemon does."""

import sys
from typing import Any

import boto3
from dagster import DagsterInstance, DagsterRun
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.test_utils import create_run_for_test

from fraud_platform_tests.infrastructure.terraform import NAME, REGION


def open_instance(folder: str, launcher: dict[str, Any]) -> DagsterInstance:
    """A Dagster instance in `folder` that launches runs like the one on the host."""
    return DagsterInstance.local_temp(folder, overrides={"run_launcher": launcher, "telemetry": {"enabled": False}})


def launch(instance: DagsterInstance) -> DagsterRun:
    """The run, handed to the launcher."""
    code = RepositoryPythonOrigin(
        executable_path=sys.executable,
        code_pointer=ModuleCodePointer("fraud_platform.definitions", "defs", working_directory=None),
    )
    run = create_run_for_test(instance, job_name="daily", job_code_origin=JobPythonOrigin("daily", code))
    instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    launched = instance.get_run_by_id(run.run_id)
    assert launched is not None
    return launched


def task_of(run: DagsterRun) -> dict[str, Any]:
    """The task on ECS that works at the run."""
    ecs = boto3.client("ecs", region_name=REGION)
    return ecs.describe_tasks(cluster=NAME, tasks=[run.tags["ecs/task_arn"]])["tasks"][0]
