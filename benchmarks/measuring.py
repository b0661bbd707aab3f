"""What a comparison of peers costs and how it is shown: alternating repeats, medians, paired ratios, one table.

What is compared does not belong here.
"""

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one execution took, in seconds: on the clock, and of processors (user and system, all threads)."""

    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Ratio:
    """One figure held against a limit.

    Attributes:
        what: the two peers, such as "daily job / bare calls, wall".
        value: median over the rounds.
        lowest, highest: smallest and largest of any round.
        limit: what is allowed.
        is_floor: the value must be at least the limit, not at most.
    """

    what: str
    value: float
    lowest: float
    highest: float
    limit: float
    is_floor: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the limit holds."""
        return self.value >= self.limit if self.is_floor else self.value <= self.limit


def cost_of_call(work: Callable[[], object]) -> Cost:
    """What calling `work` takes, the processes included that it started and waited for."""
    gc.collect()
    cpu, wall = processor_seconds(), time.perf_counter()
    work()
    return Cost(time.perf_counter() - wall, processor_seconds() - cpu)


def run_python(*arguments: str) -> str:
    """What a fresh interpreter with `arguments` printed, on a machine that keeps bytecode.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def processor_seconds() -> float:
    """User and system time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def alternate(peers: Mapping[str, Callable[[], Cost]], *, repeats: int, warm_ups: int = 1) -> dict[str, list[Cost]]:
    """The costs of every peer, round by round.

    Each round measures every peer once, the next round in turned order, so that a machine whose load drifts is unfair
    to none of them. The first `warm_ups` rounds are not counted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in peers}
    names = list(peers)
    for number in range(-warm_ups, repeats):
        for name in names if number % 2 == 0 else reversed(names):
            cost = peers[name]()
            if number >= 0:
                costs[name].append(cost)
    return costs


def ratios(
    costs: Mapping[str, Sequence[Cost]], name: str, peer: str, limit: float, *, is_floor: bool = False
) -> list[Ratio]:
    """`name` over `peer`, round by round, in wall time and in processor time."""
    found = []
    for label, attribute in (("wall", "wall_seconds"), ("CPU", "cpu_seconds")):
        pairs = zip(costs[name], costs[peer], strict=True)
        values = [getattr(ours, attribute) / getattr(theirs, attribute) for ours, theirs in pairs]
        found.append(
            Ratio(f"{name} / {peer}, {label}", statistics.median(values), min(values), max(values), limit, is_floor)
        )
    return found


def print_costs(title: str, costs: Mapping[str, Sequence[Cost]]) -> None:
    """The medians of every peer as a Markdown table."""
    rounds = len(next(iter(costs.values())))
    print(f"\n## {title} (medians of {rounds} rounds)\n\n| peer | wall s | CPU s |\n|---|--:|--:|")
    for name, measured in costs.items():
        wall = statistics.median(cost.wall_seconds for cost in measured)
        cpu = statistics.median(cost.cpu_seconds for cost in measured)
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")


def print_ratios(found: Sequence[Ratio]) -> None:
    """The ratios as a Markdown table: median, range over the rounds, limit, and whether it is kept."""
    print("\n| ratio | median | lowest .. highest | limit | |\n|---|--:|--:|--:|---|")
    for ratio in found:
        sign = ">=" if ratio.is_floor else "<="
        verdict = "kept" if ratio.is_kept else "**missed**"
        spread = f"{ratio.lowest:.2f} .. {ratio.highest:.2f}"
        print(f"| {ratio.what} | {ratio.value:.2f} | {spread} | {sign} {ratio.limit:g} | {verdict} |")
    sys.stdout.flush()
