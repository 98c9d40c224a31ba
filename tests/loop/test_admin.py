"""What an operator sees of a running gateway at its admin address."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
import yaml
from harness.gateway import binary
from messages import error_of
from peer import LIMIT, LISTENS, Client, clients_on_both, is_running, tcp_rows, wait

MIB = 1 << 20
ASK = 'thaw_asks_total{means="post-handshake",moment="headers",verdict="accepted",reason="none"}'


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self.path)


def get(path, target, **fields):
    """Sends one request on a new connection. Returns (status, body)."""
    connection = Unix(path)
    connection.request("GET", target, headers=fields)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def metrics(path):
    status, body = get(path, "/metrics")
    assert status == 200
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in body.splitlines() if line[0] != "#"}


def counted(path, wanted):
    """Waits until the metrics have these values: a request is counted after its client has read the response."""

    def look():
        now = metrics(path)
        return {key: now.get(key) for key in wanted} == wanted and now

    return wait(f"{wanted}", look)


def status(path):
    return json.loads(get(path, "/status.json")[1])


def is_ready(path):
    try:
        return get(path, "/readyz")[0] == 200
    except (FileNotFoundError, ConnectionError):
        return False


def by_name(gateway, name):
    def is_it(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name
        except OSError:
            return False

    return [pid for pid in gateway.workers() if is_it(pid)]


@pytest.fixture
def seen(serve, settings, tmp_path):
    """seen(**settings): starts a gateway with an admin address. Returns both once it is ready."""

    def start(files=None, **changes):
        path = tmp_path / "admin"
        gateway = serve("-c", settings(more=f"admin: unix:{path}\n" + changes.pop("more", ""), **changes), files=files)
        wait("it to be ready", lambda: is_ready(path))
        return gateway, path

    return start


def withhold(gateway, length):
    """A client that sends a body and never answers the request for its certificate."""
    client = Client(gateway)
    client.begin("/late", length)
    client.send(bytes(length))
    return client


def test_what_was_done_is_counted(seen):
    gateway, path = seen()
    before = metrics(path)
    assert before["thaw_connections_total"] == 0
    client = Client(gateway)
    assert client.get_json("/late")["certificate"]["subject"] == "CN=Thaw Demo Client"
    assert client.get_json()["path"] == "/"
    now = counted(path, {ASK: 1, 'thaw_requests_total{status="2xx"}': 2})
    assert now['thaw_tls_handshakes_total{version="TLSv1.3",resumed="no"}'] == 1
    assert now["thaw_connections_open"] == now["thaw_connections_total"] == 1
    assert now['thaw_ask_duration_seconds_count{outcome="accepted"}'] == 1
    assert now["thaw_response_body_bytes_total"] > 100
    client.close()
    wait("the connection's end", lambda: metrics(path)["thaw_connections_open"] == 0)
    assert metrics(path)["thaw_connections_total"] == 1


def test_an_ask_under_way_is_seen(seen):
    gateway, path = seen()
    client = withhold(gateway, 3 * MIB)
    ask = wait("it to be drained", lambda: [a for a in status(path)["asks"] if a["drained"] == 3 * MIB])[0]
    assert ask["client"] == f"127.0.0.1:{client.port}"
    assert (ask["path"], ask["means"], ask["length"]) == ("/late", "post-handshake", 3 * MIB)
    assert ask["worker"] == client.worker(gateway)
    seen_now = status(path)
    assert seen_now["spool"]["memory"]["used"] >= 3 * MIB
    assert seen_now["spool"]["memory"]["limit"] == 16 * MIB
    assert metrics(path)["thaw_asks_open"] == 1
    client.close()
    wait("it to be gone", lambda: not status(path)["asks"])
    now = wait("the spool to be free", lambda: (m := metrics(path))['thaw_spool_bytes{tier="memory"}'] == 0 and m)
    assert now["thaw_asks_open"] == 0
    verdicts = wait("the verdict", lambda: [key for key in metrics(path) if key.startswith("thaw_asks_total")])
    assert len(verdicts) == 1 and 'verdict="cancelled"' in verdicts[0]


@pytest.mark.parametrize("fields", ["", "Expect: 100-continue\r\n"], ids=["at once", "without waiting for its 100"])
def test_an_ask_that_waits_for_the_body_says_so(seen, fields):
    """The moment is the same as in the access record: over TLS 1.2 the certificate is requested after the body has
    ended."""
    gateway, path = seen()
    client = Client(gateway, tls=ssl.TLSVersion.TLSv1_2)
    client.send(f"PUT /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n{fields}\r\nbody".encode())
    ask = wait("it to be drained", lambda: [a for a in status(path)["asks"] if a["drained"] == 4])[0]
    assert (ask["means"], ask["moment"]) == ("renegotiation", "body")
    client.close()


def test_a_refusal_is_counted(seen):
    gateway, path = seen()
    client = Client(gateway)
    client.send(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    assert client.response()[0] == 400
    counted(path, {'thaw_refusals_total{problem="malformed-request"}': 1, 'thaw_requests_total{status="4xx"}': 1})


def test_counts_outlive_their_worker(seen):
    gateway, path = seen(workers=2)
    held = clients_on_both(gateway)
    for client in held.values():
        client.get_json("/late")
    counted(path, {"thaw_connections_open": 2, ASK: 2})  # the spare connections have ended
    victim, survivor = held
    os.kill(victim, signal.SIGKILL)
    wait("a new worker", lambda: victim not in {w["pid"] for w in status(path)["workers"]} and is_ready(path))
    now = metrics(path)
    assert now[ASK] == 2
    assert now["thaw_connections_open"] == 1
    assert {w["pid"]: w["connections"] for w in status(path)["workers"]}[survivor] == 1


def test_a_worker_that_does_not_move(seen):
    gateway, path = seen(workers=2)
    worker = by_name(gateway, "thaw-worker")[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        wait("it to be noticed", lambda: not is_ready(path))
        assert get(path, "/readyz")[1] == "not ready\nserving; 1 of 2 workers serve\n"
        assert [w["state"] for w in status(path)["workers"] if w["pid"] == worker] == ["silent"]
        assert get(path, "/healthz") == (200, "ok\n")
    finally:
        os.kill(worker, signal.SIGCONT)
    wait("it to move again", lambda: is_ready(path))


def test_the_admin_process_is_replaced(seen):
    gateway, path = seen()
    client = Client(gateway)
    client.get_json("/late")
    counted(path, {ASK: 1})
    (admin,) = by_name(gateway, "thaw-admin")
    os.kill(admin, signal.SIGKILL)
    wait("another", lambda: by_name(gateway, "thaw-admin") not in ([], [admin]) and is_ready(path))
    assert metrics(path)[ASK] == 1
    assert client.get_json()["path"] == "/"


def test_a_stopped_admin_process_is_ended_and_replaced(seen):
    """Otherwise a client that asks whether the gateway is ready would hang for ever."""
    gateway, admin = seen(more="worker_timeout: 1s\n")
    (victim,) = by_name(gateway, "thaw-admin")
    os.kill(victim, signal.SIGSTOP)
    assert get(admin, "/healthz")[0] == 200  # the request waited at the listening socket
    assert gateway.wait_messages("admin-stuck", pid=victim, seconds=1)
    assert victim not in by_name(gateway, "thaw-admin")


def test_counts_go_on_over_a_reload(seen, settings, tmp_path):
    gateway, path = seen()
    Client(gateway).get_json("/late")
    counted(path, {ASK: 1})
    old = by_name(gateway, "thaw-admin")
    elsewhere = tmp_path / "other"
    settings(more=f"admin: unix:{path}\n", workers=3)
    gateway.process.send_signal(signal.SIGHUP)
    now = wait("the reload", lambda: (s := status(path))["configuration"] == 2 and s)
    assert now["workers_wanted"] == 3
    wait("its workers", lambda: is_ready(path) and len(status(path)["workers"]) == 3)
    wait("its own admin process", lambda: len(now := by_name(gateway, "thaw-admin")) == 1 and now != old)
    assert metrics(path)[ASK] == 1
    Client(gateway).get_json("/late")
    counted(path, {ASK: 2})
    # First another address, then none.
    settings(more=f"admin: unix:{elsewhere}\n")
    gateway.process.send_signal(signal.SIGHUP)
    wait("the new address", lambda: is_ready(elsewhere))
    wait("the old one to go", lambda: not path.exists())
    assert metrics(elsewhere)[ASK] == 2
    settings()
    gateway.process.send_signal(signal.SIGHUP)
    wait("it to be off", lambda: not elsewhere.exists() and not by_name(gateway, "thaw-admin"))
    assert Client(gateway).get_json()["path"] == "/"


def test_an_upstream_that_refuses(seen, tmp_path):
    away = tmp_path / "away"
    gateway, path = seen(
        more=f"upstreams: {{ service: {{ servers: [ 'unix:{away}' ], max_failures: 1, rest: 1h }} }}\n",
        routes="      - { path: /service, upstream: service }\n",
        workers=1,
    )
    label = f'{{upstream="service",server="unix:{away}"}}'
    assert metrics(path)["thaw_upstream_resting" + label] == 0
    assert Client(gateway).get("/service")[0] == 502
    now = counted(path, {
        "thaw_upstream_resting" + label: 1,
        'thaw_refusals_total{problem="upstream-unreachable"}': 1,
        'thaw_requests_total{status="5xx"}': 1,
    })  # fmt: skip
    assert now["thaw_upstream_connect_failures_total" + label] >= 1


def test_an_upstream_that_answers(seen, tmp_path):
    address = tmp_path / "service"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        gateway, path = seen(
            more=f"upstreams: {{ service: {{ servers: [ 'unix:{address}' ] }} }}\n",
            routes="      - { path: /service, upstream: service }\n",
            workers=1,
        )
        client = Client(gateway)
        client.send(b"GET /service HTTP/1.1\r\nHost: localhost\r\n\r\n")
        listener.settimeout(LIMIT)
        served, _ = listener.accept()
        while b"\r\n\r\n" not in served.recv(65536):
            pass
        served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        assert client.response() == (200, b"hi")
        label = f'upstream="service",server="unix:{address}"'
        now = counted(path, {f'thaw_upstream_requests_total{{{label},outcome="answered"}}': 1})
        assert now[f"thaw_upstream_response_seconds_count{{{label}}}"] == 1
        wait("it to be idle", lambda: metrics(path)[f'thaw_upstream_connections{{{label},state="idle"}}'] == 1)
        served.close()
        client.close()


def test_more_visitors_than_there_are_places(seen):
    _, path = seen()
    visitors = [Unix(path) for _ in range(48)]
    for visitor in visitors:
        visitor.connect()
    for visitor in visitors:
        visitor.request("GET", "/healthz")
        answer = visitor.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
        visitor.close()


def test_foreign_names_are_refused(seen):
    _, path = seen()
    assert get(path, "/metrics", Host="evil.example")[0] == 421
    assert get(path, "/metrics", Host=socket.gethostname())[0] == 200


def test_a_name_of_the_settings_is_accepted(serve, settings, tmp_path):
    path = tmp_path / "admin"
    serve("-c", settings(more=f"admin: {{ address: 'unix:{path}', names: [ gateway.example.com ] }}\n"))
    wait("it to be ready", lambda: is_ready(path))
    for name in ("gateway.example.com:9443", "Gateway.Example.COM", "gateway.example.com.", "gateway.example.com.:9443"):
        assert get(path, "/metrics", Host=name)[0] == 200, name
    assert get(path, "/metrics", Host="evil.example")[0] == 421


OPEN = "other machines can reach"


def test_only_addresses_of_the_list_may_read(serve, settings):
    gateway = serve("-c", settings(more="admin: { address: '0.0.0.0:0', allow_from: [ 127.0.0.2, 127.0.1.0/24 ] }\n"))
    (admin,) = wait("the admin process", lambda: by_name(gateway, "thaw-admin"))
    port = wait("its port", lambda: port_of(admin))
    for source, expected in (("127.0.0.2", 200), ("127.0.0.1", 403), ("127.0.1.9", 200), ("127.0.2.9", 403)):
        for target in ("/healthz", "/metrics"):
            visitor = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT, source_address=(source, 0))
            visitor.request("GET", target)
            answer = visitor.getresponse()
            body = answer.read()
            assert answer.status == expected, (source, target)
            assert expected == 200 or b"admin.allow_from" in body
            visitor.close()
    assert not [text for text in gateway.messages if OPEN in text]


@pytest.mark.parametrize("admin, warns", (
    ("0.0.0.0:0", True), ("'[::]:0'", True), ("192.0.2.7:1", True), ("'[2001:db8::1]:1'", True), ("'[::ffff:10.0.0.1]:1'", True),
    ("127.0.0.1:0", False), ("127.9.9.9:0", False), ("'[::1]:0'", False), ("localhost:0", False), ("'[::ffff:127.0.0.1]:1'", False), ("'unix:{tmp}/admin'", False),
    ("{{ address: '0.0.0.0:0', allow_from: [ 0.0.0.0/0 ] }}", False), ("{{ address: '0.0.0.0:0', allow_from: off }}", True),
))  # fmt: skip
def test_an_address_that_others_can_reach_is_warned_of(admin, warns, settings, tmp_path):
    path = settings(more=f"admin: {admin.format(tmp=tmp_path)}\n")
    told = json.loads(subprocess.run([binary(), "check", "--json", "-c", path], capture_output=True, timeout=LIMIT, check=True).stdout)
    found = [text for text in told["warnings"] if OPEN in text]
    assert len(found) == warns, told["warnings"]
    assert not warns or (found[0].startswith(f"{path}:2: key 'admin") and "allow_from" in found[0])


def test_an_address_that_others_can_reach_is_logged_at_start(serve, settings):
    gateway = serve("-c", settings(more="admin: 0.0.0.0:0\n"))
    wait("the warning", lambda: [text for text in gateway.messages if OPEN in text])


METRICS = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "METRICS.md").read_text()


def test_the_alerts_of_the_guide_are_about_metrics_that_there_are(seen, tmp_path):
    gateway, path = seen()
    status, shown = get(path, "/metrics")
    assert status == 200
    rules = re.search(r"^```yaml\n(groups:\n.*?)^```", METRICS, re.M | re.S)[1]
    alerts = yaml.safe_load(rules)["groups"][0]["rules"]
    assert len(alerts) > 5 and all(alert["alert"] and alert["expr"] for alert in alerts)
    for name in re.findall(r"\bthaw_\w+", rules):
        assert re.search(rf"^# TYPE {name} ", shown, re.M), name
    if shutil.which("promtool"):
        (tmp_path / "rules.yml").write_text(rules)
        subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], check=True, capture_output=True, timeout=LIMIT)
        subprocess.run(["promtool", "check", "metrics"], input=shown, text=True, check=True, capture_output=True, timeout=LIMIT)


def test_stopping(seen):
    gateway, path = seen()
    children = gateway.workers()
    assert len(children) == 3
    client = Client(gateway)
    client.get_json()
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(LIMIT) == 0
    assert not path.exists()
    assert not [pid for pid in children if is_running(pid)]


def test_over_tcp(serve, settings):
    gateway = serve("-c", settings(more="admin: 127.0.0.1:0\n"))
    (admin,) = wait("the admin process", lambda: by_name(gateway, "thaw-admin"))
    port = wait("its port", lambda: port_of(admin))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]
    assert b"<title>Thaw</title>" in answer.read()
    connection.close()


def port_of(pid):
    """The port of the one socket on which it listens; it has closed the workers' sockets."""
    own = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.update(re.findall(r"socket:\[(\d+)\]", os.readlink(fd)))
        except OSError:
            continue
    ports = [int(row.ends[0], 16) for row in tcp_rows() if row.state == LISTENS and str(row.inode) in own]
    return ports[0] if len(ports) == 1 else None


