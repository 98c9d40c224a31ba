"""`headers`: fields that an operator sets, adds and removes in requests and responses; and the names of requests."""

import base64
import contextlib
import json
import re
import ssl
import subprocess
import urllib.parse

import pytest

from harness import h2, plain
from harness.canned import Canned
from harness.gateway import Gateway, Settings, binary
from harness.rawtls import Raw

REQUEST = """{ request: {
      set: { X-ARR-ClientCert: "{identity.certificate}", ssl-client-cert: "{identity.certificate_pem}",
             X-Forwarded-Tls-Client-Cert: "{identity.certificate}", X-Subject: "{identity.subject}", X-Fixed: "a {{b}",
             X-From: "{client.address} by {tls.version} for {request.host}", X-Request-Id: "{request.id}",
             X-Verified: "{identity.verified}" },
      add: { X-More: two },
      remove: [ X-Secret ] },
    response: {
      set: { Strict-Transport-Security: max-age=31536000, Content-Security-Policy: "default-src 'self'", X-Request-Id: "{request.id}",
             Cache-Control: public },
      add: { Link: "</a>; rel=next" },
      remove: [ Server, X-Powered-By ] } }"""


@pytest.fixture
def upstream():
    running = Canned()
    yield running
    running.close()


@contextlib.contextmanager
def front(pki, folder, port, routes=(("/late", {"when": "request"}),), **host):
    text = Settings(pki, upstream="app", workers=1, spool={"directory": str(folder)}, routes=routes, host=host,
                    upstreams={"app": f"{{ servers: [ 'http://127.0.0.1:{port}' ] }}"}).text()  # fmt: skip
    (folder / "thaw.yaml").write_text(text)
    gateway = Gateway(["-c", str(folder / "thaw.yaml")], pki, folder)
    try:
        yield gateway
        assert not gateway.complaints()
    finally:
        gateway.stop()


