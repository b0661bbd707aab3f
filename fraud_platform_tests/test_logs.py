"""One format for all that a process logs, whichever library logs it; no line holds a card number or a feature value."""

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from fraud_platform.logs import JsonLines, event_record
from fraud_platform_tests.bad_files import CARD
from fraud_platform_tests.platform_home import day_number, simulated
from fraud_platform_tests.production.processes import free_port

KEYS = ["timestamp", "level", "service", "model_version", "event", "run", "partition", "message"]


def formatted(record: logging.LogRecord) -> Mapping[str, Any]:
    return json.loads(JsonLines("a-service").format(record))


def record(message: str = "said", **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("some.library", logging.WARNING, __file__, 1, message, None, None)
    vars(made).update(extra)
    return made


def lines_of(program: str, folder: Any, **environment: str) -> list[Mapping[str, Any]]:
    """What a process of its own writes to its logs; every line has to be JSON with the keys of every line."""
    told = {"FRAUD_LOG_FORMAT": "json", "FRAUD_SERVICE": "a-service", "FRAUD_HOME": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **told}, capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert all(list(line)[: len(KEYS)] == KEYS for line in lines)
    assert {line["service"] for line in lines} <= {"a-service"}
    return lines


def test_every_line_begins_with_the_same_keys_whatever_is_known():
    line = formatted(record())
    assert list(line)[: len(KEYS)] == KEYS
    assert [line[key] for key in ("level", "service", "event", "message")] == ["WARNING", "a-service", "log", "said"]
    assert line["model_version"] is line["run"] is line["partition"] is None
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["timestamp"])


def test_an_event_brings_its_facts_and_changes_no_other_key():
    facts = event_record("prediction_complete", partition="2026-01-02", model_version="3", alerts=4, message="other")
    line = formatted(record("said", **facts))
    assert (line["event"], line["partition"], line["model_version"], line["alerts"]) == (
        "prediction_complete",
        "2026-01-02",
        "3",
        4,
    )
    assert line["message"] == "said"


def test_a_traceback_stays_in_the_line_of_its_record():
    try:
        raise ValueError("no number")
    except ValueError:
        line = formatted(record("failed", exc_info=sys.exc_info()))
    assert line["error"].splitlines()[0] == "Traceback (most recent call last):"
    assert line["error"].splitlines()[-1] == "ValueError: no number"


def test_a_card_number_stands_in_no_field():
    line = formatted(record(f"card {CARD}", **event_record("x", file=f"{CARD}.csv")))
    assert (line["message"], line["file"]) == ("card [card number]", "[card number].csv")


EVERYBODY = """
import logging, logging.config, sys, warnings
import fraud_platform.definitions
from dagster._utils.log import configure_loggers, create_console_logger
from uvicorn.config import LOGGING_CONFIG

configure_loggers(formatter="colored")
logging.getLogger("dagster.daemon").info("a daemon")
create_console_logger("dagster", "DEBUG").info("a run")
create_console_logger("dagster", "DEBUG").debug("too small")
logging.config.dictConfig(LOGGING_CONFIG)
logging.getLogger("uvicorn.error").info("a web server")
logging.getLogger("fraud_platform.rooms").info("a room")
logging.getLogger("some.library").warning("card %s", "{card}")
logging.getLogger("some.library").info("small talk")
logging.warning("somebody without a logger")
warnings.warn("a warning")
{end}
"""


def test_whoever_logs_in_a_process_writes_json_at_the_level_of_the_settings(tmp_path):
    lines = lines_of(EVERYBODY.format(card=CARD, end=""), tmp_path)
    said = {line["message"].partition("UserWarning: ")[2].strip() or line["message"] for line in lines}
    everybody = {"a daemon", "a room", "a run", "a warning", "a web server", "card [card number]"}
    assert said == {*everybody, "somebody without a logger"}
    assert len(lines) == len(said), "something is said twice"
    quiet = lines_of(EVERYBODY.format(card=CARD, end=""), tmp_path, FRAUD_LOG_LEVEL="ERROR")
    assert quiet == []


