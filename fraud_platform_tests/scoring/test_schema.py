"""The contract of daily predictions refuses tables that contradict themselves."""

from datetime import UTC, datetime

import numpy as np
import pandera.errors
import pytest

from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.scoring.schema import PREDICTION_COLUMNS, daily_predictions_schema
from fraud_platform.scoring.scorer import score_day
from fraud_platform_tests.scoring.models import Line, bundle_of, features_of


def predictions():
    matrix = np.zeros((3, len(FEATURE_NAMES)))
    matrix[:, 0] = 0, 7, 1
    return score_day(features_of(matrix), bundle_of(Line()), "3", scored_at=datetime(2025, 3, 2, tzinfo=UTC))


def test_the_columns_are_the_contract_in_its_order():
    assert tuple(daily_predictions_schema().columns) == PREDICTION_COLUMNS
    assert all(column.title and column.description for column in daily_predictions_schema().columns.values())


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ("fraud_probability", 0, 1.2),  # no probability
        ("prediction", 0, 1),  # an alert below the threshold
        ("prediction", 1, 0),  # no alert above it
        ("reasons", 1, None),  # an alert without reasons
        ("reasons", 0, "[]"),  # reasons without an alert
        ("rank", 0, 1),  # two rows in first place
        ("transaction_id", 0, "t000001"),  # two rows of one name
        ("challenger_probability", 0, -0.1),  # no probability
    ],
)
def test_a_contradiction_is_refused(column, row, value):
    table = predictions()
    daily_predictions_schema().validate(table)
    table.loc[row, column] = value
    with pytest.raises(pandera.errors.SchemaError):
        daily_predictions_schema().validate(table)
