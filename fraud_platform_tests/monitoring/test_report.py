"""The drift report as document, table and picture."""

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fraud_platform.errors import DataError
from fraud_platform.features.profile import ColumnProfile, Profile, merge_profiles, profile_table
from fraud_platform.monitoring.drift import compare_profiles
from fraud_platform.monitoring.limits import DriftLimits
from fraud_platform.monitoring.report import drift_report, drift_table_markdown, plot_drift
from fraud_platform.storage import canonical_json

DAY = date(2026, 10, 9)
FEATURES = [f"V{number}" for number in range(1, 9)]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def day_profile(seed: int, shift: float = 0.0, rows: int = 2000) -> Profile:
    values = np.random.default_rng(seed).normal(size=(rows, len(FEATURES)))
    values[:, :4] += shift
    frame = pd.DataFrame(values, columns=FEATURES).assign(fraud_probability=1 / (1 + np.exp(6 - values[:, 0])))
    return profile_table(frame, list(frame.columns))


def days(*shifts: float) -> dict[date, Profile]:
    first = DAY - timedelta(days=len(shifts) - 1)
    return {first + timedelta(days=number): day_profile(10 + number, shift) for number, shift in enumerate(shifts)}


def scores(by_day: dict[date, Profile]) -> dict[date, ColumnProfile]:
    return {day: profile.columns["fraud_probability"] for day, profile in by_day.items()}


def compare(**arguments: Any) -> dict[str, Any]:
    limits = DriftLimits(psi=0.25, feature_count=3)
    return drift_report(**{"day": DAY, "model_version": "3", "limits": limits, **arguments})


def report_of(by_day: dict[date, Profile], **arguments: Any) -> dict[str, Any]:
    return compare(
        reference=day_profile(1, rows=10_000),
        analysis_by_day=by_day,
        score_analysis_by_day=scores(by_day),
        **arguments,
    )


def test_a_stable_window() -> None:
    report = report_of(days(0, 0, 0))
    assert report["verdict"]["status"] == "stable"
    assert report["window"] == {
        "days": ["2026-10-07", "2026-10-08", "2026-10-09"],
        "row_counts": [2000, 2000, 2000],
        "row_count": 6000,
    }
    assert report["reference"] == {"row_count": 10_000}
    assert {row["feature"] for row in report["features"]} == set(FEATURES)
    assert report["score"]["feature"] == "fraud_probability"


def test_two_drifted_days_of_seven_are_seen_and_dated() -> None:
    report = report_of(days(0, 0, 0, 0, 0, 4, 4))
    assert report["verdict"]["is_drifted"]
    assert set(report["verdict"]["drifted_features"]) == {"V1", "V2", "V3", "V4"}
    strongest = report["features"][0]
    assert max(strongest["psi_by_day"][:5]) < 0.1
    assert min(strongest["psi_by_day"][5:]) > 1
    assert [row["psi"] for row in report["features"]] == sorted(
        (row["psi"] for row in report["features"]), reverse=True
    )


def test_the_window_is_compared_as_a_whole() -> None:
    by_day = days(0, 1, 2)
    whole = merge_profiles(by_day.values()).select(FEATURES)
    expected = {
        drift.feature: drift.psi for drift in compare_profiles(day_profile(1, rows=10_000).select(FEATURES), whole)
    }
    assert {row["feature"]: row["psi"] for row in report_of(by_day)["features"]} == expected


def test_the_score_does_not_count_as_a_feature() -> None:
    by_day = days(0, 0)
    shifted = scores({day: day_profile(5, 8.0) for day in by_day})
    report = compare(
        reference=day_profile(1),
        analysis_by_day=by_day,
        score_analysis_by_day=shifted,
        limits=DriftLimits(psi=0.25, feature_count=1),
    )
    assert report["score"]["psi_verdict"] == "major"
    assert report["verdict"]["status"] == "stable"


def test_the_score_may_be_missing() -> None:
    report = compare(reference=day_profile(1).select(FEATURES), analysis_by_day=days(0, 0))
    assert report["score"] is None
    assert plot_drift(report).startswith(PNG_SIGNATURE)


def test_a_day_without_scores_has_no_score_index() -> None:
    by_day = days(0, 0)
    only_last = {DAY: scores(by_day)[DAY]}
    report = compare(reference=day_profile(1), analysis_by_day=by_day, score_analysis_by_day=only_last)
    assert report["score"]["psi_by_day"][0] is None
    assert report["score"]["psi_by_day"][1] >= 0
    assert plot_drift(report).startswith(PNG_SIGNATURE)


@pytest.mark.parametrize("by_day", [{}, {DAY: day_profile(1, rows=0)}], ids=["no day", "a day without rows"])
def test_nothing_to_compare_is_said_not_raised(by_day: dict[date, Profile]) -> None:
    report = report_of(by_day)
    assert report["verdict"]["status"] == "not_applicable"
    assert report["features"] == []
    assert report["score"] is None
    assert "Nothing to compare" in drift_table_markdown(report)
    assert plot_drift(report).startswith(PNG_SIGNATURE)


def test_empty_days_leave_no_trace_in_the_window() -> None:
    by_day = {**days(0, 0), DAY - timedelta(days=5): day_profile(1, rows=0)}
    assert report_of(by_day)["window"]["days"] == ["2026-10-08", "2026-10-09"]


def test_an_unusable_reference_is_refused() -> None:
    with pytest.raises(DataError, match="reference profile has no values"):
        compare(reference=day_profile(1, rows=0), analysis_by_day=days(0))
    lacking = {DAY: day_profile(1).select(["V2"])}
    with pytest.raises(DataError, match="lacks V1"):
        compare(reference=day_profile(1), analysis_by_day=lacking)


def test_the_report_is_json_with_finite_numbers_only() -> None:
    constant = pd.DataFrame(1.0, index=range(2), columns=FEATURES)
    report = compare(
        reference=profile_table(constant, FEATURES),
        analysis_by_day={DAY: profile_table(constant * 2, FEATURES)},
    )
    assert json.loads(canonical_json(report)) == report  # canonical_json refuses nan and infinity
    assert report["features"][0]["mean_shift_sigma"] is None


def test_the_order_of_days_does_not_matter() -> None:
    by_day = days(0, 1, 2)
    assert report_of(by_day) == report_of(dict(reversed(by_day.items())))


def test_the_table_shows_every_feature_and_the_score() -> None:
    report = report_of(days(0, 3))
    lines = drift_table_markdown(report).splitlines()
    rows = [line for line in lines if line.startswith(("| V", "| fraud"))]
    assert len(rows) == len(FEATURES) + 1
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "4 of 8 features" in lines[0]


def test_a_short_table_says_what_it_leaves_out() -> None:
    assert "5 more features" in drift_table_markdown(report_of(days(0, 0)), row_limit=3)


def test_simulated_transactions_are_said_to_be_simulated() -> None:
    assert "simulated" in drift_table_markdown(report_of(days(0), origin="simulated"))
    assert "simulated" not in drift_table_markdown(report_of(days(0), origin="landed"))


@pytest.mark.parametrize(
    "shifts", [(0.0,), (0.0, 0.0), (0.0,) * 30, (50.0, 50.0)], ids=["a day", "two days", "a month", "off the axis"]
)
def test_the_plot_is_a_png_and_the_same_for_the_same_report(shifts: tuple[float, ...]) -> None:
    report = report_of(days(*shifts))
    picture = plot_drift(report)
    assert picture.startswith(PNG_SIGNATURE)
    assert plot_drift(report) == picture
