"""The commands about registered models: list, who decided when, promote, roll back, card, sign.

What a promotion does belongs to `registry.promotion`; what is printed belongs to `terminal`.
"""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fraud_platform.cli_days import parse_day
from fraud_platform.cli_governance import trail_of
from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform.storage import open_location, write_atomically
from fraud_platform.terminal import out, print_change, print_facts, print_markdown, print_tenures, print_versions

if TYPE_CHECKING:
    from upath import UPath

    from fraud_platform.registry.mlflow_registry import MlflowRegistry

Version = Annotated[str, typer.Argument(help="challenger, previous, a version number or a semantic version.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the registry later.")]
ApprovedBy = Annotated[str | None, typer.Option(metavar="NAME", help="Who approves it.")]
DecidesFrom = Annotated[
    str | None,
    typer.Option("--from", metavar="YYYY-MM-DD", help="First day it decides about; default: the first undecided one."),
]
Overrule = Annotated[bool, typer.Option("--overrule", help="Promote it although it was rejected.")]


def models(
    on: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Who was champion of this day instead, and why.")
    ] = None,
    reigns: Annotated[bool, typer.Option("--reigns", help="Who decided from when to when instead, and why.")] = False,
) -> None:
    """List the registered models, newest first; or say who decided when, and why.

    Example: fraud-platform models --on 2026-11-20
    """
    from fraud_platform.monitoring.charge import in_charge

    registry = open_registry()
    if on is not None:
        print_facts(
            "In charge", in_charge(registry, DayStore.at(load_settings().storage_url), parse_day(on)).as_facts()
        )
        return
    versions = registry.versions()
    if not versions:
        raise PlatformError("no model is registered yet; run `fraud-platform demo` or the Dagster job `retraining`")
    if reigns:
        tenures = registry.tenures()
        if not tenures:
            raise PlatformError(
                "no model has been released yet; `fraud-platform models` lists those that are registered"
            )
        print_tenures(tenures)
        return
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
    from fraud_platform.registry.promotion import promote_version, record_change

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
    record_change(trail_of(load_settings()), registry, change, "promotion")
    print_change(change)


def rollback(reason: Reason = "by hand", approved_by: ApprovedBy = None, decides_from: DecidesFrom = None) -> None:
    """Return to the model before the champion; the champion is rejected and no later rollback returns to it.

    Example: fraud-platform rollback --reason "twice as many alerts since Monday"
    """
    from fraud_platform.registry.promotion import record_change, roll_back

    registry = open_registry()
    change = roll_back(
        registry,
        day=_first_day(decides_from, registry.rollback_target().as_of),
        reason=reason,
        approved_by=approved_by,
        changed_at=datetime.now(UTC),
    )
    record_change(trail_of(load_settings()), registry, change, "rollback")
    print_change(change)


def card(
    version: Version,
    output: Annotated[
        str | None, typer.Option(help="Where the card goes: .html, with its plots inside, or .md; default: shown here.")
    ] = None,
) -> None:
    """The card of a model: what it is and reaches, who let it decide, and what became of it since.

    Example: fraud-platform card champion --output card.html
    """
    from fraud_platform.monitoring.life import life_markdown, life_of
    from fraud_platform.registry.card_page import card_page
    from fraud_platform.registry.model_card import APPROVAL_HEADING, standing_markdown, stored_card

    wanted = open_registry().find(version)
    store = DayStore.at(load_settings().storage_url)
    stored = stored_card(store, wanted)
    if stored is None:
        raise PlatformError(
            f"no card of version {wanted.version} is stored; materialise model_release of {wanted.as_of} again"
        )
    released, _, _ = stored["markdown"].partition(APPROVAL_HEADING)
    life = life_markdown(life_of(store, wanted.version, wanted.as_of))
    markdown = f"{released}{standing_markdown(wanted)}\n{life}"
    if output is None:
        print_markdown(markdown)
        return
    target = page_target(output)
    is_page = target.suffix == ".html"
    page = card_page(f"fraud_detector {wanted.semver}", markdown, stored["pictures"]) if is_page else markdown
    write_atomically(target, page.encode())
    out.print(f"card of {wanted.semver}: {output}", soft_wrap=True, highlight=False)


def sign(version: Version, reason: Reason = "registered before models were signed") -> None:
    """Sign a registered model with the key of FRAUD_MODEL_KEY_FILE: you vouch for it, and it can be loaded again.

    Example: fraud-platform sign 3 --reason "compared with its training, change 4711"
    """
    registry = open_registry()
    wanted = registry.find(version)
    signed = registry.sign(wanted)
    details = {"version": signed.version, "bundle_sha256": signed.digest}
    trail_of(load_settings()).record("approval", subject=f"model/{signed.semver}", reason=reason, details=details)
    out.print(f"{signed.semver} (version {signed.version}) is signed", soft_wrap=True, highlight=False)


def page_target(output: str) -> "UPath":
    """Where a page or its Markdown goes.

    Raises:
        PlatformError: the name says neither.
    """
    target = open_location(output)
    if target.suffix not in (".html", ".md"):
        raise PlatformError(f"cannot write {target.name}: name the output .html or .md")
    return target


def open_registry() -> "MlflowRegistry":
    """The registry that the settings name."""
    from fraud_platform.registry.mlflow_registry import MlflowRegistry
    from fraud_platform.registry.model_signature import read_model_key

    settings = load_settings()
    key = read_model_key(settings.model_key_file)
    return MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url, key=key)


def _first_day(text: str | None, as_of: date) -> date:
    from fraud_platform.registry.promotion import first_undecided_day

    if text:
        return parse_day(text)
    scored = DayStore.at(load_settings().storage_url).days("daily_predictions", "parquet")
    return first_undecided_day(scored, as_of)
