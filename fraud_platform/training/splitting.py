"""Which labelled transaction trains, which chooses, which judges: 70 % train, 15 % validation, 15 % test.

Features do not belong here; a split names transactions and copies nothing of them.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd

from fraud_platform.errors import DataError
from fraud_platform.ingestion.labels import label_weights
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN, SOURCE_COLUMN

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

SplitStrategy = Literal["stratified", "time_ordered"]
NO_WEIGHTS: Mapping[str, float] = MappingProxyType({})

# How much a label counts in fits.
WEIGHT_COLUMN = "label_weight"
TRAIN, VALIDATION, TEST, GAP = SPLITS = ("train", "validation", "test", "gap")

# Of all rows, in percent: where training ends, and where validation does.
TRAIN_END_PERCENT, VALIDATION_END_PERCENT = 70, 85
# What training and validation share where the test split is held out.
_HELD_OUT = VALIDATION_END_PERCENT
# With fewer, 15 % of them is one: no split could be judged.
MINIMUM_FRAUD_COUNT = 10

_ADVICE = "wait for labels, or widen the training window (FRAUD_TRAINING_WINDOW_DAYS)"


@cache
def splits_schema() -> "DataFrameSchema":
    """The contract of the table `splits`: one row per labelled transaction."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            ID_COLUMN: pa.Column(
                str, unique=True, title="Transaction", description="what names the transaction in every table"
            ),
            "day": pa.Column(
                "datetime64[us]", title="Day", description="UTC day of the transaction, whose features belong to it"
            ),
            LABEL_COLUMN: pa.Column(
                np.int8, pa.Check.isin([0, 1]), title="Class", description="1 = fraud, as known by the as-of day"
            ),
            "split": pa.Column(
                str,
                pa.Check.isin(SPLITS),
                title="Split",
                description="train, validation, test, or gap: left out between time-ordered splits",
            ),
            "twin_group": pa.Column(
                np.int64,
                title="Twins",
                description="equal for transactions so alike that they must not be on both sides of a split",
            ),
            WEIGHT_COLUMN: pa.Column(
                float,
                pa.Check.gt(0),
                title="Label weight",
                description="how much the label counts when a model is fitted, by its source; figures count all alike",
            ),
        },
        name="splits",
        title="Splits",
        description="Which labelled transaction trains, which chooses, which judges; narrow, no copies of features.",
        strict=True,
        ordered=True,
        checks=[
            pa.Check(
                lambda table: set(table.loc[table[LABEL_COLUMN] == 1, "split"]) >= {TRAIN, VALIDATION, TEST},
                name="every split has a fraud",
                error="train, validation and test must each hold a fraud",
            ),
            pa.Check(
                lambda table: (
                    not (
                        table[table["split"] != GAP]
                        .drop_duplicates(["twin_group", "split"])["twin_group"]
                        .duplicated()
                        .any()
                    )
                ),
                name="twins stay together",
                error="near-twins must not be on both sides of a split",
            ),
        ],
    )


def labels_as_of(
    labels_by_day: Mapping[date, pd.DataFrame], weight_by_source: Mapping[str, float] = NO_WEIGHTS
) -> pd.DataFrame:
    """What is known of each transaction after the last of these days: `transaction_id`, `Class` (int8) and
    `label_weight`, sorted by id.

    Args:
        labels_by_day: labels (`transaction_id`, `Class`, `source`) by the day they arrived; a later day supersedes an
            earlier one.
        weight_by_source: how much a label counts in fits; 1 where its source is not named.
    """
    tables = [_weighted(labels_by_day[day], weight_by_source) for day in sorted(labels_by_day)]
    if not tables:
        types = {ID_COLUMN: object, LABEL_COLUMN: np.int8, WEIGHT_COLUMN: np.float64}
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in types.items()})
    known = pd.concat(tables, ignore_index=True).drop_duplicates(ID_COLUMN, keep="last")
    return known.sort_values(ID_COLUMN, ignore_index=True).astype({LABEL_COLUMN: np.int8})


