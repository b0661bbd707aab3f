"""Is the code location quick to load? Importing it, against importing the two libraries it cannot do without.

Each import has an interpreter of its own; the two alternate.

    python benchmarks/import_time.py [REPEATS]
"""

import sys

from measuring import alternate, cost_of_call, print_costs, print_ratios, ratios, run_python
from temporary_home import temporary_home

LIMIT = 1.5
OURS, PEER = "import fraud_platform.definitions", "import dagster, pandas"


def main(repeats: int) -> None:
    """Measures and prints."""
    with temporary_home():
        peers = {
            statement: lambda statement=statement: cost_of_call(lambda: run_python("-c", statement))
            for statement in (OURS, PEER)
        }
        costs = alternate(peers, repeats=repeats)
    print_costs("Import time", costs)
    print_ratios(ratios(costs, OURS, PEER, LIMIT))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
