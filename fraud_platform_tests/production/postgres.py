"""A PostgreSQL server of a test's own, on loopback, with the databases that deploy/postgres makes."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraud_platform_tests.production.processes import DEPLOY, free_port

OWNER = "postgres"


@dataclass(frozen=True)
class PostgresServer:
    """A running server and the folder of its secrets."""

    programs: Path
    socket_folder: Path
    port: int
    secrets: Path

    @property
    def administrator(self) -> dict[str, str]:
        """The environment of whoever administers it: trusted on its socket, as inside the container."""
        return {
            **os.environ,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PGHOST": str(self.socket_folder),
            "PGPORT": str(self.port),
            "PGUSER": OWNER,
            "SECRETS": str(self.secrets),
        }

    def url(self, name: str) -> str:
        """A database by name, for its owner, without the password."""
        return f"postgresql://{name}@127.0.0.1:{self.port}/{name}"

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the scripts of deploy/postgres, run by the administrator."""
        return self._run([str(DEPLOY / "postgres" / name), *arguments])

    def ask(self, database: str, query: str) -> list[str]:
        """The rows of an answer, as text."""
        answer = self._run(["psql", "--no-psqlrc", "--tuples-only", "--no-align", "-d", database, "-c", query])
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.splitlines()

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, env=self.administrator, capture_output=True, text=True, check=False, timeout=60, cwd="/"
        )


def find_programs() -> Path:
    """The folder of initdb; Debian keeps it away from PATH. Skips the test where PostgreSQL is not installed."""
    found = [Path(program).resolve().parent for program in [shutil.which("initdb")] if program]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    usable = [folder for folder in found if (folder / "initdb").exists()]
    if not usable:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    return usable[-1]


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A new server with the two databases; gone with the block."""
    programs = find_programs()
    # Below /tmp itself: the server's user may not enter pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="fraud-postgres-"))
    account: dict[str, Any] = {}
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        account = {"user": OWNER, "group": OWNER, "extra_groups": []}
        try:
            shutil.chown(folder, OWNER, OWNER)
        except LookupError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {OWNER!r}")
    secrets = Path(tempfile.mkdtemp(prefix="fraud-secrets-"))
    subprocess.run([DEPLOY / "make_secrets.sh", "development", secrets], check=True, capture_output=True)
    port = free_port()
    server = PostgresServer(programs, folder, port, secrets)
    # A test may lose its data with the machine.
    quick = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
    initdb = [programs / "initdb", "-D", folder / "data", "-U", OWNER, "--auth-local=trust", "--no-sync"]
    subprocess.run([*initdb, "--auth-host=scram-sha-256"], check=True, capture_output=True, cwd="/", **account)
    where = ["-D", folder / "data", "-k", folder, "-h", "127.0.0.1", "-p", str(port)]
    with (secrets / "server.log").open("wb") as log:
        process = subprocess.Popen([programs / "postgres", *where, *quick], stdout=log, stderr=log, cwd="/", **account)
    try:
        while subprocess.run([programs / "pg_isready", "-q", "-h", folder, "-p", str(port)], check=False).returncode:
            assert process.poll() is None, (secrets / "server.log").read_text()
            time.sleep(0.1)
        made = server.script("create_databases.sh")
        assert made.returncode == 0, made.stderr
        yield server
    finally:
        # Fast shutdown: whoever is still connected is sent away.
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        shutil.rmtree(folder)
        shutil.rmtree(secrets)
