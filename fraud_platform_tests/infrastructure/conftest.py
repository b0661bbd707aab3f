"""Terraform's configuration, planned and applied against an AWS that moto plays in a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from fraud_platform_tests.infrastructure.terraform import REGION, Terraform, prepare
from fraud_platform_tests.production.processes import free_port

_MOTO_OVERRIDE = Path(__file__).with_name("moto_override.tf")
_LONGEST_START_SECONDS = 60


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an AWS with nothing in it; a process of its own, because moto keeps what it has per process."""
    port = free_port()
    log = tmp_path_factory.mktemp("moto") / "log"
    with open(log, "wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env={**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(f"http://127.0.0.1:{port}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _LONGEST_START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            requests.get(f"{url}/moto-api/data.json", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"moto did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def configuration(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration with the variables of the tests, not applied."""
    return prepare(tmp_path_factory.mktemp("terraform") / "planned", aws)


@pytest.fixture(scope="session")
def applied(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration, applied once. It takes minutes, in which the provider waits for what AWS takes long to do."""
    import boto3

    terraform = prepare(tmp_path_factory.mktemp("terraform") / "applied", aws)
    shutil.copy(_MOTO_OVERRIDE, terraform.folder)
    certificates = boto3.client("acm", endpoint_url=aws, region_name=REGION)
    terraform.set_variables(
        certificate_arn=certificates.request_certificate(DomainName="*.fraud.example.com")["CertificateArn"]
    )
    terraform.succeed("apply", "-auto-approve", "-parallelism=40")
    return terraform


@pytest.fixture
def in_aws(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries of the test talk to the AWS of the tests."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
