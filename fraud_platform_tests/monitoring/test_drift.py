"""Statistics of drift against their definitions and against scipy; limits and verdicts."""

import math
from itertools import pairwise
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fraud_platform.errors import DataError
from fraud_platform.features.grid import bins_of
from fraud_platform.features.profile import ColumnProfile, Profile, profile_table
from fraud_platform.monitoring.drift import (
    FeatureDrift,
    compare_profiles,
    holm_correction,
    kolmogorov_smirnov,
    mean_shift_sigma,
    population_stability_index,
    population_stability_noise,
    psi_verdict,
)
from fraud_platform.monitoring.limits import DriftLimits, judge_drift

LIMITS = DriftLimits(psi=0.25, feature_count=3)


def column(values: object) -> ColumnProfile:
    return table(x=values).columns["x"]


def table(**columns: object) -> Profile:
    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    return profile_table(frame, list(frame.columns))


def normal(count: int, seed: int, mean: float = 0.0, spread: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, count).astype(np.float32)


def psi_by_hand(reference: np.ndarray, analysis: np.ndarray, bin_count: int = 10) -> float:
    """The textbook: deciles of the values themselves, shares with half a value added, one term a bin."""
    edges = [-math.inf, *np.quantile(reference, np.arange(1, bin_count) / bin_count), math.inf]
    index = 0.0
    for low, high in pairwise(edges):
        expected = (np.sum((reference >= low) & (reference < high)) + 0.5) / (len(reference) + bin_count / 2)
        actual = (np.sum((analysis >= low) & (analysis < high)) + 0.5) / (len(analysis) + bin_count / 2)
        index += (actual - expected) * math.log(actual / expected)
    return index


@pytest.mark.parametrize(
    ("mean", "spread"),
    [(0.0, 1.0), (0.1, 1.0), (0.5, 1.0), (2.0, 1.0), (0.0, 0.5), (0.0, 3.0), (-8.0, 0.1)],  # none to beyond the range
)
@pytest.mark.parametrize("bin_count", [4, 10, 20])
def test_psi_is_the_textbook_formula_on_quantile_bins(mean: float, spread: float, bin_count: int) -> None:
    reference, analysis = normal(40_000, 1), normal(15_000, 2, mean, spread)
    measured = population_stability_index(column(reference), column(analysis), bin_count)
    assert measured == pytest.approx(psi_by_hand(reference, analysis, bin_count), rel=0.05, abs=0.001)


def test_psi_of_a_worked_example() -> None:
    # Two equal halves become one quarter and three: (.25-.5) ln(.25/.5) + (.75-.5) ln(.75/.5) = .25 ln 3, but for the
    # half counts: shares 500.5/1001, then 250.5/1001 and 750.5/1001.
    reference, analysis = [1.0] * 500 + [5.0] * 500, [1.0] * 250 + [5.0] * 750
    expected = (250.5 - 500.5) / 1001 * math.log(250.5 / 500.5) + (750.5 - 500.5) / 1001 * math.log(750.5 / 500.5)
    assert population_stability_index(column(reference), column(analysis), 2) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(0.25 * math.log(3), rel=0.005)


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60),
)
@settings(max_examples=100, deadline=None)
def test_psi_and_ks_stay_in_their_ranges_and_ks_below_the_exact_statistic(first: list, second: list) -> None:
    reference, analysis = np.asarray(first, np.float32), np.asarray(second, np.float32)
    psi = population_stability_index(column(reference), column(analysis))
    assert 0 <= psi < math.inf
    measured = kolmogorov_smirnov(column(reference), column(analysis))
    exact = stats.ks_2samp(reference, analysis, method="asymp").statistic
    widest = max(
        np.bincount(bins_of(values.astype(np.float64))).max() / len(values) for values in (reference, analysis)
    )
    assert 0 <= measured.p_value <= 1
    assert exact - widest - 1e-12 <= measured.statistic <= exact + 1e-12


def test_nothing_moved_gives_zero() -> None:
    same = column(normal(1000, 1))
    assert population_stability_index(same, same) == 0
    assert kolmogorov_smirnov(same, same).statistic == 0
    assert kolmogorov_smirnov(same, same).p_value == 1
    assert mean_shift_sigma(same, same) == 0


def test_psi_sees_a_constant_column_move_and_vary() -> None:
    constant = column([7.0] * 1000)
    assert population_stability_index(constant, column([7.0] * 300)) < 0.01
    assert population_stability_index(constant, column([7.5] * 300)) > 1
    assert population_stability_index(constant, column([7.0] * 150 + [-2.0] * 150)) > 1
    assert mean_shift_sigma(constant, column([8.0])) is None


def test_psi_without_drift_stays_below_its_noise_in_99_of_100_comparisons() -> None:
    generator = np.random.default_rng(11)
    reference = column(generator.normal(size=20_000))
    samples = [column(generator.normal(size=200)) for _ in range(600)]
    noise = population_stability_noise(reference, samples[0])
    exceeded = [population_stability_index(reference, sample) > noise for sample in samples]
    # 1 in 100 by design; the reference's own sampling error and the half counts move it a little.
    assert np.mean(exceeded) < 0.03


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("count", [60, 900, 20_000])
def test_ks_is_that_of_scipy_to_the_share_of_a_bin(shift: float, count: int) -> None:
    reference, analysis = normal(30_000, 5), normal(count, 6, shift)
    measured = kolmogorov_smirnov(column(reference), column(analysis))
    exact = stats.ks_2samp(reference, analysis, method="asymp")
    assert exact.statistic - 0.012 <= measured.statistic <= exact.statistic + 1e-12
    # With the same statistic, the same p-value: the corrected limit against scipy's finite-sample distribution. The
    # correction is made for the tail, where decisions fall.
    effective = round(len(reference) * count / (len(reference) + count))
    expected = stats.kstwo.sf(measured.statistic, effective)
    assert measured.p_value == pytest.approx(expected, abs=0.005 if expected < 0.2 else 0.02)


