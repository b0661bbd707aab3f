"""The pictures of a validation: there, readable, and marked when the data are made up."""

import io

import numpy as np
import pytest
from matplotlib import image

from fraud_platform.registry import pictures
from fraud_platform.registry.gates import AcceptanceGates
from fraud_platform.registry.pictures import EXPLAINED_LEGITIMATE, validation_pictures
from fraud_platform.registry.validation import validate
from fraud_platform.setting_fields import ReleaseRules
from fraud_platform_tests.registry.candidates import candidate, judging_rows

GATES = AcceptanceGates.of(ReleaseRules())


@pytest.fixture(scope="module")
def drawn():
    bundle, rows = candidate(), judging_rows()
    validation = validate(bundle, rows, gates=GATES, champion=None, seed=3)
    return validation_pictures(bundle, rows, validation, seed=3)


def test_every_picture_is_drawn(drawn):
    assert sorted(drawn) == ["confusion_matrix", "precision_recall", "reliability", "roc", "shap_top_10"]
    for png in drawn.values():
        picture = image.imread(io.BytesIO(png), format="png")
        # Neither empty nor of one colour.
        assert min(picture.shape[:2]) > 200
        assert picture.std() > 0.01


@pytest.mark.parametrize(("origin", "note"), [("simulated", "simulated data"), ("replayed", ""), ("landed", "")])
def test_simulated_data_is_named_on_each(monkeypatch, origin, note):
    notes = []
    for name in ("precision_recall", "roc", "reliability", "confusion_matrix", "contributions"):
        monkeypatch.setattr(pictures, f"plot_{name}", lambda *figures, note, **options: notes.append(note) or b"")
    bundle, rows = candidate(rounds=2, origin=origin), judging_rows()
    validation_pictures(bundle, rows, validate(bundle, rows, gates=GATES, champion=None, seed=3), seed=3)
    assert notes == [note] * 5


def test_every_fraud_and_a_sample_of_the_rest_are_explained(monkeypatch):
    bundle, rows = candidate(rounds=2), judging_rows(count=4_000)
    explained = []
    contributions = type(bundle.estimator).contributions
    monkeypatch.setattr(
        type(bundle.estimator),
        "contributions",
        lambda self, matrix: explained.append(matrix) or contributions(self, matrix),
    )
    validation_pictures(bundle, rows, validate(bundle, rows, gates=GATES, champion=None, seed=3), seed=3)
    (matrix,) = explained
    assert len(matrix) == rows.fraud_count + EXPLAINED_LEGITIMATE
    frauds = rows.features[rows.labels == 1]
    assert {row.tobytes() for row in frauds} <= {row.tobytes() for row in np.ascontiguousarray(matrix)}
