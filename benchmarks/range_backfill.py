"""Is a range in one run worth it? Thirty days of the data assets in one run, against one run for each day.

Days are small (1,000 rows), so that what counts is what a run costs, not what a row costs. Measured twice: as a
backfill is carried out, where Dagster's launcher gives every run a process of its own, and with all runs in this
process, where only Dagster's own work per run remains to be saved.

    python benchmarks/range_backfill.py [REPEATS]
"""

import sys
from datetime import date
from typing import TYPE_CHECKING

from measuring import Ratio, alternate, cost_of_call, print_costs, print_ratios, ratios, run_python
from temporary_home import day_number, land, load_definitions, temporary_home

if TYPE_CHECKING:
    import dagster as dg

RANGE_DAYS, ROWS = 30, 1_000
RANGE, SINGLE = "one run of 30 days", "30 runs of one day"
LIMIT = 5.0
CHILD = "run"


def run(first: date, last: date) -> None:
    """One run over the data assets of `first`..`last`."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.demo import INGESTED
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        runs.run_range(load_definitions(), instance, INGESTED, first, last)


def compare_processes(days: list[date], repeats: int) -> list[Ratio]:
    """Every run in a process of its own."""

    def process(first: date, last: date) -> str:
        return run_python(__file__, CHILD, first.isoformat(), last.isoformat())

    costs = alternate(
        {
            SINGLE: lambda: cost_of_call(lambda: [process(day, day) for day in days]),
            RANGE: lambda: cost_of_call(lambda: process(days[0], days[-1])),
        },
        repeats=repeats,
        # Nothing stays warm in a process that ends.
        warm_ups=0,
    )
    print_costs(f"Backfill of {RANGE_DAYS} days of {ROWS:,} rows, a process per run", costs)
    return ratios(costs, SINGLE, RANGE, LIMIT, is_floor=True)


def compare_in_process(days: list[date], repeats: int) -> list[Ratio]:
    """Every run in this process, on one open instance."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.demo import INGESTED
    from fraud_platform.defs.instance import open_instance

    definitions = load_definitions()
    with open_instance() as instance:

        def backfill(first: date, last: date) -> "dg.ExecuteInProcessResult":
            return runs.run_range(definitions, instance, INGESTED, first, last)

        costs = alternate(
            {
                SINGLE: lambda: cost_of_call(lambda: [backfill(day, day) for day in days]),
                RANGE: lambda: cost_of_call(lambda: backfill(days[0], days[-1])),
            },
            repeats=repeats,
        )
    print_costs(f"Backfill of {RANGE_DAYS} days of {ROWS:,} rows, in one process", costs)
    return ratios(costs, SINGLE, RANGE, LIMIT, is_floor=True)


def main(repeats: int) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home():
        days = [day_number(position) for position in range(RANGE_DAYS)]
        for day in days:
            land(day, ROWS)
        print_ratios(compare_in_process(days, repeats))
        print_ratios(compare_processes(days, 1))


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        run(*map(date.fromisoformat, sys.argv[2:]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
