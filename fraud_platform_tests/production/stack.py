"""The production stack as processes on loopback: the commands, settings and secrets of docker-compose.yml, no engine.

PostgreSQL, an S3 server, MLflow's server, code location, webserver, daemon and exporter. What is tested of them
stands elsewhere.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import requests
import yaml

from fraud_platform_tests.platform_home import SMALL, day_number, simulated
from fraud_platform_tests.production.door import Door, open_door
from fraud_platform_tests.production.postgres import PostgresServer, running_postgres
from fraud_platform_tests.production.processes import (
    DEPLOY,
    PROGRAMS,
    Processes,
    command_of,
    compose_file,
    free_port,
    health_check_of,
    is_listening,
    processes,
)

# The promise is two minutes; on two cores shared with other tests it takes about half a minute.
START_SECONDS = 120
DAY = day_number(1)
BUCKET = "bank"
ROWS = 4_000
# Names of this machine that need no name server.
SITES = {"dagster": "localhost", "mlflow": "127.0.0.1", "grafana": "127.0.0.2"}
# The stack is on trial here, not the model that one small day makes.
GATES = dict.fromkeys(("FRAUD_MIN_F1", "FRAUD_MIN_PRECISION", "FRAUD_MIN_RECALL", "FRAUD_MIN_AVERAGE_PRECISION"), "0.1")
RUNS = """{ runsOrError { ... on Runs { results {
    runId status jobName assetSelection { path } tags { key value } } } } }"""


@dataclass
class Stack:
    """Everything that runs, and how long it took to be well."""

    processes: Processes
    postgres: PostgresServer
    ports: dict[str, int]
    s3_door: Door | None = None
    start_seconds: float = 0

    def ask(self, query: str) -> dict[str, Any]:
        """The data of a GraphQL answer of the webserver."""
        url = f"http://127.0.0.1:{self.ports['webserver']}/graphql"
        answer = requests.post(url, json={"query": query}, timeout=30).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def finished(self, job: str, count: int) -> list[dict[str, Any]] | None:
        """The runs of a job, newest first, once `count` of them have ended; the first failure is an error."""
        runs = [run for run in self.ask(RUNS)["runsOrError"]["results"] if run["jobName"] == job]
        failed = [run["runId"] for run in runs if run["status"] in ("FAILURE", "CANCELED")]
        assert not failed, self.processes.log("code-location")[-3000:]
        return runs if [run["status"] for run in runs].count("SUCCESS") >= count else None

    def keys(self, prefix: str) -> list[str]:
        """What the bucket holds below a prefix."""
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    @property
    def environment_of_commands(self) -> dict[str, str]:
        """The environment of a command inside the code location's container."""
        _, told = self.processes.started["code-location"]
        return {**self.processes.environment, **told}

    @property
    def s3(self) -> Any:
        """A client of the S3 server."""
        return boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.ports['s3']}")


