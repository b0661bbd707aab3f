"""Realised and estimated performance, against scikit-learn and simulation."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from fraud_platform.errors import DataError
from fraud_platform.monitoring.performance import estimated_performance, realised_performance
from fraud_platform.storage import canonical_json


def scored(row_count: int = 4000, seed: int = 0, fraud_rate: float = 0.05) -> tuple[pd.DataFrame, np.ndarray]:
    """Decisions at 0.5 on perfectly calibrated probabilities, and labels drawn from them."""
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(0.1, 0.1 / fraud_rate, row_count)
    labels = (generator.uniform(size=row_count) < probabilities).astype(np.int8)
    predictions = pd.DataFrame(
        {
            "transaction_id": [f"t{number}" for number in range(row_count)],
            "fraud_probability": probabilities,
            "prediction": (probabilities >= 0.5).astype(np.int8),
        }
    )
    return predictions, labels


def confirmed(ids: object, labels: object) -> pd.DataFrame:
    return pd.DataFrame({"transaction_id": ids, "Class": np.asarray(labels, np.int8), "source": "label_file"})


def test_realised_scores_are_those_of_scikit_learn() -> None:
    predictions, labels = scored()
    known = confirmed(predictions["transaction_id"], labels).sample(frac=1, random_state=1)
    result = realised_performance(predictions, known)
    assert (result.kind, result.status, result.reason) == ("realised", "applicable", "")
    decisions, probabilities = predictions["prediction"], predictions["fraud_probability"]
    assert result.precision == pytest.approx(sklearn_metrics.precision_score(labels, decisions))
    assert result.recall == pytest.approx(sklearn_metrics.recall_score(labels, decisions))
    assert result.f1 == pytest.approx(sklearn_metrics.f1_score(labels, decisions))
    assert result.average_precision == pytest.approx(sklearn_metrics.average_precision_score(labels, probabilities))
    table = sklearn_metrics.confusion_matrix(labels, decisions)
    assert [result.true_negatives, result.false_positives, result.false_negatives, result.true_positives] == list(
        table.flat
    )
    assert result.labelled_share == 1


def test_only_labelled_transactions_count() -> None:
    predictions, labels = scored()
    is_known = np.arange(len(labels)) % 3 == 0
    some = realised_performance(predictions, confirmed(predictions["transaction_id"][is_known], labels[is_known]))
    same = realised_performance(predictions[is_known], confirmed(predictions["transaction_id"], labels))
    assert some.f1 == same.f1
    assert (some.prediction_count, some.labelled_count) == (4000, is_known.sum())
    assert same.labelled_share == 1


def test_a_later_label_supersedes_an_earlier_one() -> None:
    predictions = pd.DataFrame({"transaction_id": ["a", "b"], "fraud_probability": [0.9, 0.1], "prediction": [1, 0]})
    earlier, later = confirmed(["a", "b"], [0, 0]), confirmed(["a"], [1])
    result = realised_performance(predictions, pd.concat([earlier, later]))
    assert (result.true_positives, result.false_positives, result.true_negatives) == (1, 0, 1)
    assert result.labelled_count == 2


def test_missing_labels_are_not_applicable() -> None:
    predictions, _ = scored(10)
    result = realised_performance(predictions, confirmed([], []))
    assert result.status == "not_applicable"
    assert "no label has arrived yet" in result.reason
    assert (result.precision, result.recall, result.f1, result.average_precision) == (None, None, None, None)
    foreign = realised_performance(predictions, confirmed(["another day's"], [1]))
    assert foreign.status == "not_applicable"


def test_labels_without_a_fraud_are_not_applicable_but_counted() -> None:
    predictions = pd.DataFrame({"transaction_id": ["a", "b"], "fraud_probability": [0.9, 0.1], "prediction": [1, 0]})
    result = realised_performance(predictions, confirmed(["a", "b"], [0, 0]))
    assert result.status == "not_applicable"
    assert "none of the 2 labelled transactions is a fraud" in result.reason
    assert (result.false_positives, result.precision, result.recall) == (1, 0, None)


def test_no_alert_gives_no_precision_but_a_verdict() -> None:
    predictions = pd.DataFrame({"transaction_id": ["a", "b"], "fraud_probability": [0.3, 0.1], "prediction": [0, 0]})
    result = realised_performance(predictions, confirmed(["a", "b"], [1, 0]))
    assert result.status == "applicable"
    assert (result.precision, result.recall, result.f1, result.average_precision) == (None, 0, 0, 1)


def test_a_transaction_scored_twice_is_refused() -> None:
    predictions, labels = scored(5)
    with pytest.raises(DataError, match="t0 is in the predictions twice"):
        realised_performance(pd.concat([predictions, predictions]), confirmed(["t0"], labels[:1]))


def test_estimated_scores_by_hand() -> None:
    predictions = pd.DataFrame({"fraud_probability": [0.8, 0.6, 0.2, 0.0], "prediction": [1, 1, 0, 0]})
    result = estimated_performance(predictions)
    assert result.true_positives == pytest.approx(1.4)
    assert result.false_positives == pytest.approx(0.6)
    assert result.false_negatives == pytest.approx(0.2)
    assert result.true_negatives == pytest.approx(1.8)
    assert result.precision == pytest.approx(0.7)
    assert result.recall == pytest.approx(1.4 / 1.6)
    assert result.f1 == pytest.approx(2.8 / (2.8 + 0.6 + 0.2))
    # 0.8 * 1/1 + 0.6 * (1 + 0.8)/2 + 0.2 * (1 + 1.4)/3, over 1.6 expected frauds
    assert result.average_precision == pytest.approx((0.8 + 0.54 + 0.16) / 1.6)


def test_estimates_meet_what_is_realised_when_probabilities_are_right() -> None:
    predictions, labels = scored(60_000, seed=3)
    estimated = estimated_performance(predictions)
    realised = realised_performance(predictions, confirmed(predictions["transaction_id"], labels))
    for name in ("precision", "recall", "f1", "average_precision"):
        assert getattr(estimated, name) == pytest.approx(getattr(realised, name), abs=0.03), name
    assert estimated.fraud_count == pytest.approx(realised.fraud_count, rel=0.05)


def test_no_transaction_gives_no_estimate() -> None:
    predictions, _ = scored(3)
    result = estimated_performance(predictions.iloc[:0])
    assert result.status == "not_applicable"
    assert result.labelled_share == 0
    assert (result.precision, result.average_precision) == (None, None)


def test_results_are_json() -> None:
    predictions, labels = scored(50)
    for result in (
        estimated_performance(predictions),
        realised_performance(predictions, confirmed(predictions["transaction_id"], labels)),
        realised_performance(predictions, confirmed([], [])),
    ):
        assert b'"schema_version": 1' in canonical_json(result.as_dict())
