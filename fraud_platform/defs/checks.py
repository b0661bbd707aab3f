"""Every asset check of the platform: contracts of tables, the ingestion gate, model gates, drift limits.

The rules themselves belong to the rooms; how a verdict reaches Dagster belongs to `daily_check`.
"""

import json
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from fraud_platform.defs.daily_check import Verdict, daily_check, schema_check
from fraud_platform.defs.resources import Platform

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def _raw_transactions() -> "DataFrameSchema":
    from fraud_platform.ingestion.schema import raw_transactions_schema

    return raw_transactions_schema()


def _confirmed_labels() -> "DataFrameSchema":
    from fraud_platform.ingestion.schema import confirmed_labels_schema

    return confirmed_labels_schema()


def _features() -> "DataFrameSchema":
    from fraud_platform.features.schema import features_schema

    return features_schema()


def _splits() -> "DataFrameSchema":
    from fraud_platform.training.splitting import splits_schema

    return splits_schema()


def _daily_predictions() -> "DataFrameSchema":
    from fraud_platform.scoring.schema import daily_predictions_schema

    return daily_predictions_schema()


def _review_queue() -> "DataFrameSchema":
    from fraud_platform.scoring.review_queue import review_queue_schema

    return review_queue_schema()


SCHEMAS: dict[str, Callable[[], "DataFrameSchema"]] = {
    "raw_transactions": _raw_transactions,
    "confirmed_labels": _confirmed_labels,
    "features": _features,
    "splits": _splits,
    "daily_predictions": _daily_predictions,
    "review_queue": _review_queue,
}


def _judge_quarantine(day: date, platform: Platform) -> Verdict:
    from fraud_platform.ingestion.gate import judge_day

    footer = platform.store.read_table_metadata("raw_transactions", day)
    judged = judge_day(footer, max_share=platform.settings.max_quarantine_share)
    return Verdict(
        judged.is_sound,
        judged.sentence,
        {
            "quarantined_share": judged.share,
            "limit": f"{judged.limit:.2%}",
            "quarantined_by_reason": dict(judged.by_reason),
        },
    )


def _judge_labels(day: date, platform: Platform) -> Verdict:
    footer = platform.store.read_table_metadata("confirmed_labels", day)
    by_reason = json.loads(footer.get("quarantined_by_reason", "{}"))
    sentence = "; ".join(f"{count} labels: {reason}" for reason, count in by_reason.items())
    return Verdict(not by_reason, sentence or "every label that arrived stands", {"quarantined_by_reason": by_reason})


def _judge_gates(day: date, platform: Platform) -> Verdict:
    verdict = platform.store.read_json("validation_metrics", day)["acceptance"]
    gates = {gate["name"]: gate["explanation"] for gate in verdict["gates"]}
    return Verdict(verdict["is_accepted"], verdict["sentence"], gates)


def _judge_drift(day: date, platform: Platform) -> Verdict:
    report = platform.store.read_json("drift_report", day)
    verdict = report["verdict"]
    # Numbers become a plot over the days in the UI; limits are text, for a flat line says nothing.
    figures = {
        "drifted_feature_count": len(verdict["drifted_features"]),
        "drifted_features": verdict["drifted_features"],
        "largest_psi": max((feature["psi"] for feature in report["features"]), default=0.0),
        "limits": f"{report['limits']['feature_count']} features at {report['limits']['psi']:g}",
    }
    return Verdict(not verdict["is_drifted"], verdict["sentence"], figures)


CHECKS = [
    *(schema_check(asset, schema) for asset, schema in SCHEMAS.items()),
    daily_check(
        asset="raw_transactions",
        name="quarantine_share",
        description="No more of the day's rows are quarantined than `FRAUD_MAX_QUARANTINE_SHARE` allows.",
        judge=_judge_quarantine,
        blocking=True,
    ),
    daily_check(
        asset="confirmed_labels",
        name="labels_stand",
        description=(
            "Every label that arrived is about a transaction that had happened, and none contradicts another of its "
            "day. Not blocking: the labels that fail are in `label_quarantine` and decide nothing."
        ),
        judge=_judge_labels,
        blocking=False,
    ),
    daily_check(
        asset="validation_metrics",
        name="acceptance_gates",
        description=(
            "F1, precision, recall and average precision on the test split reach their floors, and average precision "
            "does not fall too far from train to validation. Not blocking: `model_release` reads the same verdict "
            "and records the refusal."
        ),
        judge=_judge_gates,
        blocking=False,
    ),
    daily_check(
        asset="drift_report",
        name="drift_limits",
        description=(
            "Fewer than `FRAUD_DRIFT_FEATURE_LIMIT` features have a population stability index above "
            "`FRAUD_DRIFT_PSI_LIMIT`. A failure makes `retrain_on_drift_sensor` ask for a new model."
        ),
        judge=_judge_drift,
        blocking=False,
    ),
]

DRIFT_CHECK = dg.AssetCheckKey(dg.AssetKey("drift_report"), "drift_limits")
