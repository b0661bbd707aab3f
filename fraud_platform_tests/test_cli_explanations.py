"""`fraud-platform explain` as a compliance officer types it: of any transaction, recorded before it is shown."""

import json
import re

import pandas as pd
import pytest

from fraud_platform.governance.tombstones import key_of, transaction_subject
from fraud_platform_tests.answers import assert_one_line_of
from fraud_platform_tests.bad_files import CARD
from fraud_platform_tests.platform_home import day_number

DAY = day_number(3)


@pytest.fixture
def scored(copied_home):
    """A home with a released model and one scored day."""
    copied_home.materialise(("daily_predictions",), DAY)
    return copied_home


def decisions(home):
    return home.store.read_table("daily_predictions", DAY).sort_values("rank")


def explanations(type_in):
    shown = type_in("audit", "show", "--event", "explanation", "--json")
    return [json.loads(line) for line in shown.out.splitlines()]


def test_any_transaction_is_explained_and_the_trail_names_none(type_in, scored):
    table = decisions(scored)
    alert, last = table["transaction_id"].iloc[[0, -1]]
    for transaction_id, verdict in ((alert, "Alert:"), (last, "No alert:")):
        answer = type_in("explain", transaction_id, "--reason", "request 17")
        assert answer.code == 0, answer
        row = table[table["transaction_id"] == transaction_id].iloc[0]
        text = " ".join(answer.out.split())
        assert verdict in text
        assert text.count(repr(float(row["fraud_probability"]))) == 2
        assert "the same number, bit for bit" in text
        assert "What would have changed the decision" in text
        assert len(re.findall(r"[+-]0\.\d{6} +(?:for fraud|against|neither way)", answer.out)) == 32
        assert "SIMULATED DATA" in text
        assert max(map(len, answer.out.splitlines())) <= 80
    footer = scored.store.read_table_metadata("daily_predictions", DAY)
    digest = scored.platform.registry.find("champion").digest
    key = key_of(scored.settings.storage_url)
    entries = explanations(type_in)
    assert [entry["subject"] for entry in entries] == [transaction_subject(each, key) for each in (alert, last)]
    assert {entry["reason"] for entry in entries} == {"request 17"}
    for entry, is_alert in zip(entries, (True, False), strict=True):
        assert entry["details"] == {
            "day": DAY.isoformat(),
            "model": "1.0.0",
            "version": "1",
            "bundle_sha256": digest,
            "data_version": footer["data_version"],
            "is_alert": is_alert,
            "is_replayed": True,
            "output": "terminal",
        }
        assert alert not in json.dumps(entry)


def test_a_page_is_written_with_its_picture_inside(type_in, scored, tmp_path):
    transaction_id = decisions(scored)["transaction_id"].iloc[1]
    answer = type_in("explain", transaction_id, "--day", DAY, "--html", tmp_path / "why.html")
    assert answer.code == 0, answer
    page = (tmp_path / "why.html").read_text()
    assert "data:image/png;base64," in page
    assert transaction_id in page
    assert "http" not in page
    assert explanations(type_in)[0]["details"]["output"] == str(tmp_path / "why.html")
    assert_one_line_of(type_in("explain", transaction_id, "--html", tmp_path / "why.pdf"), "name the page .html")


def test_what_cannot_be_recorded_is_not_shown(type_in, scored, tmp_path, monkeypatch):
    transaction_id = decisions(scored)["transaction_id"].iloc[0]
    monkeypatch.setenv("FRAUD_AUDIT_KEY_FILE", str(tmp_path / "nothing"))
    answer = type_in("explain", transaction_id)
    assert_one_line_of(answer, "FRAUD_AUDIT_KEY_FILE")
    assert answer.out == ""
    assert_one_line_of(type_in("explain", transaction_id, "--html", tmp_path / "why.html"), "cannot be read")
    arguments = ("explain", "--all", "--day", DAY, "--output", tmp_path / "all.parquet")
    assert_one_line_of(type_in(*arguments), "cannot be read")
    assert list(tmp_path.glob("*.*")) == []


def test_every_transaction_of_a_day_is_explained_by_one_command(type_in, scored, tmp_path):
    answer = type_in("explain", "--all", "--day", DAY, "--output", tmp_path / "all.parquet")
    assert answer.code == 0, answer
    assert re.search(r"3,000 decisions of \S+ explained in [\d.]+ s, [\d,]+ a second", answer.out)
    assert "every probability as recorded, compared bit for bit" in answer.out
    found = pd.read_parquet(tmp_path / "all.parquet")
    total = found["start"] + found.filter(like="contribution_").sum(axis=1)
    assert total.to_numpy() == pytest.approx(found["fraud_probability"].to_numpy(), abs=1e-9)
    (entry,) = explanations(type_in)
    assert entry["subject"] == f"daily_predictions/{DAY}"
    assert (entry["details"]["transactions"], entry["details"]["output"]) == (3000, str(tmp_path / "all.parquet"))


def test_what_cannot_be_explained_is_one_line_and_records_nothing(type_in, scored, tmp_path):
    first, second = decisions(scored)["transaction_id"].iloc[:2]
    assert_one_line_of(type_in("explain", "nobody"), "transaction nobody is in no scored day (scored are 1 days")
    assert_one_line_of(type_in("explain", first, "--day", day_number(4)), "has not been scored")
    arguments = ("explain", "--all", "--day", day_number(4), "--output", tmp_path / "all.parquet")
    assert_one_line_of(type_in(*arguments), "has not been scored")
    type_in("erase", "--transaction-id", first)
    answer = type_in("explain", first)
    assert_one_line_of(answer, "this transaction was erased")
    assert first not in answer.err
    table = decisions(scored).sort_index().assign(model_version="7")
    footer = scored.store.read_table_metadata("daily_predictions", DAY)
    scored.store.write_table("daily_predictions", DAY, table, {**footer, "model_version": "7"})
    assert_one_line_of(type_in("explain", second), "model version 7, which is not in the registry any more")
    assert explanations(type_in) == []
    assert list(tmp_path.glob("*.parquet")) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (" ",),
        ("t1", "--day", "yesterday"),
        ("t1", "--output", "out.parquet"),
        ("--all",),
        ("--all", "--day", "2026-01-01"),
        ("--all", "--output", "out.parquet"),
        ("t1", "--all", "--day", "2026-01-01", "--output", "out.parquet"),
        ("--all", "--day", "2026-01-01", "--output", "out.parquet", "--html", "out.html"),
        (CARD,),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_touches_nothing(type_in, home, arguments):
    assert type_in("explain", *arguments).code == 2
    assert not home.exists()
