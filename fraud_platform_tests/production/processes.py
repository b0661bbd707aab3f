"""The commands an operator's files name, started by hand on loopback: what a container would run, without one."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
IN_IMAGE = "/opt/fraud-platform/deploy"
# Where the virtual environment keeps its programs, as PATH has it in the image.
PROGRAMS = Path(sys.executable).parent


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@cache
def compose_file() -> Mapping[str, Any]:
    """deploy/docker-compose.yml, its anchors resolved."""
    return yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())


def command_of(service: str, **replacements: str) -> list[str]:
    """What the container of a service runs, at home on loopback, with further texts replaced by others."""
    command = compose_file()["services"][service].get("command") or image_command("CMD")
    # What compose puts in where .env says nothing.
    command = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in command]
    return [_replaced(word, {"0.0.0.0": "127.0.0.1", IN_IMAGE: str(DEPLOY), **replacements}) for word in command]  # noqa: S104 - what is replaced


def health_check_of(service: str, **replacements: str) -> list[str]:
    """What tells the health of a service."""
    check = compose_file()["services"][service].get("healthcheck")
    words = check["test"][1:] if check else image_command("HEALTHCHECK")
    return [_replaced(word, replacements) for word in words]


def image_command(instruction: str) -> list[str]:
    """The words of the Dockerfile's last CMD, or of the one in its HEALTHCHECK."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found = re.findall(rf"^{instruction} ?.*?(\[.*\])$", text, re.MULTILINE)
    words: list[str] = yaml.safe_load(found[-1])
    return words


def _replaced(word: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        word = word.replace(old, new)
    return word


@dataclass
class Processes:
    """Processes that belong together, each with its log; all end with the block that started them."""

    folder: Path
    environment: Mapping[str, str]
    running: dict[str, subprocess.Popen] = field(default_factory=dict)
    started: dict[str, tuple[Sequence[str], Mapping[str, str]]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], **environment: str) -> None:
        """Starts one; what it prints goes to `<name>.log`, behind what was printed before."""
        self.started[name] = command, environment
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Runs one to its end."""
        return self.run_together({"one": command})["one"]

    def run_together(self, commands: Mapping[str, Sequence[str]]) -> dict[str, subprocess.CompletedProcess[str]]:
        """Runs several to their ends at the same time."""
        begun = {
            name: subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name, command in commands.items()
        }
        ended = {}
        for name, process in begun.items():
            out, err = process.communicate(timeout=120)
            ended[name] = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        return ended

    def kill(self, name: str) -> None:
        """Kills one, and what it has started, as when its container dies."""
        _signal(self.running[name], signal.SIGKILL)
        self.running[name].wait(timeout=10)

    def restart_ended(self) -> list[str]:
        """Starts those again that have ended, as `restart: unless-stopped` does; gives their names."""
        ended = [name for name, process in self.running.items() if process.poll() is not None]
        for name in ended:
            # What it has started ends with its container.
            _signal(self.running[name], signal.SIGKILL)
            command, environment = self.started[name]
            self.start(name, command, **environment)
        return ended

    def wait(
        self,
        what: str,
        look: Callable[[], Any],
        seconds: float = 180,
        *,
        pause: float = 0.2,
        is_restarting: bool = False,
    ) -> Any:
        """What `look` gives once it gives something; a process that ends meanwhile is an error, or is restarted."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := look():
                return found
            if is_restarting:
                self.restart_ended()
            for name, process in self.running.items():
                assert process.poll() is None, f"{name} ended early:\n{self.log(name)[-3000:]}"
            time.sleep(pause)
        logs = "\n".join(f"--- {name}\n{self.log(name)[-1500:]}" for name in self.running)
        raise AssertionError(f"no {what} within {seconds} s:\n{logs}")

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self.folder / f"{name}.log").read_text()

    def end(self) -> None:
        """Ends them all, and what they have started; there is nothing to finish."""
        for process in self.running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and any(process.poll() is None for process in self.running.values()):
            time.sleep(0.1)
        for process in self.running.values():
            # Runs are processes of their own below the code location.
            _signal(process, signal.SIGKILL)
            process.wait(timeout=10)


def _signal(process: subprocess.Popen, which: signal.Signals) -> None:
    try:
        os.killpg(process.pid, which)
    except ProcessLookupError:
        return


@contextmanager
def processes(folder: Path, environment: Mapping[str, str]) -> Iterator[Processes]:
    """Room for processes in `folder`; whatever happens in the block, they end with it."""
    started = Processes(folder, environment)
    try:
        yield started
    finally:
        started.end()


def is_listening(port: int) -> bool:
    """Whether somebody answers at a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