def test_a_refused_reload_is_shown_until_one_is_taken(seen, settings, tmp_path):
    gateway, path = seen()
    assert status(path)["reload_refused"] is None and 'id="refusal"' in get(path, "/")[1]
    good = (tmp_path / "thaw.yaml").read_text()
    reload = [binary(), "reload", "-c", tmp_path / "thaw.yaml"]
    for times in (1, 2):
        (tmp_path / "thaw.yaml").write_text(good.replace("builtin:inspect", "bu\u00efltin", 1))
        assert subprocess.run(reload, capture_output=True, timeout=LIMIT, check=False).returncode == 78
        refused = status(path)["reload_refused"]
        error = error_of(refused["why"])
        assert (error.file, error.key) == (f"{tmp_path}/thaw.yaml", "hosts[0].routes[0].upstream") and refused["age_ms"] >= 0
        assert status(path)["configuration"] == 1 and get(path, "/readyz")[0] == 200
        now = metrics(path)
        assert (now["thaw_reload_refused"], now["thaw_reloads_refused_total"]) == (1, times)
    (tmp_path / "thaw.yaml").write_text(good)
    assert subprocess.run(reload, capture_output=True, timeout=LIMIT, check=False).returncode == 0
    wait("the new configuration's admin process", lambda: is_ready(path) and status(path)["configuration"] == 2)
    assert status(path)["reload_refused"] is None
    now = metrics(path)
    assert (now["thaw_reload_refused"], now["thaw_reloads_refused_total"]) == (0, 2)