@pytest.mark.parametrize(
    ("end", "message", "has_traceback"),
    [
        ("from fraud_platform.errors import DataError; raise DataError('mend the file')", "mend the file", False),
        ("1 / 0", "unexpected ZeroDivisionError: division by zero", True),
    ],
)
def test_the_error_that_ends_a_process_is_one_line(tmp_path, end, message, has_traceback):
    last = lines_of(EVERYBODY.format(card=CARD, end=end), tmp_path)[-1]
    assert (last["level"], last["event"], last["message"]) == ("CRITICAL", "process_failed", message)
    assert ("error" in last) is has_traceback


def test_text_leaves_every_library_its_own_format(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", EVERYBODY.format(card=CARD, end="")],
        env={**os.environ, "FRAUD_HOME": str(tmp_path), "FRAUD_LOG_FORMAT": "text"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert " - dagster - INFO - a run" in done.stderr
    assert "card [card number]" in done.stderr
    assert "too small" not in done.stdout + done.stderr


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_code_location_with_a_wrong_setting_says_so_in_one_line(tmp_path, log_format):
    serve = ["dagster", "api", "grpc", "--port", str(free_port()), "--module-name", "fraud_platform.definitions"]
    done = subprocess.run(
        [sys.executable, "-m", *serve, "--log-level", "error"],
        env={**os.environ, "FRAUD_HOME": str(tmp_path), "FRAUD_LOG_FORMAT": log_format, "FRAUD_SEED": "abc"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    (line,) = (done.stdout + done.stderr).splitlines()
    said = json.loads(line)["message"] if log_format == "json" else line
    assert said.startswith("FRAUD_SEED='abc': Input should be a valid integer")
    assert said.endswith("set it right or unset it")
    assert done.returncode == 1


RUN = """
from datetime import date
import dagster as dg
from fraud_platform.definitions import defs

with dg.DagsterInstance.ephemeral() as instance:
    for day in ("{good}", "{bad}"):
        job = defs.resolve_job_def("daily")
        keys = [dg.AssetKey(name) for name in ("raw_transactions", "confirmed_labels", "features")]
        job.execute_in_process(instance=instance, partition_key=day, asset_selection=keys, raise_on_error=False)
"""


def test_a_run_logs_one_event_per_asset_and_no_value_of_any_row(tmp_path):
    good, bad = day_number(1), day_number(2)
    (table,) = simulated([good], rows_per_day=200)
    # Values that nothing else would print.
    table["V1"], table["Amount"] = 1234.56789, 98765.4321
    folder = tmp_path / "landing/transactions"
    (folder / f"{good}").mkdir(parents=True)
    table.to_csv(folder / f"{good}/simulated.csv", index=False)
    (folder / f"{bad}").mkdir(parents=True)
    broken: pd.DataFrame = table.astype({"V1": object})
    broken.loc[3, "V1"] = "98765.4321x"
    broken.to_csv(folder / f"{bad}/simulated.csv", index=False)
    lines = lines_of(RUN.format(good=good, bad=bad), tmp_path)
    events = [(line["event"], line["partition"], line.get("row_count")) for line in lines if "asset" in line]
    assert events == [
        ("ingestion_complete", good.isoformat(), 200),
        ("labels_complete", good.isoformat(), 200),
        ("asset_complete", good.isoformat(), 200),
    ]
    assert all(line["run"] and line["seconds"] >= 0 for line in lines if "asset" in line)
    failures = [line for line in lines if line["event"] == "step_failure"]
    assert [(line["partition"], line["step"]) for line in failures] == [(bad.isoformat(), "raw_transactions")]
    assert "column V1" in failures[0]["error"]
    everything = json.dumps(lines)
    assert "1234.5" not in everything
    assert "98765.4" not in everything
