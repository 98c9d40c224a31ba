"""An upstream over plain TCP that is controlled by a test, and a gateway in front of it."""

import socket
import threading

import pytest


class Scripted:
    """An upstream that runs a function for each connection, in its own thread."""

    def __init__(self, serve):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self._serve = serve
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            try:
                self._serve(connection)
            except OSError:
                pass

    def close(self):
        self._listener.close()


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise OSError("the end")
        data += more
    return data


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.fixture
def scripted():
    running = []

    def start(serve):
        running.append(Scripted(serve))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def front(serve):
    """front(port, ...): starts a gateway that forwards '/' and '/late' to that port, and answers its prime path
    itself."""

    def start(*ports, keys="", **settings):
        servers = ", ".join(f"'http://127.0.0.1:{port}'" for port in ports)
        return serve(upstreams={"app": f"{{ servers: [ {servers} ]{keys} }}"}, upstream="app",
                     routes=(("/late", {"when": "request"}),), **settings)

    return start
