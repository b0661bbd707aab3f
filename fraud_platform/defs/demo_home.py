"""Makes room for a new demo: removes what an earlier demo left, and refuses to touch anything else.

A demo's traces are told by their origin: files named simulated or replayed, models learned from them.
"""

import dagster as dg

from fraud_platform.day_store import DayStore
from fraud_platform.defs.instance import open_instance
from fraud_platform.defs.jobs import DAILY_ASSETS, RETRAINING_ASSETS
from fraud_platform.errors import PlatformError
from fraud_platform.ingestion.landing import LandingZone, origin_of
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.settings import Settings

ASSETS = (*DAILY_ASSETS, *RETRAINING_ASSETS)
DEMO_ORIGINS = ("simulated", "replayed")


def clear(settings: Settings) -> None:
    """Removes the landed days, stored assets, registered models and Dagster history of an earlier demo.

    Raises:
        PlatformError: the landing zone holds files, or the registry models, that no demo made.
    """
    landing = LandingZone.at(settings.landing_url)
    registry = MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)
    landed = [path for day in landing.days() for path in landing.transaction_files(day)]
    landed += [path for day in landing.label_days() for path in landing.label_files(day)]
    foreign = [path for path in landed if origin_of(path.name) not in DEMO_ORIGINS]
    if foreign:
        raise PlatformError(
            f"{settings.landing_url} holds {len(foreign)} files that no demo made (first: {foreign[0].name}); "
            "set FRAUD_HOME to another folder for the demo"
        )
    versions = registry.versions()
    if any(version.origin not in DEMO_ORIGINS for version in versions):
        raise PlatformError(
            f"{settings.tracking_url} holds models learned from landed data; set FRAUD_HOME, and MLFLOW_TRACKING_URI "
            "where it is set, to another place for the demo"
        )
    store = DayStore.at(settings.storage_url)
    stored = [store.read_table_metadata("raw_transactions", day) for day in store.days("raw_transactions", "parquet")]
    if any(footer["origin"] not in DEMO_ORIGINS for footer in stored):
        raise PlatformError(
            f"{settings.storage_url} holds assets made from landed data; set FRAUD_HOME, and FRAUD_STORAGE where it is "
            "set, to another place for the demo"
        )
    for path in landed:
        path.unlink()
    for asset in (*ASSETS, "quarantine", "label_quarantine", "model_card", "model_card_page", "test_readings"):
        folder = store.root / asset
        if folder.exists():
            folder.fs.rm(folder.path, recursive=True)
    if versions:
        registry.forget_everything()
    with open_instance() as instance:
        instance.wipe_assets([dg.AssetKey(asset) for asset in ASSETS])
        # Sensors read the run history: an old retraining must not count as the answer to new drift.
        for run in instance.get_runs(dg.RunsFilter(job_name="retraining")):
            instance.delete_run(run.run_id)
