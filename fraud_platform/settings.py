"""Every `FRAUD_*` variable, typed, with its default, unit and meaning; the one place that reads the environment.

What a room needs of these reaches it as an argument: no room reads settings by itself.
"""

import getpass
import os
import platform
import re
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from fraud_platform.errors import PlatformError

PREFIX = "FRAUD_"
SETTINGS_FILE = "settings.env"
CandidateName = Literal["logistic_regression", "random_forest", "xgboost", "lightgbm"]
Policy = Literal["max_f1", "precision_floor", "expected_cost", "review_capacity"]
CANDIDATES: tuple[CandidateName, ...] = get_args(CandidateName)


def home_from_environment() -> Path:
    """`FRAUD_HOME`, absolute; the folder that holds everything local, `settings.env` included."""
    return Path(os.environ.get(f"{PREFIX}HOME") or ".fraud").expanduser().absolute()


def _thirty_days_ago() -> date:
    return (datetime.now(UTC) - timedelta(days=30)).date()


class Settings(BaseSettings):
    """What the platform was told, from the environment, then `$FRAUD_HOME/settings.env`, then these defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    home: Path = Field(default_factory=home_from_environment, description="where everything local lives")
    landing: str = Field("", description="landing zone, folder or s3:// prefix; default $FRAUD_HOME/landing")
    storage: str = Field("", description="assets, folder or s3:// prefix; default $FRAUD_HOME/storage")
    start_date: date = Field(
        default_factory=_thirty_days_ago,
        description="first partition day (YYYY-MM-DD, UTC)",
    )
    seed: int = Field(42, ge=0, lt=2**31, description="seed of every random choice")
    postgres_url: str = Field("", description="PostgreSQL that keeps Dagster's history in production")
    postgres_password_file: str = Field("", description="file with the password that FRAUD_POSTGRES_URL leaves out")

    max_quarantine_share: float = Field(
        0.01, ge=0, le=1, description="share of a day's rows that may be quarantined before its check fails"
    )

    label_delay_days: int = Field(
        7, ge=0, description="days after which the labels of a day count as mature, unless all are there before"
    )
    label_horizon_days: int = Field(30, ge=1, description="days after a day whose labels still change its figures")
    unlabelled_is_legitimate: bool = Field(
        False, description="whether a transaction without a label is legitimate once its day's labels are mature"
    )
    label_weights: dict[str, float] = Field(
        {}, description="how much a label counts, by source, as a JSON object; 1 where none is named"
    )
    review_sample_size: int = Field(
        20, ge=0, description="transactions below the threshold that are drawn for review each day"
    )

    training_window_days: int = Field(180, ge=1, description="days a model learns from, the as-of day included")
    split_strategy: Literal["stratified", "time_ordered"] = Field(
        "stratified", description="how labelled transactions become train, validation and test"
    )
    split_gap_days: int = Field(0, ge=0, description="days left out between time-ordered splits")
    candidates: tuple[CandidateName, ...] = Field(CANDIDATES, description="candidate families to train, as a JSON list")
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

    min_f1: float = Field(0.75, ge=0, le=1, description="acceptance gate: F1 on the test split")
    min_precision: float = Field(0.80, ge=0, le=1, description="acceptance gate: precision on the test split")
    min_recall: float = Field(0.70, ge=0, le=1, description="acceptance gate: recall on the test split")
    min_average_precision: float = Field(0.70, ge=0, le=1, description="acceptance gate: average precision, test split")
    max_train_validation_gap: float = Field(
        0.30, ge=0, le=1, description="acceptance gate: average precision may fall this much from train to validation"
    )
    min_f1_improvement: float = Field(0.02, ge=0, description="what a challenger's F1 must add to the champion's")

    require_approval: bool = Field(False, description="whether a person must approve before a model becomes champion")
    shadow_days: int = Field(0, ge=0, description="days a candidate scores in shadow before it decides; 0: none")
    max_shadow_days: int = Field(28, ge=1, description="days after which a shadow that cannot be judged is rejected")
    shadow_max_alert_ratio: float = Field(
        2.0, gt=0, description="alerts a challenger in shadow may raise for each of the champion's"
    )
    shadow_max_loss: float = Field(
        0.02, ge=0, description="what realised F1 and average precision may lose against the champion in shadow"
    )
    min_matured_frauds: int = Field(
        10, ge=1, description="labelled frauds that a shadow's verdict or a rollback by itself must rest on"
    )
    rollback_watch_days: int = Field(14, ge=0, description="first days of a champion that are watched; 0: none")
    rollback_f1_limit: float = Field(
        0.70, ge=0, le=1, description="realised F1 of these days below which it is rolled back"
    )
    rollback_failed_days: int = Field(2, ge=1, description="days that could not be scored after which it is, too")
    rollback_cooldown_days: int = Field(7, ge=0, description="days after a rollback before the next one by itself")

    reasons_per_alert: int = Field(3, ge=1, le=32, description="how many reasons each alerted transaction carries")

    drift_window_days: int = Field(7, ge=1, description="days of scored transactions compared with the baseline")
    drift_baseline_days: int = Field(28, ge=1, description="last days of the training window that make the baseline")
    drift_psi_limit: float = Field(0.25, gt=0, description="population stability index above which a feature drifted")
    drift_feature_limit: int = Field(3, ge=1, description="drifted features at which the drift check fails")
    drift_cooldown_days: int = Field(7, ge=1, description="days after a drift retraining before drift may ask again")
    drift_retry_days: int = Field(1, ge=1, description="the same after a drift retraining whose model was refused")
    performance_f1_limit: float = Field(0.72, ge=0, le=1, description="realised F1 below which retraining is asked for")
    performance_window_days: int = Field(14, ge=1, description="days over which realised performance is measured")

    # Seven years: how long a bank's decisions are kept for audits and disputes.
    retention_decisions_days: int = Field(
        2557, ge=1, description="days that predictions, models, their metrics and releases are kept"
    )
    retention_transactions_days: int = Field(
        2557, ge=1, description="days that raw transactions, their quarantine and labels are kept"
    )
    retention_features_days: int = Field(400, ge=1, description="days that features and splits are kept")
    retention_reports_days: int = Field(
        2557, ge=1, description="days that drift reports and realised performance are kept"
    )
    retention_hot_log_days: int = Field(30, ge=1, description="days that logs stay where runs wrote them")
    retention_cold_log_days: int = Field(
        365, ge=1, description="days that logs are kept in all, compressed after those"
    )

    actor: str = Field("", description="who acts, for the audit trail; default the login name and the machine")
    audit: str = Field("", description="audit trail, folder or s3:// prefix; default $FRAUD_STORAGE/audit")
    audit_key_file: str = Field("", description="file with the key that signs the audit trail; default unsigned")

    mlflow_tracking_uri: str = Field(
        "",
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database; default SQLite in $FRAUD_HOME",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what `demo` or `land` wrote to `$FRAUD_HOME/settings.env`."""
        from pydantic_settings import DotEnvSettingsSource

        written = DotEnvSettingsSource(settings_cls, env_file=home_from_environment() / SETTINGS_FILE)
        return init_settings, env_settings, written

    @cached_property
    def landing_url(self) -> str:
        """Where upstream systems put files."""
        return self.landing or str(self.home / "landing")

    @cached_property
    def storage_url(self) -> str:
        """Where assets live."""
        return self.storage or str(self.home / "storage")

    @cached_property
    def audit_url(self) -> str:
        """Where the audit trail lives."""
        return self.audit or f"{self.storage_url.rstrip('/')}/audit"

    @cached_property
    def actor_name(self) -> str:
        """Who acts: the chosen name, else login and machine."""
        return self.actor or f"{_login()}@{platform.node()}"

    @cached_property
    def tracking_url(self) -> str:
        """Where MLflow keeps runs and registered models."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @cached_property
    def artifact_url(self) -> str | None:
        """Where MLflow keeps files when no server decides that; None leaves it to the server."""
        return None if self.mlflow_tracking_uri else str(self.home / "mlflow-artifacts")

    @cached_property
    def history_url(self) -> str:
        """Where Dagster keeps its history in production, empty elsewhere."""
        # SQLAlchemy 2.1 takes another driver when none is named; dagster-postgres brings psycopg2.
        return re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", self.postgres_url)

    def postgres_password(self) -> str | None:
        """The password in the file, as it is now: a rotated secret needs no restart. None where no file is named.

        Raises:
            PlatformError: the file cannot be read or is empty.
        """
        if not self.postgres_password_file:
            return None
        try:
            password = Path(self.postgres_password_file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise PlatformError(self._unusable_password(f"cannot be read: {reason}")) from None
        if not password:
            raise PlatformError(self._unusable_password("is empty"))
        return password

    def _unusable_password(self, problem: str) -> str:
        reader = f"user {os.getuid()}" if hasattr(os, "getuid") else "the account"
        return (
            f"FRAUD_POSTGRES_PASSWORD_FILE={self.postgres_password_file} {problem}; put the password there and let "
            f"{reader}, who runs this, read it"
        )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"user {os.getuid()}"


def load_settings() -> Settings:
    """The effective settings.

    Raises:
        PlatformError: a variable holds something that is not allowed; the message names it, its value and the rule.
    """
    from fraud_platform.governance.pan_guard import holds_card_number, mask_card_numbers

    try:
        settings = Settings()
    except SettingsError as error:
        raise PlatformError(_unreadable_json(error)) from None
    except ValidationError as error:
        problem = error.errors()[0]
        name = _variable_name(str(problem["loc"][0]))
        shown = mask_card_numbers(f"{name}={problem['input']!r}: {problem['msg']}")
        raise PlatformError(f"{shown}; set it right or unset it") from None
    for field in type(settings).model_fields:
        # Folders, logs and records are named after settings.
        if holds_card_number(str(getattr(settings, field))):
            raise PlatformError(
                f"{_variable_name(field)} holds a card number, which must be written nowhere; change it"
            )
    return settings


def setting_sources() -> dict[str, str]:
    """For every variable, where its effective value comes from: environment, settings.env or default."""
    from dotenv import dotenv_values

    written = dotenv_values(home_from_environment() / SETTINGS_FILE)

    def source(variable: str) -> str:
        if os.environ.get(variable):
            return "environment"
        return SETTINGS_FILE if written.get(variable) else "default"

    return {variable: source(variable) for variable in map(_variable_name, Settings.model_fields)}


def _unreadable_json(error: SettingsError) -> str:
    """What a list that is no JSON is told; pydantic names only the field."""
    fields = [field for field in Settings.model_fields if f'"{field}"' in str(error)]
    names = ", ".join(map(_variable_name, fields)) or "a FRAUD_* variable"
    return f'{names}: a list is written as JSON, such as ["xgboost"]; set it right or unset it'


def _variable_name(field: str) -> str:
    return (
        field if field.isupper() else {"mlflow_tracking_uri": "MLFLOW_TRACKING_URI"}.get(field, PREFIX + field.upper())
    )
