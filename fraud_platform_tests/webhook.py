"""A web hook of a test's own: a real HTTP server that keeps what it is sent, and can be down."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What has come in, and how it answers."""

    port: int
    received: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    @property
    def url(self) -> str:
        """Its Apprise URL, with a password in it."""
        return f"json://bank:s3cr3t@127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        """The titles of all messages it has taken, in order."""
        return [message["title"] for message in self.received]


@contextmanager
def open_webhook() -> Iterator[Webhook]:
    """A web hook on loopback; gone with the block."""

    class Handler(BaseHTTPRequestHandler):
        """Takes messages while the hook is up, and refuses them otherwise."""

        def do_POST(self):
            """Keeps the message."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hook.status < 400:
                hook.received.append(json.loads(body))
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hook
        server.shutdown()
