"""An installation that lives the same day again and again: put back as it was, disturbed, run again, looked at.

It always lies at the same place, because MLflow notes absolute paths. What disturbs it belongs to `faults` and `proxy`.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from fraud_platform.ingestion.landing import LandingZone
from fraud_platform.simulation.delivery import land_days
from fraud_platform.simulation.simulator import simulate
from fraud_platform_tests.chaos.stored_state import StoredState, state_of
from fraud_platform_tests.chaos.zygote import Child, Outcome, Zygote
from fraud_platform_tests.platform_home import day_number

# One family without a search, and a few hundred rows: what is stored is small, how it is stored is the same. The days
# end today, so every date draws other rows: on none may so small a model fail a gate.
QUICK = {
    "FRAUD_CANDIDATES": '["logistic_regression"]',
    "FRAUD_SEARCH_TRIALS": "0",
    **dict.fromkeys(("FRAUD_MIN_F1", "FRAUD_MIN_PRECISION", "FRAUD_MIN_RECALL", "FRAUD_MIN_AVERAGE_PRECISION"), "0"),
    "FRAUD_MAX_TRAIN_VALIDATION_GAP": "1",
    "FRAUD_MAX_RELATIVE_CALIBRATION_ERROR": "10",
    "FRAUD_MAX_SINGLE_FEATURE_AVERAGE_PRECISION": "1",
    "FRAUD_MAX_SINGLE_FEATURE_RECALL": "1",
    "FRAUD_MAX_PLAUSIBLE_AVERAGE_PRECISION": "1",
}
ROWS_PER_DAY = 800
FRAUD_RATE = 0.03
LEARNED = [day_number(number) for number in (1, 2, 3)]
LIVED = day_number(4)
DAILY, RETRAINING = f"daily {LIVED}", f"retrain {LIVED}"


class Bucket:
    """The bucket of an installation, seen from beside it: not through whatever disturbs the installation's own way."""

    def __init__(self, endpoint: str, name: str) -> None:
        import boto3

        self.name = name
        # By digest, so that looking at a bucket again reads only what is new in it.
        self._known: dict[str, bytes] = {}
        self._client = boto3.client("s3", endpoint_url=endpoint)
        self._client.create_bucket(Bucket=name)

    def objects(self) -> dict[str, bytes]:
        """Every object, by key."""
        marks = self._marks()
        for key, mark in marks.items():
            if mark not in self._known:
                self._known[mark] = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return {key: self._known[mark] for key, mark in marks.items()}

    def hold(self, objects: Mapping[str, bytes]) -> None:
        """Makes the bucket hold `objects` and nothing else."""
        present = self._marks()
        for key in present.keys() - objects.keys():
            self._client.delete_object(Bucket=self.name, Key=key)
        for key, data in objects.items():
            if present.get(key) != hashlib.md5(data, usedforsecurity=False).hexdigest():
                self.put(key, data)

    def put(self, key: str, data: bytes) -> None:
        """One object in the place of another."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def unfinished_uploads(self) -> list[str]:
        """Keys of uploads in parts that were begun and neither completed nor given up."""
        listed = self._client.list_multipart_uploads(Bucket=self.name)
        return [upload["Key"] for upload in listed.get("Uploads", ())]

    def _marks(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            found |= {each["Key"]: each["ETag"].strip('"') for each in page.get("Contents", ())}
        return found


@dataclass(frozen=True)
class Life:
    """One step that nobody disturbed.

    Attributes:
        before: what was stored before it.
        after: what it leaves; also what must be left wherever it was disturbed and run again.
        operations: the names of its operations, in order (see `faults`).
        seconds: how long it took.
    """

    before: StoredState
    after: StoredState
    operations: tuple[str, ...]
    seconds: float


@dataclass
class Installation:
    """A home at a fixed place, and the ways to let it live."""

    folder: Path
    zygote: Zygote
    bucket: Bucket | None = None
    environment: dict[str, str] = field(default_factory=dict)
    name: str = "disk"
    lives: dict[str, Life] = field(default_factory=dict)
    _objects: dict[str, dict[str, bytes]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Everything local of it."""
        return self.folder / "home"

    def start(self, work: str, fault: Mapping[str, Any] | None = None, **environment: str) -> Child:
        """Begins one step, without waiting for it."""
        told = {**QUICK, "FRAUD_HOME": str(self.home), **self.environment, **environment}
        if self.bucket:
            told |= {name: f"s3://{self.bucket.name}/{name[6:].lower()}" for name in ("FRAUD_LANDING", "FRAUD_STORAGE")}
        return self.zygote.start(environment=told, work=work, fault=fault)

    def do(self, work: str) -> Outcome:
        """One step to its end, undisturbed: anything but success is an error."""
        outcome = self.start(work).wait()
        assert outcome.is_done, f"{work}: {outcome.report.get('error')}\n{self.zygote.log.read_text()[-4000:]}"
        return outcome

    def save(self, name: str) -> None:
        """Remembers everything as it is now."""
        shutil.rmtree(self._saved(name), ignore_errors=True)
        shutil.copytree(self.home, self._saved(name))
        if self.bucket:
            self._objects[name] = self.bucket.objects()

    def put_back(self, name: str) -> None:
        """Makes everything as it was."""
        # The home may be a mounted disk, which stays.
        self.home.mkdir(exist_ok=True)
        for entry in self.home.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.copytree(self._saved(name), self.home, dirs_exist_ok=True)
        if self.bucket:
            self.bucket.hold(self._objects[name])

    def state(self) -> StoredState:
        """What is stored now."""
        return state_of(self.home, self.bucket.objects() if self.bucket else None)

    def land(self, days: Sequence[date]) -> None:
        """Lands simulated days."""
        made = simulate(start=days[0], days=len(days), rows_per_day=ROWS_PER_DAY, fraud_rate=FRAUD_RATE, seed=1)
        land_days(LandingZone.at(self.home / "landing"), made, name="simulated")

    def settle(self) -> None:
        """Three days learned from and their model released; then the fourth is landed, lived and learned from.

        What was before and after each of the two chains of the fourth day is remembered, and what they store.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.land([*LEARNED, LIVED])
        self.do(f"ingest {LEARNED[0]} {LEARNED[-1]}")
        self.do(f"retrain {LEARNED[-1]}")
        for work in (DAILY, RETRAINING):
            self.live(work)

    def live(self, work: str) -> None:
        """One step from what is stored now, undisturbed; what was before and after it is remembered."""
        self.save(work)
        before, outcome = self.state(), self.do(work)
        self.lives[work] = Life(before, self.state(), tuple(outcome.report["operations"]), outcome.seconds)

    def move_to(self, bucket: Bucket) -> "Installation":
        """The same installation with landing zone and storage in an object store; its home stays where it is."""
        moved = Installation(self.folder, self.zygote, bucket, dict(self.environment), name=f"{self.name}-moved")
        for work in (DAILY, RETRAINING):
            self.put_back(work)
            objects = {str(path.relative_to(self.home)): path.read_bytes() for path in files_below(self.home)}
            trail = objects.pop("storage/audit/trail.jsonl").splitlines(keepends=True)
            objects |= {f"storage/audit/000000/{at:012d}.json": line for at, line in enumerate(trail, start=1)}
            bucket.hold({key: data for key, data in objects.items() if key.split("/")[0] in ("landing", "storage")})
            for folder in ("landing", "storage"):
                shutil.rmtree(self.home / folder)
            moved.save(work)
        for work in (DAILY, RETRAINING):
            moved.put_back(work)
            before, outcome = moved.state(), moved.do(work)
            moved.lives[work] = Life(before, moved.state(), tuple(outcome.report["operations"]), outcome.seconds)
        return moved

    def _saved(self, name: str) -> Path:
        return self.folder / f"saved-{self.name}" / name


def files_below(folder: Path) -> list[Path]:
    """Every file in a folder and its folders."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def loopback_environment(endpoint: str) -> dict[str, str]:
    """What makes a child talk to an S3-compatible server."""
    kept = {name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")}
    return {**kept, "AWS_ENDPOINT_URL": endpoint}
