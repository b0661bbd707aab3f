"""What becomes of models without anybody asking, from real event logs and a real registry: once, for a cause."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from fraud_platform.defs.history import latest_materialisation_metadata
from fraud_platform.defs.runs import QUIET
from fraud_platform.registry.shadow import begin_shadow
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.defs.test_sensors import tick
from fraud_platform_tests.platform_home import SCORED, PlatformHome, day_number, open_home, register_twin

ONE, FOUR, FIVE = map(day_number, (1, 4, 5))


def run(home: PlatformHome, job: str, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    """What the daemon would run."""
    return home.definitions.resolve_job_def(job).execute_in_process(
        instance=home.instance, run_config={**request.run_config, **QUIET}, tags=dict(request.tags)
    )


# -- shadow -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path) -> Iterator[PlatformHome]:
    with open_home(tmp_path / "home") as home:
        yield home


def reported(home: PlatformHome, number: int, action: str, version: str = "2") -> None:
    facts: dict[str, Any] = {
        "challenger_version": version,
        "action": action,
        "reason": "because",
        "reasons": ["because"],
    }
    materialise(home.instance, "shadow_report", day_number(number), **facts)


def test_without_a_challenger_nothing_is_asked_for(home):
    assert tick(home, "shadow_sensor")[:2] == ([], "no challenger in shadow")
    materialise(home.instance, "shadow_report", ONE, status="not applicable")
    assert tick(home, "shadow_sensor")[:2] == ([], "no challenger in shadow")


@pytest.mark.parametrize("action", ["wait", "extend", "approve"])
def test_a_shadow_that_goes_on_says_why(home, action):
    reported(home, 1, action)
    assert tick(home, "shadow_sensor")[:2] == ([], f"version 2: {action}: because")


@pytest.mark.parametrize("action", ["promote", "reject"])
def test_a_verdict_is_carried_out_once_with_its_reasons(home, action):
    reported(home, 1, action)
    ((request,), _, _) = tick(home, "shadow_sensor")
    given = request.run_config["ops"]["settlement"]["config"]
    assert given == {"version": "2", "action": action, "reason": "shadow: because"}
    waiting = dg.DagsterRunStatus.NOT_STARTED
    create_run_for_test(home.instance, "settle_shadow", status=waiting, tags=dict(request.tags))
    reported(home, 2, action)
    assert tick(home, "shadow_sensor")[:2] == ([], "settlement of version 2 has been asked for already")
    reported(home, 3, action, version="3")
    assert len(tick(home, "shadow_sensor")[0]) == 1


def test_a_change_that_fails_is_tried_three_times_and_then_waits_for_a_person(home):
    reported(home, 1, "promote")
    keys = []
    for _ in range(3):
        ((request,), _, _) = tick(home, "shadow_sensor")
        keys.append(request.run_key)
        create_run_for_test(home.instance, "settle_shadow", status=dg.DagsterRunStatus.FAILURE, tags=dict(request.tags))
    assert len(set(keys)) == 3
    requests, skipped, _ = tick(home, "shadow_sensor")
    assert requests == []
    assert "failed 3 times and waits for a person: because" in skipped


def test_a_challenger_scores_beside_the_champion_and_takes_over_when_its_shadow_ends_well(copied_home, monkeypatch):
    monkeypatch.setenv("FRAUD_SHADOW_DAYS", "1")
    registry = copied_home.platform.registry
    twin = register_twin(registry)
    begin_shadow(registry, twin, first_day=FIVE, reason="a twin")
    copied_home.materialise(SCORED, FOUR)
    copied_home.land([FIVE])
    copied_home.daily(FIVE)
    table = copied_home.store.read_table("daily_predictions", FIVE)
    # The twin answers alike, and the champion has decided.
    assert set(table["challenger_version"]) == {"2"}
    assert table["challenger_probability"].tolist() == table["fraud_probability"].tolist()
    assert set(table["model_version"]) == {"1"}
    assert copied_home.store.read_table("daily_predictions", FOUR)["challenger_version"].isna().all()
    assert copied_home.store.read_json("shadow_report", FOUR)["status"] == "not_applicable"
    told = latest_materialisation_metadata(copied_home.instance, "shadow_report", FIVE)
    assert (told["action"], told["agreement"], told["shadow_day_count"]) == ("promote", 1.0, 1)
    ((request,), _, _) = tick(copied_home, "shadow_sensor")
    assert run(copied_home, "settle_shadow", request).success
    champion = registry.find("champion")
    assert (champion.version, champion.shadow_from, champion.shadow_until) == ("2", FIVE, FIVE)
    assert [registry.champion_as_of(day_number(number)).version for number in (5, 6)] == ["1", "2"]
    # Scored again, the day shows the shadow it had.
    copied_home.materialise(["daily_predictions"], FIVE)
    assert set(copied_home.store.read_table("daily_predictions", FIVE)["challenger_version"]) == {"2"}


def test_a_rejected_challenger_is_archived_with_its_reason(copied_home):
    registry = copied_home.platform.registry
    begin_shadow(registry, register_twin(registry), first_day=FIVE, reason="a twin")
    reported(copied_home, 5, "reject")
    ((request,), _, _) = tick(copied_home, "shadow_sensor")
    assert run(copied_home, "settle_shadow", request).success
    version = registry.find("2")
    assert (version.stage, version.rejection, version.aliases) == ("Archived", "shadow: because", ())
    assert registry.find("champion").version == "1"


# -- rollback ---------------------------------------------------------------------------------------------------------


def decided(home: PlatformHome, number: int, *, hits: int, errors: int) -> None:
    day = day_number(number)
    materialise(home.instance, "features", day)
    materialise(home.instance, "daily_predictions", day)
    home.store.write_table("daily_predictions", day, pd.DataFrame({"transaction_id": ["a"]}))
    facts: dict[str, Any] = {"true_positives": hits, "false_positives": errors, "false_negatives": 0}
    materialise(home.instance, "realised_performance", day, labelled_share=1.0, is_mature=True, **facts)


@pytest.fixture
def promoted(copied_home) -> PlatformHome:
    """A home whose second champion decides from the sixth day on; the first one did well."""
    registry = copied_home.platform.registry
    promoted_at = registry.find("champion").created_at
    registry.promote(register_twin(registry), day=day_number(6), reason="a test", promoted_at=promoted_at)
    decided(copied_home, 5, hits=20, errors=2)
    return copied_home


def test_a_champion_that_does_well_stays(promoted):
    decided(promoted, 6, hits=20, errors=2)
    requests, skipped, _ = tick(promoted, "rollback_sensor")
    assert requests == []
    assert skipped.startswith("realised F1 0.952 on 20 frauds with mature labels")


def test_a_champion_that_fails_in_its_first_days_goes_back_once(promoted):
    decided(promoted, 6, hits=20, errors=30)
    ((request,), _, _) = tick(promoted, "rollback_sensor")
    assert request.tags["fraud/cause"].startswith("realised F1 0.571 on 20 frauds")
    assert run(promoted, "roll_back_model", request).success
    registry = promoted.platform.registry
    assert registry.find("champion").version == "1"
    assert registry.find("2").rejection == request.tags["fraud/cause"]
    # From the first undecided day on: the past keeps its champions.
    assert [registry.champion_as_of(day_number(number)).version for number in (5, 6)] == ["1", "2"]
    requests, _, _ = tick(promoted, "rollback_sensor")
    assert requests == []


def test_days_that_could_not_be_scored_count_too(promoted):
    for number in (6, 7):
        materialise(promoted.instance, "features", day_number(number))
    assert tick(promoted, "rollback_sensor")[0] == []
    for number in (6, 7):
        tags = {"dagster/partition": day_number(number).isoformat()}
        create_run_for_test(promoted.instance, "daily", status=dg.DagsterRunStatus.FAILURE, tags=tags)
    ((request,), _, _) = tick(promoted, "rollback_sensor")
    assert request.tags["fraud/cause"] == f"2 days could not be scored since {day_number(6)}"


def test_without_a_scored_day_or_a_reachable_registry_nothing_is_asked_for(home, monkeypatch):
    assert tick(home, "rollback_sensor")[:2] == ([], "no day is scored yet")
    materialise(home.instance, "daily_predictions", ONE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with open_home(home.settings.home, MLFLOW_TRACKING_URI="http://127.0.0.1:9") as cut_off:
        materialise(cut_off.instance, "daily_predictions", ONE)
        requests, skipped, _ = tick(cut_off, "rollback_sensor")
    assert requests == []
    assert "cannot list the registered models" in skipped
