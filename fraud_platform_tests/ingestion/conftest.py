"""Days in the landing format, and landing zones to put them in."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.ingestion.schema import LANDED_COLUMNS

DAY = date(2026, 1, 2)


def make_rows(count: int, *, seed: int = 0) -> pd.DataFrame:
    """Rows in the landing format, all different, labelled, the first one a fraud."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(generator.normal(size=(count, len(LANDED_COLUMNS))), columns=list(LANDED_COLUMNS))
    table["Time"] = np.floor(generator.uniform(0, 172_800, count))
    table["Amount"] = np.round(generator.uniform(0, 500, count), 2)
    table["Class"] = (np.arange(count) == 0).astype(int)
    return table


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone.at(tmp_path)


@pytest.fixture
def land(zone: LandingZone) -> Callable[..., Path]:
    """Puts bytes, text or a table under a name into the day's folder."""

    def land(name: str, content: bytes | str | pd.DataFrame, kind: str = "transactions") -> Path:
        path = Path(zone.root.path) / kind / DAY.isoformat() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pd.DataFrame):
            if name.endswith(".parquet"):
                content.to_parquet(path, index=False)
            else:
                content.to_csv(path, index=False)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return land


@pytest.fixture
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket on an S3 server in this process."""
    import boto3
    import requests
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # File systems are kept per set of arguments, not per environment.
    s3fs.S3FileSystem.clear_instance_cache()
    # Servers of one process share what they store.
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)
    boto3.client("s3").create_bucket(Bucket="landing-zone")
    yield "s3://landing-zone/prefix"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
