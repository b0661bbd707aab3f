"""A short life: the sensors carry it, the past stays answerable, and days that are scored again come out the same."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fraud_platform.defs.runs import QUIET
from fraud_platform.defs.ticking import AskedRun, Clockwork
from fraud_platform.monitoring.charge import in_charge
from fraud_platform.registry.shadow import begin_shadow
from fraud_platform.simulation.upstream import Upstream
from fraud_platform_tests.platform_home import SCORED, PlatformHome, day_number, open_home, register_twin

DAYS = [day_number(number) for number in range(1, 10)]
LEARNED = DAYS[:4]
SETTINGS = {
    "FRAUD_SEARCH_TRIALS": "0",
    "FRAUD_SHADOW_DAYS": "1",
    "FRAUD_LABEL_DELAY_DAYS": "1",
    # How good the models are does not matter here: any is released, and none is rolled back but by hand.
    **{f"FRAUD_MIN_{figure}": "0" for figure in ("F1", "PRECISION", "RECALL", "AVERAGE_PRECISION")},
    "FRAUD_MAX_TRAIN_VALIDATION_GAP": "1",
    "FRAUD_ROLLBACK_WATCH_DAYS": "0",
}


@dataclass(frozen=True)
class Life:
    """A home that was lived in, and what its sensors asked for on each of the days."""

    home: PlatformHome
    asked: dict[int, list[AskedRun]]

    def asked_for(self, number: int, sensor: str) -> list[AskedRun]:
        """What `sensor` asked for on the day with this number, from 1."""
        return [run for run in self.asked[number] if run.asked_by == sensor]


@pytest.fixture(scope="module")
def life(tmp_path_factory) -> Iterator[Life]:
    """Four days of history; a twin of the champion enters shadow on the sixth, is promoted, and rolled back by hand."""
    upstream = Upstream(first_day=DAYS[0], seed=1, rows_per_day=1_500, fraud_rate=0.04, label_delay_days=1)
    with open_home(tmp_path_factory.mktemp("life") / "home", **SETTINGS) as home:
        clockwork, asked = Clockwork(home.definitions, home.instance, is_monthly=False), {}
        for number, day in enumerate(DAYS, 1):
            upstream.land(home.landing, day)
            if number == 6:
                twin = register_twin(home.platform.registry)
                begin_shadow(home.platform.registry, twin, first_day=day, reason="a test")
            if number == 9:
                home.definitions.resolve_job_def("roll_back_model").execute_in_process(
                    instance=home.instance, run_config={"ops": {"rollback": {"config": {"reason": "enough"}}}, **QUIET}
                )
            asked[number] = clockwork.finish(day)
            if day == LEARNED[-1]:
                home.retrain(day)
                home.materialise(SCORED, DAYS[0], day)
        yield Life(home, asked)


def test_what_lands_is_lived_by_the_sensors_and_nothing_fails(life):
    assert all(run.problem is None for runs in life.asked.values() for run in runs)
    assert life.home.store.days("daily_predictions", "parquet") == DAYS
    for number in range(5, 10):
        assert [run.day for run in life.asked_for(number, "landing_sensor")] == [day_number(number)]


def test_a_day_whose_labels_have_arrived_is_reported_again(life):
    assert day_number(7) in [run.day for run in life.asked_for(8, "late_labels_sensor")]
    assert life.home.store.read_json("realised_performance", day_number(7))["is_mature"]


def test_a_shadow_ends_by_itself_when_its_labels_are_there(life):
    assert not life.asked_for(6, "shadow_sensor")
    (promotion,) = life.asked_for(7, "shadow_sensor")
    assert (promotion.job, promotion.change) == ("settle_shadow", "settlement of version 2")


def test_everybody_can_ask_who_decided_a_day_and_why(life):
    registry, store = life.home.platform.registry, life.home.store
    answers = {day: in_charge(registry, store, day) for day in DAYS}
    assert all(answer.is_consistent for answer in answers.values())
    # Hindsight, the first champion, the twin, and the first one again.
    assert [answers[day].model.version.version for day in DAYS] == ["1"] * 7 + ["2", "1"]
    reasons = [answers[day_number(number)].model.tenure.reason for number in (1, 7, 8, 9)]
    assert reasons[0] == reasons[1] == "it passed every gate and there is no champion yet"
    assert reasons[2].startswith("shadow: realised F1 is")
    assert reasons[3] == "rollback: enough"
    facts = answers[day_number(6)].as_facts()
    assert facts["in shadow"].endswith("(version 2)")
    assert facts["decides"] == f"from {day_number(5)} to {day_number(7)}"


@pytest.mark.parametrize("number", [2, 5, 6, 7, 8])  # hindsight, alone, in shadow twice, the twin's
def test_a_replay_of_a_past_day_gives_the_same_decisions(life, number):
    day = day_number(number)
    before = life.home.store.read_table("daily_predictions", day)
    life.home.materialise(("daily_predictions",), day)
    after = life.home.store.read_table("daily_predictions", day)
    assert before["challenger_version"].notna().any() == (number in (6, 7))
    assert before.drop(columns="scored_at").equals(after.drop(columns="scored_at"))
