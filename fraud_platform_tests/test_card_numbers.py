"""Card numbers planted wherever one can get in: each is refused, quarantined or masked, and none is written."""

import gzip
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from fraud_platform.defs.daily_asset import retried_only_where_time_helps
from fraud_platform.defs.instance import open_instance
from fraud_platform.defs.jobs import CAUSE_TAG, TRIGGER_TAG
from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform_tests.bad_files import CARD, good_rows
from fraud_platform_tests.platform_home import PlatformHome, day_number, open_home, step_failures

GROUPED, DASHED, AMEX = "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005"
# As text, and as pandas, JSON and repr write the number.
SPELLINGS = [text.encode() for text in (CARD, GROUPED, DASHED, "4.11111111111111", AMEX, "3782 822463 10005")]
DAY = day_number(5)


def written_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file: as bytes, unzipped, and Parquet as text."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.as_posix().encode() + path.read_bytes()
            if path.suffix == ".parquet":
                yield path, pd.read_parquet(path).to_csv().encode()
            if path.suffix == ".gz":
                yield path, gzip.decompress(path.read_bytes())


def assert_nowhere(*folders: Path, shown: str = "") -> None:
    for folder in folders:
        found = [path.as_posix() for path, data in written_below(folder) for spelling in SPELLINGS if spelling in data]
        assert found == []
    assert not any(spelling.decode() in shown for spelling in SPELLINGS)


@pytest.fixture
def upstream(tmp_path, monkeypatch) -> Path:
    """A landing zone of somebody else, whose bytes are not ours to judge."""
    monkeypatch.setenv("FRAUD_LANDING", str(tmp_path / "upstream"))
    return tmp_path / "upstream"


def planted(column: str, value: object, position: int = 3) -> pd.DataFrame:
    """A good day with one value replaced."""
    table = good_rows(400)
    table.insert(0, "transaction_id", [f"bank-{number}" for number in range(len(table))])
    table = table.astype({column: object}) if isinstance(value, str) else table
    table.loc[position, column] = value
    return table


def as_csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def as_parquet(table: pd.DataFrame) -> bytes:
    texts = {name: str for name in table.columns if table[name].dtype == object}
    return table.astype(texts).to_parquet(index=False)


QUARANTINED: list[tuple[str, Callable[[], bytes], str]] = [
    ("id.csv", lambda: as_csv(planted("transaction_id", CARD)), "transaction_id"),
    ("grouped.csv", lambda: as_csv(planted("transaction_id", GROUPED)), "transaction_id"),
    ("dots.csv", lambda: as_csv(planted("transaction_id", "4111.1111.1111.1111")), "transaction_id"),
    ("within.parquet", lambda: as_parquet(planted("transaction_id", f"order {DASHED}!")), "transaction_id"),
    ("text.csv", lambda: as_csv(planted("V7", GROUPED)), "V7"),
    ("number.csv", lambda: as_csv(planted("V7", float(CARD))), "V7"),
    ("amount.csv.gz", lambda: gzip.compress(as_csv(planted("Amount", float(AMEX)))), "Amount"),
    ("number.parquet", lambda: as_parquet(planted("Amount", float(CARD))), "Amount"),
    ("time.parquet", lambda: as_parquet(planted("Time", float(AMEX))), "Time"),
    ("class.csv", lambda: as_csv(planted("Class", CARD)), "Class"),
    (f"named {CARD}.csv", lambda: as_csv(planted("V1", float(CARD))), "V1"),
]
REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("header.csv", lambda: as_csv(good_rows().rename(columns={"V5": CARD})), "[card number]"),
    ("long_header.csv", lambda: as_csv(good_rows().assign(**{"x" * 30 + f" {CARD}": 1})), "does not expect"),
    ("header.parquet", lambda: as_parquet(good_rows().assign(**{GROUPED: 1})), "[card number]"),
    ("extra.csv", lambda: as_csv(good_rows().assign(note=DASHED)), "does not expect column 'note'"),
    ("cvv.csv", lambda: as_csv(good_rows().assign(cvv=123)), "would hold a card security code"),
    ("name.parquet", lambda: as_parquet(good_rows().assign(Cardholder="Ada")), "would hold a person's name"),
    ("beside.csv", lambda: as_csv(planted("V7", f"{CARD}x1")).replace(b",1\n", b",1,1\n", 1), "fields in data row"),
    (
        "nested.parquet",
        lambda: good_rows(400).assign(V7=[{CARD: 1.0}] * 400).to_parquet(index=False),
        "struct<[card number]",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "column"), QUARANTINED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_row_with_a_card_number_is_quarantined_without_it(upstream, tmp_path, capfd, name, content, column):
    with open_home(tmp_path / "home", FRAUD_LANDING=str(upstream)) as home:
        home.put(DAY, name, content())
        assert home.attempt("daily", DAY, ["raw_transactions", "features"]).success
        quarantine = home.store.read_table("quarantine", DAY)
        assert quarantine[["row", "column", "reason"]].values.tolist() == [[4, column, "field holds a card number"]]
    shown = capfd.readouterr()
    assert_nowhere(tmp_path / "home", shown=shown.out + shown.err)


