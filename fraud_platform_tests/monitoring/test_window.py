"""What the monitors see of the last days: profiles from footers."""

from datetime import date

import numpy as np
import pandas as pd

from fraud_platform.features.profile import profile_table
from fraud_platform.monitoring.window import feature_profiles, score_profiles
from fraud_platform.scoring.scorer import profile_scores

DAYS = [date(2026, 3, day) for day in (1, 2, 3)]


def test_each_day_keeps_its_own_feature_profile():
    footers = {
        day: {"profile": profile_table(pd.DataFrame({"V1": np.full(4, float(day.day))}), ["V1"]).to_text()}
        for day in DAYS
    }
    profiles = feature_profiles(footers)
    assert {day: profile.columns["V1"].maximum for day, profile in profiles.items()} == dict(
        zip(DAYS, (1, 2, 3), strict=True)
    )


def test_scores_of_another_model_are_left_out():
    footers = {
        day: {
            "profile": profile_scores(pd.DataFrame({"fraud_probability": [0.25, 0.5]})).to_text(),
            "model_version": version,
        }
        for day, version in zip(DAYS, ("1", "2", "1"), strict=True)
    }
    profiles = score_profiles(footers, "1")
    assert list(profiles) == [DAYS[0], DAYS[2]]
    assert profiles[DAYS[0]].maximum == 0.5


def test_no_days_give_no_profiles():
    assert feature_profiles({}) == {}
    assert score_profiles({}, "1") == {}
