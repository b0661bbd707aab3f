"""Dockerfile, docker-compose.yml, Caddyfile, systemd units and devcontainer, read by the programs they are for."""

import json
import os
import re
import shutil
import subprocess

import pytest
import requests

from fraud_platform_tests.production.processes import (
    DEPLOY,
    PROGRAMS,
    ROOT,
    command_of,
    compose_file,
    free_port,
    is_listening,
    processes,
)

SERVICES = compose_file()["services"]
# What only a development installation starts.
DEVELOPMENT = {name for name, service in SERVICES.items() if service.get("profiles") == ["development"]}
PRODUCTION = sorted(set(SERVICES) - DEVELOPMENT)
# What signs models, and what signs entries of the audit trail.
KEYS = ("model_key", "audit_key")
# Who has pages that people open, all of them behind the proxy.
PAGES = ("webserver", "mlflow", "grafana", "prometheus", "alertmanager")


def program(name: str) -> str:
    """A program of the dev group or of the system; the test is skipped where it is not installed."""
    found = shutil.which(name, path=f"{PROGRAMS}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment}, cwd=ROOT
    )


def test_the_dockerfile_passes_its_linter():
    linted = run(program("hadolint"), "Dockerfile")
    assert linted.returncode == 0, linted.stdout


def test_every_image_is_pinned_to_a_version():
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for image in images:
        assert re.search(r":\$?[\d{]?[^:]*\d+\.\d+", image), f"{image} names no version"


def test_the_image_runs_as_a_number_that_is_not_root():
    users = re.findall(r"^USER (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(users) == 1
    assert int(users[0]) > 0


def test_only_what_the_image_is_made_of_reaches_the_builder():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*", "everything is left out first"
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert {name for names in copied for name in names.split()} == allowed


def test_the_compose_file_fits_the_compose_specification():
    checked = run(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "deploy/docker-compose.yml")
    assert checked.returncode == 0, checked.stdout


def test_docker_compose_reads_the_compose_file(tmp_path):
    docker = program("docker")
    if run(docker, "compose", "version").returncode:
        pytest.skip("docker has no compose plugin here")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    shutil.copy(DEPLOY / ".env.example", tmp_path / "deploy/.env")
    read = run(docker, "compose", "--file", str(tmp_path / "deploy/docker-compose.yml"), "config", "--quiet")
    assert read.returncode == 0, read.stderr


def test_only_the_proxy_is_reachable_from_outside():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert SERVICES["proxy"]["networks"] == ["edge"]


def test_the_proxy_and_the_database_share_no_network():
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert compose_file()["networks"]["database"] == {"internal": True}
    for name, service in SERVICES.items():
        assert name == "proxy" or "edge" not in service["networks"] or name in PAGES


@pytest.mark.parametrize("name", PRODUCTION)
def test_a_service_restarts_is_examined_and_has_limits(name):
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert "healthcheck" in service or name == "code-location", "the image's own health check is the code location's"
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", PRODUCTION)
def test_a_service_can_do_no_more_than_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_behind_the_login(name):
    text = (DEPLOY / "caddy/Caddyfile").read_text()
    site = next(site for site in text.split("\n\n") if f":{name}:" in site)
    assert "import guarded" in site
    assert "edge" in SERVICES[name]["networks"]


def test_who_watches_the_machine_sees_it_and_can_change_nothing():
    mounted = SERVICES["node-exporter"]["volumes"]
    assert all("ro" in volume.rsplit(":", 1)[1].split(",") for volume in mounted)
    assert SERVICES["node-exporter"]["networks"] == ["metrics"]
    assert not any("docker.sock" in str(service.get("volumes")) for service in SERVICES.values())


def test_secrets_come_from_files_that_are_never_committed():
    declared = compose_file()["secrets"]
    assert all(secret == {"file": f"./secrets/{name}"} for name, secret in declared.items())
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(declared)
    assert run("git", "check-ignore", "--quiet", "deploy/secrets/web_users").returncode == 0
    assert run("git", "check-ignore", "--quiet", "deploy/.env").returncode == 0
    for name, service in SERVICES.items():
        for variable, text in service.get("environment", {}).items():
            assert variable.endswith("_FILE") or "PASSWORD" not in variable, f"{name}: {variable}"
            assert not re.search(r"://[^/@]*:[^/@]+@", str(text)), f"{name}: {variable} carries a password"


def test_who_loads_models_and_writes_the_audit_trail_has_both_keys_and_nobody_else():
    platform = [name for name, service in SERVICES.items() if "build" in service]
    # Runs and sensors work where the graph is; commands by hand, where production.sh has them run.
    loading = {name for name in platform if "fraud_platform.definitions" in command_of(name)}
    loading |= set(re.findall(r'compose exec -T (\S+) "\$@"', (DEPLOY / "production.sh").read_text()))
    assert loading
    for name, service in SERVICES.items():
        for key in KEYS:
            told = service.get("environment", {}).get(f"FRAUD_{key.upper()}_FILE")
            expected = (f"/run/secrets/{key}", True) if name in loading else (None, False)
            assert (told, key in service.get("secrets", [])) == expected, f"{name}: {key}"


def test_a_task_on_ecs_has_its_keys_in_files_of_its_own_and_not_in_its_environment(tmp_path):
    keys = {"MODEL_KEY": "what signs % models", "AUDIT_KEY": "what signs entries"}
    shown = """
    for name in MODEL AUDIT; do
      eval file=\\$FRAUD_${name}_KEY_FILE
      cat "$file"; stat --format=' %a' "$(dirname "$file")"
    done
    printenv MODEL_KEY AUDIT_KEY || echo neither"""
    told = run(str(DEPLOY / "with_keys.sh"), "sh", "-c", shown, TMPDIR=str(tmp_path), **keys)
    assert told.stdout.splitlines() == ["what signs % models 700", "what signs entries 700", "neither"], told.stderr


@pytest.mark.parametrize("missing", ["MODEL_KEY", "AUDIT_KEY"])
def test_a_task_on_ecs_without_a_key_does_not_start_unsigned(missing, tmp_path):
    keys = {"MODEL_KEY": "what signs models", "AUDIT_KEY": "what signs entries", missing: ""}
    refused = run(str(DEPLOY / "with_keys.sh"), "echo", "started", TMPDIR=str(tmp_path), **keys)
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert f"{missing}: is missing or empty" in refused.stderr


def test_making_secrets_makes_what_is_missing_and_keeps_what_is_there(tmp_path):
    folder = tmp_path / "secrets"
    made = run(str(DEPLOY / "make_secrets.sh"), "development", str(folder))
    assert made.returncode == 0, made.stderr
    assert {path.name for path in folder.iterdir()} == set(compose_file()["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    before = {path: path.read_text() for path in folder.iterdir()}
    passwords = [text for path, text in before.items() if path.name.endswith("password") or path.name in KEYS]
    assert len(set(passwords)) == len(passwords) == 5
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in passwords)
    (folder / "postgres_password").unlink()
    run(str(DEPLOY / "make_secrets.sh"), str(folder))
    changed = [path.name for path, text in before.items() if path.read_text() != text]
    assert changed == ["postgres_password"]


def test_the_development_bucket_is_made_once_whatever_the_region(s3_server):
    (python, option, code) = command_of("bucket")
    environment = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "FRAUD_STORAGE": "s3://development-bank/storage",
    }
    for _ in range(2):
        made = run(str(PROGRAMS / python), option, code, **environment)
        assert made.returncode == 0, made.stderr


def test_every_setting_of_the_example_is_one_that_exists():
    from fraud_platform.settings import Settings

    example = (DEPLOY / ".env.example").read_text()
    known = {f"FRAUD_{field.upper()}" for field in Settings.model_fields}
    named = set(re.findall(r"^#?(FRAUD_\w+)=", example, re.MULTILINE))
    assert named <= known
    required = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "docker-compose.yml").read_text()))
    assert required <= set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_the_caddyfile_is_valid_and_formatted(tmp_path):
    caddy = program("caddy")
    users = tmp_path / "users"
    users.write_text("operator $2a$14$h8gKMLMc5jqUXJ6YGMGpM.8fuWfmzJSTBnWJ6bBfnXU6Sx4xXWwkq\n")
    checked = run(
        caddy, "validate", "--adapter", "caddyfile", "--config", "deploy/caddy/Caddyfile", WEB_USERS=str(users)
    )
    assert checked.returncode == 0, checked.stderr
    assert run(caddy, "fmt", "--diff", "deploy/caddy/Caddyfile").returncode == 0


