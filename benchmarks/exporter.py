"""How fast is the exporter after a year? Its page `/metrics`, against the one that prometheus-client serves by itself.

The history holds 365 days of materialisations with their usual metadata, and as many runs; gathering goes on every
second beside the scrapes. The absolute limit, 100 ms, is held against the slowest of all scrapes.

    python benchmarks/exporter.py [SCRAPES]
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pandas as pd
from measuring import Ratio, print_ratios
from prometheus_client import start_http_server
from temporary_home import simulated_day, temporary_home

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from fraud_platform.day_store import DayStore
    from fraud_platform.exporter.serving import Exporter

DAYS, ROWS = 365, 2_000
LIMIT_MILLISECONDS = 100
FIRST = date(2025, 11, 1)


def _metadata() -> dict[str, dict[str, Any]]:
    """What the assets record of a day, by asset."""
    from fraud_platform.defs.metadata import table_metadata
    from fraud_platform.ingestion.schema import raw_transactions_schema
    from fraud_platform.monitoring.stored_figures import SCORES

    described = table_metadata(simulated_day(FIRST, ROWS), raw_transactions_schema())
    return {
        "raw_transactions": {**described, "data_version": "v", "landed_rows": ROWS, "quarantined_by_reason": {}},
        "daily_predictions": {**described, "alerts": 4, "scoring_seconds": 0.8, "model_version": "1"},
        "realised_performance": {"is_mature": True, "status": "applicable", **dict.fromkeys(SCORES, 0.8)},
    }


def live(instance: "DagsterInstance", days: int) -> None:
    """A year as the event log and the run history would tell it."""
    import dagster as dg
    from dagster._core.test_utils import create_run_for_test

    metadata = _metadata()
    for number in range(days):
        day = (FIRST + timedelta(days=number)).isoformat()
        create_run_for_test(instance, "daily", status=dg.DagsterRunStatus.SUCCESS, tags={"dagster/partition": day})
        for asset, told in metadata.items():
            instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=day, metadata=told))


def store_reports(store: "DayStore") -> None:
    """The newest reports, as their assets store them."""
    from fraud_platform.features.profile import profile_table
    from fraud_platform.features.schema import FEATURE_NAMES
    from fraud_platform.monitoring.limits import DriftLimits
    from fraud_platform.monitoring.performance import estimated_performance, realised_performance
    from fraud_platform.monitoring.report import drift_report

    last = FIRST + timedelta(days=DAYS - 1)
    drawn = pd.DataFrame(np.random.default_rng(1).normal(size=(ROWS, len(FEATURE_NAMES))), columns=list(FEATURE_NAMES))
    profile = profile_table(drawn, FEATURE_NAMES)
    report = drift_report(
        day=last,
        model_version="1",
        reference=profile,
        analysis_by_day={last: profile},
        limits=DriftLimits(psi=0.25, feature_count=3),
    )
    predictions = pd.DataFrame(
        {"transaction_id": list("abcd"), "fraud_probability": [0.9, 0.8, 0.2, 0.1], "prediction": [1, 1, 0, 0]}
    )
    labels = predictions[["transaction_id"]].assign(Class=[1, 0, 1, 0])
    outcome = {
        "realised": realised_performance(predictions, labels).as_dict(),
        "estimated": estimated_performance(predictions).as_dict(),
    }
    # A year of reports is a year of names to list.
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        store.write_json("drift_report", day, report)
        store.write_json("realised_performance", day, {**outcome, "rolling": outcome})


@contextmanager
def serving(exporter: "Exporter") -> Iterator[None]:
    """The exporter at work in a thread."""
    thread = Thread(target=exporter.serve)
    thread.start()
    try:
        yield
    finally:
        exporter.stop()
        thread.join()


def scrape(port: int, count: int) -> tuple[list[float], bytes]:
    """What each of `count` scrapes took, in milliseconds, and the last page; the first, which warms up, is left out."""
    took, text = [], b""
    for _ in range(count + 1):
        began = time.perf_counter()
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read()
        took.append(1000 * (time.perf_counter() - began))
        # As if Prometheus came by: scrapes meet gathering at different moments.
        time.sleep(0.02)
    return took[1:], text


def main(scrapes: int) -> None:
    """Measures and prints."""
    with temporary_home():
        from fraud_platform.defs.deployments import platform_of
        from fraud_platform.defs.instance import open_instance
        from fraud_platform.exporter.serving import Exporter
        from fraud_platform.exporter.snapshot import Gatherer
        from fraud_platform.settings import load_settings

        def now() -> datetime:
            return datetime.now(UTC)

        platform = platform_of(load_settings())
        with open_instance() as instance:
            live(instance, DAYS)
        store_reports(platform.store)

        gatherer = Gatherer(store=lambda: platform.store, registry=lambda: platform.registry, clock=now)
        first, again = gatherer.gather().seconds, gatherer.gather().seconds
        exporter = Exporter(gatherer, host="127.0.0.1", port=0, every_seconds=1.0, clock=now)
        with serving(exporter):
            ours, text = scrape(exporter.port, scrapes)
        server, _ = start_http_server(0, addr="127.0.0.1")
        theirs, _ = scrape(server.server_port, scrapes)
        server.shutdown()

    series = sum(not line.startswith(b"#") for line in text.splitlines())
    print(f"\n## {DAYS} days, {series} series, {len(text):,} bytes, {scrapes} scrapes\n")
    print("| page | median ms | slowest ms |\n|---|--:|--:|")
    for name, took in (("/metrics after a year", ours), ("prometheus-client's own", theirs)):
        print(f"| {name} | {median(took):.1f} | {max(took):.1f} |")
    print(f"\nReading the year once took {first:.2f} s; each round after it {again:.3f} s.")
    print_ratios([Ratio("/metrics after a year, milliseconds", max(ours), min(ours), max(ours), LIMIT_MILLISECONDS)])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
