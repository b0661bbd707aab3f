"""What the host makes of a release: the compose stack on AWS, the databases, and each service's own credentials."""

import importlib.util
import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import yaml

from fraud_platform_tests.infrastructure.terraform import ACCOUNT, REGION, SOURCES
from fraud_platform_tests.production.postgres import PostgresServer, running_postgres

ROOT = SOURCES.parent
SERVICES = ("webserver", "daemon", "code-location", "mlflow", "exporter")
# The shape of a release's own file; where the project has one, that is used.
STACK = """
x-platform: &platform
  image: ${IMAGE}
  build: {context: ..}
  environment: &environment
    FRAUD_POSTGRES_URL: postgresql://dagster@postgres:5432/dagster
    MLFLOW_TRACKING_URI: http://mlflow:5000
services:
  postgres: {image: "postgres:17"}
  proxy: {image: "caddy:2", depends_on: {webserver: {condition: service_healthy}}}
  s3: {image: "seaweedfs:4", profiles: [development]}
  mlflow: {<<: *platform, depends_on: {postgres: {condition: service_healthy}}}
  code-location: {<<: *platform, depends_on: [postgres, mlflow]}
  webserver: {<<: *platform, depends_on: {code-location: {condition: service_healthy}}}
  daemon: {<<: *platform, volumes: ["home:/var/lib/fraud-platform"]}
  node-exporter: {image: "prom/node-exporter:1"}
volumes: {home: {}}
"""
INSTANCE = "storage: {custom: {class: A, module: b}}\nrun_launcher: {class: WatchedRunLauncher, module: b}\n"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The host's program, with its folders below a temporary one."""
    specification = importlib.util.spec_from_file_location(
        "fraud_platform_host", SOURCES / "host" / "fraud_platform_host.py"
    )
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "RUNTIME", tmp_path / "run")
    monkeypatch.setattr(module, "RELEASE", tmp_path / "release")
    monkeypatch.setattr(module, "DOCKER_CONFIGURATION", tmp_path / "docker" / "config.json")
    return module


@pytest.fixture
def host() -> dict[str, Any]:
    """What Terraform tells the program."""
    return {
        "region": REGION,
        "release": "1.2.3",
        "image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/fraud-platform-production:1.2.3",
        "releases_bucket": "releases",
        "role_arns": {service: f"arn:aws:iam::{ACCOUNT}:role/{service}" for service in SERVICES},
        "secret_arns": {"dagster": "dagster", "mlflow": "mlflow"},
        "signing_key_arns": {"model": "model_key", "audit": "audit_key"},
        "channel_arns": {"alertmanager_chat_url": "chat", "alert_urls": "nothing-yet"},
        "administrator_secret": "administrator",
        "database_address": "database.example.com",
        "database_port": 5432,
        "database_urls": {
            name: f"postgresql://{name}@database.example.com:5432/{name}?sslmode=require"
            for name in ("dagster", "mlflow")
        },
        "artifacts_destination": "s3://artifacts/mlflow",
        "environment": {"FRAUD_STORAGE": "s3://storage/storage", "MLFLOW_TRACKING_URI": "http://10.40.128.10:5000"},
        "host_address": "10.40.128.10",
        "domain_name": "fraud.example.com",
        "runbooks": "https://github.com/bank/fraud/blob/HEAD/docs/runbooks",
        "page_ports": {"dagster": 3000, "mlflow": 5000, "grafana": 3001},
        "log_group": "/fraud-platform-production/services",
        "run_launcher": {"module": "dagster_aws.ecs", "class": "EcsRunLauncher", "config": {"container_name": "run"}},
    }


