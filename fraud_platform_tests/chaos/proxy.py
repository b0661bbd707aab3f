"""An HTTP proxy between a client and an object store, and the ways in which it fails: as networks and services do.

It runs in the test's process and knows nothing of the platform. Requests are counted, a repeated one anew, so that a
fault can be told to meet the n-th request, every n-th, or all from the n-th on.
"""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Kind = Literal["error", "throttled", "reset", "answer lost", "timeout", "truncated", "corrupted length"]
KINDS: tuple[Kind, ...] = ("error", "throttled", "reset", "answer lost", "timeout", "truncated", "corrupted length")
# What a client is given to wait by the tests is shorter, so that it gives up first.
TIMEOUT_SECONDS = 1.5

_ERRORS = {"error": (500, "InternalError"), "throttled": (503, "SlowDown")}
_HOP_BY_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length"))


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and with which requests: from `first` on, every `step`-th, `count` of them."""

    kind: Kind
    first: int
    step: int = 1
    count: int = 10**9

    def meets(self, number: int) -> bool:
        """Whether the request of that number, counted from 1, goes wrong."""
        place, rest = divmod(number - self.first, self.step)
        return rest == 0 and 0 <= place < self.count


@dataclass
class Proxy:
    """The proxy's address, what it does, and what it has seen.

    Attributes:
        url: where clients reach it.
        fault: what goes wrong from now on; None for nothing.
        seen: every request since `expect`, as `METHOD /path`.
        failed: the numbers of those that went wrong.
    """

    url: str
    fault: Fault | None = None
    seen: list[str] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, fault: Fault | None) -> None:
        """Begins to count anew, with `fault` in force."""
        with self._lock:
            self.fault = fault
            self.seen, self.failed = [], []

    def judge(self, request: str) -> Kind | None:
        """What becomes of the next request."""
        with self._lock:
            self.seen.append(request)
            if self.fault is None or not self.fault.meets(len(self.seen)):
                return None
            self.failed.append(len(self.seen))
            return self.fault.kind


@contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy in front of `target`, as long as the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    host, port = server.server_address[:2]
    proxy = Proxy(f"http://{host!s}:{port}")
    server.proxy, server.target = proxy, urlsplit(target).netloc  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Nothing: a test that fails shows what was seen."""

    def handle(self) -> None:
        """A client that goes away is no error of ours."""
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.proxy.judge(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        if kind in _ERRORS:
            status, code = _ERRORS[kind]
            self._answer(status, {}, f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode())
        elif kind == "reset":
            self._reset()
        elif kind == "timeout":
            time.sleep(TIMEOUT_SECONDS)
            self._reset()
        else:
            status, headers, content = self._ask(body)
            if kind == "answer lost":
                self._reset()
            elif kind in ("truncated", "corrupted length"):
                self._cut(status, headers, content, is_told=kind == "truncated")
            else:
                self._answer(status, headers, content)

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.server.target, timeout=30)  # type: ignore[attr-defined]
        try:
            headers = {name: text for name, text in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(self.command, self.path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            told = {name: text for name, text in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            if self.command == "HEAD":
                told["Content-Length"] = answer.getheader("Content-Length") or "0"
            return answer.status, told, content
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self._begin(status, {"Content-Length": str(len(content)), **headers})
        self.wfile.write(content)

    def _cut(self, status: int, headers: dict[str, str], content: bytes, *, is_told: bool) -> None:
        """Half of an answer; `is_told`: with the length of the whole, so that the client can know."""
        half = content[: len(content) // 2]
        length = len(content) if is_told else len(half)
        self._begin(status, {"Content-Length": str(length), **headers})
        self.wfile.write(half)
        if is_told:
            self.close_connection = True

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()

    def _reset(self) -> None:
        """Ends the connection as a peer does that has died: the client sees a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
