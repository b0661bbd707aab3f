"""`fraud-platform`: thin commands over the rooms; everything it does can be done from the library or Dagster too.

Parsing lives here; decisions and tables do not. Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import os
import sys
import traceback
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, track

from fraud_platform.cli_days import calendar_of, drift_day_of, require_calendar
from fraud_platform.cli_explanations import explain
from fraud_platform.cli_exporter import exporter
from fraud_platform.cli_governance import audit_app, erase, trail_of
from fraud_platform.cli_labels import labels
from fraud_platform.cli_models import card, models, open_registry, promote, rollback, sign
from fraud_platform.cli_report import report
from fraud_platform.errors import PlatformError
from fraud_platform.governance.pan_guard import holds_card_number, mask_card_numbers
from fraud_platform.governance.redaction import redact_all_logs
from fraud_platform.settings import load_settings
from fraud_platform.settings_file import remember
from fraud_platform.storage import absence_of, is_storage_failure, open_location
from fraud_platform.terminal import (
    SIMULATED_NOTE,
    err,
    out,
    print_days,
    print_error,
    print_findings,
    print_releases,
    print_settings,
)

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="Finds credit-card fraud in daily batches, keeps its own model honest, explains every decision.",
    epilog="Add --debug to any command to see the traceback behind an error.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(audit_app, name="audit")
app.command()(erase)

DayCount = Annotated[int, typer.Option(min=1, max=3650, help="How many days.")]
RowsPerDay = Annotated[
    int | None, typer.Option(min=100, help="Transactions a day; default: all of the file, or 20000.")
]
FirstDay = Annotated[
    str | None, typer.Option(metavar="YYYY-MM-DD", help="First day; default: so that the last is yesterday.")
]
DriftFrom = Annotated[
    str | None, typer.Option(metavar="DAY", help="First day with injected drift: YYYY-MM-DD, or its number from 1.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of every random choice.")]

SIMULATED_ROWS_PER_DAY = 20_000
USAGE_ERROR = 2


def main() -> None:
    """Runs the command line; an error is one line, and a traceback only with `--debug`."""
    redact_all_logs()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    # Also all in one: without quotes, a number in groups is several arguments.
    if any(map(holds_card_number, [*arguments, " ".join(arguments)])):
        # Files, messages and records would be named after it.
        print_error("an argument holds a card number, which must be written nowhere; nothing was done")
        raise SystemExit(USAGE_ERROR)
    if any(map(_is_no_text, arguments)):
        print_error("an argument is no text in UTF-8; nothing was done")
        raise SystemExit(USAGE_ERROR)
    try:
        app(args=arguments, prog_name="fraud-platform")
    except PlatformError as error:
        _give_up(str(error))
    except KeyboardInterrupt:
        _give_up("interrupted; nothing is half-written, and the same command begins again")
    except Exception as error:  # noqa: BLE001 - the last door: people get a line, --debug gets the traceback
        if is_storage_failure(error):
            _give_up(f"storage: {error}; check the place and its credentials with `fraud-platform doctor`")
        _give_up(f"unexpected {type(error).__name__}: {error}; --debug shows where, please report it")


def _is_no_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return True
    return False


def _give_up(message: str) -> NoReturn:
    if "--debug" in sys.argv:
        err.print(mask_card_numbers(traceback.format_exc()), markup=False, highlight=False, soft_wrap=True, end="")
    print_error(message)
    raise SystemExit(1) from None


@app.command()
def demo(
    csv: Annotated[str | None, typer.Option(help="A file like creditcard.csv to replay; default: simulated.")] = None,
    days: DayCount = 10,
    rows_per_day: RowsPerDay = None,
    drift_from: DriftFrom = None,
    start: FirstDay = None,
    seed: Seed = 42,
) -> None:
    """Live through some days: land, train, release, score and report each, through Dagster itself.

    Example: fraud-platform demo --csv creditcard.csv --days 10 --drift-from 8
    """
    from fraud_platform.defs.demo_calendar import first_training_day
    from fraud_platform.defs.demo_home import clear

    calendar = calendar_of(days, start)
    drift_day = drift_day_of(drift_from, calendar)
    require_calendar(calendar)
    first_training_day(calendar, drift_day)
    made = _made_days(csv, calendar, rows_per_day, seed, drift_day)
    # The seed of the demo is the seed of its splits, searches and models too.
    os.environ["FRAUD_SEED"] = str(seed)
    # Nobody stands beside a demo to approve its models.
    os.environ["FRAUD_REQUIRE_APPROVAL"] = "false"
    settings = load_settings()
    clear(settings)
    _deliver(made, calendar, name="simulated" if csv is None else "replayed")

    # The calendar is fixed when the graph is imported, so the days are landed first.
    from fraud_platform.definitions import defs
    from fraud_platform.defs.demo import live, releases, stories
    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err) as progress:
            task = progress.add_task("starting", total=None)
            live(
                defs,
                instance,
                calendar,
                drift_from=drift_day,
                step=lambda what: progress.update(task, description=what),
            )
        print_days(stories(instance, calendar))
        print_releases(releases(instance, calendar))
    if csv is None:
        out.print(SIMULATED_NOTE)
    out.print(f"Decisions with reasons: {settings.storage_url}/daily_predictions/", soft_wrap=True)
    out.print("Registered models: [bold]uv run fraud-platform models[/]")
    out.print("The graph, its checks and plots: [bold]uv run dagster dev[/], then open http://127.0.0.1:3000")


@app.command()
def land(
    file: Annotated[str, typer.Argument(help="A file like creditcard.csv: Time, V1..V28, Amount, Class.")],
    start: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="First day.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days.")],
    rows_per_day: RowsPerDay = None,
    drift_from: DriftFrom = None,
    seed: Seed = 42,
) -> None:
    """Replay a public file into the landing zone, spread over calendar days.

    Example: fraud-platform land creditcard.csv --start 2026-01-01 --days 30
    """
    calendar = calendar_of(days, start)
    made = _made_days(file, calendar, rows_per_day, seed, drift_day_of(drift_from, calendar))
    _deliver(made, calendar, name="replayed")


@app.command()
def simulate(
    start: FirstDay = None,
    days: DayCount = 10,
    rows_per_day: RowsPerDay = None,
    drift_from: DriftFrom = None,
    seed: Seed = 42,
) -> None:
    """Make days of transactions from the shipped statistics and land them; no file is needed.

    Example: fraud-platform simulate --days 30 --rows-per-day 20000
    """
    calendar = calendar_of(days, start)
    made = _made_days(None, calendar, rows_per_day, seed, drift_day_of(drift_from, calendar))
    _deliver(made, calendar, name="simulated")
    out.print(SIMULATED_NOTE)


@app.command()
def score(
    file: Annotated[str, typer.Argument(help="Transactions in the landing format: .csv, .csv.gz or .parquet.")],
    output: Annotated[str, typer.Option(help="Where the decisions go: .parquet or .csv.")],
    model: Annotated[str, typer.Option(help="champion, challenger, previous, or a version.")] = "champion",
) -> None:
    """Score one file with a registered model; no Dagster involved.

    Example: fraud-platform score transactions.csv --output decisions.parquet
    """
    from fraud_platform.scoring.scorer import count_alerts, score_file

    source, target = open_location(file), open_location(output)
    if problem := absence_of(source):
        raise PlatformError(f"{file}: {problem}; name a .csv, .csv.gz or .parquet file of transactions")
    if source == target:
        raise PlatformError(f"{output}: the decisions would replace the transactions; name another output")
    registry = open_registry()
    version = registry.find(model)
    scored = score_file(file, registry.load(version), version.version)
    what = {"file": source.name, "output": output, "transactions": len(scored.decisions)}
    # First the entry: an export that is not recorded must not exist.
    trail_of(load_settings()).record("export", subject=f"model/{version.semver}", reason="score", details=what)
    scored.write(output)
    alerts = count_alerts(scored.decisions)["alerts"]
    out.print(f"{len(scored.decisions):,} transactions scored by {version.semver}, {alerts:,} alerts: {output}")
    if len(scored.quarantine):
        reasons = scored.quarantine["reason"].value_counts()
        err.print(
            f"{len(scored.quarantine):,} rows not scored: " + "; ".join(f"{n} x {why}" for why, n in reasons.items())
        )
    if version.origin == "simulated":
        out.print("[yellow]The model has learned from SIMULATED DATA.[/]")


for _command in (models, promote, rollback, sign, card, labels, explain, report, exporter):
    app.command()(_command)


@app.command()
def doctor() -> None:
    """Show every setting and where it came from, and test that each place can be reached and written.

    Example: fraud-platform doctor
    """
    from fraud_platform.defs.doctor import effective_settings, findings

    settings = load_settings()
    print_settings(effective_settings(settings))
    found = list(findings(settings))
    print_findings(found)
    if not all(finding.is_well for finding in found):
        raise SystemExit(1)


def _made_days(
    csv: str | None, calendar: list[date], rows_per_day: int | None, seed: int, drift_from: date | None
) -> "Iterable[tuple[date, pd.DataFrame]]":
    """The days to land, read or drawn one at a time; a bad file is refused before anything is written."""
    from fraud_platform.simulation.drift import DriftInjection
    from fraud_platform.simulation.replay import read_public_file, replay
    from fraud_platform.simulation.simulator import simulate as draw

    drift = DriftInjection(start=drift_from) if drift_from else None
    if csv is None:
        rows = rows_per_day or SIMULATED_ROWS_PER_DAY
        return draw(start=calendar[0], days=len(calendar), rows_per_day=rows, seed=seed, drift=drift)
    table = read_public_file(csv)
    return replay(table, start=calendar[0], days=len(calendar), seed=seed, rows_per_day=rows_per_day, drift=drift)


def _deliver(
    made: "Iterable[tuple[date, pd.DataFrame]]", calendar: list[date], *, name: Literal["replayed", "simulated"]
) -> None:
    from fraud_platform.ingestion.landing import LandingZone
    from fraud_platform.simulation.delivery import land_days

    settings = load_settings()
    landing = LandingZone.at(settings.landing_url)
    land_days(
        landing,
        track(made, "landing", total=len(calendar), console=err, transient=True, disable=not err.is_terminal),
        name=name,
    )
    first = min([calendar[0], *landing.days()])
    remember(settings.home, FRAUD_START_DATE=first.isoformat())
    out.print(f"{len(calendar)} days landed in {settings.landing_url}: {calendar[0]} to {calendar[-1]}", soft_wrap=True)


if __name__ == "__main__":
    main()
