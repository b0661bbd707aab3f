"""How far a distribution has moved from the one the model was trained on: profile against profile, no row needed.

Which distance is too far belongs to `limits`; showing it belongs to `report`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fraud_platform.errors import DataError
from fraud_platform.features.profile import ColumnProfile, Profile

# Siddiqi (2006), Credit Risk Scorecards, p. 137: below 0.1 no significant change, up to 0.25 look into it, then act.
PSI_MODERATE = 0.1
PSI_MAJOR = 0.25
PSI_BIN_COUNT = 10

# Half a value in every bin: keeps the logarithm finite where one side has none, and vanishes as counts grow.
_PSEUDO_COUNT = 0.5
# What chance alone exceeds in one comparison of a hundred.
_NOISE_LEVEL = 0.01

PsiVerdict = Literal["stable", "moderate", "major"]


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """The two-sample test: the largest distance of the two distribution functions, and how often chance gives more."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class FeatureDrift:
    """One column, then (reference) and now (analysis).

    Attributes:
        feature: its name.
        psi: population stability index, >= 0.
        psi_verdict: `stable`, `moderate` or `major`.
        psi_noise: what the index stays below in 99 of 100 comparisons of undrifted samples of these sizes.
        ks_statistic: Kolmogorov-Smirnov distance in [0, 1].
        ks_p_value: its p-value, of this feature alone.
        ks_p_value_corrected: the same, corrected for the number of features compared (Holm).
        reference_count, analysis_count: values compared.
        mean_shift_sigma: how many standard deviations of the reference its mean moved; None for a constant reference.
    """

    feature: str
    psi: float
    psi_verdict: PsiVerdict
    psi_noise: float
    ks_statistic: float
    ks_p_value: float
    ks_p_value_corrected: float
    reference_count: int
    reference_mean: float
    reference_std: float
    reference_min: float
    reference_max: float
    analysis_count: int
    analysis_mean: float
    analysis_std: float
    analysis_min: float
    analysis_max: float
    mean_shift_sigma: float | None

    def as_dict(self) -> dict[str, object]:
        """The fields by name, ready for JSON: every number finite."""
        return asdict(self)


def population_stability_index(
    reference: ColumnProfile, analysis: ColumnProfile, bin_count: int = PSI_BIN_COUNT
) -> float:
    """The population stability index of `analysis` against `reference`: `sum((a - r) * ln(a / r))` over bins.

    Bins hold equal shares of the reference, as nearly as the profile's grid can cut them (deciles by default; fewer
    where many values are equal). r and a are shares of values per bin, with half a value added to each bin so that an
    empty one stays finite: `(count + 1/2) / (total + bins/2)`. Symmetric in the shares and never negative; it is
    Jeffreys' divergence of the binned distributions. Read it by Siddiqi (2006): < 0.1 stable, 0.1 to 0.25 moderate,
    >= 0.25 major.

    Raises:
        DataError: one side has no value.
    """
    _require_values(reference, analysis)
    cuts = reference.quantile_cuts(bin_count)
    return _stability_index(_shares(reference, cuts), _shares(analysis, cuts))


def population_stability_noise(
    reference: ColumnProfile, analysis: ColumnProfile, bin_count: int = PSI_BIN_COUNT
) -> float:
    """What the index stays below in 99 of 100 comparisons when nothing drifted.

    Without drift, the index of B bins over n and m values is about `(1/n + 1/m)` times a chi-squared variable with
    B - 1 degrees of freedom (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4)).
    """
    from scipy.special import chdtri

    _require_values(reference, analysis)
    freedom = len(reference.quantile_cuts(bin_count))
    return float(chdtri(freedom, _NOISE_LEVEL)) * (1 / reference.count + 1 / analysis.count) if freedom else 0.0


