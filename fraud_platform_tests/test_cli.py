"""`fraud-platform` as people type it: examples, exit codes, one-line errors, and what each command leaves behind."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform import cli, cli_models
from fraud_platform.cli_models import open_registry
from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.scoring.schema import SCORE_FILE_COLUMNS
from fraud_platform.settings import load_settings
from fraud_platform_tests.answers import Answer, assert_one_line_of
from fraud_platform_tests.bad_files import BAD_FILES, CARD, bad_rows, good_rows
from fraud_platform_tests.platform_home import FIRST, day_number, register_twin

COMMANDS = sorted(command.name or command.callback.__name__ for command in cli.app.registered_commands)
RUN = [sys.executable, "-m", "fraud_platform.cli"]


def test_these_are_the_commands():
    assert set(COMMANDS) >= {"demo", "land", "simulate", "score", "models", "doctor"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(type_in, home, command):
    answer = type_in(command, "--help")
    assert answer.code == 0
    assert f"Example: fraud-platform {command}" in re.sub(r"\s+", " ", answer.out)
    assert not home.exists()


def test_the_program_alone_lists_its_commands(type_in):
    answer = type_in()
    assert all(command in answer.out + answer.err for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("score",),  # an argument is missing
        ("score", "a.csv"),  # an option is missing
        ("demo", "--days", "0"),
        ("demo", "--days", "many"),
        ("demo", "--rows-per-day", "99"),
        ("land", "a.csv", "--start", "yesterday", "--days", "3"),
        ("simulate", "--start", "0001-01-01"),
        ("demo", "--start", "2090-01-01"),
        ("demo", "--days", "3", "--drift-from", "4"),
        ("simulate", "--start", "2026-02-30"),
        ("simulate", "--days", "3", "--drift-from", "4"),  # the fourth of three days
        ("simulate", "--start", "2026-01-01", "--days", "3", "--drift-from", "2025-12-31"),
        ("demo", "--seed", "-1"),
        ("models", "--colour", "red"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_and_touches_nothing(type_in, home, arguments):
    answer = type_in(*arguments)
    assert answer.code == 2, answer
    assert "Traceback" not in answer.err
    assert not home.exists()


def test_debug_shows_where_an_error_comes_from(type_in, home, tmp_path):
    arguments = ("land", tmp_path / "nothing.csv", "--start", "2026-01-01", "--days", "2")
    assert_one_line_of(type_in(*arguments), "nothing.csv: no such file")
    for position in (0, 2, len(arguments)):
        debugged = type_in(*arguments[:position], "--debug", *arguments[position:])
        assert debugged.code == 1
        assert "Traceback (most recent call last)" in debugged.err
        assert "nothing.csv: no such file" in debugged.err.splitlines()[-1]


def test_an_unforeseen_error_is_one_line_too(type_in, home, monkeypatch):
    def surprise() -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(cli_models, "load_settings", surprise)
    assert_one_line_of(type_in("models"), "unexpected ZeroDivisionError: nobody thought of this", "--debug")


def test_a_wrong_setting_is_named(type_in, home, monkeypatch):
    monkeypatch.setenv("FRAUD_SEED", "many")
    assert_one_line_of(type_in("doctor"), "FRAUD_SEED='many'")


# -- simulate and land ----------------------------------------------------------------------------------------------


def landed() -> LandingZone:
    return LandingZone.at(load_settings().landing_url)


def test_simulated_days_are_landed_and_the_calendar_begins_with_them(type_in, home):
    answer = type_in("simulate", "--start", "2026-01-05", "--days", "3", "--rows-per-day", "100")
    assert answer.code == 0
    assert "3 days landed" in answer.out
    assert "SIMULATED DATA" in answer.out
    zone = landed()
    assert [day.isoformat() for day in zone.days()] == ["2026-01-05", "2026-01-06", "2026-01-07"]
    (path,) = zone.transaction_files(zone.days()[0])
    assert path.name == "simulated.parquet"
    assert load_settings().start_date.isoformat() == "2026-01-05"
    # Earlier days move the beginning, later ones do not.
    type_in("simulate", "--start", "2026-01-09", "--days", "1", "--rows-per-day", "100")
    assert load_settings().start_date.isoformat() == "2026-01-05"


def test_by_default_the_last_simulated_day_is_yesterday(type_in, home):
    from datetime import UTC, datetime, timedelta

    assert type_in("simulate", "--days", "2", "--rows-per-day", "100").code == 0
    assert landed().days()[-1] == datetime.now(UTC).date() - timedelta(days=1)


def test_the_same_seed_lands_the_same_bytes(type_in, home):
    contents = []
    for seed in (5, 5, 6):
        type_in("simulate", "--start", "2026-01-05", "--days", "1", "--rows-per-day", "100", "--seed", seed)
        contents.append(next(home.rglob("simulated.parquet")).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_a_public_file_is_replayed_whole(type_in, home, tmp_path):
    table = good_rows(500)
    table.to_csv(tmp_path / "creditcard.csv", index=False)
    answer = type_in("land", tmp_path / "creditcard.csv", "--start", "2026-01-05", "--days", "5")
    assert answer.code == 0
    zone = landed()
    days = [pd.read_parquet(zone.transaction_files(day)[0].path) for day in zone.days()]
    assert [len(day) for day in days] == [100] * 5
    assert sorted(pd.concat(days)["V1"]) == sorted(table["V1"])


def test_upstreams_own_files_are_not_mixed_with_made_up_ones(type_in, home):
    folder = home / "landing" / "transactions" / "2026-01-05"
    folder.mkdir(parents=True)
    (folder / "bank.csv").write_text("x")
    answer = type_in("simulate", "--start", "2026-01-05", "--days", "1", "--rows-per-day", "100")
    assert_one_line_of(answer, "holds 1 file(s) from upstream")
    assert [path.name for path in folder.iterdir()] == ["bank.csv"]


# -- score and models -----------------------------------------------------------------------------------------------


@pytest.fixture
def released(trained_home, home, tmp_path) -> Path:
    """A home with a released model."""
    shutil.copytree(trained_home.settings.home, home)
    return home


def test_without_a_model_scoring_and_listing_say_what_to_do(type_in, home, tmp_path):
    good_rows().to_csv(tmp_path / "day.csv", index=False)
    assert_one_line_of(type_in("models"), "no model is registered yet", "fraud-platform demo")
    answer = type_in("score", tmp_path / "day.csv", "--output", tmp_path / "out.parquet")
    assert_one_line_of(answer, "no model is 'champion'", "train and release a model first")
    assert not (tmp_path / "out.parquet").exists()


def test_models_are_listed_with_alias_stage_and_where_they_learned(type_in, released):
    answer = type_in("models")
    assert answer.code == 0
    assert re.search(r"1\.0\.0\s+Production\s+champion\s+xgboost", answer.out)
    assert "SIMULATED DATA" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_a_promotion_and_a_rollback_say_who_decides_from_when_on_and_why(type_in, released):
    register_twin(open_registry())
    answer = type_in("promote", "1.1.0", "--reason", "better on disputes", "--approved-by", "Ada")
    assert answer.code == 0, answer
    # Nothing has been scored: it decides from the day after what it has learned from.
    assert f"1.1.0 (version 2) is champion and decides from {day_number(5)} on; 1.0.0 decided before" in answer.out
    assert "why: better on disputes; approved by Ada" in answer.out
    assert "64 rows scored in a fresh process" in answer.out
    answer = type_in("rollback", "--reason", "twice as many alerts", "--from", day_number(9).isoformat())
    assert answer.code == 0, answer
    assert f"1.0.0 (version 1) is champion and decides from {day_number(9)} on" in answer.out
    registry = open_registry()
    assert [registry.champion_as_of(day_number(number)).version for number in (5, 8, 9)] == ["2", "2", "1"]
    assert_one_line_of(type_in("rollback"), "there is no previous model to return to")
    assert_one_line_of(type_in("promote", "2"), "was rejected (twice as many alerts)")
    assert type_in("promote", "2", "--overrule").code == 0
    assert type_in("promote", "1", "--from", "2026-02-30").code == 2


def test_a_card_tells_who_let_a_model_decide_and_what_became_of_it(type_in, released, tmp_path):
    answer = type_in("card", "champion", "--output", tmp_path / "card.html")
    assert answer.code == 0, answer
    page = (tmp_path / "card.html").read_text()
    # The four plots of the validation stand inside the file.
    assert page.count('src="data:image/png;base64,') == 5
    assert "It has decided no day yet." in page
    assert type_in("card", "1", "--output", tmp_path / "card.md").code == 0
    text = (tmp_path / "card.md").read_text()
    assert f"| champion from | {day_number(5)} |" in text
    assert "| approved by | nobody, by the release policy |" in text
    assert "Acceptance gates" in type_in("card", "champion").out
    assert_one_line_of(type_in("card", "1", "--output", "card.pdf"), "name the output .html or .md")
    register_twin(open_registry())
    assert_one_line_of(type_in("card", "2"), f"materialise model_release of {day_number(4)} again")


def test_a_promotion_that_is_refused_is_one_line(type_in, released):
    assert_one_line_of(type_in("promote", "7"), "no model is '7'; there is 1 (1.0.0) champion")
    assert_one_line_of(type_in("promote", "1", "--from", str(day_number(4))), "so it decides from the day after on")


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz", "day.parquet"])
def test_scores_come_in_the_order_of_the_file_with_the_promised_columns(type_in, released, tmp_path, name):
    table = good_rows(300).sample(frac=1, random_state=1)
    table.insert(0, "transaction_id", [f"bank-{row}" for row in range(len(table))])
    path = tmp_path / name
    if name.endswith("parquet"):
        table.to_parquet(path, index=False)
    else:
        table.to_csv(path, index=False)
    answer = type_in("score", path, "--output", tmp_path / "out.parquet")
    assert answer.code == 0
    scored = pd.read_parquet(tmp_path / "out.parquet")
    assert tuple(scored.columns) == SCORE_FILE_COLUMNS
    assert scored["transaction_id"].tolist() == table["transaction_id"].tolist()
    assert scored["fraud_probability"].between(0, 1).all()
    assert ((scored["fraud_probability"] >= scored["threshold"]) == (scored["prediction"] == 1)).all()
    assert scored["model_version"].unique().tolist() == ["1"]
    alerts = int(scored["prediction"].sum())
    assert f"300 transactions scored by 1.0.0, {alerts} alerts" in answer.out
    assert "SIMULATED DATA" in answer.out
    # The model tells frauds apart: most alerts are frauds, most frauds alerted.
    truth = table["Class"].to_numpy() == 1
    assert (scored["prediction"].to_numpy()[truth] == 1).mean() > 0.5


def test_a_file_without_labels_is_scored_alike(type_in, released, tmp_path):
    table = good_rows(300)
    table.to_csv(tmp_path / "labelled.csv", index=False)
    table.drop(columns="Class").to_csv(tmp_path / "unlabelled.csv", index=False)
    outputs = []
    for name in ("labelled", "unlabelled"):
        type_in("score", tmp_path / f"{name}.csv", "--output", tmp_path / f"{name}.parquet")
        outputs.append(pd.read_parquet(tmp_path / f"{name}.parquet")["fraud_probability"])
    pd.testing.assert_series_equal(*outputs)


@pytest.mark.parametrize("model", ["1", "1.0.0", "champion"])
def test_a_model_is_chosen_by_alias_number_or_semantic_version(type_in, released, tmp_path, model):
    good_rows(200).to_csv(tmp_path / "day.csv", index=False)
    assert type_in("score", tmp_path / "day.csv", "--output", tmp_path / "o.parquet", "--model", model).code == 0


def test_an_unknown_model_is_told_what_there_is(type_in, released, tmp_path):
    good_rows(200).to_csv(tmp_path / "day.csv", index=False)
    answer = type_in("score", tmp_path / "day.csv", "--output", tmp_path / "o.parquet", "--model", "7.0.0")
    assert_one_line_of(answer, "no model is '7.0.0'; there is 1 (1.0.0) champion")


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda bad: bad.name)
def test_a_bad_file_is_refused_with_file_column_and_rows(type_in, released, tmp_path, bad):
    path = tmp_path / bad.name
    path.write_bytes(bad.content())
    answer = type_in("score", path, "--output", tmp_path / "out.parquet")
    assert_one_line_of(answer, bad.name, *bad.words)
    assert CARD not in answer.err + answer.out
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "no.csv", "--output", "o.parquet"),
        ("land", "no.csv", "--start", "2026-01-01", "--days", "2"),
        ("demo", "--csv", "no.csv"),
    ],
    ids=lambda arguments: arguments[0],
)
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no.csv: no such file"),
        (Path.mkdir, "no.csv: no regular file but a folder, pipe or device"),
        (os.mkfifo, "no.csv: no regular file but a folder, pipe or device"),
    ],
    ids=["nothing", "folder", "pipe"],
)
def test_what_is_no_file_is_one_line(type_in, released, tmp_path, monkeypatch, arguments, make, words):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "no.csv")
    assert_one_line_of(type_in(*arguments), words)


def test_bad_rows_are_left_out_and_counted_by_reason(type_in, released, tmp_path):
    content, reasons = bad_rows()
    (tmp_path / "day.csv").write_bytes(content)
    answer = type_in("score", tmp_path / "day.csv", "--output", tmp_path / "out.parquet")
    assert answer.code == 0
    told = " ".join(answer.err.split())
    assert f"{sum(reasons.values())} rows not scored" in told
    for reason, count in reasons.items():
        assert f"{count} x {reason}" in told
    scored = pd.read_parquet(tmp_path / "out.parquet")
    assert len(scored) == 1_000
    assert CARD not in answer.out + answer.err + scored.to_csv()


def test_an_output_of_unknown_kind_is_refused(type_in, released, tmp_path):
    good_rows(200).to_csv(tmp_path / "day.csv", index=False)
    answer = type_in("score", tmp_path / "day.csv", "--output", tmp_path / "out.xlsx")
    assert_one_line_of(answer, "out.xlsx: name the output .parquet or .csv")


# -- doctor ---------------------------------------------------------------------------------------------------------


def test_a_well_installation_is_told_so(type_in, released):
    answer = type_in("doctor")
    assert answer.code == 0, answer
    for subject in ("storage", "landing zone", "registry", "Dagster instance"):
        assert f"well  {subject}: " in answer.out
    assert "1 models, champion: 1.0.0" in answer.out
    assert re.search(r"FRAUD_HOME\s.*\senvironment", answer.out)


def test_what_is_wrong_is_told_with_what_to_do_and_without_passwords(type_in, home, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FRAUD_STORAGE", str(tmp_path / "file" / "storage"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://bank:s3cr3t@127.0.0.1:1/mlflow")
    answer = type_in("doctor")
    assert answer.code == 1
    lines = answer.out.splitlines()
    (storage,) = [line for line in lines if line.startswith("wrong storage:")]
    assert storage.endswith("set FRAUD_STORAGE to a place you own")
    (registry,) = [line for line in lines if line.startswith("wrong registry:")]
    assert registry.endswith("start the MLflow server or correct MLFLOW_TRACKING_URI")
    assert "s3cr3t" not in answer.out + answer.err


# -- demo -----------------------------------------------------------------------------------------------------------


def in_a_process(*arguments: object) -> Answer:
    """A command as its own process: the demo's calendar is fixed when the graph is imported."""
    finished = subprocess.run(
        [*RUN, *map(str, arguments)], capture_output=True, text=True, timeout=240, env=os.environ.copy(), check=False
    )
    return Answer(finished.returncode, finished.stdout, finished.stderr)


