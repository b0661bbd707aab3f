"""What became of a model on the days it decided: drift and realised performance, as a section of its card.

Measuring belongs to `drift` and `performance`; this reads what was stored of each day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from fraud_platform.day_store import DayStore

# A card is read by people; older days are counted in its first sentence.
DAYS_SHOWN = 31


@dataclass(frozen=True)
class DayOfLife:
    """One day that a model decided, and that it had not learned from.

    Attributes:
        day: the day.
        drift: stable, drifted or not applicable; None without a report.
        largest_psi: of all features; None without a report.
        f1, precision, recall: realised; None while they do not apply.
        estimated_f1: from the probabilities; None where it has no value.
    """

    day: date
    drift: str | None
    largest_psi: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    estimated_f1: float | None


def life_of(store: DayStore, version: str, as_of: date) -> list[DayOfLife]:
    """The days after `as_of` that `version` decided, oldest first."""
    scored = [day for day in store.days("daily_predictions", "parquet") if day > as_of]
    decided = [day for day in scored if store.read_table_metadata("daily_predictions", day)["model_version"] == version]
    return [_day_of_life(store, day) for day in decided]


def life_markdown(days: Sequence[DayOfLife]) -> str:
    """The section "Since its release"."""
    heading = "## Since its release\n\n"
    if not days:
        return f"{heading}It has decided no day yet.\n"
    drifted = sum(day.drift == "drifted" for day in days)
    known = [day for day in days if day.f1 is not None]
    sentence = (
        f"It decided {len(days)} days, {days[0].day} to {days[-1].day}. The drift check failed on {drifted} of them; "
        f"realised scores are known of {len(known)}."
    )
    rows = [
        f"| {day.day} | {day.drift or 'n/a'} | {_number(day.largest_psi)} | {_number(day.f1)} "
        f"| {_number(day.precision)} | {_number(day.recall)} | {_number(day.estimated_f1)} |"
        for day in days[-DAYS_SHOWN:]
    ]
    header = (
        "| day | drift | largest PSI | realised F1 | precision | recall | estimated F1 |\n|---|---|---|---|---|---|---|"
    )
    return "\n".join((f"{heading}{sentence}", "", header, *rows, ""))


def _day_of_life(store: DayStore, day: date) -> DayOfLife:
    drift, outcome = _document(store, "drift_report", day), _document(store, "realised_performance", day)
    realised = outcome.get("realised", {})
    is_known = realised.get("status") == "applicable"
    figures = {name: realised.get(name) if is_known else None for name in ("f1", "precision", "recall")}
    return DayOfLife(
        day=day,
        drift=drift["verdict"]["status"].replace("_", " ") if drift else None,
        largest_psi=max((feature["psi"] for feature in drift["features"]), default=None) if drift else None,
        estimated_f1=outcome.get("estimated", {}).get("f1"),
        **figures,
    )


def _document(store: DayStore, asset: str, day: date) -> dict[str, Any]:
    found: dict[str, Any] = store.read_json(asset, day) if store.exists(asset, day, "json") else {}
    return found


def _number(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"
