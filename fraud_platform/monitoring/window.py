"""The last days as the monitors see them: distribution profiles from the footers of stored tables, no rows.

Comparing profiles belongs to `drift`; writing the comparison down belongs to `report`.
"""

from collections.abc import Mapping
from datetime import date

from fraud_platform.features.profile import ColumnProfile, Profile
from fraud_platform.monitoring.report import SCORE_COLUMN


def feature_profiles(footers: Mapping[date, Mapping[str, str]]) -> dict[date, Profile]:
    """The feature profile of each day."""
    return {day: Profile.from_text(footer["profile"]) for day, footer in footers.items()}


def score_profiles(footers: Mapping[date, Mapping[str, str]], model_version: str) -> dict[date, ColumnProfile]:
    """The distribution of probabilities on each day that `model_version` scored; scores of two models do not mix."""
    return {
        day: Profile.from_text(footer["profile"]).columns[SCORE_COLUMN]
        for day, footer in footers.items()
        if footer["model_version"] == model_version
    }
