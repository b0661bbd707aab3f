"""Alert and error rates by band: counted by hand, with intervals, and with what they cannot show."""

import math

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.monitoring.band_counts import DecisionCounts
from fraud_platform.monitoring.fairness import BLIND_SPOTS, RATES, audit_counts, audit_fairness


def decided(rows):
    """Decisions of (amount, hour, alert)."""
    amounts, hours, alerts = zip(*rows, strict=True) if rows else ((), (), ())
    start = pd.Timestamp("2026-03-01", tz="UTC")
    moments = [start + pd.Timedelta(hours=hour) for hour in hours]
    return pd.DataFrame(
        {
            "transaction_id": [f"t{number}" for number in range(len(rows))],
            "event_time": pd.DatetimeIndex(moments, tz="UTC").as_unit("us"),
            "prediction": np.array(alerts, np.int8),
            "Amount": np.array(amounts, np.float32),
        }
    )


def labelled(classes):
    """Labels of the first transactions; None where none has arrived."""
    known = {f"t{number}": label for number, label in enumerate(classes) if label is not None}
    return pd.DataFrame({"transaction_id": list(known), "Class": list(known.values())})


def band(audit, name):
    (found,) = (each for each in audit.bands if each.counts.name == name)
    return found


# Ten small ones at night: 6 frauds, of which 2 are missed, and 4 legitimate of which one is alerted.
NIGHT = [(5, 3, 1)] * 4 + [(5, 3, 0)] * 2 + [(5, 3, 1)] + [(5, 3, 0)] * 3
NIGHT_LABELS = [1] * 6 + [0] * 4


def test_rates_are_shares_of_the_right_transactions():
    table, labels = decided(NIGHT + [(500, 14, 0)] * 10), labelled(NIGHT_LABELS + [0] * 8 + [None] * 2)
    audit = audit_fairness(table, labels)
    for name in ("amount 0 to 10", "hour 0 to 6"):
        rates = band(audit, name).rates
        assert rates["alert_rate"].value == pytest.approx(5 / 10)
        assert rates["false_negative_rate"].value == pytest.approx(2 / 6)
        # Of four legitimate ones nothing is concluded.
        assert math.isnan(rates["false_positive_rate"].value)
    day = band(audit, "hour 12 to 18")
    assert (day.counts.transactions, day.counts.legitimate, day.counts.frauds) == (10, 8, 0)
    assert day.rates["false_positive_rate"].value == 0
    assert audit.total.transactions == 20


def test_a_rate_has_wilsons_interval():
    # Wilson's 95 % interval of 5 in 10, as statsmodels gives it.
    rate = band(audit_fairness(decided(NIGHT), labelled(NIGHT_LABELS)), "hour 0 to 6").rates["alert_rate"]
    assert (rate.low, rate.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_differences_have_newcombes_interval_and_hold_all_together():
    # Newcombe's own example: 56 of 70 beside 48 of 80, whose interval at 95 % is 0.0524 to 0.3339.
    table = decided([(5, 3, 1)] * 56 + [(5, 3, 0)] * 14 + [(500, 14, 1)] * 48 + [(500, 14, 0)] * 32)
    counts = DecisionCounts.of(table, labelled([]))
    # Nine bands and three rates: each comparison gets a 27th of what all may err.
    audit = audit_counts(counts, confidence=1 - 27 * 0.05)
    difference = band(audit, "hour 0 to 6").differences["alert_rate"]
    assert (difference.value, difference.low, difference.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)
    strict = band(audit_counts(counts), "hour 0 to 6")
    assert strict.differences["alert_rate"].low < 0
    assert strict.outstanding == ()


def test_a_band_that_is_treated_otherwise_stands_out_and_others_do_not():
    generator = np.random.default_rng(3)
    alerts = generator.random(4_000) < np.where(np.arange(4_000) < 2_000, 0.10, 0.02)
    rows = [(5 if row < 2_000 else 100, float(row % 24), int(alert)) for row, alert in enumerate(alerts)]
    audit = audit_fairness(decided(rows), labelled([]))
    assert {each.counts.name for each in audit.bands if each.outstanding} == {"amount 0 to 10", "amount 50 to 200"}
    assert all("alert rate" in finding for finding in audit.findings)
    assert "percentage points above all others" in audit.findings[0]
    assert f"- {audit.findings[0]}" in audit.as_markdown()


def test_evenly_spread_alerts_are_no_finding():
    generator = np.random.default_rng(4)
    places = [(amount, hour) for amount in (5, 20, 100) for hour in range(24)] * 30
    rows = [(amount, hour, int(generator.random() < 0.05)) for amount, hour in places]
    audit = audit_fairness(decided(rows), labelled([]))
    assert audit.findings == ()
    assert "No band differs" in audit.as_markdown()


def test_counts_of_days_add_up_to_those_of_both():
    table, labels = decided(NIGHT + [(500, 30, 1)] * 5), labelled([*NIGHT_LABELS, 0, 1, 1, None, 0])
    together = DecisionCounts.of(table, labels)
    assert DecisionCounts.of(table[:10], labels) + DecisionCounts.of(table[10:], labels) == together
    assert (str(together.first_day), str(together.last_day)) == ("2026-03-01", "2026-03-02")
    assert sum(each.transactions for each in together.bands if each.quantity == "hour") == 15


def test_every_audit_says_what_anonymised_features_cannot_show():
    audit = audit_fairness(decided([]), labelled([]))
    text = audit.as_markdown()
    assert all(each in text for each in BLIND_SPOTS)
    assert "Whether persons of a protected group are treated otherwise cannot be seen here" in text
    assert "no day" in text
    assert all(math.isnan(each.rates[rate].value) for each in audit.bands for rate in RATES)


def test_a_transaction_that_was_decided_twice_is_refused():
    table = pd.concat([decided(NIGHT), decided(NIGHT)])
    with pytest.raises(DataError, match="twice"):
        audit_fairness(table, labelled([]))
