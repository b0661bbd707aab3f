"""What was landed: the day's transactions and the labels that arrived that day."""

from datetime import date, timedelta

import dagster as dg
import pandas as pd

from fraud_platform.defs.daily_asset import Input, daily_asset
from fraud_platform.defs.io_managers import DescribedTable
from fraud_platform.defs.metadata import table_metadata
from fraud_platform.defs.resources import Platform

GROUP = "ingestion"
# Blueprint: no new data in 48 hours is an alert; the warning leaves a working day to look.
DAILY_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=30))


@daily_asset(group_name=GROUP, kinds={"pandas", "parquet"}, io_manager_key="tables", freshness_policy=DAILY_FRESHNESS)
def raw_transactions(day: date, platform: Platform) -> dg.Output:
    """One day of card transactions as they were landed: read, validated, de-duplicated and given an identity.

    **Why it exists.** Everything downstream starts from the same trustworthy table instead of from files. The landing
    zone is never modified: the same bytes always give the same table, and other bytes give another *data version*.

    **What it does.** Reads every CSV, gzipped CSV and Parquet file landed for the day; removes exact duplicates and
    counts them; gives each transaction a `transaction_id` (where the file has none) and an `event_time`; sends rows
    that break the contract to `quarantine` with the file, row and reason, so that nothing is dropped in silence.
    """
    from fraud_platform.ingestion.schema import raw_transactions_schema
    from fraud_platform.ingestion.transactions import ingest_day

    fingerprint = platform.landing.fingerprint(day)
    ingested = ingest_day(platform.landing, day)
    summary = ingested.summary
    # Its footer says which bytes it speaks about, as does that of the table it belongs to.
    platform.store.write_table("quarantine", day, ingested.quarantine, {"data_version": summary.data_version})
    return dg.Output(
        DescribedTable(ingested.transactions, summary.as_metadata()),
        metadata={
            **table_metadata(ingested.transactions, raw_transactions_schema()),
            **summary.as_figures(),
            "landing_fingerprint": fingerprint,
        },
    )


@daily_asset(
    inputs={"raw_transactions": Input(columns=("transaction_id", "Class"))},
    group_name=GROUP,
    kinds={"pandas", "parquet"},
    io_manager_key="tables",
)
def confirmed_labels(day: date, raw_transactions: pd.DataFrame, platform: Platform) -> dg.Output:
    """What became known that day about which transactions were fraud.

    **Why it exists.** Labels arrive late and from several sources. Keeping them by the day they *arrived* is what lets
    a model as of any past day be trained on exactly what was known then, and on nothing more.

    **What it does.** Joins the label files landed that day with the `Class` that the day's transactions carry
    themselves; a label file wins over the transaction file.
    """
    from fraud_platform.ingestion.label_counts import count_labels
    from fraud_platform.ingestion.labels import labels_of_day
    from fraud_platform.ingestion.landing import LABELS
    from fraud_platform.ingestion.schema import confirmed_labels_schema

    fingerprint = platform.landing.fingerprint(day, LABELS)
    labels = labels_of_day(platform.landing, raw_transactions, day)
    return dg.Output(
        DescribedTable(labels),
        metadata={
            **table_metadata(labels, confirmed_labels_schema()),
            **count_labels(labels),
            "landing_fingerprint": fingerprint,
        },
    )