@pytest.fixture(params=["the shape of a release", "deploy/docker-compose.yml"])
def stack(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A release's compose file."""
    path = ROOT / "deploy" / "docker-compose.yml"
    if request.param.startswith("deploy"):
        if not path.exists():
            pytest.skip("this checkout has no deploy/docker-compose.yml")
        return yaml.safe_load(path.read_text())
    return yaml.safe_load(STACK)


def test_rds_and_the_load_balancer_take_the_place_of_their_containers(
    program: ModuleType, host: dict[str, Any], stack: dict[str, Any]
) -> None:
    services = program.compose_on_aws(stack, host)["services"]
    assert set(services) == set(stack["services"]) - {"postgres", "proxy", "s3", "bucket"}
    for service in services.values():
        assert set(service["depends_on"]) <= set(services)
        assert service["logging"]["driver"] == "awslogs"
        assert "build" not in service
    assert services["webserver"]["ports"] == ["3000:3000"]
    assert services["mlflow"]["ports"] == ["5000:5000"]
    assert services["webserver"]["environment"]["FRAUD_POSTGRES_URL"] == host["database_urls"]["dagster"]
    assert services["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"] == host["database_urls"]["mlflow"]


def test_a_container_is_given_its_own_credentials_and_no_other(
    program: ModuleType, host: dict[str, Any], stack: dict[str, Any]
) -> None:
    for name, service in program.compose_on_aws(stack, host)["services"].items():
        mounted = [volume for volume in service["volumes"] if "/credentials/" in str(volume)]
        has_role = name in SERVICES
        assert mounted == ([f"{program.RUNTIME}/credentials/{name}:/run/aws:ro"] if has_role else [])
        assert (service["environment"].get("AWS_CONFIG_FILE") == "/run/aws/config") == has_role


def test_mlflow_answers_to_the_names_it_is_called_by(
    program: ModuleType, host: dict[str, Any], stack: dict[str, Any]
) -> None:
    environment = program.compose_on_aws(stack, host)["services"]["mlflow"]["environment"]
    allowed = environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"mlflow:5000", "10.40.128.10:5000", "mlflow.fraud.example.com"} <= set(allowed)
    assert environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "https://mlflow.fraud.example.com"


def test_runs_become_tasks_and_the_rest_of_the_instance_stays(program: ModuleType, host: dict[str, Any]) -> None:
    base = yaml.safe_load(INSTANCE)
    assert program.instance_on_aws(base, host) == {**base, "run_launcher": host["run_launcher"]}


