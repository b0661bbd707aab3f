"""Both pages over HTTP: what they say of a platform that has lived, of an empty one, and of one that cannot be read."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fraud_platform.defs.doctor import Finding
from fraud_platform.errors import RegistryUnavailableError
from fraud_platform.exporter import snapshot as snapshots
from fraud_platform.exporter.serving import Exporter, health_of
from fraud_platform.exporter.snapshot import SOURCES, Gatherer, Snapshot
from fraud_platform.settings import load_settings
from fraud_platform_tests.platform_home import INGESTED, SCORED, PlatformHome, day_number, open_home

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
# What a page may hold, whatever the platform lives through: 33 features four times, and what has few labels.
MAXIMUM_SERIES = 300


@contextmanager
def serving(gatherer: Gatherer, clock=lambda: NOW, host: str = "127.0.0.1") -> Iterator[Exporter]:
    """An exporter on a free port of loopback."""
    exporter = Exporter(gatherer, host=host, port=0, every_seconds=3600, clock=clock)
    thread = Thread(target=exporter.serve)
    thread.start()
    try:
        yield exporter
    finally:
        exporter.stop()
        thread.join(timeout=10)


def page(exporter: Exporter, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{exporter.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(text for _, text in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def gatherer_of(home: PlatformHome, monkeypatch) -> Gatherer:
    @contextmanager
    def opened():
        yield home.instance

    monkeypatch.setattr(snapshots, "open_instance", opened)
    return Gatherer(store=lambda: home.store, registry=lambda: home.platform.registry, clock=lambda: NOW)


@pytest.fixture(scope="module")
def lived(trained_home, tmp_path_factory) -> Iterator[PlatformHome]:
    """The trained home with its four days decided and judged."""
    folder = tmp_path_factory.mktemp("lived") / "home"
    shutil.copytree(trained_home.settings.home, folder)
    with open_home(folder) as home:
        home.materialise([*INGESTED, *SCORED], day_number(1), day_number(4))
        yield home


def test_every_metric_of_a_platform_that_has_lived_is_there(lived, monkeypatch):
    gatherer = gatherer_of(lived, monkeypatch)
    gatherer.gather()
    with serving(gatherer) as exporter:
        status, text = page(exporter, "/metrics")
    assert status == 200
    found = samples(text)
    day = day_number(4)
    decided = lived.store.read_table("daily_predictions", day)
    assert found["fraud_scored_rows", ()] == len(decided)
    assert found["fraud_detection_rate", ()] == pytest.approx(decided["prediction"].mean())
    everything = [lived.store.read_table("daily_predictions", day_number(n))["prediction"] for n in range(1, 5)]
    assert found["fraud_predictions_total", ("fraud",)] == sum(each.sum() for each in everything)
    assert found["fraud_predictions_total", ("legitimate",)] == sum((1 - each).sum() for each in everything)
    report = lived.store.read_json("drift_report", day)
    for row in [*report["features"], report["score"]]:
        assert found["fraud_feature_psi", (row["feature"],)] == row["psi"]
    judged = lived.store.read_json("realised_performance", day)
    assert found["fraud_realised_f1", ("week",)] == judged["rolling"]["realised"]["f1"]
    assert found["fraud_realised_precision", ("day",)] == judged["realised"]["precision"]
    counted = [found["fraud_confusion_rows", (name,)] for name in ("true_positives", "false_negatives")]
    assert sum(counted) == judged["rolling"]["realised"]["fraud_count"]
    assert found["fraud_scoring_seconds_count", ()] == 4
    assert 0 < found["fraud_scoring_latency_seconds", ("0.5",)] <= found["fraud_scoring_latency_seconds", ("0.99",)]
    assert found["fraud_predictions_per_minute", ()] > 0
    assert found["fraud_error_ratio", ()] == found["fraud_schema_failure_ratio", ()] == 0
    assert found["fraud_missing_value_ratio", ()] == found["fraud_range_violation_ratio", ()] == 0
    assert found["fraud_runs_total", ("daily", "success")] == 1
    champion = lived.platform.registry.find("champion")
    learned_until = datetime(champion.as_of.year, champion.as_of.month, champion.as_of.day, tzinfo=UTC)
    age = NOW - learned_until - timedelta(days=1)
    assert found["fraud_model_age_seconds", ()] == age.total_seconds()
    assert found["fraud_model_info", ("xgboost", "simulated", champion.semver, champion.version)] == 1


def test_series_are_few_and_none_names_a_day_or_a_transaction(lived, monkeypatch):
    gatherer = gatherer_of(lived, monkeypatch)
    gatherer.gather()
    with serving(gatherer) as exporter:
        _, text = page(exporter, "/metrics")
    found = samples(text)
    assert len(found) <= MAXIMUM_SERIES
    assert not re.search(r'"[^"]*\d{4}-\d{2}-\d{2}[^"]*"', text)
    assert not re.search(r'"[^"]*\d{8}-[0-9a-f]{16}[^"]*"', text)


def test_every_metric_is_documented_and_alerts_ask_for_none_that_does_not_exist(lived, monkeypatch):
    gatherer = gatherer_of(lived, monkeypatch)
    gatherer.gather()
    with serving(gatherer) as exporter:
        _, text = page(exporter, "/metrics")
    served = set(re.findall(r"^# TYPE (fraud_\w+)", text, re.MULTILINE))
    documented = set(re.findall(r"`(fraud_\w+)", (ROOT / "docs/operations.md").read_text()))
    assert served - documented == set()
    told_by_the_host = set(re.findall(r"# TYPE (fraud_\w+)", (ROOT / "deploy/host_metrics.sh").read_text()))
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text()
    assert set(re.findall(r"fraud_[a-z_]+[a-z0-9_]*(?=[\s{}\[)<>=]|$)", rules)) - served - told_by_the_host == set()


def test_it_listens_on_addresses_of_either_kind(lived, monkeypatch):
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    gatherer = gatherer_of(lived, monkeypatch)
    with serving(gatherer, host="::1") as exporter, urlopen(f"http://[::1]:{exporter.port}/metrics") as answer:
        assert answer.status == 200


def test_health_names_the_model_that_decides(lived, monkeypatch):
    gatherer = gatherer_of(lived, monkeypatch)
    with serving(gatherer) as exporter:
        gatherer.gather()
        status, text = page(exporter, "/health")
    told = json.loads(text)
    champion = lived.platform.registry.find("champion")
    assert (status, told["status"], told["reason"]) == (200, "well", "")
    assert told["model"]["semver"] == champion.semver
    assert told["newest_day"] == day_number(4).isoformat()


def test_a_source_that_is_away_is_named_and_the_others_are_still_read(lived, monkeypatch):
    gatherer = gatherer_of(lived, monkeypatch)
    gatherer.gather()

    def away():
        raise RegistryUnavailableError("http://mlflow:5000 does not answer")

    gatherer._registry = away
    gatherer.gather()
    with serving(gatherer) as exporter:
        status, text = page(exporter, "/health")
        told = json.loads(text)
        found = samples(page(exporter, "/metrics")[1])
    assert status == 503
    assert told["reason"].startswith("registry: http://mlflow:5000 does not answer; ")
    assert {source: found["fraud_source_up", (source,)] for source in SOURCES} == {
        "history": 1,
        "storage": 1,
        "registry": 0,
    }
    # What the registry told last is still shown.
    assert told["model"] is not None


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: '{"a report": "of another version"}',
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        # A figure that is none would otherwise be found out only while the page is made.
        lambda text: text.replace('"psi": ', '"psi": "high", "was": '),
    ],
)
def test_a_report_that_cannot_be_understood_does_not_take_the_page_away(lived, monkeypatch, mangle):
    gatherer = gatherer_of(lived, monkeypatch)
    gatherer.gather()
    read = type(lived.store).read_bytes
    monkeypatch.setattr(
        type(lived.store), "read_bytes", lambda store, *what: mangle(read(store, *what).decode()).encode()
    )
    gatherer.gather()
    with serving(gatherer) as exporter:
        status, told = page(exporter, "/health")
        assert status == 503
        assert f"drift_report of {day_number(4)} is no such report" in json.loads(told)["reason"]
        found = samples(page(exporter, "/metrics")[1])
    assert found["fraud_source_up", ("storage",)] == 0
    assert found["fraud_feature_psi", ("V1",)] >= 0


def test_an_empty_platform_is_well_and_shows_no_figure_it_does_not_have(home, dagster_instance, monkeypatch):
    empty = PlatformHome(load_settings(), dagster_instance)
    gatherer = gatherer_of(empty, monkeypatch)
    gatherer.gather()
    with serving(gatherer) as exporter:
        status, text = page(exporter, "/health")
        found = samples(page(exporter, "/metrics")[1])
    assert status == 200, text
    assert json.loads(text)["model"] is None
    assert found["fraud_predictions_total", ("fraud",)] == 0
    assert not [name for name, _ in found if name.startswith(("fraud_realised", "fraud_feature", "fraud_last_ingest"))]


def test_before_the_first_round_nothing_is_claimed(home, dagster_instance):
    unread = PlatformHome(load_settings(), dagster_instance)
    gatherer = Gatherer(store=lambda: unread.store, registry=lambda: unread.platform.registry, clock=lambda: NOW)
    assert not health_of(gatherer.snapshot, NOW, every_seconds=15).is_well


def test_figures_that_nobody_renews_are_not_well():
    gathered = Snapshot(gathered_at=NOW, findings=(Finding("history", True, "4 days"),))
    assert health_of(gathered, NOW + timedelta(seconds=70), every_seconds=15).is_well
    old = health_of(gathered, NOW + timedelta(seconds=80), every_seconds=15)
    assert not old.is_well
    assert "80 s" in old.reason


def test_no_other_page_is_served(home, dagster_instance, monkeypatch):
    empty = PlatformHome(load_settings(), dagster_instance)
    gatherer = gatherer_of(empty, monkeypatch)
    with serving(gatherer) as exporter:
        assert page(exporter, "/")[0] == 404
        assert page(exporter, "/metrics/../../etc/passwd")[0] == 404
        # What somebody adds to the address of a page changes nothing.
        assert page(exporter, "/metrics?name[]=up")[0] == 200
