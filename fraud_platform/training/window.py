"""The days a model learns from: which of their transactions are labelled, what they looked like, which bytes they were.

Dividing the labelled transactions belongs to `splitting`, reading their features to `dataset`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from typing import Literal

import numpy as np
import pandas as pd

from fraud_platform.features.profile import Profile, merge_profiles
from fraud_platform.ingestion.landing import origin_of_all
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN, V_COLUMNS
from fraud_platform.storage import canonical_json, sha256
from fraud_platform.training.dataset import feature_matrix
from fraud_platform.training.splitting import NO_WEIGHTS, WEIGHT_COLUMN, labels_as_of
from fraud_platform.training.twins import twin_groups

DriftWindow = Literal["old_and_new", "only_new"]


def label_window(
    features_by_day: Mapping[date, pd.DataFrame],
    labels_by_day: Mapping[date, pd.DataFrame],
    weight_by_source: Mapping[str, float] = NO_WEIGHTS,
) -> pd.DataFrame:
    """The window's transactions whose label had arrived: `transaction_id`, `day`, `event_time`, `Class` (int8), and
    `label_weight`; and `twin_of`: the `transaction_id` of the earliest of its near-twins, its own where it has none.

    Args:
        features_by_day: at least `transaction_id`, `event_time` and `V1`..`V28` of each day of the window, read one day
            at a time.
        labels_by_day: labels by the day they arrived; a later day supersedes an earlier one.
        weight_by_source: how much a label counts in fits; 1 where its source is not named.
    """
    known = labels_as_of(labels_by_day, weight_by_source).set_index(ID_COLUMN)
    parts, components = [], [np.empty((0, len(V_COLUMNS)), np.float32)]
    for day in sorted(features_by_day):
        table = features_by_day[day]
        positions = known.index.get_indexer(pd.Index(table[ID_COLUMN]))
        is_labelled = positions >= 0
        components.append(feature_matrix(table, V_COLUMNS)[is_labelled])
        labelled = table.loc[is_labelled, [ID_COLUMN, "event_time"]].assign(day=pd.Timestamp(day))
        known_here = known.iloc[positions[is_labelled]]
        parts.append(labelled.assign(**{name: known_here[name].to_numpy() for name in (LABEL_COLUMN, WEIGHT_COLUMN)}))
    columns = [ID_COLUMN, "day", "event_time", LABEL_COLUMN, WEIGHT_COLUMN]
    window = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    return window.assign(twin_of=window[ID_COLUMN].to_numpy()[twin_groups(np.concatenate(components))])


def drift_began(verdicts: Iterable[tuple[date, bool]]) -> date | None:
    """The first day of the drift that lasts; None where the latest verdict is not drift.

    Args:
        verdicts: days and whether the drift check failed on them, the latest first; read only as far as needed.
    """
    lasting = list(takewhile(lambda verdict: verdict[1], verdicts))
    return lasting[-1][0] if lasting else None


@dataclass(frozen=True)
class LearningWindow:
    """The labelled transactions that a model learns from, and why these."""

    transactions: pd.DataFrame
    reason: str


def learning_window(
    labelled: pd.DataFrame, *, strategy: DriftWindow, began: date | None, min_fraud_count: int
) -> LearningWindow:
    """What of the window a model learns from: all of it, or while drift lasts only what came after its beginning.

    Old rows steady a model where only the customers have changed, and mislead it where fraud looks different now.

    Args:
        labelled: as `label_window` gives it.
        strategy: "old_and_new", or "only_new" where that holds at least `min_fraud_count` labelled frauds.
        began: first day of the drift that lasts; None without any.
        min_fraud_count: with fewer, the old are needed, too.
    """
    if strategy == "old_and_new" or began is None:
        return LearningWindow(labelled, "the whole window" if began is None else f"old and new: drift since {began}")
    recent = labelled[labelled["day"] >= pd.Timestamp(began)].reset_index(drop=True)
    frauds = f"{int((recent[LABEL_COLUMN] == 1).sum())} labelled frauds since drift began on {began}"
    if (recent[LABEL_COLUMN] == 1).sum() < min_fraud_count:
        return LearningWindow(labelled, f"old and new: {frauds}, {min_fraud_count} are needed to learn from them alone")
    # A twin may have stayed behind.
    earliest = recent.groupby("twin_of")[ID_COLUMN].transform("first")
    return LearningWindow(recent.assign(twin_of=earliest), f"only new: {frauds}")


def window_data_version(footers: Mapping[date, Mapping[str, str]], splits: pd.DataFrame) -> str:
    """The digest of what a training sees: the landed bytes of each day, and which label and split each row has; where
    labels do not all count alike, how much each counts, too.

    Args:
        footers: what is known of the features of each day, `data_version` among it.
        splits: as `split_transactions` gives them.
    """
    if WEIGHT_COLUMN in splits and (splits[WEIGHT_COLUMN] == 1).all():
        splits = splits.drop(columns=WEIGHT_COLUMN)
    rows = pd.util.hash_pandas_object(splits, index=False).to_numpy()
    days = {day.isoformat(): footer["data_version"] for day, footer in footers.items()}
    return sha256(canonical_json({"days": days, "splits": sha256(rows.tobytes())}))


def window_origin(footers: Mapping[date, Mapping[str, str]]) -> str:
    """Where the window's rows come from: landed, replayed or simulated; any simulated day makes it simulated."""
    return origin_of_all(footer["origin"] for footer in footers.values())


def baseline_profile(footers: Mapping[date, Mapping[str, str]], splits: pd.DataFrame, *, last_days: int) -> Profile:
    """How the features were distributed over the window's last days: what drift is measured against.

    Only the last days, because a model learns from months but is released into what the world looks like now; with all
    of the window as reference, a lasting change would ask for a new model every week until the window has forgotten.
    For the same reason no day before the first that is learned from.
    """
    first = splits["day"].min().date()
    recent = [day for day in sorted(footers)[-last_days:] if day >= first]
    return merge_profiles(Profile.from_text(footers[day]["profile"]) for day in recent)
