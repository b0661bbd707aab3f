"""The lifting of one-day functions: one day or a range, the same code, one day in memory at a time."""

from datetime import date, timedelta

import dagster as dg
import pandas as pd
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from s3fs.errors import translate_boto_error

from fraud_platform.day_store import DayStore
from fraud_platform.defs.daily_asset import DayMap, Input, daily_asset, retried_only_where_time_helps
from fraud_platform.defs.daily_check import Verdict, daily_check
from fraud_platform.defs.io_managers import DescribedTable, DocumentIOManager, FooterIOManager, TableIOManager
from fraud_platform.defs.partitions import DAYS
from fraud_platform.defs.resources import Platform
from fraud_platform.errors import DataError

FIRST = date.fromisoformat(DAYS.get_first_partition_key())
RANGE = [FIRST + timedelta(days=position) for position in range(4)]


@daily_asset(io_manager_key="tables")
def landed(day: date) -> dg.Output:
    """A table that knows its day."""
    if day == FIRST + timedelta(days=9):
        raise DataError("file bad.csv has no column V3")
    table = pd.DataFrame({"day": [day.isoformat()], "number": [day.toordinal()]})
    return dg.Output(DescribedTable(table, {"note": f"footer of {day}"}), metadata={"number": day.toordinal()})


@daily_asset(
    inputs={"landed": Input(days_back=2, io_manager="footers")},
    io_manager_key="documents",
)
def window(day: date, landed: DayMap) -> dg.Output:
    """The footers of the last three days."""
    return dg.Output({each.isoformat(): landed[each]["note"] for each in landed})


@daily_asset(inputs={"landed": Input(columns=("number",))}, io_manager_key="documents")
def doubled(day: date, landed: pd.DataFrame) -> dg.Output:
    """Twice the number, from the one column it asked for."""
    return dg.Output({"columns": landed.columns.tolist(), "double": 2 * int(landed["number"].iloc[0])})


EVEN = daily_check(
    asset="landed",
    name="even",
    description="the number is even",
    judge=lambda day, platform: Verdict(day.toordinal() % 2 == 0, f"{day.toordinal()} is judged"),
    blocking=False,
)


@pytest.fixture
def run(tmp_path, dagster_instance):
    where = {"storage_url": str(tmp_path)}
    resources = {
        "tables": TableIOManager(**where),
        "footers": FooterIOManager(**where),
        "documents": DocumentIOManager(**where),
        "platform": Platform(landing_url=str(tmp_path / "landing"), tracking_url="sqlite://", **where),
    }

    instance = dagster_instance

    def materialise(days, assets=(landed, window, doubled, EVEN), **options):
        tags = {
            "dagster/asset_partition_range_start": days[0].isoformat(),
            "dagster/asset_partition_range_end": days[-1].isoformat(),
        }
        if len(days) == 1:
            return dg.materialize(
                assets, partition_key=days[0].isoformat(), instance=instance, resources=resources, **options
            )
        return dg.materialize(assets, tags=tags, instance=instance, resources=resources, **options)

    materialise.instance = instance
    materialise.store = DayStore.at(tmp_path)
    return materialise


def test_a_range_in_one_run_stores_what_single_days_store(run, tmp_path):
    assert run(RANGE).success
    ranged = {
        (asset, day): run.store.read_bytes(asset, day, "json") for asset in ("window", "doubled") for day in RANGE
    }
    for day in RANGE:
        assert run([day]).success
    assert ranged == {(asset, day): run.store.read_bytes(asset, day, "json") for asset, day in ranged}


def test_each_day_of_a_range_has_its_own_metadata(run):
    run(RANGE)
    records = run.instance.fetch_materializations(dg.AssetKey("landed"), limit=10).records
    numbers = {r.partition_key: r.asset_materialization.metadata["number"].value for r in records}
    assert numbers == {day.isoformat(): day.toordinal() for day in RANGE}


def test_a_window_reaches_back_as_far_as_days_are_stored(run):
    run(RANGE)
    assert list(run.store.read_json("window", RANGE[0])) == [RANGE[0].isoformat()]
    assert list(run.store.read_json("window", RANGE[3])) == [day.isoformat() for day in RANGE[1:]]


def test_a_backfill_of_a_day_is_of_that_day_only():
    # A mapping over the window would pull in every later day that looks back on the one asked for.
    assert window.get_partition_mapping(dg.AssetKey("landed")) is None