def test_without_a_single_user_nobody_gets_in(tmp_path):
    caddy = program("caddy")
    users = tmp_path / "users"
    users.write_text("")
    ports = {name: free_port() for name in ("HTTP_PORT", "HTTPS_PORT", "HEALTH_PORT")}
    home = {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "WEB_USERS": str(users)}
    environment = {**os.environ, **home, **{name: str(port) for name, port in ports.items()}}
    with processes(tmp_path, environment) as started:
        started.start("proxy", [caddy, "run", "--config", str(DEPLOY / "caddy/Caddyfile")])
        authority = tmp_path / "caddy/pki/authorities/local/root.crt"
        started.wait("proxy", lambda: is_listening(ports["HTTPS_PORT"]) and authority.exists())

        def answer() -> int | None:
            try:
                url = f"https://localhost:{ports['HTTPS_PORT']}/"
                return requests.get(url, auth=("operator", ""), verify=str(authority), timeout=5).status_code
            except OSError:
                return None

        assert started.wait("certificate", answer) == 401


def test_the_units_pass_systemds_own_examination(tmp_path):
    analyze = program("systemd-analyze")
    for unit in (DEPLOY / "systemd").iterdir():
        text = unit.read_text()
        # What is not installed here stands in as what is.
        for path in re.findall(r"^Exec\w+=(\S+)", text, re.MULTILINE):
            text = text.replace(f"={path}", f"={shutil.which('true')}")
        (tmp_path / unit.name).write_text(text.replace("/opt/fraud-platform/deploy", str(tmp_path)))
    (tmp_path / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    units = sorted(str(tmp_path / unit.name) for unit in (DEPLOY / "systemd").iterdir())
    checked = run(analyze, "verify", "--man=no", *units, SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    complaints = [line for line in checked.stderr.splitlines() if "fraud-platform" in line]
    assert complaints == []


def test_a_codespace_opens_on_dagster():
    text = (ROOT / ".devcontainer/devcontainer.json").read_text()
    settings = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert settings["forwardPorts"] == [3000]
    assert settings["portsAttributes"]["3000"]["onAutoForward"] == "openBrowser"
    commands = " ".join(settings[name] for name in ("updateContentCommand", "postCreateCommand", "postAttachCommand"))
    targets = set(re.findall(r"make (\w+)", commands))
    assert targets == {"setup", "demo", "dev"}
    assert all(f"\n{target}:" in (ROOT / "Makefile").read_text() for target in targets)
