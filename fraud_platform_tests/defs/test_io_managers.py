"""How assets reach the day store: one file a day, read lazily, and errors that say what to materialise."""

from datetime import date

import dagster as dg
import pandas as pd
import pytest

from fraud_platform.day_store import DayStore
from fraud_platform.defs.io_managers import (
    BundleIOManager,
    DescribedTable,
    DocumentIOManager,
    FooterIOManager,
    TableIOManager,
)
from fraud_platform.defs.partitions import DAYS
from fraud_platform.errors import DataError, ModelError
from fraud_platform_tests.platform_home import day_number
from fraud_platform_tests.registry.candidates import candidate

ONE, TWO, THREE = map(day_number, (1, 2, 3))


def table(number: int) -> pd.DataFrame:
    return pd.DataFrame({"transaction_id": [f"t{number}"], "number": [number]})


def write(manager, asset: str, values: dict[date, object]) -> None:
    manager.handle_output(dg.build_output_context(asset_key=dg.AssetKey(asset)), iter(values.items()))


def read(manager, asset: str, first: date, last: date, **metadata: object):
    context = dg.build_input_context(
        asset_key=dg.AssetKey(asset),
        asset_partitions_def=DAYS,
        asset_partition_key_range=dg.PartitionKeyRange(first.isoformat(), last.isoformat()),
        definition_metadata=metadata,
    )
    return manager.load_input(context)


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path) -> str:
    return str(tmp_path) if request.param == "disk" else f"{request.getfixturevalue('s3_url')}/assets"


def test_a_table_and_its_footer_come_back_from_asset_slash_day(place):
    manager = TableIOManager(storage_url=place)
    write(manager, "features", {ONE: DescribedTable(table(1), {"origin": "landed"}), TWO: DescribedTable(table(2))})
    assert DayStore.at(place).days("features", "parquet") == [ONE, TWO]
    loaded = read(manager, "features", ONE, TWO)
    pd.testing.assert_frame_equal(loaded[TWO], table(2))
    footers = read(FooterIOManager(storage_url=place), "features", ONE, TWO)
    assert {day: footers[day] for day in footers} == {ONE: {"origin": "landed"}, TWO: {}}


def test_a_document_comes_back(place):
    manager = DocumentIOManager(storage_url=place)
    write(manager, "drift_report", {ONE: {"b": [1, 2.5], "a": None}})
    assert read(manager, "drift_report", ONE, ONE)[ONE] == {"a": None, "b": [1, 2.5]}


def test_of_a_window_only_stored_days_are_there(place):
    manager = TableIOManager(storage_url=place)
    write(manager, "features", {ONE: DescribedTable(table(1)), THREE: DescribedTable(table(3))})
    assert list(read(manager, "features", THREE, THREE, days_back=2)) == [ONE, THREE]
    assert list(read(manager, "features", THREE, THREE, days_back=1)) == [THREE]
    assert list(read(manager, "features", ONE, TWO, days_ahead=1)) == [ONE, THREE]
    assert list(read(manager, "nothing", ONE, THREE, days_back=2)) == []


def test_a_day_that_is_not_stored_says_what_to_do(place):
    loaded = read(TableIOManager(storage_url=place), "features", ONE, TWO)
    assert list(loaded) == [ONE, TWO]
    with pytest.raises(DataError, match=f"features of {TWO} is not stored .*; materialise features for that day first"):
        loaded[TWO]


def test_a_day_outside_the_window_is_a_key_error(tmp_path):
    with pytest.raises(KeyError):
        read(TableIOManager(storage_url=str(tmp_path)), "features", ONE, ONE)[THREE]


def test_only_the_columns_asked_for_are_read(tmp_path):
    manager = TableIOManager(storage_url=str(tmp_path))
    write(manager, "features", {ONE: DescribedTable(table(1))})
    assert read(manager, "features", ONE, ONE, columns=["number"])[ONE].columns.tolist() == ["number"]


def test_each_day_is_written_before_the_next_is_computed(tmp_path):
    store = DayStore.at(tmp_path)

    def days():
        yield ONE, {"day": 1}
        assert store.days("drift_report", "json") == [ONE]
        yield TWO, {"day": 2}

    DocumentIOManager(storage_url=str(tmp_path)).handle_output(
        dg.build_output_context(asset_key=dg.AssetKey("drift_report")), days()
    )
    assert store.days("drift_report", "json") == [ONE, TWO]


def test_a_bundle_comes_back_and_a_changed_byte_is_refused(tmp_path):
    manager, bundle = BundleIOManager(storage_url=str(tmp_path)), candidate(rounds=2)
    write(manager, "trained_model", {ONE: bundle})
    assert read(manager, "trained_model", ONE, ONE)[ONE].digest == bundle.digest
    path = tmp_path / "trained_model" / f"{ONE}.zip"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read(manager, "trained_model", ONE, ONE)[ONE]


def test_footers_are_only_read(tmp_path):
    with pytest.raises(TypeError, match="FooterIOManager only reads"):
        write(FooterIOManager(storage_url=str(tmp_path)), "features", {ONE: DescribedTable(table(1))})
