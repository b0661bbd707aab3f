"""How much memory does a day need? The peak of the daily job, less what the process weighs with nothing to do.

Two fresh processes run the same `daily` job: one for a day of 200 rows, one for a day of 142,000. Each tells the
largest resident size it ever had (`VmHWM` on Linux, `ru_maxrss` elsewhere). The first is the footprint: interpreter,
every import of the job, instance, registry and model. The difference is what the day itself needs, held against the
day as float64: 142,000 rows x 31 columns x 8 bytes.

    python benchmarks/memory.py [REPEATS]
"""

import resource
import statistics
import sys
from datetime import date
from pathlib import Path
from typing import get_args

from measuring import Ratio, print_ratios, run_python
from temporary_home import LANDED_FORMAT, ROWS_OF_A_DAY, land, load_definitions, release_model, temporary_home

LIMIT = 3.0
COLUMNS = 31
TINY_ROWS = 200
MEGABYTE = 1e6
CHILD, PREPARE = "run", "prepare"


def peak_bytes() -> int:
    """The largest resident size this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike ru_maxrss, not inherited from the process that started this one.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def prepare() -> None:
    """Releases a model and prints the first day it has not seen."""
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        print(release_model(load_definitions(), instance))


def run_day(day: date) -> None:
    """The daily job; prints this process's peak."""
    from fraud_platform.defs import runs
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        runs.run_day(load_definitions(), instance, "daily", day)
    print(peak_bytes())


def measure(day: date, repeats: int, landed: LANDED_FORMAT) -> Ratio:
    """The day's own memory over its float64 size; prints the figures behind it."""
    size = ROWS_OF_A_DAY * COLUMNS * 8
    peaks: dict[int, list[int]] = {TINY_ROWS: [], ROWS_OF_A_DAY: []}
    for _ in range(repeats):
        for rows, found in peaks.items():
            land(day, rows, landed)
            found.append(int(run_python(__file__, CHILD, day.isoformat()).splitlines()[-1]))
    values = [(peak - footprint) / size for footprint, peak in zip(*peaks.values(), strict=True)]
    footprint, peak = (statistics.median(found) / MEGABYTE for found in peaks.values())
    print(f"| {landed} | {footprint:.0f} | {peak:.0f} | {peak - footprint:.0f} | {size / MEGABYTE:.1f} |")
    what = f"the day's memory / its float64 size ({landed})"
    return Ratio(what, statistics.median(values), min(values), max(values), LIMIT)


def main(repeats: int) -> None:
    """Prepares a home, measures and prints."""
    with temporary_home():
        day = date.fromisoformat(run_python(__file__, PREPARE).splitlines()[-1])
        print(f"\n## Peak memory of one day of {ROWS_OF_A_DAY:,} rows (medians of {repeats} rounds)\n")
        print("| landed as | footprint MB | peak MB | the day MB | float64 MB |\n|---|--:|--:|--:|--:|")
        print_ratios([measure(day, repeats, landed) for landed in get_args(LANDED_FORMAT)])


if __name__ == "__main__":
    if sys.argv[1:2] == [PREPARE]:
        prepare()
    elif sys.argv[1:2] == [CHILD]:
        run_day(date.fromisoformat(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
