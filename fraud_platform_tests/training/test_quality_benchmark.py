"""The benchmark of model quality divides a file as the platform divides its days, and judges as scikit-learn does."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from fraud_platform.simulation.simulator import simulate

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PUBLIC_FRAUD_RATE = 492 / 284_807


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two days like `creditcard.csv`, with too many frauds."""
    days = simulate(start=date(2026, 1, 1), days=2, rows_per_day=1_500, seed=5, fraud_rate=0.05)
    tables = [table.assign(Time=table["Time"] + 86_400 * number) for number, (_, table) in enumerate(days)]
    path = tmp_path / "labelled.csv"
    pd.concat(tables).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["seed 3", "time-ordered"])
def test_a_file_is_divided_at_the_true_fraud_rate(file: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from quality_rows import QualityRows

    rows = QualityRows(file)
    split = rows.split(name)
    assert rows.row_count == 3_000
    parts = (split.train, split.validation, split.test)
    assert sum(part.row_count for part in parts) <= rows.row_count
    assert [part.row_count / rows.row_count for part in parts] == pytest.approx([0.70, 0.15, 0.15], abs=0.02)
    groups = [set(part.twin_groups.tolist()) for part in parts]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert split.test.weights is not None
    weighted = np.average(split.development.labels, weights=split.development.weights)
    if name != "time-ordered":
        assert weighted == pytest.approx(PUBLIC_FRAUD_RATE, rel=0.05)


def test_the_released_model_is_judged_as_scikit_learn_judges(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from quality_contestants import Figures
    from quality_rows import QualityRows

    test = QualityRows(file).split("seed 0").test
    answers = np.random.default_rng(0).uniform(size=test.row_count) * (0.5 + test.labels)
    found = Figures.of(answers, 0.6, test, 1.5)
    alerted = answers >= 0.6
    assert found.average_precision == pytest.approx(
        average_precision_score(test.labels, answers, sample_weight=test.weights)
    )
    assert found.f1 == pytest.approx(f1_score(test.labels, alerted, sample_weight=test.weights))
    assert found.precision == pytest.approx(precision_score(test.labels, alerted, sample_weight=test.weights))
    assert found.recall == pytest.approx(recall_score(test.labels, alerted, sample_weight=test.weights))


def test_the_platform_competes_with_its_own_training(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from quality_contestants import unsearched
    from quality_rows import QualityRows

    ((name, figures),) = unsearched(QualityRows(file).split("seed 0")).items()
    assert name == "released model, no search"
    assert 0.5 < figures.average_precision <= 1.0


def test_a_contestant_is_summed_up_on_the_splits_it_was_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from model_quality import beside_released, by_contestant
    from quality_contestants import RELEASED, Figures

    good, better = (Figures(each, each, each, each, 1.0) for each in (0.8, 0.9))
    # No ensemble on the first split.
    splits = [{RELEASED: good}, {RELEASED: better, "tuned ensemble": good}]
    assert by_contestant(splits) == {RELEASED: [good, better], "tuned ensemble": [good]}
    assert beside_released(splits) == {"tuned ensemble": [(better, good)]}
