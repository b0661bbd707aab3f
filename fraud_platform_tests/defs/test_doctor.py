"""The examination of an installation: what is well, what is not, and what to do."""

import json
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fraud_platform.defs.doctor import Finding, effective_settings, findings
from fraud_platform.defs.remedies import masked
from fraud_platform.errors import PlatformError
from fraud_platform.settings import Settings, load_settings


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The findings under an environment, by subject; the registry is not MLflow's unless asked for."""

    def look(*subjects: str, **environment: str) -> Mapping[str, Finding]:
        for name, text in {"FRAUD_HOME": str(tmp_path / "home"), **environment}.items():
            monkeypatch.setenv(name, text)
        by_subject = {}
        for finding in findings(load_settings()):
            by_subject[finding.subject] = finding
            if set(subjects) <= set(by_subject):
                break
        return by_subject

    return look


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_fresh_home_is_well_and_stays_tidy(found, tmp_path):
    by_subject = found("Dagster instance")
    assert [(subject, finding.is_well) for subject, finding in by_subject.items()] == [
        ("storage", True),
        ("landing zone", True),
        ("registry", True),
        ("audit trail", True),
        ("Dagster instance", True),
    ]
    assert by_subject["landing zone"].detail.endswith("0 days landed")
    assert by_subject["registry"].detail.endswith("can be written: 0 models, champion: none")
    assert [path.name for path in (tmp_path / "home").rglob(".doctor*")] == []


def test_a_mistyped_variable_is_named_with_the_one_that_was_meant(found):
    finding = found("settings", FRAUD_STORGE="/data/storage")["settings"]
    assert finding == Finding(
        "settings", False, "FRAUD_STORGE is no setting, and nobody reads it", "is it FRAUD_STORAGE?"
    )


@pytest.mark.parametrize(
    ("subject", "variable", "remedy"),
    [
        ("storage", "FRAUD_STORAGE", "set FRAUD_STORAGE to a place you own"),
        ("landing zone", "FRAUD_LANDING", "set FRAUD_LANDING to a place you own"),
        ("audit trail", "FRAUD_AUDIT", "set FRAUD_AUDIT to a place you own"),
    ],
)
def test_a_place_that_cannot_be_written_says_what_to_do(found, tmp_path, subject, variable, remedy):
    # A file where a folder is needed; it stops root too.
    (tmp_path / "file").write_text("in the way")
    finding = found(subject, **{variable: str(tmp_path / "file" / "below")})[subject]
    assert not finding.is_well
    assert finding.remedy == remedy
    assert str(tmp_path / "file") in finding.detail


def test_an_unreachable_bucket_says_what_to_do(found, s3_server, monkeypatch):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    finding = found("storage", FRAUD_STORAGE="s3://no-such-bucket/storage")["storage"]
    assert not finding.is_well
    assert "bucket" in finding.detail
    assert "\n" not in finding.detail


@pytest.fixture
def guarded_bucket(monkeypatch) -> Iterator[dict[str, str]]:
    """A bucket on a server that asks for credentials, as S3 does, and the key of a user who may only look."""
    import boto3
    import requests
    import s3fs
    from moto.server import ThreadedMotoServer

    s3fs.S3FileSystem.clear_instance_cache()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="guarded")
    iam = boto3.client("iam")
    # Servers of one process share what they keep.
    reader = f"reader-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=reader)
    looking = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [looking]})
    iam.put_user_policy(UserName=reader, PolicyName="looking", PolicyDocument=policy)
    key = iam.create_access_key(UserName=reader)["AccessKey"]
    # From here on every request is checked.
    requests.post(f"http://{host}:{port}/moto-api/reset-auth", data=b"0", timeout=5)
    yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    requests.post(f"http://{host}:{port}/moto-api/reset-auth", data=b"inf", timeout=5)
    server.stop()


