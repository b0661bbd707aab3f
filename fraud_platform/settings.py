"""Every `FRAUD_*` variable, typed, with its default, unit and meaning, read from the environment.

What a room needs of these reaches it as an argument: no room reads settings by itself.
"""

import getpass
import json
import os
import platform
import re
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from fraud_platform.errors import PlatformError
from fraud_platform.setting_fields import (
    Address,
    IngestionRules,
    LearningRules,
    MonitoringRules,
    Name,
    Place,
    ReleaseRules,
    ReportingRules,
    RetentionPeriods,
)
from fraud_platform.small_files import ENCODING, read_secret, read_small_file, unusable_secret

# Of a value that is not allowed, so much is shown.
_SHOWN_CHARACTERS = 200

PREFIX = "FRAUD_"
SETTINGS_FILE = "settings.env"
# Their values are shown nowhere.
SECRETS = ("FRAUD_ALERT_URLS",)


def home_from_environment() -> Path:
    """`FRAUD_HOME`, absolute; the folder that holds everything local, `settings.env` included."""
    return Path(os.environ.get(f"{PREFIX}HOME") or ".fraud").expanduser().absolute()


def _thirty_days_ago() -> date:
    return (datetime.now(UTC) - timedelta(days=30)).date()


class Places(BaseModel):
    """Where things live, and who acts."""

    home: Path = Field(default_factory=home_from_environment, description="where everything local lives")
    landing: Place = Field("", description="landing zone, folder or s3:// prefix; default $FRAUD_HOME/landing")
    storage: Place = Field("", description="assets, folder or s3:// prefix; default $FRAUD_HOME/storage")
    start_date: date = Field(default_factory=_thirty_days_ago, description="first partition day (YYYY-MM-DD, UTC)")
    seed: int = Field(42, ge=0, lt=2**31, description="seed of every random choice")
    postgres_url: Address = Field("", description="PostgreSQL that keeps Dagster's history in production")
    postgres_password_file: Name = Field("", description="file with the password that FRAUD_POSTGRES_URL leaves out")

    actor: str = Field("", description="who acts, for the audit trail; default the login name and the machine")
    audit: Place = Field("", description="audit trail, folder or s3:// prefix; default $FRAUD_STORAGE/audit")
    audit_key_file: Name = Field("", description="file with the key that signs the audit trail; default unsigned")
    model_key_file: Name = Field(
        "", description="file with the key that signs models, without which none is loaded; default unsigned"
    )

    mlflow_tracking_uri: Address = Field(
        "",
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database; default SQLite in $FRAUD_HOME",
    )


class _Told(BaseSettings):
    """Where settings come from."""

    # A limit without an end is none, and JSON has no word for it.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True, allow_inf_nan=False
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

        written = DotEnvSettingsSource(
            settings_cls, env_file=home_from_environment() / SETTINGS_FILE, env_file_encoding=ENCODING
        )
        return init_settings, env_settings, written


# Fields come in the order of the bases from right to left, which is the order people see in `doctor`.
class Settings(
    RetentionPeriods, ReportingRules, MonitoringRules, ReleaseRules, LearningRules, IngestionRules, Places, _Told
):
    """What the platform was told, from the environment, then `$FRAUD_HOME/settings.env`, then these defaults."""

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
        variable, path = "FRAUD_POSTGRES_PASSWORD_FILE", self.postgres_password_file
        password = read_secret(variable, path, what="the password").rstrip("\r\n")
        if not password:
            raise PlatformError(unusable_secret(variable, path, "the password", "is empty"))
        return password

    def alert_targets(self) -> list[str]:
        """Every Apprise URL of `alert_urls` and of the file as it is now; they are secrets.

        Raises:
            PlatformError: the file cannot be read, or begins like a JSON list and is none.
        """
        urls = [url.get_secret_value() for url in self.alert_urls]
        if self.alert_urls_file:
            text = read_secret("FRAUD_ALERT_URLS_FILE", self.alert_urls_file, what="URLs, one a line,").strip()
            urls += _urls_in(text, self.alert_urls_file) if text.startswith("[") else text.splitlines()
        stripped = (url.strip() for url in urls)
        return list(dict.fromkeys(url for url in stripped if url and not url.startswith("#")))


