"""Examines an installation: each setting with its source, and whether each place can be reached and written.

Mending belongs to the person who reads it; every complaint says how.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from fraud_platform.defs.remedies import first_line, masked, remedy_for, said_by_driver
from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import open_trail
from fraud_platform.setting_sources import setting_sources, unread_variables
from fraud_platform.settings import SECRETS, Settings
from fraud_platform.storage import create_exclusively, open_location, write_atomically


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was found, and what to do when it is not well."""

    subject: str
    is_well: bool
    detail: str
    remedy: str = ""


def effective_settings(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Every variable with its effective value (passwords masked) and its source."""
    shown = {
        "FRAUD_LANDING": settings.landing_url,
        "FRAUD_STORAGE": settings.storage_url,
        "MLFLOW_TRACKING_URI": settings.tracking_url,
        **dict.fromkeys(SECRETS, f"{len(settings.alert_urls)} URLs, not shown"),
    }
    sources = setting_sources()
    for (variable, source), field in zip(sources.items(), type(settings).model_fields, strict=True):
        yield variable, masked(shown.get(variable, str(getattr(settings, field)))), source


def findings(settings: Settings) -> Iterator[Finding]:
    """The state of storage, landing zone, registry, database and Dagster instance, each examined when asked for."""
    for variable, similar in unread_variables():
        # A limit that was mistyped would be a default that nobody wanted.
        remedy = f"is it {similar}?" if similar else "unset it"
        yield Finding("settings", False, f"{variable} is no setting, and nobody reads it", remedy)
    yield examined("storage", lambda: _write_and_remove(settings.storage_url), "set FRAUD_STORAGE to a place you own")
    yield examined("landing zone", lambda: _reach_landing(settings.landing_url), "set FRAUD_LANDING to a place you own")
    yield examined(
        "registry", lambda: _reach_registry(settings), "start the MLflow server or correct MLFLOW_TRACKING_URI"
    )
    yield examined("audit trail", lambda: _reach_audit_trail(settings), "set FRAUD_AUDIT to a place you own")
    if settings.alert_urls or settings.alert_urls_file:
        yield examined("notifications", lambda: _read_targets(settings), "correct FRAUD_ALERT_URLS")
    if settings.postgres_url:
        database = examined(
            "Dagster database", lambda: _reach_database(settings), "start PostgreSQL or correct FRAUD_POSTGRES_URL"
        )
        yield database
        if not database.is_well:
            # Dagster would say the same after many tries.
            return
    yield examined(
        "Dagster instance", lambda: _reach_instance(settings), "make FRAUD_HOME writable, or correct DAGSTER_HOME"
    )


def examined(subject: str, look: Callable[[], str], remedy: str) -> Finding:
    """What `look` says of a subject, or why it could not look and what to do about that."""
    try:
        return Finding(subject, True, look())
    except Exception as error:  # noqa: BLE001 - whatever a server or driver raises is the finding itself
        better = remedy_for(error)
        return Finding(subject, False, first_line(said_by_driver(error)), remedy if better is None else better)


def _write_and_remove(url: str) -> str:
    probe = open_location(url) / f".doctor-{uuid.uuid4().hex}"
    write_atomically(probe, b"written by fraud-platform doctor")
    probe.unlink()
    return f"{url} can be written"


def _reach_landing(url: str) -> str:
    from fraud_platform.ingestion.landing import LandingZone

    written = _write_and_remove(url)
    days = LandingZone.at(url).days()
    return f"{written}; {len(days)} days landed" + (f", {days[0]} to {days[-1]}" if days else "")


def _reach_registry(settings: Settings) -> str:
    from fraud_platform.registry.mlflow_registry import MlflowRegistry
    from fraud_platform.registry.model_signature import SETTING, read_model_key, require_signature

    key = read_model_key(settings.model_key_file)
    registry = MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)
    registry.probe("fraud-platform doctor")
    versions = registry.versions()
    champion = next((version for version in versions if "champion" in version.aliases), None)
    if champion is not None:
        require_signature(champion, key)
        if key is None and champion.signature is not None:
            # Scoring goes on: without a key nobody asks. That must not happen unnoticed.
            raise PlatformError(
                f"the champion is signed, but {SETTING} is not set, so that nobody looks at signatures; set it again"
            )
    name = champion.semver if champion else "none"
    return f"{masked(settings.tracking_url)} can be written: {len(versions)} models, champion: {name}"


def _reach_audit_trail(settings: Settings) -> str:
    probe = open_location(settings.audit_url) / f".doctor-{uuid.uuid4().hex}"
    create_exclusively(probe, b"written by fraud-platform doctor")
    try:
        create_exclusively(probe, b"written again")
    except FileExistsError:
        head = open_trail(
            settings.audit_url,
            actor=settings.actor_name,
            clock=lambda: datetime.now(UTC),
            key_file=settings.audit_key_file,
        ).head()
        return f"{settings.audit_url} can be written: {head.seq if head else 0} entries"
    finally:
        probe.unlink()
    raise PlatformError(f"{settings.audit_url} ignores If-None-Match, so two writers could take the same place")


def _read_targets(settings: Settings) -> str:
    from fraud_platform.notifications import open_targets

    # Nobody is contacted: an examination must not wake anybody.
    targets = open_targets(settings.alert_targets())
    return "nobody is told" if not targets else "told are " + ", ".join(target.name for target in targets)


def _reach_database(settings: Settings) -> str:
    import sqlalchemy

    from fraud_platform.registry.reachability import CONNECT_SECONDS, require_answer

    require_answer(settings.history_url)
    password = settings.postgres_password()
    options = {"connect_timeout": int(CONNECT_SECONDS), **({"password": password} if password else {})}
    try:
        with sqlalchemy.create_engine(settings.history_url, connect_args=options).connect() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar()
    except sqlalchemy.exc.DBAPIError as error:
        # The driver says it in one line; the layer above adds where to read on.
        raise ConnectionError(str(error.orig).strip()) from error
    return f"{masked(settings.postgres_url)} answers: PostgreSQL {version}"


def _reach_instance(settings: Settings) -> str:
    from fraud_platform.defs.instance import dagster_home, open_instance

    with open_instance() as instance:
        runs = instance.get_runs_count()
        history = instance.get_ref().storage_data
    if not dagster_home().is_dir():
        raise NotADirectoryError(f"{dagster_home()} is no folder")
    if settings.postgres_url and history and history.class_name != "PostgresHistory":
        raise PlatformError(
            f"{dagster_home()} keeps its history elsewhere than in FRAUD_POSTGRES_URL; set DAGSTER_HOME to the folder "
            "that holds deploy/dagster.yaml, or unset FRAUD_POSTGRES_URL"
        )
    return f"{dagster_home()} can be used: {runs} runs"
