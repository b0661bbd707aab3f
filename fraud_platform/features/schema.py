"""What the table `features` holds: its columns in order, their types, ranges and meaning.

How a feature is computed belongs to `engineering`; how its values are distributed belongs to `profile`.
"""

from functools import cache
from typing import TYPE_CHECKING

from fraud_platform.ingestion.schema import AMOUNT_COLUMN, EVENT_TIME_COLUMN, ID_COLUMN, V_COLUMNS

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

# Raised whenever a feature is added, dropped, reordered or computed otherwise: a model of another version is refused.
FEATURE_SCHEMA_VERSION = 1

FEATURE_NAMES: tuple[str, ...] = (*V_COLUMNS, AMOUNT_COLUMN, "log1p_Amount", "Hour_sin", "Hour_cos")

_DESCRIPTIONS = {
    "Amount": "amount of the transaction, in the currency of the landed file, not negative",
    "log1p_Amount": "natural logarithm of 1 + Amount: a long tail made short for linear models",
    "Hour_sin": "sine of the second of the day on a 24-hour circle: midnight 0, 06:00 1, 18:00 -1",
    "Hour_cos": "cosine of the second of the day on a 24-hour circle: midnight 1, noon -1",
}


@cache
def features_schema() -> "DataFrameSchema":
    """The contract of the feature table: `transaction_id`, `event_time`, then `FEATURE_NAMES`, float32 and finite."""
    import numpy as np
    import pandera.pandas as pa

    finite = pa.Check(np.isfinite, name="finite", error="must be finite")
    ranges = {
        "Amount": [pa.Check.ge(0)],
        "log1p_Amount": [pa.Check.ge(0)],
        "Hour_sin": [pa.Check.in_range(-1, 1)],
        "Hour_cos": [pa.Check.in_range(-1, 1)],
    }
    columns: dict[str, pa.Column] = {
        ID_COLUMN: pa.Column(
            str, unique=True, title="Transaction", description="what names the transaction in every table"
        ),
        EVENT_TIME_COLUMN: pa.Column(
            "datetime64[us, UTC]", title="Event time", description="when the transaction happened, UTC"
        ),
    }
    for name in FEATURE_NAMES:
        number = name.removeprefix("V")
        columns[name] = pa.Column(
            np.float32,
            checks=[finite, *ranges.get(name, [])],
            title=name,
            description=_DESCRIPTIONS.get(name, f"anonymised principal component {number} of the landed transaction"),
        )
    return pa.DataFrameSchema(
        columns,
        name="features",
        title="Features",
        description="What the model may know about each transaction at the moment it happened.",
        strict=True,
        ordered=True,
    )
