"""Small relays on loopback in threads of the tests: one limits the bandwidth, one resolves names, one terminates
TLS."""

import asyncio
import socket
import ssl
import threading
import time

PIECE = 16384


def _listen():
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


def _pump(source, target, rate, saw=lambda count: None):
    """Copies bytes from source to target, at most `rate` per second (None: unlimited). Calls saw() with each count."""
    due = time.monotonic()
    try:
        while data := source.recv(PIECE):
            if rate:
                due = max(due, time.monotonic() - 0.05) + len(data) / rate
                time.sleep(max(0.0, due - time.monotonic()))
            target.sendall(data)
            saw(len(data))
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def _join(one, other, rate, saw=lambda count: None):
    back = threading.Thread(target=_pump, args=(other, one, rate), daemon=True)
    back.start()
    _pump(one, other, rate, saw)
    back.join()
    one.close()
    other.close()


class Relay:
    """Accepts on `port` and forwards to 127.0.0.1:`to`, at most `rate` bytes per second in each direction. `up` counts
    the bytes sent to the server."""

    def __init__(self, to, rate):
        self._to, self._rate = to, rate
        self.up, self._lock = 0, threading.Lock()
        self._server, self.port = _listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * PIECE)
            threading.Thread(target=self._one, args=(near,), daemon=True).start()

    def _one(self, near):
        try:
            far = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            near.close()
            return
        _join(near, far, self._rate, self._saw)

    def _saw(self, count):
        with self._lock:
            self.up += count

    def close(self):
        self._server.close()


class ConnectProxy:
    """An HTTP proxy that supports only CONNECT, and resolves every name to 127.0.0.1. It can answer `refusal` to all
    requests, or 407 to requests without the Basic `login`. `asked` has the targets of its tunnels."""

    def __init__(self, refusal=None, login=None):
        self._refusal, self._login, self.asked = refusal, login, []
        self._server, self.port = _listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(near,), daemon=True).start()

    def _one(self, near):
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(PIECE)
            if not data:
                near.close()
                return
            head += data
        refusal = self._refusal
        if self._login and f"\r\nproxy-authorization: basic {self._login}\r\n".lower() not in head.decode().lower():
            refusal = "407"
        if refusal:
            offers = 'Proxy-Authenticate: Basic realm="p"\r\n' if self._login else ""
            near.sendall(f"HTTP/1.1 {refusal} No\r\n{offers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            near.close()
            return
        self.asked.append(head.split()[1].decode())
        port = int(head.split()[1].rpartition(b":")[2])
        far = socket.create_connection(("127.0.0.1", port))
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        _join(near, far, None)

    def close(self):
        self._server.close()


class TlsFront:
    """Terminates TLS on `port` with the PKI's server certificate, and forwards to 127.0.0.1:`to`."""

    def __init__(self, pki, to):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(str(pki / "server.pem"), str(pki / "server.key"))
        self._to, self._loop, ready = to, asyncio.new_event_loop(), threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready):
        server = self._loop.run_until_complete(asyncio.start_server(self._one, "127.0.0.1", 0, ssl=self._context))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _one(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader, writer):
        try:
            while data := await reader.read(PIECE):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop)

    async def _stop(self):
        """Nothing is left that would be complained of later."""
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loop.stop()
