"""The scripts that make the databases and their owners, with a real PostgreSQL."""

import os
import subprocess

import pytest
import sqlalchemy

from fraud_platform.defs.doctor import findings
from fraud_platform.defs.production import PasswordFile
from fraud_platform.errors import PlatformError
from fraud_platform.settings import load_settings
from fraud_platform_tests.production.postgres import PostgresServer, running_postgres
from fraud_platform_tests.production.processes import DEPLOY


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as server:
        yield server


def connect(server: PostgresServer, user: str, database: str, password: str):
    url = sqlalchemy.engine.make_url(server.url(user)).set(drivername="postgresql+psycopg2", database=database)
    return sqlalchemy.create_engine(url, connect_args={"password": password}).connect()


def password_of(server: PostgresServer, name: str) -> str:
    return (server.secrets / f"{name}_database_password").read_text()


@pytest.mark.parametrize(("owner", "other"), [("dagster", "mlflow"), ("mlflow", "dagster")])
def test_each_owner_enters_its_own_database_and_no_other(postgres, owner, other):
    password = password_of(postgres, owner)
    with connect(postgres, owner, owner, password) as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == owner
    with pytest.raises(sqlalchemy.exc.OperationalError, match="permission denied"):
        connect(postgres, owner, other, password)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed"):
        connect(postgres, owner, owner, "guessed")


def test_a_new_password_in_the_file_is_the_password_after_the_script_ran_again(postgres, monkeypatch):
    file = postgres.secrets / "dagster_database_password"
    monkeypatch.setenv("FRAUD_POSTGRES_PASSWORD_FILE", str(file))
    provider = PasswordFile(load_settings())
    before = provider.get_token()
    file.write_text("rotated'; DROP ROLE mlflow; --\n")
    assert postgres.script("create_databases.sh").returncode == 0
    # Whoever holds the provider, as every Dagster process does, needs no restart.
    with connect(postgres, "dagster", "dagster", provider.get_token()):
        pass
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed"):
        connect(postgres, "dagster", "dagster", before)
    assert postgres.ask("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'mlflow'") == ["1"]


@pytest.mark.parametrize(
    "written",
    [
        b"once again\n",
        # As an editor of another system writes it.
        b"\xef\xbb\xbfonce again\r\n",
        b"\xef\xbb\xbfonce again",
    ],
)
def test_what_an_editor_adds_is_no_part_of_a_password_whoever_reads_it(postgres, monkeypatch, written):
    file = postgres.secrets / "dagster_database_password"
    file.write_bytes(written)
    assert postgres.script("create_databases.sh").returncode == 0
    monkeypatch.setenv("FRAUD_POSTGRES_PASSWORD_FILE", str(file))
    assert load_settings().postgres_password() == "once again"
    with connect(postgres, "dagster", "dagster", "once again"):
        pass
    told = subprocess.run(
        [DEPLOY / "with_password.sh", "printenv", "PGPASSWORD"],
        env={**os.environ, "PGPASSWORD_FILE": str(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "once again\n"


@pytest.mark.parametrize("written", ["", "\n"])
def test_a_missing_password_makes_no_role_without_one(postgres, written):
    file = postgres.secrets / "mlflow_database_password"
    kept = file.read_text()
    file.write_text(written)
    try:
        refused = postgres.script("create_databases.sh")
    finally:
        file.write_text(kept)
    assert refused.returncode == 1
    assert refused.stderr.strip() == f"{file} is missing, unreadable or empty"


@pytest.mark.parametrize(
    ("environment", "detail", "remedy"),
    [
        # The password in the file is another's.
        ({"FRAUD_POSTGRES_PASSWORD_FILE": "{secrets}/postgres_password"}, "password authentication failed", "correct"),
        # No password at all.
        ({}, "no password supplied", "name the password's file in FRAUD_POSTGRES_PASSWORD_FILE"),
        ({"FRAUD_POSTGRES_PASSWORD_FILE": "{secrets}/nothing"}, "No such file", ""),
        ({"FRAUD_POSTGRES_PASSWORD_FILE": "{secrets}/web_users"}, "is empty", ""),
        ({"FRAUD_POSTGRES_URL": "postgresql://dagster@127.0.0.1:1/dagster"}, "refused", "start PostgreSQL or correct"),
    ],
)
def test_doctor_says_what_is_wrong_with_the_database(postgres, monkeypatch, tmp_path, environment, detail, remedy):
    settings = {"FRAUD_HOME": str(tmp_path), "FRAUD_POSTGRES_URL": postgres.url("dagster"), **environment}
    for name, text in settings.items():
        monkeypatch.setenv(name, text.format(secrets=postgres.secrets))
    finding = next(each for each in findings(load_settings()) if each.subject == "Dagster database")
    assert not finding.is_well
    assert detail in finding.detail
    assert "\n" not in finding.detail
    assert finding.remedy.startswith(remedy)
    assert bool(finding.remedy) == bool(remedy)


def test_an_unreadable_password_is_one_line_that_says_who_must_read_it(monkeypatch, tmp_path):
    # A folder cannot be read as a file, not by root either.
    monkeypatch.setenv("FRAUD_POSTGRES_PASSWORD_FILE", str(tmp_path))
    with pytest.raises(PlatformError, match=r"cannot be read: Is a directory; put the password there and let user \d+"):
        load_settings().postgres_password()


def test_what_a_newer_version_has_added_is_gone_after_going_back(postgres, tmp_path):
    def ask(query: str) -> list[str]:
        return postgres.ask("mlflow", query)

    ask("SET ROLE mlflow; CREATE TABLE models (id int PRIMARY KEY); INSERT INTO models VALUES (1)")
    tmp_path.chmod(0o777)
    moment = postgres.script("backup.sh", str(tmp_path)).stdout.split()[-1].removesuffix(".dump").rsplit("-", 1)[1]
    # A migration adds a table that rests on an old one, which then cannot be dropped alone.
    ask("SET ROLE mlflow; INSERT INTO models VALUES (2); CREATE TABLE added (id int REFERENCES models (id))")
    for _ in range(2):
        restored = postgres.script("restore.sh", str(tmp_path), moment)
        assert restored.returncode == 0, restored.stderr
        assert ask("SELECT id FROM models") == ["1"]
        assert ask("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'") == ["models|mlflow"]
        # The next dump must fit as well.
        moment = postgres.script("backup.sh", str(tmp_path)).stdout.split()[-1].removesuffix(".dump").rsplit("-", 1)[1]
    assert {path.suffix for path in tmp_path.iterdir()} == {".dump"}
