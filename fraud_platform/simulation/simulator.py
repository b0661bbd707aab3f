"""Days of card transactions without a file: drawn from shipped statistics of the public data, seeded.

Real rows spread over days (`replay`), and putting days into a landing zone (`delivery`), do not belong here.
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_platform.ingestion.schema import TRUE_FRAUD_RATE
from fraud_platform.simulation.drift import DriftInjection
from fraud_platform.simulation.figures import NORMAL_SCORES, VARIABLES, Component, Figures, shipped_figures
from fraud_platform.simulation.replay import SECONDS_PER_DAY

_AMOUNT = VARIABLES.index("Amount")
_HOUR = VARIABLES.index("hour")


def simulate(
    *,
    start: date,
    days: int,
    rows_per_day: int,
    seed: int,
    fraud_rate: float = TRUE_FRAUD_RATE,
    drift: DriftInjection | None = None,
    figures: Figures | None = None,
) -> Iterator[tuple[date, pd.DataFrame]]:
    """Days in the landing format, one at a time, oldest first.

    Each class is a mixture of Gaussian copulas: a component is drawn, then correlated normal scores, then each score
    is read off the component's marginal quantiles. Apart from `Time`, which counts from `start`, a day depends on its
    date, `rows_per_day`, `fraud_rate`, `seed` and drift only, so that any range of days can be made again.

    Args:
        start: first day.
        days: how many days, at least 1.
        rows_per_day: transactions a day, at least 1.
        seed: of every random choice, 0 or more.
        fraud_rate: share of frauds, in [0, 1]. A day's count is this share of its rows, rounded so that the rounding
            errors of consecutive days cancel out.
        drift: what changes from a day on; None for nothing.
        figures: what to draw from; None for the shipped ones.

    Yields:
        The day and its table: `Time` (whole seconds since the midnight `start` begins with), `V1`..`V28`, `Amount`
        (euro, whole cents) as float64 and `Class` as int8, in the order of `Time`.

    Raises:
        ValueError: an argument is out of its range.
    """
    if days < 1 or rows_per_day < 1 or not 0 <= fraud_rate <= 1:
        raise ValueError(f"cannot simulate {days=} {rows_per_day=} {fraud_rate=}")
    figures = figures or shipped_figures()
    for offset in range(days):
        day = start + timedelta(days=offset)
        frauds_per_day = rows_per_day * fraud_rate
        frauds = math.floor((day.toordinal() + 1) * frauds_per_day) - math.floor(day.toordinal() * frauds_per_day)
        generator = np.random.default_rng([seed, day.toordinal()])
        table = _draw_day(figures, rows_per_day - frauds, frauds, generator)
        if drift is not None:
            table = drift.apply(day, table, seed)
        table["Time"] += float(offset * SECONDS_PER_DAY)
        yield day, table


def _draw_day(figures: Figures, legitimate: int, frauds: int, generator: np.random.Generator) -> pd.DataFrame:
    values = np.concatenate(
        [_draw(figures.legitimate, legitimate, generator), _draw(figures.fraudulent, frauds, generator)], axis=1
    )
    labels = np.repeat(np.array([0, 1], dtype=np.int8), [legitimate, frauds])
    seconds = np.clip(np.floor(values[_HOUR] * 3600), 0, SECONDS_PER_DAY - 1)
    # Equal seconds must not list the legitimate rows first.
    order = np.lexsort((generator.random(len(seconds)), seconds))
    columns = {"Time": seconds[order]}
    columns.update((name, values[row, order]) for row, name in enumerate(VARIABLES[:_AMOUNT]))
    columns["Amount"] = np.round(np.maximum(values[_AMOUNT, order], 0.0), 2)
    return pd.DataFrame(columns | {"Class": labels[order]})


def _draw(components: tuple[Component, ...], count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """`count` draws from the mixture, one variable per row, grouped by component."""
    counts = generator.multinomial(count, [component.weight for component in components])
    draws = np.empty((len(VARIABLES), count))
    ends = np.cumsum(counts)
    for component, first, end in zip(components, ends - counts, ends, strict=True):
        triangle = np.linalg.cholesky(component.correlations)
        scores = triangle @ generator.standard_normal((len(VARIABLES), end - first))
        for row, quantiles in enumerate(component.quantiles):
            draws[row, first:end] = np.interp(scores[row], NORMAL_SCORES, quantiles)
    return draws
