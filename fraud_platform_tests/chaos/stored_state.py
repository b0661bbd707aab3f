"""What an installation has stored, in a form that two lives of it can be compared in: everything but times and run ids.

It is read with nothing of the platform's but the audit trail's verification: files as files, Parquet with Arrow, the
registry from MLflow's own database.
"""

import io
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fraud_platform.governance.audit_entry import Head
from fraud_platform.governance.audit_verification import verify

# When and in which run something was done differs between two lives. A second reading of the test split is a second
# reading: that both are on record is checked by itself. And whoever commits while tests run has done nothing wrong.
_VOLATILE = frozenset(
    (
        *("at", "scored_at", "decided_at", "created_at", "changed_at", "training_duration_sec"),
        *("run_id", "mlflow_run_id", "git_commit"),
    )
)
_TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|\+00:00|Z)?")
_COMPARED_TAGS = (
    *("semver", "stage", "champion_from", "shadow_until", "rejection_reason", "rolled_back_to", "promotion_reason"),
    *("as_of", "bundle_sha256", "cause", "origin", "policy_version", "algorithm"),
)


@dataclass(frozen=True)
class StoredState:
    """Everything of an installation that a person or a later day could read.

    Attributes:
        files: what is in the storage, by path below it, times left out.
        registry: versions with their tags, and aliases.
        left_over: what nobody should find: temporary files, claims of the dead, MLflow runs that never end.
        problems: what is wrong with the audit trail.
        recorded: what the audit trail tells, without times.
    """

    files: Mapping[str, Any]
    registry: Mapping[str, Any]
    left_over: tuple[str, ...]
    problems: tuple[str, ...]
    recorded: frozenset[tuple[str, str]]

    def differences(self, other: "StoredState") -> list[str]:
        """In what `other` differs, one line each."""
        found = [
            f"{name}: {_difference(self.files.get(name), other.files.get(name))}"
            for name in sorted({*self.files, *other.files})
            if self.files.get(name) != other.files.get(name)
        ]
        if self.registry != other.registry:
            found.append(f"registry: {_difference(self.registry, other.registry)}")
        if self.recorded != other.recorded:
            found.append(f"audit trail: {sorted(self.recorded ^ other.recorded)}")
        return found


def state_of(home: Path, objects: Mapping[str, bytes] | None) -> StoredState:
    """The state of the installation below `home`; `objects` are those of its bucket where it has one."""
    stored = {name.removeprefix("storage/"): data for name, data in _stored(home, objects) if _is(name, "storage")}
    trail = _trail(stored)
    registry, heads, claims = _registry(home / "mlflow.db")
    found = verify(trail, expected=heads)
    temporary = [str(path.relative_to(home)) for path in sorted(home.rglob("*.partial*"))]
    temporary += [name for name in stored if name.rpartition("/")[2].startswith(".")]
    # A line that a crash cut off lacks its end, and is nobody's promise.
    told = [json.loads(line) for line in trail if line.endswith(b"\n")]
    return StoredState(
        files={name: comparable(name, data) for name, data in stored.items() if not _is(name, "audit")},
        registry=registry,
        left_over=(*temporary, *claims),
        problems=tuple(map(str, found.problems)),
        recorded=frozenset((entry["event"], entry["subject"]) for entry in told if entry["event"] != "interruption"),
    )


def comparable(name: str, data: bytes) -> Any:
    """`data` as it is where it holds no time, else without its times."""
    if name.rpartition("/")[2].startswith("."):
        # What a killed writer left may end anywhere, and nobody reads it.
        return data
    if name.startswith("daily_predictions/"):
        table = pq.read_table(io.BytesIO(data))
        footer = {k.decode(): v for k, v in (table.schema.metadata or {}).items() if not k.endswith(b"scored_at")}
        return {"columns": table.drop_columns(["scored_at"]).to_pydict(), "footer": footer}
    if name.startswith("test_readings/"):
        # Each attempt that got so far has read it: every reading counts, and all are of the same model.
        return {reading["bundle_sha256"] for reading in json.loads(data)}
    if name.endswith(".json"):
        return _timeless(json.loads(data))
    if name.startswith("model_card_page/"):
        return _TIME.sub(b"", data)
    return data


def _timeless(document: Any) -> Any:
    match document:
        case dict():
            kept = {key: _timeless(value) for key, value in document.items() if key not in _VOLATILE}
            return {**kept, "test_readings": None} if "test_readings" in kept else kept
        case list():
            return [_timeless(each) for each in document]
        case str():
            return _TIME.sub(b"", document.encode()).decode()
        case _:
            return document


def _stored(home: Path, objects: Mapping[str, bytes] | None) -> Iterator[tuple[str, bytes]]:
    if objects is not None:
        yield from objects.items()
        return
    for path in sorted((home / "storage").rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()


def _is(name: str, folder: str) -> bool:
    return name.startswith(f"{folder}/")


def _trail(stored: Mapping[str, bytes]) -> list[bytes]:
    entries = [data for name, data in sorted(stored.items()) if name.startswith("audit/") and name.endswith(".json")]
    return entries or stored.get("audit/trail.jsonl", b"").splitlines(keepends=True)


def _registry(database: Path) -> tuple[dict[str, Any], list[Head], list[str]]:
    """Versions and aliases; the heads of the audit trail noted there; claims and runs that nobody will ever end."""
    if not database.exists():
        return {}, [], []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        if not connection.execute("select name from sqlite_master where name = 'model_version_tags'").fetchone():
            return {}, [], []
        # Of a version that was withdrawn, as a doubled one is, MLflow keeps the row and its tags.
        present = "select version from model_versions where current_stage <> 'Deleted_Internal'"
        versions = [row[0] for row in connection.execute(f"{present} order by version")]
        tags = connection.execute(
            f"select version, key, value from model_version_tags where version in ({present})"  # noqa: S608 - nothing in it is told
        ).fetchall()
        aliases = dict(connection.execute("select alias, version from registered_model_aliases").fetchall())
        running = connection.execute("select run_uuid from runs where status = 'RUNNING'").fetchall()
    heads = [Head.parse(text, source=f"version {version}") for version, key, text in tags if key == "note.audit_head"]
    claims = [f"version {version}: {key}" for version, key, _ in tags if key.startswith("promotion_claim_")]
    known: dict[str, Any] = {str(version): {} for version in versions}
    for version, key, text in tags:
        if key in _COMPARED_TAGS:
            known[str(version)][key] = re.sub(r"@\S+?(?=[ ,;]|$)", "", text) if key == "champion_from" else text
    return (
        {"versions": known, "aliases": aliases},
        heads,
        claims + [f"run {run} is still running" for (run,) in running],
    )


def _difference(one: Any, other: Any) -> str:
    """Where two values differ, by path; the first few places."""
    return "; ".join(f"{where} {_short(a)} != {_short(b)}" for where, a, b in list(_places("", one, other))[:4])


def _places(where: str, one: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from _places(f"{where}.{key}", one.get(key), other.get(key))
    elif one != other:
        yield where, one, other


def _short(value: Any) -> str:
    return repr(value)[:120]
