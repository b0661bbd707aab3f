"""What the model may know about each transaction at the moment it happened."""

from datetime import date

import dagster as dg
import pandas as pd

from fraud_platform.defs.daily_asset import Input, daily_asset
from fraud_platform.defs.io_managers import DescribedTable
from fraud_platform.defs.metadata import table_metadata
from fraud_platform.defs.resources import Platform


@daily_asset(
    inputs={"raw_transactions": Input()},
    group_name="features",
    kinds={"scikitlearn", "parquet"},
    io_manager_key="tables",
)
def features(day: date, raw_transactions: pd.DataFrame, platform: Platform) -> dg.Output:
    """What the model sees: `V1`..`V28`, `Amount`, `log1p_Amount`, `Hour_sin`, `Hour_cos`, as float32.

    **Why it exists.** Training and scoring read the same table, so they cannot disagree about what a feature is.

    **What it does.** Applies stateless scikit-learn transformers: no figure of another row or another day enters. The
    day's distribution profile travels in the file's footer, so that drift is measured without reading a row again.
    """
    from fraud_platform.features.engineering import build_features
    from fraud_platform.features.profile import profile_table
    from fraud_platform.features.schema import FEATURE_NAMES, FEATURE_SCHEMA_VERSION, features_schema
    from fraud_platform.ingestion.gate import require_sound_day

    raw_footer = platform.store.read_table_metadata("raw_transactions", day)
    require_sound_day(raw_footer, max_share=platform.settings.max_quarantine_share)
    table = build_features(raw_transactions)
    footer = {
        "profile": profile_table(table, FEATURE_NAMES).to_text(),
        "data_version": raw_footer["data_version"],
        "origin": raw_footer["origin"],
    }
    return dg.Output(
        DescribedTable(table, footer),
        metadata={
            **table_metadata(table, features_schema()),
            "feature_schema_version": FEATURE_SCHEMA_VERSION,
            "data_version": raw_footer["data_version"],
            "data_origin": raw_footer["origin"],
        },
    )
