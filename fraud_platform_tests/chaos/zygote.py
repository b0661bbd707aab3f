"""A process that has imported everything and forks a child for each trial: a second where a fresh process takes ten.

What a child does is in `work`, what goes wrong in it in `faults`; nothing here knows either.

The zygote itself never runs anything, so that it keeps one Python thread and may fork. It is spoken to in JSON lines:
`{"start": {...}}` answers the child's number, `{"wait": number, "seconds": ...}` how it ended.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# No trial takes that long, also on a busy machine; one that does hangs, which is a defect of its own.
LONGEST_TRIAL_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        signal: the signal that ended it, 0 where it ended by itself.
        is_done: whether it did its work to the end.
        report: what it wrote down last: `error`, and `operations` where these were counted.
        seconds: how long it lived.
    """

    signal: int
    is_done: bool
    report: Mapping[str, Any]
    seconds: float

    @property
    def was_killed(self) -> bool:
        """Whether it was killed before it could end."""
        return self.signal == signal.SIGKILL


class Child:
    """One trial that runs."""

    def __init__(self, zygote: "Zygote", number: int, report: Path) -> None:
        self._zygote, self.number, self._report = zygote, number, report
        self._began = time.monotonic()

    def kill(self) -> None:
        """Ends it as a power failure would; harmless where it has ended, for nobody has asked for its number yet."""
        os.kill(self.number, signal.SIGKILL)

    def wait(self, seconds: float = LONGEST_TRIAL_SECONDS) -> Outcome:
        """How it ends; TimeoutError where it does not."""
        status = self._zygote.ask({"wait": self.number, "seconds": seconds})
        if status is None:
            self.kill()
            self._zygote.ask({"wait": self.number, "seconds": 10})
            raise TimeoutError(f"a trial did not end within {seconds} s:\n{self._zygote.log.read_text()[-3000:]}")
        report = json.loads(self._report.read_text()) if self._report.exists() else {}
        self._report.unlink(missing_ok=True)
        lived = time.monotonic() - self._began
        return Outcome(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, status == 0, report, lived)


class Zygote:
    """The client's side."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process, self._folder, self._count = process, folder, 0
        self.log = folder / "children.log"

    def start(self, *, environment: Mapping[str, str], work: str, fault: Mapping[str, Any] | None = None) -> Child:
        """A child that does `work` in `environment`, and `fault` happens to it."""
        self._count += 1
        report = self._folder / f"report-{self._count}.json"
        told = {"environment": environment, "work": work, "fault": fault or {}, "report": str(report)}
        return Child(self, self.ask({"start": told, "log": str(self.log)}), report)

    def ask(self, request: Mapping[str, Any]) -> Any:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the zygote is gone:\n{(self._folder / 'zygote.log').read_text()[-3000:]}"
        return json.loads(answer)


@contextmanager
def running_zygote(folder: Path) -> Iterator[Zygote]:
    """A zygote that lives as long as the block."""
    # More threads than one would make the numbers of a model, and the time of a trial, depend on the machine's load.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    with (folder / "zygote.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield Zygote(process, folder)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(timeout=10)
        process.stdout.close()


def _serve() -> None:
    from fraud_platform_tests.chaos.work import perform, prepare

    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare()
    for line in sys.stdin:
        request = json.loads(line)
        answer = _start(request, perform) if "start" in request else _wait(request["wait"], request["seconds"])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _start(request: Mapping[str, Any], perform: Any) -> int:
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = perform(request["start"])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(number: int, seconds: float) -> int | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(number, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.002)
    return None


if __name__ == "__main__":
    _serve()
