"""A PostgreSQL server of a test's own, on loopback, with the databases that deploy/postgres makes."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fraud_platform_tests.production.processes import DEPLOY, free_port

OWNER = "postgres"


@dataclass
class PostgresServer:
    """A server and the folder of its secrets; `account` is who runs it, in the words of Popen."""

    programs: Path
    socket_folder: Path
    port: int
    secrets: Path
    account: Mapping[str, Any]
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it on the data it has, and waits until it answers."""
        where = ["-D", self.socket_folder / "data", "-k", self.socket_folder, "-h", "127.0.0.1", "-p", str(self.port)]
        # A test may lose its data with the machine.
        quick = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        with (self.secrets / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *where, *quick], stdout=log, stderr=log, cwd="/", **self.account
            )
        ready = [self.programs / "pg_isready", "-q", "-h", self.socket_folder, "-p", str(self.port)]
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, (self.secrets / "server.log").read_text()
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT sends away who is connected, SIGKILL is a crash."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(timeout=30)

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
    server = PostgresServer(programs, folder, free_port(), secrets, account)
    initdb = [programs / "initdb", "-D", folder / "data", "-U", OWNER, "--auth-local=trust", "--no-sync"]
    subprocess.run([*initdb, "--auth-host=scram-sha-256"], check=True, capture_output=True, cwd="/", **account)
    try:
        server.start()
        made = server.script("create_databases.sh")
        assert made.returncode == 0, made.stderr
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
        shutil.rmtree(secrets)