@contextmanager
def running_stack(folder: Path, *, is_s3_behind_a_door: bool = False, **monitoring: int) -> Iterator[Stack]:
    """The stack, started in the order that docker-compose.yml tells; a day has landed before it starts.

    With a door before S3 it can be shut. `monitoring` replaces numbers in the `run_monitoring` of the instance.
    """
    home = folder / "dagster"
    home.mkdir()
    instance = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    instance["run_monitoring"] |= monitoring
    (home / "dagster.yaml").write_text(yaml.safe_dump(instance))
    with (
        running_postgres() as postgres,
        processes(folder, _environment(folder, postgres)) as started,
        ExitStack() as doors,
    ):
        ports = {
            name: free_port()
            for name in ("s3", "mlflow", "code-location", "webserver", "exporter", "http", "https", "health")
        }
        door = doors.enter_context(open_door(ports["s3"])) if is_s3_behind_a_door else None
        started.environment = {
            **started.environment,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{door.port if door else ports['s3']}",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}",
        }
        begin = time.monotonic()
        started.start("s3", [str(PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(ports["s3"])])
        started.wait("S3 server", lambda: is_listening(ports["s3"]))
        stack = Stack(started, postgres, ports, door)
        _land(stack.s3, DAY)
        _start_mlflow(started, postgres, ports)
        started.start(
            "code-location",
            command_of("code-location", **{"4000": str(ports["code-location"])}),
            FRAUD_SERVICE="code-location",
            **_secrets_of("code-location", postgres),
        )
        started.wait("code location", lambda: is_listening(ports["code-location"]), START_SECONDS)
        started.wait("MLflow", lambda: is_listening(ports["mlflow"]), START_SECONDS)
        workspace = _workspace(folder, ports)
        for name in ("webserver", "daemon"):
            places = {f"{DEPLOY}/workspace.yaml": str(workspace), "3000": str(ports["webserver"])}
            started.start(name, command_of(name, **places), FRAUD_SERVICE=name, **_secrets_of(name, postgres))
        started.start(
            "exporter",
            command_of("exporter", **{"9700": str(ports["exporter"])}),
            FRAUD_HOME=str(folder / "exporter"),
            FRAUD_SERVICE="exporter",
            **_secrets_of("exporter", postgres),
        )
        for name, port in {"webserver": "3000", "mlflow": "5000", "exporter": "9700"}.items():
            check = health_check_of(name, **{port: str(ports[name])})
            started.wait(name, lambda check=check: started.run(check).returncode == 0, START_SECONDS)
        stack.start_seconds = time.monotonic() - begin
        yield stack
    written = {path.name for path in home.rglob("*") if path.is_file()}
    assert written == {"dagster.yaml"}, "the image keeps this folder read-only"


def _environment(folder: Path, postgres: PostgresServer) -> dict[str, str]:
    """What docker-compose.yml, .env and the image give the platform's containers, at home here."""
    # Credentials come from a file, and from nowhere else.
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        **SMALL,
        **GATES,
        "FRAUD_MAX_TRAIN_VALIDATION_GAP": "1",
        "FRAUD_LOG_FORMAT": "json",
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "DAGSTER_HOME": str(folder / "dagster"),
        "FRAUD_HOME": str(folder / "home"),
        "FRAUD_START_DATE": DAY.isoformat(),
        "FRAUD_LANDING": f"s3://{BUCKET}/landing",
        "FRAUD_STORAGE": f"s3://{BUCKET}/storage",
        "FRAUD_POSTGRES_URL": postgres.url("dagster"),
        "FRAUD_POSTGRES_PASSWORD_FILE": str(postgres.secrets / "dagster_database_password"),
        "AWS_SHARED_CREDENTIALS_FILE": str(postgres.secrets / "aws_credentials"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _secrets_of(service: str, postgres: PostgresServer) -> dict[str, str]:
    """Each variable of a service that names the file of a secret, with where that file is here."""
    told = compose_file()["services"][service]["environment"]
    in_container = "/run/secrets/"
    return {
        name: str(postgres.secrets / text.removeprefix(in_container))
        for name, text in told.items()
        if text.startswith(in_container)
    }


def _land(s3: Any, day: date) -> None:
    """Puts a day into the bucket, with enough frauds that one day makes a model."""
    s3.create_bucket(Bucket=BUCKET)
    (table,) = simulated([day], rows_per_day=ROWS)
    key = f"landing/transactions/{day}/simulated.parquet"
    s3.put_object(Bucket=BUCKET, Key=key, Body=table.to_parquet(index=False))


def _start_mlflow(started: Processes, postgres: PostgresServer, ports: dict[str, int]) -> None:
    told = compose_file()["services"]["mlflow"]["environment"]
    url = told["MLFLOW_BACKEND_STORE_URI"].replace("postgres:5432", f"127.0.0.1:{postgres.port}")
    host = f"{SITES['mlflow']}:{ports['https']}"
    started.start(
        "mlflow",
        # One worker: two cores are less than a server has.
        command_of("mlflow", **{"5000": str(ports["mlflow"]), "--workers=2": "--workers=1"}),
        MLFLOW_BACKEND_STORE_URI=url,
        MLFLOW_ARTIFACTS_DESTINATION=f"s3://{BUCKET}/mlflow",
        PGPASSWORD_FILE=str(postgres.secrets / "mlflow_database_password"),
        MLFLOW_SERVER_ALLOWED_HOSTS=f"127.0.0.1:{ports['mlflow']},{host}",
        MLFLOW_SERVER_CORS_ALLOWED_ORIGINS=f"https://{host}",
        **{name: told[name] for name in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION")},
    )


def _workspace(folder: Path, ports: dict[str, int]) -> Path:
    """deploy/workspace.yaml with the code location's address here."""
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    workspace["load_from"][0]["grpc_server"] |= {"host": "127.0.0.1", "port": ports["code-location"]}
    path = folder / "workspace.yaml"
    path.write_text(yaml.safe_dump(workspace))
    return path
