"""Nothing that looks like a secret is committed, but what somebody has looked at and written into the baseline.

`make secrets-baseline` writes `.secrets.baseline` anew; whoever commits it says that every new line in it is harmless.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / ".secrets.baseline"


def findings(names: list[str]) -> set[tuple[str, str, str]]:
    """File, kind and digest of everything below this folder that looks like a secret, by the baseline's settings."""
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.settings import transient_settings

    secrets = SecretsCollection()
    with transient_settings(json.loads(BASELINE.read_text())):
        for name in names:
            secrets.scan_file(name)
    return {(name, secret.type, secret.secret_hash) for name, secret in secrets}


def test_no_secret_is_committed(monkeypatch):
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout: what is committed cannot be told")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    monkeypatch.chdir(ROOT)
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    known = {
        (name, secret["type"], secret["hashed_secret"])
        for name, secrets in json.loads(BASELINE.read_text())["results"].items()
        for secret in secrets
    }
    # Lines may move: what counts is the file, the kind and the text.
    assert sorted((name, kind) for name, kind, digest in findings(names) - known) == []


@pytest.mark.parametrize(
    "line",
    [
        'aws_access_key_id = "AKIA' + 'QYLPMN5HFIQR7XYZ"',
        "url: postgresql://bank:" + "hunter22@db.internal/mlflow",
        "-----BEGIN RSA PRIVATE" + " KEY-----",
        'slack = "xoxb-' + '263594206564-FGqddMF8t08v8N7Oq4i57vs1"',
    ],
    ids=["access key", "password", "private key", "token"],
)
def test_the_scan_finds_what_it_is_for(tmp_path, monkeypatch, line):
    (tmp_path / "leak.txt").write_text(line + "\n")
    monkeypatch.chdir(tmp_path)
    assert findings(["leak.txt"])
