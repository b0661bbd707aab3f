"""A life of the platform: when the first model is trained, what is told of the days, and what makes room for it."""

from datetime import date, timedelta

import dagster as dg
import pytest

from fraud_platform.defs.demo import DayStory, ReleaseStory, releases, stories
from fraud_platform.defs.demo_calendar import first_training_day
from fraud_platform.defs.demo_home import clear
from fraud_platform.defs.instance import open_instance
from fraud_platform.errors import PlatformError
from fraud_platform_tests.defs.test_history import materialise
from fraud_platform_tests.defs.test_sensors import retrained
from fraud_platform_tests.platform_home import PlatformHome, day_number
from fraud_platform_tests.registry.candidates import candidate
from fraud_platform_tests.registry.registration import NOON

DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(10)]


@pytest.mark.parametrize(
    ("day_count", "drift_from", "expected"),
    [
        (10, None, 7),  # seven days of ten
        (10, 8, 7),  # drift begins after them
        (10, 5, 4),  # all of the days before drift
        (10, 3, 2),  # two are enough
        (3, None, 2),  # one day is left to live
        (2, None, 1),
        (1, None, 1),  # a single day is history and life
    ],
)
def test_the_first_model_learns_from_history_but_never_from_drift(day_count, drift_from, expected):
    drift_day = DAYS[drift_from - 1] if drift_from else None
    assert first_training_day(DAYS[:day_count], drift_day) == DAYS[expected - 1]


@pytest.mark.parametrize("drift_from", [1, 2])
def test_drift_too_early_is_refused_with_the_first_day_that_will_do(drift_from):
    with pytest.raises(PlatformError, match="choose a day from 2026-01-03 on"):
        first_training_day(DAYS, DAYS[drift_from - 1])


ONE, TWO, THREE = map(day_number, (1, 2, 3))


def scored(instance, day: date, **outcome: object) -> None:
    materialise(instance, "raw_transactions", day, frauds=outcome.pop("frauds", 3))
    materialise(
        instance,
        "daily_predictions",
        day,
        **{"dagster/row_count": 100, "alerts": 4, "model_semver": "1.0.0", "scored_in_hindsight": day == ONE},
    )
    materialise(instance, "drift_report", day, status="stable", drifted_features=["V1"])
    materialise(instance, "realised_performance", day, **outcome)


def test_a_day_is_told_from_its_metadata(dagster_instance):
    scored(dagster_instance, ONE, precision=0.5, recall=0.75, f1=0.6)
    assert stories(dagster_instance, [ONE]) == [
        DayStory(
            day=ONE,
            transactions=100,
            frauds=3,
            alerts=4,
            precision=0.5,
            recall=0.75,
            f1=0.6,
            drift="stable",
            drifted_features=1,
            model_version="1.0.0",
            is_hindsight=True,
        )
    ]


def test_a_day_without_labels_is_told_without_figures_and_one_never_scored_not_at_all(dagster_instance):
    scored(dagster_instance, TWO, frauds="not labelled", status="not applicable")
    (told,) = stories(dagster_instance, [ONE, TWO, THREE])
    assert (told.day, told.frauds, told.precision, told.f1, told.is_hindsight) == (TWO, None, None, None, False)


def test_each_model_is_told_with_what_was_decided(dagster_instance):
    for day, action in ((ONE, "rejected"), (THREE, "released")):
        materialise(dagster_instance, "model_release", day, action=action, reason="because", trigger="drift")
        materialise(dagster_instance, "validation_metrics", day, test_average_precision=0.8, test_f1=0.7)
    assert releases(dagster_instance, [ONE, TWO, THREE]) == [
        ReleaseStory(day, action, "because", "drift", 0.8, 0.7)
        for day, action in ((ONE, "rejected"), (THREE, "released"))
    ]


def test_room_is_made_of_everything_an_earlier_demo_left(copied_home):
    with open_instance() as instance:
        materialise(instance, "features", ONE)
        retrained(PlatformHome(copied_home.settings, instance), "drift", ONE, action="released")
    copied_home.store.write_json("keep_me", ONE, {})
    clear(copied_home.settings)
    assert copied_home.landing.days() == []
    assert copied_home.stored_bytes(("raw_transactions", "features", "quarantine", "trained_model")) == {}
    assert copied_home.platform.registry.versions() == []
    with open_instance() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("features")) == set()
        assert instance.get_runs() == []
    # Only what a demo makes is removed.
    assert copied_home.store.exists("keep_me", ONE, "json")


def test_files_and_labels_that_no_demo_made_are_refused_and_kept(copied_home):
    path = copied_home.put(ONE, "bank_labels.csv", "x", kind="labels")
    before = copied_home.stored_bytes()
    with pytest.raises(PlatformError, match=r"holds 1 files that no demo made \(first: bank_labels.csv\)"):
        clear(copied_home.settings)
    assert path.exists()
    assert copied_home.stored_bytes() == before
    assert len(copied_home.landing.days()) == 4


def test_a_model_learned_from_landed_data_is_refused_and_kept(copied_home):
    bundle = candidate(rounds=2, origin="landed")
    copied_home.platform.registry.register(
        bundle.to_bytes(),
        digest=bundle.digest,
        as_of=ONE,
        algorithm="xgboost",
        feature_schema_version=1,
        origin="landed",
        cause="manual",
        run_id=None,
        created_at=NOON,
        description="the bank's own",
    )
    with pytest.raises(PlatformError, match="holds models learned from landed data"):
        clear(copied_home.settings)
    assert len(copied_home.platform.registry.versions()) == 2
    assert len(copied_home.landing.days()) == 4
