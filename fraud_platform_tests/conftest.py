"""Keeps every test away from the developer's own home, credentials and proxies."""

import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from fraud_platform_tests.answers import Answer
    from fraud_platform_tests.platform_home import PlatformHome

# The calendar is fixed when the graph is imported, so the environment is set before any test module is.
_HOME = tempfile.mkdtemp(prefix="fraud-platform-tests-")
os.environ.update(
    FRAUD_HOME=_HOME,
    FRAUD_START_DATE=(datetime.now(UTC) - timedelta(days=30)).date().isoformat(),
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",  # noqa: S106 - what moto's server accepts
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
)
for _name in (
    "FRAUD_LANDING",
    "FRAUD_STORAGE",
    "MLFLOW_TRACKING_URI",
    "DAGSTER_HOME",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
):
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def _environment_of_its_own() -> Iterator[None]:
    """Takes back what a test, or MLflow for it, left in the environment."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def real_rows() -> Path:
    """The real sample that stands beside a development checkout, where there is one."""
    path = Path(__file__).resolve().parents[2] / "shared/data/creditcard_sample.csv"
    if not path.exists():
        pytest.skip("the real sample (shared/data/creditcard_sample.csv beside the checkout) is not here")
    return path


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of an S3-compatible server of this test process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_server, monkeypatch) -> str:
    """An empty bucket as `s3://...`, with `AWS_ENDPOINT_URL` pointing at its server."""
    import boto3
    import s3fs

    # fsspec keeps filesystems, and with them the endpoint they were first used with.
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    bucket = f"bank-{uuid.uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}"


@pytest.fixture
def dagster_instance() -> "Iterator[DagsterInstance]":
    """A Dagster instance in memory, gone with the test."""
    from dagster import DagsterInstance

    with DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory) -> "Iterator[PlatformHome]":
    """Four simulated days with a model released as of the last of them; to be read, never to be written to."""
    from dagster import DagsterInstance

    from fraud_platform.settings import load_settings
    from fraud_platform_tests.platform_home import INGESTED, PlatformHome, day_number, environment_of

    days = [day_number(number) for number in range(1, 5)]
    folder = tmp_path_factory.mktemp("trained") / "home"
    with DagsterInstance.ephemeral() as instance:
        # Only while it is made: the fixture outlives the test that asks for it first.
        with environment_of(folder):
            home = PlatformHome(load_settings(), instance)
            home.land(days)
            home.materialise(INGESTED, days[0], days[-1])
            home.retrain(days[-1])
        yield home


@pytest.fixture
def copied_home(trained_home, tmp_path) -> "Iterator[PlatformHome]":
    """A copy of the trained home for one test to change; its Dagster history is empty."""
    import shutil

    from fraud_platform_tests.platform_home import open_home

    shutil.copytree(trained_home.settings.home, tmp_path / "home")
    with open_home(tmp_path / "home") as home:
        yield home


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """A home of its own, empty."""
    from fraud_platform_tests.platform_home import SMALL

    # The demo sets its seed, MLflow its server; both are undone.
    untold = {"MLFLOW_TRACKING_URI": "", "FRAUD_SEED": ""}
    for name, text in {"FRAUD_HOME": str(tmp_path / "home"), **untold, **SMALL}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("FRAUD_START_DATE")
    return tmp_path / "home"


@pytest.fixture
def type_in(monkeypatch, capsys) -> "Callable[..., Answer]":
    """Runs a command as the entry point does, in this process: half a second instead of three."""
    from fraud_platform import cli
    from fraud_platform_tests.answers import Answer

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["fraud-platform", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = exit_.code or 0
        shown = capsys.readouterr()
        return Answer(code, shown.out, shown.err)

    return run
