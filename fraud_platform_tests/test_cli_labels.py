"""`fraud-platform labels` as analysts type it: what would decide nothing is said first, and no file replaces one."""

import pandas as pd
import pytest

from fraud_platform_tests.answers import assert_one_line_of
from fraud_platform_tests.platform_home import INGESTED, day_number

# The day after those of the home.
LIVED = day_number(5)


@pytest.fixture
def identifiers(copied_home) -> list[str]:
    """Those of two transactions of the third day."""
    table = copied_home.store.read_table("raw_transactions", day_number(3), ("transaction_id",))
    return list(table["transaction_id"][:2])


def written(folder, rows, name="checked.csv"):
    path = folder / name
    path.write_text("transaction_id,Class\n" + "".join(f"{identifier},{label}\n" for identifier, label in rows))
    return path


def test_labels_are_examined_landed_and_then_decide(type_in, copied_home, identifiers, tmp_path):
    file = written(tmp_path, [(identifiers[0], 1), (identifiers[1], 0), ("nobody", 1)])
    answer = type_in("labels", file, "--arrived", LIVED, "--source", "reviews")
    assert answer.code == 0, answer
    assert "3 labels of analyst review: 2 fraud, 1 legitimate" in answer.out
    assert "1 of them decide nothing so far: no transaction that had happened has this identifier" in answer.err
    landed = copied_home.settings.home / "landing" / "labels" / LIVED.isoformat() / "reviews-checked.csv"
    assert landed.read_bytes() == file.read_bytes()

    copied_home.land([LIVED])
    copied_home.materialise(INGESTED, LIVED)
    known = copied_home.store.read_table("confirmed_labels", LIVED).set_index("transaction_id")
    assert list(known.loc[identifiers, "Class"]) == [1, 0]
    assert set(known.loc[identifiers, "source"]) == {"analyst_review"}


def test_the_same_file_again_changes_nothing_and_another_of_its_name_is_refused(
    type_in, copied_home, identifiers, tmp_path
):
    file = written(tmp_path, [(identifiers[0], 1)])
    folder = copied_home.settings.home / "landing" / "labels" / "2026-01-02"
    for _ in range(2):
        assert type_in("labels", file, "--arrived", "2026-01-02").code == 0
    (landed,) = folder.iterdir()
    kept = landed.read_bytes()
    written(tmp_path, [(identifiers[0], 0)])
    assert_one_line_of(type_in("labels", file, "--arrived", "2026-01-02"), "another file of that name has arrived")
    assert landed.read_bytes() == kept


def test_a_look_lands_nothing(type_in, copied_home, identifiers, tmp_path):
    file = written(tmp_path, [(identifiers[0], 1), (identifiers[0], 0)])
    answer = type_in("labels", file, "--check")
    assert answer.code == 0
    assert "2 of them decide nothing so far: labels of one day contradict each other" in answer.err
    assert not (copied_home.settings.home / "landing" / "labels").exists()


def test_an_early_label_is_told(type_in, copied_home, identifiers, tmp_path):
    file = written(tmp_path, [(identifiers[0], 1)])
    answer = type_in("labels", file, "--arrived", day_number(2), "--check")
    assert "1 of them decide nothing so far: label arrived before its transaction" in answer.err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "transaction_id\n1\n", "Class"),
        ("a.csv", "transaction_id,Class\n1,2\n", "a.csv: column Class"),
        ("a.csv", "transaction_id,Class\n1,\n", "value is missing"),
        ("a.txt", "transaction_id,Class\n1,1\n", "labels come as .csv, .csv.gz, .parquet"),
        ("a.parquet", "no parquet", "a.parquet"),
    ],
)
def test_what_is_no_label_file_is_one_line_and_lands_nowhere(type_in, copied_home, tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    assert_one_line_of(type_in("labels", tmp_path / name), words)
    assert not (copied_home.settings.home / "landing" / "labels").exists()


def test_wrong_usage_lands_nothing(type_in, copied_home, tmp_path):
    file = written(tmp_path, [("1", 1)])
    assert type_in("labels", file, "--arrived", "tomorrow").code == 2
    assert type_in("labels", file, "--source", "rumours").code == 2
    assert_one_line_of(type_in("labels", tmp_path / "nothing.csv"), "nothing.csv: no such file")


def test_labels_of_a_table_are_read_from_parquet_too(type_in, copied_home, identifiers, tmp_path):
    path = tmp_path / "disputes.parquet"
    pd.DataFrame({"transaction_id": identifiers, "Class": [1, 1]}).to_parquet(path)
    assert "2 labels of customer dispute: 2 fraud" in type_in("labels", path, "--check").out
