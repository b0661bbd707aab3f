"""Rules of injected drift: earlier days untouched, strong enough to be noticed, fair enough to be learnt."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from fraud_platform.ingestion.schema import LANDED_COLUMNS
from fraud_platform.simulation.drift import DriftInjection
from fraud_platform.simulation.replay import replay
from fraud_platform.simulation.simulator import simulate
from fraud_platform_tests.simulation.public_sample import design_matrix, fitted_booster, needs_sample, real_rows

START = date(2026, 1, 1)
DRIFT = DriftInjection(start=date(2026, 1, 13))
NOTHING = {
    "amount_factor": 1.0,
    "shifted_columns": (),
    "rotated_pairs": (),
    "new_fraud_share": 0.0,
}


@pytest.fixture(scope="module")
def simulated_days() -> list[pd.DataFrame]:
    """Twelve days as ever, then eight drifted ones."""
    return [table for _, table in simulate(start=START, days=20, rows_per_day=20_000, seed=0, drift=DRIFT)]


@pytest.fixture
def table() -> pd.DataFrame:
    ((_, table),) = simulate(start=START, days=1, rows_per_day=1_000, seed=0, fraud_rate=0.02)
    return table


def decile_psi(reference: np.ndarray, analysis: np.ndarray) -> float:
    """Population stability index over the reference's deciles."""
    edges = np.quantile(reference, np.arange(0.1, 1, 0.1))
    expected, actual = (
        np.bincount(np.searchsorted(edges, values), minlength=10) / len(values) for values in (reference, analysis)
    )
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def test_days_before_the_start_are_untouched(table):
    assert DRIFT.apply(date(2026, 1, 12), table, seed=0) is table
    with_drift, without = (
        list(simulate(start=START, days=13, rows_per_day=200, seed=0, drift=drift)) for drift in (DRIFT, None)
    )
    for offset in range(12):
        pd.testing.assert_frame_equal(with_drift[offset][1], without[offset][1])
    assert not with_drift[12][1].equals(without[12][1])


def test_drift_leaves_its_input_alone_and_repeats_itself(table):
    before = table.copy()
    first = DRIFT.apply(DRIFT.start, table, seed=3)
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(DRIFT.apply(DRIFT.start, table, seed=3), first)
    assert list(first.columns) == list(table.columns)
    assert first["Time"].equals(table["Time"])
    assert first["Class"].equals(table["Class"])


def test_amounts_are_multiplied(table):
    drifted = DriftInjection(START, **(NOTHING | {"amount_factor": 3.0})).apply(START, table, seed=0)
    np.testing.assert_allclose(drifted["Amount"], 3 * table["Amount"], atol=0.005)
    pd.testing.assert_frame_equal(drifted.drop(columns="Amount"), table.drop(columns="Amount"))


def test_shifted_columns_move_by_standard_deviations(table):
    injection = DriftInjection(START, **(NOTHING | {"shifted_columns": ("V2",), "shift_deviations": -1.5}))
    drifted = injection.apply(START, table, seed=0)
    np.testing.assert_allclose(drifted["V2"], table["V2"] - 1.5 * np.std(table["V2"].to_numpy()))
    pd.testing.assert_frame_equal(drifted.drop(columns="V2"), table.drop(columns="V2"))


def test_rotation_turns_the_plane_and_keeps_lengths(table):
    injection = DriftInjection(START, **(NOTHING | {"rotated_pairs": (("V1", "V2"),), "rotation_degrees": 90.0}))
    drifted = injection.apply(START, table, seed=0)
    np.testing.assert_allclose(drifted["V1"], -table["V2"], atol=1e-12)
    np.testing.assert_allclose(drifted["V2"], table["V1"], atol=1e-12)
    slanted = DriftInjection(START, **(NOTHING | {"rotated_pairs": (("V1", "V2"),), "rotation_degrees": 30.0}))
    turned = slanted.apply(START, table, seed=0)
    np.testing.assert_allclose(np.hypot(turned["V1"], turned["V2"]), np.hypot(table["V1"], table["V2"]))


def test_the_new_pattern_concerns_its_share_of_the_frauds_only(table):
    injection = DriftInjection(START, **(NOTHING | {"new_fraud_share": 0.25}))
    drifted = injection.apply(START, table, seed=0)
    changed = (drifted != table).any(axis=1)
    assert changed.sum() == 5  # a quarter of 20 frauds
    assert (table.loc[changed, "Class"] == 1).all()


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_days_without_one_of_the_classes_can_drift(rate):
    days = simulate(start=START, days=2, rows_per_day=1, seed=0, fraud_rate=rate, drift=DriftInjection(START))
    assert all(np.isfinite(table.to_numpy(float)).all() for _, table in days)


@pytest.mark.parametrize("wrong", [{"amount_factor": 0.0}, {"new_fraud_share": 1.1}])
def test_figures_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="cannot inject"):
        DriftInjection(START, **wrong)


@pytest.mark.parametrize("source", ["simulated", pytest.param("replayed", marks=needs_sample)])
def test_two_drifted_days_of_seven_show_in_five_columns_at_least(source, simulated_days):
    days = simulated_days
    if source == "replayed":
        days = [part for _, part in replay(real_rows(), start=START, days=20, seed=0, drift=DRIFT)]
    reference, analysis = pd.concat(days[:7]), pd.concat(days[7:14])
    drifted = [name for name in LANDED_COLUMNS[1:] if decile_psi(reference[name], analysis[name]) > 0.25]
    assert len(drifted) >= 5


def test_seven_days_without_drift_show_none(simulated_days):
    reference, analysis = pd.concat(simulated_days[:5]), pd.concat(simulated_days[5:12])
    assert max(decile_psi(reference[name], analysis[name]) for name in LANDED_COLUMNS[1:]) < 0.01


def test_a_model_retrained_with_two_drifted_days_regains_what_the_old_one_loses(simulated_days):
    """Average precision on later drifted days: the old model about 0.5, the retrained one about 0.8."""
    later = pd.concat(simulated_days[14:17])
    old, retrained = (
        average_precision_score(
            later["Class"], fitted_booster(pd.concat(days)).predict_proba(design_matrix(later))[:, 1]
        )
        for days in (simulated_days[:7], simulated_days[7:14])
    )
    assert retrained >= 0.75
    assert old < retrained - 0.1
