"""A month or quarter as a picture: F1 by week, realised beside estimated, and where the champion changed.

The figures come from `period`; nothing is computed here.
"""

import io
import math
from datetime import timedelta
from typing import TYPE_CHECKING

from fraud_platform.monitoring.period import PeriodFacts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REALISED, _ESTIMATED, _CHANGE, _DRIFT = "#1f4e79", "#e9a23b", "#6b7785", "#f3dedc"


def draw_period(facts: PeriodFacts) -> bytes:
    """A PNG of the period's weeks."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.6), dpi=90, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    _draw_weeks(axes, facts)
    _draw_changes(axes, facts)
    axes.set_ylim(0, 1.08)
    axes.set_ylabel("F1")
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if facts.weeks:
        axes.set_xlim(facts.weeks[0].first_day, facts.weeks[-1].last_day + timedelta(days=1))  # type: ignore[arg-type]  # matplotlib takes dates, its stubs do not know
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", frameon=False, ncols=3, fontsize=9)
    buffer = io.BytesIO()
    # No software version or date in the file: the same facts give the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_weeks(axes: "Axes", facts: PeriodFacts) -> None:
    is_told = False
    for week in facts.weeks:
        if week.drifted_days:
            label = None if is_told else "a week with drift"
            axes.axvspan(week.first_day, week.last_day + timedelta(days=1), color=_DRIFT, linewidth=0, label=label)  # type: ignore[arg-type]  # as above
            is_told = True
    for kind, colour, marker in (("realised", _REALISED, "o"), ("estimated", _ESTIMATED, "s")):
        known = [
            (week.first_day + (week.last_day - week.first_day) / 2, getattr(week, kind).f1)
            for week in facts.weeks
            if not math.isnan(getattr(week, kind).f1)
        ]
        if known:
            axes.plot(*zip(*known, strict=True), color=colour, marker=marker, label=f"{kind} F1")
    if not axes.lines:
        axes.text(0.5, 0.5, "no day has a figure", transform=axes.transAxes, ha="center", color=_CHANGE)


def _draw_changes(axes: "Axes", facts: PeriodFacts) -> None:
    for number, tenure in enumerate(facts.changes):
        axes.axvline(tenure.first_day, color=_CHANGE, linewidth=1, linestyle=(0, (4, 3)))  # type: ignore[arg-type]  # as above
        axes.annotate(
            tenure.version.semver,
            (tenure.first_day, 1.0),
            # One above the other by turns: a model may decide for a single day.
            xytext=(3, 2 - 10 * (number % 2)),
            textcoords="offset points",
            fontsize=8,
            color=_CHANGE,
        )
