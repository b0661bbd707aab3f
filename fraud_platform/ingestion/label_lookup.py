"""Which day's transactions labels are about, and which of a day's labels arrived since a figure was made.

Reading label files does not belong here (`labels`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from fraud_platform.ingestion.schema import ID_COLUMN
from fraud_platform.storage import canonical_json, sha256

# Tables stored before labels were looked up say nothing about the days they concern: they may concern any.
_UNRECORDED = "unrecorded"


@dataclass(frozen=True)
class Lookup:
    """Where the transactions of some labels were found.

    Attributes:
        days: the transaction's day of each label, object [n]; None where nobody knows the transaction.
        is_early: bool [n], the transaction happened after the label arrived.
    """

    days: "pd.Series[date]"
    is_early: "pd.Series[bool]"

    @property
    def is_unknown(self) -> "pd.Series[bool]":
        """Which labels are about no transaction that is known, bool [n]."""
        return self.days.isna()


def find_transactions(
    identifiers: "pd.Series[str]", day: date, transactions_by_day: Mapping[date, pd.DataFrame]
) -> Lookup:
    """The day of each identifier's transaction: the latest up to `day`, else the earliest after it.

    Days are read one at a time, nearest first, and only while an identifier is left to be found.
    """
    wanted = pd.Index(identifiers.unique())
    by_identifier: dict[str, date] = {}
    past = sorted((each for each in transactions_by_day if each <= day), reverse=True)
    future = sorted(each for each in transactions_by_day if each > day)
    for each in (*past, *future):
        if wanted.empty:
            break
        positions = wanted.get_indexer(pd.Index(transactions_by_day[each][ID_COLUMN]))
        is_here = np.zeros(len(wanted), dtype=bool)
        is_here[positions[positions >= 0]] = True
        by_identifier |= dict.fromkeys(wanted[is_here], each)
        wanted = wanted[~is_here]
    found = pd.Series([by_identifier.get(each) for each in identifiers], index=identifiers.index, dtype=object)
    is_early = found.map(lambda each: each is not None and each > day).astype(bool)
    return Lookup(found, is_early)


@dataclass(frozen=True)
class LabelFacts:
    """What is known of the labels of one day without reading them.

    Attributes:
        version: digest of the table.
        transaction_days: days whose transactions the labels are about; None where that was not recorded.
    """

    version: str
    transaction_days: frozenset[date] | None

    @classmethod
    def of_table(cls, labels: pd.DataFrame, transaction_days: Iterable[date]) -> "LabelFacts":
        """The facts about a table of `confirmed_labels`."""
        rows = pd.util.hash_pandas_object(labels, index=False).to_numpy()
        return cls(sha256(rows.tobytes()), frozenset(transaction_days))

    @classmethod
    def of_text(cls, facts: Mapping[str, str]) -> "LabelFacts":
        """The facts that `as_text` wrote, wherever they travelled."""
        if "label_version" not in facts:
            return cls(_UNRECORDED, None)
        days = frozenset(map(date.fromisoformat, json.loads(facts["label_days"])))
        return cls(facts["label_version"], days)

    def as_text(self) -> dict[str, str]:
        """The facts as text, for a footer or the event log."""
        days = sorted(self.transaction_days or ())
        return {"label_version": self.version, "label_days": json.dumps([day.isoformat() for day in days])}

    def concerns(self, first: date, last: date) -> bool:
        """Whether a label may be about a transaction of `first`..`last`."""
        return self.transaction_days is None or any(first <= day <= last for day in self.transaction_days)


def labels_concerning(facts: Mapping[date, LabelFacts], first: date, last: date) -> list[date]:
    """The days of arrival, in order, whose labels are about transactions of `first`..`last`."""
    return [day for day in sorted(facts) if day >= first and facts[day].concerns(first, last)]


def label_state(facts: Mapping[date, LabelFacts], first: date, last: date) -> str:
    """A digest of every label table that concerns `first`..`last`: it changes when such a label arrives or changes."""
    tables = {day.isoformat(): facts[day].version for day in labels_concerning(facts, first, last)}
    return sha256(canonical_json(tables))
