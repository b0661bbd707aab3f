"""What assets, checks and sensors are handed: the platform's places and rules, and the experiment tracker.

The graph is the same everywhere; only what these resources point at differs.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import dagster as dg

from fraud_platform.day_store import DayStore
from fraud_platform.defs.previews import accepted_previews
from fraud_platform.governance.audit import AuditTrail, open_trail
from fraud_platform.governance.tombstones import Tombstones, key_of, read_tombstones, transaction_subject
from fraud_platform.registry.registry import CHAMPION
from fraud_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from fraud_platform.ingestion.landing import LandingZone
    from fraud_platform.registry.champion import DayChallenger
    from fraud_platform.registry.mlflow_tracker import MlflowTracker
    from fraud_platform.registry.policy import ReleasePolicy
    from fraud_platform.registry.registry import ModelRegistry, ModelVersion
    from fraud_platform.training.bundle import ModelBundle


class Platform(dg.ConfigurableResource):
    """The landing zone, the day store, the model registry and the settings in force."""

    landing_url: str
    storage_url: str
    tracking_url: str
    artifact_url: str | None = None

    @cached_property
    def settings(self) -> Settings:
        """Limits, windows and seeds in force."""
        return load_settings()

    @cached_property
    def landing(self) -> "LandingZone":
        """Where upstream systems put files."""
        from fraud_platform.ingestion.landing import LandingZone

        return LandingZone.at(self.landing_url)

    @cached_property
    def store(self) -> DayStore:
        """Where assets are kept."""
        return DayStore.at(self.storage_url)

    @cached_property
    def audit(self) -> AuditTrail:
        """Where is written down what was done, by whom and why."""
        # Beside the assets of this very resource, unless the settings name another place.
        return open_trail(
            self.settings.audit or f"{self.storage_url.rstrip('/')}/audit",
            actor=self.settings.actor_name,
            clock=lambda: datetime.now(UTC),
            key_file=self.settings.audit_key_file,
        )

    def tombstones(self) -> Tombstones:
        """The transactions that have been erased until now."""
        return read_tombstones(self.storage_url)

    def subject_of(self, transaction_id: str) -> str:
        """How the audit trail names a transaction, which it must never name by its identifier."""
        return transaction_subject(transaction_id, key_of(self.storage_url))

    @cached_property
    def registry(self) -> "ModelRegistry":
        """Where released models are kept."""
        from fraud_platform.registry.mlflow_registry import MlflowRegistry
        from fraud_platform.registry.model_signature import read_model_key

        return MlflowRegistry(
            self.tracking_url,
            artifact_url=self.artifact_url,
            cache=self.settings.home / "bundles",
            key=read_model_key(self.settings.model_key_file),
        )

    @cached_property
    def policy(self) -> "ReleasePolicy":
        """The release policy in force."""
        from fraud_platform.registry.policy import ReleasePolicy

        return ReleasePolicy.of(self.settings)

    @cached_property
    def project_root(self) -> Path:
        """The checkout or installation whose code runs: where `uv.lock` and git history are looked for."""
        return Path(__file__).resolve().parents[2]

    def footers(self, asset: str, days: Iterable[date]) -> dict[date, dict[str, str]]:
        """What is known of the stored tables of `days` without reading their rows."""
        return {day: self.store.read_table_metadata(asset, day) for day in days}

    def record_test_reading(self, day: date, reading: dict[str, str]) -> list[dict[str, str]]:
        """Every reading of the test split of `day` so far, this one last; it is stored before anybody reads."""
        known = self.store.read_json("test_readings", day) if self.store.exists("test_readings", day, "json") else []
        readings = [*known, reading]
        self.store.write_json("test_readings", day, readings)
        self.audit.record("test_reading", subject=f"splits/{day}", reason="validation of a candidate", details=reading)
        return readings

    def time_of_decision(self, day: date, facts: Mapping[str, str]) -> datetime | None:
        """When `daily_predictions` of `day` were made with these `facts` in their footer; None if not."""
        if not self.store.exists("daily_predictions", day, "parquet"):
            return None
        footer = self.store.read_table_metadata("daily_predictions", day)
        is_same = all(footer.get(name) == fact for name, fact in facts.items())
        return datetime.fromisoformat(footer["scored_at"]) if is_same else None

    def known_points(self, day: date) -> dict[str, list[Mapping[str, Any]]]:
        """By candidate family, the parameters that the latest model before `day` found; none for a first model.

        A point where a search begins, not a result: a day trained again begins where it began.
        """
        from fraud_platform.training.bundle import ModelBundle

        earlier = [known for known in self.store.days("trained_model", "zip") if known < day]
        if not earlier:
            return {}
        bundle = ModelBundle.from_bytes(self.store.read_bytes("trained_model", earlier[-1], "zip"))
        return {row["name"]: [row["params"]] for row in bundle.provenance["candidates"] if row["trials"]}

    def drift_began(self, day: date) -> date | None:
        """The first day of the drift that lasts on `day`, by the stored reports; None without any."""
        from fraud_platform.training.window import drift_began

        known = sorted((each for each in self.store.days("drift_report", "json") if each <= day), reverse=True)
        reports = ((each, self.store.read_json("drift_report", each)) for each in known)
        return drift_began((each, report["verdict"]["status"] == "drifted") for each, report in reports)

    def first_undecided_day(self, as_of: date) -> date:
        """From when on a champion that knows everything up to `as_of` rewrites no decision."""
        from fraud_platform.registry.promotion import first_undecided_day

        return first_undecided_day(self.store.days("daily_predictions", "parquet"), as_of)

    def challenger_of(self, day: date) -> "DayChallenger":
        """Who scores `day` in shadow, loaded; nobody where there is none, or where it cannot be loaded, and why."""
        from fraud_platform.registry.champion import challenger_for_day

        return challenger_for_day(self.registry, day)

    def kept_answers(self, day: date, absent: str, data_version: str) -> "tuple[pd.DataFrame, dict[str, str]] | None":
        """What the challenger `absent`, which cannot be asked any more, has answered about these bytes of `day`, and
        the footer of then; None where it has not.
        """
        from fraud_platform.registry.champion import CHALLENGER_VERSION

        if not absent or not self.store.exists("daily_predictions", day, "parquet"):
            return None
        footer = self.store.read_table_metadata("daily_predictions", day)
        if (footer.get(CHALLENGER_VERSION), footer.get("data_version")) != (absent, data_version):
            return None
        columns = ["transaction_id", "challenger_probability", "challenger_version"]
        return self.store.read_table("daily_predictions", day, columns), footer

    def champion_beside(self, digest: str) -> "tuple[ModelVersion, ModelBundle] | None":
        """The champion that the candidate `digest` would replace and its bundle, or that it has replaced; None if none.

        A candidate that was released before, by a run that did not live to write it down, is held against the same
        champion again, so that its comparison is the one that released it.
        """
        champion = next((version for version in self.registry.versions() if CHAMPION in version.aliases), None)
        if champion is not None and champion.digest == digest:
            before = min(champion.champion_from, default=champion.as_of) - timedelta(days=1)
            champion = self.registry.champion_as_of(before)
        return (champion, self.registry.load(champion)) if champion is not None else None


class ExperimentTracking(dg.ConfigurableResource):
    """One MLflow run per Dagster run, through dagster-mlflow, that never stays open."""

    tracking_url: str
    artifact_url: str | None = None

    @contextmanager
    def run(self, context: dg.AssetExecutionContext) -> Iterator["MlflowTracker"]:
        """The tracker of this Dagster run's MLflow run, which ends with the block: finished, or failed on an error."""
        # dagster-mlflow imports MLflow, which takes seconds: only runs that train pay for it.
        with accepted_previews():
            from dagster_mlflow.resources import MlFlow
        from mlflow import set_tracking_uri

        from fraud_platform.registry.mlflow_connection import EXPERIMENT
        from fraud_platform.registry.mlflow_runs import begin_run
        from fraud_platform.registry.mlflow_tracker import MlflowTracker, prepare_experiment

        experiment = prepare_experiment(self.tracking_url, EXPERIMENT, artifact_url=self.artifact_url)
        run_id = begin_run(self.tracking_url, experiment, name=context.run.job_name, dagster_run_id=context.run.run_id)
        init_context = SimpleNamespace(
            log=context.log,
            dagster_run=context.run,
            run_id=context.run.run_id,
            resource_config={
                "experiment_name": EXPERIMENT,
                "mlflow_tracking_uri": self.tracking_url,
                "mlflow_run_id": run_id,
            },
        )
        try:
            with accepted_previews():
                # dagster-mlflow lends its object every function of MLflow at run time, out of a type checker's sight.
                run: Any = MlFlow(init_context)
            status = "FAILED"
            try:
                yield MlflowTracker(self.tracking_url, run_id=run.active_run().info.run_id)
                status = "FINISHED"
            finally:
                run.end_run(status=status)
        finally:
            if self.artifact_url is not None:
                # MLflow keeps the place in the environment; where nobody chose one, none may be left chosen.
                set_tracking_uri(None)  # type: ignore[arg-type]  # which unsets it, as its code says
