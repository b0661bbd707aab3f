"""The commands about registered models: list, promote, roll back.

What a promotion does belongs to `registry.promotion`; what is printed belongs to `terminal`.
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fraud_platform.cli_days import parse_day
from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform.storage import DayStore
from fraud_platform.terminal import print_change, print_versions

if TYPE_CHECKING:
    from fraud_platform.registry.mlflow_registry import MlflowRegistry

Version = Annotated[str, typer.Argument(help="challenger, previous, a version number or a semantic version.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the registry later.")]
ApprovedBy = Annotated[str | None, typer.Option(metavar="NAME", help="Who approves it.")]
DecidesFrom = Annotated[
    str | None,
    typer.Option("--from", metavar="YYYY-MM-DD", help="First day it decides about; default: the first undecided one."),
]
Overrule = Annotated[bool, typer.Option("--overrule", help="Promote it although it was rejected.")]


def models() -> None:
    """List the registered models, newest first.

    Example: fraud-platform models
    """
    versions = open_registry().versions()
    if not versions:
        raise PlatformError("no model is registered yet; run `fraud-platform demo` or the Dagster job `retraining`")
    print_versions(sorted(versions, key=lambda version: int(version.version), reverse=True))


def promote(
    version: Version,
    reason: Reason = "by hand",
    approved_by: ApprovedBy = None,
    decides_from: DecidesFrom = None,
    overrule: Overrule = False,
) -> None:
    """Make a registered model the champion, after its stored bundle has scored in a fresh process.

    Example: fraud-platform promote 1.2.0 --reason "better on disputes" --approved-by Ada
    """
    from fraud_platform.registry.promotion import promote_version

    registry = open_registry()
    wanted = registry.find(version)
    change = promote_version(
        registry,
        wanted.version,
        day=_first_day(decides_from, wanted.as_of),
        reason=reason,
        approved_by=approved_by,
        changed_at=datetime.now(UTC),
        is_approval_required=load_settings().require_approval,
        is_overruling=overrule,
    )
    print_change(change)


def rollback(reason: Reason = "by hand", approved_by: ApprovedBy = None, decides_from: DecidesFrom = None) -> None:
    """Return to the model before the champion; the champion is rejected and no later rollback returns to it.

    Example: fraud-platform rollback --reason "twice as many alerts since Monday"
    """
    from fraud_platform.registry.promotion import roll_back

    registry = open_registry()
    change = roll_back(
        registry,
        day=_first_day(decides_from, registry.rollback_target().as_of),
        reason=reason,
        approved_by=approved_by,
        changed_at=datetime.now(UTC),
    )
    print_change(change)


def open_registry() -> "MlflowRegistry":
    """The registry that the settings name."""
    from fraud_platform.registry.mlflow_registry import MlflowRegistry

    settings = load_settings()
    return MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)


def _first_day(text: str | None, as_of: date) -> date:
    from fraud_platform.registry.promotion import first_undecided_day

    if text:
        return parse_day(text)
    scored = DayStore.at(load_settings().storage_url).days("daily_predictions", "parquet")
    return first_undecided_day(scored, as_of)
