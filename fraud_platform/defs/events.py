"""What the log says when a day of an asset is done: the event's name and a few figures of its metadata.

Metadata hold more than a log may: statistics of features, plots, cards. Only what is named here goes to the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from fraud_platform.logs import Scalar, event_record


@dataclass(frozen=True)
class Completion:
    """An event, and the metadata that it carries on."""

    event: str
    facts: tuple[str, ...] = ()


# Of every asset that has some.
_ALWAYS = ("dagster/row_count", "model_version", "data_version")
_OTHERS = Completion("asset_complete")
_COMPLETIONS = {
    "raw_transactions": Completion(
        "ingestion_complete", ("landed_rows", "duplicates_removed", "quarantined", "erased")
    ),
    "confirmed_labels": Completion("labels_complete", ("frauds", "quarantined")),
    "daily_predictions": Completion("prediction_complete", ("alerts", "model_semver", "scored_in_hindsight")),
    "drift_report": Completion("drift_measured", ("status", "verdict")),
    "realised_performance": Completion("performance_measured", ("status",)),
    "trained_model": Completion("training_complete", ("algorithm", "bundle_sha256")),
    "validation_metrics": Completion("validation_complete", ("verdict", "bundle_sha256")),
    "model_release": Completion("release_decided", ("action", "reason", "trigger", "model_semver", "champion")),
}


def completion(asset: str, day: date, metadata: Mapping[str, Any], *, seconds: float) -> tuple[str, dict[str, Any]]:
    """The sentence for people, and what `extra=` of the logging call takes."""
    known = _COMPLETIONS.get(asset, _OTHERS)
    facts: dict[str, Scalar] = {"asset": asset, "seconds": round(seconds, 3)}
    for name in (*_ALWAYS, *known.facts):
        if name in metadata:
            facts[name.removeprefix("dagster/")] = _plain(metadata[name])
    said = ", ".join(f"{name} {fact}" for name, fact in facts.items() if name not in ("asset", "data_version"))
    return f"{asset} of {day} is stored: {said}", event_record(known.event, partition=day.isoformat(), **facts)


def _plain(entry: Any) -> Scalar:
    value = entry.value if isinstance(entry, dg.MetadataValue) else entry
    return value if isinstance(value, str | int | float | bool) else None if value is None else str(value)
