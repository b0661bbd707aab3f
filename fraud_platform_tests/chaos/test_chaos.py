"""A handful of each kind of trouble, in every run of the tests; `make audit-chaos` takes hundreds (`test_at_length`).

Whatever happens to a run, the same run again leaves what it would have left had nothing happened.
"""

from fraud_platform_tests.chaos.installation import DAILY, LIVED, RETRAINING
from fraud_platform_tests.chaos.proxy import Fault, running_proxy
from fraud_platform_tests.chaos.trials import (
    Moment,
    assert_survives_being_killed,
    random_moments,
)
from fraud_platform_tests.chaos.troubles import (
    assert_survives_a_full_disk,
    assert_survives_a_replaced_file,
    assert_survives_a_wrong_clock,
    assert_survives_storage_faults,
    assert_survives_two_at_once,
)


def test_a_day_whose_run_was_killed_is_completed_by_the_next(on_disk):
    for moment in random_moments(on_disk, DAILY, count=2, seed=1):
        assert_survives_being_killed(on_disk, DAILY, moment)


def test_a_training_whose_run_was_killed_is_completed_by_the_next(on_disk):
    operations = on_disk.lives[RETRAINING].operations
    # The last write to the audit trail: the model is champion already, and nobody has written down why.
    place = max(number for number, name in enumerate(operations, start=1) if name == "pwrite")
    assert_survives_being_killed(on_disk, RETRAINING, Moment(place, "half"))


def test_a_day_in_an_object_store_survives_a_kill(on_s3):
    puts = [place for place, name in enumerate(on_s3.lives[DAILY].operations, start=1) if name == "s3 PUT"]
    assert_survives_being_killed(on_s3, DAILY, Moment(puts[len(puts) // 2], "after"))


def test_single_storage_errors_pass_unnoticed(on_s3, s3_process):
    with running_proxy(s3_process) as proxy:
        assert_survives_storage_faults(on_s3, DAILY, proxy, Fault("throttled", first=3, step=6))


def test_a_disk_that_fills_up_spoils_nothing(on_disk):
    assert_survives_a_full_disk(on_disk, DAILY, free_bytes=300_000)


def test_a_clock_that_jumps_changes_nothing_but_times(on_disk):
    assert_survives_a_wrong_clock(on_disk, DAILY, at=150, by_seconds=-3 * 3600.0)


def test_two_trainings_of_one_day_at_once_make_one_model(on_disk):
    assert_survives_two_at_once(on_disk, RETRAINING)


def test_a_file_replaced_while_it_is_read_is_read_whole(on_disk):
    assert_survives_a_replaced_file(on_disk, LIVED, how="rewrite", after_read=1)