def split_transactions(
    labelled: pd.DataFrame, *, strategy: SplitStrategy, seed: int, gap_days: int = 0, holdout_days: int = 0
) -> pd.DataFrame:
    """Every labelled transaction with its split, ordered by day, then id; the order of rows in `labelled` is without
    effect.

    "stratified" ranks each class by a seeded hash of `transaction_id` and cuts at 70 % and 85 %: each split has its
    share of either class, to within one row or one group of twins. A transaction keeps its place in the ranking when
    others join, so one that judged an earlier model hardly ever trains a later one, and champion and challenger can be
    compared fairly. Twins go where the first of them goes; legitimate twins of a fraud go with the fraud. With
    `holdout_days` the last labelled days judge instead, later twins of what lies before them left out ("gap"), and the
    ranking divides the days before between train and validation, 70 to 15.

    "time_ordered" cuts at the times before which 70 % and 85 % of the rows lie; rows of equal time stay together. The
    `gap_days` after each cut are left out ("gap"), as labels of the days before a cut would not all have arrived, and
    so are later twins of what lies before a cut.

    Args:
        labelled: `transaction_id` (unique), `day`, `event_time`, `Class` (0 or 1), `label_weight`, and `twin_of`, the
            transaction_id of the first of its near-twins or its own; n rows.
        strategy: how to choose.
        seed: of the stratified choice.
        gap_days: days left out after each cut; time-ordered only.
        holdout_days: last labelled days that are the test split; stratified only. 0: none.

    Returns:
        `transaction_id`, `day` (datetime64[us]), `Class` (int8), `split`, `twin_group`, `label_weight`; see
        `splits_schema`.

    Raises:
        DataError: an id repeats, a label is missing, there are fewer than 10 frauds, or a split would lack a class.
    """
    if strategy not in get_args(SplitStrategy):
        raise ValueError(f"strategy must be one of {', '.join(get_args(SplitStrategy))}, not {strategy!r}")
    is_fraud = _checked_labels(labelled)
    groups, first_of_twins = pd.factorize(labelled["twin_of"])
    if strategy == "stratified" and holdout_days:
        split = _without_later_twins(
            _held_out(labelled["day"], first_of_twins, groups, is_fraud, seed, holdout_days), groups
        )
    elif strategy == "stratified":
        split = _stratified(first_of_twins, groups, is_fraud, seed)
    else:
        split = _without_later_twins(_time_ordered(labelled["event_time"], gap_days), groups)
    for name in (TRAIN, VALIDATION, TEST):
        for kind, is_kind in (("fraud", is_fraud), ("legitimate transaction", ~is_fraud)):
            if not np.any(is_kind & (split == name)):
                raise DataError(
                    f"the {name} split would hold no {kind} ({strategy}, gap of {gap_days} days, {len(split)} labelled "
                    f"transactions with {is_fraud.sum()} frauds); {_ADVICE}"
                )
    table = pd.DataFrame(
        {
            ID_COLUMN: labelled[ID_COLUMN].to_numpy(dtype=object),
            "day": pd.to_datetime(labelled["day"]).to_numpy().astype("datetime64[us]"),
            LABEL_COLUMN: is_fraud.astype(np.int8),
            "split": split,
            # Not the identifier itself: it must stay erasable.
            "twin_group": pd.util.hash_array(first_of_twins.to_numpy(dtype=object), categorize=False)[groups].view(
                np.int64
            ),
            WEIGHT_COLUMN: labelled[WEIGHT_COLUMN].to_numpy(np.float64),
        }
    )
    return table.sort_values(["day", ID_COLUMN], ignore_index=True)


def development_share(splits: pd.DataFrame) -> float:
    """Which share of the labelled transactions of their days is in training and validation, in (0, 1].

    About 0.85 where a random share judges, and 1 where the last days do: a day then is whole or not there at all.

    Args:
        splits: as `split_transactions` gives them.
    """
    is_development = splits["split"].isin([TRAIN, VALIDATION])
    days = splits.loc[is_development, "day"].unique()
    return float(is_development.sum() / splits["day"].isin(days).sum())


def _weighted(labels: pd.DataFrame, weight_by_source: Mapping[str, float]) -> pd.DataFrame:
    weights = label_weights(labels[SOURCE_COLUMN], weight_by_source)
    return labels[[ID_COLUMN, LABEL_COLUMN]].assign(**{WEIGHT_COLUMN: weights})


