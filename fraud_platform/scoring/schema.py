"""What a scored day and a scored file hold: columns in order, their types, ranges and meaning.

How the figures come about does not belong here; see `scorer` and `explanations`.
"""

from functools import cache
from typing import TYPE_CHECKING

from fraud_platform.features.schema import EVENT_TIME_COLUMN
from fraud_platform.ingestion.schema import ID_COLUMN

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

PREDICTION_COLUMNS = (
    ID_COLUMN,
    EVENT_TIME_COLUMN,
    "fraud_probability",
    "prediction",
    "threshold",
    "rank",
    "reasons",
    "model_version",
    "scored_at",
    "challenger_probability",
    "challenger_version",
)
SCORE_FILE_COLUMNS = (ID_COLUMN, "fraud_probability", "prediction", "threshold", "model_version")


@cache
def daily_predictions_schema() -> "DataFrameSchema":
    """The contract of `daily_predictions`: one row per transaction of the day, in the order of `features`."""
    import numpy as np
    import pandera.pandas as pa

    time = "datetime64[us, UTC]"
    probability = pa.Check.in_range(0, 1)
    return pa.DataFrameSchema(
        {
            ID_COLUMN: pa.Column(
                str, unique=True, title="Transaction", description="what names the transaction in every table"
            ),
            EVENT_TIME_COLUMN: pa.Column(time, title="Event time", description="when the transaction happened, UTC"),
            "fraud_probability": pa.Column(
                np.float64, probability, title="Fraud probability", description="calibrated, of the model in charge"
            ),
            "prediction": pa.Column(
                np.int8,
                pa.Check.isin([0, 1]),
                title="Decision",
                description="1 = alert: fraud_probability is at or above threshold",
            ),
            "threshold": pa.Column(
                np.float64,
                pa.Check.in_range(0, 1, include_min=False),
                title="Decision threshold",
                description="probability from which on the model alerts",
            ),
            "rank": pa.Column(
                np.int64,
                pa.Check.ge(1),
                unique=True,
                title="Rank",
                description="place in the day's work list, 1 = most suspicious; equals by transaction_id",
            ),
            "reasons": pa.Column(
                str,
                nullable=True,
                title="Reasons",
                description="alerts only: JSON list of the features that moved the probability most, each with its "
                "value and its contribution to the probability",
            ),
            "model_version": pa.Column(str, title="Model version", description="registered version that decided"),
            "scored_at": pa.Column(time, title="Scored at", description="when the decision was made, UTC"),
            "challenger_probability": pa.Column(
                np.float64,
                probability,
                nullable=True,
                title="Challenger's probability",
                description="of the model in shadow mode, which decides nothing; missing without one",
            ),
            "challenger_version": pa.Column(
                str,
                nullable=True,
                title="Challenger's version",
                description="registered version in shadow mode; missing without one",
            ),
        },
        checks=[
            pa.Check(
                lambda table: (table["fraud_probability"] >= table["threshold"]) == (table["prediction"] == 1),
                name="decision_follows_threshold",
                error="prediction must be 1 exactly where fraud_probability >= threshold",
            ),
            pa.Check(
                lambda table: table["reasons"].notna() == (table["prediction"] == 1),
                name="alerts_carry_reasons",
                error="reasons must be given for alerts and for nothing else",
            ),
        ],
        name="daily_predictions",
        title="Daily predictions",
        description="Every transaction of the day with its fraud probability, decision, place in the work list and, "
        "for alerts, the reasons.",
        strict=True,
        ordered=True,
    )
