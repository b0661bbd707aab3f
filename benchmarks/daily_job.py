"""What does one real day cost? 142,000 rows from landing zone to drift report, three ways, alternating in one process.

- the `daily` job, in process, on a SQLite instance, with a champion from an MLflow registry on SQLite;
- `bare_calls`: the same library calls without Dagster;
- `plain_script`: pandas, the same booster, a CSV.

    python benchmarks/daily_job.py [REPEATS] [csv|parquet]
"""

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from measuring import alternate, cost_of_call, print_costs, print_ratios, ratios
from temporary_home import LANDED_FORMAT, ROWS_OF_A_DAY, land, load_definitions, release_model, temporary_home

JOB, BARE, PLAIN = "daily job", "bare calls", "plain script"
JOB_LIMIT, BARE_LIMIT = 1.5, 1.0


def write_booster(day: date, path: Path) -> None:
    """The champion's booster as the file its scikit-learn interface reads."""
    from fraud_platform.registry.champion import model_for_day
    from fraud_platform.registry.mlflow_registry import MlflowRegistry
    from fraud_platform.settings import load_settings

    settings = load_settings()
    registry = MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)
    estimator = registry.load(model_for_day(registry, day).version).estimator
    path.write_bytes(estimator.to_files()["xgboost.ubj"])


def main(repeats: int, formats: tuple[LANDED_FORMAT, ...]) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home() as home:
        from bare_calls import process_day
        from plain_script import score_file

        from fraud_platform.defs import runs
        from fraud_platform.defs.instance import open_instance
        from fraud_platform.settings import load_settings

        definitions, settings = load_definitions(), load_settings()
        with open_instance() as instance:
            first = release_model(definitions, instance)
            write_booster(first, home / "booster.ubj")
            for position, landed in enumerate(formats):
                # The same six days before it, so that both have the same window of drift.
                day = first + timedelta(days=position)
                source = land(day, ROWS_OF_A_DAY, landed)
                peers = {
                    JOB: lambda day=day: cost_of_call(lambda: runs.run_day(definitions, instance, "daily", day)),
                    BARE: lambda day=day: cost_of_call(lambda: process_day(settings, day, settings.storage_url)),
                    PLAIN: lambda source=source: cost_of_call(
                        lambda: score_file(source, home / "booster.ubj", home / "scored.csv")
                    ),
                }
                costs = alternate(peers, repeats=repeats)
                print_costs(f"One day of {ROWS_OF_A_DAY:,} rows, landed as {landed}", costs)
                print_ratios([*ratios(costs, JOB, BARE, JOB_LIMIT), *ratios(costs, BARE, PLAIN, BARE_LIMIT)])


if __name__ == "__main__":
    every = get_args(LANDED_FORMAT)
    chosen = tuple(each for each in every if each in (sys.argv[2:] or every))
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, chosen)
