"""A door before a server of loopback: while it is shut, nobody gets in and whoever was inside is thrown out."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Door:
    """Hands every connection to `port` on to the server behind, byte by byte."""

    behind: int
    port: int = 0
    _listener: socket.socket | None = None
    _inside: set[socket.socket] = field(default_factory=set)

    def open(self) -> None:
        """Lets everybody in, on the port it had before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._welcome, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuses newcomers as a server does that is not there, and cuts off who is inside."""
        if self._listener is not None:
            # Wakes the thread that waits for a connection.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for each in list(self._inside):
            _hang_up(each)

    def _welcome(self, listener: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(visitor,), daemon=True).start()

    def _pass_on(self, visitor: socket.socket) -> None:
        with visitor, socket.create_connection(("127.0.0.1", self.behind)) as server:
            self._inside |= {visitor, server}
            other = {visitor: server, server: visitor}
            with selectors.DefaultSelector() as waiting:
                for each in other:
                    waiting.register(each, selectors.EVENT_READ)
                try:
                    while True:
                        for key, _ in waiting.select():
                            data = key.fileobj.recv(2**16)
                            if not data:
                                return
                            other[key.fileobj].sendall(data)
                except OSError:
                    return
                finally:
                    self._inside -= set(other)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It has gone by itself meanwhile.
        return


@contextmanager
def open_door(behind: int) -> Iterator[Door]:
    """An open door before a port; shut with the block."""
    door = Door(behind)
    door.open()
    try:
        yield door
    finally:
        door.shut()
