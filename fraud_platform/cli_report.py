"""The command about a period of the platform: its monthly or quarterly report.

What is in it belongs to `monitoring.period` and `monitoring.period_report`.
"""

from typing import Annotated

import typer

from fraud_platform.cli_governance import trail_of
from fraud_platform.cli_models import open_registry, page_target
from fraud_platform.day_store import DayStore
from fraud_platform.settings import load_settings
from fraud_platform.storage import write_atomically
from fraud_platform.terminal import out, print_markdown


def report(
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="The month, such as 2026-10.")] = None,
    quarter: Annotated[str | None, typer.Option(metavar="YYYY-Qn", help="The quarter, such as 2026-Q3.")] = None,
    output: Annotated[
        str | None, typer.Option(help="Where it goes: .html, with its plots inside, or .md; default: shown here.")
    ] = None,
) -> None:
    """A month or quarter in one page: decisions, performance, drift, models, labels, audit trail, the champion's card.

    That of a quarter also holds the fairness audit: alerts and errors by bands of amount and hour.

    Example: fraud-platform report --month 2026-10 --output october.html
    """
    from fraud_platform.monitoring.fairness import period_markdown
    from fraud_platform.monitoring.outcome import LabelRules
    from fraud_platform.monitoring.period import Period, gather
    from fraud_platform.monitoring.period_fairness import count_period
    from fraud_platform.monitoring.period_plot import draw_period
    from fraud_platform.monitoring.period_report import period_report
    from fraud_platform.registry.card_page import as_picture, card_page
    from fraud_platform.registry.model_card import stored_card

    if (month is None) == (quarter is None):
        raise typer.BadParameter("say which: --month YYYY-MM or --quarter YYYY-Qn")
    target = page_target(output) if output is not None else None
    period = Period.month(month) if month is not None else Period.quarter(str(quarter))
    settings = load_settings()
    store = DayStore.at(settings.storage_url)
    facts = gather(period, store=store, registry=open_registry(), trail=trail_of(settings))
    champion = facts.tenures[-1].version if facts.tenures else None
    stored = stored_card(store, champion) if champion is not None else None
    sections = []
    if quarter is not None:
        rules = LabelRules.of(settings)
        counts = count_period(period, store=store, rules=rules, without=facts.hindsight_days)
        sections = [period_markdown(counts)]
    markdown = period_report(
        facts,
        sections=sections,
        card=stored["markdown"] if stored is not None else None,
        semver=champion.semver if champion is not None else None,
    )
    if target is None:
        print_markdown(markdown)
        return
    if target.suffix == ".html":
        lead = {f"F1 by week, {period.name}": as_picture(draw_period(facts))}
        pictures = stored["pictures"] if stored is not None else {}
        markdown = card_page(f"Fraud detection, {period.name}", markdown, pictures, lead)
    write_atomically(target, markdown.encode())
    out.print(f"report of {period.name}: {output}", soft_wrap=True, highlight=False)
