"""Many connections that do nothing: what each costs, and who is served beside them."""

import socket

import pytest
from peer import LIMIT, Client, wait
from test_admin import metrics, seen  # noqa: F401

NO_HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"  # a ClientHello of one byte
SILENT = b"PROXY TCP4 192.0.2.7 192.0.2.1 1000 443\r\n"


class Crowd:
    """Connections that are opened and left alone."""

    def __init__(self, gateway, sends=b""):
        self.gateway, self.sends, self.sockets = gateway, sends, []

    def add(self, count, source="127.0.0.1"):
        for _ in range(count):
            one = socket.socket()
            one.settimeout(LIMIT)
            one.bind((source, 0))
            one.connect(("127.0.0.1", self.gateway.port))
            if self.sends:
                one.sendall(self.sends)
            self.sockets.append(one)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()


def all_taken(admin, count):
    wait(f"{count} open connections", lambda: metrics(admin)["thaw_connections_open"] == count)


@pytest.mark.parametrize("sends", [b"", SILENT], ids=["silent", "proxy-header-only"])
def test_a_connection_costs_little_before_the_first_byte_of_tls(seen, sends):  # noqa: F811
    gateway, admin = seen(proxy_protocol=sends != b"")
    with Crowd(gateway, sends) as crowd:
        crowd.add(500)
        all_taken(admin, 500)
        before = gateway.memory().pss
        crowd.add(2000)
        all_taken(admin, 2500)
        each = (gateway.memory().pss - before) / 2000
    assert each < 1024, f"{each:.0f} bytes for each silent connection"


def test_after_a_failed_handshake_the_alert_can_be_read_and_not_much_is_taken(seen):  # noqa: F811
    gateway, admin = seen()
    flood = bytes(65536)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as wrong:
        wrong.sendall(NO_HELLO + bytes(100_000))  # more than one read, before the alert is
        assert wrong.recv(5)[:1] == b"\x15"  # RFC 8446 6: an alert's content type
        with pytest.raises(ConnectionError):
            for _ in range(4096):  # 256 MiB
                wrong.sendall(flood)
    assert metrics(admin)["thaw_tls_handshake_failures_total"] == 1


def test_a_connection_that_was_silent_is_served(seen):  # noqa: F811
    gateway, admin = seen()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as late:
        all_taken(admin, 1)
        assert Client(gateway, raw=late).get_json()["path"] == "/"
