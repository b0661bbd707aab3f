"""A model as of a day knows only the labels that had arrived by the end of that day, whenever it is made."""

from datetime import date

import pandas as pd

from fraud_platform.settings import load_settings
from fraud_platform_tests.platform_home import INGESTED, SCORED, PlatformHome, day_number

AS_OF, NEXT, LATEST = (day_number(number) for number in (4, 5, 6))
MADE = ("splits", "trained_model")


def made_as_of(home: PlatformHome, day: date) -> tuple[bytes, bytes]:
    """The bytes of the splits and of the model, made anew."""
    assert home.attempt("retraining", day, MADE).success
    return home.store.read_bytes("splits", day, "parquet"), home.store.read_bytes("trained_model", day, "zip")


def land_reversed(home: PlatformHome, arrival: date, about: date, count: int = 40) -> list[str]:
    """A label file of `arrival` that calls legitimate transactions of the day `about` frauds; which ones."""
    known = home.store.read_table("confirmed_labels", about)
    ids = known.loc[known["Class"] == 0, "transaction_id"].iloc[:count].tolist()
    home.put(arrival, "disputes.csv", pd.DataFrame({"transaction_id": ids, "Class": 1}), kind="labels")
    return ids


def classes(home: PlatformHome, as_of: date, ids: list[str]) -> set[int]:
    splits = home.store.read_table("splits", as_of)
    return set(splits.loc[splits["transaction_id"].isin(ids), "Class"])


def test_labels_that_arrive_after_the_day_change_nothing_of_what_is_made_as_of_it(copied_home, monkeypatch):
    # Which family learns is not the subject; this one is quick.
    monkeypatch.setenv("FRAUD_CANDIDATES", '["logistic_regression"]')
    monkeypatch.setenv("FRAUD_SEARCH_TRIALS", "0")
    home = PlatformHome(load_settings(), copied_home.instance)
    in_time = land_reversed(home, AS_OF, day_number(1))
    home.materialise(INGESTED, AS_OF)
    known = made_as_of(home, AS_OF)
    # What arrived on the day itself counts.
    assert classes(home, AS_OF, in_time) == {1}

    home.land([NEXT, LATEST])
    late = land_reversed(home, NEXT, day_number(2)) + land_reversed(home, LATEST, day_number(3))
    for day in (NEXT, LATEST):
        home.materialise((*INGESTED, *SCORED), day)
    # As of a later day they count; that a later model exists is nothing that the earlier day knew, either.
    made_as_of(home, LATEST)
    assert classes(home, LATEST, late) == {1}
    assert made_as_of(home, AS_OF) == known
    assert classes(home, AS_OF, late) == {0}
