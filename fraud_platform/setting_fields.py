"""What each room may be told: the fields of the settings, by subject, with default, unit, range and meaning.

How they are read and what is derived from them is in `settings`, which is what everybody imports.
"""

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_core import PydanticCustomError

CandidateName = Literal["logistic_regression", "random_forest", "xgboost", "lightgbm"]
# A mistyped source would silently count 1. These are those of `ingestion.schema`, a room below.
LABEL_SOURCE = Field(pattern=r"^(label_file|customer_dispute|fraud_report|analyst_review|transaction_file)$")
Policy = Literal["max_f1", "precision_floor", "expected_cost", "review_capacity"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
# At most a century: a day so far before or after today is still in the calendar.
Days = Annotated[int, Field(le=36_525)]
CANDIDATES: tuple[CandidateName, ...] = get_args(CandidateName)


def _bare(text: str) -> str:
    # `docker run --env-file` hands on quotes and blanks as they stand in the file.
    if text != text.strip() or text[:1] in ("'", '"'):
        raise PydanticCustomError("bare", "there are quotes or blanks around it")
    return text


def _folder_or_bucket(text: str) -> str:
    if re.match(r"\w+:/", text) and not re.match(r"s3://[^/]|file:///", text):
        raise PydanticCustomError("place", "this is neither a folder nor like s3://bucket/prefix")
    return text


def _with_scheme(text: str) -> str:
    # MLflow would take it for a folder.
    if re.match(r"[\w.-]+:\d", text):
        raise PydanticCustomError("scheme", "the scheme is missing that http://mlflow:5000 has")
    return text


# A name of something: of a file, a server or a database.
Name = Annotated[str, AfterValidator(_bare)]
# Where tables and files are kept.
Place = Annotated[Name, AfterValidator(_folder_or_bucket)]
# Where a server or a database answers.
Address = Annotated[Name, AfterValidator(_with_scheme)]


class IngestionRules(BaseModel):
    """What counts as a day of data, and as a label."""

    max_quarantine_share: float = Field(
        0.01, ge=0, le=1, description="share of a day's rows that may be quarantined before its check fails"
    )
    label_delay_days: Days = Field(
        7, ge=0, description="days after which the labels of a day count as mature, unless all are there before"
    )
    label_horizon_days: Days = Field(30, ge=1, description="days after a day whose labels still change its figures")
    unlabelled_is_legitimate: bool = Field(
        False, description="whether a transaction without a label is legitimate once its day's labels are mature"
    )
    label_weights: dict[Annotated[str, LABEL_SOURCE], Annotated[float, Field(gt=0)]] = Field(
        {}, description="how much a label counts when a model is fitted, by source, as a JSON object; 1 where not named"
    )
    review_sample_size: int = Field(
        20, ge=0, description="transactions below the threshold that are drawn for review each day"
    )


class LearningRules(BaseModel):
    """What a model learns from, how it is searched for and where it decides."""

    training_window_days: Days = Field(180, ge=1, description="days a model learns from, the as-of day included")
    split_strategy: Literal["stratified", "time_ordered"] = Field(
        "stratified", description="how labelled transactions become train, validation and test"
    )
    split_gap_days: Days = Field(0, ge=0, description="days left out between time-ordered splits")
    holdout_days: Days = Field(
        0, ge=0, description="last labelled days that judge instead of a random share, stratified splits only; 0: none"
    )
    drift_window: Literal["old_and_new", "only_new"] = Field(
        "old_and_new", description="what a model made while drift lasts learns from; only_new: days since it began"
    )
    drift_min_frauds: int = Field(
        100, ge=10, description="labelled frauds since drift began that only_new needs; with fewer, old days join"
    )
    candidates: tuple[CandidateName, ...] = Field(
        CANDIDATES, min_length=1, description="candidate families to train, as a JSON list"
    )
    search_trials: int = Field(
        12, ge=0, description="Optuna trials per candidate family, the given points included; 0: no search"
    )
    search_seconds: float = Field(90.0, gt=0, description="time after which no further trial of a family starts")
    production_fraud_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of frauds where decisions are made, for files that hold fewer legitimate transactions; "
        "default: that of the labelled transactions",
    )
    threshold_policy: Policy = Field("max_f1", description="how the decision threshold is chosen")
    review_cost: float = Field(5.0, ge=0, description="what looking into one alert costs, in the currency of Amount")
    reviews_per_day: int = Field(100, ge=1, description="alerts a day that analysts can look into")


