"""How long does a retraining take? The `retraining` job on a window as large as the public file: 284,807 rows.

Splits, search, contest, calibration, thresholds, the look at the test split, plots, registration and release, with the
default search and without one, beside a script that cross-validates and fits one XGBoost on the same files. Each is a
fresh process, imports included; the platform's peer is the smallest thing somebody would do instead, not its equal.

    python benchmarks/retraining.py [REPEATS]
"""

import os
import statistics
import sys
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

from measuring import Cost, alternate, cost_of_call, print_costs, run_python
from temporary_home import ingest_days, load_definitions, temporary_home

ROWS, DAYS = 284_807, 10
SEARCHED, UNSEARCHED, PLAIN = "retraining, default search", "retraining, no search", "plain script, one XGBoost"
LIMIT_SECONDS = {SEARCHED: 600.0, UNSEARCHED: 60.0}
CHILD, PREPARE = "run", "prepare"
PLAIN_SCRIPT = Path(__file__).with_name("plain_training.py")


def prepare() -> None:
    """Lands and ingests the window; prints its last day."""
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        print(ingest_days(load_definitions(), instance, days=DAYS, rows=-(-ROWS // DAYS)))


def retrain(day: date) -> None:
    """The retraining job as of `day`; its log goes to the error stream."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        runs.run_day(load_definitions(), instance, "retraining", day)


def cost_of_retraining(day: date, trials: str | None) -> Cost:
    """What a fresh process takes, with this many trials for each family; None: the default."""
    if trials is None:
        os.environ.pop("FRAUD_SEARCH_TRIALS", None)
    else:
        os.environ["FRAUD_SEARCH_TRIALS"] = trials
    return cost_of_call(partial(run_python, __file__, CHILD, day.isoformat()))


def print_limits(costs: dict[str, Sequence[Cost]]) -> None:
    """What each may take, and how many plain scripts it comes to."""
    print("\n| | wall s | limit | | times the plain script, CPU |\n|---|--:|--:|---|--:|")
    for name, limit in LIMIT_SECONDS.items():
        wall = statistics.median(cost.wall_seconds for cost in costs[name])
        pairs = zip(costs[name], costs[PLAIN], strict=True)
        ratio = statistics.median(ours.cpu_seconds / theirs.cpu_seconds for ours, theirs in pairs)
        verdict = "kept" if wall <= limit else "**missed**"
        print(f"| {name} | {wall:.0f} | <= {limit:g} | {verdict} | {ratio:.1f} |")


def main(repeats: int) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home(training={}) as home:
        day = date.fromisoformat(run_python(__file__, PREPARE).splitlines()[-1])
        peers = {
            SEARCHED: partial(cost_of_retraining, day, None),
            UNSEARCHED: partial(cost_of_retraining, day, "0"),
            PLAIN: partial(cost_of_call, partial(run_python, str(PLAIN_SCRIPT), str(home / "landing"))),
        }
        costs = alternate(peers, repeats=repeats, warm_ups=0)
        print_costs(f"A retraining on {ROWS:,} simulated rows of {DAYS} days", costs)
        print_limits(dict(costs))


if __name__ == "__main__":
    if sys.argv[1:2] == [PREPARE]:
        prepare()
    elif sys.argv[1:2] == [CHILD]:
        retrain(date.fromisoformat(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