def kolmogorov_smirnov(reference: ColumnProfile, analysis: ColumnProfile) -> KolmogorovSmirnov:
    """The two-sample Kolmogorov-Smirnov test on the profiles' common grid.

    The statistic is the largest difference of the distribution functions at the grid's edges. It never exceeds the
    statistic of the values themselves, and falls short of it by at most the largest share of values in one bin of the
    grid. The p-value is Kolmogorov's limit with the small-sample correction of Stephens (1970); with values that
    repeat, and with a statistic read at edges only, it is on the safe side (too large, never too small by more than
    the approximation).

    Raises:
        DataError: one side has no value.
    """
    from scipy.special import kolmogorov

    _require_values(reference, analysis)
    difference = reference.cumulative_counts / reference.count - analysis.cumulative_counts / analysis.count
    statistic = float(np.abs(difference).max())
    root = np.sqrt(reference.count * analysis.count / (reference.count + analysis.count))
    return KolmogorovSmirnov(statistic, float(kolmogorov((root + 0.12 + 0.11 / root) * statistic)))


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """p-values, in the same order, that stay honest although many were looked at.

    Holm (1979): the i-th smallest of m is multiplied by m - i + 1, made non-decreasing and capped at 1. Rejecting those
    below alpha keeps the chance of even one false alarm below alpha, whatever the dependence between features.
    """
    ordered = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[ordered] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[ordered] * factors), 1.0)
    return [float(value) for value in corrected]


def mean_shift_sigma(reference: ColumnProfile, analysis: ColumnProfile) -> float | None:
    """How many standard deviations of the reference the mean moved, with its sign; None for a constant reference."""
    deviation = reference.standard_deviation
    shift = (analysis.mean - reference.mean) / deviation if deviation else float("nan")
    return shift if np.isfinite(shift) else None


def psi_verdict(psi: float, moderate: float = PSI_MODERATE, major: float = PSI_MAJOR) -> PsiVerdict:
    """The index in a word: `stable` below `moderate`, `major` from `major` on, `moderate` between."""
    if psi >= major:
        return "major"
    return "moderate" if psi >= moderate else "stable"


def compare_profiles(
    reference: Profile, analysis: Profile, *, moderate: float = PSI_MODERATE, major: float = PSI_MAJOR
) -> tuple[FeatureDrift, ...]:
    """How far each column of `reference` has moved in `analysis`, in the order of `reference`.

    Args:
        reference: the training baseline.
        analysis: what is judged; columns the reference does not have are not read.
        moderate: population stability index from which on the verdict is `moderate`.
        major: the same for `major`.

    Raises:
        DataError: a column of the reference is missing in `analysis`, or one side has no row.
    """
    analysis = analysis.select(reference.columns)
    pairs = [(name, column, analysis.columns[name]) for name, column in reference.columns.items()]
    tests = [kolmogorov_smirnov(before, now) for _, before, now in pairs]
    corrected = holm_correction([test.p_value for test in tests])
    indices = [population_stability_index(before, now) for _, before, now in pairs]
    return tuple(
        FeatureDrift(
            feature=name,
            psi=psi,
            psi_verdict=psi_verdict(psi, moderate, major),
            psi_noise=population_stability_noise(before, now),
            ks_statistic=test.statistic,
            ks_p_value=test.p_value,
            ks_p_value_corrected=p_value,
            reference_count=before.count,
            reference_mean=before.mean,
            reference_std=before.standard_deviation,
            reference_min=before.minimum,
            reference_max=before.maximum,
            analysis_count=now.count,
            analysis_mean=now.mean,
            analysis_std=now.standard_deviation,
            analysis_min=now.minimum,
            analysis_max=now.maximum,
            mean_shift_sigma=mean_shift_sigma(before, now),
        )
        for (name, before, now), test, p_value, psi in zip(pairs, tests, corrected, indices, strict=True)
    )


def _require_values(reference: ColumnProfile, analysis: ColumnProfile) -> None:
    if not reference.count or not analysis.count:
        side = "analysis" if reference.count else "reference"
        raise DataError(f"the {side} profile has no values, so drift cannot be measured; profile a day with rows")


def _shares(profile: ColumnProfile, cuts: NDArray[np.intp]) -> NDArray[np.float64]:
    """The smoothed share of values in each of the `len(cuts) + 1` bins."""
    counts = np.diff(profile.cumulative_counts[cuts], prepend=0, append=profile.count)
    return (counts + _PSEUDO_COUNT) / (profile.count + _PSEUDO_COUNT * len(counts))


def _stability_index(reference: NDArray[np.float64], analysis: NDArray[np.float64]) -> float:
    return float(np.sum((analysis - reference) * np.log(analysis / reference)))
