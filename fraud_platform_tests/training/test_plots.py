"""Plots are pictures of the asked-for size, drawn without global state, whatever the figures are."""

import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from fraud_platform.training.drawing import DOTS_PER_INCH, HEIGHT_INCHES, WIDTH_INCHES
from fraud_platform.training.evaluation import Evaluation, evaluate
from fraud_platform.training.plots import (
    plot_confusion_matrix,
    plot_contributions,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)

GENERATOR = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [480, 20])
SCORES = np.clip(GENERATOR.normal(0.1, 0.1, 500) + 0.5 * LABELS, 0, 1)
CONTRIBUTIONS, FEATURES = GENERATOR.normal(size=(2, 500, 32))
NAMES = tuple(f"V{number}" for number in range(1, 33))


def evaluation(scores=SCORES, threshold=0.4, **weight):
    return evaluate(scores, LABELS, np.ones(LABELS.size), threshold, seed=0, bootstrap_samples=20, **weight)


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


PLOTS = {
    "precision_recall": lambda: plot_precision_recall(SCORES, LABELS, evaluation()),
    "roc": lambda: plot_roc(SCORES, LABELS, evaluation(), note="simulated data"),
    "confusion_matrix": lambda: plot_confusion_matrix(evaluation()),
    "reliability": lambda: plot_reliability(SCORES, LABELS, evaluation()),
    "contributions": lambda: plot_contributions(CONTRIBUTIONS, FEATURES, NAMES),
    # A threshold nobody reaches: no precision, an empty column of decisions.
    "precision_recall_without_alerts": lambda: plot_precision_recall(SCORES, LABELS, evaluation(threshold=1.0)),
    "roc_without_alerts": lambda: plot_roc(SCORES, LABELS, evaluation(threshold=1.0)),
    "confusion_matrix_without_alerts": lambda: plot_confusion_matrix(evaluation(threshold=1.0)),
    # A model that knows nothing: one point instead of a curve.
    "roc_of_a_constant": lambda: plot_roc(np.full(500, 0.5), LABELS, evaluation(np.full(500, 0.5))),
    # A model that knows all: the operating point lies in the corner.
    "precision_recall_of_an_oracle": lambda: plot_precision_recall(LABELS, LABELS, evaluation(LABELS.astype(float))),
    # All transactions in one bin, and not the lowest.
    "reliability_of_a_constant": lambda: plot_reliability(np.full(500, 0.5), LABELS, evaluation(np.full(500, 0.5))),
    "reliability_of_an_oracle": lambda: plot_reliability(LABELS, LABELS, evaluation(LABELS.astype(float))),
    # Nothing to explain with: no bar has a length.
    "contributions_of_nothing": lambda: plot_contributions(np.zeros((3, 2)), np.ones((3, 2)), ("V1", "V2")),
}


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_is_a_png_of_twice_the_width_it_is_read_at(name):
    assert size_of(PLOTS[name]()) == (round(WIDTH_INCHES * DOTS_PER_INCH), round(HEIGHT_INCHES * DOTS_PER_INCH))


def test_the_same_figures_give_the_same_bytes():
    assert PLOTS["precision_recall"]() == PLOTS["precision_recall"]()


def test_the_note_is_drawn():
    shown = evaluation()
    assert plot_confusion_matrix(shown) != plot_confusion_matrix(shown, note="simulated data")


def test_the_operating_point_follows_the_evaluation():
    shown = evaluation()
    moved = replace(shown, recall=replace(shown.recall, value=shown.recall.value / 2))
    assert plot_precision_recall(SCORES, LABELS, shown) != plot_precision_recall(SCORES, LABELS, moved)


@pytest.mark.parametrize(
    ("plot", "moves"),
    # Recall and the false-positive rate are shares of one class each, which no weight changes.
    [(plot_precision_recall, True), (plot_reliability, True), (plot_roc, False)],
)
def test_curves_are_weighted_as_the_evaluation_is(plot, moves, monkeypatch):
    # The lines of text are the same, so that only what is drawn can differ.
    monkeypatch.setattr(Evaluation, "rows_in_words", "500 rows")
    weighted = evaluation(legitimate_weight=10)
    unweighted = replace(weighted, legitimate_weight=1.0)
    scores = np.roll(SCORES, 3)
    assert (plot(scores, LABELS, weighted) != plot(scores, LABELS, unweighted)) == moves


def test_only_the_strongest_features_are_shown():
    many = plot_contributions(CONTRIBUTIONS, FEATURES, NAMES, count=10)
    strongest = np.argsort(-np.abs(CONTRIBUTIONS).mean(axis=0))[:10]
    renamed = tuple(name if column in strongest else "other" for column, name in enumerate(NAMES))
    assert plot_contributions(CONTRIBUTIONS, FEATURES, renamed, count=10) == many


def test_drawing_touches_no_global_state_and_importing_no_plot_library():
    program = (
        "import sys, numpy as np\n"
        "from fraud_platform.training import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.plot_contributions(np.ones((3, 2)), np.ones((3, 2)), ('V1', 'V2'))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