class ReleaseRules(BaseModel):
    """What a model must show before, while and after it becomes champion."""

    min_f1: float = Field(0.75, ge=0, le=1, description="acceptance gate: F1 on the test split")
    min_precision: float = Field(0.80, ge=0, le=1, description="acceptance gate: precision on the test split")
    min_recall: float = Field(0.70, ge=0, le=1, description="acceptance gate: recall on the test split")
    min_average_precision: float = Field(0.70, ge=0, le=1, description="acceptance gate: average precision, test split")
    max_train_validation_gap: float = Field(
        0.30, ge=0, le=1, description="acceptance gate: average precision may fall this much from train to validation"
    )
    max_relative_calibration_error: float = Field(
        0.50, gt=0, description="acceptance gate: expected calibration error, as a share of the fraud rate"
    )
    max_single_feature_average_precision: float = Field(
        0.90, gt=0, le=1, description="acceptance gate: average precision of a single feature, above which it is a leak"
    )
    max_single_feature_recall: float = Field(
        0.50, gt=0, le=1, description="acceptance gate: frauds told by a single feature without mistakes, above: a leak"
    )
    max_plausible_average_precision: float = Field(
        0.91, gt=0, le=1, description="acceptance gate: average precision out of fold with confidence above it: a leak"
    )
    min_f1_improvement: float = Field(0.02, ge=0, description="what a challenger's F1 must add to the champion's")
    require_approval: bool = Field(False, description="whether a person must approve before a model becomes champion")
    shadow_days: Days = Field(0, ge=0, description="days a candidate scores in shadow before it decides; 0: none")
    max_shadow_days: Days = Field(28, ge=1, description="days after which a shadow that cannot be judged is rejected")
    shadow_max_alert_ratio: float = Field(
        2.0,
        gt=0,
        description="alerts a challenger in shadow may raise for each of the champion's without a higher realised F1",
    )
    shadow_max_loss: float = Field(
        0.02, ge=0, description="what realised F1 and average precision may lose against the champion in shadow"
    )
    min_matured_frauds: int = Field(
        10, ge=1, description="labelled frauds that a shadow's verdict or a rollback by itself must rest on"
    )
    rollback_watch_days: Days = Field(14, ge=0, description="first days of a champion that are watched; 0: none")
    rollback_f1_limit: float = Field(
        0.70, ge=0, le=1, description="realised F1 of these days below which it is rolled back"
    )
    rollback_failed_days: Days = Field(2, ge=1, description="days that could not be scored after which it is, too")
    rollback_cooldown_days: Days = Field(7, ge=0, description="days after a rollback before the next one by itself")


class MonitoringRules(BaseModel):
    """What is told about decisions, and when drift and performance ask for another model."""

    reasons_per_alert: int = Field(3, ge=1, le=32, description="how many reasons each alerted transaction carries")
    drift_window_days: Days = Field(7, ge=1, description="days of scored transactions compared with the baseline")
    drift_baseline_days: Days = Field(28, ge=1, description="last days of the training window that make the baseline")
    drift_psi_limit: float = Field(0.25, gt=0, description="population stability index above which a feature drifted")
    drift_feature_limit: int = Field(3, ge=1, description="drifted features at which the drift check fails")
    drift_cooldown_days: Days = Field(7, ge=1, description="days after a drift retraining before drift may ask again")
    drift_retry_days: Days = Field(1, ge=1, description="the same after a drift retraining whose model was refused")
    performance_f1_limit: float = Field(0.72, ge=0, le=1, description="realised F1 below which retraining is asked for")
    performance_window_days: Days = Field(14, ge=1, description="days over which realised performance is measured")


class ReportingRules(BaseModel):
    """How processes write their logs, and who is told what happened."""

    log_format: Literal["text", "json"] = Field(
        "text", description="logs as each library writes them, or all as lines of JSON"
    )
    log_level: LogLevel = Field("INFO", description="records below this level are not written to logs")
    service: str = Field("fraud-platform", description="what a process calls itself in its lines of JSON")
    # They hold passwords and tokens.
    alert_urls: list[SecretStr] = Field(
        [], description="who is told of failed runs, releases, rollbacks and approvals: Apprise URLs, as a JSON list"
    )
    alert_urls_file: Name = Field("", description="file with more such URLs, one a line or a JSON list")


class RetentionPeriods(BaseModel):
    """How long each kind of table is kept, in days."""

    # Seven years: how long a bank's decisions are kept for audits and disputes.
    retention_decisions_days: Days = Field(
        2557, ge=1, description="days that predictions, models, their metrics and releases are kept"
    )
    retention_transactions_days: Days = Field(
        2557, ge=1, description="days that raw transactions, their quarantine and labels are kept"
    )
    retention_features_days: Days = Field(400, ge=1, description="days that features and splits are kept")
    retention_reports_days: Days = Field(
        2557, ge=1, description="days that drift reports and realised performance are kept"
    )
    retention_hot_log_days: Days = Field(30, ge=1, description="days that logs stay where runs wrote them")
    retention_cold_log_days: Days = Field(
        365, ge=1, description="days that logs are kept in all, compressed after those"
    )
