"""What the command line prints: tables and notes for people at a terminal.

Where the figures come from does not belong here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from fraud_platform.governance.pan_guard import mask_card_numbers

if TYPE_CHECKING:
    from fraud_platform.defs.demo import DayStory, ReleaseStory
    from fraud_platform.defs.doctor import Finding
    from fraud_platform.defs.erasing import Erasure
    from fraud_platform.governance.audit_entry import AuditEntry
    from fraud_platform.registry.promotion import ChampionChange
    from fraud_platform.registry.registry import ModelVersion, Tenure

out = Console()
err = Console(stderr=True)

SIMULATED_NOTE = "[yellow]SIMULATED DATA: these figures describe made-up transactions, not real ones.[/]"


def escape(text: str) -> str:
    """`text` as it is: neither markup nor what commands a terminal, which is shown as Python writes it."""
    return escape_markup("".join(each if each.isprintable() else ascii(each)[1:-1] for each in text))


def print_error(message: str) -> None:
    """One line on standard error."""
    err.print(
        f"[bold red]error:[/] {escape(mask_card_numbers(' '.join(message.split())))}", highlight=False, soft_wrap=True
    )


def print_days(days: Sequence["DayStory"]) -> None:
    """One row a day: counts, realised metrics, drift and the model at work."""
    table = _table("Days")
    for name in ("day", "rows", "frauds", "alerts", "prec.", "recall", "F1"):
        table.add_column(name, justify="left" if name == "day" else "right", no_wrap=True)
    table.add_column("model", no_wrap=True)
    table.add_column("drift", no_wrap=True)
    for story in days:
        table.add_row(
            story.day.isoformat(),
            f"{story.transactions:,}",
            "n/a" if story.frauds is None else str(story.frauds),
            str(story.alerts),
            _share(story.precision),
            _share(story.recall),
            _share(story.f1),
            f"{story.model_version}{'*' if story.is_hindsight else ''}",
            f"[red]{story.drift} {story.drifted_features}[/]" if story.drifted_features else story.drift,
        )
    out.print(table)
    if any(story.is_hindsight for story in days):
        out.print("* scored in hindsight: the model has learned from this day, so its figures flatter it", style="dim")


def print_releases(releases: Sequence["ReleaseStory"]) -> None:
    """One row per trained model: test metrics, what was decided and why."""
    table = _table("Models")
    for name in ("as of", "asked for by", "test AP", "test F1"):
        table.add_column(name, no_wrap=True)
    table.add_column("decision and why", overflow="fold")
    for story in releases:
        table.add_row(
            story.as_of.isoformat(),
            story.trigger,
            f"{story.average_precision:.3f}",
            f"{story.f1:.3f}",
            f"[bold]{story.action}[/]: {escape(story.reason)}",
        )
    out.print(table)


def print_versions(versions: Iterable["ModelVersion"]) -> None:
    """One row per registered model, in the order given."""
    listed = list(versions)
    table = _table("Registered models")
    for name in ("no.", "semver", "stage", "alias", "algorithm", "as of", "cause"):
        table.add_column(name, no_wrap=True)
    for version in listed:
        table.add_row(
            version.version,
            version.semver,
            version.stage,
            ", ".join(version.aliases),
            version.algorithm,
            version.as_of.isoformat(),
            escape(version.cause.partition(":")[0]),
        )
    out.print(table)
    simulated = [version.semver for version in listed if version.origin == "simulated"]
    if simulated:
        out.print(f"[yellow]Learned from SIMULATED DATA:[/] {', '.join(simulated)}")


def print_tenures(tenures: Iterable["Tenure"]) -> None:
    """One row per reign: the days, who decided them, and why."""
    table = _table("Reigns")
    for name in ("from", "to", "semver", "no."):
        table.add_column(name, no_wrap=True)
    table.add_column("why", overflow="fold")
    for tenure in tenures:
        last = tenure.last_day.isoformat() if tenure.last_day else "now"
        version = tenure.version
        table.add_row(tenure.first_day.isoformat(), last, version.semver, version.version, escape(tenure.reason))
    out.print(table)


def print_facts(title: str, facts: Mapping[str, str]) -> None:
    """One row per fact."""
    table = _table(title)
    table.add_column("fact", no_wrap=True)
    table.add_column("", overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, escape(fact))
    out.print(table)


def print_entries(entries: Iterable["AuditEntry"]) -> None:
    """One row per entry of the audit trail, in the order given."""
    table = _table("Audit trail")
    for name in ("no.", "when (UTC)", "event"):
        table.add_column(name, no_wrap=True)
    for name in ("who", "subject", "why"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        when = entry.at[:16].replace("T", " ")
        cells = (when, entry.event, entry.actor, entry.subject, entry.reason)
        table.add_row(str(entry.seq), *map(escape, cells))
    out.print(table)


def print_erasure(erased: "Erasure") -> None:
    """What has gone, what is left to do, and for whom."""
    names = ", ".join(f"{count:,} from {asset}" for asset, count in erased.rows.items())
    days = f" on {erased.days[0]}" if len(erased.days) == 1 else f" on {len(erased.days)} days" if erased.days else ""
    _line(f"{len(erased.pseudonyms):,} transactions erased{days}: {names or 'stored nowhere, tombstone left'}")
    for version in erased.learned:
        _line(
            f"learned from them, train anew: model {version.semver} (version {version.version}, as of {version.as_of})"
        )
    for version in erased.unknown:
        _line(f"may have learned from them, its splits are gone: model {version.semver} (as of {version.as_of})")
    for landed in erased.landed:
        held = f"{landed.row_count:,} rows of them" if landed.row_count else "cannot be read, look yourself"
        _line(f"still in the landing zone, whose owner must remove it: {landed.file} ({held})")


def print_change(change: "ChampionChange") -> None:
    """Who decides now, from when on, and what was tried before."""
    before = f"; {change.replaced.semver} decided before" if change.replaced else ""
    out.print(
        f"[bold]{change.champion.semver}[/] (version {change.champion.version}) is champion and decides from "
        f"{change.day} on{before}",
        soft_wrap=True,
        highlight=False,
    )
    out.print(f"why: {escape(change.reason)}; approved by {escape(change.approved_by or 'nobody')}", soft_wrap=True)
    out.print(f"tried before: {change.smoke_test}", soft_wrap=True, highlight=False)


def print_markdown(text: str) -> None:
    """A document, laid out for the terminal."""
    from rich.markdown import Markdown

    out.print(Markdown(text))


def print_settings(rows: Iterable[tuple[str, str, str]]) -> None:
    """One row per variable: its effective value and where it comes from."""
    table = _table("Settings")
    table.add_column("variable", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", no_wrap=True)
    for variable, value, source in rows:
        table.add_row(variable, escape(value), source)
    out.print(table)


def print_findings(findings: Iterable["Finding"]) -> None:
    """One line per place: well, or what is wrong and what to do."""
    for finding in findings:
        mark = "[green]well[/] " if finding.is_well else "[bold red]wrong[/]"
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        out.print(f"{mark} {finding.subject}: {escape(finding.detail + remedy)}", soft_wrap=True, highlight=False)


def _line(text: str) -> None:
    out.print(escape(text), soft_wrap=True, highlight=False)


def _table(title: str) -> Table:
    """A table narrow enough for a terminal of 80 characters."""
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
