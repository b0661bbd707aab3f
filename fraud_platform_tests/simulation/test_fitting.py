"""Rules of measuring figures: what is fitted to simulated rows describes them again."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fraud_platform.simulation.fitting import fit_figures
from fraud_platform.simulation.simulator import simulate


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    ((_, table),) = simulate(start=date(2026, 1, 1), days=1, rows_per_day=3_000, seed=3, fraud_rate=0.1)
    return table


@pytest.fixture(scope="module")
def figures(rows):
    return fit_figures(rows)


def test_fitted_figures_make_days_like_the_rows_they_were_fitted_to(rows, figures):
    ((_, again),) = simulate(
        start=date(2026, 1, 1), days=1, rows_per_day=3_000, seed=9, fraud_rate=0.1, figures=figures
    )
    for label in (0, 1):
        before, after = rows[rows["Class"] == label], again[again["Class"] == label]
        error = before["V14"].std() / np.sqrt(len(before))
        assert after["V14"].mean() == pytest.approx(before["V14"].mean(), abs=5 * error)
        # What a single Gaussian copula would keep as well: the sign and size of a strong dependence.
        dependence = np.corrcoef(before["V14"], before["V12"])[0, 1]
        assert np.corrcoef(after["V14"], after["V12"])[0, 1] == pytest.approx(dependence, abs=0.2)


def test_fitting_is_deterministic(rows, figures):
    assert fit_figures(rows).to_bytes() == figures.to_bytes()


def test_every_component_stands_for_several_rows(figures):
    frauds = 300
    assert min(component.weight for component in figures.fraudulent) * frauds >= 8
