"""Whether anybody answers at a tracking address, told within seconds.

MLflow itself would try an address that is down again and again for minutes. What it answers does not belong here.
"""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

CONNECT_SECONDS = 4.0
ANSWER_SECONDS = 8.0

_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def require_answer(tracking_url: str) -> None:
    """Returns when somebody answers; addresses of other kinds than servers and databases are left to MLflow.

    Raises:
        OSError: nobody does.
        sqlite3.Error: the file of a SQLite address cannot be opened, or is no database.
    """
    address = urlsplit(tracking_url)
    scheme = address.scheme.partition("+")[0]
    if scheme in ("http", "https"):
        import requests

        try:
            # Any answer will do, an error's too: somebody is there, and MLflow says best what is wrong.
            requests.get(f"{tracking_url.rstrip('/')}/health", timeout=(CONNECT_SECONDS, ANSWER_SECONDS))
        except requests.exceptions.SSLError:
            return
    elif scheme in _DATABASE_PORTS and address.hostname:
        port = address.port or _DATABASE_PORTS[scheme]
        socket.create_connection((address.hostname, port), timeout=CONNECT_SECONDS).close()
    elif scheme == "sqlite" and address.path.strip("/") not in ("", ":memory:"):
        database = Path(address.path.removeprefix("/"))
        database.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA schema_version")
