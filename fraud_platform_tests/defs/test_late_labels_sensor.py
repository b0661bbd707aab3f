"""Which days are reported again when labels arrive late: once for each change, and only where labels concern them."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.history import latest_materialisation_metadata
from fraud_platform.defs.jobs import RANGE_END_TAG, RANGE_START_TAG
from fraud_platform.defs.runs import QUIET
from fraud_platform.ingestion.label_lookup import LabelFacts, label_state
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.defs.test_sensors import tick
from fraud_platform_tests.platform_home import SCORED, PlatformHome, day_number, open_home

DAYS = [day_number(number) for number in range(1, 5)]


@pytest.fixture
def home(tmp_path) -> Iterator[PlatformHome]:
    with open_home(tmp_path / "home") as home:
        yield home


def label(home: PlatformHome, arrived: date, version: str, *about: date) -> None:
    """What the labels of a day leave in the event log."""
    materialise(home.instance, "confirmed_labels", arrived, **LabelFacts(version, frozenset(about)).as_text())


def asked(home: PlatformHome) -> list[str]:
    """The day of each request, or its first and last with dots between."""
    return [
        request.partition_key or f"{request.tags[RANGE_START_TAG]}...{request.tags[RANGE_END_TAG]}"
        for request in tick(home, "late_labels_sensor")[0]
    ]


def test_without_figures_nothing_is_asked_for(home):
    assert tick(home, "late_labels_sensor")[:2] == ([], "no realised performance yet")


def test_figures_from_before_labels_were_recorded_are_left_as_they_are(home):
    label(home, DAYS[1], "v1", DAYS[0])
    materialise(home.instance, "realised_performance", DAYS[0])
    assert asked(home) == []


def test_a_change_is_asked_for_once_even_while_its_run_waits(home):
    materialise(home.instance, "realised_performance", DAYS[0], label_state="of no label")
    label(home, DAYS[1], "v1", DAYS[0])
    ((request,), _, _) = tick(home, "late_labels_sensor")
    assert request.partition_key == DAYS[0].isoformat()
    assert request.asset_selection == [dg.AssetKey("realised_performance")]
    assert f"the newest: labels that arrived on {DAYS[1]}" in request.tags["fraud/cause"]
    create_run_for_test(home.instance, "daily", status=dg.DagsterRunStatus.NOT_STARTED, tags=dict(request.tags))
    assert asked(home) == []
    # Another change of the same labels is another cause.
    label(home, DAYS[1], "v2", DAYS[0])
    assert asked(home) == [DAYS[0].isoformat()]


def test_days_in_a_row_are_one_run_and_a_gap_begins_another(home):
    for number in (0, 1, 3):
        materialise(home.instance, "realised_performance", DAYS[number], label_state="of no label")
    label(home, DAYS[3], "v1", *DAYS)
    assert asked(home) == [f"{DAYS[0]}...{DAYS[1]}", DAYS[3].isoformat()]


def test_a_change_whose_run_failed_is_asked_for_three_times(home):
    materialise(home.instance, "realised_performance", DAYS[0], label_state="of no label")
    label(home, DAYS[1], "v1", DAYS[0])
    keys = set()
    for _ in range(3):
        ((request,), _, _) = tick(home, "late_labels_sensor")
        keys.add(request.run_key)
        create_run_for_test(home.instance, "daily", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags))
    assert len(keys) == 3
    assert asked(home) == []


def test_as_days_pass_nothing_is_asked_for_again(home):
    calendar = [day_number(number) for number in range(-60, 1)]
    facts = {day: LabelFacts("v1", frozenset([day])) for day in calendar}
    for day in calendar:
        materialise(home.instance, "confirmed_labels", day, **facts[day].as_text())
        state = label_state(facts, day - timedelta(days=6), day)
        materialise(home.instance, "realised_performance", day, label_state=state)
    assert asked(home) == []


@pytest.fixture
def lived(copied_home) -> PlatformHome:
    copied_home.materialise(("raw_transactions", "confirmed_labels", "features", *SCORED), DAYS[0], DAYS[-1])
    return copied_home


def test_a_late_correction_changes_the_figures_of_its_day_and_of_the_week_after(lived):
    assert asked(lived) == []
    # One of the second day's frauds turns out to be none, on the fourth day.
    table = lived.store.read_table("raw_transactions", DAYS[1])
    identifier = table.loc[table["Class"] == 1, "transaction_id"].iloc[0]
    before = lived.store.read_json("realised_performance", DAYS[1])["realised"]["fraud_count"]
    lived.put(DAYS[3], "disputes.csv", f"transaction_id,Class\n{identifier},0\nnobody,1\n", kind="labels")
    lived.materialise(["confirmed_labels"], DAYS[3])
    told = latest_materialisation_metadata(lived.instance, "confirmed_labels", DAYS[3])
    assert told["by_source"]["customer_dispute"] == 1
    assert told["by_transaction_day"] == {DAYS[1].isoformat(): 1, DAYS[3].isoformat(): 3_000}
    assert told["labels_without_transaction"] == 1
    # The first day's week ends before the correction's transaction.
    assert asked(lived) == [f"{DAYS[1]}...{DAYS[-1]}"]
    ((request,), _, _) = tick(lived, "late_labels_sensor")
    done = lived.definitions.resolve_job_def("daily").execute_in_process(
        instance=lived.instance, asset_selection=request.asset_selection, tags=request.tags, run_config=QUIET
    )
    assert done.success
    assert asked(lived) == []
    assert lived.store.read_json("realised_performance", DAYS[1])["realised"]["fraud_count"] == before - 1
