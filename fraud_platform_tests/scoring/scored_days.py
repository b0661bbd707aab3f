"""Days that were scored and stored, small enough to be followed by hand."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from fraud_platform.day_store import DayStore
from fraud_platform.features.engineering import build_features
from fraud_platform.features.profile import profile_table
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import V_COLUMNS
from fraud_platform.registry.memory_registry import MemoryRegistry
from fraud_platform.registry.registry import ModelVersion
from fraud_platform.scoring.scorer import score_day
from fraud_platform.training.bundle import ModelBundle

SCORED_AT = datetime(2026, 3, 9, 1, 30, tzinfo=UTC)
DATA_VERSION = "sha256:" + "d" * 64


def raw_transactions(day: date, count: int, *, seed: int = 0, prefix: str = "") -> pd.DataFrame:
    """Random transactions of a day with identifiers `<prefix><day>-<number>`."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(generator.normal(size=(count, len(V_COLUMNS))), columns=list(V_COLUMNS))
    moments = pd.date_range(day.isoformat(), periods=count, freq="7s", tz="UTC").as_unit("us")
    table.insert(0, "event_time", moments)
    table.insert(0, "transaction_id", [f"{prefix}{day:%Y%m%d}-{number:04d}" for number in range(count)])
    return table.assign(Amount=generator.exponential(50, count))


def store_scored_day(
    store: DayStore, day: date, bundle: ModelBundle, version: str, *, count: int = 50, prefix: str = "", seed: int = 0
) -> pd.DataFrame:
    """Stores raw transactions, features and decisions of a day; returns the decisions."""
    raw = raw_transactions(day, count, seed=seed, prefix=prefix)
    features = build_features(raw)
    decisions = score_day(features, bundle, version, scored_at=SCORED_AT)
    store.write_table("raw_transactions", day, raw, {"data_version": DATA_VERSION})
    store.write_table("features", day, features, {"data_version": DATA_VERSION})
    footer = {"data_version": DATA_VERSION, "model_version": version, "data_origin": "landed"}
    store.write_table("daily_predictions", day, decisions, footer)
    return decisions


def with_baseline(bundle: ModelBundle, rows: np.ndarray) -> ModelBundle:
    """The bundle with the distribution of these rows."""
    from dataclasses import replace

    from fraud_platform_tests.scoring.models import features_of

    return replace(bundle, baseline=profile_table(features_of(rows), FEATURE_NAMES))


def registered(bundle: ModelBundle) -> tuple[MemoryRegistry, ModelVersion]:
    """The bundle in a registry of its own."""
    registry = MemoryRegistry()
    version = registry.register(
        bundle.to_bytes(),
        digest=bundle.digest,
        as_of=date(2026, 3, 1),
        algorithm=bundle.algorithm,
        feature_schema_version=bundle.feature_schema_version,
        origin="landed",
        cause="a test",
        run_id=None,
        created_at=SCORED_AT,
        description="",
    )
    return registry, version
