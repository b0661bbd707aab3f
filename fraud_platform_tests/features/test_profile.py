"""Profiles: exact moments, exact merging, faithful quantiles, compact and safe text."""

import math
from collections.abc import Callable
from fractions import Fraction
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from fraud_platform.errors import DataError
from fraud_platform.features.grid import BIN_COUNT, bin_edges, bins_of
from fraud_platform.features.profile import Profile, merge_profiles, profile_table

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Any finite float32, and often what is awkward: constants, zeros of both signs, subnormals, the largest.
VALUES = st.one_of(
    npst.arrays(np.float32, st.integers(0, 40), elements=FLOAT32),
    st.builds(lambda value, count: np.full(count, value, np.float32), FLOAT32, st.integers(0, 40)),
    npst.arrays(
        np.float32,
        st.integers(0, 40),
        elements=st.sampled_from([0.0, -0.0, 1.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, 2.0**-18, 2.0**22]),
    ),
)


def profile_of(values: object) -> Profile:
    return profile_table(pd.DataFrame({"x": np.asarray(values)}), ["x"])


def test_a_quantile_is_exact_to_the_width_of_a_bin() -> None:
    values = np.random.default_rng(0).normal(10, 3, 20_000).astype(np.float32)
    column = profile_of(values).columns["x"]
    for share in (0.001, 0.25, 0.5, 0.75, 0.999):
        # A bin is 3.1 % of its value wide at most.
        assert column.quantile(share) == pytest.approx(float(np.quantile(values, share)), rel=0.032, abs=0.01)
    assert column.quantile(0) == values.min()
    assert profile_of([3.5] * 9).columns["x"].quantile(0.5) == 3.5
    assert math.isnan(profile_of([]).columns["x"].quantile(0.5))


@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_merged_profiles_are_the_profile_of_the_concatenation(parts: list[np.ndarray], random: object) -> None:
    whole = profile_of(np.concatenate(parts))
    profiles = [profile_of(part) for part in parts]
    assert merge_profiles(profiles) == whole
    random.shuffle(profiles)  # type: ignore[attr-defined]
    nested = profiles[0]
    for profile in profiles[1:]:
        nested = merge_profiles([nested, profile])
    assert nested == whole
    assert Profile.from_text(whole.to_text()) == whole


