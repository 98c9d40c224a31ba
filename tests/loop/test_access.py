"""Access by address, and rate limits: over HTTP/1.1 and HTTP/2, over sockets of all families, in all workers."""

import json
import re
import socket
import subprocess

import pytest
from harness.gateway import binary
from harness.process import run

from peer import LIMIT, Client, clients_on_both

BOTH = pytest.mark.parametrize("option, version", [("--http1.1", "1.1"), ("--http2", "2")])


def configure(settings, host="", **more):
    """Writes a configuration with these additional host settings."""
    path = settings(**more)
    path.write_text(path.read_text().replace("    routes:", f"    http2: 'on'\n{host}    routes:"))
    return path


def curl(gateway, pki, path, *options, source="127.0.0.1"):
    """Sends a GET, or what the options say. Returns (status, version, reason, Retry-After)."""
    done = subprocess.run(
        ["curl", "-sS", "--interface", source, "--cacert", pki / "ca.pem", "-w", "\n%{http_code} %{http_version} %header{retry-after}\n", *options,
         f"https://localhost:{gateway.port}{path}"],
        capture_output=True, text=True,
    )  # fmt: skip
    status, version, retry = re.search(r"^(\d+) (\S+) ?(\d*)$", done.stdout, re.MULTILINE).groups()
    reason = re.search(r'"reason": "([^"]+)"', done.stdout)
    return int(status), version, reason and reason.group(1), retry


@BOTH
def test_other_addresses_are_refused(serve, settings, pki, option, version):
    gateway = serve("-c", configure(settings, "    allow_from: [ 127.0.0.0/29, 192.0.2.0/24 ]\n    deny_from: [ 127.0.0.2 ]\n"))
    assert curl(gateway, pki, "/", option, source="127.0.0.1") == (200, version, None, "")
    assert curl(gateway, pki, "/", option, source="127.0.0.7") == (200, version, None, "")
    assert curl(gateway, pki, "/", option, source="127.0.0.8") == (403, version, "address-not-allowed", "")
    assert curl(gateway, pki, "/", option, source="127.0.0.2") == (403, version, "address-not-allowed", "")
    assert curl(gateway, pki, "/", option, "-X", "OPTIONS", "--request-target", "*", source="127.0.0.2")[0] == 403


@BOTH
def test_a_client_is_refused_before_it_is_asked_and_before_its_body(serve, settings, pki, option, version):
    gateway = serve("-c", configure(settings, "    allow_from: [ 192.0.2.1 ]\n"))
    identity = ("--cert", pki / "client.pem", "--key", pki / "client.key")
    assert curl(gateway, pki, "/late", option, *identity)[:3] == (403, version, "address-not-allowed")
    record = gateway.record("/late")
    assert record["status"] == 403 and not record.get("ask") and not record.get("identity")
    client = Client(gateway)
    client.begin("/late?body", 1 << 30)
    status, body = client.response()
    assert (status, json.loads(body)["reason"]) == (403, "address-not-allowed")
    assert gateway.record("?body")["status"] == 403


@BOTH
def test_an_upload_is_refused_before_its_body_is_read(serve, settings, pki, tmp_path, option, version):
    """curl 7.88 loses a response over HTTP/2 whose stream is reset with NO_ERROR (RFC 9113 8.1), so the test also
    checks the records."""
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(20 << 20))
    gateway = serve("-c", configure(settings, "    rate: 1/h\n    deny_from: [ 127.0.0.2 ]\n"))
    denied = curl(gateway, pki, "/late?denied", option, "-T", upload, source="127.0.0.2")
    assert curl(gateway, pki, "/", option)[0] == 200
    counted = curl(gateway, pki, "/late?counted", option, "-T", upload)
    for mark, status in (("denied", 403), ("counted", 429)):
        record = gateway.record(f"?{mark}")
        assert (record["status"], record["ask"]) == (status, None)
        # Over HTTP/2 the first DATA frames may come together with the head.
        assert record["body_in"] <= (0 if version == "1.1" else 1 << 16)
    if version == "1.1":
        assert (denied[0], counted[0]) == (403, 429)


