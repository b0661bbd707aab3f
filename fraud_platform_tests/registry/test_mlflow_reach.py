"""An MLflow that cannot be reached is one line within seconds; one that can is reached wherever it is."""

import os
import shutil
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fraud_platform.errors import RegistryError
from fraud_platform.registry import reachability
from fraud_platform.registry.mlflow_connection import MlflowConnection
from fraud_platform.registry.mlflow_registry import MlflowRegistry
from fraud_platform.registry.mlflow_tracker import MlflowTracker, prepare_experiment
from fraud_platform_tests.registry.registration import march, promote, register


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody accepts the connection and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def complaint(tracking_url: str) -> str:
    began = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        MlflowRegistry(tracking_url).versions()
    assert time.monotonic() - began < 10
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith("check MLFLOW_TRACKING_URI and that the server or database behind it is up")
    return text


@pytest.mark.parametrize("scheme", ["http", "postgresql", "postgresql+psycopg2"])
def test_a_closed_port_is_one_line_and_shows_no_password(closed_port: int, scheme: str) -> None:
    text = complaint(f"{scheme}://user:secret@127.0.0.1:{closed_port}/mlflow")
    assert "Connection refused" in text
    assert "cannot list the registered models" in text
    assert "secret" not in text


def test_a_server_that_never_answers_is_one_line(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability, "ANSWER_SECONDS", 0.5)
    assert "timed out" in complaint(f"http://127.0.0.1:{silent_port}")


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"certainly no database, and long enough to be looked at closely" * 20)
    assert "file is not a database" in complaint(f"sqlite:///{tmp_path / 'mlflow.db'}")


def test_a_folder_where_the_database_should_be_is_one_line(tmp_path: Path) -> None:
    assert "unable to open database file" in complaint(f"sqlite:///{tmp_path}")


def test_an_unknown_kind_of_address_is_one_line() -> None:
    assert "gopher" in complaint("gopher://example.org")


@pytest.fixture
def server_url(tracking_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own server application on a loopback port, artifacts proxied; the command line adds only workers."""
    database = f"sqlite:///{shutil.copy(tracking_url.removeprefix('sqlite:///'), tmp_path / 'server.db')}"
    for name, text in {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(tmp_path / "served"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    }.items():
        monkeypatch.setenv(name, text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.server import app, handlers
    for name in ("_tracking_store", "_model_registry_store", "_artifact_repo"):
        monkeypatch.setattr(handlers, name, None)
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_registry_and_tracker_work_through_a_server(
    server_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    experiment = prepare_experiment(server_url, "on_a_server")
    with MlflowConnection(server_url).reach("start a run") as client:
        run_id = client.create_run(experiment, run_name="training").info.run_id
    tracker = MlflowTracker(server_url, run_id=run_id)
    tracker.log_metrics({"test_f1": 0.8})
    tracker.log_plots({"roc": b"picture"})
    registry = MlflowRegistry(server_url, cache=tmp_path / "cache", model_name="on_a_server")
    version = promote(registry, register(registry, "through a server", run_id=run_id), 1)
    assert (version.run_id, version.aliases) == (run_id, ("champion",))
    assert MlflowRegistry(server_url, model_name="on_a_server").read_bytes("champion") == b"through a server"
    assert registry.champion_as_of(march(2)) == version
    with MlflowConnection(server_url).reach("end the run") as client:
        client.set_terminated(run_id)
    assert list((tmp_path / "served").rglob("roc.png"))
    assert "View run" not in capfd.readouterr().out


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3-compatible server that only AWS's own variable points at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import boto3
        from mlflow.store.artifact import s3_artifact_repo
        from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings: dict[str, Any] = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, text in settings.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("MLFLOW_S3_ENDPOINT_URL", raising=False)
    # MLflow keeps its S3 clients for minutes; those of another test's server must not be met here, nor this one there.
    s3_artifact_repo._cached_get_s3_client.cache_clear()
    boto3.client("s3").create_bucket(Bucket="models")
    yield "models"
    s3_artifact_repo._cached_get_s3_client.cache_clear()
    server.stop()


def test_bundles_live_on_an_s3_compatible_server(bucket: str, tracking_url: str) -> None:
    import boto3

    registry = MlflowRegistry(
        tracking_url, artifact_url=f"s3://{bucket}/mlflow", experiment="on_s3", model_name="on_s3"
    )
    version = promote(registry, register(registry, "in a bucket"), 1)
    keys = [entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(keys) == 1
    assert keys[0].startswith(f"mlflow/{version.run_id}/artifacts/model/bundle-")
    assert registry.read_bytes("champion") == b"in a bucket"
    assert "MLFLOW_S3_ENDPOINT_URL" not in os.environ
