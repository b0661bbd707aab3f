"""The command that answers "why": of one transaction, or of every transaction of a day.

How a decision is explained belongs to `scoring`; what is printed belongs to `terminal`.
"""

import time
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fraud_platform.cli_days import parse_day
from fraud_platform.cli_governance import trail_of
from fraud_platform.cli_models import open_registry
from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.governance.tombstones import key_of, read_tombstones, transaction_subject
from fraud_platform.settings import load_settings
from fraud_platform.storage import open_location, write_atomically
from fraud_platform.terminal import err, out, print_markdown

if TYPE_CHECKING:
    from fraud_platform.registry.registry import ModelVersion

REASON = "asked for by the person concerned"


def explain(
    transaction_id: Annotated[str | None, typer.Argument(help="Which transaction; of any scored day.")] = None,
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The day it happened; default: looked for in every day.")
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a page with the plot inside instead of showing it here.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every transaction of --day, into --output.")] = False,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --all: the .parquet file of every feature's part.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = REASON,
) -> None:
    """Why a transaction was alerted or not: replayed, every feature's part, and what would have changed the decision.

    Example: fraud-platform explain 20260110-a53be12f08c7d946 --html explanation.html
    Of a whole day: fraud-platform explain --all --day 2026-01-10 --output explanations.parquet
    """
    chosen = parse_day(day) if day else None
    if every:
        if transaction_id or html or chosen is None or output is None:
            raise typer.BadParameter("--all takes --day and --output, and neither a transaction nor --html")
        _explain_all(chosen, output, reason)
        return
    if output is not None or transaction_id is None or not transaction_id.strip():
        raise typer.BadParameter("name one transaction, or --all with --day and --output")
    _explain_one(transaction_id.strip(), chosen, html, reason)


def _explain_all(day: date, output: str, reason: str) -> None:
    from fraud_platform.scoring.explained_day import explain_day, scored_day
    from fraud_platform.scoring.explained_decision import deciding_version

    target = open_location(output)
    if target.suffix != ".parquet":
        raise PlatformError(f"cannot write {target.name}: name the output .parquet")
    settings = load_settings()
    store = DayStore.at(settings.storage_url)
    scored = scored_day(store, day)
    registry = open_registry()
    version = deciding_version(registry, scored.model_version)
    bundle = registry.load(version)
    trail_of(settings).record(
        "explanation",
        subject=f"daily_predictions/{day}",
        reason=reason,
        details={**_facts_of(version, scored.data_version), "transactions": scored.row_count, "output": output},
    )
    began = time.perf_counter()
    columns = TextColumn("explaining"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    with bar as progress:
        task = progress.add_task("explaining", total=scored.row_count)
        same = explain_day(store, scored, version, bundle, target, advance=lambda rows: progress.advance(task, rows))
    seconds = time.perf_counter() - began
    out.print(
        f"{scored.row_count:,} decisions of {day} explained in {seconds:.1f} s, {scored.row_count / seconds:,.0f} a "
        f"second: {output}",
        soft_wrap=True,
        highlight=False,
    )
    other = scored.row_count - same
    told = f"{other:,} probabilities are other ones than recorded" if other else "every probability as recorded"
    out.print(f"replayed by model {version.semver}: {told}, compared bit for bit", soft_wrap=True, highlight=False)


def _explain_one(transaction_id: str, day: date | None, html: str | None, reason: str) -> None:
    from fraud_platform.scoring.decision_record import find_decision
    from fraud_platform.scoring.explained_decision import deciding_version, explain_decision
    from fraud_platform.scoring.explanation_document import explanation_markdown, explanation_page

    if html is not None and open_location(html).suffix != ".html":
        raise PlatformError(f"cannot write {open_location(html).name}: name the page .html")
    settings = load_settings()
    store = DayStore.at(settings.storage_url)
    record = find_decision(store, transaction_id, day=day, tombstones=read_tombstones(settings.storage_url))
    registry = open_registry()
    version = deciding_version(registry, record.model_version)
    explained = explain_decision(record, version, registry.load(version))
    document = explanation_page(explained) if html else explanation_markdown(explained)
    # First the entry: an explanation that is not recorded must not be given.
    trail_of(settings).record(
        "explanation",
        subject=transaction_subject(transaction_id, key_of(settings.storage_url)),
        reason=reason,
        details={
            **_facts_of(version, record.data_version),
            "day": record.day.isoformat(),
            "is_alert": record.is_alert,
            "is_replayed": explained.is_replayed,
            "output": html or "terminal",
        },
    )
    if html is None:
        print_markdown(document)
        return
    write_atomically(open_location(html), document.encode())
    out.print(f"explanation of the decision of {record.day}: {html}", soft_wrap=True, highlight=False)


def _facts_of(version: "ModelVersion", data_version: str) -> dict[str, str]:
    """What an entry of the audit trail says of the model and the data behind an explanation."""
    return {
        "model": version.semver,
        "version": version.version,
        "bundle_sha256": version.digest,
        "data_version": data_version,
    }
