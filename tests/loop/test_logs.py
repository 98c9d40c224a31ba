"""What the logs say about connections without a request, about floods, and about records that could not be written."""

import contextlib
import json
import os
import shlex
import signal
import socket
import ssl
import struct
import subprocess

import pytest
from harness.gateway import binary
from harness.process import kill_group, popen
from messages import LISTENING, at_level, pattern, logged, has_message
from peer import LIMIT, Client, wait
from test_admin import counted, is_ready

MIB = 1 << 20


def insecure(**changes):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def attempt(gateway, talk):
    """Runs talk(socket) on a new connection, then reads it to its end. Returns the client's address."""
    with socket.create_connection(("127.0.0.1", gateway.port), LIMIT) as raw:
        address = "{}:{}".format(*raw.getsockname())
        try:
            talk(raw)
        except (ssl.SSLError, OSError):
            pass
    return address


def read_to_end(raw):
    while raw.recv(4096):
        pass


def no_tls(raw):
    raw.sendall(b"\0 is neither TLS nor HTTP")
    read_to_end(raw)


def unknown_name(raw):
    insecure().wrap_socket(raw, server_hostname="stranger.example")


def no_name(raw):
    insecure().wrap_socket(raw)


def old_version(raw):
    context = insecure()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.wrap_socket(raw, server_hostname="localhost")


def distrust(raw):
    ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")


def nothing(raw):
    pass


def reset(raw):
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_a_hello(raw):
    raw.sendall(bytes.fromhex("160301020001"))
    raw.shutdown(socket.SHUT_WR)
    read_to_end(raw)


def handshake_only(raw):
    tls = insecure().wrap_socket(raw, server_hostname="localhost")
    tls.unwrap()


@pytest.mark.parametrize(
    ("talk", "code", "part"),
    [
        (no_tls, "handshake-failed", "(no ClientHello)"),
        (unknown_name, "unknown-sni", "(SNI 'stranger.example')"),
        (no_name, "unknown-sni", "(no SNI)"),
        (old_version, "handshake-failed", "(SNI 'localhost')"),
        (nothing, "nothing-sent", "closed"),
        (reset, "nothing-sent", "reset"),
        (half_a_hello, "handshake-failed", "(no ClientHello)"),
        (handshake_only, "no-request", "(SNI 'localhost')"),
    ],
)
def test_a_connection_without_a_request_is_logged_with_address_name_and_cause(serve, settings, talk, code, part):
    path = settings(workers=1)
    path.write_text(path.read_text().replace("name: '*'", "name: localhost"))
    gateway = serve("-c", path)
    address = attempt(gateway, talk)
    assert gateway.wait_messages(code, f"thaw: info: {address}: ", part), gateway.messages
    gateway.stop()
    assert len([m for m in gateway.messages if address in m]) == 1, gateway.messages


def test_connections_without_a_request_end_with_their_worker(serve, settings, tmp_path):
    admin = tmp_path / "admin"
    gateway = serve("-c", settings(workers=1, more=f"admin: unix:{admin}\n"))
    wait("it to be ready", lambda: is_ready(admin))
    with Client(gateway).socket, socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT):
        counted(admin, {"thaw_connections_open": 2})
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(LIMIT) == 0
    assert gateway.wait_messages("no-request", cause="the worker stops")
    assert gateway.wait_messages("nothing-sent", cause="the worker stops")


def test_a_client_that_does_not_trust_the_server_is_logged(serve, settings):
    gateway = serve("-c", settings(workers=1))
    address = attempt(gateway, distrust)
    (message,) = gateway.wait_messages(None, address)
    assert has_message(message, "peer-alert", "unknown_ca", "(SNI 'localhost')", number=48), message


@pytest.mark.parametrize("alert", (10, 40, 42, 45, 46, 48, 80, 90, 112, 120, 200))
def test_an_alert_is_logged_with_its_number(serve, settings, alert):
    """The client sends the alert in answer to the server's first flight."""

    def talk(raw):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = insecure()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        raw.sendall(outgoing.read())
        raw.recv(65536)
        raw.sendall(bytes((21, 3, 3, 0, 2, 2, alert)))
        raw.shutdown(socket.SHUT_WR)
        read_to_end(raw)

    gateway = serve("-c", settings(workers=1))
    address = attempt(gateway, talk)
    (message,) = gateway.wait_messages(None, address)
    assert has_message(message, "handshake-failed") and has_message(message, "peer-alert", number=alert) and "SSL" not in message, message


def test_a_request_is_logged_in_the_access_log_only(serve, settings):
    gateway = serve("-c", settings(workers=1))
    client = Client(gateway)
    assert client.get_json()["path"] == "/"
    client.close()
    gateway.stop()
    assert not at_level(gateway, "info: 127.0.0.1")
    assert len(gateway.records) == 1


def test_a_missing_proxy_header_is_logged_with_the_address(serve, settings):
    path = settings(workers=1)
    path.write_text(path.read_text().replace("listen: [ { address: '127.0.0.1:0' } ]",
                                             "listen: [ { address: '127.0.0.1:0', proxy_protocol: true } ]"))  # fmt: skip
    gateway = serve("-c", path)
    address = attempt(gateway, no_tls)
    assert gateway.wait_messages("no-proxy-header", address), gateway.messages


LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"  # a PROXY header, version 2, of a connection by the balancer itself


