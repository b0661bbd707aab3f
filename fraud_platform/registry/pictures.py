"""The pictures of a validation: precision-recall, ROC, reliability, confusion matrix, and what moves the score most.

Drawing belongs to `training.plots`; this chooses what is drawn.
"""

from typing import TYPE_CHECKING

import numpy as np

from fraud_platform.registry.validation import Validation
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.plots import (
    plot_confusion_matrix,
    plot_contributions,
    plot_precision_recall,
    plot_reliability,
    plot_roc,
)
from fraud_platform.training.sampling import subsample_legitimate

if TYPE_CHECKING:
    from fraud_platform.training.bundle import ModelBundle

# Exact tree SHAP costs seconds per ten thousand rows; a mean over these many is known well enough.
EXPLAINED_LEGITIMATE = 2_000


def validation_pictures(
    bundle: "ModelBundle", test: LabelledRows, validation: Validation, *, seed: int
) -> dict[str, bytes]:
    """PNG images by name; simulated data is named on each.

    The contributions are those of every fraud and a seeded sample of the legitimate rows of the test split.
    """
    note = "simulated data" if bundle.provenance["origin"] == "simulated" else ""
    positions, _ = subsample_legitimate(test.labels, EXPLAINED_LEGITIMATE, np.random.default_rng(seed))
    explained = test.features[positions]
    contributions, _ = bundle.estimator.contributions(explained)
    figures = (validation.probabilities, validation.labels, validation.evaluation)
    return {
        "precision_recall": plot_precision_recall(*figures, note=note),
        "roc": plot_roc(*figures, note=note),
        "reliability": plot_reliability(*figures, note=note),
        "confusion_matrix": plot_confusion_matrix(validation.evaluation, note=note),
        "shap_top_10": plot_contributions(contributions, explained, bundle.feature_names, count=10, note=note),
    }
