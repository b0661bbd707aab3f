"""The two clocks of the platform as jobs: the daily chain and the retraining chain, plus the ranges they cover.

When they run belongs to schedules and sensors.
"""

import dagster as dg

DAILY_ASSETS = (
    "raw_transactions",
    "confirmed_labels",
    "features",
    "daily_predictions",
    "review_queue",
    "drift_report",
    "realised_performance",
    "shadow_report",
)
RETRAINING_ASSETS = ("splits", "trained_model", "validation_metrics", "model_release")

# Dagster's own: the days of a run that does several.
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

# Why a run was started; `model_release` and the model version carry it on.
TRIGGER_TAG = "fraud/trigger"
CAUSE_TAG = "fraud/cause"
# Which state of which landed files a run was started for.
LANDED_TAG = "fraud/landed"
# Which labels a day's figures were made again for.
LABELS_TAG = "fraud/labels"
# Which change of which model version a run makes, and the last day that was known when it was asked for.
CHANGE_TAG = "fraud/change"
DAY_TAG = "fraud/day"

# Days are lived in order, one at a time: a drift report looks at the days before its own (see dagster.yaml).
CHAIN_TAG = "fraud/chain"

daily = dg.define_asset_job(
    name="daily",
    selection=dg.AssetSelection.assets(*DAILY_ASSETS),
    tags={CHAIN_TAG: "daily"},
    description="One day from landing zone to decisions: ingest, score with that day's champion, watch for drift.",
)

retraining = dg.define_asset_job(
    name="retraining",
    selection=dg.AssetSelection.assets(*RETRAINING_ASSETS),
    description="A new model as of one day: split, search, evaluate once on the test split, release or refuse.",
)
