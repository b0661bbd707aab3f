"""Who learns and who judges: the labelled transactions of the training window, divided."""

from datetime import date

import dagster as dg

from fraud_platform.defs.daily_asset import ONE_RUN_PER_DAY, DayMap, Input, daily_asset
from fraud_platform.defs.io_managers import DescribedTable
from fraud_platform.defs.metadata import table_metadata
from fraud_platform.defs.partitions import SETTINGS
from fraud_platform.defs.resources import Platform
from fraud_platform.ingestion.schema import ID_COLUMN, V_COLUMNS

GROUP = "training"
WINDOW = SETTINGS.training_window_days - 1
# Near-twins are told by their components.
WINDOW_COLUMNS = (ID_COLUMN, "event_time", *V_COLUMNS)


@daily_asset(
    inputs={
        "features": Input(days_back=WINDOW, columns=WINDOW_COLUMNS),
        "confirmed_labels": Input(days_back=WINDOW, columns=("transaction_id", "Class", "source")),
    },
    backfill_policy=ONE_RUN_PER_DAY,
    group_name=GROUP,
    kinds={"pandas", "parquet"},
    io_manager_key="tables",
)
def splits(day: date, features: DayMap, confirmed_labels: DayMap, platform: Platform) -> dg.Output:
    """Which labelled transaction trains, which chooses, which judges: 70 / 15 / 15 as of this day.

    **Why it exists.** A figure is only worth something when the rows behind it had no part in making the model. Splits
    are stored, so that everybody can see which rows those were.

    **What it does.** Takes the transactions of the training window whose labels had *arrived by the end of this day*,
    and divides them: stratified by a seeded hash of the transaction, or ordered in time with a gap
    (`FRAUD_SPLIT_STRATEGY`), or with the last days held out to judge (`FRAUD_HOLDOUT_DAYS`). While drift lasts, only
    what came after its beginning may be taken (`FRAUD_DRIFT_WINDOW`). A transaction keeps its place in the ranking, so
    what judged one model seldom trains the next. `label_weight` says how much each label counts in fits, by its source
    (`FRAUD_LABEL_WEIGHTS`).
    """
    from fraud_platform.training.splitting import split_transactions, splits_schema
    from fraud_platform.training.window import label_window, learning_window

    settings = platform.settings
    window = learning_window(
        label_window(features, confirmed_labels, settings.label_weights),
        strategy=settings.drift_window,
        began=platform.drift_began(day),
        min_fraud_count=settings.drift_min_frauds,
    )
    table = split_transactions(
        window.transactions,
        strategy=settings.split_strategy,
        seed=settings.seed,
        gap_days=settings.split_gap_days,
        holdout_days=settings.holdout_days,
    )
    counts = table.groupby("split", observed=True)["Class"].agg(["size", "sum"])
    return dg.Output(
        DescribedTable(table),
        metadata={
            **table_metadata(table, splits_schema()),
            "rows_by_split": {str(name): int(count) for name, count in counts["size"].items()},
            "frauds_by_split": {str(name): int(count) for name, count in counts["sum"].items()},
            "strategy": settings.split_strategy,
            "seed": settings.seed,
            "label_weights": dict(settings.label_weights),
            "window": f"{min(features)} to {max(features)}",
            "learned_from": window.reason,
            "holdout_days": settings.holdout_days,
        },
    )