def _checked_labels(labelled: pd.DataFrame) -> np.ndarray:
    repeated = labelled[ID_COLUMN].duplicated()
    if repeated.any():
        first = labelled.loc[repeated, ID_COLUMN].iloc[0]
        raise DataError(f"{repeated.sum()} labelled transaction_ids occur twice, first {first}; land unique ids")
    is_labelled = labelled[LABEL_COLUMN].isin([0, 1])
    if not is_labelled.all():
        raise DataError(f"{(~is_labelled).sum()} transactions have no label of 0 or 1; leave them out of the splits")
    is_fraud = (labelled[LABEL_COLUMN] == 1).to_numpy(dtype=bool)
    if is_fraud.sum() < MINIMUM_FRAUD_COUNT:
        raise DataError(
            f"{is_fraud.sum()} frauds among {len(is_fraud)} labelled transactions, {MINIMUM_FRAUD_COUNT} are needed to "
            f"train, choose and judge; {_ADVICE}"
        )
    return is_fraud


def _held_out(
    days: "pd.Series[pd.Timestamp]",
    first_of_twins: pd.Index,
    groups: np.ndarray,
    is_fraud: np.ndarray,
    seed: int,
    holdout_days: int,
) -> np.ndarray:
    day = pd.to_datetime(days).to_numpy(dtype="datetime64[D]")
    is_earlier = day <= day.max() - np.timedelta64(holdout_days, "D")
    split = np.full(len(day), TEST, dtype=object)
    known, own_groups = np.unique(groups[is_earlier], return_inverse=True)
    if len(known):
        # All of these days: the share of the test split is not taken from them.
        split[is_earlier] = _stratified(first_of_twins[known], own_groups, is_fraud[is_earlier], seed, whole=_HELD_OUT)
    return split


def _stratified(
    first_of_twins: pd.Index, groups: np.ndarray, is_fraud: np.ndarray, seed: int, *, whole: int = 100
) -> np.ndarray:
    # Two independent hashes: were one to collide across a cut, the order of rows would decide.
    values = first_of_twins.to_numpy(dtype=object)
    first, second = (
        pd.util.hash_array(values, hash_key=f"{salt}{seed % 10**15:015d}", categorize=False) for salt in "ab"
    )
    sizes, fraud_sizes = np.bincount(groups), np.bincount(groups, is_fraud).astype(np.int64)
    split = np.empty(len(values), dtype=object)
    for is_class, counted in ((fraud_sizes > 0, fraud_sizes), (fraud_sizes == 0, sizes)):
        members = np.flatnonzero(is_class)
        ranked = members[np.lexsort((second[members], first[members]))]
        before = np.cumsum(counted[ranked]) - counted[ranked]
        train_end, validation_end = _cuts(int(counted[ranked].sum()), whole)
        split[ranked] = np.select([before < train_end, before < validation_end], [TRAIN, VALIDATION], TEST)
    return split[groups]


def _without_later_twins(split: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """`split` with GAP for whatever has a twin in an earlier one."""
    order = {TRAIN: 0, VALIDATION: 1, TEST: 2, GAP: 3}
    place = np.array([order[name] for name in split])
    earliest = np.full(groups.max() + 1, order[GAP])
    np.minimum.at(earliest, groups, place)
    return np.where(place > earliest[groups], GAP, split)


def _time_ordered(event_time: "pd.Series[pd.Timestamp]", gap_days: int) -> np.ndarray:
    time = event_time.to_numpy(dtype="datetime64[us]")
    gap = np.timedelta64(gap_days, "D")
    train_end, validation_end = np.sort(time)[list(_cuts(len(time)))]
    split = np.full(len(time), GAP, dtype=object)
    split[time < train_end] = TRAIN
    split[(time >= train_end + gap) & (time < validation_end)] = VALIDATION
    split[time >= validation_end + gap] = TEST
    return split


def _cuts(count: int, whole: int = 100) -> tuple[int, int]:
    # Integers throughout: 0.7 * count is not exact.
    half = whole // 2
    return (count * TRAIN_END_PERCENT + half) // whole, (count * VALIDATION_END_PERCENT + half) // whole
