"""Rules of replaying a public file: every row once, its second of the day kept, each class shared out evenly."""

import gzip
import os
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud_platform.errors import DataError
from fraud_platform.ingestion.schema import LABEL_COLUMN, LANDED_COLUMNS
from fraud_platform.simulation.replay import read_public_file, replay

START = date(2026, 1, 30)


def public_table(legitimate: int, frauds: int) -> pd.DataFrame:
    """A table in which V1 numbers the rows, over two days."""
    generator = np.random.default_rng(0)
    count = legitimate + frauds
    table = pd.DataFrame({name: generator.normal(size=count) for name in LANDED_COLUMNS})
    table["Time"] = np.sort(generator.integers(0, 2 * 86_400, count)).astype(float)
    table["V1"] = np.arange(count, dtype=float)
    table["Amount"] = table["Amount"].abs().round(2)
    labels = np.repeat(np.array([0, 1], dtype=np.int8), [legitimate, frauds])
    return table.assign(Class=generator.permutation(labels))


@settings(deadline=None, max_examples=40)
@given(
    legitimate=st.integers(0, 60), frauds=st.integers(0, 20), days=st.integers(1, 12), seed=st.integers(0, 2**32 - 1)
)
def test_every_row_lands_once_and_days_differ_by_one_row_of_each_class_at_most(legitimate, frauds, days, seed):
    table = public_table(legitimate, frauds)
    if len(table) < days:
        with pytest.raises(DataError, match="too few"):
            list(replay(table, start=START, days=days, seed=seed))
        return
    parts = [part for _, part in replay(table, start=START, days=days, seed=seed)]
    assert sorted(pd.concat(parts)["V1"]) == sorted(table["V1"])
    for counts in (
        [len(part) for part in parts],
        [int((part[LABEL_COLUMN] == 1).sum()) for part in parts],
        [int((part[LABEL_COLUMN] == 0).sum()) for part in parts],
    ):
        assert max(counts) - min(counts) <= 1
    joined = pd.concat(parts).sort_values("V1")
    assert (joined["Time"].to_numpy() % 86_400 == table["Time"].to_numpy() % 86_400).all()
    unchanged = [name for name in table.columns if name != "Time"]
    pd.testing.assert_frame_equal(joined[unchanged].reset_index(drop=True), table[unchanged])


def test_days_follow_each_other_and_time_counts_from_the_first():
    days = list(replay(public_table(40, 5), start=START, days=3, seed=0))
    assert [day for day, _ in days] == [date(2026, 1, 30), date(2026, 1, 31), date(2026, 2, 1)]
    for offset, (_, part) in enumerate(days):
        assert part["Time"].is_monotonic_increasing
        assert (part["Time"] // 86_400 == offset).all()


def test_the_seed_decides_which_row_lands_on_which_day():
    table = public_table(100, 10)
    first, again, other = (
        [tuple(part["V1"]) for _, part in replay(table, start=START, days=4, seed=seed)] for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_rows_per_day_draws_without_replacement_and_keeps_the_share_of_frauds():
    parts = [part for _, part in replay(public_table(900, 100), start=START, days=5, seed=1, rows_per_day=40)]
    assert [len(part) for part in parts] == [40] * 5
    assert [int(part[LABEL_COLUMN].sum()) for part in parts] == [4] * 5
    assert Counter(pd.concat(parts)["V1"]).most_common(1)[0][1] == 1


def test_more_rows_than_the_file_holds_are_refused():
    with pytest.raises(DataError, match="holds 50 rows, too few for 6 days of 10 rows"):
        next(replay(public_table(45, 5), start=START, days=6, seed=0, rows_per_day=10))


@pytest.mark.parametrize("name", ["public.csv", "public.csv.gz", "public.parquet"])
def test_a_public_file_is_read_in_every_landing_format(tmp_path, name):
    table = public_table(20, 3)
    path = tmp_path / name
    if name.endswith(".parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_public_file(path), table)


def test_the_public_files_quotes_and_whole_numbers_are_understood(tmp_path):
    path = tmp_path / "creditcard.csv"
    header = ",".join(f'"{name}"' for name in (*LANDED_COLUMNS, LABEL_COLUMN))
    path.write_text(f'{header}\n0,{",".join(["-1.5"] * 28)},149.62,"0"\n1,{",".join(["2"] * 28)},2,"1"\n')
    table = read_public_file(path)
    assert table["Class"].tolist() == [0, 1]
    assert table["V28"].tolist() == [-1.5, 2.0]
    assert table["Amount"].tolist() == [149.62, 2.0]


def test_identifiers_of_the_file_are_kept(tmp_path):
    public_table(4, 1).assign(transaction_id=range(5)).to_csv(tmp_path / "public.csv", index=False)
    table = read_public_file(tmp_path / "public.csv")
    assert table["transaction_id"].tolist() == ["0", "1", "2", "3", "4"]
    ((_, part),) = replay(table, start=START, days=1, seed=0)
    assert sorted(part["transaction_id"]) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: table.drop(columns=["V7", "Class"]), r"lacks the column\(s\) V7, Class"),
        (lambda table: table.assign(Merchant="4111 1111 1111 1111"), "1 unexpected or repeated"),
        (lambda table: table.assign(V3="much"), "column V3 holds string"),
        (lambda table: table.assign(Class=[0, 1, 2, 1, None]), "neither 0 nor 1 in 2 rows .first: 3, 5."),
        (lambda table: table.head(0), "holds no rows"),
    ],
)
def test_a_file_that_breaks_the_format_is_refused_by_name_and_place(tmp_path, damage, message):
    path = tmp_path / "public.csv"
    damage(public_table(4, 1)).to_csv(path, index=False)
    with pytest.raises(DataError, match=message) as refusal:
        read_public_file(path)
    assert "public.csv" in str(refusal.value)
    assert "4111" not in str(refusal.value)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    text = public_table(4, 1).rename(columns={"Amount": "Montant \u00e9"}).to_csv(index=False)
    (tmp_path / "public.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"public\.csv: is no UTF-8 text"):
        read_public_file(tmp_path / "public.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ragged.csv", b"Time,V1\n1,2\n4111111111111111,5,6\n"),
        ("empty.csv", b""),
        ("text.csv.gz", b"Time,V1\n"),
        ("cut.csv.gz", gzip.compress(b"Time,V1\n1,2\n" * 100, mtime=0)[:-12]),
        ("text.parquet", b"Time,V1\n"),
    ],
)
def test_an_unreadable_file_is_refused_without_quoting_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: cannot be read as a table") as refusal:
        read_public_file(tmp_path / name)
    assert "4111" not in str(refusal.value)


@pytest.mark.parametrize(
    ("make", "problem"),
    [(lambda path: None, "no such file"), (Path.mkdir, "no regular file"), (os.mkfifo, "no regular file")],
    ids=["nothing", "folder", "pipe"],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, problem):
    make(tmp_path / "creditcard.csv")
    with pytest.raises(DataError, match=problem):
        read_public_file(tmp_path / "creditcard.csv")
