"""The command by which analysts return labels.

What a label file holds and where it goes belongs to `ingestion.label_delivery`.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from fraud_platform.cli_days import parse_day
from fraud_platform.day_store import DayStore
from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform.storage import absence_of, open_location
from fraud_platform.terminal import err, out


def labels(
    file: Annotated[str, typer.Argument(help="Labels: transaction_id and Class (1 fraud, 0 legitimate).")],
    arrived: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The day they arrive on; default: today (UTC).")
    ] = None,
    source: Annotated[
        Literal["reviews", "reports", "disputes"] | None,
        typer.Option(help="Who labelled; default: as the file's name begins."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what is in it; land nothing.")] = False,
) -> None:
    """Hand in a file of labels: examined first, then landed with those of the day they arrive on.

    Example: fraud-platform labels reviewed.csv --source reviews
    """
    from fraud_platform.ingestion.label_delivery import StoredTransactions, examine_labels, land_labels
    from fraud_platform.ingestion.landing import LandingZone

    path = open_location(file)
    if problem := absence_of(path):
        raise PlatformError(f"{file}: {problem}; name a .csv, .csv.gz or .parquet file of labels")
    day = parse_day(arrived) if arrived is not None else datetime.now(UTC).date()
    settings = load_settings()
    known = StoredTransactions(DayStore.at(settings.storage_url))
    examined = examine_labels(path, day, known, kind=source)
    landing = LandingZone.at(settings.landing_url)
    landed = None if check else land_labels(landing, day, examined)
    count = examined.fraud_count + examined.legitimate_count
    out.print(
        f"{count:,} labels of {examined.source.replace('_', ' ')}: {examined.fraud_count:,} fraud, "
        f"{examined.legitimate_count:,} legitimate",
        highlight=False,
    )
    for reason, refused in examined.refused.items():
        err.print(f"{refused:,} of them decide nothing so far: {reason}", highlight=False, soft_wrap=True)
    if landed is not None:
        out.print(f"landed: {landed}", soft_wrap=True, highlight=False)