def test_a_window_without_its_own_day_is_named(run):
    run([RANGE[0]])
    result = run([RANGE[1]], assets=(landed, window), selection=["window"], raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "is not stored; materialise landed" in failure.step_failure_data.user_failure_data.description


def test_only_the_columns_asked_for_are_read(run):
    run([FIRST])
    assert run.store.read_json("doubled", FIRST) == {"columns": ["number"], "double": 2 * FIRST.toordinal()}


def test_a_bad_day_stops_neither_the_others_nor_their_record(run):
    days = [FIRST + timedelta(days=position) for position in range(7, 11)]
    result = run(days, raise_on_error=False)
    assert not result.success
    good = [day for day in days if day != FIRST + timedelta(days=9)]
    assert run.store.days("landed", "parquet") == good
    recorded = run.instance.fetch_materializations(dg.AssetKey("landed"), limit=10).records
    assert sorted(record.partition_key for record in recorded) == [day.isoformat() for day in good]
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == f"{days[2]}: file bad.csv has no column V3"


def test_bad_data_fails_at_once_with_its_day_and_message(run):
    bad = FIRST + timedelta(days=9)
    result = run([bad], raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data.description == f"{bad}: file bad.csv has no column V3"
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def _refusal(code: str, said: str) -> OSError:
    """What S3's client makes of an answer."""
    error = translate_boto_error(ClientError({"Error": {"Code": code, "Message": said}}, "PutObject"))
    assert isinstance(error, OSError)
    return error


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        # What may pass is tried again, and says what to do should it not pass.
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            ConnectionError,
            'Could not connect to the endpoint URL: "http://127.0.0.1:1"; start the server behind AWS_ENDPOINT_URL',
        ),
        (
            _refusal("ExpiredToken", "The provided token has expired."),
            (ConnectionError, dg.Failure),
            "The provided token has expired.; renew the credential",
        ),
        (_refusal("AccessDenied", "Access Denied"), dg.Failure, "Access Denied; let this account s3:ListBucket"),
    ],
)
def test_storage_that_refuses_says_in_one_line_what_to_do(raised, kind, said):
    with pytest.raises(kind) as seen, retried_only_where_time_helps(FIRST):
        raise raised
    message = seen.value.description if isinstance(seen.value, dg.Failure) else str(seen.value)
    assert said in message
    assert "\n" not in message


def test_a_missing_upstream_day_is_named(run):
    result = run([FIRST], assets=(landed, doubled), selection=["doubled"], raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "materialise landed for that day first" in failure.step_failure_data.user_failure_data.description


def test_every_day_of_a_range_gets_its_own_verdict(run):
    run(RANGE)
    history = run.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("landed"), "even"), limit=20
    )
    evaluations = [record.event.dagster_event.event_specific_data for record in history if record.event]
    verdicts = {each.partition: each.passed for each in evaluations if isinstance(each, dg.AssetCheckEvaluation)}
    assert {day.isoformat(): day.toordinal() % 2 == 0 for day in RANGE}.items() <= verdicts.items()
    assert verdicts[None] is False


def test_a_range_can_be_judged_again(run):
    assert run(RANGE).success
    assert run(RANGE).success
    history = run.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("landed"), "even"), limit=40
    )
    # Two runs, each with one evaluation a day and one of the range; none is left "planned".
    assert len(history) == 2 * (len(RANGE) + 1)
    assert not [record for record in history if record.status.value == "PLANNED"]


def test_the_evaluation_of_a_range_lists_its_days(run):
    result = run(RANGE)
    (evaluation,) = [each for each in result.get_asset_check_evaluations() if each.partition is None]
    listing = evaluation.metadata["day by day"].value
    assert [day.isoformat() in listing for day in RANGE] == [True] * 4
    assert evaluation.metadata["verdict"].value == "2 of 4 days failed"


def test_a_single_day_is_evaluated_in_its_partition(run):
    result = run([FIRST])
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.partition == FIRST.isoformat()


def test_a_parameter_nobody_provides_is_refused_at_import():
    with pytest.raises(TypeError, match="asks for \\['labels'\\]"):

        @daily_asset(io_manager_key="documents")
        def unknown(day: date, labels: pd.DataFrame) -> dg.Output:
            """Asks for what it has not declared."""
            return dg.Output({})
