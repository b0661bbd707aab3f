"""What does keeping card numbers out cost? Ingesting a day with the guard, against ingesting it without.

Both peers run the library's own `ingest_day` over the same landed file of 142,000 rows, once without identifiers (the
public file's format) and once with order numbers of seventeen digits. The one without has the two searches replaced by
ones that find nothing.

    python benchmarks/card_guard.py [REPEATS]
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from measuring import alternate, cost_of_call, print_costs, print_ratios, ratios
from temporary_home import ROWS_OF_A_DAY, first_day, simulated_day, temporary_home

LIMIT = 1.15
GUARDED, UNGUARDED = "with the guard", "without"


@contextmanager
def unguarded() -> Iterator[None]:
    """Ingestion that looks for no card numbers."""
    with (
        mock.patch("fraud_platform.ingestion.fields.find_card_numbers", lambda texts: np.zeros(len(texts), bool)),
        mock.patch("fraud_platform.ingestion.quarantine.find_card_numbers_in_floats", lambda v: np.zeros(len(v), bool)),
    ):
        yield


def land(home: Path, format_: str, *, has_identifiers: bool) -> None:
    """Puts the day's one file into the landing zone."""
    table = simulated_day(first_day(), ROWS_OF_A_DAY)
    if has_identifiers:
        table.insert(0, "transaction_id", [f"TXN{first_day():%Y%m%d}{number:09d}" for number in range(len(table))])
    folder = home / "landing" / "transactions" / first_day().isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.iterdir():
        earlier.unlink()
    path = folder / f"simulated.{format_}"
    if format_ == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path, index=False)


def main(repeats: int) -> None:
    """Measures and prints."""
    with temporary_home() as home:
        from fraud_platform.ingestion.landing import LandingZone
        from fraud_platform.ingestion.transactions import ingest_day

        zone = LandingZone.at(home / "landing")

        def ingest() -> None:
            ingest_day(zone, first_day())

        def ingest_unguarded() -> None:
            with unguarded():
                ingest()

        peers = {GUARDED: lambda: cost_of_call(ingest), UNGUARDED: lambda: cost_of_call(ingest_unguarded)}
        found = []
        for format_ in ("csv", "parquet"):
            for has_identifiers in (False, True):
                land(home, format_, has_identifiers=has_identifiers)
                costs = alternate(peers, repeats=repeats)
                print_costs(f"{format_}, {'given' if has_identifiers else 'derived'} identifiers", costs)
                found += ratios(costs, GUARDED, UNGUARDED, LIMIT)
        print_ratios(found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
