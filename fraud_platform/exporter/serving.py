"""The exporter's two pages: `/metrics` for Prometheus, `/health` for whoever asks whether it can see.

A page is made from the last snapshot, in memory; gathering goes on beside it and keeps nobody waiting.
"""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from fraud_platform.exporter.batch_metrics import batch_metrics
from fraud_platform.exporter.families import gauge, gauges
from fraud_platform.exporter.model_metrics import model_metrics
from fraud_platform.exporter.snapshot import SOURCES, Gatherer, Snapshot

# So many rounds may be missed before figures are too old to be believed.
MISSED_ROUNDS = 5
SECONDS_TO_END = 5


@dataclass(frozen=True)
class Health:
    """What `/health` says.

    Attributes:
        is_well: whether every source could be read, and lately.
        reason: what is wrong and what to do about it; empty where nothing is.
    """

    is_well: bool
    reason: str


def health_of(snapshot: Snapshot, now: datetime, *, every_seconds: float) -> Health:
    """Whether the figures can be believed."""
    if snapshot.gathered_at is None:
        return Health(False, "nothing has been read yet")
    age = (now - snapshot.gathered_at).total_seconds()
    if age > MISSED_ROUNDS * max(every_seconds, snapshot.seconds):
        return Health(False, f"nothing has been read for {age:.0f} s; restart the exporter")
    wrong = [finding for finding in snapshot.findings if not finding.is_well]
    return Health(not wrong, "; ".join(f"{each.subject}: {each.detail}; {each.remedy}" for each in wrong).rstrip("; "))


class Figures(Collector):
    """The platform's metrics, as of the moment they are asked for."""

    def __init__(self, gatherer: Gatherer, clock: Callable[[], datetime]):
        self._gatherer = gatherer
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        snapshot, now = self._gatherer.snapshot, self._clock()
        is_well = {finding.subject: finding.is_well for finding in snapshot.findings}
        yield gauges(
            "fraud_source_up",
            "1 where it could be read in the last round.",
            "source",
            {source: float(is_well.get(source, False)) for source in SOURCES},
        )
        yield gauge(
            "fraud_gathered_timestamp_seconds",
            "When the last round of reading ended.",
            snapshot.gathered_at.timestamp() if snapshot.gathered_at else None,
        )
        yield gauge("fraud_gathering_seconds", "How long that round took.", snapshot.seconds)
        if snapshot.history:
            yield from batch_metrics(snapshot.history, now)
        yield from model_metrics(snapshot, now)


class Exporter:
    """An HTTP server with both pages, and the thread that gathers."""

    def __init__(
        self, gatherer: Gatherer, *, host: str, port: int, every_seconds: float, clock: Callable[[], datetime]
    ):
        """Listens at once; port 0 takes one that is free.

        Raises:
            OSError: somebody else listens there, or the address is not this machine's.
        """
        self._gatherer = gatherer
        self._every = every_seconds
        self._clock = clock
        self._stop = Event()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(Figures(gatherer, clock))
        self._server = _server(host, port, _pages(self))
        self._thread = Thread(target=self._gather, name="gathering", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def serve(self) -> None:
        """Answers until `stop` is called from elsewhere."""
        self._thread.start()
        try:
            self._server.serve_forever()
        finally:
            self._stop.set()
            self._server.server_close()
            # A round that hangs on a network does not keep the process.
            self._thread.join(timeout=SECONDS_TO_END)

    def stop(self) -> None:
        """Ends `serve`."""
        self._server.shutdown()

    def metrics(self) -> bytes:
        """The page `/metrics`."""
        return generate_latest(self._registry)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is well, and the page `/health`."""
        snapshot, now = self._gatherer.snapshot, self._clock()
        health = health_of(snapshot, now, every_seconds=self._every)
        champion, history = snapshot.champion, snapshot.history
        page = {
            "status": "well" if health.is_well else "failing",
            "reason": health.reason,
            "model": {
                "version": champion.version,
                "semver": champion.semver,
                "algorithm": champion.algorithm,
                "as_of": champion.as_of.isoformat(),
            }
            if champion
            else None,
            "newest_day": max(history.scored).isoformat() if history and history.scored else None,
            "gathered_at": snapshot.gathered_at.isoformat() if snapshot.gathered_at else None,
            "sources": {finding.subject: finding.detail for finding in snapshot.findings},
        }
        return health.is_well, page

    def _gather(self) -> None:
        while not self._stop.is_set():
            self._gatherer.gather()
            self._stop.wait(self._every)
        self._gatherer.close()


def _server(host: str, port: int, pages: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """A server at an address of either kind; `http.server` alone would know only those of IPv4."""

    class Server(ThreadingHTTPServer):
        address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]

    return Server((host, port), pages)


def _pages(exporter: Exporter) -> type[BaseHTTPRequestHandler]:
    class Pages(BaseHTTPRequestHandler):
        """Answers GET of both pages, and nothing else."""

        server_version, sys_version = "fraud-platform", ""
        # A client that opens a connection and says nothing does not keep a thread for ever.
        timeout = 10

        def do_GET(self) -> None:
            """One page."""
            path = urlsplit(self.path).path
            if path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, exporter.metrics())
            elif path == "/health":
                is_well, page = exporter.health()
                status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(page).encode() + b"\n")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics or /health\n")

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A scrape every few seconds is no news."""

    return Pages
