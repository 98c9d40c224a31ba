"""Many connections that do nothing: the cost of each, whether other clients are served beside them, and which are
closed to make room."""

import http.server
import itertools
import json
import socket
import threading

import pytest
from peer import LIMIT, Client, wait
from test_admin import get, is_ready, metrics, seen  # noqa: F401

NO_HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"  # a ClientHello of one byte
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
EVICTED = 'thaw_connections_evicted_total{state="%s"}'
REFUSED = 'thaw_connections_refused_total{limit="%s"}'
FILES = 256
ROOM = 2 * (FILES - 64) // 3  # most connections of two workers


def header(client):
    return f"PROXY TCP4 {client} 192.0.2.1 1000 443\r\n".encode()


class Crowd:
    """Connections that are opened, send the given bytes, and are then left alone."""

    def __init__(self, gateway, sends=b"", sources=("127.0.0.1",), proxied=False):
        self.gateway, self.sends, self.proxied, self.sockets = gateway, sends, proxied, []
        self.sources = itertools.cycle(sources)

    def add(self, count):
        for _ in range(count):
            source = next(self.sources)
            one = socket.socket()
            one.settimeout(LIMIT)
            one.bind(("127.0.0.1" if self.proxied else source, 0))
            one.connect(("127.0.0.1", self.gateway.port))
            sends = (header(source) if self.proxied else b"") + self.sends
            self.sockets.append(one)
            try:
                one.sendall(sends)
            except ConnectionError:
                pass  # it has been closed to make room already

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()


class Idle(Crowd):
    """Connections whose handshake is over."""

    def add(self, count):
        for _ in range(count):
            self.sockets.append(Client(self.gateway, source=next(self.sources)))


class Beginning(Idle):
    """Connections with an incomplete request head."""

    def add(self, count):
        super().add(count)
        for client in self.sockets[-count:]:
            client.send(b"GET / HTTP/1.1\r\n")


def all_taken(admin, count):
    wait(f"{count} open connections", lambda: metrics(admin)["thaw_connections_open"] == count)


def evicted(admin):
    now = metrics(admin)
    return sum(now[EVICTED % state] for state in ("silent", "handshake", "idle"))


def honest(gateway, client=None, path="/"):
    """Sends one request on a new connection. client: the address from which a load balancer received it."""
    raw = None
    if client is not None:
        raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT)
        raw.sendall(header(client))
    one = Client(gateway, raw=raw)
    answer = one.get(path)
    one.close()
    return answer and answer[0]


@pytest.mark.parametrize("sends", [b"", header("192.0.2.7")], ids=["silent", "proxy-header-only"])
def test_a_connection_costs_little_before_the_first_byte_of_tls(seen, sends):  # noqa: F811
    # Opening them all may take long: none is closed meanwhile.
    gateway, admin = seen(proxy_protocol=sends != b"", more="connections: { first_byte_timeout: 1h }\n")
    with Crowd(gateway, sends) as crowd:
        crowd.add(500)
        all_taken(admin, 500)
        if gateway.sanitized():
            pytest.skip("the sanitizer's allocator pads each allocation, and keeps what was freed")
        before = gateway.memory().own
        crowd.add(2000)
        all_taken(admin, 2500)
        each = (gateway.memory().own - before) / 2000
    assert each < 1024, f"{each:.0f} bytes for each silent connection"


def test_after_a_failed_handshake_the_alert_can_be_read_and_not_much_is_taken(seen):  # noqa: F811
    gateway, admin = seen()
    flood = bytes(65536)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT) as wrong:
        wrong.sendall(NO_HELLO + bytes(100_000))  # more than one read, before the alert is sent
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


