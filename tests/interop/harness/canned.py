"""An upstream that keeps each request, and answers with the fields that a test sets."""

import contextlib
import queue
import socket
import threading

from .recorder import Incomplete, Malformed, read_message

LIMIT = 60.0  # a watchdog


class Canned:
    def __init__(self, context=None, names=None):
        """context: of a TLS server. names: a list that gets the server name of each TLS client."""
        self.status, self.fields = "200 OK", ()
        self._context, self._seen, self._open = context, queue.Queue(), set()
        if context is not None and names is not None:
            context.sni_callback = lambda _socket, name, _context: names.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._open.add(connection)
                self._talk(connection)

    def _talk(self, connection):
        data = b""
        while True:
            try:
                message, used = read_message(data)
            except Malformed as fault:
                self._seen.put(fault)
                return
            except Incomplete:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
                continue
            message.body = data[:used].partition(b"\r\n\r\n")[2]  # the body as received
            data = data[used:]
            self._seen.put(message)
            connection.sendall("\r\n".join((f"HTTP/1.1 {self.status}", "Content-Length: 2", *self.fields, "", "ok")).encode("latin-1"))

    def take(self):
        """The next request that arrives."""
        return self._seen.get(timeout=LIMIT)

    def close(self):
        """Accepts no more connections, and ends the existing ones."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not end its thread while that accepts
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
