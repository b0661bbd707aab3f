"""Label weights: what a source counts reaches every fit, and no figure."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fraud_platform.training.candidates import CANDIDATES
from fraud_platform.training.cross_fitting import Member
from fraud_platform.training.dataset import LabelledRows
from fraud_platform.training.fitting import FitRows
from fraud_platform.training.tuning import SearchBudget, search
from fraud_platform_tests.training.labelled_rows import make_rows

LIMIT = 100_000


def doubted(rows: LabelledRows, weight: float = 2.0) -> LabelledRows:
    """Every third label from a source that counts `weight`."""
    return replace(rows, label_weights=np.where(np.arange(rows.row_count) % 3 == 0, weight, 1.0))


@pytest.mark.parametrize("legitimate_weight", [1.0, 5.0])  # also where legitimate rows are down-sampled
def test_a_label_that_counts_two_is_learned_from_like_two_of_it(legitimate_weight: float) -> None:
    rows = replace(make_rows(600, 60), legitimate_weight=legitimate_weight)
    member = Member(CANDIDATES["logistic_regression"], {"C": 1.0, "fraud_weight_exponent": 0.0}, seed=1)
    twice = np.concatenate([np.arange(600), np.arange(0, 600, 3)])
    expected = member.fit(rows, twice, LIMIT).predict_probability(rows.features)
    answers = member.fit(doubted(rows), np.arange(600), LIMIT).predict_probability(rows.features)
    np.testing.assert_allclose(answers, expected, rtol=1e-6)


@pytest.mark.parametrize("name", list(CANDIDATES))
def test_every_family_learns_from_the_weights(name: str) -> None:
    candidate = CANDIDATES[name]
    member = Member(candidate, {**candidate.reference_point, **candidate.search_overrides}, seed=1)
    if "n_estimators" in member.params:
        member = replace(member, params={**member.params, "n_estimators": 20})
    rows = make_rows(600, 60)
    everything = np.arange(600)
    plain, weighted = (
        member.fit(each, everything, LIMIT).predict_probability(rows.features) for each in (rows, doubted(rows, 0.01))
    )
    assert not np.array_equal(plain, weighted)


def test_the_search_fits_with_the_weights_and_judges_without_them() -> None:
    logistic = CANDIDATES["logistic_regression"]
    fitted: list[FitRows] = []

    def fit(parameters: Any, rows: FitRows, **options: Any) -> Any:
        fitted.append(rows)
        return logistic.fit(parameters, rows, **options)

    rows = doubted(make_rows(600, 60), 0.5)
    search(replace(logistic, fit=fit), rows, budget=SearchBudget(trials=0), seed=1)
    assert len(fitted) == 3
    for each in fitted:
        assert each.weights is not None
        assert set(np.unique(each.weights)) == {0.5, 1.0}

    def fit_without(parameters: Any, rows: FitRows, **options: Any) -> Any:
        return logistic.fit(parameters, replace(rows, weights=None), **options)

    # Where no fit reads the weights, the figure is that of labels that all count one.
    deaf = replace(logistic, fit=fit_without)
    weighted, plain = (search(deaf, each, budget=SearchBudget(trials=0), seed=1) for each in (rows, make_rows(600, 60)))
    assert weighted.average_precision == plain.average_precision