ONE, SAME = ("127.0.0.2",), ("127.0.0.1",)
MANY = tuple(f"127.{i // 200}.{i % 200}.9" for i in range(200, 1400))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("sources", [ONE, SAME, MANY], ids=["another-address", "same-address", "many-addresses"])
@pytest.mark.parametrize(
    "kind, sends, state",
    [(Crowd, b"", "silent"), (Crowd, HALF_HELLO, "handshake"), (Idle, b"", "idle"), (Beginning, b"", "idle")],
    ids=["silent", "half-a-hello", "idle", "half-a-head"],
)
def test_an_honest_client_is_served_beside_a_crowd(seen, kind, sends, state, sources, workers):  # noqa: F811
    gateway, admin = seen(files=FILES, workers=workers)
    with kind(gateway, sends, sources) as crowd:
        crowd.add(400 if kind is Crowd else 140)
        for _ in range(10):
            assert honest(gateway) == 200
            crowd.add(20 if kind is Crowd else 2)
            assert is_ready(admin)
        now = metrics(admin)
    assert now["thaw_connections_open"] <= ROOM
    # Some connections are closed before their bytes are read.
    assert evicted(admin) >= now["thaw_connections_total"] - ROOM - 10
    assert now[EVICTED % state] > 0
    assert now[REFUSED % "all"] == now[REFUSED % "client"] == 0
    assert gateway.wait_messages("connection-limits", "warning")


