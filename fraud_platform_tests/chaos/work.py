"""What a child of the zygote does: one step of an installation's life, through Dagster's own jobs.

How a child comes to be belongs to `zygote`, what goes wrong in it to `faults`.
"""

import gc
import importlib
import json
import os
import pkgutil
import time
import traceback
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

# What the rooms, and the libraries they use, import inside their functions.
_HEAVY = (
    "boto3",
    "dagster_mlflow.resources",
    "git",
    "hypothesis.strategies",
    "markdown_it",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "optuna.samplers",
    "optuna.storages",
    "pandera.pandas",
    "s3fs",
    "sklearn.linear_model",
    "skops.io",
    "sqlalchemy.dialects.sqlite",
)


def prepare() -> None:
    """Imports everything a child may need, and starts nothing."""
    import fraud_platform
    import fraud_platform.definitions

    for name in _HEAVY:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(fraud_platform.__path__, "fraud_platform."):
        importlib.import_module(module.name)
    # What is here now is shared with the children, instead of being copied for each when a reference is counted.
    gc.freeze()


def perform(told: Mapping[str, Any]) -> int:
    """Does what was asked, in this process; the exit code."""
    os.environ.update(told["environment"])
    from fraud_platform_tests.chaos.faults import install

    recorder = install(told["fault"])
    report: dict[str, Any] = {"error": None}
    step, *words = told["work"].split()
    try:
        STEPS[step](*words)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
        traceback.print_exc()
        report["error"] = f"{type(error).__name__}: {error}"
    report["operations"] = recorder.names
    path = Path(told["report"])
    path.with_suffix(".part").write_text(json.dumps(report))
    path.with_suffix(".part").rename(path)
    return 0 if report["error"] is None else 1


def ingest(first: str, last: str) -> None:
    """Some days, read in one run."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        assets = ("raw_transactions", "confirmed_labels", "features")
        runs.run_range(_definitions(), instance, assets, date.fromisoformat(first), date.fromisoformat(last))


def daily(day: str) -> None:
    """The daily chain of one day."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        runs.run_day(_definitions(), instance, "daily", date.fromisoformat(day))


def retrain(day: str) -> None:
    """The retraining chain as of one day."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.instance import open_instance
    from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG

    with open_instance() as instance:
        tags = {TRIGGER_TAG: "drift", CAUSE_TAG: "a trial"}
        runs.run_day(_definitions(), instance, "retraining", date.fromisoformat(day), tags=tags)


def erase(*transaction_ids: str) -> None:
    """Removes transactions for good."""
    from fraud_platform.defs import erasing
    from fraud_platform.defs.deployments import platform_of
    from fraud_platform.defs.instance import open_instance
    from fraud_platform.settings import load_settings

    with open_instance() as instance:
        erasing.erase(platform_of(load_settings()), instance, transaction_ids, reason="a trial")


def retain() -> None:
    """Removes what is older than the settings allow."""
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        _definitions().resolve_job_def("retention").execute_in_process(instance=instance)


def nothing() -> None:
    """What a process costs that does nothing."""
    time.sleep(0)


STEPS: Mapping[str, Any] = {
    "ingest": ingest,
    "daily": daily,
    "retrain": retrain,
    "erase": erase,
    "retain": retain,
    "nothing": nothing,
}


def _definitions() -> Any:
    import dagster as dg

    from fraud_platform.definitions import defs
    from fraud_platform.defs.deployments import resources
    from fraud_platform.settings import load_settings

    return dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=defs.jobs,
        resources=resources(load_settings()),
        executor=defs.executor,
    )
