"""The drift of one day as a document (what was compared with what, every number, the verdict), table and picture.

Statistics belong to `drift`, limits to `limits`, drawing to `plot`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from fraud_platform.features.profile import ColumnProfile, Profile, merge_profiles
from fraud_platform.monitoring.drift import (
    FeatureDrift,
    compare_profiles,
    population_stability_index,
)
from fraud_platform.monitoring.limits import DriftLimits, judge_drift

DRIFT_REPORT_SCHEMA_VERSION = 1
SCORE_COLUMN = "fraud_probability"


def drift_report(
    *,
    day: date,
    model_version: str,
    reference: Profile,
    analysis_by_day: Mapping[date, Profile],
    limits: DriftLimits,
    score_reference: ColumnProfile | None = None,
    score_analysis_by_day: Mapping[date, ColumnProfile] | None = None,
    origin: str = "landed",
) -> dict[str, Any]:
    """How far the last days have moved from what the model was trained on.

    Features are compared over all rows of the window at once; each day's own index stands beside, so that one sees
    when drift began. The score is compared too, and shown apart: it does not count towards the verdict, because a
    model may rightly score a changed mix of transactions differently.

    Args:
        day: the last day of the window, whose report this is.
        model_version: the champion whose baseline is the reference.
        reference: the champion's training baseline; a column `fraud_probability` in it is taken as `score_reference`
            when that is None.
        analysis_by_day: feature profiles of the days of the window; days without rows may be left out or be empty.
        limits: what counts as drift.
        score_reference: the distribution of the champion's probabilities on its validation or training rows.
        score_analysis_by_day: the distribution of the probabilities it gave, by day.
        origin: `landed`, `replayed` or `simulated`: where the transactions come from.

    Returns:
        A JSON document (every number finite or None): `schema_version`, `day`, `model_version`, `origin`, `window`,
        `reference`, `limits`, `verdict`, `features` (largest index first, each with `psi_by_day` along `window.days`)
        and `score` (like one feature, or None).

    Raises:
        DataError: the reference is empty, or a day lacks one of its features.
    """
    score_reference = score_reference or reference.columns.get(SCORE_COLUMN)
    baseline = reference.select(name for name in reference.columns if name != SCORE_COLUMN)
    by_day = {each: analysis_by_day[each].select(baseline.columns) for each in sorted(analysis_by_day)}
    by_day = {each: profile for each, profile in by_day.items() if profile.row_count}
    compared: tuple[FeatureDrift, ...] = ()
    if by_day:
        window = merge_profiles(by_day.values())
        compared = compare_profiles(baseline, window, moderate=limits.moderate, major=limits.psi)
    verdict = judge_drift(compared, limits)
    features = [
        {
            **feature.as_dict(),
            "psi_by_day": [
                population_stability_index(baseline.columns[feature.feature], profile.columns[feature.feature])
                for profile in by_day.values()
            ],
        }
        for feature in sorted(compared, key=lambda feature: (-feature.psi, feature.feature))
    ]
    return {
        "schema_version": DRIFT_REPORT_SCHEMA_VERSION,
        "day": day.isoformat(),
        "model_version": model_version,
        "origin": origin,
        "window": {
            "days": [each.isoformat() for each in by_day],
            "row_counts": [profile.row_count for profile in by_day.values()],
            "row_count": sum(profile.row_count for profile in by_day.values()),
        },
        "reference": {"row_count": baseline.row_count},
        "limits": asdict(limits),
        "verdict": {
            "status": verdict.status,
            "is_drifted": verdict.is_drifted,
            "drifted_features": list(verdict.drifted_features),
            "sentence": verdict.sentence,
        },
        "features": features,
        "score": _score_drift(score_reference, score_analysis_by_day or {}, list(by_day), limits),
    }


def plot_drift(report: Mapping[str, Any]) -> bytes:
    """The report as a PNG: how far each feature moved over the window, and on which days."""
    from fraud_platform.monitoring.plot import draw_drift

    return draw_drift(report, comparison_sentence(report))


def drift_table_markdown(report: Mapping[str, Any], row_limit: int | None = None) -> str:
    """The report as Markdown for the asset's page: the verdict, then a table, the largest index first.

    Args:
        report: what `drift_report` gave.
        row_limit: only so many features; all when None.
    """
    lines = [f"**{report['verdict']['sentence']}**", "", comparison_sentence(report)]
    rows = list(report["features"][:row_limit])
    if report["score"]:
        rows.append(report["score"])
    if rows:
        lines += [
            "",
            "| feature | PSI | verdict | KS | p (corrected) | mean then | mean now | shift in std | std then | std now "
            "| range then | range now |",
            "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|---|---|",
            *(_table_row(row) for row in rows),
        ]
    left_out = len(report["features"]) - len(report["features"][:row_limit])
    if left_out:
        lines += ["", f"{left_out} more features with a smaller PSI are in the report."]
    return "\n".join(lines) + "\n"


def comparison_sentence(report: Mapping[str, Any]) -> str:
    """What was compared with what, and whether it was simulated."""
    days = report["window"]["days"]
    span = "no day with transactions" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    simulated = " Made from simulated data." if report["origin"] == "simulated" else ""
    return (
        f"{report['window']['row_count']:,} transactions ({span}) against the {report['reference']['row_count']:,} "
        f"that model {report['model_version']} was trained on.{simulated}"
    )


def _score_drift(
    reference: ColumnProfile | None, by_day: Mapping[date, ColumnProfile], days: list[date], limits: DriftLimits
) -> dict[str, Any] | None:
    scored = {each: by_day[each] for each in days if each in by_day and by_day[each].count}
    if reference is None or not reference.count or not scored:
        return None
    window = merge_profiles(Profile({SCORE_COLUMN: profile}) for profile in scored.values())
    (drift,) = compare_profiles(Profile({SCORE_COLUMN: reference}), window, moderate=limits.moderate, major=limits.psi)
    psi_by_day = [population_stability_index(reference, scored[each]) if each in scored else None for each in days]
    return {**drift.as_dict(), "psi_by_day": psi_by_day}


def _table_row(row: Mapping[str, Any]) -> str:
    shift = "" if row["mean_shift_sigma"] is None else f"{row['mean_shift_sigma']:+.2f}"
    is_chance = row["psi_verdict"] != "stable" and row["psi"] <= row["psi_noise"]
    cells = [
        row["feature"],
        f"{row['psi']:.3f}",
        row["psi_verdict"] + (" (may be chance)" if is_chance else ""),
        f"{row['ks_statistic']:.3f}",
        _p_value(row["ks_p_value_corrected"]),
        *(f"{row[side]:.4g}" for side in ("reference_mean", "analysis_mean")),
        shift,
        *(f"{row[side]:.4g}" for side in ("reference_std", "analysis_std")),
        *(f"{row[f'{side}_min']:.4g} … {row[f'{side}_max']:.4g}" for side in ("reference", "analysis")),
    ]
    return f"| {' | '.join(cells)} |"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004  # what papers print