@pytest.mark.parametrize("sources", [ONE, MANY], ids=["one-address", "many-addresses"])
def test_behind_a_balancer_the_address_in_the_header_counts(seen, sources):  # noqa: F811
    gateway, admin = seen(files=FILES, proxy_protocol=True)
    with Crowd(gateway, sources=sources, proxied=True) as crowd, Crowd(gateway) as unnamed:
        crowd.add(300)
        unnamed.add(100)
        for _ in range(10):
            assert honest(gateway, "198.51.100.1") == 200
            crowd.add(20)
    assert metrics(admin)["thaw_connections_open"] <= ROOM


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        length = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(str(length))))
        self.end_headers()
        self.wfile.write(str(length).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def service():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_upstreams_and_the_spool_have_descriptors_left(seen, service, tmp_path):  # noqa: F811
    gateway, admin = seen(
        files=FILES,
        workers=1,
        spool=f"{{ memory: 1MiB, disk: 64MiB, directory: '{tmp_path / 'spool'}', per_client: 100% }}",
        more=f"upstreams: {{ app: {{ servers: [ 'http://127.0.0.1:{service}' ] }} }}\n",
        routes="      - { path: /app, client_certificate: { when: request }, upstream: app }\n",
    )
    length = 4 << 20
    with Crowd(gateway, sources=ONE) as crowd:
        crowd.add(300)
        for _ in range(10):
            client = Client(gateway)
            client.begin("/app", length)
            client.send(bytes(length))
            assert client.response() == (200, str(length).encode())
            client.close()
            crowd.add(20)
    server = f'upstream="app",server="http://127.0.0.1:{service}"'
    assert metrics(admin)[f'thaw_upstream_requests_total{{{server},outcome="answered"}}'] == 10


def held(gateway, source, count):
    """Connections with a current request, whose clients do not answer the ask."""
    clients = [Client(gateway, source=source) for _ in range(count)]
    for client in clients:
        client.begin("/late", 1000)
        client.send(b"x")
    return clients


def is_refused(gateway, source):
    """Whether a new connection is closed without any answer."""
    with socket.socket() as one:
        one.settimeout(LIMIT)
        one.bind((source, 0))
        one.connect(("127.0.0.1", gateway.port))
        try:
            one.sendall(HALF_HELLO)
            return one.recv(1) == b""
        except ConnectionError:
            return True


def test_one_address_has_as_many_as_it_may(seen):  # noqa: F811
    """The worker that accepts must make room. With two workers, one without a connection of this address could only
    refuse."""
    gateway, admin = seen(more="connections: { per_client: 6 }\n", workers=1)
    with Idle(gateway, sources=ONE) as idle:
        idle.add(20)
        wait("the oldest to make room", lambda: evicted(admin) == 14)
        all_taken(admin, 6)
        assert idle.sockets[-1].get_json()["path"] == "/"
        assert idle.sockets[0].get() is None
    wait("their end", lambda: metrics(admin)["thaw_connections_open"] == 0)
    clients = held(gateway, "127.0.0.2", 6)
    wait("the asks", lambda: metrics(admin)["thaw_asks_open"] == 6)
    assert is_refused(gateway, "127.0.0.2")
    assert honest(gateway) == 200
    assert is_ready(admin)
    assert metrics(admin)[REFUSED % "client"] == 1
    clients[0].close()
    wait("room", lambda: metrics(admin)["thaw_connections_open"] == 5)
    assert Client(gateway, source="127.0.0.2").get_json()["path"] == "/"


def test_a_limit_of_one_address_holds_behind_a_balancer(seen):  # noqa: F811
    gateway, admin = seen(more="connections: { per_client: 2 }\n", proxy_protocol=True, workers=1)
    with Crowd(gateway, sources=ONE, proxied=True) as crowd:
        crowd.add(10)
        wait("all but two to go", lambda: metrics(admin)[EVICTED % "silent"] == 8)
        all_taken(admin, 2)
        assert honest(gateway, "198.51.100.1") == 200


def test_at_the_limit_of_all_it_is_not_ready_and_refuses(seen):  # noqa: F811
    gateway, admin = seen(more="connections: { max: 5 }\n")
    clients = held(gateway, "127.0.0.2", 4) + held(gateway, "127.0.0.1", 1)
    wait("it to be full", lambda: "limit of connections" in get(admin, "/readyz")[1])
    assert metrics(admin)["thaw_workers_full"] == 2
    assert is_refused(gateway, "127.0.0.3")
    assert metrics(admin)[REFUSED % "all"] == 1
    clients[0].close()
    wait("it to be ready", lambda: is_ready(admin))
    assert honest(gateway) == 200


def test_the_default_leaves_room_for_other_addresses(seen):  # noqa: F811
    gateway, admin = seen(files=FILES, workers=1)
    most = (FILES - 65) // 3 * 80 // 100
    clients = held(gateway, "127.0.0.2", most)
    wait("the asks", lambda: metrics(admin)["thaw_asks_open"] == most)
    assert is_refused(gateway, "127.0.0.2")
    assert honest(gateway) == 200
    assert is_ready(admin)
    for client in clients:
        client.close()


def test_who_makes_room_is_told(seen):  # noqa: F811
    gateway, _ = seen(more="connections: { max: 1 }\n", workers=1, log="{ access: stdout, level: debug }")
    idle = Client(gateway)
    idle.socket.suppress_ragged_eofs = False
    assert idle.get_json()["path"] == "/"  # otherwise its handshake may not be over
    begun = Client(gateway)
    assert idle.socket.recv(1) == b""  # a close_notify, not an end that an attacker could forge (RFC 8446 6.1)
    begun.send(b"GET /begun HTTP/1.1\r\nHost: localhost\r\n")
    wait("its head", lambda: len(gateway.wait_messages(None, "conn: idle to busy")) == 2)
    assert honest(gateway) == 200
    status, body = begun.response()
    assert (status, json.loads(body)["reason"]) == (503, "too-many-connections")
    assert len(gateway.wait_records(lambda record: record["status"] == 503)) == 1


def test_a_crowd_that_reconnects_at_once_does_not_shut_out_others(seen):  # noqa: F811
    gateway, admin = seen(files=FILES)
    over = threading.Event()

    def come_back():
        with Crowd(gateway, sources=ONE) as crowd:
            while not over.is_set():
                crowd.add(1)
                if len(crowd.sockets) > 300:
                    crowd.sockets.pop(0).close()

    flood = threading.Thread(target=come_back)
    flood.start()
    try:
        wait("the crowd", lambda: metrics(admin)[EVICTED % "silent"] > 0)
        assert [honest(gateway) for _ in range(40)] == [200] * 40
    finally:
        over.set()
        flood.join()
    assert metrics(admin)[REFUSED % "all"] == 0
