"""What a panel and a dashboard are, before Grafana's types: titles, queries, units, limits.

Which there are is in `boards`; how they become JSON is in `make_dashboards`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

LINES, NUMBER, BARS = "lines", "number", "bars"
# Grafana's own number of columns.
FULL, HALF, THIRD, QUARTER, SIXTH = 24, 12, 8, 6, 4


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        queries: PromQL by the name of its line; `{{label}}` stands for a label's value.
        unit: Grafana's name of it: percentunit, s, short, bytes, ...
        kind: lines over time, one number each, or bars by size.
        width: columns of 24.
        limit: where an alert begins; None without one.
        is_floor: whether values below the limit are bad, not those above.
        about: what the reader should know.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: Literal["lines", "number", "bars"] = "lines"
    width: int = HALF
    limit: float | None = None
    is_floor: bool = False
    about: str = ""


@dataclass(frozen=True)
class Board:
    """One dashboard: its title, over how long it looks by default, and its panels in rows."""

    title: str
    since: str
    rows: Mapping[str, Sequence[Panel]]
