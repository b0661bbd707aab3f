"""A model's figures as pictures: PNG bytes that stay readable at 600 pixels' width.

Figures are computed elsewhere; here they are only drawn, in the frame that `drawing` gives.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fraud_platform.metrics import RankedCounts, ranked_counts
from fraud_platform.training.drawing import BLUE, BOTTOM, GREY, INK, LEFT, MUTED, RED, WIDTH, mark, new_axes, png, style
from fraud_platform.training.evaluation import Evaluation, Interval
from fraud_platform.training.reliability import BIN_COUNT, reliability
from fraud_platform.training.slices import weighted_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Below this correlation a feature pushes both ways and a colour would mislead.
_CLEAR_DIRECTION = 0.3


def plot_precision_recall(
    probabilities: ArrayLike, labels: ArrayLike, evaluation: Evaluation, *, note: str = ""
) -> bytes:
    """The precision-recall curve with the operating point, over lines of equal F1, as PNG.

    Args:
        probabilities: calibrated probabilities, [n].
        labels: 1 = fraud, 0 = legitimate, [n].
        evaluation: what `evaluate` found on the same rows.
        note: where the data comes from, when that must be said ("simulated data").
    """
    measured = f"Average precision {_text(evaluation.average_precision)}"
    counts, figure, axes = _new_curve("Precision and recall", measured, probabilities, labels, evaluation, note)
    axes.set(xlim=(0, 1))
    for f1 in (0.5, 0.75, 0.9):
        recalls = np.linspace(f1 / (2 - f1), 1, 100)
        axes.plot(recalls, f1 * recalls / (2 * recalls - f1), color=GREY, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.text(1.01, f1 / (2 - f1), f"F1 {f1:g}", color=MUTED, fontsize=8.5, va="center")
    recalls, precisions = np.append(0.0, counts.recalls), np.append(counts.precisions[0], counts.precisions)
    axes.fill_between(recalls, precisions, step="pre", color=BLUE, alpha=0.10, linewidth=0)
    axes.step(recalls, precisions, where="pre", color=BLUE, linewidth=2)
    if np.isfinite(evaluation.precision.value):
        text = f"threshold {evaluation.threshold:.3g}\nprecision {evaluation.precision.value:.2f}\n"
        mark(axes, evaluation.recall.value, evaluation.precision.value, f"{text}recall {evaluation.recall.value:.2f}")
    axes.set(xlabel="Recall: share of frauds alerted", ylabel="Precision: share of alerts that are fraud")
    return png(figure)


def plot_roc(probabilities: ArrayLike, labels: ArrayLike, evaluation: Evaluation, *, note: str = "") -> bytes:
    """The ROC curve with the operating point, as PNG; false alerts on a log scale, since fraud is rare.

    Args:
        probabilities: calibrated probabilities, [n].
        labels: 1 = fraud, 0 = legitimate, [n].
        evaluation: what `evaluate` found on the same rows.
        note: where the data comes from, when that must be said ("simulated data").
    """
    measured = f"Area under it {_text(evaluation.roc_auc)}"
    counts, figure, axes = _new_curve("ROC curve", measured, probabilities, labels, evaluation, note)
    legitimate = counts.legitimate_total
    # A log scale has no 0: half a false alert stands for none.
    smallest = 0.5 * evaluation.legitimate_weight / legitimate
    axes.set(xscale="log", xlim=(smallest, 1))
    rates = np.append(smallest, np.maximum(counts.false_positives / legitimate, smallest))
    recalls = np.append(0.0, counts.recalls)
    axes.fill_between(rates, recalls, color=BLUE, alpha=0.10, linewidth=0)
    axes.plot(rates, recalls, color=BLUE, linewidth=2)
    chance = np.geomspace(smallest, 1, 200)
    axes.plot(chance, chance, color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    axes.text(0.2, 0.26, "by chance", color=MUTED, fontsize=8.5, ha="right")
    false_rate = evaluation.legitimate_weight * evaluation.confusion["false_positives"] / legitimate
    per_ten_thousand = f"{1e4 * false_rate:.3g} false alerts\nper 10,000 legitimate"
    mark(
        axes,
        max(false_rate, smallest),
        evaluation.recall.value,
        f"threshold {evaluation.threshold:.3g}\nrecall {evaluation.recall.value:.2f}\n{per_ten_thousand}",
    )
    axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:.6%}".rstrip("0%").rstrip(".") + "%" if rate < 1 else "100%")
    axes.set(
        xlabel="False-positive rate: share of legitimate alerted (log scale)", ylabel="Recall: share of frauds alerted"
    )
    return png(figure)


def plot_reliability(probabilities: ArrayLike, labels: ArrayLike, evaluation: Evaluation, *, note: str = "") -> bytes:
    """What was said against what came true in bins of probability, with 95 % intervals and the size of each, as PNG.

    Args:
        probabilities: calibrated probabilities, [n].
        labels: 1 = fraud, 0 = legitimate, [n].
        evaluation: what `evaluate` found on the same rows.
        note: where the data comes from, when that must be said ("simulated data").
    """
    weight = evaluation.legitimate_weight
    bins = reliability(labels, probabilities, _weights(labels, evaluation))
    error = evaluation.expected_calibration_error.value
    said = f"Expected calibration error {error:.3%}, {error / evaluation.fraud_rate:.2f} of the fraud rate"
    figure, axes = new_axes("Probabilities at their word", said, evaluation.rows_in_words, note)
    axes.set_position((LEFT, 0.335, WIDTH, 0.465))
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), ylabel="Share that was fraud")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (2, 3)))
    axes.text(0.31, 0.27, "as said", color=MUTED, fontsize=8.5, va="top")
    filled = np.flatnonzero(bins.transactions)
    shares = [weighted_share(bins.frauds[i], bins.transactions[i], bins.frauds[i], weight) for i in filled]
    means, values = bins.mean_probabilities[filled], np.array([share.value for share in shares])
    reach = [values - [share.low for share in shares], [share.high for share in shares] - values]
    axes.errorbar(means, values, yerr=np.maximum(reach, 0), color=GREY, fmt="none", elinewidth=1.4, capsize=3)
    axes.plot(means, values, color=BLUE, linewidth=1.2, alpha=0.5)
    dots: dict[str, Any] = {
        "markersize": 7,
        "markeredgecolor": "white",
        "markeredgewidth": 1.2,
        "zorder": 4,
        "clip_on": False,
    }
    axes.plot(means, values, "o", color=BLUE, **dots)
    axes.tick_params(labelbottom=False)
    sizes = figure.add_axes((LEFT, BOTTOM, WIDTH, 0.165))
    style(sizes)
    heights = np.log10(1 + bins.transactions)
    sizes.bar((np.arange(BIN_COUNT) + 0.5) / BIN_COUNT, heights, width=0.9 / BIN_COUNT, color=BLUE, alpha=0.35)
    for number, (count, height) in enumerate(zip(bins.transactions.tolist(), heights.tolist(), strict=True)):
        place = ((number + 0.5) / BIN_COUNT, height + 0.03 * heights.max())
        sizes.text(*place, f"{count:,.0f}", color=MUTED, fontsize=8, ha="center", va="bottom")
    sizes.set(xlim=(0, 1), ylim=(0, 1.35 * heights.max()), yticks=[], xticks=np.linspace(0, 1, BIN_COUNT + 1))
    sizes.grid(False)
    if filled[0] == 0:
        # Nearly all transactions are here, and nothing of it can be read off the axes.
        text = f"lowest bin: {means[0]:.3%} said, {values[0]:.3%} came true"
        sizes.text(0.125, 0.97, text, color=INK, fontsize=9, va="top", transform=sizes.transAxes)
    sizes.set(xlabel="Probability of fraud that was said; bars: transactions (log scale)")
    return png(figure)


def plot_confusion_matrix(evaluation: Evaluation, *, note: str = "") -> bytes:
    """Decisions against labels as four counts with their share of the true class, as PNG.

    Args:
        evaluation: what `evaluate` found.
        note: where the data comes from, when that must be said ("simulated data").
    """
    counts = evaluation.confusion
    subtitle = f"Precision {_text(evaluation.precision)}, recall {_text(evaluation.recall)}"
    subtitle = f"{subtitle}; {evaluation.confidence:.0%} intervals"
    figure, axes = new_axes("Decisions against labels", subtitle, evaluation.rows_in_words, note)
    table = (
        ("Legitimate", counts["true_negatives"], counts["false_positives"]),
        ("Fraud", counts["false_negatives"], counts["true_positives"]),
    )
    words = (("left in peace", "false alerts"), ("missed", "caught"))
    for row, (_, *cells) in enumerate(table):
        for column, cell in enumerate(cells):
            share = cell / max(sum(cells), 1)
            color = BLUE if row == column else RED
            # Shares of each true class, so that the rare class is as visible as the common one.
            axes.add_patch(_tile(column, row, color, 0.12 + 0.78 * share))
            shade = "white" if share > 0.5 else INK  # noqa: PLR2004 - half way from light to dark
            axes.text(
                column, row - 0.08, f"{cell:,}", color=shade, fontsize=21, ha="center", va="center", weight="bold"
            )
            caption = f"{words[row][column]} · {share:.2%}"
            axes.text(column, row + 0.24, caption, color=shade, fontsize=10, ha="center", va="center")
    axes.set(
        xlim=(-0.5, 1.5), ylim=(1.5, -0.5), xlabel=f"Decision at threshold {evaluation.threshold:.3g}", ylabel="Label"
    )
    axes.set_xticks([0, 1], ["No alert", "Alert"])
    axes.set_yticks([0, 1], [name for name, *_ in table], rotation=90, va="center")
    axes.grid(False)
    axes.tick_params(length=0, labelsize=10.5, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return png(figure)


def plot_contributions(
    contributions: NDArray[np.floating[Any]],
    features: NDArray[np.floating[Any]],
    feature_names: Sequence[str],
    *,
    count: int = 10,
    note: str = "",
) -> bytes:
    """The features that move the score most: mean absolute SHAP value in log-odds, with their direction, as PNG.

    Args:
        contributions: what each feature adds to the log-odds of each row, [n, k].
        features: the rows explained, [n, k].
        feature_names: names of the k columns.
        count: bars, at most.
        note: where the data comes from, when that must be said ("simulated data").
    """
    strength = np.abs(contributions).mean(axis=0)
    strongest = np.argsort(-strength, kind="stable")[:count]
    direction = np.array([_correlation(features[:, column], contributions[:, column]) for column in strongest])
    figure, axes = new_axes(
        "What moves the score",
        f"Top {len(strongest)} of {len(feature_names)} features by mean absolute SHAP value",
        f"{len(contributions):,} transactions explained",
        note,
    )
    kinds = (
        ("high values speak for fraud", RED, direction >= _CLEAR_DIRECTION),
        ("low values speak for fraud", BLUE, direction <= -_CLEAR_DIRECTION),
        ("both ways", GREY, np.abs(direction) < _CLEAR_DIRECTION),
    )
    places = np.arange(len(strongest))
    for label, color, is_kind in kinds:
        if is_kind.any():
            axes.barh(places[is_kind], strength[strongest][is_kind], height=0.68, color=color, label=label)
    longest = float(strength[strongest].max(initial=0.0)) or 1.0
    for place, length in zip(places.tolist(), strength[strongest].tolist(), strict=True):
        axes.text(length + 0.012 * longest, place, f"{length:.2f}", color=MUTED, fontsize=9, va="center")
    axes.set_yticks(places, [feature_names[column] for column in strongest])
    axes.set(xlim=(0, 1.12 * longest), xlabel="How far the feature moves the log-odds of fraud, on average")
    # Room for the longest feature name.
    axes.set_position((0.20, 0.125, 0.755, 0.675))
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", labelsize=10.5, labelcolor=INK)
    axes.legend(loc="lower right", frameon=False, fontsize=9.5, labelcolor=INK)
    return png(figure)


def _new_curve(
    title: str, measured: str, probabilities: ArrayLike, labels: ArrayLike, evaluation: Evaluation, note: str
) -> "tuple[RankedCounts, Figure, Axes]":
    """What every threshold would give, and the empty picture that shows it with recall or precision upwards."""
    subtitle = f"{measured}, {evaluation.confidence:.0%} interval"
    figure, axes = new_axes(title, subtitle, evaluation.rows_in_words, note)
    axes.set(ylim=(0, 1.02))
    return ranked_counts(labels, probabilities, _weights(labels, evaluation)), figure, axes


def _weights(labels: ArrayLike, evaluation: Evaluation) -> NDArray[np.float64]:
    return np.where(np.asarray(labels) == 1, 1.0, evaluation.legitimate_weight)


def _tile(column: int, row: int, color: str, strength: float) -> Any:
    from matplotlib.patches import FancyBboxPatch

    corner = (column - 0.46, row - 0.44)
    style = "round,pad=0,rounding_size=0.04"
    return FancyBboxPatch(corner, 0.92, 0.88, boxstyle=style, facecolor=color, alpha=strength, linewidth=0)


def _correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Pearson's correlation, 0 where either is constant."""
    a, b = first - first.mean(dtype=np.float64), second - second.mean(dtype=np.float64)
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def _text(interval: Interval) -> str:
    if not np.isfinite(interval.value):
        return "not defined"
    if not np.isfinite(interval.low):
        return f"{interval.value:.2f}"
    return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
