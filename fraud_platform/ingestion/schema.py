"""The tables ingestion hands on, column by column: names, types, ranges and what each column means.

How landed files become these tables does not belong here.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandera.pandas import Column, DataFrameSchema

ID_COLUMN = "transaction_id"
EVENT_TIME_COLUMN = "event_time"
TIME_COLUMN = "Time"
AMOUNT_COLUMN = "Amount"
LABEL_COLUMN = "Class"
SOURCE_COLUMN = "source"

V_COLUMNS = tuple(f"V{number}" for number in range(1, 29))
LANDED_COLUMNS = (TIME_COLUMN, *V_COLUMNS, AMOUNT_COLUMN)
RAW_TRANSACTIONS_COLUMNS = (ID_COLUMN, EVENT_TIME_COLUMN, *LANDED_COLUMNS, LABEL_COLUMN)
CONFIRMED_LABELS_COLUMNS = (ID_COLUMN, LABEL_COLUMN, SOURCE_COLUMN)

LABEL_FILE, TRANSACTION_FILE = "label_file", "transaction_file"
CUSTOMER_DISPUTE, FRAUD_REPORT, ANALYST_REVIEW = "customer_dispute", "fraud_report", "analyst_review"
LABEL_SOURCES = (LABEL_FILE, CUSTOMER_DISPUTE, FRAUD_REPORT, ANALYST_REVIEW, TRANSACTION_FILE)

# Of the public file.
TRUE_FRAUD_RATE = 492 / 284_807


@cache
def raw_transactions_schema() -> "DataFrameSchema":
    """One day of validated transactions: a row per transaction, in order of event time, then identifier."""
    import numpy as np
    import pandas as pd
    from pandera.pandas import Check, Column, DataFrameSchema

    # Features are float32, so finite means finite there.
    largest = float(np.finfo(np.float32).max)
    finite = Check.in_range(-largest, largest, title="finite")
    components = {
        name: Column(
            float,
            finite,
            title=f"Principal component {name.removeprefix('V')}",
            description="A principal component of the transaction's confidential attributes; no unit.",
        )
        for name in V_COLUMNS
    }
    return DataFrameSchema(
        {
            ID_COLUMN: _identifier_column(),
            EVENT_TIME_COLUMN: Column(
                pd.DatetimeTZDtype("us", "UTC"),  # type: ignore[arg-type]  # the stubs know nanoseconds only
                title="Event time",
                description="When the transaction happened: the partition day plus its second of the day, UTC.",
            ),
            TIME_COLUMN: Column(
                float,
                [Check.ge(0), finite],
                title="Time as landed",
                description="Seconds since the first transaction of the delivery, as the landing file gives it.",
            ),
            **components,
            AMOUNT_COLUMN: Column(
                float,
                [Check.ge(0), finite],
                title="Amount",
                description="What was paid, in the currency of the landing file (EUR in the public data set).",
            ),
            LABEL_COLUMN: Column(
                pd.Int8Dtype(),
                Check.isin((0, 1)),
                nullable=True,
                title="Class",
                description="1 fraud, 0 legitimate, empty where no label has arrived with the transaction.",
            ),
        },
        name="raw_transactions",
        title="Raw transactions",
        description="One day of validated, de-duplicated transactions.",
        strict=True,
        ordered=True,
        coerce=False,
    )


@cache
def confirmed_labels_schema() -> "DataFrameSchema":
    """The labels that arrived on one day: a row per transaction, in order of identifier."""
    import numpy as np
    from pandera.pandas import Check, Column, DataFrameSchema

    return DataFrameSchema(
        {
            ID_COLUMN: _identifier_column(),
            LABEL_COLUMN: Column(
                np.int8, Check.isin((0, 1)), title="Class", description="1 confirmed fraud, 0 confirmed legitimate."
            ),
            SOURCE_COLUMN: Column(
                str,
                Check.isin(LABEL_SOURCES),
                title="Source",
                description="Who labelled: a customer's dispute, a fraud report, an analyst's review, a label file of "
                "any other name, or the transaction file itself.",
            ),
        },
        name="confirmed_labels",
        title="Confirmed labels",
        description="Labels by the day they arrived; a label file overrules the transaction file of its day.",
        strict=True,
        ordered=True,
        coerce=False,
    )


def _identifier_column() -> "Column":
    from pandera.pandas import Column

    return Column(
        str,
        unique=True,
        title="Transaction identifier",
        description="Given by the landing file, else derived from the day and the row's values; stable either way.",
    )