def test_a_file_with_a_card_number_in_its_header_or_beside_a_defect_is_refused_without_it(upstream, copied_home, capfd):
    home = copied_home.settings.home
    with open_instance() as instance:
        platform = PlatformHome(load_settings(), instance)
        for name, content, words in REFUSED:
            path = platform.put(DAY, name, content())
            (message,) = step_failures(platform.attempt("daily", DAY, ["raw_transactions"]))
            assert words in message, name
            path.unlink()
    shown = capfd.readouterr()
    assert_nowhere(home, shown=shown.out + shown.err)


@pytest.mark.parametrize(
    "content",
    [
        f"transaction_id,Class\n{CARD},1\n",
        f"transaction_id,Class\n{GROUPED},1\n",
        f"transaction_id,Class\nbank-1,{CARD}\n",
        f"transaction_id,Class,{CARD}\nbank-1,1,2\n",
        f"transaction_id,{DASHED}\nbank-1,1\n",
        f"transaction_id,Class,cvv\nbank-1,1,{AMEX}\n",
    ],
)
def test_a_label_file_with_a_card_number_is_refused_without_it(upstream, tmp_path, capfd, content):
    with open_home(tmp_path / "home", FRAUD_LANDING=str(upstream)) as home:
        home.put(DAY, "day.csv", as_csv(good_rows()))
        home.put(DAY, f"labels {AMEX}.csv", content, kind="labels")
        result = home.attempt("daily", DAY, ["raw_transactions", "confirmed_labels"])
        (message,) = step_failures(result)
        assert "labels [card number].csv" in message
    shown = capfd.readouterr()
    assert_nowhere(tmp_path / "home", shown=shown.out + shown.err)


# -- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["land", "demo"])
@pytest.mark.parametrize(
    "table",
    [
        planted("V7", float(CARD)),
        planted("Amount", float(AMEX)),
        planted("transaction_id", GROUPED),
        planted("V7", CARD + "x"),
        good_rows().assign(**{CARD: 1}),
        good_rows().assign(cvv=123),
    ],
    ids=["value", "amount", "identifier", "text", "header", "security code"],
)
def test_a_file_to_replay_with_a_card_number_lands_nothing(type_in, home, tmp_path, command, table):
    path = tmp_path / "day.csv"
    table.to_csv(path, index=False)
    arguments = (path, "--start", "2026-01-01") if command == "land" else ("--csv", path)
    answer = type_in(command, *arguments, "--days", "8")
    assert answer.code == 1, answer
    assert not (home / "landing").exists()
    assert_nowhere(home, shown=answer.out + answer.err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", f"{CARD}.csv", "--output", "out.csv"),
        ("score", "day.csv", "--output", f"decisions for {GROUPED}.csv"),
        ("score", "day.csv", "--output", "out.csv", "--model", CARD),
        ("simulate", "--start", CARD),
        ("demo", "--csv", f"/var/{DASHED}.csv"),
        ("land", f"{CARD}", "--days", "1", "--start", "2026-01-01"),
        ("audit", "record", "note", "--subject", "x", "--reason", f"card {CARD}"),
        ("audit", "show", "--subject", CARD),
        ("erase", "--transaction-id", CARD),
        ("doctor", GROUPED, "--debug"),
        (AMEX,),
        ("audit", "record", "note", "--subject", "x", "--reason", *GROUPED.split()),
    ],
    ids=range(12),
)
def test_an_argument_with_a_card_number_is_refused_before_anything_is_done(type_in, home, arguments):
    answer = type_in(*arguments)
    assert answer.code == 2
    assert "an argument holds a card number" in answer.err
    assert not home.exists()
    assert_nowhere(shown=answer.out + answer.err)


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_an_error_on_the_way_shows_no_card_number(type_in, home, monkeypatch, debug):
    from fraud_platform import cli_models

    def surprise() -> None:
        raise ValueError(f"could not convert string to float: '{GROUPED}'")

    monkeypatch.setattr(cli_models, "load_settings", surprise)
    answer = type_in("models", *debug)
    assert (answer.code, "[card number]" in answer.err) == (1, True)
    assert_nowhere(shown=answer.out + answer.err)