@given(VALUES.filter(len))
@settings(max_examples=150, deadline=None)
def test_moments_are_those_of_exact_arithmetic(values: np.ndarray) -> None:
    column = profile_of(values).columns["x"]
    exact = [Fraction(float(value)) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    assert column.count == len(values)
    assert column.mean == float(mean)
    assert column.variance == float(variance)
    assert (column.minimum, column.maximum) == (values.min(), values.max())


@given(VALUES)
@example(np.array([0.0, -0.0], np.float32))
@settings(max_examples=150, deadline=None)
def test_every_value_is_counted_between_the_edges_of_its_bin(values: np.ndarray) -> None:
    edges = bin_edges()
    bins = bins_of(values.astype(np.float64))
    lower, upper = edges[bins], edges[bins + 1]
    is_negative = values < 0
    assert np.all((lower <= values) & (values <= upper))
    assert np.all(np.where(is_negative, lower < values, values < upper))


def test_the_grid_is_fine_everywhere_transactions_are() -> None:
    edges = bin_edges()
    assert len(edges) == BIN_COUNT + 1
    assert np.all(np.diff(edges) > 0)
    inner = edges[np.abs(edges) < 4e6]
    widths, middles = np.diff(inner), np.abs(inner[1:] + inner[:-1]) / 2
    assert np.all(widths <= np.maximum(1.3e-7, 0.0325 * (middles + 2.0**-18)))


def test_large_tables_keep_exact_moments() -> None:
    generator = np.random.default_rng(3)
    # A mean a million times the spread: textbook one-pass formulas lose every digit of the variance here.
    values = (1e6 + generator.normal(size=300_000)).astype(np.float32)
    column = profile_of(values).columns["x"]
    wide = values.astype(np.float64)
    assert column.mean == math.fsum(wide) / len(wide)
    assert column.variance == pytest.approx(math.fsum((wide - column.mean) ** 2) / len(wide), rel=1e-12)
    assert column.standard_deviation == pytest.approx(np.std(wide), rel=1e-9)


@pytest.mark.parametrize(
    "draw",
    [
        lambda generator: generator.normal(size=50_000),
        lambda generator: generator.lognormal(3, 1.5, 50_000),
        lambda generator: 1 / (1 + np.exp(9 - 2 * generator.normal(size=50_000))),  # nearly all close to zero
        lambda generator: generator.standard_t(2, 50_000),
    ],
    ids=["normal", "amounts", "scores", "long tails"],
)
def test_quantile_edges_are_the_quantiles_to_the_width_of_a_bin(
    draw: Callable[[np.random.Generator], np.ndarray],
) -> None:
    values = draw(np.random.default_rng(5)).astype(np.float32)
    edges = profile_of(values).columns["x"].quantile_edges(10)
    expected = np.quantile(values, np.arange(1, 10) / 10)
    assert len(edges) == 9
    np.testing.assert_allclose(edges, expected, rtol=0.033, atol=2e-7)


def test_a_constant_column_is_cut_on_both_sides_of_its_value() -> None:
    low, high = profile_of([3.5] * 100).columns["x"].quantile_edges(10)
    assert low <= 3.5 < high
    assert high - low < 0.12


def test_values_that_repeat_give_fewer_and_distinct_edges() -> None:
    edges = profile_of([0.0] * 70 + [1.0] * 30).columns["x"].quantile_edges(10)
    # Below zero, between zero and one, and above one: no edge can cut equal values.
    assert len(edges) == 3
    assert edges[0] <= 0 < edges[1] < 1 < edges[2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("position", [0, 3])
def test_what_is_no_number_is_refused_with_its_place(value: float, position: int) -> None:
    values = np.arange(5, dtype=np.float64)
    values[position] = value
    with pytest.raises(DataError, match=rf"profile x: 1 of 5 values .* row {position + 1}"):
        profile_of(values)


def test_a_missing_integer_is_refused() -> None:
    with pytest.raises(DataError, match="1 of 2 values"):
        profile_table(pd.DataFrame({"x": pd.array([1, None], dtype="Int8")}), ["x"])


def test_a_column_the_table_lacks_is_named() -> None:
    with pytest.raises(DataError, match="cannot profile V2"):
        profile_table(pd.DataFrame({"V1": [1.0]}), ["V1", "V2"])


def test_an_empty_column_has_no_moments_and_merges_without_trace() -> None:
    empty, some = profile_of([]), profile_of([1.0, 2.0])
    column = empty.columns["x"]
    assert column.count == 0
    assert math.isnan(column.mean)
    assert math.isnan(column.standard_deviation)
    assert len(column.quantile_edges(10)) == 0
    assert merge_profiles([empty, some, empty]) == some
    assert merge_profiles([]) == Profile({})
    assert Profile({}).row_count == 0


def test_profiles_of_different_columns_are_not_merged() -> None:
    with pytest.raises(DataError, match="y missing in some"):
        merge_profiles([profile_of([1.0]), profile_table(pd.DataFrame({"x": [1.0], "y": [1.0]}), ["x", "y"])])


def test_selecting_a_column_that_was_not_profiled_is_refused() -> None:
    profile = profile_of([1.0])
    assert list(profile.select(["x"]).columns) == ["x"]
    with pytest.raises(DataError, match="lacks z"):
        profile.select(["x", "z"])


@pytest.mark.parametrize("damage", ["", "not base85 \x00", "c$@(M0{{R3", None])
def test_damaged_text_is_refused(damage: str | None) -> None:
    text = profile_of([1.0, 2.0]).to_text()
    with pytest.raises(DataError, match="profile cannot be read"):
        Profile.from_text(text[:-6] if damage is None else damage)


def test_text_is_the_same_for_the_same_content_and_fits_a_footer() -> None:
    generator = np.random.default_rng(7)
    columns = {f"V{number}": generator.standard_t(4, 142_000) for number in range(33)}
    table = pd.DataFrame(columns).astype(np.float32)
    started = perf_counter()
    profile = profile_table(table, list(columns))
    elapsed = perf_counter() - started
    text = profile.to_text()
    assert elapsed < 2  # some 0.07 s; the slack is for busy machines
    assert (
        text
        == merge_profiles(
            [profile_table(table[70_000:], list(columns)), profile_table(table[:70_000], list(columns))]
        ).to_text()
    )
    assert len(text) < 60_000
    assert text.isascii()
    assert Profile.from_text(text) == profile
