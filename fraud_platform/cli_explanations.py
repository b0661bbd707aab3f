"""The command that answers "why": of one transaction, or of every transaction of a day.

How a decision is explained belongs to `scoring`; what is printed belongs to `terminal`.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from fraud_platform.cli_days import parse_day
from fraud_platform.cli_governance import trail_of
from fraud_platform.cli_models import open_registry
from fraud_platform.errors import PlatformError
from fraud_platform.governance.tombstones import key_of, read_tombstones, transaction_subject
from fraud_platform.settings import load_settings
from fraud_platform.storage import DayStore, open_location, write_atomically
from fraud_platform.terminal import out, print_markdown

if TYPE_CHECKING:
    from datetime import date

REASON = "asked for by the person concerned"


def explain(
    transaction_id: Annotated[str | None, typer.Argument(help="Which transaction; of any scored day.")] = None,
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The day it happened; default: looked for in every day.")
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a page with the plot inside instead of showing it here.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")] = REASON,
) -> None:
    """Why a transaction was alerted or not: replayed, every feature's part, and what would have changed the decision.

    Example: fraud-platform explain 20260110-a53be12f08c7d946 --html explanation.html
    """
    if transaction_id is None or not transaction_id.strip():
        raise typer.BadParameter("name a transaction")
    _explain_one(transaction_id.strip(), parse_day(day) if day else None, html, reason)


def _explain_one(transaction_id: str, day: "date | None", html: str | None, reason: str) -> None:
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
            "day": record.day.isoformat(),
            "model": version.semver,
            "version": version.version,
            "bundle_sha256": version.digest,
            "data_version": record.data_version,
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
