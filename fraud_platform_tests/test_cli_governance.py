"""`fraud-platform audit` and `erase` as compliance officers type them."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform_tests.answers import assert_one_line_of
from fraud_platform_tests.bad_files import good_rows
from fraud_platform_tests.governance.conftest import KEY


@pytest.fixture
def noted(type_in, home) -> list[str]:
    """The heads of three entries written by hand."""
    answers = [
        type_in("audit", "record", "deployment", "--subject", "image:0.2.0", "--reason", "change 17"),
        type_in("audit", "record", "approval", "--subject", "model/1.0.0", "--reason", "risk committee"),
        type_in("audit", "record", "note", "--subject", "model/1.0.0", "--reason", "asked for by [the bank]"),
    ]
    return [re.search(r"\d+:[0-9a-f]{64}", answer.out)[0] for answer in answers]


@pytest.mark.parametrize("command", ["verify", "show", "record"])
def test_every_command_explains_itself_with_an_example(type_in, home, command):
    answer = type_in("audit", command, "--help")
    assert answer.code == 0
    assert f"Example: fraud-platform audit {command}" in re.sub(r"\s+", " ", answer.out)
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "show", "--event", "nonsense"),
        ("audit", "show", "--since", "yesterday"),
        ("audit", "record", "release", "--subject", "x", "--reason", "y"),  # only the platform releases
        ("audit", "record", "note", "--subject", "x"),
        ("audit", "verify", "--signed-from", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_touches_nothing(type_in, home, arguments):
    assert type_in(*arguments).code == 2
    assert not home.exists()


def test_what_was_recorded_is_shown_and_can_be_filtered(type_in, noted):
    shown = type_in("audit", "show")
    # Long cells are folded: a terminal has 80 characters.
    assert all(word in shown.out for word in ("deployment", "approval", "risk", "[the"))
    assert max(map(len, shown.out.splitlines())) <= 80
    found = type_in("audit", "show", "--subject", "model", "--event", "approval", "--json")
    (entry,) = map(json.loads, found.out.splitlines())
    assert (entry["seq"], entry["reason"], entry["details"]) == (2, "risk committee", {})
    assert type_in("audit", "show", "--until", "2026-01-01", "--json").out == ""


def test_the_actor_is_whom_the_settings_name_or_who_is_logged_in(type_in, home, monkeypatch):
    type_in("audit", "record", "note", "--subject", "x", "--reason", "y")
    monkeypatch.setenv("FRAUD_ACTOR", "ada lovelace")
    type_in("audit", "record", "note", "--subject", "x", "--reason", "y")
    actors = [json.loads(line)["actor"] for line in type_in("audit", "show", "--json").out.splitlines()]
    assert re.fullmatch(r".+@.+", actors[0])
    assert actors[1] == "ada lovelace"


def test_a_sound_trail_is_told_with_its_head(type_in, noted):
    answer = type_in("audit", "verify", "--expect-head", noted[0], "--expect-head", noted[2])
    assert answer.code == 0, answer
    assert "sound: 3 entries, unsigned; fits 2 heads" in answer.out
    assert f"head: {noted[2]}" in answer.out


def test_a_changed_trail_fails_with_the_line(type_in, home, noted):
    path = home / "storage" / "audit" / "trail.jsonl"
    path.write_bytes(path.read_bytes().replace(b"risk committee", b"somebody else!"))
    answer = type_in("audit", "verify")
    assert answer.code == 1
    assert answer.err.startswith("line 2: entry 2 was edited")
    assert answer.err.splitlines()[-1].startswith("error: ")


def test_a_removed_end_is_found_by_a_noted_head(type_in, home, noted):
    path = home / "storage" / "audit" / "trail.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert type_in("audit", "verify").code == 0
    answer = type_in("audit", "verify", "--expect-head", noted[2])
    assert answer.code == 1
    assert "entry 3 is missing (noted in --expect-head): the trail ends with entry 2" in answer.err


def test_a_trail_is_signed_with_the_key_in_a_file(type_in, home, noted, tmp_path, monkeypatch):
    (tmp_path / "key").write_bytes(KEY)
    monkeypatch.setenv("FRAUD_AUDIT_KEY_FILE", str(tmp_path / "key"))
    type_in("audit", "record", "note", "--subject", "x", "--reason", "y")
    assert type_in("audit", "verify").code == 1
    answer = type_in("audit", "verify", "--signed-from", "4")
    assert "sound: 4 entries, 1 of them signed with the key" in answer.out
    (tmp_path / "key").unlink()
    assert_one_line_of(type_in("audit", "verify"), "FRAUD_AUDIT_KEY_FILE", "cannot be read")
    assert_one_line_of(type_in("audit", "record", "note", "--subject", "x", "--reason", "y"), "cannot be read")


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "\udcff"),
        ("erase", "--transaction-id", "\udcff"),
        ("audit", "record", "note", "--subject", "x", "--reason", "\udcff"),
    ],
    ids=["explain", "erase", "audit"],
)
def test_an_argument_that_is_no_text_is_wrong_usage_and_touches_nothing(type_in, home, arguments):
    answer = type_in(*arguments)
    assert (answer.code, answer.err) == (2, "error: an argument is no text in UTF-8; nothing was done\n")
    assert not home.exists()


def test_nothing_that_is_shown_commands_the_terminal(type_in, home):
    assert type_in("audit", "record", "note", "--subject", "x", "--reason", "\x1b[2J\u202egone").code == 0
    shown = type_in("audit", "show").out
    assert r"\x1b[2J" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


@pytest.fixture
def released(trained_home, home) -> Path:
    """A home with a released model."""
    shutil.copytree(trained_home.settings.home, home)
    return home


def test_an_export_is_recorded_before_it_exists(type_in, released, tmp_path, monkeypatch):
    good_rows(200).to_csv(tmp_path / "day.csv", index=False)
    arguments = ("score", tmp_path / "day.csv", "--output", tmp_path / "out.parquet")
    assert type_in(*arguments).code == 0
    (entry,) = map(json.loads, type_in("audit", "show", "--event", "export", "--json").out.splitlines())
    assert (entry["subject"], entry["reason"]) == ("model/1.0.0", "score")
    assert entry["details"] == {"file": "day.csv", "output": str(tmp_path / "out.parquet"), "transactions": 200}
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 200
    (tmp_path / "out.parquet").unlink()
    monkeypatch.setenv("FRAUD_AUDIT_KEY_FILE", str(tmp_path / "nothing"))
    assert_one_line_of(type_in(*arguments), "FRAUD_AUDIT_KEY_FILE")
    assert not (tmp_path / "out.parquet").exists()


def test_with_a_key_an_unsigned_champion_is_refused_until_somebody_vouches_for_it(
    type_in, released, tmp_path, monkeypatch
):
    good_rows(200).to_csv(tmp_path / "day.csv", index=False)
    arguments = ("score", tmp_path / "day.csv", "--output", tmp_path / "out.parquet")
    (tmp_path / "key").write_bytes(KEY)
    monkeypatch.setenv("FRAUD_MODEL_KEY_FILE", str(tmp_path / "key"))
    assert_one_line_of(type_in(*arguments), "version 1 is not signed", "fraud-platform sign 1")
    assert "is not signed" in type_in("doctor").out
    assert "1.0.0 (version 1) is signed" in type_in("sign", "champion", "--reason", "change 17").out
    assert type_in(*arguments).code == 0
    (entry,) = map(json.loads, type_in("audit", "show", "--event", "approval", "--json").out.splitlines())
    assert (entry["subject"], entry["reason"]) == ("model/1.0.0", "change 17")
    (tmp_path / "key").write_bytes(KEY[::-1] + b"another")
    assert_one_line_of(type_in(*arguments), "signed with another key")


def test_retraining_test_reading_and_release_are_recorded_and_vouched_for(type_in, released):
    entries = [json.loads(line) for line in type_in("audit", "show", "--json").out.splitlines()]
    assert [entry["event"] for entry in entries] == ["retraining", "test_reading", "release"]
    retraining, reading, release = (entry["details"] for entry in entries)
    assert retraining["bundle_sha256"] == reading["bundle_sha256"] == release["bundle_sha256"]
    assert retraining["run_id"] == reading["run_id"] == release["run_id"]
    assert entries[2]["subject"] == "model/1.0.0"
    # The registry has noted the head: a trail without its end no longer fits.
    answer = type_in("audit", "verify", "--anchors")
    assert "fits 1 heads" in answer.out
    path = released / "storage" / "audit" / "trail.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    answer = type_in("audit", "verify", "--anchors")
    assert answer.code == 1
    assert "entry 3 is missing (noted in registered version 1)" in answer.err


def test_a_transaction_is_erased_by_name_and_shown_in_the_trail_by_its_pseudonym(type_in, released):
    table = next((released / "storage" / "splits").glob("*.parquet"))
    splits = pd.read_parquet(table)
    gone = splits.loc[splits["split"] == "train", "transaction_id"].iloc[:2].tolist()
    answer = type_in("erase", "--transaction-id", gone[0], "--transaction-id", gone[1], "--reason", "request 17")
    assert answer.code == 0, answer
    assert "2 transactions erased" in answer.out
    assert "2 from raw_transactions, 2 from features, 2 from confirmed_labels, 2 from splits" in answer.out
    assert "learned from them, train anew: model 1.0.0" in answer.out
    assert "still in the landing zone, whose owner must remove it:" in answer.out
    assert not set(gone) & set(pd.read_parquet(table)["transaction_id"])
    shown = type_in("audit", "show", "--event", "erasure", "--json").out
    assert [json.loads(line)["reason"] for line in shown.splitlines()] == ["request 17"] * 2
    assert not any(name in answer.out + shown for name in gone)
    assert type_in("audit", "verify").code == 0
    assert "stored nowhere, tombstone left" in type_in("erase", "--transaction-id", gone[0]).out


@pytest.mark.parametrize("arguments", [(), ("--transaction-id", " ")])
def test_an_erasure_without_a_transaction_is_wrong_usage(type_in, home, arguments):
    assert type_in("erase", *arguments).code == 2
    assert not home.exists()


def test_an_erasure_while_a_run_is_at_work_asks_to_be_repeated(type_in, released):
    import dagster as dg

    from fraud_platform.defs.instance import open_instance

    with open_instance() as instance:
        run = instance.create_run_for_job(
            dg.GraphDefinition(name="some_work").to_job(), status=dg.DagsterRunStatus.STARTED
        )
    answer = type_in("erase", "--transaction-id", "bank-1")
    assert_one_line_of(type_in("erase", "--transaction-id", "bank-1"), f"first: {run.run_id}", "same command again")
    assert "tombstone left" in answer.out
