"""Is the model still looking at the world it learned from, and is it still right?"""

from collections.abc import Mapping
from datetime import date

import dagster as dg

from fraud_platform.defs.daily_asset import DayMap, Input, daily_asset
from fraud_platform.defs.metadata import image
from fraud_platform.defs.partitions import SETTINGS, SHADOW_DAYS_BACK
from fraud_platform.defs.resources import Platform
from fraud_platform.monitoring.outcome import ROLLING_DAYS, LabelRules

GROUP = "monitoring"


@daily_asset(
    inputs={
        "features": Input(days_back=SETTINGS.drift_window_days - 1, io_manager="footers"),
        "daily_predictions": Input(days_back=SETTINGS.drift_window_days - 1, io_manager="footers"),
    },
    group_name=GROUP,
    kinds={"json"},
    io_manager_key="documents",
)
def drift_report(
    day: date,
    features: Mapping[date, Mapping[str, str]],
    daily_predictions: Mapping[date, Mapping[str, str]],
    platform: Platform,
) -> dg.Output:
    """How far the last seven days have moved away from what the day's champion learned from.

    **Why it exists.** Labels take weeks; distributions move today. Three or more features past the limit fail the check
    `drift_limits`, and `retrain_on_drift_sensor` asks for a new model.

    **What it does.** Merges the distribution profiles of the last seven days (no row is read) and compares each feature
    and the score with the champion's own training baseline: population stability index, Kolmogorov-Smirnov with its
    p-value corrected for the number of features, mean, standard deviation, minimum and maximum.
    """
    from fraud_platform.monitoring.limits import DriftLimits
    from fraud_platform.monitoring.report import drift_report as compare
    from fraud_platform.monitoring.report import drift_table_markdown, plot_drift
    from fraud_platform.monitoring.window import feature_profiles, score_profiles

    version = platform.registry.find(daily_predictions[day]["model_version"])
    report = compare(
        day=day,
        model_version=version.version,
        reference=platform.registry.load(version).baseline,
        analysis_by_day=feature_profiles(features),
        score_analysis_by_day=score_profiles(daily_predictions, version.version),
        limits=DriftLimits(psi=platform.settings.drift_psi_limit, feature_count=platform.settings.drift_feature_limit),
        origin=features[day]["origin"],
    )
    return dg.Output(
        report,
        metadata={
            "verdict": report["verdict"]["sentence"],
            "status": report["verdict"]["status"],
            "drifted_features": report["verdict"]["drifted_features"],
            "model_version": version.version,
            "days_compared": len(features),
            "plot": image(plot_drift(report), f"population stability index by feature, {day}"),
            "table": dg.MetadataValue.md(drift_table_markdown(report)),
        },
    )


@daily_asset(
    inputs={
        "daily_predictions": Input(
            days_back=ROLLING_DAYS - 1, columns=("transaction_id", "fraud_probability", "prediction")
        ),
        "confirmed_labels": Input(
            days_back=ROLLING_DAYS - 1, days_ahead=SETTINGS.label_horizon_days, columns=("transaction_id", "Class")
        ),
    },
    group_name=GROUP,
    kinds={"json"},
    io_manager_key="documents",
)
def realised_performance(
    day: date, daily_predictions: DayMap, confirmed_labels: DayMap, platform: Platform
) -> dg.Output:
    """How right the decisions of the day and its week turned out to be, once labels are mature; estimated before.

    **Why it exists.** Metrics at training time are a promise; this is what became of it.
    `retrain_on_performance_sensor` and `rollback_sensor` read it.

    **What it does.** Joins the decisions with the labels that have arrived since (later labels supersede earlier ones)
    and reports precision, recall, F1 and average precision with the counts behind them. Where labels are not mature the
    answer is *not applicable*, beside an estimate from the calibrated probabilities with its interval; where they are,
    the estimate's own error is kept. When labels arrive later, `late_labels_sensor` asks for the day again.
    """
    from fraud_platform.ingestion.label_lookup import LabelFacts
    from fraud_platform.monitoring.outcome import outcome_of_day

    footers = platform.footers("confirmed_labels", confirmed_labels)
    outcome = outcome_of_day(
        day,
        daily_predictions,
        confirmed_labels,
        {arrival: LabelFacts.of_text(footer) for arrival, footer in footers.items()},
        rules=LabelRules.of(platform.settings),
        seed=platform.settings.seed,
    )
    return dg.Output(outcome.as_dict(), metadata=outcome.as_metadata())


@daily_asset(
    inputs={
        "daily_predictions": Input(
            days_back=SHADOW_DAYS_BACK,
            columns=("transaction_id", "fraud_probability", "prediction", "challenger_probability"),
        ),
        "confirmed_labels": Input(days_back=SHADOW_DAYS_BACK, columns=("transaction_id", "Class")),
    },
    group_name=GROUP,
    kinds={"json"},
    io_manager_key="documents",
)
def shadow_report(day: date, daily_predictions: DayMap, confirmed_labels: DayMap, platform: Platform) -> dg.Output:
    """The challenger beside the champion: how often they agree, who was right, and how its shadow should end.

    **Why it exists.** A candidate that earned its release on the test split shows on the days of life, without deciding
    anything, that it does what it promised. `shadow_sensor` carries the verdict out.

    **What it does.** Compares the decisions of both on every day of the shadow, with the labels that had arrived by the
    end of this day: agreement, alerts, precision, recall, F1 and average precision of each. Says wait, extend, promote,
    reject or approve, each with its reasons. *Not applicable* on days without a challenger, and on those that a damaged
    one could not score: it is rejected when there are too many of them.
    """
    from fraud_platform.ingestion.label_lookup import LabelFacts
    from fraud_platform.monitoring.shadow_report import has_challenger, shadow_of_day
    from fraud_platform.monitoring.shadow_report import shadow_report as compare

    is_shadowed = has_challenger(platform.store.read_table_metadata("daily_predictions", day))
    footers = platform.footers("daily_predictions", daily_predictions if is_shadowed else [day])
    shadow = shadow_of_day(day, footers, threshold_of=lambda version: platform.registry.load(version).threshold.value)
    facts = platform.footers("confirmed_labels", confirmed_labels if shadow.is_scored else ())
    report = compare(
        day,
        shadow,
        champion=footers[day]["model_version"],
        predictions_by_day=daily_predictions.only(shadow.scored_days),
        labels_by_day=confirmed_labels,
        label_facts={arrival: LabelFacts.of_text(told) for arrival, told in facts.items()},
        rules=LabelRules.of(platform.settings),
        policy=platform.policy,
    )
    return dg.Output(report.as_dict(), metadata=report.as_metadata())