def test_fields_of_requests(pki, tmp_path, upstream):
    forged = ("x-arr-clientcert: forged", "SSL_CLIENT_CERT: forged", "ssl.client.cert: forged", "X_Subject: forged", "X-Verified: forged",
              "x_secret: forged", "X-Fixed: forged", "X-More: one", "X-Request-Id: forged")  # fmt: skip
    der = ssl.PEM_cert_to_DER_cert((pki / "client.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")
    with front(pki, tmp_path, upstream.port, headers=REQUEST) as gateway:
        with Raw(gateway, "1.3") as client:
            assert client.ask("GET", "/plain", None, *forged).status == 200
            before = upstream.take()
            assert client.ask("GET", "/late", None, *forged).status == 200
            after = upstream.take()
        for seen in (before, after):
            assert b"forged" not in b"".join(name + value for name, value in seen.fields)
            assert seen.get(b"x-more") == [b"one", b"two"] and seen.get(b"x-fixed") == [b"a {b}"]
            assert re.fullmatch(rb"127\.0\.0\.1 by TLSv1\.3 for localhost", *seen.get(b"x-from"))
        assert before.get(b"x-arr-clientcert") == before.get(b"x-subject") == [] and before.get(b"x-verified") == [b"NONE"]
        assert after.get(b"x-verified") == [b"SUCCESS"] and after.get(b"x-subject")[0].startswith(b"CN=")
        (arr,), (pem,) = after.get(b"x-arr-clientcert"), after.get(b"ssl-client-cert")
        assert base64.b64decode(arr) == der and after.get(b"x-forwarded-tls-client-cert") == [arr]
        assert ssl.PEM_cert_to_DER_cert(urllib.parse.unquote(pem.decode())) == der
        record = gateway.record("/late")
        assert after.get(b"x-request-id") == [record["id"].encode()]
        assert (record["upstream_name"], record["upstream"]) == ("app", f"http://127.0.0.1:{upstream.port}")


def check_response(get, identified):
    assert get("strict-transport-security") == ["max-age=31536000"]
    assert len(get("x-request-id")) == identified


@pytest.mark.parametrize("version", ("1.1", "2"))
def test_fields_of_responses(version, pki, tmp_path, upstream):
    upstream.fields = ("Server: Apache", "x-powered-by: PHP", "Content-Security-Policy: none", "Link: </b>", "strict-transport-security: 1")
    with front(pki, tmp_path, upstream.port, headers=REQUEST, http2="on") as gateway, contextlib.ExitStack() as stack:
        if version == "2":
            client = stack.enter_context(h2.connect(gateway))

            def ask(path):
                answer = client.ask("GET", path, authority=f"localhost:{gateway.port}")
                return answer.status, answer.get
        else:

            def ask(path):
                client = stack.enter_context(Raw(gateway, identity=None))
                answer = client.ask("GET", path)
                return answer.status, lambda name: [value for key, value in client.fields if key == name]

        status, get = ask("/x")
        assert status == 200 and get("server") == get("x-powered-by") == [] and get("link") == ["</b>", "</a>; rel=next"]
        assert get("content-security-policy") == ["default-src 'self'"] and get("cache-control") == ["public"]
        check_response(get, 1)
        # A refusal keeps the fields that the gateway itself sets.
        upstream.close()
        status, get = ask("/gone")
        assert status == 502 and get("cache-control") == ["no-store"] and get("content-security-policy") == ["default-src 'self'"]
        check_response(get, 1)
        record = gateway.record("/gone")
        assert (record["upstream_name"], record["upstream"]) == ("app", f"http://127.0.0.1:{upstream.port}")
        assert get("x-request-id") == [record["id"]]


def test_fields_of_responses_without_a_request(pki, tmp_path, upstream):
    with front(pki, tmp_path, upstream.port, headers=REQUEST) as gateway, Raw(gateway, identity=None) as client:
        client.send(b"NOT HTTP\r\n\r\n")
        answer = client.read()
        assert answer.status == 400 and answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_name_of_another_route_is_stripped(pki, tmp_path, upstream):
    """Several routes may lead to the same service."""
    with front(pki, tmp_path, upstream.port) as gateway:
        text = (tmp_path / "thaw.yaml").read_text()
    assert gateway
    text = text.replace("      - path: /late\n", "      - path: /late\n        headers: { request: { set: { My-Id: '{identity.sha256}' } } }\n")
    assert "My-Id" in text
    (tmp_path / "thaw.yaml").write_text(text)
    gateway = Gateway(["-c", str(tmp_path / "thaw.yaml")], pki, tmp_path)
    try:
        with Raw(gateway) as client:
            assert client.ask("GET", "/x", None, "My_Id: forged").status == 200
            assert upstream.take().get(b"my_id") == []
            chunked = b"1\r\na\r\n0\r\nMy-Id: forged\r\nX-Else: 1\r\n\r\n"
            client.send(client.head("POST", "/x", "Transfer-Encoding: chunked"), chunked)
            assert client.read().status == 200
            seen = upstream.take()
            assert b"X-Else: 1" in seen.body and b"forged" not in seen.body
    finally:
        gateway.stop()


def test_trailers_do_not_bring_back_what_is_set_or_removed(pki, tmp_path, upstream):
    """Some recipients merge trailers into the fields of the head."""
    headers = "{ request: { set: { X-Role: user }, remove: [ X-Secret ], add: { X-More: a } } }"
    with front(pki, tmp_path, upstream.port, headers=headers) as gateway, Raw(gateway) as client:
        trailers = b"X-Role: admin\r\nx_role: admin\r\nX-SECRET: 1\r\nX-More: b\r\n"
        client.send(client.head("POST", "/x", "Transfer-Encoding: chunked"), b"1\r\na\r\n0\r\n" + trailers + b"\r\n")
        assert client.read().status == 200
        seen = upstream.take()
        assert seen.body == b"1\r\na\r\n0\r\nX-More: b\r\n\r\n" and seen.get(b"x-role") == [b"user"]


@pytest.mark.parametrize("version", ("1.1", "2"))
def test_trailers_of_responses(version, pki, tmp_path):
    headers = "{ response: { set: { X-Frame-Options: DENY }, remove: [ Server ] } }"
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nServer: x\r\nx_frame_options: ALLOW\r\nX-Else: 1\r\n\r\n"

    def serve(connection):
        plain.read_head(connection)
        connection.sendall(answer)

    server = plain.Scripted(serve)
    with contextlib.closing(server), front(pki, tmp_path, server.port, headers=headers, http2="on") as gateway:
        if version == "2":
            trailers = h2.connect(gateway).ask("GET", "/x").trailers
        else:
            with Raw(gateway, identity=None) as client:
                assert client.ask("GET", "/x").body == b"a"
                trailers = list(client.trailers.items())
        assert trailers == [("x-else", "1")]


def test_request_ids_of_clients(pki, tmp_path, upstream):
    headers = '{ request: { set: { X-Request-Id: "{request.id}" } } }'
    with front(pki, tmp_path, upstream.port, headers=headers, request_id_from="X-Request-Id") as gateway, Raw(gateway) as client:
        for number, (sent, taken) in enumerate((
            (("x-request-id: 0f8f-AB_c",), True), (("X-Request-Id: a b",), False), ((), False),
            (("X-Request-Id: a", "X-Request-Id: b"), False), (("X-Request-Id: " + 65 * "a",), False),
        )):  # fmt: skip
            assert client.ask("GET", f"/{number}", None, *sent).status == 200
            (seen,) = upstream.take().get(b"x-request-id")
            assert (seen == b"0f8f-AB_c") == taken and (taken or re.fullmatch(rb"[0-9a-z]{16}", seen))
            assert gateway.record(f"/{number}")["id"] == seen.decode()


@pytest.mark.parametrize("headers,upstream_sees", (
    (None, None),
    ('{ request: { set: { X-Request-Id: "fixed" } } }', "fixed"),
    ('{ request: { remove: [ X-Request-Id ] } }', ""),
))  # fmt: skip
def test_the_upstream_gets_the_request_id_that_is_used_and_no_other(headers, upstream_sees, pki, tmp_path, upstream):
    host = {"request_id_from": "X-Request-Id", **({"headers": headers} if headers else {})}
    with front(pki, tmp_path, upstream.port, **host) as gateway, Raw(gateway) as client:
        for number, (sent, taken) in enumerate((
            (("x-request-id: 0f8f-AB_c",), True), (("X-Request-Id: a b",), False), ((), False), (("X-Request-Id:",), False),
            (("X-Request-Id: a", "X-Request-Id: b"), False), (("X-Request-Id: " + 65 * "a",), False),
            (("X_Request_Id: forged",), False), (("X-Request-Id: 0f8f-AB_c", "x_request-id: forged"), True),
            (("X-Request-Id: 0f8f-AB_c", "Connection: X-Request-Id"), True),
        )):  # fmt: skip
            assert client.ask("GET", f"/{number}", None, *sent).status == 200
            seen = upstream.take()
            used = gateway.record(f"/{number}")["id"]
            assert (used == "0f8f-AB_c") == taken, sent
            wanted = used if upstream_sees is None else upstream_sees
            ids = [value.decode() for name, value in seen.fields if name.lower().replace(b"_", b"-") == b"x-request-id"]
            assert ids == ([wanted] if wanted else []), sent


def test_a_trailer_cannot_change_the_request_id(pki, tmp_path, upstream):
    with front(pki, tmp_path, upstream.port, request_id_from="X-Request-Id") as gateway, Raw(gateway) as client:
        client.send(client.head("POST", "/t", "Transfer-Encoding: chunked"), b"1\r\na\r\n0\r\nX-Request-Id: b\r\nX_Request_Id: c\r\nX-Else: 1\r\n\r\n")
        assert client.read().status == 200
        assert upstream.take().body == b"1\r\na\r\n0\r\nX-Else: 1\r\n\r\n"


def told_of(folder, request, *options):
    """The head that `thaw check --request` prints as sent."""
    argv = [str(binary()), "check", "-c", str(folder / "thaw.yaml"), "--json", "--request", request, *options]
    sent = json.loads(subprocess.run(argv, capture_output=True, timeout=60, check=True).stdout)["decision"]["sent"]
    return sent["line"], [(name, value) for name, value in sent["fields"]]


def test_check_tells_the_head_that_is_really_sent(pki, tmp_path, upstream):
    """Equal byte for byte, except what depends on the connection: the client's address, its cipher suite, the request's
    ID."""
    fields = ("X-Mine: 1", "x_secret: forged", "Via: 1.0 other", "Connection: X-Hop", "X-Hop: y", "Content-Length: 3")
    with front(pki, tmp_path, upstream.port, headers=REQUEST, identity="[ rfc9440, xfcc, nginx ]") as gateway:
        with Raw(gateway, "1.3") as client:
            client.send(("PUT /late/x?y=z HTTP/1.1\r\nHost: localhost\r\n" + "\r\n".join(fields) + "\r\n\r\nabc").encode())
            assert client.read().status == 200
            really = upstream.take()
        line, report = told_of(tmp_path, "PUT https://localhost/late/x?y=z", "--certificate", str(pki / "client.pem"),
                             *(word for field in fields for word in ("--header", field)))  # fmt: skip
    assert line == f"{really.method.decode()} {really.target.decode()} HTTP/1.1"
    seen = [(name.decode(), value.decode().replace("127.0.0.1", "192.0.2.1")) for name, value in really.fields]
    (seen_id,), (told_id,) = ([value for name, value in one if name == "X-Request-Id"] for one in (seen, report))
    assert seen_id != told_id
    assert [(name, value.replace(seen_id, told_id)) for name, value in seen] == report
