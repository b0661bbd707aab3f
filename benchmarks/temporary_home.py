"""A home of its own for a measurement: simulated days, a released XGBoost model, a Dagster instance on SQLite.

What is measured there does not belong here. Call `move_in` before anything of `fraud_platform` that reads settings is
imported: the calendar is fixed when the graph is loaded.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd
    from dagster import DagsterInstance, Definitions

DAYS = 40
SEED = 7
LANDED_FORMAT = Literal["csv", "parquet"]

# Half of the real file's 284,807 rows: one of its two days.
ROWS_OF_A_DAY = 142_000
MODEL_DAYS, MODEL_ROWS = 6, 20_000

# One booster, found quickly: where another thing than training is measured.
QUICK_TRAINING = {"FRAUD_CANDIDATES": '["xgboost"]', "FRAUD_SEARCH_TRIALS": "2"}
_SETTINGS = {
    # How good the model is does not matter here: any is released.
    "FRAUD_MIN_F1": "0",
    "FRAUD_MIN_PRECISION": "0",
    "FRAUD_MIN_RECALL": "0",
    "FRAUD_MIN_AVERAGE_PRECISION": "0",
    "FRAUD_MAX_TRAIN_VALIDATION_GAP": "1",
}
# Where the machine that measures may keep its own.
FOREIGN = ("FRAUD_LANDING", "FRAUD_STORAGE", "MLFLOW_TRACKING_URI", "DAGSTER_HOME", "AWS_ENDPOINT_URL")


@contextmanager
def temporary_home(training: Mapping[str, str] = QUICK_TRAINING) -> Iterator[Path]:
    """An empty `FRAUD_HOME`, in force for this process and its children, gone afterwards.

    Args:
        training: settings of how models are made; what is not named has its default.
    """
    with tempfile.TemporaryDirectory(prefix="fraud-benchmark-") as folder:
        move_in(Path(folder), training)
        yield Path(folder)


def move_in(home: Path, training: Mapping[str, str] = QUICK_TRAINING) -> None:
    """Makes `home` this process's `FRAUD_HOME`, whatever the environment said before."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update(_SETTINGS, **training, FRAUD_HOME=str(home), FRAUD_START_DATE=first_day().isoformat())


def first_day() -> date:
    """The first of the `DAYS` days of the calendar, which ends yesterday."""
    return (datetime.now(UTC) - timedelta(days=DAYS)).date()


def day_number(position: int) -> date:
    """The day at `position`, from 0."""
    return first_day() + timedelta(days=position)


def load_definitions() -> "Definitions":
    """The platform's own graph, on this home."""
    from fraud_platform.definitions import defs

    return defs


def land(day: date, rows: int, format_: LANDED_FORMAT = "parquet") -> Path:
    """Lands one simulated day with the columns of `creditcard.csv`; returns the file."""
    table = simulated_day(day, rows)
    path = Path(os.environ["FRAUD_HOME"]) / "landing" / "transactions" / day.isoformat() / f"simulated.{format_}"
    path.parent.mkdir(parents=True, exist_ok=True)
    for earlier in path.parent.iterdir():
        earlier.unlink()
    if format_ == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)
    return path


def simulated_day(day: date, rows: int) -> "pd.DataFrame":
    """One day in the landing format."""
    from fraud_platform.simulation.simulator import simulate

    ((_, table),) = simulate(start=day, days=1, rows_per_day=rows, seed=SEED)
    return table


def ingest_days(definitions: "Definitions", instance: "DagsterInstance", *, days: int, rows: int) -> date:
    """Lands and ingests the first `days` days of `rows` transactions each; returns the last of them."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.demo import INGESTED

    for position in range(days):
        land(day_number(position), rows)
    last = day_number(days - 1)
    runs.run_range(definitions, instance, INGESTED, day_number(0), last)
    return last


def release_model(definitions: "Definitions", instance: "DagsterInstance") -> date:
    """Lives through the first days until a champion decides; returns the first day it has not seen."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.demo import SCORED

    first, last = day_number(0), ingest_days(definitions, instance, days=MODEL_DAYS, rows=MODEL_ROWS)
    runs.run_day(definitions, instance, "retraining", last)
    runs.run_range(definitions, instance, SCORED, first, last)
    return last + timedelta(days=1)
