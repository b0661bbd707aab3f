#!/usr/bin/env python3
"""Prepares the EC2 host for the compose stack: fetches the release, its secrets and each service's credentials.

What the stack is stands in the release's own `deploy/docker-compose.yml`; how AWS is laid out, in Terraform. This turns
the first into what runs on the second. It runs as root from systemd, on Ubuntu's own Python with boto3, psycopg2 and
PyYAML from Ubuntu's archive.

    fraud_platform_host.py release        the release's files, settings, secrets and Dagster's instance
    fraud_platform_host.py databases      the two databases and their owners
    fraud_platform_host.py credentials    an hour's credentials for each service; a timer repeats it
"""

import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

CONFIGURATION = Path("/etc/fraud-platform/host.json")
# Below /run, which is memory: secrets and credentials reach no disk.
RUNTIME = Path("/run/fraud-platform")
RELEASE = Path("/opt/fraud-platform")
DOCKER_CONFIGURATION = Path("/root/.docker/config.json")

# What RDS and the load balancer do in their place, and what only a development machine needs.
NOT_ON_AWS = ("postgres", "proxy", "s3", "bucket")
# The page of each service that has one, and the port it listens on inside its container.
PAGES = {"webserver": ("dagster", 3000), "mlflow": ("mlflow", 5000), "grafana": ("grafana", 3000)}
# Where a container finds the credentials of its role.
CREDENTIALS_FOLDER = "/run/aws"
INSTANCE_FILE = "/opt/fraud-platform/dagster/dagster.yaml"