@pytest.mark.parametrize(
    ("changed", "detail", "remedy"),
    [
        # May look and not write.
        ({}, "Access Denied", "let this account s3:ListBucket"),
        ({"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, "does not exist in our records", "correct AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": "guessed"}, "does not match the signature", "correct AWS_ACCESS_KEY_ID"),
    ],
)
def test_a_bucket_that_refuses_says_what_the_account_lacks(found, guarded_bucket, changed, detail, remedy):
    finding = found("storage", FRAUD_STORAGE="s3://guarded/storage", **{**guarded_bucket, **changed})["storage"]
    assert not finding.is_well
    assert detail in finding.detail
    assert finding.remedy.startswith(remedy)


class _Expired(BaseHTTPRequestHandler):
    """S3's answer to a credential whose time is over, word for word as its manual has it."""

    # S3's client asks whether it may send before it sends.
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        """Refuses."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
        self.send_response(400)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Prints nothing."""


def test_an_expired_credential_is_told_from_a_wrong_one(found, monkeypatch):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Expired) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            finding = found("storage", FRAUD_STORAGE="s3://bank/storage")["storage"]
        finally:
            server.shutdown()
    assert not finding.is_well
    assert finding.detail == "The provided token has expired."
    assert finding.remedy == "renew the credential (a role of the machine renews itself)"


def test_a_history_kept_elsewhere_than_the_named_database_is_found(tmp_path, monkeypatch):
    # DAGSTER_HOME was forgotten: everything would go to SQLite, beside the database that is backed up.
    from fraud_platform.defs import doctor

    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    monkeypatch.setenv("FRAUD_POSTGRES_URL", "postgresql://x@127.0.0.1:1/x")
    with pytest.raises(PlatformError, match="keeps its history elsewhere than in FRAUD_POSTGRES_URL; set DAGSTER_HOME"):
        doctor._reach_instance(load_settings())


def test_a_registry_that_is_down_is_found_within_seconds_and_its_password_masked(found):
    url = f"postgresql://bank:s3cr3t@127.0.0.1:{free_port()}/mlflow"
    finding = found("registry", MLFLOW_TRACKING_URI=url)["registry"]
    assert not finding.is_well
    assert finding.remedy == "start the MLflow server or correct MLFLOW_TRACKING_URI"
    assert "refused" in finding.detail
    assert "s3cr3t" not in finding.detail


def test_a_server_on_which_two_writers_could_take_one_place_is_found(found, s3_url, monkeypatch):
    from fraud_platform.defs import doctor

    finding = found("audit trail", FRAUD_AUDIT=f"{s3_url}/audit")["audit trail"]
    assert finding.is_well, finding
    # What a server does that ignores If-None-Match.
    monkeypatch.setattr(doctor, "create_exclusively", lambda path, data: path.write_bytes(data))
    finding = found("audit trail", FRAUD_AUDIT=f"{s3_url}/audit")["audit trail"]
    assert not finding.is_well
    assert "ignores If-None-Match" in finding.detail


def test_a_dagster_home_that_is_no_folder_is_found(found, tmp_path):
    (tmp_path / "file").write_text("in the way")
    finding = found(
        "Dagster instance", DAGSTER_HOME=str(tmp_path / "file"), MLFLOW_TRACKING_URI="postgresql://x@127.0.0.1:1/x"
    )["Dagster instance"]
    assert not finding.is_well
    assert finding.remedy == "make FRAUD_HOME writable, or correct DAGSTER_HOME"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://bank:s3cr3t@db:5432/mlflow", "postgresql://bank:****@db:5432/mlflow"),
        ("postgresql+psycopg2://bank:s3/cr3t@db/mlflow", "postgresql+psycopg2://bank:****@db/mlflow"),
        ("https://bank:s3@cr3t@mlflow.example", "https://bank:****@mlflow.example"),
        ("cannot open redis://:s3cr3t@cache now", "cannot open redis://:****@cache now"),
        # Nothing to hide.
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("sqlite:////home/bank/mlflow.db", "sqlite:////home/bank/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://bank@127.0.0.1:5000/x", "http://bank@127.0.0.1:5000/x"),
    ],
)
def test_passwords_are_masked(url, shown):
    assert masked(url) == shown


def test_every_setting_is_shown_with_its_source(tmp_path, monkeypatch):
    monkeypatch.setenv("FRAUD_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://bank:s3cr3t@mlflow.example")
    (tmp_path / "settings.env").write_text("FRAUD_SEED=7\n")
    rows = {variable: (value, source) for variable, value, source in effective_settings(load_settings())}
    assert len(rows) == len(Settings.model_fields)
    assert rows["FRAUD_SEED"] == ("7", "settings.env")
    assert rows["FRAUD_HOME"] == (str(tmp_path), "environment")
    assert rows["FRAUD_LANDING"] == (str(tmp_path / "landing"), "default")
    assert rows["MLFLOW_TRACKING_URI"] == ("https://bank:****@mlflow.example", "environment")
