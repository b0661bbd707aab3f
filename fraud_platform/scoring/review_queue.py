"""What analysts look at: every alert of a day, and a random sample of the rest, so that missed frauds are labelled too.

Scoring does not belong here; the queue takes decisions as they are and changes none.
"""

from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fraud_platform.ingestion.schema import ID_COLUMN

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

ALERT, RANDOM = "alert", "random"
REVIEW_COLUMNS = (ID_COLUMN, "why", "fraud_probability", "rank", "model_version", "inclusion_probability")


@cache
def review_queue_schema() -> "DataFrameSchema":
    """The contract of `review_queue`: alerts by rank, then the random sample by rank."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            ID_COLUMN: pa.Column(
                str, unique=True, title="Transaction", description="what names the transaction in every table"
            ),
            "why": pa.Column(
                str,
                pa.Check.isin((ALERT, RANDOM)),
                title="Why",
                description="alert, or random: below the threshold and drawn by a seeded hash",
            ),
            "fraud_probability": pa.Column(
                np.float64,
                pa.Check.in_range(0, 1),
                title="Fraud probability",
                description="of the model in charge, as in daily_predictions",
            ),
            "rank": pa.Column(
                np.int64, pa.Check.ge(1), title="Rank", description="place in the day, 1 = most suspicious"
            ),
            "model_version": pa.Column(str, title="Model version", description="registered version that decided"),
            "inclusion_probability": pa.Column(
                np.float64,
                pa.Check.in_range(0, 1, include_min=False),
                title="Inclusion probability",
                description="chance with which a transaction of its kind enters the queue: 1 for alerts; a label "
                "found here stands for 1 / this many transactions",
            ),
        },
        name="review_queue",
        title="Review queue",
        description="The day's alerts and a random sample of the transactions below the threshold.",
        strict=True,
        ordered=True,
    )


def review_queue(predictions: pd.DataFrame, day: date, *, sample_size: int, seed: int) -> pd.DataFrame:
    """The transactions of `day` to look at; see `review_queue_schema`.

    The sample holds the `sample_size` transactions below the threshold with the smallest hash of seed, day and
    `transaction_id` (`pandas.util.hash_array`, whose key is the text `review` and ten digits of seed and day), so that
    it does not depend on the model, the order of rows or the moment it is drawn.

    Args:
        predictions: `daily_predictions` of the day.
        day: the day; another day draws other places.
        sample_size: how many transactions below the threshold, >= 0; fewer where the day has fewer.
        seed: of the hash.
    """
    is_alert = (predictions["prediction"] == 1).to_numpy()
    others = np.flatnonzero(~is_alert)
    key = f"review{(seed * 1_000_003 + day.toordinal()) % 10**10:010d}"
    hashes = pd.util.hash_array(predictions[ID_COLUMN].to_numpy(dtype=object)[others], hash_key=key, categorize=False)
    drawn = others[np.argsort(hashes, kind="stable")[:sample_size]]
    chosen = np.concatenate([np.flatnonzero(is_alert), drawn])
    share = len(drawn) / len(others) if len(others) else 1.0
    queue = predictions.iloc[chosen][[ID_COLUMN, "fraud_probability", "rank", "model_version"]].assign(
        why=np.where(is_alert[chosen], ALERT, RANDOM), inclusion_probability=np.where(is_alert[chosen], 1.0, share)
    )
    return queue.sort_values(["why", "rank"], ignore_index=True)[list(REVIEW_COLUMNS)]
