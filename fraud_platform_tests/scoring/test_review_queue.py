"""Which transactions analysts look at: every alert, and a sample below the threshold that nobody can choose."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_platform.scoring.review_queue import review_queue, review_queue_schema

DAY = date(2026, 3, 1)


def predictions(count: int = 200, alerts: int = 5, version: str = "3") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "transaction_id": [f"t{number}" for number in range(count)],
            "fraud_probability": np.linspace(1, 0, count),
            "prediction": (np.arange(count) < alerts).astype(np.int8),
            "rank": np.arange(1, count + 1),
            "model_version": version,
        }
    )


def drawn(queue: pd.DataFrame) -> set[str]:
    return set(queue.loc[queue["why"] == "random", "transaction_id"])


def test_the_queue_holds_every_alert_and_the_quota_below_the_threshold():
    queue = review_queue(predictions(), DAY, sample_size=20, seed=42)
    review_queue_schema().validate(queue)
    assert queue["why"].value_counts().to_dict() == {"random": 20, "alert": 5}
    assert queue["transaction_id"].tolist()[:5] == ["t0", "t1", "t2", "t3", "t4"]
    # 20 of the 195 that were no alerts: each of their labels stands for 9.75 transactions.
    assert queue["inclusion_probability"].tolist() == [1.0] * 5 + [20 / 195] * 20


def test_anybody_draws_the_same_sample_whatever_the_order_of_rows_and_the_model():
    first = review_queue(predictions(), DAY, sample_size=20, seed=42)
    shuffled = predictions(version="4").sample(frac=1, random_state=1)
    assert drawn(review_queue(shuffled, DAY, sample_size=20, seed=42)) == drawn(first)


@pytest.mark.parametrize(("day", "seed"), [(date(2026, 3, 2), 42), (DAY, 43)])
def test_another_day_and_another_seed_draw_others(day, seed):
    first = drawn(review_queue(predictions(), DAY, sample_size=20, seed=42))
    assert len(first & drawn(review_queue(predictions(), day, sample_size=20, seed=seed))) < 10


def test_every_transaction_below_the_threshold_is_drawn_equally_often():
    # 500 draws of 20 out of 195: each is drawn 51.3 times, give or take five standard deviations of 6.8.
    table, counts = predictions(), dict.fromkeys(predictions()["transaction_id"], 0)
    for seed in range(500):
        for identifier in drawn(review_queue(table, DAY, sample_size=20, seed=seed)):
            counts[identifier] += 1
    below = list(counts.values())[5:]
    assert list(counts.values())[:5] == [0] * 5
    assert 51.3 - 5 * 6.8 < min(below) <= max(below) < 51.3 + 5 * 6.8


@pytest.mark.parametrize(
    ("count", "alerts", "sample_size", "expected"),
    [
        (10, 2, 0, 2),  # no quota
        (10, 2, 50, 10),  # a quota larger than the day
        (3, 3, 5, 3),  # nothing below the threshold
        (0, 0, 5, 0),  # a day without transactions
    ],
)
def test_a_quota_takes_what_there_is(count, alerts, sample_size, expected):
    queue = review_queue(predictions(count, alerts), DAY, sample_size=sample_size, seed=1)
    assert len(queue) == expected
