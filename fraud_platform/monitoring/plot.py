"""The drift of one day as a picture: how far each feature moved, and on which days.

Numbers and verdict come from a drift report; nothing is computed here.
"""

import io
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by lightness too, for readers who see no hue and for print.
_COLOURS = {"stable": "#a9bccf", "moderate": "#e9a23b", "major": "#b8322a"}
_INK, _MUTED, _GRID = "#1f2933", "#6b7785", "#e4e8ec"
_VALUE_INKS = {"stable": _MUTED, "moderate": _INK, "major": _INK}
_MOST_DAY_LABELS = 10
_INCHES_PER_ROW, _INCHES_AROUND, _INCHES_OF_TITLE = 0.25, 1.75, 0.9
_SCORE_LABEL = "score"


def draw_drift(report: Mapping[str, Any], subtitle: str) -> bytes:
    """A PNG of a drift report: one bar a feature, the limits as lines, and beside it the index of each day.

    Bars longer than the axis end at its rim; every bar carries its value. The score stands below the features.
    `subtitle` is written under the verdict.
    """
    from matplotlib.figure import Figure

    rows = _rows(report)
    height = _INCHES_PER_ROW * len(rows) + _INCHES_AROUND if rows else _INCHES_OF_TITLE
    figure = Figure(figsize=(10.5, height), dpi=90, facecolor="white")
    days = report["window"]["days"]
    if rows:
        top, bottom = 1 - 1.15 / height, 0.5 / height
        has_days = len(days) > 1
        bars = figure.add_axes((0.115, bottom, 0.50 if has_days else 0.85, top - bottom))
        _draw_bars(bars, rows, report["limits"])
        if has_days:
            cells = figure.add_axes((0.655, bottom, 0.325, top - bottom))
            _draw_days(cells, rows, days, report["limits"])
    _write_title(figure, report, subtitle, height)
    buffer = io.BytesIO()
    # No software version or date in the file: the same report gives the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _rows(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    score = [{**report["score"], "feature": _SCORE_LABEL}] if report["score"] else []
    return [*report["features"], *score]


def _positions(rows: list[Mapping[str, Any]]) -> list[float]:
    """From the top down, one unit a row; the score a little apart."""
    return [-index - (0.5 if row["feature"] == _SCORE_LABEL else 0.0) for index, row in enumerate(rows)]


def _span(rows: list[Mapping[str, Any]]) -> tuple[float, float]:
    """What both panels show from bottom to top, so that their rows meet."""
    return _positions(rows)[-1] - 0.6, 0.6


def _draw_bars(axes: "Axes", rows: list[Mapping[str, Any]], limits: Mapping[str, float]) -> None:
    positions = _positions(rows)
    rim = max(1.6 * limits["psi"], min(max(row["psi"] for row in rows) * 1.12, 4 * limits["psi"]))
    lengths = [min(row["psi"], rim) for row in rows]
    colours = [_COLOURS[row["psi_verdict"]] for row in rows]
    axes.barh(positions, lengths, height=0.72, color=colours, zorder=2)
    for limit, verdict in ((limits["moderate"], "moderate"), (limits["psi"], "major")):
        axes.axvline(limit, color=_COLOURS[verdict], linewidth=1.1, linestyle=(0, (4, 3)), zorder=3)
        axes.annotate(
            f"{verdict} {limit:g}",
            (limit, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=_COLOURS[verdict],
        )
    for position, length, row in zip(positions, lengths, rows, strict=True):
        is_long = length > 0.93 * rim
        axes.annotate(
            f"{row['psi']:.2f}" + (" »" if row["psi"] > rim else ""),
            (length, position),
            xytext=(-4 if is_long else 4, 0),
            textcoords="offset points",
            ha="right" if is_long else "left",
            va="center",
            fontsize=8,
            color="white" if is_long and row["psi_verdict"] == "major" else _VALUE_INKS[row["psi_verdict"]],
            zorder=4,
            bbox=None if is_long else {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        )
    axes.set_xlim(0, rim)
    axes.set_ylim(_span(rows))
    axes.set_yticks(positions, [row["feature"] for row in rows])
    axes.set_xlabel("population stability index over the window", fontsize=8.5, color=_MUTED)
    axes.grid(axis="x", color=_GRID, linewidth=0.8, zorder=0)
    axes.tick_params(axis="both", length=0, labelsize=8.5, labelcolor=_INK)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row["psi_verdict"] == "major" else "normal")
    axes.spines[:].set_visible(False)


def _draw_days(axes: "Axes", rows: list[Mapping[str, Any]], days: list[str], limits: Mapping[str, float]) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    # The limits fall where the colour turns amber and red, as in the bars.
    rim = 2 * limits["psi"]
    stops = [(0.0, "#f3f5f7"), (0.5 * limits["moderate"] / rim, "#e3e9ef"), (limits["moderate"] / rim, "#f6cf8f")]
    stops += [(limits["psi"] / rim, "#dc6a4a"), (1.0, _COLOURS["major"])]
    colours = LinearSegmentedColormap.from_list("drift", stops).with_extremes(bad="white")
    edges = np.arange(len(days) + 1) - 0.5
    # Rows of cells meet between their middles; the score's row has its own upper rim, and nothing above it.
    middles, values = _positions(rows), [row["psi_by_day"] for row in rows]
    rims = [middles[0] + 0.5, *(middle - 0.5 for middle in middles)]
    if rows[-1]["feature"] == _SCORE_LABEL:
        rims.insert(-1, middles[-1] + 0.5)
        values.insert(-1, [None] * len(days))
    axes.pcolormesh(
        edges,
        rims,
        np.ma.masked_invalid(np.array(values, dtype=np.float64)),
        cmap=colours,
        norm=Normalize(0, rim),
        edgecolors="white",
        linewidth=1.5,
    )
    step = -(-len(days) // _MOST_DAY_LABELS)
    shown = range((len(days) - 1) % step, len(days), step)  # the last day always among them
    axes.set_xticks(list(shown), [days[index][5:] for index in shown])
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(_span(rows))
    axes.set_yticks([])
    axes.set_title("the same, day by day", fontsize=8.5, color=_MUTED, pad=5)
    axes.tick_params(axis="both", length=0, labelsize=7.5, labelcolor=_MUTED)
    axes.spines[:].set_visible(False)


def _write_title(figure: "Figure", report: Mapping[str, Any], subtitle: str, height: float) -> None:
    headline = textwrap.shorten(report["verdict"]["sentence"], 105, placeholder=" …")
    colour = _COLOURS["major"] if report["verdict"]["is_drifted"] else _INK
    lines = (
        (0.24, f"Drift on {report['day']}", 13, "bold", _INK),
        (0.49, headline, 9.5, "normal", colour),
        (0.70, subtitle, 8.5, "normal", _MUTED),
    )
    for inches, text, size, weight, ink in lines:
        figure.text(0.02, 1 - inches / height, text, fontsize=size, weight=weight, color=ink, va="center")