def compose_on_aws(base: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """The release's compose file as it runs on AWS: RDS, the load balancer's ports, roles, CloudWatch.

    Services that the release has and this does not know keep what they have, and log to CloudWatch.
    """
    services = {name: dict(service) for name, service in base["services"].items() if name not in NOT_ON_AWS}
    for name, service in services.items():
        service.pop("build", None)
        service["logging"] = {
            "driver": "awslogs",
            "options": {"awslogs-region": host["region"], "awslogs-group": host["log_group"], "awslogs-stream": name},
        }
        service["environment"] = {**_environment(service), **_service_environment(name, host)}
        service["volumes"] = [*service.get("volumes", []), *_service_volumes(name, host)]
        waits_for = {other: how for other, how in _dependencies(service).items() if other in services}
        service["depends_on"] = waits_for
        if name in PAGES:
            page, port = PAGES[name]
            service["ports"] = [f"{host['page_ports'][page]}:{port}"]
    return {**base, "services": services}


def _environment(service: dict[str, Any]) -> dict[str, str]:
    written = service.get("environment", {})
    return dict(line.split("=", 1) for line in written) if isinstance(written, list) else dict(written)


def _dependencies(service: dict[str, Any]) -> dict[str, Any]:
    written = service.get("depends_on", {})
    return {name: {"condition": "service_started"} for name in written} if isinstance(written, list) else dict(written)


def _service_environment(name: str, host: dict[str, Any]) -> dict[str, str]:
    variables = {}
    if name in host["role_arns"]:
        variables["AWS_CONFIG_FILE"] = f"{CREDENTIALS_FOLDER}/config"
    if name == "mlflow":
        mlflow, domain = host["page_ports"]["mlflow"], host["domain_name"]
        variables |= {
            "MLFLOW_BACKEND_STORE_URI": host["database_urls"]["mlflow"],
            # By these names the stack, runs on ECS and people know it; other names are refused.
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(
                ("mlflow:5000", "127.0.0.1:5000", f"{host['host_address']}:{mlflow}", f"mlflow.{domain}")
            ),
            "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": f"https://mlflow.{domain}",
        }
    elif name in host["role_arns"]:
        variables |= {
            "FRAUD_POSTGRES_URL": host["database_urls"]["dagster"],
            # The neighbour's name; the host's own address is for those on other machines.
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        }
    return variables


def _service_volumes(name: str, host: dict[str, Any]) -> list[str]:
    if name not in host["role_arns"]:
        return []
    volumes = [f"{RUNTIME}/credentials/{name}:{CREDENTIALS_FOLDER}:ro"]
    return volumes if name == "mlflow" else [*volumes, f"{RUNTIME}/dagster.yaml:{INSTANCE_FILE}:ro"]


def instance_on_aws(base: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """The release's Dagster instance, with runs as tasks on ECS instead of processes of the code location."""
    return {**base, "run_launcher": host["run_launcher"]}


def fetch_release(host: dict[str, Any]) -> None:
    """Unpacks the release, and writes beside it what the stack reads: settings, secrets, instance, registry login."""
    import boto3
    import yaml

    session = boto3.Session(region_name=host["region"])
    key = f"{host['release']}/deploy.tar.gz"
    bundle = session.client("s3").get_object(Bucket=host["releases_bucket"], Key=key)["Body"].read()
    RELEASE.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        # Refuses links and names that lead out of the folder.
        archive.extractall(RELEASE, filter="data")
    deploy = RELEASE / "deploy"

    # In the place of the release's own, which is unpacked anew each time: whatever works on the stack finds this one.
    stack = deploy / "docker-compose.yml"
    compose = compose_on_aws(yaml.safe_load(stack.read_text()), host)
    _write(stack, yaml.safe_dump(compose, sort_keys=False), mode=0o644)
    instance = instance_on_aws(yaml.safe_load((deploy / "dagster.yaml").read_text()), host)
    # Containers read it under users of their own; their way to it is the mount.
    RUNTIME.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(RUNTIME / "dagster.yaml", yaml.safe_dump(instance, sort_keys=False), mode=0o644)

    settings = {
        **host["environment"],
        "IMAGE": host["image"],
        "MLFLOW_ARTIFACTS_DESTINATION": host["artifacts_destination"],
        "DAGSTER_HOST": f"dagster.{host['domain_name']}",
        "MLFLOW_HOST": f"mlflow.{host['domain_name']}",
        "GRAFANA_HOST": f"grafana.{host['domain_name']}",
        # The load balancer serves no files.
        "RUNBOOKS": host["runbooks"],
    }
    _write(deploy / ".env", "".join(f"{name}={value}\n" for name, value in sorted(settings.items())), mode=0o644)

    secrets = RUNTIME / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    for name, arn in host["secret_arns"].items():
        _write(secrets / f"{name}_database_password", _secret(session, arn), mode=0o644)
    for name, arn in host["signing_key_arns"].items():
        _write(secrets / f"{name}_key", _secret(session, arn), mode=0o644)
    for name, arn in host["channel_arns"].items():
        _write(secrets / name, _put_in_by_a_person(session, name, arn), mode=0o644)
    # Compose wants the files of all secrets it names. Roles take the place of keys.
    for name in {"aws_credentials", *compose.get("secrets", {})}:
        if not (secrets / name).exists():
            _write(secrets / name, "", mode=0o644)
    if not (deploy / "secrets").is_symlink():
        (deploy / "secrets").symlink_to(secrets)

    login = session.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    registry = host["image"].split("/", 1)[0]
    DOCKER_CONFIGURATION.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(DOCKER_CONFIGURATION, json.dumps({"auths": {registry: {"auth": login}}}), mode=0o600)


def make_databases(host: dict[str, Any]) -> None:
    """Makes each database with an owner that sees only its own; what exists stays, a changed password is set anew."""
    import boto3
    import psycopg2
    from psycopg2.extensions import encrypt_password
    from psycopg2.sql import SQL, Identifier, Literal

    session = boto3.Session(region_name=host["region"])
    administrator = json.loads(_secret(session, host["administrator_secret"]))
    connection = psycopg2.connect(
        host=host["database_address"],
        port=host["database_port"],
        dbname="postgres",
        user=administrator["username"],
        password=administrator["password"],
        sslmode=host.get("database_sslmode", "require"),
    )
    # A database is not made inside a transaction.
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for name, arn in host["secret_arns"].items():
                owner = Identifier(name)
                # The server, and so its log, sees only the password's verifier.
                verifier = encrypt_password(_secret(session, arn), name, connection, "scram-sha-256")
                cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(SQL("CREATE ROLE {} LOGIN").format(owner))
                cursor.execute(SQL("ALTER ROLE {} PASSWORD {}").format(owner, Literal(verifier)))
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    # RDS's administrator is no superuser: it gives away only what it could be itself.
                    cursor.execute(SQL("GRANT {} TO CURRENT_USER").format(owner))
                    cursor.execute(SQL("CREATE DATABASE {} OWNER {}").format(owner, owner))
                    cursor.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(owner))
                    cursor.execute(SQL("REVOKE {} FROM CURRENT_USER").format(owner))
    finally:
        connection.close()


def hand_out_credentials(host: dict[str, Any]) -> None:
    """Puts an hour's credentials of each service's role where only that service's container sees them.

    Containers cannot reach the instance's metadata, so this is all they have. The AWS libraries read the file again
    shortly before it expires.
    """
    import boto3

    sts = boto3.Session(region_name=host["region"]).client("sts")
    for service, arn in host["role_arns"].items():
        folder = RUNTIME / "credentials" / service
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        given = sts.assume_role(RoleArn=arn, RoleSessionName=service, DurationSeconds=3600)["Credentials"]
        credentials = {
            "Version": 1,
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "SessionToken": given["SessionToken"],
            "Expiration": given["Expiration"].isoformat(),
        }
        _write(folder / "credentials.json", json.dumps(credentials), mode=0o644)
        config = (
            f"[default]\nregion = {host['region']}\ncredential_process = cat {CREDENTIALS_FOLDER}/credentials.json\n"
        )
        _write(folder / "config", config, mode=0o644)
    # Users of the host stop here; containers come in through their mounts.
    RUNTIME.chmod(0o700)


def _secret(session: Any, arn: str) -> str:
    return session.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]


def _put_in_by_a_person(session: Any, name: str, arn: str) -> str:
    """The secret, or nothing where nobody has given it a value yet, which the host's log then says."""
    try:
        return _secret(session, arn)
    except session.client("secretsmanager").exceptions.ResourceNotFoundException:
        sys.stderr.write(f"nobody is told of alerts through {name}: put a value into the secret {arn}, then restart\n")
        return ""


def _write(path: Path, text: str, *, mode: int) -> None:
    """Replaces the file at once, so that a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w") as file:
        # What the umask took away.
        os.fchmod(descriptor, mode)
        file.write(text)
    temporary.replace(path)


COMMANDS = {"release": fetch_release, "databases": make_databases, "credentials": hand_out_credentials}


def main(arguments: list[str]) -> int:
    """Runs the commands named, in their order."""
    if not arguments or any(argument not in COMMANDS for argument in arguments):
        sys.stderr.write(__doc__ or "")
        return 2
    host = json.loads(CONFIGURATION.read_text())
    for argument in arguments:
        COMMANDS[argument](host)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