def _urls_in(text: str, path: str) -> list[str]:
    try:
        urls = json.loads(text)
    except ValueError:
        urls = None
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise PlatformError(
            f'FRAUD_ALERT_URLS_FILE={path} is no JSON list of texts; write ["scheme://..."] or a URL a line'
        )
    return urls


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"user {os.getuid()}"


class _Reporting(ReportingRules, _Told):
    """The settings of logs alone."""


def reporting_settings() -> ReportingRules:
    """How logs are to be written, also where other settings are wrong; the defaults where these are."""
    try:
        return _Reporting()
    except (SettingsError, ValidationError):
        return ReportingRules()


def load_settings() -> Settings:
    """The effective settings.

    Raises:
        PlatformError: a variable holds something that is not allowed; the message names it, its value and the rule.
    """
    from fraud_platform.governance.pan_guard import holds_card_number, mask_card_numbers

    require_readable_settings_file()
    try:
        settings = Settings()
    except SettingsError as error:
        raise PlatformError(_unreadable_json(error)) from None
    except RecursionError:
        raise PlatformError("a FRAUD_* variable nests lists without end; set it right or unset it") from None
    except ValidationError as error:
        problem = error.errors()[0]
        name = variable_name(str(problem["loc"][0]))
        # What was told for a secret is not shown, however wrong it is; a number is masked before it is cut, so that no
        # half of it is left.
        told = "****" if name in SECRETS else mask_card_numbers(repr(problem["input"]))
        told = told if len(told) <= _SHOWN_CHARACTERS else f"{told[:_SHOWN_CHARACTERS]}..."
        raise PlatformError(f"{name}={told}: {mask_card_numbers(problem['msg'])}; set it right or unset it") from None
    _require_agreement(settings)
    for field in type(settings).model_fields:
        # Folders, logs and records are named after settings.
        if holds_card_number(str(getattr(settings, field))):
            raise PlatformError(f"{variable_name(field)} holds a card number, which must be written nowhere; change it")
    return settings


def _require_agreement(settings: Settings) -> None:
    """Refuses settings that are allowed each, and together keep something from ever happening."""
    for most, least, why in (
        ("max_shadow_days", "shadow_days", "no shadow could be extended"),
        ("label_horizon_days", "label_delay_days", "labels would stop to count before they are mature"),
    ):
        high, low = getattr(settings, most), getattr(settings, least)
        if high < low:
            below = f"{variable_name(most)}={high} is below {variable_name(least)}={low}"
            raise PlatformError(f"{below}: {why}; raise it")


def require_readable_settings_file() -> None:
    """Refuses a settings.env that would stop whoever reads it: a pipe, a folder, a link to itself, no text."""
    path = home_from_environment() / SETTINGS_FILE
    try:
        read_small_file(path).decode(ENCODING)
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PlatformError(f"{path} cannot be read: {reason}; mend or remove it") from None


def _unreadable_json(error: SettingsError) -> str:
    """What a list that is no JSON is told; pydantic names only the field."""
    fields = [field for field in Settings.model_fields if f'"{field}"' in str(error)]
    names = ", ".join(map(variable_name, fields)) or "a FRAUD_* variable"
    return f'{names}: a list is written as JSON, such as ["xgboost"]; set it right or unset it'


def variable_name(field: str) -> str:
    """The environment variable of a field of `Settings`; of one with an alias, errors name the variable already."""
    special = {"mlflow_tracking_uri": "MLFLOW_TRACKING_URI"}
    return field if field.isupper() else special.get(field, PREFIX + field.upper())