def test_holm_correction_by_hand() -> None:
    # Sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, made non-decreasing .04 .06 .06 .06.
    assert holm_correction([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm_correction([0.9, 0.8]) == [1.0, 1.0]
    assert holm_correction([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_lies_between_the_p_value_and_bonferroni(p_values: list[float]) -> None:
    corrected = np.array(holm_correction(p_values))
    assert np.all(corrected >= np.array(p_values) - 1e-12)
    assert np.all(corrected <= np.minimum(1, np.array(p_values) * len(p_values)) + 1e-12)


@pytest.mark.parametrize(
    ("psi", "verdict"), [(0.0999, "stable"), (0.1, "moderate"), (0.2499, "moderate"), (0.25, "major"), (9.0, "major")]
)
def test_psi_is_read_by_siddiqi(psi: float, verdict: str) -> None:
    assert psi_verdict(psi) == verdict


def test_a_comparison_carries_both_sides() -> None:
    reference, analysis = table(a=[0.0, 2.0], b=[1.0, 1.0]), table(b=[1.0], a=[3.0], unread=[0.0])
    first, second = compare_profiles(reference, analysis)
    assert (first.feature, second.feature) == ("a", "b")
    assert (first.reference_mean, first.reference_std, first.reference_min, first.reference_max) == (1, 1, 0, 2)
    assert (first.analysis_mean, first.analysis_std, first.analysis_min, first.analysis_max) == (3, 0, 3, 3)
    assert (first.reference_count, first.analysis_count) == (2, 1)
    assert first.mean_shift_sigma == 2
    assert first.ks_statistic == 1
    assert first.ks_p_value_corrected == pytest.approx(min(1, 2 * first.ks_p_value))


def test_the_limits_of_a_comparison_are_arguments() -> None:
    reference, analysis = table(x=normal(5000, 1)), table(x=normal(5000, 2, 0.3))
    (drift,) = compare_profiles(reference, analysis)
    assert drift.psi_verdict == "stable"
    (strict,) = compare_profiles(reference, analysis, moderate=0.01, major=0.05)
    assert strict.psi_verdict == "major"


@pytest.mark.parametrize("side", ["reference", "analysis"])
def test_an_empty_side_is_refused_by_name(side: str) -> None:
    full, empty = table(x=[1.0]), table(x=[])
    sides = (empty, full) if side == "reference" else (full, empty)
    with pytest.raises(DataError, match=f"the {side} profile has no values"):
        compare_profiles(*sides)


def test_a_feature_the_analysis_lacks_is_refused() -> None:
    with pytest.raises(DataError, match="lacks V2"):
        compare_profiles(table(V1=[1.0], V2=[1.0]), table(V1=[1.0]))


def drifted(count: int, of: int, rows: int = 5000) -> tuple[FeatureDrift, ...]:
    names = [f"V{number}" for number in range(1, of + 1)]
    reference = table(**{name: normal(5000, number) for number, name in enumerate(names)})
    shifts = [1.0 + 0.1 * number if number < count else 0.0 for number in range(of)]
    analysis = {name: normal(rows, 100 + number, shifts[number]) for number, name in enumerate(names)}
    return compare_profiles(reference, table(**analysis))


@pytest.mark.parametrize(("count", "is_drifted"), [(0, False), (2, False), (3, True), (5, True)])
def test_three_drifted_features_mean_drift(count: int, is_drifted: bool) -> None:
    verdict = judge_drift(drifted(count, of=6), LIMITS)
    assert verdict.is_drifted is is_drifted
    assert verdict.drifted_features == tuple(f"V{number}" for number in range(count, 0, -1))  # the strongest first
    assert verdict.sentence.startswith("Drifted" if is_drifted else "Stable")
    assert f"{count} of 6 features" in verdict.sentence


def test_a_handful_of_transactions_is_no_drift() -> None:
    features = drifted(0, of=6, rows=6)
    assert max(feature.psi for feature in features) > 0.25
    assert judge_drift(features, LIMITS).status == "stable"


def test_nothing_to_compare_is_not_applicable() -> None:
    verdict = judge_drift((), LIMITS)
    assert verdict.status == "not_applicable"
    assert not verdict.is_drifted


def test_a_full_comparison_is_fast() -> None:
    generator = np.random.default_rng(1)
    names = [f"V{number}" for number in range(33)]
    reference, analysis = (
        profile_table(pd.DataFrame(generator.normal(size=(20_000, 33)), columns=names), names) for _ in range(2)
    )
    compare_profiles(reference, analysis)
    started = perf_counter()
    compare_profiles(reference, analysis)
    assert perf_counter() - started < 1  # some 0.01 s; the slack is for busy machines