@pytest.fixture
def account(s3_server: str, monkeypatch: pytest.MonkeyPatch, host: dict[str, Any]) -> None:
    """An account with a release in its bucket and the secrets of the databases."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    bundle = io.BytesIO()
    with tarfile.open(fileobj=bundle, mode="w:gz") as archive:
        for name, text in {"deploy/docker-compose.yml": STACK, "deploy/dagster.yaml": INSTANCE}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    if "releases" not in names:
        s3.create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="releases", Key="1.2.3/deploy.tar.gz", Body=bundle.getvalue())
    known = {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}
    for name, value in {
        "dagster": "first-of-dagster",
        "mlflow": "first-of-mlflow",
        "chat": "https://chat.example.com/first-of-chat",
        "model_key": "first-of-model-key",
        "audit_key": "first-of-audit-key",
        "administrator": json.dumps({"username": "administrator", "password": "of-the-administrator"}),
    }.items():
        if name in known:
            secrets.put_secret_value(SecretId=name, SecretString=value)
        else:
            secrets.create_secret(Name=name, SecretString=value)
    if "nothing-yet" not in known:
        # As Terraform makes it, without a value.
        secrets.create_secret(Name="nothing-yet")


@pytest.mark.usefixtures("account")
def test_a_release_is_unpacked_with_its_settings_and_its_secrets_stay_in_memory(
    program: ModuleType, host: dict[str, Any]
) -> None:
    program.fetch_release(host)
    deploy = program.RELEASE / "deploy"
    assert "postgres" not in yaml.safe_load((deploy / "docker-compose.yml").read_text())["services"]
    assert yaml.safe_load((program.RUNTIME / "dagster.yaml").read_text())["run_launcher"]["class"] == "EcsRunLauncher"
    settings = (deploy / ".env").read_text().splitlines()
    assert f"IMAGE={host['image']}" in settings
    assert "MLFLOW_ARTIFACTS_DESTINATION=s3://artifacts/mlflow" in settings
    password = deploy / "secrets" / "dagster_database_password"
    assert password.read_text() == "first-of-dagster"
    assert (deploy / "secrets" / "model_key").read_text() == "first-of-model-key"
    assert (deploy / "secrets" / "audit_key").read_text() == "first-of-audit-key"
    assert password.resolve().is_relative_to(program.RUNTIME)
    assert password.resolve().parent.stat().st_mode & 0o777 == 0o700
    written = "".join(
        path.read_text()
        for path in program.RELEASE.rglob("*")
        if path.is_file() and not path.is_relative_to(deploy / "secrets")
    )
    assert "first-of-" not in written
    # A second start, as after a boot, gives the same.
    program.fetch_release(host)


@pytest.mark.usefixtures("account")
def test_where_alerts_go_is_there_again_on_a_new_host_and_who_is_missing_is_named(
    program: ModuleType, host: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    program.fetch_release(host)
    deploy = program.RELEASE / "deploy"
    assert (deploy / "secrets/alertmanager_chat_url").read_text() == "https://chat.example.com/first-of-chat"
    assert (deploy / "secrets/alert_urls").read_text() == ""
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nobody is told of alerts through alert_urls: put a value into the secret nothing-yet")
    # Their runbooks are where somebody serves them.
    assert f"RUNBOOKS={host['runbooks']}" in (deploy / ".env").read_text().splitlines()


def test_the_host_tells_of_its_containers_as_in_any_installation() -> None:
    """Without it, no alert about crash loops or unwell services could ever fire."""
    text = (SOURCES / "host/cloud-config.yaml.tftpl").read_text()
    written = {file["path"]: file.get("content", "") for file in yaml.safe_load(text)["write_files"]}
    for name, key in {"service": "ExecStart", "timer": "OnUnitActiveSec"}.items():
        unit = f"fraud-platform-host-metrics.{name}"
        there = written[f"/etc/systemd/system/{unit}"].splitlines()
        here = (ROOT / "deploy/systemd" / unit).read_text().splitlines()
        assert [line for line in there if line.startswith(key)] == [line for line in here if line.startswith(key)]
    assert "systemctl enable --now fraud-platform-host-metrics.timer" in text


@pytest.mark.usefixtures("account")
def test_the_aws_libraries_take_the_credentials_and_ask_again_before_they_expire(
    program: ModuleType, host: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.session import Session

    program.hand_out_credentials(host)
    assert program.RUNTIME.stat().st_mode & 0o777 == 0o700
    folder = program.RUNTIME / "credentials" / "daemon"
    config = folder / "config"
    # Inside the container the folder is mounted elsewhere.
    config.write_text(config.read_text().replace(program.CREDENTIALS_FOLDER, str(folder)))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    credentials = Session().get_credentials()
    given = json.loads((folder / "credentials.json").read_text())
    assert credentials.get_frozen_credentials().access_key == given["AccessKeyId"]
    # Five minutes are left, and the timer has put down a new key.
    renewed = {**given, "AccessKeyId": "RENEWED"}
    (folder / "credentials.json").write_text(json.dumps(renewed))
    credentials._expiry_time = datetime.now(UTC) + timedelta(minutes=5)
    assert credentials.get_frozen_credentials().access_key == "RENEWED"


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server with nothing on it, whose administrator is no superuser, as on RDS."""
    with running_postgres() as server:
        for name in ("dagster", "mlflow"):
            server.ask("postgres", f"DROP DATABASE {name}")
            server.ask("postgres", f"DROP ROLE {name}")
        server.ask("postgres", "CREATE ROLE administrator LOGIN CREATEDB CREATEROLE PASSWORD 'of-the-administrator'")
        server.ask("postgres", "ALTER SYSTEM SET log_statement = 'all'")
        server.ask("postgres", "SELECT pg_reload_conf()")
        yield server


@pytest.mark.usefixtures("account")
def test_each_database_gets_an_owner_that_sees_only_its_own(
    program: ModuleType, host: dict[str, Any], postgres: PostgresServer
) -> None:
    import psycopg2

    here = {**host, "database_address": "127.0.0.1", "database_port": postgres.port, "database_sslmode": "disable"}

    def log_in(name: str, database: str, password: str) -> None:
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user=name, dbname=database, password=password).close()

    program.make_databases(here)
    log_in("dagster", "dagster", "first-of-dagster")
    log_in("mlflow", "mlflow", "first-of-mlflow")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        log_in("dagster", "mlflow", "first-of-dagster")
    # Rotation: the next start sets the new password, and what is stored stays.
    boto3.client("secretsmanager").put_secret_value(SecretId="dagster", SecretString="second-of-dagster")
    program.make_databases(here)
    log_in("dagster", "dagster", "second-of-dagster")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        log_in("dagster", "dagster", "first-of-dagster")
    # The server logs every statement here, and no password is in any.
    log = (postgres.secrets / "server.log").read_text()
    assert "ALTER ROLE" in log
    assert "of-dagster" not in log
    assert "of-mlflow" not in log