# Far below what the gates are for: the subject is the demo, not the model.
LOW_GATES = {
    "FRAUD_MIN_F1": "0.05",
    "FRAUD_MIN_PRECISION": "0.05",
    "FRAUD_MIN_RECALL": "0.05",
    "FRAUD_MIN_AVERAGE_PRECISION": "0.05",
    "FRAUD_MAX_TRAIN_VALIDATION_GAP": "1",
}


def test_a_demo_ends_with_tables_and_a_second_one_begins_cleanly(home, tmp_path, monkeypatch):
    for name, text in LOW_GATES.items():
        monkeypatch.setenv(name, text)
    first = in_a_process("demo", "--days", 4, "--rows-per-day", 6000, "--seed", 3)
    assert first.code == 0, first.err[-2000:]
    assert "Days" in first.out
    assert "Models" in first.out
    assert len(re.findall(r"^ *20\d\d-\d\d-\d\d +6,000 ", first.out, re.MULTILINE)) == 4
    assert "released: it passed every gate and there is no champion yet" in " ".join(first.out.split())
    assert "SIMULATED DATA" in first.out
    assert "dagster dev" in first.out
    assert "Traceback" not in first.err

    # Other rows, other days, another origin: nothing of the first may remain.
    table = good_rows(9_000)
    table.to_csv(tmp_path / "creditcard.csv", index=False)
    second = in_a_process(
        "demo", "--csv", tmp_path / "creditcard.csv", "--days", 3, "--start", FIRST.isoformat(), "--seed", 4
    )
    assert second.code == 0, second.err[-2000:]
    assert len(re.findall(r"^ *20\d\d-\d\d-\d\d +3,000 ", second.out, re.MULTILINE)) == 3
    assert "SIMULATED" not in second.out
    for asset in ("raw_transactions", "daily_predictions", "drift_report"):
        days = sorted(path.name[:10] for path in (home / "storage" / asset).iterdir())
        assert days == [(FIRST + pd.Timedelta(days=number)).isoformat()[:10] for number in range(3)]
    listed = in_a_process("models")
    assert re.search(r"^ *1\s+1\.0\.0\s+Production\s+champion", listed.out, re.MULTILINE)
    assert not re.search(r"^ *2 ", listed.out, re.MULTILINE)


def test_a_demo_refuses_a_home_where_others_have_landed_files(type_in, home):
    folder = home / "landing" / "transactions" / "2026-01-05"
    folder.mkdir(parents=True)
    (folder / "bank.csv").write_text("x")
    answer = type_in("demo", "--days", "2", "--rows-per-day", "100")
    assert_one_line_of(answer, "holds 1 files that no demo made (first: bank.csv)", "set FRAUD_HOME to another folder")
    assert (folder / "bank.csv").read_text() == "x"
    assert not (home / "storage").exists()
