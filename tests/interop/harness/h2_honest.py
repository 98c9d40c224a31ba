"""Honest clients of HTTP/1.1 and HTTP/2 beside an attacker, from their own address: each request must be served."""

import threading
import time

from . import h2
from .rawtls import Raw

KEPT = 5  # requests on each connection
BODY = b"x" * 1000


class _Client(threading.Thread):
    def __init__(self, gateway, source):
        super().__init__(daemon=True)
        self.gateway, self.source = gateway, source
        self.statuses, self.longest, self.over = [], 0.0, threading.Event()

    def run(self):
        while not self.over.is_set() or not self.statuses:
            try:
                with self.connect() as client:
                    for number in range(KEPT):
                        began = time.monotonic()
                        self.statuses.append(client.ask(*((("GET", "/"), ("PUT", "/", BODY))[number % 2])).status)
                        self.longest = max(self.longest, time.monotonic() - began)
            except (OSError, AssertionError) as broken:
                self.statuses.append(repr(broken))
                return


class _OverHttp1(_Client):
    def connect(self):
        return Raw(self.gateway, "1.3", source=self.source)


class _OverHttp2(_Client):
    def connect(self):
        client = h2.connect(self.gateway, source=self.source)
        ask, client.ask = client.ask, lambda method, path, body=None: ask(method, path, body=body)
        return client


class Honest:
    """Runs both clients until the block ends. `served` counts their responses."""

    def __init__(self, gateway, source="127.9.0.1"):
        self._clients = [kind(gateway, source) for kind in (_OverHttp1, _OverHttp2)]

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, kind, *_):
        for client in self._clients:
            client.over.set()
        for client in self._clients:
            client.join()
        wrong = [status for client in self._clients for status in client.statuses if status != 200]
        assert kind is not None or not wrong, wrong

    @property
    def served(self):
        return [len(client.statuses) for client in self._clients]

    def __str__(self):
        longest = max(client.longest for client in self._clients)
        return f"{' and '.join(map(str, self.served))} honest requests, the longest {longest * 1000:.0f} ms"
