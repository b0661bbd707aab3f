"""Which rows a measurement of model quality learns from and which judge: the platform's own splits of one real file.

What learns from them does not belong here.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from fraud_platform.features.engineering import build_features
from fraud_platform.features.profile import Profile, profile_table
from fraud_platform.features.schema import FEATURE_NAMES
from fraud_platform.ingestion.schema import (
    CONFIRMED_LABELS_COLUMNS,
    ID_COLUMN,
    LABEL_COLUMN,
    SOURCE_COLUMN,
    TRANSACTION_FILE,
    TRUE_FRAUD_RATE,
)
from fraud_platform.simulation.replay import read_public_file
from fraud_platform.training.dataset import LabelledRows, assemble
from fraud_platform.training.splitting import TEST, TRAIN, VALIDATION, SplitStrategy, split_transactions
from fraud_platform.training.window import label_window

TIME_ORDERED = "time-ordered"
_FIRST_DAY = date(2013, 9, 1)
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Split:
    """One division of the file.

    Attributes:
        name: "seed 0", "seed 1", ..., or "time-ordered".
        seed: of the division, and of everything that learns from it.
        train: rows to search and fit on.
        validation: rows to choose on, later fitted on too.
        test: rows to judge on; no near-twin of them is among the others.
        baseline: distribution of the features in all of the file, which a bundle carries.
    """

    name: str
    seed: int
    train: LabelledRows
    validation: LabelledRows
    test: LabelledRows
    baseline: Profile

    @property
    def development(self) -> LabelledRows:
        """Everything but the test rows."""
        return self.train.beside(self.validation)


class QualityRows:
    """A file like `creditcard.csv`, divided as often as asked."""

    def __init__(self, path: Path) -> None:
        table = read_public_file(path)
        # Identifiers by position: the division then depends on nothing but the file and the seed.
        table[ID_COLUMN] = [f"row-{position:06d}" for position in range(len(table))]
        table[SOURCE_COLUMN] = TRANSACTION_FILE
        table["event_time"] = pd.Timestamp(_FIRST_DAY, tz="UTC") + pd.to_timedelta(table["Time"], unit="s")
        features = build_features(table)
        day_of_row = (table["Time"] // _SECONDS_PER_DAY).to_numpy(np.int64)
        days = {_FIRST_DAY + timedelta(days=int(number)): day_of_row == number for number in np.unique(day_of_row)}
        self._features = {day: features[is_that_day] for day, is_that_day in days.items()}
        labels = {day: table.loc[is_that_day, list(CONFIRMED_LABELS_COLUMNS)] for day, is_that_day in days.items()}
        self._labelled = label_window(self._features, labels)
        self._baseline = profile_table(features, FEATURE_NAMES)
        self.row_count = len(table)
        self.fraud_count = int(table[LABEL_COLUMN].sum())

    def split(self, name: str) -> Split:
        """The division of this name: "seed N", stratified, or "time-ordered"."""
        is_ordered = name == TIME_ORDERED
        seed = 0 if is_ordered else int(name.removeprefix("seed "))
        strategy: SplitStrategy = "time_ordered" if is_ordered else "stratified"
        splits = split_transactions(self._labelled, strategy=strategy, seed=seed)
        train, validation, test = (
            assemble(self._features, splits, part, production_fraud_rate=TRUE_FRAUD_RATE)
            for part in (TRAIN, VALIDATION, TEST)
        )
        return Split(name, seed, train, validation, test, self._baseline)
