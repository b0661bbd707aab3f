"""What goes wrong inside a child: it dies at an exact operation, its clock jumps, somebody changes a file under it.

An operation is a call after which something may be different on disk, in a database or in an object store: they are
counted, so that a rehearsal tells how many there are and a trial may name one of them. What goes wrong between the
child and the object store belongs to `proxy`.

    {"kill_at": 17, "when": "before" | "half" | "after"}     SIGKILL at that operation; half: a torn write
    {"clock_at": 17, "by_seconds": -86400}                  the wall clock jumps at that moment; 0: from the start
    {"replaced_after_read": 1, "how": "rename" | "rewrite" | "object", "new": path, "old": path or bucket/key}
                                                            the landed file becomes another after so many reads
"""

import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LONGEST_PAUSE_SECONDS = 0.01
_CLIENT_TIMEOUT_SECONDS = 1


@dataclass
class Recorder:
    """Counts operations, and acts at the one that the fault names."""

    fault: Mapping[str, Any]
    names: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def around(self, name: str, call: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """The answer of `call`, which is one operation; `half` does a part of it."""
        is_fatal = self._begin(name)
        if is_fatal and self.fault["when"] == "half" and half is not None:
            half()
        if is_fatal and self.fault["when"] != "after":
            _die()
        answer = call()
        if is_fatal:
            _die()
        return answer

    async def around_async(self, name: str, call: Callable[[], Any]) -> Any:
        """The same of a coroutine."""
        is_fatal = self._begin(name)
        if is_fatal and self.fault["when"] != "after":
            _die()
        answer = await call()
        if is_fatal:
            _die()
        return answer

    def _begin(self, name: str) -> bool:
        self.names.append(name)
        number = len(self.names)
        if number == self.fault.get("clock_at"):
            jump_clock(self.fault["by_seconds"])
        return number == self.fault.get("kill_at")


def install(fault: Mapping[str, Any]) -> Recorder:
    """Counts the operations of this process from now on, and lets `fault` happen."""
    recorder = Recorder(fault)
    if fault.get("clock_at") == 0:
        jump_clock(fault["by_seconds"])
    _wait_for_nobody()
    _test_models_here()
    _watch_files(recorder)
    _watch_databases(recorder)
    _watch_object_stores(recorder)
    if "replaced_after_read" in fault:
        _replace_landed_file(fault)
    return recorder


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _watch_files(recorder: Recorder) -> None:
    from fraud_platform import storage

    # mkdir is left out: an empty folder is nobody's loss.
    for name in ("replace", "link", "unlink", "fsync", "ftruncate"):
        setattr(os, name, _counted(recorder, name, getattr(os, name)))
    write_at, named_when_written = os.pwrite, storage._named_when_written

    def pwrite(file: int, data: bytes, offset: int) -> int:
        half = functools.partial(write_at, file, data[: len(data) // 2], offset)
        return recorder.around("pwrite", lambda: write_at(file, data, offset), half)

    @contextmanager
    def watched(path: Any, give_name: Callable[[str, str], None]) -> Iterator[Any]:
        with named_when_written(path, give_name) as file:
            yield _WatchedFile(file, recorder)

    os.pwrite = pwrite  # type: ignore[assignment]
    storage._named_when_written = watched


@dataclass(frozen=True)
class _WatchedFile:
    """A file whose every write is an operation; a torn one has reached the disk with its first half."""

    file: Any
    recorder: Recorder

    def write(self, data: bytes) -> Any:
        return self.recorder.around("write", lambda: self.file.write(data), lambda: self._tear(data))

    def _tear(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        self.file.flush()


def _watch_databases(recorder: Recorder) -> None:
    from sqlalchemy.engine.default import DefaultDialect

    commit = DefaultDialect.do_commit

    def do_commit(dialect: Any, connection: Any) -> None:
        recorder.around("commit", lambda: commit(dialect, connection))

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _watch_object_stores(recorder: Recorder) -> None:
    from aiobotocore.httpsession import AIOHTTPSession

    send = AIOHTTPSession.send

    async def counted(session: Any, request: Any) -> Any:
        return await recorder.around_async(f"s3 {request.method}", lambda: send(session, request))

    AIOHTTPSession.send = counted  # type: ignore[method-assign]


def _replace_landed_file(fault: Mapping[str, Any]) -> None:
    from fraud_platform.ingestion.source import LandedSource

    read, reads = LandedSource.read, 0

    def then_replace(source: LandedSource, size: int = -1) -> bytes:
        nonlocal reads
        block = read(source, size)
        reads += 1
        if reads == fault["replaced_after_read"]:
            _put_in_place(fault["how"], Path(fault["new"]), fault["old"])
        return block

    LandedSource.read = then_replace  # type: ignore[method-assign]


def _put_in_place(how: str, new: Path, old: str) -> None:
    """Lands `new` in the place of `old` as upstream systems do: well, badly, and in an object store."""
    if how == "rename":
        shutil.copy(new, f"{old}.partial")
        Path(f"{old}.partial").rename(old)
    elif how == "rewrite":
        Path(old).write_bytes(new.read_bytes())
    else:
        import boto3

        bucket, _, key = old.partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=new.read_bytes())


def _counted(recorder: Recorder, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return recorder.around(name, lambda: function(*arguments, **options))

    return call


def _wait_for_nobody() -> None:
    """Tries again at once what is tried again at all: how often is the platform's choice, how long is not the point."""
    import asyncio

    import dagster as dg
    import s3fs

    sleep = asyncio.sleep

    async def nap(seconds: float, result: Any = None) -> Any:
        return await sleep(min(seconds, _LONGEST_PAUSE_SECONDS), result)

    dg.RetryPolicy.calculate_delay = lambda *_: 0.0  # type: ignore[method-assign]
    asyncio.sleep = nap  # type: ignore[assignment]
    # Shorter than the proxy keeps silent.
    s3fs.S3FileSystem.read_timeout = _CLIENT_TIMEOUT_SECONDS


def _test_models_here() -> None:
    """The stored bundle is tried in this process: a fresh one takes seconds, and has its own tests."""
    import subprocess
    from types import SimpleNamespace

    from fraud_platform.registry import smoke_test

    def run(program: list[str], *, input: bytes, **_: Any) -> Any:  # noqa: A002 - the name it has in `subprocess`
        import json

        answer = smoke_test._score_made_up_rows(input, program[-1])
        return subprocess.CompletedProcess(program, 0, json.dumps(answer).encode(), b"")

    smoke_test.subprocess = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)  # type: ignore[assignment]


def jump_clock(by_seconds: float) -> None:
    """Lets the wall clock of this process be wrong by so much, for whoever asks Python for the time."""
    import datetime as library
    import sys

    real_time, real = time.time, library.datetime
    shift = library.timedelta(seconds=by_seconds)

    class AlsoRight(type):
        """Times that were made before the jump, or by others, are times all the same."""

        def __instancecheck__(cls, thing: object) -> bool:
            return isinstance(thing, real)

    class Wrong(real, metaclass=AlsoRight):  # type: ignore[misc, valid-type]
        """The time as this process sees it."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.now(tz) + shift

        @classmethod
        def utcnow(cls) -> Any:
            return real.utcnow() + shift

    time.time = lambda: real_time() + by_seconds
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("fraud_platform", "dagster", "mlflow") and getattr(module, "datetime", None) is real:
            module.datetime = Wrong  # type: ignore[attr-defined]
