"""Upstream in a simulated life: transactions land every day without labels, and their labels some days later.

What a day looks like belongs to `simulator` and `drift`; how files are landed to `delivery`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from fraud_platform.ingestion.landing import LABELS, SIMULATED, LandingZone
from fraud_platform.ingestion.schema import ID_COLUMN, LABEL_COLUMN
from fraud_platform.simulation.delivery import land_days
from fraud_platform.simulation.drift import DriftInjection
from fraud_platform.simulation.simulator import simulate
from fraud_platform.storage import write_atomically


@dataclass(frozen=True)
class Upstream:
    """Who delivers the files of a simulated life.

    Attributes:
        first_day: the first day there is.
        seed: of every random choice; the same day can be made again at any time.
        rows_per_day: transactions a day.
        fraud_rate: share of frauds among them.
        label_delay_days: after how many days the labels of a day arrive, all at once.
        drifts: what changes and from when on; later ones come on top of earlier ones.
    """

    first_day: date
    seed: int
    rows_per_day: int
    fraud_rate: float
    label_delay_days: int
    drifts: Sequence[DriftInjection] = ()

    def land(self, landing: LandingZone, day: date) -> None:
        """Lands the transactions of `day`, and the labels that arrive on it."""
        transactions = self.transactions(day).drop(columns=LABEL_COLUMN)
        land_days(landing, [(day, transactions)], name="simulated")
        known = day - timedelta(days=self.label_delay_days)
        if known >= self.first_day:
            labels = self.transactions(known)[[ID_COLUMN, LABEL_COLUMN]]
            path = landing.folder(LABELS, day) / f"{SIMULATED}.parquet"
            write_atomically(path, labels.to_parquet(index=False))

    def transactions(self, day: date) -> pd.DataFrame:
        """The transactions of `day` with the labels that upstream does not know yet."""
        ((_, table),) = simulate(
            start=day, days=1, rows_per_day=self.rows_per_day, seed=self.seed, fraud_rate=self.fraud_rate
        )
        for drift in self.drifts:
            table = drift.apply(day, table, self.seed)
        return table.assign(**{ID_COLUMN: [f"{day:%y%m%d}-{number:05d}" for number in range(len(table))]})
