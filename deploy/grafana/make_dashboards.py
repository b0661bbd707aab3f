"""Makes the Grafana dashboards beside it: `make dashboards` writes them, a test holds that they are what this makes.

What they show is in `boards`.
"""

import json
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from boards import BOARDS
from grafana_foundation_sdk.builders import bargauge, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, Threshold, ThresholdsMode
from panels import BARS, LINES, NUMBER, Board, Panel

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")


def dashboards() -> dict[str, str]:
    """Every dashboard as JSON, by the name of its file."""
    return {
        f"{name}.json": json.dumps(_built(name, board).build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
        for name, board in BOARDS.items()
    }


def _built(name: str, board: Board) -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard(board.title)
        .uid(f"fraud-{name}")
        .tags(["fraud-platform"])
        .refresh("1m")
        .time(board.since, "now")
        .timezone("utc")
        .readonly()
        # From each to the others.
        .link(
            dashboard.DashboardLink("Fraud platform")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["fraud-platform"])
            .as_dropdown(False)
        )
    )
    # A number of its own for each, or a link to a panel leads to another.
    numbers = count(1)
    for title, panels in board.rows.items():
        built.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            built.with_panel(_MAKERS[panel.kind](panel).id(next(numbers)))
    return built


def _lines(panel: Panel) -> Any:
    legend = VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return _common(timeseries.Panel(), panel).height(8).legend(legend).show_points(VisibilityMode.AUTO).span_nulls(True)


def _number(panel: Panel) -> Any:
    is_named = any(panel.queries)
    shown = BigValueTextMode.NAME if is_named and panel.limit is None else BigValueTextMode.AUTO
    return (
        _common(stat.Panel(), panel, instant=True)
        .height(4)
        .text_mode(shown)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _bars(panel: Panel) -> Any:
    return _common(bargauge.Panel(), panel, instant=True).height(10).orientation(VizOrientation.VERTICAL).min(0)


_MAKERS: Mapping[str, Callable[[Panel], Any]] = {LINES: _lines, NUMBER: _number, BARS: _bars}


def _common(made: Any, panel: Panel, *, instant: bool = False) -> Any:
    made.title(panel.title).unit(panel.unit).span(panel.width).datasource(SOURCE).thresholds(_thresholds(panel))
    if panel.about:
        made.description(panel.about)
    for number, (legend, query) in enumerate(panel.queries.items()):
        asked = (
            prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number)).datasource(SOURCE)
        )
        made.with_target(asked.instant() if instant else asked.range())
    return made


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    good, bad = "green", "red"
    steps = [Threshold(value=None, color=bad if panel.is_floor else good)]
    if panel.limit is not None:
        steps.append(Threshold(value=panel.limit, color=good if panel.is_floor else bad))
    else:
        steps = [Threshold(value=None, color=good)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def main() -> None:
    """Writes them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
