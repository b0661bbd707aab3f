"""A platform of its own for a test: landing zone, storage, registry and Dagster history, on disk or on S3.

The graph is the one `dagster dev` loads; only what its resources point at is the test's.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.definitions import defs
from fraud_platform.defs import runs
from fraud_platform.defs.deployments import resources
from fraud_platform.defs.jobs import CAUSE_TAG, DAILY_ASSETS, TRIGGER_TAG
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.resources import Platform
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.registry.registry import ModelRegistry, ModelVersion
from fraud_platform.settings import Settings, load_settings
from fraud_platform.simulation.delivery import land_days
from fraud_platform.simulation.drift import DriftInjection
from fraud_platform.simulation.simulator import simulate

FIRST = date.fromisoformat(DAYS.get_first_partition_key() or "")
INGESTED = ("raw_transactions", "confirmed_labels", "features")
SCORED = ("daily_predictions", "review_queue", "drift_report", "realised_performance", "shadow_report")

# One family, one trial, and so many frauds a day that four days make a model that passes its gates. The days end today,
# so every date draws other rows; the gates leave room for that.
SMALL = {
    "FRAUD_CANDIDATES": '["xgboost"]',
    "FRAUD_SEARCH_TRIALS": "1",
    **dict.fromkeys(("FRAUD_MIN_F1", "FRAUD_MIN_PRECISION", "FRAUD_MIN_RECALL", "FRAUD_MIN_AVERAGE_PRECISION"), "0.5"),
    "FRAUD_MAX_TRAIN_VALIDATION_GAP": "0.6",
    "FRAUD_MAX_RELATIVE_CALIBRATION_ERROR": "2",
    "FRAUD_MAX_SINGLE_FEATURE_RECALL": "0.9",
}
ROWS_PER_DAY = 3_000
FRAUD_RATE = 0.02


def day_number(number: int) -> date:
    """The day of the test calendar, counting from 1."""
    return FIRST + timedelta(days=number - 1)


def simulated(days: Sequence[date], *, drift_from: date | None = None, **options: Any) -> list[pd.DataFrame]:
    """The transactions of consecutive days, in the landing format."""
    drawn = simulate(
        start=days[0],
        days=len(days),
        **{"rows_per_day": ROWS_PER_DAY, "fraud_rate": FRAUD_RATE, "seed": 1, **options},
        drift=DriftInjection(start=drift_from) if drift_from else None,
    )
    return [table for _, table in drawn]


@dataclass(frozen=True)
class PlatformHome:
    """Everything of one installation."""

    settings: Settings
    instance: dg.DagsterInstance

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The graph with this home's resources."""
        return dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            jobs=defs.jobs,
            schedules=defs.schedules,
            sensors=defs.sensors,
            resources=resources(self.settings),
            executor=defs.executor,
        )

    @property
    def platform(self) -> Platform:
        """The resource that assets and sensors are handed."""
        found: Any = resources(self.settings)["platform"]
        return found

    @property
    def store(self) -> DayStore:
        """Where assets are kept."""
        return DayStore.at(self.settings.storage_url)

    @property
    def landing(self) -> LandingZone:
        """Where files are landed."""
        return LandingZone.at(self.settings.landing_url)

    def land(self, days: Sequence[date], **options: Any) -> None:
        """Lands simulated days, more frauds among them than in life."""
        land_days(self.landing, zip(days, simulated(days, **options), strict=True), name="simulated")

    def put(self, day: date, name: str, content: bytes | str | pd.DataFrame, kind: str = "transactions") -> Any:
        """Lands one file; returns where."""
        path = self.landing.folder(kind, day) / name
        if isinstance(content, pd.DataFrame):
            content = content.to_parquet(index=False) if name.endswith(".parquet") else content.to_csv(index=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def daily(self, day: date) -> dg.ExecuteInProcessResult:
        """The job `daily` for one day; raises PlatformError when it fails."""
        return runs.run_day(self.definitions, self.instance, "daily", day)

    def retrain(self, day: date, trigger: str = "manual", cause: str = "a test") -> dg.ExecuteInProcessResult:
        """The job `retraining` as of one day."""
        return runs.run_day(
            self.definitions, self.instance, "retraining", day, tags={TRIGGER_TAG: trigger, CAUSE_TAG: cause}
        )

    def materialise(self, assets: Sequence[str], first: date, last: date | None = None) -> dg.ExecuteInProcessResult:
        """Some assets of the daily chain for a day or a range, in one run."""
        return runs.run_range(self.definitions, self.instance, assets, first, last or first)

    def attempt(self, job: str, day: date, assets: Sequence[str] | None = None) -> dg.ExecuteInProcessResult:
        """A run of `job` that may fail."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=day.isoformat(),
            asset_selection=[dg.AssetKey(asset) for asset in assets] if assets else None,
            run_config=runs.QUIET,
            raise_on_error=False,
        )

    def stored_bytes(self, assets: Sequence[str] = DAILY_ASSETS) -> Mapping[str, bytes]:
        """Every file of `assets`, by its path below the storage root."""
        root = self.store.root
        root.fs.invalidate_cache()
        found = {}
        for asset in assets:
            folder = root / asset
            if folder.exists():
                found |= {f"{asset}/{file.name}": file.read_bytes() for file in folder.iterdir()}
        return found


def register_twin(registry: ModelRegistry, **changes: Any) -> ModelVersion:
    """The champion under another version and digest: the same trees, one more word of provenance."""
    champion = registry.find("champion")
    bundle = registry.load(champion)
    twin = dataclasses.replace(bundle, provenance={**bundle.provenance, "note": f"twin {len(registry.versions())}"})
    facts: dict[str, Any] = {
        "digest": twin.digest,
        "as_of": champion.as_of,
        "algorithm": twin.algorithm,
        "feature_schema_version": twin.feature_schema_version,
        "origin": champion.origin,
        "cause": "a test",
        "run_id": None,
        "created_at": champion.created_at,
        "description": "a twin",
    }
    return registry.register(twin.to_bytes(), **{**facts, **changes})


@contextmanager
def environment_of(home: Path, **environment: str) -> Iterator[None]:
    """The environment of a platform below `home`: a training takes seconds, and `environment` is on top."""
    with pytest.MonkeyPatch.context() as patch:
        # Homes may be open one within another. MLflow sets its variable itself when it is told where to track.
        elsewhere = dict.fromkeys(("FRAUD_LANDING", "FRAUD_STORAGE", "MLFLOW_TRACKING_URI"), "")
        for name, text in {**elsewhere, "FRAUD_HOME": str(home), **SMALL, **environment}.items():
            patch.setenv(name, text)
        yield


@contextmanager
def open_home(home: Path, **environment: str) -> Iterator[PlatformHome]:
    """A platform below `home` with a Dagster history in memory; its environment holds within the block."""
    with environment_of(home, **environment), dg.DagsterInstance.ephemeral() as instance:
        yield PlatformHome(load_settings(), instance)


def step_failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the failed steps of a run say, in one line each."""
    return [
        event.step_failure_data.user_failure_data.description
        if event.step_failure_data.user_failure_data
        else " ".join(event.step_failure_data.error.message.split())
        for event in result.all_events
        if event.is_step_failure
    ]


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    """The assets a run has materialised."""
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}
