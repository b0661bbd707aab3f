"""The roles in the account of the tests: what their policies say, and the places they are asked about."""

from collections.abc import Iterable
from typing import Any

import boto3

from fraud_platform_tests.infrastructure.policies import Document, Request, is_allowed
from fraud_platform_tests.infrastructure.terraform import ACCOUNT, NAME, REGION

LANDING, STORAGE, AUDIT, MLFLOW, RELEASES, TRAIL = (
    f"arn:aws:s3:::{NAME}-{purpose}-{ACCOUNT}"
    for purpose in ("landing", "storage", "audit", "mlflow", "releases", "trail")
)
EVERYBODY = ["webserver", "daemon", "code-location", "run", "command", "mlflow", "exporter"]
ROLES = [*EVERYBODY, "host", "execution", "deploy", "replication", "flow-logs", "trail"]
FAMILY = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{NAME}-run"


def documents(role: str) -> list[Document]:
    """The policies of the role."""
    iam = boto3.client("iam")
    names = iam.list_role_policies(RoleName=f"{NAME}-{role}")["PolicyNames"]
    return [iam.get_role_policy(RoleName=f"{NAME}-{role}", PolicyName=name)["PolicyDocument"] for name in names]


def trust(role: str) -> dict[str, Any]:
    """Who may take the role."""
    return boto3.client("iam").get_role(RoleName=f"{NAME}-{role}")["Role"]["AssumeRolePolicyDocument"]


def may(role: str, action: str, resource: str, **context: str) -> bool:
    """Whether the role may do this; two underscores in a condition key's name are its colon."""
    return is_allowed(
        Request(action, resource, {name.replace("__", ":"): value for name, value in context.items()}), documents(role)
    )


def refused(role: str, requests: Iterable[Request]) -> list[Request]:
    """Those of the requests that the role may not make."""
    policies = documents(role)
    return [request for request in requests if not is_allowed(request, policies)]