def test_a_refused_client_may_go_on_with_its_connection(serve, settings):
    routes = "      - { path: /inner, allow_from: [ 192.0.2.1 ], upstream: builtin:inspect }\n"
    client = Client(serve("-c", settings(routes=routes)))
    assert [client.get(path)[0] for path in ("/inner", "/", "/inner/x", "/")] == [403, 200, 403, 200]


def test_a_path_in_another_spelling_is_refused_as_well(serve, settings):
    routes = "      - { path: /inner, allow_from: [ 192.0.2.1 ], upstream: builtin:inspect }\n"
    client = Client(serve("-c", settings(routes=routes)))
    assert [client.get(path)[0] for path in ("/INNER", "/%69nner", "//inner", "/inner;x", "/other")] == [403, 403, 403, 403, 200]


def test_a_route_replaces_its_host_s_lists(serve, settings, pki):
    routes = (
        "      - { path: /open, allow_from: off, upstream: builtin:inspect }\n"
        "      - { path: /other, allow_from: [ 127.0.0.2 ], upstream: builtin:inspect }\n"
    )
    gateway = serve("-c", configure(settings, "    allow_from: [ 127.0.0.1 ]\n", routes=routes))
    found = {source: [curl(gateway, pki, path, source=source)[0] for path in ("/", "/open", "/other")] for source in ("127.0.0.1", "127.0.0.2")}
    assert found == {"127.0.0.1": [200, 200, 403], "127.0.0.2": [403, 200, 200]}


@pytest.mark.parametrize("kind, name, allowed", [("TCP4", "10.1.2.3", True), ("TCP4", "10.2.0.1", False), ("TCP6", "::ffff:10.1.2.3", True),
                                                 ("TCP6", "2001:db8::1", False)])  # fmt: skip
def test_after_the_proxy_protocol_the_client_that_it_names(serve, settings, kind, name, allowed):
    gateway = serve("-c", configure(settings, "    allow_from: [ 10.1.0.0/16 ]\n", proxy_protocol=True))
    raw = socket.create_connection(("127.0.0.1", gateway.port), timeout=LIMIT)
    raw.sendall(f"PROXY {kind} {name} {name} 4711 443\r\n".encode())
    assert Client(gateway, raw=raw).get()[0] == (200 if allowed else 403)
    assert name.removeprefix("::ffff:") in gateway.record("/")["client"] and "ffff" not in gateway.record("/")["client"]


@pytest.mark.parametrize("name, allowed", [("unix", True), ("0.0.0.0/0", False)])
def test_clients_of_unix_sockets(serve, settings, tmp_path, name, allowed):
    path = tmp_path / "thaw.sock"
    gateway = serve("-c", configure(settings, f"    allow_from: [ {name} ]\n    rate: 1/h\n", listens=("127.0.0.1:0", f"unix:{path}")))
    client = Client(gateway, family=socket.AF_UNIX, address=str(path))
    assert [client.get()[0] for _ in range(3)] == [200 if allowed else 403] * 3


@BOTH
def test_a_rate_limited_client_gets_retry_after(serve, settings, pki, option, version):
    gateway = serve("-c", configure(settings, "    rate: { requests: 2/m, burst: 3 }\n"))
    assert [curl(gateway, pki, "/", option)[0] for _ in range(3)] == [200] * 3
    status, spoken, reason, retry = curl(gateway, pki, "/late", option)
    assert (status, spoken, reason) == (429, version, "too-many-requests") and 1 <= int(retry) <= 30
    assert curl(gateway, pki, "/", option, source="127.0.0.2")[0] == 200
    assert gateway.record("/late")["status"] == 429 and not gateway.record("/late").get("ask")


def test_a_large_upload_over_the_rate_is_refused_before_its_body(serve, settings):
    gateway = serve("-c", configure(settings, "    rate: 1/h\n"))
    client = Client(gateway)
    assert client.get()[0] == 200
    client.begin("/late", 1 << 30)
    assert client.response()[0] == 429
    assert int(client.fields[b"retry-after"]) in range(3590, 3601)


