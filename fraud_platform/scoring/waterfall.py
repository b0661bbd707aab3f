"""A decision as a waterfall: from where every transaction starts, feature by feature, to its own probability.

Figures are computed in `explained_decision`; here they are only drawn, in the frame that all pictures of models have.
"""

from fraud_platform.scoring.explained_decision import ExplainedDecision
from fraud_platform.training.drawing import BLUE, GREY, GRID, INK, MUTED, RED, new_axes, png

# More bars than these cannot be told apart at 600 pixels' width.
_BARS = 11


def plot_waterfall(explained: ExplainedDecision) -> bytes:
    """The strongest features one below the other, all others as the last bar, start and end as lines, as PNG."""
    record = explained.record
    verdict = "alert" if record.is_alert else "no alert"
    figure, axes = new_axes(
        "What led to this probability",
        f"Probability {explained.replayed:.4g}, threshold {record.threshold:.4g}: {verdict}",
        f"Model {explained.version.semver}, {record.day}",
        "simulated data" if explained.is_simulated else "",
    )
    shown, rest = explained.reasons[:_BARS], explained.reasons[_BARS:]
    names = [f"{each.feature} = {each.value:.4g}" for each in shown]
    parts = [each.contribution for each in shown]
    if rest:
        names.append(f"{len(rest)} others")
        parts.append(sum(each.contribution for each in rest))
    position, ends = explained.start, [explained.start]
    for place, part in enumerate(parts):
        axes.barh(place, part, left=position, height=0.62, color=RED if part > 0 else BLUE, zorder=2)
        position += part
        ends.append(position)
        if place + 1 < len(parts):
            axes.plot([position, position], [place, place + 1], color=GREY, linewidth=0.8, zorder=1)
    low, high = min(ends), max(ends)
    room = (high - low) or max(abs(high), 1e-9)
    for place, part in enumerate(parts):
        edge = max(ends[place], ends[place + 1])
        label = axes.text(edge + 0.012 * room, place, f"{part:+.2g}", color=MUTED, fontsize=9, va="center", zorder=4)
        # A line that runs through the figure would make it unreadable.
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    axes.axvline(explained.start, color=INK, linewidth=1, linestyle=(0, (1, 2)), zorder=1, label="where all start")
    axes.axvline(position, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1, label="this transaction")
    if low <= record.threshold <= high:
        axes.axvline(record.threshold, color=GREY, linewidth=2, zorder=1, label="threshold")
    axes.legend(loc="best", frameon=True, framealpha=1, edgecolor=GRID, fontsize=9, labelcolor=INK)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlim=(low - 0.05 * room, high + 0.14 * room), xlabel="Calibrated fraud probability")
    # Room for the longest feature with its value.
    axes.set_position((0.27, 0.125, 0.685, 0.665))
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelsize=10, labelcolor=INK)
    return png(figure)
