"""The GitHub workflows: what they may do, what they run, and the scripts through which they reach the server."""

import json
import os
import re
import shutil
import stat
import subprocess

import pytest
import yaml

from fraud_platform_tests.production.processes import DEPLOY, PROGRAMS, ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def audit(*command: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which(command[0], path=f"{PROGRAMS}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)


def steps(path):
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def test_zizmor_finds_nothing():
    audited = audit("zizmor", "--offline", "--no-progress", ".github/workflows")
    assert audited.returncode == 0, audited.stdout


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_workflows_fit_their_schema(schema):
    checked = audit("check-jsonschema", "--builtin-schema", schema, *map(str, WORKFLOWS))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_and_say_which_version_it_is(path):
    lines = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_nothing_but_what_its_job_names(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert set(job["permissions"].items()) <= {("contents", "read"), ("id-token", "write")}
        assert "secrets." not in yaml.safe_dump(job), "a role is lent, no key is stored"


def test_ci_runs_what_a_developer_runs_with_every_program_that_the_tests_ask_for():
    install, check = [step["run"] for step in steps(ROOT / ".github/workflows/ci.yml") if "run" in step]
    assert check == "make check"
    # As .ci/run installs them; GitHub's image has PostgreSQL.
    assert set(install.split()) >= {"apt-get", "install", "prometheus", "prometheus-alertmanager"}


@pytest.fixture
def recorded(tmp_path):
    """A program by name that records its arguments and answers as told; returns what it was told."""

    def record(name: str, answer: str = ""):
        log = tmp_path / f"{name}.log"
        log.touch()
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nfor word in "$@"; do printf "%s\\n" "$word"; done >> {log}\n{answer}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return lambda: log.read_text().splitlines()

    return record


def script(tmp_path, name, *words, **environment):
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [tmp_path / "deploy" / name, *words],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.fixture
def installation(tmp_path):
    """The scripts where they would be installed."""
    (tmp_path / "deploy").mkdir()
    for name in ("production.sh", "on_the_server.sh"):
        shutil.copy(DEPLOY / name, tmp_path / "deploy")
    (tmp_path / "deploy/.env").write_text("IMAGE=fraud-platform:1\nFRAUD_SEED=7\n")
    return tmp_path


def test_a_retraining_is_put_into_the_queue_of_the_installation(installation, recorded):
    told = recorded("docker")
    queued = script(installation, "production.sh", "retrain", "2026-11-20")
    assert queued.returncode == 0
    # Dagster says nothing, and whoever asked wants to know where to look.
    assert queued.stdout.startswith("queued: a retraining as of 2026-11-20; ")
    words = told()
    assert words[:7] == [
        "compose",
        "--file",
        f"{installation}/deploy/docker-compose.yml",
        "exec",
        "-T",
        "code-location",
        "dagster",
    ]
    assert json.loads(words[-1])["dagster/partition"] == "2026-11-20"


def test_an_upgrade_lasts_beyond_the_next_boot(installation, recorded):
    told = recorded("docker", '[ "$1" != image ]')
    assert script(installation, "production.sh", "upgrade", "registry.example/fraud:abc123").returncode == 0
    assert (installation / "deploy/.env").read_text() == "FRAUD_SEED=7\nIMAGE=registry.example/fraud:abc123\n"
    assert [word for word in told() if word in ("pull", "up")] == ["pull", "up"]


def test_an_image_that_was_built_here_is_not_asked_of_a_registry(installation, recorded):
    told = recorded("docker")
    assert script(installation, "production.sh", "upgrade", "fraud-platform:abc123").returncode == 0
    assert [word for word in told() if word in ("pull", "up")] == ["up"]


def test_an_image_that_cannot_be_had_is_not_what_the_next_boot_asks_for(installation, recorded):
    told = recorded("docker", 'case "$*" in *up*) ;; *) exit 1;; esac')
    assert script(installation, "production.sh", "upgrade", "registry.example/fraud:mistyped").returncode == 1
    assert (installation / "deploy/.env").read_text() == "IMAGE=fraud-platform:1\nFRAUD_SEED=7\n"
    assert "up" not in told()


def test_doctor_names_every_way_by_which_nobody_is_told(installation, recorded):
    recorded("docker", "exit 1")
    secrets = installation / "deploy/secrets"
    secrets.mkdir()
    (secrets / "alertmanager_chat_url").write_text("https://chat.example/hook")
    (secrets / "alert_urls").write_text("")
    examined = script(installation, "production.sh", "doctor")
    named = [line.split()[4].rstrip(":") for line in examined.stdout.splitlines()]
    assert named == ["alertmanager_mail_login", "alertmanager_pager_key", "alert_urls"]
    # The examination itself decides how it ends.
    assert examined.returncode == 1


@pytest.mark.parametrize(
    "words",
    [
        ["retrain", "yesterday"],
        ["retrain", '2026-11-20", "x": "'],
        ["retrain", "2026-11-20\n2026-11-21"],
        ["upgrade", "image; rm -rf /"],
        ["promote", "latest", "Ada", "better"],
        ["promote", "1.2.0"],
        ["forget"],
        [],
    ],
)
def test_what_is_not_understood_is_refused_before_anything_is_done(installation, recorded, words):
    told = recorded("docker")
    assert script(installation, "production.sh", *words).returncode == 2
    assert told() == []


def aws_answering(status: str) -> str:
    return f'case "$*" in *--details*) echo "as printed there";; *send-command*) echo id-1;; *) echo {status};; esac'


@pytest.mark.parametrize(("status", "code"), [("Success", 0), ("Failed", 1), ("TimedOut", 1)])
def test_a_command_on_the_server_ends_here_as_it_ended_there(installation, recorded, status, code):
    told = recorded("aws", aws_answering(status))
    ended = script(installation, "on_the_server.sh", "retrain", "2026-11-20", INSTANCE_TAG="fraud")
    assert ended.returncode == code
    assert "as printed there" in ended.stdout
    sent = json.loads(next(word for word in told() if word.startswith("{")))
    assert sent["commands"] == ["/opt/fraud-platform/deploy/production.sh retrain 2026-11-20"]
    assert "Key=tag:Name,Values=fraud" in told()


def test_with_a_document_of_orders_only_the_words_are_sent(installation, recorded):
    told = recorded("aws", aws_answering("Success"))
    ended = script(
        installation,
        "on_the_server.sh",
        "retrain",
        "2026-11-20",
        INSTANCE_TAG="fraud",
        ORDERS_DOCUMENT="fraud-production",
    )
    assert ended.returncode == 0
    assert "fraud-production" in told()
    assert json.loads(next(word for word in told() if word.startswith("{"))) == {"words": ["retrain 2026-11-20"]}


def test_a_server_that_takes_nothing_up_is_named(installation, recorded):
    recorded("aws", aws_answering("None"))
    ended = script(installation, "on_the_server.sh", "doctor", INSTANCE_TAG="fraud", TRIES="2", PAUSE_SECONDS="0")
    assert ended.returncode == 1
    assert "is a machine tagged Name=fraud up?" in ended.stderr


def test_nothing_that_a_shell_would_read_is_sent_to_the_server(installation, recorded):
    told = recorded("aws")
    for word in ("a;b", "$(id)", "a b", "", "`id`", "a\nb"):
        assert script(installation, "on_the_server.sh", "promote", word, INSTANCE_TAG="fraud").returncode == 2
    assert told() == []
