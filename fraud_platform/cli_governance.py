"""The commands of the risk and compliance officer: the audit trail and the erasure of transactions.

Parsing lives here; what they do belongs to `governance`, what they print to `terminal`.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fraud_platform.cli_days import parse_day
from fraud_platform.errors import PlatformError
from fraud_platform.governance.audit import KEY_SETTING, AuditTrail, is_wanted, open_trail
from fraud_platform.governance.audit_entry import EVENTS, Head
from fraud_platform.governance.audit_verification import verify as examine
from fraud_platform.governance.keys import read_key
from fraud_platform.settings import Settings, load_settings
from fraud_platform.terminal import err, escape, out, print_entries, print_erasure

EventName = StrEnum("EventName", {event: event for event in EVENTS})  # type: ignore[misc]  # the names are data


class Notable(StrEnum):
    """What happens outside the platform and can be written down by hand."""

    DEPLOYMENT = "deployment"
    APPROVAL = "approval"
    NOTE = "note"


audit_app = typer.Typer(
    help="Look at the audit trail, judge it, or add to it.", no_args_is_help=True, pretty_exceptions_enable=False
)

# Enough to see what happened; a trail written anew is wrong in every line.
_PROBLEMS_SHOWN = 20

Day = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="A day, UTC; included.")]


def trail_of(settings: Settings) -> AuditTrail:
    """The audit trail of this installation, with this person as the actor."""
    return open_trail(
        settings.audit_url,
        actor=settings.actor_name,
        clock=lambda: datetime.now(UTC),
        key_file=settings.audit_key_file,
    )


@audit_app.command()
def verify(
    expect_head: Annotated[
        list[str] | None, typer.Option(metavar="SEQ:HASH", help="A head noted earlier; may be repeated.")
    ] = None,
    anchors: Annotated[
        bool, typer.Option("--anchors", help="Compare with the heads noted in the registry and in Dagster.")
    ] = False,
    signed_from: Annotated[int, typer.Option(min=1, help="With a key: the first entry that must be signed.")] = 1,
) -> None:
    """Find any entry that was edited, removed, moved or forged; print the head to note elsewhere.

    That the last entries are gone shows only against a head: give one, or use --anchors.

    Example: fraud-platform audit verify --anchors
    """
    settings = load_settings()
    expected = [Head.parse(text, source="--expect-head") for text in expect_head or []]
    if anchors:
        expected += _noted_heads(settings)
    key = read_key(settings.audit_key_file, setting=KEY_SETTING)
    found = examine(trail_of(settings).store.lines(), key=key, signed_from=signed_from, expected=expected)
    for problem in found.problems[:_PROBLEMS_SHOWN]:
        err.print(escape(str(problem)), style="red", highlight=False, soft_wrap=True)
    if found.problems:
        raise PlatformError(
            f"{settings.audit_url}: {len(found.problems)} problems in {found.entry_count:,} entries; keep the trail as "
            "it is, and compare it with a backup"
        )
    signed = f", {found.signed_count:,} of them signed with the key" if key else ", unsigned"
    compared = f"; fits {len(expected)} heads that were noted elsewhere" if expected else ""
    out.print(f"sound: {found.entry_count:,} entries{signed}{compared}", highlight=False, soft_wrap=True)
    if found.head:
        out.print(f"head: {found.head}", highlight=False, soft_wrap=True)


@audit_app.command()
def show(
    event: Annotated[EventName | None, typer.Option(help="Only this event.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only actors whose name holds this.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only subjects whose name holds this.")] = None,
    since: Day = None,
    until: Day = None,
    as_json: Annotated[bool, typer.Option("--json", help="Whole entries, one JSON document a line.")] = False,
) -> None:
    """List entries of the audit trail, oldest first.

    Example: fraud-platform audit show --event release --since 2026-01-01 --json
    """
    first_day, last_day = _day(since), _day(until)
    wanted = (
        entry
        for entry in trail_of(load_settings()).entries()
        if is_wanted(
            entry,
            event=event.value if event else None,
            actor=actor,
            subject=subject,
            first_day=first_day,
            last_day=last_day,
        )
    )
    if as_json:
        for entry in wanted:
            typer.echo(json.dumps(entry.as_dict()))
    else:
        print_entries(wanted)


@audit_app.command()
def record(
    event: Annotated[Notable, typer.Argument(help="What happened.")],
    subject: Annotated[str, typer.Option(help="To what, such as `image/fraud-platform:0.2.0`.")],
    reason: Annotated[str, typer.Option(help="Why, or on whose request.")],
) -> None:
    """Write down what happened outside the platform: a deployment, an approval, a note.

    Example: fraud-platform audit record deployment --subject image/fraud-platform:0.2.0 --reason "change 4711"
    """
    entry = trail_of(load_settings()).record(event.value, subject=subject, reason=reason)
    out.print(f"recorded as entry {entry.head}", highlight=False, soft_wrap=True)


def _day(text: str | None) -> date | None:
    return parse_day(text) if text else None


def _noted_heads(settings: Settings) -> Iterator[Head]:
    from fraud_platform.defs.instance import open_instance
    from fraud_platform.defs.recording import noted_heads
    from fraud_platform.registry.mlflow_registry import MlflowRegistry

    registry = MlflowRegistry(settings.tracking_url, artifact_url=settings.artifact_url)
    with open_instance() as instance:
        yield from noted_heads(registry, instance)


def erase(
    transaction_id: Annotated[list[str], typer.Option(help="Which transaction; may be repeated.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = "asked for by the person concerned",
    search_all_landed: Annotated[
        bool, typer.Option("--search-all-landed", help="Look into every landed file, not only into the days concerned.")
    ] = False,
) -> None:
    """Remove transactions from every stored table for good; no backfill or re-landed file brings them back.

    Example: fraud-platform erase --transaction-id 20260110-a53be12f08c7d946 --reason "request 17"
    """
    from fraud_platform.defs.deployments import platform_of
    from fraud_platform.defs.erasing import erase as erase_everywhere
    from fraud_platform.defs.instance import open_instance

    if not all(name.strip() for name in transaction_id):
        raise typer.BadParameter("a transaction has an identifier")
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with open_instance() as instance, bar as progress:
        task = progress.add_task("starting", total=None)
        erased = erase_everywhere(
            platform_of(load_settings()),
            instance,
            sorted(set(transaction_id)),
            reason=reason,
            search_all_landed=search_all_landed,
            step=lambda what: progress.update(task, description=what),
        )
    print_erasure(erased)
    if erased.runs:
        raise PlatformError(
            f"{len(erased.runs)} Dagster runs were at work and may store what they had read before (first: "
            f"{erased.runs[0]}); run the same command again once they have ended"
        )