def test_all_workers_count_together(serve, settings):
    gateway = serve("-c", configure(settings, "    rate: { requests: 1/h, burst: 10 }\n"))
    clients = list(clients_on_both(gateway).values())
    answers = [clients[i % 2].get()[0] for i in range(24)]
    assert answers == [200] * 10 + [429] * 14


def test_counts_outlive_a_reload(serve, settings):
    gateway = serve("-c", configure(settings, "    rate: { requests: 1/h, burst: 2 }\n"))
    assert [Client(gateway).get()[0] for _ in range(3)] == [200, 200, 429]
    code, _, err, late = run([str(binary()), "reload", str(gateway.process.pid)], LIMIT)
    assert (code, late) == (0, False), err
    assert Client(gateway).get()[0] == 429


def test_a_route_counts_by_itself(serve, settings):
    routes = (
        "      - { path: /login, methods: [ GET ], rate: { requests: 1/h, burst: 1 }, upstream: builtin:inspect }\n"
        "      - { path: /free, rate: off, upstream: builtin:inspect }\n"
    )
    client = Client(serve("-c", configure(settings, "    rate: { requests: 1/h, burst: 3 }\n", routes=routes)))
    assert [client.get("/login")[0] for _ in range(2)] == [200, 429]
    assert client.get("/LOGIN")[0] == 429
    assert [client.get(path)[0] for path in ("/", "/missing", "/late", "/")] == [200, 200, 200, 429]
    assert [client.get("/free")[0] for _ in range(9)] == [200] * 9


def test_one_listener_for_both_families(serve, settings, pki):
    config = configure(
        settings,
        "    allow_from: [ 127.0.0.1, '::1' ]\n    headers: { response: { set: { X-Client: '{client.address}' } } }\n",
        listens=("[::]:0",),
    )
    config.write_text(config.read_text().replace("address: '[::]:0'", "address: '[::]:0', ipv6_only: false"))
    gateway = serve("-c", config)
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        client = Client(gateway, family=family)
        assert client.get(f"/?{address}")[0] == 200
        assert client.fields[b"x-client"] == address.encode()
        assert gateway.record(f"?{address}")["client"].rpartition(":")[0].strip("[]") == address
    assert curl(gateway, pki, "/", "--ipv4", source="127.0.0.2")[0] == 403


def test_an_ipv6_listener_takes_no_ipv4_connections_by_default(serve, settings):
    gateway = serve("-c", settings(listens=("[::]:0",)))
    assert Client(gateway, family=socket.AF_INET6).get()[0] == 200
    with pytest.raises(ConnectionRefusedError):
        Client(gateway)


# ---- thaw check --request ----


def check(path, *options):
    code, out, err, late = run([str(binary()), "check", "-c", str(path), "--request", "GET https://localhost/", *options], LIMIT)
    assert not late
    return code, out.decode(), err.decode()


def test_check_says_who_is_allowed(settings):
    path = configure(settings, "    allow_from: [ 10.0.0.0/8 ]\n    deny_from: [ 10.1.0.0/16 ]\n    rate: { requests: 10/s, burst: 20 }\n")
    for source, allowed in (("10.2.0.1", True), ("10.1.0.1", False), ("::ffff:10.2.0.1", True), ("2001:db8::1", False), ("unix", False)):
        code, out, _ = check(path, "--json", "--from", source)
        decision = json.loads(out)["decision"]
        assert code == 0
        assert decision.get("refused", {}).get("reason") == (None if allowed else "address-not-allowed"), source
        assert bool(decision["clients"]) == allowed
    assert decision["access"] == {
        "allow_from": ["10.0.0.0/8"],
        "deny_from": ["10.1.0.0/16"],
        "rate": {"requests": 10, "per": "s", "burst": 20, "counted_for": "host"},
    }
    code, out, _ = check(path)
    assert code == 0 and "10.0.0.0/8" in out and "10.1.0.0/16" in out and "10/s" in out and "--from" in out


@pytest.mark.parametrize("source", ["localhost", "10.0.0.0/8", "10.0.0.256", ""])
def test_check_takes_addresses_only(settings, source):
    code, out, err = check(settings(), "--from", source)
    assert (code, out) == (64, "") and "--from" in err