@pytest.mark.parametrize("header", (LOCAL, b"PROXY UNKNOWN\r\n"), ids=("local", "unknown"))
@pytest.mark.parametrize("end", (nothing, reset))
def test_a_health_check_of_a_balancer_is_not_logged(serve, settings, header, end):
    gateway = serve("-c", settings(workers=1, proxy_protocol=True))

    def check(raw):
        raw.sendall(header)
        end(raw)

    address = attempt(gateway, check)
    other = attempt(gateway, no_tls)
    assert gateway.wait_messages(None, other), gateway.messages
    gateway.stop()
    assert not [m for m in gateway.messages if address in m], gateway.messages


def test_a_flood_costs_few_lines_and_each_is_counted(serve, settings):
    gateway = serve("-c", settings(workers=1))
    many = 400
    for _ in range(many):
        attempt(gateway, no_tls)
    gateway.stop()
    lines = logged(gateway, "handshake-failed", "127.0.0.1:")
    sums = [m for m in logged(gateway, "more-messages", seconds=10) if has_message(m, "handshake-failed")]
    held_back = [int(pattern("more-messages").search(m)["count"].split()[-1]) for m in sums]
    assert held_back and len(lines) + sum(held_back) == many
    assert len(lines) <= 10 * len(held_back)


def test_suppressed_messages_are_counted_although_no_more_follow(serve, settings):
    gateway = serve("-c", settings(workers=1))
    for _ in range(12):
        attempt(gateway, no_tls)
    assert gateway.wait_messages("more-messages", count=2), gateway.messages


def test_records_of_many_that_end_at_once_are_all_written(serve, settings, tmp_path):
    """Several times as many records as a worker can queue, within one iteration of its loop."""
    log = tmp_path / "access.log"
    gateway = serve("-c", settings(workers=1, more="stop_timeout: 1s\n", log=f"{{ access: '{log}' }}"))
    held, many = [], 150
    long = "x" * 8000
    for i in range(many):
        client = Client(gateway)
        client.send(f"PUT /late/{i} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {long}\r\nReferer: {long}\r\n"
                    "Content-Length: 10\r\n\r\n12345".encode())  # fmt: skip
        held.append(client)
    gateway.process.send_signal(signal.SIGTERM)
    statuses = [client.response()[0] for client in held]
    for client in held:
        client.close()
    assert statuses == [503] * many
    assert gateway.process.wait(LIMIT) == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert sorted(r["target"] for r in records) == sorted(f"/late/{i}" for i in range(many))
    assert {(r["status"], r["body_in"]) for r in records} == {(503, 5)}
    assert not logged(gateway, "records-lost") and not logged(gateway, "worker-records-lost")


def test_records_lost_on_a_full_disk_are_logged_with_the_cause(serve, settings, tmp_path):
    admin = tmp_path / "admin"
    gateway = serve("-c", settings(workers=1, log="{ access: /dev/full }", more=f"admin: 'unix:{admin}'\n"))
    assert Client(gateway).get_json()["path"] == "/"
    assert gateway.wait_messages("records-lost", "No space left on device", count=1, log="/dev/full")
    counted(admin, {"thaw_access_records_total": 1, "thaw_access_records_lost_total": 1})


def limited(monkeypatch, tmp_path, limit):
    wrapper = tmp_path / "limited"
    wrapper.write_text(f'#!/bin/bash\nulimit {limit}\nexec {shlex.quote(str(binary()))} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("THAW", str(wrapper))


def test_a_full_spool_is_logged(serve, settings):
    gateway = serve("-c", settings(workers=1, spool="{ memory: 1MiB, per_client: 100% }"))
    client = Client(gateway)
    client.begin("/late", 8 * MIB)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        client.send(bytes(8 * MIB))
    (message,) = gateway.wait_messages("request-refused", "(budget-")
    assert message.startswith("thaw: warning: 127.0.0.1:")


def test_a_spool_on_a_full_disk_is_logged(serve, settings, tmp_path, monkeypatch):
    limited(monkeypatch, tmp_path, "-f 64")
    gateway = serve("-c", settings(workers=1, log="{ access: off }",
        spool=f"{{ memory: 1MiB, disk: 64MiB, directory: '{tmp_path}', per_client: 100% }}"))  # fmt: skip
    client = Client(gateway)
    client.begin("/late", 32 * MIB)
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        client.send(bytes(32 * MIB))
    (message,) = gateway.wait_messages("request-refused", reason="disk-full")
    assert message.startswith("thaw: error: 127.0.0.1:") and str(tmp_path) in message


def test_records_that_die_with_their_worker_are_counted(settings, pki, tmp_path):
    """Nobody reads the log, and the worker is killed while records are queued in it."""
    admin = tmp_path / "admin"
    path = settings(workers=1, more=f"admin: 'unix:{admin}'\n")
    process = popen([str(binary()), "serve", "-c", str(path)],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    try:
        lines = iter(process.stderr.readline, b"")
        first = next(line.decode() for line in lines if has_message(line, "listening"))

        class Server:
            port = int(LISTENING.match(first)["port"])

            def workers():
                children = f"/proc/{process.pid}/task/{process.pid}/children"
                return [int(pid) for pid in open(children).read().split()]

        Server.pki = pki
        client = Client(Server)
        for _ in range(30):
            client.get_json("/" + "x" * 7000)
        counted(admin, {"thaw_access_records_total": 30})  # the last record comes after its response
        os.kill(client.worker(Server), signal.SIGKILL)
        lost = None
        while lost is None:
            lost = pattern("worker-records-lost").search(process.stderr.readline().decode())
        assert 0 < int(lost["records"]) <= 30
        counted(admin, {"thaw_access_records_total": 30, "thaw_access_records_lost_total": int(lost["records"])})
        client.close()
    finally:
        kill_group(process)