# -- settings, tags, errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FRAUD_HOME", f"/var/{CARD}"),
        ("FRAUD_LANDING", f"s3://bucket/{GROUPED}"),
        ("FRAUD_STORAGE", f"/var/{DASHED}"),
        ("MLFLOW_TRACKING_URI", f"sqlite:////var/{CARD}.db"),
        ("FRAUD_ACTOR", f"holder of {CARD}"),
        ("FRAUD_AUDIT", f"/var/{AMEX}"),
        ("FRAUD_SEED", CARD),
        ("FRAUD_START_DATE", GROUPED),
        ("FRAUD_SPLIT_STRATEGY", CARD),
        ("FRAUD_CANDIDATES", f'["{CARD}"]'),
    ],
)
def test_a_setting_with_a_card_number_is_refused_by_its_name(home, type_in, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(PlatformError, match=variable) as refusal:
        load_settings()
    answer = type_in("doctor")
    assert answer.code == 1
    assert variable in answer.err
    assert_nowhere(shown=f"{refusal.value}{answer.out}{answer.err}")
    assert not Path("/var", CARD).exists()


def test_a_cause_with_a_card_number_reaches_neither_mlflow_nor_documents_nor_the_trail(copied_home):
    tags = {TRIGGER_TAG: "manual", CAUSE_TAG: f"asked for by the holder of {CARD}"}
    # Dagster itself keeps what people type into its tags; here that is in memory.
    result = copied_home.definitions.resolve_job_def("retraining").execute_in_process(
        instance=copied_home.instance, partition_key=day_number(3).isoformat(), tags=tags
    )
    assert result.success
    assert_nowhere(copied_home.settings.home)
    with sqlite3.connect(copied_home.settings.home / "mlflow.db") as database:
        causes = [row[0] for row in database.execute("select value from tags where key = 'cause'")]
    assert any("holder of [card number]" in cause for cause in causes)


def test_a_failed_run_shows_no_card_number_whatever_library_names_it(upstream, tmp_path, monkeypatch, capfd):
    from fraud_platform.ingestion import transactions

    def fails(path: object, **options: object) -> None:
        raise ValueError(f"could not convert string to float: '{GROUPED}'") from KeyError(CARD)

    monkeypatch.setattr(transactions, "read_landed_table", fails)
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path / "home"))
    with open_instance() as instance:
        platform = PlatformHome(load_settings(), instance)
        platform.put(DAY, "day.csv", as_csv(good_rows()))
        (message,) = step_failures(platform.attempt("daily", DAY, ["raw_transactions"]))
    assert "ValueError: could not convert string to float: '[card number]'" in message
    shown = capfd.readouterr()
    assert_nowhere(tmp_path / "home", shown=shown.out + shown.err)


def test_a_storage_error_that_is_tried_again_names_no_card_number():
    error = OSError(5, "Input/output error", f"/landing/{CARD}.csv")
    with pytest.raises(OSError, match=r"\[card number\]") as seen, retried_only_where_time_helps(DAY):
        raise error
    assert seen.value.__suppress_context__
    assert_nowhere(shown=f"{seen.value!r}")
