"""What was landed: the day's transactions and the labels that arrived that day."""

import json
from datetime import date, timedelta

import dagster as dg

from fraud_platform.defs.daily_asset import DayMap, Input, daily_asset
from fraud_platform.defs.io_managers import DescribedTable
from fraud_platform.defs.metadata import table_metadata
from fraud_platform.defs.partitions import LABEL_SEARCH_DAYS
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
    ingested = ingest_day(platform.landing, day, platform.tombstones())
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
    inputs={
        "raw_transactions": Input(
            days_back=LABEL_SEARCH_DAYS,
            days_ahead=LABEL_SEARCH_DAYS,
            columns=("transaction_id", "Class"),
            # Labels arrive on days without transactions, too.
            is_own_day_required=False,
        )
    },
    group_name=GROUP,
    kinds={"pandas", "parquet"},
    io_manager_key="tables",
)
def confirmed_labels(day: date, raw_transactions: DayMap, platform: Platform) -> dg.Output:
    """What became known that day about which transactions were fraud.

    **Why it exists.** Labels arrive late and from several sources. Keeping them by the day they *arrived* is what lets
    a model as of any past day be trained on exactly what was known then, and on nothing more. A correction is a label
    of a later day: it supersedes from then on, and what was known before stays as it was.

    **What it does.** Joins the label files landed that day with the `Class` that the day's transactions carry
    themselves; a label file wins over the transaction file. Looks each transaction up: labels of unknown ones, labels
    that arrived before their transaction and labels that contradict each other go to `label_quarantine`, each with its
    file, row and reason.
    """
    from fraud_platform.ingestion.label_figures import label_figures
    from fraud_platform.ingestion.label_lookup import LabelFacts
    from fraud_platform.ingestion.labels import labels_of_day
    from fraud_platform.ingestion.landing import LABELS
    from fraud_platform.ingestion.schema import confirmed_labels_schema

    fingerprint = platform.landing.fingerprint(day, LABELS)
    arrived = labels_of_day(platform.landing, day, raw_transactions, platform.tombstones())
    labels, refused = arrived.labels, json.dumps(arrived.quarantined_by_reason)
    facts = LabelFacts.of_table(labels, arrived.count_by_transaction_day).as_text()
    platform.store.write_table("label_quarantine", day, arrived.quarantine, facts)
    return dg.Output(
        DescribedTable(labels, {**facts, "quarantined_by_reason": refused}),
        metadata={
            **table_metadata(labels, confirmed_labels_schema()),
            **facts,
            **label_figures(arrived),
            "landing_fingerprint": fingerprint,
        },
    )
