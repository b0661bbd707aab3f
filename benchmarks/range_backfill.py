"""Is a range in one run worth it? Thirty days of the data assets in one run, against one run for each day, in process.

Days are small (1,000 rows), so that what counts is what a run costs, not what a row costs.

    python benchmarks/range_backfill.py [REPEATS]
"""

import sys

from measuring import Ratio, alternate, cost_of_call, print_costs, print_ratios, ratios
from temporary_home import day_number, land, load_definitions, temporary_home

RANGE_DAYS, ROWS = 30, 1_000
RANGE, SINGLE = "one run of 30 days", "30 runs of one day"
LIMIT = 5.0


def main(repeats: int) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home():
        from fraud_platform.defs import runs
        from fraud_platform.defs.demo import INGESTED
        from fraud_platform.defs.instance import open_instance

        definitions = load_definitions()
        days = [day_number(position) for position in range(RANGE_DAYS)]
        for day in days:
            land(day, ROWS)
        with open_instance() as instance:

            def one_by_one() -> None:
                for day in days:
                    runs.run_range(definitions, instance, INGESTED, day, day)

            costs = alternate(
                {
                    SINGLE: lambda: cost_of_call(one_by_one),
                    RANGE: lambda: cost_of_call(
                        lambda: runs.run_range(definitions, instance, INGESTED, days[0], days[-1])
                    ),
                },
                repeats=repeats,
            )
    print_costs(f"Backfill of {RANGE_DAYS} days of {ROWS:,} rows", costs)
    found: list[Ratio] = ratios(costs, SINGLE, RANGE, LIMIT, is_floor=True)
    print_ratios(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
