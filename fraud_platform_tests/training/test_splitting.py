"""Splits: every labelled transaction once, the promised shares, no leak over time, same rows same answer."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.errors import DataError
from fraud_platform.training.splitting import development_share, labels_as_of, split_transactions, splits_schema

START = pd.Timestamp("2026-01-01", tz="UTC")
SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}


def make_labelled(count: int, fraud_count: int, seed: int = 0, days: int = 20) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    labels = np.zeros(count, np.int8)
    labels[generator.choice(count, fraud_count, replace=False)] = 1
    event_time = START + pd.to_timedelta(generator.integers(0, days * 86_400, count), unit="s")
    ids = [f"t{number}" for number in generator.permutation(count)]
    return pd.DataFrame(
        {
            "transaction_id": ids,
            "day": event_time.tz_localize(None).normalize(),
            "event_time": event_time,
            "Class": labels,
            # Each its own twin.
            "twin_of": ids,
            "label_weight": 1.0,
        }
    )


labelled_tables = st.builds(
    lambda legitimate, frauds, seed: make_labelled(legitimate + frauds, frauds, seed),
    legitimate=st.integers(20, 400),
    frauds=st.integers(10, 60),
    seed=st.integers(0, 2**31),
)


@given(labelled=labelled_tables, seed=st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_stratified_splits_hold_their_share_of_each_class_within_one_row(labelled: pd.DataFrame, seed: int) -> None:
    splits = split_transactions(labelled, strategy="stratified", seed=seed)
    assert sorted(splits["transaction_id"]) == sorted(labelled["transaction_id"])
    for label in (0, 1):
        total = int((labelled["Class"] == label).sum())
        for name, share in SHARES.items():
            count = int(((splits["split"] == name) & (splits["Class"] == label)).sum())
            assert abs(count - share * total) <= 1
    merged = splits.merge(labelled, on="transaction_id", validate="1:1")
    assert (merged["Class_x"] == merged["Class_y"]).all()
    assert (merged["day_x"] == merged["day_y"]).all()


@given(labelled=labelled_tables, seed=st.integers(0, 2**40), shuffle=st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("strategy", ["stratified", "time_ordered"])
def test_the_order_of_rows_is_without_effect(labelled: pd.DataFrame, seed: int, shuffle: int, strategy: str) -> None:
    shuffled = labelled.sample(frac=1, random_state=shuffle)
    results = []
    for table in (labelled, shuffled):
        try:
            results.append(split_transactions(table, strategy=strategy, seed=seed))
        except DataError as error:
            results.append(str(error))
    if isinstance(results[0], str):
        assert results[0] == results[1]
    else:
        pd.testing.assert_frame_equal(results[0], results[1])


def test_another_seed_splits_otherwise() -> None:
    labelled = make_labelled(500, 50)
    first, second = (split_transactions(labelled, strategy="stratified", seed=seed)["split"] for seed in (1, 2))
    assert (first != second).mean() > 0.3


def test_a_transaction_that_judged_hardly_ever_trains_later() -> None:
    later = make_labelled(4000, 400, seed=3)
    earlier = later[later["event_time"] < START + pd.Timedelta(days=15)]
    before = split_transactions(earlier, strategy="stratified", seed=7).set_index("transaction_id")["split"]
    after = split_transactions(later, strategy="stratified", seed=7).set_index("transaction_id")["split"]
    test_rows = before[before == "test"].index
    assert (after[test_rows] == "train").mean() < 0.02


@given(labelled=labelled_tables, gap_days=st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_time_ordered_splits_never_overlap_and_keep_the_gap(labelled: pd.DataFrame, gap_days: int) -> None:
    try:
        splits = split_transactions(labelled, strategy="time_ordered", seed=0, gap_days=gap_days)
    except DataError as error:
        assert "would hold no" in str(error)  # noqa: PT017 - either outcome is right, depending on the rows
        return
    times = splits.merge(labelled[["transaction_id", "event_time"]]).groupby("split")["event_time"].agg(["min", "max"])
    gap = timedelta(days=gap_days)
    assert times.loc["validation", "min"] - times.loc["train", "max"] > gap
    assert times.loc["test", "min"] - times.loc["validation", "max"] > gap
    assert len(splits) == len(labelled)
    if gap_days == 0:
        counts = splits["split"].value_counts()
        assert set(counts.index) == set(SHARES)


def test_time_ordered_cuts_fall_where_70_and_85_percent_of_rows_lie() -> None:
    # One row a day for 100 days, every fifth one a fraud.
    day = pd.date_range("2026-01-01", periods=100)
    labelled = pd.DataFrame(
        {
            "transaction_id": [f"t{number:03d}" for number in range(100)],
            "twin_of": [f"t{number:03d}" for number in range(100)],
            "day": day,
            "event_time": day.tz_localize("UTC"),
            "Class": (np.arange(100) % 5 == 0).astype(np.int8),
            "label_weight": 1.0,
        }
    )
    splits = split_transactions(labelled, strategy="time_ordered", seed=0, gap_days=3)["split"]
    assert list(splits) == ["train"] * 70 + ["gap"] * 3 + ["validation"] * 12 + ["gap"] * 3 + ["test"] * 12


def test_held_out_days_judge_and_the_days_before_are_divided_70_to_15() -> None:
    labelled = make_labelled(2_000, 200, days=20)
    splits = split_transactions(labelled, strategy="stratified", seed=3, holdout_days=5)
    is_held_out = splits["day"] > splits["day"].max() - pd.Timedelta(days=5)
    assert (splits["split"] == "test").equals(is_held_out)
    earlier = splits[~is_held_out]
    for label in (0, 1):
        of_class = earlier[earlier["Class"] == label]
        assert abs((of_class["split"] == "train").sum() - len(of_class) * 70 / 85) <= 1
    # A later twin of what was learned from cannot judge.
    twins = labelled.sort_values("event_time").reset_index(drop=True)
    twins.loc[len(twins) - 1, "twin_of"] = twins.loc[0, "transaction_id"]
    again = split_transactions(twins, strategy="stratified", seed=3, holdout_days=5).set_index("transaction_id")
    assert again.loc[twins["transaction_id"].iloc[-1], "split"] == "gap"


def test_the_share_of_a_day_that_does_not_judge_is_what_the_split_left_of_it() -> None:
    labelled = make_labelled(2_000, 200)
    drawn = split_transactions(labelled, strategy="stratified", seed=3)
    assert development_share(drawn) == pytest.approx(0.85, abs=0.002)
    # Held out are whole days; those before keep every row.
    held_out = split_transactions(labelled, strategy="stratified", seed=3, holdout_days=5)
    assert development_share(held_out) == 1.0


def test_more_days_held_out_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="the train split would hold no fraud"):
        split_transactions(make_labelled(200, 20, days=3), strategy="stratified", seed=3, holdout_days=5)


@given(labelled=labelled_tables, seed=st.integers(0, 2**31), pairs=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("strategy", ["stratified", "time_ordered"])
def test_twins_are_never_on_both_sides(labelled: pd.DataFrame, seed: int, pairs: int, strategy: str) -> None:
    generator = np.random.default_rng(seed)
    twins = labelled.assign(twin_of=labelled["transaction_id"].to_numpy(copy=True))
    for first, second in generator.integers(0, len(twins), (pairs, 2)):
        joined = twins["twin_of"].isin(twins["twin_of"].iloc[[first, second]])
        twins.loc[joined, "twin_of"] = twins["twin_of"].iloc[first]
    try:
        splits = split_transactions(twins, strategy=strategy, seed=seed)
    except DataError as error:
        assert "would hold no" in str(error)  # noqa: PT017 - few frauds, many of them twins
        return
    sides = splits[splits["split"] != "gap"].merge(twins[["transaction_id", "twin_of"]])
    assert (sides.groupby("twin_of")["split"].nunique() == 1).all()
    assert (splits.merge(twins).groupby("twin_of")["twin_group"].nunique() == 1).all()


def test_too_few_frauds_are_refused_with_the_count_and_what_to_do() -> None:
    with pytest.raises(
        DataError, match=r"9 frauds among 200 labelled transactions, 10 are needed.*FRAUD_TRAINING_WINDOW"
    ):
        split_transactions(make_labelled(200, 9), strategy="stratified", seed=0)


def test_a_split_without_fraud_is_refused() -> None:
    labelled = make_labelled(200, 0)
    labelled["Class"] = (labelled["event_time"].rank() <= 20).astype(np.int8)
    with pytest.raises(DataError, match="validation split would hold no fraud"):
        split_transactions(labelled, strategy="time_ordered", seed=0)


def test_a_gap_that_swallows_a_split_is_refused() -> None:
    with pytest.raises(DataError, match=r"validation split would hold no .*gap of 30 days"):
        split_transactions(make_labelled(400, 100), strategy="time_ordered", seed=0, gap_days=30)


def test_repeated_ids_are_refused() -> None:
    labelled = make_labelled(200, 20)
    with pytest.raises(DataError, match="1 labelled transaction_ids occur twice"):
        split_transactions(pd.concat([labelled, labelled.head(1)]), strategy="stratified", seed=0)


def test_missing_labels_are_refused() -> None:
    labelled = make_labelled(200, 20).astype({"Class": "Int8"})
    labelled.loc[3, "Class"] = pd.NA
    with pytest.raises(DataError, match="1 transactions have no label"):
        split_transactions(labelled, strategy="stratified", seed=0)


def test_the_table_keeps_its_contract() -> None:
    table = split_transactions(make_labelled(200, 20), strategy="stratified", seed=0)
    # Nothing has to be converted either.
    pd.testing.assert_frame_equal(splits_schema().validate(table), table)


def test_dates_are_days_too() -> None:
    labelled = make_labelled(200, 20)
    as_dates = labelled.assign(day=[stamp.date() for stamp in labelled["day"]])
    ours, theirs = (split_transactions(table, strategy="stratified", seed=0) for table in (labelled, as_dates))
    pd.testing.assert_frame_equal(ours, theirs)


def test_later_labels_supersede_earlier_ones() -> None:
    def arrived(**labels: int) -> pd.DataFrame:
        table = pd.DataFrame({"transaction_id": list(labels), "Class": np.array(list(labels.values()), np.int8)})
        return table.assign(source="label_file")

    known = labels_as_of(
        {date(2026, 1, 3): arrived(b=1), date(2026, 1, 1): arrived(c=1, b=0), date(2026, 1, 2): arrived(a=0)}
    )
    assert known.to_dict("list") == {
        "transaction_id": ["a", "b", "c"],
        "Class": [0, 1, 1],
        "label_weight": [1.0, 1.0, 1.0],
    }
    assert known["Class"].dtype == np.int8


def test_no_labels_are_an_empty_table() -> None:
    assert labels_as_of({}).shape == (0, 3)


def test_a_label_weighs_what_the_source_that_stands_weighs() -> None:
    def arrived(source: str) -> pd.DataFrame:
        return pd.DataFrame({"transaction_id": ["a"], "Class": np.array([1], np.int8), "source": source})

    by_day = {date(2026, 1, 1): arrived("customer_dispute"), date(2026, 1, 2): arrived("analyst_review")}
    weights = {"customer_dispute": 0.5, "analyst_review": 2.0}
    assert labels_as_of(by_day, weights)["label_weight"].tolist() == [2.0]
    assert labels_as_of({day: by_day[day] for day in list(by_day)[:1]}, weights)["label_weight"].tolist() == [0.5]
