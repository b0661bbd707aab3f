"""The frame of a picture of a model: its axes, its title lines, a marked point, and PNG bytes in the end.

What a picture shows belongs to `plots`. No pyplot, whose figures are global state.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart in print and by colour-blind readers alike.
INK, MUTED, GRID = "#1f2933", "#6b7785", "#e4e7eb"
BLUE, RED, GREY = "#2a6fbb", "#c8443c", "#9aa5b1"
WIDTH_INCHES, HEIGHT_INCHES, DOTS_PER_INCH = 6.0, 4.4, 150
LEFT, BOTTOM, WIDTH, HEIGHT = 0.115, 0.125, 0.785, 0.675


def new_axes(title: str, subtitle: str, rows: str, note: str) -> "tuple[Figure, Axes]":
    """An empty picture: title, two lines below it, and a note in the corner for what must not be overlooked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, facecolor="white")
    left, right = 0.025, 0.975
    figure.text(left, 0.94, title, fontsize=14, weight="bold", color=INK)
    figure.text(left, 0.89, subtitle, fontsize=10, color=INK)
    figure.text(left, 0.845, rows, fontsize=10, color=MUTED)
    figure.text(right, 0.94, note.upper(), fontsize=10, weight="bold", color=RED, ha="right")
    axes = figure.add_axes((LEFT, BOTTOM, WIDTH, HEIGHT))
    style(axes)
    return figure, axes


def style(axes: "Axes") -> None:
    """Gives axes the look of all of them."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(which="both", labelsize=9.5, labelcolor=MUTED, color=GREY, length=3)
    axes.xaxis.label.set(fontsize=10.5, color=INK)
    axes.yaxis.label.set(fontsize=10.5, color=INK)


def mark(axes: "Axes", x: float, y: float, text: str) -> None:
    """The operating point, its figures below it on the side that has room."""
    axes.plot([x], [y], marker="o", markersize=8, color=RED, markeredgecolor="white", markeredgewidth=1.5, zorder=5)
    across, up = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
    is_right_half, is_upper_half = bool(across > 0.5), bool(up > 0.5)  # noqa: PLR2004 - the middle of the axes
    axes.annotate(
        text,
        (x, y),
        xytext=(-26 if is_right_half else 26, -26 if is_upper_half else 26),
        textcoords="offset points",
        ha="right" if is_right_half else "left",
        va="top" if is_upper_half else "bottom",
        fontsize=10,
        color=INK,
        linespacing=1.35,
        arrowprops={"arrowstyle": "-", "color": RED, "linewidth": 1, "shrinkA": 0, "shrinkB": 5},
        bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": GREY, "linewidth": 0.6},
        zorder=4,
    )


def png(figure: "Figure") -> bytes:
    """The picture as PNG bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    # Without the library's name and version in it, the same figures give the same bytes for longer.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
