"""What became of a model since its release, read from what was stored of the days it decided."""

from datetime import date, timedelta

import pandas as pd

from fraud_platform.day_store import DayStore
from fraud_platform.monitoring.life import life_markdown, life_of

AS_OF = date(2026, 3, 1)


def day(number: int) -> date:
    return AS_OF + timedelta(days=number)


def decide(store: DayStore, number: int, *, version: str = "2") -> None:
    table = pd.DataFrame({"transaction_id": ["a"]})
    store.write_table("daily_predictions", day(number), table, {"model_version": version})


def test_only_days_it_decided_and_had_not_learned_from_are_told(tmp_path):
    store = DayStore.at(tmp_path)
    for number, version in ((-1, "2"), (0, "2"), (1, "1"), (2, "2"), (3, "2")):
        decide(store, number, version=version)
    drift = {"verdict": {"status": "drifted"}, "features": [{"psi": 0.1}, {"psi": 0.31}]}
    store.write_json("drift_report", day(2), drift)
    scores = {"f1": 0.8, "precision": 0.9, "recall": 0.72}
    known = {"realised": {"status": "applicable", **scores}, "estimated": {"f1": 0.81}}
    store.write_json("realised_performance", day(2), known)
    unknown = {"realised": {"status": "not_applicable", **scores}, "estimated": {"f1": 0.79}}
    store.write_json("realised_performance", day(3), unknown)
    text = life_markdown(life_of(store, "2", AS_OF))
    assert "It decided 2 days, 2026-03-03 to 2026-03-04. The drift check failed on 1 of them;" in text
    assert "| 2026-03-03 | drifted | 0.310 | 0.800 | 0.900 | 0.720 | 0.810 |" in text
    assert "| 2026-03-04 | n/a | n/a | n/a | n/a | n/a | 0.790 |" in text


def test_a_model_that_has_decided_nothing_says_so(tmp_path):
    assert "It has decided no day yet." in life_markdown(life_of(DayStore.at(tmp_path), "2", AS_OF))
