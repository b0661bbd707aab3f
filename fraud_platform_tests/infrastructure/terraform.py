"""Runs Terraform on a copy of the project's `terraform/`, against AWS as moto plays it.

The copy differs from the original only by an override of the backend: the state is a file beside it. Endpoints and
credentials come from AWS's own environment variables.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "terraform"
ACCOUNT = "123456789012"  # moto's
REGION, REPLICA_REGION = "eu-central-1", "eu-west-1"
NAME = "fraud-platform-production"

VARIABLES: dict[str, Any] = {
    "account_id": ACCOUNT,
    "region": REGION,
    "replica_region": REPLICA_REGION,
    "domain_name": "fraud.example.com",
    "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000",
    "image_tag": "1.2.3",
    "start_date": "2026-11-10",
    "github_repository": "example/fraud-platform",
    "oidc": {
        "issuer": "https://login.example.com",
        "authorization_endpoint": "https://login.example.com/authorize",
        "token_endpoint": "https://login.example.com/token",
        "user_info_endpoint": "https://login.example.com/userinfo",
        "client_id": "fraud-platform",
    },
    "oidc_client_secret": "known-only-to-the-provider",
    # One of the images that moto knows.
    "ami_id": "ami-785db401",
    "settings": {"FRAUD_SEARCH_TRIALS": "12"},
    "landing_writer_arns": [f"arn:aws:iam::{ACCOUNT}:role/card-processing-export"],
    "alarm_email": "on-call@example.com",
    "interface_endpoints": ["logs"],
}


@dataclass(frozen=True)
class Terraform:
    """The configuration in a folder of its own, ready to be planned and applied."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished command, whatever it returned."""
        command = [executable(), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def succeed(self, *arguments: str) -> str:
        """What the command printed.

        Raises:
            AssertionError: it failed; the message is its own.
        """
        finished = self.run(*arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def set_variables(self, **changes: Any) -> None:
        """The variables of every further command: those of the tests, with these instead."""
        self.set_only(**{**VARIABLES, **changes})

    def set_only(self, **values: Any) -> None:
        """The variables of every further command: these and no others."""
        (self.folder / "test.auto.tfvars.json").write_text(json.dumps(values))

    def outputs(self) -> dict[str, Any]:
        """The outputs of what was applied."""
        return {name: output["value"] for name, output in json.loads(self.succeed("output", "-json")).items()}


def executable() -> str:
    """Where Terraform is; without it, the test is skipped."""
    found = shutil.which("terraform")
    if found is None:
        pytest.skip("terraform is not on the PATH")
    return found


def prepare(folder: Path, endpoint: str, sources: Path = SOURCES) -> Terraform:
    """A copy of the configuration in `folder`, initialised; skipped where the provider cannot be had."""
    executable()
    shutil.copytree(sources, folder, ignore=shutil.ignore_patterns(".terraform", "bootstrap", "*.tfvars"))
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
        "CHECKPOINT_DISABLE": "1",
    }
    mirror = os.environ.get("TF_PLUGIN_DIR")
    if mirror:
        configuration = folder / "mirror.tfrc"
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        environment["TF_CLI_CONFIG_FILE"] = str(configuration)
    elif not Path(environment.get("TF_CLI_CONFIG_FILE", folder)).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    terraform = Terraform(folder, environment)
    # A mirror holds the provider of this platform only, whose digest the lock file knows; no other is asked for.
    finished = terraform.run("init", "-lockfile=readonly")
    if finished.returncode != 0:
        pytest.skip(f"terraform init finds no provider (TF_PLUGIN_DIR names a mirror): {finished.stderr.strip()[:300]}")
    if sources == SOURCES:
        terraform.set_variables()
    else:
        terraform.set_only(account_id=ACCOUNT)
    return terraform
